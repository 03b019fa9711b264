"""The way out, aside: a datagram that cannot leave yet stays in its socket and blocks it.

So it is with ``neigh.unres_qlen=0`` while the next hop's MAC is not known, and with
``ip.no_route=wait`` while there is no route, which is what smoltcp does for either. ``resend``
takes it on from there.
"""

from typing import TYPE_CHECKING

from smolctl.errors import NoBuffers
from smolctl.stack import reason
from smolctl.stack.explain import suggest
from smolctl.stack.fib.rule import Traits
from smolctl.stack.interface import Medium
from smolctl.stack.ip.route_output import Decision, Refusal, decide
from smolctl.stack.neighbor.output import note_wait, perform
from smolctl.stack.neighbor.states import State
from smolctl.stack.transport.errors import datagram_failed
from smolctl.stack.transport.send_queue import Held, SendQueue
from smolctl.wire import ipv4
from smolctl.wire.address import format_address, is_multicast
from smolctl.wire.ipv4_options import outgoing

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack
    from smolctl.stack.transport.udp.socket import UdpSocket


def source_of(stack: "Stack", socket: "UdpSocket", src: int | None, dst: int) -> int | None:
    """Return the source address that a socket insists on, or ``src`` for this datagram alone."""
    source = src if src is not None else socket.local or None
    if source is not None and (is_multicast(source) or stack.is_broadcast(source)):
        source = None  # bound to a group in order to hear it; it is no source (RFC 1122 3.2.1.3)
    if source is None and is_multicast(dst):
        return socket.multicast_src
    return source


def lacks_route(stack: "Stack", socket: "UdpSocket", item: Held, src: int | None) -> Refusal | None:
    """Return the refusal of a datagram that is to wait for a route instead."""
    if not stack.settings["ip.no_route"] or socket.dev_to(item.dst) not in (
        None, *stack.interfaces,
    ):  # fmt: skip
        return None
    found = _way(stack, socket, item, src)
    return found if isinstance(found, Refusal) and found.reason is reason.TX_NO_ROUTE else None


def _way(stack: "Stack", socket: "UdpSocket", item: Held, src: int | None) -> Decision | Refusal:
    traits = Traits(ipv4.Protocol.UDP, socket.port, item.dport, socket.tos)
    hop = outgoing(socket.options, item.dst).hop if socket.options else None
    return decide(stack, item.dst if hop is None else hop, src, socket.dev_to(item.dst), traits)


def for_route(stack: "Stack", socket: "UdpSocket", item: Held, found: Refusal, now: int) -> None:
    """Keep a datagram until there is a route for it, and all that its socket sends behind it."""
    _keep(stack, socket, item, None, now)
    stack.ledger.record(
        reason.UDP_WAITS_FOR_ROUTE, found.dev, now, item.trace, port=socket.port, **found.detail
    )


def for_neighbor(
    stack: "Stack", socket: "UdpSocket", item: Held, decision: Decision, now: int
) -> bool:
    """Keep a datagram until its next hop's MAC is known; False when nothing keeps it from leaving.

    The MAC is asked for, as often as the knobs allow.
    """
    out, hop = decision.interface, decision.next_hop
    if decision.type != "unicast" or out.medium is Medium.IP or not out.carrier:
        return False
    try:
        entry, actions = stack.neighbors[out.name].ask(hop, decision.src or 0, now)
    except NoBuffers:
        return False  # neighbor_output says so, and records it
    waits = entry.state is State.INCOMPLETE
    if waits:
        trace = item.trace
        trace.dev, trace.src, trace.gateway = out.name, decision.src, decision.gateway
        _keep(stack, socket, item, (out.name, hop), now)
        note_wait(stack, out, entry, now, trace, held_by=socket)
    perform(stack, out, actions, now)
    return waits


