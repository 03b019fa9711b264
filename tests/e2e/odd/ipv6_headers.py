"""Odd IPv6 headers, addresses, extension headers and fragments."""

from tests.e2e.kit import OURS_MAC
from tests.e2e.odd.ipv6_frames import (
    ALL_NODES,
    ALL_ROUTERS,
    BROADCAST,
    ECHO,
    FRAGMENT,
    HOP_BY_HOP,
    ICMPV6,
    NO_NEXT,
    OPTIONS,
    OTHER,
    OURS,
    OURS_LOCAL,
    ROUTING,
    STRANGER,
    THEIRS,
    THEIRS_LOCAL,
    UDP,
    Ext,
    echo,
    extended,
    fragment,
    frame,
    icmp,
    ns,
    options,
    routing,
    solicited,
    udp,
)
from tests.e2e.odd.odd import Arrival, once

_GROUP_MAC = "33:33:00:00:00:01"
_MESSAGE = icmp(ECHO, 0, b"\0\7\0\1abcdefgh")
_MAPPED, _COMPATIBLE = "::ffff:10.0.0.2", "::10.0.0.2"
_TENTATIVE, _FAILED = "2001:db8::7", "2001:db8::8"

ETHERNET: dict[str, Arrival] = once(
    {
        "for another MAC address": echo(to="02:00:00:00:00:99"),
        "from a group MAC address": echo(by="33:33:00:00:00:09"),
        "from our own MAC address": echo(by=OURS_MAC),
        "echo request, unicast in a broadcast frame": echo(to=BROADCAST),
        "echo request, unicast in a group's frame": echo(to=_GROUP_MAC),
        "echo request to ff02::1 in a frame to us": echo(dst=ALL_NODES, to=OURS_MAC),
    }
)

HEADER: dict[str, Arrival] = once(
    {
        "header cut short": echo()[: 14 + 39],
        "nothing after the ethertype": echo()[:14],
        "version 4 as IPv6": echo(word=4 << 28),
        "payload length 100 in 16 B": frame(ICMPV6, _MESSAGE, length=100),
        "payload length 8 in 16 B": frame(ICMPV6, _MESSAGE, length=8),
        "payload length 0 in 16 B": frame(ICMPV6, _MESSAGE, length=0),
        "padded behind the payload": echo() + bytes(6),
        "echo request, hop limit 0": echo(hops=0),
        "echo request, flow label and traffic class": echo(word=6 << 28 | 0xB8 << 20 | 0xABCDE),
        "next header 250": frame(250, b"12345678"),
        "next header 1, ICMP of IPv4": frame(1, _MESSAGE),
        "next header 2, IGMP": frame(2, bytes(8)),
        "no next header": frame(NO_NEXT, b"12345678"),
        "no next header and no payload": frame(NO_NEXT),
        "next header 250 to ff02::1": frame(250, b"12345678", dst=ALL_NODES),
        "next header 250 from ::": frame(250, b"12345678", src="::"),
    }
)

ADDRESSES: dict[str, Arrival] = {
    **once(
        {
            "source ff02::1": echo("ff02::1"),
            "source ::": echo("::"),
            "source ::1": echo("::1"),
            "source is our own": echo(OURS),
            "source is our own link-local": echo(OURS_LOCAL),
            "source mapped from IPv4": echo(_MAPPED),
            "source compatible with IPv4": echo(_COMPATIBLE),
            "source without a route": echo("2001:db8:77::1"),
            "source site-local, without a route": echo("fec0::2"),
            "destination ::": echo(dst="::"),
            "destination ::1": echo(dst="::1"),
            "destination mapped from IPv4": echo(dst="::ffff:10.0.0.1"),
            "destination another host": echo(dst=OTHER),
            "destination off the link": echo(dst="2001:db8:77::1"),
            "destination another host's link-local": echo(dst="fe80::77"),
            "destination 2001:db8::, anycast of routers": echo(dst="2001:db8::"),
            "our link-local from a global source": echo(dst=OURS_LOCAL),
            "our global from a link-local source": echo(THEIRS_LOCAL),
            "both link-local": echo(THEIRS_LOCAL, OURS_LOCAL),
            "group ff00::1, scope 0": echo(dst="ff00::1"),
            "group ff01::1 on a wire": echo(dst="ff01::1"),
            "group ff02::1": echo(dst=ALL_NODES),
            "group ff02::1 from a link-local source": echo(THEIRS_LOCAL, ALL_NODES),
            "group ff02::1 from ::": echo("::", ALL_NODES),
            "group ff02::2 at a host": echo(dst=ALL_ROUTERS),
            "group ff05::2 at a host": echo(dst="ff05::2"),
            "group ff02::6a": echo(dst="ff02::6a"),
            "group ff05::1:3": echo(dst="ff05::1:3"),
            "group ff0e::1": echo(dst="ff0e::1"),
            "group ff0f::1, scope 15": echo(dst="ff0f::1"),
            "group ff12::1, transient": echo(dst="ff12::1"),
            "our solicited-node group": echo(dst=solicited(OURS)),
            "another's solicited-node group": echo(dst=solicited(OTHER)),
        }
    ),
    "destination still tentative": Arrival(
        (echo(dst=_TENTATIVE),),
        setup=(f"tentative {_TENTATIVE}",),
        undo=(f"untested {_TENTATIVE}",),
    ),
    "destination that failed detection": Arrival(
        # Another one defends it (RFC 4862 5.4.4); the address is there, but not for use.
        (echo(dst=_FAILED),),
        setup=(f"failed {_FAILED}",),
        undo=(f"untested {_FAILED}",),
    ),
}


