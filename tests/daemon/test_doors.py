"""Doors over real socket pairs; the test is both the loop and the program."""

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from smolctl.daemon import doors as module
from smolctl.daemon.doors import Door, Doors
from smolctl.daemon.log import Log
from smolctl.daemon.poller import Poller
from smolctl.daemon.resources import Resources
from smolctl.errors import ControlError, SmolctlError


class User:
    """Keeps what a door gives it."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.at_once: list[int] = []
        self.cost = 1
        self.rooms = self.hangups = 0
        self.failures: list[SmolctlError] = []
        self.error: Exception | None = None

    def take(self, messages: Sequence[bytes], now: int) -> int:
        if self.error is not None:
            raise self.error
        self.taken += messages
        self.at_once.append(len(messages))
        return self.cost * len(messages)

    def room(self, now: int) -> None:
        self.rooms += 1

    def hangup(self, now: int) -> None:
        self.hangups += 1

    def fail(self, error: SmolctlError, now: int) -> None:
        assert not self.hangups
        self.failures.append(error)


class Loop:
    """A selector, its doors, and one door with the program behind it."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.poller = Poller()
        self.resources = Resources("lab", Log(str(log)), self.poller)
        self.doors = Doors(self.poller, self.resources)
        self.user = User()
        self.door, self.program = self.open(self.user)

    def open(self, user: User) -> tuple[Door, socket.socket]:
        door, program = self.doors.open(user)
        program.setblocking(False)
        return door, program

    def turn(self) -> None:
        for _, callback, mask in self.poller.wait(0):
            callback(mask, 0)

    def close(self) -> None:
        self.doors.close(0)
        self.program.close()
        assert not len(self.poller), "a door is watched that is closed"
        self.resources.close()
        self.poller.close()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    loop = Loop(tmp_path / "log")
    yield loop
    loop.close()


def test_after_a_message_that_came_alone_the_next_are_not_looked_for(loop: Loop) -> None:
    loop.program.send(b"alone")
    loop.turn()
    for number in range(30):
        loop.program.send(bytes([number]))
    for number in range(4):
        loop.turn()
        assert loop.user.taken[1:] == [bytes([each]) for each in range(number + 1)]
    loop.turn()
    assert loop.user.taken[1:] == [bytes([each]) for each in range(30)]
    for _ in range(2):
        loop.program.send(b"more")
        loop.program.send(b"than one")
        loop.turn()
        assert loop.user.taken[-2:] == [b"more", b"than one"], "they are no reason"


def test_short_messages_are_taken_at_once_up_to_a_long_one(loop: Loop) -> None:
    sent = [b"s"] * 40 + [b"l" * 1000, b"l" * 1000, b"s", b"s"]
    for message in sent:
        loop.program.send(message)
    loop.turn()
    assert loop.user.taken == sent
    assert loop.user.at_once == [32, 9, 1, 2]


def fill(end: Door | socket.socket, message: bytes) -> int:
    """Send until there is no room; return how many messages there was room for."""
    for count in range(10_000):
        if isinstance(end, Door):
            if not end.send(message):
                return count
            continue
        try:
            end.send(message)
        except BlockingIOError:
            return count
    raise AssertionError("there is no bound")


def test_messages_go_both_ways_as_they_are(loop: Loop) -> None:
    for message in (b"one", b"t" * 65_600):
        loop.program.send(message)
        assert loop.door.send(message)
        assert loop.program.recv(1 << 17) == message
    loop.turn()
    assert loop.user.taken == [b"one", b"t" * 65_600]


def test_a_program_that_does_not_read_is_waited_for_without_waiting(loop: Loop) -> None:
    count = fill(loop.door, b"x" * 1000)
    loop.turn()
    assert loop.user.rooms == 0
    for _ in range(count):
        loop.program.recv(2000)
    loop.turn()
    assert loop.user.rooms == 1
    loop.turn()
    assert loop.user.rooms == 1, "nobody asked for room again"
    assert loop.door.send(b"again")


def test_a_program_that_floods_waits_and_is_served_by_turns(loop: Loop) -> None:
    loop.user.cost = 64
    count = fill(loop.program, b"x" * 1000)
    loop.turn()
    assert len(loop.user.taken) == module.A_TURN // 64
    while len(loop.user.taken) < count:
        loop.turn()
    assert fill(loop.program, b"x" * 1000) == count


def test_what_was_sent_before_the_end_is_taken(loop: Loop) -> None:
    assert loop.door.send(b"it will not read this")
    for number in range(3):
        loop.program.send(b"%d" % number)
    loop.program.close()
    loop.turn()
    assert loop.user.taken == [b"0", b"1", b"2"]
    assert (loop.user.hangups, loop.door.closed) == (1, True)
    loop.door.close(0)
    assert loop.user.hangups == 1
    assert not loop.door.send(b"x")


def test_a_send_to_a_program_that_is_gone_is_no_error(loop: Loop) -> None:
    loop.program.close()
    assert not loop.door.send(b"x")
    loop.turn()
    assert loop.user.hangups == 1


@pytest.mark.parametrize(
    ("error", "code", "logged"),
    [
        (ControlError("no message"), "control-protocol", "closed: no message"),
        (RuntimeError("a bug"), "internal", "RuntimeError"),
    ],
)
def test_an_error_closes_one_door(loop: Loop, error: Exception, code: str, logged: str) -> None:
    other = User()
    _door, program = loop.open(other)
    loop.user.error = error
    loop.program.send(b"x")
    program.send(b"y")
    loop.turn()
    assert [problem.code for problem in loop.user.failures] == [code]
    assert loop.user.hangups == 1
    assert loop.program.recv(10) == b""
    assert other.taken == [b"y"]
    assert logged in loop.log.read_text()
    program.close()
    loop.turn()
    assert other.hangups == 1


def test_there_is_a_most(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DOORS", 1)
    with pytest.raises(ControlError) as caught:
        loop.open(User())
    assert caught.value.code == "too-many-sockets"


def test_no_descriptor_is_left(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_args: int) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", none)
    with pytest.raises(ControlError, match="no descriptor is left"):
        loop.open(User())
