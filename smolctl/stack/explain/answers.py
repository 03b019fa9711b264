"""Answers to a packet: what this stack sends in return, which the asker waits for."""

from collections.abc import Iterator
from contextlib import contextmanager

from smolctl.stack.trace.recorder import Recorder
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.wire import icmpv4, icmpv6
from smolctl.wire.arp import Op
from smolctl.wire.ipv6 import NextHeader

_ARP_OP = slice(20, 22)
_QUESTIONS = {
    "icmp": (icmpv4.Type.ECHO_REQUEST, icmpv4.Type.TIMESTAMP),
    "icmp6": (icmpv6.Type.ECHO_REQUEST,),
}
_IPV6 = b"\x86\xdd"
_ADVERTISEMENT = bytes([icmpv6.Type.NEIGHBOR_ADVERTISEMENT])


@contextmanager
def answers_to(trace: Trace, recorder: Recorder) -> Iterator[None]:
    """Collect the answers to a packet into ``trace.answers``."""
    begin, begun = recorder.begin, {id(trace): trace}

    def noted(
        direction: Direction, now: int, cause: Trace | None = None, dev: str | None = None
    ) -> Trace:
        new = begin(direction, now, cause, dev)
        if id(cause) in begun:
            begun[id(new)] = new
            recorder.journal.remember(new)
        return new

    recorder.begin = noted
    try:
        yield
    finally:
        recorder.begin = begin
        found = [each for each in begun.values() if each is not trace and _is_answer(each)]
        # What an answer brings about is no answer of the question.
        trace.answers = [each for each in found if each.cause not in found]


def _is_answer(trace: Trace) -> bool:
    """Tell whether a packet answers another one: ICMP, SYN-ACK or RST, ARP or an advertisement.

    The others are its fragments, its copies, and requests for a MAC address that it needs.
    """
    if trace.direction is Direction.IN or trace.whole is not None:
        return False
    if trace.flow is not None and trace.flow.proto == "tcp":
        return trace.direction is Direction.OUT  # of a handshake inside, all is told
    if trace.flow is not None:
        questions = _QUESTIONS.get(trace.flow.proto)
        return questions is not None and trace.flow.sport not in questions
    frame, at = trace.frame, 14 if trace.linked else 0
    if (trace.linked and frame[12:14] == _IPV6) or (not at and frame[:1] >= b"\x60"):
        return frame[at + 40 : at + 41] == _ADVERTISEMENT and frame[at + 6] == NextHeader.ICMPV6
    return trace.linked and int.from_bytes(trace.frame[_ARP_OP]) == Op.REPLY


def unsent(trace: Trace) -> Trace | None:
    """Return the answer that a packet got and that does not leave; None when each does."""
    if trace.fate in (Fate.DROPPED, Fate.REJECTED):
        return None  # that it failed is what there is to tell
    lost = (each for each in trace.answers if each.fate in (Fate.DROPPED, Fate.REJECTED))
    return next(lost, None)
