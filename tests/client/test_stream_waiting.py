"""Programs that wait at a TCP socket of a stack."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from smolctl.client import StreamSocket, stop_daemon
from tests.kit.home import Home
from tests.kit.process import PATIENCE_SECONDS, wait_until

HERE = ("127.0.0.1", 8080)


@pytest.fixture
def listener(running: Home) -> Iterator[StreamSocket]:
    with StreamSocket() as made:
        made.settimeout(PATIENCE_SECONDS)
        made.bind(HERE)
        made.listen(16)
        yield made


@pytest.mark.parametrize("how", ["s.recv(9)", "s.recv_into(bytearray(9))"])
def test_who_waits_for_an_answer_is_not_woken_by_the_daemon_that_reads(
    home: Home, listener: StreamSocket, how: str
) -> None:
    code = (
        "from smolctl.client import StreamSocket; s = StreamSocket()"
        "; s.connect(('127.0.0.1', 8080)); input(); s.send(b'?'); print('sent', flush=True)"
        f"; {how}"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=home.env.environ, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    status = Path(f"/proc/{program.pid}/status")
    daemon = home.connect().pid

    def asleep() -> bool:
        return "\nState:\tS" in status.read_text()

    def sleeps() -> str:
        wait_until(asleep, "the program to wait")
        return status.read_text().partition("\nvoluntary_ctxt_switches:")[2].split()[0]

    with program, listener.accept()[0] as server:
        server.settimeout(PATIENCE_SECONDS)
        os.kill(daemon, signal.SIGSTOP)
        try:
            assert program.stdin is not None
            assert program.stdout is not None
            program.stdin.write(b"\n")
            program.stdin.flush()
            assert program.stdout.readline() == b"sent\n"
            before = sleeps()
        finally:
            os.kill(daemon, signal.SIGCONT)
        assert server.recv(9) == b"?"
        assert sleeps() == before
        server.send(b"!")
        assert program.wait(PATIENCE_SECONDS) == 0


def test_two_threads_wait_at_one_socket(home: Home, listener: StreamSocket) -> None:
    with StreamSocket() as client:
        client.connect(HERE)
        with listener.accept()[0] as server:
            server.settimeout(None)
            got: list[bytes] = []
            threads = [
                threading.Thread(target=lambda: got.append(server.recv(1)), daemon=True)
                for _ in range(3)
            ]
            for thread in threads:
                thread.start()
            for byte in (b"a", b"b", b"c"):
                client.sendall(byte)
            for thread in threads:
                thread.join(PATIENCE_SECONDS)
            assert sorted(got) == [b"a", b"b", b"c"]
            with pytest.raises(BlockingIOError):
                server.recv(1, socket.MSG_DONTWAIT)
            with pytest.raises(BlockingIOError):
                server.recv_into(bytearray(1), 1, socket.MSG_DONTWAIT)


def test_shutdown_of_a_socket_that_listens_wakes_who_accepts(listener: StreamSocket) -> None:
    listener.shutdown(socket.SHUT_WR)
    with StreamSocket() as client:
        client.connect(HERE)
        listener.accept()[0].close()
    told: list[int | None] = []

    def accept() -> None:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - its errno is compared
            listener.accept()
        told.append(caught.value.errno)

    waiting = threading.Thread(target=accept)
    waiting.start()
    listener.shutdown(socket.SHUT_RDWR)
    waiting.join()
    assert told == [errno.EINVAL]

    def refused() -> bool:
        with StreamSocket() as again:
            return again.connect_ex(HERE) == errno.ECONNREFUSED

    wait_until(refused, "the port to be closed")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_an_answer_that_a_stopped_stack_breaks_off_is_not_taken_for_whole(
    home: Home, listener: StreamSocket, how: str
) -> None:
    """A request is sent whole, and what ends then may be the answer or the stack."""
    told: list[int | None] = []

    def read() -> None:
        try:
            client.recv(1)
        except OSError as error:
            told.append(error.errno)

    with StreamSocket() as client:
        client.connect(HERE)
        with listener.accept()[0]:
            client.shutdown(socket.SHUT_WR)
            reader = threading.Thread(target=read)
            reader.start()
            if how == "stop":
                stop_daemon()
            else:
                os.kill(home.connect().pid, signal.SIGKILL)
            reader.join(PATIENCE_SECONDS)
    assert told == [errno.ECONNRESET]
