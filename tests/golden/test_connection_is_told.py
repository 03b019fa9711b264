"""Golden answers: what ``why tcp`` says of connections that fail, wait, or began in an odd way."""

# ruff: noqa: E501  (lines as they are printed)

from smolctl.stack.transport.tcp.ending import forget
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.wire import tcp
from smolctl.wire.tcp import TcpHeader
from tests.golden.connections import (
    CLIENT_END,
    SERVER_END,
    box_refuses,
    flow,
    predicted,
    router_says,
    told,
    wanted,
    wire,
)
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import ip
from tests.kit.tcp import CLIENT, SERVER, Pair


def test_refused_by_the_host() -> None:
    pair = Pair()
    socket = pair.begin(23)
    pair.run(SECOND_NS)
    assert told(pair.client, socket.ends) == wanted("""
        tcp  note   tcp-refused 1.0 s ago, in SYN-SENT
        verdict: failed - tcp-refused
        why:     10.0.0.2:23 answered SYN with RST, TTL 64: 10.0.0.2 itself, which is on the link
        look:    is the right port asked, and does the program run at 10.0.0.2:23?
        exit 1
    """)


def test_refused_by_a_host_of_ipv6() -> None:
    pair = Pair(ipv6=True)
    socket = pair.begin(23)
    pair.run(SECOND_NS)
    assert told(pair.client, socket.ends) == wanted("""
        tcp  note   tcp-refused 1.0 s ago, in SYN-SENT
        verdict: failed - tcp-refused
        why:     [fd00::2]:23 answered SYN with RST, TTL 64: fd00::2 itself, which is on the link
        look:    is the right port asked, and does the program run at [fd00::2]:23?
        exit 1
    """)


def test_refused_by_the_host_whose_segments_are_known() -> None:
    pair = Pair()
    pair.connect(7)
    socket = pair.begin(23)
    pair.run(SECOND_NS)
    assert told(pair.client, socket.ends) == wanted("""
        tcp  note   tcp-refused 1.0 s ago, in SYN-SENT
        verdict: failed - tcp-refused
        why:     10.0.0.2:23 answered SYN with RST, TTL 64: 10.0.0.2 itself, whose segments have that TTL
        look:    is the right port asked, and does the program run at 10.0.0.2:23?
        exit 1
    """)


def test_refused_by_a_box_before_the_host() -> None:
    pair = box_refuses(ttl=63)
    pair.connect(7)
    socket = pair.begin(23)
    pair.run(SECOND_NS)
    assert told(pair.client, socket.ends) == wanted("""
        tcp  note   tcp-refused 1.0 s ago, in SYN-SENT
        verdict: failed - tcp-refused
        why:     10.0.0.2:23 answered SYN with RST, TTL 63: most likely a box before 10.0.0.2, whose own segments have TTL 64
        look:    which router or filter stands before 10.0.0.2? smolctl traceroute 10.0.0.2
        exit 1
    """)


def test_refused_by_a_box_before_a_host_that_nobody_knows() -> None:
    pair = box_refuses(ttl=63)
    socket = pair.begin(23)
    pair.run(SECOND_NS)
    assert told(pair.client, socket.ends) == wanted("""
        tcp  note   tcp-refused 1.0 s ago, in SYN-SENT
        verdict: failed - tcp-refused
        why:     10.0.0.2:23 answered SYN with RST, TTL 63: a box behind a router, since nobody on the link sends TTL 63
        look:    which router or filter answers for 10.0.0.2?
        exit 1
    """)


def test_filtered() -> None:
    pair = wire(lambda end, header, frame: header.dport == 23)
    socket = pair.begin(23)
    pair.run(7500 * MILLISECOND_NS)
    assert told(pair.client, socket.ends) == wanted("""
        tcp  wait   4 SYNs in 7.5 s, no answer
        verdict: not open yet
        why:     no answer to 4 SYNs in 7.5 s: the host is there, since it answers ARP or ND, and drops them silently
        look:    is there a filter on 10.0.0.2?
        exit 1
    """)
    pair.run(200 * SECOND_NS)
    assert told(pair.client, socket.ends) == wanted("""
        tcp  note   tcp-timed-out 80.5 s ago, in SYN-SENT
        verdict: failed - tcp-timed-out
        why:     no answer to 7 SYNs in 127 s: the next hop has not answered lately
        look:    smolctl arping 10.0.0.2
        exit 1
    """)


