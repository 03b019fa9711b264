"""Labs at random: networks of up to six nodes, and what happens in them, as scenarios.

They are mostly right, so that packets come far: every link has its networks, of both families, and
routers know the way. Some of it is wrong, as in life.
"""

from itertools import count
from typing import Any, NamedTuple

from hypothesis import strategies as st

from smolctl.lab.scenario import (
    Action,
    AddressSpec,
    End,
    Endpoint,
    LinkChange,
    LinkSpec,
    NodeChange,
    NodeSpec,
    ProgramSpec,
    Run,
    Scenario,
    SendFrame,
    Sending,
    StepSpec,
    SysctlSpec,
)
from smolctl.lab.source import Command
from smolctl.stack.link.impairment import Netem
from smolctl.stack.sysctl.profiles import PROFILES
from smolctl.wire import arp
from smolctl.wire.address import parse_address, parse_mac
from tests.kit.host import arp_frame, icmp_frame, udp_frame

MS, S = 1_000_000, 1_000_000_000
NODES = "abcdef"
ECHO, CLOSED, TCP_ECHO = 7, 9, 8
_LINKS = ("lan", "net", "way", "hub")
_TAG = 10

profiles = st.sampled_from(["linux", "linux", "linux", *sorted(PROFILES)])
_netems = st.one_of(
    st.just(Netem(delay_ns=5 * MS)),
    st.just(Netem(loss=0.3)),
    st.just(Netem(delay_ns=2 * S)),
    st.just(Netem(rate=64_000)),
    st.builds(
        Netem,
        st.sampled_from([1 * MS, 30 * MS, 700 * MS]),
        st.sampled_from([0, 500_000, 20 * MS]),
        st.sampled_from([0.0, 0.1, 1.0]),
        st.sampled_from([0.0, 0.3]),
        st.sampled_from([0.0, 0.5]),
        st.sampled_from([0.0, 0.4]),
        st.sampled_from([0, 100_000, 10_000_000]),
    ),
)
_SYSCTLS = (
    ("ip.rp_filter", "1"), ("ip.rp_filter", "2"), ("icmp.echo_ignore_all", "1"),
    ("icmp.echo_ignore_broadcasts", "0"), ("arp.ignore", "1"), ("arp.ignore", "2"),
    ("arp.proxy", "1"), ("arp.accept", "1"), ("iface.neighbor_cache_count", "1"),
    ("ip.default_ttl", "1"), ("ip6.hop_limit", "1"), ("ip.forward", "0"),
    ("ip6.forward", "0"), ("ip.strong_host", "1"), ("neigh.unres_qlen", "0"),
    ("neigh.mcast_solicit", "1"), ("ip.send_redirects", "0"), ("icmp.ratelimit_ms", "0"),
    ("ip.no_route", "wait"), ("nd.accept_dad", "0"), ("neigh.base_reachable_time_ms", "1000"),
)  # fmt: skip
_MTUS = st.sampled_from([1280, 600, 9000, 68])


class Plan(NamedTuple):
    """A network: which node has which address by which interface.

    Attributes:
        hosts: the addresses of the nodes, without prefix lengths, with their interfaces.
    """

    nodes: list[NodeSpec]
    links: list[LinkSpec]
    hosts: list[tuple[End, str]]


