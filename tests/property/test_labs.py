"""Laws of labs: random networks, steps, bad links and seeds.

A case that fails is printed as a scenario file, which ``smolctl lab run`` runs.
"""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import event, given, note
from hypothesis import strategies as st

from smolctl.capture.reader import read as read_capture
from smolctl.cli.inside import LabCommands
from smolctl.errors import InvalidArgument
from smolctl.lab.commands import Running
from smolctl.lab.drawing.ladder_layout import lay_out
from smolctl.lab.node import Node
from smolctl.lab.packets import pcapng
from smolctl.lab.scenario import LinkChange, Run, Scenario
from smolctl.lab.timeline import departures
from smolctl.lab.wire import DELAY_NS
from smolctl.lab.writing import write
from smolctl.path.follow import follow
from smolctl.path.net import net_of_world
from smolctl.path.reach import Asked, answer, places
from smolctl.path.reach import reach as matrix_of
from smolctl.path.story import Outcome, PathQuestion
from smolctl.stack.explain.predict import Question
from smolctl.stack.interface import Medium
from smolctl.stack.reason import LAB_DELAY, NEIGH_NOT_QUEUED, RX_FRAME_TOO_LONG, Kind
from smolctl.stack.trace.trace import Fate
from smolctl.wire.address import IPV4, IPV6, Family, format_address, parse_prefix
from tests.kit.amount import examples
from tests.property.lab_digest import digest
from tests.property.lab_world import Observed, Sent, played
from tests.property.labs import ECHO, TCP_ECHO, Wanted, labs
from tests.property.test_law import Counting, held

S = 1_000_000_000


def check_fates(world: Observed) -> None:
    """Every packet at each node has its one fate, or still waits there."""
    for name, witnesses in world.witnesses.items():
        for stack, journal in zip(world.stacks[name], witnesses, strict=True):
            waiting = set(held(stack))
            cut = {trace.whole for trace in waiting}
            for trace in journal.begun:
                if trace.parts and trace not in waiting:
                    # One that was cut ends before its last fragment when one of them is lost.
                    assert trace.settled or trace in cut
                else:
                    assert trace.settled != (trace in waiting), (name, trace.fate, trace.steps)
                if not trace.settled:
                    continue
                if isinstance(trace, Counting):
                    ends = [fate for fate in trace.called if fate is not Fate.WAITING]
                    assert len(ends) == 1, (name, ends, trace.steps)


def check_counters(world: Observed) -> None:
    """Interfaces count what travels; what is still on a wire is counted as sent."""
    sent = Counter((each.src, each.src_dev) for each, *_ in departures(world.travels))
    flying = Counter[tuple[str, str]]()
    for each in world.sent:
        if each.at_ns + DELAY_NS > world.now:
            flying[each.src, each.dev] += len(each.frames)
    sent.subtract(world.strange)
    came = Counter((t.dst, t.dst_dev) for t in world.travels if t.arrived_ns is not None)
    assert sum(came.values()) == world.frames
    for name, node in world.nodes.items():
        if len(world.stacks[name]) > 1:
            continue  # its first stack has taken its counters along
        for dev, link in node.stack.interfaces.items():
            if link.medium is Medium.ETHERNET and link.vlan is None:
                counted = link.counters
                assert counted.tx_packets == sent[name, dev] + flying[name, dev], (name, dev)
                long = node.stack.ledger.reasons.get((RX_FRAME_TOO_LONG, dev))
                refused = 0 if long is None else long.count  # before they count, as by Linux's veth
                assert counted.rx_packets + refused == came[name, dev], (name, dev, counted)


def check_marks(world: Observed) -> None:
    """All that is counted by reasons is on the timeline, at each node."""
    told = [mark for mark in world.marks if mark.kind in set(Kind)]
    marks = Counter((mark.node, mark.reason) for mark in told)
    counted = Counter[tuple[str, str | None]]()
    for name, stacks in world.stacks.items():
        for stack in stacks:
            for (reason, _), tally in stack.ledger.reasons.items():
                if reason is not LAB_DELAY:
                    counted[name, reason.name] += tally.count
    assert marks == counted


