"""Hosts of the kinds that people have, and questions about them: compact tables.

Words in braces stand for several lines: ``udp any 10.0.0.{1,2}:{9,53}`` are four.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.host.agreement.host import Host
from tests.host.agreement.lines import asks_of, host_of
from tests.host.agreement.questions import Ask

_BRACES = re.compile(r"\{([^{}]*)\}")


class Kind(NamedTuple):
    """A host of one kind, with questions.

    Attributes:
        kind: as docs/host.md calls it.
        name: of this one of them.
        lines: the host. asks: the questions; both as ``lines.py`` has them.
    """

    kind: str
    name: str
    lines: str
    asks: str

    def host(self) -> Host:
        """Return the host."""
        return host_of("\n".join(expanded(self.lines)))

    def questions(self) -> list[Ask]:
        """Return the questions."""
        return list(asks_of("\n".join(expanded(self.asks))))


def expanded(text: str) -> Iterator[str]:
    """Yield the lines of a text, with all that braces stand for."""
    for line in text.splitlines():
        found = _BRACES.search(line)
        if found is None:
            yield line
            continue
        for word in found[1].split(","):
            yield from expanded(line[: found.start()] + word + line[found.end() :])


_PROGRAMS = """
socket udp 0.0.0.0 7000
socket tcp 0.0.0.0 22
socket udp :: 7000
socket tcp :: 22
"""
CLOUD = Kind(
    "cloud VM", "a /32 and a gateway that is no neighbor",
    _PROGRAMS + """
tap eth0 02:00:00:00:00:10
link set eth0 mtu 1460
addr add 10.128.0.5/32 dev eth0
addr add 2600:1900::5/128 dev eth0 nodad
route add 10.128.0.1 dev eth0 scope link
route add default via 10.128.0.1 dev eth0 onlink
route add 169.254.169.254 via 10.128.0.1 dev eth0
-6 route add default via fe80::1 dev eth0 onlink
neigh add 10.128.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud reachable
neigh add fe80::1 lladdr 02:00:00:00:00:01 dev eth0 nud reachable
""",
    """
    {udp,tcp} any {8.8.8.8,10.128.0.9,169.254.169.254,10.128.0.1,10.128.0.5,127.0.0.1}:{22,53}
    udp 10.128.0.5 {8.8.8.8,10.128.0.1}:53 ttl {1,5}
    icmp any {8.8.8.8,10.128.0.5,169.254.169.254} size {4,1432,1433,3000}
    udp any {255.255.255.255,10.128.0.255}:9 {broadcast,dev eth0,ttl 3}
    udp any 224.0.0.251:5353 {dev eth0,ttl 1}
    {udp,tcp} 8.8.8.8 10.128.0.5:{7000,22,9} iif eth0
    icmp {8.8.8.8,10.128.0.1,10.128.0.77} 10.128.0.5 iif eth0
    udp 8.8.8.8 {10.128.0.6,127.0.0.1,255.255.255.255}:7000 iif eth0
    arp {10.128.0.1,10.128.0.9,0.0.0.0,8.8.8.8} {10.128.0.5,10.128.0.1,127.0.0.1} iif eth0
    {udp,tcp} any {[2600:1900::9],[2001:4860::8888],[2600:1900::5],[::1]}:{22,53}
    icmp any {2001:4860::8888,fe80::1,fe80::77} dev eth0
    {udp,tcp} 2001:4860::8888 [2600:1900::5]:{7000,22,9} iif eth0
    icmp {fe80::1,2600:1900::77} 2600:1900::5 iif eth0
    nd {fe80::1,2600:1900::77,::} 2600:1900::{5,6} iif eth0
    udp 10.9.9.9 8.8.8.8:53
    """,
)  # fmt: skip
CLOUD_TWO = Kind(
    "cloud VM", "two interfaces in one network",
    _PROGRAMS + """
