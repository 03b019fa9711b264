"""Copies of namespaces: they lack nothing, and real packets do there what was foreseen."""

from random import Random

import pytest

from smolctl.host.question import Host
from smolctl.host.reading import HostState
from smolctl.host.replica.ask import Event, happen, predicted, told
from smolctl.host.replica.build import build
from smolctl.host.replica.check import really
from smolctl.ops import why
from tests.host.agreement.host import Host as HostSpec
from tests.host.agreement.kinds import KINDS, ROUTER, Kind
from tests.host.agreement.lines import host_of
from tests.host.agreement.observer import Far, Observer
from tests.host.agreement.questions import Ask
from tests.host.agreement.random_host import Maker
from tests.host.fixes.test_fixes import words
from tests.host.handmade import host
from tests.kit.amount import amount

pytestmark = [pytest.mark.netns, pytest.mark.proof]


def state_of(spec: HostSpec, far: Far) -> HostState:
    observer = Observer(spec, far)
    try:
        return observer.read()
    finally:
        observer.close()


@pytest.mark.proof
def test_copies_lack_nothing(far: Far) -> None:
    specs = [kind.host() for kind in KINDS][:: amount(1, 4)]
    specs += [Maker(Random(seed)).make().host for seed in range(amount(60, 2))]
    for spec in specs:
        replica = build(state_of(spec, far))
        replica.close()
        assert replica.lacks == [], spec.script()


@pytest.mark.proof
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_real_packet_does_what_was_foreseen(far: Far, kind: Kind) -> None:
    state = state_of(kind.host(), far)
    twin = Host(state)
    asks = [ask for ask in kind.questions() if ask.dmac in ("", "all") and not ask.broadcast]
    for ask in asks[:: amount(9, 60)]:
        question = twin.question(words(ask))
        _, trace = why.told(twin.twin.stack, question, 0)
        row = really(state, question, trace)
        assert row.get("same", True), (ask.words(), row)


def test_a_difference_is_seen(far: Far) -> None:
    """The host forwards, and its copy does not."""
    state = state_of(ROUTER.host(), far)
    values = {
        path: "0" if path.endswith("forwarding") or path == "ipv4/ip_forward" else value
        for path, value in state.sysctls.values.items()
    }
    twin = Host(state)
    ask = Ask("receive", "udp", "192.168.0.5", "8.8.8.8", 9, 53, iif="lan")
    question = twin.question(words(ask))
    _, trace = why.told(twin.twin.stack, question, 0)
    foreseen = predicted(question, trace)
    assert foreseen == frozenset({Event("leaves", "wan")})
    replica = build(state._replace(sysctls=state.sysctls._replace(values=values)))
    try:
        seen = happen(replica, question, trace)
    finally:
        replica.close()
    assert (seen, told(seen)) == (frozenset(), "nothing")


@pytest.mark.parametrize("line", ["", "rule add priority 9 lookup 100"])
def test_a_copy_knows_that_there_was_a_rule(far: Far, line: str) -> None:
    undone = line.replace("add", "del")
    state = state_of(host_of(f"tap t0 02:00:00:00:00:10\n{line}\n{undone}"), far)
    assert state.split is bool(line)
    replica = build(state)
    replica.close()
    assert replica.lacks == []


def test_what_a_copy_lacks_is_said() -> None:
    state = host("link eth0", "addr 10.0.0.1/24 dev eth0", "socket udp 10.0.0.9:53")
    replica = build(state)
    replica.close()
    assert "1 socket" in replica.lacks
    twin = Host(state)
    question = twin.question({"proto": "udp", "dst": "10.0.0.2", "dport": 53})
    _, trace = why.told(twin.twin.stack, question, 0)
    assert really(state, question, trace)["why"].startswith("the copy lacks ")


def test_the_words_of_events() -> None:
    assert told(frozenset({Event("leaves", "eth0"), Event("answers", "eth1")})) == (
        "answers by eth1, leaves by eth0"
    )
    assert str(Event("error", "ENETUNREACH")) == "error ENETUNREACH"
    assert str(Event("delivered")) == "delivered"
