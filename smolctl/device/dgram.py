"""Ethernet over Unix datagram sockets, one frame a datagram, as ``qemu -netdev dgram`` has it.

Each end has a socket of its own and sends to the other's. Nobody is told when the other end goes
away, so it is asked for now and then; it has carrier while its socket can be connected to.
"""

import errno
import os
import select
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from smolctl.device import Framed, unix
from smolctl.device.polled import Backoff, PolledDevice, is_frame
from smolctl.device.stream import RETRY_FIRST_NS, RETRY_MOST_NS
from smolctl.errors import DeviceError

PROBE_NS = 1_000_000_000
"""Time between two looks for a peer."""
QUEUE_FRAMES = 1000
QUEUE_BYTES = 2 << 20
"""Limits of what waits here: the kernel's queue to a peer that does not send to us holds ten."""

_READ_SIZE = 1 << 17
_BATCH = 64
# The other end is not there, or busy with somebody else (EPERM).
_ABSENT = (errno.ENOENT, errno.ECONNREFUSED, errno.EPERM, errno.EAGAIN)


class DgramDevice(PolledDevice):
    """A link over datagrams; see ``smolctl.device.Device`` for what its methods promise.

    Args:
        name: the interface's.
        mac, mtu: None for a random one, and for 1500 bytes.
        local: path of our socket, which is made here.
        remote: path of the other end's.

    Raises:
        DeviceError: with a one-line reason and what to do; nothing is left behind.
    """

    kind = "dgram"

    def __init__(
        self,
        name: str,
        *,
        mac: bytes | None = None,
        mtu: int | None = None,
        local: str,
        remote: str,
    ) -> None:
        super().__init__(name, mac, mtu)
        self._remote = remote
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._writing = False
        self._bad = 0
        self._retry = Backoff(RETRY_FIRST_NS, RETRY_MOST_NS)
        self._probe_ns: int | None = None
        self._bound: unix.BoundSocket | None = None
        try:
            unix.check_path(remote)
            self._bound = unix.bind(local, socket.SOCK_DGRAM)
            self._socket = self._bound.socket
            self._watch(self._socket.fileno(), select.EPOLLIN, self._on_ready)
            error = self._connect()
            if error and error not in _ABSENT:
                raise _cannot_send(remote, error)
        except BaseException:
            self.close()
            raise

    def transmit(self, frame: bytes) -> None:
        """Send one frame; see ``Device``."""
        if not is_frame(frame):
            raise OSError(errno.EINVAL, "shorter than an Ethernet header")
        if self.transmit_batch([frame]) == 0:
            if not self._carrier:
                raise OSError(errno.EIO, "nobody is there")
            raise BlockingIOError(errno.EAGAIN, "the other end does not read")

    def transmit_batch(self, items: Sequence[bytes | Framed]) -> int:
        """Send frames; see ``Device``."""
        if not self._carrier:
            return 0
        queue, taken = self._queue, 0
        for item in items:
            if len(queue) >= QUEUE_FRAMES or self._queued >= QUEUE_BYTES:
                self._flush()
                if len(queue) >= QUEUE_FRAMES or self._queued >= QUEUE_BYTES:
                    break
            frame = item if isinstance(item, bytes) else item.frame
            queue.append(frame)
            self._queued += len(frame)
            taken += 1
        if not self._writing:
            self._flush()
        return taken if self._carrier else 0

    def deadline(self) -> int | None:
        """Return when to look for the other end; see ``ActiveDevice``."""
        return self._probe_ns if self._carrier else self._retry.at_ns

    def turn(self, now: int) -> None:
        """Look for the other end; see ``ActiveDevice``."""
        if self._carrier:
            # Again to the one that we are connected to: that changes nothing if it is there.
            if self._probe_ns:
                self._connect()
            self._probe_ns = now + PROBE_NS
        elif self._retry.due(now):
            self._connect()

    def details(self) -> dict[str, Any]:
        """Return the two paths, and what waits; see ``Device``."""
        local = self._bound.path if self._bound else ""
        return {
            "local": local, "remote": self._remote, "connected": self._carrier,
            "queued": self._queued, "bad_frames": self._bad,
        }  # fmt: skip

    def _connect(self) -> int:
        """Connect to the other end's socket; return the error's number, 0 for none."""
        error = self._socket.connect_ex(self._remote)
        if error:
            self._lose(os.strerror(error))
            self._retry.want()
        elif not self._carrier:
            self._retry.succeeded()
            self._probe_ns = 0  # which is past: ``turn`` then knows the time
            self._set_carrier(True)
            self.report(f"connected: {self._remote}")
        return error

    def _lose(self, why: str) -> None:
        if self._carrier:
            self._queue.clear()
            self._queued = 0
            self._watch_room(False)
            self._set_carrier(False)
            self.report(f"lost the other end: {self._remote}: {why}")

    def _on_ready(self, mask: int) -> list[bytes]:
        frames: list[bytes] = []
        if mask & ~select.EPOLLOUT:
            frames = self._receive()
        if mask & select.EPOLLOUT:
            self._flush()
        return frames

    def _receive(self) -> list[bytes]:
        frames: list[bytes] = []
        try:
            for _ in range(_BATCH):
                frames.append(self._socket.recv(_READ_SIZE))
        except BlockingIOError:
            pass
        except OSError as error:
            # What became of something that was sent; the socket itself is well.
            self._lose(error.strerror or str(error))
            self._retry.want()
        if frames and not self._carrier:
            with suppress(OSError):
                self._connect()  # it speaks, so it is there
        good = [frame for frame in frames if is_frame(frame)]
        self._bad += len(frames) - len(good)
        return good

    def _flush(self) -> None:
        """Send what waits, as far as the other end has room."""
        queue, send = self._queue, self._socket.send
        try:
            while queue:
                send(queue[0])
                self._queued -= len(queue.popleft())
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ENOBUFS):
                self._lose(error.strerror or str(error))
                self._retry.want()
        self._watch_room(bool(queue))

    def _watch_room(self, on: bool) -> None:
        if self._writing != on:
            self._writing = on
            events = select.EPOLLIN | (select.EPOLLOUT if on else 0)
            self._rewatch(self._socket.fileno(), events)

    def _release(self) -> None:
        if self._bound is not None:
            self._bound.close()


def _cannot_send(path: str, error: int) -> DeviceError:
    problem, hint = os.strerror(error), None
    if error == errno.EACCES:
        problem, hint = "no permission", f"sudo chown $USER {path}"
    elif error in (errno.EPROTOTYPE, errno.ENOTSOCK):
        problem, hint = "it is not a datagram socket", "smolctl link add NAME type stream ..."
    result = DeviceError(f"cannot send to {path}: {problem}", hint=hint)
    result.errno_name = errno.errorcode.get(error)
    return result
