"""ARP input: requests are answered, and addresses learned as Linux does (arp_process)."""

from smolctl.stack import reason
from smolctl.stack.fib.lookup import Found, lookup
from smolctl.stack.fib.route import Route, RouteType
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.fib.rule import RuleRefusal
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.reverse_path import reverse_path, takes_broadcast
from smolctl.stack.ipv4 import acd, proxy_arp
from smolctl.stack.ipv4.arp_output import arp_reply
from smolctl.stack.ipv4.arp_policy import SOLICITED, SUBNET, ignores_request
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.entry import Moves, Neighbor
from smolctl.stack.neighbor.probe_client import ArpClient, ProbeAnswer
from smolctl.stack.neighbor.states import ASKING, KEPT
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Learned, NotLearned, Owner, Stranger
from smolctl.stack.trace.trace import Fate
from smolctl.wire import arp
from smolctl.wire.address import ZERO_MAC, is_loopback, is_multicast
from smolctl.wire.fault import WireFault

Result = tuple[Reason | None, dict[str, object]]
"""Reason for which the packet was of no use, and its values; None when it was of use."""


def arp_input(net: Network, packet: Packet) -> None:
    """Answer who asks for an address of ours, and learn as Linux's ``arp_process`` does.

    A request addressed to us creates an entry, since its sender is about to talk to us (RFC 826);
    anything else only updates one that is there.
    """
    if not packet.interface.arp:
        packet.record(reason.ARP_OFF)
        return
    message = arp.parse(packet.data)
    if isinstance(message, WireFault):
        packet.malformed(message)
        return
    packet.message = message
    packet.step("arp", "ok", message)
    net.recorder.count("arp.packets_received")
    taken = _offer_to_clients(net, packet)
    if taken:
        packet.step("socket", "pick", {"owner": "arping"})
    why, values = _arp_process(net, packet)
    if why is reason.ARP_PROXY_DELAYED:
        # That each of them waits is no trouble to remember it for.
        followed = packet.trace if packet.trace.followed else None
        net.recorder.record(why, packet.interface.name, packet.now, followed, **values)
    elif why is not None and taken:
        net.recorder.count("arp.taken_by_clients")
        packet.trace.settle(Fate.DELIVERED, packet.now)
    elif why is not None:
        packet.record(why, **values)


def _offer_to_clients(net: Network, packet: Packet) -> bool:
    """Give ``arping`` what it waits for."""
    message, taken = packet.message, False
    for client in net.probe_clients:
        dev = packet.interface.name
        if isinstance(client, ArpClient) and client.accepts(dev, message):
            unicast = packet.pkt_type is PacketType.HOST
            sender = message.sender_ip
            client.take(ProbeAnswer(sender, message.sender_mac, unicast, packet.now))
            taken = True
    return taken


def _arp_process(net: Network, packet: Packet) -> Result:
    """Answer and learn; return why the packet was of no use, or None."""
    message, interface = packet.message, packet.interface
    sender, target, mac = message.sender_ip, message.target_ip, message.sender_mac
    shown: dict[str, object] = {"ip": sender, "mac": mac}
    cause = _invalid_sender(net, interface, message)
    if cause is not None:
        return reason.ARP_SENDER_INVALID, {**shown, "cause": cause}
    localnet = is_loopback(target) and not interface.settings["ip.route_localnet"]
    if is_multicast(target) or localnet:
        # RFC 1122 3.2.1.3(g); Linux arp_process drops both before anything else.
        cause = "group" if is_multicast(target) else "loopback"
        return reason.ARP_TARGET_NOT_OURS, {"ip": target, "_peer": sender, "cause": cause}
    ours = _is_ours(net, interface, message)
    conflicting = acd.heard(net, interface, message, packet.now)
    if conflicting is not None:
        return conflicting
    settings = interface.settings
    addresses = net.of(interface).addresses
    if sender != 0 and (ours or sender == target) and not addresses.holds(sender):
        if settings["arp.accept_from"] == SUBNET:
            return reason.ARP_SENDER_OFF_SUBNET, shown
        networks = tuple((item.anchor, item.plen) for item in addresses.items if not item.autojoin)
        packet.step("sender", "ok", Stranger(sender, interface.name, networks))
    if not ours and sender != 0 and settings["arp.accept_target"]:
        if message.op == arp.Op.REQUEST and sender != target:
            # A question to somebody else tells us nothing: smoltcp drops it for its target, too.
            return _unanswered(net, packet)
        return _unsolicited(shown, "others", "arp.accept_target", "any")
    if message.op == arp.Op.REQUEST and ours:
        return _arp_answer(net, packet)
    if sender == 0:
        # Linux arp_process: a probe is answered for our own addresses alone, never as a proxy.
        return _unanswered(net, packet)
    if message.op == arp.Op.REQUEST and proxy_arp.speaks_for(net, interface, sender, target):
        return _arp_proxy(net, packet)
    return _arp_learn(net, packet)


