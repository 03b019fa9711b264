"""TCP sockets, and the connections that they are."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Any, NamedTuple, Protocol

from smolctl.stack.alarm import NEVER
from smolctl.stack.interface import Interface
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.packet import DeliveryError
from smolctl.stack.reason import Reason
from smolctl.stack.transport.socket_base import SocketBase
from smolctl.stack.transport.tcp.congestion import Controller, Cubic, Window
from smolctl.stack.transport.tcp.loss import LossState
from smolctl.stack.transport.tcp.receive import ReceiveSide
from smolctl.stack.transport.tcp.rtt import RttEstimator
from smolctl.stack.transport.tcp.send import Buffer, SendSide
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.states import MAY_RECEIVE, State
from smolctl.stack.transport.tcp.timers import TimerKind
from smolctl.wire.address import IPV6, IPV6_MARK
from smolctl.wire.offload.tcp_run import Numbers

NO_ENDS = Ends(0, 0, 0, 0)
Counted = tuple[bool, int | None]
"""The way in which a connection shares its port: by SO_REUSEADDR, and with sockets of which user by
SO_REUSEPORT, None for nobody's."""
ALONE: Counted = (False, None)
ANY_USER = -1
"""Of a connection in TIME-WAIT, which has no program (Linux inet_bind_conflict)."""
NO_ERRORS: deque[DeliveryError] = deque(maxlen=0)
"""The queue of all connections: ``on_error`` takes what comes."""
_SECOND_NS = 1_000_000_000
_NO_CONTROLLER, _NO_RTT = Cubic(), RttEstimator(_SECOND_NS, 0, _SECOND_NS)
"""Those of a socket that is no connection yet: ``opening.begin`` gives it its own."""


class Opened(Flag):
    """The way a connection began, beside an ordinary handshake."""

    NONE = 0
    BOTH_SIDES = auto()
    """Both ends sent SYN at once (RFC 9293 3.5)."""
    REUSED = auto()
    """Its ends were in TIME-WAIT (RFC 6191)."""
    HALF_OPEN = auto()
    """The peer still had an old connection between these ends, which was reset."""


class Ending(NamedTuple):
    """The end of a connection that failed, and what its program is told."""

    reason: Reason
    detail: Mapping[str, object]
    errno_name: str


class Flow(Protocol):
    """The way of a connection that the fast path remembers.

    Attributes:
        generation: the number of the configuration that it is true for.
        largest: payload that leaves in one piece, bytes. mtu: of a packet.
        out: the interface by which it leads.
    """

    generation: int
    largest: int
    mtu: int
    out: Interface

    def send(
        self, numbers: tuple[int, int, int, int], options: bytes, tos: int, room: int,
        buffers: tuple[Buffer, ...],
    ) -> int:  # fmt: skip
        """Send a segment; return how many it is cut into, 0 for nothing done.

        Args:
            numbers: sequence number, acknowledgment, flags and window.
            room: bytes of options and payload in each of these.
        """

    def send_timed(
        self, numbers: Numbers, tos: int, room: int, size: int, buffers: tuple[Buffer, ...]
    ) -> int:  # fmt: skip
        """Do the same with a segment of ``size`` bytes whose only option is a timestamp."""

    def confirm(self, now: int) -> None:
        """Take note that the connection makes progress."""


@dataclass(slots=True, eq=False)
class TcpStats:
    """The counts of one connection (Linux tcp_info).

    Attributes:
        bytes_sent: payload, retransmissions included; bytes_acked, bytes_received: of the stream.
        bytes_retrans: payload that was sent again; retrans: segments that were.
        segs_in, segs_out: segments; data_segs_in, data_segs_out: those with payload.
        syns_again: SYNs that were sent again; they count as ``retrans``, too.
        ooo_in: segments that came beyond a gap.
        dsacks: duplicates that the peer reported.
        timeouts, probes, spurious: retransmission timeouts, tail loss probes, and reductions that
            were taken back.
        marks: segments that came with a congestion mark.
    """

    bytes_sent: int = 0
    bytes_acked: int = 0
    bytes_received: int = 0
    bytes_retrans: int = 0
    retrans: int = 0
    syns_again: int = 0
    segs_in: int = 0
    segs_out: int = 0
    data_segs_in: int = 0
    data_segs_out: int = 0
    ooo_in: int = 0
    dsacks: int = 0
    timeouts: int = 0
    probes: int = 0
    spurious: int = 0
    marks: int = 0


@dataclass(slots=True, eq=False)
class Backlog:
    """The connections of a listening socket that its program has not accepted.

    Attributes:
        limit: how many more may wait than one (Linux sk_max_ack_backlog).
        queue: those that wait, oldest first.
        requests: handshakes in progress.
        cookie_until_ns: until when a SYN cookie may come back.
        overflows: connections that found no room.
    """

    limit: int
    queue: "deque[TcpSocket]" = field(default_factory=deque)
    requests: int = 0
    cookie_until_ns: int = 0
    overflows: int = 0

    @property
    def full(self) -> bool:
        """Whether no further connection has room (Linux sk_acceptq_is_full)."""
        return len(self.queue) > self.limit


