"""The text of ``smolctl reach``: a matrix, and a legend of what does not work."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from string import ascii_letters
from typing import Any

from smolctl.cli.output import Output
from smolctl.counted import counted

Row = dict[str, Any]

_WIDTH = 80
_NAMES_MAX = 24
"""Columns of the names of a group, at most; on a narrow terminal a third of it."""
_FEW = 3
"""Names in a sentence."""
_FAMILIES = {"inet": "IPv4", "inet6": "IPv6"}
_GOOD, _SELF, _MORE = "+", ".", "*"
_ENDS = {"from": "the sender", "to": "the one who is asked"}
_NUMBERED = re.compile(r"(.*?)(\d+)$")


def render(row: Row, out: Output) -> Iterator[str]:
    """Yield the matrix, its rows and columns in groups, and what its letters mean."""
    proto = f"{row['proto']} {row['port']}" if "port" in row else row["proto"]
    head = f"{proto} over {_FAMILIES[row['family']]}: {row['reached']} of"
    head = f"{head} {counted(row['pairs'], 'pair')} {'works' if row['pairs'] == 1 else 'work'}"
    if row["unknown"]:
        head += f", of {row['unknown']} it cannot be said"
    yield out.paint("good" if row["ok"] else "bad", head)
    legend = _legend(row)
    yield ""
    yield from _matrix(row, legend, out)
    said = [entry for entry in dict.fromkeys(legend) if entry != (_GOOD,)]
    if said:
        yield ""
    for entry in said:
        yield from _entry(row, legend, entry, out)


# --- the legend -----------------------------------------------------------------------------------

Entry = tuple[str, ...]
"""The things that answers under one letter have in common; of those that work, a plus sign."""


def _legend(row: Row) -> list[Entry]:
    """Return the entry of each answer; where they break is not what tells them apart."""
    return [
        (_GOOD,)
        if each["ok"] and each["outcome"] == "works"
        else (each["outcome"], each.get("reason", ""), each.get("leg", ""), str("by" in each))
        for each in row["answers"]
    ]


def _letter(legend: list[Entry], entry: Entry) -> str:
    if entry == (_GOOD,):
        return _GOOD
    at = [each for each in dict.fromkeys(legend) if each != (_GOOD,)].index(entry)
    return ascii_letters[at] if at < len(ascii_letters) else _MORE


def _entry(row: Row, legend: list[Entry], entry: Entry, out: Output) -> Iterator[str]:
    """Yield what a letter means, how often it is there, and a command that tells more."""
    meant = [each for each, of in zip(row["answers"], legend, strict=True) if of == entry]
    count = sum(each["count"] for each in meant)
    letter, first = _letter(legend, entry), meant[0]
    kind = "wait" if first["outcome"] in ("outside", "waits") else "bad"
    head = f"{out.paint(kind, letter)}  {count:>{len(str(row['pairs']))}}  "
    indent = 5 + len(str(row["pairs"]))
    yield from out.folded(head, indent, _words(first, meant))
    yield " " * indent + first["ask"]


def _words(first: Row, meant: list[Row]) -> str:
    """Return what happened, and where."""
    if "by" in first:
        who = _few(sorted({each["by"] for each in meant}, key=_natural))
        return f"another stack answers: {who}"
    what = "the answer" if first.get("leg") == "answer" else "the packet"
    where = _where(meant)
    reason = f" - {first['reason']}" if "reason" in first else ""
    if first["outcome"] == "outside":
        return f"not known: {what} leaves these stacks{where}"
    if first["outcome"] == "waits":
        return f"{what} waits{where}{reason}"
    return f"{what} breaks{where}{reason}"


def _where(meant: list[Row]) -> str:
    """Return at which stacks it happened."""
    at = sorted({each["at"] for each in meant if "at" in each}, key=_natural)
    return f" at {_few(at)}" if at else ""


def _few(names: Sequence[str]) -> str:
    """Return names as a list that fits into a line."""
    parts = _parts(names)
    if len(parts) <= _FEW:
        return ", ".join(parts)
    return f"{', '.join(parts[:_FEW])} and {len(parts) - _FEW} others"


# --- the matrix -----------------------------------------------------------------------------------


def _matrix(row: Row, legend: list[Entry], out: Output) -> Iterator[str]:
    """Yield a line for each group; a wide matrix comes in parts, each as wide as the screen."""
    groups: list[list[int]] = row["groups"]
    width = out.width or _WIDTH
    names = [_group(row["places"], group, min(_NAMES_MAX, width // 3)) for group in groups]
    digits, wide = len(str(len(groups))), max(map(len, names))
    left = digits + 1 + wide + 2
    gap = 2 if left + 2 * len(groups) <= width else 1
    part = max((width - left) // gap, 1)
    for first in range(0, len(groups), part):
        if first:
            yield ""
        columns = range(first, min(first + part, len(groups)))
        for digit in range(digits):
            numbers = (" " * (gap - 1)).join(f"{each + 1:>{digits}}"[digit] for each in columns)
            if numbers.strip():
                yield (" " * left + numbers).rstrip()
        for number, name in enumerate(names):
            cells = [_cell(row, legend, groups[number], groups[each], out) for each in columns]
            yield f"{number + 1:>{digits}} {name:<{wide}}  {(' ' * (gap - 1)).join(cells)}"


def _cell(row: Row, legend: list[Entry], here: list[int], there: list[int], out: Output) -> str:
    """Return the one letter of a group's way to another one, or between its own members."""
    to = there[0] if here is not there else there[-1]
    answer = row["matrix"][here[0]][to]
    if answer is None:
        return out.paint("quiet", _SELF)
    letter = _letter(legend, legend[answer])
    said = row["answers"][answer]
    good = "good" if said["ok"] else "wait" if said["outcome"] == "outside" else "bad"
    return out.paint(good, letter)


def _group(places: Sequence[Row], group: list[int], width: int) -> str:
    """Return the names of a group in so many columns."""
    several = len({place["stack"] for place in places}) < len(places)
    names = [
        f"{places[each]['stack']} {places[each]['address']}" if several else places[each]["stack"]
        for each in group
    ]
    text = _names(names)
    if len(text) <= width:
        return text
    if len(names) == 1:
        return f"{text[: width - 2]}.."
    more = f" and {len(names) - 1} more"
    return f"{names[0][: max(width - len(more), 1)]}{more}"


def _names(names: Sequence[str]) -> str:
    return ", ".join(_parts(names))


def _parts(names: Sequence[str]) -> list[str]:
    """Return names, those that are numbered one after the other as one range."""
    parts = []
    numbered = [_NUMBERED.match(name) for name in names]
    keys = [
        (name, None) if found is None else (found[1], int(found[2]) - at)
        for at, (name, found) in enumerate(zip(names, numbered, strict=True))
    ]
    for _, run in groupby(range(len(names)), key=lambda at: keys[at]):
        members = [names[at] for at in run]
        parts += members if len(members) < 3 else [f"{members[0]}-{members[-1]}"]
    return parts


def _natural(name: str) -> tuple[str, int]:
    found = _NUMBERED.match(name)
    return (name, -1) if found is None else (found[1], int(found[2]))
