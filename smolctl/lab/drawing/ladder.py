"""Ladders as text: a column for each node, an arrow for each frame, words beside them.

Signs of plain ASCII carry the meaning, colour none:

    |--echo 1->|    a frame, from its tail to its head
    |.who-has.>|    ARP or neighbor discovery, which asks for a frame's way
    *--UDP-->|-)|   one sender, several receivers; the last finds that it is not for it
    |---X      |    lost half way
    |---       |    it leaves, and arrives in a later row
    |       -->|
    X R W i o       at a node: drop, reject, wait, note, a step of the scenario
"""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from smolctl.lab.drawing.ladder_rows import (
    LEGEND,
    OUTSIDE,
    SIGNS,
    Arrow,
    Gap,
    Head,
    Ladder,
    Part,
    Point,
    Row,
    Tip,
    is_to_several,
    levels,
    listed,
    name_of,
    opens,
    signs,
    times,
    wrapped,
)

WIDTH = 100
"""Columns of a picture, unless another width is asked for."""
WIDTH_MIN = 40
_GAP_MIN, _GAP_MAX = 5, 14
"""Columns from one node to the next."""
_TEXT_MIN, _TEXT_GOOD = 24, 46
"""Columns of the words: at least, and so many that they are seldom broken."""
_LONG = 30
"""Rows after which the names of the nodes are repeated at the end."""

_LEGEND = {**SIGNS, "asks": "...", "several": "*", "ignored": ")", "lost": "--X", "leaves": "--"}
_HEADS = {Tip.ARRIVES: "><", Tip.IGNORED: ")(", Tip.LOST: "XX"}
"""Heads to the right and to the left."""


def draw(ladder: Ladder, width: int = WIDTH) -> str:
    """Return a ladder as lines of text, each with its newline.

    Args:
        ladder: what is where.
        width: columns that no line exceeds; with fewer than ``WIDTH_MIN``, that many are used.
    """
    return "".join(f"{line.rstrip()}\n" for line in Picture(ladder, max(width, WIDTH_MIN)).lines())


