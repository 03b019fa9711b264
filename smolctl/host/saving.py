"""The state of the Linux host as commands of smolctl, which make a stack like it.

Nothing here knows which of them a stack takes: each command is tried by whoever asked, and what is
refused is a note. So whatever stacks learn is expressed from then on.
"""

from collections.abc import Callable, Iterator

from smolctl.counted import counted
from smolctl.errors import SmolctlError
from smolctl.host import addresses, links, neighbors, routes, rules
from smolctl.host.groups import AF_PACKET
from smolctl.host.links import Link
from smolctl.host.nexthops import Nexthop
from smolctl.host.part import Command, NotExpressed, Part, is_kept, numbers_text
from smolctl.host.reading import HostState
from smolctl.host.rows import PROTOCOLS, SCOPES, TABLES, prefix_text, rule_rows
from smolctl.host.saving_links import MAC_LEN, link_parts
from smolctl.host.sysctls import DECIDING, DECIDING_BUT_LO
from smolctl.host.values import AF_INET, AF_INET6
from smolctl.stack.sysctl.link_rule import ALL, DEFAULT, LinkRule
from smolctl.stack.sysctl.linux_names import found
from smolctl.stack.sysctl.names import Name
from smolctl.stack.sysctl.settings import SYSCTLS
from smolctl.wire.address import (
    format_address,
    format_mac,
    interface_id,
    is_multicast,
    link_local,
)

_KERNEL = 2
_DEFAULT_RULES = {
    AF_INET: ((0, 255), (32766, 254), (32767, 253)),
    AF_INET6: ((0, 255), (32766, 254)),
}


Current = Callable[[Name], int | None]
"""Returns the value that a sysctl has in the copy so far; None of a link that is not there."""


def parts(state: HostState, current: Current, *, mirrors: bool = False) -> Iterator[Part]:
    """Yield the commands, in an order in which they can be run, and notes on what has none.

    Args:
        state: of the host.
        current: is asked while the commands before are already made.
        mirrors: see ``saving_links.link_parts``.
    """
    yield from _sysctls(state, current, lambda scope: scope in ("", ALL, DEFAULT))
    left_out: dict[int, Link] = {}
    yield from link_parts(state, left_out, mirrors=mirrors)
    names = {link.name for link in state.links if link.ifindex not in left_out}
    yield from _sysctls(state, current, names.__contains__)
    yield from _neighbors(state, left_out)
    yield from _addresses(state, left_out)
    yield from _routes(state, left_out)
    yield from _rules(state)
    yield from _others(state)


# --- sysctls --------------------------------------------------------------------------------------


def _sysctls(state: HostState, current: Current, wanted: Callable[[str], bool]) -> Iterator[Part]:
    """Yield the sysctls of scopes that are not as in the copy so far."""
    for path, value in state.sysctls.values.items():
        scope, name = _scope(path)
        if not wanted(scope):
            continue
        key = f"net/{path}"
        try:
            there = found(key, SYSCTLS)
            if there is None:
                if (
                    name in DECIDING
                    and value != "0"
                    and not (scope == "lo" and name in DECIDING_BUT_LO)
                ):
                    yield NotExpressed(f"sysctl {key} = {value}")
                continue
            where, item = there
            meant = Name(where, item)
            if (
                where == ALL
                and item.link is LinkRule.OWN
                and not name.endswith(("forwarding", "disable_ipv6"))
            ):
                continue  # in Linux it has no effect
            have = current(meant)
            if have is None or have == item.parse(value):
                continue
            yield Command(
                ("sysctl", f"{meant.key}={item.show(item.parse(value))}"), f"sysctl {key}"
            )
        except SmolctlError as error:
            if _unusual(name, value):
                yield NotExpressed(f"sysctl {key} = {value}: {error.message}")


def _scope(path: str) -> tuple[str, str]:
    """Return the scope of a sysctl, "" for the whole namespace, and its name."""
    words = path.split("/")
    if len(words) == 4 and words[1] in ("conf", "neigh"):
        return words[2], words[3]
    return "", words[-1]


