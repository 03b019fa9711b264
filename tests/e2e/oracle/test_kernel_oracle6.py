"""Linux is the oracle of IPv6: the same commands and questions end the same."""

import pytest

from tests.e2e.oracle.oracle6 import Oracle6
from tests.e2e.oracle.oracle6_cases import NETWORK, QUESTIONS, SCRIPTS

pytestmark = pytest.mark.netns


def test_links_have_the_same_addresses_routes_and_groups_by_themselves(oracle6: Oracle6) -> None:
    assert oracle6.differences() == []
    found = {name: (theirs, ours) for name, theirs, ours in oracle6.tables()}
    assert [row["dev"] for row in found["addr"][0]] == ["lo", "tap0", "tap1"]
    assert all(len(theirs) >= 2 for name, (theirs, _) in found.items() if name != "neigh")


def test_route_get_answers_agree(oracle6: Oracle6) -> None:
    oracle6.do(*NETWORK)
    assert oracle6.differences() == []
    answers = {question: oracle6.ask(question) for question in QUESTIONS}
    differing = {
        question: f"ip: {theirs}, smolctl: {ours}"
        for question, (theirs, ours) in answers.items()
        if theirs != ours
    }
    assert differing == {}
    # The questions would be worth little if one answer fitted many.
    assert len({str(theirs) for theirs, _ in answers.values()}) >= 25


@pytest.mark.parametrize("name", SCRIPTS)
def test_commands_end_the_same_and_leave_the_same_tables(oracle6: Oracle6, name: str) -> None:
    for command in SCRIPTS[name]:
        assert oracle6.step(command) == []
