"""``smolctl neigh add proxy``: the hosts for which a link answers who asks for neighbors."""

from collections.abc import Iterable, Iterator
from itertools import product

from smolctl.errors import InvalidArgument, NotFound
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.families import networks
from smolctl.ops.saved import Saved, Words
from smolctl.stack.config.neigh import add_proxy, delete_proxy
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.network import Network
from smolctl.stack.neighbor.proxy import ProxyEntry
from smolctl.wire.address import IPV6, format_address, is_multicast, is_unspecified, is_zeronet


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the proxy entries that match."""
    if "nud" in args:
        raise InvalidArgument("a proxy entry has no state", hint="smolctl neigh show proxy")
    nets, dev = networks(ctx.stack, args.infer("to")), args.text("dev")
    network = args.network("to")
    links = ctx.stack.interfaces.values() if dev is None else [ctx.stack.interface(dev)]
    return [
        proxy_row(link, entry)
        for net, link in product(nets, links)
        for entry in net.of(link).proxies.entries.values()
        if network is None or _inside(entry.ip, network, net.family.bits)
    ]


def _inside(address: int, network: tuple[int, int], bits: int) -> bool:
    return not (address ^ network[0]) >> bits - network[1]


def proxy_row(interface: Interface, entry: ProxyEntry) -> Row:
    """Return the row of ``ip -j neigh show proxy`` for an entry."""
    row: Row = {"dst": format_address(entry.ip), "dev": interface.name}
    if entry.router:
        row["router"] = True
    return {**row, "proxy": True}


def add(ctx: Context, args: Args) -> Iterable[Row]:
    """Make an entry; as in Linux, one that already exists is as good."""
    interface, net, ip = _named(ctx, args)
    shown = format_address(ip)
    if interface.medium is not Medium.ETHERNET:
        raise InvalidArgument(f"{interface.name} has no neighbors: nobody asks there for {shown}")
    if is_multicast(ip) or net.is_broadcast(ip) or is_zeronet(ip) or is_unspecified(ip):
        raise InvalidArgument(f"{shown} is not the address of one host")
    router = args.flag("router")
    if router and net.family is not IPV6:
        raise InvalidArgument("router is for IPv6 neighbors")
    add_proxy(net, interface, ProxyEntry(ip, router))
    return []


def delete(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete an entry."""
    interface, net, ip = _named(ctx, args)
    if ip not in net.of(interface).proxies.entries:
        raise NotFound(
            f"{interface.name} has no proxy entry {format_address(ip)}",
            hint="smolctl neigh show proxy",
        )
    delete_proxy(net, interface, ip)
    return []


def _named(ctx: Context, args: Args) -> tuple[Interface, Network, int]:
    args.required("proxy")
    ip, dev = args.zoned("proxy"), args.device("proxy") or args.required("dev")
    assert ip is not None
    for other in ("dst", "lladdr", "nud"):
        if other in args:
            raise InvalidArgument(
                f"a proxy entry takes no {other}: the answer has the link's own MAC",
                hint=f"smolctl neigh add proxy {format_address(ip)} dev {dev}",
            )
    interface = ctx.stack.interface(dev)
    return interface, ctx.stack.networks.for_address(ip), ip


def save(ctx: Context) -> Iterator[Saved]:
    """Yield what makes the proxy entries."""
    for net, interface in product(ctx.stack.networks.values(), ctx.stack.interfaces.values()):
        for entry in net.of(interface).proxies.entries.values():
            args: Words = {"proxy": format_address(entry.ip), "dev": interface.name}
            key = f"neigh proxy {args['proxy']} {interface.name}"
            undo = ("neigh.del", args)
            made: Words = {**args, "router": True} if entry.router else args
            yield Saved("neigh.add", made, undo, key=key)
