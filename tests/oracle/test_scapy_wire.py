"""scapy as an independent oracle: it builds and we parse, we build and it parses."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP, ICMPerror, IPerror, UDPerror
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from smolctl.wire import arp, ethernet, icmpv4, ipv4, ipv4_options, udp
from smolctl.wire.address import format_address, format_mac
from smolctl.wire.arp import ArpPacket
from smolctl.wire.ethernet import EthernetHeader
from smolctl.wire.icmpv4 import IcmpMessage
from smolctl.wire.ipv4 import Ipv4Header
from smolctl.wire.udp import UdpHeader

words = st.integers(0, 0xFFFF)
octets = st.integers(0, 255)
addresses = st.integers(0, 2**32 - 1)
macs = st.binary(min_size=6, max_size=6)
payloads = st.binary(max_size=64)


def rebuilt(packet: Any) -> bytes:
    """Let scapy compute all lengths and checksums of a dissected packet anew."""
    copy = packet.copy()
    layer = copy
    while layer:
        for name in ("chksum", "len", "ihl"):
            if name in layer.fields:
                delattr(layer, name)
        layer = layer.payload
    return bytes(copy)


@given(macs, macs, words)
def test_ethernet(dst: bytes, src: bytes, ethertype: int) -> None:
    theirs = bytes(Ether(dst=format_mac(dst), src=format_mac(src), type=ethertype))
    ours = EthernetHeader(dst, src, ethertype)
    assert ethernet.parse(theirs) == ours
    assert ours.to_bytes() == theirs


@given(st.sampled_from([1, 2]), macs, addresses, macs, addresses)
def test_arp(op: int, sender_mac: bytes, sender_ip: int, target_mac: bytes, target_ip: int) -> None:
    theirs = bytes(
        ARP(
            op=op,
            hwsrc=format_mac(sender_mac),
            psrc=format_address(sender_ip),
            hwdst=format_mac(target_mac),
            pdst=format_address(target_ip),
        )
    )
    ours = ArpPacket(op, sender_mac, sender_ip, target_mac, target_ip)
    assert arp.parse(theirs) == ours
    assert ours.to_bytes() == theirs
    seen = ARP(ours.to_bytes())
    assert (seen.hwtype, seen.ptype, seen.hwlen, seen.plen) == (1, 0x0800, 6, 4)
    assert (seen.op, seen.psrc, seen.pdst) == (
        op,
        format_address(sender_ip),
        format_address(target_ip),
    )


@st.composite
def headers(draw: st.DrawFn) -> tuple[Ipv4Header, bytes]:
    payload = draw(payloads)
    # Record route and no-operation: options that scapy leaves as they are.
    options = draw(st.sampled_from([b"", b"\x01\x01\x01\x00", b"\x07\x07\x04\0\0\0\0\0"]))
    header = Ipv4Header(
        ihl=5 + len(options) // 4,
        dscp_ecn=draw(octets),
        total_length=20 + len(options) + len(payload),
        ident=draw(words),
        df=draw(st.booleans()),
        mf=draw(st.booleans()),
        fragment_offset=draw(st.integers(0, 0x1FFF)) * 8,
        ttl=draw(octets),
        # Numbers without a scapy layer, so that the payload stays raw.
        protocol=draw(st.sampled_from([99, 143, 253])),
        src=draw(addresses),
        dst=draw(addresses),
        options=options,
    )
    return header, payload


@given(headers())
def test_ipv4(case: tuple[Ipv4Header, bytes]) -> None:
    header, payload = case
    packet = header.to_bytes() + payload
    seen = IP(packet)
    assert seen.version == 4
    assert (seen.ihl, seen.tos, seen.len, seen.id) == header[:4]
    assert (bool(seen.flags.DF), bool(seen.flags.MF)) == (header.df, header.mf)
    assert (seen.frag * 8, seen.ttl, seen.proto) == header[6:9]
    assert (seen.src, seen.dst) == (format_address(header.src), format_address(header.dst))
    theirs = rebuilt(seen)
    assert theirs == packet
    assert ipv4.parse(theirs) == header


@given(words, words, payloads, addresses, addresses)
def test_udp(sport: int, dport: int, payload: bytes, src: int, dst: int) -> None:
    carrier = IP(src=format_address(src), dst=format_address(dst))
    theirs = bytes(carrier / UDP(sport=sport, dport=dport) / Raw(payload))[20:]
    ours = udp.to_bytes(sport, dport, payload, src, dst)
    assert ours == theirs
    header = udp.parse(theirs, src, dst)
    seen = UDP(ours)
    assert header == UdpHeader(seen.sport, seen.dport, seen.len, seen.chksum)


@given(words, words, payloads, st.sampled_from([0, 8]))
def test_icmp_echo(ident: int, sequence: int, data: bytes, icmp_type: int) -> None:
    theirs = bytes(ICMP(type=icmp_type, id=ident, seq=sequence) / Raw(data))
    ours = IcmpMessage(icmp_type, 0, ident << 16 | sequence, data)
    assert ours.to_bytes() == theirs
    assert icmpv4.parse(theirs) == ours
    seen = ICMP(ours.to_bytes())
    assert (seen.id, seen.seq) == (ours.ident, ours.sequence)


@given(addresses, addresses, words, words, st.integers(0, 15))
def test_icmp_error_and_its_quote(src: int, dst: int, sport: int, dport: int, code: int) -> None:
    carrier = IP(src=format_address(src), dst=format_address(dst), proto=17)
    quoted = bytes(carrier / UDP(sport=sport, dport=dport) / Raw(b"x" * 8))
    ours = IcmpMessage(3, code, 1400 if code == 4 else 0, quoted).to_bytes()
    seen = ICMP(ours)
    assert (seen.type, seen.code) == (3, code)
    assert seen[IPerror].src == format_address(src)
    assert (seen[UDPerror].sport, seen[UDPerror].dport) == (sport, dport)
    if code == 4:
        assert seen.nexthopmtu == 1400
    quote = icmpv4.parse_quote(quoted)
    assert quote is not None
    assert (quote.protocol, quote.src, quote.dst) == (17, src, dst)
    assert (quote.total_length, quote.sport, quote.dport) == (len(quoted), sport, dport)


def test_icmp_quote_of_an_echo_request() -> None:
    quoted = bytes(IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=8, id=77, seq=5))
    message = ICMP(IcmpMessage(11, 0, 0, quoted).to_bytes())
    quote = icmpv4.parse_quote(quoted)
    assert quote is not None
    assert (message[ICMPerror].id, message[ICMPerror].seq) == (77, 5)
    assert (quote.icmp_type, quote.icmp_ident, quote.icmp_sequence) == (8, 77, 5)


@pytest.mark.parametrize("option", ["IPOption_LSRR", "IPOption_SSRR"])
def test_source_route_options(option: str) -> None:
    inet = pytest.importorskip("scapy.layers.inet")
    route = getattr(inet, option)(routers=["10.0.0.9"])
    packet = bytes(IP(src="10.0.0.1", dst="10.0.0.2", options=[route], proto=99))
    header = ipv4.parse(packet)
    assert isinstance(header, Ipv4Header)
    options = ipv4_options.parse(header.options)
    assert isinstance(options, ipv4_options.Options)
    assert options.route == 0
