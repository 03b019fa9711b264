"""The way of a packet that is sent: interface, next hop and source address.

``route_output`` has no side effect. The data path acts on its answer, ``route get`` shows it.
"""

from smolctl.errors import AddressNotAvailable
from smolctl.stack import reason
from smolctl.stack.fib.exceptions import RouteException
from smolctl.stack.fib.lookup import Found, is_lost
from smolctl.stack.fib.nexthop import Hop, Multipath
from smolctl.stack.fib.path_mtu import PathMtu
from smolctl.stack.fib.route import KERNEL, Route, RouteType, Scope
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.fib.rule import RuleAction, RuleRefusal
from smolctl.stack.interface import Interface
from smolctl.stack.ip import gateways
from smolctl.stack.ip.host_model import homes, is_strong, lookup_from
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.way import Refusal, Way, WayType
from smolctl.stack.neighbor.states import State
from smolctl.wire.address import (
    IPV4,
    format_address,
    is_limited_broadcast,
    is_loopback,
    is_multicast,
    is_unspecified,
    is_zeronet,
)
from smolctl.wire.ipv6 import NextHeader

_TYPE_REASONS = {
    RouteType.BLACKHOLE: reason.TX_ROUTE_BLACKHOLE,
    RouteType.UNREACHABLE: reason.TX_ROUTE_UNREACHABLE,
    RouteType.PROHIBIT: reason.TX_ROUTE_PROHIBIT,
}

_RULE_REASONS = {
    RuleAction.BLACKHOLE: reason.TX_RULE_BLACKHOLE,
    RuleAction.UNREACHABLE: reason.TX_RULE_UNREACHABLE,
    RuleAction.PROHIBIT: reason.TX_RULE_PROHIBIT,
}


_LOCAL_GROUPS = 0xE00000
"""224.0.0.0/24, which no router forwards, without its last bits."""
_GROUPS_LEN = 4
"""Bits of 224.0.0.0/4, which all groups of IPv4 have."""


def route_output(net: Network, key: RouteKey) -> Way | Refusal:
    """Choose interface, next hop and source address for a destination; no side effect.

    Args:
        key: ``src`` and ``oif`` are None unless the sender insists on them.

    Source: Linux ``ip_route_output_key_hash_rcu``; RFC 1122 3.3.1.
    """
    if is_unspecified(key.dst) or key.src == 0:
        meant = _meant(net, key)
        if isinstance(meant, Refusal):
            return meant
        key = meant
    dst, src, dev = key.dst, key.src, key.bound
    if src is not None and (bad := _bad_source(net, src, dev)) is not None:
        return bad
    if dev is None and net.needs_dev(dst):
        dev = _link_of(net, src)
        # Linux udpv6_sendmsg asks for no link; ping_v6_sendmsg and tcp_v6_connect do.
        if dev is None and not (key.protocol == NextHeader.UDP and net.settings["ip6.any_link"]):
            return Refusal(reason.TX_NO_SCOPE, "", {"ip": dst})
        key = key._replace(oif=dev)
    bound = net.interfaces.named(dev) if dev is not None else None
    if net.trusts_devices and bound is not None and not bound.up:
        return Refusal(reason.TX_IFACE_DOWN, bound.name, {"ip": dst})
    if net.trusts_devices and (is_multicast(dst) or is_limited_broadcast(dst)):
        known = _to_group(net, key, bound)
        if not isinstance(known, RouteKey):
            return known
        key = known
    if dev is None and src is not None:
        found = lookup_from(net, key, src)
    else:
        key, found = net.lookup_to_send(key)
        src = key.src
    if bound is not None and is_lost(found) and net.trusts_devices:
        # Linux: "Apparently, routing tables are wrong. Assume, that the destination is on link."
        # A route that refuses is a failed lookup like any other (ip_route_output_key_hash_rcu).
        return _on_link(net, bound, dst, src)
    refusal = _refusal(found, dst)
    if refusal is not None or not isinstance(found, Route):
        return _without_way(net, key, bound, refusal)
    tied = dev is not None or (src is not None and is_strong(net))
    route = gateways.living(net, found, found.dev if tied else None)
    if isinstance(route, Multipath):
        route = gateways.pick_hop(net, route, key)
    elif isinstance(route, Hop) and dev is not None:
        route = gateways.pick_hop_by(net, route, key)
    if route.type in (RouteType.LOCAL, RouteType.ANYCAST):
        return _to_ourselves(net, route, dst, src, dev)
    return _by_route(net, route, dst, src)


