"""Timers that go off: retransmission, probes, delayed acknowledgments, and giving up."""

from smolctl.stack import reason
from smolctl.stack.alarm import NEVER, earliest
from smolctl.stack.reason import Reason
from smolctl.stack.trace.trace import Struck
from smolctl.stack.transport.tcp import rack, recovery
from smolctl.stack.transport.tcp.black_hole import suspect
from smolctl.stack.transport.tcp.ending import drop_request, drop_time_wait, end, fail
from smolctl.stack.transport.tcp.loss import Phase
from smolctl.stack.transport.tcp.opening import first_window, keepalive_idle
from smolctl.stack.transport.tcp.output import arm, output, retransmit, set_timer
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.reset import send_reset
from smolctl.stack.transport.tcp.segment import send_ack, syn_ack, transmit
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State, TcpEvent
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.stack.transport.tcp.timers import TimerKind

_OPENING = frozenset({State.SYN_SENT, State.SYN_RECEIVED})
_ORPHAN_RETRIES = 8
"""Timeouts after which a connection is given up that no program has (Linux tcp_orphan_retries)."""


def deadline(table: TcpTable) -> int | None:
    """Return when something is due, None while nothing is."""
    return earliest(
        (table.timers.deadline(), table.requests.deadline(), table.waiting.deadline())
    )  # fmt: skip


def expire(table: TcpTable, now: int) -> None:
    """Do what is due."""
    while (timed := table.timers.take(now)) is not None:
        if isinstance(timed, TcpSocket):
            _socket_timers(table, timed, now)
        elif isinstance(timed, Request):
            _request_timer(table, timed, now)
        table.timers.set(timed)
    while (request := table.requests.take(now)) is not None:
        _request_timer(table, request, now)
        table.timers.set(request)
    while (rest := table.waiting.oldest()) is not None and rest.until_ns <= now:
        drop_time_wait(table, rest)
    flush(table, now)


def flush(table: TcpTable, now: int) -> None:
    """Let the connections that have something to send do so, each once."""
    while table.pending:
        pending, table.pending = table.pending, {}
        for socket in pending:
            output(table, socket, now)


def _request_timer(table: TcpTable, request: Request, now: int) -> None:
    """Answer a SYN again, or give the handshake up (RFC 6298 5.5)."""
    settings = table.settings
    if request.times > settings["tcp.synack_retries"]:
        drop_request(table, request)
        table.recorder.count("tcp.handshakes_timed_out")
        return
    # Also while the backlog has no room: what acknowledges it takes the place that is free by then
    # (Linux syn_ack_recalc).
    syn_ack(table, request, first_window(request.listener.rcvbuf, request.advmss), now)
    wait = settings.ns("tcp.rto_initial_ms") << (request.times - 1)
    request.at_ns = now + min(wait, settings.ns("tcp.rto_max_ms"))


def _socket_timers(table: TcpTable, socket: TcpSocket, now: int) -> None:
    if socket.ack_ns <= now:
        send_ack(table, socket, now)
        table.recorder.count("tcp.delayed_acks")
    if socket.timer_ns <= now:
        kind, socket.timer, socket.timer_ns = socket.timer, TimerKind.NONE, NEVER
        match kind:
            case TimerKind.RETRANSMIT:
                _timeout(table, socket, now)
            case TimerKind.REORDER:
                _reordered(table, socket, now)
            case TimerKind.PROBE:
                _probe_tail(table, socket, now)
            case TimerKind.PERSIST:
                _persist(table, socket, now)
    if socket.keepalive_ns <= now:
        _keepalive(table, socket, now)
    if socket.close_ns <= now:
        socket.close_ns = NEVER
        if socket.state is State.FIN_WAIT_2:
            end(table, socket, TcpEvent.TIMEOUT)


# --- retransmission -------------------------------------------------------------------------------


