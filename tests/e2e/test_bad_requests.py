"""Garbage on the control socket: its sender is told and hung up on, and nobody else notices."""

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kit import connect, daemon_pid, snapshot
from tests.kit.process import PATIENCE_SECONDS
from tests.kit.stack_env import SmolctlEnv

HELLO = b'{"hello":1,"client":"test"}'


def frame(body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + body


GARBAGE = {
    "random bytes": os.urandom(4096),
    "text": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a length that never comes": struct.pack("!I", 0xFFFFFFFF),
    "too long": frame(b" " * (1 << 20) + b"{}"),
    "no JSON": frame(b"hello"),
    "no UTF-8": frame(b'{"hello": "\xff"}'),
    "no object": frame(b"[1,2,3]"),
    "deeply nested": frame(b"[" * 100_000),
    "an endless number": frame(b'{"hello":' + b"9" * 100_000 + b"}"),
    "no hello": frame(b'{"id":1,"op":"addr.show","args":{}}'),
    "another protocol": frame(b'{"hello":99,"client":"test"}'),
    "nothing": frame(b""),
    "no operation": frame(HELLO) + frame(b'{"id":1}'),
    "no arguments": frame(HELLO) + frame(b'{"id":1,"op":"addr.show","args":7}'),
    "no id": frame(HELLO) + frame(b'{"op":"addr.show","args":{}}'),
    "half a request": frame(HELLO) + frame(b'{"id":1,"op":"addr.show"}')[:9],
}
REFUSED = {
    "unknown operation": b'{"id":1,"op":"addr.explode","args":{}}',
    "private operation": b'{"id":1,"op":"addr._parse","args":{}}',
    "unknown argument": b'{"id":1,"op":"addr.show","args":{"colour":"red"}}',
    "wrong type": b'{"id":1,"op":"addr.add","args":{"local":["10.0.0.1"],"dev":{}}}',
    "wrong number": b'{"id":1,"op":"udp.send","args":{"dst":"127.0.0.1","port":1e400}}',
    "no base64": b'{"id":1,"op":"udp.send","args":{"dst":"127.0.0.1","port":9,"data":"\\u0000"}}',
}


@pytest.fixture
def stack(smolctl_env: SmolctlEnv) -> SmolctlEnv:
    """Start a stack."""
    smolctl_env("stack", "start", check=True)
    return smolctl_env


@pytest.fixture
def control(stack: SmolctlEnv) -> Iterator[socket.socket]:
    """Connect to the stack's socket, without a client that knows how to talk."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect(str(Path(stack.directory, "smolctl", "default.sock")))
        yield connection


def everything(connection: socket.socket) -> bytes:
    """Return what comes until the daemon hangs up."""
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_ends_its_own_connection_only(
    stack: SmolctlEnv, control: socket.socket, name: str
) -> None:
    pid = daemon_pid(stack)
    with connect(stack) as client:
        before = snapshot(client)
        try:
            control.sendall(GARBAGE[name])
            control.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError, OSError):
            pass  # it hung up before it had heard all
        answer = everything(control)
        assert b"Traceback" not in answer
        if name not in ("half a request", "a length that never comes", "text", "random bytes"):
            assert b'"error"' in answer, answer
        assert snapshot(client) == before
    assert daemon_pid(stack) == pid


@pytest.mark.parametrize("name", REFUSED)
def test_request_that_is_refused_leaves_the_connection(
    stack: SmolctlEnv, control: socket.socket, name: str
) -> None:
    show = b'{"id":2,"op":"addr.show","args":{}}'
    control.sendall(frame(HELLO) + frame(REFUSED[name]) + frame(show))
    control.shutdown(socket.SHUT_WR)
    answer = everything(control)
    assert b'"id":1,"error"' in answer, answer
    assert b'"internal"' not in answer, answer
    assert b'"id":2,"rows"' in answer, answer


def test_socket_is_for_its_owner_only(stack: SmolctlEnv) -> None:
    directory = Path(stack.directory, "smolctl")
    assert directory.stat().st_mode & 0o077 == 0
    assert Path(directory, "default.sock").stat().st_mode & 0o077 == 0
