"""Extension headers, fragments and path MTUs of IPv6 (RFC 8200 4, 5722, 6946, 8021, 8201)."""

from itertools import permutations

import pytest

from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.neighbor.states import State
from smolctl.wire import icmpv6, ipv6, udp
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import PADN, ROUTER_ALERT, Fragment, Routing, options_header
from tests.kit.clock import SECOND_NS
from tests.kit.host import ip, text
from tests.kit.host6 import (
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    echo6_request,
    frame6_of,
    icmp6_packet,
    packet6_of,
    udp6_packet,
)

PAYLOAD = bytes(range(256)) * 12
SEGMENT = udp.to_bytes(9, 7, PAYLOAD, ip(PEER6), ip(OURS6))


@pytest.fixture
def host() -> Host6:
    host = Host6()
    host.know(PEER6, state=State.PERMANENT)
    return host


def piece(
    start: int,
    end: int,
    *,
    ident: int = 1,
    src: str = PEER6,
    data: bytes = SEGMENT,
    protocol: int = 17,
    front: bytes = b"",
    first: int = NextHeader.FRAGMENT,
    mf: bool | None = None,
    traffic_class: int = 0,
) -> bytes:
    """Return a frame with the bytes ``start`` to ``end`` of a packet that was cut."""
    more = end < len(data) if mf is None else mf
    fragment = Fragment(protocol, start, more, ident).to_bytes()
    body = front + fragment + data[start:end]
    return frame6_of(packet6_of(first, body, src, traffic_class=traffic_class))


# --- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "headers"),
    [
        (0, options_header(17, [(ROUTER_ALERT, b"\0\0")])),
        (60, options_header(17, [(0x1E, b"abc")])),
        (60, options_header(60, []) + options_header(17, [(PADN, bytes(4))])),
        (43, Routing(17, 0, 0, bytes(20)).to_bytes()),
        (44, Fragment(17, 0, False, 5).to_bytes()),
        (0, options_header(43, []) + Routing(60, 4, 0, b"").to_bytes() + options_header(17, [])),
    ],
)
def test_headers_in_front_of_a_datagram_are_passed(host: Host6, first: int, headers: bytes) -> None:
    socket = host.socket(7, "::")
    segment = udp.to_bytes(9, 7, b"inside", ip(PEER6), ip(OURS6))
    host.receive(frame6_of(packet6_of(first, headers + segment)))
    datagram = socket.receive()
    assert datagram is not None
    assert datagram.payload == b"inside"


@pytest.mark.parametrize(
    ("kind", "dst", "answered"),
    [(0x9E, OURS6, True), (0xDE, OURS6, True), (0x9E, "ff02::1", True), (0xDE, "ff02::1", False)],
)
def test_an_unknown_option_is_answered_as_it_asks(
    host: Host6, kind: int, dst: str, answered: bool
) -> None:
    host.know(PEER_LINK_LOCAL)
    src = PEER6 if dst == OURS6 else PEER_LINK_LOCAL
    packet = packet6_of(60, options_header(17, [(kind, b"")]) + SEGMENT[:8], src, dst)
    host.receive(frame6_of(packet))
    sent = host.sent6()
    assert [(each.icmp.type, each.icmp.code, each.icmp.pointer) for each in sent] == (
        [(4, 2, 42)] if answered else []
    )
    assert host.reasons() == {"ip6-option-unknown": 1}


def test_an_unknown_protocol_is_answered_where_it_is_named(host: Host6) -> None:
    host.receive(frame6_of(packet6_of(132, b"x")))
    host.receive(frame6_of(packet6_of(60, options_header(132, []) + b"x")))
    answers = [(each.icmp.type, each.icmp.code, each.icmp.pointer) for each in host.sent6()]
    assert answers == [(4, 1, 6), (4, 1, 40)]


def test_a_chain_that_does_not_end_is_bounded(host: Host6) -> None:
    chain = options_header(60, []) * 40 + options_header(17, []) + SEGMENT[:100]
    host.receive(frame6_of(packet6_of(60, chain)))
    assert host.reasons() == {"ip6-option-limit": 1}


def test_the_number_of_options_is_a_sysctl(host: Host6) -> None:
    socket = host.socket(7, "::")
    host.set("ip6.max_dst_opts", 9)
    segment = udp.to_bytes(9, 7, b"inside", ip(PEER6), ip(OURS6))
    host.receive(frame6_of(packet6_of(60, options_header(17, [(0x1E, b"")] * 9) + segment)))
    assert socket.receive() is not None


