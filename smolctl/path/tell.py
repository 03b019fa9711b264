"""The story of a path as a row: node by node, and what helps."""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from smolctl.counted import counted
from smolctl.path.mend import Mended
from smolctl.path.story import Hop, Leg, Outcome, Story
from smolctl.stack.explain.route_words import route_text
from smolctl.stack.explain.steps import steps_rows
from smolctl.stack.explain.verdict import headline, verdict
from smolctl.stack.ip.way import Way, WayType
from smolctl.stack.link.impairment import percent
from smolctl.stack.reason import ARP_TARGET_NOT_OURS, ND_TARGET_NOT_OURS, NEIGH_FAILED, Kind, Reason
from smolctl.stack.trace.facts import Cut, Joined
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.wire.address import format_address, format_mac

Row = dict[str, Any]
SCHEMA = 1
"""Version of the row; within one, keys are only added."""
_LEGS = (Leg.PACKET, Leg.ANSWER, Leg.ERROR, Leg.ASIDE)
_SMOLCTL = "smolctl "
_OF_NOBODY = r"\bsmolctl (?!--stack |-n |explain )"
"""Commands that name no stack, and need one."""
_HEARD_MAX = 4
"""Stacks that one line names."""


def tell(story: Story, mended: Iterable[Mended] = ()) -> Row:
    """Return the row of a path; keys that have nothing to say are absent."""
    question, first = story.question.packet, story.hops[0].trace
    row: Row = {"schema": SCHEMA, "kind": "path", "from": story.question.node}
    row.update(proto=question.proto, dst=format_address(question.dst))
    source = first.src if question.src is None else question.src
    if source is not None:
        row["src"] = format_address(source)
    if question.dport:
        row["dport"] = question.dport
    row.update(summary=headline(first), outcome=str(story.outcome), ok=story.ok)
    row["path"] = {str(leg): story.reached(leg) for leg in _LEGS[:3] if story.reached(leg)}
    row["story"] = _rows(story)
    if story.told:
        row["told"] = [
            {"src": format_address(src), "type": kind, "code": code}
            for src, kind, code in story.told
        ]
    if story.errno:
        row["errno"] = story.errno
    row.update(_end(story))
    plan = list(mended)
    row["fix"] = [fix.text for fix in plan[0].fixes] if plan else []
    look = None if row["fix"] else _look(story)
    if look is not None:
        row["look"] = look
    behind = [
        _then(each.then, plan[at + 1 : at + 2])
        for at, each in enumerate(plan)
        if each.then is not None and not each.then.ok
    ]
    return {**row, "then": behind} if behind else row


def _then(story: Story, plan: list[Mended]) -> Row:
    """Return what comes behind a fault that is mended."""
    return {**_end(story), "fix": [fix.text for each in plan for fix in each.fixes]}


def _end(story: Story) -> Row:
    """Return how a story ended: verdict and why, and where and by which reason it breaks."""
    row: Row = {"verdict": _verdict(story), "why": _why(story)}
    if story.at is not None:
        row.update(at=story.at.node, leg=str(story.leg))
    if story.reason is not None:
        why = story.reason
        row.update({"reason": why.name, "class": str(why.kind), "rfc": [why.source]})
    return row


def _verdict(story: Story) -> str:
    at = "" if story.at is None else story.at.node
    reason = f" - {story.reason.name}" if story.reason is not None else ""
    tcp = story.question.packet.proto == "tcp"
    if story.endless:
        return f"becomes a storm{reason}"
    if story.outcome is Outcome.WORKS:
        return "the connection opens" if tcp else "the answer comes back"
    if story.outcome is Outcome.WAITS:
        return f"waits at {at}{reason}"
    what = "the answer " if story.leg is Leg.ANSWER else ""
    if story.outcome is Outcome.OUTSIDE:
        return f"not known: {what or 'it '}leaves for {_outside(story.at)} from {at}"
    return f"{what}breaks at {at}{reason}"


def _outside(at: Hop | None) -> str:
    if at is None:
        return "somebody else"
    return f"{at.seen.outside} by {at.trace.dev}" if at.trace.dev else at.seen.outside


def _why(story: Story) -> str:
    if story.endless:
        return "one packet led to more and more of them; nothing stops it"
    if story.outcome is Outcome.OUTSIDE and story.at is not None:
        asked = " is asked for a MAC address; it" if story.at.leg is Leg.ASIDE else ""
        return f"{story.at.seen.outside}{asked} is none of the stacks that were looked at"
    if story.reason is not None:
        more = (_circle(story), _strangers(story), _untold(story), _told(story), _once(story))
        return story.reason.why(story.detail) + "".join(more)
    if story.outcome is Outcome.BREAKS:
        return "nothing came of it, and no reason was recorded" + _told(story)
    notes = [note for note in (_lucky(story), _rivals(story), _stranger(story)) if note]
    return "; ".join(notes) or "nothing was in its way"


