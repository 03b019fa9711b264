"""Random stacks, random frames and random events, for the properties of the whole stack."""

from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from hypothesis import strategies as st

from smolctl.errors import StackError
from smolctl.stack.config.link import set_carrier, set_up
from smolctl.stack.config.route import add_route
from smolctl.stack.config.rule import add_rule, delete_rule
from smolctl.stack.config.vlan import add_vlan
from smolctl.stack.fib.nexthop import NextHop, with_ways
from smolctl.stack.fib.route import InsertMode, Route, RouteType, TableName
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.interface import Vlan
from smolctl.stack.ip.network import Network
from smolctl.stack.neighbor.states import State
from smolctl.stack.sysctl.settings import named
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import IPV4
from smolctl.wire.vlan import Tpid
from tests.kit.host import PEER_MAC, Host, ip
from tests.kit.host6 import PEER_LINK_LOCAL
from tests.property.frames import DEVS, IPS, IPS6, devs

ADDRESSES = (
    ("10.0.0.1/24", "tap0"),
    ("10.0.0.3/24", "tap0"),
    ("10.1.0.1/24", "tap1"),
    ("10.0.0.4/16", "tap1"),
    ("192.168.1.1/32", "tap0"),
    ("10.9.0.1/16", "lo"),
    ("10.0.0.5/24", "tap0.5"),
    ("2001:db8::1/64", "tap0"),
    ("2001:db8::1/64", "tap0"),
    ("2001:db8::3/64", "tap0"),
    ("2001:db8:1::1/64", "tap1"),
    ("2001:db8::5/64", "tap0.5"),
    ("2001:db8::4/32", "tap1"),
)
ROUTES: tuple[dict[str, Any], ...] = (
    {"prefix": "0.0.0.0/0", "via": "10.0.0.2"},
    {"prefix": "8.0.0.0/8", "kind": RouteType.BLACKHOLE},
    {"prefix": "8.8.0.0/16", "kind": RouteType.THROW},
    {"prefix": "10.2.0.0/16", "via": "10.1.0.2", "mtu": 100},
    {"prefix": "10.0.0.9/32", "dev": "tap1"},
    {"prefix": "8.8.8.0/24", "via": "10.0.0.2", "mtu": 90, "mtu_lock": True},
    {"prefix": "10.0.0.2/32", "kind": RouteType.PROHIBIT},
    {"prefix": "::/0", "dev": "tap0", "via": PEER_LINK_LOCAL},
    {"prefix": "2600::/16", "kind": RouteType.BLACKHOLE},
    {"prefix": "2001:db8:2::/48", "via": "2001:db8:1::2", "mtu": 1300},
    {"prefix": "2001:db8::9/128", "dev": "tap1"},
    {"prefix": "2001:db8::2/128", "kind": RouteType.PROHIBIT},
)
SEVERAL = (("10.0.0.2", 1), ("10.1.0.2", 2), ("10.0.0.9", 1))
SEVERAL6 = (("2001:db8::2", 1), ("2001:db8:1::2", 2), ("2001:db8::9", 1))
"""Next hops that share a default route."""
RULES: tuple[dict[str, Any], ...] = (
    {"priority": 10, "dst": "8.8.8.8", "dst_len": 32, "action": RuleAction.PROHIBIT},
    {"priority": 20, "iif": "tap0", "src": "10.0.0.2", "src_len": 32, "sport": (9, 9), "table": 5},
    {"priority": 30, "src": "10.0.0.3", "src_len": 32, "table": 5},
    {"priority": 40, "ipproto": 17, "dport": (7, 8), "table": 5},
    {"priority": 45, "tos": 0x10, "action": RuleAction.UNREACHABLE},
    {"priority": 50, "invert": True, "dst": "10.0.0.0", "dst_len": 8, "suppress": 0},
    {"priority": 60, "action": RuleAction.GOTO, "target": 32767},
    {"priority": 70, "iif": "tap1", "action": RuleAction.BLACKHOLE},
    {"priority": 80, "oif": "tap1", "action": RuleAction.UNREACHABLE},
    {"priority": 10, "dst": "2600::", "dst_len": 16, "action": RuleAction.PROHIBIT},
    {"priority": 20, "iif": "tap0", "src": "2001:db8::2", "src_len": 128, "table": 5},
    {"priority": 30, "src": "2001:db8::3", "src_len": 128, "table": 5},
    {"priority": 40, "dst": "::", "ipproto": 17, "dport": (7, 8), "table": 5},
    {"priority": 50, "invert": True, "dst": "2001:db8::", "dst_len": 32, "suppress": 0},
    {"priority": 70, "dst": "::", "iif": "tap1", "action": RuleAction.BLACKHOLE},
)
"""Rules of the family of their addresses, of IPv4 those that have none."""
TABLE: tuple[dict[str, Any], ...] = (
    {"prefix": "8.0.0.0/8", "via": "10.0.0.2", "table": 5},
    {"prefix": "10.0.0.0/24", "dev": "tap1", "table": 5},
    {"prefix": "10.0.0.1/32", "kind": RouteType.LOCAL, "dev": "tap0", "table": 5},
    {"prefix": "2600::/16", "via": "2001:db8::2", "dev": "tap0", "table": 5},
    {"prefix": "2001:db8::/64", "dev": "tap1", "table": 5},
    {"prefix": "2001:db8::1/128", "kind": RouteType.LOCAL, "dev": "tap0", "table": 5},
)
SYSCTLS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("arp.accept", (0, 1)),
    ("arp.accept_from", (0, 1, 2)),
    ("arp.answer_probes", (0, 1)),
    ("arp.accept_target", (0, 1)),
    ("arp.announce", (0, 1, 2)),
    ("arp.dad", (0, 0, 1)),
    ("arp.defend", (0, 1, 2, 3)),
    ("arp.filter", (0, 1)),
    ("arp.ignore", (0, 1, 2)),
    ("arp.notify", (0, 1)),
    ("arp.proxy", (0, 1)),
    ("icmp.echo_ignore_all", (0, 0, 1)),
    ("icmp.echo_ignore_broadcasts", (0, 1)),
    ("icmp.ratelimit_ms", (0, 1000)),
    ("iface.neighbor_cache_count", (1, 2, 1024)),
    ("iface.max_addr_count", (0, 2)),
    ("iface.max_route_count", (0, 1)),
    ("icmp.answer_timestamp", (0, 1)),
    ("icmp.error_tos", (0, 1)),
    ("ip.accept_redirects", (0, 1, 1)),
    ("ip.shared_media", (0, 1)),
    ("ip.secure_redirects", (0, 0, 1)),
    ("ip.accept_source_route", (0, 1)),
    ("ip.bc_forwarding", (0, 1)),
    ("ip.ignore_routes_with_linkdown", (0, 1)),
    ("ip.loopback_leaves", (0, 1)),
    ("ip.multipath_carrier", (0, 1)),
    ("ip.source_zero", (0, 1)),
    ("ip.zero_is_own", (0, 1)),
    ("ip.zeronet", (0, 1)),
    ("ip.broadcast_source", (0, 1)),
    ("icmp6.anycast_source", (0, 1)),
    ("ip6.check_scope", (0, 1)),
    ("ip6.check_source", (0, 1)),
    ("ip6.source_first", (0, 1)),
    ("ip6.any_link", (0, 1)),
    ("ip6.ignore_routes_with_linkdown", (0, 1)),
    ("iface.snap", (0, 1)),
    ("udp.tell_bound", (0, 1)),
    ("ip.drop_unicast_in_l2_multicast", (0, 1)),
    ("ip.fib_multipath_hash_policy", (0, 1)),
    ("ip.fib_multipath_use_neigh", (0, 1)),
    ("igmp.force_version", (0, 1, 2)),
    ("igmp.strict_queries", (0, 1)),
    ("ip.first_source", (0, 1)),
    ("ip.forward", (1, 1, 0)),
    ("ip.forward_special", (0, 1)),
    ("ip.frag_time_ms", (1000, 30_000)),
    ("ip.local_prefix", (0, 1)),
    ("ip.loopback_own", (0, 1)),
    ("ip.multicast_all", (0, 1)),
    ("ip.multicast_ttl", (0, 1, 64)),
    ("ip.min_pmtu", (68, 552)),
    ("ip.mtu_expires_ms", (1000, 600_000)),
    ("ip.no_pmtu_disc", (0, 0, 1, 2)),
    ("ip.no_route", (0, 1)),
    ("ip.onlink_first", (0, 1)),
    ("ip.pmtu_plateaus", (0, 1)),
    ("ip.rp_filter", (0, 1, 2)),
    ("ip.send_redirects", (0, 1)),
    ("ip.strong_host", (0, 1)),
    ("ip.subnet_broadcast", (0, 1)),
    ("ip6.accept_redirects", (0, 1, 1)),
    ("ip6.bindv6only", (0, 0, 1)),
    ("ip6.forward", (1, 1, 0)),
    ("ip6.frag_time_ms", (1000, 60_000)),
    ("ip6.max_dst_opts", (0, 8)),
    ("ip6.auto_flowlabels", (0, 1)),
    ("ip6.disable", (0, 0, 1)),
    ("ip6.drop_unicast_in_l2_multicast", (0, 1)),
    ("ip6.flowlabel_reflect", (0, 1)),
    ("ip6.multicast_hops", (0, 1, 64)),
    ("ip6.mtu_expires_ms", (1000, 600_000)),
    ("icmp6.echo_ignore_all", (0, 0, 1)),
    ("icmp6.echo_ignore_anycast", (0, 1)),
    ("icmp6.echo_ignore_multicast", (0, 1)),
    ("icmp6.ratelimit_ms", (0, 100)),
    ("mld.force_version", (0, 1, 2)),
    ("nd.accept_dad", (0, 1, 2)),
    ("nd.ask_from_any", (0, 1)),
    ("nd.accept_untracked_na", (0, 1, 2)),
    ("nd.dad_transmits", (1, 2)),
    ("nd.drop_unsolicited_na", (0, 1)),
    ("nd.notify", (0, 1)),
    ("nd.optimistic_dad", (0, 1)),
    ("neigh.locktime_ms", (0, 1000)),
    ("neigh.evict", (0, 1)),
    ("neigh.lifetime_ms", (0, 60_000)),
    ("neigh.queue_answers", (0, 1)),
    ("neigh.rate_limit_scope", (0, 1)),
    ("neigh.unres_qlen", (0, 1, 256)),
    ("neigh.proxy_delay_ms", (0, 800)),
    ("neigh.proxy_qlen", (0, 64)),
    ("udp.rmem_default", (256, 212_992)),
    ("udp.wmem_default", (256, 212_992)),
)
SOCKETS: tuple[tuple[int, str, str | None], ...] = (
    (7, "0.0.0.0", None),
    (7, "10.0.0.1", "tap0"),
    (8, "10.0.0.1", None),
    (8, "127.0.0.1", None),
    (9, "0.0.0.0", "tap1"),
    (5000, "0.0.0.0", None),
    (5000, "10.0.0.255", None),
    (7, "::", None),
    (8, "2001:db8::1", None),
    (9, "::", "tap1"),
    (9, "::1", None),
)

