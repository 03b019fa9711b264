"""``smolctl route get``: which way a packet would take."""

from collections.abc import Iterable
from struct import Struct

from smolctl.errors import InvalidArgument, NotFound
from smolctl.ops import route_cache, route_learned
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.route import metrics, route_row
from smolctl.stack import reason
from smolctl.stack.explain import candidates
from smolctl.stack.explain.summary import PROTOCOLS
from smolctl.stack.fib.nexthop import Hop
from smolctl.stack.fib.route import Route, TableName, table_text
from smolctl.stack.fib.rule import Traits
from smolctl.stack.ip import gateways
from smolctl.stack.ip.route_output import Decision, Refusal, decide, rejection
from smolctl.stack.ipv4.forward import NOT_FOR_US, way
from smolctl.stack.ipv4.input import verdict
from smolctl.stack.stack import Stack
from smolctl.stack.trace.facts import Owner
from smolctl.stack.trace.trace import Trace
from smolctl.wire import ipv4
from smolctl.wire.address import format_address

# What Linux's lookup says of a packet that it would forward, which gets an ICMP error or none.
_ERRNO_ON = {
    "blackhole": "EINVAL",
    "unreachable": "ENETUNREACH",
    "prohibit": "EACCES",
    reason.FWD_ROUTE_BLACKHOLE.name: "EINVAL",
    reason.FWD_ROUTE_UNREACHABLE.name: "EHOSTUNREACH",
    reason.FWD_ROUTE_PROHIBIT.name: "EACCES",
    reason.FWD_NO_ROUTE.name: "ENETUNREACH",
    reason.TX_IFACE_DOWN.name: "ENETUNREACH",
}
_MARTIAN = ("ip-src-invalid", "ip-src-is-ours", "ip-loopback-on-wire", "ip-dst-invalid")


