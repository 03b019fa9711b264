"""The way out: from a socket's datagram to a frame in an interface's outbox.

Read it from the bottom of a datagram's life upwards: ``udp_output`` -> ``decide.decide`` ->
``ip_output``, and on to ``egress_link.neighbor_output`` -> ``ethernet_output``. This file holds no
state; the tables it asks are the FIB, the neighbor caches and the interfaces of the stack.
"""

from typing import TYPE_CHECKING, Never

from smolctl.errors import NoBuffers
from smolctl.stack import (
    considered,
    egress_fragment,
    fast,
    gateways,
    hold,
    ip_options,
    reason,
    suggest,
)  # fmt: skip
from smolctl.stack.decide import Decision, Refusal, decide, no_source, rejection
from smolctl.stack.facts import Bound, Hashed, Loser, Ruled
from smolctl.stack.fate import Direction, Flow, Trace
from smolctl.stack.interface import Medium
from smolctl.stack.multipath import Hop
from smolctl.stack.path_mtu import Pmtudisc
from smolctl.stack.reason import Reason
from smolctl.stack.route import Route
from smolctl.stack.rule import PLAIN, Traits
from smolctl.stack.send_queue import Held
from smolctl.wire import addr, icmp, ipv4, udp
from smolctl.wire.ipv4_options import Outgoing, outgoing

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack
    from smolctl.stack.udp_socket import UdpSocket

NO_OPTIONS = Outgoing(b"")
HEADERS_LEN = ipv4.MIN_HEADER_LEN + udp.HEADER_LEN
"""Bytes in front of a datagram's payload, and of an echo request's."""
_FEW_ROUTES = 64
"""In a FIB of at most so many routes even those that do not match are shown."""

# --- UDP and ICMP ---------------------------------------------------------------------------------


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
    trace = _follow(stack, trace, now, cause)
    source = src if src is not None else socket.local or None
    trace.flow = Flow("udp", source, socket.port, dst, dport, len(payload))
    if len(payload) > udp.MAX_PAYLOAD:
        refuse(stack, reason.TX_PAYLOAD_TOO_LONG, "", now, trace, n=len(payload))
    if dport == 0:
        refuse(stack, reason.TX_DST_INVALID, "", now, trace, ip="port 0")
    source = hold.source_of(stack, socket, src, dst)
    trace.step("socket", "ok", now, Bound(socket.local, socket.port, socket.dev, socket.owner))
    patient = socket.held is not None or stack.settings["ip.no_route"]
    if patient and _kept(stack, socket, Held(payload, dst, dport, src, trace), source, now):
        return
    traits = Traits(ipv4.Protocol.UDP, socket.port, dport, socket.tos)
    options = outgoing(socket.options, dst) if socket.options else NO_OPTIONS
    hop = dst if options.hop is None else options.hop
    decision = _decide(stack, hop, source, socket.dev_to(dst), traits, now, trace)
    out = decision.interface
    if decision.type == "broadcast" and not socket.broadcast:
        refuse(
            stack, reason.TX_BROADCAST_DENIED, out.name, now, trace,
            ip=addr.IPV4.format(dst), port=dport,
        )  # fmt: skip
    size = ipv4.MIN_HEADER_LEN + len(options.raw) + udp.HEADER_LEN + len(payload)
    source = _checked_source(stack, decision, size, socket.pmtudisc, now, trace, options.raw)
    if not stack.settings["neigh.unres_qlen"] and hold.for_neighbor(
        stack, socket, Held(payload, dst, dport, src, trace), decision, now
    ):
        return
    segment = udp.to_bytes(socket.port, dport, payload, source, dst)
    ttl = socket.multicast_ttl if decision.type == "multicast" else socket.ttl
    ttl = _default_ttl(stack, decision) if ttl is None else ttl
    how = (socket.pmtudisc, socket.tos, options.raw)
    loop = socket.multicast_loop
    ip_output(stack, decision, ipv4.Protocol.UDP, segment, ttl, now, trace, *how, loop=loop)
    socket.tx_datagrams += 1
    if not (socket.tos or socket.options):
        fast.learn_egress(stack, socket, decision, dport, ttl, src)


def _kept(stack: "Stack", socket: "UdpSocket", item: Held, source: int | None, now: int) -> bool:
    """Keep a datagram in its socket when another one waits there, or there is no route yet."""
    if socket.held is not None:
        if hold.is_full(socket, item):
            refuse(
                stack, reason.UDP_SNDBUF_FULL, socket.held.dev, now, item.trace, port=socket.port,
                queued=socket.held.bytes, limit=socket.sndbuf,
                **suggest.room(socket.sndbuf, "udp.wmem_default"),
            )  # fmt: skip
        hold.behind(stack, socket, item, now)
        return True
    missing = hold.lacks_route(stack, socket, item, source)
    if missing is not None:
        hold.for_route(stack, socket, item, missing, now)
    return missing is not None


