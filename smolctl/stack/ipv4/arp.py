"""ARP input: requests are answered, and addresses learned as Linux does (arp_process)."""

from typing import TYPE_CHECKING

from smolctl.stack import reason
from smolctl.stack.explain import suggest
from smolctl.stack.fib import lookup as fib_lookup
from smolctl.stack.fib.route import Route, RouteType
from smolctl.stack.fib.rule import Refused, Traits
from smolctl.stack.interface import Interface
from smolctl.stack.ip.reverse_path import reverse_path
from smolctl.stack.ipv4 import acd, proxy_arp
from smolctl.stack.ipv4.arp_policy import SOLICITED, SUBNET, ignores_request
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.output import arp_output, perform
from smolctl.stack.neighbor.probe_client import ArpAnswer
from smolctl.stack.neighbor.states import ASKING, State
from smolctl.stack.packet import Cast, wire_fault
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Learned, Stranger
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.wire import arp
from smolctl.wire.address import (
    ZERO_MAC,
    format_address,
    format_mac,
    is_loopback,
    is_multicast,
    is_zeronet,
)
from smolctl.wire.fault import WireFault

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def arp_input(
    stack: "Stack",
    interface: Interface,
    payload: bytes,
    now: int,
    trace: Trace,
    cast: Cast = Cast.HOST,
) -> None:
    """Answer who asks for an address of ours, and learn as Linux's ``arp_process`` does.

    A request addressed to us creates an entry, since its sender is about to talk to us (RFC 826);
    anything else only updates one that is there.
    """
    packet = arp.parse(payload)
    if isinstance(packet, WireFault):
        wire_fault(stack, interface, packet, now, trace)
        return
    trace.step("arp", "ok", now, packet)
    stack.ledger.count("arp.packets_received")
    taken = _offer_to_clients(stack, interface, packet, cast, now)
    if taken:
        trace.step("socket", "pick", now, {"owner": "arping"})
    why, detail = _arp_process(stack, interface, packet, cast, now, trace)
    if why is reason.ARP_PROXY_DELAYED:
        # That each of them waits is no trouble to remember it for.
        followed = trace if trace.followed else None
        stack.ledger.record(why, interface.name, now, followed, **detail)
    elif why is not None and taken:
        stack.ledger.count("arp.taken_by_clients")
        trace.settle(Fate.DELIVERED, now)
    elif why is not None:
        stack.ledger.record(why, interface.name, now, trace, **detail)


def _offer_to_clients(
    stack: "Stack", interface: Interface, packet: arp.ArpPacket, cast: Cast, now: int
) -> bool:
    """Give ``arping`` what it waits for."""
    taken = False
    is_reply = packet.op == arp.Op.REPLY
    for client in stack.arp_clients:
        if client.accepts(interface.name, is_reply, packet.sender_ip, packet.target_ip):
            client.answers.append(
                ArpAnswer(packet.sender_ip, packet.sender_mac, cast is Cast.HOST, now)
            )
            stack.wake(client)
            taken = True
    return taken


