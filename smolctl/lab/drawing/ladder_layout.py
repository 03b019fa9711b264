"""The layout of a ladder: which columns and rows it has, and what stands where.

A ladder is a sequence diagram: a column for each node, time goes down, an arrow for each frame.
Text (``ladder.py``) and SVG (``ladder_svg.py``) are drawn from the same layout.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from smolctl.lab.drawing.ladder_fold import Folded, Told, folded
from smolctl.lab.drawing.ladder_order import (
    Arrive,
    End,
    Event,
    Leave,
    Noted,
    Packets,
    Sending,
    ordered,
)
from smolctl.lab.drawing.ladder_rows import (
    NAMED_MAX,
    OUTSIDE,
    Arrow,
    Gap,
    Head,
    Ladder,
    Part,
    Point,
    Row,
    Tip,
    nodes_text,
    way_text,
)
from smolctl.lab.drawing.ladder_words import Namer, Words, clean, hops, rounded
from smolctl.lab.timeline import Mark, Travel
from smolctl.stack import reason
from smolctl.stack.explain.verdict import headline
from smolctl.stack.trace.trace import Direction, Fate, Trace

COLUMNS_MAX = 8
"""Nodes that are drawn as columns, beside OUTSIDE; with more, each row names its nodes."""
QUIET_NS = 200_000_000
"""Time without an event, at least, that is worth a row of its own."""
_SHOWN_NS = 1_000_000
"""Time on the wire, at least, that is said."""
_FOR_ANOTHER = {
    reason.RX_NOT_OUR_MAC.name,
    reason.ARP_TARGET_NOT_OURS.name,
    reason.IP_MULTICAST_NOT_JOINED.name,
    reason.IP6_MULTICAST_NOT_JOINED.name,
}
"""Reasons of drops that are no trouble where several nodes see a frame."""
_HOUSEKEEPING = ("listener report", "router solicitation", "IGMP", "ND probe")
_ANSWER = "the answer "
_PACKET_KINDS = {"drop", "reject", "wait", "note"}


def lay_out(
    travels: Sequence[Travel],
    marks: Sequence[Mark] = (),
    nodes: Sequence[str] = (),
    *,
    title: str = "",
    fold: bool = True,
) -> Ladder:
    """Return the layout of a run. Each travel and each mark is in exactly one of its rows.

    Args:
        travels: in the order of arrival.
        marks: in order.
        nodes: from left to right; others follow in the order in which they appear. When they are
            more than ``COLUMNS_MAX``, only those that take part have a column.
        title: a line for the head of the picture.
        fold: count long repetitions, and do not draw them.
    """
    events, ignored = _apart(ordered(travels, marks))
    columns = _columns(events, nodes)
    builder = _Builder(events, ignored, columns)
    kept = folded(events, builder.tell) if fold else events
    rows = builder.rows(_parts(kept, set(columns)))
    listed = columns if len(columns) - (OUTSIDE in columns) <= COLUMNS_MAX else ()
    return Ladder(clean(title), listed, tuple(_with_quiet(rows)))


def _apart(events: list[Event]) -> tuple[list[Event], dict[int, Mark]]:
    """Return the events, and apart from them the drops of frames that are for another node.

    Those are told with the frame. They are by the receiver's trace.
    """
    shared = {
        id(end.trace): event.at_ns
        for event in events
        if isinstance(event, Arrive)
        and (len(event.sending.ends) > 1 or _is_multicast(event.sending))
        for end in event.ends
        if end.trace is not None
    }
    rest: list[Event] = []
    ignored: dict[int, Mark] = {}
    for event in events:
        if isinstance(event, Noted):
            mark, key = event.mark, id(event.mark.trace)
            for_another = mark.kind == "drop" and mark.reason in _FOR_ANOTHER
            if for_another and shared.get(key) == mark.at_ns and key not in ignored:
                ignored[key] = mark
                continue
        rest.append(event)
    return rest, ignored


def _is_multicast(sending: Sending) -> bool:
    return bool(sending.linked and sending.frame[:1] and sending.frame[0] & 1)


def _columns(events: Iterable[Event], nodes: Sequence[str]) -> tuple[str, ...]:
    """Return the nodes that have a column."""
    known = dict.fromkeys(nodes)
    busy: dict[str, None] = {}
    for event in events:
        if isinstance(event, Leave):
            busy[event.sending.src] = None
            busy.update(dict.fromkeys(node for node in event.sending.nodes if node))
        elif isinstance(event, Noted):
            # A link or an expectation may be about something that is no node.
            mark = event.mark
            if mark.node and (mark.kind not in ("link", "expect") or mark.node in known):
                busy[mark.node] = None
    outside = (OUTSIDE,) if OUTSIDE in busy else ()
    every = [node for node in (*known, *(n for n in busy if n not in known)) if node]
    if len(every) > COLUMNS_MAX:
        every = [node for node in every if node in busy]
    return (*outside, *every)


# --- frames that are drawn in one row, and those that need two ------------------------------------


class _Drawn(NamedTuple):
    """An event, and for frames which part of them."""

    event: Event | Folded
    part: Part = Part.WHOLE


def _parts(events: Sequence[Event | Folded], nodes: set[str]) -> list[_Drawn]:
    """Return the events to draw; frames at whose receivers nothing happens meanwhile are whole.

    The order at each node is what must be true. A frame whose arrival may be told together with its
    departure, without a change of any node's order, needs but one row.
    """
    left: dict[int, int] = {}
    busy: dict[str, int] = {}
    split: set[int] = set()
    since = -1  # of what concerns all nodes, as a wire that is cut
    for at, event in enumerate(events):
        if isinstance(event, Leave):
            left[event.number] = at
            busy[event.sending.src] = at
        elif isinstance(event, Noted):
            since = since if event.mark.node in nodes else at
            busy[event.mark.node] = at
        elif isinstance(event, Arrive):
            departed = left[event.number]
            latest = max(since, *(busy.get(end.node, -1) for end in event.ends))
            if event.only and latest <= departed:
                busy.update((end.node, departed) for end in event.ends)
            else:
                split.add(event.number)
                busy.update((end.node, at) for end in event.ends)
    result = []
    for event in events:
        if isinstance(event, Leave):
            is_split = event.number in split
            result.append(_Drawn(event, Part.LEAVES if is_split else Part.WHOLE))
        elif isinstance(event, Arrive):
            if event.number in split:
                result.append(_Drawn(event, Part.ARRIVES))
        else:
            result.append(_Drawn(event))
    return result


# --- rows -----------------------------------------------------------------------------------------


class _Builder:
    """Makes rows of events, and knows which packet each is about.

    Args:
        events: all of the run, in order.
        ignored: marks of frames that are for another node, by the receiver's trace.
        columns: the nodes that have one.
    """

    def __init__(
        self, events: Sequence[Event], ignored: dict[int, Mark], columns: tuple[str, ...]
    ) -> None:
        sent = [event.sending for event in events if isinstance(event, Leave)]
        self._packets = Packets(sent)
        self._ignored, self._columns = ignored, columns
        self._namer = Namer()
        # In the order in which they left, as the namer wants them.
        self._words = {id(s): self._namer.words(s.frame, s.src, s.linked) for s in sent}
        self._waits: dict[int, int] = {}
        self._told: set[int | None] = set()
        self._labels: set[tuple[int | None, str]] = set()
        self._spent: dict[tuple[str, str], str] = {}
        self._explained: set[tuple[str, str | None]] = set()

    # --- what is counted --------------------------------------------------------------------------

    def tell(self, event: Leave | Noted) -> Told | None:
        """Return what an event is counted as; None for what is always drawn."""
        if isinstance(event, Noted):
            mark = event.mark
            if mark.kind == "step":
                return Told(
                    (mark.node, mark.text), self._step_text(mark.node, mark.text), step=True
                )
            if mark.kind not in _PACKET_KINDS:
                return None
            what = mark.reason or mark.text
            return Told(
                ("mark", mark.node, mark.kind, what), clean(f"{mark.node}: {mark.kind} - {what}")
            )
        sending = event.sending
        kind = self._words[id(sending)].kind
        lost = tuple(end.node for end in sending.ends if end.at_ns is None)
        idle = any(word in kind for word in _HOUSEKEEPING) and all(
            self._tip(end) is Tip.IGNORED for end in sending.ends
        )
        text = f"{kind}, lost" if lost else kind
        if idle:
            return Told(kind, kind, True)
        way = way_text(sending.src, sending.nodes)
        return Told((sending.src, sending.nodes, lost, kind), clean(f"{way} {text}"))

    # --- rows -------------------------------------------------------------------------------------

    def rows(self, drawn: Sequence[_Drawn]) -> list[Row]:
        """Return the rows, with numbers for the packets that are in several of them."""
        rows: list[Row] = []
        packets: list[int | None] = []
        at = 0
        while at < len(drawn):
            event, part = drawn[at]
            at += 1
            packet = None
            if isinstance(event, Folded):
                rows.append(self._fold(event))
            elif isinstance(event, Noted):
                packet = self._packets.of(event.mark.trace)
                marks = [event.mark]
                while at < len(drawn) and self._goes_with(drawn[at].event, marks, packet):
                    marks.append(drawn[at].event.mark)  # type: ignore[union-attr]  # it is Noted
                    at += 1
                rows.append(self._point(marks, packet))
            else:
                packet = self._packets.of(event.sending.trace, event.sending)
                rows.append(self._arrow(event, part, packet))
            packets.append(packet)
        return _numbered(rows, packets)

    def _goes_with(self, event: Event | Folded, marks: list[Mark], packet: int | None) -> bool:
        """Tell whether the same happens to the same packet, or link, at yet another node."""
        if not isinstance(event, Noted):
            return False
        mark, first = event.mark, marks[0]
        if (mark.at_ns, mark.kind, mark.reason) != (first.at_ns, first.kind, first.reason):
            return False
        if mark.node in [each.node for each in marks]:
            return False
        if mark.kind == "link":
            return mark.text == first.text
        if mark.kind not in _PACKET_KINDS or mark.reason is None or packet is None:
            return False
        return self._packets.of(mark.trace) == packet

    def _fold(self, fold: Folded) -> Row:
        items: list[Travel | Mark] = []
        until = fold.until_ns
        for event in fold.events:
            if isinstance(event, Noted):
                items.append(event.mark)
                continue
            items.extend(event.sending.items)
            items.extend(mark for end in event.sending.ends if (mark := self._mark(end)))
            until = max(until, *(end.at_ns or 0 for end in event.sending.ends))
        counts = ", ".join(f"{count} x {text}" for text, count in fold.counts)
        what = "frames that nobody takes" if fold.idle else "more like these"
        number = sum(count for _, count in fold.counts)
        text = f"{number} {what}, in {rounded(until - fold.at_ns)}: {counts}"
        return Row(fold.at_ns, until, Gap("fold"), text, None, tuple(items))

    def _point(self, marks: Sequence[Mark], packet: int | None) -> Row:
        first = marks[0]
        if first.kind == "wait" and first.trace is not None:
            self._waits.setdefault(id(first.trace), first.at_ns)
        names = ", ".join(mark.node for mark in marks if mark.node)
        text = first.text if len({mark.text for mark in marks}) == 1 else ""
        if first.kind == "step":
            text = self._step_text(names, text)
        elif first.kind in _PACKET_KINDS:
            what = ""
            if packet not in self._told:
                label = self._headline(first.trace)
                self._labels.add((packet, label.removeprefix(_ANSWER)))
                what = f" {label}" if label else ""
            why = f" - {first.reason}" if first.reason else ""
            text = f"{names}: {first.kind}{what}{why}" + (f": {text}" if text else "")
            self._told.add(packet)
        elif names and not (first.kind == "link" and first.node in self._columns):
            text = f"{names}: {text}"
        nodes = tuple(mark.node for mark in marks if mark.node in self._columns)
        items = tuple(marks)
        return Row(first.at_ns, first.at_ns, Point(nodes, first.kind), clean(text), None, items)

    def _step_text(self, node: str, text: str) -> str:
        """Return a step as a shell shows it; what is in parentheses is no command."""
        return clean(f"{node}: {text}" if text.startswith("(") else f"{node}$ {text}")

    def _headline(self, trace: Trace | None) -> str:
        if trace is None:
            return ""
        if trace.frame:
            words = self._namer.words(trace.frame, None, trace.linked)
            label, asks = words.label, words.asks
        else:
            label = headline(trace)
            asks = trace.flow is not None and trace.flow.proto in ("arp", "nd")
        answers = trace.cause is not None and trace.direction is Direction.OUT and not asks
        return f"{_ANSWER}{label}" if answers else label

    def _arrow(self, event: Leave | Arrive, part: Part, packet: int | None) -> Row:
        sending = event.sending
        words = self._words[id(sending)]
        ends = event.ends if isinstance(event, Arrive) else sending.ends
        heads = tuple(Head(end.node, self._tip(end)) for end in ends)
        arrow = Arrow(sending.src, heads, part, words.tag, words.asks, event.number)
        arrived = [end.at_ns for end in ends if end.at_ns is not None]
        items: list[Travel | Mark] = [] if part is Part.ARRIVES else [*sending.items]
        if part is not Part.LEAVES:
            items.extend(mark for end in ends if (mark := self._mark(end)))
        text = self._arrow_text(sending, words, part, ends)
        until = max(arrived, default=event.at_ns) if part is Part.WHOLE else event.at_ns
        return Row(event.at_ns, until, arrow, clean(text), None, tuple(items))

    def _arrow_text(self, sending: Sending, words: Words, part: Part, ends: Sequence[End]) -> str:
        spent = max(((end.at_ns or 0) - sending.at_ns for end in ends), default=0)
        if part is Part.ARRIVES:
            where = nodes_text([(end.node, self._tip(end)) for end in ends])
            text = f"{words.tag or words.label} arrives at {where} after {rounded(spent)}"
        else:
            text = self._name(sending, words) + (", again" if words.again else "")
            began = self._waits.get(id(sending.trace))
            if began is not None:
                text += f", after waiting {rounded(sending.at_ns - began)}"
            if part is Part.WHOLE and spent > 0:
                text += self._spent_text(sending, spent)
            text += _lost_text(sending)
        if part is Part.LEAVES:
            return text
        takers = [end for end in ends if self._tip(end) is Tip.ARRIVES]
        if takers and all(end.trace and end.trace.fate is Fate.DELIVERED for end in takers):
            text += ", delivered"
        return text + self._ignored_text(ends)

    def _spent_text(self, sending: Sending, spent: int) -> str:
        """Return the time on the wire, where it is not the same as for the frame before."""
        text = f", {rounded(spent)} on the wire" if spent >= _SHOWN_NS else ""
        first = sending.items[0]
        port = sending.src, first.wire if isinstance(first, Travel) else ""
        if self._spent.get(port, "") == text:
            return ""
        self._spent[port] = text
        return text or f", below {rounded(_SHOWN_NS)} on the wire"

    def _name(self, sending: Sending, words: Words) -> str:
        """Return what a frame is: in short where its packet was told before."""
        packet = self._packets.of(sending.trace, sending)
        if not words.tag or (packet, words.label) not in self._labels:
            self._told.add(packet)
            self._labels.add((packet, words.label))
            return words.label
        trace = sending.trace
        if trace is None or trace.direction is not Direction.FORWARD:
            return f"{words.tag} leaves"
        return f"{words.tag} is forwarded, {hops(sending.frame)}"

    def _ignored_text(self, ends: Sequence[End]) -> str:
        """Return for whom the frame was not; the reason is told once for each node."""
        parts = []
        for why in dict.fromkeys(mark.reason for end in ends if (mark := self._mark(end))):
            those = [end.node for end in ends if (mark := self._mark(end)) and mark.reason == why]
            new = [node for node in those if (node, why) not in self._explained]
            self._explained.update((node, why) for node in new)
            names = ", ".join(those) if len(those) <= NAMED_MAX else f"{len(those)} nodes"
            parts.append(names + (f" - {why}" if new else ""))
        return f" (not for {'; '.join(parts)})" if parts else ""

    def _mark(self, end: End) -> Mark | None:
        """Return the mark that says that a frame is not for the node at an end."""
        return None if end.trace is None else self._ignored.get(id(end.trace))

    def _tip(self, end: End) -> Tip:
        if end.at_ns is None:
            return Tip.LOST
        return Tip.ARRIVES if self._mark(end) is None else Tip.IGNORED


def _lost_text(sending: Sending) -> str:
    """Return what became of the frame where it did not arrive."""
    lost = [end for end in sending.ends if end.at_ns is None]
    if not lost:
        return ""
    why = lost[0].lost or "no reason is known"
    if not lost[0].node and why == reason.TX_NO_CARRIER.name:
        return f"; nobody is there - {why}"
    to = (
        ""
        if len(lost) == len(sending.ends)
        else f" on the way to {', '.join(e.node for e in lost)}"
    )
    told = [item.text for item in sending.items if isinstance(item, Mark)]
    return f"; lost{to} - {why}" + "".join(f": {text}" for text in told)


def _numbered(rows: Sequence[Row], packets: Sequence[int | None]) -> list[Row]:
    """Number the packets that are in more than one row, and say the number in each."""
    often = Counter(packet for packet in packets if packet is not None)
    numbers: dict[int, int] = {}
    result = []
    for row, packet in zip(rows, packets, strict=True):
        if packet is not None and often[packet] > 1:
            number = numbers.setdefault(packet, len(numbers) + 1)
            row = row._replace(packet=number, text=f"#{number} {row.text}")
        result.append(row)
    return result


def _with_quiet(rows: Iterable[Row]) -> Iterable[Row]:
    """Yield the rows, with one for each long time in which nothing happens."""
    until: int | None = None
    under_way: Counter[int] = Counter()
    for row in rows:
        if until is not None and row.at_ns - until >= QUIET_NS:
            also = ", but frames are under way" if under_way.total() else ""
            text = f"{rounded(row.at_ns - until)}: nothing happens{also}"
            yield Row(until, row.at_ns, Gap("quiet"), text)
        figure = row.figure
        if isinstance(figure, Arrow):
            coming = [head for head in figure.heads if head.tip is not Tip.LOST]
            if figure.part is Part.LEAVES:
                under_way[figure.number] += len(coming)
            elif figure.part is Part.ARRIVES:
                under_way[figure.number] -= len(coming)
        until = max(until or 0, row.until_ns)
        yield row
