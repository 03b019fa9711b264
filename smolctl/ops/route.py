"""``smolctl route``: the FIB. What a packet would do there is in ``route_get``."""

from collections.abc import Callable, Iterable, Iterator

from smolctl.errors import AlreadyExists, InvalidArgument, NotFound
from smolctl.near import did_you_mean
from smolctl.ops import route_cache
from smolctl.ops.args import Args
from smolctl.ops.aside import aside
from smolctl.ops.context import Context, Row
from smolctl.stack.config.route import add_route, delete_route, no_table
from smolctl.stack.fib.nexthop import WEIGHT_MAX, Hop, Multipath, NextHop, with_ways
from smolctl.stack.fib.route import (
    TABLE_MAX,
    InsertMode,
    Route,
    RouteType,
    Scope,
    TableName,
    table_text,
)
from smolctl.stack.stack import Stack
from smolctl.wire.address import IPV4, format_address

_TYPES = tuple(RouteType)
_PROTOCOLS = {"0": "unspec", "1": "redirect", "2": "kernel", "3": "boot", "4": "static"}
_PROTOCOL_NUMBERS = frozenset(str(number) for number in range(256))
_TABLES = ("local", "main", "default", "all", "cache")
_WAY = frozenset(("via", "dev", "weight", "onlink"))
_LOCAL_TYPES = (RouteType.LOCAL, RouteType.BROADCAST)


def prefix_text(route: Route) -> str:
    """Return a route's prefix as ``ip`` writes it: "default", a bare address, or a CIDR."""
    if route.plen == 0:
        return "default"
    text = format_address(route.prefix)
    return text if route.plen == IPV4.bits else f"{text}/{route.plen}"


def route_row(stack: Stack, route: Route, *, table: bool = False) -> Row:
    """Return the row of ``ip -j route`` for a route.

    Args:
        table: name the table unless it is main, as ``table all`` does.
    """
    row: Row = {}
    if route.type is not RouteType.UNICAST:
        row["type"] = route.type.value
    row["dst"] = prefix_text(route)
    if route.via is not None:
        row["gateway"] = format_address(route.via)
    if route.dev is not None:
        row["dev"] = route.dev
    if table and route.table != TableName.MAIN:
        row["table"] = table_text(route.table)
    if route.protocol != "boot":
        row["protocol"] = route.protocol
    if route.scope is not Scope.GLOBAL:
        row["scope"] = route.scope.name.lower()
    if route.prefsrc is not None:
        row["prefsrc"] = format_address(route.prefsrc)
    if route.metric:
        row["metric"] = route.metric
    row["flags"] = _flags(stack, route)
    row |= metrics(route)
    if isinstance(route, Multipath):
        row["nexthops"] = [_hop_row(stack, hop) for hop in route.hops]
    return row


def _flags(stack: Stack, route: Route) -> list[str]:
    flags = ["onlink"] if route.onlink else []
    if isinstance(route, Hop) and route.dead:
        flags.append("dead")
    out = stack.interfaces.get(route.dev or "")
    # What leads to this host itself needs no carrier (Linux fib_sync_down_dev).
    if "dead" in flags or (out is not None and not out.carrier and route.scope < Scope.HOST):
        flags.append("linkdown")
    return flags


def _hop_row(stack: Stack, hop: Hop) -> Row:
    row: Row = {}
    if hop.via is not None:
        row["gateway"] = format_address(hop.via)
    row.update(dev=hop.dev, weight=hop.weight, flags=_flags(stack, hop))
    return row


def metrics(route: Route | None) -> Row:
    """Return the MTU of a route, and whether it is locked; of that, ip says nothing in JSON."""
    if route is None or route.mtu is None:
        return {}
    return {"metrics": [{"mtu": route.mtu}], **({"mtu_lock": True} if route.mtu_lock else {})}


