"""Programs of a scenario: each has a socket of its node's stack, reads it or not, and sends.

They are jobs, as the commands of a daemon are, and use the stack's own UDP and TCP.
"""

from collections.abc import Sequence

from smolctl.counted import counted
from smolctl.errors import NoBuffers, SmolctlError
from smolctl.lab.outcome import ProgramDone
from smolctl.lab.request import Request
from smolctl.lab.scenario import Endpoint, ProgramSpec
from smolctl.lab.world import World
from smolctl.ops.job import Job
from smolctl.stack.stack import Stack
from smolctl.stack.transport.send_queue import OutgoingDatagram
from smolctl.stack.transport.socket_base import ANY
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import IPV6, Family, family_of

_CHUNK = 1 << 16
_BACKLOG = 128
_AT_ONCE = 64
"""Datagrams that a program sends in one turn, if nothing says how far apart they are."""
_RETRY_NS = 1_000_000
"""Time until a program whose buffer was full sends again."""


class Program:
    """A program, from its beginning to the end of the run.

    Args:
        spec: as the scenario has it.
        world: of its node.

    Attributes:
        reads: what it read, and when: ns from the beginning of the run.
        sent: bytes that its sockets took.
    """

    def __init__(self, spec: ProgramSpec, world: World) -> None:
        self.spec, self._world = spec, world
        self.reads: list[tuple[int, bytes]] = []
        self.amount = self.sent = 0
        self._job: _Job | None = None
        self._request: Request | None = None

    @property
    def node(self) -> str:
        """The name of its node."""
        return self.spec.node

    @property
    def stream(self) -> bool:
        """True when what it reads has no bounds."""
        return self.spec.protocol == "tcp"

    @property
    def port_words(self) -> str:
        """The filter of what is meant for it."""
        spec = self.spec
        if spec.listen is not None:
            return f"{spec.protocol} dst port {spec.listen.port}"
        ports = " or ".join(dict.fromkeys(str(endpoint.port) for endpoint in spec.to))
        return f"{spec.protocol} src port {ports}"

    def begin(self) -> None:
        """Start it on its node."""
        kind = _UdpJob if self.spec.protocol == "udp" else _TcpJob
        node = self._world.nodes[self.spec.node]
        job = self._job = kind(self, node.stack)
        job.until_ns = self._at(self.spec.until_ns)
        if self.spec.reads_ns is not None:
            job.reads_ns = self._at(max(self.spec.reads_ns, self.spec.at_ns))
        self._request = node.run(job, f"program {self.spec.name}")

    def _at(self, at_ns: int | None) -> int | None:
        """Return a time of the scenario as the world has it."""
        return None if at_ns is None else self._world.start_ns + at_ns

    def again(self) -> None:
        """Begin once more, on a node that was switched on, if it is time for it."""
        until, now = self.spec.until_ns, self._world.elapsed_ns
        if self.spec.at_ns <= now and (until is None or now < until):
            self.begin()

    def took(self, now: int, data: bytes) -> None:
        """Take note of what it read."""
        self.reads.append((now - self._world.start_ns, data))
        self.amount += len(data) if self.stream else 1

    @property
    def state(self) -> str:
        """The thing that it does, or why it ended, in words."""
        if self._job is None or self._request is None:
            return "it has not begun"
        error = self._request.error
        if error is not None:
            return f"it failed: {error.message}"
        never = "" if self.spec.reads_ns is not None else "; it never reads"
        return self._job.state + never

    def value(self, of: str) -> float:
        """Return what a plot may ask for; 0 while there is no socket.

        Args:
            of: of ``SERIES_OF`` or ``TCP_OF``, which say what it is.
        """
        if of == "read":
            return self.amount
        if of == "sent":
            return self.sent
        return 0 if self._job is None or self._job.ended else self._job.value(of)

    def done(self) -> ProgramDone:
        """Return what became of it."""
        read = sum(len(data) for _, data in self.reads)
        return ProgramDone(
            self.spec.name, self.spec.node, len(self.reads), read, self.sent, self.state
        )