SENT_OPTIONS = b"\x83\x07\x04\x0a\0\0\x02\x07\x0b\x04" + bytes(8)
"""Options of one of the sockets: by 10.0.0.2, and record the route."""


class Config(NamedTuple):
    """The beginning of a random stack: which of the things above it has."""

    addresses: list[tuple[str, str]]
    routes: list[dict[str, Any]]
    sysctls: list[tuple[str, int]]
    sockets: list[tuple[int, str, str | None]]
    known: list[tuple[str, str, bool]]
    connected: bool
    down: str | None
    no_carrier: str | None
    rules: list[dict[str, Any]]
    local_first: bool
    several: bool
    shared: bool


def subset(pool: tuple[Any, ...]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(pool), unique_by=repr, max_size=len(pool))


LINK_SCOPES = ("all", "default", *DEVS)


def at_link(key: str, scope: str) -> str:
    """Return the key of a sysctl in a scope, if links have it."""
    return f"{scope}.{key}" if scope and named(key).item.link is not None else key


configs = st.builds(
    Config,
    st.just([ADDRESSES[0]]).flatmap(lambda first: subset(ADDRESSES[1:]).map(first.__add__)),
    subset(ROUTES),
    st.lists(
        st.sampled_from(SYSCTLS).flatmap(
            lambda sysctl: st.tuples(
                st.sampled_from(["", "", *LINK_SCOPES]).map(partial(at_link, sysctl[0])),
                st.sampled_from(sysctl[1]),
            )
        ),
        max_size=6,
    ),
    subset(SOCKETS),
    st.lists(st.tuples(st.sampled_from(IPS[:9] + IPS6[:9]), devs, st.booleans()), max_size=4),
    st.booleans(),
    st.sampled_from([None] * 12 + [*DEVS]),
    st.sampled_from([None] * 12 + [*DEVS]),
    st.just([]) | subset(RULES),
    st.sampled_from([True] * 7 + [False]),
    st.booleans(),
    st.booleans(),
)


