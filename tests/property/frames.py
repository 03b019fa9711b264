"""Random frames of both families: right, odd and broken."""

from hypothesis import strategies as st

from smolctl.wire import icmpv4, icmpv6, ndp, tcp, vlan
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC, multicast_mac
from smolctl.wire.vlan import Tpid, VlanTag
from tests.kit.groups import ALL_HOSTS, GROUP, group_frame, igmp_frame, query, reported
from tests.kit.host import (
    OTHER_MAC,
    OUR_MAC,
    PEER_MAC,
    arp_frame,
    frame_of,
    icmp_frame,
    ip,
    packet_of,
    udp_frame,
    udp_packet,
)
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    PEER_LINK_LOCAL,
    frame6_of,
    icmp6_packet,
    nd_frame,
    packet6_of,
    udp6_packet,
)

DEVS = ("tap0", "tap1")
# Ours and others', on the link and off it, groups, and what must never be seen on a wire.
IPS = (
    "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.2", "10.0.0.3", "10.0.0.4",
    "10.0.0.9", "10.0.0.255", "10.1.0.1", "10.1.0.2", "10.9.7.7", "8.8.8.8", "127.0.0.1",
    "127.0.0.2", "0.0.0.0", "0.0.0.9", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255",
)  # fmt: skip
MACS = (OUR_MAC, OTHER_MAC, PEER_MAC, BROADCAST_MAC, ZERO_MAC, multicast_mac(1))
PORTS = (7, 8, 9, 5000, 0)
GROUP6 = "ff05::1:3"
IPS6 = (
    "2001:db8::1", "2001:db8::1", "2001:db8::2", "2001:db8::2", "2001:db8::2", "2001:db8::3",
    "2001:db8:1::1", "2001:db8:1::2", "2001:db8::9", OUR_LINK_LOCAL, PEER_LINK_LOCAL, "2600::1",
    "::1", "::", "ff02::1", "ff02::2", GROUP6, "ff02::1:ff00:1", "ff01::1", "ff0e::1",
    "::ffff:10.0.0.1", "2001:db8::",
)  # fmt: skip
OPTIONS = (
    b"\x07\x07\x04\0\0\0\0",  # record route, one slot
    b"\x44\x0c\x05\x01" + bytes(8),  # timestamp with address
    b"\x44\x04\x05\xf0",  # timestamp, overflown
    b"\x83\x07\x08\x0a\0\0\x03",  # a source route that ends here
    b"\x83\x07\x04\x0a\0\0\x03",  # one that goes on
    b"\x94\x04\0\0",  # router alert
    b"\x07\x03\x04\x83\x03\x04",
    b"\x07\x02",  # no option can be so short
    b"\x01\xde\x03\x09\0",
)
"""IP options that come in."""


ips, macs, ports, devs = (st.sampled_from(pool) for pool in (IPS, MACS, PORTS, DEVS))
# Mostly right, so that what is inside of a frame is looked at.
to_macs = st.sampled_from([*[OUR_MAC] * 8, *[BROADCAST_MAC] * 3, *MACS])
srcs = st.sampled_from([*["10.0.0.2"] * 12, *IPS])
dsts = st.sampled_from([*["10.0.0.1"] * 12, *IPS])
by_macs = st.sampled_from([*[PEER_MAC] * 8, *MACS])
payloads = st.binary(max_size=40) | st.sampled_from([bytes(400), bytes(1472), b"\xff\xff"])


# --- frames ---------------------------------------------------------------------------------------


def quoted(src: str, dst: str, sport: int, dport: int) -> bytes:
    return udp_packet(sport, dport, b"quote", src, dst)


arps = st.builds(
    lambda op, sender, target, mac, same, to, by: arp_frame(
        op, sender, target, mac=mac, target_mac=mac if same else OUR_MAC, to=to, by=by
    ),
    st.sampled_from([1, 1, 1, 2, 2, 2, 3]), srcs, dsts, by_macs,
    st.booleans(), to_macs, by_macs,
)  # fmt: skip
udps = st.builds(
    lambda sport, dport, payload, src, dst, to: udp_frame(sport, dport, payload, src, dst, to=to),
    ports, ports, payloads, srcs, dsts, to_macs,
)  # fmt: skip


