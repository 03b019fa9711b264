"""Blocked sockets: a datagram that cannot leave yet stays in its socket, and all that follow it.

So it is with ``neigh.unres_qlen=0`` while the next hop's MAC is not known, and with
``ip.no_route=wait`` while there is no route, which is what smoltcp does for either.
"""

from smolctl.errors import NoBuffers
from smolctl.stack import reason
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.interface import Medium
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Refusal, Way, WayType
from smolctl.stack.neighbor.states import State
from smolctl.stack.packet import DeliveryError
from smolctl.stack.transport.send_queue import OutgoingDatagram, SendQueue
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.stack.transport.udp.table import UdpTable
from smolctl.wire.address import is_multicast
from smolctl.wire.ipv4 import Protocol


def source_of(net: Network, socket: UdpSocket, item: OutgoingDatagram) -> int | None:
    """Return the source address that a socket insists on, or ``item.src`` for it alone."""
    source = socket.source
    if item.src is not None:
        group = is_multicast(item.src) or net.is_broadcast(item.src)
        source = None if group else item.src
    if source is None and is_multicast(item.dst):
        return socket.multicast_src
    return source


def lacks_route(
    table: UdpTable, net: Network, socket: UdpSocket, item: OutgoingDatagram
) -> Refusal | None:
    """Return the refusal of a datagram that is to wait for a route instead."""
    dev = item.dev or socket.dev_to(item.dst)
    if not table.settings["ip.no_route"] or (dev is not None and dev not in table.interfaces):
        return None
    found = _way(net, socket, item)
    return found if isinstance(found, Refusal) and found.reason is reason.TX_NO_ROUTE else None


def _way(net: Network, socket: UdpSocket, item: OutgoingDatagram) -> Way | Refusal:
    hop = socket.options_to(item.dst).hop
    dev = item.dev or socket.dev_to(item.dst)
    key = RouteKey(
        item.dst if hop is None else hop, source_of(net, socket, item), dev, OUTPUT,
        socket.mark, Protocol.UDP, socket.port, item.dport, socket.tos, socket.uid,
    )  # fmt: skip
    return route_output(net, key)


def for_route(
    table: UdpTable, socket: UdpSocket, item: OutgoingDatagram, found: Refusal, now: int
) -> None:
    """Keep a datagram until there is a route for it, and all that its socket sends behind it."""
    _keep(table, socket, item, None, now)
    table.recorder.record(
        reason.UDP_WAITS_FOR_ROUTE, found.dev, now, item.trace, port=socket.port, **found.values
    )


def for_neighbor(
    table: UdpTable, net: Network, socket: UdpSocket, item: OutgoingDatagram, way: Way, now: int
) -> bool:
    """Keep a datagram until its next hop's MAC is known; False when nothing keeps it from leaving.

    The MAC is asked for, as often as the sysctls allow.
    """
    out, hop = way.interface, way.next_hop
    if way.type is not WayType.UNICAST or out.medium is not Medium.ETHERNET or not out.carrier:
        return False
    try:
        net.neighbors.settle(out, hop, now)
        entry, actions = net.neighbors[out.name].ask(hop, way.src or 0, now)
    except NoBuffers:
        return False  # Neighbors.output says so, and records it
    waits = entry.state is State.INCOMPLETE
    if waits:
        trace = item.followed
        trace.dev, trace.src, trace.gateway = out.name, way.src, way.gateway
        _keep(table, socket, item, (out.name, hop), now)
        net.neighbors.note_wait(out, entry, trace, now, port=socket.port)
    net.neighbors.perform(out, actions, now)
    return waits


def _keep(
    table: UdpTable,
    socket: UdpSocket,
    item: OutgoingDatagram,
    hop: tuple[str, int] | None,
    now: int,
) -> None:
    retry_ns = now + patience_ns(table, hop)
    table.shared.timers.alarm.set(retry_ns)
    socket.send_queue = SendQueue(retry_ns, hop)
    socket.send_queue.push(item, now)
    socket.flows.clear()  # the fast path would overtake it
    table.blocked[socket] = None


