"""Command lines in a lab: they run in virtual time, and say what a daemon's users read."""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smolctl.cli.inside import LabCommands, around
from smolctl.cli.inside.command import Command
from smolctl.cli.words.command import Verb
from smolctl.errors import SmolctlError
from smolctl.lab.commands import BadLine, Commands, Running
from smolctl.lab.node import Node
from smolctl.lab.world import World
from tests.cli.kit import all_verbs
from tests.kit.stack_env import SmolctlEnv

S = 1_000_000_000
COMMANDS = LabCommands()
IPV4 = """\
sysctl ip6.disable=1
link add eth0 type cable name c1 address 02:00:00:00:00:0{host}
addr add 10.0.0.{host}/24 dev eth0
"""
HOST = """\
link add eth0 type cable name c1 address 02:00:00:00:00:0{host}
addr add 10.0.0.{host}/24 dev eth0
addr add fd00::{host}/64 dev eth0 nodad
"""


class Net:
    """Two nodes on a cable, and commands that run there."""

    def __init__(self, config: str = IPV4, seed: int = 1) -> None:
        self.world = World(seed)
        for host, name in ((1, "a"), (2, "b")):
            node = self.world.add_node(name)
            lines = enumerate(config.format(host=host).splitlines(), 1)
            for _, op, args in COMMANDS.changes(lines):
                node.call(op, **args)
        self.world.run(self.world.now + 3 * S)

    def node(self, name: str) -> Node:
        return self.world.nodes[name]

    def start(self, name: str, text: str, *, json: bool = False) -> Command:
        return COMMANDS.start(self.node(name), text, json=json)

    def pass_time(self, seconds: float) -> None:
        self.world.run(self.world.now + int(seconds * S))

    def run(self, name: str, text: str, *, json: bool = False) -> Command:
        """Run a command to its end."""
        command = self.start(name, text, json=json)
        self.world.run(self.world.now + 1000 * S, lambda: command.ended)
        assert command.ended
        return command


@pytest.fixture
def net() -> Net:
    return Net()


def test_it_is_what_a_lab_wants(net: Net) -> None:
    commands: Commands = COMMANDS
    running: Running = commands.start(net.node("a"), "link show")
    assert running.ended
    assert running.began_ns == running.ended_ns == net.world.now


# --- what a daemon says ---------------------------------------------------------------------------

SAME = (
    "link show",
    "-d link show eth0",
    "-br link",
    "addr",
    "-j addr show dev eth0",
    "route show table all",
    "route get 10.0.0.2",
    "route get 8.8.8.8",
    "route add default via 10.0.9.9",
    "link show dev eht0",
    "ping -c 2 -i 0.01 10.0.0.2",
    "ping -c 1 8.8.8.8",
    "ping",
    "udp send 10.0.0.2:9 hello",
    "udp send 8.8.8.8:53 hello",
    "-j udp send 10.0.0.2:9 hello",
    "tcp send 10.0.0.2:9 hello",
    "tcp ping -c 1 10.0.0.2:9",
    "arping -c 1 10.0.0.2",
    "traceroute 10.0.0.2",
    "why icmp 8.8.8.8",
    "udp recv 9 -c 1 -w 0.01",
    "neigh",
    "sysctl ip.forward",
    "config save",
    "config diff --to b",
    "socket",
    "explain tx-no-route",
    "lnik",
)
"""Commands whose text is compared with that of two daemons on a cable."""


@pytest.fixture(scope="module")
def daemons() -> Iterator[SmolctlEnv]:
    env = SmolctlEnv()
    env.environ["SMOLCTL_IP6_DISABLE"] = "1"
    try:
        for host, name in ((1, "a"), (2, "b")):
            env("-n", name, "batch", "-", input=IPV4.format(host=host), check=True)
        env("-n", "a", "ping", "-c", "1", "-W", "5", "10.0.0.2", check=True)
        yield env
    finally:
        env.close()


@pytest.fixture(scope="module")
def same_net() -> Net:
    net = Net()
    net.run("a", "ping -c 1 10.0.0.2")
    return net


def masked(text: str) -> str:
    """Return a text without what two runs never share: times, random ports, ids of packets."""
    text = re.sub(r"\d+\.\d+(?=[ /]|ms\b|\b,)", "T", text)
    text = re.sub(r'(?<=_ms":|_ns":)[\d.]+', "T", text)
    text = re.sub(r'(?<="(?:sport)":)\d+|(?<=10\.0\.0\.1:)\d+|(?<=0\.0\.0\.0:)\d+', "PORT", text)
    text = re.sub(r"time \d+ms", "time Tms", text)
    return re.sub(r'(?<=why )\d+|(?<="id":)\d+|(?<=\(id )\d+', "ID", text)