_USUAL = {
    "ipfrag_time": "30", "ip6frag_time": "60", "mtu_expires": "600", "gc_timeout": "",
    "delay_first_probe_time": "5", "gc_stale_time": "60", "locktime": "", "proxy_delay": "80",
    "tcp_fin_timeout": "60", "tcp_keepalive_intvl": "75", "tcp_keepalive_time": "7200",
}  # fmt: skip
"""Linux's defaults of those that have another unit here; "" where it does not decide."""


def _unusual(name: str, value: str) -> bool:
    """Tell whether a sysctl that cannot be set here is not as it usually is."""
    return bool(_USUAL.get(name)) and value != _USUAL[name]


# --- what is on links -----------------------------------------------------------------------------


def _neighbors(state: HostState, left_out: dict[int, Link]) -> Iterator[Part]:
    silent = {link.ifindex for link in state.links if link.flags & links.NOARP}
    for each in state.neighbors:
        noarp = neighbors.STATES.get(each.state) == "noarp"
        if noarp and (
            each.ifindex in silent or is_multicast(each.dst) or len(each.lladdr) != MAC_LEN
        ):
            continue  # it is so by itself: it has no address to be asked for
        if is_kept(each) and each.ifindex not in left_out:
            address = format_address(each.dst)
            words = ["neigh", "add", address, "lladdr", format_mac(each.lladdr)]
            words += ["dev", state.name_of(each.ifindex)]
            words += ["router"] if each.flags & neighbors.ROUTER else []
            words += ["nud", "noarp"] if noarp else []
            yield Command(tuple(words), f"neigh {address}")
    for each in state.proxies:
        address = format_address(each.dst)
        what = f"neigh proxy {address}"
        if not each.ifindex:
            yield NotExpressed(f"{what}: it is for all links")
        elif each.ifindex not in left_out:
            words = ["neigh", "add", "proxy", address, "dev", state.name_of(each.ifindex)]
            words += ["router"] if each.flags & neighbors.ROUTER else []
            yield Command(tuple(words), what)


def _addresses(state: HostState, left_out: dict[int, Link]) -> Iterator[Part]:
    by_index = {link.ifindex: link for link in state.links}
    for each in state.addresses:
        link = by_index.get(each.ifindex)
        if link is None or each.ifindex in left_out or _by_itself(link, each):
            continue
        text = f"{format_address(each.local)}/{each.plen}"
        what = f"addr {text} on {link.name}"
        words = ["addr", "add", text]
        if each.peer is not None:
            words[2:] = [format_address(each.local), "peer"]
            words.append(f"{format_address(each.peer)}/{each.plen}")
        words += ["dev", link.name]
        if each.broadcast is not None:
            words += ["broadcast", format_address(each.broadcast)]
        if each.label and each.label != link.name:
            words += ["label", each.label]
        if each.scope:
            words += ["scope", SCOPES.get(each.scope, str(each.scope))]
        for flag, word in (
            (addresses.NODAD, "nodad"), (addresses.AUTOJOIN, "autojoin"),
            (addresses.NOPREFIXROUTE, "noprefixroute"),
        ):  # fmt: skip
            words += [word] if each.flags & flag else []
        if each.metric and not (each.family == AF_INET6 and each.metric == 256):
            words += ["metric", str(each.metric)]
        for word, left in (("valid_lft", each.valid), ("preferred_lft", each.preferred)):
            words += [word, str(left)] if left is not None else []
        yield Command(tuple(words), what)
        if each.anycast is not None or each.unknown:
            yield NotExpressed(f"{what}: attributes {numbers_text(each.unknown) or 'anycast'}")


