"""Addresses that are tested, announced and defended on one link (RFC 5227, RFC 4862 5.4).

A table: ``expire`` returns what is to be sent and changed, and sends nothing. An address with
nothing to test, to announce or to remember has no entry. ``DadRules`` has what differs between
ARP, by which IPv4 addresses are tested, and neighbor discovery.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from smolctl.stack.alarm import Alarm
from smolctl.stack.duplicate import duplicate
from smolctl.stack.ip.addresses import Address
from smolctl.stack.sysctl.link_settings import Values

OFF, YIELD, ONCE, ALWAYS = range(4)
"""Whether to defend an address: RFC 5227 2.4 (a), (b) and (c), and Linux, which does nothing."""


class DadRules(Protocol):
    """The numbers of one family on one link, as they are now; times are in ns."""

    def clone(self, settings: Values, random: Callable[[], float]) -> "DadRules":
        """Return the same rules with other settings."""

    def spacing_ns(self, conflicts: int) -> int:
        """Return the time from the beginning of a test to that of the next, after conflicts."""

    def delay_ns(self, address: Address) -> int:
        """Return how long to wait before the first probe of an address."""

    def pause_ns(self, sent: int) -> int:
        """Return how long to listen after so many probes."""

    def nonce(self) -> bytes | None:
        """Return what tells the probes of a test from those of others; None for nothing."""

    @property
    def probes(self) -> int:
        """Number of questions whether somebody has the address."""

    @property
    def announcements(self) -> int:
        """Number of announcements once it is ours."""

    @property
    def announce_interval_ns(self) -> int:
        """Time between two announcements."""

    @property
    def defence(self) -> int:
        """OFF, YIELD, ONCE or ALWAYS."""

    @property
    def defend_interval_ns(self) -> int:
        """Time in which it is defended once."""


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
        nonce: in its probes, to know them again when they come back (RFC 7527 4.1).
    """

    address: Address
    phase: Phase
    due_ns: int | None = None
    sent: int = 0
    other_mac: bytes | None = None
    defended_ns: int | None = None
    began_ns: int = 0
    nonce: bytes | None = None


class Probe(NamedTuple):
    """Ask whether anybody has the address."""

    address: Address
    nonce: bytes | None


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

    Attributes:
        timers: empty when nothing can be due; the first one is due first, if it still counts.
    """

    def __init__(self, rules: DadRules, alarm: Alarm) -> None:
        self._rules, self._alarm = rules, alarm
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
        clone = duplicate(self)
        clone._rules, clone._alarm = self._rules.clone(settings, random), alarm
        copies = {id(entry): duplicate(entry) for entry in self}
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

    def put(self, entry: DadEntry) -> None:
        """Put in an entry as it is; it goes on when it is due."""
        self._dad[entry.address] = entry
        if entry.due_ns is not None:
            self._arm(entry, entry.due_ns)

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
        rules, begin = self._rules, now
        spacing_ns = rules.spacing_ns(self._conflicts)
        if spacing_ns and self._attempt_ns is not None:
            # RFC 5227 2.1.1: after MAX_CONFLICTS, MUST limit the rate of new addresses.
            begin = max(now, self._attempt_ns + spacing_ns)
        self._attempt_ns = begin
        entry.nonce = rules.nonce()
        self._arm(entry, begin + rules.delay_ns(address))
        return begin - now

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
        policy, interval_ns = self._rules.defence, self._rules.defend_interval_ns
        if policy == OFF:
            return Defence.NONE
        entry = self._dad.get(address)
        if entry is not None and entry.phase is Phase.LOST:
            return Defence.CEDE
        last = None if entry is None else entry.defended_ns
        recent = last is not None and now < last + interval_ns
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
            self._arm(entry, now + interval_ns)
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
        rules, address = self._rules, entry.address
        if entry.phase is Phase.PROBING:
            if entry.sent < rules.probes:
                entry.sent += 1
                actions.append(Probe(address, entry.nonce))
                self._arm(entry, now + rules.pause_ns(entry.sent))
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

    def _announce(self, entry: DadEntry, now: int, actions: list[DadAction]) -> None:
        """Announce the address (RFC 5227 2.3); after the last time it is but held."""
        rules = self._rules
        if entry.sent < rules.announcements:
            entry.sent += 1
            actions.append(Announce(entry.address))
        if entry.sent < rules.announcements:
            self._arm(entry, now + rules.announce_interval_ns)
            return
        entry.phase = Phase.HELD
        forget_ns = now
        if entry.defended_ns is not None:
            forget_ns = entry.defended_ns + rules.defend_interval_ns
        self._arm(entry, max(forget_ns, now))

    def _arm(self, entry: DadEntry, at: int) -> None:
        entry.due_ns = at
        self._alarm.set(at)
        self._serial += 1
        heapq.heappush(self.timers, (at, self._serial, entry))

    def _valid(self, timer: tuple[int, int, DadEntry]) -> bool:
        entry = timer[2]
        return entry.due_ns == timer[0] and self._dad.get(entry.address) is entry
