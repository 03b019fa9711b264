"""Link output: from a packet to a frame in an interface's outbox, and its way to the device."""

from collections.abc import Sequence

from smolctl.stack import reason
from smolctl.stack.interface import OUTBOX_LIMIT, Interface, Medium
from smolctl.stack.link.impairment import Effect, Impairment, percent
from smolctl.stack.link.outbox import Item, TracedFrame, frames_of
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Taken
from smolctl.stack.trace.recorder import Recorder
from smolctl.stack.trace.trace import Direction, Fate, Trace, origin
from smolctl.wire import ethernet
from smolctl.wire.offload import virtio
from smolctl.wire.offload.run import PendingDatagram, Run
from smolctl.wire.offload.tcp_run import Segment
from smolctl.wire.vlan import tagged


def ethernet_output(packet: Packet, dst: bytes, ethertype: int) -> None:
    """Put the frame of a packet into its interface's outbox, from where the device takes it."""
    out, trace = packet.interface, packet.trace
    frame = ethernet.to_bytes(dst, out.mac, ethertype) + packet.data
    trace.frame, trace.linked = frame, True
    _output(out, packet.recorder, frame, trace, packet.now)


def _output(out: Interface, recorder: Recorder, frame: bytes, trace: Trace, now: int) -> None:
    """Send a frame by an interface, which may be bad."""
    impairment = out.impairment
    if impairment is not None and out.up and out.carrier:
        _impaired_output(out, impairment, recorder, frame, trace, now)
    else:
        _frame_output(out, recorder, frame, trace, now)


def _frame_output(out: Interface, recorder: Recorder, frame: bytes, trace: Trace, now: int) -> None:
    """Put a frame into the outbox, or drop it because of the link's state."""
    if not out.up:
        recorder.record(reason.TX_LINK_DOWN, out.name, now, trace)
        out.counters.tx_dropped += 1
    elif not out.carrier:
        drop_without_carrier(out, recorder, trace, now)
    elif out.vlan is not None:
        tag, counters = out.vlan.tag, out.counters
        counters.tx_packets += 1
        counters.tx_bytes += len(frame)
        trace.step("vlan", "ok", now, tag)
        _output(out.vlan.lower, recorder, tagged(frame, tag), trace, now)
    elif len(out.outbox) >= OUTBOX_LIMIT:
        recorder.record(reason.TX_QUEUE_FULL, out.name, now, trace)
        out.counters.tx_dropped += 1
    elif trace.followed:
        out.outbox.append(TracedFrame(frame, trace))
        out.traced += 1
    else:
        out.outbox.append(frame)


def drop_without_carrier(out: Interface, recorder: Recorder, trace: Trace, now: int) -> None:
    """Drop a packet or frame that nobody would hear."""
    recorder.record(reason.TX_NO_CARRIER, out.name, now, trace)
    out.counters.tx_dropped += 1
    out.counters.tx_carrier_errors += 1


# --- impaired links -------------------------------------------------------------------------------


def _impaired_output(
    out: Interface, impairment: Impairment, recorder: Recorder, frame: bytes, trace: Trace, now: int
) -> None:
    """Let the link do to the frame what it was told to, and send what it does not hold back."""
    verdict, netem = impairment.offer(frame, trace, now), impairment.netem
    for effect in verdict.effects:
        waits = effect is Effect.DELAY
        recorder.record(
            reason.REASONS[effect], out.name, now,
            # That each packet waits for a while is no trouble to remember it for.
            trace if trace.followed or not waits else None,
            loss=percent(netem.loss), duplicate=percent(netem.duplicate),
            reorder=percent(netem.reorder), frames=len(impairment), bit=verdict.bit,
            ms=round(((verdict.at_ns or now) - now) / 1_000_000, 3), _origin=origin(trace),
        )  # fmt: skip
    if verdict.at_ns is None:
        out.counters.tx_dropped += 1
    release(out, recorder, now)


def release(out: Interface, recorder: Recorder, now: int) -> None:
    """Send the frames of an impaired link that were held back until now."""
    impairment = out.impairment
    if impairment is None:
        return
    for frame, trace in impairment.due(now):
        _frame_output(out, recorder, frame, trace, now)
    if not impairment.netem and not impairment:
        out.impairment = None


# --- the device -----------------------------------------------------------------------------------


def transmitted(interface: Interface, items: Sequence[Item], now: int) -> None:
    """Take note that the device took these items; each datagram of a run counts."""
    counters = interface.counters
    for item in items:
        if type(item) is Run:
            number = len(item.payloads)
            counters.tx_packets += number
            counters.tx_bytes += number * item.headers.frame_len
        elif type(item) is Segment and item.size <= item.room:
            counters.tx_packets += 1
            counters.tx_bytes += item.size + len(item.header) - virtio.HEADER_LEN
        else:
            counters.tx_packets += item.count if type(item) is Segment else 1
            counters.tx_bytes += len(item)
    if interface.traced:
        for item in items:
            if isinstance(item, TracedFrame):
                interface.traced -= 1
                trace = item.trace
                lladdr, size = item.frame[:6], len(item.frame)
                if interface.medium is Medium.NONE:
                    lladdr, size = b"", size - ethernet.HEADER_LEN
                taken = Taken(interface.name, lladdr, size)
                trace.step("device", "ok", now, taken)
                passed_on = trace.direction is Direction.FORWARD
                trace.settle(Fate.FORWARDED if passed_on else Fate.SENT, now)


def transmit_failed(
    recorder: Recorder, interface: Interface, item: Item | PendingDatagram, why: Reason, now: int
) -> None:
    """Take note that the device did not take it, for each datagram of a run."""
    if isinstance(item, TracedFrame):
        interface.traced -= 1
        traces = [item.trace]
    else:
        traces = []
        for frame in frames_of(item):
            trace = recorder.begin(Direction.OUT, now, None, interface.name)
            trace.frame, trace.linked = frame, True
            traces.append(trace)
    for trace in traces:
        interface.counters.tx_dropped += 1
        recorder.record(why, interface.name, now, trace, frames=1)
