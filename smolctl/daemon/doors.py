"""The sockets of programs: a descriptor each, by which datagrams come and go in batches.

A door is one end of a socket pair; the other goes to the program, by its control connection. The
loop never waits at a door: what the program does not read stays in the stack's receive buffer, and
a program that sends faster than the stack takes waits in its own ``send``.
"""

import socket
from collections.abc import Iterator

from smolctl.control.channel import MAX_MESSAGE
from smolctl.daemon.poller import READ, WRITE, Poller
from smolctl.daemon.resources import Resources
from smolctl.errors import ControlError, SmolctlError
from smolctl.ops.job import ChannelUser

MAX_DOORS = 1024
A_TURN = 256
"""About how many datagrams a door lets in a turn: devices, timers and others get their share."""


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
        self.closed = False

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._socket.fileno()

    def send(self, message: bytes) -> bool:
        """Send a message; when there is no room, return False and call the user when there is."""
        if self.closed:
            return False
        try:
            self._socket.send(message)
        except BlockingIOError:
            self._watch(READ | WRITE)
            return False
        except OSError:
            return False  # the program is gone, which the next read tells
        return True

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
        budget = A_TURN
        while budget > 0 and not self.closed:
            try:
                message = self._socket.recv(MAX_MESSAGE)
            except BlockingIOError:
                return
            except ConnectionResetError:
                # It left without reading all; what it sent before is still here.
                budget -= 1
                continue
            if not message:
                self.close(now)
                return
            budget -= self._user.take(message, now)

    def close(self, now: int) -> None:
        """Close it and tell the user; again does nothing."""
        if not self.closed:
            self.closed = True
            self._doors.forget(self)
            self._socket.close()
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

    def __iter__(self) -> Iterator[Door]:
        return iter(self._doors)

    def open(self, user: ChannelUser, pid: int = 0) -> tuple[Door, socket.socket]:
        """Return a door, and the end of it that is for the program.

        Args:
            user: gets what the program sends.
            pid: the program's process.

        Raises:
            ControlError: there are too many, or no descriptors are left.
        """
        if len(self._doors) >= MAX_DOORS:
            who, end = self._resources.greediest()
            raise ControlError(
                f"programs have {MAX_DOORS} sockets open, which is the maximum{who}",
                hint=end or "smolctl socket show",
                code="too-many-sockets",
            )
        self._resources.require()
        try:
            inside, outside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            inside.setblocking(False)
            door = Door(self, inside, user, pid)
            self._poller.register(door, READ, door.ready)
        except OSError as error:
            raise self._resources.blame("a program's socket", error) from None
        self._doors.add(door)
        return door, outside

    def watch(self, door: Door, mask: int) -> None:
        """Have a door called for other events."""
        self._poller.modify(door, mask)

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
        """Close all doors."""
        for door in list(self._doors):
            door.close(now)
