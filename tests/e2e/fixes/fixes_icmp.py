"""Fixes of what a packet's options, and ICMP, come to grief by: more of fixes.py."""

from scapy.layers.inet import ICMP, IP, IPOption
from scapy.layers.l2 import Ether

from tests.e2e.fixes.fix_frames import BROADCAST, OURS, THEIRS, ip
from tests.e2e.fixes.fixes import Act, Bench, Case, counts
from tests.e2e.kit import OURS_MAC, THEIRS_MAC
from tests.kit.process import wait_until

_FROM_THEM = Ether(dst=OURS_MAC, src=THEIRS_MAC)
_BY_US = IPOption(b"\x83\x07\x08\x0a\0\0\x02")
"""A source route that ended here, by one hop."""


def redirected(gateway: str) -> Act:
    """A gateway names another one for a ping that was sent, and that one is used."""
    ping = IP(src=OURS, dst=FAR_AWAY) / ICMP(id=7)
    frame = ip(ICMP(type=5, code=1, gw=gateway) / bytes(ping))

    def act(bench: Bench) -> bool:
        taken = bench.taken()
        bench.wire.send(frame)
        wait_until(lambda: bench.taken() > taken, "a redirect")
        (way,) = bench.lab.call("route.get", dst=FAR_AWAY)
        return bool(way["gateway"] == gateway)

    return act


FAR_AWAY = "198.51.100.7"
ICMP_CASES = (
    Case(
        "icmp-timestamp-ignored", "smolctl sysctl icmp.answer_timestamp=1",
        counts("icmp.timestamp_replies_sent", ip(ICMP(type=13))),
    ),
    Case(
        "icmp-timestamp-broadcast", "smolctl sysctl icmp.echo_ignore_broadcasts=0",
        counts("icmp.timestamp_replies_sent", ip(ICMP(type=13), "10.0.0.255", BROADCAST)),
        ("sysctl icmp.answer_timestamp=1",),
    ),
    Case(
        "icmp-redirect-ignored", "smolctl sysctl ip.accept_redirects=1", redirected("10.0.0.3"),
        ("route add default via 10.0.0.2", "sysctl ip.accept_redirects=0"),
    ),
    Case(
        "icmp-redirect-off-link", "smolctl sysctl ip.shared_media=1", redirected("10.7.0.3"),
        ("route add default via 10.0.0.2",),
    ),
    Case(
        "icmp-redirect-insecure", "smolctl sysctl ip.secure_redirects=0", redirected("10.0.0.3"),
        ("route add default via 10.0.0.2", "sysctl ip.secure_redirects=1"),
    ),
    Case(
        "ip-source-route", "smolctl sysctl ip.accept_source_route=1",
        counts(
            "icmp.echo_replies_sent",
            bytes(_FROM_THEM / IP(src=THEIRS, dst=OURS, options=_BY_US) / ICMP()),
        ),
    ),
)  # fmt: skip
