"""Which routes were considered for a packet, and why each of them was not taken.

What ``route get -v`` and the steps of a packet tell; nothing here decides.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from smolctl.stack.fib import lookup as fib_lookup
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.nexthop import Hop, Multipath
from smolctl.stack.fib.route import DEVICELESS, Route, RouteType, TableName
from smolctl.stack.fib.rule import PLAIN, Rule, RuleAction, Traits
from smolctl.stack.ip import gateways

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

Candidates = list[tuple[Route, str]]


def candidates(
    stack: "Stack",
    dst: int,
    winner: Route | None,
    limit: int = 64,
    *,
    src: int | None = None,
    dev: str | None = None,
    traits: Traits = PLAIN,
) -> Candidates:
    """Return the routes that a lookup considers, each with why it loses: a key of ``LOSING``.

    The winner's cause is "". In a small FIB (at most ``limit`` routes) those whose prefix does not
    hold the address follow, with the cause "prefix", and those whose table nobody asks, "rule".

    Args:
        winner: the route that was taken, which need not be the FIB's first choice.
        src, dev, traits: as for ``decide``.
    """
    if stack.fib.merged:
        found = _without_rules(stack.fib, dst)
    else:
        found = _by_rules(stack, dst, src, dev, traits)
    whole = winner.whole if isinstance(winner, Hop) else winner
    if whole is not None and any(route is whole for route, _ in found):
        found = [_judged(stack, route, cause, whole) for route, cause in found]
    if isinstance(winner, Hop):
        found = list(_hops(stack, found, winner, src, dev))
    if stack.fib.merged:
        asked = set(stack.fib.tables)
    else:
        matching = stack.rules.matching(stack.fib.bits, dst, src or 0, dev, traits)
        asked = {rule.table for rule in matching if rule.action is RuleAction.LOOKUP}
    return found + _others(stack.fib, found, asked, limit)


def plain(fib: Fib, dst: int, limit: int = 64) -> Candidates:
    """Return the candidates that tables local and main have by themselves."""
    found = _without_rules(fib, dst)
    return found + _others(fib, found, set(fib.tables), limit)


def _without_rules(fib: Fib, dst: int) -> Candidates:
    """Return the matches of local and main, which are one, and those of the table default."""
    found = list(_ranked(fib.matches(dst)))
    last = fib.tables.get(TableName.DEFAULT)
    if last is not None:
        won = any(not cause for _, cause in found)
        found += [(route, "table" if won else cause) for route, cause in _ranked(last.matches(dst))]
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


def passed(
    stack: "Stack", dst: int, src: int | None, dev: str | None, traits: Traits
) -> Iterator[tuple[Rule, str]]:
    """Yield the rules that a packet met and matched, each with what came of it: a key of ``RULED``.

    "" is the one that decided; nothing is yielded while there are no rules but the usual.
    """
    fib = stack.fib
    if fib.merged:
        return
    for rule in stack.rules.matching(fib.bits, dst, src or 0, dev, traits):
        if rule.refusal is not None:
            yield rule, ""
            return
        if rule.action is not RuleAction.LOOKUP:
            yield rule, rule.action.value
            continue
        route = fib.find(rule.table, dst, dev)
        if route is None:
            yield rule, "none"
        elif fib_lookup.suppresses(rule, route):
            yield rule, "suppressed"
        else:
            yield rule, ""
            return


def _ranked(routes: Iterable[Route], dev: str | None = None) -> Iterator[tuple[Route, str]]:
    """Yield one table's matches in their order, the first with "" or "throw"."""
    winner: Route | None = None
    for route in routes:
        if winner is not None:
            yield route, _losing_cause(route, winner)
        elif dev is not None and route.dev != dev and route.type not in DEVICELESS:
            yield route, "device"
        else:
            winner = route
            yield route, "throw" if route.type is RouteType.THROW else ""


def _by_rules(
    stack: "Stack", dst: int, src: int | None, dev: str | None, traits: Traits
) -> Candidates:
    """Return the matches of all tables that rules lead to, in the order in which they are asked."""
    found: Candidates = []
    decided = False
    asked: set[int] = set()
    for rule in stack.rules.matching(stack.fib.bits, dst, src or 0, dev, traits):
        decided = decided or rule.refusal is not None
        table = stack.fib.tables.get(rule.table)
        if rule.action is not RuleAction.LOOKUP or rule.table in asked or table is None:
            continue
        asked.add(rule.table)
        for route, cause in _ranked(table.matches(dst), dev):
            if decided:
                cause = "table"
            elif not cause and fib_lookup.suppresses(rule, route):
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


def _judged(stack: "Stack", route: Route, cause: str, winner: Route) -> tuple[Route, str]:
    """Return a candidate as the winner makes it look: the FIB's first choice may have lost."""
    if route is winner:
        return route, ""
    if cause:
        return route, cause
    same = (route.prefix, route.plen, route.metric) == (winner.prefix, winner.plen, winner.metric)
    if same and gateways.is_dead(stack, route):
        return route, "dead"
    policies = ("ip.onlink_first", "ip.strong_host")
    return route, "policy" if any(stack.settings[knob] for knob in policies) else "device"


def _hops(
    stack: "Stack", found: Candidates, winner: Hop, src: int | None, dev: str | None
) -> Iterator[tuple[Route, str]]:
    """Yield the candidates, the multipath route that won as its next hops."""
    for route, cause in found:
        if isinstance(route, Multipath) and route is winner.whole:
            for hop in route.hops:
                yield hop, "" if hop is winner else _hop_cause(stack, hop, winner, src, dev)
        else:
            yield route, cause


def _hop_cause(stack: "Stack", hop: Hop, winner: Hop, src: int | None, dev: str | None) -> str:
    if dev is not None:
        return "order" if hop.dev == dev else "device"
    if not gateways.has_link(stack, hop):
        return "link"
    if not gateways.usable(stack, hop):
        return "dead"
    if src is not None and gateways.source_of(stack, winner) == src:
        return "hash" if gateways.source_of(stack, hop) == src else "source"
    return "hash"
