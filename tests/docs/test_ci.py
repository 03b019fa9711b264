"""docs/ci.md, docs/bad-network.md: their scripts pass, fail when they should, and leave nothing."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.kit.process import run, wait_until
from tests.kit.stack_env import SmolctlEnv

DOCS = Path(__file__).parents[2] / "docs"


def script_of(page: str) -> str:
    (script,) = re.findall(
        r"(?<=```sh\n)#!/bin/sh\n.*?(?=```)", (DOCS / page).read_text(), re.DOTALL
    )
    return str(script)


def ended(env: SmolctlEnv, script: str) -> tuple[int, str]:
    """Run a script; return its status and all that it said. Nothing is left of it."""
    work = env.directory / "work"
    work.mkdir()
    path = work / "job.sh"
    path.write_text(script.replace("python3", sys.executable))
    env.environ["TMPDIR"] = str(env.directory)
    done = env.shell(f"cd {work}; exec sh {path}").wait(120)
    assert list(env.directory.glob("tmp.*")) == []
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        (("", ""), 0, ""),
        (("udp send 10.0.0.2:7", "udp send 10.0.0.2:8"), 1, "icmp-port-unreachable"),
        (("addr add 10.0.0.2/24 dev eth0", "addr add 10.0.0.3/24 dev eth0"), 1, "arp-no-reply"),
        (("addr add 10.0.0.2/24 dev eth0", "addr add 10.0.0.2/33 dev eth0"), 1, "10.0.0.2/33"),
    ],
)
def test_the_script(
    smolctl_env: SmolctlEnv, change: tuple[str, str], status: int, says: str
) -> None:
    script = script_of("ci.md")
    assert change[0] in script
    script = script.replace(*change)
    if says == "arp-no-reply":  # five seconds are for a device that has to boot
        script = script.replace("-w 5 -I", "-w 1 -I")
    found = ended(smolctl_env, script)
    assert found[0] == status, found
    assert says in found[1]
    if status == 0:
        assert found[1] == ""
        assert (smolctl_env.directory / "work/packets.pcapng").stat().st_size > 1000


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        (("", ""), 0, "300000 bytes"),
        (("delay 20ms loss 5%", "loss 100%"), 1, "lab-loss"),
        (("link set eth0 loss 100%", "link set eth0 loss 0"), 1, "who answered?"),
    ],
)
def test_a_service_on_a_bad_network(
    smolctl_env: SmolctlEnv, change: tuple[str, str], status: int, says: str
) -> None:
    script = script_of("bad-network.md")
    assert change[0] in script
    # What arrives at last does so in ten seconds; what cannot need not be waited for so long.
    patience = "-w 10" if change[1] == "" else "-w 2"
    found = ended(smolctl_env, script.replace(*change).replace("-w 10", patience))
    assert found[0] == status, found
    assert says in found[1]


@pytest.mark.netns
def test_a_program_that_is_not_python(smolctl_env: SmolctlEnv) -> None:
    text = (DOCS / "bad-network.md").read_text()
    (block,) = re.findall(r"```sh\n(smolctl -n server exec .*?)```", text, re.DOTALL)
    serve, route, ask = block.splitlines()
    for number, stack in enumerate(("server", "client"), 1):
        smolctl_env("-n", stack, "link", "add", "eth0", "type", "cable", "name", "bad", check=True)
        smolctl_env("-n", stack, "addr", "add", f"10.0.0.{number}/24", "dev", "eth0", check=True)
    smolctl_env(*route.split()[1:], check=True)
    python = f"{sys.executable} -m http.server 8080"
    smolctl_env.shell(f"exec {serve.replace('my-server --port 8080', python)}")
    scan = ("-n", "client", "tcp", "scan", "192.0.2.2", "8080")
    wait_until(lambda: smolctl_env(*scan).returncode == 0, "the program to listen")
    assert "200 OK" in smolctl_env(*ask.split()[1:], check=True).stdout


@pytest.mark.parametrize("page", ["ci.md", "bad-network.md"])
def test_the_script_is_clean(tmp_path: Path, page: str) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("needs shellcheck (make deps)")
    path = tmp_path / "job.sh"
    path.write_text(script_of(page))
    run(["shellcheck", str(path)], check=True)
