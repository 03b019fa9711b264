"""Predictions of ``why`` come true, and predicting changes nothing."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import StackError
from smolctl.stack.explain import verdict
from smolctl.stack.explain.answers import answers_to
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.ip.protocol import Pmtudisc, SendOptions
from smolctl.stack.ip.way import Way
from smolctl.stack.ipv4.output import icmp_output
from smolctl.stack.ipv6.output import icmp6_output
from smolctl.stack.link.input import frame_input
from smolctl.stack.reason import NEIGH_PENDING
from smolctl.stack.stack import Stack
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.stack.transport.send_queue import OutgoingDatagram
from smolctl.wire import icmpv4, icmpv6
from smolctl.wire.address import IPV4, IPV6, Family, family_of
from smolctl.wire.ethernet import EtherType
from smolctl.wire.vlan import tags, untagged
from tests.kit.host import ip, text
from tests.property.events import Event, Player, histories, leaving, snapshot
from tests.property.frames import DEVS, dsts, dsts6, ips, ips6, ports, srcs, srcs6
from tests.property.world import Config, World, configs

discs = st.none() | st.sampled_from(Pmtudisc)
ttls = st.sampled_from([None, None, 1, 2, 255])
toses = st.sampled_from([None, 0, 0x10, 0x10, 0x13])
sizes = st.sampled_from([0, 1, 60, 1452, 1453, 1472, 1473, 65507])
hosts = st.tuples(ips, ips6)
"""An address of each family, of which a question takes one."""
ours, theirs = st.tuples(dsts, dsts6), st.tuples(srcs, srcs6)
"""Mostly our own address, and mostly the peer's."""
FAMILIES = pytest.mark.parametrize("family", [IPV4, IPV6])
ASKING = {IPV4: "arp", IPV6: "nd"}
OURS = {IPV4: "10.0.0.1", IPV6: "2001:db8::1"}


def of(family: Family, pair: tuple[str, str]) -> str:
    """Return the address that is of a family."""
    return pair[family is IPV6]


def outcome(trace: Trace) -> dict[str, Any]:
    """Return all that a prediction says, but for what only one of the two can have."""
    row = verdict.tell(trace)
    row.pop("dir")
    return row


def run_out(world: World, trace: Trace, act: Any) -> None:
    """Do something; let the stack take in what it leads to, and the devices what leaves.

    Args:
        trace: whose answers are noted.
    """
    with answers_to(trace, world.stack.shared.recorder):
        with suppress(StackError):
            act()
        for _ in range(5000):  # an echo socket may talk to itself without end
            if not world.stack.loopback.input(world.host.now):
                break
    for dev in DEVS:
        if dev in world.stack.interfaces:
            leaving(world.host, dev)


def played(config: Config, history: list[Event]) -> World:
    player = Player(config)
    for event in history:
        player.play(event)
    for dev in DEVS:
        if dev in player.stack.interfaces:
            leaving(player.host, dev)
    player.stack.poll(player.host.now)
    player.stack.ledger.prove = None  # what helps has tests of its own
    return player.world


def foretold(world: World, question: Question) -> Trace:
    """Return the prediction; nothing that can be seen of the stack may differ after it."""
    before, journal = snapshot(world), list(world.stack.journal)
    steps = [len(trace.steps) for trace in journal]
    trace = predict(world.stack, question, world.host.now)
    assert snapshot(world) == before
    assert list(world.stack.journal) == journal
    assert [len(trace.steps) for trace in journal] == steps
    return trace


@FAMILIES
@given(
    configs, histories(sizes=(0, 8)), st.integers(0, 6), hosts | theirs, ports, sizes,
    st.booleans(), toses, st.tuples(discs, ttls),
)  # fmt: skip
def test_a_datagram_fares_as_predicted(
    family: Family,
    config: Config,
    history: list[Event],
    which: int,
    dsts: tuple[str, str],
    dport: int,
    size: int,
    by_address: bool,
    tos: int | None,
    how: tuple[Pmtudisc | None, int | None],
) -> None:
    world, dst = played(config, history), of(family, dsts)
    able = [socket for socket in world.sockets if socket.speaks(ip(dst))]
    socket = able[which % len(able)] if able else world.host.socket(0, text(family.mark))
    if not socket.port or not (socket.dev is None or socket.dev in world.stack.interfaces):
        return  # not bound, or to what is gone: nobody can ask about that
    src = socket.local or (ip(OURS[family]) if by_address else None)
    disc, ttl = how
    # Of several that share its port, the question is about the one that hears the answer.
    me = family.mark if src is None else src
    hears = world.stack.udp.lookup(ip(dst), dport, me, socket.port, socket.dev or "")
    if hears is None and len(world.stack.udp.at_port(socket.port)) > 1:
        return  # all of them are connected to somebody else
    socket = hears or socket
    question = Question(
        "udp", src, ip(dst), socket.port, dport, size, socket.dev, pmtudisc=disc, tos=tos, ttl=ttl
    )
    trace, real = foretold(world, question), Trace()
    socket.tos = socket.tos if tos is None else tos
    socket.pmtudisc = socket.pmtudisc if disc is None else disc
    if ttl is not None:
        socket.ttl = socket.multicast_ttl = ttl
    world.stack.generation.touch()
    source = None if src == socket.local else src
    now = world.host.now
    run_out(
        world,
        real,
        lambda: world.stack.udp.send_from(
            socket, OutgoingDatagram(bytes(size), ip(dst), dport, source, real), now
        ),
    )
    assert outcome(trace) == outcome(real)


