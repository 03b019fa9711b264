"""RFC 4443, ICMPv6: what is answered, with what, and what never is."""

import pytest

from smolctl.stack.neighbor.states import State
from smolctl.wire.icmpv6 import Type
from tests.kit.host import text
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    echo6_request,
    frame6_of,
    icmp6_packet,
    packet6_of,
    udp6_frame,
    udp6_packet,
)


@pytest.fixture
def host() -> Host6:
    host = Host6()
    for peer in (PEER6, PEER_LINK_LOCAL):
        host.know(peer, state=State.PERMANENT)
    return host


def test_rfc4443_2_2_an_answer_comes_from_the_address_that_was_asked(host: Host6) -> None:
    host.add("2001:db8::5/64")
    host.receive(echo6_request(), udp6_frame(dst="2001:db8::5"))
    assert [text(each.ip.src) for each in host.sent6()] == [OURS6, "2001:db8::5"]


def test_rfc4443_2_4_an_unknown_error_goes_to_who_sent_what_it_quotes(host: Host6) -> None:
    socket = host.socket(7, "::")
    host.send(socket, PEER6, 9)
    host.receive(frame6_of(icmp6_packet(99, 7, 0, udp6_packet(7, 9, b"", OURS6, PEER6))))
    assert host.reasons() == {"icmp6-error-unknown": 1}
    assert [(each.errno_name, text(each.offender)) for each in socket.errors] == [("EPROTO", PEER6)]


def test_rfc4443_2_4_an_unknown_informational_message_is_discarded(host: Host6) -> None:
    host.receive(frame6_of(icmp6_packet(200)))
    assert host.take() == []
    assert host.reasons() == {"icmp6-info-unknown": 1}


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 100, 127, Type.REDIRECT])
def test_rfc4443_2_4_no_error_answers_an_error_or_a_redirect(host: Host6, kind: int) -> None:
    # In front of it stands an option that asks for an answer.
    inner = icmp6_packet(kind)[40:]
    option = bytes([58, 0, 0x80, 0, 1, 2, 0, 0])
    host.receive(frame6_of(packet6_of(60, option + inner)))
    assert host.take() == []
    assert host.reasons() == {"ip6-option-unknown": 1, "icmp-reply-suppressed": 1}


@pytest.mark.parametrize("src", ["::", "2001:db8::"])
def test_rfc4443_2_4_no_error_goes_to_what_is_no_single_node(host: Host6, src: str) -> None:
    host.set("ip6.forward", 1)  # 2001:db8:: is the anycast address of the routers here
    host.receive(udp6_frame(src=src))
    assert host.take() == []


def test_rfc4443_2_4_an_error_holds_all_of_a_short_packet(host: Host6) -> None:
    packet = udp6_packet(payload=b"all of this")
    host.receive(frame6_of(packet))
    (sent,) = host.sent6()
    assert (sent.icmp.type, sent.icmp.code, sent.icmp.rest) == (1, 4, 0)
    assert sent.icmp.body == packet


def test_rfc4443_3_4_an_unknown_next_header_is_pointed_at(host: Host6) -> None:
    host.receive(frame6_of(packet6_of(253, b"x")))
    (sent,) = host.sent6()
    assert (sent.icmp.type, sent.icmp.code, sent.icmp.pointer) == (4, 1, 6)


def test_rfc4443_4_2_data_ident_and_sequence_come_back(host: Host6) -> None:
    data = bytes(range(256))
    host.receive(echo6_request(0x1234, 0x5678, data))
    (sent,) = host.sent6()
    assert (sent.icmp.type, sent.icmp.code, sent.icmp.rest) == (129, 0, 0x12345678)
    assert sent.icmp.body == data


def test_rfc4443_4_2_an_echo_request_to_a_group_is_answered_by_one_address(host: Host6) -> None:
    host.receive(echo6_request(src=PEER_LINK_LOCAL, dst="ff02::1"))
    (sent,) = host.sent6()
    assert sent.icmp.type == 129
    assert text(sent.ip.src) == OUR_LINK_LOCAL


def test_rfc4443_3_1_congestion_is_told_to_nobody(host: Host6) -> None:
    host.link("tap1")
    host.add("2001:db8:1::1/64", "tap1")
    host.set("ip6.forward", 1)
    host.set("neigh.unres_qlen", 1)
    host.receive(udp6_frame(dst="2001:db8:1::9"), udp6_frame(dst="2001:db8:1::9"))
    assert host.reasons()["neigh-queue-full"] == 1
    assert host.take() == []