class Picture:
    """A picture of a ladder as text.

    Args:
        ladder: what is where.
        width: columns that no line exceeds.

    Attributes:
        left: columns of the times.
        at: where behind them the line of each node is; empty when there is no room for lines.
    """

    def __init__(self, ladder: Ladder, width: int) -> None:
        self._ladder = ladder
        self._width = width
        self._times = times(ladder)
        self.left = max((len(time) for time in self._times), default=7) + 2
        columns, room = ladder.columns, width - self.left - 2
        spaces = max(len(columns) - 1, 1)
        gap = self._gap = min(max((room - _TEXT_GOOD) // spaces, _GAP_MIN), _GAP_MAX)
        self._span = spaces * gap + 1
        if room - self._span < _TEXT_MIN:
            columns = ()
        self.at = {node: place * gap for place, node in enumerate(columns)}
        self._span = self._span if columns else 0
        self._room = room - self._span if columns else width - self.left

    def lines(self) -> Iterator[str]:
        """Yield the lines."""
        ladder = self._ladder
        if ladder.title:
            yield from wrap(ladder.title, self._width)
            yield ""
        names = list(self._names())
        yield from names
        for number, row in enumerate(ladder.rows):
            if opens(ladder, number) and self.at:
                yield f"{'':{self.left}}{''.join(self._lifelines())}"
            yield from self._row(row, self._times[number])
        if len(ladder.rows) > _LONG:
            yield from reversed(names)
        legend = [f"{_LEGEND[sign]} {LEGEND[sign]}" for sign in signs(ladder)] if self.at else []
        if legend:
            yield ""
        yield from _joined(legend, self._width)

    def _names(self) -> Iterator[str]:
        """Yield the lines with the names of the nodes, each above its column."""
        width = self._width
        names = {node: name_of(node)[: width - self.left] for node in self.at}
        begins = {
            node: min(
                max(self.left + at - (len(names[node]) - 1) // 2, 0), width - len(names[node])
            )
            for node, at in self.at.items()
        }
        spans = [(begins[node], begins[node] + len(names[node])) for node in self.at]
        level = dict(zip(self.at, levels(spans), strict=True))
        for number in reversed(range(max(level.values(), default=-1) + 1)):
            # A name that found no room in the lowest line stands higher: a line leads down from it.
            line = [" "] * width
            for node, at in self.at.items():
                if level[node] > number:
                    line[self.left + at] = "|"
            for node, begin in begins.items():
                if level[node] == number:
                    line[begin : begin + len(names[node])] = names[node]
            yield "".join(line)

    def _row(self, row: Row, time: str) -> Iterator[str]:
        time = time.rjust(self.left - 2)
        text = row.text
        if not self.at:
            text = listed(row)
            for number, part in enumerate(wrapped(text, self._room)):
                yield f"{time if not number else ' ' * len(time)}  {part}"
            return
        for number, part in enumerate(wrapped(text, self._room)):
            if number:
                time, figure = " " * len(time), self._lifelines()
            else:
                figure = self._figure(row)
            yield f"{time}  {''.join(figure)}  {part}"

    def _lifelines(self, sign: str = "|") -> list[str]:
        line = [" "] * self._span
        for node, at in self.at.items():
            line[at] = sign if node != OUTSIDE else " "
        return line

    def _figure(self, row: Row) -> list[str]:
        figure = row.figure
        if isinstance(figure, Gap):
            return self._lifelines(":")
        line = self._lifelines()
        if isinstance(figure, Point):
            if not figure.nodes:
                return [char if char == "|" else "=" for char in line]
            for node in figure.nodes:
                line[self.at[node]] = SIGNS[figure.kind]
            return line
        self._arrow(line, figure, row.packet)
        return line

    def _arrow(self, line: list[str], arrow: Arrow, packet: int | None) -> None:
        """Draw an arrow over the lifelines."""
        src = self.at[arrow.src]
        shaft = "." if arrow.asks else "-"
        drawn: set[int] = set()
        for step in (1, -1):
            heads = [head for head in arrow.heads if (self._place(head, src) - src) * step > 0]
            if heads:
                drawn |= self._shaft(line, src, step, heads, arrow)
        for place in drawn:
            if line[place] == " ":
                line[place] = shaft
        for head in arrow.heads:
            if head.node == arrow.src != OUTSIDE:
                line[src] = "@"
        if is_to_several(arrow) and line[src] == "|":
            line[src] = "*"
        self._label(line, arrow, packet, shaft)

    def _place(self, head: Head, src: int) -> int:
        """Return where a head points; where nobody is, beside the sender."""
        if head.node:
            return self.at[head.node]
        return src + self._gap if src + self._gap < self._span else src - self._gap

    def _shaft(
        self, line: list[str], src: int, step: int, heads: Sequence[Head], arrow: Arrow
    ) -> set[int]:
        """Set the heads on one side of the sender; return the places of the shaft."""
        places = sorted((abs(self._place(head, src) - src), head) for head in heads)
        nearest, farthest = places[0][0], places[-1][0]
        half = nearest // 2
        begin, end = 1, farthest
        all_lost = all(head.tip is Tip.LOST for head in arrow.heads)
        if arrow.part is Part.ARRIVES:
            begin = nearest - self._gap // 2
        elif arrow.part is Part.LEAVES:
            lost = [distance for distance, head in places if head.tip is Tip.LOST]
            end = max([self._gap // 2, *lost])
        if all_lost:
            end = half + 1
            line[src + step * half] = "X"
        else:
            for distance, head in places:
                if arrow.part is not Part.LEAVES or head.tip is Tip.LOST:
                    line[src + step * (distance - 1)] = _HEADS[head.tip][step < 0]
        return {src + step * distance for distance in range(begin, end)}

    def _label(self, line: list[str], arrow: Arrow, packet: int | None, shaft: str) -> None:
        """Write the tag into the longest free part of the shaft, if there is room."""
        text = "".join(line)
        runs = []
        at = 0
        while at < len(text):
            end = at
            while end < len(text) and text[end] == shaft:
                end += 1
            runs.append((end - at, -at))
            at = max(end, at + 1)
        length, begin = max(runs)
        length -= all(head.tip is Tip.LOST for head in arrow.heads)
        number = f"#{packet}" if packet is not None else ""
        short = (arrow.tag, number) if arrow.part is Part.WHOLE else (number, arrow.tag)
        labels = f"{number} {arrow.tag}".strip(), *short
        # On both sides the arrow goes on, or at least on one.
        for label, rest in [*((label, 2) for label in labels), (arrow.tag, 1)]:
            if label and len(label) + rest <= length:
                place = -begin + (length - len(label) + 1) // 2
                line[place : place + len(label)] = label
                return


def _joined(parts: Sequence[str], width: int) -> Iterator[str]:
    """Yield lines of parts, none of which is broken unless it is wider than a line."""
    line = ""
    for part in parts:
        if line and len(line) + 3 + len(part) > width:
            yield line
            line = ""
        line += ("   " if line else "") + part
    yield from wrap(line, width)
