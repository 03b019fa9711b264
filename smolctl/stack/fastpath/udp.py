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

from smolctl.stack.fastpath.headers import MakeHeaders, headers_of, room
from smolctl.stack.generation import Generation
from smolctl.stack.interface import OUTBOX_LIMIT, Interface, Medium
from smolctl.stack.ip import gateways
from smolctl.stack.ip.way import Way, WayType
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.neighbor.states import SENDABLE
from smolctl.stack.packet import Packet
from smolctl.stack.transport.udp.socket import DATAGRAM_OVERHEAD, SendFlow, UdpSocket
from smolctl.stack.transport.udp.table import UdpTable
from smolctl.wire import ethernet, ipv4, ipv6
from smolctl.wire.address import IPV6_MARK, ZERO_MAC, packed
from smolctl.wire.checksum import pseudo_header_sum
from smolctl.wire.offload import virtio
from smolctl.wire.offload.run import HEADERS_LEN, Headers
from smolctl.wire.udp import HEADER_LEN
from smolctl.wire.vlan import TAG_LEN

FLOWS_LIMIT = 65536
"""Flows remembered per interface and per socket; all are forgotten when there are more."""

_IN = Struct("!HHxxHxB")
"""Of IPv4: version, ihl and type of service; total_length, flags and offset, protocol."""
_KEY_END = Struct("!HHH")
"""Fields that tell flows apart beside the addresses, as in a frame: ports and UDP length."""
_IN6 = Struct("!IHB")
"""Of IPv6: version, traffic class and flow label; payload length; next header."""
_TYPE_AT = ethernet.HEADER_LEN - 1
_SIX = ethernet.EtherType.IPV6 & 0xFF
"""Place of the family in a frame, and its value for IPv6: the last byte of the ethertype."""
_ADDRESSES6_AT, _CHECKSUM6_AT = 22, 60
"""Of IPv6 in a frame: the addresses begin, and the UDP checksum; all between tells flows apart."""


@dataclass(slots=True, eq=False)
class LocalFlow:
    """The way of one socket's datagrams to another socket of this stack.

    Nothing is lost by leaving the headers out: they would be built and checked in one go, as Linux
    does not sum what its loopback carries.

    Attributes:
        generation: the configuration it is true for.
        queue: what comes back by the loopback, which must not be overtaken.
        target: who gets them.
        headers_len: bytes of the headers that are left out.
        dev: the interface by which sockets see it come in.
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
    headers_len: int
    dev: str

    def send(self, socket: UdpSocket, payload: bytes, now: int) -> bool:
        """Deliver a datagram; False leaves it to the layered path, nothing done."""
        target = self.target
        size = len(payload)
        queue_bytes = target.queue_bytes + size + DATAGRAM_OVERHEAD
        if queue_bytes > target.rcvbuf or size > self.max_payload or self.queue:
            return False
        target.queue.append((payload, self.src, self.sport, self.dst, self.dport, self.dev, now))
        target.queue_bytes = queue_bytes
        target.rx_datagrams += 1
        socket.tx_datagrams += 1
        counters = self.out.counters
        counters.looped_packets += 1
        counters.looped_bytes += size + self.headers_len
        if not target.ready:
            target.wake()
        return True

    def send_many(self, socket: UdpSocket, payloads: Sequence[bytes], now: int) -> int:
        """Deliver datagrams; return how many before the first that is left to the layered path."""
        target, count = self.target, len(payloads)
        total = sum(map(len, payloads))
        queue_bytes = target.queue_bytes + total + count * DATAGRAM_OVERHEAD
        if queue_bytes > target.rcvbuf or self.queue or max(map(len, payloads)) > self.max_payload:
            return _send_each(self, socket, payloads, now)
        src, sport, dst, dport, dev = self.src, self.sport, self.dst, self.dport, self.dev
        target.queue.extend([(each, src, sport, dst, dport, dev, now) for each in payloads])
        target.queue_bytes = queue_bytes
        target.rx_datagrams += count
        socket.tx_datagrams += count
        counters = self.out.counters
        counters.looped_packets += count
        counters.looped_bytes += total + count * self.headers_len
        if not target.ready:
            target.wake()
        return count


@dataclass(slots=True, eq=False)
class EthernetFlow:
    """The way of one socket's datagrams to one destination by an Ethernet interface.

    Attributes:
        generation: the configuration it is true for.
        entry: the next hop's neighbor; its state is looked at for every datagram.
        make: makes the headers for payloads of another size.
        headers: of the last datagram, for payloads of ``size`` bytes to ``lladdr``.
    """

    generation: int
    out: Interface
    entry: Neighbor
    make: MakeHeaders
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

    @property
    def frame_len(self) -> int:
        """Bytes of the last datagram's frame."""
        return self.headers.frame_len if self.headers is not None else 0

    def _prepare(self, size: int) -> bool:
        """Pack headers for another size or MAC; False when the layered path must say why not."""
        lladdr = self.entry.lladdr
        if size > self.max_payload or lladdr is None:
            return False
        self.headers = self.make((lladdr, self.out.mac), size)
        self.size, self.lladdr = size, lladdr
        return True


