"""``smolctl route get``: the way that a packet would take."""

from collections.abc import Iterable

from smolctl.errors import InvalidArgument, NotFound
from smolctl.ops import route_cache, route_get6, route_learned
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.route import gateway_keys, metrics, route_row
from smolctl.stack import reason
from smolctl.stack.explain import candidates
from smolctl.stack.explain.names import PROTOCOLS
from smolctl.stack.fib.nexthop import Hop
from smolctl.stack.fib.route import Route, TableName, table_text
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip import gateways
from smolctl.stack.ip.reverse_path import source_refused
from smolctl.stack.ip.route_input import InputAction
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Refusal, Way, WayType
from smolctl.stack.ipv4.forward import onward
from smolctl.stack.ipv4.input import judge
from smolctl.stack.ipv6 import forward as forward6
from smolctl.stack.ipv6 import input as input6
from smolctl.stack.ipv6.ipv6 import Ipv6
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Reason, Rejected
from smolctl.stack.stack import Stack
from smolctl.stack.trace.facts import Owner
from smolctl.stack.trace.trace import Trace
from smolctl.wire import ipv4
from smolctl.wire.address import IPV6, UNSPECIFIED6, family_of, format_address

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
    dst = _destination(args)
    src, dev, iif = args.zoned("src"), args.device("dst", "src"), args.text("iif")
    net = stack.networks.for_address(dst)
    if src is not None and family_of(src) is not net.family:
        raise InvalidArgument(
            f"{format_address(src)} and {format_address(dst)} are of two families"
        )
    key = RouteKey(
        dst, src, dev, protocol=protocol_number(args) or 0, tos=tos_number(args) or 0,
        sport=args.integer("sport", 0, 65535) or 0, dport=args.integer("dport", 0, 65535) or 0,
        mark=args.mark() or 0, uid=stack.shared.uid,
    )  # fmt: skip
    uid = args.uid()
    if uid is not None:
        key = key._replace(uid=uid)
    if iif is not None:
        incoming = _incoming6 if net.family is IPV6 else _incoming
        return [incoming(stack, key._replace(iif=iif), ctx.now)]
    way = route_output(net, key)
    if isinstance(way, Refusal):
        raise _rejection(stack, way.reason, way.dev, way.values)
    if args.flag("fibmatch"):
        route = way.route
        if route is None:
            raise NotFound(f"no route matches {format_address(dst)}")
        whole = route.whole if isinstance(route, Hop) and route.whole is not None else route
        rows = [route_row(stack, whole, table=True)]
    else:
        rows = [_get_row(stack, way, key, ctx.now)]
    if args.flag("candidates"):
        if isinstance(way.route, Hop):
            rows[0]["hash"] = gateways.flow_number(net, key)
        rows[0]["candidates"] = [
            _candidate_row(stack, route, cause)
            for route, cause in candidates.candidates(net, key, way.route)
        ]
        if src is None and isinstance(net, Ipv6) and way.src is not None:
            rows[0]["sources"] = route_get6.sources(net, way)
    return rows


def _destination(args: Args) -> int:
    """Return the destination; ``ip`` also takes a prefix, whose length says nothing."""
    if "/" in args.required("dst"):
        return (args.prefix("dst") or (0, None))[0]
    dst = args.zoned("dst")
    assert dst is not None
    return dst


def _rejection(stack: Stack, why: Reason, dev: str, values: dict[str, object]) -> Rejected:
    return Rejected(why, stack.ledger.detail(why, {**values, "dev": dev}))


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


def _get_row(stack: Stack, way: Way, key: RouteKey, now: int) -> Row:
    src = key.src
    if family_of(way.dst) is IPV6:
        return route_get6.row(stack, way, src, now)
    row: Row = {}
    if way.type is not WayType.UNICAST:
        row["type"] = way.type.value
    row["dst"] = format_address(way.dst)
    if src is not None:
        row["from"] = format_address(src)
    if way.gateway is not None:
        row |= gateway_keys(way.dst, way.gateway)
    row["dev"] = way.interface.name
    row.update(_table(stack, way.route))
    if src is None and way.src is not None:
        row["prefsrc"] = format_address(way.src)
    route = way.route
    flags = ["onlink"] if route is not None and route.onlink else []
    if not way.interface.carrier:
        # ip says nothing here; a route by a link without carrier leads nowhere.
        flags.append("linkdown")
    row["flags"] = flags
    if key.mark:
        row["mark"] = key.mark
    row["uid"] = key.uid
    row["cache"] = _CACHE.get(way.type, [])
    if way.redirected is not None:
        row["cache"] = ["redirected"]
        row["expires"] = route_learned.expires(way.redirected, now)
    if way.learned is not None:
        return row | route_cache.metrics(stack.ipv4.fib, way.learned, now)
    return row | metrics(route)


