"""The verdict on a packet: its row with why and fix."""

from collections.abc import Callable, Mapping
from typing import Any

from smolctl.stack import reason as reasons
from smolctl.stack.explain.answers import unsent
from smolctl.stack.explain.names import icmp6_name, icmp_name
from smolctl.stack.explain.route_words import route_text
from smolctl.stack.explain.steps import Row, reached_text, steps_rows
from smolctl.stack.explain.summary import summarize
from smolctl.stack.ip.way import Way
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import (
    Bound,
    Cut,
    GroupMember,
    Handshake,
    Joined,
    Learned,
    Owner,
    Planned,
    Resolved,
    SpokenFor,
    Stranger,
)
from smolctl.stack.trace.trace import Direction, Fate, Struck, Trace
from smolctl.wire import mld
from smolctl.wire.address import (
    IPV6,
    ZERO_MAC,
    family_of,
    format_address,
    format_endpoint,
    format_mac,
)
from smolctl.wire.arp import ArpPacket, Op
from smolctl.wire.icmpv4 import IcmpMessage
from smolctl.wire.icmpv6 import Icmpv6Message
from smolctl.wire.igmp import Membership, Report
from smolctl.wire.ipv4 import Ipv4Header
from smolctl.wire.ipv6 import Ipv6Header
from smolctl.wire.ipv6_ext import Chain
from smolctl.wire.ndp import NeighborAdvertisement, NeighborSolicitation
from smolctl.wire.tcp import TcpHeader, flag_names, flags_text
from smolctl.wire.udp import HEADER_LEN, UdpHeader

SCHEMA = 1
"""Version of the row; within one, keys are only added."""


def tell(trace: Trace, wall: Callable[[int], float] | None = None, *, brief: bool = False) -> Row:
    """Return the row of a packet; keys that have nothing to say are absent.

    Args:
        wall: turns the stack's time into seconds since 1970; None for a prediction.
        brief: do not find out what helps, which takes a millisecond, but say where that is told.
    """
    reason, detail = blame(trace)
    row: Row = {"schema": SCHEMA, "kind": "predicted" if wall is None else "observed"}
    if trace.id and wall is not None:
        row.update(id=trace.id, time=round(wall(trace.began_ns), 6))
    row.update(dir=str(trace.direction), verdict=verdict(trace), ok=good(trace))
    if trace.fate is not None:
        row["fate"] = str(trace.fate)
    if reason is not None:
        row.update({"reason": reason.name, "class": str(reason.kind)})
    if trace.waited_for is not None and trace.settled and wall is not None:
        row["delay_ms"] = round((trace.at_ns - trace.began_ns) / 1e6, 3)
    row.update(summary=headline(trace), packet=packet_row(trace))
    if trace.arrival is not None:
        row["iif"] = trace.arrival.dev
    if trace.dev:
        row["dev"] = trace.dev
    if trace.cause is not None:
        row["cause"] = {"summary": headline(trace.cause)}
        if trace.cause.id:
            row["cause"]["id"] = trace.cause.id
    row["steps"] = steps_rows(trace)
    for answer in trace.answers:
        row["steps"].append({"n": len(row["steps"]) + 1, **_answer_step(answer)})
    row["why"] = because(trace)
    if reason is not None:
        row.update(rfc=[reason.source], linux=reason.linux)
        if brief and trace.id and reason.fix_templates:
            row.update(fix=[], look=f"smolctl why {trace.id}")
        else:
            row["fix"] = reason.fixes(detail)
            look = None if row["fix"] else reason.look(detail)
            row.update({} if look is None else {"look": look})
    else:
        row["fix"] = []
    return row


def blame(trace: Trace) -> tuple[Reason | None, Mapping[str, object]]:
    """Return the reason that the packet, or its answer, is in trouble for, and its details."""
    answer = unsent(trace)
    if answer is not None:
        return answer.reason, answer.detail
    if trace.complaint is not None:
        return trace.complaint
    if trace.reason is None and trace.fate is Fate.ABSORBED and trace.steps[-1].result == "note":
        facts = trace.steps[-1].facts
        if isinstance(facts, Struck):
            return facts.reason, facts.detail
    if trace.reason is None and trace.waited_for is not None and trace.waited_for.fix_templates:
        # It is through, but need not have waited.
        for step in trace.steps:
            if isinstance(step.facts, Struck) and step.facts.reason is trace.waited_for:
                return trace.waited_for, step.facts.detail
    return trace.reason, trace.detail


