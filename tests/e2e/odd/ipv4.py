"""Odd frames and odd sends of IPv4: what a host meets that something is wrong with, by the RFCs.

Both hosts that they are tried on have 10.0.0.1/24, the sender is 10.0.0.2.
"""

from typing import Any

from scapy.layers.inet import ICMP, IP, UDP, IPOption, IPOption_LSRR, IPOption_RR
from scapy.layers.l2 import ARP, LLC, SNAP, Dot1AD, Dot1Q, Dot3, Ether

from tests.e2e.kit import OURS_MAC, THEIRS_MAC
from tests.e2e.odd.odd import Send, World, once

OURS, THEIRS, STATIC, OTHER = "10.0.0.1", "10.0.0.2", "10.0.0.9", "10.0.0.77"
BROADCAST, GROUP_MAC = "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:09"
LISTENING, ELSEWHERE = 7000, 7001
"""Ports that are bound: on all addresses, and on 127.0.0.1 alone."""


def _ether(dst: str = OURS_MAC, src: str = THEIRS_MAC, **fields: Any) -> Any:
    return Ether(dst=dst, src=src, **fields)


def _arp(**fields: Any) -> bytes:
    given = {"op": 1, "psrc": THEIRS, "pdst": OURS, "hwsrc": THEIRS_MAC, **fields}
    return bytes(_ether() / ARP(**given))


def _arp_of_type(number: int) -> bytes:
    frame = _arp()
    return frame[:14] + number.to_bytes(2) + frame[16:]


def _ip(payload: Any = b"", dst_mac: str = OURS_MAC, **fields: Any) -> bytes:
    return bytes(_ether(dst_mac) / IP(**{"src": THEIRS, "dst": OURS, **fields}) / payload)


def _udp(dport: int = 9, payload: bytes = b"hello", ip: Any = None, **fields: Any) -> bytes:
    return _ip(UDP(sport=5000, dport=dport, **fields) / payload, **(ip or {}))


def _error(kind: int, code: int, quoted: Any) -> bytes:
    return _ip(ICMP(type=kind, code=code) / quoted)


def _tagged(tag: Any) -> Any:
    return _ether(type=0x88A8 if isinstance(tag, Dot1AD) else 0x8100) / tag


def _802_3(**fields: Any) -> Any:
    return Dot3(dst=OURS_MAC, src=THEIRS_MAC, **fields) / LLC() / SNAP(code=0x0800)


_ECHO = IP(src=THEIRS, dst=OURS) / ICMP()
_TOO_LONG = IPOption(option=30, length=200, value=b"\0\0")
_NEVER_SENT = IP(src=OURS, dst=THEIRS) / UDP(sport=4444, dport=9)

