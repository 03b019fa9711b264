"""ICMP input: echo requests are answered; replies and errors find who caused them."""

from typing import TYPE_CHECKING

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack import reason
from smolctl.stack.fib.path_mtu import Path, PathMtu
from smolctl.stack.fib.rule import Traits
from smolctl.stack.interface import Interface
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.ip.route_output import Decision, decide
from smolctl.stack.ipv4 import options as ip_options
from smolctl.stack.ipv4.output import HEADERS_LEN, icmp_output
from smolctl.stack.ipv4.redirect_input import redirect_input
from smolctl.stack.packet import Cast, wire_fault
from smolctl.stack.reason import Reason
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.stack.transport.errors import packet_failed, sender_of
from smolctl.stack.transport.ping import EchoClient, EchoReply
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import icmpv4, ipv4
from smolctl.wire.address import format_address, is_multicast
from smolctl.wire.fault import WireFault

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def icmp_input(
    stack: "Stack",
    interface: Interface,
    packet: bytes,
    header: ipv4.Ipv4Header,
    now: int,
    trace: Trace,
    cast: Cast = Cast.HOST,
) -> None:
    """Answer echo requests, match replies and errors to who sent the question."""
    message = icmpv4.parse(packet[header.header_len :])
    if isinstance(message, WireFault):
        wire_fault(stack, interface, message, now, trace)
        return
    trace.step("icmp", "ok", now, message)
    stack.ledger.count("icmp.messages_received")
    if message.type == icmpv4.Type.ECHO_REQUEST:
        _echo_request(stack, interface, header, message, now, cast, trace)
    elif message.type == icmpv4.Type.ECHO_REPLY:
        _echo_reply(stack, interface, header, message, now, trace)
    elif message.type == icmpv4.Type.TIMESTAMP:
        _timestamp_request(stack, interface, header, message, now, cast, trace)
    elif message.type == icmpv4.Type.REDIRECT:
        redirect_input(stack, interface, header, message, now, trace)
    elif message.type in _IGNORED:
        stack.ledger.record(
            _IGNORED[message.type], interface.name, now, trace,
            type=message.type, ip=format_address(header.src),
        )  # fmt: skip
    elif icmpv4.is_error(message.type):
        _error_input(stack, interface, header, message, now, trace)
    else:
        stack.ledger.record(reason.ICMP_TYPE_UNKNOWN, interface.name, now, trace, type=message.type)


_IGNORED: dict[int, Reason] = {
    # RFC 6633 2: a host MUST silently discard it, and UDP must not act on it.
    icmpv4.Type.SOURCE_QUENCH: reason.ICMP_SOURCE_QUENCH,
    # RFC 1122 3.2.2.9: no mask is sent by who is no authoritative agent; RFC 6918 retired it.
    icmpv4.Type.ADDRESS_MASK_REQUEST: reason.ICMP_MASK_IGNORED,
    icmpv4.Type.ADDRESS_MASK_REPLY: reason.ICMP_MASK_IGNORED,
}


def _echo_request(
    stack: "Stack",
    interface: Interface,
    header: ipv4.Ipv4Header,
    message: icmpv4.IcmpMessage,
    now: int,
    cast: Cast,
    trace: Trace,
) -> None:
    """Answer an echo request from the address it was sent to (RFC 1122 3.2.2.6).

    The reply goes the ordinary way out: where its next hop is not yet resolved it waits in the
    neighbor's queue, so the first ping of an unknown peer is answered.
    """
    group = _is_group(stack, header.dst)
    if stack.settings["icmp.echo_ignore_all"]:
        stack.ledger.record(reason.ICMP_ECHO_IGNORED, interface.name, now, trace)
        return
    if group and stack.settings["icmp.echo_ignore_broadcasts"]:
        stack.ledger.record(
            reason.ICMP_ECHO_BROADCAST, interface.name, now, trace,
            ip=format_address(header.dst),
        )  # fmt: skip
        return
    reply = icmpv4.IcmpMessage(icmpv4.Type.ECHO_REPLY, 0, message.rest, message.body)
    trace.settle(Fate.ANSWERED, now)
    own = None if group else header.dst
    try:
        # RFC 1122 3.2.2.6: with the same data, and its options filled in or reversed. Linux
        # icmp_reply keeps the type of service as well.
        icmp_output(
            stack, reply, header.src, now, src=own, tos=header.dscp_ecn,
            options=ip_options.answering(header), cause=trace,
        )  # fmt: skip
    except (SendRejected, NoBuffers):
        return  # counted by icmp_output under its own reason
    stack.ledger.count("icmp.echo_replies_sent")