def good(trace: Trace) -> bool:
    """Tell whether the packet, and its answer, did what its sender wants, or still may."""
    failed = trace.complaint is not None or trace.fate in (Fate.DROPPED, Fate.REJECTED)
    return not failed and unsent(trace) is None


def headline(trace: Trace) -> str:
    """Return what the packet is, in one line."""
    if trace.frame:
        return summarize(trace.frame, trace.linked)
    flow = trace.flow
    if flow is None:
        return "a packet"
    family = family_of(flow.dst)
    src = format_address(family.mark if flow.src is None else flow.src)
    dst = format_address(flow.dst)
    if flow.proto in ("arp", "nd"):
        return f"who-has {dst}" + (f" tell {src}" if flow.src is not None else "")
    if flow.proto in ("udp", "tcp"):
        name = "UDP" if flow.proto == "udp" else f"TCP {flags_text(flow.flags)},"
        if flow.sport:  # else none was chosen yet
            src = format_endpoint(family.mark if flow.src is None else flow.src, flow.sport)
        return f"{src} > {format_endpoint(flow.dst, flow.dport)} {name} {flow.length} B"
    name, known = ("ICMPv6", icmp6_name) if family is IPV6 else ("ICMP", icmp_name)
    return f"{src} > {dst} {name} {known(flow.sport, flow.dport)}, {flow.length} B"


def verdict(trace: Trace) -> str:
    """Return the fate in words, and the reason's name."""
    if trace.complaint is not None:
        return f"sent, but it failed - {trace.complaint[0].name}"
    text = _VERDICTS[trace.fate](trace)
    handshake = next((s.facts for s in trace.steps if isinstance(s.facts, Handshake)), None)
    if handshake is not None:
        text = "the connection opens" if handshake.open else f"SYN {text}"
    reason, _ = blame(trace)
    if unsent(trace) is not None:
        text += ", but the answer is not sent"
    return f"{text} - {reason.name}" if reason is not None else text


def _queued(trace: Trace) -> str:
    queued = trace.detail.get("queued")
    return f"waiting, {queued} queued" if queued else "waiting"


def _sent(trace: Trace) -> str:
    waited = trace.waited_for is not None and trace.at_ns > trace.began_ns
    after = f" after {(trace.at_ns - trace.began_ns) / 1e6:.1f} ms" if waited else ""
    cut = trace.steps[-1].facts
    pieces = f" in {cut.fragments} fragments" if isinstance(cut, Cut) else ""
    return f"{trace.fate} by {trace.dev}{after}{pieces}"


def _delivered(trace: Trace) -> str:
    takers = [
        step.facts
        for step in trace.steps
        if isinstance(step.facts, Bound) and step.result == "pick"
    ]
    if not takers:
        return "delivered"
    first = takers[0]
    owner = f" ({first.owner})" if first.owner else ""
    more = f" and {len(takers) - 1} more" if len(takers) > 1 else ""
    return f"delivered to {format_endpoint(first.local or 0, first.port)}{owner}{more}"


def _failed(trace: Trace) -> str:
    if trace.direction is Direction.OUT:
        return "not sent"
    if trace.direction is Direction.LOCAL:
        return "not delivered"
    if trace.direction is Direction.FORWARD:
        return "not forwarded"
    return "refused" if trace.fate is Fate.REJECTED else "dropped"


def _absorbed(trace: Trace) -> str:
    reason, _ = blame(trace)
    if reason is None:
        return _LEARNED.get(type(trace.steps[-1].facts), "learned from")
    if trace.direction is Direction.OUT:
        return "nobody is asked"
    return _NOTED.get(reason, "told to its sender")


