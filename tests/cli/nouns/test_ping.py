"""``smolctl ping``: the text of iputils, byte for byte, from literal events."""

from typing import Any

import pytest

from smolctl.cli.nouns import ping
from smolctl.cli.output import Output
from smolctl.cli.words.options import Options
from tests.cli.kit import read
from tests.kit.stack_env import SmolctlEnv

START = {"event": "start", "dst": "10.0.0.2", "src": "10.0.0.1", "dev": "v0", "size": 56}


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("ping 10.0.0.2", {}),
        (
            "ping -c3 -i 0.2 -W 1 -w 5 -s 100 -t 1 10.0.0.2",
            {
                "count": "3",
                "interval": "0.2",
                "timeout": "1",
                "deadline": "5",
                "size": "100",
                "ttl": "1",
            },
        ),
        ("ping 10.0.0.2 dev v0 -q -D -n -4", {"dev": "v0", "quiet": True, "timestamps": True,
                                              "numeric": True}),
        ("ping --dev v0 10.0.0.2", {"dev": "v0"}),
        ("ping -I v0 10.0.0.2", {"interface": "v0"}),
    ],
)  # fmt: skip
def test_words(line: str, args: dict[str, Any]) -> None:
    assert read(line)[:2] == ("ping", {"dst": "10.0.0.2", **args})


@pytest.mark.parametrize(
    ("interface", "key"), [("v0", "dev"), ("10.0.0.1", "src"), ("eth0.10", "dev")]
)
def test_interface_or_address(interface: str, key: str) -> None:
    assert ping._chosen({"interface": interface}) == {key: interface}


def test_heading() -> None:
    assert ping.heading(START, chosen=False) == "PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data."
    assert ping.heading(START, chosen=True) == (
        "PING 10.0.0.2 (10.0.0.2) from 10.0.0.1 v0: 56(84) bytes of data."
    )
    without_device = {key: value for key, value in START.items() if key != "dev"}
    assert ping.heading(without_device, chosen=True) == (
        "PING 10.0.0.2 (10.0.0.2) from 10.0.0.1 : 56(84) bytes of data."
    )


@pytest.mark.parametrize(
    ("rtt_ns", "text"),
    [
        (0, "0.000"),
        (45_999, "0.045"),
        (999_999, "0.999"),
        (1_000_000, "1.00"),
        (1_234_567, "1.23"),
        (1_235_000, "1.24"),
        (9_994_000, "9.99"),
        (9_995_000, "10.0"),
        (12_340_000, "12.3"),
        (99_949_000, "99.9"),
        (99_950_000, "100"),
        (1_000_499_000, "1000"),
    ],
)
def test_reply_times_are_rounded_as_iputils_does(rtt_ns: int, text: str) -> None:
    event = {"from": "10.0.0.1", "bytes": 64, "seq": 1, "ttl": 64, "rtt_ns": rtt_ns}
    assert ping.reply(event) == f"64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time={text} ms"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"transmitted": 1, "received": 0}, "\r0/1 packets, 100% loss"),
        (
            {
                "transmitted": 3,
                "received": 2,
                "rtt_ns": {"min": 16_900, "avg": 29_000, "ewma": 20_000, "max": 1_040_000},
            },
            "\r2/3 packets, 33% loss, min/avg/ewma/max = 0.016/0.029/0.020/1.040 ms",
        ),
    ],
)
def test_status(event: dict[str, Any], line: str) -> None:
    assert ping.status(event) == line


