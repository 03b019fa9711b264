"""Scenarios at random: every one that a file could say, whether or not it makes sense."""

from typing import Any

from hypothesis import strategies as st

from smolctl.lab.expectation import (
    TOTALS_OF,
    Count,
    CounterIs,
    Expected,
    ExpectSpec,
    PlotSpec,
    ProgramReceived,
    Reaches,
    ReasonStruck,
    Received,
    SeriesSpec,
    StepEnds,
    TableHolds,
    Window,
)
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
    Replay,
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
from smolctl.wire.address import parse_address

SECOND = 10**9
_UNTIL = 100 * SECOND
_NODES = ("a", "b.1", "r-2")
_LINKS = ("lan", "wan")
_PROGRAMS = ("server", "client")

texts = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\"'\\\n\t#=\r\x7f"), max_size=12
)
lines = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x24F), min_size=1, max_size=12
).filter(str.isprintable)
times = st.sampled_from([0, 1, 1500, 3 * SECOND, 1_234_567_891]) | st.integers(0, _UNTIL)
profiles = st.sampled_from(sorted(PROFILES))
nodes = st.sampled_from(_NODES)
filters = st.sampled_from(["", "udp port 7", "not (arp or icmp)"])
reasons = st.sampled_from(["neigh-failed", "lab-loss"])
shares = st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0])
rates = st.sampled_from([0, 1000, 1_500_000, 10**9])
commands = (
    (lines | st.sampled_from(["neigh show # x", "udp send 10.0.0.1:7 'a b'", 'x """ \\']))
    .map(str.strip)
    .filter(lambda text: text and text[0] != "#" and text.split(" ")[0] != "smolctl")
    .map(Command)
)  # fmt: skip
plain = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | texts
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=3,
)
rows = st.lists(st.dictionaries(texts, plain, min_size=1, max_size=2), max_size=2).map(tuple)
counts = st.one_of(
    st.builds(Count, st.integers(0, 9)),
    st.builds(lambda low, more: Count(low, low + more), st.integers(0, 9), st.integers(0, 9)),
)
windows = st.one_of(
    st.builds(Window, times),
    st.tuples(times, times).map(sorted).map(lambda pair: Window(*pair)),
)
endpoints = st.builds(
    Endpoint,
    st.sampled_from(["10.0.0.2", "2001:db8::2"]).map(parse_address),
    st.integers(1, 65535),
) | st.just(Endpoint(parse_address("fe80::1"), 7, "eth0"))


@st.composite
def netems(draw: st.DrawFn) -> Netem:
    delay = draw(times)
    reorder = draw(shares) if delay else 0.0
    return Netem(delay, draw(times), draw(shares), draw(shares), draw(shares), reorder, draw(rates))


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[NodeSpec], list[LinkSpec]]:
    """Draw nodes and links; each interface is an end of one link."""
    ends = draw(st.permutations([End(node, dev) for node in _NODES for dev in ("eth0", "lan.1")]))
    cut = draw(st.integers(1, 5))
    links = [
        draw(_links(name, tuple(part)))
        for name, part in zip(_LINKS, (ends[:cut], ends[cut:]), strict=True)
    ]
    return [draw(_node_specs(name)) for name in _NODES], links


@st.composite
def _links(draw: st.DrawFn, name: str, ends: tuple[End, ...]) -> LinkSpec:
    some = [end for end in ends if draw(st.booleans())]
    return LinkSpec(
        name,
        ends,
        draw(netems()),
        draw(st.none() | st.integers(68, 65536)),
        tuple((end, "02:00:00:00:00:0a") for end in some),
        tuple(
            (end, tag)
            for end in some
            for tag in draw(st.lists(st.integers(1, 99), min_size=1, max_size=2, unique=True))
        ),
    )


@st.composite
def _node_specs(draw: st.DrawFn, name: str) -> NodeSpec:
    sysctls = [
        SysctlSpec("ip.forward", draw(st.sampled_from("01"))),
        SysctlSpec("eth0.arp.ignore", "1"),
        SysctlSpec("neigh.evict", draw(st.sampled_from(["oldest", "least-used"]))),
        SysctlSpec("lan.1.ip.rp_filter", "2"),
    ]
    addresses = [
        AddressSpec("lo", "192.0.2.1/32"),
        AddressSpec("eth0", "10.0.0.1/24"),
        AddressSpec("eth0", "2001:db8::1/64"),
    ]
    return NodeSpec(
        name,
        draw(st.none() | profiles),
        tuple(draw(st.permutations(sysctls))[: draw(st.integers(0, 4))]),
        tuple(addresses[: draw(st.integers(0, 3))]),
        tuple(draw(st.lists(st.just(Command("default via 10.0.0.254")), max_size=2))),
        tuple(draw(st.lists(commands, max_size=2))),
    )


# --- what happens ---------------------------------------------------------------------------------

_on = st.sampled_from(_LINKS)


@st.composite
def _actions(draw: st.DrawFn, links: list[LinkSpec]) -> Action:
    kind = draw(st.integers(0, 4))
    link = draw(st.sampled_from(links))
    end = draw(st.none() | st.sampled_from(link.ends))
    if kind == 0:
        return Run(draw(nodes), draw(commands), draw(st.booleans()))
    if kind == 1:
        netem: dict[str, Any] = {}
        for name, values in (("delay_ns", times), ("loss", shares), ("rate", rates)):
            if draw(st.booleans()):
                netem[name] = draw(values)
        if netem.get("delay_ns") == 0:
            netem["reorder"] = 0.0
        up = draw(st.booleans() if not netem else st.none() | st.booleans())
        return LinkChange(link.name, up, netem, draw(st.none() | st.integers(68, 9000)))
    if kind == 2:
        return SendFrame(link.name, end, draw(st.binary(min_size=14, max_size=20)))
    if kind == 3:
        return Replay(link.name, end, draw(lines))
    return NodeChange(draw(nodes), draw(st.sampled_from(["stop", "start", "restart"])))


