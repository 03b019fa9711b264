"""The steps of IPv6, ICMPv6 and neighbor discovery in words and in rows; a part of ``steps``."""

from collections.abc import Callable
from typing import Any

from smolctl.stack.explain.names import ICMP6_CODES, ICMP6_TYPES
from smolctl.stack.explain.summary import mld_words
from smolctl.stack.trace.facts import SourceLoser
from smolctl.wire.address import UNSPECIFIED6, format_address, format_mac
from smolctl.wire.icmpv6 import Icmpv6Message, Type
from smolctl.wire.ipv6 import Ipv6Header, NextHeader
from smolctl.wire.ipv6_ext import Chain
from smolctl.wire.mld import Membership, Query, Report
from smolctl.wire.ndp import (
    NeighborAdvertisement,
    NeighborSolicitation,
    Redirect,
    RouterAdvertisement,
    RouterSolicitation,
)

Row = dict[str, Any]
Told = tuple[str, Row]

_NAMES = {
    NextHeader.HOP_BY_HOP: "hop-by-hop options",
    NextHeader.TCP: "TCP",
    NextHeader.UDP: "UDP",
    NextHeader.ROUTING: "routing",
    NextHeader.FRAGMENT: "fragment",
    NextHeader.ICMPV6: "ICMPv6",
    NextHeader.NONE: "nothing",
    NextHeader.DESTINATION: "destination options",
}


def _ip6(facts: Ipv6Header) -> Told:
    src, dst = format_address(facts.src), format_address(facts.dst)
    following = _NAMES.get(NextHeader(facts.next_header)) if facts.next_header in _NAMES else None
    name = following or f"next header {facts.next_header}"
    text = f"{src} > {dst} {name} hop limit {facts.hop_limit}, {facts.total_length} B"
    row: Row = {
        "src": src, "dst": dst, "protocol": facts.next_header, "ttl": facts.hop_limit,
        "len": facts.total_length,
    }  # fmt: skip
    if facts.traffic_class:
        row["tos"] = facts.traffic_class
        text += f", traffic class {facts.traffic_class:#04x}"
    if facts.flow_label:
        row["flowlabel"] = facts.flow_label
        text += f", flow label {facts.flow_label:#07x}"
    return text, row


def _headers(facts: Chain) -> Told:
    names = [_NAMES.get(NextHeader(each.type), str(each.type)) for each in facts.headers]
    row: Row = {"headers": names, "protocol": facts.protocol}
    text = ", ".join(names)
    if facts.fragment is not None:
        at, ident, more = facts.fragment.fragment_offset, facts.fragment.ident, facts.fragment.mf
        row.update(ident=ident, offset=at, mf=more)
        text += f": fragment of {ident} at {at}" + ("" if more else ", the last")
    return text, row


def _icmp6(facts: Icmpv6Message) -> Told:
    row: Row = {"icmp_type": facts.type, "icmp_code": facts.code}
    if facts.type in (Type.ECHO_REQUEST, Type.ECHO_REPLY):
        name = "echo request" if facts.type == Type.ECHO_REQUEST else "echo reply"
        row.update(ident=facts.ident, seq=facts.sequence)
        return f"{name}, ident {facts.ident} seq {facts.sequence}", row
    known = ICMP6_CODES.get((facts.type, facts.code)) or ICMP6_TYPES.get(facts.type)
    text = f"type {facts.type} code {facts.code}"
    return text + (f", {known}" if known else ""), row


def _solicitation(facts: NeighborSolicitation) -> Told:
    target, row = format_address(facts.target), dict[str, Any]()
    row["target"] = target
    text = f"who has {target}?"
    if facts.options.source is not None:
        row["lladdr"] = format_mac(facts.options.source)
        text += f" tell {row['lladdr']}"
    return text, row


def _advertisement(facts: NeighborAdvertisement) -> Told:
    target = format_address(facts.target)
    flags = [
        name
        for name, on in (
            ("router", facts.router), ("solicited", facts.solicited), ("override", facts.override),
        )
        if on
    ]  # fmt: skip
    row: Row = {"target": target, "flags": flags}
    text = f"{target} is here"
    if facts.options.target is not None:
        row["lladdr"] = format_mac(facts.options.target)
        text = f"{target} is at {row['lladdr']}"
    return text + (f" ({', '.join(flags)})" if flags else ""), row


def _router_solicitation(_facts: RouterSolicitation) -> Told:
    return "which routers are there?", {}


def _router_advertisement(facts: RouterAdvertisement) -> Told:
    seconds = facts.lifetime_s
    text = f"a router for {seconds} s" if seconds else "no default router"
    return text, {"lifetime": seconds, "hop_limit": facts.hop_limit}


def _redirect(facts: Redirect) -> Told:
    target, dst = format_address(facts.target), format_address(facts.destination)
    where = "is on the link" if target == dst else f"is nearer by {target}"
    return f"{dst} {where}", {"gateway": target, "dst": dst}


def _source_loser(facts: SourceLoser) -> Told:
    address = format_address(facts.address)
    named = f" (RFC 6724 rule {facts.rule})" if facts.rule[0].isdigit() else ""
    row: Row = {"prefsrc": address, "dev": facts.dev, "rule": facts.rule}
    return f"{address} dev {facts.dev}: {_SOURCES[facts.rule]}{named}", row


_SOURCES = {
    "1": "it is not the destination itself",
    "2": "its scope fits the destination less well",
    "3": "it is deprecated",
    "5": "it is on another interface",
    "6": "its label is not that of the destination",
    "7": "it is not temporary",
    "8": "it has fewer bits in common with the destination",
    "optimistic": "it is still being tested",
    "order": "it comes later",
    "tentative": "it is being tested for a conflict (RFC 4862 5.4)",
    "dadfailed": "another node has it (RFC 4862 5.4.5)",
}
"""Said of source addresses that lost, by the rule that decided (RFC 6724 5)."""


def _mld(facts: Query | Membership | Report) -> Told:
    row: Row = {}
    if isinstance(facts, Query):
        row["version"] = facts.version
    if isinstance(facts, Query | Membership) and facts.group != UNSPECIFIED6:
        row["group"] = format_address(facts.group)
    return mld_words(facts), row


TELLERS: dict[type, Callable[[Any], Told]] = {
    Ipv6Header: _ip6,
    Chain: _headers,
    Icmpv6Message: _icmp6,
    NeighborSolicitation: _solicitation,
    NeighborAdvertisement: _advertisement,
    RouterSolicitation: _router_solicitation,
    RouterAdvertisement: _router_advertisement,
    Redirect: _redirect,
    SourceLoser: _source_loser,
    Query: _mld,
    Membership: _mld,
    Report: _mld,
}
