"""TCP between two stacks on a bad wire: bytes arrive in order, or both ends hear of an error.

Whatever the wire does, whatever the options and whoever closes when: nothing hangs, and nothing is
left behind.
"""

from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolctl.errors import BrokenPipe, StackError
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.wire import tcp
from smolctl.wire.address import from_packed
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import Host
from tests.kit.tcp import Pair, Treat, check_socket

SYSCTLS: dict[str, tuple[int, ...]] = {
    "tcp.sack": (1, 1, 0),
    "tcp.timestamps": (1, 1, 0),
    "tcp.window_scaling": (1, 1, 0),
    "tcp.dsack": (1, 0),
    "tcp.ecn": (0, 1, 2),
    "tcp.frto": (2, 2, 0),
    "tcp.tlp": (1, 1, 0),
    "tcp.hystart": (1, 0),
    "tcp.congestion_control": (0, 1),
    "tcp.rmem_default": (131_072, 131_072, 2048, 5000),
    "tcp.wmem_default": (87_040, 87_040, 4096),
    "tcp.initial_cwnd": (10, 10, 1),
    "tcp.slow_start_after_idle": (1, 0),
    "tcp.mtu_probing": (1, 0),
}


class Wire(NamedTuple):
    """The rates of what a wire does to frames, and the greatest delay."""

    loss: float
    double: float
    late: float
    damage: float
    late_ns: int


class Plan(NamedTuple):
    """The program of one end: what it writes in what pieces, how it reads, and how it ends."""

    size: int
    piece: int
    read: int
    pause_ns: int
    end: str
    nodelay: bool


wires = st.builds(
    Wire,
    st.sampled_from([0, 0.01, 0.05, 0.2, 0.4]), st.sampled_from([0, 0.05]),
    st.sampled_from([0, 0.05, 0.3]), st.sampled_from([0, 0.02]),
    st.sampled_from([MILLISECOND_NS, 30 * MILLISECOND_NS, 700 * MILLISECOND_NS]),
)  # fmt: skip
plans = st.builds(
    Plan,
    st.sampled_from([0, 1, 700, 20_000, 60_000]), st.sampled_from([1, 50, 1448, 10_000, 100_000]),
    st.sampled_from([1, 100, 100_000, 100_000]), st.sampled_from([0, 0, MILLISECOND_NS, SECOND_NS]),
    st.sampled_from(["close", "close", "close", "shutdown", "abort", "early"]), st.booleans(),
)  # fmt: skip
sysctls = st.fixed_dictionaries({key: st.sampled_from(values) for key, values in SYSCTLS.items()})


