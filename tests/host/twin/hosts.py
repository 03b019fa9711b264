"""Hosts built by hand: the state of a namespace, as if it had been read."""

from typing import Any

from smolctl.host import addresses, links, routes, rules, sockets
from smolctl.host.groups import Groups
from smolctl.host.neighbors import Neighbor
from smolctl.host.reading import HostState
from smolctl.host.sysctls import Sysctls
from smolctl.wire.address import IPV6_MARK, parse_address

AF_INET, AF_INET6 = 2, 10
LO, ETH0, ETH1 = 1, 2, 3


def link(ifindex: int, name: str, **more: Any) -> links.Link:
    """Return an Ethernet link that is up, or one that differs from it."""
    values: dict[str, Any] = dict(
        ifindex=ifindex, name=name, altnames=(), alias="", type=links.ETHER,
        flags=links.UP | links.BROADCAST | links.MULTICAST | links.LOWER_UP, carrier=True,
        operstate=6, mtu=1500, mac=bytes((2, 0, 0, 0, 0, ifindex & 0xFF)),
        broadcast=b"\xff" * 6, lower=0, lower_netns=None, master=0, kind="", data={}, port_kind="",
        port_data={}, qdisc="noqueue", txqlen=1000, group=0, promiscuity=0, xdp=0,
        proto_down=False, unknown=(),
    )  # fmt: skip
    return links.Link(**values | more)


def loopback(**more: Any) -> links.Link:
    """Return ``lo``, which is up."""
    flags = links.UP | links.LOOPBACK | links.LOWER_UP
    usual = {"type": links.LOOPBACK_TYPE, "flags": flags, "mtu": 65536, "mac": bytes(6)}
    return link(LO, "lo", **usual | more)


def address(ifindex: int, text: str, **more: Any) -> addresses.Address:
    """Return an address, as "10.0.0.1/24"."""
    local, _, plen = text.partition("/")
    number = parse_address(local)
    six = number >= IPV6_MARK
    values: dict[str, Any] = dict(
        ifindex=ifindex, family=AF_INET6 if six else AF_INET, local=number, plen=int(plen),
        peer=None, broadcast=None, anycast=None, scope=0, flags=addresses.PERMANENT, label="",
        valid=None, preferred=None, metric=0, proto=0, unknown=(),
    )  # fmt: skip
    return addresses.Address(**values | more)


def hop(oif: int, via: str = "", **more: Any) -> routes.Hop:
    """Return a next hop."""
    return routes.Hop(oif, parse_address(via) if via else None, **more)


def route(text: str, *hops: routes.Hop, **more: Any) -> routes.Route:
    """Return a route of table main, to "10.0.0.0/24", or "::/0"."""
    dst, _, plen = text.partition("/")
    number = parse_address(dst)
    six = number >= IPV6_MARK
    values: dict[str, Any] = dict(
        dst=number, plen=int(plen), family=AF_INET6 if six else AF_INET, src=IPV6_MARK * six,
        src_plen=0, tos=0, table=254, protocol=3, scope=0, type=1, flags=0,
        metric=1024 if six else 0, prefsrc=None, hops=hops, metrics=(), congestion="", nhid=0,
        pref=0, expires=None, error=0, unknown=(),
    )  # fmt: skip
    return routes.Route(**values | more)


def local(ifindex: int, text: str) -> routes.Route:
    """Return the route by which an address is the host's own."""
    plen = 128 if ":" in text else 32
    return route(f"{text}/{plen}", hop(ifindex), table=255, protocol=2, scope=254, type=2, metric=0)


def connected(ifindex: int, text: str, source: str) -> routes.Route:
    """Return the route to a network of IPv4."""
    return route(text, hop(ifindex), protocol=2, scope=253, prefsrc=parse_address(source))


