"""The sockets of programs behind pipes: connections, and sockets that listen.

A connection's bytes go between the stack's buffers and the program's pipe without a copy of their
own here: what the program has no room for stays in the stack, and the window closes; what the stack
has no room for is not taken from the pipe.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from smolctl.control import stream as wire
from smolctl.errors import NotConnected, SmolctlError
from smolctl.ops.job import Channel, Passed, Pipe
from smolctl.ops.socket_names import SocketNames
from smolctl.stack.reason import Rejected
from smolctl.stack.stack import Stack
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.wire.address import format_address

_A_TURN = 1 << 18
"""About how many bytes a program is given at once."""
_WINDOW = 16
"""Connections that wait in a program's channel; all wait in the backlog until they are taken."""


class Hub(Protocol):
    """The channel of a program, which all its sockets share."""

    def tell(self, message: bytes, passed: Sequence[Passed] = ()) -> None:
        """Send a message when there is room, in its order."""

    def join(self, end: "StreamEnd") -> int:
        """Take in a new socket; return its number."""

    def leave(self, end: "StreamEnd") -> None:
        """Forget a socket that is closed."""


class StreamEnd:
    """A socket of a program that does not listen: closed, or a connection.

    Attributes:
        socket: the stack's; names: what the program calls its addresses.
        number: by which the program knows it.
        pipe: to the program.
        taken: the program has the connection; one that it has not accepted yet waits.
    """

    def __init__(self, hub: Hub, stack: Stack, socket: TcpSocket) -> None:
        self.socket, self.taken = socket, True
        self.names = SocketNames(stack.interfaces, socket)
        self.pipe: Pipe
        self._hub, self._tcp = hub, stack.tcp
        self._skip = 0
        self._open = self._ended = False
        self.number = hub.join(self)
        socket.handler = self.serve

    # --- opening ----------------------------------------------------------------------------------

    def connecting(self, skip: int) -> None:
        """Let the program's end become writable when the connection is open.

        Args:
            skip: see ``Pipe.start``.
        """
        self._skip = skip

    def begin(self, now: int) -> None:
        """Let data flow: the connection is open."""
        self._open = self.taken = True
        self.pipe.start(self._skip, now)
        self.serve(now)

    def serve(self, now: int) -> None:
        """Do what has become possible: the connection is open, or failed; data came, or left."""
        socket = self.socket
        if self.pipe.closed or not self.taken:
            return
        if not self._open:
            if socket.connected:
                self.begin(now)
            elif socket.ending is not None:
                self._failed(self._tcp.take_error(socket), now)
            return
        self._deliver(now)
        self.pipe.resume(now)

    # --- to the program ---------------------------------------------------------------------------

    def room(self, now: int) -> None:
        """Give the program what waits for it."""
        self.serve(now)

    def _deliver(self, now: int) -> None:
        """Give the program what it has room for; the rest stays in the stack."""
        socket, pipe, tcp = self.socket, self.pipe, self._tcp
        while not (pipe.closed or self._ended):
            try:
                buffers = tcp.buffers(socket, _A_TURN)
            except Rejected as error:
                self._failed(error, now)
                return
            if buffers is None:
                return
            if not buffers:
                self._ended = True
                pipe.end()
                break
            size = sum(map(len, buffers))
            taken = pipe.write(buffers)
            tcp.consume(socket, taken, now)
            if taken < size or not (socket.rcv.ready or socket.at_end):
                return
        if socket.ending is not None and not pipe.closed:
            self._failed(tcp.take_error(socket), now)

    def deaf(self) -> None:
        """Take that the program reads no more."""
        self.socket.receive_shut = True

    def _failed(self, error: SmolctlError | None, now: int) -> None:
        """Tell the program that its connection is over; that comes before the end of its pipe."""
        if error is not None:
            self._hub.tell(wire.failed(self.number, error.to_dict()))
        self.close(now)

    # --- from the program -------------------------------------------------------------------------

    def wants(self, limit: int) -> int:
        """Return how many bytes the stack has room for.

        It is a byte at least where nothing can be sent any more, so that the program hears of that.
        """
        return self._tcp.room(self.socket, limit)

    def take(self, data: bytes, now: int) -> None:
        """Send bytes of the program's."""
        try:
            taken = self._tcp.send(self.socket, data, now)
        except SmolctlError as error:
            self._failed(error, now)
            return
        if taken != len(data):
            raise AssertionError("the stack has no room for what it wanted")

    def ended(self, now: int) -> None:
        """Send FIN behind all that the program has sent."""
        with suppress(NotConnected):  # it ended meanwhile, which the program is told
            self._tcp.shutdown(self.socket, now, send=True, receive=False)

    def hangup(self, now: int, *, unread: bool) -> None:
        """Close the connection: the program has closed its end, or has ended.

        As in Linux, the peer gets RST if the program has not read all that came (RFC 2525 2.17).
        """
        if unread:
            self._tcp.abort(self.socket, now)
        self.close(now)

    def fail(self, error: SmolctlError, now: int) -> None:
        """Reset the connection: the daemon cannot serve it."""
        self._hub.tell(wire.failed(self.number, error.to_dict()))
        self._tcp.abort(self.socket, now)
        self.close(now)

    # --- the end ----------------------------------------------------------------------------------

    def close(self, now: int) -> None:
        """Close pipe and socket."""
        self.pipe.close()
        self._hub.leave(self)
        self._tcp.close(self.socket, now)

    def told(self) -> dict[str, Any]:
        """Return what the program is told of its names."""
        socket, names = self.socket, self.names
        fields: dict[str, Any] = {
            "addr": format_address(names.outward(socket.local)), "port": socket.port,
        }  # fmt: skip
        zone = names.zone(socket.local, self._dev)
        if zone:
            fields["zone"] = zone
        if socket.peer is not None:
            fields["peer"] = format_address(names.outward(socket.peer))
            fields["peer_port"] = socket.peer_port
            zone = names.zone(socket.peer, self._dev)
            if zone:
                fields["peer_zone"] = zone
        return fields

    @property
    def _dev(self) -> str | None:
        out = self.socket.out
        return self.socket.dev or (None if out is None else out.name)


