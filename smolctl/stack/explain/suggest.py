"""Suggestions: the address, gateway, interface or sysctl that a fix names.

They are looked for when a reason is shown, in the stack as it is then: what a fix names must be
right at that moment. Where nothing plausible is known the value is left out, and so is the fix.
"""

from collections.abc import Callable, Mapping
from typing import Any

from smolctl.counted import counted
from smolctl.stack import reason
from smolctl.stack.explain.details import DETAILS
from smolctl.stack.explain.route_words import change_words, prefix_text, route_text, rule_text
from smolctl.stack.explain.silence import silence
from smolctl.stack.explain.suggest_addresses import (
    address,
    hosts,
    missing,
    networks,
    no_route,
    not_ours,
)
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import Route, RouteType, TableName, table_text
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.derived_routes import derived
from smolctl.stack.ip.network import Network, Networks
from smolctl.stack.ip.way import Way
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.reason import Detail, Reason
from smolctl.stack.sysctl.link_settings import Values as SettingValues
from smolctl.stack.sysctl.settings import SYSCTLS
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.trace import Origin
from smolctl.stack.transport.ports import more_ports
from smolctl.wire import vlan
from smolctl.wire.address import (
    IPV4,
    IPV6,
    IPV6_MARK,
    ZERO_MAC,
    Family,
    family_of,
    format_address,
    format_mac,
    from_packed,
    is_host,
    is_loopback,
    is_solicited_node,
    is_unspecified,
)
from smolctl.wire.ipv6 import MIN_MTU

_SHOWN_MAX = 4
"""Networks that one line names."""
Values = Mapping[str, Any]
"""Values recorded with a reason."""
More = dict[str, object]


