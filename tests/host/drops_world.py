"""Packets that Linux drops, provoked in one namespace, beside what smolctl says of each.

The kernel has two TAPs, whose other ends are in this process: a frame that is written there is
dealt with before the write returns.
"""

import os
import socket
import struct
from contextlib import suppress
from fcntl import ioctl
from typing import NamedTuple

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether

from smolctl.host.namespace import inside
from tests.e2e.kit import OURS_MAC, THEIRS_MAC, Peer
from tests.kit.netns import Namespace
from tests.kit.process import wait_until

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
_TUNSETCARRIER = 0x400454E2
MACS = {"tap0": OURS_MAC, "tap1": "02:00:00:00:01:01"}
PORT = 7000
"""Port of a socket whose program never reads."""
_US, _THEM, _US6, _THEM6 = "10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2"
_FAR, _FAR6, _LOST, _LOST6 = "198.51.100.9", "2001:db8:f::9", "10.1.0.77", "2001:db8:1::77"
_HOLE, _HOLE6, _BEYOND = "203.0.113.9", "2001:db8:dead::9", "2001:db8:1::9"


class Case(NamedTuple):
    """One packet that is dropped.

    Attributes:
        name: what it is.
        linux: the kernel's reasons, in their order; none where it says nothing.
        ours: smolctl's reason.
        frame: what comes in by tap0; None where the packet is sent.
        send: the question that asks ``why`` about a packet that is sent.
        predicted: the twin's reason, if it cannot be ours; "" where it cannot know.
    """

    name: str
    linux: tuple[str, ...]
    ours: str
    frame: bytes | None = None
    send: str = ""
    predicted: str | None = None


def _ip(inside: object, dst_mac: str = OURS_MAC, **fields: object) -> bytes:
    head = IP(**{"src": _THEM, "dst": _US, **fields})
    return bytes(Ether(dst=dst_mac, src=THEIRS_MAC) / head / inside)


def _ip6(inside: object, **fields: object) -> bytes:
    head = IPv6(**{"src": _THEM6, "dst": _US6, **fields})
    return bytes(Ether(dst=OURS_MAC, src=THEIRS_MAC) / head / inside)


def _udp(dport: int = 9, **fields: object) -> object:
    return UDP(sport=5000, dport=dport, **fields) / b"hello"


_FULL = _ip(UDP(sport=5000, dport=PORT) / bytes(600))
_ECHO, _ECHO6 = ICMP(), ICMPv6EchoRequest()
_SHORT = bytes(Ether(dst=OURS_MAC, src=THEIRS_MAC, type=0x0800)) + bytes(IP())[:19]

