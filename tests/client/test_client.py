"""The client against daemons that behave, and against a small server that does not."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from smolctl.client import Client, RemoteError, stop_daemon
from smolctl.client.control import command_for
from smolctl.control import messages
from smolctl.control.codec import MAX_REQUEST, Decoder, encode
from smolctl.control.paths import MAX_SOCKET_PATH
from smolctl.errors import ClientError, ControlError, InvalidArgument
from tests.kit.home import Home
from tests.kit.process import wait_until

WELCOME = messages.welcome(version="0", stack="odd", pid=1)
Script = Callable[[socket.socket], None]


class OddServer:
    """Listens where the stack "odd" would, and follows a script for each client."""

    def __init__(self, home: Home) -> None:
        paths = home.paths("odd")
        os.makedirs(paths.directory, 0o700, exist_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(paths.socket)
        self._listener.listen()
        self._threads: list[threading.Thread] = []

    def serve(self, *scripts: Script) -> None:
        """Run one script for each of the next clients."""

        def run() -> None:
            for script in scripts:
                connection, _ = self._listener.accept()
                with connection:
                    script(connection)

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()

    def close(self) -> None:
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._listener.close()


@pytest.fixture
def odd(home: Home) -> Iterator[OddServer]:
    server = OddServer(home)
    yield server
    server.close()


def take(connection: socket.socket, count: int) -> list[dict[str, Any]]:
    """Return the next messages of a client."""
    decoder = Decoder(MAX_REQUEST)
    found: list[dict[str, Any]] = []
    while len(found) < count:
        data = connection.recv(65536)
        assert data
        decoder.feed(data)
        while (message := decoder.next()) is not None:
            found.append(message)
    return found


def answer(*replies: bytes) -> Script:
    """Say hello, wait for one request, send replies, hang up."""

    def script(connection: socket.socket) -> None:
        connection.sendall(WELCOME)
        take(connection, 2)
        connection.sendall(b"".join(replies))

    return script


def test_not_running_and_not_to_be_started(home: Home) -> None:
    with pytest.raises(ClientError) as caught:
        Client.connect("lab", start=False)
    assert caught.value.code == "not-running"
    assert caught.value.hint == "smolctl --stack lab stack start"
    assert not os.path.exists(home.paths().directory)


def test_a_bad_name_is_refused_before_anything_is_looked_for(home: Home) -> None:
    with pytest.raises(InvalidArgument, match=r'"\.\./x"'):
        Client.connect("../x")


def test_a_runtime_directory_that_is_too_long(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + "x" * MAX_SOCKET_PATH)
    with pytest.raises(ControlError, match="longer than"):
        Client.connect()


def test_rows_of_an_answer_in_parts(odd: OddServer) -> None:
    odd.serve(answer(messages.rows(1, [{"a": 1}]), messages.last_rows(1, [{"a": 2}])))
    with Client.connect("odd", start=False) as client:
        assert client.call("x.show") == [{"a": 1}, {"a": 2}]


def test_events_then_a_result(odd: OddServer) -> None:
    odd.serve(
        answer(
            messages.event(1, b'{"event":"a"}', 0),
            messages.event(1, b'{"event":"b"}', 3),
            messages.done(1, {"ok": True}),
        )
    )
    with Client.connect("odd", start=False) as client:
        stream = client.stream("x.run")
        assert list(stream) == [{"event": "a"}, {"event": "b", "lost": 3}]
        assert stream.result == {"ok": True}
        assert list(stream) == []


def test_commands_that_are_advised_reach_the_stack_that_they_came_from(odd: OddServer) -> None:
    row = {"hint": "on it: smolctl arping -D 10.0.0.1", "reason": "smolctl is no command here"}
    event = b'{"event":"failed","fix":["smolctl link set tap0 up","smolctl -n x addr"],"hint":null}'
    problem = InvalidArgument("smolctl failed", hint="smolctl --stack odd stack log")
    odd.serve(
        answer(
            messages.rows(1, [row]),
            messages.event(1, event, 0),
            messages.done(1, {"ok": False, "look": "see smolctl explain neigh-failed"}),
        ),
        answer(messages.error(1, problem)),
        answer(messages.error(1, InvalidArgument("bad", hint="smolctl addr show"))),
    )
    with Client.connect("odd", start=False) as client:
        stream = client.stream("x.run")
        assert list(stream) == [
            {**row, "hint": "on it: smolctl -n odd arping -D 10.0.0.1"},
            {
                "event": "failed",
                "fix": ["smolctl -n odd link set tap0 up", "smolctl -n x addr"],
                "hint": None,
            },
        ]
        assert stream.result == {"ok": False, "look": "see smolctl -n odd explain neigh-failed"}
    for hint in ("smolctl --stack odd stack log", "smolctl -n odd addr show"):
        with Client.connect("odd", start=False) as client, pytest.raises(RemoteError) as caught:
            client.call("x.show")
        assert caught.value.hint == hint


def test_an_error_has_all_of_the_daemons_fields(odd: OddServer) -> None:
    problem = InvalidArgument("it is bad", hint="make it good")
    odd.serve(answer(messages.rows(1, [{}]), messages.error(1, problem)))
    with Client.connect("odd", start=False) as client, pytest.raises(RemoteError) as caught:
        client.call("x.show")
    assert caught.value.to_dict() == problem.to_dict()


def test_arguments_go_over_as_given(odd: OddServer) -> None:
    seen: list[dict[str, Any]] = []

    def script(connection: socket.socket) -> None:
        connection.sendall(WELCOME)
        seen.extend(take(connection, 2))
        connection.sendall(messages.done(1, {}))

    odd.serve(script)
    with Client.connect("odd", start=False) as client:
        client.call("route.add", dst="10.0.0.0/8", onlink=True)
    assert seen[1] == {"id": 1, "op": "route.add", "args": {"dst": "10.0.0.0/8", "onlink": True}}


def test_the_daemon_dies_in_the_middle(odd: OddServer) -> None:
    odd.serve(answer(messages.rows(1, [{"a": 1}]), b"\0\0"))
    client = Client.connect("odd", start=False)
    with pytest.raises(ClientError) as caught:
        client.call("x.show")
    assert caught.value.code == "daemon-gone"
    with pytest.raises(ClientError) as caught:
        client.call("x.show")
    assert caught.value.code == "daemon-gone"
    client.close()


def test_the_last_word_of_a_daemon_that_hangs_up_is_heard(odd: OddServer) -> None:
    refusal = ControlError("too many", hint="wait", code="too-many-clients")
    odd.serve(lambda connection: connection.sendall(messages.error(None, refusal)))
    with pytest.raises(RemoteError) as caught:
        Client.connect("odd", start=False)
    assert caught.value.to_dict() == refusal.to_dict()


def test_a_daemon_of_another_protocol(odd: OddServer) -> None:
    odd.serve(lambda connection: connection.sendall(encode({"hello": 99})))
    with pytest.raises(ControlError) as caught:
        Client.connect("odd", start=False)
    assert caught.value.code == "version-mismatch"
    assert caught.value.hint is not None
    assert "stack stop" in caught.value.hint


def test_what_is_no_daemon_at_all(odd: OddServer) -> None:
    odd.serve(lambda connection: connection.sendall(b"220 mail.example.org ESMTP\r\n"))
    with pytest.raises(ControlError):
        Client.connect("odd", start=False)


def test_a_daemon_that_stops_just_now_is_tried_again(odd: OddServer) -> None:
    odd.serve(lambda _connection: None, answer(messages.last_rows(1, [{"a": 1}])))
    with Client.connect("odd", start=False) as client:
        assert client.call("x.show") == [{"a": 1}]


def test_a_daemon_that_hangs_is_given_up_on(home: Home) -> None:
    home.connect()  # starts it, however long that takes
    client = home.connect(timeout=0.2)
    os.kill(client.pid, signal.SIGSTOP)
    for attempt in (lambda: client.call("link.show"), lambda: Client.connect(timeout=0.1)):
        with pytest.raises(ClientError) as caught:
            attempt()
        assert caught.value.code == "daemon-silent"
        assert "has not answered for" in caught.value.message
    os.kill(client.pid, signal.SIGCONT)


def test_a_stream_that_was_left_early_does_not_disturb_the_next_request(home: Home) -> None:
    client = home.connect()
    for _ in range(3):
        stream = client.stream("udp.recv", port=7)
        assert next(stream)["event"] == "bound"
        assert client.call("link.show")[0]["ifname"] == "lo"
    wait_until(lambda: client.call("socket.show") == [], "the sockets to be closed")


def test_cancel_from_a_signal_handler(home: Home) -> None:
    client = home.connect()
    stream = client.stream("udp.recv", port=7)
    assert next(stream)["event"] == "bound"
    previous = signal.signal(signal.SIGALRM, lambda *_: client.cancel())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert list(stream) == []
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert stream.result["received"] == 0
    client.cancel()  # nothing runs: nothing happens
    assert client.call("link.show")


def test_rows_can_be_taken_one_by_one(home: Home) -> None:
    client = home.connect()
    rows = client.rows("sysctl.show")
    first = next(rows)
    assert "key" in first
    assert len([*rows]) > 10


def test_stop_works_whatever_the_daemons_version_is(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = home.daemon("--name", "lab")
    with monkeypatch.context() as patch:
        patch.setattr(messages, "PROTOCOL", 2)
        with pytest.raises(RemoteError) as caught:
            Client.connect("lab")
        assert caught.value.code == "version-mismatch"
        stop_daemon("lab")
    assert daemon.wait().returncode == 0
    assert not os.path.exists(home.paths("lab").socket)


def test_a_full_backlog_is_waited_for(home: Home) -> None:
    paths = home.paths("odd")
    os.mkdir(paths.directory, 0o700)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(paths.socket)
        listener.listen(0)
        first.connect(paths.socket)
        with pytest.raises(ClientError) as caught:
            Client.connect("odd", start=False, timeout=0.05)
        assert caught.value.code == "unreachable"


def test_a_change_that_was_lost_while_its_batch_was_made_is_an_error_of_its_line(
    odd: OddServer, home: Home
) -> None:
    lost = {"code": "network-unreachable", "message": "the gateway is gone"}
    row = {"at": 1, "lost": lost}
    odd.serve(answer(messages.rows(1, []), messages.rows(1, [row]), messages.done(1, {})))
    lines = "link add a type loopback\nroute add 9.9.9.0/24 via 10.0.0.2\nlink del a\n"
    result = home.env("-n", "odd", "--no-start", "batch", "--atomic", "-", input=lines)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "smolctl: -:2: lost while the batch was made: the gateway is gone\n"


def test_a_command_names_the_stack_unless_it_is_reached_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SMOLCTL_STACK", raising=False)
    assert [command_for(name) for name in ("default", "lab")] == ["smolctl", "smolctl -n lab"]
    monkeypatch.setenv("SMOLCTL_STACK", "lab")
    assert command_for("default") == "smolctl -n default"