def test_unreachable_and_still_trying() -> None:
    pair = router_says(3, 1)
    pair.client.set("tcp.icmp_aborts_connect", 0)
    socket = pair.begin(7)
    pair.run(1500 * MILLISECOND_NS)
    assert told(pair.client, socket.ends) == wanted("""
        tcp  wait   2 SYNs in 1.5 s, no answer
        icmp note   icmp-host-unreachable: soft, so it goes on (RFC 9293 3.9.2.2)
        verdict: not open yet - icmp-host-unreachable
        why:     10.0.0.9 says that it cannot reach 10.0.0.2; SYN is sent again all the same
        exit 1
    """)
    pair.run(200 * SECOND_NS)
    assert told(pair.client, socket.ends) == wanted("""
        tcp  note   icmp-host-unreachable 74.5 s ago, in SYN-SENT
        verdict: failed - icmp-host-unreachable
        why:     10.0.0.9 says that it cannot reach 10.0.0.2
        look:    on 10.0.0.9: arping 10.0.0.2
        exit 1
    """)


def test_unreachable_and_given_up_at_once() -> None:
    pair = router_says(3, 1)
    socket = pair.begin(7)
    pair.run(SECOND_NS)
    assert told(pair.client, socket.ends) == wanted("""
        tcp  note   icmp-host-unreachable 1.0 s ago, in SYN-SENT
        verdict: failed - icmp-host-unreachable
        why:     10.0.0.9 says that it cannot reach 10.0.0.2
        look:    on 10.0.0.9: arping 10.0.0.2
        exit 1
    """)


def test_a_black_hole() -> None:
    pair = wire(lambda end, header, frame: end == CLIENT_END and len(frame) > 1014)
    client, server = pair.connect()
    pair.write(client, bytes(3000))
    pair.run(3 * SECOND_NS)
    assert told(pair.client, client.ends) == wanted("""
        tcp  note   4 segments sent again: 3 timeouts
        tcp  wait   3000 B unacknowledged, 3 timeouts in a row; the last segment came 3.0 s ago
        verdict: open, and nothing gets through - tcp-rto
        why:     nothing is acknowledged for 3.0 s: the peer or the way is away, or packets of 1500 B do not get through
        look:    smolctl ping 10.0.0.2, and then with --df --size 1472
        exit 1
    """)
    pair.run(10 * SECOND_NS, lambda: server.rcv.ready == 3000)
    assert server.rcv.ready == 3000
    pair.run(SECOND_NS)
    assert told(pair.client, client.ends) == wanted("""
        tcp  note   13 segments sent again: 5 timeouts; none came twice (DSACK): they were lost on the way there
        size note   1500 B did not get through, 532 B do
        verdict: open, with smaller segments - tcp-mtu-black-hole
        why:     packets of 1500 B are lost, those of 532 B arrive, and no router says why
        look:    where is it lost? smolctl route add 10.0.0.2/32 dev tap0 mtu lock 532 keeps every connection below
        exit 0
    """)


def test_a_black_hole_of_ipv6() -> None:
    pair = wire(lambda end, header, frame: end == CLIENT_END and len(frame) > 1294, ipv6=True)
    client, server = pair.connect()
    pair.write(client, bytes(3000))
    assert pair.run(20 * SECOND_NS, lambda: server.rcv.ready == 3000)
    pair.run(SECOND_NS)
    assert told(pair.client, client.ends) == wanted("""
        tcp  note   8 segments sent again: 4 timeouts; none came twice (DSACK): they were lost on the way there
        size note   1500 B did not get through, 1280 B do
        verdict: open, with smaller segments - tcp-mtu-black-hole
        why:     packets of 1500 B are lost, those of 1280 B arrive, and no router says why
        look:    where is it lost? smolctl -6 route add fd00::2/128 dev tap0 mtu lock 1280 keeps every connection below
        exit 0
    """)


