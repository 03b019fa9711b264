"""``smolctl tcp http``: one GET (RFC 9110) over a connection of the stack, and its times.

``http.client`` speaks HTTP/1.1; it knows nothing of a stack but the socket that it is given.
"""

import select
from http.client import HTTPConnection, HTTPException, HTTPResponse, InvalidURL, RemoteDisconnected
from time import monotonic
from typing import IO, Any

from smolctl import __version__
from smolctl.cli import exit as exits
from smolctl.cli.nouns import stream
from smolctl.cli.nouns.progress import Progress
from smolctl.cli.nouns.tcp_socket import (
    connected,
    emit,
    name_of,
    number,
    port_of,
    shown_errors,
)
from smolctl.cli.output import OutputError
from smolctl.cli.session import Session
from smolctl.cli.words.endpoint import endpoint, joined, of_sender
from smolctl.cli.words.grammar import Args, UsageFault
from smolctl.client.errors import said_of
from smolctl.client.stream import StreamSocket
from smolctl.counted import counted

_CHUNK = 1 << 16
_PORT = "80"
_PROGRESS_S = 0.25
_WRONG_SHOWN = 40
"""Bytes that are shown of an answer that is none of HTTP."""


def parse_url(text: str) -> tuple[str, str, str]:
    """Return host, port and path of ``[http://]HOST[:PORT][/PATH]``.

    Raises:
        UsageFault: another scheme, no host, or a path with spaces or control characters.
    """
    scheme, mark, rest = text.partition("://")
    if mark and scheme.lower() != "http":
        hint = "TLS is not spoken here; smolctl tcp connect HOST:443 opens the connection alone"
        raise UsageFault(f'tcp http: "{scheme}" is not http', hint=hint)
    where, slash, path = (rest if mark else text).partition("/")
    host, port = endpoint(where) if where[:1] == "[" or where.count(":") == 1 else (where, _PORT)
    if not host:
        raise UsageFault(f'tcp http: "{text}" has no host', hint="smolctl tcp http HOST:PORT/PATH")
    if any(character <= " " or character == "\x7f" for character in path):
        raise UsageFault(f'tcp http: the path "{path}" has a space in it', hint="write it as %20")
    return host, port or _PORT, slash + path or "/"


def get(session: Session, args: Args) -> int:
    """Get one resource, and say how long each phase took."""
    host, port, path = parse_url(args["url"])
    of_sender(args)
    wait = number(args, "wait", 0)
    return _Get(session, args, (host, port_of(port)), path, wait).run()


