"""docs/router.md typed from top to end: what its second half does, after the transcript's half."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs import transcript
from tests.kit.netns import Namespace
from tests.kit.stack_env import SmolctlEnv

PAGE = Path(__file__).parents[2] / "docs" / "router.md"
ANSWERS = {
    "ip netns exec left ping -c 1 10.2.0.2": (0, "1 received, 0% packet loss"),
    "ip netns exec left traceroute -n 10.2.0.2": (0, "\n 2  10.2.0.2  "),
    "ip netns exec left ping -c 1 -W 1 -M do -s 1400 10.2.0.2": (1, "(mtu = 1280)"),
    "ip -n left route get 10.2.0.2": (0, "mtu 1280"),
    "ip netns exec left ping -c 5 -i 0.2 10.2.0.2": (0, "5 packets transmitted"),
    "ip netns exec left ping -c 1 -W 1 10.2.0.2": (1, "Packet filtered"),
    "smolctl stats drops": (0, "fwd-route-prohibit"),
}
"""Commands that end with another status than 0, or show something that the page is about."""


@pytest.mark.netns("ping", "traceroute")
def test_the_half_with_two_kernels_works_after_the_first_one(
    netns_factory: Callable[[], Namespace], smolctl_env: SmolctlEnv
) -> None:
    page = PAGE.read_text()
    smolctl_env.enter(netns_factory())
    first, *_, last = transcript.blocks(page)
    for command in (*first, *last):
        said = transcript.run(smolctl_env, command.line)
        assert "(exit " not in said, said
    lines = [
        line.partition("  #")[0].rstrip()
        for block in re.findall(r"(?<=```sh\n).*?(?=```)", page, re.DOTALL)
        for line in block.splitlines()
    ]
    assert ANSWERS.keys() <= set(lines)
    hosts = {name: netns_factory().name for name in ("left", "right")}
    for line in lines:
        if line.startswith("ip netns add "):
            continue  # they are there
        here = re.sub(r"\b(left|right)\b", lambda found: hosts[found[0]], line)
        ended = smolctl_env.shell(here).wait()
        status, says = ANSWERS.get(line, (0, ""))
        assert (ended.returncode, says in ended.stdout) == (status, True), ended
