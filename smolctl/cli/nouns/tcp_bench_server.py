"""The other end of ``smolctl tcp bench``: reads whatever comes, or sends if it is asked to."""

import select
from time import monotonic

from smolctl.cli import exit as exits
from smolctl.cli.nouns.tcp_bench import CHUNK, REVERSE, ZEROS, rate_text
from smolctl.cli.nouns.tcp_socket import (
    Interrupt,
    emit,
    listening,
    name_of,
    number,
    shown_error,
)
from smolctl.cli.session import Session
from smolctl.cli.words.endpoint import joined
from smolctl.cli.words.grammar import Args
from smolctl.client.errors import said_of
from smolctl.client.stream import StreamSocket


def serve(session: Session, args: Args) -> int:
    """Listen and serve until interrupted, or until enough connections have ended."""
    count, wait = number(args, "count", 1), number(args, "wait", 0)
    try:
        with listening(session, args) as one:
            server = _Server(session, one, None if count is None else int(count))
            with Interrupt() as interrupt:
                server.run(None if wait is None else monotonic() + wait, interrupt)
            return server.finish()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise shown_error(error) from None


class _Peer:
    """A connection; ``sends`` once it has asked to be sent to, None while nothing came."""

    def __init__(self, one: StreamSocket, address: tuple[str, int]) -> None:
        self.one, self.address = one, address
        self.sends: bool | None = None
        self.size, self.began = 0, monotonic()


class _Server:
    """A socket that listens, and its connections."""

    def __init__(self, session: Session, one: StreamSocket, count: int | None) -> None:
        self._session, self._one, self._count = session, one, count
        self._peers: dict[int, _Peer] = {}
        self._buffer = bytearray(CHUNK)
        self._poll = select.poll()
        self._poll.register(one, select.POLLIN)
        self._accepted = self._ended = self._failed = 0

    def run(self, until: float | None, interrupt: Interrupt) -> None:
        """Serve until there were enough connections, the time is up, or SIGINT comes."""
        self._poll.register(interrupt.fileno(), select.POLLIN)
        while not interrupt.came and self._ended != self._count:
            left = None if until is None else max(until - monotonic(), 0) * 1000
            ready = self._poll.poll(left)
            if not ready:
                return
            for fd, _ in ready:
                if fd == self._one.fileno():
                    self._accept()
                elif fd in self._peers:
                    self._move(fd, self._peers[fd])

    def _accept(self) -> None:
        try:
            made, address = self._one.accept()
        except BlockingIOError:
            return
        made.setblocking(False)
        self._accepted += 1
        src, sport = name_of(address)
        self._peers[made.fileno()] = _Peer(made, (src, sport))
        self._poll.register(made, select.POLLIN)
        emit(self._session, "accepted", src=src, sport=sport)
        if not self._session.options.json:
            self._session.out.notice(f"connection from {joined(src, sport)}")
        if self._accepted == self._count:
            self._poll.unregister(self._one)

    def _move(self, fd: int, peer: _Peer) -> None:
        try:
            if peer.sends:
                peer.size += peer.one.send(ZEROS)
                return
            size = peer.one.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError as error:
            # Who has been sent enough closes, and what is still under way is answered with RST.
            self._end(fd, peer, None if peer.sends else error)
            return
        if not size:
            self._end(fd, peer, None)
        elif peer.sends is None and self._buffer[:1] == REVERSE:
            peer.sends = True
            self._poll.modify(fd, select.POLLOUT)
        else:
            peer.sends = False
            peer.size += size

    def _end(self, fd: int, peer: _Peer, error: OSError | None) -> None:
        seconds = monotonic() - peer.began
        (src, sport), word = peer.address, "sent" if peer.sends else "received"
        fields = {
            "src": src, "sport": sport, "bytes": peer.size, "direction": word,
            "seconds": round(seconds, 3),
        }  # fmt: skip
        moved = rate_text(peer.size, seconds)
        if error is None:
            rate = round(peer.size * 8 / max(seconds, 1e-9))
            emit(self._session, "closed", **fields, bits_per_second=rate)
            if not (self._session.options.json or self._session.options.quiet):
                self._session.out.line(f"{joined(src, sport)} {word} {moved}")
                self._session.out.flush()
        else:
            said = said_of(error) or {"message": str(error)}
            self._failed += 1
            emit(
                self._session, "failed", **fields, reason=said.get("code"), message=said["message"]
            )
            if not self._session.options.json:
                self._session.out.failure(f"{joined(src, sport)} {word} {moved}: {said['message']}")
        self._poll.unregister(fd)
        del self._peers[fd]
        peer.one.close()
        self._ended += 1

    def finish(self) -> int:
        """Close what is open, and return the exit status."""
        for peer in self._peers.values():
            peer.one.close()
        enough = self._ended > 0 if self._count is None else self._ended == self._count
        good = enough and not self._failed
        emit(self._session, "summary", connections=self._accepted, failed=self._failed, ok=good)
        return exits.DONE if good else exits.NO
