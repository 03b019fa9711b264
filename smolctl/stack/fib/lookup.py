"""Route lookups, with rules and without. A lookup changes nothing."""

from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.route import DEVICELESS, Route, Scope
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.fib.rule import Rule, RuleAction, RuleRefusal

Found = Route | RuleRefusal | None
"""A route of any type, a rule that refuses, or nothing."""


def is_lost(found: Found) -> bool:
    """Tell whether a lookup failed: there is no route, or one that refuses."""
    return found is None or found.type in DEVICELESS


def lookup(fib: Fib, key: RouteKey, scope: Scope = Scope.GLOBAL, by: str | None = None) -> Found:
    """Return the route of a packet by the rules; by ``key.oif`` if its sender insists on that.

    Args:
        scope: how far it may lead at most.
        by: device by which it must lead, of which rules know nothing: of what came in.

    Source: Linux ``fib_lookup``, ``fib_rules_lookup``, ``fib4_rule_action``.
    """
    if fib.usual_rules:
        if key.oif is None and not scope and by is None:
            return fib.lookup(key.dst)
        if key.loose:
            return fib.as_good_by(fib.lookup(key.dst), key.oif)
        return fib.lookup_within(key.dst, dev=by or key.oif, scope=scope)
    for rule in fib.rules.matching(fib.bits, key):
        if rule.refusal is not None:
            return rule.refusal
        if rule.action is RuleAction.LOOKUP:
            route = fib.find(rule.table, key.dst, by or key.bound, scope)
            if route is not None and not suppresses(fib, rule, route):
                return fib.as_good_by(route, key.oif) if key.loose else route
    return None


def suppresses(fib: Fib, rule: Rule, route: Route) -> bool:
    """Tell whether a rule passes over what its table knows: too general, or by links of a group.

    Source: Linux ``fib4_rule_suppress``.
    """
    if route.type in DEVICELESS:
        return False
    if rule.suppress is not None and route.plen <= rule.suppress:
        return True
    group = rule.suppress_group
    return group is not None and route.dev is not None and fib.group_of(route.dev) == group
