"""``ping``, as iputils counts and waits."""

from typing import Any

import pytest

from smolctl.errors import InvalidArgument, SmolctlError
from smolctl.stack.config.link import delete_interface, set_up
from smolctl.wire import icmpv4
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import (
    DEAD,
    OTHER_MAC,
    OURS,
    PEER,
    PEER_MAC,
    frame_of,
    icmp_frame,
    ip,
    packet_of,
    request,
    unreachable,
)
from tests.ops.kit import Api, Exchange, Row


@pytest.fixture
def api() -> Api:
    api = Api()
    api.host.know()
    return api


def ping(api: Api, dst: str = PEER, seconds: float = 600, **args: Any) -> Exchange:
    return api.run("ping.run", seconds, dst=dst, **args)


def requests(api: Api) -> list[tuple[int, icmpv4.IcmpMessage]]:
    """Return when which echo requests left."""
    sent = [(at, frame.icmp) for at, frame in api.wire if frame.ip]
    return [(at, message) for at, message in sent if message.type == icmpv4.Type.ECHO_REQUEST]


def numbers(result: Row) -> tuple[int, ...]:
    keys = ("transmitted", "received", "errors", "duplicates", "time_ms")
    return tuple(result[key] for key in keys)


# --- replies --------------------------------------------------------------------------------------


def test_a_reply_is_shown_with_its_round_trip_time(api: Api) -> None:
    exchange = ping(api, count="1")
    assert exchange.events == [
        {"event": "start", "dst": PEER, "src": OURS, "size": 56},
        {"event": "reply", "seq": 1, "ttl": 64, "bytes": 64, "from": PEER, "rtt_ns": 1_000_000},
    ]
    assert exchange.done_with == {
        "transmitted": 1,
        "received": 1,
        "errors": 0,
        "duplicates": 0,
        "time_ms": 0,
        "ok": True,
        "rtt_ns": {"min": 1_000_000, "avg": 1_000_000, "max": 1_000_000, "mdev": 0},
    }


def test_requests_are_an_interval_apart_and_numbered_from_one(api: Api) -> None:
    start = api.clock.now
    exchange = ping(api, count="3", interval="0.2")
    sent = requests(api)
    assert [at - start for at, _ in sent] == [0, 200 * MILLISECOND_NS, 400 * MILLISECOND_NS]
    assert [message.sequence for _, message in sent] == [1, 2, 3]
    assert len({message.ident for _, message in sent}) == 1
    assert numbers(exchange.done_with) == (3, 3, 0, 0, 400)
    assert api.clock.now - start == 401 * MILLISECOND_NS


def test_the_statistics_are_those_of_the_round_trips(api: Api) -> None:
    exchange, _ = api.start("ping.run", dst=PEER, count="3")
    for delay_ms in (3, 8, 8):  # of the second request on; the first one took 1 ms
        api.peer.delay_ns = delay_ms * MILLISECOND_NS
        api.wait(SECOND_NS)
    assert exchange.done_with["rtt_ns"] == {
        "min": 1_000_000,
        "avg": 4_000_000,
        "max": 8_000_000,
        "mdev": 2_943_920,
    }


def test_one_pings_itself_over_lo() -> None:
    api = Api()
    for dst in ("127.0.0.1", "127.0.0.2", OURS):
        assert ping(api, dst, count="2").done_with["received"] == 2
    assert api.wire == []


