"""Datagrams that wait in their socket, requests that are rationed, and answers that are lost."""

from contextlib import suppress

import pytest

from smolctl.errors import SendRejected
from smolctl.stack.config.link import set_up
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.neighbor.states import State
from smolctl.stack.reason import shown
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.wire import arp
from tests.kit.clock import SECOND_NS
from tests.kit.host import (
    DEAD,
    OTHER_MAC,
    PEER,
    PEER_MAC,
    Host,
    echo_request,
    ip,
    reply,
    request,
    text,
    udp_frame,
)

OTHER = "10.0.0.5"
MS = 1_000_000


@pytest.fixture
def host() -> Host:
    host = Host()
    host.set("neigh.unres_qlen", 0)
    return host


def name(trace: Trace) -> str | None:
    return trace.reason.name if trace.reason is not None else None


def asked(host: Host, dev: str = "tap0") -> list[str]:
    """Return whom the stack asked for by ARP since the last call."""
    return [
        text(seen.arp.target_ip)
        for seen in host.sent(dev)
        if seen.arp is not None and seen.arp.op == arp.Op.REQUEST
    ]


def payloads(host: Host) -> list[bytes]:
    return [seen.udp[2] for seen in host.sent() if seen.ip is not None]


# --- neigh.unres_qlen=0 ---------------------------------------------------------------------------


def test_a_datagram_waits_in_its_socket_and_those_behind_it_wait_too(host: Host) -> None:
    host.know(OTHER, OTHER_MAC)
    socket = host.socket()
    first, second = host.send(socket, PEER, payload=b"1"), host.send(socket, OTHER, payload=b"2")
    assert (name(first), name(second)) == ("udp-waits-for-neighbor", "udp-head-of-line")
    assert asked(host) == [PEER]
    assert socket.tx_datagrams == 0
    third = host.send(host.socket(), OTHER, payload=b"3")
    assert payloads(host) == [b"3"]
    assert third.fate is Fate.SENT
    host.receive(reply())
    host.poll()
    assert payloads(host) == [b"1", b"2"]
    assert (first.fate, second.fate) == (Fate.SENT, Fate.SENT)
    assert first.waited_for is not None
    assert socket.send_queue is None
    assert not host.stack.udp.blocked
    host.send(socket, OTHER, payload=b"4")
    assert payloads(host) == [b"4"]


def test_the_fast_path_overtakes_nothing(host: Host) -> None:
    host.know(OTHER, OTHER_MAC)
    socket = host.socket()
    host.stack.udp.send(socket, b"1", ip(OTHER), 9, host.now)
    assert socket.flows
    host.send(socket, PEER, payload=b"2")
    assert not socket.flows
    host.stack.udp.send(socket, b"3", ip(OTHER), 9, host.now)
    assert payloads(host) == [b"1"]
    host.receive(reply())
    host.poll()
    assert payloads(host) == [b"2", b"3"]


def test_a_dead_neighbor_fails_the_first_datagram_and_lets_the_next_go(host: Host) -> None:
    host.know(OTHER, OTHER_MAC)
    socket = host.socket()
    first, second = host.send(socket, DEAD), host.send(socket, OTHER)
    third = host.send(socket, DEAD)
    host.wait(3 * SECOND_NS)
    assert (first.fate, name(first)) == (Fate.REJECTED, "neigh-failed")
    assert [error.errno_name for error in socket.errors] == ["EHOSTUNREACH"]
    assert (second.settled, name(third)) == (False, "udp-waits-for-neighbor")
    host.sent()
    assert second.fate is Fate.SENT
    host.wait(3 * SECOND_NS)
    assert name(third) == "neigh-failed"
    assert not host.stack.udp.blocked


def test_without_a_limit_it_is_asked_for_ever_and_its_steps_do_not_grow(host: Host) -> None:
    host.set("neigh.mcast_solicit", 0)
    trace = host.send(host.socket(), DEAD)
    host.wait(500 * SECOND_NS)
    assert len(asked(host)) == 501
    assert not trace.settled
    assert len(trace.steps) < 150
    assert host.reasons() == {"udp-waits-for-neighbor": 1}


