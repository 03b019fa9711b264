"""Feeds: bounded, oldest lost first, the reader told how many; time is a number."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.control import messages
from smolctl.daemon.connection import Connection
from smolctl.daemon.exchange import HIGH_WATER
from smolctl.daemon.log import Log
from smolctl.ops.feed import MAX_BYTES, MAX_EVENTS, MAX_FEEDS, OVERHEAD, Feed
from smolctl.ops.feed_job import FeedJob
from tests.daemon.test_connection import Wire
from tests.ops.kit import Api, Exchange

SECOND = 1_000_000_000


def read(feed: Feed) -> list[Any]:
    found = []
    while (body := feed.take()) is not None:
        found.append(json.loads(body))
    return found


def test_events_come_out_in_their_order() -> None:
    feed = Feed()
    for number in range(3):
        feed.put({"n": number})
    assert len(feed) == 3
    assert read(feed) == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert not feed


def test_a_full_feed_loses_the_oldest_and_tells_how_many_before_the_next() -> None:
    feed = Feed(events=2)
    for number in range(5):
        feed.put({"n": number})
    assert read(feed) == [{"event": "lost", "count": 3}, {"n": 3}, {"n": 4}]
    feed.put({"n": 5})
    assert read(feed) == [{"n": 5}], "told once"
    assert (feed.taken, feed.lost) == (3, 3)


def test_bytes_are_bounded_too() -> None:
    feed = Feed(size=4 * (OVERHEAD + 100))
    for number in range(10):
        feed.put({"n": number, "data": "x" * 85})
    assert len(feed) == 3 or len(feed) == 4
    assert read(feed)[0] == {"event": "lost", "count": 10 - feed.taken}


def test_an_event_that_never_fits_is_lost_and_told() -> None:
    feed = Feed(size=1000)
    feed.put({"data": "x" * 1000})
    assert feed, "there is something to tell"
    assert len(feed) == 0
    assert read(feed) == [{"event": "lost", "count": 1}]


def test_what_is_made_later_is_made_when_it_is_read_and_never_when_lost() -> None:
    feed = Feed(events=2)
    made = []

    def later(number: int) -> dict[str, int]:
        made.append(number)
        return {"n": number}

    for number in range(4):
        feed.put_later(lambda number=number: later(number), 10)  # type: ignore[misc]
    assert made == []
    assert read(feed) == [{"event": "lost", "count": 2}, {"n": 2}, {"n": 3}]
    assert made == [2, 3]


def test_count_ends_with_what_the_reader_took_not_with_what_was_lost() -> None:
    feed = Feed(events=2, count=2)
    ends: list[int] = []
    feed.on_spent = lambda: ends.append(1)
    for number in range(5):
        feed.put({"n": number})
    assert not ends
    assert read(feed) == [{"event": "lost", "count": 3}, {"n": 3}, {"n": 4}]
    assert ends == [1]
    feed.put({"n": 5})
    assert not feed


def test_the_connection_is_woken_only_when_there_was_nothing_before() -> None:
    feed, woken = Feed(events=2), []
    feed.on_event = lambda: woken.append(len(feed))
    for number in range(5):
        feed.put({"n": number})
    assert woken == [1]
    read(feed)
    feed.put({"n": 5})
    assert woken == [1, 1]


@given(st.lists(st.one_of(st.integers(1, 40), st.none()), max_size=200))
def test_nothing_is_lost_unseen_and_the_bounds_hold(steps: list[int | None]) -> None:
    """``None`` reads one event, a number puts one of that size."""
    feed = Feed(events=5, size=5 * (OVERHEAD + 30))
    expected = put = 0
    seen = []
    for step in [*steps, *[None] * 10]:
        if step is not None:
            feed.put({"n": put, "x": "x" * step})
            put += 1
            assert len(feed) <= 5
        elif (body := feed.take()) is not None:
            event = json.loads(body)
            seen.append(event)
            if event.get("event") == "lost":
                expected += event["count"]
            else:
                assert event["n"] == expected
                expected += 1
    assert expected == put
    assert feed.taken + feed.lost == put


# --- over a connection ----------------------------------------------------------------------------


class Stream:
    """Reports by a feed that the test fills."""

    def __init__(self, exchange: Any) -> None:
        self.exchange, self.feed, self.closed = exchange, Feed(), 0
        exchange.attach(self.feed)

    def cancel(self, now: int) -> None:
        self.exchange.done({})

    def status(self, now: int) -> None:
        pass

    def close(self, now: int) -> None:
        self.closed += 1


class Streams:
    def __init__(self) -> None:
        self.streams: list[Stream] = []

    def prepare(self, op: str) -> bool:
        return False

    def must_wait(self, op: str) -> bool:
        return False

    def request(self, op: str, args: dict[str, Any], exchange: Any, now: int) -> Stream:
        self.streams.append(Stream(exchange))
        return self.streams[-1]


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    log = Log(str(tmp_path / "log"))
    result = Wire(log)
    service = Streams()
    result.connection._service = service
    result.streams = service.streams  # type: ignore[attr-defined]
    result.greet()
    yield result
    result.connection.close(0)
    result.client.close()
    log.close()


def opened(wire: Wire, number: int) -> Stream:
    wire.request(number, "watch")
    found: Stream = wire.streams[-1]  # type: ignore[attr-defined]
    return found


def test_a_reader_that_stalls_costs_its_feed_and_is_told_what_it_lost(wire: Wire) -> None:
    stream = opened(wire, 1)
    wire.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    total = 50_000
    for number in range(total):
        stream.feed.put({"event": "n", "number": number, "data": "x" * 40})
        if number % 50 == 0:
            wire.turn()
    assert not wire.connection.closed, "slow is no reason to be cut off"
    assert len(stream.feed) <= MAX_EVENTS
    assert len(wire.connection._out) < HIGH_WATER + 1000
    stream.exchange.done({"ok": True})
    *events, done = [*wire.drain()]
    assert done == {"id": 1, "done": {"ok": True}}, "the end comes behind what waited"
    expected, told = 0, 0
    for reply in events:
        event = reply["event"]
        if event["event"] == "lost":
            told += event["count"]
            expected += event["count"]
        else:
            assert event["number"] == expected
            expected += 1
    assert expected == total
    assert told == stream.feed.lost > total // 2
    assert not wire.connection.wants_write


def test_a_stalled_connection_is_not_tried_again_for_each_event(wire: Wire) -> None:
    stream = opened(wire, 1)
    while not stream.feed:
        stream.feed.put({"event": "n", "data": "x" * 500})
        wire.turn()
    assert wire.connection.wants_write, "the selector says when it goes on"
    wire.dirty.clear()
    for _ in range(1000):
        stream.feed.put({"event": "n", "data": "x" * 500})
    assert wire.dirty == set()


def test_feeds_of_one_connection_take_turns(wire: Wire) -> None:
    loud, quiet = opened(wire, 1), opened(wire, 2)
    for number in range(5_000):
        loud.feed.put({"event": "n", "number": number, "data": "x" * 100})
    for number in range(3):
        quiet.feed.put({"event": "n", "number": number})
    wire.turn()
    first = [reply["id"] for reply in wire.receive()][:6]
    assert first == [1, 2, 1, 2, 1, 2]


def test_an_event_that_cannot_be_made_ends_its_stream_alone(wire: Wire) -> None:
    broken, sound = opened(wire, 1), opened(wire, 2)

    def bug() -> dict[str, Any]:
        raise RuntimeError("a bug")

    broken.feed.put_later(bug, 10)
    broken.feed.put({"event": "after"})
    sound.feed.put({"event": "fine"})
    wire.turn()
    replies = wire.drain()
    assert {"id": 2, "event": {"event": "fine"}} in replies
    assert {"id": 1, "event": {"event": "after"}} in replies
    (error,) = [reply["error"] for reply in replies if "error" in reply]
    assert error["code"] == "internal"
    assert (broken.closed, sound.closed) == (1, 0)


def test_one_feed_too_many_is_refused(wire: Wire) -> None:
    for number in range(MAX_FEEDS):
        opened(wire, number)
    wire.request(99, "watch")
    (reply,) = wire.receive()
    assert reply["id"] == 99
    assert reply["error"]["code"] == "too-many-requests"
    wire.send(messages.cancel(0))
    assert wire.receive() == [{"id": 0, "done": {}}]
    opened(wire, 100)
    assert wire.receive() == []


def test_hanging_up_with_events_waiting_closes_the_stream(wire: Wire) -> None:
    stream = opened(wire, 1)
    for _ in range(MAX_BYTES // 500):
        stream.feed.put({"event": "n", "data": "x" * 500})
    wire.client.close()
    wire.turn()
    assert wire.connection.closed
    assert stream.closed == 1
    stream.feed.put({"event": "nobody reads it"})
    assert isinstance(wire.connection, Connection)


def test_what_does_not_count_is_read_and_leaves_the_count_alone() -> None:
    feed = Feed(count=1)
    feed.put({"event": "wait"}, counts=False)
    feed.put({"event": "packet"})
    assert (feed.total, len(feed)) == (1, 2)
    assert feed.take() == b'{"event":"wait"}'
    assert (feed.taken, feed.total) == (0, 1)
    assert feed.take() == b'{"event":"packet"}'
    assert feed.spent
    assert (feed.taken, feed.total) == (1, 1)


# --- a job with a feed ----------------------------------------------------------------------------


def begin(job: FeedJob) -> tuple[Api, Exchange]:
    api, exchange = Api(), Exchange()
    api.engine.begin(job, exchange, api.clock.now)
    return api, exchange


def test_a_feed_job_ends_when_the_reader_has_its_count() -> None:
    job = FeedJob(count=2)
    api, exchange = begin(job)
    for number in range(5):
        job.feed.put({"event": "n", "number": number})
    assert len(exchange.events) == 2
    assert not exchange.ended
    api.wait(0)
    assert exchange.done_with == {"events": 2, "lost": 0, "ok": True}


def test_a_feed_job_ends_when_its_time_is_up() -> None:
    job = FeedJob(wait_ns=3 * SECOND)
    api, exchange = begin(job)
    job.feed.put({"event": "n"})
    api.wait(3 * SECOND - 1)
    assert not exchange.ended
    api.wait(1)
    assert exchange.done_with == {"events": 1, "lost": 0, "ok": True}


def test_cancel_spares_the_reader_what_waits() -> None:
    job = FeedJob()
    api, exchange = begin(job)
    exchange.has_room = False
    job.feed.put({"event": "n"})
    job.cancel(api.clock.now)
    exchange.has_room = True
    exchange.read()
    assert exchange.events == []
    assert exchange.done_with == {"events": 0, "lost": 0, "ok": True}
