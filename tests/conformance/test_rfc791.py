"""RFC 791: the header and its options."""

import pytest

from smolctl.errors import SendRejected
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.ipv4.output import icmp_output
from smolctl.wire import icmpv4
from tests.conformance.kit import again, raw
from tests.kit.host import (
    OURS,
    PEER,
    Host,
    echo_request,
    frame_of,
    ip,
    packet_of,
    udp_frame,
    udp_packet,
)


@pytest.fixture
def host() -> Host:
    host = Host()
    host.know()
    return host


def changed(frame: bytes, at: int, value: int) -> bytes:
    """Return a frame with one byte of its IP header changed and the checksum right again."""
    header = bytearray(frame[14:34])
    header[at] = value
    return frame[:14] + again(bytes(header)) + frame[34:]


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (0x65, "ip-bad-version"),
        (0x05, "ip-bad-version"),
        (0x44, "ip-bad-ihl"),
        (0x4F, "ip-bad-ihl"),
    ],
)
def test_rfc791_3_1_headers_of_other_versions_and_lengths_are_discarded(
    host: Host, first: int, reason: str
) -> None:
    socket = host.socket(7)
    host.receive(changed(udp_frame(), 0, first))
    assert socket.rx_datagrams == 0
    assert host.sent() == []
    assert host.reasons() == {reason: 1}


def test_rfc791_3_1_the_reserved_flag_is_sent_as_zero(host: Host) -> None:
    host.send(host.socket())
    host.receive(echo_request(), udp_frame(dport=8))
    frames = raw(host)
    assert len(frames) == 3
    assert [frame[20] & 0x80 for frame in frames] == [0, 0, 0]


def test_rfc791_3_1_a_time_to_live_of_zero_does_not_leave(host: Host) -> None:
    socket = host.socket()
    socket.ttl = 0
    with pytest.raises(SendRejected, match="TTL 0") as caught:
        host.send(socket)
    assert caught.value.code == "tx-ttl-zero"
    with pytest.raises(SendRejected):
        icmp_output(
            host.stack.ipv4,
            icmpv4.IcmpMessage(8, 0, 1, b""),
            ip(PEER),
            host.now,
            SendOptions(ttl=0),
        )
    assert host.sent() == []


OPTIONS: dict[str, bytes] = {
    "end of list": b"\0",
    "no operations": b"\1\1\1\1",
    "security": b"\x82\x0b" + bytes(9),
    "record route, full": b"\x07\x07\x08\x0a\0\0\x02",
    "stream identifier": b"\x88\x04\0\x07",
    "timestamp, full": b"\x44\x08\x09\x10\0\0\0\0",
    "unknown": b"\x5e\x04ab",
    "forty bytes": b"\1" * 40,
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_rfc791_3_1_a_datagram_with_any_option_is_taken(host: Host, options: bytes) -> None:
    socket = host.socket(7)
    host.receive(frame_of(packet_of(17, udp_packet()[20:], PEER, OURS, options=options)))
    datagram = socket.receive()
    assert datagram is not None
    assert datagram.payload == b"hello"
    assert host.reasons() == {}
