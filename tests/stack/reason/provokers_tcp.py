"""Provokers of the reasons of TCP: scripts of segments, and calls."""

from smolctl.stack.explain.predict_tcp import Attempt, tcp_out
from smolctl.stack.reason import TCP_NO_ANSWER
from smolctl.stack.trace.trace import Trace
from smolctl.wire import ipv4
from tests.kit.host import (
    DEAD,
    OUR_MAC,
    OURS,
    PEER,
    PEER_MAC,
    Host,
    frame_of,
    icmp_frame,
    ip,
    packet_of,
    text,
)
from tests.kit.tcp_script import Script
from tests.stack.reason.provokers import Provoker, silence


def plays(script: str) -> Provoker:
    """Return what runs a script on a host."""

    def play(host: Host) -> object:
        return Script(host).run(script + "\n+0 ignore")

    return play


def raw(segment: bytes) -> Provoker:
    """Return what has a segment come in as it is."""

    def play(host: Host) -> None:
        host.receive(frame_of(packet_of(ipv4.Protocol.TCP, segment), to=OUR_MAC, by=PEER_MAC))

    return play


def to_broadcast(host: Host) -> None:
    """Have a SYN come in by a broadcast frame."""
    from smolctl.wire import tcp
    from smolctl.wire.address import BROADCAST_MAC

    header = tcp.TcpHeader(40000, 80, 1, 0, 0, tcp.SYN, 1000)
    segment = header.to_bytes(b"", ip(PEER), ip(OURS))
    host.receive(frame_of(packet_of(ipv4.Protocol.TCP, segment), to=BROADCAST_MAC, by=PEER_MAC))


def bound_to(local: str | None, dev: str | None = None) -> Provoker:
    """Return what has a SYN come in for a socket that listens elsewhere."""

    def play(host: Host) -> None:
        host.link("tap9")
        socket = host.stack.tcp.open("test")
        host.stack.tcp.bind(socket, None if local is None else ip(local), 80, dev)
        host.stack.tcp.listen(socket)
        Script(host).run("+0 < S 0:0\n+0 ignore")

    return play


def icmp_about_the_past(host: Host) -> None:
    """Have an ICMP error come in about a segment that is not in flight."""
    script = Script(host).run("+0 established\n+0 ignore")
    ends = script.conn.ends
    quoted = ends.port.to_bytes(2) + ends.peer_port.to_bytes(2)
    quoted += (script.conn.snd.una + 5_000_000 & 0xFFFFFFFF).to_bytes(4)
    packet = packet_of(ipv4.Protocol.TCP, quoted, OURS, text(ends.peer))
    host.receive(icmp_frame(3, 1, 0, packet))


def connects_to(address: str) -> Provoker:
    """Have a connection tried, as a prediction does."""

    def connect(host: Host) -> None:
        tried = Attempt(None, 0, ip(address), 80, None, 0, None, 0, 0)
        tcp_out(host.stack.tcp, host.stack.ipv4, tried, host.now, Trace())

    return connect


