"""Odd ICMPv6, neighbor discovery, group reports, UDP, and what a router gets to forward."""

import struct

from tests.e2e.kit import OURS_MAC
from tests.e2e.odd.ipv6_frames import (
    ALL_NODES,
    ALL_ROUTERS,
    BEHIND,
    BROADCAST,
    FAR,
    HOP_BY_HOP,
    NA,
    NS,
    OPTIONS,
    OTHER,
    OURS,
    OURS_LOCAL,
    RA,
    REDIRECT,
    REDIRECTED,
    RS,
    STATIC,
    STRANGER,
    STRANGER_MAC,
    THEIRS,
    THEIRS_LOCAL,
    discovery,
    echo,
    error,
    fragment,
    frame,
    icmp_frame,
    lladdr,
    na,
    ns,
    options,
    ra,
    raw,
    redirect,
    routing,
    solicited,
    udp_frame,
)
from tests.e2e.odd.odd import Arrival, once

LISTENING, ELSEWHERE = 7000, 7001
"""Ports that are bound: on all addresses, and on ::1 alone."""

_NEVER_SENT = udp_frame(9, sport=4444, src=OURS, dst=THEIRS)
_ASKED = echo(OURS, FAR)
_ERROR_SENT = icmp_frame(1, 4, bytes(4) + _NEVER_SENT[14:], src=OURS, dst=THEIRS)

ICMP: dict[str, Arrival] = once(
    {
        "ICMPv6 of 3 bytes": frame(58, b"\x80\0\0"),
        "ICMPv6 checksum wrong": icmp_frame(128, 0, b"\0\7\0\1", checksum=1),
        "ICMPv6 checksum 0": icmp_frame(128, 0, b"\0\7\0\1", checksum=0),
        "echo request of 4 bytes": icmp_frame(128, 0, b""),
        "echo request of code 1": echo(code=1),
        "echo reply that nobody waits for": icmp_frame(129, 0, b"\0\7\0\1"),
        "ICMPv6 type 100, an unknown error": icmp_frame(100),
        "ICMPv6 type 200, unknown": icmp_frame(200),
        "node information query": icmp_frame(139, 0, bytes(28)),
        "ICMPv6 type 200 to ff02::1": icmp_frame(200, dst=ALL_NODES),
        "port unreachable about nothing": error(1, 4, 0, _NEVER_SENT),
        "port unreachable, quote cut short": error(1, 4, 0, _NEVER_SENT[:34]),
        "port unreachable about an error": error(1, 4, 0, _ERROR_SENT),
        "unreachable of code 9": error(1, 9, 0, _NEVER_SENT),
        "time exceeded about nothing": error(3, 0, 0, _NEVER_SENT),
        "parameter problem about nothing": error(4, 1, 6, _NEVER_SENT),
        "packet too big about nothing": error(2, 0, 1400, _NEVER_SENT),
    }
)

_KNOWN = (f"neigh replace {STRANGER} lladdr {STRANGER_MAC} dev tap0 nud stale",)
"""The stranger is a stale neighbor before the frame comes."""
_NEW_MAC = "02:00:00:00:00:67"

