"""Suggestions: the address, gateway, interface or sysctl that a fix names.

They are looked for when a reason is shown, in the stack as it is then: what a fix names must be
right at that moment. Where nothing plausible is known the value is left out, and so is the fix.
"""

from collections.abc import Callable, Mapping
from typing import Any

from smolctl.stack import reason
from smolctl.stack.explain.details import DETAILS
from smolctl.stack.explain.route_words import (
    change_words,
    networks_text,
    prefix_text,
    rule_text,
)
from smolctl.stack.explain.silence import silence
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import Route, RouteType, TableName, table_text
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.derived_routes import derived
from smolctl.stack.ip.network import Network, Networks
from smolctl.stack.ip.way import Way
from smolctl.stack.neighbor.states import VALID
from smolctl.stack.reason import Detail, Reason
from smolctl.stack.sysctl.link_settings import Values as SettingValues
from smolctl.stack.sysctl.settings import SYSCTLS
from smolctl.stack.trace.trace import Origin
from smolctl.stack.transport.ports import more_ports
from smolctl.wire import vlan
from smolctl.wire.address import (
    IPV4,
    IPV6,
    IPV6_MARK,
    ZERO_MAC,
    format_address,
    format_mac,
    is_class_e,
    is_host,
    is_limited_broadcast,
    is_link_local,
    is_loopback,
    is_multicast,
)

_SHOWN_MAX = 4
"""Networks that one line names."""
_FEW = 1000
"""Routes that are looked through for a gateway."""

Values = Mapping[str, Any]
"""What was recorded with a reason."""
More = dict[str, object]


