"""The stack: one network namespace without a kernel.

Frames, calls and the time go in; frames (in the interfaces' outboxes), woken sockets and the next
deadline come out. No clock, file, thread or randomness is inside: ``now`` is monotonic, in integer
nanoseconds, and randomness is a callable. Everything is deterministic, so every behaviour can be
tested in virtual time.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from smolctl.stack.explain.candidates import note_candidates
from smolctl.stack.explain.suggest import Suggestions
from smolctl.stack.fastpath import forward as fast_forward
from smolctl.stack.fastpath import tcp as fast_tcp
from smolctl.stack.fastpath import tcp_open, tcp_path
from smolctl.stack.fastpath import udp as fast_udp
from smolctl.stack.interface import LOOPBACK_MTU, LOOPBACK_NAME, Interface, Medium
from smolctl.stack.ip.network import Networks
from smolctl.stack.ipv4.ipv4 import Ipv4
from smolctl.stack.ipv6.ipv6 import Ipv6
from smolctl.stack.link.input import LinkProtocols, fitting, frame_input, snapped_input
from smolctl.stack.link.loopback import Loopback
from smolctl.stack.link.offload_input import count_segments, offloaded_input
from smolctl.stack.link.outbox import Item
from smolctl.stack.link.output import release, transmit_failed, transmitted
from smolctl.stack.neighbor.probe_client import ArpClient, NdClient, ProbeClient
from smolctl.stack.ready import Waiter
from smolctl.stack.reason import REASONS
from smolctl.stack.shared import Shared
from smolctl.stack.sysctl.settings import Settings
from smolctl.stack.trace.journal import Listener
from smolctl.stack.transport.ping import Ping
from smolctl.stack.transport.tcp.tcp import Tcp
from smolctl.stack.transport.udp.udp import Udp
from smolctl.wire import ipv4
from smolctl.wire.address import IPV4, IPV6, ZERO_MAC, family_of
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.offload.run import PendingDatagram

_LOOP_BUDGET = 16_384
"""Loopback packets handled in one ``poll``, so that a loop between sockets starves nobody."""


class Stack:
    """One stack with its ``lo``: interfaces, networks and transports, put together.

    Args:
        random: returns a float in [0, 1); used for ports, idents and neighbor timers.
        settings: the sysctls; they may change while the stack runs.

    Attributes:
        shared: what all layers share; its parts are attributes here, too.
        ipv4, ipv6, networks: the network layers, the last by family.
        udp, tcp, ping: the transports.
        eager: what a call brings about leaves at its end. Who lets programs answer first, so that
            an answer acknowledges what it answers, sets it to False and calls ``flush``.

    A new stack has no interface but ``lo``, which is up and has no address yet: see
    ``config.addr.bring_up_loopback``.
    """

    def __init__(self, random: Callable[[], float], settings: Settings | None = None) -> None:
        shared = Shared(settings if settings is not None else Settings(), random)
        self.assemble(shared)
        shared.interfaces.loopback = shared.interfaces.create(
            LOOPBACK_NAME, "loopback", Medium.IP, LOOPBACK_MTU, None
        )

    def assemble(self, shared: Shared) -> None:
        """Put all layers together on what they share."""
        self.shared, self.eager = shared, True
        self.settings, self.interfaces, self.events = (
            shared.settings, shared.interfaces, shared.events
        )  # fmt: skip
        self.ledger, self.journal = shared.recorder.ledger, shared.recorder.journal
        self.generation, self.ready = shared.generation, shared.ready
        self.timers = shared.timers
        self.protocols = LinkProtocols(shared.recorder, self.receive)
        self.loopback = Loopback(self.protocols)
        self.ipv4 = Ipv4(shared, self.loopback)
        self.ipv6 = Ipv6(shared, self.loopback)
        self.ipv6.icmp_limiter.credit = self.ipv4.icmp_limiter.credit
        self.networks = Networks({IPV4: self.ipv4, IPV6: self.ipv6})
        shared.interfaces.observers[:] = self.networks.values()
        self.next_hops = shared.next_hops
        self.next_hops.fibs = lambda: [net.fib for net in self.networks.values()]
        shared.events.route_sources = [net.fib for net in self.networks.values()]
        self.ipv4.attach(self.protocols, self.timers)
        self.ipv6.attach(self.protocols, self.timers)
        self.udp, self.ping = Udp(shared, self.networks), Ping(shared, self.networks)
        self.tcp = Tcp(shared, self.networks)
        for net, icmp in ((self.ipv4, ipv4.Protocol.ICMP), (self.ipv6, NextHeader.ICMPV6)):
            net.transports.update(
                {ipv4.Protocol.UDP: self.udp, ipv4.Protocol.TCP: self.tcp, icmp: self.ping}
            )
        self.udp.attach(self.timers)
        self.tcp.attach(self.timers)
        self.timers.add(self._links_deadline, self._links_expire)
        self._attach_watchers()

    def _attach_watchers(self) -> None:
        """Connect the fast path, and those who explain: the data path knows neither."""
        self.udp.learn_output = partial(fast_udp.learn_output, self.udp)
        self.udp.learn_input = partial(fast_udp.learn_input, self.udp)
        self.tcp.learn_output = partial(tcp_path.learn_output, self.tcp)
        self.tcp.learn_input = partial(fast_tcp.learn_input, self.tcp)
        self.tcp.learn_opening = partial(tcp_open.learn_opening, self.tcp)
        self.tcp.recall_way = partial(tcp_open.recall_way, self.tcp)
        for net in self.networks.values():
            net.learn_forward = partial(fast_forward.learn, net)
        self.ledger.suggest = Suggestions(self.networks)
        self.shared.recorder.note_candidates = partial(note_candidates, self.networks)

    def interface(self, name: str) -> Interface:
        """Return an interface by name.

        Raises:
            NoSuchDevice: there is none; the message names those that are.
        """
        return self.interfaces.named(name)

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
        if interface.mtu_in:
            frames = fitting(self.shared.recorder, interface, frames, now)
        layered = self._offloaded_input if interface.headroom else self._frame_input
        if interface.forward_flows:
            layered = self._forward_input
        fast_udp.frames_input(self.generation, interface, frames, now, layered)
        if self.eager:
            self.tcp.flush(now)

    def receive_snapped(self, interface: Interface, frame: bytes, length: int, now: int) -> None:
        """Take note of a frame of ``length`` bytes of which only the first ones are known."""
        snapped_input(self.shared.recorder, interface, frame, length, now)

    def _frame_input(self, interface: Interface, frame: bytes, now: int) -> None:
        if self.tcp.known and fast_tcp.frame_input(self.tcp, interface, frame, now):
            return
        frame_input(self.protocols, interface, frame, now)

    def _offloaded_input(self, interface: Interface, data: bytes, now: int) -> None:
        if self.tcp.known:
            number = fast_tcp.frame_input(self.tcp, interface, data, now)
            if number:
                if number > 1:
                    fast_tcp.count_segments(interface, data, number)
                return
        number = fast_udp.segments_input(self.generation.number, interface, data, now)
        if number:
            count_segments(interface, data, number)
            return
        take = partial(self._cut_frames_input, interface, now)
        offloaded_input(self.shared.recorder, interface, data, now, take)

    def _cut_frames_input(self, interface: Interface, now: int, frames: list[bytes]) -> None:
        for frame in frames:
            known = interface.forward_flows
            if not (known and fast_forward.forwarded(self.shared, interface, frame, now)):
                frame_input(self.protocols, interface, frame, now)

    def _forward_input(self, interface: Interface, data: bytes, now: int) -> None:
        frame = fast_forward.whole_frame(interface, data)
        if frame is None or not fast_forward.forwarded(self.shared, interface, frame, now):
            layered = self._offloaded_input if interface.headroom else self._frame_input
            layered(interface, data, now)

    def transmitted(self, interface: Interface, items: Sequence[Item], now: int) -> None:
        """Take note that the device took these items of the outbox, datagrams in runs."""
        transmitted(interface, items, now)
        if self.tcp.throttled:
            self.tcp.drained(interface)

    def transmit_failed(
        self, interface: Interface, item: Item | PendingDatagram, reason_name: str, now: int
    ) -> None:
        """Take note that one was refused: tx-queue-full, tx-no-carrier or stack-stopped."""
        transmit_failed(self.shared.recorder, interface, item, REASONS[reason_name], now)
        if self.tcp.throttled:
            self.tcp.drained(interface)

    # --- time -------------------------------------------------------------------------------------

    def poll(self, now: int) -> None:
        """Handle what came back by the loopbacks, and every timer that is due."""
        self.events.now_ns = now
        budget, loopback = _LOOP_BUDGET, self.loopback
        while loopback.queue and budget:
            loopback.input(now)
            budget -= 1
        if self.eager:
            self.tcp.flush(now)
        timers = self.timers
        if now >= timers.alarm.at_ns or now >= timers.housekeeping_ns:
            timers.expire(now)

    def flush(self, now: int) -> None:
        """Send what waits for the end of a turn: acknowledgments, and what they let go."""
        self.tcp.flush(now)

    def deadline(self) -> int | None:
        """Return when ``poll`` is next due, in ns; 0 for at once, None for not before an event."""
        return 0 if self.loopback.queue or self.tcp.pending else self.timers.deadline()

    def _links_deadline(self) -> int | None:
        """Return when an impaired link next sends a frame that it holds back."""
        bad = (link.impairment for link in self.interfaces.values() if link.impairment is not None)
        return min((due for each in bad if (due := each.deadline()) is not None), default=None)

    def _links_expire(self, now: int) -> None:
        for interface in self.interfaces.values():
            release(interface, self.shared.recorder, now)

    # --- those who wait, and those who watch ------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether what came in has woken somebody, goes round the loopback, or waits to be sent."""
        return bool(self.ready.waiters or self.loopback.queue or self.tcp.pending)

    @property
    def has_ready(self) -> bool:
        """Whether ``take_ready`` has something to return."""
        return bool(self.ready.waiters)

    def take_ready(self) -> list[Waiter]:
        """Return and forget those that were woken; a closed one is left out."""
        return self.ready.take()

    def watch(self, listener: Listener, *, everything: bool) -> None:
        """Have a listener told of packets: those in trouble, or all (the fast path stands aside).

        It is called for a wait and for the fate, and must not call back.
        """
        self.journal.listen(listener, everything=everything)
        self.generation.touch()

    def unwatch(self, listener: Listener) -> None:
        """Forget a listener."""
        self.journal.unlisten(listener)
        self.generation.touch()

    # --- arping and ndisc -------------------------------------------------------------------------

    def arp_open(self, dev: str, target: int, sender: int) -> ArpClient:
        """Return a client that hears who answers for ``target`` on ``dev``."""
        client = ArpClient(dev, target, sender, self._mac_of(dev), ready_queue=self.ready)
        self.ipv4.probe_clients.append(client)
        return client

    def nd_open(self, dev: str, target: int, sender: int) -> NdClient:
        """Return a client that hears who advertises ``target`` on ``dev``."""
        client = NdClient(dev, target, sender, self._mac_of(dev), ready_queue=self.ready)
        self.ipv6.probe_clients.append(client)
        return client

    def _mac_of(self, dev: str) -> bytes:
        link = self.interfaces.get(dev)
        return ZERO_MAC if link is None else link.mac

    def probe_close(self, client: ProbeClient) -> None:
        """Forget a client of arping or ndisc."""
        if not client.closed:
            client.closed = True
            self.networks[family_of(client.target)].probe_clients.remove(client)
