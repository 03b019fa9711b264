"""The job behind a program's socket: a UDP socket whose datagrams come and go by a channel.

What the program asks is answered in events of the job; the socket lives as long as the channel,
so that what a program sent just before it ended is sent, as with a socket of the kernel's.
"""

from typing import Any

from smolctl.control import channel as wire
from smolctl.errors import ControlError, InvalidArgument, NoBuffers, SendRejected, SmolctlError
from smolctl.ops import socket_group
from smolctl.ops.args import Args
from smolctl.ops.context import Context
from smolctl.ops.job import Channel, Job
from smolctl.stack import reason
from smolctl.stack.fastpath.udp import Destination, udp_send_many
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Refusal
from smolctl.stack.packet import DeliveryError
from smolctl.stack.reason import Rejected
from smolctl.stack.stack import Stack
from smolctl.stack.transport.send_queue import OutgoingDatagram
from smolctl.stack.transport.socket_base import ANY
from smolctl.stack.transport.udp import blocked
from smolctl.stack.transport.udp.socket import DATAGRAM_OVERHEAD, UdpSocket
from smolctl.wire import ipv4, udp
from smolctl.wire.address import format_address

BATCH = 256
"""Most datagrams that a program gets in one message."""
_HARD = frozenset({"ECONNREFUSED", "ENOPROTOOPT", "EPROTO", "EMSGSIZE"})
"""What Linux tells a connected socket that did not ask for all errors (icmp_err_convert, fatal)."""
_HEADERS = ipv4.MIN_HEADER_LEN + udp.HEADER_LEN


def open_(ctx: Context, args: Args) -> Job:
    """Open a socket for a program."""
    args.required("channel")
    version = args.integer("channel", 0, 1_000_000_000)
    if version != wire.VERSION:
        raise ControlError(
            f"the program speaks socket protocol {version}, the daemon {wire.VERSION}",
            hint="smolctl stack stop, then the program again: a daemon of its version starts",
            code="version-mismatch",
        )
    socket = ctx.stack.udp.open(args.required("owner"))
    socket.pid = args.integer("pid", 1, 1 << 31)
    return SocketJob(ctx.stack, socket)


