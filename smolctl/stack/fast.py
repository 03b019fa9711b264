"""The fast path: plain UDP of a flow that the layered path has handled before.

The layered path (ingress, egress) decides; it leaves here what stays true until the configuration
changes: for an incoming flow its socket, for an outgoing one its way. ``Stack.generation`` counts
the configurations, and a flow of an older one is not used. Whatever is not plain (options,
fragments, wrong checksums, full queues, an unsure neighbor, a traced packet) is left to the layered
path, so the two cannot differ in what they do: a property test holds them equal.
"""

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

from smolctl.stack.interface import OUTBOX_LIMIT, Interface, Medium
from smolctl.stack.neighbor_entry import Neighbor
from smolctl.stack.neighbor_state import State
from smolctl.stack.udp_socket import DATAGRAM_OVERHEAD, Datagram, UdpSocket
from smolctl.wire import addr, ipv4, udp

if TYPE_CHECKING:
    from smolctl.stack.decide import Decision
    from smolctl.stack.stack import Stack

FLOWS_LIMIT = 65536
"""Flows remembered per interface and per socket; all are forgotten when there are more."""

_IN = Struct("!BxHxxHxBxx12xHH")
"""Of IPv4 and UDP: version/ihl, total_length, flags/offset, protocol, UDP length and checksum."""
_OUT = Struct("!14sHHHHBBHIIHHHH")
_KEY = Struct("!IIHH")
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
            _new(
                Datagram,
                (payload, self.src, self.sport, self.dst, self.dport, self.out.name, now),
            )
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

    Attributes:
        generation: the configuration it is true for.
        entry: the next hop's neighbor; its state is looked at for every datagram.
        ip_sum: one's complement sum of the IPv4 header without its length.
        udp_sum: sum of pseudo header and ports, without the lengths.
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
    ip_sum: int
    udp_sum: int

    def send(self, stack: "Stack", socket: UdpSocket, payload: bytes, now: int) -> bool:
        """Put a frame into the outbox; False leaves it to the layered path, nothing done."""
        out, entry = self.out, self.entry
        size = len(payload)
        lladdr = entry.lladdr
        outbox = out.outbox
        if (
            entry.state not in _SENDABLE
            or lladdr is None
            or size > self.max_payload
            or len(outbox) >= OUTBOX_LIMIT
        ):
            return False
        total_length = size + 28
        udp_length = size + 8
        number = int.from_bytes(payload)
        if size & 1:
            number <<= 8
        outbox.append(
            _OUT.pack(
                lladdr + out.mac + b"\x08\0",
                0x4500,
                total_length,
                0,
                _DF,
                self.ttl,
                17,
                -(self.ip_sum + total_length) % 0xFFFF,
                self.src,
                self.dst,
                self.sport,
                self.dport,
                udp_length,
                # RFC 768: a computed zero is sent as all ones.
                -(number + self.udp_sum + udp_length + udp_length) % 0xFFFF or 0xFFFF,
            )
            + payload
        )
        entry.used_ns = now
        socket.tx_datagrams += 1
        return True


EgressFlow = LocalFlow | EthernetFlow


@dataclass(slots=True, eq=False)
class IngressFlow:
    """A flow the layered path delivered before.

    Attributes:
        socket: who gets it.
        base_sum: source, destination and protocol for UDP's pseudo header.
        link_header: the 14 bytes of Ethernet header that were found right, b"" before.
    """

    socket: UdpSocket
    src: int
    sport: int
    dst: int
    dport: int
    base_sum: int
    link_header: bytes = b""


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
    if src is None or decision.type not in ("unicast", "local"):
        return
    if len(socket.flows) >= FLOWS_LIMIT:
        socket.flows.clear()
    limit = min(decision.mtu - ipv4.MIN_HEADER_LEN - udp.HEADER_LEN, udp.MAX_PAYLOAD)
    generation, sport = stack.generation, socket.port
    if out.medium is Medium.IP:
        target = stack.udp.lookup(src, sport, dst, dport, out.name)
        if target is not None and decision.type == "local":
            socket.flows[dst, dport, asked_src] = LocalFlow(
                generation, out, target, src, sport, dst, dport, limit
            )
        return
    entry = stack.neighbors[out.name].lookup(decision.next_hop)
    if entry is not None:
        ip_sum = 0x4500 + _DF + (ttl << 8) + ipv4.Protocol.UDP + src + dst
        udp_sum = ipv4.Protocol.UDP + src + dst + sport + dport
        socket.flows[dst, dport, asked_src] = EthernetFlow(
            generation, out, entry, src, sport, dst, dport, ttl, limit, ip_sum, udp_sum
        )


def learn_ingress(
    stack: "Stack",
    interface: Interface,
    socket: UdpSocket,
    header: ipv4.Ipv4Header,
    parsed: udp.UdpHeader,
) -> None:
    """Remember the socket of a unicast datagram that the layered path just delivered."""
    flows = interface.flows
    if interface.flows_generation != stack.generation or len(flows) >= FLOWS_LIMIT:
        flows.clear()
        interface.flows_generation = stack.generation
    key = _KEY.pack(header.src, header.dst, parsed.sport, parsed.dport)
    flows[key] = IngressFlow(
        socket,
        header.src,
        parsed.sport,
        header.dst,
        parsed.dport,
        header.src + header.dst + ipv4.Protocol.UDP,
    )


def frame_input(stack: "Stack", interface: Interface, frame: bytes, now: int) -> bool:
    """Deliver an Ethernet frame of a known flow; False leaves it to the layered path."""
    flow = interface.flows.get(frame[26:38])
    if flow is None or interface.flows_generation != stack.generation:
        return False
    if frame[:14] != flow.link_header and not _right_link_header(interface, frame, flow):
        return False
    return _deliver(stack, interface, flow, frame, now)


def _right_link_header(interface: Interface, frame: bytes, flow: IngressFlow) -> bool:
    """Apply the checks of ``ingress.frame_input`` and remember a header that passes them."""
    source = frame[6:12]
    if (
        not interface.up
        or frame[:6] != interface.mac
        or frame[12:14] != b"\x08\0"
        or source[0] & 1
        or source in (interface.mac, addr.ZERO_MAC)
    ):
        return False
    flow.link_header = frame[:14]
    return True


def _deliver(
    stack: "Stack", interface: Interface, flow: IngressFlow, frame: bytes, now: int
) -> bool:
    """Check what the layered path would check, and queue the datagram."""
    if len(frame) < 42:
        return False
    first, total_length, fragment, protocol, udp_length, checksum = _IN.unpack_from(frame, 14)
    end = total_length + 14
    if (
        first != 0x45
        or fragment & 0x3FFF
        or protocol != 17
        or udp_length < 8
        or total_length != udp_length + 20
        or end > len(frame)
        or int.from_bytes(frame[14:34]) % 0xFFFF
    ):
        return False
    if checksum:
        number = int.from_bytes(frame[34:end])
        if udp_length & 1:
            number <<= 8
        if (number + flow.base_sum + udp_length) % 0xFFFF:
            return False
    socket = flow.socket
    queue_bytes = socket.queue_bytes + udp_length + (DATAGRAM_OVERHEAD - 8)
    if queue_bytes > socket.rcvbuf:
        return False
    socket.queue.append(
        _new(
            Datagram,
            (frame[42:end], flow.src, flow.sport, flow.dst, flow.dport, interface.name, now),
        )
    )
    socket.queue_bytes = queue_bytes
    socket.rx_datagrams += 1
    if not socket.ready:
        stack.wake(socket)
    return True


_new = tuple.__new__
