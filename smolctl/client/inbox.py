"""The inbox of a stack's socket: datagrams received, and not yet taken by the program."""

import os
import select
import socket
from collections.abc import Callable
from threading import Lock

from smolctl.client.errors import GONE, gone, os_error
from smolctl.control import channel

MAX_NAMES = 4096
"""Senders whose addresses are kept as text; all are forgotten when there are more."""

Address = tuple[str, int] | tuple[str, int, int, int]
"""IPv4 address and port; or IPv6 address, port, 0 and the number of the interface that is its zone
(sin6_flowinfo and sin6_scope_id, RFC 3493 3.3)."""


class Inbox:
    """Datagrams of one channel, in their order.

    A message stays the first in the channel until its last datagram is taken: so the descriptor is
    readable as long as there is a datagram, and who waits for it with ``select`` or asyncio misses
    none. Several threads may use it.

    Args:
        source: the channel.
        family: AF_INET or AF_INET6, of which addresses are.
        stack: name of the stack, for errors.
        on_error: called before an error of the stack's is raised.
    """

    def __init__(
        self, source: socket.socket, family: int, stack: str, on_error: Callable[[], None]
    ) -> None:
        self._source = source
        self._family = family
        self._stack = stack
        self._on_error = on_error
        self._lock = Lock()
        self._poll = select.poll()
        self._poll.register(source, select.POLLIN)
        self._names: dict[tuple[int, int, int], Address] = {}
        # Of the first message: all datagrams, and the next one to be taken.
        self._got: list[tuple[bytes, Address]] = []
        self._next = 0

    def take(self, *, wait: bool = True, peek: bool = False) -> tuple[bytes, Address]:
        """Return the next datagram, waiting for it as the channel's timeout says.

        Args:
            wait: False waits for nothing.
            peek: leave it there.

        Raises:
            BlockingIOError, TimeoutError: none came.
            OSError: what became of a datagram that was sent; ECONNRESET when the stack is gone.
        """
        with self._lock:
            if self._next == len(self._got):
                self._fill(wait)
            datagram = self._got[self._next]
            if not peek:
                self._skip(1)
            return datagram

    def take_many(self, count: int) -> list[tuple[bytes, Address]]:
        """Return 1..``count`` datagrams: those that are there, after waiting for the first.

        Raises:
            OSError: as ``take``.
        """
        result: list[tuple[bytes, Address]] = []
        with self._lock:
            if self._next == len(self._got):
                self._fill(True)
            while True:
                taken = self._got[self._next : self._next + count - len(result)]
                result += taken
                self._skip(len(taken))
                if len(result) == count or not self._more():
                    return result

    def _more(self) -> bool:
        """Look for another message of datagrams; an error is left for the next call."""
        if not self._poll.poll(0):
            return False
        first = self._source.recv(1, socket.MSG_PEEK)
        if not first or first[0] == channel.JSON:
            return False
        self._fill(False)
        return True

    def check(self) -> None:
        """Raise the error that is next, if one is; whoever waits in ``take`` gets it instead."""
        if self._next == len(self._got) and self._poll.poll(0) and self._lock.acquire(False):
            try:
                if self._next == len(self._got):
                    self._fill(False)
            except BlockingIOError:
                pass  # somebody took it meanwhile
            finally:
                self._lock.release()

    def clear(self) -> None:
        """Forget all."""
        self._got, self._next = [], 0

    def _fill(self, wait: bool) -> None:
        flags = socket.MSG_PEEK if wait else socket.MSG_PEEK | socket.MSG_DONTWAIT
        try:
            message = self._source.recv(channel.MAX_MESSAGE, flags)
        except OSError as error:
            if error.errno in GONE:
                raise gone(self._stack) from None
            raise
        if not message:
            raise gone(self._stack)
        said = channel.parse_received(message)
        if isinstance(said, dict):
            self._consume()
            self._on_error()
            raise os_error(said, self._stack)
        got: list[tuple[bytes, Address]] = []
        for src, sport, zone, payloads in said:
            address = self._names.get((src, sport, zone)) or self._name(src, sport, zone)
            got += [(payload, address) for payload in payloads]
        self._got, self._next = got, 0

    def _skip(self, count: int) -> None:
        self._next += count
        if self._next == len(self._got):
            self._got, self._next = [], 0
            self._consume()

    def _consume(self) -> None:
        os.read(self._source.fileno(), 1)  # read(2) discards the rest of a message

    def _name(self, src: int, sport: int, zone: int) -> Address:
        if len(self._names) >= MAX_NAMES:
            self._names.clear()
        text = socket.inet_ntop(self._family, channel.packed(src))
        address: Address = (text, sport)
        if self._family == socket.AF_INET6:
            address = (text, sport, 0, zone)
        self._names[src, sport, zone] = address
        return address
