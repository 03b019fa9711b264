"""Each cause of the reasons of ICMP and UDP that have several; see ``provoke_causes``."""

from smolctl.stack.fib.route import RouteType
from smolctl.wire.address import BROADCAST_MAC
from tests.kit.groups import GROUP, group_frame, igmp_frame, member, query
from tests.kit.host import (
    OURS,
    PEER,
    Host,
    frame_of,
    icmp_frame,
    ip,
    packet_of,
    udp_frame,
    udp_packet,
)
from tests.stack.reason.provoke_causes import Row
from tests.stack.reason.provoke_groups import GENERAL
from tests.stack.reason.provoke_mtu import error_for_a_socket
from tests.stack.reason.provokers import (
    UDP,
    Provoker,
    bound_elsewhere,
    limited_by,
    peer_mismatch,
    rate_limited,
    receives,
    with_sysctl,
)
from tests.stack.reason.provokers_forward import as_router
from tests.stack.reason.provokers_icmp import FAR, redirect, redirected


def too_big(mtu: int, *, length: int = 33) -> Provoker:
    """Return a provoker of "fragmentation needed" about a socket's datagram of that length."""
    quoted = bytearray(udp_packet(5000, 9, src=OURS, dst=PEER))
    quoted[2:4] = length.to_bytes(2)

    def provoke(host: Host) -> None:
        host.socket(5000)
        host.receive(icmp_frame(3, 4, mtu, bytes(quoted)))

    return provoke


def fixed_mtu(host: Host) -> None:
    host.route(f"{PEER}/32", dev="tap0", mtu=1000, mtu_lock=True)
    too_big(600, length=1000)(host)


def no_way_any_more(host: Host) -> None:
    host.socket(5000)
    host.route(f"{PEER}/32", kind=RouteType.UNREACHABLE)
    host.receive(icmp_frame(3, 4, 600, udp_packet(5000, 9, src=OURS, dst=PEER)))


def redirected_directly(host: Host) -> None:
    host.socket(5000)
    host.receive(redirect("10.0.0.3", dst="10.0.0.5"))


def redirected_by_another_link(host: Host) -> None:
    host.link("tap1")
    host.add("10.7.0.1/24", "tap1")
    host.route("0.0.0.0/0", via="10.7.0.2")
    host.socket(5000)
    host.receive(redirect("10.0.0.3"))


def redirected_nowhere(host: Host) -> None:
    host.socket(5000)
    host.receive(redirect("10.0.0.3"))


def bound_to_another_link(host: Host) -> None:
    host.link("tap1")
    host.socket(7, dev="tap1")
    host.receive(UDP)


def group_unheard(host: Host) -> None:
    host.set("ip.multicast_all", 0)
    member(host, port=5001)
    host.socket(5000)
    host.receive(group_frame())


def other_port(host: Host) -> None:
    socket = host.socket(7)
    host.stack.udp.connect(socket, ip(PEER), 10)
    host.receive(UDP)


def bound_to_one_address(host: Host) -> None:
    host.socket(7, OURS)
    host.receive(udp_frame(dst="10.0.0.255", to=BROADCAST_MAC))


def general_query_to_a_group(host: Host) -> None:
    member(host)
    host.receive(igmp_frame(GENERAL, dst=GROUP))


def bad_option_to(dst: str) -> Provoker:
    """Return a provoker of a packet to all in a frame to us, with an option that makes no sense."""

    def provoke(host: Host) -> None:
        member(host)
        segment = udp_packet()[20:]
        host.receive(frame_of(packet_of(17, segment, dst=dst, options=b"\x07\x02")))

    return provoke


def _quoting(packet: bytes) -> Provoker:
    return receives(icmp_frame(3, 1, 0, packet))


def _ping(kind: int) -> bytes:
    return packet_of(1, bytes([kind, 0, 0, 0, 0, 7, 0, 1]), OURS, PEER)


_PROBLEM = "10.0.0.2 says that the header of a packet to 10.0.0.2 is wrong: "
_TOO_BIG = "10.0.0.2 says that the packet is too big for its next link"
_STRANGER = "10.0.0.4 is not the gateway to 192.0.2.7: that is 10.0.0.2"
_NAMES = "10.0.0.2 names {gateway} as first hop to 192.0.2.7: "


def _field(pointer: int) -> Provoker:
    return error_for_a_socket(12, 0, pointer << 24)