class _Get:
    """One request and its answer.

    Args:
        wait: seconds for which nothing may happen, None for any time.
    """

    def __init__(
        self, session: Session, args: Args, peer: tuple[str, int], path: str, wait: float | None
    ) -> None:
        self._session, self._args, self._peer, self._path = session, args, peer, path
        self._wait, self._where = wait, joined(*peer)
        self._began = monotonic()
        self._times: dict[str, float] = {}
        self._size, self._expected = 0, -1
        self._status: int | None = None
        self._line = ""
        self._file: IO[bytes] | None = None
        self._interrupted = False
        self._progress = Progress(session)
        self._progress_s = 0.0

    def run(self) -> int:
        """Do it; return the exit status."""
        peer = self._peer
        with (
            shown_errors(),
            connected(self._session, "tcp http", self._args, peer, self._wait) as one,
        ):
            self._took("connect")
            src, sport = name_of(one.getsockname())
            emit(
                self._session, "connected", src=src, sport=sport, dst=peer[0], dport=peer[1],
                after_ms=self._times["connect"],
            )  # fmt: skip
            one.settimeout(self._wait)
            return self._finish(self._exchange(one))

    def _took(self, phase: str) -> None:
        self._times[phase] = round((monotonic() - self._began) * 1000, 3)

    # --- request and answer -----------------------------------------------------------------------

    def _exchange(self, one: StreamSocket) -> dict[str, Any]:
        """Send the request and take the answer; return what was wrong, {} for nothing."""
        link = HTTPConnection(*self._peer)
        link.sock = one
        try:
            self._request(link)
            self._await_answer(one)
            answer = link.getresponse()
            self._take_head(answer)
            self._take_body(answer)
        except KeyboardInterrupt:
            self._interrupted = True
            return {"message": f"interrupted{self._so_far()}"}
        except TimeoutError as error:
            if said_of(error) is None:
                return {"message": f"nothing more from {self._where} for {self._wait:g} s"
                        f"{self._so_far()}"}  # fmt: skip
            return self._failed(error)
        except RemoteDisconnected:
            return {"message": f"{self._where} closed the connection without an answer"}
        except HTTPException as error:
            return {"message": self._broken(error)}
        except OSError as error:
            if said_of(error) is None:
                raise
            return self._failed(error)
        finally:
            self._progress.clear()
            self._close_file()
        if 0 <= self._size < self._expected:
            return {"message": f"{self._where} closed the connection{self._so_far()}"}
        return {}

    def _request(self, link: HTTPConnection) -> None:
        host, port = self._peer
        # RFC 6874 4: a zone is nobody's business but ours. RFC 9110 4.2.3: port 80 goes unsaid.
        named = joined(host.partition("%")[0], port).removesuffix(f":{_PORT}")
        try:
            link.putrequest("GET", self._path, skip_host=True, skip_accept_encoding=True)
            link.putheader("Host", self._args.get("host", named))
            link.putheader("User-Agent", f"smolctl/{__version__}")
            link.putheader("Accept", "*/*")
            link.putheader("Accept-Encoding", "identity")
            link.putheader("Connection", "close")
            link.endheaders()
        except (InvalidURL, ValueError) as error:
            raise UsageFault(f"tcp http: {error}") from None

    def _await_answer(self, one: StreamSocket) -> None:
        """Wait for the first byte, so that its time is known."""
        poll = select.poll()
        poll.register(one, select.POLLIN)
        patience = None if self._wait is None else self._wait * 1000
        if not poll.poll(100 if patience is None else min(100, patience)):
            self._session.out.waiting(f"{self._where} to answer the request")
            if not poll.poll(None if patience is None else max(patience - 100, 0)):
                raise TimeoutError
        self._took("first_byte")

    def _take_head(self, answer: HTTPResponse) -> None:
        self._status = answer.status
        version = "HTTP/1.1" if answer.version == 11 else "HTTP/1.0"
        self._line = f"{version} {answer.status} {answer.reason}".rstrip()
        self._expected = -1 if answer.length is None else answer.length
        headers = [[name, value] for name, value in answer.getheaders()]
        emit(
            self._session, "answer", status=answer.status, version=version, text=answer.reason,
            headers=headers, content_length=None if self._expected < 0 else self._expected,
            first_byte_ms=self._times["first_byte"],
        )  # fmt: skip
        self._say(self._line)
        moved = answer.getheader("Location")
        if self._session.options.verbose or self._args.get("headers"):
            for name, value in headers:
                self._say(f"{name}: {value}")
        elif moved is not None and 300 <= answer.status < 400:
            self._say(f"Location: {moved}")

    def _say(self, text: str) -> None:
        """Write a line of the result: beside the body, if that is what standard output gets."""
        if self._session.options.json or self._session.options.quiet:
            return
        if self._args.get("output") == "-":
            self._session.out.complaint(text)
        else:
            self._session.out.line(text)
            self._session.out.flush()

    def _take_body(self, answer: HTTPResponse) -> None:
        while self._size != self._expected:
            data = answer.read1(_CHUNK)
            if not data:
                break
            self._size += len(data)
            self._write(data)
            now = monotonic()
            if now - self._progress_s > _PROGRESS_S:
                if self._progress_s:
                    rate = self._size / max(now - self._began, 1e-9) / 1e6
                    self._progress.show(f"{self._of_size()}, {rate:.1f} MB/s")
                self._progress_s = now
        else:
            if not self._expected:
                self._write(b"")
        self._took("total")

    def _of_size(self) -> str:
        of = f" of {self._expected}" if self._expected > self._size else ""
        return f"{self._size}{of} bytes" if of else counted(self._size, "byte")

    def _write(self, data: bytes) -> None:
        name = self._args.get("output")
        if name == "-" and not self._session.options.json:
            self._session.out.raw(data)
        elif name not in (None, "-"):
            try:
                if self._file is None:
                    self._file = open(name, "wb")  # noqa: SIM115  _close_file closes it
                self._file.write(data)
            except OSError as error:
                raise OutputError(f'cannot write "{name}": {error.strerror}') from None

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()

    # --- the end ----------------------------------------------------------------------------------

    def _so_far(self) -> str:
        """Return how far it came, for a complaint."""
        if self._status is None:
            return ": the request was sent, and nothing came back"
        return f" after {self._of_size()} of the body"

    def _broken(self, error: HTTPException) -> str:
        """Return what is wrong with an answer that is not HTTP."""
        what = str(error.args[0]) if error.args else ""
        if self._status is not None:
            return f"the answer of {self._where} broke off{self._so_far()}"
        shown = repr(what.strip("'\"")[:_WRONG_SHOWN])
        kind = type(error).__name__
        if kind == "BadStatusLine":
            return f"the answer of {self._where} is not HTTP: it begins with {shown}"
        return f"the answer of {self._where} is broken: {shown if what else kind}"

    def _failed(self, error: OSError) -> dict[str, Any]:
        """Return what ended the connection, as the stack says it."""
        said = said_of(error) or {}
        found = {"reason": said.get("code"), "message": f"{said.get('message')}{self._so_far()}"}
        return found | {key: said[key] for key in ("hint", "id") if key in said}

    def _finish(self, wrong: dict[str, Any]) -> int:
        self._times.setdefault("total", round((monotonic() - self._began) * 1000, 3))
        good = not wrong and self._status is not None and 200 <= self._status < 400
        times = {f"{phase}_ms": value for phase, value in self._times.items()}
        emit(self._session, "summary", ok=good, status=self._status, bytes=self._size,
             **times, **wrong)  # fmt: skip
        names = {"connect": "connect", "first_byte": "first byte", "total": "total"}
        told = [f"{names[phase]} {value:.1f} ms" for phase, value in self._times.items()]
        self._say(f"{', '.join(told)}, {self._of_size()}")
        if wrong and not self._session.options.json:
            self._session.out.failure(wrong["message"], wrong.get("hint"))
            if wrong.get("reason"):
                stream.ask_why(self._session, wrong["reason"], wrong.get("id"))
        return exits.DONE if good else exits.NO
