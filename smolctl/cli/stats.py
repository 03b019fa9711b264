"""``smolctl stats``: counters."""

from collections.abc import Iterator

from smolctl.cli.command import Noun, Rows, Verb, request
from smolctl.cli.grammar import Args, Keyword, Table
from smolctl.cli.output import Output
from smolctl.cli.tables import aligned


def render(rows: Rows, _args: Args, _out: Output) -> Iterator[str]:
    """Yield a table of counters."""
    cells = [[row["layer"], row["name"], row["value"]] for row in rows]
    yield from aligned(cells, ("LAYER", "COUNTER", "VALUE"), right=(2,))


def render_drops(rows: Rows, _args: Args, _out: Output) -> Iterator[str]:
    """Yield a table of what was dropped, refused or delayed, and why."""
    cells = [
        [
            row["count"],
            row["class"],
            row["reason"],
            row.get("dev", ""),
            f"{row['last_ms'] / 1000:.1f} s ago" if "last_ms" in row else "",
            row.get("hint", ""),
        ]
        for row in rows
    ]
    yield from aligned(cells, ("COUNT", "CLASS", "REASON", "DEV", "LAST", "HINT"), right=(0, 4))


COMMAND = Noun(
    "stats",
    "Show counters, and what was dropped and why",
    (
        Verb(
            Table(
                "stats show",
                "show the counters that are not zero",
                ("smolctl stats", "smolctl stats show all"),
                (),
                (Keyword(("all",), "those that are zero too"),),
            ),
            request("stats.show", render),
        ),
        Verb(
            Table(
                "stats drops",
                "show what was dropped, refused or delayed, and why",
                ("smolctl stats drops", "smolctl -j stats drops"),
            ),
            request("stats.drops", render_drops),
        ),
    ),
)
