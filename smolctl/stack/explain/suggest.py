"""What would help: the address, gateway or interface that a fix names.

A fix is a command that can be run as it is, so that what it names must be right in this stack at
this moment. Where nothing plausible is known the answer is None, and the fix is left out.
"""

from typing import TYPE_CHECKING

from smolctl.stack.explain.route_words import rule_text
from smolctl.stack.fib.nexthop import Hop, Multipath
from smolctl.stack.fib.route import Route, RouteType, TableName, table_text
from smolctl.stack.fib.rule import Refused
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address
from smolctl.stack.neighbor.states import VALID
from smolctl.stack.sysctl.settings import KNOBS
from smolctl.stack.transport.send_queue import SendQueue
from smolctl.wire import ipv4
from smolctl.wire.address import (
    ZERO_MAC,
    format_address,
    format_mac,
    is_class_e,
    is_limited_broadcast,
    is_loopback,
    is_multicast,
    is_zeronet,
)

if TYPE_CHECKING:
    from smolctl.stack.ip.route_output import Decision
    from smolctl.stack.stack import Stack

_SHOWN_MAX = 4
"""Addresses that one line names."""
_USUAL = 24
"""Prefix length of most links, for one whose network nobody has said."""


def _hosts(interface: Interface) -> list[Address]:
    """Return the addresses of an interface that are not groups."""
    return [item for item in interface.addresses.items if not item.autojoin]


def networks(interface: Interface) -> str:
    """Return the addresses of an interface with their prefix lengths; "no address" for none."""
    items = _hosts(interface)
    shown = [f"{format_address(item.local)}/{item.plen}" for item in items[:_SHOWN_MAX]]
    return ", ".join(shown + ["..."] * (len(items) > _SHOWN_MAX)) or "no address"


def address(interface: Interface, ip: int, peer: int = 0) -> dict[str, object]:
    """Return ``plen`` with which ``ip`` would be an address of ``interface``; {} if it cannot be.

    Args:
        peer: who wants to reach it: for an interface whose networks do not hold it, the network
            should hold both.
    """
    if not is_host(ip) or is_loopback(ip) != interface.loopback:
        return {}
    for item in _hosts(interface):
        if item.local == ip:
            return {}  # it is there, and tentative
        if _holds(item, ip):
            return {"plen": item.plen if _within(ip, item.plen) else 32}
    plen = 32 if interface.loopback else _USUAL
    if peer:
        plen = min(plen, 32 - (ip ^ peer).bit_length())
    return {"plen": plen if plen >= 8 and _within(ip, plen) else 32}


def owner(stack: "Stack", ip: int) -> dict[str, object]:
    """Return ``ip``, ``out`` and ``plen``: the interface it would belong to, if it were ours."""
    shown: dict[str, object] = {"ip": format_address(ip)}
    if not is_host(ip):
        return shown
    wires = [wire for wire in stack.interfaces.values() if not wire.loopback]
    for interface in wires:
        if any(_holds(item, ip) for item in _hosts(interface)):
            return {**shown, "out": interface.name, **address(interface, ip)}
    return {**shown, "out": stack.loopback.name, "plen": 32}


def neighbor_of(interface: Interface, peer: int) -> dict[str, object]:
    """Return ``suggest`` and ``plen``: an address by which ``interface`` could reach ``peer``.

    The last host address of the usual network, which is least likely to be somebody's already.
    """
    if not is_host(peer) or is_loopback(peer) != interface.loopback:
        return {}
    last = peer & ~0xFF | 0xFE
    return {"suggest": format_address(last if last != peer else last - 1), "plen": _USUAL}


def gateway(stack: "Stack", beside: Interface | None = None) -> str | None:
    """Return who may be the router of a link that is up: a neighbor that answers, else the first.

    Routers have the first address of their network more often than any other.

    Args:
        beside: an interface whose link is out of the question.
    """
    for interface in stack.interfaces.values():
        if interface.loopback or not interface.up or interface is beside:
            continue
        for item in _hosts(interface):
            if item.plen > 30:
                continue
            first = item.network(32) + 1
            first += first == item.local
            known = [
                entry.ip
                for entry in stack.neighbors[interface.name]
                if entry.state in VALID and _holds(item, entry.ip)
            ]
            return format_address(first if first in known or not known else known[0])
    return None


