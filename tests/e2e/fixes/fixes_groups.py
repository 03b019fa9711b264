"""The cases of fixes.py that have to do with broadcasts, multicasts and groups."""

from scapy.layers.igmp import IGMPv3_MQ
from scapy.layers.inet import IP, UDP, IPOption_NOP
from scapy.layers.l2 import Ether

from tests.e2e.fixes.fix_frames import BROADCAST, PORT, THEIRS, echo, ip
from tests.e2e.fixes.fixes import Case, counts
from tests.e2e.kit import THEIRS_MAC

TO_PORT = UDP(sport=9, dport=PORT) / b"x"
GROUP, GROUP_MAC = "239.1.2.3", "01:00:5e:01:02:03"


def query() -> bytes:
    """Return an IGMP query that lacks the router alert option."""
    packet = IP(src=THEIRS, dst="224.0.0.1", ttl=1, options=[IPOption_NOP()]) / IGMPv3_MQ()
    return bytes(Ether(dst="01:00:5e:00:00:01", src=THEIRS_MAC) / packet)


GROUP_CASES = (
    Case(
        "ip-multicast-not-joined", f"smolctl udp recv --group {GROUP} --dev tap0 {PORT}",
        counts("udp.datagrams_delivered", ip(TO_PORT, GROUP, GROUP_MAC)),
    ),
    Case(
        "ip-multicast-not-joined", f"smolctl maddr add {GROUP} dev tap0",
        counts("icmp.echo_replies_sent", echo(GROUP, GROUP_MAC)),
        ("sysctl icmp.echo_ignore_broadcasts=0",),
    ),
    Case(
        "igmp-query-refused", "smolctl sysctl igmp.strict_queries=0",
        counts("igmp.queries_received", query()),
        ("sysctl igmp.strict_queries=1",),
    ),
    Case(
        "udp-no-listener", f"smolctl udp recv 10.0.0.255:{PORT}",
        counts("udp.datagrams_delivered", ip(TO_PORT, "10.0.0.255", BROADCAST)),
    ),
    Case(
        "udp-no-listener", f"smolctl udp recv --group {GROUP} --dev tap0 {PORT}",
        counts("udp.datagrams_delivered", ip(TO_PORT, GROUP, GROUP_MAC)),
        (f"maddr add {GROUP} dev tap0",),
    ),
)  # fmt: skip