def test_nobody_is_asked_for_when_nobody_waits(host: Host) -> None:
    host.set("neigh.mcast_solicit", 0)
    socket, other = host.socket(), host.socket()
    trace = host.send(socket, DEAD)
    host.send(other, DEAD)
    host.stack.udp.close(socket)
    assert (trace.fate, name(trace)) == (Fate.DROPPED, "udp-send-purged")
    host.wait(5 * SECOND_NS)
    assert len(asked(host)) == 6
    host.stack.udp.close(other)
    host.wait(5 * SECOND_NS)
    assert asked(host) == []
    assert host.neighbor(DEAD) is None
    assert host.stack.deadline() is None


def test_what_waits_is_bounded_and_more_is_refused(host: Host) -> None:
    host.set("udp.wmem_default", 256)
    socket = host.socket()
    traces = [host.send(socket, DEAD, payload=bytes(20)) for _ in range(3)]
    with pytest.raises(SendRejected) as caught:
        host.send(socket, OTHER, payload=bytes(20))
    assert (caught.value.code, caught.value.errno_name) == ("udp-sndbuf-full", "ENOBUFS")
    assert [name(trace) for trace in traces] == [
        "udp-waits-for-neighbor", "udp-head-of-line", "udp-head-of-line",
    ]  # fmt: skip


def test_a_new_route_is_taken_by_what_waits(host: Host) -> None:
    """Its way is chosen anew each second, as smoltcp does with each poll."""
    host.link("tap1")
    host.add("10.7.0.1/24", "tap1")
    host.know("10.7.0.2", PEER_MAC, dev="tap1")
    host.set("neigh.mcast_solicit", 0)
    trace = host.send(host.socket(), DEAD)
    host.route(f"{DEAD}/32", via="10.7.0.2")
    host.wait(SECOND_NS)
    host.sent("tap1")
    assert (trace.fate, trace.dev) == (Fate.SENT, "tap1")
    host.wait(3 * SECOND_NS)
    assert host.neighbor(DEAD) is None


def test_a_link_that_goes_down_refuses_what_waited_for_it(host: Host) -> None:
    socket = host.socket()
    trace = host.send(socket, DEAD)
    set_up(host.stack.shared, host.tap, False, host.now)
    host.wait(SECOND_NS)
    assert trace.fate is Fate.REJECTED
    assert len(socket.errors) == 1
    assert not host.stack.udp.blocked


def test_a_queue_given_at_run_time_takes_what_waits_in_sockets(host: Host) -> None:
    socket = host.socket()
    first, second = host.send(socket, DEAD), host.send(socket, PEER)
    host.know(PEER)
    host.set("neigh.unres_qlen", 256)
    host.wait(SECOND_NS)
    host.sent()
    assert (name(first), second.fate) == ("neigh-pending", Fate.SENT)


def test_why_foretells_that_a_blocked_socket_blocks(host: Host) -> None:
    host.know(OTHER, OTHER_MAC)
    socket = host.socket(700)
    question = Question("udp", None, ip(OTHER), 700, 9, 1)
    assert predict(host.stack, question, host.now).fate is Fate.SENT
    host.send(socket, DEAD)
    foretold = predict(host.stack, question, host.now)
    assert name(foretold) == "udp-head-of-line"
    assert len(host.stack.udp.blocked) == 1
    assert socket.send_queue is not None
    assert len(socket.send_queue.items) == 1
    assert name(predict(host.stack, Question("udp", None, ip(OTHER), 0, 9, 1), host.now)) is None


# --- ip.no_route=wait -----------------------------------------------------------------------------


def test_a_datagram_without_a_route_waits_for_one() -> None:
    host = Host()
    host.set("ip.no_route", "wait")
    host.know()
    socket = host.socket()
    trace, behind = host.send(socket, "8.8.8.8"), host.send(socket, PEER)
    assert (name(trace), name(behind)) == ("udp-waits-for-route", "udp-head-of-line")
    assert trace.fate is Fate.WAITING
    host.wait(5 * SECOND_NS)
    assert host.reasons() == {"udp-waits-for-route": 1, "udp-head-of-line": 1}
    host.route("0.0.0.0/0", via=PEER)
    host.wait(SECOND_NS)
    host.sent()
    assert (trace.fate, behind.fate) == (Fate.SENT, Fate.SENT)


# --- answers, and requests for them ---------------------------------------------------------------


@pytest.mark.parametrize("sysctl", ["neigh.unres_qlen", "neigh.queue_answers"])
def test_an_answer_to_an_unknown_host_is_lost_and_asks_once(sysctl: str) -> None:
    host = Host()
    host.set(sysctl, 0)
    host.receive(echo_request(src=PEER))
    assert asked(host) == [PEER]
    assert host.reasons() == {"neigh-not-queued": 1}
    host.wait(3 * SECOND_NS)
    assert asked(host) == []
    assert host.neighbor(PEER) is None
    host.receive(echo_request(src=PEER), reply())
    host.receive(echo_request(src=PEER))
    assert [seen.ip is not None for seen in host.sent()] == [False, True]


