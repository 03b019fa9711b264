"""``smolctl addr``: addresses of interfaces."""

from collections.abc import Iterable, Iterator
from copy import copy

from smolctl.errors import AlreadyExists, InvalidArgument, NotFound
from smolctl.ops.args import Args
from smolctl.ops.aside import aside
from smolctl.ops.context import Context, Row
from smolctl.ops.link import details_row, link_row
from smolctl.ops.saved import Saved, Words
from smolctl.stack.config.addr import add_address, change_address, delete_address
from smolctl.stack.config.link import NAME_MAX
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.addresses import Address, AddressList
from smolctl.wire.address import IPV4, format_address, format_mac, is_loopback

FOREVER = 0xFFFFFFFF
"""Lifetime of an address that does not expire, as Linux reports it (seconds)."""
_STATES = ("tentative", "dadfailed", "autojoin")
_SELECTING = ("to", "scope", "label", *_STATES)


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the interfaces that match, each with its addresses that match."""
    filtered = any(name in args for name in _SELECTING)
    links: list[tuple[Interface, Row]] = []
    for interface in _interfaces(ctx, args):
        if interface.up or not args.flag("up"):
            row = link_row(ctx, interface, stats=args.flag("stats"))
            more = details_row(ctx, interface) if args.flag("details") else {}
            links.append((interface, {**row, **more}))

    def rows() -> Iterator[Row]:
        for interface, row in links:
            infos = [addr_row(interface, address) for address in _matching(interface, args)]
            if infos or not filtered:
                yield {**row, "addr_info": infos}

    return aside(sum(len(link.ipv4.addresses.items) for link, _ in links), lambda: list(rows()))


def addr_row(interface: Interface, address: Address) -> Row:
    """Return what ``ip -j addr`` has in "addr_info" for an address."""
    row: Row = {
        "family": IPV4.name,
        "local": format_address(address.local),
        "prefixlen": address.plen,
    }
    if address.broadcast is not None:
        row["broadcast"] = format_address(address.broadcast)
    row["scope"] = address.scope.name.lower()
    if address.secondary:
        row["secondary"] = True
    row.update({flag: True for flag in _flags(address)})
    row["label"] = address.label
    if address.other_mac is not None and address.dadfailed:
        row["conflict"] = format_mac(address.other_mac)
    row["valid_life_time"] = FOREVER
    row["preferred_life_time"] = FOREVER
    return row


def _flags(address: Address) -> list[str]:
    """Return what ``ip`` says of an address that is tested or joined, and whether it was asked."""
    asked = [] if address.dad is None else ["dad" if address.dad else "nodad"]
    states = (
        ("dadfailed", address.dadfailed),
        ("tentative", address.tentative),
        ("autojoin", address.autojoin),
    )
    return asked + [name for name, holds in states if holds]


def _interfaces(ctx: Context, args: Args) -> list[Interface]:
    name = args.text("dev")
    return list(ctx.stack.interfaces.values()) if name is None else [ctx.stack.interface(name)]


def _matching(interface: Interface, args: Args) -> list[Address]:
    network, scope, label = args.network("to"), args.scope("scope"), args.text("label")
    flags = {flag for flag in _STATES if args.flag(flag)}
    found = []
    for address in interface.ipv4.addresses.items:
        if network is not None:
            shift = IPV4.bits - network[1]
            if address.local >> shift != network[0] >> shift:
                continue
        if not flags.issubset(_flags(address)):
            continue
        if scope in (None, address.scope) and label in (None, address.label):
            found.append(address)
    return found


def add(ctx: Context, args: Args) -> Iterable[Row]:
    """Add an address."""
    interface, new = _parse(ctx, args)
    try:
        add_address(ctx.stack.ipv4, interface, new, ctx.now)
    except AlreadyExists:
        text = args.required("local")
        raise AlreadyExists(
            f"{text} is already assigned to {interface.name}",
            hint=f"smolctl addr replace {text} dev {interface.name}",
        ) from None
    return []


def replace(ctx: Context, args: Args) -> Iterable[Row]:
    """Add an address, or change the one that is there."""
    interface, new = _parse(ctx, args)
    old = interface.ipv4.addresses.find(new.local, new.plen)
    if old is None:
        add_address(ctx.stack.ipv4, interface, new, ctx.now)
    else:
        change_address(ctx.stack.ipv4, interface, old, new, ctx.now)
    return []


def change(ctx: Context, args: Args) -> Iterable[Row]:
    """Change an address that is there."""
    interface, new = _parse(ctx, args)
    old = interface.ipv4.addresses.find(new.local, new.plen)
    if old is None:
        raise _absent(args, interface)
    change_address(ctx.stack.ipv4, interface, old, new, ctx.now)
    return []


def delete(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete an address; returns what went with it."""
    interface = ctx.stack.interface(args.required("dev"))
    local, plen = args.prefix("local") or (0, None)
    args.required("local")
    address = interface.ipv4.addresses.find(local, plen)
    label = args.text("label")
    if address is None or label not in (None, address.label):
        raise _absent(args, interface)
    gone = delete_address(ctx.stack.ipv4, interface, address, ctx.now)
    return [_gone_row(interface, item) for item in gone]


