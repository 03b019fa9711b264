"""The daemon's operations on a stack with a peer on its cable: virtual time, and no socket."""

import heapq
import json
from collections.abc import Callable, Sequence
from typing import Any

from smolctl.errors import SmolctlError
from smolctl.ops.aside import CopyUser, Work
from smolctl.ops.engine import Engine
from smolctl.ops.feed import Feed
from smolctl.ops.job import Buffer, ChannelUser, Job, Passed, PipeUser
from smolctl.wire import arp, ethernet, icmpv4, ipv4, tcp, udp, vlan
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import (
    OUR_MAC,
    PEER,
    PEER_MAC,
    Host,
    Seen,
    arp_frame,
    frame_of,
    icmp_frame,
    packet_of,
    see,
    text,
    unreachable,
)

Row = dict[str, Any]
WALL_EPOCH = 1_700_000_000.0
_IPV6 = ethernet.EtherType.IPV6.to_bytes(2)


class Device:
    """The device of a link of kind "test", which is plugged into nothing."""

    def __init__(self, options: Row) -> None:
        self.mtu = options["mtu"] or 1500
        self.mac = options["mac"] or b"\2\0\0\0\0\x77"

    def check_mac(self, mac: bytes) -> None:
        """Any MAC will do."""

    def set_mtu(self, mtu: int) -> None:
        self.mtu = mtu

    def close(self, *, delete: bool) -> None:
        """There is nothing to close."""


class Cables:
    """Links whose frames the test itself carries."""

    kinds = ("test",)

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}

    def open(self, name: str, kind: str, options: Row) -> Device:
        return Device(options)

    def adopt(self, name: str, fds: Sequence[int], options: Row) -> Device:
        return Device({**options, "mac": None})

    def attach(self, interface: Any, device: Device, now: int) -> None:
        self.devices[interface.name] = device

    def get(self, name: str) -> Device | None:
        return self.devices.get(name)

    def present(self, name: str) -> bool:
        return True

    def details(self, name: str) -> Row:
        return {}

    def delete(self, name: str) -> None:
        self.devices.pop(name, None)


class End:
    """An end that a program is passed.

    Attributes:
        behind: the channel or the pipe whose other end it is.
    """

    def __init__(self, behind: "Program | Pipe") -> None:
        self.behind = behind
        self.closed = False

    def fileno(self) -> int:
        raise AssertionError("nothing here has a descriptor")

    def close(self) -> None:
        self.closed = True


class Program:
    """The program's end of a channel.

    Attributes:
        full: set it to be a program that does not read.
        passed: what came with messages.
    """

    def __init__(self, user: ChannelUser) -> None:
        self.user = user
        self.messages: list[bytes] = []
        self.passed: list[Program | Pipe] = []
        self.full = self.closed = False

    def send(self, message: bytes, passed: Sequence[Passed] = ()) -> bool:
        if not self.full:
            self.messages.append(message)
            for end in passed:
                assert isinstance(end, End)
                self.passed.append(end.behind)
                end.close()
        return not self.full

    def open_pipe(self, user: PipeUser) -> "tuple[Pipe, End]":
        pipe = Pipe(user)
        return pipe, End(pipe)

    def open_door(self, user: ChannelUser) -> "tuple[Program, End]":
        door = Program(user)
        return door, End(door)

    def shut(self) -> None:
        self.closed = True


