"""The state of the Linux host as rows, with the keys of ``ip -j``: what is shown of it.

What has no place in them is beside them, in keys of our own: ``unknown`` has the numbers of
attributes that a newer kernel told of and that nobody here understands.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from smolctl.host import addresses, links, neighbors, routes, rules, sockets
from smolctl.host.groups import AF_PACKET
from smolctl.host.reading import HostState
from smolctl.host.values import AF_INET, AF_INET6
from smolctl.wire.address import family_of, format_address, format_mac, is_unspecified

Row = dict[str, Any]
FAMILY = {AF_INET: "inet", AF_INET6: "inet6"}
TABLES = {0: "unspec", 253: "default", 254: "main", 255: "local"}
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
# iproute2 etc/iproute2/rt_protos
PROTOCOLS = {
    0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 8: "gated", 9: "ra",
    10: "mrt", 11: "zebra", 12: "bird", 13: "dnrouted", 14: "xorp", 15: "ntk", 16: "dhcp",
    18: "keepalived", 42: "babel", 186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 192: "eigrp",
}  # fmt: skip
_TRANSPORTS = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 136: "udplite"}
_FOREVER = 0xFFFFFFFF
_HOP_FLAGS = {1: "dead", 4: "onlink", 2: "pervasive", 8: "offload", 64: "trap"}
_LATE_FLAGS = {16: "linkdown", 32: "unresolved"}
_LINK_FLAGS = (
    (links.LOOPBACK, "LOOPBACK"), (links.BROADCAST, "BROADCAST"),
    (links.POINTOPOINT, "POINTOPOINT"), (links.MULTICAST, "MULTICAST"), (links.NOARP, "NOARP"),
    (links.ALLMULTI, "ALLMULTI"), (links.PROMISC, "PROMISC"), (0x400, "MASTER"), (0x800, "SLAVE"),
    (0x4, "DEBUG"), (0x8000, "DYNAMIC"), (0x2000, "PORTSEL"), (0x4000, "AUTOMEDIA"),
    (links.UP, "UP"), (links.LOWER_UP, "LOWER_UP"), (0x20000, "DORMANT"), (0x40000, "ECHO"),
)  # fmt: skip
_LINK_TYPES = {1: "ether", 772: "loopback", 0xFFFE: "none", 768: "ipip", 776: "sit", 778: "gre"}
_ADDRESS_FLAGS = {
    addresses.NODAD: "nodad", addresses.OPTIMISTIC: "optimistic",
    addresses.DADFAILED: "dadfailed", 0x10: "home", addresses.DEPRECATED: "deprecated",
    addresses.TENTATIVE: "tentative", addresses.MANAGETEMPADDR: "mngtmpaddr",
    addresses.NOPREFIXROUTE: "noprefixroute", addresses.AUTOJOIN: "autojoin",
    addresses.STABLE_PRIVACY: "stable-privacy",
}  # fmt: skip


def _named(names: Mapping[int, str], number: int) -> str:
    return names.get(number, str(number))


def _put(row: Row, **values: Any) -> None:
    """Add what is there: absent rather than null, "" or 0."""
    row.update({key: value for key, value in values.items() if value})


def link_rows(state: HostState) -> Iterator[Row]:
    """Yield the links, as ``ip -j link``."""
    for link in state.links:
        row = _head(state, link)
        row["linkmode"] = "DEFAULT"
        _tail(row, link)
        if link.kind:
            info: Row = {"info_kind": link.kind}
            if link.port_kind:
                info["info_slave_kind"] = link.port_kind
            if data := _kind_data(link):
                info["info_data"] = data
            row["linkinfo"] = info
        _put(row, ifalias=link.alias, promiscuity=link.promiscuity, xdp=link.xdp)
        _put(row, proto_down=link.proto_down, unknown=list(link.unknown))
        yield row


def _head(state: HostState, link: links.Link) -> Row:
    flags = [name for flag, name in _LINK_FLAGS if link.flags & flag]
    # ip's own, from what two flags say together.
    if link.flags & links.UP and not link.flags & links.RUNNING:
        flags.insert(0, "NO-CARRIER")
    below = next((each for each in state.links if each.ifindex == link.lower), None)
    here = link.lower and link.lower_netns is None
    if here and below is not None and not below.flags & links.UP:
        flags.append("M-DOWN")
    row: Row = {"ifindex": link.ifindex}
    if here:
        row["link"] = state.name_of(link.lower)
    elif link.lower:
        row["link_index"] = link.lower
        row["link_netnsid"] = link.lower_netns
    row |= {"ifname": link.name, "flags": flags, "mtu": link.mtu, "qdisc": link.qdisc}
    if link.master:
        row["master"] = state.name_of(link.master)
    state_name = dict(enumerate(links.OPERSTATES)).get(link.operstate, str(link.operstate))
    row["operstate"] = state_name.upper()
    return row


def _tail(row: Row, link: links.Link) -> None:
    row["group"] = "default" if not link.group else str(link.group)
    row["txqlen"] = link.txqlen
    row["link_type"] = _LINK_TYPES.get(link.type, f"[{link.type}]")
    _put(row, address=format_mac(link.mac))
    peer = "link_pointtopoint" if link.flags & links.POINTOPOINT else "broadcast"
    _put(row, **{peer: format_mac(link.broadcast)}, altnames=list(link.altnames))


def _kind_data(link: links.Link) -> Row:
    if link.vlan is not None:
        number, protocol = link.vlan
        names = {0x8100: "802.1Q", 0x88A8: "802.1ad"}
        return {"protocol": names.get(protocol, hex(protocol)), "id": number}
    if link.tun:
        return {"type": link.tun}
    return {} if link.vrf_table is None else {"table": link.vrf_table}


def address_rows(state: HostState) -> Iterator[Row]:
    """Yield the links with their addresses, as ``ip -j addr``."""
    for link in state.links:
        row = _head(state, link)
        _tail(row, link)
        row["addr_info"] = [
            _address(each) for each in state.addresses if each.ifindex == link.ifindex
        ]
        yield row


def _address(each: addresses.Address) -> Row:
    row: Row = {"family": FAMILY.get(each.family, str(each.family))}
    row["local"] = format_address(each.local)
    if each.peer is not None:
        row["address"] = format_address(each.peer)
    row["prefixlen"] = each.plen
    _put(row, metric=each.metric)
    if each.broadcast is not None:
        row["broadcast"] = format_address(each.broadcast)
    if each.anycast is not None:
        row["anycast"] = format_address(each.anycast)
    row["scope"] = _named(SCOPES, each.scope)
    if not each.flags & addresses.PERMANENT:
        row["dynamic"] = True
    if each.flags & addresses.SECONDARY:
        row["secondary" if each.family == AF_INET else "temporary"] = True
    row |= {name: True for flag, name in _ADDRESS_FLAGS.items() if each.flags & flag}
    _put(row, label=each.label)
    row["valid_life_time"] = _FOREVER if each.valid is None else each.valid
    row["preferred_life_time"] = _FOREVER if each.preferred is None else each.preferred
    _put(row, unknown=list(each.unknown))
    return row


def prefix_text(address: int, plen: int, family: int) -> str:
    """Return a prefix as ``ip`` writes it: "default", an address alone, or with its length."""
    if not plen and is_unspecified(address):
        return "default"
    text = format_address(address)
    return text if plen == (128 if family == AF_INET6 else 32) else f"{text}/{plen}"


def route_rows(state: HostState, *, learned: bool = False) -> Iterator[Row]:
    """Yield the routes of all tables, as ``ip -j route show table all``.

    Args:
        state: of the host.
        learned: those that the kernel learned, instead.
    """
    for each in state.learned if learned else state.routes:
        yield _route(state, each)


def _route(state: HostState, route: routes.Route) -> Row:
    row: Row = {}
    if route.type != 1:
        row["type"] = _named(dict(enumerate(routes.TYPES)), route.type)
    row["dst"] = prefix_text(route.dst, route.plen, route.family)
    if route.src_plen:
        row["from"] = prefix_text(route.src, route.src_plen, route.family)
    if route.tos:
        row["tos"] = f"0x{route.tos:02x}"
    _put(row, nhid=route.nhid)
    hops = route.hops
    if len(hops) == 1:
        row |= _way(state, hops[0], route.family)
    if route.table != 254:
        row["table"] = _named(TABLES, route.table)
    if route.protocol != 3:
        row["protocol"] = _named(PROTOCOLS, route.protocol)
    if route.scope:
        row["scope"] = _named(SCOPES, route.scope)
    if route.prefsrc is not None:
        row["prefsrc"] = format_address(route.prefsrc)
    if route.metric or route.family == AF_INET6:
        row["metric"] = route.metric
    row["flags"] = _hop_flags(hops[0].flags) if len(hops) == 1 else []
    if route.expires is not None:
        row["expires"] = route.expires // 100
    if metrics := _metrics(route):
        row["metrics"] = [metrics]
    if locked := route.locked:
        row["mtu_lock"] = 2 in locked
        row["locks"] = [_named(dict(enumerate(routes.METRICS)), each) for each in sorted(locked)]
    _put(row, error=route.error)
    if route.family == AF_INET6:
        row["pref"] = {0: "medium", 1: "high", 3: "low"}.get(route.pref, str(route.pref))
    if len(hops) > 1:
        row["nexthops"] = [
            _way(state, hop, route.family) | {"weight": hop.weight, "flags": _hop_flags(hop.flags)}
            for hop in hops
        ]
    _put(row, unknown=list(route.unknown))
    return row


def _way(state: HostState, hop: routes.Hop, family: int) -> Row:
    row: Row = {}
    if hop.encap:
        row["encap"] = f"type {hop.encap}"
    if hop.gateway is not None:
        text, its = format_address(hop.gateway), family_of(hop.gateway).name
        row |= (
            {"gateway": text} if its == FAMILY[family] else {"via": {"family": its, "host": text}}
        )
    if hop.oif:
        row["dev"] = state.name_of(hop.oif)
    _put(row, flow=_realms(hop.realm))
    _put(row, unknown=list(hop.unknown))
    return row


def _realms(realm: int) -> Row:
    both = {"from": realm >> 16, "to": realm & 0xFFFF}
    return {key: str(value) for key, value in both.items() if value}


def _hop_flags(flags: int) -> list[str]:
    return [name for flag, name in (_HOP_FLAGS | _LATE_FLAGS).items() if flags & flag]


def _metrics(route: routes.Route) -> Row:
    names = dict(enumerate(routes.METRICS))
    found: Row = {
        names[number]: value
        for number, value in route.metrics
        if 1 < number < len(names) and (value or number != 10)
    }
    _put(found, unknown=[number for number, _ in route.metrics if number >= len(names)])
    _put(found, congestion=route.congestion)
    return found


def rule_rows(state: HostState) -> Iterator[Row]:
    """Yield the rules of both families, as ``ip -j rule`` and ``ip -6 -j rule``."""
    for rule in state.rules:
        yield _rule(rule)


def _rule(rule: rules.Rule) -> Row:
    row: Row = {"priority": rule.priority}
    if rule.family == AF_INET6:
        row["family"] = "inet6"
    if rule.flags & rules.INVERT:
        row["not"] = None
    if rule.src_plen:
        row |= _prefix("src", rule.src, rule.src_plen, rule.family)
    else:
        row["src"] = "all"
    if rule.dst_plen:
        row |= _prefix("dst", rule.dst, rule.dst_plen, rule.family)
    if rule.tos:
        row["tos"] = f"0x{rule.tos:02x}"
    if rule.mark or rule.mask:
        row["fwmark"] = hex(rule.mark)
        if rule.mask != _FOREVER:
            row["fwmask"] = hex(rule.mask)
    for key, name, gone in (
        ("iif", rule.iif, rules.IIF_DETACHED), ("oif", rule.oif, rules.OIF_DETACHED),
    ):  # fmt: skip
        if name:
            row[key] = name
            if rule.flags & gone:
                row[f"{key}_detached"] = None
    if rule.l3mdev:
        row["l3mdev"] = None
    if rule.uids is not None:
        row["uid_start"], row["uid_end"] = rule.uids
    if rule.ip_proto is not None:
        row["ipproto"] = _named(_TRANSPORTS, rule.ip_proto)
    row |= _ports("sport", rule.sports, rule.sport_mask)
    row |= _ports("dport", rule.dports, rule.dport_mask)
    for key, value, mask, whole in (
        ("dscp", rule.dscp, rule.dscp_mask, 0x3F),
        ("flowlabel", rule.label, rule.label_mask, 0xFFFFF),
    ):
        if value is not None:
            row[key] = hex(value)
            if mask not in (None, whole):
                row[f"{key}_mask"] = hex(mask or 0)
    _put(row, tun_id=rule.tun_id)
    return row | _action(rule)


def _ports(key: str, ports: tuple[int, int] | None, mask: int | None) -> Row:
    if ports is None:
        return {}
    if ports[0] != ports[1]:
        return {f"{key}_start": ports[0], f"{key}_end": ports[1]}
    return {key: ports[0]} | ({f"{key}_mask": hex(mask)} if mask not in (None, 0xFFFF) else {})


def _action(rule: rules.Rule) -> Row:
    row: Row = {}
    if rule.table and not rule.l3mdev:
        row["table"] = _named(TABLES, rule.table)
    if rule.suppress_plen is not None:
        row["suppress_prefixlen"] = rule.suppress_plen
    if rule.suppress_group is not None:
        row["suppress_ifgroup"] = str(rule.suppress_group or "default")
    _put(row, flow=_realms(rule.realm))
    if rule.action == 2:
        row["goto"] = rule.goto
        if rule.flags & rules.UNRESOLVED:
            row["unresolved"] = None
    elif rule.action == 3:
        row["nop"] = None
    elif rule.action != 1:
        row["action"] = rules.ACTIONS.get(rule.action, str(rule.action))
    if rule.protocol not in (0, 2, 3):
        row["protocol"] = _named(PROTOCOLS, rule.protocol)
    _put(row, unknown=list(rule.unknown))
    return row


def _prefix(key: str, address: int, plen: int, family: int) -> Row:
    row: Row = {key: format_address(address)}
    if plen != (128 if family == AF_INET6 else 32):
        row[f"{key}len"] = plen
    return row


def neighbor_rows(state: HostState) -> Iterator[Row]:
    """Yield the neighbors, as ``ip -j neigh show nud all``."""
    for each in state.neighbors:
        row = _entry(state, each)
        _put(row, lladdr=format_mac(each.lladdr))
        _neighbor_flags(row, each)
        row["state"] = [neighbors.STATES.get(each.state, str(each.state)).upper()]
        if each.protocol:
            row["protocol"] = _named(PROTOCOLS, each.protocol)
        _put(row, unknown=list(each.unknown))
        yield row


def proxy_rows(state: HostState) -> Iterator[Row]:
    """Yield the addresses that links answer for, as ``ip -j neigh show proxy``."""
    for each in state.proxies:
        row = _entry(state, each)
        _neighbor_flags(row, each)
        row["proxy"] = True
        yield row


def _entry(state: HostState, each: neighbors.Neighbor) -> Row:
    row: Row = {"dst": format_address(each.dst)}
    if each.ifindex:
        row["dev"] = state.name_of(each.ifindex)
    return row


def _neighbor_flags(row: Row, each: neighbors.Neighbor) -> None:
    if each.flags & neighbors.ROUTER:
        row["router"] = True
    if each.flags & neighbors.EXT_LEARNED:
        row["extern_learn"] = True


def nexthop_rows(state: HostState) -> Iterator[Row]:
    """Yield the next-hop objects, as ``ip -j nexthop``."""
    for each in state.nexthops:
        row: Row = {"id": each.id}
        if each.group:
            row["group"] = [
                {"id": member.id} | ({"weight": member.weight} if member.weight != 1 else {})
                for member in each.group
            ]
            _put(row, type="resilient" if each.resilient else "")
        if each.gateway is not None:
            row["gateway"] = format_address(each.gateway)
        if each.oif:
            row["dev"] = state.name_of(each.oif)
        if each.scope:
            row["scope"] = _named(SCOPES, each.scope)
        if each.blackhole:
            row["blackhole"] = True
        if each.protocol:
            row["protocol"] = _named(PROTOCOLS, each.protocol)
        row["flags"] = _hop_flags(each.flags)
        _put(row, fdb=each.fdb, unknown=list(each.unknown))
        yield row


def group_rows(state: HostState) -> Iterator[Row]:
    """Yield the links with their groups, as ``ip -j maddr``."""
    for link in state.links:
        entries: list[Row] = []
        for each in state.groups.groups:
            if each.ifindex != link.ifindex:
                continue
            if each.family == AF_PACKET:
                row: Row = {"link": format_mac(each.mac)}
            else:
                row = {"family": FAMILY[each.family], "address": format_address(each.address)}
            if each.users != 1:
                row["users"] = each.users
            if each.static:
                row["features"] = "static"
            entries.append(row)
        entries.sort(key=lambda row: "family" in row)
        yield {"ifindex": link.ifindex, "ifname": link.name, "maddr": entries}


_NETIDS = {
    sockets.TCP: "tcp", sockets.UDP: "udp", sockets.UDPLITE: "udplite", sockets.RAW: "raw",
    sockets.ICMP: "icmp",
}  # fmt: skip


def socket_rows(state: HostState) -> Iterator[Row]:
    """Yield the sockets."""
    for each in state.sockets:
        row: Row = {"netid": _NETIDS.get(each.protocol, str(each.protocol))}
        row["family"] = FAMILY.get(each.family, str(each.family))
        row["state"] = sockets.STATES.get(each.state, str(each.state))
        row |= {"local": format_address(each.local), "lport": each.lport}
        if each.state not in (sockets.CLOSE, sockets.LISTEN):
            row |= {"remote": format_address(each.remote), "rport": each.rport}
        if each.oif:
            row["dev"] = state.name_of(each.oif)
        _put(row, v6only=each.v6only, mark=each.mark, recv_q=each.waiting_in, uid=each.uid)
        yield row


def hook_rows(state: HostState) -> Iterator[Row]:
    """Yield what may change the answer."""
    for hook in state.hooks:
        row: Row = {"name": hook.name, "what": hook.what}
        if hook.number is not None:
            row["number"] = hook.number
        _put(row, dev=hook.link)
        yield row


def sysctl_rows(state: HostState) -> Iterator[Row]:
    """Yield the sysctls, by their path below /proc/sys."""
    for path, value in state.sysctls.values.items():
        yield {"key": f"net/{path}", "value": value}


NOUNS: dict[str, Callable[[HostState], Iterator[Row]]] = {
    "link": link_rows,
    "addr": address_rows,
    "route": route_rows,
    "nexthop": nexthop_rows,
    "rule": rule_rows,
    "neigh": neighbor_rows,
    "proxy": proxy_rows,
    "maddr": group_rows,
    "socket": socket_rows,
    "hook": hook_rows,
    "sysctl": sysctl_rows,
}
"""Each noun, and what tells its rows."""
