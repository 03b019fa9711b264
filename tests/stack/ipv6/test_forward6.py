"""Forwarding of IPv6, and which packets go no further (RFC 8200 3, 5; RFC 4291; RFC 4443)."""

import pytest

from smolctl.stack.config.link import set_up
from smolctl.stack.fib.route import RouteType
from smolctl.wire import ndp, udp
from smolctl.wire.icmpv6 import is_error
from smolctl.wire.ipv6_ext import options_header
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, PEER_MAC, ip, text
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    frame6_of,
    packet6_of,
    udp6_frame,
    udp6_packet,
)
from tests.kit.routers import FAR6 as FAR
from tests.kit.routers import FAR_MAC, Router6


@pytest.fixture
def router() -> Router6:
    return Router6()


def told(host: Host6) -> list[tuple[int, int, int]]:
    """Return type, code and second word of the errors that went back."""
    said = [each.icmp for each in host.sent6()]
    return [(each.type, each.code, each.rest) for each in said if is_error(each.type)]


def test_a_packet_goes_on_with_one_hop_less(router: Host6) -> None:
    packet = udp6_packet(dst=FAR, payload=b"on")
    router.receive(frame6_of(packet))
    (sent,) = router.sent6("tap1")
    assert (sent.dst, sent.src) == (FAR_MAC, OTHER_MAC)
    assert sent.ip.hop_limit == 63
    assert sent.packet[:7] + sent.packet[8:] == packet[:7] + packet[8:]
    assert router.take() == []
    assert router.event("ip6.datagrams_forwarded") == 1


@pytest.mark.parametrize("hops", [0, 1])
def test_a_packet_without_hops_left_ends_here(router: Host6, hops: int) -> None:
    segment = udp.to_bytes(9, 7, b"x", ip(PEER6), ip(FAR))
    router.receive(frame6_of(packet6_of(17, segment, dst=FAR, hops=hops)))
    assert told(router) == [(3, 0, 0)]
    assert router.reasons() == {"fwd-ttl-exceeded": 1}


def test_no_router_cuts_a_packet(router: Host6) -> None:
    router.dev("tap1").mtu = 1300
    router.stack.generation.touch()
    router.receive(udp6_frame(dst=FAR, payload=bytes(1300)))
    assert told(router) == [(2, 0, 1300)]
    router.receive(udp6_frame(dst=FAR, payload=bytes(1252)))
    assert [len(each.packet) for each in router.sent6("tap1")] == [1300]


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (None, (1, 0, 0)),
        (RouteType.UNREACHABLE, (1, 0, 0)),
        (RouteType.PROHIBIT, (1, 1, 0)),
        (RouteType.BLACKHOLE, None),
    ],
)
def test_a_packet_without_a_way_is_told_so(
    router: Host6, kind: RouteType | None, answer: tuple[int, int, int] | None
) -> None:
    if kind is not None:
        router.route("2001:db8:7::/48", kind=kind)
    router.receive(udp6_frame(dst="2001:db8:7::1"))
    assert told(router) == ([] if answer is None else [answer])


def test_a_neighbor_that_does_not_answer_is_told(router: Host6) -> None:
    router.receive(udp6_frame(dst="2001:db8:1::77"))
    router.wait(10 * SECOND_NS)
    assert told(router) == [(1, 3, 0)]


def test_a_link_that_is_down_is_told(router: Host6) -> None:
    router.route("2001:db8:7::/48", "tap1", via=FAR)
    router.link("tap2")
    router.add("2001:db8:2::1/64", "tap2")
    set_up(router.stack.shared, router.dev("tap2"), False, router.now)
    router.receive(udp6_frame(dst="2001:db8:2::9"))
    assert told(router) == [(1, 0, 0)]


@pytest.mark.parametrize(
    ("src", "dst", "answer"),
    [
        (PEER_LINK_LOCAL, FAR, [(1, 2, 0)]),
        (PEER6, "fe80::77", []),
    ],
)
def test_link_local_addresses_do_not_leave_their_link(
    router: Host6, src: str, dst: str, answer: list[tuple[int, int, int]]
) -> None:
    router.receive(udp6_frame(src=src, dst=dst))
    assert told(router)[: len(answer)] == answer
    assert router.sent6("tap1") == []


@pytest.mark.parametrize("dst", ["2001:db8:1::1", "2001:db8:1::", OURS6, "2001:db8::"])
def test_every_address_of_the_router_is_here(router: Host6, dst: str) -> None:
    socket = router.socket(7, "::")
    router.receive(udp6_frame(dst=dst))
    assert socket.receive() is not None


@pytest.mark.parametrize(
    ("src", "reason"),
    [
        ("::", "ip6-src-unspecified"),
        ("::1", "ip6-loopback-on-wire"),
        ("ff02::1", "ip6-src-multicast"),
        (OURS6, "ip6-src-is-ours"),
    ],
)
def test_a_source_that_nobody_can_have_goes_no_further(
    router: Host6, src: str, reason: str
) -> None:
    router.receive(udp6_frame(src=src, dst=FAR))
    assert (router.reasons(), router.take("tap1")) == ({reason: 1}, [])


def test_a_packet_in_a_frame_to_all_is_not_forwarded(router: Host6) -> None:
    router.receive(frame6_of(udp6_packet(dst=FAR), to=b"\xff" * 6))
    assert (router.reasons(), router.take("tap1")) == ({"fwd-group-frame": 1}, [])


def test_hop_by_hop_options_are_looked_at_on_the_way_and_others_are_not(router: Host6) -> None:
    bad = [(0x9E, b"")]
    router.receive(frame6_of(packet6_of(60, options_header(17, bad), dst=FAR)))
    assert len(router.sent6("tap1")) == 1
    router.receive(frame6_of(packet6_of(0, options_header(17, bad), dst=FAR)))
    assert told(router) == [(4, 2, 42)]
    assert router.sent6("tap1") == []


def test_a_host_forwards_nothing(router: Host6) -> None:
    router.set("ip6.forward", 0)
    router.receive(udp6_frame(dst=FAR))
    assert (router.reasons(), router.take("tap1")) == ({"ip6-dst-not-ours": 1}, [])


def test_a_sender_that_should_go_another_way_is_redirected(router: Host6) -> None:
    router.route("2001:db8:7::/48", "tap0", via="fe80::77")
    router.know("fe80::77", b"\2\0\0\0\0\x77")
    router.receive(udp6_frame(dst="2001:db8:7::1"))
    redirect, passed = sorted(router.sent6(), key=lambda each: each.protocol, reverse=True)
    assert (passed.dst, text(passed.ip.dst)) == (b"\2\0\0\0\0\x77", "2001:db8:7::1")
    assert (text(redirect.ip.src), text(redirect.ip.dst)) == (OUR_LINK_LOCAL, PEER6)
    message = redirect.nd
    assert isinstance(message, ndp.Redirect)
    assert (text(message.target), text(message.destination)) == ("fe80::77", "2001:db8:7::1")
    assert message.options.target == b"\2\0\0\0\0\x77"
    assert message.options.redirected is not None
    assert redirect.ip.total_length <= 1280
    assert redirect.dst == PEER_MAC
