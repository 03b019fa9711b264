"""Gateways that redirects named, for ``route get`` and ``route show cache``."""

from smolctl.ops.args import Args
from smolctl.ops.context import Row
from smolctl.stack.fib.exceptions import RouteException
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.wire.address import format_address

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


def matching(net: Network, args: Args) -> list[RouteException]:
    """Return the redirects that are in use and that the selectors choose."""
    dev, via = args.device("via"), args.zoned("via")
    if dev is not None:
        net.interfaces.named(dev)
    wanted = [network for name in ("root", "exact") if (network := args.network(name))]
    return [
        found
        for found in net.fib.exceptions
        if _in_use(net, found)
        and dev in (None, found.route.dev)
        and via in (None, found.gateway)
        and all(inside(found.dst, *network, net.family.bits) for network in wanted)
    ]


def _in_use(net: Network, found: RouteException) -> bool:
    """Tell whether it says where packets go: its route is still the one, its gateway answers."""
    dev = found.route.dev if net.needs_dev(found.dst) else None
    way = route_output(net, RouteKey(found.dst, oif=dev))
    return isinstance(way, Way) and way.redirected is found


def inside(address: int, prefix: int, plen: int, bits: int) -> bool:
    """Tell whether an address of that many bits is in a prefix."""
    shift = bits - plen
    return address >> shift == prefix >> shift
