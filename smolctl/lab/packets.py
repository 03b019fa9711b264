"""Packets of a run as a capture file: an interface for each device, why each packet was dropped."""

from collections.abc import Iterator, Sequence

from smolctl.capture import Interface, Record
from smolctl.capture.pcapng import Writer
from smolctl.capture.selection import Verdict
from smolctl.lab.node import EPOCH_S
from smolctl.lab.timeline import Mark, Travel, departures
from smolctl.lab.world import START_NS
from smolctl.stack.reason import Kind
from smolctl.stack.trace.trace import Direction, Struck, Trace

_BEGAN_NS = EPOCH_S * 1_000_000_000 + START_NS
"""The time of day at which a run begins, as its nodes have it."""


def pcapng(travels: Sequence[Travel], marks: Sequence[Mark]) -> Iterator[bytes]:
    """Yield the parts of a file of all frames, where they left and where they arrived.

    The same run makes the same bytes. Packets that never became a frame are there, too, with the
    reason why, as ``smolctl capture`` has them.
    """
    records = sorted(_records(travels, marks), key=lambda record: record.time_ns)
    devices = sorted({record.dev for record in records})
    writer = Writer()
    yield writer.header(tuple(Interface(device) for device in devices))
    for record in records:
        yield writer.packet(record)
    yield writer.end()


def _records(travels: Sequence[Travel], marks: Sequence[Mark]) -> Iterator[Record]:
    seen: set[int] = set()
    for travel, *_ in departures(travels):
        if travel.src:
            reason = Verdict(travel.lost).comment() if travel.lost is not None else ""
            yield _record(travel.sent_ns, travel.src, travel.src_dev, "out", travel.frame,
                          _notes(travel.sent), reason)  # fmt: skip
    for travel in travels:
        if travel.arrived_ns is not None:
            trace = travel.received
            why = "" if trace is None else _why(trace)
            yield _record(travel.arrived_ns, travel.dst, travel.dst_dev, "in", travel.frame,
                          () if trace is None else _notes(trace), why)  # fmt: skip
        seen |= {id(trace) for trace in (travel.sent, travel.received) if trace is not None}
    for mark in marks:
        trace = mark.trace
        if trace is None or mark.kind not in ("drop", "reject") or id(trace) in seen:
            continue
        if trace.frame and not trace.parts:
            seen.add(id(trace))
            yield _refused(mark, trace)


def _record(
    at_ns: int, node: str, dev: str, direction: str, frame: bytes,
    notes: Sequence[str], reason: str,
) -> Record:  # fmt: skip
    comments = (reason, *notes) if reason else tuple(notes)
    return Record(_BEGAN_NS + at_ns, frame, True, f"{node}:{dev}", direction, len(frame), comments)


def _refused(mark: Mark, trace: Trace) -> Record:
    """Return a packet that never left, or that never was on a wire."""
    direction = str(Direction.OUT if trace.direction is Direction.FORWARD else trace.direction)
    record = _record(mark.at_ns, mark.node, trace.dev or "", direction, trace.frame,
                     _notes(trace), _why(trace))  # fmt: skip
    return record._replace(ethernet=trace.linked)


def _why(trace: Trace) -> str:
    reason = trace.reason
    return "" if reason is None else Verdict(reason.name, why=reason.why(trace.detail)).comment()


def _notes(trace: Trace | None) -> tuple[str, ...]:
    if trace is None:
        return ()
    return tuple(
        f"note: {facts.reason.name} - {facts.reason.why(facts.detail)}"
        for _, _, _, facts in trace.raw_steps
        if isinstance(facts, Struck) and facts.reason.kind is Kind.NOTE
    )
