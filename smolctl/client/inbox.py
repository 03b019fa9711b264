"""The inbox of a stack's socket: datagrams received, and not yet taken by the program."""

import os
import select
import socket
from _socket import socket as Raw
from collections.abc import Callable
from threading import Lock

from smolctl.client.errors import GONE, gone, os_error
from smolctl.control import channel

MAX_NAMES = 4096
"""Senders whose addresses are kept as text; all are forgotten when there are more."""

_receive = Raw.recv
"""The call of the kernel's sockets; that of a stack's socket takes datagrams from the inbox."""

# Not the flags of ``socket``: combining them costs a microsecond.
_DONTWAIT, _PEEK = int(socket.MSG_DONTWAIT), int(socket.MSG_PEEK)

Address = tuple[str, int] | tuple[str, int, int, int]
"""IPv4 address and port; or IPv6 address, port, 0 and the number of the interface that is its zone
(sin6_flowinfo and sin6_scope_id, RFC 3493 3.3)."""


class Inbox:
    """Datagrams of one channel, in their order.

    A message stays the first in the channel until its last datagram is taken: so the descriptor is
    readable as long as there is a datagram, and who waits for it with ``select`` or asyncio misses
    none. Several threads may use it. The channel is an argument of each call: it has the inbox, and
    would never be closed if the inbox had it, too.

    Args:
        fd: descriptor of the channel.
        family: AF_INET or AF_INET6, of which addresses are.
        stack: name of the stack, for errors.
        on_error: called before an error of the stack's is raised.
    """

    def __init__(self, fd: int, family: int, stack: str, on_error: Callable[[], None]) -> None:
        self._family = family
        self._stack = stack
        self._on_error = on_error
        self._lock = Lock()
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._names: dict[tuple[int, int, int], Address] = {}
        # Of the first message: all datagrams, and the next one to be taken.
        self._got: list[tuple[bytes, Address]] = []
        self._next = 0

    def take(self, source: Raw, *, wait: bool = True, peek: bool = False) -> tuple[bytes, Address]:
        """Return the next datagram, waiting for it as the channel's timeout says.

        Args:
            source: the channel.
            wait: False waits for nothing.
            peek: leave it there.

        Raises:
            BlockingIOError, TimeoutError: none came.
            OSError: what became of a datagram that was sent; ECONNRESET when the stack is gone.
        """
        with self._lock:
            if self._next == len(self._got):
                self._fill(source, wait)
            datagram = self._got[self._next]
            if not peek:
                self._skip(source, 1)
            return datagram

    def take_many(self, source: Raw, count: int) -> list[tuple[bytes, Address]]:
        """Return 1..``count`` datagrams: those that are there, after waiting for the first.

        Raises:
            OSError: as ``take``.
        """
        result: list[tuple[bytes, Address]] = []
        with self._lock:
            if self._next == len(self._got):
                self._fill(source, True)
            while True:
                taken = self._got[self._next : self._next + count - len(result)]
                result += taken
                self._skip(source, len(taken))
                if len(result) == count or not self._more(source):
                    return result

    def _more(self, source: Raw) -> bool:
        """Look for another message of datagrams; an error is left for the next call."""
        if not self._poll.poll(0):
            return False
        first = _receive(source, 1, socket.MSG_PEEK)
        if not first or first[0] == channel.JSON:
            return False
        self._fill(source, False)
        return True

    def check(self, source: Raw) -> None:
        """Raise the error that is next, if one is; whoever waits in ``take`` gets it instead."""
        if self._next == len(self._got) and self._poll.poll(0) and self._lock.acquire(False):
            try:
                if self._next == len(self._got):
                    self._fill(source, False)
            except BlockingIOError:
                pass  # somebody took it meanwhile
            finally:
                self._lock.release()

    def clear(self) -> None:
        """Forget all."""
        self._got, self._next = [], 0

    def _fill(self, source: Raw, wait: bool) -> None:
        flags = _PEEK if wait else _PEEK | _DONTWAIT
        try:
            message = _receive(source, channel.MAX_MESSAGE, flags)
        except OSError as error:
            if error.errno in GONE:
                raise gone(self._stack) from None
            raise
        if not message:
            raise gone(self._stack)
        said = channel.parse_received(message)
        if isinstance(said, dict):
            self._consume(source)
            self._on_error()
            raise os_error(said, self._stack)
        got: list[tuple[bytes, Address]] = []
        for src, sport, zone, payloads in said:
            address = self._names.get((src, sport, zone)) or self._name(src, sport, zone)
            got += [(payload, address) for payload in payloads]
        self._got, self._next = got, 0

    def _skip(self, source: Raw, count: int) -> None:
        self._next += count
        if self._next == len(self._got):
            self._got, self._next = [], 0
            self._consume(source)

    def _consume(self, source: Raw) -> None:
        os.read(source.fileno(), 1)  # read(2) discards the rest of a message

    def _name(self, src: int, sport: int, zone: int) -> Address:
        if len(self._names) >= MAX_NAMES:
            self._names.clear()
        text = socket.inet_ntop(self._family, channel.packed(src))
        address: Address = (text, sport)
        if self._family == socket.AF_INET6:
            address = (text, sport, 0, zone)
        self._names[src, sport, zone] = address
        return address
