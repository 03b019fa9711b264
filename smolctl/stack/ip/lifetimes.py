"""Lifetimes of addresses: when they are deprecated, and removed (RFC 4862 5.5.4).

A table: it says what is due; ``address_lifetimes`` carries it out.
"""

from typing import NamedTuple

from smolctl.stack.alarm import Alarm
from smolctl.stack.ip.addresses import Address


class Due(NamedTuple):
    """An address whose time has run out.

    Attributes:
        gone: it is not valid any more, else no longer preferred.
    """

    address: Address
    gone: bool


class Lifetimes:
    """The addresses of one interface that do not last for ever.

    Attributes:
        due_ns: when one of them is next deprecated or removed.
    """

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self._timed: dict[Address, None] = {}
        self.due_ns: int | None = None

    def watch(self, address: Address, now: int) -> None:
        """Take note of the lifetime that an address has now."""
        address.deprecated = address.lifetime.preferred_left(now) == 0
        if address.lifetime.next_ns(now) is None:
            self._timed.pop(address, None)
        else:
            self._timed[address] = None
        self._recount(now)

    def forget(self, address: Address) -> None:
        """Take note that an address is there no more."""
        self._timed.pop(address, None)
        if not self._timed:
            self.due_ns = None

    def expire(self, now: int) -> list[Due]:
        """Return what is due, and deprecate or remove these."""
        due = []
        for address in self._timed:
            if not address.lifetime.valid_left(now):
                due.append(Due(address, True))
            elif not (address.deprecated or address.lifetime.preferred_left(now)):
                due.append(Due(address, False))
        self._recount(now)
        return due

    def _recount(self, now: int) -> None:
        ends = [address.lifetime.next_ns(now) for address in self._timed]
        self.due_ns = min((end for end in ends if end is not None), default=None)
        if self.due_ns is not None:
            self._alarm.set(self.due_ns)
