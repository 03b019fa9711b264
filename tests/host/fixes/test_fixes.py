"""Fixes of ``why --host``, each run as it is printed, on the host in the kernel that it is for."""

import re
import subprocess
from typing import Any, NamedTuple

import pytest

from smolctl.host.question import ask
from tests.host.agreement.observer import Far, Observer
from tests.host.agreement.questions import ALL_MAC, Ask
from tests.host.fixes.cases import Case, cases
from tests.kit.amount import amount

pytestmark = [pytest.mark.netns, pytest.mark.proof]
_SHARE = 12
"""Every so many cases ``make test`` tries one."""
FIXES_MIN = 60
_FAILED = re.compile(r"^error|^told| icmp 3/| icmp 11/| icmp6 [123]/")
"""Events of a packet that does not get through."""
ROUTERS = {"10.0.0.254", "fd00::fe"}
"""The gateways that the hosts have."""


class Run(NamedTuple):
    """A fix that was run.

    Attributes:
        case: what it is for.
        fix: the command.
        before, after: what came of the packet.
    """

    case: Case
    fix: str
    before: frozenset[str]
    after: frozenset[str]

    @property
    def helped(self) -> bool:
        """Whether the packet gets through, and did not without it."""
        return through(self.after) and not through(self.before)


def through(events: frozenset[str]) -> bool:
    """Tell whether a packet, or its answer, leaves for where it should, or is received."""
    return bool(events) and not any(_FAILED.search(event) for event in events)


def words(question: Ask) -> dict[str, Any]:
    """Return a question in the words of ``why``."""
    said: dict[str, Any] = {"proto": question.proto, "dst": question.dst}
    for name in ("src", "sport", "dport", "dev", "iif", "mark", "ttl", "tos"):
        if value := getattr(question, name):
            said[name] = value
    if question.proto not in ("arp", "nd"):
        said["size"] = question.size
    if question.dmac:
        said["dmac"] = ALL_MAC
    return said


def run_fixes(case: Case, far: Far) -> list[Run]:
    """Return the fixes for a case, each run on a fresh host."""
    observer = Observer(case.host, far)
    try:
        assert observer.refused == []
        row = ask(observer.read(), words(case.ask))
        assert row["ok"] is False, case.line
        before = observer.ask(case.ask)
    finally:
        observer.close()
    return [Run(case, fix, before, _run(case, fix, far)) for fix in row["fix"]]


def _run(case: Case, fix: str, far: Far) -> frozenset[str]:
    observer = Observer(case.host, far)
    try:
        done = observer.place.inside(
            lambda: subprocess.run(fix, shell=True, capture_output=True, text=True)
        )
        assert (done.returncode, done.stderr) == (0, ""), fix
        return observer.ask(case.ask)
    finally:
        observer.close()


@pytest.mark.proof
def test_each_fix_lets_the_packet_through(far: Far) -> None:
    wanted = list(cases())[:: amount(1, _SHARE)]
    runs = [run for case in wanted for run in run_fixes(case, far)]
    assert len(runs) >= min(len(wanted), FIXES_MIN)
    assert [(run.case.line, run.fix, run.after) for run in runs if not run.helped] == []
    for run in runs:
        # None takes an address, and each gateway is one that the host has.
        assert "addr" not in run.fix, run.fix
        found = re.search(r" via (\S+)", run.fix)
        assert found is None or found[1] in ROUTERS, run.fix


def test_there_are_enough_of_both_families() -> None:
    found = list(cases())
    assert len(found) >= FIXES_MIN
    assert sum(case.ask.six for case in found) >= 15
    assert len({case.topic for case in found}) >= 20


def test_a_packet_that_is_refused_has_not_got_through() -> None:
    assert not through(frozenset())
    assert not through(frozenset({"error ENETUNREACH"}))
    assert not through(frozenset({"eth1> 02:00:00:00:00:05 icmp 3/1 10.1.0.1 > 10.1.0.5 ttl 64"}))
    assert through(frozenset({"eth0> who-has 10.0.0.2 tell 10.0.0.1"}))
