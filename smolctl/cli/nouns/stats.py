"""``smolctl stats``: counters."""

from collections.abc import Iterator
from datetime import datetime

from smolctl.cli.nouns.tables import aligned
from smolctl.cli.output import Output, stderr_is_terminal
from smolctl.cli.words.command import Noun, Rows, Verb, request
from smolctl.cli.words.grammar import Args, Word


def render(rows: Rows, _args: Args, _out: Output) -> Iterator[str]:
    """Yield a table of counters."""
    cells = [[row["layer"], row["name"], row["value"]] for row in rows]
    yield from aligned(cells, ("LAYER", "COUNTER", "VALUE"), right=(2,))


def render_drops(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield a table of what was dropped, refused or delayed, and why."""
    if rows and stderr_is_terminal():
        out.notice("smolctl explain REASON says what a reason means and what helps")
    cells = [
        [
            row["count"],
            row["class"],
            row["reason"],
            row.get("dev", ""),
            _clock(row["time"]),
            row.get("hint", ""),
        ]
        for row in rows
    ]
    yield from aligned(cells, ("COUNT", "CLASS", "REASON", "DEV", "LAST", "HINT"), right=(0, 4))


def _clock(seconds: float) -> str:
    """Return the local time of day, after the date unless it is today's."""
    at = datetime.fromtimestamp(seconds)
    return f"{at:%H:%M:%S}" if at.date() == datetime.now().date() else f"{at:%Y-%m-%d %H:%M:%S}"


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