CASES = (
    Case("reverse path", ("IP_RPFILTER",), "ip-reverse-path", _ip(_ECHO, src="10.1.0.9")),
    Case("no socket, UDP", ("NO_SOCKET",), "udp-port-closed", _ip(_udp())),
    Case("no socket, UDP over IPv6", ("NO_SOCKET",), "udp-port-closed", _ip6(_udp())),
    Case("nobody listens", ("NO_SOCKET",), "tcp-no-listener", _ip(TCP(dport=81))),
    Case(
        "nobody listens, IPv6", ("NO_SOCKET",), "tcp-no-listener", _ip6(TCP(dport=81))
    ),
    Case(
        "an ACK from nowhere", ("NO_SOCKET",), "tcp-no-connection",
        _ip(TCP(dport=81, flags="A", ack=7)),
    ),
    Case("a reset from nowhere", ("NO_SOCKET",), "tcp-stray-rst", _ip(TCP(dport=81, flags="R"))),
    Case("TCP checksum", ("TCP_CSUM",), "tcp-bad-checksum", _ip(TCP(dport=81, chksum=1))),
    Case("no route on, IPv4", ("IP_INNOROUTES",), "fwd-no-route", _ip(_ECHO, dst=_FAR)),
    Case("no route on, IPv6", ("IP_INNOROUTES",), "fwd-no-route", _ip6(_ECHO6, dst=_FAR6)),
    Case("martian source", ("IP_INVALID_SOURCE",), "ip-src-invalid", _ip(_ECHO, src="224.0.0.5")),
    Case(
        "loopback source", ("IP_LOCALNET",), "ip-loopback-on-wire", _ip(_ECHO, src="127.0.0.1")
    ),
    Case(
        "loopback source, IPv6", ("IP_INHDR",), "ip6-loopback-on-wire", _ip6(_ECHO6, src="::1")
    ),
    Case("our own source", ("IP_LOCAL_SOURCE",), "ip-src-is-ours", _ip(_ECHO, src=_US)),
    Case("time to live", ("IP_INHDR",), "fwd-ttl-exceeded", _ip(_ECHO, dst="10.1.0.9", ttl=1)),
    Case("hop limit", ("IP_INHDR",), "fwd-ttl-exceeded", _ip6(_ECHO6, dst=_BEYOND, hlim=1)),
    Case("UDP checksum", ("UDP_CSUM",), "udp-bad-checksum", _ip(_udp(chksum=1))),
    Case("UDP checksum, IPv6", ("UDP_CSUM",), "udp-bad-checksum", _ip6(_udp(chksum=1))),
    Case("IP checksum", ("IP_CSUM",), "ip-bad-checksum", _ip(_ECHO, chksum=1)),
    Case("header too short", ("IP_INHDR",), "ip-header-short", _SHORT),
    Case(
        "header too short, IPv6", ("IP_INHDR",), "ip6-header-short",
        bytes(Ether(dst=OURS_MAC, src=THEIRS_MAC, type=0x86DD)) + bytes(IPv6())[:39],
    ),
    Case("another's MAC", ("OTHERHOST",), "rx-not-our-mac", _ip(_ECHO, "02:00:00:00:00:99")),
    Case(
        "a VLAN of which we are not", ("OTHERHOST",), "rx-vlan-unknown",
        bytes(Ether(dst=OURS_MAC, src=THEIRS_MAC) / Dot1Q(vlan=5) / IP(src=_THEM, dst=_US) / _ECHO),
    ),
    # The kernel does not tell how much room its sockets have.
    Case("a full receive buffer", ("SOCKET_RCVBUFF",), "udp-rcvbuf-full", _FULL, predicted=""),
    Case(
        "unknown ethertype", ("UNHANDLED_PROTO",), "rx-ethertype-unknown",
        bytes(Ether(dst=OURS_MAC, src=THEIRS_MAC, type=0x88B5)) + bytes(46),
    ),
    Case("unknown protocol", ("IP_NOPROTO",), "ip-proto-unknown", _ip(b"", proto=250)),
    Case(
        "a blackhole route, IPv4", ("NOT_SPECIFIED",), "fwd-route-blackhole", _ip(_ECHO, dst=_HOLE)
    ),
    Case(
        "a blackhole route, IPv6", ("NOT_SPECIFIED",), "fwd-route-blackhole",
        _ip6(_ECHO6, dst=_HOLE6),
    ),
    Case(
        "a group of others, IPv6", ("NOT_SPECIFIED",), "ip6-multicast-not-joined",
        _ip6(_udp(), dst="ff05::1:3"),
    ),
    Case("UDP of 7 bytes", ("NOT_SPECIFIED",), "udp-header-short", _ip(bytes(7), proto=17)),
    Case(
        "ARP of operation 3", ("NOT_SPECIFIED",), "arp-bad-op",
        bytes(Ether(dst=OURS_MAC, src=THEIRS_MAC) / ARP(op=3, psrc=_THEM, pdst=_US)),
    ),
    Case(
        "ARP for another host", (), "arp-target-not-ours",
        bytes(Ether(dst=OURS_MAC, src=THEIRS_MAC) / ARP(psrc="10.0.0.3", pdst="10.0.0.77")),
    ),
    Case("sent into a blackhole", (), "tx-route-blackhole", send=f"udp any {_HOLE}#9"),
    Case("sent without a route", (), "tx-no-route", send=f"udp any {_FAR}#9"),
    # Nobody can know beforehand that a neighbor will not answer.
    Case(
        "a silent neighbor", ("NEIGH_FAILED",), "neigh-failed", send=f"udp any {_LOST}#9",
        predicted="neigh-pending",
    ),
    Case(
        "a silent neighbor, IPv6", ("NOT_SPECIFIED",), "neigh-failed", send=f"udp any {_LOST6}#9",
        predicted="neigh-pending",
    ),
    Case("without carrier", ("QDISC_DROP",), "tx-no-carrier", send="udp any 10.2.0.9#9"),
)  # fmt: skip
"""In a namespace that forwards, with a reverse path filter."""
OF_A_HOST = (
    Case("IPv6 is off", ("IPV6DISABLED",), "ip6-disabled", _ip6(_ECHO6)),
    Case("forwarding is off", ("IP_INADDRERRORS",), "ip-dst-not-ours", _ip(_ECHO, dst="10.1.0.9")),
)
"""In the same one as a host, without IPv6."""


