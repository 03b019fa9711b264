"""Extension headers of IPv6 (RFC 8200 4): found, checked, and made.

``walk`` is for the packet's destination: it follows the chain in its order, with all checks and
with bounds. ``upper_layer`` is for everybody else: it takes whatever is there, and checks nothing.
All offsets count from the start of the packet, as the pointer of a parameter problem does
(RFC 4443 3.4).
"""

from collections.abc import Iterable, Mapping
from struct import Struct
from typing import NamedTuple

from smolctl.wire.fault import Fault6, WireFault
from smolctl.wire.ipv6 import HEADER_LEN, MAX_PAYLOAD_LEN, Ipv6Header, NextHeader

FRAGMENT_LEN = 8
PAD1, PADN, ROUTER_ALERT, JUMBO = 0, 1, 5, 0xC2
"""Options. Source: RFC 8200 4.2, RFC 2711, RFC 2675; IANA "Destination Options and Hop-by-Hop"."""
ALERT_MLD = 0
"""Subject of a router alert: multicast listener discovery (RFC 2711 2.1)."""
_PADDING_MAX = 7
"""Bytes in a row: more never help to align (RFC 4942 2.1.9.5; Linux ``ip6_parse_tlv``)."""

_FRAGMENT = Struct("!BBHI")
_HOP_BY_HOP, _DESTINATION = NextHeader.HOP_BY_HOP.value, NextHeader.DESTINATION.value
_ROUTING, _FRAGMENTED = NextHeader.ROUTING.value, NextHeader.FRAGMENT.value
_AUTHENTICATION = NextHeader.AUTHENTICATION.value
# Their shapes are known, so that a look for the upper layer can step over them (RFC 7045 2).
_SKIPPED = frozenset({
    _HOP_BY_HOP, _DESTINATION, _ROUTING, _FRAGMENTED, _AUTHENTICATION, NextHeader.MOBILITY,
    NextHeader.HIP, NextHeader.SHIM6,
})  # fmt: skip
UPPER_LEN: Mapping[int, int] = {
    NextHeader.TCP: 20,
    NextHeader.UDP: 8,
    NextHeader.ICMPV6: 8,
    NextHeader.NONE: 0,
}
"""Bytes of an upper layer that a first fragment must have; of any other, 1.

Source: RFC 7112 5; Linux ``ipv6frag_thdr_truncated``.
"""
PROBLEMS: Mapping[str, int] = {
    Fault6.IP6_HOP_BY_HOP_LATE: 1,
    Fault6.IP6_OPTION_UNKNOWN: 2,
    Fault6.IP6_ROUTING_TYPE: 0,
    Fault6.IP6_JUMBO: 0,
    Fault6.FRAG6_BAD_LENGTH: 0,
    Fault6.FRAG6_TOO_BIG: 0,
    Fault6.FRAG6_HEADERS_MISSING: 3,
}
"""Faults that are answered by a parameter problem, and its code (RFC 4443 3.4, RFC 7112 5).

The fault's ``offset`` is the pointer. All other faults are silent. An unknown option whose
``action`` is 3 is not answered when the packet went to a group (RFC 8200 4.2).
"""


class Limits(NamedTuple):
    """Work that a packet may ask for.

    Attributes:
        hop_by_hop: options in a hop-by-hop header, padding excepted (RFC 8504 5.3).
        destination: options in each destination options header, padding excepted.
        headers: extension headers in a packet.
    """

    hop_by_hop: int = 8
    destination: int = 8
    headers: int = 16


DEFAULT_LIMITS = Limits()
"""The options as in Linux (IP6_DEFAULT_MAX_HBH_OPTS_CNT), which does not bound the headers."""


class ExtHeader(NamedTuple):
    """An extension header that was passed.

    Attributes:
        type: see ``NextHeader``.
        offset: of its first byte.
        length: bytes, a multiple of 8.
    """

    type: int
    offset: int
    length: int


class Option(NamedTuple):
    """An option of a hop-by-hop or destination options header; padding is none.

    Attributes:
        type: 0..255.
        offset: of its type.
        data: 0..255 bytes.
    """

    type: int
    offset: int
    data: bytes

    @property
    def action(self) -> int:
        """The action of a node that does not know it (RFC 8200 4.2).

        0: skip it. 1: drop the packet. 2: drop it and send a parameter problem. 3: likewise, but
        send nothing when the packet went to a group.
        """
        return self.type >> 6


class Fragment(NamedTuple):
    """A fragment header (RFC 8200 4.5).

    Attributes:
        next_header: of what was cut.
        fragment_offset: bytes, a multiple of 8.
        mf: more fragments.
        ident: 0..0xFFFFFFFF.
    """

    next_header: int
    fragment_offset: int
    mf: bool
    ident: int

    @property
    def atomic(self) -> bool:
        """Whether it is a whole packet, which no other has anything to do with (RFC 6946)."""
        return self.fragment_offset == 0 and not self.mf

    def to_bytes(self) -> bytes:
        """Return the 8 bytes."""
        return _FRAGMENT.pack(self.next_header, 0, self.fragment_offset | self.mf, self.ident)