@dataclass(slots=True, eq=False, repr=False, kw_only=True)
class TcpSocket(SocketBase):
    """One socket: closed, listening, or a connection.

    A program sets the options among the attributes; the stack reads them when they matter.

    Attributes:
        rcvbuf, sndbuf: bounds in bytes of what is received and not read, and of what is written and
            not acknowledged; each grows by itself until it is ``locked`` (SO_RCVBUF, SO_SNDBUF).
        nodelay: small segments leave at once (TCP_NODELAY); cork: none leaves (TCP_CORK).
        keepalive: a silent peer is probed (SO_KEEPALIVE), after ``keepidle_ns``, every
            ``keepintvl_ns``, ``keepcnt`` times; None for what the sysctls say.
        user_timeout_ns: how long data may stay unacknowledged (TCP_USER_TIMEOUT), 0 for no limit of
            its own.
        linger_ns: how long ``close`` waits for data to be acknowledged (SO_LINGER); 0 resets the
            connection, None leaves it to the stack.
        tos, ttl: of its packets; ttl None for the stack's default.
        mss_max: the largest segment that is told and sent (TCP_MAXSEG), None for no limit.
        syn_retries: timeouts after which an attempt is given up (TCP_SYNCNT), 0 for what the
            sysctls say.
        fin_timeout_ns: how long a closed connection waits for the peer's FIN (TCP_LINGER2), None
            for what the sysctl says.
        notsent_lowat: the program is asked for more only while less than this was not sent yet
            (TCP_NOTSENT_LOWAT), 0 for no such bound.
        quickack: acknowledgments are not delayed (TCP_QUICKACK).
        oob_inline: urgent data is part of the stream (SO_OOBINLINE).
        control: name of its congestion control (TCP_CONGESTION), "" for the stack's.
        bound: its port is in the table of ports.
        counted: as a connection, how it was counted at its port.
        on_error: takes an ICMP error about what it sent.
        state: see ``State``.
        ends: both ends of a connection.
        opened: how it began.
        syn_acks: answers to our SYN that came after the first.
        backlog: of a listening socket, else None.
        ending: why the connection failed, until the program was told.
        ended: the same, for good.
        soft: the last ICMP error that did not end it.
        receive_shut: the program reads no more; closed: it has closed the socket.
        snd, rcv: the two sides; window, controller: congestion control; loss: recovery; rtt.
        mss: payload in a full segment; advmss: what the peer was told; peer_mss: what it told.
        timestamps, sack, scaling, ecn: options of both ends. ect: what it sends may be marked: all
            of its SYNs asked for it (RFC 3168 6.1.1).
        ts_offset: see ``Secrets.timestamp_offset``.
        timer, timer_ns: what the retransmission timer is for, and when it goes off.
        ack_ns: when a delayed acknowledgment leaves; ack_now: one leaves at the end of this turn.
        quick: acknowledgments that are not delayed yet; pingpong: the program answers.
        keepalive_ns, close_ns: when the peer is probed; when a half-closed connection is given up.
        heard_ns: when a segment came last.
        retries: timeouts in a row; retry_since_ns: when the first of them was sent; probes: window
            or keep-alive probes in a row without an answer.
        window_probes: window probes since the peer's window was last open: each waits twice as long
            as the one before, though the peer answers.
        zero_since_ns: since when the peer's window is zero, 0 while it is not.
        ece: the peer is told of a congestion mark; cwr: it is told that the window was reduced.
        invalid_ns: when an unacceptable segment was answered last.
        waits_for: why data that is written has not left, since all was acknowledged.
        challenge_ns: when a segment was challenged last; challenged_syn: it was SYN.
        flow: its way, as the fast path remembers it; key: under which the fast path knows it for
            what comes in, b"" while it does not. handover: the same to a socket of this stack.
        out: the interface of its way, as it was in the configuration ``generation``.
        pmtu: the path MTU that ``mss`` comes from; probe_mtu: a smaller one that was tried because
            of a black hole, 0 for none.
        stats: counts.
    """

    rcvbuf: int
    sndbuf: int
    pmtudisc: Pmtudisc = Pmtudisc.WANT
    rcvbuf_locked: bool = False
    sndbuf_locked: bool = False
    nodelay: bool = False
    cork: bool = False
    keepalive: bool = False
    keepidle_ns: int | None = None
    keepintvl_ns: int | None = None
    keepcnt: int | None = None
    user_timeout_ns: int = 0
    linger_ns: int | None = None
    tos: int = 0
    ttl: int | None = None
    mss_max: int | None = None
    syn_retries: int = 0
    fin_timeout_ns: int | None = None
    notsent_lowat: int = 0
    quickack: bool = False
    oob_inline: bool = False
    control: str = ""
    bound: bool = False
    counted: Counted = ALONE
    on_error: "OnError | None" = None
    state: State = State.CLOSED
    ends: Ends = NO_ENDS
    opened: Opened = Opened.NONE
    syn_acks: int = 0
    backlog: Backlog | None = None
    ending: Ending | None = None
    ended: Ending | None = None
    soft: DeliveryError | None = None
    receive_shut: bool = False
    snd: SendSide = field(default_factory=SendSide)
    rcv: ReceiveSide = field(default_factory=ReceiveSide)
    window: Window = field(default_factory=Window)
    controller: Controller = _NO_CONTROLLER
    loss: LossState = field(default_factory=LossState)
    rtt: RttEstimator = _NO_RTT
    mss: int = 536
    advmss: int = 536
    peer_mss: int = 536
    timestamps: bool = False
    sack: bool = False
    scaling: bool = False
    ecn: bool = False
    ect: bool = False
    ts_offset: int = 0
    timer: TimerKind = TimerKind.NONE
    timer_ns: int = NEVER
    ack_ns: int = NEVER
    ack_now: bool = False
    quick: int = 0
    pingpong: bool = False
    keepalive_ns: int = NEVER
    close_ns: int = NEVER
    heap_ns: int = NEVER
    heard_ns: int = 0
    retries: int = 0
    retry_since_ns: int = 0
    probes: int = 0
    zero_since_ns: int = 0
    window_probes: int = 0
    ece: bool = False
    cwr: bool = False
    invalid_ns: int = -NEVER
    challenge_ns: int = -NEVER
    challenged_syn: bool = False
    waits_for: Reason | None = None
    pmtu: int = 0
    probe_mtu: int = 0
    small_probes: int = 0
    out: Interface | None = None
    flow: Flow | None = None
    key: bytes = b""
    handover: "Handover | None" = None
    generation: int = -1
    copied: int = 0
    copied_since_ns: int = 0
    stats: TcpStats = field(default_factory=TcpStats)

    # --- what a program asks ----------------------------------------------------------------------

    @property
    def readable(self) -> bool:
        """Whether ``receive``, or ``accept``, has something to return: data, the end, an error."""
        if self.backlog is not None:
            return bool(self.backlog.queue)
        return bool(self.rcv.ready) or self.ending is not None or self.at_end

    @property
    def at_end(self) -> bool:
        """Whether no more data will come, but what is there already."""
        if self.receive_shut:
            return True
        return self.state not in MAY_RECEIVE and self.state not in _BEFORE

    @property
    def writable(self) -> bool:
        """Whether ``send`` takes at least a byte, or raises."""
        if self.state in _BEFORE:
            return self.ending is not None
        return self.has_room or self.snd.fin or self.state not in _OPEN

    @property
    def has_room(self) -> bool:
        """Whether the send buffer has room for another byte (Linux sk_stream_is_writeable)."""
        return self.snd.held < self.sndbuf

    @property
    def connected(self) -> bool:
        """Whether the handshake is over, and the connection is not."""
        return self.state is not State.CLOSED and self.state not in _BEFORE

    # --- errors -----------------------------------------------------------------------------------

    def fail(self, error: DeliveryError) -> None:
        """Take an ICMP error for a packet that it sent, or that none could be sent."""
        if self.on_error is not None:
            self.on_error(self, error)

    # --- timers -----------------------------------------------------------------------------------

    def due_ns(self) -> int:
        """Return when its first timer goes off, ``NEVER`` while none runs."""
        return min(self.timer_ns, self.ack_ns, self.keepalive_ns, self.close_ns)

    # --- ports ------------------------------------------------------------------------------------

    @property
    def shared_with(self) -> int | None:
        """The user with whose sockets it shares its port by SO_REUSEPORT; None for nobody."""
        return self.uid if self.reuseport else None

    def precedence(self, dst: int) -> int:
        """Return how specific it is for a SYN to ``dst`` (Linux ``compute_score`` of TCP)."""
        return (self.dev is not None) + ((self.family is IPV6) == (dst >= IPV6_MARK))

    def accepts(self, src: int, sport: int, dst: int, dev: str) -> bool:
        """Tell whether a SYN is for this listening socket."""
        listening = self.state is State.LISTEN
        return listening and SocketBase.accepts(self, src, sport, dst, dev)


OnError = Callable[[TcpSocket, DeliveryError], None]
_BEFORE = frozenset({State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED})
_OPEN = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})


@dataclass(slots=True, eq=False)
class Handover:
    """The way from one socket to another of the same stack; see ``handover.py``.

    Attributes:
        generation: the configuration it is true for.
        other: the other end.
        out: the loopback, which counts what is handed over.
        queue: what comes back by the loopback.
        headers_len: bytes of the headers that are left out, of each segment.
    """

    generation: int
    other: TcpSocket
    out: Interface
    queue: deque[Any]
    headers_len: int
