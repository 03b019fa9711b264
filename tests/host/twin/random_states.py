"""States of hosts from a seed: any attribute may have any value, right or wrong."""

from random import Random
from typing import Any

from smolctl.host import links
from smolctl.host.groups import Anycast, Group, Groups, SourceFilter
from smolctl.host.hooks import Hook
from smolctl.host.neighbors import Neighbor
from smolctl.host.nexthops import Member, Nexthop
from smolctl.host.reading import HostState
from smolctl.host.sysctls import Sysctls
from smolctl.wire.address import IPV6_MARK, parse_address
from tests.host.twin import hosts

_KINDS = ("", "veth", "bridge", "vlan", "bond", "tun", "wireguard", "vrf", "foo", "macvlan", "gre")
_TYPES = (links.ETHER, links.LOOPBACK_TYPE, links.NONE_TYPE, 32, 778, 512, 7777)
_SOME = [
    parse_address(text)
    for text in ("0.0.0.0", "10.0.0.1", "10.0.0.9", "127.0.0.1", "224.0.0.1", "255.255.255.255",
                 "::", "::1", "2001:db8::1", "fe80::1", "ff02::1", "::ffff:10.0.0.1")
]  # fmt: skip
_SYSCTLS = (
    "ipv4/ip_forward", "ipv4/conf/all/rp_filter", "ipv4/conf/eth0/arp_ignore", "ipv4/conf/a/b/c",
    "ipv6/conf/all/forwarding", "ipv6/conf/eth0/accept_dad", "ipv4/ip_local_port_range", "core/x",
    "ipv4/neigh/eth0/mcast_solicit", "ipv6/conf/eth0/disable_ipv6", "ipv4/conf/default/rp_filter",
    "ipv4/conf/eth0/forwarding", "ipv4/conf/eth1/ignore_routes_with_linkdown",
)  # fmt: skip


