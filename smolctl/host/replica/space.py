"""A network namespace without a name, and the links in it whose other ends this process holds."""

import ctypes
import os
import struct
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from fcntl import ioctl
from itertools import groupby
from typing import TypeVar

from smolctl.errors import DeviceError
from smolctl.host.namespace import inside

_T = TypeVar("_T")
_CLONE_NEWNET = 0x40000000
# linux/if_tun.h
_SET_IFF, _SET_CARRIER = 0x400454CA, 0x400454E2
_TUN, _TAP, _NO_PI = 0x1, 0x2, 0x1000
_IFREQ = struct.Struct("16sH22x")
_FRAME_MAX = 70_000
_PATIENCE_S = 30


class Space:
    """A namespace that lives as long as its descriptor.

    Raises:
        DeviceError: it may not be made: that needs root, and the program ip.
    """

    def __init__(self) -> None:
        self._fd = -1
        thread = threading.Thread(target=self._make, name="replica")
        thread.start()
        thread.join()
        if self._fd < 0:
            raise DeviceError("a copy of the namespace needs root", hint="sudo smolctl why --host")

    def _make(self) -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) == 0:
            self._fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    @property
    def path(self) -> str:
        """The file by which this process enters it."""
        return f"/proc/self/fd/{self._fd}"

    def inside(self, work: Callable[[], _T]) -> _T:
        """Return the result of a function that is called inside."""
        return inside(self.path, work)

    def ip(self, lines: Iterable[str]) -> None:
        """Run lines of ``ip``, without that word; what it refuses is seen when all is compared.

        Raises:
            DeviceError: there is no such program.
        """
        for option, group in groupby(lines, lambda line: "-6" if line.startswith("-6 ") else "-4"):
            text = "\n".join(line.removeprefix("-6 ") for line in group) + "\n"
            self.inside(lambda option=option, text=text: _batch(option, text))  # type: ignore[misc]

    def set(self, values: Mapping[str, str]) -> None:
        """Set sysctls, by their files below /proc/sys/net, as far as the kernel takes them."""
        self.inside(lambda: _write(values))

    def close(self) -> None:
        """Let go of it; the kernel removes it with all that is in it."""
        os.close(self._fd)


def _batch(option: str, text: str) -> None:
    argv = ["ip", option, "-force", "-batch", "-"]
    try:
        subprocess.run(argv, input=text, capture_output=True, text=True, timeout=_PATIENCE_S)
    except FileNotFoundError:
        raise DeviceError("a copy of the namespace needs the program ip (iproute2)") from None


def _write(values: Mapping[str, str]) -> None:
    for path, value in values.items():
        with suppress(OSError), open(f"/proc/sys/net/{path}", "w") as file:
            file.write(value)


class Wire:
    """The other end of a link.

    Attributes:
        name: of the link.
        linked: its frames have Ethernet headers.
    """

    def __init__(self, space: Space, name: str, *, linked: bool, carrier: bool) -> None:
        self.name, self.linked = name, linked
        self._fd = space.inside(lambda: _open(name, linked, carrier))

    def frames(self) -> Iterator[bytes]:
        """Yield what has left by the link since the last time."""
        with suppress(OSError):  # there is no more, or the link is down
            while True:
                yield os.read(self._fd, _FRAME_MAX)

    def inject(self, frame: bytes) -> None:
        """Let a frame come in; a link that is down takes none."""
        with suppress(OSError):
            os.write(self._fd, frame)

    def close(self) -> None:
        """Let go of it, and of the link."""
        os.close(self._fd)


def _open(name: str, linked: bool, carrier: bool) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    ioctl(fd, _SET_IFF, _IFREQ.pack(name.encode(), (_TAP if linked else _TUN) | _NO_PI))
    ioctl(fd, _SET_CARRIER, struct.pack("i", carrier))
    return fd
