"""``udp send`` says what became of each datagram, and "ok" only with evidence."""

import base64
from typing import Any

import pytest

from smolctl.errors import InvalidArgument, SmolctlError
from smolctl.ops.udp_send import CATCH_UP_NS, OUTSTANDING_LIMIT
from smolctl.stack.config.link import set_carrier
from smolctl.wire import icmpv4
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import DEAD, OTHER_MAC, OURS, PEER, udp_frame, unreachable
from tests.ops.kit import Api, Exchange, Row

DATA = base64.b64encode(b"hello").decode()


@pytest.fixture
def api() -> Api:
    return Api()


def send(api: Api, dst: str = PEER, port: str = "9", **args: Any) -> Exchange:
    return api.run("udp.send", dst=dst, port=port, **{"data": DATA, **args})


def totals(sent: int = 0, failed: int = 0, icmp_errors: int = 0, replies: int = 0) -> Row:
    good = sent > 0 and not failed and not icmp_errors
    counts = {"sent": sent, "failed": failed, "icmp_errors": icmp_errors, "replies": replies}
    return {**counts, "waiting": 0, "ok": good}


def counted(exchange: Exchange) -> Row:
    """Return the result without what it says about the packet that failed, and the pace."""
    blame = ("reason", "message", "hint", "id", "seconds", "rate")
    return {key: value for key, value in exchange.done_with.items() if key not in blame}


# --- the truth table ------------------------------------------------------------------------------


def test_sent_means_that_the_device_took_it(api: Api) -> None:
    api.host.know()
    api.peer.silent.add("udp")
    exchange = send(api, sport="5000")
    assert exchange.events == [
        {
            "event": "sent",
            "seq": 1,
            "id": 1,
            "bytes": 5,
            "src": OURS,
            "sport": 5000,
            "dst": PEER,
            "dport": 9,
            "dev": "tap0",
            "fate": "sent",
            "after_ms": 0.0,
        }
    ]
    assert counted(exchange) == totals(sent=1)
    assert [frame.udp for _, frame in api.wire] == [(5000, 9, b"hello")]


def test_sent_after_arp_says_how_long_that_took(api: Api) -> None:
    api.peer.delay_ns = 20 * MILLISECOND_NS
    (event,) = send(api).of("sent")
    assert event["after_ms"] == 20.0


def test_sent_by_a_gateway_names_it(api: Api) -> None:
    api("route.add", dst="default", via=PEER)
    (event,) = send(api, "8.8.8.8").of("sent")
    assert event["gateway"] == PEER


@pytest.mark.parametrize("dst", ["127.0.0.2", OURS])
def test_delivered_means_that_a_socket_here_has_it(api: Api, dst: str) -> None:
    receiver = api.host.socket(9)
    exchange = send(api, dst)
    (event,) = exchange.of("sent")
    assert (event["fate"], event["dev"]) == ("delivered", "lo")
    assert counted(exchange) == totals(sent=1)
    assert len(receiver.queue) == 1


def test_a_dead_host_is_waited_for_then_fails_after_three_seconds(api: Api) -> None:
    start = api.clock.now
    exchange = send(api, DEAD)
    assert api.clock.now == start + 3 * SECOND_NS
    waiting, failed = exchange.events
    assert waiting == {
        "event": "waiting",
        "seq": 1,
        "reason": "neigh-pending",
        "text": "waiting for ARP of 10.0.0.9 on tap0, 1 queued",
    }
    assert failed == {
        "event": "failed",
        "seq": 1,
        "id": 1,
        "reason": "neigh-failed",
        "errno": "EHOSTUNREACH",
        "message": "3 ARP requests for 10.0.0.9 on tap0, and nothing came back",
        "hint": "smolctl arping -I tap0 10.0.0.9",
    }
    assert counted(exchange) == totals(failed=1)


def test_waiting_is_said_after_a_tenth_of_a_second(api: Api) -> None:
    exchange, _ = api.start("udp.send", dst=DEAD, port="9", data=DATA)
    api.wait(100 * MILLISECOND_NS - 1)
    assert exchange.kinds == []
    api.wait(1)
    api.wait(0)
    assert exchange.kinds == ["waiting"]


def test_a_wait_that_is_short_is_not_worth_a_word(api: Api) -> None:
    api.peer.delay_ns = 99 * MILLISECOND_NS
    api.peer.silent.add("udp")
    assert send(api).kinds == ["sent"]


@pytest.mark.parametrize(
    ("dst", "port", "reason", "errno"),
    [
        ("127.0.0.1", "9", "udp-port-closed", "ECONNREFUSED"),
        (OURS, "7", "udp-bound-elsewhere", "ECONNREFUSED"),
        ("8.8.8.8", "9", "tx-no-route", "ENETUNREACH"),
        ("10.7.0.1", "9", "tx-route-prohibit", "EACCES"),
        ("10.0.0.255", "9", "tx-broadcast-denied", "EACCES"),
        ("0.0.0.0", "9", "tx-dst-invalid", "EINVAL"),
    ],
)
def test_a_refusal_is_a_failure_with_its_reason(
    api: Api, dst: str, port: str, reason: str, errno: str
) -> None:
    api.host.socket(7, "127.0.0.1")
    api("route.add", dst="10.7.0.0/16", type="prohibit")
    start = api.clock.now
    exchange = send(api, dst, port)
    (event,) = exchange.of("failed")
    assert (event["reason"], event["errno"]) == (reason, errno)
    assert event["message"]
    assert counted(exchange) == totals(failed=1)
    assert api.clock.now == start


