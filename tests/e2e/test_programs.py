"""Programs of their own on a stack's sockets: over lo, over a TAP, in a flood, and killed."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from smolctl.client import DatagramSocket
from smolctl.client.options import IP_MTU_DISCOVER
from tests.e2e.kit import Lab, connect, daemon_pid, receive, struck
from tests.kit.amount import amount
from tests.kit.process import PATIENCE_SECONDS, Background, wait_until
from tests.kit.stack_env import SmolctlEnv

ECHO = """
from smolctl.client import DatagramSocket
with DatagramSocket() as one:
    one.bind(("", 7))
    print("ready", flush=True)
    while True:
        for data, sender in one.recv_many(64):
            one.sendto(data, sender)
"""
SLEEPER = """
import time
from smolctl.client import DatagramSocket
one = DatagramSocket()
one.bind(("127.0.0.1", 9))
print("ready", flush=True)
time.sleep(1000)
"""
FLOOD = """
from smolctl.client import DatagramSocket
one = DatagramSocket()
one.connect(("127.0.0.1", 9))
print("ready", flush=True)
while True:
    one.send_many([bytes(1000)] * 64)
"""


class Programs:
    """Programs that run beside the test, and their sockets in the stack."""

    def __init__(self, smolctl: SmolctlEnv) -> None:
        self._smolctl = smolctl
        self._running: list[Background] = []

    def start(self, source: str) -> Background:
        """Start one and wait until it says that it is ready."""
        argv = [sys.executable, "-c", source]
        background = Background(argv, env=self._smolctl.environ)
        self._running.append(background)
        background.wait_for("ready")
        return background

    def sockets(self) -> dict[int, tuple[str, int]]:
        """Return port -> program and pid of the sockets that there are."""
        with connect(self._smolctl) as client:
            rows = client.call("socket.show")
        return {row["local_port"]: (row["owner"], row["pid"]) for row in rows}

    def close(self) -> None:
        for background in self._running:
            background.close()


@pytest.fixture
def programs(smolctl_env: SmolctlEnv) -> Iterator[Programs]:
    made = Programs(smolctl_env)
    yield made
    made.close()


@pytest.fixture
def one(smolctl_env: SmolctlEnv) -> Iterator[DatagramSocket]:
    """Open a socket of this process on the stack of the environment."""
    smolctl_env("stack", "start", check=True)  # in the namespace, where the test has one
    environ = {"XDG_RUNTIME_DIR": str(smolctl_env.directory)}
    with mock.patch.dict(os.environ, environ), DatagramSocket("default", start=False) as made:
        made.settimeout(PATIENCE_SECONDS)
        yield made


def memory_kib(pid: int) -> int:
    """Return what a process occupies."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def test_a_program_answers_another(one: DatagramSocket, programs: Programs) -> None:
    echo = programs.start(ECHO)
    for size in (0, 1, 1472, 65_507):
        one.sendto(bytes(size), ("127.0.0.1", 7))
        assert one.recvfrom(65_535) == (bytes(size), ("127.0.0.1", 7))
    assert programs.sockets()[7] == ("python", echo.process.pid)


def test_the_command_line_answers_a_program(one: DatagramSocket, smolctl_env: SmolctlEnv) -> None:
    echo = smolctl_env.popen("udp", "echo", "7")
    echo.wait_for("listening on")
    one.sendto(b"x", ("127.0.0.1", 7))
    assert one.recv(10) == b"x"
    listed = smolctl_env("socket", "show", check=True).stdout
    assert f"(pid {os.getpid()})" in listed


