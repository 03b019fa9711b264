"""The fast path: plain UDP of a flow that the layered path has handled before.

The layered path (ingress, egress) decides; it leaves here what stays true until the configuration
changes: for an incoming flow its socket, for an outgoing one its way. ``Stack.generation`` counts
the configurations, and a flow of an older one is not used. Whatever is not plain (options,
fragments, wrong checksums, full queues, an unsure neighbor, a traced packet) is left to the layered
path, so the two cannot differ in what they do: a property test holds them equal.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from struct import Struct
from typing import TYPE_CHECKING

from smolctl.stack.interface import OUTBOX_LIMIT, Interface, Medium
from smolctl.stack.neighbor_entry import Neighbor
from smolctl.stack.neighbor_state import State
from smolctl.stack.udp_socket import DATAGRAM_OVERHEAD, UdpSocket
from smolctl.wire import addr, ipv4, udp

if TYPE_CHECKING:
    from smolctl.stack.decide import Decision
    from smolctl.stack.stack import Stack

FLOWS_LIMIT = 65536
"""Flows remembered per interface and per socket; all are forgotten when there are more."""

_IN = Struct("!BxHxxHxB")
"""Of IPv4: version and ihl, total_length, flags and offset, protocol."""
_PREFIX = Struct("!6s6sHHHHHBBHIIHHH")
_KEY = Struct("!IIHHH")
"""What tells flows apart, as it stands in a frame: addresses, ports and UDP length."""
_DF = 0x4000
_SENDABLE = frozenset({State.REACHABLE, State.DELAY, State.PROBE, State.PERMANENT})
"""Neighbor states that a use does not change: (state, USED) -> (state, SEND)."""


@dataclass(slots=True, eq=False)
class LocalFlow:
    """The way of one socket's datagrams to another socket of this stack.

    Nothing is lost by leaving the headers out: they would be built and checked in one go, as Linux
    does not sum what its loopback carries.

    Attributes:
        generation: the configuration it is true for.
        target: who gets them.
    """

    generation: int
    out: Interface
    target: UdpSocket
    src: int
    sport: int
    dst: int
    dport: int
    max_payload: int

    def send(self, stack: "Stack", socket: UdpSocket, payload: bytes, now: int) -> bool:
        """Deliver a datagram; False leaves it to the layered path, nothing done."""
        target = self.target
        size = len(payload)
        queue_bytes = target.queue_bytes + size + DATAGRAM_OVERHEAD
        if queue_bytes > target.rcvbuf or size > self.max_payload or stack.loop:
            return False
        target.queue.append(
            (payload, self.src, self.sport, self.dst, self.dport, self.out.name, now)
        )
        target.queue_bytes = queue_bytes
        target.rx_datagrams += 1
        socket.tx_datagrams += 1
        counters = self.out.counters
        counters.looped_packets += 1
        counters.looped_bytes += size + 28
        if not target.ready:
            stack.wake(target)
        return True


@dataclass(slots=True, eq=False)
class EthernetFlow:
    """The way of one socket's datagrams to one destination by an Ethernet interface.

    With DF set and ident 0 (RFC 6864 4.1) everything before the UDP checksum is the same in all
    datagrams of one size, so it is packed once and kept.

    Attributes:
        generation: the configuration it is true for.
        entry: the next hop's neighbor; its state is looked at for every datagram.
        prefix: the 40 bytes before the checksum, for payloads of ``size`` bytes to ``lladdr``.
        sum: one's complement sum of pseudo header, ports and lengths for that size.
    """

    generation: int
    out: Interface
    entry: Neighbor
    src: int
    sport: int
    dst: int
    dport: int
    ttl: int
    max_payload: int
    prefix: bytes = b""
    size: int = -1
    lladdr: bytes | None = None
    sum: int = 0

    def send(self, stack: "Stack", socket: UdpSocket, payload: bytes, now: int) -> bool:
        """Put a frame into the outbox; False leaves it to the layered path, nothing done."""
        outbox, entry = self.out.outbox, self.entry
        if entry.state not in _SENDABLE or len(outbox) >= OUTBOX_LIMIT:
            return False
        size = len(payload)
        if (size != self.size or entry.lladdr != self.lladdr) and not self._prepare(size):
            return False
        number = int.from_bytes(payload)
        if size & 1:
            number <<= 8
        # RFC 768: a computed zero is sent as all ones.
        checksum = -(number + self.sum) % 0xFFFF or 0xFFFF
        outbox.append(self.prefix + checksum.to_bytes(2) + payload)
        entry.used_ns = now
        socket.tx_datagrams += 1
        return True

    def send_back(self, socket: UdpSocket, frame: bytes, end: int, now: int) -> bool:
        """Send a frame's datagram back to where it came from; False leaves it to the layered path.

        Addresses and ports change places, which leaves the checksum as it was.
        """
        outbox, entry = self.out.outbox, self.entry
        if entry.state not in _SENDABLE or len(outbox) >= OUTBOX_LIMIT:
            return False
        size = end - 42
        if (size != self.size or entry.lladdr != self.lladdr) and not self._prepare(size):
            return False
        outbox.append(self.prefix + frame[40:end])
        entry.used_ns = now
        socket.rx_datagrams += 1
        socket.tx_datagrams += 1
        return True

    def _prepare(self, size: int) -> bool:
        """Pack the prefix for another size or MAC; False when the layered path must say why not."""
        lladdr = self.entry.lladdr
        if size > self.max_payload or lladdr is None:
            return False
        udp_length = size + udp.HEADER_LEN
        total_length = udp_length + ipv4.MIN_HEADER_LEN
        addresses = self.src + self.dst
        ip_sum = 0x4500 + total_length + _DF + (self.ttl << 8) + ipv4.Protocol.UDP + addresses
        self.prefix = _PREFIX.pack(
            lladdr, self.out.mac, 0x0800, 0x4500, total_length, 0, _DF, self.ttl,
            ipv4.Protocol.UDP, -ip_sum % 0xFFFF, self.src, self.dst, self.sport, self.dport,
            udp_length,
        )  # fmt: skip
        self.sum = ipv4.Protocol.UDP + addresses + self.sport + self.dport + 2 * udp_length
        self.size, self.lladdr = size, lladdr
        return True


EgressFlow = LocalFlow | EthernetFlow


@dataclass(slots=True, eq=False)
class IngressFlow:
    """A flow of datagrams of one size that the layered path has delivered before.

    Attributes:
        socket: who gets them.
        end: length of a frame without padding.
        cost: what one counts in the socket's queue.
        sum: one's complement sum of the pseudo header.
        head, middle: bytes 0..17 and 20..23 of a frame that passed every check of the layered path;
            between and behind them are ident and header checksum, which Linux changes from one
            datagram of a connected socket to the next.
        reply: the way back, for a socket that echoes.
        header_sum: what bytes 18..25 of it sum to; the same sum means a right header checksum.
    """

    socket: UdpSocket
    src: int
    sport: int
    dst: int
    dport: int
    end: int
    cost: int
    sum: int
    head: bytes = b""
    middle: bytes = b""
    header_sum: int = -1
    reply: EthernetFlow | None = None


def learn_egress(
    stack: "Stack",
    socket: UdpSocket,
    decision: "Decision",
    dport: int,
    ttl: int,
    asked_src: int | None,
) -> None:
    """Remember the way of a datagram that the layered path just sent.

    Args:
        asked_src: the source address the sender asked for with this datagram, if any.
    """
    out, src, dst = decision.interface, decision.src, decision.dst
    if (
        stack.journal.everything
        or src is None
        or not out.carrier
        or decision.type not in ("unicast", "local")
    ):
        return
    if len(socket.flows) >= FLOWS_LIMIT:
        socket.flows.clear()
    limit = min(decision.mtu - ipv4.MIN_HEADER_LEN - udp.HEADER_LEN, udp.MAX_PAYLOAD)
    generation, sport = stack.generation, socket.port
    if out.medium is Medium.IP:
        target = stack.udp.lookup(src, sport, dst, dport, out.name)
        if target is not None and not target.echo and decision.type == "local":
            socket.flows[dst, dport, asked_src] = LocalFlow(
                generation, out, target, src, sport, dst, dport, limit
            )
        return
    entry = stack.neighbors[out.name].lookup(decision.next_hop)
    if entry is not None:
        socket.flows[dst, dport, asked_src] = EthernetFlow(
            generation, out, entry, src, sport, dst, dport, ttl, limit
        )


def learn_ingress(
    stack: "Stack",
    interface: Interface,
    socket: UdpSocket,
    header: ipv4.Ipv4Header,
    parsed: udp.UdpHeader,
) -> None:
    """Remember the socket of a unicast datagram that the layered path just delivered."""
    if stack.journal.everything:
        return
    flows = interface.flows
    if interface.flows_generation != stack.generation or len(flows) >= FLOWS_LIMIT:
        flows.clear()
        interface.flows_generation = stack.generation
    src, dst, sport, dport, length, _ = header.src, header.dst, *parsed
    if header.total_length != length + ipv4.MIN_HEADER_LEN or header.options:
        return
    flow = flows[_KEY.pack(src, dst, sport, dport, length)] = IngressFlow(
        socket,
        src,
        sport,
        dst,
        dport,
        length + 34,
        length - udp.HEADER_LEN + DATAGRAM_OVERHEAD,
        src + dst + ipv4.Protocol.UDP + length,
    )
    if socket.echo:
        reply = socket.flows.get((src, sport, dst))
        if isinstance(reply, EthernetFlow) and reply.generation == stack.generation:
            # One of its own, because what it has packed is for one size.
            flow.reply = replace(reply)


def frames_input(
    stack: "Stack",
    interface: Interface,
    frames: Iterable[bytes],
    now: int,
    otherwise: "Callable[[Stack, Interface, bytes, int], None]",
) -> None:
    """Take a batch of Ethernet frames in order: plain UDP of known flows is delivered here.

    Args:
        otherwise: the layered path, for every other frame.
    """
    packets = total = 0
    counters, name, flows = interface.counters, interface.name, interface.flows
    fresh = interface.flows_generation == stack.generation
    try:
        for frame in frames:
            packets += 1
            size = len(frame)
            total += size
            flow = flows.get(frame[26:40])
            if flow is not None and fresh:
                end = flow.end
                body = int.from_bytes(frame[34:end])
                socket = flow.socket
                queue_bytes = socket.queue_bytes + flow.cost
                reply = flow.reply
                if (
                    ((body << 8 if end & 1 else body) + flow.sum) % 0xFFFF == 0
                    and size >= end
                    and queue_bytes <= socket.rcvbuf
                    and (reply is not None or not socket.echo)
                    and (
                        (
                            frame[:18] == flow.head
                            and frame[20:24] == flow.middle
                            and int.from_bytes(frame[18:26]) % 0xFFFF == flow.header_sum
                        )
                        or _right_header(interface, frame, flow)
                    )
                ):
                    if reply is not None:
                        # No checksum (zero) is none to send back.
                        if frame[40:42] != b"\0\0" and reply.send_back(socket, frame, end, now):
                            continue
                        otherwise(stack, interface, frame, now)
                        continue
                    socket.queue.append(
                        (frame[42:end], flow.src, flow.sport, flow.dst, flow.dport, name, now)
                    )
                    socket.queue_bytes = queue_bytes
                    socket.rx_datagrams += 1
                    if not socket.ready:
                        stack.wake(socket)
                    continue
            otherwise(stack, interface, frame, now)
            fresh = interface.flows_generation == stack.generation
    finally:
        counters.rx_packets += packets
        counters.rx_bytes += total


def _right_header(interface: Interface, frame: bytes, flow: IngressFlow) -> bool:
    """Apply the layered path's checks to a frame's headers and remember what passed them."""
    first, total_length, fragment, protocol = _IN.unpack_from(frame, 14)
    if (
        not interface.up
        or frame[:6] != interface.mac
        or frame[12:14] != b"\x08\0"
        or frame[6] & 1
        or frame[6:12] in (interface.mac, addr.ZERO_MAC)
        or first != 0x45
        or total_length + 14 != flow.end
        or fragment & 0x3FFF
        or protocol != ipv4.Protocol.UDP
        or int.from_bytes(frame[14:34]) % 0xFFFF
    ):
        return False
    flow.head, flow.middle = frame[:18], frame[20:24]
    flow.header_sum = int.from_bytes(frame[18:26]) % 0xFFFF
    return True
