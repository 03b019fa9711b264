"""The fast path of forwarding is taken by packets of IPv6 that are plain, and by nothing else.

That it does what the layered path does is a property, tests/property/test_fast_forward.py.
"""

import pytest

from smolctl.stack.config.link import set_mtu
from smolctl.stack.config.rule import add_rule
from smolctl.stack.fastpath.forward import forwarded
from smolctl.stack.fib.rule import Rule
from smolctl.stack.neighbor.states import State
from smolctl.wire import icmpv6, udp
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import options_header
from smolctl.wire.offload import virtio
from tests.kit.host import OTHER_MAC, OUR_MAC, PEER_MAC, ip
from tests.kit.host6 import (
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    frame6_of,
    icmp6_packet,
    packet6_of,
    see6,
)
from tests.kit.routers import FAR6, FAR_MAC, Router6


def packet(
    size: int = 9,
    *,
    hops: int = 64,
    flow: int = 0,
    traffic_class: int = 0,
    hop_by_hop: bool = False,
) -> bytes:
    segment, protocol = udp.to_bytes(9, 7, bytes(size), ip(PEER6), ip(FAR6)), NextHeader.UDP
    if hop_by_hop:
        segment, protocol = options_header(protocol, []) + segment, NextHeader.HOP_BY_HOP
    return packet6_of(
        protocol, segment, PEER6, FAR6, hops=hops, flow=flow, traffic_class=traffic_class
    )


def frame(size: int = 9, *, hops: int = 64, hop_by_hop: bool = False) -> bytes:
    return frame6_of(packet(size, hops=hops, hop_by_hop=hop_by_hop))


def learned(headroom: int = 0) -> Router6:
    """Return a router that knows the way of ``frame``, after one of them has left."""
    router = Router6()
    router.dev("tap0").headroom = headroom
    router.receive((virtio.PLAIN if headroom else b"") + frame())
    assert len(router.take("tap1")) == 1
    return router


def taken(router: Router6, data: bytes) -> bool:
    """Tell whether a frame takes the fast path."""
    return forwarded(router.stack.shared, router.dev("tap0"), data, router.now)


def remembers(router: Router6, data: bytes) -> bool:
    """Tell whether the way of a packet is remembered that is forwarded now."""
    router.receive(data)
    assert len(router.take("tap1")) == 1
    return bool(router.dev("tap0").forward_flows)


def test_known_ways_do_not_reach_the_layered_path() -> None:
    router = learned()
    before = router.dev("tap1").counters.tx_packets
    assert taken(router, frame())
    assert taken(router, frame(1400, hops=2))
    assert taken(router, frame() + bytes(4))
    assert len(router.take("tap1")) == 3
    assert router.event("ip6.datagrams_forwarded") == 4
    assert router.dev("tap1").counters.tx_packets == before + 3


def test_rfc8200_3_nothing_but_the_hop_limit_changes_on_the_way() -> None:
    router, sent = learned(), packet(flow=0xABCDE, traffic_class=0xB9)
    assert taken(router, frame6_of(sent))
    (left,) = router.sent6("tap1")
    assert (left.dst, left.src, left.ip.hop_limit) == (FAR_MAC, OTHER_MAC, 63)
    assert left.packet[:7] + left.packet[8:] == sent[:7] + sent[8:]


def test_each_of_these_is_left_to_the_layered_path() -> None:
    router = learned()
    version = bytearray(frame())
    version[14] ^= 0x10
    for data in (
        frame(hops=1), frame(1460), frame(hop_by_hop=True), frame()[:-1], frame()[:53],
        frame()[:33], bytes(version), frame6_of(packet(), to=PEER_MAC),
        frame6_of(packet(), by=OTHER_MAC),
    ):  # fmt: skip
        assert not taken(router, data)
    router.know(FAR6, FAR_MAC, State.STALE, "tap1")
    assert not taken(router, frame())
    assert router.take("tap1") == []


def test_both_families_have_fast_ways_side_by_side() -> None:
    router = learned()
    for address, dev in (("10.0.0.1/24", "tap0"), ("10.7.0.1/24", "tap1")):
        router.add(address, dev)
    router.set("ip.forward", 1)
    assert remembers(router, frame())
    assert len(router.dev("tap0").forward_flows) == 1


def test_behind_a_virtio_header_it_is_taken_as_well() -> None:
    router = learned(virtio.HEADER_LEN)
    partial = frame()[:60] + b"\1\2" + frame()[62:]
    router.receive(virtio.UDP6_CSUM + partial, virtio.VERIFIED + frame())
    one, other = router.take("tap1")
    assert one == other
    assert len(router.dev("tap0").forward_flows) == 1


def test_segments_of_a_super_packet_are_taken_one_by_one() -> None:
    router = learned(virtio.HEADER_LEN)
    front = virtio.VirtioHeader(1, virtio.Gso.UDP_L4, 62, 100, 54, 6).to_bytes()
    (flow,) = router.dev("tap0").forward_flows.values()
    flow.front = FAR_MAC + OUR_MAC + flow.first  # so that one sees who sent it
    flow.lladdr = flow.entry.lladdr
    router.receive(front + frame(250))
    left = router.take("tap1")
    assert [len(each) - 62 for each in left] == [100, 100, 50]
    assert {see6(each).src for each in left} == {OUR_MAC}


def test_nothing_is_remembered_of_who_says_to_be_us() -> None:
    router = Router6()
    message = icmp6_packet(icmpv6.Type.ECHO_REQUEST, src=OURS6, dst=FAR6)
    assert not remembers(router, frame6_of(message))
    message = icmp6_packet(icmpv6.Type.ECHO_REQUEST, src=PEER6, dst=FAR6)
    assert remembers(router, frame6_of(message))


def test_nothing_is_remembered_of_options_for_each_router() -> None:
    router = Router6()
    assert not remembers(router, frame(hop_by_hop=True))


def test_nothing_is_remembered_of_what_may_have_to_be_told_a_better_way() -> None:
    router = Router6()
    router.route("2001:db8:7::/48", "tap0", via=PEER_LINK_LOCAL)
    for dst in ("2001:db8:7::1", "2001:db8::77"):
        router.receive(frame6_of(packet6_of(17, bytes(8), PEER6, dst)))
    assert router.dev("tap0").forward_flows == {}


def test_rfc4007_9_a_link_local_address_has_no_way_to_another_link() -> None:
    router = learned()
    router.receive(frame6_of(packet6_of(17, bytes(8), PEER_LINK_LOCAL, FAR6)))
    router.receive(frame6_of(packet6_of(17, bytes(8), PEER6, "fe80::77")))
    assert len(router.dev("tap0").forward_flows) == 1
    assert router.take("tap1") == []


def test_where_rules_are_asked_nothing_is_remembered() -> None:
    router = Router6()
    add_rule(router.stack.ipv6, Rule(priority=7, ipproto=1, table=5))
    assert not remembers(router, frame())


@pytest.mark.parametrize("mtu", [1300, 1200])
def test_the_way_is_forgotten_with_the_configuration(mtu: int) -> None:
    router = learned()
    set_mtu(router.stack.shared, router.dev("tap1"), mtu)
    assert not taken(router, frame())
