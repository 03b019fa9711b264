"""The neighbor cache of one interface: which MAC a next hop has, and how sure we are.

The state machine is the table in ``neighbor_state.py``; this file decides which event happened. The
cache sends nothing: its methods return actions, which egress carries out.
"""

import heapq
from collections.abc import Callable, Iterator
from copy import copy

from smolctl.errors import NoBuffers
from smolctl.stack import events
from smolctl.stack.eviction import Evictions, Thrash
from smolctl.stack.neighbor_entry import (
    Action,
    Evicted,
    GiveUp,
    Neighbor,
    Overflow,
    Purged,
    Queued,
    SendProbe,
    Transmit,
)
from smolctl.stack.neighbor_state import TRANSITIONS, VALID, Do, Event, State
from smolctl.stack.settings import Settings

_RENEWING = frozenset({Event.CONFIRMED, Event.REPLIED, Event.HEARD_OTHER})
"""Events that make a state begin anew, or bring a new MAC, even when the state stays the same."""
_RANDOM_PERIOD_NS = 300_000_000_000
"""How often the reachable time is drawn anew (Linux neigh_periodic_work: every 300 s)."""


class NeighborCache:
    """All neighbors of one interface, at most ``iface.neighbor_cache_count`` of them.

    Args:
        settings: the stack's knobs, read when they are needed, so that a change works at once.
        random: returns a float in [0, 1); varies the reachable time (RFC 4861 6.3.2).
    """

    def __init__(self, settings: Settings, random: Callable[[], float]) -> None:
        self.entries: dict[int, Neighbor] = {}
        self._settings = settings
        self._random = random
        self._timers: list[tuple[int, int, Neighbor]] = []
        self._evictions = Evictions()
        self._serial = 0
        self._reachable_factor = 0.5 + random()
        self._redraw_ns = 0
        self._collect_ns = 0
        self._moved = False  # a MAC changed just now
        self.on_change: Callable[[events.Action, Neighbor], None] | None = None

    def twin(self, random: Callable[[], float]) -> "NeighborCache":
        """Return a copy in which no time passes; nobody hears of the packets that wait in it."""
        result = copy(self)
        result.entries = {ip: entry.twin() for ip, entry in self.entries.items()}
        result._timers, result._random, result.on_change = [], random, None
        result._evictions = Evictions(self._evictions)
        return result

    def __iter__(self) -> Iterator[Neighbor]:
        return iter(self.entries.values())

    def lookup(self, ip: int) -> Neighbor | None:
        """Return the entry of ``ip`` or None; no side effect."""
        return self.entries.get(ip)

    def thrash(self, ip: int, now: int) -> Thrash | None:
        """Return why ``ip`` has to be asked for again: evicted, and the cache is still full."""
        if len(self.entries) < self._settings["iface.neighbor_cache_count"]:
            return None
        return self._evictions.thrash(ip, self.entries, len(self.entries), now)

    @property
    def reachable_ns(self) -> int:
        """Return how long an entry stays REACHABLE: 0.5 to 1.5 times the base time."""
        return int(self._settings.ns("neigh.base_reachable_time_ms") * self._reachable_factor)

    # --- events from above and below ----------------------------------------------------------

    def use(self, ip: int, queued: Queued, now: int) -> tuple[Neighbor, list[Action]]:
        """Send a packet to ``ip``: the actions say whether it goes or waits.

        Raises:
            NoBuffers: the cache is full of PERMANENT entries.
        """
        entry = self.entries.get(ip)
        actions: list[Action] = []
        if entry is None:
            entry = self._create(ip, now, actions)
        entry.used_ns = now
        self._step(entry, Event.USED, now, actions, queued=queued)
        return entry, actions

    def replied(
        self, ip: int, lladdr: bytes, now: int, *, create: bool = False, override: bool = False
    ) -> tuple[bool, list[Action]]:
        """Take a reply sent to us. Returns: whether an entry took it, and actions.

        Args:
            create: make an entry when there is none: learn what nobody asked for (arp.accept).
            override: a different MAC counts even within the locktime of a change. Otherwise the
                first of several answers does (Linux arp_process).
        """
        actions: list[Action] = []
        entry = self._entry(ip, now, actions, create=create)
        if entry is None or entry.state is State.PERMANENT:
            return False, actions
        if not override and self._locked(entry, lladdr, now):
            return False, actions
        entry.confirmed_ns = now
        self._learn(entry, lladdr, now)
        self._step(entry, Event.REPLIED, now, actions)
        return True, actions

    def heard(
        self, ip: int, lladdr: bytes, now: int, *, create: bool, override: bool
    ) -> tuple[bool, list[Action]]:
        """Take a MAC from ARP that proves no reachability: a request, a broadcast.

        Args:
            create: make an entry when there is none (a request addressed to us).
            override: a different MAC counts even within the locktime.

        Returns: whether an entry took it, and actions.
        """
        actions: list[Action] = []
        entry = self._entry(ip, now, actions, create=create)
        if entry is None or entry.state is State.PERMANENT:
            return False, actions
        if not override and self._locked(entry, lladdr, now):
            return False, actions
        event = Event.HEARD_SAME if lladdr == entry.lladdr else Event.HEARD_OTHER
        self._learn(entry, lladdr, now)
        self._step(entry, event, now, actions)
        return True, actions

    def confirm(self, ip: int, now: int) -> None:
        """Take an upper layer's word that ``ip`` was just reached (RFC 4861 7.3.1)."""
        entry = self.entries.get(ip)
        if entry is not None and entry.state in VALID:
            entry.confirmed_ns = now
            self._step(entry, Event.CONFIRMED, now, [])

    def expire(self, now: int) -> list[Action]:
        """Run the timers that are due at ``now``."""
        actions: list[Action] = []
        timers = self._timers
        while timers and timers[0][0] <= now:
            due, _, entry = heapq.heappop(timers)
            if entry.timer_ns == due and self.entries.get(entry.ip) is entry:
                entry.timer_ns = None
                self._timeout(entry, now, actions)
        if now >= self._redraw_ns:
            self._reachable_factor = 0.5 + self._random()
            self._redraw_ns = now + _RANDOM_PERIOD_NS
        if now >= self._collect_ns:
            self._collect(now)
            self._collect_ns = now + self._settings.ns("neigh.base_reachable_time_ms") // 2
        return actions

    def deadline(self) -> int | None:
        """Return when ``expire`` is next due, None when no timer runs."""
        timers = self._timers
        while timers and timers[0][2].timer_ns != timers[0][0]:
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    # --- the user -----------------------------------------------------------------------------

    def set(self, ip: int, state: State, lladdr: bytes | None, now: int) -> list[Action]:
        """Make or change an entry as the user says (Linux neigh_update with F_ADMIN).

        Raises:
            NoBuffers: the cache is full of PERMANENT entries.
        """
        actions: list[Action] = []
        entry = self.entries.get(ip) or self._create(ip, now, actions)
        if lladdr is not None:
            self._learn(entry, lladdr, now)
        if state in (State.REACHABLE, State.PERMANENT):
            entry.confirmed_ns = now
        if state is State.INCOMPLETE:
            entry.probes = 0
        self._enter(entry, state, now)
        if state in VALID and entry.queue:
            actions.append(Transmit(entry, self._take_queue(entry)))
        elif state not in VALID and state is not State.INCOMPLETE and entry.queue:
            actions.append(GiveUp(entry, self._take_queue(entry)))
        if state is State.PROBE:
            actions.append(self._probe(entry, now))
        return actions

    def delete(self, ip: int) -> list[Action]:
        """Take an entry out. The packets that waited for it are purged."""
        entry = self.entries[ip]
        self._forget(entry)
        return [Purged(entry, self._take_queue(entry))] if entry.queue else []

    def flush(self, *, keep_permanent: bool = False) -> list[Action]:
        """Take all entries out: link down, a new MAC, or carrier lost."""
        actions: list[Action] = []
        for entry in list(self):
            if not (keep_permanent and entry.state is State.PERMANENT):
                actions += self.delete(entry.ip)
        return actions

    # --- inside -------------------------------------------------------------------------------

    def _step(
        self,
        entry: Neighbor,
        event: Event,
        now: int,
        actions: list[Action],
        queued: Queued | None = None,
    ) -> None:
        """Apply one row of the table."""
        row = TRANSITIONS.get((entry.state, event))
        if row is None:
            return
        state, do = row
        if state is not entry.state or event in _RENEWING:
            self._enter(entry, state, now)
        if do is Do.SEND and queued is not None:
            actions.append(Transmit(entry, [queued]))
        if do in (Do.QUEUE, Do.QUEUE_AND_PROBE) and queued is not None:
            self._push(entry, queued, actions)
        if do in (Do.PROBE, Do.QUEUE_AND_PROBE):
            actions.append(self._probe(entry, now))
        if do is Do.FLUSH and entry.queue:
            # Sending is a use: it takes a STALE entry on to DELAY (Linux neigh_update calls
            # n1->output for each packet).
            packets = self._take_queue(entry)
            self._step(entry, Event.USED, now, [])
            entry.used_ns = now
            actions.append(Transmit(entry, packets))
        if do is Do.FAIL and entry.queue:
            actions.append(GiveUp(entry, self._take_queue(entry)))

    def _enter(self, entry: Neighbor, state: State, now: int) -> None:
        """Change the state, set the timer that belongs to it, and tell what changed."""
        before, moved, self._moved = entry.state, self._moved, False
        if state is not before:
            entry.updated_ns = now
            if state in (State.INCOMPLETE, State.PROBE):
                entry.probes = 0
        entry.state = state
        if state is State.REACHABLE:
            self._arm(entry, entry.confirmed_ns + self.reachable_ns)
        elif state is State.DELAY:
            self._arm(entry, now + self._settings.ns("neigh.delay_first_probe_time_ms"))
        elif state in (State.INCOMPLETE, State.PROBE):
            self._arm(entry, now + self._settings.ns("neigh.retrans_time_ms"))
        else:
            entry.timer_ns = None
        if self.on_change is not None and (moved or state is not before):
            self.on_change(
                events.Action.NEW if before is State.NONE else events.Action.CHANGED, entry
            )

    def _timeout(self, entry: Neighbor, now: int, actions: list[Action]) -> None:
        """Decide which timer event it was (Linux neigh_timer_handler)."""
        delay_ns = self._settings.ns("neigh.delay_first_probe_time_ms")
        if entry.state is State.REACHABLE:
            expiry = entry.confirmed_ns + self.reachable_ns
            if now < expiry:
                self._arm(entry, expiry)
            elif entry.used_ns and now <= entry.used_ns + delay_ns:
                self._step(entry, Event.REACHABLE_EXPIRED_IN_USE, now, actions)
            else:
                self._step(entry, Event.REACHABLE_EXPIRED, now, actions)
        elif entry.state is State.DELAY:
            asks = self._settings["neigh.ucast_solicit"] > 0
            event = Event.DELAY_EXPIRED if asks else Event.PROBES_EXHAUSTED
            self._step(entry, event, now, actions)
        elif entry.state in (State.INCOMPLETE, State.PROBE):
            unicast = entry.state is State.PROBE
            limit = self._settings["neigh.ucast_solicit" if unicast else "neigh.mcast_solicit"]
            if entry.probes >= limit:
                self._step(entry, Event.PROBES_EXHAUSTED, now, actions)
            else:
                self._step(entry, Event.RETRANSMIT, now, actions)

    def _probe(self, entry: Neighbor, now: int) -> SendProbe:
        entry.probes += 1
        self._arm(entry, now + self._settings.ns("neigh.retrans_time_ms"))
        return SendProbe(entry, unicast=entry.state is State.PROBE and entry.lladdr is not None)

    def _learn(self, entry: Neighbor, lladdr: bytes, now: int) -> None:
        if lladdr != entry.lladdr:
            entry.lladdr = lladdr
            entry.updated_ns = now
            self._moved = True

    def _locked(self, entry: Neighbor, lladdr: bytes, now: int) -> bool:
        """Tell whether a different MAC comes too soon after the last change (Linux locktime)."""
        return (
            entry.state in VALID
            and lladdr != entry.lladdr
            and now < entry.updated_ns + self._settings.ns("neigh.locktime_ms")
        )

    def _push(self, entry: Neighbor, queued: Queued, actions: list[Action]) -> None:
        """Queue a packet, oldest out first (RFC 1122 2.3.2.2: SHOULD save the latest)."""
        settings = self._settings
        entry.queue.append(queued)
        entry.queue_bytes += len(queued.packet)
        while len(entry.queue) > 1 and (
            len(entry.queue) > settings["neigh.unres_qlen"]
            or entry.queue_bytes > settings["neigh.unres_qlen_bytes"]
        ):
            oldest = entry.queue.popleft()
            entry.queue_bytes -= len(oldest.packet)
            actions.append(Overflow(entry, oldest))

    def _take_queue(self, entry: Neighbor) -> list[Queued]:
        packets = list(entry.queue)
        entry.queue.clear()
        entry.queue_bytes = 0
        return packets

    def _entry(self, ip: int, now: int, actions: list[Action], *, create: bool) -> Neighbor | None:
        """Return the entry of ``ip``, made when that is wanted and there is room."""
        entry = self.entries.get(ip)
        if entry is None and create:
            try:
                entry = self._create(ip, now, actions)
            except NoBuffers:
                return None
        return entry

    def _create(self, ip: int, now: int, actions: list[Action]) -> Neighbor:
        capacity = self._settings["iface.neighbor_cache_count"]
        while len(self.entries) >= capacity:
            victim = self._victim(now, capacity)
            packets = self._take_queue(victim)
            if victim.state is not State.FAILED:  # that one would have to be asked for anyway
                self._evictions.note(victim.ip, ip, now)
            self._forget(victim)
            actions.append(Evicted(victim, ip, packets))
        entry = self.entries[ip] = Neighbor(ip, now)
        return entry

    def _victim(self, now: int, capacity: int) -> Neighbor:
        """Choose whom to evict: what failed, what is idle, what is in use, what has packets.

        Among equals the one used longest ago goes. One pass over the cache, and only when it is
        full. A PERMANENT entry is never chosen.

        Raises:
            NoBuffers: evicting all others would not make room either (the capacity was lowered).
        """
        in_use_since = now - self._settings.ns("neigh.delay_first_probe_time_ms")

        def worth(entry: Neighbor) -> tuple[int, int]:
            if entry.queue:
                return 3, entry.used_ns
            if entry.state is State.FAILED:
                return 0, entry.used_ns
            last = max(entry.used_ns, entry.created_ns)
            return (2 if last > in_use_since else 1), last

        candidates = [entry for entry in self if entry.state is not State.PERMANENT]
        if len(self.entries) - len(candidates) >= capacity:
            raise NoBuffers(f"all {capacity} neighbor entries are permanent")
        return min(candidates, key=worth)

    def _collect(self, now: int) -> None:
        """Forget entries that nobody used for long, when there are many (Linux gc_thresh1)."""
        if len(self.entries) <= self._settings["neigh.gc_thresh1"]:
            return
        limit = now - self._settings.ns("neigh.gc_stale_time_ms")
        for entry in list(self):
            last = max(entry.used_ns, entry.updated_ns)
            if entry.state in (State.STALE, State.FAILED) and last < limit and not entry.queue:
                self._forget(entry)

    def _forget(self, entry: Neighbor) -> None:
        """Take an entry out; NONE tells whoever still holds it that it is no longer true."""
        del self.entries[entry.ip]
        if self.on_change is not None and entry.state is not State.NONE:
            self.on_change(events.Action.DELETED, entry)
        entry.timer_ns = None
        entry.state = State.NONE

    def _arm(self, entry: Neighbor, at: int) -> None:
        if entry.timer_ns == at:
            return
        entry.timer_ns = at
        self._serial += 1
        heapq.heappush(self._timers, (at, self._serial, entry))
        if len(self._timers) > 64 + 4 * len(self.entries):
            # Superseded timers are left in the heap; sweep them before they outnumber the rest.
            # In place: ``expire`` may be walking it.
            self._timers[:] = [item for item in self._timers if item[2].timer_ns == item[0]]
            heapq.heapify(self._timers)
