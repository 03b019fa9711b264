"""Cases in which a twin once differed from the kernel: each has its host and its questions."""

import pytest

from tests.host.agreement import cases_ipv4, cases_ipv6, cases_sending
from tests.host.agreement.compare import Compared, compared
from tests.host.agreement.lines import ask_of, asks_of, host_of
from tests.host.agreement.observer import Far
from tests.host.agreement.predicted import Prediction

pytestmark = pytest.mark.netns
TWO_NETS = """
tap t0 02:00:00:00:00:10
tap t1 02:00:00:00:00:11
addr add 10.0.0.1/24 dev t0
addr add 10.0.1.1/24 dev t0
addr add 10.9.0.1/24 dev t1
addr add fd00::1/64 dev t0 nodad
sysctl ipv4/ip_forward=1
sysctl ipv6/conf/all/forwarding=1
"""
CASES = {
    "a redirect is sent to hosts of other networks of the link, where it is shared": (
        TWO_NETS,
        """
        udp 10.0.0.9 10.0.1.9:9 iif t0
        udp 10.9.0.9 10.0.1.9:9 iif t0
        """,
    ),
    "a redirect is sent within a network, where the link is not shared": (
        TWO_NETS
        + """
        sysctl ipv4/conf/all/shared_media=0
        sysctl ipv4/conf/t0/shared_media=0
        """,
        """
        udp 10.0.0.8 10.0.0.9:9 iif t0
        udp 10.9.0.8 10.0.0.9:9 iif t1
        """,
    ),
    "a redirect waits for the address of the one whom it is for": (
        TWO_NETS,
        "udp fd00::9 [fd00::8]:9 iif t0",
    ),
    "a route of IPv6 that refuses is none by the device that a sender insists on": (
        """
        tap t0 02:00:00:00:00:10
        addr add fd00::1/64 dev t0 nodad
        addr add 10.0.0.1/24 dev t0
        route add prohibit fd01::/16
        route add default via fd00::9
        route add throw fd02::/16
        route add prohibit 10.1.0.0/16
        route add default via 10.0.0.9
        """,
        """
        udp any [fd01::1]:9
        udp any [fd01::1]:9 dev t0
        udp any [fd02::1]:9
        udp any [fd02::1]:9 dev t0
        udp any 10.1.0.1:9
        udp any 10.1.0.1:9 dev t0
        """,
    ),
    "IPv6 asks once more from the address that is chosen, as rules may know that": (
        """
        tap t0 02:00:00:00:00:10
        addr add fd00::1/64 dev t0 nodad
        -6 rule add from fd00::/64 priority 10 lookup 100
        -6 route add default via fd00::9 dev t0 table 100
        """,
        """
        udp any [fd05::1]:9
        tcp any [fd05::1]:9
        """,
    ),
    "a connection of IPv4 asks again from the address that was chosen, a datagram does not": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 dev t0
        addr add 10.0.9.1/24 dev t0
        rule add from 10.0.0.1 priority 10 lookup 100
        route add 10.0.0.0/8 via 10.0.0.9 dev t0 table 100
        route add 10.5.0.0/16 via 10.0.0.8 dev t0
        """,
        """
        tcp any 10.5.0.1:9
        udp any 10.5.0.1:9
        """,
    ),
    "an error of IPv6 comes from the link by which the packet came in": (
        TWO_NETS
        + """
        addr add fd09::1/64 dev t1 nodad
        route add fd05::/64 via fd00::9 src fd09::1
        """,
        """
        udp fd00::9 [fd77::1]:9 iif t1
        udp fd05::9 [fd77::1]:9 iif t0
        udp fd00::8 [fd77::1]:9 iif t0
        """,
    ),
    "of equal routes of IPv6, one that came in goes on by its own link": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        tap t2 02:00:00:00:00:12
        sysctl ipv6/conf/all/forwarding=1
        addr add fd00::1/64 dev t0 nodad
        addr add fd00::2/64 dev t1 nodad
        addr add fd02::2/64 dev t2 nodad
        """,
        """
        udp fd00::8 [fd00::9]:9 iif t1
        udp fd00::7 [fd00::9]:9 iif t0
        udp fd02::7 [fd00::9]:9 iif t2
        """,
    ),
    "a socket that is bound to a device hears of no error that comes by lo": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 dev t0
        """,
        """
        udp any 10.0.0.1:9
        udp any 10.0.0.1:9 dev t0
        udp 10.0.0.1 10.0.0.1:9 dev t0
        icmp any ::
        """,
    ),
    "a broadcast address is a source where nothing has it looked up, and is answered": (
        """
        tun u1
        tap t0 02:00:00:00:00:10
        addr add 172.16.0.5/12 dev u1 brd +
        addr add 10.0.0.1/24 dev t0 brd +
        socket udp 0.0.0.0 7000
        sysctl ipv4/ip_forward=1
        """,
        """
        udp 172.31.255.255 172.16.0.5:7000 iif u1
        udp 172.31.255.255 172.16.0.5:9 iif u1
        icmp 10.0.0.255 10.0.0.1 iif t0
        arp 10.0.0.255 10.0.0.1 iif t0
        udp 10.0.0.255 172.16.0.9:9 iif t0
        udp 10.0.0.255 10.0.0.9:9 iif t0
        """,
    ),
    "a broadcast address is no source where rules have it looked up": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 dev t0 brd +
        socket udp 0.0.0.0 7000
        rule add priority 10 lookup 100
        """,
        """
        udp 10.0.0.255 10.0.0.1:7000 iif t0
        arp 10.0.0.255 10.0.0.1 iif t0
        """,
    ),
    "no program sends from an address that a route of IPv6 alone makes ours": (
        """
        tap t0 02:00:00:00:00:10
        addr add fd00::1/64 dev t0 nodad
        -6 route add local fd09::/16 dev lo
        addr add 10.0.0.1/24 dev t0
        route add local 10.9.0.0/16 dev lo
        """,
        """
        udp fd09::5 [fd00::9]:9
        icmp fd09::5 fd00::9
        tcp fd09::5 [fd00::9]:9
        udp fd09::5 [fd00::9]:9 dev t0
        udp 10.9.0.5 10.0.0.9:9
        icmp fd00::9 fd09::5 iif t0
        """,
    ),
    "a host without any address of IPv6 hears of that, whatever routes there are": (
        """
        tap t0 02:00:00:00:00:10
        late link set lo down
        sysctl ipv6/conf/t0/disable_ipv6=1
        """,
        """
        udp any [fd00::9]:9
        tcp any [fd00::9]:9
        icmp any fd00::9
        """,
    ),
    "who has no link-local address asks for a neighbor only from the packet's own": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        sysctl ipv6/conf/t0/addr_gen_mode=1
        sysctl ipv6/conf/all/forwarding=1
        addr add fd00::1/64 dev t0 nodad
        addr add fd01::1/64 dev t1 nodad
        """,
        """
        udp fd00::1 [fd00::9]:9
        udp fd01::1 [fd00::9]:9
        udp fd01::9 [fd00::9]:9 iif t1
        """,
    ),
    "what is for 0.0.0.0 stays inside, whatever link is named": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 dev t0
        socket udp 0.0.0.0 7000
        """,
        """
        udp any 0.0.0.0:7000 dev t0
        udp any 0.0.0.0:9 dev t0
        """,
    ),
    "who may bind to any address hears of the missing way": (
        """
        tap t0 02:00:00:00:00:10
        addr add 10.0.0.1/24 dev t0
        sysctl ipv4/ip_nonlocal_bind=1
        """,
        """
        udp 10.0.0.7 10.0.0.9:9
        icmp 10.0.0.7 10.0.0.9
        """,
    ),
    "a group gets packets from the address that goes with the gateway of its route": (
        """
        tap v1 02:00:00:00:00:11
        addr add 203.0.113.2/28 dev v1 brd +
        addr add 192.168.1.129/25 dev v1 brd +
        route add default via 192.168.1.178
        """,
        """
        udp any 224.0.0.5:9
        udp any 239.1.2.3:9
        udp any 203.0.113.15:9 broadcast
        """,
    ),
    "of several next hops of an answer, the kernel's hash picks one, too": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add 10.0.0.1/24 dev t0
        addr add 10.0.1.1/24 dev t1
        route add 10.5.0.0/16 nexthop via 10.0.0.9 nexthop via 10.0.1.9
        """,
        """
        udp 10.5.0.1 10.0.0.1:9 iif t0
        udp 10.5.0.2 10.0.0.1:9 iif t0
        udp 10.5.0.3 10.0.0.1:9 iif t0
        udp 10.5.0.4 10.0.0.1:9 iif t0
        """,
    ),
    "of several next hops, the kernel's hash picks one that the answer names": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add 10.0.0.1/24 dev t0
        addr add 10.0.1.1/24 dev t1
        sysctl ipv4/ip_forward=1
        route add 10.5.0.0/16 nexthop via 10.0.0.9 nexthop via 10.0.1.9
        """,
        """
        udp any 10.5.0.1:9
        udp any 10.5.0.2:9
        udp any 10.5.0.3:9
        udp any 10.5.0.4:9
        udp 10.0.0.8 10.5.0.4:9 iif t0
        udp 10.0.0.8 10.5.0.5:9 iif t0
        udp 10.0.0.8 10.5.0.6:9 iif t0
        """,
    ),
    "the answer to an echo request of IPv6 goes back by its link, if that is as good": (
        """
        tap t0 02:00:00:00:00:10
        tap t1 02:00:00:00:00:11
        addr add fd00::1/64 dev t0 nodad
        addr add fd00::2/64 dev t1 nodad
        addr add fd07::2/64 dev t1 nodad
        """,
        """
        icmp fd00::9 fd00::1 iif t0
        icmp fd00::9 fd00::2 iif t1
        icmp fd07::9 fd00::1 iif t0
        udp fd00::9 [fd00::2]:9 iif t1
        """,
    ),
}

