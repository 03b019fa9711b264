"""Rows of TCP sockets: connections, those that listen, handshakes, probes and TIME-WAIT.

The names are those of ``ss -tie``, and so are the units: times in ms, windows in segments where ss
has them in segments.
"""

from collections.abc import Iterator
from typing import Any

from smolctl.stack.alarm import NEVER
from smolctl.stack.transport.socket_base import SocketBase
from smolctl.stack.transport.tcp.congestion import INFINITE
from smolctl.stack.transport.tcp.loss import Phase
from smolctl.stack.transport.tcp.probe import Probe
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.segment import TIMESTAMP_LEN
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.stack.transport.tcp.table import Connection, TcpTable
from smolctl.stack.transport.tcp.time_wait import TimeWait
from smolctl.stack.transport.tcp.timers import TimerKind
from smolctl.wire.address import format_address

Row = dict[str, Any]
_WORDS = {State.CLOSED: "UNCONN", State.ESTABLISHED: "ESTAB"}
_HALVES = {Request: "SYN-RECV", Probe: "SYN-SENT", TimeWait: "TIME-WAIT"}
_TIMERS = {
    TimerKind.RETRANSMIT: "on",
    TimerKind.REORDER: "on",
    TimerKind.PROBE: "on",
    TimerKind.PERSIST: "persist",
}
"""Names of the timers, as in ss."""


def sockets(table: TcpTable) -> Iterator[Connection]:
    """Yield everything that ``socket show`` shows: sockets, handshakes, probes and TIME-WAIT."""
    yield from table.sockets()
    for each in list(table.connections.values()):
        if not isinstance(each, TcpSocket):
            yield each


def number(table: TcpTable) -> int:
    """Return about how many rows there are."""
    return len(table) + len(table.connections)


def tcp_row(one: Connection, now: int, *, info: bool = True) -> Row:
    """Return the row of one.

    Args:
        info: with all that is known of a connection.
    """
    if isinstance(one, TcpSocket):
        return _socket_row(one, now, info=info)
    ends = one.ends
    row: Row = {
        "netid": "tcp",
        "state": _HALVES[type(one)],
        "recv_q": 0,
        "send_q": 0,
        "local": format_address(ends.local),
        "local_port": ends.port,
        "peer": format_address(ends.peer),
        "peer_port": ends.peer_port,
    }
    if one.dev is not None:
        row["dev"] = one.dev
    if isinstance(one, Probe):
        return {**row, "owner": one.client.owner}
    row["owner"] = one.listener.owner if isinstance(one, Request) else ""
    if isinstance(one, TimeWait):
        row.update(timer="timewait", timer_ms=_left(one.until_ns, now))
    else:
        row.update(timer="on", timer_ms=_left(one.at_ns, now), backoff=max(one.times - 1, 0))
    return row


def _left(at_ns: int, now: int) -> int:
    return max(at_ns - now, 0) // 1_000_000


def _socket_row(socket: TcpSocket, now: int, *, info: bool) -> Row:
    backlog, snd = socket.backlog, socket.snd
    waiting = len(backlog.queue) if backlog is not None else socket.rcv.ready
    row: Row = {
        "netid": "tcp",
        "state": _WORDS.get(socket.state, socket.state.upper()),
        "recv_q": waiting,
        # As ss: of a socket that listens, how many may wait.
        "send_q": backlog.limit if backlog is not None else snd.unsent + snd.unacked,
        "rcvbuf": socket.rcvbuf,
        "local": format_address(socket.shown_local),
        "local_port": socket.port,
    }
    if socket.peer is not None:
        row["peer"] = format_address(socket.peer)
        row["peer_port"] = socket.peer_port
    elif socket.v6only:
        row["v6only"] = True
    if socket.reuseport:
        row["reuseport"] = True
    if socket.dev is not None:
        row["dev"] = socket.dev
    row["owner"] = "" if socket.closed else socket.owner
    if socket.pid is not None and not socket.closed:
        row["pid"], row["uid"] = socket.pid, socket.uid
    row.update(marked(socket))
    row.update(_timer(socket, now))
    if backlog is not None:
        row.update(backlog=backlog.limit, handshakes=backlog.requests, overflows=backlog.overflows)
    elif info and socket.state is not State.CLOSED:
        row.update(_info(socket, now))
    return row