def test_a_datagram_of_a_socket_still_waits_where_only_answers_are_lost() -> None:
    host = Host()
    host.set("neigh.queue_answers", 0)
    trace = host.send(host.socket(), PEER)
    host.receive(echo_request(src=PEER))
    host.receive(reply())
    assert len([seen for seen in host.sent() if seen.ip is not None]) == 1
    assert trace.fate is Fate.SENT


@pytest.mark.parametrize("qlen", [0, 256])
def test_one_request_for_the_whole_cache_starves_others_of_a_dead_host(qlen: int) -> None:
    host = Host()
    host.set("neigh.unres_qlen", qlen)
    host.set("neigh.rate_limit_scope", "cache")
    host.set("neigh.mcast_solicit", 0)
    host.send(host.socket(), DEAD)
    host.wait(300 * MS)
    starved = host.send(host.socket(), PEER)
    assert name(starved) == "neigh-rate-limited"
    assert starved.detail["ms"] == 700
    assert shown(starved.detail)["ip"] == DEAD
    host.wait(60 * SECOND_NS)
    assert set(asked(host)) == {DEAD}
    host.set("neigh.rate_limit_scope", "entry")
    host.wait(SECOND_NS)
    assert set(asked(host)) == {DEAD, PEER}


def test_with_a_limit_the_next_one_has_its_turn() -> None:
    host = Host()
    host.set("neigh.rate_limit_scope", "cache")
    host.send(host.socket(), DEAD)
    trace = host.send(host.socket(), PEER)
    host.wait(3 * SECOND_NS)
    assert asked(host) == [DEAD] * 3 + [PEER]
    host.receive(reply())
    host.sent()
    assert trace.fate is Fate.SENT


def test_each_interface_keeps_its_own_silence() -> None:
    host = Host()
    host.link("tap1")
    host.add("10.7.0.1/24", "tap1")
    host.set("neigh.rate_limit_scope", "cache")
    host.send(host.socket(), DEAD)
    host.send(host.socket(), "10.7.0.2")
    assert asked(host, "tap1") == ["10.7.0.2"]


# --- entries without states -----------------------------------------------------------------------


def test_an_entry_lives_so_long_after_arp_spoke_of_it() -> None:
    host = Host()
    host.set("neigh.lifetime_ms", 60_000)
    host.receive(request())
    entry = host.neighbor(PEER)
    assert entry is not None
    assert entry.state is State.REACHABLE
    socket = host.socket(7)
    for _ in range(59):  # neither use nor traffic makes it live longer
        host.wait(SECOND_NS)
        host.send(socket)
        host.receive(udp_frame(9, 7))
    assert asked(host) == []
    host.wait(SECOND_NS)
    assert host.neighbor(PEER) is None
    host.send(socket)
    assert asked(host) == [PEER]
    host.receive(reply(mac=OTHER_MAC))
    host.wait(30 * SECOND_NS)
    host.receive(request(mac=OTHER_MAC))
    host.wait(59 * SECOND_NS)
    assert host.neighbor(PEER) is not None
    host.wait(SECOND_NS)
    assert host.neighbor(PEER) is None


def test_a_full_cache_evicts_whom_arp_spoke_of_longest_ago() -> None:
    host = Host()
    host.set("iface.neighbor_cache_count", 2)
    host.set("neigh.evict", "oldest")
    for last in (2, 3):
        host.receive(request(f"10.0.0.{last}"))
        host.wait(SECOND_NS)
    host.send(host.socket(), "10.0.0.2")  # in use, and it does not help
    host.send(host.socket(), DEAD)  # unresolved: it needs no place
    assert host.neighbor("10.0.0.2") is not None
    assert host.neighbor("10.0.0.3") is not None
    host.receive(request("10.0.0.4"))
    known = {text(entry.ip) for entry in host.cache() if entry.lladdr is not None}
    assert known == {"10.0.0.3", "10.0.0.4"}
    for last in range(20, 40):
        with suppress(SendRejected):
            host.send(host.socket(), f"10.0.0.{last}")
    assert len(host.cache().entries) <= 2 * 2
