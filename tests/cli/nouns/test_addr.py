"""``smolctl addr``: words to arguments, and rows to ip's text."""

from typing import Any

import pytest

from smolctl.cli.nouns import addr
from smolctl.cli.words.grammar import UsageFault
from tests.cli.kit import draw, read

FOREVER = {"valid_life_time": 4294967295, "preferred_life_time": 4294967295}
ROW: dict[str, Any] = {
    "ifindex": 3,
    "ifname": "d0",
    "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
    "mtu": 1500,
    "operstate": "UP",
    "link_type": "ether",
    "address": "02:00:00:00:00:0a",
    "broadcast": "ff:ff:ff:ff:ff:ff",
    "addr_info": [
        {
            "family": "inet",
            "local": "10.0.1.5",
            "prefixlen": 24,
            "scope": "link",
            "label": "d0",
            **FOREVER,
        },
        {
            "family": "inet",
            "local": "10.0.0.1",
            "prefixlen": 24,
            "broadcast": "10.0.0.255",
            "scope": "global",
            "label": "d0",
            **FOREVER,
        },
        {
            "family": "inet",
            "local": "10.0.0.5",
            "prefixlen": 24,
            "scope": "global",
            "secondary": True,
            "label": "d0:x",
            **FOREVER,
        },
    ],
}
LO = {
    "ifindex": 1,
    "ifname": "lo",
    "flags": ["LOOPBACK", "UP", "LOWER_UP"],
    "mtu": 65536,
    "operstate": "UNKNOWN",
    "link_type": "loopback",
    "address": "00:00:00:00:00:00",
    "broadcast": "00:00:00:00:00:00",
    "addr_info": [
        {"family": "inet", "local": "127.0.0.1", "prefixlen": 8, "scope": "host", "label": "lo"}
    ],
}


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("addr", {}),
        ("a", {}),
        ("address list", {}),
        ("addr show tap0", {"dev": "tap0"}),
        ("addr sh dev tap0", {"dev": "tap0"}),
        ("addr show to 10.0.0.0/8 up", {"to": "10.0.0.0/8", "up": True}),
        ("addr show scope host label lo:*", {"scope": "host", "label": "lo:*"}),
    ],
)
def test_show(line: str, args: dict[str, Any]) -> None:
    assert read(line)[:2] == ("addr show", args)


@pytest.mark.parametrize(
    ("line", "path", "args"),
    [
        ("addr add 10.0.0.1/24 dev tap0", "add", {}),
        ("a a dev tap0 10.0.0.1/24", "add", {}),
        ("addr add local 10.0.0.1/24 --dev tap0", "add", {}),
        ("addr add 10.0.0.1/24 brd + dev tap0", "add", {"broadcast": "+"}),
        ("addr add 10.0.0.1/24 brd - dev tap0", "add", {"broadcast": "-"}),
        ("addr rep 10.0.0.1/24 label tap0:a dev tap0", "replace", {"label": "tap0:a"}),
        ("addr c 10.0.0.1/24 scope link dev tap0", "change", {"scope": "link"}),
    ],
)
def test_add(line: str, path: str, args: dict[str, Any]) -> None:
    assert read(line)[:2] == (f"addr {path}", {"local": "10.0.0.1/24", "dev": "tap0", **args})


def test_add_needs_a_device() -> None:
    with pytest.raises(UsageFault) as caught:
        read("addr add 10.0.0.1/24")
    assert caught.value.message == "addr add: dev DEVICE is missing"
    assert caught.value.hint == "smolctl addr add 10.0.0.1/24 dev tap0"


def test_del_and_flush() -> None:
    line = "addr d 10.0.0.1/24 dev tap0"
    assert read(line)[:2] == ("addr del", {"local": "10.0.0.1/24", "dev": "tap0"})
    assert read("addr flush dev tap0")[:2] == ("addr flush", {"dev": "tap0"})
    assert read("addr f to 10.0.0.0/8").args == {"to": "10.0.0.0/8"}


def test_text() -> None:
    # Captured from ip -4 addr (iproute2 6.1), less qdisc, group and qlen, which are not ours.
    assert draw(addr.render, [ROW]) == (
        "3: d0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP\n"
        "    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff\n"
        "    inet 10.0.1.5/24 scope link d0\n"
        "       valid_lft forever preferred_lft forever\n"
        "    inet 10.0.0.1/24 brd 10.0.0.255 scope global d0\n"
        "       valid_lft forever preferred_lft forever\n"
        "    inet 10.0.0.5/24 scope global secondary d0:x\n"
        "       valid_lft forever preferred_lft forever\n"
    )


def test_brief() -> None:
    empty = {**ROW, "ifname": "p0", "operstate": "DOWN", "addr_info": []}
    assert draw(addr.render, [LO, ROW, empty], brief=True) == (
        "lo               UNKNOWN        127.0.0.1/8\n"
        "d0               UP             10.0.1.5/24 10.0.0.1/24 10.0.0.5/24\n"
        "p0               DOWN\n"
    )


def test_oneline() -> None:
    assert draw(addr.render, [LO, {**ROW, "addr_info": []}], oneline=True) == (
        "1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n"
    )


def test_lifetimes_and_peer() -> None:
    info = {
        "family": "inet",
        "local": "10.1.1.1",
        "address": "10.1.1.2",
        "prefixlen": 30,
        "scope": "global",
        "dynamic": True,
        "label": "d0",
        "valid_life_time": 100,
        "preferred_life_time": 50,
    }
    assert draw(addr.render, [{**ROW, "addr_info": [info]}]).splitlines()[2:] == [
        "    inet 10.1.1.1 peer 10.1.1.2/30 scope global dynamic d0",
        "       valid_lft 100sec preferred_lft 50sec",
    ]


def test_flush_is_silent_unless_asked() -> None:
    assert draw(addr.flushed, [ROW]) == ""
    assert draw(addr.flushed, [{**ROW, "addr_info": ROW["addr_info"][:1]}], stats=True) == (
        "Deleted 10.0.1.5/24 dev d0\n"
    )
