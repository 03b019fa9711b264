"""Endings: where packets that a filter describes went, and why they went no further."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from smolctl.counted import counted
from smolctl.lab.expectation import Window
from smolctl.lab.outcome import Seen
from smolctl.lab.timeline import Mark, Travel
from smolctl.ops.packets import seen as seen_at
from smolctl.stack import reason as reasons
from smolctl.stack.explain.filter import PacketFilter
from smolctl.stack.explain.filter_match import FilteredPacket
from smolctl.stack.explain.summary import summarize
from smolctl.stack.explain.verdict import headline
from smolctl.stack.reason import REASONS, Reason
from smolctl.stack.trace.trace import Fate, Struck, Trace

_BAD = (Fate.DROPPED, Fate.REJECTED)
_VERBS = {"drop": "was dropped", "reject": "was refused", "wait": "still waits"}
_COMMAND = re.compile(r"\bsmolctl (?!-n |--stack )")
BYSTANDERS = frozenset(reason.name for reason in (
    reasons.RX_NOT_OUR_MAC, reasons.ARP_TARGET_NOT_OURS, reasons.ND_TARGET_NOT_OURS,
    reasons.IP_MULTICAST_NOT_JOINED, reasons.IP6_MULTICAST_NOT_JOINED,
))  # fmt: skip
"""Reasons of those whom a packet was not meant for: that they do not take it explains nothing."""


class Ending(NamedTuple):
    """The end of one packet.

    Attributes:
        at_ns: when, from the beginning of the run.
        node: where.
        kind: "drop", "reject" or "wait".
        text: why, in one line.
        reason: why.
        trace: the packet.
    """

    at_ns: int
    node: str
    kind: str
    text: str
    reason: Reason
    trace: Trace

    @property
    def aside(self) -> bool:
        """Whether the packet was not meant for that node."""
        return self.reason.name in BYSTANDERS


class Timeline(NamedTuple):
    """The things that happened in a world: see ``World``."""

    travels: Sequence[Travel]
    marks: Sequence[Mark]


def within(window: Window, at_ns: int) -> bool:
    """Tell whether an instant counts."""
    return window.after_ns <= at_ns and (window.by_ns is None or at_ns <= window.by_ns)


def is_about(wanted: PacketFilter, trace: Trace) -> bool:
    """Tell whether a filter describes a packet, wherever it was seen."""
    return any(wanted.matches(packet) for packet in seen_at(trace, trace.reason))


def arrives(wanted: PacketFilter, travel: Travel) -> bool:
    """Tell whether a filter describes a frame, as it is on the wire or as its receiver has it."""
    trace = travel.received
    name = trace.reason.name if trace is not None and trace.reason is not None else None
    if wanted.matches(FilteredPacket(travel.frame, True, "in", travel.dst_dev, name)):
        return True
    # A VLAN takes the tag off.
    return trace is not None and trace.dev != travel.dst_dev and is_about(wanted, trace)


def taken(timeline: Timeline, node: str, wanted: PacketFilter, window: Window) -> list[Travel]:
    """Return the frames that a node took, and neither dropped nor refused."""
    return [
        travel
        for travel in timeline.travels
        if travel.dst == node
        and travel.arrived_ns is not None
        and within(window, travel.arrived_ns)
        and (travel.received is None or travel.received.fate not in _BAD)
        and arrives(wanted, travel)
    ]


def endings(timeline: Timeline, wanted: PacketFilter, window: Window) -> Iterator[Ending]:
    """Yield the ends of the packets that a filter describes, in the order of time."""
    for mark in timeline.marks:
        trace, why = mark.trace, REASONS.get(mark.reason or "")
        if trace is None or why is None or mark.kind not in _VERBS:
            continue
        over = mark.kind != "wait" or trace.fate is Fate.WAITING
        if over and within(window, mark.at_ns) and is_about(wanted, trace):
            yield Ending(mark.at_ns, mark.node, mark.kind, mark.text, why, trace)


class Strike(NamedTuple):
    """A reason that struck a packet.

    Attributes:
        at_ns: when, from the beginning of the run.
        node, dev: where; dev is "" when no interface had a part in it.
        reason: its name.
        text: why, in one line.
        trace: the packet; None for what no packet brought about.
    """

    at_ns: int
    node: str
    dev: str
    reason: str
    text: str
    trace: Trace | None


def strikes(timeline: Timeline) -> Iterator[Strike]:
    """Yield each reason that struck a packet: at a node, and on the wire."""
    for mark in timeline.marks:
        if mark.reason is not None:
            dev = "" if mark.trace is None else mark.trace.dev or ""
            yield Strike(mark.at_ns, mark.node, dev, mark.reason, mark.text, mark.trace)
    before: Trace | None = None
    for travel in timeline.travels:
        src = travel.sent_ns, travel.src, travel.src_dev
        if travel.lost is not None:
            text = f"nobody is at the other end of {travel.wire}"
            yield Strike(*src, travel.lost, text, travel.sent)
        if travel.sent is not None and travel.sent is not before:  # a hub makes several of one
            for _, _, _, facts in travel.sent.raw_steps:
                if isinstance(facts, Struck) and facts.reason is reasons.LAB_DELAY:
                    text = facts.reason.why(facts.detail)
                    yield Strike(*src, facts.reason.name, text, travel.sent)
        before = travel.sent


def instead(timeline: Timeline, node: str, wanted: PacketFilter, window: Window) -> Seen:
    """Return what became of the packets that a node should have taken."""
    seen = trouble(timeline, node, wanted, window, aside=True)
    if seen is not None:
        return seen
    others = [
        travel
        for travel in timeline.travels
        if travel.dst != node and travel.arrived_ns is not None
        and within(window, travel.arrived_ns) and arrives(wanted, travel)
    ]  # fmt: skip
    lost = [each for each in timeline.travels if each.arrived_ns is None and arrives(wanted, each)]
    if lost:
        last = lost[-1]
        text = f"{summarize(last.frame, True)} left {last.src} by {last.src_dev}, and nobody is"
        return Seen(f"{text} at the other end of {last.wire}", last.src, last.lost)
    if others:
        last = others[-1]
        text = summarize(last.frame, True)
        return Seen(f"{text} got to {last.dst}, and {node} is not on its way", last.dst)
    return _nothing(timeline, window)


def trouble(
    timeline: Timeline, node: str, wanted: PacketFilter, window: Window, *, aside: bool = False
) -> Seen | None:
    """Return the end of packets that were lost, at a node if some were lost there; None for none.

    Args:
        aside: if there is nothing else, that of packets which were not meant for who lost them.
    """
    ends = list(endings(timeline, wanted, window))
    aimed = [ending for ending in ends if not ending.aside] or (ends if aside else [])
    there = [ending for ending in aimed if ending.node == node] or aimed
    return ended(there) if there else None


def _nothing(timeline: Timeline, window: Window) -> Seen:
    """Return that there was no such packet, and what else went wrong."""
    everything = PacketFilter("", lambda _: True)
    ends = [each for each in endings(timeline, everything, window) if not each.aside]
    if not ends:
        return Seen("no such packet was sent by anybody")
    other = ended(ends)
    return other._replace(text=f"no such packet was sent by anybody, but {other.text}")


def ended(ends: Sequence[Ending]) -> Seen:
    """Return the end that most of the packets had, in the words of the last one of them."""
    counts = Counter((each.node, each.reason) for each in ends)
    number = max(counts.values())
    last = next(each for each in reversed(ends) if counts[each.node, each.reason] == number)
    text = f"{headline(last.trace)} {_VERBS[last.kind]} at {last.node}"
    if number > 1:
        text += f" (as {counted(number - 1, 'other')} before it)"
    text += f": {last.reason.name} - {last.text}"
    if last.trace.reason is not last.reason:
        return Seen(text, last.node, last.reason.name)
    fixes = [at_node(fix, last.node) for fix in last.reason.fixes(last.trace.detail)]
    look = None if fixes else last.reason.look(last.trace.detail)
    shown = None if look is None else at_node(look, last.node)
    return Seen(text, last.node, last.reason.name, tuple(fixes), shown)


def at_node(command: str, node: str) -> str:
    """Return a command that a fix advises, as it reaches a node."""
    return _COMMAND.sub(f"smolctl -n {node} ", command)
