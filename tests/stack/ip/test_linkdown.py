"""Routes whose link has no carrier, with ignore_routes_with_linkdown and without."""

import pytest

from smolctl.stack import reason
from smolctl.stack.config.link import delete_interface, set_carrier
from smolctl.stack.fib.nexthop import NextHop, with_ways
from smolctl.stack.fib.route import InsertMode, Route
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.stack.stack import Stack
from tests.kit.host import OTHER_MAC, Host, ip
from tests.kit.routers import FAR, Router, frame

DST = {"10.9.0.1": "ip", "2001:db8:9::1": "ip6"}


@pytest.fixture
def host() -> Host:
    """Two links, and a route of each family by tap0, behind which is one by tap1."""
    host = Host(ipv6=True)
    host.link("tap1", OTHER_MAC)
    host.add("10.1.0.1/24", "tap1")
    host.add("2001:db8::1/64")
    host.add("2001:db8:1::1/64", "tap1")
    for metric, gateways in ((5, ("10.0.0.2", "2001:db8::2")), (9, ("10.1.0.2", "2001:db8:1::2"))):
        for prefix, via in zip(("10.9.0.0/16", "2001:db8:9::/48"), gateways, strict=True):
            host.route(prefix, via=via, metric=metric)
    return host


def carrier(host: Host, on: bool, dev: str = "tap0") -> None:
    set_carrier(host.stack.shared, host.dev(dev), on, host.now)


def dev(stack: Stack, dst: str) -> str:
    """Return the interface of a way; the name of the reason where there is none."""
    way = route_output(stack.networks.for_address(ip(dst)), RouteKey(ip(dst)))
    return way.interface.name if isinstance(way, Way) else way.reason.name


@pytest.mark.parametrize("dst", DST)
def test_a_route_without_carrier_does_not_count_where_the_sysctl_says_so(
    host: Host, dst: str
) -> None:
    carrier(host, False)
    assert dev(host.stack, dst) == "tap0"
    host.set(f"tap0.{DST[dst]}.ignore_routes_with_linkdown", 1)
    assert dev(host.stack, dst) == "tap1"
    other = next(each for each in DST if each != dst)
    assert dev(host.stack, other) == "tap0", "the other family has its own sysctl"
    carrier(host, True)
    assert dev(host.stack, dst) == "tap0"
    carrier(host, False)
    host.set(f"{DST[dst]}.ignore_routes_with_linkdown", 1)
    carrier(host, False, "tap1")
    assert dev(host.stack, dst) == "tx-no-route"
    host.set(f"{DST[dst]}.ignore_routes_with_linkdown", 0)
    assert dev(host.stack, dst) == "tap0"


def test_many_lookups_are_answered_as_one_is(host: Host) -> None:
    fib = host.stack.ipv4.fib
    for on in (True, False, True):
        carrier(host, on)
        host.set("ip.ignore_routes_with_linkdown", 1)
        found = {getattr(fib.lookup(ip("10.9.0.1")), "dev", None) for _ in range(200)}
        assert found == {"tap0" if on else "tap1"}


@pytest.mark.parametrize("exact", [False, True])
def test_a_next_hop_without_carrier_is_passed_over_unless_it_is_to_be_as_linux(
    host: Host, exact: bool
) -> None:
    ways = [NextHop("tap0", ip("10.0.0.2")), NextHop("tap1", ip("10.1.0.2"))]
    route = with_ways(Route(ip("10.8.0.0"), 16), ways)
    host.stack.ipv4.fib.insert(route, InsertMode.ADD)
    if exact:
        host.set("ip.multipath_carrier", 0)
    carrier(host, False)
    taken = {dev(host.stack, f"10.8.0.{number}") for number in range(20)}
    assert taken == ({"tap0", "tap1"} if exact else {"tap1"})
    host.set("tap0.ip.ignore_routes_with_linkdown", 1)
    assert {dev(host.stack, f"10.8.0.{number}") for number in range(20)} == {"tap1"}


def test_nothing_is_ignored_when_the_link_is_gone(host: Host) -> None:
    host.set("ip.ignore_routes_with_linkdown", 1)
    carrier(host, False)
    assert host.stack.ipv4.fib.ignored_links == {"tap0"}
    delete_interface(host.stack.shared, host.dev("tap0"), host.now)
    assert host.stack.ipv4.fib.ignored_links == frozenset()


def test_a_router_refuses_what_it_sent_on_while_there_was_carrier() -> None:
    router = Router()
    router.set("ip.ignore_routes_with_linkdown", 1)
    assert len(router.passed(frame())) == 1
    carrier(router, False, "tap1")
    assert router.passed(frame()) == []
    assert router.reasons()["fwd-no-route"] == 1
    tallies = router.stack.ledger.reasons
    (values,) = [tallies[each].detail for each in tallies if each[0] is reason.FWD_NO_ROUTE]
    assert values["ip"] == ip(FAR)
