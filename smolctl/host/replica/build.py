"""A namespace made like another one: its links, sysctls, addresses, routes, rules and so on."""

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from smolctl.counted import counted
from smolctl.device.netlink import Netlink
from smolctl.host import addresses, links, neighbors, routes, rules, sockets
from smolctl.host.addresses import Address
from smolctl.host.reading import HostState, read
from smolctl.host.replica.space import Space, Wire
from smolctl.host.rows import SCOPES
from smolctl.host.saving import route_words, rule_words
from smolctl.host.values import AF_INET6
from smolctl.wire.address import format_address, format_mac, is_unspecified

_KEPT = {"reachable": "reachable", "stale": "stale", "delay": "stale", "probe": "stale",
         "permanent": "permanent", "failed": "failed"}  # fmt: skip
"""States of neighbors, and those that a copy has for them."""
_NOT_COPIED = ("stable_secret", "flush", "mtu", "addr_gen_mode")
"""Sysctls that links, or addresses, are told in another way."""
_LOCAL, _KERNEL = 255, 2
_TRIES, _TRY_S = 50, 0.01
_LAST = 0xFFFFFFFE
"""A metric that no other route has."""
_V6ONLY, _BIND_DEVICE = 26, 25


class Replica(NamedTuple):
    """A copy of a namespace.

    Attributes:
        wires: of its links, by name.
        sockets: of programs that receive.
        lacks: what it has not as the original, in words.
    """

    space: Space
    wires: dict[str, Wire]
    sockets: list[socket.socket]
    lacks: list[str]

    def close(self) -> None:
        """Remove it."""
        for each in self.sockets:
            each.close()
        for wire in self.wires.values():
            wire.close()
        self.space.close()


def build(state: HostState) -> Replica:
    """Return a copy.

    Raises:
        DeviceError: as for ``Space``.
    """
    space = Space()
    made = Replica(space, {}, [], [])
    try:
        _links(made, state)
        _sysctls(space, state)
        space.ip(_up(state))
        space.ip(_addresses(state))
        space.inside(lambda: _routes(space, state))
        space.inside(lambda: _rules(space, state))
        space.ip(_neighbors(state))
        made.sockets.extend(space.inside(lambda: list(_sockets(state))))
        made.lacks.extend(_lacks(state, read(space.path)))
    except BaseException:
        made.close()
        raise
    return made


# --- links and sysctls ----------------------------------------------------------------------------


def _links(made: Replica, state: HostState) -> None:
    lines = []
    for link in state.links:
        if link.flags & links.LOOPBACK:
            continue
        linked = link.type == links.ETHER
        carrier = link.carrier or not link.flags & links.UP
        made.wires[link.name] = Wire(made.space, link.name, linked=linked, carrier=carrier)
        lines.append(f"link set {link.name} mtu {link.mtu} addrgenmode none")
        if linked and len(link.mac) == 6:
            lines.append(f"link set {link.name} address {format_mac(link.mac)}")
        if link.flags & links.NOARP:
            lines.append(f"link set {link.name} arp off")
    made.space.ip(lines)


def _up(state: HostState) -> Iterator[str]:
    for link in state.links:
        if link.flags & links.UP:
            yield f"link set {link.name} up"


def _sysctls(space: Space, state: HostState) -> None:
    """Set what differs; those of the whole namespace first, which change others."""
    now = read(space.path).sysctls.values
    wanted = {
        path: value
        for path, value in state.sysctls.values.items()
        if now.get(path) != value and not path.endswith(_NOT_COPIED)
    }
    space.set(dict(sorted(wanted.items(), key=lambda item: item[0].count("/"))))


# --- addresses and neighbors ----------------------------------------------------------------------


def _addresses(state: HostState) -> Iterator[str]:
    names = {link.ifindex: link.name for link in state.links}
    for each in state.addresses:
        name = names.get(each.ifindex)
        if name is not None:
            yield _address(each, name)


def _address(each: Address, name: str) -> str:
    six = each.family == AF_INET6
    local = format_address(each.local)
    words = [f"{local}/{each.plen}"]
    if each.peer is not None:
        words = [local, "peer", f"{format_address(each.peer)}/{each.plen}"]
    words += ["dev", name]
    if each.broadcast is not None:
        words += ["broadcast", format_address(each.broadcast)]
    if each.label and each.label != name:
        words += ["label", each.label]
    words += ["scope", SCOPES.get(each.scope, str(each.scope))]
    words += ["nodad"] if six else []
    words += ["noprefixroute"] if each.flags & addresses.NOPREFIXROUTE else []
    words += ["metric", str(each.metric)] if each.metric else []
    for word, left in (("valid_lft", each.valid), ("preferred_lft", each.preferred)):
        words += [word, str(left)] if left is not None else []
    return ("-6 " if six else "") + " ".join(["addr", "replace", *words])


