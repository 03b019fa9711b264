"""Signals: what tests start can be interrupted, wherever the tests themselves run."""

import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kit import process, warm
from tests.kit.process import Background, wait_until
from tests.kit.stack_env import SmolctlEnv

ROOT = Path(__file__).parents[2]
IN_BACKGROUND = ("sh", "-c", 'trap "" HUP INT; exec "$@"', "sh")
"""Runs the words that follow as a script runs what it puts in the background."""
PROGRAM = """
import time
try:
    print("up", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 0), (signal.SIGHUP, -signal.SIGHUP)]
)
def test_a_program_in_the_background_is_interrupted(number: int, status: int) -> None:
    background = Background([sys.executable, "-c", PROGRAM])
    try:
        background.wait_for("up")
        ended = background.stop(number)
        assert ended.returncode == status
        assert ("interrupted" in ended.stdout) == (number == signal.SIGINT)
    finally:
        background.close()


SUMMARY = "received 0 datagrams\n"
"""An interrupted ``udp recv`` says it."""
STARTED: dict[str, Callable[[SmolctlEnv], Background]] = {
    "popen": lambda env: env.popen("udp", "recv", "7"),
    "shell": lambda env: env.shell("exec smolctl udp recv 7"),
}


@pytest.mark.parametrize("start", STARTED.values(), ids=STARTED)
def test_a_command_is_interrupted(
    smolctl_env: SmolctlEnv, start: Callable[[SmolctlEnv], Background]
) -> None:
    smolctl_env("stack", "start", check=True)
    receiver = start(smolctl_env)
    wait_until(lambda: smolctl_env.json("socket", "show"), "the receiver")
    assert SUMMARY in receiver.stop(signal.SIGINT).stderr


def children(parent: int) -> list[int]:
    return list(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()))


def test_a_forked_command_is_interrupted(smolctl_env: SmolctlEnv) -> None:
    smolctl_env("stack", "start", check=True)
    with ThreadPoolExecutor() as threads:
        receiver = threads.submit(smolctl_env, "udp", "recv", "7", timeout=20)
        wait_until(lambda: smolctl_env.json("socket", "show"), "the receiver")
        (pid,) = children(warm.forked().pid)
        os.kill(pid, signal.SIGINT)
        assert SUMMARY in receiver.result().stderr


def test_all_of_that_holds_where_sigint_is_ignored() -> None:
    argv = [
        *IN_BACKGROUND, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist",
        "-k", "interrupted", str(Path(__file__).relative_to(ROOT)),
    ]  # fmt: skip
    environ = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    ended = process.run(["env", "-C", str(ROOT), *argv], env=environ, timeout=100)
    assert ended.returncode == 0, ended.stdout
    assert "5 passed, 1 deselected" in ended.stdout
