"""What is not forwarded, and who is told."""

import pytest

from smolctl.stack.config.rule import add_rule
from smolctl.stack.explain import verdict
from smolctl.stack.explain.suggest import onward
from smolctl.stack.fib.route import RouteType
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.neighbor.states import State
from smolctl.stack.reason import REASONS
from smolctl.wire import icmpv4
from smolctl.wire.address import BROADCAST_MAC, multicast_mac
from tests.kit.clock import SECOND_NS
from tests.kit.host import OURS, Host, frame_of, icmp_frame, ip, packet_of, udp_frame, unreachable
from tests.kit.routers import FAR, FAR_MAC, NEAR, ROUTER, Router, datagram, frame, header_of, told


@pytest.fixture
def router() -> Router:
    return Router()


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
    trace = router.follow(frame("8.8.8.8"))
    assert told(router) == ([] if code is None else [(3, code)])
    assert trace.reason is REASONS[f"fwd-route-{kind}"]
    assert trace.reason.fixes(trace.detail) == [f"smolctl route del {kind} 8.8.8.0/24"]


def test_no_route_is_told(router: Router) -> None:
    trace = router.follow(frame("8.8.8.8"))
    assert told(router) == [(3, 0)]
    assert trace.reason is REASONS["fwd-no-route"]
    # By the other link: the one that it came by would only send it back.
    assert trace.reason.fixes(trace.detail) == ["smolctl route add default via 10.7.0.2"]


def test_no_gateway_is_suggested_on_the_link_of_the_sender() -> None:
    host = Host()
    assert onward(host.stack.ipv4, ip("8.8.8.8"), host.tap) == {"gateway": None}


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
