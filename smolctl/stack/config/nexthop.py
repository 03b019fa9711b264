"""Changes of next-hop objects, with Linux's rules (``nexthop_create``, ``nexthop_replace``)."""

from smolctl.errors import AlreadyExists, InterfaceDown, InvalidArgument
from smolctl.stack.config.route import check_way, no_gateway_onlink
from smolctl.stack.fib.nexthop_objects import NextHopObject, NextHopObjects
from smolctl.stack.fib.route import Route
from smolctl.stack.ip.network import Network
from smolctl.wire.address import IPV4, IPV6, Family, family_of


def checked_way(net: Network, new: NextHopObject) -> NextHopObject:
    """Return a way as it is used: with what follows from its gateway.

    Raises:
        InvalidArgument, NetworkUnreachable, HostUnreachable: as for a route by it; also without
            a device.
        InterfaceDown: its device is down, or has no carrier.
    """
    if new.dev is None:
        raise InvalidArgument("a next hop needs its device: add dev DEV")
    interface = net.interfaces.named(new.dev)
    if new.onlink and new.via is None:
        raise no_gateway_onlink()  # Linux rtm_to_nh_config
    route = Route(net.family.mark, 0, dev=new.dev, via=new.via, onlink=new.onlink)
    check_way(net, route)
    if not interface.carrier:
        raise InterfaceDown(f"{new.dev} has no carrier", hint="smolctl link show")
    return new._replace(on_link=route.on_link)


def put_next_hop(objects: NextHopObjects, new: NextHopObject, *, replace: bool) -> None:
    """Add an object, or replace one.

    Args:
        replace: one of its number may be there; it must be a group, too, or none, too.

    Raises:
        AlreadyExists: its number is in use.
        InvalidArgument, NotFound: it cannot be a member of a group, or is of the wrong family for
            a route that uses it; or a member of it is.
    """
    ident = new.ident
    if ident in objects:
        if not replace:
            raise AlreadyExists(
                f"the id {ident} is in use", hint=f"smolctl nexthop replace id {ident} ..."
            )
        old = objects.get(ident)
        if bool(old.members) != bool(new.members):
            words = ("a group", "a single next hop")
            was, would = words if old.members else words[::-1]
            raise InvalidArgument(
                f"id {ident} is {was}, and cannot become {would}",
                hint=f"smolctl nexthop del id {ident}, then add it",
            )
    _check_members(objects, new)
    groups = objects.groups_of(ident)
    if new.is_blackhole and any(len(objects.get(group).members) > 1 for group in groups):
        raise InvalidArgument("a blackhole cannot be a member of a group with others")
    ways = [objects.get(member) for member, _ in new.members] or [new]
    for _, route in objects.users({ident, *groups}):
        for way in ways:
            check_fits(way, family_of(route.prefix))
    objects.put(new)


def _check_members(objects: NextHopObjects, new: NextHopObject) -> None:
    idents = [member for member, _ in new.members]
    for member in idents:
        found = objects.get(member)
        if found.members:
            raise InvalidArgument(f"id {member} is a group, and cannot be a member of another one")
        if found.is_blackhole and len(idents) > 1:
            raise InvalidArgument(
                f"id {member} is a blackhole, and cannot be a member of a group with others"
            )
        if idents.count(member) > 1:
            raise InvalidArgument(
                f"id {member} is twice in the group", hint=f"give it a weight: {member},2"
            )


def check_fits(way: NextHopObject, family: Family) -> None:
    """Check that a route of a family can be made of a way that is no group.

    Raises:
        InvalidArgument: it cannot.
    """
    other = way.family is not family
    if other and (family is IPV6 or way.via is not None):
        mine, its = ("IPv6", "IPv4") if family is IPV6 else ("IPv4", "IPv6")
        raise InvalidArgument(
            f"a route of {mine} cannot use id {way.ident}, which is a next hop of {its}",
            hint=f"smolctl {'-4' if family is IPV4 else '-6'} nexthop add id NEW ...",
        )
