"""ICMP timestamp requests: answered only when that is wanted."""

import pytest

from smolctl.stack.neighbor.states import State
from smolctl.wire import icmpv4, ipv4_options
from smolctl.wire.address import BROADCAST_MAC
from tests.kit.clock import MILLISECOND_NS
from tests.kit.host import OURS, Host, frame_of, icmp_frame, ip, packet_of, text


@pytest.fixture
def host() -> Host:
    """A host that knows its peer's MAC."""
    host = Host()
    host.know(state=State.PERMANENT)
    return host


NOON_MS = 12 * 3_600_000


def test_a_timestamp_request_is_answered_when_wanted(host: Host) -> None:
    began = host.now
    host.stack.shared.wall_time = lambda now: 86_400 * 20_000 + NOON_MS / 1000 + (now - began) / 1e9
    host.set("icmp.answer_timestamp", 1)
    host.wait(1500 * MILLISECOND_NS)
    host.receive(icmp_frame(13, 0, 0x00070001, (99).to_bytes(4) + bytes(8)))
    (answer,) = host.sent()
    assert (answer.icmp.type, answer.icmp.rest) == (14, 0x00070001)
    times = [int.from_bytes(answer.icmp.body[at : at + 4]) for at in (0, 4, 8)]
    assert times == [99, NOON_MS + 1500, NOON_MS + 1500]
    assert answer.ip is not None
    assert text(answer.ip.src) == OURS
    assert host.event("icmp.timestamp_replies_sent") == 1
    assert host.reasons() == {}


def test_a_timestamp_request_without_the_senders_time_is_too_short(host: Host) -> None:
    host.set("icmp.answer_timestamp", 1)
    host.receive(icmp_frame(13, 0, 0, bytes(3)))
    assert host.sent() == []
    assert host.reasons() == {"icmp-truncated": 1}


@pytest.mark.parametrize(
    ("dst", "to"),
    [("10.0.0.255", BROADCAST_MAC), ("224.0.0.1", bytes.fromhex("01005e000001"))],
)
@pytest.mark.parametrize("ignore", [True, False])
def test_a_timestamp_request_to_everybody(host: Host, ignore: bool, dst: str, to: bytes) -> None:
    host.set("icmp.answer_timestamp", 1)
    host.set("icmp.echo_ignore_broadcasts", int(ignore))
    host.receive(icmp_frame(13, 0, 0, bytes(12), dst=dst, to=to))
    assert [frame.ip.src for frame in host.sent() if frame.ip] == [ip(OURS)] * (not ignore)
    assert host.reasons() == ({"icmp-timestamp-broadcast": 1} if ignore else {})


def test_a_timestamp_reply_has_the_options_of_the_request(host: Host) -> None:
    host.set("icmp.answer_timestamp", 1)
    host.receive(asked(ipv4_options.record()))
    (answer,) = host.sent()
    assert answer.ip is not None
    assert ipv4_options.recorded(answer.ip.options) == [ip(OURS), ip(OURS)]


def test_a_timestamp_reply_goes_back_by_the_source_route(host: Host) -> None:
    host.know("10.0.0.3", state=State.PERMANENT)
    host.set("icmp.answer_timestamp", 1)
    host.set("ip.accept_source_route", 1)
    host.receive(asked(bytes.fromhex("83 07 08 0a000003")))
    (answer,) = host.sent()
    assert answer.ip is not None
    assert text(answer.ip.dst) == "10.0.0.3"
    assert answer.ip.options == bytes.fromhex("83 07 04 0a000002 00")


def asked(options: bytes) -> bytes:
    """Return a timestamp request with IP options."""
    message = icmpv4.IcmpMessage(icmpv4.Type.TIMESTAMP, 0, 7, bytes(12)).to_bytes()
    return frame_of(packet_of(1, message, options=options))
