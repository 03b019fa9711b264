"""Neighbor discovery input: solicitations are answered, advertisements learned (RFC 4861 7.2)."""

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack import reason
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv6.addresses import is_anycast_here
from smolctl.stack.ipv6.dad_input import conflict_input, is_answered, tested_input
from smolctl.stack.ipv6.nd_output import advertisement_output, sender_mac
from smolctl.stack.ipv6.redirect_input import redirect_input
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.entry import Advertised, Advertisement
from smolctl.stack.neighbor.probe_client import NdClient, ProbeAnswer
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.trace.facts import Learned, NotLearned, Owner
from smolctl.stack.trace.trace import Direction, Fate
from smolctl.wire import ndp
from smolctl.wire.address import ALL_NODES, UNSPECIFIED6, ZERO_MAC, is_multicast
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
    anycast = owned is None and is_anycast_here(net, interface, target)
    if not anycast and (owned is None or owned.autojoin):
        packet.record(reason.ND_TARGET_NOT_OURS, ip=target, source=src)
        return
    if owned is not None and not is_answered(owned, src):
        tested_input(net, packet, message, owned)
        return
    packet.step("target", "ok", Owner(target, net.fib.own(target)))
    multicast = is_multicast(packet.header.dst)
    if src != UNSPECIFIED6 and mac is not None:
        _learn_asker(net, packet, mac)
    packet.trace.settle(Fate.ANSWERED, packet.now)
    override = owned is not None and not owned.tentative
    _answer(net, packet, target, src, multicast=multicast, override=override)


def _learn_asker(net: Network, packet: Packet, mac: bytes) -> None:
    """Make an entry of who asks us: he is about to talk to us (RFC 4861 7.2.3)."""
    interface, src, now = packet.interface, packet.header.src, packet.now
    cache = net.neighbors[interface.name]
    _, actions = cache.heard(src, mac, now, create=True, override=True)
    net.neighbors.perform(interface, actions, now)
    if (learned := _learned(cache, src)) is not None:
        packet.step("neigh", "ok", learned)
    elif cache.lookup(src) is None:
        packet.step("neigh", "skip", NotLearned(src, interface.name, cache.taken))


def _answer(
    net: Network, packet: Packet, target: int, src: int, *, multicast: bool, override: bool
) -> None:
    """Advertise an address: to who asked, and to all nodes if that one has no address itself.

    Whoever asks by unicast knows our MAC, which need not be told again (RFC 4861 7.2.4).

    Args:
        override: it may replace what others know: not of an anycast address, which several nodes
            have (RFC 4861 7.2.7), nor of one that is still tested (RFC 4429 3.3).
    """
    out, now = packet.interface, packet.now
    tested = src == UNSPECIFIED6
    own = Options(target=out.mac) if multicast or tested else Options()
    override = override and (multicast or tested)
    message = NeighborAdvertisement(net.is_router(out), not tested, override, target, own)
    trace = net.recorder.begin(Direction.OUT, now, packet.trace, out.name)
    try:
        advertisement_output(net, out, message, ALL_NODES if tested else src, trace, now)
    except (SendRejected, NoBuffers):
        return  # counted by Neighbors.output under its own reason


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
    if known is None and mac is not None and _takes_untracked(net, packet):
        _, actions = cache.heard(target, mac, packet.now, create=True, override=True)
        net.neighbors.perform(interface, actions, packet.now)
        _taken(net, packet, target)
        return
    lladdr = None if known is None else known.lladdr
    said = Advertisement(mac, message.solicited, message.override, message.router)
    outcome, actions = cache.advertised(target, said, packet.now)
    net.neighbors.perform(interface, actions, packet.now)
    if outcome is Advertised.OVERRIDE_REFUSED:
        packet.record(reason.ND_OVERRIDE_REFUSED, ip=target, mac=mac, lladdr=lladdr)
    elif outcome is not Advertised.TAKEN:
        packet.record(reason.ND_UNSOLICITED, ip=target, cause=outcome.value)
        return
    _taken(net, packet, target)


def _takes_untracked(net: Network, packet: Packet) -> bool:
    """Tell whether a router makes an entry of a node that it has not asked for (RFC 9131 6).

    Source: Linux ``accept_untracked_na``.
    """
    interface, src = packet.interface, packet.header.src
    level = interface.settings["nd.accept_untracked_na"]
    if not level or not net.is_router(interface):
        return False
    return level == _ANYBODY or net.of(interface).addresses.holds(src)


def _taken(net: Network, packet: Packet, target: int) -> None:
    net.recorder.count("nd.learned")
    learned = _learned(net.neighbors[packet.interface.name], target)
    if learned is not None:
        packet.step("neigh", "ok", learned)
    packet.trace.settle(Fate.ABSORBED, packet.now)


def _learned(cache: NeighborCache, ip: int) -> Learned | None:
    entry = cache.lookup(ip)
    if entry is None or entry.lladdr is None:
        return None
    return Learned(ip, entry.state.value, entry.lladdr)