SOLICITATIONS: dict[str, Arrival] = {
    **once(
        {
            "NS": ns(),
            "NS from a stranger": ns(OURS, lladdr(1, STRANGER_MAC), src=STRANGER),
            "NS from off the link": ns(OURS, lladdr(1, STRANGER_MAC), src="2001:db8:77::1"),
            "NS for our link-local": ns(OURS_LOCAL, src=THEIRS_LOCAL),
            "NS to our address": ns(dst=OURS),
            "NS to our address, without an option": ns(OURS, b"", dst=OURS),
            "NS to the group, without an option": ns(OURS, b""),
            "NS, hop limit 254": ns(hops=254),
            "NS of code 1": ns(code=1),
            "NS of 20 bytes": discovery(NS, bytes(16)),
            "NS for ff02::1": ns(ALL_NODES, dst=OURS),
            "NS for ::": ns("::", dst=OURS),
            "NS for another's address": ns(OTHER, dst=OURS),
            "NS for another's address, to its group": ns(OTHER),
            "NS for our address, to another's group": ns(dst=solicited(OTHER)),
            "NS for our address, to ff02::1": ns(dst=ALL_NODES),
            "NS with an option of length 0": ns(given=b"\1\0" + bytes(6)),
            "NS with an option cut short": ns(given=b"\1\2" + bytes(6)),
            "NS with an unknown option": ns(given=b"\xfe\1" + bytes(6) + lladdr(1)),
            "NS with a MAC option of 16 bytes": ns(OURS, lladdr(1, STRANGER_MAC, 2), src=STRANGER),
            "NS with a group's MAC": ns(OURS, lladdr(1, "33:33:00:00:00:01"), src=STRANGER),
            "NS with our own MAC": ns(OURS, lladdr(1, OURS_MAC), src=STRANGER),
            "NS with two MAC options": ns(
                OURS, lladdr(1, STRANGER_MAC) + lladdr(1, _NEW_MAC), src=STRANGER
            ),
            "NS from our own address": ns(src=OURS),
            "NS in a broadcast frame": ns(to=BROADCAST),
            "NS, checksum wrong": ns()[:56] + b"\0\1" + ns()[58:],
            "NS behind destination options": ns(headers=[options(OPTIONS, b"\1\4\0\0\0\0")]),
            "DAD for our address": ns(OURS, b"", src="::"),
            "DAD for our address, with a nonce": ns(OURS, b"\x0e\1abcdef", src="::"),
            "DAD for our address, with a MAC": ns(src="::"),
            "DAD for our address, to our address": ns(OURS, b"", src="::", dst=OURS),
            "DAD for another's address": ns(OTHER, b"", src="::"),
        }
    ),
    "NS with another MAC of a known neighbor": Arrival(
        (ns(OURS, lladdr(1, _NEW_MAC), src=STRANGER),), setup=_KNOWN
    ),
    "NS for the routers' anycast address, at a router": Arrival(
        # RFC 4861 7.2.7: after a random time.
        (ns("2001:db8::"),),
        setup=("forward on",),
        undo=("forward off",),
        late="error",
    ),
    "DAD for our tentative address": Arrival(
        (ns("2001:db8::7", b"", src="::"),),
        setup=("tentative 2001:db8::7",),
        undo=("untested 2001:db8::7",),
    ),
    "NS for our tentative address": Arrival(
        (ns("2001:db8::7"),),
        setup=("tentative 2001:db8::7",),
        undo=("untested 2001:db8::7",),
    ),
}


def _known(*frames: bytes) -> Arrival:
    return Arrival(frames, setup=_KNOWN)


_OTHERS_MAC = lladdr(2, _NEW_MAC)