def check_drawing(world: Observed) -> None:
    """All that the timeline has is drawn, once."""
    for fold in (False, True):
        rows = lay_out(world.travels, world.marks, list(world.nodes), fold=fold).rows
        drawn = Counter(id(item) for row in rows for item in row.items)
        assert drawn == Counter(map(id, [*world.travels, *world.marks]))


def check_packets(world: Observed) -> None:
    """A capture file has each frame where it left and where it arrived, and what never left."""
    records = [*read_capture(BytesIO(b"".join(pcapng(world.travels, world.marks))))]
    seen = Counter((record.dev, record.direction) for record in records if record.ethernet)
    expected = Counter[tuple[str, str]]()
    for each, *_ in departures(world.travels):
        if not each.src:
            continue
        expected[f"{each.src}:{each.src_dev}", "out"] += 1
    for each in world.travels:
        if each.arrived_ns is not None:
            expected[f"{each.dst}:{each.dst_dev}", "in"] += 1
    assert not expected - seen
    refused = {id(mark.trace) for mark in world.marks if mark.kind in (Kind.DROP, Kind.REJECT)}
    assert sum((seen - expected).values()) <= len(refused)


def check_times(scenario: Scenario, world: Observed) -> None:
    """Nothing happens before its cause, and a wire keeps the order."""
    assert [mark.at_ns for mark in world.marks] == sorted(mark.at_ns for mark in world.marks)
    came = [travel.arrived_ns for travel in world.travels if travel.arrived_ns is not None]
    assert came == sorted(came)
    changed = {step.action.link for step in scenario.steps if isinstance(step.action, LinkChange)}
    bad = {link.name: link.netem for link in scenario.links}
    mixed = {
        name for name, netem in bad.items() if netem.jitter_ns or netem.reorder or netem.duplicate
    }
    least = {name: 0 if name in changed | mixed else netem.delay_ns for name, netem in bad.items()}
    last = dict[object, int]()
    for travel in world.travels:
        if travel.arrived_ns is None:
            continue
        took = travel.arrived_ns - travel.sent_ns
        assert took >= DELAY_NS
        if travel.sent is not None:
            assert took >= DELAY_NS + least[travel.wire]
            assert travel.sent.began_ns <= travel.sent_ns + world.start_ns
        if travel.received is not None:
            assert travel.received.began_ns == travel.arrived_ns + world.start_ns
        if travel.wire not in mixed and travel.sent is not None:
            way = travel.src, travel.src_dev, travel.dst, travel.dst_dev
            assert last.get(way, 0) <= travel.sent_ns
            last[way] = travel.sent_ns
    for witnesses in world.witnesses.values():
        for trace in (trace for journal in witnesses for trace in journal.begun):
            times = [step.at_ns for step in trace.steps]
            assert times == sorted(times)
            assert trace.cause is None or trace.cause.began_ns <= trace.began_ns
            if times and trace.settled:
                assert trace.began_ns <= times[0]
                assert trace.at_ns <= world.now


@given(labs())
@examples(10)
def test_books_agree(scenario: Scenario) -> None:
    outcome, world = played(scenario)
    assert not outcome.faults
    check_fates(world)
    check_counters(world)
    check_marks(world)
    check_drawing(world)
    check_packets(world)
    check_times(scenario, world)


# --- the same each time ---------------------------------------------------------------------------


def wires(world: Observed) -> list[Sent]:
    """Return all frames that nodes put onto wires, in order."""
    return [each._replace(frames=(frame,)) for each in world.sent for frame in each.frames]


def without_why(scenario: Scenario) -> Scenario:
    """Return a scenario in which nobody asks."""
    steps = [
        step
        for step in scenario.steps
        if not (isinstance(step.action, Run) and step.action.command.text.startswith("why"))
    ]
    return replace(scenario, steps=tuple(steps))


@given(labs())
@examples(3, times=0.5)
def test_the_same_scenario_does_the_same_whoever_looks(scenario: Scenario) -> None:
    outcome, world = played(scenario)
    assert digest(played(scenario)[0]) == digest(outcome)
    unwatched = played(scenario, watched=False)[1]
    assert wires(unwatched) == wires(world)
    assert unwatched.frames == world.frames
    assert wires(played(without_why(scenario))[1]) == wires(world)


