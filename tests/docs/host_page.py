"""docs/host.md, whose commands are run on the host that it describes: a network namespace."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kit.netns import Namespace
from tests.kit.stack_env import SmolctlEnv

NAME = "docs/host.md"
PAGE = Path(__file__).parents[2] / NAME


@contextmanager
def surroundings() -> Iterator[SmolctlEnv]:
    """Make the host of the page, by the commands that are on it, and have smolctl run there."""
    env, netns = SmolctlEnv(), Namespace()
    try:
        found = re.search(r"(?<=```sh\n).*?(?=```)", PAGE.read_text(), re.DOTALL)
        assert found is not None
        netns.run("sh", "-e", "-s", input=found[0], check=True)
        netns.wait_for_addresses()
        env.enter(netns)
        yield env
    finally:
        env.close()
        netns.close()
