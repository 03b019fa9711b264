"""``smolctl link``: interfaces, and the devices that carry their frames."""

from collections.abc import Iterable, Iterator
from typing import Any

from smolctl.device import AddressedDevice
from smolctl.errors import InvalidArgument
from smolctl.near import did_you_mean
from smolctl.ops import link_mirror, link_options, link_vlan, netem
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.saved import Saved, Words
from smolctl.stack.config.link import (
    add_interface,
    check_interface,
    delete_interface,
    set_arp,
    set_group,
    set_mac,
    set_mtu,
    set_up,
)
from smolctl.stack.config.mirror import KIND as MIRROR
from smolctl.stack.config.netem import set_impairment
from smolctl.stack.config.sysctl import set_sysctl
from smolctl.stack.explain.route_words import group_text
from smolctl.stack.interface import (
    ETHERNET_MTU,
    LOOPBACK_MTU,
    OUTBOX_LIMIT,
    Interface,
    Medium,
)
from smolctl.stack.link.impairment import Netem
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC, format_mac
from smolctl.wire.ipv4 import MIN_MTU

LOOPBACK = "loopback"
MTU_MAX = 65535
"""Largest total_length of an IPv4 packet (RFC 791 3.1)."""


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the interfaces, or the one named ``dev``."""
    name = args.text("dev")
    interfaces = (
        list(ctx.stack.interfaces.values()) if name is None else [ctx.stack.interface(name)]
    )
    stats, up = args.flag("stats"), args.flag("up")
    return [show_row(ctx, each, stats=stats) for each in interfaces if each.up or not up]


def show_row(ctx: Context, interface: Interface, *, stats: bool) -> Row:
    """Return the row of ``link show``: ``link_row``, and what is known of the device."""
    row: Row = {}
    for key, value in link_row(ctx, interface, stats=stats).items():
        row[key] = value
        if key == "operstate":  # what ip link has and ip addr has not, at ip's place
            row["linkmode"] = "DEFAULT"
    return row | details_row(ctx, interface)


def details_row(ctx: Context, interface: Interface) -> Row:
    """Return what ``ip -d`` tells of a link."""
    row: Row = {}
    if interface.impairment is not None and interface.impairment.netem:
        row["netem"] = netem.options(interface.impairment.netem)
    if interface.vlan is not None:
        row["linkinfo"] = link_vlan.info(interface, interface.vlan)
    elif interface.mirror is not None:
        row["linkinfo"] = link_mirror.info(interface.mirror)
    elif not interface.loopback:
        info = ctx.links.details(interface.name)
        row["linkinfo"] = {"info_kind": interface.kind, "info_data": info}
    return row


def link_row(ctx: Context, interface: Interface, *, stats: bool) -> Row:
    """Return what ``link show`` and ``addr show`` have in common; keys as ``ip -j link``.

    Args:
        ctx: of the request.
        interface: whose row.
        stats: add ``stats64``, as ``ip -s`` does.
    """
    row: Row = {"ifindex": interface.index}
    lower = _lower(interface)
    if lower is not None:
        row["link"] = lower.name
    row |= {
        "ifname": interface.name,
        "flags": _flags(interface),
        "mtu": interface.mtu,
        "qdisc": _qdisc(interface),
        **_master(interface),
        "operstate": _operstate(ctx, interface),
        "group": group_text(interface.group),
        "txqlen": OUTBOX_LIMIT,
        "link_type": LOOPBACK if interface.loopback else _LINK_TYPES[interface.medium],
    }
    if interface.medium is not Medium.NONE:
        row["address"] = format_mac(interface.mac)
        row["broadcast"] = format_mac(ZERO_MAC if interface.loopback else BROADCAST_MAC)
    if stats:
        row["stats64"] = _stats64(interface)
    return row


_LINK_TYPES = {Medium.ETHERNET: "ether", Medium.NONE: "none"}


def _lower(interface: Interface) -> Interface | None:
    """Return the interface below; None of one that is on none."""
    if interface.vlan is not None:
        return interface.vlan.lower
    return None if interface.mirror is None else interface.mirror.lower


def _master(interface: Interface) -> Row:
    mirror = interface.mirror
    return {} if mirror is None or mirror.master is None else {"master": mirror.master.name}


def _qdisc(interface: Interface) -> str:
    """Return what holds frames back before the device takes them, in tc's words."""
    if interface.impairment is not None and interface.impairment.netem:
        return "netem"
    bare = interface.loopback or interface.vlan is not None or interface.mirror is not None
    return "noqueue" if bare else "pfifo"


