"""Plots as text: a panel for each series, a column of signs for each piece of time.

datagrams that b received, 1/s
  1000 |    ####      #### is how long the value was there at least,
       |    ####||    ||   what it reached in that piece of time
   500 |    ######
       |  ########
     0 +----------
       0 s        1 s
"""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from smolctl.lab.drawing.ladder_words import rounded
from smolctl.lab.drawing.plot_layout import Axis, Panel, Plot, Span, spans

WIDTH = 100
"""Columns of a picture, unless another width is asked for."""
WIDTH_MIN = 40
HEIGHT = 8
"""Lines of a panel above its lowest value."""
_FULL, _PART, _NONE = "#", "|", " "


def draw(plot: Plot, width: int = WIDTH, height: int = HEIGHT) -> str:
    """Return a plot as lines of text, each with its newline.

    Args:
        plot: what is where.
        width: columns that no line exceeds; with fewer than ``WIDTH_MIN``, that many are used.
        height: lines of a panel, 2 or more.
    """
    width = max(width, WIDTH_MIN)
    return "".join(f"{line.rstrip()}\n" for line in _lines(plot, width, max(height, 2)))


def _lines(plot: Plot, width: int, height: int) -> Iterator[str]:
    labels = [tick.label for panel in plot.panels for tick in panel.axis.ticks]
    left = max([4, *map(len, labels)]) + 2
    number = width - left - 1
    if plot.title:
        yield from wrap(plot.title, width)
        yield ""
    ranges = False
    for place, panel in enumerate(plot.panels):
        if place:
            yield ""
        found = spans(panel, plot.time, number)
        ranges |= any(span is not None and span[0] != span[1] for span in found)
        yield from wrap(panel.name, width) or [""]
        yield from _panel(panel, found, left, height)
    if not plot.panels:
        return
    yield from _times(plot.time, left, number)
    if ranges:
        each = rounded(round((plot.time.high - plot.time.low) / number))
        yield ""
        yield from wrap(
            f"Each column is {each}: # up to its least value, | up to its greatest.", width
        )


def _panel(panel: Panel, found: Sequence[Span | None], left: int, height: int) -> Iterator[str]:
    """Yield the lines of a panel, the greatest value first."""
    ticks = {round(panel.axis.share(tick.value) * height): tick.label for tick in panel.axis.ticks}
    filled = [None if span is None else filling(panel.axis, span, height) for span in found]
    for level in range(height, 0, -1):
        signs = "".join(
            _NONE
            if each is None
            else _FULL
            if level <= each[0]
            else _PART
            if level <= each[1]
            else _NONE
            for each in filled
        )
        yield f"{ticks.get(level, ''):>{left - 2}} |{signs}"
    # A value that is there, though it is the lowest, is told from none at all.
    base = "".join(" " if each is None else "-" for each in filled)
    yield f"{ticks.get(0, ''):>{left - 2}} +{base if panel.points else '  no values'}"


def filling(axis: Axis, span: Span, height: int) -> tuple[int, int]:
    """Return how many lines a span of values fills at least, and at most.

    A value above the lowest fills one or more: what is there is seen.
    """
    low, high = (axis.share(value) * height for value in span)
    return max(round(low), low > 0), max(round(high), high > 0)


def _times(time: Axis, left: int, number: int) -> Iterator[str]:
    """Yield the lines below the panels: as many times as there is room for, at equal distances."""
    width = left + number + 1
    for every in range(1, len(time.ticks) + 1):
        places = []
        for tick in time.ticks[::every]:
            at = left + min(round(time.share(tick.value) * number), number - 1)
            begin = min(max(at - len(tick.label) // 2, 0), width - len(tick.label))
            places.append((at, begin, tick.label))
        ends = [begin + len(label) + 2 for _, begin, label in places]
        if all(end <= begin for end, (_, begin, _) in zip(ends, places[1:], strict=False)):
            break
    marks, line = [" "] * width, [" "] * width
    for at, begin, label in places:
        marks[at] = "'"
        line[begin : begin + len(label)] = label
    yield "".join(marks)
    yield "".join(line)