_FRAMES: dict[str, bytes] = {
    # Ethernet
    "unknown ethertype 0x88b5": bytes(_ether(type=0x88B5)) + bytes(46),
    "for another MAC address": _ip(ICMP(), "02:00:00:00:00:99"),
    "from a group MAC address": bytes(_ether(src=GROUP_MAC) / IP(src=THEIRS, dst=OURS) / ICMP()),
    "from our own MAC address": bytes(_ether(src=OURS_MAC) / IP(src=THEIRS, dst=OURS) / ICMP()),
    "VLAN tag of priority 5, VLAN 0": bytes(_tagged(Dot1Q(prio=5, vlan=0)) / _ECHO),
    "VLAN tag of VLAN 5": bytes(_tagged(Dot1Q(vlan=5)) / _ECHO),
    "VLAN tag of VLAN 5 in one of VLAN 0": bytes(_tagged(Dot1Q(vlan=0)) / Dot1Q(vlan=5) / _ECHO),
    "802.1ad tag of VLAN 5": bytes(_tagged(Dot1AD(vlan=5)) / _ECHO),
    "VLAN tag cut short": bytes(_tagged(Dot1Q(vlan=0)))[:16],
    "echo request in SNAP": bytes(_802_3() / _ECHO),
    "SNAP, length 100 of 36 B": bytes(_802_3(len=100) / _ECHO),
    # ARP
    "ARP cut short": _arp()[:-1],
    "ARP for another hardware type": _arp_of_type(7),
    "ARP of hardware type 6": _arp_of_type(6),
    "ARP of operation 3": _arp(op=3),
    "ARP request for another host": _arp(pdst=OTHER),
    "ARP request from another network": _arp(psrc="99.9.9.9"),
    "ARP probe, from 0.0.0.0": _arp(psrc="0.0.0.0"),
    "ARP request from a group address": _arp(psrc="224.0.0.1"),
    "ARP request from 127.0.0.1": _arp(psrc="127.0.0.1"),
    "ARP request from a group MAC": _arp(hwsrc=GROUP_MAC, psrc="10.0.0.66"),
    "ARP request for 127.0.0.1": _arp(pdst="127.0.0.1"),
    "ARP reply that nobody asked for": _arp(op=2, psrc=OTHER, hwdst=OURS_MAC),
    "ARP announcement of a stranger": _arp(psrc=OTHER, pdst=OTHER),
    "ARP request from our own address": _arp(psrc=OURS),
    "ARP reply against a static entry": _arp(op=2, psrc=STATIC, hwdst=OURS_MAC),
    # IPv4
    "IP header cut short": _ip()[: 14 + 19],
    "IP version 6 as IPv4": _ip(version=6),
    "IP header length 16": _ip(ihl=4),
    "IP header checksum wrong": _ip(ICMP(), chksum=1),
    "IP total length 100 in 28 B": _ip(ICMP(), len=100),
    "IP total length 10": _ip(ICMP(), len=10),
    "IP source 224.0.0.1": _ip(ICMP(), src="224.0.0.1"),
    "IP source 255.255.255.255": _ip(ICMP(), src="255.255.255.255"),
    "IP source 10.0.0.255": _ip(ICMP(), src="10.0.0.255"),
    "IP source 0.0.0.0": _ip(ICMP(), src="0.0.0.0"),
    "IP source 127.0.0.1": _ip(ICMP(), src="127.0.0.1"),
    "IP source is our own": _ip(ICMP(), src=OURS),
    "IP destination 127.0.0.1": _ip(ICMP(), dst="127.0.0.1"),
    "IP destination 0.0.0.0": _ip(ICMP(), dst="0.0.0.0"),
    "IP destination another host": _ip(ICMP(), dst=OTHER),
    "IP destination off the link": _ip(ICMP(), dst="8.8.8.8"),
    "IP destination a group not joined": _ip(ICMP(), GROUP_MAC, dst="224.0.0.9"),
    "echo request, unicast in a broadcast frame": _ip(ICMP(), BROADCAST),
    "echo request, TTL 0": _ip(ICMP(), ttl=0),
    "echo request, option record route": _ip(ICMP(), options=[IPOption_RR(routers=["0.0.0.0"])]),
    "echo request, loose source route": _ip(ICMP(), options=[IPOption_LSRR(routers=[OTHER])]),
    "echo request, option of length 200": _ip(ICMP(), options=[_TOO_LONG]),
    "IP protocol 250": _ip(b"12345678", proto=250),
    "first fragment alone": _ip(UDP(sport=5000, dport=9) / bytes(16), flags="MF", id=7),
    "last fragment alone": _ip(bytes(16), frag=2, proto=17, id=8),
    # ICMP
    "ICMP of 7 bytes": _ip(b"1234567", proto=1),
    "ICMP checksum wrong": _ip(ICMP(chksum=1)),
    "echo request to 10.0.0.255": _ip(ICMP(), BROADCAST, dst="10.0.0.255"),
    "echo reply that nobody waits for": _ip(ICMP(type=0, id=7)),
    "ICMP type 250": _ip(ICMP(type=250)),
    "timestamp request": _ip(ICMP(type=13)),
    "redirect": _error(5, 1, _NEVER_SENT),
    "port unreachable about nothing": _error(3, 3, _NEVER_SENT),
    "port unreachable, quote cut short": _error(3, 3, b"\x45\x00\x00"),
    # UDP
    "UDP of 7 bytes": _ip(b"1234567", proto=17),
    "UDP length 100 in 13 B": _udp(LISTENING, len=100),
    "UDP length 7": _udp(LISTENING, len=7),
    "UDP checksum wrong": _udp(LISTENING, chksum=1),
    "UDP to a closed port": _udp(),
    "UDP to a closed port, checksum 0": _udp(chksum=0),
    "UDP to port 0": _udp(0),
    "UDP to a port of 127.0.0.1 alone": _udp(ELSEWHERE),
    "UDP to 10.0.0.255, closed port": _udp(ip={"dst": "10.0.0.255", "dst_mac": BROADCAST}),
}
"""Each frame by what is odd about it."""


