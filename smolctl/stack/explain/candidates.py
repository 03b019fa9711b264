"""Candidates of a route lookup: those that were considered, and why each of them lost.

What ``route get -v`` and the steps of a packet tell; nothing here decides.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.lookup import suppresses
from smolctl.stack.fib.nexthop import Hop, Multipath
from smolctl.stack.fib.route import Route, RouteType, TableName
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.ip import gateways
from smolctl.stack.ip.network import Network, Networks
from smolctl.stack.ipv6 import source_address
from smolctl.stack.ipv6.ipv6 import Ipv6
from smolctl.stack.trace.facts import Hashed, Loser, Ruled, Selected, SourceLoser
from smolctl.stack.trace.trace import Trace

FEW_ROUTES = 64
"""In a FIB of at most so many routes even those that do not match are shown."""

Candidates = list[tuple[Route, str]]


def candidates(
    net: Network, key: RouteKey, winner: Route | None, limit: int = FEW_ROUTES
) -> Candidates:
    """Return the routes that a lookup considers, each with why it loses: a key of ``LOSING``.

    The winner's cause is "". In a small FIB (at most ``limit`` routes) those whose prefix does not
    hold the address follow, with the cause "prefix", and those whose table nobody asks, "rule".

    Args:
        winner: the route that was taken, which need not be the FIB's first choice.
    """
    if net.fib.merged:
        found = _without_rules(net.fib, key.dst)
    else:
        found = _by_rules(net, key)
    whole = winner.whole if isinstance(winner, Hop) else winner
    if whole is not None and any(route is whole for route, _ in found):
        found = [_judged(net, route, cause, whole) for route, cause in found]
    if isinstance(winner, Hop):
        found = list(_hops(net, found, winner, key))
    if net.fib.merged:
        asked = set(net.fib.tables)
    else:
        matching = net.fib.rules.matching(net.fib.bits, key)
        asked = {rule.table for rule in matching if rule.action is RuleAction.LOOKUP}
    return found + _others(net.fib, found, asked, limit)


def plain(fib: Fib, dst: int, limit: int = 64) -> Candidates:
    """Return the candidates that tables local and main have by themselves."""
    found = _without_rules(fib, dst)
    return found + _others(fib, found, set(fib.tables), limit)


def _without_rules(fib: Fib, dst: int) -> Candidates:
    """Return the matches of local and main, which are one, and those of the table default."""
    found = list(_ranked(fib, fib.matches(dst)))
    last = fib.tables.get(TableName.DEFAULT)
    if last is not None:
        won = any(not cause for _, cause in found)
        ranked = _ranked(fib, last.matches(dst))
        found += [(route, "table" if won else cause) for route, cause in ranked]
    return found


def _others(fib: Fib, found: Candidates, asked: set[int], limit: int) -> Candidates:
    """Return the routes that do not count at all, of a small FIB."""
    if len(fib) > limit:
        return []
    seen = {id(route) for route, _ in found}
    seen.update(id(route.whole) for route, _ in found if isinstance(route, Hop))
    return [
        (route, "prefix" if route.table in asked else "rule")
        for route in fib
        if id(route) not in seen
    ]


def passed(net: Network, key: RouteKey) -> Iterator[tuple[Rule, str]]:
    """Yield the rules that a packet met and matched, each with what came of it: a key of ``RULED``.

    "" is the one that decided; nothing is yielded while there are no rules but the usual.
    """
    fib = net.fib
    if fib.usual_rules:
        return
    for rule in fib.rules.matching(fib.bits, key):
        if rule.refusal is not None:
            yield rule, ""
            return
        if rule.action is not RuleAction.LOOKUP:
            yield rule, rule.action.value
            continue
        route = fib.find(rule.table, key.dst, key.bound)
        if route is None:
            yield rule, "none"
        elif suppresses(fib, rule, route):
            yield rule, "suppressed"
        else:
            yield rule, ""
            return


def _ranked(
    fib: Fib, routes: Iterable[Route], dev: str | None = None
) -> Iterator[tuple[Route, str]]:
    """Yield one table's matches in their order, the first with "" or "throw"."""
    winner: Route | None = None
    for route in routes:
        if winner is not None:
            yield route, _losing_cause(route, winner)
        elif dev is not None and not fib.is_by(route, dev):
            yield route, "device"
        elif fib.ignores(route):
            yield route, "linkdown"
        else:
            winner = route
            yield route, "throw" if route.type is RouteType.THROW else ""