# --- fragments in ---------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_fragments_may_come_in_any_order(host: Host6, order: tuple[int, ...]) -> None:
    socket = host.socket(7, "::")
    frames = [piece(0, 1232), piece(1232, 2464), piece(2464, len(SEGMENT))]
    for number in order:
        host.receive(frames[number])
    datagram = socket.receive()
    assert datagram is not None
    assert datagram.payload == PAYLOAD
    assert host.reasons() == {"frag-pending": 2}
    assert host.stack.ipv6.reassembly.deadline() is None


def test_headers_on_both_sides_of_the_fragment_header(host: Host6) -> None:
    socket = host.socket(7, "::")
    inside = options_header(17, []) + SEGMENT
    front = options_header(44, [])
    how = {"protocol": 60, "data": inside, "front": front, "first": 0}
    host.receive(piece(0, 1232, **how))  # type: ignore[arg-type]
    host.receive(piece(1232, len(inside), **how))  # type: ignore[arg-type]
    datagram = socket.receive()
    assert datagram is not None
    assert datagram.payload == PAYLOAD


def test_fragments_belong_together_by_source_destination_and_ident(host: Host6) -> None:
    socket = host.socket(7, "::")
    host.receive(piece(1232, len(SEGMENT)), piece(0, 1232, ident=2))
    host.receive(piece(0, 1232, src="2001:db8::3"))
    assert socket.receive() is None
    host.receive(piece(0, 1232))
    assert socket.receive() is not None


def test_an_overlap_drops_the_whole_packet_and_what_still_comes(host: Host6) -> None:
    socket = host.socket(7, "::")
    host.receive(piece(0, 1232), piece(1224, 2464), piece(1232, 2464), piece(2464, len(SEGMENT)))
    assert socket.receive() is None
    assert host.reasons() == {"frag-pending": 1, "frag6-overlap": 4}
    assert host.take() == []


def test_a_fragment_that_comes_twice_does_no_harm(host: Host6) -> None:
    socket = host.socket(7, "::")
    host.receive(piece(0, 1232), piece(0, 1232), piece(1232, len(SEGMENT)))
    assert socket.receive() is not None


def test_an_atomic_fragment_has_nothing_to_do_with_others(host: Host6) -> None:
    socket = host.socket(7, "::")
    host.receive(piece(0, 1232))
    whole = udp.to_bytes(9, 7, b"whole", ip(PEER6), ip(OURS6))
    host.receive(frame6_of(packet6_of(44, Fragment(17, 0, False, 1).to_bytes() + whole)))
    assert socket.receive() is not None
    host.receive(piece(1232, len(SEGMENT)))
    assert socket.receive() is not None


def test_fragments_are_given_up_after_a_minute_and_the_sender_is_told(host: Host6) -> None:
    host.receive(piece(0, 1232))
    host.wait(59 * SECOND_NS)
    assert host.take() == []
    host.wait(SECOND_NS)
    (error,) = host.sent6()
    assert (error.icmp.type, error.icmp.code) == (3, 1)
    assert host.reasons() == {"frag-pending": 1, "frag-timeout": 1}
    host.receive(piece(1232, len(SEGMENT)))
    host.wait(60 * SECOND_NS)
    assert host.take() == []  # the first one was not there


def test_the_mark_of_congestion_survives(host: Host6) -> None:
    socket = host.socket(7, "::")
    host.receive(piece(0, 1232, traffic_class=2), piece(1232, len(SEGMENT), traffic_class=3))
    datagram = socket.receive()
    assert datagram is not None
    assert datagram.tos == 3


def test_a_big_echo_request_is_answered_in_pieces(host: Host6) -> None:
    message = echo6_request(data=bytes(3000))[54:]
    host.receive(piece(0, 1232, data=message, protocol=58))
    host.receive(piece(1232, len(message), data=message, protocol=58))
    pieces = host.sent6()
    assert [len(each.packet) <= 1500 for each in pieces] == [True] * 3
    body = b"".join(each.payload for each in pieces)
    reply = icmpv6.parse(body, ip(OURS6), ip(PEER6))
    assert isinstance(reply, icmpv6.Icmpv6Message)
    assert (reply.type, len(reply.body)) == (129, 3000)


# --- fragments out, and path MTUs (RFC 8201) ------------------------------------------------------