@dataclass(slots=True, eq=False)
class VlanFlow:
    """The way of one socket's datagrams to one destination by the interface of a VLAN.

    Attributes:
        flow: the way by the interface that has the device, with tags.
        vlans: the interfaces of VLANs in front of that one, which count the frames, too.
    """

    generation: int
    flow: EthernetFlow
    vlans: Sequence[Interface]

    def send(self, socket: UdpSocket, payload: bytes, now: int) -> bool:
        """Put a datagram into the outbox; False leaves it to the layered path, nothing done."""
        flow = self.flow
        if not flow.send(socket, payload, now):
            return False
        size = flow.frame_len - len(self.vlans) * TAG_LEN
        for vlan in self.vlans:
            vlan.counters.tx_packets += 1
            vlan.counters.tx_bytes += size
            size += TAG_LEN
        return True

    def send_many(self, socket: UdpSocket, payloads: Sequence[bytes], now: int) -> int:
        """Put datagrams into the outbox; return how many before the first that is not plain."""
        return _send_each(self, socket, payloads, now)


def _send_each(flow: SendFlow, socket: UdpSocket, payloads: Sequence[bytes], now: int) -> int:
    sent = 0
    while sent < len(payloads) and flow.send(socket, payloads[sent], now):
        sent += 1
    return sent


@dataclass(slots=True, eq=False)
class IngressFlow:
    """A flow of datagrams of one size that the layered path has delivered before.

    Attributes:
        socket: who gets them.
        payload_at: where the payload begins in a frame, the device's headroom included.
        end: length of a frame without padding, likewise.
        cost: what one counts in the socket's queue.
        sum: one's complement sum of the pseudo header.
        six: it is of IPv6.
        head, middle: what stands before and behind the ident of a frame that passed every check of
            the layered path; see ``_FRAMES``. Of IPv6, ``head`` is all in front of the addresses.
        varying: what ident and header checksum of it sum to; the same sum means a right header
            checksum again.
        partial: whether the UDP checksum of such a frame is not there yet: nobody need look at it.
    """

    socket: UdpSocket
    src: int
    sport: int
    dst: int
    dport: int
    payload_at: int
    end: int
    cost: int
    sum: int
    six: bool = False
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
        or not all(link.up and link.carrier and link.impairment is None for link in out.passed)
        or way.type not in _PLAIN_WAYS
        # As shared headers have; IPv6 has no such flag.
        or not (dst >= IPV6_MARK or socket.pmtudisc.df(locked=way.locked))
    ):
        return
    if len(socket.flows) >= FLOWS_LIMIT:
        socket.flows.clear()
    net = udp.networks.for_address(dst)
    limit = room(net, way)
    generation, sport = udp.generation.number, socket.port
    if out.medium is Medium.IP:
        target = udp.lookup(src, sport, dst, dport, way.home)
        if target is not None and way.type is WayType.LOCAL and not target.detailed:
            headers_len = net.header_len + HEADER_LEN
            socket.flows[dst, dport, asked_src] = LocalFlow(
                generation, out, net.loopback.queue, target, src, sport, dst, dport, limit,
                headers_len, way.home,
            )  # fmt: skip
        return
    if way.type is WayType.LOCAL:  # to our own address of this link, and not onto it
        return
    entry = net.neighbors[out.name].lookup(way.next_hop)
    if entry is not None:
        if way.route is not None:
            gateways.watch(net, dst, way.route)
        make = headers_of(net, way, src, sport, dport, ttl)
        *vlans, device = out.passed
        flow = EthernetFlow(generation, device, entry, make, limit)
        socket.flows[dst, dport, asked_src] = VlanFlow(generation, flow, vlans) if vlans else flow


