"""Links of a twin: interfaces without devices, as the host has them."""

from smolctl.host import links
from smolctl.host.links import Link
from smolctl.host.reading import HostState
from smolctl.host.twin.notes import Note, Notes
from smolctl.stack.interface import LOOPBACK_NAME, Interface, Interfaces, Medium, Vlan
from smolctl.wire.address import ZERO_MAC

KIND = "mirror"
_MAC_LEN = 6


def add(interfaces: Interfaces, state: HostState, notes: Notes) -> None:
    """Add all links, and tie VLANs to the links below them."""
    there: dict[int, Interface] = {}
    for link in state.links:
        there[link.ifindex] = _add(interfaces, link)
        _note(state, link, notes)
    if LOOPBACK_NAME in interfaces and interfaces.loopback not in there.values():
        interfaces.loopback.up = False
    for link in state.links:
        _tie(there, link, notes)
    interfaces.last_index = max([interfaces.last_index, *there])


def _add(interfaces: Interfaces, link: Link) -> Interface:
    if link.flags & links.LOOPBACK and interfaces.loopback.name == link.name:
        made = interfaces.loopback
    else:
        mac = link.mac if len(link.mac) == _MAC_LEN else ZERO_MAC
        made = interfaces.create(link.name, KIND, Medium.ETHERNET, link.mtu, mac)
    made.index, made.mtu = link.ifindex, link.mtu
    made.up = bool(link.flags & links.UP)
    # Of a link that is down, the kernel does not know it.
    made.carrier = link.carrier or not made.up
    return made


def _tie(there: dict[int, Interface], link: Link, notes: Notes) -> None:
    """Put a VLAN on the link below it."""
    if link.vlan is None:
        return
    lower = None if link.lower_netns is not None else there.get(link.lower)
    if lower is None or lower.loopback or lower.name == link.name:
        text = f"{link.name} is a VLAN of a link that is in another namespace"
        notes.take(Note("link", text, link.name))
        return
    vid, tpid = link.vlan
    upper = there[link.ifindex]
    upper.vlan = Vlan(lower, tpid, vid, own_mac=upper.mac != lower.mac)
    lower.vlans[tpid, vid] = upper


def _note(state: HostState, link: Link, notes: Notes) -> None:
    """Take notes on what a link does, and its twin does not."""
    name = link.name

    def note(text: str) -> None:
        notes.take(Note("link", text, name))

    if link.flags & links.LOOPBACK:
        return
    if link.type != links.ETHER:
        note(f"{name} has no Ethernet (type {link.type})")
    elif link.flags & links.NOARP:
        note(f"{name} has no ARP")
    if link.port_kind:
        note(f"{name} is a port of {state.name_of(link.master)} ({link.port_kind})")
    if link.kind == "vrf":
        note(f"{name} is a VRF")
    if link.unknown:
        note(f"{name}: attributes {', '.join(map(str, link.unknown))}")