class SocketJob(Job):
    """A program's socket.

    A program that does not read costs no more than the socket's receive queue and one message.
    """

    def __init__(self, stack: Stack, socket: UdpSocket) -> None:
        super().__init__()
        self._stack = stack
        self._socket = socket
        self._channel: Channel | None = None
        # What the channel had no room for, the error that is due (one, as Linux's sk_err).
        self._unsent: bytes | None = None
        self._error: dict[str, Any] | None = None
        self._all_errors = False

    def start(self, now: int) -> None:
        """Pass the program its end of the channel."""
        self._channel = self.exchange.open_channel(self)
        self.emit(
            "opened",
            rcvbuf=self._socket.rcvbuf,
            ttl=self._stack.settings["ip.default_ttl"],
            mtu_discover=int(self._socket.pmtudisc),
            multicast_ttl=self._stack.settings["ip.multicast_ttl"],
            multicast_loop=int(self._socket.multicast_loop),
            multicast_all=int(self._socket.multicast_all),
        )
        self._socket.handler = self._deliver

    # --- to the program ---------------------------------------------------------------------------

    def room(self, now: int) -> None:
        """Give the program what waits for it."""
        self._deliver(now)

    def _deliver(self, now: int) -> None:
        """Give the program what it has room for; the rest stays in the socket's queue."""
        socket, channel = self._socket, self._channel
        while socket.errors:
            self._icmp_error(socket.errors.popleft())
        if channel is None:
            return
        while True:
            message = self._unsent or self._next()
            if message is None:
                return
            self._unsent = None
            if not channel.send(message):
                self._unsent = message
                return

    def _next(self) -> bytes | None:
        """Return the next message for the program: first an error, then datagrams."""
        if self._error is not None:
            error, self._error = self._error, None
            return wire.failed(error)
        socket = self._socket
        queue, size = socket.queue, 0
        datagrams: list[tuple[bytes, int, int]] = []
        while queue and len(datagrams) < BATCH:
            size += len(queue[0][0])
            if datagrams and size > wire.BATCH_BYTES:
                break
            datagram = queue.popleft()
            datagrams.append((datagram[0], datagram[1], datagram[2]))
            socket.queue_bytes -= len(datagram[0]) + DATAGRAM_OVERHEAD
        return wire.received(datagrams) if datagrams else None

    def _icmp_error(self, error: DeliveryError) -> None:
        """Note an error for a datagram that had left, when the program wants to hear of it.

        Source: Linux ``__udp4_lib_err``: without IP_RECVERR only connected sockets are told, and
        only hard errors.
        """
        hard = error.errno_name in _HARD and self._socket.peer is not None
        if hard or self._all_errors:
            text = error.reason.why(error.detail)
            problem = SmolctlError(text, hint=error.reason.hint(error.detail))
            problem.code, problem.errno_name = error.reason.name, error.errno_name
            self._error = problem.to_dict()

    # --- from the program -------------------------------------------------------------------------

    def take(self, message: bytes, now: int) -> int:
        """Do what a message says; return how many datagrams it held, at least 1."""
        said = wire.parse_sent(message)
        if isinstance(said, wire.Command):
            self._command(said, now)
            return 1
        dst, port, payloads, number = said
        if number:
            self._ask(payloads[0], dst, port, number, now)
            return 1
        stack, socket = self._stack, self._socket
        to = Destination(dst, port)
        sent = udp_send_many(stack.generation.number, socket, payloads, to, now)
        for payload in payloads[sent:] if sent else payloads:
            try:
                stack.udp.send(socket, payload, dst, port, now)
            except (SendRejected, NoBuffers) as error:
                # It left before; the program hears of it as of an ICMP error.
                self._error = error.to_dict()
        if self._error is not None:
            self._deliver(now)
        return len(payloads)

    def _ask(self, payload: bytes, dst: int, port: int, number: int, now: int) -> None:
        """Send a datagram and answer whether it left, as a system call would."""
        try:
            self._stack.udp.send(self._socket, payload, dst, port, now)
        except SmolctlError as error:
            self._refuse(error, number)
        else:
            self._answer(number, room=self._room(dst))

    def _room(self, dst: int) -> int:
        """Return how long a payload may be that needs not be asked about; -1 for none."""
        socket = self._socket
        net = self._stack.networks.for_address(dst)
        source = blocked.source_of(net, socket, OutgoingDatagram(b"", dst, 0, None))
        way = route_output(net, RouteKey(dst, source, socket.dev_to(dst)))
        if isinstance(way, Refusal):
            return -1
        if not socket.pmtudisc.insists:
            return udp.MAX_PAYLOAD  # what does not fit is fragmented
        return min(way.mtu - _HEADERS, udp.MAX_PAYLOAD)

    def _command(self, command: wire.Command, now: int) -> None:
        try:
            names, do = _COMMANDS.get(command.name, ("", None))
            if do is None:
                raise ControlError(f'a socket has no command "{command.name}"')
            do(self, Args(command.name, command.args, frozenset(names.split())))
        except SmolctlError as error:
            self._refuse(error, command.number)
        else:
            self._answer(command.number)

    def _bind(self, args: Args) -> None:
        socket = self._socket
        local, port = args.address("addr") or ANY, args.integer("port", 0, wire.MAX_PORT) or 0
        self._stack.udp.bind(socket, local, port, socket.dev)

    def _connect(self, args: Args) -> None:
        stack, socket = self._stack, self._socket
        args.required("addr")
        peer = args.address("addr") or 0
        if stack.ipv4.is_broadcast(peer) and not socket.broadcast:
            raise Rejected(
                reason.TX_BROADCAST_DENIED,
                {"ip": peer, "port": args.integer("port", 0, wire.MAX_PORT)},
            )
        stack.udp.connect(socket, peer, args.integer("port", 0, wire.MAX_PORT) or 0)

    def _set(self, args: Args) -> None:
        socket = self._socket
        if "dev" in args:
            if socket.port:
                raise InvalidArgument("the socket is already bound: choose its device first")
            socket.dev = self._stack.interface(args.required("dev")).name
        for name in ("broadcast", "reuse", "multicast_loop", "multicast_all"):
            if name in args:
                setattr(socket, name, args.integer(name, 0, 1) == 1)
        if "recverr" in args:
            self._all_errors = args.integer("recverr", 0, 1) == 1
        if "multicast_ttl" in args:
            ttl = args.integer("multicast_ttl", -1, 255)
            socket.multicast_ttl = None if ttl == -1 else ttl  # ip(7): -1 for the default
        if "mtu_discover" in args:
            socket.pmtudisc = Pmtudisc(args.integer("mtu_discover", 0, 3) or 0)
        socket.ttl = args.integer("ttl", 1, 255) or socket.ttl
        socket.rcvbuf = args.integer("rcvbuf", 256, 1_000_000_000) or socket.rcvbuf
        self._stack.generation.touch()  # the fast path knows flows of this socket

    def _interface(self, args: Args) -> None:
        socket_group.send_by(self._stack, self._socket, args)

    def _membership(self, args: Args) -> None:
        socket_group.change(self._stack, self._socket, args)

    def _answer(self, number: int, **fields: int) -> None:
        socket = self._socket
        local = format_address(socket.local or 0)
        self.emit("answer", number=number, addr=local, port=socket.port, **fields)

    def _refuse(self, error: SmolctlError, number: int) -> None:
        self.emit("refused", number=number, **error.to_dict())

    # --- the end ----------------------------------------------------------------------------------

    def hangup(self, now: int) -> None:
        """Close the socket: the program has closed its end, or has ended."""
        self._channel = None
        self._close_socket()
        self.finish(now)

    def release(self, now: int) -> None:
        """Close the socket unless something may still come by the channel; ``hangup`` follows."""
        if self._channel is None:
            self._close_socket()

    def _close_socket(self) -> None:
        if not self._socket.closed:
            self._stack.udp.close(self._socket)


_COMMANDS = {
    "bind": ("addr port", SocketJob._bind),
    "connect": ("addr port", SocketJob._connect),
    "set": (
        "broadcast dev mtu_discover multicast_all multicast_loop multicast_ttl rcvbuf recverr reuse"
        " ttl",
        SocketJob._set,
    ),
    "interface": (socket_group.INTERFACE, SocketJob._interface),
    "membership": (f"what group source {socket_group.INTERFACE}", SocketJob._membership),
}
"""What a program may ask of its socket: the arguments, and who does it."""
