"""``smolctl nexthop``: next-hop objects, of which routes are made."""

from collections.abc import Iterable, Iterator

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.route_save import needs
from smolctl.ops.saved import Saved, Words
from smolctl.stack.config.nexthop import checked_way, put_next_hop
from smolctl.stack.fib.nexthop import WEIGHT_MAX
from smolctl.stack.fib.nexthop_objects import ID_MAX, NextHopObject
from smolctl.stack.fib.route import Route
from smolctl.wire.address import IPV4, IPV6, format_address


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the objects by their numbers, as ``ip -j nexthop``; with -4 or -6, no groups."""
    return [_row(each) for each in _matching(ctx, args)]


def get(ctx: Context, args: Args) -> Iterable[Row]:
    """Return one object."""
    return [_row(ctx.stack.next_hops.get(_ident(args)))]


def _matching(ctx: Context, args: Args) -> list[NextHopObject]:
    """Return the objects that are meant; a number says it alone (iproute2 ``ipnh_list_flush``)."""
    objects, ident = ctx.stack.next_hops, args.integer("id", 1, ID_MAX)
    if ident is not None:
        return [objects.get(ident)]
    dev, groups = args.device(), args.flag("groups")
    if dev is not None:
        ctx.stack.interface(dev)
    loopback = ctx.stack.interfaces.loopback.name  # Linux rtm_to_nh_config: blackholes are on it
    return [
        each
        for each in objects
        if args.family in (None, each.family)
        and dev in (None, loopback if each.is_blackhole else each.dev)
        and not (groups and not each.members)
    ]


def _row(each: NextHopObject) -> Row:
    row: Row = {"id": each.ident}
    if each.members:
        row["group"] = [
            {"id": member, **({"weight": weight} if weight > 1 else {})}
            for member, weight in each.members
        ]
    elif each.is_blackhole:
        row["blackhole"] = None
    else:
        if each.via is not None:
            row["gateway"] = format_address(each.via)
        row["dev"] = each.dev
        # Linux fib_check_nh: that of the route to the gateway, which may be an address of ours.
        row["scope"] = "host" if each.on_link and each.family is IPV4 else "link"
    return row | {"flags": ["onlink"] if each.onlink else []}


def add(ctx: Context, args: Args) -> Iterable[Row]:
    """Add an object."""
    return _put(ctx, args, replace=False)


def replace(ctx: Context, args: Args) -> Iterable[Row]:
    """Add an object, or replace that of its number; the routes that use it follow."""
    return _put(ctx, args, replace=True)


def _put(ctx: Context, args: Args, *, replace: bool) -> Iterable[Row]:
    put_next_hop(ctx.stack.next_hops, _parse(ctx, args), replace=replace)
    ctx.stack.generation.touch()
    return []


def delete(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete an object with the routes that use it."""
    gone = ctx.stack.next_hops.get(_ident(args))
    return _remove(ctx, [gone])


def flush(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete every object that matches, with the routes that use it."""
    return _remove(ctx, _matching(ctx, args))


def _remove(ctx: Context, gone: list[NextHopObject]) -> list[Row]:
    ctx.stack.next_hops.remove({each.ident for each in gone})
    ctx.stack.generation.touch()
    return [_row(each) for each in gone]


def _ident(args: Args) -> int:
    args.required("id")
    ident = args.integer("id", 1, ID_MAX)
    assert ident is not None
    return ident


def _parse(ctx: Context, args: Args) -> NextHopObject:
    ident, group, blackhole = _ident(args), args.text("group"), args.flag("blackhole")
    alone = "group" if group is not None else "blackhole" if blackhole else None
    for word in ("blackhole", "via", "dev", "onlink"):
        if alone not in (None, word) and word in args:
            raise InvalidArgument(f'"{word}" cannot be used with "{alone}"')
    if group is not None:
        if args.family is not None:  # Linux nh_check_attr_group
            raise InvalidArgument("a group is of both families: leave -4 and -6 out")
        return NextHopObject(ident, None, members=tuple(map(_member, group.split("/"))))
    family = args.infer("via", default=IPV4) or IPV4
    if blackhole:
        return NextHopObject(ident, family)
    dev, via = args.device("via"), args.zoned("via")
    way = NextHopObject(ident, family, dev, via, args.flag("onlink"))
    return checked_way(ctx.stack.networks[family], way)


def _member(text: str) -> tuple[int, int]:
    """Return number and weight of a member of a group, given as ID or ID,WEIGHT."""
    ident, comma, weight = text.partition(",")
    numbers = [int(each) if each.isascii() and each.isdigit() and len(each) < 11 else 0
               for each in (ident, weight if comma else "1")]  # fmt: skip
    if not (1 <= numbers[0] <= ID_MAX and 1 <= numbers[1] <= WEIGHT_MAX):
        raise InvalidArgument(
            f'"{text}" is no member of a group: ID, or ID,WEIGHT with a weight of 1..{WEIGHT_MAX}',
            hint="smolctl nexthop add id 10 group 1,2/2",
        )
    return numbers[0], numbers[1]


def save(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield what makes the objects, groups last."""
    objects = ctx.stack.next_hops
    for each in sorted(objects, key=lambda each: bool(each.members)):
        undo = ("nexthop.del", {"id": str(each.ident)})
        scaffold: list[Words] = []
        if each.family is not None and each.dev is not None:
            way = Route(
                each.family.mark, 0, dev=each.dev, via=each.via, onlink=each.onlink,
                on_link=each.on_link,
            )  # fmt: skip
            scaffold = list(needs(fresh.stack.networks[each.family], way))
        yield from (Saved("route.append", spec, scaffold=True) for spec in scaffold)
        yield Saved("nexthop.add", _words(each), undo, key=f"nexthop {each.ident}")
        yield from (Saved("route.del", spec, scaffold=True) for spec in reversed(scaffold))


def _words(each: NextHopObject) -> Words:
    args: Words = {"id": str(each.ident)}
    if each.members:
        members = (f"{ident},{weight}" if weight > 1 else f"{ident}" for ident, weight in
                   each.members)  # fmt: skip
        return args | {"group": "/".join(members)}
    if each.family is IPV6 and each.via is None:
        args["family"] = IPV6.name
    if each.is_blackhole:
        return args | {"blackhole": True}
    if each.via is not None:
        args["via"] = format_address(each.via)
    args["dev"] = each.dev
    return args | ({"onlink": True} if each.onlink else {})
