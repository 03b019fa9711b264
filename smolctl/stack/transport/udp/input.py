"""UDP input: a datagram, from IP to the queue of its socket."""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from smolctl.stack import reason
from smolctl.stack.explain import suggest
from smolctl.stack.fastpath import udp as fast_udp
from smolctl.stack.interface import Interface
from smolctl.stack.ipv4 import icmp_error
from smolctl.stack.packet import Cast, wire_fault
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Bound
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.stack.transport.udp.socket import ANY, DATAGRAM_OVERHEAD, Datagram, UdpSocket
from smolctl.wire import icmpv4, ipv4, udp
from smolctl.wire.address import format_address, is_multicast
from smolctl.wire.fault import WireFault

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def udp_input(
    stack: "Stack",
    interface: Interface,
    packet: bytes,
    header: ipv4.Ipv4Header,
    now: int,
    trace: Trace,
    cast: Cast = Cast.HOST,
    *,
    looped: bool = False,
) -> None:
    """Deliver a datagram to the most specific socket; a broadcast to all that match."""
    segment = packet[header.header_len :]
    src, dst = header.src, header.dst
    parsed = udp.parse(segment, src, dst)
    if isinstance(parsed, WireFault):
        wire_fault(stack, interface, parsed, now, trace)
        return
    trace.step("udp", "ok", now, parsed)
    name, sport, dport = interface.name, parsed.sport, parsed.dport
    payload = segment[udp.HEADER_LEN : parsed.length]
    tos, options = header.dscp_ecn, header.options
    datagram = Datagram(payload, src, sport, dst, dport, name, now, tos, options)
    if is_multicast(dst) or stack.is_broadcast(dst):
        group_deliver(stack, datagram, trace)
        return
    socket = stack.udp.lookup(src, sport, dst, dport, name)
    if socket is None:
        why, detail = _no_socket(stack, datagram)
        stack.ledger.record(why, name, now, trace, **detail)
        icmp_error.answer(
            stack, interface, icmpv4.Type.DEST_UNREACHABLE, icmpv4.Unreachable.PORT,
            packet, header, now, trace, group_frame=cast is not Cast.HOST,
        )  # fmt: skip
        return
    socket_deliver(stack, socket, datagram, trace)
    if not looped:
        fast_udp.learn_ingress(stack, interface, socket, header, parsed)


def socket_deliver(stack: "Stack", socket: UdpSocket, datagram: Datagram, trace: Trace) -> None:
    """Queue a datagram for its socket, within the socket's bound."""
    at_ns = datagram.at_ns
    trace.step("socket", "pick", at_ns, taker(socket))
    if not socket.has_room(datagram.payload):
        detail = note_no_room(socket)
        stack.ledger.record(reason.UDP_RCVBUF_FULL, datagram.dev, at_ns, trace, **detail)
        return
    enqueue(stack, socket, datagram)
    trace.dev = datagram.dev
    trace.settle(Fate.DELIVERED, at_ns)


def _no_socket(stack: "Stack", datagram: Datagram) -> tuple[Reason, dict[str, object]]:
    """Tell why nobody took a datagram: the port is free, or its socket wants something else."""
    shown = format_address
    ip, port = shown(datagram.dst), datagram.dport
    bound = stack.udp.at_port(port)
    for socket in bound:
        other = (socket.peer, socket.peer_port) != (datagram.src, datagram.sport)
        if socket.local in (ANY, datagram.dst) and socket.peer is not None and other:
            return reason.UDP_PEER_MISMATCH, {
                "peer": f"{shown(socket.peer)}:{socket.peer_port}",
                "source": f"{shown(datagram.src)}:{datagram.sport}",
            }
    if bound:
        return reason.UDP_BOUND_ELSEWHERE, {"ip": ip, "port": port, "bound": bound_text(bound)}
    return reason.UDP_PORT_CLOSED, {"ip": ip, "port": port}


def group_deliver(stack: "Stack", datagram: Datagram, trace: Trace) -> None:
    """Queue a broadcast or multicast for every socket that wants it (RFC 1122 4.1.3.5).

    The datagram has one fate: it is delivered when at least one of them has room for it. Further
    copies are counted, and so is each that a socket has no room for.
    """
    payload, src, sport, dst, dport, dev, at_ns, *_ = datagram
    group = is_multicast(dst)
    sockets = stack.udp.matching(src, sport, dst, dport, dev, multicast=group)
    if not sockets:
        ip = format_address(dst)
        stack.ledger.record(
            reason.UDP_NO_LISTENER, dev, at_ns, trace, ip=ip, port=dport,
            group=ip if group else None, broadcast=None if group else ip,
            bound=bound_text(stack.udp.at_port(dport)),
        )  # fmt: skip
        return
    full = [socket for socket in sockets if not socket.has_room(payload)]
    takers = [socket for socket in sockets if socket not in full]
    for socket in takers:
        trace.step("socket", "pick", at_ns, taker(socket))
        enqueue(stack, socket, datagram)
    trace.dev = dev
    for socket in full if takers else full[1:]:
        lost = note_no_room(socket)
        stack.ledger.record(reason.UDP_COPY_LOST, dev, at_ns, trace, **lost)
    if takers:
        if len(takers) > 1:
            stack.ledger.count("udp.copies_delivered", len(takers) - 1)
        trace.settle(Fate.DELIVERED, at_ns)
    else:
        lost = note_no_room(full[0])
        stack.ledger.record(reason.UDP_RCVBUF_FULL, dev, at_ns, trace, **lost)


_SHOWN_MAX = 4
"""Sockets that an explanation names."""


def enqueue(stack: "Stack", socket: UdpSocket, datagram: Datagram) -> None:
    """Put a datagram into a queue that has room for it, and wake who reads it."""
    socket.queue.append(datagram.raw())
    socket.queue_bytes += len(datagram.payload) + DATAGRAM_OVERHEAD
    socket.rx_datagrams += 1
    if not socket.ready:
        stack.wake(socket)


def note_no_room(socket: UdpSocket) -> dict[str, object]:
    """Note that a socket had no room; return the details for the reason."""
    socket.drops += 1
    room = suggest.room(socket.rcvbuf, "udp.rmem_default")
    return {"queued": socket.queue_bytes, "limit": socket.rcvbuf, "port": socket.port, **room}


def taker(socket: UdpSocket) -> Bound:
    """Return what a step says about the socket that was picked."""
    return Bound(socket.local, socket.port, socket.dev, socket.owner)


def bound_text(sockets: Iterable[UdpSocket]) -> str:
    """Return what some sockets are bound to, in one line."""
    return ", ".join(
        format_address(socket.local)
        + (f" dev {socket.dev}" if socket.dev else "")
        + (f" ({socket.owner})" if socket.owner else "")
        for socket in islice(sockets, _SHOWN_MAX)
    )
