"""``smolctl maddr``: the groups that interfaces are members of."""

from collections import Counter
from collections.abc import Iterable, Iterator

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.saved import Saved, Words
from smolctl.stack.config import maddr as maddr_config
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip import membership
from smolctl.stack.ip.groups import STATIC
from smolctl.wire.address import IPV4, format_address, format_mac, multicast_mac


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the groups of each interface, the latest first, as ``ip -j maddr``."""
    name = args.text("dev")
    interfaces = ctx.stack.interfaces.values() if name is None else [ctx.stack.interface(name)]
    stats = args.flag("stats")
    return [_row(ctx, interface, stats=stats) for interface in interfaces]


def _row(ctx: Context, interface: Interface, *, stats: bool) -> Row:
    # As in Linux link addresses are in the order of joining, and groups in the opposite one.
    joined = list(interface.ipv4.groups.filters)
    found = _links(joined) if interface.medium is Medium.ETHERNET else []
    row: Row = {
        "ifindex": interface.index,
        "ifname": interface.name,
        "maddr": found + [group_row(interface, each, stats=stats) for each in reversed(joined)],
    }
    if stats and not interface.loopback:
        igmp = interface.ipv4.reports
        row["igmp"] = {"version": igmp.version(ctx.now), "robustness": igmp.robustness}
    return row


def _links(groups: list[int]) -> list[Row]:
    """Return the link addresses that the groups have; several groups may share one."""
    macs = Counter(format_mac(multicast_mac(group)) for group in groups)
    return [{"link": mac, **_users(users)} for mac, users in macs.items()]


def group_row(interface: Interface, group: int, *, stats: bool = False) -> Row:
    """Return what ``show`` says of one group."""
    members = interface.ipv4.groups.members(group)
    row: Row = {"family": IPV4.name, "address": format_address(group)}
    if STATIC in members:
        row["features"] = STATIC
    row.update(_users(len(members)))
    if stats:
        wanted = interface.ipv4.groups.filters[group]
        row["mode"] = "exclude" if wanted.exclude else "include"
        row["sources"] = [format_address(source) for source in sorted(wanted.sources)]
    return row


def _users(number: int) -> Row:
    return {"users": number} if number > 1 else {}


def add(ctx: Context, args: Args) -> Iterable[Row]:
    """Join a group by hand."""
    maddr_config.join_static(ctx.stack.ipv4, *_parse(ctx, args))
    return []


def delete(ctx: Context, args: Args) -> Iterable[Row]:
    """Leave a group that was joined by hand."""
    maddr_config.leave_static(ctx.stack.ipv4, *_parse(ctx, args))
    return []


def save(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield what joins the groups that were joined by hand; sockets come and go with programs."""
    for interface in ctx.stack.interfaces.values():
        for group in interface.ipv4.groups.filters:
            if STATIC in interface.ipv4.groups.members(group):
                address = format_address(group)
                args: Words = {"address": address, "dev": interface.name}
                key = f"maddr {interface.name} {address}"
                yield Saved("maddr.add", args, ("maddr.del", args), key=key)


def _parse(ctx: Context, args: Args) -> tuple[Interface, int]:
    text = args.required("address")
    if ":" in text:
        # Deviation: `ip maddr` adds link addresses alone. Here nothing filters by them: frames to
        # the address of any group are taken, as by a network card in the mode "allmulti".
        raise InvalidArgument(
            f"{text} is a link address, and the stack takes frames to those of all groups: name a"
            f" group",
            hint=f"smolctl maddr add 239.1.2.3 dev {args.text('dev') or 'DEV'}",
        )
    group = args.address("address") or 0
    interface = membership.interface_for(ctx.stack.ipv4, group, args.required("dev"))
    return interface, group
