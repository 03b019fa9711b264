"""Surroundings of a command in a lab: its nodes, its time, and what makes sense there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

from smolctl.cli.clock import Clock
from smolctl.cli.daemons import Answers, Asking
from smolctl.cli.inside.answers import NOTHING, Asked, Row, Waits, Written, copied
from smolctl.cli.words.grammar import UsageFault
from smolctl.cli.words.options import Options
from smolctl.errors import ClientError, ControlError
from smolctl.lab.node import Node
from smolctl.near import did_you_mean

SOCKETS = "a lab has no programs outside of it"
_MACHINE = "it is about this machine, which a lab does not use", None
NO_PLACE = {
    "doctor": _MACHINE,
    **dict.fromkeys(("host show", "host save", "host drops"), _MACHINE),
    "exec": (SOCKETS, "use [[programs]]"),
    "stack log": ("a node has no log", "stats drops and why list tell what went wrong"),
    "stack start": ("a node runs from the beginning", 'restart = "NODE" in a step boots it anew'),
    "tcp bench": (SOCKETS, "tcp send sends data and says when it was acknowledged"),
    "tcp connect": (SOCKETS, "use tcp send"),
    "tcp http": (SOCKETS, "use tcp send HOST:80 with the request as its data"),
    "tcp listen": (SOCKETS, "use tcp echo"),
    **{
        f"lab {verb}": ("it is in one already", f"smolctl lab {verb}, in a shell")
        for verb in ("run", "list", "show", "new", "compare", "up", "down")
    },
}
"""Commands that make no sense in a lab, why, and what to do instead."""
_FILES = ("batch", "config diff")
"""Commands that read files, which need not be there before it is their turn."""
_READERS = (*_FILES, "capture", "tcp send", "udp send")
"""Commands that read standard input where they are told "-"."""


class Inside:
    """The surroundings of a command in one of its runs; see ``smolctl.cli.daemons.Around``.

    Args:
        node: whose command it is.
        log: what it has asked for in the runs before; new requests are put there.
        began_ns: when it began.
        asks: False for a run in which nothing new is asked.

    Attributes:
        now_ns: the time that the command has.
        writes: whether it writes a file.
        written: returns what it wrote so far.
    """

    root = False

    def __init__(self, node: Node, log: list[Asked], began_ns: int, *, asks: bool = True) -> None:
        self.now_ns, self.writes = began_ns, False
        self.clock = _NodeClock(self, node)
        self.written: Callable[[], Written] = lambda: NOTHING
        self._node, self._log, self._asks = node, log, asks
        self._number = 0
        self._interrupted: Callable[[], None] | None = None

    def admit(self, path: str, args: Mapping[str, Any]) -> None:
        """Let a command run that makes sense here.

        Raises:
            UsageFault: it does not.
        """
        _admit(path, args)
        self.writes |= path == "capture" and "write" in args

    def reach(self, options: Options, op: str, notice: Callable[[str], None]) -> Asking:
        """Return the node of a name.

        Raises:
            ClientError: there is none.
        """
        return _Asker(self, self._named(options.stack))

    def _named(self, name: str) -> Node:
        node = self._node.nodes.get(name)
        if node is None:
            raise ClientError(
                f'there is no node "{name}" in this lab',
                hint=did_you_mean(name, self._node.nodes),
                code="not-running",
            )
        return node

    @contextmanager
    def interrupts(
        self, asked: Asking, interrupted: Callable[[], None], *, has_status: bool
    ) -> Iterator[None]:
        """Take SIGINT while a request runs."""
        self._interrupted = interrupted
        try:
            yield
        finally:
            self._interrupted = None

    def stacks(self) -> list[str]:
        """Return the names of the nodes."""
        return list(self._node.nodes)

    def look(self, stack: str, op: str, **args: Any) -> list[Row]:
        """Return the answer of a node."""
        return _Asker(self, self._named(stack)).call(op, **args)

    def stop(self, stack: str) -> None:
        """Stop a node."""
        _Asker(self, self._named(stack)).call("stack.stop")

    def forget(self, stack: str) -> None:
        """Keep the node."""

    def close(self) -> None:
        """Keep the nodes."""

    # --- for the answers --------------------------------------------------------------------------

    def ask(self, node: Node, op: str, args: Row) -> "_Answers":
        """Ask a node, or return what it answered in a run before."""
        if self._number == len(self._log) and self._asks:
            # An iteration that was left early ends, as with a daemon's client.
            if self._log and not self._log[-1].request.ended:
                self._log[-1].request.cancel()
            self._log.append(Asked(node.start(op, copied(args)), node.name))
        if self._number == len(self._log) or self._log[self._number].request.op != op:
            if self._asks:
                raise ControlError(f"{op} is asked in one run, and not in another", code="internal")
            raise Waits(None, self.written())
        self._number += 1
        return _Answers(self, self._log[self._number - 1])

    def interrupt(self) -> None:
        """Let SIGINT come."""
        if self._interrupted is None:
            raise KeyboardInterrupt
        self._interrupted()

    def wait(self, asked: Asked) -> None:
        """Leave the run.

        Raises:
            Waits: always.
        """
        interruptible = self._interrupted is not None
        raise Waits(asked, self.written(), interruptible=interruptible)


class _NodeClock(Clock):
    """The time of day in a world, which is UTC everywhere."""

    def __init__(self, around: Inside, node: Node) -> None:
        self._around, self._node = around, node

    def time(self) -> float:
        """Return the time of the command's last event."""
        return self._node.wall_time(self._around.now_ns)

    def local(self, seconds: float) -> datetime:
        """Return a time of UTC."""
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


