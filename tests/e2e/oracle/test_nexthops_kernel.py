"""Linux is the oracle for next-hop objects and routes of them, as in test_kernel_oracle."""

from typing import NamedTuple

import pytest

from tests.e2e.oracle.oracle_nexthops import NETWORK, SCRIPTS, OracleNextHops

pytestmark = pytest.mark.netns


@pytest.mark.parametrize("name", SCRIPTS)
def test_commands_end_the_same_and_leave_the_same_tables(
    oracle_nexthops: OracleNextHops, name: str
) -> None:
    for command in SCRIPTS[name]:
        assert oracle_nexthops.step(command) == []


class Refused(NamedTuple):
    """A command that Linux accepts and smolctl does not, on purpose."""

    command: str
    undo: str
    reason: str


DECIMAL = "a number is decimal here, as all numbers of ids, metrics and tables are"
NO_ROUTER = "the address of nobody is no gateway; Linux takes it for none"
TWICE = "two values for one word: ip takes the last one"
WAY = "the object says the way"
KIND = "the object says whether packets are dropped"
HERE = "what is for this host needs no way"
OTHER = "a route of IPv4 cannot use a gateway of IPv6 (smolctl-nexthop(8))"
REFUSED = (
    Refused("nexthop add blackhole", "nexthop del id 4", "the number has to be said"),
    Refused("nexthop add id 0 blackhole", "nexthop del id 5", "0 stands for any number"),
    Refused("nexthop add id 0x10 blackhole", "nexthop del id 16", DECIMAL),
    Refused("nexthop add id 20 via 0.0.0.0 dev tap0", "nexthop del id 20", NO_ROUTER),
    Refused("nexthop add id 20 via :: dev tap0", "nexthop del id 20", NO_ROUTER),
    Refused("nexthop add id 20 id 21 blackhole", "nexthop del id 21", TWICE),
    Refused("nexthop add id 20 group 1 onlink", "nexthop del id 20", "it is about one gateway"),
    Refused("route add 20.0.0.0/16 nhid 1 onlink", "route del 20.0.0.0/16", WAY),
    Refused("route add blackhole 20.0.0.0/16 nhid 1", "route del 20.0.0.0/16", KIND),
    Refused("route add prohibit 20.0.0.0/16 nhid 9", "route del 20.0.0.0/16", KIND),
    Refused("route add local 20.0.0.0/16 nhid 3", "route del local 20.0.0.0/16", HERE),
    Refused("route add 20.0.0.0/16 nhid 3 scope host", "route del 20.0.0.0/16", HERE),
    Refused("route add 20.0.0.0/16 nhid 2", "route del 20.0.0.0/16", OTHER),
)


def test_differences_from_linux_are_these(oracle_nexthops: OracleNextHops) -> None:
    oracle = oracle_nexthops
    for command in (
        *NETWORK,
        "nexthop add id 1 via 10.0.0.2 dev tap0",
        "nexthop add id 2 via 2001:db8::2 dev tap0",
        "nexthop add id 3 dev tap0",
        "nexthop add id 9 blackhole",
    ):
        assert oracle.step(command) == []
    for case in REFUSED:
        verdicts = oracle.run(case.command)
        assert verdicts.accepted == (True, False), f"{case.command}: {verdicts}"
        assert verdicts.smolctl.returncode == 2, case.command
        oracle.kernel.ip(*case.undo.split())
        assert oracle.differences() == [], case.command
