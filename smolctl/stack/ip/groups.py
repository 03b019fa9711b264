"""Groups of an interface: their members, and the senders that each of them wants.

A socket that joins says which senders it wants; what the interface takes is what its members want
together (RFC 3376 3.1, 3.2). A member is a socket, or a name for what no socket stands for.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

HOST = "host"
"""The member of what a host is always in: the group of all hosts (RFC 1122 3.3.7)."""
STATIC = "static"
"""The member of a group that was joined by hand."""
AUTOJOIN = "autojoin"
"""The member of a group that is an address of the interface (Linux mc_autojoin_sk)."""


class Group(NamedTuple):
    """A group, where somebody is told of it."""

    address: int


class SourceFilter(NamedTuple):
    """The wanted senders to a group: ``sources`` alone, or all but these if ``exclude``."""

    exclude: bool
    sources: frozenset[int] = frozenset()

    def allows(self, source: int) -> bool:
        """Tell whether what ``source`` sends is wanted."""
        return (source in self.sources) != self.exclude


ANYBODY = SourceFilter(True)
NOBODY = SourceFilter(False)
"""Filter of a group that nobody has joined: joining and leaving only change filters."""


def merged(filters: Iterable[SourceFilter]) -> SourceFilter:
    """Return what several members want together (RFC 3376 3.2)."""
    filters = list(filters)
    included = frozenset[int]().union(*(each.sources for each in filters if not each.exclude))
    excluded = [each.sources for each in filters if each.exclude]
    if not excluded:
        return SourceFilter(False, included)
    return SourceFilter(True, frozenset.intersection(*excluded) - included)


class Groups:
    """The groups of one interface.

    Args:
        always: the groups that it never leaves.

    Attributes:
        filters: what is wanted of each group, in the order in which they were joined.
    """

    def __init__(self, *always: int) -> None:
        self._members: dict[int, dict[Any, SourceFilter]] = {
            group: {HOST: ANYBODY} for group in always
        }
        self.filters = dict.fromkeys(always, ANYBODY)

    def clone(self) -> "Groups":
        """Return a copy with the same members."""
        result = Groups()
        result._members = {group: dict(members) for group, members in self._members.items()}
        result.filters = dict(self.filters)
        return result

    def members(self, group: int) -> dict[Any, SourceFilter]:
        """Return who is in a group, and what each wants."""
        return self._members.get(group, {})

    def set(
        self, group: int, member: Any, wanted: SourceFilter
    ) -> tuple[SourceFilter, SourceFilter]:
        """Note what a member wants; NOBODY has it leave.

        Returns: what the interface wanted before, and what it wants now.
        """
        members = self._members.setdefault(group, {})
        before = self.filters.get(group, NOBODY)
        if wanted == NOBODY:
            members.pop(member, None)
        else:
            members[member] = wanted
        after = merged(members.values())
        if members:
            self.filters[group] = after
        else:
            self.filters.pop(group, None)
            del self._members[group]
        return before, after

    def allows(self, group: int, source: int) -> bool:
        """Tell whether what ``source`` sends to ``group`` is wanted by anybody."""
        return self.filters.get(group, NOBODY).allows(source)
