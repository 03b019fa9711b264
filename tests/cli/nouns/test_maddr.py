"""``smolctl maddr``: words to arguments, and rows to ip's text."""

from typing import Any

import pytest

from smolctl.cli.nouns import maddr
from smolctl.cli.words.grammar import UsageFault
from tests.cli.kit import draw, read

LO = {"ifindex": 1, "ifname": "lo", "maddr": [{"family": "inet", "address": "224.0.0.1"}]}
TAP = {
    "ifindex": 2,
    "ifname": "tap0",
    "maddr": [
        {"link": "01:00:5e:01:02:03", "users": 2},
        {"link": "01:00:5e:00:00:01"},
        {"family": "inet", "address": "239.1.2.3", "features": "static", "users": 2},
        {"family": "inet", "address": "224.0.0.1"},
    ],
}


@pytest.mark.parametrize(
    ("line", "path", "args"),
    [
        ("maddr", "maddr show", {}),
        ("maddress list tap0", "maddr show", {"dev": "tap0"}),
        ("maddr show dev tap0", "maddr show", {"dev": "tap0"}),
        ("maddr add 239.1.2.3 dev tap0", "maddr add", {"address": "239.1.2.3", "dev": "tap0"}),
        ("maddr d dev tap0 239.1.2.3", "maddr del", {"address": "239.1.2.3", "dev": "tap0"}),
    ],
)
def test_words(line: str, path: str, args: dict[str, Any]) -> None:
    assert read(line)[:2] == (path, args)


def test_a_group_is_joined_on_some_interface() -> None:
    with pytest.raises(UsageFault, match="dev DEVICE is missing"):
        read("maddr add 239.1.2.3")


def test_text_is_that_of_ip() -> None:
    assert draw(maddr.render, [LO, TAP]) == (
        "1:\tlo\n"
        "\tinet  224.0.0.1\n"
        "2:\ttap0\n"
        "\tlink  01:00:5e:01:02:03 users 2\n"
        "\tlink  01:00:5e:00:00:01\n"
        "\tinet  239.1.2.3 static users 2\n"
        "\tinet  224.0.0.1\n"
    )


def test_one_line_an_address() -> None:
    assert draw(maddr.render, [TAP], oneline=True).splitlines()[1:3] == [
        "2:\ttap0\\\tlink  01:00:5e:00:00:01",
        "2:\ttap0\\\tinet  239.1.2.3 static users 2",
    ]


def test_with_what_is_wanted() -> None:
    row = {
        "ifindex": 2,
        "ifname": "tap0",
        "maddr": [
            {"family": "inet", "address": "239.1.2.3", "mode": "include", "sources": ["10.0.0.2"]}
        ],
        "igmp": {"version": 2, "robustness": 3},
    }
    assert draw(maddr.render, [row]) == (
        "2:\ttap0 igmp v2 robustness 3\n\tinet  239.1.2.3 include 10.0.0.2\n"
    )
