"""Predictions: a packet is sent, or comes in, on a clone of the stack.

Nothing is guessed: the clone runs the data path's own functions. What others would do (answer ARP
or a solicitation, take the frame) is not known, so a prediction ends where the packet waits for
them or leaves.
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
from smolctl.stack.ip.output import follow, refuse
from smolctl.stack.ip.protocol import Pmtudisc, SendOptions
from smolctl.stack.ip.route_output import no_source, not_ours, route_output
from smolctl.stack.ip.way import Refusal, Way, WayType
from smolctl.stack.ipv4.arp_output import arp_output, arp_request
from smolctl.stack.ipv4.output import icmp_output
from smolctl.stack.ipv6.addresses import asking_address, usable
from smolctl.stack.ipv6.nd_output import solicitation, solicitation_output
from smolctl.stack.ipv6.output import icmp6_output
from smolctl.stack.link.input import fits, frame_input
from smolctl.stack.link.outbox import TracedFrame
from smolctl.stack.neighbor.states import VALID
from smolctl.stack.stack import Stack
from smolctl.stack.trace.facts import Resolved
from smolctl.stack.trace.trace import Direction, Fate, Flow, Trace
from smolctl.stack.transport.local_address import is_local_at
from smolctl.stack.transport.ping import EchoClient
from smolctl.stack.transport.send_queue import OutgoingDatagram
from smolctl.stack.transport.socket_base import ANY
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.stack.transport.udp.udp import Udp
from smolctl.wire import arp, ethernet, icmpv4, icmpv6, ipv4, ndp, udp
from smolctl.wire.address import (
    BROADCAST_MAC,
    IPV4,
    IPV6,
    UNSPECIFIED6,
    ZERO_MAC,
    is_limited_broadcast,
    is_loopback,
    is_multicast,
    is_unspecified,
    multicast_mac,
    solicited_node,
)
from smolctl.wire.ipv6 import Ipv6Header, NextHeader
from smolctl.wire.tcp import SYN

_FRAGMENTS = 4096
"""Packets that come back by the loopback until the fate is known: the biggest datagram has 1,366
fragments with the smallest MTU."""
_ANSWERS = 64
"""Packets that come back afterwards: an answer, an error about that, ..."""
_TTL = 64
_SOLICITATION_LEN = 32
"""Bytes of a neighbor solicitation with a MAC address (RFC 4861 4.3)."""
_SOME_MACS = (b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02")
"""A sender's MAC address where nobody knows it; one of them is not our own."""