def test_timestamps_are_collected_there_and_back() -> None:
    api = Api()
    kinds = {"tsonly": [{"ms"}] * 4, "tsandaddr": [{"address", "ms"}] * 4}
    for kind, keys in kinds.items():
        (reply,) = ping(api, dst="127.0.0.1", count="1", stamp=kind).of("reply")
        assert [row.keys() for row in reply["timestamps"]] == keys
        assert "unrecorded" not in reply
    (reply,) = ping(
        api, dst="127.0.0.1", count="1", stamp="tsprespec", hosts="127.0.0.1,10.0.0.9"
    ).of("reply")
    assert [row["address"] for row in reply["timestamps"]] == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ({"stamp": "both"}, "tsonly"),
        ({"stamp": "tsonly", "record": True}, "only one of -T and -R"),
        ({"stamp": "tsonly", "hosts": "10.0.0.1"}, "takes one host"),
        ({"hosts": "10.0.0.1"}, "takes one host"),
        ({"stamp": "tsprespec"}, "1 to 4 hosts"),
        ({"stamp": "tsprespec", "hosts": ",".join(["10.0.0.1"] * 5)}, "not 5"),
    ],
)
def test_timestamps_that_cannot_be_asked_for(args: dict[str, Any], shown: str) -> None:
    api = Api()
    with pytest.raises(InvalidArgument, match=shown):
        api.start("ping.run", dst=PEER, **args)
    assert api.wire == []


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_duplicates_are_shown_and_counted_apart(api: Api, copies: int) -> None:
    api.peer.copies = copies
    exchange = ping(api, count="3")
    shown = [(event["seq"], event.get("dup", False)) for event in exchange.of("reply")]
    assert shown == [(seq, copy > 0) for seq in (1, 2, 3) for copy in range(copies)]
    assert numbers(exchange.done_with)[:4] == (3, 3, 0, 3 * (copies - 1))


def test_what_was_never_asked_is_not_a_reply(api: Api) -> None:
    api.peer.silent.add("ping")
    exchange, _ = api.start("ping.run", dst=PEER, count="1")
    ident = requests(api)[0][1].ident
    api.arrive(icmp_frame(icmpv4.Type.ECHO_REPLY, 0, ident << 16 | 99))
    assert exchange.of("reply") == []


def test_everybody_may_be_asked_when_that_is_wanted(api: Api) -> None:
    exchange = api.start("ping.run", dst="10.0.0.255", count="1", broadcast=True)[0]
    ((_, asked),) = requests(api)
    for src in (PEER, "10.0.0.3"):
        api.arrive(icmp_frame(icmpv4.Type.ECHO_REPLY, 0, asked.rest, asked.body, src))
    (start,) = exchange.of("start")
    assert start["broadcast"]
    assert [event["from"] for event in exchange.of("reply")][:1] == [PEER]


def test_two_pings_do_not_take_each_others_replies(api: Api) -> None:
    first, _ = api.start("ping.run", dst=PEER, count="2")
    second, _ = api.start("ping.run", dst=PEER, count="3")
    api.wait(5 * SECOND_NS)
    assert (len(first.of("reply")), len(second.of("reply"))) == (2, 3)


# --- options of iputils ---------------------------------------------------------------------------


def test_preload_sends_so_many_at_once(api: Api) -> None:
    exchange = ping(api, count="4", preload="3", interval="1")
    first, *rest = [at for at, _ in requests(api)]
    assert [at - first for at in rest] == [0, 0, SECOND_NS]
    assert exchange.done_with["received"] == 4


def test_preload_sends_no_more_than_count(api: Api) -> None:
    assert ping(api, count="2", preload="5").done_with["transmitted"] == 2


@pytest.mark.parametrize(
    ("pattern", "size", "data"),
    [("ff", "3", "ffffff"), ("abc", "5", "ab0cab0cab"), ("0102", "0", ""), ("A5", "2", "a5a5")],
)
def test_the_data_is_the_pattern_again_and_again(
    api: Api, pattern: str, size: str, data: str
) -> None:
    ping(api, count="1", pattern=pattern, size=size)
    assert requests(api)[0][1].body.hex() == data


@pytest.mark.parametrize("pattern", ["", "xy", "0x1", "-1", "f" * 33])
def test_a_pattern_is_of_hex_digits(api: Api, pattern: str) -> None:
    with pytest.raises(InvalidArgument, match="is not 1 to 32 hex digits"):
        ping(api, count="1", pattern=pattern)


def test_a_request_without_an_answer_is_told_when_the_next_is_sent(api: Api) -> None:
    api.peer.silent.add("ping")
    exchange = ping(api, count="3", outstanding=True)
    assert [event["seq"] for event in exchange.of("outstanding")] == [1, 2]


