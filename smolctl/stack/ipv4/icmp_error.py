"""ICMP errors out: when a packet is answered with one, and when RFC 1122 forbids it."""

from typing import TYPE_CHECKING

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack import reason
from smolctl.stack.explain import suggest
from smolctl.stack.fib.rule import Traits
from smolctl.stack.interface import Interface
from smolctl.stack.ip.route_output import Decision, decide
from smolctl.stack.ipv4 import options as ip_options
from smolctl.stack.ipv4.output import icmp_output
from smolctl.stack.neighbor.entry import Action, GiveUp
from smolctl.stack.trace.trace import Trace
from smolctl.wire import icmpv4, ipv4
from smolctl.wire.address import format_address, is_class_e, is_multicast, is_zeronet

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

QUOTE_LIMIT = 576 - ipv4.MIN_HEADER_LEN - icmpv4.HEADER_LEN
"""Bytes an error quotes of the offending packet: it stays within 576 (RFC 1812 4.3.2.3)."""


def answer(
    stack: "Stack",
    interface: Interface,
    icmp_type: icmpv4.Type,
    code: int,
    packet: bytes,
    header: ipv4.Ipv4Header,
    now: int,
    trace: Trace,
    *,
    group_frame: bool,
    rest: int = 0,
) -> None:
    """Answer a packet with an ICMP error, unless RFC 1122 3.2.2 or the rate limit forbids it.

    Args:
        packet: the offending packet, header first.
        trace: its own, which has its fate already.
        group_frame: it came in a link-layer broadcast or multicast.
        rest: the message's second word: a parameter problem's pointer, ...
    """
    if _suppressed(stack, packet, header, group_frame):
        stack.ledger.record(reason.ICMP_REPLY_SUPPRESSED, interface.name, now, trace)
        return
    # The loopback is exempt, as in Linux icmpv4_xrlim_allow: nobody else is bothered.
    limited = _is_limited(icmp_type, code) and not interface.loopback
    if limited and not stack.icmp_limiter.allow(header.src, now):
        stack.ledger.record(
            reason.ICMP_RATE_LIMITED,
            interface.name,
            now,
            trace,
            ip=format_address(header.src),
            **suggest.icmp_room(stack),
        )
        return
    src = header.dst if stack.fib.is_local(header.dst) else None
    # As Linux icmp_send: the options go back as in an answer, and count for the length.
    options = ip_options.answering(header)
    hop = header.src if options.hop is None else options.hop
    tos = _tos(stack, header.dscp_ecn)
    decision = decide(stack, hop, src, traits=Traits(ipv4.Protocol.ICMP, tos=tos))
    room = QUOTE_LIMIT
    if isinstance(decision, Decision):
        room = min(room, decision.mtu - ipv4.MIN_HEADER_LEN - icmpv4.HEADER_LEN)
    room -= len(options.raw)
    message = icmpv4.IcmpMessage(icmp_type, code, rest, packet[: min(room, header.total_length)])
    try:
        icmp_output(stack, message, header.src, now, src=src, tos=tos, options=options, cause=trace)
    except (SendRejected, NoBuffers):
        return  # counted by icmp_output under its own reason
    stack.ledger.count("icmp.errors_sent")


def _tos(stack: "Stack", tos: int) -> int:
    """Return the type of service of an error about a packet with ``tos``.

    RFC 1122 3.2.2 has it 0 (knob value "zero"); RFC 1812 4.3.2.5 that of the packet, with the
    precedence of internetwork control, as Linux does (icmp_send).
    """
    return (tos & _TOS_BITS) | _INTERNETWORK_CONTROL if stack.settings["icmp.error_tos"] else 0


_TOS_BITS, _INTERNETWORK_CONTROL = 0x1E, 0xC0


def given_up(stack: "Stack", out: Interface, actions: list[Action], now: int) -> None:
    """Tell the senders of forwarded packets whose next hop did not answer (RFC 1812 5.2.7.1).

    Args:
        actions: of the neighbor cache of ``out``, carried out already.
    """
    waited = [queued for action in actions if isinstance(action, GiveUp) for queued in
              action.packets]  # fmt: skip
    for packet, trace in ((queued.packet, queued.trace) for queued in waited):
        header = ipv4.parse_unchecked(packet)
        if header is not None and not stack.fib.is_local(header.src):
            answer(
                stack, out, icmpv4.Type.DEST_UNREACHABLE, icmpv4.Unreachable.HOST, packet, header,
                now, trace, group_frame=False,
            )  # fmt: skip


def _is_limited(icmp_type: icmpv4.Type, code: int) -> bool:
    """Tell whether the rate limit is for such errors.

    Not for redirects, which have one of their own, and not where path MTU discovery waits for the
    answer. Source: Linux ``icmpv4_mask_allow``, icmp_ratemask.
    """
    fragmentation_needed = (icmpv4.Type.DEST_UNREACHABLE, icmpv4.Unreachable.FRAG_NEEDED)
    return icmp_type != icmpv4.Type.REDIRECT and (icmp_type, code) != fragmentation_needed


def _suppressed(stack: "Stack", packet: bytes, header: ipv4.Ipv4Header, group_frame: bool) -> bool:
    """Apply RFC 1122 3.2.2: an ICMP error message MUST NOT be sent as the result of these."""
    if group_frame or is_multicast(header.dst) or stack.is_broadcast(header.dst):
        return True
    if header.fragment_offset > 0:
        return True
    src = header.src
    if is_zeronet(src) or is_multicast(src) or is_class_e(src) or stack.is_broadcast(src):
        return True
    if header.protocol == ipv4.Protocol.ICMP:
        kind = packet[header.header_len : header.header_len + 1]
        return not kind or icmpv4.is_error(kind[0])
    return False
