"""``smolctl stats``: counters."""

from collections.abc import Iterator, Mapping
from typing import Any

from smolctl.cli.nouns.tables import aligned
from smolctl.cli.output import Output, stderr_is_terminal
from smolctl.cli.words.command import Noun, Rows, Verb, request
from smolctl.cli.words.grammar import Args, Word

COLORS = {"drop": "bad", "reject": "bad", "note": "quiet"}
"""Of the classes of reasons; the rest only had to wait."""


def render(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield a table of counters."""
    cells = [[row["layer"], row["name"], row["value"]] for row in rows]
    yield from aligned(cells, ("LAYER", "COUNTER", "VALUE"), right=(2,), width=out.width)


def render_drops(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield a table of what was dropped, refused or delayed, and why."""
    if rows and stderr_is_terminal():
        out.notice("smolctl explain REASON says what a reason means and what helps")
    cells = [
        [
            row["count"],
            row["class"],
            out.paint(COLORS.get(row["class"], "wait"), row["reason"]),
            row.get("dev", ""),
            _last(row["time"], out),
            _hint(row),
        ]
        for row in rows
    ]
    heads = ("COUNT", "CLASS", "REASON", "DEV", "LAST", "HINT")
    yield from aligned(cells, heads, right=(0, 4), width=out.width)


def _hint(row: Mapping[str, Any]) -> str:
    """Return what was wrong with the last packet, and what helps."""
    text = str(row.get("hint", ""))
    for command in row.get("fix", ())[:1]:
        text = text.replace(f"; {command}", f"; try: {command}")
    return text


def _last(seconds: float, out: Output) -> str:
    """Return the local time of day, after the date unless it is today's."""
    at = out.clock.local(seconds)
    return f"{out.clock.day(at)}{at:%H:%M:%S}"


COMMAND = Noun(
    "stats",
    "Show counters, and which packets were dropped and why",
    (
        Verb(
            "stats show",
            "show the counters that are not zero",
            request("stats.show", render),
            (Word(("all",), "also counters that are zero"),),
            examples=("smolctl stats", "smolctl stats show all"),
        ),
        Verb(
            "stats drops",
            "show what was dropped, refused or delayed, and why",
            request("stats.drops", render_drops),
            examples=("smolctl stats drops", "smolctl -j stats drops"),
            notes="One line for each reason and interface: how often, when last, and what was"
            " wrong with the last packet. smolctl explain says what a reason means.",
        ),
    ),
)
