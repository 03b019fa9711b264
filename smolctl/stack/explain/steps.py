"""A packet's steps in words and in rows, one function per kind of fact.

Rows have the keys of ``ip -j`` where it knows the thing; the text of a step is for people and may
change.
"""

from collections.abc import Callable
from typing import Any

from smolctl.stack.explain import steps_ip
from smolctl.stack.explain.route_words import prefix_text, route_text, rule_text
from smolctl.stack.explain.summary import ETHERTYPES, PROTOCOLS
from smolctl.stack.fib.route import Route, RouteType
from smolctl.stack.ip.route_output import Decision
from smolctl.stack.reason import REASONS
from smolctl.stack.trace.facts import (
    Answer,
    Asked,
    Bound,
    Cut,
    Hashed,
    Joined,
    Learned,
    Loser,
    Owner,
    PassedOn,
    Resolved,
    Ruled,
    Stranger,
    Taken,
)
from smolctl.stack.trace.trace import Step, Trace
from smolctl.wire.address import format_address, format_mac
from smolctl.wire.arp import ArpPacket, Op
from smolctl.wire.ethernet import EthernetHeader
from smolctl.wire.icmpv4 import IcmpMessage, Type
from smolctl.wire.ipv4 import Ipv4Header
from smolctl.wire.ipv4_options import Options
from smolctl.wire.ipv4_options import text as options_text
from smolctl.wire.udp import UdpHeader

Row = dict[str, Any]
Told = tuple[str, Row]

_STAGES = {
    "tx-payload-too-long": "socket",
    "tx-broadcast-denied": "socket",
    "tx-no-port": "socket",
    "tx-no-device": "socket",
    "tx-dst-invalid": "route",
    "tx-no-route": "route",
    "tx-route-blackhole": "route",
    "tx-route-unreachable": "route",
    "tx-route-prohibit": "route",
    "tx-rule-blackhole": "rule",
    "tx-rule-unreachable": "rule",
    "tx-rule-prohibit": "rule",
    "ip-rule-refused": "rule",
    "tx-src-not-ours": "source",
    "tx-src-tentative": "source",
    "tx-no-source": "source",
    "tx-loopback-source": "source",
    "tx-wrong-iface": "source",
    "tx-too-big": "size",
    "tx-iface-down": "device",
    "tx-no-carrier": "device",
    "tx-queue-full": "device",
    "rx-iface-down": "device",
    "ip-bad-option": "options",
    "ip-source-route": "options",
    "ip-source-route-open": "options",
    "ip-dst-not-ours": "route",
    "ip-dst-tentative": "route",
    "ip-dst-other-iface": "route",
    "ip-reverse-path": "route",
    "ip-dst-invalid": "route",
    "ip-multicast-not-joined": "route",
    "fwd-special-address": "forward",
    "fwd-group-frame": "forward",
    "fwd-ttl-exceeded": "forward",
    "fwd-no-route": "route",
    "fwd-route-blackhole": "route",
    "fwd-route-unreachable": "route",
    "fwd-route-prohibit": "route",
    "fwd-too-big": "size",
    "ip-multicast-filtered": "route",
    "frag-pending": "fragment",
    "frag-bad-length": "fragment",
    "frag-too-big": "fragment",
    "frag-duplicate": "fragment",
    "frag-overlap": "fragment",
    "frag-end-conflict": "fragment",
    "frag-no-slot": "fragment",
    "frag-timeout": "fragment",
    "udp-port-closed": "socket",
    "udp-bound-elsewhere": "socket",
    "udp-peer-mismatch": "socket",
    "udp-rcvbuf-full": "socket",
    "udp-no-listener": "socket",
    "udp-copy-lost": "socket",
    "arp-target-not-ours": "target",
    "arp-target-tentative": "target",
    "arp-ignored": "target",
    "arp-proxy-idle": "target",
    "arp-proxy-queue-full": "target",
    "arp-sender-invalid": "sender",
    "arp-sender-off-subnet": "sender",
    "arp-own-sender": "sender",
    "arp-address-conflict": "sender",
    "arp-dad-failed": "sender",
}
"""Where a reason strikes, when that is not its layer."""

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
    """Return the row of a step: n, stage, result, text, and the facts."""
    stage, facts = step.stage, step.facts
    told = _TELLERS[type(facts)](facts)
    if isinstance(facts, dict) and "reason" in facts:
        stage = _STAGES.get(facts["reason"], stage)
    return {"n": number, "stage": stage, "result": step.result, "text": told[0], **told[1]}


def steps_rows(trace: Trace) -> list[Row]:
    """Return the rows of all steps, in order."""
    return [step_row(number, step) for number, step in enumerate(trace.steps, 1)]


