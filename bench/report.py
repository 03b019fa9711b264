"""The table that people read, and the file that programs read."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter, sleep, strftime
from typing import Any

from tabulate import tabulate

from bench.measure import Row
from smolctl import __version__

RESULTS = Path(__file__).parent / "results.json"
README = Path(__file__).parents[1] / "README.md"
_BEGIN, _END = "<!-- speed: make bench-readme -->", "<!-- end of speed -->"
_HEAD = ("", "against", "ours : theirs", "ratio (quartiles)", "must reach", "goal", "note")


def value(row: Row) -> str:
    """Return the figure with its spread: "1.92 x (1.86-2.02)"."""
    spread = row.value
    text = f"{spread.median:.3g}{row.unit}"
    if spread.low != spread.high:
        text += f" ({spread.low:.3g}-{spread.high:.3g})"
    return text


class Table:
    """Collects rows and writes them; equal notes are written once, below."""

    def __init__(self) -> None:
        self._notes: dict[str, int] = {}

    def text(self, rows: Sequence[Row]) -> str:
        """Return the rows as a table and the notes that they are the first to have."""
        known = len(self._notes)
        lines = [self._line(row) for row in rows]
        table = tabulate(lines, _HEAD, tablefmt="simple", disable_numparse=True)
        fresh = list(self._notes.items())[known:]
        return "\n".join([table, *(f"  [{number}] {note}" for note, number in fresh)])

    def _line(self, row: Row) -> tuple[str, ...]:
        limit = row.limit
        note = ""
        if row.note:
            note = f"[{self._notes.setdefault(row.note, len(self._notes) + 1)}]"
        must = limit.verdict(row.value.median, limit.must) if limit else "-"
        goal = limit.verdict(row.value.median, limit.goal) if limit else "-"
        return row.what, row.against, row.raw, value(row), must, goal, note


def others_share(seconds: float = 0.5) -> float:
    """Do nothing for a while; return how busy others kept the machine meanwhile, 0 to 1."""
    busy, start = _busy_s(), perf_counter()
    sleep(seconds)
    elapsed = (perf_counter() - start) * (os.cpu_count() or 1)
    return min(1.0, (_busy_s() - busy) / elapsed)


def _busy_s() -> float:
    """Return the time that all cpus were busy (proc(5) stat, less idle and iowait)."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "smolctl": __version__,
        "time": strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def write(subjects: dict[str, Any], skipped: dict[str, str], failed: dict[str, str]) -> None:
    """Write ``results.json``: all rows of all subjects that ran, each with its rounds."""
    content = {
        "machine": machine(),
        "subjects": subjects,
        "skipped": skipped,
        "failed": failed,
    }
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")


def write_readme(rows: Sequence[Row]) -> None:
    """Put the rows that have limits into README.md, between its two markers.

    Those that were not measured now stay as they are.
    """
    text = README.read_text()
    before, _, rest = text.partition(_BEGIN)
    _, found, after = rest.partition(_END)
    if not found:
        raise RuntimeError(f"{README} has no place for the table: {_BEGIN} ... {_END}")
    fresh = [
        (
            row.what,
            row.against,
            value(row),
            row.limit.verdict(row.value.median, row.limit.must),
            row.limit.verdict(row.value.median, row.limit.goal),
        )
        for row in rows
        if row.limit is not None
    ]
    lines = {line[:2]: line for line in _table_lines(rest)}
    lines.update({line[:2]: line for line in fresh})
    head = ("", "against", "ratio (quartiles)", "must", "goal")
    table = tabulate(list(lines.values()), head, tablefmt="github", disable_numparse=True)
    here = machine()
    note = f"Python {here['python']}, Linux {here['kernel']}, {here['cpus']} CPUs."
    README.write_text(f"{before}{_BEGIN}\n{table}\n\n{note}\n{_END}{after}")


def _table_lines(text: str) -> list[tuple[str, ...]]:
    """Return the cells of the rows of a table, without its head, up to the end of the table."""
    rows = text.partition("\n\n")[0].strip().splitlines()[2:]
    return [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in rows]


def plain(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows as JSON has them."""
    result = []
    for row in rows:
        item = asdict(row)
        limit, median = row.limit, row.value.median
        if limit is not None:
            item["must_reached"] = limit.kept(median, limit.must)
            item["goal_reached"] = limit.kept(median, limit.goal)
        result.append(item)
    return result
