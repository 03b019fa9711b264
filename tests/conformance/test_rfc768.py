"""RFC 768: ports, length and checksum."""

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from tests.kit.host import OUR_MAC, OURS, PEER, PEER_MAC, Host, frame_of, packet_of, udp_frame


@pytest.fixture
def host() -> Host:
    host = Host()
    host.know()
    return host


def test_rfc768_fields_a_datagram_without_a_source_port_is_delivered(host: Host) -> None:
    socket = host.socket(7)
    host.receive(udp_frame(0, 7, b"no answer wanted"))
    datagram = socket.receive()
    assert datagram is not None
    assert (datagram.sport, datagram.payload) == (0, b"no answer wanted")


def test_rfc768_fields_the_port_chooses_the_socket(host: Host) -> None:
    sockets = {port: host.socket(port) for port in (7, 9, 65535)}
    for port in (9, 65535, 7):
        host.receive(udp_frame(1, port, b"%d" % port))
    for port, socket in sockets.items():
        assert [datagram[0] for datagram in socket.receive_all()] == [b"%d" % port]


@pytest.mark.parametrize("payload", [b"", b"x", b"xy", bytes(1472)])
def test_rfc768_fields_a_zero_checksum_is_not_checked(host: Host, payload: bytes) -> None:
    socket = host.socket(7)
    frame = (
        Ether(src=PEER_MAC, dst=OUR_MAC) / IP(src=PEER, dst=OURS)
        / UDP(sport=9, dport=7, chksum=0) / Raw(payload)
    )  # fmt: skip
    host.receive(bytes(frame))
    datagram = socket.receive()
    assert datagram is not None
    assert datagram.payload == payload


def test_rfc768_protocol_number_is_17(host: Host) -> None:
    socket = host.socket(7)
    host.send(socket)
    (frame,) = host.sent()
    assert frame.ip is not None
    assert frame.ip.protocol == 17
    segment = bytes(UDP(sport=9, dport=7, chksum=0) / Raw(b"hello"))
    host.receive(frame_of(packet_of(136, segment)), frame_of(packet_of(17, segment)))
    assert socket.rx_datagrams == 1
