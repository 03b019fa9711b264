"""``smolctl route show cache``: path MTUs, and where redirects led, by destination."""

from collections.abc import Iterable

from smolctl.errors import InvalidArgument
from smolctl.ops import route_learned
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.families import networks
from smolctl.ops.route_learned import inside
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.path_mtu import Path, PathMtu
from smolctl.stack.ip.network import Network
from smolctl.wire.address import format_address

NS_PER_S = 1_000_000_000


def metrics(fib: Fib, known: PathMtu, now: int) -> Row:
    """Return what is known of a path, with the keys of ``ip -j route get``."""
    row: Row = {
        "expires": max(0, fib.path_mtus.expires_ns(known) - now) // NS_PER_S,
        "metrics": [{"mtu": known.mtu}],
    }
    if known.locked:
        row["mtu_lock"] = True
    return row


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return a row for each path and each redirect that match; one where they are the same way."""
    family = args.infer("root", "exact", "via")
    return [row for net in networks(ctx.stack, family) for row in _rows(ctx, net, args)]


def _rows(ctx: Context, net: Network, args: Args) -> list[Row]:
    redirects, paths = route_learned.matching(net, args), _matching(net, args)
    rows = {(row["dst"], row["gateway"]): row
            for row in (route_learned.row(found, ctx.now) for found in redirects)}  # fmt: skip
    for path, known in paths:
        row = _row(net, path, known, ctx.now)
        key = (row["dst"], row.get("gateway"))
        if key in rows:
            row["cache"] = rows[key]["cache"]
            row["expires"] = min(row["expires"], rows[key]["expires"])
        rows[key] = row
    return [rows[key] for key in sorted(rows, key=str)]


def flush(ctx: Context, args: Args) -> list[Row]:
    """Forget what matches, all when nothing is selected; return the rows."""
    rows = list(show(ctx, args))
    for net in networks(ctx.stack, args.family):
        redirects, paths = route_learned.matching(net, args), _matching(net, args)
        for found in redirects:
            net.fib.exceptions.forget(found)
        for path, _ in paths:
            net.fib.path_mtus.forget(path)
    ctx.stack.generation.touch()
    return rows


def _row(net: Network, path: Path, known: PathMtu, now: int) -> Row:
    row: Row = {"dst": format_address(path.dst)}
    if path.next_hop != path.dst:
        row["gateway"] = format_address(path.next_hop)
    return {
        **row, "dev": path.dev, "flags": [], "cache": [], **metrics(net.fib, known, now),
    }  # fmt: skip


def _matching(net: Network, args: Args) -> list[tuple[Path, PathMtu]]:
    for name in ("match", "protocol", "scope", "type", "src", "metric"):
        if name in args:
            raise InvalidArgument(f"the cache has no {name}", hint="smolctl route show cache")
    dev, via = args.device("via"), args.zoned("via")
    if dev is not None:
        net.interfaces.named(dev)
    wanted = [network for name in ("root", "exact") if (network := args.network(name))]
    return [
        (path, known)
        for path, known in net.fib.path_mtus
        if dev in (None, path.dev)
        and via in (None, path.next_hop)
        and all(inside(path.dst, *network, net.family.bits) for network in wanted)
    ]
