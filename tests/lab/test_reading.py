import re
from pathlib import Path

import pytest

from smolctl.lab.expectation import Count, ProgramReceived, Received
from smolctl.lab.format.counters import COUNTERS
from smolctl.lab.reading import read
from smolctl.lab.scenario import NS_PER_S, Endpoint, Scenario, Sending
from smolctl.stack.reason import REASONS

SMOLCTL = Path(__file__).parents[2] / "smolctl"


def scenario(text: str, *, top: str = "") -> Scenario:
    return read(f'title = "t"\n{top}\n[nodes.a]\n[nodes.b]\n{text}', "lab.toml")


# --- commands -------------------------------------------------------------------------------------


def test_each_command_knows_its_line() -> None:
    found = read(
        'title = "t"\n[nodes.a]\n'
        'commands = """\nneigh show\n\n# nothing\n  smolctl route show\n"""\n'
        'routes = [\n"default via 10.0.0.1",\n"10.1.0.0/16 via 10.0.0.2"]\n'
        "[[steps]]\nat = 1\nrun = 'ping 10.0.0.2'\nnode = 'a'\n",
        "lab.toml",
    )
    node = found.nodes[0]
    assert [(each.text, each.line) for each in node.commands] == [
        ("neigh show", 4),
        ("route show", 7),
    ]
    assert [each.line for each in node.routes] == [10, 11]
    assert found.steps[0].line == 12


def test_a_node_is_made_in_the_order_of_what_depends_on_what() -> None:
    found = scenario(
        """
[nodes.r]
sysctl = { eth0.arp.ignore = 1, ip.forward = true }
addresses = { eth0 = "10.0.0.1/24", "eth0.5" = ["10.5.0.1/24", "fd00::1/64"] }
routes = ["default via 10.0.0.2"]
commands = "neigh show"
[links.lan]
ends = ["a", "r"]
delay = "5ms"
loss = "0.5%"
mtu = 1400
mac = { r = "02-00-00-00-00-0A" }
vlan = 5
"""
    )
    node = found.node("r")
    assert [each.text for each in found.setup(node)] == [
        "sysctl ip.forward=1",
        "link add eth0 type cable name lan address 02:00:00:00:00:0a mtu 1400",
        "link set eth0 delay 5ms loss 0.5%",
        "link add link eth0 name eth0.5 type vlan id 5",
        "sysctl eth0.arp.ignore=1",
        "addr add 10.0.0.1/24 dev eth0",
        "addr add 10.5.0.1/24 dev eth0.5",
        "addr add fd00::1/64 dev eth0.5",
        "route add default via 10.0.0.2",
        "neigh show",
    ]
    assert found.interfaces("r") == ["eth0"]


# --- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1", NS_PER_S),
        ("0.1", 100_000_000),  # not a float's 0.1
        ('"1.5s"', 1_500_000_000),
        ('"200 ms"', 200_000_000),
        ('"7us"', 7000),
        ('"7ns"', 7),
        ('"2min"', 120 * NS_PER_S),
        ('"1h"', 3600 * NS_PER_S),
    ],
)
def test_a_time_is_exact(text: str, ns: int) -> None:
    assert scenario("", top=f"until = {text}").until_ns == ns


def test_a_step_is_at_the_time_of_the_one_before_or_so_much_later() -> None:
    steps = "".join(f"[[steps]]\nstop = 'a'\n{at}\n" for at in ("", "at = 1", "", 'at = "+5ms"'))
    found = [step.at_ns for step in scenario(steps).steps]
    assert found == [0, NS_PER_S, NS_PER_S, NS_PER_S + 5_000_000]


def test_a_run_goes_on_behind_the_last_time_of_the_file() -> None:
    assert scenario("").until_ns == 10 * NS_PER_S
    repeated = "[[steps]]\nat = 1\nstop = 'a'\ntimes = 4\nevery = 2\n"
    assert scenario(repeated).until_ns == 17 * NS_PER_S
    assert [*scenario(repeated).steps[0].instants()] == [s * NS_PER_S for s in (1, 3, 5, 7)]
    assert scenario("[[expect]]\nreceived = 'a'\nby = 30").until_ns == 40 * NS_PER_S