def get(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the way a packet would take, as ``ip -j route get``; nothing is sent or changed.

    Raises:
        SendRejected: it would go no way; the code is the reason's name.
    """
    stack = ctx.stack
    args.required("dst")
    dst = (args.prefix("dst") or (0, None))[0]
    src, dev, iif = args.address("src"), args.text("dev"), args.text("iif")
    traits = _traits(args)
    if iif is not None:
        return [_incoming(stack, dst, src, iif, traits, ctx.now)]
    decision = decide(stack, dst, src, dev, traits)
    if isinstance(decision, Refusal):
        raise rejection(decision.reason, {**decision.detail, "dev": decision.dev})
    if args.flag("fibmatch"):
        route = decision.route
        if route is None:
            raise NotFound(f"no route matches {format_address(dst)}")
        whole = route.whole if isinstance(route, Hop) and route.whole is not None else route
        rows = [route_row(stack, whole, table=True)]
    else:
        rows = [_get_row(stack, decision, src, ctx.now)]
    if args.flag("candidates"):
        if isinstance(decision.route, Hop):
            rows[0]["hash"] = gateways.flow_number(stack, dst, src, traits)
        rows[0]["candidates"] = [
            _candidate_row(stack, route, cause)
            for route, cause in candidates.candidates(
                stack, dst, decision.route, src=src, dev=dev, traits=traits
            )
        ]
    return rows


def _traits(args: Args) -> Traits:
    return Traits(
        protocol_number(args) or 0,
        args.integer("sport", 0, 65535) or 0,
        args.integer("dport", 0, 65535) or 0,
        tos_number(args) or 0,
    )


def protocol_number(args: Args, name: str = "ipproto") -> int | None:
    """Return a protocol of IPv4 by its name or number; None when it was not given."""
    text = args.text(name)
    if text is None:
        return None
    known = {word.lower(): number for number, word in PROTOCOLS.items()}
    return known[text.lower()] if text.lower() in known else args.integer(name, 0, 255)


def tos_number(args: Args, name: str = "tos") -> int | None:
    """Return a type of service, which ``ip`` reads as hexadecimal; None when it was not given."""
    text = args.text(name)
    if text is None:
        return None
    digits = text.lower().removeprefix("0x")
    if not 1 <= len(digits) <= 2 or any(digit not in "0123456789abcdef" for digit in digits):
        raise InvalidArgument(f'{name} "{text}" is not a number of 0x00..0xff')
    return int(digits, 16)


def _get_row(stack: Stack, decision: Decision, src: int | None, now: int) -> Row:
    row: Row = {}
    if decision.type != "unicast":
        row["type"] = decision.type
    row["dst"] = format_address(decision.dst)
    if src is not None:
        row["from"] = format_address(src)
    if decision.gateway is not None:
        row["gateway"] = format_address(decision.gateway)
    row["dev"] = decision.interface.name
    row.update(_table(stack, decision.route))
    if src is None and decision.src is not None:
        row["prefsrc"] = format_address(decision.src)
    route = decision.route
    flags = ["onlink"] if route is not None and route.onlink else []
    if not decision.interface.carrier:
        # ip says nothing here; a route by a link without carrier leads nowhere.
        flags.append("linkdown")
    row["flags"] = flags
    row["uid"] = 0
    row["cache"] = _CACHE.get(decision.type, [])
    if decision.redirected is not None:
        row["cache"] = ["redirected"]
        row["expires"] = route_learned.expires(decision.redirected, now)
    if decision.learned is not None:
        return row | route_cache.metrics(stack, decision.learned, now)
    return row | metrics(route)


_CACHE = {"local": ["local"], "broadcast": ["local", "brd"], "multicast": ["mc"]}


def _table(stack: Stack, route: Route | None) -> Row:
    """Return the table that a route was found in; without rules, local and main are one."""
    if route is None or route.table == TableName.MAIN:
        return {}
    if stack.fib.merged and route.table == TableName.LOCAL:
        return {}
    return {"table": table_text(route.table)}


def _incoming(stack: Stack, dst: int, src: int | None, iif: str, traits: Traits, now: int) -> Row:
    """Return what becomes of a packet that comes in: it is for this stack, sent on, or refused.

    Source: Linux ``inet_rtm_getroute`` with an iif, ``ip_route_input_slow``.
    """
    interface = stack.interface(iif)
    ports = Struct("!HH").pack(traits.sport, traits.dport)
    header = ipv4.Ipv4Header(
        5, traits.tos, ipv4.MIN_HEADER_LEN + len(ports), 0, True, False, 0, 64,
        traits.protocol, src or 0, dst,
    )  # fmt: skip
    packet = header.to_bytes() + ports
    trace = Trace()
    why, detail = verdict(stack, interface, packet, header, trace)
    if why in NOT_FOR_US and stack.settings["ip.forward"]:
        onward = way(stack, interface, packet, header)
        if isinstance(onward, Refusal):
            error = rejection(onward.reason, {**onward.detail, "dev": iif})
            error.errno_name = _ERRNO_ON[str(onward.detail.get("type") or onward.reason.name)]
            raise error
        sent_on = _get_row(stack, onward, src, now)
        del sent_on["uid"]  # nobody here sends it
        return sent_on | {"iif": iif}
    if why is not None:
        error = rejection(why, {**detail, "dev": iif})
        # What Linux's lookup says; the packet itself would be dropped without a word.
        error.errno_name = "EHOSTUNREACH"
        if why.name in _MARTIAN:
            error.errno_name = "EINVAL"
        elif why.name == "ip-reverse-path":
            error.errno_name = "EXDEV"
        raise error
    owner = next((step.facts for step in trace.steps if isinstance(step.facts, Owner)), None)
    route = None if owner is None else owner.route
    kind = "broadcast" if route is None else route.type.value
    row: Row = {"type": kind, "dst": format_address(dst)}
    if src is not None:
        row["from"] = format_address(src)
    row.update(
        dev=stack.loopback.name, **_table(stack, route), flags=[], cache=_CACHE[kind], iif=iif
    )
    return row


def _candidate_row(stack: Stack, route: Route, cause: str) -> Row:
    row = route_row(stack, route, table=True)
    row["table"] = table_text(route.table)
    if isinstance(route, Hop):
        first, last = gateways.share(stack, route)
        row.update(weight=route.weight, share=[first, last])
    row["result"] = "skip" if cause else "pick"
    if cause:
        row["cause"] = cause
    return row
