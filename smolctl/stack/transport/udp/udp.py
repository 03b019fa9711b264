"""UDP (RFC 768): sockets are opened, bound, connected and closed, and send and receive."""

from smolctl.errors import InvalidArgument, NoBuffers, SendRejected
from smolctl.stack import reason
from smolctl.stack.events import ChangeType
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.ip import membership
from smolctl.stack.ip.network import Networks
from smolctl.stack.ip.route_output import route_output, unavailable
from smolctl.stack.ip.way import Refusal, Way
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.packet import DeliveryError, Sender
from smolctl.stack.reason import Rejected
from smolctl.stack.shared import Shared
from smolctl.stack.timers import Timers
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.local_address import check_local
from smolctl.stack.transport.send_queue import OutgoingDatagram
from smolctl.stack.transport.socket_base import ANY
from smolctl.stack.transport.udp import blocked
from smolctl.stack.transport.udp.input import udp_input
from smolctl.stack.transport.udp.output import (
    bind_free_port,
    udp_autobind,
    udp_output,
    wrong_family,
)
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.stack.transport.udp.table import UdpTable
from smolctl.wire.address import (
    IPV4,
    IPV6,
    UNSPECIFIED6,
    Family,
    is_multicast,
)
from smolctl.wire.icmpv4 import Quote
from smolctl.wire.ipv4 import Protocol


