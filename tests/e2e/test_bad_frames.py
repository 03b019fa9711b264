"""Whatever arrives by the wire: it is counted under its reason, and changes and stops nothing."""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from scapy.layers.inet import ICMP, IP, UDP, IPOption_LSRR
from scapy.layers.l2 import ARP, LLC, Dot1Q, Dot3, Ether

from smolctl.client import Client
from smolctl.stack.reason import Kind
from tests.e2e.kit import OURS_MAC, THEIRS_MAC, Lab, Peer, Row, connect, snapshot, struck
from tests.kit.netns import Namespace
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.netns

OURS, THEIRS = "10.0.0.1", "10.0.0.2"
BROADCAST = "ff:ff:ff:ff:ff:ff"
GROUP = "01:00:5e:00:00:09"


def ether(dst: str = OURS_MAC, src: str = THEIRS_MAC, **fields: Any) -> Any:
    return Ether(dst=dst, src=src, **fields)


def arp(**fields: Any) -> bytes:
    given = {"op": 1, "psrc": THEIRS, "pdst": OURS, "hwsrc": THEIRS_MAC, **fields}
    return bytes(ether() / ARP(**given))


def ip(payload: Any = b"", dst_mac: str = OURS_MAC, **fields: Any) -> bytes:
    return bytes(ether(dst_mac) / IP(**{"src": THEIRS, "dst": OURS, **fields}) / payload)


def udp(payload: bytes = b"hello", **fields: Any) -> bytes:
    return ip(UDP(**{"sport": 5000, "dport": 9, **fields}) / payload)


REASONS = {
    "rx-ethertype-unknown": bytes(ether(type=0x88B5)) + bytes(46),
    "rx-vlan-unknown": bytes(ether() / Dot1Q(vlan=5) / IP(src=THEIRS, dst=OURS)),
    "rx-vlan-truncated": bytes(ether(type=0x8100)) + bytes(2),
    "rx-llc-bad-length": bytes(Dot3(dst=OURS_MAC, src=THEIRS_MAC, len=60) / LLC()) + bytes(30),
    "rx-not-our-mac": bytes(ether("02:00:00:00:00:99") / IP(src=THEIRS, dst=OURS)),
    "rx-src-mac-invalid": bytes(ether(src=GROUP) / IP(src=THEIRS, dst=OURS)),
    "rx-own-frame": bytes(ether(src=OURS_MAC) / IP(src=THEIRS, dst=OURS)),
    "arp-truncated": arp()[:-1],
    "arp-bad-format": arp(hwtype=7),
    "arp-bad-op": arp(op=3),
    "arp-target-not-ours": arp(pdst="10.0.0.77"),
    "arp-sender-invalid": arp(psrc="224.0.0.1"),
    "arp-unsolicited": arp(op=2, hwdst=OURS_MAC, psrc="10.0.0.77"),
    "arp-address-conflict": arp(psrc=OURS),
    "arp-locked-entry": arp(op=2, psrc="10.0.0.9", hwdst=OURS_MAC),
    "ip-header-short": ip()[: 14 + 19],
    "ip-bad-version": ip(version=6),
    "ip-bad-ihl": ip(ihl=4),
    "ip-bad-checksum": ip(chksum=1),
    "ip-length-mismatch": ip(len=100),
    "ip-src-invalid": ip(src="224.0.0.1"),
    "ip-src-is-ours": ip(src=OURS),
    "ip-loopback-on-wire": ip(dst="127.0.0.1"),
    "ip-dst-invalid": ip(dst="0.0.0.0"),
    "ip-dst-not-ours": ip(dst="10.0.0.77"),
    "ip-multicast-not-joined": ip(dst="224.0.0.9", dst_mac=GROUP),
    "ip-source-route": ip(options=[IPOption_LSRR(routers=["10.0.0.77"])]),
    "ip-proto-unknown": ip(b"12345678", proto=250),
    "icmp-truncated": ip(b"1234567", proto=1),
    "icmp-bad-checksum": ip(ICMP(chksum=1)),
    "icmp-echo-broadcast": ip(ICMP(), dst="10.0.0.255", dst_mac=BROADCAST),
    "icmp-type-unknown": ip(ICMP(type=250)),
    "icmp-echo-unmatched": ip(ICMP(type=0, id=7)),
    "icmp-error-unmatched": ip(ICMP(type=3, code=3) / IP(src=OURS, dst=THEIRS) / UDP(sport=7)),
    "udp-header-short": ip(b"1234567", proto=17),
    "udp-bad-length": udp(len=100),
    "udp-bad-checksum": udp(chksum=1),
    "udp-port-closed": udp(),
}
"""A frame for each reason that frames alone can provoke."""


