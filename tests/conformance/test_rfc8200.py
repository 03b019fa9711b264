"""RFC 8200, IPv6: the header, its extension headers and fragments, as one host sees them."""

import pytest

from smolctl.stack.neighbor.states import State
from smolctl.wire import udp
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import Fragment, Routing, options_header
from tests.kit.host import ip
from tests.kit.host6 import (
    OURS6,
    PEER6,
    Host6,
    echo6_request,
    frame6_of,
    icmp6_packet,
    packet6_of,
    udp6_packet,
)

SEGMENT = udp.to_bytes(9, 7, b"inside", ip(PEER6), ip(OURS6))


@pytest.fixture
def host() -> Host6:
    host = Host6()
    host.know(PEER6, state=State.PERMANENT)
    return host


def answers(host: Host6) -> list[tuple[int, int, int]]:
    """Return type, code and pointer of the errors that left."""
    return [(each.icmp.type, each.icmp.code, each.icmp.rest) for each in host.sent6()]


def heard(host: Host6, packet: bytes) -> bool:
    """Return whether a datagram to port 7 reaches its socket."""
    socket = host.socket(7, "::")
    host.receive(frame6_of(packet))
    return socket.receive() is not None


@pytest.mark.parametrize("hops", [0, 1])
def test_rfc8200_3_a_destination_takes_a_packet_with_no_hop_left(host: Host6, hops: int) -> None:
    assert heard(host, packet6_of(NextHeader.UDP, SEGMENT, hops=hops))


def test_rfc8200_4_headers_are_processed_in_the_order_they_stand_in(host: Host6) -> None:
    # The unknown option of the first header answers, not the routing header behind it.
    bad = options_header(43, [(0x80, b"")]) + Routing(17, 99, 2, b"").to_bytes()
    host.receive(frame6_of(packet6_of(60, bad + SEGMENT)))
    # And the other way around, the routing header is the first.
    bad = Routing(60, 99, 2, b"").to_bytes() + options_header(17, [(0x80, b"")])
    host.receive(frame6_of(packet6_of(43, bad + SEGMENT)))
    assert answers(host) == [(4, 2, 42), (4, 0, 42)]


def test_rfc8200_4_hop_by_hop_options_elsewhere_are_an_unknown_next_header(host: Host6) -> None:
    late = options_header(0, []) + options_header(17, [])
    assert not heard(host, packet6_of(60, late + SEGMENT))
    assert answers(host) == [(4, 1, 40)]


@pytest.mark.parametrize("order", [(60, 43, 60), (43, 60, 60), (60, 60, 43)])
def test_rfc8200_4_1_any_order_and_number_of_headers_is_taken(
    host: Host6, order: tuple[int, ...]
) -> None:
    following = (*order[1:], NextHeader.UDP)
    headers = b"".join(
        options_header(then, []) if kind == 60 else Routing(then, 0, 0, b"").to_bytes()
        for kind, then in zip(order, following, strict=True)
    )
    assert heard(host, packet6_of(order[0], headers + SEGMENT))


def test_rfc8200_4_2_options_are_processed_in_the_order_they_stand_in(host: Host6) -> None:
    # One to discard in silence stands in front of one that wants an answer.
    host.receive(frame6_of(packet6_of(60, options_header(17, [(0x40, b""), (0x80, b"")]))))
    assert answers(host) == []
    host.receive(frame6_of(packet6_of(60, options_header(17, [(0x80, b""), (0x40, b"")]))))
    assert answers(host) == [(4, 2, 42)]


def test_rfc8200_4_4_an_unknown_routing_type_is_passed_at_its_end_and_refused_before(
    host: Host6,
) -> None:
    at_end = Routing(17, 99, 0, bytes(12)).to_bytes()
    assert heard(host, packet6_of(43, at_end + SEGMENT))
    before = Routing(17, 99, 1, bytes(12)).to_bytes()
    host.receive(frame6_of(packet6_of(43, before + SEGMENT)))
    assert answers(host) == [(4, 0, 42)]


def test_rfc8200_4_5_a_fragment_of_no_multiple_of_8_bytes_is_answered(host: Host6) -> None:
    part = Fragment(17, 0, True, 1).to_bytes() + bytes(21)
    host.receive(frame6_of(packet6_of(44, part)))
    assert answers(host) == [(4, 0, 4)]


def test_rfc8200_4_5_a_fragment_beyond_the_largest_packet_is_answered(host: Host6) -> None:
    part = Fragment(17, 65528, False, 1).to_bytes() + bytes(24)
    host.receive(frame6_of(packet6_of(44, part)))
    assert answers(host) == [(4, 0, 42)]


