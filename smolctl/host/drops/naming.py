"""smolctl's reason for a packet that Linux dropped.

Linux's reason says what was wrong, but one of its names often stands for several of ours, and
``NOT_SPECIFIED`` for very many. The code that dropped the packet and the packet itself decide.
"""

from smolctl.host.drop_names import BY_LINUX, UNSPECIFIED
from smolctl.host.drops.checks import CHECKS, WITHOUT_PACKET
from smolctl.host.drops.dropped import Dropped
from smolctl.host.drops.facts import ICMP, ICMPV6, TCP, UDP, Facts
from smolctl.wire.fault import Fault, Fault6, TcpFault

_MALFORMED = {
    UNSPECIFIED, "PKT_TOO_SMALL", "IP_INHDR", "IP_CSUM", "UNHANDLED_PROTO", "IP_NOPROTO",
    "HDR_TRUNC", "IPV6_BAD_EXTHDR",
}  # fmt: skip
"""Linux's reasons with which smolctl's is what it finds wrong with the bytes."""
_SUMMED = {
    "UDP_CSUM": ("udp-bad-checksum", "udp6-no-checksum"),
    "TCP_CSUM": ("tcp-bad-checksum",),
    "ICMP_CSUM": ("icmp-bad-checksum", "icmp6-bad-checksum", "icmp-truncated", "icmp6-truncated"),
}
_BAD_SUM = "-bad-checksum"
_SEEN = {fault.value for fault in (*Fault, *Fault6, *TcpFault)}
"""Reasons that the bytes of a packet show."""

PLACES: dict[str, tuple[str, ...]] = {
    # Measured on Linux 6.18, and read in its source; all are NOT_SPECIFIED there. Those without a
    # name drop what is wrong with the packet's bytes.
    **dict.fromkeys(
        (
            "__netif_receive_skb_core", "arp_rcv", "ip_rcv_core", "ip6_rcv_core",
            "ip_local_deliver_finish", "ip6_input_finish", "ipv6_parse_hopopts", "ip6_parse_tlv",
            "ipv6_destopt_rcv",
        ),
        (),
    ),
    "skb_vlan_untag": ("rx-vlan-truncated",),
    "llc_rcv": ("rx-llc-bad-length",),
    "arp_process": ("arp-target-not-ours",),
    "ip_rcv_finish_core": ("ip-source-route", "ip-multicast-not-joined"),
    "ip_rcv_finish": ("ip-source-route", "ip-multicast-not-joined"),
    "ip_mr_input": ("ip-multicast-not-joined",),
    "ip_error": ("fwd-route-blackhole", "fwd-route-unreachable", "fwd-route-prohibit"),
    "neigh_invalidate": ("neigh-failed",),
    "arp_error_report": ("neigh-failed",),
    "ndisc_error_report": ("neigh-failed",),
    "icmp_rcv": ("icmp-error-unmatched",),
    "__udp4_lib_rcv": ("udp-no-listener",),
    "__udp6_lib_rcv": ("udp-no-listener",),
    "udp_rcv": ("udp-no-listener",),
    "udpv6_rcv": ("udp-no-listener",),
    "tcp_v4_rcv": ("tcp-group-address",),
    "tcp_v6_rcv": ("tcp-group-address",),
    "dst_discard": ("ip6-no-next-header", "fwd-route-blackhole", "tx-route-blackhole"),
    "dst_discard_out": ("ip6-no-next-header", "fwd-route-blackhole", "tx-route-blackhole"),
    "ip6_mc_input": ("ip6-multicast-not-joined",),
    "ip6_forward": ("fwd-group-frame",),
    "ip_forward": ("fwd-group-frame",),
    "ipv6_rthdr_rcv": ("ip6-routing-type",),
    "ipv6_frag_rcv": ("frag6-overlap", "frag-end-conflict"),
    "ip_defrag": ("frag-overlap",),
    "icmpv6_rcv": (
        "icmp6-info-unknown", "rs-at-host", "nd-address-conflict", "nd-dad-failed",
        "nd-target-tentative", "nd-unsolicited", "ip6-src-unspecified", "ip6-mapped-on-wire",
        "tx-no-route",
    ),
}  # fmt: skip
"""Functions of Linux that drop without a reason, and smolctl's reasons for what they drop."""


def names(dropped: Dropped, facts: Facts) -> tuple[str, ...]:
    """Return smolctl's reasons that a drop can have, the likeliest first; none where it has none.

    One alone is certain, as far as the packet and the code that dropped it tell.
    """
    if not is_known(dropped):
        return ()
    if facts.fault is not None and _tells(dropped.linux, facts.fault):
        return (facts.fault,)
    row = BY_LINUX.get(dropped.linux)
    found = row.names if row is not None else ()
    if dropped.linux == UNSPECIFIED:
        found = PLACES.get(dropped.function, ())
    elif len(found) == 1:
        return found
    checked = [(name, _check(name, dropped, facts)) for name in found if _fits(name, facts)]
    sure = tuple(name for name, result in checked if result)
    return sure[:1] or tuple(name for name, result in checked if result is None)


def is_known(dropped: Dropped) -> bool:
    """Return whether it can be known why it was dropped.

    Where Linux has no reason, the function must be one that drops packets on their way. Others free
    them for other reasons: a socket that is closed frees what nobody has read.
    """
    return dropped.linux != UNSPECIFIED or dropped.function in PLACES


def _tells(linux: str, fault: str) -> bool:
    """Return whether what is wrong with a packet is why Linux dropped it."""
    if linux in _SUMMED:
        return fault in _SUMMED[linux]
    if fault.endswith(_BAD_SUM):
        return linux == "IP_CSUM" and fault == "ip-bad-checksum"
    return linux in _MALFORMED or (linux in BY_LINUX and fault in BY_LINUX[linux].names)


def _fits(name: str, facts: Facts) -> bool:
    """Return whether a reason is one of the packet's family and protocol."""
    layer = name.partition("-")[0]
    if layer == "arp":
        return facts.family == 0
    if layer in ("ip", "igmp"):
        return facts.family == 4
    if layer.endswith("6") or layer in ("nd", "ra", "rs", "mld"):
        of_icmp = layer in ("nd", "ra", "rs", "redirect6", "mld", "icmp6")
        return facts.family == 6 and (not of_icmp or facts.protocol in (None, ICMPV6))
    number = {"udp": (UDP,), "tcp": (TCP,), "icmp": (ICMP, ICMPV6)}.get(layer)
    return number is None or facts.protocol is None or facts.protocol in number


def _check(name: str, dropped: Dropped, facts: Facts) -> bool | None:
    """Return whether it is that reason: True, False, or None where nobody can tell."""
    if name in CHECKS and (facts.src is not None or name in WITHOUT_PACKET):
        return CHECKS[name](dropped, facts)
    # Bytes that are known, and do not show it, are not dropped for it.
    return False if name in _SEEN and facts.src is not None and _BAD_SUM not in name else None
