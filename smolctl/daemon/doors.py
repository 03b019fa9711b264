"""The sockets of programs: a descriptor each, by which datagrams come and go in batches.

A door is one end of a socket pair; the other goes to the program, by its control connection, or
beside a message through a door that it has. The loop never waits at a door: what the program does
not read stays in the stack's receive buffer, and a program that sends faster than the stack takes
waits in its own ``send``. The connections of TCP are pipes (``pipes.py``).
"""

import socket
from collections.abc import Iterator, Sequence

from smolctl.control.channel import MAX_MESSAGE
from smolctl.daemon.pipes import BUFFER, Pipe
from smolctl.daemon.poller import READ, WRITE, Poller
from smolctl.daemon.resources import Resources
from smolctl.errors import ControlError, SmolctlError
from smolctl.ops.job import ChannelUser, Passed, PipeUser

MAX_DOORS = 1024
MAX_PIPES = 16_384
A_TURN = 256
"""About how many datagrams a door lets in a turn: devices, timers and others get their share."""
_AT_ONCE, _LONG = 32, 512
"""Messages that the user gets at once, at most; one with more bytes than this is the last of them,
since it may hold many datagrams."""
_LONE = 4
"""Turns in which one message is read, after one came alone; few, as a turn costs four messages."""


class Door:
    """The daemon's end of one program's socket.

    Args:
        doors: those that it belongs to.
        inside: the daemon's end, not blocking.
        user: gets what the program sends.
        pid: the program's process.
    """

    def __init__(self, doors: "Doors", inside: socket.socket, user: ChannelUser, pid: int) -> None:
        self.pid = pid
        self._doors = doors
        self._socket = inside
        self._user = user
        self._mask = READ
        self._lone = 0
        self._left = False  # the program has closed its end
        self.closed = False

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._socket.fileno()

    def send(self, message: bytes, passed: Sequence[Passed] = ()) -> bool:
        """Send a message; when there is no room, return False and call the user when there is.

        Args:
            message: not empty.
            passed: ends of pairs that the program gets with it; they are closed here when it is
                sent.
        """
        if self.closed:
            return False
        try:
            if passed:
                socket.send_fds(self._socket, [message], [end.fileno() for end in passed])
            else:
                self._socket.send(message)
        except BlockingIOError:
            self._watch(READ | WRITE)
            return False
        except OSError:
            return False  # the program is gone, which the next read tells
        for end in passed:
            end.close()
        return True

    def open_pipe(self, user: PipeUser) -> tuple[Pipe, socket.socket]:
        """Return a pipe for a connection of the same program; errors as ``Doors.open_pipe``."""
        return self._doors.open_pipe(user, self.pid)

    def open_door(self, user: ChannelUser) -> "tuple[Door, socket.socket]":
        """Return another door for the same program; errors as ``Doors.open``."""
        return self._doors.open(user, self.pid)

    def shut(self) -> None:
        """Close it, and do not tell the user."""
        if not self.closed:
            self.closed = True
            self._doors.forget(self)
            self._socket.close()

    def ready(self, mask: int, now: int) -> None:
        """Take what the program sent, and give what waits for it."""
        try:
            if mask & WRITE:
                self._watch(READ)
                self._user.room(now)
            if mask & READ:
                self._read(now)
        except Exception as error:
            self._user.fail(self._doors.blame(error), now)
            self.close(now)

    def _read(self, now: int) -> None:
        if self._lone:
            # Whoever waits for each answer has sent no other: a read in vain costs as much as two.
            self._lone -= 1
            try:
                message = self._socket.recv(MAX_MESSAGE)
            except (BlockingIOError, ConnectionResetError):
                return
            if message:
                self._user.take((message,), now)
            else:
                self.close(now)
            return
        budget, count, last = A_TURN, 0, False
        while budget > 0 and not last and not self.closed:
            messages, last = self._receive(min(budget, _AT_ONCE))
            if messages:
                count += len(messages)
                budget -= self._user.take(messages, now)
        if last and self._left:
            self.close(now)
        elif last and count == 1:
            self._lone = _LONE

    def _receive(self, limit: int) -> tuple[list[bytes], bool]:
        """Return messages that are there, and whether these are all."""
        receive = self._socket.recv
        messages: list[bytes] = []
        for _ in range(limit):
            try:
                message = receive(MAX_MESSAGE)
            except BlockingIOError:
                return messages, True
            except ConnectionResetError:
                continue  # it left without reading all; what it sent before is still here
            if not message:
                self._left = True
                return messages, True
            messages.append(message)
            if len(message) > _LONG:
                break
        return messages, False

    def close(self, now: int) -> None:
        """Close it and tell the user; again does nothing."""
        if not self.closed:
            self.shut()
            self._user.hangup(now)

    def _watch(self, mask: int) -> None:
        if mask != self._mask:
            self._mask = mask
            self._doors.watch(self, mask)


