"""Odd frames and odd sends of IPv6.

Both hosts that they are tried on have 2001:db8::1/64 and the link-local address of their MAC on
tap0, and 2001:db8:1::1/64 on tap1. The sender is 2001:db8::2, or fe80::ff:fe00:2.
"""

from tests.e2e.kit import THEIRS_MAC
from tests.e2e.odd import ipv6_headers, ipv6_messages
from tests.e2e.odd.ipv6_frames import (
    BEHIND,
    BEHIND_MAC,
    FAR,
    NEXT_LINK,
    OURS,
    OURS_LOCAL,
    REDIRECTED,
    STATIC,
    THEIRS,
    THEIRS_LOCAL,
)
from tests.e2e.odd.ipv6_messages import ELSEWHERE, LISTENING
from tests.e2e.odd.odd import Arrival, Send, World


def _refusing(kind: str) -> Send:
    route = f"{kind} 2001:db8:8::/64"
    return Send("2001:db8:8::1", setup=(f"route add {route}",), undo=(f"route del {route}",))


_DOWN = ("link set tap0 down",)
_UP = ("link set tap0 up", f"addr replace {OURS}/64 dev tap0 nodad")
"""A link that went down has lost its global addresses."""
_TENTATIVE, _FAILED = "2001:db8::7", "2001:db8::8"

_SENDS: dict[str, Send] = {
    "no route": Send("2001:db8:8::1"),
    "a blackhole route": _refusing("blackhole"),
    "an unreachable route": _refusing("unreachable"),
    "a prohibit route": _refusing("prohibit"),
    "a throw route": _refusing("throw"),
    "a source that is not ours": Send(THEIRS, source="2001:db8::50"),
    "a source still tentative": Send(
        THEIRS,
        source=_TENTATIVE,
        setup=(f"tentative {_TENTATIVE}",),
        undo=(f"untested {_TENTATIVE}",),
    ),
    "a source that failed detection": Send(
        THEIRS,
        source=_FAILED,
        setup=(f"failed {_FAILED}",),
        undo=(f"untested {_FAILED}",),
    ),
    "a source of the other link": Send(THEIRS, source=NEXT_LINK),
    "a link-local source without a scope": Send(THEIRS, source=OURS_LOCAL),
    "a link-local source of tap0, to the other link": Send(BEHIND, source=f"{OURS_LOCAL}%tap0"),
    "bound to ::1": Send(THEIRS, source="::1"),
    "to a link-local address without a scope": Send(THEIRS_LOCAL),
    "to a link-local address of tap0": Send(f"{THEIRS_LOCAL}%tap0"),
    "to a link-local address of tap0, by tap1": Send(f"{THEIRS_LOCAL}%tap0", dev="tap1"),
    "to ff02::1 without a scope": Send("ff02::1"),
    "to ff02::1 of tap0": Send("ff02::1%tap0"),
    "to ff01::1 of tap0": Send("ff01::1%tap0"),
    "to ff0e::1 without a route": Send("ff0e::1"),
    "1453 B, MTU 1500, not to be fragmented": Send(THEIRS, size=1453, df=True),
    "65528 B": Send("::1", size=65528),
    "to port 0": Send(THEIRS, port=0),
    "to ::": Send("::", 4445, late=True),
    "to a mapped address without a route": Send("::ffff:192.0.2.1"),
    "to ::1 by tap0": Send("::1", dev="tap0"),
    "by an interface that is down": Send(THEIRS, dev="tap0", setup=_DOWN, undo=_UP),
    "to the network of an interface that is down": Send(THEIRS, setup=_DOWN, undo=_UP),
    "by an interface without carrier": Send(THEIRS, setup=("carrier off",), undo=("carrier on",)),
    "to a neighbor that does not answer": Send("2001:db8::88", late=True),
    "to a closed port of our own": Send("::1", 4445, late=True),
}
"""Each send by what is odd about it."""

_NO_SUCH_MAC = "no station has a group address (IEEE 802); Linux learns it"
_NEVER_ASKED = (
    "RFC 8201 4, 6: nobody here has sent that packet; Linux believes every quote of ICMPv6, so that"
    " anybody can lower the MTU of any way to 1280"
)
_RFC_8200_4_4 = "RFC 8200 4.4: the sender of an unknown type is told; Linux knows it, switched off"
_WHICH_LINK = "RFC 4007 6: the address is one of each link; Linux takes the first link"

