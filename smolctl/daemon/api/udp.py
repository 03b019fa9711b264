"""``smolctl udp``: send, receive and echo datagrams, and say truly what became of them."""

import base64
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from smolctl.daemon.args import Args
from smolctl.daemon.context import Context
from smolctl.daemon.job import NS_PER_S, WAIT_NOTICE_NS, Job
from smolctl.errors import InvalidArgument, MessageTooLong, NoBuffers, SendRejected
from smolctl.stack.fate import Fate, Trace
from smolctl.stack.stack import Stack
from smolctl.stack.udp_socket import ANY, SocketError, UdpSocket
from smolctl.wire import addr, udp

OUTSTANDING_LIMIT = 64
"""Datagrams of one ``udp send`` without a fate; more wait, so that it never overruns a queue."""
LINGER_S = 0.1
"""How long ``udp send`` listens for an ICMP error unless told otherwise."""
REPLY_S = 1.0
"""How long it waits for an answer it expects."""


def send(ctx: Context, args: Args) -> Job:
    """Send datagrams."""
    dst = _destination(args)
    port = args.port("port")
    if port is None:
        raise InvalidArgument("the port is missing", hint="smolctl udp send ADDRESS:PORT DATA")
    size = args.integer("size", 0, 1_000_000_000)
    data = args.payload("data")
    payload = data if data is not None else b""
    if size is not None:
        if size > udp.MAX_PAYLOAD:
            raise _too_long(size)
        # Like ping's pattern: what is given, repeated, or counting bytes.
        pattern = payload or bytes(range(256))
        payload = (pattern * (size // len(pattern) + 1))[:size]
    if len(payload) > udp.MAX_PAYLOAD:
        raise _too_long(len(payload))
    expect = args.flag("expect_reply")
    count = args.integer("count", 1, 1_000_000_000) or 1
    plan = SendPlan(
        payload,
        dst,
        port,
        count,
        args.seconds("interval", 1.0) or 0,
        args.seconds("wait", REPLY_S if expect else LINGER_S) or 0,
        expect,
    )
    socket = ctx.stack.udp_open("udp send")
    socket.ttl = args.integer("ttl", 1, 255)
    socket.broadcast = args.flag("broadcast")
    src, sport, dev = args.address("src") or ANY, args.port("sport") or 0, args.text("dev")
    ctx.stack.udp_bind(socket, src, sport, dev)
    return SendJob(ctx.stack, socket, plan)


def _destination(args: Args) -> int:
    args.required("dst")
    return args.address("dst") or 0


def _too_long(size: int) -> MessageTooLong:
    return MessageTooLong(
        f"{size} bytes of payload never fit into a datagram: at most {udp.MAX_PAYLOAD} do",
        hint=f"--size {udp.MAX_PAYLOAD}",
    )


@dataclass(frozen=True, slots=True)
class SendPlan:
    """What a ``udp send`` is to do; times in ns."""

    payload: bytes
    dst: int
    port: int
    count: int
    interval_ns: int
    wait_ns: int
    expect_reply: bool


@dataclass(slots=True, eq=False)
class _Shot:
    """One datagram on its way."""

    seq: int
    sent_ns: int
    trace: Trace = field(default_factory=Trace)
    noticed: bool = False


class SendJob(Job):
    """Sends, follows each datagram to its fate, and listens for answers and ICMP errors."""

    def __init__(self, stack: Stack, socket: UdpSocket, plan: SendPlan) -> None:
        super().__init__()
        self._stack = stack
        self._socket = socket
        self._plan = plan
        self._seq = self._sent = self._failed = self._icmp = self._replies = 0
        self._open: deque[_Shot] = deque()
        self._next_ns = 0
        self._linger_ns: int | None = None
        self._last_ns = 0
        self._remote = False
        socket.handler = self._on_ready

    def start(self, now: int) -> None:
        """Send the first one."""
        self._next_ns = now
        self.on_timer(now)

    def on_timer(self, now: int) -> None:
        """Send what is due, report what has its fate, and end when all is known."""
        plan = self._plan
        while (
            self._seq < plan.count
            and now >= self._next_ns
            and len(self._open) < OUTSTANDING_LIMIT
            and not self.ended
        ):
            self._shoot(now)
            self._next_ns = now + plan.interval_ns
        self._report(now)
        if self.ended:
            return
        if self._seq == plan.count and not self._open:
            self._linger(now)
        if not self.ended:
            self.deadline = self._due(now)

    def _shoot(self, now: int) -> None:
        self._seq += 1
        shot = _Shot(self._seq, now)
        # Only a note for the next turn: a trace must not call back into the stack.
        shot.trace.on_change = lambda _trace: self._stack.wake(self._socket)
        self._last_ns = now
        plan = self._plan
        try:
            self._stack.udp_send(
                self._socket, plan.payload, plan.dst, plan.port, now, trace=shot.trace
            )
        except (SendRejected, NoBuffers) as error:
            self._failed += 1
            self.emit("failed", seq=shot.seq, **_error_fields(error))
            return
        self._open.append(shot)

    def _report(self, now: int) -> None:
        for shot in list(self._open):
            trace = shot.trace
            if trace.settled:
                self._open.remove(shot)
                self._settled(shot)
            elif not shot.noticed and now >= shot.sent_ns + WAIT_NOTICE_NS:
                shot.noticed = True
                text = trace.reason.explain(trace.detail) if trace.reason else "waiting"
                name = trace.reason.name if trace.reason else None
                self.emit("waiting", seq=shot.seq, reason=name, text=text)

    def _settled(self, shot: _Shot) -> None:
        trace, plan = shot.trace, self._plan
        if trace.fate in (Fate.SENT, Fate.DELIVERED):
            self._sent += 1
            self._remote = self._remote or trace.fate is Fate.SENT
            gateway = None if trace.gateway is None else addr.IPV4.format(trace.gateway)
            self.emit(
                "sent",
                seq=shot.seq,
                bytes=len(plan.payload),
                src=addr.IPV4.format(trace.src or 0),
                sport=self._socket.port,
                dst=addr.IPV4.format(plan.dst),
                dport=plan.port,
                dev=trace.dev,
                gateway=gateway,
                fate=trace.fate.value,
                after_ms=(trace.at_ns - shot.sent_ns) / 1e6,
            )
            return
        self._failed += 1
        if trace.reason is not None:
            message, _, hint = trace.reason.explain(trace.detail).partition("; ")
            errno_name = trace.reason.linux if trace.reason.linux.startswith("E") else None
            if trace.reason.name == "neigh-failed":
                errno_name = "EHOSTUNREACH"
            elif trace.reason.layer == "udp" and trace.reason.kind == "reject":
                errno_name = "ECONNREFUSED"
            self.emit(
                "failed",
                seq=shot.seq,
                reason=trace.reason.name,
                errno=errno_name,
                message=message,
                hint=hint or None,
            )

    def _linger(self, now: int) -> None:
        """Stay as long as an answer or an ICMP error may come."""
        plan = self._plan
        wanted = plan.expect_reply and self._replies + self._icmp < self._sent
        if not (wanted or (self._remote and not plan.expect_reply and not self._icmp)):
            self.finish(now)
            return
        if self._linger_ns is None:
            self._linger_ns = now + plan.wait_ns
        if now >= self._linger_ns:
            self.finish(now)

    def _due(self, now: int) -> int | None:
        dues = [shot.sent_ns + WAIT_NOTICE_NS for shot in self._open if not shot.noticed]
        if self._seq < self._plan.count and len(self._open) < OUTSTANDING_LIMIT:
            dues.append(self._next_ns)
        if self._linger_ns is not None:
            dues.append(self._linger_ns)
        return min(dues) if dues else None

    def _on_ready(self, now: int) -> None:
        socket = self._socket
        while (datagram := socket.receive()) is not None:
            self._replies += 1
            self.emit(
                "reply",
                src=addr.IPV4.format(datagram.src),
                sport=datagram.sport,
                data=base64.b64encode(datagram.payload).decode(),
                rtt_ms=(datagram.at_ns - self._last_ns) / 1e6,
            )
        self._report(now)
        while socket.errors:
            self._socket_error(socket.errors.popleft())
        self.on_timer(now)

    def _socket_error(self, error: SocketError) -> None:
        if self._stack.fib.is_local(error.offender):
            return  # our own stack: the datagram's own fate has said it already
        self._icmp += 1
        message, _, hint = error.reason.explain(error.detail).partition("; ")
        self.emit(
            "icmp",
            seq=self._seq,
            reason=error.reason.name,
            errno=error.errno_name,
            message=message,
            hint=hint or None,
            **{"from": addr.IPV4.format(error.offender)},
        )

    def result(self, now: int) -> dict[str, Any]:
        """Return the totals; a datagram without a fate yet counts as waiting."""
        good = self._sent > 0 and not self._failed and not self._icmp and not self._open
        if self._plan.expect_reply:
            good = good and self._replies > 0
        return {
            "sent": self._sent,
            "failed": self._failed,
            "waiting": len(self._open),
            "icmp_errors": self._icmp,
            "replies": self._replies,
            "ok": good,
        }

    def release(self, now: int) -> None:
        """Close the socket."""
        self._stack.udp_close(self._socket)


def _error_fields(error: SendRejected | NoBuffers) -> dict[str, Any]:
    return {
        "reason": error.code,
        "errno": error.errno_name,
        "message": error.message,
        "hint": error.hint,
    }


# --- recv and echo --------------------------------------------------------------------------------


def _bound(ctx: Context, args: Args, owner: str) -> UdpSocket:
    args.required("port")
    port = args.port("port") or 0
    socket = ctx.stack.udp_open(owner)
    ctx.stack.udp_bind(socket, args.address("addr") or ANY, port, args.text("dev"))
    return socket


def recv(ctx: Context, args: Args) -> Job:
    """Receive datagrams."""
    count, wait = args.integer("count", 1, 1_000_000_000), args.seconds("wait")
    return RecvJob(ctx.stack, _bound(ctx, args, "udp recv"), count, wait)


def echo(ctx: Context, args: Args) -> Job:
    """Send every datagram back to where it came from."""
    count, wait = args.integer("count", 1, 1_000_000_000), args.seconds("wait")
    socket = _bound(ctx, args, "udp echo")
    return EchoJob(ctx.stack, socket, count, wait, quiet=args.flag("quiet"))


class RecvJob(Job):
    """Reports each datagram; ends after ``count`` of them or ``wait_ns``."""

    def __init__(
        self, stack: Stack, socket: UdpSocket, count: int | None, wait_ns: int | None
    ) -> None:
        super().__init__()
        self._stack = stack
        self._socket = socket
        self._count = count
        self._wait_ns = wait_ns
        self._received = 0

    def start(self, now: int) -> None:
        """Say where it listens."""
        socket = self._socket
        self.emit("bound", addr=addr.IPV4.format(socket.local), port=socket.port, dev=socket.dev)
        if self._wait_ns is not None:
            self.deadline = now + self._wait_ns
        socket.handler = self._on_ready

    def on_timer(self, now: int) -> None:
        """End: the time is up."""
        self.finish(now)

    def _on_ready(self, now: int) -> None:
        # Wall time for the reader; the stack itself knows only monotonic time.
        wall = time.time() - now / NS_PER_S
        while not self._complete() and (datagram := self._socket.receive()) is not None:
            self._received += 1
            self.emit(
                "datagram",
                src=addr.IPV4.format(datagram.src),
                sport=datagram.sport,
                dst=addr.IPV4.format(datagram.dst),
                dport=datagram.dport,
                dev=datagram.dev,
                data=base64.b64encode(datagram.payload).decode(),
                time=round(wall + datagram.at_ns / NS_PER_S, 6),
            )
        if self._complete():
            self.finish(now)

    def _complete(self) -> bool:
        return self._count is not None and self._received >= self._count

    def result(self, now: int) -> dict[str, Any]:
        """Return how many came, and how many were lost because the queue was full."""
        good = self._complete() if self._count is not None else self._received > 0
        return {"received": self._received, "drops": self._socket.drops, "ok": good}

    def release(self, now: int) -> None:
        """Close the socket."""
        self._stack.udp_close(self._socket)


class EchoJob(RecvJob):
    """Answers each datagram from the address it was sent to."""

    def __init__(
        self,
        stack: Stack,
        socket: UdpSocket,
        count: int | None,
        wait_ns: int | None,
        *,
        quiet: bool,
    ) -> None:
        super().__init__(stack, socket, count, wait_ns)
        self._quiet = quiet
        self._echoed = 0

    def _on_ready(self, now: int) -> None:
        receive, send, socket = self._socket.receive, self._stack.udp_send, self._socket
        socket.errors.clear()
        done = self._received
        left = self._count - done if self._count is not None else -1
        failed = 0
        while left and (datagram := receive()) is not None:
            left -= 1
            done += 1
            payload, src, sport, dst, *_ = datagram
            try:
                # A broadcast is answered from an address of our own (RFC 1122 4.1.3.5).
                own = None if self._stack.is_broadcast(dst) else dst
                send(socket, payload, src, sport, now, None, own)
            except (SendRejected, NoBuffers) as error:
                failed += 1
                self.emit("failed", dst=addr.IPV4.format(src), **_error_fields(error))
                continue
            if not self._quiet:
                self.emit("echoed", src=addr.IPV4.format(src), sport=sport, bytes=len(payload))
        self._echoed += done - self._received - failed
        self._received = done
        if self._complete():
            self.finish(now)

    def result(self, now: int) -> dict[str, Any]:
        """Return how many came and how many went back."""
        return {**super().result(now), "echoed": self._echoed}
