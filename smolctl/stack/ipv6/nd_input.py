"""Neighbor discovery input: solicitations are answered, advertisements learned (RFC 4861 7.2)."""

from contextlib import suppress

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack import reason
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv6.addresses import in_use, is_anycast_here, is_optimistic
from smolctl.stack.ipv6.dad_input import conflict_input, is_answered, tested_input
from smolctl.stack.ipv6.nd_answer import answer, learned
from smolctl.stack.ipv6.nd_output import advertisement_output, sender_mac
from smolctl.stack.ipv6.proxy_nd import answer_for_others, spoken_for, unanswered
from smolctl.stack.ipv6.redirect_input import redirect_input
from smolctl.stack.neighbor.entry import Advertised, Advertisement
from smolctl.stack.neighbor.probe_client import NdClient, ProbeAnswer
from smolctl.stack.neighbor.proxy import NeighborRequest
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.trace.facts import Owner
from smolctl.stack.trace.trace import Direction, Fate
from smolctl.wire import ndp
from smolctl.wire.address import ZERO_MAC, is_multicast, solicited_node
from smolctl.wire.fault import WireFault
from smolctl.wire.ndp import (
    NeighborAdvertisement,
    NeighborSolicitation,
    Options,
    Redirect,
    RouterAdvertisement,
)

_ANYBODY = 1
"""Value of nd.accept_untracked_na: a router learns of any node, in its networks or not."""


def nd_input(net: Network, packet: Packet) -> None:
    """Take a message of neighbor discovery whose checksum is right."""
    header = packet.header
    fragmented = packet.chain is not None and packet.chain.has_fragment_header
    message = ndp.parse(
        packet.message, header.src, header.dst, header.hop_limit, fragmented=fragmented
    )
    if isinstance(message, WireFault):
        packet.malformed(message)
        return
    packet.step("nd", "ok", message)
    net.recorder.count("nd.messages_received")
    if _offer_to_clients(net, packet, message) and _is_news_to_nobody_else(net, packet, message):
        net.recorder.count("nd.taken_by_clients")
        packet.trace.settle(Fate.DELIVERED, packet.now)
    elif isinstance(message, NeighborSolicitation):
        _solicitation_input(net, packet, message)
    elif isinstance(message, NeighborAdvertisement):
        _advertisement_input(net, packet, message)
    elif isinstance(message, Redirect):
        redirect_input(net, packet, message)
    elif isinstance(message, RouterAdvertisement):
        packet.record(reason.RA_IGNORED, source=header.src)
    else:
        packet.record(reason.RS_AT_HOST, source=header.src)


def _offer_to_clients(net: Network, packet: Packet, message: ndp.Message) -> bool:
    """Give ``ndisc`` what it waits for."""
    taken = False
    for client in net.probe_clients:
        if not isinstance(client, NdClient):
            continue
        if client.accepts(packet.interface.name, message, packet.header.src):
            mac, router = sender_mac(packet), False
            if isinstance(message, NeighborAdvertisement):
                mac, router = message.options.target or mac, message.router
            if not _bad_mac(mac):
                unicast = packet.pkt_type is PacketType.HOST
                client.take(ProbeAnswer(client.target, mac, unicast, packet.now, router))
                taken = True
    if taken:
        packet.step("socket", "pick", {"owner": "ndisc"})
    return taken


def _is_news_to_nobody_else(net: Network, packet: Packet, message: ndp.Message) -> bool:
    """Tell whether what a client took is about no address of ours and no neighbor."""
    assert isinstance(message, NeighborAdvertisement | NeighborSolicitation)
    target, interface = message.target, packet.interface
    ours = interface.ipv6.addresses.find(target, None) is not None
    return not ours and net.neighbors[interface.name].lookup(target) is None


def _bad_mac(mac: bytes | None) -> bool:
    """Tell whether a link-layer address is one that no station has."""
    return mac is not None and (bool(mac[0] & 1) or mac == ZERO_MAC)


# --- solicitations --------------------------------------------------------------------------------


def _solicitation_input(net: Network, packet: Packet, message: NeighborSolicitation) -> None:
    """Answer who asks for an address of this interface, and learn where the asker is.

    Source: RFC 4861 7.2.3, 7.2.4; Linux ``ndisc_recv_ns``.
    """
    src, interface, mac = packet.header.src, packet.interface, message.options.source
    if _bad_mac(mac):
        packet.record(reason.ND_SOURCE_INVALID, source=src, mac=mac)
        return
    target = message.target
    owned = interface.ipv6.addresses.find(target, None)
    if owned is None or owned.autojoin:
        if is_anycast_here(net, interface, target) or spoken_for(net, interface, target):
            answer_for_others(net, packet, message)
        else:
            why, values = unanswered(net, interface, target, src)
            packet.record(why, **values)
        return
    if not is_answered(owned, src):
        tested_input(net, packet, message, owned)
        return
    packet.step("target", "ok", Owner(target, net.fib.own(target)))
    request = NeighborRequest(message, src, target, packet.trace)
    multicast, override = is_multicast(packet.header.dst), not owned.tentative
    answer(net, interface, request, packet.now, multicast=multicast, override=override)


