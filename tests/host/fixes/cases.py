"""Hosts that lose a packet, and for each the packet: what ``why --host`` has to mend.

A case is told in lines, as those of ``tests/host/agreement/lines.py``: the host, then ``?`` and the
question. Words in braces stand for several cases.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tests.host.agreement.host import Host
from tests.host.agreement.kinds import expanded
from tests.host.agreement.lines import ask_of, host_of
from tests.host.agreement.questions import Ask

_HOST = """
tap eth0 02:00:00:00:00:10
tap eth1 02:00:00:00:00:11
addr add 10.0.0.1/24 brd + dev eth0
addr add 10.1.0.1/24 brd + dev eth1
addr add fd00::1/64 dev eth0 nodad
addr add fd00:1::1/64 dev eth1 nodad
route add default via 10.0.0.254
-6 route add default via fd00::fe
neigh add 10.0.0.254 lladdr 02:00:00:00:00:99 dev eth0 nud reachable
neigh add 10.1.0.5 lladdr 02:00:00:00:00:05 dev eth1 nud reachable
neigh add fd00::fe lladdr 02:00:00:00:00:99 dev eth0 nud reachable router
neigh add fd00:1::5 lladdr 02:00:00:00:00:05 dev eth1 nud reachable
socket udp 0.0.0.0 7000
socket tcp 0.0.0.0 22
socket udp :: 7000
socket tcp :: 22
"""
_ROUTER = (
    _HOST
    + """
