"""For each reason that a command fixes: how it comes about between smolctl and the kernel.

A case's ``act`` tries to get packets through and tells whether they did: not before the fix, and
yes after it.
"""

import socket
from collections.abc import Callable
from typing import NamedTuple

from scapy.layers.inet import ICMP, IP, UDP, fragment
from scapy.layers.l2 import Ether

from tests.e2e.fixes.fix_frames import BROADCAST, FAR, OURS, PORT, THEIRS, arp, echo, ip, udp
from tests.e2e.kit import OURS_MAC, THEIRS_MAC, Lab
from tests.kit.process import wait_until

Act = Callable[["Bench"], bool]


class Bench:
    """A lab with a socket of the kernel's at ``PORT``, and short ways to use both sides.

    Attributes:
        patience: seconds that the kernel's ping waits. It asks for our MAC once a second, so what
            gets through may need more than one.
    """

    patience = 1

    def __init__(self, lab: Lab) -> None:
        lab.plug()
        # A host behind the kernel; what is sent there arrives at the same socket.
        lab.peer.ip("addr", "add", f"{FAR}/32", "dev", "lo")
        self.lab = lab
        self.heard = lab.peer.udp(port=PORT)
        self.wire = lab.peer.wire(lab.dev)

    def ctl(self, line: str) -> bool:
        """Run ``smolctl LINE``; tell whether it exits with 0."""
        return self.lab.smolctl(*line.split()).returncode == 0

    def taken(self) -> int:
        """Return how many frames came in."""
        (row,) = self.lab.call("link.show", dev=self.lab.dev, stats=True)
        return int(row["stats64"]["rx"]["packets"])


# --- acts -----------------------------------------------------------------------------------------


def pinged(address: str) -> Act:
    """The kernel pings smolctl."""

    def act(bench: Bench) -> bool:
        ping = ("ping", "-c", "1", "-W", str(bench.patience), address)
        return bench.lab.peer.namespace.run(*ping).returncode == 0

    return act


def sent(words: str = f"{THEIRS}:{PORT} x") -> Act:
    """Smolctl sends a datagram, and the kernel gets it."""

    def act(bench: Bench) -> bool:
        return bench.ctl(f"udp send {words}") and heard(bench)

    return act


