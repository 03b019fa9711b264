"""The opening of a connection: what both ends agree on, and what it begins with."""

from smolctl.stack import reason
from smolctl.stack.alarm import NEVER
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.ip.way import Refusal, Way, WayType
from smolctl.stack.transport.tcp.congestion import controller, initial_window
from smolctl.stack.transport.tcp.rtt import RttEstimator
from smolctl.stack.transport.tcp.segment import find_way, route_key, sync_mss
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.wire.address import IPV4, IPV6, is_multicast
from smolctl.wire.ipv4 import Protocol

_QUICK = 16
"""Acknowledgments that are not delayed at the beginning (Linux TCP_MAX_QUICKACKS)."""


def meant_ends(net: Network, src: int | None, peer: int, dev: str | None) -> tuple[int | None, int]:
    """Return the addresses of a connection that is to be opened: the peer may be this host itself.

    To 0.0.0.0 it is from the address that it is to (Linux ``ip_route_connect``).
    """
    meant = net.meant(peer, src, dev)
    if src is None and meant != peer and net.family is IPV4:
        src = meant
    return src, meant


def way_to(
    net: Network, socket: TcpSocket, src: int | None, peer: int, port: int, dev: str | None
) -> Way | Refusal:
    """Return the way of a connection that a socket is to open, and from which address.

    Args:
        src, dev: what it insists on.
    """
    if net.family is IPV6 and is_multicast(peer):
        return Refusal(reason.TCP_PEER_BROADCAST, "", {"ip": peer})  # Linux tcp_v6_connect
    fib = net.fib
    # Ports matter to rules, and among several next hops.
    sport, dport = (0, 0) if fib.usual_rules and not fib.multipaths else (socket.port, port)
    tos, mark, uid = socket.tos & ~3, socket.mark, socket.uid
    key = RouteKey(peer, src, dev, OUTPUT, mark, Protocol.TCP, sport, dport, tos, uid)
    way = find_way(net, key)
    if net.family is IPV4 and isinstance(way, Way) and way.src is not None and src is None:
        # Again from the address that was chosen: rules may differ (Linux ip_route_connect).
        way = find_way(net, key._replace(src=way.src))
    return way if isinstance(way, Refusal) else no_peer(way) or way


def keep_way(net: Network, ends: Ends, how: SendOptions, way: Way) -> None:
    """Have the segments of a new connection of IPv6 take the way that was found without a source.

    Rules by source do not count until the configuration changes. Source: Linux ``tcp_v6_connect``,
    whose socket keeps its route (``ip6_dst_store``).
    """
    if net.family is IPV6 and not net.fib.usual_rules:
        key = route_key(net, ends, how)
        net.ways.recall(key, net.generation.number)  # what is of an older configuration goes
        net.ways.remember(key, way)


def no_peer(way: Way) -> Refusal | None:
    """Return why there is no connection by a way: its end is everybody, or ours has no address."""
    out = way.interface.name
    if way.src is None:
        return Refusal(reason.TX_NO_SOURCE, out, {"ip": way.dst, "_next_hop": way.next_hop})
    if way.type not in (WayType.UNICAST, WayType.LOCAL):
        return Refusal(reason.TCP_PEER_BROADCAST, out, {"ip": way.dst})
    return None


def first_window(rcvbuf: int, mss: int) -> int:
    """Return what a SYN allows: whole segments, in a field that is not scaled."""
    window = min(rcvbuf, 0xFFFF)
    return window // mss * mss or window


def prepare(table: TcpTable, socket: TcpSocket) -> None:
    """Give a connection the options and estimates that it begins with."""
    usual = table.defaults
    socket.timestamps, socket.sack, socket.scaling = usual.timestamps, usual.sack, usual.scaling
    socket.ts_offset = table.secrets.timestamp_offset(socket.ends)
    begin(table, socket)


def begin(table: TcpTable, socket: TcpSocket) -> None:
    """Give a connection its estimates, and its congestion control."""
    usual = table.defaults
    socket.rtt = RttEstimator(usual.rto_initial_ns, usual.rto_min_ns, usual.rto_max_ns)
    socket.controller = controller(socket.control or usual.control, hystart=usual.hystart)


def opened(table: TcpTable, socket: TcpSocket, now: int, *, retransmitted: bool) -> None:
    """Begin to send and receive: the handshake is over.

    Args:
        retransmitted: our SYN was sent more than once: the window begins with one segment (RFC 5681
            3.1), and the timeout anew (RFC 6298 5.7).
    """
    usual, window = table.defaults, socket.window
    sync_mss(table, socket)
    first = initial_window(usual.initial_cwnd, window.mss)
    window.cwnd = window.mss if retransmitted else first
    window.restart = first if usual.restarts else 0
    window.used_ns = now
    loss = socket.loss
    loss.high = loss.forward = loss.rack_end = loss.round_end = loss.ce_end = socket.snd.una
    loss.why = None
    if retransmitted:
        socket.rtt.forget(3 * usual.rto_initial_ns)
    socket.retries = 0
    socket.quick = max(min(_QUICK, socket.rcvbuf // (2 * socket.advmss)), 2)
    socket.copied_since_ns = socket.heard_ns = now
    if socket.keepalive:
        arm_keepalive(table, socket, now)
    socket.wake()


def arm_keepalive(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Have the peer probed after a silence, if the program wants it (RFC 9293 3.8.4)."""
    if not socket.keepalive:
        socket.keepalive_ns = NEVER
        return
    socket.keepalive_ns = now + keepalive_idle(table, socket)
    table.timers.set(socket)


def keepalive_idle(table: TcpTable, socket: TcpSocket) -> int:
    """Return after how long a silence the peer is probed, ns."""
    own = socket.keepidle_ns
    return own if own is not None else table.settings.ns("tcp.keepalive_time_ms")


def own_mss(net: Network, mtu: int, socket: TcpSocket) -> int:
    """Return what the peer is told to send at most: what the link takes (RFC 9293 3.7.1).

    RFC 6691 2: options are not subtracted.
    """
    mss = min(mtu - net.header_len - 20, 0xFFFF)
    return min(mss, socket.mss_max) if socket.mss_max is not None else mss
