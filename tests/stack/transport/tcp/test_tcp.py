"""The calls of programs on TCP sockets, in one stack over lo and between two stacks."""

import random

import pytest

from smolctl.errors import (
    AddressInUse,
    AddressNotAvailable,
    AlreadyConnected,
    BrokenPipe,
    ConnectionInProgress,
    InvalidArgument,
    NotConnected,
    SendRejected,
)
from smolctl.stack.transport.tcp.states import State
from smolctl.wire.address import IPV4, IPV6, Family
from tests.kit.clock import SECOND_NS
from tests.kit.host import PEER, Host, ip
from tests.kit.tcp import SERVER, SERVER6, Pair, loop
from tests.stack.reason.provokers import fresh

LO = ip("127.0.0.1")
Listening = tuple[Family, bool, int | None, str | None]


def test_both_ends_in_one_stack_talk_and_close() -> None:
    host, client, server = loop()
    tcp = host.stack.tcp
    assert tcp.send(client, b"hello", host.now) == 5
    host.wait(SECOND_NS)
    assert tcp.receive(server, 100, host.now) == b"hello"
    assert tcp.receive(server, 100, host.now) is None
    tcp.send(server, b"world", host.now)
    tcp.close(server, host.now)
    host.wait(SECOND_NS)
    assert tcp.receive(client, 3, host.now) == b"wor"
    assert tcp.receive(client, 100, host.now) == b"ld"
    assert tcp.receive(client, 100, host.now) == b""
    tcp.close(client, host.now)
    host.wait(120 * SECOND_NS)
    assert not tcp.connections
    assert len(tcp.timers) == 0
    assert tcp.orphans == 0


def test_a_socket_connects_to_itself() -> None:
    host = Host()
    tcp = host.stack.tcp
    socket = tcp.open()
    tcp.bind(socket, LO, 9)
    tcp.connect(socket, LO, 9, host.now)
    host.wait(SECOND_NS)
    assert socket.state is State.ESTABLISHED
    tcp.send(socket, b"me", host.now)
    host.wait(SECOND_NS)
    assert tcp.receive(socket, 10, host.now) == b"me"


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("size", [1, 1447, 1448, 1449, 65_536, 3_000_000])
def test_a_stream_arrives_whole_and_in_order(size: int, ipv6: bool) -> None:
    pair = Pair(ipv6=ipv6)
    client, server = pair.connect()
    assert client.mss == (1428 if ipv6 else 1448)
    data = bytes(at * 7 & 0xFF for at in range(size))
    assert pair.transfer(client, server, data) == data
    assert pair.transfer(server, client, data[:50_000]) == data[:50_000]
    assert client.stats.retrans == 0
    assert client.stats.bytes_acked >= size - client.snd.unacked


def test_sockets_are_woken_when_they_are_ready() -> None:
    pair = Pair()
    listener = pair.listen()
    client = pair.begin()
    assert (client.connected, client.writable) == (False, False)
    pair.run(SECOND_NS, lambda: listener.readable)
    assert listener in pair.server.stack.take_ready()
    assert client in pair.client.stack.take_ready()
    assert (client.connected, client.writable, client.readable) == (True, True, False)
    server = pair.server.stack.tcp.accept(listener)
    assert server is not None
    pair.server.stack.take_ready()
    pair.write(client, b"x")
    pair.run(SECOND_NS)
    assert pair.server.stack.take_ready() == [server]
    assert server.readable


