"""``smolctl route``: the FIB. What a packet would do there is in ``route_get``."""

from collections.abc import Callable, Iterable, Iterator

from smolctl.errors import AlreadyExists, InvalidArgument, NotFound
from smolctl.near import did_you_mean
from smolctl.ops import route_cache
from smolctl.ops.args import Args
from smolctl.ops.aside import aside
from smolctl.ops.context import Context, Row
from smolctl.ops.families import networks
from smolctl.stack.config.nexthop import check_fits
from smolctl.stack.config.route import add_route, delete_route, no_table
from smolctl.stack.fib.nexthop import WEIGHT_MAX, Hop, Multipath, NextHop, with_ways
from smolctl.stack.fib.nexthop_objects import ID_MAX
from smolctl.stack.fib.route import (
    DEVICELESS,
    TABLE_MAX,
    InsertMode,
    Route,
    RouteType,
    Scope,
    TableName,
    table_text,
)
from smolctl.stack.ip.network import Network
from smolctl.stack.stack import Stack
from smolctl.wire.address import IPV4, IPV6, family_of, format_address
from smolctl.wire.ipv4 import MIN_MTU

_TYPES = tuple(RouteType)
_PROTOCOLS = {"0": "unspec", "1": "redirect", "2": "kernel", "3": "boot", "4": "static"}
_PROTOCOL_NUMBERS = frozenset(str(number) for number in range(256))
_TABLES = ("local", "main", "default", "all", "cache")
_WAY = frozenset(("via", "dev", "weight", "onlink"))
_LOCAL_TYPES = (RouteType.LOCAL, RouteType.BROADCAST, RouteType.ANYCAST)
PREFERENCE = "medium"
"""The preference of a router that says none (RFC 4191 2.1)."""


def prefix_text(route: Route) -> str:
    """Return a route's prefix as ``ip`` writes it: "default", a bare address, or a CIDR."""
    if route.plen == 0:
        return "default"
    text = format_address(route.prefix)
    return text if route.plen == family_of(route.prefix).bits else f"{text}/{route.plen}"


def route_row(stack: Stack, route: Route, *, table: bool = False) -> Row:
    """Return the row of ``ip -j route`` for a route.

    Args:
        table: name the table unless it is main, as ``table all`` does.
    """
    row: Row = {}
    if route.type is not RouteType.UNICAST:
        row["type"] = route.type.value
    row["dst"] = prefix_text(route)
    six = family_of(route.prefix) is IPV6
    if route.nhid:
        row["nhid"] = route.nhid
    several = _several(stack, route)
    if not several:
        row |= _way(stack, route)
    if table and route.table != TableName.MAIN:
        row["table"] = table_text(route.table)
    if route.protocol != "boot":
        row["protocol"] = route.protocol
    if route.scope is not Scope.GLOBAL:
        row["scope"] = route.scope.name.lower()
    if route.prefsrc is not None:
        row["prefsrc"] = format_address(route.prefsrc)
    if route.metric or six:
        row["metric"] = route.metric
    row["flags"] = _flags(stack, route)
    row |= metrics(route)
    if six:
        row["pref"] = PREFERENCE
    return row | ({"nexthops": several} if several else {})


def _several(stack: Stack, route: Route) -> list[Row]:
    """Return the rows of several next hops, or of the only one of a group.

    The latter of IPv6 alone (Linux ``rt6_fill_node_nexthop``, beside ``fib_dump_info``).
    """
    if isinstance(route, Multipath):
        return [_hop_row(stack, hop, hop.weight) for hop in route.hops]
    known = route.nhid in stack.next_hops and family_of(route.prefix) is IPV6
    members = stack.next_hops.get(route.nhid).members if known else ()
    return [_hop_row(stack, route, weight) for _, weight in members[:1]]


def _way(stack: Stack, route: Route) -> Row:
    """Return what a row says of the gateway and the device."""
    row: Row = {} if route.via is None else gateway_keys(route.prefix, route.via)
    if route.dev is not None:
        row["dev"] = route.dev
    elif route.type in DEVICELESS and (route.nhid or family_of(route.prefix) is IPV6):
        row["dev"] = stack.interfaces.loopback.name  # as Linux has it
    return row


