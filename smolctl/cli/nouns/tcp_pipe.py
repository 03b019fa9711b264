"""``smolctl tcp connect`` and ``tcp listen``: connections to and from the standard streams.

They use the stack's sockets as any program does, so a pipe goes as fast as those.
"""

import base64
import os
import select
import socket
import sys
from time import monotonic

from smolctl.cli import exit as exits
from smolctl.cli.nouns.tcp_socket import (
    Interrupt,
    bind,
    connect_to,
    emit,
    is_six,
    listening,
    name_of,
    number,
    open_socket,
    port_of,
    shown_error,
    silent,
)
from smolctl.cli.session import Session
from smolctl.cli.words.endpoint import joined
from smolctl.cli.words.grammar import Args
from smolctl.client.errors import said_of
from smolctl.client.stream import StreamSocket

_CHUNK = 1 << 16


# --- connect --------------------------------------------------------------------------------------


def connect(session: Session, args: Args) -> int:
    """Connect, and move data until both ends are done."""
    wait, out = number(args, "wait", 0), session.out
    dst, port = args["dst"], port_of(args["port"])
    began = monotonic()
    try:
        with open_socket(session, six=is_six(session, dst)) as one:
            bind(one, args)
            connect_to(session, one, (dst, port), wait)
            after = (monotonic() - began) * 1000
            (src, sport), where = name_of(one.getsockname()), joined(dst, port)
            emit(
                session, "connected", src=src, sport=sport, dst=dst, dport=port,
                after_ms=round(after, 3),
            )  # fmt: skip
            text = f"connected to {where} from {joined(src, sport)} after {after:.1f} ms"
            zero = bool(args.get("zero"))
            if zero and not session.options.json:
                if not session.options.quiet:
                    out.line(text)
            elif session.options.verbose:
                out.notice(text)
            sent, received = (0, 0) if zero else _Mover(session, one, wait).run()
            seconds = round(monotonic() - began, 6)
            emit(session, "summary", ok=True, sent=sent, received=received, seconds=seconds)
    except TimeoutError as error:
        if said_of(error) is None:
            raise silent(dst, port, wait) from None
        raise shown_error(error) from None
    except BrokenPipeError as error:
        if said_of(error) is None:
            raise  # of standard output
        raise shown_error(error) from None
    except OSError as error:
        raise shown_error(error) from None
    return exits.DONE


class _Mover:
    """Standard input to the peer, and the peer to standard output.

    Args:
        wait: seconds for which nothing may happen, None for any time.
    """

    def __init__(self, session: Session, one: StreamSocket, wait: float | None) -> None:
        self._session, self._one, self._wait = session, one, wait
        self._stdin = None if sys.stdin is None else sys.stdin.fileno()  # None: closed by <&-
        self._unsent = memoryview(b"")
        self._open = True  # the peer may say more
        self.sent = self.received = 0

    def run(self) -> tuple[int, int]:
        """Move data until the peer has said all, and standard input is at its end.

        Returns: how many bytes were sent, and received.

        Raises:
            OSError: the connection failed. TimeoutError: nothing happened for too long.
        """
        one = self._one
        one.setblocking(False)
        if self._stdin is None:
            one.shutdown(socket.SHUT_WR)
        while self._open or self._unsent or (self._stdin is not None and not self._alone()):
            self._turn()
        return self.sent, self.received

    def _alone(self) -> bool:
        """Tell whether nobody waits for more of a person who types: the peer has closed."""
        return not self._open and self._stdin is not None and os.isatty(self._stdin)

    def _turn(self) -> None:
        poll, one, stdin = select.poll(), self._one, self._stdin
        mask = (select.POLLIN if self._open else 0) | (select.POLLOUT if self._unsent else 0)
        poll.register(one, mask)
        if stdin is not None and not self._unsent:
            poll.register(stdin, select.POLLIN)
        ready = dict(poll.poll(None if self._wait is None else self._wait * 1000))
        if not ready:
            raise TimeoutError
        events = ready.get(one.fileno(), 0)
        if events & (select.POLLIN | select.POLLHUP) and self._open:
            self._receive()
        if self._unsent and events & (select.POLLOUT | select.POLLHUP):
            self._send()
        if stdin is not None and stdin in ready:
            self._read(stdin)

    def _receive(self) -> None:
        data = self._one.recv(_CHUNK)
        if not data:
            self._open = False
            return
        self.received += len(data)
        if self._session.options.json:
            text = base64.b64encode(data).decode()
            emit(self._session, "data", bytes=len(data), data=text)
        else:
            self._session.out.raw(data)

    def _read(self, stdin: int) -> None:
        try:
            data = os.read(stdin, _CHUNK)
        except BlockingIOError:
            return
        if data:
            self._unsent = memoryview(data)
            self._send()
        else:
            self._stdin = None
            self._one.shutdown(socket.SHUT_WR)

    def _send(self) -> None:
        try:
            taken = self._one.send(self._unsent)
        except BlockingIOError:
            return
        self._unsent = self._unsent[taken:]
        self.sent += taken


