"""The fast path of forwarding: packets between hosts whose way the layered path has found before.

``forward.forward_input`` of each family decides, and has ``learn`` remember what stays true until
the configuration changes (``Generation``): that such packets are fit to be forwarded, and by
which neighbor they leave. What each packet says alone is looked at here: IPv4's header checksum,
its length, how far it may go; and so are the neighbor's state and the outbox. All else is left to
the layered path, nothing done, so the two cannot differ in what they do: a property test holds them
equal. Of IPv6 only hop limits change on the way: a flow label stays as its sender made it.
"""

from dataclasses import dataclass
from struct import Struct

from smolctl.stack.fastpath.udp import FLOWS_LIMIT
from smolctl.stack.fib.nexthop import Hop
from smolctl.stack.interface import OUTBOX_LIMIT, Interface, Medium
from smolctl.stack.ip import gateways
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.way import Way, WayType
from smolctl.stack.ipv6.addresses import is_ours
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.neighbor.states import SENDABLE
from smolctl.stack.shared import Shared
from smolctl.stack.trace.trace import Trace
from smolctl.wire import ethernet, ipv4, ipv6
from smolctl.wire.address import IPV6_MARK
from smolctl.wire.offload import virtio

_HEADERS_LEN = ethernet.HEADER_LEN + ipv4.MIN_HEADER_LEN
_HEADERS6_LEN = ethernet.HEADER_LEN + ipv6.HEADER_LEN
_ADDRESSES, _SRC6, _ADDRESSES6 = slice(26, 34), slice(22, 38), slice(22, 54)
_IN = Struct("!16sH4sBBH8s")
"""A frame with an IPv4 packet: Ethernet header, version, header length and type of service | total
length | ident, flags and offset | time to live | protocol | header checksum | addresses."""
_OUT = Struct("!16sH4sBBH")
_IN6 = Struct("!14sB3xHBB32s")
"""A frame with an IPv6 packet: Ethernet header | version and half of the traffic class | payload
length | next header | hop limit | addresses."""
_ETHERTYPE = ethernet.EtherType.IPV4.to_bytes(2)
_ETHERTYPE6 = ethernet.EtherType.IPV6.to_bytes(2)
_TYPE_AT, _SIX = ethernet.HEADER_LEN - 1, _ETHERTYPE6[1]
_HOPS_AT = ethernet.HEADER_LEN + 7
_HOP_BY_HOP = ipv6.NextHeader.HOP_BY_HOP.value
_WHOLE = frozenset({virtio.PLAIN, virtio.VERIFIED})
"""Virtio headers of a frame with which nothing is left to do."""


@dataclass(slots=True, eq=False)
class ForwardFlow:
    """The way of all packets with one Ethernet header, source and destination.

    Those of IPv4 have one type of service, too.

    Attributes:
        entry: the next hop's neighbor; its state is looked at for every packet.
        longest: bytes of the longest packet that need not be cut or refused.
        first: ethertype and, of IPv4, the first two bytes of the packets.
        front: the Ethernet header of frames to ``lladdr``, with what ``first`` has of the packet.
    """

    out: Interface
    entry: Neighbor
    longest: int
    first: bytes
    front: bytes = b""
    lladdr: bytes | None = None


def learn(net: Network, way: Way, trace: Trace) -> None:
    """Remember the way of a packet that the layered path just sent on as it was, without options.

    Nothing is remembered where more counts than is compared here: with rules, or next hops that are
    chosen by ports; where a sender may have to be told of a better way; or on a link that is bad.
    """
    out, route, arrival = way.interface, way.route, trace.arrival
    if (
        (net.recorder.journal.everything or trace.id or arrival is None or route is None)
        or not net.fib.usual_rules
        or (isinstance(route, Hop) and net.settings["ip.fib_multipath_hash_policy"])
        or way.type is not WayType.UNICAST
        or out.name == arrival.dev
        or out.medium is not Medium.ETHERNET
        or out.impairment is not None
        or out.vlan is not None
        or not out.settings["neigh.unres_qlen"]
    ):
        return
    entry = net.neighbors[out.name].lookup(way.next_hop)
    interface, frame = net.interfaces[arrival.dev], arrival.frame
    ethertype = frame[12:14]  # another one where a tag or SNAP is in front of the packet
    if entry is None:
        return
    if ethertype == _ETHERTYPE:
        key, first = frame[:16] + frame[_ADDRESSES], frame[12:16]
    elif ethertype == _ETHERTYPE6 and not is_ours(net, interface, _address6(frame)):
        # Of a source that is ours, ICMPv6 goes on, and nothing else does.
        key, first = frame[:14] + frame[_ADDRESSES6], ethertype
    else:
        return
    flows, generation = interface.forward_flows, net.generation.number
    if interface.forward_generation != generation or len(flows) >= FLOWS_LIMIT:
        flows.clear()
        interface.forward_generation = generation
    flows[key] = ForwardFlow(out, entry, way.mtu, first)
    gateways.watch(net, way.dst, route)