# --- one kind of fact each ------------------------------------------------------------------------


def _bound(facts: Bound) -> Told:
    local = format_address(facts.local)
    text = f"{local}:{facts.port}" + (f" dev {facts.dev}" if facts.dev else "")
    row: Row = {"bound": f"{local}:{facts.port}"}
    if facts.dev:
        row["dev"] = facts.dev
    if facts.owner:
        row["owner"] = facts.owner
        text += f" ({facts.owner})"
    return text, row


def _route_row(route: Route) -> Row:
    row: Row = {"dst": prefix_text(route)}
    if route.type is not RouteType.UNICAST:
        row["type"] = str(route.type)
    if route.via is not None:
        row["gateway"] = format_address(route.via)
    if route.dev is not None:
        row["dev"] = route.dev
    if route.metric:
        row["metric"] = route.metric
    return row


def _decision(facts: Decision) -> Told:
    out, route = facts.interface.name, facts.route
    row: Row = {"dev": out} if route is None else {**_route_row(route), "dev": out}
    text = f"dev {out}, no route needed" if route is None else route_text(route)
    if facts.src is not None:
        row["prefsrc"] = format_address(facts.src)
        text += f", source {row['prefsrc']}"
    if facts.type == "unicast":
        row["nexthop"] = format_address(facts.next_hop)
        text += f", next hop {row['nexthop']}"
        if facts.redirected is not None:
            row["redirected"] = True
            text += " (redirected)"
        if facts.redirected is not None:
            row["redirected"] = True
            text += " (redirected)"
    elif facts.type == "local":
        text += ": our own, stays inside"
    row["mtu"] = facts.mtu
    return text, row


def _loser(facts: Loser) -> Told:
    cause = LOSING.get(facts.cause, facts.cause)
    return f"{route_text(facts.route)}: {cause}", {**_route_row(facts.route), "cause": facts.cause}


def _ruled(facts: Ruled) -> Told:
    rule = facts.rule
    text = f"{rule.priority}: {rule_text(rule)}: {RULED[facts.cause]}"
    return text, {"priority": rule.priority, **({"cause": facts.cause} if facts.cause else {})}


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
    return f"{dst} is ours: {route_text(facts.route)}", _route_row(facts.route)


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


def _stranger(facts: Stranger) -> Told:
    ip = format_address(facts.ip)
    text = f"{ip} is in none of the networks of {facts.dev} ({facts.networks})"
    return f"{text}; arp.accept_from allows it", {"sender": ip, "networks": facts.networks}


def _asked(facts: Asked) -> Told:
    ip, sender = format_address(facts.ip), format_address(facts.sender)
    how = "unicast" if facts.unicast else "broadcast"
    text = f"who-has {ip} tell {sender}, request {facts.number} by {how}"
    return text, {"nexthop": ip, "sender": sender, "arp_sent": facts.number}


def _taken(facts: Taken) -> Told:
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
    return f"type {facts.type} code {facts.code}", row


def _arp(facts: ArpPacket) -> Told:
    sender, target = format_address(facts.sender_ip), format_address(facts.target_ip)
    mac = format_mac(facts.sender_mac)
    row: Row = {"sender": sender, "sender_mac": mac, "target": target}
    if facts.op == Op.REQUEST:
        return f"who-has {target} tell {sender} ({mac})", {"op": "request", **row}
    return f"{sender} is-at {mac}", {"op": "reply", **row}


def _fields(facts: dict[str, object]) -> Told:
    row = {key: value for key, value in facts.items() if value != "" and value is not None}
    name = facts.get("reason")
    if name in REASONS:
        return f"{name}: {REASONS[str(name)].why(facts)}", row
    return ", ".join(f"{key} {value}" for key, value in row.items()), row


def _nothing(_facts: None) -> Told:
    return "", {}


_TELLERS: dict[type, Callable[[Any], Told]] = {
    Bound: _bound,
    Decision: _decision,
    Loser: _loser,
    Hashed: _hashed,
    Ruled: _ruled,
    Owner: _owner,
    PassedOn: _passed_on,
    Resolved: _resolved,
    Learned: _learned,
    Stranger: _stranger,
    Asked: _asked,
    Taken: _taken,
    Answer: _answer,
    Cut: _cut,
    Joined: _joined,
    EthernetHeader: _ethernet,
    Ipv4Header: _ip,
    Options: _options,
    UdpHeader: _udp,
    IcmpMessage: _icmp,
    **steps_ip.TELLERS,
    ArpPacket: _arp,
    dict: _fields,
    type(None): _nothing,
}
