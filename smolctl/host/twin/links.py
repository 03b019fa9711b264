"""Links of a twin: interfaces without devices, as the host has them."""

from collections.abc import Iterator, Mapping

from smolctl.host import links
from smolctl.host.links import Link
from smolctl.host.reading import HostState
from smolctl.host.twin.notes import Note, Notes
from smolctl.stack.config.mirror import KIND
from smolctl.stack.interface import Interface, Interfaces, Medium, Mirror, Vlan
from smolctl.wire.address import ZERO_MAC
from smolctl.wire.ipv4 import MIN_MTU
from smolctl.wire.vlan import PROTOCOLS

MAC_LEN = 6
"""Bytes of a link address that the stack can have."""
BRIDGING = frozenset({"bridge", "bond", "team"})
"""Kinds of masters that get the frames of their ports."""
_VETH, _NO_VLAN = "veth", 4095
_ADDRESSED = frozenset({links.ETHER, 24, 27, 32, 801, 802, 803, 825})
"""Types of links whose neighbors have link addresses (ARPHRD_*): Ethernet, IEEE 1394, EUI-64,
InfiniBand, IEEE 802.11, 6LoWPAN."""


def add(interfaces: Interfaces, state: HostState, notes: Notes) -> None:
    """Add all links, and tie those to each other that are on, or ports of, others."""
    there: dict[int, Interface] = {}
    for link in state.links:
        there[link.ifindex] = _add(interfaces, link)
    if interfaces.loopback not in there.values():
        interfaces.loopback.up = False
    for link in state.links:
        _tie(there, link)
        for text in _lacking(state, link):
            notes.take(Note("link", text, link.name))
    interfaces.last_index = max([interfaces.last_index, *there])


def _add(interfaces: Interfaces, link: Link) -> Interface:
    if link.flags & links.LOOPBACK and link.name == interfaces.loopback.name:
        made = interfaces.loopback
    else:
        mac = link.mac[-MAC_LEN:] if len(link.mac) >= MAC_LEN else ZERO_MAC
        medium = Medium.ETHERNET if link.type in _ADDRESSED else Medium.NONE
        made = interfaces.create(link.name, KIND, medium, MIN_MTU, mac)
        made.mirror = Mirror(_kind(link), link.ifindex)
    made.index, made.mtu = link.ifindex, max(link.mtu, MIN_MTU)
    made.group = link.group
    made.mtu_in = link.kind == _VETH  # Linux __dev_forward_skb
    made.up, made.arp = bool(link.flags & links.UP), not link.flags & links.NOARP
    # Of a link that is down, the kernel does not know it.
    made.carrier = link.carrier or not made.up
    return made


def _kind(link: Link) -> str:
    """Return the kind of a link as it is told; of a TUN that is a TAP, that."""
    return link.tun or link.kind


def _tie(there: Mapping[int, Interface], link: Link) -> None:
    """Tie a link to the one below it, and to the one of which it is a port."""
    made = there[link.ifindex]
    lower = None if link.lower_netns is not None else there.get(link.lower)
    if lower is made:
        lower = None
    vid, tpid = link.vlan or (_NO_VLAN, 0)
    if vid < _NO_VLAN and tpid in PROTOCOLS and lower is not None and _can_have_vlans(lower, made):
        made.vlan = Vlan(lower, tpid, vid, own_mac=made.mac != lower.mac)
        lower.vlans[tpid, vid] = made
        made.mirror = None
    if made.mirror is None:
        return
    if link.kind != _VETH:
        made.mirror.lower = lower
    master = there.get(link.master)
    if link.port_kind in BRIDGING and master is not None and _is_above(master, made):
        made.mirror.master = master


def _can_have_vlans(lower: Interface, upper: Interface) -> bool:
    return lower.medium is Medium.ETHERNET and _is_above(lower, upper)


def _is_above(above: Interface, below: Interface) -> bool:
    """Tell whether an interface can be above another one: no chain of them may be a circle."""
    if above.loopback or Medium.NONE in (above.medium, below.medium):
        return False
    each: Interface | None = above
    while each is not None:
        if each is below:
            return False
        if each.vlan is not None:
            each = each.vlan.lower
        else:
            each = None if each.mirror is None else each.mirror.master
    return True


# --- notes ----------------------------------------------------------------------------------------


def _lacking(state: HostState, link: Link) -> Iterator[str]:
    """Yield what decides about a link's packets, and is not in its twin."""
    name = link.name
    if link.flags & links.LOOPBACK:
        if name != "lo":
            yield f"{name} is a loopback beside lo"
        return
    master = state.name_of(link.master)
    if link.port_kind == "vrf" or link.kind == "vrf":
        vrf = name if link.kind == "vrf" else master
        yield f"{name} is in the VRF {vrf}, whose table is asked first"
    elif link.port_kind and link.port_kind not in BRIDGING:
        yield f"{name} is a port of {master} ({link.port_kind}), which gets its frames"
    if link.port_kind == "bridge" and link.flags & links.UP and not link.forwards:
        yield f"{name} is blocked by the spanning tree of {master}: no frame gets through"
    if link.vlan is not None and link.lower_netns is not None:
        yield f"{name} is a VLAN of a link in another namespace"
    if link.bridge_vlans:
        yield f"{name} is a bridge that looks at VLAN tags: which VLAN its ports are in"
    if len(link.mac) > MAC_LEN and link.type in _ADDRESSED:
        yield f"{name}: of link addresses of {len(link.mac)} bytes, the last 6 are looked at"
    if link.mtu < MIN_MTU:
        yield f"{name} has an MTU of {link.mtu}, and carries no IP"
    if link.proto_down:
        yield f"{name} is held down by a protocol"
    if link.unknown:
        yield f"{name}: attributes {', '.join(map(str, link.unknown))}"
