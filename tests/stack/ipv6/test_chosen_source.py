"""The source of IPv6 that is sent: chosen before the way where only that finds one, and kept."""

import pytest

from smolctl.stack.config.rule import add_rule
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Refusal
from smolctl.stack.reason import Rejected
from smolctl.wire.address import IPV6
from smolctl.wire.ndp import NeighborSolicitation
from tests.kit.host import ip, text
from tests.kit.host6 import OURS6, Host6

FAR = "2001:db8:9::1"
FIRST, SECOND = "2001:db8::fe", "2001:db8::fd"


@pytest.fixture
def host() -> Host6:
    """A host whose table 100 has a default route by another gateway."""
    host = Host6()
    host.route("::/0", via=SECOND, table=100)
    return host


def rule(host: Host6, priority: int, **more: object) -> None:
    src, plen = ip(OURS6), 128
    add_rule(host.stack.ipv6, Rule(priority, src=src, src_len=plen, **more))  # type: ignore[arg-type]


def way(host: Host6, src: str | None = None) -> str:
    found = route_output(host.stack.ipv6, RouteKey(ip(FAR), None if src is None else ip(src)))
    if isinstance(found, Refusal):
        return found.reason.name
    return f"{text(found.next_hop)} src {text(found.src or 0)}"


def test_a_rule_by_source_counts_where_no_way_was_found_without_one(host: Host6) -> None:
    rule(host, 10, table=100)
    assert way(host) == f"{SECOND} src {OURS6}"
    host.route("::/0", via=FIRST)
    assert way(host) == f"{FIRST} src {OURS6}"
    assert way(host, OURS6) == f"{SECOND} src {OURS6}"


def test_a_connection_keeps_its_way_until_something_changes(host: Host6) -> None:
    host.route("::/0", via=FIRST)
    rule(host, 10, action=RuleAction.PROHIBIT)
    tcp = host.stack.tcp
    tcp.connect(tcp.open("a program", IPV6), ip(FAR), 80, host.now)
    (asked,) = [seen.nd for seen in host.sent6()]
    assert isinstance(asked, NeighborSolicitation)
    assert text(asked.target) == FIRST
    bound = tcp.open("another", IPV6)
    tcp.bind(bound, ip(OURS6))
    with pytest.raises(Rejected, match="rule"):
        tcp.connect(bound, ip(FAR), 80, host.now)
