"""Linux is the oracle of IPv6: the same commands and questions end the same."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.e2e.kit import Peer
from tests.e2e.oracle.oracle6 import Oracle6
from tests.e2e.oracle.oracle6_cases import NETWORK, QUESTIONS, SCRIPTS
from tests.kit.netns import Namespace
from tests.kit.stack_env import SmolctlEnv

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


@pytest.fixture(scope="module")
def network6() -> Iterator[Oracle6]:
    """Make one network for all questions: none changes it."""
    with ExitStack() as stack:
        kernel, far, host = (stack.enter_context(closing(Namespace())) for _ in range(3))
        peers = [stack.enter_context(closing(Peer(each))) for each in (kernel, far, host)]
        smolctl = stack.enter_context(closing(SmolctlEnv()))
        made = stack.enter_context(closing(Oracle6(peers[0], peers[1], peers[2], smolctl)))
        made.do(
            *NETWORK,
            "neigh add fe80::77 lladdr 02:00:00:00:00:77 dev tap0 router",
            "neigh add 2001:db8::78 lladdr 02:00:00:00:00:78 dev tap1 nud stale",
        )
        yield made


@pytest.mark.parametrize(
    "question",
    [
        "route show",
        "route show table all",
        "route get 2001:db8:9::1",
        "route get fe80::2 dev tap0",
        "route get 2001:db8:9::1 from 2001:db8::1",
        "addr show dev tap0",
        "-br addr show",
        "neigh show",
        "rule show",
        "maddr show dev tap0",
        "addrlabel show",
    ],
)
def test_the_text_is_that_of_ip(network6: Oracle6, question: str) -> None:
    said = network6.run(question)
    assert [result.returncode for result in said] == [0, 0]
    theirs, ours = (lines(result.stdout) for result in said)
    if question.startswith("neigh"):  # in the kernel in the order of a hash
        theirs, ours = sorted(theirs), sorted(ours)
    assert theirs
    assert ours == theirs


def lines(text: str) -> list[str]:
    """Return lines of text without what is of the kernel's link alone, and without padding."""
    text = re.sub(r" (?:qdisc|group|qlen|link-netns|link-netnsid) \S+|@\w+(?=:| )", "", text)
    return [" ".join(line.split()) for line in text.splitlines()]
