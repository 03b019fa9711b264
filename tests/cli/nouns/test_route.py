"""``smolctl route``: words to arguments, and rows to ip's text."""

from typing import Any

import pytest

from smolctl.cli.nouns import route
from smolctl.cli.words.grammar import UsageFault
from tests.cli.kit import draw, read

# Rows as `ip -j route` gave them, and below the text of `ip route` for the same table.
ROWS: list[dict[str, Any]] = [
    {"dst": "default", "gateway": "10.0.0.2", "dev": "d0", "protocol": "boot", "flags": []},
    {
        "dst": "10.0.0.0/24",
        "dev": "d0",
        "protocol": "kernel",
        "scope": "link",
        "prefsrc": "10.0.0.1",
        "flags": ["linkdown"],
    },
    {"dst": "10.5.0.1", "dev": "d0", "protocol": "static", "scope": "link", "flags": []},
    {"type": "unreachable", "dst": "10.6.0.0/16", "metric": 5, "flags": []},
    {"dst": "10.7.0.0/16", "gateway": "99.9.9.9", "dev": "d0", "flags": ["onlink", "linkdown"]},
    {"type": "blackhole", "dst": "10.9.0.0/16"},
    {
        "dst": "192.168.5.0/24",
        "gateway": "10.0.0.3",
        "dev": "d0",
        "scope": "global",
        "prefsrc": "10.0.0.1",
        "metric": 50,
        "flags": ["linkdown"],
        "metrics": [{"mtu": 1400}],
    },
]
LOCAL = {
    "type": "local",
    "dst": "127.0.0.0/8",
    "dev": "lo",
    "table": "local",
    "protocol": "kernel",
    "scope": "host",
    "prefsrc": "127.0.0.1",
    "flags": [],
}


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("route", {}),
        ("r ls", {}),
        ("route show table 100", {"table": "100"}),
        ("route show 10.0.0.0/8", {"exact": "10.0.0.0/8"}),
        ("route show to 10.0.0.0/8", {"exact": "10.0.0.0/8"}),
        ("route show exact 10.0.0.0/8", {"exact": "10.0.0.0/8"}),
        ("route show to exact 10.0.0.0/8", {"exact": "10.0.0.0/8"}),
        ("route show root 10.0.0.0/8", {"root": "10.0.0.0/8"}),
        ("route show to root 10.0.0.0/8", {"root": "10.0.0.0/8"}),
        ("route show match 10.0.0.9 dev tap0", {"match": "10.0.0.9", "dev": "tap0"}),
        ("route show table local", {"table": "local"}),
        ("route show default", {"exact": "default"}),
        ("route show proto static type blackhole", {"protocol": "static", "type": "blackhole"}),
    ],
)
def test_show(line: str, args: dict[str, Any]) -> None:
    assert read(line)[:2] == ("route show", args)


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("route add default via 10.0.0.2", {"dst": "default", "via": "10.0.0.2"}),
        ("route add via 10.0.0.2 default", {"dst": "default", "via": "10.0.0.2"}),
        ("route add to default via 10.0.0.2", {"dst": "default", "via": "10.0.0.2"}),
        ("route add blackhole 10.0.0.0/8", {"dst": "10.0.0.0/8", "type": "blackhole"}),
        (
            "r a 10.0.0.0/8 dev tap0 src 10.0.0.1 metric 5 mtu 1400 onlink proto static",
            {
                "dst": "10.0.0.0/8",
                "dev": "tap0",
                "src": "10.0.0.1",
                "metric": "5",
                "mtu": "1400",
                "onlink": True,
                "protocol": "static",
            },
        ),
    ],
)
def test_add(line: str, args: dict[str, Any]) -> None:
    assert read(line)[:2] == ("route add", args)


