"""``smolctl batch``: many commands over one connection."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from smolctl.cli import exit as exits
from smolctl.cli.nouns import stream
from smolctl.cli.output import OutputError
from smolctl.cli.session import Session
from smolctl.cli.stdin import NoInput
from smolctl.cli.words.command import Args, Request, Verb, show
from smolctl.cli.words.finder import SHOWING, Change, Finder, Refused, changes_of, words_of
from smolctl.cli.words.grammar import Place, UsageFault, option
from smolctl.cli.words.lines import Line, Lines
from smolctl.cli.words.types import absolute
from smolctl.control.changes import changes
from smolctl.errors import SmolctlError

_TOGETHER = 64
"""Changes that are asked for in one request: few enough for the stack's frames not to wait long."""
_DEPTH = 16
_WHY_WHOLE = "--atomic takes nothing else"


class _Stop(Exception):
    """Nothing more is to be run."""


class Batch:
    """The run of one command file.

    Args:
        session: whose options each line begins with.
        name: of the file, for errors.
        force: go on after a failed command.
    """

    def __init__(self, session: Session, name: str, *, force: bool) -> None:
        self._session = session
        self._name = name
        self._force = force
        self._finder = Finder()
        self._waiting: list[Change] = []
        self._asked: tuple[list[Change], Iterator[dict[str, Any]]] | None = None
        self._line: Line | None = None
        self._status = exits.DONE

    def run(self, lines: Iterable[Line | None]) -> int:
        """Run the commands in their order, and return the exit status.

        Args:
            lines: None among them says that the next one may take its time: whoever writes them
                may wait for an answer.

        Raises:
            KeyboardInterrupt: after SIGINT; the rest is not run.
            SmolctlError: the output cannot be written.
        """
        try:
            for line in lines:
                if line is None:
                    self._settle()
                    self._session.out.flush()
                    self._line = None
                else:
                    self._take(line)
            self._settle()
        except _Stop:
            pass
        except KeyboardInterrupt:
            first = [*(self._asked[0] if self._asked else ()), *self._waiting][:1]
            at = first[0].line if first else self._line
            if at is not None:
                self._session.out.notice(f"{self._name}:{at.number}: interrupted")
            raise
        return self._status

    def run_whole(self, lines: Iterable[Line | None]) -> int:
        """Make all changes or none, and return the exit status.

        Raises:
            SmolctlError: there are too many, or the output cannot be written.
        """
        try:
            try:
                changes = list(changes_of(self._session, lines, _WHY_WHOLE))
            except Refused as refused:
                self._failed(refused.line, refused.session, refused.error)
            else:
                if changes:
                    self._make_whole(changes)
        except _Stop:
            self._session.out.notice(f"{self._name}: nothing was changed")
        return self._status

    def _take(self, line: Line) -> None:
        """Run one command, or let it wait for others that can be asked for with it."""
        self._line = line
        session = Session(self._session.options.copy(), self._session)
        try:
            words = words_of(line)
            if not SHOWING.isdisjoint(words):
                self._settle()
            verb, args = self._finder.find(session, words)
            if isinstance(verb.run, Request):
                plan = verb.run.asked(args, session.options)
                if changes(plan.op):
                    self._wait(Change(line, session, args, plan))
                    return
        except click.exceptions.Exit:
            return
        except SmolctlError as error:
            self._settle()  # what stands before it comes first, and may fail itself
            self._failed(line, session, error)
            return
        self._settle()
        self._run_alone(line, session, verb, args)

    def _run_alone(self, line: Line, session: Session, verb: Verb, args: Args) -> None:
        try:
            session.admit(verb.path, args)
            status = verb.run(session, args) or exits.DONE
        except OutputError:
            raise
        except SmolctlError as error:
            self._failed(line, session, error)
        else:
            if session.interrupted:
                raise KeyboardInterrupt
            if status != exits.DONE:
                what = f"{verb.path} ended with exit status {status}"
                self._failed(line, session, SmolctlError(what, code="command-failed"))
        if verb.path.startswith("stack "):
            session.forget()  # it may have been stopped, or be another process now

    # --- changes ----------------------------------------------------------------------------------

    def _wait(self, change: Change) -> None:
        here = self._waiting[0].session.options if self._waiting else change.session.options
        mine = change.session.options
        if (here.stack, here.no_start) != (mine.stack, mine.no_start):
            self._settle()
        self._waiting.append(change)
        if len(self._waiting) >= _TOGETHER:
            self._ask()

    def _settle(self) -> None:
        """Make the changes that wait, and see what became of all."""
        while self._waiting or self._asked:
            self._ask()
            self._collect()

    def _ask(self) -> None:
        """Ask for the changes that wait, when those before are made; read on while they are."""
        self._collect()
        changes, self._waiting = self._waiting, []
        if not changes:
            return
        commands = [[change.plan.op, change.plan.args] for change in changes]
        try:
            client = changes[0].session.client("batch.run")
            self._asked = changes, client.ask("batch.run", commands=commands, force=self._force)
        except SmolctlError as error:
            self._one_failed(changes, error)

    def _collect(self) -> None:
        """See what became of the changes that were asked for."""
        if self._asked is None:
            return
        changes, rows = self._asked
        try:
            told = list(changes[0].session.patiently(rows))
        except SmolctlError as error:
            self._asked = None
            self._one_failed(changes, error)
            return
        self._asked = None
        for change, row in zip(changes, told, strict=False):  # the first failure is the last row
            self._tell(change, row)

    def _one_failed(self, changes: list[Change], error: SmolctlError) -> None:
        """Tell that no change was made: the first takes the blame, and the others wait again."""
        self._waiting = changes[1:] + self._waiting
        self._failed(changes[0].line, changes[0].session, error)

    def _tell(self, change: Change, row: dict[str, Any]) -> None:
        """Show what became of one change."""
        if "error" in row:
            self._failed(change.line, change.session, refusal(change.session, row["error"]))
        else:
            show(change.session, row["rows"], change.args, change.plan.render)

    def _make_whole(self, changes: list[Change]) -> None:
        """Make all changes or none."""
        commands = [[change.plan.op, change.plan.args] for change in changes]
        try:
            rows = changes[0].session.call("batch.run", commands=commands, atomic=True)
        except SmolctlError as error:
            self._failed(changes[0].line, changes[0].session, error)
            return
        told = {row["at"]: row for row in rows}
        refused = any("error" in row for row in rows)
        for number, change in enumerate(changes):
            row = told.get(number, {"rows": []})
            if "lost" in row:
                self._lost(change, row["lost"])
            elif "error" in row or not refused:
                self._tell(change, row)

    def _lost(self, change: Change, error: dict[str, Any]) -> None:
        """Tell of a change that did not outlast the making of the others."""
        why = refusal(change.session, error)
        why.message = f"lost while the batch was made: {why.message}"
        change.session.out.flush()
        change.session.out.error(why, (self._name, change.line.number))
        self._status = max(self._status, exits.NO)

    def _failed(self, line: Line, session: Session, error: SmolctlError) -> None:
        """Tell what failed and where.

        Raises:
            _Stop: that was the end.
        """
        session.out.flush()
        session.out.error(error, (self._name, line.number))
        if error.packet is not None and not session.options.json:
            stream.ask_why(session, error.code, error.packet)
        status = exits.FIX if isinstance(error, UsageFault) else exits.NO
        if exits.status(error.code, session.kind) == exits.UNREACHABLE:
            status = exits.UNREACHABLE
        self._status = max(self._status, status)
        # With the daemon all that it was told is gone: to go on would build half of it.
        if not self._force or error.code in ("daemon-gone", "daemon-silent"):
            raise _Stop


