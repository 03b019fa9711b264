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
from smolctl.stack.explain.return_way import missing_return
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Medium
from smolctl.stack.ip.network import Network, Networks
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.stack.stack import Stack
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.wire import udp
from smolctl.wire.address import (
    IPV4,
    IPV6,
    family_of,
    format_address,
    format_endpoint,
)

_PROTOCOLS = ("udp", "tcp", "icmp", "arp", "nd")
_ONLY = {
    "arp": (IPV4, "is an IPv6 address, which is not asked for by ARP", "nd"),
    "nd": (IPV6, "is an IPv4 address, which is asked for by ARP", "arp"),
}
"""The family of each question for a MAC address, and what is said about the other one."""


def ask(ctx: Context, args: Args) -> Iterable[Row]:
    """Return what would happen to a packet that is not sent."""
    stack, now = ctx.stack, ctx.now
    question = question_of(args, stack)
    if question.proto == "tcp":
        me = family_of(question.dst).mark if question.src is None else question.src
        ends = Ends(me, question.sport, question.dst, question.dport)
        there = tell_connection(stack.tcp, ends, now)
        if there is not None:
            return [there]
    return aside(
        # they are copied
        len(stack.udp) + sum(map(_size, stack.networks.values())),
        lambda: [told(stack, question, now)[0]],
    )


def question_of(args: Args, stack: Stack) -> Question:
    """Return the packet that a request asks a stack about.

    Raises:
        InvalidArgument: it is none.
        NoSuchDevice: it is to come in by an interface that is not there.
    """
    question = asked(args, stack.networks)
    dev, iif = _links(stack, args, question.src, question.dst)
    if question.dmac is not None and iif is None:
        raise InvalidArgument(
            "dmac is about a frame that comes in, and this packet is sent from here",
            hint="say by which interface it comes in: iif DEV",
        )
    if question.dmac is not None and stack.interface(iif or "").medium is not Medium.ETHERNET:
        raise InvalidArgument(f"what comes in by {iif} is in no frame: it has no dmac")
    return question._replace(dev=dev, iif=iif)


def asked(args: Args, networks: Networks) -> Question:
    """Return the packet that a request asks about; by which link it goes is not looked at yet.

    Raises:
        InvalidArgument: it is none.
    """
    args.required("proto")
    proto = args.choice("proto", _PROTOCOLS) or ""
    args.required("dst")
    src, dst = args.zoned("src"), args.zoned("dst")
    assert dst is not None
    _check_families(proto, src, dst)
    question = Question(
        proto,
        src,
        dst,
        args.port("sport") or 0,
        _port(args, proto, src, dst),
        args.integer("size", 0, _SIZE_MAX[family_of(dst)]) or 0,
        None,
        None,
        args.flag("broadcast"),
        args.pmtudisc(networks.for_address(dst).pmtudisc) if "pmtudisc" in args else None,
        tos_number(args),
        args.integer("ttl", 1, 255),
        args.mark(),
        args.uid(),
        args.mac("dmac"),
    )
    _check_asking(args, question)
    return question


def told(stack: Stack, question: Question, now: int) -> tuple[Row, Trace]:
    """Return the row of a prediction, of a connection with what is known of its peer; its trace.

    Raises: as ``predict``.
    """
    trace = predict(stack, question, now)
    row = with_return(stack, verdict.tell(trace), trace)
    if question.proto == "tcp" and question.iif is None:
        for step in known_of(stack.tcp, question.dst, question.dport, now):
            row["steps"].append({"n": len(row["steps"]) + 1, **step})
    return row, trace


def with_return(stack: Stack, row: Row, trace: Trace, patience_ns: int = 0) -> Row:
    """Add where to look if a program's packet is gone and nothing came back.

    Args:
        patience_ns: see ``missing_return``.
    """
    found = missing_return(stack.interfaces, stack.networks, trace, patience_ns)
    return row if found is None or row["fix"] or "look" in row else {**row, "look": found}


