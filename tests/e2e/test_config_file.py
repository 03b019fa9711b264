"""``stack start --config``: a stack that begins as a file says, or not at all."""

import json
import re
import signal
from pathlib import Path

import pytest

from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

LAB = """\
# a lab
link add lo1 type loopback
addr add 10.0.0.1/24 \\
    dev lo1
route add default via 10.0.0.2
"""
TOML = """\
[sysctl]
neigh.mcast_solicit = 5

[other]
"""
SAMPLES = Path(__file__).parents[2] / "docs"


def write(env: SmolctlEnv, name: str, text: str) -> str:
    path = env.directory / name
    path.write_text(text)
    return str(path)


def test_a_stack_begins_as_a_command_file_says(smolctl: SmolctlEnv) -> None:
    started = smolctl("stack", "start", "--config", write(smolctl, "lab.conf", LAB))
    assert started.returncode == 0
    assert started.stderr.startswith('smolctl: started stack "default" (pid ')
    assert smolctl("route").stdout == "default via 10.0.0.2 dev lo1\n"


def test_the_samples_of_the_docs_are_alike(smolctl: SmolctlEnv) -> None:
    saved = []
    for name in ("lab.conf", "stack.toml"):
        stack = name.replace(".", "-")
        smolctl("-q", "-n", stack, "stack", "start", "--config", str(SAMPLES / name), check=True)
        saved.append(smolctl("-n", stack, "config", "save", check=True).stdout)
    assert len(saved[0].splitlines()) == 5
    assert re.sub("address [0-9a-f:]+", "", saved[0]) == re.sub("address [0-9a-f:]+", "", saved[1])


def test_the_sample_in_toml_of_the_docs(smolctl: SmolctlEnv) -> None:
    smolctl.environ["SMOLCTL_NEIGH_UNRES_QLEN"] = "7"
    smolctl("-q", "stack", "start", "--config", str(SAMPLES / "stack.toml"), check=True)
    origins = {row["key"]: (row["value"], row["origin"]) for row in smolctl.json("sysctl")}
    assert origins["neigh.mcast_solicit"] == (5, "config file")
    assert origins["neigh.unres_qlen"] == (7, "environment")
    assert smolctl("-4", "-br", "addr", "show", "eth0").stdout.split()[-1] == "10.0.0.1/24"


def test_what_config_save_prints_starts_a_copy(smolctl: SmolctlEnv) -> None:
    smolctl("-q", "stack", "start", "--config", write(smolctl, "lab.conf", LAB), check=True)
    saved = smolctl("config", "save", check=True).stdout
    copy = write(smolctl, "copy.conf", saved)
    smolctl("-q", "-n", "copy", "stack", "start", "--config", copy, check=True)
    assert smolctl("-n", "copy", "config", "save").stdout == saved


@pytest.mark.parametrize(
    ("name", "text", "status", "said"),
    [
        ("a.conf", LAB + "addr add 10.0.0.1/24 dev lo1\n", 3,
         'cannot start stack "default": DIR/a.conf:6: 10.0.0.1/24 is already assigned to lo1'),
        ("a.conf", LAB + "adr\n", 2, 'DIR/a.conf:6: "adr" is not a command'),
        ("a.conf", LAB + "ping 10.0.0.1\n", 2,
         "DIR/a.conf:6: ping does not change the configuration"),
        ("a.conf", "'x\n", 2, "DIR/a.conf:1: a quote (') is not closed"),
        ("a.toml", "[sysctl\n", 2, "DIR/a.toml is not TOML"),
        ("a.toml", "[sysctl]\narp.accept = 7\n", 3,
         'cannot start stack "default": DIR/a.toml line 2: arp.accept: "7" is not a whole number'),
        ("a.toml", "frob = 1\n", 2, 'DIR/a.toml: "frob" is none of: commands, sysctl'),
        ("a.toml", "\ncommands = '''\nlink add x type loopback\nlink del y\n'''\n", 3,
         'cannot start stack "default": DIR/a.toml:4: there is no interface "y"'),
        ("a.toml", "commands = [\n  'link add x type loopback',\n\n  'link del y',\n]\n", 3,
         'cannot start stack "default": DIR/a.toml:4: there is no interface "y"'),
        ("a.toml", "commands = 'link del y'\n", 3, "DIR/a.toml:1: there is no interface"),
        ("a.toml", "commands = 3\n", 2, "DIR/a.toml: commands is neither text nor a list"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_starts_nothing(
    smolctl: SmolctlEnv, name: str, text: str, status: int, said: str
) -> None:
    result = smolctl("stack", "start", "--config", write(smolctl, name, text))
    assert result.returncode == status
    assert len(result.stderr.splitlines()) == 1
    assert said.replace("DIR", str(smolctl.directory)) in result.stderr
    wait_until(lambda: not smolctl.pids(), "no daemon")
    assert smolctl("stack", "status").returncode == 3


def test_a_file_that_is_not_there(smolctl: SmolctlEnv) -> None:
    result = smolctl("-j", "stack", "start", "--config", "/no/such")
    assert result.returncode == 2
    assert json.loads(result.stderr)["error"]["message"].startswith("cannot read /no/such: No such")


def test_a_stack_that_runs_does_not_begin_again(smolctl: SmolctlEnv) -> None:
    smolctl("-q", "stack", "start", check=True)
    result = smolctl("stack", "start", "--config", write(smolctl, "lab.conf", LAB))
    assert result.returncode != 0
    assert "is already running" in result.stderr
    assert "lo1" not in smolctl("link").stdout


def test_in_the_foreground(smolctl: SmolctlEnv) -> None:
    file = write(smolctl, "lab.conf", LAB)
    daemon = smolctl.popen("stack", "start", "--foreground", "--config", file)
    wait_until(lambda: smolctl("stack", "status").returncode == 0, "the daemon to answer")
    assert smolctl("route").stdout == "default via 10.0.0.2 dev lo1\n"
    assert daemon.stop(signal.SIGTERM).returncode == 0
    bad = write(smolctl, "bad.conf", LAB + "link del y\n")
    failed = smolctl("stack", "start", "--foreground", "--config", bad)
    assert failed.returncode == 3
    assert failed.stderr.startswith(f'smolctl: {bad}:6: there is no interface "y"')