class RandomHost:
    """A generator of one state."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._count = self._random.randint(0, 6)

    def state(self) -> HostState:
        """Return the state."""
        flip = self._random.random
        names = [f"eth{number}" for number in range(self._count)]
        if names and flip() < 0.2:
            names[-1] = self._random.choice(["lo", "all", "default", "eth0", "x" * 15])
        there = [self._link(index + 2, name) for index, name in enumerate(names)]
        if flip() < 0.9:
            there.insert(0, hosts.loopback(flags=self._bits() | links.LOOPBACK))
        return HostState(
            release=(0, 0), settled=flip() < 0.5, links=tuple(there),
            addresses=tuple(self._address() for _ in range(self._few())),
            routes=tuple(self._route() for _ in range(self._few(12))),
            learned=tuple(self._route() for _ in range(self._few())),
            nexthops=tuple(self._nexthop(number) for number in range(1, self._few())),
            rules=tuple(self._rule() for _ in range(self._few())),
            neighbors=tuple(self._neighbor() for _ in range(self._few())),
            proxies=tuple(self._neighbor() for _ in range(self._few(2))),
            groups=self._groups(),
            sysctls=Sysctls(
                {path: self._text() for path in self._random.sample(_SYSCTLS, self._few(9))}, ()
            ),
            sockets=tuple(self._socket() for _ in range(self._few())),
            hooks=(Hook("nftables", None, "rules may exist"),) if flip() < 0.5 else (),
        )  # fmt: skip

    # --- values -----------------------------------------------------------------------------------

    def _few(self, most: int = 5) -> int:
        return self._random.randint(0, most)

    def _bits(self) -> int:
        return self._random.getrandbits(20) | (links.UP if self._random.random() < 0.7 else 0)

    def _number(self) -> int:
        return self._random.choice((0, 1, 2, 3, 4, 253, 254, 255, 1500, 0xFFFFFFFF, 1000))

    def _text(self) -> str:
        return self._random.choice(("0", "1", "2", "-1", "x", "", "32768\t60999", "99999999999"))

    def _index(self) -> int:
        return self._random.randint(0, self._count + 3)

    def _ip(self) -> int:
        random = self._random
        if random.random() < 0.7:
            return random.choice(_SOME)
        if random.random() < 0.5:
            return random.getrandbits(32)
        return IPV6_MARK | random.getrandbits(128)

    def _maybe(self, value: Any) -> Any:
        return value if self._random.random() < 0.5 else None

    def _family(self, address: int) -> int:
        right = hosts.AF_INET6 if address >= IPV6_MARK else hosts.AF_INET
        return right if self._random.random() < 0.9 else self._random.choice((2, 10, 7))

    def _plen(self, address: int) -> int:
        most = 128 if address >= IPV6_MARK else 32
        return self._random.choice((0, 8, 24, most // 2, most, most, self._random.randint(0, 255)))

    # --- parts ------------------------------------------------------------------------------------

    def _link(self, index: int, name: str) -> links.Link:
        random = self._random
        return hosts.link(
            index, name, type=random.choice(_TYPES), flags=self._bits(), kind=random.choice(_KINDS),
            carrier=random.random() < 0.7,
            mtu=random.choice((0, 68, 1280, 1500, 65536, 0xFFFFFFFF)),
            mac=random.randbytes(random.choice((0, 4, 6, 6, 6, 20))), lower=self._index(),
            lower_netns=self._maybe(1), master=self._index(), port_kind=random.choice(_KINDS),
            data={number: random.randbytes(self._few(4)) for number in range(self._few(8))},
            port_data={1: random.randbytes(self._few(2))}, unknown=self._unknown(),
        )  # fmt: skip

    def _unknown(self) -> tuple[int, ...]:
        return (99,) if self._random.random() < 0.1 else ()

    def _address(self) -> Any:
        local = self._ip()
        return hosts.address(
            self._index(), "10.0.0.1/8", local=local, family=self._family(local),
            plen=self._plen(local), peer=self._maybe(self._ip()), broadcast=self._maybe(self._ip()),
            scope=self._number() & 0xFF, flags=self._bits(), valid=self._maybe(self._number()),
            preferred=self._maybe(self._number()), metric=self._number(), unknown=self._unknown(),
        )  # fmt: skip

    def _hop(self) -> Any:
        hop = hosts.hop(self._index(), weight=self._few(300), flags=self._bits() & 0xFF)
        encap = 1 if self._random.random() < 0.1 else 0
        return hop._replace(gateway=self._maybe(self._ip()), encap=encap, unknown=self._unknown())

    def _route(self) -> Any:
        random, dst = self._random, self._ip()
        metrics = ((1, 1 << 2), (2, self._number())) if random.random() < 0.3 else ()
        return hosts.route(
            "10.0.0.0/8", *(self._hop() for _ in range(random.choice((0, 1, 1, 1, 2, 3)))), dst=dst,
            plen=self._plen(dst), family=self._family(dst), src=self._ip(),
            src_plen=random.choice((0, 0, 0, 64)), tos=random.choice((0, 0, 0, 16)),
            table=random.choice((254, 255, 253, 100, 0, 1 << 31)), type=random.randint(0, 12),
            scope=self._number() & 0xFF, protocol=self._number() & 0xFF,
            metric=self._number(), prefsrc=self._maybe(self._ip()), metrics=metrics,
            nhid=self._few(9), pref=self._few(3), flags=random.choice((0, 0, 0, 0x200)),
            expires=self._maybe(self._number()), unknown=self._unknown(),
        )  # fmt: skip

    def _nexthop(self, number: int) -> Nexthop:
        members = tuple(Member(self._few(), self._few(300)) for _ in range(self._few(3)))
        return Nexthop(
            number, self._family(0), 0, 3, self._bits() & 0xFF, self._index(),
            self._maybe(self._ip()), self._random.random() < 0.2, members, False, False, 0, b"", (),
        )  # fmt: skip

    def _rule(self) -> Any:
        random, src, dst = self._random, self._ip(), self._ip()
        return hosts.rule(
            self._number(), self._number(), self._family(src), action=random.randint(0, 9),
            goto=self._maybe(self._number()), flags=self._few(31), src=src,
            src_plen=random.choice((0, self._plen(src))), dst=dst,
            dst_plen=random.choice((0, self._plen(dst))), tos=random.choice((0, 0, 8)),
            iif=random.choice(("", "eth0", "nope")), oif=random.choice(("", "eth1")),
            mark=self._few(), mask=self._few(), uids=self._maybe((0, self._number())),
            sports=self._maybe((1, 2)), dports=self._maybe((5, 1)), label=self._maybe(5),
            ip_proto=self._maybe(17), tun_id=self._few(1), l3mdev=random.random() < 0.1,
            suppress_plen=self._maybe(self._number()), suppress_group=self._maybe(1),
            protocol=self._number() & 0xFF, unknown=self._unknown(),
        )  # fmt: skip

    def _neighbor(self) -> Neighbor:
        random, dst = self._random, self._ip()
        mac = random.randbytes(random.choice((0, 4, 6, 6, 20)))
        state = random.choice((0, 1, 2, 4, 8, 16, 32, 64, 128, 3))
        times = (self._number(), self._number(), self._number())
        return Neighbor(self._index(), self._family(dst), dst, mac, state, self._bits(), *times,
                        self._few(), 0, ())  # fmt: skip

    def _groups(self) -> Groups:
        found = [
            Group(self._index(), self._family(ip), ip, b"", 1)
            for ip in (self._ip() for _ in range(self._few()))
        ]
        sources = [SourceFilter(self._index(), self._ip(), self._ip(), 1, 0)] * self._few(1)
        return Groups(tuple(found), tuple(sources), (Anycast(self._index(), self._ip(), 1),))

    def _socket(self) -> Any:
        random, local = self._random, self._ip()
        made = hosts.socket(
            random.choice((6, 17, 255, 1, 136)), "10.0.0.1", random.choice((0, 53, 80, 65535))
        )
        return made._replace(
            local=local, family=self._family(local), state=random.randint(0, 14),
            remote=self._ip(), rport=random.choice((0, 0, 9)), oif=self._maybe(self._index()),
            v6only=self._maybe(random.random() < 0.5), tos=self._maybe(self._few()),
            mark=self._maybe(self._few()), options=self._maybe(self._few(255)),
            waiting_in=self._few(), waiting_out=self._few(), uid=self._number(),
        )  # fmt: skip