# --- listen ---------------------------------------------------------------------------------------


def listen(session: Session, args: Args) -> int:
    """Take connections, and write what they bring."""
    count, wait = number(args, "count", 1), number(args, "wait", 0)
    backlog = number(args, "backlog", 0)
    try:
        with listening(session, args, 4096 if backlog is None else int(backlog)) as one:
            server = _Server(session, one, None if count is None else int(count))
            with Interrupt() as interrupt:
                server.run(None if wait is None else monotonic() + wait, interrupt)
            return server.finish()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise shown_error(error) from None


class _Server:
    """A socket that listens, and its connections."""

    def __init__(self, session: Session, one: StreamSocket, count: int | None) -> None:
        self._session, self._one, self._count = session, one, count
        self._open: dict[int, tuple[StreamSocket, tuple[str, int], int]] = {}
        self._accepted = self._ended = self._failed = self._received = 0

    def run(self, until: float | None, interrupt: Interrupt) -> None:
        """Serve until there were enough connections, the time is up, or SIGINT comes."""
        while not interrupt.came and self._ended != self._count:
            poll = select.poll()
            if self._accepted != self._count:
                poll.register(self._one, select.POLLIN)
            for fd in (*self._open, interrupt.fileno()):
                poll.register(fd, select.POLLIN)
            left = None if until is None else max(until - monotonic(), 0)
            ready = poll.poll(None if left is None else left * 1000)
            if not ready:
                return
            for fd, _ in ready:
                if fd == self._one.fileno():
                    self._accept()
                elif fd in self._open:
                    self._receive(fd)

    def _accept(self) -> None:
        try:
            made, address = self._one.accept()
        except BlockingIOError:
            return
        made.setblocking(False)
        self._accepted += 1
        src, sport = name_of(address)
        self._open[made.fileno()] = made, (src, sport), 0
        emit(self._session, "accepted", src=src, sport=sport)
        if not self._session.options.json:
            self._session.out.notice(f"connection from {joined(src, sport)}")

    def _receive(self, fd: int) -> None:
        made, (src, sport), size = self._open[fd]
        try:
            data = made.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(fd, error)
            return
        if not data:
            emit(self._session, "closed", src=src, sport=sport, bytes=size)
            self._close(fd)
            return
        self._received += len(data)
        self._open[fd] = made, (src, sport), size + len(data)
        if self._session.options.json:
            text = base64.b64encode(data).decode()
            emit(self._session, "data", src=src, sport=sport, bytes=len(data), data=text)
        else:
            self._session.out.raw(data)

    def _fail(self, fd: int, error: OSError) -> None:
        """Say that a connection did not end in order."""
        problem, (_, (src, sport), size) = shown_error(error), self._open[fd]
        self._failed += 1
        fields = {"src": src, "sport": sport, "bytes": size, "reason": problem.code}
        emit(self._session, "failed", **fields, message=problem.message, hint=problem.hint)
        if not self._session.options.json:
            self._session.out.failure(f"{joined(src, sport)}: {problem.message}", problem.hint)
        self._close(fd)

    def _close(self, fd: int) -> None:
        self._open.pop(fd)[0].close()
        self._ended += 1

    def finish(self) -> int:
        """Close what is open, and return the exit status."""
        for fd in list(self._open):
            self._open.pop(fd)[0].close()
        enough = self._ended > 0 if self._count is None else self._ended == self._count
        good = enough and not self._failed
        emit(
            self._session, "summary", connections=self._accepted, failed=self._failed,
            received=self._received, ok=good,
        )  # fmt: skip
        return exits.DONE if good else exits.NO
