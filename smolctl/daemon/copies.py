"""Copies of the daemon, which do what takes long while the daemon itself goes on.

fork(2) gives a copy of the whole stack as it is at one instant, in a millisecond for each 100 MiB:
what both have is shared until one of them changes it. The copy closes all that it got from the
daemon, writes its answer into a pipe and ends. It never becomes a stack: it has no devices.

What a copy works out for the daemon itself comes by a pair of sockets, so that the copy can ask.
"""

import gc
import marshal
import os
import signal
import socket
from collections.abc import Callable, Iterator
from itertools import islice
from struct import Struct
from time import thread_time_ns
from typing import BinaryIO, NamedTuple, NoReturn

from smolctl.control import messages
from smolctl.control.codec import whole_frames
from smolctl.daemon.lifecycle import close_all_but
from smolctl.daemon.poller import READ, Poller
from smolctl.daemon.resources import Resources
from smolctl.errors import ControlError, SmolctlError
from smolctl.ops.aside import Aside, CopyUser, Work

MAX_COPIES = 16
"""Most at a time, each a process."""
_CHUNK_ROWS = 200
_READ_SIZE = 1 << 16
_END = b"\0\0\0\0"
"""The last thing in the pipe, a frame of no length: without it the copy died early."""
_HEAD = Struct("=cI")
"""Of a message to the daemon: what it is, and its length."""
_RESULT, _QUESTION, _DONE, _FAILED = b"r", b"q", b"d", b"f"
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Started(NamedTuple):
    """A copy that was started: our end of what leads to it, and its process."""

    fd: int
    pid: int
    pidfd: int


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
        started = self._start(_pipe, lambda pipe: pipe.writelines(self._frames(number, answer)))
        copy = Copy(self._poller, started.fd, started.pid, wake)
        self._watch(copy, started.pidfd)
        return copy

    def work(self, work: Work, user: CopyUser) -> "Worker":
        """Start a copy that works for the daemon; see ``DaemonInfo.copy``."""
        started = self._start(_pair, lambda pipe: self._work(pipe, work))
        worker = Worker(self._poller, started.fd, started.pid, user, self._resources)
        self._watch(worker, started.pidfd)
        return worker

    def _start(
        self, ends: Callable[[], tuple[int, int]], be: Callable[[BinaryIO], None]
    ) -> _Started:
        """Start a copy.

        Args:
            ends: makes our end and its end of what connects us.
            be: is run by the copy, on its end.
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
            opened += ends()
            pid = os.fork()
            if pid == 0:
                self._be(opened[1], be)
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
        return _Started(opened[0], pid, opened[2])

    def _watch(self, copy: "Copy | Worker", pidfd: int) -> None:
        self._poller.register(pidfd, READ, lambda _mask, _now: self._ended(copy, pidfd))

    def _ended(self, copy: "Copy | Worker", pidfd: int) -> None:
        self._poller.unregister(pidfd)
        os.close(pidfd)
        os.waitpid(copy.pid, 0)
        copy.alive = False
        self._running -= 1

    def _be(self, end: int, be: Callable[[BinaryIO], None]) -> NoReturn:
        """Be the copy, and end."""
        try:
            gc.disable()  # nothing of the daemon is garbage here, and to look would copy it
            self._resources.log.close()  # standard error is the same file
            signal.set_wakeup_fd(-1)
            for each in _SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            close_all_but(end)
            os.set_blocking(end, True)
            with open(end, "wb") as pipe:
                be(pipe)
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
        yield _END

    def _work(self, pipe: BinaryIO, work: Work) -> None:
        """Write the results of work."""
        try:
            for result in work(_Outside(pipe)):
                pipe.write(_HEAD.pack(_RESULT, len(result)) + result)
            pipe.write(_HEAD.pack(_DONE, 0))
        except SmolctlError as error:
            pipe.write(_failure(error))
        except Exception as error:
            pipe.write(_failure(self._resources.blame("working in a copy", error)))


class _Outside:
    """The surroundings of a copy; see ``ops.aside.Outside``."""

    spent_ns = staticmethod(thread_time_ns)

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe

    def ask(self, question: bytes) -> bytes:
        """Put a question to the daemon, and wait for its answer."""
        self._pipe.write(_HEAD.pack(_QUESTION, len(question)) + question)
        self._pipe.flush()
        with open(self._pipe.fileno(), "rb", buffering=0, closefd=False) as answers:
            _, size = _HEAD.unpack(_read(answers, _HEAD.size))
            return _read(answers, size)


def _pipe() -> tuple[int, int]:
    return os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)


def _pair() -> tuple[int, int]:
    ours, theirs = socket.socketpair(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    return ours.detach(), theirs.detach()


def _read(file: BinaryIO, size: int) -> bytes:
    """Return so many bytes.

    Raises:
        OSError: there are fewer.
    """
    data = b""
    while len(data) < size:
        more = file.read(size - len(data))
        if not more:
            raise OSError("the daemon went away")
        data += more
    return data


def _failure(error: SmolctlError) -> bytes:
    told = marshal.dumps(error.to_dict())
    return _HEAD.pack(_FAILED, len(told)) + told


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


class Worker:
    """One copy that works for the daemon, seen from there.

    Args:
        poller: watches the socket.
        fd: our end of it, not blocking.
        pid: of the copy.
        user: is told of what comes.
        resources: for errors.
    """

    def __init__(
        self, poller: Poller, fd: int, pid: int, user: CopyUser, resources: Resources
    ) -> None:
        self._poller = poller
        self._fd = fd
        self.pid = pid
        self.alive = True
        """As that of ``Copy``."""
        self._user = user
        self._resources = resources
        self._buffer = bytearray()
        self._closed = False
        poller.register(fd, READ, self._readable)

    def _readable(self, _mask: int, now: int) -> None:
        try:
            data = os.read(self._fd, _READ_SIZE)
            self._buffer += data
            last = self._take()
        except BlockingIOError:
            return
        except Exception as error:
            last = _FAILED, self._resources.blame("taking what a copy has worked out", error)
        if last is None and not data:
            died = "the copy of the stack that was at work died"
            last = _FAILED, ControlError(died, code="internal")
        if last is not None and not self._closed:
            self.close()
            self._user.copy_ended(last[1], now)

    def _take(self) -> tuple[bytes, SmolctlError | None] | None:
        """Take the messages that are there; return the last one if it has come, and its error."""
        at = 0
        while len(self._buffer) >= at + _HEAD.size:
            what, size = _HEAD.unpack_from(self._buffer, at)
            begin, end = at + _HEAD.size, at + _HEAD.size + size
            if len(self._buffer) < end:
                break
            body, at = bytes(self._buffer[begin:end]), end
            if what == _RESULT:
                self._user.took(body)
            elif what == _QUESTION:
                answer = self._user.asked(body)
                os.write(self._fd, _HEAD.pack(_QUESTION, len(answer)) + answer)
            else:
                return what, None if what == _DONE else SmolctlError.from_dict(marshal.loads(body))
        del self._buffer[:at]
        return None

    def close(self) -> None:
        """End the copy, if it has not ended by itself; again does nothing."""
        if not self._closed:
            self._closed = True
            self._poller.unregister(self._fd)
            os.close(self._fd)
            if self.alive:
                os.kill(self.pid, signal.SIGKILL)