def _options(number: int, word: str) -> dict[str, Arrival]:
    """Return oddities of options, which both headers that have options share."""

    def to_us(data: bytes, **fields: int) -> bytes:
        return echo(THEIRS, OURS, options(number, data, **fields))

    def to_all(data: bytes) -> bytes:
        return echo(THEIRS, ALL_NODES, options(number, data))

    return once(
        {
            f"{word}: PadN": to_us(b"\1\4\0\0\0\0"),
            f"{word}: PadN that is not zero": to_us(b"\1\4\0\0\0\1"),
            f"{word}: 6 times Pad1": to_us(bytes(6)),
            f"{word}: 14 times Pad1": to_us(bytes(14)),
            f"{word}: PadN of 14": to_us(b"\1\x0c" + bytes(12)),
            f"{word}: unknown, to be skipped": to_us(b"\x1e\4abcd"),
            f"{word}: unknown, to be discarded": to_us(b"\x5e\4abcd"),
            f"{word}: unknown, to be reported": to_us(b"\x9e\4abcd"),
            f"{word}: unknown, not to be reported to groups": to_us(b"\xde\4abcd"),
            f"{word}: unknown, to be reported, to ff02::1": to_all(b"\x9e\4abcd"),
            f"{word}: not to be reported, to ff02::1": to_all(b"\xde\4abcd"),
            f"{word}: length 200": to_us(b"\x1e\xc8abcd"),
            f"{word}: length cut off": to_us(b"\1\3\0\0\0\x1e"),
            f"{word}: 8 options": to_us(b"\x1e\0" * 8 + b"\1\4\0\0\0\0"),
            f"{word}: 9 options": to_us(b"\x1e\0" * 9 + b"\1\2\0\0"),
            f"{word}: longer than the packet": to_us(b"\1\4\0\0\0\0", length=20),
            f"{word}: 2 bytes": extended([], number, bytes([ICMPV6, 0])),
            f"{word}: and no next header": extended(
                [options(number, b"\1\4\0\0\0\0")], NO_NEXT, b""
            ),
        }
    )


_HOPS, _DEST = options(HOP_BY_HOP, b"\1\4\0\0\0\0"), options(OPTIONS, b"\1\4\0\0\0\0")
_ALERT = options(HOP_BY_HOP, b"\5\2\0\0\1\0")


def _jumbo(length: int, size: int | None) -> bytes:
    header = Ext(HOP_BY_HOP, b"\0\xc2\4" + length.to_bytes(4))
    return frame(HOP_BY_HOP, bytes([ICMPV6]) + header.rest + _MESSAGE, length=size)


EXTENSIONS: dict[str, Arrival] = {
    **_options(HOP_BY_HOP, "hop-by-hop"),
    **_options(OPTIONS, "destination options"),
    **once(
        {
            "router alert": echo(THEIRS, OURS, _ALERT),
            "router alert of 3 bytes": echo(THEIRS, OURS, options(HOP_BY_HOP, b"\5\3\0\0\0\0")),
            "jumbogram of 24 B": _jumbo(24, 0),
            "jumbogram of 70000 B, cut short": _jumbo(70000, 0),
            "jumbo option and a payload length": _jumbo(70000, None),
            "hop-by-hop behind destination options": echo(THEIRS, OURS, _DEST, _HOPS),
            "hop-by-hop twice": echo(THEIRS, OURS, _HOPS, _HOPS),
            "destination options twice": echo(THEIRS, OURS, _DEST, _DEST),
            "16 times destination options": echo(THEIRS, OURS, *[_DEST] * 16),
            "every header once": echo(
                THEIRS, OURS, _HOPS, _DEST, routing(0, 0), fragment(0, False, 1), _DEST
            ),
            "routing type 0, nothing left": echo(THEIRS, OURS, routing(0, 0, OTHER)),
            "routing type 0, one left": echo(THEIRS, OURS, routing(0, 1, OTHER)),
            "routing type 2, one left": echo(THEIRS, OURS, routing(2, 1, OTHER)),
            "routing type 3, one left": echo(THEIRS, OURS, routing(3, 1, OTHER)),
            "routing type 4, one left": echo(THEIRS, OURS, routing(4, 1, OTHER)),
            "routing type 99, nothing left": echo(THEIRS, OURS, routing(99, 0, OTHER)),
            "routing type 99, one left": echo(THEIRS, OURS, routing(99, 1, OTHER)),
            "routing type 99 to ff02::1": echo(THEIRS, ALL_NODES, routing(99, 1, OTHER)),
            "routing longer than the packet": echo(THEIRS, OURS, routing(0, 0, OTHER, length=60)),
            "routing of 4 bytes": extended([], ROUTING, bytes([ICMPV6, 0, 0, 0])),
        }
    ),
}


