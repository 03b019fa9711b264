"""Fragmentation and reassembly against scapy, both ways."""

import random

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.packet import Raw

from smolctl.wire import ipv4
from smolctl.wire.fragment import fragments, fragments6
from tests.kit.fragments import payload_of
from tests.kit.host import OURS, PEER, frame_of
from tests.stack.reason.provokers import fresh

sizes = st.integers(0, 200) | st.integers(0, 65507)
seeds = st.integers(0, 1 << 32)


@given(sizes, st.integers(1, 1480 // 8), seeds)
def test_what_scapy_cuts_is_put_together(size: int, units: int, seed: int) -> None:
    host = fresh()
    socket = host.socket(7)
    chance = random.Random(seed)
    payload = chance.randbytes(size)
    whole = IP(src=PEER, dst=OURS, id=seed & 0xFFFF) / UDP(sport=9, dport=7) / Raw(payload)
    parts = fragment(whole, fragsize=max(units * 8, size // 64 // 8 * 8))
    chance.shuffle(parts)
    for part in parts:
        host.receive(frame_of(bytes(part)))
    assert payload_of(socket) == payload
    assert len(host.stack.ipv4.reassembly) == 0


def test_scapys_echo_request_is_answered() -> None:
    host = fresh()
    whole = IP(src=PEER, dst=OURS, id=7) / ICMP(id=1, seq=1) / Raw(bytes(1400))
    for part in fragment(whole, fragsize=504):
        host.receive(frame_of(bytes(part)))
    (answer,) = host.sent()
    assert answer.icmp.body == bytes(1400)


@given(sizes, st.integers(68, 9000))
def test_a_packet_is_cut_as_scapy_cuts_it(size: int, mtu: int) -> None:
    mtu = max(mtu, size // 64)
    payload = random.Random(size).randbytes(size)
    whole = IP(src=OURS, dst=PEER, id=7, proto=17) / Raw(payload)
    header = ipv4.parse(bytes(whole))
    assert isinstance(header, ipv4.Ipv4Header)
    theirs = fragment(whole, fragsize=mtu - 20) if size > mtu - 20 else [whole]
    assert fragments(header, payload, mtu) == [bytes(part) for part in theirs]


@given(sizes, st.integers(1280, 9000), seeds)
def test_an_ipv6_packet_is_cut_as_scapy_cuts_it(size: int, mtu: int, seed: int) -> None:
    payload = random.Random(seed).randbytes(size)
    ident = seed & 0xFFFFFFFF
    udp = UDP(sport=9, dport=7, len=8 + size & 0xFFFF, chksum=1) / Raw(payload)
    # scapy wants the fragment header in the whole packet.
    whole = IPv6(src="fe80::1", dst="fe80::2") / IPv6ExtHdrFragment(id=ident) / udp
    packet = bytes(IPv6(src="fe80::1", dst="fe80::2", nh=17) / Raw(bytes(udp)))
    theirs = [bytes(part) for part in fragment6(whole, mtu)] if len(packet) > mtu else [packet]
    assert fragments6(packet, mtu, ident) == theirs