def patience_ns(table: UdpTable, hop: tuple[str, int] | None) -> int:
    """Return after how long a blocked socket is looked at again.

    Args:
        hop: the interface and address of the neighbor that it waits for; None for a route.
    """
    interface = None if hop is None else table.interfaces.get(hop[0])
    settings = table.settings if interface is None else interface.settings
    return settings.ns("neigh.retrans_time_ms")


def is_blocked(socket: UdpSocket) -> bool:
    """Tell whether something waits in a socket."""
    return socket.send_queue is not None


def line_up(socket: UdpSocket, queue: SendQueue, now: int) -> None:
    """Put what is left of an old queue behind the first one of the new."""
    for item in queue.items:
        if socket.send_queue is not None:
            socket.send_queue.push(item, now)


def is_full(socket: UdpSocket, item: OutgoingDatagram) -> bool:
    """Tell whether a blocked socket has no room for one more."""
    return socket.send_queue is not None and socket.send_queue.bytes + item.size > socket.sndbuf


def behind(table: UdpTable, socket: UdpSocket, item: OutgoingDatagram, now: int) -> None:
    """Keep a datagram whose socket is blocked by another one."""
    queue = socket.send_queue
    if queue is None:
        raise AssertionError("the socket is not blocked")
    first = queue.items[0]
    queue.push(item, now)
    table.recorder.record(
        reason.UDP_HEAD_OF_LINE, queue.dev, now, item.trace, port=socket.port, ip=first.dst,
        queued=len(queue.items) - 1, _no_route=queue.hop is None,
    )  # fmt: skip


def still_waits(table: UdpTable, socket: UdpSocket, queue: SendQueue) -> bool:
    """Tell whether nothing changed for the first datagram of a blocked socket."""
    first = queue.items[0]
    net = table.networks.for_address(first.dst)
    if queue.hop is None:
        return lacks_route(table, net, socket, first) is not None
    dev, ip = queue.hop
    if dev not in table.interfaces or table.interfaces[dev].settings["neigh.unres_qlen"]:
        return False
    entry = net.neighbors[dev].lookup(ip)
    if entry is None or entry.state is not State.INCOMPLETE or not entry.awaited:
        return False
    way = _way(net, socket, first)
    return isinstance(way, Way) and (way.interface.name, way.next_hop) == queue.hop


def look_again(table: UdpTable) -> None:
    """Have every blocked socket looked at by the next ``Stack.poll``."""
    table.shared.timers.alarm.set(0)
    for socket in table.blocked:
        if socket.send_queue is not None:
            socket.send_queue.retry_ns = 0


def unblock(table: UdpTable, socket: UdpSocket) -> SendQueue:
    """Take the queue out of a blocked socket; nobody is asked for on its behalf any more."""
    queue, socket.send_queue = socket.send_queue, None
    if queue is None:
        raise AssertionError("the socket is not blocked")
    del table.blocked[socket]
    if queue.hop is not None:
        dev, ip = queue.hop
        cache = table.networks.for_address(ip).neighbors.get(dev)
        others = (each.send_queue for each in table.blocked)
        wanted = any(other is not None and other.hop == queue.hop for other in others)
        if cache is not None and not wanted:
            cache.unawait(ip)
    return queue


def purge(table: UdpTable, socket: UdpSocket) -> None:
    """Drop what waits in a socket that is closed."""
    queue = unblock(table, socket)
    now = max(table.shared.events.now_ns, queue.last_ns)
    for item in queue.items:
        trace = item.followed
        dev = trace.dev or ""
        table.recorder.record(
            reason.UDP_SEND_PURGED, dev, now, trace, port=socket.port, ip=item.dst
        )


def tell_refused(socket: UdpSocket, item: OutgoingDatagram, now: int) -> None:
    """Tell a socket that a datagram which had waited in it was refused after all."""
    trace = item.followed
    why = trace.reason
    if why is None:
        raise AssertionError("a refusal has a reason")
    errno_name = why.errno_name or "EHOSTUNREACH"
    source = trace.src or socket.shown_local
    socket.fail(DeliveryError(errno_name, why, trace.detail, source, item.dst, item.dport, now))
