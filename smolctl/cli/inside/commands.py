"""The command line for a lab."""

from collections.abc import Iterable
from contextlib import suppress

from smolctl.cli import main
from smolctl.cli.inside.answers import Row, Waits, copied
from smolctl.cli.inside.around import Nowhere
from smolctl.cli.inside.command import Command, Streams, words_in
from smolctl.cli.session import Session
from smolctl.cli.words.finder import Refused, changes_of
from smolctl.cli.words.lines import Lines
from smolctl.cli.words.options import Options
from smolctl.lab.commands import BadLine
from smolctl.lab.node import Node


class LabCommands:
    """The command line for a lab; see ``smolctl.lab.commands.Commands``.

    Not for several threads: a command that is run has the standard streams of the process.
    """

    def check(self, text: str) -> None:
        """Find a command line right, and change nothing.

        Raises:
            SmolctlError: it is no command, or one that has no place in a lab.
        """
        with Streams(), suppress(Waits):
            main.dispatch(Session(Options("node"), around=Nowhere()), words_in(text))

    def changes(self, lines: Iterable[tuple[int, str]]) -> list[tuple[int, str, Row]]:
        """Return the operations of configuration lines; see ``Commands.changes``.

        Raises:
            BadLine: a line is no command, or one that changes no configuration.
        """
        numbers, texts = [], []
        for number, text in lines:
            numbers.append(number)
            texts.append(text)
        found = (
            line._replace(number=numbers[line.number - 1])
            for line in Lines.of("\n".join(texts))
            if line is not None
        )
        session = Session(Options("node"), around=Nowhere())
        try:
            return [
                (change.line.number, change.plan.op, copied(change.plan.args))
                for change in changes_of(session, found, "a node begins with changes only")
            ]
        except Refused as refused:
            raise BadLine(refused.line.number, refused.error) from None

    def start(self, node: Node, text: str, *, json: bool = False) -> "Command":
        """Run a command line on a node; it may go on while time passes.

        Args:
            node: whose stack the command is for.
            text: the words, as a shell has them; the word smolctl in front is optional.
            json: write JSON, as ``-j`` asks for.
        """
        return Command(node, text, json=json)
