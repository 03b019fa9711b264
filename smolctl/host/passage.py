"""Passages: what a packet, and its answers, met on their way through a host."""

from collections.abc import Iterator
from typing import NamedTuple

from smolctl.host.reading import HostState
from smolctl.stack.explain.predict import Question
from smolctl.stack.fib.nexthop import Hop
from smolctl.stack.fib.route import Route, TableName
from smolctl.stack.ip.way import Way
from smolctl.stack.trace.facts import Owner, Ruled
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.wire import ipv4, ipv6
from smolctl.wire.address import Family, family_of
from smolctl.wire.ethernet import HEADER_LEN, EtherType
from smolctl.wire.ipv4 import Ipv4Header
from smolctl.wire.ipv6 import Ipv6Header

_BEHIND_OUTPUT = ("neigh", "device", "arp", "nd", "ethernet")
"""Stages of what is sent that come when the packet filter has been asked."""
_BEFORE_FORWARD = ("fwd-ttl-exceeded", "fwd-too-big", "fwd-link-local", "fwd-group-frame")
"""Reasons of what is forwarded that strike before the chains of that are asked."""


class Passage(NamedTuple):
    """One packet, and what it met.

    Attributes:
        family: of its addresses.
        arp: whether it is ARP, about which other chains are asked.
        src, dst: None where that is not known.
        entered, left: the links by which it came in and goes out; "" for none.
        hooks: where packet filters are asked about it, in order.
        ways: the routes that were taken for it.
        priority: of the last rule that could decide about it.
        sent: it leaves, or waits to do so.
        trace: all that happened.
    """

    family: Family
    arp: bool
    src: int | None
    dst: int | None
    entered: str
    left: str
    hooks: tuple[str, ...]
    ways: tuple[Route, ...]
    priority: int
    sent: bool
    trace: Trace

    @property
    def links(self) -> tuple[str, ...]:
        """The links that it meets."""
        return tuple(filter(None, dict.fromkeys((self.entered, self.left))))


def length(trace: Trace) -> int:
    """Return the bytes of a packet, without the header of its link.

    A trace keeps the beginning of a long one; its header tells how long it is.
    """
    if not trace.frame:
        return trace.flow.length + 28 if trace.flow is not None else 0
    packet = trace.frame[HEADER_LEN * trace.linked :]
    header = ipv4.parse_unchecked(packet) or ipv6.parse_unchecked(packet)
    return len(packet) if header is None else header.total_length


def passages(state: HostState, question: Question, trace: Trace) -> list[Passage]:
    """Return the passage of a packet, and those of its answers."""
    first = _passage(state, trace, question)
    return [first, *(_passage(state, each, question) for each in trace.answers)]


def _passage(state: HostState, trace: Trace, question: Question) -> Passage:
    facts = [step.facts for step in trace.steps]
    way = next((each for each in facts if isinstance(each, Way)), None)
    owner = next((each for each in facts if isinstance(each, Owner)), None)
    src, dst = _ends(trace, facts, question)
    family = family_of(question.dst)
    arp = _is_arp(trace, question)
    forwarded = trace.arrival is not None
    entered = left = ""
    if trace.arrival is not None:
        entered = trace.arrival.dev
    elif trace.direction is Direction.IN:
        entered = trace.dev or ""
    if way is not None and trace.direction is not Direction.IN:
        left = way.interface.name
    ways = [each for each in (_route(way), owner.route if owner else None) if each is not None]
    local = way is not None and way.interface.loopback
    hooks = tuple(_hooks(trace, arp=arp, forwarded=forwarded, local=local))
    rules = [each.rule.priority for each in facts if isinstance(each, Ruled) and not each.cause]
    return Passage(
        family, arp, src, dst, entered, left, hooks, tuple(ways),
        max(rules) if rules else _priority(ways), _is_sent(trace), trace,
    )  # fmt: skip


def _route(way: Way | None) -> Route | None:
    if way is None or way.route is None:
        return None
    return way.route.whole if isinstance(way.route, Hop) else way.route


def _priority(ways: list[Route]) -> int:
    """Return the priority of the usual rule that a packet's route is behind."""
    return 0 if ways and all(each.table == TableName.LOCAL for each in ways) else 1 << 32


def _ends(trace: Trace, facts: list[object], question: Question) -> tuple[int | None, int | None]:
    header = next((each for each in facts if isinstance(each, Ipv4Header | Ipv6Header)), None)
    if header is not None:
        return header.src, header.dst
    if trace.flow is not None:
        return trace.src if trace.src is not None else trace.flow.src, trace.flow.dst
    return question.src, question.dst


def _is_arp(trace: Trace, question: Question) -> bool:
    if trace.linked and trace.frame:
        return int.from_bytes(trace.frame[12:14]) == EtherType.ARP
    return question.proto == "arp"


def _is_sent(trace: Trace) -> bool:
    return trace.fate in (Fate.SENT, Fate.FORWARDED) or (
        trace.fate is Fate.WAITING and trace.direction is not Direction.IN
    )


def _hooks(trace: Trace, *, arp: bool, forwarded: bool, local: bool) -> Iterator[str]:
    """Yield where packet filters are asked (Linux NF_INET_*, NF_ARP_*, NF_NETDEV_*)."""
    failed = trace.fate in (Fate.DROPPED, Fate.REJECTED)
    stage = trace.reason.stage if failed and trace.reason is not None else ""
    name = trace.reason.name if failed and trace.reason is not None else ""
    if forwarded:
        yield from ("ingress", "prerouting")
        if name not in _BEFORE_FORWARD and stage not in ("route", "forward"):
            yield from ("forward", "postrouting", "egress")
    elif trace.direction is Direction.IN:
        yield "ingress"
        if stage == "ethernet":
            return
        if arp:
            yield "input"
            return
        yield "prerouting"
        if stage not in ("route", "ip", "forward", "headers", "options"):
            yield "input"
    elif not failed or local or stage in _BEHIND_OUTPUT:
        yield "output"
        if not arp:
            yield "postrouting"
        if local:
            yield from ("prerouting", "input")
        else:
            yield "egress"
