"""Fixes of what a packet's options, and ICMP, come to grief by: more of tests/e2e/fixes.py."""

from scapy.layers.inet import ICMP, IP, IPOption
from scapy.layers.l2 import Ether

from tests.e2e.fix_frames import OURS, THEIRS
from tests.e2e.fixes import Case, counts
from tests.e2e.kit import OURS_MAC, THEIRS_MAC

_FROM_THEM = Ether(dst=OURS_MAC, src=THEIRS_MAC)
_BY_US = IPOption(b"\x83\x07\x08\x0a\0\0\x02")
"""A source route that ended here, by one hop."""

ICMP_CASES = (
    Case(
        "ip-source-route", "smolctl sysctl ip.accept_source_route=1",
        counts(
            "icmp.echo_replies_sent",
            bytes(_FROM_THEM / IP(src=THEIRS, dst=OURS, options=_BY_US) / ICMP()),
        ),
    ),
)  # fmt: skip
