"""Addresses that are tested, announced and defended on one link (RFC 5227).

A table: ``expire`` returns what is to be sent and changed, and sends nothing. An address with
nothing to test, to announce or to remember has no claim.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from smolctl.stack.ip.addresses import Address
from smolctl.stack.sysctl.settings import Settings

OFF, YIELD, ONCE, ALWAYS = range(4)
"""Values of arp.defend: RFC 5227 2.4 (a), (b) and (c), and Linux, which does nothing."""


class Phase(StrEnum):
    """How far a claim has got."""

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
    """What is done about another host that claims an address of ours."""

    NONE = "none"
    ANNOUNCE = "announce"
    SILENT = "silent"
    CEDE = "cede"


@dataclass(slots=True, eq=False)
class Claim:
    """One address that is tested, announced or defended.

    Attributes:
        due_ns: when it goes on, None while it waits.
        sent: probes, or announcements, of this phase.
        rival: the MAC address of who has it, once it is lost.
        defended_ns: when it was defended last.
    """

    address: Address
    phase: Phase
    due_ns: int | None = None
    sent: int = 0
    rival: bytes | None = None
    defended_ns: int | None = None


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
    """Stop using it: the host with MAC address ``rival`` has it."""

    address: Address
    rival: bytes | None


Action = Probe | Take | Announce | Cede


class Claims:
    """The claims of one interface.

    Args:
        random: returns a float in [0, 1).

    Attributes:
        timers: empty when nothing can be due; the first one is due first, if it still counts.
    """

    def __init__(self, settings: Settings, random: Callable[[], float]) -> None:
        self._settings = settings
        self._random = random
        self._claims: dict[Address, Claim] = {}
        self.timers: list[tuple[int, int, Claim]] = []
        self._serial = 0
        self._conflicts = 0
        self._attempt_ns: int | None = None

    def __len__(self) -> int:
        return len(self._claims)

    def __iter__(self) -> Iterator[Claim]:
        return iter(self._claims.values())

    def twin(self, random: Callable[[], float]) -> "Claims":
        """Return a copy that shares the addresses, which no packet changes."""
        twin = copy(self)
        twin._random = random
        copies = {id(claim): copy(claim) for claim in self}
        twin._claims = {claim.address: copies[id(claim)] for claim in self}
        twin.timers = [
            (at, serial, copies[id(claim)])
            for at, serial, claim in self.timers
            if id(claim) in copies
        ]
        heapq.heapify(twin.timers)
        return twin

    def move(self, copies: Mapping[Address, Address]) -> None:
        """Claim copies of the addresses from now on."""
        for claim in self:
            claim.address = copies[claim.address]
        self._claims = {claim.address: claim for claim in self}

    def find(self, address: Address) -> Claim | None:
        """Return the claim to an address."""
        return self._claims.get(address)

    def tested(self, ip: int) -> Claim | None:
        """Return the claim to ``ip`` that is being tested, or is lost by the test."""
        for claim in self:
            if claim.address.local == ip and claim.address.tentative:
                return None if claim.phase is Phase.WAITING else claim
        return None

    # --- testing ----------------------------------------------------------------------------------

    def test(self, address: Address, now: int, *, active: bool) -> int:
        """Begin to test an address, anew if it is being tested; return how long that must wait, ns.

        Args:
            active: somebody may be on the link; else it waits for ``resume``.

        Source: RFC 5227 2.1.1: a random delay, so that hosts switched on at once do not collide.
        """
        claim = self._claims[address] = Claim(address, Phase.WAITING)
        if not active:
            return 0
        claim.phase = Phase.PROBING
        settings = self._settings
        begin, wait = now, 0
        if self._attempt_ns is not None and self._conflicts > settings["arp.max_conflicts"]:
            # RFC 5227 2.1.1: after MAX_CONFLICTS, MUST limit the rate of new addresses.
            begin = max(now, self._attempt_ns + settings.ns("arp.rate_limit_interval_ms"))
            wait = begin - now
        self._attempt_ns = begin
        self._arm(claim, begin + int(self._random() * settings.ns("arp.probe_wait_ms")))
        return wait

    def pause(self) -> None:
        """Nobody can be asked any more: what is being tested waits."""
        for claim in self:
            if claim.phase is Phase.PROBING:
                claim.phase, claim.due_ns = Phase.WAITING, None

    def forget(self, address: Address) -> None:
        """Give a claim up without a word: the address is deleted, or used untested."""
        claim = self._claims.pop(address, None)
        if claim is not None:
            claim.due_ns = None

    # --- conflicts --------------------------------------------------------------------------------

    def refuted(self, claim: Claim, rival: bytes, now: int) -> None:
        """Another host has, or tests, the address of a claim (RFC 5227 2.1.1)."""
        if claim.phase is Phase.PROBING:
            self._conflicts += 1
            self._lose(claim, rival, now)

    def challenged(self, address: Address, rival: bytes, now: int) -> Defence:
        """Another host claims an address that is ours (RFC 5227 2.4): what to do about it."""
        policy = self._settings["arp.defend"]
        if policy == OFF:
            return Defence.NONE
        claim = self._claims.get(address)
        if claim is not None and claim.phase is Phase.LOST:
            return Defence.CEDE
        last = None if claim is None else claim.defended_ns
        recent = last is not None and now < last + self._settings.ns("arp.defend_interval_ms")
        if recent and policy == ALWAYS:
            # (c): MUST NOT send another one, or two hosts would flood the network.
            return Defence.SILENT
        if claim is None:
            claim = self._claims[address] = Claim(address, Phase.HELD)
        if recent or policy == YIELD:
            self._conflicts += 1
            self._lose(claim, rival, now)
            return Defence.CEDE
        claim.defended_ns = now
        if claim.phase is Phase.HELD:
            self._arm(claim, now + self._settings.ns("arp.defend_interval_ms"))
        return Defence.ANNOUNCE

    def _lose(self, claim: Claim, rival: bytes, now: int) -> None:
        """Have the address given up by ``expire``: what a packet does to a twin must stay there."""
        claim.phase, claim.rival = Phase.LOST, rival
        self._arm(claim, now)

    # --- time -------------------------------------------------------------------------------------

    def deadline(self) -> int | None:
        """Return when ``expire`` is next due."""
        timers = self.timers
        while timers and not self._valid(timers[0]):
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    def expire(self, now: int) -> list[Action]:
        """Return what is due."""
        actions: list[Action] = []
        while (due := self.deadline()) is not None and due <= now:
            claim = heapq.heappop(self.timers)[2]
            claim.due_ns = None
            self._go_on(claim, now, actions)
        return actions

    def _go_on(self, claim: Claim, now: int, actions: list[Action]) -> None:
        settings, address = self._settings, claim.address
        if claim.phase is Phase.PROBING:
            if claim.sent < settings["arp.probe_num"]:
                claim.sent += 1
                actions.append(Probe(address))
                self._arm(claim, now + self._pause_ns(claim))
                return
            self._conflicts = 0
            claim.phase, claim.sent = Phase.ANNOUNCING, 0
            actions.append(Take(address))
        if claim.phase is Phase.LOST:
            actions.append(Cede(address, claim.rival))
            self.forget(address)
        elif claim.phase is Phase.HELD:
            self.forget(address)
        else:
            self._announce(claim, now, actions)

    def _pause_ns(self, claim: Claim) -> int:
        """Return how long to listen after a probe (RFC 5227 2.1.1)."""
        settings = self._settings
        if claim.sent >= settings["arp.probe_num"]:
            return settings.ns("arp.announce_wait_ms")
        low, high = settings.ns("arp.probe_min_ms"), settings.ns("arp.probe_max_ms")
        return low + int(self._random() * (high - low))

    def _announce(self, claim: Claim, now: int, actions: list[Action]) -> None:
        """Announce the address (RFC 5227 2.3); after the last time it is but held."""
        if claim.sent < self._settings["arp.announce_num"]:
            claim.sent += 1
            actions.append(Announce(claim.address))
        if claim.sent < self._settings["arp.announce_num"]:
            self._arm(claim, now + self._settings.ns("arp.announce_interval_ms"))
            return
        claim.phase = Phase.HELD
        forget_ns = now
        if claim.defended_ns is not None:
            forget_ns = claim.defended_ns + self._settings.ns("arp.defend_interval_ms")
        self._arm(claim, max(forget_ns, now))

    def _arm(self, claim: Claim, at: int) -> None:
        claim.due_ns = at
        self._serial += 1
        heapq.heappush(self.timers, (at, self._serial, claim))

    def _valid(self, timer: tuple[int, int, Claim]) -> bool:
        claim = timer[2]
        return claim.due_ns == timer[0] and self._claims.get(claim.address) is claim
