"""One connection over a real socket pair, answered by a small real service; time is a number."""

import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smolctl.control import messages
from smolctl.control.codec import MAX_REPLY, Decoder, encode, frame
from smolctl.daemon import connection as module
from smolctl.daemon.connection import Connection
from smolctl.daemon.exchange import HIGH_WATER, Exchange, Running
from smolctl.daemon.log import Log
from smolctl.daemon.poller import Poller
from smolctl.daemon.resources import Resources
from smolctl.errors import NotFound

SECOND = 1_000_000_000


class Watch:
    """A streaming request that the test drives."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.closed = 0

    def cancel(self, now: int) -> None:
        self.exchange.event({"event": "last", "now": now})
        self.exchange.done({"ok": True})

    def status(self, now: int) -> None:
        self.exchange.event({"event": "status", "now": now})

    def close(self, now: int) -> None:
        self.closed += 1


class Service:
    def __init__(self) -> None:
        self.watches: list[Watch] = []
        self.pulled = 0
        self.waiting: set[str] = set()

    def prepare(self, op: str) -> bool:
        return False

    def must_wait(self, op: str) -> bool:
        return op in self.waiting

    def request(
        self, op: str, args: dict[str, Any], exchange: Exchange, now: int
    ) -> Iterable[dict[str, Any]] | Running:
        if op == "rows":
            return self._rows(args["count"])
        if op == "watch":
            self.watches.append(Watch(exchange))
            return self.watches[-1]
        if op == "ends-at-once":
            exchange.done({"ok": False})
            self.watches.append(Watch(exchange))
            return self.watches[-1]
        if op == "refuse":
            raise NotFound("it is not there", hint="look elsewhere")
        if op == "half":
            return self._half()
        raise RuntimeError("a bug")

    def _rows(self, count: int) -> Iterator[dict[str, Any]]:
        for number in range(count):
            self.pulled += 1
            yield {"number": number, "text": "x" * 100}

    def _half(self) -> Iterator[dict[str, Any]]:
        yield {"number": 0}
        raise RuntimeError("a bug in the middle")


class Wire:
    """The client's end of a connection, and the loop that serves the other."""

    def __init__(self, log: Log) -> None:
        self.client, server = socket.socketpair()
        self.client.setblocking(False)
        self.service = Service()
        self.dirty: set[Connection] = set()
        self.ended: list[Connection] = []
        self.poller = Poller()
        self.resources = Resources("lab", log, self.poller)
        self.connection = Connection(
            server, self.service, self.resources, "lab", self.dirty, self.ended.append, 0
        )
        self.decoder = Decoder(MAX_REPLY)

    def send(self, data: bytes) -> None:
        self.client.sendall(data)
        self.turn()

    def greet(self) -> None:
        self.send(messages.hello("test"))
        assert self.receive()[0]["hello"] == messages.PROTOCOL

    def request(self, number: int, op: str, **args: Any) -> None:
        self.send(messages.request(number, op, args))

    def turn(self, now: int = 0) -> None:
        """One turn of the server's loop, which looks only at what the connection asks for."""
        if self.connection.closed:
            return
        if self.connection.wants_read:
            self.connection.readable(now)
        if self.connection.wants_write:
            self.connection.proceed(now)
        if self.connection in self.dirty:
            self.dirty.clear()
            self.connection.flush(now)

    def receive(self) -> list[dict[str, Any]]:
        """Return what there is to read now, without letting the server go on."""
        found = []
        while True:
            try:
                data = self.client.recv(1 << 20)
            except BlockingIOError:
                break
            if not data:
                found.append({"end": True})
                break
            self.decoder.feed(data)
        while (message := self.decoder.next()) is not None:
            found.insert(len(found) - (found[-1:] == [{"end": True}]), message)
        return found

    def drain(self) -> list[dict[str, Any]]:
        """Read and let the server go on until nothing more comes."""
        found: list[dict[str, Any]] = []
        idle = 0
        while idle < 2:
            part = self.receive()
            found += part
            if {"end": True} in part:
                break
            # Half a frame is progress too, but looks like none.
            idle = 0 if part else idle + 1
            self.turn()
        return found


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    log = Log(str(tmp_path / "log"))
    result = Wire(log)
    yield result
    result.connection.close(0)
    result.client.close()
    result.resources.close()
    result.poller.close()
    log.close()


def test_hello_and_request_may_come_together(wire: Wire) -> None:
    wire.send(messages.hello("test") + messages.request(1, "rows", {"count": 2}))
    welcome, answer = wire.receive()
    assert welcome["stack"] == "lab"
    assert [row["number"] for row in answer["rows"]] == [0, 1]
    assert answer["done"] == {}


def test_a_request_in_single_bytes(wire: Wire) -> None:
    wire.greet()
    for byte in messages.request(1, "rows", {"count": 1}):
        wire.send(bytes([byte]))
    assert wire.receive()[0]["id"] == 1