class Doors:
    """All doors of one daemon, on its event loop.

    Args:
        poller: the loop's.
        resources: for errors, and for descriptors that may be taken.
    """

    def __init__(self, poller: Poller, resources: Resources) -> None:
        self._poller = poller
        self._resources = resources
        self._doors: set[Door] = set()
        self._pipes: set[Pipe] = set()

    def __iter__(self) -> Iterator[Door | Pipe]:
        yield from self._doors
        yield from self._pipes

    def open(self, user: ChannelUser, pid: int = 0) -> tuple[Door, socket.socket]:
        """Return a door, and the end of it that is for the program.

        Args:
            user: gets what the program sends.
            pid: the program's process.

        Raises:
            ControlError: there are too many, or no descriptors are left.
        """
        self._check(len(self._doors), MAX_DOORS)
        try:
            inside, outside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            inside.setblocking(False)
            door = Door(self, inside, user, pid)
            self._poller.register(door, READ, door.ready)
        except OSError as error:
            raise self._resources.blame("a program's socket", error) from None
        self._doors.add(door)
        return door, outside

    def open_pipe(self, user: PipeUser, pid: int) -> tuple[Pipe, socket.socket]:
        """Return a pipe, and the end of it that is for the program; see ``open``."""
        self._check(len(self._pipes), MAX_PIPES)
        try:
            inside, outside = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            inside.setblocking(False)
            for end in (inside, outside):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER // 2)
            pipe = Pipe(self, inside, user, pid)
            self._poller.register(pipe, 0, pipe.ready)
        except OSError as error:
            raise self._resources.blame("a program's connection", error) from None
        self._pipes.add(pipe)
        return pipe, outside

    def _check(self, number: int, limit: int) -> None:
        """See that there may be one more."""
        if number >= limit:
            who, end = self._resources.greediest()
            error = ControlError(
                f"programs have {limit} sockets open, which is the maximum{who}",
                hint=end or "smolctl socket show",
                code="too-many-sockets",
            )
            error.errno_name = "EMFILE"
            raise error
        self._resources.require()

    def watch(self, end: Door | Pipe, mask: int) -> None:
        """Have a door or a pipe called for other events."""
        self._poller.modify(end, mask)

    def unwatch(self, pipe: Pipe) -> None:
        """Have a pipe called no more: its other end is closed, which would be told for ever."""
        self._poller.unregister(pipe)

    def forget_pipe(self, pipe: Pipe, *, watched: bool) -> None:
        """Take a pipe out, just before it is closed."""
        self._pipes.discard(pipe)
        if watched:
            self._poller.unregister(pipe)

    def forget(self, door: Door) -> None:
        """Take a door out, just before it is closed."""
        self._doors.discard(door)
        self._poller.unregister(door)

    def blame(self, error: Exception) -> SmolctlError:
        """Log why a door is closed, and return it as the program is told."""
        if isinstance(error, SmolctlError):
            self._resources.log.warning(f"a program's socket was closed: {error.message}")
        return self._resources.blame("serving a program's socket", error)

    def close(self, now: int) -> None:
        """Close all doors and pipes."""
        for door in list(self._doors):
            door.close(now)
        for pipe in list(self._pipes):
            pipe.close()
