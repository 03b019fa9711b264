"""Fixes of a path: each is made on a clone of the stack that it is for, and all is asked again.

Nothing is invented: a gateway is a stack of the network that forwards, a MAC address that of the
stack that has the address.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from smolctl.errors import SmolctlError
from smolctl.path.follow import follow
from smolctl.path.net import End, Net
from smolctl.path.story import Hop, Leg, Outcome, Story
from smolctl.stack import reason as reasons
from smolctl.stack.explain.suggest_addresses import has_default, holds
from smolctl.stack.fib.route import RouteType
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.way import Way
from smolctl.stack.reason import Detail, Reason
from smolctl.stack.stack import Stack
from smolctl.stack.sysctl.settings import sysctl
from smolctl.stack.trace.trace import Direction
from smolctl.wire.address import (
    IPV6,
    format_address,
    format_mac,
    is_link_local,
    parse_address,
    split_zone,
)

_DEPTH = 3
"""Faults behind each other that are mended."""
_SHOWN_MAX = 3
_COMMAND, _SET, _ADD = "smolctl ", "smolctl sysctl ", "smolctl addr "


class Fix(NamedTuple):
    """A command for one stack, and the values that were recorded with what it mends."""

    node: str
    command: str
    values: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The command as it is typed."""
        return f"{_COMMAND}-n {self.node} {self.command.removeprefix(_COMMAND)}"


class Mended(NamedTuple):
    """Fixes that are proven to help, and the story with the first of them."""

    fixes: list[Fix]
    then: Story | None = None


def mend(net: Net, story: Story) -> list[Mended]:
    """Return what helps: fixes of what breaks, then of what breaks behind it, and so on.

    The last story is one that works, or one for which no fix is proven.
    """
    first, result = story, list[Mended]()
    made: list[Fix] = []
    for _ in range(_DEPTH):
        if story.outcome is not Outcome.BREAKS or (result and _learns(story)):
            break
        found = _proven(net, story, made)
        result.append(found)
        if found.then is None:
            break
        made.append(found.fixes[0])
        story = found.then
    if _learns(first) and not story.ok:
        return []  # the sender has learned to send less, and no change lets it send more
    return result


def _proven(net: Net, story: Story, made: list[Fix]) -> Mended:
    """Return the fixes that let the packet get further; of these the ones that help most."""
    best: list[tuple[Fix, Story]] = []
    tried: set[str] = set()
    for fix in _candidates(net, story):
        if fix.text in tried:
            continue
        tried.add(fix.text)
        try:
            new = follow(net, story.question, _changes([*made, fix]))
        except SmolctlError:  # the change is refused
            continue
        if _gained(new) > _gained(story) and not _circles(new) and not _is_detour(new, story):
            best.append((fix, new))
    works = [each for each in best if each[1].outcome is Outcome.WORKS]
    best = works or sorted(best, key=lambda each: _gained(each[1]), reverse=True)[:1]
    if not best:
        return Mended([])
    # Of two gateways the one by which it is not so far.
    best.sort(key=lambda each: len(each[1].hops))
    kinds: dict[str, Fix] = {}
    for fix, _ in best:
        kinds.setdefault(_kind(fix), fix)
    return Mended([*kinds.values()][:_SHOWN_MAX], best[0][1])


def _kind(fix: Fix) -> str:
    """Return what fixes of which one is enough have in common: gateway or link may differ."""
    words = fix.text.partition(" via ")[0].split(" ")
    if "sysctl" in words:
        words[-1] = ".".join(words[-1].split(".")[-2:])
    return " ".join(words)


def _changes(fixes: list[Fix]) -> dict[str, list[tuple[str, Mapping[str, Any]]]]:
    changes: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for fix in fixes:
        changes.setdefault(fix.node, []).append((fix.command, fix.values))
    return changes


def _learns(story: Story) -> bool:
    """Tell whether the sender learns what it may send, so that the next packet gets through."""
    return story.next is not None and story.next.ok


def _gained(story: Story) -> tuple[int, bool, int, int]:
    """Return how far a packet comes: which leg, over how many nodes, and at the last one."""
    stage = 2 if story.outcome is Outcome.WORKS else int(story.taken)
    leg = Leg.ANSWER if story.taken else Leg.PACKET
    steps = 0 if story.at is None else len(story.at.trace.raw_steps)
    asking = story.at is not None and story.at.leg is Leg.ASIDE
    return stage, _learns(story), len(story.reached(leg)), 0 if asking else steps


