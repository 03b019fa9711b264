"""The units for systemd: right, and their limits leave what a stack needs."""

import os
import re
import shutil
import sys
from contextlib import closing
from pathlib import Path

import pytest

from smolctl.cli.main import run as run_command
from tests.kit.netns import Namespace
from tests.kit.process import Background, run
from tests.kit.stack_env import SmolctlEnv

UNITS = Path(__file__).parents[2] / "docs" / "systemd"
KINDS = ("system", "user")
DENY_WRITE_EXECUTE = """
import ctypes, os, sys
# PR_SET_MDWE, which systemd does by a filter of system calls; before Linux 6.3 there is none.
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def settings(kind: str) -> dict[str, str]:
    """Return what the section [Service] of a unit says."""
    text = (UNITS / kind / "smolctl@.service").read_text()
    section = text.partition("[Service]\n")[2].partition("\n[")[0]
    return dict(re.findall(r"^(\w+)=(.*)$", section, re.M))


def added() -> str:
    """Return what docs/install.md has for those who need more."""
    page = (UNITS.parent / "install.md").read_text()
    return page.partition("```ini\n")[2].partition("```")[0]


def test_there_are_two() -> None:
    assert {path.parent.name for path in UNITS.rglob("*.service")} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_is_one(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is read as the command line reads it, for a stack that already exists."""
    words = settings(kind)["ExecStart"].split()
    assert words[0].rpartition("/")[2] == "smolctl"
    assert words[1:6] == ["--stack", "%i", "stack", "start", "--foreground"]
    assert run_command([*words[1:], "--help"]) == 0
    assert "smolctl stack start" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("kind", KINDS)
def test_systemd_has_nothing_against_it(kind: str, tmp_path: Path) -> None:
    text = (UNITS / kind / "smolctl@.service").read_text()
    if kind == "system":
        text += added()
    command = tmp_path / "smolctl"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    unit = tmp_path / "smolctl@.service"
    unit.write_text(re.sub(r"^ExecStart=\S*", f"ExecStart={command}", text, flags=re.M))
    # The manual may not be installed where this runs.
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    ended = run(["systemd-analyze", f"--{kind}", "--man=no", "verify", str(unit)], env=environ)
    # Containers without systemd: only what concerns our unit counts.
    faults = [line for line in (ended.stdout + ended.stderr).splitlines() if "smolctl" in line]
    assert faults == []
    assert kind == "user" or "[Service]\n" in added()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has what the unit takes away")
@pytest.mark.netns("ip", "setpriv")
def test_a_stack_within_the_limits_of_the_unit_has_all_kinds_of_links(
    smolctl_env: SmolctlEnv, netns: Namespace
) -> None:
    said = settings("system")
    kept = said["CapabilityBoundingSet"].lower().replace("cap_", "+").split()
    limits = ["setpriv", f"--bounding-set=-all,{','.join(kept)}", "--inh-caps=-all"]
    assert said["NoNewPrivileges"] == said["MemoryDenyWriteExecute"] == "yes"
    limits += ["--no-new-privs", sys.executable, "-c", DENY_WRITE_EXECUTE]
    netns.run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1", check=True)
    netns.run("ip", "link", "set", "v0", "up", check=True)
    config = smolctl_env.directory / "lab.conf"
    config.write_text(
        "link add tap0 type tap host 10.0.0.2/24\n"
        "addr add 10.0.0.1/24 dev tap0\n"
        "link add p0 type packet link v0 promisc\n"
        "link add c0 type cable name c1\n"
        f"link add s0 type stream listen {smolctl_env.directory}/s0.sock\n"
    )
    start = ("-m", "smolctl", "stack", "start", "--foreground", "--config", str(config))
    argv = netns.inside(*limits, sys.executable, *start)
    with closing(Background(argv, env=smolctl_env.environ)) as daemon:
        daemon.wait_for("started")
        assert smolctl_env("ping", "-c", "1", "10.0.0.2").returncode == 0
        assert len(smolctl_env.json("link")) == 5
        status = Path(f"/proc/{smolctl_env.json('stack', 'status')[0]['pid']}/status").read_text()
        (held,) = re.findall(r"^CapEff:\t(\w+)$", status, re.M)
        assert int(held, 16) == 1 << 12 | 1 << 13
        smolctl_env("stack", "stop", check=True)
        assert daemon.wait().returncode == 0
