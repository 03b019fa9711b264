"""Fixtures of the end-to-end tests; their teardown ends smolctl before its namespace goes."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from smolctl.wire.address import IPV4, IPV6
from tests.e2e.kit import Lab, Peer, ordinary_user
from tests.e2e.oracle.oracle import Oracle
from tests.e2e.oracle.oracle6 import Oracle6
from tests.e2e.oracle.oracle_nexthops import OracleNextHops
from tests.e2e.profiles.stacks import Stack
from tests.e2e.tcp_kit import KernelLink, Linker
from tests.kit.netns import Namespace
from tests.kit.stack_env import SmolctlEnv


@pytest.fixture
def peer_factory(netns_factory: Callable[[], Namespace]) -> Iterator[Callable[[], Peer]]:
    """Make any number of kernel peers, each in a namespace of its own."""
    made: list[Peer] = []

    def make() -> Peer:
        made.append(Peer(netns_factory()))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def peer(peer_factory: Callable[[], Peer]) -> Peer:
    """Make the kernel's stack in a namespace."""
    return peer_factory()


@pytest.fixture
def stacks(smolctl_env: SmolctlEnv) -> Iterator[Callable[[str], Stack]]:
    """Make any number of stacks by name; none is started yet."""
    made: list[Stack] = []

    def make(name: str) -> Stack:
        made.append(Stack(smolctl_env, name, len(made) + 1))
        return made[-1]

    yield make
    for stack in made:
        stack.close()


@pytest.fixture(params=[IPV4, IPV6], ids=["ipv4", "ipv6"])
def linker(request: pytest.FixtureRequest, netns: Namespace) -> Iterator[Linker]:
    """Make any number of links between a stack of this process and the kernel, of each family."""
    made: list[KernelLink] = []

    def link(**options: Any) -> KernelLink:
        made.append(KernelLink(netns, request.param, **options))
        return made[-1]

    yield link
    for each in made:
        each.close()


@pytest.fixture
def offload() -> str:
    """Return whether a TAP may leave segments and checksums to the kernel; see ``BOTH_WAYS``."""
    return "on"


@pytest.fixture
def lab(peer: Peer, smolctl_env: SmolctlEnv) -> Lab:
    """Put smolctl into the peer's namespace; ``lab.plug`` connects them by a TAP."""
    return Lab(peer, smolctl_env)


@pytest.fixture
def oracle(peer_factory: Callable[[], Peer], smolctl_env: SmolctlEnv) -> Iterator[Oracle]:
    """Make the kernel's stack and smolctl's with devices of the same names."""
    made = Oracle(peer_factory(), peer_factory(), peer_factory(), smolctl_env)
    yield made
    made.close()


@pytest.fixture
def oracle6(peer_factory: Callable[[], Peer], smolctl_env: SmolctlEnv) -> Iterator[Oracle6]:
    """Make both with devices of the same names and link-local addresses."""
    made = Oracle6(peer_factory(), peer_factory(), peer_factory(), smolctl_env)
    yield made
    made.close()


@pytest.fixture
def oracle_nexthops(
    peer_factory: Callable[[], Peer], smolctl_env: SmolctlEnv
) -> Iterator[OracleNextHops]:
    """Make both, whose next-hop objects and routes of both families are compared."""
    made = OracleNextHops(peer_factory(), peer_factory(), peer_factory(), smolctl_env)
    yield made
    made.close()


@pytest.fixture
def user() -> Iterator[SmolctlEnv]:
    """Make the environment of an ordinary user."""
    env = ordinary_user()
    try:
        yield env
    finally:
        env.close()
