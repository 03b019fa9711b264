"""Forwarding: what goes on, by which way and in which shape, what does not, and who is told."""

import pytest

from smolctl.stack.config.link import set_carrier, set_mtu, set_up
from smolctl.stack.explain import verdict
from smolctl.stack.fib.route import InsertMode
from smolctl.stack.neighbor.states import State
from smolctl.stack.reason import REASONS
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.wire import ipv4
from smolctl.wire.address import BROADCAST_MAC
from tests.kit.host import (
    OTHER_MAC,
    OURS,
    Host,
    arp_frame,
    echo_request,
    frame_of,
    ip,
    packet_of,
    udp_frame,
)
from tests.kit.routers import (
    BEYOND,
    FAR,
    FAR_MAC,
    NEAR,
    ROUTER,
    Router,
    datagram,
    frame,
    header_of,
    told,
)


@pytest.fixture
def router() -> Router:
    return Router()


# --- what goes on ---------------------------------------------------------------------------------


def test_a_packet_goes_on_with_one_hop_less_and_is_otherwise_as_it_came(router: Router) -> None:
    packet = datagram(ttl=64)
    (seen,) = router.passed(frame_of(packet))
    assert (seen.dst, seen.src) == (FAR_MAC, OTHER_MAC)
    came = ipv4.parse(packet)
    assert isinstance(came, ipv4.Ipv4Header)
    assert seen.ip == came._replace(ttl=63)
    assert seen.payload == packet[20:]
    assert router.event("ip.datagrams_forwarded") == 1
    assert router.reasons() == {}


def test_off_by_default_and_then_the_fix_is_to_forward() -> None:
    router = Router()
    router.set("ip.forward", 0)
    trace = router.follow(frame())
    assert trace.reason is REASONS["ip-dst-not-ours"]
    assert trace.reason.fixes(trace.detail)[0] == "smolctl sysctl ip.forward=1"
    assert Host().settings["ip.forward"] == 0
    router.set("ip.forward", 1)
    assert len(router.passed(frame())) == 1


def test_to_forward_is_no_fix_where_no_way_leads_on(router: Router) -> None:
    router.set("ip.forward", 0)
    for dst in ("10.0.0.77", "8.8.8.8"):
        trace = router.follow(frame(dst))
        assert trace.reason is REASONS["ip-dst-not-ours"]
        assert not any("ip.forward" in fix for fix in trace.reason.fixes(trace.detail))


@pytest.mark.parametrize("protocol", [1, 2, 6, 17, 132])
def test_any_protocol_is_forwarded_whatever_is_in_it(router: Router, protocol: int) -> None:
    packet = packet_of(protocol, b"\xff\xfe\xfd", NEAR, FAR)
    (seen,) = router.passed(frame_of(packet))
    assert (header_of(seen).protocol, seen.payload) == (protocol, b"\xff\xfe\xfd")


def test_padding_is_not_forwarded(router: Router) -> None:
    (seen,) = router.passed(frame(payload=b"x") + bytes(30))
    assert len(seen.payload) == 9


def test_a_route_by_a_gateway_needs_the_gateways_mac(router: Router) -> None:
    router.route("192.168.9.0/24", via=ROUTER)
    trace = router.follow(frame(BEYOND))
    (seen,) = router.sent("tap1")
    assert (seen.dst, header_of(seen).dst) == (FAR_MAC, ip(BEYOND))
    assert (trace.gateway, trace.fate) == (ip(ROUTER), Fate.FORWARDED)


def test_a_dead_gateway_is_passed_over(router: Router) -> None:
    router.route("192.168.9.0/24", via="10.7.0.8")
    router.route("192.168.9.0/24", via=ROUTER, mode=InsertMode.APPEND)
    router.know("10.7.0.8", FAR_MAC, State.FAILED, "tap1")
    trace = router.follow(frame(BEYOND))
    assert trace.gateway == ip(ROUTER)


def test_fragments_go_on_as_they_are(router: Router) -> None:
    (seen,) = router.passed(frame(payload=bytes(16), mf=True, offset=8))
    assert (header_of(seen).mf, header_of(seen).fragment_offset) == (True, 8)


def test_unknown_options_go_on_unchanged(router: Router) -> None:
    options = bytes([158, 4, 1, 2])
    (seen,) = router.passed(frame(options=options))
    assert header_of(seen).options == options