@pytest.mark.netns("ip")
def test_over_a_tap_with_the_kernel(lab: Lab, one: DatagramSocket, programs: Programs) -> None:
    lab.plug()
    programs.start(ECHO)
    kernel = lab.peer.udp("10.0.0.2", 9)
    kernel.sendto(b"to the program", ("10.0.0.1", 7))
    assert receive(kernel) == ("to the program", ("10.0.0.1", 7))

    one.connect(("10.0.0.2", 9))
    assert one.getsockname()[0] == "10.0.0.1"
    payloads = [b"%d" % number for number in range(200)]
    assert one.send_many(payloads) == 200
    assert [kernel.recv(100) for _ in payloads] == payloads
    for payload in payloads:
        kernel.sendto(payload, one.getsockname())
    got: list[bytes] = []
    while len(got) < 200:
        got += [data for data, _ in one.recv_many(200)]
    assert got == payloads
    one.send(bytes(65507))
    assert kernel.recv(65535) == bytes(65507)
    one.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, 2)  # IP_PMTUDISC_DO
    with pytest.raises(OSError, match="1472"):
        one.send(bytes(1473))


@pytest.mark.netns("ip")
def test_the_kernel_refuses_a_program(lab: Lab, one: DatagramSocket) -> None:
    lab.plug()
    one.connect(("10.0.0.2", 9))
    one.send(b"x")
    with pytest.raises(ConnectionRefusedError):
        one.recv(10)


@pytest.mark.netns("ip")
def test_a_dead_host_is_told_as_linux_does(lab: Lab, one: DatagramSocket) -> None:
    lab.plug()
    lab.sysctl(neigh__retrans_time_ms=100)
    kernel = lab.peer.open(socket.AF_INET, socket.SOCK_DGRAM)
    for opened in (one, kernel):
        opened.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
        opened.sendto(b"x", ("10.0.0.77", 9))
        with pytest.raises(OSError, match=r"\[Errno 113\]"):  # EHOSTUNREACH
            opened.recv(10)


def test_a_killed_program_leaves_nothing(programs: Programs, smolctl_env: SmolctlEnv) -> None:
    sleeper = programs.start(SLEEPER)
    pid = daemon_pid(smolctl_env)
    assert programs.sockets() == {9: ("python", sleeper.process.pid)}
    before = len(os.listdir(f"/proc/{pid}/fd"))
    sleeper.stop(signal.SIGKILL)
    wait_until(lambda: not programs.sockets(), "the socket to be closed")
    wait_until(lambda: len(os.listdir(f"/proc/{pid}/fd")) < before, "its descriptors to be closed")
    again = programs.start(SLEEPER)
    assert programs.sockets() == {9: ("python", again.process.pid)}


@pytest.mark.proof
def test_a_flood_costs_the_daemon_no_memory_and_nobody_the_stack(
    programs: Programs, one: DatagramSocket, smolctl_env: SmolctlEnv
) -> None:
    pid = daemon_pid(smolctl_env)
    programs.start(SLEEPER)
    floods = [programs.start(FLOOD) for _ in range(2)]
    programs.start(ECHO)

    def dropped() -> int:
        with connect(smolctl_env) as client:
            return struck(client).get("udp-rcvbuf-full", 0)

    wait_until(lambda: dropped() > 10_000, "the flood to run into the bound", 30)
    before, count = memory_kib(pid), dropped()
    for number in range(20):
        one.sendto(b"%d" % number, ("127.0.0.1", 7))
        assert one.recv(10) == b"%d" % number
    wait_until(lambda: dropped() > count + amount(50_000, 10_000), "more of it", 60)
    assert memory_kib(pid) < before + 4096
    for flood in floods:
        flood.stop(signal.SIGKILL)
    wait_until(lambda: len(programs.sockets()) == 3, "the floods to end")


def test_the_daemon_is_killed(one: DatagramSocket, smolctl_env: SmolctlEnv) -> None:
    one.connect(("127.0.0.1", 9))
    os.kill(daemon_pid(smolctl_env), signal.SIGKILL)
    with pytest.raises(ConnectionResetError, match='stack "default" was stopped, or is gone'):
        one.recv(10)
    with pytest.raises(ConnectionResetError):
        one.send(b"x")
