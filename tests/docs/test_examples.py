"""docs/examples/: each script does what its head says, on cables and without root."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.sh"))


def start(env: SmolctlEnv, line: str) -> "subprocess.CompletedProcess[str]":
    """Run a script as a user would type it, and wait for its end."""
    return env.shell(f"exec {EXAMPLES}/{line}").wait(60)


def plugged(env: SmolctlEnv, name: str, *addresses: str) -> None:
    """Give a stack an end of the cable c1, with these addresses."""
    lines = [f"link add eth0 type cable name c1 address 02:00:00:00:00:{len(name):02x}"]
    lines += [f"addr add {address}/24 dev eth0" for address in addresses]
    env("-q", "-n", name, "batch", "-", input="\n".join(lines), check=True)


def listening(env: SmolctlEnv, name: str, *words: str) -> None:
    """Start a command of a stack that has a socket, and wait for that."""
    env.popen("-n", name, *words)
    wait_until(lambda: env.json("-n", name, "socket", "show"), " ".join(words))


# --- all of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_has_a_head_and_stops_at_errors(name: str) -> None:
    text = (EXAMPLES / name).read_text()
    head, _, body = text.partition("\nset -eu\n")
    assert body
    assert head.startswith(f"#!/bin/sh\n# {name}: ")
    assert f"\n# usage: {name} " in head
    assert re.search(r"\bexit( 0)?: ", head)
    assert 20 <= len(text.splitlines()) <= 65
    # What it makes is gone when it ends, however that happens.
    assert ("mktemp" not in text and "link add" not in text) or "' EXIT" in text or "p EXIT" in text
    assert os.access(EXAMPLES / name, os.X_OK)


def test_nothing_is_left_behind(smolctl_env: SmolctlEnv) -> None:
    temporary = smolctl_env.directory / "temporary"
    temporary.mkdir()
    smolctl_env.environ["TMPDIR"] = str(temporary)
    plugged(smolctl_env, "default", "10.0.0.1")
    for line in ("smoke.sh 10.0.0.3/24 10.0.0.2 cabel", "duplicates.sh eth0 10.0.0 2 3",
                 "watch-drops.sh 0.1", "lab.sh true"):  # fmt: skip
        start(smolctl_env, line)
        assert list(temporary.iterdir()) == [], line
        assert [row["name"] for row in smolctl_env.json("stack", "list")] == ["default"], line


# --- smoke.sh -------------------------------------------------------------------------------------


def test_a_device_that_is_alive(smolctl_env: SmolctlEnv) -> None:
    plugged(smolctl_env, "peer", "10.0.0.2")
    listening(smolctl_env, "peer", "udp", "echo", "7")
    ended = start(smolctl_env, "smoke.sh 10.0.0.1/24 10.0.0.2:7 cable name c1")
    assert (ended.returncode, ended.stderr) == (0, "")
    said = [line.split()[:2] for line in ended.stdout.splitlines()]
    assert said == [["ok", "arp"], ["ok", "ping"], ["ok", "ping,"], ["ok", "udp"]]
    assert "02:00:00:00:00:04" in ended.stdout


def test_a_device_that_is_half_alive(smolctl_env: SmolctlEnv) -> None:
    plugged(smolctl_env, "peer", "10.0.0.2", "10.0.0.3")
    ended = start(smolctl_env, "smoke.sh 10.0.0.1/24 10.0.0.2:7 cable name c1")
    assert ended.returncode == 1
    said = [line.split()[0] for line in ended.stdout.partition("---")[0].splitlines()]
    assert said == ["ok", "ok", "ok", "FAIL"]
    assert "icmp-port-unreachable" in ended.stdout
    ended = start(smolctl_env, "smoke.sh 10.0.0.1/24 10.0.0.4 cable name c1")
    assert ended.returncode == 1
    assert ended.stdout.startswith("FAIL  arp ")
    assert "arp-no-reply" in ended.stdout
    taken = start(smolctl_env, "smoke.sh 10.0.0.3/24 10.0.0.2 cable name c1")
    assert taken.returncode == 1
    assert taken.stdout == "FAIL  our own    10.0.0.3 already belongs to 02:00:00:00:00:04\n"


def test_a_device_that_is_not_there(smolctl_env: SmolctlEnv) -> None:
    assert start(smolctl_env, "smoke.sh 10.0.0.1/24 10.0.0.2 cabel").returncode == 2
    usage = start(smolctl_env, "smoke.sh")
    assert usage.returncode == 2
    assert usage.stderr.startswith("usage: smoke.sh OURS/LEN")


# --- duplicates.sh --------------------------------------------------------------------------------


def test_addresses_with_two_owners(smolctl_env: SmolctlEnv) -> None:
    plugged(smolctl_env, "a", "10.0.0.1")
    plugged(smolctl_env, "bb", "10.0.0.2", "10.0.0.3")
    smolctl_env.environ["SMOLCTL_STACK"] = "a"
    line = "duplicates.sh eth0 10.0.0 1 5"
    ended = start(smolctl_env, line)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == ["ok", "10.0.0.2", "02:00:00:00:00:02",
                                    "ok", "10.0.0.3", "02:00:00:00:00:02"]  # fmt: skip
    plugged(smolctl_env, "ccc", "10.0.0.1", "10.0.0.3")
    ended = start(smolctl_env, line)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert [line.split() for line in ended.stdout.splitlines()] == [
        ["TWICE", "10.0.0.1", "ourselves", "02:00:00:00:00:03"],
        ["ok", "10.0.0.2", "02:00:00:00:00:02"],
        ["TWICE", "10.0.0.3", "02:00:00:00:00:02", "02:00:00:00:00:03"],
    ]


def test_duplicates_of_what_is_not_there(smolctl_env: SmolctlEnv) -> None:
    assert start(smolctl_env, "duplicates.sh eth0 10.0.0").returncode == 2
    assert start(smolctl_env, "duplicates.sh").stderr.startswith("usage: duplicates.sh DEV")


# --- gateways.sh ----------------------------------------------------------------------------------


def test_the_dead_gateway_is_found(smolctl_env: SmolctlEnv) -> None:
    plugged(smolctl_env, "default", "10.0.0.1")
    plugged(smolctl_env, "peer", "10.0.0.2")
    smolctl_env("route", "add", "default", "via", "10.0.0.2", check=True)
    alive = start(smolctl_env, "gateways.sh")
    assert (alive.returncode, alive.stderr) == (0, "")
    assert alive.stdout.startswith("ok     10.0.0.2        02:00:00:00:00:04  dev eth0\n")
    smolctl_env("route", "add", "192.0.2.0/24", "via", "10.0.0.77", check=True)
    dead = start(smolctl_env, "gateways.sh")
    assert dead.returncode == 1
    assert "dead   10.0.0.77       no ARP reply on eth0\n" in dead.stdout


def test_gateways_of_no_stack(smolctl_env: SmolctlEnv) -> None:
    result = start(smolctl_env, "gateways.sh")
    assert result.returncode == 2
    assert "not running" in result.stderr


# --- watch-drops.sh -------------------------------------------------------------------------------


def test_drops_over_the_threshold(smolctl_env: SmolctlEnv) -> None:
    smolctl_env("stack", "start", check=True)
    assert (
        start(smolctl_env, "watch-drops.sh 0.1").stdout
        == "0 packets were lost in 0.1 s, at most 0 are allowed\n"
    )
    running = smolctl_env.shell(f"exec {EXAMPLES}/watch-drops.sh 1.5 1")
    running.wait_for("watching")
    for _ in range(2):
        smolctl_env("udp", "send", "127.0.0.1:9", "x")
    ended = running.wait(30)
    assert ended.returncode == 1, ended
    assert ended.stdout.startswith("2\tudp-port-closed\t127.0.0.1:")
    assert "fix:    smolctl udp recv 127.0.0.1:9\n" in ended.stdout
    assert ended.stdout.endswith("2 packets were lost in 1.5 s, at most 1 are allowed\n")


# --- lab.sh ---------------------------------------------------------------------------------------


def test_a_lab_with_a_router(smolctl_env: SmolctlEnv) -> None:
    ended = start(smolctl_env, "lab.sh smolctl -n left traceroute 10.2.0.2")
    assert ended.returncode == 0, ended
    assert re.findall(r"^ *(\d+)  (\S+) ", ended.stdout, re.M) == [
        ("1", "10.1.0.1"),
        ("2", "10.2.0.2"),
    ]
    smolctl_env.environ["LAB_LINK"] = "delay 30ms"
    ended = start(smolctl_env, "lab.sh sh -c 'smolctl -j -n left ping -c 1 10.2.0.2; exit 7'")
    assert int(re.findall(r'"rtt_ns": ?(\d+)', ended.stdout)[0]) >= 30_000_000, ended
    assert ended.returncode == 7
    smolctl_env.environ["LAB_LINK"] = "delay long"
    assert start(smolctl_env, "lab.sh true").returncode == 2
