"""The job behind a program's TCP sockets: one channel for all of them, by which it commands.

What the program asks is answered by the channel, in its order. Each socket lives as long as its own
pipe, or channel when it listens: so a connection outlives the process that opened it, if another
one has inherited it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from smolctl.control import stream as wire
from smolctl.errors import ControlError, SmolctlError
from smolctl.ops import stream_options
from smolctl.ops.args import Args
from smolctl.ops.context import Context
from smolctl.ops.job import Channel, Job, Passed
from smolctl.ops.stream_socket import ListenEnd, StreamEnd
from smolctl.ops.tcp_info import tcp_info
from smolctl.stack.stack import Stack
from smolctl.stack.transport.socket_base import ANY
from smolctl.wire.address import (
    IPV4,
    is_unspecified,
)

_MAX_PORT = 65_535
_MAX_ZONE = 0xFFFFFFFF
_MAX_WAITING = 4096
"""Messages that wait for a program to read; one that lets more come does not mean well."""


def open_(ctx: Context, args: Args) -> Job:
    """Open a channel for a program's TCP sockets."""
    args.required("channel")
    version = args.integer("channel", 0, 1_000_000_000)
    if version != wire.VERSION:
        raise ControlError(
            f"the program speaks stream protocol {version}, the daemon {wire.VERSION}",
            hint="smolctl stack stop, then the program again: a daemon of its version starts",
            code="version-mismatch",
        )
    pid, uid = args.integer("pid", 1, 1 << 31), args.integer("uid", 0, 1 << 32)
    own = ctx.stack.shared.uid
    program = Program(args.required("owner"), pid, own if uid is None else uid)
    return HubJob(ctx.stack, program)


class Program(NamedTuple):
    """A program: its name, the number of its process, and its user."""

    owner: str
    pid: int | None
    uid: int


