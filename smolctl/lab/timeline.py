"""The timeline of a world: frames on wires, and what happened at nodes."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from smolctl.stack.trace.trace import Trace


class Travel(NamedTuple):
    """One frame on its way from an end of a wire to one other end; a hub makes several of it.

    Attributes:
        sent_ns: when the sender let go of it, ns of the world's time.
        arrived_ns: None for one that never arrived.
        wire: the name of the wire.
        src, src_dev: the node and the interface that sent it.
        dst, dst_dev: those at the other end; "" where there is none.
        frame: with its Ethernet header.
        sent: the sender's trace of the packet.
        received: the receiver's trace of the frame.
        lost: the name of the reason why it did not arrive.
    """

    sent_ns: int
    arrived_ns: int | None
    wire: str
    src: str
    src_dev: str
    dst: str
    dst_dev: str
    frame: bytes
    sent: Trace | None
    received: Trace | None
    lost: str | None


class Mark(NamedTuple):
    """Something that happened at one node.

    Attributes:
        at_ns: when, ns of the world's time.
        node: the name of the node.
        kind: "drop", "reject", "wait" or "note" of a packet; "step", "link" or "expect" of a
            scenario.
        text: one line: what happened, or the command of a step.
        reason: the name of the reason.
        trace: the packet's.
    """

    at_ns: int
    node: str
    kind: str
    text: str
    reason: str | None = None
    trace: Trace | None = None


def departures(travels: Iterable[Travel]) -> Iterator[list[Travel]]:
    """Yield the travels of each frame that was sent: one for each other end of its wire."""
    grouped: dict[tuple[object, ...], list[list[Travel]]] = {}
    for travel in travels:
        port = travel.wire, travel.src, travel.src_dev
        key = (travel.sent_ns, *port, travel.frame, id(travel.sent))
        groups = grouped.setdefault(key, [])
        end = (travel.dst, travel.dst_dev)
        for group in groups:  # the same frame twice at one instant is two frames
            if end not in [(t.dst, t.dst_dev) for t in group]:
                group.append(travel)
                break
        else:
            groups.append([travel])
    for groups in grouped.values():
        yield from groups
