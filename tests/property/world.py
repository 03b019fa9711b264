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
from smolctl.stack.neighbor.states import State
from smolctl.stack.sysctl.settings import named
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import icmpv4, vlan
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC, multicast_mac
from smolctl.wire.vlan import Tpid, VlanTag
from tests.kit.groups import ALL_HOSTS, GROUP, group_frame, igmp_frame, query, reported
from tests.kit.host import (
    OTHER_MAC,
    OUR_MAC,
    PEER_MAC,
    Host,
    arp_frame,
    frame_of,
    icmp_frame,
    ip,
    packet_of,
    udp_frame,
    udp_packet,
)

DEVS = ("tap0", "tap1")
ADDRESSES = (
    ("10.0.0.1/24", "tap0"),
    ("10.0.0.3/24", "tap0"),
    ("10.1.0.1/24", "tap1"),
    ("10.0.0.4/16", "tap1"),
    ("192.168.1.1/32", "tap0"),
    ("10.9.0.1/16", "lo"),
    ("10.0.0.5/24", "tap0.5"),
)
# Ours and others', on the link and off it, groups, and what must never be seen on a wire.
IPS = (
    "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.2", "10.0.0.3", "10.0.0.4",
    "10.0.0.9", "10.0.0.255", "10.1.0.1", "10.1.0.2", "10.9.7.7", "8.8.8.8", "127.0.0.1",
    "127.0.0.2", "0.0.0.0", "0.0.0.9", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255",
)  # fmt: skip
MACS = (OUR_MAC, OTHER_MAC, PEER_MAC, BROADCAST_MAC, ZERO_MAC, multicast_mac(1))
PORTS = (7, 8, 9, 5000, 0)
ROUTES: tuple[dict[str, Any], ...] = (
    {"prefix": "0.0.0.0/0", "via": "10.0.0.2"},
    {"prefix": "8.0.0.0/8", "kind": RouteType.BLACKHOLE},
    {"prefix": "8.8.0.0/16", "kind": RouteType.THROW},
    {"prefix": "10.2.0.0/16", "via": "10.1.0.2", "mtu": 100},
    {"prefix": "10.0.0.9/32", "dev": "tap1"},
    {"prefix": "8.8.8.0/24", "via": "10.0.0.2", "mtu": 90, "mtu_lock": True},
    {"prefix": "10.0.0.2/32", "kind": RouteType.PROHIBIT},
)
SEVERAL = (("10.0.0.2", 1), ("10.1.0.2", 2), ("10.0.0.9", 1))
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
)
TABLE: tuple[dict[str, Any], ...] = (
    {"prefix": "8.0.0.0/8", "via": "10.0.0.2", "table": 5},
    {"prefix": "10.0.0.0/24", "dev": "tap1", "table": 5},
    {"prefix": "10.0.0.1/32", "kind": RouteType.LOCAL, "dev": "tap0", "table": 5},
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
)

OPTIONS = (
    b"\x07\x07\x04\0\0\0\0",  # record route, one slot
    b"\x44\x0c\x05\x01" + bytes(8),  # timestamp with address
    b"\x44\x04\x05\xf0",  # timestamp, overflown
    b"\x83\x07\x08\x0a\0\0\x03",  # a source route that ends here
    b"\x83\x07\x04\x0a\0\0\x03",  # one that goes on
    b"\x94\x04\0\0",  # router alert
    b"\x07\x03\x04\x83\x03\x04",
    b"\x07\x02",  # no option can be so short
    b"\x01\xde\x03\x09\0",
)
"""IP options that come in."""
SENT_OPTIONS = b"\x83\x07\x04\x0a\0\0\x02\x07\x0b\x04" + bytes(8)
"""Options of one of the sockets: by 10.0.0.2, and record the route."""

