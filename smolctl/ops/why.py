"""``smolctl why``: what would happen to a packet, and what did."""

from collections.abc import Iterable

from smolctl.errors import InvalidArgument, NotFound
from smolctl.ops.args import Args
from smolctl.ops.aside import aside
from smolctl.ops.context import Context, Row
from smolctl.ops.route_get import tos_number
from smolctl.stack.explain import verdict
from smolctl.stack.explain.connection import known_of, tell_connection
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Medium
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.stack.stack import Stack
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.wire import udp
from smolctl.wire.address import format_address

_PROTOCOLS = ("udp", "tcp", "icmp", "arp")


def ask(ctx: Context, args: Args) -> Iterable[Row]:
    """Return what would happen to a packet that is not sent."""
    args.required("proto")
    proto = args.choice("proto", _PROTOCOLS) or ""
    args.required("dst")
    src, dst, dev, iif = args.address("src"), args.address("dst") or 0, args.text("dev"), None
    if "iif" in args:
        iif = ctx.stack.interface(args.required("iif")).name
        if dev is not None:
            raise InvalidArgument(
                "dev and iif cannot be used together: a packet either leaves or comes in"
            )
        if src is None:
            raise InvalidArgument("an incoming packet needs a source", hint="name SRC and DST")
    elif dev is None and src is not None:
        iif = _entrance(ctx.stack, src, dst)
    dport = args.port("dport")
    if proto in ("udp", "tcp") and dport is None:
        source = f"{format_address(src)} " if src is not None else ""
        hint = f"smolctl why {proto} {source}{format_address(dst)}:PORT"
        raise InvalidArgument("the port is missing", hint=hint)
    if proto not in ("udp", "tcp") and ("dport" in args or "sport" in args):
        raise InvalidArgument(f"{proto} has no ports")
    tos = tos_number(args)
    if proto == "arp" and tos is not None:
        raise InvalidArgument("arp has no type of service")
    if proto == "arp" and "ttl" in args:
        raise InvalidArgument("arp has no time to live")
    if proto == "arp" and args.flag("broadcast"):
        raise InvalidArgument("arp asks everybody anyway")
    question = Question(
        proto,
        src,
        dst,
        args.port("sport") or 0,
        dport or 0,
        args.integer("size", 0, udp.MAX_PAYLOAD) or 0,
        dev,
        iif,
        args.flag("broadcast"),
        args.pmtudisc(ctx.stack.ipv4.pmtudisc) if "pmtudisc" in args else None,
        tos,
        args.integer("ttl", 1, 255),
    )
    stack, now = ctx.stack, ctx.now
    if proto == "tcp":
        ends = Ends(src or 0, question.sport, dst, question.dport)
        there = tell_connection(stack.tcp, ends, now)
        if there is not None:
            return [there]
    neighbors = sum(len(cache.entries) for cache in stack.ipv4.neighbors.values())
    return aside(
        len(stack.ipv4.fib) + neighbors + len(stack.udp),  # they are copied
        lambda: [_predicted(stack, question, now)],
    )


def _predicted(stack: Stack, question: Question, now: int) -> Row:
    """Return the row of a prediction, of a connection with what is known of its peer."""
    row = verdict.tell(predict(stack, question, now))
    if question.proto == "tcp" and question.iif is None:
        for step in known_of(stack.tcp, question.dst, question.dport, now):
            row["steps"].append({"n": len(row["steps"]) + 1, **step})
    return row


def _entrance(stack: Stack, src: int, dst: int) -> str | None:
    """Return where a packet from somebody else comes in; None for one of our own.

    It is for this stack, or to be forwarded.
    """
    ours = stack.ipv4.fib.is_local(dst) or stack.ipv4.is_broadcast(dst)
    router = any(link.settings["ip.forward"] for link in stack.interfaces.values())
    if stack.ipv4.fib.is_local(src) or not (ours or router):
        return None
    owner = stack.ipv4.interface_of(dst) if ours else None
    if owner is None or owner.medium is not Medium.ETHERNET:
        way = route_output(stack.networks.for_address(src), RouteKey(src))
        owner = way.interface if isinstance(way, Way) else None
    return owner.name if owner is not None and owner.medium is Medium.ETHERNET else None


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return what happened to a packet: the one with that id, or the last one."""
    journal = ctx.stack.journal
    number = args.integer("id", 1, 1 << 62)
    if number is None:
        trace = journal.last
        if trace is None:
            raise NotFound(
                "no packet was sent by hand, dropped, refused or delayed yet",
                hint="smolctl why udp SRC DST predicts one",
            )
    else:
        trace = journal.get(number)
        if trace is None:
            raise NotFound(f"packet {number} is not remembered", hint="smolctl why list")
    return [verdict.tell(trace, ctx.daemon.wall_time)]


def recent(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the packets that are remembered, oldest first."""
    wall = ctx.daemon.wall_time
    return [_brief(verdict.tell(trace, wall, brief=True)) for trace in ctx.stack.journal]


_BRIEF = ("id", "time", "dir", "dev", "summary", "verdict", "reason", "class", "cause")


def _brief(row: Row) -> Row:
    return {key: row[key] for key in _BRIEF if key in row}