def connected(bench: Bench) -> bool:
    """The kernel connects to smolctl."""
    with bench.lab.peer.open(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        try:
            client.connect((OURS, PORT))
        except (ConnectionRefusedError, TimeoutError):
            return False
    return True


def heard(bench: Bench) -> bool:
    """The kernel has got a datagram."""
    bench.heard.recv(65535)
    return True


def counts(counter: str, *frames: bytes) -> Act:
    """Frames come in, and each of them raises a counter, LAYER.NAME."""
    layer, name = counter.split(".")

    def act(bench: Bench) -> bool:
        before, taken = bench.lab.counter(layer, name), bench.taken()
        for frame in frames:
            bench.wire.send(frame)
        wait_until(lambda: bench.taken() - taken >= len(frames), f"{len(frames)} frames")
        return bench.lab.counter(layer, name) - before == len(frames)

    return act


def put_together(bench: Bench) -> bool:
    """A datagram comes in two fragments and is made whole."""
    before, taken = bench.lab.counter("ip", "datagrams_reassembled"), bench.taken()
    packet = IP(src=THEIRS, dst=OURS, id=7) / UDP(sport=9, dport=PORT) / bytes(2000)
    for part in fragment(packet, fragsize=1480):
        bench.wire.send(bytes(Ether(dst=OURS_MAC, src=THEIRS_MAC) / part))
    wait_until(lambda: bench.taken() - taken >= 2, "two fragments")
    return bench.lab.counter("ip", "datagrams_reassembled") - before == 1


def neighbors_both(bench: Bench) -> bool:
    """Two hosts ask for us, and are neighbors from then on."""
    for number in (2, 3):
        bench.wire.send(arp(psrc=f"10.0.0.{number}", hwsrc=f"02:00:00:00:00:0{number}"))
    bench.lab.wait_for_neighbor("10.0.0.3", "STALE")
    return "10.0.0.2" in bench.lab.neighbors()


def two_in_turn(bench: Bench) -> bool:
    """Two neighbors are sent to in turn, and nobody has to be asked for twice."""
    before = bench.lab.drops().get("neigh-cache-thrash", 0)
    for last in (2, 3, 2, 3):
        bench.ctl(f"udp send 10.0.0.{last}:{PORT} x")
        heard(bench)
    return bench.lab.drops().get("neigh-cache-thrash", 0) == before


def three_wait_for_one_answer(bench: Bench) -> bool:
    """Three datagrams wait for a MAC, which comes; all three are sent."""
    bench.ctl("neigh del 10.0.0.99 dev tap0")
    sending = bench.lab.smolctl.popen("udp", "send", "-c", "3", "-i", "0", "10.0.0.99:9", "x")
    bench.lab.wait_for_neighbor("10.0.0.99", "INCOMPLETE")
    bench.wire.send(arp(op=2, psrc="10.0.0.99", hwdst=OURS_MAC))
    return sending.wait().returncode == 0


def unharmed(reason: str, count: int = 1) -> Act:
    """Echo requests come in, and a reason strikes none of the replies."""

    def act(bench: Bench) -> bool:
        before = bench.lab.drops().get(reason, 0)
        counts("icmp.echo_replies_sent", *[echo()] * count)(bench)
        return bench.lab.drops().get(reason, 0) == before

    return act


def listen(bench: Bench) -> None:
    """Have a socket of smolctl's that is open to every address, if there is none."""
    if not bench.lab.call("socket.show"):
        bench.lab.smolctl.popen("udp", "recv", str(PORT))
        wait_until(lambda: bench.lab.call("socket.show"), "the receiver")


def heard_by_itself(bench: Bench) -> bool:
    """A socket of smolctl's gets a datagram that smolctl sends."""
    listen(bench)
    sent = bench.ctl(f"udp send {OURS}:{PORT} x")
    return sent and int(bench.lab.call("socket.show")[0]["rx_datagrams"]) > 0


def sent_to_itself(bench: Bench) -> bool:
    """Smolctl sends a datagram to a socket of its own that listens on every address."""
    listen(bench)
    return bench.ctl(f"udp send {FAR}:{PORT} x")


def heard_from(src: str) -> Act:
    """A datagram comes in from an address, and a socket of smolctl's gets it."""

    def act(bench: Bench) -> bool:
        listen(bench)
        taken = bench.taken()
        bench.wire.send(ip(UDP(sport=9, dport=PORT) / b"x", src=src))
        wait_until(lambda: bench.taken() > taken, "the frame")
        return int(bench.lab.call("socket.show")[0]["rx_datagrams"]) > 0

    return act


def path_mtu_learned(bench: Bench) -> bool:
    """A router says that a datagram of ours was too big, and is believed."""
    listen(bench)
    quoted = bytes(IP(src=OURS, dst=FAR, flags="DF") / UDP(sport=PORT, dport=9) / b"x")
    counts("icmp.messages_received", ip(ICMP(type=3, code=4, nexthopmtu=1280) / quoted))(bench)
    return bool(bench.lab.call("route.show", cache=True))


# --- the table ------------------------------------------------------------------------------------


class Case(NamedTuple):
    """One way to a reason, and out of it.

    Attributes:
        reason: its name.
        fix: the command, as it must be printed.
        act: does not get through before it, and does after it.
        setup: lines for smolctl before.
        kernel: lines for the kernel's ``ip`` before.
        again: what must get through after the fix, where that is not ``act``.
    """

    reason: str
    fix: str
    act: Act
    setup: tuple[str, ...] = ()
    kernel: tuple[str, ...] = ()
    again: Act | None = None


KERNEL_KNOWN = f"neigh replace {THEIRS} lladdr {THEIRS_MAC} dev tap0"
NEIGHBOR = "neigh replace 10.0.0.9 lladdr 02:00:00:00:00:08 dev tap0"
OTHER_REPLY = arp(op=2, psrc="10.0.0.9", hwsrc="02:00:00:00:00:09", hwdst=OURS_MAC)

CASES = (
    Case(
        "rx-iface-down", "smolctl link set tap0 up", counts("icmp.echo_replies_sent", echo()),
        ("link set tap0 down",),
    ),
    Case(
        "arp-off", "smolctl link set tap0 arp on", counts("arp.replies_sent", arp()),
        ("link set tap0 arp off",),
    ),
    Case(
        "arp-target-not-ours", "smolctl addr add 10.0.0.77/24 dev tap0",
        counts("arp.replies_sent", arp(pdst="10.0.0.77")),
    ),
    Case(
        "arp-sender-off-subnet", "smolctl sysctl arp.accept_from=any",
        counts("arp.replies_sent", arp(psrc="99.9.9.9")),
        ("sysctl arp.accept_from=subnet",),
    ),
    Case(
        "arp-ignored", "smolctl sysctl arp.ignore=0",
        counts("arp.replies_sent", arp(pdst="10.9.9.9")),
        ("addr add 10.9.9.9/32 dev lo", "sysctl arp.ignore=1"),
    ),
    Case(
        "arp-ignored", "smolctl sysctl arp.answer_probes=1",
        counts("arp.replies_sent", arp(psrc="0.0.0.0")),
        ("sysctl arp.answer_probes=0",),
    ),
    Case(
        "ip-dst-other-iface", "smolctl sysctl ip.strong_host=0",
        counts("icmp.echo_replies_sent", echo("10.9.9.9")),
        ("addr add 10.9.9.9/32 dev lo", "sysctl ip.strong_host=1"),
    ),
    Case(
        "ip-src-is-ours", "smolctl sysctl ip.accept_local=1",
        heard_from("10.9.9.9"), ("addr add 10.9.9.9/32 dev lo",),
    ),
    Case(
        "ip-loopback-on-wire", "smolctl sysctl ip.route_localnet=1",
        counts("icmp.echo_replies_sent", echo("127.0.0.1")),
    ),
    Case(
        "ip-reverse-path", "smolctl sysctl ip.rp_filter=0",
        counts("arp.replies_sent", arp(psrc="99.9.9.9")),
        ("sysctl ip.rp_filter=1",),
    ),
    Case(
        "arp-unsolicited", "smolctl sysctl arp.accept_from=any",
        counts("arp.learned", arp(op=2, psrc="10.0.0.9", hwdst=OURS_MAC)),
        (f"{NEIGHBOR} nud stale", "sysctl neigh.locktime_ms=0", "sysctl arp.accept_from=solicited"),
    ),
    Case(
        "arp-unsolicited", "smolctl sysctl arp.accept=1",
        counts("arp.learned", arp(op=2, psrc="10.0.0.9", hwdst=OURS_MAC)),
    ),
    Case(
        "arp-locked-entry",
        "smolctl neigh replace 10.0.0.9 lladdr 02:00:00:00:00:09 dev tap0 nud reachable",
        counts("arp.learned", OTHER_REPLY),
        (NEIGHBOR,),
    ),
    Case(
        "ip-dst-not-ours", "smolctl addr add 10.0.0.77/24 dev tap0", pinged("10.0.0.77"),
        kernel=(f"neigh add 10.0.0.77 lladdr {OURS_MAC} dev tap0",),
    ),
    Case(
        "ip-unicast-in-broadcast", "smolctl sysctl ip.drop_unicast_in_l2_multicast=0",
        counts("icmp.echo_replies_sent", echo(dst_mac=BROADCAST)),
        ("sysctl ip.drop_unicast_in_l2_multicast=1",),
    ),
    Case(
        "icmp-echo-broadcast", "smolctl sysctl icmp.echo_ignore_broadcasts=0",
        counts("icmp.echo_replies_sent", echo("10.0.0.255", BROADCAST)),
    ),
    Case(
        "icmp-echo-ignored", "smolctl sysctl icmp.echo_ignore_all=0", pinged(OURS),
        ("sysctl icmp.echo_ignore_all=1",),
    ),
    Case(
        "icmp-rate-limited", "smolctl sysctl icmp.ratelimit_ms=0",
        counts("icmp.errors_sent", *[udp()] * 7),
    ),
    Case(
        "icmp-rate-limited", "smolctl sysctl icmp.msgs_burst=50",
        counts("icmp.errors_sent", udp()),
        ("sysctl icmp.msgs_burst=0",),
    ),
    Case(
        "udp-port-closed", f"smolctl udp recv {OURS}:{PORT}",
        counts("udp.datagrams_delivered", udp()),
    ),
    Case("tcp-no-listener", f"smolctl tcp listen {OURS}:{PORT}", connected),
    Case(
        "tx-no-route", f"smolctl route add default via {THEIRS}", sent(f"{FAR}:{PORT} x"),
        (f"ping -c 1 {THEIRS}",),
    ),
    Case(
        "tx-no-route", f"smolctl route add default via {THEIRS}", sent(f"{FAR}:{PORT} x"),
        (f"route add 198.51.100.0/24 via {THEIRS}",),
    ),
    Case(
        "tx-wrong-iface", "smolctl sysctl ip.strong_host=0",
        sent(f"-s 10.9.9.9 {THEIRS}:{PORT} x"),
        ("addr add 10.9.9.9/32 dev lo", "sysctl ip.strong_host=1"),
    ),
    Case("tx-no-route", "smolctl link set tap0 up", sent(), ("link set tap0 down",)),
    *(
        Case(
            f"tx-route-{kind}", f"smolctl route del {kind} 192.0.2.0/24", sent(f"{FAR}:{PORT} x"),
            (f"route add default via {THEIRS}", f"route add {kind} 192.0.2.0/24"),
        )
        for kind in ("blackhole", "unreachable", "prohibit")
    ),
    *(
        Case(
            f"tx-rule-{kind}", f"smolctl rule del priority 7 from all to 192.0.2.0/24 {kind}",
            sent(f"{FAR}:{PORT} x"),
            (f"route add default via {THEIRS}", f"rule add priority 7 to 192.0.2.0/24 {kind}"),
        )
        for kind in ("blackhole", "unreachable", "prohibit")
    ),
    Case(
        "ip-rule-refused", f"smolctl rule del priority 50 from {THEIRS} ipproto icmp blackhole",
        pinged(OURS),
        ("rule add priority 100 lookup local", "rule del priority 0",
         f"rule add priority 50 from {THEIRS} ipproto icmp blackhole"),
    ),
    Case(
        "tx-too-big",
        f"smolctl route change 192.0.2.0/24 mtu 1028 nexthop via {THEIRS} dev tap0 weight 2 "
        f"nexthop via {THEIRS} dev tap0 weight 1",
        sent(f"--size 1000 -M do {FAR}:{PORT}"),
        (f"route add 192.0.2.0/24 mtu 500 nexthop via {THEIRS} weight 2 nexthop via {THEIRS}",),
    ),
    Case(
        "tx-broadcast-denied", f"smolctl udp send --broadcast 10.0.0.255:{PORT} --size 1",
        sent(f"10.0.0.255:{PORT} x"), again=heard,
    ),
    Case(
        "tx-iface-down", "smolctl link set tap0 up", sent(f"--dev tap0 {THEIRS}:{PORT} x"),
        ("link set tap0 down",),
    ),
    Case("tx-link-down", "smolctl link set lo up", heard_by_itself, ("link set lo down",)),
    Case(
        "tx-too-big", "smolctl link set tap0 mtu 2028", sent(f"--size 2000 --df {THEIRS}:{PORT}"),
    ),
    Case(
        "tx-too-big", f"smolctl route change 192.0.2.0/24 via {THEIRS} dev tap0 metric 5 mtu 1028",
        sent(f"--size 1000 -M do {FAR}:{PORT}"),
        (f"route add 192.0.2.0/24 via {THEIRS} metric 5 mtu 500",),
    ),
    Case(
        "icmp-mtu-ignored", "smolctl sysctl ip.no_pmtu_disc=0", path_mtu_learned,
        (f"route add {FAR}/32 via {THEIRS}", "sysctl ip.no_pmtu_disc=2"),
    ),
    Case(
        "frag-no-slot", "smolctl sysctl ip.frag_max_datagrams=8", put_together,
        ("sysctl ip.frag_max_datagrams=0",),
    ),
    Case(
        "frag-no-slot", "smolctl sysctl ip.frag_high_thresh=262144", put_together,
        ("sysctl ip.frag_high_thresh=4000",),
    ),
    Case(
        "neigh-failed", "smolctl sysctl ip.loopback_own=1", sent_to_itself,
        (f"addr add {FAR}/32 dev tap0", "sysctl ip.loopback_own=0"),
    ),
    Case(
        "neigh-queue-full", "smolctl sysctl neigh.unres_qlen=8", three_wait_for_one_answer,
        ("sysctl neigh.unres_qlen=1",),
    ),
    Case(
        "neigh-queue-full", "smolctl sysctl neigh.unres_qlen_bytes=120", three_wait_for_one_answer,
        ("sysctl neigh.unres_qlen_bytes=60",),
    ),
    Case(
        "neigh-evicted", "smolctl sysctl iface.neighbor_cache_count=8", neighbors_both,
        ("sysctl iface.neighbor_cache_count=1",),
    ),
    Case(
        "neigh-cache-thrash", "smolctl sysctl iface.neighbor_cache_count=8", two_in_turn,
        ("sysctl iface.neighbor_cache_count=1",), ("addr add 10.0.0.3/24 dev tap0",),
    ),
    Case(
        "lab-loss", "smolctl link set tap0 loss 0", pinged(OURS),
        ("link set tap0 loss 100%",),
    ),
    Case(
        "lab-delay", "smolctl link set tap0 delay 0 jitter 0 rate 0", pinged(OURS),
        ("link set tap0 delay 5s",),
    ),
    Case(
        "lab-queue-full", "smolctl link set tap0 delay 0 jitter 0 rate 0",
        unharmed("lab-queue-full", 1001),
        (KERNEL_KNOWN, "link set tap0 delay 60s"),
    ),
    *(
        Case(
            f"lab-{harm}", f"smolctl link set tap0 {harm} 0", unharmed(f"lab-{harm}"),
            (KERNEL_KNOWN, f"link set tap0 {how}"),
        )
        for harm, how in (
            ("corrupt", "corrupt 100%"),
            ("duplicate", "duplicate 100%"),
            ("reorder", "delay 60s reorder 100%"),
        )
    ),
    Case(
        "neigh-table-full", "smolctl sysctl iface.neighbor_cache_count=8", sent(),
        ("sysctl iface.neighbor_cache_count=1", NEIGHBOR),
    ),
)  # fmt: skip
