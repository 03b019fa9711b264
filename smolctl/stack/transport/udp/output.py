"""UDP output: from a socket's datagram to IP."""

from typing import TYPE_CHECKING

from smolctl.errors import NoBuffers
from smolctl.stack import reason
from smolctl.stack.explain import suggest
from smolctl.stack.fastpath import udp as fast_udp
from smolctl.stack.fib.rule import Traits
from smolctl.stack.ipv4.output import (
    NO_OPTIONS,
    checked_source,
    choose_way,
    default_ttl,
    follow,
    ip_output,
    refuse,
)
from smolctl.stack.trace.facts import Bound
from smolctl.stack.trace.trace import Flow, Trace
from smolctl.stack.transport.send_queue import Held
from smolctl.stack.transport.udp import blocked
from smolctl.wire import ipv4, udp
from smolctl.wire.address import format_address
from smolctl.wire.ipv4_options import outgoing

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack
    from smolctl.stack.transport.udp.socket import UdpSocket


def udp_output(
    stack: "Stack",
    socket: "UdpSocket",
    payload: bytes,
    dst: int,
    dport: int,
    now: int,
    trace: Trace | None = None,
    src: int | None = None,
    cause: Trace | None = None,
) -> None:
    """Send one datagram from a bound socket, or keep it there where the knobs say so.

    Args:
        payload: 0..65507 bytes; more than the MTU allows is fragmented, or refused when the socket
            insists on DF.
        trace: follows the datagram; its fate may settle later (ARP, the device).
        src: source address for this datagram only.
        cause: the datagram that this one answers.

    Raises:
        SendRejected: it did not leave, and never will; the reason is counted.
        NoBuffers: the neighbor cache is full of permanent entries.
    """
    trace = follow(stack, trace, now, cause)
    source = src if src is not None else socket.local or None
    trace.flow = Flow("udp", source, socket.port, dst, dport, len(payload))
    if len(payload) > udp.MAX_PAYLOAD:
        refuse(stack, reason.TX_PAYLOAD_TOO_LONG, "", now, trace, n=len(payload))
    if dport == 0:
        refuse(stack, reason.TX_DST_INVALID, "", now, trace, ip="port 0")
    source = blocked.source_of(stack, socket, src, dst)
    trace.step("socket", "ok", now, Bound(socket.local, socket.port, socket.dev, socket.owner))
    patient = socket.held is not None or stack.settings["ip.no_route"]
    if patient and _kept(stack, socket, Held(payload, dst, dport, src, trace), source, now):
        return
    traits = Traits(ipv4.Protocol.UDP, socket.port, dport, socket.tos)
    options = outgoing(socket.options, dst) if socket.options else NO_OPTIONS
    hop = dst if options.hop is None else options.hop
    decision = choose_way(stack, hop, source, socket.dev_to(dst), traits, now, trace)
    out = decision.interface
    if decision.type == "broadcast" and not socket.broadcast:
        refuse(
            stack, reason.TX_BROADCAST_DENIED, out.name, now, trace,
            ip=format_address(dst), port=dport,
        )  # fmt: skip
    size = ipv4.MIN_HEADER_LEN + len(options.raw) + udp.HEADER_LEN + len(payload)
    source = checked_source(stack, decision, size, socket.pmtudisc, now, trace, options.raw)
    if not stack.settings["neigh.unres_qlen"] and blocked.for_neighbor(
        stack, socket, Held(payload, dst, dport, src, trace), decision, now
    ):
        return
    segment = udp.to_bytes(socket.port, dport, payload, source, dst)
    ttl = socket.multicast_ttl if decision.type == "multicast" else socket.ttl
    ttl = default_ttl(stack, decision) if ttl is None else ttl
    how = (socket.pmtudisc, socket.tos, options.raw)
    loop = socket.multicast_loop
    ip_output(stack, decision, ipv4.Protocol.UDP, segment, ttl, now, trace, *how, loop=loop)
    socket.tx_datagrams += 1
    if not (socket.tos or socket.options):
        fast_udp.learn_egress(stack, socket, decision, dport, ttl, src)


def _kept(stack: "Stack", socket: "UdpSocket", item: Held, source: int | None, now: int) -> bool:
    """Keep a datagram in its socket when another one waits there, or there is no route yet."""
    if socket.held is not None:
        if blocked.is_full(socket, item):
            refuse(
                stack, reason.UDP_SNDBUF_FULL, socket.held.dev, now, item.trace, port=socket.port,
                queued=socket.held.bytes, limit=socket.sndbuf,
                **suggest.room(socket.sndbuf, "udp.wmem_default"),
            )  # fmt: skip
        blocked.behind(stack, socket, item, now)
        return True
    missing = blocked.lacks_route(stack, socket, item, source)
    if missing is not None:
        blocked.for_route(stack, socket, item, missing, now)
    return missing is not None


def udp_autobind(stack: "Stack", socket: "UdpSocket", now: int, trace: Trace | None) -> None:
    """Give a socket that sends for the first time a port (RFC 6335 6).

    Raises:
        SendRejected: tx-no-port.
    """
    try:
        stack.udp_bind(socket, socket.local, 0, socket.dev)
    except NoBuffers:
        trace = follow(stack, trace, now)
        first, last = (stack.settings[f"ip.local_port_{end}"] for end in ("first", "last"))
        refuse(stack, reason.TX_NO_PORT, "", now, trace, **suggest.ports(first, last))