def _is_group(stack: "Stack", dst: int) -> bool:
    """Tell whether more hosts than this one are asked, so that ``dst`` can be nobody's source."""
    return is_multicast(dst) or stack.is_broadcast(dst)


def _timestamp_request(
    stack: "Stack",
    interface: Interface,
    header: ipv4.Ipv4Header,
    message: icmpv4.IcmpMessage,
    now: int,
    cast: Cast,
    trace: Trace,
) -> None:
    """Answer a timestamp request if that is wanted (RFC 1122 3.2.2.8: MAY)."""
    asked = {"ip": format_address(header.src)}
    if not stack.settings["icmp.answer_timestamp"]:
        stack.ledger.record(reason.ICMP_TIMESTAMP_IGNORED, interface.name, now, trace, **asked)
        return
    group = _is_group(stack, header.dst)
    if group and stack.settings["icmp.echo_ignore_broadcasts"]:
        asked["ip"] = format_address(header.dst)
        stack.ledger.record(reason.ICMP_TIMESTAMP_BROADCAST, interface.name, now, trace, **asked)
        return
    body = message.body
    if len(body) < 4:  # Linux icmp_timestamp: the sender's own time must be there, to go back
        size = len(body) + icmpv4.HEADER_LEN
        stack.ledger.record(reason.ICMP_TRUNCATED, interface.name, now, trace, n=size)
        return
    # RFC 792: the originate timestamp goes back, and when it came and was answered are the same.
    time = ip_options.midnight_ms(stack, now).to_bytes(4)
    reply = icmpv4.IcmpMessage(icmpv4.Type.TIMESTAMP_REPLY, 0, message.rest, body[:4] + time + time)
    trace.settle(Fate.ANSWERED, now)
    try:
        icmp_output(
            stack, reply, header.src, now, src=None if group else header.dst,
            tos=header.dscp_ecn, options=ip_options.answering(header), cause=trace,
        )  # fmt: skip
    except (SendRejected, NoBuffers):
        return  # counted by icmp_output under its own reason
    stack.ledger.count("icmp.timestamp_replies_sent")


def _echo_reply(
    stack: "Stack",
    interface: Interface,
    header: ipv4.Ipv4Header,
    message: icmpv4.IcmpMessage,
    now: int,
    trace: Trace,
) -> None:
    client = stack.echoes.get(message.ident)
    if client is None:
        stack.ledger.record(
            reason.ICMP_ECHO_UNMATCHED, interface.name, now, trace,
            ip=format_address(header.src), ident=message.ident,
        )  # fmt: skip
        return
    client.replies.append(
        EchoReply(
            header.src, message.sequence, header.ttl, message.body, now, header.dscp_ecn,
            header.options,
        )
    )  # fmt: skip
    stack.wake(client)
    trace.step("socket", "pick", now, {"owner": "ping", "ident": message.ident})
    trace.settle(Fate.DELIVERED, now)
    # The answer proves that the way there works (RFC 1122 2.3.2.1 (4)); ping asks Linux for the
    # same with MSG_CONFIRM.
    stack.confirm(header.src, now)


