"""TCP (RFC 9293): sockets are opened, bound, connected, read and written, and closed.

No call waits. One that cannot do anything yet says so: ``send`` takes 0 bytes, ``receive`` and
``accept`` return None. The socket is put into the stack's queue of those that are ready
(``Stack.take_ready``) when that may have changed: ``readable``, ``writable``, or an error.
Afterwards ``Stack.deadline`` tells when ``Stack.poll`` is next due, as always.

    listener = tcp.open("echo")
    tcp.bind(listener, None, 7)
    tcp.listen(listener, 128)
    ...
    connection = tcp.accept(listener)          # None while there is none
    data = tcp.receive(connection, 4096, now)  # None: nothing yet; b"": the peer has closed
    taken = tcp.send(connection, data, now)    # how many bytes there was room for
    tcp.close(connection, now)
"""

from functools import partial
from typing import NoReturn

from smolctl.errors import (
    AddressInUse,
    AlreadyConnected,
    BrokenPipe,
    ConnectionInProgress,
    InvalidArgument,
    NotConnected,
)
from smolctl.stack.alarm import NEVER
from smolctl.stack.events import ChangeType
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Networks
from smolctl.stack.ip.output import default_ttl
from smolctl.stack.ip.route_output import unavailable
from smolctl.stack.ip.way import Refusal, Way
from smolctl.stack.packet import Packet, Sender
from smolctl.stack.reason import Rejected
from smolctl.stack.shared import Shared
from smolctl.stack.timers import Timers
from smolctl.stack.transport.local_address import check_local
from smolctl.stack.transport.socket_base import ANY
from smolctl.stack.transport.tcp import expire
from smolctl.stack.transport.tcp.ending import (
    abort,
    await_fin,
    drop_time_wait,
    end,
    move,
    release_port,
    stop_listening,
)
from smolctl.stack.transport.tcp.handover import hand_over, tell_window
from smolctl.stack.transport.tcp.handshake import new_backlog
from smolctl.stack.transport.tcp.icmp import icmp_error, sender_of
from smolctl.stack.transport.tcp.input import tcp_input
from smolctl.stack.transport.tcp.opening import (
    arm_keepalive,
    first_window,
    keep_way,
    meant_ends,
    own_mss,
    prepare,
    way_to,
)
from smolctl.stack.transport.tcp.output import (
    device_of,
    output,
    send_at_once,
    send_fin_at_once,
    send_syn,
    set_timer,
    whole_pieces,
)
from smolctl.stack.transport.tcp.receive import ReceiveSide
from smolctl.stack.transport.tcp.segment import send_ack, usable_mtu, wishes
from smolctl.stack.transport.tcp.send import Buffer, SendSide, Sent
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import NO_ERRORS, Opened, TcpSocket
from smolctl.stack.transport.tcp.states import MAY_SEND, State, TcpEvent
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.stack.transport.tcp.time_wait import TimeWait
from smolctl.stack.transport.tcp.timers import TimerKind
from smolctl.wire.address import IPV4, IPV6, Family, is_multicast, is_unspecified
from smolctl.wire.icmpv4 import Quote
from smolctl.wire.tcp import CWR, ECE, SYN

_MAY_END = MAY_SEND | {State.SYN_RECEIVED}
_ROOM_SHARE = 3
"""One of so many parts of the send buffer is free before a program is asked for more."""


