"""Datagrams bigger than the MTU between smolctl and the kernel, both ways."""

from base64 import b64decode

import pytest
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.l2 import Ether

from tests.e2e.kit import BOTH_WAYS, OURS_MAC, THEIRS_MAC, Lab, Peer, events
from tests.kit.process import wait_until

pytestmark = [pytest.mark.netns("ping"), BOTH_WAYS]

BIGGEST = 65507


@pytest.fixture
def tap(lab: Lab, offload: str) -> Lab:
    """Connect smolctl and the kernel."""
    lab.plug(offload=offload)
    return lab


@pytest.mark.parametrize("size", [1473, 3000, BIGGEST])
def test_the_kernel_sends_and_smolctl_receives(tap: Lab, size: int) -> None:
    receiver = tap.smolctl.popen("-j", "udp", "recv", "7", "-c", "1")
    wait_until(lambda: tap.call("socket.show"), "the receiver")
    tap.peer.udp("10.0.0.2", 9000).sendto(data(size), ("10.0.0.1", 7))
    ended = receiver.wait()
    assert ended.returncode == 0, ended
    (datagram,) = [event for event in events(ended) if event["event"] == "datagram"]
    assert b64decode(datagram["data"]) == data(size)
    assert tap.counter("ip", "datagrams_reassembled") == 1


def test_the_kernel_hears_that_a_fragment_was_lost(tap: Lab) -> None:
    tap.sysctl(ip__frag_time_ms=1000)
    wire = tap.peer.wire(tap.dev)
    packet = IP(src="10.0.0.2", dst="10.0.0.1", id=7) / UDP(sport=9000, dport=7) / data(3000)
    first, _, last = fragment(packet, fragsize=1480)
    for part in (last, first):
        wire.send(bytes(Ether(dst=OURS_MAC, src=THEIRS_MAC) / part))
    wait_until(lambda: tap.drops().get("frag-timeout") == 2, "the timeout")
    told = icmp_in(tap.peer)
    wait_until(lambda: icmp_in(tap.peer)["InTimeExcds"] == "1", f"an ICMP error: {told}")


def data(size: int) -> bytes:
    return (bytes(range(256)) * 256)[:size]


def icmp_in(peer: Peer) -> dict[str, str]:
    """Return the kernel's ICMP counters."""
    lines = peer.namespace.run("cat", "/proc/net/snmp", check=True).stdout.splitlines()
    names, values = (line.split()[1:] for line in lines if line.startswith("Icmp: "))
    return dict(zip(names, values, strict=True))
