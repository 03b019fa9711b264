"""Off-link destinations: the gateway is asked for at once, and failures are told with the cause."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.e2e.kit import (
    BOTH_WAYS,
    THEIRS_MAC,
    Lab,
    Peer,
    daemon_pid,
    events,
    nothing_waits,
    receive,
    wait_for_lines,
)
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns("tcpdump")

OURS, FAR = bytes([10, 0, 0, 1]), "192.168.9.2"
SO_RCVBUFFORCE = 33
"""socket(7): as SO_RCVBUF, beyond what others may."""


@pytest.fixture
def tap(lab: Lab, offload: str) -> Lab:
    """Connect smolctl 10.0.0.1 and the kernel 10.0.0.2."""
    lab.plug(offload=offload)
    return lab


@pytest.fixture
def far(tap: Lab, peer_factory: Callable[[], Peer]) -> Peer:
    """Make a kernel behind the kernel at the other end of the TAP, which forwards."""
    router, host = tap.peer, peer_factory()
    router.sysctl({"net.ipv4.ip_forward": 1})
    other = ("type", "veth", "peer", "name", "veth1", "netns", host.namespace.name)
    router.ip("link", "add", "veth0", *other)
    router.batch("addr add 192.168.9.1/24 dev veth0", "link set veth0 up")
    back = "route add default via 192.168.9.1"
    host.batch(f"addr add {FAR}/24 dev veth1", "link set veth1 up", back)
    return host


@BOTH_WAYS
def test_first_datagram_asks_for_the_gateway_and_follows(tap: Lab, far: Peer) -> None:
    tap.smolctl("route", "add", "default", "via", "10.0.0.2", check=True)
    kernel = far.udp(FAR, 5000)
    capture = tap.peer.namespace.tcpdump(tap.dev, "arp or udp")
    sent = events(tap.smolctl("-j", "udp", "send", f"{FAR}:5000", "hello", "-w", "0", check=True))
    assert receive(kernel)[0] == "hello"
    assert (sent[0]["event"], sent[0]["fate"]) == ("sent", "sent")
    assert (sent[0]["dev"], sent[0]["gateway"]) == (tap.dev, "10.0.0.2")
    # At once: no retransmission of the request (1 s) stands between the command and the datagram.
    assert sent[0]["after_ms"] < 900

    capture.wait_for(f"> {FAR}.5000")
    lines = capture.stdout.splitlines()
    assert "who-has 10.0.0.2 tell 10.0.0.1" in lines[0]
    assert f"10.0.0.2 is-at {THEIRS_MAC}" in lines[1]
    assert f"> {THEIRS_MAC}, ethertype IPv4" in lines[2]
    assert f"10.0.0.1.{sent[0]['sport']} > {FAR}.5000" in lines[2]
    assert f"who-has {FAR}" not in capture.stdout


@BOTH_WAYS
def test_answer_comes_back_through_the_gateway(tap: Lab, far: Peer) -> None:
    tap.smolctl("route", "add", "192.168.0.0/16", "via", "10.0.0.2", check=True)
    echo = tap.smolctl.popen("udp", "echo", "7")
    echo.wait_for("listening on *:7")
    kernel = far.udp()
    kernel.sendto(b"from afar", ("10.0.0.1", 7))
    assert receive(kernel) == ("from afar", ("10.0.0.1", 7))


@BOTH_WAYS
def test_many_at_once_are_right_beyond_the_gateway(tap: Lab, far: Peer, offload: str) -> None:
    # A zero seed of the checksum would do for the gateway itself, and for nobody behind it.
    for host, dev in ((tap.peer, "veth0"), (far, "veth1")):
        host.sum_at_once(dev)
    tap.smolctl("route", "add", "default", "via", "10.0.0.2", check=True)
    tap.smolctl("ping", "-c", "1", FAR, check=True)
    echo = tap.smolctl.popen("udp", "echo", "7", "-q")
    wait_until(lambda: tap.call("socket.show"), f"{echo}")
    kernel, wire = far.udp(FAR, 5000), far.wire("veth1")
    for receiver in (kernel, wire):
        receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4_000_000)
    payloads = [bytes([number]) * 1001 for number in range(200)]
    daemon = daemon_pid(tap.smolctl)
    os.kill(daemon, signal.SIGSTOP)  # so that there are many at once
    for payload in payloads:
        kernel.sendto(payload, ("10.0.0.1", 7))
    os.kill(daemon, signal.SIGCONT)
    assert [kernel.recv(65535) for _ in payloads] == payloads
    assert (nothing_waits(kernel), far.bad_sums()) == (True, 0)
    idents: list[int] = []
    while len(idents) < 200:
        frame = wire.recv(65535)
        if frame[12:14] == b"\x08\0" and frame[23] == 17 and frame[26:30] == OURS:
            assert frame[20] == 0x40  # DF: any ident will do (RFC 6864 4.1)
            idents.append(int.from_bytes(frame[18:20]))
    # Those of one run have each their own; alone, each has 0.
    runs = [ident for before, ident in pairwise(idents) if ident != before + 1]
    assert set(runs) <= {0}
    assert (max(idents) > 0) == (offload == "on")


def test_no_route_is_told_at_once(tap: Lab) -> None:
    text = tap.smolctl("udp", "send", "8.8.8.8:53", "hello")
    assert (text.returncode, text.stdout) == (1, "")
    assert text.stderr.startswith("smolctl: not sent: tx-no-route: no route to 8.8.8.8")
    assert text.stderr.count("\n") == 2
    assert text.stderr.endswith(")\n")

    failed, summary = events(tap.smolctl("-j", "udp", "send", "8.8.8.8:53", "hello"))
    assert (failed["reason"], failed["errno"]) == ("tx-no-route", "ENETUNREACH")
    assert (summary["sent"], summary["failed"], summary["ok"]) == (0, 1, False)
    assert tap.counter("arp", "requests_sent") == 0


def test_dead_host_delays_nobody_else(tap: Lab) -> None:
    capture = tap.peer.namespace.tcpdump(tap.dev, "arp")
    start = time.monotonic()
    dead = tap.smolctl.popen("-j", "udp", "send", "10.0.0.99:9", "hello")
    tap.wait_for_neighbor("10.0.0.99", "INCOMPLETE")
    ping = tap.smolctl("ping", "-c", "5", "-i", "0.1", "10.0.0.2")
    assert "5 packets transmitted, 5 received, 0% packet loss" in ping.stdout
    assert tap.neighbors()["10.0.0.99"] == (None, "INCOMPLETE"), "too late to prove anything"

    ended = dead.wait()
    assert ended.returncode == 1
    assert 2.5 < time.monotonic() - start < 20
    waiting, failed, summary = events(ended)
    assert (waiting["event"], waiting["reason"]) == ("waiting", "neigh-pending")
    assert (failed["reason"], failed["errno"]) == ("neigh-failed", "EHOSTUNREACH")
    assert (summary["sent"], summary["failed"]) == (0, 1)
    assert len(wait_for_lines(lambda: capture.stdout, "who-has 10.0.0.99", 3)) == 3
    assert tap.neighbors()["10.0.0.99"] == (None, "FAILED")


def test_failed_neighbor_is_tried_again_on_demand(tap: Lab) -> None:
    tap.sysctl(neigh__retrans_time_ms=50)
    assert tap.smolctl("udp", "send", "10.0.0.99:9", "hello").returncode == 1
    assert tap.neighbors()["10.0.0.99"] == (None, "FAILED")
    asked = tap.counter("arp", "requests_sent")
    tap.peer.ip("addr", "add", "10.0.0.99/24", "dev", tap.dev)
    kernel = tap.peer.udp("10.0.0.99", 9)
    assert tap.counter("arp", "requests_sent") == asked == 3
    tap.smolctl("udp", "send", "10.0.0.99:9", "again", check=True)
    assert receive(kernel)[0] == "again"
    assert tap.neighbors()["10.0.0.99"] == (THEIRS_MAC, "REACHABLE")


@BOTH_WAYS
def test_closed_port_of_the_kernel_is_reported_on_the_send(tap: Lab) -> None:
    text = tap.smolctl("udp", "send", "10.0.0.2:9", "hello")
    assert text.returncode == 1
    assert "icmp-port-unreachable" in text.stderr
    sent, icmp, summary = events(tap.smolctl("-j", "udp", "send", "10.0.0.2:9", "hello"))
    assert sent["event"] == "sent"
    assert (icmp["reason"], icmp["errno"]) == ("icmp-port-unreachable", "ECONNREFUSED")
    assert icmp["from"] == "10.0.0.2"
    assert (summary["icmp_errors"], summary["ok"]) == (1, False)


def test_router_without_a_route_is_reported_on_the_send(tap: Lab, far: Peer) -> None:
    tap.smolctl("route", "add", "default", "via", "10.0.0.2", check=True)
    sent = tap.smolctl("-j", "udp", "send", "8.8.8.8:53", "hello")
    assert sent.returncode == 1
    icmp = events(sent)[1]
    assert (icmp["event"], icmp["from"]) == ("icmp", "10.0.0.2")
    assert (icmp["reason"], icmp["errno"]) == ("icmp-net-unreachable", "ENETUNREACH")
    # The same for ping, which calls it no reply.
    ping = tap.smolctl("ping", "-c", "1", "8.8.8.8")
    assert ping.returncode == 1
    assert "From 10.0.0.2 icmp_seq=1 Destination Net Unreachable" in ping.stdout


def test_time_to_live_ends_at_the_router(tap: Lab, far: Peer) -> None:
    tap.smolctl("route", "add", "default", "via", "10.0.0.2", check=True)
    sent = tap.smolctl("-j", "udp", "send", f"{FAR}:5000", "hello", "--ttl", "1")
    assert sent.returncode == 1
    icmp = events(sent)[1]
    assert (icmp["from"], icmp["reason"]) == ("10.0.0.2", "icmp-time-exceeded")


def test_dead_gateway_is_named(tap: Lab) -> None:
    tap.sysctl(neigh__retrans_time_ms=50)
    tap.smolctl("route", "add", "default", "via", "10.0.0.77", check=True)
    sent = tap.smolctl("--json", "udp", "send", "8.8.8.8:53", "hello")
    assert sent.returncode == 1
    failed = events(sent)[-2]
    assert (failed["reason"], failed["errno"]) == ("neigh-failed", "EHOSTUNREACH")
    assert "10.0.0.77" in failed["message"]
    ping = tap.smolctl("ping", "-c", "1", "8.8.8.8")
    assert ping.returncode == 1
    assert "neigh-failed" in ping.stderr


@BOTH_WAYS
def test_datagrams_wait_for_a_slow_neighbor(tap: Lab) -> None:
    # The kernel is deaf to ARP for a moment: what was sent meanwhile is kept (RFC 1122 2.3.2.2).
    tap.peer.ip("link", "set", tap.dev, "arp", "off")
    kernel = tap.peer.udp("10.0.0.2", 9)
    sends = tap.smolctl.popen(
        "-j", "udp", "send", "10.0.0.2:9", "--size", "4", "-c", "10", "-i", "0", "-w", "0"
    )
    tap.wait_for_neighbor("10.0.0.2", "INCOMPLETE")

    def queued() -> int:
        rows = json.loads(tap.smolctl("-j", "-s", "neigh", "show", check=True).stdout)
        return int(rows[0]["queue"])

    wait_until(lambda: queued() == 10, lambda: f"10 to wait, not {queued()}")
    tap.peer.ip("link", "set", tap.dev, "arp", "on")
    assert sends.wait().returncode == 0
    assert len({receive(kernel) for _ in range(10)}) == 1
    assert nothing_waits(kernel)
