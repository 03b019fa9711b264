"""Ten thousand connections of one listening socket, and a flood of SYNs."""

import gc
import random
import resource
import time
import tracemalloc
from pathlib import Path

import pytest

from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.wire import tcp
from smolctl.wire.tcp import TcpHeader
from smolctl.wire.tcp_options import TcpOptions
from tests.kit.amount import amount
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import OTHER_MAC, OUR_MAC, frame_of, ip, packet_of, text
from tests.kit.tcp import SERVER, Pair

MANY = amount(10_000, 200)
SYNS = amount(100_000, 1_000)
MEMORY_MAX = 8 * 1024
"""Bytes that one end of an idle connection may take."""
FLOOD_MAX = 8 << 20
"""Bytes that a flood may take, however long it is."""


def open_many(pair: Pair, number: int) -> list[tuple[TcpSocket, TcpSocket]]:
    """Open connections to one listening socket; return both ends of each."""
    listener = pair.listen(7, backlog=number)
    clients: list[TcpSocket] = []
    while len(clients) < number:
        # As many as the queue of a link takes.
        clients += [pair.begin() for _ in range(min(500, number - len(clients)))]
        pair.run(5 * MILLISECOND_NS)
        pair.sent.clear()
    assert all(client.connected for client in clients)
    accept = pair.server.stack.tcp.accept
    by_ends: dict[Ends, TcpSocket] = {}
    while (server := accept(listener)) is not None:
        by_ends[server.ends.mirrored] = server
    return [(client, by_ends[client.ends]) for client in clients]


@pytest.mark.proof
def test_the_memory_of_an_idle_connection() -> None:
    pair = Pair()
    pair.server.set("tcp.somaxconn", MANY)
    pair.connect(8)
    pair.sent.clear()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        ends = open_many(pair, MANY)
        pair.sent.clear()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    each = (after - before) / (2 * MANY)
    print(f"{each:.0f} B an end of a connection")
    assert len(ends) == MANY
    assert each < MEMORY_MAX


@pytest.mark.proof
def test_a_round_trip_beside_many_connections_takes_no_longer() -> None:
    alone, beside = Pair(), Pair()
    beside.server.set("tcp.somaxconn", MANY)
    one, other = alone.connect(8), beside.connect(8)
    began = time.process_time()
    kept = open_many(beside, MANY)
    print(f"{MANY / (time.process_time() - began):.0f} connections a second of the processor")
    assert len(kept) == MANY
    ratios = sorted(
        round_trips(beside, *other) / round_trips(alone, *one) for _ in range(amount(41, 11))
    )
    print(f"a round trip takes {ratios[len(ratios) // 2]:.2f} of one without them")
    assert ratios[len(ratios) // 2] < 1.5


def round_trips(pair: Pair, client: TcpSocket, server: TcpSocket) -> float:
    """Return what a number of round trips takes, in seconds of the processor."""
    pair.sent.clear()
    began = time.process_time()
    for _ in range(50):
        pair.write(client, b"x")
        assert pair.run(SECOND_NS, lambda: server.readable)
        pair.write(server, pair.read(server) or b"")
        assert pair.run(SECOND_NS, lambda: client.readable)
        pair.read(client)
    return time.process_time() - began


# --- a flood --------------------------------------------------------------------------------------


class Flood:
    """SYNs of invented senders, which reach the server of a pair."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self._random = random.Random(7)
        self._options = TcpOptions(1460, 7, True, (1, 0)).to_bytes()

    def send(self, number: int) -> None:
        """Send SYNs; what the server answers goes nowhere."""
        for _ in range(number):
            self.pair.server.receive(self._syn())
            self.pair.server.take()

    def _syn(self) -> bytes:
        src = self._random.randrange(0x0B000000, 0x7F000000)
        seq, port = self._random.getrandbits(32), self._random.randrange(1024, 65536)
        header = TcpHeader(port, 7, seq, 0, 0, tcp.SYN, 64240, 0, self._options)
        segment = header.to_bytes(b"", src, ip(SERVER))
        packet = packet_of(6, segment, text(src), SERVER)
        return frame_of(packet, to=OTHER_MAC, by=OUR_MAC)

    def beside(self, number: int) -> None:
        """Send SYNs, and have the wire carry the answers, among those to others."""
        for _ in range(number):
            self.pair.server.receive(self._syn())


def flood_of(pair: Pair) -> Flood:
    """Return a flood that comes from everywhere; the server has a way to answer it."""
    pair.server.route("0.0.0.0/0", via="10.0.0.9")
    pair.server.know("10.0.0.9")
    return Flood(pair)


def flooded(flood: Flood) -> int:
    """Send the whole flood, in ten parts, a millisecond each; return the bytes that it took."""
    flood.send(100)
    gc.collect()
    before = resident()
    for _ in range(10):
        flood.send(SYNS // 10)
        flood.pair.client.clock.advance(MILLISECOND_NS)
    gc.collect()
    return resident() - before


def resident() -> int:
    """Return the memory of this process, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.proof
def test_a_connection_opens_during_a_flood() -> None:
    pair = Pair()
    listener = pair.listen(7)
    flood = flood_of(pair)
    grown = flooded(flood)
    print(f"{grown} B more after {SYNS} SYNs")
    assert grown < FLOOD_MAX
    assert len(pair.server.stack.tcp.connections) <= 64
    client = pair.begin()
    began = pair.now
    while not (client.connected and listener.readable):
        flood.beside(10)
        assert pair.step(began + SECOND_NS), client.state
    server = pair.server.stack.tcp.accept(listener)
    assert server is not None
    assert pair.transfer(client, server, b"hello") == b"hello"
    assert pair.server.reasons()["tcp-syn-cookie"] > SYNS // 2
    assert pair.server.stack.ledger.events["tcp.cookies_sent"] > SYNS // 2


@pytest.mark.proof
def test_without_cookies_a_flood_has_all_places_and_a_reason_says_so() -> None:
    pair = Pair()
    pair.server.set("tcp.syncookies", 0)
    pair.listen(7)
    assert flooded(flood_of(pair)) < FLOOD_MAX
    client = pair.begin()
    assert not pair.run(SECOND_NS // 2, lambda: client.connected)
    assert pair.server.reasons()["tcp-syn-queue-full"] > SYNS // 2
    pair.server.set("tcp.syncookies", 1)
    assert pair.run(SECOND_NS, lambda: client.connected)
