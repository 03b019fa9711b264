"""Details that name what a reason has recorded as a number: an owner, a protocol, a field."""

from collections.abc import Callable, Mapping
from typing import Any

from smolctl.stack import reason
from smolctl.stack.explain import names
from smolctl.stack.explain.silence import dad_unheard, host_silence, silence
from smolctl.stack.ip.network import Network
from smolctl.stack.reason import Reason
from smolctl.wire import ipv4
from smolctl.wire.address import IPV6, format_address

Values = Mapping[str, Any]
More = dict[str, object]


def broadcast_owner(net: Network, values: Values) -> More:
    """Return ``owner``, which address of ours makes ``ip`` a broadcast address."""
    if values["cause"] != "broadcast":
        return {}
    ip = values["ip"]
    for interface in net.interfaces.values():
        for item in net.of(interface).addresses.items:
            if ip in (item.broadcast, item.network(32) | (1 << 32 - item.plen) - 1):
                return {"owner": f"our {format_address(item.local)}/{item.plen}"}
    return {"owner": "a route of ours"}


def _ethertype(_net: Network, values: Values) -> More:
    if values["cause"] == "length":
        llc = values["_llc"]
        known = names.SAPS.get(llc[0]) if llc else None
        return {"name": known or f"LLC {llc.hex()}"}
    return {"name": names.ETHERTYPES.get(values["_number"], names.UNKNOWN)}


def _arp_format(_net: Network, values: Values) -> More:
    table = names.HARDWARE if values["cause"] == "htype" else names.ETHERTYPES
    name = table.get(values[values["cause"]], names.UNKNOWN)
    return {"name": name, "ptype": f"0x{values['ptype']:04x}"}


def _named(table: Mapping[int, str], key: str) -> Callable[[Network, Values], More]:
    return lambda _net, values: {"name": table.get(values[key], names.UNKNOWN)}


def _pointed_at(net: Network, values: Values) -> More:
    """Return ``field``, what of an IP header a parameter problem points at (RFC 791 3.1)."""
    pointer = values.get("pointer")
    if pointer is None:
        return {}
    if net.family is IPV6:
        return {"field": next(name for first, name in _FIELDS6 if pointer >= first)}
    if pointer >= ipv4.MIN_HEADER_LEN:
        return {"field": "in the options"}
    return {"field": next(name for first, name in _FIELDS if pointer >= first)}


_FIELDS = (
    (16, "the destination"),
    (12, "the source"),
    (10, "the header checksum"),
    (9, "the protocol"),
    (8, "the time to live"),
    (6, "the flags and fragment offset"),
    (4, "the ident"),
    (2, "the total length"),
    (1, "the type of service"),
    (0, "the version or header length"),
)
"""By their first byte, the last one first."""
_FIELDS6 = (
    (40, "in the headers behind that of IPv6"),
    (24, "the destination"),
    (8, "the source"),
    (7, "the hop limit"),
    (6, "the next header"),
    (4, "the payload length"),
    (0, "the version, traffic class or flow label"),
)
"""The same of an IPv6 header (RFC 8200 3)."""


DETAILS: dict[Reason, Callable[[Network, Values], More]] = {
    reason.ARP_NO_REPLY: silence,
    reason.ND_NO_REPLY: silence,
    reason.ICMP_HOPS_SILENT: silence,
    reason.ICMP_NO_REPLY: host_silence,
    reason.UDP_NO_REPLY: host_silence,
    reason.TCP_NO_ANSWER: host_silence,
    reason.ARP_DAD_UNHEARD: dad_unheard,
    reason.ARP_SENDER_INVALID: broadcast_owner,
    reason.IP_SRC_INVALID: broadcast_owner,
    reason.RX_ETHERTYPE_UNKNOWN: _ethertype,
    reason.ARP_BAD_FORMAT: _arp_format,
    reason.ARP_BAD_OP: _named(names.ARP_OPERATIONS, "opcode"),
    reason.IP_PROTO_UNKNOWN: _named(names.PROTOCOLS, "protocol"),
    reason.ICMP_PARAMETER_PROBLEM: _pointed_at,
    reason.ICMP_TYPE_UNKNOWN: _named(names.ICMP_TYPES, "type"),
}
"""Functions that find the details of a reason; ``suggest`` asks."""