def test_an_icmp_error_of_the_peer_is_reported(api: Api) -> None:
    api.peer.closed = True
    exchange = send(api)
    assert exchange.kinds == ["sent", "icmp"]
    assert exchange.of("icmp") == [
        {
            "seq": 1,
            "from": PEER,
            "reason": "icmp-port-unreachable",
            "errno": "ECONNREFUSED",
            "message": f"{PEER} says that nothing is bound to {PEER}:9",
            "hint": f"on {PEER}: start what is to listen on UDP port 9; ss -lun shows what does",
        }
    ]
    assert counted(exchange) == totals(sent=1, icmp_errors=1)


@pytest.mark.parametrize(("late_ms", "heard"), [(50, True), (150, False)])
def test_an_icmp_error_is_waited_for_a_tenth_of_a_second(
    api: Api, late_ms: int, heard: bool
) -> None:
    api.host.know()
    api.peer.closed = True
    api.peer.delay_ns = late_ms * MILLISECOND_NS
    exchange = send(api)
    assert counted(exchange) == totals(sent=1, icmp_errors=int(heard))
    assert counted(send(api, wait="1")) == totals(sent=1, icmp_errors=1)


def test_a_datagram_that_is_lost_on_the_way_out_fails(api: Api) -> None:
    api.host.know()
    set_carrier(api.stack.shared, api.host.tap, False, api.clock.now)
    (event,) = send(api).of("failed")
    assert event["reason"] == "tx-no-carrier"


def test_a_link_that_goes_away_meanwhile_ends_the_wait(api: Api) -> None:
    exchange, _ = api.start("udp.send", dst=DEAD, port="9", data=DATA)
    api("link.set", dev="tap0", state="down")
    api.wait(0, until=lambda: exchange.ended)
    assert exchange.of("failed")[0]["reason"] == "neigh-queue-purged"


def test_a_link_that_is_deleted_meanwhile_fails_the_rest(api: Api) -> None:
    api("link.add", name="tap1", type="test")
    api("addr.add", local="10.1.0.1/24", dev="tap1")
    exchange, _ = api.start(
        "udp.send", dst="127.0.0.1", port="9", data=DATA, dev="tap1", count="2", interval="1"
    )
    api("link.del", dev="tap1")
    api.wait(2 * SECOND_NS)
    assert [event["reason"] for event in exchange.of("failed")][-1] == "tx-no-device"
    assert not exchange.done_with["ok"]


# --- replies --------------------------------------------------------------------------------------


def test_a_reply_is_shown_with_its_round_trip_time(api: Api) -> None:
    api.host.know()
    exchange = send(api, expect_reply=True)
    assert exchange.kinds == ["sent", "reply"]
    assert exchange.of("reply") == [{"src": PEER, "sport": 9, "data": DATA, "rtt_ms": 1.0}]
    assert counted(exchange) == {**totals(sent=1, replies=1), "ok": True}


def test_a_reply_that_is_expected_and_does_not_come_is_no_success(api: Api) -> None:
    api.host.know()
    api.peer.silent.add("udp")
    start = api.clock.now
    exchange = send(api, expect_reply=True)
    assert api.clock.now == start + SECOND_NS
    assert counted(exchange) == {**totals(sent=1), "ok": False}
    send(api, expect_reply=True, wait="0.25")
    assert api.clock.now == start + SECOND_NS + SECOND_NS // 4


def test_an_echo_by_this_stack_itself_is_a_delivery_and_a_reply(api: Api) -> None:
    for quiet in (True, False):
        _, echo = api.start("udp.echo", addr="127.0.0.1", port="7", quiet=quiet)
        exchange = send(api, "127.0.0.1", "7", expect_reply=True)
        assert exchange.kinds == ["sent", "reply"]
        assert counted(exchange) == {**totals(sent=1, replies=1), "ok": True}
        echo.cancel(api.clock.now)


# --- what is sent ---------------------------------------------------------------------------------


