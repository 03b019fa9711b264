"""ICMP input: echo requests are answered; replies and errors find who caused them."""

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack import reason
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import Pmtudisc, SendOptions
from smolctl.stack.ip.quoted import (
    error_values,
    is_deaf,
    learn_path_mtu,
    number_of,
    sender_of,
    unmatched,
    way_of,
)
from smolctl.stack.ip.way import Way, WayType
from smolctl.stack.ipv4.icmp_meaning import meaning
from smolctl.stack.ipv4.options import answering, midnight_ms
from smolctl.stack.ipv4.output import HEADERS_LEN, icmp_output
from smolctl.stack.ipv4.redirect_input import redirect_input
from smolctl.stack.packet import DeliveryError, Packet, Sender
from smolctl.stack.reason import Reason
from smolctl.stack.trace.trace import Direction, Fate
from smolctl.wire import icmp_extensions, icmpv4, ipv4
from smolctl.wire.fault import WireFault
from smolctl.wire.icmpv4 import Quote, Type


def icmp_input(net: Network, packet: Packet) -> None:
    """Answer echo requests, match replies and errors to who sent the question."""
    message = icmpv4.parse(packet.data[packet.header.header_len :])
    if isinstance(message, WireFault):
        packet.malformed(message)
        return
    packet.message = message
    packet.step("icmp", "ok", message)
    net.recorder.count("icmp.messages_received")
    kind = message.type
    if kind == Type.ECHO_REQUEST:
        _echo_request(net, packet)
    elif kind == Type.ECHO_REPLY:
        net.transports[ipv4.Protocol.ICMP].input(packet)
    elif kind == Type.TIMESTAMP:
        _timestamp_request(net, packet)
    elif kind == Type.REDIRECT:
        redirect_input(net, packet)
    elif kind in _IGNORED:
        why, cause = _IGNORED[kind]
        packet.record(why, type=kind, ip=packet.header.src, cause=cause)
    elif icmpv4.is_error(kind):
        _error_input(net, packet)
    else:
        packet.record(reason.ICMP_TYPE_UNKNOWN, type=kind)


_IGNORED: dict[int, tuple[Reason, str | None]] = {
    # RFC 6633 2: a host MUST silently discard it, and UDP must not act on it.
    Type.SOURCE_QUENCH: (reason.ICMP_SOURCE_QUENCH, None),
    # RFC 1122 3.2.2.9: no mask is sent by who is no authoritative agent; RFC 6918 retired it.
    Type.ADDRESS_MASK_REQUEST: (reason.ICMP_MASK_IGNORED, "request"),
    Type.ADDRESS_MASK_REPLY: (reason.ICMP_MASK_IGNORED, "reply"),
}

# --- questions ------------------------------------------------------------------------------------


def _echo_request(net: Network, packet: Packet) -> None:
    """Answer an echo request from the address it was sent to (RFC 1122 3.2.2.6).

    The reply goes the ordinary way out: where its next hop is not yet resolved it waits in the
    neighbor's queue, so the first ping of an unknown peer is answered.
    """
    if net.settings["icmp.echo_ignore_all"]:
        packet.record(reason.ICMP_ECHO_IGNORED)
        return
    if packet.to_all and net.settings["icmp.echo_ignore_broadcasts"]:
        packet.record(reason.ICMP_ECHO_BROADCAST, ip=packet.header.dst)
        return
    message = packet.message
    # RFC 1122 3.2.2.6: with the same data.
    reply = icmpv4.IcmpMessage(Type.ECHO_REPLY, 0, message.rest, message.body)
    if _answer(net, packet, reply):
        net.recorder.count("icmp.echo_replies_sent")


def _answer(net: Network, packet: Packet, reply: icmpv4.IcmpMessage) -> bool:
    """Send an answer back, its options filled in or reversed (RFC 1122 3.2.2.6).

    Linux icmp_reply keeps the type of service as well.
    """
    header, now = packet.header, packet.now
    packet.trace.settle(Fate.ANSWERED, now)
    own = None if packet.to_all else header.dst
    mark, tos = net.mark_of_answer(packet), header.dscp_ecn
    taken = bool(net.settings["ip.broadcast_source"])
    how = SendOptions(
        own, tos=tos, options=answering(header), broadcast=taken, mark=mark
    )  # fmt: skip
    trace = net.recorder.begin(Direction.OUT, now, packet.trace)
    try:
        icmp_output(net, reply, header.src, now, how, trace)
    except (SendRejected, NoBuffers):
        return False  # counted by icmp_output under its own reason
    return True