def tcp_frame(
    ends: tuple[str, str], ports_: tuple[int, int], numbers: tuple[int, int, int], flags: int,
    options: bytes, payload: bytes,
) -> bytes:  # fmt: skip
    """Return a TCP segment in a frame to us."""
    (src, dst), (sport, dport), (seq, ack, window) = ends, ports_, numbers
    header = tcp.TcpHeader(sport, dport, seq, ack, 0, flags, window, 0, options)
    return frame_of(packet_of(6, header.to_bytes(payload, ip(src), ip(dst)), src, dst))


tcps = st.builds(
    tcp_frame,
    st.tuples(srcs, dsts),
    st.tuples(st.sampled_from([9, 5000]), st.sampled_from([7, 8, 9])),
    st.tuples(
        st.sampled_from([0, 1, 1000, 0xFFFFFFFF]), st.sampled_from([0, 1, 7]),
        st.sampled_from([0, 1000, 65_535]),
    ),
    st.sampled_from([2, 2, 2, 2, 16, 16, 17, 4, 20, 18, 0, 3, 24, 1]),
    st.sampled_from([b"", b"\2\4\5\xb4", b"\x08\x0a" + bytes(8), b"\2\4\0\0\3\3\7\4\2\xfd\xff"]),
    st.sampled_from([b"", b"", b"data"]),
)  # fmt: skip
plain_udps = st.builds(
    lambda sport, dport, payload: udp_frame(sport, dport, payload, "10.0.0.2", "10.0.0.1"),
    st.sampled_from([7, 9]), st.sampled_from([7, 8]), payloads,
)  # fmt: skip
# Ident 0 is what the clients of a world have when the stack's random function returns 0.5.
echoes = st.builds(
    lambda kind, src, dst, ident, to: icmp_frame(kind, 0, ident << 16 | 1, b"e", src, dst, to=to),
    st.sampled_from([icmpv4.Type.ECHO_REQUEST, icmpv4.Type.ECHO_REPLY]), srcs, dsts,
    st.sampled_from([0x8000, 1]), to_macs,
)  # fmt: skip
errors = st.builds(
    lambda kind, code, rest, body, src, dst: icmp_frame(kind, code, rest, body, src, dst),
    st.sampled_from([3, 3, 3, 4, 5, 11, 12, 13]), st.integers(0, 16) | st.just(4),
    st.sampled_from([0, 70, 100, 600, 1400, 9000]),
    st.builds(quoted, dsts, srcs, ports, ports), srcs, dsts,
)  # fmt: skip
odd_packets = st.builds(
    lambda protocol, payload, src, dst, mf, offset, options: frame_of(
        packet_of(protocol, payload, src, dst, mf=mf, offset=offset, options=options)
    ),
    st.sampled_from([1, 2, 6, 17, 132]), st.binary(max_size=30), srcs, dsts, st.booleans(),
    st.sampled_from([0, 0, 8, 16]), st.sampled_from([b"", *OPTIONS]),
)  # fmt: skip
marked = st.builds(
    lambda sport, dport, payload, options, tos: frame_of(
        packet_of(17, udp_packet(sport, dport, payload)[20:], options=options, tos=tos)
    ),
    st.sampled_from([7, 9]), st.sampled_from([7, 8]), payloads,
    st.sampled_from([b"", *OPTIONS]), st.sampled_from([0, 0x10, 0xB8]),
)  # fmt: skip
"""Datagrams with a type of service and options, in the flows of plain ones."""


