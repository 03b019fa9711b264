"""Examples of README.md work, and its claims are tested."""

import ast
import itertools
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import example_world as world
from tests.docs.comparison import EVIDENCE
from tests.docs.script import SCRIPT, shown_script
from tests.kit import process
from tests.kit.netns import Namespace
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()


def section(title: str) -> str:
    """Return what stands under a heading."""
    found = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert found, title
    return found


# --- commands and scripts -------------------------------------------------------------------------


def test_the_ten_commands_work(smolctl_env: SmolctlEnv) -> None:
    ten = section("Ten commands").partition("\n### ")[0]
    (block,) = re.findall(r"(?<=```sh\n)smolctl link .*?(?=```)", ten, re.DOTALL)
    commands = [line.partition(" #")[0].rstrip() for line in block.splitlines()]
    assert len(commands) == 10
    world.begin(smolctl_env)
    for line in commands:
        running = smolctl_env.shell(f"cd {smolctl_env.directory}/work; exec {line}")
        if " capture " in line:
            lost = smolctl_env.directory / "work" / "lost.pcapng"
            wait_until(lambda lost=lost: lost.exists() and lost.stat().st_size, line)  # type: ignore[misc]
            running.process.send_signal(signal.SIGINT)
        ended = running.wait(60)
        assert ended.returncode == 0, ended
        if " udp send " in line:
            assert "reply 5 bytes from 10.0.0.2:7" in ended.stdout
    assert "addr add 10.0.0.1/24 dev eth0\n" in (lost.parent / "lab.conf").read_text()


def test_the_commands_of_ipv6_work(smolctl_env: SmolctlEnv) -> None:
    text = section("Ten commands").partition("\n### IPv6\n")[2]
    (block,) = re.findall(r"(?<=```sh\n)smolctl .*?(?=```)", text, re.DOTALL)
    world.begin(smolctl_env)
    smolctl_env("link", "add", "eth0", "type", "cable", "name", "c1", check=True)
    for line in block.splitlines():
        ended = smolctl_env.shell(f"exec {line.partition(' #')[0].rstrip()}").wait(60)
        assert ended.returncode == 0, ended
    assert "reply 5 bytes from [2001:db8::7]:7" in ended.stdout
    assert "fe80::2 dev eth0 lladdr 02:00:00:00:00:02" in smolctl_env("-6", "neigh").stdout


def test_two_tcp_sockets_are_two_commands(smolctl_env: SmolctlEnv) -> None:
    (block,) = re.findall(r"(?<=```sh\n)smolctl tcp .*?(?=```)", TEXT, re.DOTALL)
    first, second = (line.partition(" #")[0].rstrip() for line in block.splitlines())
    listening = smolctl_env.shell(first)
    listening.wait_for("listening on 127.0.0.1:8080")
    assert smolctl_env.shell(second).wait(60).returncode == 0
    ended = listening.wait(60)
    assert (ended.returncode, ended.stdout) == (0, "Hello, loopback!\n")


def test_two_tcp_sockets_are_ten_lines_of_python(smolctl_env: SmolctlEnv) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 10
    argv = [sys.executable, "-W", "error", "-c", code]
    environ = {**smolctl_env.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        argv, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "Hello, loopback!\n", "")


def test_the_script_is_that_of_the_examples() -> None:
    (found,) = SCRIPT.finditer(TEXT)
    assert found[1] == "docs/examples/gateways.sh"
    assert found[0] == shown_script(found[1]), "run: make docs"


def test_the_demo_runs_without_privileges(smolctl_env: SmolctlEnv) -> None:
    result = subprocess.run(
        [str(ROOT / "scripts" / "demo")],
        env=smolctl_env.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Hello, loopback!" in result.stdout


def test_the_commands_to_set_up_are_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (block,) = re.findall(r"(?<=```sh\n)make .*?(?=```)", section("Start"), re.DOTALL)
    targets = re.findall(r"^make (\w+) ", block, re.M)
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in targets)


# --- the comparison -------------------------------------------------------------------------------


def table() -> list[list[str]]:
    """Return the cells of the comparison, the first table there."""
    lines = section("Compared with").partition("\n|")[2].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_each_line_of_the_comparison_has_tests_that_show_it() -> None:
    head, _, *rows = table()
    assert head[1] == "smolctl"
    assert {len(row) for row in rows} == {len(head)}
    assert [row[0] for row in rows] == list(EVIDENCE)
    for tests in EVIDENCE.values():
        for test in tests:
            file, _, name = test.partition("::")
            tree = ast.parse((ROOT / "tests" / file).read_text())
            assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_scapy_is_the_version_that_is_compared() -> None:
    from scapy.packet import Packet  # takes a while

    assert table()[0][4].replace(" ", "==") in (ROOT / "requirements.txt").read_text().splitlines()
    assert callable(Packet.json)


def installed(*argv: str) -> str:
    """Return what a program says of its version."""
    result = process.run(argv)
    return result.stdout + result.stderr


@pytest.mark.netns("arping")
def test_the_others_still_do_what_is_said_of_them(netns: Namespace) -> None:
    (ip,), (arping,) = (re.findall(rf"\({tools} (\S+)\)", table()[0][column])
                        for column, tools in ((2, "iproute2"), (3, "iputils")))  # fmt: skip
    if f"iproute2-{ip}" not in installed("ip", "-V") or arping not in installed("arping", "-V"):
        pytest.skip("other versions of ip or arping than those compared")
    netns.run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1", check=True)
    monitor = netns.popen("ip", "-j", "monitor", "link")
    netns.run("ip", "link", "set", "v0", "up", check=True)
    netns.run("ip", "addr", "add", "10.0.0.1/24", "dev", "v0", check=True)
    sizes = itertools.cycle(("1400", "1500"))  # it does not say when it listens
    wait_until(
        lambda: monitor.stdout or netns.run("ip", "link", "set", "v0", "mtu", next(sizes)) is None,
        "an event",
    )
    assert not monitor.stdout.startswith(("[", "{")), "text, not JSON"
    failed = netns.run("ip", "-j", "route", "get", "192.0.2.1")
    assert failed.returncode == 2
    assert failed.stderr.startswith("RTNETLINK answers")
    got = netns.run("ip", "-j", "route", "get", "10.0.0.7", check=True).stdout
    assert got.count('"dst"') == 1, "one route, and none that lost"
    free = netns.run("arping", "-D", "-c", "1", "-w", "1", "-I", "v0", "10.0.0.9")
    assert free.returncode == 0, "though nothing is at the other end"
