"""The packet that is sent again: a question that somebody here asked, or a frame that came in."""

from typing import NamedTuple, cast

from smolctl.stack import reason
from smolctl.stack.explain.predict import Question
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.reason import Detail, Reason
from smolctl.stack.trace.trace import Flow, Origin
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import icmpv4, icmpv6
from smolctl.wire.address import IPV6_MARK


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


_ECHO = {"icmp": icmpv4.Type.ECHO_REQUEST, "icmp6": icmpv6.Type.ECHO_REQUEST}


def again(why: Reason, detail: Detail) -> Again | None:
    """Return what has to happen again for a reason to strike; None when nobody knows."""
    if why is reason.TX_NO_PORT:
        return Again(None)
    if why is reason.NEIGH_EVICTED:
        new, dev = detail.recorded["new"], detail.recorded["dev"]
        # Whoever asks is learned, if that is what made room for him.
        proto, ours = ("nd", IPV6_MARK) if cast("int", new) >= IPV6_MARK else ("arp", 0)
        return Again(Question(proto, cast("int", new), ours, iif=cast("str", dev)))
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
    if flow.proto in ("arp", "nd"):
        return Question(flow.proto, flow.src, flow.dst)
    if isinstance(sender, UdpSocket):
        return Question(
            "udp", flow.src, flow.dst, flow.sport, flow.dport, flow.length, sender.dev,
            broadcast=sender.broadcast, pmtudisc=sender.pmtudisc, tos=sender.tos,
            mark=sender.mark, uid=sender.uid,
        )  # fmt: skip
    if isinstance(sender, SendOptions) and _ECHO.get(flow.proto) == flow.sport:
        return Question(
            "icmp", flow.src, flow.dst, size=flow.length, dev=sender.dev, pmtudisc=sender.pmtudisc,
            tos=sender.tos, broadcast=sender.broadcast, mark=sender.mark, uid=sender.uid,
        )  # fmt: skip
    return None
