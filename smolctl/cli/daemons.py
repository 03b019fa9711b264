"""Surroundings of a command: the stacks that it reaches, and signals."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from smolctl.cli.clock import Clock
from smolctl.cli.words.options import Options
from smolctl.control.changes import asks

if TYPE_CHECKING:
    # The client costs time that --help and completion need not spend.
    from smolctl.client import Client

Row = dict[str, Any]
LOOK_PATIENCE_S = 1.0
"""Time that one of several daemons has to answer, seconds: one that hangs hides nobody."""


class Answers(Protocol):
    """The events or rows of one request, in order; ``result`` is there after the last one."""

    result: Row

    def __iter__(self) -> Iterator[Row]:
        """Return itself."""

    def __next__(self) -> Row:
        """Return the next event or row."""


class Asking(Protocol):
    """A stack that is asked: ``smolctl.client.Client``, or a node of a lab."""

    def call(self, op: str, **args: Any) -> list[Row]:
        """Run ``op`` and return its rows, all of them."""

    def call_passing(self, descriptors: Sequence[int], op: str, **args: Any) -> list[Row]:
        """Pass descriptors with a request; see ``call``."""

    def ask(self, op: str, **args: Any) -> Answers:
        """Run ``op`` and iterate over its rows."""

    def stream(self, op: str, **args: Any) -> Answers:
        """Run ``op`` and iterate over its events."""

    def cancel(self) -> None:
        """Ask for an early end of the running request."""

    def ask_status(self) -> None:
        """Ask how far the running request is; the answer is an event."""


class Around(Protocol):
    """The world of a command, and of the commands that it runs."""

    @property
    def clock(self) -> Clock:
        """The clock for times of day."""

    @property
    def root(self) -> bool:
        """Whether the user may do everything."""

    def admit(self, path: str, args: Mapping[str, Any]) -> None:
        """Let a command run.

        Args:
            path: the words that lead to it: "addr add".
            args: its arguments.

        Raises:
            SmolctlError: it has no place here.
        """

    def reach(self, options: Options, op: str, notice: Callable[[str], None]) -> Asking:
        """Return the stack of the options.

        Args:
            op: the operation that it is to be asked for.
            notice: takes a line for the user.

        Raises:
            SmolctlError: it cannot be reached.
        """

    def interrupts(
        self, asked: Asking, interrupted: Callable[[], None], *, has_status: bool
    ) -> AbstractContextManager[None]:
        """Return a context in which SIGINT asks for the end of a running request.

        Args:
            asked: runs the request.
            interrupted: is called when SIGINT has come; the next one raises KeyboardInterrupt.
            has_status: SIGQUIT asks for an event that tells how far the request is.
        """

    def stacks(self) -> list[str]:
        """Return the names of all stacks there are, some of which may not answer."""

    def look(self, stack: str, op: str, **args: Any) -> list[Row]:
        """Return the answer of a stack to a question, and do not wait for long.

        Raises:
            SmolctlError: the stack does not run, or does not answer.
        """

    def stop(self, stack: str) -> None:
        """Stop a stack.

        Raises:
            SmolctlError: it does not run.
        """

    def forget(self, stack: str) -> None:
        """Let the next request to a stack find it anew."""

    def close(self) -> None:
        """Let go of all stacks."""


class Daemons:
    """The daemons of this user, on this machine; see ``Around``."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._clients: dict[str, Client] = {}

    @property
    def root(self) -> bool:
        """Whether the user is root."""
        return os.geteuid() == 0

    def admit(self, path: str, args: Mapping[str, Any]) -> None:
        """Let every command run."""

    def reach(self, options: Options, op: str, notice: Callable[[str], None]) -> "Client":
        """Return the connection to the daemon of the options' stack, which is made on first use.

        It starts the daemon when that is not running. A question does so only where the command
        line names no stack: a newcomer's first ``route show`` works, and a mistyped name is not
        taken for an empty stack.

        Args:
            op: the operation that is to be asked for.
            notice: is told that a daemon was started.

        Raises:
            SmolctlError: as ``Client.connect``.
        """
        client = self._clients.get(options.stack)
        if client is None:
            from smolctl.client import Client

            client = self._clients[options.stack] = Client.connect(
                options.stack,
                start=not (options.no_start or (options.named and asks(op))),
                notice=notice,
            )
        return client

    @contextmanager
    def interrupts(
        self, asked: Asking, interrupted: Callable[[], None], *, has_status: bool
    ) -> Iterator[None]:
        """Take signals while a request runs."""

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            interrupted()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            asked.cancel()

        previous = {signal.SIGINT: signal.signal(signal.SIGINT, interrupt)}
        if has_status:
            ask = signal.signal(signal.SIGQUIT, lambda _number, _frame: asked.ask_status())
            previous[signal.SIGQUIT] = ask
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def stacks(self) -> list[str]:
        """Return the names of the daemons that run, or did until they were killed."""
        from smolctl.control import paths

        return paths.stacks()

    def look(self, stack: str, op: str, **args: Any) -> list[Row]:
        """Return the answer of a daemon."""
        from smolctl.client import Client

        with Client.connect(stack, start=False, timeout=LOOK_PATIENCE_S) as client:
            return client.call(op, **args)

    def stop(self, stack: str) -> None:
        """Stop a daemon, of whatever version; return when its name is free again."""
        from smolctl.client import stop_daemon

        stop_daemon(stack)

    def forget(self, stack: str) -> None:
        """Close the connection to a stack; the next request makes another one."""
        client = self._clients.pop(stack, None)
        if client is not None:
            client.close()

    def close(self) -> None:
        """Close the connections."""
        while self._clients:
            self._clients.popitem()[1].close()