def _meant(net: Network, key: RouteKey) -> RouteKey | Refusal:
    """Return the key that a sender means who says no address.

    RFC 1122 3.2.1.3(a) and RFC 4291 2.5.2 forbid 0.0.0.0 and :: as destination; with
    ip.zero_is_own they are this host itself.
    """
    key = key._replace(src=None) if key.src == 0 else key
    if not is_unspecified(key.dst):
        return key
    if not net.settings["ip.zero_is_own"]:
        return Refusal(reason.TX_DST_INVALID, key.oif or "", {"ip": key.dst, "cause": "zero"})
    if key.protocol == NextHeader.ICMPV6:
        return key  # Linux ping_v6_sendmsg asks for a route to ::, as to any other address
    own = net.meant(key.dst, key.src, key.oif)
    if net.family is not IPV4:
        return key._replace(dst=own)
    # By lo, if the link that is named is up (Linux ip_route_output_key_hash_rcu).
    if key.oif is not None and not net.interfaces.named(key.oif).up:
        return Refusal(reason.TX_IFACE_DOWN, key.oif, {"ip": own})
    return key._replace(dst=own, oif=None)


def _bad_source(net: Network, src: int, dev: str | None) -> Refusal | None:
    """Return why nothing is sent from an address: no host has it, or this one does not.

    Source: Linux ``ip_route_output_key_hash_rcu``. IPv6 has no such one among its own addresses.
    """
    cause = ""
    if net.family is IPV4:
        zeronet = is_zeronet(src) and not net.settings["ip.zeronet"]
        cause = "multicast" if is_multicast(src) else "zeronet" if zeronet else ""
        cause = "everybody" if is_limited_broadcast(src) else cause
    if cause:
        return Refusal(reason.TX_SRC_INVALID, dev or "", {"ip": src, "cause": cause})
    ours = net.fib.is_local(src) or net.may_send_from(src)
    return None if ours else not_ours(net, src, dev)


def _to_group(net: Network, key: RouteKey, bound: Interface | None) -> RouteKey | Way | Refusal:
    """Return the way to a group or to everybody, or by which key routes are asked for it.

    It is reached by the interface of the source address, up or not, or by the one that is named, if
    no route by that says more. Source: Linux ``ip_route_output_key_hash_rcu``.
    """
    dst, src = key.dst, key.src
    if src is not None and bound is None:
        owner = net.interface_of(src)
        return key if owner is None else _on_link(net, owner, dst, src)
    if bound is None:
        return key
    if is_limited_broadcast(dst) or dst >> 8 == _LOCAL_GROUPS:
        return _on_link(net, bound, dst, src)
    if src is None:
        key = key._replace(src=net.select_source(bound, dst, None, Scope.GLOBAL) or None)
    return key


def _refusal(found: Found, dst: int) -> Refusal | None:
    """Return why a packet goes no way; None when there is a route for it."""
    if isinstance(found, RuleRefusal):
        why = _RULE_REASONS[found.rule.action]
        return Refusal(why, "", {"ip": dst, "_rule": found.rule})
    refused = None if found is None else _TYPE_REASONS.get(found.type)
    if refused is None or found is None:
        return None
    return Refusal(refused, found.dev or "", {"ip": dst, "_route": found})


def _without_way(
    net: Network, key: RouteKey, bound: Interface | None, refusal: Refusal | None
) -> Refusal:
    """Return why a packet goes no way, which may be that nothing has an address to send from."""
    if key.src is None and net.source_first:
        return no_source(net, bound or net.interfaces.loopback, key.dst, key.dst)
    if refusal is None and bound is not None and not bound.up:
        return Refusal(reason.TX_IFACE_DOWN, bound.name, {"ip": key.dst})
    return refusal or Refusal(reason.TX_NO_ROUTE, "", {"ip": key.dst})


