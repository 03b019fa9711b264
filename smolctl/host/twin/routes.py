"""Routes of a twin: all tables, verbatim, as the kernel lists them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from smolctl.errors import AlreadyExists
from smolctl.host import routes
from smolctl.host.nexthops import Nexthop
from smolctl.host.reading import HostState
from smolctl.host.rows import TABLES, prefix_text
from smolctl.host.twin.addresses import scope_of
from smolctl.host.twin.notes import Note, Notes
from smolctl.host.values import AF_INET, AF_INET6
from smolctl.stack.config.route import connected
from smolctl.stack.fib.nexthop import Hop, Multipath
from smolctl.stack.fib.route import DEVICELESS, InsertMode, Route, RouteType, Scope, TableName
from smolctl.stack.interface import Interfaces
from smolctl.stack.ip.network import Network, Networks
from smolctl.wire.address import IPV4, IPV6, family_of, format_address
from smolctl.wire.ipv4 import MIN_MTU

PROTOCOLS = {0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static"}
"""Protocols that a stack has a word for; others are numbers."""
CLONED = 0x200
_TYPES = {
    number: RouteType(name) for number, name in enumerate(routes.TYPES) if name in list(RouteType)
}
_MTU, _HOPLIMIT = 2, 10
_LOOPBACK_NET = 127
_ENCAPS = {1: "mpls", 2: "ip", 3: "ila", 4: "ip6", 5: "seg6", 6: "bpf", 7: "seg6local", 8: "rpl"}


class _Surroundings(NamedTuple):
    """All that routes are made with.

    Attributes:
        names: of links, by index. objects: next-hop objects by number.
        gateways: those of all routes.
    """

    net: Network
    names: Mapping[int, str]
    objects: Mapping[int, Nexthop]
    notes: Notes
    gateways: set[int]


class _Unmade(Exception):
    """A route that no stack can have, and why."""


def add(networks: Networks, interfaces: Interfaces, state: HostState, notes: Notes) -> None:
    """Add all routes; those of the table local first, as they are asked first."""
    names = {link.index: link.name for link in interfaces.values()}
    objects = {each.id: each for each in state.nexthops}
    around = {
        number: _Surroundings(networks[family], names, objects, notes, set())
        for number, family in ((AF_INET, IPV4), (AF_INET6, IPV6))
    }
    local = [each for each in state.routes if each.table == TableName.LOCAL]
    others = [each for each in state.routes if each.table != TableName.LOCAL]
    _add(local, around)
    _add(others, around)
    _straighten(around[AF_INET])
    if around[AF_INET].net.fib.merged and state.split is None:
        _note_merged(local, others, around[AF_INET])


def _add(there: list[routes.Route], around: Mapping[int, _Surroundings]) -> None:
    # Routes in great number are alike but for the destination.
    alike: dict[tuple[object, ...], dict[str, Any] | None] = {}
    for each in there:
        where = around.get(each.family)
        if where is None or each.flags & CLONED:
            continue
        net, bits = where.net, where.net.family.bits
        if family_of(each.dst) is not net.family or not 0 <= each.plen <= bits:
            _note(each, "its destination is none of its family", where)
            continue
        shift = bits - each.plen
        prefix, rest = each.dst >> shift << shift, each[2:]
        values = alike.get(rest)
        made: Route | None
        if values is not None:
            made = Route(prefix, each.plen, **values)
        else:
            made, plain = _made(prefix, each, where)
            if plain is not None:
                alike[rest] = plain
        if made is not None:
            with suppress(AlreadyExists):  # alike in all that counts in a stack
                net.fib.insert(made, InsertMode.APPEND)


def _made(
    prefix: int, each: routes.Route, where: _Surroundings
) -> tuple[Route | None, dict[str, Any] | None]:
    """Return a route, if there is one to make, and its values if nothing has to be noted."""
    try:
        values = _values(each)
        hops = tuple(_hops(each, values["type"], where))
    except _Unmade as error:
        _note(each, str(error), where)
        return None, None
    beside = list(_beside(each, hops, where))
    for text in beside:
        _note(each, text, where)
    if len(hops) > 1:
        return _multipath(prefix, each, values, hops, where), None
    if hops:
        if hops[0].flags & routes.DEAD:
            return None, None  # Linux fib_table_lookup, find_match: nobody takes it
        values |= _way(hops[0], where)
    return Route(prefix, each.plen, **values), None if beside else values


def _values(each: routes.Route) -> dict[str, Any]:
    """Return the attributes that next hops have no part in."""
    kind = _TYPES.get(each.type)
    if kind is None:
        raise _Unmade(f"its type is {each.type}")
    if each.tos:
        raise _Unmade(f"it is for packets of tos 0x{each.tos:02x} alone")
    if each.src_plen:
        shown = prefix_text(each.src, each.src_plen, each.family)
        raise _Unmade(f"it is for packets from {shown} alone")
    mtu = dict(each.metrics).get(_MTU)
    source = each.prefsrc
    if source is not None and family_of(source) is not family_of(each.dst):
        source = None
    return {
        "type": kind, "table": each.table, "prefsrc": source, "metric": each.metric,
        "scope": scope_of(each.scope), "protocol": PROTOCOLS.get(each.protocol, str(each.protocol)),
        "mtu": max(mtu, MIN_MTU) if mtu else None, "mtu_lock": bool(mtu) and _MTU in each.locked,
        "nhid": each.nhid,
    }  # fmt: skip


def _hops(each: routes.Route, kind: RouteType, where: _Surroundings) -> Iterator[routes.Hop]:
    """Yield the next hops by links that are here; a next-hop object's where the route has none."""
    if kind in DEVICELESS:
        return
    there = each.hops
    if not there and each.nhid:
        # With nexthop_compat_mode=0 the kernel tells of the object alone.
        there = tuple(_of_object(each.nhid, where.objects))
    known = [hop for hop in there if hop.oif in where.names]
    if not known:
        raise _Unmade("its link is not here" if there else "it has no next hop")
    yield from known