tap eth0 02:00:00:00:00:10
tap eth1 02:00:00:00:00:11
addr add 172.31.16.5/20 brd + dev eth0
addr add 172.31.17.5/20 brd + dev eth1
route add default via 172.31.16.1 dev eth0 metric 100
route add default via 172.31.16.1 dev eth1 metric 200
rule add from 172.31.17.5 lookup 1001 priority 100
route add default via 172.31.16.1 dev eth1 table 1001
neigh add 172.31.16.1 lladdr 02:00:00:00:00:01 dev eth0 nud stale
neigh add 172.31.16.1 lladdr 02:00:00:00:00:01 dev eth1 nud stale
""",
    """
    udp {any,172.31.16.5,172.31.17.5} {8.8.8.8,172.31.18.9,172.31.31.255}:53
    tcp any {8.8.8.8,172.31.16.1}:22 dev {eth0,eth1}
    {udp,tcp} {8.8.8.8,172.31.18.9} 172.31.{16,17}.5:{22,9} iif {eth0,eth1}
    arp 172.31.18.9 172.31.{16,17}.5 iif {eth0,eth1}
    icmp 172.31.16.1 172.31.{16,17}.5 iif {eth0,eth1}
    """,
)  # fmt: skip
LAPTOP = Kind(
    "laptop with a VPN", "split default routes by a TUN, rp_filter strict",
    _PROGRAMS + """
tap wlan0 02:00:00:00:00:10
tun tun0
sysctl ipv4/conf/all/rp_filter=1
link set tun0 mtu 1420
addr add 192.168.1.50/24 brd + dev wlan0
addr add 10.8.0.2/24 dev tun0
addr add fd00:1::50/64 dev wlan0 nodad
addr add fd00:8::2/64 dev tun0 nodad
route add default via 192.168.1.1 dev wlan0 metric 600
route add 0.0.0.0/1 via 10.8.0.1 dev tun0
route add 128.0.0.0/1 via 10.8.0.1 dev tun0
route add 203.0.113.9 via 192.168.1.1 dev wlan0
-6 route add default via fe80::1 dev wlan0 metric 600
-6 route add 2000::/3 dev tun0
neigh add 192.168.1.1 lladdr 02:00:00:00:00:01 dev wlan0 nud reachable
""",
    """
    {udp,tcp} any {8.8.8.8,203.0.113.9,192.168.1.9,192.168.1.1,10.8.0.1,10.8.0.9}:{53,22}
    icmp any {8.8.8.8,203.0.113.9,10.8.0.2,192.168.1.50} size {4,1392,1393,1472,1473}
    udp 192.168.1.50 {8.8.8.8,192.168.1.9}:53
    udp any {8.8.8.8,203.0.113.9}:53 dev {wlan0,tun0}
    {udp,tcp} {8.8.8.8,203.0.113.9,192.168.1.9} 192.168.1.50:{7000,22,9} iif wlan0
    icmp {8.8.8.8,10.8.0.1} 10.8.0.2 iif tun0
    udp {8.8.8.8,192.168.1.9} {10.8.0.2,192.168.1.50}:7000 iif tun0
    arp {192.168.1.9,10.8.0.1} {192.168.1.50,10.8.0.2} iif wlan0
    udp any {192.168.1.255,255.255.255.255}:9 broadcast
    {udp,tcp} any {[2001:db8::1],[fd00:1::9],[fd00:8::9],[fd05::1]}:53
    icmp {fd00:1::9,2001:db8::1} fd00:1::50 iif wlan0
    nd {fd00:1::9,fd00:8::9} {fd00:1::50,fd00:8::2} iif wlan0
    """,
)  # fmt: skip
DOCKER = Kind(
    "docker host", "bridges and veths",
    _PROGRAMS + """
