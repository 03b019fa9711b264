"""``smolctl route show cache``: path MTUs, and where redirects led, by destination."""

from collections.abc import Iterable

from smolctl.errors import InvalidArgument
from smolctl.ops import route_learned
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.stack.fib.path_mtu import Path, PathMtu
from smolctl.stack.stack import Stack
from smolctl.wire.address import IPV4, format_address

NS_PER_S = 1_000_000_000


def metrics(stack: Stack, known: PathMtu, now: int) -> Row:
    """Return what is known of a path, with the keys of ``ip -j route get``."""
    row: Row = {
        "expires": max(0, stack.ipv4.fib.path_mtus.expires_ns(known) - now) // NS_PER_S,
        "metrics": [{"mtu": known.mtu}],
    }
    if known.locked:
        row["mtu_lock"] = True
    return row


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return a row for each path and each redirect that match; one where they are the same way."""
    redirects, paths = route_learned.matching(ctx, args), _matching(ctx, args)
    rows = {(row["dst"], row["gateway"]): row
            for row in (route_learned.row(found, ctx.now) for found in redirects)}  # fmt: skip
    for path, known in paths:
        row = _row(ctx, path, known)
        key = (row["dst"], row.get("gateway"))
        if key in rows:
            row["cache"] = rows[key]["cache"]
            row["expires"] = min(row["expires"], rows[key]["expires"])
        rows[key] = row
    return [rows[key] for key in sorted(rows, key=str)]


def flush(ctx: Context, args: Args) -> list[Row]:
    """Forget what matches, all when nothing is selected; return the rows."""
    rows = list(show(ctx, args))
    redirects, paths = route_learned.matching(ctx, args), _matching(ctx, args)
    for found in redirects:
        ctx.stack.ipv4.fib.exceptions.forget(found)
    for path, _ in paths:
        ctx.stack.ipv4.fib.path_mtus.forget(path)
    ctx.stack.generation.touch()
    return rows


def _row(ctx: Context, path: Path, known: PathMtu) -> Row:
    row: Row = {"dst": format_address(path.dst)}
    if path.next_hop != path.dst:
        row["gateway"] = format_address(path.next_hop)
    return {
        **row, "dev": path.dev, "flags": [], "cache": [], **metrics(ctx.stack, known, ctx.now),
    }  # fmt: skip


def _matching(ctx: Context, args: Args) -> list[tuple[Path, PathMtu]]:
    for name in ("match", "protocol", "scope", "type", "src", "metric"):
        if name in args:
            raise InvalidArgument(f"the cache has no {name}", hint="smolctl route show cache")
    dev, via = args.text("dev"), args.address("via")
    if dev is not None:
        ctx.stack.interface(dev)
    wanted = [network for name in ("root", "exact") if (network := args.network(name))]
    return [
        (path, known)
        for path, known in ctx.stack.ipv4.fib.path_mtus
        if dev in (None, path.dev)
        and via in (None, path.next_hop)
        and all(_inside(path.dst, *network) for network in wanted)
    ]


def _inside(address: int, prefix: int, plen: int) -> bool:
    shift = IPV4.bits - plen
    return address >> shift == prefix >> shift
