"""``smolctl tcp``: send a few bytes and say when they were acknowledged, and echo.

What moves more than that, ``tcp connect`` and ``tcp listen``, has a socket as programs have.
"""

from binascii import b2a_base64
from dataclasses import dataclass
from typing import Any

from smolctl.errors import InvalidArgument, SmolctlError
from smolctl.ops.args import Args
from smolctl.ops.context import Context
from smolctl.ops.job import WAIT_NOTICE_NS, Job
from smolctl.stack.reason import Rejected
from smolctl.stack.stack import Stack
from smolctl.stack.transport.socket_base import ANY
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.wire.address import IPV6, family_of, format_address

REPLY_S = 1.0
"""Time that ``tcp send`` gives an answer that it expects."""
_CHUNK = 1 << 16
_ESTABLISHED = State.ESTABLISHED
_RETRY_NS = 5_000_000
"""Time until a client that fell behind is looked at again."""


def send(ctx: Context, args: Args) -> Job:
    """Send bytes over a connection of their own."""
    args.required("dst")
    dst, src, dev = args.zoned("dst"), args.zoned("src"), args.device("dst", "src")
    port = args.port("port")
    if dst is None or port is None:
        raise InvalidArgument("the port is missing", hint="smolctl tcp send ADDRESS:PORT DATA")
    socket = ctx.stack.tcp.open("tcp send", family_of(dst))
    socket.mark = args.mark() or 0
    sport = args.port("sport") or 0
    if src is not None or sport or dev is not None:
        ctx.stack.tcp.bind(socket, ANY if src is None else src, sport, dev)
    expect = args.flag("expect_reply")
    wait = args.seconds("wait", REPLY_S if expect else None)
    data = args.payload("data") or b""
    return SendJob(ctx.stack, socket, SendPlan(data, dst, port, wait, expect))


def echo(ctx: Context, args: Args) -> Job:
    """Send back what comes by each connection."""
    args.required("port")
    local = args.zoned("addr")
    # Without an address it hears both families, unless one is asked for.
    family = (args.family or IPV6) if local is None else family_of(local)
    socket = ctx.stack.tcp.open("tcp echo", family)
    socket.reuse = True  # what is left of earlier connections is in nobody's way
    socket.v6only = local is not None or args.family is IPV6
    socket.mark = args.mark() or 0
    ctx.stack.tcp.bind(socket, local, args.port("port") or 0, args.device("addr"))
    backlog = args.integer("backlog", 0, 1 << 31)
    try:
        ctx.stack.tcp.listen(socket, 4096 if backlog is None else backlog)
    except SmolctlError:
        ctx.stack.tcp.close(socket, ctx.now)
        raise
    count, wait = args.integer("count", 1, 1_000_000_000), args.seconds("wait")
    return EchoJob(ctx.stack, socket, count, wait, quiet=args.flag("quiet"))


@dataclass(frozen=True, slots=True)
class SendPlan:
    """The task of a ``tcp send``; ``wait_ns`` is None for as long as TCP itself goes on."""

    payload: bytes
    dst: int
    port: int
    wait_ns: int | None
    expect_reply: bool