ADVERTISEMENTS: dict[str, Arrival] = {
    **once(
        {
            "NA that nobody asked for": na(),
            "NA to ff02::1 that nobody asked for": na(STRANGER, 0x20, dst=ALL_NODES),
            "NA, hop limit 1": na(hops=1),
            "NA of code 1": na(code=1),
            "NA of 20 bytes": discovery(NA, bytes(16)),
            "NA for a group": na(ALL_NODES, src=STRANGER),
            "NA, solicited, to ff02::1": na(dst=ALL_NODES),
            "NA with an option of length 0": na(given=b"\2\0" + bytes(6)),
            "NA for our address": na(OURS, 0x20, src=THEIRS, dst=ALL_NODES),
            "NA against a permanent entry": na(STATIC),
            "NA from ::": na(src="::"),
        }
    ),
    "NA of a neighbor: same MAC, S": _known(na(STRANGER, 0x40)),
    "NA of a neighbor: no MAC, S": _known(na(STRANGER, 0x40, b"")),
    "NA of a neighbor: other MAC, S and O": _known(na(STRANGER, 0x60, _OTHERS_MAC)),
    "NA of a neighbor: other MAC, O": _known(na(STRANGER, 0x20, _OTHERS_MAC, dst=ALL_NODES)),
    "NA of a neighbor: other MAC, S": _known(na(STRANGER, 0x40, _OTHERS_MAC)),
    "NA of a neighbor: other MAC": _known(na(STRANGER, 0, _OTHERS_MAC, dst=ALL_NODES)),
    "NA of a neighbor: R": _known(na(STRANGER, 0xE0)),
    "NA of a neighbor: R, then not": _known(na(STRANGER, 0xE0), na(STRANGER, 0x60)),
    "NA of a neighbor: from another's address": _known(na(STRANGER, 0x60, src=THEIRS)),
    "NA of a neighbor: a group's MAC": _known(
        na(STRANGER, 0x60, lladdr(2, "33:33:00:00:00:01"))
    ),
    "NA of a neighbor: a MAC option of 16 bytes": _known(
        na(STRANGER, 0x60, lladdr(2, _NEW_MAC, 2))
    ),
    "NA of a neighbor: an atomic fragment": _known(
        na(STRANGER, 0x60, _OTHERS_MAC, headers=[fragment(0, False, 50)])
    ),
    "NA for our tentative address": Arrival(
        (na("2001:db8::7", 0x20, src=THEIRS, dst=ALL_NODES),),
        setup=("tentative 2001:db8::7",),
        undo=("untested 2001:db8::7",),
    ),
}  # fmt: skip

_BETTER = "fe80::66"

ROUTERS: dict[str, Arrival] = {
    **once(
        {
            "RS at a host": discovery(RS, bytes(4) + lladdr(1), dst=ALL_NODES),
            "RA that offers nothing": ra(),
            "RA, hop limit 64": ra(hops=64),
            "RA from a global address": ra(src=THEIRS),
            "RA of code 1": ra(code=1),
            "RA of 12 bytes": discovery(RA, bytes(8), src=THEIRS_LOCAL, dst=ALL_NODES),
            "RA with an option of length 0": ra(b"\1\0" + bytes(6)),
            "redirect from a stranger": redirect(_BETTER, src="fe80::77"),
            "redirect from a global address": redirect(_BETTER, src=THEIRS),
            "redirect, hop limit 64": redirect(_BETTER, hops=64),
            "redirect of code 1": redirect(_BETTER, code=1),
            "redirect of 24 bytes": discovery(REDIRECT, bytes(20), src=THEIRS_LOCAL),
            "redirect to a global address": redirect(STRANGER),
            "redirect to a group": redirect("ff02::66"),
            "redirect of a group": redirect(_BETTER, "ff0e::1"),
            "redirect with an option of length 0": redirect(_BETTER, given=b"\2\0" + bytes(6)),
        }
    ),
    "RS at a router": Arrival(
        (discovery(RS, bytes(4) + lladdr(1), dst=ALL_ROUTERS),),
        setup=("forward on",),
        undo=("forward off",),
    ),
    "redirect from our router": Arrival(
        (redirect(_BETTER, given=lladdr(2, STRANGER_MAC)),), undo=("forget",)
    ),
    "redirect from our router, without a MAC": Arrival((redirect(_BETTER),), undo=("forget",)),
    "redirect: the destination is on the link": Arrival(
        (redirect(FAR, given=lladdr(2, STRANGER_MAC)),), undo=("forget",)
    ),
    "redirect from our router, at a router": Arrival(
        (redirect(_BETTER, given=lladdr(2, STRANGER_MAC)),),
        setup=("forward on",),
        undo=("forward off", "forget"),
    ),
    "packet too big about our echo request": Arrival(
        (error(2, 0, 1400, _ASKED),), undo=("forget",)
    ),
    "packet too big, MTU 1000": Arrival((error(2, 0, 1000, _ASKED),), undo=("forget",)),
    "packet too big, MTU 0": Arrival((error(2, 0, 0, _ASKED),), undo=("forget",)),
    "packet too big, MTU 9000": Arrival((error(2, 0, 9000, _ASKED),), undo=("forget",)),
    "packet too big about another's packet": Arrival(
        (error(2, 0, 1400, echo(OTHER, FAR)),), undo=("forget",)
    ),
    "packet too big to ff02::1": Arrival(
        (icmp_frame(2, 0, (1400).to_bytes(4) + _ASKED[14:], dst=ALL_NODES),), undo=("forget",)
    ),
}