def _of_object(number: int, objects: Mapping[int, Nexthop]) -> Iterator[routes.Hop]:
    found = objects.get(number)
    if found is None:
        return
    members = [(each.id, each.weight) for each in found.group] or [(number, 1)]
    for member, weight in members:
        hop = objects.get(member)
        if hop is not None and not hop.blackhole and not hop.group:
            yield routes.Hop(
                hop.oif, hop.gateway, weight, hop.flags, encap=hop.encap, encap_data=hop.encap_data
            )


def _way(hop: routes.Hop, where: _Surroundings) -> dict[str, Any]:
    """Return the attributes that a next hop brings."""
    net, via = where.net, hop.gateway
    if via is not None and family_of(via) is not net.family:
        via = None
    if via is not None:
        where.gateways.add(via)
    return {
        "dev": where.names[hop.oif], "via": via, "onlink": bool(hop.flags & routes.ONLINK),
        "on_link": via is None,
    }  # fmt: skip


def _straighten(where: _Surroundings) -> None:
    """Let packets go straight to their destination where a route's gateway is an address of ours.

    The kernel found that out when the route was added, and does not tell it (Linux
    ``fib_check_nh_v4_gw``).
    """
    net, fib = where.net, where.net.fib
    own = {
        via for via in where.gateways
        if any(near.scope is Scope.HOST for table in fib.tables.values()
               for near in table.matches(via))
    }  # fmt: skip
    for route in fib if own else ():
        for hop in route.hops if isinstance(route, Multipath) else (route,):
            if hop.via in own and not hop.onlink:
                to_gateway = connected(net, hop, hop.via)
                hop.on_link = to_gateway is not None and to_gateway.scope is Scope.HOST


def _multipath(
    prefix: int,
    each: routes.Route,
    values: dict[str, Any],
    hops: tuple[routes.Hop, ...],
    where: _Surroundings,
) -> Route | None:
    if all(hop.flags & routes.DEAD for hop in hops):
        return None
    whole = Multipath(prefix, each.plen, **values)
    whole.hops = tuple(
        Hop(
            prefix, each.plen, **values, **_way(hop, where), weight=hop.weight,
            dead=bool(hop.flags & routes.DEAD), whole=whole,
        )
        for hop in hops
    )  # fmt: skip
    return whole


def _note_merged(
    local: list[routes.Route], others: list[routes.Route], where: _Surroundings
) -> None:
    """Take notes on routes of main that are within a local one of more than one address.

    Without rules, the longer one wins. If somebody has changed the rules, and put them back, then
    the table local is asked first; nothing tells which it is (Linux fib_has_custom_rules).
    """
    wide = [
        each for each in local
        if each.family == AF_INET and each.plen < IPV4.bits and each.dst >> 24 != _LOOPBACK_NET
        and _TYPES.get(each.type) is RouteType.LOCAL
    ]  # fmt: skip
    for each in others if wide else ():
        inside = each.family == AF_INET and each.table == TableName.MAIN
        if inside and any(
            each.plen > near.plen and not (each.dst ^ near.dst) >> IPV4.bits - near.plen
            for near in wide
        ):
            _note(each, "it does not count if the rules were ever changed", where)


# --- notes ----------------------------------------------------------------------------------------


def _beside(
    each: routes.Route, hops: tuple[routes.Hop, ...], where: _Surroundings
) -> Iterator[str]:
    """Yield what decides about a route's packets and is not in its twin."""
    for hop in hops:
        if hop.encap:
            kind = _ENCAPS.get(hop.encap, str(hop.encap))
            yield f"its packets are put into others ({kind}), whose way is a question of its own"
        if hop.gateway is not None and family_of(hop.gateway) is not where.net.family:
            shown = format_address(hop.gateway)
            yield f"its gateway {shown} is of another family, and not asked for"
        if hop.unknown:
            yield f"a next hop has attributes {', '.join(map(str, hop.unknown))}"
    hop_limit = dict(each.metrics).get(_HOPLIMIT)
    if hop_limit:
        yield f"its packets have a time to live of {hop_limit}"
    if each.pref:
        yield f"its preference is {'high' if each.pref == 1 else 'low'}"
    if each.unknown:
        yield f"attributes {', '.join(map(str, each.unknown))}"
    if len(each.hops) > len(hops) > 0:
        yield "some of its next hops are by links that are not here"


def _note(each: routes.Route, text: str, where: _Surroundings) -> None:
    shown = prefix_text(each.dst, each.plen, each.family)
    table = "" if each.table == TableName.MAIN else TABLES.get(each.table, str(each.table))
    name = f"route {shown}" + (f" of table {table}" if table else "")
    link = next((where.names[hop.oif] for hop in each.hops if hop.oif in where.names), "")
    key = (each.table, each.dst, each.plen)
    where.notes.take(Note("route", f"{name}: {text}", link, where.net.family.name, key))