TCP: dict[str, Provoker] = {
    "tcp-no-answer": silence(TCP_NO_ANSWER, "tcp", requests=3, ip=DEAD, port=9),
    "tcp-header-short": raw(bytes(19)),
    "tcp-offset-invalid": raw(bytes(12) + b"\x40" + bytes(7)),
    "tcp-bad-checksum": plays("+0 < S 0:0 bad"),
    "tcp-flags-invalid": plays("+0 listen\n+0 < F 0:0"),
    "tcp-group-address": to_broadcast,
    "tcp-no-listener": plays("+0 < S 0:0"),
    "tcp-peer-broadcast": connects_to("10.0.0.255"),
    "tcp-bound-elsewhere": bound_to("127.0.0.1"),
    "tcp-no-connection": plays("+0 < . 1:1 ack 1"),
    "tcp-stray-rst": plays("+0 < R 1:1"),
    "tcp-data-after-close": plays("+0 established\n+0 close\n+0 < . 1:11 ack 1"),
    "tcp-paws": plays("+0 established ts\n+.5 < . 1:11 ack 1 ts\n+0 < . 11:21 ack 1 ts 5"),
    "tcp-seq-outside-window": plays("+0 established\n+0 < . 200000:200010 ack 1"),
    "tcp-duplicate": plays("+0 established\n+0 < . 1:11 ack 1\n+0 < . 1:11 ack 1"),
    "tcp-ack-unacceptable": plays("+0 established\n+0 < . 1:1 ack 5000"),
    "tcp-rst-bad-seq": plays("+0 established\n+0 < R 100:100"),
    "tcp-syn-in-window": plays("+0 established\n+0 < S 100:100"),
    "tcp-rst-in-time-wait": plays("""
        +0 sysctl tcp.rfc1337 1
        +0 established
        +0 close
        +0 < F. 1:1 ack 2
        +0 < R 2:2
    """),
    "tcp-syn-queue-full": plays("""
        +0 sysctl tcp.syncookies 0
        +0 sysctl tcp.max_syn_backlog 1
        +0 listen
        +0 < S 0:0
        +0 < S 0:0 sport 40001
    """),
    "tcp-syn-cookie": plays("""
        +0 sysctl tcp.max_syn_backlog 1
        +0 listen
        +0 < S 0:0
        +0 < S 0:0 sport 40001
    """),
    "tcp-backlog-full": plays("""
        +0 listen 80 0
        +0 < S 0:0
        +0 < . 1:1 ack 1
        +0 < S 0:0 sport 40001
    """),
    "tcp-cookie-bad": plays("""
        +0 sysctl tcp.max_syn_backlog 1
        +0 listen
        +0 < S 0:0
        +0 < S 0:0 sport 40001
        +0 < . 1:1 ack 1 sport 40002
    """),
    "tcp-ofo-pruned": plays(
        "+0 listen\n+0 set rcvbuf 4096\n+0 established\n"
        + "\n".join(f"+0 < . {at}:{at + 1} ack 1" for at in range(101, 133, 2))
    ),
    "tcp-out-of-order": plays("+0 established\n+0 < . 11:21 ack 1"),
    "tcp-zero-window": plays("+0 established win 10\n+0 write 10\n+0 < . 1:1 ack 11 win 0"),
    "tcp-cwnd-full": plays("+0 established\n+0 write 30000"),
    "tcp-nagle": plays("+0 established\n+0 write 10\n+0 write 10"),
    "tcp-rto": plays("+0 established\n+0 write 10\n+.21 ignore"),
    "tcp-tlp": plays("+0 established sack win 65535\n+0 write 5000\n+.028 ignore"),
    "tcp-fast-retransmit": plays("""
        +0 established sack
        +0 write 5840
        +0 < . 1:1 ack 1 sack 1461:5841
    """),
    "tcp-spurious-retransmit": plays("""
        +0 established sack
        +0 write 5840
        +0 < . 1:1 ack 1 sack 1461:5841
        +.01 < . 1:1 ack 5841 sack 1:1461
    """),
    "tcp-challenge-ack": plays("+0 established\n+0 < S 100:100"),
    "tcp-challenge-ack-limited": plays("+0 established\n+0 < S 100:100\n+0 < S 100:100"),
    "tcp-window-shrunk": plays("+0 established\n+0 write 10\n+0 < . 1:1 ack 11 win 100"),
    "tcp-mtu-black-hole": plays("+0 established\n+0 write 5000\n+3.15 ignore"),
    "tcp-ce-mark": plays("""
        +0 sysctl tcp.ecn 1
        +0 connect
        +0 < SE. 0:0 ack 1 mss 1460
        +0 write 5000
        +0 < E. 1:1 ack 1461
    """),
    "tcp-icmp-seq-mismatch": icmp_about_the_past,
    "tcp-refused": plays("+0 connect\n+0 < R. 0:0 ack 1"),
    "tcp-reset": plays("+0 established\n+0 < R 1:1"),
    "tcp-timed-out": plays("+0 sysctl tcp.syn_retries 0\n+0 connect\n+1 ignore"),
    "tcp-user-timeout": plays(
        "+0 established\n+0 set user_timeout_ns 100000000\n+0 write 10\n+.21 ignore"
    ),
    "tcp-keepalive-failed": plays("""
        +0 established
        +0 set keepidle_ns 1000000000
        +0 set keepintvl_ns 1000000000
        +0 set keepcnt 1
        +0 set keepalive 1
        +2 ignore
    """),
    "tcp-killed": plays("+0 established\n+0 kill\n+0 ignore"),
}
TCP_BESIDE: dict[str, dict[str, int]] = {
    "tcp-cookie-bad": {"tcp-syn-cookie": 1},
    "tcp-ack-unacceptable": {"tcp-challenge-ack": 1},
    "tcp-rst-bad-seq": {"tcp-challenge-ack": 1},
    "tcp-syn-in-window": {"tcp-challenge-ack": 1},
    "tcp-ofo-pruned": {"tcp-out-of-order": 15},
    "tcp-spurious-retransmit": {"tcp-fast-retransmit": 1},
    "tcp-challenge-ack": {"tcp-syn-in-window": 1},
    "tcp-challenge-ack-limited": {"tcp-syn-in-window": 2, "tcp-challenge-ack": 1},
    "tcp-mtu-black-hole": {"tcp-rto": 4},
    "tcp-icmp-seq-mismatch": {"icmp-error-unmatched": 1},
}

