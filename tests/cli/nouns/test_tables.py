"""The nouns that ``ip`` has no layout for: stack, sysctl, socket and stats."""

import re
from datetime import datetime

import pytest

from smolctl.cli.nouns import socket, stack, stats, sysctl
from smolctl.cli.nouns.tables import aligned
from tests.cli.kit import draw, read

SYSCTL = {
    "key": "iface.neighbor_cache_count",
    "value": 8,
    "default": 1024,
    "unit": "entries",
    "min": 1,
    "max": 1000000,
    "origin": "command line",
    "place": "smolctl sysctl iface.neighbor_cache_count=8",
    "profiles": [{"profile": "linux", "value": 1024}, {"profile": "smoltcp-0.9", "value": 4}],
    "description": "neighbor entries an interface may hold",
    "source": "RFC 1122 2.3.2.1",
    "environment": "SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT",
    "linux": "1024",
    "smoltcp": "4 (0.9), 8 (0.12)",
}


@pytest.mark.parametrize(
    ("line", "path", "args"),
    [
        ("sysctl", "sysctl", {}),
        ("sysctl a.b=1", "sysctl", {"key": "a.b=1"}),
        ("socket", "socket show", {}),
        ("stats", "stats show", {}),
        ("stats show all", "stats show", {"all": True}),
        ("stats drops", "stats drops", {}),
        ("stack", "stack status", {}),
        ("stack show", "stack status", {}),
        ("stack ls", "stack list", {}),
        ("stack start --foreground", "stack start", {"foreground": True}),
        ("stack start --profile smoltcp", "stack start", {"profile": "smoltcp"}),
        (
            "stack start --sysctl a.b=1 --sysctl=c.d=2",
            "stack start",
            {"sysctl": ["a.b=1", "c.d=2"]},
        ),
        ("sysctl --diff linux", "sysctl", {"diff": "linux"}),
        ("stack log --lines 3", "stack log", {"lines": "3"}),
        ("stack stop", "stack stop", {}),
    ],
)
def test_words(line: str, path: str, args: dict[str, object]) -> None:
    assert read(line)[:2] == (path, args)


def test_sysctl() -> None:
    assert draw(sysctl.render, [SYSCTL, {**SYSCTL, "key": "ip.default_ttl", "unit": "hops"}]) == (
        "KEY                         VALUE  DEFAULT  UNIT     FROM          SOURCE\n"
        "iface.neighbor_cache_count      8     1024  entries  command line  RFC 1122 2.3.2.1\n"
        "ip.default_ttl                  8     1024  hops     command line  RFC 1122 2.3.2.1\n"
    )
    assert draw(sysctl.render, [SYSCTL, {**SYSCTL, "key": "a.b", "smoltcp": ""}], verbose=True) == (
        "KEY                         VALUE  LINUX  SMOLTCP-0.9  UNIT     FROM          SOURCE\n"
        "iface.neighbor_cache_count      8   1024            4  entries  command line  RFC 1122"
        " 2.3.2.1\n"
        "    neighbor entries an interface may hold\n"
        "    Linux: 1024; smoltcp: 4 (0.9), 8 (0.12)\n"
        "a.b                             8   1024            4  entries  command line  RFC 1122"
        " 2.3.2.1\n"
        "    neighbor entries an interface may hold\n"
        "    Linux: 1024\n"
    )
    assert draw(sysctl.render_one, [SYSCTL]) == (
        "iface.neighbor_cache_count = 8\n"
        "  what     neighbor entries an interface may hold\n"
        "  default  1024\n"
        "  unit     entries\n"
        "  min      1\n"
        "  max      1000000\n"
        "  from     command line\n"
        "  where    smolctl sysctl iface.neighbor_cache_count=8\n"
        "  source   RFC 1122 2.3.2.1\n"
        "  linux    1024\n"
        "  smoltcp  4 (0.9), 8 (0.12)\n"
        "  set by   SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT\n"
        "  profile  1024 (linux), 4 (smoltcp-0.9)\n"
    )
    assert draw(sysctl.render_diff, [SYSCTL], args={"diff": "smoltcp-0.9"}) == (
        "KEY                         VALUE  SMOLTCP-0.9  UNIT     FROM          WHAT\n"
        "iface.neighbor_cache_count      8            4  entries  command line  neighbor entries an"
        " interface may hold\n"
    )
    assert draw(sysctl.render_set, [SYSCTL]) == "iface.neighbor_cache_count = 8\n"