ips, macs, ports, devs = (st.sampled_from(pool) for pool in (IPS, MACS, PORTS, DEVS))
# Mostly right, so that what is inside of a frame is looked at.
to_macs = st.sampled_from([*[OUR_MAC] * 8, *[BROADCAST_MAC] * 3, *MACS])
srcs = st.sampled_from([*["10.0.0.2"] * 12, *IPS])
dsts = st.sampled_from([*["10.0.0.1"] * 12, *IPS])
by_macs = st.sampled_from([*[PEER_MAC] * 8, *MACS])
payloads = st.binary(max_size=40) | st.sampled_from([bytes(400), bytes(1472), b"\xff\xff"])


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
    st.lists(st.tuples(st.sampled_from(IPS[:9]), devs, st.booleans()), max_size=4),
    st.booleans(),
    st.sampled_from([None] * 12 + [*DEVS]),
    st.sampled_from([None] * 12 + [*DEVS]),
    st.just([]) | subset(RULES),
    st.sampled_from([True] * 7 + [False]),
    st.booleans(),
    st.booleans(),
)


class World:
    """A host made from a config. What the config asks for in vain is left out.

    Attributes:
        echo, arping: one client each for ping and arping, waiting for 10.0.0.2.
    """

    def __init__(self, config: Config) -> None:
        self.host = Host(bare=True)
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
        for address, dev, for_good in config.known:
            state = State.PERMANENT if for_good else State.REACHABLE
            with suppress(StackError):
                self.host.know(address, PEER_MAC, state, dev)
        self._finish(config)
        self.client = self.stack.ping.open(ip("10.0.0.2"))
        self.arping = self.stack.arp_open("tap0", ip("10.0.0.2"), ip("10.0.0.1"))

    def _add_rules(self, config: Config) -> None:
        if config.several:
            ways = [NextHop(None, ip(via), weight) for via, weight in SEVERAL]
            with suppress(StackError):
                add_route(self.stack.ipv4, with_ways(Route(0, 0), ways), InsertMode.REPLACE)
        for route in TABLE if config.rules else ():
            with suppress(StackError):
                self.host.route(**route)
        for said in config.rules:
            made: dict[str, Any] = {
                key: ip(value) if key in ("src", "dst") else value for key, value in said.items()
            }
            add_rule(self.stack.ipv4, Rule(**made))
        if not config.local_first:
            first = next(iter(self.stack.ipv4.fib.rules))
            delete_rule(self.stack.ipv4, first)
            add_rule(self.stack.ipv4, Rule(32000, table=TableName.LOCAL))

    def _finish(self, config: Config) -> None:
        if config.connected and self.sockets:
            with suppress(StackError):
                self.stack.udp.connect(self.sockets[-1], ip("10.0.0.2"), 9)
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


# --- frames ---------------------------------------------------------------------------------------


def quoted(src: str, dst: str, sport: int, dport: int) -> bytes:
    return udp_packet(sport, dport, b"quote", src, dst)


