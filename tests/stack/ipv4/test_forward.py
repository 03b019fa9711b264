"""Forwarding: what goes on, by which way and in which shape, what does not, and who is told."""

import pytest

from smolctl.stack.config.link import set_carrier, set_mtu, set_up
from smolctl.stack.config.rule import add_rule
from smolctl.stack.explain import verdict
from smolctl.stack.explain.suggest_addresses import no_route
from smolctl.stack.fib.route import InsertMode, RouteType
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.neighbor.states import State
from smolctl.stack.reason import REASONS
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.wire import icmpv4, ipv4
from smolctl.wire.address import BROADCAST_MAC, multicast_mac
from tests.kit.clock import SECOND_NS
from tests.kit.host import (
    OTHER_MAC,
    OURS,
    Host,
    arp_frame,
    echo_request,
    frame_of,
    icmp_frame,
    ip,
    packet_of,
    udp_frame,
    unreachable,
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


def test_who_wakes_a_host_behind_a_router_is_told_why_it_sleeps_on(router: Router) -> None:
    router.receive(frame("10.7.0.255"))
    (((why, _), tally),) = router.stack.ledger.reasons.items()
    assert why.why(tally.detail) == (
        "10.7.0.255 is the broadcast address of tap1's network; with ip.bc_forwarding=0 it is not"
        " forwarded there, and no socket here listens at port 7"
    )
    assert why.fixes(tally.detail) == ["smolctl sysctl ip.bc_forwarding=1"]


@pytest.mark.parametrize(
    ("sysctl", "dst"), [("ip.forward", "10.7.0.255"), ("ip.bc_forwarding", "10.0.0.255")]
)
def test_a_broadcast_that_goes_nowhere_else_has_no_listener(
    router: Router, sysctl: str, dst: str
) -> None:
    router.set(sysctl, 0)
    router.receive(frame(dst))
    assert router.reasons() == {"udp-no-listener": 1}


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


@pytest.mark.parametrize("ttl", [0, 1])
def test_a_time_to_live_that_ends_here_is_told(router: Router, ttl: int) -> None:
    packet = datagram(ttl=ttl)
    assert router.passed(frame_of(packet)) == []
    (error,) = router.sent()
    assert (error.icmp.type, error.icmp.code, error.icmp.rest) == (11, 0, 0)
    assert error.icmp.body == packet
    assert header_of(error).src == ip(OURS), "of the interface by which it leaves"
    assert router.reasons() == {"fwd-ttl-exceeded": 1}


def test_a_packet_for_us_is_taken_whatever_its_time_to_live(router: Router) -> None:
    router.receive(frame_of(packet_of(1, icmpv4.IcmpMessage(8, 0, 1, b"").to_bytes(), ttl=1)))
    assert told(router) == [(0, 0)]


@pytest.mark.parametrize(
    ("kind", "code"),
    [(RouteType.UNREACHABLE, 1), (RouteType.PROHIBIT, 13), (RouteType.BLACKHOLE, None)],
)
def test_a_route_may_refuse(router: Router, kind: RouteType, code: int | None) -> None:
    router.route("8.8.8.0/24", kind=kind)
    router.route("0.0.0.0/0", via=ROUTER)
    trace = router.follow(frame("8.8.8.8"))
    assert told(router) == ([] if code is None else [(3, code)])
    assert trace.reason is REASONS[f"fwd-route-{kind}"]
    assert trace.reason.fixes(trace.detail) == [f"smolctl route del {kind} 8.8.8.0/24"]


def test_no_route_is_told(router: Router) -> None:
    trace = router.follow(frame("8.8.8.8"))
    assert told(router) == [(3, 0)]
    assert trace.reason is REASONS["fwd-no-route"]
    # By the other link: the one that it came by would only send it back.
    assert trace.reason.fixes(trace.detail) == []
    router.route("192.168.9.0/24", via=ROUTER)
    trace = router.follow(frame("8.8.8.8"))
    assert trace.reason is REASONS["fwd-no-route"]
    assert trace.reason.fixes(trace.detail) == [f"smolctl route add default via {ROUTER}"]


def test_no_gateway_is_suggested_on_the_link_of_the_sender() -> None:
    host = Host()
    host.know(NEAR)
    assert "gateway" in no_route(host.stack.ipv4, ip("8.8.8.8"))
    assert "gateway" not in no_route(host.stack.ipv4, ip("8.8.8.8"), host.tap)


def test_a_throw_route_leads_nowhere(router: Router) -> None:
    router.route("8.0.0.0/8", via=ROUTER)
    router.route("8.8.8.0/24", kind=RouteType.THROW)
    router.receive(frame("8.8.8.8"), frame("8.8.7.8"))
    assert told(router) == [(3, 0)]
    assert len(router.sent("tap1")) == 1


def test_a_next_hop_that_is_silent_is_told_to_each_sender(router: Router) -> None:
    packet = datagram("10.7.0.77", ttl=9)
    router.receive(frame_of(packet))
    router.receive(frame("10.7.0.77", payload=bytes(8), offset=8))
    assert router.sent() == []
    router.wait(3 * SECOND_NS)
    (error,) = router.sent()
    assert (error.icmp.type, error.icmp.code) == (3, 1)
    quote = icmpv4.parse_quote(error.icmp.body)
    assert quote is not None
    assert (quote.src, quote.dst) == (ip(NEAR), ip("10.7.0.77"))
    assert router.reasons() == {"neigh-pending": 2, "neigh-failed": 2, "icmp-reply-suppressed": 1}


def test_our_own_packet_that_nobody_answers_for_is_told_to_nobody(router: Router) -> None:
    router.send(router.socket(), "10.7.0.77")
    router.wait(3 * SECOND_NS)
    assert router.sent() == []
    assert router.reasons() == {"neigh-pending": 1, "neigh-failed": 1}


def test_a_full_neighbor_table_is_a_reason(router: Router) -> None:
    router.set("iface.neighbor_cache_count", 1)
    router.stack.ipv4.neighbors["tap1"].flush()
    router.know(FAR, FAR_MAC, State.PERMANENT, "tap1")
    trace = router.follow(frame("10.7.0.77"))
    assert trace.reason is REASONS["neigh-table-full"]
    assert verdict.verdict(trace) == "not forwarded - neigh-table-full"


def test_a_frame_to_all_is_not_forwarded(router: Router) -> None:
    for to in (BROADCAST_MAC, multicast_mac(7)):
        router.receive(udp_frame(dst=FAR, to=to))
    assert router.sent("tap1") == []
    assert router.sent() == [], "RFC 1122 3.2.2: and nobody is told"
    assert router.reasons() == {"fwd-group-frame": 2}


@pytest.mark.parametrize(
    ("src", "dst", "reason"),
    [
        ("127.0.0.1", FAR, "ip-loopback-on-wire"),
        (NEAR, "127.0.0.9", "ip-loopback-on-wire"),
        ("0.0.0.9", FAR, "ip-src-invalid"),
        ("224.0.0.1", FAR, "ip-src-invalid"),
        ("255.255.255.255", FAR, "ip-src-invalid"),
        ("10.0.0.255", FAR, "ip-src-invalid"),
        ("10.7.0.255", FAR, "ip-src-invalid"),
        (OURS, FAR, "ip-src-is-ours"),
        (NEAR, "0.0.0.9", "ip-dst-invalid"),
        (NEAR, "224.0.0.9", "ip-multicast-not-joined"),
    ],
)
def test_martians_are_not_forwarded(router: Router, src: str, dst: str, reason: str) -> None:
    router.route("0.0.0.0/0", via=ROUTER)
    assert router.passed(udp_frame(src=src, dst=dst)) == []
    assert router.reasons() == {reason: 1}


@pytest.mark.parametrize("src", [OURS, "10.0.0.255"])
def test_a_route_that_refuses_comes_before_whose_the_source_is(router: Router, src: str) -> None:
    """As in Linux: fib_validate_source is for what has a way."""
    router.route("8.8.8.0/24", kind=RouteType.BLACKHOLE)
    assert router.passed(udp_frame(src=src, dst="8.8.8.8")) == []
    assert router.passed(udp_frame(src=src, dst="9.9.9.9")) == []
    suppressed = {"icmp-reply-suppressed": 1} if src != OURS else {}
    reasons = router.reasons()
    assert {"fwd-route-blackhole": 1, "fwd-no-route": 1, **suppressed}.items() <= reasons.items()


@pytest.mark.parametrize(
    ("action", "tells"),
    [
        (RuleAction.BLACKHOLE, []),
        (RuleAction.UNREACHABLE, [(3, 0)]),
        (RuleAction.PROHIBIT, [(3, 13)]),
    ],
)
def test_a_rule_that_refuses_is_told_as_linux_tells_it(
    router: Router, action: RuleAction, tells: list[tuple[int, int]]
) -> None:
    rule = Rule(100, action=action, dst=ip(FAR), dst_len=32)
    add_rule(router.stack.ipv4, rule)
    assert router.passed(frame()) == []
    assert router.reasons() == {"ip-rule-refused": 1}
    assert told(router) == tells


def test_a_source_route_is_refused(router: Router) -> None:
    assert router.passed(frame(options=bytes([131, 7, 4, 10, 7, 0, 2]))) == []
    assert router.reasons() == {"ip-source-route": 1}
    assert told(router) == [(3, 5)]


def test_an_option_that_makes_no_sense_is_told_by_parameter_problem(router: Router) -> None:
    assert router.passed(frame(options=bytes([7, 2, 4, 0]))) == []
    assert router.reasons() == {"ip-bad-option": 1}
    assert told(router) == [(12, 0)]


@pytest.mark.parametrize("special", ["169.254.3.4", "240.1.2.3"])
def test_addresses_that_linux_forwards_may_be_kept(router: Router, special: str) -> None:
    router.route("0.0.0.0/0", via=ROUTER)
    for router_does in (1, 0):
        router.set("ip.forward_special", router_does)
        assert len(router.passed(udp_frame(dst=special))) == router_does
        assert len(router.passed(udp_frame(src=special, dst=FAR))) == router_does
    assert router.reasons() == {"fwd-special-address": 2}


def test_a_source_that_could_not_be_answered_by_where_it_came_from(router: Router) -> None:
    router.set("ip.rp_filter", 1)
    assert router.passed(frame(src="10.7.0.5")) == []
    assert len(router.passed(frame())) == 1
    assert router.reasons() == {"ip-reverse-path": 1}


@pytest.mark.parametrize("code", [0, 1, 3])
def test_no_error_is_sent_about_an_error(router: Router, code: int) -> None:
    error = icmpv4.IcmpMessage(3, code, 0, datagram()).to_bytes()
    for dst, ttl in ((FAR, 1), ("8.8.8.8", 64), ("10.7.0.77", 64)):
        router.receive(frame_of(packet_of(1, error, NEAR, dst, ttl=ttl)))
    router.wait(3 * SECOND_NS)
    assert router.sent() == []
    assert router.reasons()["icmp-reply-suppressed"] == 3


def test_errors_and_answers_of_others_are_forwarded(router: Router) -> None:
    for seen in (icmp_frame(0, src=NEAR, dst=FAR), unreachable_for_far()):
        (passed,) = router.passed(seen)
        assert passed.icmp.type in (0, 3)


def unreachable_for_far() -> bytes:
    packet = unreachable(1, datagram(src=FAR, dst=NEAR))[14:]
    return frame_of(packet_of(1, packet[20:], NEAR, FAR))
