"""Routes, their types, scopes and tables."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

KERNEL = "kernel"
"""Route protocol of derived routes, as Linux's RTPROT_KERNEL."""


class RouteType(StrEnum):
    """The type of a route: the treatment of a packet that matches (Linux RTN_*)."""

    UNICAST = "unicast"
    LOCAL = "local"
    BROADCAST = "broadcast"
    ANYCAST = "anycast"
    """To one of several hosts, as to any of the routers of a network (RFC 4291 2.6)."""
    MULTICAST = "multicast"
    """To a group; of IPv6, whose table local leads to groups."""
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    THROW = "throw"


class Scope(IntEnum):
    """The distance of a destination (Linux RT_SCOPE_*); a higher number is nearer."""

    GLOBAL = 0
    SITE = 200
    LINK = 253
    HOST = 254
    NOWHERE = 255


class TableName(IntEnum):
    """The tables that have a name (Linux RT_TABLE_*); any other number of 1..2**32-1 is one too."""

    DEFAULT = 253
    MAIN = 254
    LOCAL = 255


TABLE_MAX = 0xFFFFFFFF
_TABLE_NAMES = {int(table): table.name.lower() for table in TableName}


def table_text(table: int) -> str:
    """Return a table's name, or its number when it has none."""
    return _TABLE_NAMES.get(table) or str(table)


class InsertMode(StrEnum):
    """The treatment of a route of the same prefix and metric (netlink flags of ``ip route``)."""

    ADD = "add"
    APPEND = "append"
    REPLACE = "replace"
    CHANGE = "change"


DEVICELESS = frozenset(
    {RouteType.BLACKHOLE, RouteType.UNREACHABLE, RouteType.PROHIBIT, RouteType.THROW}
)
"""Route types that need no device: nothing is sent."""


@dataclass(slots=True, eq=False)
class Route:
    """One route; immutable once it is in a table.

    Attributes:
        prefix, plen: network address, host bits zero, and its length in bits.
        dev: interface name, None for the types that send nothing.
        via: gateway address, None when the destination is on the link.
        prefsrc: source address the route prefers, None to select one.
        metric: lower wins among equal prefixes, 0..2**32-1.
        mtu, mtu_lock: largest packet in bytes, None for the interface's; no smaller is learned.
        onlink: the user vouches for the gateway (keyword ``onlink``).
        on_link: packets go straight to their destination, not to ``via``.
        nhid: number of the next-hop object that it was made of, 0 for none.
    """

    prefix: int
    plen: int
    type: RouteType = RouteType.UNICAST
    table: int = TableName.MAIN
    dev: str | None = None
    via: int | None = None
    prefsrc: int | None = None
    metric: int = 0
    scope: Scope = Scope.GLOBAL
    protocol: str = "boot"
    mtu: int | None = None
    mtu_lock: bool = False
    onlink: bool = False
    on_link: bool = True
    nhid: int = 0

    @property
    def needs_carrier(self) -> bool:
        """Whether it leads to a wire: not to this host itself.

        Source: Linux ``fib_sync_down_dev``; ``fib6_ifdown``.
        """
        here = self.scope >= Scope.HOST or self.type in (RouteType.LOCAL, RouteType.ANYCAST)
        return self.dev is not None and not here

    def identity(self) -> tuple[object, ...]:
        """Return what makes two routes of one prefix the same (Linux: type and fib_info)."""
        return (
            self.type,
            self.dev,
            self.via,
            self.prefsrc,
            self.metric,
            self.scope,
            self.protocol,
            (self.mtu, self.mtu_lock),
            self.onlink,
            self.nhid,
        )
