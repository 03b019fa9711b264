"""``tcp bench`` with sinks and sources of the kernel, which know nothing of it, and with itself."""

import re
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread

import pytest

from tests.e2e.kit import Lab, both_families, events

pytestmark = pytest.mark.netns
HOSTS = ("10.0.0.2", "[2001:db8::2]")
TIME = ("-t", "0.2", "-i", "0.1")
Serve = Callable[[socket.socket], None]


class Kernel:
    """Services of the kernel at ports: what each does with a connection.

    Attributes:
        read: how many bytes came, by port.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab, self.read = lab, dict[int, int]()
        self._listeners: list[socket.socket] = []
        self._open: list[socket.socket] = []
        self._threads: list[Thread] = []

    def serve(self, port: int, serve: Serve) -> None:
        listener = self._lab.peer.open(socket.AF_INET6, socket.SOCK_STREAM)
        listener.bind(("::", port))
        listener.listen()
        listener.settimeout(None)
        self._listeners.append(listener)

        def work() -> None:
            while True:
                try:
                    one, _ = listener.accept()
                except OSError:
                    return
                self._open.append(one)
                self._threads.append(Thread(target=serve, args=(one,)))
                self._threads[-1].start()

        self._threads.append(Thread(target=work))
        self._threads[-1].start()

    def sink(self, one: socket.socket) -> None:
        """Read until the end, as ``nc -l > /dev/null``."""
        port = one.getsockname()[1]
        with one:
            while data := one.recv(1 << 18):
                self.read[port] = self.read.get(port, 0) + len(data)

    def source(self, one: socket.socket) -> None:
        """Write until nobody takes it, as ``nc -l < /dev/zero``."""
        with one, suppress(ConnectionError):
            while True:
                one.sendall(bytes(1 << 16))

    def deaf(self, one: socket.socket) -> None:
        """Neither read nor write; ``close`` ends it."""

    def resets(self, one: socket.socket) -> None:
        """Read a little, and reset."""
        one.recv(1 << 16)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()

    def close(self) -> None:
        for each in (*self._listeners, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with both_families() as lab:
        yield lab


@pytest.fixture(scope="module")
def kernel(lab: Lab) -> Iterator[Kernel]:
    made = Kernel(lab)
    for port, serve in ((1, made.sink), (2, made.source), (3, made.deaf), (4, made.resets)):
        made.serve(port, serve)
    yield made
    made.close()


def test_sinks_and_sources_of_the_kernel(lab: Lab, kernel: Kernel) -> None:
    for host in HOSTS:
        before = kernel.read.get(1, 0)
        ran = lab.smolctl("-j", "tcp", "bench", f"{host}:1", *TIME)
        assert (ran.returncode, ran.stderr) == (0, "")
        told = events(ran)
        done = told[-1]
        kinds = [event["event"] for event in told]
        assert kinds in (["connected", *["interval"] * n, "summary"] for n in (1, 2))
        assert done["bytes"] == done["acked"] == sum(event["bytes"] for event in told[1:-1]) > 0
        assert kernel.read[1] - before == done["acked"], "that is what has arrived"
        assert {"retrans", "cwnd", "rtt_ms"} <= done["streams"][0].keys()
        ran = lab.smolctl("-j", "tcp", "bench", f"{host}:2", "-R", *TIME)
        assert (ran.returncode, ran.stderr) == (0, "")
        done = events(ran)[-1]
        assert (done["ok"], done["reverse"]) == (True, True)
        assert done["bytes"] > 0
        assert "acked" not in done
    ran = lab.smolctl("tcp", "bench", f"{HOSTS[0]}:1", "-P", "2", *TIME)
    assert ran.returncode == 0
    lines = ran.stdout.splitlines()
    assert len([line for line in lines if line.startswith("[SUM]")]) == 4
    last = r"\[SUM\]   0\.00-0\.\d+ +s +\S+ [KMG]iB +\S+ [MG]bit/s +receiver \(acknowledged\)"
    assert re.fullmatch(last, lines[-1])


def test_what_goes_wrong_is_told(lab: Lab, kernel: Kernel) -> None:
    ran = lab.smolctl("tcp", "bench", f"{HOSTS[0]}:4", "-t", "5")
    assert ran.returncode == 1
    assert "reason: tcp-reset" in ran.stderr
    ran = lab.smolctl("tcp", "bench", f"{HOSTS[0]}:5")
    assert ran.returncode == 1
    assert "answered SYN with RST" in ran.stderr
    # A program that does not read takes what fits into buffers, and acknowledges no more.
    running = lab.smolctl.popen("tcp", "bench", f"{HOSTS[0]}:3", "-i", "0.1")
    running.wait_for("bit/s")
    running.process.send_signal(2)
    ended = running.wait()
    assert ended.returncode == 1
    assert re.search(r"10\.0\.0\.2:3 has not acknowledged \d+ B", ended.stderr)
    assert "receiver (acknowledged)" in ended.stdout


def test_losses_are_counted_as_what_was_sent_again(lab: Lab, kernel: Kernel) -> None:
    before = kernel.read.get(1, 0)
    lab.smolctl("link", "set", lab.dev, "loss", "2%", check=True)
    ran = lab.smolctl("-j", "tcp", "bench", f"{HOSTS[0]}:1", *TIME)
    done = events(ran)[-1]
    assert ran.returncode == 0
    assert done["retrans"] > 0
    assert kernel.read[1] - before == done["acked"] == done["bytes"]
    lab.smolctl("link", "set", lab.dev, "loss", "0", check=True)


def test_it_is_a_server_too(lab: Lab, kernel: Kernel) -> None:
    server = lab.smolctl.popen("tcp", "bench", "--server", "5201", "-c", "4")
    server.wait_for("listening on *:5201")
    for words in ((), ("-R",), ("-P", "2")):
        assert lab.smolctl("tcp", "bench", "10.0.0.1:5201", *TIME, *words).returncode == 0
    ended = server.wait()
    assert ended.returncode == 0
    told = re.findall(r"^10\.0\.0\.1:\d+ (\w+) \S+ \wiB in \S+ s, ", ended.stdout, re.M)
    assert sorted(told) == ["received"] * 3 + ["sent"]
