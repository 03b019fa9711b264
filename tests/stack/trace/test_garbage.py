"""A packet that is gone leaves nothing for the garbage collector."""

import gc

import pytest

from smolctl.stack.trace.journal import CAPACITY
from tests.kit.host import Host, ip
from tests.stack.reason.provoke import PROVOKERS
from tests.stack.reason.provokers import fresh

LIMIT = 20


@pytest.fixture(scope="module", autouse=True)
def _small_heap() -> None:
    """Keep what was there before the tests out of their collections."""
    gc.collect()
    gc.freeze()


def test_datagrams_that_a_full_queue_drops() -> None:
    host = Host()
    sender, _ = host.socket(), host.socket(7)

    def flood(number: int) -> None:
        for _ in range(number):
            host.stack.udp.send(sender, bytes(1000), ip("127.0.0.1"), 7, host.now)
            host.poll()

    flood(CAPACITY)
    gc.collect()
    flood(1000)
    assert gc.collect() < LIMIT


@pytest.mark.parametrize("name", PROVOKERS)
def test_a_packet_that_meets_a_reason(name: str) -> None:
    host = fresh()
    PROVOKERS[name](host)
    reasons = host.stack.ledger.reasons
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        host.stack.journal._ring.clear()
        host.stack.journal._by_hand = None
        reasons.clear()
        gc.collect()
        kinds = {type(found).__name__ for found in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert not kinds & {"Trace", "Detail", "Packet", "Step", "Origin"}
