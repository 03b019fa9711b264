"""``smolctl socket``: who is bound where."""

from collections.abc import Iterable

from smolctl.daemon.args import Args
from smolctl.daemon.context import Context, Row
from smolctl.stack.udp_socket import UdpSocket
from smolctl.wire import addr


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the UDP sockets by port, then those that wait for echo replies."""
    stack = ctx.stack
    rows = [_row(socket) for socket in sorted(stack.udp, key=lambda s: (s.port, s.local))]
    rows += [
        {
            "netid": "icmp",
            "state": "ESTAB",
            "recv_q": len(client.replies),
            "local": "0.0.0.0",
            "local_port": client.ident,
            "peer": addr.IPV4.format(client.dst),
            "owner": "ping",
        }
        for client in stack.echoes.values()
    ]
    return rows


def _row(socket: UdpSocket) -> Row:
    row: Row = {
        "netid": "udp",
        "state": "UNCONN" if socket.peer is None else "ESTAB",
        "recv_q": socket.queue_bytes,
        "rcvbuf": socket.rcvbuf,
        "local": addr.IPV4.format(socket.local),
        "local_port": socket.port,
    }
    if socket.peer is not None:
        row["peer"] = addr.IPV4.format(socket.peer)
        row["peer_port"] = socket.peer_port
    if socket.dev is not None:
        row["dev"] = socket.dev
    row["drops"] = socket.drops
    row["rx_datagrams"] = socket.rx_datagrams
    row["tx_datagrams"] = socket.tx_datagrams
    row["owner"] = socket.owner
    return row
