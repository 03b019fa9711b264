"""Drops of the kernel beside smolctl's names for them, and beside what its twin predicts."""

import io
import json
import shlex
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import NamedTuple

import pytest

from smolctl.cli import main
from smolctl.host import reading
from smolctl.host.drops import source
from smolctl.host.drops.dropped import Dropped, Source
from smolctl.host.drops.rows import Counts, Room, Row, row
from smolctl.host.twin import Twin, twin
from smolctl.stack.clone.stack_clone import clone_for_packet
from smolctl.stack.explain.predict import happen_to_come_in
from smolctl.stack.explain.verdict import tell
from smolctl.stack.trace.trace import Trace
from tests.docs.test_schemas import faults
from tests.host.drops_world import CASES, OF_A_HOST, Case, DropsWorld
from tests.host.twin.asking import why
from tests.kit import drops
from tests.kit.netns import Namespace, require_root_and
from tests.kit.process import run

pytestmark = pytest.mark.netns
_PATIENCE_S = 5.0
SOME = Dropped(1, "NO_SOCKET", "")
BY_NAME = {case.name: case for case in (*CASES, *OF_A_HOST)}
FIXED = ("reverse path", "forwarding is off")
STRIDE = 3
"""Of so many cases, one is asked about by its command."""


class Said(NamedTuple):
    """Names of a packet's fate: by Linux, by ``host drops``, and by the twin."""

    linux: tuple[str, ...]
    rows: list[Row]
    predicted: str
    asked: str = ""
    fixed: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def said() -> Iterator[dict[str, Said]]:
    require_root_and()
    if reason := drops.unmet():
        pytest.skip(reason)
    namespace = Namespace()
    world = DropsWorld(namespace)
    watched = source.best(source.inode(world.netns))
    try:
        found = {}
        for group in (CASES, OF_A_HOST):
            if group is OF_A_HOST:
                world.become_a_host()
            room, mirror = Room(world.netns), twin(reading.read(world.netns))
            for case in group:
                seen = provoked(case, world, watched)
                rows = [row(each, room, whole=False) for each in seen]
                linux = tuple(each.linux for each in seen)
                found[case.name] = Said(linux, rows, predict(case, mirror))
            for case in group[::STRIDE]:
                found[case.name] = found[case.name]._replace(asked=answer(found[case.name].rows))
        for name in FIXED:
            found[name] = found[name]._replace(fixed=mended(BY_NAME[name], world, watched))
        yield found
    finally:
        watched.close()
        world.close()
        namespace.close()


def mended(case: Case, world: DropsWorld, watched: Source) -> tuple[str, ...]:
    """Run the fix that is shown for a drop; return it, and what Linux says to the packet then."""
    (before,) = provoked(case, world, watched)
    (fix,) = row(before, Room(world.netns), whole=True)["fix"]
    run(["sh", "-c", fix], check=True)
    return (fix, *(each.linux for each in provoked(case._replace(linux=()), world, watched)))


def provoked(case: Case, world: DropsWorld, watched: Source) -> list[Dropped]:
    """Return the drops that a packet brings about.

    What the kernel drops elsewhere meanwhile may have no namespace, such as a fragment that has
    waited too long; all of these have one.
    """

    def take() -> list[Dropped]:
        return [each for each in watched.take() if each.net]

    take()
    world.provoke(case)
    seen = take()
    end = time.monotonic() + _PATIENCE_S
    while case.linux and not seen and time.monotonic() < end:
        watched.wait(end - time.monotonic())
        seen += take()
    return seen


def answer(rows: list[Row]) -> str:
    """Return the reason that the command gives that asks about a drop; "" if there is none."""
    if not rows or "ask" not in rows[0]:
        return ""
    with redirect_stdout(io.StringIO()) as printed:
        main.run(["-j", *shlex.split(rows[0]["ask"])[1:]])
    return str(json.loads(printed.getvalue()).get("reason", ""))


def predict(case: Case, mirror: Twin) -> str:
    """Return the twin's reason for a packet."""
    if case.frame is None:
        return str(why(mirror, case.send).get("reason", ""))
    clone, trace = clone_for_packet(mirror.stack), Trace()
    happen_to_come_in(clone, clone.interface("tap0"), case.frame, 0, trace)
    return str(tell(trace, lambda _now: 0.0).get("reason", ""))


@pytest.mark.parametrize("case", [*CASES, *OF_A_HOST], ids=lambda case: case.name)
def test_both_names_side_by_side(said: dict[str, Said], case: Case) -> None:
    found = said[case.name]
    assert found.linux == case.linux
    assert [each["reason"] for each in found.rows] == [case.ours] * len(case.linux)
    assert not any("others" in each for each in found.rows)
    predicted = case.ours if case.predicted is None else case.predicted
    assert found.predicted == predicted


def test_the_command_that_asks_about_a_drop_gives_the_same_reason(said: dict[str, Said]) -> None:
    asked = {name: found for name, found in said.items() if found.asked}
    assert len(asked) >= 6
    for name, found in asked.items():
        assert found.asked == found.rows[0]["reason"], name


def test_a_fix_that_is_shown_lets_the_packet_through(said: dict[str, Said]) -> None:
    fixes = [said[name].fixed for name in FIXED]
    assert [fix.partition(" sysctl -w ")[2] for fix, *_ in fixes] == [
        "net.ipv4.conf.tap0.rp_filter=2",
        "net.ipv4.ip_forward=1",
    ]
    assert [more for _, *more in fixes] == [[], []]


def test_rows_are_as_the_schema_says(said: dict[str, Said]) -> None:
    counts = Counts()
    for each in (each for found in said.values() for each in found.rows):
        assert faults("host-drops", each) == []
        counts.add(SOME, each)
    end = {"event": "summary", "drops": len(counts), "lost": 0, "unknown": 0, "ok": True}
    assert faults("host-drops", {**end, "reasons": counts.rows()}) == []
    assert counts.rows()[0]["count"] > 1
    assert len(counts) == sum(each["count"] for each in counts.rows())


def test_where_linux_has_no_reason_smolctl_has_one() -> None:
    without = [case for case in CASES if case.linux in ((), ("NOT_SPECIFIED",))]
    assert len(without) >= 5