# --- programs and expectations --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sending"),
    [
        ('send = "hi"', Sending(b"hi")),
        ("size = 3", Sending(b"\0\0\0")),
        ('send = "hi"\ntimes = 3', Sending(b"hi", 3)),
        ('send = "hi"\nevery = "1s"', Sending(b"hi", None, NS_PER_S)),
        ('send = "hi"\nevery = "1s"\ntimes = 2', Sending(b"hi", 2, NS_PER_S)),
        ("size = 125\nrate = '1mbit'", Sending(bytes(125), None, 1_000_000)),
        ('send = "hi"\ntimes = "forever"', Sending(b"hi", None)),
    ],
)
def test_a_program_sends_so_often(text: str, sending: Sending) -> None:
    found = scenario(f'[programs.p]\nnode = "a"\nprotocol = "udp"\nto = "[fe80::1%eth0]:7"\n{text}')
    (program,) = found.programs
    assert program.sending == sending
    assert [str(target) for target in program.to] == ["[fe80::1%eth0]:7"]


@pytest.mark.parametrize(
    ("text", "endpoint"), [("7", "7"), ('"7"', "7"), ('"127.0.0.1:7"', "127.0.0.1:7")]
)
def test_a_program_listens(text: str, endpoint: str) -> None:
    found = scenario(f'[programs.p]\nnode = "a"\nprotocol = "tcp"\nlisten = {text}')
    listen = found.programs[0].listen
    assert isinstance(listen, Endpoint)
    assert str(listen) == endpoint


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", Count(1, None)),
        ("count = 3", Count(3, 3)),
        ("max = 3", Count(0, 3)),
        ("min = 3", Count(3, None)),
        ("min = 3\nmax = 4", Count(3, 4)),
    ],
)
def test_bounds_of_a_number(text: str, count: Count) -> None:
    expected = scenario(f'[[expect]]\nreceived = "a"\n{text}').expects[0].expected
    assert expected == Received("a", count=count)
    low = count.min
    assert (count.holds(low), count.holds(low - 1)) == (True, False)
    assert count.holds(10) is (count.max is None)


def test_bytes_are_counted_where_tcp_knows_no_messages() -> None:
    for protocol, of in (("udp", "datagrams"), ("tcp", "bytes")):
        found = scenario(
            f'[programs.p]\nnode = "a"\nprotocol = "{protocol}"\nlisten = 7\n'
            '[[expect]]\nreceived = "p"'
        )
        assert found.expects[0].expected == ProgramReceived("p", of=of)


def test_an_expectation_may_be_for_one_profile() -> None:
    found = scenario('[[expect]]\nreceived = "a"\nprofile = "linux"').expects[0]
    assert (found.counts_under("linux"), found.counts_under("rfc1122")) == (True, False)
    found = scenario('[[expect]]\nreceived = "a"').expects[0]
    assert found.counts_under("rfc1122")


def test_every_counter_of_the_stack_has_its_name() -> None:
    sources = [path.read_text() for path in (SMOLCTL / "stack").rglob("*.py")]
    sources.append((SMOLCTL / "ops" / "stats.py").read_text())
    counted, words = set(), set()
    for source in sources:
        counted |= set(re.findall(r'\.count\(\s*"([a-z0-9]+\.[a-z_]+)"', source))
        words |= set(re.findall(r'"([a-z0-9_.]+)"|\.([a-z_]+)"', source))
    assert len(counted) > 50
    assert counted <= COUNTERS
    # And none that nobody counts: "link." and "ip6." are put in front of some names.
    said = {word for pair in words for word in pair}
    reasons = {f"{reason.layer}.{reason.name}" for reason in REASONS.values()}
    others = COUNTERS - reasons
    assert [name for name in others if not {name, name.partition(".")[2]} & said] == []
