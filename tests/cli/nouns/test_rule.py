"""``smolctl rule``: words to arguments, and rows to ip's text."""

from typing import Any

import pytest

from smolctl.cli.nouns import rule
from smolctl.cli.words.grammar import UsageFault
from tests.cli.kit import draw, read

# Rows as `ip -j rule` of iproute2 6.1 gave them, and below the text of `ip rule` for them.
ROWS: list[dict[str, Any]] = [
    {"priority": 0, "src": "all", "table": "local"},
    {"priority": 0, "src": "1.2.3.4", "table": "77"},
    {"priority": 10, "src": "all", "goto": 70},
    {"priority": 11, "src": "all", "goto": 75, "unresolved": None},
    {"priority": 12, "src": "all", "nop": None},
    {"priority": 13, "src": "all", "iif": "nope", "iif_detached": None, "table": "5"},
    {"priority": 14, "src": "all", "oif": "nope", "oif_detached": None, "table": "default"},
    {"priority": 15, "src": "all", "table": "main", "suppress_prefixlen": 0},
    {"priority": 16, "src": "10.0.0.1", "srclen": 24, "table": "7"},
    {"priority": 19, "src": "all", "table": "9", "protocol": "static"},
    {"priority": 24, "src": "all", "ipproto": "udp", "table": "300"},
    {"priority": 25, "src": "all", "ipproto": "tcp", "sport": 1, "table": "300"},
    {
        "priority": 60,
        "src": "all",
        "dst": "10.5.0.0",
        "dstlen": 16,
        "tos": "0x10",
        "iif": "tap0",
        "oif": "tap1",
        "table": "main",
    },
    {
        "priority": 70,
        "not": None,
        "src": "10.9.0.1",
        "ipproto": "udp",
        "sport": 5,
        "dport_start": 100,
        "dport_end": 200,
        "action": "blackhole",
    },
    {"priority": 71, "src": "10.9.0.1", "action": "prohibit"},
]
TEXT = """\
0:	from all lookup local
0:	from 1.2.3.4 lookup 77
10:	from all goto 70
11:	from all goto 75 [unresolved]
12:	from all nop
13:	from all iif nope [detached] lookup 5
14:	from all oif nope [detached] lookup default
15:	from all lookup main suppress_prefixlength 0
16:	from 10.0.0.1/24 lookup 7
19:	from all lookup 9 proto static
24:	from all ipproto udp lookup 300
25:	from all ipproto tcp sport 1 lookup 300
60:	from all to 10.5.0.0/16 tos 0x10 iif tap0 oif tap1 lookup main
70:	not from 10.9.0.1 ipproto udp sport 5 dport 100-200 blackhole
71:	from 10.9.0.1 prohibit
"""


def test_text_is_that_of_ip() -> None:
    assert draw(rule.render, ROWS) == TEXT


def test_flush_says_what_went_when_asked() -> None:
    assert draw(rule.deleted, ROWS[:1]) == ""
    assert draw(rule.deleted, ROWS[:1], stats=True) == "Deleted 0:\tfrom all lookup local\n"


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("rule", {}),
        ("ru ls table 100", {"table": "100"}),
        ("rule add from 10.0.0.1 lookup 100", {"from": "10.0.0.1", "table": "100"}),
        ("rule add table main pref 5", {"table": "main", "priority": "5"}),
        ("rule add order 5 dev tap0", {"priority": "5", "iif": "tap0"}),
        ("rule add preference 5 dsfield 10", {"priority": "5", "tos": "10"}),
        ("rule add not to 10.0.0.0/8 blackhole", {"not": True, "to": "10.0.0.0/8",
                                                 "type": "blackhole"}),
        ("rule add type prohibit", {"type": "prohibit"}),
        ("rule a goto 70 priority 10", {"goto": "70", "priority": "10"}),
        ("rule add suppress_pl 0", {"suppress_prefixlength": "0"}),
        ("rule d nop", {"type": "nop"}),
        ("rule flush proto static", {"protocol": "static"}),
    ],
)  # fmt: skip
def test_words_to_args(line: str, args: dict[str, object]) -> None:
    assert read(line).args == args


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rule add 10.0.0.1", "one word too many"),
        ("rule add form 10.0.0.1", "form"),
        ("rule add blackhole prohibit", "second value"),
        ("rule add from", "needs a value"),
    ],
)
def test_usage_faults(line: str, message: str) -> None:
    with pytest.raises(UsageFault, match=message):
        read(line)
