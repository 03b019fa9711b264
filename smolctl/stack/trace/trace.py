"""One packet's way through the stack, and its fate.

Every packet of the layered path carries a ``Trace``. The journal keeps those that somebody will ask
about.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from smolctl.stack.reason import Reason


class Fate(StrEnum):
    """The fate of a packet, or that it has none yet."""

    WAITING = "waiting"
    SENT = "sent"
    FORWARDED = "forwarded"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    ABSORBED = "absorbed"
    DROPPED = "dropped"
    REJECTED = "rejected"


class Direction(StrEnum):
    """The direction of a packet."""

    IN = "in"
    OUT = "out"
    LOCAL = "local"
    """From this stack to itself."""
    FORWARD = "forward"
    """From one host to another, through this stack."""


class Flow(NamedTuple):
    """The intended packet; known even of one that was refused before it was built.

    Attributes:
        proto: "udp", "tcp", "icmp", "icmp6", "arp" or "nd".
        sport, dport: of ICMP, type and code.
        sender: the socket, or the options, that it was sent with: for one who sends it again.
        flags: of a TCP segment.
    """

    proto: str
    src: int | None
    sport: int
    dst: int
    dport: int
    length: int
    sender: object = None
    flags: int = 0


class Arrival(NamedTuple):
    """The arrival of a packet that was sent on: its interface, and the frame."""

    dev: str
    frame: bytes


class Struck(NamedTuple):
    """A reason that struck the packet, with its values."""

    reason: Reason
    detail: Mapping[str, object]


class Step(NamedTuple):
    """One thing that happened to a packet; ``explain.steps`` puts it into words.

    Attributes:
        stage: where: socket, route, neigh, arp, device, ethernet, ip, udp, icmp, answer, ...
        result: ok, pick, skip, wait, note, drop or reject.
        facts: what that stage knew: a header, a ``Way``, a ``Struck``, one of ``trace.facts``, or a
            dict; it must not change later.
    """

    stage: str
    result: str
    at_ns: int
    facts: object


RawStep = tuple[str, str, int, object]
"""The fields of a ``Step``: what a trace keeps, since it costs a third as much to make."""


class Follower(Protocol):
    """The journal, as a trace knows it."""

    def changed(self, trace: "Trace") -> None:
        """Take note of a fate or a wait."""


_WAITING, _FORWARD = Fate.WAITING, Direction.FORWARD
NOTHING: Mapping[str, object] = {}


class Trace:
    """One packet's way through the stack, and its fate.

    Args:
        on_change: called with this trace when the fate is settled or a wait begins; it must not
            call back into the stack.
        direction: which way it goes.
        began_ns: when it came in or was sent; 0 lets the stack note it.
        followed: somebody wants to know its fate, so the device is asked whether it took it.
        cause: the packet that this one answers or asks for.

    Attributes:
        fate: the fate so far, None before the first. reason: why, for WAITING, DROPPED and
        REJECTED. detail: values for the reason's texts. dev, gateway: the interface it left or
        arrived by, the next hop if it is not the destination. src: its source address. at_ns: when
        the fate was settled. waited_for: the reason of the wait that preceded it. frame: the bytes,
        as much as is known; an Ethernet frame if ``linked``, else an IP packet. flow: what it was
        meant to be. whole: the datagram that this fragment was cut from. parts: into how many it
        was cut itself, 0 for a whole one; sent: how many of these have left. arrival: how it came
        in, if it was to be forwarded. complaint: the reason and detail of an ICMP error that came
        for it later. question: of a prediction, what was asked; answers: what this stack would
        send in return. id: its number in the journal, 0 when it is not in there. raw_steps: what
        happened to it so far.
    """

    __slots__ = (
        "answers", "arrival", "at_ns", "began_ns", "cause", "complaint", "detail", "dev",
        "direction", "fate", "flow", "followed", "frame", "gateway", "id", "journal", "linked",
        "on_change", "parts", "question", "raw_steps", "reason", "sent", "src", "waited_for",
        "whole",
    )  # fmt: skip

    def __init__(
        self,
        on_change: "Callable[[Trace], None] | None" = None,
        direction: Direction = Direction.OUT,
        began_ns: int = 0,
        followed: bool = True,
        cause: "Trace | None" = None,
    ) -> None:
        self.on_change = on_change
        self.direction = direction
        self.began_ns = began_ns
        self.followed = followed
        self.cause = cause
        self.journal: Follower | None = None
        self.id = 0
        self.fate: Fate | None = None
        self.reason: Reason | None = None
        self.waited_for: Reason | None = None
        self.detail = NOTHING
        self.dev: str | None = None
        self.gateway: int | None = None
        self.src: int | None = None
        self.at_ns = 0
        self.frame = b""
        self.linked = False
        self.flow: Flow | None = None
        self.whole: Trace | None = None
        self.parts = self.sent = 0
        self.arrival: Arrival | None = None
        self.complaint: tuple[Reason, Mapping[str, object]] | None = None
        self.question: object = None
        self.answers: Sequence[Trace] = ()
        self.raw_steps: list[RawStep] = []

    @property
    def steps(self) -> list[Step]:
        """The things that happened to the packet so far, in order; made when they are asked for."""
        return [Step(*raw) for raw in self.raw_steps]

    def pass_on(self, dev: str) -> None:
        """Note that the packet, which came in by ``dev``, is for somebody else."""
        self.direction, self.arrival = _FORWARD, Arrival(dev, self.frame)

    @property
    def settled(self) -> bool:
        """Whether the packet has its one fate."""
        return self.fate is not None and self.fate is not Fate.WAITING

    def step(self, stage: str, result: str, now: int, facts: object = None) -> None:
        """Note what happened to the packet."""
        self.raw_steps.append((stage, result, now, facts))

    def struck(self, reason: Reason, detail: Mapping[str, object], now: int) -> None:
        """Note a reason, which settles nothing."""
        self.step(reason.stage, reason.kind.value, now, Struck(reason, detail))

    def settle(
        self,
        fate: Fate,
        now: int,
        reason: Reason | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        """Note a fate. Only the first one that settles counts; a wait may precede it."""
        if self.fate is not None and self.fate is not _WAITING:
            return
        self.fate = fate
        self.reason = reason
        if fate is _WAITING:
            self.waited_for = reason
        self.detail = detail if detail is not None else NOTHING
        self.at_ns = now
        if self.on_change is not None:
            self.on_change(self)
        if self.journal is not None and (self.followed or reason is not None):
            self.journal.changed(self)
        if self.whole is not None:
            self.whole._part_changed(self, now)

    def _part_changed(self, part: "Trace", now: int) -> None:
        """Take note of a fragment's fate: the datagram is sent when all its fragments are.

        Else it ends as the first of them that is not, and is not counted once more. One that comes
        back in by a loopback is put together there, and goes on.
        """
        why, detail = part.reason, part.detail
        if part.fate is Fate.WAITING:
            if self.fate is Fate.WAITING and self.reason is why:
                self.detail = detail
            elif self.fate is None and why is not None:
                self.struck(why, detail, now)
                self.settle(Fate.WAITING, now, why, detail)
        elif part.fate is Fate.SENT:
            self.sent += 1
            if self.sent == self.parts:
                self.settle(Fate.SENT, now)
        elif why is not None and not self.settled:
            self.struck(why, detail, now)
            self.settle(part.fate or Fate.DROPPED, now, why, detail)

    def complain(self, reason: Reason, detail: Mapping[str, object], now: int) -> None:
        """Note that it did not arrive after all, as an ICMP error or silence says."""
        self.complaint = (reason, detail)
        self.step("answer", "reject", now, Struck(reason, detail))


class Origin(NamedTuple):
    """The beginning of a packet, from which it can begin again; it holds no trace.

    Attributes:
        frame: with its Ethernet header, of one that came in by ``dev``; else b"".
        flow: what it was meant to be, of one that was sent from here.
        question: of a prediction, what was asked.
    """

    dev: str
    frame: bytes
    flow: Flow | None
    question: object


def origin(trace: Trace) -> Origin:
    """Return how a packet began: an answer with its question, a fragment with its datagram."""
    whole = b""
    while trace.whole is not None or trace.cause is not None:
        if trace.whole is None and trace.direction is Direction.IN and not trace.linked:
            whole = trace.frame  # put together from fragments, of which the cause is the last
        trace = trace.whole or trace.cause or trace
    dev, frame = trace.dev or "", trace.frame if trace.linked else b""
    if trace.arrival is not None:
        dev, frame = trace.arrival
    elif trace.direction is not Direction.IN:
        frame = b""
    return Origin(dev, frame[:_ETHERNET] + whole if whole else frame, trace.flow, trace.question)


_ETHERNET = 14
"""Bytes of an Ethernet header."""
