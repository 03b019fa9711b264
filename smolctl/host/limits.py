"""Limits of an answer: what was not looked at and could change it, as far as the packet meets it.

A packet filter, IPsec and programs in the kernel decide by rules that nobody evaluates here; and a
twin is not the host where a note says so.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from smolctl.counted import counted
from smolctl.host import filters, links, rules
from smolctl.host.filters import Chain
from smolctl.host.hooks import PLAIN_KINDS
from smolctl.host.passage import Passage, length
from smolctl.host.reading import HostState
from smolctl.host.rows import prefix_text
from smolctl.host.twin import Note
from smolctl.host.underlay import TUNNELS
from smolctl.host.values import AF_INET, AF_INET6
from smolctl.host.xfrm import Policy
from smolctl.stack.explain.predict import Question
from smolctl.stack.interface import ETHERNET_MTU
from smolctl.stack.trace.trace import Fate
from smolctl.wire.address import (
    IPV6,
    family_of,
    is_multicast,
)


class Decides(Enum):
    """Whether a limit decides, so that nobody can say."""

    NO = "no"
    """It could change the answer."""
    PASSING = "passing"
    """It decides about packets that would get through without it."""
    FAILING = "failing"
    """It may send elsewhere what fails without it."""
    ALWAYS = "always"
    """The answer is a guess without it."""


class Limit(NamedTuple):
    """Something that was not looked at, in words.

    Attributes:
        decides: whether the answer depends on it.
        command: that shows more of it, "" for none.
    """

    text: str
    decides: Decides = Decides.NO
    command: str = ""


class Case(NamedTuple):
    """One question, and what its packet met.

    Attributes:
        notes: of the twin.
        passages: of the packet, then of its answers.
        ip: how ``ip`` begins in the namespace; inside: what stands before other commands there.
    """

    state: HostState
    notes: Sequence[Note]
    passages: Sequence[Passage]
    question: Question
    ip: str = "ip"
    inside: str = ""


def limits(case: Case) -> list[Limit]:
    """Return the limits of an answer, those that decide first."""
    found = [limit for tell in _TELLERS for limit in tell(case)]
    once = list(dict.fromkeys(found))
    return sorted(once, key=lambda limit: limit.decides is Decides.NO)


# --- packet filters -------------------------------------------------------------------------------


def chains(case: Case) -> list[Chain]:
    """Return the chains that are asked about the packet or its answers, and do anything."""
    return [
        chain
        for hook in case.state.hooks
        for chain in hook.chains
        if not chain.idle and any(_asks(chain, passage) for passage in case.passages)
    ]


def _asks(chain: Chain, passage: Passage) -> bool:
    if chain.hook not in passage.hooks:
        return False
    if chain.family == filters.NETDEV or chain.hook == "ingress":
        link = passage.left if chain.hook == "egress" else passage.entered
        return not chain.devices or link in chain.devices
    if passage.arp:
        return chain.family == filters.ARP
    ours = filters.IPV6 if passage.family is IPV6 else filters.IPV4
    return chain.family in (filters.INET, ours)


def _filters(case: Case) -> Iterator[Limit]:
    found = chains(case)
    if not found:
        return
    tools = ", ".join(sorted({chain.tool for chain in found}))
    count = sum(chain.rules for chain in found)
    text = f"{counted(len(found), 'chain')} of {tools} ({counted(count, 'rule')})"
    text += f" could drop or change this: {', '.join(map(_chain_text, found))}"
    decides = Decides.PASSING if any(chain.drops for chain in found) else Decides.NO
    if any(chain.kind == "nat" and chain.hook in _REDIRECTING for chain in found) and _missed(case):
        decides = Decides.FAILING
    yield Limit(text, decides)
    tracked = next((hook for hook in case.state.hooks if hook.name == "conntrack"), None)
    if tracked is not None and any(chain.kind == "nat" for chain in found):
        yield Limit(
            f"conntrack: a packet of a known connection is rewritten as it was ({tracked.what})"
        )


_REDIRECTING = ("prerouting", "output")
"""Hooks at which NAT may choose another destination."""
_OF_DESTINATION = ("socket", "udp", "tcp", "forward", "route")
"""Stages at which a packet fails that is for nobody, or for whom no way leads."""


def _missed(case: Case) -> bool:
    """Tell whether a packet fails because of its destination, and not because of its source."""
    trace = case.passages[0].trace
    reason = trace.reason
    failed = trace.fate in (Fate.DROPPED, Fate.REJECTED) and reason is not None
    return bool(
        failed
        and reason is not None
        and reason.stage in _OF_DESTINATION
        and reason.name != "ip-reverse-path"
    )


def _chain_text(chain: Chain) -> str:
    name = f"{chain.table} {chain.name}"
    return f"{name} (drops what no rule accepts)" if chain.drops else name


_UNREAD = {
    "nftables": "rules of nftables", "iptables": "rules of iptables",
    "ip6tables": "rules of ip6tables", "arptables": "rules of arptables",
    "ipvs": "services of IPVS", "xfrm": "policies of IPsec",
}  # fmt: skip


def _unread(case: Case) -> Iterator[Limit]:
    """Yield what may be there and must not be read, all of it in one line."""
    if not any(passage.hooks for passage in case.passages):
        return
    unread = [hook.name for hook in case.state.hooks if hook.number is None]
    arp, six = case.passages[0].arp, case.passages[0].family is IPV6
    without = {"arptables": not arp, "iptables": arp or six, "ip6tables": arp or not six}
    told = [_UNREAD[name] for name in unread if name in _UNREAD and not without.get(name, False)]
    if arp:
        told = [each for each in told if "IP" not in each]
    if told:
        yield Limit(f"{_listed(told)} may exist, and only root may read them")


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def unread_filters(case: Case) -> bool:
    """Tell whether there may be chains that nobody here may see."""
    return any(hook.number is None and hook.name == "nftables" for hook in case.state.hooks)


# --- other hooks ----------------------------------------------------------------------------------


def _hooks(case: Case) -> Iterator[Limit]:
    met = {link for passage in case.passages for link in passage.links}
    entered = {passage.entered for passage in case.passages}
    for hook in case.state.hooks:
        if hook.name == "xdp" and hook.link in entered:
            text = f"a program (XDP) at {hook.link} sees what comes in before all else"
            yield Limit(text, Decides.PASSING, f"{case.ip} link show {hook.link}")
        elif hook.name == "tc" and hook.link in met:
            command = f"{case.inside}tc filter show dev {hook.link}"
            yield Limit(f"traffic control at {hook.link} ({hook.what})", command=command)
        elif hook.name == "ipvs" and hook.number and _comes_in(case):
            yield Limit(f"IPVS passes on what is for its services ({hook.what})")
        elif hook.name == "mroute" and hook.number and is_multicast(case.question.dst):
            yield Limit("groups are routed here by a daemon's own routes", Decides.ALWAYS,
                        f"{case.ip} mroute show")  # fmt: skip
        for policy in hook.policies:
            if any(_selects(policy, each, case) for each in case.passages):
                yield _policy(policy, case)


def _comes_in(case: Case) -> bool:
    return any(passage.entered for passage in case.passages)


def _policy(policy: Policy, case: Case) -> Limit:
    family = AF_INET6 if policy.family == AF_INET6 else AF_INET
    shown = " > ".join(
        prefix_text(address, plen, family)
        for address, plen in ((policy.src, policy.src_plen), (policy.dst, policy.dst_plen))
    )
    does = "drops it" if policy.blocks else "has it encrypted" if policy.transforms else ""
    if policy.direction != "out" and policy.transforms:
        does = "wants it to have been encrypted"
    text = f"a policy of IPsec ({policy.direction} {shown}) {does or 'lets it pass'}"
    decides = Decides.PASSING if does else Decides.NO
    return Limit(text, decides, f"{case.ip} xfrm policy")


def _selects(policy: Policy, passage: Passage, case: Case) -> bool:
    number = AF_INET6 if passage.family is IPV6 else AF_INET
    if passage.arp or policy.family != number or passage.dst is None:
        return False
    if policy.direction not in _directions(passage):
        return False
    link = passage.entered if policy.direction != "out" else passage.left
    if policy.ifindex and case.state.name_of(policy.ifindex) != link:
        return False
    if not _holds(policy.dst, policy.dst_plen, passage.dst):
        return False
    if passage.src is not None and not _holds(policy.src, policy.src_plen, passage.src):
        return False
    question = case.question
    if policy.proto not in (0, _PROTOCOLS.get(question.proto, 0)):
        return False
    if passage is not case.passages[0]:
        return True  # the ports of an answer are the other way round: it may be
    asked = ((policy.dport, question.dport), (policy.sport, question.sport))
    return all(not mask or port & mask == value & mask for (value, mask), port in asked)


_PROTOCOLS = {"udp": 17, "tcp": 6, "icmp": 1}


def _directions(passage: Passage) -> tuple[str, ...]:
    if "forward" in passage.hooks:
        return "fwd", "out"
    if "output" in passage.hooks:
        return ("out",)
    return ("in",) if "input" in passage.hooks else ()


def _holds(prefix: int, plen: int, address: int) -> bool:
    shift = family_of(address).bits - plen
    return prefix >> shift == address >> shift


# --- links ----------------------------------------------------------------------------------------

_HANDED = {
    "macvlan": "the link below it", "macvtap": "the link below it", "ipvlan": "the link below it",
    "bond": "one of its ports", "team": "one of its ports",
}  # fmt: skip


def _links(case: Case) -> Iterator[Limit]:
    for passage in case.passages:
        for name in passage.links:
            link = case.state.link_named(name)
            if link is None:
                continue
            yield from _vrf(case, link)
            if name != passage.left or not passage.sent:
                continue
            if link.kind == "veth":
                yield from _other_end(case, link, passage)
            if link.kind in _HANDED:
                yield Limit(f"{name} ({link.kind}) hands it to {_HANDED[link.kind]}")
            if link.kind == "bridge":
                where = f"{case.inside}bridge fdb show br {name}"
                yield Limit(f"by which ports {name} sends it", command=where)
                yield from _too_long(case, link, passage)
            elif link.kind not in PLAIN_KINDS and link.kind not in (*_HANDED, *TUNNELS, "vrf"):
                shown = f"{case.ip} -d link show {name}"
                yield Limit(f"what {name} ({link.kind}) makes of it", command=shown)


_VLAN_TAG = 4
"""Bytes by which a frame may be longer than the MTU."""


def _too_long(case: Case, bridge: links.Link, passage: Passage) -> Iterator[Limit]:
    """Yield ports of a bridge that take less than this packet.

    Source: Linux ``br_dev_queue_push_xmit``, ``is_skb_forwardable``.
    """
    size = _size(passage, bridge)
    narrow = [
        port.name for port in case.state.links
        if port.master == bridge.ifindex and port.flags & links.UP and size > port.mtu + _VLAN_TAG
    ]  # fmt: skip
    if narrow:
        ports = _listed(narrow)
        text = f"{bridge.name} sends {size} B by no port whose MTU is less: not by {ports}"
        yield Limit(text, Decides.PASSING, f"{case.ip} link show master {bridge.name}")


def _size(passage: Passage, link: links.Link) -> int:
    """Return the bytes of a packet, or of its fragments, as it leaves by a link."""
    return min(length(passage.trace), link.mtu)


def _other_end(case: Case, link: links.Link, passage: Passage) -> Iterator[Limit]:
    """Yield the other end of a veth that takes less than this packet, or may do so.

    Source: Linux ``veth_forward_skb``, ``is_skb_forwardable``.
    """
    size = _size(passage, link)
    if link.lower_netns is None and link.lower:
        other = case.state.link_named(case.state.name_of(link.lower))
        if other is not None and size > other.mtu + _VLAN_TAG:
            end = f"{other.name}, the other end of {link.name}"
            text = f"{end}, drops {size} B, as its MTU is {other.mtu}"
            command = f"{case.ip} link set {other.name} mtu {link.mtu}"
            yield Limit(text, Decides.PASSING, command)
    elif size > ETHERNET_MTU + _VLAN_TAG:
        where = f"{case.inside}ethtool -S {link.name}"
        text = f"whether the other end of {link.name}, in another namespace, takes {size} B"
        yield Limit(text, command=where)


def _vrf(case: Case, link: links.Link) -> Iterator[Limit]:
    if link.kind == "vrf" or link.port_kind == "vrf":
        master = link.name if link.kind == "vrf" else case.state.name_of(link.master)
        text = f"{link.name} belongs to the VRF {master}, whose table decides"
        yield Limit(text, Decides.ALWAYS, f"{case.ip} route show vrf {master}")


# --- notes of the twin ----------------------------------------------------------------------------


def _notes(case: Case) -> Iterator[Limit]:
    for note in case.notes:
        if note.family and note.family != case.passages[0].family.name:
            continue
        teller = _OF_NOTES.get(note.topic)
        if teller is not None and (decides := teller(case, note)) is not None:
            yield Limit(note.text, decides)


def _link_note(case: Case, note: Note) -> Decides | None:
    met = {link for passage in case.passages for link in passage.links}
    return Decides.NO if not note.link or note.link in met else None


def _group_note(case: Case, note: Note) -> Decides | None:
    return _link_note(case, note) if is_multicast(case.question.dst) else None


def _route_note(case: Case, note: Note) -> Decides | None:
    """Tell about a route that is another in the twin, or is not there at all."""
    if note.route is None:
        return None
    table, dst, plen = note.route
    for passage in case.passages:
        bits = passage.family.bits
        for way in passage.ways:
            if (way.table, way.prefix >> bits - way.plen, way.plen) == (
                table, dst >> bits - plen, plen,
            ):  # fmt: skip
                return Decides.PASSING
        if passage.dst is None or not _holds(dst, plen, passage.dst):
            continue
        chosen = [way.plen for way in passage.ways if way.table == table]
        if not chosen or plen > max(chosen):
            return Decides.ALWAYS
    return None


def _rule_note(case: Case, note: Note) -> Decides | None:
    """Tell about a rule that does nothing in the twin, if it might have matched."""
    number = AF_INET6 if note.family == "inet6" else AF_INET
    there = [
        rule for rule in case.state.rules
        if rule.priority == note.rule and rule.family == number
    ]  # fmt: skip
    for rule in there:
        if rule.tun_id or rule.l3mdev:
            continue  # the packet is of no tunnel; VRFs are told of at their links
        for passage in case.passages:
            if rule.priority <= passage.priority and _may_match(rule, passage, case.question):
                return Decides.ALWAYS
    return None


def _may_match(rule: rules.Rule, passage: Passage, question: Question) -> bool:
    """Tell whether the selectors that a stack's rules have, too, all select a packet.

    What comes in is looked up both ways round: its source is asked about, too.
    """
    if rule.flags & rules.INVERT:
        return True
    src, dst = passage.src or passage.family.mark, passage.dst
    mark = question.mark or 0
    if rule.mask and mark & rule.mask != rule.mark:
        return False
    entered = passage.entered or "lo"
    if rule.iif and rule.iif != entered:
        return False
    if rule.oif and rule.oif != question.dev:
        return False
    if rule.ip_proto is not None and rule.ip_proto != _PROTOCOLS.get(question.proto, 0):
        return False
    both = [(src, dst)] + ([(dst, src)] if passage.entered else [])
    return any(
        there is not None
        and here is not None
        and _holds(rule.src, rule.src_plen, here)
        and _holds(rule.dst, rule.dst_plen, there)
        for here, there in both
    )


_OF_NOTES: dict[str, Callable[[Case, Note], Decides | None]] = {
    "link": _link_note,
    "address": _link_note,
    "neigh": _link_note,
    "sysctl": _link_note,
    "group": _group_note,
    "route": _route_note,
    "rule": _rule_note,
}
"""Functions that tell whether a note is about a packet, and decides: None for neither."""


def _state(case: Case) -> Iterator[Limit]:
    if not case.state.settled:
        yield Limit("the host changed while it was read: this may never have been just so")


def _by_loopback(case: Case) -> Iterator[Limit]:
    """Tell about what is sent by a loopback to an address that is not ours.

    Nobody else is there: Linux does not ask for its way once more (``__mkroute_output``).
    """
    sent, why = case.question.iif is None, case.passages[0].trace.reason
    if sent and why is not None and why.name == "ip-dst-not-ours":
        text = "Linux takes what leaves by lo for its own, whatever the address"
        yield Limit(text, Decides.ALWAYS)


_TELLERS: tuple[Callable[[Case], Iterator[Limit]], ...] = (
    _filters, _unread, _hooks, _links, _notes, _state, _by_loopback,
)  # fmt: skip