_NOTED = {
    reasons.ICMP_REDIRECTED: "followed",
    reasons.REDIRECT6_TAKEN: "followed",
    reasons.ND_DAD_LOOPED: "known again",
    reasons.ND_OVERRIDE_REFUSED: "not believed",
}
"""Verdicts on packets that are noted, and are no errors about a packet of ours."""
_LEARNED: dict[type, str] = {
    Joined: "put together with the others",
    Planned: "taken note of",
    Membership: "taken note of",
    TcpHeader: "taken by its connection",
    Report: "taken note of",
    mld.Membership: "taken note of",
    mld.Report: "taken note of",
    NeighborSolicitation: "known again",
}


_VERDICTS: dict[Fate | None, Callable[[Trace], str]] = {
    None: lambda _trace: "not decided yet",
    Fate.WAITING: _queued,
    Fate.SENT: _sent,
    Fate.FORWARDED: _sent,
    Fate.DELIVERED: _delivered,
    Fate.ANSWERED: lambda _trace: "answered",
    Fate.ABSORBED: _absorbed,
    Fate.DROPPED: _failed,
    Fate.REJECTED: _failed,
}


def because(trace: Trace) -> str:
    """Return why the packet has its fate, in one line."""
    reason, detail = blame(trace)
    if reason is not None and unsent(trace) is not None:
        return f"the answer: {reason.why(detail)}"
    if reason is not None and (trace.fate is not Fate.WAITING or reason.fix_templates):
        return reason.why(detail)
    facts = {type(step.facts): step.facts for step in trace.steps}
    parts = []
    decision, owner, found = facts.get(Way), facts.get(Owner), facts.get(Resolved)
    if isinstance(decision, Way) and trace.direction in (Direction.OUT, Direction.FORWARD):
        route = decision.route
        parts.append(
            f"{decision.interface.name} was asked for"
            if route is None
            else f"{route_text(route)} is the best route to {format_address(decision.dst)}"
        )
    elif isinstance(owner, Owner) and not _TELLING & facts.keys():
        text = "everybody's" if owner.route is None else f"ours by {route_text(owner.route)}"
        parts.append(f"{format_address(owner.dst)} is {text}")
    member, planned = facts.get(GroupMember), facts.get(Planned)
    if isinstance(member, GroupMember) and not _TELLING & facts.keys():
        parts.append(f"{format_address(member.group)} is joined on {member.dev}")
    if isinstance(planned, Planned):
        answered = f"it is answered within {planned.within_ms / 1000:g} s"
        parts.append(answered if planned.groups else "there is nothing to report")
    if isinstance(found, Resolved):
        parts.append(f"{format_address(found.ip)} is at {format_mac(found.lladdr)}")
    arp, learned = facts.get(ArpPacket), facts.get(Learned)
    if isinstance(arp, ArpPacket):
        parts.append(_arp_because(trace, arp))
    elif isinstance(learned, Learned) and _TELLING & facts.keys():
        parts.append(f"{format_address(learned.ip)} is at {format_mac(learned.lladdr)}")
    handshake = facts.get(Handshake)
    if isinstance(handshake, Handshake) and not handshake.open:
        parts.append(f"whether {format_address(handshake.peer)} takes it is not known here")
    if reason is not None:
        parts.append(reason.why(detail))
    elif trace.waited_for is not None and trace.waited_for.layer == "neigh":
        asked = "neighbor discovery" if _is_ipv6(facts) else "ARP"
        parts.append(f"the first packet to a new next hop waits for {asked}")
    return "; ".join(parts) or "nothing was in its way"


_TELLING = {ArpPacket, NeighborAdvertisement}
"""Messages that are about another address than their destination."""


def _is_ipv6(facts: Mapping[type, object]) -> bool:
    """Tell whether a packet's way is one of IPv6."""
    way = facts.get(Way)
    return isinstance(way, Way) and family_of(way.dst) is IPV6


def _arp_because(trace: Trace, packet: ArpPacket) -> str:
    facts: dict[type, Any] = {type(step.facts): step.facts for step in trace.steps}
    target = format_address(packet.target_ip)
    spoken_for: SpokenFor | None = facts.get(SpokenFor)
    if spoken_for is not None:
        return f"{target} is {reached_text(spoken_for)}"
    if trace.fate is Fate.ANSWERED:
        owner: Owner | None = facts.get(Owner)
        dev = None if owner is None or owner.route is None else owner.route.dev
        answered = f"{target} is ours, and its owner answers"
        if dev not in (None, trace.dev):
            # ARP flux: an address belongs to the host, as in Linux, and any link tells of it.
            answered = f"{target} is ours; the address is {dev}'s; arp.ignore=1 stops that"
        return answered + _WHOEVER_ASKS * (Stranger in facts)
    return f"{format_address(packet.sender_ip)} is at {format_mac(packet.sender_mac)}"


