"""Maps of daemons, and snapshots of them: what several stacks are, told by themselves."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from smolctl.ops.restore import restore
from smolctl.path.topology import told_by_addr, told_by_snapshot
from smolctl.stack.explain import verdict
from smolctl.stack.explain.predict import Question, predict
from tests.kit.host import ip
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

HOST = """
link add eth0 type cable name c1 address 02:00:00:00:00:0{0}
addr add 10.0.0.{0}/24 dev eth0
link add v{0} type vlan link eth0 id {0}
"""


@pytest.fixture(scope="module")
def env() -> Iterator[SmolctlEnv]:
    """Run a and b on a cable, with a stream between them, and c, which was killed."""
    env = SmolctlEnv()
    try:
        for number, name in ((1, "a"), (2, "b")):
            env("-q", "-n", name, "batch", "-", input=HOST.format(number), check=True)
        path = f"{env.directory}/s.sock"
        env("-n", "a", "link", "add", "s0", "type", "stream", "listen", path, check=True)
        env("-n", "b", "link", "add", "s0", "type", "stream", "connect", path, check=True)
        wait_until(lambda: carrier(env, "a", "s0") and carrier(env, "b", "s0"), "the stream")
        env("-n", "a", "ping", "-c", "1", "10.0.0.2", check=True)
        env.popen("-n", "a", "udp", "echo", "7")
        wait_until(lambda: env.json("-n", "a", "socket", "show", "-l"), "the socket")
        (row,) = env.json("-n", "c", "stack", "start")
        os.kill(row["pid"], signal.SIGKILL)
        wait_until(lambda: env("-n", "c", "stack", "status").returncode == 3, "the end of c")
        yield env
    finally:
        env.close()


def carrier(env: SmolctlEnv, stack: str, dev: str) -> bool:
    return "LOWER_UP" in env.json("-n", stack, "link", "show", dev)[0]["flags"]


def test_a_map_has_stacks_wires_and_who_is_silent(env: SmolctlEnv) -> None:
    shown = env("map")
    assert shown.returncode == 0
    assert shown.stderr == "smolctl: c is not on the map: dead\n"
    bars = [line for line in shown.stdout.splitlines() if line.startswith(("c1", "s.sock"))]
    assert [(line[:9].strip(), line.count("●"), line.count("○")) for line in bars] == [
        ("c1 ──────", 2, 0), ("c1 vlan 1", 1, 0), ("s.sock ──", 2, 0), ("c1 vlan 2", 1, 0),
    ]  # fmt: skip
    assert "a      v1    c1 vlan 1      fe80::ff:fe00:1/64\n" in shown.stdout


def test_a_dead_stack_is_named_where_others_are_asked(env: SmolctlEnv) -> None:
    left_out = 'smolctl: stack "c" is left out: its daemon is dead\n'
    for words in (["why", "icmp", "a", "b", "--path"], ["reach"]):
        asked = env(*words)
        assert (asked.returncode, asked.stderr) == (0, left_out)


def test_the_same_as_json(env: SmolctlEnv) -> None:
    found = env.json("map")
    assert [(each["name"], each.get("silent")) for each in found["stacks"]] == [
        ("a", None), ("b", None), ("c", "dead"),
    ]  # fmt: skip
    assert {each["name"]: len(each["ends"]) for each in found["wires"]} == {
        "c1": 2, "c1 vlan 1": 1, "s.sock": 2, "c1 vlan 2": 1,
    }  # fmt: skip


def test_a_named_stack_and_what_it_is_plugged_into(env: SmolctlEnv) -> None:
    found = env.json("-n", "b", "map")
    assert [each["ifname"] for each in found["stacks"][0]["links"]] == ["eth0", "s0"]
    assert [each["name"] for each in found["wires"]] == ["c1", "s.sock", "c1 vlan 2"]


def test_other_forms(env: SmolctlEnv) -> None:
    assert ElementTree.fromstring(env("map", "--svg").stdout).tag.endswith("svg")
    assert env("map", "--dot").stdout.startswith("graph smolctl {\n")
    both = env("map", "--svg", "--dot")
    assert (both.returncode, both.stdout) == (2, "")


def test_no_stack_runs(smolctl_env: SmolctlEnv) -> None:
    shown = smolctl_env("map")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert shown.stderr.startswith("smolctl: no stack runs; try: ")
    assert smolctl_env.json("map") == {"stacks": [], "wires": []}


# --- snapshots ------------------------------------------------------------------------------------


def snapshot(env: SmolctlEnv, stack: str) -> list[Any]:
    lines = env("-n", stack, "stack", "snapshot", check=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_a_snapshot_tells_of_links_what_the_daemon_does(env: SmolctlEnv) -> None:
    rows = env.json("-n", "a", "-d", "addr", "show")
    told, again = told_by_addr(rows), told_by_snapshot(snapshot(env, "a"))
    assert [(each.dev, each.kind, each.carrier, each.addresses) for each in told] == [
        (each.dev, each.kind, each.carrier, each.addresses) for each in again
    ]


@pytest.mark.parametrize(
    ("stack", "line", "question"),
    [
        ("a", "icmp any 10.0.0.2", Question("icmp", None, ip("10.0.0.2"))),
        ("a", "udp any 10.0.0.9:9", Question("udp", None, ip("10.0.0.9"), dport=9)),
        ("a", "udp any 192.0.2.1:9", Question("udp", None, ip("192.0.2.1"), dport=9)),
        (
            "a",
            "udp 10.0.0.2:5 10.0.0.1:7",
            Question("udp", ip("10.0.0.2"), ip("10.0.0.1"), 5, 7, iif="eth0"),
        ),
        (
            "b",
            "udp 10.0.0.1:5 10.0.0.2:7",
            Question("udp", ip("10.0.0.1"), ip("10.0.0.2"), 5, 7, iif="eth0"),
        ),
    ],
)
def test_a_snapshot_of_a_daemon_predicts_what_the_daemon_does(
    env: SmolctlEnv, stack: str, line: str, question: Question
) -> None:
    copy = restore(snapshot(env, stack), 0)
    ended = env("-n", stack, "-j", "why", *line.split())
    said = json.loads(ended.stdout.replace(f" -n {stack}", "").replace(f" --stack {stack}", ""))
    row = verdict.tell(predict(copy, question, 0))
    assert {key: row.get(key) for key in ("verdict", "reason", "packet", "why", "fix")} == {
        key: said.get(key) for key in ("verdict", "reason", "packet", "why", "fix")
    }
    assert [step["text"] for step in row["steps"]] == [step["text"] for step in said["steps"]]
