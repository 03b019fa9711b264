"""The base of sockets: what they are bound to, and their queue of errors."""

from collections import deque
from dataclasses import dataclass, field

from smolctl.stack.packet import DeliveryError
from smolctl.stack.ready import Waiter
from smolctl.wire.address import Family, family_of

ANY = None
"""The address of a socket that is bound to no address."""
ERROR_QUEUE_LIMIT = 64


@dataclass(slots=True, eq=False, kw_only=True)
class SocketBase(Waiter):
    """One socket.

    Attributes:
        family: the only one that it hears while it is bound to no address; None for both (RFC 3493
            5.3: an IPv6 socket without IPV6_V6ONLY).
        local, port: what it is bound to; ``ANY`` and 0 before.
        source: the source address of what it sends; None to have one selected. One that is bound to
            a group or a broadcast address only hears it (RFC 1122 3.2.1.3; Linux inet_saddr).
        dev: interface it is bound to, None for all.
        peer, peer_port: whom it is connected to; None when it is not.
        reuse: whether others that say so too may have the same port (Linux SO_REUSEADDR).
        errors: errors for what it sent, oldest first, at most ``ERROR_QUEUE_LIMIT``.
        owner: who opened it, for ``socket show``.
        pid: number of the process that opened it, where that is not the stack's own.
    """

    family: Family | None = None
    local: int | None = ANY
    port: int = 0
    source: int | None = None
    dev: str | None = None
    peer: int | None = None
    peer_port: int | None = None
    reuse: bool = False
    errors: deque[DeliveryError] = field(default_factory=deque)
    owner: str = ""
    pid: int | None = None

    def accepts(self, src: int, sport: int, dst: int, dev: str) -> bool:
        """Tell whether a packet to this socket's port is for it."""
        return (
            (self.local == dst or (self.local is ANY and self.family in (None, family_of(dst))))
            and (self.dev is None or self.dev == dev)
            and (self.peer is None or (self.peer == src and self.peer_port == sport))
        )

    def shares(self, other: "SocketBase") -> bool:
        """Tell whether some packets are for both, by the addresses that they are bound to."""
        if self.local is not ANY and other.local is not ANY:
            return self.local == other.local
        mine, theirs = self.bound_family, other.bound_family
        return mine is None or theirs is None or mine is theirs

    @property
    def bound_family(self) -> Family | None:
        """The family of all that it hears; None for both."""
        return self.family if self.local is ANY else family_of(self.local)

    def fail(self, error: DeliveryError) -> None:
        """Take an error for a packet that it sent."""
        if len(self.errors) < ERROR_QUEUE_LIMIT:
            self.errors.append(error)
        self.wake()

    def redirected(self, news: DeliveryError) -> None:
        """Nothing happens: a socket is not told (Linux ``__udp4_lib_err``)."""
