"""The base of sockets: what they are bound to, and their queue of errors."""

from collections import deque
from dataclasses import dataclass, field

from smolctl.stack.packet import DeliveryError
from smolctl.stack.ready import Waiter
from smolctl.wire.address import IPV4, IPV6, IPV6_MARK, Family

ANY = None
"""The address of a socket that is bound to no address."""
ERROR_QUEUE_LIMIT = 64


@dataclass(slots=True, eq=False, kw_only=True)
class SocketBase(Waiter):
    """One socket.

    Attributes:
        family: of its addresses. v6only: one of IPv6 speaks no IPv4; any other that is bound to no
            address speaks both (RFC 3493 3.7, 5.3).
        local, port: what it is bound to; ``ANY`` and 0 before.
        source: the source address of what it sends; None to have one selected. One that is bound to
            a group or a broadcast address only hears it (RFC 1122 3.2.1.3; Linux inet_saddr).
        dev: interface it is bound to, None for all.
        peer, peer_port: whom it is connected to; None when it is not.
        reuse: whether others that say so too may have the same port (Linux SO_REUSEADDR).
        reuseport: whether others of the same user that say so too may have the same port, and share
            what comes to it (Linux SO_REUSEPORT).
        errors: errors for what it sent, oldest first, at most ``ERROR_QUEUE_LIMIT``.
        owner: who opened it, for ``socket show``.
        pid: number of the process that opened it, where that is not the stack's own.
        mark: of what it sends, which rules may select (Linux SO_MARK).
        uid: of the user whose it is, which rules may select, too.
    """

    family: Family = IPV4
    v6only: bool = False
    local: int | None = ANY
    port: int = 0
    source: int | None = None
    dev: str | None = None
    peer: int | None = None
    peer_port: int | None = None
    reuse: bool = False
    reuseport: bool = False
    errors: deque[DeliveryError] = field(default_factory=deque)
    owner: str = ""
    pid: int | None = None
    mark: int = 0
    uid: int = 0

    def accepts(self, src: int, sport: int, dst: int, dev: str) -> bool:
        """Tell whether a packet to this socket's port is for it."""
        return (
            (self.local == dst or (self.local is ANY and self.speaks(dst)))
            and (self.dev is None or self.dev == dev)
            and (self.peer is None or (self.peer == src and self.peer_port == sport))
        )

    def precedence(self, dst: int) -> int:
        """Return how specific it is, of those with its address, for a packet to ``dst``.

        One of the packet's own family comes before one of IPv6 that speaks both (Linux
        ``compute_score`` of UDP).
        """
        return 2 * (self.dev is not None) + ((self.family is IPV6) == (dst >= IPV6_MARK))

    @property
    def shown_local(self) -> int:
        """Its address as it is shown; that of nobody where it has none."""
        return (self.family.mark if self.local is ANY else self.local) or 0

    def speaks(self, address: int) -> bool:
        """Tell whether it can send to an address, and hear it."""
        if address >= IPV6_MARK:
            return self.family is IPV6 and not (self.local is not ANY and self.local < IPV6_MARK)
        if self.local is not ANY and self.local >= IPV6_MARK:
            return False
        return self.family is IPV4 or not self.v6only

    def overlaps(self, other: "SocketBase") -> bool:
        """Tell whether some address is one of both."""
        if self.local is ANY and other.local is ANY:
            dual = not (self.v6only or other.v6only)
            return self.family is other.family or dual
        if self.local is ANY and other.local is not ANY:
            return self.speaks(other.local)
        return self.local == other.local if other.local is not ANY else other.overlaps(self)

    def meets(self, other: "SocketBase") -> bool:
        """Tell whether one packet may be for both, if they have the same port."""
        same_dev = self.dev is None or other.dev is None or self.dev == other.dev
        return same_dev and self.overlaps(other)

    def shares(self, other: "SocketBase") -> bool:
        """Tell whether both want to have the same port (Linux ``udp_lib_lport_inuse``)."""
        return (self.reuse and other.reuse) or self.shares_input(other)

    def shares_input(self, other: "SocketBase") -> bool:
        """Tell whether both want to share what comes to one port."""
        return self.reuseport and other.reuseport and self.uid == other.uid

    def alike(self, other: "SocketBase") -> bool:
        """Tell whether both are of one group of SO_REUSEPORT, as far as their address is the same.

        Source: Linux ``udp_reuseport_add_sock``, ``inet_reuseport_add_sock``.
        """
        return (
            self.shares_input(other) and self.family is other.family
            and self.v6only == other.v6only and self.dev == other.dev
        )  # fmt: skip

    def fail(self, error: DeliveryError) -> None:
        """Take an error for a packet that it sent."""
        if len(self.errors) < ERROR_QUEUE_LIMIT:
            self.errors.append(error)
        self.wake()

    def redirected(self, news: DeliveryError) -> None:
        """Nothing happens: a socket is not told (Linux ``__udp4_lib_err``)."""