def _flags(interface: Interface) -> list[str]:
    """Return the flags in the order in which ip prints them (iproute2 print_link_flags)."""
    flags = []
    if interface.up and not interface.carrier:
        flags.append("NO-CARRIER")
    if interface.medium is Medium.NONE:
        flags += ["POINTOPOINT", "MULTICAST", "NOARP"]
    else:
        flags += ["LOOPBACK"] if interface.loopback else ["BROADCAST", "MULTICAST"]
        flags += [] if interface.arp else ["NOARP"]
    if interface.up:
        flags.append("UP")
        if interface.carrier:
            flags.append("LOWER_UP")
    lower = _lower(interface)
    if lower is not None and not lower.up:
        flags.append("M-DOWN")
    return flags


def _operstate(ctx: Context, interface: Interface) -> str:
    """Return the state of RFC 2863 3.1.14, as Linux's operstate spells it."""
    if not ctx.links.present(interface.name):
        return "NOTPRESENT"
    if interface.vlan is not None and not interface.carrier:
        return "LOWERLAYERDOWN"
    if not (interface.up and interface.carrier):
        return "DOWN"
    # Linux's loopback and TUN have no carrier to watch, and say so.
    watched = not interface.loopback and interface.medium is not Medium.NONE
    return "UP" if watched else "UNKNOWN"


def _stats64(interface: Interface) -> dict[str, dict[str, int]]:
    counters = interface.counters
    return {
        "rx": {
            "bytes": counters.total("rx_bytes"),
            "packets": counters.total("rx_packets"),
            "errors": counters.rx_errors,
            "dropped": counters.rx_dropped,
            "over_errors": 0,
            "multicast": counters.multicast,
        },
        "tx": {
            "bytes": counters.total("tx_bytes"),
            "packets": counters.total("tx_packets"),
            "errors": 0,
            "dropped": counters.tx_dropped,
            "carrier_errors": counters.tx_carrier_errors,
            "collisions": 0,
        },
    }


def add(ctx: Context, args: Args) -> Iterable[Row]:
    """Add an interface; it is up at once, as if a cable was plugged in, but for ``down``.

    A VLAN is up if the link below is.
    """
    name, kind = args.required("name"), args.required("type")
    kinds = sorted({LOOPBACK, link_vlan.KIND, *ctx.links.kinds})
    if kind not in kinds:
        raise InvalidArgument(
            f'"{kind}" is not a type of link: {", ".join(kinds)}',
            hint=did_you_mean(kind, kinds, f"smolctl link add {name} type {kinds[-1]}"),
        )
    mtu = _mtu(args, loopback=kind == LOOPBACK)
    mac = None if link_mirror.has_no_address(args) else args.mac("address")
    check_interface(ctx.stack.interfaces, name, mtu or ETHERNET_MTU, mac)
    if "%" in name:  # a pattern for the kernel: tap%d is the next free number
        raise InvalidArgument(f'"{name}" is not an interface name: no "%"')
    options = link_options.read(kind, args)
    badness, arp, group = netem.read(args, Netem()), _arp(args), args.group("group")
    if kind == LOOPBACK:
        if badness is not None:
            raise InvalidArgument("a loopback cannot be impaired: no device carries its packets")
        add_interface(ctx.stack.shared, name, kind, Medium.IP, mtu or LOOPBACK_MTU, None)
    elif kind == link_vlan.KIND:
        link_vlan.add(ctx, name, args, mtu, mac)
    elif kind == MIRROR:
        link_mirror.add(ctx, name, args, mtu, mac)
    else:
        _plug_in(ctx, name, kind, {"mac": mac, "mtu": mtu, **options})
        ctx.stack.interface(name).options = args.words(link_options.WORDS.split())
    if badness is not None:
        set_impairment(ctx.stack.shared, ctx.stack.interface(name), badness)
    if arp is not None:
        set_arp(ctx.stack.shared, ctx.stack.interface(name), arp, ctx.now)
    if group is not None:
        set_group(ctx.stack.shared, ctx.stack.interface(name), group)
    if args.flag("down"):
        set_up(ctx.stack.shared, ctx.stack.interface(name), False, ctx.now)
    return []


def _plug_in(ctx: Context, name: str, kind: str, options: dict[str, Any]) -> None:
    """Open a device and add the interface that it carries, both or neither."""
    device = ctx.links.open(name, kind, options)
    try:
        shared, medium = ctx.stack.shared, Medium.ETHERNET
        interface = add_interface(shared, name, kind, medium, device.mtu, device.mac, ctx.now)
        ctx.links.attach(interface, device, ctx.now)
    except BaseException:
        if name in ctx.stack.interfaces:
            delete_interface(ctx.stack.shared, ctx.stack.interface(name), ctx.now)
        device.close(delete=True)
        raise


def _arp(args: Args) -> bool | None:
    word = args.choice("arp", ("on", "off"))
    return None if word is None else word == "on"


def _mtu(args: Args, *, loopback: bool) -> int | None:
    return args.integer("mtu", MIN_MTU, LOOPBACK_MTU if loopback else MTU_MAX)