class Pipe:
    """A program's connection; the test is the program.

    Attributes:
        got: what the program has read; room: how much more it reads.
        queue: what it has sent, and the stack has not taken.
        ended: the program has read the end.
    """

    def __init__(self, user: PipeUser) -> None:
        self.user = user
        self.got, self.queue = bytearray(), bytearray()
        self.room = 1 << 30
        self.closed = self.ended = self.started = self.deaf = False

    def start(self, skip: int, now: int) -> None:
        self.started = True
        del self.queue[:skip]
        self.resume(now)

    def write(self, buffers: Sequence[Buffer]) -> int:
        assert not self.closed
        data = b"".join(buffers)
        if self.deaf:
            self.user.deaf()
            return len(data)
        taken = min(len(data), self.room)
        self.got += data[:taken]
        self.room -= taken
        return taken

    def end(self) -> None:
        self.ended = True

    def resume(self, now: int) -> None:
        while (
            self.queue
            and self.started
            and not self.closed
            and (size := self.user.wants(1 << 18)) > 0
        ):
            data = bytes(self.queue[:size])
            del self.queue[:size]
            self.user.take(data, now)

    def close(self) -> None:
        self.closed = True


class Exchange:
    """Collects what a job reports.

    Attributes:
        has_room: set it to False to be a client that does not read; call ``read`` to read again.
    """

    def __init__(self) -> None:
        self.has_room = True
        self.feed = Feed()
        self.events: list[Row] = []
        self.answer: list[Row] = []
        self.signs_of_life = 0
        self.result: Row | None = None
        self.error: SmolctlError | None = None
        self.channels: list[Program] = []
        self.no_channel: SmolctlError | None = None

    @property
    def ended(self) -> bool:
        return self.result is not None or self.error is not None

    def event(self, event: Row) -> None:
        assert not self.ended, "an event after the end"
        self.events.append(plain(event))

    def rows(self, rows: list[Row]) -> None:
        assert not self.ended, "rows after the end"
        self.answer += map(plain, rows)
        self.signs_of_life += not rows

    def attach(self, feed: Feed) -> None:
        self.feed = feed
        feed.on_event = self.read
        self.read()

    def take_descriptors(self) -> list[int]:
        return []

    def open_channel(self, user: ChannelUser) -> Program:
        if self.no_channel is not None:
            raise self.no_channel
        self.channels.append(Program(user))
        return self.channels[-1]

    def read(self) -> None:
        while self.has_room and (body := self.feed.take()) is not None:
            self.events.append(plain(json.loads(body)))

    def done(self, result: Row) -> None:
        assert not self.ended, "ended twice"
        self.result = plain(result)

    def fail(self, error: SmolctlError) -> None:
        assert not self.ended, "ended twice"
        self.error = error

    # --- for short tests --------------------------------------------------------------------------

    @property
    def done_with(self) -> Row:
        assert self.result is not None, f"not done: {self.events}"
        return self.result

    def of(self, kind: str) -> list[Row]:
        """Return the events of a kind, without the word itself."""
        return [
            {key: value for key, value in event.items() if key != "event"}
            for event in self.events
            if event["event"] == kind
        ]

    @property
    def kinds(self) -> list[str]:
        return [event["event"] for event in self.events]


class Copy:
    """Work on the stack as it is when the copy is made, told of when its time is over.

    Attributes:
        due: when that is.
    """

    def __init__(self, api: "Api", work: Work, user: CopyUser) -> None:
        self.due = api.clock.now + api.copies_take_ns
        self._api, self._user = api, user
        self._problem: SmolctlError | None = None
        self._spent_ns = 0
        self._results: list[bytes] = []
        try:
            self._results = list(work(self))
        except SmolctlError as error:
            self._problem = error

    def ask(self, question: bytes) -> bytes:
        return self._user.asked(question)

    def spent_ns(self) -> int:
        self._spent_ns += self._api.a_look_costs_ns
        return self._spent_ns

    def tell(self, now: int) -> None:
        if self.due <= now:
            self.close()
            for result in self._results:
                self._user.took(result)
            self._user.copy_ended(self._problem, now)

    def close(self) -> None:
        if self in self._api.copies:
            self._api.copies.remove(self)


FLAGS = ("not", "blackhole", "nop", "unresolved", "iif_detached", "oif_detached")
"""Keys to which ``ip -j rule`` and ``nexthop`` give the value null when they are true."""


def plain(row: Row) -> Row:
    """Return a row as JSON carries it; it must be plain data, and come back equal.

    A key that has no value is left out, but for ``FLAGS``.
    """
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert [key for key, value in row.items() if value is None and key not in FLAGS] == [], row
    return row


