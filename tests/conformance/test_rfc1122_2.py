"""RFC 1122 section 2: the link layer."""

import pytest

from smolctl.stack.neighbor.states import State
from tests.conformance.kit import raw
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import DEAD, PEER, Host, echo_request, reply, udp_frame


@pytest.fixture
def host() -> Host:
    return Host()


def test_rfc1122_2_3_1_what_is_sent_is_never_a_trailer(host: Host) -> None:
    # Nor any 802.2 header: a type field below 1536 would be a length, trailers begin at 0x1001.
    host.send(host.socket())
    host.receive(reply(), echo_request(), udp_frame())
    host.send(host.socket(), DEAD)
    assert {frame[12:14] for frame in raw(host)} == {b"\x08\x00", b"\x08\x06"}


def test_rfc1122_2_3_2_1_requests_for_a_silent_host_stay_at_one_a_second(host: Host) -> None:
    asked: list[int] = []
    socket = host.socket()
    for _ in range(300):
        host.send(socket, DEAD)  # thirty datagrams in three seconds, and the neighbor stays silent
        asked += [host.now for frame in host.sent() if frame.arp]
        host.wait(100 * MILLISECOND_NS)
        asked += [host.now for frame in host.sent() if frame.arp]
    assert len(asked) <= 31
    assert len(asked) >= 29


def test_rfc1122_2_4_a_missing_entry_alone_is_no_error(host: Host) -> None:
    socket = host.socket()
    trace = host.send(socket, PEER)
    assert not trace.settled
    assert not socket.errors
    host.wait(SECOND_NS)
    host.sent()
    host.receive(reply())
    (frame,) = host.sent()
    assert frame.udp[2] == b"hello"
    assert not socket.errors
    entry = host.neighbor(PEER)
    assert entry is not None
    assert entry.state is State.REACHABLE
