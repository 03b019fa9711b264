"""IPv4 output: the header, the source address, and the link that a packet leaves by."""

from typing import TYPE_CHECKING, Never

from smolctl.stack import reason
from smolctl.stack.explain import candidates, suggest
from smolctl.stack.fib.nexthop import Hop
from smolctl.stack.fib.route import Route
from smolctl.stack.fib.rule import PLAIN, Traits
from smolctl.stack.interface import Medium
from smolctl.stack.ip import gateways
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.ip.route_output import Decision, Refusal, decide, no_source, rejection
from smolctl.stack.ipv4 import options as ip_options
from smolctl.stack.ipv4.fragment_output import fragments_output, packet_output
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Hashed, Loser, Ruled
from smolctl.stack.trace.trace import Direction, Flow, Trace
from smolctl.wire import icmpv4, ipv4, udp
from smolctl.wire.ipv4_options import Outgoing

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


NO_OPTIONS = Outgoing(b"")
HEADERS_LEN = ipv4.MIN_HEADER_LEN + udp.HEADER_LEN
"""Bytes in front of a datagram's payload, and of an echo request's."""
_FEW_ROUTES = 64
"""In a FIB of at most so many routes even those that do not match are shown."""


def icmp_output(
    stack: "Stack",
    message: icmpv4.IcmpMessage,
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
    trace = follow(stack, trace, now, cause)
    trace.flow = Flow("icmp", src, message.type, dst, message.code, len(message.body))
    traits = Traits(ipv4.Protocol.ICMP, tos=tos)
    hop = dst if options.hop is None else options.hop
    decision = choose_way(stack, hop, src, dev, traits, now, trace)
    size = ipv4.MIN_HEADER_LEN + len(options.raw) + icmpv4.HEADER_LEN + len(message.body)
    checked_source(stack, decision, size, pmtudisc, now, trace, options.raw)
    if ttl is None:
        ttl = default_ttl(stack, decision)
    protocol, segment = ipv4.Protocol.ICMP, message.to_bytes()
    ip_output(stack, decision, protocol, segment, ttl, now, trace, pmtudisc, tos, options.raw)
    stack.ledger.count("icmp.messages_sent")
    return decision


def default_ttl(stack: "Stack", decision: Decision) -> int:
    """Return the TTL of a packet that asks for none.

    To a group it is another one, so that nothing leaves the link unasked (RFC 1112 6.1).
    """
    multicast = decision.type == "multicast"
    return stack.settings["ip.multicast_ttl" if multicast else "ip.default_ttl"]


def follow(stack: "Stack", trace: Trace | None, now: int, cause: Trace | None = None) -> Trace:
    """Return the trace of a packet that begins here: the sender's own, or one for the journal."""
    if trace is None:
        return stack.journal.begin(Direction.OUT, now, cause)
    stack.journal.follow(trace, now)
    return trace


def choose_way(
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


def checked_source(
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
    for rule, cause in candidates.passed(stack, dst, src, dev, traits):
        trace.step("rule", "skip" if cause else "pick", now, Ruled(rule, cause))
    for route, cause in candidates.candidates(
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
        packet_output(stack, decision, packet, now, trace)
    else:
        fragments_output(stack, decision, header, segment, now, trace)
