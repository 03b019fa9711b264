"""What a client can ask, one file per noun: words in, plain rows out.

``OPS`` is the list of all operations. A handler gets a ``Context`` and its checked ``Args``, and
returns rows or a job. Handlers know no socket and no clock, so they work on any stack in any time.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from smolctl.daemon.api import (
    addr,
    arping,
    batch,
    capture,
    config,
    config_diff,
    link,
    link_options,
    maddr,
    monitor,
    neigh,
    netem,
    packets,
    ping,
    route,
    route_get,
    rule,
    socket,
    socket_open,
    stack,
    stats,
    sysctl,
    trace,
    traceroute,
    udp,
    why,
)
from smolctl.daemon.args import Args
from smolctl.daemon.context import Context, Row
from smolctl.daemon.job import Job

Handler = Callable[[Context, Args], Iterable[Row] | Job]


class Operation(NamedTuple):
    """One operation: who handles it, and the arguments that it knows."""

    handler: Handler
    names: frozenset[str]


def _op(handler: Handler, names: str = "") -> Operation:
    return Operation(handler, frozenset(names.split()))


_LINK = "dev stats"
_ADDR = "local dev broadcast label scope dad nodad autojoin"
_ADDR_SELECT = "dev to scope label up tentative dadfailed autojoin"
_ROUTE = "dst type via dev src metric scope mtu mtu_lock onlink protocol table nexthop"
_ROUTE_SELECT = "table cache root match exact dev via protocol scope type src metric"
_RULE_SELECT = "not from to iif oif tos ipproto sport dport priority table protocol"
_RULE = _RULE_SELECT + " type goto suppress_prefixlength"
_NEIGH = "dst lladdr dev nud proxy"
_SEND = (
    "dst port src sport dev data size count interval rate wait ttl tos options broadcast"
    " expect_reply quiet pmtudisc"
)
_PING = "dst count interval size ttl tos record stamp hosts timeout deadline src dev pmtudisc"
_PACE = "first max_hops queries at_once wait gap"
_TRACEROUTE = f"dst size method dont_fragment {_PACE} port tos gateways src dev"
_ARPING = "dst dev src count replies interval wait deadline mode broadcast first"

OPS: dict[str, Operation] = {
    "stack.status": _op(stack.status),
    "stack.stop": _op(stack.stop),
    "link.show": _op(link.show, _LINK + " up"),
    "link.add": _op(link.add, f"name type address mtu down {link_options.WORDS} {netem.WORDS}"),
    "link.del": _op(link.delete, "dev"),
    "link.set": _op(link.set_, f"dev state mtu address {netem.WORDS}"),
    "addr.show": _op(addr.show, _ADDR_SELECT + " stats details"),
    "addr.add": _op(addr.add, _ADDR),
    "addr.replace": _op(addr.replace, _ADDR),
    "addr.change": _op(addr.change, _ADDR),
    "addr.del": _op(addr.delete, "local dev label"),
    "addr.flush": _op(addr.flush, _ADDR_SELECT),
    "route.show": _op(route.show, _ROUTE_SELECT),
    "route.add": _op(route.add, _ROUTE),
    "route.append": _op(route.append, _ROUTE),
    "route.replace": _op(route.replace, _ROUTE),
    "route.change": _op(route.change, _ROUTE),
    "route.del": _op(route.delete, _ROUTE),
    "route.get": _op(route_get.get, "dst src dev iif tos ipproto sport dport fibmatch candidates"),
    "route.flush": _op(route.flush, _ROUTE_SELECT),
    "rule.show": _op(rule.show, _RULE_SELECT + " details"),
    "rule.add": _op(rule.add, _RULE),
    "rule.del": _op(rule.delete, _RULE),
    "rule.flush": _op(rule.flush, _RULE_SELECT),
    "neigh.show": _op(neigh.show, "dev to nud stats proxy"),
    "neigh.get": _op(neigh.get, "dst dev stats"),
    "neigh.add": _op(neigh.add, _NEIGH),
    "neigh.replace": _op(neigh.replace, _NEIGH),
    "neigh.change": _op(neigh.change, _NEIGH),
    "neigh.del": _op(neigh.delete, "dst dev lladdr nud proxy"),
    "neigh.flush": _op(neigh.flush, "dev to nud"),
    "maddr.show": _op(maddr.show, "dev stats"),
    "maddr.add": _op(maddr.add, "address dev"),
    "maddr.del": _op(maddr.delete, "address dev"),
    "sysctl.show": _op(sysctl.show, "key diff"),
    "sysctl.set": _op(sysctl.set_, "key value"),
    "socket.show": _op(socket.show),
    "socket.open": _op(socket_open.open_, "channel owner pid"),
    "stats.show": _op(stats.show, "all"),
    "stats.drops": _op(stats.drops),
    "udp.send": _op(udp.send, _SEND),
    "udp.recv": _op(udp.recv, "addr port dev count wait group source reuse"),
    "udp.echo": _op(udp.echo, "addr port dev count wait quiet"),
    "why.ask": _op(why.ask, "proto src sport dst dport size dev iif broadcast pmtudisc tos"),
    "why.show": _op(why.show, "id"),
    "why.list": _op(why.recent),
    "config.save": _op(config.save),
    "config.diff": _op(config_diff.diff, "commands"),
    "batch.run": _op(batch.run, "commands force atomic"),
    "ping.run": _op(ping.run, _PING),
    "traceroute.run": _op(traceroute.run, _TRACEROUTE),
    "arping.run": _op(arping.run, _ARPING),
    "monitor.run": _op(monitor.run, " ".join(monitor.KINDS) + " dev count wait stats"),
    "capture.run": _op(capture.run, packets.WORDS),
    "trace.run": _op(trace.run, packets.WORDS),
}
