"""scapy as an independent oracle for IPv6 and its extension headers, both ways."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    Jumbo,
    PadN,
    RouterAlert,
)
from scapy.packet import Raw

from smolctl.wire import ipv6, udp
from smolctl.wire.address import IPV6_MARK, format_address, parse_address
from smolctl.wire.fault import WireFault
from smolctl.wire.ipv6 import Ipv6Header
from smolctl.wire.ipv6_ext import Chain, Fragment, Routing, options, options_header, walk
from smolctl.wire.udp import UdpHeader

words = st.integers(0, 0xFFFF)
octets = st.integers(0, 255)
addresses = st.integers(0, 2**128 - 1).map(lambda number: IPV6_MARK | number)
payloads = st.binary(max_size=64)
shown = format_address


@given(octets, st.integers(0, 0xFFFFF), octets, addresses, addresses, payloads)
def test_header(
    traffic_class: int, flow: int, hop_limit: int, src: int, dst: int, payload: bytes
) -> None:
    # 253 has no scapy layer, so that the payload stays raw.
    fields = IPv6(tc=traffic_class, fl=flow, nh=253, hlim=hop_limit, src=shown(src), dst=shown(dst))
    theirs = bytes(fields / Raw(payload))
    ours = Ipv6Header(traffic_class, flow, len(payload), 253, hop_limit, src, dst)
    assert ipv6.parse(theirs) == ours
    assert ours.to_bytes() + payload == theirs
    seen = IPv6(ours.to_bytes() + payload)
    assert (seen.version, seen.tc, seen.fl, seen.plen, seen.nh, seen.hlim) == (6, *ours[:5])
    # As numbers: scapy's text is that of glibc, which differs for ::/96.
    assert (parse_address(seen.src), parse_address(seen.dst)) == (src, dst)


@given(words, words, payloads, addresses, addresses)
def test_udp(sport: int, dport: int, payload: bytes, src: int, dst: int) -> None:
    carrier = IPv6(src=shown(src), dst=shown(dst))
    theirs = bytes(carrier / UDP(sport=sport, dport=dport) / Raw(payload))[40:]
    ours = udp.to_bytes(sport, dport, payload, src, dst)
    assert ours == theirs
    seen = UDP(ours)
    header = udp.parse(theirs, src, dst)
    assert header == UdpHeader(seen.sport, seen.dport, seen.len, seen.chksum)


def chain_of(packet: bytes) -> Chain:
    header = ipv6.parse(packet)
    assert isinstance(header, Ipv6Header)
    chain = walk(packet, header)
    assert isinstance(chain, Chain), chain
    return chain


parts = st.lists(
    st.sampled_from(["destination", "routing", "atomic"]) | st.just("destination"), max_size=6
)


@given(st.booleans(), parts, payloads)
def test_a_chain_ends_where_scapy_says(alert: bool, kinds: list[str], payload: bytes) -> None:
    packet: Any = IPv6(src="fe80::1", dst="fe80::2")
    if alert:
        packet /= IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)])
    for kind in kinds:
        if kind == "destination":
            packet /= IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])
        elif kind == "routing":
            packet /= IPv6ExtHdrRouting(addresses=["2001:db8::1"], segleft=0)
        else:
            packet /= IPv6ExtHdrFragment(id=5)
    data = bytes(packet / UDP(sport=1, dport=2) / Raw(payload))
    chain = chain_of(data)
    seen = IPv6(data)
    assert data[chain.offset :] == bytes(seen[UDP])
    assert (chain.protocol, chain.end) == (17, len(data))
    assert len(chain.headers) == len(kinds) + alert
    assert chain.alert == (0 if alert else None)
    assert chain.has_fragment_header == ("atomic" in kinds)


@given(st.integers(0, 0x1FFF), st.booleans(), st.integers(0, 2**32 - 1), octets)
def test_fragment_header(units: int, mf: bool, ident: int, inside: int) -> None:
    theirs = bytes(IPv6ExtHdrFragment(nh=inside, offset=units, m=int(mf), id=ident))
    ours = Fragment(inside, units * 8, mf, ident)
    assert ours.to_bytes() == theirs
    seen = IPv6ExtHdrFragment(ours.to_bytes())
    assert (seen.nh, seen.offset, bool(seen.m), seen.id) == (inside, units, mf, ident)


@given(octets, octets, octets, st.lists(addresses, max_size=3))
def test_routing_header(inside: int, kind: int, left: int, hops: list[int]) -> None:
    kind = 3 if kind == 4 else kind  # scapy has a layer of its own for segment routing
    fields = IPv6ExtHdrRouting(
        nh=inside, type=kind, segleft=left, addresses=[shown(hop) for hop in hops]
    )
    data = bytes(4) + b"".join((hop - IPV6_MARK).to_bytes(16) for hop in hops)
    assert Routing(inside, kind, left, data).to_bytes() == bytes(fields)


def test_options() -> None:
    theirs = bytes(
        IPv6ExtHdrHopByHop(nh=58, options=[RouterAlert(value=0), Jumbo(jumboplen=70000)])
    )
    found = options(bytes(40) + theirs, 40, len(theirs))
    assert not isinstance(found, WireFault)
    wanted = [(5, b"\0\0"), (0xC2, (70000).to_bytes(4))]
    assert [(each.type, each.data) for each in found] == wanted
    assert bytes(IPv6ExtHdrHopByHop(options_header(58, [(5, b"\0\0")]))) == options_header(
        58, [(5, b"\0\0")]
    )
