"""docs/linux-reasons.md is what smolctl and Linux say to odd frames and sends (``make docs``)."""

import pytest

from tests.e2e.odd import reasons_page
from tests.e2e.odd.odd import DIFFERENCES, FRAMES, SENDS
from tests.e2e.odd.reasons_page import FRAME_HEAD, OURS, PAGE, SEND_HEAD, Cells, documented

pytestmark = pytest.mark.netns


def columns(head: tuple[str, ...], first: int, last: int | None) -> Cells:
    found = documented(PAGE.read_text(), head)
    return {name: cells[first:last] for name, cells in found.items()}


def without(cells: Cells, column: int) -> Cells:
    return {name: row[:column] + row[column + 1 :] for name, row in cells.items()}


def test_the_page_has_all_of_them() -> None:
    assert list(columns(FRAME_HEAD, 0, None)) == list(FRAMES)
    assert list(columns(SEND_HEAD, 0, None)) == list(SENDS)


def test_what_smolctl_says_is_what_the_page_has() -> None:
    said = reasons_page.ask_smolctl()
    assert said.frames == columns(FRAME_HEAD, 0, OURS)
    assert said.sends == columns(SEND_HEAD, 0, OURS)


def test_what_linux_says_is_what_the_page_has() -> None:
    text = PAGE.read_text()
    if (about := reasons_page.documented_kernel(text)) != reasons_page.kernel():
        pytest.skip(f"the page is about Linux {about}, here is {reasons_page.kernel()}")
    said = reasons_page.ask_linux()
    frames, sends = columns(FRAME_HEAD, OURS, None), columns(SEND_HEAD, OURS, None)
    if said.traced and reasons_page.was_traced(text):
        assert said.frames == frames
        assert said.sends == sends
    else:  # errno, counters and answers still
        assert without(said.frames, 0) == without(frames, 0)
        assert without(said.sends, 1) == without(sends, 1)


def test_where_they_differ_there_is_a_reason() -> None:
    assert reasons_page.differing(PAGE.read_text()) == DIFFERENCES.keys()


def test_no_errno_of_linux_comes_with_a_drop_reason() -> None:
    for said, reason in columns(SEND_HEAD, OURS, None).values():
        assert not (said.startswith("E") and reason)


def test_linux_has_no_reason_of_its_own_for_odd_arp() -> None:
    reasons = {cells[OURS] for name, cells in columns(FRAME_HEAD, 0, None).items()
               if name.startswith("ARP")}  # fmt: skip
    assert reasons <= {"", "NOT_SPECIFIED", "PKT_TOO_SMALL"}
