"""Rules against a naive model: one list of rules, each table searched from end to end."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import StackError
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.lookup import lookup
from smolctl.stack.fib.route import DEVICELESS, InsertMode, Route, RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.fib.rule import Rule, RuleAction, RuleRefusal, Rules

BITS = 32
TABLES = (254, 255, 7, 253)
# Addresses and prefixes that meet often.
IPS = (0x0A000001, 0x0A000002, 0x0A010001, 0x0B000001)
LENGTHS = (0, 8, 16, 31, 32)
DEVS = (None, "a", "b")
GROUPS = {None: 0, "a": 1, "b": 0}


keys = st.builds(
    RouteKey,
    dst=st.sampled_from(IPS),
    src=st.sampled_from((None, *IPS)),
    oif=st.sampled_from(DEVS),
    iif=st.sampled_from(("lo", "a")),
    mark=st.sampled_from((0, 1, 0x13)),
    protocol=st.sampled_from((0, 1, 17)),
    sport=st.integers(0, 3),
    dport=st.integers(0, 3),
    tos=st.sampled_from((0, 16)),
    uid=st.integers(0, 3),
    loose=st.just(False),
)
ports = st.none() | st.tuples(st.integers(1, 3), st.integers(1, 3)).map(lambda p: (min(p), max(p)))
rules = st.builds(
    Rule,
    priority=st.integers(0, 9),
    action=st.sampled_from([RuleAction.LOOKUP] * 6 + list(RuleAction)),
    table=st.sampled_from((*TABLES, 99)),
    src=st.sampled_from(IPS),
    src_len=st.sampled_from((0, 0, *LENGTHS)),
    dst=st.sampled_from(IPS),
    dst_len=st.sampled_from((0, 0, *LENGTHS)),
    tos=st.sampled_from((0, 0, 0, 16)),
    iif=st.sampled_from((None, None, "lo", "a", "gone")),
    oif=st.sampled_from((None, None, *DEVS)),
    ipproto=st.sampled_from((0, 0, 17)),
    sport=ports,
    dport=ports,
    mark=st.sampled_from((0, 1, 3)),
    mark_mask=st.sampled_from((0, 0, 1, 0xF)),
    uids=ports,
    dscp=st.sampled_from((None, None, None, 4, 0)),
    dscp_mask=st.sampled_from((0x3F, 0x3F, 1)),
    suppress_group=st.sampled_from((None, None, 1)),
    invert=st.booleans(),
    target=st.integers(10, 14),
    suppress=st.sampled_from((None, None, 0, 16)),
)
late = st.builds(Rule, priority=st.integers(10, 14), table=st.sampled_from(TABLES))


@st.composite
def routes(draw: st.DrawFn) -> Route:
    plen = draw(st.sampled_from(LENGTHS))
    prefix = draw(st.sampled_from(IPS)) >> (BITS - plen) << (BITS - plen)
    kind = draw(st.sampled_from([RouteType.UNICAST] * 4 + list(RouteType)))
    dev = None if kind in DEVICELESS else draw(st.sampled_from("ab"))
    return Route(prefix, plen, kind, draw(st.sampled_from(TABLES)), dev)


def holds(rule: Rule, key: RouteKey) -> bool:
    """Tell whether a rule matches, one condition after the other, bit by bit."""

    def prefix(address: int, wanted: int, plen: int) -> bool:
        return f"{address:032b}"[:plen] == f"{wanted:032b}"[:plen]

    wanted: list[bool] = [prefix(key.src or 0, rule.src, rule.src_len)]
    wanted.append(prefix(key.dst, rule.dst, rule.dst_len))
    wanted.append(key.mark & rule.mark_mask == rule.mark & rule.mark_mask)
    for said, value in ((rule.iif, key.iif), (rule.oif, key.oif)):
        wanted.append(said is None or said == value)
    for number, mine in ((rule.tos, key.tos), (rule.ipproto, key.protocol)):
        wanted.append(number in (0, mine))
    wanted.append(rule.dscp is None or (key.tos // 4 ^ rule.dscp) & rule.dscp_mask == 0)
    spans = (rule.sport, key.sport), (rule.dport, key.dport), (rule.uids, key.uid)
    for span, port in spans:
        wanted.append(span is None or port in range(span[0], span[1] + 1))
    return all(wanted) != rule.invert


def search(table: list[Route], key: RouteKey) -> Route | None:
    """Return what one table says to a key; None for nothing, or a throw."""
    near = [r for r in table if (key.dst ^ r.prefix) >> (BITS - r.plen) == 0]
    for route in sorted(near, key=lambda r: -r.plen):
        if route.type is RouteType.THROW:
            return None
        if route.type in DEVICELESS or key.oif in (None, route.dev):
            return route
    return None


def decided(items: list[Rule], table: list[Route], key: RouteKey) -> object:
    """Return the route, the rule that refuses, or None."""
    below = -1
    for rule in sorted(items, key=lambda r: r.priority):
        if rule.priority < below or not holds(rule, key):
            continue
        if rule.action is RuleAction.GOTO and any(r.priority == rule.target for r in items):
            below = rule.target
        elif rule.action is RuleAction.LOOKUP:
            route = search([r for r in table if r.table == rule.table], key)
            general = route is not None and route.type not in DEVICELESS
            if route is not None and not (
                general
                and (
                    (rule.suppress is not None and route.plen <= rule.suppress)
                    or (rule.suppress_group is not None and GROUPS[route.dev] == 1)
                )
            ):
                return route
        elif rule.action not in (RuleAction.NOP, RuleAction.GOTO):
            return rule
    return None


@given(st.lists(rules, max_size=6), st.lists(late, max_size=4), st.lists(routes(), max_size=10),
       st.lists(keys, min_size=1, max_size=6))  # fmt: skip
def test_a_lookup_by_rules_is_a_search_from_end_to_end(
    first: list[Rule], second: list[Rule], table: list[Route], asked: list[RouteKey]
) -> None:
    fib, known, kept = Fib(BITS), Rules(), list[Rule]()
    for rule in list(known):
        known.remove(rule)
    for rule in (*first, *second):
        before = len(known)
        try:
            known.insert(rule)
        except StackError:
            assert len(known) == before
            continue
        kept.append(rule)
    there: dict[Any, Route] = {}
    for route in table:
        if there.setdefault((route.table, route.prefix, route.plen), route) is route:
            fib.insert(route, InsertMode.ADD)
    fib.obey_rules()
    fib.rules = known
    fib.group_of = GROUPS.__getitem__
    for key in asked:
        found = lookup(fib, key)
        found_rule = found.rule if isinstance(found, RuleRefusal) else found
        assert found_rule is decided(kept, list(there.values()), key)
