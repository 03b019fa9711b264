"""The packet that is sent again: a question that somebody here asked, or a frame that came in."""

from typing import NamedTuple, cast

from smolctl.stack import reason
from smolctl.stack.explain.predict import Question, happen, happen_to_come_in
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.reason import Detail, Reason
from smolctl.stack.stack import Stack
from smolctl.stack.trace.trace import Fate, Flow, Origin, Trace
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.icmpv4 import Type


class Again(NamedTuple):
    """An event, as far as it can be made to happen again.

    Attributes:
        question: what was sent from here; None for the ``frame`` that came in by ``dev``, or, of
            no device, for a socket that was bound to a free port.
        predicted: it was asked, and has not happened.
    """

    question: Question | None
    frame: bytes = b""
    dev: str = ""
    predicted: bool = False

    def happen(self, clone: Stack, now: int) -> Trace:
        """Let it happen to a clone; return its trace."""
        if self.question is not None:
            question = self.question
            if question.iif is not None and not question.dst:
                items = clone.ipv4.of(clone.interface(question.iif)).addresses.items
                question = question._replace(dst=items[0].local if items else 0)
            return happen(clone, question, now)
        if not self.dev:
            return _bind(clone, now)
        return happen_to_come_in(clone, clone.interface(self.dev), self.frame, now, Trace())


def _bind(clone: Stack, now: int) -> Trace:
    """Bind a socket to any port that is free.

    Raises:
        NoBuffers: none is.
    """
    trace = Trace()
    clone.udp.bind(clone.udp.open())
    trace.settle(Fate.DELIVERED, now)
    return trace


def again(why: Reason, detail: Detail) -> Again | None:
    """Return what has to happen again for a reason to strike; None when nobody knows."""
    if why is reason.TX_NO_PORT:
        return Again(None)
    if why is reason.NEIGH_EVICTED:
        new, dev = detail.recorded["new"], detail.recorded["dev"]
        # Whoever asks is learned, if that is what made room for him.
        return Again(Question("arp", cast("int", new), 0, iif=cast("str", dev)))
    # What only waits, as all others do, is counted without its trace.
    begun = detail.recorded.get("_origin", detail.origin)
    if not isinstance(begun, Origin):
        return None
    if isinstance(begun.question, Question):
        return Again(begun.question, predicted=True)
    if begun.frame:
        return Again(None, begun.frame, begun.dev)
    question = None if begun.flow is None else _question(begun.flow)
    return None if question is None else Again(question)


def _question(flow: Flow) -> Question | None:
    """Return the question whether a packet gets through that was sent from here."""
    sender = flow.sender
    if flow.proto == "arp":
        return Question("arp", flow.src, flow.dst)
    if isinstance(sender, UdpSocket):
        return Question(
            "udp", flow.src, flow.dst, flow.sport, flow.dport, flow.length, sender.dev,
            broadcast=sender.broadcast, pmtudisc=sender.pmtudisc, tos=sender.tos,
        )  # fmt: skip
    if isinstance(sender, SendOptions) and flow.sport == Type.ECHO_REQUEST:
        return Question(
            "icmp", flow.src, flow.dst, size=flow.length, dev=sender.dev, pmtudisc=sender.pmtudisc,
            tos=sender.tos, broadcast=sender.broadcast,
        )  # fmt: skip
    return None