def _by_rules(net: Network, key: RouteKey) -> Candidates:
    """Return the matches of all tables that rules lead to, in the order in which they are asked."""
    found: Candidates = []
    decided = False
    asked: set[int] = set()
    for rule in net.fib.rules.matching(net.fib.bits, key):
        decided = decided or rule.refusal is not None
        table = net.fib.tables.get(rule.table)
        if rule.action is not RuleAction.LOOKUP or rule.table in asked or table is None:
            continue
        asked.add(rule.table)
        for route, cause in _ranked(net.fib, table.matches(key.dst), key.bound):
            if decided:
                cause = "table"
            elif not cause and suppresses(net.fib, rule, route):
                cause = "suppressed"
            found.append((route, cause))
        decided = decided or any(not cause for _, cause in found)
    return found


def _losing_cause(route: Route, winner: Route) -> str:
    if route.plen != winner.plen:
        return "shorter"
    if route.table != winner.table:
        return "table"
    return "metric" if route.metric != winner.metric else "order"


def _judged(net: Network, route: Route, cause: str, winner: Route) -> tuple[Route, str]:
    """Return a candidate as the winner makes it look: the FIB's first choice may have lost."""
    if route is winner:
        return route, ""
    if cause:
        return route, cause
    same = (route.prefix, route.plen, route.metric) == (winner.prefix, winner.plen, winner.metric)
    if (same or isinstance(net, Ipv6)) and gateways.is_dead(net, route):
        return route, "dead"
    policies = ("ip.onlink_first", "ip.strong_host")
    return route, "policy" if any(net.settings[sysctl] for sysctl in policies) else "device"


def _hops(
    net: Network, found: Candidates, winner: Hop, key: RouteKey
) -> Iterator[tuple[Route, str]]:
    """Yield the candidates, the multipath route that won as its next hops."""
    for route, cause in found:
        if isinstance(route, Multipath) and route is winner.whole:
            for hop in route.hops:
                yield hop, "" if hop is winner else _hop_cause(net, hop, winner, key)
        else:
            yield route, cause


def _hop_cause(net: Network, hop: Hop, winner: Hop, key: RouteKey) -> str:
    assert winner.whole is not None  # a next hop is always one of several
    if gateways.insists(net, winner.whole, key):
        return "order" if hop.dev == key.bound else "device"
    if not gateways.has_link(net, hop):
        return "link"
    if not gateways.usable(net, hop):
        return "dead"
    by_source = gateways.prefers_source(net, winner.whole, key)
    if by_source and gateways.source_of(net, winner) == key.src != gateways.source_of(net, hop):
        return "source"
    return "hash"


def note_candidates(
    networks: Networks, key: RouteKey, winner: Route | None, trace: Trace, now: int
) -> None:
    """Note which rules and routes were considered, for a packet that somebody will ask about.

    Args:
        winner: the route taken, which need not be the FIB's first choice.
    """
    net = networks.for_address(key.dst)
    if not net.fib.usual_rules and (key.mark or any(rule.uids for rule in net.fib.rules)):
        trace.step("rule", "ok", now, Selected(key.mark, key.uid))
    for rule, cause in passed(net, key):
        trace.step("rule", "skip" if cause else "pick", now, Ruled(rule, cause))
    for route, cause in candidates(net, key, winner):
        if cause:
            trace.step("route", "skip", now, Loser(route, cause))
    if isinstance(net, Ipv6) and key.src is None and winner is not None:
        _note_sources(net, key, winner, trace, now)
    note_hash(net, key, winner, trace, now)


def note_hash(net: Network, key: RouteKey, winner: Route | None, trace: Trace, now: int) -> None:
    """Note which next hop the hash of a flow gave, if several were to be had."""
    if not isinstance(winner, Hop) or winner.whole is None:
        return
    among = gateways.hashed(net, winner.whole, key)
    if len(among) > 1:
        number, share = gateways.flow_number(net, key), gateways.share(net, winner)
        trace.step("route", "ok", now, Hashed(number, *share, winner, tuple(among)))


def _note_sources(net: Ipv6, key: RouteKey, route: Route, trace: Trace, now: int) -> None:
    """Note which source addresses were considered, and the rule by which each of them lost."""
    out = net.interfaces.get(route.dev or "")
    if out is None or route.prefsrc is not None or route.type is not RouteType.UNICAST:
        return
    link = net.source_link(route, out)
    found = source_address.candidates(net.interfaces, net.labels, link, key.dst)
    chosen = source_address.best(found)
    # Those of lo are everywhere, and never in question.
    found = [each for each in found if not net.interfaces.named(each.dev).loopback]
    for each in found[: _SOURCES_SHOWN + 1]:
        if chosen is not None and each is not chosen:
            rule = source_address.deciding_rule(chosen, each).value
            trace.step("source", "skip", now, SourceLoser(each.address.local, each.dev, rule))
    untested = source_address.excluded(net.interfaces, out, key.dst)
    for address, dev, why in islice(untested, _SOURCES_SHOWN):
        trace.step("source", "skip", now, SourceLoser(address, dev, why.value))


_SOURCES_SHOWN = 8
"""Source addresses that lost, of which steps tell."""