def _is_detour(new: Story, old: Story) -> bool:
    """Tell whether a packet only takes another way to where it broke before."""
    if new.at is None or old.at is None or (new.at.node, new.reason) != (old.at.node, old.reason):
        return False
    return new.reached(new.leg) != old.reached(old.leg)


def _circles(story: Story) -> bool:
    return story.endless or story.reason is reasons.FWD_TTL_EXCEEDED


# --- candidates -----------------------------------------------------------------------------------


def _candidates(net: Net, story: Story) -> Iterator[Fix]:
    """Yield the commands that may help."""
    at, why, detail = story.at, story.reason, story.detail
    if at is None:
        return
    target = _target(story)
    known = target is not None and _owner(net, target) is not None
    if why is not None:
        for fix in _suggested(net, at.node, why, detail):
            if fix.command.startswith(_ADD) and _is_taken(net, fix.command):
                continue
            if " route add " in fix.command and not known:
                continue  # it would only be lost further away
            yield fix
    if why is reasons.FWD_TOO_BIG:  # who is told sends less
        for hop in story.hops:
            if hop.leg is Leg.ERROR and hop.failed and hop.trace.reason is not None:
                yield from _suggested(net, hop.node, hop.trace.reason, hop.trace.detail)
    if why is reasons.RX_FRAME_TOO_LONG:
        yield from _mtus(net, at)
    macs = list(_neighbors(net, story))
    yield from macs
    if macs:
        return
    if why in (reasons.TX_NO_ROUTE, reasons.FWD_NO_ROUTE):
        yield from _links(net, at.node, target)
    if target is not None and known and why in _ROUTED:
        yield from _routes(net, story, target)


def _suggested(net: Net, node: str, why: Reason, detail: Mapping[str, object]) -> Iterator[Fix]:
    """Yield the commands that a stack itself would suggest; a sysctl's at the link before all."""
    commands = why.candidates(detail)
    values = detail.recorded if isinstance(detail, Detail) else detail
    for command in commands:
        dev = str(values.get("dev", ""))
        for each in (_at_link(net.stacks[node], command, dev), command):
            yield Fix(node, each, values)


def _is_taken(net: Net, command: str) -> bool:
    """Tell whether a command would give a stack the address of another one."""
    address, _ = split_zone(command.split()[3].partition("/")[0])
    return _owner(net, parse_address(address)) is not None


def _at_link(stack: Stack, command: str, dev: str) -> str:
    """Return a command that sets a sysctl with the key that decides on a link."""
    key, equals, text = command.removeprefix(_SET).partition("=")
    if not (command.startswith(_SET) and equals):
        return command
    return f"{_SET}{stack.settings.knob(dev, key, sysctl(key).parse(text))}={text}"


def _owner(net: Net, address: int) -> tuple[str, Interface] | None:
    """Return the stack that has an address, and the interface."""
    for name, stack in net.stacks.items():
        interface = stack.networks.for_address(address).interface_of(address)
        if interface is not None:
            return name, interface
    return None


def _neighbors(net: Net, story: Story) -> Iterator[Fix]:
    """Yield right MAC addresses where frames left for one that nobody has."""
    for hop in story.hops:
        trace = hop.trace
        if trace.direction in _STAYING or not trace.linked or trace.frame[0] & 1 or not trace.dev:
            continue
        mac, stack = trace.frame[:6], net.stacks[hop.node]
        ends = net.line(net.line_of(End(hop.node, trace.dev))).ends
        links = [(net.stacks[end.node], net.stacks[end.node].interfaces[end.dev]) for end in ends]
        if any(link.mac == mac for _, link in links):
            continue
        for network in stack.networks.values():
            for entry in network.neighbors[trace.dev]:
                for other, link in links if entry.lladdr == mac else ():
                    if other.networks[network.family].has_address(link, entry.ip):
                        yield Fix(hop.node, _neighbor(entry.ip, link.mac, trace.dev), {})


def _mtus(net: Net, at: Hop) -> Iterator[Fix]:
    """Yield one MTU for both ends of a line: the larger one, then the smaller one."""
    parent = at.seen.parent
    if parent is None or parent.trace.dev is None or at.trace.dev is None:
        return
    here = net.stacks[at.node].interfaces[at.trace.dev]
    there = net.stacks[parent.node].interfaces[parent.trace.dev]
    yield Fix(at.node, f"{_COMMAND}link set {here.name} mtu {there.mtu}", {})
    yield Fix(parent.node, f"{_COMMAND}link set {there.name} mtu {here.mtu}", {})


