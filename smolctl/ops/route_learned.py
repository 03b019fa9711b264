"""Gateways that redirects named, for ``route get`` and ``route show cache``."""

from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.stack.fib.exceptions import RouteException
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.stack.stack import Stack
from smolctl.wire.address import IPV4, format_address

NS_PER_S = 1_000_000_000


def expires(found: RouteException, now: int) -> int:
    """Return in how many seconds it is forgotten."""
    return max(0, found.expires_ns - now) // NS_PER_S


def row(found: RouteException, now: int) -> Row:
    """Return a redirect with the keys of ``ip -j route show cache``."""
    return {
        "dst": format_address(found.dst),
        "gateway": format_address(found.gateway),
        "dev": found.route.dev,
        "flags": [],
        "cache": ["redirected"],
        "expires": expires(found, now),
    }


def matching(ctx: Context, args: Args) -> list[RouteException]:
    """Return the redirects that are in use and that the selectors choose."""
    stack, dev, via = ctx.stack, args.text("dev"), args.address("via")
    if dev is not None:
        stack.interface(dev)
    wanted = [network for name in ("root", "exact") if (network := args.network(name))]
    return [
        found
        for found in stack.ipv4.fib.exceptions
        if _in_use(stack, found)
        and dev in (None, found.route.dev)
        and via in (None, found.gateway)
        and all(_inside(found.dst, *network) for network in wanted)
    ]


def _in_use(stack: Stack, found: RouteException) -> bool:
    """Tell whether it says where packets go: its route is still the one, its gateway answers."""
    way = route_output(stack.networks.for_address(found.dst), RouteKey(found.dst))
    return isinstance(way, Way) and way.redirected is found


def _inside(address: int, prefix: int, plen: int) -> bool:
    shift = IPV4.bits - plen
    return address >> shift == prefix >> shift