@st.composite
def plans(draw: st.DrawFn, bad: bool) -> Plan:
    """Draw a network.

    Args:
        bad: whether its links may be.
    """
    names = NODES[: draw(st.sampled_from([1, 2, 3, 4, 5, 6, 3, 4, 3]))]
    ports = {name: count() for name in names}
    links: list[LinkSpec] = []
    hosts: list[tuple[End, str]] = []
    addresses: list[tuple[str, AddressSpec]] = []
    for number in range(draw(st.integers(1, min(len(_LINKS), len(names))))):
        some = draw(
            st.lists(st.sampled_from(names), min_size=min(2, len(names)), max_size=4, unique=True)
        )
        if number and links[-1].ends[0].node not in some:
            some[0:0] = [links[-1].ends[0].node]  # mostly one network, whose links are in a row
        some += some[:1] if draw(st.integers(0, 9)) == 0 else []
        ends = tuple(End(name, f"eth{next(ports[name])}") for name in some)
        tagged = draw(st.sampled_from([(), (), (), ends, ends[:1]]))
        netem = draw(st.just(Netem()) | _netems) if bad else Netem()
        mtu = draw(st.none() | st.none() | _MTUS)
        links.append(LinkSpec(
            _LINKS[number], ends, netem, mtu, vlans=tuple((end, _TAG) for end in tagged)
        ))  # fmt: skip
        for end in ends:
            dev = f"{end.dev}.{_TAG}" if end in tagged else end.dev
            host = names.index(end.node) + 1 if draw(st.integers(0, 19)) else 1
            for address, lengths in (
                (f"10.0.{number}.{host}", (24, 24, 24, 24, 25, 16)),
                (f"fd00:{number}::{host:x}", (64, 64, 64, 112)),
            ):
                if draw(st.integers(0, 9)) and (mtu is None or mtu >= 1280 or ":" not in address):
                    length = draw(st.sampled_from(lengths))
                    addresses.append((end.node, AddressSpec(dev, f"{address}/{length}")))
                    hosts.append((End(end.node, dev), address))
    specs = [
        draw(_node(name, links, [each for node, each in addresses if node == name]))
        for name in names
    ]
    return Plan(specs, links, hosts)


@st.composite
def _node(
    draw: st.DrawFn, name: str, links: list[LinkSpec], addresses: list[AddressSpec]
) -> NodeSpec:
    profile = draw(st.none() | st.none() | profiles)
    mine = [number for number, link in enumerate(links) if _dev(name, link)]
    sysctls = dict(draw(st.lists(st.sampled_from(_SYSCTLS), max_size=2)))
    if len(mine) > 1 and draw(st.integers(0, 5)):
        sysctls = {"ip.forward": "1", "ip6.forward": "1"} | sysctls
    routes = [
        Command(text)
        for number in range(len(links))
        if mine and number not in mine and draw(st.integers(0, 5))
        for text in draw(_routes(name, links, mine, number))
    ]
    some = tuple(SysctlSpec(*item) for item in sysctls.items())
    return NodeSpec(name, profile, some, tuple(addresses), tuple(routes))


def _dev(name: str, link: LinkSpec) -> str:
    """Return the interface by which a node is on a link; "" for none."""
    end = next((end for end in link.ends if end.node == name), None)
    if end is None:
        return ""
    return f"{end.dev}.{_TAG}" if (end, _TAG) in link.vlans else end.dev


@st.composite
def _routes(
    draw: st.DrawFn, name: str, links: list[LinkSpec], mine: list[int], to: int
) -> list[str]:
    """Draw the ways to a network: by the links in their row, or any other way."""
    near = min(mine, key=lambda number: abs(number - to))
    step = near + (1 if to > near else -1)
    both = {e.node for e in links[near].ends} & {e.node for e in links[step].ends}
    others = [each for each in NODES[:3] if each != name]
    right = sorted(both - {name})[:1] * 6
    via = NODES.index(draw(st.sampled_from([*right, *others]))) + 1
    kind = draw(st.sampled_from(["", "", "", "", "", "blackhole ", "unreachable "]))
    dev = _dev(name, links[near])
    ways = [f" via 10.0.{near}.{via} dev {dev} onlink", f" via fd00:{near}::{via} dev {dev} onlink"]
    found = [f"10.0.{to}.0/24", f"fd00:{to}::/64"]
    if kind:
        return [kind + each for each in found]
    return [each + way for each, way in zip(found, ways, strict=True)][: _families(links[near])]


def _families(link: LinkSpec) -> int:
    """Return how many families a link has: one with a small MTU has no IPv6 (RFC 8200 5)."""
    return 1 if (link.mtu or 1500) < 1280 else 2


