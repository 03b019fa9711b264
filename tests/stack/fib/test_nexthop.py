"""Several next hops of one route: shares by weight, one way for each flow, none to the dead."""

from collections import Counter
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import AlreadyExists, InvalidArgument, NetworkUnreachable
from smolctl.stack.config.link import delete_interface, set_carrier, set_up
from smolctl.stack.config.route import add_route
from smolctl.stack.explain import candidates
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.fib import nexthop
from smolctl.stack.fib.nexthop import HASH_BITS, Multipath, bounds, flow_hash, with_ways
from smolctl.stack.fib.route import InsertMode, Route, RouteType, Scope
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.ip import gateways
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.stack.neighbor.states import State
from smolctl.stack.trace.facts import Hashed
from tests.kit.host import OTHER_MAC, OUR_MAC, PEER_MAC, Host, ip, text

VIA0, VIA1 = "10.0.0.2", "10.2.0.2"
FAR = [ip("8.8.0.0") + number for number in range(2000)]


def route(*hops: tuple[str, int], prefix: str = "0.0.0.0", plen: int = 0, **more: object) -> Route:
    ways = [nexthop.NextHop(None, ip(via), weight) for via, weight in hops]
    base = Route(ip(prefix), plen, **more)  # type: ignore[arg-type]
    return with_ways(base, ways)


def two_links(*weights: int) -> Host:
    host = Host("10.0.0.1/24", random=0.37)
    host.link("tap1")
    host.add("10.2.0.1/24", "tap1")
    made = route(*zip((VIA0, VIA1), weights, strict=True))
    add_route(host.stack.ipv4, made, InsertMode.ADD)
    return host


def way(
    host: Host, dst: int, src: str | None = None, protocol: int = 0, sport: int = 0, dport: int = 0
) -> str | None:
    source = None if src is None else ip(src)
    key = RouteKey(dst, source, None, OUTPUT, 0, protocol, sport, dport)
    found = route_output(host.stack.ipv4, key)
    assert isinstance(found, Way)
    return None if found.gateway is None else text(found.gateway)


# --- shares ---------------------------------------------------------------------------------------


def test_bounds_are_those_of_linux() -> None:
    # fib_rebalance: DIV_ROUND_CLOSEST_ULL((u64)w << 31, total) - 1
    assert bounds([1, 1]) == [0x3FFFFFFF, 0x7FFFFFFF]
    assert bounds([2, 1]) == [1431655764, 0x7FFFFFFF]
    assert bounds([1, 0, 1]) == [0x3FFFFFFF, -1, 0x7FFFFFFF]
    assert bounds([0, 0]) == [-1, -1]


@given(st.lists(st.integers(0, 256), min_size=1, max_size=12))
def test_every_hash_has_one_share_and_shares_are_as_the_weights(weights: list[int]) -> None:
    tops = [top for top in bounds(weights) if top >= 0]
    assert tops == sorted(set(tops))
    if any(weights):
        assert tops[-1] == (1 << HASH_BITS) - 1
        below = -1
        for weight, top in zip(filter(None, weights), tops, strict=True):
            assert abs((top - below) / (1 << HASH_BITS) - weight / sum(weights)) < 1e-6
            below = top


@pytest.mark.parametrize("weights", [(1, 1), (2, 1), (1, 3), (256, 1), (9, 5, 2)])
@pytest.mark.parametrize("vary", ["dst", "src", "port"])
def test_flows_are_shared_by_weight(weights: tuple[int, ...], vary: str) -> None:
    tops = bounds(weights)
    count: Counter[int] = Counter()
    for number in range(4000):
        keys = {"dst": (0, 0x08080000 + number), "src": (0x0A000000 + number, 0x08080808),
                "port": (0x0A000001, 0x08080808, 17 << 32 | 40000 + number << 16 | 53)}  # fmt: skip
        hashed = flow_hash(4711, *keys[vary])
        count[next(at for at, top in enumerate(tops) if hashed <= top)] += 1
    for at, weight in enumerate(weights):
        share = weight / sum(weights)
        # Five standard deviations of a binomial distribution.
        assert abs(count[at] - 4000 * share) <= 5 * sqrt(4000 * share * (1 - share))


def test_the_stack_shares_them_too_and_a_flow_stays_where_it_is() -> None:
    host = two_links(3, 1)
    first = [way(host, dst) for dst in FAR]
    assert [way(host, dst) for dst in FAR] == first
    assert 1400 < first.count(VIA0) < 1600
    assert first.count(VIA0) + first.count(VIA1) == len(FAR)


