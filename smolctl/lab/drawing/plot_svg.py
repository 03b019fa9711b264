"""Plots as SVG, for light and for dark pages: a line that holds each value until the next."""

from collections.abc import Iterator

from smolctl.lab.drawing.plot_layout import Panel, Plot, spans
from smolctl.lab.drawing.svg import Style, document, line, text, text_width

_MARGIN = 16
_INNER = 700
"""Pixels of the axis of time."""
_HEIGHT = 150
"""Pixels of an axis of values."""
_POINTS_MAX = 1400
"""Points that are drawn one by one; of more, each pixel has its least and its greatest value."""
_DOTS_MAX = 80
"""Points of a panel, at most, that have a dot."""
_RULES = """\
.grid { stroke: var(--line); stroke-opacity: 0.4; }
.axis { stroke: var(--line); }
.curve { stroke: var(--data); stroke-width: 1.8; }
.area { fill: var(--data); fill-opacity: 0.15; stroke: none; }
.dot { fill: var(--data); }
"""


def draw(plot: Plot) -> str:
    """Return a plot as the text of an SVG file."""
    labels = [tick.label for panel in plot.panels for tick in panel.axis.ticks]
    left = _MARGIN + max([40, *map(text_width, labels)]) + 10
    parts: list[str] = []
    y = _MARGIN
    if plot.title:
        parts.append(text(_MARGIN, y + 14, plot.title, Style.TITLE))
        y += 28
    for panel in plot.panels:
        parts.append(text(left, y + 13, panel.name, Style.WORDS))
        y += 24
        parts.append(f'<g class="panel">{"".join(_panel(plot, panel, left, y))}</g>')
        y += _HEIGHT + 22
    for tick in plot.time.ticks if plot.panels else ():
        x = round(left + plot.time.share(tick.value) * _INNER)
        parts.append(text(x, y, tick.label, Style.TIME, "middle"))
    last = plot.time.ticks[-1].label if plot.time.ticks else ""
    names = [text_width(panel.name) for panel in plot.panels]
    width = max(
        left + _INNER + max(_MARGIN, text_width(last) // 2 + 4),
        2 * _MARGIN + text_width(plot.title),
        *(left + name + _MARGIN for name in names),
        0,
    )
    title = plot.title or ", ".join(panel.name for panel in plot.panels) or "Nothing"
    return document(width, y + _MARGIN, title, parts, _RULES)


def _panel(plot: Plot, panel: Panel, left: int, top: int) -> Iterator[str]:
    """Yield the parts of a panel: its axes, its grid and its curve."""
    bottom, right = top + _HEIGHT, left + _INNER
    for tick in panel.axis.ticks:
        y = bottom - panel.axis.share(tick.value) * _HEIGHT
        yield line((left, y), (right, y), "grid")
        yield text(left - 8, round(y) + 4, tick.label, Style.TIME, "end")
    for tick in plot.time.ticks:
        x = left + plot.time.share(tick.value) * _INNER
        yield line((x, bottom), (x, bottom + 5), "axis")
    yield line((left, bottom), (right, bottom), "axis")
    yield line((left, top), (left, bottom), "axis")
    if not panel.points:
        yield text((left + right) // 2, (top + bottom) // 2, "no values", Style.QUIET, "middle")
        return
    if len(panel.points) > _POINTS_MAX:
        yield from _pixels(plot, panel, left, bottom)
        return
    places = [
        (
            left + plot.time.share(at_ns) * _INNER,
            bottom - panel.axis.share(value) * _HEIGHT,
        )
        for at_ns, value in panel.points
    ]
    x, y = places[0]
    path = f"M{x:.6g},{y:.6g}"
    for x, y in places[1:]:
        path += f" H{x:.6g} V{y:.6g}"
    path += f" H{right}"
    zero = bottom - panel.axis.share(0) * _HEIGHT
    yield f'<path class="area" d="{path} V{zero:.6g} H{places[0][0]:.6g} Z"/>'
    yield f'<path class="curve" d="{path}"/>'
    if len(places) <= _DOTS_MAX:
        for x, y in places:
            yield f'<circle class="dot" cx="{x:.6g}" cy="{y:.6g}" r="2.5"/>'


def _pixels(plot: Plot, panel: Panel, left: int, bottom: int) -> Iterator[str]:
    """Yield a curve of so many points that each pixel has many: from the least to the greatest."""
    path = ""
    for place, span in enumerate(spans(panel, plot.time, _INNER)):
        if span is not None:
            low, high = (bottom - panel.axis.share(value) * _HEIGHT for value in span)
            x = left + place + 0.5
            path += f"{'L' if path else 'M'}{x:g},{low:.6g} V{min(high, low - 0.5):.6g} "
    yield f'<path class="curve" d="{path.strip()}"/>'
