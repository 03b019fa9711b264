"""A namespace with some of everything that can be read, and what iproute2 says of it."""

import json
from typing import Any

from tests.kit.netns import Namespace

COMMANDS = """
link add v0 type veth peer name v1
link add v2 type veth peer name v3
link add br0 type bridge
link set v2 master br0
link add mv0 link v0 type macvlan mode bridge
link set v0 address 02:00:00:00:00:0a alias web mtu 1400 txqueuelen 77
link property add dev v0 altname uplink
link set v0 group 7
link set v0 promisc on
link set v0 up
link set v1 up
link set v2 up
link set br0 up
link set mv0 arp off
tuntap add t0 mode tun
tuntap add t1 mode tap
link set t0 up
addr add 10.0.0.1/24 brd + dev v0
addr add 10.0.0.2/24 dev v0 label v0:two
addr add 10.9.0.1 peer 10.9.0.2/32 dev v0
addr add 10.8.0.1/24 dev v0 noprefixroute metric 77
addr add 10.7.0.1/24 dev v0 valid_lft 1000 preferred_lft 500
addr add 10.6.0.1/24 scope link dev v0
addr add 2001:db8::1/64 dev v0 nodad
addr add 2001:db8:1::1/64 dev v0 nodad noprefixroute
addr add 2001:db8:2::1/64 dev v0 nodad valid_lft 1000 preferred_lft 0
addr add 2001:db8:3::1 peer 2001:db8:3::2/128 dev v0 nodad
addr add fe80::99/64 dev v0 nodad
route add default via 10.0.0.254 metric 100
route add 10.20.0.0/16 via 10.0.0.254 mtu lock 1300 advmss 1200 window 4000 initcwnd 9 congctl cubic
route add 10.21.0.0/16 via 10.0.0.254 src 10.0.0.2 tos 0x10 proto static realm 5
route add 10.22.0.0/16 nexthop via 10.0.0.253 weight 3 nexthop via 10.0.0.252 dev v0 onlink
route add 10.23.0.0/16 via inet6 fe80::1 dev v0
route add blackhole 10.30.0.0/16
route add unreachable 10.31.0.0/16 metric 5
route add prohibit 10.32.0.0/16
route add throw 10.33.0.0/16 table 100
route add local 10.34.0.0/16 dev lo table 100000
route add broadcast 10.35.0.1 dev v0
route add 10.36.0.0/16 dev v0 scope link
route add 10.37.0.0/16 via 10.77.0.1 dev v0 onlink
route add default via fe80::1 dev v0 metric 9 pref high
route add 2001:db8:20::/48 via 2001:db8::9 mtu 1290 hoplimit 9 expires 600
route add 2001:db8:21::/48 nexthop via 2001:db8::9 weight 2 nexthop via fe80::2 dev v0
route add blackhole 2001:db8:30::/48
route add unreachable 2001:db8:31::/48
route add prohibit 2001:db8:32::/48
route add throw 2001:db8:33::/48 table 100
route add 2001:db8:40::/48 from 2001:db8::/64 dev v0
route add local 2001:db8:50::/64 dev lo
route add anycast 2001:db8:51::1 dev v0
nexthop add id 1 via 10.0.0.251 dev v0
nexthop add id 2 dev v0 proto static
nexthop add id 3 group 1/2,4
nexthop add id 4 blackhole
nexthop add id 5 via fe80::5 dev v0
nexthop add id 6 group 1/4,5 type resilient buckets 8
route add 10.50.0.0/16 nhid 1
route add 10.51.0.0/16 nhid 3
route add 10.52.0.0/16 nhid 4
route add 2001:db8:60::/48 nhid 5
rule add from 10.1.0.0/16 to 10.2.0.0/16 iif v0 oif nolink lookup 100 priority 10
rule add not fwmark 0x10/0xff tos 0x8 lookup main suppress_prefixlength 0 priority 11
rule add uidrange 5-10 ipproto udp sport 53 dport 1000-2000 prohibit priority 12
rule add goto 32766 priority 13
rule add goto 31000 priority 14
rule add unreachable priority 15 from 10.1.0.1
rule add blackhole priority 16 to 10.2.0.1
rule add nop priority 17 protocol static
rule add lookup 100000 suppress_ifgroup 7 priority 18
rule add l3mdev priority 19
-6 rule add from 2001:db8::/32 to 2001:db8:9::/48 iif v0 fwmark 7 ipproto tcp dport 80 lookup 100
rule add lookup 5 dscp 9 priority 20
neigh add 10.0.0.10 lladdr 02:00:00:00:00:01 dev v0 nud permanent
neigh add 10.0.0.11 lladdr 02:00:00:00:00:02 dev v0 nud reachable
neigh add 10.0.0.12 lladdr 02:00:00:00:00:03 dev v0 nud stale protocol static
neigh add 10.0.0.13 lladdr 02:00:00:00:00:04 dev v0 nud noarp
neigh add 10.0.0.14 dev v0 nud failed
neigh add 10.0.0.15 lladdr 02:00:00:00:00:05 dev v0 nud delay
neigh add 10.0.0.16 lladdr 02:00:00:00:00:06 dev v0 nud probe
neigh add 10.0.0.17 dev v0 nud incomplete
neigh add 10.0.0.18 lladdr 02:00:00:00:00:07 dev v0 extern_learn
neigh add 2001:db8::10 lladdr 02:00:00:00:00:08 dev v0 nud permanent router
neigh add proxy 10.0.0.99 dev v0
neigh add proxy 2001:db8::99 dev v0 router
maddr add 01:00:5e:01:02:03 dev v0
"""


class World:
    """The namespace, and the commands that this kernel or iproute2 did not take."""

    def __init__(self) -> None:
        self.netns = Namespace()
        self.refused: list[str] = []
        self._make()

    def _make(self) -> None:
        # One by one: in a batch, ip ends at a word that it does not know.
        commands = COMMANDS.split("\n")
        script = "\n".join(
            f"ip {each} 2>/dev/null || echo {number}"
            for number, each in enumerate(commands)
            if each
        )
        done = self.netns.run("sh", "-s", input=script)
        self.refused = [commands[int(at)] for at in done.stdout.split()]

    def ip(self, *words: str) -> list[dict[str, Any]]:
        """Return what ``ip -j`` with these words says."""
        said = self.netns.run("ip", "-j", *words, check=True).stdout
        return [each for each in json.loads(said or "[]") if each]

    def close(self) -> None:
        """Take the namespace away."""
        self.netns.close()
