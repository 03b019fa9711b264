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
    STATIC,
    THEIRS,
    THEIRS_LOCAL,
    THIRD,
)
from tests.e2e.odd.ipv6_messages import ELSEWHERE, LISTENING
from tests.e2e.odd.odd import Arrival, Send, World


def _refusing(kind: str) -> Send:
    route = f"{kind} 2001:db8:8::/64"
    return Send("2001:db8:8::1", setup=(f"route add {route}",), undo=(f"route del {route}",))


_DOWN, _UP = ("link set tap0 down",), ("link set tap0 up",)
_TENTATIVE = "2001:db8::7"

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

_DIFFERENCES: dict[str, str] = {}
"""Where smolctl and Linux do not end alike, and why; the sets are compared."""


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


_TAP0 = "net.ipv6.conf.tap0"

IPV6 = World(
    name="IPv6",
    addresses={"tap0": (f"{OURS}/64",), "tap1": (f"{NEXT_LINK}/64",)},
    neighbors={
        THEIRS: (THEIRS_MAC, "tap0"),
        THEIRS_LOCAL: (THEIRS_MAC, "tap0"),
        THIRD: (THEIRS_MAC, "tap0"),
        STATIC: ("02:00:00:00:00:09", "tap0"),
        BEHIND: (BEHIND_MAC, "tap1"),
    },
    routes=(f"2001:db8:9::/64 via {THEIRS_LOCAL} dev tap0",),
    linux_sysctls={
        "net.ipv6.icmp.ratelimit": 0,
        # A link that goes down keeps its addresses, as with IPv4.
        **{f"{_TAP0}.keep_addr_on_down": 1},
        **{f"net.ipv6.neigh.{dev}.retrans_time_ms": 100 for dev in ("tap0", "tap1")},
    },
    smolctl_sysctls={"icmp6.ratelimit_ms": 0, "neigh.retrans_time_ms": 100},
    arrivals=_all(),
    sends=_SENDS,
    differences=_DIFFERENCES,
    listening=(("", LISTENING), ("::1", ELSEWHERE)),
    watched=(FAR,),
)
