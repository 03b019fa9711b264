"""VLANs of ``smolctl link``: the words that make one, and the row that shows it."""

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.stack.config.vlan import add_vlan
from smolctl.stack.interface import Interface, Vlan
from smolctl.wire.vlan import PROTOCOLS, RESERVED, Tpid

KIND = "vlan"
_TPIDS = {name.lower(): tpid for tpid, name in PROTOCOLS.items()}


def add(ctx: Context, name: str, args: Args, mtu: int | None, mac: bytes | None) -> None:
    """Add the interface of a VLAN.

    Raises:
        InvalidArgument, AlreadyExists, NoSuchDevice.
    """
    example = f"smolctl link add link eth0 name {name} type vlan id 5"
    for word, what in (("link", "link DEV, the interface below"), ("id", "id VID, its number")):
        if word not in args:
            raise InvalidArgument(f"type vlan needs {what}", hint=example)
    lower = ctx.stack.interface(args.required("link"))
    vid = args.integer("id", 0, RESERVED - 1) or 0
    protocol = args.text("protocol") or PROTOCOLS[Tpid.CUSTOMER]
    tpid = _TPIDS.get(protocol.lower())
    if tpid is None:
        known = " or ".join(PROTOCOLS.values())
        raise InvalidArgument(f'protocol "{protocol}" is not that of a VLAN tag: {known}')
    _check_mac(lower, mac)
    interface = add_vlan(ctx.stack.shared, name, Vlan(lower, tpid, vid), mtu, mac, ctx.now)
    interface.options = {"link": lower.name, "id": str(vid)}
    if tpid != Tpid.CUSTOMER:
        interface.options |= {"protocol": PROTOCOLS[tpid]}


def set_mac(interface: Interface, mac: bytes) -> None:
    """Take note that the user gives a VLAN a MAC address of its own.

    Raises:
        InvalidArgument: frames for it would not come in.
    """
    if interface.vlan is not None:
        _check_mac(interface.vlan.lower, mac)
        interface.vlan.own_mac = True


def _check_mac(lower: Interface, mac: bytes | None) -> None:
    bottom = lower
    while bottom.vlan is not None:
        bottom = bottom.vlan.lower
    alone = bottom.kind == "packet" and not bottom.options.get("promisc")
    if mac is not None and mac != bottom.mac and alone:
        raise InvalidArgument(
            f"{bottom.name} takes frames for one MAC address only, its own",
            hint=f"leave it out, or: smolctl link add {bottom.name} type packet ... promisc",
        )


def info(interface: Interface, vlan: Vlan) -> Row:
    """Return what ``ip -d`` tells of a VLAN."""
    data = {"protocol": PROTOCOLS[vlan.tpid], "id": vlan.vid, "flags": ["REORDER_HDR"]}
    return {"info_kind": interface.kind, "info_data": data}
