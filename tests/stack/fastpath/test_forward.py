"""The fast path of forwarding is taken by what it is for, and by nothing else.

That it does what the layered path does is a property, tests/property/test_fast_forward.py.
"""

import pytest

from smolctl.stack.config.link import set_mtu
from smolctl.stack.config.route import add_route
from smolctl.stack.config.rule import add_rule
from smolctl.stack.fastpath.forward import forwarded
from smolctl.stack.fib.nexthop import NextHop, with_ways
from smolctl.stack.fib.route import InsertMode, Route
from smolctl.stack.fib.rule import Rule
from smolctl.stack.neighbor.states import State
from smolctl.wire import udp
from smolctl.wire.address import parse_mac
from smolctl.wire.offload import virtio
from tests.kit.host import OTHER_MAC, OUR_MAC, PEER_MAC, frame_of, ip, packet_of
from tests.kit.routers import FAR, FAR_MAC, NEAR, Router

SECOND_MAC = parse_mac("02:00:00:00:00:10")


def frame(size: int = 9, *, ttl: int = 64, tos: int = 0) -> bytes:
    segment = udp.to_bytes(9, 7, bytes(size), ip(NEAR), ip(FAR))
    return frame_of(packet_of(17, segment, NEAR, FAR, ttl=ttl, tos=tos))


def learned(headroom: int = 0) -> Router:
    """Return a router that knows the way of ``frame``, after one of them has left."""
    router = Router()
    router.dev("tap0").headroom = headroom
    router.receive((virtio.PLAIN if headroom else b"") + frame())
    assert len(router.take("tap1")) == 1
    return router


def taken(router: Router, data: bytes) -> bool:
    """Tell whether a frame takes the fast path."""
    return forwarded(router.stack.shared, router.dev("tap0"), data, router.now)


def test_known_ways_do_not_reach_the_layered_path() -> None:
    router = learned()
    assert taken(router, frame())
    assert taken(router, frame(1400, ttl=2))
    assert taken(router, frame() + bytes(4))
    assert len(router.take("tap1")) == 3
    assert router.event("ip.datagrams_forwarded") == 4
    assert router.dev("tap1").counters.tx_packets == 4


def test_each_of_these_is_left_to_the_layered_path() -> None:
    router = learned()
    wrong = bytearray(frame())
    wrong[18] ^= 1
    for data in (
        frame(ttl=1), frame(1480), frame(tos=4), frame()[:-1], frame()[:33], bytes(wrong),
        frame_of(frame()[14:], to=PEER_MAC), frame_of(frame()[14:], by=OTHER_MAC),
    ):  # fmt: skip
        assert not taken(router, data)
    router.know(FAR, state=State.STALE, dev="tap1")
    assert not taken(router, frame())
    assert router.take("tap1") == []


def test_one_that_is_watched_takes_the_layered_path() -> None:
    router = learned()
    router.stack.watch(print, everything=True)
    router.receive(frame())
    router.take("tap1")
    assert router.stack.journal.last is not None
    assert not taken(router, frame())


def test_behind_a_virtio_header_it_is_taken_as_well() -> None:
    router = learned(virtio.HEADER_LEN)
    count = len(router.dev("tap0").forward_flows)
    partial = frame()[:40] + b"\1\2" + frame()[42:]
    router.receive(virtio.UDP_CSUM + partial, virtio.VERIFIED + frame())
    one, other = router.take("tap1")
    assert one == other
    assert len(router.dev("tap0").forward_flows) == count == 1


def test_segments_of_a_super_packet_are_taken_one_by_one() -> None:
    router = learned(virtio.HEADER_LEN)
    front = virtio.VirtioHeader(1, virtio.Gso.UDP_L4, 42, 100, 34, 6).to_bytes()
    (flow,) = router.dev("tap0").forward_flows.values()
    flow.front = flow.front[:6] + OUR_MAC + flow.front[12:]  # so that one sees who sent it
    flow.lladdr = flow.entry.lladdr
    router.receive(front + frame(250))
    assert [len(each) - 42 for each in router.take("tap1")] == [100, 100, 50]


def test_nothing_is_remembered_of_what_may_have_to_be_told_a_better_way() -> None:
    router = Router()
    router.route("192.168.0.0/16", via="10.0.0.9")
    router.know("10.0.0.9")
    for dst in ("192.168.0.1", "10.0.0.77"):
        router.receive(frame_of(packet_of(17, bytes(8), NEAR, dst)))
    assert router.dev("tap0").forward_flows == {}


def test_the_way_is_forgotten_with_the_configuration() -> None:
    router = learned()
    set_mtu(router.stack.shared, router.dev("tap1"), 100)
    assert not taken(router, frame())


@pytest.mark.parametrize("multipath", [False, True])
def test_rfc1122_3_3_1_5_a_flow_is_back_when_its_gateway_is_heard(multipath: bool) -> None:
    router, first, second = Router(), "10.7.0.8", "10.7.0.9"
    if multipath:
        ways = [NextHop(None, ip(via), 1) for via in (first, second)]
        add_route(router.stack.ipv4, with_ways(Route(0, 0), ways), InsertMode.ADD)
    else:
        for via in (first, second):
            router.route("0.0.0.0/0", via=via, mode=InsertMode.APPEND)
    router.know(first, FAR_MAC, State.PERMANENT, "tap1")
    router.know(second, SECOND_MAC, State.PERMANENT, "tap1")
    frames = [frame_of(packet_of(17, bytes(8), NEAR, f"8.8.8.{last}")) for last in range(16)]

    def used() -> list[bytes]:
        router.receive(*frames, *frames)
        left = [each[:6] for each in router.take("tap1")]
        assert left[:16] == left[16:]  # the second time by the fast path
        return left[:16]

    before = used()
    assert set(before) == ({FAR_MAC, SECOND_MAC} if multipath else {FAR_MAC})
    router.know(first, state=State.FAILED, dev="tap1")
    assert set(used()) == {SECOND_MAC}
    router.know(first, FAR_MAC, State.PERMANENT, "tap1")
    assert used() == before


def remembers(router: Router) -> bool:
    """Tell whether a flow is remembered that is forwarded now."""
    router.receive(frame())
    assert len(router.take("tap1")) == 1
    return bool(router.dev("tap0").forward_flows)


def test_where_rules_are_asked_nothing_is_remembered() -> None:
    router = Router()
    assert remembers(router)
    router = Router()
    add_rule(router.stack.ipv4, Rule(priority=7, ipproto=1, table=5))
    assert not remembers(router)


def test_where_ports_choose_the_next_hop_nothing_is_remembered() -> None:
    for policy in (0, 1):
        router = Router()
        router.set("ip.fib_multipath_hash_policy", policy)
        ways = [NextHop(None, ip("10.7.0.9"), 1), NextHop(None, ip(FAR), 1)]
        made = with_ways(Route(ip(FAR), 32), ways)
        add_route(router.stack.ipv4, made, InsertMode.ADD)
        assert remembers(router) == (policy == 0)


def test_where_nothing_may_wait_for_a_neighbor_nothing_is_remembered() -> None:
    router = Router()
    router.set("neigh.unres_qlen", 0)  # each packet then leaves its source for the next question
    assert not remembers(router)