def anything(net: Network) -> dict[str, Any]:
    """Return the ends of a rule that is for all packets of a family."""
    return {"src": net.family.mark, "dst": net.family.mark}


class World:
    """A host made from a config. What the config asks for in vain is left out.

    Attributes:
        echo, arping: one client each for ping and arping, waiting for 10.0.0.2.
    """

    def __init__(self, config: Config) -> None:
        self.host = Host(bare=True, ipv6=True)
        self.host.link("tap1")
        self.stack = self.host.stack
        trunk = Vlan(self.host.tap, Tpid.CUSTOMER, 5)
        add_vlan(self.stack.shared, "tap0.5", trunk, None, None)
        self.sockets: list[UdpSocket] = []
        for key, value in config.sysctls:
            self.host.set(key, value)
        for address, dev in config.addresses:
            with suppress(StackError):
                self.host.add(address, dev)
        for route in config.routes:
            with suppress(StackError):
                self.host.route(**route)
        self._add_rules(config)
        for bound in config.sockets * (1 + config.shared):
            with suppress(StackError):
                self.sockets.append(self.host.socket(*bound, reuse=config.shared))
                self.sockets[-1].owner = f"socket {len(self.sockets)}"
        for local, port in (("0.0.0.0", 7), ("10.0.0.1", 8)):
            listener = self.stack.tcp.open("listener")
            with suppress(StackError):
                self.stack.tcp.bind(listener, ip(local) or None, port)
                self.stack.tcp.listen(listener, 1)
        for address, dev, for_good in config.known:
            state = State.PERMANENT if for_good else State.REACHABLE
            with suppress(StackError):
                self.host.know(address, PEER_MAC, state, dev)
        self._finish(config)
        self.client = self.stack.ping.open(ip("10.0.0.2"))
        self.arping = self.stack.arp_open("tap0", ip("10.0.0.2"), ip("10.0.0.1"))

    def _add_rules(self, config: Config) -> None:
        for several in (SEVERAL, SEVERAL6) if config.several else ():
            ways = [NextHop(None, ip(via), weight) for via, weight in several]
            net = self.stack.networks.for_address(ip(several[0][0]))
            with suppress(StackError):
                new = with_ways(Route(net.family.mark, 0), ways)
                add_route(net, new, InsertMode.REPLACE)
        for route in TABLE if config.rules else ():
            with suppress(StackError):
                self.host.route(**route)
        for said in config.rules:
            made: dict[str, Any] = {
                key: ip(value) if key in ("src", "dst") else value for key, value in said.items()
            }
            net = self.stack.networks.for_address(made.get("src", made.get("dst", 0)))
            add_rule(net, Rule(**{**anything(net), **made}))
        for net in () if config.local_first else self.stack.networks.values():
            delete_rule(net, next(iter(net.fib.rules)))
            add_rule(net, Rule(32000, table=TableName.LOCAL, **anything(net)))

    def _finish(self, config: Config) -> None:
        if config.connected and self.sockets:
            peer = "10.0.0.2" if self.sockets[-1].family is IPV4 else "2001:db8::2"
            with suppress(StackError):
                self.stack.udp.connect(self.sockets[-1], ip(peer), 9)
        if not self.sockets:
            self.sockets.append(self.host.socket(6))
        self.sockets[0].broadcast = True
        if len(self.sockets) > 2:
            self.sockets[1].tos = 0xB8
            self.sockets[2].options = SENT_OPTIONS
        if config.down is not None:
            self.up(config.down, False)
        if config.no_carrier is not None:
            self.carrier(config.no_carrier, False)

    def up(self, dev: str, up: bool) -> None:
        set_up(self.stack.shared, self.host.dev(dev), up, self.host.now)

    def carrier(self, dev: str, on: bool) -> None:
        set_carrier(self.stack.shared, self.host.dev(dev), on, self.host.now)