def rule(priority: int, table: int = 254, family: int = AF_INET, **more: Any) -> rules.Rule:
    """Return a rule that looks up a table for all packets."""
    any_ = IPV6_MARK if family == AF_INET6 else 0
    values: dict[str, Any] = dict(
        family=family, priority=priority, action=1, table=table, goto=None, flags=0, src=any_,
        src_plen=0, dst=any_, dst_plen=0, tos=0, dscp=None, dscp_mask=None, iif="", oif="", mark=0,
        mask=0, uids=None, sports=None, dports=None, sport_mask=None, dport_mask=None, label=None,
        label_mask=None, ip_proto=None, tun_id=0, l3mdev=False, suppress_plen=None,
        suppress_group=None, realm=0, protocol=2, unknown=(),
    )  # fmt: skip
    return rules.Rule(**values | more)


USUAL_RULES = (
    rule(0, 255), rule(32766, 254), rule(32767, 253),
    rule(0, 255, AF_INET6), rule(32766, 254, AF_INET6),
)  # fmt: skip


def neighbor(ifindex: int, text: str, state: int, mac: str = "020000000099") -> Neighbor:
    """Return an entry; states are those of the kernel: 2 reachable, 4 stale, 32 failed."""
    number = parse_address(text)
    family = AF_INET6 if number >= IPV6_MARK else AF_INET
    lladdr = bytes.fromhex(mac)
    return Neighbor(ifindex, family, number, lladdr, state, 0, 100, 100, 100, 0, 0, ())


def socket(protocol: int, local: str, lport: int, **more: Any) -> sockets.Socket:
    """Return a socket of UDP that is bound, or of TCP that listens."""
    number = parse_address(local)
    six = number >= IPV6_MARK
    values: dict[str, Any] = dict(
        family=AF_INET6 if six else AF_INET, protocol=protocol,
        state=sockets.CLOSE if protocol == sockets.UDP else sockets.LISTEN,
        local=number, lport=lport, remote=IPV6_MARK * six, rport=0, oif=0, v6only=False, tos=0,
        mark=0, options=1 << 6, waiting_in=0, waiting_out=128, uid=0, inode=1,
    )  # fmt: skip
    return sockets.Socket(**values | more)


def host(**more: Any) -> HostState:
    """Return a host with ``lo``, eth0 with 10.0.0.1/24 and 2001:db8::1/64, and two gateways."""
    values: dict[str, Any] = dict(
        release=(6, 18), settled=True, links=(loopback(), link(ETH0, "eth0")),
        addresses=(
            address(LO, "127.0.0.1/8", scope=254),
            address(LO, "::1/128", scope=254),
            address(ETH0, "10.0.0.1/24", broadcast=parse_address("10.0.0.255"), label="eth0"),
            address(ETH0, "2001:db8::1/64"),
            address(ETH0, "fe80::1/64", scope=253),
        ),
        routes=(
            route("127.0.0.0/8", hop(LO), table=255, protocol=2, scope=254, type=2),
            local(LO, "127.0.0.1"), local(ETH0, "10.0.0.1"),
            route("10.0.0.255/32", hop(ETH0), table=255, protocol=2, scope=253, type=3),
            connected(ETH0, "10.0.0.0/24", "10.0.0.1"),
            route("0.0.0.0/0", hop(ETH0, "10.0.0.254")),
            local(LO, "::1"), local(ETH0, "2001:db8::1"), local(ETH0, "fe80::1"),
            route("ff00::/8", hop(ETH0), table=255, protocol=2, type=5, metric=256),
            route("2001:db8::/64", hop(ETH0), protocol=2, metric=256),
            route("fe80::/64", hop(ETH0), protocol=2, metric=256),
            route("::/0", hop(ETH0, "fe80::fe")),
        ),
        learned=(), nexthops=(), rules=USUAL_RULES, neighbors=(), proxies=(),
        groups=Groups((), (), ()), sysctls=Sysctls({}, ()), sockets=(), hooks=(),
    )  # fmt: skip
    return HostState(**values | more)