def icmp_output(
    stack: "Stack",
    message: icmp.IcmpMessage,
    dst: int,
    now: int,
    *,
    src: int | None = None,
    dev: str | None = None,
    ttl: int | None = None,
    tos: int = 0,
    options: Outgoing = NO_OPTIONS,
    pmtudisc: Pmtudisc = Pmtudisc.DONT,
    trace: Trace | None = None,
    cause: Trace | None = None,
) -> Decision:
    """Send one ICMP message; as ``udp_output``.

    Answers and errors may be fragmented by anybody, as Linux's (icmp_sk_init: IP_PMTUDISC_DONT).

    Args:
        tos: type of service.
        options: of the IPv4 header; their first hop is where it goes first.

    Raises:
        SendRejected: it did not leave, and never will; the reason is counted.
    """
    trace = _follow(stack, trace, now, cause)
    trace.flow = Flow("icmp", src, message.type, dst, message.code, len(message.body))
    traits = Traits(ipv4.Protocol.ICMP, tos=tos)
    hop = dst if options.hop is None else options.hop
    decision = _decide(stack, hop, src, dev, traits, now, trace)
    size = ipv4.MIN_HEADER_LEN + len(options.raw) + icmp.HEADER_LEN + len(message.body)
    _checked_source(stack, decision, size, pmtudisc, now, trace, options.raw)
    if ttl is None:
        ttl = _default_ttl(stack, decision)
    protocol, segment = ipv4.Protocol.ICMP, message.to_bytes()
    ip_output(stack, decision, protocol, segment, ttl, now, trace, pmtudisc, tos, options.raw)
    stack.ledger.count("icmp.messages_sent")
    return decision


def _default_ttl(stack: "Stack", decision: Decision) -> int:
    """Return the TTL of a packet that asks for none.

    To a group it is another one, so that nothing leaves the link unasked (RFC 1112 6.1).
    """
    multicast = decision.type == "multicast"
    return stack.settings["ip.multicast_ttl" if multicast else "ip.default_ttl"]


def _follow(stack: "Stack", trace: Trace | None, now: int, cause: Trace | None = None) -> Trace:
    """Return the trace of a packet that begins here: the sender's own, or one for the journal."""
    if trace is None:
        return stack.journal.begin(Direction.OUT, now, cause)
    stack.journal.follow(trace, now)
    return trace


def udp_autobind(stack: "Stack", socket: "UdpSocket", now: int, trace: Trace | None) -> None:
    """Give a socket that sends for the first time a port (RFC 6335 6).

    Raises:
        SendRejected: tx-no-port.
    """
    try:
        stack.udp_bind(socket, socket.local, 0, socket.dev)
    except NoBuffers:
        trace = _follow(stack, trace, now)
        first, last = (stack.settings[f"ip.local_port_{end}"] for end in ("first", "last"))
        refuse(stack, reason.TX_NO_PORT, "", now, trace, **suggest.ports(first, last))


def _decide(
    stack: "Stack",
    dst: int,
    src: int | None,
    dev: str | None,
    traits: Traits,
    now: int,
    trace: Trace,
) -> Decision:
    """Choose the way; a refusal is counted and raised."""
    if dev is not None and dev not in stack.interfaces:
        refuse(stack, reason.TX_NO_DEVICE, dev, now, trace)
    decision = decide(stack, dst, src, dev, traits)
    if isinstance(decision, Refusal):
        note_losers(stack, dst, now, trace, src=src, dev=dev, traits=traits)
        refuse(stack, decision.reason, decision.dev, now, trace, **decision.detail)
    if trace.id:
        note_losers(stack, dst, now, trace, decision.route, src=src, dev=dev, traits=traits)
    trace.step("route", "pick", now, decision)
    return decision


def _checked_source(
    stack: "Stack",
    decision: Decision,
    size: int,
    pmtudisc: Pmtudisc,
    now: int,
    trace: Trace,
    options: bytes,
) -> int:
    """Return the source address; without one, or when ``size`` bytes are too many: refuse."""
    name = decision.interface.name
    headers = HEADERS_LEN + len(options)
    if decision.src is None:
        missing = no_source(decision.interface, decision.dst, decision.next_hop)
        refuse(stack, missing.reason, name, now, trace, **missing.detail)
    if size > ipv4.MAX_PACKET_LEN:
        refuse(stack, reason.TX_PAYLOAD_TOO_LONG, name, now, trace, n=size - headers)
    if pmtudisc.insists and size > (mtu := _mtu(decision, pmtudisc)):
        refuse(
            stack, reason.TX_TOO_BIG, name, now, trace, n=size, mtu=mtu,
            max_payload=mtu - headers, **suggest.mtu(decision, mtu, size),
        )  # fmt: skip
    return decision.src


