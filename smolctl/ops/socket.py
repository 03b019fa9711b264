"""``smolctl socket``: who is bound where, and connected with whom."""

from collections.abc import Iterable, Iterator
from functools import partial

from smolctl.errors import InvalidArgument, NotFound
from smolctl.ops import socket_tcp
from smolctl.ops.args import Args
from smolctl.ops.aside import aside
from smolctl.ops.context import Context, Row
from smolctl.stack.transport.ping import EchoClient
from smolctl.stack.transport.send_queue import SendQueue
from smolctl.stack.transport.tcp.kill import kill as tcp_kill
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import IPV6, family_of, format_address


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the UDP sockets by port, then TCP's, then those that wait for echo replies."""
    stack, now = ctx.stack, ctx.now
    wanted = args.choice("netid", ("tcp", "udp"))
    listening, family = args.flag("listening"), args.family

    def rows() -> Iterator[Row]:
        if wanted != "tcp":
            udp = sorted(stack.udp, key=lambda s: (s.port, s.shown_local))
            yield from map(socket_row, udp)
        if wanted != "udp":
            tcp = map(partial(socket_tcp.tcp_row, now=now), socket_tcp.sockets(stack.tcp))
            yield from sorted(tcp, key=_order)
        if wanted is None:
            yield from map(socket_row, stack.ping.values())

    def chosen() -> list[Row]:
        return [
            row
            for row in rows()
            if (not listening or row["state"] in ("LISTEN", "UNCONN"))
            and (family is None or (family is IPV6) == (":" in row["local"]))
        ]

    number = len(stack.udp) + socket_tcp.number(stack.tcp) + len(stack.ping)
    return aside(number, chosen)


def _order(row: Row) -> tuple[bool, int, str, int]:
    """Return the place of a TCP socket: those that listen first, then by ports."""
    return row["state"] != "LISTEN", row["local_port"], row.get("peer", ""), row.get("peer_port", 0)


def kill(ctx: Context, args: Args) -> Iterable[Row]:
    """Reset TCP connections, and close sockets that listen; their programs get ECONNABORTED."""
    tcp = ctx.stack.tcp
    local, peer = args.address("local"), args.address("peer")
    sport, dport = args.port("sport"), args.port("dport")
    pid = args.integer("pid", 1, 1 << 31)
    if (local, peer, sport, dport, pid) == (None,) * 5:
        raise InvalidArgument(
            "which connections? none is named", hint="smolctl socket kill peer 10.0.0.2:5000"
        )
    rows = []
    for socket in list(tcp.sockets()):
        if (
            (local is None or socket.local == local)
            and (peer is None or socket.peer == peer)
            and (sport is None or socket.port == sport)
            and (dport is None or socket.peer_port == dport)
            and (pid is None or socket.pid == pid)
        ):
            rows.append(socket_tcp.tcp_row(socket, ctx.now, info=False))
            tcp_kill(tcp, socket, ctx.now)
    if not rows:
        raise NotFound("no TCP socket is like that", hint="smolctl socket show -t")
    return rows


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
    if socket.reuseport:
        row["reuseport"] = True
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
        row["pid"], row["uid"] = socket.pid, socket.uid
    row.update(socket_tcp.marked(socket))
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