def _neighbors(state: HostState) -> Iterator[str]:
    for each in state.neighbors:
        nud = _KEPT.get(neighbors.STATES.get(each.state, ""))
        if nud is None:
            continue
        lladdr = f" lladdr {format_mac(each.lladdr)}" if each.lladdr else ""
        family = "-6 " if each.family == AF_INET6 else ""
        router = " router" if each.flags & neighbors.ROUTER else ""
        yield (
            f"{family}neigh replace {format_address(each.dst)}{lladdr}"
            f" dev {state.name_of(each.ifindex)} nud {nud}{router}"
        )


# --- routes and rules -----------------------------------------------------------------------------

_Key = tuple[Any, ...]


def _route_key(state: HostState, route: routes.Route) -> _Key:
    """Return all that decides about a route, with names of links for their numbers."""
    hops = tuple(
        (state.name_of(hop.oif) if hop.oif else "", hop.gateway, hop.weight,
         hop.flags & (routes.ONLINK | routes.DEAD | routes.LINKDOWN), hop.encap)
        for hop in route.hops
    )  # fmt: skip
    mtu = dict(route.metrics).get(2)
    return (*route[:7], *route[8:10], route.metric, route.prefsrc, hops, mtu, route.pref)


def _routes(space: Space, state: HostState) -> None:
    """Make the routes those of the original: what the kernel derives by itself goes, or stays."""
    wanted = {_route_key(state, route): route for route in state.routes}
    own = {key for key, route in wanted.items() if _is_own(route)}
    for _ in range(_TRIES):
        with Netlink() as kernel:
            there = state._replace(links=links.read(kernel), routes=routes.read(kernel))
        known = {_route_key(there, route) for route in there.routes}
        if own <= known:
            break
        time.sleep(_TRY_S)  # IPv6 adds them when it comes to that
    extra = [route for route in there.routes if _route_key(there, route) not in wanted]
    lines = [
        _line(route_words(there, route)).replace("route add", "route del", 1) for route in extra
    ]
    missing = {key: route for key, route in wanted.items() if key not in known and key not in own}
    space.ip([*lines, *(_appended(state, route) for route in missing.values())])
    with Netlink() as kernel:
        there = there._replace(routes=routes.read(kernel))
    for key in {_route_key(there, route) for route in there.routes} & missing.keys():
        del missing[key]
    space.ip(_by_lost_gateways(state, missing.values()))


def _appended(state: HostState, route: routes.Route) -> str:
    return _line(route_words(state, route)).replace("route add", "route append", 1)


def _by_lost_gateways(state: HostState, there: Iterable[routes.Route]) -> Iterator[str]:
    """Yield commands for routes that stayed when the way to their gateways went."""
    for route in there:
        ways = [
            f"{_of(route)}route %s {format_address(hop.gateway)} dev {state.name_of(hop.oif)}"
            f" metric {_LAST}"
            for hop in route.hops
            if hop.gateway is not None
        ]
        yield from (way % "append" for way in ways)
        yield _appended(state, route)
        yield from (way % "del" for way in ways)


def _is_own(route: routes.Route) -> bool:
    """Tell whether it is a route of IPv6 that only the kernel makes: to an address of its own."""
    return route.family == AF_INET6 and route.table == _LOCAL and route.protocol == _KERNEL


def _line(words: list[str]) -> str:
    return " ".join(words)


def _rules(space: Space, state: HostState) -> None:
    with Netlink() as kernel:
        there = rules.read(kernel)
    mine = list(map(_rule_key, state.rules))
    known = list(map(_rule_key, there))
    lines = [
        f"{_of(old)}rule del priority {old.priority}" for old in there if _rule_key(old) not in mine
    ]
    lines += [
        f"{_of(each)}rule add {' '.join(rule_words(each))}"
        for each in state.rules
        if _rule_key(each) not in known
    ]
    if state.split:  # it stays so when the rule is gone
        lines += [f"rule add priority {_PASSING} lookup main", f"rule del priority {_PASSING}"]
    space.ip(lines)


_PASSING = 32_765
"""Priority of a rule that changes nothing."""


def _rule_key(rule: rules.Rule) -> rules.Rule:
    """Return all that decides about a rule: who made it does not."""
    return rule._replace(protocol=0)


