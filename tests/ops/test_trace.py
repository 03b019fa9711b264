"""``trace``: the steps of every packet, when it begins to wait and when its fate is known."""

from typing import Any

import pytest

from smolctl.errors import InvalidArgument, NoSuchDevice, SendRejected
from smolctl.ops.feed import MAX_EVENTS
from smolctl.stack.config.netem import set_impairment
from smolctl.stack.link.impairment import Netem
from smolctl.stack.trace.trace import Trace
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import DEAD, OURS, PEER, frame_of, ip, packet_of, reply, udp_frame
from tests.ops.kit import WALL_EPOCH, Api, Exchange, Row


@pytest.fixture
def api() -> Api:
    return Api()


def trace(api: Api, **args: Any) -> Exchange:
    exchange, _ = api.start("trace.run", **args)
    return exchange


def brief(exchange: Exchange) -> list[tuple[str, ...]]:
    return [
        (row["event"], row.get("dev", "-"), row["dir"], row["verdict"])
        for row in exchange.events
        if row["event"] in ("packet", "wait")
    ]


def test_a_ping_and_the_arp_that_it_needs(api: Api) -> None:
    exchange = trace(api)
    assert exchange.events[0]["event"] == "start"
    assert [link["ifname"] for link in exchange.events[0]["links"]] == ["lo", "tap0"]
    api.run("ping.run", dst=PEER, count="1")
    assert brief(exchange) == [
        ("wait", "tap0", "out", "waiting, 1 queued - neigh-pending"),
        ("packet", "tap0", "out", "sent by tap0"),
        ("packet", "tap0", "in", "learned from"),
        ("packet", "tap0", "out", "sent by tap0 after 1.0 ms"),
        ("packet", "tap0", "in", "delivered"),
    ]
    wait, asked, _, sent, _ = exchange.events[1:]
    assert wait["id"] == sent["id"] == asked["cause"]["id"]
    assert wait["time"] == sent["time"]
    assert [step["result"] for step in wait["steps"]][-1] == "wait"


def test_the_row_is_the_one_of_why(api: Api) -> None:
    exchange = trace(api)
    api.arrive(udp_frame(), b"\0" * 10)
    api.wait(1)
    api.start("udp.send", dst=DEAD, port="9", data="eA==")
    api.run("udp.send", dst="8.8.8.8", port="9", data="eA==")
    api.wait(10 * SECOND_NS)
    rows = exchange.of("packet")
    assert len({row["id"] for row in rows}) == len(rows) == 10
    for row in rows:
        past = api.one("why.show", id=str(row["id"]))
        assert abs(row.pop("time") - past.pop("time")) < 1e-5
        # What helps is told with it, unless too many come at once.
        if row.get("look") == f"smolctl why {row['id']}":
            row.pop("look"), row.pop("fix")
            past.pop("look", None), past.pop("fix")
        assert row == past


def test_times_are_of_the_wall_clock(api: Api) -> None:
    exchange = trace(api)
    api.wait(SECOND_NS)
    begun = api.clock.now
    api.arrive(udp_frame())
    assert abs(exchange.of("packet")[0]["time"] - WALL_EPOCH - begun / 1e9) < 1e-5


def test_an_answer_says_which_packet_it_is_because_of(api: Api) -> None:
    api.host.know()
    exchange = trace(api)
    api.arrive(udp_frame())
    refused, error = sorted(exchange.of("packet"), key=lambda row: row["id"])
    assert refused["reason"] == "udp-port-closed"
    assert error["cause"] == {"id": refused["id"], "summary": refused["summary"]}


def test_what_was_refused_before_it_was_built_is_shown_and_filtered(api: Api) -> None:
    wanted = trace(api, filter="udp dst port 53 and host 8.8.8.8 and out")
    others = [trace(api, filter=text) for text in ("icmp", "port 54", "in", "dev tap0", "arp")]
    by_dev = trace(api, dev="tap0")
    api.run("udp.send", dst="8.8.8.8", port="53", data="aGk=")
    assert brief(wanted) == [("packet", "-", "out", "not sent - tx-no-route")]
    assert all(brief(other) == [] for other in [*others, by_dev])
    asked = trace(api, filter="icmp and reason tx-no-route")
    with pytest.raises(SendRejected):
        api.run("ping.run", dst="8.8.8.8", count="1")
    assert brief(asked) == [("packet", "-", "out", "not sent - tx-no-route")]


def test_an_arp_request_that_cannot_be_made_is_arp(api: Api) -> None:
    exchange = trace(api, filter="arp and dst host 10.0.0.9")
    api("link.set", dev="tap0", state="down")
    with pytest.raises(SendRejected):
        api.run("arping.run", dst="10.0.0.9", src=OURS, dev="tap0", count="1")
    assert [row["reason"] for row in exchange.of("packet")] == ["tx-iface-down"]


def test_who_waits_without_answer_is_told_twice(api: Api) -> None:
    exchange = trace(api, filter="not arp")
    api.start("udp.send", dst=DEAD, port="9", data="")
    assert brief(exchange) == [("wait", "tap0", "out", "waiting, 1 queued - neigh-pending")]
    api.wait(10 * SECOND_NS)
    assert brief(exchange)[1:] == [("packet", "tap0", "out", "not sent - neigh-failed")]


