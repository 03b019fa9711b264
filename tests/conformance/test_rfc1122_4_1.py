"""RFC 1122 section 4.1: UDP."""

import pytest

from smolctl.stack.transport.socket_base import ANY
from tests.kit.host import OURS, PEER, Host, ip, text, udp_frame


@pytest.fixture
def host() -> Host:
    host = Host()
    host.know()
    return host


def test_rfc1122_4_1_3_4_a_wrong_checksum_is_silently_discarded(host: Host) -> None:
    socket = host.socket(7)
    frame = bytearray(udp_frame())
    frame[-1] ^= 1
    host.receive(bytes(frame))
    assert socket.rx_datagrams == 0
    assert host.sent() == []
    assert host.reasons() == {"udp-bad-checksum": 1}


@pytest.mark.parametrize("dst", [PEER, "10.0.0.255", OURS])
def test_rfc1122_4_1_3_4_every_datagram_has_a_checksum(host: Host, dst: str) -> None:
    socket = host.socket()
    socket.broadcast = True
    for _ in range(2):  # the second one by the fast path
        host.send(socket, dst, payload=b"")
        host.stack.udp.send(socket, b"", ip(dst), 9, host.now)
    segments = [frame.payload for frame in host.sent() if frame.ip]
    segments += [packet.data[20:] for packet, _ in host.stack.loopback.queue]
    assert len(segments) >= 4
    assert all(segment[6:8] != b"\0\0" for segment in segments)


def test_rfc1122_4_1_3_5_a_connected_socket_knows_its_local_address(host: Host) -> None:
    host.add("10.1.0.1/24")
    socket = host.stack.udp.open("test")
    assert socket.local == ANY
    host.stack.udp.connect(socket, ip("10.1.0.9"), 9)
    assert text(socket.local or 0) == "10.1.0.1"