def _refusing(kind: str) -> Send:
    route = f"{kind} 192.0.2.0/24"
    return Send("192.0.2.1", setup=(f"route add {route}",), undo=(f"route del {route}",))


_DOWN, _UP = ("link set tap0 down",), ("link set tap0 up",)

_SENDS: dict[str, Send] = {
    "no route": Send("8.8.8.8"),
    "a blackhole route": _refusing("blackhole"),
    "an unreachable route": _refusing("unreachable"),
    "a prohibit route": _refusing("prohibit"),
    "a throw route": _refusing("throw"),
    "a source that is not ours": Send(THEIRS, source="10.0.0.50"),
    "bound to 127.0.0.1, to the link": Send(THEIRS, source="127.0.0.1"),
    "to 10.0.0.255 without permission": Send("10.0.0.255"),
    "to 255.255.255.255 without permission": Send("255.255.255.255", dev="tap0"),
    "1473 B, MTU 1500, not to be fragmented": Send(THEIRS, size=1473, df=True),
    "65508 B": Send("127.0.0.1", size=65508),
    "to port 0": Send(THEIRS, port=0),
    "to 0.0.0.0": Send("0.0.0.0"),
    "to 240.0.0.1": Send("240.0.0.1"),
    "to 224.0.0.9 without a route": Send("224.0.0.9"),
    "to 127.0.0.1 by tap0": Send("127.0.0.1", dev="tap0"),
    "by an interface that is down": Send(THEIRS, dev="tap0", setup=_DOWN, undo=_UP),
    "to the network of an interface that is down": Send(THEIRS, setup=_DOWN, undo=_UP),
    "by an interface without carrier": Send(THEIRS, setup=("carrier off",), undo=("carrier on",)),
    "by an interface without an address": Send(
        THEIRS,
        dev="tap0",
        setup=("addr del 10.0.0.1/24 dev tap0",),
        undo=("addr add 10.0.0.1/24 dev tap0",),
    ),
    "to a neighbor that does not answer": Send("10.0.0.88", late=True),
    "to a closed port of our own": Send("127.0.0.1", 4445, late=True),
}
"""Each send by what is odd about it."""

_DIFFERENCES = {
    "from a group MAC address": "no station has a group address (IEEE 802), so nobody could be"
    " answered; Linux looks at the IP addresses alone",
    "from our own MAC address": "our own frame came back through a loop, or somebody has our MAC;"
    " Linux looks at the IP addresses alone",
    "echo request in SNAP": "RFC 1122 2.3.3: SHOULD be able to receive it; Linux has no IP in SNAP",
    "ARP request from a group MAC": "RFC 1812 3.3.2 forbids believing it; Linux answers to that"
    " group",
    "IP source 10.0.0.255": "RFC 1122 3.2.1.3: a broadcast address cannot be a source; Linux"
    " answers to everybody on the link",
    "echo request, loose source route": "RFC 1122 3.3.5 tells the sender; Linux drops it silently",
    "timestamp request": "RFC 1122 3.2.2.8 leaves it to the host",
    "to 0.0.0.0": "RFC 1122 3.2.1.3(a): it cannot be a destination; for Linux it is the host"
    " itself",
    "to 127.0.0.1 by tap0": "RFC 1122 3.2.1.3(g): it never appears on a link; Linux sends ARP"
    " requests for it",
    "by an interface without carrier": "nobody can hear it; Linux drops it silently",
    "by an interface without an address": "nobody could answer 0.0.0.0; Linux sends from it",
}
"""Frames at which smolctl and Linux do not end alike, and the cause; the sets are compared."""


IPV4 = World(
    name="IPv4",
    addresses={"tap0": (f"{OURS}/24",)},
    neighbors={THEIRS: (THEIRS_MAC, "tap0"), STATIC: ("02:00:00:00:00:09", "tap0")},
    routes=(),
    linux_sysctls={"net.ipv4.icmp_ratelimit": 0, "net.ipv4.neigh.tap0.retrans_time_ms": 100},
    smolctl_sysctls={"icmp.ratelimit_ms": 0, "neigh.retrans_time_ms": 100},
    arrivals=once(_FRAMES),
    sends=_SENDS,
    differences=_DIFFERENCES,
    listening=(("", LISTENING), ("127.0.0.1", ELSEWHERE)),
)
