"""``smolctl route``: the FIB."""

from collections.abc import Iterable, Iterator

from smolctl.daemon.args import Args
from smolctl.daemon.context import Context, Row
from smolctl.errors import AlreadyExists, InvalidArgument, NotFound
from smolctl.stack import configure_route, gateways
from smolctl.stack.decide import Decision, Refusal, decide, rejection
from smolctl.stack.route import InsertMode, Route, RouteType, Scope, TableName
from smolctl.stack.stack import Stack
from smolctl.wire import addr

_TABLE_NAMES = {"main": TableName.MAIN, "254": TableName.MAIN,
                "local": TableName.LOCAL, "255": TableName.LOCAL}  # fmt: skip
_TYPES = tuple(RouteType)
_PROTOCOLS = {"0": "unspec", "1": "redirect", "2": "kernel", "3": "boot", "4": "static"}
_PROTOCOL_NUMBERS = frozenset(str(number) for number in range(256))
_LOCAL_TYPES = (RouteType.LOCAL, RouteType.BROADCAST)


def prefix_text(route: Route) -> str:
    """Return a route's prefix as ``ip`` writes it: "default", a bare address, or a CIDR."""
    if route.plen == 0:
        return "default"
    text = addr.IPV4.format(route.prefix)
    return text if route.plen == addr.IPV4.bits else f"{text}/{route.plen}"


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
        row["gateway"] = addr.IPV4.format(route.via)
    if route.dev is not None:
        row["dev"] = route.dev
    if table and route.table is not TableName.MAIN:
        row["table"] = route.table.value
    if route.protocol != "boot":
        row["protocol"] = route.protocol
    if route.scope is not Scope.GLOBAL:
        row["scope"] = route.scope.name.lower()
    if route.prefsrc is not None:
        row["prefsrc"] = addr.IPV4.format(route.prefsrc)
    if route.metric:
        row["metric"] = route.metric
    flags = ["onlink"] if route.onlink else []
    out = stack.interfaces.get(route.dev or "")
    # What leads to this host itself needs no carrier (Linux fib_sync_down_dev).
    if out is not None and not out.carrier and route.scope < Scope.HOST:
        flags.append("linkdown")
    row["flags"] = flags
    if route.mtu is not None:
        row["metrics"] = [{"mtu": route.mtu}]
    return row


# --- show and flush -------------------------------------------------------------------------------


def show(ctx: Context, args: Args) -> Iterator[Row]:
    """Return the routes that match; made row by row, since there may be very many."""
    routes = list(_matching(ctx, args))
    every = args.text("table") == "all"
    return (route_row(ctx.stack, route, table=every) for route in routes)


