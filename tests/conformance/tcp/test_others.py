"""Failures of other stacks that are not in the scripts of an RFC, each by the name it has there."""

import time

import pytest

from smolctl.stack import reason
from smolctl.stack.trace.trace import Fate, Struck, Trace
from smolctl.stack.transport.tcp.receive import ReceiveSide
from tests.conformance.tcp.kit import play
from tests.kit.clock import SECOND_NS
from tests.kit.host import Host, ip
from tests.kit.tcp import Pair, check_socket
from tests.stack.reason.provokers import fresh


def test_gvisor_14092_what_was_sacked_and_then_acknowledged_is_not_in_flight() -> None:
    script = play("""
        +0   established sack
        +0   write 14600
        +0   ignore
        +.01 < . 1:1 ack 1 sack 1461:7301
        +.01 < . 1:1 ack 7301 sack 8761:10221
        +0   ignore
    """)
    snd = script.conn.snd
    check_socket(script.conn)
    assert snd.sacked == 1460
    script.run("+.01 < . 1:1 ack 14601\n+0 ignore")
    assert (snd.sacked, snd.lost, snd.again, snd.pipe) == (0, 0, 0, 0)


@pytest.mark.parametrize("delay_ns", [0, 1, 1000])
def test_gvisor_6113_a_tiny_round_trip_stops_no_flow(delay_ns: int) -> None:
    pair = Pair(delay_ns)
    client, server = pair.connect()
    data = bytes(2_000_000)
    assert pair.transfer(client, server, data, 10 * SECOND_NS) == data
    assert client.stats.timeouts == 0
    assert client.window.cwnd >= 14_480


def test_gvisor_11198_the_acknowledgment_of_a_super_packet_is_not_lost() -> None:
    """Data both ways at once: each end acknowledges what came, with what it sends."""
    pair = Pair()
    client, server = pair.connect()
    for _ in range(20):
        pair.write(client, bytes(60_000))
        pair.write(server, bytes(60_000))
        pair.run(SECOND_NS // 10)
        pair.read(client)
        pair.read(server)
    assert pair.run(SECOND_NS, lambda: not (client.snd.records or server.snd.records))
    assert (client.stats.retrans, server.stats.retrans) == (0, 0)


def test_libxlio_26_what_is_unsent_with_nothing_in_flight_has_a_timer() -> None:
    script = play("""
        +0   established win 2000
        +0   write 3000
        +0   ignore
        +.01 < . 1:1 ack 2001 win 10
        +0   nothing
    """)
    assert not script.conn.snd.records
    assert script.conn.snd.unsent
    assert script.conn.timer.value == "persist"
    script.run("+.3 ignore")  # it leaves by itself


def test_pytcp_5_a_reset_is_not_answered_by_a_reset() -> None:
    play("+0 listen\n+0 < R 5:5\n+0 < R. 5:5 ack 9\n+0 nothing\n+0 reason tcp-stray-rst 2")


def test_smoltcp_949_a_larger_buffer_is_not_slower() -> None:
    took = {}
    for size in (131_072, 4_194_304):
        pair = Pair()
        for host in pair.hosts:
            host.set("tcp.rmem_default", size)
        client, server = pair.connect()
        began = pair.now
        data = bytes(3_000_000)
        assert pair.transfer(client, server, data) == data
        took[size] = pair.now - began
    assert took[4_194_304] <= took[131_072]


def test_cve_2018_5390_reassembly_is_not_quadratic() -> None:
    """Not each piece walks along all others: that would be fifty million steps here."""
    side, pieces = ReceiveSide(0), 10_000
    began = time.perf_counter()
    for at in range(pieces, 0, -1):
        side.accept(at * 10, b"12345")
    assert time.perf_counter() - began < 5
    assert side.blocks == pieces


def test_esp_idf_2425_two_closed_windows_over_lo_do_not_spin() -> None:
    host = Host()
    tcp = host.stack.tcp
    listener, client = tcp.open(), tcp.open()
    tcp.bind(listener, ip("127.0.0.1"), 80)
    tcp.listen(listener)
    tcp.connect(client, ip("127.0.0.1"), 80, host.now)
    host.wait(SECOND_NS)
    server = tcp.accept(listener)
    assert server is not None
    for _ in range(200):  # both write, and neither reads
        for socket in (client, server):
            tcp.send(socket, bytes(65_536), host.now)
        host.wait(SECOND_NS // 100)
    before = host.event("tcp.segments_sent")
    host.wait(100 * SECOND_NS)
    assert host.event("tcp.segments_sent") - before < 200
    while client.snd.unsent or server.snd.unsent or client.rcv.ready or server.rcv.ready:
        for socket in (client, server):
            tcp.receive(socket, 1 << 20, host.now)
        host.wait(SECOND_NS // 100)


def test_a_segment_that_is_sent_again_says_why() -> None:
    """Its trace has the note, and so has what captures and traces show of it; counted once."""

    def notes_of(text: str) -> list[list[str]]:
        script = play("+0 established sack\n")
        traces: list[Trace] = []
        script.host.stack.watch(traces.append, everything=True)
        script.run(text)
        return [
            [step.facts.reason.name for step in trace.steps if isinstance(step.facts, Struck)]
            for trace in traces
            if trace.fate is Fate.SENT
        ]

    lost = "+0 write 5840\n+0 ignore\n+.01 < . 1:1 ack 1 sack 1461:5841\n+0 > . 1:1461 ack 1\n"
    assert notes_of(lost) == [[], [], [], [], ["tcp-fast-retransmit"]]
    timeout = "+0 sysctl tcp.tlp 0\n+0 write 10\n+0 ignore\n+.3 ignore\n+.01 < . 1:1 ack 11\n"
    assert notes_of(timeout + "+0 write 10\n+0 ignore") == [[], ["tcp-rto"], []]
    probe = "+0 write 2920\n+0 ignore\n+.03 ignore\n+.01 < . 1:1 ack 2921\n+0 write 1\n+0 ignore"
    assert notes_of(probe) == [[], [], ["tcp-tlp"], []]


def test_a_syn_that_is_sent_again_says_why() -> None:
    host = fresh()
    traces: list[Trace] = []
    host.stack.watch(traces.append, everything=True)
    socket = host.stack.tcp.open()
    host.stack.tcp.connect(socket, ip("10.0.0.2"), 80, host.now)
    host.wait(SECOND_NS)
    host.take()
    (struck,) = [step.facts for step in traces[-1].steps if isinstance(step.facts, Struck)]
    assert struck.reason is reason.TCP_RTO
    assert struck.reason.why(struck.detail) == (
        "nothing came from 10.0.0.2:80 within 1000 ms: timeout 1 in a row"
    )
    assert "tcp-rto" not in host.reasons()
