"""Output that both families share: the choice of the way, and refusals."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Never

from smolctl.stack import reason
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip import gateways
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import Pmtudisc, SendOptions
from smolctl.stack.ip.route_output import no_source, route_output
from smolctl.stack.ip.way import Refusal, Way, WayType
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Rejected
from smolctl.stack.trace.facts import Cut
from smolctl.stack.trace.recorder import Recorder
from smolctl.stack.trace.trace import Direction, Trace

TRANSPORT_HEADER_LEN = 8
"""Bytes of a UDP header, and of ICMP's."""
_OUT, _MULTICAST, _PROBE = Direction.OUT, WayType.MULTICAST, Pmtudisc.PROBE
_LOCAL = WayType.LOCAL


class FamilyPart(NamedTuple):
    """The part of output that differs between families.

    Attributes:
        counters: the first word of their names.
        parse: reads the header of a fragment.
        output: hands a packet with its header to the interface of its way.
    """

    counters: str
    parse: Callable[[bytes], Any]
    output: Callable[[Network, Packet, Way], None]


def follow(recorder: Recorder, trace: Trace | None, now: int) -> Trace:
    """Return the trace of a packet that begins here: the sender's own, or one for the journal."""
    if trace is None:
        return recorder.begin(_OUT, now)
    recorder.follow(trace, now)
    return trace


def refuse(recorder: Recorder, refusal: Refusal, now: int, trace: Trace) -> Never:
    """Count the refusal of a packet and tell the caller, with Linux's errno.

    Raises:
        SendRejected: always.
    """
    detail = recorder.record(refusal.reason, refusal.dev, now, trace, **refusal.values)
    error = Rejected(refusal.reason, detail)
    error.packet = trace.id or None
    raise error


def choose_way(net: Network, key: RouteKey, now: int, trace: Trace) -> Way:
    """Choose the way; a refusal is counted and raised.

    Raises:
        SendRejected: there is none.
    """
    way = net.ways.recall(key, net.generation.number)
    if way is None:
        way = _find_way(net, key, now, trace)
    note_way(net, key, way, now, trace)
    return way


def note_way(net: Network, key: RouteKey, way: Way, now: int, trace: Trace) -> None:
    """Note on a trace which way was chosen, and of one that is remembered against which others."""
    if trace.id:
        net.recorder.note_candidates(key, way.route, trace, now)
    trace.step("route", "pick", now, way)


def _find_way(net: Network, key: RouteKey, now: int, trace: Trace) -> Way:
    """Choose a way that nobody has chosen in this configuration, and remember it."""
    recorder = net.recorder
    if key.oif is not None and key.oif not in net.interfaces:
        refuse(recorder, Refusal(reason.TX_NO_DEVICE, key.oif, {}), now, trace)
    way = route_output(net, key)
    if isinstance(way, Refusal):
        recorder.note_candidates(key, None, trace, now)
        refuse(recorder, way, now, trace)
    if way.route is not None:
        gateways.watch(net, key.dst, way.route)
    net.ways.remember(key, way)
    return way


def checked_source(
    net: Network, way: Way, how: SendOptions, length: int, now: int, trace: Trace
) -> int:
    """Return the source address; without one, or when the packet is too big: refuse.

    Args:
        length: bytes behind the IP header.

    Raises:
        SendRejected: tx-no-source, tx-src-tentative, tx-payload-too-long or tx-too-big.
    """
    name = way.interface.name
    header = net.header_len + len(how.options.raw)
    size, headers = header + length, header + TRANSPORT_HEADER_LEN
    refusal = None
    if way.src is None:
        refusal = no_source(net, way.interface, way.dst, way.next_hop)
    elif size > net.max_packet_len:
        shown: dict[str, object] = {"size": size - headers, "most": net.max_packet_len - headers}
        refusal = Refusal(reason.TX_PAYLOAD_TOO_LONG, name, shown)
    elif size > way.mtu and size > (mtu := mtu_of(way, how.pmtudisc)) and how.pmtudisc.insists:
        values = {"size": size, "mtu": mtu, "max_payload": mtu - headers, "_way": way}
        refusal = Refusal(reason.TX_TOO_BIG, name, values)
    if refusal is not None or way.src is None:
        refuse(net.recorder, refusal or Refusal(reason.TX_NO_SOURCE, name, {}), now, trace)
    return way.src


def stay_inside(net: Network, packet: Packet, way: Way, ethertype: int) -> None:
    """Have a packet come back in by the loopback; one for an address of ours by that one's link."""
    if way.type is _LOCAL:
        packet.entrance = net.interfaces.get(way.home, packet.interface)
    lo = net.interfaces.loopback
    if not lo.up:  # by whatever link it is to come in
        net.recorder.record(reason.TX_LINK_DOWN, lo.name, packet.now, packet.trace)
        return
    net.loopback.output(packet, ethertype)


def loop_copy(net: Network, packet: Packet, ethertype: int) -> None:
    """Let sockets here hear a packet for many, too, as a packet of its own (RFC 1112 6.4).

    Source: Linux ``ip_mc_output``, ``ip6_finish_output2``.
    """
    trace = net.recorder.begin(Direction.LOCAL, packet.now, packet.trace, packet.interface.name)
    trace.frame = packet.data
    copy = Packet(packet.data, packet.interface, packet.now, trace, net.recorder)
    copy.mark = packet.mark
    net.loopback.output(copy, ethertype)


def fragments_output(
    net: Network, packet: Packet, way: Way, pieces: Sequence[bytes], ident: int, family: FamilyPart
) -> None:
    """Hand the fragments of a packet to the interface, in order.

    Each fragment has a trace and a fate of its own, and that is what is counted; the packet is sent
    when all of them are, or ends as the first that is not (``Trace.whole``).

    Args:
        ident: of all fragments.

    Raises: as ``packet_output``; no further fragment leaves then.
    """
    now, trace, out, recorder = packet.now, packet.trace, way.interface, net.recorder
    trace.parts = len(pieces)
    packet.step("fragment", "ok", Cut(len(pieces), packet.header.total_length, way.mtu, ident))
    recorder.count(f"{family.counters}.datagrams_fragmented")
    recorder.count(f"{family.counters}.fragments_created", len(pieces))
    for data in pieces:
        part = recorder.begin(trace.direction, now, trace, out.name)
        part.whole, part.followed = trace, trace.followed
        part.src, part.gateway, part.frame = trace.src, trace.gateway, data
        piece = Packet(data, out, now, part, recorder)
        piece.header, piece.mark = family.parse(data), packet.mark
        if data is pieces[0]:  # its sender hears once of what happens to its datagram
            piece.sender, piece.about = packet.sender, packet.about
        piece.step("ip", "ok", piece.header)
        family.output(net, piece, way)


def mtu_of(way: Way, pmtudisc: Pmtudisc) -> int:
    """Return the largest packet, bytes, that leaves whole (Linux ``ip_sk_use_pmtu``)."""
    return way.interface.mtu if pmtudisc is _PROBE else way.mtu


def default_ttl(net: Network, way: Way) -> int:
    """Return the TTL of a packet that asks for none.

    To a group it is another one, so that nothing leaves the link unasked (RFC 1112 6.1).
    """
    unicast, multicast = net.hops_sysctls
    return way.interface.settings[multicast if way.type is _MULTICAST else unicast]