class _Asker:
    """A node that is asked by a command; see ``smolctl.cli.daemons.Asking``."""

    def __init__(self, around: Inside, node: Node) -> None:
        self._around, self._node = around, node

    def call(self, op: str, **args: Any) -> list[Row]:
        """Run ``op`` and return its rows, all of them."""
        return list(self.stream(op, **args))

    def call_passing(self, descriptors: Sequence[int], op: str, **args: Any) -> list[Row]:
        """Refuse: no descriptor gets into a lab."""
        raise ControlError(SOCKETS)

    def ask(self, op: str, **args: Any) -> Answers:
        """Run ``op`` and iterate over its rows."""
        return self.stream(op, **args)

    def stream(self, op: str, **args: Any) -> Answers:
        """Run ``op`` and iterate over its events."""
        return self._around.ask(self._node, op, args)

    def cancel(self) -> None:
        """Do nothing: who interrupts a command ends its request."""

    def ask_status(self) -> None:
        """Do nothing: nobody asks for the status."""


class _Answers:
    """The answers to a request in one run; see ``smolctl.cli.daemons.Answers``."""

    def __init__(self, around: Inside, asked: Asked) -> None:
        self.result: Row = {}
        self._around, self._asked = around, asked
        self._number = 0
        self._interrupted = False

    def __iter__(self) -> "_Answers":
        return self

    def __next__(self) -> Row:
        asked, around = self._asked, self._around
        if self._number == asked.interrupted_at and not self._interrupted:
            self._interrupted = True
            around.interrupt()
        if self._number == asked.killed_at:
            raise KeyboardInterrupt
        if self._number < asked.count:
            at_ns, event = asked.event(self._number)
            around.now_ns = at_ns or around.now_ns
            self._number += 1
            return event
        if asked.request.ended_ns is None:
            around.wait(asked)
        around.now_ns = asked.request.ended_ns or around.now_ns
        self.result = asked.result()
        raise StopIteration


class Nowhere:
    """Surroundings where nothing can be asked: a command is left at its first request.

    One that reads a file is left before it does.
    """

    root = False

    def __init__(self) -> None:
        self.clock = Clock()

    def admit(self, path: str, args: Mapping[str, Any]) -> None:
        """Let a command run that makes sense in a lab; see ``Inside``.

        Raises:
            UsageFault: it makes none.
            Waits: it would read a file.
        """
        _admit(path, args)
        if path in _FILES or "read" in args:
            raise Waits(None, NOTHING)

    def reach(self, options: Options, op: str, notice: Callable[[str], None]) -> Asking:
        """Leave the command.

        Raises:
            Waits: always.
        """
        raise Waits(None, NOTHING)

    def interrupts(
        self, asked: Asking, interrupted: Callable[[], None], *, has_status: bool
    ) -> AbstractContextManager[None]:
        """Do nothing: nothing runs."""
        return nullcontext()

    def stacks(self) -> list[str]:
        """Return one: a lab has nodes, though nobody knows yet which."""
        return ["node"]

    def look(self, stack: str, op: str, **args: Any) -> list[Row]:
        """Leave the command.

        Raises:
            Waits: always.
        """
        raise Waits(None, NOTHING)

    def stop(self, stack: str) -> None:
        """Leave the command.

        Raises:
            Waits: always.
        """
        raise Waits(None, NOTHING)

    def forget(self, stack: str) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _admit(path: str, args: Mapping[str, Any]) -> None:
    """Refuse commands that make no sense in a lab.

    Raises:
        UsageFault: it is one of them.
    """
    if path in NO_PLACE or args.get("host") is True:
        why, hint = NO_PLACE.get(path, _MACHINE)
        raise UsageFault(f"{path} does not work in a lab: {why}", hint=hint)
    if path == "capture" and args.get("write") == "-":
        raise UsageFault(
            "capture -w - does not work in a lab: its output is text", hint="capture -w FILE"
        )
    if path in _READERS and "-" in args.values():
        raise UsageFault(
            f"{path} - does not work in a lab: there is no standard input to read from",
            hint="write the data into the command, or name a file",
        )
