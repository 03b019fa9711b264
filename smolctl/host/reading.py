"""One network namespace of the Linux host, read whole: its ``HostState``."""

import gc
from collections.abc import Callable
from typing import NamedTuple

from smolctl.device.netlink import Netlink
from smolctl.errors import DeviceError
from smolctl.host import (
    addresses,
    groups,
    hooks,
    links,
    neighbors,
    nexthops,
    routes,
    rules,
    sockets,
    sysctls,
)
from smolctl.host.addresses import Address
from smolctl.host.groups import Groups
from smolctl.host.hooks import Hook
from smolctl.host.links import Link
from smolctl.host.namespace import OWN, inside
from smolctl.host.neighbors import Neighbor
from smolctl.host.nexthops import Nexthop
from smolctl.host.proc import lines
from smolctl.host.release import release
from smolctl.host.routes import Route
from smolctl.host.rules import Rule
from smolctl.host.sockets import Socket
from smolctl.host.sysctls import Sysctls

_TRIES = 4


class HostState(NamedTuple):
    """All of a network namespace that decides about its packets: plain data.

    Attributes:
        release: of the kernel, such as (6, 1).
        settled: nothing changed while it was read; else it may never have been just so.
        links, addresses, routes, nexthops, rules, neighbors: in the kernel's order.
        learned: MTUs and redirects that the kernel learned of single destinations.
        proxies: addresses for which single links answer.
        groups: multicast and anycast.
        sysctls: of the namespace and of each link.
        sockets: of all users.
        hooks: what may change the answer, and is not part of all this.
        split: the tables local and main of IPv4 are asked one after the other; None if that is not
            told. See ``routes.is_split``.
    """

    release: tuple[int, int]
    settled: bool
    links: tuple[Link, ...]
    addresses: tuple[Address, ...]
    routes: tuple[Route, ...]
    learned: tuple[Route, ...]
    nexthops: tuple[Nexthop, ...]
    rules: tuple[Rule, ...]
    neighbors: tuple[Neighbor, ...]
    proxies: tuple[Neighbor, ...]
    groups: Groups
    sysctls: Sysctls
    sockets: tuple[Socket, ...]
    hooks: tuple[Hook, ...]
    split: bool | None = None

    def of_family(self, family: int) -> "HostState":
        """Return the same without the addresses, routes and so on of other address families."""
        groups = self.groups.groups
        return self._replace(
            addresses=tuple(each for each in self.addresses if each.family == family),
            routes=tuple(each for each in self.routes if each.family == family),
            learned=tuple(each for each in self.learned if each.family == family),
            nexthops=tuple(each for each in self.nexthops if each.family in (0, family)),
            rules=tuple(each for each in self.rules if each.family == family),
            neighbors=tuple(each for each in self.neighbors if each.family == family),
            proxies=tuple(each for each in self.proxies if each.family == family),
            groups=self.groups._replace(
                groups=tuple(each for each in groups if each.family == family)
            ),
            sockets=tuple(each for each in self.sockets if each.family == family),
        )

    def link_named(self, name: str) -> Link | None:
        """Return the link of a name, or of a further name of it."""
        for link in self.links:
            if name == link.name or name in link.altnames:
                return link
        return None

    def name_of(self, ifindex: int) -> str:
        """Return the name of a link; ``if7`` of one that is not here."""
        for link in self.links:
            if link.ifindex == ifindex:
                return link.name
        return f"if{ifindex}"


def read(netns: str | None = None) -> HostState:
    """Return the state of a namespace; nothing is changed, and only entering one needs root.

    Args:
        netns: as for ``inside``; None is the one in which we are.

    Raises:
        NetlinkError: the kernel does not tell.
        DeviceError: there is no such namespace, it must not be entered, or /proc is not readable.
    """
    try:
        return _without_collections(lambda: inside(netns, _read))
    except OSError as error:
        raise DeviceError(
            f"cannot read {error.filename or 'the network'}: {error.strerror}"
        ) from None


def _without_collections(work: Callable[[], HostState]) -> HostState:
    """Do work that makes very many objects and no garbage: looking for some takes a third of it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return work()
    finally:
        if enabled:
            gc.enable()


def _read() -> HostState:
    """Read until nothing changes meanwhile, but not for ever: on a router, routes always do."""
    with Netlink() as kernel, Netlink() as changes:
        changes.subscribe()
        for _ in range(_TRIES):
            state = _read_once(kernel)
            if not changes.heard():
                return state
    return state._replace(settled=False)


def _read_once(kernel: Netlink) -> HostState:
    there, ways = links.read(kernel), routes.read(kernel)
    return HostState(
        release=release(),
        settled=True,
        links=there,
        addresses=addresses.read(kernel),
        routes=ways,
        learned=routes.read_learned(kernel),
        nexthops=nexthops.read(kernel),
        rules=rules.read(kernel),
        neighbors=neighbors.read(kernel),
        proxies=neighbors.read_proxies(kernel),
        groups=groups.read(),
        sysctls=sysctls.read(link.name for link in there),
        sockets=sockets.read(),
        hooks=hooks.read(kernel, there),
        split=routes.is_split(ways, lines(f"{OWN}/fib_triestat")),
    )
