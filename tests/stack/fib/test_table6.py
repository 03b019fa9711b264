"""Tables of IPv6: what differs from those of IPv4."""

from smolctl.stack.fib.fib6 import Fib6
from smolctl.stack.fib.lookup import lookup
from smolctl.stack.fib.route import InsertMode, Route, RouteType, TableName
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.fib.rule import Rule
from smolctl.stack.fib.table import RouteTable6
from smolctl.wire.address import parse_address, parse_prefix


def route(prefix: str, dev: str | None = "a", **fields: object) -> Route:
    network, plen = parse_prefix(prefix)
    return Route(network, 128 if plen is None else plen, dev=dev, **fields)  # type: ignore[arg-type]


def parse(prefix: str) -> tuple[int, int]:
    network, plen = parse_prefix(prefix)
    return network, plen or 0


def test_what_is_inside_of_a_prefix_is_shown_before_it() -> None:
    table = RouteTable6()
    # As a kernel shows them: left, right, then the node itself.
    shown = ["2001:db8::1/128", "2001:db8::/64", "2001:db8:1::/48", "2001:db8::/32", "fe80::/64",
             "::/0"]  # fmt: skip
    for prefix in reversed(shown):
        table.insert(route(prefix), InsertMode.ADD)
    assert list(table) == [table.chain(*parse(prefix))[0] for prefix in shown]


def test_local_is_asked_before_main_however_long_a_prefix_of_main_is() -> None:
    fib = Fib6()
    near = route("2001:db8::/32", "lo", type=RouteType.LOCAL, table=TableName.LOCAL)
    fib.insert(near)
    fib.insert(route("2001:db8:1::/48"))
    assert fib.lookup(parse_address("2001:db8:1::5")) is near
    assert fib.is_local(parse_address("2001:db8:1::5"))


def test_a_short_prefix_of_local_is_found_until_it_goes() -> None:
    fib = Fib6()
    groups, more = (
        route("ff00::/8", table=TableName.LOCAL),
        route("fc00::/7", "b", table=TableName.LOCAL),
    )
    for each in (groups, more):
        fib.insert(each)
    assert fib.lookup(parse_address("ff02::1")) is groups
    assert fib.lookup(parse_address("fd00::1")) is more
    fib.remove(more)
    assert fib.lookup(parse_address("fd00::1")) is None
    assert fib.lookup(parse_address("ff02::1")) is groups
    fib.remove(groups)
    assert fib.lookup(parse_address("ff02::1")) is None


def test_a_throw_in_local_leads_on_to_main_and_in_main_to_nothing() -> None:
    fib = Fib6()
    way = route("2001:db8::/32")
    fib.insert(route("2001:db8::/64", None, type=RouteType.THROW, table=TableName.LOCAL))
    fib.insert(way)
    assert fib.lookup(parse_address("2001:db8::1")) is way
    fib.insert(route("2001:db8::/65", None, type=RouteType.THROW))
    assert fib.lookup(parse_address("2001:db8::1")) is None


def test_no_rule_leads_to_the_table_default() -> None:
    fib = Fib6()
    fib.insert(route("::/0", table=TableName.DEFAULT))
    assert fib.lookup(parse_address("2001:db8::1")) is None
    assert [rule.table for rule in fib.rules] == [TableName.LOCAL, TableName.MAIN]


def test_a_rule_matches_by_prefix_and_never_a_packet_without_source() -> None:
    fib = Fib6()
    way, usual = route("::/0", "b", table=7), route("::/0", "a")
    fib.insert(way)
    fib.insert(usual)
    fib.rules.insert(Rule(5, table=7, src=parse_address("2001:db8::"), src_len=32))
    fib.obey_rules()
    dst = parse_address("2a00::1")
    assert lookup(fib, RouteKey(dst, src=parse_address("2001:db8:5::1"))) is way
    assert lookup(fib, RouteKey(dst, src=parse_address("2001:db9::1"))) is usual
    assert lookup(fib, RouteKey(dst)) is usual
