"""Links of the host as commands of smolctl.

A link that others may be plugged into is the end of a cable. One that says more than a cable can
(a port, a bridge with its ports, a tunnel without Ethernet, a dummy that has carrier by itself) is
a mirror: it has the host's number and carrier, and goes nowhere.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from smolctl.counted import counted
from smolctl.host import links
from smolctl.host.links import Link
from smolctl.host.part import Command, NotExpressed, Part, Remark, is_kept, numbers_text
from smolctl.host.reading import HostState
from smolctl.wire.address import format_mac

PLUG = "host-"
"""The beginning of the names of cables, so that no link of a copy is on a cable of other stacks."""
_KERNEL = 2
_VETH = "veth"
_WIRES = frozenset({"", _VETH, "tun"})
"""Kinds of links with a wire, or a program, at the other end; "" is hardware."""
_BRIDGING = frozenset({"bridge", "bond", "team"})
MAC_LEN = 6
_NAMED = 5
"""Cables that a remark names, at most."""
_DEEP = 32  # links on each other: no kernel has more (MAX_NEST_DEV is 8)


class _Plan(NamedTuple):
    """A copy's links: their order, and which of them are mirrors.

    Attributes:
        order: each comes behind those that it is on.
        mirrors: indexes of those that are mirrors.
    """

    order: list[Link]
    mirrors: set[int]


def link_parts(state: HostState, left_out: dict[int, Link], *, mirrors: bool) -> Iterator[Part]:
    """Yield the commands that make the links, and notes on what these lack.

    Args:
        left_out: gets the links that are not made.
        mirrors: all links but VLANs are mirrors.
    """
    plan, last = _plan(state, mirrors=mirrors), 1
    taken = {1}
    yield from _loose_ends(state, plan)
    for link in plan.order:
        command, why = _link(state, link, left_out, plan, taken)
        if command is None:
            left_out[link.ifindex] = link
            yield NotExpressed(f"link {link.name}: {why}{_with(state, link)}")
            continue
        if link.type != links.LOOPBACK_TYPE:
            told = "ifindex" in command[0].words
            last = max(last, link.ifindex) if told else last + 1
            taken.add(link.ifindex if told else last)
        yield from command
        yield from _lacking(link, plan)
    for link in plan.order:
        master = next((each for each in state.links if each.ifindex == link.master), None)
        if link.port_kind in _BRIDGING and master is not None and link.ifindex not in left_out:
            words = ("link", "set", link.name, "master", master.name)
            yield Command(words, f"master of {link.name}")


def _plan(state: HostState, *, mirrors: bool) -> _Plan:
    by_index = {link.ifindex: link for link in state.links}

    def below(link: Link) -> Link | None:
        return (
            None if link.kind == _VETH or link.lower_netns is not None else by_index.get(link.lower)
        )

    def depth(link: Link, limit: int) -> int:
        lower = below(link)
        return 0 if lower is None or not limit else 1 + depth(lower, limit - 1)

    def is_plain(link: Link | None) -> bool:
        return link is not None and not (
            mirrors or link.kind not in _WIRES or link.port_kind or link.type != links.ETHER
            or below(link) is not None
        )  # fmt: skip

    order = sorted(state.links, key=lambda link: depth(link, _DEEP))
    chosen = set()
    for link in order:
        ends = [link]
        if link.kind == _VETH and link.lower_netns is None and link.lower in by_index:
            ends.append(by_index[link.lower])
        if link.vlan is None and link.type != links.LOOPBACK_TYPE and not all(map(is_plain, ends)):
            chosen.add(link.ifindex)
    return _Plan(order, chosen)


def _link(
    state: HostState, link: Link, left_out: dict[int, Link], plan: _Plan, taken: set[int]
) -> tuple[list[Command] | None, str]:
    """Return the commands that make a link; None, and why there are none."""
    what = f"link {link.name}"
    if link.type == links.LOOPBACK_TYPE:
        return _loopback(link, what), ""
    if link.kind == "vrf" or link.port_kind == "vrf":
        return None, "a stack has no VRFs"
    words = ["link", "add", link.name]
    lower = "" if link.lower_netns is not None else state.name_of(link.lower)
    if link.vlan is not None:
        if not lower or link.lower in left_out:
            return None, "the link below it is not there"
        number, protocol = link.vlan
        words += ["link", lower, "type", "vlan", "id", str(number)]
        words += ["protocol", "802.1ad"] if protocol == 0x88A8 else []
    elif link.ifindex in plan.mirrors:
        words += ["type", "mirror", *_mirror(link, taken)]
        there = any(each.ifindex == link.lower for each in plan.order)
        if lower and there and link.kind != _VETH and link.lower not in left_out:
            words += ["link", lower]
    else:
        words += ["type", "cable", "name", _cable(state, link)]
    words += ["address", format_mac(link.mac) if _is_ethernet(link) else "none"]
    words += ["mtu", str(link.mtu)]
    if _is_ethernet(link) and link.flags & links.NOARP:
        words += ["arp", "off"]
    words += ["group", str(link.group)] if link.group else []
    words += [] if link.flags & links.UP else ["down"]
    return [Command(tuple(words), what)], ""


def _loopback(link: Link, what: str) -> list[Command]:
    made = []
    if not link.flags & links.UP:
        made.append(Command(("link", "set", link.name, "down"), what))
    if link.mtu != 65536:
        made.append(Command(("link", "set", link.name, "mtu", str(link.mtu)), what))
    return made


def _mirror(link: Link, taken: set[int]) -> list[str]:
    """Return the words that only a mirror has; a number that is taken is left out."""
    kind = link.tun or link.kind
    words = ["kind", kind] if kind else []
    words += ["ifindex", str(link.ifindex)] if link.ifindex not in taken else []
    # Of a link that is down, the kernel does not know the carrier.
    return words + (["carrier", "off"] if link.flags & links.UP and not link.carrier else [])


def _loose_ends(state: HostState, plan: _Plan) -> Iterator[Remark]:
    """Yield what to know of cables that have one end here: without another one they are down."""
    cables = Counter(
        _cable(state, link)
        for link in plan.order
        if link.ifindex not in plan.mirrors
        and link.vlan is None
        and link.type != links.LOOPBACK_TYPE
        and "vrf" not in (link.kind, link.port_kind)
    )
    loose = [name for name, ends in cables.items() if ends == 1]
    if loose:
        more = f" and {counted(len(loose) - _NAMED, 'other')}" if len(loose) > _NAMED else ""
        yield Remark(
            f"nobody is at the other end of {', '.join(loose[:_NAMED])}{more} yet, so there is no"
            " carrier. To be there: smolctl -n peer link add eth0 type cable name"
            f" {loose[0]}. With the host's carriers, and no cables: smolctl host save mirrors"
        )


def _is_ethernet(link: Link) -> bool:
    return link.type == links.ETHER and len(link.mac) == MAC_LEN


def _cable(state: HostState, link: Link) -> str:
    """Return the name of the cable: both ends of a veth that are here are on one."""
    ends = [link.name]
    if link.kind == _VETH and link.lower_netns is None:
        ends = sorted([link.name, state.name_of(link.lower)])
    return PLUG + "-".join(ends)


# --- what a copy lacks ----------------------------------------------------------------------------


def _lacking(link: Link, plan: _Plan) -> Iterator[NotExpressed]:
    """Yield what a copy of a link lacks."""
    beyond = link.kind not in _WIRES and link.kind not in _BRIDGING and link.kind != "dummy"
    if link.ifindex in plan.mirrors and beyond:
        yield NotExpressed(f"link {link.name}: what happens behind it, as it is a {link.kind}")
    if link.port_kind and link.port_kind not in _BRIDGING:
        yield NotExpressed(f"link {link.name}: it is a port of a link ({link.port_kind})")
    if link.unknown:
        yield NotExpressed(f"link {link.name}: attributes {numbers_text(link.unknown)}")


def _with(state: HostState, link: Link) -> str:
    """Return what goes with a link that is left out: "; with it 2 addresses and 1 route"."""
    number: Counter[str] = Counter()
    number["address"] = sum(each.ifindex == link.ifindex for each in state.addresses)
    number["route"] = sum(
        link.ifindex in [hop.oif for hop in each.hops] and each.protocol != _KERNEL
        for each in state.routes
    )
    number["neighbor"] = sum(
        each.ifindex == link.ifindex for each in state.neighbors if is_kept(each)
    )
    told = [
        counted(each, what, "addresses" if what == "address" else "")
        for what, each in number.items()
        if each
    ]
    return f"; with it {', '.join(told)}" if told else ""