class SendJob(Job):
    """Connects, sends, and waits until all is acknowledged, or answered."""

    def __init__(self, stack: Stack, socket: TcpSocket, plan: SendPlan) -> None:
        super().__init__()
        self._stack, self._socket, self._plan = stack, socket, plan
        self._left = memoryview(plan.payload)
        self._began_ns = self._connected_ns = self._acked_ns = 0
        self._end_ns: int | None = None
        self._noticed = self._replied = False
        self._failed: SmolctlError | None = None
        socket.handler = self._go_on

    def start(self, now: int) -> None:
        """Send SYN."""
        plan = self._plan
        self._stack.tcp.connect(self._socket, plan.dst, plan.port, now)
        self._began_ns = now
        if plan.wait_ns is not None:
            self._end_ns = now + plan.wait_ns
        self.deadline = self._due(now + WAIT_NOTICE_NS)

    def _due(self, at_ns: int | None) -> int | None:
        dues = [due for due in (at_ns, self._end_ns) if due is not None]
        return min(dues, default=None)

    def on_timer(self, now: int) -> None:
        """Say what is waited for; end when the time is up."""
        if self._end_ns is not None and now >= self._end_ns:
            self.finish(now)
            return
        if not self._noticed:
            self._noticed = True
            self.emit("waiting", text=f"waiting for {self._awaited}")
        self.deadline = self._due(None)

    @property
    def _awaited(self) -> str:
        peer = format_address(self._plan.dst)
        if not self._connected_ns:
            return f"{peer} to answer SYN"
        return f"{peer} to answer" if self._acked_ns else f"{peer} to acknowledge"

    def _go_on(self, now: int) -> None:
        """Take the next step that has become possible."""
        try:
            self._step(now)
        except Rejected as error:
            self._failed = error
            self.finish(now)

    def _step(self, now: int) -> None:
        socket, tcp = self._socket, self._stack.tcp
        if not self._connected_ns:
            if not socket.connected:
                if socket.ending is not None:
                    tcp.receive(socket, 1, now)  # raises it
                return
            self._connected_ns = now
            self.emit("connected", **self._ends(), after_ms=_ms(now - self._began_ns))
        while self._left:
            taken = tcp.send(socket, bytes(self._left[:_CHUNK]), now)
            if not taken:
                break
            self._left = self._left[taken:]
        if not self._acked_ns and not self._left and not socket.snd.held:
            self._acked_ns = now
            size = len(self._plan.payload)
            retrans = socket.stats.retrans or None
            after = _ms(now - self._connected_ns)
            self.emit("acked", bytes=size, after_ms=after, retrans=retrans, **self._ends())
        self._read(now)
        if not self.ended and self._acked_ns and (self._replied or not self._plan.expect_reply):
            self.finish(now)

    def _read(self, now: int) -> None:
        """Report what came, and take the end of the stream as that of the reply."""
        socket = self._socket
        while (data := self._stack.tcp.receive(socket, _CHUNK, now)) is not None:
            if not data:
                if self._plan.expect_reply and self._acked_ns:
                    self.finish(now)
                return
            self._replied = True
            text = b2a_base64(data, newline=False).decode()
            self.emit("reply", bytes=len(data), data=text, after_ms=_ms(now - self._connected_ns))

    def _ends(self) -> dict[str, Any]:
        socket, plan = self._socket, self._plan
        return {
            "src": format_address(socket.local or 0), "sport": socket.port,
            "dst": format_address(plan.dst), "dport": plan.port,
        }  # fmt: skip

    def result(self, now: int) -> dict[str, Any]:
        """Return whether all was acknowledged, and answered if that was wanted."""
        acked = bool(self._acked_ns)
        good = acked and (self._replied or not self._plan.expect_reply)
        snd = self._socket.snd
        unacked = snd.unsent + snd.unacked + len(self._left)
        result: dict[str, Any] = {
            "ok": good, "connected": bool(self._connected_ns), "acked": acked,
            "bytes": len(self._plan.payload), "unacked": 0 if acked else unacked,
            "seconds": round((now - self._began_ns) / 1e9, 6),
        }  # fmt: skip
        if self._failed is not None:
            result["reason"] = self._failed.code
            result.update({k: v for k, v in self._failed.to_dict().items() if k != "code"})
        elif not good:
            awaited = self._awaited.partition(" to ")
            result["message"] = f"{awaited[0]} did not {awaited[2]} in time"
        return result

    def release(self, now: int) -> None:
        """Close the connection: FIN when all is well, RST when it is given up."""
        socket = self._socket
        if self._acked_ns or not socket.connected:
            socket.rcv.drop_all()  # what nobody asked for is no reason to reset
            self._stack.tcp.close(socket, now)
        else:
            self._stack.tcp.abort(socket, now)


