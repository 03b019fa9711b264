"""TCP within one process: both ends on ``lo``, and one connection beside thousands of idle ones."""

import gc
import random
import select
import socket
from collections.abc import Callable
from functools import partial
from time import process_time
from typing import Any

from bench.measure import Limit, Plan, Row, Spread, by_turns, middle, ratio
from bench.tcp_program import CHUNK, open_socket
from bench.world import resident_kib
from smolctl.stack.config.addr import add_address, bring_up_loopback
from smolctl.stack.config.link import add_interface
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.addresses import Address
from smolctl.stack.stack import Stack
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.wire.address import parse_address
from smolctl.wire.offload.tcp_run import Segment

_PORT, _IDLE = 7, 10_000
_LOOPBACK = parse_address("127.0.0.1")
_WIRED = parse_address("10.0.0.0")
_TURN_NS = 10_000
_KERNEL = "two kernel sockets in one process, lo"


class Ends:
    """Two connected sockets of a stack, or of two stacks, and a clock that a turn moves on."""

    def __init__(self, client: Stack, server: Stack, address: int) -> None:
        self.stacks = {client, server}
        self.client, self.server, self.address = client, server, address
        self.now = 1_000_000_000
        self.listener = server.tcp.open()
        server.tcp.bind(self.listener, None, _PORT)
        server.tcp.listen(self.listener, 4096)
        self.wires: tuple[Interface, ...] = ()

    def connect(self) -> tuple[TcpSocket, TcpSocket]:
        """Open a connection; return both ends."""
        one = self.client.tcp.open()
        self.client.tcp.connect(one, self.address, _PORT, self.now)
        while (other := self.server.tcp.accept(self.listener)) is None:
            self.turn()
        return one, other

    def turn(self) -> None:
        """Let a moment pass, in which everything that was sent arrives."""
        self.now += _TURN_NS
        for wire in self.wires:
            self._carry(wire)
        for stack in self.stacks:
            stack.poll(self.now)
            stack.take_ready()

    def _carry(self, wire: Interface) -> None:
        if not wire.outbox:
            return
        items: list[Any] = list(wire.outbox)
        wire.outbox.clear()
        first = wire is self.wires[0]
        mine, theirs = (self.client, self.server) if first else (self.server, self.client)
        mine.transmitted(wire, items, self.now)
        frames = []
        for item in items:
            if isinstance(item, Segment):
                frames += item.frames()
            else:
                frames.append(item if isinstance(item, bytes) else item.frame)
        theirs.receive_batch(self.wires[1 if first else 0], frames, self.now)

    def ping_pong(self, one: TcpSocket, other: TcpSocket, count: int) -> float:
        """Return the microseconds of cpu time that a byte takes there and back."""
        (send, receive), (send_back, receive_back) = (
            (stack.tcp.send, stack.tcp.receive) for stack in (self.client, self.server)
        )  # fmt: skip
        turn, start = self.turn, process_time()
        for _ in range(count):
            send(one, b"x", self.now)
            while receive_back(other, 1, self.now) is None:
                turn()
            send_back(other, b"y", self.now)
            while receive(one, 1, self.now) is None:
                turn()
        return (process_time() - start) / count * 1e6

    def bulk(self, one: TcpSocket, other: TcpSocket, size: int) -> float:
        """Return the Gbit/s of cpu time at which bytes go from one to the other."""
        chunk, tcp, took = bytes(CHUNK), self.client.tcp, self.server.tcp
        got = sent = 0
        start = process_time()
        while got < size:
            while sent < size and (taken := tcp.send(one, chunk, self.now)):
                sent += taken
            self.turn()
            while data := took.take(other, CHUNK, self.now):
                got += len(data)
        return got * 8 / (process_time() - start) / 1e9


def _on_lo() -> Ends:
    stack = Stack(random.Random(1).random)
    bring_up_loopback(stack.ipv4)
    return Ends(stack, stack, _LOOPBACK)


def _on_a_wire() -> Ends:
    """Return the ends of a wire between two stacks."""
    stacks = [Stack(random.Random(number).random) for number in (1, 2)]
    wires = []
    for number, stack in enumerate(stacks, 1):
        mac = bytes((2, 0, 0, 0, 0, number))
        wire = add_interface(stack.shared, "eth0", "test", Medium.ETHERNET, 1500, mac)
        address = Address(_WIRED + number, 24, Scope.GLOBAL, "eth0")
        add_address(stack.ipv4, wire, address)
        wires.append(wire)
    ends = Ends(stacks[0], stacks[1], _WIRED + 2)
    ends.wires = tuple(wires)
    return ends


