"""``smolctl udp``: words to arguments, and events to text."""

import base64
from io import BytesIO, TextIOWrapper
from typing import Any

import pytest

from smolctl.cli.nouns import udp
from smolctl.cli.words.endpoint import of_listener
from smolctl.cli.words.grammar import UsageFault
from tests.cli.kit import read

HELLO = base64.b64encode(b"Hello").decode()


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("udp send 10.0.0.2:9 --size 0", {"size": "0"}),
        ("udp send 10.0.0.2 9 --size 1", {"size": "1"}),
        ("udp send 10.0.0.2:9 Hello", {"data": HELLO}),
        ("udp send 10.0.0.2 9 Hello", {"data": HELLO}),
        ("udp send 10.0.0.2:9 dev", {"data": base64.b64encode(b"dev").decode()}),
        ("udp send 10.0.0.2:9 -- -x", {"data": base64.b64encode(b"-x").decode()}),
        ("udp send 10.0.0.2:9 ''", {"data": ""}),
        ("udp send 10.0.0.2:9 Hello -s 10.0.0.1", {"data": HELLO, "src": "10.0.0.1"}),
        (
            "udp send 10.0.0.2:9 Hello -s 10.0.0.1:5",
            {"data": HELLO, "src": "10.0.0.1", "sport": "5"},
        ),
        ("udp send 10.0.0.2:9 Hello -s :5", {"data": HELLO, "sport": "5"}),
        (
            "udp send 10.0.0.2:9 -c 3 -i 0.1 -w 2 --size 4 --ttl 1 --broadcast --dev v0",
            {
                "count": "3",
                "interval": "0.1",
                "wait": "2",
                "size": "4",
                "ttl": "1",
                "broadcast": True,
                "dev": "v0",
            },
        ),
        ("udp send 10.0.0.2:9 Hello -c 9 --rate 5", {"data": HELLO, "count": "9", "rate": "5"}),
        ("udp send --expect-reply 10.0.0.2:9 Hello", {"data": HELLO, "expect_reply": True}),
    ],
)
def test_send(line: str, args: dict[str, Any]) -> None:
    path, words, _ = read(line)
    assert path == "udp send"
    assert udp.target(words) == {"dst": "10.0.0.2", "port": "9", **args}


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("udp send [::1]:9 Hello", {"dst": "::1"}),
        ("udp send ::1 9 Hello", {"dst": "::1"}),
        ("udp send [::1] 9 Hello", {"dst": "::1"}),
        ("udp send fe80::2%eth0 9 Hello", {"dst": "fe80::2%eth0"}),
        ("udp send [fe80::2%eth0]:9 Hello", {"dst": "fe80::2%eth0"}),
        ("udp send ::1 9 Hello -s [::1]:5", {"dst": "::1", "src": "::1", "sport": "5"}),
        ("udp send ::1 9 Hello -s ::1", {"dst": "::1", "src": "::1"}),
    ],
)
def test_send_to_ipv6(line: str, args: dict[str, Any]) -> None:
    assert udp.target(read(line).args) == {"port": "9", "data": HELLO, **args}


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("::1", "[::1]:PORT"),
        ("[::1]", "[::1]:PORT"),
        ("::1:9", "[::1]:9"),
        ("::1:9 Hello", "[::1]:9"),
        ("10.0.0.2: Hello", "10.0.0.2:PORT"),
        ("10.0.0.2 Hello", "10.0.0.2:PORT"),
    ],
)
def test_a_port_is_needed(words: str, written: str) -> None:
    with pytest.raises(UsageFault, match="has no port") as caught:
        udp.target(read(f"udp send {words}").args)
    assert caught.value.hint == f"smolctl udp send {written} DATA"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("udp send 10.0.0.2", 'udp send: "10.0.0.2" has no port'),
        ("udp send 10.0.0.2:9 two words", 'udp send: "words" is one word too many'),
        ("udp send 10.0.0.2:9", "udp send: DATA is missing"),
        ("udp send ::1 9", "udp send: DATA is missing"),
    ],
)
def test_send_faults(line: str, message: str) -> None:
    with pytest.raises(UsageFault) as caught:
        udp.target(read(line).args)
    assert caught.value.message == message


def test_bytes_that_are_no_utf8_leave_as_they_came() -> None:
    args = udp.target({"target": "10.0.0.2:9", "data": b"\xff\x00\xc3\xa9".decode(
        "utf-8", "surrogateescape")})  # fmt: skip
    assert base64.b64decode(args["data"]) == b"\xff\x00\xc3\xa9"


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("udp recv 9", {"port": "9"}),
        ("udp recv 127.0.0.2:9 -c 1 -w 5", {"addr": "127.0.0.2", "port": "9", "count": "1",
                                            "wait": "5"}),
        ("udp recv 9 --raw", {"port": "9", "form": "raw"}),
        ("udp recv --hex 9", {"port": "9", "form": "hex"}),
        ("udp echo 7 -c 2", {"port": "7", "count": "2"}),
    ],
)  # fmt: skip
def test_listen(line: str, args: dict[str, Any]) -> None:
    assert of_listener("udp recv", read(line).args) == args


def test_sent() -> None:
    event = {
        "bytes": 16,
        "dst": "10.0.0.2",
        "dport": 9,
        "dev": "tap0",
        "gateway": "10.0.0.254",
        "fate": "sent",
        "after_ms": 1.34,
    }
    assert udp.sent(event) == "sent 16 bytes to 10.0.0.2:9 dev tap0 via 10.0.0.254 after 1.3 ms"
    del event["gateway"]
    assert udp.sent(event) == "sent 16 bytes to 10.0.0.2:9 dev tap0 after 1.3 ms"
    event |= {"dst": "127.0.0.2", "dport": 34254, "dev": "lo", "fate": "delivered"}
    assert udp.sent(event) == "delivered 16 bytes to 127.0.0.2:34254"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"Hello, loopback!", "Hello, loopback!"),
        (b"a\nb\t\0\x7f\x1b[31m", "a\\nb\\t\\x00\\x7f\\x1b[31m"),
        (b"\xff\xc3\xa9", "\\xff\N{LATIN SMALL LETTER E WITH ACUTE}"),
        (b"\\n", "\\\\n"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}".encode(), "\\u202e"),
        (b"", ""),
    ],
)
def test_printable(data: bytes, text: str) -> None:
    assert udp.printable(data) == text


def test_hexdump() -> None:
    assert udp.hexdump(b"Hello, loopback!\n") == [
        "00000000  48 65 6c 6c 6f 2c 20 6c  6f 6f 70 62 61 63 6b 21  |Hello, loopback!|",
        "00000010  0a                                                |.|",
    ]
    assert udp.hexdump(b"") == []


@pytest.mark.parametrize(
    ("ok", "reasons", "status"),
    [
        (True, [], 0),
        (False, [], 1),
        (False, ["tx-no-route"], 1),
        (False, ["udp-port-closed"], 1),
        (False, ["icmp-admin-prohibited"], 1),
        (False, ["tx-src-not-ours"], 2),
        (False, ["tx-no-route", "tx-broadcast-denied"], 2),
    ],
)
def test_send_status(ok: bool, reasons: list[str], status: int) -> None:
    assert udp.send_status({"ok": ok}, reasons) == status


def test_nothing_on_standard_input_is_no_datagram(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"")))
    with pytest.raises(UsageFault, match="no data on standard input") as caught:
        udp.target(read("udp send 10.0.0.2:9 -").args)
    assert caught.value.hint == '"" sends an empty datagram'
