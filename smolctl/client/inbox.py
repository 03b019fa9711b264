"""The inbox of a stack's socket: datagrams received, and not yet taken by the program."""

import os
import select
import socket
from _socket import socket as Raw
from collections import deque
from collections.abc import Callable
from threading import Lock
from time import monotonic_ns
from typing import Any, cast

from smolctl.client.errors import GONE, gone, os_error
from smolctl.control import channel

MAX_NAMES = 4096
"""Senders whose addresses are kept as text; all are forgotten when there are more."""

_receive, _fileno = Raw.recv, Raw.fileno
"""Calls of the kernel's sockets; those of a stack's socket take from the inbox, and ``watch``."""

# Not the flags of ``socket``: combining them costs a microsecond.
_DONTWAIT, _PEEK = int(socket.MSG_DONTWAIT), int(socket.MSG_PEEK)

CHECK_NS = 50_000
"""Time for which nobody looks for an error again before a datagram is sent.

A look is a system call, as the sending itself. The stack tells an error later than that anyway:
nobody can know that one is there who does not wait at the descriptor.
"""
_WAIT_S = 0.01

Address = tuple[str, int] | tuple[str, int, int, int]
"""IPv4 address and port; or IPv6 address, port, 0 and the number of the interface that is its zone
(sin6_flowinfo and sin6_scope_id, RFC 3493 3.3)."""


class Heard(tuple[Any, ...]):
    """The address of a sender, with the details of what it sent.

    Attributes:
        details: see ``channel.Details``.
    """

    details: channel.Details


class Inbox:
    """Datagrams of one channel, in their order. Several threads may use it.

    Whoever waits for the descriptor, with ``select`` or asyncio, must find it readable as long as
    there is a datagram. So a message stays in the channel until its last datagram is taken, from
    the time on when the program has the descriptor (``watch``). Before, nobody can wait for it, and
    a message is taken by one system call instead of two.

    The channel is an argument of each call: it has the inbox, and would never be closed if the
    inbox had it, too.

    Args:
        fd: descriptor of the channel.
        family: AF_INET or AF_INET6, of which addresses are.
        stack: name of the stack, for errors.
        on_error: called before an error of the stack's is raised.
        nudge: makes the daemon send a ``channel.NUDGE``, and waits until that is sent.

    Attributes:
        checked_ns: when somebody last looked for what is next (monotonic clock); 0 once it is
            watched: who waits at the descriptor knows of an error at once.
    """

    def __init__(
        self,
        fd: int,
        family: int,
        stack: str,
        on_error: Callable[[], None],
        nudge: Callable[[], object],
    ) -> None:
        self._family = family
        self._stack = stack
        self._on_error = on_error
        self._nudge = nudge
        self._lock = Lock()
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._names: dict[bytes, Address] = {}
        # Datagrams that are taken next; they are of one message, which is still in the channel
        # when it is kept.
        self._got: deque[tuple[bytes, Address]] = deque()
        self._kept = False
        # The program has the descriptor; a nudge is in the channel, or on its way.
        self._watched = self._nudged = False
        self.checked_ns = 0

    def watch(self) -> None:
        """Keep the descriptor readable, from now on, while there is a datagram."""
        if self._watched:
            return
        self._watched = True
        self.checked_ns = 0
        # Who has no datagrams may hold the lock for long, and will see that it is watched.
        while self._got and not self._kept and not self._nudged:
            if self._lock.acquire(timeout=_WAIT_S):
                try:
                    self._keep_readable()
                finally:
                    self._lock.release()

    def _keep_readable(self) -> None:
        """Have something in the channel while there are datagrams that are not: they go first."""
        if self._got and not (self._kept or self._nudged or self._poll.poll(0)):
            self._nudge()
            self._nudged = True

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
            got = self._got
            if not got:
                self._fill(source, wait)
            if peek:
                return got[0]
            datagram = got.popleft()
            if self._watched and not got:
                self._emptied(source)
            return datagram

    def take_many(self, source: Raw, count: int) -> list[tuple[bytes, Address]]:
        """Return 1..``count`` datagrams: those that are there, after waiting for the first.

        Raises:
            OSError: as ``take``.
        """
        result: list[tuple[bytes, Address]] = []
        with self._lock:
            got = self._got
            if not got:
                self._fill(source, True)
            while True:
                if len(got) <= count - len(result):
                    result += got
                    got.clear()
                    if self._watched:
                        self._emptied(source)
                else:
                    result += [got.popleft() for _ in range(count - len(result))]
                if len(result) == count or not self._more(source):
                    return result

    def _more(self, source: Raw) -> bool:
        """Look for another message of datagrams; an error is left for the next call."""
        if not self._poll.poll(0):
            return False
        first = _receive(source, 1, _PEEK)
        if not first or first[0] == channel.JSON:
            return False
        self._fill(source, False)
        return True

    def check(self, source: Raw) -> None:
        """Raise the error that is next, if one is; whoever waits in ``take`` gets it instead."""
        if self._got:
            return
        if not self._watched:
            self.checked_ns = monotonic_ns()
        if self._poll.poll(0) and self._lock.acquire(False):
            try:
                if not self._got:
                    self._fill(source, False)
            except BlockingIOError:
                pass  # somebody took it meanwhile
            finally:
                self._lock.release()

    def clear(self) -> None:
        """Forget all."""
        self._got.clear()
        self._kept = False

    def _fill(self, source: Raw, wait: bool) -> None:
        """Read a message of datagrams.

        Raises:
            OSError: as ``take``.
        """
        kept = self._watched
        flags = (_PEEK if kept else 0) | (0 if wait else _DONTWAIT)
        while True:
            try:
                message = _receive(source, channel.MAX_MESSAGE, flags)
            except OSError as error:
                if error.errno in GONE:
                    raise gone(self._stack) from None
                raise
            if message != channel.NUDGE:
                break
            self._nudged = False
            if kept:
                self._consume(source)
        if not message:
            raise gone(self._stack)
        if not kept:
            self.checked_ns = monotonic_ns()
        if message[0] == channel.LONE:
            sender = message[1 : channel.LONE_SIZE]
            address = self._names.get(sender) or self._name(sender)
            self._got.append((message[channel.LONE_SIZE :], address))
        else:
            said = channel.parse_received(message)
            if isinstance(said, dict):
                if kept:
                    self._consume(source)
                self._on_error()
                raise os_error(said, self._stack)
            for sender, payloads in said:
                address = self._names.get(sender) or self._name(sender)
                self._got.extend([(payload, address) for payload in payloads])
        self._kept = kept
        if self._watched and not kept:
            self.checked_ns = 0
            self._keep_readable()  # it was not watched yet when the message was read

    def _emptied(self, source: Raw) -> None:
        """Leave nothing in the channel of what was taken."""
        if self._kept:
            self._kept = False
            self._consume(source)
        if self._nudged and self._poll.poll(0) and _receive(source, 1, _PEEK) == channel.NUDGE:
            self._nudged = False
            self._consume(source)

    def _consume(self, source: Raw) -> None:
        os.read(_fileno(source), 1)  # read(2) discards the rest of a message

    def _name(self, sender: bytes) -> Address:
        if len(self._names) >= MAX_NAMES:
            self._names.clear()
        src, sport, zone = channel.sender_of(sender)
        text = socket.inet_ntop(self._family, channel.packed(src))
        address: Address = (text, sport)
        if self._family == socket.AF_INET6:
            address = (text, sport, 0, zone)
        details = channel.details_of(sender)
        if details is not None:
            heard = Heard(address)
            heard.details = details
            address = cast(Address, heard)
        self._names[sender] = address
        return address
