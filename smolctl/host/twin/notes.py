"""Notes on what a twin cannot express, so that no answer is silently wrong."""

from typing import NamedTuple


class Note(NamedTuple):
    """Something that decides about packets on the host, and not in its twin.

    Attributes:
        topic: "link", "address", "route", "rule", "neigh", "sysctl" or "group".
        text: what it is, in words.
        link: name of the link to which it belongs; "" for none, or all.
        family: "inet" or "inet6"; "" for both.
        route: table, prefix and its length of the route to which it belongs; None for none.
        rule: priority of the rule to which it belongs; None for none.
    """

    topic: str
    text: str
    link: str = ""
    family: str = ""
    route: tuple[int, int, int] | None = None
    rule: int | None = None


class Notes:
    """The notes that are taken while a twin is made, each once and in their order."""

    def __init__(self) -> None:
        self._taken: dict[Note, None] = {}

    def take(self, note: Note) -> None:
        """Take a note."""
        self._taken[note] = None

    @property
    def taken(self) -> tuple[Note, ...]:
        """All of them."""
        return tuple(self._taken)
