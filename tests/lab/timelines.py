"""Timelines for tests of drawings: real ones of small worlds, and random ones."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from smolctl.lab.node import Node
from smolctl.lab.timeline import Mark, Travel
from smolctl.lab.world import World
from smolctl.stack import reason
from smolctl.stack.trace.trace import Direction, Fate, Trace
from tests.kit.host import arp_frame, reply, request, udp_frame

MS, S = 1_000_000, 1_000_000_000


class Timeline(NamedTuple):
    """The frames and marks of a run."""

    travels: list[Travel]
    marks: list[Mark]


def travel(
    sent_ns: int, src: str, dst: str, frame: bytes, took_ns: int | None = 10_000, **more: Any
) -> Travel:
    """Return a travel; took_ns is None for a frame that was lost."""
    arrived = None if took_ns is None else sent_ns + took_ns
    lost = "lab-loss" if took_ns is None else None
    made = Travel(sent_ns, arrived, "c1", src, "eth0", dst, "eth0", frame, None, None, lost)
    return made._replace(**more)


# --- real worlds ----------------------------------------------------------------------------------


class Course:
    """A world without IPv6, whose steps are marked as the lab marks them."""

    def __init__(self) -> None:
        self.world = World(1, watched=True)

    def node(self, name: str, *ports: tuple[str, str, str], **options: str) -> Node:
        """Add a node with ports: name, wire and address of each."""
        node = self.world.add_node(name)
        node.call("sysctl.set", key="ip6.disable", value="1")
        for dev, wire, address in ports:
            node.call("link.add", name=dev, type="cable", cable=wire, **options)
            node.call("addr.add", local=address, dev=dev)
        return node

    def step(self, node: Node, command: str, op: str, seconds: float = 1, **args: str) -> None:
        """Ask a node for something, and let time pass."""
        world = self.world
        world.marks.append(Mark(world.elapsed_ns, node.name, "step", command))
        node.start(op, args)
        world.run(world.now + int(seconds * S))

    @property
    def timeline(self) -> Timeline:
        """All that happened so far."""
        return Timeline(self.world.travels, self.world.marks)


def behind_a_router(**options: str) -> tuple[Course, Node, Node, Node]:
    """Return two hosts with a router between them; the options are those of its links."""
    course = Course()
    a = course.node("a", ("eth0", "c1", "10.1.0.1/24"))
    router = course.node(
        "r", ("eth0", "c1", "10.1.0.254/24"), ("eth1", "c2", "10.2.0.254/24"), **options
    )
    b = course.node("b", ("eth0", "c2", "10.2.0.2/24"))
    router.call("sysctl.set", key="ip.forward", value="1")
    a.call("route.add", dst="default", via="10.1.0.254")
    b.call("route.add", dst="default", via="10.2.0.254")
    return course, a, router, b


# --- random ones ----------------------------------------------------------------------------------

FRAMES = [request(), reply(), udp_frame(), arp_frame(1, "10.0.0.7"), b"", bytes(14), b"\xff" * 60]
NAMES = st.one_of(
    st.sampled_from(["a", "b", "r", "c", "host-1"]),
    st.text(min_size=1, max_size=12),
)
TIMES = st.one_of(
    st.integers(0, 5).map(lambda n: n * 10_000),
    st.integers(0, 50).map(lambda n: n * MS),
    st.integers(0, 10).map(lambda n: n * S),
)
TEXTS = st.one_of(st.just("something happened"), st.text(max_size=60))


@st.composite
def timelines(draw: Callable[..., Any]) -> Timeline:
    """Return a run that has happened nowhere: hubs, losses, delays, repetitions, odd names."""
    nodes = draw(
        st.lists(NAMES, min_size=2, max_size=draw(st.sampled_from([3, 4, 9])), unique=True)
    )
    travels: list[Travel] = []
    traces: list[Trace | None] = [None]
    for _ in range(draw(st.integers(0, 8))):
        src = draw(st.sampled_from([*nodes, ""]))
        others = [node for node in nodes if node != src] or nodes
        ends = draw(st.lists(st.sampled_from(others), min_size=1, max_size=3, unique=True))
        at, frame = draw(TIMES), draw(st.sampled_from(FRAMES))
        sent = draw(st.sampled_from(traces))
        common = draw(st.sampled_from([0, 10_000, 10_000, 5 * MS]))
        repeated = draw(st.sampled_from([1, 1, 1, 3, 30]))
        for number in range(repeated):
            for dst in ends:
                took = draw(st.sampled_from([common, common, common, 7 * MS, None]))
                fate = draw(st.sampled_from([Fate.DELIVERED, Fate.DROPPED, None]))
                received = None if took is None or fate is None else _received(fate)
                traces.append(received)
                travels.append(travel(
                    at + number * 20_000, src, dst, frame, took, sent=sent, received=received,
                ))  # fmt: skip
    if draw(st.booleans()):
        travels.append(travel(draw(TIMES), nodes[0], "", FRAMES[0], None, lost="tx-no-carrier"))
    marks = [_mark(draw, nodes, traces) for _ in range(draw(st.integers(0, 5)))]
    marks += [
        Mark(each.arrived_ns or 0, each.dst, "drop", "not ours", "rx-not-our-mac", each.received)
        for each in travels
        if each.received is not None and draw(st.integers(0, 3)) == 0
    ]
    marks.sort(key=lambda mark: mark.at_ns)
    travels.sort(key=lambda each: each.sent_ns if each.arrived_ns is None else each.arrived_ns)
    return Timeline(travels, marks)


def _received(fate: Fate) -> Trace:
    trace = Trace(direction=Direction.IN)
    if fate is Fate.DROPPED:
        trace.settle(fate, 0, reason.RX_NOT_OUR_MAC, {"mac": b"\2" * 6, "ours": b"\4" * 6})
    else:
        trace.settle(fate, 0)
    return trace


def _mark(draw: Callable[..., Any], nodes: Sequence[str], traces: Sequence[Trace | None]) -> Mark:
    kind = draw(st.sampled_from(["drop", "reject", "wait", "note", "step", "link", "expect"]))
    why = draw(st.sampled_from([None, "lab-loss", "neigh-pending", "udp-port-closed"]))
    trace = draw(st.sampled_from([None, *traces, _sent()]))
    return Mark(
        draw(TIMES), draw(st.sampled_from([*nodes, "", "c1"])), kind, draw(TEXTS), why, trace
    )


def _sent() -> Trace:
    trace = Trace()
    trace.dev, trace.frame, trace.linked = "eth0", FRAMES[2], True
    return trace