class HubJob(Job):
    """The TCP sockets of one program."""

    def __init__(self, stack: Stack, program: Program) -> None:
        super().__init__()
        self._stack, self._program = stack, program
        self._channel: Channel | None = None
        self._waiting: deque[tuple[bytes, Sequence[Passed]]] = deque()
        self._ends: dict[int, StreamEnd] = {}
        self._listening: dict[int, ListenEnd] = {}
        self._last = 0

    def start(self, now: int) -> None:
        """Pass the program its end of the channel."""
        self._channel = self.exchange.open_channel(self)
        self.emit("opened")

    # --- to the program ---------------------------------------------------------------------------

    def tell(self, message: bytes, passed: Sequence[Passed] = ()) -> None:
        """Send a message when there is room, in its order."""
        channel = self._channel
        if channel is None:
            for end in passed:
                end.close()
        elif self._waiting or not channel.send(message, passed):
            self._waiting.append((message, passed))

    def room(self, now: int) -> None:
        """Send what waits."""
        channel = self._channel
        while self._waiting and channel is not None and channel.send(*self._waiting[0]):
            self._waiting.popleft()

    def join(self, end: StreamEnd) -> int:
        """Take in a new socket; return its number."""
        self._last += 1
        self._ends[self._last] = end
        return self._last

    def leave(self, end: StreamEnd) -> None:
        """Forget a socket that is closed."""
        self._ends.pop(end.number, None)
        self._listening.pop(end.number, None)

    # --- from the program -------------------------------------------------------------------------

    def take(self, messages: Sequence[bytes], now: int) -> int:
        """Do what messages say."""
        for message in messages:
            self._take(message, now)
        return len(messages)

    def _take(self, message: bytes, now: int) -> None:
        if len(self._waiting) > _MAX_WAITING:
            raise ControlError("a program does not read what it asks its sockets for")
        command = wire.parse_command(message)
        passed: Sequence[Passed] = ()
        try:
            if command.do == "open":
                args = Args("open", command.args, frozenset({"family", "owner"}))
                fields, passed = self._open(args)
            else:
                fields, passed = self._do(command, now)
        except SmolctlError as error:
            self.tell(wire.refused(command.number, error.to_dict()))
        else:
            self.tell(wire.answer(command.number, fields), passed)

    def _open(self, args: Args) -> tuple[dict[str, Any], Sequence[Passed]]:
        """Open a socket."""
        if self._channel is None:
            raise AssertionError("a program that commands has a channel")
        owner, pid, uid = self._program
        socket = self._stack.tcp.open(args.text("owner") or owner, args.family or IPV4)
        socket.pid, socket.uid = pid, uid
        end = StreamEnd(self, self._stack, socket)
        try:
            end.pipe, outside = self._channel.open_pipe(end)
        except BaseException:
            self.leave(end)
            raise
        return {"socket": end.number}, (outside,)

    def _do(self, command: wire.Command, now: int) -> tuple[dict[str, Any], Sequence[Passed]]:
        end = self._ends.get(command.socket)
        names, do = _COMMANDS.get(command.do, ("", None))
        if end is None or do is None:
            raise ControlError(f'a socket has no command "{command.do}", or is closed')
        args = Args(command.do, command.args, frozenset([*names.split(), "family"]))
        fields, *passed = do(self, end, args, now)
        return {**end.told(), **fields}, passed

    def _bind(self, end: StreamEnd, args: Args, now: int) -> "_Answer":
        socket, port = end.socket, args.integer("port", 0, _MAX_PORT) or 0
        local, dev = end.names.to_bind(args.the_address("addr"), _zone(args))
        bound = ANY if is_unspecified(local) else local
        self._stack.tcp.bind(socket, bound, port, dev or socket.dev)
        return ({},)

    def _listen(self, end: StreamEnd, args: Args, now: int) -> "_Answer":
        """Listen: the program gets a channel, in place of the pipe."""
        self._stack.tcp.listen(end.socket, args.integer("backlog", 0, 1 << 31) or 0)
        if end.number in self._listening:
            return ({},)
        if self._channel is None:
            raise AssertionError("a program that commands has a channel")
        listening = ListenEnd(self, self._stack, end)
        try:
            listening.channel, outside = self._channel.open_door(listening)
        except BaseException:
            end.close(now)
            raise
        end.pipe.close()
        self._listening[end.number] = listening
        return {}, outside

    def _connect(self, end: StreamEnd, args: Args, now: int) -> "_Answer":
        peer, dev = end.names.to_connect(args.the_address("addr"), _zone(args))
        if dev is not None:
            end.socket.dev = dev
        self._stack.tcp.connect(end.socket, peer, args.integer("port", 0, _MAX_PORT) or 0, now)
        end.connecting(args.integer("skip", 0, 1 << 20) or 0)
        return ({},)

    def _set(self, end: StreamEnd, args: Args, now: int) -> "_Answer":
        stream_options.change(self._stack, end.socket, args, now)
        if "v6only" in args:
            end.names.v6only(args.integer("v6only", 0, 1) == 1)
        return ({},)

    def _get(self, end: StreamEnd, args: Args, now: int) -> "_Answer":
        name = args.required("name")
        if name == "info":
            return ({"value": tcp_info(end.socket, now).hex()},)
        return ({"value": stream_options.value(self._stack, end.socket, name)},)

    def _index(self, end: StreamEnd, args: Args, now: int) -> "_Answer":
        return ({"index": self._stack.interface(args.required("dev")).index},)

    # --- the end ----------------------------------------------------------------------------------

    def hangup(self, now: int) -> None:
        """Forget the channel: the program has ended, or has closed its last socket."""
        self._channel = None
        for _, passed in self._waiting:
            for end in passed:
                end.close()
        self._waiting.clear()
        self.finish(now)

    def fail(self, error: SmolctlError, now: int) -> None:
        """End with an error; the sockets live as long as their own descriptors."""
        self._channel = None
        super().fail(error, now)


_Answer = tuple[dict[str, Any]] | tuple[dict[str, Any], Passed]


def _zone(args: Args) -> int:
    """Return the number of the interface beside an address."""
    return args.integer("zone", 0, _MAX_ZONE) or 0


_COMMANDS: dict[str, tuple[str, Callable[[HubJob, StreamEnd, Args, int], _Answer]]] = {
    "bind": ("addr port zone", HubJob._bind),
    "listen": ("backlog", HubJob._listen),
    "connect": ("addr port zone skip", HubJob._connect),
    "set": (f"v6only {stream_options.NAMES}", HubJob._set),
    "get": ("name", HubJob._get),
    "index": ("dev", HubJob._index),
}
"""Commands of a program to a socket: the arguments, and the function."""