def _answer_step(answer: Trace) -> Row:
    """Return the step of an answer: by which link and to whom it leaves, or why it does not."""
    row: Row = {"stage": "answer", "result": "ok"}
    text = headline(answer)
    if answer.fate in (Fate.DROPPED, Fate.REJECTED, Fate.WAITING) and answer.reason is not None:
        row.update(result=answer.reason.kind.value, reason=answer.reason.name)
        return {**row, "text": f"{text}: {answer.reason.why(answer.detail)}"}
    if answer.direction is Direction.LOCAL:
        return {**row, "text": f"{text}, stays inside"}
    row["dev"] = answer.dev
    text += f", by {answer.dev}"
    if answer.gateway is not None:
        row["gateway"] = format_address(answer.gateway)
        text += f" via {row['gateway']}"
    if answer.linked and answer.frame[:6] != ZERO_MAC:  # that of a link that has no addresses
        row["lladdr"] = format_mac(answer.frame[:6])
        text += f" to {row['lladdr']}"
    return {**row, "text": text}


_WHOEVER_ASKS = ", whatever network the sender is in, as Linux does (unless arp.accept_from=subnet)"


# --- what the packet is, as a row -----------------------------------------------------------------


def packet_row(trace: Trace) -> Row:
    """Return protocol, addresses, ports and lengths, as far as they are known."""
    facts: dict[type, Any] = {type(step.facts): step.facts for step in trace.steps}
    arp = facts.get(ArpPacket)
    if arp is not None:
        return {
            "proto": "arp",
            "op": "request" if arp.op == Op.REQUEST else "reply",
            "src": format_address(arp.sender_ip),
            "dst": format_address(arp.target_ip),
            "lladdr": format_mac(arp.sender_mac),
        }
    flow = trace.flow
    if flow is not None:
        src = trace.src if trace.src is not None else flow.src
        row: Row = {"proto": flow.proto, "dst": format_address(flow.dst), "len": flow.length}
        if src is not None:
            row["src"] = format_address(src)
        if flow.proto in ("udp", "tcp"):
            row.update(sport=flow.sport, dport=flow.dport)
        elif flow.proto != "nd":
            row.update(icmp_type=flow.sport, icmp_code=flow.dport)
        return row
    return _received_row(facts)


def _received_row(facts: dict[type, Any]) -> Row:
    header: Ipv4Header | None = facts.get(Ipv4Header)
    if header is not None:
        protocol, ttl = header.protocol, header.ttl
        size = header.total_length - header.header_len
        src, dst = header.src, header.dst
    elif (header6 := facts.get(Ipv6Header)) is not None:
        chain: Chain | None = facts.get(Chain)
        protocol = header6.next_header if chain is None else chain.protocol
        ttl, size = header6.hop_limit, header6.payload_length
        src, dst = header6.src, header6.dst
    else:
        return {}
    row: Row = {
        "proto": _PROTOCOLS.get(protocol, str(protocol)),
        "src": format_address(src),
        "dst": format_address(dst),
        "ttl": ttl,
        "len": size,
    }
    parsed: UdpHeader | None = facts.get(UdpHeader)
    if parsed is not None:
        row.update(sport=parsed.sport, dport=parsed.dport, len=parsed.length - HEADER_LEN)
    segment: TcpHeader | None = facts.get(TcpHeader)
    if segment is not None:
        row.update(sport=segment.sport, dport=segment.dport, flags=flag_names(segment.flags))
        row["len"] -= segment.header_len
    message: IcmpMessage | Icmpv6Message | None = facts.get(IcmpMessage, facts.get(Icmpv6Message))
    if message is not None:
        row.update(icmp_type=message.type, icmp_code=message.code, len=len(message.body))
    return row


_PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmp6"}
