"""Lifetimes of addresses: when they are deprecated, and removed (RFC 4862 5.5.4).

A table: it says what is due; ``address_lifetimes`` carries it out.
"""

from typing import NamedTuple

from smolctl.stack.alarm import NEVER, Alarm
from smolctl.stack.ip.addresses import Address
from smolctl.stack.timer_heap import TimerHeap

A_TURN = 50
"""Most addresses that end in one call: 5 ms, among 10,000."""


class Due(NamedTuple):
    """An address whose time has run out.

    Attributes:
        gone: it is not valid any more, else no longer preferred.
    """

    address: Address
    gone: bool


class _Ending:
    """The next end of an address."""

    __slots__ = ("address", "at_ns", "heap_ns")

    def __init__(self, address: Address) -> None:
        self.address, self.at_ns, self.heap_ns = address, NEVER, NEVER

    def due_ns(self) -> int:
        """Return when it is."""
        return self.at_ns


class Lifetimes:
    """The addresses of one interface that do not last for ever."""

    def __init__(self, alarm: Alarm) -> None:
        self._timers = TimerHeap(alarm)
        self._timed: dict[Address, _Ending] = {}

    @property
    def due_ns(self) -> int | None:
        """The time at which one of them is next deprecated or removed."""
        return self._timers.deadline()

    def watch(self, address: Address, now: int) -> None:
        """Take note of the lifetime that an address has now."""
        address.deprecated = address.lifetime.preferred_left(now) == 0
        end_ns = address.lifetime.next_ns(now)
        if end_ns is None:
            self.forget(address)
            return
        ending = self._timed.setdefault(address, _Ending(address))
        ending.at_ns = end_ns
        self._timers.set(ending)

    def forget(self, address: Address) -> None:
        """Take note that an address is there no more, or for ever."""
        ending = self._timed.pop(address, None)
        if ending is not None:
            ending.at_ns = NEVER

    def expire(self, now: int) -> list[Due]:
        """Return some of what is due, to be deprecated or removed; ``due_ns`` has the rest.

        A primary address waits for its secondaries, which would all go with it.
        """
        due, primaries = list[Due](), list[_Ending]()
        for _ in range(A_TURN):
            ending = self._timers.take(now)
            if ending is None:
                break
            assert isinstance(ending, _Ending)
            address = ending.address
            if address.lifetime.valid_left(now):
                if not (address.deprecated or address.lifetime.preferred_left(now)):
                    due.append(Due(address, False))
                ending.at_ns = address.lifetime.next_ns(now) or NEVER
                self._timers.set(ending)
            elif address.secondary:
                due.append(Due(address, True))
            else:
                primaries.append(ending)
        if not any(each.address.secondary for each in due):
            return [*due, *(Due(ending.address, True) for ending in primaries)]
        for ending in primaries:
            ending.at_ns = now
            self._timers.set(ending)
        return due
