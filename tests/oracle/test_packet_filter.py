"""Filters against scapy's dissection and against tcpdump's own filters."""

import io
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.utils import RawPcapReader, RawPcapWriter

from smolctl.stack.explain.filter import parse
from smolctl.stack.explain.filter_match import FilteredPacket
from tests.kit.amount import examples
from tests.kit.netns import PATH

TCPDUMP = shutil.which("tcpdump", path=PATH)
ETHERNET, RAW = 1, 101
MAC = "02:00:00:00:00:02"

hosts = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.168.7.9", "255.255.255.255"])
nets = st.sampled_from(["10.0.0.0/24", "10.0.0.0/8", "0.0.0.0/0", "192.168.7.9/32", "10.0.0.2/31"])
hosts6 = st.sampled_from(["fe80::1", "fe80::2", "2001:db8::1", "::"])
nets6 = st.sampled_from(["fe80::/64", "fe80::2/128", "::/0", "2001:db8::/32", "fe80::/127"])
ports = st.sampled_from([0, 7, 53, 67, 65535])
numbers = st.sampled_from([1, 2, 6, 17, 44, 58, 132, 255])

# --- packets --------------------------------------------------------------------------------------
ALL_HOSTS = ("10.0.0.1", "10.0.0.2", "10.0.1.1")
UPPER: list[Any] = [
    UDP(sport=7, dport=53),
    UDP(sport=53, dport=53),
    UDP(sport=67, dport=7) / (b"x" * 30),
    TCP(sport=53, dport=7),
    ICMP() / b"data",
]


TAGGED: list[Any] = [
    tags / packet
    for tags in (
        Ether(dst=MAC) / Dot1Q(vlan=5, prio=3),
        Ether(dst=MAC, type=0x88A8) / Dot1AD(vlan=3) / Dot1Q(vlan=5),
        Ether(dst=MAC) / Dot1Q(vlan=3) / Dot1Q(vlan=3),
        Ether(dst=MAC) / Dot1Q(vlan=0, prio=7),
    )
    for packet in (
        IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=7, dport=53),
        IP(src="10.0.0.2", dst="10.0.1.1") / ICMP(),
        ARP(psrc="10.0.1.1", pdst="10.0.0.1"),
        IPv6(src="fe80::1", dst="fe80::2") / TCP(sport=53, dport=7),
    )
]


def corpus() -> list[bytes]:
    """Return packets from their IP or ARP header on, and some that go wrong behind it."""
    ip: list[Any] = []
    for number, upper in enumerate(UPPER):
        src, dst = ALL_HOSTS[number % 3], ALL_HOSTS[(number + 1) % 3]
        ip += [
            IP(src=src, dst=dst) / upper,
            IP(src=dst, dst="255.255.255.255", options=b"\x01" * 8) / upper,
            IP(src=src, dst=dst, flags="MF") / upper,
            IP(src=src, dst=dst, frag=1, proto=17) / bytes(upper),
            IPv6(src="fe80::1", dst="fe80::2") / upper,
            IPv6(src="fe80::1", dst="fe80::2") / IPv6ExtHdrFragment() / upper,
        ]
    near, far = IPv6(src="fe80::1", dst="2001:db8::1"), IPv6(src="2001:db8::1", dst="fe80::2")
    ip += [near / ICMPv6EchoRequest(), far / IPv6ExtHdrFragment() / ICMPv6EchoRequest()]
    ip += [IPv6(src="::", dst="ff02::1:ff00:1") / ICMPv6ND_NS(tgt="fe80::1")]
    ip += [IPv6(src="fe80::1", dst="fe80::2", nh=58), near / IPv6ExtHdrDestOpt() / UDP(sport=7)]
    ip += [IP(src="192.168.7.9", dst="10.0.0.2", proto=number) / (b"\0" * 8) for number in (2, 132)]
    ip += [IP(src="10.0.0.1", dst="10.0.0.2", chksum=1) / UDP(sport=7, dport=67, len=3)]
    ip += [IP(src="10.0.0.1", dst="10.0.0.2", len=9) / UDP(sport=7, dport=67)]
    return [bytes(packet) for packet in ip]


def frames() -> list[bytes]:
    def ether(packet: bytes) -> bytes:
        return bytes(Ether(dst=MAC, type=0x0800 if packet[0] >> 4 == 4 else 0x86DD)) + packet

    others = [
        Ether(dst=MAC) / ARP(op=op, psrc=src, pdst=dst)
        for op, src, dst in ((1, "10.0.0.1", "10.0.0.2"), (2, "10.0.1.1", "10.0.0.1"))
    ]
    others += [Ether(dst=MAC, type=0x8035) / ARP(op=3, psrc="10.0.0.2", pdst="10.0.1.1")]
    others += [Ether(dst=MAC) / Dot1Q(vlan=3) / IP(src="10.0.0.1", dst="10.0.0.2") / UDP()]
    others += TAGGED
    others += [Ether(dst=MAC, type=0x88CC) / (b"\x45" * 60)]
    return [ether(packet) for packet in corpus()] + [bytes(f) for f in others]


FRAMES = {ETHERNET: frames(), RAW: corpus()}