class _Kernel:
    """Two connected sockets of the kernel."""

    def __init__(self) -> None:
        with open_socket("kernel") as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            self.one = open_socket("kernel")
            self.one.connect(listener.getsockname())
            self.other, _ = listener.accept()
        for end in (self.one, self.other):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll = select.poll()
        self._poll.register(self.other, select.POLLIN)

    def close(self) -> None:
        """Close both."""
        self.one.close()
        self.other.close()

    def ping_pong(self, count: int) -> float:
        """Return the microseconds of cpu time that a byte takes there and back."""
        one, other, start = self.one, self.other, process_time()
        for _ in range(count):
            one.send(b"x")
            other.recv(1)
            other.send(b"y")
            one.recv(1)
        return (process_time() - start) / count * 1e6

    def bulk(self, size: int) -> float:
        """Return the Gbit/s of cpu time at which bytes go from one to the other."""
        chunk, got, sent = bytes(CHUNK), 0, 0
        start = process_time()
        while got < size:
            try:
                while sent < size:
                    sent += self.one.send(chunk)
            except BlockingIOError:
                pass
            self._poll.poll()
            try:
                while got < size:
                    got += len(self.other.recv(CHUNK))
            except BlockingIOError:
                pass
        return got * 8 / (process_time() - start) / 1e9


def run(plan: Plan) -> list[Row]:
    """Measure bulk and ping-pong on ``lo``; the figures are of cpu time, all in one process."""
    size, count = plan.size(400 << 20), plan.size(8000)
    ends, kernel = _on_lo(), _Kernel()
    pair = ends.connect()
    for end in pair:
        end.nodelay = True
    figures = by_turns(
        plan.rounds(9),
        {
            "bulk": partial(ends.bulk, *pair, size),
            "kernel bulk": partial(kernel.bulk, size),
            "trip": partial(ends.ping_pong, *pair, count),
            "kernel trip": partial(kernel.ping_pong, count),
        },
    )
    kernel.close()
    bulk, trip = figures["bulk"], figures["trip"]
    kernel_bulk, kernel_trip = figures["kernel bulk"], figures["kernel trip"]
    note = "one process plays both ends; rates of cpu time"
    return [
        Row("TCP bulk in process, lo", _KERNEL, ratio(bulk, kernel_bulk),
            f"{middle(bulk):.1f} : {middle(kernel_bulk):.1f} Gbit/s", Limit(1.2, 2), note,
            figures=figures),
        Row("TCP ping-pong in process, 1 B, lo", _KERNEL, ratio(kernel_trip, trip),
            f"{middle(trip):.1f} us : {middle(kernel_trip):.1f} us", Limit(0.7, 2), note,
            figures=figures),
    ]  # fmt: skip


def run_idle(plan: Plan) -> list[Row]:
    """Measure a connection beside thousands of idle ones, and what one of these takes."""
    idle, count = _IDLE, plan.size(4000)
    few, many = _on_a_wire(), _on_a_wire()
    one, busy = few.connect(), many.connect()
    gc.collect()
    before = resident_kib()
    kept = [many.connect() for _ in range(idle)]
    gc.collect()
    each = (resident_kib() - before) / (2 * len(kept))

    def trip(ends: Ends, pair: tuple[TcpSocket, TcpSocket]) -> Callable[[], float]:
        return partial(ends.ping_pong, *pair, count)

    figures = by_turns(plan.rounds(9), {"idle": trip(many, busy), "one": trip(few, one)})
    raw = f"{middle(figures['idle']):.1f} us : {middle(figures['one']):.1f} us"
    return [
        Row(f"TCP ping-pong beside {idle:,} idle connections", "the same with one",
            ratio(figures["idle"], figures["one"]), raw, Limit(1.2, 1.05, at_least=False),
            "cpu time; two stacks in one process play both ends", figures=figures),
        Row("memory: an idle TCP connection", "-", Spread.of([each]), f"{each:.2f} KiB",
            Limit(8, 3, at_least=False, text="{:g} KiB"),
            f"growth by {idle:,} connections, both ends of each in this process", " KiB"),
    ]  # fmt: skip