def test_count_and_interval(api: Api) -> None:
    api.host.know()
    start = api.clock.now
    exchange = send(api, count="3", interval="0.5")
    times = [at - start for at, frame in api.wire if frame.ip]
    assert times == [0, SECOND_NS // 2, SECOND_NS]
    assert [event["seq"] for event in exchange.of("sent")] == [1, 2, 3]
    assert exchange.done_with["sent"] == 3


def test_the_pace_is_told(api: Api) -> None:
    api.host.know()
    start = api.clock.now
    done = send(api, count="5", rate="1000").done_with
    times = [at - start for at, frame in api.wire if frame.ip]
    assert times == [number * MILLISECOND_NS for number in range(5)]
    assert (done["seconds"], done["rate"]) == (0.004, 1000)
    assert "rate" not in send(api).done_with
    assert send(api, count="3", interval="0.5").done_with["rate"] == 2


def test_the_pace_of_a_burst_is_that_of_its_end(api: Api) -> None:
    # They wait for ARP, so that they leave when its answer comes.
    done = send(api, count="50", interval="0").done_with
    assert (done["seconds"], done["rate"]) == (api.peer.delay_ns / 1e9, 50_000)


def test_a_little_lost_time_is_made_up_for(api: Api) -> None:
    api.host.know()
    api.start("udp.send", dst=PEER, port="9", count="1000", rate="1000")
    api.clock.advance_to(api.clock.now + 5 * MILLISECOND_NS)
    api.engine.turn(api.clock.now)
    api._flush()
    assert len(api.wire) == 6
    api.clock.advance_to(api.clock.now + SECOND_NS)
    api.engine.turn(api.clock.now)
    api._flush()
    assert len(api.wire) == 6 + 1 + CATCH_UP_NS // MILLISECOND_NS


def test_a_rate_and_an_interval_are_one_too_many(api: Api) -> None:
    for rate in ("0", "1000001", "fast"):
        with pytest.raises(InvalidArgument, match=rate):
            send(api, rate=rate)
    with pytest.raises(InvalidArgument, match="either a rate or an interval"):
        send(api, rate="5", interval="1")


def test_quiet_tells_only_what_goes_wrong(api: Api) -> None:
    exchange = send(api, quiet=True, expect_reply=True)
    assert (exchange.kinds, exchange.done_with["replies"]) == ([], 1)
    api.peer.closed = True
    assert send(api, quiet=True).kinds == ["icmp"]


def test_a_burst_never_overruns_the_neighbors_queue(api: Api) -> None:
    api.peer.silent.add("udp")
    exchange = send(api, count="1000", interval="0")
    assert counted(exchange) == totals(sent=1000)
    assert api.stack.settings["neigh.unres_qlen"] > OUTSTANDING_LIMIT
    assert "neigh-queue-full" not in api.host.reasons()


@pytest.mark.parametrize(
    ("args", "payload"),
    [
        ({"data": ""}, b""),
        ({"data": DATA, "size": "12"}, b"hellohellohe"),
        ({"data": DATA, "size": "3"}, b"hel"),
        ({"data": None, "size": "3"}, b"\0\1\2"),
        ({"data": "", "size": "0"}, b""),
        ({"data": None, "size": "1472"}, (bytes(range(256)) * 6)[:1472]),
    ],
)
def test_the_payload_is_what_was_asked_for(api: Api, args: Row, payload: bytes) -> None:
    api.host.know()
    send(api, **args)
    assert api.wire[0][1].udp[2] == payload


def test_ttl_source_and_device_are_what_was_asked_for(api: Api) -> None:
    api("addr.add", local="10.0.0.3/24", dev="tap0")
    api.host.know()
    send(api, ttl="7", src="10.0.0.3", sport="53", dev="tap0")
    frame = api.wire[0][1]
    assert frame.ip is not None
    assert (frame.ip.ttl, frame.ip.src & 255, frame.udp[0]) == (7, 3, 53)


def test_a_broadcast_is_sent_when_allowed(api: Api) -> None:
    listener = api.host.socket(9)
    exchange = send(api, "10.0.0.255", broadcast=True)
    assert counted(exchange) == totals(sent=1)
    assert api.wire[0][1].dst == b"\xff" * 6
    assert len(listener.queue) == 1


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"size": "65508"}, "message-too-long"),
        ({"size": "1000000000"}, "message-too-long"),
        ({"data": base64.b64encode(bytes(65508)).decode()}, "message-too-long"),
        ({"src": "10.0.0.77"}, "address-not-available"),
        ({"dev": "tap7"}, "no-such-device"),
        ({"sport": "5000"}, "address-in-use"),
    ],
)
def test_what_can_never_be_sent_is_refused_at_once(api: Api, args: Row, code: str) -> None:
    api.host.socket(5000)
    with pytest.raises(SmolctlError) as caught:
        send(api, **args)
    assert caught.value.code == code
    assert len(api.stack.udp) == 1


def test_a_cancelled_send_counts_what_still_waits(api: Api) -> None:
    exchange, job = api.start("udp.send", dst=DEAD, port="9", data=DATA)
    job.cancel(api.clock.now)
    assert counted(exchange) == {**totals(), "waiting": 1}
    api.wait(10 * SECOND_NS)


def test_errors_about_datagrams_of_others_are_not_mixed_in(api: Api) -> None:
    api.host.know()
    api.host.know("10.0.0.3", OTHER_MAC)
    exchange, _ = api.start("udp.send", dst=PEER, port="9", data=DATA, sport="5000", wait="1")
    quoted = udp_frame(5001, 9, b"x", OURS, PEER)[14:]
    api.arrive(unreachable(icmpv4.Unreachable.PORT, quoted))
    api.wait(2 * SECOND_NS)
    assert exchange.done_with["icmp_errors"] == 0
