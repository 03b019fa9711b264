"""Jobs on an engine, in virtual time."""

from typing import Any

from smolctl.errors import SmolctlError
from smolctl.ops.engine import Engine
from smolctl.ops.feed import Feed
from smolctl.ops.job import Channel, ChannelUser, Job
from smolctl.stack.config.addr import bring_up_loopback
from smolctl.stack.stack import Stack
from tests.kit.no_copies import NoCopies


class Around(NoCopies):
    """The process around an engine: it keeps the bugs."""

    def __init__(self) -> None:
        self.bugs: list[Exception] = []

    def status(self, now: int) -> dict[str, Any]:
        return {}

    def wall_time(self, now: int) -> float:
        return now / 1e9

    def blame(self, doing: str, error: Exception) -> SmolctlError:
        self.bugs.append(error)
        return SmolctlError(f"smolctl failed at {doing}", code="internal")

    def request_stop(self, reason: str) -> None:
        raise AssertionError(reason)


class Exchange:
    """A client that keeps what it is told."""

    has_room = True

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.result: dict[str, Any] | None = None
        self.error: SmolctlError | None = None

    def event(self, event: dict[str, Any]) -> None:
        self.events.append(event)

    def rows(self, rows: list[dict[str, Any]]) -> None:
        raise AssertionError("no job here has rows")

    def attach(self, feed: Feed) -> None:
        raise AssertionError("no job here has a feed")

    def take_descriptors(self) -> list[int]:
        return []

    def open_channel(self, user: ChannelUser) -> Channel:
        raise AssertionError("no job here has a channel")

    def done(self, result: dict[str, Any]) -> None:
        self.result = result

    def fail(self, error: SmolctlError) -> None:
        self.error = error


def test_a_job_that_fails_ends_alone_and_is_logged() -> None:
    around, stack = Around(), Stack(lambda: 0.5)
    bring_up_loopback(stack.ipv4)
    engine = Engine(stack, None, around)
    broken, sound = Exchange(), Exchange()
    job = engine.request("udp.recv", {"port": "7", "wait": "1"}, broken, 1)
    engine.request("udp.recv", {"port": "8", "wait": "1"}, sound, 1)
    assert isinstance(job, Job)
    job.__dict__["_take_up"] = None  # a bug: calling it raises
    job.__dict__["_end_ns"] = "never"
    engine.turn(2_000_000_000)
    assert isinstance(around.bugs[0], TypeError)
    assert broken.error is not None
    assert broken.error.code == "internal"
    assert sound.result == {"received": 0, "drops": 0, "ok": False}
    assert not list(stack.udp)


def test_a_receiver_without_room_leaves_datagrams_in_the_socket() -> None:
    stack = Stack(lambda: 0.5)
    bring_up_loopback(stack.ipv4)
    engine, client = Engine(stack, None, Around()), Exchange()
    engine.request("udp.recv", {"port": "7"}, client, 1)
    client.has_room = False
    sender = stack.udp.open()
    for _ in range(3):
        stack.udp.send(sender, b"x", 0x7F000001, 7, 2)
    engine.turn(3)
    assert [event["event"] for event in client.events] == ["bound"]
    client.has_room = True
    due = engine.deadline()
    assert due is not None
    engine.turn(due)
    assert [event["event"] for event in client.events] == ["bound", *["datagram"] * 3]
