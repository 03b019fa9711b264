"""Blocking client of a stack's daemon, which it starts when it is not running.

Import-light on purpose: every command pays for what this module pulls in.
"""

import os
import re
import sys

# Not socket: its enums and selectors cost each command 3 ms, and only connect, send and recv are
# used here.
from _socket import AF_UNIX, SCM_RIGHTS, SO_PEERCRED, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET
from _socket import socket as Socket
from collections.abc import Callable, Iterator, Sequence
from time import monotonic, sleep
from typing import Any

from smolctl import __version__
from smolctl.control import messages
from smolctl.control.codec import MAX_REPLY, Decoder
from smolctl.control.paths import DEFAULT_STACK, StackPaths, check_directory, stack_paths, stacks
from smolctl.errors import ClientError, ControlError, SmolctlError
from smolctl.launch import DEFAULT_TIMEOUT, daemon_command, daemon_environment, start_daemon
from smolctl.near import did_you_mean

__all__ = [
    "DEFAULT_TIMEOUT",
    "Client",
    "RemoteError",
    "Stream",
    "daemon_command",
    "daemon_environment",
    "start_daemon",
    "stop_daemon",
]

_RECEIVE_SIZE = 1 << 18
_COMMAND = re.compile(r"\bsmolctl (?!-n |--stack )")
_ADVICE = ("hint", "fix", "look")
"""Keys of rows, events and errors whose text may be a command for the stack that sent it."""


