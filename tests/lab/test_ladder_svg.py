"""Ladders as SVG say what the text says, hold any name, and are legible on light and dark pages."""

import re
from xml.etree import ElementTree

from hypothesis import given

from smolctl.lab.drawing import ladder, ladder_svg
from smolctl.lab.drawing.ladder_layout import lay_out
from smolctl.lab.drawing.ladder_rows import OUTSIDE, Arrow, Ladder, Part, Point, Tip
from smolctl.lab.drawing.svg import CHAR, COLOURS
from tests.docs.test_picture import contrast
from tests.kit.amount import examples
from tests.lab.test_ladder_laws import read
from tests.lab.timelines import Timeline, behind_a_router, timelines, travel

NAMESPACE = "{http://www.w3.org/2000/svg}"


def parsed(layout: Ladder) -> ElementTree.Element:
    """Return the elements of a picture."""
    return ElementTree.fromstring(ladder_svg.draw(layout))


def rows_of(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [element for element in root if element.get("class") == "row"]


def texts(element: ElementTree.Element, *styles: str) -> list[str]:
    """Return the texts of an element, those of some styles only."""
    return [
        each.text or ""
        for each in element.iter(f"{NAMESPACE}text")
        if not styles or each.get("class") in styles
    ]


@given(timelines())
@examples(12)
def test_text_and_svg_never_disagree(run: Timeline) -> None:
    """Both have the same times, words and letters, and the same nodes at the ends of arrows."""
    layout = lay_out(*run)
    root = parsed(layout)
    drawn = rows_of(root)
    assert len(drawn) == len(layout.rows)
    lines = re.sub(r"\s+", "", ladder.draw(Ladder("", (), layout.rows), 10_000))
    words = [
        "".join(text for text in texts(row) if not re.fullmatch(r"[XRWioLE]", text))
        for row in drawn
    ]
    if not layout.columns:
        assert re.sub(r"\s+", "", "".join(words)) == lines
        return
    places = {node: x for node, x in zip(layout.columns, _columns(root, layout), strict=True)}
    for row, element in zip(layout.rows, drawn, strict=True):
        assert re.sub(r"\s+", "", row.text) in re.sub(r"\s+", "", "".join(texts(element)))
        figure = row.figure
        if isinstance(figure, Arrow) and len(layout.columns) > 1:
            heads = {
                node
                for head in element.iter(f"{NAMESPACE}path")
                if (found := re.match(r"rotate\(\S+ (\S+) ", head.get("transform", "")))
                for node, x in places.items()
                if x == float(found[1])
            }
            back = {figure.src for head in figure.heads if head.node == figure.src} & {
                head.node for head in figure.heads if head.tip is not Tip.LOST
            }
            if figure.part is not Part.LEAVES:
                assert heads | back == read(layout, row, 100)[0]
        if isinstance(figure, Point):
            at = {float(circle.get("cx", "")) for circle in element.iter(f"{NAMESPACE}circle")}
            assert at == {places[node] for node in figure.nodes}


def _columns(root: ElementTree.Element, layout: Ladder) -> list[float]:
    """Return x of each column: that of nobody's frames has no line, but a box."""
    lines = sorted({float(each.get("x1", "")) for each in root if each.get("class") == "life"})
    if OUTSIDE in layout.columns:
        lines = [lines[0] - (lines[1] - lines[0]) if len(lines) > 1 else 0.0, *lines]
    return lines


@given(timelines())
@examples(12)
def test_a_picture_is_plain_svg_that_needs_nothing_from_elsewhere(run: Timeline) -> None:
    svg = ladder_svg.draw(lay_out(*run, title="<&>\"'\0\ud800"))
    root = ElementTree.fromstring(svg)
    kinds = {element.tag.removeprefix(NAMESPACE) for element in root.iter()}
    assert kinds <= {"svg", "title", "style", "rect", "g", "text", "line", "path", "circle"}
    assert svg.count("http") == 1  # the name space
    assert not re.search(r"<[^>]*\b(on\w+|href|src)=|url\(|@import", svg)
    assert not [each for each in root.iter() if (each.text or "").find("\0") >= 0]


@given(timelines())
@examples(12)
def test_no_text_reaches_out_of_the_picture(run: Timeline) -> None:
    root = parsed(lay_out(*run))
    width, height = int(root.get("width", "")), int(root.get("height", ""))
    for each in root.iter(f"{NAMESPACE}text"):
        x, y, size = (float(each.get(name, "")) for name in ("x", "y", "textLength"))
        share = {"middle": 0.5, "end": 1.0}.get(each.get("text-anchor", ""), 0.0)
        assert x - size * share >= 0
        assert x + size * (1 - share) <= width
        assert 0 < y < height


def test_words_do_not_touch_the_lines_of_the_nodes() -> None:
    course, a, _, _ = behind_a_router()
    course.step(a, "ping -c 1 10.2.0.2", "ping.run", dst="10.2.0.2", count="1")
    root = parsed(lay_out(*course.timeline))
    right = max(float(each.get("x1", "")) for each in root if each.get("class") == "life")
    words = [each for row in rows_of(root) for each in row if each.get("class") == "words"]
    assert min(float(each.get("x", "")) for each in words) >= right + 2 * CHAR


def test_a_name_is_text_and_no_markup() -> None:
    run = Timeline([travel(0, "<b>&\"'", "</svg>", b"")], [])
    assert {"<b>&\"'", "</svg>"} <= set(texts(parsed(lay_out(*run))))


def test_it_is_legible_on_light_and_on_dark_pages() -> None:
    for at in (0, 1):
        page = COLOURS["page"][at]
        for name, colours in COLOURS.items():
            if name == "line":  # the outline of a thing (WCAG 2.1, 1.4.11)
                assert contrast(colours[at], page) >= 3
            elif name != "page":  # AAA for text
                assert contrast(colours[at], page) >= 7, name
    svg = ladder_svg.draw(lay_out([]))
    assert svg.count("prefers-color-scheme: dark") == 1
    for name in COLOURS:
        assert svg.count(f"--{name}:") == 2
        assert f"var(--{name})" in svg
