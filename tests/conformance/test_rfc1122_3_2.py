"""RFC 1122 sections 3.1 and 3.2: IP and ICMP of a host."""

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

from smolctl.errors import InvalidArgument, SendRejected
from smolctl.stack.neighbor.states import State
from smolctl.wire.address import BROADCAST_MAC, multicast_mac
from tests.kit.host import (
    OTHER_MAC,
    OURS,
    PEER,
    PEER_MAC,
    Host,
    echo_request,
    frame_of,
    icmp_frame,
    ip,
    packet_of,
    text,
    udp_frame,
    udp_packet,
    unreachable,
)

SEGMENT = udp_packet()[20:]


@pytest.fixture
def host() -> Host:
    """A host that knows its peer, and listens at port 7."""
    host = Host()
    host.know(state=State.PERMANENT)
    host.socket(7)
    return host


def silently_discarded(host: Host, frame: bytes) -> bool:
    """Tell whether a frame was neither delivered nor answered, and counted once."""
    before = sum(host.reasons().values())
    host.receive(frame)
    host.poll()
    delivered = sum(socket.rx_datagrams for socket in host.stack.udp)
    return not delivered and not host.sent() and sum(host.reasons().values()) == before + 1


# --- 3.1 ------------------------------------------------------------------------------------------


def test_rfc1122_3_1_another_address_of_a_peer_is_another_destination(host: Host) -> None:
    host.know("10.0.0.3", PEER_MAC, State.PERMANENT)
    socket = host.socket()
    host.stack.udp.connect(socket, ip(PEER), 9)
    host.receive(udp_frame(9, socket.port, src="10.0.0.3"))
    assert not socket.queue
    host.receive(udp_frame(9, socket.port))
    assert len(socket.queue) == 1


def test_rfc1122_3_1_two_interfaces_make_no_gateway(host: Host) -> None:
    host.link("tap1", OTHER_MAC)
    host.add("10.1.0.1/24", "tap1")
    host.know("10.1.0.2", PEER_MAC, State.PERMANENT, "tap1")
    host.receive(udp_frame(dst="10.1.0.2"))
    assert host.sent("tap1") == []
    assert host.sent() == []
    assert host.reasons() == {"ip-dst-not-ours": 1}


# --- 3.2.1: the header ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [n for n in range(16) if n != 4])
def test_rfc1122_3_2_1_1_other_versions_are_silently_discarded(host: Host, version: int) -> None:
    frame = Ether(udp_frame())
    frame[IP].version = version
    del frame[IP].chksum
    assert silently_discarded(host, bytes(frame))
    assert host.reasons() == {"ip-bad-version": 1}


@pytest.mark.parametrize("at", range(8, 20))
def test_rfc1122_3_2_1_2_a_wrong_checksum_is_silently_discarded(host: Host, at: int) -> None:
    frame = bytearray(udp_frame())
    frame[14 + at] ^= 0x20
    assert silently_discarded(host, bytes(frame))
    assert host.reasons() == {"ip-bad-checksum": 1}


@pytest.mark.parametrize("dst", [PEER, "10.1.0.2", "8.8.8.8", "10.0.1.255", "127.0.0.1", "0.0.0.1"])
@pytest.mark.parametrize("protocol", [1, 17, 99])
def test_rfc1122_3_2_1_3_what_is_not_for_us_is_silently_discarded(
    host: Host, dst: str, protocol: int
) -> None:
    assert silently_discarded(host, frame_of(packet_of(protocol, SEGMENT, dst=dst)))


@pytest.mark.parametrize(
    "src",
    ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "255.255.255.255", "10.0.0.255", OURS],
)
def test_rfc1122_3_2_1_3_an_invalid_source_is_silently_discarded(host: Host, src: str) -> None:
    assert silently_discarded(host, udp_frame(src=src))
    assert silently_discarded(host, udp_frame(dport=8, src=src))  # a closed port
    assert silently_discarded(host, echo_request(src=src))


@pytest.mark.parametrize(
    "dst", [PEER, "8.8.8.8", "10.0.0.255", "255.255.255.255", "224.0.0.251", "127.0.0.1", OURS]
)
def test_rfc1122_3_2_1_3_the_source_is_always_an_address_of_ours(host: Host, dst: str) -> None:
    host.route("0.0.0.0/0", via=PEER)
    socket = host.socket()
    socket.broadcast = True
    host.send(socket, dst)
    sources = {frame.ip.src for frame in host.sent() if frame.ip}
    sources |= {int.from_bytes(packet.data[12:16]) for packet, _ in host.stack.loopback.queue}
    assert len(sources) == 1
    assert all(host.stack.ipv4.fib.is_local(src) for src in sources)


def test_rfc1122_3_2_1_3_without_an_address_nothing_is_sent() -> None:
    host = Host(bare=True)
    host.route("10.0.0.0/24", dev="tap0")
    with pytest.raises(SendRejected, match="address"):
        host.send(host.socket())
    assert host.sent() == []


@pytest.mark.parametrize("tos", [0, 0x10, 0xB8, 0xFF])
def test_rfc1122_3_2_1_6_the_type_of_service_changes_nothing_on_the_link(
    host: Host, tos: int
) -> None:
    frame = Ether(bytes(echo_request()))
    frame[IP].tos = tos
    del frame[IP].chksum
    host.receive(bytes(frame))
    (answer,) = host.sent()
    assert (answer.dst, answer.src) == (PEER_MAC, host.tap.mac)