class Suggestions:
    """Finds the further values that the texts of reasons show: ``reason.model.Suggest``."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def __call__(self, why: Reason, values: Detail) -> More:
        """Return what is suggested for a reason with these values."""
        suggest = _SUGGESTERS.get(why)
        if suggest is None:
            return {}
        family = IPV6 if any(_is_ipv6(value) for value in values.values()) else IPV4
        if family is IPV6 and suggest in _OF_IPV4:
            return {}
        return suggest(self._networks[family], values)


def _is_ipv6(value: object) -> bool:
    """Tell whether a value is an address of IPv6."""
    return type(value) is int and value >= IPV6_MARK


# --- addresses, gateways and routes ---------------------------------------------------------------


def _hosts(net: Network, interface: Interface) -> list[Address]:
    """Return the addresses of an interface that are not groups."""
    return [item for item in net.of(interface).addresses.items if not item.autojoin]


def networks(net: Network, interface: Interface) -> str:
    """Return the addresses of an interface with their prefix lengths; "no address" for none."""
    return networks_text([(item.local, item.plen) for item in _hosts(net, interface)])


def address(net: Network, interface: Interface, ip: int) -> dict[str, object]:
    """Return ``plen`` with which ``ip`` would be an address of ``interface``; {} if it cannot be.

    It is that of a network which the interface has, and nobody else is known to be there.
    """
    if not is_host(ip) or is_loopback(ip) != interface.loopback:
        return {}
    for item in _hosts(net, interface):
        if item.local == ip:
            return {}  # it is there, and tentative
        if _holds(item, ip):
            other = net.neighbors[interface.name].lookup(ip)
            taken = other is not None and other.lladdr is not None
            return {"plen": item.plen} if _within(ip, item.plen) and not taken else {}
    return {}


def gateway(net: Network, beside: Interface | None = None) -> int | None:
    """Return who may be the router to all there is: the gateway of another route, or a neighbor.

    A neighbor only when there is no other, or when it has the first address of its network, as
    routers have. None where a default route is there already.

    Args:
        beside: an interface whose link is out of the question.
    """
    if len(net.fib) > _FEW or net.fib.tables[TableName.MAIN].chain(0, 0):
        return None
    configured = [ip for ip, dev in gateways(net.fib).items() if _may_send(net, dev, beside)]
    if configured:
        return configured[0]
    known = [
        (entry.ip, item.network(32) + 1)
        for interface in net.interfaces.values()
        if _may_send(net, interface.name, beside)
        for entry in net.neighbors[interface.name]
        for item in _hosts(net, interface)
        if entry.state in VALID and _holds(item, entry.ip)
    ]
    usual = [ip for ip, first in known if ip == first]
    return usual[0] if usual else known[0][0] if len(known) == 1 else None


def gateways(fib: Fib) -> dict[int, str | None]:
    """Return the gateways of all routes, each with an interface by which it is reached."""
    ways = (
        way for route in fib for way in (route.hops if isinstance(route, Multipath) else (route,))
    )
    return {way.via: way.dev for way in ways if way.via is not None}


def _may_send(net: Network, dev: str | None, beside: Interface | None) -> bool:
    interface = net.interfaces.get(dev or "")
    return interface is not None and interface.up and interface is not beside


def no_route(net: Network, dst: int, beside: Interface | None = None) -> dict[str, object]:
    """Return what may lead to ``dst``, and ``look``, what to look at where nothing does.

    ``down``, the interface whose network it is in, when that is only down; else the ``gateway`` by
    which it may be reached.
    """
    for interface in net.interfaces.values():
        if not interface.up and any(_holds(item, dst) for item in _hosts(net, interface)):
            return {"down": interface.name}
    wires = [wire.name for wire in net.interfaces.values() if not wire.loopback]
    if is_multicast(dst) or is_limited_broadcast(dst):
        dev = wires[0] if wires else "DEV"
        return {"look": f"by which link is it to leave? name it, such as: dev {dev}"}
    if is_class_e(dst):
        return {"look": "is the address right? 240.0.0.0/4 is reserved (RFC 1112 4)"}
    if is_link_local(dst):
        return {"look": "on which link is it? 169.254.0.0/16 is never behind a router (RFC 3927 7)"}
    router = gateway(net, beside)
    if router is not None:
        return {"gateway": router}
    if net.fib.tables[TableName.MAIN].chain(0, 0):
        return {"look": "why does the default route not count? smolctl rule show"}
    return {"look": "who is the router? smolctl neigh show"} if wires else {}


def not_ours(net: Network, interface: Interface, dst: int) -> dict[str, object]:
    """Return the details of a packet that came in by ``interface``, not to us.

    ``router`` is what ip.forward should be: 1 where a route leads on by another interface.
    """
    if interface.settings["ip.forward"] and not interface.loopback:
        return {}
    route = net.fib.lookup(dst)
    on = route is not None and route.type is RouteType.UNICAST and route.dev != interface.name
    if on and not interface.settings["ip.forward"]:
        return {"networks": networks(net, interface), "router": 1}
    return missing(net, interface, dst)


def missing(net: Network, interface: Interface, ip: int) -> dict[str, object]:
    """Return the details of "somebody wants ``ip``, and it is not ours"."""
    return {"networks": networks(net, interface), **address(net, interface, ip)}


def _meant_for_us(net: Network, values: Values) -> More:
    """Return ``look``, and ``ip``, the destination of the packet in the frame, if it is ours."""
    frame = values["_frame"]
    dst = int.from_bytes(frame[30:34])
    ours = frame[12:14] == b"\x08\0" and len(frame) >= 34 and net.fib.is_local(dst)
    if not ours or is_loopback(dst):
        return {}
    tell = f"smolctl arping -U -c 1 -I {values['dev']} {format_address(dst)}"
    return {"ip": dst, "look": f"tell everybody our MAC, in case the sender believes it: {tell}"}


def _other_station(net: Network, values: Values) -> More:
    """Return ``sender``, who sent a frame with our MAC, if that cannot have been us."""
    frame = values["_frame"]
    at = {b"\x08\0": 26, b"\x08\x06": 28}.get(frame[12:14], len(frame))
    sender = int.from_bytes(frame[at : at + 4])
    forwarded = _settings(net, values)["ip.forward"] and frame[12:14] == b"\x08\0"
    another = is_host(sender) and not net.fib.is_local(sender) and not forwarded
    return {"sender": sender} if another else {}


def _vlan(_net: Network, values: Values) -> More:
    """Return ``cause``, and ``words``, with which an interface would be in the VLAN of a frame."""
    vid, kind = values["vid"], values["kind"]
    if vid == vlan.RESERVED:
        return {"cause": "reserved"}
    words = f"id {vid}" if kind == "802.1Q" else f"protocol {kind} id {vid}"
    return {"cause": "absent", "words": words}


def _not_our_destination(net: Network, values: Values) -> More:
    interface = net.interfaces.get(values["dev"])
    if interface is None:
        return {}
    return not_ours(net, interface, values["ip"])


def _not_our_target(net: Network, values: Values) -> More:
    """Return the details of a request; who asks everybody may well mean another host."""
    interface = net.interfaces.get(values["dev"])
    if interface is None:
        return {}
    more = missing(net, interface, values["ip"])
    begun = values.origin if isinstance(values, Detail) else None
    to_us = isinstance(begun, Origin) and begun.frame[:6] == interface.mac
    if "plen" in more and not to_us:
        own = f"{format_address(values['ip'])}/{more.pop('plen')} dev {interface.name}"
        more["look"] = f"is it to be ours? {_ADD} {own}; else it is for another host"
    elif not _hosts(net, interface):
        own = f"{format_address(values['ip'])}/LENGTH dev {interface.name}"
        more["look"] = f"{interface.name} has no address: is it to have this one? {_ADD} {own}"
    return more


_ADD = "smolctl addr add"


def _networks(net: Network, values: Values) -> More:
    interface = net.interfaces.get(values["dev"])
    return {} if interface is None else {"networks": networks(net, interface)}


def _tentative(_net: Network, values: Values) -> More:
    """Return ``state``; ``plen`` only while it is tested: what another host has is left to it."""
    address: Address = values["_address"]
    if address.dadfailed:
        return {"state": f"belongs to another host ({format_mac(address.other_mac or ZERO_MAC)})"}
    return {"state": "is being tested for a conflict", "plen": address.plen}


def _rule(_net: Network, values: Values) -> More:
    """Return ``priority`` and ``rule``, the other words, of the rule that refused a packet."""
    found = values.get("_rule")
    return {} if found is None else {"priority": found.priority, "rule": rule_text(found)}


def _route(_net: Network, values: Values) -> More:
    route: Route = values["_route"]
    table = "" if route.table == TableName.MAIN else f" table {table_text(route.table)}"
    metric = f" metric {route.metric}" if route.metric else ""
    return {"route": prefix_text(route) + table + metric}


def _no_route(net: Network, values: Values) -> More:
    return {"connected": _connected(net), **no_route(net, values["ip"]), **_gone(net, values)}


def _connected(net: Network) -> str:
    shown = [
        f"{format_address(route.prefix)}/{route.plen} dev {route.dev}"
        for interface in net.interfaces.values()
        for route in derived(net, interface).values()
        if route.type is RouteType.UNICAST
    ]
    return ", ".join(shown[:_SHOWN_MAX]) or "nothing"


def _no_way_on(net: Network, values: Values) -> More:
    interface = net.interfaces.get(values["dev"])
    more = {} if interface is None else no_route(net, values["ip"], interface)
    return {**more, **_gone(net, values)}


def _gone(net: Network, values: Values) -> More:
    """Return ``gone``: the default route that went with its link, and how long before."""
    lost = net.fib.lost_default
    if lost is None or not isinstance(values, Detail) or values.at_ns is None:
        return {}
    route, seconds = lost.route, max(values.at_ns - lost.at_ns, 0) // 1_000_000_000
    via = "" if route.via is None else f" via {format_address(route.via)}"
    ago = f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
    return {"gone": f"the default route{via} went with {route.dev} {ago} ago"}


def _other_end(net: Network, values: Values) -> More:
    """Return the ``command`` that brings back who was at the other end of a link."""
    interface = net.interfaces.get(values["dev"])
    if interface is None:
        return {}
    name, kind = interface.name, interface.kind
    if interface.gone:
        more = " ..." if interface.options else ""
        return {"command": f"smolctl link del {name} && smolctl link add {name} type {kind}{more}"}
    commands = {
        "tap": f"sudo ip link set {name} up",
        "packet": f"sudo ip link set {interface.options.get('link', name)} up",
        "cable": "smolctl --stack OTHER link add NAME type cable"
        f" name {interface.options.get('cable', 'CABLE')}",
    }
    return {"command": commands.get(kind, f"smolctl -d link show {name}")}


def _mtu(_net: Network, values: Values) -> More:
    """Return whose MTU is too small, ``of``, and what lets ``size`` bytes through.

    That is ``link_mtu``, or ``route``, the words for ``route change``; neither where not one of
    them alone does.
    """
    way: Way = values["_way"]
    mtu, size = values["mtu"], values["size"]
    out, route = way.interface, way.route
    limit = None if route is None else route.mtu
    more: More
    if mtu >= out.mtu:
        more = {"link_mtu": size} if limit is None or limit >= size else {}
        return {"of": out.name, **more}
    if way.learned is not None or route is None or limit is None:
        return {"of": f"the way to {format_address(way.dst)}"}
    more = {"route": change_words(route, size)} if out.mtu >= size else {}
    return {"of": "its route", **more}


# --- more room ------------------------------------------------------------------------------------


def room(now: int, sysctl: str) -> More:
    """Return ``value``: twice of what there is, {} when that is more than the sysctl allows."""
    value = max(2 * now, 8)
    return {"value": value} if value <= SYSCTLS[sysctl].high else {}


def _settings(net: Network, values: Values) -> SettingValues:
    """Return the sysctls that count on the interface of a reason."""
    interface = net.interfaces.get(values["dev"])
    return net.settings if interface is None else interface.settings


def _cache_room(net: Network, values: Values) -> More:
    """Return ``capacity`` of the neighbor caches, and ``value``, the one to set."""
    sysctl = "iface.neighbor_cache_count"
    capacity = _settings(net, values)[sysctl]
    peers = values.get("peers") or 0
    return {"capacity": capacity, **room(max(capacity, (peers + 1) // 2), sysctl)}


def _queue_room(net: Network, values: Values) -> More:
    """Return ``sysctl``, the limit of a neighbor's queue that was hit, and its ``value``."""
    settings = _settings(net, values)
    by_count = values["queued"] >= settings["neigh.unres_qlen"]
    sysctl = "neigh.unres_qlen" if by_count else "neigh.unres_qlen_bytes"
    now = settings[sysctl]
    return {"knob": sysctl, "limit": f"{sysctl} is {now}", **room(now, sysctl)}


