"""Attacks: RFC 5961, 5927, 6528, 4987; and the calls of RFC 9293 3.9 with what must not be."""

import pytest

from smolctl.errors import InvalidArgument, SendRejected
from smolctl.stack.transport.tcp.states import State
from smolctl.wire import ipv4, tcp, tcp_options
from smolctl.wire.tcp_options import TcpOptions
from tests.conformance.tcp.kit import play
from tests.kit.clock import SECOND_NS
from tests.kit.host import OURS, PEER, Host, frame_of, icmp_frame, ip, packet_of
from tests.kit.tcp_script import Script
from tests.stack.reason.provokers import fresh


def test_rfc5961_3_2_only_the_exact_reset_counts() -> None:
    """Not as in smoltcp (#338): what answers RST is a challenge, and only in the window."""
    play("""
        +0  established
        +0  < R 100:100
        +0  > . 1:1 ack 1
        +0  < R 100000:100000
        +0  nothing
        +0  state established
        +.6 < R 1:1
        +0  state closed
    """)


def test_rfc5961_4_2_a_syn_in_the_window_is_challenged() -> None:
    play("""
        +0  established
        +0  < S 100:100
        +0  > . 1:1 ack 1
        +0  state established
    """)


def test_rfc5961_4_2_a_syn_outside_of_the_window_is_challenged() -> None:
    play("""
        +0  established
        +0  < S 500000:500000
        +0  > . 1:1 ack 1
        +0  state established
    """)


def test_rfc5961_5_2_an_acknowledgment_from_nowhere_is_challenged() -> None:
    play("""
        +0  established
        +0  < P. 1:11 ack 100000
        +0  > . 1:1 ack 1
        +.6 < P. 1:11 ack -100000
        +0  > . 1:1 ack 1
        +0  read 10 none
    """)


def test_rfc5961_7_challenges_are_limited_by_connection() -> None:
    """CVE-2016-5696: a limit of all connections together tells of others."""
    play("""
        +0  established
        +0  < R 100:100
        +0  > . 1:1 ack 1
        +0  < R 100:100
        +.2 < R 100:100
        +0  nothing
        +.4 < R 100:100
        +0  > . 1:1 ack 1
    """)


def test_rfc5961_7_the_limit_of_challenges_is_a_sysctl() -> None:
    play("""
        +0  established
        +0  sysctl tcp.invalid_ratelimit_ms 0
        +0  < R 100:100
        +0  > . 1:1 ack 1
        +0  < R 100:100
        +0  > . 1:1 ack 1
    """)


def test_rfc5927_4_2_ephemeral_ports_differ_from_start_to_start() -> None:
    """A keyed hash and chance say where the search begins (RFC 6056 3.3.3)."""
    ports = set()
    for random in (0.1, 0.3, 0.7):
        host = Host("10.0.0.1/24", random=random)
        socket = host.stack.tcp.open()
        host.stack.tcp.connect(socket, ip(PEER), 80, host.now)
        ports.add(socket.port)
    assert len(ports) == 3


def test_gvisor_7619_a_challenged_syn_is_sent_again() -> None:
    """The peer remembers an old connection: its challenge is reset, and SYN goes out again."""
    play("""
        +0  connect
        +0  > S 0:0
        +0  < . 500:500 ack -3000
        +0  > R -3000:-3000
        +.008 > S 0:0
        +0  < S. 0:0 ack 1 win 1000
        +0  > . 1:1 ack 1
    """)


def test_rfc6528_3_initial_numbers_follow_a_clock_and_differ_by_connection() -> None:
    """RFC 9293 MUST-8, SHLD-1, MUST-9."""
    host = fresh()
    tcp_ = host.stack.tcp
    found = []
    for _ in range(3):
        socket = tcp_.open()
        tcp_.connect(socket, ip(PEER), 80, host.now)
        found.append(socket.snd.iss)
    again = tcp_.secrets.initial(socket.ends, host.now)
    assert again == socket.snd.iss  # a clock, and a keyed hash of both ends
    later = tcp_.secrets.initial(socket.ends, host.now + SECOND_NS)
    assert (later - again) & 0xFFFFFFFF == SECOND_NS // 64
    assert len(set(found)) == 3
    other = Host(random=0.25)
    assert other.stack.tcp.secrets.initial(socket.ends, host.now) != again


