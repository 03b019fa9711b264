"""``smolctl tcp connect`` and ``tcp listen``: connections to and from the standard streams.

They use the stack's sockets as any program does, so a pipe goes as fast as those.
"""

import base64
import os
import select
import socket
import sys
from time import monotonic
from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.nouns.tcp_server import Connection, Server
from smolctl.cli.nouns.tcp_socket import (
    connected,
    emit,
    name_of,
    number,
    port_of,
    shown_errors,
    silent,
)
from smolctl.cli.session import Session
from smolctl.cli.words.endpoint import joined
from smolctl.cli.words.grammar import Args
from smolctl.client.errors import said_of
from smolctl.client.stream import StreamSocket
from smolctl.errors import SmolctlError

_CHUNK = 1 << 16


# --- connect --------------------------------------------------------------------------------------


def connect(session: Session, args: Args) -> int:
    """Connect, and move data until both ends are done."""
    wait, out = number(args, "wait", 0), session.out
    peer = args["dst"], port_of(args["port"])
    began = monotonic()
    with shown_errors(), connected(session, "tcp connect", args, peer, wait) as one:
        after = (monotonic() - began) * 1000
        (src, sport), where = name_of(one.getsockname()), joined(*peer)
        emit(
            session, "connected", src=src, sport=sport, dst=peer[0], dport=peer[1],
            after_ms=round(after, 3),
        )  # fmt: skip
        text = f"connected to {where} from {joined(src, sport)} after {after:.1f} ms"
        zero = bool(args.get("zero"))
        if zero and not session.options.json:
            if not session.options.quiet:
                out.line(text)
        elif session.options.verbose:
            out.notice(text)
        try:
            sent, received = (0, 0) if zero else _Mover(session, one, wait).run()
        except TimeoutError as error:
            if said_of(error) is None:
                raise silent(session, peer, wait) from None
            raise
        seconds = round(monotonic() - began, 6)
        emit(session, "summary", ok=True, sent=sent, received=received, seconds=seconds)
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


class Listener(Server):
    """``smolctl tcp listen``: what connections bring goes to standard output."""

    def __init__(self, session: Session, args: Args) -> None:
        super().__init__(session, "tcp listen", args)
        self._received = 0

    def move(self, each: Connection) -> bool:
        """Write what has come; see ``Server``."""
        data = each.one.recv(_CHUNK)
        each.size += len(data)
        self._received += len(data)
        if data and self.session.options.json:
            text = base64.b64encode(data).decode()
            emit(self.session, "data", src=each.src, sport=each.sport, bytes=len(data), data=text)
        elif data:
            self.session.out.raw(data)
        return bool(data)

    def closed(self, each: Connection) -> None:
        """Tell how much came."""
        emit(self.session, "closed", src=each.src, sport=each.sport, bytes=each.size)

    def failed(self, each: Connection, problem: SmolctlError) -> None:
        """Tell what happened, and how much had come."""
        emit(
            self.session, "failed", src=each.src, sport=each.sport, bytes=each.size,
            reason=problem.code, message=problem.message, hint=problem.hint,
        )  # fmt: skip
        if not self.session.options.json:
            where = joined(each.src, each.sport)
            self.session.out.failure(f"{where}: {problem.message}", problem.hint)

    def totals(self) -> dict[str, Any]:
        """Return how much came by all connections."""
        return {"received": self._received}
