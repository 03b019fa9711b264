"""Golden answers: what ``why`` says when its options decide."""

# ruff: noqa: E501  (lines as they are printed)

import pytest

from smolctl.stack.config.link import set_mtu
from smolctl.stack.ip.protocol import Pmtudisc
from tests.golden.kit import (
    Golden,
    answer,
    expected,
    nothing,
    question,
    second_link,
    steps,
    sysctl,
)
from tests.kit.host import OURS, PEER, Host

BEHIND = "10.1.0.2"


def small_link_behind(host: Host) -> None:
    second_link(host)
    host.set("ip.forward", 1)
    set_mtu(host.stack.shared, host.dev("tap1"), 576)


ROUTER = steps(second_link, sysctl("ip.forward", 1))
GOLDEN = (
    Golden(
        "a packet that is too big to be forwarded, and may not be cut",
        small_link_behind,
        question("udp", PEER, BEHIND, sport=9, dport=7, size=1000, iif="tap0", pmtudisc=Pmtudisc.DO),
        """
        answer:  ok     10.0.0.1 > 10.0.0.2 ICMP fragmentation needed for 10.0.0.2:9 > 10.1.0.2:7 UDP, by tap0 to 02:00:00:00:00:0b
        verdict: not forwarded - fwd-too-big
        why:     the packet has 1028 B, the MTU of tap1 is 576, and it may not be fragmented
        fix:     smolctl link set tap1 mtu 1028
        exit 1
        """,
    ),
    Golden(
        "the same packet when anybody may cut it",
        small_link_behind,
        question("udp", PEER, BEHIND, sport=9, dport=7, size=1000, iif="tap0", pmtudisc=Pmtudisc.DONT),
        """
        verdict: forwarded by tap1 in 2 fragments
        why:     10.1.0.0/24 dev tap1 is the best route to 10.1.0.2
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden(
        "a packet whose last hop this router would be",
        ROUTER,
        question("icmp", PEER, BEHIND, iif="tap0", ttl=1),
        """
        answer:  ok     10.0.0.1 > 10.0.0.2 ICMP ttl exceeded for 10.0.0.2 > 10.1.0.2 ICMP, by tap0 to 02:00:00:00:00:0b
        verdict: not forwarded - fwd-ttl-exceeded
        why:     ttl 1 of a packet to 10.1.0.2 ends here
        look:    traceroute wants it so; otherwise look for a circle: smolctl route get 10.1.0.2
        exit 1
        """,
    ),
    Golden(
        "a packet to us may have come with its last hop",
        nothing,
        question("icmp", PEER, OURS, iif="tap0", ttl=1),
        """
        answer:  ok     10.0.0.1 > 10.0.0.2 ICMP echo reply ident 1 seq 1, 0 B, by tap0 to 02:00:00:00:00:0b
        verdict: answered
        why:     10.0.0.1 is ours by local 10.0.0.1/32 dev tap0
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden(
        "a broadcast to the link behind this router, which forwards them",
        steps(ROUTER, sysctl("ip.bc_forwarding", 1)),
        question("udp", PEER, "10.1.0.255", sport=9, dport=9, iif="tap0"),
        """
        verdict: forwarded by tap1
        why:     broadcast 10.1.0.255/32 dev tap1 is the best route to 10.1.0.255
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden(
        "a packet that no route leads on, from where no route leads back",
        steps(ROUTER, sysctl("ip.rp_filter", 1)),
        question("icmp", "99.9.9.9", "8.8.8.8", iif="tap0"),
        """
        answer:  reject 0.0.0.0 > 99.9.9.9 ICMP net unreachable, 28 B: no route to 99.9.9.9 (connected: 10.0.0.0/24 dev tap0, 10.1.0.0/24 dev tap1)
        verdict: not forwarded - fwd-no-route
        why:     no route leads on to 8.8.8.8
        look:    add a route to it: smolctl route show
        exit 1
        """,
    ),
)  # fmt: skip


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_golden(golden: Golden) -> None:
    assert answer(golden) == expected(golden)
