"""Golden answers: a fix is proven, and where none is, there is something to look at."""

# ruff: noqa: E501  (lines as they are printed)

import pytest

from smolctl.stack.config.link import set_up
from smolctl.stack.config.rule import add_rule
from smolctl.stack.fib.route import RouteType
from smolctl.stack.fib.rule import Rule
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
from tests.kit.clock import SECOND_NS
from tests.kit.host import DEAD, PEER, Host


def forgets(host: Host) -> None:
    host.stack.ipv4.neighbors.flush(host.tap, host.now)


def link_down(host: Host) -> None:
    set_up(host.stack.shared, host.tap, False, host.now)


def table_7_first(host: Host) -> None:
    add_rule(host.stack.ipv4, Rule(5, table=7))


def another_neighbor(host: Host) -> None:
    host.know("10.0.0.40")
    host.know("10.0.0.41")


def gateway_is_dead(host: Host) -> None:
    host.route("0.0.0.0/0", via=DEAD)
    host.send(host.socket(), "9.9.9.9")
    host.wait(4 * SECOND_NS)


NO_ROUTE = """
        verdict: not sent - tx-no-route
        why:     no route to {ip} (connected: 10.0.0.0/24 dev tap0)
        look:    {look}
        exit 1
        """


def no_route(title: str, dst: str, look: str, *setup: object) -> Golden:
    """Return a situation in which no route leads to a destination, and no fix is proven."""
    todo = steps(*setup)  # type: ignore[arg-type]
    return Golden(title, todo, question("icmp", None, dst), NO_ROUTE.format(ip=dst, look=look))


GOLDEN = (
    Golden(
        "no route, and the one neighbor may be the router",
        nothing,
        question("icmp", None, "8.8.8.8"),
        """
        verdict: not sent - tx-no-route
        why:     no route to 8.8.8.8 (connected: 10.0.0.0/24 dev tap0)
        fix:     smolctl route add default via 10.0.0.2
        exit 1
        """,
    ),
    Golden(
        "no route, and another route's gateway is the router",
        steps(another_neighbor, route("198.51.100.0/24", via="10.0.0.41")),
        question("icmp", None, "8.8.8.8"),
        """
        verdict: not sent - tx-no-route
        why:     no route to 8.8.8.8 (connected: 10.0.0.0/24 dev tap0)
        fix:     smolctl route add default via 10.0.0.41
        exit 1
        """,
    ),
    no_route(
        "no route, and any of three neighbors may be the router", "8.8.8.8",
        "who is the router? smolctl neigh show", another_neighbor,
    ),
    no_route(
        "no route, and nobody was heard", "203.0.113.1",
        "who is the router? smolctl neigh show", forgets,
    ),
    no_route(
        "the broadcast address of no link", "255.255.255.255",
        "by which link is it to leave? name it, such as: dev tap0",
    ),
    no_route(
        "a group, by no link", "239.1.2.3",
        "by which link is it to leave? name it, such as: dev tap0",
    ),
    no_route(
        "a link-local address, on no link", "169.254.1.1",
        "on which link is it? 169.254.0.0/16 is never behind a router (RFC 3927 7)",
    ),
    no_route(
        "a reserved address", "240.0.0.1",
        "is the address right? 240.0.0.0/4 is reserved (RFC 1112 4)",
    ),
    no_route(
        "a throw route hides the default route", "8.8.8.8",
        "why does the default route not count? smolctl rule show",
        route("0.0.0.0/0", via=PEER), route("8.0.0.0/8", kind=RouteType.THROW),
    ),
    Golden(
        "the link to the network is down",
        link_down,
        question("udp", None, PEER, dport=9),
        """
        verdict: not sent - tx-no-route
        why:     no route to 10.0.0.2 (connected: nothing): it is in the network of tap0, which is down
        fix:     smolctl link set tap0 up
        exit 1
        """,
    ),
    Golden(
        "a source address that is not ours",
        nothing,
        question("udp", "203.0.113.1", PEER, dport=9),
        """
        verdict: not sent - tx-src-not-ours
        why:     203.0.113.1 is not on this stack
        look:    send from an address that is: smolctl addr show
        exit 1
        """,
    ),
    Golden(
        "a route of another table refuses",
        steps(route("0.0.0.0/0", via=PEER), route("8.8.8.0/24", kind=RouteType.PROHIBIT, table=7), table_7_first),
        question("icmp", None, "8.8.8.8"),
        """
        verdict: not sent - tx-route-prohibit
        why:     8.8.8.8 matches the route prohibit 8.8.8.0/24 table 7
        fix:     smolctl route del prohibit 8.8.8.0/24 table 7
        exit 1
        """,
    ),
    Golden(
        "a route refuses, and behind it is a gateway that does not answer",
        steps(gateway_is_dead, route("8.8.8.0/24", kind=RouteType.BLACKHOLE)),
        question("icmp", None, "8.8.8.8"),
        """
        verdict: not sent - tx-route-blackhole
        why:     8.8.8.8 matches the route blackhole 8.8.8.0/24
        look:    is this route meant? smolctl route show match 8.8.8.8
        exit 1
        """,
    ),
    Golden(
        "a host asks everybody for an address that we do not have",
        nothing,
        question("arp", "10.0.0.9", "10.0.0.77", iif="tap0"),
        """
        verdict: dropped - arp-target-not-ours
        why:     10.0.0.77 is not an address of this stack (tap0 has 10.0.0.1/24)
        look:    is it to be ours? smolctl addr add 10.0.0.77/24 dev tap0; else it is for another host
        exit 1
        """,
    ),
    Golden(
        "a packet for another host of the link, in a frame to us",
        nothing,
        question("icmp", PEER, "10.0.0.77", iif="tap0"),
        """
        verdict: dropped - ip-dst-not-ours
        why:     10.0.0.77 is no address of this stack (tap0 has 10.0.0.1/24)
        fix:     smolctl addr add 10.0.0.77/24 dev tap0
        exit 1
        """,
    ),
    Golden(
        "a packet for a host behind us, and we are no router",
        second_link,
        question("icmp", PEER, "10.1.0.2", iif="tap0"),
        """
        verdict: dropped - ip-dst-not-ours
        why:     10.1.0.2 is no address of this stack (tap0 has 10.0.0.1/24)
        fix:     smolctl sysctl ip.forward=1
        exit 1
        """,
    ),
    Golden(
        "the strict reverse path test, and no way back at all",
        sysctl("ip.rp_filter", 1),
        question("icmp", "99.9.9.9", "10.0.0.1", iif="tap0"),
        """
        verdict: dropped - ip-reverse-path
        why:     99.9.9.9 came in by tap0, and no route leads back to it
        look:    does a route to 99.9.9.9 leave by tap0? smolctl route get 99.9.9.9
        exit 1
        """,
    ),
)  # fmt: skip


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_golden(golden: Golden) -> None:
    assert answer(golden) == expected(golden)