class DropsWorld:
    """The namespace.

    Args:
        namespace: made for it; ``close`` leaves that to who made it.
    """

    def __init__(self, namespace: Namespace) -> None:
        self.netns = namespace.name
        self.peer = Peer(namespace)
        self.taps: dict[str, int] = {}
        inside(self.netns, lambda: self._open("tap0", "tap1", "tap2"))
        self.peer.enable_ipv6()
        self.peer.sysctl({
            "net.ipv4.conf.all.forwarding": 1, "net.ipv6.conf.all.forwarding": 1,
            "net.ipv4.conf.all.rp_filter": 1, "net.ipv4.icmp_ratelimit": 0,
            **{
                f"net.{ip}.neigh.tap1.{key}": value
                for ip in ("ipv4", "ipv6")
                for key, value in (("retrans_time_ms", 20), ("mcast_solicit", 1))
            },
        })  # fmt: skip
        self.peer.batch(
            *(f"link set {dev} address {mac}" for dev, mac in MACS.items()),
            *(f"link set {dev} up" for dev in self.taps),
            f"addr add {_US}/24 dev tap0", "addr add 10.1.0.1/24 dev tap1",
            f"addr add {_US6}/64 dev tap0 nodad", "addr add 2001:db8:1::1/64 dev tap1 nodad",
            "addr add 10.2.0.1/24 dev tap2",
            f"neigh add {_THEM} lladdr {THEIRS_MAC} dev tap0",
            f"neigh add {_THEM6} lladdr {THEIRS_MAC} dev tap0",
            f"route add blackhole {_HOLE}/32", f"route add blackhole {_HOLE6}/128",
        )  # fmt: skip
        ioctl(self.taps["tap2"], _TUNSETCARRIER, struct.pack("i", 0))
        self.peer.batch("neigh add 10.2.0.9 lladdr 02:00:00:00:00:09 dev tap2")
        # The kernel looks after a change of carrier later, at most once a second.
        wait_until(lambda: self._operstate("tap2") == "DOWN", "no carrier")
        full = self.peer.udp(_US, PORT)
        full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for _ in range(8):
            os.write(self.taps["tap0"], _FULL)

    def _operstate(self, dev: str) -> str:
        return str(self.peer.rows("link", "show", "dev", dev)[0]["operstate"])

    def _open(self, *names: str) -> None:
        for name in names:
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            ioctl(fd, _TUNSETIFF, struct.pack("16sH14x", name.encode(), _IFF_TAP | _IFF_NO_PI))
            self.taps[name] = fd

    def provoke(self, case: Case) -> None:
        """Let a packet come in, or send it."""
        if case.frame is not None:
            os.write(self.taps["tap0"], case.frame)
            return
        _, _, dst = case.send.split()
        address, _, port = dst.rpartition("#")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with suppress(OSError):  # Linux may refuse it
            self.peer.open(family, socket.SOCK_DGRAM).sendto(b"hello", (address, int(port)))

    def become_a_host(self) -> None:
        """Switch forwarding and IPv6 off."""
        self.peer.sysctl({
            "net.ipv4.conf.all.forwarding": 0, "net.ipv6.conf.tap0.disable_ipv6": 1,
        })  # fmt: skip

    def close(self) -> None:
        """Take the links away."""
        self.peer.close()
        for fd in self.taps.values():
            os.close(fd)