def test_a_record_route_has_our_address_on_the_link_that_leads_on(router: Router) -> None:
    (seen,) = router.passed(frame(options=b"\x07\x0b\x04" + bytes(8)))
    assert header_of(seen).options == b"\x07\x0b\x08" + bytes([10, 7, 0, 1]) + bytes(5)


def test_a_timestamp_that_has_no_room_counts_us_as_missed(router: Router) -> None:
    (seen,) = router.passed(frame(options=b"\x44\x08\x09\x00" + bytes(4)))
    assert header_of(seen).options == b"\x44\x08\x09\x10" + bytes(4)


def test_what_is_for_us_on_any_interface_is_ours(router: Router) -> None:
    """RFC 1812 5.2.3: even with ip.strong_host, which is for hosts."""
    router.set("ip.strong_host", 1)
    router.receive(echo_request(dst="10.7.0.1"))
    assert told(router) == [(0, 0)]
    assert router.sent("tap1") == []


def test_a_known_way_costs_no_question_and_an_unknown_host_is_asked_for(router: Router) -> None:
    trace = router.follow(frame("10.7.0.77"))
    (asked,) = router.sent("tap1")
    assert asked.arp is not None
    assert asked.arp.target_ip == ip("10.7.0.77")
    assert asked.arp.sender_ip == ip("10.7.0.1"), "the packet's own source is not ours"
    assert not trace.settled
    answer = arp_frame(2, "10.7.0.77", "10.7.0.1", mac=FAR_MAC, to=OTHER_MAC)
    router.receive(answer, dev="tap1")
    (seen,) = router.sent("tap1")
    assert header_of(seen).dst == ip("10.7.0.77")
    assert trace.fate is Fate.FORWARDED
    assert trace.waited_for is REASONS["neigh-pending"]


def test_what_leaves_by_a_link_without_macs_comes_back_and_ends(router: Router) -> None:
    router.route("8.8.8.0/24", dev="lo")
    trace = router.follow(frame("8.8.8.8"))
    router.poll()
    assert trace.reason is REASONS["ip-dst-not-ours"]


# --- too big --------------------------------------------------------------------------------------


def test_what_may_not_be_cut_is_refused_with_the_mtu_of_the_next_link(router: Router) -> None:
    set_mtu(router.stack.shared, router.dev("tap1"), 1280)
    packet = datagram(payload=bytes(1300), df=True)
    assert router.passed(frame_of(packet)) == []
    (error,) = router.sent()
    assert (error.icmp.type, error.icmp.code, error.icmp.mtu) == (3, 4, 1280)
    assert error.icmp.body == packet[:548], "as it came, its time to live too"
    assert header_of(error).src == ip(OURS)
    assert router.event("ip.datagrams_forwarded") == 0


def test_that_error_is_not_rate_limited(router: Router) -> None:
    set_mtu(router.stack.shared, router.dev("tap1"), 1280)
    router.receive(*[frame(payload=bytes(1300), df=True)] * 20)
    assert told(router) == [(3, 4)] * 20
    router.receive(*[frame(ttl=1)] * 20)
    assert told(router) == [(11, 0)] * 6


def test_a_route_may_have_a_smaller_mtu_than_its_link(router: Router) -> None:
    router.route("192.168.9.0/24", via=ROUTER, mtu=500)
    router.receive(frame(BEYOND, bytes(1000), df=True))
    (error,) = router.sent()
    assert error.icmp.mtu == 500


def test_what_may_be_cut_is_cut_and_each_piece_has_a_fate_of_its_own(router: Router) -> None:
    set_mtu(router.stack.shared, router.dev("tap1"), 576)
    heard: list[Trace] = []
    router.stack.watch(heard.append, everything=True)
    router.receive(frame(payload=bytes(range(200)) * 7, ident=7, ttl=9))
    pieces = router.sent("tap1")
    assert [header_of(seen).fragment_offset for seen in pieces] == [0, 552, 1104]
    assert [header_of(seen).mf for seen in pieces] == [True, True, False]
    assert {(header_of(seen).ident, header_of(seen).ttl) for seen in pieces} == {(7, 8)}
    assert b"".join(seen.payload for seen in pieces)[8:] == bytes(range(200)) * 7
    assert [trace.fate for trace in heard] == [Fate.FORWARDED] + [Fate.SENT] * 3
    assert [trace.cause for trace in heard[1:]] == [heard[0]] * 3
    assert verdict.verdict(heard[0]) == "forwarded by tap1 in 3 fragments"
    assert router.event("ip.datagrams_forwarded") == 1
    assert router.event("ip.fragments_created") == 3