# --- show and flush -------------------------------------------------------------------------------


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the routes that match; made row by row, since there may be very many."""
    if _is_cache(args):
        return route_cache.show(ctx, args)
    every = table_number(args) == 0
    return aside(
        len(ctx.stack.ipv4.fib),
        lambda: [route_row(ctx.stack, route, table=every) for route in _matching(ctx, args)],
    )


def flush(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete every route that matches; needs something to match.

    Returns: the routes, unless "quiet" asks for none.

    Raises:
        InvalidArgument: it is not said which.
    """
    if _is_cache(args):
        return route_cache.flush(ctx, args)
    if not any(
        name in args
        for name in (
            "table", "root", "match", "exact", "dev", "via", "protocol", "scope", "type", "src",
            "metric",
        )
    ):  # fmt: skip
        raise InvalidArgument(
            "route flush needs to know which routes", hint="smolctl route flush table main"
        )
    numbers, wanted = _selector(ctx, args)
    fib = ctx.stack.ipv4.fib
    rows: Iterable[Row] = ()
    if not args.flag("quiet"):
        before = [fib.tables[number].clone() for number in numbers]
        rows = aside(
            sum(map(len, before)),
            lambda: [
                route_row(ctx.stack, route, table=True)
                for table in before
                for route in table
                if wanted(route)
            ],
        )
    fib.remove_where(wanted, numbers)
    ctx.stack.generation.touch()
    return rows


def _is_cache(args: Args) -> bool:
    return args.flag("cache") or args.text("table") == "cache"


def _matching(ctx: Context, args: Args) -> Iterator[Route]:
    numbers, wanted = _selector(ctx, args)
    tables = ctx.stack.ipv4.fib.tables
    return (route for number in numbers for route in tables[number] if wanted(route))


def _selector(ctx: Context, args: Args) -> tuple[list[int], Callable[[Route], bool]]:
    """Return the numbers of the tables that are meant, and what tells which of their routes are."""
    stack = ctx.stack
    dev = args.text("dev")
    if dev is not None:
        stack.interface(dev)
    kind = args.choice("type", _TYPES)
    number = table_number(args)
    if number is None:
        number = TableName.LOCAL if kind in _LOCAL_TYPES else TableName.MAIN
    if number and number not in stack.ipv4.fib.tables:
        raise no_table(number)
    given = {
        "dev": dev,
        "via": args.address("via"),
        "type": kind,
        "scope": args.scope("scope"),
        "prefsrc": args.address("src"),
        "metric": args.integer("metric", 0, 0xFFFFFFFF),
        "protocol": _protocol(args),
    }
    said = {name: value for name, value in given.items() if value is not None}
    root, match, exact = (args.network(name) for name in ("root", "match", "exact"))

    def wanted(route: Route) -> bool:
        here = (route.prefix, route.plen)
        return (
            all(getattr(route, name) == value for name, value in said.items())
            and (root is None or _inside(here, root))
            and (match is None or _inside(match, here))
            and exact in (None, here)
        )

    return [number] if number else stack.ipv4.fib.numbers(), wanted