class Peer:
    """Another host on the cable of tap0, at 10.0.0.2.

    Attributes:
        delay_ns: how long each of its answers takes.
        silent: what it does not answer: "arp", "ping", "udp".
        closed: it answers UDP with port unreachable instead of an echo.
        copies: how often it answers each ping, and each SYN.
        ports: what its TCP ports are: "open", "closed", or the code of the ICMP error that it
            answers SYN with; the others are silent.
        resets: from which ports SYN-ACK was reset.
    """

    def __init__(self) -> None:
        self.delay_ns = MILLISECOND_NS
        self.silent: set[str] = set()
        self.closed = False
        self.copies = 1
        self.ports: dict[int, str | int] = {}
        self.resets: list[int] = []

    def answers(self, frame: Seen) -> list[bytes]:
        if frame.arp is not None:
            wanted = frame.arp.op == arp.Op.REQUEST and text(frame.arp.target_ip) == PEER
            if not wanted or "arp" in self.silent:
                return []
            asker = text(frame.arp.sender_ip)
            return [arp_frame(arp.Op.REPLY, PEER, asker, target_mac=frame.src, to=frame.src)]
        header = frame.ip
        if header is None or frame.dst != PEER_MAC or text(header.dst) != PEER:
            return []
        if header.mf or header.fragment_offset:
            return []  # it does not reassemble
        src = text(header.src)
        if header.protocol == ipv4.Protocol.ICMP and "ping" not in self.silent:
            message = frame.icmp
            if message.type == icmpv4.Type.ECHO_REQUEST:
                kind = icmpv4.Type.ECHO_REPLY
                answer = icmp_frame(kind, 0, message.rest, message.body, PEER, src)
                return [answer] * self.copies
        if header.protocol == ipv4.Protocol.UDP and "udp" not in self.silent:
            sport, dport, payload = frame.udp
            if self.closed:
                return [unreachable(icmpv4.Unreachable.PORT, header.to_bytes() + frame.payload)]
            segment = udp.to_bytes(dport, sport, payload, header.dst, header.src)
            return [frame_of(packet_of(ipv4.Protocol.UDP, segment, PEER, src))]
        if header.protocol == ipv4.Protocol.TCP:
            return self._tcp(frame, header)
        return []

    def _tcp(self, frame: Seen, header: ipv4.Ipv4Header) -> list[bytes]:
        came = tcp.parse(frame.payload, header.src, header.dst)
        assert isinstance(came, tcp.TcpHeader), came
        if came.flags & tcp.RST:
            self.resets.append(came.dport)
            return []
        state = self.ports.get(came.dport)
        if state is None:
            return []
        if isinstance(state, int):
            return [unreachable(state, header.to_bytes() + frame.payload)]
        flags = tcp.ACK | (tcp.SYN if state == "open" else tcp.RST)
        answer = tcp.TcpHeader(came.dport, came.sport, 7, came.seq + 1, 0, flags, 1000)
        segment = answer.to_bytes(b"", header.dst, header.src)
        packet = packet_of(ipv4.Protocol.TCP, segment, PEER, text(header.src))
        return [frame_of(packet)] * self.copies