def test_another_seed_gives_another_distribution_and_a_sysctl_fixes_it() -> None:
    ways = []
    for random, seed in ((0.1, 0), (0.9, 0), (0.1, 77), (0.9, 77)):
        host = Host("10.0.0.1/24", random=random)
        host.set("ip.fib_multipath_hash_seed", seed)
        made = route((VIA0, 1), ("10.0.0.3", 1))
        add_route(host.stack.ipv4, made, InsertMode.ADD)
        ways.append([way(host, dst) for dst in FAR[:200]])
    assert ways[0] != ways[1]
    assert ways[2] == ways[3] != ways[0]


def test_ports_count_when_the_policy_says_so() -> None:
    host = two_links(1, 1)
    ports = [(17, 5000, port) for port in range(100)]
    assert len({way(host, FAR[0], None, *one) for one in ports}) == 1
    host.set("ip.fib_multipath_hash_policy", 1)
    assert {way(host, FAR[0], None, *one) for one in ports} == {VIA0, VIA1}
    assert len({way(host, FAR[0], None, *ports[0]) for _ in range(9)}) == 1


def test_a_source_address_goes_by_the_next_hop_of_its_network() -> None:
    # Linux 6.16, fib_select_multipath: nh_saddr before the hash
    host = two_links(1, 1)
    assert {way(host, dst, "10.0.0.1") for dst in FAR[:50]} == {VIA0}
    assert {way(host, dst, "10.2.0.1") for dst in FAR[:50]} == {VIA1}
    host.add("10.9.9.9/32", "lo")
    assert {way(host, dst, "10.9.9.9") for dst in FAR[:50]} == {VIA0, VIA1}


# --- the dead -------------------------------------------------------------------------------------


def test_rfc1122_3_3_1_5_a_dead_gateway_is_passed_over_and_no_other_flow_moves() -> None:
    host = two_links(1, 1)
    before = {dst: way(host, dst) for dst in FAR[:200]}
    host.know(VIA0, state=State.FAILED)
    assert {way(host, dst) for dst in FAR[:200]} == {VIA1}
    host.know(VIA0, OTHER_MAC)
    assert {dst: way(host, dst) for dst in FAR[:200]} == before
    host.know(VIA1, dev="tap1", state=State.FAILED)
    assert {way(host, dst) for dst in FAR[:200]} == {VIA0}
    host.set("ip.fib_multipath_use_neigh", 0)
    assert {dst: way(host, dst) for dst in FAR[:200]} == before


def test_when_all_gateways_are_dead_the_hash_alone_decides() -> None:
    host = two_links(1, 1)
    before = {dst: way(host, dst) for dst in FAR[:50]}
    host.know(VIA0, state=State.FAILED)
    host.know(VIA1, dev="tap1", state=State.FAILED)
    assert {dst: way(host, dst) for dst in FAR[:50]} == before


def test_a_link_without_carrier_is_passed_over() -> None:
    host = two_links(1, 1)
    set_carrier(host.stack.shared, host.dev("tap1"), False, host.now)
    assert {way(host, dst) for dst in FAR[:50]} == {VIA0}
    set_carrier(host.stack.shared, host.dev("tap1"), True, host.now)
    assert {way(host, dst) for dst in FAR[:50]} == {VIA0, VIA1}


def test_a_next_hop_dies_with_its_link_and_lives_again_with_it() -> None:
    host = two_links(1, 1)
    (made,) = host.stack.ipv4.fib.multipaths
    set_up(host.stack.shared, host.dev("tap1"), False, host.now)
    assert [hop.dead for hop in made.hops] == [False, True]
    assert {way(host, dst) for dst in FAR[:50]} == {VIA0}
    set_up(host.stack.shared, host.dev("tap1"), True, host.now)
    assert [hop.dead for hop in made.hops] == [False, False]
    host.delete("10.2.0.1", "tap1")
    assert [hop.dead for hop in made.hops] == [False, True]
    host.add("10.2.0.1/24", "tap1")
    assert [hop.dead for hop in made.hops] == [False, False]
    for dev in ("tap0", "tap1"):
        set_up(host.stack.shared, host.dev(dev), False, host.now)
    assert host.stack.ipv4.fib.multipaths == []
    assert made not in list(host.stack.ipv4.fib)


def test_a_route_goes_with_the_interface_of_any_next_hop() -> None:
    host = two_links(1, 1)
    delete_interface(host.stack.shared, host.dev("tap1"), host.now)
    assert host.stack.ipv4.fib.multipaths == []
    assert [item for item in host.stack.ipv4.fib if item.plen == 0] == []


def test_a_route_that_was_replaced_is_forgotten() -> None:
    host = two_links(1, 1)
    host.route("0.0.0.0/0", via=VIA0, mode=InsertMode.REPLACE)
    assert host.stack.ipv4.fib.multipaths == []
    assert {way(host, dst) for dst in FAR[:50]} == {VIA0}


