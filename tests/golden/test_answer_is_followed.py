"""Golden answers: a prediction follows the answer, by which link it leaves or why it never does."""

# ruff: noqa: E501  (lines as they are printed)

import pytest

from smolctl.stack.config.neigh import add_proxy
from smolctl.stack.config.rule import add_rule
from smolctl.stack.fib.route import RouteType
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.neighbor.proxy import ProxyEntry
from smolctl.stack.transport.socket_base import ANY
from tests.golden.kit import (
    Golden,
    answer,
    expected,
    nothing,
    question,
    route,
    second_link,
    steps,
    sysctl,
)
from tests.kit.host import OURS, PEER, Host, ip

STRANGER = "99.9.9.9"


def too_long_a_mask(host: Host) -> None:
    """The address was added as 10.0.0.1/32, so that nothing says where the others are."""
    host.delete(OURS)
    host.add(f"{OURS}/32")


def a_rule_refuses_what_we_send(host: Host) -> None:
    rule = Rule(5, RuleAction.PROHIBIT, dst=ip(PEER), dst_len=32)
    add_rule(host.stack.ipv4, rule)


def speaks_for_a_host_behind(host: Host) -> None:
    second_link(host)
    host.set("ip.forward", 1)
    host.set("neigh.proxy_delay_ms", 0)
    add_proxy(host.stack.ipv4, host.tap, ProxyEntry(ip("10.1.0.9")))


def routes_to_both(host: Host) -> None:
    second_link(host)
    host.set("ip.forward", 1)


def listener(host: Host) -> None:
    socket = host.stack.tcp.open("web")
    host.stack.tcp.bind(socket, ANY, 80)
    host.stack.tcp.listen(socket)


