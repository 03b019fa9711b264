"""A command line at work on a node."""

import json
import sys
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from typing import Any, NamedTuple

from smolctl.cli import exit as exits
from smolctl.cli import main
from smolctl.cli.inside.answers import NOTHING, Asked, Waits, Written
from smolctl.cli.inside.around import Inside
from smolctl.cli.session import Session
from smolctl.cli.stdin import NoInput
from smolctl.cli.words.finder import words_of
from smolctl.cli.words.grammar import UsageFault
from smolctl.cli.words.lines import Line, Lines
from smolctl.cli.words.options import Options
from smolctl.lab.node import Node


def words_in(text: str) -> list[str]:
    """Return the words of one command.

    Raises:
        UsageFault: it is none, or more than one.
    """
    lines = [line for line in Lines.of(text) if line is not None]
    if len(lines) > 1:
        raise UsageFault("a step runs one command", hint="write a step for each")
    return words_of(lines[0] if lines else Line(1, ["smolctl"]))


class Command:
    """A command line at work on a node, or ended; see ``smolctl.lab.commands.Running``."""

    def __init__(self, node: Node, text: str, *, json: bool) -> None:
        self.node, self.text = node, text
        self.began_ns = node.now
        self.ended_ns: int | None = None
        self.status: int | None = None
        self._json = json
        self._asked: list[Asked] = []
        self._writes = False
        self._waits: Waits | None = None
        self._written = NOTHING
        self._go_on()

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.status is not None

    @property
    def out(self) -> str:
        """The text on standard output; so far, while it goes on."""
        return self._so_far().out

    @property
    def err(self) -> str:
        """The text on standard error; so far, while it goes on."""
        return self._so_far().err

    @property
    def reason(self) -> str | None:
        """The name of the reason why it failed; None for one that did not, or that says none."""
        if not self.status:
            return None
        for asked in reversed(self._asked):
            if (name := asked.reason()) is not None:
                return name
        return None

    @property
    def rows(self) -> list[Any]:
        """The JSON that ``-j`` writes: the rows of a table, or the objects of a stream."""
        told = self._so_far() if self._json or self._writes else self._again(json=True)
        found = list(documents(told.out))
        return found[0] if len(found) == 1 and isinstance(found[0], list) else found

    def cancel(self) -> None:
        """Interrupt it as Ctrl-C does: a probe ends with its summary, perhaps a little later.

        A second time ends it at once, as a second Ctrl-C does.
        """
        waits = self._waits
        asked = waits.asked if waits is not None else None
        if waits is None or asked is None:
            return
        if waits.interruptible and asked.interrupted_at is None:
            asked.interrupted_at = asked.count
            asked.request.cancel()
        else:
            asked.killed_at = asked.count
            asked.request.abandon()
        self._resume()

    # --- its runs ---------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Run it as far as it gets."""
        around = Inside(self.node, self._asked, self.began_ns)
        run = self._run(around, json=self._json)
        self._waits, self._written, self._json = run.waits, run.written, run.json
        self._writes = around.writes
        if self._waits is not None:
            assert self._waits.asked is not None
            self._waits.asked.request.on_end = self._resume_soon
            return
        self.ended_ns, self.status = self.node.now, run.status
        for asked in self._asked:
            asked.request.abandon()

    def _resume_soon(self) -> None:
        self.node.call_soon(self._resume)

    def _resume(self) -> None:
        asked = self._waits.asked if self._waits is not None else None
        if asked is not None and asked.request.ended:
            self._go_on()

    def _so_far(self) -> "Written":
        if self.ended or self._writes:  # a file is not written only to look
            return self._written
        return self._again(json=self._json)

    def _again(self, *, json: bool) -> "Written":
        """Return what it writes with the answers that are there; nothing more is asked."""
        around = Inside(self.node, self._asked, self.began_ns, asks=False)
        return self._run(around, json=json).written

    def _run(self, around: "Inside", *, json: bool) -> "Run":
        """Run it from its beginning, until it ends or waits."""
        options = Options(self.node.name)
        options.json = json
        session = Session(options, around=around)
        with Streams() as streams:
            around.written = streams.written
            try:
                words = words_in(self.text)
            except UsageFault as fault:
                session.out.error(fault)
                return Run(None, streams.written(), exits.FIX, options.json)
            try:
                status = main.run(words, session)
            except Waits as waits:
                return Run(waits, waits.written, exits.DONE, options.json)
            if status == exits.INTERRUPTED and not any(asked.signalled for asked in self._asked):
                raise KeyboardInterrupt  # it was meant for the lab
            return Run(None, streams.written(), status, options.json)


class Run(NamedTuple):
    """A run of a command line.

    Attributes:
        waits: what it waits for; None for one that has ended.
        written: the text until then.
        status: the exit status, if it has ended.
        json: its options ask for JSON.
    """

    waits: "Waits | None"
    written: "Written"
    status: int
    json: bool


def documents(text: str) -> Iterator[Any]:
    """Yield the JSON documents of a text; what is none ends it."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        try:
            found, at = decoder.raw_decode(text, at)
        except ValueError:
            return
        yield found
        at += 1  # the line feed behind it


class Streams:
    """Standard streams of its own for a command; those of the process are back afterwards."""

    def __init__(self) -> None:
        self._files = BytesIO(), BytesIO()

    def __enter__(self) -> "Streams":
        self._before = sys.stdin, sys.stdout, sys.stderr
        sys.stdin = NoInput(
            'there is no standard input in a lab, so "-" cannot read from it',
            "write the data into the command, or name a file",
        )
        sys.stdout, sys.stderr = (
            TextIOWrapper(file, "utf-8", "backslashreplace", newline="\n", write_through=True)
            for file in self._files
        )
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdin, sys.stdout, sys.stderr = self._before

    def written(self) -> Written:
        """Return what was written so far."""
        return Written(
            *(file.getvalue().decode("utf-8", "backslashreplace") for file in self._files)
        )