def test_each_request_that_was_sent_is_told_before_its_reply(api: Api) -> None:
    exchange = ping(api, count="2", tell_sent=True)
    told = [(event["event"], event.get("seq")) for event in exchange.events[1:]]
    assert told == [("sent", 1), ("reply", 1), ("sent", 2), ("reply", 2)]


def test_a_request_that_cannot_be_sent_is_not_told_to_be(api: Api) -> None:
    exchange = ping(api, count="1", size="1473", pmtudisc="do", tell_sent=True)
    assert [event["event"] for event in exchange.events] == ["start", "error"]


def test_a_ping_that_goes_on_tells_how_far_it_is(api: Api) -> None:
    exchange, job = api.start("ping.run", dst=PEER)
    api.wait(1_500 * MILLISECOND_NS)
    job.status(api.clock.now)
    times = dict.fromkeys(("min", "avg", "max", "ewma"), MILLISECOND_NS)
    told = {"transmitted": 2, "received": 2, "rtt_ns": times}
    assert exchange.of("status") == [told]
    api.peer.silent.add("ping")
    api.wait(SECOND_NS)
    job.status(api.clock.now)
    assert exchange.of("status")[1] == {**told, "transmitted": 3}
    assert not exchange.ended


def test_a_ping_without_a_reply_has_no_times_to_tell(api: Api) -> None:
    api.peer.silent.add("ping")
    exchange, job = api.start("ping.run", dst=PEER)
    job.status(api.clock.now)
    assert exchange.of("status") == [{"transmitted": 1, "received": 0}]


def test_no_request_is_told_that_has_its_answer(api: Api) -> None:
    assert ping(api, count="3", outstanding=True).of("outstanding") == []


@pytest.mark.parametrize(("rtt_ms", "apart_ms"), [(1, 20), (50, 50)])
def test_an_adaptive_interval_is_the_round_trip_time_but_not_too_short(
    api: Api, rtt_ms: int, apart_ms: int
) -> None:
    api.peer.delay_ns = rtt_ms * MILLISECOND_NS
    ping(api, count="3", adaptive="0.02")
    first, second, third = (at for at, _ in requests(api))
    assert (second - first, third - second) == (apart_ms * MILLISECOND_NS,) * 2


# --- how long it waits ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "seconds"),
    [({}, 10), ({"timeout": "2.5"}, 2.5), ({"deadline": "0"}, 10), ({"count": "3"}, 12)],
)
def test_without_any_reply_it_waits_ten_seconds_or_the_timeout(
    api: Api, args: Row, seconds: float
) -> None:
    api.peer.silent.add("ping")
    start = api.clock.now
    exchange = ping(api, **{"count": "1", **args})
    assert api.clock.now - start == seconds * SECOND_NS
    assert not exchange.done_with["ok"]
    assert "rtt_ns" not in exchange.done_with


def test_a_timeout_of_0_is_none(api: Api) -> None:
    api.peer.silent.add("ping")
    exchange, job = api.start("ping.run", dst=PEER, count="1", timeout="0")
    api.wait(3600 * SECOND_NS, until=lambda: exchange.ended)
    assert not exchange.ended
    job.cancel(api.clock.now)
    assert exchange.done_with["transmitted"] == 1


@pytest.mark.parametrize(
    ("interval", "rtt_ms", "waits_ms"), [("1", 1, 1000), ("0.1", 1, 100), ("0.3", 200, 400)]
)
def test_with_replies_it_waits_twice_the_longest_or_an_interval(
    api: Api, interval: str, rtt_ms: int, waits_ms: int
) -> None:
    api.peer.delay_ns = rtt_ms * MILLISECOND_NS
    exchange, _ = api.start("ping.run", dst=PEER, count="2", interval=interval)
    api.wait(int(float(interval) * 1e9) - 1)
    api.peer.silent.add("ping")
    api.wait(60 * SECOND_NS, until=lambda: exchange.ended)
    last = requests(api)[-1][0]
    assert api.clock.now - last == waits_ms * MILLISECOND_NS
    assert exchange.done_with["received"] == 1