class EchoJob(Job):
    """Listens, and sends back what comes; a peer that does not read holds up itself alone.

    Args:
        count: connections to end after, None for any number.
        quiet: nothing is reported of one.
    """

    def __init__(
        self, stack: Stack, socket: TcpSocket, count: int | None, wait_ns: int | None, *,
        quiet: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self._stack, self._socket, self._count, self._wait_ns = stack, socket, count, wait_ns
        self._quiet = quiet
        self._open: dict[TcpSocket, _Echo] = {}
        self._accepted = self._ended = self._failed = self._bytes = 0

    def start(self, now: int) -> None:
        """Say where it listens."""
        socket = self._socket
        addr = format_address(socket.shown_local)
        v6only = True if socket.v6only and socket.local is None else None
        self.emit("bound", addr=addr, port=socket.port, dev=socket.dev, v6only=v6only)
        if self._wait_ns is not None:
            self.deadline = now + self._wait_ns
        socket.handler = self._accept

    def on_timer(self, now: int) -> None:
        """End: the time is up."""
        self.finish(now)

    def _accept(self, now: int) -> None:
        tcp = self._stack.tcp
        while (child := tcp.accept(self._socket)) is not None:
            self._accepted += 1
            if not self._quiet:
                self.emit("accepted", **peer_of(child))
            one = self._open[child] = _Echo(self, self._stack, child)
            child.handler = one.go_on
            if not child.ready:
                child.wake()
            if self._accepted == self._count:
                self._socket.handler = None
                tcp.close(self._socket, now)
                return

    def over(
        self, child: TcpSocket, size: int, error: SmolctlError | None, now: int
    ) -> None:  # fmt: skip
        """Report the end of a connection, unless nobody wants to know, and take note of it."""
        failed = error is not None
        if not self._quiet:
            fields: dict[str, Any] = {**peer_of(child), "bytes": size}
            if error is not None:
                said = {k: v for k, v in error.to_dict().items() if k != "code"}
                fields |= {"reason": error.code, **said}
            self.emit("failed" if failed else "closed", **fields)
        self._stack.tcp.close(child, now)
        del self._open[child]
        self._ended += 1
        self._failed += failed
        self._bytes += size
        if self._ended == self._count:
            self.finish(now)

    def result(self, now: int) -> dict[str, Any]:
        """Return how many connections there were, and how many bytes went back."""
        some = self._ended if self._count is None else self._ended == self._count
        open_bytes = sum(each.size for each in self._open.values())
        return {
            "connections": self._accepted, "failed": self._failed,
            "echoed": self._bytes + open_bytes, "ok": bool(some) and not self._failed,
        }  # fmt: skip

    def release(self, now: int) -> None:
        """Close all sockets."""
        for child in list(self._open):
            self._stack.tcp.close(child, now)
        self._open.clear()
        if not self._socket.closed:
            self._stack.tcp.close(self._socket, now)


class _Echo:
    """One connection of an echo."""

    __slots__ = ("_job", "_socket", "_tcp", "size")

    def __init__(self, job: EchoJob, stack: Stack, socket: TcpSocket) -> None:
        self._job, self._tcp, self._socket = job, stack.tcp, socket
        self.size = 0

    def go_on(self, now: int) -> None:
        """Send back what came, as far as there is room; the rest is not read."""
        socket, tcp = self._socket, self._tcp
        try:
            while True:
                room = socket.sndbuf - socket.snd.held
                if room <= 0:
                    return
                data = tcp.take(socket, room if room < _CHUNK else _CHUNK, now)
                if data is None:
                    return
                if not data:
                    break
                self.size += tcp.send(socket, data, now)
                if not socket.rcv.ready and socket.state is _ESTABLISHED:
                    return
        except SmolctlError as error:
            self._job.over(socket, self.size, error, now)
            return
        self._job.over(socket, self.size, None, now)


def peer_of(socket: TcpSocket) -> dict[str, Any]:
    """Return the other end of a connection, as events tell it."""
    return {"src": format_address(socket.peer or 0), "sport": socket.peer_port}


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)