def _to_ourselves(
    net: Network, route: Route, dst: int, src: int | None, dev: str | None
) -> Way | Refusal:
    """Keep a packet to one's own address inside (RFC 1122 3.2.1.3; Linux: dev_out = loopback).

    One with a link-local address comes in by the link of that address (Linux ``inet6_iif``), or
    nobody could answer it.
    """
    out = net.interfaces.loopback
    owner = net.interfaces.get(route.dev or "", out)
    if not (net.settings["ip.loopback_own"] or owner.loopback):
        if not owner.up:
            return Refusal(reason.TX_IFACE_DOWN, owner.name, {"ip": dst})
        return _on_link(net, owner, dst, src, route)
    source = src if src is not None else route.prefsrc
    if source is None:
        source = net.source_to_itself(owner, dst)
    entrance = out
    if net.needs_dev(dst):
        entrance = owner
    elif source is not None and net.needs_dev(source):
        entrance = net.interfaces.get(dev or _link_of(net, source) or "", owner)
    # With lo down, Linux has a way all the same, and loses the packet on it.
    kind = _type(dst, False)
    kind = WayType.LOCAL if kind is WayType.UNICAST else kind  # Linux __mkroute_output
    return Way(kind, entrance, dst, dst, source, route, out.mtu)


def _link_of(net: Network, src: int | None) -> str | None:
    """Return the link that the source address says, if it is of one link and on no other."""
    if src is None or not net.needs_dev(src):
        return None
    links = net.interfaces.values()
    having = [link for link in links if net.of(link).addresses.find(src, None) is not None]
    return having[0].name if len(having) == 1 else None


def _by_route(net: Network, route: Route, dst: int, src: int | None) -> Way | Refusal:
    out = net.interfaces.named(route.dev or "")
    if not out.up:
        return Refusal(reason.TX_IFACE_DOWN, out.name, {"ip": dst})
    kind = _type(dst, route.type is RouteType.BROADCAST)
    # A group of IPv4 is at no gateway of a route that is not for groups alone, nor is the MTU of
    # that route its own, and yet its packets are from the address that goes with the gateway. Linux
    # __mkroute_output; rt6_nexthop.
    via = None if route.on_link else route.via
    straight = is_limited_broadcast(dst) or (
        kind is WayType.MULTICAST and net.family is IPV4 and route.plen < _GROUPS_LEN
    )
    to_gateway = via is not None and kind is not WayType.BROADCAST and not straight
    next_hop = via if via is not None and to_gateway else dst
    redirected = _redirected(net, out, dst, route) if to_gateway else None
    if redirected is not None:
        next_hop = redirected.gateway
    if src is None and not (net.first_source and route.protocol == KERNEL):
        src = route.prefsrc
        if src is not None and not net.fib.is_local(src):
            lost = not_ours(net, src)  # it was ours, and is tentative now
            # Linux rt6_remove_prefsrc leaves it where another link had it.
            if net.family is IPV4 or lost.reason is reason.TX_SRC_TENTATIVE:
                return lost
    if src is None:
        # Linux fib_result_prefsrc, ip6_route_get_saddr
        src = net.select_source(net.source_link(route, out), dst, route.via, route.scope)
    mtu = _mtu(net, out, dst, next_hop, None if straight else route)
    return _checked(net, Way(kind, out, dst, next_hop, src, route, *mtu, redirected=redirected))


def _mtu(
    net: Network, out: Interface, dst: int, next_hop: int, route: Route | None
) -> tuple[int, bool, PathMtu | None]:
    """Return the last fields of a ``Way`` (Linux ``ipv4_mtu``, ``ip_mtu_locked``).

    The interface's MTU, or what is less: the route's (RFC 1191 6.5), or what was learned.
    """
    mtu, locked = out.mtu, False
    if route is not None and route.mtu is not None:
        mtu, locked = min(route.mtu, mtu), route.mtu_lock
    path_mtus = net.fib.path_mtus
    if path_mtus and not locked:
        learned = path_mtus.lookup(dst, out.name, next_hop)
        if learned is not None and learned.mtu <= mtu:
            return learned.mtu, learned.locked, learned
    return mtu, locked, None


def _redirected(net: Network, out: Interface, dst: int, route: Route) -> RouteException | None:
    """Return what a redirect said about a destination, unless that gateway does not answer.

    RFC 1122 3.3.1.4: a gateway that a redirect led to may die as any other; the route's own then
    gets the packets, and may redirect again.
    """
    exceptions = net.fib.exceptions
    found = exceptions.lookup(dst, route) if exceptions else None
    if found is None:
        return None
    entry = net.neighbors[out.name].lookup(found.gateway)
    return None if entry is not None and entry.state is State.FAILED else found


