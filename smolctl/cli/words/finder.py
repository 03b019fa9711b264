"""The commands of many lines: found by the grammar of the command line, each once more."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import click

from smolctl.cli.session import Session
from smolctl.cli.words.command import Args, Noun, Plan, Request, Verb
from smolctl.cli.words.grammar import UsageFault
from smolctl.cli.words.lines import Line
from smolctl.cli.words.options import BY_FLAG
from smolctl.control.changes import changes
from smolctl.errors import SmolctlError

SHOWING = frozenset(
    {"help", *(flag for flag, known in BY_FLAG.items() if known.name in ("help", "version"))}
)
"""Words that may make a command show a text while it is read."""


class Finder:
    """Finds the commands of many lines; what click needs for that is made once a noun."""

    def __init__(self) -> None:
        from smolctl.cli.main import ROOT

        self._root = click.Context(ROOT, info_name="smolctl")
        self._contexts: dict[tuple[click.Context, str], click.Context] = {}

    def find(self, session: Session, words: list[str]) -> tuple[Verb, Args]:
        """Return the command that the words are, and its arguments.

        Raises:
            UsageFault: they are none.
            click.exceptions.Exit: they asked for a help text, which was shown.
        """
        context = self._root
        while True:
            context.obj = session
            command = context.command
            if isinstance(command, Verb):
                return command, command.read(context, words)
            assert isinstance(command, Noun)
            words = command.read(context, words)
            known = self._contexts.get((context, words[0]))
            if known is None:
                name, found, rest = command.resolve_command(context, words)
                assert found is not None
                known = click.Context(found, info_name=name, parent=context)
                if rest == words[1:]:
                    self._contexts[context, words[0]] = known
            else:
                rest = words[1:]
            context, words = known, rest


class Change(NamedTuple):
    """A change that was read, and is not made yet."""

    line: Line
    session: Session
    args: Args
    plan: Plan


class Refused(Exception):
    """A line cannot be run; why, and whose it is."""

    def __init__(self, line: Line, session: Session, error: SmolctlError) -> None:
        super().__init__(error.message)
        self.line = line
        self.session = session
        self.error = error


class NoChange(UsageFault):
    """A command is none that all or nothing could be said of."""

    code = "not-a-change"


def words_of(line: Line) -> list[str]:
    """Return the words of a line's command, whose name may stand in front.

    Raises:
        UsageFault: it has none.
    """
    if line.fault is not None:
        raise line.fault
    words = line.words[1:] if line.words[0] == "smolctl" else line.words
    if not words:
        raise UsageFault("there is no command", hint="smolctl --help")
    return words


def changes_of(session: Session, lines: Iterable[Line | None], why: str) -> Iterator[Change]:
    """Yield the commands of a file of which each is a change, and none is run.

    Args:
        session: whose options each line begins with; all lines are for its stack.
        lines: of the file.
        why: nothing else may be in it.

    Raises:
        Refused: a command is none, or no change.
    """
    finder = Finder()
    for line in lines:
        if line is not None:
            yield change_of(finder, session, line, why)


def change_of(finder: Finder, session: Session, line: Line, why: str) -> Change:
    """Return the change that one command is; the arguments are those of ``changes_of``.

    Raises:
        Refused: the command is none, or no change.
    """
    mine = Session(session.options.copy(), session)
    try:
        words = words_of(line)
        if SHOWING.isdisjoint(words):
            verb, args = finder.find(mine, words)
            path = verb.path
            plan = verb.run.asked(args, mine.options) if isinstance(verb.run, Request) else None
            if mine.options.stack != session.options.stack:
                raise NoChange(f"stack {mine.options.stack} is not the stack of the other lines")
            if plan is not None and changes(plan.op):
                return Change(line, mine, args, plan)
        else:
            path = " ".join(words)
        raise NoChange(f"{path} does not change the configuration, and {why}")
    except SmolctlError as error:
        raise Refused(line, mine, error) from None
