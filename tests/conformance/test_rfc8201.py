"""RFC 8201, path MTU discovery: what "packet too big" does, and for how long."""

import pytest

from smolctl.stack.neighbor.states import State
from tests.kit.clock import SECOND_NS
from tests.kit.host6 import (
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    frame6_of,
    icmp6_packet,
    udp6_packet,
)

FAR = "2001:db8:9::1"
ROUTER = "2001:db8::ff"


@pytest.fixture
def host() -> Host6:
    host = Host6()
    for peer in (PEER6, PEER_LINK_LOCAL, ROUTER):
        host.know(peer, state=State.PERMANENT)
    host.route("::/0", "tap0", via=PEER_LINK_LOCAL)
    return host


def too_big(host: Host6, mtu: int, dst: str = FAR) -> None:
    """Let a router say that a datagram of port 7 was too big."""
    quoted = udp6_packet(7, 9, bytes(1452), OURS6, dst)
    host.receive(frame6_of(icmp6_packet(2, 0, mtu, quoted[:1232], ROUTER)))


def sizes(host: Host6) -> list[int]:
    """Return the lengths of the packets that left."""
    return [len(each.packet) for each in host.sent6()]


def test_rfc8201_4_the_estimate_is_reduced_and_no_more_messages_are_provoked(host: Host6) -> None:
    socket = host.socket(7, "::")
    host.send(socket, FAR, 9, bytes(1452))
    assert sizes(host) == [1500]
    too_big(host, 1400)
    host.send(socket, FAR, 9, bytes(1452))
    assert max(sizes(host)) <= 1400
    (error,) = socket.errors
    assert (error.errno_name, error.detail["path_mtu"]) == ("EMSGSIZE", 1400)


def test_rfc8201_4_a_reported_increase_is_not_believed(host: Host6) -> None:
    socket = host.socket(7, "::")
    too_big(host, 1300)
    too_big(host, 1450)
    host.send(socket, FAR, 9, bytes(1452))
    assert max(sizes(host)) <= 1300


@pytest.mark.parametrize("mtu", [0, 68, 1279])
def test_rfc8201_4_a_message_of_less_than_1280_is_discarded(host: Host6, mtu: int) -> None:
    socket = host.socket(7, "::")
    too_big(host, mtu)
    host.send(socket, FAR, 9, bytes(1452))
    assert sizes(host) == [1500]
    assert host.reasons() == {"icmp6-mtu-too-small": 1}
    assert not socket.errors
    too_big(host, 1280)
    host.send(socket, FAR, 9, bytes(1452))
    assert max(sizes(host)) == 1280


def test_rfc8201_5_2_other_destinations_keep_theirs(host: Host6) -> None:
    socket = host.socket(7, "::")
    too_big(host, 1300)
    host.send(socket, "2001:db8:9::2", 9, bytes(1452))
    assert sizes(host) == [1500]


def test_rfc8201_4_a_larger_one_is_tried_after_ten_minutes_and_no_earlier(host: Host6) -> None:
    socket = host.socket(7, "::")
    too_big(host, 1300)
    host.wait(600 * SECOND_NS - 1)
    host.send(socket, FAR, 9, bytes(1452))
    assert max(sizes(host)) <= 1300
    host.wait(1)
    host.send(socket, FAR, 9, bytes(1452))
    assert sizes(host) == [1500]


def test_rfc8201_4_a_message_about_nothing_we_sent_is_not_believed(host: Host6) -> None:
    too_big(host, 1300)  # no socket has port 7
    host.send(host.socket(7, "::"), FAR, 9, bytes(1452))
    assert sizes(host) == [1500]