def _timeout(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Send the first segment again that is not acknowledged (RFC 6298 5.4 to 5.6)."""
    snd = socket.snd
    if not snd.records:
        return
    if not socket.retries:
        socket.retry_since_ns = min(snd.records[0].sent_ns, now)
    if _given_up(table, socket, now):
        return
    ms, times = socket.rtt.backed_off(socket.retries) // 1_000_000, socket.retries + 1
    if socket.state in _OPENING:
        # No loss that is counted; the segment itself tells it all the same.
        ends = socket.ends
        values = {"peer": (ends.peer, ends.peer_port), "port": ends.port, "ms": ms, "times": times}
        detail = table.recorder.ledger.detail(reason.TCP_RTO, values)
        socket.loss.why = Struck(reason.TCP_RTO, detail)
        socket.retries += 1
        _again(table, socket, now)
        return
    socket.stats.timeouts += 1
    detail = table.note(reason.TCP_RTO, socket, now, ms=ms, times=times)
    suspect(table, socket, now)
    recovery.enter_loss(table, socket, now)
    socket.loss.why = Struck(reason.TCP_RTO, detail)
    # A peer that has shut its window and still answers is alive (Linux tcp_retransmit_timer).
    alive = not snd.wnd and now - socket.heard_ns < table.settings.ns("tcp.rto_max_ms")
    socket.retries = 1 if alive else socket.retries + 1
    _again(table, socket, now)


def _again(table: TcpTable, socket: TcpSocket, now: int) -> None:
    snd = socket.snd
    head = snd.head(socket.mss)
    if head is not None:
        retransmit(table, socket, head, now)
    if socket.ack_now:
        send_ack(table, socket, now)
    rto = socket.rtt.backed_off(socket.retries)
    set_timer(table, socket, TimerKind.RETRANSMIT, now + rto)


def _given_up(table: TcpTable, socket: TcpSocket, now: int) -> bool:
    """Give a connection up whose peer is silent for too long (RFC 9293 3.8.3, R2)."""
    settings, state = table.settings, socket.state
    limit = settings["tcp.retries2"]
    if state in _OPENING:
        limit = settings["tcp.syn_retries" if state is State.SYN_SENT else "tcp.synack_retries"]
        limit = socket.syn_retries or limit
    elif socket.closed:
        limit = min(limit, _ORPHAN_RETRIES)
    waited = now - socket.retry_since_ns
    if socket.user_timeout_ns and waited >= socket.user_timeout_ns:
        _fail_silent(table, socket, reason.TCP_USER_TIMEOUT, now)
        return True
    if socket.retries >= limit:
        _fail_silent(table, socket, reason.TCP_TIMED_OUT, now)
        return True
    return False


def _fail_silent(table: TcpTable, socket: TcpSocket, why: Reason, now: int) -> None:
    """End a connection whose peer does not answer; an ICMP error that came says more."""
    soft = socket.soft
    seconds = (now - socket.retry_since_ns) // 1_000_000_000
    detail = table.note(why, socket, now, seconds=seconds, times=socket.retries)
    if soft is not None:
        fail(table, socket, TcpEvent.TIMEOUT, soft.reason, soft.detail, soft.errno_name)
    else:
        fail(table, socket, TcpEvent.TIMEOUT, why, detail)


def _reordered(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Take what was waited for as lost (RFC 8985 6.3)."""
    before = socket.snd.lost
    wait = rack.detect(socket, now)
    if wait:
        set_timer(table, socket, TimerKind.REORDER, now + wait)
    if socket.snd.lost > before and socket.loss.phase in (Phase.OPEN, Phase.CWR):
        recovery.enter_recovery(table, socket, now)
        recovery.reduce_rate(socket, 0, advanced=False)
    output(table, socket, now)


def _probe_tail(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Send something that makes the peer tell what is missing at the end (RFC 8985 7.3)."""
    snd, loss = socket.snd, socket.loss
    if not snd.records:
        return
    if snd.sacked or loss.recovering:
        # The peer has told of a loss meanwhile: recovery, or at last the timeout, sees to it.
        at = max(snd.records[0].sent_ns + socket.rtt.rto_ns, now)
        set_timer(table, socket, TimerKind.RETRANSMIT, at)
        return
    before = snd.nxt
    loss.note = Struck(reason.TCP_TLP, table.note(reason.TCP_TLP, socket, now))
    if snd.unsent and snd.nxt < snd.una + snd.wnd:
        window = socket.window
        cwnd, window.cwnd = window.cwnd, max(window.cwnd, snd.pipe + socket.mss)
        output(table, socket, now)
        window.cwnd = cwnd
    if snd.nxt == before:
        last = snd.records[-1]
        if sum(map(len, last.buffers)) > socket.mss:
            excess = sum(map(len, last.buffers)) - socket.mss
            snd.cut(len(snd.records) - 1, excess)
            last = snd.records[-1]
        retransmit(table, socket, last, now)
        loss.tlp_again = True
    else:
        loss.tlp_again = False
    loss.tlp_end, socket.rtt.sampled = snd.nxt, False
    loss.note = None
    socket.stats.probes += 1
    set_timer(table, socket, TimerKind.RETRANSMIT, now + socket.rtt.rto_ns)


# --- windows and silence --------------------------------------------------------------------------


def _persist(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Send what the window allows, or ask for it (RFC 9293 3.8.6.1, MUST-36)."""
    snd = socket.snd
    if snd.records or not (snd.unsent or (snd.fin and not snd.fin_sent)):
        arm(table, socket, now)
        return
    if snd.una + snd.wnd > snd.nxt:
        output(table, socket, now, force=True)
        return
    if not socket.probes:
        socket.retry_since_ns = now
    # MUST-37: as long as the peer answers, for ever.
    limit = _ORPHAN_RETRIES if socket.closed else table.settings["tcp.retries2"]
    silent = socket.user_timeout_ns and now - socket.retry_since_ns >= socket.user_timeout_ns
    if socket.probes >= limit or (silent and socket.probes):
        socket.retries = socket.probes
        why = reason.TCP_USER_TIMEOUT if silent else reason.TCP_TIMED_OUT
        _fail_silent(table, socket, why, now)
        return
    transmit(table, socket, snd.una - 1, 0, (), now)
    socket.probes += 1
    table.recorder.count("tcp.window_probes_sent")
    socket.window_probes += 1
    wait = socket.rtt.backed_off(socket.window_probes)
    set_timer(table, socket, TimerKind.PERSIST, now + wait)


def _keepalive(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Ask a silent peer whether it is still there (RFC 9293 3.8.4)."""
    settings, snd = table.settings, socket.snd
    idle = keepalive_idle(table, socket)
    every = socket.keepintvl_ns
    every = settings.ns("tcp.keepalive_intvl_ms") if every is None else every
    if snd.records or snd.unsent:
        socket.keepalive_ns = now + idle  # the other timers look after it
        return
    silent = now - socket.heard_ns
    if silent < idle:
        socket.keepalive_ns = socket.heard_ns + idle
        return
    probes = socket.keepcnt if socket.keepcnt is not None else settings["tcp.keepalive_probes"]
    if socket.probes >= probes or (socket.user_timeout_ns and socket.probes
                                   and silent >= socket.user_timeout_ns):  # fmt: skip
        send_reset(table, socket, now)
        socket.retry_since_ns, socket.retries = socket.heard_ns, socket.probes
        _fail_silent(table, socket, reason.TCP_KEEPALIVE_FAILED, now)
        return
    transmit(table, socket, snd.una - 1, 0, (), now)
    socket.probes += 1
    table.recorder.count("tcp.keepalives_sent")
    socket.keepalive_ns = now + every
