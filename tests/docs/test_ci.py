"""docs/ci.md: its test passes, fails when the device does, and leaves nothing behind."""

import re
import shutil
from pathlib import Path

import pytest

from tests.kit.process import run
from tests.kit.stack_env import SmolctlEnv

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"


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
    (script,) = re.findall(r"(?<=```sh\n)#!/bin/sh\n.*?(?=```)", PAGE.read_text(), re.DOTALL)
    assert change[0] in script
    work = smolctl_env.directory / "work"
    work.mkdir()
    path = work / "network-test.sh"
    # Five seconds are for a device that has to boot.
    path.write_text(script.replace(*change).replace("-w 5 -I", "-w 1 -I"))
    smolctl_env.environ["TMPDIR"] = str(smolctl_env.directory)
    ended = smolctl_env.shell(f"cd {work}; exec sh {path}").wait(60)
    assert ended.returncode == status, ended
    assert says in ended.stdout + ended.stderr
    assert list(smolctl_env.directory.glob("tmp.*")) == []
    if status == 0:
        assert ended.stdout + ended.stderr == ""
        assert (work / "packets.pcapng").stat().st_size > 1000


def test_the_script_is_clean(tmp_path: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("needs shellcheck (make deps)")
    (script,) = re.findall(r"(?<=```sh\n)#!/bin/sh\n.*?(?=```)", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "network-test.sh"
    path.write_text(script)
    run(["shellcheck", str(path)], check=True)
