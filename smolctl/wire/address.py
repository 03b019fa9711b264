"""Addresses: text to number and back, and the meaning of a number.

An IP address is one ``int`` that says its family. An IPv4 address is its 32-bit number; an IPv6
address carries a 1 above its 128 bits (``IPV6_MARK | value``). So no number means two addresses, a
dict of both families cannot mix them, and IPv4 costs nothing. The mark comes off where bytes are
made (``packed``) and sums are taken (``checksum.pseudo_header_sum``). The address ``::`` is the
number ``IPV6_MARK``: "no address" is None, never a number that is false.

A zone (``%tap0``) stands beside an address, never in it. A MAC address is six bytes. The
``ipaddress`` module is not used: it accepts more than we want and costs start-up time.
"""

from struct import Struct
from typing import NamedTuple

BROADCAST_MAC = b"\xff\xff\xff\xff\xff\xff"
ZERO_MAC = b"\0\0\0\0\0\0"

IPV6_MARK = 1 << 128
"""Set in every IPv6 address, above its 128 bits."""
UNSPECIFIED6 = IPV6_MARK
LOOPBACK6 = IPV6_MARK | 1
ALL_NODES = IPV6_MARK | 0xFF02 << 112 | 1
"""ff02::1 (RFC 4291 2.7.1)."""
ALL_ROUTERS = IPV6_MARK | 0xFF02 << 112 | 2
"""ff02::2 (RFC 4291 2.7.1)."""

ALL_NODES_OF_INTERFACE = IPV6_MARK | 0xFF01 << 112 | 1
"""ff01::1 (RFC 4291 2.7.1)."""

DUMMY = 192 << 24 | 8
"""The IPv4 dummy address: of a router's ICMP errors if it has no address (RFC 7600 4.8)."""
_LIMITED_BROADCAST = 0xFFFFFFFF
_MAX4 = 0xFFFFFFFF
_MAPPED = (IPV6_MARK | 0xFFFF << 32) >> 32
_SOLICITED_NODE = (IPV6_MARK | 0xFF02 << 112 | 0x1FF000000) >> 24
# Looking octets up makes the parse strict by construction: no "01", "+1", " 1", other digits.
_OCTETS = {str(value): value for value in range(256)}
_DECIMALS = tuple(_OCTETS)
_HEX_OCTETS = {f"{value:02x}": value for value in range(256)}
_HEX_DIGITS = "0123456789abcdefABCDEF"
_GROUPS = Struct("!8H")
# Two groups of zeros and more, the longest run first (RFC 5952 4.2.1, 4.2.2: one is no run).
_COLONS = tuple(":" * number for number in range(9, 2, -1))
_SHOWN_MAX = 64  # of a bad value, so that the message stays one line


class Family(NamedTuple):
    """An address family: all that a table needs to know about its addresses.

    Attributes:
        name: what ``ip -j`` prints as "family".
        bits: width of an address.
        size: width of an address in bytes.
        mark: the bit above an address that says its family, 0 for IPv4.
    """

    name: str
    bits: int
    size: int
    mark: int


IPV4 = Family(name="inet", bits=32, size=4, mark=0)
IPV6 = Family(name="inet6", bits=128, size=16, mark=IPV6_MARK)


def family_of(address: int) -> Family:
    """Return the family of an address."""
    return IPV4 if address <= _MAX4 else IPV6


def _shown(text: str) -> str:
    """Quote a bad value on one line, however long it is."""
    return repr(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "...")


def parse_address(text: str, family: Family | None = None) -> int:
    """Return the address that ``text`` spells.

    Args:
        family: the one that it must have; None for either.

    Raises:
        ValueError: it is none; the message is one line and shows the value.
    Source: RFC 4291 2.2 for IPv6.
    """
    # 10.0.0.1:80 is an IPv4 address with a port, and the message shall say so.
    if family is IPV6 or (family is None and ":" in text and "." not in text.partition(":")[0]):
        return _parse6(text)
    parts = text.split(".")
    if len(parts) != 4:
        raise _not_ipv4(text, "four numbers are needed, as in 10.0.0.1")
    value = 0
    for part in parts:
        octet = _OCTETS.get(part)
        if octet is None:
            raise _not_ipv4(
                text, f"{_shown(part)} is not a number from 0 to 255 without leading zeros"
            )
        value = value << 8 | octet
    return value