# --- filters that tcpdump understands too ---------------------------------------------------------
ways = st.sampled_from(["", "src", "dst", "src or dst", "src and dst"])
terms = st.one_of(
    st.sampled_from(["ip", "arp", "rarp", "icmp", "igmp", "udp", "tcp", "ip6", "icmp6"]),
    st.builds("{} {} host {}".format, st.sampled_from(["", "ip", "arp", "rarp"]), ways, hosts),
    st.builds("{} {} host {}".format, st.sampled_from(["", "ip6"]), ways, hosts6),
    st.builds("{} {} net {}".format, st.sampled_from(["", "ip6"]), ways, nets6),
    st.builds("{} {}".format, ways.filter(bool), hosts6),
    st.builds("{} {}".format, ways.filter(bool), hosts),
    st.builds("{} {} net {}".format, st.sampled_from(["", "ip", "arp"]), ways, nets),
    st.builds("{} {} port {}".format, st.sampled_from(["", "udp", "tcp"]), ways, ports),
    st.builds("{} port {} or {}".format, ways, ports, ports),
    st.builds("host ({} or {})".format, hosts, hosts),
    st.builds("{} proto {}".format, st.sampled_from(["", "ip", "ip6"]), numbers),
)


def expressions(terms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        terms,
        lambda inner: st.one_of(
            st.builds("{} {} {}".format, inner, st.sampled_from(["and", "or", "&&", "||"]), inner),
            st.builds("({})".format, inner),
            st.builds("{} ({})".format, st.sampled_from(["not", "!"]), inner),
            st.builds("not {}".format, inner),
        ),
        max_leaves=5,
    )


filters = expressions(terms)
vlans = st.sampled_from(["vlan", "vlan 3", "vlan 5", "vlan 0", "vlan 4095"])


def tcpdump(frames: list[bytes], linktype: int, text: str) -> list[bytes] | None:
    """Return the packets that tcpdump chooses; None when it finds that no packet can match."""
    file = io.BytesIO()
    writer = RawPcapWriter(file, linktype=linktype)
    writer.write_header(None)
    for number, frame in enumerate(frames):
        writer.write_packet(frame, sec=number, usec=0)
    result = subprocess.run(
        [str(TCPDUMP), "-r", "-", "-w", "-", text],
        input=file.getvalue(), capture_output=True, timeout=30,
    )  # fmt: skip
    if b"rejects all packets" in result.stderr:
        return None
    assert result.returncode == 0, (text, result.stderr)
    return [data for data, _ in RawPcapReader(io.BytesIO(result.stdout))]


@pytest.mark.skipif(TCPDUMP is None, reason="needs tcpdump (as root: make deps)")
@pytest.mark.parametrize("linktype", [ETHERNET, RAW])
@given(filters)
@examples(60, times=0.1)
def test_chooses_the_packets_that_tcpdump_chooses(linktype: int, text: str) -> None:
    wanted = parse(text)
    ours = [
        frame
        for frame in FRAMES[linktype]
        if wanted.matches(FilteredPacket(frame, ethernet=linktype == ETHERNET))
    ]
    assert ours == (tcpdump(FRAMES[linktype], linktype, text) or [])


@pytest.mark.skipif(TCPDUMP is None, reason="needs tcpdump (as root: make deps)")
@given(expressions(st.one_of(vlans, vlans, terms)))
@examples(60, times=0.1)
def test_looks_behind_the_tags_that_tcpdump_looks_behind(text: str) -> None:
    wanted = parse(text)
    ours = [frame for frame in FRAMES[ETHERNET] if wanted.matches(FilteredPacket(frame))]
    assert ours == (tcpdump(FRAMES[ETHERNET], ETHERNET, text) or [])


# --- scapy ----------------------------------------------------------------------------------------
addresses = st.builds("10.0.{}.{}".format, st.integers(0, 3), st.integers(0, 255))
lengths = st.integers(0, 32)


@given(
    addresses, addresses, addresses, st.sampled_from(["udp", "tcp", "icmp"]), ports, ports, ports
)
def test_reads_the_fields_that_scapy_wrote(
    src: str, dst: str, asked: str, protocol: str, sport: int, dport: int, port: int
) -> None:
    upper = {"udp": UDP, "tcp": TCP}.get(protocol)
    payload = upper(sport=sport, dport=dport) if upper else ICMP()
    packet = FilteredPacket(bytes(Ether(dst=MAC) / IP(src=src, dst=dst) / payload))

    def matches(text: str) -> bool:
        return parse(text).matches(packet)

    has_ports = protocol != "icmp"
    assert matches(protocol)
    assert matches(f"src {src} and dst {dst}")
    assert matches(f"host {asked}") == (asked in (src, dst))
    assert matches(f"net {asked.rpartition('.')[0]}.0/24") == (
        asked.split(".")[2] in (src.split(".")[2], dst.split(".")[2])
    )
    assert matches(f"port {port}") == (has_ports and port in (sport, dport))
    assert matches(f"sport {port}") == (has_ports and port == sport)
    assert matches(f"udp dport {port}") == (protocol == "udp" and port == dport)
