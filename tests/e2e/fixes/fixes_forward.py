"""For each reason of forwarding that a command fixes: how it comes about, as in ``fixes``."""

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from tests.e2e.fixes.fix_frames import PORT, THEIRS
from tests.e2e.fixes.fixes import Act, Case, counts
from tests.e2e.kit import OURS_MAC, THEIRS_MAC

BEHIND = "10.7.0.2"
SECOND_LINK = (f"link add tap1 type tap host {BEHIND}/24", "addr add 10.7.0.1/24 dev tap1")


def goes_on(size: int = 4, dst: str = "192.0.2.9") -> Act:
    """A datagram that may not be cut comes in for a host behind smolctl, and is sent on."""
    packet = IP(src=THEIRS, dst=dst, flags="DF") / UDP(sport=9, dport=PORT) / bytes(size)
    frame = bytes(Ether(dst=OURS_MAC, src=THEIRS_MAC) / packet)
    return counts("ip.datagrams_forwarded", frame)


FORWARD_CASES = (
    Case(
        "ip-dst-not-ours", "smolctl sysctl ip.forward=1", goes_on(),
        (*SECOND_LINK, f"route add 192.0.2.0/24 via {BEHIND}"),
    ),
    Case(
        "fwd-directed-broadcast", "smolctl sysctl ip.bc_forwarding=1", goes_on(dst="10.7.0.255"),
        (*SECOND_LINK, "sysctl ip.forward=1"),
    ),
    Case(
        "fwd-no-route", f"smolctl route add default via {BEHIND}", goes_on(),
        (*SECOND_LINK, f"ping -c 1 {BEHIND}", "sysctl ip.forward=1"),
    ),
    Case(
        "fwd-no-route", "smolctl link set tap1 up", goes_on(dst="10.7.0.9"),
        (*SECOND_LINK, "sysctl ip.forward=1", "link set tap1 down"),
    ),
    Case(
        "fwd-special-address", "smolctl sysctl ip.forward_special=1", goes_on(dst="169.254.9.9"),
        (*SECOND_LINK, "route add 169.254.0.0/16 dev tap1", "sysctl ip.forward=1",
         "sysctl ip.forward_special=0"),
    ),
    *(
        Case(
            f"fwd-route-{kind}", f"smolctl route del {kind} 192.0.2.0/24", goes_on(),
            (*SECOND_LINK, "sysctl ip.forward=1", f"route add {kind} 192.0.2.0/24",
             f"route add default via {BEHIND}"),
        )
        for kind in ("blackhole", "unreachable", "prohibit")
    ),
    Case(
        "fwd-too-big", "smolctl link set tap1 mtu 1428", goes_on(1400, "10.7.0.9"),
        (*SECOND_LINK, "sysctl ip.forward=1", "link set tap1 mtu 1280"),
    ),
    Case(
        "fwd-too-big", f"smolctl route change 192.0.2.0/24 via {BEHIND} dev tap1 metric 5 mtu 1428",
        goes_on(1400),
        (*SECOND_LINK, "sysctl ip.forward=1",
         f"route add 192.0.2.0/24 via {BEHIND} metric 5 mtu 500"),
    ),
)  # fmt: skip
