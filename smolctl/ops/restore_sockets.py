"""Sockets, connections and clients of a stack from the rows of its snapshot; see ``restore.py``."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from smolctl.ops import snapshot_shapes as shapes
from smolctl.ops.shapes import zeros
from smolctl.stack.stack import Stack
from smolctl.stack.trace.facts import Bound
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.ping import EchoClient
from smolctl.stack.transport.send_queue import OutgoingDatagram, SendQueue
from smolctl.stack.transport.tcp.probe import Probe, SynClient
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import NO_ERRORS, Backlog, TcpSocket
from smolctl.stack.transport.tcp.time_wait import TimeWait
from smolctl.stack.transport.udp.socket import DATAGRAM_OVERHEAD, UdpSocket
from smolctl.wire.address import parse_address

Told = Mapping[str, Any]


class Sockets:
    """The sockets of a stack that is being made.

    Attributes:
        takers: by part, what takes its rows.
    """

    def __init__(self, stack: Stack, now: int) -> None:
        self._stack, self._now = stack, now
        self._udp: list[UdpSocket] = []
        self._tcp: list[TcpSocket] = []
        self._backlogs: list[Told] = []
        self.takers: dict[str, Callable[[Told], None]] = {
            "udp": self._udp_socket,
            "blocked": self._blocked,
            "tcp": self._tcp_socket,
            "tcp_request": self._request,
            "tcp_time_wait": self._time_wait,
            "tcp_probe": self._probe,
            "tcp_backlog": self._backlogs.append,
            "ping": self._ping,
        }

    def finish(self) -> None:
        """Let those wait in backlogs that do."""
        tcp = self._stack.tcp
        for row in self._backlogs:
            backlog = self._tcp[row["listener"]].backlog
            ends: list[Ends] = [shapes.ENDS.value(each, self._now) for each in row["queue"]]
            children = [tcp.connections.get(each) for each in ends]
            if backlog is not None:
                backlog.queue.extend(each for each in children if isinstance(each, TcpSocket))

    # --- UDP and ping -----------------------------------------------------------------------------

    def _udp_socket(self, row: Told) -> None:
        udp, now = self._stack.udp, self._now
        socket = UdpSocket(row["rcvbuf"], ready_queue=self._stack.ready)
        shapes.UDP.fill(socket, row, now)
        self._udp.append(socket)
        udp.put(socket)
        socket.bound = Bound(socket.shown_local, socket.port, socket.dev, socket.owner)
        for group, dev, wanted in row.get("groups", ()):
            address, sources = parse_address(group), shapes.SOURCES.value(wanted, now)
            socket.groups[address, dev] = sources
            net = self._stack.networks.for_address(address)
            net.of(self._stack.interface(dev)).groups.set(address, socket, sources)
        number = row.get("queued", 0)
        if number:
            first = zeros(row["queue_bytes"] - number * DATAGRAM_OVERHEAD)
            queue = [first, *[b""] * (number - 1)]
            socket.queue = deque((payload, 0, 0, 0, 0, "", now) for payload in queue)
            socket.queue_bytes = row["queue_bytes"]
        if "send_queue" in row:
            self._send_queue(socket, row["send_queue"])

    def _send_queue(self, socket: UdpSocket, row: Told) -> None:
        queue = SendQueue(**{"retry_ns": self._now, **shapes.SEND_QUEUE.values(row, self._now)})
        for size, dst, dport, *src in row["items"]:
            source = parse_address(src[0]) if src else None
            item = OutgoingDatagram(zeros(size), parse_address(dst), dport, source, Trace())
            queue.push(item, queue.last_ns)
        socket.send_queue = queue
        self._stack.timers.alarm.set(queue.retry_ns)

    def _blocked(self, row: Told) -> None:
        self._stack.udp.blocked = {self._udp[place]: None for place in row["order"]}

    def _ping(self, row: Told) -> None:
        client = EchoClient(row["ident"], 0, ready_queue=self._stack.ready)
        self._stack.ping[client.ident] = shapes.PING.fill(client, row, self._now)

    # --- TCP --------------------------------------------------------------------------------------

    def _tcp_socket(self, row: Told) -> None:
        tcp, now = self._stack.tcp, self._now
        socket = TcpSocket(
            rcvbuf=row["rcvbuf"], sndbuf=row["sndbuf"], ready_queue=self._stack.ready,
            on_error=tcp.take_error_of, errors=NO_ERRORS,
        )  # fmt: skip
        shapes.TCP.fill(socket, row, now)
        shapes.SENDING.fill(socket.snd, row["snd"], now)
        shapes.RECEIVING.fill(socket.rcv, row["rcv"], now)
        if "out" in row:
            socket.out = self._stack.interfaces.get(row["out"])
        if "backlog" in row:
            told = row["backlog"]
            socket.backlog = Backlog(told["limit"], requests=told["requests"])
            if "cookie_until_ns" in told:
                socket.backlog.cookie_until_ns = now - told["cookie_until_ns"]
        if socket.bound:
            self._tcp.append(socket)
            tcp.put(socket)
        if row["connected"]:
            self._register(socket)
        if socket.closed:
            tcp.orphans += 1

    def _request(self, row: Told) -> None:
        listener = self._tcp[row["listener"]]
        request = Request(shapes.ENDS.value(row["ends"], self._now), listener, 0, 0)
        shapes.REQUEST.fill(request, row, self._now)
        self._stack.tcp.connections[request.ends] = request

    def _time_wait(self, row: Told) -> None:
        rest = TimeWait(shapes.ENDS.value(row["ends"], self._now), 0, 0, 0)
        shapes.TIME_WAIT.fill(rest, row, self._now)
        self._register(rest)
        self._stack.tcp.waiting.add(rest, rest.until_ns)

    def _probe(self, row: Told) -> None:
        client = SynClient(row["owner"], parse_address(row["to"]), self._stack.ready)
        probe = Probe(client, 0, shapes.ENDS.value(row["ends"], self._now), 0)
        shapes.PROBE.fill(probe, row, self._now)
        client.probes[probe.number] = probe
        self._register(probe)

    def _register(self, connection: TcpSocket | TimeWait | Probe) -> None:
        """Put in a connection, counted as it was: its program may have changed how it shares."""
        self._stack.tcp.register(connection.ends, connection, connection.counted)
