"""Laws of labs: whatever the network, the steps and the seed, all that is told of a run agrees.

The scenario of a failing example is printed as a file, to be run by ``smolctl lab run``.
"""

from collections import Counter
from io import BytesIO

from hypothesis import given, note
from hypothesis import strategies as st

from smolctl.capture.reader import read as records
from smolctl.cli.inside import LabCommands
from smolctl.lab.outcome import Outcome, StepDone
from smolctl.lab.packets import pcapng
from smolctl.lab.reading import read
from smolctl.lab.run import Setting, run
from smolctl.lab.timeline import Travel
from smolctl.lab.writing import write
from smolctl.stack.reason import REASONS, Kind
from smolctl.stack.trace.trace import Fate
from tests.kit.amount import examples

NODES = "abcd"
PROFILES = ("linux", "rfc1122", "smoltcp-0.9")
BADNESS = (
    "", "", "loss = '30%'", "delay = '3ms'\njitter = '2ms'", "duplicate = '20%'",
    "corrupt = '20%'", "rate = '1mbit'\ndelay = '1ms'", "mtu = 1280",
)  # fmt: skip
RUNS = (
    "ping -c 2 -W 0.2 -i 0.2 {dst}", "ping -c 1 -s 3000 -W 0.3 {dst}", "udp send {udp}:9 hi",
    "udp send {udp}:7 hi -c 5 -i 0.05", "tcp send {udp}:80 hello -w 0.5", "tcp ping -c 1 {udp}:80",
    "arping -c 1 -w 0.3 -I eth0 10.0.0.{n}", "neigh flush dev eth0", "route del default",
    "link set eth0 down", "link set eth0 up", "addr add 10.0.0.{n}/24 dev eth0",
    "sysctl ip.forward=1", "traceroute -q 1 -w 0.2 -m 3 {dst}",
)  # fmt: skip
FRAMES = (
    "ffffffffffff02000000000a0806",
    "ffffffffffff02000000000a0842",
    "02000000020102000000010186dd60",
)


@st.composite
def scenarios(draw: st.DrawFn) -> str:
    """Return a file: nodes on links of two networks, and what happens to them."""
    nodes = NODES[: draw(st.integers(2, 4))]
    router = draw(st.sampled_from(nodes))
    text = [f"title = 'random'\nuntil = '6s'\nseed = {draw(st.integers(0, 1000))}\n"]
    text.append(f"profile = '{draw(st.sampled_from(PROFILES))}'\n")
    ends: dict[str, list[str]] = {"one": [], "two": []}
    nets = {name: draw(st.sampled_from(("one", "two"))) for name in nodes if name != router}
    for number, name in enumerate(nodes, 1):
        on = ["one", "two"] if name == router else [nets[name]]
        addresses = []
        for index, link in enumerate(on):
            ends[link].append(f"{name}:eth{index}")
            net = {"one": 0, "two": 1}[link]
            last = 254 if name == router else number
            addresses.append(f"eth{index} = ['10.0.{net}.{last}/24', 'fd0{net}::{number}/64']")
        text.append(f"[nodes.{name}]\naddresses = {{ {', '.join(addresses)} }}\n")
        if name == router:
            text.append("sysctl = { 'ip.forward' = 1 }\n")
        elif draw(st.booleans()):
            text.append(f"routes = ['default via 10.0.{0 if on == ['one'] else 1}.254']\n")
    for link, plugged in ends.items():
        bad = draw(st.sampled_from(BADNESS))
        text.append(f"[links.{link}]\nends = {plugged}\n{bad}\n")
    if draw(st.booleans()):
        node = draw(st.sampled_from(nodes))
        text.append(f"[programs.p]\nnode = '{node}'\nprotocol = 'udp'\nlisten = 7\necho = true\n")
    for _ in range(draw(st.integers(1, 6))):
        text.append(draw(steps(nodes, [link for link, plugged in ends.items() if plugged])))
    return "".join(text)


