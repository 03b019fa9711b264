"""Next-hop objects: ways with a number, of which routes are made (``ip nexthop``).

A route that is made of one is a plain or multipath route at once, and keeps the number: lookups
know no objects. When an object changes or goes, its routes are made again or go, too.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from smolctl.errors import NotFound
from smolctl.stack.duplicate import duplicate
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.nexthop import Multipath, NextHop, with_ways
from smolctl.stack.fib.route import Route, RouteType
from smolctl.wire.address import Family

ID_MAX = 0xFFFFFFFF


class NextHopObject(NamedTuple):
    """A way, a blackhole, or a group of ways.

    Attributes:
        ident: its number, 1..2**32-1, of both families.
        family: None for a group.
        dev, via, onlink, on_link: as of ``Route``; a blackhole has none of them.
        members: number and weight of each way of a group.
    """

    ident: int
    family: Family | None
    dev: str | None = None
    via: int | None = None
    onlink: bool = False
    on_link: bool = True
    members: tuple[tuple[int, int], ...] = ()

    @property
    def is_blackhole(self) -> bool:
        """Whether packets are dropped without a word."""
        return self.dev is None and not self.members


class NextHopObjects:
    """The objects of one stack by number.

    Attributes:
        fibs: returns the FIBs whose routes follow the objects.
    """

    def __init__(self) -> None:
        self._all: dict[int, NextHopObject] = {}
        self.fibs: Callable[[], Iterable[Fib]] = tuple

    def __iter__(self) -> Iterator[NextHopObject]:
        """Yield the objects by their numbers."""
        return (self._all[ident] for ident in sorted(self._all))

    def __contains__(self, ident: int) -> bool:
        return ident in self._all

    def get(self, ident: int) -> NextHopObject:
        """Return an object.

        Raises:
            NotFound: there is none.
        """
        found = self._all.get(ident)
        if found is None:
            raise NotFound(f"there is no next hop with id {ident}", hint="smolctl nexthop show")
        return found

    def copy_from(self, other: "NextHopObjects") -> None:
        """Have the same objects; none of them ever changes itself."""
        self._all = dict(other._all)

    def put(self, new: NextHopObject) -> None:
        """Add an object, or replace that of its number; routes follow."""
        known = new.ident in self._all
        self._all[new.ident] = new
        if known:
            self._follow({new.ident, *self.groups_of(new.ident)})

    def remove(self, idents: set[int]) -> None:
        """Take objects away, with their routes; a group goes with its last member.

        Source: Linux ``remove_nexthop``, ``remove_nh_grp_entry``.
        """
        if not idents:
            return
        changed = set(idents)
        for ident in idents:
            del self._all[ident]
        for old in [each for each in self if not idents.isdisjoint(dict(each.members))]:
            changed.add(old.ident)
            left = tuple(member for member in old.members if member[0] not in idents)
            if left:
                self._all[old.ident] = old._replace(members=left)
            else:
                del self._all[old.ident]
        self._follow(changed)

    def flush(self, dev: str) -> None:
        """Take away what goes by an interface (Linux ``nexthop_flush_dev``)."""
        self.remove({each.ident for each in self if each.dev == dev})

    def groups_of(self, ident: int) -> list[int]:
        """Return the numbers of the groups that an object is a member of."""
        return [each.ident for each in self if any(ident == member for member, _ in each.members)]

    def ways(self, ident: int) -> list[tuple[NextHopObject, int]]:
        """Return the objects without groups, and their weights, that an object stands for."""
        found = self.get(ident)
        if not found.members:
            return [(found, 1)]
        return [(self.get(member), weight) for member, weight in found.members]

    def route_by(self, route: Route, ident: int) -> Route:
        """Return a route like another one, which leads by an object.

        Raises:
            NotFound: there is no such object.
        """
        ways = self.ways(ident)
        whole = duplicate(route)
        whole.nhid = ident
        whole.type = RouteType.BLACKHOLE if ways[0][0].is_blackhole else RouteType.UNICAST
        said = [NextHop(each.dev, each.via, weight, each.onlink) for each, weight in ways]
        made = with_ways(whole, said)
        hops = made.hops if isinstance(made, Multipath) else (made,)
        for hop, (each, _) in zip(hops, ways, strict=True):
            hop.on_link = each.on_link
        return made

    def users(self, idents: set[int]) -> Iterator[tuple[Fib, Route]]:
        """Yield the routes that are made of some objects, and the FIB of each."""
        for fib in self.fibs():
            for route in [route for route in fib if route.nhid in idents]:
                yield fib, route

    def _follow(self, idents: set[int]) -> None:
        """Make the routes of some objects again, or remove them with their object."""
        for fib, route in self.users(idents):
            if route.nhid in self._all:
                fib.exchange(route, self.route_by(route, route.nhid))
            else:
                fib.remove(route)
