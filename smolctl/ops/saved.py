"""The parts of ``config save``: one request for each part of a stack, and one that undoes it."""

from typing import Any, NamedTuple

Words = dict[str, Any]


class Saved(NamedTuple):
    """One part of a stack's configuration.

    Attributes:
        op: the request that makes it: "addr.add".
        args: its arguments, as words.
        undo: the request that takes it away, None when it goes with something else.
        group: parts of one group have an order among themselves that means something.
        key: what it is, without how it is; parts of one key stand in for each other.
        scaffold: it is there for what follows alone, and taken away again.
    """

    op: str
    args: Words
    undo: tuple[str, Words] | None = None
    group: str = ""
    key: str = ""
    scaffold: bool = False
