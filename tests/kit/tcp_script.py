"""Scripts of timed segments: what a peer sends, what a program does, and what must leave, and when.

A script is text, a line for each event, in the manner of packetdrill:

    +0    listen 80
    +0    < S 0:0 win 65535 mss 1460 sackOK wscale 7
    +0    > S. 0:0 ack 1 mss 1460
    +.1   < . 1:1 ack 1 win 512
    +0    accept
    +0    write 1000
    +0    > P. 1:1001 ack 1

The first word is the time: after the event before (``+SECONDS``), or since the beginning (SECONDS).
``<`` is a segment that comes in, ``>`` one that leaves at this time, within a millisecond; numbers
are relative to the initial ones of each end, and so is an echoed timestamp (``ecr -100``) to the
last one that left. Of what leaves, only what is written is compared. Any
other line is a call of ``Script``: its name, and words. What leaves and is not expected is a
failure, but behind ``ignore``.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from smolctl.errors import StackError
from smolctl.stack.transport.tcp.kill import kill
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.wire import ethernet, ipv4, tcp, tcp_options
from smolctl.wire.tcp import TcpHeader
from smolctl.wire.tcp_options import TcpOptions
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import OUR_MAC, OURS, PEER, PEER_MAC, Host, frame_of, ip, packet_of

_FLAGS = {
    "F": tcp.FIN, "S": tcp.SYN, "R": tcp.RST, "P": tcp.PSH, ".": tcp.ACK, "U": tcp.URG,
    "E": tcp.ECE, "W": tcp.CWR, "-": 0,
}  # fmt: skip
_SEGMENT = re.compile(r"([FSRP.UEW-]+) (-?\d+):(-?\d+)(.*)")
_MASK = 0xFFFFFFFF
PEER_ISS = 0xFFFFFF00
"""Of the peer: its numbers wrap soon, in every script."""


class Out(NamedTuple):
    """A segment that left."""

    at_ns: int
    header: TcpHeader
    options: TcpOptions
    size: int
    tos: int
    df: bool


class Script:
    """A peer of one host, and the program that uses the host's sockets.

    Args:
        host: has ``PEER`` as a neighbor.
        port: of the host's end, which ``listen`` and ``connect`` choose.

    Attributes:
        listener, socket: what the program has.
        out: what left and was not expected yet.
    """

    def __init__(self, host: Host, peer_port: int = 40000) -> None:
        self.host, self.peer_port = host, peer_port
        self.tcp = host.stack.tcp
        self.began_ns = host.now
        self.listener: TcpSocket | None = None
        self.socket: TcpSocket | None = None
        self.port = 80
        self.iss: int | None = None
        self.out: list[Out] = []
        self.ecr = 0
        self._ignored = False

    def run(self, text: str) -> "Script":
        """Run a script to its end; lines that begin with # are comments."""
        for number, raw in enumerate(text.strip().splitlines(), 1):
            line = raw.split("#")[0].strip()
            if not line:
                continue
            time, _, event = line.partition(" ")
            base = self.host.now if time.startswith("+") else self.began_ns
            self.advance(base + round(float(time.removeprefix("+")) * SECOND_NS))
            try:
                self._event(event.strip())
                self.host.poll()
                self._collect()
            except AssertionError as error:
                raise AssertionError(f"line {number}: {line}: {error}") from error
        assert self._ignored or not self.out, f"left, not expected: {self._shown(self.out[0])}"
        return self

    def _event(self, event: str) -> None:
        if event.startswith("<"):
            self.inject(event[1:].strip())
        elif event.startswith(">"):
            self.expect(event[1:].strip())
        else:
            name, *words = event.split()
            getattr(self, f"do_{name}")(*words)

    def advance(self, until_ns: int) -> None:
        """Let time pass, and note when each segment leaves."""
        host = self.host
        while True:
            host.poll()
            self._collect()
            due = host.stack.deadline()
            if due is None or due > until_ns:
                break
            host.clock.advance_to(due)
        host.clock.advance_to(until_ns)
        host.poll()
        self._collect()

    # --- the wire ---------------------------------------------------------------------------------

    def _collect(self) -> None:
        for frame in self.host.take():
            if frame[12:14] != b"\x08\x00":
                continue
            packet = frame[ethernet.HEADER_LEN :]
            header = ipv4.parse(packet)
            assert isinstance(header, ipv4.Ipv4Header)
            if header.protocol != ipv4.Protocol.TCP:
                continue
            segment = ipv4.payload(packet, header)
            parsed = tcp.parse(segment, header.src, header.dst)
            assert isinstance(parsed, TcpHeader), parsed
            syn = bool(parsed.flags & tcp.SYN)
            options = tcp_options.parse(parsed.options, syn=syn)
            if syn:
                self.iss, self.port = parsed.seq, parsed.sport
            if options.timestamps is not None:
                self.ecr = options.timestamps[0]
            size = len(tcp.payload(segment, parsed))
            self.out.append(Out(self.host.now, parsed, options, size, header.dscp_ecn, header.df))

    def _ours(self, number: int) -> int:
        """Return a number of ours relative to our first."""
        iss = self.iss if self.iss is not None else 0
        return (number - iss + 0x80000000 & _MASK) - 0x80000000

    def _theirs(self, number: int) -> int:
        return (number - PEER_ISS + 0x80000000 & _MASK) - 0x80000000

    def _shown(self, out: Out) -> str:
        header = out.header
        flags = "".join(name for name, bit in _FLAGS.items() if bit and header.flags & bit) or "-"
        seq = self._ours(header.seq)
        when = (out.at_ns - self.began_ns) / SECOND_NS
        return (
            f"{when:.3f} > {flags} {seq}:{seq + out.size} ack {self._theirs(header.ack)}"
            f" win {header.window} {tcp_options.text(header.options)}"
        )

    def expect(self, text: str) -> None:
        """Check the next segment that left."""
        self.host.poll()
        self._collect()
        assert self.out, "nothing has left"
        out = self.out.pop(0)
        shown = self._shown(out)
        assert abs(out.at_ns - self.host.now) <= MILLISECOND_NS, f"it was {shown}"
        match = _SEGMENT.fullmatch(text)
        assert match is not None, f"no segment: {text}"
        flags = sum(_FLAGS[letter] for letter in match[1])
        header, options = out.header, out.options
        assert header.flags == flags, f"it was {shown}"
        seq = self._ours(header.seq)
        assert (seq, seq + out.size) == (int(match[2]), int(match[3])), f"it was {shown}"
        words = match[4].split()
        found = {
            "ack": self._theirs(header.ack), "win": header.window, "mss": options.mss,
            "wscale": options.window_scale, "sackOK": options.sack_permitted,
            "ts": options.timestamps is not None, "tos": out.tos, "df": out.df,
            "urg": header.urgent, "ecr": options.timestamps[1] if options.timestamps else None,
            "sack": tuple((self._theirs(a), self._theirs(b)) for a, b in options.sack),
        }  # fmt: skip
        for key, value in _pairs(words):
            assert found[key] == value, f"{key} is {found[key]}: it was {shown}"

    def inject(self, text: str) -> None:
        """Let a segment of the peer come in."""
        match = _SEGMENT.fullmatch(text)
        assert match is not None, f"no segment: {text}"
        flags = sum(_FLAGS[letter] for letter in match[1])
        start, end = int(match[2]), int(match[3])
        values = dict(_pairs(match[4].split()))
        ack = (self.iss or 0) + int(values.get("ack", 0))
        options = TcpOptions(
            values.get("mss"), values.get("wscale"), bool(values.get("sackOK")),
            self._times(values), self._sack(values), values.get("uto"),
        )  # fmt: skip
        raw = bytes.fromhex(values["raw"]) if "raw" in values else options.to_bytes()
        header = TcpHeader(
            values.get("sport", self.peer_port), values.get("dport", self.port),
            PEER_ISS + start, ack if flags & tcp.ACK else 0, 0, flags, values.get("win", 65535),
            values.get("urg", 0), raw,
        )  # fmt: skip
        payload = bytes(at & 0xFF for at in range(start, end))
        segment = header.to_bytes(payload, ip(PEER), ip(OURS))
        if "bad" in values:
            segment = segment[:16] + bytes((segment[16] ^ 1, segment[17])) + segment[18:]
        packet = packet_of(ipv4.Protocol.TCP, segment, tos=values.get("tos", 0))
        self.host.receive(frame_of(packet, to=OUR_MAC, by=PEER_MAC))

    def _times(self, values: dict[str, Any]) -> tuple[int, int] | None:
        if "ts" not in values:
            return None
        value = values["ts"]
        own = int(self.host.now // MILLISECOND_NS) if value is True else int(value)
        echo = values.get("ecr", self.ecr)
        return own, echo if echo >= 0 else self.ecr + echo

    def _sack(self, values: dict[str, Any]) -> tuple[tuple[int, int], ...]:
        iss = self.iss or 0
        return tuple((iss + left, iss + right) for left, right in values.get("sack", ()))

    # --- the program ------------------------------------------------------------------------------

    @property
    def conn(self) -> TcpSocket:
        assert self.socket is not None, "there is no connection"
        return self.socket

    def do_sysctl(self, key: str, value: str) -> None:
        self.host.set(key, value)

    def do_listen(self, port: str = "80", backlog: str = "16") -> None:
        self.port = int(port)
        self.listener = self.tcp.open("script")
        self.tcp.bind(self.listener, None, self.port)
        self.tcp.listen(self.listener, int(backlog))

    def do_connect(self, port: str = "40000", own: str = "") -> None:
        self.peer_port = int(port)
        if self.socket is None:
            self.socket = self.tcp.open("script")
        if own:
            self.tcp.bind(self.socket, None, int(own))
        self.tcp.connect(self.socket, ip(PEER), int(port), self.host.now)

    def do_open(self) -> None:
        self.socket = self.tcp.open("script")

    def do_accept(self, expected: str = "") -> None:
        assert self.listener is not None
        found = self.tcp.accept(self.listener)
        if expected == "none":
            assert found is None, "there is a connection"
            return
        assert found is not None, "there is no connection"
        self.socket = found

    def do_established(self, *words: str) -> None:
        """Open a connection by a handshake of the peer: ``established [sack] [ts] [mss N] ...``."""
        values = dict(_pairs(list(words)))
        mss, window = values.get("mss", 1460), values.get("win", 65535)
        more = " sackOK" if values.get("sack") is not None else ""
        stamp = " ts" if "ts" in values else ""
        scale = f" wscale {values['wscale']}" if "wscale" in values else ""
        if self.listener is None:
            self.do_listen()
        # A round trip of 10 ms.
        self.inject(f"S 0:0 win {window} mss {mss}{more}{stamp}{scale}")
        self.host.poll()
        self._collect()
        self.out.pop()
        self.advance(self.host.now + 10 * MILLISECOND_NS)
        self.inject(f". 1:1 ack 1 win {window}{stamp}")
        self.do_accept()

    def do_small_buffer(self, size: str) -> None:
        """Open a connection whose receive buffer has so many bytes, and never more."""
        self.do_listen()
        self.do_set("rcvbuf", size)
        self.do_set("rcvbuf_locked", "1")
        self.do_established()

    def do_fin_wait(self) -> None:
        """Open a connection and close it: its FIN has left, and nothing has come back."""
        self.do_established()
        self.do_close()
        self.expect("F. 1:1 ack 1")

    def do_time_wait(self) -> None:
        """Close a connection, as the peer does 0.1 s later: it is in TIME-WAIT."""
        self.do_fin_wait()
        self.advance(self.host.now + 100 * MILLISECOND_NS)
        self.inject("F. 1:1 ack 2")
        self.expect(". 2:2 ack 2")

    def do_write(self, size: str, expected: str = "") -> None:
        taken = self.tcp.send(self.conn, bytes(int(size)), self.host.now)
        assert taken == int(expected or size), f"{taken} bytes were taken"

    def do_urgent(self, size: str) -> None:
        self.tcp.send(self.conn, bytes(int(size)), self.host.now, urgent=True)

    def do_read(self, size: str, expected: str = "") -> None:
        got = self.tcp.receive(self.conn, int(size), self.host.now)
        if expected == "none":
            assert got is None, f"there was {got!r}"
        elif expected == "eof":
            assert got == b"", f"there was {got!r}"
        else:
            assert got is not None, "there was nothing"
            assert len(got) == int(expected or size), f"{len(got)} bytes"

    def do_data(self, start: str, end: str) -> None:
        """Read, and check that it is the peer's stream between two numbers."""
        size = int(end) - int(start)
        want = bytes(at & 0xFF for at in range(int(start), int(end)))
        got = self.tcp.receive(self.conn, size, self.host.now)
        assert got == want, f"{got!r}"

    def do_close(self) -> None:
        self.tcp.close(self.conn, self.host.now)

    def do_unlisten(self) -> None:
        assert self.listener is not None
        self.tcp.close(self.listener, self.host.now)

    def do_abort(self) -> None:
        self.tcp.abort(self.conn, self.host.now)

    def do_kill(self) -> None:
        """End the connection by hand, or the socket that listens."""
        target = self.socket or self.listener
        assert target is not None
        kill(self.tcp, target, self.host.now)

    def do_shutdown(self, how: str = "wr") -> None:
        send, receive = how != "rd", how != "wr"
        self.tcp.shutdown(self.conn, self.host.now, send=send, receive=receive)

    def do_set(self, name: str, value: str) -> None:
        """Set an option of the connection, or of what listens."""
        target = self.socket or self.listener
        assert target is not None
        number = int(value)
        if name == "keepalive":
            self.tcp.set_keepalive(target, self.host.now, on=bool(number))
            return
        old = getattr(target, name)
        setattr(target, name, bool(number) if isinstance(old, bool) else number)
        self.tcp.push(target, self.host.now)

    # --- questions --------------------------------------------------------------------------------

    def do_state(self, name: str) -> None:
        assert self.conn.state is State(name), f"it is {self.conn.state}"

    def do_error(self, errno_name: str) -> None:
        """Check that the program is told of an error, once."""
        with pytest.raises(StackError) as raised:
            self.tcp.receive(self.conn, 1, self.host.now)
        assert raised.value.errno_name == errno_name, f"it is {raised.value}"

    def do_fails(self, errno_name: str, *call: str) -> None:
        """Check that a call fails."""
        with pytest.raises(StackError) as raised:
            getattr(self, f"do_{call[0]}")(*call[1:])
        assert raised.value.errno_name == errno_name, f"it is {raised.value}"

    def do_reason(self, name: str, number: str = "1") -> None:
        found = self.host.reasons().get(name, 0)
        assert found == int(number), f"{found} times; there are {self.host.reasons()}"

    def do_count(self, name: str, number: str = "1") -> None:
        assert self.host.event(name) == int(number), f"it is {self.host.event(name)}"

    def do_nothing(self) -> None:
        assert not self.out, f"there was {self._shown(self.out[0])}"

    def do_ignore(self) -> None:
        self._ignored = True
        self.out.clear()

    def do_cwnd(self, size: str) -> None:
        found = self.conn.window.cwnd
        assert found == int(size), f"it is {found}"

    def do_ssthresh(self, size: str) -> None:
        found = self.conn.window.ssthresh
        assert found == int(size), f"it is {found}"

    def do_phase(self, name: str) -> None:
        found = self.conn.loss.phase.value
        assert found == name, f"it is {found}"

    def do_readable(self, value: str = "1") -> None:
        assert self.conn.readable == bool(int(value)), f"it is {self.conn.readable}"

    def do_writable(self, value: str = "1") -> None:
        assert self.conn.writable == bool(int(value)), f"it is {self.conn.writable}"

    def do_connections(self, number: str) -> None:
        assert len(self.tcp.connections) == int(number), f"it is {len(self.tcp.connections)}"


def _pairs(words: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield names and values: a number, a list of ranges, True for a word alone."""
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "sack" and at < len(words) and ":" in words[at]:
            ranges = []
            while at < len(words) and ":" in words[at]:
                left, right = words[at].split(":")
                ranges.append((int(left), int(right)))
                at += 1
            yield word, tuple(ranges)
        elif word == "raw":
            yield word, words[at]
            at += 1
        elif at < len(words) and re.fullmatch(r"-?\d+", words[at]):
            yield word, int(words[at])
            at += 1
        elif word == "df":
            yield word, True
        elif word == "nosack":
            yield "sack", ()
        elif word == "nots":
            yield "ts", False
        else:
            yield word, True