@FAMILIES
@given(
    configs, histories(sizes=(0, 8)), st.none() | ours, hosts | theirs, sizes,
    st.none() | st.sampled_from(DEVS), toses, discs, ttls, st.booleans(),
)  # fmt: skip
def test_an_echo_request_fares_as_predicted(
    family: Family,
    config: Config,
    history: list[Event],
    srcs: tuple[str, str] | None,
    dsts: tuple[str, str],
    size: int,
    dev: str | None,
    tos: int | None,
    disc: Pmtudisc | None,
    ttl: int | None,
    broadcast: bool,
) -> None:
    world = played(config, history)
    if dev not in world.stack.interfaces:
        dev = None
    source, dst = None if srcs is None else ip(of(family, srcs)), ip(of(family, dsts))
    question = Question(
        "icmp",
        source,
        dst,
        size=size,
        dev=dev,
        broadcast=broadcast,
        pmtudisc=disc,
        tos=tos,
        ttl=ttl,
    )
    trace, real = foretold(world, question), Trace()
    stack, now = world.stack, world.host.now
    client, net = stack.ping.open(dst), stack.networks[family]
    disc = net.pmtudisc if disc is None else disc
    how = SendOptions(source, dev, ttl, tos or 0, pmtudisc=disc, broadcast=broadcast)
    rest = client.ident << 16 | 1

    def ask() -> None:
        if family is IPV6:
            asked = icmpv6.Icmpv6Message(icmpv6.Type.ECHO_REQUEST, 0, rest, bytes(size))
            icmp6_output(stack.ipv6, asked, dst, now, how, real, client)
        else:
            message = icmpv4.IcmpMessage(icmpv4.Type.ECHO_REQUEST, 0, rest, bytes(size))
            icmp_output(stack.ipv4, message, dst, now, how, real, client)

    run_out(world, real, ask)
    assert outcome(trace) == outcome(real)


@given(configs, histories(sizes=(0, 8)), ips6, st.none() | st.sampled_from(DEVS))
def test_the_first_packet_to_a_neighbor_sends_the_solicitation_that_was_predicted(
    config: Config, history: list[Event], dst: str, dev: str | None
) -> None:
    world = played(config, history)
    if dev not in world.stack.interfaces:
        dev = None
    stack, now = world.stack, world.host.now
    trace = foretold(world, Question("nd", None, ip(dst), dev=dev))
    ways = [step.facts for step in trace.steps if isinstance(step.facts, Way)]
    if trace.fate is not Fate.SENT or known(stack, ways[-1]):
        return
    real = Trace()
    asked = icmpv6.Icmpv6Message(icmpv6.Type.ECHO_REQUEST, 0, 1 << 16 | 1, b"")
    with suppress(StackError):
        icmp6_output(stack.ipv6, asked, ip(dst), now, SendOptions(dev=dev), real)
    there = [dev for dev in DEVS if dev in stack.interfaces]
    frames = [frame for dev in there for frame in leaving(world.host, dev)]
    sent = [untagged(frame, len(tags(frame))) for frame in frames]  # tap0.5 leaves by tap0
    assert trace.frame in sent or real.reason is not NEIGH_PENDING


def known(stack: Stack, way: Way) -> bool:
    """Tell whether a next hop is known or was asked for."""
    return stack.ipv6.neighbors[way.interface.name].lookup(way.next_hop) is not None


PROTOCOLS = {
    ("arp", IPV4): EtherType.ARP,
    ("icmp", IPV4): 1, ("icmp", IPV6): 58, ("nd", IPV6): 58,
    **{(name, family): number for name, number in (("tcp", 6), ("udp", 17))
       for family in (IPV4, IPV6)},
}  # fmt: skip
"""The number of what a question is about."""


def protocol_of(frame: bytes) -> int:
    """Return the protocol of the packet in a frame, or the frame's ethertype."""
    kind = int.from_bytes(frame[12:14])
    if kind == EtherType.IPV4:
        return frame[23]
    return frame[20] if kind == EtherType.IPV6 else kind


def fares_as_predicted(
    config: Config,
    history: list[Event],
    proto: str,
    src: str,
    dst: str,
    port: int,
    size: int,
    dev: str,
    tos: int | None = None,
    how: tuple[Pmtudisc | None, int | None] = (None, None),
) -> None:
    """Ask about a frame, let it come in, and compare."""
    world = played(config, history)
    if dev not in world.stack.interfaces:
        return
    disc, ttl = how
    question = Question(
        proto, ip(src), ip(dst), 9, port, size, iif=dev, pmtudisc=disc, tos=tos, ttl=ttl
    )
    trace, real = foretold(world, question), Trace(direction=Direction.IN)
    frame = trace.frame if trace.arrival is None else trace.arrival.frame
    assert protocol_of(frame) == PROTOCOLS[proto, family_of(ip(src))]
    world.stack.journal.follow(real, world.host.now)
    real.dev = dev
    run_out(
        world,
        real,
        lambda: frame_input(
            world.stack.protocols, world.host.dev(dev), frame, world.host.now, real
        ),
    )
    assert outcome(trace) == outcome(real)


@FAMILIES
@given(
    configs, histories(sizes=(0, 8)), st.sampled_from(["udp", "tcp", "icmp", "neighbor"]),
    theirs, ours | hosts, ports, st.integers(0, 1500), st.sampled_from(DEVS),
    st.tuples(discs, ttls),
)  # fmt: skip
def test_a_frame_that_comes_in_fares_as_predicted(
    family: Family,
    config: Config,
    history: list[Event],
    proto: str,
    srcs: tuple[str, str],
    dsts: tuple[str, str],
    port: int,
    size: int,
    dev: str,
    how: tuple[Pmtudisc | None, int | None],
) -> None:
    proto = ASKING[family] if proto == "neighbor" else proto
    src, dst = of(family, srcs), of(family, dsts)
    fares_as_predicted(config, history, proto, src, dst, port, size, dev, how=how)