class Routing(NamedTuple):
    """A routing header (RFC 8200 4.4).

    Attributes:
        next_header: 0..255.
        type: 0..255; 0 is deprecated (RFC 5095).
        segments_left: 0..255.
        data: what its type says, 4 bytes more than a multiple of 8.
    """

    next_header: int
    type: int
    segments_left: int
    data: bytes

    def to_bytes(self) -> bytes:
        """Return the header, its data padded with zeros."""
        data = self.data + bytes((4 - len(self.data)) % 8)
        units = (len(data) - 4) // 8
        return bytes((self.next_header, units, self.type, self.segments_left)) + data


class Chain(NamedTuple):
    """The extension headers of a packet.

    Attributes:
        protocol: what follows them.
        offset: where that begins.
        end: where the payload ends; behind it is Ethernet's padding.
        named_at: of the next header field that names the protocol, for a parameter problem of
            code 1.
        headers: those that were passed, in their order.
        fragment: the last of them, when the packet is a piece of another: what follows is data of
            that one, and belongs to it alone when its ``fragment_offset`` is not 0.
        alert: value of the router alert option, None without one (RFC 2711 2.1).
    """

    protocol: int
    offset: int
    end: int
    named_at: int
    headers: tuple[ExtHeader, ...] = ()
    fragment: Fragment | None = None
    alert: int | None = None

    @property
    def has_fragment_header(self) -> bool:
        """Whether there is a fragment header, be it an atomic one (RFC 6980 5)."""
        return any(header.type == _FRAGMENTED for header in self.headers)


def walk(packet: bytes, header: Ipv6Header, limits: Limits = DEFAULT_LIMITS) -> Chain | WireFault:
    """Follow the extension headers of a packet that has reached its destination.

    The walk ends at an upper layer, or behind a fragment header that is not atomic: the rest can
    be read when the packet is whole again. Authentication, mobility and other headers that this
    stack does not speak count as upper layers, for the caller to refuse.

    Args:
        packet: from its IPv6 header on.
        header: its fixed header.

    Faults: ip6-exthdr-truncated, ip6-hop-by-hop-late, ip6-routing-type, ip6-jumbo, ip6-option-*,
    ip6-padding, frag6-bad-length, frag6-too-big, frag6-headers-missing.
    Source: RFC 8200 4.
    """
    protocol, at, named_at, alert = header.next_header, HEADER_LEN, 6, None
    end = HEADER_LEN + header.payload_length
    if end == HEADER_LEN and protocol == _HOP_BY_HOP:
        end = len(packet)  # The length may stand in a jumbo payload option (RFC 2675 3).
    passed: list[ExtHeader] = []
    while protocol in (_HOP_BY_HOP, _DESTINATION, _ROUTING, _FRAGMENTED):
        if protocol == _HOP_BY_HOP and passed:
            # RFC 8200 4.1: anywhere but behind the fixed header, 0 is no next header at all.
            return WireFault(Fault6.IP6_HOP_BY_HOP_LATE, named_at, {"number": len(passed)})
        if at + 8 > end:
            return _truncated(at, end)
        if len(passed) == limits.headers:
            return _too_many(at, limits.headers, "extension headers")
        length = 8 if protocol == _FRAGMENTED else (packet[at + 1] + 1) * 8
        if at + length > end:
            return _truncated(at, end)
        passed.append(ExtHeader(protocol, at, length))
        if protocol == _FRAGMENTED:
            fragment = _parse_fragment(packet, at)
            if not fragment.atomic:
                fault = _check_fragment(packet, at, end, fragment, limits.headers)
                place = (fragment.next_header, at + FRAGMENT_LEN, end, at)
                return fault or Chain(*place, tuple(passed), fragment, alert)
        elif protocol == _ROUTING:
            # RFC 8200 4.4; type 0 is like an unknown one (RFC 5095 3). None is known.
            if packet[at + 3]:
                return WireFault(Fault6.IP6_ROUTING_TYPE, at + 2, {"number": packet[at + 2]})
        else:
            found = _check_options(packet, passed[-1], header, limits)
            if isinstance(found, WireFault):
                return found
            alert = found if protocol == _HOP_BY_HOP else alert
        protocol, named_at, at = packet[at], at, at + length
    return Chain(protocol, at, end, named_at, tuple(passed), None, alert)


