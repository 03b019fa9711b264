"""Copies of the daemon, which answer what takes long while the daemon itself goes on.

fork(2) gives a copy of the whole stack as it is at one instant, in a millisecond for each 100 MiB:
what both have is shared until one of them changes it. The copy closes all that it got from the
daemon, writes its answer into a pipe and ends. It never becomes a stack: it has no devices.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NoReturn

from smolctl.control import messages
from smolctl.control.codec import whole_frames
from smolctl.daemon.lifecycle import close_all_but
from smolctl.daemon.poller import READ, Poller
from smolctl.daemon.resources import Resources
from smolctl.errors import ControlError, SmolctlError
from smolctl.ops.aside import Aside

MAX_COPIES = 16
"""Most at a time, each a process."""
_CHUNK_ROWS = 200
_READ_SIZE = 1 << 16
_END = b"\0\0\0\0"
"""The last thing in the pipe, a frame of no length: without it the copy died early."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Copies:
    """The copies of one daemon.

    Args:
        poller: tells when one has written something, or has ended.
        resources: for errors.
    """

    def __init__(self, poller: Poller, resources: Resources) -> None:
        self._poller = poller
        self._resources = resources
        self._running = 0

    def begin(self, number: int, answer: Aside, wake: Callable[[int], None]) -> "Copy":
        """Start a copy that makes an answer.

        Args:
            number: of the request.
            answer: what it makes.
            wake: is called with the time when ``Copy.take`` has something.

        Raises:
            ControlError: there are too many, or the machine refuses one more.
        """
        if self._running >= MAX_COPIES:
            raise ControlError(
                f"{MAX_COPIES} long answers are being made already",
                hint="try again when one of them is there",
                code="too-many-requests",
            )
        opened: list[int] = []
        pid = -1
        try:
            opened += os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            pid = os.fork()
            if pid == 0:
                self._answer(opened[1], number, answer)
            opened.append(os.pidfd_open(pid))
        except OSError as error:
            for fd in opened:
                os.close(fd)
            if pid > 0:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            raise self._resources.lack(error, "a long answer") or ControlError(
                f"no copy of the stack can be made to answer: {error.strerror}",
                code="too-many-requests",
            ) from None
        os.close(opened[1])
        self._running += 1
        copy = Copy(self._poller, opened[0], pid, wake)
        self._poller.register(opened[2], READ, lambda _mask, _now: self._ended(copy, opened[2]))
        return copy

    def _ended(self, copy: "Copy", pidfd: int) -> None:
        self._poller.unregister(pidfd)
        os.close(pidfd)
        os.waitpid(copy.pid, 0)
        copy.alive = False
        self._running -= 1

    def _answer(self, writer: int, number: int, answer: Aside) -> NoReturn:
        """Be the copy: write the frames of an answer, and end."""
        try:
            gc.disable()  # nothing of the daemon is garbage here, and to look would copy it
            self._resources.log.close()  # standard error is the same file
            signal.set_wakeup_fd(-1)
            for each in _SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            close_all_but(writer)
            os.set_blocking(writer, True)
            with open(writer, "wb") as pipe:
                pipe.writelines(self._frames(number, answer))
                pipe.write(_END)
        except OSError:
            pass  # nobody wants the answer any more
        finally:
            os._exit(0)

    def _frames(self, number: int, answer: Aside) -> Iterator[bytes]:
        """Yield the frames of an answer."""
        try:
            rows = iter(answer)
            while chunk := list(islice(rows, _CHUNK_ROWS)):
                yield messages.rows(number, chunk)
            yield messages.done(number, {})
        except SmolctlError as error:
            yield messages.error(number, error)
        except Exception as error:
            yield messages.error(number, self._resources.blame("answering in a copy", error))


class Copy:
    """One copy, seen from the daemon: where its answer comes from.

    Args:
        poller: watches the pipe.
        pipe: its reading end, not blocking.
        pid: of the copy.
        wake: see ``Copies.begin``.
    """

    def __init__(self, poller: Poller, pipe: int, pid: int, wake: Callable[[int], None]) -> None:
        self._poller = poller
        self._pipe = pipe
        self.pid = pid
        self.alive = True
        """It has not ended, or nobody has taken note; after that its number may be another's."""
        self._wake = wake
        self._watched = False
        self._buffer = bytearray()
        self.ended = False
        """All of the answer was taken."""

    def take(self) -> bytes:
        """Return the next frames of the answer, whole ones; none when there are none yet.

        Raises:
            ControlError: there will be none, the copy died.
        """
        try:
            data = os.read(self._pipe, _READ_SIZE)
        except BlockingIOError:
            return b""
        if not data:
            raise ControlError("the copy of the stack that made the answer died", code="internal")
        self._buffer += data
        size = whole_frames(self._buffer)
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        if taken.endswith(_END):
            self.ended = True
            return taken[: -len(_END)]
        return taken

    def watch(self, wanted: bool) -> None:
        """Say whether to be woken when there is something to take."""
        if wanted != self._watched:
            self._watched = wanted
            if wanted:
                self._poller.register(self._pipe, READ, lambda _mask, now: self._wake(now))
            else:
                self._poller.unregister(self._pipe)

    def close(self) -> None:
        """End the copy, if it has not ended by itself."""
        self.watch(False)
        os.close(self._pipe)
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