GOLDEN = (
    Golden(
        "a ping of a neighbor is answered by its link, to its MAC address",
        nothing,
        question("icmp", PEER, OURS, iif="tap0"),
        """
        answer:  ok     10.0.0.1 > 10.0.0.2 ICMP echo reply ident 1 seq 1, 0 B, by tap0 to 02:00:00:00:00:0b
        verdict: answered
        why:     10.0.0.1 is ours by local 10.0.0.1/32 dev tap0
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden(
        "a ping from far away comes in, and no route leads back",
        nothing,
        question("icmp", STRANGER, OURS, iif="tap0"),
        """
        answer:  reject 10.0.0.1 > 99.9.9.9 ICMP echo reply, 0 B: no route to 99.9.9.9 (connected: 10.0.0.0/24 dev tap0)
        verdict: answered, but the answer is not sent - tx-no-route
        why:     the answer: no route to 99.9.9.9 (connected: 10.0.0.0/24 dev tap0)
        fix:     smolctl route add default via 10.0.0.2
        exit 1
        """,
    ),
    Golden(
        "a connection attempt from far away is answered, and no route leads back",
        listener,
        question("tcp", STRANGER, OURS, dport=80, iif="tap0"),
        """
        answer:  reject 10.0.0.1:80 > 99.9.9.9:40000 TCP SYN,ACK, 0 B: no route to 99.9.9.9 (connected: 10.0.0.0/24 dev tap0)
        verdict: answered, but the answer is not sent - tx-no-route
        why:     the answer: no route to 99.9.9.9 (connected: 10.0.0.0/24 dev tap0)
        fix:     smolctl route add default via 10.0.0.2
        exit 1
        """,
    ),
    Golden(
        "the answer leaves by the default gateway",
        route("0.0.0.0/0", via=PEER),
        question("icmp", STRANGER, OURS, iif="tap0"),
        """
        answer:  ok     10.0.0.1 > 99.9.9.9 ICMP echo reply ident 1 seq 1, 0 B, by tap0 via 10.0.0.2 to 02:00:00:00:00:0b
        verdict: answered
        why:     10.0.0.1 is ours by local 10.0.0.1/32 dev tap0
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden(
        "our mask is too long: the peer reaches us, and we know no way to it",
        too_long_a_mask,
        question("icmp", PEER, OURS, iif="tap0"),
        """
        answer:  reject 10.0.0.1 > 10.0.0.2 ICMP echo reply, 0 B: no route to 10.0.0.2 (connected: nothing)
        verdict: answered, but the answer is not sent - tx-no-route
        why:     the answer: no route to 10.0.0.2 (connected: nothing)
        look:    who is the router? smolctl neigh show
        exit 1
        """,
    ),
    Golden(
        "a blackhole swallows the answer",
        steps(route("0.0.0.0/0", via=PEER), route("99.9.9.0/24", kind=RouteType.BLACKHOLE)),
        question("icmp", STRANGER, OURS, iif="tap0"),
        """
        answer:  reject 10.0.0.1 > 99.9.9.9 ICMP echo reply, 0 B: 99.9.9.9 matches the route blackhole 99.9.9.0/24
        verdict: answered, but the answer is not sent - tx-route-blackhole
        why:     the answer: 99.9.9.9 matches the route blackhole 99.9.9.0/24
        fix:     smolctl route del blackhole 99.9.9.0/24
        exit 1
        """,
    ),
    Golden(
        "a rule refuses the answer",
        a_rule_refuses_what_we_send,
        question("icmp", PEER, OURS, iif="tap0"),
        """
        answer:  reject 10.0.0.1 > 10.0.0.2 ICMP echo reply, 0 B: 10.0.0.2 matches the rule 5: from all to 10.0.0.2 prohibit
        verdict: answered, but the answer is not sent - tx-rule-prohibit
        why:     the answer: 10.0.0.2 matches the rule 5: from all to 10.0.0.2 prohibit
        fix:     smolctl rule del priority 5 from all to 10.0.0.2 prohibit
        exit 1
        """,
    ),
    Golden(
        "nobody listens at the port, and the sender is told",
        nothing,
        question("udp", PEER, OURS, sport=5000, dport=7, iif="tap0"),
        """
        answer:  ok     10.0.0.1 > 10.0.0.2 ICMP port unreachable for 10.0.0.2:5000 > 10.0.0.1:7 UDP, by tap0 to 02:00:00:00:00:0b
        verdict: refused - udp-port-closed
        why:     nothing is bound to 10.0.0.1:7
        fix:     smolctl udp recv 10.0.0.1:7
        exit 1
        """,
    ),
    Golden(
        "a route refuses what is to be forwarded, and the sender is told",
        steps(routes_to_both, route("8.8.8.0/24", kind=RouteType.UNREACHABLE)),
        question("icmp", PEER, "8.8.8.8", iif="tap0"),
        """
        answer:  ok     10.0.0.1 > 10.0.0.2 ICMP host unreachable for 10.0.0.2 > 8.8.8.8 ICMP, by tap0 to 02:00:00:00:00:0b
        verdict: not forwarded - fwd-route-unreachable
        why:     8.8.8.8 matches the route unreachable 8.8.8.0/24
        look:    is this route meant? smolctl route show match 8.8.8.8
        exit 1
        """,
    ),
    Golden(
        "an ARP request for our address is answered to the asker's MAC address",
        nothing,
        question("arp", PEER, OURS, iif="tap0"),
        """
        answer:  ok     reply 10.0.0.1 is-at 02:00:00:00:00:0a, by tap0 to 02:00:00:00:00:0b
        verdict: answered
        why:     10.0.0.1 is ours, and its owner answers
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden(
        "ARP flux: one link answers for the address of another",
        second_link,
        question("arp", PEER, "10.1.0.1", iif="tap0"),
        """
        answer:  ok     reply 10.1.0.1 is-at 02:00:00:00:00:0a, by tap0 to 02:00:00:00:00:0b
        verdict: answered
        why:     10.1.0.1 is ours; the address is tap1's; arp.ignore=1 stops that
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden(
        "and with arp.ignore=1 it does not",
        steps(second_link, sysctl("arp.ignore", 1)),
        question("arp", PEER, "10.1.0.1", iif="tap0"),
        """
        verdict: dropped - arp-ignored
        why:     10.1.0.1 is ours, but tap0 does not have it, and arp.ignore is 1 (tap0 has 10.0.0.1/24)
        fix:     smolctl sysctl arp.ignore=0
        exit 1
        """,
    ),
    Golden(
        "proxy ARP: we answer for a host behind us",
        speaks_for_a_host_behind,
        question("arp", PEER, "10.1.0.9", iif="tap0"),
        """
        answer:  ok     reply 10.1.0.9 is-at 02:00:00:00:00:0a, by tap0 to 02:00:00:00:00:0b
        verdict: answered
        why:     10.1.0.9 is reached by tap1, and answered for (neigh proxy)
        fix:     nothing to fix
        exit 0
        """,
    ),
)  # fmt: skip


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_golden(golden: Golden) -> None:
    assert answer(golden) == expected(golden)
