"""``smolctl socket``: who is bound where."""

from collections.abc import Iterable, Iterator

from smolctl.ops.args import Args
from smolctl.ops.aside import aside
from smolctl.ops.context import Context, Row
from smolctl.stack.transport.ping import EchoClient
from smolctl.stack.transport.send_queue import SendQueue
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import family_of, format_address


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the UDP sockets by port, then those that wait for echo replies."""
    stack = ctx.stack

    def rows() -> Iterator[Row]:
        udp = sorted(stack.udp, key=lambda s: (s.port, s.local))
        yield from map(socket_row, udp)
        yield from map(socket_row, stack.ping.values())

    return aside(len(stack.udp) + len(stack.ping), lambda: list(rows()))


def socket_row(socket: UdpSocket | EchoClient) -> Row:
    """Return the row of one socket."""
    if isinstance(socket, EchoClient):
        return {
            "netid": "icmp",
            "state": "ESTAB",
            "recv_q": len(socket.replies),
            "local": format_address(family_of(socket.dst).mark),
            "local_port": socket.ident,
            "peer": format_address(socket.dst),
            "owner": "ping",
        }
    row: Row = {
        "netid": "udp",
        "state": "UNCONN" if socket.peer is None else "ESTAB",
        "recv_q": socket.queue_bytes,
        "rcvbuf": socket.rcvbuf,
        "local": format_address(socket.shown_local),
        "local_port": socket.port,
    }
    if socket.v6only and socket.local is None:
        row["v6only"] = True
    if socket.peer is not None:
        row["peer"] = format_address(socket.peer)
        row["peer_port"] = socket.peer_port
    if socket.dev is not None:
        row["dev"] = socket.dev
    if socket.send_queue is not None:
        row.update(_waiting(socket.send_queue))
    row["drops"] = socket.drops
    row["rx_datagrams"] = socket.rx_datagrams
    row["tx_datagrams"] = socket.tx_datagrams
    row["owner"] = socket.owner
    if socket.pid is not None:
        row["pid"] = socket.pid
    return row


def _waiting(queue: SendQueue) -> Row:
    """Return what waits in a blocked socket, and what its first datagram waits for."""
    first = queue.items[0]
    row: Row = {
        "send_q": queue.bytes,
        "waiting": len(queue.items),
        "waits_to": format_address(first.dst),
        "waits_port": first.dport,
    }
    if queue.hop is not None:
        row["next_hop"] = format_address(queue.hop[1])
    if first.followed.reason is not None:
        row["reason"] = first.followed.reason.name
    if first.followed.id:
        row["id"] = first.followed.id
    return row
