"""The order of a ladder: frames and marks of a run, each after what it follows from.

Times alone do not tell it: much happens at one instant of virtual time. At each node the order is
that in which things happened there.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import groupby
from typing import NamedTuple

from smolctl.lab.timeline import Mark, Travel, departures
from smolctl.stack import reason
from smolctl.stack.trace.facts import Cut
from smolctl.stack.trace.trace import Direction, Fate, Trace

_FAILED = {Fate.DROPPED: "drop", Fate.REJECTED: "reject"}
_LOST = reason.LAB_LOSS.name


class End(NamedTuple):
    """One end that a frame was meant for.

    Attributes:
        node: its name; "" when nobody is there.
        at_ns: when the frame arrived; None for one that was lost.
        lost: the name of the reason why it did not arrive.
        trace: the receiver's.
    """

    node: str
    at_ns: int | None
    lost: str | None
    trace: Trace | None


class Sending(NamedTuple):
    """One frame that one device sent, with all its ends; several on a hub.

    Attributes:
        at_ns: when it left.
        src: the node; "" for a frame that no node sent.
        frame: the bytes; with an Ethernet header if ``linked``.
        trace: the sender's.
        items: the travels that it is made of, or the mark of a frame that the link lost.
    """

    at_ns: int
    src: str
    ends: tuple[End, ...]
    frame: bytes
    linked: bool
    trace: Trace | None
    items: tuple[Travel | Mark, ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes at its ends."""
        return tuple(end.node for end in self.ends)


class Leave(NamedTuple):
    """The departure of a frame."""

    at_ns: int
    sending: Sending
    number: int


class Arrive(NamedTuple):
    """The arrival of a frame at some of its ends, all at one time.

    Attributes:
        ends: those.
        only: the frame arrives everywhere at this time.
    """

    at_ns: int
    sending: Sending
    number: int
    ends: tuple[End, ...]
    only: bool


class Noted(NamedTuple):
    """A mark at its time."""

    at_ns: int
    mark: Mark


Event = Leave | Arrive | Noted


def sendings(travels: Sequence[Travel]) -> Iterator[Sending]:
    """Yield the frames that were sent, each once however many ends its wire has."""
    for group in departures(travels):
        first = group[0]
        ends = tuple(End(t.dst, t.arrived_ns, t.lost, t.received) for t in group)
        yield Sending(first.sent_ns, first.src, ends, first.frame, True, first.sent, tuple(group))


def ordered(travels: Sequence[Travel], marks: Sequence[Mark]) -> list[Event]:
    """Return what happened, in order.

    A frame that a link lost has no travel, but a mark at its sender: it becomes a frame here.
    Drops and rejects that nobody has marked are marked.
    """
    events: list[Event] = []
    sent = list(sendings(travels))
    peers: dict[tuple[str, str], tuple[str, ...]] = {}
    for travel in travels:
        if travel.dst and travel.src:
            known = peers.setdefault((travel.src, travel.src_dev), ())
            if travel.dst not in known:
                peers[travel.src, travel.src_dev] = (*known, travel.dst)
    for mark in (*marks, *_unmarked(sent, marks)):
        trace = mark.trace
        if mark.reason == _LOST and trace is not None and trace.frame:
            there = peers.get((mark.node, trace.dev or ""), ("",))
            ends = tuple(End(node, None, mark.reason, None) for node in there)
            sent.append(
                Sending(mark.at_ns, mark.node, ends, trace.frame, trace.linked, trace, (mark,))
            )
        else:
            events.append(Noted(mark.at_ns, mark))
    for number, sending in enumerate(sent):
        events.append(Leave(sending.at_ns, sending, number))
        arrived: dict[int, list[End]] = {}
        for end in sending.ends:
            if end.at_ns is not None:
                arrived.setdefault(end.at_ns, []).append(end)
        events.extend(
            Arrive(at_ns, sending, number, tuple(ends), len(arrived) == 1)
            for at_ns, ends in arrived.items()
        )
    events.sort(key=lambda event: event.at_ns)
    return [
        event
        for _, group in groupby(events, lambda event: event.at_ns)
        for event in _of_one_instant(list(group))
    ]


def _unmarked(sent: Iterable[Sending], marks: Iterable[Mark]) -> Iterator[Mark]:
    """Yield marks of the frames whose end at a node nobody has marked."""
    known = {id(mark.trace) for mark in marks if mark.trace is not None}
    for sending in sent:
        for node, at_ns, _, trace in sending.ends:
            if at_ns is None or trace is None or trace.reason is None or id(trace) in known:
                continue
            kind = _FAILED.get(trace.fate or Fate.SENT)
            if kind is not None:
                known.add(id(trace))
                text = trace.reason.why(trace.detail)
                yield Mark(max(at_ns, trace.at_ns), node, kind, text, trace.reason.name, trace)