class End:
    """A program at one end.

    Attributes:
        got: what it has read. error: how its connection failed, "" while it has not.
    """

    def __init__(self, host: Host, socket: TcpSocket, plan: Plan, data: bytes) -> None:
        self.host, self.socket, self.plan = host, socket, plan
        self.tcp = host.stack.tcp
        # Of small pieces fewer: each is a segment of its own.
        self.data, self.sent, self.got = data[: plan.piece * 300], 0, bytearray()
        self.error = ""
        self.finished = False
        self.read_ns = 0
        socket.nodelay = plan.nodelay
        # A reset that is lost leaves the other end waiting: only this ends it.
        socket.keepidle_ns, socket.keepintvl_ns = 100 * SECOND_NS, 10 * SECOND_NS
        self.tcp.set_keepalive(socket, host.now, on=True)

    @property
    def over(self) -> bool:
        """Whether nothing is left to do or to read."""
        socket = self.socket
        return socket.state is State.CLOSED and (socket.closed or not socket.rcv.ready)

    def act(self, now: int) -> None:
        """Write and read what can be, and end when all is done."""
        try:
            self._write(now)
            self._read(now)
        except BrokenPipe:
            self.error = self.error or "EPIPE"
        except StackError as error:
            self.error = error.errno_name or "?"
        self._end(now)

    def _write(self, now: int) -> None:
        limit = len(self.data) // 2 if self.plan.end == "early" else len(self.data)
        while self.socket.connected and not self.finished and self.sent < limit:
            piece = self.data[self.sent : min(self.sent + self.plan.piece, limit)]
            taken = self.tcp.send(self.socket, piece, now)
            if not taken:
                break
            self.sent += taken

    def _read(self, now: int) -> None:
        if now < self.read_ns or self.socket.closed:
            return
        size = max(self.plan.read, 2000)
        size = size if self.plan.pause_ns else max(self.plan.read, len(self.data) // 2000)
        while data := self.tcp.receive(self.socket, size, now):
            self.got += data
            if self.plan.pause_ns:
                self.read_ns = now + self.plan.pause_ns
                break

    def _end(self, now: int) -> None:
        end, socket = self.plan.end, self.socket
        if socket.closed or not socket.connected:
            if self.error and not socket.closed:
                self.tcp.close(socket, now)
            return
        if end in ("abort", "early") and self.sent >= len(self.data) // 2:
            (self.tcp.abort if end == "abort" else self.tcp.close)(socket, now)
        elif self.sent >= len(self.data) and not self.finished:
            self.finished = True
            self.tcp.shutdown(socket, now, send=True, receive=False)
        elif self.finished and socket.at_end and not socket.rcv.ready:
            self.tcp.close(socket, now)


def treat(wire: Wire, draw: Random, switch: list[bool]) -> Treat:
    """Return what a wire does to frames, while its switch is on."""

    def of_frame(_: int, frame: bytes) -> list[tuple[int, bytes]]:
        if not switch[0]:
            return [(0, frame)]
        if draw.random() < wire.loss:
            return []
        arrivals = [(0, frame)]
        if draw.random() < wire.double:
            arrivals.append((draw.randrange(wire.late_ns), frame))
        if draw.random() < wire.late:
            arrivals[0] = (draw.randrange(wire.late_ns), frame)
        if draw.random() < wire.damage:
            at = draw.randrange(34, len(frame))
            damaged = bytearray(frame)
            damaged[at] ^= 1 << draw.randrange(8)
            arrivals[0] = (arrivals[0][0], bytes(damaged))
        return arrivals

    return of_frame


def play(
    wire: Wire, plans_: tuple[Plan, Plan], knobs: tuple[dict[str, int], dict[str, int]], seed: int,
    *, fast: bool = True,
) -> tuple[Pair, list[End]]:  # fmt: skip
    """Let two programs talk over a wire that becomes good after a while, until both are done."""
    draw, switch = Random(seed), [True]
    delay_ns = draw.choice((1000, MILLISECOND_NS, 40 * MILLISECOND_NS))
    pair = Pair(delay_ns, ipv6=draw.random() < 0.3)
    pair.treat = treat(wire, draw, switch)
    for host in pair.hosts if not fast else ():
        host.stack.tcp.learn_output = host.stack.tcp.learn_input = nothing
        host.stack.tcp.learn_opening = host.stack.tcp.recall_way = nothing
    for host, values in zip(pair.hosts, knobs, strict=True):
        for key, value in values.items():
            host.set(key, value)
    listener, client = pair.listen(), pair.begin()
    ends = [End(pair.client, client, plans_[0], draw.randbytes(plans_[0].size))]
    good_ns = pair.now + 20 * SECOND_NS
    end_ns = pair.now + 4000 * SECOND_NS
    while pair.now < end_ns:
        if pair.now > good_ns:
            switch[0] = False
        if len(ends) == 1:
            server = pair.server.stack.tcp.accept(listener)
            if server is not None:
                ends.append(End(pair.server, server, plans_[1], draw.randbytes(plans_[1].size)))
        for end in ends:
            end.act(pair.now)
            check_socket(end.socket)
        if len(ends) == 2 and all(end.over for end in ends):
            break
        if client.state is State.CLOSED and len(ends) == 1:
            break
        waits = [end.read_ns for end in ends if end.read_ns > pair.now]
        pair.step(min([pair.now + SECOND_NS, *waits])) or pair.client.clock.advance_to(
            min([pair.now + SECOND_NS, *waits])
        )
    return pair, ends


def nothing(*_: object) -> None:
    """Stand in for a fast path."""


def verify(pair: Pair, ends: list[End]) -> None:
    """Check that what was read is what was written, as far as it goes, and that all is over."""
    if len(ends) == 2:
        for end, other in (ends, ends[::-1]):
            assert other.data.startswith(bytes(end.got)), "bytes that nobody wrote"
            orderly = all(each.plan.end in ("close", "shutdown") for each in ends)
            if orderly and not (end.error or other.error):
                assert len(end.got) == other.sent == len(other.data), "bytes are missing"
    for end in ends:
        assert end.socket.state is State.CLOSED, f"{end.socket.state} after an hour"
        if not end.socket.closed:
            end.tcp.close(end.socket, pair.now)
    for socket in list(pair.server.stack.tcp):
        pair.server.stack.tcp.close(socket, pair.now)
    pair.run(300 * SECOND_NS)
    for host in pair.hosts:
        tcp = host.stack.tcp
        assert not tcp.connections
        assert not list(tcp)
        assert (len(tcp.timers), tcp.orphans, tcp.pending, tcp.throttled) == (0, 0, {}, {})


@given(wires, st.tuples(plans, plans), st.tuples(sysctls, sysctls), st.integers(0, 1 << 30))
@settings(deadline=None)
def test_bytes_arrive_in_order_or_both_ends_hear_of_an_error(
    wire: Wire, plans_: tuple[Plan, Plan], knobs: tuple[dict[str, int], dict[str, int]], seed: int
) -> None:
    verify(*play(wire, plans_, knobs, seed))


@pytest.mark.parametrize("seed", range(3))
def test_a_good_wire_loses_nothing_and_repeats_nothing(seed: int) -> None:
    plan = Plan(200_000, 10_000, 100_000, 0, "close", False)
    pair, ends = play(Wire(0, 0, 0, 0, 1), (plan, plan), ({}, {}), seed)
    assert [end.socket.stats.retrans for end in ends] == [0, 0]
    assert [len(end.got) for end in ends] == [200_000, 200_000]
    verify(pair, ends)


def seen(pair: Pair) -> list[tuple[object, ...]]:
    """Return what was sent, but for what may differ: the ident of IPv4, and two forms of zero.

    RFC 6864 4.1 lets what has DF have any ident; a checksum of zero is that of all ones.
    """
    found: list[tuple[object, ...]] = []
    for at_ns, end, frame in pair.sent:
        v6 = frame[12:14] == b"\x86\xdd"
        at = 54 if v6 else 34
        if frame[20 if v6 else 23] != 6 or frame[12:14] == b"\x08\x06":
            found.append((at_ns, end, frame))
            continue
        src, dst = (frame[22:38], frame[38:54]) if v6 else (frame[26:30], frame[30:34])
        segment = (
            frame[at : 54 + int.from_bytes(frame[18:20])]
            if v6
            else frame[at : 14 + int.from_bytes(frame[16:18])]
        )
        header = tcp.parse(segment, from_packed(src), from_packed(dst))
        assert isinstance(header, tcp.TcpHeader), header
        outer = frame[:22] if v6 else frame[:18] + frame[20:24]
        found.append((at_ns, end, outer, src, dst, header, tcp.payload(segment, header)))
    return found


@given(st.tuples(plans, plans), st.tuples(sysctls, sysctls), st.integers(0, 1 << 30))
@settings(deadline=None)
def test_the_fast_path_puts_the_same_on_the_wire(
    plans_: tuple[Plan, Plan], knobs: tuple[dict[str, int], dict[str, int]], seed: int
) -> None:
    """On a wire that loses nothing: what is lost, is repaired in other pieces."""
    good = Wire(0, 0, 0, 0, 1)
    quick, slow = (play(good, plans_, knobs, seed, fast=fast) for fast in (True, False))
    assert seen(quick[0]) == seen(slow[0])
    assert [end.got for end in quick[1]] == [end.got for end in slow[1]]
    assert [end.error for end in quick[1]] == [end.error for end in slow[1]]
    used = [end.socket.stats.segs_out for end in quick[1]]
    assert used == [end.socket.stats.segs_out for end in slow[1]]
    arrived = [end.socket.stats.segs_in for end in quick[1]]
    assert arrived == [end.socket.stats.segs_in for end in slow[1]]