tap eth0 02:00:00:00:00:10
veth veth1 02:00:00:00:00:21
veth veth2 02:00:00:00:00:22
bridge docker0 02:00:00:00:00:20 veth1
bridge br-app 02:00:00:00:00:30 veth2
sysctl ipv4/ip_forward=1
sysctl ipv6/conf/all/forwarding=1
addr add 10.0.0.10/24 brd + dev eth0
addr add 172.17.0.1/16 brd + dev docker0
addr add 172.18.0.1/16 brd + dev br-app
addr add fd00:1::10/64 dev eth0 nodad
addr add fd00:17::1/64 dev docker0 nodad
route add default via 10.0.0.1 dev eth0
-6 route add default via fd00:1::1 dev eth0
neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud reachable
neigh add 172.17.0.2 lladdr 02:42:ac:11:00:02 dev docker0 nud reachable
neigh add fd00:17::2 lladdr 02:42:ac:11:00:02 dev docker0 nud reachable
""",
    """
    {udp,tcp} any {8.8.8.8,172.17.0.2,172.17.0.9,172.17.9.9,172.18.0.2,172.17.0.1}:{53,22}
    udp 10.0.0.10 {172.17.0.2,8.8.8.8}:53
    {udp,tcp} 172.17.0.2 {8.8.8.8,172.18.0.2,10.0.0.10,172.17.0.1,10.0.0.7}:{7000,9} iif docker0
    udp {10.0.0.7,8.8.8.8} 172.17.0.{2,9}:53 iif eth0
    udp 172.17.0.2 {8.8.8.8,10.0.0.7}:53 iif docker0 ttl {1,2}
    icmp 172.17.0.2 {172.17.0.1,172.18.0.1,10.0.0.10,172.17.255.255} iif docker0
    arp 172.17.0.2 {172.17.0.1,172.18.0.1,172.17.0.9} iif docker0
    arp 10.0.0.7 {10.0.0.10,172.17.0.1} iif eth0
    {udp,tcp} any {[fd00:17::2],[fd00:17::9],[2001:db8::1]}:53
    udp fd00:17::2 {[2001:db8::1],[fd00:1::7],[fd00:17::1]}:7000 iif docker0
    udp fd00:1::7 [fd00:17::{2,9}]:53 iif eth0 ttl {1,9}
    nd fd00:17::2 fd00:17::{1,9} iif docker0
    """,
)  # fmt: skip
KUBERNETES = Kind(
    "Kubernetes node", "a route for each pod, proxy ARP, other nodes by gateways",
    _PROGRAMS + """
tap eth0 02:00:00:00:00:10
veth cali1 ee:ee:ee:ee:ee:01
veth cali2 ee:ee:ee:ee:ee:02
veth cali3 ee:ee:ee:ee:ee:03
sysctl ipv4/ip_forward=1
sysctl ipv6/conf/all/forwarding=1
sysctl ipv4/conf/cali{1,2,3}/proxy_arp=1
sysctl ipv6/conf/cali{1,2,3}/proxy_ndp=1
addr add 10.0.0.10/24 brd + dev eth0
addr add fd00:1::10/64 dev eth0 nodad
route add default via 10.0.0.1 dev eth0
route add 10.244.1.2 dev cali1 scope link
route add 10.244.1.3 dev cali2 scope link
route add 10.244.1.4 dev cali3 scope link
route add blackhole 10.244.1.0/24
route add 10.244.2.0/24 via 10.0.0.11 dev eth0
route add unreachable 10.244.9.0/24
-6 route add default via fd00:1::1 dev eth0
-6 route add fd00:244:1::2 dev cali1
-6 route add fd00:244:2::/64 via fd00:1::11 dev eth0
-6 route add blackhole fd00:244:1::/64
neigh add 10.0.0.11 lladdr 02:00:00:00:00:0b dev eth0 nud reachable
neigh add 10.244.1.2 lladdr 02:00:00:00:02:02 dev cali1 nud reachable
neigh add fd00:244:1::2 lladdr 02:00:00:00:02:02 dev cali1 nud reachable
neigh add fd00:1::11 lladdr 02:00:00:00:00:0b dev eth0 nud reachable
""",
    """
    {udp,tcp} any 10.244.{1.2,1.3,1.99,2.7,9.1}:{53,22}
    udp 10.244.1.2 {10.244.1.3,10.244.2.7,8.8.8.8,10.0.0.10,10.244.1.99}:7000 iif cali1
    tcp 10.244.1.3 {10.244.1.2,10.244.2.7,10.0.0.10}:{22,80} iif cali2
    udp {10.244.2.7,10.0.0.11} 10.244.1.{2,3,99}:53 iif eth0
    udp 10.244.{2.8,1.2} 10.244.9.1:53 iif {eth0,cali1}
    udp 10.244.1.2 10.244.2.7:53 iif cali1 ttl {1,2}
    arp 10.244.1.{2,3} {169.254.1.1,10.0.0.10,10.244.1.3,10.244.1.2,8.8.8.8} iif cali{1,2}
    arp 10.0.0.7 {10.0.0.10,10.244.1.2} iif eth0
    icmp 10.244.1.2 {10.0.0.10,169.254.1.1} iif cali1
    {udp,tcp} any {[fd00:244:1::2],[fd00:244:1::9],[fd00:244:2::7]}:53
    udp fd00:244:1::2 {[fd00:244:2::7],[fd00:244:1::9],[fd00:1::10]}:7000 iif cali1
    udp fd00:244:2::7 [fd00:244:1::{2,9}]:53 iif eth0
    nd fd00:244:1::2 {fd00:1::10,fe80::ecee:eeff:feee:ee01} iif cali1
    """,
)  # fmt: skip
_UPLINKS = (
    _PROGRAMS
    + """