# --- advertisements -------------------------------------------------------------------------------


def _advertisement_input(net: Network, packet: Packet, message: NeighborAdvertisement) -> None:
    """Learn from an advertisement, as its flags say (RFC 4861 7.2.5; Linux ``ndisc_recv_na``)."""
    interface, target, mac = packet.interface, message.target, message.options.target
    if _bad_mac(mac):
        packet.record(reason.ND_SOURCE_INVALID, source=packet.header.src, mac=mac)
        return
    owned = interface.ipv6.addresses.find(target, None)
    if owned is not None and not owned.dadfailed:
        conflict_input(net, packet, owned)
        return
    cache = net.neighbors[interface.name]
    known, settings = cache.lookup(target), interface.settings
    # Deviation: with that sysctl, Linux does not hear either that an address under test is taken.
    if not message.solicited and settings["nd.drop_unsolicited_na"]:
        packet.record(reason.ND_UNSOLICITED, ip=target, cause="sysctl")
        return
    called = _called(packet, message)
    untracked = known is None and (called or _takes_untracked(net, packet))
    if mac is not None and untracked:
        _, actions = cache.heard(target, mac, packet.now, create=True, override=True)
        net.neighbors.perform(interface, actions, packet.now)
        _taken(net, packet, target)
        _answer_call(net, packet, called)
        return
    lladdr = None if known is None else known.lladdr
    said = Advertisement(mac, message.solicited, message.override, message.router)
    outcome, actions = cache.advertised(target, said, packet.now)
    net.neighbors.perform(interface, actions, packet.now)
    if outcome not in (Advertised.TAKEN, Advertised.OVERRIDE_REFUSED):
        packet.record(reason.ND_UNSOLICITED, ip=target, cause=outcome.value)
        return
    refused = {"mac": mac, "lladdr": lladdr} if outcome is Advertised.OVERRIDE_REFUSED else {}
    _taken(net, packet, target, **refused)
    _answer_call(net, packet, called)


def _called(packet: Packet, message: NeighborAdvertisement) -> list[Address]:
    """Return the addresses of ours for which an advertisement is a call, as a solicitation is.

    A node that may not ask yet advertises itself in the group of whom it looks for
    (``announcement_output``). It is answered as one that asks; more than that nobody can do with it
    (RFC 4861 7.2.3: it makes an entry).
    """
    header, interface = packet.header, packet.interface
    if message.override or message.options.target is None or header.src != message.target:
        return []
    bits = interface.ipv6.addresses.bits
    return [
        item
        for item in interface.ipv6.addresses.items
        if solicited_node(item.local) == header.dst
        and (in_use(item) or is_optimistic(item))
        and item.holds(header.src, bits)
    ]


def _answer_call(net: Network, packet: Packet, called: list[Address]) -> None:
    """Tell who called where we are, by unicast; not as an answer, for nobody solicited."""
    out, now = packet.interface, packet.now
    for address in called:
        own, override = Options(target=out.mac), not address.tentative
        said = NeighborAdvertisement(net.is_router(out), False, override, address.local, own)
        trace = net.recorder.begin(Direction.OUT, now, packet.trace, out.name)
        with suppress(SendRejected, NoBuffers):  # counted by Neighbors.output
            advertisement_output(net, out, said, packet.header.src, trace, now)


def _takes_untracked(net: Network, packet: Packet) -> bool:
    """Tell whether a router makes an entry of a node that it has not asked for (RFC 9131 6).

    Source: Linux ``accept_untracked_na``.
    """
    interface, src = packet.interface, packet.header.src
    level = interface.settings["nd.accept_untracked_na"]
    if not level or not net.is_router(interface):
        return False
    return level == _ANYBODY or net.of(interface).addresses.holds(src)


def _taken(net: Network, packet: Packet, target: int, **refused: object) -> None:
    """Let an advertisement end here.

    Args:
        refused: the MAC address that is not believed, and the one that the entry keeps.
    """
    net.recorder.count("nd.learned")
    known = learned(net.neighbors[packet.interface.name], target)
    if known is not None:
        packet.step("neigh", "ok", known)
    if refused:
        packet.record(reason.ND_OVERRIDE_REFUSED, ip=target, **refused)
    packet.trace.settle(Fate.ABSORBED, packet.now)
