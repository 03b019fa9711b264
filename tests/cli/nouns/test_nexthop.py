"""``smolctl nexthop``: words to arguments, and rows to ip's text."""

from typing import Any

import pytest

from smolctl.cli.nouns import nexthop
from smolctl.cli.words.grammar import NotSupported
from tests.cli.kit import draw, read

ROWS: list[dict[str, Any]] = [
    {"id": 1, "gateway": "10.0.0.2", "dev": "d0", "scope": "link", "flags": ["onlink"]},
    {"id": 2, "blackhole": None, "flags": []},
    {"id": 10, "group": [{"id": 1}, {"id": 3, "weight": 2}], "flags": []},
]
TEXT = "id 1 via 10.0.0.2 dev d0 scope link onlink\nid 2 blackhole\nid 10 group 1/3,2\n"


@pytest.mark.parametrize("verb", ["show", "flush"])
@pytest.mark.parametrize(
    ("words", "args"),
    [
        ("", {}),
        ("id 1", {"id": "1"}),
        ("dev tap0", {"dev": "tap0"}),
        ("groups", {"groups": True}),
        ("dev tap0 groups", {"dev": "tap0", "groups": True}),
    ],
)
def test_show_and_flush(verb: str, words: str, args: dict[str, Any]) -> None:
    assert read(f"nexthop {verb} {words}")[:2] == (f"nexthop {verb}", args)


def test_get_and_short_forms() -> None:
    assert read("nexthop get id 1")[:2] == ("nexthop get", {"id": "1"})
    assert read("nexthop list groups")[:2] == ("nexthop show", {"groups": True})


@pytest.mark.parametrize(
    "line",
    ["nexthop bucket list", "nexthop show vrf red", "nexthop flush proto static", "nexthop ls fdb"],
)
def test_what_ip_has_besides_is_refused_by_name(line: str) -> None:
    with pytest.raises(NotSupported, match=line.split()[1 if "bucket" in line else 2]):
        read(line)


def test_text() -> None:
    assert draw(nexthop.render, ROWS) == TEXT


def test_flush_says_how_many_went_and_which_when_asked() -> None:
    assert draw(nexthop.flushed, ROWS) == "Flushed 3 nexthops\n"
    assert draw(nexthop.flushed, []) == "Nothing to flush\n"
    assert draw(nexthop.flushed, ROWS[1:2], {"id": "2"}) == ""
    assert draw(nexthop.flushed, ROWS[1:2], {"id": "2"}, stats=True) == "Deleted id 2 blackhole\n"
