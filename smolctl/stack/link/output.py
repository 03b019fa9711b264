"""Link output: from a packet to a frame in an interface's outbox, and its way to the device."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from smolctl.stack import reason
from smolctl.stack.interface import OUTBOX_LIMIT, Interface
from smolctl.stack.link.impairment import Effect, Impairment, percent
from smolctl.stack.link.outbox import Item, TracedFrame, frames_of
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Taken
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.wire import ethernet
from smolctl.wire.offload.run import Datagram, Run

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def ethernet_output(
    stack: "Stack",
    out: Interface,
    dst: bytes,
    ethertype: int,
    payload: bytes,
    now: int,
    trace: Trace,
) -> None:
    """Put the frame into the interface's outbox, from where the device takes it."""
    frame = ethernet.EthernetHeader(dst, out.mac, ethertype).to_bytes() + payload
    trace.frame, trace.linked = frame, True
    if not out.up:
        stack.ledger.record(reason.TX_IFACE_DOWN, out.name, now, trace)
        out.counters.tx_dropped += 1
    elif not out.carrier:
        no_carrier(stack, out, now, trace)
    elif out.impairment is not None:
        _impaired_output(stack, out, out.impairment, frame, now, trace)
    else:
        _enqueue(stack, out, frame, now, trace)


def _enqueue(stack: "Stack", out: Interface, frame: bytes, now: int, trace: Trace) -> None:
    if len(out.outbox) >= OUTBOX_LIMIT:
        stack.ledger.record(reason.TX_QUEUE_FULL, out.name, now, trace)
        out.counters.tx_dropped += 1
    elif trace.followed:
        out.outbox.append(TracedFrame(frame, trace))
        out.traced += 1
    else:
        out.outbox.append(frame)


def _impaired_output(
    stack: "Stack", out: Interface, impairment: Impairment, frame: bytes, now: int, trace: Trace
) -> None:
    """Let the link do to the frame what it was told to, and send what it does not hold back."""
    verdict, netem = impairment.offer(frame, trace, now), impairment.netem
    for effect in verdict.effects:
        waits = effect is Effect.DELAY
        stack.ledger.record(
            reason.REASONS[effect], out.name, now,
            # That each packet waits for a while is no trouble to remember it for.
            trace if trace.followed or not waits else None,
            loss=percent(netem.loss), duplicate=percent(netem.duplicate),
            reorder=percent(netem.reorder), frames=len(impairment), bit=verdict.bit,
            ms=round(((verdict.at_ns or now) - now) / 1_000_000, 3),
        )  # fmt: skip
    if verdict.at_ns is None:
        out.counters.tx_dropped += 1
    release(stack, out, now)


def release(stack: "Stack", out: Interface, now: int) -> None:
    """Send the frames of an impaired link that were held back until now."""
    impairment = out.impairment
    if impairment is None:
        return
    for frame, trace in impairment.due(now):
        if not out.up:
            stack.ledger.record(reason.TX_IFACE_DOWN, out.name, now, trace)
            out.counters.tx_dropped += 1
        elif not out.carrier:
            no_carrier(stack, out, now, trace)
        else:
            _enqueue(stack, out, frame, now, trace)
    if not impairment.netem and not impairment:
        out.impairment = None


def no_carrier(stack: "Stack", out: Interface, now: int, trace: Trace) -> None:
    """Drop a frame that nobody would hear."""
    stack.ledger.record(reason.TX_NO_CARRIER, out.name, now, trace)
    out.counters.tx_dropped += 1
    out.counters.tx_carrier_errors += 1


def transmitted(interface: Interface, items: Sequence[Item], now: int) -> None:
    """Take note that the device took these items; each datagram of a run counts."""
    counters = interface.counters
    for item in items:
        if type(item) is Run:
            number = len(item.payloads)
            counters.tx_packets += number
            counters.tx_bytes += number * item.headers.frame_len
        else:
            counters.tx_packets += 1
            counters.tx_bytes += len(item)
    if interface.traced:
        for item in items:
            if isinstance(item, TracedFrame):
                interface.traced -= 1
                trace = item.trace
                taken = Taken(trace.dev or "", item.frame[:6], len(item.frame))
                trace.step("device", "ok", now, taken)
                passed_on = trace.direction is Direction.FORWARD
                trace.settle(Fate.FORWARDED if passed_on else Fate.SENT, now)


def transmit_failed(
    stack: "Stack", interface: Interface, item: Item | Datagram, why: Reason, now: int
) -> None:
    """Take note that the device did not take it, for each datagram of a run."""
    if isinstance(item, TracedFrame):
        interface.traced -= 1
        traces = [item.trace]
    else:
        traces = []
        for frame in frames_of(item):
            trace = stack.journal.begin(Direction.OUT, now, None, interface.name)
            trace.frame, trace.linked = frame, True
            traces.append(trace)
    for trace in traces:
        interface.counters.tx_dropped += 1
        stack.ledger.record(why, interface.name, now, trace, n=1)
