"""RFC 826: address resolution, as its pseudo code for generation and reception has it."""

import pytest

from smolctl.stack.neighbor.states import State
from smolctl.wire import arp, ethernet
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC
from tests.kit.clock import SECOND_NS
from tests.kit.host import (
    OTHER_MAC,
    OUR_MAC,
    OURS,
    PEER,
    PEER_MAC,
    Host,
    arp_frame,
    frame_of,
    ip,
    reply,
    request,
)


@pytest.fixture
def host() -> Host:
    return Host()


def test_rfc826_generation_an_unknown_next_hop_is_asked_for_by_broadcast(host: Host) -> None:
    host.send(host.socket())
    (frame,) = host.sent()
    assert (frame.dst, frame.src) == (BROADCAST_MAC, OUR_MAC)
    assert frame.arp == arp.ArpPacket(arp.Op.REQUEST, OUR_MAC, ip(OURS), ZERO_MAC, ip(PEER))


def test_rfc826_generation_a_known_next_hop_is_not_asked_for(host: Host) -> None:
    host.know()
    host.send(host.socket())
    (frame,) = host.sent()
    assert (frame.arp, frame.dst) == (None, PEER_MAC)


def test_rfc826_generation_the_packet_that_asked_follows_the_answer(host: Host) -> None:
    host.send(host.socket(), payload=b"first")
    host.sent()
    host.receive(reply())
    (frame,) = host.sent()
    assert (frame.dst, frame.udp[2]) == (PEER_MAC, b"first")


def good() -> bytes:
    return arp.ArpPacket(arp.Op.REQUEST, PEER_MAC, ip(PEER), ZERO_MAC, ip(OURS)).to_bytes()


@pytest.mark.parametrize(
    ("at", "value"),
    [(1, 7), (2, 0x86), (4, 8), (5, 16)],
    ids=["hardware", "protocol", "hardware length", "protocol length"],
)
def test_rfc826_reception_other_formats_are_discarded(host: Host, at: int, value: int) -> None:
    packet = bytearray(good())
    packet[at] = value
    host.receive(frame_of(bytes(packet), ethernet.EtherType.ARP, to=BROADCAST_MAC))
    assert host.sent() == []
    assert list(host.cache()) == []
    assert host.reasons() == {"arp-bad-format": 1}


def test_rfc826_reception_the_senders_entry_is_updated_before_the_target_is_looked_at(
    host: Host,
) -> None:
    entry = host.know(mac=OTHER_MAC)
    host.clock.advance(SECOND_NS)
    host.receive(request(PEER, "10.0.0.77"))  # for somebody else
    assert entry.lladdr == PEER_MAC
    assert host.sent() == []


def test_rfc826_reception_the_answer_leaves_where_the_request_came_in(host: Host) -> None:
    host.link("tap1", OTHER_MAC)
    host.add("10.0.1.1/24", "tap1")
    host.receive(request(), dev="tap1")  # for tap0's address
    assert host.sent("tap0") == []
    (answer,) = host.sent("tap1")
    assert answer.arp is not None
    assert (answer.dst, answer.arp.sender_mac) == (PEER_MAC, OTHER_MAC)


def test_rfc826_reception_a_reply_is_not_answered(host: Host) -> None:
    host.know(state=State.STALE)
    host.receive(reply(), arp_frame(arp.Op.REPLY, to=BROADCAST_MAC))
    assert host.sent() == []


@pytest.mark.parametrize("op", [0, 3, 4, 8, 9, 65535])
def test_rfc826_reception_other_opcodes_do_nothing(host: Host, op: int) -> None:
    entry = host.know(mac=OTHER_MAC)
    host.clock.advance(SECOND_NS)
    host.receive(arp_frame(op))
    assert host.sent() == []
    assert entry.lladdr == OTHER_MAC
    assert host.reasons() == {"arp-bad-op": 1}
