"""RFC 1812 5: what a router must do with packets for others, as far as others can see it."""

import pytest

from smolctl.stack.config.link import set_mtu
from smolctl.stack.fib.route import RouteType
from smolctl.stack.neighbor.states import State
from smolctl.wire import icmpv4
from smolctl.wire.address import BROADCAST_MAC, format_address, multicast_mac
from tests.conformance.kit import again
from tests.kit.clock import SECOND_NS
from tests.kit.host import OURS, frame_of, ip, packet_of, udp_frame
from tests.kit.routers import FAR, FAR_MAC, NEAR, ROUTER, Router, datagram, frame, header_of


@pytest.fixture
def router() -> Router:
    return Router()


def error(router: Router) -> tuple[int, int, str]:
    """Return type, code and source of the one message that leaves to the near host."""
    (seen,) = router.sent()
    assert header_of(seen).dst == ip(NEAR)
    return seen.icmp.type, seen.icmp.code, format_address(header_of(seen).src)


def test_rfc1812_4_2_2_5_the_checksum_is_updated(router: Router) -> None:
    for ident in range(0, 0x10000, 257):
        router.receive(frame_of(datagram(ident=ident)))
    frames = router.take("tap1")
    assert len(frames) == 256
    for left in frames:
        assert left[14:34] == again(left[14:34])


def test_rfc1812_4_2_2_7_what_is_too_large_for_the_next_link_is_fragmented(router: Router) -> None:
    set_mtu(router.stack.shared, router.dev("tap1"), 576)
    pieces = router.passed(frame(payload=bytes(1400)))
    assert len(pieces) == 3
    assert all(header_of(seen).total_length <= 576 for seen in pieces)


def test_rfc1812_4_3_2_4_an_errors_source_is_of_the_interface_by_which_it_leaves(
    router: Router,
) -> None:
    router.add("10.0.0.200/24")
    router.receive(frame(ttl=1))
    assert error(router)[2] == OURS
    router.receive(frame_of(datagram(NEAR, src=FAR, ttl=1), to=router.dev("tap1").mac), dev="tap1")
    (seen,) = router.sent("tap1")
    assert header_of(seen).src == ip("10.7.0.1")


def test_rfc1812_4_3_3_1_net_unreachable_without_a_route(router: Router) -> None:
    router.receive(frame("192.0.2.1"))
    assert error(router) == (3, 0, OURS)


def test_rfc1812_4_3_3_1_host_unreachable_when_the_next_hop_is_silent(router: Router) -> None:
    router.receive(frame("10.7.0.200"))
    router.wait(3 * SECOND_NS)
    assert error(router) == (3, 1, OURS)


def test_rfc1812_4_3_3_2_a_redirect_of_code_1_is_sent(router: Router) -> None:
    router.know("10.0.0.7", FAR_MAC, State.PERMANENT)
    router.route("192.0.2.0/24", via="10.0.0.7")
    router.receive(frame("192.0.2.1"))
    redirect, _ = router.sent()
    assert (redirect.icmp.type, redirect.icmp.code) == (5, 1)


def test_rfc1812_4_3_3_4_time_exceeded_when_the_time_to_live_ends(router: Router) -> None:
    router.receive(frame(ttl=1))
    assert error(router) == (11, 0, OURS)


def test_rfc1812_5_2_3_what_is_for_any_of_our_addresses_is_delivered(router: Router) -> None:
    socket = router.socket(7)
    for dst in (OURS, "10.7.0.1"):
        router.receive(udp_frame(dst=dst))
    assert len(socket.queue) == 2
    assert router.sent("tap1") == []


def test_rfc1812_5_2_7_1_communication_prohibited_is_code_13(router: Router) -> None:
    router.route("192.0.2.0/24", kind=RouteType.PROHIBIT)
    router.receive(frame("192.0.2.1"))
    assert error(router) == (3, 13, OURS)


def test_rfc1812_5_2_7_1_fragmentation_needed_has_the_next_hops_mtu(router: Router) -> None:
    set_mtu(router.stack.shared, router.dev("tap1"), 1280)
    router.receive(frame(payload=bytes(1400), df=True))
    (seen,) = router.sent()
    assert (seen.icmp.type, seen.icmp.code, seen.icmp.mtu) == (3, 4, 1280)


