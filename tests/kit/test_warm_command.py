"""The ``smolctl`` that shells find: its command is forked, and nobody can tell."""

import re
import signal
from pathlib import Path

import pytest

from tests.kit.netns import Namespace
from tests.kit.process import Background, wait_until
from tests.kit.stack_env import SmolctlEnv

LINES = (
    "smolctl addr show",
    "smolctl -n nope --no-start addr show",
    "smolctl udp send 127.0.0.1:9 'two  words' ''",
    "smolctl \"$(printf '\\377')\"",
    "printf 'addr replace 10.0.0.1/24 dev lo\\nlink del x\\n' | smolctl batch -",
    "cd /etc && smolctl batch hostname",
    "SMOLCTL_STACK=nope smolctl --no-start addr show",
    "smolctl addr show | head -1",
    "smolctl addr show >&-",
    "smolctl addr show <&- 2>&-",
    "mkdir gone && cd gone && rmdir ../gone && smolctl addr show",
    "LC_ALL=C smolctl addr show",
    "timeout 2 smolctl udp recv 7; echo $?",
    "timeout -s INT 2 smolctl udp recv 7; echo $?",
    "timeout -s KILL 2 smolctl udp recv 7; echo $?",
    "smolctl udp recv 7 2>said & until grep -qs listening said; do sleep 0.05; done;"
    " kill $!; wait $!; echo $?; cat said",
)


@pytest.mark.parametrize("line", LINES)
def test_a_line_ends_as_it_does_with_the_command_itself(smolctl_env: SmolctlEnv, line: str) -> None:
    smolctl_env("stack", "start", check=True)
    ended = []
    for cold in (False, True):
        result = smolctl_env.shell(f"cd {smolctl_env.directory}; {line}", cold=cold).wait()
        text = result.stdout + result.stderr
        ended.append((result.returncode, re.sub(r"why \d+", "why", text)))
    assert ended[0] == ended[1]


def receiver(env: SmolctlEnv) -> Background:
    """Start a command of a shell that stays until it is stopped."""
    env("stack", "start", check=True)
    running = env.shell("exec smolctl udp recv 7")
    running.wait_for("listening")
    return running


def test_it_is_forked(smolctl_env: SmolctlEnv) -> None:
    running = receiver(smolctl_env)
    assert b"warm_command.py" in Path(f"/proc/{running.process.pid}/cmdline").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_its_command_ends_with_it(smolctl_env: SmolctlEnv, number: int) -> None:
    running = receiver(smolctl_env)
    running.stop(number)
    wait_until(lambda: not smolctl_env.json("socket", "show"), "the end of the command")


@pytest.mark.netns
def test_it_is_in_the_namespace_of_the_shell(netns: Namespace, smolctl_env: SmolctlEnv) -> None:
    smolctl_env.enter(netns)
    assert smolctl_env.shell("exec smolctl link add tap7 type tap").wait().returncode == 0
    assert "tap7" in netns.run("ip", "-o", "link").stdout
    (pid,) = smolctl_env.pids()
    assert pid in netns.pids()