def hop_by_hop(packet: bytes, header: Ipv6Header, limits: Limits) -> WireFault | None:
    """Return what is wrong with the hop-by-hop header of a packet on its way; None for nothing.

    Args:
        packet: from its IPv6 header on, which names such a header.

    Faults: ip6-exthdr-truncated, ip6-option-*, ip6-padding, ip6-jumbo. Source: RFC 8200 4.3.
    """
    end = (
        min(HEADER_LEN + header.payload_length, len(packet))
        if header.payload_length
        else (len(packet))
    )
    if end < HEADER_LEN + 8 or HEADER_LEN + (length := (packet[HEADER_LEN + 1] + 1) * 8) > end:
        return _truncated(HEADER_LEN, end)
    found = _check_options(packet, ExtHeader(_HOP_BY_HOP, HEADER_LEN, length), header, limits)
    return found if isinstance(found, WireFault) else None


def _check_options(
    packet: bytes, header: ExtHeader, fixed: Ipv6Header, limits: Limits
) -> int | WireFault | None:
    """Return the router alert of a header with options, None without one, or what is wrong."""
    hop_by_hop = header.type == _HOP_BY_HOP
    most = limits.hop_by_hop if hop_by_hop else limits.destination
    found = options(packet, header.offset, header.length, most)
    if isinstance(found, WireFault):
        if found.fault is Fault6.IP6_OPTION_LIMIT:
            what = "hop-by-hop options" if hop_by_hop else "destination options"
            return _too_many(found.offset, most, what)
        return found
    alert = None
    for option in found:
        if hop_by_hop and option.type == ROUTER_ALERT:
            if len(option.data) != 2:
                return _overrun(option.offset + 1, "a router alert of another length than 2")
            alert = int.from_bytes(option.data)
        elif hop_by_hop and option.type == JUMBO:
            # RFC 2675 3: not beside a payload length; and none of our links takes so many bytes.
            at = option.offset if fixed.payload_length else option.offset + 2
            return WireFault(Fault6.IP6_JUMBO, at, {"number": int.from_bytes(option.data)})
        elif option.action:
            silent = option.action == 1
            fault = Fault6.IP6_OPTION_SKIP_NOT if silent else Fault6.IP6_OPTION_UNKNOWN
            detail: dict[str, int | str] = {"number": option.type, "action": option.action}
            return WireFault(fault, option.offset, detail)
    if hop_by_hop and not fixed.payload_length:
        # RFC 2675 3: a payload length of 0 with neither payload nor a jumbo payload option.
        return WireFault(Fault6.IP6_JUMBO, 4, {"number": 0})
    return alert


def options(
    packet: bytes, at: int, length: int, most: int | None = None
) -> tuple[Option, ...] | WireFault:
    """Return the options in a header of ``length`` bytes, which must all be there.

    Args:
        at: where the header begins.
        most: options, padding excepted; None for any number.

    Faults: ip6-option-overrun, ip6-option-limit, ip6-padding.
    Source: RFC 8200 4.2; RFC 8504 5.3; the bounds are those of Linux ``ip6_parse_tlv``.
    """
    found: list[Option] = []
    end, at, padding = at + length, at + 2, 0
    while at < end:
        kind = packet[at]
        size = 1 if kind == PAD1 else packet[at + 1] + 2 if at + 1 < end else 2
        if at + size > end:
            return _overrun(at, f"option {kind} has {size} B of {end - at}")
        if kind > PADN:
            if len(found) == most:
                return _too_many(at, most, "options")
            found.append(Option(kind, at, packet[at + 2 : at + size]))
            padding = 0
        else:
            padding += size
            if padding > _PADDING_MAX:
                return WireFault(Fault6.IP6_PADDING, at, {"number": padding, "what": "too long"})
            if any(packet[at + 2 : at + size]):
                # RFC 8504 5.3: padding that is not zero carries something else.
                return WireFault(Fault6.IP6_PADDING, at, {"number": padding, "what": "not zero"})
        at += size
    return tuple(found)


def _parse_fragment(packet: bytes, at: int) -> Fragment:
    next_header, _, offset, ident = _FRAGMENT.unpack_from(packet, at)
    return Fragment(next_header, offset & ~7, offset & 1 != 0, ident)


def _check_fragment(
    packet: bytes, at: int, end: int, fragment: Fragment, most: int
) -> WireFault | None:
    """Return what is wrong with a piece of a packet, as far as it alone can tell."""
    size = end - at - FRAGMENT_LEN
    if (fragment.mf and size % 8) or size == 0:
        # RFC 8200 4.5: the pointer is that of the payload length field.
        return WireFault(Fault6.FRAG6_BAD_LENGTH, 4, {"number": size})
    total = at - HEADER_LEN + fragment.fragment_offset + size
    if total > MAX_PAYLOAD_LEN:
        return WireFault(Fault6.FRAG6_TOO_BIG, at + 2, {"number": total})
    if fragment.fragment_offset == 0:
        if fragment.next_header == _HOP_BY_HOP:
            # RFC 8200 4.1: when the packet is whole again, it would stand at the beginning.
            return WireFault(Fault6.IP6_HOP_BY_HOP_LATE, at, {"number": 1})
        # RFC 7112 5: all headers are in the first fragment. The pointer is 0, as Linux has it.
        protocol, behind = _step(packet, fragment.next_header, at + FRAGMENT_LEN, end, most)
        if behind + UPPER_LEN.get(protocol, 1) > end:
            return WireFault(Fault6.FRAG6_HEADERS_MISSING, 0, {"number": size})
    return None