_DIFFERENCES: dict[str, str] = {
    "from a group MAC address": "no station has a group address (IEEE 802), so nobody could be"
    " answered; Linux looks at the IP addresses alone",
    "from our own MAC address": "our own frame came back through a loop, or somebody has our MAC;"
    " Linux looks at the IP addresses alone",
    "destination ::": "no way leads to it, and a host need not say so; Linux's host answers"
    ' "no route"',
    "destination mapped from IPv4": "draft-itojun-v6ops-v4mapped-harmful: such an address is for"
    ' sockets, and never on a wire; Linux answers "no route"',
    "jumbogram of 70000 B, cut short": "no link here takes jumbograms, so that their length does"
    " not matter (RFC 2675 3); Linux compares it with what came",
    "routing type 3, one left": _RFC_8200_4_4,
    "routing type 4, one left": _RFC_8200_4_4,
    "first fragment with half of an ICMPv6 header": "RFC 4443 2.4 (e): it may be an ICMPv6 error,"
    " about which no error is sent",
    "empty fragment in the middle": "RFC 8200 4.5: no packet has such a piece, and the sender is"
    " told of a bad length; Linux drops it silently",
    "atomic fragment in another": "RFC 6946: each atomic fragment is a whole packet by itself, and"
    " headers are read as they come (RFC 8200 4); Linux refuses a second fragment header",
    "fragments that overlap, then the right ones": "RFC 5722 4: those that are still to come are"
    " dropped, too; Linux forgets that there was an overlap",
    "hop-by-hop in the fragments": "the error is about the first fragment, whose header names it;"
    " Linux's is about the packet put together",
    "NS with a group's MAC": _NO_SUCH_MAC,
    "NS from our own address": "somebody has our address, or our frame came back; Linux learns a"
    " neighbor that has its own address",
    "NA of a neighbor: a group's MAC": _NO_SUCH_MAC,
    "packet too big about our echo request": _NEVER_ASKED,
    "packet too big about another's packet": _NEVER_ASKED,
    "packet too big to ff02::1": _NEVER_ASKED,
    "to forward: to a mapped address": "such an address is for sockets, and never on a wire; Linux"
    ' answers "no route"',
    "bound to ::1": "RFC 4291 2.5.3: it is no source outside of its node; Linux sends from it",
    "to a link-local address without a scope": _WHICH_LINK,
    "to a link-local address of tap0, by tap1": "the two contradict; Linux sends by tap0",
    "to ff02::1 without a scope": _WHICH_LINK,
    "to ff01::1 of tap0": "RFC 4291 2.7.1: its members are on this node alone, and none is there;"
    " Linux does not say so",
    "to ::": "RFC 4291 2.5.2: it cannot be a destination; for Linux it is the host itself",
    "by an interface without carrier": "nobody can hear it; Linux drops it silently",
}
"""Frames at which smolctl and Linux do not end alike, and the cause; the sets are compared."""


def _all() -> dict[str, Arrival]:
    groups = (
        ("", ipv6_headers.ETHERNET),
        ("", ipv6_headers.HEADER),
        ("", ipv6_headers.ADDRESSES),
        ("", ipv6_headers.EXTENSIONS),
        ("", ipv6_headers.FRAGMENTS),
        ("", ipv6_messages.ICMP),
        ("", ipv6_messages.SOLICITATIONS),
        ("", ipv6_messages.ADVERTISEMENTS),
        ("", ipv6_messages.ROUTERS),
        ("", ipv6_messages.GROUPS),
        ("", ipv6_messages.DATAGRAMS),
        ("to forward: ", ipv6_messages.FORWARDED),
    )
    return {front + name: case for front, cases in groups for name, case in cases.items()}


IPV6 = World(
    name="IPv6",
    addresses={"tap0": (f"{OURS}/64",), "tap1": (f"{NEXT_LINK}/64",)},
    neighbors={
        THEIRS: (THEIRS_MAC, "tap0"),
        THEIRS_LOCAL: (THEIRS_MAC, "tap0"),
        **dict.fromkeys(REDIRECTED, (THEIRS_MAC, "tap0")),
        STATIC: ("02:00:00:00:00:09", "tap0"),
        BEHIND: (BEHIND_MAC, "tap1"),
    },
    routes=(f"2001:db8:9::/64 via {THEIRS_LOCAL} dev tap0",),
    linux_sysctls={
        "net.ipv6.icmp.ratelimit": 0,
        **{f"net.ipv6.neigh.{dev}.retrans_time_ms": 100 for dev in ("tap0", "tap1")},
    },
    # A change of groups is reported once: again, a second later, it would answer another case.
    smolctl_sysctls={"icmp6.ratelimit_ms": 0, "neigh.retrans_time_ms": 100, "mld.qrv": 1},
    arrivals=_all(),
    sends=_SENDS,
    differences=_DIFFERENCES,
    listening=(("", LISTENING), ("::1", ELSEWHERE)),
    watched=(FAR,),
)
