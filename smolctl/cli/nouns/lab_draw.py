"""Drawings of a run: its ladder and its plots, as text and as SVG."""

from collections.abc import Iterator

from smolctl.cli.output import Output
from smolctl.lab.drawing import ladder, ladder_svg, plot, plot_svg
from smolctl.lab.drawing.ladder_layout import lay_out as lay_out_ladder
from smolctl.lab.drawing.ladder_rows import Ladder
from smolctl.lab.drawing.plot_layout import Plot, Series
from smolctl.lab.drawing.plot_layout import lay_out as lay_out_plot
from smolctl.lab.outcome import Outcome


def _ladder(outcome: Outcome, title: str = "") -> Ladder:
    nodes = [node.name for node in outcome.scenario.nodes]
    return lay_out_ladder(outcome.travels, outcome.marks, nodes, title=title)


def _plots(outcome: Outcome) -> Iterator[Plot]:
    for plotted in outcome.plots:
        series = [Series(line.label, plotted.unit, line.points) for line in plotted.lines]
        yield lay_out_plot(series, plotted.spec.title, outcome.until_ns)


def ladder_lines(outcome: Outcome, out: Output) -> list[str]:
    """Return the lines of the ladder, as wide as the terminal is."""
    return ladder.draw(_ladder(outcome), out.width or ladder.WIDTH).splitlines()


def plot_lines(outcome: Outcome, out: Output) -> list[str]:
    """Return the lines of all plots, as wide as the terminal is."""
    width = out.width or plot.WIDTH
    drawn = [plot.draw(each, width).splitlines() for each in _plots(outcome)]
    return [line for lines in drawn for line in (*lines, "")][:-1]


def ladder_picture(outcome: Outcome) -> str:
    """Return the ladder as SVG."""
    return ladder_svg.draw(_ladder(outcome, outcome.scenario.title))


def plot_pictures(outcome: Outcome) -> list[str]:
    """Return each plot as SVG."""
    return [plot_svg.draw(each) for each in _plots(outcome)]
