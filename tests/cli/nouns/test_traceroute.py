"""``smolctl traceroute``: the text of traceroute for Linux, from literal events."""

import json
from typing import Any

import pytest

from smolctl.cli.nouns.traceroute import Lines, heading
from tests.cli.kit import read
from tests.kit.stack_env import SmolctlEnv


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("traceroute 10.0.0.2", {}),
        ("traceroute 10.0.0.2 100", {"size": "100"}),
        ("traceroute -I -n 10.0.0.2", {"icmp": True, "numeric": True}),
        ("traceroute -Un 10.0.0.2", {"udp": True, "numeric": True}),
        (
            "traceroute -f2 -m 5 -q 1 -N 4 -w 1,2,3 -z 0.1 -p 53 -t 16 -s 10.0.0.1 -i v0"
            " -g 10.0.0.3,10.0.0.4 10.0.0.2",
            {
                "first": "2", "max_hops": "5", "queries": "1", "at_once": "4", "wait": "1,2,3",
                "gap": "0.1", "port": "53", "tos": "16", "src": "10.0.0.1", "dev": "v0",
                "gateways": "10.0.0.3,10.0.0.4",
            },
        ),
    ],
)  # fmt: skip
def test_words(line: str, args: dict[str, Any]) -> None:
    assert read(line)[:2] == ("traceroute", {"dst": "10.0.0.2", **args})


def test_heading() -> None:
    event = {"event": "start", "dst": "10.0.0.2", "max_hops": 30, "bytes": 60}
    assert heading(event) == "traceroute to 10.0.0.2 (10.0.0.2), 30 hops max, 60 byte packets"


PROBES = (
    {"hop": 1, "probe": 1, "from": "10.0.0.2", "rtt_ns": 1_234_567},
    {"hop": 1, "probe": 2},
    {"hop": 1, "probe": 3, "from": "10.0.0.2", "rtt_ns": 999},
    {"hop": 10, "probe": 1},
    {"hop": 10, "probe": 2, "from": "10.0.0.3", "rtt_ns": 10_000_000, "mark": "!H"},
    {"hop": 10, "probe": 3, "from": "10.0.0.4", "rtt_ns": 12_345_678_901, "mark": "!F-1400"},
)


@pytest.mark.parametrize(
    ("extensions", "text"),
    [
        (True, "\n 1  10.0.0.2 <MPLS:L=16,E=0,S=1,T=1>  1.000 ms  1.000 ms 10.0.0.2  1.000 ms"),
        (False, "\n 1  10.0.0.2  1.000 ms  1.000 ms  1.000 ms"),
    ],
)
def test_extensions_stand_behind_the_address_when_they_are_asked_for(
    extensions: bool, text: str
) -> None:
    lines, probe = Lines(True, extensions), {"hop": 1, "from": "10.0.0.2", "rtt_ns": 1_000_000}
    added = [{"class": 1, "type": 1, "text": "MPLS:L=16,E=0,S=1,T=1"}]
    events = [
        {"event": "probe", **probe, "probe": n, **({"extensions": added} if n < 3 else {})}
        for n in (1, 2, 3)
    ]
    assert "".join(lines.words(event) for event in events) == text


@pytest.mark.parametrize(
    ("numeric", "text"),
    [
        (
            True,
            "\n 1  10.0.0.2  1.235 ms *  0.001 ms"
            "\n10  * 10.0.0.3  10.000 ms !H 10.0.0.4  12345.679 ms !F-1400",
        ),
        (
            False,
            "\n 1  10.0.0.2 (10.0.0.2)  1.235 ms *  0.001 ms"
            "\n10  * 10.0.0.3 (10.0.0.3)  10.000 ms !H 10.0.0.4 (10.0.0.4)  12345.679 ms !F-1400",
        ),
    ],
)
def test_lines(numeric: bool, text: str) -> None:
    lines = Lines(numeric)
    assert "".join(lines.words({"event": "probe", **probe}) for probe in PROBES) == text


def test_each_probe_has_a_time_of_its_own(smolctl: SmolctlEnv) -> None:
    lines = smolctl("-j", "traceroute", "127.0.0.1", check=True).stdout.splitlines()
    events = [json.loads(line) for line in lines]
    times = [event["rtt_ns"] for event in events if event["event"] == "probe"]
    assert len(times) == len(set(times)) == 3