_CACHE = {"local": ["local"], "broadcast": ["local", "brd"], "multicast": ["mc"]}


def _table(stack: Stack, route: Route | None) -> Row:
    """Return the table that a route was found in; without rules, local and main are one."""
    if route is None or route.table == TableName.MAIN:
        return {}
    if stack.ipv4.fib.merged and route.table == TableName.LOCAL:
        return {}
    return {"table": table_text(route.table)}


def _incoming(stack: Stack, key: RouteKey, now: int) -> Row:
    """Return what becomes of a packet that comes in: it is for this stack, sent on, or refused.

    Source: Linux ``inet_rtm_getroute`` with an iif, ``ip_route_input_slow``.
    """
    asked, net, iif, src = key, stack.networks.for_address(key.dst), key.iif, key.src
    interface = stack.interface(iif)
    key = key._replace(src=src or 0, oif=None, uid=0)
    packet = Packet(b"", interface, now, Trace(), stack.shared.recorder)
    packet.mark = key.mark
    packet.header = ipv4.Ipv4Header(
        5, key.tos, ipv4.MIN_HEADER_LEN, 0, True, False, 0, 64, key.protocol, src or 0, key.dst
    )
    inbound = judge(net, packet, key)
    why, values = inbound.reason, inbound.values
    if inbound.action is InputAction.FORWARD:
        way = onward(net, interface, key, inbound.route)
        if isinstance(way, Refusal):
            error = _rejection(stack, way.reason, iif, way.values)
            error.errno_name = _ERRNO_ON[str(way.values.get("type") or way.reason.name)]
            raise error
        why, values = source_refused(net, interface, key, way.interface.name) or (None, {})
        if why is None:
            sent_on = _get_row(stack, way, asked, now)
            del sent_on["uid"]  # nobody here sends it
            return sent_on | {"iif": iif}
    if why is not None:
        error = _rejection(stack, why, iif, values)
        # What Linux's lookup says; the packet itself would be dropped without a word.
        error.errno_name = "EHOSTUNREACH"
        if why.name in _MARTIAN:
            error.errno_name = "EINVAL"
        elif why.name == "ip-reverse-path":
            error.errno_name = "EXDEV"
        raise error
    route = inbound.facts.route if isinstance(inbound.facts, Owner) else None
    kind = "broadcast" if route is None else route.type.value
    row: Row = {"type": kind, "dst": format_address(key.dst)}
    if src is not None:
        row["from"] = format_address(src)
    table, dev = _table(stack, route), stack.interfaces.loopback.name
    row.update(dev=dev, **table, flags=[])
    if key.mark:
        row["mark"] = key.mark
    row.update(cache=_CACHE[kind], iif=iif)
    return row


def _incoming6(stack: Stack, key: RouteKey, now: int) -> Row:
    """Return what becomes of an IPv6 packet that comes in."""
    net, src, interface = stack.ipv6, key.src, stack.interface(key.iif)
    key = key._replace(src=UNSPECIFIED6 if src is None else src, oif=None, uid=0)
    packet = Packet(b"", interface, now, Trace(), stack.shared.recorder)
    inbound = input6.judge(net, packet, key)
    if inbound.reason is not None:
        raise _rejection(stack, inbound.reason, interface.name, inbound.values)
    if inbound.action is InputAction.FORWARD:
        way = forward6.onward(net, interface, key, inbound.route)
        if isinstance(way, Refusal):
            raise _rejection(stack, way.reason, interface.name, way.values)
    else:
        owner = inbound.facts.route if isinstance(inbound.facts, Owner) else None
        kind = WayType.MULTICAST if owner is None else WayType.LOCAL
        way = Way(kind, interface, key.dst, key.dst, None, owner, interface.mtu)
    return route_get6.row(stack, way, src, now) | {"iif": interface.name}


def _candidate_row(stack: Stack, route: Route, cause: str) -> Row:
    row = route_row(stack, route, table=True)
    row["table"] = table_text(route.table)
    if isinstance(route, Hop):
        first, last = gateways.share(stack.networks.for_address(route.prefix), route)
        row.update(weight=route.weight, share=[first, last])
    row["result"] = "skip" if cause else "pick"
    if cause:
        row["cause"] = cause
    return row
