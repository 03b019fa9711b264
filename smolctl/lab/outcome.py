"""Outcomes: all that a run of a scenario leaves behind.

Times count from the beginning of the run, ns. Nothing in an outcome depends on the clock of the
machine, on a hash or on a process: the same scenario, seed and profile make the same outcome.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from smolctl.lab.expectation import ExpectSpec, PlotSpec, SeriesSpec
from smolctl.lab.scenario import Scenario
from smolctl.lab.timeline import Mark, Travel


class StepDone(NamedTuple):
    """Something that was done, as far as it came.

    Attributes:
        at_ns: when it began; of one that was not done, when it was due.
        ended_ns: when it ended; None for one that still went on at the end.
        line: of the scenario file.
        name: by which expectations know it, or None.
        node: where; "" for what happened to a link.
        text: the command, or what was done in words.
        status: exit status of a command; None for one that went on, and for what is no command.
        out, err: what it wrote.
        reason: the name of the reason why it failed.
        missed: why it was not done before the run ended, or "".
    """

    at_ns: int
    ended_ns: int | None
    line: int
    name: str | None
    node: str
    text: str
    status: int | None = None
    out: str = ""
    err: str = ""
    reason: str | None = None
    missed: str = ""


class Seen(NamedTuple):
    """The sight in the place of what was expected.

    Attributes:
        text: one line.
        node: where a packet ended, or None.
        reason: why it did, or None.
        fixes: commands that help, each with the stack that it is for.
        look: where no command is known to help: a question, or a command that tells more.
    """

    text: str
    node: str | None = None
    reason: str | None = None
    fixes: tuple[str, ...] = ()
    look: str | None = None


class Judged(NamedTuple):
    """An expectation, and whether it is met.

    Attributes:
        spec: as the scenario has it.
        text: it in words.
        met: None for one that is of another profile, or of a time after the end.
        seen: what was seen; of one that is met, how often.
    """

    spec: ExpectSpec
    text: str
    met: bool | None
    seen: Seen


class Sampled(NamedTuple):
    """A line of a plot: its value at each time, both from the beginning."""

    spec: SeriesSpec
    label: str
    points: Sequence[tuple[int, float]]


class Plotted(NamedTuple):
    """A plot that a scenario asks for, and its lines."""

    spec: PlotSpec
    unit: str
    lines: Sequence[Sampled]


class ProgramDone(NamedTuple):
    """The end of a program.

    Attributes:
        name, node: of the scenario.
        messages, read: how many datagrams (TCP: reads), and bytes, it has read.
        sent: bytes that its sockets took from it.
        state: in words: what it does at the end, or why it ended.
    """

    name: str
    node: str
    messages: int
    read: int
    sent: int
    state: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run, and what it left behind.

    Attributes:
        seed, profile, until_ns: with which it ran.
        steps: in the order in which they began.
        judged: the expectations, in the order of the file.
        programs: in the order of the file.
        counters: of each node at the end, by LAYER.NAME; what never happened is not there.
        travels, marks: the timeline.
        plots: what the scenario asks for.
        frames: how many arrived.
        faults: errors of smolctl itself, in words: none, or there is a bug.
        cut: why it ended before its time, or "".
    """

    scenario: Scenario
    seed: int
    profile: str
    until_ns: int
    steps: Sequence[StepDone]
    judged: Sequence[Judged]
    programs: Sequence[ProgramDone]
    counters: Mapping[str, Mapping[str, int]]
    travels: Sequence[Travel]
    marks: Sequence[Mark]
    plots: Sequence[Plotted] = ()
    frames: int = 0
    faults: Sequence[str] = ()
    cut: str = ""

    @property
    def ok(self) -> bool:
        """True when it ran to its end, each expectation is met, and smolctl has made no error."""
        good = all(judged.met is not False for judged in self.judged)
        return good and not self.faults and not self.cut
