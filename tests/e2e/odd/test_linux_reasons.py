"""docs/linux-reasons.md is what smolctl and Linux say to odd frames and sends (``make docs``)."""

import pytest

from tests.e2e.odd import reasons_page
from tests.e2e.odd.odd import World
from tests.e2e.odd.reasons_page import (
    FRAME_HEAD,
    OURS,
    PAGE,
    SEND_HEAD,
    WORLDS,
    Cells,
    documented,
)

pytestmark = pytest.mark.netns

both_families = pytest.mark.parametrize("world", WORLDS, ids=[world.name for world in WORLDS])


def columns(world: World, head: tuple[str, ...], first: int, last: int | None) -> Cells:
    found = documented(PAGE.read_text(), world, head)
    return {name: cells[first:last] for name, cells in found.items()}


def without(cells: Cells, column: int) -> Cells:
    return {name: row[:column] + row[column + 1 :] for name, row in cells.items()}


@both_families
def test_the_page_has_all_of_them(world: World) -> None:
    assert list(columns(world, FRAME_HEAD, 0, None)) == list(world.arrivals)
    assert list(columns(world, SEND_HEAD, 0, None)) == list(world.sends)


@both_families
def test_what_smolctl_says_is_what_the_page_has(world: World) -> None:
    said = reasons_page.ask_smolctl(world)
    assert said.frames == columns(world, FRAME_HEAD, 0, OURS)
    assert said.sends == columns(world, SEND_HEAD, 0, OURS)


@both_families
def test_what_linux_says_is_what_the_page_has(world: World) -> None:
    text = PAGE.read_text()
    if (about := reasons_page.documented_kernel(text)) != reasons_page.kernel():
        pytest.skip(f"the page is about Linux {about}, here is {reasons_page.kernel()}")
    said = reasons_page.ask_linux(world)
    frames, sends = columns(world, FRAME_HEAD, OURS, None), columns(world, SEND_HEAD, OURS, None)
    if said.traced and reasons_page.was_traced(text):
        assert said.frames == frames
        assert said.sends == sends
    else:  # errno, counters and answers still
        assert without(said.frames, 0) == without(frames, 0)
        assert without(said.sends, 1) == without(sends, 1)


@both_families
def test_where_they_differ_there_is_a_reason(world: World) -> None:
    assert reasons_page.differing(PAGE.read_text(), world) == world.differences.keys()


@both_families
def test_no_errno_of_linux_comes_with_a_drop_reason(world: World) -> None:
    for said, reason in columns(world, SEND_HEAD, OURS, None).values():
        assert not (said.startswith("E") and reason)


def test_linux_has_no_reason_of_its_own_for_odd_arp() -> None:
    found = columns(WORLDS[0], FRAME_HEAD, 0, None)
    reasons = {cells[OURS] for name, cells in found.items() if name.startswith("ARP")}
    assert reasons <= {"", "NOT_SPECIFIED", "PKT_TOO_SMALL"}