def _by_itself(link: Link, each: addresses.Address) -> bool:
    """Tell whether an address is there in a copy without a word."""
    if link.type == links.LOOPBACK_TYPE and each.scope == 254:
        return format_address(each.local) in ("127.0.0.1", "::1")
    if each.family != AF_INET6 or link.type != links.ETHER or len(link.mac) != MAC_LEN:
        return False
    return each.local == link_local(interface_id(link.mac))


# --- routes ---------------------------------------------------------------------------------------


def _routes(state: HostState, left_out: dict[int, Link]) -> Iterator[Part]:
    """Yield the routes of users, those without a gateway first: others may need them."""
    down = {link.ifindex: link.name for link in state.links if not link.flags & links.UP}
    there = [route for route in state.routes if route.protocol != _KERNEL]
    there.sort(key=lambda route: any(hop.gateway is not None for hop in route.hops))
    objects, made = _objects(state, left_out), set[int]()
    for route in there:
        if route.hops and all(hop.oif in left_out for hop in route.hops):
            continue  # said of the link
        text = f"route {prefix_text(route.dst, route.plen, route.family)}"
        if route.table != 254:
            text += f" table {_name(TABLES, route.table)}"
        # A next hop whose link went down is dead, and stays; it can only be added before.
        dead = [down[hop.oif] for hop in route.hops if hop.oif in down and hop.oif not in left_out]
        yield from (Command(("link", "set", name, "up"), text) for name in dict.fromkeys(dead))
        if route.nhid in objects:
            yield from _object(state, objects, route.nhid, made)
        yield Command(tuple(route_words(state, route, by_object=route.nhid in objects)), text)
        yield from (Command(("link", "set", name, "down"), text) for name in dict.fromkeys(dead))
        if more := _beside(route):
            yield NotExpressed(f"{text}: {', '.join(more)}")
    for number in objects:
        yield from _object(state, objects, number, made)
    if lacking := len(state.nexthops) - len(objects):
        yield NotExpressed(f"{counted(lacking, 'next-hop object')}: routes have their hops")


def _objects(state: HostState, left_out: dict[int, Link]) -> dict[int, Nexthop]:
    """Return the next-hop objects that stacks have, too; groups whose members are all there."""
    plain = [each for each in state.nexthops if not (each.encap or each.fdb or each.unknown)]
    alone = {each.id: each for each in plain if not each.group and each.oif not in left_out}
    groups = {
        each.id: each for each in plain
        if each.group and not each.resilient and all(member.id in alone for member in each.group)
    }  # fmt: skip
    return alone | groups


def _object(
    state: HostState, objects: dict[int, Nexthop], number: int, made: set[int]
) -> Iterator[Command]:
    """Yield what adds an object, behind its members, unless it is ``made`` already."""
    if number in made:
        return
    made.add(number)
    each = objects[number]
    for member in each.group:
        yield from _object(state, objects, member.id, made)
    words = ["-6"] if each.family == AF_INET6 else []
    words += ["nexthop", "add", "id", str(number)]
    if each.group:
        words += ["group", "/".join(f"{member.id},{member.weight}" for member in each.group)]
    elif each.blackhole:
        words += ["blackhole"]
    else:
        words += ["via", format_address(each.gateway)] if each.gateway is not None else []
        words += ["dev", state.name_of(each.oif)]
        words += ["onlink"] if each.flags & routes.ONLINK else []
    yield Command(tuple(words), f"nexthop {number}")


