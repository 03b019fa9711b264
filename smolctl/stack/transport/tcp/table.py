"""The connections of a stack, their ports, and what all their ways share."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from smolctl.errors import AddressInUse, NoBuffers
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Networks
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.ip.way import Way
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Detail, Reason
from smolctl.stack.shared import Shared
from smolctl.stack.timer_heap import TimerHeap
from smolctl.stack.transport.ports import PortTable
from smolctl.stack.transport.socket_base import ANY
from smolctl.stack.transport.tcp.defaults import Defaults
from smolctl.stack.transport.tcp.probe import Probe
from smolctl.stack.transport.tcp.request import Request, Requests
from smolctl.stack.transport.tcp.sequence import Ends, Secrets
from smolctl.stack.transport.tcp.socket import ANY_USER, Counted, Ending, OnError, TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.stack.transport.tcp.time_wait import TimeWait, TimeWaits
from smolctl.wire.address import packed

LearnOutput = Callable[[TcpSocket, Way, SendOptions], None]
LearnInput = Callable[[TcpSocket, Packet], None]
LearnOpening = Callable[[Request, Packet], None]
RecallWay = Callable[[TcpSocket, Way, SendOptions], None]
Connection = TcpSocket | Request | TimeWait | Probe
Known = tuple[TcpSocket | Request, Interface, bytes]
"""A connection that the fast path knows for what comes in, by which interface, and how its frames
begin: b"" until one of them was found to be right."""

FAILED_MAX = 64
_TTLS_MAX = 256


class Failed(NamedTuple):
    """A connection that ended by an error, for who asks why.

    Attributes:
        state: the last one; retries: timeouts in a row by then.
        began_ns: when what was not acknowledged was sent first; at_ns: when it failed.
    """

    ends: Ends
    state: State
    ending: Ending
    retries: int
    began_ns: int
    at_ns: int


class TcpTable(PortTable[TcpSocket]):
    """All TCP sockets of one stack; as a table of ports, those that a program bound.

    Attributes:
        connections: everything that has two ends, by these: sockets, handshakes in progress, what
            is in TIME-WAIT, and probes.
        timers: of sockets, and of handshakes that were answered again. requests: handshakes that
            were answered once. waiting: what is in TIME-WAIT.
        pending: connections that have something to send at the end of this turn.
        throttled: those that wait for room in the outbox of an interface.
        take_error_of: takes an ICMP error about what a socket sent.
        learn_output, learn_input, learn_opening: remember ways, connections, and who opened one,
            for the fast path. recall_way: lets a connection begin by a way of earlier ones.
        inbound: for the fast path, the connection of a frame by its addresses and ports, and by
            which interface it comes; valid for one generation of the stack.
        known: somebody is known for what comes in.
        openers: for the fast path, who opened connections to which port of ours, by addresses and
            port as they stand in a frame; as long valid. heard: by which interface segments come
            from one address to another.
        paths: for the fast path, the ways that connections share, by what they depend on; valid for
            one generation, too.
        failed: connections that ended by an error, the last ones.
        orphans: connections whose program has closed its socket.
        ttls: with which TTL peers finished a handshake, the last ones.
    """

    def __init__(self, shared: Shared, networks: Networks) -> None:
        super().__init__()
        self.shared, self.networks = shared, networks
        self.settings, self.recorder = shared.settings, shared.recorder
        self.generation, self.interfaces = shared.generation, shared.interfaces
        self.events, self.on_change = shared.events, shared.events.socket
        self.secrets = Secrets(shared.random)
        self.connections: dict[Ends, Connection] = {}
        self.timers = TimerHeap(shared.timers.alarm)
        self.requests = Requests(shared.timers.alarm)
        self.waiting = TimeWaits(shared.timers.alarm)
        self.pending: dict[TcpSocket, None] = {}
        self.throttled: dict[TcpSocket, None] = {}
        self.take_error_of: OnError | None = None
        self.failed: deque[Failed] = deque(maxlen=FAILED_MAX)
        self.orphans = 0
        self.ttls: dict[int, int] = {}
        self.learn_output: LearnOutput = _learn_nothing
        self.learn_input: LearnInput = _learn_nothing
        self.learn_opening: LearnOpening = _learn_nothing
        self.recall_way: RecallWay = _learn_nothing
        self.inbound: dict[bytes, Known] = {}
        self.openers: dict[bytes, Any] = {}
        self.heard: dict[bytes, Interface] = {}
        self.known = False
        self.inbound_generation = -1
        self.paths: dict[Any, Any] = {}
        self.paths_generation = -1
        self._searched = 0
        self._defaults = Defaults(self.settings)
        self._users: dict[int, dict[tuple[int, Counted], int]] = {}

    def hash_seed(self, dst: int) -> int:
        """Return from what the hash of flows to an address begins."""
        return self.networks.for_address(dst).hash_seed

    @property
    def defaults(self) -> Defaults:
        """The beginning of a connection, as the sysctls are now."""
        if self._defaults.version != self.settings.version:
            self._defaults = Defaults(self.settings)
        return self._defaults

    def sockets(self) -> Iterator[TcpSocket]:
        """Yield every socket: bound, listening and connected; no handshake, no TIME-WAIT."""
        for socket in self:
            if self.connections.get(socket.ends) is not socket:
                yield socket
        for each in list(self.connections.values()):
            if isinstance(each, TcpSocket):
                yield each

    def note(self, why: Reason, socket: TcpSocket, now: int, **values: object) -> Detail:
        """Count something that happened to a connection, beside the fate of any packet."""
        ends = socket.ends
        dev = socket.out.name if socket.out is not None else ""
        return self.recorder.record(
            why, dev, now, None, peer=(ends.peer, ends.peer_port), port=ends.port, **values
        )

    def answered_ttl(self, peer: int, ttl: int) -> None:
        """Remember the TTL of a segment that a peer, and nobody else, has sent."""
        self.ttls.pop(peer, None)
        self.ttls[peer] = ttl
        if len(self.ttls) > _TTLS_MAX:
            del self.ttls[next(iter(self.ttls))]

    def forget_inbound(self) -> None:
        """Forget everybody for what comes in: the configuration has changed, or there are many."""
        self.known = True
        self.inbound.clear()
        self.openers.clear()
        self.heard.clear()
        self.inbound_generation = self.generation.number

    def want_output(self, socket: TcpSocket) -> None:
        """Have a connection looked at at the end of this turn."""
        self.pending[socket] = None

    # --- ports ------------------------------------------------------------------------------------

    def check_free(self, socket: TcpSocket) -> None:
        """Check that no connection keeps a port from being bound (Linux inet_csk_bind_conflict).

        Raises:
            AddressInUse: one does, and it or the socket does not share its port.
        """
        for (local, (reuse, user)), number in self._users.get(socket.port, {}).items():
            met = socket.local == local or (socket.local is ANY and socket.speaks(local))
            shared = socket.reuseport and user in (socket.uid, ANY_USER)
            if met and not (socket.reuse and reuse) and not shared:
                raise AddressInUse(
                    f"port {socket.port} is in use by {number} connections", hint="let them end,"
                    " or share it (SO_REUSEADDR)",
                )  # fmt: skip

    def check_no_listener(self, socket: TcpSocket) -> None:
        """Check that nobody else listens where a socket is, or is to be.

        SO_REUSEADDR shares a port, not what comes to it, as SO_REUSEPORT does (Linux
        inet_csk_bind_conflict): Linux looks in bind(2), and again in listen(2), as two may have
        been bound before.

        Raises:
            AddressInUse: somebody does.
        """
        for other in self.at_port(socket.port):
            if (
                other is not socket and other.state is State.LISTEN
                and other.meets(socket) and not other.shares_input(socket)
            ):  # fmt: skip
                raise AddressInUse(
                    f"another socket ({other.owner or 'unnamed'}) listens at port {socket.port}",
                    hint="smolctl socket show",
                )

    def register(
        self, ends: Ends, connection: TcpSocket | TimeWait | Probe, counted: Counted | None = None
    ) -> None:
        """Put in a connection; of two with the same ends, the new one counts.

        Args:
            counted: how it shares its port; None for what it says now.
        """
        self.connections[ends] = connection
        at_port = self._users.get(ends.port)
        if at_port is None:
            at_port = self._users[ends.port] = {}
        if counted is None:
            counted = connection.reuse, connection.shared_with
        connection.counted = counted
        key = ends.local, counted
        at_port[key] = at_port.get(key, 0) + 1

    def unregister(self, ends: Ends, connection: TcpSocket | TimeWait | Probe) -> None:
        """Take out a connection that was put in.

        It is taken off as it was counted: its program may have changed how it shares meanwhile.
        """
        if self.connections.get(ends) is connection:
            del self.connections[ends]
        at_port, key = self._users[ends.port], (ends.local, connection.counted)
        at_port[key] -= 1
        if not at_port[key]:
            del at_port[key]
            if not at_port:
                del self._users[ends.port]

    def ephemeral(self, local: int, peer: int, peer_port: int) -> int:
        """Return a port from which no connection to a peer exists (RFC 6056 3.3.3).

        Raises:
            NoBuffers: there is none.
        """
        first, last = (self.settings[f"ip.local_port_{end}"] for end in ("first", "last"))
        number = last - first + 1
        start = self.secrets.hashed(Ends(local, 0, peer, peer_port), 2)
        # From where the last search ended, so that one among thousands is found at once.
        start += int(self.shared.random() * number) + self._searched
        for step in range(number):
            port = first + (start + step) % number
            bound = any(each.local in (ANY, local) for each in self.at_port(port))
            known = self.connections.get(Ends(local, port, peer, peer_port))
            if not bound and known is None:
                self._searched += step + 1
                return port
        raise NoBuffers(f"all ephemeral ports {first}-{last} are in use")


def wire_key(ends: Ends) -> bytes:
    """Return the addresses and ports of a connection as they stand in what comes in."""
    local, port, peer, peer_port = ends
    return packed(peer) + packed(local) + peer_port.to_bytes(2) + port.to_bytes(2)


def _learn_nothing(*_: object) -> None:
    """Stand in for a fast path that is not there."""