def test_socket() -> None:
    row = {
        "netid": "udp",
        "state": "UNCONN",
        "recv_q": 0,
        "rcvbuf": 212992,
        "local": "0.0.0.0",
        "local_port": 9,
        "drops": 2,
        "rx_datagrams": 10,
        "tx_datagrams": 0,
        "owner": "udp recv",
    }
    echo = {
        "netid": "icmp",
        "state": "ESTAB",
        "recv_q": 0,
        "local": "0.0.0.0",
        "local_port": 77,
        "peer": "10.0.0.2",
        "owner": "ping",
    }
    assert draw(socket.render, [row, echo]) == (
        "NETID  STATE   RECV-Q  RCVBUF  LOCAL       PEER      DROPS  RX  TX  OWNER\n"
        "udp    UNCONN       0  212992  0.0.0.0:9   *             2  10   0  udp recv\n"
        "icmp   ESTAB        0          0.0.0.0:77  10.0.0.2      0   0   0  ping\n"
    )
    waits = {"send_q": 130, "waiting": 2, "waits_to": "10.0.0.9", "waits_port": 7,
             "next_hop": "10.0.0.9", "reason": "udp-waits-for-neighbor", "id": 4}  # fmt: skip
    assert draw(socket.render, [{**row, **waits}]) == (
        "NETID  STATE   RECV-Q  RCVBUF  SEND-Q  LOCAL      PEER  DROPS  RX  TX  OWNER     WAITS\n"
        "udp    UNCONN       0  212992     130  0.0.0.0:9  *         2  10   0  udp recv"
        "  10.0.0.9:7, 1 behind it: udp-waits-for-neighbor (smolctl why 4)\n"
    )
    assert draw(socket.render, []) == (
        "NETID  STATE  RECV-Q  RCVBUF  SEND-Q  LOCAL  PEER  DEV  DROPS  RX  TX  OWNER  WAITS\n"
    )


def test_stats() -> None:
    assert draw(stats.render, [{"layer": "udp", "name": "datagrams_sent", "value": 1000}]) == (
        "LAYER  COUNTER         VALUE\n"
        "udp    datagrams_sent   1000\n"
    )  # fmt: skip


def test_drops() -> None:
    row = {
        "reason": "arp-target-not-ours",
        "class": "drop",
        "layer": "arp",
        "dev": "tap0",
        "count": 3,
        "time": datetime(2024, 2, 29, 12, 30, 5).timestamp(),
        "hint": "10.0.0.9 is not an address of this stack",
    }
    assert draw(stats.render_drops, [row]) == (
        "COUNT  CLASS  REASON               DEV                  LAST  HINT\n"
        "    3  drop   arp-target-not-ours  tap0  2024-02-29 12:30:05"
        "  10.0.0.9 is not an address of this stack\n"
    )
    row["time"] = datetime.now().timestamp()
    assert re.search(r"  \d\d:\d\d:\d\d  10", draw(stats.render_drops, [row]))


def test_stack_status() -> None:
    row = {
        "name": "default",
        "pid": 123,
        "version": "0.1.0",
        "uptime_ms": 3_723_000,
        "socket": "/run/smolctl/default.sock",
        "profile": "linux",
        "links": 2,
    }
    assert draw(stack.render_status, [row]) == (
        "stack default is running: pid 123, up 1 h 2 min\n"
        "  version  0.1.0\n"
        "  profile  linux\n"
        "  links    2\n"
        "  socket   /run/smolctl/default.sock\n"
    )


def test_stack_list() -> None:
    rows: list[dict[str, object]] = [
        {"name": "default", "state": "running", "pid": 123, "uptime_ms": 5_000},
        {"name": "lab", "state": "dead"},
    ]
    assert draw(stack.render_list, rows) == (
        "STACK    STATE    PID  UP\n"
        "default  running  123  5 s\n"
        "lab      dead\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 s"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (61_000, "1 min 1 s"),
        (90_061_000, "1 d 1 h"),
    ],
)
def test_uptime(milliseconds: int, text: str) -> None:
    assert stack.uptime(milliseconds) == text


# --- the width of a terminal ----------------------------------------------------------------------

HINT = "no route to 8.8.8.8; try: smolctl route add default via 10.0.0.2"
ROWS = [
    [1, "tx-no-route", "", HINT],
    [22, "\x1b[31mrx-own-frame\x1b[0m", "eth0", "ours"],
]
HEADS = ("COUNT", "REASON", "DEV", "HINT")


def test_what_is_no_terminal_gets_a_line_for_each_row() -> None:
    assert list(aligned(ROWS, HEADS, right=(0,))) == [
        "COUNT  REASON        DEV   HINT",
        f"    1  tx-no-route         {HINT}",
        "   22  \x1b[31mrx-own-frame\x1b[0m  eth0  ours",
    ]


def test_cells_that_do_not_fit_stand_below_their_row_and_a_command_by_itself() -> None:
    assert list(aligned(ROWS, HEADS, right=(0,), width=60)) == [
        "COUNT  REASON        DEV",
        "    HINT",
        "    1  tx-no-route",
        "    no route to 8.8.8.8",
        "    fix: smolctl route add default via 10.0.0.2",
        "   22  \x1b[31mrx-own-frame\x1b[0m  eth0",
        "    ours",
    ]


def test_columns_go_below_one_by_one_as_the_terminal_gets_narrower() -> None:
    rows = [["a" * 10, "b" * 10, "c" * 10, "some words that are longer than the line is wide"]]
    assert list(aligned(rows, width=24)) == [
        "aaaaaaaaaa  bbbbbbbbbb",
        "    cccccccccc",
        "    some words that are",
        "    longer than the line",
        "    is wide",
    ]
    assert next(aligned(rows, width=5)) == "aaaaaaaaaa"


def test_an_empty_table_fits_everywhere() -> None:
    assert list(aligned([], HEADS, width=80)) == ["COUNT  REASON  DEV  HINT"]
    assert list(aligned([], width=80)) == []