def _address6(frame: bytes) -> int:
    return IPV6_MARK | int.from_bytes(frame[_SRC6])


def whole_frame(interface: Interface, data: bytes) -> bytes | None:
    """Return a frame as a device received it, without the headroom; None for one to be cut.

    Args:
        data: with ``interface.headroom`` bytes in front of the frame.
    """
    if not interface.headroom:
        return data
    front = data[: virtio.HEADER_LEN]
    if front in _WHOLE:
        return data[virtio.HEADER_LEN :]
    return virtio.summed6(data) if front == virtio.UDP6_CSUM else virtio.summed(data)


def forwarded(shared: Shared, interface: Interface, frame: bytes, now: int) -> bool:
    """Send a frame on whose way is known; False leaves it to the layered path, nothing done."""
    size = len(frame)
    if size < _HEADERS_LEN or interface.forward_generation != shared.generation.number:
        return False
    if frame[_TYPE_AT] == _SIX:
        return size >= _HEADERS6_LEN and _forwarded6(shared, interface, frame, now)
    head, total_length, middle, ttl, protocol, checksum, addresses = _IN.unpack_from(frame)
    flow = interface.forward_flows.get(head + addresses)
    end = ethernet.HEADER_LEN + total_length
    if (
        flow is None
        or ttl < 2
        or not ipv4.MIN_HEADER_LEN <= total_length <= flow.longest
        or end > size
        or int.from_bytes(frame[ethernet.HEADER_LEN : _HEADERS_LEN]) % 0xFFFF
        or not _sendable(flow)
    ):
        return False
    checksum = (checksum + 0x100) % 0xFFFF  # RFC 1624 3, as ipv4.aged
    front = _OUT.pack(flow.front, total_length, middle, ttl - 1, protocol, checksum)
    flow.out.outbox.append(front + frame[26:end])
    flow.entry.used_ns = now
    shared.recorder.count("ip.datagrams_forwarded")
    return True


def _forwarded6(shared: Shared, interface: Interface, frame: bytes, now: int) -> bool:
    """Send a frame with IPv6 on, if its way is known."""
    head, first, length, next_header, hops, addresses = _IN6.unpack_from(frame)
    flow = interface.forward_flows.get(head + addresses)
    end = _HEADERS6_LEN + length
    if (
        flow is None
        or first >> 4 != 6
        or hops < 2
        or next_header == _HOP_BY_HOP
        or length + ipv6.HEADER_LEN > flow.longest
        or end > len(frame)
        or not _sendable(flow)
    ):
        return False
    aged = (hops - 1).to_bytes()
    flow.out.outbox.append(
        b"".join(
            (flow.front, frame[ethernet.HEADER_LEN : _HOPS_AT], aged, frame[_HOPS_AT + 1 : end])
        )
    )
    flow.entry.used_ns = now
    shared.recorder.count("ip6.datagrams_forwarded")
    return True


def _sendable(flow: ForwardFlow) -> bool:
    """Tell whether a flow's packets may leave at once, and see to it that ``front`` is right."""
    entry = flow.entry
    if entry.state not in SENDABLE or len(flow.out.outbox) >= OUTBOX_LIMIT:
        return False
    if entry.lladdr != flow.lladdr:
        if entry.lladdr is None:
            return False
        flow.lladdr = entry.lladdr
        flow.front = entry.lladdr + flow.out.mac + flow.first
    return True