_ALERT = options(HOP_BY_HOP, b"\5\2\0\0\1\0")
_GROUP = "ff02::1:ff00:1"


def _query(
    body: bytes = bytes(24), *, src: str = THEIRS_LOCAL, dst: str = ALL_NODES, hops: int = 1,
    alert: bool = True, code: int = 0,
) -> bytes:  # fmt: skip
    headers = [_ALERT] if alert else []
    return icmp_frame(130, code, body, src=src, dst=dst, hops=hops, headers=headers)


def _about(group: str, *sources: str) -> bytes:
    listed = b"".join(map(raw, sources))
    return bytes(4) + raw(group) + struct.pack("!BBH", 2, 125, len(sources)) + listed


_RECORD = b"\4\0\0\0" + raw("ff02::66")

GROUPS: dict[str, Arrival] = {
    **once(
        {
            "MLD query, hop limit 2": _query(hops=2),
            "MLD query without a router alert": _query(alert=False),
            "MLD query from a global address": _query(src=THEIRS),
            "MLD query from ::": _query(src="::"),
            "MLD query of 22 bytes": _query(bytes(18)),
            "MLD query of 26 bytes": _query(bytes(22)),
            "MLD query about a group that we have not": _query(_about("ff02::66")),
            "MLD query about a unicast address": _query(_about(OURS)),
            "MLDv1 report": icmp_frame(
                131, 0, bytes(4) + raw("ff02::66"), src=THEIRS_LOCAL, dst="ff02::66", hops=1,
                headers=[_ALERT],
            ),
            "MLDv1 done": icmp_frame(
                132, 0, bytes(4) + raw("ff02::66"), src=THEIRS_LOCAL, dst=ALL_ROUTERS, hops=1,
                headers=[_ALERT],
            ),
            "MLDv2 report": icmp_frame(
                143, 0, b"\0\0\0\1" + _RECORD, src=THEIRS_LOCAL, dst="ff02::16", hops=1,
                headers=[_ALERT],
            ),
        }
    ),
    "MLD query": Arrival((_query(),), late="report"),
    "MLD query of code 1": Arrival((_query(code=1),), late="report"),
    "MLD query to our address": Arrival((_query(dst=OURS_LOCAL),), late="report"),
    "MLD query about our group": Arrival(
        (_query(_about(_GROUP), dst=_GROUP),), late="report"
    ),
    "MLDv1 query about our group": Arrival(
        (_query(bytes(4) + raw(_GROUP), dst=_GROUP),), late="report"
    ),
}  # fmt: skip

DATAGRAMS: dict[str, Arrival] = once(
    {
        "UDP of 7 bytes": frame(17, b"1234567"),
        "UDP length 100 in 13 B": udp_frame(LISTENING, length=100),
        "UDP length 7": udp_frame(LISTENING, length=7),
        "UDP length 0": udp_frame(LISTENING, length=0),
        "UDP checksum wrong": udp_frame(LISTENING, checksum=1),
        "UDP checksum 0": udp_frame(LISTENING, checksum=0),
        "UDP to a closed port": udp_frame(),
        "UDP to a closed port, 1400 B": udp_frame(9, bytes(1400)),
        "UDP to port 0": udp_frame(0),
        "UDP from port 0": udp_frame(LISTENING, sport=0),
        "UDP to a port of ::1 alone": udp_frame(ELSEWHERE),
        "UDP to ff02::1, closed port": udp_frame(dst=ALL_NODES),
        "UDP to a closed port, from ::": udp_frame(src="::"),
        "UDP to a closed port, from ff02::1": udp_frame(src=ALL_NODES),
    }
)


