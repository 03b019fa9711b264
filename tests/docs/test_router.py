"""docs/router.md: the script of its second half makes a router between two kernels."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.netns import Namespace
from tests.kit.stack_env import SmolctlEnv

PAGE = Path(__file__).parents[2] / "docs" / "router.md"


@pytest.mark.netns("ping", "traceroute")
def test_the_script_for_two_kernels_works(
    netns_factory: Callable[[], Namespace], smolctl_env: SmolctlEnv
) -> None:
    (script,) = re.findall(r"(?<=```sh\n).*?(?=```)", PAGE.read_text(), re.DOTALL)
    smolctl_env.enter(netns_factory())
    for name in ("left", "right"):
        namespace = netns_factory()
        script = script.replace(f"ip netns add {name}\n", "")
        script = re.sub(rf"\b{name}\b", namespace.name, script)
    ended = smolctl_env.shell(f"set -e\n{script}").wait()
    assert ended.returncode == 0, ended
    assert "1 received, 0% packet loss" in ended.stdout
    hops = re.findall(r"^ *(\d+)  (\S+)  ", ended.stdout, re.M)
    assert hops == [("1", "10.1.0.1"), ("2", "10.2.0.2")]
