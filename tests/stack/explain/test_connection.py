"""Explanations of connections, word for word; each is true for who knows what the peer did."""

from typing import Any

from smolctl.stack.explain.connection import known_of, tell_connection
from smolctl.stack.transport.tcp.sequence import Ends
from tests.kit.host import OURS, PEER, Host, ip
from tests.kit.tcp_script import Script

Row = dict[str, Any]


def play(text: str) -> tuple[Script, Ends]:
    """Return what is left when a script has run, and the ends of its connection."""
    host = Host()
    host.know()
    script = Script(host)
    script.run(text)
    assert script.socket is not None
    return script, script.socket.ends


def told(text: str) -> Row:
    script, ends = play(text)
    host = script.host
    host.stack.events.now_ns = host.now
    row = tell_connection(host.stack.tcp, ends, host.now)
    assert row is not None
    return row


def texts(row: Row) -> list[str]:
    return [f"{step['stage']} {step['result']} {step['text']}" for step in row["steps"]]


def test_one_that_is_open() -> None:
    row = told("+0 established")
    assert (row["verdict"], row["why"], row["ok"]) == ("open", "nothing is in its way", True)
    assert row["summary"] == f"{OURS}:80 > {PEER}:40000 TCP ESTABLISHED"
    assert texts(row) == [
        "route pick dev tap0, next hop 10.0.0.2",
        "neigh ok 10.0.0.2 is REACHABLE",
    ]


def test_a_filter_drops_syns_of_a_host_that_is_there() -> None:
    row = told("+0 connect 22\n+3.5 ignore")
    assert row["why"] == (
        "no answer to 3 SYNs in 3.5 s: the host is there, since it answers ARP or ND, and drops"
        " them silently"
    )
    assert (row["ok"], row["look"]) == (False, "is there a filter on 10.0.0.2?")


def test_it_was_refused_by_the_host_itself() -> None:
    script, ends = play("+0 connect 22\n+0.1 < R. 0:0 ack 1\n+0 ignore")
    row = tell_connection(script.host.stack.tcp, ends, script.host.now)
    assert row is not None
    assert (row["verdict"], row["ok"]) == ("failed - tcp-refused", False)
    assert row["why"] == (
        "10.0.0.2:22 answered SYN with RST, TTL 64: 10.0.0.2 itself, which is on the link"
    )
    stack = script.host.stack
    (step,) = known_of(stack.tcp, ip(PEER), 22, stack.events.now_ns + 2_000_000_000)
    assert step["text"] == (
        "an attempt failed 2.0 s ago: 10.0.0.2:22 answered SYN with RST, TTL 64"
    )
    assert known_of(stack.tcp, ip(PEER), 23, 0) == []


def test_the_peer_does_not_read() -> None:
    row = told("""
        +0 established
        +0 write 100
        +.01 < . 1:1 ack 101 win 0
        +0 write 500
        +2 ignore
    """)
    assert row["verdict"] == "open, and waits - tcp-zero-window"
    assert row["why"] == (
        "the peer's program does not read: its window has been zero for 2.0 s, 500 B wait"
    )
    assert row["look"] == "the program at 10.0.0.2:40000 has to read"


def test_nothing_gets_through() -> None:
    row = told("+0 established\n+0 write 100\n+1.5 ignore")
    assert row["verdict"] == "open, and nothing gets through - tcp-rto"
    assert row["why"] == "nothing is acknowledged for 1.5 s: the peer or the way is away"
    assert "tcp wait 100 B unacknowledged" in texts(row)[-1]


def test_the_link_is_gone() -> None:
    script, ends = play("+0 established\n+0 write 100\n+1.5 ignore")
    script.host.tap.carrier = False
    row = tell_connection(script.host.stack.tcp, ends, script.host.now)
    assert row is not None
    assert texts(row)[1] == "device drop tap0 has no carrier"


def test_what_was_sent_again_is_told_with_its_cause() -> None:
    row = told("""
        +0 established
        +0 write 100
        +.5 < . 1:1 ack 101
        +0 ignore
    """)
    assert row["verdict"] == "open"
    assert texts(row)[-1].startswith("tcp note 1 segment sent again: 1 timeout")


def test_data_that_nobody_read() -> None:
    row = told("+0 established\n+0 < P. 1:11 ack 1\n+1 ignore")
    assert row["why"] == "10 bytes came that script has not read"


def test_time_wait() -> None:
    row = told("+0 established\n+0 close\n+.01 < F. 1:1 ack 2\n+1 ignore")
    assert row["verdict"] == "closed, in TIME-WAIT"
    assert "59 s" in row["why"]


def test_one_that_nobody_knows() -> None:
    host = Host()
    assert tell_connection(host.stack.tcp, Ends(ip(OURS), 1, ip(PEER), 2), 0) is None


def test_an_open_connection_says_that_a_port_is_open() -> None:
    script, _ = play("+0 connect 22\n+0 < S. 0:0 ack 1\n+0 ignore")
    (step,) = known_of(script.host.stack.tcp, ip(PEER), 22, script.host.now)
    assert step["text"] == "1 connection with that port open already"