def _once(story: Story) -> str:
    """Say of a segment that vanished that TCP would send it again (RFC 9293 3.8.1)."""
    gone = story.reason is not None and story.reason.kind is Kind.DROP
    if story.question.packet.proto != "tcp" or not gone:
        return ""
    if story.at is None or story.at.leg is Leg.ASIDE:
        return ""
    return "; TCP would send again what was lost, which is not followed"


def _stranger(story: Story) -> str:
    """Return from which other address than the one that was asked a datagram is answered."""
    question = story.question.packet
    answer = next((hop.trace for hop in story.hops if hop.leg is Leg.ANSWER), None)
    ways = [step.facts for step in story.hops[0].trace.steps if isinstance(step.facts, Way)]
    one = not ways or ways[0].type in (WayType.UNICAST, WayType.LOCAL)
    if question.proto != "udp" or answer is None or not one or answer.src in (None, question.dst):
        return ""
    # RFC 1122 4.1.3.5: the answer should come from where the question went.
    return (
        f"the answer comes from {format_address(answer.src or 0)}, which a program that has"
        " connected its socket does not hear"
    )


def _rivals(story: Story) -> str:
    """Return which stacks answered one question for a MAC address."""
    answered: dict[int, list[str]] = {}
    for hop in story.hops:
        if hop.leg is Leg.ASIDE and hop.seen.carried and hop.trace.fate is Fate.ANSWERED:
            answered.setdefault(id(hop.seen.parent), []).append(hop.node)
    nodes = next((nodes for nodes in answered.values() if len(nodes) > 1), [])
    return f"it was lucky: {' and '.join(nodes)} answer for the same address" if nodes else ""


def _lucky(story: Story) -> str:
    """Return which links lose frames on purpose, though not this one."""
    bad = {
        f"{hop.trace.dev} of {hop.node} loses {percent(hop.seen.loss)} of its frames": None
        for hop in story.hops
        if hop.seen.loss and hop.leg is not Leg.ASIDE
    }
    links = " and ".join(bad)
    return f"it was lucky: {links}" if bad else ""


def _circle(story: Story) -> str:
    """Return which nodes pass a packet round and round."""
    nodes = [hop.node for hop in story.hops if hop.leg is story.leg]
    circle = [node for node in dict.fromkeys(nodes) if nodes.count(node) > 2]
    return f"; it went round between {' and '.join(circle)}" if len(circle) > 1 else ""


def _strangers(story: Story) -> str:
    """Return who heard the question for a MAC address in vain, since another one was meant."""
    if story.reason is not NEIGH_FAILED:
        return ""
    heard: list[str] = []
    for hop in story.hops:
        if hop.leg is Leg.ASIDE:
            heard += hop.seen.bystanders
            if hop.trace.reason in (ARP_TARGET_NOT_OURS, ND_TARGET_NOT_OURS):
                heard.append(hop.node)
    names = sorted(dict.fromkeys(heard))
    if len(names) > _HEARD_MAX:
        return f"; {len(names)} stacks heard it, and none of them has the address"
    return f"; heard by {', '.join(names)}, without the address" if names else ""


def _untold(story: Story) -> str:
    """Return where the ICMP error ended that was to tell the sender; a black hole without it."""
    who = next((hop.node for hop in story.hops if hop.leg is story.leg), story.question.node)
    for hop in story.hops:
        if hop.leg is Leg.ERROR and hop.failed and hop.node != who and hop.trace.reason is not None:
            return f"; {who} is not told: the error ends at {hop.node} - {hop.trace.reason.name}"
    return ""


def _told(story: Story) -> str:
    """Return what else the sender hears, and learns from it."""
    if story.next is not None and story.next.ok:
        return f"; {story.question.node} learns that, and what it sends next gets through"
    return ""


def _look(story: Story) -> str | None:
    """Return where to look; the commands are for the node where it breaks."""
    if story.next is not None and story.next.ok:
        return f"send it again: {story.question.node} knows by then how much fits"
    if story.at is None or story.outcome is Outcome.WORKS:
        return None
    node = story.at.node
    if story.outcome is Outcome.OUTSIDE:
        return f"does it come in there, and what becomes of it? here: {_SMOLCTL}-n {node} trace"
    look = None if story.reason is None else story.reason.look(story.detail)
    return None if look is None else re.sub(_OF_NOBODY, f"{_SMOLCTL}-n {node} ", look)


# --- node by node ---------------------------------------------------------------------------------


def _rows(story: Story) -> list[Row]:
    """Return the rows of all legs: the packet, its answer, errors, and what was asked beside."""
    start = story.hops[0].trace.began_ns
    hops = [hop for hop in story.hops if not _is_part(hop)]
    if story.question.packet.proto == "tcp":  # a handshake goes to and fro
        hops.sort(key=lambda hop: hop.leg is Leg.ASIDE)
    else:
        hops.sort(key=lambda hop: _LEGS.index(hop.leg))
    groups = groupby(hops, lambda hop: (hop.leg, hop.node, _text(hop, story)))
    rows = [_row(list(group), story, start) for _, group in groups]
    return [{"n": number, **row} for number, row in enumerate(rows, 1)]