# --- for everybody but the destination ------------------------------------------------------------


class UpperLayer(NamedTuple):
    """The upper-layer data behind a packet's extension headers.

    Attributes:
        protocol: see ``NextHeader``; an extension header's when the packet ends inside it.
        offset: where it begins; may be behind the end of what is there.
        fragment: the fragment header that was passed last, else None. Behind one with a
            ``fragment_offset`` there is no header.
    """

    protocol: int
    offset: int
    fragment: Fragment | None = None


def upper_layer(packet: bytes, next_header: int) -> UpperLayer:
    """Return what a packet carries, for quotes, filters and explanations.

    Steps over all extension headers of a known shape, without a look at their content (RFC 7045
    2.1). The packet may be cut anywhere.

    Args:
        packet: from its IPv6 header on.
        next_header: that of its fixed header.
    """
    protocol, at, size = next_header, HEADER_LEN, len(packet)
    fragment = None
    while protocol in _SKIPPED and at + 8 <= size:
        if protocol == _FRAGMENTED:
            fragment = _parse_fragment(packet, at)
            if fragment.fragment_offset:
                return UpperLayer(fragment.next_header, at + FRAGMENT_LEN, fragment)
        length = _length(packet, protocol, at)
        protocol, at = packet[at], at + length
    return UpperLayer(protocol, at, fragment)


def _step(packet: bytes, protocol: int, at: int, end: int, most: int) -> tuple[int, int]:
    """Return what stands behind at most ``most`` extension headers, and where; or one that is cut.

    More of them are for ``walk`` to refuse, when the packet is whole.
    """
    for _ in range(most):
        if protocol not in _SKIPPED:
            break
        if at + 8 > end:
            return protocol, end
        protocol, at = packet[at], at + _length(packet, protocol, at)
    return protocol, at


def _length(packet: bytes, protocol: int, at: int) -> int:
    if protocol == _FRAGMENTED:
        return FRAGMENT_LEN
    if protocol == _AUTHENTICATION:
        return (packet[at + 1] + 2) * 4  # RFC 4302 2.2
    return (packet[at + 1] + 1) * 8


# --- made -----------------------------------------------------------------------------------------


def options_header(next_header: int, items: Iterable[tuple[int, bytes]]) -> bytes:
    """Return a hop-by-hop or destination options header, padded to a multiple of 8 bytes.

    Args:
        next_header: what follows it.
        items: type and data of each option. Alignment is up to the caller (RFC 8200 4.2).

    Raises:
        ValueError: more than 2048 bytes of options, or 255 in one.
    """
    body = b"".join(bytes((kind, len(data))) + data for kind, data in items)
    missing = -(len(body) + 2) % 8
    if missing:
        body += b"\0" if missing == 1 else bytes((PADN, missing - 2)) + bytes(missing - 2)
    return bytes((next_header, len(body) // 8)) + body


MLD_HEADER = options_header(NextHeader.ICMPV6, [(ROUTER_ALERT, bytes(2))])
"""The hop-by-hop header of every MLD message: a router alert (RFC 2710 3, RFC 3810 5)."""


def reassembled(packet: bytes, chain: Chain, data: bytes) -> bytes:
    """Return the packet whose pieces are together.

    Args:
        packet: its first fragment.
        chain: that of the first fragment.
        data: all that was cut, at most 65535 bytes with the headers before it.

    Source: RFC 8200 4.5. The fragment header goes; what named it names what was cut.
    """
    headers = bytearray(packet[: chain.offset - FRAGMENT_LEN])
    previous = chain.headers[-2].offset if len(chain.headers) > 1 else 6
    headers[previous] = chain.protocol
    headers[4:6] = (len(headers) - HEADER_LEN + len(data)).to_bytes(2)
    return bytes(headers) + data


def _truncated(at: int, end: int) -> WireFault:
    return WireFault(Fault6.IP6_EXTHDR_TRUNCATED, at, {"number": end - at})


def _too_many(at: int, most: int, what: str) -> WireFault:
    return WireFault(Fault6.IP6_OPTION_LIMIT, at, {"number": most, "what": what})


def _overrun(at: int, what: str) -> WireFault:
    return WireFault(Fault6.IP6_OPTION_OVERRUN, at, {"what": what})