arps = st.builds(
    lambda op, sender, target, mac, same, to, by: arp_frame(
        op, sender, target, mac=mac, target_mac=mac if same else OUR_MAC, to=to, by=by
    ),
    st.sampled_from([1, 1, 1, 2, 2, 2, 3]), srcs, dsts, by_macs,
    st.booleans(), to_macs, by_macs,
)  # fmt: skip
udps = st.builds(
    lambda sport, dport, payload, src, dst, to: udp_frame(sport, dport, payload, src, dst, to=to),
    ports, ports, payloads, srcs, dsts, to_macs,
)  # fmt: skip
plain_udps = st.builds(
    lambda sport, dport, payload: udp_frame(sport, dport, payload, "10.0.0.2", "10.0.0.1"),
    st.sampled_from([7, 9]), st.sampled_from([7, 8]), payloads,
)  # fmt: skip
# Ident 0 is what the clients of a world have when the stack's random function returns 0.5.
echoes = st.builds(
    lambda kind, src, dst, ident, to: icmp_frame(kind, 0, ident << 16 | 1, b"e", src, dst, to=to),
    st.sampled_from([icmpv4.Type.ECHO_REQUEST, icmpv4.Type.ECHO_REPLY]), srcs, dsts,
    st.sampled_from([0x8000, 1]), to_macs,
)  # fmt: skip
errors = st.builds(
    lambda kind, code, rest, body, src, dst: icmp_frame(kind, code, rest, body, src, dst),
    st.sampled_from([3, 3, 3, 4, 5, 11, 12, 13]), st.integers(0, 16) | st.just(4),
    st.sampled_from([0, 70, 100, 600, 1400, 9000]),
    st.builds(quoted, dsts, srcs, ports, ports), srcs, dsts,
)  # fmt: skip
odd_packets = st.builds(
    lambda protocol, payload, src, dst, mf, offset, options: frame_of(
        packet_of(protocol, payload, src, dst, mf=mf, offset=offset, options=options)
    ),
    st.sampled_from([1, 2, 6, 17, 132]), st.binary(max_size=30), srcs, dsts, st.booleans(),
    st.sampled_from([0, 0, 8, 16]), st.sampled_from([b"", *OPTIONS]),
)  # fmt: skip
marked = st.builds(
    lambda sport, dport, payload, options, tos: frame_of(
        packet_of(17, udp_packet(sport, dport, payload)[20:], options=options, tos=tos)
    ),
    st.sampled_from([7, 9]), st.sampled_from([7, 8]), payloads,
    st.sampled_from([b"", *OPTIONS]), st.sampled_from([0, 0x10, 0xB8]),
)  # fmt: skip
"""Datagrams with a type of service and options, in the flows of plain ones."""


groups = st.sampled_from([ALL_HOSTS, GROUP])
to_groups = st.builds(
    lambda dport, payload, src, group: group_frame(payload, src, group, dport),
    ports, payloads, srcs, groups,
)  # fmt: skip
igmps: st.SearchStrategy[bytes] = st.one_of(
    st.builds(
        query, st.integers(1, 3), st.sampled_from(["0.0.0.0", GROUP, "10.0.0.1"]),
        code=st.sampled_from([1, 100]), dst=groups,
    ),
    st.builds(query, st.just(3), groups, srcs, dst=groups),
    st.builds(reported, groups, st.integers(1, 2)),
    st.builds(igmp_frame, st.binary(max_size=20), srcs, groups),
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a good frame with something wrong: a changed byte, cut short, or padded."""
    frame: bytes = draw(st.one_of(arps, udps, plain_udps, echoes, errors, igmps))
    how = draw(st.integers(0, 3))
    at = draw(st.integers(0, len(frame) - 1))
    if how == 0:
        return frame[:at]
    if how == 1:
        return frame + draw(st.binary(max_size=20))
    changed = bytes([frame[at] ^ draw(st.integers(1, 255))])
    return frame[:at] + changed + frame[at + 1 :]


good_frames = st.one_of(
    arps, udps, plain_udps, plain_udps, echoes, errors, odd_packets, marked, to_groups, igmps
)
tags = st.builds(
    VlanTag, st.sampled_from(Tpid), st.sampled_from([0, 0, 3]), st.booleans(),
    st.sampled_from([0, 5, 5, 6]),
)  # fmt: skip
tagged = st.builds(vlan.tagged, good_frames, tags)
frames = st.one_of(good_frames, good_frames, good_frames, tagged, mutated(), st.binary(max_size=80))


def arriving(dev: str, frame: bytes) -> tuple[str, bytes]:
    """Return a frame for tap0 as it would be sent to ``dev``, and ``dev``."""
    to_us = dev == "tap1" and frame[:6] == OUR_MAC
    return dev, OTHER_MAC + frame[6:] if to_us else frame


arrivals = st.builds(arriving, st.sampled_from(["tap0", "tap0", "tap1"]), frames)
