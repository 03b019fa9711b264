"""Steps of a packet in words and in rows, one function for each kind of fact.

Rows have the keys of ``ip -j`` where it knows the thing; the text of a step is for people and may
change.
"""

from collections.abc import Callable, Mapping
from typing import Any

from smolctl.stack.explain import steps_ip, steps_ip6, steps_tcp
from smolctl.stack.explain.names import ETHERTYPES, ICMP_CODES, ICMP_TYPES, PROTOCOLS
from smolctl.stack.explain.route_words import networks_text, route_row, route_text, rule_text
from smolctl.stack.ip.way import Way, WayType
from smolctl.stack.reason.model import WORDS
from smolctl.stack.trace.facts import (
    Announced,
    Answer,
    Asked,
    Bound,
    Cut,
    Hashed,
    Joined,
    Learned,
    Loser,
    NotLearned,
    Owner,
    PassedOn,
    PortOf,
    Resolved,
    Ruled,
    Selected,
    SpokenFor,
    Stranger,
    Taken,
)
from smolctl.stack.trace.trace import Step, Struck, Trace
from smolctl.wire import icmp_extensions, vlan
from smolctl.wire.address import (
    IPV6_MARK,
    format_address,
    format_endpoint,
    format_mac,
)
from smolctl.wire.arp import ArpPacket, Op
from smolctl.wire.ethernet import EthernetHeader
from smolctl.wire.icmpv4 import IcmpMessage, Type
from smolctl.wire.ipv4 import Ipv4Header
from smolctl.wire.ipv4_options import Options
from smolctl.wire.ipv4_options import text as options_text
from smolctl.wire.udp import UdpHeader
from smolctl.wire.vlan import VlanTag

Row = dict[str, Any]
Told = tuple[str, Row]


LOSING = {
    "prefix": "does not hold the address",
    "shorter": "shorter prefix",
    "metric": "higher metric",
    "table": "its table comes later",
    "rule": "no rule leads to its table",
    "suppressed": "too general for the rule",
    "hash": "the flow's hash falls to another next hop",
    "source": "the source address is of another next hop's network",
    "link": "its link is down or without carrier",
    "linkdown": "does not count while its link has no carrier (ignore_routes_with_linkdown)",
    "order": "added later",
    "throw": "ends the search",
    "policy": "ip.onlink_first or ip.strong_host prefers another",
    "dead": "its gateway does not answer",
    "device": "leaves by another device",
}

RULED = {
    "": "decides",
    "goto": "goes on there",
    "nop": "says nothing",
    "none": "its table knows no route",
    "suppressed": "what its table knows is too general",
}


def step_row(number: int, step: Step) -> Row:
    """Return the row of a step: n, stage, result and text, which no fact overwrites, and facts."""
    text, row = _TELLERS[type(step.facts)](step.facts)
    return {**row, "n": number, "stage": step.stage, "result": step.result, "text": text}


def steps_rows(trace: Trace) -> list[Row]:
    """Return the rows of all steps, in order."""
    return [step_row(number, step) for number, step in enumerate(trace.steps, 1)]


# --- one kind of fact each ------------------------------------------------------------------------


def _bound(facts: Bound) -> Told:
    bound = format_endpoint(facts.local or 0, facts.port)
    text = bound + (f" dev {facts.dev}" if facts.dev else "")
    row: Row = {"bound": bound}
    if facts.dev:
        row["dev"] = facts.dev
    if facts.owner:
        row["owner"] = facts.owner
        text += f" ({facts.owner})"
    return text, row


def _way(facts: Way) -> Told:
    out, route = facts.interface.name, facts.route
    row: Row = {"dev": out} if route is None else {**route_row(route), "dev": out}
    text = f"dev {out}, no route needed" if route is None else route_text(route)
    if facts.src is not None:
        row["prefsrc"] = format_address(facts.src)
        text += f", source {row['prefsrc']}"
    if facts.type is WayType.UNICAST:
        row["nexthop"] = format_address(facts.next_hop)
        text += f", next hop {row['nexthop']}"
        if facts.redirected is not None:
            row["redirected"] = True
            text += " (redirected)"
    elif facts.type is WayType.LOCAL:
        text += ": our own, stays inside"
    row["mtu"] = facts.mtu
    return text, row


def _loser(facts: Loser) -> Told:
    cause = LOSING.get(facts.cause, facts.cause)
    return f"{route_text(facts.route)}: {cause}", {**route_row(facts.route), "cause": facts.cause}


def _ruled(facts: Ruled) -> Told:
    rule = facts.rule
    text = f"{rule.priority}: {rule_text(rule)}: {RULED[facts.cause]}"
    return text, {"priority": rule.priority, **({"cause": facts.cause} if facts.cause else {})}


def _selected(facts: Selected) -> Told:
    text = f"mark {facts.mark:#x}, of user {facts.uid}"
    return text, {"mark": facts.mark, "uid": facts.uid}


