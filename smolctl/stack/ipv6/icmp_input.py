"""ICMPv6 input: echo requests are answered; replies and errors find who caused them."""

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
from smolctl.stack.ipv6.addresses import is_ours
from smolctl.stack.ipv6.icmp_meaning import meaning
from smolctl.stack.ipv6.mld import mld_input
from smolctl.stack.ipv6.nd_input import nd_input
from smolctl.stack.ipv6.output import icmp6_output
from smolctl.stack.packet import DeliveryError, Packet, Sender
from smolctl.stack.trace.trace import Direction, Fate
from smolctl.wire import icmpv6, ipv6, mld, ndp
from smolctl.wire.address import UNSPECIFIED6, is_multicast
from smolctl.wire.fault import WireFault
from smolctl.wire.icmpv4 import Quote
from smolctl.wire.icmpv6 import Icmpv6Message, Type
from smolctl.wire.ipv6 import NextHeader

_REFLECT_ECHO = 4
"""The bit of ip6.flowlabel_reflect that is about echo replies."""
_WITHOUT_SOURCE = frozenset({*ndp.TYPES, *mld.TYPES})
"""Messages that a node may send which has no address yet."""
_HEADERS_LEN = ipv6.HEADER_LEN + icmpv6.HEADER_LEN


def icmp6_input(net: Network, packet: Packet) -> None:
    """Answer echo requests, match replies and errors to who sent the question."""
    header = packet.header
    message = icmpv6.parse(packet.data[packet.upper :], header.src, header.dst)
    if isinstance(message, WireFault):
        packet.malformed(message)
        return
    packet.message = message
    packet.step("icmp", "ok", message)
    net.recorder.count("icmp6.messages_received")
    kind, wire = message.type, not (packet.looped or packet.interface.loopback)
    wire = wire and net.settings["ip6.check_source"] == 1
    if wire and kind != Type.NEIGHBOR_ADVERTISEMENT and is_ours(net, packet.interface, header.src):
        # Two nodes that have one address are heard of by their advertisements (RFC 4862 5.4.4).
        packet.record(reason.IP6_SRC_IS_OURS, ip=header.src)
    elif wire and header.src == UNSPECIFIED6 and kind not in _WITHOUT_SOURCE:
        packet.record(reason.IP6_SRC_UNSPECIFIED, ip=header.dst)
    elif kind == Type.ECHO_REQUEST:
        _echo_request(net, packet)
    elif kind == Type.ECHO_REPLY:
        net.transports[NextHeader.ICMPV6].input(packet)
    elif kind in ndp.TYPES:
        nd_input(net, packet)
    elif kind in mld.TYPES:
        mld_input(net, packet)
    elif icmpv6.is_error(kind):
        _error_input(net, packet)
    else:
        packet.record(reason.ICMP6_INFO_UNKNOWN, type=kind)


# --- questions ------------------------------------------------------------------------------------


def _echo_request(net: Network, packet: Packet) -> None:
    """Answer an echo request with the same data (RFC 4443 4.2).

    From the address that it was sent to; one to a group, or to any of several, gets an address of
    the interface. Linux keeps the traffic class, and so does this stack.
    """
    header, message, now = packet.header, packet.message, packet.now
    knob = _ignoring(net, header.dst)
    if knob is not None:
        packet.record(reason.ICMP6_ECHO_IGNORED, knob=knob)
        return
    own = None if is_multicast(header.dst) or net.is_anycast(header.dst) else header.dst
    reply = Icmpv6Message(Type.ECHO_REPLY, 0, message.rest, message.body)
    packet.trace.settle(Fate.ANSWERED, now)
    trace = net.recorder.begin(Direction.OUT, now, packet.trace)
    reflected = header.flow_label if net.settings["ip6.flowlabel_reflect"] & _REFLECT_ECHO else None
    tos, mark = header.dscp_ecn, net.mark_of_answer(packet)
    # What was heard on a link goes back by it, if no other way is better; from no address yet, or
    # to one that is of a link, by no other (Linux icmpv6_echo_reply, ip6_route_output_flags).
    dev, loose = packet.entrance.name, own is not None and not net.needs_dev(header.src)
    how = SendOptions(own, dev, tos=tos, flow_label=reflected, mark=mark, loose=loose)
    try:
        icmp6_output(net, reply, header.src, now, how, trace)
    except (SendRejected, NoBuffers):
        return  # counted by icmp6_output under its own reason
    net.recorder.count("icmp6.echo_replies_sent")