@pytest.mark.parametrize("verb", ["del", "replace", "change", "append"])
def test_change(verb: str) -> None:
    line = f"route {verb} default via 10.0.0.2"
    assert read(line)[:2] == (f"route {verb}", {"dst": "default", "via": "10.0.0.2"})


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("route get 8.8.8.8", {"dst": "8.8.8.8"}),
        ("r g to 8.8.8.8", {"dst": "8.8.8.8"}),
        (
            "route get 8.8.8.8 from 10.0.0.1 oif tap0",
            {"dst": "8.8.8.8", "src": "10.0.0.1", "dev": "tap0"},
        ),
        ("route get fibmatch 8.8.8.8", {"dst": "8.8.8.8", "fibmatch": True}),
    ],
)
def test_get(line: str, args: dict[str, Any]) -> None:
    assert read(line)[:2] == ("route get", args)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("route add via 10.0.0.2", "route add: PREFIX is missing"),
        ("route add default via", 'route add: "via" needs a value: via ADDR'),
        ("route show to", 'route show: "to" needs a value: to PREFIX'),
        (
            "route add blackhole unreachable 10.0.0.0/8",
            'route add: "unreachable" is a second value, after "blackhole"',
        ),
        ("route add default vai 10.0.0.2", 'route add: "vai" is not known here'),
    ],
)
def test_faults(line: str, message: str) -> None:
    with pytest.raises(UsageFault) as caught:
        read(line)
    assert caught.value.message == message


def test_text() -> None:
    assert draw(route.render, ROWS) == (
        "default via 10.0.0.2 dev d0\n"
        "10.0.0.0/24 dev d0 proto kernel scope link src 10.0.0.1 linkdown\n"
        "10.5.0.1 dev d0 proto static scope link\n"
        "unreachable 10.6.0.0/16 metric 5\n"
        "10.7.0.0/16 via 99.9.9.9 dev d0 onlink linkdown\n"
        "blackhole 10.9.0.0/16\n"
        "192.168.5.0/24 via 10.0.0.3 dev d0 src 10.0.0.1 metric 50 linkdown mtu 1400\n"
    )


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ({}, "local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1"),
        (
            {"table": "all"},
            "local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1",
        ),
        ({"table": "local"}, "local 127.0.0.0/8 dev lo proto kernel scope host src 127.0.0.1"),
        ({"dev": "lo"}, "local 127.0.0.0/8 table local proto kernel scope host src 127.0.0.1"),
        (
            {"protocol": "kernel", "src": "127.0.0.1"},
            "local 127.0.0.0/8 dev lo table local scope host",
        ),
    ],
)
def test_what_a_selector_fixes_is_not_repeated(args: dict[str, Any], line: str) -> None:
    assert draw(route.render, [LOCAL], args) == line + "\n"


def test_verbose_shows_what_is_understood() -> None:
    assert draw(route.render, ROWS[:1], verbose=True) == (
        "unicast default via 10.0.0.2 dev d0 proto boot\n"
    )


GET: list[tuple[dict[str, Any], str]] = [
    (
        {
            "dst": "8.8.8.8",
            "gateway": "10.0.0.2",
            "dev": "d0",
            "prefsrc": "10.0.0.1",
            "flags": [],
            "uid": 0,
            "cache": [],
        },
        "8.8.8.8 via 10.0.0.2 dev d0 src 10.0.0.1 uid 0\n    cache\n",
    ),
    (
        {
            "type": "local",
            "dst": "10.0.0.1",
            "dev": "lo",
            "prefsrc": "10.0.0.1",
            "flags": [],
            "uid": 0,
            "cache": ["local"],
        },
        "local 10.0.0.1 dev lo src 10.0.0.1 uid 0\n    cache <local>\n",
    ),
    (
        {
            "dst": "8.8.8.8",
            "from": "10.0.0.1",
            "gateway": "10.0.0.2",
            "dev": "d0",
            "flags": ["linkdown"],
            "uid": 0,
            "cache": [],
            "metrics": [{"mtu": 1400}],
        },
        "8.8.8.8 from 10.0.0.1 via 10.0.0.2 dev d0 linkdown uid 0\n    cache mtu 1400\n",
    ),
    (
        {"dst": "192.168.5.0/24", "gateway": "10.0.0.3", "dev": "d0", "metric": 50},
        "192.168.5.0/24 via 10.0.0.3 dev d0 metric 50\n",
    ),
]


@pytest.mark.parametrize(("row", "text"), GET)
def test_get_text(row: dict[str, Any], text: str) -> None:
    assert draw(route.render_get, [row]) == text


def test_get_oneline() -> None:
    row, text = GET[0]
    assert draw(route.render_get, [row], oneline=True) == text.replace("\n    ", " \\    ")


