"""Addresses that are tested, announced and defended on one link (RFC 5227).

A table: ``expire`` returns what is to be sent and changed, and sends nothing. An address with
nothing to test, to announce or to remember has no entry.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from smolctl.stack.alarm import Alarm
from smolctl.stack.ip.addresses import Address
from smolctl.stack.sysctl.link_settings import Values

OFF, YIELD, ONCE, ALWAYS = range(4)
"""Values of arp.defend: RFC 5227 2.4 (a), (b) and (c), and Linux, which does nothing."""


class Phase(StrEnum):
    """The phase of the test of an address."""

    WAITING = "waiting"
    """For somebody on the link, who could be asked."""
    PROBING = "probing"
    ANNOUNCING = "announcing"
    """The address is ours."""
    HELD = "held"
    """It is ours, and somebody else claimed it a while ago."""
    LOST = "lost"
    """Another host has it; it is given up as soon as time passes."""


class Defence(StrEnum):
    """The reaction to another host that claims an address of ours."""

    NONE = "none"
    ANNOUNCE = "announce"
    SILENT = "silent"
    CEDE = "cede"


@dataclass(slots=True, eq=False)
class DadEntry:
    """One address that is tested, announced or defended.

    Attributes:
        due_ns: when it goes on, None while it waits.
        sent: probes, or announcements, of this phase.
        other_mac: the MAC address of who has it, once it is lost.
        defended_ns: when it was defended last.
        began_ns: when its test began.
    """

    address: Address
    phase: Phase
    due_ns: int | None = None
    sent: int = 0
    other_mac: bytes | None = None
    defended_ns: int | None = None
    began_ns: int = 0


class Probe(NamedTuple):
    """Ask whether anybody has the address."""

    address: Address


class Take(NamedTuple):
    """Nobody has it: it is ours from now on."""

    address: Address


class Announce(NamedTuple):
    """Tell everybody that we have it."""

    address: Address


class Cede(NamedTuple):
    """Stop using it: the host with MAC address ``other_mac`` has it."""

    address: Address
    other_mac: bytes | None


DadAction = Probe | Take | Announce | Cede


class DadTable:
    """The addresses of one interface that are tested, announced or defended.

    Args:
        random: returns a float in [0, 1).

    Attributes:
        timers: empty when nothing can be due; the first one is due first, if it still counts.
    """

    def __init__(self, settings: Values, random: Callable[[], float], alarm: Alarm) -> None:
        self._settings, self._alarm = settings, alarm
        self._random = random
        self._dad: dict[Address, DadEntry] = {}
        self.timers: list[tuple[int, int, DadEntry]] = []
        self._serial = 0
        self._conflicts = 0
        self._attempt_ns: int | None = None

    def __len__(self) -> int:
        return len(self._dad)

    def __iter__(self) -> Iterator[DadEntry]:
        return iter(self._dad.values())

    def clone(self, settings: Values, random: Callable[[], float], alarm: Alarm) -> "DadTable":
        """Return a copy that shares the addresses, which no packet changes."""
        clone = copy(self)
        clone._settings, clone._random, clone._alarm = settings, random, alarm
        copies = {id(entry): copy(entry) for entry in self}
        clone._dad = {entry.address: copies[id(entry)] for entry in self}
        clone.timers = [
            (at, serial, copies[id(entry)])
            for at, serial, entry in self.timers
            if id(entry) in copies
        ]
        heapq.heapify(clone.timers)
        return clone

    def move(self, copies: Mapping[Address, Address]) -> None:
        """Claim copies of the addresses from now on."""
        for entry in self:
            entry.address = copies[entry.address]
        self._dad = {entry.address: entry for entry in self}

    def find(self, address: Address) -> DadEntry | None:
        """Return the entry of an address."""
        return self._dad.get(address)

    def tested(self, ip: int) -> DadEntry | None:
        """Return the entry of ``ip`` that is being tested, or is lost by the test."""
        for entry in self:
            if entry.address.local == ip and entry.address.tentative:
                return None if entry.phase is Phase.WAITING else entry
        return None

    # --- testing ----------------------------------------------------------------------------------

    def test(self, address: Address, now: int, *, active: bool) -> int:
        """Begin to test an address, anew if it is being tested; return how long that must wait, ns.

        Args:
            active: somebody may be on the link; else it waits for ``resume``.

        Source: RFC 5227 2.1.1: a random delay, so that hosts switched on at once do not collide.
        """
        entry = self._dad[address] = DadEntry(address, Phase.WAITING, began_ns=now)
        if not active:
            return 0
        entry.phase = Phase.PROBING
        settings = self._settings
        begin, wait = now, 0
        if self._attempt_ns is not None and self._conflicts > settings["arp.max_conflicts"]:
            # RFC 5227 2.1.1: after MAX_CONFLICTS, MUST limit the rate of new addresses.
            begin = max(now, self._attempt_ns + settings.ns("arp.rate_limit_interval_ms"))
            wait = begin - now
        self._attempt_ns = begin
        self._arm(entry, begin + int(self._random() * settings.ns("arp.probe_wait_ms")))
        return wait

    def pause(self) -> None:
        """Nobody can be asked any more: what is being tested waits."""
        for entry in self:
            if entry.phase is Phase.PROBING:
                entry.phase, entry.due_ns = Phase.WAITING, None

    def forget(self, address: Address) -> None:
        """Forget an entry without a word: the address is deleted, or used untested."""
        entry = self._dad.pop(address, None)
        if entry is not None:
            entry.due_ns = None

    # --- conflicts --------------------------------------------------------------------------------

    def refuted(self, entry: DadEntry, other_mac: bytes, now: int) -> None:
        """Another host has, or tests, the address of an entry (RFC 5227 2.1.1)."""
        if entry.phase is Phase.PROBING:
            self._conflicts += 1
            self._lose(entry, other_mac, now)

    def challenged(self, address: Address, other_mac: bytes, now: int) -> Defence:
        """Another host claims an address that is ours (RFC 5227 2.4): what to do about it."""
        policy = self._settings["arp.defend"]
        if policy == OFF:
            return Defence.NONE
        entry = self._dad.get(address)
        if entry is not None and entry.phase is Phase.LOST:
            return Defence.CEDE
        last = None if entry is None else entry.defended_ns
        recent = last is not None and now < last + self._settings.ns("arp.defend_interval_ms")
        if recent and policy == ALWAYS:
            # (c): MUST NOT send another one, or two hosts would flood the network.
            return Defence.SILENT
        if entry is None:
            entry = self._dad[address] = DadEntry(address, Phase.HELD)
        if recent or policy == YIELD:
            self._conflicts += 1
            self._lose(entry, other_mac, now)
            return Defence.CEDE
        entry.defended_ns = now
        if entry.phase is Phase.HELD:
            self._arm(entry, now + self._settings.ns("arp.defend_interval_ms"))
        return Defence.ANNOUNCE

    def _lose(self, entry: DadEntry, other_mac: bytes, now: int) -> None:
        """Have ``expire`` give the address up: a packet on a clone must change nothing else."""
        entry.phase, entry.other_mac = Phase.LOST, other_mac
        self._arm(entry, now)

    # --- time -------------------------------------------------------------------------------------

    def deadline(self) -> int | None:
        """Return when ``expire`` is next due."""
        timers = self.timers
        while timers and not self._valid(timers[0]):
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    def expire(self, now: int) -> list[DadAction]:
        """Return what is due."""
        actions: list[DadAction] = []
        while (due := self.deadline()) is not None and due <= now:
            entry = heapq.heappop(self.timers)[2]
            entry.due_ns = None
            self._go_on(entry, now, actions)
        return actions

    def _go_on(self, entry: DadEntry, now: int, actions: list[DadAction]) -> None:
        settings, address = self._settings, entry.address
        if entry.phase is Phase.PROBING:
            if entry.sent < settings["arp.probe_num"]:
                entry.sent += 1
                actions.append(Probe(address))
                self._arm(entry, now + self._pause_ns(entry))
                return
            self._conflicts = 0
            entry.phase, entry.sent = Phase.ANNOUNCING, 0
            actions.append(Take(address))
        if entry.phase is Phase.LOST:
            actions.append(Cede(address, entry.other_mac))
            self.forget(address)
        elif entry.phase is Phase.HELD:
            self.forget(address)
        else:
            self._announce(entry, now, actions)

    def _pause_ns(self, entry: DadEntry) -> int:
        """Return how long to listen after a probe (RFC 5227 2.1.1)."""
        settings = self._settings
        if entry.sent >= settings["arp.probe_num"]:
            return settings.ns("arp.announce_wait_ms")
        low, high = settings.ns("arp.probe_min_ms"), settings.ns("arp.probe_max_ms")
        return low + int(self._random() * (high - low))

    def _announce(self, entry: DadEntry, now: int, actions: list[DadAction]) -> None:
        """Announce the address (RFC 5227 2.3); after the last time it is but held."""
        if entry.sent < self._settings["arp.announce_num"]:
            entry.sent += 1
            actions.append(Announce(entry.address))
        if entry.sent < self._settings["arp.announce_num"]:
            self._arm(entry, now + self._settings.ns("arp.announce_interval_ms"))
            return
        entry.phase = Phase.HELD
        forget_ns = now
        if entry.defended_ns is not None:
            forget_ns = entry.defended_ns + self._settings.ns("arp.defend_interval_ms")
        self._arm(entry, max(forget_ns, now))

    def _arm(self, entry: DadEntry, at: int) -> None:
        entry.due_ns = at
        self._alarm.set(at)
        self._serial += 1
        heapq.heappush(self.timers, (at, self._serial, entry))

    def _valid(self, timer: tuple[int, int, DadEntry]) -> bool:
        entry = timer[2]
        return entry.due_ns == timer[0] and self._dad.get(entry.address) is entry