def no_route(stack: "Stack", dst: int) -> dict[str, object]:
    """Return what may lead to ``dst``.

    ``down``, the interface whose network it is in, when that is only down; else the ``gateway`` by
    which it may be reached; else ``own``: nobody else is there, so make it ours.
    """
    for interface in stack.interfaces.values():
        if not interface.up and any(_holds(item, dst) for item in _hosts(interface)):
            return {"down": interface.name}
    router = gateway(stack)
    if router is not None:
        return {"gateway": router}
    return {"own": format_address(dst)} if is_host(dst) else {}


def onward(stack: "Stack", dst: int, interface: Interface) -> dict[str, object]:
    """Return what may lead to ``dst`` from where ``interface`` does not, as ``no_route`` does."""
    found = no_route(stack, dst)
    return found if "down" in found else {"gateway": gateway(stack, interface)}


def not_ours(stack: "Stack", interface: Interface, dst: int, peer: int) -> dict[str, object]:
    """Return the details of a packet from ``peer`` that came in by ``interface``, not to us.

    ``router`` is what ip.forward should be: 1 where a route leads on by another interface.
    """
    if stack.settings["ip.forward"] and not interface.loopback:
        return {"ip": format_address(dst)}
    route = stack.fib.lookup(dst)
    on = route is not None and route.type is RouteType.UNICAST and route.dev != interface.name
    if on and not stack.settings["ip.forward"]:
        shown = {"ip": format_address(dst), "networks": networks(interface)}
        return {**shown, "router": 1}
    return missing(interface, dst, peer)


def missing(interface: Interface, ip: int, peer: int = 0) -> dict[str, object]:
    """Return the details of "somebody wants ``ip``, and it is not ours"."""
    shown = {"ip": format_address(ip), "networks": networks(interface)}
    return {**shown, **address(interface, ip, peer)}


def unusable(interface: Interface, ip: int) -> dict[str, object] | None:
    """Return the details of an address of an interface that may not be used; None for others.

    ``plen`` only while it is being tested: what another host has is better left to it.
    """
    for item in interface.addresses.items:
        if item.tentative and item.local == ip:
            shown: dict[str, object] = {"ip": format_address(ip)}
            if item.dadfailed:
                rival = format_mac(item.rival or ZERO_MAC)
                return {**shown, "state": f"belongs to another host ({rival})"}
            return {**shown, "state": "is being tested for a conflict", "plen": item.plen}
    return None


def meant_for_us(stack: "Stack", frame: bytes) -> dict[str, object]:
    """Return ``ip``, the destination of the packet in a frame for another MAC, if it is ours."""
    dst = int.from_bytes(frame[30:34])
    ours = frame[12:14] == b"\x08\0" and len(frame) >= 34 and stack.fib.is_local(dst)
    return {"ip": format_address(dst)} if ours and not is_loopback(dst) else {}


def listener(packet: bytes, header: ipv4.Ipv4Header) -> dict[str, object]:
    """Return ``port``, at which a socket would hear a packet to a group; ``group`` if none can."""
    at = header.header_len + 2
    is_udp = header.protocol == ipv4.Protocol.UDP and not header.fragment_offset
    port = int.from_bytes(packet[at : at + 2]) if is_udp else 0
    return {"port": port} if port else {"group": format_address(header.dst)}


# --- more room ------------------------------------------------------------------------------------


def room(now: int, knob: str) -> dict[str, object]:
    """Return ``value``: twice of what there is, {} when that is more than the knob allows."""
    value = max(2 * now, 8)
    return {"value": value} if value <= KNOBS[knob].high else {}