class Udp(UdpTable):
    """UDP of one stack."""

    input = udp_input

    def __init__(self, shared: Shared, networks: Networks) -> None:
        super().__init__(shared, networks)
        for net in networks.values():
            net.neighbors.blocked_senders = self

    def attach(self, timers: Timers) -> None:
        """Have time passed on to blocked sockets."""
        timers.add(self._deadline, self._expire)

    # --- programs ---------------------------------------------------------------------------------

    def open(self, owner: str = "", family: Family = IPV4) -> UdpSocket:
        """Return a new socket, bound to nothing yet.

        One of IPv6 speaks IPv4 as well, unless ip6.bindv6only or ``v6only`` is set before it is
        bound.
        """
        settings = self.settings
        return UdpSocket(
            settings["udp.rmem_default"],
            self.networks[family].pmtudisc,
            settings["udp.wmem_default"],
            owner=owner,
            uid=self.shared.uid,
            family=family,
            v6only=family is IPV6 and settings["ip6.bindv6only"] == 1,
            multicast_all=settings["ip.multicast_all"] != 0,
            ready_queue=self.shared.ready,
        )

    def bind(
        self, socket: UdpSocket, local: int | None = ANY, port: int = 0, dev: str | None = None
    ) -> None:
        """Bind a socket; port 0 takes a free ephemeral one (RFC 6335 6).

        Raises:
            InvalidArgument: the socket is already bound.
            NoSuchDevice: no interface is named ``dev``.
            InvalidArgument: ``local`` is an address of one link, and ``dev`` does not say which, or
                of a family that the socket does not speak.
            AddressNotAvailable: ``local`` is neither ours nor a broadcast or multicast address.
            AddressInUse: another socket would get the same datagrams.
            NoBuffers: no ephemeral port is free.
        """
        if socket.port:
            raise InvalidArgument("the socket is already bound")
        if dev is not None:
            self.interfaces.named(dev)
        if local in (0, UNSPECIFIED6):
            local = ANY
        group = False
        if local is not None:
            net = self.networks.for_address(local)
            group = is_multicast(local) or net.is_broadcast(local)
            check_local(net, socket, local, dev)
            if not (group or net.is_bindable(local) or net.binds_others):
                raise unavailable(net, local)
        socket.local, socket.port, socket.dev = local, port, dev
        socket.source = None if group else local
        try:
            if port == 0:
                bind_free_port(self, socket)
            else:
                self.add(socket)
        except BaseException:
            socket.local, socket.port, socket.source, socket.dev = ANY, 0, None, None
            raise
        self.generation.touch()

    def connect(self, socket: UdpSocket, peer: int, port: int, zone: str | None = None) -> None:
        """Fix the peer: only its datagrams are taken, and the source address is chosen now.

        Args:
            zone: the interface on which the peer is; the socket is bound to it (Linux
                ``__ip6_datagram_connect``).

        Raises:
            SendRejected: there is no way to the peer.
            InvalidArgument: port 0.
        """
        if port == 0:
            raise InvalidArgument("port 0 cannot be connected to")
        way = self._way_to(socket, peer, port, zone)
        local = socket.local if socket.local is not None else way.src
        bound, old, source, dev = socket.port, socket.local, socket.source, socket.dev
        if bound:
            self.remove(socket)
            socket.port = 0
        try:
            self.bind(socket, local, bound, zone or dev)
        except BaseException:
            if bound:
                socket.local, socket.port, socket.source, socket.dev = old, bound, source, dev
                self.add(socket)
            raise
        socket.peer, socket.peer_port = peer, port
        self.tell(ChangeType.CHANGED, socket)
        self.generation.touch()

    def _way_to(self, socket: UdpSocket, peer: int, port: int, zone: str | None) -> Way:
        net = self.networks.for_address(peer)
        src = blocked.source_of(net, socket, OutgoingDatagram(b"", peer, port, None, Trace()))
        dev, sport = zone or socket.dev_to(peer), socket.port
        key = RouteKey(
            peer, src, dev, OUTPUT, socket.mark, Protocol.UDP, sport, port, socket.tos, socket.uid
        )
        if dev is None and net.needs_dev(peer) and (src is None or not net.needs_dev(src)):
            way: Way | Refusal = Refusal(reason.TX_NO_SCOPE, "", {"ip": peer})
        else:
            way = wrong_family(socket, peer, src) or route_output(net, key)
        if net.family is IPV4 and isinstance(way, Way) and way.src is not None and src is None:
            # Again from the address that was chosen: rules may differ (Linux ip_route_connect;
            # tcp_v6_connect and ip6_datagram_dst_update do not).
            way = route_output(net, key._replace(src=way.src))
        if isinstance(way, Refusal):
            values = {**way.values, "dev": way.dev}
            raise Rejected(way.reason, self.recorder.ledger.detail(way.reason, values))
        return way

    def close(self, socket: UdpSocket) -> None:
        """Close a socket; what is queued is gone, and its groups are left."""
        if socket.send_queue is not None:
            blocked.purge(self, socket)
        membership.leave_all(self.networks, socket)
        if socket.port and not socket.closed:
            self.remove(socket)
            self.closed_sent += socket.tx_datagrams
            self.closed_delivered += socket.rx_datagrams
        socket.closed = True
        socket.handler = None
        self.generation.touch()

    def send(
        self,
        socket: UdpSocket,
        payload: bytes,
        dst: int,
        port: int,
        now: int,
        trace: Trace | None = None,
    ) -> None:
        """Send one datagram; binds the socket to an ephemeral port when it is not bound.

        Args:
            payload: 0..65507 bytes.
            trace: follows the datagram to its fate.

        Raises: as ``udp_output`` and ``udp_autobind``.
        """
        flow = socket.flows.get((dst, port, None))
        if (
            flow is not None
            and flow.generation == self.generation.number
            and trace is None
            and flow.send(socket, payload, now)
        ):
            return
        self._send(socket, OutgoingDatagram(payload, dst, port, None, trace), now)

    def send_from(self, socket: UdpSocket, item: OutgoingDatagram, now: int) -> None:
        """Send one datagram from an address or by an interface that it asks for (IP_PKTINFO).

        Args:
            item: without a trace where nobody follows it.

        Raises: as ``send``.
        """
        flow = socket.flows.get((item.dst, item.dport, item.src))
        if (
            flow is not None
            and item.dev is None
            and flow.generation == self.generation.number
            and item.trace is None
            and flow.send(socket, item.payload, now)
        ):
            return
        self._send(socket, item, now)

    def _send(self, socket: UdpSocket, item: OutgoingDatagram, now: int) -> None:
        if not socket.port:
            udp_autobind(self, socket, now, item.trace)
        udp_output(self, socket, item, now)

    def totals(self) -> tuple[int, int]:
        """Return how many datagrams were sent and delivered, by closed sockets too."""
        sent = self.closed_sent + sum(socket.tx_datagrams for socket in self)
        return sent, self.closed_delivered + sum(socket.rx_datagrams for socket in self)

    # --- networks ---------------------------------------------------------------------------------

    def sender_of(self, quote: Quote, dev: str) -> Sender | None:
        """Return the socket that sent a datagram which an ICMP error quotes (Linux udp_err)."""
        if quote.sport is None or quote.dport is None:
            return None
        # Seen from the socket, the quoted destination is the peer (RFC 1122 4.1.3.3).
        return self.lookup(quote.dst, quote.dport, quote.src, quote.sport, dev)

    # --- neighbors: the datagrams that wait for one -----------------------------------------------

    def waiting_for(self, dev: str, next_hop: int) -> list[Trace]:
        """Return the traces of datagrams that wait for a neighbor in their sockets."""
        found = [each.send_queue for each in self.blocked]
        return [
            queue.items[0].followed
            for queue in found
            if queue is not None and queue.hop == (dev, next_hop)
        ]

    def release(self, dev: str, entry: Neighbor, *, failed: bool, now: int) -> None:
        """Let the sockets go on whose first datagram waited for this neighbor.

        Where the neighbor did not answer, that datagram is given up.
        """
        for socket in list(self.blocked):
            queue = socket.send_queue
            if queue is None or queue.hop != (dev, entry.ip):
                continue
            queue.retry_ns = now
            self.shared.timers.alarm.set(now)
            if failed:
                item = queue.pop()
                trace = item.followed
                values = entry.failure(now)
                detail = self.recorder.record(
                    reason.NEIGH_FAILED, dev, now, trace, next_hop=entry.ip, **values
                )
                why = reason.NEIGH_FAILED
                socket.fail(
                    DeliveryError(
                        "EHOSTUNREACH", why, detail, trace.src or 0, item.dst, item.dport, now
                    )
                )
            if not queue.items:
                socket.send_queue = None
                del self.blocked[socket]

    # --- time -------------------------------------------------------------------------------------

    def _deadline(self) -> int | None:
        if not self.blocked:
            return None
        return min(
            (s.send_queue.retry_ns for s in self.blocked if s.send_queue is not None), default=None
        )

    def _expire(self, now: int) -> None:
        """Look at the blocked sockets that are due, in the order in which they were blocked."""
        for socket in list(self.blocked):
            if socket.send_queue is not None and socket.send_queue.retry_ns <= now:
                self._send_blocked(socket, now)

    def _send_blocked(self, socket: UdpSocket, now: int) -> None:
        """Send what waits in a socket, up to the first one that has to wait again."""
        if socket.send_queue is not None and blocked.still_waits(self, socket, socket.send_queue):
            queue = socket.send_queue
            queue.retry_ns = now + blocked.patience_ns(self, queue.hop)
            return
        queue = blocked.unblock(self, socket)
        while queue.items and not blocked.is_blocked(socket):
            item = queue.pop()
            trace = item.followed
            known = len(trace.raw_steps)
            try:
                udp_output(self, socket, item, now)
            except (SendRejected, NoBuffers):  # counted by udp_output under its own reason
                blocked.tell_refused(socket, item, now)
            if blocked.is_blocked(socket):  # it may wait for long, again and again
                del trace.raw_steps[known:]
        blocked.line_up(socket, queue, now)