def test_rfc9293_3_9_2_3_what_is_for_a_group_is_discarded() -> None:
    """MUST-57, MUST-63."""
    host = fresh()
    header = tcp.TcpHeader(5, 80, 1, 0, 0, tcp.SYN, 1000)
    Script(host).run("+0 listen")
    for src, dst in ((PEER, "10.0.0.255"), (PEER, "224.0.0.1"), ("10.0.0.255", OURS)):
        segment = header.to_bytes(b"", ip(src), ip(dst))
        host.receive(frame_of(packet_of(6, segment, src, dst)))
    host.poll()
    assert not host.tap.outbox
    assert not host.stack.tcp.connections


def icmp(script: Script, kind: int, code: int) -> None:
    """Have an ICMP error about the first segment in flight come in."""
    ends = script.conn.ends
    quoted = ends.port.to_bytes(2) + ends.peer_port.to_bytes(2)
    quoted += (script.conn.snd.una & 0xFFFFFFFF).to_bytes(4)
    packet = packet_of(ipv4.Protocol.TCP, quoted, OURS, PEER)
    script.host.receive(icmp_frame(kind, code, 0, packet, "10.0.0.99"))


def test_rfc9293_3_9_2_2_what_may_pass_does_not_end_a_connection() -> None:
    """MUST-54, MUST-56, SHLD-25: the program may ask; the connection goes on."""
    for kind, code in ((3, 0), (3, 1), (3, 5), (3, 2), (3, 3), (11, 0), (11, 1), (12, 0)):
        script = play("+0 established\n+0 write 10\n+0 ignore")
        icmp(script, kind, code)
        assert script.conn.state is State.ESTABLISHED
        assert script.conn.soft is not None
        script.run("+.05 < . 1:1 ack 11\n+0 state established")


def test_rfc9293_3_9_2_2_source_quench_is_discarded() -> None:
    """MUST-55."""
    script = play("+0 established\n+0 write 10\n+0 ignore")
    window = script.conn.window.cwnd
    icmp(script, 4, 0)
    assert (script.conn.state, script.conn.window.cwnd) == (State.ESTABLISHED, window)
    assert script.host.reasons() == {"icmp-source-quench": 1}


def test_rfc9293_3_9_2_2_an_attempt_ends_when_there_is_no_such_port() -> None:
    """SHLD-26."""
    script = play("+0 sysctl tcp.icmp_aborts_connect 0\n+0 connect\n+0 ignore")
    icmp(script, 3, 1)
    assert script.conn.state is State.SYN_SENT  # MUST-56
    icmp(script, 3, 3)
    script.run("+0 state closed\n+0 error ECONNREFUSED")


def test_rfc9293_3_9_1_8_ttl_and_service_are_the_programs() -> None:
    """MUST-48, MUST-49, SHLD-21, SHLD-22."""
    script = play("+0 established\n+0 ignore")
    script.conn.ttl, script.conn.tos = 7, 0x28
    script.run("+0 write 10\n+0 > P. 1:11 ack 1 tos 40")
    script.conn.tos = 0x48
    script.run("+0 < . 1:1 ack 11\n+0 write 10\n+0 > P. 11:21 ack 1 tos 72")


def test_rfc9293_3_9_1_1_several_listen_at_one_port_of_different_addresses() -> None:
    """MUST-41, MUST-42, MUST-43."""
    host = Host("10.0.0.1/24", "10.0.0.3/24")
    tcp_ = host.stack.tcp
    made = []
    for local in ("10.0.0.1", "10.0.0.3"):
        socket = tcp_.open()
        tcp_.bind(socket, ip(local), 80)
        tcp_.listen(socket)
        made.append(socket)
    for local, listener in zip(("10.0.0.1", "10.0.0.3"), made, strict=True):
        client = tcp_.open()
        tcp_.connect(client, ip(local), 80, host.now)
        host.wait(SECOND_NS)
        server = tcp_.accept(listener)
        assert server is not None
        assert server.local == ip(local)  # MUST-45: that of the connection


def test_rfc9293_3_9_1_1_the_network_layer_chooses_the_source() -> None:
    """MUST-44."""
    host = Host("10.0.0.1/24")
    host.link("tap1")
    host.add("10.1.0.1/24", "tap1")
    socket = host.stack.tcp.open()
    host.stack.tcp.connect(socket, ip("10.1.0.9"), 80, host.now)
    assert socket.local == ip("10.1.0.1")


