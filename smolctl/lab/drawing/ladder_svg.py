"""Ladders as SVG, for light and for dark pages.

The picture is the one of ``ladder.py``: the same rows, columns, letters and words. Shapes, dashes
and words carry the meaning; colour only repeats it.
"""

from collections.abc import Iterator, Sequence
from math import atan2, degrees

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
from smolctl.lab.drawing.svg import CHAR, LINE, Style, document, line, text, text_width

_MARGIN = 16
_ROW = 26
"""Pixels of a row with one line of words; each further one adds ``LINE``."""
_HEADER = 26
_GAP_MIN, _GAP_MAX, _SPAN_GOOD = 64, 150, 400
"""Pixels from one node to the next, and from the first to the last."""
_WORDS = 56
"""Columns of the words beside the picture; more where there are no columns of nodes."""
_WORDS_ALONE = 100
_SLANT = 9
"""Pixels that a frame falls on its way, if it takes a time that is said."""
_SLOW_NS = 1_000_000
_BADGE = 9
_TAG = 11
"""Pixels of the letters on arrows."""

_STYLES = {
    "drop": Style.BAD,
    "reject": Style.BAD,
    "wait": Style.WAIT,
    "step": Style.STEP,
    "quiet": Style.QUIET,
    "fold": Style.QUIET,
}


def draw(ladder: Ladder) -> str:
    """Return a ladder as the text of an SVG file."""
    return _Drawing(ladder).svg()