class Wire(NamedTuple):
    """A stack, a socket that puts frames on its wire, and its state before any."""

    smolctl: SmolctlEnv
    peer: Peer
    client: Client
    before: dict[str, list[Row]]

    def send(self, *frames: bytes) -> None:
        """Send frames and wait until smolctl has taken them all."""
        before = self.taken()
        wire = self.peer.wire("tap0")
        for frame in frames:
            wire.send(frame)
        wire.close()
        wait_until(lambda: self.taken() - before == len(frames), f"{len(frames)} frames")

    def taken(self) -> int:
        """Return how many frames came in."""
        (row,) = self.client.call("link.show", dev="tap0", stats=True)
        return int(row["stats64"]["rx"]["packets"])

    def counted(self) -> dict[str, int]:
        """Return how often each reason that ends a frame's way struck, notes left out."""
        return struck(self.client, Kind.DROP, Kind.REJECT)


@pytest.fixture(scope="module", params=["on", "off"])
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    """Make one stack for all frames, with and without offloads: none may change it."""
    namespace, smolctl = Namespace(), SmolctlEnv()
    peer = Peer(namespace)
    try:
        lab = Lab(peer, smolctl)
        lab.plug(offload=request.param)
        # Complaints by ICMP find the kernel without ARP; one static entry, for who dares.
        for address, mac in ((THEIRS, THEIRS_MAC), ("10.0.0.9", "02:00:00:00:00:09")):
            smolctl("neigh", "add", address, "lladdr", mac, "dev", lab.dev, check=True)
        with connect(smolctl) as client:
            yield Wire(smolctl, peer, client, snapshot(client))
    finally:
        smolctl.close()
        peer.close()
        namespace.close()


@pytest.mark.parametrize("reason", REASONS)
def test_frame_is_counted_under_its_reason(wire: Wire, reason: str) -> None:
    before = wire.counted()
    wire.send(REASONS[reason])
    after = wire.counted()
    assert {
        name: n - before.get(name, 0) for name, n in after.items() if n != before.get(name)
    } == {reason: 1}
    rows = [row for row in wire.client.call("stats.drops") if row["reason"] == reason]
    assert rows[-1]["dev"] == "tap0"
    assert "{" not in rows[-1]["hint"]
    assert "?" not in rows[-1]["hint"].replace("VLAN?", "").replace("yet?", "").replace(
        "port?", ""
    ), rows[-1]["hint"]
    assert snapshot(wire.client) == wire.before


def test_every_cut_of_good_frames_has_one_fate(wire: Wire) -> None:
    whole = [udp(), ip(ICMP() / b"ping"), arp(), ip(ICMP(type=3, code=3) / IP() / UDP())]
    frames = [frame[:length] for frame in whole for length in range(15, len(frame))]
    before = sum(wire.counted().values())
    wire.send(*frames)
    assert sum(wire.counted().values()) - before == len(frames)
    assert snapshot(wire.client) == wire.before


def test_random_frames_have_one_fate_each(wire: Wire) -> None:
    chance = random.Random(20_240_229)
    heads = [
        b"",
        bytes(ether(type=0x0800)),
        bytes(ether(type=0x0806)),
        bytes(ether(type=0x0800)) + b"\x45",
        ip(proto=17)[:34],
        ip(proto=1)[:34],
    ]
    frames = [chance.choice(heads) + chance.randbytes(chance.randint(20, 200)) for _ in range(3000)]
    before = sum(wire.counted().values())
    for start in range(0, len(frames), 500):
        wire.send(*frames[start : start + 500])
    assert sum(wire.counted().values()) - before == len(frames)
    assert snapshot(wire.client) == wire.before
    # It still does its work.
    answered = wire.peer.namespace.run("ping", "-c", "1", "-W", "5", OURS)
    assert answered.returncode == 0, answered


def test_unicast_in_a_broadcast_frame_is_a_matter_of_policy(wire: Wire) -> None:
    frame = ip(ICMP(), dst_mac=BROADCAST)
    before = wire.counted()
    wire.send(frame)
    assert wire.counted() == before
    wire.client.call("sysctl.set", key="ip.drop_unicast_in_l2_multicast", value="1")
    wire.send(frame)
    assert wire.counted()["ip-unicast-in-broadcast"] == 1
    wire.client.call("sysctl.set", key="ip.drop_unicast_in_l2_multicast", value="0")


def test_frames_for_an_interface_that_is_down(wire: Wire) -> None:
    wire.client.call("link.set", dev="tap0", state="down")
    wire.send(udp())
    assert wire.counted()["rx-iface-down"] == 1
    wire.client.call("link.set", dev="tap0", state="up")
