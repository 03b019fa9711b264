"""Deadlines of neighbor entries: a heap in which superseded timers stay."""

import heapq
from collections.abc import Iterator

from smolctl.stack.alarm import Alarm
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.neighbor.states import NudEvent, State
from smolctl.stack.sysctl.link_settings import Values


class EntryTimers:
    """The timers of one cache, at most one for each entry; its ``timer_ns`` says which is true."""

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self._heap: list[tuple[int, int, Neighbor]] = []
        self._serial = 0
        self._sweep_at = 64

    def __len__(self) -> int:
        return len(self._heap)

    def arm(self, entry: Neighbor, at: int) -> None:
        """Have an entry due at ``at`` instead of whenever it was."""
        if entry.timer_ns == at:
            return
        entry.timer_ns = at
        self._alarm.set(at)
        self._serial += 1
        heapq.heappush(self._heap, (at, self._serial, entry))
        if len(self._heap) > self._sweep_at:
            self.sweep()

    def clear(self) -> None:
        """Forget all timers."""
        self._heap.clear()

    def sweep(self) -> None:
        """Forget superseded timers, before they outnumber the rest."""
        # In place: ``due`` may be walking the heap.
        self._heap[:] = [item for item in self._heap if item[2].timer_ns == item[0]]
        heapq.heapify(self._heap)
        self._sweep_at = 64 + 4 * len(self._heap)

    def due(self, now: int) -> Iterator[Neighbor]:
        """Yield the entries that are due, those first whose timer is older."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            at, _, entry = heapq.heappop(heap)
            if entry.timer_ns == at:
                yield entry

    def deadline(self) -> int | None:
        """Return when the next entry is due, None when no timer runs."""
        heap = self._heap
        while heap and heap[0][2].timer_ns != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None


def timer_event(entry: Neighbor, settings: Values, now: int) -> NudEvent | None:
    """Return what it means that an entry's timer is due (Linux neigh_timer_handler).

    None: it is forgotten, because its lifetime is over or nobody waits for it any longer.
    """
    if entry.state is State.REACHABLE:
        if settings["neigh.lifetime_ms"]:
            return None
        delay_ns = settings.ns("neigh.delay_first_probe_time_ms")
        if entry.used_ns and now <= entry.used_ns + delay_ns:
            return NudEvent.REACHABLE_EXPIRED_IN_USE
        return NudEvent.REACHABLE_EXPIRED
    if entry.state is State.DELAY:
        return (
            NudEvent.DELAY_EXPIRED if settings["neigh.ucast_solicit"] else NudEvent.PROBES_EXHAUSTED
        )
    if entry.state is State.PROBE:
        over = entry.probes >= settings["neigh.ucast_solicit"]
    elif not (entry.queue or entry.awaited or entry.by_hand):
        return None  # what asked for it was lost
    else:
        limit = settings["neigh.mcast_solicit"]
        over = 0 < limit <= entry.probes
    return NudEvent.PROBES_EXHAUSTED if over else NudEvent.RETRANSMIT