def test_with_a_deadline_it_goes_on_until_count_replies_came(api: Api) -> None:
    api.peer.silent.add("ping")
    exchange, _ = api.start("ping.run", dst=PEER, count="2", deadline="5.5")
    api.wait(2 * SECOND_NS + 1)
    api.peer.silent.clear()
    api.wait(60 * SECOND_NS, until=lambda: exchange.ended)
    assert numbers(exchange.done_with) == (5, 2, 0, 0, 4000)
    assert exchange.done_with["ok"]


def test_a_deadline_with_fewer_replies_than_count_is_no_success(api: Api) -> None:
    start = api.clock.now
    exchange = ping(api, count="2", deadline="1")
    assert api.clock.now - start == SECOND_NS
    assert numbers(exchange.done_with)[:2] == (1, 1)
    assert not exchange.done_with["ok"]


def test_without_a_count_the_deadline_ends_it(api: Api) -> None:
    exchange = ping(api, deadline="2.5")
    assert numbers(exchange.done_with) == (3, 3, 0, 0, 2000)
    assert exchange.done_with["ok"]


def test_cancelling_gives_the_summary(api: Api) -> None:
    exchange, job = api.start("ping.run", dst=PEER)
    api.wait(3500 * MILLISECOND_NS)
    job.cancel(api.clock.now)
    assert numbers(exchange.done_with) == (4, 4, 0, 0, 3000)


# --- errors ---------------------------------------------------------------------------------------


def test_a_dead_host_is_an_error_from_ourselves_after_three_seconds(api: Api) -> None:
    start = api.clock.now
    exchange = ping(api, DEAD, count="1")
    assert api.clock.now - start == 3 * SECOND_NS
    assert exchange.kinds == ["start", "waiting", "error"]
    assert exchange.of("error") == [
        {
            "seq": 1,
            "from": OURS,
            "message": "Destination Host Unreachable",
            "reason": "neigh-failed",
        }
    ]
    result = exchange.done_with
    assert numbers(result) == (1, 0, 1, 0, 0)
    assert (result["ok"], result["reason"]) == (False, "neigh-failed")
    assert "10.0.0.9" in result["message"]


def test_waiting_is_said_once_and_after_a_tenth_of_a_second(api: Api) -> None:
    exchange, _ = api.start("ping.run", dst=DEAD, count="2")
    api.wait(100 * MILLISECOND_NS - 1)
    assert exchange.kinds == ["start"]
    api.wait(1)
    api.wait(0)
    assert exchange.of("waiting") == [
        {"reason": "neigh-pending", "text": "waiting for ARP of 10.0.0.9 on tap0, 1 queued"}
    ]
    api.wait(60 * SECOND_NS)
    assert len(exchange.of("waiting")) == 1


def test_each_request_to_a_dead_host_is_an_error(api: Api) -> None:
    exchange = ping(api, DEAD, count="3")
    assert [event["seq"] for event in exchange.of("error")] == [1, 2, 3]
    assert numbers(exchange.done_with) == (3, 0, 3, 0, 2000)


def test_with_a_short_timeout_only_the_reason_tells_of_arp(api: Api) -> None:
    exchange = ping(api, DEAD, count="1", timeout="1")
    assert exchange.kinds == ["start", "waiting"]
    result = exchange.done_with
    assert numbers(result) == (1, 0, 0, 0, 0)
    assert result["reason"] == "neigh-pending"


def test_with_a_deadline_the_first_error_ends_it(api: Api) -> None:
    start = api.clock.now
    exchange = ping(api, DEAD, count="9", deadline="60")
    assert api.clock.now - start == 3 * SECOND_NS
    assert not exchange.done_with["ok"]


TEXTS = [
    (3, 0, "Destination Net Unreachable"),
    (3, 1, "Destination Host Unreachable"),
    (3, 2, "Destination Protocol Unreachable"),
    (3, 3, "Destination Port Unreachable"),
    (3, 4, "Frag needed and DF set (mtu = 0)"),
    (3, 5, "Source Route Failed"),
    (3, 6, "Destination Net Unknown"),
    (3, 7, "Destination Host Unknown"),
    (3, 8, "Source Host Isolated"),
    (3, 9, "Destination Net Prohibited"),
    (3, 10, "Destination Host Prohibited"),
    (3, 11, "Destination Net Unreachable for Type of Service"),
    (3, 12, "Destination Host Unreachable for Type of Service"),
    (3, 13, "Packet filtered"),
    (3, 14, "Precedence Violation"),
    (3, 15, "Precedence Cutoff"),
    (3, 16, "Dest Unreachable, Bad Code: 16"),
    (11, 0, "Time to live exceeded"),
    (11, 1, "Frag reassembly time exceeded"),
    (11, 2, "Time exceeded, Bad Code: 2"),
    (12, 0, "Parameter problem: pointer = 0"),
]