def _keep(
    stack: "Stack", socket: "UdpSocket", item: Held, hop: tuple[str, int] | None, now: int
) -> None:
    socket.held = SendQueue(now + stack.settings.ns("neigh.retrans_time_ms"), hop)
    socket.held.push(item, now)
    socket.flows.clear()  # the fast path would overtake it
    stack.blocked[socket] = None


def is_blocked(socket: "UdpSocket") -> bool:
    """Tell whether something waits in a socket."""
    return socket.held is not None


def line_up(socket: "UdpSocket", queue: SendQueue, now: int) -> None:
    """Put what is left of an old queue behind the first one of the new."""
    for item in queue.items:
        if socket.held is not None:
            socket.held.push(item, now)


def is_full(socket: "UdpSocket", item: Held) -> bool:
    """Tell whether a blocked socket has no room for one more."""
    return socket.held is not None and socket.held.bytes + item.size > socket.sndbuf


def behind(stack: "Stack", socket: "UdpSocket", item: Held, now: int) -> None:
    """Keep a datagram whose socket is blocked by another one."""
    queue = socket.held
    if queue is None:
        raise AssertionError("the socket is not blocked")
    first = queue.items[0]
    queue.push(item, now)
    stack.ledger.record(
        reason.UDP_HEAD_OF_LINE, queue.dev, now, item.trace,
        port=socket.port, ip=format_address(first.dst), queued=len(queue.items) - 1,
        **suggest.unblock(queue),
    )  # fmt: skip


def still_waits(stack: "Stack", socket: "UdpSocket", queue: SendQueue) -> bool:
    """Tell whether nothing changed for the first datagram of a blocked socket."""
    first = queue.items[0]
    source = source_of(stack, socket, first.src, first.dst)
    if queue.hop is None:
        return lacks_route(stack, socket, first, source) is not None
    dev, ip = queue.hop
    if stack.settings["neigh.unres_qlen"] or dev not in stack.interfaces:
        return False
    entry = stack.neighbors[dev].lookup(ip)
    if entry is None or entry.state is not State.INCOMPLETE or not entry.awaited:
        return False
    way = _way(stack, socket, first, source)
    return isinstance(way, Decision) and (way.interface.name, way.next_hop) == queue.hop


def look_again(stack: "Stack") -> None:
    """Have every blocked socket looked at by the next ``Stack.poll``."""
    for socket in stack.blocked:
        if socket.held is not None:
            socket.held.retry_ns = 0


def leave(stack: "Stack", socket: "UdpSocket") -> SendQueue:
    """Take the queue out of a blocked socket; nobody is asked for on its behalf any more."""
    queue, socket.held = socket.held, None
    if queue is None:
        raise AssertionError("the socket is not blocked")
    del stack.blocked[socket]
    cache = stack.neighbors.get(queue.hop[0]) if queue.hop else None
    if cache is not None and queue.hop is not None:
        others = (each.held for each in stack.blocked)
        if not any(other is not None and other.hop == queue.hop for other in others):
            cache.unawait(queue.hop[1])
    return queue


def purge(stack: "Stack", socket: "UdpSocket") -> None:
    """Drop what waits in a socket that is closed."""
    queue = leave(stack, socket)
    now = max(stack.events.now_ns, queue.last_ns)
    for item in queue.items:
        stack.ledger.record(
            reason.UDP_SEND_PURGED, item.trace.dev or "", now, item.trace, port=socket.port,
            ip=format_address(item.dst),
        )  # fmt: skip


def refused(stack: "Stack", socket: "UdpSocket", item: Held, now: int) -> None:
    """Tell a socket that a datagram which had waited in it was refused after all."""
    why = item.trace.reason
    if why is None:
        raise AssertionError("a refusal has a reason")
    errno_name = why.linux if why.linux.startswith("E") else "EHOSTUNREACH"
    datagram_failed(
        stack, socket, errno_name, why, item.trace.detail, item.trace.src or socket.local,
        item.dst, item.dport, now,
    )  # fmt: skip
