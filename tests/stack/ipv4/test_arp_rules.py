"""Rules and ARP: an address is told to those whose packets to it would be taken, as by Linux.

tests/e2e/test_rules_arp.py asks the kernel the same.
"""

import pytest

from smolctl.stack.config.rule import add_rule, delete_rule
from smolctl.stack.fib.route import RouteType, TableName
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.neighbor.states import State
from tests.kit.clock import SECOND_NS
from tests.kit.host import OURS, PEER, PEER_MAC, Host, arp_frame, ip, request


@pytest.fixture
def host() -> Host:
    """A host that asks other rules before the table local."""
    host = Host()
    add_rule(host.stack.ipv4, Rule(priority=100, table=TableName.LOCAL))
    delete_rule(host.stack.ipv4, next(iter(host.stack.ipv4.fib.rules)))
    return host


def rule(host: Host, **words: object) -> None:
    add_rule(host.stack.ipv4, Rule(priority=10, **words))  # type: ignore[arg-type]


def answered(host: Host, sender: str = PEER, target: str = OURS) -> bool:
    host.receive(request(sender, target))
    return len(host.sent()) == 1


BLACKHOLE = RuleAction.BLACKHOLE


def test_the_table_local_is_asked_later(host: Host) -> None:
    assert answered(host)


@pytest.mark.parametrize("action", [BLACKHOLE, RuleAction.UNREACHABLE, RuleAction.PROHIBIT])
def test_whom_a_rule_refuses_is_not_answered(host: Host, action: RuleAction) -> None:
    rule(host, src=ip(PEER), src_len=32, action=action)
    assert not answered(host)
    assert host.reasons() == {"arp-rule-refused": 1}
    assert host.neighbor(PEER) is None
    assert answered(host, "10.0.0.3")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"dst": ip(OURS), "dst_len": 32}, False),
        ({"iif": "tap0"}, False),
        ({"iif": "lo"}, True),
        ({"dst": ip(PEER), "dst_len": 32}, True),
        ({"tos": 0x10}, True),
        ({"ipproto": 17}, True),
    ],
)
def test_what_a_rule_looks_at(host: Host, words: dict[str, object], expected: bool) -> None:
    rule(host, action=BLACKHOLE, **words)
    assert answered(host) == expected


@pytest.mark.parametrize("kind", [RouteType.UNICAST, RouteType.BLACKHOLE])
def test_a_table_that_knows_another_way(host: Host, kind: RouteType) -> None:
    dev = "tap0" if kind is RouteType.UNICAST else None
    host.route(f"{OURS}/32", dev, kind=kind, table=50)
    rule(host, table=50)
    assert not answered(host)
    assert host.reasons() == {"arp-rule-refused": 1}


def test_a_table_that_makes_an_address_ours(host: Host) -> None:
    host.route("10.0.0.7/32", "tap0", kind=RouteType.LOCAL, table=50)
    assert not answered(host, target="10.0.0.7")
    rule(host, table=50)
    assert answered(host, target="10.0.0.7")


def test_rfc5227_2_1_1_a_probe_is_answered_whatever_the_rules_say(host: Host) -> None:
    rule(host, iif="tap0", action=BLACKHOLE)
    assert answered(host, "0.0.0.0")


def test_who_is_known_is_still_heard(host: Host) -> None:
    rule(host, iif="tap0", action=BLACKHOLE)
    host.know(PEER, b"\2\0\0\0\0\x99", State.STALE)
    host.wait(2 * SECOND_NS)  # beyond neigh.locktime_ms
    host.receive(arp_frame(1))
    entry = host.neighbor(PEER)
    assert entry is not None
    assert entry.lladdr == PEER_MAC
    assert host.sent() == []