def test_a_wait_does_not_count(api: Api) -> None:
    exchange = trace(api, filter="not arp", count="1")
    api.run("ping.run", dst=PEER, count="1")
    assert exchange.kinds == ["start", "wait", "packet"]
    assert exchange.done_with == {"events": 1, "lost": 0, "ok": True}


def test_too_few_in_time_is_not_enough(api: Api) -> None:
    exchange = trace(api, filter="not arp", count="1", wait="1")
    api.start("udp.send", dst=DEAD, port="9", data="")
    api.wait(2 * SECOND_NS)
    assert exchange.done_with == {"events": 0, "lost": 0, "ok": False}


def test_the_reason_of_a_wait_finds_the_packet_to_its_end(api: Api) -> None:
    pending = trace(api, filter="reason neigh-pending")
    well = trace(api, filter="not reason any and not arp")
    api.run("ping.run", dst=PEER, count="1")
    assert [row[0] for row in brief(pending)] == ["wait", "packet"]
    assert brief(well) == [("packet", "tap0", "in", "delivered")]


def test_a_link_with_a_delay_makes_a_wait_of_its_own(api: Api) -> None:
    set_impairment(api.stack.shared, api.host.tap, Netem(delay_ns=20 * MILLISECOND_NS))
    api.host.know()
    exchange = trace(api)
    api.stack.udp.send(api.host.socket(7), b"x", ip(PEER), 9, api.clock.now)
    api.wait(SECOND_NS)
    first, second = brief(exchange)[:2]
    assert first[3].endswith("lab-delay")
    assert second == ("packet", "tap0", "out", "sent by tap0 after 20.0 ms - lab-delay")


def test_a_broadcast_and_the_copy_that_we_hear(api: Api) -> None:
    exchange = trace(api)
    api.host.socket(9)
    api.run("udp.send", dst="255.255.255.255", port="9", data="", dev="tap0", broadcast=True)
    rows = {row["dir"]: row for row in exchange.of("packet")}
    assert {key: row["verdict"] for key, row in rows.items()} == {
        "out": "sent by tap0",
        "local": "delivered to 0.0.0.0:9 (test)",
    }
    assert rows["local"]["cause"]["summary"] == rows["local"]["summary"]


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ({"dev": "tap9"}, NoSuchDevice, 'there is no interface "tap9" (there are: lo, tap0)'),
        ({"filter": "udp prot 7"}, InvalidArgument, 'filter: "prot" is not a word of a filter'),
        ({"count": "0"}, InvalidArgument, 'count "0" is not a whole number of 1..'),
    ],
)
def test_refusals(api: Api, args: Row, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        trace(api, **args)
    assert str(caught.value).startswith(message)
    assert not api.stack.journal.everything


def test_the_fast_path_is_back_when_the_last_reader_has_left(api: Api) -> None:
    api.host.know()
    socket = api.host.socket(7)

    def flows() -> int:
        api.arrive(udp_frame())
        api.stack.udp.send(socket, b"x", ip(PEER), 9, api.clock.now)
        rows = api("stats.show", all=True)
        return sum(row["value"] for row in rows if row["name"] == "flows_known")

    assert flows() == 2
    _, one = api.start("trace.run")
    _, two = api.start("capture.run")
    assert flows() == 0
    one.close(api.clock.now)
    assert flows() == 0
    two.cancel(api.clock.now)
    assert flows() == 2


def test_what_was_traced_before_the_end_is_still_read(api: Api) -> None:
    exchange, job = api.start("trace.run", filter="in")
    exchange.has_room = False
    api.arrive(udp_frame())
    job.cancel(api.clock.now)
    exchange.has_room = True
    exchange.read()
    assert brief(exchange) == [("packet", "tap0", "in", "refused - udp-port-closed")]
    assert exchange.done_with == {"events": 1, "lost": 0, "ok": True}


def test_what_comes_to_light_before_it_is_read_is_told(api: Api) -> None:
    exchange, _ = api.start("trace.run", filter="out and udp")
    exchange.has_room = False
    api.peer.closed = True
    api.host.know()
    api.run("udp.send", dst=PEER, port="9", data="eA==", expect_reply=True)
    exchange.has_room = True
    exchange.read()
    (row,) = exchange.of("packet")
    assert row["verdict"] == "sent, but it failed - icmp-port-unreachable"


def test_a_slow_reader_loses_the_oldest_and_is_told_where(api: Api) -> None:
    exchange = trace(api, filter="in")
    exchange.has_room = False
    for number in range(MAX_EVENTS):
        api.host.receive(frame_of(packet_of(17, number.to_bytes(8), PEER, OURS)))
    feed = exchange.feed
    assert 300 < len(feed) < MAX_EVENTS, "its bytes are bounded"
    exchange.has_room = True
    exchange.read()
    (lost,) = exchange.of("lost")
    assert exchange.events[1]["event"] == "lost"
    packets = exchange.of("packet")
    assert lost["count"] + len(packets) == MAX_EVENTS
    assert packets[0]["id"] == lost["count"] + 1


def test_one_that_began_before_the_trace_is_told_when_it_ends(api: Api) -> None:
    heard: list[Trace] = []
    api.stack.udp.send(api.host.socket(7), b"x", ip(DEAD), 9, api.clock.now)
    exchange = trace(api, filter="udp")
    api.stack.watch(heard.append, everything=False)
    api.arrive(reply(DEAD))
    assert brief(exchange) == [("packet", "tap0", "out", "sent by tap0")]