def route_words(state: HostState, route: routes.Route, *, by_object: bool = False) -> list[str]:
    """Return the command that adds a route, in words that ``ip`` knows, too.

    Args:
        by_object: its next hops are said by the number of their object.
    """
    words = ["-6"] if route.family == AF_INET6 else []
    words += ["route", "add"]
    kind = dict(enumerate(routes.TYPES)).get(route.type, str(route.type))
    words += [kind] if kind != "unicast" else []
    words.append(prefix_text(route.dst, route.plen, route.family))
    if route.src_plen:
        words += ["from", prefix_text(route.src, route.src_plen, route.family)]
    if route.tos:
        words += ["tos", f"0x{route.tos:02x}"]
    single = len(route.hops) == 1
    if by_object:
        words += ["nhid", str(route.nhid)]
    elif single and kind not in ("blackhole", "unreachable", "prohibit", "throw"):
        words += _hop(state, route, route.hops[0])
    if route.prefsrc is not None:
        words += ["src", format_address(route.prefsrc)]
    if route.metric and not (route.family == AF_INET6 and route.metric == 1024):
        words += ["metric", str(route.metric)]
    if route.family == AF_INET and route.scope != _usual_scope(route, kind):
        words += ["scope", SCOPES.get(route.scope, str(route.scope))]
    if mtu := dict(route.metrics).get(2):
        words += ["mtu", *(["lock"] if 2 in route.locked else []), str(mtu)]
    if route.protocol != 3:
        words += ["protocol", _protocol(route.protocol)]
    if route.table != 254:
        words += ["table", _name(TABLES, route.table)]
    for hop in () if single or by_object else route.hops:
        words += ["nexthop", *_hop(state, route, hop), "weight", str(hop.weight)]
    return words


def _usual_scope(route: routes.Route, kind: str) -> int:
    """Return the scope that a command gives a route when it says none, as ``ip`` does."""
    near = kind == "unicast" and len(route.hops) == 1 and route.hops[0].gateway is None
    return 254 if kind == "local" else 253 if near or kind == "broadcast" else 0


def _hop(state: HostState, route: routes.Route, hop: routes.Hop) -> list[str]:
    words = []
    if hop.encap:
        words += [
            "encap",
            f"type{hop.encap}",
        ]  # nobody takes it: the packets would leave as they are
    if hop.gateway is not None:
        words += ["via", format_address(hop.gateway)]
    if hop.oif:
        words += ["dev", state.name_of(hop.oif)]
    return words + (["onlink"] if hop.flags & routes.ONLINK else [])


def _beside(route: routes.Route) -> list[str]:
    """Return what a copy of a route lacks, and does not decide where its packets go."""
    names = dict(enumerate(routes.METRICS))
    told = [
        f"{_name(names, number)} {value}" for number, value in route.metrics
        if number not in (1, 2) and (value or number != 10)
    ]  # fmt: skip
    told += [f"congctl {route.congestion}"] if route.congestion else []
    told += [f"lock of {_name(names, number)}" for number in sorted(route.locked - {2})]
    told += [f"pref {route.pref}"] if route.pref else []
    told += [f"expires in {route.expires // 100} s"] if route.expires is not None else []
    told += [f"realm {hop.realm & 0xFFFF}" for hop in route.hops if hop.realm]
    unknown = (*route.unknown, *(number for hop in route.hops for number in hop.unknown))
    return told + ([f"attributes {numbers_text(unknown)}"] if unknown else [])


# --- rules ----------------------------------------------------------------------------------------


def _rules(state: HostState) -> Iterator[Part]:
    there = {AF_INET: set[tuple[int, int]](), AF_INET6: set[tuple[int, int]]()}
    for rule, row in zip(state.rules, rule_rows(state), strict=True):
        family = ["-6"] if rule.family == AF_INET6 else []
        if (rule.priority, rule.table) in _DEFAULT_RULES[rule.family] and set(row) <= {
            "priority", "src", "table", "family",
        } and row["src"] == "all":  # fmt: skip
            there[rule.family].add((rule.priority, rule.table))
            continue
        text = f"rule {rule.priority}" + (" of IPv6" if family else "")
        yield Command((*family, "rule", "add", *rule_words(rule)), text)
        if rule.unknown or rule.realm:
            yield NotExpressed(f"{text}: attributes {numbers_text(rule.unknown) or 'realms'}")
    for number, usual in _DEFAULT_RULES.items():
        known = [rule for rule in state.rules if rule.family == number]
        for priority, table in usual if known else ():
            if (priority, table) not in there[number]:
                family = ["-6"] if number == AF_INET6 else []
                words = (*family, "rule", "del", "priority", str(priority))
                yield Command(words, f"rule {priority} that is not there")


