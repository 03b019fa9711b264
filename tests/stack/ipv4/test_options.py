"""IP options and the type of service: what a host does with them, in and out."""

import pytest

from smolctl.errors import SendRejected
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.neighbor.states import State
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import icmpv4, ipv4, ipv4_options
from smolctl.wire.address import BROADCAST_MAC
from smolctl.wire.ipv4_options import Stamps
from tests.kit.host import (
    OURS,
    PEER,
    PEER_MAC,
    Host,
    Seen,
    echo_request,
    frame_of,
    ip,
    packet_of,
    text,
    udp_frame,
    udp_packet,
)

HOP = "10.0.0.3"
NOON = 12 * 3_600_000
SEGMENT = udp_packet()[20:]
ECHO = echo_request()[34:]


@pytest.fixture
def host() -> Host:
    """A host that knows its neighbors, and what time it is."""
    host = Host()
    for number, neighbor in enumerate((PEER, HOP), 2):
        host.know(neighbor, b"\2\0\0\0\0" + bytes([number]), State.PERMANENT)
    noon = 20_000 * 86_400 + NOON // 1000
    began = host.now
    host.stack.shared.wall_time = lambda now: noon + (now - began) / 1e9
    return host


def came(options: str, payload: bytes = SEGMENT, protocol: int = 17, tos: int = 0) -> bytes:
    raw = bytes.fromhex(options)
    return frame_of(packet_of(protocol, payload, options=raw, tos=tos))


def answer(host: Host) -> Seen:
    (frame,) = host.sent()
    assert frame.ip is not None
    return frame


def options_of(frame: Seen) -> bytes:
    assert frame.ip is not None
    return frame.ip.options


# --- in -------------------------------------------------------------------------------------------


def test_a_datagram_says_its_options_with_our_address_in_them(host: Host) -> None:
    socket = host.socket(7)
    host.receive(came("07 07 04 00000000 94 04 0000"))
    datagram = socket.receive()
    assert datagram is not None
    assert datagram.options.hex() == "070708" + "0a000001" + "94040000" + "00"
    assert host.reasons() == {}


def test_a_timestamp_is_ms_since_midnight(host: Host) -> None:
    socket = host.socket(7)
    host.wait(1_500_000_000)
    host.receive(came("44 08 05 00 00000000"))
    datagram = socket.receive()
    assert datagram is not None
    assert int.from_bytes(datagram.options[4:8]) == NOON + 1500


def test_a_timestamp_that_was_missed_15_times_is_answered_and_one_more_is_bad(host: Host) -> None:
    full = "44 08 09 {} 00000000"
    host.receive(came(full.format("e0"), ECHO, 1))
    assert options_of(answer(host)).hex() == "440809f000000000"
    host.receive(came(full.format("f0"), ECHO, 1))
    assert answer(host).icmp.rest >> 24 == 23


def test_a_stack_without_the_time_of_day_says_so_by_the_first_bit(host: Host) -> None:
    host.stack.shared.wall_time = None
    socket = host.socket(7)
    host.receive(came("44 08 05 00 00000000"))
    datagram = socket.receive()
    assert datagram is not None
    assert datagram.options[4] & 0x80


def test_a_broadcast_records_the_address_that_would_answer(host: Host) -> None:
    socket = host.socket(7)
    packet = packet_of(17, SEGMENT[:6] + b"\0\0" + SEGMENT[8:], dst="10.0.0.255",
                       options=bytes.fromhex("07 07 04 00000000"))  # fmt: skip
    host.receive(frame_of(packet, to=BROADCAST_MAC))
    datagram = socket.receive()
    assert datagram is not None
    assert datagram.options[3:7] == ip(OURS).to_bytes(4)


@pytest.mark.parametrize(("options", "pointer"), [("07 02", 21), ("de 09 00 00", 20)])
def test_a_bad_option_is_answered_with_its_place(host: Host, options: str, pointer: int) -> None:
    host.socket(7)
    frame = came(options)
    host.receive(frame)
    message = answer(host).icmp
    assert (message.type, message.code) == (icmpv4.Type.PARAMETER_PROBLEM, 0)
    assert message.rest == pointer << 24
    assert message.body == frame[14:]
    assert host.reasons() == {"ip-bad-option": 1}


def test_nobody_is_told_of_a_bad_option_in_a_broadcast(host: Host) -> None:
    host.receive(frame_of(packet_of(17, SEGMENT, options=b"\7\2"), to=BROADCAST_MAC))
    assert host.sent() == []
    assert host.reasons() == {"ip-bad-option": 1, "icmp-reply-suppressed": 1}


def test_a_source_route_is_refused_and_the_sender_told(host: Host) -> None:
    socket = host.socket(7)
    host.receive(came("83 07 08 0a000003"))
    message = answer(host).icmp
    assert (message.type, message.code) == (3, icmpv4.Unreachable.SOURCE_ROUTE_FAILED)
    assert socket.rx_datagrams == 0
    assert host.reasons() == {"ip-source-route": 1}


def test_a_source_route_that_goes_on_is_not_followed(host: Host) -> None:
    host.set("ip.accept_source_route", 1)
    host.receive(came("83 07 04 0a000003"))
    assert answer(host).icmp.code == icmpv4.Unreachable.SOURCE_ROUTE_FAILED
    assert host.reasons() == {"ip-source-route-open": 1}


def test_an_error_quotes_the_packet_as_it_came(host: Host) -> None:
    frame = came("07 07 04 00000000")
    host.receive(frame)
    error = answer(host)
    assert error.icmp.body == frame[14:]
    # As in an answer (Linux icmp_send), the route is recorded on the way back.
    assert ipv4_options.recorded(options_of(error)) == [ip(OURS)]