class Suggestions:
    """Finds the further values that the texts of reasons show: ``reason.model.Suggest``."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def __call__(self, why: Reason, values: Detail) -> More:
        """Return what is suggested for a reason with these values."""
        family = family_told(why, values)
        suggest = _SUGGESTERS.get(why)
        more = {} if suggest is None else suggest(self._networks[family], values)
        return {**more, "ipv6": True} if family is IPV6 else more


def family_told(why: Reason, values: Detail) -> Family:
    """Return the family of the packet that a reason is about; IPv4 where it is of neither."""
    if why.name.partition("-")[0] in _IPV6_LAYERS or any(map(_is_ipv6, values.values())):
        return IPV6
    frame, begun = values.get("_frame"), values.origin
    if isinstance(frame, bytes):
        return IPV6 if frame[12:14] == _IPV6 else IPV4
    if not isinstance(begun, Origin) or any(type(values.get(key)) is int for key in _TOLD):
        return IPV4
    if begun.flow is not None:
        return family_of(begun.flow.dst)
    return IPV6 if begun.frame[12:14] == _IPV6 else IPV4


_IPV6_LAYERS = ("ip6", "icmp6", "frag6", "udp6", "nd", "ra", "rs", "redirect6", "mld")
_TOLD = ("ip", "next_hop", "dst")
"""Values that are addresses: where there is one, it says the family."""


def _is_ipv6(value: object) -> bool:
    """Tell whether a value is an address of IPv6, or has one."""
    if isinstance(value, Way | Awaited):
        value = value.dst
    elif isinstance(value, tuple) and len(value) == 2:
        value = value[0]
    return type(value) is int and value >= IPV6_MARK


# --- frames ---------------------------------------------------------------------------------------

_IPV4, _ARP, _IPV6 = b"\x08\0", b"\x08\x06", b"\x86\xdd"


def _ends(frame: bytes) -> tuple[int | None, int | None]:
    """Return source and destination of the packet in a frame, as far as it has them."""
    kind = frame[12:14]
    if kind == _IPV6 and len(frame) >= 54:
        return from_packed(frame[22:38]), from_packed(frame[38:54])
    if kind == _IPV4 and len(frame) >= 34:
        return from_packed(frame[26:30]), from_packed(frame[30:34])
    return from_packed(frame[28:32]) if kind == _ARP and len(frame) >= 32 else None, None


def _meant_for_us(net: Network, values: Values) -> More:
    """Return ``look``, and ``ip``, the destination of the packet in the frame, if it is ours."""
    _, dst = _ends(values["_frame"])
    if dst is None or is_loopback(dst) or not net.fib.is_local(dst):
        return {}
    text = format_address(dst)
    if net.family is IPV6:
        return {"ip": dst, "look": f"what its sender has, on it: ip -6 neigh show {text}"}
    tell = f"smolctl arping -U -c 1 -I {values['dev']} {text}"
    return {"ip": dst, "look": f"tell everybody our MAC, in case the sender believes it: {tell}"}


def _other_station(net: Network, values: Values) -> More:
    """Return ``sender``, who sent a frame with our MAC, if that cannot have been us."""
    frame = values["_frame"]
    sender, _ = _ends(frame)
    interface = net.interfaces.get(values["dev"])
    if sender is None or interface is None or not is_host(sender) or is_unspecified(sender):
        return {}
    forwarded = net.forwards(interface) and frame[12:14] != _ARP
    another = not net.fib.is_local(sender) and not forwarded
    return {"sender": sender} if another else {}


def _vlan(_net: Network, values: Values) -> More:
    """Return ``cause``, and ``words``, with which an interface would be in the VLAN of a frame."""
    vid, kind = values["vid"], values["kind"]
    if vid == vlan.RESERVED:
        return {"cause": "reserved"}
    words = f"id {vid}" if kind == "802.1Q" else f"protocol {kind} id {vid}"
    return {"cause": "absent", "words": words}


# --- addresses, gateways and routes ---------------------------------------------------------------


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
    elif not hosts(net, interface):
        own = f"{format_address(values['ip'])}/LENGTH dev {interface.name}"
        more["look"] = f"{interface.name} has no address: is it to have this one? {_ADD} {own}"
    return more


_ADD = "smolctl addr add"


def _not_joined(net: Network, values: Values) -> More:
    """Return ``look``, the address that a solicitation asks for, if it might be ours.

    Each of our addresses is asked for in a group of its own (RFC 4291 2.7.1).
    """
    interface, begun = net.interfaces.get(values["dev"]), getattr(values, "origin", None)
    if interface is None or not isinstance(begun, Origin) or not is_solicited_node(values["ip"]):
        return {}
    target = begun.frame[62:78] if begun.frame[54:55] == _SOLICITATION else b""
    if len(target) != IPV6.size:
        return {}
    found = address(net, interface, from_packed(target))
    if "plen" not in found:
        return {}
    own = f"{format_address(from_packed(target))}/{found['plen']} dev {interface.name}"
    return {"look": f"is it to be ours? {_ADD} {own}; else it is for another host"}


_SOLICITATION = bytes([135])
"""The ICMPv6 type of what asks for an address (RFC 4861 4.3)."""


def _networks(net: Network, values: Values) -> More:
    interface = net.interfaces.get(values["dev"])
    return {} if interface is None else {"networks": networks(net, interface)}


def _tentative(_net: Network, values: Values) -> More:
    """Return ``state``; ``plen`` only while it is tested: what another host has is left to it."""
    tested: Address = values["_address"]
    if tested.dadfailed:
        return {"state": f"belongs to another host ({format_mac(tested.other_mac or ZERO_MAC)})"}
    return {"state": "is being tested for a conflict", "plen": tested.plen}


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
    return {
        "connected": _connected(net),
        **no_route(net, values["ip"]),
        **_ignored(net, values),
        **_gone(net, values),
        **_disabled(net),
    }


def _disabled(net: Network) -> More:
    """Return the links that do without IPv6 because of a sysctl, and the ``knob`` that says so."""
    off = [link for link in net.interfaces.values() if link.settings["ip6.disable"]]
    if net.family is IPV4 or not off:
        return {}
    shown = "all links" if len(off) == len(net.interfaces) else ", ".join(link.name for link in off)
    knob = net.settings.knob(off[-1].name, "ip6.disable", 0)
    return {"disabled": shown, "knob": knob, "look": f"smolctl sysctl {knob}=0"}


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
    return {**more, **_ignored(net, values), **_gone(net, values)}


def _ignored(net: Network, values: Values) -> More:
    """Return the route that would count if its link had carrier, ``ignored``, and what to do."""
    found = next((each for each in net.fib.matches(values["ip"]) if net.fib.ignores(each)), None)
    if found is None:
        return {}
    first = found.first if isinstance(found, Multipath) else found
    link = net.interfaces.named(first.dev or "")
    command = _other_end(net, {"dev": link.name})["command"]
    return {
        "ignored": route_text(found),
        "sysctl": f"{link.name}.{net.linkdown_sysctl}",
        "look": f"who is at the other end of {link.name}? {command}",
    }


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
        "mirror": f"smolctl link set {name} carrier on",
        "packet": f"sudo ip link set {interface.options.get('link', name)} up",
        "cable": "smolctl --stack OTHER link add NAME type cable"
        f" name {interface.options.get('cable', 'CABLE')}",
    }
    return {"command": commands.get(kind, f"smolctl -d link show {name}")}


def _too_big(net: Network, values: Values) -> More:
    """Return the same as ``_mtu``, and ``whole``: how the sender forbids fragments."""
    return {"whole": "may not be cut" if net.family is IPV6 else "DF", **_mtu(net, values)}


def _hops(net: Network, _values: Values) -> More:
    """Return ``hops``, the name of what says how far a packet may go."""
    return {"hops": "hop limit" if net.family is IPV6 else "ttl"}


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


def _asking(net: Network, values: Values) -> More:
    """Return the words for how a neighbor is asked for: ``asking``, ``question``, ``asked``.

    ``command`` tells who is there.
    """
    dev, probes = values["dev"], values.get("probes")
    if net.family is IPV6:
        asking, question, verb = "neighbor discovery", "neighbor solicitation", "ndisc"
    else:
        asking, question, verb = "ARP", "ARP request", "arping"
    command = f"smolctl {verb} -I {dev} {format_address(values['next_hop'])}"
    asked = {} if probes is None else {"asked": counted(probes, question)}
    return {"asking": asking, "question": question, "command": command, **asked}


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
    usual = {
        "icmp.ratelimit_ms": 0,
        "icmp6.ratelimit_ms": 0,
        "icmp.msgs_burst": SYSCTLS["icmp.msgs_burst"].default,
    }
    value = usual.get(values["knob"], max(10 * net.settings["icmp.msgs_per_sec"], 1000))
    return {"value": value if value <= 1_000_000 else None}


def _option_room(_net: Network, values: Values) -> More:
    """Return the ``knob`` of a limit of options, and four times its ``value``."""
    knob = _OPTION_LIMITS.get(values["what"])
    return {} if knob is None else {"knob": knob, "value": 4 * max(values["number"], 2)}


_OPTION_LIMITS = {
    "hop-by-hop options": "ip6.max_hbh_opts",
    "destination options": "ip6.max_dst_opts",
}


def _taught(_net: Network, values: Values) -> More:
    """Return the ``knob`` with which an advertisement is heard that nobody asked for."""
    return {"knob": "nd.drop_unsolicited_na"} if values["cause"] == "sysctl" else {}


def _wide_enough(_net: Network, values: Values) -> More:
    """Return the ``needed`` MTU where a link does without IPv6 because it has less."""
    return {"needed": MIN_MTU} if values["cause"] == "mtu" else {}


def _which_link(net: Network, values: Values) -> More:
    """Return ``look``, the address with its link, where only one link is likely.

    It is the one on which a neighbor has the address, or the only one with a wire.
    """
    wires = [link.name for link in net.interfaces.values() if link.up and not link.loopback]
    known = [name for name in wires if _has_mac(net.neighbors[name].lookup(values["ip"]))]
    likely = known or wires
    if len(likely) != 1:
        return {}
    zoned = f"{format_address(values['ip'])}%{likely[0]}"
    return {"look": f"name the interface: {zoned}, or dev {likely[0]}"}


def _has_mac(entry: Neighbor | None) -> bool:
    return entry is not None and entry.lladdr is not None


def _own_listeners(net: Network, values: Values) -> More:
    """Return ``look`` where the port that nobody listens at is one of this stack itself."""
    ip = values["peer"][0] if "peer" in values else values["ip"]
    return {"look": "what listens: smolctl socket show"} if net.fib.is_local(ip) else {}


def _obedient(_net: Network, values: Values) -> More:
    """Return the ``knob`` that has redirects followed; a router follows none."""
    return {"knob": "ip6.accept_redirects", "value": 1} if values["cause"] == "sysctl" else {}


def _ports(_net: Network, values: Values) -> More:
    return more_ports(values["first"], values["last"])


_SUGGESTERS: dict[Reason, Callable[[Network, Values], More]] = {
    reason.RX_VLAN_UNKNOWN: _vlan,
    reason.RX_OWN_FRAME: _other_station,
    **DETAILS,
    reason.RX_NOT_OUR_MAC: _meant_for_us,
    reason.IP_DST_NOT_OURS: _not_our_destination,
    reason.IP6_DST_NOT_OURS: _not_our_destination,
    reason.ND_TARGET_NOT_OURS: _not_our_target,
    reason.ARP_TARGET_NOT_OURS: _not_our_target,
    reason.ARP_SENDER_OFF_SUBNET: _networks,
    reason.ARP_IGNORED: _networks,
    reason.IP_DST_TENTATIVE: _tentative,
    reason.IP6_DST_TENTATIVE: _tentative,
    reason.IP6_MULTICAST_NOT_JOINED: _not_joined,
    reason.TX_SRC_TENTATIVE: _tentative,
    reason.ARP_TARGET_TENTATIVE: _tentative,
    reason.ND_TARGET_TENTATIVE: _tentative,
    reason.IP_RULE_REFUSED: _rule,
    reason.IP6_RULE_REFUSED: _rule,
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
    reason.TX_TOO_BIG: _too_big,
    reason.FWD_TTL_EXCEEDED: _hops,
    reason.FWD_TOO_BIG: _mtu,
    reason.TX_NO_PORT: _ports,
    reason.NEIGH_TABLE_FULL: _cache_room,
    reason.NEIGH_EVICTED: _cache_room,
    reason.NEIGH_CACHE_THRASH: _cache_room,
    reason.NEIGH_PENDING: _asking,
    reason.NEIGH_RATE_LIMITED: _asking,
    reason.UDP_WAITS_FOR_NEIGHBOR: _asking,
    reason.NEIGH_QUEUE_FULL: lambda net, values: {
        **_asking(net, values),
        **_queue_room(net, values),
    },
    reason.NEIGH_NOT_QUEUED: _may_wait,
    reason.NEIGH_FAILED: lambda net, values: {
        **_asking(net, values),
        **silence(net, values),
        **_loopback_own(net, values),
    },
    reason.FRAG_NO_SLOT: _fragment_room,
    reason.UDP_RCVBUF_FULL: _receive_room,
    reason.UDP_BOUND_ELSEWHERE: lambda net, _values: {"any": format_address(net.family.mark)},
    reason.IP6_OPTION_LIMIT: _option_room,
    reason.REDIRECT6_IGNORED: _obedient,
    reason.ND_UNSOLICITED: _taught,
    reason.IP6_DISABLED: _wide_enough,
    reason.TX_NO_SCOPE: _which_link,
    reason.UDP_COPY_LOST: _receive_room,
    reason.UDP_SNDBUF_FULL: _send_room,
    reason.UDP_HEAD_OF_LINE: _unblock,
    reason.ICMP_RATE_LIMITED: _icmp_room,
    reason.ICMP_PORT_UNREACHABLE: _own_listeners,
    reason.TCP_REFUSED: _own_listeners,
}