def _timestamp_request(net: Network, packet: Packet) -> None:
    """Answer a timestamp request if that is wanted (RFC 1122 3.2.2.8: MAY)."""
    if not net.settings["icmp.answer_timestamp"]:
        packet.record(reason.ICMP_TIMESTAMP_IGNORED, ip=packet.header.src)
        return
    if packet.to_all and net.settings["icmp.echo_ignore_broadcasts"]:
        packet.record(reason.ICMP_TIMESTAMP_BROADCAST, ip=packet.header.dst)
        return
    message = packet.message
    body = message.body
    if len(body) < 4:  # Linux icmp_timestamp: the sender's own time must be there, to go back
        size = len(body) + icmpv4.HEADER_LEN
        packet.record(reason.ICMP_TRUNCATED, size=size, cause="timestamp")
        return
    # RFC 792: the originate timestamp goes back, and when it came and was answered are the same.
    time = midnight_ms(net, packet.now).to_bytes(4)
    body = body[:4] + time + time
    if _answer(net, packet, icmpv4.IcmpMessage(Type.TIMESTAMP_REPLY, 0, message.rest, body)):
        net.recorder.count("icmp.timestamp_replies_sent")


# --- errors ---------------------------------------------------------------------------------------

_ECHO = (ipv4.Protocol.ICMP, Type.ECHO_REQUEST)


def _error_input(net: Network, packet: Packet) -> None:
    """Match an ICMP error to the socket whose packet it quotes (RFC 1122 3.2.2)."""
    message, src = packet.message, packet.header.src
    found = meaning(message.type, message.code)
    if found is None:
        packet.record(reason.ICMP_TYPE_UNKNOWN, type=message.type)
        return
    why = found.reason
    too_big = why is reason.ICMP_FRAGMENTATION_NEEDED
    quote = icmpv4.parse_quote(message.body)
    values = error_values(packet, quote, Type.PARAMETER_PROBLEM)
    sender = None if quote is None else sender_of(net, packet, quote)
    if quote is None or sender is None:
        cause = {"cause": "quote"} if quote is None else unmatched(net, quote, _ECHO)
        packet.record(reason.ICMP_ERROR_UNMATCHED, **values, **cause)
        return
    values["cause"] = found.cause
    if too_big:
        level = net.settings["ip.no_pmtu_disc"]
        if level > 1:
            packet.record(reason.ICMP_MTU_IGNORED, **values, level=level)
            return
        values.update(_too_big_input(net, sender, quote, message.mtu, packet.now))
    detail = packet.record(why, **values)
    # Who lets routers fragment is not told that one did not (Linux __udp4_lib_err, ping_err).
    deaf = packet.looped and is_deaf(net, sender, quote)
    if not deaf and (not too_big or sender.pmtudisc is not Pmtudisc.DONT):
        number, extensions = number_of(quote), icmp_extensions.parse(message)
        sender.fail(
            DeliveryError(found.errno, why, detail, src, quote.dst, number, packet.now, extensions)
        )
    packet.trace.settle(Fate.ABSORBED, packet.now)


def _too_big_input(
    net: Network, sender: Sender, quote: Quote, reported: int, now: int
) -> dict[str, object]:
    """Learn from "fragmentation needed" how big a packet may be that takes the same way (RFC 1191).

    Args:
        sender: whose packet it was; the way is the one that its next packet takes.
        quote: that packet.
        reported: the next link's MTU, 0 where the router does not say.

    Returns: what the reason shows: ``cause``, which says what came of it, ``mtu``, ``path_mtu``
        and ``max_payload``, what fits with DF.
    """
    size = quote.total_length
    values: dict[str, object] = {"mtu": reported, "size": size}
    way = way_of(net, quote, sender.dev)
    if not isinstance(way, Way) or way.type is not WayType.UNICAST:
        return {**values, "cause": "lost"}
    mtu, locked = way.mtu, way.locked
    if locked and way.learned is None:
        return {**values, "cause": "fixed", "path_mtu": mtu}
    # RFC 1191 3: MUST NOT increase its estimate in response to such a message.
    if not locked and reported <= mtu:
        known = learn_path_mtu(net, way, quote, reported, now)
        mtu, locked = known.mtu, known.locked
    values["path_mtu"], values["max_payload"] = mtu, min(mtu, reported) - HEADERS_LEN
    if net.settings["ip.no_pmtu_disc"]:
        return {**values, "cause": "distrusted"}
    if not reported:
        # RFC 1191 5: a router that does not know of it leaves the bytes 0.
        return {**values, "cause": "unnamed"}
    if reported >= size:
        return {**values, "cause": "larger"}
    return {**values, "cause": "small" if locked else "mtu"}
