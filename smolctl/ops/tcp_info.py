"""The bytes of TCP_INFO: what the stack knows of a connection, as ``struct tcp_info`` has it.

Source: Linux include/uapi/linux/tcp.h, and ``tcp_get_info`` for what each field means. It ends
where that of Linux 6.16 does. What the stack does not measure is 0, such as how long a connection
was busy or limited.
"""

from struct import Struct

from smolctl.ops.socket_tcp import shown_advmss
from smolctl.stack.alarm import NEVER
from smolctl.stack.transport.tcp.congestion import INFINITE
from smolctl.stack.transport.tcp.loss import Phase
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State

_LAYOUT = Struct("=8B24I4Q6I4Q2I2Q6I2HI")
SIZE = _LAYOUT.size
"""248 bytes."""
_NUMBER = len(_LAYOUT.unpack(bytes(SIZE)))
_UNACKED, _REORDERING = 12, 28
"""Places of fields."""
_STATES = {
    state: number
    for number, state in enumerate(
        (
            State.ESTABLISHED, State.SYN_SENT, State.SYN_RECEIVED, State.FIN_WAIT_1,
            State.FIN_WAIT_2, State.TIME_WAIT, State.CLOSED, State.CLOSE_WAIT, State.LAST_ACK,
            State.LISTEN, State.CLOSING,
        ),
        1,
    )
}  # fmt: skip
"""Numbers of Linux net/tcp_states.h."""
_PHASES = {Phase.OPEN: 0, Phase.CWR: 2, Phase.RECOVERY: 3, Phase.LOSS: 4}
"""Numbers of ``enum tcp_ca_state``; disorder, which is 1, is no phase here."""
_TIMESTAMPS, _SACK, _SCALING, _ECN, _ECN_SEEN = 1, 2, 4, 8, 16
_NO_LIMIT, _U32 = (1 << 64) - 1, (1 << 32) - 1
_NO_THRESHOLD = 0x7FFFFFFF
"""TCP_INFINITE_SSTHRESH."""


def tcp_info(socket: TcpSocket, now: int) -> bytes:
    """Return ``SIZE`` bytes; of a socket that listens, little more than how many wait, and may."""
    backlog, window, rtt, stats = socket.backlog, socket.window, socket.rtt, socket.stats
    snd, rcv, loss = socket.snd, socket.rcv, socket.loss
    if backlog is not None:
        told = [0] * _NUMBER
        told[0], told[_UNACKED], told[_REORDERING] = _STATES[socket.state], len(backlog.queue), 3
        told[_UNACKED + 1] = backlog.limit
        return _LAYOUT.pack(*told)
    segment = max(window.mss, 1)
    sizes = (snd.unacked, snd.sacked, snd.lost, snd.again)
    sent, heard = _ago(window.used_ns, now), _ago(socket.heard_ns, now)
    threshold = window.ssthresh // segment if window.ssthresh < INFINITE else _NO_THRESHOLD
    return _LAYOUT.pack(
        _STATES[socket.state], _PHASES[loss.phase], min(socket.retries, 255),
        min(socket.probes, 255), min(socket.retries, 255), _options(socket),
        (snd.scale | rcv.scale << 4) if socket.scaling else 0, 0,
        _us(rtt.backed_off(socket.retries)),
        _us(max(socket.ack_ns - now, 0)) if socket.ack_ns < NEVER else 0,
        socket.mss, rcv.mss, *(-(-size // segment) for size in sizes), 0,
        sent, 0, heard, heard,
        socket.pmtu, min(rcv.limit, _U32), _us(rtt.srtt_ns), _us(rtt.rttvar_ns),
        threshold, window.cwnd // segment,
        shown_advmss(socket),
        loss.reordering, 0, 0, min(stats.retrans, _U32),
        _NO_LIMIT, _NO_LIMIT, stats.bytes_acked, stats.bytes_received,
        stats.segs_out & _U32, stats.segs_in & _U32,
        min(snd.unsent, _U32), _us(rtt.min_ns) or _U32, stats.data_segs_in & _U32,
        stats.data_segs_out & _U32,
        loss.rate, 0, 0, 0,
        -(-loss.delivered // segment) & _U32, stats.marks & _U32,
        stats.bytes_sent, stats.bytes_retrans,
        stats.dsacks & _U32, int(loss.reordered), stats.ooo_in & _U32,
        min(max(snd.wnd, 0), _U32), min(max(rcv.edge - rcv.nxt, 0), _U32), 0,
        stats.timeouts & 0xFFFF, 0, 0,
    )  # fmt: skip


def _options(socket: TcpSocket) -> int:
    return (
        _TIMESTAMPS * socket.timestamps
        | _SACK * socket.sack
        | _SCALING * socket.scaling
        | _ECN * socket.ecn
        | _ECN_SEEN * (socket.stats.marks > 0)
    )


def _ago(at_ns: int, now: int) -> int:
    """Return how long ago something was, ms; 0 for never."""
    return min(max(now - at_ns, 0) // 1_000_000, _U32) if at_ns else 0


def _us(nanoseconds: int) -> int:
    return min(nanoseconds // 1000, _U32)