def refusal(session: Session, error: dict[str, Any]) -> SmolctlError:
    """Return the daemon's error about one of several commands."""
    from smolctl.client.control import RemoteError, must_name, name_stack

    stack = session.options.stack
    if must_name(stack):
        name_stack(error, stack)
    return RemoteError(error)


# --- the file -------------------------------------------------------------------------------------


@contextmanager
def opened(session: Session, name: str) -> Iterator[Lines]:
    """Open a command file, "-" for standard input, for the time that it is run.

    Raises:
        SmolctlError: it cannot be read, or is being run already.
    """
    path = name if name == "-" else os.path.realpath(absolute(name))
    if path in session.files or len(session.files) >= _DEPTH:
        raise UsageFault(f"{name} is already running, from: {', '.join(session.files)}")
    if name == "-" and sys.stdin is None:  # the shell closed it: <&-
        raise UsageFault("there is no standard input to read commands from")
    stdin = sys.stdin
    if name == "-" and isinstance(stdin, NoInput):
        stdin.refuse()
    try:
        fd = 0 if name == "-" else os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(name, error) from None
    session.files = (*session.files, path)
    try:
        if name == "-":
            sys.stdin = NoInput(
                'standard input has the commands, so "-" cannot read data from it',
                "write the commands to a file, or the data into the command",
            )
        yield Lines(fd)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader of our output went away
            raise
        raise unreadable(name, error) from None
    finally:
        session.files = session.files[:-1]
        if name == "-":
            sys.stdin = stdin
        else:
            os.close(fd)


def unreadable(name: str, error: OSError) -> SmolctlError:
    """Return the error for a file that cannot be read."""
    return UsageFault(f"cannot read {name}: {error.strerror or error}")


def _run(session: Session, args: Args) -> int:
    name = args["file"]
    if "force" in args and "atomic" in args:
        raise UsageFault(
            "batch: --force and --atomic cannot be used together: one goes on after"
            " a failure, the other undoes all changes"
        )
    batch = Batch(session, name, force=args.get("force", False))
    with opened(session, name) as lines:
        return batch.run_whole(lines) if "atomic" in args else batch.run(lines)


COMMAND = Verb(
    "batch",
    "run the commands of a file over one connection",
    _run,
    (
        Place("file", "FILE", 'the file; "-" is standard input'),
        option("force", "go on after a failed command"),
        option("atomic", "make all changes, or none if one fails"),
    ),
    examples=(
        "smolctl batch lab.conf",
        "smolctl batch --force lab.conf",
        "smolctl batch --atomic lab.conf",
        "smolctl --stack b batch -",
        "smolctl -j batch -",
    ),
    notes="Each line is a command; the word smolctl in front is optional. Quotes and backslashes"
    ' work as in a shell, "#" begins a comment, and a backslash at the end continues a line. The'
    " first command that fails ends the batch, and the error names the file and the line.",
)
