"""Laws of ladders: all is drawn once, in order, between the right nodes, and within the width."""

import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from smolctl.lab.drawing import ladder
from smolctl.lab.drawing.ladder_layout import lay_out
from smolctl.lab.drawing.ladder_rows import (
    OUTSIDE,
    Arrow,
    Gap,
    Ladder,
    Part,
    Point,
    Row,
    Tip,
)
from smolctl.lab.timeline import Travel
from tests.kit.amount import examples
from tests.lab.timelines import Timeline, timelines


@given(timelines(), st.booleans())
@examples(12)
def test_each_travel_and_each_mark_is_in_one_row(run: Timeline, fold: bool) -> None:
    layout = lay_out(*run, fold=fold)
    drawn = Counter(id(item) for row in layout.rows for item in row.items)
    assert max(drawn.values(), default=1) == 1
    assert {id(item) for item in (*run.travels, *run.marks)} <= drawn.keys()
    if not fold:
        assert not [row for row in layout.rows if row.figure == Gap("fold")]


@given(timelines())
@examples(12)
def test_a_fold_counts_what_it_does_not_draw(run: Timeline) -> None:
    for row in lay_out(*run).rows:
        if row.figure == Gap("fold"):
            counts = [int(count) for count in re.findall(r"(?:: |, )(\d+) x ", row.text)]
            frames = {
                (item.sent_ns, item.src, item.frame) if isinstance(item, Travel) else id(item)
                for item in row.items
            }
            assert sum(counts) == int(row.text.split()[0])
            assert sum(counts) >= min(len(frames), 3)


@given(timelines(), st.booleans())
@examples(12)
def test_time_never_goes_backwards(run: Timeline, fold: bool) -> None:
    rows = lay_out(*run, fold=fold).rows
    times = [row.at_ns for row in rows]
    assert times == sorted(times)
    assert all(row.until_ns >= row.at_ns for row in rows)


@given(timelines())
@examples(12)
def test_at_each_node_all_happens_in_its_order(run: Timeline) -> None:
    """A frame may be drawn in one row only if no node's order is changed by that."""
    happened: dict[str, list[int]] = {}
    for row in lay_out(*run, fold=False).rows:
        figure = row.figure
        if isinstance(figure, Point):
            for node in figure.nodes:
                happened.setdefault(node, []).append(row.at_ns)
        if not isinstance(figure, Arrow):
            continue
        if figure.part is not Part.ARRIVES and figure.src:
            happened.setdefault(figure.src, []).append(row.at_ns)
        if figure.part is not Part.LEAVES:
            for head in figure.heads:
                if head.tip is not Tip.LOST and head.node != figure.src:
                    happened.setdefault(head.node, []).append(row.until_ns)
    assert {node: sorted(times) for node, times in happened.items()} == happened


@given(timelines())
@examples(12)
def test_a_frame_arrives_where_and_when_it_did(run: Timeline) -> None:
    """Whatever is not folded has an arrow from its sender to each of its receivers."""
    expected: Counter[tuple[str, str, bool]] = Counter()
    drawn: Counter[tuple[str, str, bool]] = Counter()
    layout = lay_out(*run, fold=False)
    for travel in run.travels:
        expected[travel.src, travel.dst, travel.arrived_ns is not None] += 1
    for row in layout.rows:
        figure = row.figure
        if not isinstance(figure, Arrow):
            continue
        if figure.part is Part.WHOLE and not isinstance(row.items[0], Travel):
            continue  # a frame that its sender's link lost, as a mark says
        for head in figure.heads:
            if figure.part is not Part.LEAVES or head.tip is Tip.LOST:
                drawn[figure.src, head.node, head.tip is not Tip.LOST] += 1
    assert drawn == expected


@given(timelines(), st.sampled_from([40, 60, 80, 100, 100]))
@examples(12)
def test_no_line_is_wider_than_asked_for(run: Timeline, width: int) -> None:
    text = ladder.draw(lay_out(*run, title="A title " * 20), width)
    assert max(len(line) for line in text.split("\n")) <= width
    assert all(line.isprintable() for line in text.split("\n"))


# --- what the lines say, read again ---------------------------------------------------------------


def read(layout: Ladder, row: Row, width: int) -> tuple[set[str], set[str], set[str]]:
    """Return the nodes at which an arrow's line has a head, a lost one, and those that it names."""
    alone = Ladder("", layout.columns, (row,))
    lines = ladder.draw(alone, width).splitlines()
    picture = ladder.Picture(alone, width)
    first = picture.left
    line = next(line for line in lines if re.match(r" *\d+\.\d+ m?s  ", line))[first:]
    heads, lost = set(), set()
    for node, at in picture.at.items():
        before, after = line[at - 1 : at], line[at + 1 : at + 2]
        src = row.figure.src if isinstance(row.figure, Arrow) else ""
        if before in (">", ")") or after in ("<", "("):
            heads.add(node)
        if line[at] == "@":
            heads.add(src)
        if before == "X" or after == "X":
            lost.add(node)
    return heads, lost, {node for node, at in picture.at.items() if line[at] == "*"}


@given(timelines(), st.sampled_from([80, 100]))
@examples(12)
def test_arrows_point_from_the_sender_to_the_receivers(run: Timeline, width: int) -> None:
    layout = lay_out(*run)
    for row in layout.rows:
        figure = row.figure
        if not isinstance(figure, Arrow) or len(layout.columns) < 2:
            continue
        heads, _, stars = read(layout, row, width)
        arrived = {head.node for head in figure.heads if head.tip is not Tip.LOST}
        assert heads == (set() if figure.part is Part.LEAVES else arrived)
        several = len([head for head in figure.heads if head.node]) > 1
        if figure.part is not Part.ARRIVES and several and figure.src not in (*arrived, OUTSIDE):
            assert stars == {figure.src}
        else:
            assert not stars
