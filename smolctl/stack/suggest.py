"""What would help: the address, gateway or interface that a fix names.

A fix is a command that can be run as it is, so that what it names must be right in this stack at
this moment. Where nothing plausible is known the answer is None, and the fix is left out.
"""

from typing import TYPE_CHECKING

from smolctl.stack.interface import Interface
from smolctl.stack.neighbor_state import VALID
from smolctl.wire import addr

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

_SHOWN_MAX = 4
"""Addresses that one line names."""
_USUAL = 24
"""Prefix length of most links, for one whose network nobody has said."""


def networks(interface: Interface) -> str:
    """Return the addresses of an interface with their prefix lengths; "no address" for none."""
    items = interface.addresses.items
    shown = [f"{addr.IPV4.format(item.local)}/{item.plen}" for item in items[:_SHOWN_MAX]]
    return ", ".join(shown + ["..."] * (len(items) > _SHOWN_MAX)) or "no address"


def address(interface: Interface, ip: int, peer: int = 0) -> dict[str, object]:
    """Return ``plen`` with which ``ip`` would be an address of ``interface``; {} if it cannot be.

    Args:
        peer: who wants to reach it: for an interface whose networks do not hold it, the network
            should hold both.
    """
    if not _is_host(ip) or addr.is_loopback(ip) != interface.loopback:
        return {}
    for item in interface.addresses.items:
        if ip >> 32 - item.plen == item.local >> 32 - item.plen:
            return {"plen": item.plen if _within(ip, item.plen) else 32}
    plen = 32 if interface.loopback else _USUAL
    if peer:
        plen = min(plen, 32 - (ip ^ peer).bit_length())
    return {"plen": plen if plen >= 8 and _within(ip, plen) else 32}


def owner(stack: "Stack", ip: int) -> dict[str, object]:
    """Return ``out`` and ``plen``: the interface that ``ip`` would belong to, if it were ours."""
    if not _is_host(ip):
        return {}
    wires = [wire for wire in stack.interfaces.values() if not wire.loopback]
    for interface in wires:
        for item in interface.addresses.items:
            if ip >> 32 - item.plen == item.local >> 32 - item.plen:
                return {"out": interface.name, **address(interface, ip)}
    return {"out": stack.loopback.name, "plen": 32}


def neighbor_of(interface: Interface, peer: int) -> dict[str, object]:
    """Return ``suggest`` and ``plen``: an address by which ``interface`` could reach ``peer``.

    The last host address of the usual network, which is least likely to be somebody's already.
    """
    if not _is_host(peer) or addr.is_loopback(peer) != interface.loopback:
        return {}
    last = peer & ~0xFF | 0xFE
    return {"suggest": addr.IPV4.format(last if last != peer else last - 1), "plen": _USUAL}


def gateway(stack: "Stack") -> str | None:
    """Return who may be the router of a link that is up: a neighbor that answers, else the first.

    Routers have the first address of their network more often than any other.
    """
    for interface in stack.interfaces.values():
        if interface.loopback or not interface.up:
            continue
        for item in interface.addresses.items:
            if item.plen > 30:
                continue
            first = item.network(32) + 1
            first += first == item.local
            known = [
                entry.ip
                for entry in stack.neighbors[interface.name]
                if entry.state in VALID and entry.ip >> 32 - item.plen == first >> 32 - item.plen
            ]
            return addr.IPV4.format(first if first in known or not known else known[0])
    return None


def no_route(stack: "Stack", dst: int) -> dict[str, object]:
    """Return ``gateway`` by which ``dst`` may be reached, or else ``own``: make it ours."""
    router = gateway(stack)
    if router is not None:
        return {"gateway": router}
    return {"own": addr.IPV4.format(dst)} if _is_host(dst) else {}


def room(capacity: int, limit: int = 1_000_000) -> dict[str, object]:
    """Return ``value``: twice the capacity, {} when that is more than the knob allows."""
    value = max(2 * capacity, 8)
    return {"value": value} if value <= limit else {}


def _is_host(ip: int) -> bool:
    """Tell whether one host can have this address (as ``configure.check_address``)."""
    return not (
        addr.is_zeronet(ip)
        or addr.is_multicast(ip)
        or addr.is_limited_broadcast(ip)
        or addr.is_class_e(ip)
    )


def _within(ip: int, plen: int) -> bool:
    """Tell whether an address is a host's in a network of that length, not the network's own."""
    host = ip & (1 << 32 - plen) - 1
    return plen > 30 or 0 < host < (1 << 32 - plen) - 1
