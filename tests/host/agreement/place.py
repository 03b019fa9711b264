"""A network namespace that a test makes, in which threads of the test work; it needs no name.

It lives as long as its descriptor, and a test run that is killed leaves nothing behind.
"""

import ctypes
import errno
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import groupby
from typing import TypeVar

from smolctl.device import rtnetlink
from smolctl.host.namespace import inside

_T = TypeVar("_T")
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> int:
    """Return what a call of libc returned.

    Raises:
        OSError: it was -1.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


class Place:
    """One network namespace."""

    def __init__(self) -> None:
        self.fd = -1
        thread = threading.Thread(target=self._make, name="place")
        thread.start()
        thread.join()
        if self.fd < 0:
            raise OSError(errno.EPERM, "cannot make a network namespace")

    def _make(self) -> None:
        checked(_LIBC.unshare(_CLONE_NEWNET))
        self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    @property
    def path(self) -> str:
        """The file by which this process may enter it."""
        return f"/proc/self/fd/{self.fd}"

    @property
    def outside_path(self) -> str:
        """The file by which other processes may enter it."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def inside(self, work: Callable[[], _T]) -> _T:
        """Return the result of a function that is called inside."""
        return inside(self.path, work)

    def ip(self, lines: Iterable[str]) -> list[str]:
        """Run lines of ``ip``, without that word, in order; return those that were refused."""
        refused: list[str] = []
        for option, group in groupby(lines, _family_option):
            commands = list(group)
            done = self.inside(partial(_batch, option, commands))
            refused += [
                commands[int(line.rpartition(":")[2]) - 1]
                for line in done.stderr.splitlines()
                if line.startswith("Command failed -:")
            ]
        return refused

    def sysctl(self, values: Mapping[str, str]) -> None:
        """Set sysctls, named as their files below /proc/sys/net.

        Raises:
            OSError: the kernel does not have or take it.
        """
        self.inside(lambda: _write(values))

    def move_here(self, index: int, other: "Place") -> None:
        """Move a link from another place into this one."""
        other.inside(lambda: rtnetlink.move(index, self.fd))

    def index(self, name: str) -> int:
        """Return the number of a link.

        Raises:
            OSError: there is none.
        """
        return self.inside(lambda: socket.if_nametoindex(name))

    def close(self) -> None:
        """Let go of it; the kernel removes it when nothing else holds it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _family_option(line: str) -> str:
    """Return the option with which a line begins: in a batch, lines have none."""
    return line[:2] if line.startswith(("-4", "-6")) else ""


def _batch(option: str, commands: list[str]) -> subprocess.CompletedProcess[str]:
    lines = [line.removeprefix(option) for line in commands]
    return subprocess.run(
        ["ip", *([option] if option else []), "-force", "-batch", "-"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _write(values: Mapping[str, str]) -> None:
    for key, value in values.items():
        with open(f"/proc/sys/net/{key}", "w") as file:
            file.write(value)
