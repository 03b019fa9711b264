"""Rows of a ladder: what stands in its columns and beside them.

``ladder_layout.py`` makes them; ``ladder.py`` and ``ladder_svg.py`` draw them.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from textwrap import wrap
from typing import NamedTuple

from smolctl.counted import counted
from smolctl.lab.drawing.ladder_words import clean
from smolctl.lab.timeline import Mark, Travel

OUTSIDE = ""
"""The column of frames that no node sent."""
NAMED_MAX = 3
"""Nodes for which a frame is not that are named; of more, the picture shows which."""


class Part(StrEnum):
    """The part of a frame's way that an arrow shows."""

    WHOLE = "whole"
    LEAVES = "leaves"
    """Its arrival is in another row, since something happens at the receiver before."""
    ARRIVES = "arrives"


class Tip(StrEnum):
    """The end of an arrow."""

    ARRIVES = "arrives"
    IGNORED = "ignored"
    """It arrives, and the node finds that it is for another one."""
    LOST = "lost"


class Head(NamedTuple):
    """One end of an arrow: a node, OUTSIDE where nobody is there, and how it ends."""

    node: str
    tip: Tip


class Arrow(NamedTuple):
    """A frame on a wire.

    Attributes:
        src: the sender, or OUTSIDE.
        heads: where it goes; several on a hub.
        part: what of its way.
        tag: a word or two for the arrow itself, or "".
        asks: it is of those who ask for an address, which are drawn dotted.
        number: the same in all parts of one frame's way.
    """

    src: str
    heads: tuple[Head, ...]
    part: Part
    tag: str
    asks: bool
    number: int


class Point(NamedTuple):
    """A mark at nodes, of a kind of ``Mark``; no nodes for one that is about the whole."""

    nodes: tuple[str, ...]
    kind: str


class Gap(NamedTuple):
    """A time or a number of events that is not drawn: kind "quiet" or "fold"."""

    kind: str


class Row(NamedTuple):
    """One row.

    Attributes:
        at_ns: its time; no later row has an earlier one.
        until_ns: when it is over: the arrival of a frame, the end of a gap.
        figure: what stands in the columns.
        text: what stands beside it.
        packet: the number of a packet that is in several rows.
        items: the travels and marks that the row draws; of a fold, those that it counts.
    """

    at_ns: int
    until_ns: int
    figure: Arrow | Point | Gap
    text: str
    packet: int | None = None
    items: tuple[Travel | Mark, ...] = ()


