"""One command's run: its options, its output and its surroundings."""

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FrameType
from typing import Any

from smolctl.cli.daemons import Around, Asking, Daemons
from smolctl.cli.output import Output, stderr_is_terminal
from smolctl.cli.words.options import Options

Event = dict[str, Any]
PATIENCE_S = 0.1
"""After this long a person is told what is being waited for, seconds."""


class Session:
    """The surroundings of a command that runs.

    Args:
        options: the global options of the command line.
        other: a session whose surroundings this one has, too, and its files.
        around: its surroundings; the daemons of this user unless said otherwise.
    """

    def __init__(
        self,
        options: Options,
        other: "Session | None" = None,
        around: Around | None = None,
    ) -> None:
        self.options = options
        self.around: Around = other.around if other else around or Daemons()
        self.out = Output(options, self.around.clock)
        self.kind = ""
        """Kind of the command for the exit table, see ``exit.status``."""
        self.interrupted = False
        """SIGINT came while events were awaited, and their request was asked to end."""
        self.files: tuple[str, ...] = other.files if other else ()
        """The batch files that are being run, the outermost first."""

    def admit(self, path: str, args: Mapping[str, Any]) -> None:
        """Let a command run; see ``Around.admit``.

        Raises:
            SmolctlError: it has no place here.
        """
        self.around.admit(path, args)

    def client(self, op: str) -> Asking:
        """Return the options' stack, which is asked for an operation.

        Raises:
            SmolctlError: it cannot be reached.
        """
        return self.around.reach(self.options, op, self.out.notice)

    def call(self, op: str, **args: Any) -> list[dict[str, Any]]:
        """Run one request and return its rows.

        Raises:
            SmolctlError: as ``Client.call``.
        """
        with Patience(self.out, f'stack "{self.options.stack}"'):
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
        with Patience(self.out, f'stack "{self.options.stack}"'):
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
        with self.around.interrupts(client, self._interrupt, has_status=has_status):
            for event in stream:
                handle(event)
        return dict(stream.result)

    def _interrupt(self) -> None:
        self.interrupted = True

    def forget(self) -> None:
        """Let go of the options' stack; the next request finds it anew."""
        self.around.forget(self.options.stack)

    def close(self) -> None:
        """Let go of all stacks."""
        self.around.close()


class Patience:
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
