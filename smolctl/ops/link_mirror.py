"""Mirrors of ``smolctl link``: the words that make and change one, and the row that shows it."""

import re

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.saved import Words
from smolctl.stack.config.link import set_carrier
from smolctl.stack.config.mirror import (
    KIND,
    add_mirror,
    check_index,
    check_master,
    check_port,
    set_master,
)
from smolctl.stack.interface import Interface, Medium, Mirror

NO_ADDRESS = "none"
"""The link address of a link that has none."""
_KIND = r"[A-Za-z0-9._-]{1,32}"
_INDEX_MAX = 0x7FFFFFFF
_ON_OFF = ("on", "off")


def add(ctx: Context, name: str, args: Args, mtu: int | None, mac: bytes | None) -> None:
    """Add a mirror.

    Args:
        mac: None for a random one; ``address none`` is looked for in ``args``.

    Raises:
        InvalidArgument, AlreadyExists, NoSuchDevice.
    """
    interfaces = ctx.stack.interfaces
    told = Mirror(_kind(args), args.integer("ifindex", 1, _INDEX_MAX) or 0)
    told.master, told.lower = (
        interfaces.named(args.required(word)) if word in args else None
        for word in ("master", "link")
    )
    bare = has_no_address(args)
    check_index(interfaces, told.index)
    check_master(name, Medium.NONE if bare else Medium.ETHERNET, told.master)
    on = args.choice("carrier", _ON_OFF) != "off"
    device = ctx.links.open(name, KIND, {"mac": mac, "mtu": mtu})
    own = None if bare else device.mac
    interface = add_mirror(ctx.stack.shared, name, told, device.mtu, own, ctx.now)
    ctx.links.attach(interface, device, ctx.now)
    set_carrier(ctx.stack.shared, interface, on, ctx.now)


def _kind(args: Args) -> str:
    kind = args.text("kind") or ""
    if kind and not re.fullmatch(_KIND, kind):
        raise InvalidArgument(
            f'"{kind}" is not the kind of a link: 1 to 32 letters, digits, ".", "_" and "-"',
            hint="kind bridge",
        )
    return kind


def has_no_address(args: Args) -> bool:
    """Tell whether a link is to have no link address."""
    return args.text("address") == NO_ADDRESS


def check(ctx: Context, interface: Interface, args: Args) -> None:
    """Check the words of ``link set`` that only a mirror has.

    Raises:
        InvalidArgument: they are for another type of link.
    """
    args.choice("carrier", _ON_OFF)
    given = [word for word in ("carrier", "master", "nomaster") if word in args]
    if given and interface.mirror is None:
        word, kind = given[0], interface.kind
        raise InvalidArgument(
            f'{interface.name} is of type {kind}, and has no "{word}" to be set: that is for'
            f" type {KIND}",
            hint=f"smolctl link add NAME type {KIND}",
        )
    if "master" in args and args.flag("nomaster"):
        raise InvalidArgument('"master" cannot be used with "nomaster"')
    if "master" in args:
        check_port(interface, ctx.stack.interface(args.required("master")))


def set_(ctx: Context, interface: Interface, args: Args) -> None:
    """Change what only a mirror has, as ``check`` found it right."""
    shared = ctx.stack.shared
    if "master" in args:
        set_master(shared, interface, ctx.stack.interface(args.required("master")))
    elif args.flag("nomaster"):
        set_master(shared, interface, None)
    carrier = args.choice("carrier", _ON_OFF)
    if carrier is not None:
        set_carrier(shared, interface, carrier == "on", ctx.now)


def info(mirror: Mirror) -> Row:
    """Return what ``-d`` tells of a mirror."""
    return {"info_kind": KIND, "info_data": {"kind": mirror.kind} if mirror.kind else {}}


def words(interface: Interface, mirror: Mirror) -> Words:
    """Return the words of ``link add`` that only a mirror has, but for its master."""
    said: Words = {}
    if mirror.index:
        said["ifindex"] = str(mirror.index)
    if mirror.kind:
        said["kind"] = mirror.kind
    if mirror.lower is not None:
        said["link"] = mirror.lower.name
    if not interface.carrier:
        said["carrier"] = "off"
    if interface.medium is Medium.NONE:
        said["address"] = NO_ADDRESS
    return said