def test_an_error_with_options_stays_within_576_bytes(host: Host) -> None:
    frame = frame_of(packet_of(17, udp_packet(payload=bytes(1000))[20:],
                               options=ipv4_options.record()))  # fmt: skip
    host.receive(frame)
    error = answer(host)
    assert error.ip is not None
    assert error.ip.total_length == 576


# --- answers --------------------------------------------------------------------------------------


def test_an_echo_reply_goes_on_recording(host: Host) -> None:
    host.receive(came(ipv4_options.record().hex(), ECHO, 1))
    assert ipv4_options.recorded(options_of(answer(host))) == [ip(OURS), ip(OURS)]


def test_an_echo_reply_goes_back_by_the_source_route(host: Host) -> None:
    host.set("ip.accept_source_route", 1)
    host.receive(came("83 07 08 0a000003", ECHO, 1))
    reply = answer(host)
    assert reply.ip is not None
    assert text(reply.ip.dst) == HOP
    assert reply.dst == b"\2\0\0\0\0\3"
    assert options_of(reply) == bytes.fromhex("83 07 04 0a000002 00")


@pytest.mark.parametrize("tos", [0x10, 0xB8, 0x03, 0xFF])
def test_an_echo_reply_has_the_type_of_service_of_the_request(host: Host, tos: int) -> None:
    host.receive(came("", ECHO, 1, tos))
    reply = answer(host)
    assert reply.ip is not None
    assert reply.ip.dscp_ecn == tos


@pytest.mark.parametrize(
    ("policy", "tos", "sent"),
    [("control", 0, 0xC0), ("control", 0xB8, 0xD8), ("control", 3, 0xC2), ("zero", 0xB8, 0)],
)
def test_the_type_of_service_of_errors_is_a_policy(
    host: Host, policy: str, tos: int, sent: int
) -> None:
    host.set("icmp.error_tos", policy)
    host.receive(came("", tos=tos))
    error = answer(host)
    assert error.ip is not None
    assert error.ip.dscp_ecn == sent


# --- the type of service, and options that are sent -----------------------------------------------


@pytest.fixture
def socket(host: Host) -> UdpSocket:
    return host.socket(5000)


def test_datagrams_have_the_type_of_service_that_their_socket_says(
    host: Host, socket: UdpSocket
) -> None:
    socket.tos = 0xB8
    for _ in range(2):
        host.stack.udp.send(socket, b"x", ip(PEER), 9, host.now)
    headers = [frame.ip for frame in host.sent()]
    assert [header.dscp_ecn for header in headers if header] == [0xB8, 0xB8]


@pytest.mark.parametrize("tos", [0, 0x28])
def test_a_datagram_says_its_type_of_service_on_either_path(host: Host, tos: int) -> None:
    socket = host.socket(7)
    marked = frame_of(packet_of(ipv4.Protocol.UDP, SEGMENT, tos=tos))
    host.receive(*[udp_frame()] * 3, marked, udp_frame())
    received = [socket.receive() for _ in range(5)]
    assert [item.tos for item in received if item] == [0, 0, 0, tos, 0]


def test_to_ourselves_too(host: Host, socket: UdpSocket) -> None:
    here = host.socket(9)
    socket.tos, socket.options = 0x10, ipv4_options.ROUTER_ALERT
    for _ in range(2):
        host.stack.udp.send(socket, b"x", ip(OURS), 9, host.now)
        host.poll()
        datagram = here.receive()
        assert datagram is not None
        assert (datagram.tos, datagram.options) == (0x10, ipv4_options.ROUTER_ALERT)


def test_a_sender_records_itself_first(host: Host, socket: UdpSocket) -> None:
    socket.options = ipv4_options.record() + b"\1"
    host.send(socket)
    assert ipv4_options.recorded(options_of(answer(host))) == [ip(OURS)]
    socket.options = ipv4_options.timestamp(Stamps.TIMES)
    host.stack.generation.touch()
    host.send(socket)
    assert options_of(answer(host))[4:8] == NOON.to_bytes(4)


def test_a_source_route_leads_to_its_first_hop(host: Host, socket: UdpSocket) -> None:
    socket.options = ipv4_options.route([ip(HOP)])
    host.send(socket, "8.8.8.8", 9)
    frame = answer(host)
    assert frame.ip is not None
    assert text(frame.ip.dst) == HOP  # on the link, though there is no route to 8.8.8.8
    assert options_of(frame) == bytes.fromhex("83 07 04 08080808 00")
    # RFC 768: the checksum is about the address where the datagram ends.
    assert frame._replace(ip=frame.ip._replace(dst=ip("8.8.8.8"))).udp == (5000, 9, b"hello")


def test_options_count_for_the_size(host: Host, socket: UdpSocket) -> None:
    socket.options, socket.pmtudisc = ipv4_options.record(), Pmtudisc.DO
    host.send(socket, payload=bytes(1500 - 28 - 40))
    with pytest.raises(SendRejected) as caught:
        host.send(socket, payload=bytes(1500 - 28 - 39))
    assert caught.value.code == "tx-too-big"
    assert "1432" in str(caught.value.message)


def test_what_comes_in_fragments_keeps_its_options(host: Host) -> None:
    socket = host.socket(7)
    raw = bytes.fromhex("07 07 04 00000000")
    first = packet_of(17, SEGMENT[:8], mf=True, options=raw)
    host.receive(frame_of(first), frame_of(packet_of(17, SEGMENT[8:], offset=8)))
    datagram = socket.receive()
    assert datagram is not None
    assert ipv4_options.recorded(datagram.options) == [ip(OURS)]
    assert PEER_MAC
