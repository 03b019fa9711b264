"""Data that a program passes on or sends in pieces, as whoever reads pipes does."""

import pytest

from tests.kit.clock import SECOND_NS
from tests.kit.host import ip
from tests.kit.tcp import Pair, loop


@pytest.mark.parametrize("step", [1, 700, 5000, 1 << 20])
def test_a_stream_is_taken_as_it_is_kept_piece_by_piece(step: int) -> None:
    pair = Pair()
    client, server = pair.connect()
    tcp = pair.server.stack.tcp
    data = bytes(at * 7 & 0xFF for at in range(20_000))
    for begin, end in ((0, 10), (10, 30), (30, 9000), (9000, 9100), (9100, 20_000)):
        pair.client.stack.tcp.send(client, data[begin:end], pair.now)
        pair.run(SECOND_NS // 10)
    assert tcp.buffers(server, 1) == tcp.buffers(server, 1), "they are left"
    assert server.rcv.ready == len(data)
    got = bytearray()
    while buffers := tcp.buffers(server, step):
        taken = b"".join(buffers)[:step]
        got += taken
        tcp.consume(server, len(taken), pair.now)
        assert server.rcv.ready == len(data) - len(got)
    assert (buffers, bytes(got)) == (None, data)
    # What came into the middle of a piece that was begun is behind it.
    pair.client.stack.tcp.send(client, b"abc", pair.now)
    pair.run(SECOND_NS // 10)
    tcp.consume(server, 2, pair.now)
    pair.client.stack.tcp.send(client, b"def", pair.now)
    pair.run(SECOND_NS // 10)
    assert pair.read(server) == b"cdef"
    pair.client.stack.tcp.close(client, pair.now)
    pair.run(SECOND_NS // 10)
    assert tcp.buffers(server, 1) == []
    tcp.close(server, pair.now)
    assert pair.server.stack.tcp.orphans == 1


def test_taking_what_is_kept_opens_the_window() -> None:
    pair = Pair()
    client, server = pair.connect()
    while pair.write(client, bytes(65_536)):
        pair.run(SECOND_NS // 10)
    assert client.snd.wnd < client.mss
    size = server.rcv.ready
    pair.server.stack.tcp.consume(server, size, pair.now)
    pair.run(SECOND_NS // 10)
    assert server.rcv.ready > size // 2, "the peer had waited, and goes on"


def test_who_has_much_to_send_is_asked_for_whole_pieces() -> None:
    pair = Pair()
    client, server = pair.connect()
    tcp = pair.client.stack.tcp
    flow, client.flow = client.flow, None  # as where the way is none for the fast path
    assert tcp.room(client, 10_000) == 10_000
    assert tcp.room(client, 1 << 30) == client.sndbuf
    assert flow is not None
    client.flow = flow
    pair.transfer(client, server, bytes(1_000_000))
    pair.run(SECOND_NS, lambda: not client.snd.records)
    piece = flow.largest // client.mss * client.mss
    assert tcp.room(client, 4 * piece + 1) == 4 * piece
    assert (tcp.room(client, piece - 1), tcp.room(client, 1)) == (piece - 1, 1)
    client.cork = True
    tcp.send(client, bytes(1000), pair.now)
    room = tcp.room(client, 4 * piece)
    assert room == 4 * piece - 1000
    before = client.stats.segs_out
    tcp.send(client, bytes(room), pair.now)
    sent = [record.size for record in client.snd.records]
    assert set(sent) == {piece}
    assert client.stats.segs_out - before == sum(sent) // client.mss
    # An MTU so large that not even one segment fits into a piece.
    flow.largest = client.mss - 1
    assert tcp.room(client, 10 * client.mss) % client.mss in (0, -client.snd.unsent % client.mss)


def test_who_sends_is_asked_for_more_when_a_third_is_free() -> None:
    pair = Pair()
    client, server = pair.connect()
    tcp = pair.client.stack.tcp
    while pair.write(client, bytes(10_000)):
        pass
    assert client.snd.held <= client.sndbuf
    assert tcp.room(client, 1 << 30) == 0, "it is full"
    asked = []
    while client.snd.records or client.snd.unsent:
        pair.run(SECOND_NS // 1000)
        pair.read(server)
        free, room = client.sndbuf - client.snd.held, tcp.room(client, 1)
        asked.append(bool(room))
        assert bool(room) == (3 * free >= client.sndbuf or not client.snd.records)
    assert set(asked) == {False, True}
    # It has to hear that nothing can be sent any more.
    tcp.shutdown(client, pair.now, send=True, receive=False)
    assert tcp.room(client, 1 << 30) >= 1
    opening = tcp.open()
    assert tcp.room(opening, 1 << 30) >= 1
    pair.client.stack.tcp.connect(opening, ip(pair.peer), 99, pair.now)
    assert tcp.room(opening, 1 << 30) == 0


def test_what_is_passed_on_is_taken_in_the_pieces_in_which_it_came() -> None:
    host, client, server = loop()
    tcp = host.stack.tcp
    big, small = bytes(range(256)) * 40, b"small"
    for data in (big, small, small):
        assert tcp.send(client, data, host.now) == len(data)
        host.wait(SECOND_NS)
    first = tcp.take(server, 1000, host.now)
    rest = tcp.take(server, 1 << 16, host.now)
    assert (first, rest) == (big[:1000], big[1000:])
    assert isinstance(rest, memoryview)  # of what came, and no copy
    assert tcp.take(server, 1 << 16, host.now) == small + small
    assert tcp.take(server, 1 << 16, host.now) is None
    tcp.close(client, host.now)
    host.wait(SECOND_NS)
    assert tcp.take(server, 1 << 16, host.now) == b""


def test_an_answer_of_the_same_turn_acknowledges_what_it_answers() -> None:
    for eager in (True, False):
        pair = Pair()
        listener, client = pair.listen(), pair.begin()
        pair.run(SECOND_NS)
        tcp = pair.server.stack.tcp
        server = tcp.accept(listener)
        assert server is not None
        pair.client.stack.tcp.send(client, b"ask", pair.now)
        pair.server.stack.eager = eager
        before = server.stats.segs_out
        while not server.rcv.ready:
            assert pair.step(pair.now + SECOND_NS)
        tcp.send(server, b"answer", pair.now)
        pair.server.stack.flush(pair.now)
        assert server.stats.segs_out - before == (2 if eager else 1)


def test_the_fast_path_forgets_a_connection_that_is_over() -> None:
    pair = Pair()
    listener, client = pair.listen(), pair.begin()
    pair.run(SECOND_NS)
    server = pair.server.stack.tcp.accept(listener)
    assert server is not None
    pair.client.stack.tcp.send(client, b"x", pair.now)
    pair.run(SECOND_NS)
    assert all(host.stack.tcp.inbound for host in pair.hosts)
    pair.client.stack.tcp.close(client, pair.now)
    pair.run(SECOND_NS)
    pair.server.stack.tcp.receive(server, 1, pair.now)
    pair.server.stack.tcp.close(server, pair.now)
    pair.run(SECOND_NS)
    assert [host.stack.tcp.inbound for host in pair.hosts] == [{}, {}]


def test_who_waits_for_room_is_woken_by_data_that_acknowledges_beside_the_segments() -> None:
    host, client, server = loop()
    tcp = host.stack.tcp
    client.sndbuf, client.sndbuf_locked = 4608, True
    tcp.send(client, b"1", host.now)
    while client.snd.records:
        host.wait(SECOND_NS // 1000)
    assert client.handover is not None
    # Urgent data goes by a segment, whose acknowledgment is delayed.
    server.quick = 0
    tcp.send(client, bytes(3500), host.now, urgent=True)
    while host.stack.loopback.queue:
        host.poll()
    assert client.snd.records
    assert (client.has_room, tcp.room(client, 1)) == (True, 0)
    host.stack.take_ready()
    tcp.receive(server, 5000, host.now)
    tcp.send(server, b"answer", host.now)
    assert not client.snd.records
    assert client in host.stack.take_ready()
    assert tcp.room(client, 1) == 1
