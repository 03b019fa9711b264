"""Pipes over real socket pairs; the test is both the loop and the program."""

import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from smolctl.daemon import doors as module
from smolctl.daemon.doors import Doors
from smolctl.daemon.log import Log
from smolctl.daemon.pipes import Pipe
from smolctl.daemon.poller import Poller
from smolctl.daemon.resources import Resources
from smolctl.errors import ControlError, SmolctlError
from smolctl.ops.job import Buffer


class User:
    """Keeps what a pipe gives it.

    Attributes:
        wanted: how many bytes it still wants; sizes: of the pieces that it got.
    """

    def __init__(self) -> None:
        self.taken = bytearray()
        self.wanted = 1 << 30
        self.sizes: list[int] = []
        self.rooms = self.ends = self.deafs = 0
        self.hangups: list[bool] = []
        self.failures: list[SmolctlError] = []
        self.error: Exception | None = None

    def wants(self, limit: int) -> int:
        return min(self.wanted, limit)

    def take(self, data: bytes, now: int) -> None:
        if self.error is not None:
            raise self.error
        assert len(data) <= self.wanted
        self.taken += data
        self.sizes.append(len(data))
        self.wanted -= len(data)

    def ended(self, now: int) -> None:
        self.ends += 1

    def deaf(self) -> None:
        self.deafs += 1

    def room(self, now: int) -> None:
        self.rooms += 1

    def hangup(self, now: int, *, unread: bool) -> None:
        self.hangups.append(unread)

    def fail(self, error: SmolctlError, now: int) -> None:
        self.failures.append(error)


