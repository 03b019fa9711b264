"""Linux is the oracle: the same commands and questions for ``ip`` and ``smolctl`` end the same."""

from typing import NamedTuple

import pytest

from smolctl.stack.sysctl.deviations import EXACT
from tests.e2e.kit import Row
from tests.e2e.oracle.oracle import Oracle
from tests.e2e.oracle.oracle_cases import NETWORK, QUESTIONS, SCRIPTS

pytestmark = pytest.mark.netns


class Answer(NamedTuple):
    """The answers of the two to one question, on purpose not the same."""

    kernel: Row
    smolctl: Row
    reason: str


OTHER_ANSWERS = {
    "0.0.0.0": Answer(
        {"type": "local", "dev": "lo", "prefsrc": "127.0.0.1"},
        {"errno": "EINVAL"},
        "RFC 1122 3.2.1.3(a): this host on this network is no destination",
    ),
    "127.0.0.1 oif tap0": Answer(
        {"dev": "tap0", "gateway": "10.0.0.254", "prefsrc": "10.0.0.1"},
        {"errno": "EINVAL"},
        "RFC 1122 3.2.1.3(g): 127/8 must not appear outside of a host",
    ),
}


def test_route_get_answers_agree(oracle: Oracle) -> None:
    oracle.do(*NETWORK)
    assert oracle.differences() == []
    answers = {question: oracle.ask(question) for question in QUESTIONS}
    differing = {
        question: f"ip: {theirs}, smolctl: {ours}"
        for question, (theirs, ours) in answers.items()
        if theirs != ours
    }
    assert differing == {}
    # The questions would be worth little if one answer fitted many.
    assert len({str(theirs) for theirs, _ in answers.values()}) >= 30
    for question, answer in OTHER_ANSWERS.items():
        assert oracle.ask(question) == (answer.kernel, answer.smolctl), answer.reason
    for key in ("ip.zero_is_own", "ip.loopback_leaves"):  # as in profile linux-exact
        oracle.smolctl("sysctl", f"{key}={EXACT[key]}", check=True)
    for question in ("0.0.0.0", "127.0.0.1 oif tap0"):
        theirs, ours = oracle.ask(question)
        assert ours == theirs, question


@pytest.mark.parametrize("name", SCRIPTS)
def test_commands_end_the_same_and_leave_the_same_tables(oracle: Oracle, name: str) -> None:
    for command in SCRIPTS[name]:
        assert oracle.step(command) == []


class Refused(NamedTuple):
    """A command that Linux accepts and smolctl does not, on purpose."""

    command: str
    undo: str
    reason: str


NO_HOST = "not the address of one host (RFC 1122 3.2.1.3): no packet could come from it"
NO_NEIGHBOR = "not the address of one neighbor: its MAC follows from the address itself"
FULL = "an address is written in full: 10.1 is not one"
REFUSED = (
    Refused("addr add 10.20.0.255/24 dev tap0", "addr del 10.20.0.255/24 dev tap0", NO_HOST),
    Refused("addr add 224.0.0.5/24 dev tap0", "addr del 224.0.0.5/24 dev tap0", NO_HOST),
    Refused("addr add 0.0.0.5/24 dev tap0", "addr del 0.0.0.5/24 dev tap0", NO_HOST),
    Refused("addr add 240.0.0.5/24 dev tap0", "addr del 240.0.0.5/24 dev tap0", NO_HOST),
    Refused(
        "addr add 255.255.255.255/32 dev tap0", "addr del 255.255.255.255/32 dev tap0", NO_HOST
    ),
    Refused("addr add 10.1/24 dev tap0", "addr del 10.1.0.0/24 dev tap0", FULL),
    Refused(
        "neigh add 10.7 lladdr 02:00:00:00:00:01 dev tap0", "neigh del 10.7.0.0 dev tap0", FULL
    ),
    Refused(
        "addr add 10.4.0.3/24 dev tap0 label other",
        "addr del 10.4.0.3/24 dev tap0",
        "ip-address(8): the label must be the device's name, or begin with it and a colon",
    ),
    Refused(
        "addr change 10.99.0.1/24 dev tap0",
        "addr del 10.99.0.1/24 dev tap0",
        "to change what is not there is a mistake, as for routes and neighbors; replace adds",
    ),
    Refused(
        "neigh add 224.0.0.1 lladdr 02:00:00:00:00:01 dev tap0",
        "neigh del 224.0.0.1 dev tap0",
        NO_NEIGHBOR,
    ),
    Refused(
        "neigh add 10.0.0.255 lladdr 02:00:00:00:00:01 dev tap0",
        "neigh del 10.0.0.255 dev tap0",
        NO_NEIGHBOR,
    ),
    Refused(
        "neigh add 0.0.0.0 lladdr 02:00:00:00:00:01 dev tap0",
        "neigh del 0.0.0.0 dev tap0",
        NO_NEIGHBOR,
    ),
    Refused(
        "neigh add 10.0.0.7 lladdr ff:ff:ff:ff:ff:ff dev tap0",
        "neigh del 10.0.0.7 dev tap0",
        "RFC 1812 3.3.2: a broadcast MAC must not be believed",
    ),
    Refused(
        "neigh add 10.0.0.7 lladdr 02:00:00:00:00:01:02 dev tap0",
        "neigh del 10.0.0.7 dev tap0",
        "seven bytes are no MAC; Linux drops the last",
    ),
    Refused(
        "neigh add 10.0.0.7 lladdr 02:00:00:00:00:01 dev lo",
        "neigh del 0.0.0.0 dev lo",
        "nothing is resolved on a loopback",
    ),
)


def test_differences_from_linux_are_these(oracle: Oracle) -> None:
    oracle.do("addr add 10.0.0.1/24 brd + dev tap0")
    for case in REFUSED:
        verdicts = oracle.run(case.command)
        assert verdicts.accepted == (True, False), f"{case.command}: {verdicts}"
        assert verdicts.smolctl.returncode == 2, case.command
        oracle.kernel.ip(*case.undo.split())
        assert oracle.differences() == [], case.command


def test_replaced_address_is_what_was_asked_for(oracle: Oracle) -> None:
    # Deviation: Linux says that it did it, and changes nothing (inet_rtm_newaddr).
    oracle.do("addr add 10.0.0.1/24 dev tap0", "addr replace 10.0.0.1/24 dev tap0 brd +")
    (info,) = oracle.smolctl.json("-4", "addr", "show", "dev", "tap0")[0]["addr_info"]
    assert info["broadcast"] == "10.0.0.255"
    assert len(oracle.differences()) == 2
