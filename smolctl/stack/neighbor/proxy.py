"""Proxy entries: addresses of others that a link answers for, and requests that wait for it.

A table: it sends nothing. Linux's pneigh entries and its proxy queue (``pneigh_enqueue``).
"""

import heapq
from collections.abc import Callable
from typing import NamedTuple

from smolctl.stack.alarm import Alarm
from smolctl.stack.duplicate import duplicate
from smolctl.stack.sysctl.link_settings import Values
from smolctl.stack.trace.trace import Trace
from smolctl.wire.arp import ArpPacket
from smolctl.wire.ndp import NeighborSolicitation


class ProxyEntry(NamedTuple):
    """An address of somebody else's, for which this stack answers.

    Attributes:
        router: of IPv6: the answer says that it is a router.
    """

    ip: int
    router: bool = False


class NeighborRequest(NamedTuple):
    """A request for the MAC address of a neighbor, which is answered at once or later.

    Attributes:
        source: who asks; of IPv6 ``::`` if he tests the address.
        target: the address that he asks for.
        trace: of the request.
    """

    message: ArpPacket | NeighborSolicitation
    source: int
    target: int
    trace: Trace


class Proxies:
    """The proxy entries of one interface, and its queue.

    Args:
        random: returns a float in [0, 1).

    Attributes:
        queue: requests by when they are due.
    """

    def __init__(self, settings: Values, random: Callable[[], float], alarm: Alarm) -> None:
        self._settings, self._alarm = settings, alarm
        self._random = random
        self.entries: dict[int, ProxyEntry] = {}
        self.queue: list[tuple[int, int, NeighborRequest]] = []
        self._serial = 0

    def clone(self, settings: Values, random: Callable[[], float], alarm: Alarm) -> "Proxies":
        """Return a copy that shares the entries, which no packet changes."""
        clone = duplicate(self)
        clone._settings, clone._random, clone._alarm = settings, random, alarm
        clone.queue = self.queue.copy()
        return clone

    def delay(self, asked: NeighborRequest, now: int) -> int | None:
        """Queue a request for a random time up to neigh.proxy_delay_ms.

        Returns:
            How long it waits, ns; None when the queue is full.
        """
        if len(self.queue) >= self._settings["neigh.proxy_qlen"]:
            return None
        wait = int(self._random() * self._settings.ns("neigh.proxy_delay_ms"))
        self._serial += 1
        self._alarm.set(now + wait)
        heapq.heappush(self.queue, (now + wait, self._serial, asked))
        return wait

    def deadline(self) -> int | None:
        """Return when a request is next due."""
        return self.queue[0][0] if self.queue else None

    def due(self, now: int) -> list[NeighborRequest]:
        """Take out the requests that are due."""
        taken = []
        while self.queue and self.queue[0][0] <= now:
            taken.append(heapq.heappop(self.queue)[2])
        return taken

    def purge(self) -> list[NeighborRequest]:
        """Take out all requests."""
        taken = [delayed for _, _, delayed in sorted(self.queue, key=lambda item: item[:2])]
        self.queue.clear()
        return taken