def _may_wait(_net: Network, values: Values) -> More:
    """Return the ``value`` with which a packet may wait for its neighbor."""
    return {"value": SYSCTLS[values["knob"]].default}


def _loopback_own(net: Network, values: Values) -> More:
    """Return the sysctl by which an own address would not be asked for on the wire."""
    ours = net.fib.is_local(values["next_hop"])
    return {"knob": "ip.loopback_own", "value": 1} if ours else {}


def _fragment_room(_net: Network, values: Values) -> More:
    return room(values["_room"], values["knob"])


def _receive_room(_net: Network, values: Values) -> More:
    return room(values["limit"], "udp.rmem_default")


def _send_room(_net: Network, values: Values) -> More:
    return room(values["limit"], "udp.wmem_default")


def _unblock(_net: Network, values: Values) -> More:
    """Return ``sysctl`` and ``value`` with which no datagram waits in its socket."""
    if values["_no_route"]:
        return {"knob": "ip.no_route", "value": "refuse"}
    return {"knob": "neigh.unres_qlen", "value": SYSCTLS["neigh.unres_qlen"].default}


def _icmp_room(net: Network, values: Values) -> More:
    """Return the ``value`` of a limit that would not have kept an ICMP error from being sent."""
    usual = {"icmp.ratelimit_ms": 0, "icmp.msgs_burst": SYSCTLS["icmp.msgs_burst"].default}
    value = usual.get(values["knob"], max(10 * net.settings["icmp.msgs_per_sec"], 1000))
    return {"value": value if value <= 1_000_000 else None}