class Loop:
    """A poller, and one pipe with the program behind it."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.poller = Poller()
        self.resources = Resources("lab", Log(str(log)), self.poller)
        self.doors = Doors(self.poller, self.resources)
        self.user = User()
        self.pipe, self.program = self.open()

    def open(self) -> tuple[Pipe, socket.socket]:
        pipe, program = self.doors.open_pipe(self.user, 7)
        program.setblocking(False)
        return pipe, program

    def turn(self) -> int:
        ready = self.poller.wait(0)
        for _, callback, mask in ready:
            callback(mask, 0)
        return len(ready)

    def settle(self) -> None:
        """Turn until nothing is ready; a descriptor that is for ever would spin the loop."""
        for _ in range(100):
            if not self.turn():
                return
        raise AssertionError("something is always ready")

    def close(self) -> None:
        self.doors.close(0)
        self.program.close()
        assert not len(self.poller), "a pipe is watched that is closed"
        self.resources.close()
        self.poller.close()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    loop = Loop(tmp_path / "log")
    yield loop
    loop.close()


def write(pipe: Pipe, data: bytes) -> int:
    return pipe.write([data])


def is_writable(program: socket.socket) -> bool:
    return bool(select.select([], [program], [], 0)[1])


def test_bytes_go_both_ways_once_it_is_started(loop: Loop) -> None:
    loop.program.send(b"??hello")
    loop.settle()
    assert bytes(loop.user.taken) == b""
    loop.pipe.start(2, 0)
    loop.settle()
    assert bytes(loop.user.taken) == b"hello"
    assert write(loop.pipe, b"answer") == 6
    assert loop.program.recv(100) == b"answer"
    assert [end.pid for end in loop.doors] == [7]


def test_a_filled_buffer_is_writable_when_it_is_started(loop: Loop) -> None:
    loop.program.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    filled = 0
    while is_writable(loop.program):
        filled += loop.program.send(b"\0")
    loop.settle()
    assert not is_writable(loop.program)
    loop.pipe.start(filled, 0)
    assert is_writable(loop.program)
    assert bytes(loop.user.taken) == b""


def test_a_program_that_does_not_read_is_told_of_later(loop: Loop) -> None:
    loop.pipe.start(0, 0)
    data, written = bytes(65536), 0
    while (taken := write(loop.pipe, data)) == len(data):
        written += taken
    written += taken
    loop.settle()
    assert loop.user.rooms == 0
    while written:
        written -= len(loop.program.recv(1 << 20))
    loop.settle()
    assert loop.user.rooms == 1


def test_what_is_kept_in_pieces_is_written_at_once(loop: Loop) -> None:
    loop.pipe.start(0, 0)
    pieces: list[Buffer] = [b"ab", bytearray(b"cd"), memoryview(b"efg")[1:]]
    assert loop.pipe.write(pieces) == 6
    assert loop.program.recv(100) == b"abcdfg"


def test_of_very_many_pieces_some_are_written_and_the_rest_later(loop: Loop) -> None:
    loop.pipe.start(0, 0)
    pieces = [bytes([number & 0xFF]) for number in range(3000)]
    got = bytearray()
    while len(got) < 3000:
        taken = loop.pipe.write(pieces[len(got) :])
        assert taken > 0
        got += loop.program.recv(100_000)
        assert len(got) <= 3000
        rooms = loop.user.rooms
        loop.settle()
        assert loop.user.rooms == rooms + (len(got) < 3000), "the rest is asked for"
    assert got == b"".join(pieces)


def test_pieces_end_where_there_is_no_room(loop: Loop) -> None:
    loop.pipe.start(0, 0)
    pieces = [bytes([number]) * 65_537 for number in range(64)]
    taken = loop.pipe.write(pieces)
    assert 0 < taken < 64 * 65_537
    got = bytearray()
    while len(got) < taken:
        got += loop.program.recv(1 << 20)
    assert got == b"".join(pieces)[:taken]


def test_a_large_write_is_read_in_one_piece(loop: Loop) -> None:
    loop.pipe.start(0, 0)
    loop.program.send(b"x")
    loop.settle()
    for _ in range(4):
        loop.program.send(bytes(200_000))
        loop.settle()
    sizes = loop.user.sizes
    assert (sizes[0], sum(sizes)) == (1, 1 + 4 * 200_000)
    assert sizes[-3:] == [200_000] * 3


def test_what_is_not_wanted_stays_with_the_program(loop: Loop) -> None:
    loop.pipe.start(0, 0)
    loop.user.wanted = 3
    loop.program.send(b"abcdef")
    loop.settle()
    assert bytes(loop.user.taken) == b"abc"
    loop.user.wanted = 100
    loop.pipe.resume(0)
    loop.settle()
    assert bytes(loop.user.taken) == b"abcdef"


def test_the_end_of_what_a_program_sends_is_not_its_end(loop: Loop) -> None:
    loop.pipe.start(0, 0)
    loop.program.send(b"last")
    loop.program.shutdown(socket.SHUT_WR)
    loop.settle()
    assert (bytes(loop.user.taken), loop.user.ends, loop.user.hangups) == (b"last", 1, [])
    loop.pipe.resume(0)
    loop.settle()
    assert write(loop.pipe, b"answer") == 6
    loop.pipe.end()
    assert loop.program.recv(100) == b"answer"
    assert loop.program.recv(100) == b""
    loop.program.close()
    loop.settle()
    assert (loop.user.ends, loop.user.hangups, loop.pipe.closed) == (1, [False], True)


@pytest.mark.parametrize("started", [True, False])
def test_a_close_is_an_end_and_all_that_was_sent_is_taken(loop: Loop, started: bool) -> None:
    if started:
        loop.pipe.start(0, 0)
    loop.program.send(b"last")
    loop.program.close()
    loop.settle()
    assert bytes(loop.user.taken) == (b"last" if started else b"")
    assert (loop.user.ends, loop.user.hangups) == (0, [False])


@pytest.mark.parametrize("half", [True, False])
def test_a_close_with_something_unread_is_told_apart(loop: Loop, half: bool) -> None:
    loop.pipe.start(0, 0)
    write(loop.pipe, b"never read")
    if half:
        loop.program.shutdown(socket.SHUT_WR)
        loop.settle()
    loop.program.send(b"x") if not half else None
    loop.program.close()
    loop.settle()
    assert loop.user.hangups == [True]
    assert bytes(loop.user.taken) == (b"" if half else b"x")


def test_what_was_sent_before_a_close_is_taken_as_there_is_room(loop: Loop) -> None:
    loop.pipe.start(0, 0)
    loop.user.wanted = 0
    loop.program.send(b"abcdef")
    loop.settle()
    loop.program.close()
    loop.settle()
    assert loop.user.hangups == []
    for size in (2, 2):
        loop.user.wanted = size
        loop.pipe.resume(0)
    assert bytes(loop.user.taken) == b"abcd"
    loop.user.wanted = 100
    loop.pipe.resume(0)
    assert (bytes(loop.user.taken), loop.user.hangups) == (b"abcdef", [False])


def test_a_program_that_reads_no_more_is_no_error(loop: Loop) -> None:
    loop.pipe.start(0, 0)
    loop.program.shutdown(socket.SHUT_RD)
    assert write(loop.pipe, b"x") == 1
    assert loop.user.deafs == 1
    loop.program.send(b"still writes")
    loop.settle()
    assert bytes(loop.user.taken) == b"still writes"
    loop.program.close()
    loop.settle()
    assert loop.user.hangups == [False]
    assert write(loop.pipe, b"x") == 1
    loop.pipe.end()


def test_an_error_closes_one_pipe(loop: Loop) -> None:
    other, program = loop.open()
    loop.pipe.start(0, 0)
    loop.user.error = ZeroDivisionError("on purpose")
    loop.program.send(b"x")
    loop.settle()
    assert (loop.pipe.closed, other.closed) == (True, False)
    assert [error.code for error in loop.user.failures] == ["internal"]
    assert "on purpose" in loop.log.read_text()
    assert loop.program.recv(100) == b""
    program.close()


def test_there_are_only_so_many(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PIPES", 1)
    with pytest.raises(ControlError) as caught:
        loop.open()
    assert (caught.value.code, caught.value.errno_name) == ("too-many-sockets", "EMFILE")


def test_a_flood_takes_turns(loop: Loop) -> None:
    loop.pipe.start(0, 0)
    for _ in range(8):
        try:
            loop.program.send(bytes(65536))
        except BlockingIOError:
            break
    loop.turn()
    assert 0 < len(loop.user.taken) <= (1 << 18) + (1 << 14)