def test_rfc1812_5_2_7_2_no_redirect_unless_source_and_next_hop_share_a_network(
    router: Router,
) -> None:
    router.know("10.0.0.7", FAR_MAC, State.PERMANENT)
    router.route("192.0.2.0/24", via="10.0.0.7")
    router.receive(frame("192.0.2.1", src="198.51.100.1"), frame())
    assert [header_of(seen).protocol for seen in router.sent()] == [17]


def test_rfc1812_5_2_7_2_redirects_are_limited(router: Router) -> None:
    router.know("10.0.0.7", FAR_MAC, State.PERMANENT)
    router.route("192.0.2.0/24", via="10.0.0.7")
    router.receive(*[frame("192.0.2.1")] * 50)
    assert sum(header_of(seen).protocol == 1 for seen in router.sent()) == 1


@pytest.mark.parametrize(("ttl", "left"), [(255, 254), (2, 1), (1, None), (0, None)])
def test_rfc1812_5_3_1_the_time_to_live_is_decremented_and_never_reaches_zero(
    router: Router, ttl: int, left: int | None
) -> None:
    passed = router.passed(frame(ttl=ttl))
    assert [header_of(seen).ttl for seen in passed] == ([] if left is None else [left])


def test_rfc1812_5_3_4_a_link_layer_broadcast_is_not_forwarded(router: Router) -> None:
    router.receive(udp_frame(dst=FAR, to=BROADCAST_MAC))
    router.receive(udp_frame(dst=FAR, to=multicast_mac(1)))
    assert router.sent("tap1") == []


def test_rfc1812_5_3_5_1_a_limited_broadcast_is_not_forwarded(router: Router) -> None:
    router.route("0.0.0.0/0", via=ROUTER)
    for to in (BROADCAST_MAC, router.tap.mac):
        router.receive(udp_frame(dst="255.255.255.255", to=to))
    router.poll()
    assert router.sent("tap1") == []


def test_rfc1812_5_3_5_2_directed_broadcasts_are_a_switch_that_is_off(router: Router) -> None:
    """RFC 2644 2: the default MUST be off."""
    assert router.passed(frame("10.7.0.255")) == []
    router.set("ip.bc_forwarding", 1)
    assert [seen.dst for seen in router.passed(frame("10.7.0.255"))] == [BROADCAST_MAC]


@pytest.mark.parametrize("src", ["0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255"])
def test_rfc1812_5_3_7_no_source_that_is_no_hosts_is_forwarded(router: Router, src: str) -> None:
    assert router.passed(udp_frame(src=src, dst=FAR)) == []


@pytest.mark.parametrize("dst", ["0.0.0.1", "127.0.0.1"])
def test_rfc1812_5_3_7_no_destination_that_is_no_hosts_is_forwarded(
    router: Router, dst: str
) -> None:
    router.route("0.0.0.0/0", via=ROUTER)
    assert router.passed(udp_frame(dst=dst)) == []


def test_rfc1812_5_3_7_class_e_can_be_kept_from_being_forwarded(router: Router) -> None:
    router.route("0.0.0.0/0", via=ROUTER)
    router.set("ip.forward_special", 0)
    assert router.passed(udp_frame(dst="240.0.0.1")) == []


def test_rfc1812_5_3_8_a_source_can_be_validated(router: Router) -> None:
    assert len(router.passed(frame(src="10.7.0.200"))) == 1
    router.set("ip.rp_filter", 1)
    assert router.passed(frame(src="10.7.0.200")) == []


def test_rfc1812_4_2_2_1_unknown_options_pass_unchanged(router: Router) -> None:
    (seen,) = router.passed(frame(options=b"\x9e\x04\1\2"))
    assert header_of(seen).options == b"\x9e\x04\1\2"


def test_rfc1812_5_2_6_fragments_are_not_put_together_on_the_way(router: Router) -> None:
    router.receive(frame(payload=bytes(16), offset=8, mf=True))
    (seen,) = router.sent("tap1")
    assert header_of(seen).mf


def test_rfc1812_5_2_1_2_an_icmp_message_for_others_is_forwarded_like_any_packet(
    router: Router,
) -> None:
    message = icmpv4.IcmpMessage(13, 0, 1, bytes(12)).to_bytes()
    assert len(router.passed(frame_of(packet_of(1, message, NEAR, FAR)))) == 1
    assert router.sent() == []
