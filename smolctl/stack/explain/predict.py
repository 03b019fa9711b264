"""What would happen to a packet: it is sent, or comes in, on a twin of the stack.

Nothing is guessed: the twin runs the data path's own functions. What others would do (answer ARP,
take the frame) is not known, so a prediction ends where the packet waits for them or leaves.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from smolctl.errors import AddressInUse, InvalidArgument, NoBuffers, SendRejected
from smolctl.stack import reason
from smolctl.stack.clone.packet_clone import twin_of
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.ip.route_output import Refusal, decide
from smolctl.stack.ipv4.output import icmp_output, note_losers
from smolctl.stack.link.input import frame_input
from smolctl.stack.link.outbox import TracedFrame
from smolctl.stack.neighbor.output import arp_output
from smolctl.stack.neighbor.states import VALID
from smolctl.stack.trace.facts import Resolved
from smolctl.stack.trace.trace import Direction, Fate, Flow, Trace
from smolctl.stack.transport.udp.socket import ANY, UdpSocket
from smolctl.wire import arp, ethernet, icmpv4, ipv4, udp
from smolctl.wire.address import (
    BROADCAST_MAC,
    ZERO_MAC,
    format_address,
    is_multicast,
    multicast_mac,
)

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

_PACKETS = 64
"""Packets that one may lead to on the loopback: an answer, an error about that, ..."""
_TTL = 64
_SOME_MACS = (b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02")
"""A sender's MAC address where nobody knows it; one of them is not our own."""


class Question(NamedTuple):
    """A packet that might be sent, or come in.

    Attributes:
        proto: "udp", "icmp" (an echo request) or "arp" (a request).
        src: None for the address that the stack would choose.
        sport, dport: of UDP; port 0 as source is any that is free.
        size: bytes of payload.
        dev: interface by which it must leave.
        iif: interface by which it comes in, when it is somebody else's.
        broadcast: whether its socket may send to a broadcast address.
        pmtudisc: whether it may be fragmented; None for as its socket, or the stack, has it.
        tos: type of service, which rules may select; None for that of its socket, or else 0.
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


def predict(stack: "Stack", question: Question, now: int) -> Trace:
    """Return the trace of a packet that was not sent; the stack is as it was.

    Raises:
        NoSuchDevice: ``dev`` or ``iif`` names no interface.
        InvalidArgument: no packet can come in by ``iif``.
    """
    if question.dev is not None:
        stack.interface(question.dev)
    twin = twin_of(stack)
    trace = Trace()
    waiting = {name: len(link.outbox) for name, link in twin.interfaces.items()}
    with suppress(SendRejected, NoBuffers):
        if question.iif is not None:
            _come_in(twin, twin.interface(question.iif), question, now, trace)
        else:
            _OUT[question.proto](twin, question, now, trace)
    for _ in range(_PACKETS):
        if not twin.loop_input(now):
            break
    for name, link in twin.interfaces.items():
        new = link.outbox[waiting[name] :]
        twin.transmitted(link, [item for item in new if isinstance(item, TracedFrame)], now)
    return trace


# --- out ------------------------------------------------------------------------------------------


def udp_out(twin: "Stack", question: Question, now: int, trace: Trace) -> None:
    """Send a datagram from the socket that is bound to its source, or from a new one."""
    src = question.src
    socket = _bound(twin, question) if question.sport else None
    if socket is None:
        socket = twin.udp_open("the sender")
        local = src if src is not None and twin.fib.is_local(src) else ANY
        with suppress(AddressInUse):
            twin.udp_bind(socket, local, question.sport, question.dev)
    socket.broadcast = socket.broadcast or question.broadcast
    if question.dev is not None:
        socket.dev = question.dev
    if question.pmtudisc is not None:
        socket.pmtudisc = question.pmtudisc
    if question.tos is not None:
        socket.tos = question.tos
    source = src if socket.local != src else None
    payload = bytes(question.size)
    twin.udp_send(socket, payload, question.dst, question.dport, now, trace, source)


def _bound(twin: "Stack", question: Question) -> UdpSocket | None:
    """Return the socket that is bound to the source, the address' own before one for any."""
    found = [socket for socket in twin.udp.at_port(question.sport) if socket.dev in
             (None, question.dev)]  # fmt: skip
    for local in (question.src, ANY):
        for socket in found:
            if socket.local == local:
                return socket
    return None