@pytest.mark.parametrize(("kind", "code", "message"), TEXTS)
def test_an_icmp_error_has_the_text_of_iputils(
    api: Api, kind: int, code: int, message: str
) -> None:
    api.peer.silent.add("ping")
    exchange, _ = api.start("ping.run", dst=PEER, count="1")
    asked = requests(api)[0][1]
    api.arrive(icmp_frame(kind, code, 0, packet_of(1, asked.to_bytes(), OURS, PEER), "10.0.0.3"))
    (event,) = exchange.of("error")
    assert (event["from"], event["message"], event["seq"]) == ("10.0.0.3", message, 1)
    assert numbers(exchange.done_with) == (1, 0, 1, 0, 0)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "Redirect Network"),
        (1, "Redirect Host"),
        (2, "Redirect Type of Service and Network"),
        (3, "Redirect Type of Service and Host"),
    ],
)
@pytest.mark.parametrize("believed", [0, 1])
def test_a_redirect_is_shown_as_by_iputils_whether_it_is_believed_or_not(
    api: Api, code: int, words: str, believed: int
) -> None:
    far = "192.0.2.7"
    api("route.add", dst="default", via=PEER)
    api.host.set("ip.accept_redirects", believed)
    exchange, _ = api.start("ping.run", dst=far, count="1")
    (_, asked) = requests(api)[0]
    quoted = packet_of(1, asked.to_bytes(), OURS, far)
    reply = icmpv4.IcmpMessage(0, 0, asked.rest, asked.body).to_bytes()
    answer = frame_of(packet_of(1, reply, far, OURS))
    api.arrive(icmp_frame(5, code, ip("10.0.0.3"), quoted, PEER), answer)
    (event,) = exchange.of("redirect")
    assert event["message"] == f"{words}(New nexthop: 10.0.0.3)"
    assert (event["from"], event["seq"], event["gateway"]) == (PEER, 1, "10.0.0.3")
    assert event["reason"] == ("icmp-redirected" if believed else "icmp-redirect-ignored")
    assert numbers(exchange.done_with) == (1, 1, 0, 0, 0)


def test_an_error_about_somebody_elses_ping_is_not_shown(api: Api) -> None:
    api.peer.silent.add("ping")
    exchange, _ = api.start("ping.run", dst=PEER, count="1")
    asked = requests(api)[0][1]
    other = icmpv4.IcmpMessage(8, 0, (asked.ident ^ 1) << 16 | 1, b"")
    api.arrive(unreachable(1, packet_of(1, other.to_bytes(), OURS, PEER)))
    assert exchange.of("error") == []


def test_a_link_that_goes_down_meanwhile_is_an_error_of_each_request(api: Api) -> None:
    exchange, _ = api.start("ping.run", dst=PEER, count="3", dev="tap0")
    api.wait(500 * MILLISECOND_NS)
    set_up(api.stack.shared, api.host.tap, False, api.clock.now)
    api.wait(20 * SECOND_NS)
    assert [event["reason"] for event in exchange.of("error")] == ["tx-iface-down"] * 2
    assert numbers(exchange.done_with) == (3, 1, 2, 0, 2000)


def test_a_link_that_is_deleted_meanwhile_is_an_error_of_each_request(api: Api) -> None:
    exchange, _ = api.start("ping.run", dst=PEER, count="2", dev="tap0")
    api.wait(500 * MILLISECOND_NS)
    delete_interface(api.stack.shared, api.host.tap, api.clock.now)
    api.wait(20 * SECOND_NS)
    assert [event["reason"] for event in exchange.of("error")] == ["tx-no-device"]