def test_a_program_that_does_not_read_stops_its_peer() -> None:
    pair = Pair()
    client, server = pair.connect()
    written = 0
    for _ in range(200):
        written += pair.write(client, bytes(65_536))
        pair.run(SECOND_NS // 100)
    assert pair.write(client, b"x") == 0
    assert not client.writable
    assert server.rcv.ready <= server.rcvbuf + 128  # a rounded window
    assert pair.client.reasons()["tcp-zero-window"] == 1
    pair.run(600 * SECOND_NS)
    assert client.state is State.ESTABLISHED  # RFC 9293 MUST-37: it is alive
    got = 0
    while got < written:
        data = pair.read(server)
        got += len(data or b"")
        pair.run(SECOND_NS // 100)
    assert got == written
    assert client.writable


def test_the_reader_of_a_shut_direction_sees_its_end() -> None:
    pair = Pair()
    client, server = pair.connect()
    tcp = pair.client.stack.tcp
    tcp.send(client, b"last", pair.now)
    tcp.shutdown(client, pair.now, send=True, receive=False)
    pair.run(SECOND_NS)
    assert client.state is State.FIN_WAIT_2
    assert pair.read(server) == b"last"
    assert pair.read(server) == b""
    assert pair.transfer(server, client, b"more") == b"more"
    with pytest.raises(BrokenPipe):
        tcp.send(client, b"x", pair.now)


def test_closing_with_unread_data_resets() -> None:
    pair = Pair()
    client, server = pair.connect()
    pair.write(client, b"nobody reads this")
    pair.run(SECOND_NS)
    pair.server.stack.tcp.close(server, pair.now)
    pair.run(SECOND_NS)
    with pytest.raises(SendRejected) as error:
        pair.read(client)
    assert (error.value.code, error.value.errno_name) == ("tcp-reset", "ECONNRESET")
    assert pair.read(client) == b""
    with pytest.raises(BrokenPipe):
        pair.write(client, b"x")


def test_what_was_written_before_a_close_arrives() -> None:
    pair = Pair()
    client, server = pair.connect()
    tcp = pair.client.stack.tcp
    assert tcp.send(client, bytes(80_000), pair.now) == 80_000
    tcp.close(client, pair.now)
    got = bytearray()

    def done() -> bool:
        got.extend(pair.read(server) or b"")
        return server.at_end

    assert pair.run(10 * SECOND_NS, done)
    assert len(got) == 80_000
    assert tcp.orphans == 1


def test_both_families_reach_a_socket_of_ipv6() -> None:
    """RFC 3493 3.7: unless it is for IPv6 alone."""
    pair = Pair(ipv6=True)
    listener = pair.listen()
    tcp = pair.client.stack.tcp
    for peer in (SERVER, SERVER6):
        client = tcp.open("client", IPV6)
        tcp.connect(client, ip(peer), 7, pair.now)
        assert pair.run(SECOND_NS, lambda: listener.readable)
        server = pair.server.stack.tcp.accept(listener)
        assert server is not None
        assert pair.transfer(client, server, b"hello") == b"hello"
    with pytest.raises(InvalidArgument):
        tcp.connect(tcp.open("client"), ip(SERVER6), 7, pair.now)
    only = pair.server.stack.tcp.open("only", IPV6)
    only.v6only = True
    pair.server.stack.tcp.bind(only, None, 8)
    pair.server.stack.tcp.listen(only)
    client = tcp.open("client")
    tcp.connect(client, ip(SERVER), 8, pair.now)
    pair.run(SECOND_NS)
    error = tcp.take_error(client)
    assert error is not None
    assert error.code == "tcp-refused"


def test_addresses_of_one_link_need_its_name() -> None:
    pair = Pair(ipv6=True)
    for number, host in enumerate(pair.hosts, 1):
        host.add(f"fe80::{number}/64", dad=False)
    listener = pair.listen()
    tcp = pair.client.stack.tcp
    with pytest.raises(SendRejected):
        tcp.connect(tcp.open("client", IPV6), ip("fe80::2"), 7, pair.now)
    client = tcp.open("client", IPV6)
    tcp.connect(client, ip("fe80::2"), 7, pair.now, zone="tap0")
    assert pair.run(SECOND_NS, lambda: listener.readable)
    server = pair.server.stack.tcp.accept(listener)
    assert server is not None
    assert server.dev == "tap0"
    assert pair.transfer(server, client, b"hello") == b"hello"
    refused = tcp.open("client", IPV6)
    tcp.connect(refused, ip("fe80::2"), 9, pair.now, zone="tap0")
    pair.run(SECOND_NS)
    error = tcp.take_error(refused)
    assert error is not None
    assert error.code == "tcp-refused"


def test_a_refused_connection_says_so_once() -> None:
    pair = Pair()
    client = pair.begin(9)
    pair.run(SECOND_NS)
    assert client.state is State.CLOSED
    assert client.readable
    error = pair.client.stack.tcp.take_error(client)
    assert error is not None
    assert (error.code, error.errno_name) == ("tcp-refused", "ECONNREFUSED")
    assert str(error) == "10.0.0.2:9 answered SYN with RST, TTL 64"
    assert pair.client.stack.tcp.take_error(client) is None
    assert pair.server.reasons() == {"tcp-no-listener": 1}
    # As in Linux, the socket may try again.
    pair.listen(9)
    pair.client.stack.tcp.connect(client, ip(SERVER), 9, pair.now)
    pair.run(SECOND_NS)
    assert client.connected


def test_nobody_answers_arp() -> None:
    """Linux reports the neighbor's silence to connect: EHOSTUNREACH after three seconds."""
    host = Host()
    tcp = host.stack.tcp
    socket = tcp.open()
    tcp.connect(socket, ip("10.0.0.9"), 80, host.now)
    host.wait(5 * SECOND_NS)
    error = tcp.take_error(socket)
    assert error is not None
    assert (error.code, error.errno_name) == ("neigh-failed", "EHOSTUNREACH")


def test_with_icmp_aborts_connect_off_only_the_time_ends_an_attempt() -> None:
    host = Host()
    host.set("tcp.icmp_aborts_connect", 0)
    tcp = host.stack.tcp
    socket = tcp.open()
    tcp.connect(socket, ip("10.0.0.9"), 80, host.now)
    host.wait(100 * SECOND_NS)
    assert socket.state is State.SYN_SENT
    host.wait(100 * SECOND_NS)
    error = tcp.take_error(socket)
    assert error is not None
    assert error.errno_name == "EHOSTUNREACH"  # the last that was heard


def test_ports_and_addresses_are_checked() -> None:
    host = Host()
    tcp = host.stack.tcp
    first, second = tcp.open("first"), tcp.open("second")
    tcp.bind(first, None, 80)
    with pytest.raises(AddressInUse):
        tcp.bind(second, LO, 80)
    with pytest.raises(AddressNotAvailable):
        tcp.bind(second, ip("10.9.9.9"), 81)
    with pytest.raises(AddressNotAvailable):
        tcp.bind(second, ip("224.0.0.1"), 81)
    with pytest.raises(InvalidArgument):
        tcp.bind(first, None, 81)
    tcp.bind(second, LO, 81)
    for peer, port in (("10.0.0.2", 0), ("224.0.0.1", 80), ("0.0.0.0", 80)):
        with pytest.raises(InvalidArgument):
            tcp.connect(tcp.open(), ip(peer), port, host.now)
    for peer in ("10.0.0.255", "255.255.255.255", "9.9.9.9"):
        with pytest.raises(SendRejected):
            tcp.connect(tcp.open(), ip(peer), 80, host.now)
    with pytest.raises(NotConnected):
        tcp.receive(tcp.open(), 1, host.now)
    with pytest.raises(NotConnected):
        tcp.send(tcp.open(), b"x", host.now)
    with pytest.raises(NotConnected):
        tcp.shutdown(tcp.open(), host.now, send=True, receive=True)
    with pytest.raises(InvalidArgument):
        tcp.accept(tcp.open())
    assert host.reasons() == {}
    assert not tcp.connections


def test_two_sockets_that_share_a_port_do_not_both_listen() -> None:
    host = Host()
    tcp = host.stack.tcp
    first, second = tcp.open(), tcp.open()
    first.reuse = second.reuse = True
    tcp.bind(first, None, 80)
    tcp.bind(second, None, 80)
    tcp.listen(first)
    with pytest.raises(AddressInUse):
        tcp.listen(second)
    tcp.close(first, host.now)
    tcp.listen(second)


# As Linux 6.18: family, whether IPv6 alone, address and interface of each.
@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ((IPV6, True, None, None), (IPV4, False, None, None), False),
        ((IPV6, False, None, None), (IPV4, False, None, None), True),
        ((IPV6, False, None, None), (IPV4, False, LO, None), True),
        ((IPV6, True, None, None), (IPV4, False, LO, None), False),
        ((IPV4, False, None, None), (IPV4, False, LO, None), True),
        ((IPV4, False, LO, None), (IPV4, False, ip("127.0.0.2"), None), False),
        ((IPV4, False, None, "lo"), (IPV4, False, None, None), True),
        ((IPV4, False, None, "lo"), (IPV4, False, None, "tap0"), False),
    ],
)
def test_two_sockets_listen_at_a_port_unless_they_have_an_address_in_common(
    first: Listening, second: Listening, refused: bool
) -> None:
    host = Host()
    tcp = host.stack.tcp
    for one, other in ((first, second), (second, first)):
        made = [tcp.open(family=each[0]) for each in (one, other)]
        for socket, (_, v6only, local, dev) in zip(made, (one, other), strict=True):
            socket.reuse, socket.v6only = True, v6only
            tcp.bind(socket, local, 80, dev)
        tcp.listen(made[0])
        late = tcp.open(family=other[0])
        late.reuse, late.v6only = True, other[1]
        if refused:
            with pytest.raises(AddressInUse, match="listens at port 80"):
                tcp.listen(made[1])
            with pytest.raises(AddressInUse, match="listens at port 80"):
                tcp.bind(late, other[2], 80, other[3])
        else:
            tcp.bind(late, other[2], 80, other[3])
            tcp.listen(made[1])
        for socket in (*made, late):
            tcp.close(socket, host.now)


