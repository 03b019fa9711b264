"""A daemon with few descriptors or little memory: it refuses what it has no room for, and lives."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import ClassVar

import pytest

from smolctl.client import Client, DatagramSocket
from smolctl.errors import SmolctlError
from tests.kit import process
from tests.kit.amount import WHOLE
from tests.kit.home import Home
from tests.kit.process import PATIENCE_SECONDS, Background, wait_until
from tests.kit.stack_env import SmolctlEnv

REFUSALS = {
    "no-descriptors", "no-memory", "too-many-clients", "too-many-sockets", "EMFILE", "ENOMEM",
}  # fmt: skip
SOCKETS = 300
STARTED = 'stack "default" started'
DESCRIPTORS = [*range(16, 64, 2), *range(64, 257, 16)] if WHOLE else [24, 64, 200]
MEBIBYTES = [*range(20, 44, 2)] if WHOLE else [20, 24, 32]
RECOVERS = 38
"""Mebibytes; with fewer, what sockets took is free again, but not in pieces of 8 MiB."""
PAYLOAD = bytes(1400)


def limited(home: Home, option: str, limit: int) -> Background:
    """Start a daemon under a limit of its shell's; wait until it serves, or has ended."""
    shell = 'ulimit "$0" "$1" && shift && exec "$@"'
    daemon = home.daemon("--foreground", under=("sh", "-c", shell, option, str(limit)))
    wait_until(lambda: STARTED in daemon.stderr or daemon.process.poll() is not None, "it")
    return daemon


class Session:
    """Commands and traffic on a daemon; what is refused is counted by the code of the error."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.refused: dict[str, int] = {}
        self.roomy = False  # whether it took a change when all was there that stays
        self._stack = ExitStack()
        self.sockets: list[DatagramSocket] = []

    kinds: ClassVar[dict[str, Callable[[str], dict[str, str]]]] = {
        "cable": lambda _path: {"cable": "c"},
        "stream": lambda path: {"listen": path},
        "dgram": lambda path: {"local": path, "remote": f"{path}-other"},
        "pcap": lambda path: {"write": path},
    }

    def attempt(self, action: Callable[[], object]) -> bool:
        """Do something that may be refused for want of something, and for no other reason."""
        try:
            action()
        except SmolctlError as error:
            code = error.code
        except OSError as error:  # of a program's socket
            code = errno.errorcode.get(error.errno or 0, repr(error))
        else:
            return True
        self.refused[code] = self.refused.get(code, 0) + 1
        return False

    def call(self, op: str, **args: object) -> bool:
        """Ask with a connection of its own, as a command does."""

        def ask() -> None:
            with Client.connect("default", start=False) as client:
                client.call(op, **args)

        return self.attempt(ask)

    def open(self) -> None:
        made = DatagramSocket("default", start=False)
        self._stack.callback(made.close)
        made.settimeout(PATIENCE_SECONDS)
        self.sockets.append(made)

    def close(self) -> None:
        self._stack.close()
        self.sockets.clear()

    def run(self) -> None:
        """Add links, addresses, routes and sockets, as many as there is room for, and use them."""
        for number in range(16):
            name, path = f"w{number}", f"{self.home.env.directory}/w{number}"
            kind = list(self.kinds)[number % 4]
            options = self.kinds[kind](path)
            if self.call("link.add", name=name, type=kind, **options):
                self.call("addr.add", local=f"10.{number}.0.1/24", dev=name)
        for number in range(50):
            self.call("route.add", dst=f"172.16.{number}.0/24", type="blackhole")
        self.roomy = self.call("addr.add", local="10.98.0.1/32", dev="lo")
        while len(self.sockets) < SOCKETS and self.attempt(self.open):
            pass
        self.attempt(self.traffic)
        for op in ("link.show", "addr.show", "route.show", "neigh.show", "socket.show"):
            self.call(op)
        self.call("stats.show")
        self.call("why.ask", proto="udp", dst="127.0.0.1", dport=9)
        self.call("batch.run", commands=[["route.add", {"dst": "9.9.9.0/24", "type": "blackhole"}]])

    def traffic(self) -> None:
        """Let the first socket get datagrams from all others, and answer."""
        if len(self.sockets) < 2:
            return
        first, *others = self.sockets
        first.bind(("127.0.0.1", 7))
        for other in others:
            other.sendto(PAYLOAD, ("127.0.0.1", 7))
            data, sender = first.recvfrom(2000)
            assert data == PAYLOAD
            first.sendto(data, sender)
            assert other.recv(2000) == PAYLOAD


@pytest.fixture
def session(home: Home) -> Iterator[Session]:
    result = Session(home)
    yield result
    result.close()


def lives(session: Session, daemon: Background) -> None:
    """See that the daemon answers whoever comes now, with all that it has, and ends when told."""
    with Client.connect("default", start=False) as client:
        row = client.call("stack.status")[0]
        assert row["pid"] == daemon.process.pid
        assert client.call("link.show")
    session.close()
    if not session.roomy:
        end(session, daemon)
        return

    def recovered() -> bool:
        return session.call("addr.add", local="10.99.0.1/32", dev="lo")

    wait_until(recovered, lambda: f"its resources: {session.refused}", 20)
    end(session, daemon)


def end(session: Session, daemon: Background) -> None:
    """End the daemon, which leaves nothing."""
    with Client.connect("default", start=False) as client:
        client.call("stack.stop")
    ended = daemon.wait()
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert not os.path.exists(session.home.paths().lock)


def refuses_to_start(home: Home, daemon: Background) -> None:
    """See that a daemon that did not start said why in a line, and left nothing."""
    ended = daemon.wait()
    assert ended.returncode != 0
    assert not os.path.exists(home.paths().socket)
    assert not os.path.exists(home.paths().lock)


@pytest.mark.proof
@pytest.mark.parametrize("limit", DESCRIPTORS)
def test_few_descriptors(session: Session, limit: int) -> None:
    daemon = limited(session.home, "-n", limit)
    if daemon.process.poll() is not None:
        refuses_to_start(session.home, daemon)
        return
    session.run()
    assert session.refused
    assert set(session.refused) <= REFUSALS
    lives(session, daemon)


@pytest.mark.parametrize("module", ["process", "service"])
@pytest.mark.parametrize("error", ["MemoryError()", "SystemError('error return without')"])
def test_an_import_without_memory_is_told_in_a_line(
    smolctl_env: SmolctlEnv, error: str, module: str
) -> None:
    """CPython says it in either way, by chance: here a finder of modules says it.

    The second module is imported when the stack has its socket: that is not left behind.
    """
    code = (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == 'smolctl.daemon.{module}': raise {error}\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from smolctl.daemon.__main__ import main\n"
        "sys.exit(main(['--foreground']))\n"
    )
    ended = process.run([sys.executable, "-c", code], env=smolctl_env.environ)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == "smolctl: not enough memory (try: smolctl doctor)\n"
    assert list((smolctl_env.directory / "smolctl").iterdir()) == []


@pytest.mark.proof
@pytest.mark.parametrize("limit", MEBIBYTES)
def test_little_memory(session: Session, limit: int) -> None:
    daemon = limited(session.home, "-v", limit << 10)
    if daemon.process.poll() is not None:
        refuses_to_start(session.home, daemon)
        return
    session.run()
    session.roomy &= limit >= RECOVERS
    assert set(session.refused) <= REFUSALS
    lives(session, daemon)