def test_nothing_gets_through_not_even_small_segments() -> None:
    lost = [False]
    pair = wire(lambda end, header, frame: end == CLIENT_END and lost[0])
    client, _ = pair.connect()
    lost[0] = True
    pair.write(client, bytes(3000))
    pair.run(5 * SECOND_NS)
    assert told(pair.client, client.ends) == wanted("""
        tcp  note   5 segments sent again: 4 timeouts, 1 tail probe
        size wait   1500 B did not get through; trying 1064
        verdict: open, and nothing gets through - tcp-rto
        why:     nothing is acknowledged for 5.0 s, and 1064 B were not yet, either
        look:    smolctl ping 10.0.0.2
        exit 1
    """)


def test_our_backlog_is_full() -> None:
    pair = Pair()
    pair.listen(7, backlog=0)
    for _ in range(2):
        first = pair.begin()
    pair.run(100 * MILLISECOND_NS)
    assert first.state is State.ESTABLISHED, "as far as its own end knows"
    assert told(pair.server, first.ends.mirrored) == wanted("""
        tcp  wait   1 SYN-ACK sent; 10.0.0.1:58771 may take the connection for open
        verdict: not open yet - tcp-backlog-full
        why:     1 connection waits at port 7, the backlog is 0, and the program does not accept
        look:    have server accept faster, or listen with a longer backlog
        exit 1
    """)
    assert predicted(pair.server, SERVER, 7) == wanted("""
        verdict: not delivered - tcp-backlog-full
        why:     1 connection waits at port 7, the backlog is 0
        look:    accept faster, or listen with a longer backlog
        exit 1
    """)


def test_the_backlog_of_the_peer_is_full() -> None:
    pair = Pair()
    pair.listen(7, backlog=0)
    for _ in range(2):
        second = pair.begin()
    pair.run(100 * MILLISECOND_NS)
    pair.write(second, b"hello")
    pair.run(7900 * MILLISECOND_NS)
    assert told(pair.client, second.ends) == wanted("""
        tcp  note   6 segments sent again: 5 timeouts, 1 tail probe
        tcp  wait   SYN-ACK came again 3 times after it was acknowledged
        tcp  wait   5 B unacknowledged
        verdict: open here, and not accepted there
        why:     10.0.0.2:7 repeats SYN-ACK: its backlog is full, since its program accepts more slowly than connections come, or our acknowledgments do not get there
        look:    does the program at 10.0.0.2:7 accept, and how long is its backlog?
        exit 1
    """)


def test_a_window_that_is_zero() -> None:
    pair = Pair()
    client, _ = pair.connect()
    sent = 0
    while (taken := pair.write(client, bytes(100_000))) or pair.run(
        SECOND_NS, lambda: client.writable
    ):
        sent += taken
    pair.run(10 * SECOND_NS)
    assert told(pair.client, client.ends) == wanted("""
        tcp  wait   window 0 for 11.0 s, 5 probes, 393856 B held
        verdict: open, and waits - tcp-zero-window
        why:     the peer's program does not read: its window has been zero for 11.0 s, 393856 B wait
        look:    the program at 10.0.0.2:7 has to read
        exit 0
    """)


def test_segments_were_lost_on_the_way_there() -> None:
    lost: list[int] = []

    def loses(end: int, header: TcpHeader, frame: bytes) -> bool:
        if end != CLIENT_END or len(frame) < 1000 or len(lost) == 2 or header.seq in lost:
            return False
        lost.append(header.seq)
        return True

    pair = wire(loses)
    client, server = pair.connect()
    flow(pair, client, server, 20_000)
    pair.run(SECOND_NS)
    assert told(pair.client, client.ends) == wanted("""
        tcp  note   2 segments sent again: the peer reported what was missing; none came twice (DSACK): they were lost on the way there
        verdict: open
        why:     nothing is in its way
        exit 0
    """)


def test_acknowledgments_were_lost() -> None:
    lost: list[int] = []

    def loses(end: int, header: TcpHeader, frame: bytes) -> bool:
        if end != SERVER_END or not armed or lost:
            return False
        lost.append(header.ack)
        return True

    armed: list[bool] = []
    pair = wire(loses)
    client, server = pair.connect()
    flow(pair, client, server, 1000)
    pair.run(SECOND_NS)
    armed.append(True)
    flow(pair, client, server, 1000)
    pair.run(SECOND_NS)
    assert told(pair.client, client.ends) == wanted("""
        tcp  note   1 segment sent again: 1 tail probe; all had arrived (DSACK): not they, but acknowledgments were lost or late
        verdict: open
        why:     nothing is in its way
        exit 0
    """)