class _Job(Job):
    """Base of what a program does.

    Attributes:
        until_ns: when it ends. reads_ns: when it begins to read. None for never.
    """

    def __init__(self, program: Program, stack: Stack) -> None:
        super().__init__()
        self.program, self.stack = program, stack
        self.until_ns: int | None = None
        self.reads_ns: int | None = None

    @property
    def state(self) -> str:
        """The thing that it does, in words."""
        return "it has ended" if self.ended else "it runs"

    def value(self, of: str) -> float:
        """Return a value of its sockets, as they are now."""
        raise NotImplementedError

    def may_read(self, now: int) -> bool:
        """Tell whether it reads by now."""
        return self.reads_ns is not None and now >= self.reads_ns

    def over(self, now: int) -> bool:
        """End when it is time; tell whether it has ended."""
        if self.until_ns is not None and now >= self.until_ns and not self.ended:
            self.finish(now)
        return self.ended

    def wait(self, now: int, *dues: int | None) -> None:
        """Go on at the first of some times, or when it ends or begins to read."""
        reads = self.reads_ns if self.reads_ns is not None and self.reads_ns > now else None
        known = [due for due in (*dues, self.until_ns, reads) if due is not None]
        self.deadline = min(known, default=None)


def _family(spec: ProgramSpec) -> Family:
    """Return the family of a program's socket; without addresses it is one that speaks both."""
    for endpoint in (spec.listen, *spec.to):
        if endpoint is not None and endpoint.address is not None:
            return family_of(endpoint.address)
    return IPV6


# --- UDP ------------------------------------------------------------------------------------------


class _UdpJob(_Job):
    """A program with a socket of UDP."""

    socket: UdpSocket

    def start(self, now: int) -> None:
        """Open the socket, and begin to send."""
        spec, udp = self.program.spec, self.stack.udp
        self._messages, self._next_ns = 0, now
        self.socket = udp.open(f"program {spec.name}", _family(spec))
        self.socket.broadcast = True
        local = spec.listen
        if local is not None:
            udp.bind(self.socket, local.address, local.port, local.dev or None)
        self.socket.handler = self._go_on
        self._go_on(now)

    def on_timer(self, now: int) -> None:
        """Go on: something is due."""
        self._go_on(now)

    def value(self, of: str) -> float:
        """Return the bytes that wait to be read."""
        return sum(len(datagram[0]) for datagram in self.socket.queue)

    def _go_on(self, now: int) -> None:
        if self.over(now):
            return
        socket, program = self.socket, self.program
        socket.errors.clear()  # a program that does not ask is not told
        while self.may_read(now) and (datagram := socket.receive()) is not None:
            program.took(now, datagram.payload)
            if program.spec.echo:
                back = OutgoingDatagram(datagram.payload, datagram.src, datagram.sport, None)
                self._send(back, now)
        self.wait(now, self._send_due(now))

    def _send_due(self, now: int) -> int | None:
        """Send what is due; return when the next message is."""
        spec, number = self.program.spec, 0
        sending = spec.sending
        if sending is None or not spec.to:
            return None
        while sending.times is None or self._messages < sending.times:
            if self._next_ns > now:
                return self._next_ns
            if number == _AT_ONCE:
                return now + 1
            to = spec.to[self._messages % len(spec.to)]
            item = OutgoingDatagram(
                sending.data, to.address or 0, to.port, None, dev=to.dev or None
            )
            if not self._send(item, now):
                return now + _RETRY_NS
            number += 1
            self._messages += 1
            self._next_ns += sending.every_ns
        return None

    def _send(self, item: OutgoingDatagram, now: int) -> bool:
        """Send a datagram; False: there was no room for it."""
        try:
            self.stack.udp.send_from(self.socket, item, now)
        except NoBuffers:
            return False
        except SmolctlError:
            return True  # it was refused, and is on the timeline: the program goes on
        self.program.sent += len(item.payload)
        return True

    def release(self, now: int) -> None:
        """Close the socket."""
        self.stack.udp.close(self.socket)


# --- TCP ------------------------------------------------------------------------------------------