def icmp_out(twin: "Stack", question: Question, now: int, trace: Trace) -> None:
    """Send an echo request."""
    client = twin.echo_open(question.dst)
    message = icmpv4.IcmpMessage(
        icmpv4.Type.ECHO_REQUEST, 0, client.ident << 16 | 1, bytes(question.size)
    )
    pmtudisc = twin.pmtudisc if question.pmtudisc is None else question.pmtudisc
    icmp_output(
        twin, message, question.dst, now, src=question.src, dev=question.dev, pmtudisc=pmtudisc,
        tos=question.tos or 0, trace=trace,
    )  # fmt: skip


def arp_out(twin: "Stack", question: Question, now: int, trace: Trace) -> None:
    """Ask for the MAC address that a packet to the destination needs."""
    twin.journal.follow(trace, now)
    trace.flow = Flow("arp", question.src, 0, question.dst, 0, arp.PACKET_LEN)
    way = decide(twin, question.dst, question.src, question.dev)
    if isinstance(way, Refusal):
        twin.ledger.record(way.reason, way.dev, now, trace, **way.detail)
        return
    note_losers(twin, question.dst, now, trace, way.route, src=question.src, dev=question.dev)
    trace.step("route", "pick", now, way)
    out, hop = way.interface, way.next_hop
    if out.medium is not Medium.ETHERNET or way.type != "unicast":
        twin.ledger.record(
            reason.ARP_NOT_NEEDED, out.name, now, trace,
            ip=format_address(question.dst), cause=_NO_ARP[way.type].format(dev=out.name),
        )  # fmt: skip
        trace.settle(Fate.ABSORBED, now)
        return
    entry = twin.neighbors[out.name].lookup(hop)
    if entry is not None and entry.state in VALID and entry.lladdr is not None:
        trace.step("neigh", "ok", now, Resolved(hop, entry.state.value, entry.lladdr))
    request, target = arp.Op.REQUEST, BROADCAST_MAC
    arp_output(twin, out, request, way.src or 0, ZERO_MAC, hop, target, now, trace)


_NO_ARP = {
    "local": "is our own and is reached without any link",
    "unicast": "is reached by {dev}, which has no MAC addresses",
    "broadcast": "is a broadcast address, whose MAC address is known",
    "multicast": "is a multicast address, whose MAC address follows from it",
}
_OUT = {"udp": udp_out, "icmp": icmp_out, "arp": arp_out}


# --- in -------------------------------------------------------------------------------------------


def _come_in(
    twin: "Stack", interface: Interface, question: Question, now: int, trace: Trace
) -> None:
    """Let a frame come in as its sender would have built it."""
    if interface.medium is not Medium.ETHERNET:
        raise InvalidArgument(
            f"nothing comes in by {interface.name} that was not sent here",
            hint="name an interface that has a wire: smolctl link show",
        )
    trace.direction, trace.dev = Direction.IN, interface.name
    twin.journal.follow(trace, now)
    sender = _sender_mac(twin, interface, question.src or 0)
    group = question.proto == "arp" or twin.is_broadcast(question.dst)
    to = BROADCAST_MAC if group else interface.mac
    if is_multicast(question.dst):
        to = multicast_mac(question.dst)
    kind, payload = ethernet.EtherType.ARP, b""
    if question.proto == "arp":
        payload = arp.ArpPacket(
            arp.Op.REQUEST, sender, question.src or 0, ZERO_MAC, question.dst
        ).to_bytes()
    else:
        kind, payload = ethernet.EtherType.IPV4, _packet(question)
    frame = ethernet.EthernetHeader(to, sender, kind).to_bytes() + payload
    frame_input(twin, interface, frame, now, trace)


def _packet(question: Question) -> bytes:
    src, dst = question.src or 0, question.dst
    if question.proto == "udp":
        protocol = ipv4.Protocol.UDP
        segment = udp.to_bytes(question.sport, question.dport, bytes(question.size), src, dst)
    else:
        protocol = ipv4.Protocol.ICMP
        segment = icmpv4.IcmpMessage(
            icmpv4.Type.ECHO_REQUEST, 0, 1 << 16 | 1, bytes(question.size)
        ).to_bytes()
    size, tos = ipv4.MIN_HEADER_LEN + len(segment), question.tos or 0
    header = ipv4.Ipv4Header(5, tos, size, 0, True, False, 0, _TTL, protocol, src, dst)
    return header.to_bytes() + segment


def _sender_mac(twin: "Stack", interface: Interface, src: int) -> bytes:
    known = twin.neighbors[interface.name].lookup(src)
    if known is not None and known.lladdr is not None:
        return known.lladdr
    return next(mac for mac in _SOME_MACS if mac != interface.mac)