def _arp_process(
    stack: "Stack",
    interface: Interface,
    packet: arp.ArpPacket,
    cast: Cast,
    now: int,
    trace: Trace,
) -> tuple[Reason | None, dict[str, object]]:
    """Answer and learn; return why the packet was of no use, or None."""
    sender, target, mac = packet.sender_ip, packet.target_ip, packet.sender_mac
    shown = {"ip": format_address(sender), "mac": format_mac(mac)}
    if mac[0] & 1 or mac == ZERO_MAC or is_multicast(sender):
        return reason.ARP_SENDER_INVALID, dict(shown)
    if is_loopback(sender) or stack.is_broadcast(sender):
        return reason.ARP_SENDER_INVALID, dict(shown)
    if is_zeronet(sender) and (sender != 0 or packet.op == arp.Op.REPLY):
        # Only a probe may come from 0.0.0.0 (RFC 1122 3.2.1.3(a); Linux ip_route_input_slow).
        return reason.ARP_SENDER_INVALID, dict(shown)
    if is_multicast(target) or is_loopback(target):
        # RFC 1122 3.2.1.3(g); Linux arp_process drops both before anything else.
        return reason.ARP_TARGET_NOT_OURS, suggest.missing(interface, target, sender)
    ours = _is_ours(stack, interface, packet)
    conflicting = acd.heard(stack, interface, packet, now)
    if conflicting is not None:
        return conflicting
    if sender != 0 and (ours or sender == target) and not interface.addresses.holds(sender):
        networks = suggest.networks(interface)
        if stack.settings["arp.accept_from"] == SUBNET:
            return reason.ARP_SENDER_OFF_SUBNET, {**shown, "networks": networks}
        trace.step("sender", "ok", now, Stranger(sender, interface.name, networks))
    if not ours and sender != 0 and stack.settings["arp.accept_target"]:
        return reason.ARP_UNSOLICITED, {**shown, "knob": "arp.accept_target", "value": "any"}
    if packet.op == arp.Op.REQUEST and ours:
        return _arp_answer(stack, interface, packet, now, trace)
    if sender == 0:
        # Linux arp_process: a probe is answered for our own addresses alone, never as a proxy.
        return _unanswered(stack, interface, packet)
    if packet.op == arp.Op.REQUEST and proxy_arp.speaks_for(stack, interface, sender, target):
        return _arp_proxy(stack, interface, packet, cast, now, trace)
    return _arp_learn(stack, interface, packet, cast, now, trace)


def _is_ours(stack: "Stack", interface: Interface, packet: arp.ArpPacket) -> bool:
    """Tell whether the sender may be told that the target is ours.

    The rules decide, as on a packet that he would send. A probe asks the table local alone. Source:
    Linux ``arp_process``: ip_route_input, and inet_addr_type for a sender of 0.0.0.0.
    """
    if stack.fib.merged or not packet.sender_ip:
        return stack.fib.is_local(packet.target_ip)
    route = _ruled(stack, interface, packet)
    return route is not None and route.type is RouteType.LOCAL


def _ruled(stack: "Stack", interface: Interface, packet: arp.ArpPacket) -> Route | None:
    traits = Traits(iif=interface.name)
    return fib_lookup.lookup_ruled(stack, packet.target_ip, packet.sender_ip, None, traits)


def _arp_answer(
    stack: "Stack", interface: Interface, packet: arp.ArpPacket, now: int, trace: Trace
) -> tuple[Reason | None, dict[str, object]]:
    """Answer who asks for an address of ours, and learn where the asker is."""
    sender, target, mac = packet.sender_ip, packet.target_ip, packet.sender_mac
    back = reverse_path(stack, interface, sender, target)
    if back is not None:
        return reason.IP_REVERSE_PATH, back
    ignored = ignores_request(stack, interface, sender, target)
    if ignored is not None:
        return reason.ARP_IGNORED, ignored
    # A probe (sender 0.0.0.0, RFC 5227 2.1.1) is answered but teaches nothing.
    if sender != 0:
        _learn_asker(stack, interface, packet, now, trace)
    trace.settle(Fate.ANSWERED, now)
    reply = stack.journal.begin(Direction.OUT, now, trace, interface.name)
    arp_output(stack, interface, arp.Op.REPLY, target, mac, sender, mac, now, reply)
    stack.ledger.count("arp.replies_sent")
    return None, {}


def _arp_proxy(
    stack: "Stack",
    interface: Interface,
    packet: arp.ArpPacket,
    cast: Cast,
    now: int,
    trace: Trace,
) -> tuple[Reason | None, dict[str, object]]:
    """Answer on behalf of a host behind us, and learn where the asker is (RFC 1027)."""
    back = reverse_path(stack, interface, packet.sender_ip, packet.target_ip)
    if back is not None:
        return reason.IP_REVERSE_PATH, back
    _learn_asker(stack, interface, packet, now, trace)
    return proxy_arp.answer_for(stack, interface, packet, cast, now, trace)


