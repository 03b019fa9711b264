"""ARCHITECTURE.md's "Life of a datagram" is what really happens, in that order."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from smolctl.errors import SmolctlError
from smolctl.ops.engine import Engine
from smolctl.ops.feed import Feed
from smolctl.ops.job import Channel, ChannelUser
from smolctl.stack.config.addr import add_address, bring_up_loopback
from smolctl.stack.config.link import add_interface
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.addresses import Address
from smolctl.stack.stack import Stack
from smolctl.wire import arp, ethernet, ipv4, udp
from smolctl.wire.address import parse_address
from smolctl.wire.offload.run import coalesce
from tests.docs import rooms
from tests.kit.no_copies import NoCopies
from tests.kit.stack_env import SmolctlEnv

ROOT = Path(__file__).parents[2]
OURS = parse_address("10.0.0.1")
PEER = parse_address("10.0.0.2")
PEER_MAC = b"\x02\x00\x00\x00\x00\x02"


def documented(heading: str, which: int = 0) -> list[str]:
    """Return the ``file:function`` items of the numbered lists under a heading."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lists: list[list[str]] = []
    for line in section.splitlines():
        found = re.match(r"(\d+)\. `(smolctl/[^`]+)`", line)
        if found is not None:
            if found[1] == "1":
                lists.append([])
            lists[-1].append(found[2])
    return lists[which]


def called_by(action: Callable[[], object]) -> list[str]:
    """Return the functions of smolctl that ``action`` calls, in order."""
    calls: list[str] = []

    def note(frame: FrameType, event: str, _arg: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT / "smolctl"):
            calls.append(f"{path.relative_to(ROOT)}:{frame.f_code.co_name}")

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return calls


def missing_step(expected: list[str], calls: list[str]) -> str | None:
    """Return the first item of ``expected`` that is not called after those before it."""
    rest = iter(calls)
    return next((step for step in expected if step not in rest), None)


class Collector:
    """An exchange that keeps what a job reports."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.result: dict[str, Any] | None = None

    has_room = True

    def event(self, event: dict[str, Any]) -> None:
        self.events.append(event)

    def rows(self, rows: list[dict[str, Any]]) -> None:
        raise AssertionError("no job here has rows")

    def attach(self, feed: Feed) -> None:
        raise AssertionError("no job here has a feed")

    def take_descriptors(self) -> list[int]:
        return []

    def open_channel(self, user: ChannelUser) -> Channel:
        raise AssertionError("no job here has a channel")

    def done(self, result: dict[str, Any]) -> None:
        self.result = result

    def fail(self, error: Exception) -> None:
        raise error


class NoDaemon(NoCopies):
    """Stands where the process is; nothing in these requests asks it for anything but the time."""

    def status(self, now: int) -> dict[str, Any]:
        return {}

    def blame(self, doing: str, error: Exception) -> SmolctlError:
        raise error

    def request_stop(self, reason: str) -> None:
        raise AssertionError(reason)

    def wall_time(self, now: int) -> float:
        return now / 1e9


def build() -> tuple[Engine, Stack, Interface]:
    stack = Stack(lambda: 0.5)
    bring_up_loopback(stack.ipv4)
    mac = b"\x02\x00\x00\x00\x00\x01"
    interface = add_interface(stack.shared, "tap0", "tap", Medium.ETHERNET, 1500, mac)
    add_address(stack.ipv4, interface, Address(OURS, 24, Scope.GLOBAL, "tap0"))
    return Engine(stack, None, NoDaemon()), stack, interface


def frame(interface: Interface, ethertype: int, payload: bytes) -> bytes:
    return ethernet.EthernetHeader(interface.mac, PEER_MAC, ethertype).to_bytes() + payload


def test_out_the_client_half(smolctl_env: SmolctlEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    smolctl_env("stack", "start", check=True)
    for name, value in smolctl_env.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["smolctl", "udp", "send", "127.0.0.1:9", "hi"])
    from smolctl.cli.main import entry

    def command() -> None:
        with pytest.raises(SystemExit):
            entry()

    calls = called_by(command)
    assert missing_step(documented("Life of a datagram, out", 0), calls) is None


def test_out_the_daemon_half() -> None:
    engine, stack, interface = build()
    exchange = Collector()

    def send() -> None:
        args = {"dst": "10.0.0.2", "port": "9", "data": "aGk="}
        engine.request("udp.send", args, exchange, 1)
        engine.turn(2)
        reply = arp.ArpPacket(arp.Op.REPLY, PEER_MAC, PEER, interface.mac, OURS).to_bytes()
        stack.receive(interface, frame(interface, ethernet.EtherType.ARP, reply), 3)
        stack.transmitted(interface, coalesce(interface.outbox, 1), 4)
        interface.outbox.clear()
        engine.turn(5)

    calls = called_by(send)
    assert missing_step(documented("Life of a datagram, out", 1), calls) is None
    assert exchange.events[0]["fate"] == "sent"


def test_in() -> None:
    engine, stack, interface = build()
    exchange = Collector()
    engine.request("udp.recv", {"port": "9", "count": "1"}, exchange, 1)
    segment = udp.to_bytes(5, 9, b"hi", PEER, OURS)
    header = ipv4.Ipv4Header(
        5, 0, 20 + len(segment), 0, True, False, 0, 64, ipv4.Protocol.UDP, PEER, OURS
    )
    data = frame(interface, ethernet.EtherType.IPV4, header.to_bytes() + segment)

    def receive() -> None:
        stack.receive(interface, data, 2)
        engine.turn(3)

    calls = called_by(receive)
    assert missing_step(documented("Life of a datagram, in"), calls) is None
    assert exchange.result is not None
    assert exchange.result["received"] == 1


def test_a_step_that_is_not_called_is_noticed() -> None:
    assert missing_step(["a:b", "c:d"], ["c:d", "a:b"]) == "c:d"


def test_the_rooms_are_drawn_as_they_are() -> None:
    assert rooms.PAGE.read_text() == rooms.page(), "make docs draws them"


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_file_that_is_named_exists(page: str) -> None:
    places = (ROOT, ROOT / "smolctl", ROOT / "smolctl" / "stack")
    named = re.findall(r"`([\w./-]+/(?:[\w.-]+\.\w+)?)(?::\w+)?`", (ROOT / page).read_text())
    assert len(named) > 10
    for name in named:
        assert any((place / name).exists() for place in places), name
