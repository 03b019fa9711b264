"""The fast path of forwarding: packets between hosts whose way the layered path has found before.

``forward.forward_input`` decides, and has ``learn`` remember what stays true until the
configuration changes (``Stack.generation``): that such packets are fit to be forwarded, and by
which neighbor they leave. What each packet says alone is looked at here: its header's checksum, its
length, how far it may go; and so are the neighbor's state and the outbox. All else is left to the
layered path, nothing done, so the two cannot differ in what they do: a property test holds them
equal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

from smolctl.stack.fastpath.udp import FLOWS_LIMIT, SENDABLE
from smolctl.stack.fib.nexthop import Hop
from smolctl.stack.interface import OUTBOX_LIMIT, Interface, Medium
from smolctl.stack.ip import gateways
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.neighbor.output import has_no_queue
from smolctl.stack.trace.trace import Trace
from smolctl.wire import ethernet, ipv4
from smolctl.wire.offload import virtio

if TYPE_CHECKING:
    from smolctl.stack.ip.route_output import Decision
    from smolctl.stack.stack import Stack

_HEADERS_LEN = ethernet.HEADER_LEN + ipv4.MIN_HEADER_LEN
_ADDRESSES = slice(26, 34)
_IN = Struct("!16sH4sBBH8s")
"""A frame with an IPv4 packet: Ethernet header, version, header length and type of service | total
length | ident, flags and offset | time to live | protocol | header checksum | addresses."""
_OUT = Struct("!16sH4sBBH")
_ETHERTYPE = ethernet.EtherType.IPV4.to_bytes(2)
_WHOLE = frozenset({virtio.PLAIN, virtio.VERIFIED})
"""What may be in front of a frame with which nothing is left to do."""


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


def learn(stack: "Stack", decision: "Decision", trace: Trace) -> None:
    """Remember the way of a packet that the layered path just sent on as it was, without options.

    Nothing is remembered where more counts than is compared here: with rules, or next hops that are
    chosen by ports; where a sender may have to be told of a better way; or on a link that is bad.
    """
    out, route, arrival = decision.interface, decision.route, trace.arrival
    if (
        (stack.journal.everything or trace.id or arrival is None or route is None)
        or not stack.fib.merged
        or (isinstance(route, Hop) and stack.settings["ip.fib_multipath_hash_policy"])
        or decision.type != "unicast"
        or out.name == arrival.dev
        or out.medium is not Medium.ETHERNET
        or out.impairment is not None
        or has_no_queue(stack, trace) is not None
    ):
        return
    entry = stack.neighbors[out.name].lookup(decision.next_hop)
    interface, frame = stack.interfaces[arrival.dev], arrival.frame
    flows = interface.forward_flows
    if entry is None:
        return
    if interface.forward_generation != stack.generation or len(flows) >= FLOWS_LIMIT:
        flows.clear()
        interface.forward_generation = stack.generation
    flows[frame[:16] + frame[_ADDRESSES]] = ForwardFlow(out, entry, decision.mtu, frame[14:16])
    gateways.watch(stack, decision.dst, route)


def forward_frame_input(
    otherwise: "Callable[[Stack, Interface, bytes, int], None]",
    stack: "Stack",
    interface: Interface,
    data: bytes,
    now: int,
) -> None:
    """Take one frame as a device received it: send it on, or leave it to the layered path.

    Args:
        otherwise: the layered path.
        data: with ``interface.headroom`` bytes in front of the frame.
    """
    frame: bytes | None = data
    if interface.headroom:
        whole = data[: virtio.HEADER_LEN] in _WHOLE
        frame = data[virtio.HEADER_LEN :] if whole else virtio.summed(data)
    if frame is None or not forwarded(stack, interface, frame, now):
        otherwise(stack, interface, data, now)


def forwarded(stack: "Stack", interface: Interface, frame: bytes, now: int) -> bool:
    """Send a frame on whose way is known; False leaves it to the layered path, nothing done."""
    size = len(frame)
    if size < _HEADERS_LEN or interface.forward_generation != stack.generation:
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
    stack.ledger.count("ip.datagrams_forwarded")
    return True
