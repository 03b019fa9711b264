"""Fragment input: a fragment waits until its datagram is complete, or is dropped for a reason.

The fragments end there, "absorbed"; the datagram goes on with a trace of its own.
"""

from typing import TYPE_CHECKING, NamedTuple

from smolctl.stack import reason
from smolctl.stack.interface import Interface
from smolctl.stack.ip.reassembly import Complete, Fragment, Kept, Lost
from smolctl.stack.ipv4 import icmp_error
from smolctl.stack.packet import Cast
from smolctl.stack.trace.facts import Joined
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.wire import icmpv4, ipv4

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


class Whole(NamedTuple):
    """A datagram that came in pieces, as if it had come in one."""

    packet: bytes
    header: ipv4.Ipv4Header
    trace: Trace
    cast: Cast


def fragment_input(
    stack: "Stack",
    interface: Interface,
    packet: bytes,
    header: ipv4.Ipv4Header,
    now: int,
    trace: Trace,
    cast: Cast,
) -> Whole | None:
    """Take a fragment that is for us; return the datagram when it was the last that was missing.

    Args:
        packet: without padding.
    """
    fragment = Fragment(packet, header, trace, interface.name, cast)
    *evicted, outcome = stack.reassembly.add(fragment, now)
    for lost in evicted:
        if isinstance(lost, Lost):
            discard(stack, lost, now)
    if isinstance(outcome, Complete):
        return _join(stack, interface, outcome, trace, now)
    if isinstance(outcome, Lost):
        discard(stack, outcome, now)
        return None
    _wait(stack, outcome, now)
    return None


def _wait(stack: "Stack", kept: Kept, now: int) -> None:
    """Take note that a fragment waits; that each does is no trouble to remember it for."""
    trace, dev = kept.fragment.trace, kept.fragment.dev
    detail: dict[str, object] = {"have": kept.have, "need": kept.need}
    stack.ledger.record(reason.FRAG_PENDING, dev, now, trace if trace.followed else None, **detail)
    if not trace.followed:
        wait = reason.FRAG_PENDING
        trace.step(wait.layer, wait.kind.value, now, {**detail, "reason": wait.name})


def _join(stack: "Stack", interface: Interface, complete: Complete, last: Trace, now: int) -> Whole:
    """Begin the datagram's own trace, which says what came before as the last fragment has it."""
    packet, header, fragments = complete
    own = last.whole
    if own is not None and not own.settled and all(part.trace.whole is own for part in fragments):
        trace = own  # it was cut here and came back by a loopback: the datagram itself goes on
    else:
        trace = stack.journal.begin(last.direction, now, last, interface.name)
        trace.followed = trace.followed or last.followed
        trace.steps = list(last.steps)
    trace.frame = packet
    trace.step("fragment", "ok", now, Joined(len(fragments), len(packet), 0))
    trace.step("ip", "ok", now, header)
    for fragment in fragments:
        fragment.trace.step("fragment", "ok", now, Joined(len(fragments), len(packet), trace.id))
        fragment.trace.settle(Fate.ABSORBED, now)
    stack.ledger.count("ip.datagrams_reassembled")
    # A broadcast is one if any part of it is: nothing but a datagram for us alone is answered.
    cast = max(fragment.cast for fragment in fragments)
    return Whole(packet, header, trace, cast)


def discard(stack: "Stack", lost: Lost, now: int) -> None:
    """Drop fragments; whoever sent those that were given up is told (RFC 1122 3.3.2).

    Only if the first is there: no error may be about another one (RFC 1122 3.2.2), and none but
    it says whose datagram it was.
    """
    if not lost.fragments:
        raise AssertionError("a datagram without fragments was given up")
    for fragment in lost.fragments:
        stack.ledger.record(lost.why, fragment.dev, now, fragment.trace, **lost.detail)
    first = lost.fragments[0]
    interface = stack.interfaces.get(first.dev)
    if lost.why is reason.FRAG_TIMEOUT and first.start == 0 and interface is not None:
        icmp_error.answer(
            stack, interface, icmpv4.Type.TIME_EXCEEDED, icmpv4.TimeExceeded.REASSEMBLY,
            first.packet, first.header, now, first.trace, group_frame=first.cast is not Cast.HOST,
        )  # fmt: skip
