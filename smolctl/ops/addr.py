"""``smolctl addr``: addresses of interfaces."""

from collections.abc import Iterable, Iterator
from copy import copy
from itertools import islice, product

from smolctl.errors import AlreadyExists, InvalidArgument, NotFound
from smolctl.ops.args import Args
from smolctl.ops.aside import MANY, aside
from smolctl.ops.context import Context, Row
from smolctl.ops.families import networks
from smolctl.ops.link import details_row, link_row
from smolctl.ops.saved import Saved, Words
from smolctl.stack.config.addr import add_address, change_address, delete_addresses
from smolctl.stack.config.link import NAME_MAX
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.addresses import FOREVER, Address, AddressList, Lifetime
from smolctl.stack.ip.lifetimes import A_TURN
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv6.addresses import Address6, AddressList6
from smolctl.wire.address import (
    IPV4,
    IPV6,
    family_of,
    format_address,
    format_mac,
    interface_id,
    is_loopback,
    is_multicast,
    is_unspecified,
    link_local,
)

PREFIX_METRIC = 256
"""Metric of the route to an IPv6 address's network (Linux IP6_RT_PRIO_ADDRCONF)."""
_STATES = ("tentative", "dadfailed", "autojoin", "optimistic", "deprecated", "temporary")
_SELECTING = ("to", "scope", "label", *_STATES)


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the interfaces that match, each with its addresses that match."""
    filtered = args.family is not None or any(name in args for name in _SELECTING)
    nets = _networks(ctx, args)
    links: list[tuple[Interface, Row]] = []
    for interface in _interfaces(ctx, args):
        if interface.up or not args.flag("up"):
            row = link_row(ctx, interface, stats=args.flag("stats"))
            more = details_row(ctx, interface) if args.flag("details") else {}
            links.append((interface, {**row, **more}))

    def rows() -> Iterator[Row]:
        for interface, row in links:
            infos = [
                addr_row(address, ctx.now)
                for net in nets
                for address in _matching(net, interface, args)
            ]
            if infos or not filtered:
                yield {**row, "addr_info": infos}

    number = sum(len(net.of(link).addresses.items) for net in nets for link, _ in links)
    return aside(number, lambda: list(rows()))


def _networks(ctx: Context, args: Args) -> list[Network]:
    """Return the networks whose addresses are meant; a prefix says so, too."""
    return networks(ctx.stack, args.infer("to"))


def addr_row(address: Address, now: int) -> Row:
    """Return what ``ip -j addr`` has in "addr_info" for an address."""
    lifetime = address.lifetime
    row: Row = {
        "family": family_of(address.local).name,
        "local": format_address(address.local),
    }
    if address.peer is not None:
        row["address"] = format_address(address.peer)
    row["prefixlen"] = address.plen
    if address.metric != _usual_metric(address):
        row["metric"] = address.metric
    if address.broadcast is not None:
        row["broadcast"] = format_address(address.broadcast)
    row["scope"] = address.scope.name.lower()
    if address.secondary:
        row["secondary"] = True
    row.update({flag: True for flag in _flags(address)})
    if not isinstance(address, Address6):
        row["label"] = address.label
    if address.other_mac is not None and address.dadfailed:
        row["conflict"] = format_mac(address.other_mac)
    row["valid_life_time"] = lifetime.valid_left(now)
    row["preferred_life_time"] = lifetime.preferred_left(now)
    return row


def _usual_metric(address: Address) -> int:
    return PREFIX_METRIC if isinstance(address, Address6) else 0


def _flags(address: Address) -> list[str]:
    """Return what ``ip`` says of an address that is tested or joined, and whether it was asked."""
    own = address if isinstance(address, Address6) else None
    states = (
        ("temporary", own is not None and own.temporary),
        ("stable-privacy", own is not None and own.stable_privacy),
        ("dad", address.dad is True),
        ("nodad", address.dad is False),
        ("optimistic", own is not None and own.optimistic),
        ("dadfailed", address.dadfailed),
        ("deprecated", address.deprecated),
        ("tentative", address.tentative),
        ("dynamic", address.lifetime.valid != FOREVER),
        ("noprefixroute", not address.prefix_route),
        ("autojoin", address.autojoin),
    )
    return [name for name, holds in states if holds]


def _interfaces(ctx: Context, args: Args) -> list[Interface]:
    name = args.text("dev")
    return list(ctx.stack.interfaces.values()) if name is None else [ctx.stack.interface(name)]


def _matching(net: Network, interface: Interface, args: Args) -> list[Address]:
    network, scope, label = args.network("to"), args.scope("scope"), args.text("label")
    flags = {flag for flag in _STATES if args.flag(flag)}
    found = []
    for address in net.of(interface).addresses.items:
        if network is not None:
            shift = net.family.bits - network[1]
            if address.local >> shift != network[0] >> shift:
                continue
        if not flags.issubset(_flags(address)):
            continue
        labelled = label is None or (label == address.label and net.family is IPV4)
        if scope in (None, address.scope) and labelled:
            found.append(address)
    return found


def add(ctx: Context, args: Args) -> Iterable[Row]:
    """Add an address."""
    net, interface, new = _parse(ctx, args)
    try:
        add_address(net, interface, new, ctx.now)
    except AlreadyExists:
        text = args.required("local")
        raise AlreadyExists(
            f"{text} is already assigned to {interface.name}",
            hint=f"smolctl addr replace {text} dev {interface.name}",
        ) from None
    return []


def replace(ctx: Context, args: Args) -> Iterable[Row]:
    """Add an address, or change the one that is there."""
    net, interface, new = _parse(ctx, args)
    old = _there(net, interface, new, args)
    if old is None:
        add_address(net, interface, new, ctx.now)
    else:
        change_address(net, interface, old, new, ctx.now)
    return []


def _there(net: Network, interface: Interface, new: Address, args: Args) -> Address | None:
    """Return the address that a new one would be; of IPv6, whatever its prefix length.

    In IPv6 what is not said stays as it is (Linux ``inet6_addr_modify``).
    """
    addresses = net.of(interface).addresses
    if net.family is IPV6:
        old = addresses.find(new.local, None)
        if old is not None:
            new.metric = new.metric if "metric" in args else old.metric
            new.peer = new.peer if "peer" in args else old.peer
        return old
    return addresses.find(new.local, new.plen, new.anchor)


def change(ctx: Context, args: Args) -> Iterable[Row]:
    """Change an address that is there."""
    net, interface, new = _parse(ctx, args)
    old = _there(net, interface, new, args)
    if old is None:
        raise _absent(args, interface)
    change_address(net, interface, old, new, ctx.now)
    return []


def delete(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete an address; returns what went with it."""
    interface = ctx.stack.interface(args.required("dev"))
    args.required("local")
    local, plen = args.prefix("local") or (0, None)
    net = ctx.stack.networks.for_address(local)
    near = None if plen is None or net.family is IPV6 else local
    if (peer := args.prefix("peer")) is not None and net.family is not IPV6:
        near, plen = peer[0], net.family.bits if peer[1] is None else peer[1]
    address = net.of(interface).addresses.find(local, plen, near)
    label = args.text("label")
    if address is None or label not in (None, address.label):
        raise _absent(args, interface)
    gone = delete_addresses(net, interface, (address,), ctx.now)
    return [_gone_row(interface, item, ctx.now) for item in gone]


