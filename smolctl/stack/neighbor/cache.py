"""The neighbor cache of one interface: the MAC of each next hop, and how sure we are.

The state machine is the table in ``states.py``; this file decides which event happened. The cache
sends nothing: its methods return actions, which ``output.py`` carries out.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from smolctl.errors import NoBuffers
from smolctl.stack import events
from smolctl.stack.alarm import Alarm
from smolctl.stack.duplicate import duplicate
from smolctl.stack.neighbor.entry import (
    Advertised,
    Advertisement,
    Evicted,
    GiveUp,
    Neighbor,
    NeighborAction,
    Purged,
    Released,
    SendProbe,
    Silence,
    Standing,
    Transmit,
)
from smolctl.stack.neighbor.eviction import (
    OLDEST,
    EvictionOrder,
    Evictions,
    Thrash,
    collectable,
)
from smolctl.stack.neighbor.leaving import A_TURN, MANY, Leaving, Left
from smolctl.stack.neighbor.memory import CacheMemory
from smolctl.stack.neighbor.states import (
    ASKING,
    KEPT,
    RENEWING,
    SENDABLE,
    TRANSITIONS,
    VALID,
    Do,
    NudEvent,
    State,
)
from smolctl.stack.neighbor.timers import EntryTimers, timer_event
from smolctl.stack.packet import Packet
from smolctl.stack.sysctl.link_settings import Values

_RANDOM_PERIOD_NS = 300_000_000_000  # until the reachable time is drawn anew (neigh_periodic_work)


class NeighborCache:
    """All neighbors of one interface, at most ``iface.neighbor_cache_count`` of them.

    Args:
        settings: the sysctls that count on its interface, read when they are needed, so that a
            change works at once.
        random: returns a float in [0, 1); varies the reachable time (RFC 4861 6.3.2).
        alarm: set for each timer of an entry.

    Attributes:
        noarp_mac: of every new entry where the link has no ARP (Linux arp_constructor), else None.
    """

    def __init__(
        self, settings: Values, random: Callable[[], float], alarm: Alarm | None = None
    ) -> None:
        self.entries: dict[int, Neighbor] = {}
        self._settings = settings
        self._random = random
        self._timers = EntryTimers(alarm or Alarm())
        self._evictions = Evictions()
        self._order = EvictionOrder((), by_age=self._by_age)
        self._reachable_factor = 0.5 + random()
        self._redraw_ns = 0
        self._collect_ns = 0
        self._moved = False  # a MAC changed just now
        self.leaving = Leaving()
        self.noarp_mac: bytes | None = None
        self._silence = Silence(0, 0)
        self.on_change: Callable[[events.ChangeType, Neighbor], None] | None = None

    def clone(
        self,
        settings: Values,
        random: Callable[[], float],
        copy_of: Callable[[Packet], Packet],
        alarm: Alarm,
    ) -> "NeighborCache":
        """Return a copy in which no time passes, with copies of the packets that wait in it."""
        result = duplicate(self)
        result.entries = {ip: entry.clone(copy_of) for ip, entry in self.entries.items()}
        result._timers, result._random, result.on_change = EntryTimers(alarm), random, None
        result._settings = settings
        result._evictions = Evictions(self._evictions)
        result._order = EvictionOrder(result, by_age=self._order.by_age)
        result.leaving = Leaving()
        return result

    @property
    def memory(self) -> CacheMemory:
        """All that it remembers beside its entries."""
        return CacheMemory(
            self._reachable_factor, self._redraw_ns, self._collect_ns, self._silence,
            tuple(self._evictions.latest),
        )  # fmt: skip

    def restore(self, memory: CacheMemory, entries: Iterable[Neighbor]) -> None:
        """Take these entries as they are, and what another cache remembers; nobody is told."""
        self._reachable_factor, self._redraw_ns, self._collect_ns, self._silence, latest = memory
        self._evictions.latest.extend(latest)
        for entry in entries:
            self.entries[entry.ip] = entry
            self._in_order().place(entry)
            due_ns, entry.timer_ns = entry.timer_ns, None
            if due_ns is not None:
                self._timers.arm(entry, due_ns)

    def run_timers(self) -> None:
        """Let time pass in a copy: what was asked for when it was made goes on."""
        for entry in self.entries.values():
            if entry.state in ASKING and entry.timer_ns is not None:
                due_ns, entry.timer_ns = entry.timer_ns, None
                self._timers.arm(entry, due_ns)

    def __iter__(self) -> Iterator[Neighbor]:
        return iter(self.entries.values())

    def lookup(self, ip: int) -> Neighbor | None:
        """Return the entry of ``ip`` or None; no side effect."""
        return self.entries.get(ip)

    def thrash(self, ip: int, now: int) -> Thrash | None:
        """Return why ``ip`` has to be asked for again: evicted, and the cache is still full."""
        size = self._in_order().resolved if self._by_age else len(self.entries)
        if size < self._settings["iface.neighbor_cache_count"]:
            return None
        return self._evictions.thrash(ip, self.entries, len(self.entries), now)

    def silence(self, entry: Neighbor, now: int) -> Silence | None:
        """Return why ``entry`` was not asked for yet: another was, and not long ago."""
        return self._silence if self._is_silent(now) and not entry.probes else None

    def _is_silent(self, now: int) -> bool:
        return now < self._silence.until_ns and self._settings["neigh.rate_limit_scope"] == 1

    @property
    def reachable_ns(self) -> int:
        """Return how long an entry stays REACHABLE: 0.5 to 1.5 times the base time."""
        return int(self._settings.ns("neigh.base_reachable_time_ms") * self._reachable_factor)

    @property
    def _lifetime_ns(self) -> int:
        """The ns that an entry is true after ARP said so; 0 where states decide, as in Linux."""
        return self._settings.ns("neigh.lifetime_ms")

    # --- events from above and below ----------------------------------------------------------

    def known(self, ip: int, packet: Packet, now: int) -> Neighbor | None:
        """Send a packet to ``ip`` when that changes no state; None leaves it to ``use``."""
        entry = self.entries.get(ip)
        if entry is None or entry.state not in SENDABLE:
            return None
        if not packet.answer or entry.confirmed_ns:
            entry.used_ns = now
        return entry

    def use(
        self, ip: int, packet: Packet, now: int, *, keep: bool = True
    ) -> tuple[Neighbor, list[NeighborAction]]:
        """Send a packet to ``ip``: the actions say whether it goes or waits.

        Args:
            keep: whether it may wait; a packet that may not is lost, and only asks.

        Raises:
            NoBuffers: all entries are PERMANENT, or in use and the packet answers a stranger.
        """
        entry = self.entries.get(ip)
        actions: list[NeighborAction] = []
        if entry is None:
            entry = self._create(ip, now, actions, stranger=packet.answer)
        if not packet.answer or entry.confirmed_ns:
            entry.used_ns = now
        if not keep:
            entry.source = packet.source
        self._step(entry, NudEvent.USED, now, actions, packet, keep=keep)
        if entry.state is State.INCOMPLETE:
            self._order.place(entry)
        return entry, actions

    def ask(self, ip: int, source: int, now: int) -> tuple[Neighbor, list[NeighborAction]]:
        """Ask for ``ip`` from ``source`` when its MAC is not known; whoever wants it waits.

        Raises:
            NoBuffers: all entries are PERMANENT.
        """
        entry = self.entries.get(ip)
        actions: list[NeighborAction] = []
        if entry is None:
            entry = self._create(ip, now, actions)
        if entry.state not in VALID:
            entry.used_ns, entry.source, entry.awaited = now, source, True
            self._step(entry, NudEvent.USED, now, actions)
            self._order.place(entry)
        return entry, actions

    def unawait(self, ip: int) -> None:
        """Take note that no socket keeps packets for ``ip`` any longer."""
        entry = self.entries.get(ip)
        if entry is not None:
            entry.awaited = False

    def replied(
        self, ip: int, lladdr: bytes, now: int, *, create: bool = False, override: bool = False
    ) -> tuple[bool, list[NeighborAction]]:
        """Take a reply sent to us. Returns: whether an entry took it, and actions.

        Args:
            create: make an entry when there is none: learn what nobody asked for (arp.accept).
            override: a different MAC counts even within the locktime of a change. Otherwise the
                first of several answers does (Linux arp_process).
        """
        actions: list[NeighborAction] = []
        entry = self._taker(ip, lladdr, now, actions, create=create, override=override)
        if entry is None:
            return False, actions
        entry.confirmed_ns = now
        self._learn(entry, lladdr, now)
        self._step(entry, NudEvent.REPLIED, now, actions)
        return True, actions

    def heard(
        self, ip: int, lladdr: bytes, now: int, *, create: bool, override: bool
    ) -> tuple[bool, list[NeighborAction]]:
        """Take a MAC from ARP that proves no reachability: a request, a broadcast.

        Args:
            create: make an entry when there is none (a request addressed to us).
            override: a different MAC counts even within the locktime.

        Returns: whether an entry took it, and actions.
        """
        actions: list[NeighborAction] = []
        entry = self._taker(ip, lladdr, now, actions, create=create, override=override)
        if entry is None:
            return False, actions
        event = NudEvent.HEARD_SAME if lladdr == entry.lladdr else NudEvent.HEARD_OTHER
        if self._lifetime_ns:
            # Whatever is heard is as good as an answer (smoltcp neighbor::Cache::fill).
            event, entry.confirmed_ns = NudEvent.REPLIED, now
        self._learn(entry, lladdr, now)
        self._step(entry, event, now, actions)
        return True, actions

    def advertised(
        self, ip: int, said: Advertisement, now: int
    ) -> tuple[Advertised, list[NeighborAction]]:
        """Take what neighbor discovery says of a neighbor; it makes no entry.

        Returns: what use was made of it, and actions.

        Source: RFC 4861 7.2.5; Linux ``ndisc_recv_na``, ``__neigh_update``.
        """
        entry, actions = self.entries.get(ip), list[NeighborAction]()
        if entry is None or entry.state is State.NONE:
            return Advertised.UNKNOWN, actions
        if entry.state is State.FAILED:
            return Advertised.FAILED, actions
        if entry.state in KEPT:
            return Advertised.PERMANENT, actions
        known, lladdr = entry.state in VALID, said.lladdr
        if not known and lladdr is None:
            return Advertised.NO_LLADDR, actions
        moved = lladdr is not None and lladdr != entry.lladdr
        if known and moved and not said.override:
            self._step(entry, NudEvent.CONTRADICTED, now, actions)
            return Advertised.OVERRIDE_REFUSED, actions
        if lladdr is not None:
            entry.moves_to(lladdr, now)
            self._learn(entry, lladdr, now)
        self._router(entry, said.router)
        event = NudEvent.HEARD_OTHER if moved else NudEvent.HEARD_SAME
        if said.solicited or self._lifetime_ns:
            event, entry.confirmed_ns = NudEvent.REPLIED, now
        self._step(entry, event, now, actions)
        return Advertised.TAKEN, actions

    def _router(self, entry: Neighbor, router: bool) -> None:
        """Note whether a neighbor is a router, and tell of the change."""
        if entry.router is not router:
            entry.router, self._moved = router, True

    def confirm(self, ip: int, now: int) -> None:
        """Take an upper layer's word that ``ip`` was just reached (RFC 4861 7.3.1)."""
        entry = self.entries.get(ip)
        if entry is not None and entry.state in VALID and not self._lifetime_ns:
            entry.confirmed_ns = now
            self._step(entry, NudEvent.CONFIRMED, now, [])

    def expire(self, now: int) -> list[NeighborAction]:
        """Run the timers that are due at ``now``; of very many, ``deadline`` has the rest."""
        actions: list[NeighborAction] = []
        for entry in islice(self._timers.due(now), MANY):
            if self.entries.get(entry.ip) is entry:
                entry.timer_ns = None
                self._timeout(entry, now, actions)
        if now >= self._redraw_ns:
            self._reachable_factor = 0.5 + self._random()
            self._redraw_ns = now + _RANDOM_PERIOD_NS
        if now >= self._collect_ns:
            actions += self._collect(now)
            self._collect_ns = now + self._settings.ns("neigh.base_reachable_time_ms") // 2
        return actions

    def deadline(self) -> int | None:
        """Return when ``expire`` is next due, None when no timer runs."""
        return self._timers.deadline()

    # --- the user -----------------------------------------------------------------------------

    def set(self, ip: int, state: State, lladdr: bytes | None, now: int) -> list[NeighborAction]:
        """Make or change an entry as the user says (Linux neigh_update with F_ADMIN).

        Raises:
            NoBuffers: all entries are PERMANENT.
        """
        actions: list[NeighborAction] = []
        entry = self.entries.get(ip) or self._create(ip, now, actions)
        entry.used_ns = now
        if lladdr is not None:
            self._learn(entry, lladdr, now)
        if state in (State.REACHABLE, State.PERMANENT) or self._lifetime_ns:
            entry.confirmed_ns = now
        entry.by_hand = state is State.INCOMPLETE
        if state is State.INCOMPLETE:
            entry.probes = 0
        self._enter(entry, state, now)
        if state in VALID and entry.queue:
            actions.append(Transmit(entry, entry.take_queue()))
        elif state not in VALID and state is not State.INCOMPLETE and entry.queue:
            actions.append(GiveUp(entry, entry.take_queue(), by_hand=True))
        if state is not State.INCOMPLETE:
            self._release(entry, actions)
        if entry.state is State.PROBE:
            self._probe(entry, now, actions)
        return actions

    def delete(self, ip: int, cause: str = "deleted") -> list[NeighborAction]:
        """Take an entry out. The packets that waited for it are purged."""
        entry = self.entries[ip]
        self._forget(entry)
        return [Purged(entry, entry.take_queue(), cause)] if entry.queue else []

    def flush(
        self, cause: str = "deleted", *, keep_permanent: bool = False
    ) -> list[NeighborAction]:
        """Take all entries out: link down, a new MAC, or carrier lost.

        Of many, who watches hears afterwards (``leave``), and so does whoever waits. An entry that
        somebody still holds is not told: the caller touches the generation.
        """
        gone, kept = self.entries, dict[int, Neighbor]()
        if keep_permanent and self._in_order().counts[Standing.PERMANENT]:
            permanent = State.PERMANENT  # of an enum it costs as much again
            kept = {ip: entry for ip, entry in gone.items() if entry.state is permanent}
            gone = {ip: entry for ip, entry in gone.items() if ip not in kept}
        self.entries = kept
        self._order.clear(keep_permanent=bool(kept))
        self._timers.clear()
        self.leaving.add(gone, cause)
        return self.leave(MANY) if 0 < len(gone) <= MANY else []

    def forget(self, gone: Sequence[Neighbor]) -> list[NeighborAction]:
        """Take these entries out, as ``flush`` does."""
        entries = self.entries
        if len(gone) == len(entries):
            return self.flush()
        for entry in gone:
            del entries[entry.ip]
        self._order.drop(gone)
        self.leaving.add({entry.ip: entry for entry in gone}, "deleted")
        return self.leave(MANY) if 0 < len(gone) <= MANY else []

    def leave(self, limit: int = A_TURN) -> list[NeighborAction]:
        """Tell of some that were taken out; ``leaving`` has the rest."""
        return self._tell(self.leaving.take(limit))

    def _tell(self, left: Left) -> list[NeighborAction]:
        actions: list[NeighborAction] = []
        on_change, none, deleted = self.on_change, State.NONE, events.ChangeType.DELETED
        for entry in left.entries.values():
            if on_change is not None and entry.state is not none:
                on_change(deleted, entry)
            if entry.queue:
                actions.append(Purged(entry, entry.take_queue(), left.cause))
        return actions

    # --- inside -------------------------------------------------------------------------------

    def _step(
        self, entry: Neighbor, event: NudEvent, now: int, actions: list[NeighborAction],
        packet: Packet | None = None, *, keep: bool = True,
    ) -> None:  # fmt: skip
        """Apply one row of the table."""
        row = TRANSITIONS.get((entry.state, event))
        if row is None:
            return
        state, do = row
        if state in VALID and entry.state not in VALID and self._by_age:
            with suppress(NoBuffers):  # what was asked for is not thrown away for an entry by hand
                self._make_room(entry.ip, now, actions, resolved=True)
        if state is not entry.state or event in RENEWING:
            self._enter(entry, state, now)
        if do is Do.SEND and packet is not None:
            actions.append(Transmit(entry, [packet]))
        if do in (Do.QUEUE, Do.QUEUE_AND_PROBE) and packet is not None and keep:
            actions += entry.push(packet, self._settings)
        if do in (Do.PROBE, Do.QUEUE_AND_PROBE):
            self._probe(entry, now, actions)
        if do is Do.FLUSH and entry.queue:
            # Sending is a use: it takes a STALE entry on to DELAY (Linux neigh_update calls
            # n1->output for each packet).
            packets = entry.take_queue()
            self._step(entry, NudEvent.USED, now, [])
            entry.used_ns = now
            actions.append(Transmit(entry, packets))
        if do is Do.FAIL and entry.queue:
            actions.append(GiveUp(entry, entry.take_queue()))
        if do in (Do.FLUSH, Do.FAIL):
            self._release(entry, actions)

    def _enter(self, entry: Neighbor, state: State, now: int) -> None:
        """Change the state, set the timer that belongs to it, and tell what changed."""
        before, moved, self._moved = entry.state, self._moved, False
        lifetime_ns = self._lifetime_ns
        if lifetime_ns and state in (State.STALE, State.DELAY, State.PROBE):
            state = State.REACHABLE  # it is true until its time is over, and nobody is asked before
        if state is not before:
            entry.updated_ns = now
            if state in (State.INCOMPLETE, State.PROBE):
                entry.probes = 0
        entry.state = state
        self._order.place(entry)
        if state is State.REACHABLE:
            self._timers.arm(entry, entry.confirmed_ns + (lifetime_ns or self.reachable_ns))
        elif state is State.DELAY:
            self._timers.arm(entry, now + self._settings.ns("neigh.delay_first_probe_time_ms"))
        elif state in (State.INCOMPLETE, State.PROBE):
            self._timers.arm(entry, now + self._settings.ns("neigh.retrans_time_ms"))
        else:
            entry.timer_ns = None
        if self.on_change is not None and (moved or state is not before):
            self.on_change(
                events.ChangeType.NEW if before is State.NONE else events.ChangeType.CHANGED, entry
            )

    def _timeout(self, entry: Neighbor, now: int, actions: list[NeighborAction]) -> None:
        lifetime_ns = self._lifetime_ns
        until_ns = entry.confirmed_ns + (lifetime_ns or self.reachable_ns)
        if entry.state is State.REACHABLE and now < until_ns:
            self._timers.arm(entry, until_ns)
        elif (event := timer_event(entry, self._settings, now)) is not None:
            self._step(entry, event, now, actions)
        else:
            self._forget(entry)

    def _probe(self, entry: Neighbor, now: int, actions: list[NeighborAction]) -> None:
        """Ask, unless somebody else was asked for just now and the whole cache keeps quiet."""
        if self._is_silent(now):
            self._timers.arm(entry, self._silence.until_ns)
            return
        if not entry.probes:
            entry.asked_ns = now
        entry.probes += 1
        again_ns = now + self._settings.ns("neigh.retrans_time_ms")
        self._silence = Silence(again_ns, entry.ip)
        self._timers.arm(entry, again_ns)
        unicast = entry.state is State.PROBE and entry.lladdr is not None
        actions.append(SendProbe(entry, unicast))

    def _release(self, entry: Neighbor, actions: list[NeighborAction]) -> None:
        if entry.awaited:
            entry.awaited = False
            actions.append(Released(entry, failed=entry.state not in VALID))

    def _learn(self, entry: Neighbor, lladdr: bytes, now: int) -> None:
        if lladdr != entry.lladdr:
            entry.lladdr = lladdr
            entry.updated_ns = now
            self._moved = True

    def _taker(
        self,
        ip: int,
        mac: bytes,
        now: int,
        actions: list[NeighborAction],
        *,
        create: bool,
        override: bool,
    ) -> Neighbor | None:
        """Return the entry that may take a MAC, made when that is wanted and there is room.

        Within the locktime of a change none takes another MAC (Linux locktime).
        """
        entry = self.entries.get(ip)
        if entry is None and create:
            with suppress(NoBuffers):
                entry = self._create(ip, now, actions, stranger=True)
        if entry is None or entry.state in KEPT:
            return None
        locked_ns = self._settings.ns("neigh.locktime_ms")
        locked = entry.state in VALID and mac != entry.lladdr and now < entry.updated_ns + locked_ns
        if locked and not override:
            return None
        entry.moves_to(mac, now)
        return entry

    def _create(
        self, ip: int, now: int, actions: list[NeighborAction], *, stranger: bool = False
    ) -> Neighbor:
        """Make an entry; where eviction is by age one needs a place only once it is resolved."""
        self._make_room(ip, now, actions, resolved=False, stranger=stranger)
        if self.leaving:
            actions += self._tell(self.leaving.take_one(ip))
        entry = self.entries[ip] = Neighbor(ip, now)
        self._order.place(entry)
        if self.noarp_mac is not None:
            self._learn(entry, self.noarp_mac, now)
            self._enter(entry, State.NOARP, now)
        return entry

    @property
    def _by_age(self) -> bool:
        return self._settings["neigh.evict"] == OLDEST

    def _in_order(self) -> EvictionOrder:
        """Return the order of eviction; anew when the sysctl has changed."""
        if self._order.by_age is not self._by_age:
            self._order = EvictionOrder(self, by_age=self._by_age)
        return self._order

    @property
    def taken(self) -> str:
        """By what all places are taken when there is none for one more."""
        capacity = self._settings["iface.neighbor_cache_count"]
        full = self._in_order().counts[Standing.PERMANENT] >= capacity
        return "permanent" if full else "in use"

    def _make_room(
        self, ip: int, now: int, actions: list[NeighborAction], *, resolved: bool,
        stranger: bool = False,
    ) -> None:  # fmt: skip
        """Evict until one more fits: among all, or by age among those of the same kind.

        Raises:
            NoBuffers: all entries are PERMANENT, or for a stranger in use.
        """
        capacity = self._settings["iface.neighbor_cache_count"]
        if len(self.entries) < capacity:
            return
        order = self._in_order()
        if order.counts[Standing.PERMANENT] >= capacity:
            raise NoBuffers(f"all {capacity} neighbor entries are permanent")
        idle_since = now - self._settings.ns("neigh.delay_first_probe_time_ms")
        while self._rivals(order, resolved=resolved) >= capacity:
            victim = order.first(idle_since, stranger=stranger, resolved=resolved)
            if victim is None:
                raise NoBuffers(f"all {capacity} neighbor entries are in use")
            if victim.state is not State.FAILED:  # that one would have to be asked for anyway
                self._evictions.note(victim.ip, ip, now)
            self._forget(victim)
            actions.append(Evicted(victim, ip, victim.take_queue()))

    def _rivals(self, order: EvictionOrder, *, resolved: bool) -> int:
        """Return how many entries compete for a place."""
        if not order.by_age:
            return len(self.entries)
        return order.resolved if resolved else len(self.entries) - order.resolved

    def _collect(self, now: int) -> list[NeighborAction]:
        """Forget entries that nobody used for long, when there are many (Linux gc_thresh1)."""
        many = len(self.entries) > self._settings["neigh.gc_thresh1"]
        since = now - self._settings.ns("neigh.gc_stale_time_ms")
        return self.forget(collectable(self, since)) if many else []

    def _forget(self, entry: Neighbor) -> None:
        """Take an entry out; NONE tells whoever still holds it that it is no longer true."""
        del self.entries[entry.ip]
        self._order.drop((entry,))
        if self.on_change is not None and entry.state is not State.NONE:
            self.on_change(events.ChangeType.DELETED, entry)
        entry.timer_ns = None
        entry.state = State.NONE