def _invalid_sender(net: Network, interface: Interface, message: arp.ArpPacket) -> str | None:
    """Return why no host can be where ARP says that it is (RFC 1812 3.3.2); None if one can."""
    sender, mac = message.sender_ip, message.sender_mac
    if mac[0] & 1 or mac == ZERO_MAC:
        return "group-mac" if mac[0] & 1 else "zero-mac"
    if is_loopback(sender) and not interface.settings["ip.route_localnet"]:
        return "loopback"
    # Only a probe may come from 0.0.0.0 (RFC 1122 3.2.1.3(a); Linux ip_route_input_slow).
    if sender == 0 and message.op == arp.Op.REQUEST:
        return None
    cause = net.no_host(sender)
    return None if cause == "broadcast" and takes_broadcast(net, interface) else cause


def _unsolicited(shown: dict[str, object], cause: str, sysctl: str, value: object) -> Result:
    return reason.ARP_UNSOLICITED, {**shown, "cause": cause, "knob": sysctl, "value": value}


def _is_ours(net: Network, interface: Interface, message: arp.ArpPacket) -> bool:
    """Tell whether the sender may be told that the target is ours.

    The rules decide, as on a packet that he would send. A probe asks the table local alone. Source:
    Linux ``arp_process``: ip_route_input, and inet_addr_type for a sender of 0.0.0.0.
    """
    if net.fib.merged or not message.sender_ip:
        return net.fib.is_local(message.target_ip)
    route = _ruled(net, interface, message)
    return route is not None and route.type is RouteType.LOCAL


def _ruled(net: Network, interface: Interface, message: arp.ArpPacket) -> Found:
    key = RouteKey(message.target_ip, message.sender_ip, iif=interface.name)
    return lookup(net.fib, key)


# --- answers --------------------------------------------------------------------------------------


def _arp_answer(net: Network, packet: Packet) -> Result:
    """Answer who asks for an address of ours, and learn where the asker is."""
    message, interface = packet.message, packet.interface
    sender, target = message.sender_ip, message.target_ip
    back = reverse_path(net, interface, RouteKey(sender, target))
    if back is not None:
        return reason.IP_REVERSE_PATH, back
    ignored = ignores_request(net, interface, sender, target)
    if ignored is not None:
        return reason.ARP_IGNORED, ignored
    packet.step("target", "ok", Owner(target, net.fib.own(target)))
    # A probe (sender 0.0.0.0, RFC 5227 2.1.1) is answered but teaches nothing.
    if sender != 0:
        _learn_asker(net, packet)
    packet.trace.settle(Fate.ANSWERED, packet.now)
    arp_reply(net, interface, message, packet.now, packet.trace)
    net.recorder.count("arp.replies_sent")
    return None, {}


def _arp_proxy(net: Network, packet: Packet) -> Result:
    """Answer on behalf of a host behind us, and learn where the asker is (RFC 1027)."""
    message = packet.message
    route = _ruled(net, packet.interface, message)
    out = route.dev if isinstance(route, Route) and route.dev is not None else OUTPUT
    answer = RouteKey(message.sender_ip, message.target_ip, iif=out)
    back = reverse_path(net, packet.interface, answer)
    if back is not None:
        return reason.IP_REVERSE_PATH, back
    _learn_asker(net, packet)
    return proxy_arp.answer_for(net, packet)


def _learn_asker(net: Network, packet: Packet) -> None:
    """Make an entry of who asks us: he is about to talk to us (RFC 826)."""
    if packet.interface.settings["arp.accept_from"] == SOLICITED:
        return
    message, interface, now = packet.message, packet.interface, packet.now
    cache = net.neighbors[interface.name]
    ip, mac = message.sender_ip, message.sender_mac
    known = cache.lookup(ip)
    before = None if known is None else known.moves
    _, actions = cache.heard(ip, mac, now, create=True, override=True)
    net.neighbors.perform(interface, actions, now)
    _note_oddities(packet, known, before)
    if (learned := _learned(cache, ip)) is not None:
        packet.step("neigh", "ok", learned)
    elif cache.lookup(ip) is None:
        packet.step("neigh", "skip", NotLearned(ip, interface.name, cache.taken))