class Tcp(TcpTable):
    """TCP of one stack."""

    def __init__(self, shared: Shared, networks: Networks) -> None:
        super().__init__(shared, networks)
        self.take_error_of = partial(icmp_error, self)

    def attach(self, timers: Timers) -> None:
        """Have time passed on."""
        timers.add(partial(expire.deadline, self), partial(expire.expire, self))

    def flush(self, now: int) -> None:
        """Send what this turn has brought about: acknowledgments, and what they let go."""
        if self.pending:
            expire.flush(self, now)

    def drained(self, interface: Interface) -> None:
        """Let those go on that waited until a device has taken what it was given."""
        for socket in list(self.throttled):
            if socket.out is None or device_of(socket.out) is interface:
                del self.throttled[socket]
                self.want_output(socket)

    # --- opening ----------------------------------------------------------------------------------

    def open(self, owner: str = "", family: Family = IPV4) -> TcpSocket:
        """Return a new socket, which is closed and bound to nothing.

        One of IPv6 speaks IPv4 as well, unless ip6.bindv6only or ``v6only`` is set before it is
        bound.
        """
        settings = self.settings
        return TcpSocket(
            rcvbuf=settings["tcp.rmem_default"],
            sndbuf=settings["tcp.wmem_default"],
            pmtudisc=self.networks[family].pmtudisc,
            owner=owner,
            uid=self.shared.uid,
            family=family,
            v6only=family is IPV6 and settings["ip6.bindv6only"] == 1,
            ready_queue=self.shared.ready,
            on_error=self.take_error_of,
            errors=NO_ERRORS,
        )

    def bind(
        self, socket: TcpSocket, local: int | None = ANY, port: int = 0, dev: str | None = None
    ) -> None:
        """Bind a socket; port 0 takes a free ephemeral one (RFC 6335 6).

        Args:
            local: an address of this stack, of any family; None for all.

        Raises:
            InvalidArgument: it is bound already, or a connection; ``local`` is an address of one
                link, and ``dev`` does not say which, or of a family that the socket does not speak.
            NoSuchDevice: no interface is named ``dev``.
            AddressNotAvailable: ``local`` is not ours, or no host's.
            AddressInUse: another socket, or a connection, has the port.
            NoBuffers: no ephemeral port is free.
        """
        if socket.bound or socket.state is not State.CLOSED or socket.closed:
            raise InvalidArgument("the socket is already bound")
        if dev is not None:
            self.interfaces.named(dev)
        local = ANY if local is None or is_unspecified(local) else local
        if local is not None:
            net = self.networks.for_address(local)
            check_local(net, socket, local, dev)
            group = is_multicast(local) or net.is_broadcast(local)
            if group or not (net.is_bindable(local) or net.binds_others):
                raise unavailable(net, local)
        old = socket.local, socket.port, socket.source, socket.dev
        socket.local, socket.source, socket.dev = local, local, dev
        try:
            socket.port = port or self._unused_port(socket)
            self.check_free(socket)
            self.check_no_listener(socket)
            self.add(socket)
        except BaseException:
            socket.local, socket.port, socket.source, socket.dev = old
            raise
        socket.bound = True

    def _unused_port(self, socket: TcpSocket) -> int:
        first, last = (self.settings[f"ip.local_port_{end}"] for end in ("first", "last"))
        ports = range(first, last + 1)
        return self.free_port(socket, ports, int(self.shared.random() * len(ports)))

    def listen(self, socket: TcpSocket, backlog: int = 4096) -> None:
        """Take connections; a socket that is not bound gets a free port.

        Args:
            backlog: how many connections may wait to be accepted, one more in fact as in Linux; at
                most ``tcp.somaxconn``. A socket that listens takes the new number.

        Raises:
            InvalidArgument: it is a connection.
            AddressInUse: another socket listens there.
            NoBuffers: no ephemeral port is free.
        """
        if socket.state not in (State.CLOSED, State.LISTEN) or socket.closed:
            raise InvalidArgument("a connection cannot listen")
        limit = min(max(backlog, 0), self.settings["tcp.somaxconn"])
        if socket.backlog is not None:
            socket.backlog.limit = limit
            return
        if not socket.bound:
            self.bind(socket, socket.local, 0, socket.dev)
        self.check_no_listener(socket)
        self.check(socket)
        self.version += 1
        socket.backlog = new_backlog(limit)
        socket.ending = socket.ended = None
        move(self, socket, TcpEvent.LISTEN)

    def accept(self, socket: TcpSocket) -> TcpSocket | None:
        """Return the oldest connection that waits, None while there is none.

        Raises:
            InvalidArgument: the socket does not listen.
        """
        if socket.backlog is None:
            raise InvalidArgument("the socket does not listen")
        return socket.backlog.queue.popleft() if socket.backlog.queue else None

    def connect(
        self, socket: TcpSocket, peer: int, port: int, now: int, zone: str | None = None
    ) -> None:
        """Begin to connect: SYN leaves. The socket is woken when it is ``connected``, or failed.

        Args:
            zone: the interface on which the peer is; the socket is bound to it.

        Raises:
            InvalidArgument: port 0, or an address that no peer can have.
            AlreadyConnected: it is a connection.
            ConnectionInProgress: it is connecting.
            Rejected: there is no way to the peer.
            NoBuffers: no ephemeral port is free.
        """
        if socket.state in (State.SYN_SENT, State.SYN_RECEIVED):
            raise ConnectionInProgress("the socket is connecting already")
        if socket.state is not State.CLOSED or socket.closed:
            raise AlreadyConnected("the socket is a connection, or listens")
        if port == 0:
            raise InvalidArgument("port 0 cannot be connected to")
        if zone is not None:
            self.interfaces.named(zone)
        net, dev = self.networks.for_address(peer), zone or socket.dev
        src, peer = meant_ends(net, socket.local, peer, dev)
        if is_multicast(peer) or is_unspecified(peer):
            raise InvalidArgument("no peer can have that address")
        if not socket.speaks(peer):
            raise InvalidArgument("the address is of a family that the socket does not speak")
        way = way_to(net, socket, src, peer, port, dev)
        if isinstance(way, Refusal):
            values = {**way.values, "dev": way.dev}
            raise Rejected(way.reason, self.recorder.ledger.detail(way.reason, values))
        local = src if src is not None else way.src
        if local is None:
            raise AssertionError("a way to connect by has a source address")
        number = socket.port if socket.bound else self.ephemeral(local, peer, port)
        ends = Ends(local, number, peer, port)
        known, opened = self.connections.get(ends), Opened.NONE
        if isinstance(known, TimeWait) and self._may_reuse(known, way):
            drop_time_wait(self, known)
            opened = Opened.REUSED
        elif known is not None:
            raise AddressInUse(
                f"port {number} has a connection to that peer already", hint="smolctl socket show"
            )
        if socket.bound:
            self.move(socket, local)
        socket.local = socket.source = local
        socket.dev = zone or socket.dev
        socket.port, socket.peer, socket.peer_port, socket.ends = number, peer, port, ends
        socket.opened, socket.syn_acks = opened, 0
        self.register(ends, socket)
        self._start(socket, way, now)

    def _may_reuse(self, known: TimeWait, way: Way) -> bool:
        """Tell whether timestamps tell a new connection from an old one (RFC 6191)."""
        mode = self.settings["tcp.tw_reuse"]
        return known.timestamps and (mode == 1 or (mode == 2 and way.interface.loopback))

    def _start(self, socket: TcpSocket, way: Way, now: int) -> None:
        """Send the first SYN."""
        ends, net = socket.ends, self.networks.for_address(way.dst)
        keep_way(net, ends, wishes(socket, ends, socket.dev, None), way)
        socket.ending = socket.ended = socket.soft = socket.flow = socket.handover = None
        prepare(self, socket)
        socket.advmss = own_mss(net, usable_mtu(net, way), socket)
        socket.snd = SendSide(self.secrets.initial(ends, now))
        socket.rcv = ReceiveSide(-1)
        socket.rcv.scale = self.defaults.own_scale if socket.scaling else 0
        socket.rcv.edge = socket.rcv.nxt + first_window(socket.rcvbuf, socket.advmss)
        socket.ecn = self.settings["tcp.ecn"] == 1
        socket.out, socket.pmtu = way.interface, usable_mtu(net, way)
        socket.retry_since_ns = now
        socket.retries = socket.probes = 0
        move(self, socket, TcpEvent.CONNECT)
        flags = SYN | (ECE | CWR if socket.ecn else 0)
        snd = socket.snd
        snd.push(Sent(snd.iss, snd.iss + 1, (), flags, now))
        if not way.interface.loopback:
            ttl = socket.ttl if socket.ttl is not None else default_ttl(net, way)
            self.recall_way(socket, way, wishes(socket, ends, socket.dev, ttl))
        send_syn(self, socket, now)

    # --- data -------------------------------------------------------------------------------------

    def send(self, socket: TcpSocket, data: Buffer, now: int, *, urgent: bool = False) -> int:
        """Queue bytes to be sent; return how many there was room for, 0 for none at the moment.

        Args:
            data: may not change afterwards.
            urgent: the last byte is urgent (MSG_OOB).

        Raises:
            NotConnected: it never was a connection.
            Rejected: the connection has failed; the reason says why, once.
            BrokenPipe: it is closed, or this end of it is.
        """
        if socket.ending is not None:
            self._raise_ending(socket)
        size = len(data)
        if (
            0 < size <= socket.mss and socket.flow is not None and not urgent
            and send_at_once(self, socket, data, now)
        ):  # fmt: skip
            return size
        if socket.state in (State.SYN_SENT, State.SYN_RECEIVED) and not socket.snd.fin:
            pass  # it leaves when the connection is open
        elif socket.state not in MAY_SEND:
            if not socket.peer_port or socket.state is State.LISTEN:
                raise NotConnected("the socket is not connected")
            raise BrokenPipe("the connection is closed")
        given = 0
        if socket.handover is not None and data and not urgent:
            given = hand_over(self, socket, data, now)
            if given == len(data):
                return given
            data = memoryview(data)[given:]
        return given + self._queue(socket, data, now, urgent=urgent)

    def _queue(self, socket: TcpSocket, data: Buffer, now: int, *, urgent: bool) -> int:
        snd = socket.snd
        room = self._grow_sndbuf(socket) - snd.held
        if room <= 0 or not data:
            return 0
        taken = data if len(data) <= room else memoryview(data)[:room]
        snd.write(taken)
        if urgent and len(taken) == len(data):
            snd.urgent = snd.nxt + snd.unsent
        output(self, socket, now)
        return len(taken)

    def room(self, socket: TcpSocket, limit: int) -> int:
        """Return how many bytes to ``send`` now, of those who have ``limit`` or more.

        That is at least one byte when it would raise an error, and 0 where little could be taken
        but acknowledgments will make more room (Linux sk_stream_is_writeable).
        """
        if not socket.writable:
            return 0
        snd, size = socket.snd, socket.sndbuf
        room = size - snd.held
        if 0 < socket.notsent_lowat <= snd.unsent and snd.records:
            return 0
        if _ROOM_SHARE * room < size and socket.has_room and snd.records:
            return 0
        return whole_pieces(socket, max(min(room, limit), 1))

    def _grow_sndbuf(self, socket: TcpSocket) -> int:
        """Return the size of the send buffer, which holds two windows (Linux tcp_sndbuf_expand)."""
        wanted = 4 * socket.window.cwnd
        if wanted > socket.sndbuf and not socket.sndbuf_locked:
            socket.sndbuf = max(socket.sndbuf, min(wanted, self.settings["tcp.wmem_max"]))
        return socket.sndbuf

    def receive(
        self, socket: TcpSocket, size: int, now: int, *, peek: bool = False
    ) -> bytes | None:
        """Return up to ``size`` bytes; b"" at the end of the stream, None while there are none.

        Raises:
            NotConnected: it never was a connection.
            Rejected: the connection has failed; the reason says why, once. What came before is
                returned first.
        """
        if not self._has_data(socket):
            return None if not socket.at_end else b""
        if peek:
            return socket.rcv.peek(size)
        data = socket.rcv.read(size)
        if socket.state is not State.CLOSED:
            self._was_read(socket, len(data), now)
        return data

    def take(self, socket: TcpSocket, size: int, now: int) -> Buffer | None:
        """Do what ``receive`` does without a copy of large payloads, for who passes them on.

        Args:
            size: the most; less is returned, though more is there, that is not in one piece.

        Raises:
            NotConnected, Rejected: as ``receive``.
        """
        rcv = socket.rcv
        if (not rcv.ready or socket.receive_shut) and not self._has_data(socket):
            return None if not socket.at_end else b""
        data = rcv.take(size)
        if socket.state is not State.CLOSED:
            self._was_read(socket, len(data), now)
        return data

    def buffers(self, socket: TcpSocket, size: int) -> list[Buffer | bytearray] | None:
        """Return what ``receive`` would, but as it is kept, and leave it for ``consume``.

        Args:
            size: about so many bytes are wanted.

        Returns: none at the end of the stream, None while there is nothing.

        Raises:
            NotConnected, Rejected: as ``receive``.
        """
        if not self._has_data(socket):
            return [] if socket.at_end else None
        return socket.rcv.buffers(size)

    def consume(self, socket: TcpSocket, size: int, now: int) -> None:
        """Take off ``size`` bytes, which the program has got by ``buffers``."""
        socket.rcv.consume(size)
        if socket.state is not State.CLOSED:
            self._was_read(socket, size, now)

    def _has_data(self, socket: TcpSocket) -> bool:
        """Tell whether there is something to read, and raise what ended the connection if not."""
        if not socket.rcv.ready:
            self._raise_ending(socket)
            if socket.state is State.CLOSED and not socket.peer_port:
                raise NotConnected("the socket is not connected")
            if socket.state is State.LISTEN:
                raise NotConnected("the socket listens")
            return False
        return not socket.receive_shut

    def _was_read(self, socket: TcpSocket, size: int, now: int) -> None:
        """Grow the buffer of a quick reader, and tell the peer of a window that has opened."""
        rcv = socket.rcv
        socket.copied += size
        silent = now - socket.copied_since_ns
        if silent >= 1_000_000 and silent >= socket.rtt.srtt_ns:
            # Twice of what was read in a round trip (Linux tcp_rcv_space_adjust).
            if not socket.rcvbuf_locked and 2 * socket.copied > socket.rcvbuf:
                wanted = 2 * socket.copied + 16 * socket.advmss
                socket.rcvbuf = max(socket.rcvbuf, min(wanted, self.settings["tcp.rmem_max"]))
            socket.copied, socket.copied_since_ns = 0, now
        told = max(rcv.edge - rcv.nxt, 0)
        if socket.ack_now or 2 * told > socket.rcvbuf or 2 * told > rcv.limit:
            return  # what leaves at the end of this turn tells it, or there is nothing to tell
        opened = rcv.next_edge(socket.rcvbuf, rcv.mss) - rcv.nxt
        # RFC 9293 3.8.6.2.2; Linux tcp_cleanup_rbuf: when what may be told has doubled.
        if opened > told and opened >= 2 * told and not tell_window(self, socket):
            send_ack(self, socket, now)

    def _raise_ending(self, socket: TcpSocket) -> None:
        """Tell a program once that its connection has failed."""
        ending = socket.ending
        if ending is not None:
            socket.ending = None
            _fail(socket, ending.errno_name)

    def take_error(self, socket: TcpSocket) -> Rejected | None:
        """Return why the connection failed, once, without raising it (SO_ERROR)."""
        try:
            self._raise_ending(socket)
        except Rejected as error:
            return error
        return None

    # --- closing ----------------------------------------------------------------------------------

    def shutdown(self, socket: TcpSocket, now: int, *, send: bool, receive: bool) -> None:
        """Close one direction, or both: FIN follows what was written (RFC 9293 3.6).

        Raises:
            NotConnected: it is no connection.
        """
        if socket.state is State.LISTEN and receive:
            stop_listening(self, socket, now)
            return
        if not socket.connected and socket.state is not State.SYN_RECEIVED:
            raise NotConnected("the socket is not connected")
        if receive:
            socket.receive_shut = True
            socket.wake()
        if send:
            self._queue_fin(socket, now)

    def _queue_fin(self, socket: TcpSocket, now: int) -> None:
        if socket.state in _MAY_END and not socket.snd.fin:
            socket.snd.fin = True
            move(self, socket, TcpEvent.CLOSE)
            if not send_fin_at_once(self, socket, now):
                output(self, socket, now)

    def close(self, socket: TcpSocket, now: int) -> None:
        """Close a socket: what was written is still delivered, in the background.

        Data that was not read is lost, so the peer gets RST (RFC 9293 3.6.1; RFC 2525 2.17), and so
        it does when ``linger_ns`` is 0.
        """
        if socket.closed:
            return
        if socket.state is State.LISTEN:
            stop_listening(self, socket, now)
        socket.closed, socket.handler = True, None
        if socket.state is State.CLOSED:
            release_port(self, socket)
            socket.rcv.drop_all()
            self.tell(ChangeType.DELETED, socket)
            return
        self.orphans += 1
        unread = socket.rcv.ready > 0
        if socket.state is State.SYN_SENT:
            end(self, socket, TcpEvent.CLOSE)
        elif unread or socket.linger_ns == 0:
            abort(self, socket, now)
        else:
            self._queue_fin(socket, now)
            if socket.state is State.FIN_WAIT_2:
                await_fin(self, socket, now)

    def abort(self, socket: TcpSocket, now: int) -> None:
        """Reset a connection and close its socket: what was not acknowledged is lost."""
        if socket.closed:
            return
        if socket.state in (State.CLOSED, State.LISTEN):
            self.close(socket, now)
            return
        socket.closed, socket.handler = True, None
        self.orphans += 1
        abort(self, socket, now)

    def set_keepalive(self, socket: TcpSocket, now: int, *, on: bool) -> None:
        """Have a silent peer probed, or not (SO_KEEPALIVE)."""
        socket.keepalive = on
        if socket.connected:
            arm_keepalive(self, socket, now)

    def push(self, socket: TcpSocket, now: int) -> None:
        """Send what an option held back: after ``nodelay`` was set, or ``cork`` taken back."""
        if socket.state is not State.CLOSED:
            if socket.timer is TimerKind.PERSIST and socket.snd.wnd:
                set_timer(self, socket, TimerKind.NONE, NEVER)
            output(self, socket, now)

    # --- networks ---------------------------------------------------------------------------------

    def input(self, packet: Packet) -> None:
        """Take a segment that is for this stack."""
        tcp_input(self, packet)

    def sender_of(self, quote: Quote, dev: str) -> Sender | None:
        """Return the connection that sent a segment which an ICMP error quotes."""
        return sender_of(self, quote)


def _fail(socket: TcpSocket, errno_name: str) -> NoReturn:
    ended = socket.ended
    assert ended is not None, "a connection that failed has a reason"
    error = Rejected(ended.reason, ended.detail)
    error.errno_name = errno_name
    raise error
