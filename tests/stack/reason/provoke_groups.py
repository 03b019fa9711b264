"""Provokers of the reasons about groups; a part of ``provoke.PROVOKERS``."""

from smolctl.wire.address import BROADCAST_MAC, multicast_mac
from smolctl.wire.igmp import Membership, Query
from tests.kit.groups import GROUP, group_frame, igmp_frame, member, only, query
from tests.kit.host import PEER, Host, echo_request, ip, udp_frame
from tests.stack.reason.provokers import Provoker, flipped, receives, with_sysctl

GENERAL = Query(3, 0, 100).to_bytes()
_IGMP_AT = 14 + 24
"""Offset of the message in a frame with the router alert option in its IP header."""


def filtered(host: Host) -> None:
    member(host, wanted=only("10.0.0.3"))
    host.receive(group_frame())


def unheard(host: Host) -> None:
    """There is a member, but its port is another one."""
    member(host, port=5001)
    host.receive(group_frame())


def unheard_at_its_port(host: Host) -> None:
    """There is a member, and a socket has the port that hears only the groups that it joined."""
    host.set("ip.multicast_all", 0)
    member(host, port=5001)
    host.socket(5000)
    host.receive(group_frame())


def copy_lost(host: Host) -> None:
    host.set("udp.rmem_default", 256)
    member(host)
    host.receive(group_frame(bytes(100)))
    host.set("udp.rmem_default", 212_992)
    member(host)
    host.receive(group_frame(bytes(100)))


PROVOKERS: dict[str, Provoker] = {
    "ip-multicast-not-joined": receives(
        udp_frame(dst="224.0.0.9", to=multicast_mac(ip("224.0.0.9")))
    ),
    "ip-multicast-filtered": filtered,
    "igmp-bad-length": receives(igmp_frame(bytes(7))),
    "igmp-bad-checksum": receives(flipped(igmp_frame(GENERAL), _IGMP_AT + 3)),
    "igmp-type-unknown": receives(igmp_frame(Membership(0x13, 0).to_bytes())),
    "igmp-query-refused": receives(query(3, "0.0.0.0", PEER)),
    "udp-no-listener": unheard,
    "udp-copy-lost": copy_lost,
}

_PING = echo_request(dst=GROUP, to=multicast_mac(ip(GROUP)))


def filtered_ping(host: Host) -> None:
    member(host, wanted=only("10.0.0.3"))
    host.receive(_PING)


VARIANTS: dict[str, tuple[Provoker, ...]] = {
    "ip-multicast-not-joined": (receives(_PING),),
    "ip-multicast-filtered": (filtered_ping,),
    "igmp-query-refused": (
        with_sysctl("igmp.strict_queries", 1, receives(igmp_frame(GENERAL, options=b""))),
        receives(query(2, PEER, dst="224.0.0.1")),
    ),
    "udp-no-listener": (
        receives(udp_frame(dst="10.0.0.255", to=BROADCAST_MAC)),
        unheard_at_its_port,
    ),
}
