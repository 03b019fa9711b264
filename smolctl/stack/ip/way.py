"""The way of a packet that is sent, or why it goes no way."""

from enum import StrEnum
from typing import NamedTuple

from smolctl.stack.fib.exceptions import RouteException
from smolctl.stack.fib.path_mtu import PathMtu
from smolctl.stack.fib.route import Route
from smolctl.stack.interface import Interface
from smolctl.stack.reason import Reason


class WayType(StrEnum):
    """The kind of destination that a way leads to."""

    UNICAST = "unicast"
    LOCAL = "local"
    BROADCAST = "broadcast"
    MULTICAST = "multicast"


class Way(NamedTuple):
    """The way of a packet.

    Attributes:
        interface: by which it leaves; a loopback for ``LOCAL``.
        next_hop: whose MAC is needed: the gateway, or the destination itself.
        src: source address, None when the interface has none to offer.
        route: the route that won, of several next hops the one that was picked; None for one that
            was assumed (bound to a device) or needs none.
        mtu: largest packet in bytes.
        locked: whether that is final: no smaller one is discovered (``Pmtudisc.df``).
        learned: what path MTU discovery knows of the way, None when nothing that matters.
        redirected: the redirect that the next hop comes from, None when it is the route's own.
    """

    type: WayType
    interface: Interface
    dst: int
    next_hop: int
    src: int | None
    route: Route | None
    mtu: int
    locked: bool = False
    learned: PathMtu | None = None
    redirected: RouteException | None = None

    @property
    def gateway(self) -> int | None:
        """Return the next hop when it is not the destination itself."""
        return self.next_hop if self.next_hop != self.dst else None

    @property
    def home(self) -> str:
        """Return the interface that has the destination, of a packet that stays inside.

        Source: Linux ``ip_route_output_key_hash_rcu`` (orig_oif), rt6i_idev.
        """
        route = self.route
        return self.interface.name if route is None or route.dev is None else route.dev


class Refusal(NamedTuple):
    """A packet goes no way, for this reason; ``values`` are for its texts."""

    reason: Reason
    dev: str
    values: dict[str, object]