@pytest.mark.parametrize("text", SAME)
def test_it_says_what_a_daemon_says(daemons: SmolctlEnv, same_net: Net, text: str) -> None:
    real = daemons("-n", "a", *text.split())
    ours = same_net.run("a", text)
    assert masked(ours.out) == masked(real.stdout)
    assert masked(ours.err) == masked(real.stderr)
    assert ours.status == real.returncode


def refusal(text: str) -> SmolctlError | None:
    """Return why a command line is none for a lab."""
    try:
        COMMANDS.check(text)
    except SmolctlError as error:
        return error
    return None


@pytest.mark.parametrize("verb", [pytest.param(verb, id=verb.path) for verb in all_verbs()])
def test_each_command_works_or_is_refused_with_advice(same_net: Net, verb: Verb) -> None:
    """Examples name what is not there; whatever they say, it is no bug, and it ends."""
    for example in verb.examples[:2]:
        if any(sign in example for sign in "|>") or " -w " in example or "stop" in example:
            continue
        command = same_net.start("b", example)
        same_net.pass_time(0.1)
        command.cancel()
        command.cancel()
        assert command.ended
        assert "internal error" not in command.err
        error = refusal(example)
        assert (error is not None) is (verb.path in around.NO_PLACE or example.endswith(" -"))
        if error is not None:
            assert error.message in command.err
            assert command.status == 2


# --- time -----------------------------------------------------------------------------------------


def test_commands_work_at_the_same_time(net: Net) -> None:
    echo = net.start("b", "udp echo 7")
    ping = net.start("a", "ping -c 3 10.0.0.2")
    assert (echo.out, echo.err) == ("", "smolctl: listening on *:7\n")
    assert ping.out == "PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.\n"
    net.pass_time(0.5)
    asked = net.start("a", "udp send 10.0.0.2:7 hello --expect-reply -s 10.0.0.1:5000")
    net.pass_time(1)
    assert asked.status == 0
    assert asked.out.endswith("reply 5 bytes from 10.0.0.2:7 after 0.0 ms: hello\n")
    assert ping.out.count("64 bytes from") == 2
    assert not ping.ended
    net.pass_time(1)
    assert ping.status == 0
    assert (ping.ended_ns or 0) - ping.began_ns == 2 * S + 20_000
    assert ping.out.endswith("rtt min/avg/max/mdev = 0.020/0.026/0.040/0.009 ms\n")
    assert (echo.ended, echo.status) == (False, None)
    assert echo.out == "echoed 5 bytes to 10.0.0.1:5000\n"
    echo.cancel()
    assert (echo.ended, echo.status) == (True, 0)
    assert echo.out == "echoed 5 bytes to 10.0.0.1:5000\n"


def test_cancel_is_ctrl_c(net: Net) -> None:
    ping = net.start("a", "ping 10.0.0.2")
    watching = net.start("a", "monitor neigh")
    net.pass_time(1.5)
    ping.cancel()
    watching.cancel()
    assert ping.status == 0
    assert "2 packets transmitted, 2 received, 0% packet loss" in ping.out
    assert watching.status == 130
    assert "10.0.0.2 dev eth0 lladdr 02:00:00:00:00:02 REACHABLE" in watching.out
    said = ping.out
    ping.cancel()
    net.pass_time(1)
    assert ping.out == said


def test_the_commands_of_a_file_run_one_after_the_other(net: Net, tmp_path: Path) -> None:
    file = tmp_path / "steps"
    file.write_text(
        "ping -c 2 10.0.0.2\naddr add 10.0.0.7/24 dev eth0\nping -c 2 -I 10.0.0.7 10.0.0.2\n"
        "udp send 10.0.0.2:9 x\naddr del 10.0.0.7/24 dev eth0\n"
    )
    batch = net.start("a", f"batch {file}")
    net.pass_time(1.5)
    assert [row["addr_info"][0]["local"] for row in net.run("b", "-4 addr").rows][1:] == [
        "10.0.0.2"
    ]
    assert "from 10.0.0.7 :" in batch.out
    assert not batch.ended
    net.pass_time(1)
    assert batch.status == 1
    assert batch.reason == "icmp-port-unreachable"
    assert batch.out.count("2 packets transmitted, 2 received") == 2
    assert f"smolctl: {file}:4: udp send ended with exit status 1" in batch.err
    assert "10.0.0.7" in net.run("a", "addr").out, "line 5 is not run any more"
    again = net.start("a", f"batch {file}")
    net.pass_time(0.5)
    again.cancel()
    assert again.status == 130
    assert again.err == f"smolctl: {file}:1: interrupted\n"


