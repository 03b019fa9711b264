"""Two stacks joined by a wire in virtual time, for the tests of TCP."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.stack.transport.tcp.tcp import Tcp
from smolctl.wire.address import IPV4, IPV6
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import OTHER_MAC, OUR_MAC, Host, ip

CLIENT, SERVER = "10.0.0.1", "10.0.0.2"
CLIENT6, SERVER6 = "fd00::1", "fd00::2"
Treat = Callable[[int, bytes], list[tuple[int, bytes]]]
"""Takes the end that sends (0 or 1) and a frame; returns what arrives, each after how many ns."""


class Pair:
    """Two hosts, 10.0.0.1 and 10.0.0.2, on one wire.

    Args:
        delay_ns: of each frame, one way.
        treat: what the wire does to each frame, beside the delay; None for nothing.
        ipv6: they are fd00::1 and fd00::2 as well, and connect by these.

    Attributes:
        hosts: both; they share one clock.
        frames: how many were sent by each. sent: all of them: when, by which end, and what.
    """

    def __init__(
        self, delay_ns: int = MILLISECOND_NS, treat: Treat | None = None, *, ipv6: bool = False
    ) -> None:
        self.client = Host(f"{CLIENT}/24", mac=OUR_MAC, ipv6=ipv6)
        self.server = Host(f"{SERVER}/24", mac=OTHER_MAC, ipv6=ipv6)
        self.server.clock = self.client.clock
        self.peer, self.family = SERVER6 if ipv6 else SERVER, IPV6 if ipv6 else IPV4
        if ipv6:
            self.client.add(f"{CLIENT6}/64", dad=False)
            self.server.add(f"{SERVER6}/64", dad=False)
        self.hosts = (self.client, self.server)
        self.delay_ns, self.treat = delay_ns, treat
        self.frames = [0, 0]
        self.sent: list[tuple[int, int, bytes]] = []
        self._flying: list[tuple[int, int, int, bytes]] = []
        self._number = count()

    @property
    def now(self) -> int:
        return self.client.now

    def _collect(self) -> None:
        for end, host in enumerate(self.hosts):
            for frame in host.take():
                self.frames[end] += 1
                self.sent.append((self.now, end, frame))
                arrivals = [(0, frame)] if self.treat is None else self.treat(end, frame)
                for delay, data in arrivals:
                    at = self.now + self.delay_ns + delay
                    heappush(self._flying, (at, next(self._number), 1 - end, data))

    def _deliver(self) -> bool:
        due = False
        while self._flying and self._flying[0][0] <= self.now:
            _, _, end, frame = heappop(self._flying)
            self.hosts[end].receive(frame)
            due = True
        return due

    def step(self, until_ns: int) -> bool:
        """Let the next thing happen; False when nothing does before ``until_ns``."""
        for host in self.hosts:
            host.poll()
        self._collect()
        dues = [host.stack.deadline() for host in self.hosts]
        times = [due for due in dues if due is not None]
        if self._flying:
            times.append(self._flying[0][0])
        if not times or min(times) > until_ns:
            return False
        self.client.clock.advance_to(max(min(times), self.now))
        self._deliver()
        return True

    def run(self, ns: int = SECOND_NS, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass, with ``until`` no longer than until that is True; return whether it is."""
        end = self.now + ns
        while until is None or not until():
            if not self.step(end):
                self.client.clock.advance_to(end)
                break
        return until is not None and until()

    # --- sockets ----------------------------------------------------------------------------------

    def listen(self, port: int = 7, backlog: int = 16, end: int = 1) -> TcpSocket:
        """Return a socket of the server that listens."""
        tcp = self.hosts[end].stack.tcp
        socket = tcp.open("server", self.family)
        tcp.bind(socket, None, port)
        tcp.listen(socket, backlog)
        return socket

    def begin(self, port: int = 7) -> TcpSocket:
        """Return a socket of the client that is connecting."""
        tcp = self.client.stack.tcp
        socket = tcp.open("client", self.family)
        tcp.connect(socket, ip(self.peer), port, self.now)
        return socket

    def connect(self, port: int = 7, ns: int = 10 * SECOND_NS) -> tuple[TcpSocket, TcpSocket]:
        """Return both ends of a new connection."""
        listeners = [s for s in self.server.stack.tcp.at_port(port) if s.state is State.LISTEN]
        listener = listeners[0] if listeners else self.listen(port)
        client = self.begin(port)
        assert self.run(ns, lambda: client.connected and listener.readable), client.state
        server = self.server.stack.tcp.accept(listener)
        assert server is not None
        return client, server

    def tcp(self, socket: TcpSocket) -> Tcp:
        """Return the TCP that a socket belongs to."""
        mine = self.client.stack
        return mine.tcp if socket.ready_queue is mine.ready else self.server.stack.tcp

    def read(self, socket: TcpSocket, size: int = 1 << 20) -> bytes | None:
        """Read what there is."""
        return self.tcp(socket).receive(socket, size, self.now)

    def write(self, socket: TcpSocket, data: bytes) -> int:
        return self.tcp(socket).send(socket, data, self.now)

    def transfer(
        self, source: TcpSocket, sink: TcpSocket, data: bytes, ns: int = 600 * SECOND_NS
    ) -> bytes:
        """Send all of some data from one end to the other, and return what arrived."""
        got, sent = bytearray(), 0
        view = memoryview(data)

        def done() -> bool:
            nonlocal sent
            while sent < len(data) and (taken := self.write(source, bytes(view[sent:]))):
                sent += taken
            while sink.rcv.ready:
                got.extend(self.read(sink) or b"")
            return len(got) >= len(data)

        self.run(ns, done)
        return bytes(got)


def check_socket(socket: TcpSocket) -> None:
    """Check what always holds of both sides of a connection."""
    snd, rcv = socket.snd, socket.rcv
    at = snd.una
    for record in snd.records:
        assert record.seq == at, "a hole between records"
        assert record.end > record.seq
        at = record.end
        size = sum(map(len, record.buffers))
        assert record.size - size in (0, 1)
        assert not (record.sacked and (record.lost or record.again))
    if snd.records:
        assert at == snd.nxt
    for name in ("sacked", "lost", "again"):
        counted = sum(record.size for record in snd.records if getattr(record, name))
        assert getattr(snd, name) == counted, f"{name}: {getattr(snd, name)}, not {counted}"
    unacked = sum(len(buffer) for record in snd.records for buffer in record.buffers)
    assert snd.unacked == unacked
    assert snd.crumbs == sum(record.small for record in snd.records)
    if socket.state is not State.CLOSED:
        assert snd.pipe >= 0
        assert not snd.records or snd.in_flight == snd.records[-1].end - snd.records[0].seq
    blocks = rcv._blocks
    assert rcv.out_of_order == sum(block.end - block.seq for block in blocks)
    last = rcv.nxt
    for block in blocks:
        assert block.seq > last
        assert block.end - block.seq == sum(map(len, block.parts))
        last = block.end
    assert rcv.ready == sum(map(len, rcv._chunks))
    assert socket.window.cwnd >= 0


def loop(port: int = 80) -> tuple[Host, TcpSocket, TcpSocket]:
    """Return a host with both ends of a connection over lo."""
    host, lo = Host(), ip("127.0.0.1")
    tcp = host.stack.tcp
    listener, client = tcp.open("server"), tcp.open("client")
    tcp.bind(listener, lo, port)
    tcp.listen(listener, 5)
    tcp.connect(client, lo, port, host.now)
    host.wait(SECOND_NS)
    server = tcp.accept(listener)
    assert server is not None
    return host, client, server
