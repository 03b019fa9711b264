"""Fixes for what waits in its socket, or may not wait at all: the table of ``fixes`` goes on."""

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from tests.e2e.fixes.fix_frames import FAR, OURS, PORT, THEIRS
from tests.e2e.fixes.fixes import Act, Bench, Case, pinged, sent
from tests.e2e.kit import OURS_MAC, THEIRS_MAC
from tests.kit.process import wait_until


def unknown_pings(bench: Bench) -> bool:
    """The kernel, whose MAC smolctl does not know, pings it, and the first request is answered."""
    bench.ctl("neigh flush dev tap0")
    return pinged(OURS)(bench)


def sent_beside_a_dead_host(bench: Bench) -> bool:
    """A datagram is sent to the kernel while ARP for another host is never answered."""
    bench.lab.smolctl.popen("udp", "send", "10.0.0.99:9", "x")
    bench.lab.wait_for_neighbor("10.0.0.99", "INCOMPLETE")
    bench.ctl(f"neigh del {THEIRS} dev tap0")
    return sent()(bench)


def echoes_beside(stranger: str) -> Act:
    """Smolctl echoes to the kernel, by a socket which has to echo to somebody else first."""

    def act(bench: Bench) -> bool:
        if not bench.lab.call("socket.show"):
            bench.lab.smolctl.popen("udp", "echo", str(PORT))
            wait_until(lambda: bench.lab.call("socket.show"), "the echo")
        asker = bench.lab.peer.udp()
        asker.sendto(b"known from now on", (OURS, PORT + 1))
        packet = IP(src=stranger, dst=OURS) / UDP(sport=9, dport=PORT) / b"x"
        bench.wire.send(bytes(Ether(dst=OURS_MAC, src=THEIRS_MAC) / packet))
        wait_until(lambda: bench.lab.call("socket.show")[0]["rx_datagrams"], "the stranger's")
        asker.sendto(b"x", (OURS, PORT))
        asker.settimeout(2)
        try:
            return asker.recv(100) == b"x"
        except TimeoutError:
            return False

    return act


CASES = (
    *(
        Case(
            "neigh-not-queued", f"smolctl sysctl {sysctl}={value}", unknown_pings,
            (f"sysctl {sysctl}=0",), (f"neigh replace {OURS} lladdr {OURS_MAC} dev tap0",),
        )
        for sysctl, value in (("neigh.queue_answers", 1), ("neigh.unres_qlen", 256))
    ),
    Case(
        "neigh-rate-limited", "smolctl sysctl neigh.rate_limit_scope=entry",
        sent_beside_a_dead_host,
        ("sysctl neigh.rate_limit_scope=cache", "sysctl neigh.mcast_solicit=0"),
    ),
    Case(
        "udp-head-of-line", "smolctl sysctl neigh.unres_qlen=256", echoes_beside("10.0.0.99"),
        ("sysctl neigh.unres_qlen=0", "sysctl neigh.mcast_solicit=0"),
    ),
    Case(
        "udp-head-of-line", "smolctl sysctl ip.no_route=refuse", echoes_beside("8.8.8.8"),
        ("sysctl ip.no_route=wait",),
    ),
    Case(
        "udp-waits-for-route", "smolctl route add default via 10.0.0.2", sent(f"{FAR}:{PORT} x"),
        (f"ping -c 1 {THEIRS}", "sysctl ip.no_route=wait"),
    ),
)  # fmt: skip
