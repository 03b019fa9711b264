"""The selection of an IPv6 source address (RFC 6724 4, 5).

Each rule gives every candidate a number; of two candidates, the one with the higher number by the
first rule that tells them apart is taken.
"""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface, Interfaces
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ipv6.address_labels import AddressLabels
from smolctl.stack.ipv6.addresses import Address6, is_optimistic, scope_of
from smolctl.wire.address import IPV6, UNSPECIFIED6, is_multicast, multicast_scope


class SourceRule(Enum):
    """A rule of RFC 6724 5; the value is how the RFC numbers it.

    Rule 4 is about mobile hosts, and rule 5.5 about routers that advertise prefixes.
    """

    SAME_ADDRESS = "1"
    SCOPE = "2"
    DEPRECATED = "3"
    INTERFACE = "5"
    LABEL = "6"
    TEMPORARY = "7"
    PREFIX = "8"
    OPTIMISTIC = "optimistic"
    """RFC 4429 3.3: an address that is still tested comes last."""
    ORDER = "order"
    """No rule: the one that ``addr show`` has first."""
    TENTATIVE = "tentative"
    """RFC 4862 5.4: an address that is being tested is no candidate."""
    DADFAILED = "dadfailed"
    """RFC 4862 5.4.5: an address that another node has is no candidate."""


_RULES = (
    SourceRule.SAME_ADDRESS,
    SourceRule.SCOPE,
    SourceRule.DEPRECATED,
    SourceRule.INTERFACE,
    SourceRule.LABEL,
    SourceRule.TEMPORARY,
    SourceRule.PREFIX,
    SourceRule.OPTIMISTIC,
)
_SCOPES = {Scope.HOST: 2, Scope.LINK: 2, Scope.SITE: 5, Scope.GLOBAL: 14}
"""Scopes of unicast addresses as those of groups; ``::1`` is one of a link (RFC 6724 3.1)."""
_LINK_SCOPE = 2


class Candidate(NamedTuple):
    """An address that a packet could have as its source.

    Attributes:
        dev: its interface.
        scores: a number for each rule but the last; higher is better.
    """

    address: Address
    dev: str
    scores: tuple[int, ...]


class Excluded(NamedTuple):
    """An address that a packet cannot have as its source: what is known of its test says so."""

    address: int
    dev: str
    rule: SourceRule


class Destination(NamedTuple):
    """The destination that a source address is selected for; ``out`` is "" for no interface."""

    address: int
    scope: int
    label: int | None
    out: str


def scope_number(address: int) -> int:
    """Return the scope of any address as a number, that of a group for all (RFC 6724 3.1).

    That of :: is the smallest (Linux ``__ipv6_addr_type``).
    """
    if address == UNSPECIFIED6:
        return 0
    return multicast_scope(address) if is_multicast(address) else _SCOPES[scope_of(address)]


def candidates(
    interfaces: Interfaces, labels: AddressLabels, out: Interface | None, dst: int
) -> list[Candidate]:
    """Return all addresses that a packet by ``out`` could have, in the order of ``addr show``.

    RFC 6724 4: for a group, and for what is on the link, only those of ``out`` do if it is known.
    Source: Linux ``ipv6_dev_get_saddr``.
    """
    name = "" if out is None else out.name
    to = Destination(dst, scope_number(dst), labels.label(dst, name), name)
    return [
        Candidate(item, dev, _scores(labels, item, dev, to))
        for item, dev in _addresses(interfaces, out, dst)
        if _usable(item)
    ]


def excluded(interfaces: Interfaces, out: Interface, dst: int) -> Iterator[Excluded]:
    """Yield the addresses that are no candidates only because of their test."""
    for item, dev in _addresses(interfaces, out, dst):
        if not _usable(item):
            why = SourceRule.DADFAILED if item.dadfailed else SourceRule.TENTATIVE
            yield Excluded(item.local, dev, why)


def _addresses(
    interfaces: Interfaces, out: Interface | None, dst: int
) -> Iterator[tuple[Address, str]]:
    near = is_multicast(dst) or scope_number(dst) <= _LINK_SCOPE
    for link in [out] if near and out is not None else list(interfaces.values()):
        for item in link.ipv6.addresses.items:
            if not item.autojoin:
                yield item, link.name


def _usable(item: Address) -> bool:
    return is_optimistic(item) or not item.tentative


def best(found: list[Candidate]) -> Candidate | None:
    """Return the candidate that the rules prefer; of equal ones the first."""
    return max(found, key=lambda each: each.scores, default=None)


def deciding_rule(winner: Candidate, loser: Candidate) -> SourceRule:
    """Return the rule by which one candidate comes before another."""
    for rule, mine, theirs in zip(_RULES, winner.scores, loser.scores, strict=False):
        if mine != theirs:
            return rule
    return SourceRule.ORDER


def _scores(labels: AddressLabels, item: Address, dev: str, to: Destination) -> tuple[int, ...]:
    """Return the numbers of one address. Source: Linux ``ipv6_get_saddr_eval``."""
    local, scope = item.local, _SCOPES[item.scope]
    own = item if isinstance(item, Address6) else None
    common = IPV6.bits - (local ^ to.address).bit_length()
    return (
        local == to.address,
        # Rule 2: of those that reach far enough the nearest, else the one that reaches farthest.
        -scope if scope >= to.scope else scope - 128,
        not item.deprecated,
        to.out in ("", dev),
        labels.label(local, dev) == to.label,
        own is not None and own.temporary,
        min(common, item.plen),
        not (own is not None and own.optimistic),
    )