tap eth0 02:00:00:00:00:10
tap eth1 02:00:00:00:00:11
addr add 203.0.113.10/24 brd + dev eth0
addr add 198.51.100.10/24 brd + dev eth1
addr add 2001:db8:1::10/64 dev eth0 nodad
addr add 2001:db8:2::10/64 dev eth1 nodad
route add default via 203.0.113.1 dev eth0
-6 route add default via 2001:db8:1::1 dev eth0
neigh add 203.0.113.1 lladdr 02:00:00:00:00:01 dev eth0 nud reachable
neigh add 198.51.100.1 lladdr 02:00:00:00:00:02 dev eth1 nud reachable
neigh add 2001:db8:1::1 lladdr 02:00:00:00:00:01 dev eth0 nud reachable
neigh add 2001:db8:2::1 lladdr 02:00:00:00:00:02 dev eth1 nud reachable
"""
)
_UPLINK_ASKS = """
    {udp,tcp} {any,203.0.113.10,198.51.100.10} {8.8.8.8,198.51.100.9}:53
    udp any 8.8.8.8:53 dev {eth0,eth1}
    {udp,tcp} 8.8.8.8 203.0.113.10:{22,9} iif eth0
    {udp,tcp} 8.8.8.8 198.51.100.10:{22,9} iif {eth0,eth1}
    icmp 8.8.8.8 {203.0.113.10,198.51.100.10} iif {eth0,eth1}
    arp 203.0.113.9 {203.0.113.10,198.51.100.10} iif {eth0,eth1}
    arp 198.51.100.9 {203.0.113.10,198.51.100.10} iif {eth0,eth1}
    {udp,tcp} {any,2001:db8:2::10} {[2001:4860::8888],[2001:db8:2::9]}:53
    icmp 2001:4860::8888 2001:db8:{1,2}::10 iif {eth0,eth1}
    """
UPLINKS = Kind("multi-homed server", "no rules", _UPLINKS, _UPLINK_ASKS)
UPLINKS_RULES = Kind(
    "multi-homed server", "rules and tables, strict checks",
    _UPLINKS + """
rule add from 203.0.113.10 lookup 101 priority 101
rule add from 198.51.100.10 lookup 102 priority 102
rule add fwmark 2 lookup 102 priority 103
rule add to 192.0.2.0/24 prohibit priority 104
rule add from 203.0.113.10 to 10.0.0.0/8 blackhole priority 50
route add default via 203.0.113.1 dev eth0 table 101
route add default via 198.51.100.1 dev eth1 table 102
-6 rule add from 2001:db8:2::/64 lookup 102 priority 102
-6 route add default via 2001:db8:2::1 dev eth1 table 102
sysctl ipv4/conf/all/rp_filter=1
sysctl ipv4/conf/all/arp_ignore=1
sysctl ipv4/conf/all/arp_announce=2
""",
    _UPLINK_ASKS + """
    udp any {8.8.8.8,192.0.2.1}:53 mark {1,2}
    udp 203.0.113.10 {10.1.1.1,192.0.2.1}:53
    """,
)  # fmt: skip
ROUTER = Kind(
    "router", "three networks, routes that refuse, a small MTU",
    _PROGRAMS + """
