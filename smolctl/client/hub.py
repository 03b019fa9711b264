"""The channel of this process to a stack, which all its TCP sockets share.

It is made with the first socket, and closed with the last one. A child that ``fork`` makes has none
of its parent's: connections that it inherits go on, and what needs the stack says ENOTCONN.
"""

import errno
import os
import select
from contextlib import suppress
from socket import socket as Raw
from threading import RLock
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from smolctl.client.control import Client
from smolctl.client.errors import GONE, gone, os_error
from smolctl.client.opening import open_channel
from smolctl.control import stream as wire
from smolctl.descriptors import receive_descriptors

_PATIENCE_S = 10.0
"""Time that a daemon may take to answer, seconds."""


class Ending:
    """The error that ended a connection, which all sockets share that have the connection.

    The program is told it once. ``holders`` is the number of those sockets.
    """

    def __init__(self) -> None:
        self.failed = False
        self.holders = 1
        self._error: OSError | None = None

    def fail(self, error: OSError) -> None:
        """Keep an error, the first, until the program asks."""
        if not self.failed:
            self.failed, self._error = True, error

    def take(self) -> OSError | None:
        """Return the error, unless the program was told."""
        error, self._error = self._error, None
        return error


class Hub:
    """One channel; several threads may use it.

    Args:
        stack: name of the stack.
        start: start its daemon when it is not running.
    """

    def __init__(self, stack: str, *, start: bool) -> None:
        self.stack = stack
        self._pid = os.getpid()
        self._lock = RLock()
        self._number = 0
        # Weakly: a socket that its program forgets is closed, as any other.
        self._sockets: WeakValueDictionary[int, Ending] = WeakValueDictionary()
        self._client = Client.connect(stack, start=start)
        try:
            opened = open_channel(self._client, "stream.open", wire.VERSION)
        except BaseException:
            self._client.close()
            raise
        self._channel = Raw(fileno=opened.channel)
        self._poll = select.poll()
        self._poll.register(self._channel, select.POLLIN)
        self.dead = False

    @property
    def mine(self) -> bool:
        """Whether this process made it."""
        return self._pid == os.getpid()

    def call(self, do: str, number: int, args: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        """Send a command about a socket, 0 for none; return the answer, and what is passed with it.

        Raises:
            OSError: the stack refused, or is gone; ENOTCONN, in a child of the process.
        """
        if not self.mine:
            raise OSError(
                errno.ENOTCONN, "a child process cannot command the sockets of its parent"
            )
        with self._lock:
            self._number += 1
            try:
                self._channel.send(wire.command(do, number, args, self._number))
                while True:
                    told, passed = self._receive()
                    if told.get("answer") == self._number:
                        break
            except OSError as error:
                if error.errno in GONE:
                    self.dead = True
                    raise gone(self.stack) from None
                raise
        if "error" in told:
            raise os_error(told["error"], self.stack)
        return told, passed

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        """Take one message, waiting for it; what is about a connection goes to its socket."""
        if not self._poll.poll(_PATIENCE_S * 1000):
            raise OSError(errno.ETIMEDOUT, f'the daemon of stack "{self.stack}" does not answer')
        message, passed = receive_descriptors(self._channel, wire.MAX_MESSAGE)
        if not message:
            raise OSError(errno.ECONNRESET, "")
        told = wire.parse_told(message)
        if "failed" in told:
            found = self._sockets.get(told["failed"])
            if found is not None:
                found.fail(os_error(told["error"], self.stack))
        return told, passed

    def look(self) -> None:
        """Take what was told of connections, without waiting."""
        if not self.mine:
            return
        with self._lock:
            try:
                while not self.dead and self._poll.poll(0):
                    self._receive()
            except OSError:
                self.dead = True

    def answers(self, number: int) -> bool:
        """Tell whether the daemon is there, by asking it something about a socket."""
        if self.mine and not self.dead:
            with suppress(OSError):  # a refusal is an answer as well: it may be closed there
                self.call("get", number, {"name": "keepalive"})
        return not self.dead

    def add(self, number: int) -> Ending:
        """Return where a socket is told of its errors."""
        ending = Ending()
        if self.mine:
            with self._lock:
                self._sockets[number] = ending
        return ending

    def drop(self, number: int, ending: Ending) -> None:
        """Forget a socket that is closed; the last one closes the channel."""
        ending.holders -= 1
        if ending.holders or not self.mine:
            return
        with _REGISTRY, self._lock:
            self._sockets.pop(number, None)
            if not self._sockets:
                self.close()

    def close(self) -> None:
        """Close the channel; the sockets that are left go on without it."""
        with _REGISTRY:
            self.dead = True
            if _hubs.get((self._pid, self.stack)) is self:
                del _hubs[self._pid, self.stack]
            self._channel.close()
            self._client.close()


_REGISTRY = RLock()
_hubs: dict[tuple[int, str], Hub] = {}


def _forked() -> None:
    """Have a lock that nobody holds, in a child: a thread of the parent may have had the other."""
    global _REGISTRY
    _REGISTRY = RLock()


os.register_at_fork(after_in_child=_forked)


class Opened(NamedTuple):
    """A new socket: the channel that it belongs to, its number there, and its descriptor."""

    hub: Hub
    number: int
    fd: int


def open_socket(stack: str, args: dict[str, Any], *, start: bool) -> Opened:
    """Open a socket of a stack by this process' channel; ``Hub.add`` it.

    Raises:
        OSError: EMFILE, the daemon or this process has no descriptor left.
        SmolctlError: as ``Client.connect``.
    """
    key = os.getpid(), stack
    with _REGISTRY:
        hub = _hubs.get(key)
        if hub is not None:
            hub.look()
            if hub.dead:  # its stack was stopped, and may have been started again
                hub.close()
                hub = None
        if hub is None:
            hub = _hubs[key] = Hub(stack, start=start)
        try:
            told, passed = hub.call("open", 0, args)
            if not passed:  # unix(7): the kernel drops what the process has no number for
                raise OSError(
                    errno.EMFILE, "this process has no descriptor left for the stack's socket"
                )
        except BaseException:
            if not hub._sockets:
                hub.close()
            raise
        return Opened(hub, told["socket"], passed[0])