groups = st.sampled_from([ALL_HOSTS, GROUP])
to_groups = st.builds(
    lambda dport, payload, src, group: group_frame(payload, src, group, dport),
    ports, payloads, srcs, groups,
)  # fmt: skip
igmps: st.SearchStrategy[bytes] = st.one_of(
    st.builds(
        query, st.integers(1, 3), st.sampled_from(["0.0.0.0", GROUP, "10.0.0.1"]),
        code=st.sampled_from([1, 100]), dst=groups,
    ),
    st.builds(query, st.just(3), groups, srcs, dst=groups),
    st.builds(reported, groups, st.integers(1, 2)),
    st.builds(igmp_frame, st.binary(max_size=20), srcs, groups),
)  # fmt: skip


# --- IPv6 -----------------------------------------------------------------------------------------

ips6 = st.sampled_from(IPS6)
srcs6 = st.sampled_from([*["2001:db8::2"] * 12, *IPS6])
dsts6 = st.sampled_from([*["2001:db8::1"] * 12, *IPS6])
udps6 = st.builds(
    lambda sport, dport, payload, src, dst: frame6_of(udp6_packet(sport, dport, payload, src, dst)),
    ports, ports, payloads, srcs6, dsts6,
)  # fmt: skip
plain_udps6 = st.builds(
    lambda sport, dport, payload: frame6_of(udp6_packet(sport, dport, payload)),
    st.sampled_from([7, 9]), st.sampled_from([7, 8]), payloads,
)  # fmt: skip
echoes6 = st.builds(
    lambda kind, src, dst, ident: frame6_of(
        icmp6_packet(kind, 0, ident << 16 | 1, b"e", src, dst)
    ),
    st.sampled_from([icmpv6.Type.ECHO_REQUEST, icmpv6.Type.ECHO_REPLY]), srcs6, dsts6,
    st.sampled_from([0x8000, 1]),
)  # fmt: skip
errors6 = st.builds(
    lambda kind, code, rest, src, dst, sport, dport: frame6_of(
        icmp6_packet(kind, code, rest, udp6_packet(sport, dport, b"quote", dst, src), src, dst)
    ),
    st.sampled_from([1, 1, 2, 2, 3, 4, 100, 127]), st.integers(0, 8),
    st.sampled_from([0, 6, 40, 600, 1280, 1400, 9000]), srcs6, dsts6, ports, ports,
)  # fmt: skip
lladdrs = st.none() | by_macs
hop_limits = st.sampled_from([255, 255, 255, 255, 64])
solicitations = st.builds(
    lambda target, mac, src, dst, hops: nd_frame(
        ndp.NeighborSolicitation(ip(target), ndp.Options(source=mac)), src, dst, hops=hops
    ),
    dsts6, lladdrs, srcs6, dsts6 | st.just("ff02::1:ff00:1"), hop_limits,
)  # fmt: skip
advertisements = st.builds(
    lambda flags, target, mac, src, dst, hops: nd_frame(
        ndp.NeighborAdvertisement(
            flags[0], flags[1], flags[2], ip(target), ndp.Options(target=mac)
        ), src, dst, hops=hops
    ),
    st.tuples(st.booleans(), st.booleans(), st.booleans()), srcs6, lladdrs, srcs6,
    dsts6 | st.just("ff02::1"), hop_limits,
)  # fmt: skip
redirects6 = st.builds(
    lambda target, dst, mac, src, quote: nd_frame(
        ndp.Redirect(ip(target), ip(dst), ndp.Options(target=mac, redirected=quote)), src
    ),
    ips6, ips6, lladdrs, st.sampled_from([PEER_LINK_LOCAL, "2001:db8::2"]),
    st.builds(udp6_packet, ports, ports, st.just(b"quote"), dsts6, ips6),
)  # fmt: skip
for_routers = st.builds(
    lambda kind, body, src, dst, hops: frame6_of(
        icmp6_packet(kind, 0, 0, body, src, dst, hops=hops)
    ),
    st.sampled_from([130, 131, 132, 133, 134, 143, 200]), st.binary(max_size=40),
    st.sampled_from([PEER_LINK_LOCAL, "::", "2001:db8::2"]),
    st.sampled_from(["ff02::1", "ff02::2", "ff02::16", "2001:db8::1"]), st.sampled_from([1, 255]),
)  # fmt: skip
OPTIONS6 = (
    b"\1\4\0\0\0\0", b"\1\4\0\0\0\1", bytes(6), b"\5\2\0\0\1\0", b"\x1e\4abcd", b"\x5e\4abcd",
    b"\x9e\4abcd", b"\xde\4abcd", b"\x1e\xc8abcd", b"\x1e\0" * 10 + b"\0\0", b"\xc2\4\0\1\0\0",
)  # fmt: skip
"""Options of extension headers that come in, all but their last padding."""
option_headers = st.builds(
    lambda number, options: (number, bytes([len(options) // 8]) + options),
    st.sampled_from([0, 60, 60]), st.sampled_from(OPTIONS6),
)  # fmt: skip
routing_headers = st.builds(
    lambda kind, left: (43, bytes([2, kind, left]) + bytes(20)),
    st.sampled_from([0, 2, 3, 4, 99]), st.integers(0, 1),
)  # fmt: skip
fragment_headers = st.builds(
    lambda offset, more, ident: (44, bytes([0]) + (offset | more).to_bytes(2) + bytes([0] * 3)
                                 + bytes([ident])),
    st.sampled_from([0, 0, 8, 16, 65528]), st.booleans(), st.integers(0, 2),
)  # fmt: skip


def chained(
    headers: list[tuple[int, bytes]], number: int, payload: bytes, src: str, dst: str
) -> bytes:
    """Return a packet with extension headers in a frame."""
    for kind, rest in reversed(headers):
        payload = bytes([number]) + rest + payload
        number = kind
    return frame6_of(packet6_of(number, payload, src, dst))


extended6 = st.builds(
    lambda headers, inner, src, dst: chained(headers, inner[0], inner[1], src, dst),
    st.lists(option_headers | routing_headers | fragment_headers, min_size=1, max_size=4),
    st.one_of(
        st.builds(lambda sport, dport, data: (17, udp6_packet(sport, dport, data)[40:]),
                  ports, ports, payloads),
        st.just((58, icmp6_packet(128, 0, 0x80000001, b"e")[40:])),
        st.tuples(st.sampled_from([17, 58, 59, 250]), st.binary(max_size=30)),
    ),
    srcs6, dsts6,
)  # fmt: skip
nds = st.one_of(solicitations, solicitations, advertisements, advertisements, redirects6)
frames6 = st.one_of(
    udps6, plain_udps6, plain_udps6, echoes6, errors6, nds, nds, for_routers, extended6, extended6
)


# --- of both families -----------------------------------------------------------------------------


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a good frame with something wrong: a changed byte, cut short, or padded."""
    frame: bytes = draw(st.one_of(arps, udps, plain_udps, tcps, echoes, errors, igmps, frames6))
    how = draw(st.integers(0, 3))
    at = draw(st.integers(0, len(frame) - 1))
    if how == 0:
        return frame[:at]
    if how == 1:
        return frame + draw(st.binary(max_size=20))
    changed = bytes([frame[at] ^ draw(st.integers(1, 255))])
    return frame[:at] + changed + frame[at + 1 :]


frames4 = st.one_of(
    arps, udps, plain_udps, plain_udps, tcps, echoes, errors, odd_packets, marked, to_groups, igmps
)
good_frames = frames4 | frames6
tags = st.builds(
    VlanTag, st.sampled_from(Tpid), st.sampled_from([0, 0, 3]), st.booleans(),
    st.sampled_from([0, 5, 5, 6]),
)  # fmt: skip
tagged = st.builds(vlan.tagged, good_frames, tags)
frames = st.one_of(good_frames, good_frames, good_frames, tagged, mutated(), st.binary(max_size=80))


def arriving(dev: str, frame: bytes) -> tuple[str, bytes]:
    """Return a frame for tap0 as it would be sent to ``dev``, and ``dev``."""
    to_us = dev == "tap1" and frame[:6] == OUR_MAC
    return dev, OTHER_MAC + frame[6:] if to_us else frame


arrivals = st.builds(arriving, st.sampled_from(["tap0", "tap0", "tap1"]), frames)
