"""A program's TCP sockets on a stack in virtual time; the test is the program."""

from typing import Any

import pytest

from smolctl.control import stream as wire
from smolctl.errors import ControlError
from smolctl.ops.stream_open import HubJob
from tests.ops.kit import Api, Pipe, Program, Row

HERE: Row = {"addr": "127.0.0.1", "port": 7}


class Hub:
    """A program, and its channel."""

    def __init__(self, api: Api) -> None:
        self.api = api
        args = {"channel": wire.VERSION, "owner": "test.py", "pid": 7}
        self.exchange, job = api.start("stream.open", **args)
        assert isinstance(job, HubJob)
        self.job = job
        self.program = self.exchange.channels[0]
        self._number = 0

    def call(self, do: str, socket: int = 0, **args: Any) -> Row:
        """Return the answer to a command."""
        self._number += 1
        self.job.take([wire.command(do, socket, args, self._number)], self.api.clock.now)
        answer = wire.parse_told(self.program.messages.pop())
        assert answer.pop("answer") == self._number
        return answer

    def open(self) -> tuple[int, Pipe]:
        number = self.call("open")["socket"]
        pipe = self.program.passed.pop()
        assert isinstance(pipe, Pipe)
        return number, pipe

    def listen(self, backlog: int = 5) -> tuple[int, Program]:
        number, pipe = self.open()
        self.call("bind", number, **HERE)
        self.call("listen", number, backlog=backlog)
        assert pipe.closed
        door = self.program.passed.pop()
        assert isinstance(door, Program)
        return number, door

    def connect(self) -> tuple[int, Pipe]:
        number, pipe = self.open()
        pipe.queue += b"!"
        self.call("connect", number, skip=1, **HERE)
        self.api.wait(100_000_000)
        return number, pipe


@pytest.fixture
def hub() -> Hub:
    return Hub(Api())


def accept(hub: Hub, door: Program) -> Pipe:
    """Take a connection as the program does."""
    assert "accepted" in wire.parse_told(door.messages.pop(0))
    pipe = door.passed.pop(0)
    assert isinstance(pipe, Pipe)
    door.user.take([wire.TAKEN], hub.api.clock.now)
    return pipe


def send(hub: Hub, pipe: Pipe, data: bytes) -> None:
    pipe.queue += data
    pipe.resume(hub.api.clock.now)
    hub.api.wait(100_000_000)


def test_another_version_is_refused() -> None:
    with pytest.raises(ControlError) as caught:
        Api().start("stream.open", channel=wire.VERSION + 1, owner="x")
    assert caught.value.code == "version-mismatch"


def test_there_and_back(hub: Hub) -> None:
    _, door = hub.listen()
    _, client = hub.connect()
    assert client.started
    server = accept(hub, door)
    send(hub, client, b"hello")
    assert server.got == b"hello"
    send(hub, server, b"answer")
    assert client.got == b"answer"
    client.user.ended(hub.api.clock.now)
    hub.api.wait(100_000_000)
    assert server.ended
    server.user.hangup(hub.api.clock.now, unread=False)
    hub.api.wait(100_000_000)
    assert client.ended
    client.user.hangup(hub.api.clock.now, unread=False)
    assert hub.job._ends.keys() == {1}


def test_a_refusal_comes_before_the_end_of_the_pipe(hub: Hub) -> None:
    number, pipe = hub.connect()
    told = wire.parse_told(hub.program.messages.pop())
    assert told["failed"] == number
    assert (told["error"]["code"], told["error"]["errno"]) == ("tcp-refused", "ECONNREFUSED")
    assert (pipe.started, pipe.closed) == (False, True)
    assert hub.call("bind", number, **HERE)["error"]["code"] == "control-protocol"


@pytest.mark.parametrize(
    ("do", "args", "code"),
    [
        ("bind", {"addr": "192.0.2.1", "port": 7}, "address-not-available"),
        ("bind", {"addr": "127.0.0.1", "port": 65536}, "invalid-argument"),
        ("connect", {"addr": "127.0.0.1"}, "invalid-argument"),
        ("connect", {"port": 7}, "invalid-argument"),
        ("set", {"nodelay": 2}, "invalid-argument"),
        ("set", {"ttl": 0}, "invalid-argument"),
        ("set", {"fly": 1}, "invalid-argument"),
        ("get", {"name": "fly"}, "invalid-argument"),
        ("fly", {}, "control-protocol"),
    ],
)
def test_what_is_refused(hub: Hub, do: str, args: Row, code: str) -> None:
    number, _ = hub.open()
    assert hub.call(do, number, **args)["error"]["code"] == code


def test_the_window_closes_when_the_program_does_not_read(hub: Hub) -> None:
    _, door = hub.listen()
    _, client = hub.connect()
    server = accept(hub, door)
    server.room = 1000
    send(hub, client, bytes(20_000_000))
    assert len(server.got) == 1000
    assert client.queue, "the program has to wait"
    # What is left of the window is less than a segment, and goes to the first probe.
    hub.api.wait(5_000_000_000)
    assert hub.api.host.reasons()["tcp-zero-window"] == 1
    server.room = 1 << 30
    server.user.room(hub.api.clock.now)
    hub.api.wait(120_000_000_000)
    assert len(server.got) == 20_000_000


def test_connections_wait_in_the_backlog_until_they_are_taken(hub: Hub) -> None:
    number, door = hub.listen(backlog=1)
    clients = [hub.connect()[1] for _ in range(3)]
    assert [client.started for client in clients] == [True, True, False]
    assert len(door.messages) == 2
    first, second = accept(hub, door), accept(hub, door)
    assert first.started
    assert second.started
    hub.api.wait(3_000_000_000)
    assert clients[2].started
    door.user.hangup(hub.api.clock.now)
    hub.api.wait(100_000_000)
    told = wire.parse_told(hub.program.messages.pop())
    assert told["error"]["errno"] == "ECONNRESET"
    assert number not in hub.job._ends


def test_a_listener_whose_channel_is_full_goes_on_later(hub: Hub) -> None:
    _, door = hub.listen()
    door.full = True
    _, client = hub.connect()
    assert (client.started, door.messages) == (True, [])
    door.full = False
    door.user.room(hub.api.clock.now)
    assert accept(hub, door).started


def test_messages_wait_in_their_order_for_a_program_that_does_not_read(hub: Hub) -> None:
    hub.program.full = True
    now = hub.api.clock.now
    for number in (1, 2):
        hub.job.take([wire.command("open", 0, {}, number)], now)
    hub.program.full = False
    hub.job.room(now)
    assert [wire.parse_told(each)["answer"] for each in hub.program.messages] == [1, 2]
    assert len(hub.program.passed) == 2


def test_a_program_that_asks_and_never_reads_is_cut_off(hub: Hub) -> None:
    hub.program.full = True

    def ask() -> None:
        for number in range(10_000):
            hub.job.take([wire.command("get", 1, {}, number)], hub.api.clock.now)

    with pytest.raises(ControlError, match="does not read"):
        ask()


def test_sockets_outlive_the_channel(hub: Hub) -> None:
    _, door = hub.listen()
    _, client = hub.connect()
    server = accept(hub, door)
    hub.job.hangup(hub.api.clock.now)
    assert hub.exchange.result == {}
    send(hub, client, b"hello")
    assert server.got == b"hello"


def test_the_end_of_the_stack_resets(hub: Hub) -> None:
    _, door = hub.listen()
    hub.connect()
    accept(hub, door)
    hub.api.engine.close(hub.api.clock.now)
    hub.api.wait(100_000_000)
    assert list(hub.api.stack.tcp.sockets()) == []
