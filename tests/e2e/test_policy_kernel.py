"""Policies that Linux has as well: at each level smolctl and the kernel do the same."""

import socket
from collections.abc import Callable
from functools import partial

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether

from tests.e2e.kit import Peer
from tests.e2e.oracle.oracle import DEVICES, Oracle

pytestmark = pytest.mark.netns

ON_LO, HERE, OTHER_NET, THERE = "10.9.9.9", "10.0.0.1", "10.5.0.1", "10.7.0.1"
FAR_MAC = "02:00:00:00:00:99"
FENCE = ("10.0.0.254", HERE)
"""A question that is answered at every level: what comes before it has been dealt with."""
QUESTIONS = (
    ("10.0.0.2", HERE),
    ("0.0.0.0", HERE),
    ("10.0.0.2", OTHER_NET),
    ("10.5.0.2", OTHER_NET),
    ("10.0.0.2", THERE),
    ("10.7.0.2", HERE),
    ("10.7.0.3", THERE),
    ("10.0.0.2", ON_LO),
    ("0.0.0.0", ON_LO),
    ("192.0.2.2", HERE),
    ("203.0.113.2", HERE),
)
"""Askers on tap0, and the address that each asks for."""


@pytest.fixture
def hosts(oracle: Oracle) -> Oracle:
    """Give both the same addresses and routes."""
    oracle.do(
        f"addr add {HERE}/24 dev tap0",
        f"addr add {OTHER_NET}/24 dev tap0",
        f"addr add {THERE}/24 dev tap1",
        f"addr add {ON_LO}/32 dev lo",
        "route add 192.0.2.0/24 via 10.7.0.254",
        "route add 203.0.113.0/25 via 10.0.0.254",
        "route add blackhole 198.51.100.0/24",
    )
    return oracle


def set_both(hosts: Oracle, key: str, level: int) -> None:
    """Set a sysctl of both; the kernel's is per interface, and the highest counts."""
    name = {"ip.rp_filter": "rp_filter"}.get(key, key.replace(".", "_"))
    hosts.kernel.sysctl({f"net.ipv4.conf.{dev}.{name}": level for dev in (*DEVICES, "lo", "all")})
    assert hosts.smolctl("sysctl", f"{key}={level}").returncode == 0


def answered(wire: socket.socket, mac: str, asked: tuple[tuple[str, str], ...]) -> set[str]:
    """Ask by ARP; return what was answered before the fence was."""
    for sender, target in (*asked, FENCE):
        request = Ether(dst="ff:ff:ff:ff:ff:ff", src=FAR_MAC) / ARP(
            op=1, hwsrc=FAR_MAC, psrc=sender, pdst=target
        )
        wire.send(bytes(request))
    seen: set[str] = set()
    while True:
        frame = Ether(wire.recv(65535))
        if frame.src != mac or ARP not in frame or frame[ARP].op != 2:
            continue
        pair = (frame[ARP].pdst, frame[ARP].psrc)
        if pair == FENCE:
            return seen
        seen.add(f"{pair[1]} for {pair[0]}")


def both_wires(hosts: Oracle) -> list[tuple[socket.socket, str]]:
    """Return the wire of each one's tap0, and its MAC."""
    (ours,) = hosts.smolctl.json("link", "show", "dev", "tap0")
    return [
        (hosts.far.wire("p0"), hosts.kernel.mac("tap0")),
        (hosts.host.wire("tap0"), str(ours["address"])),
    ]


@pytest.mark.parametrize("key", ["arp.ignore", "arp.filter", "ip.rp_filter"])
def test_who_is_answered_by_arp_at_each_level(hosts: Oracle, key: str) -> None:
    sizes = []
    for level in range(2 if key == "arp.filter" else 3):
        set_both(hosts, key, level)
        theirs, ours = (answered(wire, mac, QUESTIONS) for wire, mac in both_wires(hosts))
        assert ours == theirs, f"{key}={level}"
        sizes.append(len(theirs))
    assert len(set(sizes)) > 1, "the levels differ"


def test_whose_datagrams_are_delivered_at_each_level_of_rp_filter(hosts: Oracle) -> None:
    sources = ("10.0.0.2", "10.7.0.2", "192.0.2.2", "203.0.113.2", "203.0.113.200", "198.51.100.2")
    kernel = hosts.kernel.udp(port=7000)
    for level in (0, 1, 2):
        set_both(hosts, "ip.rp_filter", level)
        before = drops(hosts)
        for wire, mac in both_wires(hosts):
            for src in (*sources, FENCE[0]):
                packet = IP(src=src, dst=HERE) / UDP(sport=9, dport=7000) / src.encode()
                wire.send(bytes(Ether(dst=mac, src=FAR_MAC) / packet))
            answered(wire, mac, ())  # it is behind them in the queue
        theirs = set(iter(lambda: kernel.recv(100).decode(), FENCE[0]))
        refused = drops(hosts) - before
        assert refused == len(sources) - len(theirs), f"level {level}: Linux takes {theirs}"


def drops(hosts: Oracle) -> int:
    """Return how often smolctl's reverse path filter struck."""
    rows = hosts.smolctl.json("stats", "drops")
    return sum(row["count"] for row in rows if row["reason"] == "ip-reverse-path")


def test_whose_address_a_request_bears_at_each_level_of_arp_announce(hosts: Oracle) -> None:
    for level in (0, 1, 2):
        set_both(hosts, "arp.announce", level)
        for number, source in enumerate((HERE, OTHER_NET, THERE, ON_LO)):
            target = f"10.0.0.{10 + 10 * level + number}"
            theirs = asks(hosts.far, "p0", target, partial(_kernel, hosts, source))
            ours = asks(hosts.host, "tap0", target, partial(_smolctl, hosts, source))
            assert ours == theirs, f"arp.announce={level} from {source}"


def _kernel(hosts: Oracle, source: str, target: str) -> None:
    hosts.kernel.udp(source).sendto(b"x", (target, 9))


def _smolctl(hosts: Oracle, source: str, target: str) -> None:
    hosts.smolctl.popen("udp", "send", "-s", source, f"{target}:9", "x")


def asks(peer: Peer, dev: str, target: str, send: Callable[[str], None]) -> str:
    """Send a datagram to somebody unknown; return who asks for the MAC."""
    wire = peer.wire(dev)
    send(target)
    while True:
        frame = Ether(wire.recv(65535))
        if ARP in frame and frame[ARP].pdst == target:
            return str(frame[ARP].psrc)


def test_the_network_of_an_address_of_lo_and_the_weak_model_are_linux(hosts: Oracle) -> None:
    """The kernel itself is asked what the defaults claim."""
    set_both(hosts, "arp.ignore", 0)
    for wire, mac in both_wires(hosts):
        asked = (("10.0.0.2", ON_LO), ("10.0.0.2", THERE), ("192.0.2.9", HERE))
        assert len(answered(wire, mac, asked)) == 3
    for address in ("127.5.5.5", "10.0.0.255"):
        theirs, ours = hosts.ask(address)
        assert (ours["type"], ours["dev"]) == (theirs["type"], theirs["dev"])
