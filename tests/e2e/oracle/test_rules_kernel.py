"""Linux is the oracle for rules, tables and several next hops, as in test_kernel_oracle."""

from collections.abc import Iterable

import pytest

from tests.e2e.oracle.oracle import Oracle
from tests.e2e.oracle.oracle_rules import FORWARDED, NETWORK, QUESTIONS, RULES, SCRIPTS

pytestmark = pytest.mark.netns


def test_route_get_by_rules_agrees(oracle: Oracle) -> None:
    oracle.do(*NETWORK, *RULES)
    assert oracle.differences() == []
    # The questions would be worth little if one answer fitted many.
    assert agreed(oracle, QUESTIONS) >= 25


def test_route_get_of_what_is_forwarded_agrees(oracle: Oracle) -> None:
    oracle.do(*NETWORK, *RULES)
    oracle.do("rule del priority 309")  # it refuses all that the rules in front of it leave
    oracle.smolctl("sysctl", "ip.forward=1", check=True)
    oracle.kernel.sysctl({"net.ipv4.ip_forward": 1})
    assert agreed(oracle, FORWARDED) >= 7


def agreed(oracle: Oracle, questions: Iterable[str]) -> int:
    """See that both answer all questions alike; return how many different answers there are."""
    answers = {question: oracle.ask(question) for question in questions}
    differing = {
        question: f"ip: {theirs}, smolctl: {ours}"
        for question, (theirs, ours) in answers.items()
        if theirs != ours
    }
    assert differing == {}
    return len({str(theirs) for theirs, _ in answers.values()})


@pytest.mark.parametrize("name", SCRIPTS)
def test_commands_end_the_same_and_leave_the_same_tables(oracle: Oracle, name: str) -> None:
    for command in SCRIPTS[name]:
        assert oracle.step(command) == []