def _hashed(facts: Hashed) -> Told:
    total = sum(hop.weight for hop in facts.hop.whole.hops) if facts.hop.whole else 0
    text = f"the flow's hash is {facts.number}; its next hop, with weight {facts.hop.weight} of"
    return f"{text} {total}, has {facts.first}..{facts.last}", {
        "hash": facts.number,
        "share": [facts.first, facts.last],
        "weight": facts.hop.weight,
    }


def _owner(facts: Owner) -> Told:
    dst = format_address(facts.dst)
    if facts.route is None:
        return f"{dst} is everybody on the link", {}
    return f"{dst} is ours: {route_text(facts.route)}", route_row(facts.route)


def _spoken_for(facts: SpokenFor) -> Told:
    return f"{format_address(facts.dst)} is {reached_text(facts)}", {}


def reached_text(facts: SpokenFor) -> str:
    """Return where an address is that is answered for, and what has us answer."""
    by = "by several links" if facts.dev is None else f"by {facts.dev}"
    return f"reached {by}, and answered for ({'neigh proxy' if facts.listed else 'arp.proxy'})"


def _passed_on(facts: PassedOn) -> Told:
    text = (
        f"{format_address(facts.dst)} is another host's, to which it goes on with ttl {facts.ttl}"
    )
    return text, {"ttl": facts.ttl}


def _resolved(facts: Resolved) -> Told:
    ip, lladdr = format_address(facts.ip), format_mac(facts.lladdr)
    return f"{ip} is at {lladdr} ({facts.state})", {
        "nexthop": ip,
        "state": facts.state,
        "lladdr": lladdr,
    }


def _learned(facts: Learned) -> Told:
    ip, lladdr = format_address(facts.ip), format_mac(facts.lladdr)
    return f"learned: {ip} is at {lladdr} ({facts.state})", {
        "dst": ip,
        "state": facts.state,
        "lladdr": lladdr,
    }


def _not_learned(facts: NotLearned) -> Told:
    ip = format_address(facts.ip)
    text = f"{ip} is not learned: all entries of {facts.dev} are {facts.taken}"
    return text, {"dst": ip, "taken": facts.taken}


def _stranger(facts: Stranger) -> Told:
    ip, networks = format_address(facts.ip), networks_text(facts.networks)
    text = f"{ip} is in none of the networks of {facts.dev} ({networks})"
    return f"{text}; arp.accept_from allows it", {"sender": ip, "networks": networks}


def _asked(facts: Asked) -> Told:
    ip, sender = format_address(facts.ip), format_address(facts.sender)
    how = "unicast" if facts.unicast else "multicast" if facts.ip >= IPV6_MARK else "broadcast"
    text = f"who-has {ip} tell {sender}, request {facts.number} by {how}"
    return text, {"nexthop": ip, "sender": sender, "arp_sent": facts.number}


def _announced(facts: Announced) -> Told:
    ip, sender = format_address(facts.ip), format_address(facts.sender)
    text = f"{sender} is still tested and may not ask; it tells {ip} where it is"
    return text, {"nexthop": ip, "sender": sender}


def _port(facts: PortOf) -> Told:
    what = f"a port of {facts.master}" + (f" ({facts.kind})" if facts.kind else "")
    row: Row = {"dev": facts.dev, "master": facts.master}
    return f"{facts.dev} is {what}, which gets the frame", row


def _taken(facts: Taken) -> Told:
    if not facts.lladdr:
        return f"{facts.dev} took {facts.length} B", {"dev": facts.dev, "len": facts.length}
    text = f"{facts.dev} took {facts.length} B for {format_mac(facts.lladdr)}"
    return text, {
        "dev": facts.dev,
        "lladdr": format_mac(facts.lladdr),
        "frame_len": facts.length,
    }


def _answer(facts: Answer) -> Told:
    if not facts.number:
        return facts.what, {}
    return f"{facts.what} (id {facts.number})", {"id": facts.number}


def _ethernet(facts: EthernetHeader) -> Told:
    dst, src = format_mac(facts.dst), format_mac(facts.src)
    to = f" to {dst}" if facts.dst[0] & 1 else ""
    text = (
        f"from {src}{to}, {ETHERTYPES.get(facts.ethertype, f'ethertype 0x{facts.ethertype:04x}')}"
    )
    return text, {"lladdr": src, "to": dst, "ethertype": f"0x{facts.ethertype:04x}"}


def _vlan(facts: VlanTag) -> Told:
    kind = vlan.PROTOCOLS[facts.tpid]
    row: Row = {"vid": facts.vid, "kind": kind, "pcp": facts.pcp}
    if facts.vid == vlan.PRIORITY:
        return f"{kind} tag of priority {facts.pcp} and no VLAN", row
    return f"VLAN {facts.vid} ({kind})", row