def flush(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete every address that matches; needs something to match, as ``ip addr flush`` does."""
    if not any(name in args for name in ("dev", *_SELECTING)):
        raise InvalidArgument(
            "addr flush needs to know which addresses", hint="smolctl addr flush dev DEV"
        )
    rows = []
    for interface in _interfaces(ctx, args):
        for address in _matching(interface, args):
            if address in interface.ipv4.addresses.items:
                gone = delete_address(ctx.stack.ipv4, interface, address, ctx.now)
                rows += [_gone_row(interface, item) for item in gone]
    return rows


def _gone_row(interface: Interface, address: Address) -> Row:
    return {"dev": interface.name, **addr_row(interface, address)}


def _absent(args: Args, interface: Interface) -> NotFound:
    return NotFound(
        f"{args.required('local')} is not an address of {interface.name}",
        hint=f"smolctl addr show dev {interface.name}",
    )


def _parse(ctx: Context, args: Args) -> tuple[Interface, Address]:
    text = args.required("local")
    prefix = args.prefix("local")
    if prefix is None or text in ("default", "any", "all"):
        raise InvalidArgument(f'"{text}" is not an address')
    interface = ctx.stack.interface(args.required("dev"))
    # Linux takes an address without a length as /32.
    local, plen = prefix[0], 32 if prefix[1] is None else prefix[1]
    label = args.text("label") or interface.name
    if label != interface.name and not label.startswith(interface.name + ":"):
        raise InvalidArgument(
            f'the label "{label}" must be {interface.name} or begin with {interface.name}:'
        )
    if len(label.encode()) > NAME_MAX:
        raise InvalidArgument(f'the label "{label}" is longer than {NAME_MAX} bytes')
    scope = args.scope("scope")
    if scope is None:
        scope = Scope.HOST if is_loopback(local) else Scope.GLOBAL
    broadcast = _broadcast(args, local, plen)
    dad, autojoin = _dad(args, interface), args.flag("autojoin")
    return interface, Address(local, plen, scope, label, broadcast, dad=dad, autojoin=autojoin)


def _dad(args: Args, interface: Interface) -> bool | None:
    if args.flag("dad") and args.flag("nodad"):
        raise InvalidArgument("dad and nodad cannot be used together")
    if args.flag("dad") and args.flag("autojoin"):
        raise InvalidArgument(
            "dad and autojoin cannot be used together: a group belongs to no single host"
        )
    if args.flag("dad") and interface.medium is not Medium.ETHERNET:
        raise InvalidArgument(f"{interface.name} has no ARP, so no address can be tested there")
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
    for interface in ctx.stack.interfaces.values():
        made = AddressList(IPV4.bits)
        wanted = list(interface.ipv4.addresses.items)
        if interface is ctx.stack.interfaces.loopback:
            (usual,) = fresh.stack.interfaces.loopback.ipv4.addresses.items
            if wanted and _same(wanted[0], usual):
                made.insert(copy(wanted.pop(0)))
            else:
                args = _words(interface, usual)
                gone = {"local": args["local"], "dev": interface.name}
                yield Saved("addr.del", gone, ("addr.add", args), key=f"no {args['local']}")
        for address in wanted:
            yield from _make(interface, address, made)


def _same(one: Address, other: Address) -> bool:
    return (one.local, one.plen, one.scope, one.label, one.broadcast) == (
        other.local, other.plen, other.scope, other.label, other.broadcast,
    )  # fmt: skip


def _make(interface: Interface, address: Address, made: AddressList) -> Iterator[Saved]:
    """Yield what adds one address behind those in ``made``, where it goes too."""
    args = _words(interface, address)
    undo = ("addr.del", {"local": args["local"], "dev": interface.name})
    group, key = f"addr {interface.name}", f"addr {interface.name} {args['local']}"
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
    args: Words = {
        "local": f"{format_address(address.local)}/{address.plen}",
        "dev": interface.name,
    }
    if address.broadcast is not None:
        last = address.local | (1 << (32 - address.plen)) - 1
        usual = address.plen < 31 and address.broadcast == last
        args["broadcast"] = "+" if usual else format_address(address.broadcast)
    if address.label != interface.name:
        args["label"] = address.label
    if address.dad is not None:
        args["dad" if address.dad else "nodad"] = True
    if address.autojoin:
        args["autojoin"] = True
    if address.scope is not (Scope.HOST if is_loopback(address.local) else Scope.GLOBAL):
        args["scope"] = address.scope.name.lower()
    return args
