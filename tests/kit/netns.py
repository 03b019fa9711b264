"""Network namespaces: the Linux kernel's own stack as the peer in end-to-end tests.

Mark such tests ``@pytest.mark.netns("ping", "tcpdump")`` with the tools that they use: without root
or one of the tools they are skipped with the reason, except in CI as root, where they fail.
"""

import ctypes
import fcntl
import itertools
import os
import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

from smolctl.host.namespace import inside
from tests.kit import process
from tests.kit.process import Background

# Debian keeps arping and ip in sbin, which is not on everybody's PATH.
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
_ENVIRON = {**os.environ, "PATH": PATH}

_PREFIX = "smolctl-t"
_counter = itertools.count(1)
T = TypeVar("T")

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET, _MS_BIND, _MNT_DETACH = 0x40000000, 0x1000, 2
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1


def unmet(*tools: str) -> str | None:
    """Return why a test that needs root and these tools cannot run here, or None when it can."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    missing = [tool for tool in ("ip", *tools) if shutil.which(tool, path=PATH) is None]
    if missing:
        return f"needs {', '.join(missing)} (as root: make deps)"
    return None


def require_root_and(*tools: str) -> None:
    """Skip the test unless it runs as root and has these tools; in CI as root, fail instead."""
    reason = unmet(*tools)
    if reason is None:
        return
    if os.environ.get("CI") == "true" and os.geteuid() == 0:
        pytest.fail(reason)
    pytest.skip(reason)


class Namespace:
    """A network namespace of its own, with ``lo`` up, that lasts until ``close``.

    Attributes:
        name: as ``ip netns`` knows it; holds our process number, so that two test runs and what a
            killed run left behind are told apart.
        path: the file by which it can be entered.
    """

    def __init__(self) -> None:
        self.name = f"{_PREFIX}{os.getpid()}-{next(_counter)}"
        self._background: list[Background] = []
        self.path = _make(self.name)
        self.within(_loopback_up)

    def within(self, work: Callable[[], T]) -> T:
        """Return the result of a function that is called inside, by a thread of this process.

        A socket that it makes stays inside, whichever thread uses it.
        """
        return inside(self.path, work)

    def inside(self, *argv: str) -> list[str]:
        """Return the command that runs ``argv`` inside; the process that it starts becomes it."""
        return ["ip", "netns", "exec", self.name, *argv]

    def run(
        self, *argv: str, check: bool = False, input: str | None = None, timeout: float = 30
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end, as ``process.run`` does."""
        # ip goes there by itself, which takes one process less than half as long.
        inside = ["ip", "-n", self.name, *argv[1:]] if argv[0] == "ip" else self.inside(*argv)
        return process.run(inside, check=check, input=input, timeout=timeout, env=_ENVIRON)

    def popen(self, *argv: str, stdin: bool = False) -> Background:
        """Start a command inside that is killed with the namespace at the latest."""
        background = Background(self.inside(*argv), env=_ENVIRON, stdin=stdin)
        self._background.append(background)
        return background

    def tcpdump(self, dev: str, *expression: str) -> Background:
        """Start tcpdump on a device and wait until it captures; one line of stdout a packet."""
        argv = ("tcpdump", "-l", "-n", "-e", "--immediate-mode", "-i", dev, *expression)
        background = self.popen(*argv)
        background.wait_for("listening on")
        return background

    def wait_for_addresses(self) -> None:
        """Wait until no IPv6 address is tentative any more."""
        show = ("ip", "-6", "addr", "show", "tentative")
        process.wait_until(lambda: not self.run(*show).stdout, "addresses are tested")

    def close(self) -> None:
        """End what was started inside and remove the namespace; devices inside go with it."""
        for background in self._background:
            background.close()
        # A process that someone else left inside would keep the namespace alive without a name.
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        _remove(self.path)

    def pids(self) -> list[int]:
        """Return the processes inside."""
        ours, found = os.stat(self.path).st_ino, []
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            # OSError: it ended meanwhile.
            with suppress(OSError):
                if os.stat(f"/proc/{pid}/ns/net").st_ino == ours:
                    found.append(int(pid))
        return found


# --- ip netns add and del, without the processes -------------------------------------------------


@cache
def _ready() -> None:
    """Have ip make the directory of namespaces a mount that others share, as it does at first."""
    probe = f"{_PREFIX}{os.getpid()}-0"
    for verb in ("add", "del"):
        process.run(["ip", "netns", verb, probe], check=True, env=_ENVIRON)


def _make(name: str) -> str:
    """Make a namespace with a name, as ``ip netns add`` does; return its path."""
    _ready()
    path = f"/run/netns/{name}"

    def work() -> None:
        _checked(_LIBC.unshare(_CLONE_NEWNET))
        _checked(_LIBC.mount(b"/proc/thread-self/ns/net", path.encode(), b"none", _MS_BIND, None))

    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0))
    try:
        inside("/proc/self/ns/net", work)
    except OSError:
        os.unlink(path)
        raise
    return path


def _remove(path: str) -> None:
    """Remove a namespace's name, as ``ip netns del`` does; it may be gone already."""
    _LIBC.umount2(path.encode(), _MNT_DETACH)
    with suppress(FileNotFoundError):
        os.unlink(path)


def _loopback_up() -> None:
    """Set ``lo`` up, netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unique_device(prefix: str = "t") -> str:
    """Return a device name that no other test run uses, for a device outside of a namespace.

    Linux allows 15 characters; a prefix of up to 4 leaves room for any process number.
    """
    return f"{prefix}{os.getpid()}-{next(_counter)}"


def names() -> list[str]:
    """Return the names of all namespaces that some test run made."""
    return [path.name for path in Path("/run/netns").glob(f"{_PREFIX}*")]


def sweep() -> None:
    """Remove the namespaces of test runs that were killed."""
    for name in names():
        owner = re.match(rf"{_PREFIX}(\d+)-", name)
        if owner and not Path("/proc", owner[1]).exists():
            _remove(f"/run/netns/{name}")  # another worker may have been quicker


@pytest.fixture(scope="session")
def _swept() -> None:
    sweep()


@pytest.fixture
def netns_factory(_swept: None) -> Iterator[Callable[[], Namespace]]:
    """Make any number of namespaces, all removed after the test."""
    require_root_and()
    made: list[Namespace] = []

    def make() -> Namespace:
        made.append(Namespace())
        return made[-1]

    yield make
    for namespace in made:
        namespace.close()


@pytest.fixture
def netns(netns_factory: Callable[[], Namespace]) -> Namespace:
    """Make one namespace, removed after the test."""
    return netns_factory()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Check the needs of a test marked ``netns`` before its fixtures are made."""
    for marker in item.iter_markers("netns"):
        require_root_and(*marker.args)