_SIZE_MAX = {IPV4: udp.MAX_PAYLOAD, IPV6: udp.MAX_PAYLOAD6}


def _size(net: Network) -> int:
    """Return how many entries the tables of a network have."""
    return len(net.fib) + sum(len(cache.entries) for cache in net.neighbors.values())


def _check_families(proto: str, src: int | None, dst: int) -> None:
    """Refuse addresses that are in no packet together, or not in one of the protocol."""
    if src is not None and family_of(src) is not family_of(dst):
        raise InvalidArgument(
            f"{format_address(src)} and {format_address(dst)} are of two families"
        )
    family, what, other = _ONLY.get(proto, (family_of(dst), "", ""))
    if family_of(dst) is not family:
        shown = format_address(dst)
        raise InvalidArgument(f"{shown} {what}", hint=f"smolctl why {other} {shown}")


def _port(args: Args, proto: str, src: int | None, dst: int) -> int:
    """Return the port of the destination, which is there for UDP and TCP alone."""
    dport = args.port("dport")
    if proto not in ("udp", "tcp") and ("dport" in args or "sport" in args):
        raise InvalidArgument(f"{proto} has no ports")
    if proto in ("udp", "tcp") and dport is None:
        source = f"{format_address(src)} " if src is not None else ""
        shown = format_endpoint(dst, "PORT")
        raise InvalidArgument("the port is missing", hint=f"smolctl why {proto} {source}{shown}")
    return dport or 0


def _check_asking(args: Args, question: Question) -> None:
    """Refuse words that say nothing about a question for a MAC address."""
    proto = question.proto
    if proto not in _ONLY:
        return
    if question.tos is not None:
        raise InvalidArgument(f"{proto} has no type of service")
    if "ttl" in args:
        raise InvalidArgument(f"{proto} has no time to live")
    if question.broadcast:
        raise InvalidArgument(f"{proto} asks everybody anyway")


def _links(stack: Stack, args: Args, src: int | None, dst: int) -> tuple[str | None, str | None]:
    """Return the interface by which the packet must leave, or the one by which it comes in."""
    dev, iif = args.text("dev"), None
    if "iif" in args:
        iif = stack.interface(args.required("iif")).name
        if dev is not None:
            raise InvalidArgument(
                "dev and iif cannot be used together: a packet either leaves or comes in"
            )
        if src is None:
            raise InvalidArgument("an incoming packet needs a source", hint="name SRC and DST")
        return None, iif
    zone = args.device("src", "dst")
    if dev is None and src is not None:
        iif = _entrance(stack, src, dst, zone)
    return (None if iif is not None else zone), iif


def _entrance(stack: Stack, src: int, dst: int, zone: str | None) -> str | None:
    """Return where a packet from somebody else comes in; None for one of our own.

    It is for this stack, or to be forwarded.

    Args:
        zone: of its addresses, if they are of one link.
    """
    net = stack.networks.for_address(dst)
    ours = net.fib.is_local(dst) or net.is_broadcast(dst)
    router = any(net.forwards(link) for link in stack.interfaces.values())
    if net.fib.is_local(src) or not (ours or router):
        return None
    if zone is not None:
        return stack.interface(zone).name
    owner = net.interface_of(dst) if ours else None
    if owner is None or owner.medium is Medium.IP:
        way = route_output(net, RouteKey(src))
        owner = way.interface if isinstance(way, Way) else None
    return owner.name if owner is not None and owner.medium is not Medium.IP else None


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
    return [with_return(ctx.stack, verdict.tell(trace, ctx.daemon.wall_time), trace)]


def recent(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the packets that are remembered, oldest first."""
    wall = ctx.daemon.wall_time
    return [_brief(verdict.tell(trace, wall, brief=True)) for trace in ctx.stack.journal]


_BRIEF = ("id", "time", "dir", "dev", "summary", "verdict", "reason", "class", "cause")


def _brief(row: Row) -> Row:
    return {key: row[key] for key in _BRIEF if key in row}