def marked(socket: SocketBase) -> Row:
    """Return the mark of a socket's packets, if they have one."""
    return {"mark": socket.mark} if socket.mark else {}


def _timer(socket: TcpSocket, now: int) -> Row:
    """Return the timer that goes off next, as ss shows it."""
    if socket.timer_ns < NEVER and socket.timer is not TimerKind.NONE:
        kind = socket.timer
        tries = socket.probes if kind is TimerKind.PERSIST else socket.retries
        row = {"timer": _TIMERS[kind], "timer_ms": _left(socket.timer_ns, now), "backoff": tries}
        return {**row, "timer_for": kind.value}
    if socket.close_ns < NEVER:
        return {"timer": "timewait", "timer_ms": _left(socket.close_ns, now), "backoff": 0}
    if socket.keepalive_ns < NEVER:
        probes = {"backoff": socket.probes}
        return {"timer": "keepalive", "timer_ms": _left(socket.keepalive_ns, now), **probes}
    return {}


def _info(socket: TcpSocket, now: int) -> Row:
    """Return what ``ss -i`` shows of a connection (Linux tcp_info)."""
    snd, rcv, rtt, window = socket.snd, socket.rcv, socket.rtt, socket.window
    loss, stats = socket.loss, socket.stats
    segment = max(window.mss, 1)
    flags = {"ts": socket.timestamps, "sack": socket.sack, "ecn": socket.ecn}
    row: Row = {
        "options": [name for name, on in flags.items() if on],
        "cc": socket.controller.name,
        "ca_state": loss.phase.value,
        "rto": _ms(rtt.backed_off(socket.retries)),
        "mss": socket.mss,
        "pmtu": socket.pmtu,
        "rcvmss": rcv.mss,
        "advmss": shown_advmss(socket),
        "cwnd": window.cwnd // segment,
    }
    if socket.scaling:
        row["wscale"] = [snd.scale, rcv.scale]
    if rtt.srtt_ns:
        row.update(rtt=_ms(rtt.srtt_ns), rttvar=_ms(rtt.rttvar_ns), minrtt=_ms(rtt.min_ns))
    if socket.ack_ns < NEVER:
        row["ato"] = _left(socket.ack_ns, now)
    if window.ssthresh < INFINITE:
        row["ssthresh"] = window.ssthresh // segment
    row.update(snd_wnd=max(snd.wnd, 0), rcv_wnd=max(rcv.edge - rcv.nxt, 0), sndbuf=socket.sndbuf)
    for name in _COUNTS:
        value = getattr(stats, name)
        if value or name in _ALWAYS:
            row[name] = value
    in_flight = {
        "notsent": snd.unsent, "unacked": len(snd.records),
        "sacked": _segments(snd.sacked, segment),
        "lost": _segments(snd.lost, segment), "retrans_out": _segments(snd.again, segment),
        "delivery_rate": loss.rate * 8, "timeouts": stats.timeouts, "tlp_probes": stats.probes,
        "spurious": stats.spurious,
    }  # fmt: skip
    row.update({name: value for name, value in in_flight.items() if value})
    if loss.reordering != 3 or loss.phase is not Phase.OPEN:
        row["reordering"] = loss.reordering
    if socket.heard_ns:
        row["lastrcv"] = (now - socket.heard_ns) // 1_000_000
    if window.used_ns:
        row["lastsnd"] = (now - window.used_ns) // 1_000_000
    if socket.zero_since_ns:
        row["zero_window_ms"] = (now - socket.zero_since_ns) // 1_000_000
    return row


def shown_advmss(socket: TcpSocket) -> int:
    """Return the segment that the peer was told, without the option that all segments have.

    Source: Linux ``tcp_rcv_synsent_state_process``, which takes it off.
    """
    return socket.advmss - TIMESTAMP_LEN * socket.timestamps


_ALWAYS = frozenset({"bytes_sent", "bytes_acked", "bytes_received", "segs_out", "segs_in"})
_COUNTS = (
    "bytes_sent", "bytes_retrans", "bytes_acked", "bytes_received", "segs_out", "segs_in",
    "data_segs_out", "data_segs_in", "retrans", "ooo_in", "dsacks", "marks",
)  # fmt: skip


def _segments(size: int, segment: int) -> int:
    return -(-size // segment)


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)