def rule_words(rule: rules.Rule) -> list[str]:
    """Return what follows ``rule add``, in words that ``ip`` knows, too."""
    words = ["not"] if rule.flags & rules.INVERT else []
    if rule.src_plen:
        words += ["from", prefix_text(rule.src, rule.src_plen, rule.family)]
    if rule.dst_plen:
        words += ["to", prefix_text(rule.dst, rule.dst_plen, rule.family)]
    words += ["iif", rule.iif] if rule.iif else []
    words += ["oif", rule.oif] if rule.oif else []
    words += ["tos", f"0x{rule.tos:02x}"] if rule.tos else []
    if rule.mark or rule.mask:
        words += ["fwmark", f"{rule.mark:#x}/{rule.mask:#x}"]
    words += ["l3mdev"] if rule.l3mdev else []
    words += ["uidrange", "{}-{}".format(*rule.uids)] if rule.uids is not None else []
    words += ["ipproto", str(rule.ip_proto)] if rule.ip_proto is not None else []
    for word, ports in (("sport", rule.sports), ("dport", rule.dports)):
        if ports is not None:
            words += [word, str(ports[0]) if ports[0] == ports[1] else "{}-{}".format(*ports)]
    words += ["tun_id", str(rule.tun_id)] if rule.tun_id else []
    if rule.dscp is not None:
        some = f"/{rule.dscp_mask:#x}" if rule.dscp_mask not in (None, 0x3F) else ""
        words += ["dscp", f"{rule.dscp}{some}"]
    words += ["flowlabel", hex(rule.label)] if rule.label is not None else []
    for word, mask in (("sport", rule.sport_mask), ("dport", rule.dport_mask)):
        words += [f"{word}_mask", hex(mask)] if mask not in (None, 0, 0xFFFF) else []
    words += ["priority", str(rule.priority)]
    return words + _action(rule)


def _action(rule: rules.Rule) -> list[str]:
    action, words = rules.ACTIONS.get(rule.action, str(rule.action)), []
    if action == "goto":
        words += ["goto", str(rule.goto)]
    elif action != "lookup":
        words += [action]
    elif not rule.l3mdev:
        words += ["table", _name(TABLES, rule.table)]
    if rule.suppress_plen is not None:
        words += ["suppress_prefixlength", str(rule.suppress_plen)]
    if rule.suppress_group is not None:
        words += ["suppress_ifgroup", str(rule.suppress_group)]
    if rule.protocol not in (0, _KERNEL):
        words += ["protocol", _protocol(rule.protocol)]
    return words


# --- the rest -------------------------------------------------------------------------------------


def _others(state: HostState) -> Iterator[NotExpressed]:
    """Yield what no stack has, or what programs have, who are no part of a copy."""
    static = [each for each in state.groups.groups if each.family == AF_PACKET and each.static]
    if static:
        told = counted(len(static), "link address", "link addresses")
        yield NotExpressed(f"{told} that a link receives: a stack's link takes those of all groups")
    if state.groups.sources:
        yield NotExpressed(
            f"{counted(len(state.groups.sources), 'sender')} that groups want or do not want"
        )
    if state.learned:
        yield NotExpressed(f"{counted(len(state.learned), 'way')} that the kernel learned")
    if state.sockets:
        yield NotExpressed(f"{counted(len(state.sockets), 'socket')} of programs")
    for hook in state.hooks:
        where = f" on {hook.link}" if hook.link else ""
        yield NotExpressed(f"{hook.name}{where}: {hook.what}")
    if not state.settled:
        yield NotExpressed("the host changed while it was read: this may never have been just so")


def _name(names: dict[int, str], number: int) -> str:
    return names.get(number, str(number))


def _protocol(number: int) -> str:
    """Return a word that every stack knows, or the number."""
    return PROTOCOLS[number] if number in (2, 3, 4) else str(number)