def test_get_shows_the_candidates() -> None:
    candidates = [
        {"dst": "10.0.0.0/24", "dev": "tap1", "result": "skip", "cause": "8.8.8.8 is not in it"},
        {"dst": "default", "gateway": "10.0.0.2", "dev": "tap0", "metric": 0, "result": "pick"},
    ]
    row = {**GET[0][0], "candidates": candidates}
    assert draw(route.render_get, [row]).splitlines()[2:] == [
        "    skip  10.0.0.0/24                dev tap1  8.8.8.8 is not in it",
        "    pick  default      via 10.0.0.2  dev tap0",
    ]


def test_flush_is_silent_unless_asked() -> None:
    assert draw(route.deleted, ROWS) == ""
    assert draw(route.deleted, ROWS[:1], stats=True) == "Deleted default via 10.0.0.2 dev d0\n"


@pytest.mark.parametrize(
    ("line", "args"),
    [
        (
            "route add default nexthop via 10.0.0.2 weight 2 nexthop via 10.1.0.2 dev tap1 onlink",
            {
                "dst": "default",
                "nexthop": [
                    {"via": "10.0.0.2", "weight": "2"},
                    {"via": "10.1.0.2", "dev": "tap1", "onlink": True},
                ],
            },
        ),
        (
            "route add default metric 5 table 7 nexthop dev tap0 nexthop",
            {"dst": "default", "metric": "5", "table": "7", "nexthop": [{"dev": "tap0"}, {}]},
        ),
        (
            "route get 8.8.8.8 from 10.0.0.1 iif tap0 ipproto udp sport 5 dport 6 tos 10",
            {
                "dst": "8.8.8.8",
                "src": "10.0.0.1",
                "iif": "tap0",
                "ipproto": "udp",
                "sport": "5",
                "dport": "6",
                "tos": "10",
            },
        ),
    ],
)
def test_next_hops_and_what_rules_look_at(line: str, args: dict[str, Any]) -> None:
    assert read(line).args == args


# A row as `ip -j route` of iproute2 6.1 gave it, and the text of `ip route`.
SEVERAL = {
    "dst": "24.0.0.0/8",
    "protocol": "static",
    "prefsrc": "10.0.0.1",
    "metric": 5,
    "flags": [],
    "metrics": [{"mtu": 1400}],
    "nexthops": [
        {"gateway": "10.0.0.3", "dev": "tap0", "weight": 1, "flags": []},
        {"gateway": "5.5.5.5", "dev": "tap1", "weight": 2, "flags": ["onlink"]},
    ],
}


def test_each_next_hop_has_its_line() -> None:
    assert draw(route.render, [SEVERAL]) == (
        "24.0.0.0/8 proto static src 10.0.0.1 metric 5 mtu 1400\n"
        "\tnexthop via 10.0.0.3 dev tap0 weight 1\n"
        "\tnexthop via 5.5.5.5 dev tap1 weight 2 onlink\n"
    )
    assert draw(route.render, [SEVERAL], oneline=True).count("\n") == 1
    assert draw(route.deleted, [SEVERAL], stats=True).startswith("Deleted 24.0.0.0/8 ")


def test_get_shows_the_share_of_each_next_hop() -> None:
    hops = [
        {"dst": "default", "dev": "tap0", "table": "main", "flags": [], "weight": 2,
         "share": [0, 1431655764], "result": "skip", "cause": "hash"},
        {"dst": "default", "dev": "tap1", "table": "main", "flags": [], "weight": 1,
         "share": [1431655765, 2147483647], "result": "pick"},
        {"dst": "default", "dev": "tap2", "table": "100", "flags": [], "result": "skip",
         "cause": "table"},
    ]  # fmt: skip
    row = {"dst": "8.8.8.8", "dev": "tap1", "flags": [], "uid": 0, "cache": [],
           "hash": 1500000000, "candidates": hops}  # fmt: skip
    shown = draw(route.render_get, [row])
    assert "the flow's hash is 1500000000" in shown
    assert "weight 2, hashes 0..1431655764" in shown
    assert "weight 1, hashes 1431655765..2147483647" in shown
    assert "table 100" in shown


def test_a_word_of_a_next_hop_stands_once_in_each() -> None:
    with pytest.raises(UsageFault, match="second value"):
        read("route add default nexthop via 10.0.0.2 via 10.0.0.3")
    with pytest.raises(UsageFault, match="weight"):
        read("route add default weight 2")