class ListenEnd:
    """A socket of a program that listens.

    The connections that wait are told to the program some at a time. Each of them counts in the
    backlog until the program says that it has taken it.

    Args:
        hub: the program's channel.
        stack: the stack.
        end: the socket as it was, whose pipe is closed from now on.
    """

    def __init__(self, hub: Hub, stack: Stack, end: StreamEnd) -> None:
        self.socket, self.names = end.socket, end.names
        self.channel: Channel
        self._hub, self._stack, self._end = hub, stack, end
        self._told: deque[StreamEnd] = deque()
        self._unsent: tuple[bytes, Passed] | None = None
        self.socket.handler = self.serve

    def serve(self, now: int) -> None:
        """Tell the program of connections that wait."""
        backlog = self.socket.backlog
        if backlog is None:
            self._killed(now)
            return
        while len(self._told) < min(_WINDOW, len(backlog.queue)) or self._unsent is not None:
            if self._unsent is None:
                self._unsent = self._next(backlog.queue[len(self._told)])
            message, outside = self._unsent
            if not self.channel.send(message, (outside,)):
                return
            self._unsent = None

    def _killed(self, now: int) -> None:
        """Tell the program that its socket was closed by hand."""
        error = self._stack.tcp.take_error(self.socket)
        if error is not None:
            self._hub.tell(wire.failed(self._end.number, error.to_dict()))
        self.channel.shut()
        self.hangup(now)

    def _next(self, child: TcpSocket) -> tuple[bytes, Passed]:
        """Return the message of a connection, and the end of its pipe that is for the program."""
        end = StreamEnd(self._hub, self._stack, child)
        end.taken = False
        try:
            end.pipe, outside = self.channel.open_pipe(end)
        except BaseException:
            self._hub.leave(end)
            child.handler = None
            raise
        self._told.append(end)
        return wire.accepted({"socket": end.number, **end.told()}), outside

    def take(self, messages: Sequence[bytes], now: int) -> int:
        """Take that the program has taken connections, one for each byte."""
        taken = sum(map(len, messages))
        for _ in range(min(taken, len(self._told))):
            self._stack.tcp.accept(self.socket)
            self._told.popleft().begin(now)
        self.serve(now)
        return taken

    def room(self, now: int) -> None:
        """Tell the program of more."""
        self.serve(now)

    def hangup(self, now: int) -> None:
        """Close the socket, and reset the connections that the program has not taken."""
        self._give_up()
        self._hub.leave(self._end)
        self._stack.tcp.close(self.socket, now)

    def fail(self, error: SmolctlError, now: int) -> None:
        """Tell the program that the daemon cannot serve the socket; ``hangup`` follows."""
        self._hub.tell(wire.failed(self._end.number, error.to_dict()))

    def _give_up(self) -> None:
        if self._unsent is not None:
            self._unsent[1].close()
            self._unsent = None
        for end in self._told:
            end.pipe.close()
            self._hub.leave(end)
        self._told.clear()