def test_a_socket_that_shares_its_port_while_it_is_connected() -> None:
    """SO_REUSEADDR may change: what is counted is taken off as it was counted."""
    pair = Pair()
    tcp = pair.client.stack.tcp
    for before, after in ((False, True), (True, False)):
        client = tcp.open("client")
        client.reuse = before
        tcp.bind(client, None, 4000)
        pair.listen(8 + before)
        tcp.connect(client, ip(SERVER), 8 + before, pair.now)
        pair.run(SECOND_NS)
        client.reuse = after
        tcp.abort(client, pair.now)
        assert not tcp._users
        other = tcp.open()
        tcp.bind(other, None, 4000)
        tcp.close(other, pair.now)


def test_a_socket_that_is_bound_to_every_address_and_connects() -> None:
    """It has an address of its own then, by which it is found, and taken out, in the table."""
    pair = Pair()
    pair.listen()
    tcp = pair.client.stack.tcp
    client = tcp.open("client")
    tcp.bind(client, None, 4000)
    tcp.connect(client, ip(SERVER), 7, pair.now)
    pair.run(SECOND_NS)
    assert client.connected
    tcp.abort(client, pair.now)
    assert not len(tcp)
    assert not tcp.connections


def test_a_burst_of_syns_waits_for_room_in_the_queue_of_the_link() -> None:
    """Linux tries again soon what its own queue refused; a SYN that it dropped waits for 1 s."""
    host = fresh()
    tcp, number = host.stack.tcp, 1500
    sockets = [tcp.open() for _ in range(number)]
    for socket in sockets:
        tcp.connect(socket, ip(PEER), 80, host.now)
    host.poll()
    frames = host.take()
    assert len(frames) < number
    host.poll()
    while taken := host.take():
        frames += taken
        host.poll()
    assert len(frames) == number
    assert "tx-queue-full" not in host.reasons()
    assert {socket.snd.records[0].times for socket in sockets} == {1}
    host.wait(SECOND_NS // 2)
    assert not host.take()


def test_a_syn_that_waits_is_sent_at_the_timeout_in_any_case() -> None:
    host = fresh()
    tcp = host.stack.tcp
    sockets = [tcp.open() for _ in range(600)]
    for socket in sockets:
        tcp.connect(socket, ip(PEER), 80, host.now)
    assert {socket.snd.records[0].times for socket in sockets} == {0, 1}
    host.wait(SECOND_NS)  # the device takes nothing
    assert {socket.snd.records[0].times for socket in sockets} == {1, 2}


def test_connecting_twice() -> None:
    pair = Pair()
    pair.listen()
    client = pair.begin()
    tcp = pair.client.stack.tcp
    with pytest.raises(ConnectionInProgress):
        tcp.connect(client, ip(SERVER), 7, pair.now)
    pair.run(SECOND_NS)
    with pytest.raises(AlreadyConnected):
        tcp.connect(client, ip(SERVER), 7, pair.now)
    with pytest.raises(InvalidArgument):
        tcp.listen(client)


def test_a_port_is_free_again_when_its_connections_are_gone() -> None:
    pair = Pair()
    client, server = pair.connect()
    tcp = pair.server.stack.tcp
    tcp.close(server, pair.now)
    (listener,) = list(tcp)
    tcp.close(listener, pair.now)
    again = tcp.open()
    with pytest.raises(AddressInUse, match="1 connections"):
        tcp.bind(again, None, 7)
    pair.client.stack.tcp.close(client, pair.now)
    pair.run(100 * SECOND_NS)
    tcp.bind(again, None, 7)


def test_closing_a_listening_socket_resets_who_was_not_accepted() -> None:
    pair = Pair()
    listener = pair.listen()
    client = pair.begin()
    pair.run(SECOND_NS)
    pair.server.stack.tcp.close(listener, pair.now)
    pair.run(SECOND_NS)
    error = pair.client.stack.tcp.take_error(client)
    assert error is not None
    assert error.errno_name == "ECONNRESET"
    assert not pair.server.stack.tcp.connections


def test_a_socket_closed_before_the_answer_forgets_its_attempt() -> None:
    pair = Pair()
    pair.listen()
    client = pair.begin()
    pair.client.stack.tcp.close(client, pair.now)
    pair.run(SECOND_NS)
    assert not pair.client.stack.tcp.connections
    # The answer finds nobody, and the server hears so.
    pair.run(SECOND_NS)
    assert not pair.server.stack.tcp.connections


def test_peeked_data_is_still_there() -> None:
    pair = Pair()
    client, server = pair.connect()
    pair.write(client, b"abcdef")
    pair.run(SECOND_NS)
    tcp = pair.server.stack.tcp
    assert tcp.receive(server, 3, pair.now, peek=True) == b"abc"
    assert tcp.receive(server, 10, pair.now) == b"abcdef"


def test_linger_zero_resets() -> None:
    pair = Pair()
    client, server = pair.connect()
    client.linger_ns = 0
    pair.client.stack.tcp.close(client, pair.now)
    pair.run(SECOND_NS)
    assert server.state is State.CLOSED
    assert not pair.client.stack.tcp.connections


def test_the_route_of_a_connection_goes_and_comes_back() -> None:
    pair = Pair()
    client, server = pair.connect()
    pair.client.delete("10.0.0.1")
    pair.write(client, b"through")
    pair.run(2 * SECOND_NS)
    assert pair.read(server) is None
    pair.client.add("10.0.0.1/24")
    pair.run(10 * SECOND_NS)
    assert pair.read(server) == b"through"


def test_many_connections_leave_nothing_behind() -> None:
    pair = Pair(delay_ns=1000)
    listener = pair.listen(backlog=500)
    clients = [pair.begin() for _ in range(300)]
    pair.run(5 * SECOND_NS)  # the neighbor's queue has not room for all SYNs at once
    servers = [pair.server.stack.tcp.accept(listener) for _ in clients]
    assert all(servers)
    assert len({client.port for client in clients}) == 300
    for client in clients:
        pair.client.stack.tcp.close(client, pair.now)
    pair.run(SECOND_NS)
    for server in servers:
        assert server is not None
        pair.server.stack.tcp.close(server, pair.now)
    pair.run(100 * SECOND_NS)
    for host in pair.hosts:
        assert not host.stack.tcp.connections
        assert host.stack.tcp.orphans == 0
        assert len(host.stack.tcp.timers) == 0


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("why", ["forgotten", "urgent", "sack"])
def test_no_segment_is_too_large_that_the_fast_path_refuses(ipv6: bool, why: str) -> None:
    """It takes many segments at once; the layered path, which it leaves them to, cuts them."""
    pair = Pair(ipv6=ipv6)
    client, server = pair.connect()
    assert pair.transfer(client, server, bytes(50_000)) == bytes(50_000)
    assert client.flow is not None
    mark, data = len(pair.sent), random.Random(7).randbytes(10_000)
    if why == "sack":  # what is told of a duplicate takes room, and is told once
        client.rcv.duplicate = (client.rcv.nxt - 1, client.rcv.nxt)
    if why == "urgent":
        assert pair.client.stack.tcp.send(client, data, pair.now, urgent=True) == len(data)
        pair.run(SECOND_NS)
        assert server.rcv.urgent == server.rcv.nxt, "its end"
        assert pair.read(server) == data
    else:
        net = pair.client.stack.networks[pair.family]
        net.neighbors.flush(pair.client.tap, pair.now)
        assert pair.transfer(client, server, data) == data
    frames = [frame for _, end, frame in pair.sent[mark:] if end == 0 and len(frame) > 100]
    number = 8 if ipv6 and why == "sack" else 7
    assert len(frames) == number, "each is sent once"
    assert max(map(len, frames)) == 1514
    for frame in frames:
        whole = frame[20] == 6 if ipv6 else frame[20:22] == b"\x40\x00"
        assert whole, "IP has cut it"