def test_rfc8200_4_5_a_first_fragment_without_all_headers_is_answered(host: Host6) -> None:
    part = Fragment(60, 0, True, 1).to_bytes() + bytes([17, 1, 1, 4, 0, 0, 0, 0])
    host.receive(frame6_of(packet6_of(44, part)))
    assert answers(host) == [(4, 3, 0)]


def test_rfc8200_4_5_the_last_fragment_alone_times_out_in_silence(host: Host6) -> None:
    part = Fragment(17, 1232, False, 1).to_bytes() + bytes(24)
    host.receive(frame6_of(packet6_of(44, part)))
    host.wait(60_000_000_000)
    assert answers(host) == []
    assert host.reasons()["frag-timeout"] == 1


def test_rfc8200_4_5_the_next_header_of_the_first_fragment_counts(host: Host6) -> None:
    socket = host.socket(7, "::")
    for protocol, start, end in ((6, 8, len(SEGMENT)), (17, 0, 8)):
        part = Fragment(protocol, start, start == 0, 1).to_bytes() + SEGMENT[start:end]
        host.receive(frame6_of(packet6_of(44, part)))
    assert socket.receive() is not None


def test_rfc8200_4_5_idents_differ_between_packets_of_one_pair(host: Host6) -> None:
    socket = host.socket(7, "::")
    for _ in range(20):
        host.send(socket, PEER6, 9, bytes(2000))
    idents = [int.from_bytes(each.packet[44:48]) for each in host.sent6()]
    assert len(idents) == 40
    assert len(set(idents)) == 20


def test_rfc8200_4_7_after_59_nothing_is_looked_at(host: Host6) -> None:
    host.receive(frame6_of(packet6_of(NextHeader.NONE, b"anything")))
    host.receive(frame6_of(packet6_of(60, options_header(NextHeader.NONE, []) + b"any")))
    assert answers(host) == []
    assert host.reasons() == {"ip6-no-next-header": 2}


def test_rfc8200_5_a_packet_of_1280_bytes_is_never_cut(host: Host6) -> None:
    host.receive(frame6_of(icmp6_packet(2, 0, 600, udp6_packet(7, 9, bytes(1400), OURS6, PEER6))))
    socket = host.socket(7, "::")
    host.send(socket, PEER6, 9, bytes(1280 - 48))
    (sent,) = host.sent6()
    assert (len(sent.packet), sent.ip.next_header) == (1280, NextHeader.UDP)


def test_rfc8200_5_a_reassembled_packet_of_1500_bytes_is_taken(host: Host6) -> None:
    segment = udp.to_bytes(9, 7, bytes(1452), ip(PEER6), ip(OURS6))
    socket = host.socket(7, "::")
    for start, end in ((0, 800), (800, len(segment))):
        part = Fragment(17, start, end < len(segment), 1).to_bytes() + segment[start:end]
        host.receive(frame6_of(packet6_of(44, part)))
    datagram = socket.receive()
    assert datagram is not None
    assert len(datagram.payload) == 1452


def test_rfc8200_8_1_a_datagram_whose_checksum_is_0_is_discarded(host: Host6) -> None:
    assert not heard(host, packet6_of(17, SEGMENT[:6] + b"\0\0" + SEGMENT[8:]))
    assert host.reasons() == {"udp6-no-checksum": 1}


def test_rfc8200_8_1_a_checksum_that_comes_out_as_0_leaves_as_ffff(host: Host6) -> None:
    socket = host.socket(7, "::")
    bare = udp.to_bytes(7, 9, b"\0\0", ip(OURS6), ip(PEER6))
    host.send(socket, PEER6, 9, bare[6:8])  # the sum of all else, which makes it come out as 0
    (sent,) = host.sent6()
    assert sent.payload[6:8] == b"\xff\xff"


def test_rfc8200_8_4_no_routing_header_is_turned_around_in_an_answer(host: Host6) -> None:
    echo = echo6_request()[54:]
    host.receive(frame6_of(packet6_of(43, Routing(58, 0, 0, bytes(20)).to_bytes() + echo)))
    (sent,) = host.sent6()
    assert sent.ip.next_header == NextHeader.ICMPV6
    assert sent.icmp.type == 129


def test_rfc8200_5_a_packet_of_the_links_mtu_is_taken(host: Host6) -> None:
    assert heard(host, udp6_packet(payload=bytes(1500 - 48)))
