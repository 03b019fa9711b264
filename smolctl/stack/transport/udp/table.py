"""The UDP sockets of a stack, and what all of their ways share."""

from collections.abc import Callable

from smolctl.stack.ip.network import Networks
from smolctl.stack.ip.route_cache import RouteCache
from smolctl.stack.ip.way import Way
from smolctl.stack.packet import Packet
from smolctl.stack.shared import Shared
from smolctl.stack.trace.facts import Bound
from smolctl.stack.transport.ports import PortTable
from smolctl.stack.transport.udp.outbound import Outbound
from smolctl.stack.transport.udp.socket import UdpSocket

LearnOutput = Callable[[UdpSocket, Way, int, int, int | None], None]
"""Takes a socket, the way of a datagram, its port, its TTL and the source that was asked for."""
Sending = tuple[UdpSocket, int, int, int | None, str | None]
"""A socket, the address and port that it sends to, and what it asks for: a source, an interface."""
LearnInput = Callable[[UdpSocket, Packet], None]


class UdpTable(PortTable[UdpSocket]):
    """All UDP sockets of one stack.

    Attributes:
        blocked: those whose first datagram cannot leave yet, in the order in which that began.
        outbound: how datagrams leave, as it was decided for others like them.
        learn_output, learn_input: remember flows for the fast path.
        closed_sent, closed_delivered: datagrams of sockets that are closed.
    """

    def __init__(self, shared: Shared, networks: Networks) -> None:
        super().__init__()
        self.shared, self.networks = shared, networks
        self.settings, self.recorder = shared.settings, shared.recorder
        self.generation, self.interfaces = shared.generation, shared.interfaces
        self.on_change = shared.events.socket
        self.blocked: dict[UdpSocket, None] = {}
        self.outbound: RouteCache[Sending, Outbound] = RouteCache()
        self.learn_output: LearnOutput = _learn_nothing
        self.learn_input: LearnInput = _learn_nothing
        self.closed_sent = self.closed_delivered = 0

    def hash_seed(self, dst: int) -> int:
        """Return from what the hash of flows to an address begins."""
        return self.networks.for_address(dst).hash_seed

    def add(self, socket: UdpSocket) -> None:
        """Put in a socket whose ``local``, ``port`` and ``dev`` are set; see ``PortTable.add``."""
        super().add(socket)
        socket.bound = Bound(socket.shown_local, socket.port, socket.dev, socket.owner)


def _learn_nothing(*_: object) -> None:
    """Stand in for a fast path that is not there."""