def _ports(_net: Network, values: Values) -> More:
    return more_ports(values["first"], values["last"])


_SUGGESTERS: dict[Reason, Callable[[Network, Values], More]] = {
    reason.RX_VLAN_UNKNOWN: _vlan,
    reason.RX_OWN_FRAME: _other_station,
    **DETAILS,
    reason.RX_NOT_OUR_MAC: _meant_for_us,
    reason.IP_DST_NOT_OURS: _not_our_destination,
    reason.ARP_TARGET_NOT_OURS: _not_our_target,
    reason.ARP_SENDER_OFF_SUBNET: _networks,
    reason.ARP_IGNORED: _networks,
    reason.IP_DST_TENTATIVE: _tentative,
    reason.TX_SRC_TENTATIVE: _tentative,
    reason.ARP_TARGET_TENTATIVE: _tentative,
    reason.ND_TARGET_TENTATIVE: _tentative,
    reason.IP_RULE_REFUSED: _rule,
    reason.ARP_RULE_REFUSED: _rule,
    reason.TX_RULE_BLACKHOLE: _rule,
    reason.TX_RULE_UNREACHABLE: _rule,
    reason.TX_RULE_PROHIBIT: _rule,
    reason.TX_ROUTE_BLACKHOLE: _route,
    reason.TX_ROUTE_UNREACHABLE: _route,
    reason.TX_ROUTE_PROHIBIT: _route,
    reason.FWD_ROUTE_BLACKHOLE: _route,
    reason.FWD_ROUTE_UNREACHABLE: _route,
    reason.FWD_ROUTE_PROHIBIT: _route,
    reason.TX_NO_ROUTE: _no_route,
    reason.UDP_WAITS_FOR_ROUTE: _no_route,
    reason.FWD_NO_ROUTE: _no_way_on,
    reason.TX_NO_CARRIER: _other_end,
    reason.TX_TOO_BIG: _mtu,
    reason.FWD_TOO_BIG: _mtu,
    reason.TX_NO_PORT: _ports,
    reason.NEIGH_TABLE_FULL: _cache_room,
    reason.NEIGH_EVICTED: _cache_room,
    reason.NEIGH_CACHE_THRASH: _cache_room,
    reason.NEIGH_QUEUE_FULL: _queue_room,
    reason.NEIGH_NOT_QUEUED: _may_wait,
    reason.NEIGH_FAILED: lambda net, values: {
        **silence(net, values),
        **_loopback_own(net, values),
    },
    reason.FRAG_NO_SLOT: _fragment_room,
    reason.UDP_RCVBUF_FULL: _receive_room,
    reason.UDP_COPY_LOST: _receive_room,
    reason.UDP_SNDBUF_FULL: _send_room,
    reason.UDP_HEAD_OF_LINE: _unblock,
    reason.ICMP_RATE_LIMITED: _icmp_room,
}

_OF_IPV4 = frozenset({_no_route, _no_way_on, _not_our_destination, _meant_for_us, _other_station})
"""Those that know addresses and routes of IPv4 alone."""


# --- prefixes -------------------------------------------------------------------------------------


def _holds(item: Address, ip: int) -> bool:
    return ip >> 32 - item.plen == item.local >> 32 - item.plen


def _within(ip: int, plen: int) -> bool:
    """Tell whether an address is a host's in a network of that length, not the network's own."""
    host = ip & (1 << 32 - plen) - 1
    return plen > 30 or 0 < host < (1 << 32 - plen) - 1
