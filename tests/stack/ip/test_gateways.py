"""Several gateways: traffic leaves a dead one for another, and nothing asks without need."""

import pytest

from smolctl.stack.explain import candidates
from smolctl.stack.fib.route import InsertMode, RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.stack.neighbor.states import State
from smolctl.stack.trace.facts import Loser
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, PEER_MAC, Host, ip, reply, request, text

FIRST, SECOND, THIRD = "10.0.0.251", "10.0.0.252", "10.0.0.253"
FAR = "8.8.8.8"


@pytest.fixture
def host() -> Host:
    """A host with three default gateways of the same metric."""
    host = Host()
    for gateway in (FIRST, SECOND, THIRD):
        host.route("0.0.0.0/0", via=gateway, mode=InsertMode.APPEND)
    return host


def gateway(host: Host, dst: str = FAR, dev: str | None = None) -> str | None:
    found = route_output(host.stack.ipv4, RouteKey(ip(dst), None, dev))
    assert isinstance(found, Way)
    return None if found.gateway is None else text(found.gateway)


def test_the_first_gateway_is_taken_while_nothing_speaks_against_it(host: Host) -> None:
    assert gateway(host) == FIRST
    for state in State:
        if state not in (State.FAILED, State.NONE):
            host.know(FIRST, state=state)
            assert gateway(host) == FIRST


def test_rfc1122_3_3_1_5_traffic_leaves_a_dead_gateway_for_the_next(host: Host) -> None:
    host.know(SECOND, PEER_MAC)
    socket = host.socket()
    lost = host.send(socket, FAR)
    host.wait(4 * SECOND_NS)
    assert lost.reason is not None
    assert lost.reason.name == "neigh-failed"
    host.sent()
    host.send(socket, FAR)
    (frame,) = host.sent()
    assert frame.dst == PEER_MAC
    assert len(socket.errors) == 1


def test_a_flow_on_the_fast_path_leaves_it_too(host: Host) -> None:
    host.set("neigh.gc_thresh1", 0)
    host.know(FIRST, OTHER_MAC)
    host.know(SECOND, PEER_MAC, State.PERMANENT)
    socket = host.socket()
    used = []
    for _ in range(90):
        host.stack.udp.send(socket, b"x", ip(FAR), 9, host.now)
        used += [frame.dst for frame in host.sent() if frame.ip]
        host.wait(SECOND_NS)
    first, second = used.count(OTHER_MAC), used.count(PEER_MAC)
    assert first > 10  # while it was taken to be reachable, and probed
    assert second > 30
    assert first + second >= 88  # at most what was sent in the moment of failure is lost
    assert used == [OTHER_MAC] * first + [PEER_MAC] * second


def test_a_dead_gateway_that_is_heard_again_is_taken_again(host: Host) -> None:
    host.know(FIRST, state=State.FAILED)
    assert gateway(host) == SECOND
    host.receive(request(FIRST))
    assert gateway(host) == FIRST


def test_when_all_are_dead_the_one_that_failed_longest_ago_is_tried(host: Host) -> None:
    for address in (SECOND, THIRD, FIRST):
        host.know(address, state=State.FAILED)
        host.clock.advance(SECOND_NS)
    assert gateway(host) == SECOND
    asked = []
    for _ in range(4):
        host.send(host.socket(), FAR)
        asked += [text(frame.arp.target_ip) for frame in host.sent() if frame.arp][:1]
        host.wait(4 * SECOND_NS)
        host.sent()
    assert asked == [SECOND, THIRD, FIRST, SECOND]


def test_rfc1122_3_3_1_4_no_gateway_is_asked_while_another_works(host: Host) -> None:
    host.know(FIRST, state=State.FAILED)
    host.know(SECOND, state=State.PERMANENT)
    for _ in range(20):
        host.send(host.socket(), FAR)
        host.wait(60 * SECOND_NS)
    assert [frame for frame in host.sent() if frame.arp] == []


def test_another_metric_is_no_substitute(host: Host) -> None:
    host.route("9.0.0.0/8", via=FIRST, metric=1)
    host.route("9.0.0.0/8", via=SECOND, metric=2)
    host.know(FIRST, state=State.FAILED)
    assert gateway(host, "9.9.9.9") == FIRST


def test_routes_that_refuse_are_no_substitute(host: Host) -> None:
    host.route("9.0.0.0/8", via=FIRST)
    host.route("9.0.0.0/8", kind=RouteType.BLACKHOLE, mode=InsertMode.APPEND)
    host.know(FIRST, state=State.FAILED)
    assert gateway(host, "9.9.9.9") == FIRST


def test_a_socket_bound_to_a_device_stays_there(host: Host) -> None:
    host.link("tap1", OTHER_MAC)
    host.add("10.1.0.1/24", "tap1")
    host.route("9.0.0.0/8", via=FIRST)
    host.route("9.0.0.0/8", via="10.1.0.254", mode=InsertMode.APPEND)
    host.know(FIRST, state=State.FAILED)
    assert gateway(host, "9.9.9.9") == "10.1.0.254"
    assert gateway(host, "9.9.9.9", "tap0") == FIRST


def test_it_is_told_which_gateway_was_passed_over(host: Host) -> None:
    host.know(FIRST, state=State.FAILED)
    host.know(SECOND)
    trace = host.send(host.socket(), FAR)
    skipped = {
        text(step.facts.route.via): step.facts.cause
        for step in trace.steps
        if isinstance(step.facts, Loser) and step.facts.route.via is not None
    }
    assert skipped == {FIRST: "dead", THIRD: "order"}


def test_candidates_without_a_winner_are_those_of_the_fib(host: Host) -> None:
    assert candidates.candidates(host.stack.ipv4, RouteKey(ip(FAR)), None) == candidates.plain(
        host.stack.ipv4.fib, ip(FAR)
    )


def test_an_answer_at_last_is_believed(host: Host) -> None:
    host.send(host.socket(), FAR)
    host.wait(4 * SECOND_NS)
    host.receive(reply(FIRST))
    assert gateway(host) == FIRST