def _parts(
    ident: int, *pieces: tuple[int, bool, bytes], number: int = ICMPV6, src: str = THEIRS
) -> tuple[bytes, ...]:
    """Return fragments in frames: offset in bytes, whether more follow, and the data."""
    return tuple(
        extended([fragment(offset, more, ident)], number, data, src=src)
        for offset, more, data in pieces
    )


_LONG = icmp(ECHO, 0, b"\0\7\0\1" + bytes(24))  # 32 bytes
_DATAGRAM = udp(5000, 9, bytes(24))
_FIRST, _REST = (0, True, _LONG[:16]), (16, False, _LONG[16:])
_NS = ns(dst=OURS)[14 + 40 :]
_FOR_A_SECOND = {"setup": ("fragments 1",), "undo": ("fragments 60",)}

FRAGMENTS: dict[str, Arrival] = {
    # Before any others wait.
    "first fragment, then nothing for its time": Arrival(
        _parts(40, _FIRST), late="error", **_FOR_A_SECOND
    ),
    "last fragment, then nothing for its time": Arrival(
        _parts(41, _REST), late="error", **_FOR_A_SECOND
    ),
    **once(
        {
            "atomic fragment": echo(THEIRS, OURS, fragment(0, False, 10)),
            "atomic fragment, reserved bits set": echo(
                THEIRS, OURS, fragment(0, False, 11, reserved=0xFF)
            ),
            "fragment header cut short": extended([], FRAGMENT, bytes([ICMPV6, 0, 0, 0])),
            "first fragment alone": _parts(12, _FIRST)[0],
            "last fragment alone": _parts(13, _REST)[0],
            "first fragment of 12 bytes": _parts(14, (0, True, _LONG[:12]))[0],
            "fragment that ends behind 65535": _parts(15, (65528, False, bytes(16)))[0],
            "first fragment without the UDP header": extended(
                [fragment(0, True, 16)], OPTIONS, bytes([UDP, 0, 1, 4, 0, 0, 0, 0])
            ),
            "first fragment with half of an ICMPv6 header": _parts(17, (0, True, b""))[0],
            "empty fragment in the middle": _parts(18, (16, True, b""))[0],
            "atomic fragment in another": echo(
                THEIRS, OURS, fragment(0, False, 19), fragment(0, False, 20)
            ),
            "fragment with next header 250": _parts(21, (0, False, b"12345678"), number=250)[0],
            "atomic neighbor solicitation": ns(headers=[fragment(0, False, 22)]),
            "atomic fragment to ff02::1": echo(THEIRS, ALL_NODES, fragment(0, False, 23)),
        }
    ),
    "two fragments": Arrival(_parts(30, _FIRST, _REST)),
    "two fragments, the last one first": Arrival(_parts(31, _REST, _FIRST)),
    "three fragments, the first one twice": Arrival(
        _parts(32, (0, True, _LONG[:8]), (0, True, _LONG[:8]), (8, True, _LONG[8:16]), _REST)
    ),
    "two fragments that overlap by 8": Arrival(
        _parts(33, (0, True, _LONG[:16]), (8, False, _LONG[8:]))
    ),
    "fragments that overlap, then the right ones": Arrival(
        _parts(34, (0, True, _LONG[:16]), (8, True, _LONG[8:24]), _FIRST, _REST)
    ),
    "two ends of different places": Arrival(
        _parts(35, _FIRST, (24, False, _LONG[24:]), (16, False, _LONG[16:]))
    ),
    "data behind the end": Arrival(_parts(36, (16, False, _LONG[16:24]), (24, True, bytes(8)))),
    "fragments of two sources, one ident": Arrival(
        (*_parts(37, _FIRST), *_parts(37, _REST, src=STRANGER))
    ),
    "UDP in two fragments, closed port": Arrival(
        _parts(38, (0, True, _DATAGRAM[:16]), (16, False, _DATAGRAM[16:]), number=UDP)
    ),
    "neighbor solicitation in two fragments": Arrival(
        _parts(39, (0, True, _NS[:16]), (16, False, _NS[16:]))
    ),
    "hop-by-hop in the fragments": Arrival(
        _parts(42, (0, True, bytes([ICMPV6]) + _HOPS.rest + _LONG[:8]), (16, False, _LONG[8:]),
               number=HOP_BY_HOP)
    ),
    "second fragment with another next header": Arrival(
        (*_parts(43, _FIRST), *_parts(43, _REST, number=UDP))
    ),
}  # fmt: skip
"""Each by what is odd about it. RFC 8200 4.5, 5722, 6946, 6980, 7112."""