def learn_input(udp: UdpTable, socket: UdpSocket, packet: Packet) -> None:
    """Remember the socket of a unicast datagram that the layered path just delivered."""
    if udp.recorder.journal.everything:
        return
    interface, header, parsed = packet.interface, packet.header, packet.message
    flows, generation = interface.flows, udp.generation.number
    if interface.flows_generation != generation or len(flows) >= FLOWS_LIMIT:
        flows.clear()
        interface.flows_generation = generation
    src, dst = header.src, header.dst
    sport, dport, length = parsed.sport, parsed.dport, parsed.length
    six = dst >= IPV6_MARK
    udp_at = ethernet.HEADER_LEN + (ipv6.HEADER_LEN if six else ipv4.MIN_HEADER_LEN)
    whole = header.total_length == udp_at - ethernet.HEADER_LEN + length
    if not whole or header.options or header.dscp_ecn:
        return
    ends = packed(src) + packed(dst) + _KEY_END.pack(sport, dport, length)
    payload_at = interface.headroom + udp_at + HEADER_LEN
    flows[ends] = IngressFlow(
        socket,
        src,
        sport,
        dst,
        dport,
        payload_at,
        payload_at - HEADER_LEN + length,
        length - HEADER_LEN + DATAGRAM_OVERHEAD,
        pseudo_header_sum(src, dst, ipv4.Protocol.UDP, length),
        six,
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
    return flow.send_many(socket, payloads, now)


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
    unpack_from, type_at = _FRAMES[headroom].unpack_from, _TYPE_AT + headroom
    shortest, key_at, key_end = (
        HEADERS_LEN + headroom, _ADDRESSES6_AT + headroom, _CHECKSUM6_AT + headroom
    )  # fmt: skip
    fresh = interface.flows_generation == generation.number
    try:
        for frame in frames:
            packets += 1
            size = len(frame)
            total += size
            if fresh and size >= shortest:
                if frame[type_at] == _SIX:
                    flow = flows.get(frame[key_at:key_end])
                    known = flow is not None and frame[:key_at] == flow.head
                else:
                    head, ident, middle, checksum, key = unpack_from(frame)
                    flow = flows.get(key)
                    known = flow is not None and (
                        head == flow.head
                        and middle == flow.middle
                        and (ident + checksum) % 0xFFFF == flow.varying
                    )
                if flow is not None:
                    socket, end = flow.socket, flow.end
                    queue_bytes = socket.queue_bytes + flow.cost
                    if (
                        queue_bytes <= socket.rcvbuf
                        and size >= end
                        and (known or _right_header(interface, frame, flow))
                        and (size == end if flow.partial else _right_sum(frame, flow))
                    ):
                        socket.queue.append(
                            (frame[flow.payload_at:end], flow.src, flow.sport, flow.dst,
                             flow.dport, name, now)
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


def _right_sum(frame: bytes, flow: IngressFlow) -> bool:
    """Tell whether the UDP checksum is right; also when it is zero, and the sum happens to be.

    In IPv6 it must not be zero (RFC 8200 8.1).
    """
    end, udp_at = flow.end, flow.payload_at - HEADER_LEN
    body = int.from_bytes(frame[udp_at:end])
    right = ((body << 8 if end & 1 else body) + flow.sum) % 0xFFFF == 0
    return right and not (flow.six and frame[udp_at + 6 : flow.payload_at] == b"\0\0")


def _right_header(interface: Interface, frame: bytes, flow: IngressFlow) -> bool:
    """Apply the layered path's checks to a frame's headers and remember what passed them."""
    headroom = interface.headroom
    front = frame[:headroom]
    plain = is_plain6 if flow.six else is_plain
    if front not in _UNSEGMENTED or not plain(interface, frame, flow.end):
        return False
    if flow.six:
        flow.head, flow.partial = frame[: _ADDRESSES6_AT + headroom], front == virtio.UDP6_CSUM
        return True
    flow.head, ident, flow.middle, checksum, _ = _FRAMES[headroom].unpack_from(frame)
    flow.varying = (ident + checksum) % 0xFFFF
    flow.partial = front == virtio.UDP_CSUM
    return True


_UNSEGMENTED = frozenset({b"", virtio.PLAIN, virtio.VERIFIED, virtio.UDP_CSUM, virtio.UDP6_CSUM})
"""Virtio headers of a frame that is taken as it is."""


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


def is_plain6(interface: Interface, frame: bytes, end: int) -> bool:
    """Tell of a frame with IPv6 what ``is_plain`` tells of one with IPv4."""
    headroom = interface.headroom
    at = headroom + ethernet.HEADER_LEN
    first, payload_length, protocol = _IN6.unpack_from(frame, at)
    dst, src = frame[headroom : headroom + 6], frame[headroom + 6 : headroom + 12]
    return (
        interface.up
        and dst == interface.mac
        and frame[headroom + 12 : at] == b"\x86\xdd"
        and not src[0] & 1
        and src not in (interface.mac, ZERO_MAC)
        and first >> 20 == 0x600  # what is known of the flow says nothing of a traffic class
        and payload_length + at + ipv6.HEADER_LEN == end
        and protocol == ipv4.Protocol.UDP
    )


def segments_input(generation: int, interface: Interface, data: bytes, now: int) -> int:
    """Deliver the datagrams of a super-packet whose flow is known, all or none.

    Args:
        generation: the number of the stack's configuration.
        data: with a virtio header in front.

    Returns: how many they are; 0 leaves them to the layered path, nothing done.
    """
    at = virtio.HEADER_LEN
    six = len(data) > at + _TYPE_AT and data[at + _TYPE_AT] == _SIX
    size = virtio.segment_size6(data) if six else virtio.segment_size(data)
    if not size or interface.flows_generation != generation:
        return 0
    ends = data[at + 22 : at + 58] if six else data[at + 26 : at + 38]
    flow = interface.flows.get(ends + (size + HEADER_LEN).to_bytes(2))
    plain = is_plain6 if six else is_plain
    if flow is None or not plain(interface, data, len(data)):
        return 0
    socket, end, first = flow.socket, len(data), flow.payload_at
    payloads = [data[at : at + size] for at in range(first, end, size)]
    queue_bytes = socket.queue_bytes + end - first + len(payloads) * DATAGRAM_OVERHEAD
    if queue_bytes > socket.rcvbuf:
        return 0
    src, sport, dst, dport, name = flow.src, flow.sport, flow.dst, flow.dport, interface.name
    socket.queue.extend([(each, src, sport, dst, dport, name, now) for each in payloads])
    socket.queue_bytes = queue_bytes
    socket.rx_datagrams += len(payloads)
    if not socket.ready:
        socket.wake()
    return len(payloads)