def test_time_wait_and_its_reuse() -> None:
    pair = Pair()
    tcp_ = pair.client.stack.tcp
    listener, client = pair.listen(7), tcp_.open("client")
    client.reuse = True
    tcp_.connect(client, ip(SERVER), 7, pair.now)
    pair.run(SECOND_NS)
    server = pair.server.stack.tcp.accept(listener)
    assert server is not None
    ends = client.ends
    tcp_.close(client, pair.now)
    pair.run(SECOND_NS)
    pair.server.stack.tcp.close(server, pair.now)
    pair.run(10 * SECOND_NS)
    assert told(pair.client, ends) == wanted("""
        tcp  ok     both ends have closed; 50 s are left
        verdict: closed, in TIME-WAIT
        why:     the last segments may still be under way for 50 s; a new connection from the same port gets in with a newer timestamp or higher sequence number (RFC 6191)
        exit 0
    """)
    pair.client.set("tcp.tw_reuse", 1)
    again = tcp_.open("client")
    again.reuse = True
    tcp_.bind(again, None, ends.port)
    tcp_.connect(again, ends.peer, ends.peer_port, pair.now)
    pair.run(SECOND_NS)
    assert told(pair.client, again.ends) == wanted("""
        tcp  note   the one before was in TIME-WAIT, and has made room for it (RFC 6191)
        verdict: open
        why:     nothing is in its way
        exit 0
    """)


def test_a_peer_in_time_wait_takes_a_new_connection() -> None:
    pair = Pair()
    client, server = pair.connect()
    pair.server.stack.tcp.close(server, pair.now)
    pair.run(SECOND_NS)
    pair.client.stack.tcp.close(client, pair.now)
    pair.run(10 * SECOND_NS)
    tcp_ = pair.client.stack.tcp
    again = tcp_.open("client")
    tcp_.bind(again, None, client.ends.port)
    tcp_.connect(again, client.ends.peer, 7, pair.now)
    pair.run(SECOND_NS)
    assert told(pair.server, again.ends.mirrored) == wanted("""
        tcp  note   the one before was in TIME-WAIT, and has made room for it (RFC 6191)
        verdict: open
        why:     nothing is in its way
        exit 0
    """)


def test_opened_from_both_sides() -> None:
    pair = Pair()
    one, other = pair.client.stack.tcp, pair.server.stack.tcp
    here, there = one.open("client"), other.open("server")
    one.bind(here, None, 5000)
    other.bind(there, None, 6000)
    one.connect(here, ip(SERVER), 6000, pair.now)
    other.connect(there, ip(CLIENT), 5000, pair.now)
    pair.run(SECOND_NS)
    for host, socket in ((pair.client, here), (pair.server, there)):
        assert told(host, socket.ends) == wanted("""
            tcp  note   both ends sent SYN at once: opened from both sides (RFC 9293 3.5)
            verdict: open
            why:     nothing is in its way
            exit 0
        """)


def restarted(pair: Pair, end: int) -> None:
    """Have one of two stacks forget everything, as a host does that restarts."""
    host = pair.hosts[end]
    for each in list(host.stack.tcp.connections.values()):
        assert isinstance(each, TcpSocket)
        forget(host.stack.tcp, each)


def test_half_open_since_the_peer_has_restarted() -> None:
    pair = Pair()
    client, _ = pair.connect()
    restarted(pair, SERVER_END)
    pair.write(client, b"hello")
    pair.run(SECOND_NS)
    assert told(pair.client, client.ends) == wanted("""
        tcp  note   tcp-reset 1.0 s ago, in ESTABLISHED
        verdict: failed - tcp-reset
        why:     RST from 10.0.0.2:7 at port 58770, TTL 64: it knows of no such connection any more
        look:    has 10.0.0.2:7 restarted, or a box on the way forgotten the connection?
        exit 1
    """)


