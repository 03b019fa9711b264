"""Addresses: text to number and back, and what an IPv4 number means.

An IP address is an ``int``; the table that holds it knows its family. A MAC address is six bytes.
The ``ipaddress`` module is not used: it accepts more than we want and costs start-up time.
"""

from typing import NamedTuple

BROADCAST_MAC = b"\xff\xff\xff\xff\xff\xff"
ZERO_MAC = b"\0\0\0\0\0\0"

_LIMITED_BROADCAST = 0xFFFFFFFF
# Looking octets up makes the parse strict by construction: no "01", "+1", " 1", other digits.
_OCTETS = {str(value): value for value in range(256)}
_HEX_OCTETS = {f"{value:02x}": value for value in range(256)}
_SHOWN_MAX = 64  # of a bad value, so that the message stays one line


class Family(NamedTuple):
    """An address family: all that a table needs to know about its addresses.

    Attributes:
        name: what ``ip -j`` prints as "family".
        bits: width of an address.
        size: width of an address in bytes.
    """

    name: str
    bits: int
    size: int


def _shown(text: str) -> str:
    """Quote a bad value on one line, however long it is."""
    return repr(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "...")


def parse_address(text: str) -> int:
    """Return the address that ``text`` spells.

    Raises:
        ValueError: it is none; the message is one line and shows the value.
    """
    parts = text.split(".")
    if len(parts) != 4:
        raise ValueError(
            f"{_shown(text)} is not an IPv4 address: four numbers are needed, as in 10.0.0.1"
        )
    value = 0
    for part in parts:
        octet = _OCTETS.get(part)
        if octet is None:
            raise ValueError(
                f"{_shown(text)} is not an IPv4 address: "
                f"{_shown(part)} is not a number from 0 to 255 without leading zeros"
            )
        value = value << 8 | octet
    return value


def format_address(address: int) -> str:
    """Return an address as people read it, in its shortest form."""
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


IPV4 = Family(name="inet", bits=32, size=4)


def parse_prefix(text: str) -> tuple[int, int | None]:
    """Split ``ADDRESS[/LENGTH]``.

    Returns:
        The address with its host bits as they were, and the prefix length, None when not given.

    Raises:
        ValueError: either part is malformed, or the length exceeds that of an address; the message
            is one line and shows the value.
    """
    address, slash, length = text.partition("/")
    value = parse_address(address)
    if not slash:
        return value, None
    # isdigit() alone accepts other scripts' digits; "08" would be read as two different things.
    if not (length.isascii() and length.isdigit()) or (length[0] == "0" and length != "0"):
        raise ValueError(f"{_shown(text)}: the prefix length {_shown(length)} is not a number")
    if len(length) > 3 or int(length) > IPV4.bits:
        raise ValueError(f"{_shown(text)}: the prefix length is not in 0..{IPV4.bits}")
    return value, int(length)


def mask(plen: int, bits: int) -> int:
    """Return the netmask of a prefix length in 0..bits, as a number of that width."""
    return (1 << bits) - (1 << (bits - plen))


def parse_mac(text: str) -> bytes:
    """Return the six bytes of a MAC address written with ``:`` or ``-`` (IEEE 802 canonical form).

    Raises:
        ValueError: anything else, also one-digit groups and mixed separators.
    """
    parts = text.split("-" if "-" in text else ":")
    octets = [octet for part in parts if (octet := _HEX_OCTETS.get(part.lower())) is not None]
    if len(parts) != 6 or len(octets) != 6:
        raise ValueError(
            f"{_shown(text)} is not a MAC address: "
            "six pairs of hex digits are needed, as in 02:00:00:00:00:0a"
        )
    return bytes(octets)


def format_mac(mac: bytes) -> str:
    """Return a MAC address as Linux prints it, lower case with colons."""
    return mac.hex(":")


def multicast_mac(group: int) -> bytes:
    """Return the Ethernet address of an IPv4 multicast group.

    Only the low 23 bits survive, so 32 groups share each address. Source: RFC 1112 6.4.
    """
    return (0x01005E000000 | group & 0x7FFFFF).to_bytes(6)


def is_multicast(address: int) -> bool:
    """Return whether an IPv4 address is in 224.0.0.0/4 (RFC 1112 4)."""
    return address >> 28 == 0xE


def is_loopback(address: int) -> bool:
    """Return whether an IPv4 address is in 127.0.0.0/8 (RFC 1122 3.2.1.3(g))."""
    return address >> 24 == 127


def is_zeronet(address: int) -> bool:
    """Return whether an IPv4 address is in 0.0.0.0/8, "this network" (RFC 1122 3.2.1.3(a), (b))."""
    return address >> 24 == 0


def is_link_local(address: int) -> bool:
    """Return whether an address is one that hosts give themselves: 169.254/16 (RFC 3927)."""
    return address >> 16 == 0xA9FE


def is_limited_broadcast(address: int) -> bool:
    """Return whether an IPv4 address is 255.255.255.255 (RFC 1122 3.2.1.3(c))."""
    return address == _LIMITED_BROADCAST


def is_class_e(address: int) -> bool:
    """Return whether an IPv4 address is in 240.0.0.0/4, limited broadcast excepted (RFC 1112 4)."""
    return address >> 28 == 0xF and address != _LIMITED_BROADCAST


def is_host(address: int) -> bool:
    """Return whether one host can have an address (RFC 1122 3.2.1.3)."""
    return not (
        is_zeronet(address)
        or is_multicast(address)
        or is_limited_broadcast(address)
        or is_class_e(address)
    )


def family_of(address: int) -> Family:
    """Return the family of an address."""
    return IPV4