def _unanswered(net: Network, packet: Packet) -> Result:
    """Return why a request for an address that is not ours gets no answer."""
    message, interface = packet.message, packet.interface
    sender, target = message.sender_ip, message.target_ip
    if net.fib.is_local(target) and sender:
        route = _ruled(net, interface, message)
        rule = route.rule if isinstance(route, RuleRefusal) else None
        cause = "table" if rule is None else "rule"
        shown = {"ip": target, "sender": sender, "_rule": rule, "cause": cause}
        return reason.ARP_RULE_REFUSED, shown
    if sender and target in net.of(interface).proxies.entries:
        return reason.ARP_PROXY_IDLE, proxy_arp.idle(net, interface, sender, target)
    return acd.unanswered(net, interface, target, sender)


# --- learning -------------------------------------------------------------------------------------


def _arp_learn(net: Network, packet: Packet) -> Result:
    """Learn from ARP that asks us nothing: replies, gratuitous ARP, others' requests."""
    message, interface, now = packet.message, packet.interface, packet.now
    sender, mac = message.sender_ip, message.sender_mac
    cache = net.neighbors[interface.name]
    known = cache.lookup(sender)
    before = None if known is None else known.moves
    is_reply = message.op == arp.Op.REPLY
    # A gratuitous reply names the same MAC twice as well (Linux arp_is_garp).
    gratuitous = sender == message.target_ip and (not is_reply or message.target_mac == mac)
    create = interface.settings["arp.accept"] == 1 and (gratuitous or is_reply)
    if interface.settings["arp.accept_from"] == SOLICITED:
        create = False
        if known is not None and not (is_reply and known.state in ASKING):
            shown = {"ip": sender, "mac": mac}
            return _unsolicited(shown, "unasked", "arp.accept_from", "any")
    if known is None and not create:
        if not is_reply and sender != message.target_ip:
            return _unanswered(net, packet)
        shown = {"ip": sender, "mac": mac}
        return _unsolicited(shown, "unknown", "arp.accept", 1)
    if is_reply and packet.pkt_type is PacketType.HOST:
        taken, actions = cache.replied(sender, mac, now, create=create, override=gratuitous)
    else:
        # Broadcast replies and request packets do not assert reachability (Linux arp_process).
        taken, actions = cache.heard(sender, mac, now, create=create, override=gratuitous)
    net.neighbors.perform(interface, actions, now)
    if taken:
        _note_oddities(packet, known, before)
        net.recorder.count("arp.learned")
        packet.step("neigh", "ok", _learned(cache, sender))
        packet.trace.settle(Fate.ABSORBED, now)
        return None, {}
    return _not_learned(net, packet, cache)


def _note_oddities(packet: Packet, entry: Neighbor | None, before: Moves | None) -> None:
    """Note what is odd about a MAC that was learned: it changes back and forth, or is our own.

    Args:
        entry: of the sender, if there was one.
        before: its changes before this one.
    """
    message, interface = packet.message, packet.interface
    if message.sender_mac == interface.mac:
        packet.record(reason.ARP_OWN_MAC, ip=message.sender_ip, mac=message.sender_mac)
    moves = None if entry is None else entry.moves
    if moves is not None and moves.back > (0 if before is None else before.back):
        packet.record(reason.ARP_FLAPPING, **flapping(message.sender_ip, message.sender_mac, moves))


def flapping(ip: int, mac: bytes, moves: Moves) -> dict[str, object]:
    """Return the values of ARP_FLAPPING: who changes between which MACs, how often, how long."""
    seconds = round((moves.last_ns - moves.since_ns) / 1e9, 1)
    return {
        "ip": ip, "mac": mac, "lladdr": moves.macs[-1], "times": moves.times, "seconds": seconds,
    }  # fmt: skip


def _not_learned(net: Network, packet: Packet, cache: NeighborCache) -> Result:
    """Return why the cache did not take what ARP says."""
    message = packet.message
    sender, mac = message.sender_ip, message.sender_mac
    known = cache.lookup(sender)
    shown: dict[str, object] = {"ip": sender, "mac": mac}
    if known is None:
        return reason.NEIGH_TABLE_FULL, {"next_hop": sender, "taken": cache.taken}
    if known.state in KEPT:
        asks_another = message.op != arp.Op.REPLY and sender != message.target_ip
        if asks_another and mac == known.lladdr:
            # It contradicts nothing: there is no entry to change, as the hint would have it.
            return _unanswered(net, packet)
        shown["cause"] = known.state.lower()
        return reason.ARP_LOCKED_ENTRY, {**shown, "lladdr": known.lladdr or ZERO_MAC}
    lladdr = known.lladdr or ZERO_MAC
    return reason.ARP_LOCKTIME, {
        **shown, "lladdr": lladdr, "ms": packet.interface.settings["neigh.locktime_ms"],
    }  # fmt: skip


def _learned(cache: NeighborCache, ip: int) -> Learned | None:
    entry = cache.lookup(ip)
    if entry is None or entry.lladdr is None:
        return None
    return Learned(ip, entry.state.value, entry.lladdr)