def _inside(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    shift = IPV4.bits - outer[1]
    return inner[1] >= outer[1] and inner[0] >> shift == outer[0] >> shift


def table_number(args: Args, name: str = "table", *, every: bool = True) -> int | None:
    """Return a table's number, by its name or as it is; None when it was not given.

    Args:
        every: the word "all" is known, and is 0.
    """
    text = args.text(name)
    if text is None:
        return None
    word = text.lower()
    if every and word == "all":
        return 0
    if word.upper() in TableName.__members__:
        return TableName[word.upper()]
    try:
        number = int(word, 16 if word.startswith("0x") else 10) if word.isalnum() else 0
    except ValueError:
        number = 0
    if not 1 <= number <= TABLE_MAX:
        raise InvalidArgument(
            f'"{text}" is not a table: local, main, default, or a number of 1..{TABLE_MAX}',
            hint=did_you_mean(text, _TABLES),
        )
    return number


def _protocol(args: Args) -> str | None:
    text = args.text("protocol")
    if text is None:
        return None
    name = _PROTOCOLS.get(text, text)
    if name not in _PROTOCOLS.values() and name not in _PROTOCOL_NUMBERS:
        raise InvalidArgument(
            f'"{text}" is not a route protocol: kernel, boot, static, or 0..255',
            hint=did_you_mean(text, _PROTOCOLS.values()),
        )
    return name


# --- changes --------------------------------------------------------------------------------------


def _parse(ctx: Context, args: Args, *, delete: bool = False) -> Route:
    text = args.required("dst")
    prefix = args.prefix("dst") or (0, 0)
    plen = IPV4.bits if prefix[1] is None else prefix[1]
    kind = RouteType(args.choice("type", _TYPES) or "unicast")
    table = table_number(args, every=False)
    if table is None:
        table = TableName.LOCAL if kind in _LOCAL_TYPES else TableName.MAIN
    ways = _ways(ctx, args)
    via = args.address("via")
    dev = args.text("dev")
    if dev is not None:
        ctx.stack.interface(dev)
    scope = args.scope("scope")
    if scope is None:
        # ip fills these in (iproute_modify): a route without a gateway leads to its own link.
        scope = Scope.GLOBAL
        if kind is RouteType.LOCAL:
            scope = Scope.HOST
        elif kind is RouteType.BROADCAST or (
            kind is RouteType.UNICAST and via is None and not ways
        ):
            scope = Scope.LINK
    if delete and prefix[0] & ((1 << (IPV4.bits - plen)) - 1):
        raise InvalidArgument(f"{text} has host bits set")
    route = Route(
        prefix[0],
        plen,
        kind,
        table,
        dev,
        via,
        args.address("src"),
        args.integer("metric", 0, 0xFFFFFFFF) or 0,
        scope,
        _protocol(args) or "boot",
        args.integer("mtu", 68, 65536),
        args.flag("mtu_lock"),
        args.flag("onlink"),
    )
    return with_ways(route, ways) if ways else route


def _ways(ctx: Context, args: Args) -> list[NextHop]:
    """Return the next hops that are said one by one."""
    ways = []
    for said in args.groups("nexthop", _WAY):
        dev = said.text("dev")
        if dev is not None:
            ctx.stack.interface(dev)
        weight = said.integer("weight", 1, WEIGHT_MAX) or 1
        ways.append(NextHop(dev, said.address("via"), weight, said.flag("onlink")))
    extra = [name for name in ("via", "dev", "onlink") if name in args]
    if ways and extra:
        raise InvalidArgument(
            f'"{extra[0]}" cannot be used with "nexthop"',
            hint=f"each next hop has its own: nexthop {extra[0]} ...",
        )
    return ways


def _insert(ctx: Context, args: Args, mode: InsertMode) -> Iterable[Row]:
    route = _parse(ctx, args)
    try:
        add_route(ctx.stack.ipv4, route, mode)
    except AlreadyExists as error:
        raise AlreadyExists(
            f"{prefix_text(route)}: {error.message}",
            hint="route replace changes it" if mode is InsertMode.ADD else "smolctl route show",
        ) from None
    except NotFound as error:
        raise NotFound(
            f"{prefix_text(route)}: {error.message}", hint="route replace adds it"
        ) from None
    return []


def add(ctx: Context, args: Args) -> Iterable[Row]:
    """Add a route; one of the same prefix and metric is in the way."""
    return _insert(ctx, args, InsertMode.ADD)


def append(ctx: Context, args: Args) -> Iterable[Row]:
    """Add a route behind those of the same prefix and metric."""
    return _insert(ctx, args, InsertMode.APPEND)


def replace(ctx: Context, args: Args) -> Iterable[Row]:
    """Add a route in place of the first one of the same prefix and metric."""
    return _insert(ctx, args, InsertMode.REPLACE)


def change(ctx: Context, args: Args) -> Iterable[Row]:
    """Replace a route that must be there."""
    return _insert(ctx, args, InsertMode.CHANGE)


def delete(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete the first route of the prefix that agrees with what is given."""
    spec = _parse(ctx, args, delete=True)
    given = {name for name in ("type", "via", "dev", "metric", "scope", "protocol", "mtu")
             if name in args}  # fmt: skip
    if "src" in args:
        given.add("prefsrc")
    if isinstance(spec, Multipath):
        given.add("hops")
    elif "nexthop" in args:
        given |= {name for name in ("via", "dev") if getattr(spec, name) is not None}
    gone = delete_route(ctx.stack.ipv4, spec, given)
    return [route_row(ctx.stack, gone, table=True)]