# --- within one instant ---------------------------------------------------------------------------


_Rank = tuple[int, int, int]


def _rank(event: Event, at: int, arrival: int | None) -> _Rank:
    """Return what comes first where nothing else decides: input, decisions, output.

    What a node decides about a frame belongs to its arrival.
    """
    if isinstance(event, Arrive):
        return 0, at, 0
    if isinstance(event, Noted):
        return (1, at, 0) if arrival is None else (0, arrival, 1)
    return 2, at, 0


def _of_one_instant(events: list[Event]) -> list[Event]:
    """Return the events of one instant, each behind those that it follows from."""
    if len(events) == 1:
        return events
    left = {event.number: at for at, event in enumerate(events) if isinstance(event, Leave)}
    came: dict[tuple[str, int], int] = {}
    for at, event in enumerate(events):
        if isinstance(event, Arrive):
            for end in event.ends:
                came[end.node, id(end.trace)] = at
    after: list[list[int]] = [[] for _ in events]
    missing = [0] * len(events)
    ranks: list[_Rank] = []

    def follows(later: int, earlier: int | None) -> None:
        if earlier is not None and earlier != later:
            after[earlier].append(later)
            missing[later] += 1

    for at, event in enumerate(events):
        if isinstance(event, Arrive):
            ranks.append(_rank(event, at, None))
            follows(at, left.get(event.number))
            continue
        node, trace = (
            (event.sending.src, event.sending.trace)
            if isinstance(event, Leave)
            else (event.mark.node, event.mark.trace)
        )
        arrivals = [came.get((node, id(known))) for known in _origins(trace)]
        for arrival in arrivals:
            follows(at, arrival)
        ranks.append(_rank(event, at, next(iter(arrivals), None)))
    return [events[at] for at in _sorted(ranks, after, missing)]


def _origins(trace: Trace | None) -> Iterator[Trace]:
    """Yield a packet's trace, and those of what it came from."""
    for _ in range(_DEEP):
        if trace is None:
            return
        yield trace
        trace = trace.whole or trace.cause


_DEEP = 4
"""Traces that are looked at: a fragment's, its datagram's, and those of what that one answers."""


def _sorted(ranks: list[_Rank], after: list[list[int]], missing: list[int]) -> list[int]:
    """Return the places of events by their ranks, as far as what follows from what allows it."""
    result: list[int] = []
    ready = [(rank, at) for at, rank in enumerate(ranks) if not missing[at]]
    heapify(ready)
    while ready:
        _, at = heappop(ready)
        result.append(at)
        for later in after[at]:
            missing[later] -= 1
            if not missing[later]:
                heappush(ready, (ranks[later], later))
    # There is no circle: a packet follows from an earlier one. Were there one, all would be drawn.
    return result + [at for at, count in enumerate(missing) if count > 0]


# --- packets --------------------------------------------------------------------------------------


class Packets:
    """The packets of a run: each node has traces of its own, and a packet is all of them.

    Args:
        sent: the frames that were sent; they join the traces of their ends.
    """

    def __init__(self, sent: Iterable[Sending]) -> None:
        self._parent: dict[int, int] = {}
        for sending in sent:
            for end in sending.ends:
                self._join(self._key(sending.trace, sending), self._key(end.trace, sending))

    def of(self, trace: Trace | None, sending: Sending | None = None) -> int | None:
        """Return what tells a packet from all others; None when nothing is known of it."""
        if trace is None and sending is None:
            return None
        return self._root(self._key(trace, sending))

    def _key(self, trace: Trace | None, sending: Sending | None) -> int:
        if trace is None:
            return id(sending)
        while trace.whole is not None:
            trace = trace.whole
        # A datagram that was put together belongs to the fragment that completed it, and the
        # fragments that a router makes belong to the packet that came in.
        cause = trace.cause
        joined = trace.direction is Direction.IN and not trace.linked
        if cause is not None and (joined or _was_cut(cause)):
            return self._key(cause, sending)
        return id(trace)

    def _root(self, key: int) -> int:
        parent = self._parent
        while (above := parent.get(key, key)) != key:
            parent[key] = parent.get(above, above)
            key = above
        return key

    def _join(self, one: int, other: int) -> None:
        one, other = self._root(one), self._root(other)
        if one != other:
            self._parent[other] = one


def _was_cut(trace: Trace) -> bool:
    """Tell whether a router cut a packet into fragments, which have traces of their own."""
    return trace.fate is Fate.FORWARDED and any(isinstance(raw[3], Cut) for raw in trace.raw_steps)