tap lan 02:00:00:00:00:10
tap wan 02:00:00:00:00:11
tap dmz 02:00:00:00:00:12
tap gre0 02:00:00:00:00:13
sysctl ipv4/ip_forward=1
sysctl ipv6/conf/all/forwarding=1
link set gre0 mtu 1280
addr add 192.168.0.1/24 brd + dev lan
addr add 203.0.113.2/30 brd + dev wan
addr add 10.50.0.1/24 brd + dev dmz
addr add 10.60.0.1/30 dev gre0
addr add fd00:a::1/64 dev lan nodad
addr add 2001:db8::2/64 dev wan nodad
addr add fd00:d::1/64 dev dmz nodad
route add default via 203.0.113.1
route add 10.70.0.0/16 via 10.60.0.2
route add 10.71.0.0/16 via 10.50.0.9 mtu 1000
route add blackhole 10.0.0.0/8
route add prohibit 192.0.2.0/24
route add unreachable 198.18.0.0/15
route add 10.80.0.0/16 via 192.168.0.9
-6 route add default via 2001:db8::1
-6 route add fd00:70::/64 via fd00:d::9 mtu 1300
-6 route add blackhole fd00:99::/32
-6 route add prohibit fd00:98::/32
neigh add 203.0.113.1 lladdr 02:00:00:00:00:01 dev wan nud reachable
neigh add 192.168.0.{5,6,7} lladdr 02:00:00:00:00:05 dev lan nud reachable
neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev wan nud reachable
neigh add fd00:a::{5,6,7} lladdr 02:00:00:00:00:05 dev lan nud reachable
""",
    """
    {udp,tcp} 192.168.0.5 {8.8.8.8,10.50.0.7,10.70.1.1,10.90.0.1,10.80.0.1}:53 iif lan
    icmp 192.168.0.6 {8.8.8.8,10.50.0.7,203.0.113.2,192.168.0.1,10.50.0.255} iif lan
    udp 192.168.0.7 10.{70,71}.1.1:53 iif lan size {900,1252,1253}
    udp 192.168.0.{20,21} {192.0.2.1,198.18.0.1}:53 iif lan
    udp 192.168.0.{22,23} 8.8.8.8:53 iif lan ttl {1,2}
    udp {8.8.8.8,203.0.113.1} {192.168.0.5,10.50.0.7,10.70.1.1}:53 iif wan
    udp {127.0.0.1,224.0.0.1,203.0.113.2,255.255.255.255} 192.168.0.5:53 iif wan
    udp 192.168.0.5 {224.0.0.5,255.255.255.255,192.168.0.255,127.0.0.1}:7000 iif lan
    udp 192.168.0.5 8.8.8.8:53 iif lan dmac {all,other}
    {udp,tcp} any {8.8.8.8,10.70.1.1,10.90.0.1,192.0.2.1,198.18.0.1}:53
    arp {192.168.0.5,10.50.0.7} {192.168.0.1,10.50.0.1,10.50.0.9} iif lan
    {udp,tcp} fd00:a::5 {[2001:db8:9::1],[fd00:d::7],[fd00:99::1],[fd00:98::1]}:53 iif lan
    udp fd00:a::6 [fd00:70::1]:53 iif lan size {1200,1252,1253}
    udp fd00:a::7 [2001:db8:9::1]:53 iif lan ttl {1,2}
    icmp fd00:a::7 {fd00:a::1,fd00:d::1,ff02::1,fe80::ff:fe00:10} iif lan
    nd fd00:a::5 {fd00:a::1,fd00:d::1} iif lan
    udp {::1,ff02::1,fe80::5} [fd00:d::7]:53 iif lan
    """,
)  # fmt: skip
KINDS = (
    CLOUD, CLOUD_TWO, LAPTOP, DOCKER, KUBERNETES, UPLINKS, UPLINKS_RULES, ROUTER,
)  # fmt: skip