@pytest.mark.parametrize("ttl", [0, 1, 2])
def test_rfc1122_3_2_1_7_a_small_time_to_live_is_no_reason_to_discard(host: Host, ttl: int) -> None:
    (socket,) = host.stack.udp
    host.receive(frame_of(packet_of(17, SEGMENT, ttl=ttl)))
    assert socket.rx_datagrams == 1


@pytest.mark.parametrize("ttl", [1, 17, 255])
def test_rfc1122_3_2_1_7_the_default_time_to_live_is_a_sysctl(host: Host, ttl: int) -> None:
    host.set("ip.default_ttl", ttl)
    host.send(host.socket())
    host.receive(echo_request(), udp_frame(dport=8))
    assert [frame.ip.ttl for frame in host.sent() if frame.ip] == [ttl] * 3


# --- 3.2.1.8: options -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [2, 30, 94, 130, 133, 134, 148, 158, 222])
def test_rfc1122_3_2_1_8_unknown_options_are_ignored(host: Host, kind: int) -> None:
    (socket,) = host.stack.udp
    host.receive(frame_of(packet_of(17, SEGMENT, options=bytes([kind, 4, 1, 2]))))
    assert socket.rx_datagrams == 1
    assert host.reasons() == {}


def test_rfc1122_3_2_1_8_b_no_option_is_sent_unasked(host: Host) -> None:
    socket = host.socket(dev="tap0")
    socket.broadcast = True
    for dst in (PEER, "10.0.0.255", "224.0.0.251"):
        host.send(socket, dst)
    host.receive(echo_request(), udp_frame(dport=8))
    headers = [frame.ip for frame in host.sent() if frame.ip and frame.ip.protocol in (1, 17)]
    assert len(headers) == 5
    assert all(header.options == b"" for header in headers)


def test_rfc1122_3_2_1_8_b_a_stream_identifier_is_ignored(host: Host) -> None:
    (socket,) = host.stack.udp
    host.receive(frame_of(packet_of(17, SEGMENT, options=b"\x88\x04\0\x07")))
    assert socket.rx_datagrams == 1
    assert host.reasons() == {}


def test_rfc1122_3_2_1_8_c_a_source_route_ends_here(host: Host) -> None:
    (socket,) = host.stack.udp
    host.set("ip.accept_source_route", 1)
    came = b"\x83\x07\x08" + ip("10.0.0.3").to_bytes(4)
    host.receive(frame_of(packet_of(17, SEGMENT, options=came)))
    datagram = socket.receive()
    assert datagram is not None
    assert datagram.options == came + b"\0"


def test_rfc1122_3_2_1_8_c_a_second_source_route_is_a_bad_option(host: Host) -> None:
    host.set("ip.accept_source_route", 1)
    host.receive(frame_of(packet_of(17, SEGMENT, options=b"\x83\3\4\x89\3\4")))
    (answer,) = host.sent()
    assert (answer.icmp.type, answer.icmp.rest >> 24) == (12, 23)


# --- 3.2.2: ICMP ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 2, 3, 5])
def test_rfc1122_3_2_2_1_unreachable_is_only_a_hint(host: Host, code: int) -> None:
    socket = host.socket(5000)
    host.receive(unreachable(code, udp_packet(5000, 9, src=OURS, dst=PEER)))
    assert len(socket.errors) == 1
    host.send(socket)
    (frame,) = host.sent()
    assert (frame.dst, frame.udp[2]) == (PEER_MAC, b"hello")


def test_rfc1122_3_2_2_2_a_host_sends_no_redirect(host: Host) -> None:
    # For somebody else on the same link: a gateway would forward it and tell its sender.
    host.route("0.0.0.0/0", via="10.0.0.254")
    host.receive(udp_frame(dst="10.0.0.3"), udp_frame(dst="8.8.8.8"))
    assert host.sent() == []


def test_rfc1122_3_2_2_5_parameter_problem_has_words_for_the_user(host: Host) -> None:
    socket = host.socket(5000)
    host.receive(icmp_frame(12, 0, 20 << 24, udp_packet(5000, 9, src=OURS, dst=PEER)))
    (error,) = socket.errors
    assert error.errno_name == "EPROTO"
    words = error.reason.why(error.detail)
    assert PEER in words
    assert "?" not in words


def test_rfc1122_3_2_2_6_an_echo_request_to_a_group_is_discarded(host: Host) -> None:
    to = multicast_mac(ip("224.0.0.251"))
    assert silently_discarded(host, echo_request(dst="224.0.0.251", to=to))


def test_rfc1122_3_2_2_7_information_requests_are_not_answered(host: Host) -> None:
    assert silently_discarded(host, icmp_frame(15, 0, 7 << 16))
    assert silently_discarded(host, icmp_frame(16, 0, 7 << 16))


@pytest.mark.parametrize("prefix", ["10.5.0.255/24", "10.5.0.3/30", "0.0.0.1/8"])
def test_rfc1122_3_2_2_9_a_mask_that_leaves_no_host_is_refused(host: Host, prefix: str) -> None:
    with pytest.raises(InvalidArgument):
        host.add(prefix)
    assert [text(item.local) for item in host.tap.ipv4.addresses.items] == [OURS]


def test_rfc1122_3_2_2_9_an_address_mask_request_is_not_answered(host: Host) -> None:
    assert silently_discarded(host, icmp_frame(17, 0, 7 << 16, bytes(4)))
    everybody = icmp_frame(17, 0, 0, bytes(4), dst="255.255.255.255", to=BROADCAST_MAC)
    assert silently_discarded(host, everybody)
