"""Bad words: smolctl refuses what Linux refuses, with one line; the exceptions are these."""

import pytest

from tests.e2e.oracle.bad_words import REFUSED, TAKEN
from tests.e2e.oracle.oracle_nexthops import NETWORK, OracleNextHops

pytestmark = pytest.mark.netns


@pytest.mark.parametrize("noun", REFUSED)
def test_what_linux_refuses_is_refused(oracle_nexthops: OracleNextHops, noun: str) -> None:
    oracle_nexthops.do(*(command for command in NETWORK if not command.startswith("-6")))
    for command in REFUSED[noun]:
        verdicts = oracle_nexthops.run(command)
        assert verdicts.accepted == (False, False), f"{command}: {verdicts}"
        assert verdicts.smolctl.returncode in (1, 2), command
        assert verdicts.smolctl.stderr.count("\n") == 1, f"{command}: {verdicts}"
    assert oracle_nexthops.differences() == []


def test_what_smolctl_alone_takes_is_this(oracle_nexthops: OracleNextHops) -> None:
    for command, reason in TAKEN.items():
        assert oracle_nexthops.run(command).accepted == (False, True), f"{command}: {reason}"