def _of(each: rules.Rule | routes.Route) -> str:
    return "-6 " if each.family == AF_INET6 else ""


# --- sockets --------------------------------------------------------------------------------------


def _sockets(state: HostState) -> Iterator[socket.socket]:
    """Yield sockets that receive what those of programs would."""
    names = {link.ifindex: link.name for link in state.links}
    for each in state.sockets:
        tcp = each.protocol == sockets.TCP and each.state == sockets.LISTEN
        udp = each.protocol == sockets.UDP and each.state == sockets.CLOSE
        if not (tcp or udp) or not each.lport:
            continue
        six = each.family == AF_INET6
        opened = socket.socket(
            socket.AF_INET6 if six else socket.AF_INET,
            socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM,
        )
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # what cannot be bound is not there, which is compared
            if six:
                opened.setsockopt(socket.IPPROTO_IPV6, _V6ONLY, bool(each.v6only))
            if each.oif:
                name = names[each.oif].encode()
                opened.setsockopt(socket.SOL_SOCKET, _BIND_DEVICE, name)
            opened.bind((_text(each.local), each.lport))
            if tcp:
                opened.listen(8)
        yield opened


def _text(address: int) -> str:
    if is_unspecified(address):
        return "::" if address else "0.0.0.0"
    return format_address(address)


# --- what it lacks --------------------------------------------------------------------------------


def _lacks(state: HostState, copy: HostState) -> list[str]:
    """Return in what a copy differs; nothing may be said of it then."""
    found, ports = [], {link.name for link in state.links if link.port_kind}
    for what, mine, its in (
        ("route", _all_routes(state), _all_routes(copy)),
        ("rule", _all_rules(state), _all_rules(copy)),
        ("address", _all_addresses(state), _all_addresses(copy)),
        ("neighbor", _all_neighbors(state), _all_neighbors(copy)),
        ("socket", _all_sockets(state), _all_sockets(copy)),
        ("link", _all_links(state, ports), _all_links(copy, ports)),
        ("sysctl", _all_sysctls(state, copy, ports), _all_sysctls(copy, state, ports)),
    ):
        if mine != its:
            found.append(counted(len(mine ^ its), what, f"{what}es" if what == "address" else ""))
    return found


def _all_routes(state: HostState) -> set[_Key]:
    return {_route_key(state, route) for route in state.routes}


def _all_rules(state: HostState) -> set[_Key]:
    return {*map(_rule_key, state.rules), ("split", state.split)}


def _all_addresses(state: HostState) -> set[_Key]:
    kept = addresses.TENTATIVE | addresses.DADFAILED | addresses.SECONDARY | addresses.DEPRECATED
    return {
        (state.name_of(each.ifindex), each.local, each.plen, each.peer, each.scope,
         each.flags & kept)
        for each in state.addresses
    }  # fmt: skip


def _all_neighbors(state: HostState) -> set[_Key]:
    return {
        (state.name_of(each.ifindex), each.dst, each.lladdr)
        for each in state.neighbors
        if each.lladdr and neighbors.STATES.get(each.state) in _KEPT
    }


def _all_sockets(state: HostState) -> set[_Key]:
    return {
        (each.family, each.protocol, each.local, each.lport)
        for each in state.sockets
        if each.lport
        and (
            (each.protocol == sockets.UDP and each.state == sockets.CLOSE)
            or (each.protocol == sockets.TCP and each.state == sockets.LISTEN)
        )
    }


def _all_links(state: HostState, ports: set[str]) -> set[_Key]:
    """Return the links but for ports of others, which have no part in the copy."""
    kept = links.UP | links.NOARP
    return {
        (each.name, each.mtu, each.flags & kept, each.mac if each.type == links.ETHER else b"")
        for each in state.links
        if each.name not in ports
    }


_DECIDING = (
    "ipv4/conf/", "ipv6/conf/", "ipv4/ip_", "ipv4/icmp_", "ipv6/icmp/", "ipv4/fib_", "ipv4/fwmark",
    "ipv6/fwmark", "ipv6/fib_", "ipv6/ip_", "ipv6/bindv6only",
)  # fmt: skip
"""Beginnings of the paths of sysctls that decide about packets."""


def _all_sysctls(state: HostState, other: HostState, ports: set[str]) -> set[_Key]:
    """Return those that both have: some are of the first namespace alone."""
    return {
        (path, value)
        for path, value in state.sysctls.values.items()
        if path.startswith(_DECIDING)
        and path in other.sysctls.values
        and not path.endswith(_NOT_COPIED)
        and not ports.intersection(path.split("/")[2:3])
    }
