"""The text of packets that are explained: a headline, steps, and verdict, why and what helps."""

from collections.abc import Iterator
from typing import Any

from smolctl.cli.nouns.tables import aligned
from smolctl.cli.output import Output

Row = dict[str, Any]

_OTHERS_SHOWN = 4
"""Routes of the table main that do not hold the destination, of which so many are shown."""


_STEP = 20
"""Columns in front of what is said about a step."""
_RESULTS = {"ok": "good", "pick": "good", "skip": "quiet", "drop": "bad", "reject": "bad"}
"""Colours of what came of a step; the rest had to wait, or is only noted."""


def render(row: Row, out: Output) -> Iterator[str]:
    """Yield a headline, one line a step, and verdict, why and fix.

    With ``-v`` every route is shown that does not hold the destination.
    """
    tags = [f"id {row['id']}"] if "id" in row else []
    tags += [_places(row)] if "dev" in row else []
    if "host" in row:
        tags.append(f"netns {row['host']['netns']}" if "netns" in row["host"] else "this host")
    tags += [row["kind"]] if row["kind"] == "predicted" else []
    yield f"{row['summary']}   {'  '.join(tags)}".rstrip()
    yield from tell(row, out)


def _places(row: Row) -> str:
    """Return the interface; of a packet that goes on to another one, both."""
    came, dev = row.get("iif", row["dev"]), str(row["dev"])
    return dev if came == dev else f"{came} > {dev}"


def tell(row: Row, out: Output, *, short: bool = False) -> Iterator[str]:
    """Yield what comes below the headline.

    Args:
        short: why and fix only when there is a reason, or where to look.
    """
    if "cause" in row:
        number = f" (id {row['cause']['id']})" if "id" in row["cause"] else ""
        yield f"because of: {row['cause']['summary']}{number}"
    steps = row["steps"] if out.options.verbose else _without_others(row["steps"])
    yield from _steps(steps, row.get("reason"), out)
    kind = "wait" if "reason" in row or row["ok"] is None else "good"
    bad = row["ok"] is False
    yield from out.labelled("verdict", row["verdict"], "bad" if bad else kind)
    if not short or "reason" in row or "look" in row or row["ok"] is None:
        yield from out.labelled("why", row["why"])
        yield from what_helps(row, out)


def what_helps(row: Row, out: Output) -> Iterator[str]:
    """Yield the commands that are proven to help, a line each, or where to look."""
    for number, command in enumerate(row["fix"]):
        yield from out.labelled("or" if number else "fix", command, "good")
    if not row["fix"] and "look" in row:
        yield from out.labelled("look", row["look"])
    elif not row["fix"] and row["ok"] is not None:
        yield from out.labelled("fix", "nothing to fix")


def _without_others(steps: list[Row]) -> list[Row]:
    """Return the steps, with most of the routes that do not hold the address made one line."""
    others = [step for step in steps if step.get("cause") == "prefix"]
    shown = [step["n"] for step in others if "type" not in step][:_OTHERS_SHOWN]
    hidden = [step["n"] for step in others if step["n"] not in shown]
    if len(hidden) < 2:
        return steps
    text = f"{len(hidden)} others do not hold the address (-v shows them)"
    last = others[-1]["n"]
    before = [step for step in steps if step["n"] <= last and step["n"] not in hidden]
    after = [step for step in steps if step["n"] > last]
    return [*before, {**others[-1], "text": text}, *after]


def _steps(steps: list[Row], blamed: str | None, out: Output) -> Iterator[str]:
    """Yield one line a step; what the "why" line below says is not said twice."""
    number, last = 0, ""
    for step in steps:
        stage = step["stage"]
        head = " " * 13
        if stage != last:
            number, last = number + 1, stage
            head = f"{number:>3} {stage:<8} "
        text = blamed if blamed is not None and step.get("reason") == blamed else step["text"]
        kind = _RESULTS.get(step["result"], "wait")
        result = out.paint(kind, step["result"]) + " " * (6 - len(step["result"]))
        plain = kind == "good" or ("reason" not in step and kind != "quiet")
        lines = out.folded(f"{head}{result} ", _STEP, text, "" if plain else kind)
        yield from (line.rstrip() for line in lines)


def render_list(rows: list[Row], out: Output) -> Iterator[str]:
    """Yield a table of packets."""
    cells = [
        [row["id"], row["dir"], row.get("dev", ""), row["summary"], row["verdict"]] for row in rows
    ]
    yield from aligned(
        cells, ("ID", "DIR", "DEV", "PACKET", "VERDICT"), right=(0,), width=out.width
    )
