"""The fast path: plain UDP of a flow that the layered path has handled before.

The layered path decides; it leaves here what stays true until the configuration
changes: for an incoming flow its socket, for an outgoing one its way. ``Generation`` counts
the configurations, and a flow of an older one is not used. Whatever is not plain (options,
fragments, wrong checksums, full queues, an unsure neighbor, a traced packet) is left to the layered
path, so the two cannot differ in what they do: a property test holds them equal.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, repeat
from struct import Struct
from typing import Any, NamedTuple

from smolctl.stack.generation import Generation
from smolctl.stack.interface import OUTBOX_LIMIT, Interface, Medium
from smolctl.stack.ip import gateways
from smolctl.stack.ip.way import Way, WayType
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.neighbor.states import State
from smolctl.stack.packet import Packet
from smolctl.stack.transport.udp.socket import DATAGRAM_OVERHEAD, UdpSocket
from smolctl.stack.transport.udp.table import UdpTable
from smolctl.wire import ipv4
from smolctl.wire.address import IPV6_MARK, ZERO_MAC
from smolctl.wire.offload import virtio
from smolctl.wire.offload.run import HEADERS_LEN, Headers
from smolctl.wire.udp import HEADER_LEN, MAX_PAYLOAD

FLOWS_LIMIT = 65536
"""Flows remembered per interface and per socket; all are forgotten when there are more."""

_IN = Struct("!HHxxHxB")
"""Of IPv4: version, ihl and type of service; total_length, flags and offset, protocol."""
_KEY = Struct("!IIHHH")
"""What tells flows apart, as it stands in a frame: addresses, ports and UDP length."""
SENDABLE = frozenset({State.REACHABLE, State.DELAY, State.PROBE, State.PERMANENT})
"""Neighbor states that a use does not change: (state, USED) -> (state, SEND)."""


@dataclass(slots=True, eq=False)
class LocalFlow:
    """The way of one socket's datagrams to another socket of this stack.

    Nothing is lost by leaving the headers out: they would be built and checked in one go, as Linux
    does not sum what its loopback carries.

    Attributes:
        generation: the configuration it is true for.
        queue: what comes back by the loopback, which must not be overtaken.
        target: who gets them.
    """

    generation: int
    out: Interface
    queue: deque[Any]
    target: UdpSocket
    src: int
    sport: int
    dst: int
    dport: int
    max_payload: int

    def send(self, socket: UdpSocket, payload: bytes, now: int) -> bool:
        """Deliver a datagram; False leaves it to the layered path, nothing done."""
        target = self.target
        size = len(payload)
        queue_bytes = target.queue_bytes + size + DATAGRAM_OVERHEAD
        if queue_bytes > target.rcvbuf or size > self.max_payload or self.queue:
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
            target.wake()
        return True


@dataclass(slots=True, eq=False)
class EthernetFlow:
    """The way of one socket's datagrams to one destination by an Ethernet interface.

    Attributes:
        generation: the configuration it is true for.
        entry: the next hop's neighbor; its state is looked at for every datagram.
        headers: of the last datagram, for payloads of ``size`` bytes to ``lladdr``.
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
    headers: Headers | None = None
    size: int = -1
    lladdr: bytes | None = None

    def send(self, socket: UdpSocket, payload: bytes, now: int) -> bool:
        """Put a datagram into the outbox; False leaves it to the layered path, nothing done."""
        outbox, entry = self.out.outbox, self.entry
        if entry.state not in SENDABLE or len(outbox) >= OUTBOX_LIMIT:
            return False
        size = len(payload)
        if (size != self.size or entry.lladdr != self.lladdr) and not self._prepare(size):
            return False
        outbox.append((self.headers, payload))  # type: ignore[arg-type]  # _prepare made them
        entry.used_ns = now
        socket.tx_datagrams += 1
        return True

    def send_many(self, socket: UdpSocket, payloads: Sequence[bytes], now: int) -> int:
        """Put datagrams into the outbox; return how many before the first that is not plain."""
        outbox, entry, sent = self.out.outbox, self.entry, 0
        if entry.state not in SENDABLE or len(outbox) + len(payloads) > OUTBOX_LIMIT:
            return 0
        for size, group in groupby(payloads, len):
            if (size != self.size or entry.lladdr != self.lladdr) and not self._prepare(size):
                break
            before = len(outbox)
            outbox.extend(zip(repeat(self.headers), group))  # type: ignore[arg-type]
            sent += len(outbox) - before
        if sent:
            entry.used_ns = now
            socket.tx_datagrams += sent
        return sent

    def _prepare(self, size: int) -> bool:
        """Pack headers for another size or MAC; False when the layered path must say why not."""
        lladdr = self.entry.lladdr
        if size > self.max_payload or lladdr is None:
            return False
        self.headers = Headers(
            (lladdr, self.out.mac), self.src, self.dst, self.sport, self.dport, self.ttl, size
        )
        self.size, self.lladdr = size, lladdr
        return True


