"""Kernel hosts whose TCP ports are open, closed, filtered or refused by an ICMP error."""

from tests.e2e.kit import Peer

OPEN, CLOSED, SILENT, PROHIBITED, UNREACHABLE = 7, 8, 81, 82, 83
PORTS = (OPEN, CLOSED, SILENT, PROHIBITED, UNREACHABLE)


def filter_ports(peer: Peer, *families: str) -> None:
    """Have a kernel drop SYNs to some ports, and answer others with ICMP errors.

    The kernel may have neither nftables nor iptables. Rules of its routing do it: those by port
    come before the table of its own addresses, and a host that forwards says why it does not.
    """
    peer.sysctl(
        {
            "net.ipv4.ip_forward": 1, "net.ipv4.icmp_ratelimit": 0, "net.ipv4.icmp_ratemask": 0,
            "net.ipv6.conf.all.forwarding": 1, "net.ipv6.icmp.ratelimit": 0,
        }
    )  # fmt: skip
    for family in families or ("-4", "-6"):
        kinds = {SILENT: "blackhole", PROHIBITED: "prohibit", UNREACHABLE: "unreachable"}
        peer.ip(family, "rule", "add", "pref", "100", "lookup", "local")
        for port, kind in kinds.items():
            words = ("ipproto", "tcp", "dport", str(port), kind)
            peer.ip(family, "rule", "add", "pref", "10", *words)
        peer.ip(family, "rule", "del", "pref", "0")
