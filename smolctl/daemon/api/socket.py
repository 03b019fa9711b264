"""``smolctl socket``: who is bound where."""

from collections.abc import Iterable

from smolctl.daemon.args import Args
from smolctl.daemon.context import Context, Row
from smolctl.stack.echo import EchoClient
from smolctl.stack.udp_socket import UdpSocket
from smolctl.wire import addr


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the UDP sockets by port, then those that wait for echo replies."""
    stack = ctx.stack
    udp = sorted(stack.udp, key=lambda s: (s.port, s.local))
    rows = [socket_row(socket) for socket in udp]
    return rows + [socket_row(client) for client in stack.echoes.values()]


def socket_row(socket: UdpSocket | EchoClient) -> Row:
    """Return the row of one socket."""
    if isinstance(socket, EchoClient):
        return {
            "netid": "icmp",
            "state": "ESTAB",
            "recv_q": len(socket.replies),
            "local": "0.0.0.0",
            "local_port": socket.ident,
            "peer": addr.IPV4.format(socket.dst),
            "owner": "ping",
        }
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
    if socket.pid is not None:
        row["pid"] = socket.pid
    return row