class _Drawing:
    """A picture in the making; x and y are pixels."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._times = times(ladder)
        spaces = max(len(ladder.columns) - 1, 1)
        self._gap = min(max(_SPAN_GOOD // spaces, _GAP_MIN), _GAP_MAX)
        time_width = text_width(max(self._times, key=len, default=""))
        names = [text_width(name_of(node)) // 2 + 8 for node in ladder.columns[:1]]
        self._time_right = _MARGIN + time_width
        first = max([self._time_right + 18, *(_MARGIN + half for half in names)])
        self._x = {node: first + number * self._gap for number, node in enumerate(ladder.columns)}
        self._span = (first, first + spaces * self._gap) if ladder.columns else (first, first - 24)
        self._words_at = self._span[1] + 24
        self._columns = _WORDS if ladder.columns else _WORDS_ALONE
        self._width = self._words_at + round(self._columns * CHAR) + _MARGIN
        self._lines = [
            wrapped(row.text if ladder.columns else listed(row), self._columns)
            for row in ladder.rows
        ]
        self._left_at: dict[int, int] = {}
        self._tags: list[str] = []

    def svg(self) -> str:
        """Return the file."""
        y = _MARGIN
        body: list[str] = []
        if self._ladder.title:
            for part in wrapped(self._ladder.title, (self._width - 2 * _MARGIN) // 9):
                body.append(text(_MARGIN, y + 14, part, Style.TITLE))
                y += 20
            y += 6
        header, bottom = self._header(y)
        rows: list[str] = []
        gaps: list[tuple[int, int]] = []
        y = bottom + 6
        for number, row in enumerate(self._ladder.rows):
            if opens(self._ladder, number):
                y += 8
                rows.append(line((_MARGIN, y), (self._width - _MARGIN, y), Style.RULE))
                y += 2
            height = _ROW + (len(self._lines[number]) - 1) * LINE
            if isinstance(row.figure, Gap):
                gaps.append((y, y + height))
            rows.append(f'<g class="row">{"".join(self._row(number, row, y + _ROW // 2))}</g>')
            y += height
        lifelines = [part for x in self._lifelines() for part in _lifeline(x, bottom, y, gaps)]
        legend, y = self._legend(y + 10)
        title = self._ladder.title or "Frames between " + ", ".join(map(name_of, self._x))
        return document(
            self._width,
            y + _MARGIN,
            title,
            [*body, *lifelines, *header, *rows, *self._tags, *legend],
        )

    def _lifelines(self) -> list[int]:
        return [x for node, x in self._x.items() if node != OUTSIDE]

    def _header(self, y: int) -> tuple[list[str], int]:
        """Return the boxes with the nodes' names, and where they end."""
        room = self._width - 2 * _MARGIN
        names = {node: _cut(name_of(node), room) for node in self._x}
        boxes = []
        for node, x in self._x.items():
            half = text_width(names[node]) // 2 + 8
            left = min(max(x - half, _MARGIN // 2), self._width - _MARGIN // 2 - 2 * half)
            boxes.append((left, left + 2 * half))
        level = levels([(left, right + 3) for left, right in boxes])
        highest = max(level, default=-1)
        parts = []
        for (node, name), (left, right), rank in zip(names.items(), boxes, level, strict=True):
            top = y + (highest - rank) * (_HEADER + 4)
            style = "box" if node != OUTSIDE else "box outside"
            parts.append(
                f'<rect class="{style}" x="{left}" y="{top}" width="{right - left}"'
                f' height="{_HEADER - 4}" rx="4"/>'
            )
            parts.append(text((left + right) // 2, top + 15, name, Style.NAME, "middle"))
        return parts, y + (highest + 1) * (_HEADER + 4) - 8

    # --- rows -------------------------------------------------------------------------------------

    def _row(self, number: int, row: Row, y: int) -> Iterator[str]:
        """Yield what a row consists of; y is the middle of its first line."""
        time = self._times[number]
        if time:
            yield text(self._time_right, y + 4, time, Style.TIME, "end")
        figure = row.figure
        style = Style.WORDS
        if not isinstance(figure, Arrow):
            style = _STYLES.get(figure.kind, Style.WORDS)
        for at, part in enumerate(self._lines[number]):
            yield text(self._words_at, y + 4 + at * LINE, part, style)
        if not self._x:
            return
        if isinstance(figure, Point):
            if not figure.nodes:
                yield line((self._span[0], y), (self._span[1], y), Style.RULE)
            for node in figure.nodes:
                yield _badge(self._x[node], y, figure.kind)
        elif isinstance(figure, Arrow):
            slow = figure.part is Part.WHOLE and row.until_ns - row.at_ns >= _SLOW_NS
            yield from self._arrow(figure, row.packet, y, _SLANT if slow else 0)

    def _arrow(self, arrow: Arrow, packet: int | None, y: int, slant: int) -> Iterator[str]:
        """Yield an arrow. One that arrives in a later row is drawn there, from here."""
        src = self._x[arrow.src]
        begin = y - slant // 2
        if arrow.part is Part.LEAVES:
            self._left_at[arrow.number] = y
        elif arrow.part is Part.ARRIVES:
            begin = self._left_at.get(arrow.number, y)
        end = y + slant - slant // 2
        style = Style.ASKS if arrow.asks else Style.DATA
        for head in arrow.heads:
            if arrow.part is Part.LEAVES and head.tip is not Tip.LOST:
                continue
            if head.node == arrow.src != OUTSIDE:
                yield f'<path class="{style}" d="M{src},{y - 6} c24,-2 24,14 2,12"/>'
        for side in (1, -1):
            heads = [head for head in arrow.heads if (self._place(head, src) - src) * side > 0]
            if arrow.part is Part.LEAVES:
                heads = [head for head in heads if head.tip is Tip.LOST]
            yield from self._side(heads, style, (src, begin, end), arrow)
        if is_to_several(arrow) and arrow.src != OUTSIDE:
            yield f'<circle class="sender" cx="{src}" cy="{begin}" r="4"/>'
        if arrow.part is not Part.LEAVES:
            self._tag(arrow, packet, (src, begin, end))

    def _side(
        self, heads: Sequence[Head], style: Style, way: tuple[int, int, int], arrow: Arrow
    ) -> Iterator[str]:
        """Yield the lines and the heads on one side of the sender.

        Args:
            way: x of the sender, y where the frame leaves, y where it arrives.
        """
        if not heads:
            return
        src, begin, end = way
        far = max((self._place(head, src) for head in heads), key=lambda x: abs(x - src))
        near = min((self._place(head, src) for head in heads), key=lambda x: abs(x - src))
        if all(head.tip is Tip.LOST for head in arrow.heads):
            x = (src + near) // 2
            yield line((src, begin), (x, end), style)
            yield _cross(x, end)
            return
        # One line for all, since dashes on dashes would look like none. A frame that arrives later
        # has a line for each end: all are in this row, wherever they stand.
        ends = {self._place(head, src) for head in heads} if arrow.part is Part.ARRIVES else {far}
        ignored = {self._place(head, src) for head in heads if head.tip is Tip.IGNORED}
        for x in ends:
            short = 0 if x not in ignored else 5 if x > src else -5
            yield line((src, begin), (x - short, end), style)
        for head in heads:
            x = self._place(head, src)
            y = end if x in ends else begin + (end - begin) * (x - src) / (far - src)
            yield _head(x, y, (x - src, y - begin), head.tip, style)

    def _place(self, head: Head, src: int) -> int:
        """Return where a head points; where nobody is, beside the sender."""
        if head.node:
            return self._x[head.node]
        return src + self._gap if src + self._gap <= self._span[1] else src - self._gap

    def _tag(self, arrow: Arrow, packet: int | None, way: tuple[int, int, int]) -> None:
        """Write the tag on the arrow, if there is room; beside the beginning of a long way down."""
        src, begin, end = way
        others = [head for head in arrow.heads if not head.node or head.node != arrow.src]
        places = [self._place(head, src) for head in others]
        if not places:
            return
        near = min(places, key=lambda x: abs(x - src))
        side = 1 if near > src else -1
        lost = all(head.tip is Tip.LOST for head in arrow.heads)
        room = self._gap / 2 - 16 if lost else self._gap - 30
        number = f"#{packet}" if packet is not None else ""
        style = f"tag {Style.ASKS if arrow.asks else Style.DATA}"
        for words in (f"{number} {arrow.tag}".strip(), arrow.tag, number):
            if not words or text_width(words, _TAG) > room:
                continue
            if arrow.part is Part.ARRIVES:
                x, y = src + side * (8 + text_width(words, _TAG) // 2), begin - 8
            else:
                x = round(src + side * self._gap * (0.25 if lost else 0.5))
                y = round(begin + (end - begin) * min(1.0, (x - src) / (near - src)))
            self._tags.append(_plate(x, y, text_width(words, _TAG)))
            self._tags.append(text(x, y + 4, words, style, "middle", _TAG))
            return

    # --- the legend -------------------------------------------------------------------------------

    def _legend(self, y: int) -> tuple[list[str], int]:
        """Return the signs of the picture with their meanings, and where they end."""
        parts: list[str] = []
        x = _MARGIN
        found = signs(self._ladder) if self._x else []
        for sign in found:
            width = 34 + text_width(LEGEND[sign]) + 18
            if x > _MARGIN and x + width > self._width - _MARGIN:
                x, y = _MARGIN, y + 24
            parts.append(_sample(x, y + 8, sign))
            parts.append(text(x + 34, y + 12, LEGEND[sign], Style.QUIET))
            x += width
        return parts, y + 20 if found else y


def _cut(name: str, room: int) -> str:
    most = int(room / CHAR) - 2
    return name if len(name) <= most else f"{name[: most - 3]}..."


def _lifeline(x: int, top: int, bottom: int, gaps: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield the line of a node, which is dotted where time or frames are left out."""
    y = top
    for begin, end in gaps:
        yield line((x, y), (x, begin), Style.LIFE)
        yield line((x, begin + 3), (x, end - 1), Style.PAUSE)
        y = end
    yield line((x, y), (x, bottom), Style.LIFE)


def _head(x: float, y: float, way: tuple[float, float], tip: Tip, style: Style) -> str:
    """Return the head of an arrow, which points to the line of a node.

    Args:
        way: how far right and down the arrow goes.
    """
    right, down = way
    if tip is Tip.LOST:
        return _cross(x - (12 if right > 0 else -12), y)
    turned = f' transform="rotate({degrees(atan2(down, right)):.1f} {x:g} {y:g})"'
    if tip is Tip.IGNORED:
        shape = f'class="head ignored {style}" d="M{x - 9:g},{y - 6:g} q8,6 0,12"'
    else:
        shape = f'class="head {style}" d="M{x - 1:g},{y:g} l-9,-4.5 v9 Z"'
    return f"<path {shape}{turned}/>"


def _cross(x: float, y: float) -> str:
    """Return what stands where a frame is lost."""
    return f'<path class="lost" d="M{x - 5:g},{y - 5:g} l10,10 M{x - 5:g},{y + 5:g} l10,-10"/>'


def _badge(x: int, y: int, kind: str) -> str:
    """Return the sign of a mark: a letter in a circle."""
    style = _STYLES.get(kind, Style.WORDS)
    letter = text(x, y + 4, SIGNS[kind], f"letter {style}", "middle", _TAG)
    return f'<circle class="badge {style}" cx="{x}" cy="{y}" r="{_BADGE}"/>{letter}'


def _plate(x: int, y: int, width: int) -> str:
    """Return what covers an arrow below its tag."""
    half = width // 2 + 2
    return f'<rect class="plate" x="{x - half}" y="{y - 6}" width="{2 * half}" height="12"/>'


def _sample(x: int, y: int, sign: str) -> str:
    """Return a sign for the legend, 28 pixels wide."""
    if sign in SIGNS:
        return _badge(x + 14, y, sign)
    if sign == "lost":
        return line((x, y), (x + 20, y), Style.DATA) + _cross(x + 20, y)
    if sign == "asks":
        return line((x, y), (x + 26, y), Style.ASKS)
    if sign == "several":
        dot = f'<circle class="sender" cx="{x + 14}" cy="{y}" r="4"/>'
        return line((x, y), (x + 28, y), Style.DATA) + dot
    if sign == "ignored":
        return line((x, y), (x + 20, y), Style.DATA) + _head(
            x + 27, y, (1, 0), Tip.IGNORED, Style.DATA
        )
    arrow = _head(x + 28, y + 7, (28, 14), Tip.ARRIVES, Style.DATA)
    return line((x, y - 7), (x + 28, y + 7), Style.DATA) + arrow