# --- adding and deleting --------------------------------------------------------------------------


def test_one_next_hop_makes_a_plain_route() -> None:
    made = route((VIA0, 7))
    assert type(made) is Route
    assert made.via == ip(VIA0)


def test_routes_with_other_weights_or_another_order_are_others() -> None:
    host = two_links(1, 2)
    for hops in (((VIA0, 2), (VIA1, 2)), ((VIA1, 2), (VIA0, 1))):
        add_route(host.stack.ipv4, route(*hops), InsertMode.APPEND)
    made = route((VIA0, 1), (VIA1, 2))
    with pytest.raises(AlreadyExists):
        add_route(host.stack.ipv4, made, InsertMode.APPEND)
    assert len(host.stack.ipv4.fib.multipaths) == 3


@pytest.mark.parametrize("more", [{"type": RouteType.BLACKHOLE}, {"scope": Scope.HOST}])
def test_what_cannot_have_several_next_hops(more: dict[str, object]) -> None:
    host = two_links(1, 1)
    made = route((VIA0, 1), (VIA1, 1), prefix="9.0.0.0", plen=8, **more)
    with pytest.raises(InvalidArgument):
        add_route(host.stack.ipv4, made, InsertMode.ADD)
    assert len(host.stack.ipv4.fib.multipaths) == 1


def test_one_bad_next_hop_refuses_the_whole_route() -> None:
    host = two_links(1, 1)
    before = list(host.stack.ipv4.fib)
    made = route((VIA0, 1), ("99.0.0.1", 1), prefix="9.0.0.0", plen=8)
    with pytest.raises(NetworkUnreachable, match=r"99\.0\.0\.1"):
        add_route(host.stack.ipv4, made, InsertMode.ADD)
    assert list(host.stack.ipv4.fib) == before


# --- told -----------------------------------------------------------------------------------------


def test_a_traced_packet_tells_its_hash_and_the_share_that_it_fell_into() -> None:
    host = two_links(1, 1)
    trace = predict(host.stack, Question("udp", None, FAR[0], 0, 9), host.now)
    (hashed,) = [step.facts for step in trace.steps if isinstance(step.facts, Hashed)]
    assert hashed.first <= hashed.number <= hashed.last
    assert text(hashed.hop.via or 0) == way(host, FAR[0])


def test_candidates_show_the_next_hops_and_why_each_was_not_taken() -> None:
    host = two_links(1, 1)
    (made,) = host.stack.ipv4.fib.multipaths
    dst = next(dst for dst in FAR if way(host, dst) == VIA0)

    def causes(src: str | None = None) -> list[str]:
        source = None if src is None else ip(src)
        key = RouteKey(dst, source)
        picked = gateways.pick_hop(host.stack.ipv4, made, key)
        found = candidates.candidates(host.stack.ipv4, key, picked)
        return [cause for item, cause in found if item.plen == 0]

    assert causes() == ["", "hash"]
    assert causes("10.2.0.1") == ["source", ""]
    host.know(VIA1, dev="tap1", state=State.FAILED)
    assert causes() == ["", "dead"]
    set_up(host.stack.shared, host.dev("tap1"), False, host.now)
    assert causes() == ["", "link"]


@pytest.mark.parametrize("policy", [0, 1])
def test_the_fast_path_keeps_each_flow_on_its_way(policy: int) -> None:
    host = two_links(1, 1)
    host.set("ip.fib_multipath_hash_policy", policy)
    host.know(VIA0, PEER_MAC, State.PERMANENT)
    host.know(VIA1, OUR_MAC, State.PERMANENT, dev="tap1")
    sockets = [host.socket(port) for port in (5000, 5001, 5002)]
    for dst in FAR[:20]:
        for socket in sockets:
            for dport in (9, 53):
                wanted = way(host, dst, None, 17, socket.port, dport)
                for _ in range(3):
                    host.stack.udp.send(socket, b"x", dst, dport, host.now)
                    counts = len(host.sent("tap0")), len(host.sent("tap1"))
                    assert counts == ((1, 0) if wanted == VIA0 else (0, 1))


def test_multipath_is_found_by_its_device() -> None:
    host = two_links(1, 1)
    for dev, via in (("tap0", VIA0), ("tap1", VIA1)):
        found = route_output(host.stack.ipv4, RouteKey(FAR[0], None, dev))
        assert isinstance(found, Way)
        assert text(found.next_hop) == via
    assert isinstance(host.stack.ipv4.fib.lookup(FAR[0]), Multipath)