def gateway_keys(dst: int, via: int) -> Row:
    """Return what a row says of a gateway, which may be of another family than its route."""
    family = family_of(via)
    if family is not family_of(dst):
        return {"via": {"family": family.name, "host": format_address(via)}}
    return {"gateway": format_address(via)}


def _flags(stack: Stack, route: Route) -> list[str]:
    flags = ["onlink"] if route.onlink else []
    out = stack.interfaces.get(route.dev or "")
    dead = isinstance(route, Hop) and route.dead
    linkdown = out is not None and not out.carrier and route.needs_carrier
    ignored = linkdown and route.dev in stack.networks.for_address(route.prefix).fib.ignored_links
    if dead or ignored:  # Linux fib_nexthop_info
        flags.append("dead")
    if dead or linkdown:
        flags.append("linkdown")
    return flags


def _hop_row(stack: Stack, hop: Route, weight: int) -> Row:
    return _way(stack, hop) | {"weight": weight, "flags": _flags(stack, hop)}


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
    nets, every = _networks(ctx, args), table_number(args) == 0
    return aside(
        sum(len(net.fib) for net in nets),
        lambda: [
            route_row(ctx.stack, route, table=every)
            for net in nets
            for route in _matching(net, args)
        ],
    )


def _networks(ctx: Context, args: Args) -> list[Network]:
    """Return the networks whose routes are meant, as ``ip route`` has it.

    The words may say; else it is IPv4, and with all tables both families.
    """
    every = table_number(args) == 0
    family = args.infer("root", "match", "exact", "via", "src", default=None if every else IPV4)
    return networks(ctx.stack, family)


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
    chosen = [(net.fib, *_selector(net, args)) for net in _networks(ctx, args)]
    rows: Iterable[Row] = ()
    if not args.flag("quiet"):
        before = [
            (fib.tables[number].clone(), wanted)
            for fib, numbers, wanted in chosen
            for number in numbers
        ]
        rows = aside(
            sum(len(table) for table, _ in before),
            lambda: [
                route_row(ctx.stack, route, table=True)
                for table, wanted in before
                for route in table
                if wanted(route)
            ],
        )
    for fib, numbers, wanted in chosen:
        fib.remove_where(wanted, numbers)
    ctx.stack.generation.touch()
    return rows


def _is_cache(args: Args) -> bool:
    return args.flag("cache") or args.text("table") == "cache"


def _matching(net: Network, args: Args) -> Iterator[Route]:
    numbers, wanted = _selector(net, args)
    tables = net.fib.tables
    return (route for number in numbers for route in tables[number] if wanted(route))


def _selector(net: Network, args: Args) -> tuple[list[int], Callable[[Route], bool]]:
    """Return the numbers of the tables that are meant, and what tells which of their routes are."""
    dev = args.device("via")
    if dev is not None:
        net.interfaces.named(dev)
    kind = args.choice("type", _TYPES)
    number = table_number(args)
    if number is None:
        number = TableName.LOCAL if kind in _LOCAL_TYPES else TableName.MAIN
    if number and number not in net.fib.tables:
        raise no_table(number)
    given = {
        "dev": dev,
        "via": args.zoned("via"),
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
            and (root is None or _inside(here, root, net.family.bits))
            and (match is None or _inside(match, here, net.family.bits))
            and exact in (None, here)
        )

    return [number] if number else net.fib.numbers(), wanted


def _inside(inner: tuple[int, int], outer: tuple[int, int], bits: int) -> bool:
    shift = bits - outer[1]
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


def _network(ctx: Context, args: Args) -> Network:
    """Return the network of a route that is changed; "default" is IPv4's unless a word says more.

    Only the destination has to be of its family: a gateway may be of another (RFC 5549).
    """
    family = args.infer("dst")
    if family is None:
        vias = [args.text("via"), *(way.text("via") for way in args.groups("nexthop", _WAY))]
        said = [text for text in (*vias, args.text("src")) if text is not None]
        args.family = family = IPV6 if any(":" in text for text in said) else IPV4
    return ctx.stack.networks[family]


def _via(args: Args) -> int | None:
    """Return a gateway, of either family, whatever the route is of."""
    return args.zoned("via", either=True)


