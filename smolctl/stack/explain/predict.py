"""Predictions: a packet is sent, or comes in, on a clone of the stack.

Nothing is guessed: the clone runs the data path's own functions. What others would do (answer ARP,
take the frame) is not known, so a prediction ends where the packet waits for them or leaves.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from smolctl.errors import AddressInUse, InvalidArgument, NoBuffers, SendRejected
from smolctl.stack import reason
from smolctl.stack.clone.stack_clone import clone_for_packet
from smolctl.stack.explain.answers import answers_to
from smolctl.stack.explain.predict_tcp import Attempt, conclude, syn, tcp_out
from smolctl.stack.fib.route import RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import Pmtudisc, SendOptions
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Refusal, WayType
from smolctl.stack.ipv4.arp_output import arp_output, arp_request
from smolctl.stack.ipv4.output import icmp_output
from smolctl.stack.link.input import frame_input
from smolctl.stack.link.outbox import TracedFrame
from smolctl.stack.neighbor.states import VALID
from smolctl.stack.stack import Stack
from smolctl.stack.trace.facts import Resolved
from smolctl.stack.trace.trace import Direction, Fate, Flow, Trace
from smolctl.stack.transport.ping import Ping
from smolctl.stack.transport.send_queue import OutgoingDatagram
from smolctl.stack.transport.socket_base import ANY
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.stack.transport.udp.udp import Udp
from smolctl.wire import arp, ethernet, icmpv4, ipv4, udp
from smolctl.wire.address import (
    BROADCAST_MAC,
    ZERO_MAC,
    is_limited_broadcast,
    is_multicast,
    multicast_mac,
)

_FRAGMENTS = 4096
"""Packets that come back by the loopback until the fate is known: the biggest datagram has 1,366
fragments with the smallest MTU."""
_ANSWERS = 64
"""Packets that come back afterwards: an answer, an error about that, ..."""
_TTL = 64
_SOME_MACS = (b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02")
"""A sender's MAC address where nobody knows it; one of them is not our own."""


class Question(NamedTuple):
    """A packet that might be sent, or come in.

    Attributes:
        proto: "udp", "tcp" (a connection attempt), "icmp" (an echo request) or "arp" (a request).
        src: None for the address that the stack would choose.
        sport, dport: of UDP and TCP; port 0 as source is any that is free.
        size: bytes of payload.
        dev: interface by which it must leave.
        iif: interface by which it comes in, when it is somebody else's.
        broadcast: whether its sender may send to a broadcast address.
        pmtudisc: whether it may be fragmented; None for what its socket, or the stack, has.
        tos: type of service, which rules may select; None for that of its socket, or else 0.
        ttl: time to live; None for that of its socket, or the stack's own, or else 64.
    """

    proto: str
    src: int | None
    dst: int
    sport: int = 0
    dport: int = 0
    size: int = 0
    dev: str | None = None
    iif: str | None = None
    broadcast: bool = False
    pmtudisc: Pmtudisc | None = None
    tos: int | None = None
    ttl: int | None = None


def predict(stack: Stack, question: Question, now: int) -> Trace:
    """Return the trace of a packet that was not sent; the stack is as it was.

    Raises:
        NoSuchDevice: ``dev`` or ``iif`` names no interface.
        InvalidArgument: no packet can come in by ``iif``.
    """
    if question.dev is not None:
        stack.interface(question.dev)
    clone = clone_for_packet(stack)
    clone.ledger.prove = stack.ledger.prove
    return happen(clone, question, now)


def happen(clone: Stack, question: Question, now: int) -> Trace:
    """Let a packet happen to a clone, and return its trace.

    Raises: as ``predict``.
    """
    net, trace = clone.networks.for_address(question.dst), Trace()
    trace.question = question
    if question.iif is not None:
        frame = _arriving(net, clone.interface(question.iif), question)
        return happen_to_come_in(clone, clone.interface(question.iif), frame, now, trace)
    socket = None
    with _run_out(clone, trace, now), suppress(SendRejected, NoBuffers):
        if question.proto == "udp":
            _udp_out(clone.udp, net, question, now, trace)
        elif question.proto == "tcp":
            attempt = Attempt(
                question.src, question.sport, question.dst, question.dport, question.dev,
                question.tos or 0, question.ttl,
            )  # fmt: skip
            socket = tcp_out(clone.tcp, net, attempt, now, trace)
        elif question.proto == "icmp":
            _icmp_out(clone.ping, net, question, now, trace)
        else:
            arp_out(net, question, now, trace)
    if socket is not None:
        conclude(clone.tcp, clone.loopback, socket, now, trace)
    return trace


