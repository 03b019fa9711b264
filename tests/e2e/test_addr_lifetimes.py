"""Addresses that do not last, beside the kernel's: what ``ip -j addr`` says, and when they end."""

import pytest

from tests.e2e.kit import Lab, Row
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns()

FOUR, SIX = "10.7.0.1/24", "2001:db8:7::1/64"
BOTH = pytest.mark.parametrize("local", [FOUR, SIX])
KEYS = ("local", "prefixlen", "scope", "deprecated", "dynamic")


@pytest.fixture
def tap(lab: Lab) -> Lab:
    lab.plug(theirs=("2001:db8::2/64",))
    return lab


def infos(rows: list[Row], local: str) -> list[Row]:
    found = [each for row in rows for each in row["addr_info"]]
    return [each for each in found if each.get("local") == local.split("/")[0]]


def ours(tap: Lab, local: str) -> list[Row]:
    return infos(tap.call("addr.show", dev=tap.dev), local)


def theirs(tap: Lab, local: str) -> list[Row]:
    flag = "-6" if ":" in local else "-4"
    return infos(tap.peer.rows("addr", "show", "dev", tap.dev, flag=flag), local)


def told(rows: list[Row]) -> list[Row]:
    return [{key: row[key] for key in KEYS if key in row} for row in rows]


def both(tap: Lab, verb: str, local: str, words: str) -> None:
    """Change an address on both sides."""
    nodad = ("nodad",) if ":" in local else ()
    args = ("addr", verb, local, "dev", tap.dev, *words.split(), *nodad)
    tap.smolctl(*args, check=True)
    tap.peer.ip(*args)


def near(one: int, other: int) -> bool:
    """Tell whether two lifetimes began at about the same time."""
    return abs(one - other) <= 2


@BOTH
@pytest.mark.parametrize(
    "words",
    [
        "valid_lft 100 preferred_lft 50",
        "valid_lft 100 preferred_lft 100",
        "valid_lft 100 preferred_lft 0",
        "valid_lft 4294967294 preferred_lft 4294967294",
        "valid_lft forever preferred_lft forever",
        "preferred_lft forever",
    ],
)
def test_the_same_is_shown(tap: Lab, local: str, words: str) -> None:
    for verb, said in (("add", words), ("replace", "valid_lft 30 preferred_lft 20"),
                       ("change", words), ("replace", "")):  # fmt: skip
        both(tap, verb, local, said)
        mine, kernels = ours(tap, local), theirs(tap, local)
        assert told(mine) == told(kernels), verb
        for key in ("valid_life_time", "preferred_life_time"):
            assert near(mine[0][key], kernels[0][key]), (verb, key)


@BOTH
def test_both_are_deprecated_and_end(tap: Lab, local: str) -> None:
    both(tap, "add", local, "valid_lft 4 preferred_lft 1")
    assert told(ours(tap, local)) == told(theirs(tap, local))
    for read in (ours, theirs):
        wait_until(lambda: "deprecated" in read(tap, local)[0], "its deprecation")  # noqa: B023
    assert told(ours(tap, local)) == told(theirs(tap, local))
    for read in (ours, theirs):
        wait_until(lambda: not read(tap, local), "its end")  # noqa: B023
    network = local[:-3].rpartition("1")[0]
    assert not [row for row in tap.call("route.show", table="all") if network in row["dst"]]


@BOTH
@pytest.mark.parametrize(
    "words",
    [
        "valid_lft 5", "valid_lft 0", "valid_lft 0 preferred_lft 0",
        "valid_lft 5 preferred_lft 10", "valid_lft x", "valid_lft -1", "valid_lft 4294967296",
    ],
)  # fmt: skip
def test_both_refuse_the_same(tap: Lab, local: str, words: str) -> None:
    args = ("addr", "add", local, "dev", tap.dev, *words.split())
    assert tap.smolctl(*args).returncode == 2
    assert tap.peer.namespace.run("ip", *args).returncode != 0
    assert ours(tap, local) == theirs(tap, local) == []


def test_the_deprecated_source_is_avoided_by_ipv6_alone(tap: Lab) -> None:
    both(tap, "add", "2001:db8:7::2/64", "")
    both(tap, "add", SIX, "valid_lft 100 preferred_lft 0")
    both(tap, "add", "10.7.0.1/24", "valid_lft 100 preferred_lft 0")
    both(tap, "add", "10.7.1.1/24", "")
    for dst, flag in (("2001:db8:7::9", "-6"), ("10.7.0.9", "-4")):
        (row,) = tap.call("route.get", dst=dst)
        (kernels,) = tap.peer.rows("route", "get", dst, flag=flag)
        assert row["prefsrc"] == kernels["prefsrc"]