def _parse(ctx: Context, net: Network, args: Args, *, delete: bool = False) -> Route:
    text, family = args.required("dst"), net.family
    prefix = args.prefix("dst") or (family.mark, 0)
    plen = family.bits if prefix[1] is None else prefix[1]
    kind = RouteType(args.choice("type", _TYPES) or "unicast")
    table = table_number(args, every=False)
    if table is None:
        table = TableName.LOCAL if kind in _LOCAL_TYPES else TableName.MAIN
    ways = _ways(ctx, args)
    nhid = _nhid(args)
    via, dev = _via(args), args.device("via")
    if dev is not None:
        ctx.stack.interface(dev)
    scope = args.scope("scope")
    if family is IPV6:
        scope = Scope.GLOBAL  # Linux looks at no other, whatever is said
    if scope is None:
        # ip fills these in (iproute_modify): a route without a gateway leads to its own link.
        scope = Scope.GLOBAL
        if kind is RouteType.LOCAL:
            scope = Scope.HOST
        elif kind is RouteType.BROADCAST or (
            kind is RouteType.UNICAST and via is None and not ways and not nhid
        ):
            scope = Scope.LINK
    start = prefix[0]
    if family is IPV6:
        start = start >> family.bits - plen << family.bits - plen
    elif delete and start & ((1 << (family.bits - plen)) - 1):
        raise InvalidArgument(f"{text} has host bits set")
    route = Route(
        start,
        plen,
        kind,
        table,
        dev,
        via,
        args.address("src"),
        args.integer("metric", 0, 0xFFFFFFFF) or 0,
        scope,
        _protocol(args) or "boot",
        args.integer("mtu", MIN_MTU, 65536),
        args.flag("mtu_lock"),
        args.flag("onlink"),
    )
    if nhid:
        return _by_object(ctx, route, nhid, "type" in args, delete=delete)
    return with_ways(route, ways) if ways else route


def _by_object(ctx: Context, route: Route, nhid: int, typed: bool, *, delete: bool) -> Route:
    """Return a route that is made of an object, or what tells one that is to be deleted.

    Args:
        typed: its type was said.
    """
    objects = ctx.stack.next_hops
    ways = objects.ways(nhid)
    if delete:
        route.nhid = nhid
        return route
    for way, _ in ways:
        check_fits(way, family_of(route.prefix))
    made = objects.route_by(route, nhid)
    if typed and made.type is not route.type:
        raise InvalidArgument(f"a {route.type} route cannot use id {nhid}: it is {made.type}")
    return made


def _nhid(args: Args) -> int | None:
    """Return the number of the object that a route is made of."""
    nhid = args.integer("nhid", 1, ID_MAX)
    if nhid is not None:
        for word in ("via", "dev", "onlink", "nexthop"):
            if word in args:
                raise InvalidArgument(
                    f'"{word}" cannot be used with "nhid"', hint=f"smolctl nexthop show id {nhid}"
                )
        if args.text("type") not in (None, "unicast", "blackhole"):
            raise InvalidArgument(f"a {args.text('type')} route takes no nhid")
    return nhid


def _ways(ctx: Context, args: Args) -> list[NextHop]:
    """Return the next hops that are said one by one."""
    ways = []
    for said in args.groups("nexthop", _WAY):
        dev = said.device("via")
        if dev is not None:
            ctx.stack.interface(dev)
        weight = said.integer("weight", 1, WEIGHT_MAX) or 1
        ways.append(NextHop(dev, _via(said), weight, said.flag("onlink")))
    extra = [name for name in ("via", "dev", "onlink") if name in args]
    if ways and extra:
        raise InvalidArgument(
            f'"{extra[0]}" cannot be used with "nexthop"',
            hint=f"each next hop has its own: nexthop {extra[0]} ...",
        )
    return ways


def _insert(ctx: Context, args: Args, mode: InsertMode) -> Iterable[Row]:
    net = _network(ctx, args)
    route = _parse(ctx, net, args)
    try:
        add_route(net, route, mode)
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
    net = _network(ctx, args)
    spec = _parse(ctx, net, args, delete=True)
    given = {name for name in ("type", "via", "dev", "metric", "scope", "protocol", "mtu", "nhid")
             if name in args}  # fmt: skip
    if "src" in args:
        given.add("prefsrc")
    if isinstance(spec, Multipath):
        given.add("hops")
    elif "nexthop" in args:
        given |= {name for name in ("via", "dev") if getattr(spec, name) is not None}
    gone = delete_route(net, spec, given)
    return [route_row(ctx.stack, gone, table=True)]