def cache_room(stack: "Stack", peers: int = 0) -> dict[str, object]:
    """Return ``capacity`` of the neighbor caches, and ``value``, the one to set.

    Args:
        peers: neighbors for whom it should have room.
    """
    knob = "iface.neighbor_cache_count"
    capacity = stack.settings[knob]
    return {"capacity": capacity, **room(max(capacity, (peers + 1) // 2), knob)}


def queue_room(stack: "Stack", queued: int) -> dict[str, object]:
    """Return ``knob``, the limit of a neighbor's queue that ``queued`` packets hit, ``value``."""
    by_count = queued >= stack.settings["neigh.unres_qlen"]
    knob = "neigh.unres_qlen" if by_count else "neigh.unres_qlen_bytes"
    now = stack.settings[knob]
    return {"knob": knob, "limit": f"{knob} is {now}", **room(now, knob)}


def unblock(queue: SendQueue) -> dict[str, object]:
    """Return ``knob`` and ``value`` with which no datagram waits in its socket as in ``queue``."""
    if queue.hop is None:
        return {"knob": "ip.no_route", "value": "refuse"}
    return {"knob": "neigh.unres_qlen", "value": KNOBS["neigh.unres_qlen"].default}


def icmp_room(stack: "Stack") -> dict[str, object]:
    """Return ``knob`` that kept an ICMP error from being sent, and ``value`` that would not."""
    knob = stack.icmp_limiter.refused_by
    values = {"icmp.ratelimit_ms": 0, "icmp.msgs_burst": KNOBS["icmp.msgs_burst"].default}
    value = values.get(knob, max(10 * stack.settings["icmp.msgs_per_sec"], 1000))
    return {"knob": knob, "value": value if value <= 1_000_000 else None}


def ports(first: int, last: int) -> dict[str, object]:
    """Return ``first`` and ``last`` ephemeral port, ``knob`` and ``value`` that give more."""
    shown: dict[str, object] = {"first": first, "last": last}
    if last < 65535:
        return {**shown, "knob": "ip.local_port_last", "value": 65535}
    # RFC 6335 6: below 1024 are the system ports.
    return {**shown, "knob": "ip.local_port_first", "value": 1024} if first > 1024 else shown


def mtu(decision: "Decision", mtu: int, size: int) -> dict[str, object]:
    """Return whose MTU is too small, ``of``, and what lets ``size`` bytes through.

    That is ``link_mtu``, or ``route``, the words for ``route change``; neither where not one of
    them alone does.
    """
    out, route = decision.interface, decision.route
    limit = None if route is None else route.mtu
    more: dict[str, object]
    if mtu >= out.mtu:
        more = {"link_mtu": size} if limit is None or limit >= size else {}
        return {"of": out.name, **more}
    if decision.learned is not None or route is None or limit is None:
        return {"of": f"the way to {format_address(decision.dst)}"}
    more = {"route": _words(route, size)} if out.mtu >= size else {}
    return {"of": "its route", **more}


def rule(refused: Refused) -> dict[str, object]:
    """Return ``priority`` and ``rule``, the other words, of the rule that refused a packet."""
    found = refused.rule
    return {} if found is None else {"priority": found.priority, "rule": rule_text(found)}


def _words(route: Route, mtu: int) -> str:
    """Return the words that give a route, all its next hops with it, another MTU."""
    shown = format_address
    if isinstance(route, Hop) and route.whole is not None:
        route = route.whole
    words = [f"{shown(route.prefix)}/{route.plen}" if route.plen else "default"]
    if route.via is not None:
        words += ["via", shown(route.via)]
    if route.dev is not None:
        words += ["dev", route.dev]
    if route.prefsrc is not None:
        words += ["src", shown(route.prefsrc)]
    if route.metric:
        words += ["metric", str(route.metric)]
    if route.table != TableName.MAIN:
        words += ["table", table_text(route.table)]
    words += ["mtu", *(["lock"] if route.mtu_lock else []), str(mtu)]
    for hop in route.hops if isinstance(route, Multipath) else ():
        words += ["nexthop", *(["via", shown(hop.via)] if hop.via is not None else [])]
        words += ["dev", hop.dev or "", "weight", str(hop.weight)]
        words += ["onlink"] if hop.onlink else []
    return " ".join(words)


# --- addresses ------------------------------------------------------------------------------------


def _holds(item: Address, ip: int) -> bool:
    return ip >> 32 - item.plen == item.local >> 32 - item.plen


def is_host(ip: int) -> bool:
    """Tell whether one host can have this address (as ``configure.check_address``)."""
    return not (is_zeronet(ip) or is_multicast(ip) or is_limited_broadcast(ip) or is_class_e(ip))


def _within(ip: int, plen: int) -> bool:
    """Tell whether an address is a host's in a network of that length, not the network's own."""
    host = ip & (1 << 32 - plen) - 1
    return plen > 30 or 0 < host < (1 << 32 - plen) - 1
