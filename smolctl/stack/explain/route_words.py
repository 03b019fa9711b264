"""Routes and rules in the words and keys of ``ip``: the one place that renders them."""

from collections.abc import Sequence
from typing import Any

from smolctl.stack.explain.names import PROTOCOLS
from smolctl.stack.fib.nexthop import Hop, Multipath
from smolctl.stack.fib.route import Route, RouteType, TableName, table_text
from smolctl.stack.fib.rule import DSCP_BITS, Rule, RuleAction
from smolctl.wire.address import family_of, format_address

_USUAL_TABLES = (TableName.LOCAL, TableName.MAIN)


def route_text(route: Route) -> str:
    """Return a route as ``ip route`` words it, as far as it chooses the way."""
    words = [] if route.type is RouteType.UNICAST else [str(route.type)]
    words.append(prefix_text(route))
    if isinstance(route, Multipath):
        for hop in route.hops:
            words += ["nexthop", *_way_words(hop), "weight", str(hop.weight)]
    else:
        words += _way_words(route)
        words += ["weight", str(route.weight)] if isinstance(route, Hop) else []
    words += [] if route.table in _USUAL_TABLES else ["table", table_text(route.table)]
    words += ["metric", str(route.metric)] if route.metric else []
    return " ".join(words)


def rule_text(rule: Rule) -> str:
    """Return a rule as ``ip rule`` words it."""
    words = ["not"] if rule.invert else []
    words += ["from", _network(rule.src, rule.src_len)]
    if rule.dst_len:
        words += ["to", _network(rule.dst, rule.dst_len)]
    if rule.tos:
        words += ["tos", f"0x{rule.tos:02x}"]
    if rule.mark or rule.mark_mask:
        words += ["fwmark", mark_text(rule.mark, rule.mark_mask)]
    if rule.dscp is not None:
        words += ["dscp", dscp_text(rule)]
    for word, value in (("iif", rule.iif), ("oif", rule.oif)):
        words += [word, value] if value is not None else []
    if rule.uids is not None:
        words += ["uidrange", "{}-{}".format(*rule.uids)]
    if rule.ipproto:
        words += ["ipproto", protocol_text(rule.ipproto)]
    for word, ports in (("sport", rule.sport), ("dport", rule.dport)):
        words += [word, "-".join(map(str, sorted(set(ports))))] if ports is not None else []
    if rule.action is RuleAction.LOOKUP:
        words += ["lookup", table_text(rule.table)]
        if rule.suppress is not None:
            words += ["suppress_prefixlength", str(rule.suppress)]
        if rule.suppress_group is not None:
            words += ["suppress_ifgroup", group_text(rule.suppress_group)]
    elif rule.action is RuleAction.GOTO:
        words += ["goto", str(rule.target)]
    else:
        words.append(rule.action.value)
    return " ".join(words)


def dscp_text(rule: Rule) -> str:
    """Return the DSCP that a rule wants, with its mask where that has not all bits."""
    return f"{rule.dscp}" + (f"/{rule.dscp_mask:#x}" if rule.dscp_mask != DSCP_BITS else "")


def group_text(group: int) -> str:
    """Return the name of a group of links."""
    return str(group) if group else "default"


def mark_text(mark: int, mask: int) -> str:
    """Return a mark and its mask, which is left out where it has all bits."""
    return f"{mark:#x}" + (f"/{mask:#x}" if mask != 0xFFFFFFFF else "")


def _network(address: int, plen: int) -> str:
    if not plen:
        return "all"
    return format_address(address) + (f"/{plen}" if plen != family_of(address).bits else "")


def protocol_text(protocol: int) -> str:
    """Return the name of an IPv4 protocol, or its number."""
    return PROTOCOLS.get(protocol, str(protocol)).lower()


def prefix_text(route: Route) -> str:
    """Return a route's destination; "default" for all there is."""
    return f"{format_address(route.prefix)}/{route.plen}" if route.plen else "default"


def route_row(route: Route) -> dict[str, Any]:
    """Return a route as a row with the keys of ``ip -j``, as far as it chooses the way."""
    row: dict[str, Any] = {"dst": prefix_text(route)}
    if route.type is not RouteType.UNICAST:
        row["type"] = str(route.type)
    if route.via is not None:
        row["gateway"] = format_address(route.via)
    if route.dev is not None:
        row["dev"] = route.dev
    if route.metric:
        row["metric"] = route.metric
    return row


def change_words(route: Route, mtu: int) -> str:
    """Return the words that give a route, all its next hops with it, another MTU."""
    if isinstance(route, Hop) and route.whole is not None:
        route = route.whole
    words = [prefix_text(route), *_way_words(route)]
    if route.prefsrc is not None:
        words += ["src", format_address(route.prefsrc)]
    if route.metric:
        words += ["metric", str(route.metric)]
    if route.table != TableName.MAIN:
        words += ["table", table_text(route.table)]
    words += ["mtu", *(["lock"] if route.mtu_lock else []), str(mtu)]
    for hop in route.hops if isinstance(route, Multipath) else ():
        words += ["nexthop", *_way_words(hop), "weight", str(hop.weight)]
        words += ["onlink"] if hop.onlink else []
    return " ".join(words)


def _way_words(route: Route) -> list[str]:
    """Return gateway and device."""
    via = [] if route.via is None else ["via", format_address(route.via)]
    return via + ([] if route.dev is None else ["dev", route.dev])


_NETWORKS_SHOWN = 4


def networks_text(networks: Sequence[tuple[int, int]]) -> str:
    """Return addresses with their prefix lengths; "no address" for none."""
    shown = [f"{format_address(local)}/{plen}" for local, plen in networks[:_NETWORKS_SHOWN]]
    return ", ".join(shown + ["..."] * (len(networks) > _NETWORKS_SHOWN)) or "no address"