def _learn_asker(
    stack: "Stack", interface: Interface, packet: arp.ArpPacket, now: int, trace: Trace
) -> None:
    """Make an entry of who asks us: he is about to talk to us (RFC 826)."""
    if stack.settings["arp.accept_from"] == SOLICITED:
        return
    cache = stack.neighbors[interface.name]
    _, actions = cache.heard(packet.sender_ip, packet.sender_mac, now, create=True, override=True)
    perform(stack, interface, actions, now)
    if (learned := _learned(cache, packet.sender_ip)) is not None:
        trace.step("neigh", "ok", now, learned)


def _unanswered(
    stack: "Stack", interface: Interface, packet: arp.ArpPacket
) -> tuple[Reason, dict[str, object]]:
    """Return why a request for an address that is not ours gets no answer."""
    if stack.fib.is_local(packet.target_ip) and packet.sender_ip:
        shown = {"ip": packet.target_ip, "sender": packet.sender_ip}
        detail: dict[str, object] = {key: format_address(ip) for key, ip in shown.items()}
        route = _ruled(stack, interface, packet)
        found = suggest.rule(route) if isinstance(route, Refused) else {}
        return reason.ARP_RULE_REFUSED, {**detail, **found}
    if packet.sender_ip and packet.target_ip in interface.proxies.entries:
        return reason.ARP_PROXY_IDLE, proxy_arp.idle(
            stack, interface, packet.sender_ip, packet.target_ip
        )
    return acd.unanswered(interface, packet.target_ip, packet.sender_ip)


def _arp_learn(
    stack: "Stack",
    interface: Interface,
    packet: arp.ArpPacket,
    cast: Cast,
    now: int,
    trace: Trace,
) -> tuple[Reason | None, dict[str, object]]:
    """Learn from ARP that asks us nothing: replies, gratuitous ARP, others' requests."""
    sender, mac = packet.sender_ip, packet.sender_mac
    shown = {"ip": format_address(sender), "mac": format_mac(mac)}
    cache = stack.neighbors[interface.name]
    known = cache.lookup(sender)
    is_reply = packet.op == arp.Op.REPLY
    # A gratuitous reply names the same MAC twice as well (Linux arp_is_garp).
    gratuitous = sender == packet.target_ip and (not is_reply or packet.target_mac == mac)
    create = stack.settings["arp.accept"] == 1 and (gratuitous or is_reply)
    asks_another = not is_reply and sender != packet.target_ip
    if stack.settings["arp.accept_from"] == SOLICITED:
        create = False
        if known is not None and not (is_reply and known.state in ASKING):
            return reason.ARP_UNSOLICITED, {**shown, "knob": "arp.accept_from", "value": "any"}
    if known is None and not create:
        if asks_another:
            return _unanswered(stack, interface, packet)
        return reason.ARP_UNSOLICITED, {**shown, "knob": "arp.accept", "value": 1}
    if is_reply and cast is Cast.HOST:
        taken, actions = cache.replied(sender, mac, now, create=create, override=gratuitous)
    else:
        # Broadcast replies and request packets do not assert reachability (Linux arp_process).
        taken, actions = cache.heard(sender, mac, now, create=create, override=gratuitous)
    perform(stack, interface, actions, now)
    if taken:
        stack.ledger.count("arp.learned")
        trace.step("neigh", "ok", now, _learned(cache, sender))
        trace.settle(Fate.ABSORBED, now)
        return None, {}
    if known is None:
        return reason.NEIGH_TABLE_FULL, {"next_hop": shown["ip"], **suggest.cache_room(stack)}
    if known.state is State.PERMANENT:
        if asks_another and mac == known.lladdr:
            # It contradicts nothing: there is no entry to change, as the hint would have it.
            return _unanswered(stack, interface, packet)
        lladdr = format_mac(known.lladdr or ZERO_MAC)
        return reason.ARP_LOCKED_ENTRY, {**shown, "lladdr": lladdr}
    return reason.ARP_LOCKTIME, {**shown, "ms": stack.settings["neigh.locktime_ms"]}


def _learned(cache: NeighborCache, ip: int) -> Learned | None:
    entry = cache.lookup(ip)
    if entry is None or entry.lladdr is None:
        return None
    return Learned(ip, entry.state.value, entry.lladdr)