def test_half_open_since_we_have_restarted() -> None:
    pair = Pair()
    client, server = pair.connect()
    ends = client.ends
    restarted(pair, CLIENT_END)
    tcp_ = pair.client.stack.tcp
    again = tcp_.open("client")
    tcp_.bind(again, None, ends.port)
    tcp_.connect(again, ends.peer, 7, pair.now)
    pair.run(5 * MILLISECOND_NS)
    assert told(pair.client, ends) == wanted("""
        tcp  note   the peer still had an old connection with this port: RST has ended it
        tcp  wait   1 SYN in 0.0 s, no answer
        verdict: not open yet
        why:     10.0.0.2:7 answered for an old connection, which RST has ended: SYN follows
        exit 1
    """)
    assert server.state is State.CLOSED
    assert told(pair.server, ends.mirrored) == wanted("""
        tcp  note   tcp-reset 0.0 s ago, in ESTABLISHED
        verdict: failed - tcp-reset
        why:     RST from 10.0.0.1:58770 at port 7, TTL 64: it has restarted, since it sent SYN before
        exit 1
    """)
    pair.run(3 * SECOND_NS)
    assert told(pair.client, ends) == wanted("""
        tcp  note   the peer still had an old connection with this port: RST has ended it
        tcp  note   SYN was sent again 1 time
        verdict: open
        why:     nothing is in its way
        exit 0
    """)


def test_reset_by_a_program() -> None:
    pair = Pair()
    client, server = pair.connect()
    pair.server.stack.tcp.abort(server, pair.now)
    pair.run(SECOND_NS)
    assert told(pair.client, client.ends) == wanted("""
        tcp  note   tcp-reset 1.0 s ago, in ESTABLISHED
        verdict: failed - tcp-reset
        why:     RST from 10.0.0.2:7 at port 58770, TTL 64: its program gave the connection up, or ended without reading everything
        look:    what does the program at 10.0.0.2:7 say?
        exit 1
    """)


def test_data_for_a_program_that_has_closed() -> None:
    pair = Pair()
    client, server = pair.connect()
    pair.server.stack.tcp.close(server, pair.now)
    pair.run(SECOND_NS)
    pair.write(client, b"hello")
    pair.run(SECOND_NS)
    assert told(pair.client, client.ends) == wanted("""
        tcp  note   tcp-reset 1.0 s ago, in CLOSE-WAIT
        verdict: failed - tcp-reset
        why:     RST from 10.0.0.2:7 at port 58770, TTL 64: its program had closed the connection, and takes nothing more
        look:    what does the program at 10.0.0.2:7 say?
        exit 1
    """)


def test_a_handshake_that_is_not_finished() -> None:
    pair = wire(lambda end, header, frame: end == SERVER_END and bool(header.flags & tcp.SYN))
    pair.listen(7)
    socket = pair.begin(7)
    pair.run(2500 * MILLISECOND_NS)
    assert told(pair.server, socket.ends.mirrored) == wanted("""
        tcp  wait   3 SYN-ACKs sent, the last one 1.5 s ago
        verdict: not open yet
        why:     10.0.0.1:58770 has not acknowledged SYN-ACK: it is lost, or the SYN was not its own
        look:    smolctl traceroute 10.0.0.1
        exit 1
    """)


def test_a_congestion_window_that_is_full() -> None:
    pair = Pair()
    client, _ = pair.connect()
    pair.write(client, bytes(60_000))
    assert told(pair.client, client.ends) == wanted("""
        verdict: open, and waits - tcp-cwnd-full
        why:     45520 B wait, 14480 B are under way: the congestion window of 14480 B is full
        exit 0
    """)


def test_a_small_segment_that_waits() -> None:
    pair = Pair()
    client, _ = pair.connect()
    pair.write(client, b"one")
    pair.write(client, b"two")
    assert told(pair.client, client.ends) == wanted("""
        verdict: open, and waits - tcp-nagle
        why:     3 B wait: an earlier small segment is not acknowledged
        look:    have the program write at once, or set TCP_NODELAY
        exit 0
    """)


def test_a_corked_segment_that_waits() -> None:
    pair = Pair()
    client, _ = pair.connect()
    client.cork = True
    pair.write(client, b"one")
    assert told(pair.client, client.ends) == wanted("""
        verdict: open, and waits - tcp-nagle
        why:     3 B wait: its program has set TCP_CORK
        look:    the program is to take TCP_CORK off
        exit 0
    """)
