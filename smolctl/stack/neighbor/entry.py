"""A neighbor entry, the packets that wait for it, and the actions that its cache asks for."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import NamedTuple

from smolctl.stack.duplicate import duplicate
from smolctl.stack.neighbor.states import State
from smolctl.stack.packet import Packet
from smolctl.stack.sysctl.link_settings import Values
from smolctl.stack.trace.facts import Awaited
from smolctl.wire.address import IPV6_MARK


class Moves(NamedTuple):
    """Changes of a neighbor's MAC address that followed each other closely.

    Attributes:
        macs: what it was before, the latest last.
        times: how many changes. back: how many of these to a MAC that it had been.
        since_ns, last_ns: when the first and the last change was.
    """

    macs: tuple[bytes, ...]
    times: int
    back: int
    since_ns: int
    last_ns: int


MOVES_WINDOW_NS = 60_000_000_000
"""A change this long after the one before it is a new beginning: a card was replaced, or a gateway
failed over."""
_MACS_REMEMBERED = 4


class Standing(IntEnum):
    """The worth of an entry when the cache is full."""

    OUT = 0
    """Not in the cache."""
    FAILED = 1
    KNOWN = 2
    """Its MAC is known."""
    ANSWERED = 3
    """Asked for because of somebody to whom we owe an answer."""
    SOUGHT = 4
    """Asked for because of packets of ours, or of those that we forward."""
    PERMANENT = 5


_NOTHING: deque[Packet] = deque(maxlen=0)
"""The queue of all entries for which nothing waits: one of its own takes three times the entry."""


@dataclass(slots=True, eq=False)
class Neighbor:
    """One entry.

    Attributes:
        ip: the next hop's address.
        lladdr: its MAC, None until one was learned; kept while FAILED for the unicast probes.
        probes: requests sent since the state began; asked_ns: when the first of them was.
        queue: packets that wait, oldest first; only while INCOMPLETE.
        created_ns, updated_ns, used_ns, confirmed_ns: when it was made, its state or MAC changed,
            a packet used it, its reachability was proved. To answer somebody who never answered us
            is no use of ours: anybody can send as many questions from invented addresses as they
            like.
        timer_ns: when the next timer event is due, None for none.
        awaited: whether sockets keep packets for it, which are not in ``queue``.
        by_hand: whether the user made it INCOMPLETE, so that it is asked for without a packet.
        router: it says that it is a router (RFC 4861 5.1); only neighbor discovery tells.
        moves: how its MAC changed lately; None when it did not.
        source: address from which it is asked for when ``queue`` has no packet to take it from.
        standing: where ``EvictionOrder`` has put it.
    """

    ip: int
    created_ns: int
    state: State = State.NONE
    lladdr: bytes | None = None
    probes: int = 0
    asked_ns: int = 0
    queue: deque[Packet] = field(default_factory=lambda: _NOTHING)
    queue_bytes: int = 0
    updated_ns: int = 0
    used_ns: int = 0
    confirmed_ns: int = 0
    timer_ns: int | None = None
    awaited: bool = False
    by_hand: bool = False
    source: int = 0
    moves: Moves | None = None
    router: bool = False

    def moves_to(self, mac: bytes, now: int) -> None:
        """Remember that ARP says another MAC than the entry has."""
        before, moves = self.lladdr, self.moves
        if before is None or before == mac:
            return
        if moves is None or now > moves.last_ns + MOVES_WINDOW_NS:
            moves = Moves((), 0, 0, now, now)
        macs = (*(known for known in moves.macs if known != before), before)[-_MACS_REMEMBERED:]
        back = moves.back + (mac in moves.macs)
        self.moves = Moves(macs, moves.times + 1, back, moves.since_ns, now)

    standing: Standing = Standing.OUT

    def push(self, packet: Packet, settings: Values) -> "list[Overflow]":
        """Queue a packet, oldest out first (RFC 1122 2.3.2.2: SHOULD save the latest)."""
        lost: list[Overflow] = []
        if not self.queue:
            self.queue = deque()
        self.queue.append(packet)
        self.queue_bytes += len(packet.data)
        while len(self.queue) > 1 and (
            len(self.queue) > settings["neigh.unres_qlen"]
            or self.queue_bytes > settings["neigh.unres_qlen_bytes"]
        ):
            oldest = self.queue.popleft()
            self.queue_bytes -= len(oldest.data)
            lost.append(Overflow(self, oldest))
        return lost

    def take_queue(self) -> list[Packet]:
        """Return the packets that wait, oldest first, and forget them."""
        packets = list(self.queue)
        self.queue, self.queue_bytes = _NOTHING, 0
        return packets

    def failure(self, now: int, *, by_hand: bool = False) -> dict[str, object]:
        """Return what neigh-failed shows: it did not answer, or is FAILED by hand."""
        if by_hand or not self.probes:
            return {"cause": "by-hand"}
        awaited = Awaited("nd" if self.ip >= IPV6_MARK else "arp", self.ip, self.asked_ns, now)
        return {"probes": self.probes, "_awaited": awaited}

    def clone(self, copy_of: Callable[[Packet], Packet]) -> "Neighbor":
        """Return a copy with copies of the packets that wait."""
        result = duplicate(self)
        if self.queue:
            result.queue = deque(copy_of(packet) for packet in self.queue)
        return result


class Silence(NamedTuple):
    """No request leaves before ``until_ns``, because ``asked`` was asked for."""

    until_ns: int
    asked: int


class Advertisement(NamedTuple):
    """The word of an advertisement about a neighbor (RFC 4861 4.4).

    Attributes:
        lladdr: its MAC address, None when it is not told.
        solicited: it answers a question of ours.
        override: a MAC that is known is to be replaced.
        router: the neighbor is a router.
    """

    lladdr: bytes | None
    solicited: bool
    override: bool
    router: bool


class Advertised(Enum):
    """The use that was made of an advertisement; the value is a cause of its reason."""

    TAKEN = "taken"
    OVERRIDE_REFUSED = "override"
    UNKNOWN = "unknown"
    FAILED = "failed"
    NO_LLADDR = "no-lladdr"
    PERMANENT = "permanent"


class SendProbe(NamedTuple):
    """Send an ARP request for ``entry``: by unicast to its MAC, or by broadcast."""

    entry: Neighbor
    unicast: bool


class Transmit(NamedTuple):
    """The MAC is known: send these packets, oldest first."""

    entry: Neighbor
    packets: list[Packet]


class GiveUp(NamedTuple):
    """The neighbor did not answer, or is FAILED by hand: these packets are undeliverable."""

    entry: Neighbor
    packets: list[Packet]
    by_hand: bool = False


class Overflow(NamedTuple):
    """The entry's queue was full: its oldest packet made room."""

    entry: Neighbor
    packet: Packet


class Purged(NamedTuple):
    """The entry went away with these packets waiting; ``cause`` as its reason has them."""

    entry: Neighbor
    packets: list[Packet]
    cause: str


class Evicted(NamedTuple):
    """The cache was full: ``entry`` made room for ``new``; its packets are lost."""

    entry: Neighbor
    new: int
    packets: list[Packet]


class Released(NamedTuple):
    """Sockets need not keep their packets any longer: it has a MAC, or ``failed`` to answer."""

    entry: Neighbor
    failed: bool


NeighborAction = SendProbe | Transmit | GiveUp | Overflow | Purged | Evicted | Released