# --- what happens ---------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """The kind of labs that is wanted.

    Attributes:
        bad: links may lose, delay, change frames.
        busy: programs send by themselves.
        raw: frames appear that no node has sent.
        steps: at most so many.
    """

    bad: bool = True
    busy: bool = True
    raw: bool = True
    steps: int = 8


@st.composite
def _commands(draw: st.DrawFn, plan: Plan, node: str) -> str:
    dsts = [address for _, address in plan.hosts] + ["10.0.0.99", "fd00:1::99", "192.0.2.1"]
    dst = draw(st.sampled_from(dsts))
    six = ":" in dst
    bracket = f"[{dst}]" if six else dst
    own = [(end.dev, address) for end, address in plan.hosts if end.node == node]
    dev, mine = draw(st.sampled_from(own)) if own else ("lo", "10.0.0.77")
    length = 64 if ":" in mine else 24
    net = f"fd00:{draw(st.integers(0, 3))}::/64" if six else f"10.0.{draw(st.integers(0, 3))}.0/24"
    port = draw(st.sampled_from([ECHO, CLOSED]))
    probes = [
        f"ping -c 2 -i 0.2 -W 1 {dst}",
        f"ping -c 1 -W 4 {dst}",
        f"ping -c 1 -W 1 -s 3000 {dst}",
        f"ping -c 1 -W 1 -M do -s 1472 {dst}",
        f"ping -c 1 -W 1 -t 2 {dst}",
        "ping -b -c 1 -W 1 255.255.255.255",
        f"ping -c 1 -W 1 ff02::1%{dev.split('.')[0]}",
        f"udp send {bracket}:{port} hello",
        f"udp send {bracket}:{port} --size 2000 -c 3 -i 0.1",
        f"udp send {bracket}:{ECHO} hello --expect-reply -w 2",
        f"udp send --broadcast 255.255.255.255:{port} hello",
        f"tcp send {bracket}:{TCP_ECHO} hello --expect-reply -w 4",
        f"tcp send {bracket}:{CLOSED} hello -w 2",
        f"arping -c 2 -w 2 -I {dev} 10.0.0.2",
        f"why icmp {dst}",
    ]
    changes = [
        f"arping -U -c 1 -I {dev} {'10.0.0.1' if ':' in mine else mine}",
        f"addr del {mine}/{length} dev {dev}",
        f"addr add {draw(st.sampled_from(dsts))}/{length} dev {dev}",
        f"addr add 10.0.0.{draw(st.integers(1, 9))}/24 dev {dev}",
        f"route del {net}",
        f"route add {net} dev {dev}",
        f"route replace default via {dst}",
        f"route add blackhole {net}",
        f"link set {dev} down",
        f"link set {dev} up",
        f"link set {dev} mtu {draw(_MTUS)}",
        f"link del {dev}",
        f"neigh replace {dst} lladdr 02:00:00:00:00:99 dev {dev}",
        f"neigh flush dev {dev}",
        f"sysctl {'='.join(draw(st.sampled_from(_SYSCTLS)))}",
        "stack stop",
    ]
    return draw(st.sampled_from(probes) | st.sampled_from(probes) | st.sampled_from(changes))


@st.composite
def _frames(draw: st.DrawFn, plan: Plan) -> bytes:
    """Draw a frame that somebody might send who is in the network, or who is not."""
    hosts = [address for _, address in plan.hosts if ":" not in address] or ["10.0.0.1"]
    src, dst = draw(st.sampled_from(hosts)), draw(st.sampled_from(hosts))
    number = draw(st.integers(1, len(NODES)))
    to = draw(st.sampled_from([b"\xff" * 6, bytes((2, 0, 0, 0, number, 1))]))
    mac = parse_mac("02:00:00:00:00:66")
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return draw(st.binary(min_size=14, max_size=80))
    if kind == 1:
        op = draw(st.sampled_from([arp.Op.REQUEST, arp.Op.REPLY]))
        return arp_frame(op, src, dst, mac=mac, to=to, by=mac)
    if kind == 2:
        ports = draw(st.sampled_from([(5000, ECHO), (ECHO, ECHO)]))
        frame = udp_frame(*ports, b"x", src, dst, to=to, by=mac)
    else:
        frame = icmp_frame(8, 0, src=src, dst=dst, to=to)
    if kind == 4:
        at = draw(st.integers(12, len(frame) - 1))
        frame = frame[:at] + draw(st.binary(min_size=1, max_size=2)) + frame[at + 1 :]
    return frame


@st.composite
def _actions(draw: st.DrawFn, plan: Plan, wanted: Wanted) -> Action:
    kind = draw(st.integers(0, 9))
    node = draw(st.sampled_from(plan.nodes)).name
    link = draw(st.sampled_from(plan.links))
    if kind == 0:
        return LinkChange(link.name, draw(st.booleans()))
    if kind == 1 and wanted.bad:
        change: dict[str, Any] = draw(st.sampled_from([
            {"loss": 1.0}, {"loss": 0.0}, {"delay_ns": 20 * MS}, {"rate": 64_000}, {"corrupt": 0.5},
        ]))  # fmt: skip
        return LinkChange(link.name, None, change)
    if kind == 2 and wanted.raw:
        end = draw(st.none() | st.sampled_from(link.ends))
        return SendFrame(link.name, end, draw(_frames(plan)))
    if kind == 3 and draw(st.booleans()):
        return NodeChange(node, draw(st.sampled_from(["stop", "start", "restart"])))
    return Run(node, Command(draw(_commands(plan, node))), draw(st.booleans()))


@st.composite
def _programs(draw: st.DrawFn, plan: Plan, wanted: Wanted) -> tuple[ProgramSpec, ...]:
    found = []
    for node in plan.nodes:
        if draw(st.booleans()):
            here = Endpoint(None, ECHO)
            found.append(ProgramSpec(f"udp-{node.name}", node.name, "udp", here, echo=True))
        if draw(st.booleans()):
            here = Endpoint(None, TCP_ECHO)
            found.append(ProgramSpec(f"tcp-{node.name}", node.name, "tcp", here, echo=True))
    if wanted.busy and plan.hosts and draw(st.booleans()):
        name = draw(st.sampled_from(plan.nodes)).name
        _, dst = draw(st.sampled_from(plan.hosts))
        protocol, port = draw(st.sampled_from([("udp", ECHO), ("tcp", TCP_ECHO)]))
        every = draw(st.sampled_from([10 * MS, 300 * MS, 0]))
        sending = Sending(bytes(draw(st.sampled_from([1, 100, 1400, 4000]))), 12, every)
        to = (Endpoint(parse_address(dst), port),)
        at_ns = draw(st.sampled_from([0, S]))
        found.append(ProgramSpec("client", name, protocol, None, to, at_ns, None, sending))
    return tuple(found)


@st.composite
def labs(draw: st.DrawFn, wanted: Wanted = Wanted()) -> Scenario:  # noqa: B008
    """Draw a lab."""
    plan = draw(plans(wanted.bad))
    steps, at_ns = [], draw(st.sampled_from([0, 3 * S, 3 * S, 3 * S]))
    for action in draw(st.lists(_actions(plan, wanted), max_size=wanted.steps)):
        times, every = draw(st.sampled_from([(1, 0), (1, 0), (1, 0), (3, 50 * MS)]))
        steps.append(StepSpec(at_ns, action, None, times, every))
        at_ns += draw(st.sampled_from([0, 0, 1, 100 * MS, 1500 * MS]))
    last = max([at_ns, *(max(step.instants()) for step in steps)])
    return Scenario(
        title="A lab at random",
        until_ns=last + draw(st.sampled_from([1, 60 * MS, 5 * S])) + S,
        seed=draw(st.integers(0, 9)),
        profile=draw(profiles),
        nodes=tuple(plan.nodes),
        links=tuple(plan.links),
        programs=draw(_programs(plan, wanted)),
        steps=tuple(steps),
    )
