"""Sockets of the stack for commands that move data by themselves."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from smolctl.cli.nouns import marks
from smolctl.cli.session import Session
from smolctl.cli.words.endpoint import bound, joined
from smolctl.cli.words.grammar import Args
from smolctl.client.control import command_for
from smolctl.client.errors import said_of
from smolctl.client.stream import StreamSocket
from smolctl.control.changes import asks
from smolctl.errors import ClientError, InvalidArgument, SmolctlError
from smolctl.wire.address import IPV4, IPV6, parse_zoned

PATIENCE_S = 0.1
"""After this long a person is told what is waited for."""
_MAPPED = "::ffff:"


def open_socket(session: Session, owner: str, *, six: bool) -> StreamSocket:
    """Return a socket of the options' stack, which is started as by any other command.

    Args:
        owner: the command.
    """
    assert not asks("stream.open")
    session.client("stream.open")
    family = socket.AF_INET6 if six else socket.AF_INET
    return StreamSocket(session.options.stack, start=False, family=family, owner=owner)


@contextmanager
def connected(
    session: Session, owner: str, args: Args, peer: tuple[str, int], wait: float | None
) -> Iterator[StreamSocket]:
    """Open a connection from what "src", "sport" and "dev" name, and close it at the end.

    Args:
        peer: host and port.
        wait: seconds that it may take, None for as long as TCP tries.

    Raises:
        OSError, SmolctlError: it was not opened.
    """
    for host in (peer[0], args.get("src")):
        if host is not None:
            _check_host(session, host)
    with open_socket(session, owner, six=":" in peer[0]) as one:
        bind(one, args)
        _connect(session, one, peer, wait)
        yield one


@contextmanager
def listening(
    session: Session, owner: str, args: Args, backlog: int = 4096
) -> Iterator[StreamSocket]:
    """Open a socket that listens at "addr", "port" and "dev", and say so.

    Args:
        backlog: connections that may wait.
    """
    host, port = args.get("addr", ""), port_of(args["port"])
    if host:
        _check_host(session, host)
    # Without an address it hears both families, unless one is asked for.
    any_family = not host and session.options.family is None
    dev = {"dev": args["dev"]} if "dev" in args else {}
    mark = {"mark": args["mark"]} if "mark" in args else {}
    six = ":" in host if host else session.options.family != "inet"
    with open_socket(session, owner, six=six) as one:
        if one.family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not any_family)
        bind(one, dev | mark)
        # What is left of earlier connections is in nobody's way.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((host, port))
        one.listen(backlog)
        one.setblocking(False)
        shown = {"addr": name_of(one.getsockname())[0], "port": port, **dev}
        if shown["addr"] == "::" and not any_family:
            shown["v6only"] = True
        emit(session, "bound", **shown)
        if not session.options.json:
            session.out.notice(bound(shown))
        yield one


def bind(one: StreamSocket, args: Args) -> None:
    """Bind a socket to what "dev", "src" and "sport" name, if they are there, and mark it."""
    mark = marks.of(args)
    if mark is not None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    if "dev" in args:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, args["dev"])
    if "src" in args or "sport" in args:
        one.bind((args.get("src", ""), port_of(args.get("sport", "0"), 0)))


def port_of(text: str, least: int = 1) -> int:
    """Return a port, as the stack's own commands check it."""
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= 65_535):
        raise InvalidArgument(f"port {text} is not a whole number of {least}..65535")
    return int(text)


def number(args: Args, name: str, least: float) -> float | None:
    """Return a number that was given, None without one."""
    text = args.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    whole = name == "wait" or value.is_integer()
    if not (least <= value <= 1e9 and whole):
        what = "number of seconds, 0 or more" if name == "wait" else f"whole number, {least:g}.."
        raise InvalidArgument(f'{name} "{text}" is not a {what}')
    return value


def _check_host(session: Session, text: str) -> None:
    """See that an address, which may have a zone, is one of the family that is asked for.

    Raises:
        InvalidArgument: it is not, in the words of the stack.
    """
    family = {"inet": IPV4, "inet6": IPV6}.get(session.options.family or "")
    try:
        parse_zoned(text, family)
    except ValueError as error:
        raise InvalidArgument(str(error)) from None


def shown_error(error: OSError) -> SmolctlError:
    """Return an error of a socket as one that the command line shows.

    Where the stack said what it was, it is that; else the stack is gone, or the address is wrong.
    """
    said = said_of(error)
    if said is not None:
        problem = SmolctlError(str(said["message"]), hint=said.get("hint"), code=str(said["code"]))
        problem.packet = said.get("id")
        return problem
    if isinstance(error, socket.gaierror):
        return InvalidArgument(str(error.strerror))
    return ClientError(str(error.strerror or error), code="daemon-gone")


def is_of_output(error: OSError) -> bool:
    """Tell whether nobody reads standard output any more; a connection says what it was."""
    return isinstance(error, BrokenPipeError) and said_of(error) is None


@contextmanager
def shown_errors() -> Iterator[None]:
    """Turn errors of sockets into those that the command line shows."""
    try:
        yield
    except OSError as error:
        if is_of_output(error):
            raise
        raise shown_error(error) from None


def emit(session: Session, event: str, **fields: Any) -> None:
    """Write an event, for who wants JSON; fields that are None are left out."""
    if session.options.json:
        session.out.event({"event": event, **{k: v for k, v in fields.items() if v is not None}})


def name_of(address: Any) -> tuple[str, int]:
    """Return host and port of a socket's address; one of IPv4 stays one in an IPv6 socket."""
    host = str(address[0])
    return host.removeprefix(_MAPPED) if "." in host else host, int(address[1])


def silent(session: Session, peer: tuple[str, int], wait: float | None) -> SmolctlError:
    """Return the error of a peer from which nothing came for so many seconds."""
    where = joined(*peer)
    hint = f"{command_for(session.options.stack)} why tcp any {where}"
    text = f"nothing from {where} for {wait or 0:g} s"
    return SmolctlError(text, hint=hint, code="tcp-timed-out")


def _connect(
    session: Session, one: StreamSocket, peer: tuple[str, int], wait: float | None
) -> None:
    """Connect; say what is waited for when it takes a while."""
    one.settimeout(PATIENCE_S if wait is None else min(wait, PATIENCE_S))
    try:
        try:
            one.connect(peer)
        except TimeoutError as error:
            if said_of(error) is not None or (wait is not None and wait <= PATIENCE_S):
                raise
            session.out.waiting(f"{joined(*peer)} to answer SYN")
            one.settimeout(None if wait is None else wait - PATIENCE_S)
            one.finish_connect()
    except TimeoutError as error:
        if said_of(error) is None:
            raise silent(session, peer, wait) from None
        raise


class Interrupt:
    """SIGINT as a descriptor that becomes readable; a second one ends the command."""

    def __init__(self) -> None:
        self.came = False
        self._read, self._write = os.pipe()
        self._previous: Any = signal.getsignal(signal.SIGINT)

    def __enter__(self) -> "Interrupt":
        signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._previous)
        os.close(self._read)
        os.close(self._write)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._read

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.write(self._write, b"\0")