def test_a_refusal_concerns_one_request(wire: Wire) -> None:
    wire.greet()
    wire.request(1, "refuse")
    assert wire.receive() == [
        {
            "id": 1,
            "error": {
                "code": "not-found",
                "message": "it is not there",
                "hint": "look elsewhere",
                "errno": "ESRCH",
            },
        }
    ]
    wire.request(2, "rows", count=0)
    assert wire.receive() == [{"id": 2, "rows": [], "done": {}}]


@pytest.mark.parametrize("op", ["bug", "half"])
def test_a_bug_is_answered_and_logged(wire: Wire, op: str, tmp_path: Path) -> None:
    wire.greet()
    wire.request(1, op)
    (answer,) = wire.receive()
    assert answer["error"]["code"] == "internal"
    assert "RuntimeError: a bug" in answer["error"]["message"]
    assert "Traceback" in (tmp_path / "log").read_text()
    wire.request(2, "rows", count=0)
    assert wire.receive()[0]["id"] == 2


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "message-too-large"),
        (frame(b"nonsense"), "control-protocol"),
        (frame(b"[]"), "control-protocol"),
        (encode({"hello": 99}), "version-mismatch"),
        (encode({"id": 1, "op": "rows"}), "control-protocol"),
        (messages.hello("t") + encode({"op": "rows"}), "control-protocol"),
        (
            messages.hello("t") + 2 * messages.request(1, "watch", {}),
            "control-protocol",
        ),
    ],
)
def test_what_is_not_the_protocol_ends_this_connection(wire: Wire, data: bytes, code: str) -> None:
    wire.send(data)
    found = wire.receive()
    assert found[-2]["error"]["code"] == code
    assert "id" not in found[-2]
    assert found[-1] == {"end": True}
    assert wire.ended == [wire.connection]
    assert all(watch.closed == 1 for watch in wire.service.watches)


def test_a_client_that_says_nothing_is_not_waited_for(wire: Wire) -> None:
    assert wire.connection.deadline_ns == 10 * SECOND
    wire.connection.expire(10 * SECOND - 1)
    assert not wire.connection.closed
    wire.connection.expire(10 * SECOND)
    assert wire.connection.closed


def test_a_client_that_said_hello_may_be_silent(wire: Wire) -> None:
    wire.greet()
    assert wire.connection.deadline_ns is None


def test_rows_are_pulled_only_while_the_client_reads(wire: Wire) -> None:
    wire.greet()
    wire.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.request(1, "rows", count=100_000)
    for _ in range(50):
        wire.turn()
    assert wire.service.pulled < 20_000
    numbers = [row["number"] for reply in wire.drain() for row in reply["rows"]]
    assert numbers == list(range(100_000))


def test_requests_behind_a_long_answer_wait_and_keep_their_order(wire: Wire) -> None:
    wire.greet()
    for number in range(1, 6):
        wire.request(number, "rows", count=5_000)
    assert not wire.connection.wants_read
    done = [reply["id"] for reply in wire.drain() if "done" in reply]
    assert done == [1, 2, 3, 4, 5]


def test_one_turn_takes_a_bounded_number_of_requests(wire: Wire) -> None:
    wire.greet()
    many = b"".join(messages.request(n, "rows", {"count": 0}) for n in range(200))
    wire.client.sendall(many)
    wire.connection.readable(0)
    wire.connection.flush(0)
    assert len(wire.receive()) == module.MAX_A_TURN
    assert wire.connection.wants_write
    for _ in range(10):
        wire.turn()
    assert len(wire.receive()) == 200 - module.MAX_A_TURN


def test_events_then_done(wire: Wire) -> None:
    wire.greet()
    wire.request(1, "watch")
    (watch,) = wire.service.watches
    watch.exchange.event({"event": "a"})
    watch.exchange.done({"ok": True})
    watch.exchange.event({"event": "too late"})
    watch.exchange.done({"ok": False})
    wire.turn()
    assert wire.receive() == [{"id": 1, "event": {"event": "a"}}, {"id": 1, "done": {"ok": True}}]


def test_a_request_that_ends_while_it_begins(wire: Wire) -> None:
    wire.greet()
    wire.request(1, "ends-at-once")
    assert wire.receive() == [{"id": 1, "done": {"ok": False}}]
    wire.request(1, "rows", count=0)  # its id is free again
    assert wire.receive()[0]["done"] == {}


def test_cancel_lets_the_request_finish(wire: Wire) -> None:
    wire.greet()
    wire.request(7, "watch")
    wire.send(messages.cancel(7) + messages.cancel(8))
    assert wire.receive() == [
        {"id": 7, "event": {"event": "last", "now": 0}},
        {"id": 7, "done": {"ok": True}},
    ]