class Api:
    """An engine on a host with tap0 10.0.0.1/24, and its peer.

    Attributes:
        copies_take_ns: how long a copy works, until its results are there.
        a_look_costs_ns: how much of the processor's time passes in it from one look to the next.
    """

    copies_take_ns = 0
    a_look_costs_ns = 1_000

    def __init__(self, *addresses: str) -> None:
        self.host = Host(*addresses, ipv6=True, dad=True)
        self.host.wait(10 * SECOND_NS)  # until its IPv6 address is tested and reported
        self.host.take()
        self.stack, self.clock = self.host.stack, self.host.clock
        self.cables = Cables()
        self.cables.devices["tap0"] = Device({"mtu": 1500, "mac": OUR_MAC})
        self.engine = Engine(self.stack, self.cables, self)
        self.peer = Peer()
        self.wire: list[tuple[int, Seen]] = []
        self.wire6: list[bytes] = []
        self._coming: list[tuple[int, int, bytes]] = []
        self._serial = 0
        self.stopped: list[str] = []
        self.copies: list[Copy] = []

    # --- DaemonInfo -------------------------------------------------------------------------------

    def status(self, now: int) -> Row:
        return {"name": "test", "uptime_ms": now // MILLISECOND_NS}

    def wall_time(self, now: int) -> float:
        return WALL_EPOCH + now / 1e9

    def blame(self, doing: str, error: Exception) -> SmolctlError:
        raise error

    def request_stop(self, reason: str) -> None:
        self.stopped.append(reason)

    def copy(self, work: Work, user: CopyUser) -> "Copy":
        copy = Copy(self, work, user)
        self.copies.append(copy)
        return copy

    # --- requests ---------------------------------------------------------------------------------

    def __call__(self, op: str, **args: Any) -> list[Row]:
        """Return the rows of an operation, checked to be plain data."""
        answer = self.engine.request(op, args, Exchange(), self.clock.now)
        assert not isinstance(answer, Job), f"{op} is a job"
        return [plain(row) for row in answer]

    def atomic(self, *commands: Any) -> list[Row]:
        """Return the rows of changes of which all are made, or none."""
        exchange = self.run("batch.run", commands=list(commands), atomic=True)
        if exchange.error is not None:
            raise exchange.error
        assert exchange.result == {}
        return exchange.answer

    def one(self, op: str, **args: Any) -> Row:
        (row,) = self(op, **args)
        return row

    def start(self, op: str, **args: Any) -> tuple[Exchange, Job]:
        """Start a job."""
        exchange = Exchange()
        job = self.engine.request(op, args, exchange, self.clock.now)
        assert isinstance(job, Job), f"{op} is no job"
        self._flush()
        return exchange, job

    def run(self, op: str, seconds: float = 60, **args: Any) -> Exchange:
        """Start a job and let time pass until it ends, or the time is over."""
        exchange, _ = self.start(op, **args)
        self.wait(int(seconds * SECOND_NS), until=lambda: exchange.ended)
        return exchange

    # --- time -------------------------------------------------------------------------------------

    def wait(self, ns: int, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass; everything happens at its exact time."""
        end = self.clock.now + ns
        for _ in range(100_000):
            self._turn()
            due = self._due()
            if until() or due is None or due > end:
                break
            self.clock.advance_to(due)
        else:
            raise AssertionError("something is always due")
        if not until():
            self.clock.advance_to(end)

    def _due(self) -> int | None:
        dues = [self.engine.deadline(), self._coming[0][0] if self._coming else None]
        dues += [copy.due for copy in self.copies]
        return min((due for due in dues if due is not None), default=None)

    def _turn(self) -> None:
        now = self.clock.now
        while self._coming and self._coming[0][0] <= now:
            self.host.receive(heapq.heappop(self._coming)[2])
        for copy in self.copies[:]:
            copy.tell(now)
        self.engine.turn(now)
        self._flush()

    def _flush(self) -> None:
        """Let the device take what waits, and the peer answer; it does not speak IPv6."""
        if "tap0" not in self.stack.interfaces:
            return
        for raw in self.host.take():
            if vlan.untagged(raw, len(vlan.tags(raw)))[12:14] == _IPV6:
                self.wire6.append(raw)
                continue
            frame = see(raw)
            self.wire.append((self.clock.now, frame))
            for answer in self.peer.answers(frame):
                self._serial += 1
                due = self.clock.now + self.peer.delay_ns
                heapq.heappush(self._coming, (due, self._serial, answer))

    def arrive(self, *frames: bytes) -> None:
        """Let frames come in now."""
        self.host.receive(*frames)
        self._turn()
