"""Routes and rules in the words of ``ip``."""

from smolctl.stack.explain.summary import PROTOCOLS
from smolctl.stack.fib.nexthop import Hop, Multipath
from smolctl.stack.fib.route import Route, RouteType, TableName, table_text
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.wire.address import IPV4, format_address

_USUAL_TABLES = (TableName.LOCAL, TableName.MAIN)


def route_text(route: Route) -> str:
    """Return a route as ``ip route`` words it, as far as it chooses the way."""
    kind = "" if route.type is RouteType.UNICAST else f"{route.type} "
    via = "" if route.via is None else f" via {format_address(route.via)}"
    dev = "" if route.dev is None else f" dev {route.dev}"
    metric = f" metric {route.metric}" if route.metric else ""
    table = "" if route.table in _USUAL_TABLES else f" table {table_text(route.table)}"
    if isinstance(route, Hop):
        dev += f" weight {route.weight}"
    elif isinstance(route, Multipath):
        dev = "".join(f" nexthop{_hop_words(hop)}" for hop in route.hops)
    return f"{kind}{prefix_text(route)}{via}{dev}{table}{metric}"


def _hop_words(hop: Hop) -> str:
    via = "" if hop.via is None else f" via {format_address(hop.via)}"
    return f"{via} dev {hop.dev} weight {hop.weight}"


def rule_text(rule: Rule) -> str:
    """Return a rule as ``ip rule`` words it."""
    words = ["not"] if rule.invert else []
    words += ["from", _network(rule.src, rule.src_len)]
    if rule.dst_len:
        words += ["to", _network(rule.dst, rule.dst_len)]
    if rule.tos:
        words += ["tos", f"0x{rule.tos:02x}"]
    for word, value in (("iif", rule.iif), ("oif", rule.oif)):
        words += [word, value] if value is not None else []
    if rule.ipproto:
        words += ["ipproto", protocol_text(rule.ipproto)]
    for word, ports in (("sport", rule.sport), ("dport", rule.dport)):
        words += [word, "-".join(map(str, sorted(set(ports))))] if ports is not None else []
    if rule.action is RuleAction.LOOKUP:
        words += ["lookup", table_text(rule.table)]
        if rule.suppress is not None:
            words += ["suppress_prefixlength", str(rule.suppress)]
    elif rule.action is RuleAction.GOTO:
        words += ["goto", str(rule.target)]
    else:
        words.append(rule.action.value)
    return " ".join(words)


def _network(address: int, plen: int) -> str:
    if not plen:
        return "all"
    return format_address(address) + (f"/{plen}" if plen != IPV4.bits else "")


def protocol_text(protocol: int) -> str:
    """Return the name of an IPv4 protocol, or its number."""
    return PROTOCOLS.get(protocol, str(protocol)).lower()


def prefix_text(route: Route) -> str:
    """Return a route's destination; "default" for all there is."""
    return f"{format_address(route.prefix)}/{route.plen}" if route.plen else "default"
