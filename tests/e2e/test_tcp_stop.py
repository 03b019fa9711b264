"""The stack is stopped while the kernel and a program have connections."""

import socket
import sys
from contextlib import ExitStack

import pytest

from tests.e2e.kit import Lab
from tests.kit.process import Background

pytestmark = pytest.mark.netns

OURS, KERNEL = "10.0.0.1", "10.0.0.2"
PROGRAM = f"""
import errno
from smolctl.client import StreamSocket
with StreamSocket() as one, StreamSocket() as listener:
    listener.bind(("", 8))
    listener.listen()
    print("listening", flush=True)
    others = [listener.accept()[0] for _ in range(3)]
    one.connect(({KERNEL!r}, 7))
    print("connected", flush=True)
    for each in (one, *others):
        try:
            each.recv(1)
            print("the end", flush=True)
        except OSError as error:
            print(errno.errorcode[error.errno], flush=True)
"""


def test_resets_leave_when_the_stack_is_stopped(lab: Lab) -> None:
    lab.plug(f"{OURS}/24", theirs=(f"{KERNEL}/24",))
    with ExitStack() as stack:
        server, *clients = (
            stack.enter_context(lab.peer.open(socket.AF_INET, socket.SOCK_STREAM)) for _ in range(5)
        )
        server.bind((KERNEL, 7))
        server.listen()
        program = Background([sys.executable, "-c", PROGRAM], env=lab.smolctl.environ)
        stack.callback(program.close)
        program.wait_for("listening")
        for each in (server, *clients):
            each.settimeout(10)
        for client in clients:
            client.connect((OURS, 8))
        program.wait_for("connected")
        accepted = stack.enter_context(server.accept()[0])
        accepted.settimeout(10)
        # One of the kernel's waits to be accepted.
        lab.smolctl("stack", "stop", check=True)
        for each in (*clients, accepted):
            with pytest.raises(ConnectionResetError):
                each.recv(1)
        ended = program.wait()
        assert ended.stdout.split() == ["listening", "connected", *["ECONNRESET"] * 4]


def test_an_echo_ends_its_connections_in_order(lab: Lab) -> None:
    """The command is ended with the stack: what it has sent back arrives, and then the end."""
    lab.plug(f"{OURS}/24", theirs=(f"{KERNEL}/24",))
    echo = lab.smolctl.popen("tcp", "echo", "7")
    echo.wait_for("listening")
    with lab.peer.open(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect((OURS, 7))
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
        lab.smolctl("stack", "stop", check=True)
        assert client.recv(1) == b""
        with pytest.raises(BrokenPipeError):  # RST has followed
            client.send(b"x")
