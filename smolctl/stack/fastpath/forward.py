"""The fast path of forwarding: packets between hosts whose way the layered path has found before.

``forward.forward_input`` decides, and has ``learn`` remember what stays true until the
configuration changes (``Generation``): that such packets are fit to be forwarded, and by
which neighbor they leave. What each packet says alone is looked at here: its header's checksum, its
length, how far it may go; and so are the neighbor's state and the outbox. All else is left to the
layered path, nothing done, so the two cannot differ in what they do: a property test holds them
equal.
"""

from dataclasses import dataclass
from struct import Struct

from smolctl.stack.fastpath.udp import FLOWS_LIMIT, SENDABLE
from smolctl.stack.fib.nexthop import Hop
from smolctl.stack.interface import OUTBOX_LIMIT, Interface, Medium
from smolctl.stack.ip import gateways
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.way import Way, WayType
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.trace.trace import Trace
from smolctl.wire import ethernet, ipv4
from smolctl.wire.offload import virtio

_HEADERS_LEN = ethernet.HEADER_LEN + ipv4.MIN_HEADER_LEN
_ADDRESSES = slice(26, 34)
_IN = Struct("!16sH4sBBH8s")
"""A frame with an IPv4 packet: Ethernet header, version, header length and type of service | total
length | ident, flags and offset | time to live | protocol | header checksum | addresses."""
_OUT = Struct("!16sH4sBBH")
_ETHERTYPE = ethernet.EtherType.IPV4.to_bytes(2)
_WHOLE = frozenset({virtio.PLAIN, virtio.VERIFIED})
"""Virtio headers of a frame with which nothing is left to do."""


@dataclass(slots=True, eq=False)
class ForwardFlow:
    """The way of all packets with one Ethernet header, type of service, source and destination.

    Attributes:
        entry: the next hop's neighbor; its state is looked at for every packet.
        longest: bytes of the longest packet that need not be cut or refused.
        first: the first two bytes of the packets.
        front: what stands in front of the total length in frames to ``lladdr``.
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
    flows, generation = interface.forward_flows, net.generation.number
    if entry is None or frame[12:14] != _ETHERTYPE:  # a tag or SNAP is in front of the packet
        return
    if interface.forward_generation != generation or len(flows) >= FLOWS_LIMIT:
        flows.clear()
        interface.forward_generation = generation
    flows[frame[:16] + frame[_ADDRESSES]] = ForwardFlow(out, entry, way.mtu, frame[14:16])
    gateways.watch(net, way.dst, route)


def whole_frame(interface: Interface, data: bytes) -> bytes | None:
    """Return a frame as a device received it, without the headroom; None for one to be cut.

    Args:
        data: with ``interface.headroom`` bytes in front of the frame.
    """
    if not interface.headroom:
        return data
    whole = data[: virtio.HEADER_LEN] in _WHOLE
    return data[virtio.HEADER_LEN :] if whole else virtio.summed(data)


def forwarded(net: Network, interface: Interface, frame: bytes, now: int) -> bool:
    """Send a frame on whose way is known; False leaves it to the layered path, nothing done."""
    size = len(frame)
    if size < _HEADERS_LEN or interface.forward_generation != net.generation.number:
        return False
    head, total_length, middle, ttl, protocol, checksum, addresses = _IN.unpack_from(frame)
    flow = interface.forward_flows.get(head + addresses)
    if flow is None:
        return False
    entry, outbox = flow.entry, flow.out.outbox
    end = ethernet.HEADER_LEN + total_length
    if (
        ttl < 2
        or not ipv4.MIN_HEADER_LEN <= total_length <= flow.longest
        or end > size
        or int.from_bytes(frame[ethernet.HEADER_LEN : _HEADERS_LEN]) % 0xFFFF
        or entry.state not in SENDABLE
        or len(outbox) >= OUTBOX_LIMIT
    ):
        return False
    if entry.lladdr != flow.lladdr:
        if entry.lladdr is None:
            return False
        flow.lladdr = entry.lladdr
        flow.front = entry.lladdr + flow.out.mac + _ETHERTYPE + flow.first
    checksum = (checksum + 0x100) % 0xFFFF  # RFC 1624 3, as ipv4.aged
    front = _OUT.pack(flow.front, total_length, middle, ttl - 1, protocol, checksum)
    outbox.append(front + frame[26:end])
    entry.used_ns = now
    net.recorder.count("ip.datagrams_forwarded")
    return True
