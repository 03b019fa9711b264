"""Linux is the oracle for rules, tables and several next hops, as in test_kernel_oracle."""

import pytest

from tests.e2e.oracle import Oracle
from tests.e2e.oracle_rules import NETWORK, QUESTIONS, RULES, SCRIPTS

pytestmark = pytest.mark.netns


def test_route_get_by_rules_agrees(oracle: Oracle) -> None:
    oracle.do(*NETWORK, *RULES)
    assert oracle.differences() == []
    answers = {question: oracle.ask(question) for question in QUESTIONS}
    differing = {
        question: f"ip: {theirs}, smolctl: {ours}"
        for question, (theirs, ours) in answers.items()
        if theirs != ours
    }
    assert differing == {}
    # The questions would be worth little if one answer fitted many.
    assert len({str(theirs) for theirs, _ in answers.values()}) >= 25


@pytest.mark.parametrize("name", SCRIPTS)
def test_commands_end_the_same_and_leave_the_same_tables(oracle: Oracle, name: str) -> None:
    for command in SCRIPTS[name]:
        assert oracle.step(command) == []