def _error_input(
    stack: "Stack",
    interface: Interface,
    header: ipv4.Ipv4Header,
    message: icmpv4.IcmpMessage,
    now: int,
    trace: Trace,
) -> None:
    """Match an ICMP error to the socket whose packet it quotes (RFC 1122 3.2.2)."""
    why = _error_reason(message)
    if why is None:
        stack.ledger.record(reason.ICMP_TYPE_UNKNOWN, interface.name, now, trace, type=message.type)
        return
    quote = icmpv4.parse_quote(message.body)
    detail: dict[str, object] = {
        "offender": format_address(header.src),
        "type": message.type,
        "icmp_code": message.code,
        "ip": format_address(quote.dst if quote is not None else header.src),
        "port": None if quote is None else quote.dport,
        # RFC 1191 4: where the bytes before held nothing.
        "mtu": message.mtu or None if why is reason.ICMP_FRAGMENTATION_NEEDED else None,
    }
    sender = None if quote is None else sender_of(stack, quote, interface.name)
    if quote is None or sender is None:
        stack.ledger.record(reason.ICMP_ERROR_UNMATCHED, interface.name, now, trace, **detail)
        return
    if why is reason.ICMP_FRAGMENTATION_NEEDED:
        level = stack.settings["ip.no_pmtu_disc"]
        if level > 1:
            detail["level"] = level
            stack.ledger.record(reason.ICMP_MTU_IGNORED, interface.name, now, trace, **detail)
            return
        known = too_big_input(stack, sender, quote, message.mtu, now)
        if known is not None:
            detail.update(path_mtu=known.mtu, max_payload=known.mtu - HEADERS_LEN)
    stack.ledger.record(why, interface.name, now, trace, **detail)
    # Who lets routers fragment is not told that one did not (Linux __udp4_lib_err, ping_err).
    if why is not reason.ICMP_FRAGMENTATION_NEEDED or sender.pmtudisc is not Pmtudisc.DONT:
        packet_failed(
            stack, message.body, interface.name, why.linux, why, detail, now, offender=header.src
        )
    trace.settle(Fate.ABSORBED, now)


def _error_reason(message: icmpv4.IcmpMessage) -> Reason | None:
    """Return what an ICMP error means; source quench and redirects are none.

    Source: RFC 1122 3.2.2.1; Linux icmp_err_convert.
    """
    if message.type == icmpv4.Type.DEST_UNREACHABLE:
        return _UNREACHABLE.get(message.code, reason.ICMP_HOST_UNREACHABLE)
    if message.type == icmpv4.Type.TIME_EXCEEDED:
        return reason.ICMP_TIME_EXCEEDED
    if message.type == icmpv4.Type.PARAMETER_PROBLEM:
        return reason.ICMP_PARAMETER_PROBLEM
    return None


_UNREACHABLE: dict[int, Reason] = {
    icmpv4.Unreachable.NET: reason.ICMP_NET_UNREACHABLE,
    icmpv4.Unreachable.NET_UNKNOWN: reason.ICMP_NET_UNREACHABLE,
    icmpv4.Unreachable.NET_TOS: reason.ICMP_NET_UNREACHABLE,
    icmpv4.Unreachable.PROTOCOL: reason.ICMP_PROTOCOL_UNREACHABLE,
    icmpv4.Unreachable.PORT: reason.ICMP_PORT_UNREACHABLE,
    icmpv4.Unreachable.FRAG_NEEDED: reason.ICMP_FRAGMENTATION_NEEDED,
    icmpv4.Unreachable.NET_PROHIBITED: reason.ICMP_PROHIBITED,
    icmpv4.Unreachable.HOST_PROHIBITED: reason.ICMP_PROHIBITED,
    icmpv4.Unreachable.ADMIN: reason.ICMP_PROHIBITED,
}


def too_big_input(
    stack: "Stack", sender: UdpSocket | EchoClient, quote: icmpv4.Quote, reported: int, now: int
) -> PathMtu | None:
    """Learn from "fragmentation needed" how big a packet may be that takes the same way.

    Args:
        sender: whose packet it was; the way is the one that its next packet takes.
        quote: that packet.
        reported: the next link's MTU, 0 where the router does not say.

    Returns: what is known of the way now; None when nothing is, since there is none any more, its
        route has a fixed MTU (Linux RTAX_LOCK), or the message says nothing new.
    """
    traits = Traits(quote.protocol, quote.sport or 0, quote.dport or 0)
    decision = decide(stack, quote.dst, quote.src, sender.dev, traits)
    if not isinstance(decision, Decision) or decision.type != "unicast":
        return None
    before, current = decision.learned, decision.mtu
    # RFC 1191 3: MUST NOT increase its estimate in response to such a message.
    if decision.locked or reported > current:
        return before
    path = Path(quote.dst, decision.interface.name, decision.next_hop)
    known = stack.path_mtus.learn(path, current, reported, quote.total_length, now)
    if before is None or (known.mtu, known.locked) != (before.mtu, before.locked):
        stack.touch()
    return known
