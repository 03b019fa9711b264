"""Command lines of a scenario: protocols of what reads them and runs them on a node.

The command line itself is in ``cli``, which a lab does not know; see ``cli/inside/``.
"""

from collections.abc import Iterable
from typing import Any, Protocol

from smolctl.errors import SmolctlError
from smolctl.lab.node import Node


class BadLine(SmolctlError):
    """A line of a node's configuration that cannot be run.

    Args:
        line: its number.
        error: why.
    """

    def __init__(self, line: int, error: SmolctlError) -> None:
        super().__init__(error.message, hint=error.hint, code=error.code)
        self.line = line


class Running(Protocol):
    """A command line at work on a node, or ended.

    Attributes:
        node: where it runs.
        text: the command line.
        began_ns: when it began, ns of the world's time.
    """

    node: Node
    text: str
    began_ns: int

    @property
    def ended(self) -> bool:
        """Whether it has ended; ask after each instant: it ends while time passes."""

    @property
    def ended_ns(self) -> int | None:
        """The time when it ended, ns of the world's time; None while it goes on."""

    @property
    def status(self) -> int | None:
        """The exit status; None while it goes on."""

    @property
    def out(self) -> str:
        """The text on standard output; so far, while it goes on."""

    @property
    def err(self) -> str:
        """The text on standard error; so far, while it goes on."""

    @property
    def reason(self) -> str | None:
        """The name of the reason why it failed; None for one that did not, or that says none."""

    @property
    def rows(self) -> list[Any]:
        """The JSON that ``-j`` writes: the rows of a table, or the objects of a stream."""

    def cancel(self) -> None:
        """Interrupt it as Ctrl-C does: a probe ends with its summary, perhaps a little later.

        A second time ends it at once, as a second Ctrl-C does.
        """


class Commands(Protocol):
    """Reads command lines, and runs them on nodes."""

    def check(self, text: str) -> None:
        """Find a command line right, and change nothing.

        Raises:
            SmolctlError: it is no command, or one that has no place in a lab.
        """

    def changes(self, lines: Iterable[tuple[int, str]]) -> list[tuple[int, str, dict[str, Any]]]:
        """Return the operations of configuration lines, as ``stack start --config`` takes them.

        Args:
            lines: their numbers and texts. Empty lines and comments are none; a backslash at the
                end continues a line.

        Returns:
            Number of the line, name of the operation, and its arguments.

        Raises:
            BadLine: a line is no command, or one that changes no configuration.
        """

    def start(self, node: Node, text: str, *, json: bool = False) -> Running:
        """Run a command line on a node; it may go on while time passes.

        Args:
            node: whose stack the command is for.
            text: the words, as a shell has them; the word smolctl in front is optional.
            json: write JSON, as ``-j`` asks for.

        A command line that is wrong has ended, with its error and its exit status.
        """
