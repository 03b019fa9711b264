"""RFC 4861, neighbor discovery: what a node believes of others, and what it says itself."""

import pytest

from smolctl.stack.neighbor.states import State
from smolctl.wire.address import multicast_mac, packed, solicited_node
from smolctl.wire.icmpv6 import Icmpv6Message
from smolctl.wire.ndp import (
    NeighborAdvertisement,
    Options,
    RouterAdvertisement,
    RouterSolicitation,
)
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, OUR_MAC, PEER_MAC, ip
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    advertise,
    frame6_of,
    nd_frame,
    packet6_of,
    solicit,
    udp6_frame,
)


@pytest.fixture
def host() -> Host6:
    return Host6()


def nd_message(body: bytes) -> bytes:
    """Return a frame with a message of neighbor discovery whose bytes are given."""
    message = Icmpv6Message(body[0], body[1], int.from_bytes(body[4:8]), body[8:])
    group = solicited_node(ip(OURS6))
    dst = "ff02::1:ff00:1" if body[0] == 135 else OURS6
    assert ip("ff02::1:ff00:1") == group
    return frame6_of(packet6_of(58, message.to_bytes(ip(PEER6), ip(dst)), PEER6, dst, hops=255))


def state(host: Host6, address: str = PEER6) -> str | None:
    found = host.neighbor(address)
    return None if found is None else found.state.value


SOLICITATION = bytes([135, 0, 0, 0, 0, 0, 0, 0]) + packed(ip(OURS6))


def test_rfc4861_7_1_1_options_of_length_0_and_codes_discard_the_message(host: Host6) -> None:
    host.receive(nd_message(SOLICITATION + bytes([1, 0, 0, 0, 0, 0, 0, 0])))
    host.receive(nd_message(bytes([135, 1]) + SOLICITATION[2:]))
    host.receive(nd_message(SOLICITATION[:20]))
    assert host.take() == []


def test_rfc4861_6_1_1_a_solicitation_of_routers_is_discarded(host: Host6) -> None:
    for forward in (0, 1):
        host.set("ip6.forward", forward)
        host.poll()
        host.take()
        host.receive(
            nd_frame(RouterSolicitation(Options(source=PEER_MAC)), PEER_LINK_LOCAL, "ff02::2")
        )
        # A router hears it, and a host is not in the group; neither advertises anything.
        assert [each for each in host.sent6() if each.icmp.type == 134] == []
    host.receive(nd_frame(RouterSolicitation(), PEER_LINK_LOCAL, "ff02::1"))
    assert host.reasons() == {"ip6-multicast-not-joined": 1, "rs-at-host": 2}
    assert host.neighbor(PEER_LINK_LOCAL) is None


@pytest.mark.parametrize(
    ("src", "hops", "cut", "reason"),
    [
        (PEER_LINK_LOCAL, 255, 0, "ra-ignored"),
        (PEER6, 255, 0, "ra-not-link-local"),
        (PEER_LINK_LOCAL, 64, 0, "nd-bad-hop-limit"),
        (PEER_LINK_LOCAL, 255, 9, "nd-too-short"),
    ],
)
def test_rfc4861_6_1_2_a_router_advertisement_is_validated(
    host: Host6, src: str, hops: int, cut: int, reason: str
) -> None:
    message = RouterAdvertisement(64, False, False, 0, 1800, 0, 0)
    whole = message.to_bytes(ip(src), ip("ff02::1"))
    body = whole[8 : len(whole) - cut]
    again = Icmpv6Message(134, 0, int.from_bytes(whole[4:8]), body).to_bytes(ip(src), ip("ff02::1"))
    host.receive(frame6_of(packet6_of(58, again, src, "ff02::1", hops=hops)))
    assert host.reasons() == {reason: 1}
    assert host.sent6() == []


def test_rfc4861_7_1_1_unknown_options_and_reserved_bits_are_ignored(host: Host6) -> None:
    host.know(PEER6, state=State.PERMANENT)
    odd = SOLICITATION[:4] + b"\xff\xff\xff\xff" + SOLICITATION[8:]
    host.receive(nd_message(odd + bytes([250, 1, 0, 0, 0, 0, 0, 0])))
    assert len(host.sent6()) == 1