sysctl ipv4/ip_forward=1
sysctl ipv6/conf/all/forwarding=1
"""
)
_DOWN = """
tap eth0 02:00:00:00:00:10 down
addr add 10.0.0.1/24 brd + dev eth0
"""
_NO_DEFAULT = """
tap eth0 02:00:00:00:00:10
tap eth1 02:00:00:00:00:11
addr add 10.0.0.1/24 brd + dev eth0
addr add 10.1.0.1/24 brd + dev eth1
addr add fd00::1/64 dev eth0 nodad
addr add fd00:1::1/64 dev eth1 nodad
route add 10.9.0.0/16 via 10.0.0.254
-6 route add fd00:9::/32 via fd00::fe
neigh add 10.0.0.254 lladdr 02:00:00:00:00:99 dev eth0 nud reachable
neigh add 10.1.0.5 lladdr 02:00:00:00:00:05 dev eth1 nud reachable
neigh add fd00::fe lladdr 02:00:00:00:00:99 dev eth0 nud reachable
socket udp 0.0.0.0 7000
socket tcp 0.0.0.0 22
socket udp :: 7000
"""


class Case(NamedTuple):
    """One packet that a host loses.

    Attributes:
        topic: what is to be mended.
        host, ask: the host and the question.
        line: the question as it is told.
    """

    topic: str
    host: Host
    ask: Ask
    line: str


_TABLE = (
    ("a link that is down", _DOWN, "", "{udp,tcp} any 10.0.0.2:22"),
    ("a link that is down", _DOWN, "", "icmp any 10.0.0.2"),
    ("lo is down", _HOST, "late link set lo down", "udp any 10.0.0.1:7000"),
    ("lo is down", _HOST, "late link set lo down", "udp any [fd00::1]:7000"),
    (
        "a route that refuses", _HOST,
        "route add {blackhole,unreachable,prohibit} 9.9.0.0/16", "{udp,tcp} any 9.9.9.9:53",
    ),
    (
        "a route that refuses", _HOST,
        "-6 route add {blackhole,unreachable,prohibit} fd09::/32", "udp any [fd09::9]:53",
    ),
    (
        "a route that refuses what is forwarded", _ROUTER,
        "route add {blackhole,unreachable,prohibit} 9.9.0.0/16 metric 7",
        "udp 10.1.0.5:9 9.9.9.9:53 iif eth1",
    ),
    (
        "a route that refuses what is forwarded", _ROUTER,
        "-6 route add {blackhole,unreachable,prohibit} fd09::/32",
        "udp [fd00:1::5]:9 [fd09::9]:53 iif eth1",
    ),
    (
        "a route of a table that refuses", _HOST + "rule add to 9.9.0.0/16 lookup 7 priority 9",
        "route add {blackhole,prohibit} 9.9.9.0/24 table 7", "udp any 9.9.9.9:53",
    ),
    (
        "a rule that refuses", _HOST,
        "rule add {to 9.9.0.0/16,fwmark 3,ipproto udp dport 53} {blackhole,prohibit} priority 9",
        "udp any 9.9.9.9:53 mark 3",
    ),
    ("a rule that refuses", _HOST, "rule add to 9.9.9.9 unreachable priority 9",
     "{udp,tcp} any 9.9.9.9:53"),
    ("a rule that refuses", _HOST, "-6 rule add to fd09::/32 {blackhole,prohibit} priority 9",
     "udp any [fd09::9]:53"),
    ("a rule that refuses what comes in", _ROUTER,
     "rule add iif eth1 {prohibit,blackhole} priority 9",
     "udp 10.1.0.5:9 9.9.9.9:53 iif eth1"),
    ("a host that does not forward", _HOST, "", "{udp,tcp} 10.1.0.5:9 9.9.9.9:53 iif eth1"),
    ("a host that does not forward", _HOST, "", "icmp 10.1.0.5 9.9.9.9 iif eth1"),
    ("a host that does not forward", _HOST, "", "{udp,tcp} [fd00:1::5]:9 [fd09::9]:53 iif eth1"),
    ("a link that does not forward", _ROUTER, "sysctl ipv4/conf/eth1/forwarding=0",
     "udp 10.1.0.5:9 9.9.9.9:53 iif eth1"),
    ("the reverse path filter", _HOST, "sysctl ipv4/conf/{all,eth1}/rp_filter=1",
     "udp 9.9.9.9:9 10.1.0.1:7000 iif eth1"),
    ("the reverse path filter", _HOST, "sysctl ipv4/conf/{all,eth1}/rp_filter=1",
     "tcp 9.9.9.9:9 10.1.0.1:22 iif eth1"),
    ("the reverse path filter", _HOST, "sysctl ipv4/conf/eth1/rp_filter=1",
     "icmp 9.9.9.9 10.1.0.1 iif eth1"),
    ("the reverse path filter", _ROUTER, "sysctl ipv4/conf/eth1/rp_filter=1",
     "udp 9.9.9.9:9 10.0.0.7:53 iif eth1"),
    ("an MTU", _ROUTER, "link set eth0 mtu 1000", "udp 10.1.0.5:9 9.9.9.9:53 iif eth1 size 1200"),
    ("an MTU", _ROUTER, "link set eth0 mtu 1300",
     "udp [fd00:1::5]:9 [fd09::9]:53 iif eth1 size 1350"),
    ("the MTU of a route", _ROUTER, "route add 9.9.0.0/16 via 10.0.0.254 mtu 1000",
     "udp 10.1.0.5:9 9.9.9.9:53 iif eth1 size 1200"),
    ("the MTU of a route", _ROUTER, "-6 route add fd09::/32 via fd00::fe mtu 1300",
     "udp [fd00:1::5]:9 [fd09::9]:53 iif eth1 size 1350"),
    ("pings are ignored", _HOST, "sysctl ipv4/icmp_echo_ignore_all=1",
     "icmp 10.0.0.254 10.0.0.1 iif eth0"),
    ("pings are ignored", _HOST, "sysctl ipv6/icmp/echo_ignore_all=1",
     "icmp fd00::fe fd00::1 iif eth0"),
    ("pings of all are ignored", _HOST, "", "icmp 10.0.0.254 10.0.0.255 iif eth0"),
    ("a directed broadcast", _ROUTER, "", "udp 10.0.0.254:9 10.1.0.255:9 iif eth0"),
    ("no route", _NO_DEFAULT, "", "{udp,tcp} any 8.8.8.8:53"),
    ("no route", _NO_DEFAULT, "", "icmp any 8.8.8.8"),
    ("no route", _NO_DEFAULT, "", "{udp,tcp} any [fd77::8]:53"),
    ("no route back", _NO_DEFAULT, "", "icmp 8.8.8.8 10.0.0.1 iif eth0"),
    ("no route back", _NO_DEFAULT, "", "tcp 8.8.8.8:9 10.0.0.1:22 iif eth0"),
    ("no route on", _NO_DEFAULT + "sysctl ipv4/ip_forward=1", "",
     "{udp,tcp} 10.1.0.5:9 8.8.8.8:53 iif eth1"),
    ("ARP is not answered on the wrong link", _HOST, "sysctl ipv4/conf/{all,eth0}/arp_ignore={1,2}",
     "arp 10.0.0.9 10.1.0.1 iif eth0"),
    ("a unicast packet in a broadcast frame", _HOST,
     "sysctl ipv4/conf/{all,eth0}/drop_unicast_in_l2_multicast=1",
     "udp 10.0.0.254:9 10.0.0.1:7000 iif eth0 dmac all"),
    ("the table local behind others", _HOST,
     "rule add lookup 7 priority 1; rule add lookup local priority 5; rule del priority 0;"
     " route add prohibit default table 7", "arp 10.0.0.9 10.0.0.1 iif eth0"),
)  # fmt: skip


def cases() -> Iterator[Case]:
    """Yield all cases."""
    for topic, base, more, question in _TABLE:
        for extra in expanded(more) if more else [""]:
            host = host_of("\n".join([base, *extra.split(";")]))
            for line in expanded(question):
                yield Case(topic, host, ask_of(line), line)
