"""The key of a route lookup: Linux's flowi."""

from typing import NamedTuple

OUTPUT = "lo"
"""The value of ``iif`` for packets that are sent from here, as in Linux."""


class RouteKey(NamedTuple):
    """All that may decide on a packet's way.

    Attributes:
        src: source address that its sender insists on, or that it came with; None while it has
            none.
        oif: interface that its sender insists on, None for whichever the FIB says.
        loose: of equal routes, the one by ``oif`` is taken, and none other is passed over; rules
            meet ``oif`` all the same (Linux: a ``flowi6_oif`` without RT6_LOOKUP_F_IFACE). Not
            where ``dst`` alone says no link (Linux ``rt6_need_strict``).
        iif: interface by which it came in.
        mark: that its sender gave it (Linux SO_MARK), 0 for none.
        protocol: of IP, 0 for not known.
        sport, dport: of UDP or TCP, 0 for none.
        tos: the former type of service, ECN bits included.
        uid: of the user whose socket sends it; 0 for what the stack itself sends, and for what came
            in (Linux ``sock_net_uid``).
    """

    dst: int
    src: int | None = None
    oif: str | None = None
    iif: str = OUTPUT
    mark: int = 0
    protocol: int = 0
    sport: int = 0
    dport: int = 0
    tos: int = 0
    uid: int = 0
    loose: bool = False

    @property
    def bound(self) -> str | None:
        """The interface by which a route must lead, None for any."""
        return None if self.loose else self.oif