def _is_part(hop: Hop) -> bool:
    """Tell whether a fragment is told of by its datagram, at its sender or where that is joined."""
    trace = hop.trace
    if trace.whole is not None:
        return not hop.failed or trace.whole.reason is trace.reason
    return trace.fate is Fate.ABSORBED and any(
        isinstance(step[3], Joined) for step in trace.raw_steps
    )


def _row(hops: list[Hop], story: Story, start_ns: int) -> Row:
    hop, trace = hops[0], hops[0].trace
    row: Row = {"leg": str(hop.leg), "node": hop.node, "summary": headline(trace)}
    if trace.direction is Direction.FORWARD:
        row["iif"] = "" if trace.arrival is None else trace.arrival.dev
        if trace.dev != row["iif"]:
            row["dev"] = trace.dev
    elif trace.dev:
        row["iif" if trace.direction is Direction.IN else "dev"] = trace.dev
    if trace.gateway is not None:
        row["gateway"] = format_address(trace.gateway)
    if trace.linked and trace.direction is not Direction.IN:
        row["lladdr"] = format_mac(trace.frame[:6])
    row["result"] = "wait" if _asks_outside(hop, story) else _result(hop)
    if row["result"] == "wait":
        row["fate"] = str(Fate.WAITING)
    elif trace.fate is not None:
        row["fate"] = str(trace.fate)
    if trace.reason is not None and not _asks_outside(hop, story):
        row["reason"] = trace.reason.name
    if len(hops) > 1:
        row["count"] = len(hops)
    row.update(text=_text(hop, story), ms=round((trace.began_ns - start_ns) / 1e6, 3))
    if hop.seen.outside:
        row["outside"] = hop.seen.outside
    row["steps"] = steps_rows(trace)
    return row


def _result(hop: Hop) -> str:
    if hop.trace.reason is not None and (hop.failed or hop.trace.fate is Fate.WAITING):
        return hop.trace.reason.kind.value
    return "ok"


def _asks_outside(hop: Hop, story: Story) -> bool:
    """Tell whether a packet waits for the MAC address of somebody who is not looked at."""
    return story.outcome is Outcome.OUTSIDE and hop.trace.reason is NEIGH_FAILED


def _text(hop: Hop, story: Story) -> str:
    """Return what happened to a packet at a node, in one line."""
    trace, about = hop.trace, ""
    if hop.leg is Leg.ASIDE:
        about = f"{headline(trace)}: "
    if _asks_outside(hop, story) and story.at is not None:
        return f"{_places(trace)}waits for the answer of {story.at.seen.outside}"
    if hop.failed and trace.reason is not None:
        told = _trouble(trace, trace.reason, brief=hop is story.at or trace.reason is story.reason)
        return f"{_places(trace)}{about}{told}"
    text = f"{_places(trace)}{about}{_fate(trace)}"
    if hop.seen.nobody:
        return f"{text}; nobody is there"
    return f"{text}; leaves for {hop.seen.outside}" if hop.seen.outside else text


def _trouble(trace: Trace, why: Reason, *, brief: bool) -> str:
    return why.name if brief else f"{why.name}: {why.why(trace.detail)}"


def _places(trace: Trace) -> str:
    """Return by which interfaces it came and left."""
    if trace.arrival is not None and trace.arrival.dev != trace.dev:
        return f"{trace.arrival.dev} > {trace.dev}: "
    return f"{trace.dev}: " if trace.dev else ""


def _fate(trace: Trace) -> str:
    """Return what became of it: the route and the next hop, or who took it."""
    facts = [step.facts for step in trace.steps]
    way = next((fact for fact in reversed(facts) if isinstance(fact, Way)), None)
    if trace.direction in (Direction.OUT, Direction.FORWARD) and way is not None:
        pieces = next((fact.fragments for fact in facts if isinstance(fact, Cut)), 0)
        cut = f", in {counted(pieces, 'fragment')}" if pieces else ""
        return f"{_route(way)}{cut}"
    if trace.direction is Direction.IN:
        joined = next((fact.fragments for fact in facts if isinstance(fact, Joined)), 0)
        together = f", put together from {counted(joined, 'fragment')}" if joined else ""
        return verdict(trace) + together
    return "sent" if trace.direction is Direction.OUT else verdict(trace)


def _route(way: Way) -> str:
    if way.route is None:
        return f"to {format_address(way.next_hop)}"
    text = route_text(way.route)
    if way.type is WayType.UNICAST and way.gateway is None:
        return f"{text}, {format_address(way.dst)} is on the link"
    return text