def too_big(mtu: int, packet: bytes) -> bytes:
    return frame6_of(icmp6_packet(2, 0, mtu, packet[:1232], "2001:db8::99"))


def test_what_does_not_fit_leaves_in_fragments(host: Host6) -> None:
    host.send(host.socket(7, "::"), PEER6, 9, PAYLOAD)
    pieces = host.sent6()
    assert {each.ip.next_header for each in pieces} == {NextHeader.FRAGMENT}
    assert max(len(each.packet) for each in pieces) <= 1500
    segment = b"".join(each.payload for each in pieces)
    header = udp.parse(segment, ip(OURS6), ip(PEER6))
    assert isinstance(header, udp.UdpHeader)
    assert udp.payload(segment, header) == PAYLOAD


def test_what_insists_is_refused(host: Host6) -> None:
    socket = host.socket(7, "::")
    socket.pmtudisc = Pmtudisc.DO
    with pytest.raises(Exception, match="1501 B"):
        host.send(socket, PEER6, 9, bytes(1453))
    host.send(socket, PEER6, 9, bytes(1452))
    (sent,) = host.sent6()
    assert len(sent.packet) == 1500


def test_a_router_that_cannot_pass_a_packet_on_is_believed(host: Host6) -> None:
    socket = host.socket(7, "::")
    host.send(socket, PEER6, 9, bytes(1452))
    (sent,) = host.sent6()
    host.receive(too_big(1400, sent.packet))
    (error,) = socket.errors
    assert error.errno_name == "EMSGSIZE"
    host.send(socket, PEER6, 9, bytes(1452))
    assert [len(each.packet) for each in host.sent6()] == [1400, 156]
    host.send(socket, "2001:db8::3", 9, bytes(10))
    host.know("2001:db8::3")
    host.send(socket, "2001:db8::3", 9, bytes(1452))
    assert 1500 in [len(each.packet) for each in host.sent6()]
    host.wait(600 * SECOND_NS)
    host.sent6()
    host.send(socket, PEER6, 9, bytes(1452))
    assert [len(each.packet) for each in host.sent6()] == [1500]


def test_less_than_1280_is_never_believed(host: Host6) -> None:
    socket = host.socket(7, "::")
    host.send(socket, PEER6, 9, bytes(1452))
    (sent,) = host.sent6()
    host.receive(too_big(600, sent.packet))
    assert host.reasons() == {"icmp6-mtu-too-small": 1}
    assert not socket.errors
    host.send(socket, PEER6, 9, bytes(1452))
    assert [len(each.packet) for each in host.sent6()] == [1500]


def test_what_fits_is_never_sent_as_an_atomic_fragment(host: Host6) -> None:
    socket = host.socket(7, "::")
    host.send(socket, PEER6, 9, bytes(1000))
    (sent,) = host.sent6()
    host.receive(too_big(600, sent.packet))
    host.send(socket, PEER6, 9, bytes(1000))
    (again,) = host.sent6()
    assert again.ip.next_header == NextHeader.UDP


def test_a_path_mtu_never_grows_by_a_message(host: Host6) -> None:
    socket = host.socket(7, "::")
    host.send(socket, PEER6, 9, bytes(1452))
    (sent,) = host.sent6()
    host.receive(too_big(1300, sent.packet), too_big(1450, sent.packet))
    host.send(socket, PEER6, 9, bytes(1452))
    assert max(len(each.packet) for each in host.sent6()) <= 1300


def test_a_message_about_a_packet_that_nobody_sent_teaches_nothing(host: Host6) -> None:
    host.receive(too_big(1300, udp6_packet(src=OURS6, dst=PEER6)))
    assert host.reasons() == {"icmp6-mtu-unmatched": 1}
    assert len(host.stack.ipv6.fib.path_mtus) == 0
    assert text(ip(PEER6)) == PEER6
    assert ipv6.MIN_MTU == 1280


def test_what_ipv4_thinks_of_path_mtus_does_not_matter(host: Host6) -> None:
    host.set("ip.no_pmtu_disc", 2)
    host.set("ip.min_pmtu", 1450)
    socket = host.socket(7, "::")
    host.send(socket, PEER6, 9, bytes(1452))
    (sent,) = host.sent6()
    host.receive(too_big(1400, sent.packet))
    host.send(socket, PEER6, 9, bytes(1452))
    assert max(len(each.packet) for each in host.sent6()) == 1400