def flush(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete every route that matches; needs something to match."""
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
    gone = list(_matching(ctx, args))
    for route in gone:
        ctx.stack.fib.remove(route)
    ctx.stack.touch()
    return [route_row(ctx.stack, route, table=True) for route in gone]


def _matching(ctx: Context, args: Args) -> Iterator[Route]:
    stack = ctx.stack
    dev = args.text("dev")
    if dev is not None:
        stack.interface(dev)
    kind = args.choice("type", _TYPES)
    table = args.text("table")
    if table is None:
        table = "local" if kind in _LOCAL_TYPES else "main"
    wanted = {
        "dev": dev,
        "via": args.address("via"),
        "type": kind,
        "scope": args.scope("scope"),
        "prefsrc": args.address("src"),
        "metric": args.integer("metric", 0, 0xFFFFFFFF),
        "protocol": _protocol(args),
    }
    wanted = {name: value for name, value in wanted.items() if value is not None}
    root, match, exact = (args.network(name) for name in ("root", "match", "exact"))
    source = (
        [*stack.fib.tables[TableName.MAIN], *stack.fib.tables[TableName.LOCAL]]
        if table == "all"
        else list(stack.fib.tables[_table(table)])
    )
    for route in source:
        if any(getattr(route, name) != value for name, value in wanted.items()):
            continue
        here = (route.prefix, route.plen)
        if (
            (root is None or _inside(here, root))
            and (match is None or _inside(match, here))
            and exact in (None, here)
        ):
            yield route


def _inside(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    shift = addr.IPV4.bits - outer[1]
    return inner[1] >= outer[1] and inner[0] >> shift == outer[0] >> shift


def _table(text: str) -> TableName:
    name = _TABLE_NAMES.get(text)
    if name is None:
        raise InvalidArgument(f'"{text}" is not a table: main, local')
    return name


def _protocol(args: Args) -> str | None:
    text = args.text("protocol")
    if text is None:
        return None
    name = _PROTOCOLS.get(text, text)
    if name not in _PROTOCOLS.values() and name not in _PROTOCOL_NUMBERS:
        raise InvalidArgument(f'"{text}" is not a route protocol: kernel, boot, static, or 0..255')
    return name


# --- changes --------------------------------------------------------------------------------------


def _parse(ctx: Context, args: Args, *, delete: bool = False) -> Route:
    text = args.required("dst")
    prefix = args.prefix("dst") or (0, 0)
    plen = addr.IPV4.bits if prefix[1] is None else prefix[1]
    kind = RouteType(args.choice("type", _TYPES) or "unicast")
    table_text = args.text("table")
    if table_text is None:
        table = TableName.LOCAL if kind in _LOCAL_TYPES else TableName.MAIN
    else:
        table = _table(table_text)
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
        elif kind is RouteType.BROADCAST or (kind is RouteType.UNICAST and via is None):
            scope = Scope.LINK
    if delete and prefix[0] & ((1 << (addr.IPV4.bits - plen)) - 1):
        raise InvalidArgument(f"{text} has host bits set")
    return Route(
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
        args.flag("onlink"),
    )


def _insert(ctx: Context, args: Args, mode: InsertMode) -> Iterable[Row]:
    route = _parse(ctx, args)
    try:
        configure_route.add_route(ctx.stack, route, mode)
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
    gone = configure_route.delete_route(ctx.stack, spec, given)
    return [route_row(ctx.stack, gone, table=True)]


# --- get ------------------------------------------------------------------------------------------


def get(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the way a packet would take, as ``ip -j route get``; nothing is sent or changed.

    Raises:
        SendRejected: it would go no way; the code is the reason's name.
    """
    stack = ctx.stack
    args.required("dst")
    dst = (args.prefix("dst") or (0, None))[0]
    src, dev = args.address("src"), args.text("dev")
    decision = decide(stack, dst, src, dev)
    if isinstance(decision, Refusal):
        raise rejection(decision.reason, {**decision.detail, "dev": decision.dev})
    if args.flag("fibmatch"):
        if decision.route is None:
            raise NotFound(f"no route matches {addr.IPV4.format(dst)}")
        rows = [route_row(stack, decision.route)]
    else:
        rows = [_get_row(decision, src)]
    if args.flag("candidates"):
        rows[0]["candidates"] = [
            _candidate_row(stack, route, cause)
            for route, cause in gateways.candidates(stack, dst, decision.route)
        ]
    return rows


def _get_row(decision: Decision, src: int | None) -> Row:
    row: Row = {}
    if decision.type != "unicast":
        row["type"] = decision.type
    row["dst"] = addr.IPV4.format(decision.dst)
    if src is not None:
        row["from"] = addr.IPV4.format(src)
    if decision.gateway is not None:
        row["gateway"] = addr.IPV4.format(decision.gateway)
    row["dev"] = decision.interface.name
    if src is None and decision.src is not None:
        row["prefsrc"] = addr.IPV4.format(decision.src)
    route = decision.route
    flags = ["onlink"] if route is not None and route.onlink else []
    if not decision.interface.carrier:
        # ip says nothing here; a route by a link without carrier leads nowhere.
        flags.append("linkdown")
    row["flags"] = flags
    row["uid"] = 0
    row["cache"] = {"local": ["local"], "broadcast": ["local", "brd"], "multicast": ["mc"]}.get(
        decision.type, []
    )
    if route is not None and route.mtu is not None:
        row["metrics"] = [{"mtu": route.mtu}]
    return row


def _candidate_row(stack: Stack, route: Route, cause: str) -> Row:
    row = route_row(stack, route, table=True)
    row["table"] = route.table.value
    row["result"] = "skip" if cause else "pick"
    if cause:
        row["cause"] = cause
    return row