def test_rfc9293_3_9_2_3_no_connection_to_a_group_or_everybody() -> None:
    """MUST-46."""
    script = Script(fresh()).run("+0 open")
    for peer in ("224.0.0.1", "10.0.0.255", "255.255.255.255", "0.0.0.0"):
        with pytest.raises((SendRejected, InvalidArgument)):
            script.tcp.connect(script.conn, ip(peer), 80, script.host.now)
    assert script.conn.state is State.CLOSED


def test_rfc9293_3_8_6_1_a_reset_counts_while_the_window_is_closed() -> None:
    """MUST-66: and so does urgent data."""
    script = """
        +0   small_buffer 2048
        +0   < . 1:1461 ack 1
        +0   > . 1:1 ack 1461 win 0
    """
    play(script + "+0 < R 1461:1461\n+0 data 1 1461\n+0 state closed")
    urgent = play(script + "+0 < .U 1461:1461 ack 1 urg 5\n+0 ignore")
    assert urgent.conn.rcv.urgent is not None


def test_rfc9293_3_8_5_the_program_learns_of_urgent_data() -> None:
    """MUST-32, MUST-33: at once, and how far it reaches."""
    script = play("+0 established\n+0 ignore")
    script.host.stack.take_ready()
    script.inject("P.U 1:11 ack 1 urg 5")
    assert script.conn in script.host.stack.take_ready()
    rcv = script.conn.rcv
    assert rcv.urgent is not None
    assert rcv.urgent - (rcv.nxt - rcv.ready) == 5


def test_rfc9293_3_1_options_are_padded_with_zero_or_nop() -> None:
    """MUST-64, MUST-65, MUST-68, MUST-69."""
    header = tcp.TcpHeader(1, 2, 3, 4, 0, tcp.SYN, 5, 0, b"\3\3\7")
    segment = header.to_bytes(b"", ip(PEER), ip(OURS))
    assert segment[20:24] == b"\3\3\7\0"
    for shift in range(4):
        raw = bytes([1] * shift) + TcpOptions(mss=1000).to_bytes()
        assert tcp_options.parse(raw, syn=True).mss == 1000
        assert tcp_options.parse(raw, syn=False).mss is None
    for kind, data in tcp_options.items(TcpOptions(1460, 7, True, (1, 2)).to_bytes()):
        assert kind > 1
        assert isinstance(data, bytes)


def test_rfc9293_3_9_1_2_what_is_written_leaves_pushed() -> None:
    """MUST-60, MUST-61, SHLD-27, SHLD-28."""
    play("""
        +0  established
        +0  write 3000
        +0  > . 1:1461 ack 1
        +0  > . 1461:2921 ack 1
        +0  > P. 2921:3001 ack 1
    """)


def test_rfc9293_3_4_a_window_is_unsigned_and_may_be_huge() -> None:
    """MUST-1, REC-1."""
    script = play("+0 established win 65535 wscale 14")
    script.run("+0 < . 1:1 ack 1 win 65535")
    assert script.conn.snd.wnd == 65535 << 14


def test_rfc9293_3_1_checksums_are_made_and_checked() -> None:
    """MUST-2, MUST-3; the script itself checks each segment that leaves."""
    play("""
        +0  established
        +0  < P. 1:11 ack 1 bad
        +0  reason tcp-bad-checksum
        +0  read 10 none
        +0  write 1
        +0  > P. 1:2 ack 1
    """)


def test_a_peer_that_acknowledges_before_it_got_anything_gains_nothing() -> None:
    script = play("+0 established\n+0 write 1460\n+0 ignore")
    window = script.conn.window.cwnd
    for ahead in range(2000, 60_000, 1000):
        script.inject(f". 1:1 ack {ahead}")
    assert script.conn.window.cwnd == window
    assert script.conn.snd.una == script.conn.snd.iss + 1


def test_a_window_of_two_to_the_thirty_first_is_no_negative_one() -> None:
    script = play("+0 established win 65535 wscale 14\n+0 write 80000\n+0 ignore")
    assert script.conn.snd.wnd == 65535 << 14
    script.run("+.01 < . 1:1 ack 1461 win 65535\n+0 ignore\n+0 state established")