def test_rfc4861_7_2_2_a_question_is_to_the_group_with_our_mac_in_it(host: Host6) -> None:
    host.send(host.socket(7, "::"), PEER6, 9)
    (question,) = host.sent6()
    assert question.ip.dst == solicited_node(ip(PEER6))
    assert question.dst == multicast_mac(question.ip.dst)
    assert question.nd.options.source == OUR_MAC
    assert (question.ip.hop_limit, question.ip.src) == (255, ip(OURS6))


def test_rfc4861_7_2_2_no_more_than_one_question_a_second_for_one_neighbor(host: Host6) -> None:
    socket = host.socket(7, "::")
    for _ in range(5):
        host.send(socket, PEER6, 9)
    assert len(host.sent6()) == 1
    host.wait(SECOND_NS - 1)
    assert host.take() == []
    host.wait(1)
    assert len(host.sent6()) == 1


def test_rfc4861_7_2_4_a_solicited_answer_has_our_mac_and_says_so(host: Host6) -> None:
    host.receive(solicit())
    (answer,) = host.sent6()
    message = answer.nd
    assert (message.solicited, message.override) == (True, True)  # type: ignore[union-attr]
    assert message.options.target == OUR_MAC
    assert (answer.ip.src, answer.ip.dst, answer.ip.hop_limit) == (ip(OURS6), ip(PEER6), 255)


def test_rfc4861_7_2_3_a_solicitation_makes_a_stale_entry(host: Host6) -> None:
    host.receive(solicit())
    assert state(host) == "DELAY"  # our answer used the new entry, which was STALE


def test_rfc4861_7_2_5_who_was_not_asked_for_is_not_taken_into_the_cache(host: Host6) -> None:
    host.receive(advertise())
    assert state(host) is None


def test_rfc4861_7_3_3_a_stale_neighbor_is_used_at_once_and_asked_after_five_seconds(
    host: Host6,
) -> None:
    host.receive(solicit())
    host.take()
    host.send(host.socket(7, "::"), PEER6, 9)
    assert [each.protocol for each in host.sent6()] == [17]
    assert state(host) == "DELAY"
    host.wait(5 * SECOND_NS)
    (question,) = host.sent6()
    assert (question.ip.dst, state(host)) == (ip(PEER6), "PROBE")


def test_rfc4861_7_3_3_after_three_probes_without_an_answer_it_is_forgotten(host: Host6) -> None:
    host.receive(solicit())
    host.take()
    host.send(host.socket(7, "::"), PEER6, 9)
    host.wait(5 * SECOND_NS)
    for _ in range(3):
        host.wait(SECOND_NS)
    asked = [each.ip.dst for each in host.sent6()][1:]
    assert asked == [ip(PEER6)] * 3
    assert state(host) == "FAILED"


def test_rfc4861_5_2_a_group_needs_no_neighbor(host: Host6) -> None:
    host.send(host.socket(7, "::", "tap0"), "ff02::5", 9)
    (sent,) = host.sent6()
    assert (sent.dst, sent.protocol) == (multicast_mac(ip("ff02::5")), 17)
    assert sent.ip.src == ip(OUR_LINK_LOCAL)


def test_rfc4861_7_1_2_an_advertisement_from_beyond_a_router_is_discarded(host: Host6) -> None:
    host.know(PEER6, OTHER_MAC)
    message = NeighborAdvertisement(False, True, True, ip(PEER6), Options(target=PEER_MAC))
    host.receive(nd_frame(message, hops=254))
    entry = host.neighbor(PEER6)
    assert entry is not None
    assert entry.lladdr == OTHER_MAC


def test_rfc4861_8_2_one_sender_gets_few_redirects(host: Host6) -> None:
    host.set("ip6.forward", 1)
    host.know(PEER6)
    host.know("fe80::77", OTHER_MAC)
    host.route("2001:db8:7::/48", "tap0", via="fe80::77")
    for _ in range(100):
        host.receive(udp6_frame(dst="2001:db8:7::1"))
    redirects = [each for each in host.sent6() if each.protocol == 58]
    assert 1 <= len(redirects) < 10