@st.composite
def _steps(draw: st.DrawFn, links: list[LinkSpec]) -> tuple[StepSpec, ...]:
    found = []
    for number, at_ns in enumerate(sorted(draw(st.lists(times, max_size=4)))):
        action = draw(_actions(links))
        name = draw(st.none() | st.just(f"step{number}"))
        every = draw(st.sampled_from([0, 1, 7_000_000]))
        found.append(StepSpec(at_ns, action, name, 3 if every else 1, every))
    return tuple(found)


_messages = st.one_of(
    st.just(b"hello"),
    st.integers(1, 3000).map(bytes),
    texts.filter(bool).map(str.encode),
)
_sendings = {
    "udp": st.builds(Sending, _messages | st.just(b""), st.none() | st.integers(1, 9), times),
    "tcp": st.builds(Sending, _messages, st.none() | st.integers(1, 9), times),
}


@st.composite
def _programs(draw: st.DrawFn, name: str) -> ProgramSpec:
    protocol = draw(st.sampled_from(["udp", "tcp"]))
    listens = draw(st.booleans())
    listen = draw(endpoints | st.builds(Endpoint, st.none(), st.integers(1, 65535)))
    to = draw(st.lists(endpoints, min_size=1, max_size=3 if protocol == "udp" else 1))
    at_ns = draw(st.integers(0, _UNTIL - 1))
    sending = draw(_sendings[protocol])
    speaks = not listens if protocol == "udp" else draw(st.booleans())
    reads = draw(st.none() | times)
    return ProgramSpec(
        name,
        draw(nodes),
        protocol,
        listen if listens else None,
        () if listens else tuple(to),
        at_ns,
        draw(st.none() | st.integers(at_ns + 1, _UNTIL)),
        sending if speaks else None,
        reads is not None and draw(st.booleans()),
        reads,
    )


@st.composite
def _expected(draw: st.DrawFn, programs: list[ProgramSpec], steps: list[str]) -> Expected:
    kind = draw(st.integers(0, 6 if steps else 5))
    at_ns = draw(st.none() | times)
    if kind == 0:
        return Received(draw(nodes), draw(filters), draw(counts), draw(windows))
    if kind == 1:
        program = draw(st.sampled_from(programs))
        of = draw(st.sampled_from(["datagrams", "bytes"])) if program.protocol == "udp" else "bytes"
        data = draw(texts).encode()
        return ProgramReceived(program.name, data, of, draw(counts), draw(windows))
    if kind == 2:
        where = draw(st.sampled_from([{}, {"node": "a"}, {"link": "lan"}]))
        return ReasonStruck(
            draw(reasons), **where, filter=draw(filters), count=draw(counts), window=draw(windows)
        )
    if kind == 3:
        number = draw(st.none() | counts)
        contains, lacks = draw(rows), draw(rows)
        if number is None and not lacks and not contains:
            lacks = ({"dst": "10.0.0.1"},)
        return TableHolds(draw(nodes), draw(commands), at_ns, contains, lacks, number)
    if kind == 4:
        return CounterIs(draw(nodes), "arp.requests_sent", draw(counts), at_ns)
    if kind == 5:
        protocol = draw(st.sampled_from(["icmp", "udp", "tcp"]))
        reached = draw(st.booleans())
        return Reaches(
            draw(nodes),
            draw(nodes | st.just("10.0.0.9")),
            reached,
            protocol,
            None if protocol == "icmp" else draw(st.integers(1, 65535)),
            None if reached else draw(st.none() | reasons),
            None if reached else draw(st.none() | nodes),
            at_ns,
        )
    status = draw(st.none() | st.integers(0, 255))
    some = st.lists(texts, max_size=2).map(tuple)
    output, lacks_, within = draw(some), draw(some), draw(st.none() | times)
    if status is within is None and not output and not lacks_:
        status = 0
    return StepEnds(draw(st.sampled_from(steps)), status, output, lacks_, within)


_series = st.one_of(
    st.builds(SeriesSpec, nodes, st.just("udp.datagrams_sent"), label=st.none() | lines),
    st.builds(lambda link, label: SeriesSpec(link=link, label=label), _on, st.none() | lines),
    st.builds(
        lambda name, of: SeriesSpec(program=name, of=of),
        st.sampled_from(_PROGRAMS),
        st.sampled_from(sorted(TOTALS_OF)),
    ),
)
_plots = st.builds(
    PlotSpec,
    lines,
    st.lists(_series, min_size=1, max_size=2).map(tuple),
    st.none() | times.filter(bool),
    st.booleans(),
)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Draw a scenario."""
    node_specs, links = draw(networks())
    programs = [draw(_programs(name)) for name in _PROGRAMS]
    steps = draw(_steps(links))
    named = [step.name for step in steps if step.name and isinstance(step.action, Run)]
    some = st.lists(profiles, max_size=2).map(tuple)
    expects = draw(
        st.lists(
            st.builds(ExpectSpec, _expected(programs, named), some, st.none() | texts), max_size=4
        )
    )
    return Scenario(
        title=draw(lines),
        until_ns=_UNTIL + SECOND + draw(times),  # behind repeated steps
        about=draw(texts),
        seed=draw(st.integers(0, 2**63 - 1)),
        profile=draw(profiles),
        compare=draw(some),
        nodes=tuple(node_specs),
        links=tuple(links),
        programs=tuple(programs),
        steps=steps,
        expects=tuple(expects),
        plots=tuple(draw(st.lists(_plots, max_size=2))),
    )
