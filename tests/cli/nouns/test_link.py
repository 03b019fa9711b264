"""``smolctl link``: words to arguments, and rows to ip's text."""

from typing import Any

import pytest

from smolctl.cli.nouns import link
from smolctl.cli.words.grammar import UsageFault
from tests.cli.kit import draw, read

LO = {
    "ifindex": 1,
    "ifname": "lo",
    "flags": ["LOOPBACK", "UP", "LOWER_UP"],
    "mtu": 65536,
    "operstate": "UNKNOWN",
    "link_type": "loopback",
    "address": "00:00:00:00:00:00",
    "broadcast": "00:00:00:00:00:00",
    "linkinfo": {"info_kind": "loopback"},
}
TAP: dict[str, Any] = {
    "ifindex": 2,
    "ifname": "tap0",
    "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
    "mtu": 1500,
    "operstate": "UP",
    "link_type": "ether",
    "address": "02:00:00:00:00:0a",
    "broadcast": "ff:ff:ff:ff:ff:ff",
    "linkinfo": {"info_kind": "tap", "info_data": {"persist": True, "netns": "lab"}},
}
STATS = {
    "rx": {
        "bytes": 266,
        "packets": 3,
        "errors": 0,
        "dropped": 0,
        "over_errors": 0,
        "multicast": 0,
    },
    "tx": {
        "bytes": 308,
        "packets": 4,
        "errors": 0,
        "dropped": 1,
        "carrier_errors": 0,
        "collisions": 0,
    },
}


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("link", {}),
        ("l", {}),
        ("link ls", {}),
        ("link show tap0", {"dev": "tap0"}),
        ("link show dev tap0", {"dev": "tap0"}),
    ],
)
def test_show(line: str, args: dict[str, Any]) -> None:
    assert read(line)[:2] == ("link show", args)


def test_add() -> None:
    line = "link add tap0 type tap persist netns lab host 10.0.0.2/24 mtu 1400 address M"
    assert read(line)[:2] == (
        "link add",
        {
            "name": "tap0",
            "type": "tap",
            "persist": True,
            "netns": "lab",
            "host": "10.0.0.2/24",
            "mtu": "1400",
            "address": "M",
        },
    )
    assert read("link add name lo1 type loopback").args == {"name": "lo1", "type": "loopback"}
    assert read("link add type tap dev tap0").args == {"name": "tap0", "type": "tap"}
    cable = {"name": "eth0", "type": "cable", "cable": "c1"}
    assert read("link add eth0 type cable name c1").args == cable
    assert read("link add name eth0 type cable name c1").args == cable
    assert read("link add type cable name c1 dev eth0").args == cable
    assert read("link add --type=cable --name=c1 eth0").args == cable
    with pytest.raises(UsageFault, match="second value"):
        read("link add eth0 type tap name tap0")
    with pytest.raises(UsageFault, match="type TYPE is missing"):
        read("link add tap0")


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("link set tap0 up", {"dev": "tap0", "state": "up"}),
        ("link set dev tap0 down", {"dev": "tap0", "state": "down"}),
        (
            "link set dev tap0 mtu 1400 address 02:00:00:00:00:01 up",
            {"dev": "tap0", "mtu": "1400", "address": "02:00:00:00:00:01", "state": "up"},
        ),
    ],
)
def test_set(line: str, args: dict[str, Any]) -> None:
    assert read(line)[:2] == ("link set", args)


def test_del() -> None:
    assert read("l d tap0")[:2] == ("link del", {"dev": "tap0"})


def test_text() -> None:
    assert draw(link.render, [LO, TAP]) == (
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 state UNKNOWN\n"
        "    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n"
        "2: tap0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP\n"
        "    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff\n"
    )


def test_a_bad_link_says_how_bad() -> None:
    netem = {
        "limit": 1000,
        "delay": {"delay": 0.02, "jitter": 0.0005},
        "loss-random": {"loss": 0.1},
        "duplicate": {"duplicate": 0.005},
        "reorder": {"reorder": 0.25},
        "corrupt": {"corrupt": 1},
        "rate": {"rate": 1250000},
    }
    row = {**TAP, "qdisc": "netem", "netem": netem}
    first, *_, last = draw(link.render, [row], verbose=True).splitlines()
    assert " mtu 1500 qdisc netem state UP" in first
    assert last == (
        "    netem limit 1000 delay 20ms jitter 500us loss 10% duplicate 0.5% reorder 25%"
        " corrupt 100% rate 10Mbit"
    )
    plain = {"limit": 1000, "delay": {"delay": 2, "jitter": 0}, "rate": {"rate": 100}}
    assert link.netem(plain) == "    netem limit 1000 delay 2s rate 800bit"


def test_brief() -> None:
    assert draw(link.render, [LO, TAP], brief=True) == (
        "lo               UNKNOWN        00:00:00:00:00:00 <LOOPBACK,UP,LOWER_UP>\n"
        "tap0             UP             02:00:00:00:00:0a <BROADCAST,MULTICAST,UP,LOWER_UP>\n"
    )


def test_oneline() -> None:
    assert draw(link.render, [TAP], oneline=True) == (
        "2: tap0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP"
        "\\    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff\n"
    )


def test_stats_have_the_columns_of_ip() -> None:
    # Captured from ip -s link (iproute2 6.1), less its trailing spaces.
    assert draw(link.render, [{**TAP, "stats64": STATS}]).splitlines()[2:] == [
        "    RX:  bytes packets errors dropped  missed   mcast",
        "           266       3      0       0       0       0",
        "    TX:  bytes packets errors dropped carrier collsns",
        "           308       4      0       1       0       0",
    ]


def test_stats_columns_grow() -> None:
    big = {**STATS, "rx": {**STATS["rx"], "bytes": 123456789012, "packets": 123456789}}
    assert draw(link.render, [{**TAP, "stats64": big}]).splitlines()[2:] == [
        "    RX:    bytes   packets errors dropped  missed   mcast",
        "    123456789012 123456789      0       0       0       0",
        "    TX:    bytes   packets errors dropped carrier collsns",
        "             308         4      0       1       0       0",
    ]


def test_details_show_what_the_kernel_and_we_leave_to_each_other() -> None:
    for offload, shown in ((["csum", "tso", "uso"], "csum,tso,uso"), ([], "off")):
        info = {"vnet_hdr": bool(offload), "offload": offload}
        row = {**TAP, "linkinfo": {"info_kind": "tap", "info_data": info}}
        assert draw(link.render, [row], verbose=True).splitlines()[2] == (
            f"    tap vnet_hdr {'on' if offload else 'off'} offload {shown}"
        )


def test_verbose_shows_the_kind() -> None:
    assert draw(link.render, [TAP], verbose=True).splitlines()[2] == (
        "    tap persist on netns lab"
    )


def test_colors_are_those_of_ip() -> None:
    assert draw(link.render, [TAP], color="always") == (
        "2: \x1b[36mtap0\x1b[0m: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500"
        " state \x1b[32mUP\x1b[0m\n"
        "    link/ether \x1b[33m02:00:00:00:00:0a\x1b[0m brd \x1b[33mff:ff:ff:ff:ff:ff\x1b[0m\n"
    )


def test_colors_do_not_move_the_columns_of_brief() -> None:
    colored = draw(link.render, [TAP], brief=True, color="always")
    plain = colored
    for code in ("\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[0m"):
        plain = plain.replace(code, "")
    assert colored != plain == draw(link.render, [TAP], brief=True)
