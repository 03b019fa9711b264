"""``smolctl neigh add proxy``: whom a link answers ARP for, on behalf of others."""

from collections.abc import Iterable, Iterator

from smolctl.errors import InvalidArgument, NotFound
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.saved import Saved
from smolctl.stack.config.neigh import add_proxy, delete_proxy
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.neighbor.proxy import ProxyEntry
from smolctl.wire.address import format_address, is_multicast, is_zeronet


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the proxy entries that match."""
    if "nud" in args:
        raise InvalidArgument("a proxy entry has no state", hint="smolctl neigh show proxy")
    dev, network = args.text("dev"), args.network("to")
    links = ctx.stack.interfaces.values() if dev is None else [ctx.stack.interface(dev)]
    return [
        proxy_row(link, entry)
        for link in links
        for entry in link.ipv4.proxies.entries.values()
        if network is None or entry.ip >> 32 - network[1] == network[0] >> 32 - network[1]
    ]


def proxy_row(interface: Interface, entry: ProxyEntry) -> Row:
    """Return the row of ``ip -j neigh show proxy`` for an entry."""
    return {"dst": format_address(entry.ip), "dev": interface.name, "proxy": True}


def add(ctx: Context, args: Args) -> Iterable[Row]:
    """Make an entry; as in Linux, one that already exists is as good."""
    interface, ip = _named(ctx, args)
    shown = format_address(ip)
    if interface.medium is not Medium.ETHERNET:
        raise InvalidArgument(f"{interface.name} has no ARP, so nobody asks there for {shown}")
    if is_multicast(ip) or ctx.stack.ipv4.is_broadcast(ip) or is_zeronet(ip):
        raise InvalidArgument(f"{shown} is not the address of one host")
    add_proxy(ctx.stack.ipv4, interface, ip)
    return []


def delete(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete an entry."""
    interface, ip = _named(ctx, args)
    if ip not in interface.ipv4.proxies.entries:
        raise NotFound(
            f"{interface.name} has no proxy entry {format_address(ip)}",
            hint="smolctl neigh show proxy",
        )
    delete_proxy(ctx.stack.ipv4, interface, ip)
    return []


def _named(ctx: Context, args: Args) -> tuple[Interface, int]:
    for other in ("dst", "lladdr", "nud"):
        if other in args:
            raise InvalidArgument(
                f"a proxy entry takes no {other}: the answer has the link's own MAC",
                hint=f"smolctl neigh add proxy {args.required('proxy')} dev {args.required('dev')}",
            )
    interface = ctx.stack.interface(args.required("dev"))
    args.required("proxy")
    return interface, args.address("proxy") or 0


def save(ctx: Context) -> Iterator[Saved]:
    """Yield what makes the proxy entries."""
    for interface in ctx.stack.interfaces.values():
        for entry in interface.ipv4.proxies.entries.values():
            args = {"proxy": format_address(entry.ip), "dev": interface.name}
            key = f"neigh proxy {args['proxy']} {interface.name}"
            yield Saved("neigh.add", args, ("neigh.del", args), key=key)
