"""Sampling: the series of a scenario's plots, taken at equal distances of virtual time."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol

from smolctl.errors import SmolctlError
from smolctl.lab.expectation import PlotSpec, SeriesSpec
from smolctl.lab.outcome import Plotted, Sampled
from smolctl.lab.world import World

POINTS = 100
"""Points of a plot that does not say how far they are apart."""
_NS_PER_S = 1_000_000_000


class Counted(Protocol):
    """A program, and how much it has read."""

    @property
    def stream(self) -> bool:
        """Whether it is one of TCP, which counts bytes."""

    def value(self, of: str) -> float:
        """Return one of the values that a plot may ask for."""


class Sampler:
    """Takes the values of all plots of a run.

    Args:
        plots: of the scenario.
        world: passes the time.
        programs: of the scenario, by name.
        until_ns: when the run ends, from its beginning.
    """

    def __init__(
        self,
        plots: Sequence[PlotSpec],
        world: World,
        programs: Mapping[str, Counted],
        until_ns: int,
    ) -> None:
        self._plots, self._world, self._programs = plots, world, programs
        self._until_ns = until_ns
        self._values: list[list[list[tuple[int, float]]]] = []
        for number, plot in enumerate(plots):
            self._values.append([[] for _ in plot.series])
            world.call_at(world.now, self._sample, number)

    def _sample(self, number: int) -> None:
        plot, at_ns = self._plots[number], self._world.elapsed_ns
        for values, series in zip(self._values[number], plot.series, strict=True):
            values.append((at_ns, self._value(series)))
        every = plot.every_ns or max(self._until_ns // POINTS, 1_000)
        if at_ns + every <= self._until_ns:
            self._world.call_at(self._world.now + every, self._sample, number)

    def _value(self, series: SeriesSpec) -> float:
        if series.program is not None:
            return self._programs[series.program].value(series.of)
        if series.link is not None:
            ports = self._world.wires[series.link].ports if series.link in self._world.wires else ()
            return 8 * sum(port.interface.counters.total("tx_bytes") for port in ports)
        try:
            rows = self._world.nodes[series.node or ""].call("stats.show")
        except SmolctlError:  # it is switched off
            return 0
        values = {f"{row['layer']}.{row['name']}": int(row["value"]) for row in rows}
        return values.get(series.counter or "", 0)

    def _unit(self, plot: PlotSpec) -> str:
        units = {self._unit_of(series) for series in plot.series}
        unit = units.pop() if len(units) == 1 else ""
        return f"{unit}/s" if plot.rate else unit

    def _unit_of(self, series: SeriesSpec) -> str:
        if series.link is not None:
            return "bit"
        if series.program is not None:
            if series.of == "rtt":
                return "ms"
            packets = series.of == "read" and not self._programs[series.program].stream
            return "datagrams" if packets else "B"
        return ""

    def plots(self) -> list[Plotted]:
        """Return what was taken so far."""
        return [
            Plotted(
                plot,
                self._unit(plot),
                [
                    Sampled(series, label(series), _rates(values) if plot.rate else values)
                    for series, values in zip(plot.series, taken, strict=True)
                ],
            )
            for plot, taken in zip(self._plots, self._values, strict=True)
        ]


def label(series: SeriesSpec) -> str:
    """Return the name of a line."""
    if series.label is not None:
        return series.label
    if series.counter is not None:
        return f"{series.node} {series.counter}"
    if series.program is not None:
        return series.program if series.of == "read" else f"{series.program} {series.of}"
    return series.link or ""


def _rates(values: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return how much came in a second, from each point to the next; never less than nothing."""
    return [
        (before_ns, max(now - before, 0) * _NS_PER_S / (at_ns - before_ns))
        for (before_ns, before), (at_ns, now) in pairwise(values)
    ]
