"""Tests of smolctl's reasons: whether a packet, and the code that dropped it, agree with one.

Each returns True where it is that reason, False where it is not, None where nobody can tell.
"""

from collections.abc import Callable

from smolctl.host.drops.dropped import ARP, Dropped
from smolctl.host.drops.facts import Facts
from smolctl.wire.address import (
    is_link_local,
    is_loopback,
    is_mapped,
    is_multicast,
    is_unspecified,
    multicast_scope,
)

Check = Callable[[Dropped, Facts], bool | None]
_SYN, _RST, _ACK = 2, 4, 16
_ECHO6, _ROUTER_SOLICITATION, _SOLICITATION, _ADVERTISEMENT = 128, 133, 135, 136
_NO_NEXT_HEADER = 59
_KNOWN6 = {*range(5), *range(128, 138), 143}
"""Types of ICMPv6 that Linux knows."""
_ERRORS6_END = 128
_OPTIONS = ("ip_rcv_finish_core", "ip_rcv_finish", "ip_rcv_options", "ip_options_rcv_srr")
_DISCARD = ("dst_discard", "dst_discard_out")
_FORWARD = ("ip_forward", "ip6_forward")


def _never(dropped: Dropped, facts: Facts) -> bool:
    """Such packets are Linux's for another reason, or do not come this far."""
    return False


def _perhaps(test: Callable[[Dropped, Facts], bool]) -> Check:
    """Return a test that excludes, and is never sure."""
    return lambda dropped, facts: None if test(dropped, facts) else False


def _kind(*kinds: int) -> Callable[[Dropped, Facts], bool]:
    return lambda dropped, facts: facts.kind in kinds


def _at(*functions: str) -> Callable[[Dropped, Facts], bool]:
    return lambda dropped, facts: dropped.function in functions


def _family(number: int) -> Callable[[Dropped, Facts], bool]:
    return lambda dropped, facts: facts.family == number


def _dst(test: Callable[[int], bool]) -> Callable[[Dropped, Facts], bool]:
    return lambda dropped, facts: facts.dst is not None and test(facts.dst)


def _src(test: Callable[[int], bool]) -> Callable[[Dropped, Facts], bool]:
    return lambda dropped, facts: facts.src is not None and test(facts.src)


def _either(test: Callable[[int], bool]) -> Callable[[Dropped, Facts], bool]:
    return lambda dropped, facts: _src(test)(dropped, facts) or _dst(test)(dropped, facts)


def _came_in(dropped: Dropped, facts: Facts) -> bool | None:
    return None if dropped.iif is None else dropped.iif != 0


def _from_here(dropped: Dropped, facts: Facts) -> bool | None:
    return None if dropped.iif is None else dropped.iif == 0


def _is_of_group(dropped: Dropped, facts: Facts) -> bool:
    return _dst(is_multicast)(dropped, facts) and not facts.routed


def _is_too_old(dropped: Dropped, facts: Facts) -> bool:
    return dropped.function in _FORWARD and (facts.ttl is None or facts.ttl <= 1)


def _is_confined(dropped: Dropped, facts: Facts) -> bool:
    """Return whether it is to a group of scope 0 or 1, which is on no wire."""
    return _dst(lambda dst: is_multicast(dst) and multicast_scope(dst) <= 1)(dropped, facts)


def _is_unknown6(dropped: Dropped, facts: Facts) -> bool:
    return facts.kind is not None and facts.kind not in _KNOWN6


def _has_no_source(dropped: Dropped, facts: Facts) -> bool:
    about = (_SOLICITATION, _ADVERTISEMENT)
    return _src(is_unspecified)(dropped, facts) and facts.kind not in about


def _has_no_way(dropped: Dropped, facts: Facts) -> bool | None:
    """Return whether it, or the answer to it, has no route: an echo request is dropped for that."""
    if dropped.function == "icmpv6_rcv":
        return facts.kind == _ECHO6
    return None if _from_here(dropped, facts) is not False else False


def _is_discarded(dropped: Dropped, facts: Facts) -> bool | None:
    if facts.protocol == _NO_NEXT_HEADER or dropped.iif == 0:
        return False
    return True if dropped.function in _DISCARD else None


def _is_unrouted(dropped: Dropped, facts: Facts) -> bool | None:
    """Return whether no route leads on; of IPv6, routes that refuse look the same."""
    if dropped.function == "ip6_pkt_prohibit":
        return False
    return None if facts.family == 6 else True


def _is_beyond(dropped: Dropped, facts: Facts) -> bool:
    return _src(is_link_local)(dropped, facts) and not _dst(is_link_local)(dropped, facts)


def _flags(mask: int, wanted: int) -> Callable[[Dropped, Facts], bool]:
    return lambda dropped, facts: facts.flags is not None and facts.flags & mask == wanted


