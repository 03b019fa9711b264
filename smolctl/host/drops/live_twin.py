"""The twin of a namespace, asked about packets that were dropped there.

It gets the packet's own bytes, so that it says which of several reasons a drop has, and which
commands let such a packet through: they are proven on it.
"""

import time
from typing import Any, NamedTuple

from smolctl.errors import SmolctlError
from smolctl.host import reading
from smolctl.host.drops.dropped import Dropped
from smolctl.host.drops.facts import ICMP, ICMPV6, TCP, UDP, Facts
from smolctl.host.question import Host
from smolctl.stack.clone.stack_clone import clone_for_packet
from smolctl.stack.explain.predict import Question, happen_to_come_in, predict
from smolctl.stack.explain.verdict import tell
from smolctl.stack.stack import Stack
from smolctl.stack.trace.trace import Trace

_FRESH_S = 2.0
"""As old as this it may be, seconds, and older by as much as it costs to make."""
_COSTS = 10
_PROTOCOLS = {UDP: "udp", TCP: "tcp", ICMP: "icmp", ICMPV6: "icmp"}
_HEADERS = {UDP: 8, TCP: 20, ICMP: 8, ICMPV6: 8}


class Answer(NamedTuple):
    """The twin's word about a packet.

    Attributes:
        reason: smolctl's name for why it is dropped.
        why: that of this very packet, in one line.
        fix: commands of the host that let it through.
        look: what else to do, where there are none; "" for nothing.
        exact: it is about the very frame, and not about one with the same headers.
    """

    reason: str
    why: str
    fix: tuple[str, ...]
    look: str
    exact: bool


class LiveTwin:
    """The twin of one namespace, as that was a moment ago.

    Args:
        netns: as for ``inside``.
    """

    def __init__(self, netns: str | None) -> None:
        self._netns = netns
        self._until = 0.0
        self._host: Host | None = None

    def entrance(self, dropped: Dropped) -> str:
        """Return the name of the device by which a packet came in; "" if that is not known."""
        if dropped.iif == dropped.ifindex:
            return dropped.dev
        self._renew()
        for link in self._host.state.links if self._host is not None else ():
            if link.ifindex == dropped.iif:
                return link.name
        return ""

    def ask(self, dropped: Dropped, facts: Facts) -> Answer | None:
        """Return what the twin says of a packet; None if it would not drop it, or cannot say."""
        self._renew()
        if self._host is None or dropped.iif is None:
            return None
        try:
            trace = self._happen(self._host.twin.stack, dropped, facts)
        except SmolctlError:  # no such link is in the twin
            return None
        row: dict[str, Any] = tell(trace) if trace is not None else {}
        if row.get("class") not in ("drop", "reject"):
            return None
        commands, dev = self._host.commands, str(row.get("dev", dropped.dev))
        fixes = (commands.fix(command, dev) for command in row["fix"])
        why, look = (commands.said(str(row.get(key, "")), dev) for key in ("why", "look"))
        exact = trace is not None and trace.question is None
        return Answer(row["reason"], why, tuple(each for each in fixes if each), look, exact)

    def _happen(self, stack: Stack, dropped: Dropped, facts: Facts) -> Trace | None:
        whole = len(dropped.packet) == dropped.size
        came_in = bool(dropped.iif) and dropped.dev != "lo"
        entrance = self.entrance(dropped) if came_in else None
        if came_in and whole and dropped.ethernet:
            clone, trace = clone_for_packet(stack), Trace()
            clone.ledger.prove = stack.ledger.prove
            interface = clone.interface(entrance or "")
            frame = dropped.ethernet + dropped.packet
            return happen_to_come_in(clone, interface, frame, 0, trace, dropped.mark)
        question = _question(dropped, facts, entrance)
        return predict(stack, question, 0) if question is not None else None

    def _renew(self) -> None:
        began = time.monotonic()
        if began < self._until:
            return
        try:
            self._host = Host(reading.read(self._netns), self._netns)
        except SmolctlError:  # the namespace is gone
            self._host = None
        now = time.monotonic()
        self._until = now + _FRESH_S + _COSTS * (now - began)


def _question(dropped: Dropped, facts: Facts, entrance: str | None) -> Question | None:
    """Return the question about a packet that its headers suffice for."""
    protocol = facts.protocol or 0
    proto = _PROTOCOLS.get(protocol)
    if proto is None or facts.src is None or facts.dst is None or not facts.can_be_asked:
        return None
    return Question(
        proto,
        facts.src,
        facts.dst,
        facts.sport or 0,
        facts.dport or 0,
        max(0, dropped.size - (40 if facts.family == 6 else 20) - _HEADERS[protocol]),
        iif=entrance,
        mark=dropped.mark or None,
        ttl=facts.ttl,
    )