def test_a_failed_request_of_a_flood_is_an_e_in_place_of_its_dot(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    write = ping._Dots(Output(Options())).handlers()
    events = (("sent", 1), ("sent", 2), ("error", 1), ("error", 3), ("error", 4), ("sent", 5))
    for event, seq in (*events, ("error", 2), ("reply", 5)):
        write[event]({"event": event, "seq": seq})
    assert capsysbinary.readouterr().out == b"..\bEEE.\bE\b \b"


def test_duplicate() -> None:
    event = {"from": "10.0.0.1", "bytes": 64, "seq": 1, "ttl": 64, "rtt_ns": 45000, "dup": True}
    assert ping.reply(event) == ("64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.045 ms (DUP!)")


@pytest.mark.parametrize(
    ("timestamps", "more", "text"),
    [
        # What ping of iputils 20221126 printed, in a namespace, for the first three.
        ([(None, 35983299), (None, 35983299), (None, 35983300)], {},
         "\nTS: \t35983299 absolute\n\t0\n\t1\n"),
        ([("10.0.0.1", 35983591), ("10.0.0.2", 35983591)], {},
         "\nTS: \t10.0.0.1\t35983591 absolute\n\t10.0.0.2\t0\n"),
        ([], {}, ""),
        ([(None, 5), (None, 3)], {"unrecorded": 2},
         "\nTS: \t5 absolute\n\t-2\nUnrecorded hops: 2\n"),
    ],
)  # fmt: skip
def test_timestamps(
    timestamps: list[tuple[str | None, int]], more: dict[str, int], text: str
) -> None:
    rows = [{"ms": ms, **({"address": who} if who else {})} for who, ms in timestamps]
    assert ping.stamps({"timestamps": rows, **more}) == text


def test_times_that_are_not_since_midnight() -> None:
    rows = [{"ms": 7, "nonstandard": True}, {"ms": 50}, {"ms": 9, "nonstandard": True}, {"ms": 51}]
    assert ping.stamps({"timestamps": rows}) == (
        "\nTS: \t7 absolute not-standard\n\t50 absolute\n\t2 not-standard\n\t1\n"
    )


def test_hosts_in_front_of_the_host() -> None:
    chosen = ping._chosen(dict(read("ping -T tsprespec 10.0.0.1 10.0.0.3 10.0.0.2").args))
    assert chosen == {"stamp": "tsprespec", "hosts": "10.0.0.1,10.0.0.3", "dst": "10.0.0.2"}


RTT = {"min": 58_000, "avg": 127_000, "max": 196_000, "mdev": 69_000}


@pytest.mark.parametrize(
    ("done", "text"),
    [
        (
            {"transmitted": 2, "received": 2, "errors": 0, "duplicates": 0, "time_ms": 1019,
             "rtt_ns": RTT},
            "2 packets transmitted, 2 received, 0% packet loss, time 1019ms\n"
            "rtt min/avg/max/mdev = 0.058/0.127/0.196/0.069 ms\n",
        ),
        (
            {"transmitted": 1, "received": 0, "errors": 0, "duplicates": 0, "time_ms": 0},
            "1 packets transmitted, 0 received, 100% packet loss, time 0ms\n\n",
        ),
        (
            {"transmitted": 4, "received": 0, "errors": 4, "duplicates": 0, "time_ms": 3066},
            "4 packets transmitted, 0 received, +4 errors, 100% packet loss, time 3066ms\n\n",
        ),
        (
            {"transmitted": 2, "received": 0, "errors": 2, "duplicates": 0, "time_ms": 1035,
             "pipe": 2},
            "2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 1035ms\n"
            "pipe 2\n",
        ),
        (
            {"transmitted": 3, "received": 2, "errors": 0, "duplicates": 1, "time_ms": 2000.4,
             "rtt_ns": RTT},
            "3 packets transmitted, 2 received, +1 duplicates, 33.3333% packet loss, time 2000ms\n"
            "rtt min/avg/max/mdev = 0.058/0.127/0.196/0.069 ms\n",
        ),
    ],
)  # fmt: skip
def test_summary(done: dict[str, Any], text: str) -> None:
    lines = ping.summary("10.0.0.2", done)
    assert "\n".join(lines) + "\n" == f"\n--- 10.0.0.2 ping statistics ---\n{text}"


def test_the_pattern_and_missing_answers_are_told_as_iputils_does(smolctl: SmolctlEnv) -> None:
    smolctl("sysctl", "icmp.echo_ignore_all=1", check=True)
    ended = smolctl("ping", "-c", "2", "-i", "0.05", "-W", "0.05", "-p", "ABC", "-O", "127.0.0.1")
    first, second, third, *_ = ended.stdout.splitlines()
    assert first == "PATTERN: 0xab0c"
    assert second.startswith("PING 127.0.0.1 (127.0.0.1) 56(84) bytes")
    assert third == "no answer yet for icmp_seq=1"
