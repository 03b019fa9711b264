"""One command's run: its options, its output and its connection to the daemon."""

import signal
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from smolctl.cli.output import Output, stderr_is_terminal
from smolctl.cli.words.options import Options
from smolctl.control.changes import asks

if TYPE_CHECKING:  # the client costs time that --help and completion need not spend
    from smolctl.client import Client

Event = dict[str, Any]
PATIENCE_S = 0.1
"""After this long a person is told what is being waited for, seconds."""


class Session:
    """The surroundings of a command that runs.

    Args:
        options: the global options of the command line.
        other: a session whose connections this one uses too, and leaves open.
    """

    def __init__(self, options: Options, other: "Session | None" = None) -> None:
        self.options = options
        self.out = Output(options)
        self.kind = ""
        """Kind of the command for the exit table, see ``exit.status``."""
        self.interrupted = False
        """SIGINT came while events were awaited, and their request was asked to end."""
        self.files: tuple[str, ...] = other.files if other else ()
        """The batch files that are being run, the outermost first."""
        self._clients: dict[str, Client] = other._clients if other else {}

    def client(self, op: str) -> "Client":
        """Return the connection to the daemon of the options' stack, which is made on first use.

        It starts the daemon when that is not running. A question does so only where the command
        line names no stack: a newcomer's first ``route show`` works, and a mistyped name is not
        taken for an empty stack.

        Args:
            op: the operation that is to be asked for.

        Raises:
            SmolctlError: as ``Client.connect``.
        """
        client = self._clients.get(self.options.stack)
        if client is None:
            from smolctl.client import Client

            options = self.options
            client = self._clients[options.stack] = Client.connect(
                options.stack,
                start=not (options.no_start or (options.named and asks(op))),
                notice=self.out.notice,
            )
        return client

    def call(self, op: str, **args: Any) -> list[dict[str, Any]]:
        """Run one request and return its rows.

        Raises:
            SmolctlError: as ``Client.call``.
        """
        with _Patience(self.out, f'stack "{self.options.stack}"'):
            return self.client(op).call(op, **self.options.asked(args))

    def rows(self, op: str, **args: Any) -> Iterator[Event]:
        """Run one request and yield its rows as they come; take them before the next request.

        Raises:
            SmolctlError: as ``Client.call``; while iterating, too.
        """
        return self.patiently(self.client(op).ask(op, **self.options.asked(args)))

    def patiently(self, rows: Iterable[Event]) -> Iterator[Event]:
        """Yield the rows that were asked for; what is waited for is said after a while."""
        rows = iter(rows)
        with _Patience(self.out, f'stack "{self.options.stack}"'):
            first = next(rows, None)
        if first is not None:
            yield first
            yield from rows

    def stream(
        self,
        op: str,
        args: dict[str, Any],
        handle: Callable[[Event], None],
        *,
        has_status: bool = False,
    ) -> Event:
        """Run a request that sends events, and return its result.

        The first SIGINT asks the daemon to end it, so that the summary still comes; a second one
        ends the command.

        Args:
            op: name of the request.
            args: its arguments.
            handle: is called with each event.
            has_status: SIGQUIT asks for an event that tells how far the request is.

        Raises:
            SmolctlError: as ``Client.stream``.
            KeyboardInterrupt: on the second SIGINT.
        """
        client = self.client(op)
        stream = client.stream(op, **self.options.asked(args))

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, signal.default_int_handler)
            client.cancel()

        previous = {signal.SIGINT: signal.signal(signal.SIGINT, interrupt)}
        if has_status:
            ask = signal.signal(signal.SIGQUIT, lambda _number, _frame: client.ask_status())
            previous[signal.SIGQUIT] = ask
        try:
            events: Iterator[Event] = iter(stream)
            for event in events:
                handle(event)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        return dict(stream.result)

    def forget(self) -> None:
        """Close the connection to the options' stack; the next request makes another one."""
        client = self._clients.pop(self.options.stack, None)
        if client is not None:
            client.close()

    def close(self) -> None:
        """Close the connections."""
        while self._clients:
            self._clients.popitem()[1].close()


class _Patience:
    """Says on a terminal what the block waits for, once it took ``PATIENCE_S``."""

    def __init__(self, out: Output, what: str) -> None:
        self._out = out
        self._what = what
        self._active = stderr_is_terminal() and not out.options.quiet

    def __enter__(self) -> None:
        if self._active:
            signal.signal(signal.SIGALRM, self._tell)
            signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)

    def __exit__(self, *_: object) -> None:
        if self._active:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _tell(self, _number: int, _frame: FrameType | None) -> None:
        self._out.waiting(self._what)