class RemoteError(SmolctlError):
    """The daemon's answer was an error; all that it says is the daemon's."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(
            str(error.get("message", "the daemon gave no reason")),
            hint=error.get("hint"),
            code=str(error.get("code", "internal")),
        )
        self.errno_name = error.get("errno")
        self.packet = error.get("id")


class Client:
    """One connection to a daemon; one request at a time.

    Made by ``connect``. A context manager that closes itself. Not for use by several threads.
    """

    def __init__(self, connection: Socket, stack: str, timeout: float) -> None:
        self.stack = stack
        self.version = ""
        """Version of the daemon's smolctl."""
        self.pid = 0
        """Process id of the daemon."""
        self._socket = connection
        self._timeout = timeout
        self._decoder = Decoder(MAX_REPLY)
        self._last_id = 0
        self._running: int | None = None
        # A daemon speaks of "smolctl addr add ..."; which stack that reaches depends on who types.
        self._named = must_name(stack)

    @classmethod
    def connect(
        cls,
        stack: str = DEFAULT_STACK,
        *,
        start: bool = True,
        notice: Callable[[str], None] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> "Client":
        """Connect to the stack's daemon.

        Args:
            stack: name of the stack.
            start: start a daemon when none answers.
            notice: is told in one line that a daemon was started.
            timeout: seconds to wait for the daemon to start, to say hello, and in ``call`` for
                each part of an answer. ``stream`` waits without limit between events.

        Raises:
            InvalidArgument: ``stack`` is not a name.
            ClientError: ``not-running``, ``start-failed``, ``daemon-gone`` or ``daemon-silent``.
            ControlError: ``version-mismatch``, or the runtime directory is not safe to use.
            RemoteError: the daemon refused the connection.
        """
        paths = stack_paths(stack)
        started = False
        # A daemon that stops just now may take the connection and close it without a word, so the
        # next one is given a chance.
        for last in (False, False, True):
            connection = _connect(paths, timeout)
            if connection is None:
                if not start:
                    break
                start_daemon(stack, timeout=timeout)
                started = True
                continue
            client = cls(connection, stack, timeout)
            try:
                client._greet()
            except BaseException as error:
                client.close()
                if isinstance(error, ClientError) and error.code == "daemon-gone" and not last:
                    continue
                raise
            if started and notice is not None:
                notice(f'started stack "{stack}" (pid {client.pid})')
            return client
        if start:
            raise ClientError(
                f'stack "{stack}" started, but ended at once',
                hint=f"smolctl --stack {stack} stack log",
                code="start-failed",
            )
        raise not_running(stack)

    def call(self, op: str, **args: Any) -> list[dict[str, Any]]:
        """Run ``op`` ("route.show") and return its rows, all of them.

        Raises:
            RemoteError: the daemon refused, or failed.
            ClientError: the daemon went away (``daemon-gone``), or did not answer within the
                timeout given to ``connect`` (``daemon-silent``).
        """
        return list(self.rows(op, **args))

    def rows(self, op: str, **args: Any) -> Iterator[dict[str, Any]]:
        """Run ``op`` and yield its rows as they arrive; errors as for ``call``."""
        return self._rows(self._request(op, args))

    def _rows(self, number: int) -> Iterator[dict[str, Any]]:
        while True:
            reply = self._reply(number, self._timeout)
            yield from reply.get("rows", ())
            if "done" in reply:
                self._running = None
                return

    def call_passing(
        self, descriptors: Sequence[int], op: str, **args: Any
    ) -> list[dict[str, Any]]:
        """Pass the daemon descriptors, which stay open here, with a request; see ``call``."""
        number = self._number()
        frame = messages.request(number, op, args)
        # unix(7): it comes with the first byte.
        numbers = b"".join(each.to_bytes(4, sys.byteorder) for each in descriptors)
        passed = [(SOL_SOCKET, SCM_RIGHTS, numbers)]
        self._socket.settimeout(self._timeout)
        try:
            sent = self._socket.sendmsg([frame], passed)
        except OSError as error:
            raise self._gone(f"cannot ask the daemon: {error.strerror}") from None
        self._send(frame[sent:])
        return list(self._rows(number))

    def stream(self, op: str, **args: Any) -> "Stream":
        """Run ``op`` and iterate over its events; errors as for ``call``, raised while iterating.

        The request is sent at once.
        """
        return Stream(self, self._request(op, args))

    def ask(self, op: str, **args: Any) -> "Stream":
        """Run ``op`` and iterate over its rows; errors as for ``call``, raised while iterating.

        The request is sent at once, so that other work can be done until the rows are needed. They
        must be taken before the next request.
        """
        return Stream(self, self._request(op, args), self._timeout)

    def cancel(self) -> None:
        """Ask the daemon to end the running request; go on iterating for what it has to say.

        Safe in a signal handler that interrupts the iteration; does nothing when nothing runs.
        """
        if self._running is not None:
            self._send(messages.cancel(self._running))

    def ask_status(self) -> None:
        """Ask how far the running request is; the answer is an event. As safe as ``cancel``."""
        if self._running is not None:
            self._send(messages.ask_status(self._running))

    def close(self) -> None:
        """Close the connection; the daemon ends what still runs on it."""
        self._socket.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _greet(self) -> None:
        self._send(messages.hello(__version__))
        welcome = self._receive(self._timeout)
        messages.parse_welcome(welcome)
        self.version = str(welcome.get("version", ""))
        self.pid = int(welcome.get("pid", 0))

    def _number(self) -> int:
        """Return the number of a new request."""
        # An iteration that was left early: what it still sends is skipped by its id.
        self.cancel()
        self._last_id += 1
        self._running = self._last_id
        return self._last_id

    def _request(self, op: str, args: dict[str, Any]) -> int:
        self._number()
        for frame in messages.request_in_parts(self._last_id, op, args):
            self._send(frame)
        return self._last_id

    def _reply(self, number: int, timeout: float | None) -> dict[str, Any]:
        """Return the next reply to request ``number``."""
        while True:
            reply = self._receive(timeout)
            if reply.get("id") != number:
                continue
            if self._named:
                for item in (*reply.get("rows", ()), *map(reply.get, ("event", "done", "error"))):
                    name_stack(item, self.stack)
            if "error" in reply:
                self._running = None
                raise RemoteError(reply["error"])
            return reply

    def _send(self, frame: bytes) -> None:
        try:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(frame)
        except TimeoutError:
            raise self._silent() from None
        except OSError:
            # The daemon hung up; its last word, or the end of the stream, is there to be read.
            pass

    def _receive(self, timeout: float | None) -> dict[str, Any]:
        message = self._decoder.next()
        if message is None:
            self._socket.settimeout(timeout)
        while message is None:
            try:
                data = self._socket.recv(_RECEIVE_SIZE)
            except TimeoutError:
                raise self._silent() from None
            except OSError:
                data = b""
            if not data:
                raise self._gone(f'the daemon of stack "{self.stack}"{self._pid_text()} is gone')
            self._decoder.feed(data)
            message = self._decoder.next()
        if "id" not in message and "error" in message:
            error = message["error"]
            if error.get("code") == "daemon-gone":
                raise self._gone(str(error.get("message")))
            raise RemoteError(error)
        return message

    def _pid_text(self) -> str:
        return f" (pid {self.pid})" if self.pid else ""

    def _gone(self, message: str) -> ClientError:
        return ClientError(
            message, hint=f"smolctl --stack {self.stack} stack log", code="daemon-gone"
        )

    def _silent(self) -> ClientError:
        return ClientError(
            f'the daemon of stack "{self.stack}"{self._pid_text()} has not answered for'
            f" {self._timeout:g} s",
            hint=f"smolctl --stack {self.stack} stack log",
            code="daemon-silent",
        )


class Stream:
    """The events of one request, in order; ``result`` holds its done object after the last one.

    An event that carries "lost": n comes after n others that were discarded because this client
    did not read fast enough. Rows, should the request give any, count as events.
    """

    def __init__(self, client: Client, number: int, timeout: float | None = None) -> None:
        self.result: dict[str, Any] = {}
        self._timeout = timeout
        self._client = client
        self._number = number
        self._rows: list[dict[str, Any]] = []
        self._ended = False

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> dict[str, Any]:
        while not self._rows:
            if self._ended:
                raise StopIteration
            reply = self._client._reply(self._number, self._timeout)
            self._rows = reply.get("rows", [])[::-1]
            if "done" in reply:
                self.result = reply["done"]
                self._client._running = None
                self._ended = True
            elif "event" in reply:
                event: dict[str, Any] = reply["event"]
                return event
        return self._rows.pop()


def must_name(stack: str) -> bool:
    """Tell whether a command reaches this stack only when it names it."""
    return stack != DEFAULT_STACK or bool(os.environ.get("SMOLCTL_STACK"))


def command_for(stack: str) -> str:
    """Return how a command begins that reaches a stack."""
    return f"smolctl -n {stack}" if must_name(stack) else "smolctl"


def name_stack(item: Any, stack: str) -> None:
    """Let the commands that a row, event or error advises reach the stack that it came from."""
    if not isinstance(item, dict):
        return
    for key in _ADVICE:
        said = item.get(key)
        if isinstance(said, str):
            item[key] = _COMMAND.sub(f"smolctl -n {stack} ", said)
        elif isinstance(said, list):
            item[key] = [_COMMAND.sub(f"smolctl -n {stack} ", str(text)) for text in said]


def not_running(stack: str, hint: str | None = "smolctl --stack {} stack start") -> ClientError:
    """Return the error for a stack that does not run; its hint is the near name of one that does.

    Args:
        stack: its name.
        hint: what helps when there is no such name; {} is the stack.
    """
    hint = hint.format(stack) if hint else None
    hint = did_you_mean(stack, (name for name in stacks() if name != stack), hint)
    return ClientError(f'stack "{stack}" is not running', hint=hint, code="not-running")


def _connect(paths: StackPaths, timeout: float) -> Socket | None:
    """Return a connected socket, or None when nobody listens."""
    deadline = monotonic() + timeout
    try:
        check_directory(paths.directory)
        while True:
            connection = Socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
            try:
                connection.settimeout(timeout)
                connection.connect(paths.socket)
            except BlockingIOError:
                # unix(7): EAGAIN when the backlog is full. Nothing can be waited for.
                connection.close()
                if monotonic() > deadline:
                    raise
                sleep(0.005)
            except BaseException:
                connection.close()
                raise
            else:
                return connection
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError as error:
        raise ClientError(
            f"cannot connect to {paths.socket}: {error.strerror}", code="unreachable"
        ) from None


def stop_daemon(stack: str = DEFAULT_STACK, *, timeout: float = DEFAULT_TIMEOUT) -> None:
    """Stop the stack's daemon, of whatever version; return when its name is free again.

    Raises:
        ClientError: ``not-running``, or ``daemon-silent``.
        InvalidArgument, ControlError: as for ``Client.connect``.
    """
    connection = _connect(stack_paths(stack), timeout)
    if connection is None:
        raise not_running(stack, hint=None)
    with Client(connection, stack, timeout) as client:
        # struct ucred, socket(7): pid, uid and gid of the process that called listen().
        credentials = connection.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)
        pid = int.from_bytes(credentials[:4], sys.byteorder)
        try:
            client._greet()
            client.call("stack.stop")
            client._receive(timeout)
        except ClientError as error:
            if error.code != "daemon-gone":
                raise
        except (ControlError, RemoteError) as error:
            if error.code != "version-mismatch":
                raise
            os.kill(pid, 15)  # SIGTERM; importing signal for its name costs 1 ms
            _wait_for_end(connection, client, timeout)


def _wait_for_end(connection: Socket, client: Client, timeout: float) -> None:
    connection.settimeout(timeout)
    try:
        while connection.recv(_RECEIVE_SIZE):
            pass
    except TimeoutError:
        raise client._silent() from None
    except OSError:
        pass
