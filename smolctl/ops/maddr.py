"""``smolctl maddr``: the groups that interfaces are members of."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.families import networks
from smolctl.ops.saved import Saved, Words
from smolctl.stack.config import maddr as maddr_config
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip import membership
from smolctl.stack.ip.groups import STATIC
from smolctl.stack.ip.network import Network
from smolctl.wire.address import (
    ALL_NODES,
    IPV4,
    Family,
    family_of,
    format_address,
    format_mac,
    multicast_mac,
    multicast_scope,
)

_INTERFACE_SCOPE = 1


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the groups of each interface, the latest first, as ``ip -j maddr``."""
    name = args.text("dev")
    interfaces = ctx.stack.interfaces.values() if name is None else [ctx.stack.interface(name)]
    stats = args.flag("stats")
    return [_row(ctx, args.family, interface, stats=stats) for interface in interfaces]


def _row(ctx: Context, family: Family | None, interface: Interface, *, stats: bool) -> Row:
    # As in Linux link addresses are in the order of joining, and groups in the opposite one.
    nets = networks(ctx.stack, family)
    found = []
    if family is None and interface.medium is Medium.ETHERNET:
        found = _links(interface)
    row: Row = {
        "ifindex": interface.index,
        "ifname": interface.name,
        "maddr": found
        + [
            group_row(net, interface, each, stats=stats)
            for net in nets
            for each in reversed(net.of(interface).groups.filters)
        ],
    }
    if stats and not interface.loopback:
        for net in nets:
            reports = net.of(interface).reports
            name = "igmp" if net.family is IPV4 else "mld"
            row[name] = {"version": reports.version(ctx.now), "robustness": reports.robustness}
    return row


def _links(interface: Interface) -> list[Row]:
    """Return the link addresses that the groups have; several groups may share one.

    Source: Linux ``igmp6_group_added``: groups of the interface alone have none.
    """
    groups = [*interface.ipv4.groups.filters, *interface.ipv6.groups.filters]
    groups.sort(key=lambda group: group != ALL_NODES)  # joined first in Linux
    macs = Counter(
        format_mac(multicast_mac(group))
        for group in groups
        if family_of(group) is IPV4 or multicast_scope(group) > _INTERFACE_SCOPE
    )
    return [{"link": mac, **_users(users)} for mac, users in macs.items()]


def group_row(net: Network, interface: Interface, group: int, *, stats: bool = False) -> Row:
    """Return what ``show`` says of one group."""
    members = net.of(interface).groups.members(group)
    row: Row = {"family": net.family.name, "address": format_address(group)}
    if STATIC in members:
        row["features"] = STATIC
    row.update(_users(len(members)))
    if stats:
        wanted = net.of(interface).groups.filters[group]
        row["mode"] = "exclude" if wanted.exclude else "include"
        row["sources"] = [format_address(source) for source in sorted(wanted.sources)]
    return row


def _users(number: int) -> Row:
    return {"users": number} if number > 1 else {}


def add(ctx: Context, args: Args) -> Iterable[Row]:
    """Join a group by hand."""
    maddr_config.join_static(*_parse(ctx, args))
    return []


def delete(ctx: Context, args: Args) -> Iterable[Row]:
    """Leave a group that was joined by hand."""
    maddr_config.leave_static(*_parse(ctx, args))
    return []


def save(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield what joins the groups that were joined by hand; sockets come and go with programs."""
    for net, interface in product(ctx.stack.networks.values(), ctx.stack.interfaces.values()):
        groups = net.of(interface).groups
        for group in groups.filters:
            if STATIC in groups.members(group):
                address = format_address(group)
                args: Words = {"address": address, "dev": interface.name}
                key = f"maddr {interface.name} {address}"
                yield Saved("maddr.add", args, ("maddr.del", args), key=key)


def _parse(ctx: Context, args: Args) -> tuple[Network, Interface, int]:
    text = args.required("address")
    if _LINK.fullmatch(text):
        # Deviation: `ip maddr` adds link addresses alone. Here nothing filters by them: frames to
        # the address of any group are taken, as by a network card in the mode "allmulti".
        raise InvalidArgument(
            f"{text} is a link address, and the stack takes frames to those of all groups: name a"
            f" group",
            hint=f"smolctl maddr add 239.1.2.3 dev {args.text('dev') or 'DEV'}",
        )
    group, dev = args.zoned("address"), args.device("address") or args.required("dev")
    assert group is not None
    net = ctx.stack.networks.for_address(group)
    return net, membership.interface_for(net, group, dev), group


_LINK = re.compile("[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}")