def _ignoring(net: Network, dst: int) -> str | None:
    """Return the sysctl that has an echo request to ``dst`` ignored."""
    knobs = ["icmp6.echo_ignore_all"]
    if is_multicast(dst):
        knobs.append("icmp6.echo_ignore_multicast")
    if net.is_anycast(dst):
        knobs.append("icmp6.echo_ignore_anycast")
    return next((knob for knob in knobs if net.settings[knob]), None)


# --- errors ---------------------------------------------------------------------------------------

_ECHO = (NextHeader.ICMPV6, Type.ECHO_REQUEST)


def _error_input(net: Network, packet: Packet) -> None:
    """Match an ICMPv6 error to the socket whose packet it quotes (RFC 4443 2.4 (d))."""
    message, src = packet.message, packet.header.src
    found = meaning(message.type, message.code)
    why = found.reason
    too_big = why is reason.ICMP_FRAGMENTATION_NEEDED
    quote = icmpv6.parse_quote(message.body)
    values = error_values(packet, quote, Type.PARAMETER_PROBLEM)
    sender = None if quote is None else sender_of(net, packet, quote)
    if quote is None or sender is None:
        if why is reason.ICMP6_ERROR_UNKNOWN:
            packet.record(why, **values)
            return
        if too_big and quote is not None:
            packet.record(reason.ICMP6_MTU_UNMATCHED, **values)
            return
        cause = {"cause": "quote6"} if quote is None else unmatched(net, quote, _ECHO)
        packet.record(reason.ICMP_ERROR_UNMATCHED, **values, **cause)
        return
    values["cause"] = found.cause
    if too_big and message.mtu < ipv6.MIN_MTU:
        packet.record(reason.ICMP6_MTU_TOO_SMALL, mtu=message.mtu, **values)
        return
    if too_big:
        values.update(_too_big_input(net, packet, sender, quote))
    detail = packet.record(why, **values)
    # Who lets routers fragment is not told that one did not (Linux __udp6_lib_err).
    deaf = packet.looped and is_deaf(net, sender, quote)
    if not deaf and (not too_big or sender.pmtudisc is not Pmtudisc.DONT):
        number = number_of(quote)
        sender.fail(DeliveryError(found.errno, why, detail, src, quote.dst, number, packet.now))
    if why is not reason.ICMP6_ERROR_UNKNOWN:  # which is a fate of its own
        packet.trace.settle(Fate.ABSORBED, packet.now)


def _too_big_input(net: Network, packet: Packet, sender: Sender, quote: Quote) -> dict[str, object]:
    """Learn from "packet too big" how big a packet may be that takes the same way (RFC 8201 4).

    Args:
        sender: whose packet it was; the way is the one that its next packet takes.
        quote: that packet.

    Returns: what the reason shows: ``cause``, which says what came of it, ``mtu``, ``path_mtu``
        and ``max_payload``, what fits into one packet.
    """
    reported, size = packet.message.mtu, quote.total_length
    values: dict[str, object] = {"mtu": reported, "size": size}
    dev = sender.dev or (packet.interface.name if net.needs_dev(quote.dst) else None)
    way = way_of(net, quote, dev)
    if not isinstance(way, Way) or way.type is not WayType.UNICAST:
        return {**values, "cause": "lost"}
    before, mtu = way.learned, way.mtu
    if way.locked and before is None:
        return {**values, "cause": "fixed", "path_mtu": mtu}
    # RFC 8201 4: MUST NOT increase its estimate in response to such a message.
    if reported < mtu or (before is not None and reported == mtu):
        mtu = learn_path_mtu(net, way, quote, reported, packet.now).mtu
    values["path_mtu"], values["max_payload"] = mtu, min(mtu, reported) - _HEADERS_LEN
    return {**values, "cause": "larger" if reported >= size else "mtu"}