def test_a_capture_writes_a_file_that_can_be_read(net: Net, tmp_path: Path) -> None:
    file = tmp_path / "x.pcapng"
    COMMANDS.check(f"capture -w {file}")
    assert not file.exists()
    capture = net.start("b", f"capture -w {file} icmp")
    net.run("a", "ping -c 1 10.0.0.2")
    capture.cancel()
    assert capture.status == 0
    assert capture.err.endswith("2 packets captured\n")
    read = net.run("a", f"-j capture -r {file}")
    assert [row["summary"].split(" ident")[0] for row in read.rows if row["event"] == "packet"] == [
        "10.0.0.1 > 10.0.0.2 ICMP echo request", "10.0.0.2 > 10.0.0.1 ICMP echo reply",
    ]  # fmt: skip
    file.unlink()
    assert capture.rows == []
    assert not file.exists(), "who only looks writes nothing"
    assert read.rows[0]["time"] > 1_767_225_600


def test_a_command_ends_with_its_node(net: Net) -> None:
    echo, ping = net.start("b", "udp echo 7"), net.start("b", "ping 10.0.0.1")
    net.node("b").restart()
    net.pass_time(1)
    assert echo.status == ping.status == 3
    assert echo.err.endswith('smolctl: node "b" was restarted\n')
    echo = net.start("b", "udp echo 7")
    stop = net.run("b", "stack stop")
    assert (stop.status, stop.err) == (0, 'smolctl: stopped stack "b"\n')
    net.pass_time(1)
    assert echo.err.endswith('smolctl: stack "b" was stopped\n')
    assert net.run("b", "link").status == 3


def run_once(seed: int) -> list[tuple[str, str, int | None]]:
    """Return what commands say of a net that loses packets, at work at the same time."""
    net = Net(HOST, seed)
    assert net.run("a", "link set eth0 loss 30% delay 5ms jitter 3ms").status == 0
    running = [
        net.start("b", "udp echo 7"),
        net.start("b", "monitor"),
        net.start("b", "-ts monitor neigh"),
        net.start("a", "trace icmp6"),
        net.start("a", "ping -D -c 10 fd00::2"),
        net.start("a", "tcp ping -D -c 5 10.0.0.2:80"),
        net.start("a", "udp send 10.0.0.2:7 x -c 5 --expect-reply -w 0.5"),
    ]
    net.pass_time(20)
    running += [net.run("a", "stats drops"), net.run("a", "why list")]
    for command in running:
        command.cancel()
    assert all(command.ended for command in running)
    return [(command.out, command.err, command.status) for command in running]


def test_the_same_seed_says_the_same_in_each_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    said = run_once(1)
    assert "[1767225" in said[4][0]
    assert "[2026-01-01T00:00:0" in said[2][0]
    assert said != run_once(2)
    before = os.environ.get("TZ")
    try:
        os.environ["TZ"] = "Asia/Tokyo"
        time.tzset()
        assert said == run_once(1)
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


# --- what a scenario holds ------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["route", "ping -c 2 10.0.0.2", "why icmp 8.8.8.8", "neigh"])
def test_rows_are_what_json_prints(text: str) -> None:
    first, second = Net(), Net()
    plain, asked = first.run("a", text), second.run("a", text, json=True)
    assert "{" not in plain.out
    assert plain.rows == asked.rows
    documents = [json.loads(line) for line in asked.out.splitlines()]
    assert asked.rows == (documents[0] if isinstance(documents[0], list) else documents)


def test_rows_of_what_goes_on_are_those_so_far(net: Net) -> None:
    ping = net.start("a", "ping 10.0.0.2")
    net.pass_time(1.5)
    assert [row["event"] for row in ping.rows] == ["start", "reply", "reply"]


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("ping -c 1 10.0.0.2", 0, None),
        ("ping -c 1 8.8.8.8", 2, "tx-no-route"),
        ("ping -c 1 -W 1 10.0.0.9", 1, "neigh-pending"),
        ("udp send 10.0.0.2:9 x", 1, "icmp-port-unreachable"),
        ("-j udp send 8.8.8.8:9 x", 1, "tx-no-route"),
        ("tcp send 10.0.0.2:9 x", 1, "tcp-refused"),
        ("why icmp 8.8.8.8", 1, "tx-no-route"),
        ("udp recv 9 -w 1 -c 1", 1, None),
        ("link show nosuch", 2, None),
        ("route get 8.8.8.8", 1, "tx-no-route"),
    ],
)
def test_the_reason_is_that_of_the_failure(
    net: Net, text: str, status: int, reason: str | None
) -> None:
    command = net.run("a", text)
    assert (command.status, command.reason) == (status, reason)