def test_a_fragment_that_is_too_big_is_cut_again(router: Router) -> None:
    set_mtu(router.stack.shared, router.dev("tap1"), 576)
    pieces = router.passed(frame(payload=bytes(1000), offset=800, mf=True))
    assert [header_of(seen).fragment_offset for seen in pieces] == [800, 1352]
    assert all(header_of(seen).mf for seen in pieces)


# --- broadcasts -----------------------------------------------------------------------------------


def test_a_directed_broadcast_is_taken_and_goes_no_further(router: Router) -> None:
    socket = router.socket(7)
    assert router.passed(frame("10.7.0.255")) == []
    assert len(socket.queue) == 1


def test_a_directed_broadcast_is_sent_on_where_that_is_wanted(router: Router) -> None:
    router.set("ip.bc_forwarding", 1)
    socket = router.socket(7)
    trace = router.follow(frame("10.7.0.255", ttl=9))
    (seen,) = router.sent("tap1")
    assert (seen.dst, header_of(seen).ttl) == (BROADCAST_MAC, 8)
    router.poll()
    assert len(socket.queue) == 1, "we are part of everybody there (RFC 1812 5.2.3)"
    assert trace.fate is Fate.FORWARDED
    assert router.sent() == []


def test_a_broadcast_of_its_own_link_is_not_sent_on(router: Router) -> None:
    router.set("ip.bc_forwarding", 1)
    socket = router.socket(7)
    router.receive(frame("10.0.0.255"), frame("255.255.255.255"))
    router.receive(udp_frame(dst="10.0.0.255", to=BROADCAST_MAC))
    assert len(socket.queue) == 3
    assert router.sent("tap1") == router.sent() == []


def test_a_broadcast_frame_is_not_sent_on(router: Router) -> None:
    router.set("ip.bc_forwarding", 1)
    router.receive(udp_frame(dst="10.7.0.255", to=BROADCAST_MAC))
    assert router.sent("tap1") == []
    assert router.reasons() == {"fwd-group-frame": 1}


# --- links ----------------------------------------------------------------------------------------


def test_a_link_without_carrier_is_a_reason(router: Router) -> None:
    set_carrier(router.stack.shared, router.dev("tap1"), False, router.now)
    trace = router.follow(frame())
    assert trace.reason is REASONS["tx-no-carrier"]
    assert verdict.verdict(trace) == "not forwarded - tx-no-carrier"


def test_a_link_that_is_down_is_no_way(router: Router) -> None:
    set_up(router.stack.shared, router.dev("tap1"), False, router.now)
    trace = router.follow(frame())
    assert told(router) == [(3, 0)]
    assert trace.reason is not None
    assert trace.reason.fixes(trace.detail) == ["smolctl link set tap1 up"]


def test_a_device_that_takes_nothing_is_a_reason(router: Router) -> None:
    trace = router.follow(frame())
    item = router.dev("tap1").outbox.pop()
    router.stack.transmit_failed(router.dev("tap1"), item, "tx-queue-full", router.now)
    assert trace.reason is REASONS["tx-queue-full"]


# --- the story ------------------------------------------------------------------------------------


def test_the_story_of_a_packet_names_both_interfaces(router: Router) -> None:
    trace = router.follow(frame())
    router.sent("tap1")
    row = verdict.tell(trace, lambda ns: ns / 1e9)
    assert (row["dir"], row["fate"], row["iif"], row["dev"]) == (
        "forward", "forwarded", "tap0", "tap1",
    )  # fmt: skip
    assert row["verdict"] == "forwarded by tap1"
    assert row["why"] == (
        "10.7.0.0/24 dev tap1 is the best route to 10.7.0.2; 10.7.0.2 is at 02:00:00:00:00:0f"
    )
    stages = [(step["stage"], step["result"]) for step in row["steps"] if step["result"] != "skip"]
    assert stages == [
        ("ethernet", "ok"), ("ip", "ok"), ("route", "pick"), ("forward", "ok"), ("neigh", "ok"),
        ("device", "ok"),
    ]  # fmt: skip


def test_a_packet_has_one_fate_and_both_frames(router: Router) -> None:
    came = frame(payload=bytes(3000)[:1400])
    trace = router.follow(came)
    (left,) = router.take("tap1")
    assert trace.arrival is not None
    assert (trace.arrival.dev, trace.arrival.frame) == ("tap0", came)
    assert trace.frame == left
    assert trace.fate is Fate.FORWARDED