@st.composite
def steps(draw: st.DrawFn, nodes: str, links: list[str]) -> str:
    head = f"[[steps]]\nat = '+{draw(st.integers(0, 900))}ms'\n"
    kind = draw(st.integers(0, 9))
    if kind == 0:
        state = draw(st.sampled_from(("up", "down")))
        return f"{head}link = '{draw(st.sampled_from(links))}'\nstate = '{state}'\n"
    if kind == 1:
        frame = draw(st.sampled_from(FRAMES)) + draw(st.binary(max_size=40)).hex()
        return f"{head}frame = '{frame}'\non = '{draw(st.sampled_from(links))}'\n"
    net, number = draw(st.integers(0, 1)), draw(st.integers(1, 5))
    four = f"10.0.{net}.{number}"
    dst, udp = draw(
        st.sampled_from([(four, four), (f"fd0{net}::{number}", f"[fd0{net}::{number}]")])
    )
    line = draw(st.sampled_from(RUNS)).format(dst=dst, udp=udp, n=number)
    node, background = draw(st.sampled_from(nodes)), draw(st.booleans())
    return f"{head}node = '{node}'\nrun = '{line}'\nbackground = {str(background).lower()}\n"


def played(text: str) -> Outcome:
    return run(read(text, "random.toml"), Setting(LabCommands()))


def packets(outcome: Outcome) -> bytes:
    return b"".join(pcapng(outcome.travels, outcome.marks))


def sendings(outcome: Outcome) -> list[Travel]:
    """Return the frames that left, each once: a hub makes several travels of one."""
    found: dict[tuple[object, ...], Travel] = {}
    for travel in outcome.travels:
        found[travel.sent_ns, travel.src, travel.src_dev, id(travel.sent), id(travel.frame)] = (
            travel
        )
    return list(found.values())


@examples(10, times=0.3)
@given(scenarios())
def test_all_that_is_told_of_a_run_agrees(text: str) -> None:
    scenario = read(text, "random.toml")
    note(write(scenario))
    outcome = played(text)
    assert outcome.faults == []
    check_counters(outcome)
    check_timeline(outcome)
    check_packets(outcome)
    again = played(write(scenario))
    assert packets(again) == packets(outcome)
    assert [said(done) for done in again.steps] == [said(done) for done in outcome.steps]
    assert again.counters == outcome.counters


def said(done: StepDone) -> StepDone:
    """Return a step without the lines of the file that it came from."""
    return done._replace(line=0, missed="missed" if done.missed else "")


def check_counters(outcome: Outcome) -> None:
    """Marks are as many as the reasons that a node counted, frames as many as its links did."""
    struck = Counter((mark.node, mark.reason) for mark in outcome.marks if mark.reason is not None)
    left = Counter(travel.src for travel in sendings(outcome))
    came = Counter(travel.dst for travel in outcome.travels if travel.arrived_ns is not None)
    for node, counters in outcome.counters.items():
        told: Counter[str] = Counter()
        for name, value in counters.items():
            reason = REASONS.get(name.partition(".")[2])
            if reason is not None and reason.name != "lab-delay":
                told[reason.name] += value
        assert told == Counter({why: n for (at, why), n in struck.items() if at == node})
        # What its loopback sends it receives, and all else is on a wire.
        sent, received = (counters.get(f"link.{name}_packets", 0) for name in ("tx", "rx"))
        assert sent - left[node] == received - came[node] >= 0


def check_timeline(outcome: Outcome) -> None:
    """Each frame that arrived has one fate there, and each drop of one a mark."""
    marked = {id(mark.trace) for mark in outcome.marks}
    for travel in outcome.travels:
        if travel.arrived_ns is None:
            assert travel.lost in REASONS
            continue
        assert travel.arrived_ns > travel.sent_ns
        trace = travel.received
        assert trace is not None
        assert trace.settled or trace.fate is Fate.WAITING
        if trace.reason is not None and trace.reason.kind in (Kind.DROP, Kind.REJECT):
            assert id(trace) in marked
    assert [mark.at_ns for mark in outcome.marks] == sorted(mark.at_ns for mark in outcome.marks)


def check_packets(outcome: Outcome) -> None:
    """The capture file has each frame where it left and where it arrived, and what never did."""
    found = list(records(BytesIO(packets(outcome))))
    came = sum(record.direction == "in" for record in found)
    assert came >= sum(travel.arrived_ns is not None for travel in outcome.travels)
    assert [record.time_ns for record in found] == sorted(record.time_ns for record in found)
    left = sum(bool(travel.src) for travel in sendings(outcome))
    assert sum(record.direction == "out" for record in found) >= left
