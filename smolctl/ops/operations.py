"""Operations: everything that a client can ask, one file per noun; words in, plain rows out.

``OPS`` is the list of all operations. A handler gets a ``Context`` and its checked ``Args``, and
returns rows or a job. Handlers know no socket and no clock, so they work on any stack in any time.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from importlib import import_module
from typing import Any

from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.job import Job

Handler = Callable[[Context, Args], Iterable[Row] | Job]


class Operation:
    """One operation. Its module is imported when it is first asked for.

    All of them would take a third of the time that a daemon needs to start.

    Args:
        handler: who handles it: "module.function".
        names: the arguments that it knows.
        more: where other names of arguments are: "module.CONSTANT".
    """

    def __init__(self, handler: str, names: str = "", *more: str) -> None:
        self._handler = handler
        self._names = names
        self._more = more

    @property
    def ready(self) -> bool:
        """Whether its module has been imported."""
        return "handler" in self.__dict__

    @cached_property
    def handler(self) -> Handler:
        """The function that handles it."""
        found: Handler = _there(self._handler)
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """The arguments that it knows."""
        more: list[str] = []
        for where in self._more:
            words = _there(where)
            more += words.split() if isinstance(words, str) else words
        return frozenset([*self._names.split(), *more])


def _there(where: str) -> Any:
    module, _, name = where.partition(".")
    return getattr(import_module(f"smolctl.ops.{module}"), name)


_LINK = "dev stats"
_ADDR = (
    "local dev broadcast label scope dad nodad autojoin metric noprefixroute optimistic valid_lft"
    " preferred_lft peer family"
)
_ADDR_SELECT = (
    "dev to scope label up tentative dadfailed autojoin optimistic deprecated temporary family"
)
_ROUTE = "dst type via dev src metric scope mtu mtu_lock onlink protocol table nexthop nhid family"
_NEXTHOP = "id via dev onlink blackhole group family"
_NEXTHOP_SELECT = "id dev groups family"
_ROUTE_SELECT = "table cache root match exact dev via protocol scope type src metric family"
_ROUTE_GET = "dst src dev iif tos ipproto sport dport mark uid fibmatch candidates family"
_RULE_SELECT = (
    "not from to iif oif fwmark uidrange tos dscp ipproto sport dport priority table protocol"
    " family"
)
_RULE = _RULE_SELECT + " type goto suppress_prefixlength suppress_ifgroup"
_NEIGH = "dst lladdr dev nud proxy router family"
_SEND = (
    "dst port src sport dev data size count interval rate wait ttl tos options broadcast"
    " expect_reply quiet pmtudisc mark family"
)
_PING = (
    "dst count interval size ttl tos record stamp hosts timeout deadline src dev pmtudisc"
    " preload pattern outstanding adaptive tell_sent broadcast mark family"
)
_PACE = "first max_hops queries at_once wait gap"
_TRACEROUTE = f"dst size method dont_fragment {_PACE} port tos gateways src dev mark family"
_SYN = "dst src dev ttl tos mark family"
_WHY = "proto src sport dst dport size dev iif broadcast pmtudisc tos ttl mark uid dmac family"
_ARPING = "dst dev src count replies interval wait deadline mode broadcast first"

OPS: dict[str, Operation] = {
    "stack.status": Operation("stack.status", "family"),
    "stack.snapshot": Operation("snapshot.take", "family"),
    "stack.stop": Operation("stack.stop", "family"),
    "link.show": Operation("link.show", _LINK + " up family"),
    "link.add": Operation(
        "link.add",
        "name type address mtu arp group down family",
        "link_options.WORDS",
        "netem.WORDS",
    ),
    "link.del": Operation("link.delete", "dev family"),
    "link.set": Operation(
        "link.set_",
        "dev state mtu address arp group addrgenmode carrier master nomaster family",
        "netem.WORDS",
    ),
    "addr.show": Operation("addr.show", _ADDR_SELECT + " stats details"),
    "addr.add": Operation("addr.add", _ADDR),
    "addr.replace": Operation("addr.replace", _ADDR),
    "addr.change": Operation("addr.change", _ADDR),
    "addr.del": Operation("addr.delete", "local dev label peer family"),
    "addr.flush": Operation("addr.flush", _ADDR_SELECT),
    "route.show": Operation("route.show", _ROUTE_SELECT),
    "route.add": Operation("route.add", _ROUTE),
    "route.append": Operation("route.append", _ROUTE),
    "route.replace": Operation("route.replace", _ROUTE),
    "route.change": Operation("route.change", _ROUTE),
    "route.del": Operation("route.delete", _ROUTE),
    "route.get": Operation("route_get.get", _ROUTE_GET),
    "route.flush": Operation("route.flush", _ROUTE_SELECT + " quiet"),
    "nexthop.show": Operation("nexthop.show", _NEXTHOP_SELECT),
    "nexthop.get": Operation("nexthop.get", "id family"),
    "nexthop.add": Operation("nexthop.add", _NEXTHOP),
    "nexthop.replace": Operation("nexthop.replace", _NEXTHOP),
    "nexthop.del": Operation("nexthop.delete", "id family"),
    "nexthop.flush": Operation("nexthop.flush", _NEXTHOP_SELECT),
    "rule.show": Operation("rule.show", _RULE_SELECT + " details"),
    "rule.add": Operation("rule.add", _RULE),
    "rule.del": Operation("rule.delete", _RULE),
    "rule.flush": Operation("rule.flush", _RULE_SELECT),
    "neigh.show": Operation("neigh.show", "dev to nud stats proxy family"),
    "neigh.get": Operation("neigh.get", "dst dev stats family"),
    "neigh.add": Operation("neigh.add", _NEIGH),
    "neigh.replace": Operation("neigh.replace", _NEIGH),
    "neigh.change": Operation("neigh.change", _NEIGH),
    "neigh.del": Operation("neigh.delete", "dst dev lladdr nud proxy router family"),
    "neigh.flush": Operation("neigh.flush", "dev to nud family"),
    "maddr.show": Operation("maddr.show", "dev stats family"),
    "maddr.add": Operation("maddr.add", "address dev family"),
    "maddr.del": Operation("maddr.delete", "address dev family"),
    "addrlabel.show": Operation("addrlabel.show", "family"),
    "addrlabel.add": Operation("addrlabel.add", "prefix label dev family"),
    "addrlabel.del": Operation("addrlabel.delete", "prefix label dev family"),
    "addrlabel.flush": Operation("addrlabel.flush", "family"),
    "sysctl.show": Operation("sysctl.show", "key diff family"),
    "sysctl.set": Operation("sysctl.set_", "key value family"),
    "socket.show": Operation("socket.show", "netid listening family"),
    "socket.kill": Operation("socket.kill", "local peer sport dport pid family"),
    "socket.open": Operation("socket_open.open_", "channel owner pid uid family"),
    "stream.open": Operation("stream_open.open_", "channel owner pid uid family"),
    "exec.open": Operation("exec.open_", "addr via link mtu program pid family"),
    "stats.show": Operation("stats.show", "all family"),
    "stats.drops": Operation("stats.drops", "family"),
    "udp.send": Operation("udp.send", _SEND),
    "udp.recv": Operation("udp.recv", "addr port dev count wait group source reuse mark family"),
    "udp.echo": Operation("udp.echo", "addr port dev count wait quiet mark family"),
    "tcp.send": Operation(
        "tcp.send", "dst port src sport dev data wait expect_reply quiet mark family"
    ),
    "tcp.ping": Operation("tcp_ping.run", f"{_SYN} port count interval timeout deadline"),
    "tcp.scan": Operation("tcp_scan.run", f"{_SYN} ports retries interval timeout deadline"),
    "tcp.echo": Operation("tcp.echo", "addr port dev count wait backlog quiet mark family"),
    "why.ask": Operation("why.ask", _WHY),
    "why.show": Operation("why.show", "id family"),
    "why.list": Operation("why.recent", "family"),
    "config.save": Operation("config.save", "family"),
    "config.diff": Operation("config_diff.diff", "commands family"),
    "batch.run": Operation("batch.run", "commands force atomic"),
    "ping.run": Operation("ping.run", _PING),
    "traceroute.run": Operation("traceroute.run", _TRACEROUTE),
    "arping.run": Operation("arping.run", _ARPING),
    "ndisc.run": Operation("ndisc.run", _ARPING + " family"),
    "monitor.run": Operation("monitor.run", "dev count wait stats family", "monitor.KINDS"),
    "capture.run": Operation("capture.run", "family", "packets.WORDS"),
    "trace.run": Operation("trace.run", "family", "packets.WORDS"),
}
