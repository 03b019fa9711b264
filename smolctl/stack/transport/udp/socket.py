"""UDP sockets."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from smolctl.stack.ip.groups import SourceFilter
from smolctl.stack.ip.protocol import NO_OPTIONS, Pmtudisc
from smolctl.stack.trace.facts import Bound
from smolctl.stack.transport.send_queue import SendQueue
from smolctl.stack.transport.socket_base import SocketBase
from smolctl.wire import ipv4_options
from smolctl.wire.address import IPV6_MARK, is_multicast
from smolctl.wire.ipv4_options import Outgoing

DATAGRAM_OVERHEAD = 64
"""Bytes a queued datagram counts beside its payload, so that empty ones are bounded too."""


class Datagram(NamedTuple):
    """A received datagram.

    Attributes:
        dev: interface it came in by; at_ns: when.
        tos: type of service, the byte that DSCP and ECN are in (RFC 1122 4.1.4).
        options: of its IPv4 header, with what this stack put into them (RFC 1122 4.1.3.2).
        ttl: TTL or hop limit; 0 unless its socket is ``detailed``.
    """

    payload: bytes
    src: int
    sport: int
    dst: int
    dport: int
    dev: str
    at_ns: int
    tos: int = 0
    options: bytes = b""
    ttl: int = 0


RawDatagram = tuple[bytes, int, int, int, int, str, int] | Datagram
"""The fields of a ``Datagram`` without the last, or, where these say something, a ``Datagram``.

It is what a queue holds, since it costs half as much to make.
"""


class SendFlow(Protocol):
    """A way of datagrams that the fast path remembers.

    Attributes:
        generation: the number of the configuration that it is true for.
    """

    generation: int

    def send(self, socket: "UdpSocket", payload: bytes, now: int) -> bool:
        """Send a datagram; False leaves it to the layered path, nothing done."""

    def send_many(self, socket: "UdpSocket", payloads: Sequence[bytes], now: int) -> int:
        """Send datagrams; return how many before the first that is left to the layered path."""


@dataclass(slots=True, eq=False)
class UdpSocket(SocketBase):
    """One socket.

    Attributes:
        rcvbuf: bound of the receive queue in bytes. sndbuf: bound of ``send_queue`` in bytes.
        pmtudisc: whether what it sends may be fragmented.
        ttl: of what it sends; None for the stack's default.
        tos: type of service of what it sends (RFC 1122 3.2.1.6).
        flow_label: of the IPv6 packets that it sends, None to have one made (RFC 6437).
        options: IP options of what it sends, as ``ipv4_options.outgoing`` takes them.
        broadcast: whether it may send to a broadcast address (RFC 1122 3.3.6).
        groups: what it wants of each group that it joined, by group and interface.
        multicast_all: it hears other groups, too, that anybody here has joined.
        multicast_ttl: of what it sends to a group; None for the stack's default.
        multicast_loop: whether members on this stack get what it sends to a group.
        multicast_dev: by which interface it sends to groups, None for whichever the routes say.
        detailed: it wants to know all of a datagram, which the fast path does not (IP_RECVTTL).
        multicast_src: from which address, when it is bound to none; None to choose one.
        send_queue: what cannot be sent yet and blocks the socket, None in an ordinary one.
        queue: received datagrams, oldest first.
        bound: what steps tell of it; None while it is bound to no port.
        flows: ways of the fast path by destination, valid for one configuration of the stack.
    """

    rcvbuf: int
    pmtudisc: Pmtudisc = Pmtudisc.WANT
    sndbuf: int = 212_992
    ttl: int | None = None
    tos: int = 0
    flow_label: int | None = None
    options: bytes = b""
    broadcast: bool = False
    groups: dict[tuple[int, str], SourceFilter] = field(default_factory=dict)
    multicast_all: bool = True
    multicast_ttl: int | None = None
    multicast_loop: bool = True
    multicast_dev: str | None = None
    multicast_src: int | None = None
    detailed: bool = False
    queue: deque[RawDatagram] = field(default_factory=deque)
    queue_bytes: int = 0
    drops: int = 0
    rx_datagrams: int = 0
    tx_datagrams: int = 0
    send_queue: SendQueue | None = None
    bound: Bound | None = None
    flows: dict[tuple[int, int, int | None], SendFlow] = field(default_factory=dict)

    def dev_to(self, dst: int) -> str | None:
        """Return by which interface it insists to send to ``dst``, None for any."""
        return self.dev or (self.multicast_dev if is_multicast(dst) else None)

    def options_to(self, dst: int) -> Outgoing:
        """Return the options of a packet to ``dst``; one of IPv6 has none of them."""
        if self.options and dst < IPV6_MARK:
            return ipv4_options.outgoing(self.options, dst)
        return NO_OPTIONS

    def hears(self, src: int, group: int, dev: str) -> bool:
        """Tell whether it wants what ``src`` sends to a group (Linux ip_mc_sf_allow)."""
        wanted = self.groups.get((group, dev))
        return self.multicast_all if wanted is None else wanted.allows(src)

    def has_room(self, payload: bytes) -> bool:
        """Tell whether a datagram fits into its queue; one fits into an empty queue always."""
        size = len(payload) + DATAGRAM_OVERHEAD
        return not self.queue or self.queue_bytes + size <= self.rcvbuf

    def take(self, datagram: RawDatagram) -> bool:
        """Queue a datagram and wake who reads it; False when there is no room for it."""
        queue_bytes = self.queue_bytes + len(datagram[0]) + DATAGRAM_OVERHEAD
        if queue_bytes > self.rcvbuf and self.queue:
            return False
        self.queue.append(datagram)
        self.queue_bytes = queue_bytes
        self.rx_datagrams += 1
        if not self.ready:
            self.wake()
        return True

    def receive(self) -> Datagram | None:
        """Take the oldest datagram, or None."""
        if not self.queue:
            return None
        raw = self.queue.popleft()
        self.queue_bytes -= len(raw[0]) + DATAGRAM_OVERHEAD
        return raw if isinstance(raw, Datagram) else tuple.__new__(Datagram, (*raw, 0, b"", 0))

    def receive_all(self) -> list[RawDatagram]:
        """Take all datagrams, oldest first, as plain tuples of ``Datagram``'s fields."""
        datagrams = list(self.queue)
        self.queue.clear()
        self.queue_bytes = 0
        return datagrams
