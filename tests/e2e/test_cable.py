"""Stacks on a cable: processes of one user, without root."""

from collections.abc import Callable

import pytest

from tests.e2e.stacks import Stack, arping, exchange, ping

Make = Callable[[str], Stack]
CABLE = ("cable", "name", "c1")


def test_two_stacks(stacks: Make) -> None:
    a = stacks("a").start(*CABLE)
    assert a.row()["operstate"] == "DOWN"
    b = stacks("b").start(*CABLE)
    for one, other in ((a, b), (b, a)):
        one.wait_for_link()
        arping(one, other)
        ping(one, other)
        exchange(one, other)
    assert a.drops().keys() <= {"neigh-pending"}
    assert a.data()["name"] == "c1"
    assert "cable name c1 ends 2" in a("-v", "link", "show", "eth0").stdout


def test_three_ends_are_a_hub(stacks: Make) -> None:
    ends = [stacks(name).start(*CABLE) for name in "abc"]
    for one in ends:
        one.wait_for_link()
    for one in ends:
        for other in ends:
            if other is not one:
                ping(one, other)
    assert [one.data()["ends"] for one in ends] == [3, 3, 3]
    # A hub shows each frame to all; the third one's card would have been quiet about it.
    assert all(one.drops()["rx-not-our-mac"] > 0 for one in ends)


def test_an_end_that_is_killed_is_unplugged_and_comes_back(stacks: Make) -> None:
    a, b = (stacks(name).start(*CABLE) for name in "ab")
    a.wait_for_link()
    ping(a, b)
    b.kill()
    a.wait_for_link(up=False)
    assert a("udp", "send", f"{b.address}:9", "x").returncode == 1
    assert a.drops()["tx-no-carrier"] >= 1
    b.start(*CABLE)
    a.wait_for_link()
    b.wait_for_link()
    ping(a, b)
    ping(b, a)
    assert a.data()["ends"] == 2


def test_a_stopped_stack_leaves_nothing(stacks: Make) -> None:
    a, b = (stacks(name).start(*CABLE) for name in "ab")
    cables = a.env.directory / "smolctl" / "cables"
    assert len(list((cables / "c1").iterdir())) == 2
    b("stack", "stop", check=True)
    a.wait_for_link(up=False)
    a("link", "del", "eth0", check=True)
    assert list(cables.iterdir()) == []


def test_both_ends_in_one_stack(stacks: Make) -> None:
    a = stacks("a").start(*CABLE)
    a("link", "add", "eth1", "type", *CABLE, check=True)
    a.wait_for_link()
    assert [row["operstate"] for row in a.call("link.show")][1:] == ["UP", "UP"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("cable",), "type cable needs the cable's name"),
        (("cable", "name", "a/b"), '"a/b" is not a cable\'s name'),
    ],
)
def test_a_wrong_name_is_one_line(words: tuple[str, ...], says: str, stacks: Make) -> None:
    a = stacks("a")
    a("stack", "start", check=True)
    run = a("link", "add", "eth0", "type", *words)
    assert run.returncode == 2
    assert says in run.stderr.splitlines()[0]
