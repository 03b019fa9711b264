"""``smolctl neigh``: words to arguments, and rows to ip's text."""

from typing import Any

import pytest

from smolctl.cli.nouns import neigh
from smolctl.cli.words.grammar import UsageFault
from tests.cli.kit import draw, read

PERMANENT = {
    "dst": "10.0.0.2",
    "dev": "d0",
    "lladdr": "02:00:00:00:00:0b",
    "state": ["PERMANENT"],
}
WAITING = {
    "dst": "10.0.0.77",
    "dev": "d0",
    "refcnt": 1,
    "used": 1,
    "confirmed": 63,
    "updated": 3,
    "probes": 6,
    "queue": 2,
    "queue_bytes": 84,
    "state": ["INCOMPLETE"],
}


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("neigh", {}),
        ("n", {}),
        ("neighbour show", {}),
        ("neighbor list dev tap0", {"dev": "tap0"}),
        ("neigh show nud reachable", {"nud": "reachable"}),
        ("neigh show 10.0.0.2", {"to": "10.0.0.2"}),
        ("neigh show to 10.0.0.0/8", {"to": "10.0.0.0/8"}),
        ("neigh show proxy", {"proxy": True}),
        ("neigh show proxy dev tap0", {"proxy": True, "dev": "tap0"}),
    ],
)
def test_show(line: str, args: dict[str, Any]) -> None:
    assert read(line)[:2] == ("neigh show", args)


@pytest.mark.parametrize("verb", ["add", "replace", "change"])
def test_change(verb: str) -> None:
    line = f"neigh {verb} 10.0.0.2 lladdr 02:00:00:00:00:0b dev tap0 nud stale"
    assert read(line)[:2] == (
        f"neigh {verb}",
        {"dst": "10.0.0.2", "lladdr": "02:00:00:00:00:0b", "dev": "tap0", "nud": "stale"},
    )


@pytest.mark.parametrize("verb", ["get", "del"])
def test_get_and_del(verb: str) -> None:
    line = f"neigh {verb} dev tap0 to 10.0.0.2"
    assert read(line)[:2] == (f"neigh {verb}", {"dst": "10.0.0.2", "dev": "tap0"})
    with pytest.raises(UsageFault, match="dev DEVICE is missing"):
        read(f"neigh {verb} 10.0.0.2")


@pytest.mark.parametrize("verb", ["get", "del", "add", "replace", "change"])
def test_the_zone_of_an_address_says_the_interface(verb: str) -> None:
    assert read(f"neigh {verb} fe80::2%tap0")[:2] == (f"neigh {verb}", {"dst": "fe80::2%tap0"})


@pytest.mark.parametrize("verb", ["add", "replace", "del"])
def test_proxy(verb: str) -> None:
    assert read(f"neigh {verb} proxy fe80::2%tap0")[1] == {"proxy": "fe80::2%tap0"}
    parsed = {"proxy": "10.0.0.9", "dev": "tap0"}
    for line in ("proxy 10.0.0.9 dev tap0", "dev tap0 proxy 10.0.0.9"):
        assert read(f"neigh {verb} {line}")[:2] == (f"neigh {verb}", parsed)


@pytest.mark.parametrize("op", ["neigh.add", "neigh.replace", "neigh.del"])
def test_neither_a_neighbor_nor_a_proxy_entry(op: str) -> None:
    with pytest.raises(UsageFault, match="ADDR is missing"):
        neigh._named(op, {"dev": "tap0"})
    assert neigh._named(op, {"dev": "tap0", "proxy": "10.0.0.9"}).op == op


def test_text_of_a_proxy_entry() -> None:
    row = {"dst": "10.0.0.9", "dev": "d0", "proxy": True}
    assert draw(neigh.render, [row]) == "10.0.0.9 dev d0 proxy\n"
    assert draw(neigh.render, [row], {"dev": "d0"}) == "10.0.0.9 proxy\n"


def test_flush() -> None:
    assert read("neigh flush dev tap0")[:2] == ("neigh flush", {"dev": "tap0"})


def test_text() -> None:
    assert draw(neigh.render, [PERMANENT, WAITING]) == (
        "10.0.0.2 dev d0 lladdr 02:00:00:00:00:0b PERMANENT\n"
        "10.0.0.77 dev d0 ref 1 used 1/63/3 probes 6 queue 2 INCOMPLETE\n"
    )


def test_a_selected_device_is_not_repeated() -> None:
    assert draw(neigh.render, [PERMANENT], {"dev": "d0"}) == (
        "10.0.0.2 lladdr 02:00:00:00:00:0b PERMANENT\n"
    )
    assert draw(neigh.render_get, [PERMANENT], {"dev": "d0"}) == (
        "10.0.0.2 dev d0 lladdr 02:00:00:00:00:0b PERMANENT\n"
    )


def test_flush_is_silent_unless_asked() -> None:
    assert draw(neigh.deleted, [PERMANENT]) == ""
    assert draw(neigh.deleted, [PERMANENT], verbose=True) == (
        "Deleted 10.0.0.2 dev d0 lladdr 02:00:00:00:00:0b PERMANENT\n"
    )
