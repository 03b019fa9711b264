"""Stories: what happened to a packet at each node, and to what came of it; and how it ended."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from smolctl.path.passage import Seen
from smolctl.stack import reason as reasons
from smolctl.stack.explain.predict import Question
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Cut
from smolctl.stack.trace.trace import Direction, Fate, Flow, Trace
from smolctl.wire import icmpv4, icmpv6
from smolctl.wire.address import IPV6_MARK, from_packed
from smolctl.wire.ethernet import EtherType
from smolctl.wire.ipv4 import Protocol
from smolctl.wire.ipv6 import NextHeader


class PathQuestion(NamedTuple):
    """A packet that a stack might send.

    Attributes:
        node: the name of the stack.
        packet: as one stack is asked; ``iif`` is None.
    """

    node: str
    packet: Question


class Leg(StrEnum):
    """The part of the story that a packet is in."""

    PACKET = "packet"
    ANSWER = "answer"
    ERROR = "error"
    ASIDE = "aside"
    """Questions for MAC addresses, their answers, and redirects."""


class Outcome(StrEnum):
    """The end of a story."""

    WORKS = "works"
    WAITS = "waits"
    BREAKS = "breaks"
    OUTSIDE = "outside"
    """It cannot be said: something left all that is looked at."""


class Hop(NamedTuple):
    """A packet at one node.

    Attributes:
        seen: the packet there, and what it follows from.
    """

    leg: Leg
    seen: Seen

    @property
    def node(self) -> str:
        """The name of the node."""
        return self.seen.node

    @property
    def trace(self) -> Trace:
        """Its trace at that node."""
        return self.seen.trace

    @property
    def failed(self) -> bool:
        """Whether it ended here, and not well."""
        return self.trace.fate in _FAILED


class Told(NamedTuple):
    """An ICMP error that the sender got: by whom, and which."""

    src: int
    type: int
    code: int


class Story(NamedTuple):
    """A packet's whole path, the answer's, and how it ended.

    Attributes:
        hops: in the order of their beginning.
        at: where it breaks, leaves or waits; None for a round trip that works.
        reason, detail: why it breaks there; None where nothing says it.
        leg: what breaks there.
        taken: somebody got the packet.
        told: the ICMP errors that came back to the sender's host.
        errno: the name of the error that the program is told first; "" for none.
        endless: it became a storm.
        next: of a packet that was too big, the story of one that is sent after it.
    """

    question: PathQuestion
    outcome: Outcome
    hops: list[Hop]
    at: Hop | None = None
    reason: Reason | None = None
    detail: Mapping[str, object] = {}
    leg: Leg = Leg.PACKET
    taken: bool = False
    told: tuple[Told, ...] = ()
    errno: str = ""
    endless: bool = False
    next: "Story | None" = None

    @property
    def ok(self) -> bool:
        """Whether the round trip works, or only waits."""
        return self.outcome in (Outcome.WORKS, Outcome.WAITS)

    def reached(self, leg: Leg) -> list[str]:
        """Return the nodes that a leg has reached, each once."""
        return list(dict.fromkeys(hop.node for hop in self.hops if hop.leg is leg))


TOO_BIG = ((3, 4), (2, 0))
"""Types and codes of the ICMP errors that tell a sender to send less (RFC 1191 4, RFC 4443 3.2)."""
_FAILED = (Fate.DROPPED, Fate.REJECTED)
_TAKEN = (Fate.DELIVERED, Fate.ANSWERED)
_ANSWERS = {("icmp", icmpv4.Type.ECHO_REPLY), ("icmp6", icmpv6.Type.ECHO_REPLY)}
_ASIDES = {
    ("icmp", icmpv4.Type.REDIRECT),
    ("icmp6", icmpv6.Type.NEIGHBOR_SOLICITATION),
    ("icmp6", icmpv6.Type.NEIGHBOR_ADVERTISEMENT),
    ("icmp6", icmpv6.Type.REDIRECT),
}  # fmt: skip


def hops_of(seen: Iterable[Seen]) -> list[Hop]:
    """Return packets with the parts of the story that they are in."""
    legs: dict[Seen, Leg] = {}
    first: Flow | None = None
    for each in seen:
        if each.parent is None:
            legs[each], first = Leg.PACKET, each.trace.flow
        elif each.carried or _is_same(each, each.parent):
            legs[each] = legs[each.parent]
        else:
            legs[each] = _leg(each.trace, first)
    return [Hop(leg, each) for each, leg in legs.items()]


def _is_same(seen: Seen, parent: Seen) -> bool:
    """Tell whether a packet is part of its parent, what it was put together to, or its copy."""
    trace = seen.trace
    if trace.whole is not None or trace.direction in (Direction.IN, Direction.LOCAL):
        return trace.flow is None or trace.direction is Direction.IN
    return any(isinstance(step[3], Cut) for step in parent.trace.raw_steps) and not trace.flow


def _leg(trace: Trace, first: Flow | None) -> Leg:
    """Return the part of the story in which something new is."""
    if trace.flow is not None:
        proto, kind = trace.flow.proto, trace.flow.sport
        if proto in ("arp", "nd"):
            return Leg.ASIDE
        if proto in ("udp", "tcp"):
            asked = first is not None and trace.flow.dst == first.dst
            onward = asked and first is not None and trace.flow.dport == first.dport
            return Leg.PACKET if onward else Leg.ANSWER
    else:
        found = icmp_of(trace)
        if found is None:
            return Leg.ASIDE
        proto, kind = ("icmp6" if found.src >= IPV6_MARK else "icmp"), found.type
    if (proto, kind) in _ANSWERS:
        return Leg.ANSWER
    return Leg.ASIDE if (proto, kind) in _ASIDES else Leg.ERROR


def icmp_of(trace: Trace) -> Told | None:
    """Return the source, type and code of an ICMP message; None for anything else."""
    frame, at = trace.frame, 0
    if trace.linked:
        kind, at = int.from_bytes(frame[12:14]), 14
        if kind not in (EtherType.IPV4, EtherType.IPV6):
            return None
    if frame[at : at + 1] >= b"\x60":
        if frame[at + 6 : at + 7] != bytes([NextHeader.ICMPV6]):
            return None
        return Told(from_packed(frame[at + 8 : at + 24]), frame[at + 40], frame[at + 41])
    body = at + (frame[at] & 15) * 4 if len(frame) > at else at
    if frame[at + 9 : at + 10] != bytes([Protocol.ICMP]) or len(frame) < body + 2:
        return None
    return Told(int.from_bytes(frame[at + 12 : at + 16]), frame[body], frame[body + 1])


# --- how it ended ---------------------------------------------------------------------------------

_UNCONCERNED = {
    reasons.RX_NOT_OUR_MAC,
    reasons.ARP_TARGET_NOT_OURS,
    reasons.ND_TARGET_NOT_OURS,
    reasons.IP6_MULTICAST_NOT_JOINED,
}
"""Reasons of those who were not meant."""


class End(NamedTuple):
    """Knowledge of the program at the beginning of the path, in the end.

    Attributes:
        connected: whether its connection opened; None for what is no connection.
        errno: the name of the error that it was told first; "" for none.
        endless: what it sent became a storm.
    """

    connected: bool | None
    errno: str
    endless: bool


def judge(question: PathQuestion, seen: Iterable[Seen], end: End) -> Story:
    """Return the story of a packet.

    Args:
        seen: the packet, and all that followed from it.
    """
    connected, errno, endless = end
    hops = hops_of(seen)
    taken = any(hop.leg is Leg.PACKET and hop.trace.fate in _TAKEN for hop in hops)
    story = Story(
        question, Outcome.WORKS, hops, taken=taken, told=_told(question.node, hops), errno=errno,
        endless=endless,
    )  # fmt: skip
    answered = any(
        hop.leg is Leg.ANSWER and hop.node == question.node and hop.trace.fate is Fate.DELIVERED
        for hop in hops
    )
    if connected or (connected is None and answered):
        return story
    leg = Leg.ANSWER if taken else Leg.PACKET
    broken = _broken(hops, leg)
    if broken is not None and broken.trace.reason is not None:
        trace = broken.trace
        left = _left_asking(hops, broken)
        if left is not None:
            # That nobody answers is not known, nor who would be told of it.
            told = [hop for hop in hops if hop.leg is not Leg.ERROR]
            return story._replace(
                outcome=Outcome.OUTSIDE, hops=told, at=left, leg=leg, told=(), errno=""
            )
        return story._replace(
            outcome=Outcome.BREAKS, at=broken, reason=trace.reason, detail=trace.detail, leg=leg
        )
    last = next((hop for hop in reversed(hops) if hop.leg is leg and hop.seen.outside), None)
    if last is not None:
        return story._replace(outcome=Outcome.OUTSIDE, at=last, leg=leg)
    waits = next((hop for hop in hops if hop.trace.fate is Fate.WAITING), None)
    if waits is not None:
        trace = waits.trace
        return story._replace(
            outcome=Outcome.WAITS, at=waits, reason=trace.reason, detail=trace.detail, leg=leg
        )
    last = next((hop for hop in reversed(hops) if hop.leg is leg), hops[0])
    return story._replace(outcome=Outcome.BREAKS, at=last, leg=leg)


def _broken(hops: list[Hop], leg: Leg) -> Hop | None:
    """Return where a leg breaks, by the reason nearest to the cause."""
    failed = [
        hop
        for hop in hops
        if hop.leg is leg
        and hop.failed
        and not (hop.trace.reason in _UNCONCERNED and hop.seen.parent and hop.seen.parent.outside)
    ]
    failed.sort(key=_is_own_copy)  # of a broadcast: others are meant first
    meant = [hop for hop in failed if hop.trace.reason not in _UNCONCERNED] or failed
    if not meant:
        return None
    broken = meant[0]
    if broken.trace.reason is reasons.NEIGH_FAILED:
        for hop in hops:
            # Somebody was asked for his MAC address, and did not take the question or the answer.
            mine = hop.leg is Leg.ASIDE and _follows(hop.seen, broken.seen)
            if mine and hop.failed and hop.trace.reason not in _UNCONCERNED:
                return hop
    return broken


def _is_own_copy(hop: Hop) -> bool:
    """Tell whether it is the copy of a broadcast that its sender hears."""
    return hop.trace.direction is Direction.LOCAL and hop.seen.parent is not None


def _left_asking(hops: list[Hop], broken: Hop) -> Hop | None:
    """Return the question for a MAC address that left all that is looked at."""
    if broken.trace.reason is not reasons.NEIGH_FAILED:
        return None
    return next(
        (
            hop
            for hop in hops
            if hop.leg is Leg.ASIDE and hop.seen.outside and _follows(hop.seen, broken.seen)
        ),
        None,
    )


def _follows(seen: Seen | None, cause: Seen) -> bool:
    while seen is not None:
        if seen is cause:
            return True
        seen = seen.parent
    return False


def _told(node: str, hops: list[Hop]) -> tuple[Told, ...]:
    """Return the ICMP errors that came back to the sender."""
    found = [
        icmp_of(hop.trace)
        for hop in hops
        if hop.leg is Leg.ERROR
        and hop.node == node
        and hop.trace.direction is Direction.IN
        and not hop.failed
    ]
    return tuple(each for each in found if each is not None)
