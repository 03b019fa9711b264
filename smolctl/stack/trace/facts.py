"""Facts that the steps of a packet carry, where a header or a ``Way`` does not say it already."""

from typing import NamedTuple

from smolctl.stack.fib.nexthop import Hop
from smolctl.stack.fib.route import Route
from smolctl.stack.fib.rule import Rule


class Bound(NamedTuple):
    """The socket that sent or got a datagram; ``local`` is 0.0.0.0 or :: for any.

    Attributes:
        port: 0 before it has one.
    """

    local: int | None
    port: int
    dev: str | None
    owner: str


class Handshake(NamedTuple):
    """A connection attempt, as far as it is foreseen.

    Attributes:
        open: both ends are known to be connected; else the peer's answer is not known.
        owner: of the socket that takes it, "" where that is not known.
    """

    peer: int
    port: int
    open: bool
    owner: str


class Loser(NamedTuple):
    """A route that was considered, not taken; ``cause`` as ``explain.candidates`` gives it."""

    route: Route
    cause: str


class SourceLoser(NamedTuple):
    """A source address that was not taken; ``rule`` is a value of ``SourceRule``."""

    address: int
    dev: str
    rule: str


class Hashed(NamedTuple):
    """The hash of a flow, and the share of the next hop that it takes: ``first`` to ``last``.

    Attributes:
        among: the next hops that other flows with the same source address may take.
    """

    number: int
    first: int
    last: int
    hop: Hop
    among: tuple[Hop, ...]


class Selected(NamedTuple):
    """The mark and the user of a packet, as rules see them."""

    mark: int
    uid: int


class Ruled(NamedTuple):
    """A rule that a packet matched; ``cause`` as ``explain.candidates.passed`` gives it."""

    rule: Rule
    cause: str


class Owner(NamedTuple):
    """The ``local`` or ``broadcast`` route that an incoming packet's destination matched.

    ``route`` is None for the limited broadcast address, which needs none.
    """

    dst: int
    route: Route | None


class SpokenFor(NamedTuple):
    """An ARP request that is answered on behalf of the address's owner.

    Attributes:
        dev: the interface by which the owner is reached; None for several.
        listed: the address has a proxy entry; else arp.proxy answers for all of them.
    """

    dst: int
    dev: str | None
    listed: bool


class PassedOn(NamedTuple):
    """An incoming packet is another host's; it is to leave with ``ttl``."""

    dst: int
    ttl: int


class GroupMember(NamedTuple):
    """A group that an incoming packet is for, and how many here are in it on that interface."""

    group: int
    dev: str
    users: int


class Planned(NamedTuple):
    """A query will be answered: for so many groups, within the time that it gives."""

    groups: int
    within_ms: int


class Stranger(NamedTuple):
    """The sender of ARP is in none of these networks of the interface, each with its length."""

    ip: int
    dev: str
    networks: tuple[tuple[int, int], ...]


class Learned(NamedTuple):
    """ARP told where a neighbor is; ``state`` in RFC 4861's words."""

    ip: int
    state: str
    lladdr: bytes


class NotLearned(NamedTuple):
    """ARP told where a stranger is, and all places are taken by neighbors that we use."""

    ip: int
    dev: str
    taken: str


class Resolved(NamedTuple):
    """The next hop's MAC address is known; ``state`` in RFC 4861's words."""

    ip: int
    state: str
    lladdr: bytes


class Asked(NamedTuple):
    """An ARP request for the next hop, the ``number``-th of this round."""

    ip: int
    sender: int
    number: int
    unicast: bool


class Announced(NamedTuple):
    """An address that is still tested and may not ask: it tells the next hop where it is."""

    ip: int
    sender: int


class PortOf(NamedTuple):
    """The frame came in by ``dev``, a port of ``master``, which is of a kind ("bridge", or "")."""

    dev: str
    master: str
    kind: str


class Taken(NamedTuple):
    """The device took the frame, ``length`` bytes with its header; ``lladdr`` is whom it is for.

    That is b"" on a link that has no link addresses.
    """

    dev: str
    lladdr: bytes
    length: int


class Answer(NamedTuple):
    """A packet that was sent because of this one; ``number`` is its id in the journal or 0."""

    what: str
    number: int


class Cut(NamedTuple):
    """A datagram of ``length`` bytes, too big for ``mtu``, goes on as so many ``fragments``."""

    fragments: int
    length: int
    mtu: int
    ident: int


class Joined(NamedTuple):
    """A datagram is complete: ``fragments`` of them, ``length`` bytes with its header.

    ``number`` is the datagram's id in the journal; 0 where it is the datagram that is told of, or
    when it is not in there.
    """

    fragments: int
    length: int
    number: int


class Awaited(NamedTuple):
    """An answer that was waited for in vain.

    Attributes:
        proto: "arp", "nd", "icmp", "udp" or "tcp".
        dst: who was asked.
        since_ns, until_ns: when the first question left, and when it was given up.
        number: our port, the identifier of echo requests, or with TCP, where each question has a
            port of its own, that of the peer; 0 for any.
        probe: whether the address was tested (RFC 5227), so that any ARP from it is an answer.
    """

    proto: str
    dst: int
    since_ns: int
    until_ns: int
    number: int = 0
    probe: bool = False