def _forwarded(sent: bytes, *setup: str, late: str = "", forward: bool = True) -> Arrival:
    """Return a packet that a router gets; ``setup`` adds routes, which go away again."""
    undo = tuple(line.replace(" add ", " del ") for line in reversed(setup))
    before = ("forward on",) if forward else ()
    after = ("forward off",) if forward else ()
    return Arrival((sent,), (*before, *setup), (*undo, *after), late)


_AWAY = "2001:db8:8::1"


def _to_route(kind: str) -> Arrival:
    return _forwarded(echo(dst=_AWAY), f"route add {kind} 2001:db8:8::/64")


FORWARDED: dict[str, Arrival] = {
    "to another link, at a host": _forwarded(echo(dst=BEHIND), forward=False),
    "to another link": _forwarded(echo(dst=BEHIND)),
    "hop limit 1": _forwarded(echo(dst=BEHIND, hops=1)),
    "hop limit 0": _forwarded(echo(dst=BEHIND, hops=0)),
    "no route": _forwarded(echo(dst=_AWAY)),
    "an unreachable route": _to_route("unreachable"),
    "a prohibit route": _to_route("prohibit"),
    "a blackhole route": _to_route("blackhole"),
    "from a link-local source": _forwarded(echo(THEIRS_LOCAL, BEHIND)),
    "from ::": _forwarded(echo("::", BEHIND)),
    "from ::1": _forwarded(echo("::1", BEHIND)),
    "from a group": _forwarded(echo("ff02::1", BEHIND)),
    "from our own address": _forwarded(echo(OURS, BEHIND)),
    "to a group of global scope": _forwarded(echo(dst="ff0e::66")),
    "back to its own link": _forwarded(echo(REDIRECTED[0], STATIC)),
    "by another router of its own link": _forwarded(echo(REDIRECTED[1], FAR)),
    "too big for the next link": Arrival(
        (udp_frame(9, bytes(1400), dst=BEHIND),),
        setup=("forward on", "link set tap1 mtu 1280"),
        undo=("link set tap1 mtu 1500", "forward off"),
    ),
    "a fragment": _forwarded(echo(THEIRS, BEHIND, fragment(0, True, 60))),
    "to a neighbor that does not answer": _forwarded(echo(dst="2001:db8:1::77"), late="error"),
    "with a hop-by-hop option, unknown": _forwarded(
        echo(THEIRS, BEHIND, options(HOP_BY_HOP, b"\x1e\4abcd"))
    ),
    "with a hop-by-hop option, to be reported": _forwarded(
        echo(THEIRS, BEHIND, options(HOP_BY_HOP, b"\x9e\4abcd"))
    ),
    "with a router alert": _forwarded(echo(THEIRS, BEHIND, _ALERT)),
    "with a destination option, to be reported": _forwarded(
        echo(THEIRS, BEHIND, options(OPTIONS, b"\x9e\4abcd"))
    ),
    "with routing type 0, one left": _forwarded(echo(THEIRS, BEHIND, routing(0, 1, OTHER))),
    "next header 250": _forwarded(frame(250, b"12345678", dst=BEHIND)),
    "in a broadcast frame": _forwarded(echo(dst=BEHIND, to=BROADCAST)),
    "to the routers' anycast address": _forwarded(echo(dst="2001:db8::")),
    "to ff02::2": _forwarded(echo(dst=ALL_ROUTERS)),
    "to our address on the other link": _forwarded(echo(dst="2001:db8:1::1")),
    "to ::1": _forwarded(echo(dst="::1")),
    "to a mapped address": _forwarded(echo(dst="::ffff:10.0.0.1")),
    # The last: the error about a neighbor that is not there would hold redirects back (Linux).
    "to a link-local destination": _forwarded(echo(REDIRECTED[2], "fe80::77")),
}