def _not_ipv4(text: str, why: str) -> ValueError:
    """Return what is wrong with a word that is not an IPv4 address."""
    if _is_ipv6(text):
        return ValueError(f"{_shown(text)} is an IPv6 address, and an IPv4 address is needed")
    if _is_name(text):
        return ValueError(
            f"{_shown(text)} is not an address, such as 10.0.0.1, and names are not looked up"
        )
    return ValueError(f"{_shown(text)} is not an IPv4 address: {why}")


def _is_name(text: str) -> bool:
    """Tell whether a word may be meant as the name of a host.

    Source: RFC 1123 2.1: letters, digits, hyphens and dots, and the last label is alphabetic; RFC
    1035 2.3.4: a label has 63 characters at most.
    """
    plain = text.removesuffix(".").replace("-", "")
    labels = plain.split(".")
    fit = all(label.isalnum() and len(label) < 64 for label in labels)
    return fit and plain.isascii() and labels[-1][0].isalpha()


def _is_ipv6(text: str) -> bool:
    try:
        return ":" in text and bool(_parse6(text.partition("%")[0]))
    except ValueError:
        return False


def _is_ipv4(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(part in _OCTETS for part in parts)


def _parse6(text: str) -> int:
    before, gap, after = text.partition("::")
    if ":" not in text and _is_ipv4(text):
        raise ValueError(f"{_shown(text)} is an IPv4 address, and an IPv6 address is needed")
    try:
        if "%" in text:
            raise ValueError("an interface (%tap0) is no part of an address")
        head = _groups(before, last=not gap)
        tail = _groups(after, last=True)
        missing = 8 - len(head) - len(tail)
        if missing and not gap:
            raise ValueError("eight groups of hex digits are needed, or a :: for groups of zeros")
        if missing < 1 and gap:
            raise ValueError("there is nothing left that its :: can stand for")
    except ValueError as error:
        raise ValueError(f"{_shown(text)} is not an IPv6 address: {error}") from None
    return IPV6_MARK | int.from_bytes(_GROUPS.pack(*head, *[0] * missing, *tail))


def _groups(text: str, *, last: bool) -> list[int]:
    """Return the groups on one side of ``::``; the last two may be an IPv4 address."""
    if not text:
        return []
    words = text.split(":")
    embedded: list[int] = []
    if last and "." in words[-1]:
        number = parse_address(words.pop(), IPV4)
        embedded = [number >> 16, number & 0xFFFF]
    for word in words:
        if not 0 < len(word) <= 4 or word.strip(_HEX_DIGITS):
            raise ValueError(f"{_shown(word)} is not a group of one to four hex digits")
    return [int(word, 16) for word in words] + embedded


def split_zone(text: str) -> tuple[str, str | None]:
    """Split ``ADDRESS[%ZONE][/LENGTH]`` into text without the zone, and the zone.

    Returns:
        The text for ``parse_address`` or ``parse_prefix``, and the zone, None when not given.

    Raises:
        ValueError: nothing stands behind the ``%``; the message is one line and shows the value.
    Source: RFC 4007 11, 11.7.
    """
    address, percent, rest = text.partition("%")
    zone, slash, length = rest.partition("/")
    if percent and not zone:
        raise ValueError(f"{_shown(text)}: an interface is needed behind %, as in fe80::1%tap0")
    return address + slash + length, zone or None


def parse_zoned(text: str, family: Family | None = None) -> tuple[int, str | None]:
    """Return the address that ``ADDRESS[%ZONE]`` spells, and its zone, None when not given.

    Args:
        family: see ``parse_address``.

    Raises:
        ValueError: as ``parse_address`` and ``split_zone``; also for a zone of an address that is
            the same everywhere.
    """
    plain, zone = split_zone(text)
    address = parse_address(plain, family)
    if zone is not None and not is_scoped(address):
        raise ValueError(
            f"{_shown(text)}: only link-local addresses and groups have a zone; an interface is"
            f" chosen by dev {zone}"
        )
    return address, zone


def format_address(address: int) -> str:
    """Return an address as people read it, in its shortest form.

    Source: RFC 5952 4 and 5. Only the addresses of ``is_mapped`` end in a dotted number.
    Deviation: glibc writes ::/96, which RFC 4291 2.5.5.1 deprecates, with one too.
    """
    if address > _MAX4:
        return _format6(address)
    a, b, c, d = address.to_bytes(4)
    return f"{_DECIMALS[a]}.{_DECIMALS[b]}.{_DECIMALS[c]}.{_DECIMALS[d]}"


def format_endpoint(address: int, port: object) -> str:
    """Return an address and a port as one word: 10.0.0.2:7, [2001:db8::2]:7 (RFC 5952 6)."""
    text = format_address(address)
    return f"[{text}]:{port}" if address > _MAX4 else f"{text}:{port}"


def _format6(address: int) -> str:
    if address >> 32 == _MAPPED:
        return f"::ffff:{format_address(address & _MAX4)}"
    text = f":{address.to_bytes(17)[1:].hex(':', 2)}:"
    # Leading zeros go (RFC 5952 4.1), so that a group of zeros leaves nothing between its colons.
    text = text.replace(":000", ":").replace(":00", ":").replace(":0", ":")
    for colons in _COLONS if ":::" in text else ():
        # RFC 5952 4.2.3: of two runs that are as long, the first is shortened.
        head, found, tail = text.partition(colons)
        if found:
            return f"{_with_zeros(head)[1:]}::{_with_zeros(tail)[:-1]}"
    return text.replace("::", ":0:")[1:-1]


def _with_zeros(text: str) -> str:
    return text.replace("::", ":0:").replace("::", ":0:")


def packed(address: int) -> bytes:
    """Return an address as it stands in a header: 4 or 16 bytes."""
    return address.to_bytes(4) if address <= _MAX4 else address.to_bytes(17)[1:]


def from_packed(data: bytes) -> int:
    """Return the address that stands in a header.

    Args:
        data: 4 bytes for an IPv4 address, 16 for an IPv6 one.

    Raises:
        ValueError: it has another length.
    """
    if len(data) == 4:
        return int.from_bytes(data)
    if len(data) != 16:
        raise ValueError(f"an address has 4 or 16 bytes, not {len(data)}")
    return IPV6_MARK | int.from_bytes(data)


def parse_prefix(text: str, family: Family | None = None) -> tuple[int, int | None]:
    """Split ``ADDRESS[/LENGTH]``.

    Args:
        family: the one that it must have; None for either.

    Returns:
        The address with its host bits as they were, and the prefix length, None when not given.

    Raises:
        ValueError: either part is malformed, or the length exceeds that of an address; the message
            is one line and shows the value.
    """
    address, slash, length = text.partition("/")
    value = parse_address(address, family)
    if not slash:
        return value, None
    # isdigit() alone accepts other scripts' digits; "08" would be read as two different things.
    if not (length.isascii() and length.isdigit()) or (length[0] == "0" and length != "0"):
        raise ValueError(f"{_shown(text)}: the prefix length {_shown(length)} is not a number")
    bits = family_of(value).bits
    if len(length) > 3 or int(length) > bits:
        raise ValueError(f"{_shown(text)}: the prefix length is not in 0..{bits}")
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
    """Return the Ethernet address of a multicast group of either family.

    Of an IPv4 group only the low 23 bits survive, so 32 groups share each address; of an IPv6 group
    the low 32 bits. Source: RFC 1112 6.4; RFC 2464 7.
    """
    if group > _MAX4:
        return (0x333300000000 | group & 0xFFFFFFFF).to_bytes(6)
    return (0x01005E000000 | group & 0x7FFFFF).to_bytes(6)


# --- of either family -----------------------------------------------------------------------------


def is_multicast(address: int) -> bool:
    """Return whether an address is in 224.0.0.0/4 or ff00::/8 (RFC 1112 4; RFC 4291 2.7)."""
    # Most addresses are IPv4 and unicast: one comparison.
    if address < 0xE0000000:
        return False
    return address < 0xF0000000 or address >> 120 == 0x1FF


def is_loopback(address: int) -> bool:
    """Return whether an address is in 127/8, or ::1 (RFC 1122 3.2.1.3(g); RFC 4291 2.5.3)."""
    return address >> 24 == 127 or address == LOOPBACK6


def is_link_local(address: int) -> bool:
    """Return whether a unicast address is of its link alone.

    169.254.0.0/16, which hosts give themselves (RFC 3927), and fe80::/10 (RFC 4291 2.5.6).
    """
    return address >> 16 == 0xA9FE or address >> 118 == 0x7FA


def is_unspecified(address: int) -> bool:
    """Return whether an address is 0.0.0.0 or :: (RFC 1122 3.2.1.3(a); RFC 4291 2.5.2)."""
    return address == 0 or address == UNSPECIFIED6


# --- of IPv4: no IPv6 address is any of these -----------------------------------------------------


def is_zeronet(address: int) -> bool:
    """Return whether an IPv4 address is in 0.0.0.0/8, "this network" (RFC 1122 3.2.1.3(a), (b))."""
    return address >> 24 == 0


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


# --- of IPv6: no IPv4 address is any of these -----------------------------------------------------


def is_mapped(address: int) -> bool:
    """Return whether an IPv6 address stands for an IPv4 one: ::ffff:0:0/96 (RFC 4291 2.5.5.2)."""
    return address >> 32 == _MAPPED


def mapped(address: int) -> int:
    """Return the IPv6 address that stands for an IPv4 one (RFC 4291 2.5.5.2)."""
    return _MAPPED << 32 | address


def unmapped(address: int) -> int:
    """Return the IPv4 address that an address of ``is_mapped`` stands for."""
    return address & _MAX4


def is_solicited_node(address: int) -> bool:
    """Return whether an address is in ff02::1:ff00:0/104 (RFC 4291 2.7.1)."""
    return address >> 24 == _SOLICITED_NODE


def solicited_node(address: int) -> int:
    """Return the group that is asked for an IPv6 address by neighbor solicitation (RFC 4291 2.7.1).

    It is ff02::1:ff00:0 with the last 24 bits of the address.
    """
    return _SOLICITED_NODE << 24 | address & 0xFFFFFF


def multicast_scope(group: int) -> int:
    """Return the scope of an IPv6 group, 0..15 (RFC 4291 2.7; RFC 7346 2).

    1 is the interface, 2 the link, 3 the realm, 4 administrative, 5 the site, 8 the organization,
    14 global; 0 and 15 are reserved.
    """
    return group >> 112 & 15


def is_scoped(address: int) -> bool:
    """Return whether an IPv6 address means something on one link alone, and needs its zone.

    These are link-local addresses, and groups of the interface and the link.
    Source: RFC 4007 5; RFC 4291 2.7; Linux ``__ipv6_addr_needs_scope_id``.
    """
    if address >> 118 == 0x7FA:
        return True
    return address >> 120 == 0x1FF and multicast_scope(address) in (1, 2)


def is_unique_local(address: int) -> bool:
    """Return whether an address is in fc00::/7 (RFC 4193 3.1)."""
    return address >> 121 == 0xFE


def interface_id(mac: bytes) -> int:
    """Return the 64-bit interface identifier that a MAC address gives (modified EUI-64).

    Source: RFC 4291 appendix A; RFC 2464 4. The bit for "universal" is inverted.
    """
    return int.from_bytes(mac[:3] + b"\xff\xfe" + mac[3:]) ^ 0x02 << 56


def link_local(identifier: int) -> int:
    """Return the link-local address with a 64-bit interface identifier (RFC 4291 2.5.6)."""
    return IPV6_MARK | 0xFE80 << 112 | identifier
