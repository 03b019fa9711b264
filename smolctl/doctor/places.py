"""Paths of smolctl's files other than its modules."""

from collections.abc import Iterable
from pathlib import Path

SOURCE = Path(__file__).parents[2]
"""The project, when this is its source and not installed."""


def below(prefix: str | Path, *parts: str) -> Path:
    """Return a path in the directory ``share`` of a prefix."""
    return Path(prefix, "share", *parts)


def first_file(files: Iterable[Path]) -> Path | None:
    """Return the first of these that is a file."""
    for file in files:
        try:
            if file.is_file():
                return file
        except OSError:
            continue
    return None
