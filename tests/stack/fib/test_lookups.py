"""FIB lookups of a packet: one for its source, one for its destination, then no more."""

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from smolctl.stack.fib.fib import Fib
from tests.kit.host import OURS, PEER, Host, ip, udp_frame
from tests.kit.routers import Router, frame

SEARCHES = {Fib.lookup.__code__, Fib.lookup_within.__code__, Fib.find.__code__}


def searches(action: Callable[[], object]) -> int:
    """Return how often ``action`` searches the tables."""
    found = 0

    def note(frame: FrameType, event: str, _arg: object) -> None:
        nonlocal found
        within = frame.f_back is not None and frame.f_back.f_code in SEARCHES
        found += event == "call" and frame.f_code in SEARCHES and not within

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return found


def test_a_datagram_that_comes_in() -> None:
    host = Host()
    socket = host.socket(7)
    assert searches(lambda: host.receive(udp_frame())) == 2
    assert searches(lambda: host.receive(udp_frame(payload=b"longer"))) == 0
    host.add("10.9.0.1/24")
    assert searches(lambda: host.receive(udp_frame(payload=b"again"))) == 2
    assert socket.rx_datagrams == 3


def test_a_packet_that_is_forwarded() -> None:
    router = Router()
    assert searches(lambda: router.receive(frame())) == 2
    assert len(router.sent("tap1")) == 1


@pytest.mark.parametrize("local", ["0.0.0.0", OURS])
def test_a_datagram_that_is_sent(local: str) -> None:
    host = Host()
    host.know()
    socket = host.socket(5000, local)
    assert searches(lambda: host.stack.udp.send(socket, b"x", ip(PEER), 9, host.now)) == 2
    assert len(host.sent()) == 1