def test_a_running_request_tells_how_far_it_is_and_goes_on(wire: Wire) -> None:
    wire.greet()
    wire.request(7, "watch")
    wire.send(messages.ask_status(7) + messages.ask_status(8))
    assert wire.receive() == [{"id": 7, "event": {"event": "status", "now": 0}}]
    wire.send(messages.cancel(7))
    assert wire.receive()[-1] == {"id": 7, "done": {"ok": True}}


def test_hanging_up_closes_what_runs(wire: Wire) -> None:
    wire.greet()
    wire.request(1, "watch")
    wire.request(2, "watch")
    wire.client.close()
    wire.turn()
    assert wire.connection.closed
    assert [watch.closed for watch in wire.service.watches] == [1, 1]
    wire.service.watches[0].exchange.event({"event": "nobody listens"})


def test_too_many_running_requests_refuse_the_next_one_only(wire: Wire) -> None:
    wire.greet()
    for number in range(module.MAX_RUNNING + 1):
        wire.request(number, "watch")
    (refusal,) = wire.receive()
    assert refusal["id"] == module.MAX_RUNNING
    assert refusal["error"]["code"] == "too-many-requests"
    wire.send(messages.cancel(0))
    assert len(wire.receive()) == 2


def test_a_client_that_does_not_read_loses_the_oldest_events(wire: Wire) -> None:
    wire.greet()
    wire.request(1, "watch")
    (watch,) = wire.service.watches
    total = 10_000
    for number in range(total):
        watch.exchange.event({"event": "n", "number": number, "data": "x" * 500})
        wire.turn()
    watch.exchange.done({"ok": True})
    waiting = wire.connection._waiting_bytes + len(wire.connection._out)
    assert waiting < module.EVENT_LIMIT + 2 * HIGH_WATER
    *events, done = wire.drain()
    assert done == {"id": 1, "done": {"ok": True}}
    expected = 0
    for reply in events:
        event = reply["event"]
        expected += event.get("lost", 0)
        assert event["number"] == expected
        expected += 1
    assert expected == total
    assert len(events) < total


def test_a_flood_of_one_request_keeps_the_end_of_another(wire: Wire) -> None:
    wire.greet()
    wire.request(1, "watch")
    wire.request(2, "watch")
    loud, brief = wire.service.watches
    for number in range(6_000):
        loud.exchange.event({"number": number, "data": "x" * 500})
        if number == 3_000:
            brief.exchange.event({"number": 0})
            brief.exchange.done({"ok": True})
        wire.turn()
    assert {"id": 2, "done": {"ok": True}} in wire.drain()


def test_cancel_gets_through_while_events_pile_up(wire: Wire) -> None:
    wire.greet()
    wire.request(1, "watch")
    (watch,) = wire.service.watches
    for _ in range(5_000):
        watch.exchange.event({"data": "x" * 500})
        wire.turn()
    wire.send(messages.cancel(1))
    assert watch.exchange.ended


# --- requests that have to wait for others' changes -----------------------------------------------


def test_a_request_that_must_wait_begins_when_it_may(wire: Wire) -> None:
    wire.greet()
    wire.service.waiting = {"rows"}
    wire.request(1, "rows", count=1)
    wire.request(2, "refuse")  # behind it, in its order
    assert wire.receive() == []
    assert not wire.connection.wants_read
    assert not wire.connection.wants_write
    wire.service.waiting = set()
    wire.connection.resume()
    wire.turn()
    wire.turn()
    assert [message["id"] for message in wire.receive()] == [1, 2]


def test_a_request_may_have_to_wait_again(wire: Wire) -> None:
    wire.greet()
    wire.service.waiting = {"rows"}
    wire.request(1, "rows", count=1)
    wire.connection.resume()
    wire.turn()
    wire.turn()
    assert wire.receive() == []
    assert not wire.connection.wants_write
    wire.service.waiting = set()
    wire.connection.resume()
    wire.turn()
    wire.turn()
    assert [message["id"] for message in wire.receive()] == [1]


def test_who_waits_gets_signs_of_life(wire: Wire) -> None:
    wire.greet()
    wire.service.waiting = {"rows"}
    wire.request(7, "rows", count=1)
    for second in range(1, 30):
        wire.connection.expire(second * SECOND)
        wire.turn(second * SECOND)
        assert wire.receive() == [{"id": 7, "rows": []}]
    wire.service.waiting = set()
    wire.connection.resume()
    assert wire.connection.deadline_ns is None


def test_who_does_not_read_gets_no_more_than_one(wire: Wire) -> None:
    wire.greet()
    wire.service.waiting = {"rows"}
    wire.request(7, "rows", count=1)
    for second in range(1, 30):
        wire.connection.expire(second * SECOND)
    wire.turn(30 * SECOND)
    assert len(wire.receive()) == 1


def test_who_waits_may_leave(wire: Wire) -> None:
    wire.greet()
    wire.service.waiting = {"rows"}
    wire.request(1, "rows", count=1)
    wire.client.shutdown(socket.SHUT_RDWR)
    wire.connection.readable(0)
    assert wire.connection.closed
