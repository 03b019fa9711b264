"""The way out, again: datagrams that waited in their socket are sent when nothing keeps them."""

from typing import TYPE_CHECKING

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack.transport.udp import blocked
from smolctl.stack.transport.udp.output import udp_output

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack
    from smolctl.stack.transport.udp.socket import UdpSocket


def expire(stack: "Stack", now: int) -> None:
    """Look at the blocked sockets that are due, in the order in which they were blocked."""
    for socket in list(stack.blocked):
        if socket.held is not None and socket.held.retry_ns <= now:
            _resend(stack, socket, now)


def deadline(stack: "Stack") -> int | None:
    """Return when the next blocked socket is due."""
    return min((s.held.retry_ns for s in stack.blocked if s.held is not None), default=None)


def _resend(stack: "Stack", socket: "UdpSocket", now: int) -> None:
    """Send what waits in a socket, up to the first one that has to wait again."""
    if socket.held is not None and blocked.still_waits(stack, socket, socket.held):
        socket.held.retry_ns = now + stack.settings.ns("neigh.retrans_time_ms")
        return
    queue = blocked.leave(stack, socket)
    while queue.items and not blocked.is_blocked(socket):
        item = queue.pop()
        known = len(item.trace.steps)
        try:
            udp_output(stack, socket, item.payload, item.dst, item.dport, now, item.trace, item.src)
        except (SendRejected, NoBuffers):  # counted by udp_output under its own reason
            blocked.refused(stack, socket, item, now)
        if blocked.is_blocked(socket):  # it may wait for long, again and again
            del item.trace.steps[known:]
    blocked.line_up(socket, queue, now)
