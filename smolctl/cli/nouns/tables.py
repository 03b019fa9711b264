"""Aligned text for what ``ip`` has no layout of its own for."""

import re
from collections.abc import Iterator, Sequence
from textwrap import wrap

_INDENT = " " * 4
_COLOR = re.compile(r"\x1b\[[\d;]*m")
_TRY = "; try: "
"""Text between the two halves of a hint: the fault, and the command."""


def aligned(
    rows: Sequence[Sequence[object]],
    headers: Sequence[str] = (),
    right: Sequence[int] = (),
    width: int | None = None,
) -> Iterator[str]:
    """Yield the lines of a table without rules; columns that are empty in all rows are left out.

    Args:
        rows: the cells.
        headers: names of the columns, or none.
        right: numbers of the columns that are aligned to the right.
        width: columns of the terminal; cells that do not fit stand below their row. None: no limit.
    """
    for lines in grouped(rows, headers, right, width):
        yield from lines


def grouped(
    rows: Sequence[Sequence[object]],
    headers: Sequence[str] = (),
    right: Sequence[int] = (),
    width: int | None = None,
) -> Iterator[list[str]]:
    """Yield the lines of each row, first those of the headers if there are any."""
    # The headers as a row: tabulate itself would widen each column by two for them.
    cells = [[str(cell) for cell in row] for row in ([headers] if headers else []) + list(rows)]
    count = max((len(row) for row in cells), default=0)
    body = cells[1:] if headers and rows else cells
    kept = [at for at in range(count) if any(row[at] for row in body)]
    cells = [[row[at] for at in kept] for row in cells]
    fit = _that_fit(cells, width)
    lines = _table([row[:fit] for row in cells], [at in right for at in kept[:fit]])
    for row, line in zip(cells, lines, strict=True):
        yield [line, *_below(row[fit:], width or 0)]


def _table(cells: list[list[str]], right: list[bool]) -> list[str]:
    """Return a line for each row."""
    from tabulate import tabulate  # 40 ms that other commands need not spend

    text = tabulate(
        cells,
        tablefmt="plain",
        disable_numparse=True,
        colalign=["right" if each else "left" for each in right] if cells else None,
    )
    return [line.rstrip() for line in text.splitlines()]


def _that_fit(cells: list[list[str]], width: int | None) -> int:
    """Return how many columns fit beside each other, one at least."""
    count = len(cells[0]) if cells else 0
    if width is None:
        return count
    used = -2
    for at in range(count):
        used += 2 + max(_len(row[at]) for row in cells)
        if used > width:
            return max(at, 1)
    return count


def _below(cells: list[str], width: int) -> Iterator[str]:
    """Yield cells that stand below their row; a command has a line of its own, to be copied."""
    line = ""
    for cell in filter(None, cells):
        if _len(line) + _len(cell) + 2 <= width - len(_INDENT):
            line += f"  {cell}" if line else cell
            continue
        if line:
            yield _INDENT + line
        line, between, command = cell.partition(_TRY)
        if _len(line) > width - len(_INDENT) or between:
            yield from wrap(
                line, max(width, 20), initial_indent=_INDENT, subsequent_indent=_INDENT,
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
            line = ""
        if command:
            yield f"{_INDENT}fix: {command}"
    if line:
        yield _INDENT + line


def _len(text: str) -> int:
    """Return the columns that a text takes: codes of colours have none."""
    return len(_COLOR.sub("", text)) if "\x1b" in text else len(text)
