"""The job behind a program's socket: a UDP socket whose datagrams come and go by a channel.

What the program asks is answered in events of the job; the socket lives as long as the channel,
so that what a program sent just before it ended is sent, as with a socket of the kernel's.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from smolctl.control import channel as wire
from smolctl.errors import (
    ControlError,
    InvalidArgument,
    NoBuffers,
    NotConnected,
    SendRejected,
    SmolctlError,
    StackError,
)
from smolctl.ops import socket_details, socket_group
from smolctl.ops.args import Args
from smolctl.ops.context import Context
from smolctl.ops.job import Channel, Job
from smolctl.ops.socket_names import Name, SocketNames
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
from smolctl.stack.transport.udp.socket import DATAGRAM_OVERHEAD, RawDatagram, UdpSocket
from smolctl.wire import udp
from smolctl.wire.address import (
    IPV4,
    IPV6,
    format_address,
    is_unspecified,
)

BATCH = 256
"""Most datagrams that a program gets in one message."""
MAX_KNOWN = 4096
"""Destinations that are remembered, and senders; all are forgotten when there are more."""
_HARD = frozenset({"ECONNREFUSED", "ENOPROTOOPT", "EPROTO", "EMSGSIZE"})
"""Errors that Linux tells a connected socket unasked (icmp_err_convert, fatal)."""
_MAX_ZONE = 0xFFFFFFFF
_HEAD_SIZE = wire.HEAD_SIZE
_head = itemgetter(slice(_HEAD_SIZE))
_sender_key = itemgetter(1, 2, 5)
"""Of a datagram: address and port of its sender, interface."""


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
    six = args.family is IPV6
    socket = ctx.stack.udp.open(args.required("owner"), IPV6 if six else IPV4)
    socket.pid, uid = args.integer("pid", 1, 1 << 31), args.integer("uid", 0, 1 << 32)
    socket.uid = ctx.stack.shared.uid if uid is None else uid
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
        self._names = SocketNames(stack.interfaces, socket)
        # What stands in a message, and the stack's name of it, in one configuration: destinations
        # that have no zone, and senders by address, port and interface.
        self._destinations: dict[bytes, Destination] = {}
        self._senders: dict[tuple[int, int, str], bytes] = {}
        self._generation = stack.generation.number

    def start(self, now: int) -> None:
        """Pass the program its end of the channel."""
        self._channel = self.exchange.open_channel(self)
        family = IPV6 if self._names.six else IPV4
        hops, multicast_hops = self._stack.networks[family].hops_sysctls
        self.emit(
            "opened",
            rcvbuf=self._socket.rcvbuf,
            ttl=self._stack.settings[hops],
            mtu_discover=int(self._socket.pmtudisc),
            multicast_ttl=self._stack.settings[multicast_hops],
            multicast_loop=int(self._socket.multicast_loop),
            multicast_all=int(self._socket.multicast_all),
            v6only=int(self._socket.v6only) if self._names.six else None,
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
            if not socket.queue and self._error is None:
                return

    def _next(self) -> bytes | None:
        """Return the next message for the program: first an error, then datagrams."""
        if self._error is not None:
            error, self._error = self._error, None
            return wire.failed(error)
        socket = self._socket
        if not socket.queue:
            return None
        if socket.detailed:
            return socket_details.message(self._stack, self._names, self._some())
        if self._stack.generation.number != self._generation:
            self._refresh()
        if len(socket.queue) == 1:
            datagram = socket.queue.popleft()
            socket.queue_bytes = 0
            key = datagram[1], datagram[2], datagram[5]
            return wire.lone(self._senders.get(key) or self._sender(*key), datagram[0])
        runs = [
            (self._senders.get(key) or self._sender(*key), [datagram[0] for datagram in run])
            for key, run in groupby(self._some(), _sender_key)
        ]
        return wire.received(runs)

    def _some(self) -> list[RawDatagram]:
        """Take from the socket's queue what one message may hold, at least one datagram."""
        socket, queue = self._socket, self._socket.queue
        if len(queue) <= BATCH and socket.queue_bytes <= wire.BATCH_BYTES:
            return socket.receive_all()
        result: list[RawDatagram] = []
        total = 0
        while queue and len(result) < BATCH:
            total += len(queue[0][0])
            if total > wire.BATCH_BYTES and result:
                break
            result.append(queue.popleft())
            socket.queue_bytes -= len(result[-1][0]) + DATAGRAM_OVERHEAD
        return result

    def _sender(self, src: int, sport: int, dev: str) -> bytes:
        """Return what stands in a message for a sender, and remember it."""
        if len(self._senders) >= MAX_KNOWN:
            self._senders.clear()
        name, zone = self._names.heard(src, dev)
        result = self._senders[src, sport, dev] = wire.sender(name, sport, zone)
        return result

    def _refresh(self) -> None:
        """Forget names of another configuration."""
        self._generation = self._stack.generation.number
        self._destinations.clear()
        self._senders.clear()

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

    def take(self, messages: Sequence[bytes], now: int) -> int:
        """Do what messages say; return how many datagrams they held, at least 1 each."""
        if self._stack.generation.number != self._generation:
            self._refresh()
        if len(messages) == 1:
            message = messages[0]
            to = self._destinations.get(message[:_HEAD_SIZE])
            if to is None:
                return self._take(message, now)
            socket, payload = self._socket, message[_HEAD_SIZE:]
            flow = socket.flows.get(to)
            if (
                flow is None
                or flow.generation != self._generation
                or not flow.send(socket, payload, now)
            ):
                self._send_all([payload], Name(to.dst, None), to.port, now)
            return 1
        count = 0
        for head, same in groupby(messages, _head):
            if self._stack.generation.number != self._generation:
                self._refresh()
            to = self._destinations.get(head)
            if to is None:
                count += sum([self._take(message, now) for message in same])
                continue
            payloads = [message[_HEAD_SIZE:] for message in same]
            count += len(payloads)
            sent = udp_send_many(self._generation, self._socket, payloads, to, now)
            if sent < len(payloads):
                self._send_all(payloads[sent:], Name(to.dst, None), to.port, now)
        return count

    def _take(self, message: bytes, now: int) -> int:
        """Do what a message says whose head is not known; return as ``take``."""
        said = wire.parse_sent(message)
        if isinstance(said, wire.Command):
            self._destinations.clear()
            self._command(said, now)
            return 1
        dst, port, payloads, number, zone, *source = said
        if number:
            self._ask(payloads[0], said, now)
            return 1
        if any(source):
            self._told(said, now)
            return 1
        try:
            plain = dst and not self._names.six
            name = Name(dst, None) if plain else self._names.to_send(dst, zone)
        except StackError as error:
            self._error = error.to_dict()
            self._deliver(now)
            return len(payloads)
        sent = 0
        if name.dev is None:
            to = Destination(name.address, port)
            sent = udp_send_many(self._stack.generation.number, self._socket, payloads, to, now)
            if len(self._destinations) >= MAX_KNOWN:
                self._destinations.clear()
            self._destinations[wire.head(dst, port, zone)] = to
        self._send_all(payloads[sent:], name, port, now)
        return len(payloads)

    def _send_all(self, payloads: Sequence[bytes], to: Name, port: int, now: int) -> None:
        """Send datagrams that left the program before; it hears of errors as of an ICMP error."""
        for payload in payloads:
            try:
                self._send(payload, to, port, now)
            except (SendRejected, NoBuffers) as error:
                self._error = error.to_dict()
        if self._error is not None:
            self._deliver(now)

    def _send(self, payload: bytes, to: Name, port: int, now: int) -> None:
        """Send a datagram; a zone is its own, whatever the socket is bound to."""
        udp, (dst, dev) = self._stack.udp, to
        if dev is None:
            udp.send(self._socket, payload, dst, port, now)
        else:
            item = OutgoingDatagram(payload, dst, port, None, dev=dev)
            udp.send_from(self._socket, item, now)

    def _told(self, said: wire.Sent, now: int) -> None:
        """Send a datagram from a source of its own."""
        try:
            self._send_from(said, now)
        except (StackError, SendRejected, NoBuffers) as error:
            self._error = error.to_dict()
            self._deliver(now)

    def _send_from(self, said: wire.Sent, now: int) -> Name:
        """Send a datagram by the interface, and from the source, that stand beside it."""
        dst, zone = self._names.to_send(said.dst, said.zone)
        src, dev = socket_details.source(self._stack, self._socket, said, dst)
        dev = dev or zone
        item = OutgoingDatagram(said.payloads[0], dst, said.port, src, dev=dev)
        self._stack.udp.send_from(self._socket, item, now)
        return Name(dst, dev)

    def _ask(self, payload: bytes, said: wire.Sent, now: int) -> None:
        """Send a datagram and answer whether it left, as a system call would."""
        try:
            if said.src or said.ifindex:
                name = self._send_from(said, now)
            else:
                name = self._names.to_send(said.dst, said.zone)
                self._send(payload, name, said.port, now)
        except SmolctlError as error:
            self._refuse(error, said.number)
        else:
            self._answer(said.number, room=self._room(*name))

    def _room(self, dst: int, dev: str | None) -> int:
        """Return how long a payload may be that needs not be asked about; -1 for none."""
        mtu = self._path_mtu(dst, dev)
        if mtu is None:
            return -1
        if not self._socket.pmtudisc.insists:
            return udp.MAX_PAYLOAD  # what does not fit is fragmented
        header_len = self._stack.networks.for_address(dst).header_len
        return min(mtu - header_len - udp.HEADER_LEN, udp.MAX_PAYLOAD)

    def _path_mtu(self, dst: int, dev: str | None) -> int | None:
        """Return the path MTU to an address, None where there is no way to it."""
        socket, net = self._socket, self._stack.networks.for_address(dst)
        source = blocked.source_of(net, socket, OutgoingDatagram(b"", dst, 0, None))
        way = route_output(net, RouteKey(dst, source, dev or socket.dev_to(dst)))
        return None if isinstance(way, Refusal) else min(way.mtu, net.max_packet_len)

    def _command(self, command: wire.Command, now: int) -> None:
        try:
            names, do = _COMMANDS.get(command.name, ("", None))
            if do is None:
                raise ControlError(f'a socket has no command "{command.name}"')
            said = do(self, Args(command.name, command.args, frozenset(names.split())))
        except SmolctlError as error:
            self._refuse(error, command.number)
        else:
            self._answer(command.number, **(said or {}))

    def _bind(self, args: Args) -> None:
        socket, port = self._socket, args.integer("port", 0, wire.MAX_PORT) or 0
        local, dev = None, None
        if "addr" in args:
            local, dev = self._names.to_bind(args.the_address("addr"), _zone(args))
        if local is not None and is_unspecified(local):
            local = ANY
        self._stack.udp.bind(socket, local, port, dev or socket.dev)

    def _connect(self, args: Args) -> dict[str, str]:
        stack, socket = self._stack, self._socket
        peer, dev = self._names.to_connect(args.the_address("addr"), _zone(args))
        port = args.integer("port", 0, wire.MAX_PORT) or 0
        if stack.networks.for_address(peer).is_broadcast(peer) and not socket.broadcast:
            raise Rejected(reason.TX_BROADCAST_DENIED, {"ip": peer, "port": port})
        stack.udp.connect(socket, peer, port, dev)
        return {"peer": format_address(self._names.outward(peer))}

    def _set(self, args: Args) -> None:
        socket = self._socket
        if "dev" in args:
            if socket.port:
                raise InvalidArgument("the socket is already bound: choose its device first")
            name = args.text("dev")  # socket(7): "" for any again
            socket.dev = self._stack.interface(name).name if name else None
        if "v6only" in args:
            self._names.v6only(args.integer("v6only", 0, 1) == 1)
        for name in ("broadcast", "reuse", "reuseport", "multicast_loop", "multicast_all"):
            if name in args:
                setattr(socket, name, args.integer(name, 0, 1) == 1)
        if "details" in args:
            socket.detailed = args.integer("details", 0, 1) == 1
        if "recverr" in args:
            self._all_errors = args.integer("recverr", 0, 1) == 1
        if "multicast_ttl" in args:
            ttl = args.integer("multicast_ttl", -1, 255)
            socket.multicast_ttl = None if ttl == -1 else ttl  # ip(7): -1 for the default
        if "mtu_discover" in args:
            socket.pmtudisc = Pmtudisc(args.integer("mtu_discover", 0, 3) or 0)
        if "mark" in args:
            socket.mark = (args.integer("mark", -1 << 31, 0xFFFFFFFF) or 0) & 0xFFFFFFFF
        if "tos" in args:
            socket.tos = max(args.integer("tos", -1, 255) or 0, 0)  # ipv6(7): -1 for the default
        if "ttl" in args:
            ttl = args.integer("ttl", -1, 255)
            if ttl == 0:
                raise InvalidArgument("a time to live of 0 goes nowhere")
            socket.ttl = None if ttl == -1 else ttl
        socket.rcvbuf = args.integer("rcvbuf", 256, 1_000_000_000) or socket.rcvbuf
        self._stack.generation.touch()  # the fast path knows flows of this socket

    def _index(self, args: Args) -> dict[str, int]:
        return {"index": self._stack.interface(args.required("dev")).index}

    def _mtu(self, args: Args) -> dict[str, int]:
        """Return the path MTU to the peer (ip(7), IP_MTU)."""
        peer = self._socket.peer
        mtu = None if peer is None else self._path_mtu(peer, None)
        if mtu is None:
            raise NotConnected("the socket has no path to a peer", hint="connect it first")
        return {"mtu": mtu}

    def _nudge(self, args: Args) -> None:
        """Send the program a message without content; there is room when it needs that."""
        if self._channel is not None and self._unsent is None:
            self._channel.send(wire.NUDGE)

    def _interface(self, args: Args) -> dict[str, int]:
        socket_group.send_by(self._stack, self._socket, args)
        dev = self._socket.multicast_dev
        return {"index": 0 if dev is None else self._stack.interface(dev).index}

    def _membership(self, args: Args) -> None:
        socket_group.change(self._stack, self._socket, args)

    def _answer(self, number: int, **fields: int | str) -> None:
        socket, names = self._socket, self._names
        local = format_address(names.outward(socket.local))
        zone = names.zone(socket.local, socket.dev) or None
        self.emit("answer", number=number, addr=local, port=socket.port, zone=zone, **fields)

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


def _zone(args: Args) -> int:
    """Return the number of the interface beside an address."""
    return args.integer("zone", 0, _MAX_ZONE) or 0


_COMMANDS: dict[str, tuple[str, Callable[[SocketJob, Args], Mapping[str, Any] | None]]] = {
    "bind": ("addr port zone family", SocketJob._bind),
    "connect": ("addr port zone family", SocketJob._connect),
    "set": (
        "broadcast details dev mark mtu_discover multicast_all multicast_loop multicast_ttl rcvbuf"
        " recverr reuse reuseport tos ttl v6only",
        SocketJob._set,
    ),
    "index": ("dev", SocketJob._index),
    "mtu": ("", SocketJob._mtu),
    "nudge": ("", SocketJob._nudge),
    "interface": (socket_group.INTERFACE, SocketJob._interface),
    "membership": (f"what group source {socket_group.INTERFACE}", SocketJob._membership),
}
"""Commands of a program to its socket: the arguments, and the function."""
