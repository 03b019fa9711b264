"""What README.md shows works."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.kit.netns import Namespace
from tests.kit.stack_env import SmolctlEnv

ROOT = Path(__file__).parents[2]


def script(tmp_path: Path) -> Path:
    """Write README's script into a file of its own."""
    found = re.search(r"```sh\n(#!/bin/sh\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    path = tmp_path / "gateways.sh"
    path.write_text(found[1])
    return path


def run_script(path: Path, env: SmolctlEnv) -> subprocess.CompletedProcess[str]:
    """Run it with the project's ``smolctl`` first on PATH."""
    environ = dict(env.environ)
    environ["PATH"] = f"{ROOT / '.venv' / 'bin'}:{environ['PATH']}"
    return subprocess.run(
        ["sh", str(path)], env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_script_says_that_there_is_no_stack(smolctl_env: SmolctlEnv, tmp_path: Path) -> None:
    result = run_script(script(tmp_path), smolctl_env)
    assert result.returncode == 2
    assert "not running" in result.stderr


@pytest.mark.netns("ip", "jq")
def test_the_script_finds_the_dead_gateway(
    smolctl_env: SmolctlEnv, netns: Namespace, tmp_path: Path
) -> None:
    add = ("link", "add", "tap0", "type", "tap", "netns", netns.name)
    smolctl_env(*add, "host", "10.0.0.2/24", check=True)
    smolctl_env("addr", "add", "10.0.0.1/24", "dev", "tap0", check=True)
    smolctl_env("route", "add", "default", "via", "10.0.0.2", check=True)
    alive = run_script(script(tmp_path), smolctl_env)
    assert (alive.returncode, alive.stderr) == (0, "")
    assert re.search(r"^ok +10\.0\.0\.2 +[0-9a-f:]{17}  dev tap0$", alive.stdout, re.MULTILINE)

    smolctl_env("route", "add", "192.0.2.0/24", "via", "10.0.0.77", check=True)
    dead = run_script(script(tmp_path), smolctl_env)
    assert dead.returncode == 1
    assert "dead   10.0.0.77" in dead.stdout


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
