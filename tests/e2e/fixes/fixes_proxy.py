"""Causes of the reasons of proxy ARP and of arp.filter, and the effect of their fixes."""

from tests.e2e.fixes.fix_frames import arp
from tests.e2e.fixes.fixes import Bench, Case, counts
from tests.kit.process import wait_until


def answered_later(bench: Bench) -> bool:
    """Somebody asks everybody for a host behind smolctl, and is answered after a while."""
    full = bench.lab.drops().get("arp-proxy-queue-full", 0)
    counts("arp.packets_received", b"\xff" * 6 + FOR_BEHIND[6:])(bench)
    if bench.lab.drops().get("arp-proxy-queue-full", 0) > full:
        return False
    wait_until(lambda: bench.lab.counter("arp", "proxy_replies_sent"), "the answer")
    return True


BEHIND = (
    "link add eth0 type cable name proxy",
    "addr add 10.7.0.1/24 dev eth0",
    "neigh add proxy 10.7.0.9 dev tap0",
)
FOR_BEHIND = arp(pdst="10.7.0.9")

CASES = (
    Case(
        "arp-ignored", "smolctl sysctl arp.filter=0",
        counts("arp.replies_sent", arp(psrc="99.9.9.9")), ("sysctl arp.filter=1",),
    ),
    Case(
        "arp-rule-refused", "smolctl rule add priority 0 lookup local",
        counts("arp.replies_sent", arp()),
        ("rule add priority 100 lookup local", "rule del priority 0",
         "rule add priority 50 from 10.0.0.0/24 blackhole"),
    ),
    Case(
        "arp-proxy-idle", "smolctl sysctl ip.forward=1",
        counts("arp.proxy_replies_sent", FOR_BEHIND), BEHIND,
    ),
    Case(
        "arp-proxy-queue-full", "smolctl sysctl neigh.proxy_qlen=8", answered_later,
        (*BEHIND, "sysctl ip.forward=1", "sysctl neigh.proxy_qlen=0"),
    ),
)  # fmt: skip