def _on_link(
    net: Network, out: Interface, dst: int, src: int | None, route: Route | None = None
) -> Way | Refusal:
    if src is None:
        src = net.select_source(out, dst, None, Scope.LINK)
    if src is None and out.loopback and is_multicast(dst):
        src = net.of(out).addresses.select(None, Scope.HOST)
    mtu = _mtu(net, out, dst, dst, None)
    return _checked(net, Way(_type(dst, False), out, dst, dst, src, route, *mtu))


def _checked(net: Network, way: Way) -> Way | Refusal:
    """Keep 127/8 off the wire (RFC 1122 3.2.1.3(g): MUST NOT appear outside a host).

    In the strong model each source address leaves by its own interface (RFC 1122 3.3.4.2 (B)).
    """
    out, src, dst = way.interface, way.src, way.dst
    if not out.loopback:
        if src is not None and is_loopback(src) and not _routes_loopback(net, out):
            return Refusal(reason.TX_LOOPBACK_SOURCE, out.name, {"ip": src})
        if is_loopback(dst) and not (
            net.settings["ip.loopback_leaves"] or _routes_loopback(net, out)
        ):
            return Refusal(reason.TX_DST_INVALID, out.name, {"ip": dst, "cause": "loopback"})
        if src is not None and _is_beyond_scope(net, out, src):
            return Refusal(reason.TX_BEYOND_SCOPE, out.name, {"ip": src, "dst": dst})
        if src is not None and is_strong(net):
            own = homes(net, src)
            if out.name not in own:
                values = {"ip": src, "dst": dst, "home": own[0] if own else ""}
                return Refusal(reason.TX_WRONG_IFACE, out.name, values)
    return way


def _routes_loopback(net: Network, out: Interface) -> bool:
    """Tell whether 127/8 may be on a link (Linux route_localnet), or packets from ``::1``."""
    if net.family is IPV4:
        return bool(out.settings["ip.route_localnet"])
    return bool(net.settings["ip.loopback_leaves"])


def _is_beyond_scope(net: Network, out: Interface, src: int) -> bool:
    """Tell whether a source address is one of another link, of which it must not leave."""
    own = not net.needs_dev(src) or net.has_address(out, src)
    return not own and bool(net.settings["ip6.check_scope"])


def _type(dst: int, broadcast: bool) -> WayType:
    if is_multicast(dst):
        return WayType.MULTICAST
    return WayType.BROADCAST if broadcast or is_limited_broadcast(dst) else WayType.UNICAST


# --- no source address ----------------------------------------------------------------------------


def not_ours(net: Network, src: int, dev: str | None = None) -> Refusal:
    """Return why nothing may be sent from an address: nobody's here, or tentative."""
    for interface in net.interfaces.values():
        tested = net.of(interface).addresses.tentative(src)
        if tested is not None:
            values: dict[str, object] = {"ip": src, "_address": tested}
            return Refusal(reason.TX_SRC_TENTATIVE, interface.name, values)
    return Refusal(reason.TX_SRC_NOT_OURS, dev or "", {"ip": src})


def no_source(net: Network, out: Interface, dst: int, next_hop: int) -> Refusal:
    """Return why an interface has no address to send from: none at all, or a tentative one."""
    for item in net.of(out).addresses.items:
        if item.tentative:
            values: dict[str, object] = {"ip": item.local, "_address": item}
            return Refusal(reason.TX_SRC_TENTATIVE, out.name, values)
    return Refusal(reason.TX_NO_SOURCE, out.name, {"ip": dst, "_next_hop": next_hop})


def unavailable(net: Network, address: int) -> AddressNotAvailable:
    """Return the error for binding to an address from which nothing may be sent."""
    why = not_ours(net, address)
    detail = net.recorder.ledger.detail(why.reason, {**why.values, "dev": why.dev})
    text = f"{format_address(address)} is not on this stack"
    if why.reason is reason.TX_SRC_TENTATIVE:
        text = why.reason.why(detail)
    return AddressNotAvailable(text, hint=why.reason.hint(detail))


def confirm(net: Network, address: int, now: int, dev: str) -> None:
    """Take an upper layer's word that packets to ``address`` arrive (RFC 4861 7.3.1).

    Args:
        dev: interface by which an answer came, for an address that is of one link.
    """
    way = route_output(net, RouteKey(address, oif=dev if net.needs_dev(address) else None))
    if isinstance(way, Way) and way.type is WayType.UNICAST:
        net.neighbors[way.interface.name].confirm(way.next_hop, now)