def _mtu(decision: Decision, pmtudisc: Pmtudisc) -> int:
    """Return the largest packet, bytes, that leaves whole (Linux ``ip_sk_use_pmtu``)."""
    return decision.interface.mtu if pmtudisc is Pmtudisc.PROBE else decision.mtu


def note_losers(
    stack: "Stack",
    dst: int,
    now: int,
    trace: Trace,
    winner: Route | None = None,
    *,
    src: int | None = None,
    dev: str | None = None,
    traits: Traits = PLAIN,
) -> None:
    """Note which rules and routes were considered, for a packet that somebody will ask about.

    Args:
        winner: the route taken, which need not be the FIB's first choice.
        src, dev, traits: as for ``decide``.
    """
    for rule, cause in considered.passed(stack, dst, src, dev, traits):
        trace.step("rule", "skip" if cause else "pick", now, Ruled(rule, cause))
    for route, cause in considered.candidates(
        stack, dst, winner, _FEW_ROUTES, src=src, dev=dev, traits=traits
    ):
        if cause:
            trace.step("route", "skip", now, Loser(route, cause))
    if isinstance(winner, Hop) and dev is None:
        number = gateways.flow_number(stack, dst, src, traits)
        trace.step("route", "ok", now, Hashed(number, *gateways.share(stack, winner), winner))


def refuse(
    stack: "Stack", why: Reason, dev: str, now: int, trace: Trace, /, **detail: object
) -> Never:
    """Count the refusal of a packet and tell the caller, with Linux's errno.

    Raises:
        SendRejected: always.
    """
    stack.ledger.record(why, dev, now, trace, **detail)
    error = rejection(why, {**detail, "dev": dev})
    error.packet = trace.id or None
    raise error


# --- IP -------------------------------------------------------------------------------------------


def ip_output(
    stack: "Stack",
    decision: Decision,
    protocol: int,
    segment: bytes,
    ttl: int,
    now: int,
    trace: Trace,
    pmtudisc: Pmtudisc,
    tos: int = 0,
    options: bytes = b"",
    *,
    loop: bool = True,
) -> None:
    """Put the IPv4 header on and hand the packet, or its fragments, to the interface.

    Args:
        tos: type of service (RFC 1122 3.2.1.6).
        options: a multiple of 4 bytes, to be filled in.
        loop: members on this stack get what is sent to their group.

    What has DF has ident 0: RFC 6864 4.1 lets an atomic datagram have any. A fragment of ours has
    no DF: on its way, what is too big may be cut once more (Linux ip_fragment).
    """
    if decision.src is None:
        raise AssertionError("ip_output needs a source address")
    copies = decision.type == "broadcast" or (
        decision.type == "multicast"
        and loop
        and decision.interface.groups.allows(decision.dst, decision.src)
    )
    if ttl == 0 and not (copies and decision.type == "multicast"):
        refuse(stack, reason.TX_TTL_ZERO, decision.interface.name, now, trace)
    src, dst = decision.src, decision.dst
    if options:
        options = ip_options.departing(stack, options, src, now)
    size = ipv4.MIN_HEADER_LEN + len(options) + len(segment)
    mtu = _mtu(decision, pmtudisc)
    df = size <= mtu and pmtudisc.df(locked=decision.locked)
    ident = 0 if df else stack.idents.next(src, dst, protocol)
    header = ipv4.Ipv4Header(5, tos, size, ident, df, False, 0, ttl, protocol, src, dst, options)
    packet = header.to_bytes() + segment
    out = decision.interface
    trace.dev, trace.src, trace.gateway = out.name, src, decision.gateway
    trace.frame = packet
    if out.medium is Medium.IP or ttl == 0:
        # RFC 1112 6.1: what has TTL 0 is for the members on this host alone.
        trace.direction = Direction.LOCAL
    elif copies:
        # Sockets here hear it too (Linux ip_mc_output loops a copy back; RFC 1112 6.4).
        copy = stack.journal.begin(Direction.LOCAL, now, trace, out.name)
        copy.frame = packet
        stack.loop_back(out, packet, copy, now)
    if ttl == 0:
        stack.loop_back(out, packet, trace, now)
    elif size <= mtu:
        egress_fragment.packet_output(stack, decision, packet, now, trace)
    else:
        egress_fragment.fragments_output(stack, decision, header, segment, now, trace)
