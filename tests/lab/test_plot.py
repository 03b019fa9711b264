"""Plots: pictures written by hand, and laws of their scales, as text and as SVG."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from smolctl.lab.drawing import plot, plot_svg
from smolctl.lab.drawing.plot_layout import Series, lay_out, spans
from tests.kit.amount import examples

MS, S = 1_000_000, 1_000_000_000
SVG = "{http://www.w3.org/2000/svg}"

RATES = """\
How it went

received by b, linux, 1/s
   4 |                |################
   3 |                |################
   2 |                |################
   1 |#################################
   0 +---------------------------------

received by b, smoltcp-0.9, 1/s
   4 |
   3 |
   2 |
   1 |                #################
   0 +                -----------------
      '       '       '        '      '
     0 s    0.5 s    1 s     1.5 s   2 s

Each column is 61 ms: # up to its least
value, | up to its greatest.
"""


def test_panels_of_one_unit_have_one_scale_and_share_the_time() -> None:
    layout = lay_out(
        [
            Series("received by b, linux", "1/s", [(0, 1), (1 * S, 4), (2 * S, 4)]),
            Series("received by b, smoltcp-0.9", "1/s", [(2 * S, 1), (1 * S, 1)]),
        ],
        "How it went",
    )
    assert plot.draw(layout, 40, 4) == RATES


NOTHING = """\
a
   1 |
 0.5 |
   0 +  no values

b, 1/s
   1 |
 0.5 |
   0 +---------------------------------
      '            '            '
     0 s         0.4 s        0.8 s
"""


def test_no_values_are_no_zeros() -> None:
    layout = lay_out([Series("a", "", []), Series("b", "/s", [(0, 0.0)])], until_ns=S)
    assert plot.draw(layout, 40, 2) == NOTHING
    assert plot.draw(lay_out([])) == ""


POINTS = st.lists(
    st.tuples(st.integers(0, 30 * S), st.floats(-1e12, 1e12) | st.sampled_from([0.0, 1.0, 3.0])),
    max_size=12,
)
SERIES = st.lists(
    st.builds(Series, st.text(max_size=12), st.sampled_from(["", "B"]), POINTS), max_size=3
)


@given(POINTS, st.integers(1, 40))
@examples(20)
def test_each_piece_of_time_has_its_least_and_greatest_value(
    points: list[tuple[int, float]], number: int
) -> None:
    layout = lay_out([Series("", "", points)])
    low, high = int(layout.time.low), int(layout.time.high)
    in_order = sorted(points, key=lambda point: point[0])
    for place, span in enumerate(spans(layout.panels[0], layout.time, number)):
        last = place == number - 1
        begin, end = low * number + (high - low) * place, low * number + (high - low) * (place + 1)
        within = [
            (at, value) for at, value in in_order
            if begin <= at * number < end or (last and at * number >= end)
        ]  # fmt: skip
        before = [value for at, value in in_order if at * number < begin]
        values = [value for _, value in within]
        if before and not (within and within[0][0] * number == begin):
            values.append(before[-1])
        assert span == ((min(values), max(values)) if values else None)


@given(SERIES, st.sampled_from([40, 80, 100]))
@examples(20)
def test_no_line_is_wider_than_asked_for_and_all_can_be_printed(
    series: list[Series], width: int
) -> None:
    lines = plot.draw(lay_out(series, "A title " * 20), width).split("\n")
    assert max(map(len, lines)) <= width
    assert all(line.isprintable() for line in lines)


@given(SERIES)
@examples(20)
def test_text_and_svg_have_the_same_panels_scales_and_points(series: list[Series]) -> None:
    layout = lay_out(series, "<&>")
    root = ElementTree.fromstring(plot_svg.draw(layout))
    panels = [each for each in root if each.get("class") == "panel"]
    text = plot.draw(layout, 200, 40)
    assert len(panels) == len(series)
    for element, panel in zip(panels, layout.panels, strict=True):
        labels = [each.text for each in element.iter(f"{SVG}text") if each.get("class") == "time"]
        assert labels == [tick.label for tick in panel.axis.ticks]
        assert all(f"{label} |" in text or f"{label} +" in text for label in labels)
        dots = [each for each in element.iter(f"{SVG}circle")]
        assert len(dots) == len(panel.points)
        left, right, bottom, top = _frame(element)
        for dot, (at_ns, value) in zip(dots, panel.points, strict=True):
            x, y = float(dot.get("cx", "")), float(dot.get("cy", ""))
            assert abs((x - left) / (right - left) - layout.time.share(at_ns)) < 0.001
            assert abs((bottom - y) / (bottom - top) - panel.axis.share(value)) < 0.001


def _frame(panel: ElementTree.Element) -> tuple[float, float, float, float]:
    """Return the ends of the axes: left, right, bottom, top."""
    grid = [each for each in panel.iter(f"{SVG}line") if each.get("class") == "grid"]
    heights = [float(each.get("y1", "")) for each in grid]
    return float(grid[0].get("x1", "")), float(grid[0].get("x2", "")), max(heights), min(heights)


def test_many_points_are_drawn_by_their_least_and_greatest_values() -> None:
    points = [(number * MS, float(number % 7)) for number in range(20_000)]
    svg = plot_svg.draw(lay_out([Series("sawtooth", "B", points)]))
    assert len(svg) < 30_000
    assert "<circle" not in svg
    assert 'class="curve"' in svg
