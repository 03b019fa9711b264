"""The other end of ``smolctl tcp bench``: reads whatever comes, or sends if it is asked to."""

import select
from time import monotonic
from typing import Any

from smolctl.cli.nouns.tcp_bench import CHUNK, OWNER, REVERSE, ZEROS, rate_text
from smolctl.cli.nouns.tcp_server import Connection, Server
from smolctl.cli.nouns.tcp_socket import emit
from smolctl.cli.session import Session
from smolctl.cli.words.endpoint import joined
from smolctl.cli.words.grammar import Args
from smolctl.errors import SmolctlError


class BenchServer(Server):
    """A sink, and a source for who asks for it."""

    def __init__(self, session: Session, args: Args) -> None:
        super().__init__(session, OWNER, args)
        self._buffer = bytearray(CHUNK)

    def move(self, each: Connection) -> bool:
        """Take what has come, or send; see ``Server``."""
        if _sends(each):
            try:
                each.size += each.one.send(ZEROS)
            except BlockingIOError:
                pass
            except OSError:
                # Who has been sent enough closes, and what is under way is answered with RST.
                return False
            return True
        size = each.one.recv_into(self._buffer)
        if size and not each.size and self._buffer[:1] == REVERSE:
            each.events = select.POLLOUT
        else:
            each.size += size
        return size > 0

    def closed(self, each: Connection) -> None:
        """Tell how much was moved, and how fast."""
        fields, text = _moved(each)
        rate = round(each.size * 8 / max(fields["seconds"], 1e-9))
        emit(self.session, "closed", **fields, bits_per_second=rate)
        if not (self.session.options.json or self.session.options.quiet):
            self.session.out.line(text)
            self.session.out.flush()

    def failed(self, each: Connection, problem: SmolctlError) -> None:
        """Tell how much was moved before what happened."""
        fields, text = _moved(each)
        emit(self.session, "failed", **fields, reason=problem.code, message=problem.message)
        if not self.session.options.json:
            self.session.out.failure(f"{text}: {problem.message}")


def _sends(each: Connection) -> bool:
    return each.events == select.POLLOUT


def _moved(each: Connection) -> tuple[dict[str, Any], str]:
    """Return what a connection has moved, as fields and as text."""
    seconds, word = monotonic() - each.began, "sent" if _sends(each) else "received"
    fields = {
        "src": each.src, "sport": each.sport, "bytes": each.size, "direction": word,
        "seconds": round(seconds, 3),
    }  # fmt: skip
    return fields, f"{joined(each.src, each.sport)} {word} {rate_text(each.size, seconds)}"