@dataclass(slots=True, eq=False)
class IngressFlow:
    """A flow of datagrams of one size that the layered path has delivered before.

    Attributes:
        socket: who gets them.
        end: length of a frame without padding, the device's headroom included.
        cost: what one counts in the socket's queue.
        sum: one's complement sum of the pseudo header.
        head, middle: what stands before and behind the ident of a frame that passed every check of
            the layered path; see ``_FRAMES``.
        varying: what ident and header checksum of it sum to; the same sum means a right header
            checksum again.
        partial: whether the UDP checksum of such a frame is not there yet: nobody need look at it.
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
    varying: int = -1
    partial: bool = False


_FRAMES = {headroom: Struct(f"!{headroom + 18}sH4sH14s") for headroom in (0, virtio.HEADER_LEN)}
"""A frame with some bytes in front of it, up to its UDP checksum: what is in front, Ethernet header
and IPv4 header up to the total length | ident | flags to protocol | header checksum | what tells
flows apart: addresses, ports and UDP length. Linux changes ident and header checksum from one
datagram of a connected socket to the next."""


def learn_output(
    udp: UdpTable, socket: UdpSocket, way: Way, dport: int, ttl: int, asked_src: int | None
) -> None:
    """Remember the way of a datagram that the layered path just sent.

    Args:
        asked_src: the source address the sender asked for with this datagram, if any.
    """
    out, src, dst = way.interface, way.src, way.dst
    if (
        (udp.recorder.journal.everything or src is None)
        or dst >= IPV6_MARK
        or not out.carrier
        or out.impairment is not None
        or out.vlan is not None
        or way.type not in _PLAIN_WAYS
        or not socket.pmtudisc.df(locked=way.locked)  # as shared headers have
    ):
        return
    if len(socket.flows) >= FLOWS_LIMIT:
        socket.flows.clear()
    net = udp.networks.for_address(dst)
    limit = min(way.mtu - net.header_len - HEADER_LEN, MAX_PAYLOAD)
    generation, sport = udp.generation.number, socket.port
    if out.medium is Medium.IP:
        target = udp.lookup(src, sport, dst, dport, out.name)
        if target is not None and way.type is WayType.LOCAL:
            socket.flows[dst, dport, asked_src] = LocalFlow(
                generation, out, net.loopback.queue, target, src, sport, dst, dport, limit
            )
        return
    entry = net.neighbors[out.name].lookup(way.next_hop)
    if entry is not None:
        if way.route is not None:
            gateways.watch(net, dst, way.route)
        socket.flows[dst, dport, asked_src] = EthernetFlow(
            generation, out, entry, src, sport, dst, dport, ttl, limit
        )


def learn_input(udp: UdpTable, socket: UdpSocket, packet: Packet) -> None:
    """Remember the socket of a unicast datagram that the layered path just delivered."""
    if udp.recorder.journal.everything or packet.header.dst >= IPV6_MARK:
        return
    interface, header, parsed = packet.interface, packet.header, packet.message
    flows, generation = interface.flows, udp.generation.number
    if interface.flows_generation != generation or len(flows) >= FLOWS_LIMIT:
        flows.clear()
        interface.flows_generation = generation
    src, dst = header.src, header.dst
    sport, dport, length = parsed.sport, parsed.dport, parsed.length
    if header.total_length != length + ipv4.MIN_HEADER_LEN or header.options or header.dscp_ecn:
        return
    flows[_KEY.pack(src, dst, sport, dport, length)] = IngressFlow(
        socket,
        src,
        sport,
        dst,
        dport,
        interface.headroom + length + 34,
        length - HEADER_LEN + DATAGRAM_OVERHEAD,
        src + dst + ipv4.Protocol.UDP + length,
    )


_PLAIN_WAYS = (WayType.UNICAST, WayType.LOCAL)


class Destination(NamedTuple):
    """The destination of datagrams of one socket.

    Attributes:
        src: source address that they ask for, None for the socket's.
    """

    dst: int
    port: int
    src: int | None = None


def udp_send_many(
    generation: int, socket: UdpSocket, payloads: Sequence[bytes], to: Destination, now: int
) -> int:
    """Send datagrams to one destination as long as there is nothing to decide.

    Args:
        generation: the number of the stack's configuration.

    Returns: how many were sent; ``Udp.send`` is for the next one, which is untouched.
    """
    flow = socket.flows.get(to)
    if flow is None or flow.generation != generation:
        return 0
    if len(payloads) == 1:
        return int(flow.send(socket, payloads[0], now))
    return flow.send_many(socket, payloads, now) if isinstance(flow, EthernetFlow) else 0


def frames_input(
    generation: Generation,
    interface: Interface,
    frames: Iterable[bytes],
    now: int,
    otherwise: Callable[[Interface, bytes, int], None],
) -> None:
    """Take a batch of Ethernet frames in order: plain UDP of known flows is delivered here.

    Args:
        frames: with ``interface.headroom`` bytes in front of each.
        otherwise: the layered path, for every other frame.
    """
    packets = total = 0
    counters, name, flows = interface.counters, interface.name, interface.flows
    headroom = interface.headroom
    unpack_from = _FRAMES[headroom].unpack_from
    payload_at = HEADERS_LEN + headroom
    fresh = interface.flows_generation == generation.number
    try:
        for frame in frames:
            packets += 1
            size = len(frame)
            total += size
            if fresh and size >= payload_at:
                head, ident, middle, checksum, key = unpack_from(frame)
                flow = flows.get(key)
                if flow is not None:
                    socket = flow.socket
                    queue_bytes = socket.queue_bytes + flow.cost
                    end = flow.end
                    if (
                        queue_bytes <= socket.rcvbuf
                        and size >= end
                        and (
                            (
                                head == flow.head
                                and middle == flow.middle
                                and (ident + checksum) % 0xFFFF == flow.varying
                            )
                            or _right_header(interface, frame, flow)
                        )
                        and (size == end if flow.partial else _right_sum(frame, flow, headroom))
                    ):
                        socket.queue.append(
                            (frame[payload_at:end], flow.src, flow.sport, flow.dst, flow.dport,
                             name, now)
                        )  # fmt: skip
                        socket.queue_bytes = queue_bytes
                        socket.rx_datagrams += 1
                        if not socket.ready:
                            socket.wake()
                        continue
            otherwise(interface, frame, now)
            fresh = interface.flows_generation == generation.number
    finally:
        counters.rx_packets += packets
        counters.rx_bytes += total - packets * headroom


def _right_sum(frame: bytes, flow: IngressFlow, headroom: int) -> bool:
    """Tell whether the UDP checksum is right; also when it is zero, and the sum happens to be."""
    end = flow.end
    body = int.from_bytes(frame[34 + headroom : end])
    return ((body << 8 if end & 1 else body) + flow.sum) % 0xFFFF == 0


def _right_header(interface: Interface, frame: bytes, flow: IngressFlow) -> bool:
    """Apply the layered path's checks to a frame's headers and remember what passed them."""
    headroom = interface.headroom
    if frame[:headroom] not in _UNSEGMENTED or not is_plain(interface, frame, flow.end):
        return False
    flow.head, ident, flow.middle, checksum, _ = _FRAMES[headroom].unpack_from(frame)
    flow.varying = (ident + checksum) % 0xFFFF
    flow.partial = frame[:headroom] == virtio.UDP_CSUM
    return True


_UNSEGMENTED = frozenset({b"", virtio.PLAIN, virtio.VERIFIED, virtio.UDP_CSUM})
"""What may be in front of a frame that is taken as it is."""


def is_plain(interface: Interface, frame: bytes, end: int) -> bool:
    """Tell whether all headers of a frame but UDP's are right and unremarkable.

    Args:
        end: length of the frame without padding, headroom included.
    """
    headroom = interface.headroom
    at = headroom + 14
    first, total_length, fragment, protocol = _IN.unpack_from(frame, at)
    dst, src = frame[headroom : headroom + 6], frame[headroom + 6 : headroom + 12]
    return (
        interface.up
        and dst == interface.mac
        and frame[headroom + 12 : at] == b"\x08\0"
        and not src[0] & 1
        and src not in (interface.mac, ZERO_MAC)
        and first == 0x4500  # what is known of the flow says nothing of a type of service
        and total_length + at == end
        and not fragment & 0x3FFF
        and protocol == ipv4.Protocol.UDP
        and not int.from_bytes(frame[at : at + 20]) % 0xFFFF
    )


_PAYLOAD_AT = virtio.HEADER_LEN + HEADERS_LEN


def segments_input(generation: int, interface: Interface, data: bytes, now: int) -> int:
    """Deliver the datagrams of a super-packet whose flow is known, all or none.

    Args:
        generation: the number of the stack's configuration.
        data: with a virtio header in front.

    Returns: how many they are; 0 leaves them to the layered path, nothing done.
    """
    size = virtio.segment_size(data)
    if not size or interface.flows_generation != generation:
        return 0
    flow = interface.flows.get(data[36:48] + (size + HEADER_LEN).to_bytes(2))
    if flow is None or not is_plain(interface, data, len(data)):
        return 0
    socket, end = flow.socket, len(data)
    payloads = [data[at : at + size] for at in range(_PAYLOAD_AT, end, size)]
    queue_bytes = socket.queue_bytes + end - _PAYLOAD_AT + len(payloads) * DATAGRAM_OVERHEAD
    if queue_bytes > socket.rcvbuf:
        return 0
    src, sport, dst, dport, name = flow.src, flow.sport, flow.dst, flow.dport, interface.name
    socket.queue.extend([(each, src, sport, dst, dport, name, now) for each in payloads])
    socket.queue_bytes = queue_bytes
    socket.rx_datagrams += len(payloads)
    if not socket.ready:
        socket.wake()
    return len(payloads)