def _waited_for_neighbor(dropped: Dropped, facts: Facts) -> bool | None:
    """Return whether it may have; a socket that is closed throws its queues away, too."""
    return None if facts.family and dropped.dev not in ("", "lo") else False


CHECKS: dict[str, Check] = {
    "rx-vlan-unknown": lambda dropped, facts: dropped.untagged,
    "rx-not-our-mac": lambda dropped, facts: not dropped.untagged,
    "rx-ethertype-unknown": _family(0),
    "rx-iface-down": lambda dropped, facts: _came_in(dropped, facts) and None,
    "arp-target-not-ours": lambda dropped, facts: facts.fault is None,
    "arp-proxy-purged": lambda dropped, facts: dropped.protocol == ARP,
    "ip-source-route": lambda dropped, facts: facts.routed,
    "ip-multicast-not-joined": _is_of_group,
    "ip-bad-option": _at(*_OPTIONS),
    "ip-rule-refused": _never,
    "ip-dst-tentative": _never,
    "ip6-rule-refused": _never,
    "ip6-src-multicast": _src(is_multicast),
    "ip6-src-unspecified": _has_no_source,
    "ip6-loopback-on-wire": _either(is_loopback),
    "ip6-multicast-scope": _is_confined,
    "ip6-mapped-on-wire": _either(is_mapped),
    "ip6-dst-invalid": _dst(is_unspecified),
    "ip6-no-next-header": lambda dropped, facts: facts.protocol == _NO_NEXT_HEADER,
    "icmp-type-unknown": lambda dropped, facts: facts.kind is not None,
    "icmp-bad-checksum": _family(4),
    "icmp6-bad-checksum": _family(6),
    "icmp-echo-broadcast": _kind(8),
    "icmp-timestamp-broadcast": _kind(13),
    "icmp-echo-unmatched": _kind(0, 129),
    "icmp-error-unmatched": _kind(3, 4, 5, 11, 12, 1, 2),
    "icmp6-error-unknown": lambda dropped, facts: (
        _is_unknown6(dropped, facts) and (facts.kind or 0) < _ERRORS6_END
    ),
    "icmp6-info-unknown": lambda dropped, facts: (
        _is_unknown6(dropped, facts) and (facts.kind or 0) >= _ERRORS6_END
    ),
    "rs-at-host": _kind(_ROUTER_SOLICITATION),
    "nd-address-conflict": _perhaps(_kind(_ADVERTISEMENT)),
    "nd-unsolicited": _perhaps(_kind(_ADVERTISEMENT)),
    "nd-dad-failed": _perhaps(_kind(_SOLICITATION, _ADVERTISEMENT)),
    "nd-target-tentative": _perhaps(_kind(_SOLICITATION)),
    "nd-answer-purged": _kind(_SOLICITATION),
    "nd-proxy-idle": _never,
    "udp-no-listener": lambda dropped, facts: facts.fault is None,
    "udp-copy-lost": _perhaps(_dst(is_multicast)),
    "tcp-no-listener": _perhaps(_flags(_SYN | _RST | _ACK, _SYN)),
    "tcp-bound-elsewhere": _perhaps(_flags(_SYN | _RST | _ACK, _SYN)),
    "tcp-no-connection": lambda dropped, facts: (
        not _flags(_RST, _RST)(dropped, facts) and not _flags(_SYN | _ACK, _SYN)(dropped, facts)
    ),
    "tcp-stray-rst": _flags(_RST, _RST),
    "tcp-cookie-bad": _never,
    "frag-duplicate": lambda dropped, facts: dropped.linux == "DUP_FRAG",
    "fwd-ttl-exceeded": _is_too_old,
    "fwd-no-route": _is_unrouted,
    "fwd-route-blackhole": _is_discarded,
    "fwd-route-prohibit": lambda dropped, facts: (
        None if facts.family == 4 else _at("ip6_pkt_prohibit")(dropped, facts)
    ),
    "fwd-link-local": _is_beyond,
    "fwd-too-big": _came_in,
    "tx-too-big": _from_here,
    "tx-route-blackhole": _from_here,
    "tx-no-carrier": lambda dropped, facts: dropped.no_carrier,
    "tx-queue-full": lambda dropped, facts: False if dropped.no_carrier else None,
    "tx-no-route": _has_no_way,
    "tx-iface-down": lambda dropped, facts: False if _came_in(dropped, facts) else None,
    "neigh-queue-purged": _waited_for_neighbor,
}
"""The tests by reason; what has none is taken at Linux's word."""
WITHOUT_PACKET = {
    "icmp-type-unknown", "rx-ethertype-unknown", "rx-vlan-unknown", "rx-not-our-mac",
    "rx-iface-down", "tx-iface-down", "tx-no-carrier", "tx-queue-full", "arp-target-not-ours",
    "arp-proxy-purged", "fwd-ttl-exceeded",
}  # fmt: skip
"""Those of them that need not know what is in the packet."""
