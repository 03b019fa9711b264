"""The stack: one network namespace without a kernel.

Frames, calls and the time go in; frames (in the interfaces' outboxes), woken sockets and the next
deadline come out. No clock, file, thread or randomness is inside: ``now`` is monotonic, in integer
nanoseconds, and randomness is a callable. Everything is deterministic, so every behaviour can be
tested in virtual time.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from smolctl.errors import InvalidArgument, NoSuchDevice
from smolctl.near import did_you_mean
from smolctl.stack import reason, timers
from smolctl.stack.config import maddr as maddr_config
from smolctl.stack.events import Action, Events
from smolctl.stack.fastpath import udp as fast_udp
from smolctl.stack.fastpath.forward import forward_frame_input
from smolctl.stack.fib.exceptions import RouteExceptions
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.path_mtu import PathMtus
from smolctl.stack.fib.route import RouteType
from smolctl.stack.fib.rule import Rules, Traits
from smolctl.stack.interface import LOOPBACK_MTU, OUTBOX_LIMIT, Interface, Medium, make_interface
from smolctl.stack.ip import gateways, route_output
from smolctl.stack.ip.icmp_rate_limit import IcmpLimiter
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.ip.reassembly import Reassembly
from smolctl.stack.ip.redirects_sent import Redirects
from smolctl.stack.ip.rivals import Rivals
from smolctl.stack.ip.route_output import Decision, Refusal, decide, rejection, unavailable
from smolctl.stack.ipv4.ident import Idents
from smolctl.stack.ipv4.input import ip_input
from smolctl.stack.link import output as link_output
from smolctl.stack.link.input import frame_input
from smolctl.stack.link.offload_input import offloaded_input
from smolctl.stack.link.outbox import Item
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.probe_client import ArpClient
from smolctl.stack.reason import REASONS
from smolctl.stack.sysctl.settings import Settings
from smolctl.stack.trace.journal import Journal, Listener
from smolctl.stack.trace.ledger import Ledger
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.ping import EchoClient, EchoTable
from smolctl.stack.transport.ports import UdpTable
from smolctl.stack.transport.udp import blocked
from smolctl.stack.transport.udp.output import udp_autobind, udp_output
from smolctl.stack.transport.udp.socket import ANY, UdpSocket
from smolctl.wire import ipv4
from smolctl.wire.address import IPV4, is_limited_broadcast, is_multicast
from smolctl.wire.offload.run import Datagram

LOOPBACK_NAME = "lo"
_LOOP_BUDGET = 16_384
"""Loopback packets handled in one ``poll``, so that a loop between sockets starves nobody."""

Waitable = UdpSocket | EchoClient | ArpClient


class Stack:
    """One stack with its ``lo``: interfaces, addresses, routes, neighbors and sockets.

    Args:
        random: returns a float in [0, 1); used for ports, idents and neighbor timers.
        settings: the knobs; they may change while the stack runs.

    Attributes:
        wall_time: turns ``now`` into seconds since 1970, for timestamps in packets; None when the
            time of day is not known.

    A new stack has no interface but ``lo``, which is up and has no address yet: see
    ``configure.bring_up_loopback``.
    """

    def __init__(self, random: Callable[[], float], settings: Settings | None = None) -> None:
        self.settings = settings if settings is not None else Settings()
        self.random = random
        self.wall_time: Callable[[int], float] | None = None
        self.family = IPV4
        self.interfaces: dict[str, Interface] = {}
        self.neighbors: dict[str, NeighborCache] = {}
        self.fib, self.rules = Fib(self.family.bits), Rules()
        self.events = Events(self.fib)
        self.udp, self.echoes, self.rivals = UdpTable(), EchoTable(), Rivals()
        self.udp.on_change = self.echoes.on_change = self.events.socket
        self.arp_clients: list[ArpClient] = []
        self.blocked: dict[UdpSocket, None] = {}  # in the order in which they were
        self.ledger, self.journal = Ledger(), Journal()
        self.icmp_limiter, self.redirects = IcmpLimiter(self.settings, random), Redirects()
        self.reassembly, self.exceptions = Reassembly(self.settings), RouteExceptions(self.settings)
        self.generation = self.housekeeping_ns = self._last_index = 0
        self._closed_sent = self._closed_delivered = 0
        self.idents, self.path_mtus = Idents(random), PathMtus(self.settings)
        self.hash_seed = int(random() * 2**32)
        self.loop: deque[tuple[Interface, bytes, Trace]] = deque()  # what comes back in
        self.woken: list[Waitable] = []  # what take_ready returns next
        self.loopback = self.create_interface(
            LOOPBACK_NAME, "loopback", Medium.IP, LOOPBACK_MTU, None
        )

    # --- interfaces -------------------------------------------------------------------------------

    def interface(self, name: str) -> Interface:
        """Return an interface by name.

        Raises:
            NoSuchDevice: there is none; the message names those that are.
        """
        if (found := self.interfaces.get(name)) is None:
            raise NoSuchDevice(
                f'there is no interface "{name}" (there are: {", ".join(self.interfaces)})',
                hint=did_you_mean(name, self.interfaces, "smolctl link show"),
            )
        return found

    def interface_of(self, address: int) -> Interface | None:
        """Return the interface that has exactly this address (Linux ``__ip_dev_find``)."""
        links = self.interfaces.values()
        return next((link for link in links if link.addresses.find(address, None)), None)

    def create_interface(
        self, name: str, kind: str, medium: Medium, mtu: int, mac: bytes | None
    ) -> Interface:
        """Make an interface; the checks are in ``configure.add_interface``."""
        self._last_index += 1
        interface = make_interface(
            name, self._last_index, kind, medium, mac, mtu, self.settings, self.random
        )
        self.interfaces[name] = interface
        cache = self.neighbors[name] = NeighborCache(self.settings, self.random)
        cache.on_change = partial(gateways.changed, self, interface)
        self.touch()
        return interface

    def touch(self) -> None:
        """Say that the configuration changed: what the fast path remembers is no longer used."""
        self.generation += 1

    def is_broadcast(self, address: int) -> bool:
        """Tell whether an address is the limited or one of our networks' broadcast addresses."""
        if is_limited_broadcast(address):
            return True
        route = self.fib.lookup(address) if self.fib.merged else self.fib.own(address)
        return route is not None and route.type is RouteType.BROADCAST

    def confirm(self, address: int, now: int) -> None:
        """Take an upper layer's word that packets to ``address`` arrive (RFC 4861 7.3.1)."""
        decision = decide(self, address)
        if isinstance(decision, Decision) and decision.type == "unicast":
            self.neighbors[decision.interface.name].confirm(decision.next_hop, now)

    @property
    def pmtudisc(self) -> Pmtudisc:
        """What a sender wants of path MTU discovery that says nothing of it (Linux inet_create)."""
        return Pmtudisc.DONT if self.settings["ip.no_pmtu_disc"] else Pmtudisc.WANT

    # --- the data path ----------------------------------------------------------------------------

    def receive(self, interface: Interface, frame: bytes, now: int) -> None:
        """Take one frame from a device; raises nothing for any bytes."""
        self.receive_batch(interface, [frame], now)

    def receive_batch(self, interface: Interface, frames: Iterable[bytes], now: int) -> None:
        """Take frames from a device in their order; raises nothing for any bytes.

        Args:
            frames: with ``interface.headroom`` bytes in front of each.
        """
        self.events.now_ns = now
        layered = offloaded_input if interface.headroom else frame_input
        if interface.forward_flows:
            layered = partial(forward_frame_input, layered)
        fast_udp.frames_input(self, interface, frames, now, layered)

    def transmitted(self, interface: Interface, items: "Sequence[Item]", now: int) -> None:
        """Take note that the device took these items of the outbox, datagrams in runs."""
        link_output.transmitted(interface, items, now)

    def transmit_failed(
        self, interface: Interface, item: "Item | Datagram", reason_name: str, now: int
    ) -> None:
        """Take note that one was refused: tx-queue-full, tx-no-carrier or stack-stopped."""
        link_output.transmit_failed(self, interface, item, REASONS[reason_name], now)

    def loop_back(self, interface: Interface, packet: bytes, trace: Trace, now: int) -> None:
        """Queue a packet that comes back in by ``interface`` at the next ``poll``."""
        if not interface.up:
            self.ledger.record(reason.TX_IFACE_DOWN, interface.name, now, trace)
        elif len(self.loop) >= OUTBOX_LIMIT:
            self.ledger.record(reason.TX_QUEUE_FULL, interface.name, now, trace)
            interface.counters.tx_dropped += 1
        else:
            self.loop.append((interface, packet, trace))

    def poll(self, now: int) -> None:
        """Handle what came back by the loopbacks, and every timer that is due."""
        self.events.now_ns = now
        budget = _LOOP_BUDGET
        while self.loop and budget and self.loop_input(now):
            budget -= 1
        due = timers.deadline(self)
        if (due is not None and due <= now) or now >= self.housekeeping_ns:
            timers.expire(self, now)

    def loop_input(self, now: int) -> bool:
        """Take in the next packet that came back; False when there is none."""
        if not self.loop:
            return False
        interface, packet, trace = self.loop.popleft()
        if interface.loopback:
            interface.counters.looped_packets += 1
            interface.counters.looped_bytes += len(packet)
        ip_input(self, interface, packet, now, trace, looped=True)
        return True

    def deadline(self) -> int | None:
        """Return when ``poll`` is next due, in ns; 0 for at once, None for not before an event."""
        if self.loop:
            return 0
        return timers.deadline(self)

    def wake(self, waiter: Waitable) -> None:
        """Put a socket or client on the list of those that have something to take."""
        if not waiter.ready:
            waiter.ready = True
            self.woken.append(waiter)

    @property
    def has_ready(self) -> bool:
        """Whether ``take_ready`` has something to return."""
        return bool(self.woken)

    def take_ready(self) -> list[Waitable]:
        """Return and forget those that were woken; a closed one is left out."""
        ready, self.woken = self.woken, []
        for waiter in ready:
            waiter.ready = False
        return [waiter for waiter in ready if not waiter.closed]

    def watch(self, listener: Listener, *, everything: bool) -> None:
        """Have a listener told of packets: those in trouble, or all (the fast path stands aside).

        It is called for a wait and for the fate, and must not call back.
        """
        self.journal.listen(listener, everything=everything)
        self.touch()

    def unwatch(self, listener: Listener) -> None:
        """Forget a listener."""
        self.journal.unlisten(listener)
        self.touch()

    # --- UDP sockets ------------------------------------------------------------------------------

    def udp_open(self, owner: str = "") -> UdpSocket:
        """Return a new socket, bound to nothing yet."""
        hears_all = self.settings["ip.multicast_all"] != 0
        rcvbuf, sndbuf = (self.settings[f"udp.{way}mem_default"] for way in "rw")
        return UdpSocket(rcvbuf, self.pmtudisc, owner=owner, sndbuf=sndbuf, multicast_all=hears_all)

    def udp_bind(
        self, socket: UdpSocket, local: int = ANY, port: int = 0, dev: str | None = None
    ) -> None:
        """Bind a socket; port 0 takes a free ephemeral one (RFC 6335 6).

        Raises:
            InvalidArgument: the socket is bound already.
            NoSuchDevice: no interface is named ``dev``.
            AddressNotAvailable: ``local`` is neither ours nor a broadcast or multicast address.
            AddressInUse: another socket would get the same datagrams.
            NoBuffers: no ephemeral port is free.
        """
        if socket.port:
            raise InvalidArgument("the socket is bound already")
        if dev is not None:
            self.interface(dev)
        group = is_multicast(local) or (local != ANY and self.is_broadcast(local))
        if local != ANY and not group and not self.fib.is_local(local):
            raise unavailable(self, local)
        if port == 0:
            first = self.settings["ip.local_port_first"]
            last = self.settings["ip.local_port_last"]
            start = int(self.random() * (last - first + 1))
            port = self.udp.free_port(local, dev, first, last, start)
        socket.local, socket.port, socket.dev = local, port, dev
        try:
            self.udp.add(socket)
        except BaseException:
            socket.local, socket.port, socket.dev = ANY, 0, None
            raise
        self.touch()

    def udp_connect(self, socket: UdpSocket, peer: int, port: int) -> None:
        """Fix the peer: only its datagrams are taken, and the source address is chosen now.

        Raises:
            SendRejected: there is no way to the peer.
            InvalidArgument: port 0.
        """
        if port == 0:
            raise InvalidArgument("port 0 cannot be connected to")
        traits = Traits(ipv4.Protocol.UDP, socket.port, port, socket.tos)
        src, dev = blocked.source_of(self, socket, None, peer), socket.dev_to(peer)
        decision = decide(self, peer, src, dev, traits)
        if isinstance(decision, route_output.Decision) and decision.src is not None and src is None:
            # Again from the address that was chosen: rules may differ (Linux ip_route_connect).
            decision = decide(self, peer, decision.src, dev, traits)
        if isinstance(decision, Refusal):
            raise rejection(decision.reason, decision.detail)
        local = socket.local if socket.local != ANY else (decision.src or ANY)
        bound = socket.port
        if bound:
            self.udp.remove(socket)
            socket.port = 0
        old, dev = socket.local, socket.dev
        try:
            self.udp_bind(socket, local, bound, dev)
        except BaseException:
            if bound:
                socket.local, socket.port, socket.dev = old, bound, dev
                self.udp.add(socket)
            raise
        socket.peer, socket.peer_port = peer, port
        self.udp.tell(Action.CHANGED, socket)
        self.touch()

    def udp_close(self, socket: UdpSocket) -> None:
        """Close a socket; what is queued is gone, and its groups are left."""
        if socket.held is not None:
            blocked.purge(self, socket)
        maddr_config.leave_all(self, socket)
        if socket.port and not socket.closed:
            self.udp.remove(socket)
            self._closed_sent += socket.tx_datagrams
            self._closed_delivered += socket.rx_datagrams
        socket.closed = True
        socket.handler = None
        self.touch()

    def udp_send(
        self,
        socket: UdpSocket,
        payload: bytes,
        dst: int,
        port: int,
        now: int,
        trace: Trace | None = None,
        src: int | None = None,
    ) -> None:
        """Send one datagram; binds the socket to an ephemeral port when it is not bound.

        Args:
            payload: 0..65507 bytes.
            trace: follows the datagram to its fate.
            src: source address of this datagram, for a socket bound to none (Linux IP_PKTINFO).

        Raises: as ``egress.udp_output`` and ``egress.udp_autobind``.
        """
        flow = socket.flows.get((dst, port, src))
        if (
            flow is not None
            and flow.generation == self.generation
            and trace is None
            and flow.send(self, socket, payload, now)
        ):
            return
        if not socket.port:
            udp_autobind(self, socket, now, trace)
        udp_output(self, socket, payload, dst, port, now, trace, src)

    def udp_totals(self) -> tuple[int, int]:
        """Return how many datagrams were sent and delivered, by closed sockets too."""
        sent = self._closed_sent + sum(socket.tx_datagrams for socket in self.udp)
        return sent, self._closed_delivered + sum(socket.rx_datagrams for socket in self.udp)

    # --- ping and arping --------------------------------------------------------------------------

    def echo_open(self, dst: int) -> EchoClient:
        """Return a client for echo requests to ``dst``, with an ident of its own.

        Raises:
            NoBuffers: all 65,536 idents are in use.
        """
        return self.echoes.open(dst, int(self.random() * 0x10000), self.pmtudisc)

    def echo_close(self, client: EchoClient) -> None:
        """Forget a client and what it waited for."""
        self.echoes.close(client)

    def arp_open(self, dev: str, target: int, sender: int) -> ArpClient:
        """Return a client that hears who answers for ``target`` on ``dev``."""
        client = ArpClient(dev, target, sender)
        self.arp_clients.append(client)
        return client

    def arp_close(self, client: ArpClient) -> None:
        """Forget a client."""
        if not client.closed:
            client.closed = True
            self.arp_clients.remove(client)
