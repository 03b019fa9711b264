"""Expectations: what a scenario file says has to be true of a run, and the plots that it asks for.

Times are int nanoseconds since the begin of the run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smolctl.lab.source import Command, line_field

Row = Mapping[str, Any]
"""Some keys of a row that a command prints with ``-j``, and their values."""


@dataclass(frozen=True, slots=True)
class Count:
    """Bounds of a number, both included; ``max`` None for no upper one."""

    min: int = 1
    max: int | None = None

    def holds(self, number: int) -> bool:
        """Tell whether a number is within the bounds."""
        return self.min <= number and (self.max is None or number <= self.max)


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a run in which something counts, both instants included.

    Attributes:
        after_ns: the first instant.
        by_ns: the last one; None for the end of the run.
    """

    after_ns: int = 0
    by_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A node takes packets: they arrive, and are neither dropped nor refused there.

    Attributes:
        filter: which packets, as ``smolctl capture`` has it; "" for all.
        count: how many; ``not_received`` is max 0.
    """

    node: str
    filter: str = ""
    count: Count = Count()
    window: Window = Window()


@dataclass(frozen=True, slots=True)
class ProgramReceived:
    """A program reads something.

    Attributes:
        program: name of a program of the file.
        data: what a message (TCP: all that it read) has to contain; b"" for anything.
        of: what is counted: "datagrams" or "bytes"; of TCP always bytes.
    """

    program: str
    data: bytes = b""
    of: str = "datagrams"
    count: Count = Count()
    window: Window = Window()


RECEIVED_OF = ("datagrams", "bytes")


@dataclass(frozen=True, slots=True)
class ReasonStruck:
    """A reason strikes packets: they are dropped, refused or delayed, or it is noted of them.

    Attributes:
        reason: its name, as ``smolctl explain`` has it.
        node: where; None for any node and any link.
        link: on the way, for a frame that a link loses or delays; None as above.
        filter: which packets; "" for all.
    """

    reason: str
    node: str | None = None
    link: str | None = None
    filter: str = ""
    count: Count = Count()
    window: Window = Window()


@dataclass(frozen=True, slots=True)
class TableHolds:
    """A table of a node holds rows: what a command that shows prints with ``-j``.

    Attributes:
        command: such as "neigh show".
        at_ns: when it runs; None for the end of the run.
        contains: each of them fits one row at least: all of its keys are there with its values.
        lacks: none of them fits any row.
        rows: how many rows the table has; None when that does not matter.
    """

    node: str
    command: Command
    at_ns: int | None = None
    contains: tuple[Row, ...] = ()
    lacks: tuple[Row, ...] = ()
    rows: Count | None = None


@dataclass(frozen=True, slots=True)
class StepEnds:
    """A step that ran a command has a result; of one that is done several times, each time.

    Attributes:
        step: its name.
        status: exit status; None for any.
        output: texts that stdout or stderr contains, each of them.
        lacks: texts that neither contains.
        within_ns: how long it takes at most; None for any time.
    """

    step: str
    status: int | None = None
    output: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    within_ns: int | None = None


@dataclass(frozen=True, slots=True)
class CounterIs:
    """A counter of a node has a value.

    Attributes:
        counter: LAYER.NAME of ``smolctl stats``.
        at_ns: when it is read; None for the end of the run.
    """

    node: str
    counter: str
    count: Count
    at_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Reaches:
    """A node reaches another one, there and back, as ``smolctl why --path`` finds.

    Attributes:
        src: a node.
        dst: a node, or the text of an address.
        reached: False: it does not.
        protocol: "icmp", "udp" or "tcp".
        port: of dst, with udp and tcp.
        reason: why not; None for any reason.
        breaks_at: the node where the packet or its answer ends; None for any.
        at_ns: when it is asked; None for the end of the run.
    """

    src: str
    dst: str
    reached: bool = True
    protocol: str = "icmp"
    port: int | None = None
    reason: str | None = None
    breaks_at: str | None = None
    at_ns: int | None = None


REACH_PROTOCOLS = ("icmp", "udp", "tcp")

Expected = Received | ProgramReceived | ReasonStruck | TableHolds | StepEnds | CounterIs | Reaches


@dataclass(frozen=True, slots=True)
class ExpectSpec:
    """Something that has to be true of a run.

    Attributes:
        expected: what.
        profiles: the profiles of a run under which it has to be; empty for any.
        why: what a student reads when it is not: the reason, and whose fix it is.
    """

    expected: Expected
    profiles: tuple[str, ...] = ()
    why: str | None = None
    line: int = line_field()

    def counts_under(self, profile: str) -> bool:
        """Tell whether it has to be true in a run with that profile."""
        return not self.profiles or profile in self.profiles


# --- plots ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SeriesSpec:
    """One line of a plot.

    Exactly one of ``counter`` (of ``node``), ``program`` and ``link`` is there.

    Attributes:
        counter: LAYER.NAME of ``smolctl stats``.
        program: a program of the file; ``of`` says what of it: of ``SERIES_OF`` or ``TCP_OF``.
        link: bits that its ends have sent.
        label: its name in the plot; None for one that is made from the rest.
    """

    node: str | None = None
    counter: str | None = None
    program: str | None = None
    of: str = "read"
    link: str | None = None
    label: str | None = None
    line: int = line_field()


SERIES_OF = ("read", "sent", "unread")
"""Values of any program: what it has read (datagrams, bytes with TCP); bytes that its sockets took;
bytes that wait in them to be read."""
TCP_OF = ("unsent", "in-flight", "cwnd", "rtt")
"""Values of one with TCP: bytes that wait to be sent, or for an acknowledgment; the congestion
window, bytes; the smoothed round trip, ms."""
TOTALS_OF = frozenset({"read", "sent"})
"""Values that only grow, of which there is a rate."""


@dataclass(frozen=True, slots=True)
class PlotSpec:
    """A plot over the time of a run.

    Attributes:
        every_ns: the time between two points; None for one that suits the length of the run.
        rate: whether it shows how much a second, instead of how much so far.
    """

    title: str
    series: tuple[SeriesSpec, ...]
    every_ns: int | None = None
    rate: bool = False
    line: int = line_field()