# --- what is sent, and what is refused ------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 56, 1472])
def test_the_data_has_the_size_that_was_asked_for(api: Api, size: int) -> None:
    exchange = ping(api, count="1", size=str(size), ttl="5")
    frame = next(frame for _, frame in api.wire if frame.ip)
    assert frame.ip is not None
    assert (len(frame.icmp.body), frame.ip.ttl) == (size, 5)
    assert exchange.of("reply")[0]["bytes"] == size + 8


def test_it_asks_from_the_address_that_was_asked_for(api: Api) -> None:
    api("addr.add", local="10.0.0.3/24", dev="tap0")
    exchange = ping(api, count="1", src="10.0.0.3")
    assert exchange.of("start")[0]["src"] == "10.0.0.3"
    assert exchange.done_with["received"] == 1


@pytest.mark.parametrize(
    ("dst", "args", "code"),
    [
        ("8.8.8.8", {}, "tx-no-route"),
        ("10.0.0.255", {}, "tx-broadcast-denied"),
        ("0.0.0.0", {}, "tx-dst-invalid"),
        (PEER, {"src": "10.0.0.77"}, "tx-src-not-ours"),
        (PEER, {"src": "127.0.0.1"}, "tx-loopback-source"),
        (PEER, {"dev": "tap7"}, "no-such-device"),
        (PEER, {"count": "0"}, "invalid-argument"),
        (PEER, {"size": "65508"}, "invalid-argument"),
        (PEER, {"ttl": "256"}, "invalid-argument"),
        (PEER, {"interval": "-1"}, "invalid-argument"),
    ],
)
def test_what_can_never_work_is_refused_at_once(api: Api, dst: str, args: Row, code: str) -> None:
    with pytest.raises(SmolctlError) as caught:
        api.start("ping.run", dst=dst, **args)
    assert caught.value.code == code
    assert not api.stack.ping
    assert api.host.tap.outbox == []


def test_requests_that_are_too_long_are_errors_and_do_not_end_it(api: Api) -> None:
    exchange = ping(api, count="2", size="1473", pmtudisc="do")
    assert [error["message"] for error in exchange.of("error")] == [
        "message too long, mtu=1500",
        "message too long, mtu=1500",
    ]
    done = exchange.done_with
    assert (done["transmitted"], done["received"], done["errors"], done["ok"]) == (2, 0, 2, False)
    assert done["reason"] == "tx-too-big"


def test_the_first_ping_of_an_unknown_host_waits_for_arp() -> None:
    api = Api()
    api.peer.delay_ns = 5 * MILLISECOND_NS
    exchange = ping(api, count="1")
    assert exchange.of("reply")[0]["rtt_ns"] == 10 * MILLISECOND_NS


# --- a next hop whose MAC goes back and forth -----------------------------------------------------


def war(api: Api, count: int) -> Exchange:
    """Ping while two hosts announce the peer's address in turn."""
    exchange, _ = api.start("ping.run", dst=PEER, count=str(count), timeout="0.5")
    for number in range(2 * count):
        api.wait(SECOND_NS // 2)
        mac = PEER_MAC if number // 2 % 2 else OTHER_MAC
        api.arrive(request(PEER, PEER, mac=mac))
    api.wait(10 * SECOND_NS, until=lambda: exchange.ended)
    return exchange


def test_pings_that_are_lost_because_of_two_hosts_say_so(api: Api) -> None:
    done = war(api, 6).done_with
    assert 0 < done["received"] < done["transmitted"] == 6
    assert done["ok"] is True
    assert done["reason"] == "arp-flapping"
    assert "moved from" in done["message"]
    assert done["hint"] == f"do two hosts have {PEER}? smolctl arping -c 3 -I tap0 {PEER}"


def test_pings_that_are_all_answered_have_nothing_to_say(api: Api) -> None:
    done = api.run("ping.run", dst=PEER, count="2").done_with
    assert "reason" not in done


def test_pings_of_which_none_is_answered_blame_the_war_before_silence(api: Api) -> None:
    api.peer.silent.add("ping")
    done = war(api, 3).done_with
    assert (done["received"], done["reason"]) == (0, "arp-flapping")
