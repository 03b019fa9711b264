"""Values of netlink attributes: numbers, texts and addresses; no bytes raise."""

import sys
from collections.abc import Iterable

from smolctl.device.netlink import Attributes, NetlinkError
from smolctl.wire.address import IPV6_MARK

AF_INET, AF_INET6 = 2, 10
FAMILIES = (AF_INET, AF_INET6)
"""Linux's numbers of address families: those that we read."""


def number(found: Attributes, kind: int, otherwise: int = 0) -> int:
    """Return an unsigned number in the machine's byte order; ``otherwise`` if it is not told."""
    value = found.get(kind)
    return otherwise if value is None else int.from_bytes(value, sys.byteorder)


def optional(found: Attributes, kind: int) -> int | None:
    """Return an unsigned number in the machine's byte order; None if it is not told."""
    value = found.get(kind)
    return None if value is None else int.from_bytes(value, sys.byteorder)


def text(value: bytes | None) -> str:
    r"""Return a text, which the kernel ends with a zero byte; "" for None.

    Names of links may be any bytes but "/": what is not UTF-8 is shown as ``\xff``.
    """
    return (value or b"").partition(b"\0")[0].decode(errors="backslashreplace")


def address(value: bytes | None) -> int | None:
    """Return an address that says its family (``wire/address.py``); None for anything else."""
    if value is None:
        return None
    if len(value) == 4:
        return int.from_bytes(value)
    return IPV6_MARK | int.from_bytes(value) if len(value) == 16 else None


def unspecified(family: int) -> int:
    """Return 0.0.0.0 or ``::``: the kernel tells of no address where that is meant."""
    return IPV6_MARK if family == AF_INET6 else 0


def of_family(value: bytes | None, family: int) -> int:
    """Return an address; 0.0.0.0 or ``::`` where none is told."""
    found = address(value)
    return unspecified(family) if found is None else found


def unknown(found: Iterable[int], known: frozenset[int]) -> tuple[int, ...]:
    """Return the types of attributes that are not among those known, ascending."""
    return tuple(sorted(set(found) - known))


def check_length(data: bytes, least: int, what: str) -> None:
    """Check that a message holds its header.

    Args:
        least: length of the header, bytes.
        what: it is, with its article.

    Raises:
        NetlinkError: it is shorter.
    """
    if len(data) < least:
        raise NetlinkError(f"a message of {len(data)} bytes cannot be {what}")