def _links(net: Net, name: str, target: int | None) -> Iterator[Fix]:
    """Yield what gives a stack a link to an address again: the link, or its own address' mask."""
    stack = net.stacks[name]
    for dev, link in stack.interfaces.items():
        if not link.up and link.medium is Medium.ETHERNET:
            yield Fix(name, f"{_COMMAND}link set {dev} up", {})
    if target is None:
        return
    network = stack.networks.for_address(target)
    for dev, link in stack.interfaces.items():
        for other in net.line(net.line_of(End(name, dev))).ends:
            there = net.stacks[other.node]
            theirs = there.networks[network.family].of(there.interfaces[other.dev]).addresses.items
            for item in theirs:
                for own in network.of(link).addresses.items if item.local == target else ():
                    if holds(item, own.local) and other.node != name:
                        mask = f"{format_address(own.local)}/{item.plen}"
                        yield Fix(name, f"{_COMMAND}addr add {mask} dev {dev}", {})
                        if network.family is IPV6:  # there an address has one mask
                            whole = f"{format_address(item.network(128))}/{item.plen}"
                            yield Fix(name, f"{_COMMAND}-6 route add {whole} dev {dev}", {})


_STAYING = (Direction.IN, Direction.LOCAL)


def _neighbor(ip: int, mac: bytes, dev: str) -> str:
    """Return the command that tells where a neighbor is."""
    return f"{_COMMAND}neigh replace {format_address(ip)} lladdr {format_mac(mac)} dev {dev}"


def _target(story: Story) -> int | None:
    """Return the address that a leg is for."""
    first = story.hops[0].trace
    if first.flow is None:
        return None
    source = first.src if first.flow.src is None else first.flow.src
    return source if story.leg is Leg.ANSWER else first.flow.dst


def _routes(net: Net, story: Story, target: int) -> Iterator[Fix]:
    """Yield routes by stacks that forward, where the one that is taken leads nowhere."""
    for name in dict.fromkeys(_deciding(story)):
        network = net.stacks[name].networks.for_address(target)
        if network.fib.is_local(target):
            continue
        for prefix, verb in _wanted(net, network, target):
            for gateway in _gateways(net, name, network):
                six = "-6 " if network.family is IPV6 else ""
                yield Fix(name, f"{_COMMAND}{six}route {verb} {prefix} via {gateway}", {})


_ROUTED = {
    reasons.TX_NO_ROUTE,
    reasons.FWD_NO_ROUTE,
    reasons.NEIGH_FAILED,
    reasons.IP_DST_NOT_OURS,
    reasons.IP6_DST_NOT_OURS,
    reasons.FWD_TTL_EXCEEDED,
    reasons.RX_NOT_OUR_MAC,
}
"""Reasons that another route may mend."""


def _deciding(story: Story) -> Iterator[str]:
    """Yield the nodes whose route led to where it breaks, the nearest first."""
    at = story.at
    if at is not None and at.leg is not Leg.ASIDE:
        yield at.node
    passed = [hop for hop in story.hops if hop.leg is story.leg]
    for hop in reversed(passed):
        if any(isinstance(step[3], Way) for step in hop.trace.raw_steps):
            yield hop.node


def _wanted(net: Net, network: Network, target: int) -> Iterator[tuple[str, str]]:
    """Yield what a route should hold, and whether it is added or takes another one's place."""
    route = network.fib.lookup(target)
    if route is not None and route.type is not RouteType.UNICAST:
        return
    if not has_default(network):
        yield "default", "add"
    elif route is not None and route.via is not None and not route.plen:
        yield "default", "replace"
    owner = _owner(net, target)
    if owner is not None:
        items = network.of(owner[1]).addresses.items
        item = next((each for each in items if holds(each, target)), None)
        if item is not None:
            prefix = f"{format_address(item.network(network.family.bits))}/{item.plen}"
            yield prefix, "replace" if route is not None and route.plen == item.plen else "add"


def _gateways(net: Net, name: str, network: Network) -> Iterator[str]:
    """Yield the addresses of the stacks on a stack's links that forward."""
    for dev, link in net.stacks[name].interfaces.items():
        mine = network.of(link).addresses.items
        if link.medium is not Medium.ETHERNET:
            continue
        for other in net.line(net.line_of(End(name, dev))).ends:
            if other.node == name:
                continue
            stack = net.stacks[other.node]
            theirs, interface = stack.networks[network.family], stack.interfaces[other.dev]
            if not theirs.forwards(interface):
                continue
            for item in theirs.of(interface).addresses.items:
                near = any(holds(own, item.local) for own in mine)
                if near and not is_link_local(item.local):
                    yield format_address(item.local)