class Question(NamedTuple):
    """A packet that might be sent, or come in.

    Attributes:
        proto: "udp", "tcp" (a connection attempt), "icmp" (an echo request), "arp" (a request) or
            "nd" (a neighbor solicitation).
        src: None for the address that the stack would choose.
        sport, dport: of UDP and TCP; port 0 as source is any that is free.
        size: bytes of payload.
        dev: interface by which it must leave.
        iif: interface by which it comes in, when it is somebody else's.
        broadcast: whether its sender may send to a broadcast address.
        pmtudisc: whether it may be fragmented; None for what its socket, or the stack, has.
        tos: type of service, which rules may select; None for that of its socket, or else 0.
        ttl: time to live; None for that of its socket, or the stack's own, or else 64.
        mark: that rules may select (Linux SO_MARK); None for that of its socket, or else 0.
        uid: of the user who sends it; None for that of its socket, or else the stack's own user.
        dmac: of what comes in, the destination of its frame; None for the one that its sender
            would choose.
        binds: whether its sender is a program that has to bind a socket to ``src`` first.
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
    mark: int | None = None
    uid: int | None = None
    dmac: bytes | None = None
    binds: bool = False


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
        interface = clone.interface(question.iif)
        frame = _arriving(net, interface, question)
        return happen_to_come_in(clone, interface, frame, now, trace, question.mark or 0)
    with _run_out(clone, trace, now):
        sender = send_out(clone, question, now, trace)
    if isinstance(sender, TcpSocket):
        conclude(clone.tcp, clone.loopback, sender, now, trace)
    return trace


Sender = UdpSocket | TcpSocket | EchoClient
"""Those who send what is asked about, and hear the answer."""


def send_out(clone: Stack, question: Question, now: int, trace: Trace) -> Sender | None:
    """Send a packet from a clone, as a program would; return who sent it.

    None is returned for a question for a MAC address, and where there is no way for a connection.
    What leaves waits in the outboxes, and what comes back by the loopback in its queue.
    """
    net = clone.networks.for_address(question.dst)
    with suppress(SendRejected, NoBuffers):
        question = _bound_question(net, question, now, trace)
        if question.proto == "udp":
            return _udp_out(clone.udp, net, question, now, trace)
        if question.proto == "tcp":
            attempt = Attempt(
                question.src, question.sport, question.dst, question.dport, question.dev,
                question.tos or 0, question.ttl, question.mark or 0, _uid(clone, question),
            )  # fmt: skip
            return tcp_out(clone.tcp, net, attempt, now, trace)
        if question.proto == "icmp":
            return _icmp_out(clone, net, question, now, trace)
        if question.proto == "nd":
            _nd_out(net, question, now, trace)
        else:
            arp_out(net, question, now, trace)
    return None


def _uid(clone: Stack, question: Question) -> int:
    return clone.shared.uid if question.uid is None else question.uid


def happen_to_come_in(
    clone: Stack, interface: Interface, frame: bytes, now: int, trace: Trace, mark: int = 0
) -> Trace:
    """Let a frame come in on a clone, whose packet has a mark; return its trace."""
    interface = _entrance(clone, interface)
    trace.direction, trace.dev = Direction.IN, interface.name
    clone.journal.follow(trace, now)
    with _run_out(clone, trace, now):
        fit = not interface.mtu_in or fits(clone.shared.recorder, interface, frame, now, trace)
        if fit:
            frame_input(clone.protocols, interface, frame, now, trace, mark)
    return trace


def _entrance(clone: Stack, interface: Interface) -> Interface:
    """Return the interface by which a frame comes in: a bridge's port, if no port of it is up.

    Nothing but its ports brings a bridge frames, and one that is down takes none (Linux
    ``enqueue_to_backlog``, ``br_port_state_selection``).
    """
    ports = [
        each for each in clone.interfaces.values()
        if each.mirror is not None and each.mirror.master is interface
    ]  # fmt: skip
    return ports[0] if ports and not any(port.up for port in ports) else interface


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


def _bound_question(net: Network, question: Question, now: int, trace: Trace) -> Question:
    """Return what is asked for by the socket that a program has, if that is bound to the source.

    From a group or a broadcast address it does not send, but from whichever is chosen. Source:
    Linux ``__inet_bind``, ``__inet6_bind``, ``ping_check_bind_addr``.

    Raises:
        SendRejected: nobody can be bound to it, or not on the link that is named; a route alone may
            make it ours.
    """
    src, dev = question.src, question.dev
    if src is None or question.proto not in _OF_SOCKETS:
        return question
    ours = net.is_bindable(src)
    refused, elsewhere = net.fib.is_local(src) and not ours, False
    if question.binds:
        group = is_multicast(src) or net.is_broadcast(src)
        if is_unspecified(src) or (group and net.family is IPV4 and question.proto != "icmp"):
            return question._replace(src=None)
        loops = is_loopback(src) and net.family is IPV6 and dev not in (None, "lo")
        elsewhere = ours and (loops or not is_local_at(net, src, dev))
        refused = elsewhere or not ours
    if refused and not net.binds_others:
        follow(net.recorder, trace, now)
        trace.flow = _meant(net, question)
        beyond = Refusal(reason.TX_BEYOND_SCOPE, dev or "", {"ip": src, "dst": question.dst})
        refuse(net.recorder, beyond if elsewhere else not_ours(net, src, dev), now, trace)
    return question


_OF_SOCKETS = ("udp", "tcp", "icmp")


def _meant(net: Network, question: Question) -> Flow:
    """Return the packet that a program asks its socket to send."""
    proto, src, dst, size = question.proto, question.src, question.dst, question.size
    if proto == "icmp" and net.family is IPV6:
        return Flow("icmp6", src, icmpv6.Type.ECHO_REQUEST, dst, 0, size)
    if proto == "icmp":
        return Flow(proto, src, icmpv4.Type.ECHO_REQUEST, dst, 0, size)
    flags = SYN if proto == "tcp" else 0
    return Flow(proto, src, question.sport, dst, question.dport, size, flags=flags)


def _udp_out(udp: Udp, net: Network, question: Question, now: int, trace: Trace) -> UdpSocket:
    """Send a datagram from the socket that is bound to its source, or from a new one."""
    src = question.src
    socket = _bound(udp, net, question) if question.sport else None
    if socket is None:
        socket = udp.open("the sender", net.family)
        own = src is not None and is_local_at(net, src, question.dev)
        local = src if own else ANY
        with suppress(AddressInUse):
            udp.bind(socket, local, question.sport, question.dev)
    socket.broadcast = socket.broadcast or question.broadcast
    if question.dev is not None:
        socket.dev = question.dev
    if question.pmtudisc is not None:
        socket.pmtudisc = question.pmtudisc
    if question.tos is not None:
        socket.tos = question.tos
    if question.mark is not None:
        socket.mark = question.mark
    if question.uid is not None:
        socket.uid = question.uid
    if question.ttl is not None:
        socket.ttl = socket.multicast_ttl = question.ttl
    source = src if socket.local != src else None
    item = OutgoingDatagram(bytes(question.size), question.dst, question.dport, source, trace)
    with suppress(SendRejected, NoBuffers):
        udp.send_from(socket, item, now)
    return socket


def _bound(udp: Udp, net: Network, question: Question) -> UdpSocket | None:
    """Return the socket that sends from the source, the address' own before one for any.

    Of several that share it (SO_REUSEADDR) any may; the one that hears the answer is meant.
    """
    src, sport, dev = question.src, question.sport, question.dev
    me = net.family.mark if src is None else src
    hears = udp.lookup(question.dst, question.dport, me, sport, dev or "")
    if hears is not None:
        return hears
    found = [
        socket
        for socket in udp.at_port(sport)
        if socket.dev in (None, dev) and socket.speaks(question.dst)
    ]
    for local in (src, ANY):
        for socket in reversed(found):
            if socket.local == local:
                return socket
    return None


def _icmp_out(clone: Stack, net: Network, question: Question, now: int, trace: Trace) -> EchoClient:
    """Send an echo request."""
    client, body = clone.ping.open(question.dst), bytes(question.size)
    pmtudisc = net.pmtudisc if question.pmtudisc is None else question.pmtudisc
    how = SendOptions(
        question.src, question.dev, question.ttl, question.tos or 0, pmtudisc=pmtudisc,
        broadcast=question.broadcast, mark=question.mark or 0, uid=_uid(clone, question),
    )  # fmt: skip
    rest = client.ident << 16 | 1
    if net.family is IPV6:
        asked = icmpv6.Icmpv6Message(icmpv6.Type.ECHO_REQUEST, 0, rest, body)
        with suppress(SendRejected, NoBuffers):
            icmp6_output(net, asked, question.dst, now, how, trace, client)
        return client
    message = icmpv4.IcmpMessage(icmpv4.Type.ECHO_REQUEST, 0, rest, body)
    with suppress(SendRejected, NoBuffers):
        icmp_output(net, message, question.dst, now, how, trace, client)
    return client


def arp_out(net: Network, question: Question, now: int, trace: Trace) -> None:
    """Ask for the MAC address that a packet to the destination needs."""
    way = _way_to_ask(net, question, arp.PACKET_LEN, now, trace)
    if way is not None:
        request = arp_request(way.interface, way.src or 0, way.next_hop)
        arp_output(net, way.interface, request, BROADCAST_MAC, now, trace)


def _nd_out(net: Network, question: Question, now: int, trace: Trace) -> None:
    """Ask for the MAC address that a packet of IPv6 needs (RFC 4861 7.2.2).

    From the packet's source if that is an address of the link, else from another of the link.
    """
    way = _way_to_ask(net, question, _SOLICITATION_LEN, now, trace)
    if way is None:
        return
    source = way.src
    if source is None or not usable(way.interface, source):
        source = asking_address(way.interface)
    if source == UNSPECIFIED6:
        refusal = no_source(net, way.interface, way.dst, way.next_hop)
        net.recorder.record(refusal.reason, refusal.dev, now, trace, **refusal.values)
        return
    asked = solicitation(way.interface, way.next_hop, source)
    solicitation_output(net, way.interface, asked, source, trace, now)


def _way_to_ask(
    net: Network, question: Question, length: int, now: int, trace: Trace
) -> Way | None:
    """Return the way by which a next hop is asked for its MAC address; None when none is."""
    recorder = net.recorder
    recorder.follow(trace, now)
    trace.flow = Flow(question.proto, question.src, 0, question.dst, 0, length)
    key = RouteKey(
        question.dst, question.src, question.dev, mark=question.mark or 0, uid=question.uid or 0
    )
    way = route_output(net, key)
    if isinstance(way, Refusal):
        recorder.record(way.reason, way.dev, now, trace, **way.values)
        return None
    recorder.note_candidates(key, way.route, trace, now)
    trace.step("route", "pick", now, way)
    out, hop = way.interface, way.next_hop
    asked = out.medium is Medium.ETHERNET and out.arp
    if not asked or way.type is not WayType.UNICAST:
        values = {"ip": question.dst, "out": out.name, "cause": _NOT_ASKED[way.type]}
        why = reason.ND_NOT_NEEDED if net.family is IPV6 else reason.ARP_NOT_NEEDED
        recorder.record(why, out.name, now, trace, **values)
        trace.settle(Fate.ABSORBED, now)
        return None
    entry = net.neighbors[out.name].lookup(hop)
    if entry is not None and entry.state in VALID and entry.lladdr is not None:
        trace.step("neigh", "ok", now, Resolved(hop, entry.state.value, entry.lladdr))
    return way


_NOT_ASKED = {
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
    if interface.medium is Medium.IP:
        raise InvalidArgument(
            f"nothing comes in by {interface.name} that was not sent here",
            hint="name an interface that has a wire: smolctl link show",
        )
    if question.proto in ("arp", "nd") and interface.medium is not Medium.ETHERNET:
        raise InvalidArgument(
            f"nobody is asked for a link address on {interface.name}: there are none"
        )
    src, dst = net.family.mark if question.src is None else question.src, question.dst
    interface = interface.receiver
    sender, to = _sender_mac(net, interface, src), interface.mac
    if question.proto == "arp" or _is_for_all(net, interface, dst):
        to = BROADCAST_MAC
    if is_multicast(dst):
        to = multicast_mac(dst)
    kind = ethernet.EtherType.IPV4
    if question.proto == "arp":
        kind = ethernet.EtherType.ARP
        payload = arp.ArpPacket(arp.Op.REQUEST, sender, src, ZERO_MAC, dst).to_bytes()
    elif question.proto == "nd":
        kind, to = ethernet.EtherType.IPV6, multicast_mac(solicited_node(dst))
        payload = _solicitation(src, dst, sender)
    elif net.family is IPV6:
        kind, payload = ethernet.EtherType.IPV6, _packet6(question, src)
    else:
        payload = _packet(question)
    to = to if question.dmac is None else question.dmac
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


def _packet6(question: Question, src: int) -> bytes:
    dst, body = question.dst, bytes(question.size)
    if question.proto == "udp":
        protocol = NextHeader.UDP
        segment = udp.to_bytes(question.sport, question.dport, body, src, dst)
    elif question.proto == "tcp":
        protocol, segment = NextHeader.TCP, syn(question.sport, question.dport, src, dst)
    else:
        protocol = NextHeader.ICMPV6
        echo = icmpv6.Icmpv6Message(icmpv6.Type.ECHO_REQUEST, 0, 1 << 16 | 1, body)
        segment = echo.to_bytes(src, dst)
    hops, traffic_class = question.ttl or _TTL, question.tos or 0
    header = Ipv6Header(traffic_class, 0, len(segment), protocol, hops, src, dst)
    return header.to_bytes() + segment


def _solicitation(src: int, target: int, sender: bytes) -> bytes:
    """Return the packet that asks who has an address; from ``::`` it tests it (RFC 4862 5.4.2)."""
    own = None if src == UNSPECIFIED6 else sender
    group = solicited_node(target)
    body = ndp.NeighborSolicitation(target, ndp.Options(source=own)).to_bytes(src, group)
    header = Ipv6Header(0, 0, len(body), NextHeader.ICMPV6, ndp.HOP_LIMIT, src, group)
    return header.to_bytes() + body


def _sender_mac(net: Network, interface: Interface, src: int) -> bytes:
    known = net.neighbors[interface.name].lookup(src)
    if known is not None and known.lladdr is not None:
        return known.lladdr
    return next(mac for mac in _SOME_MACS if mac != interface.mac)