def flush(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete every address that matches; needs something to match, as ``ip addr flush`` does."""
    if not any(name in args for name in ("dev", *_SELECTING)):
        raise InvalidArgument(
            "addr flush needs to know which addresses", hint="smolctl addr flush dev DEV"
        )
    wanted = [
        (net, interface, _matching(net, interface, args))
        for interface, net in product(_interfaces(ctx, args), _networks(ctx, args))
    ]
    rows = _flushed(ctx, wanted)
    # Of many, some are deleted each time that the client takes rows: as Linux, by and by.
    return list(rows) if sum(len(matching) for _, _, matching in wanted) < MANY else rows


def _flushed(ctx: Context, wanted: list[tuple[Network, Interface, list[Address]]]) -> Iterator[Row]:
    for net, interface, matching in wanted:
        # Those first that take no others with them, where all together would take too long.
        if len(matching) >= MANY:
            matching.sort(key=lambda address: not address.secondary)
        some = iter(matching)
        while portion := list(islice(some, MANY if len(matching) < MANY else A_TURN)):
            there = set(net.of(interface).addresses.items)
            left = [address for address in portion if address in there]
            for item in delete_addresses(net, interface, left, ctx.now) if left else ():
                yield _gone_row(interface, item, ctx.now)


def _gone_row(interface: Interface, address: Address, now: int) -> Row:
    return {"dev": interface.name, **addr_row(address, now)}


def _absent(args: Args, interface: Interface) -> NotFound:
    return NotFound(
        f"{args.required('local')} is not an address of {interface.name}",
        hint=f"smolctl addr show dev {interface.name}",
    )


def _parse(ctx: Context, args: Args) -> tuple[Network, Interface, Address]:
    text = args.required("local")
    prefix = args.prefix("local")
    if prefix is None or text in ("default", "any", "all"):
        raise InvalidArgument(f'"{text}" is not an address')
    interface = ctx.stack.interface(args.required("dev"))
    # Linux takes an address without a length as that of one host.
    local, net = prefix[0], ctx.stack.networks.for_address(prefix[0])
    plen = net.family.bits if prefix[1] is None else prefix[1]
    peer = args.prefix("peer")
    if peer is not None:
        # As ip has it: the length is that of the peer's prefix, whatever the address says.
        plen = net.family.bits if peer[1] is None else peer[1]
    new = net.new_address(local, plen, interface)
    if peer is not None and peer[0] != local:
        _check_peer(net, peer[0])
        new.peer = peer[0]
    new.prefix_route = not args.flag("noprefixroute")
    new.metric = args.integer("metric", 0, 0xFFFFFFFF) or new.metric
    new.dad, new.autojoin = _dad(args, interface), args.flag("autojoin")
    new.lifetime = _lifetime(args, ctx.now)
    if isinstance(new, Address6):
        _parse6(args, new)
        return net, interface, new
    extra = [name for name in _IPV6_WORDS if name in args]
    if extra:
        raise InvalidArgument(f"{extra[0]} is for IPv6 addresses")
    label = args.text("label") or interface.name
    if label != interface.name and not label.startswith(interface.name + ":"):
        raise InvalidArgument(
            f'the label "{label}" must be {interface.name} or begin with {interface.name}:'
        )
    if len(label.encode()) > NAME_MAX:
        raise InvalidArgument(f'the label "{label}" is longer than {NAME_MAX} bytes')
    scope = args.scope("scope")
    if scope is not None:
        new.scope = scope
    new.label, new.broadcast = label, _broadcast(args, new.anchor, plen)
    return net, interface, new


def _check_peer(net: Network, peer: int) -> None:
    if family_of(peer) is not net.family or is_multicast(peer) or is_unspecified(peer):
        raise InvalidArgument(
            f"peer {format_address(peer)} is not the address of one other host",
            hint="smolctl addr add 10.0.0.1 peer 10.9.0.1/32 dev DEV",
        )


_IPV6_WORDS = ("optimistic",)


def _parse6(args: Args, new: Address6) -> None:
    """Set what is said of an IPv6 address."""
    for name in ("label", "broadcast"):
        if name in args:
            raise InvalidArgument(f"an IPv6 address has no {name}")
    # Linux takes "scope" and does not look at it: that of an IPv6 address follows from it.
    args.scope("scope")
    new.optimistic = args.flag("optimistic")


def _lifetime(args: Args, now: int) -> Lifetime:
    """Return how long an address is to be there and preferred; for ever where nothing is said."""
    valid, preferred = (_seconds(args, name) for name in ("valid_lft", "preferred_lft"))
    this = f"{args.required('local')} dev {args.required('dev')}"
    if not valid:
        raise InvalidArgument(
            "valid_lft is 0: an address is there for a second or more",
            hint=f"smolctl addr del {this}",
        )
    if preferred > valid:
        said = args.text("preferred_lft") or "forever"
        raise InvalidArgument(
            f"preferred_lft {said} is longer than valid_lft {valid}",
            hint=f"smolctl addr replace {this} valid_lft {valid} preferred_lft {valid}",
        )
    return Lifetime(valid, preferred, now)


def _seconds(args: Args, name: str) -> int:
    if args.text(name) in (None, "forever"):
        return FOREVER
    try:
        seconds = args.integer(name, 0, FOREVER)
    except InvalidArgument as error:
        raise InvalidArgument(f"{error.message} seconds", hint=f"or say: {name} forever") from None
    assert seconds is not None
    return seconds


def _dad(args: Args, interface: Interface) -> bool | None:
    if args.flag("dad") and args.flag("nodad"):
        raise InvalidArgument("dad and nodad cannot be used together")
    if args.flag("dad") and args.flag("autojoin"):
        raise InvalidArgument(
            "dad and autojoin cannot be used together: a group belongs to no single host"
        )
    if args.flag("dad") and interface.medium is not Medium.ETHERNET:
        raise InvalidArgument(f"nobody else is on {interface.name}, so no address can be tested")
    if interface.medium is not Medium.ETHERNET:
        return None  # nothing is tested there, whatever was said
    return True if args.flag("dad") else False if args.flag("nodad") else None


def _broadcast(args: Args, local: int, plen: int) -> int | None:
    text = args.text("broadcast")
    if text in (None, "-"):
        return None
    if text == "+":
        return local | (1 << (32 - plen)) - 1 if plen < 31 else None
    return args.address("broadcast")


# --- save -----------------------------------------------------------------------------------------


def save(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield what makes the addresses of all interfaces, in the order in which they are kept."""
    for net, interface in product(ctx.stack.networks.values(), ctx.stack.interfaces.values()):
        if interface.up or net.family is not IPV6:
            yield from _save(net, interface, fresh.stack.networks[net.family])


def save_down(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield what makes IPv6 addresses of links that are down: going down would take them away."""
    for interface in ctx.stack.interfaces.values():
        if not interface.up:
            yield from _save(ctx.stack.ipv6, interface, fresh.stack.ipv6)


def _save(net: Network, interface: Interface, fresh: Network) -> Iterator[Saved]:
    """Yield what makes the addresses that an interface has of one family."""
    wanted = list(net.of(interface).addresses.items)
    if net.family is IPV6:
        yield from _save6(interface, wanted, fresh)
        return
    made = AddressList(net.family.bits)
    if interface is net.interfaces.loopback:
        (usual,) = fresh.of(fresh.interfaces.loopback).addresses.items
        if wanted and _same(wanted[0], usual):
            made.insert(copy(wanted.pop(0)))
        else:
            yield _without(interface, usual)
    for address in wanted:
        yield from _make(interface, address, made, _test_words(interface, address, fresh))


def _without(interface: Interface, usual: Address) -> Saved:
    """Return what takes away an address that a link has from the beginning."""
    args = _words(interface, usual)
    gone = _name(args)
    return Saved("addr.del", gone, ("addr.add", args), key=f"no {args['local']}")


def _save6(interface: Interface, wanted: list[Address], fresh: Network) -> Iterator[Saved]:
    """Yield what makes IPv6 addresses beside those that a link has from the beginning.

    A link that is up has its own link-local address, the loopback ::1. What is shown first was
    added last.
    """
    link = fresh.interfaces.get(interface.name)
    usual = [] if link is None else list(fresh.of(link).addresses.items)
    if not (interface.carrier or interface.loopback):
        # Nobody knows whether it will have one: that comes with the carrier.
        own = link_local(interface_id(interface.mac))
        usual = [address for address in usual if address.local != own]
        wanted = [address for address in wanted if address.local != own]
    # A random one comes with the sysctl, and is another one each time.
    usual = [address for address in usual if not _is_random(address)]
    wanted = [address for address in wanted if not _is_random(address)]
    kept = [each for each in wanted if any(_same6(each, other) for other in usual)]
    made = AddressList6()
    for address in (*reversed(kept), *(each for each in reversed(wanted) if each not in kept)):
        made.insert(copy(address))
    if [each.local for each in made.items] != [each.local for each in wanted]:
        kept = []  # one was taken away, and added again
    for address in usual:
        if not any(_same6(address, each) for each in kept):
            yield _without(interface, address)
    for address in reversed(wanted):
        if address not in kept:
            args = _words(interface, address) | _test_words(interface, address, fresh)
            undo, key = ("addr.del", _name(args)), f"addr {interface.name} {args['local']}"
            yield Saved("addr.add", args, undo, f"addr6 {interface.name}", key)


def _is_random(address: Address) -> bool:
    return isinstance(address, Address6) and address.stable_privacy


def _same6(one: Address, other: Address) -> bool:
    mine, theirs = _attributes(one), _attributes(other)
    return (one.local, one.plen, one.peer, mine) == (other.local, other.plen, other.peer, theirs)


def _same(one: Address, other: Address) -> bool:
    mine, theirs = _attributes(one), _attributes(other)
    return (one.local, one.plen, one.label, mine) == (other.local, other.plen, other.label, theirs)


def _test_words(interface: Interface, address: Address, fresh: Network) -> Words:
    """Return the word that has an address of a link that is down tested when it comes up, or not.

    That was decided when it was added, by sysctls that may have been others then.
    """
    link = fresh.interfaces.get(interface.name)
    if interface.up or address.dad is not None or link is None:
        return {}
    if address.tentative is fresh.wants_test(link, address):
        return {}
    return {"dad" if address.tentative else "nodad": True}


def _make(
    interface: Interface, address: Address, made: AddressList, test: Words
) -> Iterator[Saved]:
    """Yield what adds one address behind those in ``made``, where it goes too."""
    args = _words(interface, address) | test
    undo, group = ("addr.del", _name(args)), f"addr {interface.name}"
    key = " ".join(map(str, (group, args["local"], args.get("peer", ""))))
    before = list(made.items)
    made.insert(copy(address))
    if made.items[:-1] == before:
        yield Saved("addr.add", args, undo, group, key)
        return
    # Its scope was changed after it was added: that put it elsewhere than its scope would.
    made.items = [*before, copy(address)]
    yield Saved("addr.add", {**args, "scope": "global"}, undo, group, key)
    yield Saved("addr.change", args, None, group, key)


def _words(interface: Interface, address: Address) -> Words:
    """Return the arguments that add an address."""
    args: Words = {"local": format_address(address.local), "dev": interface.name}
    if address.peer is None:
        args["local"] = f"{args['local']}/{address.plen}"
    else:
        args["peer"] = f"{format_address(address.peer)}/{address.plen}"
    if not isinstance(address, Address6) and address.label != interface.name:
        args["label"] = address.label
    return args | _attributes(address)


def _name(args: Words) -> Words:
    """Return the arguments that delete the address which others add."""
    return {name: args[name] for name in ("local", "peer", "dev") if name in args}


def _attributes(address: Address) -> Words:
    """Return the words about an address that are not its name.

    Not ``optimistic``: that ends with the test of an address, as ``tentative`` does. Lifetimes are
    as they were given, not what is left of them: they begin anew with the address.
    """
    args: Words = {}
    if address.dad is not None:
        args["dad" if address.dad else "nodad"] = True
    if address.autojoin:
        args["autojoin"] = True
    for name, seconds in zip(("valid_lft", "preferred_lft"), address.lifetime[:2], strict=True):
        if seconds != FOREVER:
            args[name] = str(seconds)
    if not address.prefix_route:
        args["noprefixroute"] = True
    if address.metric != _usual_metric(address):
        args["metric"] = str(address.metric)
    if isinstance(address, Address6):
        return args
    if address.broadcast is not None:
        last = address.anchor | (1 << (32 - address.plen)) - 1
        usual = address.plen < 31 and address.broadcast == last
        args["broadcast"] = "+" if usual else format_address(address.broadcast)
    if address.scope is not (Scope.HOST if is_loopback(address.local) else Scope.GLOBAL):
        args["scope"] = address.scope.name.lower()
    return args
