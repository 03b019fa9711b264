"""Fragment input: a fragment waits until its datagram is complete, or is dropped for a reason.

The fragments end there, "absorbed"; the datagram goes on with a trace of its own.
"""

from smolctl.stack import reason
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import ErrorKind
from smolctl.stack.ip.reassembly import Complete, Kept, Lost, ReceivedFragment
from smolctl.stack.packet import Packet
from smolctl.stack.trace.facts import Joined
from smolctl.stack.trace.trace import Fate

WholePacket = Packet
"""A datagram that came in pieces, as if it had come in one."""


def fragment_input(net: Network, fragment: ReceivedFragment) -> WholePacket | None:
    """Take a fragment that is for us; return the datagram when it was the last that was missing."""
    packet = fragment.packet
    *evicted, outcome = net.reassembly.add(fragment, packet.now)
    for lost in evicted:
        if isinstance(lost, Lost):
            discard(net, lost, packet.now)
    if isinstance(outcome, Complete):
        return _join(net, outcome, packet)
    if isinstance(outcome, Lost):
        discard(net, outcome, packet.now)
        return None
    _wait(net, outcome, packet)
    return None


def _wait(net: Network, kept: Kept, packet: Packet) -> None:
    """Take note that a fragment waits; that each does is no trouble to remember it for."""
    trace, dev, now = packet.trace, packet.interface.name, packet.now
    followed = trace if trace.followed else None
    detail = net.recorder.record(
        reason.FRAG_PENDING, dev, now, followed, have=kept.have, need=kept.need
    )
    if not trace.followed:
        trace.struck(reason.FRAG_PENDING, detail, now)


def _join(net: Network, complete: Complete, last: Packet) -> WholePacket:
    """Begin the datagram's own trace, which says what came before as the last fragment has it."""
    data, header, fragments = complete
    now, traces = last.now, [fragment.packet.trace for fragment in fragments]
    own = last.trace.whole
    if own is not None and not own.settled and all(trace.whole is own for trace in traces):
        trace = own  # it was cut here and came back by a loopback: the datagram itself goes on
    else:
        trace = net.recorder.begin(last.trace.direction, now, last.trace, last.interface.name)
        trace.followed = trace.followed or last.trace.followed
        trace.raw_steps = list(last.trace.raw_steps)
    trace.frame = data
    trace.step("fragment", "ok", now, Joined(len(fragments), len(data), 0))
    trace.step("ip", "ok", now, header)
    for part in traces:
        part.step("fragment", "ok", now, Joined(len(fragments), len(data), trace.id))
        part.settle(Fate.ABSORBED, now)
    net.recorder.count("ip.datagrams_reassembled")
    whole = Packet(data, last.interface, now, trace, net.recorder)
    whole.header, whole.looped, whole.to_all = header, last.looped, last.to_all
    whole.mark, whole.entrance = last.mark, last.entrance
    whole.sender, whole.about = fragments[0].packet.sender, fragments[0].packet.about
    # A broadcast is one if any part of it is: nothing but a datagram for us alone is answered.
    whole.pkt_type = max(fragment.packet.pkt_type for fragment in fragments)
    return whole


def discard(net: Network, lost: Lost, now: int) -> None:
    """Drop fragments; whoever sent those that were given up is told (RFC 1122 3.3.2).

    Only if the first is there: no error may be about another one (RFC 1122 3.2.2), and none but
    it says whose datagram it was.
    """
    if not lost.fragments:
        raise AssertionError("a datagram without fragments was given up")
    for fragment in lost.fragments:
        fragment.packet.now = now
        fragment.packet.record(lost.why, **lost.detail)
    first = lost.fragments[0]
    there = first.packet.interface.name in net.interfaces
    if lost.why is reason.FRAG_TIMEOUT and first.start == 0 and there:
        net.answer_error(first.packet, ErrorKind.REASSEMBLY)