TCP_CAUSES: dict[tuple[str, str], tuple[Provoker, str]] = {
    ("tcp-killed", "connection"): (
        plays("+0 established\n+0 kill\n+0 ignore"),
        "the connection of port 80 with 10.0.0.2:40000 was killed",
    ),
    ("tcp-killed", "listener"): (
        plays("+0 listen\n+0 kill"),
        "the socket that listened at port 80 was killed",
    ),
    ("tcp-duplicate", "data"): (
        plays("+0 established\n+0 < . 1:11 ack 1\n+0 < . 1:11 ack 1"),
        "10 B from 10.0.0.2:40000 that port 80 has got before",
    ),
    ("tcp-duplicate", "syn"): (
        plays("+0 connect 40000 5000\n+0 < S. 0:0 ack 1\n+1 < S. 0:0 ack 1"),
        "SYN-ACK from 10.0.0.2:40000, which port 5000 has acknowledged before",
    ),
    ("tcp-nagle", "nagle"): (
        plays("+0 established\n+0 write 10\n+0 write 5"),
        "5 B to 10.0.0.2:40000 wait at port 80: an earlier small segment is not acknowledged",
    ),
    ("tcp-nagle", "cork"): (
        plays("+0 established\n+0 set cork 1\n+0 write 10"),
        "10 B to 10.0.0.2:40000 wait at port 80: its program has set TCP_CORK",
    ),
    ("tcp-reset", "aborted"): (
        plays("+0 established\n+0 < R. 1:1 ack 1"),
        "RST from 10.0.0.2:40000 at port 80, TTL 64: its program gave the connection up, or ended"
        " without reading everything",
    ),
    ("tcp-reset", "closed"): (
        plays("+0 established\n+0 < F. 1:1 ack 1\n+0 write 10\n+.01 < R 2:2"),
        "RST from 10.0.0.2:40000 at port 80, TTL 64: its program had closed the connection, and"
        " takes nothing more",
    ),
    ("tcp-reset", "handshake"): (
        plays("+0 listen\n+0 < S 0:0\n+0 < R 1:1"),
        "RST from 10.0.0.2:40000 at port 80, TTL 64: it gave the handshake up",
    ),
    ("tcp-reset", "restarted"): (
        plays("+0 established\n+0 < S 5000:5000\n+.01 < R 1:1"),
        "RST from 10.0.0.2:40000 at port 80, TTL 64: it has restarted, since it sent SYN before",
    ),
    ("tcp-reset", "unknown"): (
        plays("+0 established\n+0 write 10\n+.01 < R 1:1"),
        "RST from 10.0.0.2:40000 at port 80, TTL 64: it knows of no such connection any more",
    ),
    ("tcp-flags-invalid", "listen"): (
        plays("+0 listen\n+0 < F 0:0"),
        "neither SYN alone nor ACK from 10.0.0.2:40000, and port 80 listens",
    ),
    ("tcp-flags-invalid", "ack"): (
        plays("+0 established\n+0 < - 1:11"),
        "a segment of 10.0.0.2:40000 without ACK, while the connection is open",
    ),
    ("tcp-flags-invalid", "syn"): (
        plays("+0 connect\n+0 < . 0:0 ack 1"),
        "a segment of 10.0.0.2:40000 without SYN, while the connection is being opened",
    ),
    ("tcp-bound-elsewhere", "address"): (
        bound_to("127.0.0.1"),
        "port 80 listens at 127.0.0.1, not at 10.0.0.1",
    ),
    ("tcp-bound-elsewhere", "device"): (
        bound_to(None, "tap9"),
        "port 80 listens at every address dev tap9, not on tap0",
    ),
    ("tcp-ack-unacceptable", "future"): (
        plays("+0 established\n+0 < . 1:1 ack 5001"),
        "10.0.0.2:40000 acknowledges 5000 B that were never sent",
    ),
    ("tcp-ack-unacceptable", "past"): (
        plays("+0 established\n+0 < . 1:1 ack -70000"),
        "10.0.0.2:40000 acknowledges what it had long ago",
    ),
    ("tcp-spurious-retransmit", "dsack"): (
        plays("""
            +0 established sack
            +0 write 5840
            +0 < . 1:1 ack 1 sack 1461:5841
            +.01 < . 1:1 ack 5841 sack 1:1461
        """),
        "the peer 10.0.0.2:40000 had got it: it reported the duplicate",
    ),
    ("tcp-spurious-retransmit", "timestamp"): (
        plays("""
            +0 established ts
            +0 write 10
            +.01 < . 1:1 ack 11 ts
            +1 write 10
            +.3 < . 1:1 ack 21 ts ecr -150
        """),
        "the peer 10.0.0.2:40000 had got it: it acknowledged what was sent first",
    ),
    ("tcp-spurious-retransmit", "frto"): (
        plays("""
            +0 established
            +0 write 20000
            +.3 < . 1:1 ack 1461
            +.01 < . 1:1 ack 5841
        """),
        "the peer 10.0.0.2:40000 had got it: it acknowledged what was not sent again",
    ),
}
"""Each cause of each reason that has several, with the line that says so."""