def happen_to_come_in(
    clone: Stack, interface: Interface, frame: bytes, now: int, trace: Trace
) -> Trace:
    """Let a frame come in on a clone; return its trace."""
    trace.direction, trace.dev = Direction.IN, interface.name
    clone.journal.follow(trace, now)
    with _run_out(clone, trace, now):
        frame_input(clone.protocols, interface, frame, now, trace)
    return trace


@contextmanager
def _run_out(clone: Stack, trace: Trace, now: int) -> Iterator[None]:
    """Let all that follows from a packet happen, and the devices take what leaves."""
    waiting = {name: len(link.outbox) for name, link in clone.interfaces.items()}
    with answers_to(trace, clone.shared.recorder):
        yield
        _loop(clone, trace, now)
    for name, link in clone.interfaces.items():
        new = link.outbox[waiting[name] :]
        clone.transmitted(link, [item for item in new if isinstance(item, TracedFrame)], now)


def _loop(clone: Stack, trace: Trace, now: int) -> None:
    """Let packets come back by the loopback, but not for ever: sockets may answer each other."""
    for _ in range(_FRAGMENTS):
        if trace.settled or not clone.loopback.input(now):
            break
    for _ in range(_ANSWERS):
        if not clone.loopback.input(now):
            break


# --- out ------------------------------------------------------------------------------------------


def _udp_out(udp: Udp, net: Network, question: Question, now: int, trace: Trace) -> None:
    """Send a datagram from the socket that is bound to its source, or from a new one."""
    src = question.src
    socket = _bound(udp, question) if question.sport else None
    if socket is None:
        socket = udp.open("the sender")
        local = src if src is not None and net.fib.is_local(src) else ANY
        with suppress(AddressInUse):
            udp.bind(socket, local, question.sport, question.dev)
    socket.broadcast = socket.broadcast or question.broadcast
    if question.dev is not None:
        socket.dev = question.dev
    if question.pmtudisc is not None:
        socket.pmtudisc = question.pmtudisc
    if question.tos is not None:
        socket.tos = question.tos
    if question.ttl is not None:
        socket.ttl = socket.multicast_ttl = question.ttl
    source = src if socket.local != src else None
    item = OutgoingDatagram(bytes(question.size), question.dst, question.dport, source, trace)
    udp.send_from(socket, item, now)


def _bound(udp: Udp, question: Question) -> UdpSocket | None:
    """Return the socket that sends from the source, the address' own before one for any.

    Of several that share it (SO_REUSEADDR) any may; the one that hears the answer is meant.
    """
    src, sport, dev = question.src, question.sport, question.dev
    hears = udp.lookup(question.dst, question.dport, src or 0, sport, dev or "")
    if hears is not None:
        return hears
    found = [socket for socket in udp.at_port(sport) if socket.dev in (None, dev)]
    for local in (src, ANY):
        for socket in reversed(found):
            if socket.local == local:
                return socket
    return None


def _icmp_out(ping: Ping, net: Network, question: Question, now: int, trace: Trace) -> None:
    """Send an echo request."""
    client = ping.open(question.dst)
    message = icmpv4.IcmpMessage(
        icmpv4.Type.ECHO_REQUEST, 0, client.ident << 16 | 1, bytes(question.size)
    )
    pmtudisc = net.pmtudisc if question.pmtudisc is None else question.pmtudisc
    how = SendOptions(
        question.src, question.dev, question.ttl, question.tos or 0, pmtudisc=pmtudisc,
        broadcast=question.broadcast,
    )  # fmt: skip
    icmp_output(net, message, question.dst, now, how, trace, client)


