"""Tunnels: the outer packet in which one leaves that is handed to a stacked link.

Source: Linux include/uapi/linux/if_link.h, if_tunnel.h.
"""

from typing import Any, NamedTuple

from smolctl.host.links import Link
from smolctl.host.reading import HostState
from smolctl.host.values import address, number
from smolctl.wire.address import format_address, is_unspecified

_IPV4_LEN, _IPV6_LEN, _UDP_LEN, _ICMP_LEN, _ETHERNET_LEN = 20, 40, 8, 8, 14


class Tunnel(NamedTuple):
    """Attributes of one kind of link, by their number, and what it puts in front of a packet.

    Attributes:
        lower, local, remote: interface and addresses.
        local6, remote6: the same of IPv6, where they have numbers of their own.
        port: of UDP; 0 where the packet has no ports.
        usual_port: where none is told.
        more: bytes between the outer IP header (of UDP, its header) and the packet.
    """

    lower: int
    local: int
    remote: int
    local6: int = 0
    remote6: int = 0
    port: int = 0
    usual_port: int = 0
    more: int = 0


_IPIP, _GRE = Tunnel(1, 2, 3), Tunnel(1, 6, 7, more=4)
_GRETAP = _GRE._replace(more=4 + _ETHERNET_LEN)
TUNNELS: dict[str, Tunnel | None] = {
    "ipip": _IPIP, "sit": _IPIP, "ip6tnl": _IPIP,
    "gre": _GRE, "ip6gre": _GRE, "gretap": _GRETAP, "ip6gretap": _GRETAP,
    "vxlan": Tunnel(3, 4, 2, 17, 16, 15, 8472, 8 + _ETHERNET_LEN),
    "geneve": Tunnel(0, 0, 2, 0, 7, 5, 6081, 8 + _ETHERNET_LEN),
    "wireguard": None, "vti": None, "vti6": None, "xfrm": None, "erspan": None, "ip6erspan": None,
    "bareudp": None, "gtp": None, "amt": None, "macsec": None,
}  # fmt: skip
"""Kinds of links that put packets into others; None where nothing tells into which."""
_ENDPOINTS = {
    "wireguard": "wg show {name}", "vxlan": "bridge fdb show dev {name}",
    "macsec": "ip macsec show {name}",
}  # fmt: skip


def hidden_in(state: HostState, link: Link, packet_len: int) -> dict[str, Any] | None:
    """Return the question about the outer packet, in the words of ``why``; None if it is not known.

    A packet of a protocol without ports is asked about as an echo request of the same length.

    Args:
        link: of a kind in ``TUNNELS``.
        packet_len: bytes of the IP packet that is put into it.
    """
    how = TUNNELS[link.kind]
    if how is None:
        return None
    local = _address(link, how.local, how.local6)
    remote = _address(link, how.remote, how.remote6)
    if remote is None:
        return None
    words: dict[str, Any] = {"dst": format_address(remote)}
    if local is not None:
        words["src"] = format_address(local)
    if how.usual_port:
        port = int.from_bytes(link.data.get(how.port, b"")) or how.usual_port
        words |= {"proto": "udp", "dport": port, "size": packet_len + how.more}
    else:
        words |= {"proto": "icmp", "size": max(packet_len + how.more - _ICMP_LEN, 0)}
    lower = number(link.data, how.lower) if how.lower else 0
    if lower:
        words["dev"] = state.name_of(lower)
    return words


def _address(link: Link, kind: int, kind6: int) -> int | None:
    """Return an address of a tunnel; None where it has none."""
    for each in (kind, kind6):
        found = address(link.data.get(each)) if each else None
        if found is not None and not is_unspecified(found):
            return found
    return None


def endpoint_command(link: Link, inside: str) -> str:
    """Return the command that tells where a tunnel leads, whose configuration does not."""
    text = _ENDPOINTS.get(link.kind, "ip -d link show {name}")
    return inside + text.format(name=link.name)