class Ladder(NamedTuple):
    """A layout.

    Attributes:
        title: a line for the head of the picture, or "".
        columns: the nodes from left to right; empty when there are too many for columns.
        rows: from top to bottom.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


# --- their words ----------------------------------------------------------------------------------


def way_text(src: str, nodes: Sequence[str]) -> str:
    """Return whence and where a frame goes: "a > b, c", "a > 7 nodes"."""
    many = len(nodes) > NAMED_MAX
    return f"{src or 'outside'} > {f'{len(nodes)} nodes' if many else ', '.join(nodes) or 'nobody'}"


def arrow_way(arrow: Arrow) -> str:
    """Return whence and where an arrow goes, for a row without columns: "a > b and 9 others"."""
    return f"{arrow.src or 'outside'} > {nodes_text(arrow.heads) or 'nobody'}"


def nodes_text(ends: Sequence[tuple[str, Tip]]) -> str:
    """Return the nodes at some ends; of many, those for which a frame is not are counted."""
    named = [node for node, tip in ends if node and tip is not Tip.IGNORED]
    others = [node for node, tip in ends if tip is Tip.IGNORED]
    if len(named) + len(others) <= NAMED_MAX:
        return ", ".join([*named, *others])
    if not named or len(named) > NAMED_MAX:
        return f"{len(named) + len(others)} nodes"
    text = f" and {counted(len(others), 'other')}" if others else ""
    return f"{', '.join(named)}{text}"


def listed(row: Row) -> str:
    """Return the words of a row that has no columns."""
    if not isinstance(row.figure, Arrow):
        return row.text
    return f"{clean(arrow_way(row.figure))}  {row.text}"


def name_of(node: str) -> str:
    """Return the name of a column."""
    return clean(node or "outside")


def levels(spans: Iterable[tuple[int, int]]) -> list[int]:
    """Return a level for each name, so that no two of a level touch: 0 for the lowest.

    Args:
        spans: where each begins and ends, from left to right.
    """
    ends: list[int] = []
    result = []
    for begin, end in spans:
        level = next((n for n, last in enumerate(ends) if last < begin), len(ends))
        ends[level:] = [end, *ends[level + 1 :]]
        result.append(level)
    return result


def wrapped(text: str, room: int) -> list[str]:
    """Return the lines of a text, at least one; no name of a reason is broken."""
    return wrap(text, room, subsequent_indent="  ", break_on_hyphens=False) or [""]


def opens(ladder: Ladder, number: int) -> bool:
    """Tell whether a row begins something new: a step, or a link that changes, below other rows."""
    return number > 0 and _is_step(ladder.rows[number]) and not _is_step(ladder.rows[number - 1])


def _is_step(row: Row) -> bool:
    return isinstance(row.figure, Point) and row.figure.kind in ("step", "link")


def times(ladder: Ladder) -> list[str]:
    """Return the time of each row: in seconds, or in ms where all happens within a blink.

    A time is cut, never rounded up: no later row has an earlier one. It is "" where the row above
    has the same, and for a pause.
    """
    fine = not ladder.rows or ladder.rows[-1].at_ns < _BLINK_NS
    result: list[str] = []
    last = ""
    for row in ladder.rows:
        text = _milliseconds(row.at_ns) if fine else _seconds(row.at_ns)
        if text == last or row.figure == Gap("quiet"):
            result.append("")
        else:
            result.append(text)
            last = text
    return result


_BLINK_NS = 10_000_000


def _milliseconds(ns: int) -> str:
    return f"{ns // 1_000_000}.{ns // 10_000 % 100:02} ms"


def _seconds(ns: int) -> str:
    return f"{ns // 1_000_000_000}.{ns // 1_000_000 % 1000:03} s"


# --- the legend -----------------------------------------------------------------------------------

SIGNS = {
    "drop": "X", "reject": "R", "wait": "W", "note": "i", "step": "o", "link": "L", "expect": "E",
}  # fmt: skip
"""Letters of the kinds of marks."""
LEGEND = {
    "step": "a step of the lab",
    "wait": "a packet waits",
    "drop": "dropped, nobody is told",
    "reject": "refused, its sender is told",
    "note": "noted",
    "link": "a link changes",
    "expect": "an expectation",
    "asks": "about addresses, not data",
    "several": "one sender, several receivers",
    "ignored": "not for this node",
    "lost": "lost on the wire",
    "leaves": "on its way: it arrives in a later row",
}
"""Signs of a picture: how each is called there, in this order."""


def signs(ladder: Ladder) -> list[str]:
    """Return the signs that occur in a picture, keys of ``LEGEND``."""
    found: set[str] = set()
    for row in ladder.rows:
        figure = row.figure
        if isinstance(figure, Point):
            found.update([figure.kind] * bool(figure.nodes))
        elif isinstance(figure, Arrow):
            found.update(head.tip.value for head in figure.heads)
            found.update(["asks"] * figure.asks)
            found.update(["several"] * is_to_several(figure))
            found.update(["leaves"] * (figure.part is Part.LEAVES))
    return [sign for sign in LEGEND if sign in found]


def is_to_several(arrow: Arrow) -> bool:
    """Tell whether an arrow begins at one sender and goes to several nodes."""
    return arrow.part is not Part.ARRIVES and len([head for head in arrow.heads if head.node]) > 1
