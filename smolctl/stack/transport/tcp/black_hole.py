"""Path MTU: what routers report, and what nobody reports (RFC 1191, RFC 4821)."""

from smolctl.stack import reason
from smolctl.stack.transport.tcp.loss import Phase
from smolctl.stack.transport.tcp.segment import set_mss, sync_mss
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.table import TcpTable

_RETRIES1 = 3
"""Timeouts after which the network layer is suspected (RFC 9293 3.8.3, R1; Linux tcp_retries1)."""
_HEADERS = 20


def suspect(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Try smaller segments when full ones time out again and again (RFC 4821 7.7).

    Routers that drop what is too big, or the messages about it, are told by nothing else. The size
    is halved, from a first one that gets nearly everywhere (Linux tcp_mtu_probing).
    """
    if socket.retries < _RETRIES1 or not table.settings["tcp.mtu_probing"]:
        return
    records = socket.snd.records
    if not records or sum(map(len, records[0].buffers)) < socket.mss:
        return  # a small segment does not get through either
    net = table.networks.for_address(socket.ends.peer)
    headers = net.header_len + _HEADERS
    base = table.settings["tcp.base_mss"] + headers
    smaller = base if not socket.probe_mtu or socket.probe_mtu > base else socket.probe_mtu // 2
    # RFC 8201 4: every link takes 1280 bytes of IPv6, so less helps nobody; Linux goes below.
    smaller = max(smaller, table.settings["tcp.mtu_probe_floor"] + headers, net.min_mtu)
    if smaller >= (socket.probe_mtu or socket.pmtu):
        return
    socket.probe_mtu = smaller
    set_mss(net.header_len, socket)
    table.note(reason.TCP_MTU_BLACK_HOLE, socket, now, mtu=smaller, size=socket.pmtu)


def too_big(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Send again, in smaller segments, what a router said was too big (RFC 1191 6.4).

    The network is not congested, so the window stays (Linux tcp_simple_retransmit).
    """
    before, snd, loss = socket.mss, socket.snd, socket.loss
    sync_mss(table, socket)
    if socket.mss >= before:
        return
    for record in snd.records:
        if sum(map(len, record.buffers)) > socket.mss and not record.sacked:
            snd.mark_lost(record)
    if snd.lost and loss.phase is not Phase.LOSS:
        loss.phase, loss.high, loss.undo, loss.frto = Phase.LOSS, snd.nxt, None, 0
        snd.dups, loss.why = 0, None
    table.want_output(socket)