def delete(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete an interface, and its device where that was made with it."""
    interface = ctx.stack.interface(args.required("dev"))
    delete_interface(ctx.stack.shared, interface, ctx.now)
    ctx.links.delete(interface.name)
    return []


def set_(ctx: Context, args: Args) -> Iterable[Row]:
    """Change an interface: all of what is asked, or nothing."""
    interface = ctx.stack.interface(args.required("dev"))
    state = args.choice("state", ("up", "down"))
    mtu, mac = _mtu(args, loopback=interface.loopback), args.mac("address")
    held = interface.impairment
    badness = netem.read(args, held.netem if held is not None else Netem())
    mode = args.choice("addrgenmode", ("eui64", "none", "random"))
    arp, group = _arp(args), args.group("group")
    link_mirror.check(ctx, interface, args)
    mirrored = any(word in args for word in ("carrier", "master", "nomaster"))
    if not mirrored and all(each is None for each in (state, mtu, mac, badness, mode, arp, group)):
        raise InvalidArgument(
            "link set needs something to set",
            hint=f"smolctl link set {interface.name} up|down|mtu N|address MAC|arp on|loss 10%|...",
        )
    if badness is not None and interface.loopback:
        raise InvalidArgument(
            f"{interface.name} is a loopback: no device carries its packets, nothing can be lost"
        )
    device, old_mac = ctx.links.get(interface.name), interface.mac
    if mac is not None and mac != old_mac:
        if device is not None:
            device.check_mac(mac)
        if isinstance(device, AddressedDevice):
            device.set_mac(mac)
        link_vlan.set_mac(interface, mac)
        set_mac(ctx.stack.shared, interface, mac, ctx.now)
    if mtu is not None:
        try:
            if device is not None:
                device.set_mtu(mtu)
        except BaseException:
            if interface.mac != old_mac:
                set_mac(ctx.stack.shared, interface, old_mac, ctx.now)
            raise
        set_mtu(ctx.stack.shared, interface, mtu)
    if arp is not None:
        set_arp(ctx.stack.shared, interface, arp, ctx.now)
    if group is not None:
        set_group(ctx.stack.shared, interface, group)
    if mode is not None:
        key = f"{interface.name}.ip6.addr_gen_mode"
        set_sysctl(ctx.stack.udp, key, mode, origin="command line")
    if badness is not None:
        set_impairment(ctx.stack.shared, interface, badness)
    link_mirror.set_(ctx, interface, args)
    if state is not None:
        set_up(ctx.stack.shared, interface, state == "up", ctx.now)
    return []


# --- save -----------------------------------------------------------------------------------------


def save(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield what makes the interfaces, each as it is now; ``lo`` already exists."""
    for interface in ctx.stack.interfaces.values():
        name = interface.name
        if interface is ctx.stack.interfaces.loopback:
            if interface.mtu != LOOPBACK_MTU:
                usual = {"dev": name, "mtu": str(LOOPBACK_MTU)}
                yield Saved(
                    "link.set", {"dev": name, "mtu": str(interface.mtu)}, ("link.set", usual)
                )
            if interface.group:
                group = {"dev": name, "group": str(interface.group)}
                yield Saved("link.set", group, ("link.set", {"dev": name, "group": "default"}))
            if not interface.arp:
                on = {"dev": name, "arp": "on"}
                yield Saved("link.set", {"dev": name, "arp": "off"}, ("link.set", on))
            if not interface.up:
                up = {"dev": name, "state": "up"}
                yield Saved("link.set", {"dev": name, "state": "down"}, ("link.set", up))
            continue
        yield Saved("link.add", _words(interface), ("link.del", {"dev": name}), key=f"link {name}")
    for interface in ctx.stack.interfaces.values():
        if master := _master(interface):
            told: Words = {"dev": interface.name, **master}
            gone: Words = {"dev": interface.name, "nomaster": True}
            yield Saved("link.set", told, ("link.set", gone), key=f"master of {interface.name}")


def _words(interface: Interface) -> Words:
    """Return the arguments that add an interface as it is."""
    args: Words = {"name": interface.name, "type": interface.kind, **interface.options}
    vlan = interface.vlan
    if not interface.loopback and (vlan is None or vlan.own_mac):
        args["address"] = format_mac(interface.mac)
    if interface.mirror is not None:
        args |= link_mirror.words(interface, interface.mirror)
    usual = LOOPBACK_MTU if interface.loopback else None if vlan is None else vlan.lower.mtu
    if interface.mtu != usual:
        args["mtu"] = str(interface.mtu)
    if interface.impairment is not None:
        args |= netem.words(interface.impairment.netem)
    if interface.arp is not (vlan is None or vlan.lower.arp):
        args["arp"] = "on" if interface.arp else "off"
    if interface.group:
        args["group"] = str(interface.group)
    if not interface.up and (vlan is None or vlan.lower.up):
        args["down"] = True
    return args