def arp_out(net: Network, question: Question, now: int, trace: Trace) -> None:
    """Ask for the MAC address that a packet to the destination needs."""
    recorder = net.recorder
    recorder.follow(trace, now)
    trace.flow = Flow("arp", question.src, 0, question.dst, 0, arp.PACKET_LEN)
    key = RouteKey(question.dst, question.src, question.dev)
    way = route_output(net, key)
    if isinstance(way, Refusal):
        recorder.record(way.reason, way.dev, now, trace, **way.values)
        return
    recorder.note_candidates(key, way.route, trace, now)
    trace.step("route", "pick", now, way)
    out, hop = way.interface, way.next_hop
    if out.medium is not Medium.ETHERNET or way.type is not WayType.UNICAST:
        values = {"ip": question.dst, "out": out.name, "cause": _NO_ARP[way.type]}
        recorder.record(reason.ARP_NOT_NEEDED, out.name, now, trace, **values)
        trace.settle(Fate.ABSORBED, now)
        return
    entry = net.neighbors[out.name].lookup(hop)
    if entry is not None and entry.state in VALID and entry.lladdr is not None:
        trace.step("neigh", "ok", now, Resolved(hop, entry.state.value, entry.lladdr))
    arp_output(net, out, arp_request(out, way.src or 0, hop), BROADCAST_MAC, now, trace)


_NO_ARP = {
    WayType.LOCAL: "own",
    WayType.UNICAST: "noarp",
    WayType.BROADCAST: "broadcast",
    WayType.MULTICAST: "multicast",
}


# --- in -------------------------------------------------------------------------------------------


def _arriving(net: Network, interface: Interface, question: Question) -> bytes:
    """Return the frame of a packet that comes in, as its sender would have built it.

    Raises:
        InvalidArgument: no frame can come in by the interface.
    """
    if interface.medium is not Medium.ETHERNET:
        raise InvalidArgument(
            f"nothing comes in by {interface.name} that was not sent here",
            hint="name an interface that has a wire: smolctl link show",
        )
    sender = _sender_mac(net, interface, question.src or 0)
    to = interface.mac
    if question.proto == "arp" or _is_for_all(net, interface, question.dst):
        to = BROADCAST_MAC
    if is_multicast(question.dst):
        to = multicast_mac(question.dst)
    kind = ethernet.EtherType.ARP
    if question.proto == "arp":
        payload = arp.ArpPacket(
            arp.Op.REQUEST, sender, question.src or 0, ZERO_MAC, question.dst
        ).to_bytes()
    else:
        kind, payload = ethernet.EtherType.IPV4, _packet(question)
    return ethernet.EthernetHeader(to, sender, kind).to_bytes() + payload


def _is_for_all(net: Network, interface: Interface, dst: int) -> bool:
    """Tell whether an address is that of all hosts of a link; to other links a router is asked."""
    route = net.fib.own(dst)
    if route is None or route.type is not RouteType.BROADCAST:
        return is_limited_broadcast(dst)
    return route.dev == interface.name


def _packet(question: Question) -> bytes:
    src, dst = question.src or 0, question.dst
    if question.proto == "udp":
        protocol = ipv4.Protocol.UDP
        segment = udp.to_bytes(question.sport, question.dport, bytes(question.size), src, dst)
    elif question.proto == "tcp":
        protocol = ipv4.Protocol.TCP
        segment = syn(question.sport, question.dport, src, dst)
    else:
        protocol = ipv4.Protocol.ICMP
        segment = icmpv4.IcmpMessage(
            icmpv4.Type.ECHO_REQUEST, 0, 1 << 16 | 1, bytes(question.size)
        ).to_bytes()
    size, tos = ipv4.MIN_HEADER_LEN + len(segment), question.tos or 0
    df, ttl = question.pmtudisc is not Pmtudisc.DONT, question.ttl or _TTL
    header = ipv4.Ipv4Header(5, tos, size, 0, df, False, 0, ttl, protocol, src, dst)
    return header.to_bytes() + segment


def _sender_mac(net: Network, interface: Interface, src: int) -> bytes:
    known = net.neighbors[interface.name].lookup(src)
    if known is not None and known.lladdr is not None:
        return known.lladdr
    return next(mac for mac in _SOME_MACS if mac != interface.mac)
