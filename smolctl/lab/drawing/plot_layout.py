"""The layout of plots: what a lab counted over time, its axes and their ticks.

Each series has a panel of its own, so that no colour has to tell them apart; all share the time,
and those of one unit the scale. Text (``plot.py``) and SVG (``plot_svg.py``) are drawn from this.
"""

from collections.abc import Sequence
from math import floor, isfinite, log10
from typing import NamedTuple

from smolctl.lab.drawing.ladder_words import clean

Point = tuple[int, float]
"""Time since the run began, ns, and the value from then on."""


class Series(NamedTuple):
    """A value of a lab over time.

    Attributes:
        name: what it is: "datagrams that b received".
        unit: "1/s", "B", "ms" or the like; "" for a number of things.
        points: in any order. A value holds until the next point; those that are not finite are left
            out. Of several at one time all are drawn, and the last holds.
    """

    name: str
    unit: str
    points: Sequence[Point]


class Tick(NamedTuple):
    """A labelled place on an axis."""

    value: float
    label: str


class Axis(NamedTuple):
    """A scale from its lowest value to its highest, which is larger."""

    low: float
    high: float
    ticks: tuple[Tick, ...]

    def share(self, value: float) -> float:
        """Return where a value is: 0 at the lowest, 1 at the highest."""
        return (value - self.low) / (self.high - self.low)


class Panel(NamedTuple):
    """One series with its scale; its points are in the order of time."""

    name: str
    axis: Axis
    points: tuple[Point, ...]


class Plot(NamedTuple):
    """A layout: panels, from top to bottom, above one axis of time in ns."""

    title: str
    time: Axis
    panels: tuple[Panel, ...]


Span = tuple[float, float]
"""The least and the greatest value during some time."""


def lay_out(series: Sequence[Series], title: str = "", until_ns: int | None = None) -> Plot:
    """Return the layout of a plot.

    Args:
        series: what to draw.
        title: a line for the head of the picture.
        until_ns: the end of the run, if it is behind the last point.
    """
    finite = [
        tuple(sorted((p for p in each.points if isfinite(p[1])), key=lambda point: point[0]))
        for each in series
    ]
    times = [point[0] for points in finite for point in points]
    begin, end = min([0, *times]), max([until_ns or 0, *times])
    time = Axis(begin, max(end, begin + 1), _time_ticks(begin, end))
    values: dict[str, list[float]] = {}
    for each, points in zip(series, finite, strict=True):
        values.setdefault(each.unit, []).extend(point[1] for point in points)
    axes = {unit: _axis(found) for unit, found in values.items()}
    panels = tuple(
        Panel(_panel_name(each), axes[each.unit], points)
        for each, points in zip(series, finite, strict=True)
    )
    return Plot(clean(title), time, panels)


def _panel_name(series: Series) -> str:
    unit = f"1{series.unit}" if series.unit.startswith("/") else series.unit
    return clean(f"{series.name}, {unit}" if unit else series.name)


def spans(panel: Panel, time: Axis, number: int) -> list[Span | None]:
    """Return the least and the greatest value in each of so many equal times.

    A value that holds from before counts, too. None where there is no value yet.
    """
    low, length = int(time.low), int(time.high - time.low)
    result: list[Span | None] = [None] * number
    held: float | None = None
    since = 0
    for at_ns, value in panel.points:
        place, rest = divmod((at_ns - low) * number, length)
        if place >= number:  # the end of the last one belongs to it
            place, rest = number - 1, length
        for before in range(since, place if rest == 0 else place + 1):
            result[before] = _wider(result[before], held)
        result[place] = _wider(result[place], value)
        held, since = value, place
    for before in range(since, number):
        result[before] = _wider(result[before], held)
    return result


def _wider(span: Span | None, value: float | None) -> Span | None:
    if value is None:
        return span
    return (value, value) if span is None else (min(span[0], value), max(span[1], value))


# --- axes -----------------------------------------------------------------------------------------

_STEPS = (1, 2, 5, 10)
_INTERVALS_MAX = 4
"""Intervals of an axis of values, at most."""
_TIMES_MAX = 8
"""Intervals of the axis of time, at most."""
_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns"))
_SIZES = ((1e9, "G"), (1e6, "M"), (1e4, "k"))
_LEAST = 1e-9


def _step(length: float, most: int) -> float:
    """Return the least round step of which so many make up a length: 1, 2 or 5 times 10**n."""
    power = 10.0 ** floor(log10(length / most))
    return next((power * step for step in _STEPS if power * step * most >= length), power * 10)


def _axis(values: Sequence[float]) -> Axis:
    """Return the scale for some values, which has 0 on it: heights can be compared."""
    low, high = min([0.0, *values]), max([0.0, *values])
    if high - low < _LEAST:
        high = low + 1
    step = _step(high - low, _INTERVALS_MAX)
    first, last = floor(low / step), -floor(-high / step)
    ticks = tuple(Tick(n * step, _number(n * step)) for n in range(first, last + 1))
    return Axis(first * step, last * step, ticks)


def _number(value: float) -> str:
    """Return a round number: 1500, 60k, 0.5."""
    for size, letter in _SIZES:
        if abs(value) >= size:
            size = 1e3 if letter == "k" else size
            return f"{value / size:.6g}{letter}"
    return f"{value:.6g}"


def _time_ticks(begin: int, end: int) -> tuple[Tick, ...]:
    step = round(max(_step(max(end - begin, 1), _TIMES_MAX), 1))
    size, unit = next((each for each in _UNITS if end - begin >= each[0]), _UNITS[-1])
    places = range(-(-begin // step) * step, end + 1, step)
    return tuple(Tick(at, f"{at / size:.10g} {unit}") for at in places)