def test_the_stacks_are_the_nodes(net: Net) -> None:
    net.run("b", "stack stop")
    listed = net.run("a", "stack list")
    assert [line.split() for line in listed.out.splitlines()] == [
        ["STACK", "STATE", "UP"], ["a", "running", "3", "s"], ["b", "dead"],
    ]  # fmt: skip
    lost = net.run("a", "config diff --to bb")
    assert lost.status == 3
    assert lost.err == 'smolctl: there is no node "bb" in this lab; did you mean "b"?\n'


def test_a_lab_is_mapped_by_its_nodes(net: Net) -> None:
    drawn = net.run("a", "map")
    assert drawn.status == 0
    assert [line.count("●") for line in drawn.out.splitlines() if line.startswith("c1 ")] == [2]
    net.run("b", "stack stop")
    mapped = json.loads(net.run("a", "map", json=True).out)
    assert [(each["name"], each.get("silent")) for each in mapped["stacks"]] == [
        ("a", None), ("b", "dead"),
    ]  # fmt: skip


def test_hints_name_the_node(net: Net) -> None:
    assert "try: smolctl -n a route add default via 10.0.0.2" in (
        net.run("a", "ping -c 1 10.0.0.2") and net.run("a", "udp send 8.8.8.8:53 x")
    ).err  # fmt: skip
    assert "smolctl -n b route show" in net.run("a", "-n b route get 8.8.8.8").err
    lost = net.run("a", "-n c neigh")
    assert (lost.status, lost.err) == (3, 'smolctl: there is no node "c" in this lab\n')


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("lnik show", '"lnik" is not a command', 'did you mean "link"?'),
        ("ping", "ping: DST is missing", "smolctl ping 10.0.0.2"),
        ("udp send 10.0.0.2", 'udp send: "10.0.0.2" has no port', None),
        ("", "there is no command", "smolctl --help"),
        ("link 'x", "a quote (') is not closed", "it must be on the same line"),
        ("link\naddr", "a step runs one command", "write a step for each"),
        ("udp send 10.0.0.2:9 -", "udp send - does not work in a lab: there is no standard", None),
        ("batch -", "batch - does not work in a lab: there is no standard input", None),
        ("capture -w 5", 'capture: -w names a file, and "5" looks like seconds', "--wait 5"),
        ("capture -w -", "capture -w - does not work in a lab", "capture -w FILE"),
        ("exec true", "exec does not work in a lab", "use [[programs]]"),
        ("why --host udp any 8.8.8.8:53", "why udp does not work in a lab: it is about this", None),
        ("tcp listen 80", "tcp listen does not work in a lab", "use tcp echo"),
        ("stack start", "stack start does not work in a lab", 'restart = "NODE" in a step'),
    ],
)
def test_a_bad_step_is_found_before_it_runs(
    net: Net, text: str, message: str, hint: str | None
) -> None:
    with pytest.raises(SmolctlError) as refused:
        COMMANDS.check(text)
    assert refused.value.message.startswith(message)
    if hint is not None:
        assert (refused.value.hint or "").startswith(hint)
    command = net.run("a", text)
    assert command.status == 2
    assert command.out == ""
    assert command.err.startswith(f"smolctl: {message}")


def test_a_batch_refuses_what_a_step_may_not_run(net: Net, tmp_path: Path) -> None:
    file = tmp_path / "steps"
    file.write_text("stack log\n")
    batch = net.run("a", f"batch {file}")
    assert batch.status == 2
    assert batch.err.startswith(f"smolctl: {file}:1: stack log does not work in a lab")


@pytest.mark.parametrize("text", ["ping 10.0.0.2", "help ping", "smolctl -j link", "batch nosuch"])
def test_a_good_step_is_found_right_and_does_nothing(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    COMMANDS.check(text)
    assert capsys.readouterr() == ("", "")


def test_configuration_lines_are_operations() -> None:
    lines = [
        (10, "# the link"),
        (11, "smolctl link add eth0 type cable \\"),
        (12, "  name c1"),
        (15, "addr add 10.0.0.1/24 dev eth0"),
    ]
    assert COMMANDS.changes(lines) == [
        (11, "link.add", {"name": "eth0", "type": "cable", "cable": "c1"}),
        (15, "addr.add", {"local": "10.0.0.1/24", "dev": "eth0"}),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("addr add dev eth0", "addr add: ADDR/LEN is missing"),
        ("ping 10.0.0.2", "ping does not change the configuration, and a node begins with"),
        ("-n b route flush cache", "stack b is not the stack of the other lines"),
        ("link add 'x", "a quote (') is not closed"),
        ("link add x \\", "a backslash ends the last line, and nothing follows"),
    ],
)
def test_a_bad_configuration_line_is_named(line: str, message: str) -> None:
    with pytest.raises(BadLine) as bad:
        COMMANDS.changes([(3, "route flush cache"), (7, line)])
    assert bad.value.line == 7
    assert bad.value.message.startswith(message)
