"""docs/linux-reasons.md is what smolctl and Linux say to odd frames and sends (``make docs``)."""

from pathlib import Path
from typing import Any

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
from tests.kit import drops
from tests.kit.once import once

pytestmark = pytest.mark.netns

both_families = pytest.mark.parametrize("world", WORLDS, ids=[world.name for world in WORLDS])


BUSY_MAX = 0.1
"""Share of the drops that may be seen with another frame than their own."""
OTHERS = {
    "IPv4": {
        # smolctl takes it.
        "echo request in SNAP",
        # Linux answers, and drops its own answer.
        "IP source 10.0.0.255",
        # For Linux it is the host itself.
        "to 0.0.0.0",
    },
    "IPv6": {
        # smolctl looks at the addresses first, and Linux at what is inside.
        "next header 250 from ::",
        "UDP to a closed port, from ::",
        "destination mapped from IPv4",
        "to forward: to a mapped address",
        # Linux answers, and drops the answer that comes back to it.
        "source is our own",
        "source is our own link-local",
        # smolctl takes them.
        "atomic fragment in another",
        "DAD for our address",
        "DAD for our address, with a nonce",
        "NS for the routers' anycast address, at a router",
        # The header is not in the packet any more that was put together.
        "hop-by-hop in the fragments",
        # The host's own copies of what it sends to groups.
        "to ff02::1 without a scope",
        "to ff02::1 of tap0",
        "to ff01::1 of tap0",
        # For Linux it is the host itself.
        "to ::",
    },
}
"""Frames and datagrams that Linux drops under another name than smolctl would, and why."""
LATE = {"to forward: to a link-local destination"}
"""Waits for a neighbor, and may be dropped before the next case is asked about."""


@pytest.fixture(scope="module", params=WORLDS, ids=[world.name for world in WORLDS])
def linux(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, reasons_page.Both]:
    """Return what Linux says of a world; it is asked once, however many processes run tests."""
    world: World = request.param

    def ask(_folder: Path) -> list[Any]:
        said = reasons_page.ask_linux(world)
        return [said.frames, said.sends, said.traced, said.named]

    frames, sends, traced, named = once(tmp_path_factory, f"linux-{world.name}", ask)
    cells = [{name: tuple(row) for name, row in found.items()} for found in (frames, sends)]
    said = reasons_page.Both(cells[0], cells[1], traced)
    said.named = {name: [tuple(each) for each in found] for name, found in named.items()}
    return world, said


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


def test_what_linux_says_is_what_the_page_has(linux: tuple[World, reasons_page.Both]) -> None:
    world, said = linux
    text = PAGE.read_text()
    if (about := reasons_page.documented_kernel(text)) != reasons_page.kernel():
        pytest.skip(f"the page is about Linux {about}, here is {reasons_page.kernel()}")
    frames, sends = columns(world, FRAME_HEAD, OURS, None), columns(world, SEND_HEAD, OURS, None)
    if said.traced and reasons_page.was_traced(text):
        assert said.frames == frames
        assert said.sends == sends
    else:  # errno, counters and answers still
        assert without(said.frames, 0) == without(frames, 0)
        assert without(said.sends, 1) == without(sends, 1)


def test_host_drops_has_our_name_for_what_linux_drops(
    linux: tuple[World, reasons_page.Both],
) -> None:
    world, said = linux
    if not said.named:
        pytest.skip(str(drops.unmet()))
    ours = columns(world, FRAME_HEAD, 0, 1) | columns(world, SEND_HEAD, 0, 1)
    dropped = {name: found for name, found in said.named.items() if found}
    assert len(dropped) > 40
    other = {
        name: found
        for name, found in dropped.items()
        if not all(ours[name][0] in each for each in found)
    }
    # On a busy machine the kernel drops some a moment later, while the next frame is looked at.
    astray = (other.keys() - LATE) ^ OTHERS[world.name]
    assert len(astray) <= BUSY_MAX * len(dropped), astray
    certain = [name for name, found in dropped.items() if [ours[name]] == found]
    assert len(certain) / len(dropped) > 0.75


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