@given(st.lists(labs(), min_size=3, max_size=3))
@examples(2, times=0.05)
def test_neither_the_process_nor_its_hashes_have_a_part_in_it(several: list[Scenario]) -> None:
    outcomes = [played(scenario)[0] for scenario in several]
    if not any(outcome.frames for outcome in outcomes):
        return
    with TemporaryDirectory() as folder:
        paths = [str(Path(folder, f"{number}.toml")) for number in range(len(several))]
        for path, scenario in zip(paths, several, strict=True):
            Path(path).write_text(write(scenario))
        code = "import sys; from tests.property.lab_digest import digests; "
        code += "print(*digests(sys.argv[1:]))"
        env = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
        argv = [sys.executable, "-c", code, *paths]
        shown = subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout
    assert shown.split() == [digest(outcome) for outcome in outcomes]


# --- predictions come true ------------------------------------------------------------------------

QUIET = Wanted(bad=False, busy=False, raw=False, steps=5)
_WORDS = {
    "icmp": ("ping -c 1 -s 0 -W 30 {}", 0, 0),
    "udp": ("udp send {}:7 hello --expect-reply -w 30", ECHO, 5),
    "tcp": ("tcp send {}:8 hello -w 60", TCP_ECHO, 0),
}
"""The command that really sends each; the port, and the bytes, as a matrix asks, too."""


def settled(scenario: Scenario) -> Observed:
    """Return the world after a run, when nothing is on its way any more."""
    world = played(scenario)[1]
    world.run(world.now + 3 * S)
    return world


def tried(world: Observed, node: Node, proto: str, dst: int) -> Running:
    """Send a packet in the world itself; return the command that did."""
    text = format_address(dst)
    text = f"[{text}]" if ":" in text and proto != "icmp" else text
    running = LabCommands().start(node, _WORDS[proto][0].format(text))
    world.run(world.now + 90 * S, lambda: running.ended)
    return running


@given(labs(QUIET), st.sampled_from(sorted(_WORDS)), st.integers(0, 99), st.integers(0, 99))
@examples(10)
def test_a_packet_fares_as_its_path_says(
    scenario: Scenario, proto: str, who: int, whom: int
) -> None:
    world = settled(scenario)
    net = net_of_world(world)
    addresses = [address for node in scenario.nodes for address in node.addresses]
    if not net.stacks or not addresses:
        return
    node = world.nodes[sorted(net.stacks)[who % len(net.stacks)]]
    dst = parse_prefix(addresses[whom % len(addresses)].prefix)[0]
    _, port, size = _WORDS[proto]
    story = follow(net, PathQuestion(node.name, Question(proto, None, dst, 0, port, size)))
    event(f"{proto} {story.outcome}")
    note(f"# then {proto} from {node.name} to {format_address(dst)}, which {story.outcome}")
    if story.endless or story.outcome is Outcome.WAITS:
        return
    before = len(world.marks)
    command = tried(world, node, proto, dst)
    again = proto == "tcp" and story.reason is NEIGH_NOT_QUEUED  # TCP sends once more
    assert again or (command.status == 0) is (story.outcome is Outcome.WORKS), story.reason
    if story.reason is not None and story.at is not None:
        struck = {(mark.node, mark.reason) for mark in world.marks[before:]}
        struck.add((node.name, command.reason))  # a connection may be refused without a packet
        assert (story.at.node, story.reason.name) in struck


@given(labs(QUIET), st.sampled_from([IPV4, IPV6]), st.lists(st.integers(0, 99), max_size=3))
@examples(6)
def test_who_reaches_whom_is_what_pings_show(
    scenario: Scenario, family: Family, which: list[int]
) -> None:
    world = settled(scenario)
    try:
        there = places(net_of_world(world), family)
    except InvalidArgument:
        return
    matrix = matrix_of(net_of_world(world), Asked("icmp"), there)
    pairs = list(matrix.pairs())
    for number, at in enumerate([0, *which]):
        src, dst, said = pairs[at % len(pairs)]
        if number:  # the pings before it have taught the nodes something
            said = answer(net_of_world(world), Asked("icmp"), (src, dst))
        if said.outcome is Outcome.WAITS:
            continue
        note(f"# ping from {src.stack} to {format_address(dst.address)}: {said}")
        command = tried(world, world.nodes[src.stack], "icmp", dst.address)
        assert (command.status == 0) is (said.outcome is Outcome.WORKS)
