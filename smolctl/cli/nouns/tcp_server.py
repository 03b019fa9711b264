"""Commands of ``smolctl tcp`` that listen: one loop that takes connections, and what each does."""

import select
from abc import ABC, abstractmethod
from time import monotonic
from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.nouns.tcp_socket import (
    Interrupt,
    emit,
    is_of_output,
    listening,
    name_of,
    number,
    shown_error,
    shown_errors,
)
from smolctl.cli.session import Session
from smolctl.cli.words.endpoint import joined
from smolctl.cli.words.grammar import Args
from smolctl.client.stream import StreamSocket
from smolctl.errors import SmolctlError


class Connection:
    """A connection that was taken.

    Attributes:
        one: its socket, which does not block.
        src, sport: the peer.
        size: bytes that were moved.
        began: when it was taken, seconds of ``monotonic``.
        events: what its socket is polled for.
    """

    def __init__(self, one: StreamSocket, src: str, sport: int) -> None:
        self.one, self.src, self.sport = one, src, sport
        self.size, self.began = 0, monotonic()
        self.events = select.POLLIN


class Server(ABC):
    """A socket that listens, and its connections, all of which are served at the same time.

    Args:
        owner: the command.
        args: of the command: where to listen, "count", "wait" and "backlog".

    Raises:
        InvalidArgument: one of them is no such number.
    """

    def __init__(self, session: Session, owner: str, args: Args) -> None:
        self.session, self._owner, self._args = session, owner, args
        count, backlog = number(args, "count", 1), number(args, "backlog", 0)
        self._count = None if count is None else int(count)
        self._wait = number(args, "wait", 0)
        self._backlog = 4096 if backlog is None else int(backlog)
        self._connections: dict[int, Connection] = {}
        self._poll = select.poll()
        self._accepted = self._ended = self._failed = 0

    @abstractmethod
    def move(self, each: Connection) -> bool:
        """Receive or send once; return False at the end of the connection.

        Raises:
            OSError: the connection failed, or (BlockingIOError) nothing can be moved now.
        """

    @abstractmethod
    def closed(self, each: Connection) -> None:
        """Tell that a connection has ended in order."""

    @abstractmethod
    def failed(self, each: Connection, problem: SmolctlError) -> None:
        """Tell that a connection has ended otherwise."""

    def totals(self) -> dict[str, Any]:
        """Return what the summary has beside the numbers of connections."""
        return {}

    def serve(self) -> int:
        """Listen until interrupted, the time is up, or enough have ended; return the exit status.

        Raises:
            SmolctlError: it cannot listen, or the stack is gone.
        """
        with (
            shown_errors(),
            listening(self.session, self._owner, self._args, self._backlog) as one,
        ):
            try:
                with Interrupt() as interrupt:
                    self._run(one, interrupt)
            finally:
                for each in self._connections.values():
                    each.one.close()
            return self._finish()

    def _run(self, listener: StreamSocket, interrupt: Interrupt) -> None:
        until = None if self._wait is None else monotonic() + self._wait
        self._poll.register(listener, select.POLLIN)
        self._poll.register(interrupt.fileno(), select.POLLIN)
        while not interrupt.came and self._ended != self._count:
            left = None if until is None else until - monotonic()
            if left is not None and left <= 0:
                return
            for fd, _ in self._poll.poll(None if left is None else left * 1000):
                if fd == listener.fileno():
                    self._accept(listener)
                elif fd in self._connections:
                    self._serve(fd, self._connections[fd])

    def _accept(self, listener: StreamSocket) -> None:
        try:
            made, address = listener.accept()
        except BlockingIOError:
            return
        made.setblocking(False)
        self._accepted += 1
        each = self._connections[made.fileno()] = Connection(made, *name_of(address))
        self._poll.register(made, each.events)
        if self._accepted == self._count:
            self._poll.unregister(listener)
        emit(self.session, "accepted", src=each.src, sport=each.sport)
        if not self.session.options.json:
            self.session.out.notice(f"connection from {joined(each.src, each.sport)}")

    def _serve(self, fd: int, each: Connection) -> None:
        before = each.events
        try:
            if self.move(each):
                if each.events != before:
                    self._poll.modify(fd, each.events)
                return
            self.closed(each)
        except BlockingIOError:
            return
        except OSError as error:
            if is_of_output(error):
                raise
            self._failed += 1
            self.failed(each, shown_error(error))
        self._poll.unregister(fd)
        del self._connections[fd]
        each.one.close()
        self._ended += 1

    def _finish(self) -> int:
        enough = self._ended > 0 if self._count is None else self._ended == self._count
        good = enough and not self._failed
        emit(
            self.session, "summary", connections=self._accepted, failed=self._failed,
            **self.totals(), ok=good,
        )  # fmt: skip
        return exits.DONE if good else exits.NO
