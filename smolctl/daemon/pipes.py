"""The connections of programs: a pair of SOCK_STREAM sockets each, one end of which is here.

The loop never waits at a pipe. What the program does not read stays in the stack, which closes the
window; what the stack has no room for stays in the pair, where the program waits in its ``send``.

The program's end of a pair cannot be written to before its connection is open: it sends some bytes
first and makes its buffer so small that they fill it, and they are skipped here when it is time.
So ``poll`` and asyncio learn that a connection is open as they do from the kernel.
"""

import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from smolctl.daemon.poller import READ, WRITE
from smolctl.errors import SmolctlError
from smolctl.ops.job import Buffer, PipeUser

A_TURN = 1 << 18
"""Bytes that a pipe lets in at once, and little more in a turn: others get their share."""
BUFFER = 1 << 20
"""Bytes that wait in a pair, in each direction, before a program is told to wait.

What waits there needs no turn of its own, and is read and written in large pieces.
"""
_FEW = 1 << 14
"""Bytes that are read of a pipe which had fewer the last time: memory for many costs more."""


class Keeper(Protocol):
    """The keeper of all pipes, who watches them on the event loop."""

    def watch(self, end: "Pipe", mask: int) -> None:
        """Have a pipe called for other events."""

    def unwatch(self, pipe: "Pipe") -> None:
        """Have a pipe called no more."""

    def forget_pipe(self, pipe: "Pipe", *, watched: bool) -> None:
        """Take a pipe out, just before it is closed."""

    def blame(self, error: Exception) -> SmolctlError:
        """Log why a pipe is closed, and return it as the program is told."""


class Pipe:
    """The daemon's end of one connection of a program.

    Args:
        keeper: of it and the others.
        inside: the daemon's end, not blocking.
        user: gets what the program sends.
        pid: the program's process.
    """

    def __init__(self, keeper: Keeper, inside: socket.socket, user: PipeUser, pid: int) -> None:
        self.pid = pid
        self.closed = False
        self._keeper, self._socket, self._user = keeper, inside, user
        self._mask = 0
        self._size = _FEW  # bytes that are read at once
        self._started = False
        self._half = False  # the program sends no more
        self._gone = False  # the program has closed its end, and some of what it sent is here

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._socket.fileno()

    # --- to the program ---------------------------------------------------------------------------

    def start(self, skip: int, now: int) -> None:
        """Let data flow: the connection is open.

        Args:
            skip: bytes that the program has sent before, which are none of the stream's.
        """
        if skip and not self.closed:
            self._socket.recv(skip)
        self._started = True
        self.resume(now)

    def write(self, buffers: Sequence[Buffer]) -> int:
        """Give the program bytes; return how many, and call ``room`` when there is room for more.

        A program that reads no more is said to have taken them all, and ``deaf`` is called.
        """
        size = sum(map(len, buffers))
        if self.closed:
            return size
        try:
            if len(buffers) == 1:
                taken = self._socket.send(buffers[0])
            else:
                taken = self._socket.sendmsg(buffers[:_IOV_MAX])
        except BlockingIOError:
            taken = 0
        except OSError:  # it has shut down reading, or is gone
            self._user.deaf()
            return size
        if taken < size:
            self._watch(self._mask | WRITE)
        return taken

    def end(self) -> None:
        """Let the program read the end of the stream."""
        if not self.closed:
            with suppress(OSError):  # it is gone, which the next event tells
                self._socket.shutdown(socket.SHUT_WR)

    # --- from the program -------------------------------------------------------------------------

    def resume(self, now: int) -> None:
        """Go on taking what the program sends, as far as its user wants it."""
        if self.closed or self._half or not self._started:
            return
        if self._gone:
            self._read(now)
        elif not self._mask & READ and self._user.wants(1) > 0:
            self._watch(self._mask | READ)

    def ready(self, mask: int, now: int) -> None:
        """Take what the program sent, and give what waits for it."""
        try:
            if mask & WRITE:
                self._watch(self._mask & ~WRITE)
                self._user.room(now)
            if self.closed:
                return
            if mask & READ:
                self._read(now)
            elif not mask:
                self._hung_up(now)
        except Exception as error:
            problem = self._keeper.blame(error)
            self.close()
            self._user.fail(problem, now)

    def _read(self, now: int) -> None:
        while not self.closed:
            limit = self._size
            size = self._user.wants(limit)
            if size <= 0:
                self._watch(self._mask & ~READ)
                return
            try:
                data = self._socket.recv(size)
            except BlockingIOError:
                return
            except OSError:  # it left without reading all
                self._leave(True, now)
                return
            if not data:
                self._end(now)
                return
            self._user.take(data, now)
            self._size = A_TURN if len(data) >= _FEW else _FEW
            if (len(data) < size or limit == A_TURN) and not self._gone:
                return  # there is no more, or enough; the loop tells of the rest, and of an end

    def _end(self, now: int) -> None:
        """Take the end of what the program sends: it shut down sending, or closed its socket."""
        if self._gone or _is_gone(self._socket):
            self._leave(False, now)
            return
        self._half = True
        self._watch(self._mask & ~READ)
        self._user.ended(now)

    def _hung_up(self, now: int) -> None:
        """Take that the program has closed its end, while nothing is read from it.

        What it sent before and the stack has no room for is read as there is room.
        """
        if self._half or not self._started:
            unread = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
            self._leave(unread, now)
        else:
            self._gone = True
            self._keeper.unwatch(self)
            self._read(now)

    def _leave(self, unread: bool, now: int) -> None:
        self.close()
        self._user.hangup(now, unread=unread)

    def close(self) -> None:
        """Close it; again does nothing."""
        if not self.closed:
            self.closed = True
            self._keeper.forget_pipe(self, watched=not self._gone)
            self._socket.close()

    def _watch(self, mask: int) -> None:
        if mask != self._mask:
            self._mask = mask
            if not self._gone:
                self._keeper.watch(self, mask)


_IOV_MAX = 1024


def _is_gone(end: socket.socket) -> bool:
    """Tell whether the other end of a pair is closed, not only shut down for sending."""
    poll = select.poll()
    poll.register(end, 0)
    return bool(poll.poll(0))