def _ip(facts: Ipv4Header) -> Told:
    src, dst = format_address(facts.src), format_address(facts.dst)
    protocol = PROTOCOLS.get(facts.protocol, f"protocol {facts.protocol}")
    text = f"{src} > {dst} {protocol} ttl {facts.ttl}, {facts.total_length} B"
    if facts.dscp_ecn:
        text += f", tos {facts.dscp_ecn:#04x}"
    row: Row = {
        "src": src,
        "dst": dst,
        "protocol": facts.protocol,
        "ttl": facts.ttl,
        "len": facts.total_length,
    }
    if facts.dscp_ecn:
        row["tos"] = facts.dscp_ecn
    if facts.mf or facts.fragment_offset:
        row.update(ident=facts.ident, offset=facts.fragment_offset, mf=facts.mf)
        last = "" if facts.mf else ", the last"
        text += f", fragment of {facts.ident} at {facts.fragment_offset}{last}"
    return text, row


def _options(facts: Options) -> Told:
    text = options_text(facts.raw, format_address)
    return text, {"options": text}


def _cut(facts: Cut) -> Told:
    text = f"{facts.length} B leave as {facts.fragments} fragments of at most {facts.mtu} B"
    return text, {
        "fragments": facts.fragments,
        "len": facts.length,
        "mtu": facts.mtu,
        "ident": facts.ident,
    }


def _joined(facts: Joined) -> Told:
    row: Row = {"fragments": facts.fragments, "len": facts.length}
    text = f"{facts.fragments} fragments make a datagram of {facts.length} B"
    if facts.number:
        row["id"] = facts.number
        text += f" (id {facts.number})"
    return text, row


def _udp(facts: UdpHeader) -> Told:
    length = facts.length - 8
    text = f"port {facts.sport} > {facts.dport}, {length} B"
    return text, {"sport": facts.sport, "dport": facts.dport, "len": length}


def _icmp(facts: IcmpMessage) -> Told:
    row: Row = {"icmp_type": facts.type, "icmp_code": facts.code}
    if facts.type in (Type.ECHO_REQUEST, Type.ECHO_REPLY):
        name = "echo request" if facts.type == Type.ECHO_REQUEST else "echo reply"
        row.update(ident=facts.ident, seq=facts.sequence)
        return f"{name}, ident {facts.ident} seq {facts.sequence}", row
    text = f"type {facts.type} code {facts.code}"
    known = ICMP_CODES.get((facts.type, facts.code)) or ICMP_TYPES.get(facts.type)
    added = icmp_extensions.text(icmp_extensions.parse(facts))
    if added:
        row["extensions"] = added
    return text + (f", {known}" if known else "") + (f" <{added}>" if added else ""), row


def _arp(facts: ArpPacket) -> Told:
    sender, target = format_address(facts.sender_ip), format_address(facts.target_ip)
    mac = format_mac(facts.sender_mac)
    row: Row = {"sender": sender, "sender_mac": mac, "target": target}
    if facts.op == Op.REQUEST:
        return f"who-has {target} tell {sender} ({mac})", {"op": "request", **row}
    return f"{sender} is-at {mac}", {"op": "reply", **row}


def _struck(facts: Struck) -> Told:
    why = facts.reason.why(facts.detail)
    row = {key: value for key, value in _known(facts.detail).items() if key not in WORDS}
    row["reason"] = facts.reason.name
    return f"{facts.reason.name}: {why}", row


def _fields(facts: dict[str, object]) -> Told:
    row = _known(facts)
    return ", ".join(f"{key} {value}" for key, value in row.items()), row


def _known(facts: Mapping[str, object]) -> Row:
    return {key: value for key, value in facts.items() if value != "" and value is not None}


def _nothing(_facts: None) -> Told:
    return "", {}


_TELLERS: dict[type, Callable[[Any], Told]] = {
    Bound: _bound,
    Way: _way,
    Loser: _loser,
    Hashed: _hashed,
    Ruled: _ruled,
    Selected: _selected,
    Owner: _owner,
    SpokenFor: _spoken_for,
    PassedOn: _passed_on,
    Resolved: _resolved,
    Learned: _learned,
    NotLearned: _not_learned,
    Stranger: _stranger,
    Asked: _asked,
    Announced: _announced,
    PortOf: _port,
    Taken: _taken,
    Answer: _answer,
    Cut: _cut,
    Joined: _joined,
    EthernetHeader: _ethernet,
    VlanTag: _vlan,
    Ipv4Header: _ip,
    Options: _options,
    UdpHeader: _udp,
    IcmpMessage: _icmp,
    **steps_ip.TELLERS,
    **steps_tcp.TELLERS,
    **steps_ip6.TELLERS,
    ArpPacket: _arp,
    Struck: _struck,
    dict: _fields,
    type(None): _nothing,
}