ALL = CASES | cases_ipv4.CASES | cases_ipv6.CASES | cases_sending.CASES


@pytest.mark.parametrize("name", ALL)
def test_the_twin_says_what_the_kernel_does(far: Far, name: str) -> None:
    lines, asks = ALL[name]
    found = list(compared(name, host_of(lines), asks_of(asks), far))
    assert [each.report() for each in found if not each.agrees] == []
    assert [each.refused for each in found if each.refused] == []


def test_a_next_hop_that_the_answer_does_not_name_is_a_difference() -> None:
    one, two, three = (frozenset({each}) for each in ("by one", "by two", "by three"))
    predicted = Prediction(one, "forwarded", (one, two))
    assert predicted.allows(two)
    assert not predicted.allows(three)
    assert not predicted.allows(one | two)
    assert not Prediction(one, "forwarded").allows(two)


@pytest.mark.parametrize(
    ("told", "warned"),
    [
        ([], False),
        (["by which ports b0 sends it"], False),
        (["the kernel's own hash picks the next hop: one of {dev a, dev b}"], False),
        (["by which ports b0 sends it", "traffic control at b0"], True),
    ],
)
def test_a_warning_excuses_only_what_is_compared(told: list[str], warned: bool) -> None:
    ask, one = ask_of("udp any 10.0.0.1:9"), frozenset({"x"})
    row = {"not_looked_at": told} if told else {}
    found = Compared("", host_of(""), ask, (), one, Prediction(frozenset(), ""), row)
    assert found.warned is warned
