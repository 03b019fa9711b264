"""The completion scripts in their shells: real words, real names, and no daemon started."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.stack_env import SmolctlEnv

SCRIPTS = Path(__file__).parents[2] / "completions"
BASH = """
source {script}
COMP_WORDS=({words}) COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_smolctl_completion smolctl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
compdef() {{ }}
_describe() {{ print -rl -- "${{(@P)3}}" }}
compadd() {{ print -rl -- "${{(@P)argv[-1]}}" }}
source {script}
words=({words}) CURRENT=$#words
_smolctl
"""
FISH = "source {script}; complete -C '{line}'"


@pytest.fixture
def command(smolctl_env: SmolctlEnv) -> SmolctlEnv:
    """Put a ``smolctl`` into PATH."""
    bin_directory = smolctl_env.directory / "bin"
    bin_directory.mkdir()
    shim = bin_directory / "smolctl"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m smolctl "$@"\n')
    shim.chmod(0o755)
    smolctl_env.environ["PATH"] = f"{bin_directory}:{os.environ['PATH']}"
    smolctl_env.environ["PYTHONPATH"] = str(SCRIPTS.parent)
    return smolctl_env


def complete(shell: str, env: SmolctlEnv, line: str) -> list[str]:
    """Return what a shell offers at the end of a line, without descriptions."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = SCRIPTS / {"bash": "smolctl.bash", "zsh": "_smolctl", "fish": "smolctl.fish"}[shell]
    words = " ".join(f"'{word}'" for word in line.split(" "))
    source = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell]
    argv = {"bash": ["bash", "--norc"], "zsh": ["zsh", "-f"], "fish": ["fish", "--no-config"]}
    result = subprocess.run(
        [*argv[shell], "-c", source.format(script=script, words=words, line=line)],
        env=env.environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert result.stderr == ""
    offers = (word.split("\t")[0] for word in result.stdout.splitlines() if word)
    return [word.partition(":")[0] if shell == "zsh" else word for word in offers]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_words_and_live_names(shell: str, command: SmolctlEnv) -> None:
    assert complete(shell, command, "smolctl addr f") == ["flush"]
    assert complete(shell, command, "smolctl addr show dev ") == []
    assert command.pids() == []  # completion never starts a daemon
    command("link", "add", "lo1", "type", "loopback", check=True)
    command("addr", "add", "10.9.9.9/32", "dev", "lo1", check=True)
    assert complete(shell, command, "smolctl addr show dev ") == ["lo", "lo1"]
    assert complete(shell, command, "smolctl addr show --dev lo1") == ["lo1"]
    assert complete(shell, command, "smolctl udp send 127.0.0.1 9 x -s 10") == ["10.9.9.9"]
    assert complete(shell, command, "smolctl addr del 10") == ["10.9.9.9/32"]
    assert complete(shell, command, "smolctl sysctl ip.default") == ["ip.default_ttl"]
    assert complete(shell, command, "smolctl --stack d") == ["default"]
    words = complete(shell, command, "smolctl --stack other addr show ")
    every = ["dadfailed", "dev", "label", "scope", "tentative", "to", "up"]
    assert sorted(words) == every  # fish sorts them itself


def test_silent_without_a_daemon_and_none_is_started(command: SmolctlEnv) -> None:
    environ = {
        **command.environ,
        "COMP_WORDS": "smolctl addr show dev ",
        "COMP_CWORD": "4",
        "_SMOLCTL_COMPLETE": "bash_complete",
    }
    argv = [sys.executable, "-m", "smolctl"]
    result = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    assert (result.stdout.strip(), result.stderr) == ("", "")
    assert command.pids() == []
