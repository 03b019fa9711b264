"""Neighbor output: the next hop's MAC address, or a packet that waits for it."""

from collections.abc import Callable, Sequence
from functools import partial

from smolctl.errors import NoBuffers
from smolctl.stack import events, reason
from smolctl.stack.alarm import Alarm, earliest
from smolctl.stack.interface import Interface, Interfaces, Medium
from smolctl.stack.link.output import drop_without_carrier, ethernet_output
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.entry import (
    Evicted,
    GiveUp,
    Neighbor,
    NeighborAction,
    Overflow,
    Purged,
    Released,
    SendProbe,
    Transmit,
)
from smolctl.stack.neighbor.resolver import BlockedSenders, Resolver
from smolctl.stack.neighbor.states import VALID, State
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Reason, Rejected
from smolctl.stack.trace.facts import Announced, Asked, Resolved
from smolctl.stack.trace.recorder import Recorder
from smolctl.stack.trace.trace import Trace
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC

_STEPS_LIMIT = 100
"""Questions that a packet's steps tell of; neigh.mcast_solicit=0 asks for ever."""
_tuple = tuple.__new__
OnChange = Callable[[Interface, events.ChangeType, Neighbor], None]


class Neighbors(dict[str, NeighborCache]):
    """The neighbor caches of one family by interface, and the way out through them.

    Attributes:
        resolver, blocked_senders: set by whoever assembles the stack.
        on_change: told of each change of an entry's state or MAC.
    """

    resolver: Resolver
    blocked_senders: BlockedSenders
    on_change: OnChange

    def __init__(self, interfaces: Interfaces, recorder: Recorder, alarm: Alarm) -> None:
        super().__init__()
        self._interfaces, self._recorder, self._alarm = interfaces, recorder, alarm
        self._left: dict[NeighborCache, Interface] = {}

    def add(self, interface: Interface, random: Callable[[], float]) -> None:
        """Give an interface an empty cache."""
        cache = self[interface.name] = NeighborCache(interface.settings, random, self._alarm)
        cache.on_change = partial(self.on_change, interface)
        for other, link in self._left.items():
            if link.name == interface.name:  # its neighbors are told of before those of this one
                cache.leaving = other.leaving

    def note_arp(self, interface: Interface) -> None:
        """Find out whether the neighbors of an interface are asked for their MACs."""
        self[interface.name].noarp_mac = None if interface.arp else interface.mac

    def flush(
        self,
        interface: Interface,
        now: int,
        cause: str = "deleted",
        *,
        keep_permanent: bool = False,
    ) -> None:
        """Forget the neighbors of an interface; ``cause`` as neigh-queue-purged has them.

        They are gone at once; of many, each is told afterwards (``clean``).
        """
        cache = self[interface.name]
        self._left_by(interface, cache.flush(cause, keep_permanent=keep_permanent), now)

    def forget(self, interface: Interface, gone: Sequence[Neighbor], now: int) -> None:
        """Forget some neighbors of an interface, as ``flush`` does."""
        self._left_by(interface, self[interface.name].forget(gone), now)

    def _left_by(self, interface: Interface, actions: list[NeighborAction], now: int) -> None:
        cache = self[interface.name]
        if cache.leaving:
            self._left[cache] = interface
            self._alarm.set(0)
        self.perform(interface, actions, now)

    def clean_deadline(self) -> int | None:
        """Return when ``clean`` is next due: at once, or None."""
        return 0 if self._left else None

    def clean(self, now: int) -> None:
        """Tell of some of the neighbors that were forgotten in numbers."""
        cache, interface = next(iter(self._left.items()))
        if cache.leaving:
            self.perform(interface, cache.leave(), now)
        if not cache.leaving:
            del self._left[cache]

    # --- out --------------------------------------------------------------------------------------

    def output(self, packet: Packet, next_hop: int) -> None:
        """Find the next hop's MAC and send, or queue the packet and start address resolution.

        Raises:
            SendRejected: neigh-table-full.

        Source: RFC 1122 2.3.2.2 (SHOULD save the packet); RFC 4861 7.2.2; Linux
        neigh_resolve_output.
        """
        out, now = packet.interface, packet.now
        if not out.carrier:
            # Nobody would hear the question. To blame a silent neighbor 3 s later would be untrue.
            drop_without_carrier(out, packet.recorder, packet.trace, now)
            return
        cache = self[out.name]
        if out.medium is Medium.NONE:
            entry = _unresolved(cache, next_hop)
            if entry is None:
                ethernet_output(packet, ZERO_MAC, self.resolver.ethertype)
                return
            next_hop = entry.ip
        known = cache.known(next_hop, packet, now)
        if known is not None:
            self._transmit(known, packet)
            return
        sysctl = self._forbids_queue(out, packet)
        try:
            self.settle(out, next_hop, now)
            entry, actions = cache.use(next_hop, packet, now, keep=sysctl is None)
        except NoBuffers:
            detail = packet.record(reason.NEIGH_TABLE_FULL, next_hop=next_hop, taken=cache.taken)
            error = Rejected(reason.NEIGH_TABLE_FULL, detail)
            error.packet = packet.trace.id or None
            raise error from None
        if entry.state is State.INCOMPLETE:
            if sysctl is None:
                self.note_wait(out, entry, packet.trace, now)
            else:
                packet.record(reason.NEIGH_NOT_QUEUED, next_hop=next_hop, knob=sysctl)
        self.perform(out, actions, now)

    def settle(self, out: Interface, next_hop: int, now: int) -> None:
        """Make the entry of an address of all hosts, if there is none: nobody is asked for it.

        Raises:
            NoBuffers: as ``NeighborCache.use``.

        Source: Linux ``arp_constructor``, which looks at the addresses of all links.
        """
        cache = self[out.name]
        if next_hop in cache.entries or cache.noarp_mac is not None:
            return
        if self.resolver.is_for_all(next_hop):
            self.perform(out, cache.set(next_hop, State.NOARP, BROADCAST_MAC, now), now)

    def output_to_all(self, packet: Packet, dst: int, mac: bytes) -> None:
        """Send to all of a link, or of a group; or as the neighbor entry of that address has it.

        Args:
            mac: their MAC address.

        Raises: as ``output``.

        Source: Linux ``ip_finish_output2`` and ``ip6_finish_output2``, which want an entry for
        each, and ``arp_constructor`` and ``ndisc_constructor``, which give it that MAC address.
        """
        out = packet.interface
        if out.medium is Medium.NONE or dst in self[out.name].entries:
            self.output(packet, dst)
        else:
            ethernet_output(packet, mac, self.resolver.ethertype)

    def tell_waiting(
        self, out: Interface, entry: Neighbor, stage: str, asked: Asked | Announced, now: int
    ) -> Trace | None:
        """Note a question in the traces of those that wait for its answer; return the last of them.

        Args:
            stage: the protocol that asks.
        """
        waiting = [packet.trace for packet in entry.queue]
        waiting += self.blocked_senders.waiting_for(out.name, entry.ip)
        for waiter in waiting if entry.probes <= _STEPS_LIMIT else ():
            waiter.step(stage, "wait", now, asked)
        return waiting[-1] if waiting else None

    def _forbids_queue(self, out: Interface, packet: Packet) -> str | None:
        """Return the sysctl that forbids a packet to wait for its neighbor; None when it may."""
        settings = out.settings
        if not settings["neigh.unres_qlen"]:
            return "neigh.unres_qlen"
        if packet.answer and not settings["neigh.queue_answers"]:
            return "neigh.queue_answers"
        return None

    def note_wait(
        self, out: Interface, entry: Neighbor, trace: Trace, now: int, *, port: int | None = None
    ) -> None:
        """Take note that a packet waits for its next hop, and of what makes it wait so long.

        RFC 1122 2.4: the link layer must not report an error for want of an ARP entry alone.

        Args:
            port: of the socket in which it waits, if not in the neighbor's queue.
        """
        cache = self[out.name]
        thrash, silence = cache.thrash(entry.ip, now), cache.silence(entry, now)
        why, values = reason.NEIGH_PENDING, dict[str, object]()
        if thrash is not None:
            why = reason.NEIGH_CACHE_THRASH
            values = {
                "new": thrash.last.new,
                "ago_ms": (now - thrash.last.at_ns) // 1_000_000,
                "times": thrash.times,
                "evictions": thrash.total,
                "peers": thrash.peers,
            }
        elif silence is not None:
            why = reason.NEIGH_RATE_LIMITED
            values = {"ms": -((now - silence.until_ns) // 1_000_000), "ip": silence.asked}
        elif port is not None:
            why, values = reason.UDP_WAITS_FOR_NEIGHBOR, {"port": port}
        self._recorder.record(
            why, out.name, now, trace, next_hop=entry.ip, queued=len(entry.queue), **values
        )

    # --- actions of a cache -----------------------------------------------------------------------

    def perform(self, out: Interface, actions: list[NeighborAction], now: int) -> None:
        """Carry out what the cache of an interface asked for."""
        for action in actions:
            match action:
                case SendProbe(entry, unicast):
                    self.resolver.solicit(out, entry, unicast=unicast, now=now)
                case Transmit(entry, packets):
                    for packet in packets:
                        packet.now = now
                        self._transmit(entry, packet)
                case GiveUp(entry, packets, by_hand):
                    values = entry.failure(now, by_hand=by_hand)
                    for packet in packets:
                        packet.now = now
                        detail = packet.record(reason.NEIGH_FAILED, next_hop=entry.ip, **values)
                        self.resolver.unreachable(packet, detail)
                case Released(entry, failed):
                    self.blocked_senders.release(out.name, entry, failed=failed, now=now)
                case Overflow(entry, packet):
                    _lose(reason.NEIGH_QUEUE_FULL, entry, packet, now)
                case Purged(entry, packets, cause):
                    for packet in packets:
                        _lose(reason.NEIGH_QUEUE_PURGED, entry, packet, now, cause=cause)
                case Evicted(entry, new, packets):
                    self._recorder.record(reason.NEIGH_EVICTED, out.name, now, ip=entry.ip, new=new)
                    for packet in packets:
                        _lose(
                            reason.NEIGH_QUEUE_PURGED, entry, packet, now, new=new, cause="evicted"
                        )

    def ask_again(self, out: Interface, now: int) -> None:
        """Ask for the neighbors that are not known yet: an interface has an address to ask from."""
        for entry in list(self[out.name].entries.values()):
            if entry.state is State.INCOMPLETE:
                self.resolver.solicit(out, entry, unicast=False, now=now)

    def _transmit(self, entry: Neighbor, packet: Packet) -> None:
        lladdr = entry.lladdr or ZERO_MAC
        packet.step("neigh", "ok", _tuple(Resolved, (entry.ip, entry.state, lladdr)))
        ethernet_output(packet, lladdr, self.resolver.ethertype)

    # --- time -------------------------------------------------------------------------------------

    def deadline(self) -> int | None:
        """Return when ``expire`` is next due, None when no timer runs."""
        return earliest(cache.deadline() for cache in self.values())

    def expire(self, now: int) -> None:
        """Run the timers that are due."""
        for name, cache in list(self.items()):
            due = cache.deadline()
            if due is not None and due <= now:
                self._left_by(self._interfaces[name], cache.expire(now), now)

    def collect(self, now: int) -> None:
        """Let every cache forget old entries."""
        for name, cache in list(self.items()):
            self._left_by(self._interfaces[name], cache.expire(now), now)


def _unresolved(cache: NeighborCache, next_hop: int) -> Neighbor | None:
    """Return the entry for which all waits on a link without link addresses; None for none.

    Of a link between two, IPv4 has one entry for all (Linux ``arp_constructor``): of 0.0.0.0. It is
    as good as resolved, and so are those that are not there, unless a user has said otherwise.
    """
    for ip in (0, next_hop):
        entry = cache.lookup(ip)
        if entry is not None and entry.state not in VALID:
            return entry
    return None


def _lose(why: Reason, entry: Neighbor, packet: Packet, now: int, **values: object) -> None:
    packet.now = now
    packet.record(why, next_hop=entry.ip, queued=len(entry.queue), **values)
