"""Aligned text for what ``ip`` has no layout of its own for."""

from collections.abc import Iterator, Sequence


def aligned(
    rows: Sequence[Sequence[object]], headers: Sequence[str] = (), right: Sequence[int] = ()
) -> Iterator[str]:
    """Yield the lines of a table without rules; columns that are empty in all rows are left out.

    Args:
        rows: the cells.
        headers: names of the columns, or none.
        right: numbers of the columns that are aligned to the right.
    """
    from tabulate import tabulate  # 15 ms that other commands need not spend

    # The headers as a row: tabulate itself would widen each column by two for them.
    cells = [[str(cell) for cell in row] for row in ([headers] if headers else []) + list(rows)]
    count = max((len(row) for row in cells), default=0)
    body = cells[1:] if headers and rows else cells
    kept = [at for at in range(count) if any(row[at] for row in body)]
    text = tabulate(
        [[row[at] for at in kept] for row in cells],
        tablefmt="plain",
        disable_numparse=True,
        colalign=["right" if at in right else "left" for at in kept] if cells else None,
    )
    for line in text.splitlines():
        yield line.rstrip()