class _Connection:
    """A connection of a program: what is to be sent, and what is read.

    Attributes:
        due_ns: when the next message is due, or None.
        error: why it failed.
    """

    def __init__(self, job: "_TcpJob", socket: TcpSocket, now: int) -> None:
        self._job, self.socket = job, socket
        self._left = memoryview(b"")
        self._messages, self._next_ns = 0, now
        self.due_ns: int | None = None
        self.error: SmolctlError | None = None
        self.ended = False

    def go_on(self, now: int) -> None:
        """Read and send what is possible."""
        if self.ended:
            return
        try:
            if self.socket.connected or self.socket.ending is not None:
                self._read(now)
                self._send(now)
        except SmolctlError as error:
            self.error, self.ended, self.due_ns = error, True, None
        self._job.schedule(now)

    def _read(self, now: int) -> None:
        job, tcp = self._job, self._job.stack.tcp
        if not job.may_read(now):
            if self.socket.ending is not None:
                tcp.receive(self.socket, 1, now)  # raises it
            return
        while not (job.program.spec.echo and self._left):
            data = tcp.receive(self.socket, _CHUNK, now)
            if not data:
                return
            job.program.took(now, data)
            if job.program.spec.echo:
                self._left = memoryview(data)
                self._push(now)

    def _push(self, now: int) -> bool:
        """Give the socket what is left of a message; tell whether it took all."""
        while self._left:
            number = self._job.stack.tcp.send(self.socket, bytes(self._left[:_CHUNK]), now)
            if not number:
                return False
            self._job.program.sent += number
            self._left = self._left[number:]
        return True

    def _send(self, now: int) -> None:
        sending = self._job.program.spec.sending
        self.due_ns = None
        while self._push(now):
            if sending is None or (sending.times is not None and self._messages >= sending.times):
                return
            if self._next_ns > now:
                self.due_ns = self._next_ns
                return
            self._left = memoryview(sending.data)
            self._messages += 1
            self._next_ns += sending.every_ns


class _TcpJob(_Job):
    """A program with a socket of TCP, and one more for each connection that it accepts."""

    socket: TcpSocket

    def start(self, now: int) -> None:
        """Listen, or connect.

        Raises:
            SmolctlError: the stack refuses it.
        """
        spec, tcp = self.program.spec, self.stack.tcp
        self.connections: list[_Connection] = []
        self.socket = tcp.open(f"program {spec.name}", _family(spec))
        local = spec.listen
        if local is not None:
            self.socket.reuse = True
            tcp.bind(self.socket, ANY if local.address is None else local.address, local.port,
                     local.dev or None)  # fmt: skip
        if spec.to:
            self._connect(spec.to[0], now)
        else:
            tcp.listen(self.socket, _BACKLOG)
            self.socket.handler = self._accept
        self.schedule(now)

    def _connect(self, to: Endpoint, now: int) -> None:
        self.stack.tcp.connect(self.socket, to.address or 0, to.port, now, to.dev or None)
        connection = _Connection(self, self.socket, now)
        self.connections.append(connection)
        self.socket.handler = connection.go_on

    def _accept(self, now: int) -> None:
        while (child := self.stack.tcp.accept(self.socket)) is not None:
            connection = _Connection(self, child, now)
            self.connections.append(connection)
            child.handler = connection.go_on
            connection.go_on(now)

    def on_timer(self, now: int) -> None:
        """Go on: something is due."""
        if self.over(now):
            return
        for connection in self.connections:
            connection.go_on(now)
        self.schedule(now)

    def schedule(self, now: int) -> None:
        """Go on when the first connection has something due."""
        if not self.ended:
            self.wait(now, *(each.due_ns for each in self.connections))

    @property
    def state(self) -> str:
        """The state of its connections, in words."""
        if not self.program.spec.to:
            number = len(self.connections)
            said = f"it accepted {counted(number, 'connection')}"
        else:
            said = f"its connection is {self._state_of(self.connections[0])}"
        return f"it has ended; {said}" if self.ended else said

    def _state_of(self, connection: _Connection) -> str:
        if connection.error is not None:
            return f"over: {connection.error.message}"
        return str(connection.socket.state).lower()

    def value(self, of: str) -> float:
        """Return a value of its connections: bytes of all, else the largest."""
        sockets = [each.socket for each in self.connections if each.error is None]
        if of == "cwnd":
            return max((socket.window.cwnd for socket in sockets), default=0)
        if of == "rtt":
            return max((socket.rtt.srtt_ns for socket in sockets), default=0) / 1e6
        if of == "unread":
            return sum(socket.rcv.ready for socket in sockets)
        if of == "unsent":
            return sum(socket.snd.unsent for socket in sockets)
        return sum(socket.snd.unacked for socket in sockets)

    def release(self, now: int) -> None:
        """Close all sockets."""
        sockets: Sequence[TcpSocket] = [each.socket for each in self.connections]
        for socket in dict.fromkeys((self.socket, *sockets)):
            self.stack.tcp.close(socket, now)