ICMP: dict[tuple[str, str], Row] = {
    ("icmp-truncated", "header"): (
        receives(frame_of(packet_of(1, bytes(7)))),
        "ICMP message of 7 B: an ICMP header has 8 B",
    ),
    ("icmp-truncated", "timestamp"): (
        with_sysctl("icmp.answer_timestamp", 1, receives(icmp_frame(13, body=bytes(3)))),
        "ICMP message of 11 B: a timestamp request has 12 B or more",
    ),
    ("icmp-mask-ignored", "request"): (
        receives(icmp_frame(17)), "address mask request (type 17) from 10.0.0.2 is ignored",
    ),
    ("icmp-mask-ignored", "reply"): (
        receives(icmp_frame(18)), "address mask reply (type 18) from 10.0.0.2 is ignored",
    ),
    ("icmp-redirect-stranger", "gateway"): (redirected("10.0.0.3", by="10.0.0.4"), _STRANGER),
    ("icmp-redirect-stranger", "link"): (
        redirected_by_another_link,
        "10.0.0.2 is not the gateway to 192.0.2.7: packets to it leave by tap1, not by tap0",
    ),
    ("icmp-redirect-stranger", "direct"): (
        redirected_directly,
        "10.0.0.2 is not the gateway to 10.0.0.5: it is reached without a gateway",
    ),
    ("icmp-redirect-stranger", "none"): (
        redirected_nowhere,
        "10.0.0.2 is not the gateway to 192.0.2.7: there is no way to it",
    ),
    ("icmp-redirect-no-host", "same"): (
        redirected(PEER), _NAMES.format(gateway=PEER) + "that is the gateway itself",
    ),
    ("icmp-redirect-no-host", "own"): (
        redirected(OURS), _NAMES.format(gateway=OURS) + "that is an address of ours",
    ),
    ("icmp-redirect-no-host", "broadcast"): (
        redirected("10.0.0.255"),
        _NAMES.format(gateway="10.0.0.255") + "that is a broadcast address",
    ),
    ("icmp-redirect-no-host", "no-host"): (
        redirected("224.0.0.9"),
        _NAMES.format(gateway="224.0.0.9") + "that is no address of a host",
    ),
    **{
        ("icmp-redirected", cause): (
            redirected("10.0.0.3", code=code), f"10.0.0.2 says that 10.0.0.3 is nearer to {words}",
        )
        for code, (cause, words) in enumerate((
            ("net", "the network of 192.0.2.7"),
            ("host", "192.0.2.7"),
            ("net-tos", "the network of 192.0.2.7, for this type of service"),
            ("host-tos", "192.0.2.7, for this type of service"),
        ))
    },
    ("icmp-error-unmatched", "quote"): (
        _quoting(bytes(28)), "type 3 code 1 from 10.0.0.2 quotes no IPv4 packet",
    ),
    ("icmp-error-unmatched", "code"): (
        redirected("10.0.0.3", code=4),
        "type 5 code 4 from 10.0.0.2 has a code that no RFC defines, about a packet to 192.0.2.7",
    ),
    ("icmp-error-unmatched", "source"): (
        _quoting(udp_packet(5000, 9, src="192.168.1.5", dst=FAR)),
        "type 3 code 1 from 10.0.0.2 quotes a packet to 192.0.2.7 from 192.168.1.5, which is no"
        " address of ours",
    ),
    ("icmp-error-unmatched", "protocol"): (
        _quoting(packet_of(47, bytes(8), OURS, PEER)),
        "type 3 code 1 from 10.0.0.2 quotes a packet to 10.0.0.2 of protocol 47, which nothing"
        " here sends",
    ),
    ("icmp-error-unmatched", "socket"): (
        _quoting(udp_packet(5000, 9, src=OURS, dst=PEER)),
        "type 3 code 1 from 10.0.0.2 quotes a datagram to 10.0.0.2 from port 5000, where no such"
        " socket is",
    ),
    ("icmp-error-unmatched", "ping"): (
        _quoting(_ping(8)),
        "type 3 code 1 from 10.0.0.2 quotes an echo request to 10.0.0.2, and no ping to it runs"
        " here",
    ),
    ("icmp-error-unmatched", "message"): (
        _quoting(_ping(0)),
        "type 3 code 1 from 10.0.0.2 quotes an ICMP message to 10.0.0.2 that is no echo request",
    ),
    ("icmp-reply-suppressed", "frame"): (
        receives(udp_frame(to=BROADCAST_MAC)),
        "no ICMP error is sent: the packet came in a frame to more than one station",
    ),
    ("icmp-reply-suppressed", "group"): (
        bad_option_to(GROUP), f"no ICMP error is sent: the packet is for a group, {GROUP}",
    ),
    ("icmp-reply-suppressed", "broadcast"): (
        bad_option_to("10.0.0.255"),
        "no ICMP error is sent: the packet is for a broadcast address, 10.0.0.255",
    ),
    ("icmp-reply-suppressed", "fragment"): (
        as_router(receives(frame_of(packet_of(17, bytes(8), dst="8.8.8.8", offset=8)))),
        "no ICMP error is sent: the packet is a fragment other than the first",
    ),
    ("icmp-reply-suppressed", "source"): (
        receives(udp_frame(src="240.0.0.1")),
        "no ICMP error is sent: its source 240.0.0.1 is not one host",
    ),
    ("icmp-reply-suppressed", "error"): (
        as_router(receives(frame_of(packet_of(1, bytes([3, 1]) + bytes(34), dst="8.8.8.8")))),
        "no ICMP error is sent: the packet is an ICMP error itself",
    ),
    ("icmp-reply-suppressed", "cut"): (
        as_router(receives(frame_of(packet_of(1, b"", dst="8.8.8.8")))),
        "no ICMP error is sent: the packet is an ICMP message that ends before its type",
    ),
    ("icmp-rate-limited", "host"): (
        rate_limited,
        "no ICMP error is sent to 10.0.0.2: it got too many already (icmp.ratelimit_ms)",
    ),
    ("icmp-rate-limited", "all"): (
        limited_by(1, 1),
        "no ICMP error is sent to 10.0.0.2: too many were sent to all hosts together"
        " (icmp.msgs_per_sec)",
    ),
    ("icmp-rate-limited", "none"): (
        limited_by(0, 0),
        "no ICMP error is sent to 10.0.0.2: none may be sent at all (icmp.msgs_burst is 0)",
    ),
    ("icmp-net-unreachable", "route"): (
        error_for_a_socket(3, 0), "10.0.0.2 says that it has no route to 10.0.0.2",
    ),
    ("icmp-net-unreachable", "unknown"): (
        error_for_a_socket(3, 6), "10.0.0.2 says that it does not know the network of 10.0.0.2",
    ),
    ("icmp-net-unreachable", "tos"): (
        error_for_a_socket(3, 11),
        "10.0.0.2 says that it has no route to 10.0.0.2 for this type of service",
    ),
    ("icmp-host-unreachable", "host"): (
        error_for_a_socket(3, 1), "10.0.0.2 says that it cannot reach 10.0.0.2",
    ),
    ("icmp-host-unreachable", "tos"): (
        error_for_a_socket(3, 12),
        "10.0.0.2 says that it cannot reach 10.0.0.2 with this type of service",
    ),
    ("icmp-host-unreachable", "code"): (
        error_for_a_socket(3, 16),
        "10.0.0.2 says that 10.0.0.2 is unreachable, by code 16, which no RFC defines",
    ),
    ("icmp-prohibited", "net"): (
        error_for_a_socket(3, 9),
        "10.0.0.2 says that we may not speak to the network of 10.0.0.2",
    ),
    ("icmp-prohibited", "host"): (
        error_for_a_socket(3, 10), "10.0.0.2 says that we may not speak to the host 10.0.0.2",
    ),
    ("icmp-prohibited", "rule"): (
        error_for_a_socket(3, 13), "10.0.0.2 says that a rule there forbids it",
    ),
    ("icmp-precedence", "violation"): (
        error_for_a_socket(3, 14),
        "10.0.0.2 says that the precedence of a packet to 10.0.0.2 is not allowed there",
    ),
    ("icmp-precedence", "cutoff"): (
        error_for_a_socket(3, 15),
        "10.0.0.2 says that the precedence of a packet to 10.0.0.2 is below the lowest that the"
        " network takes",
    ),
    ("icmp-time-exceeded", "ttl"): (
        error_for_a_socket(11, 0),
        "10.0.0.2 says that the time to live ran out on the way to 10.0.0.2",
    ),
    ("icmp-time-exceeded", "code"): (
        error_for_a_socket(11, 2),
        "10.0.0.2 says that a time ran out on the way to 10.0.0.2, by code 2, which no RFC"
        " defines",
    ),
    ("icmp-parameter-problem", "pointer"): (_field(1), _PROBLEM + "byte 1, the type of service"),
    ("icmp-parameter-problem", "option"): (
        error_for_a_socket(12, 1), _PROBLEM + "an option that it requires is missing",
    ),
    ("icmp-parameter-problem", "length"): (error_for_a_socket(12, 2), _PROBLEM + "a length"),
    ("icmp-parameter-problem", "code"): (
        error_for_a_socket(12, 3), _PROBLEM + "code 3, which no RFC defines",
    ),
    ("icmp-fragmentation-needed", "mtu"): (
        too_big(1400, length=1500),
        f"{_TOO_BIG}, whose MTU is 1400: 1400 B get through to 10.0.0.2",
    ),
    ("icmp-fragmentation-needed", "unnamed"): (
        too_big(0, length=1500),
        f"{_TOO_BIG}, and names no MTU: 552 B are assumed to get through to 10.0.0.2",
    ),
    ("icmp-fragmentation-needed", "small"): (
        too_big(500, length=1500),
        f"{_TOO_BIG}, whose MTU is only 500: with DF 500 B get through to 10.0.0.2; packets of up"
        " to 552 B leave without DF, and routers cut them",
    ),
    ("icmp-fragmentation-needed", "larger"): (
        too_big(1500, length=1400),
        f"{_TOO_BIG}, but names an MTU of 1500, which the 1400 B of the packet do not exceed",
    ),
    ("icmp-fragmentation-needed", "distrusted"): (
        with_sysctl("ip.no_pmtu_disc", 1, too_big(1400, length=1500)),
        f"{_TOO_BIG}; the MTU that it names is not believed (ip.no_pmtu_disc=1): 552 B are"
        " assumed to get through to 10.0.0.2",
    ),
    ("icmp-fragmentation-needed", "fixed"): (
        fixed_mtu,
        f"{_TOO_BIG}, whose MTU is 600, but the route to 10.0.0.2 has a fixed one: 1000",
    ),
    ("icmp-fragmentation-needed", "lost"): (
        no_way_any_more,
        f"{_TOO_BIG}, whose MTU is 600, but no way leads to 10.0.0.2 any more",
    ),
    ("igmp-query-refused", "group"): (
        receives(query(2, PEER, dst="224.0.0.1")),
        "a query of 10.0.0.2 asks for 10.0.0.2, which is not a group",
    ),
    ("igmp-query-refused", "sources"): (
        receives(query(3, "0.0.0.0", PEER)),
        "a query of 10.0.0.2 asks for all groups, but for some of their sources",
    ),
    ("igmp-query-refused", "alert"): (
        with_sysctl("igmp.strict_queries", 1, receives(igmp_frame(GENERAL, options=b""))),
        "a query of 10.0.0.2 has no router alert option",
    ),
    ("igmp-query-refused", "destination"): (
        with_sysctl("igmp.strict_queries", 1, general_query_to_a_group),
        "a query of 10.0.0.2 asks for all groups, but was not sent to 224.0.0.1",
    ),
    ("udp-bad-length", "header"): (
        receives(frame_of(packet_of(17, b"\0\7\0\7\0\x07\0\0"))),
        "UDP length 7: the header alone has 8 B",
    ),
    ("udp-bad-length", "cut"): (
        receives(frame_of(packet_of(17, b"\0\7\0\7\0\x09\0\0"))),
        "UDP length 9: IP brought only 8 B",
    ),
    ("udp-bound-elsewhere", "address"): (
        bound_elsewhere, "port 7 is bound to 127.0.0.1 (test), not to 10.0.0.1",
    ),
    ("udp-bound-elsewhere", "device"): (
        bound_to_another_link, "port 7 is bound to 0.0.0.0 dev tap1 (test), not on tap0",
    ),
    ("udp-peer-mismatch", "address"): (
        peer_mismatch,
        "the socket is connected to 10.0.0.3:9, the datagram is from 10.0.0.2:9: another address",
    ),
    ("udp-peer-mismatch", "port"): (
        other_port,
        "the socket is connected to 10.0.0.2:10, the datagram is from 10.0.0.2:9: the right"
        " address, another port",
    ),
    ("udp-no-listener", "closed"): (
        receives(udp_frame(dst="10.0.0.255", to=BROADCAST_MAC)),
        "nobody listens for 10.0.0.255 at port 7: no socket is bound to it",
    ),
    ("udp-no-listener", "bound"): (
        bound_to_one_address,
        "nobody listens for 10.0.0.255 at port 7: its sockets are bound to something else:"
        " 10.0.0.1 (test)",
    ),
    ("udp-no-listener", "group"): (
        group_unheard,
        f"nobody listens for {GROUP} at port 5000: its sockets do not hear this group and"
        " sender: 0.0.0.0 (test)",
    ),
}  # fmt: skip
