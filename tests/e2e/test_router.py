"""smolctl as the router between two kernels: what passes, and what they are told of the rest."""

import errno
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from threading import Thread

import pytest

from tests.e2e.kit import THEIRS_MAC, Peer, events, nothing_waits, receive
from tests.e2e.oracle.routed import LEFT, RIGHT, Routed, router_in
from tests.kit.netns import Namespace
from tests.kit.process import PATIENCE_SECONDS, wait_until
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.netns("ping", "traceroute", "tcpdump", "nc.openbsd")

IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_DO, IP_MTU = 10, 0, 2, 14
IP_RECVERR = 11
NARROW = 1280


BOTH = pytest.mark.parametrize("routed", ["on", "off"], indirect=True)
"""TAPs with and without offloads."""


@pytest.fixture
def routed(
    netns: Namespace,
    smolctl_env: SmolctlEnv,
    peer_factory: Callable[[], Peer],
    request: pytest.FixtureRequest,
) -> Routed:
    return router_in(netns, smolctl_env, peer_factory, getattr(request, "param", "on"))


@pytest.fixture
def narrow(netns: Namespace, smolctl_env: SmolctlEnv, peer_factory: Callable[[], Peer]) -> Routed:
    """Make a router whose right link has a small MTU; the left host does not know."""
    return router_in(netns, smolctl_env, peer_factory, mtu=NARROW)


# --- what passes ----------------------------------------------------------------------------------


@BOTH
def test_hosts_ping_each_other_by_the_router(routed: Routed) -> None:
    for peer, dst in ((routed.left, RIGHT), (routed.right, LEFT)):
        ping = peer.namespace.run("ping", "-c", "5", "-i", "0.1", "-W", "2", dst)
        assert "5 packets transmitted, 5 received" in ping.stdout
        assert "ttl=63" in ping.stdout
    assert routed.counter("ip.datagrams_forwarded") == 20
    assert set(routed.drops()) <= {"neigh-pending"}


def test_without_forwarding_nobody_hears_anything(routed: Routed) -> None:
    routed.sysctl(ip__forward=0)
    ping = routed.left.namespace.run("ping", "-c", "1", "-W", "1", RIGHT)
    assert ping.returncode == 1
    (row,) = [row for row in routed.call("stats.drops") if row["reason"] == "ip-dst-not-ours"]
    assert row["fix"][0] == "smolctl sysctl ip.forward=1"
    routed.smolctl(*row["fix"][0].split()[1:], check=True)
    assert routed.left.namespace.run("ping", "-c", "1", "-W", "2", RIGHT).returncode == 0


def test_traceroute_names_the_router_and_then_the_host(routed: Routed) -> None:
    for how in ([], ["-I"]):
        trace = routed.left.namespace.run("traceroute", "-n", "-q", "1", "-w", "2", *how, RIGHT)
        hops = re.findall(r"^ *(\d+)  (\S+)  [\d.]+ ms", trace.stdout, re.M)
        assert hops == [("1", "10.1.0.1"), ("2", RIGHT)], trace.stdout
    assert routed.drops()["fwd-ttl-exceeded"] == 2


@BOTH
def test_datagrams_pass_both_ways_unharmed(routed: Routed) -> None:
    left, right = routed.left.udp(LEFT, 5000), routed.right.udp(RIGHT, 5000)
    for size in (0, 1, 1472, 4000, 65507):
        data = (bytes(range(251)) * 262)[:size]
        for sender, receiver, dst in ((left, right, RIGHT), (right, left, LEFT)):
            sender.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
            sender.sendto(data, (dst, 5000))
            got, source = receiver.recvfrom(65535)
            assert got == data
            assert source == (LEFT if sender is left else RIGHT, 5000)


@BOTH
def test_many_datagrams_in_one_call_pass_in_their_order(routed: Routed) -> None:
    """UDP_SEGMENT: where the TAP has offloads they come as one super-packet, without checksums."""
    left, right = routed.left.udp(LEFT, 5000), routed.right.udp(RIGHT, 5000)
    left.setsockopt(socket.IPPROTO_UDP, 103, 1000)
    parts = [bytes([number]) * 1000 for number in range(20)]
    routed.left.namespace.run("ping", "-c", "1", RIGHT)  # ARP is done
    left.sendto(b"".join(parts), (RIGHT, 5000))
    assert [right.recv(65535) for _ in parts] == parts


@BOTH
def test_tcp_passes_as_much_as_it_likes(routed: Routed) -> None:
    """With offloads of the TAP, the kernel hands over super-packets of up to 64 KB."""
    listener = routed.right.open(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((RIGHT, 80))
    listener.listen()
    client = routed.left.open(socket.AF_INET, socket.SOCK_STREAM)
    client.connect((RIGHT, 80))
    server, _ = listener.accept()
    server.settimeout(PATIENCE_SECONDS)
    data = bytes(range(256)) * 4096  # 1 MiB
    thread = Thread(target=send_all, args=(client, data))
    thread.start()
    got = b""
    with server:
        while part := server.recv(1 << 16):
            got += part
    thread.join()
    assert sha256(got).digest() == sha256(data).digest()


def send_all(client: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # what is missing is seen at the other end
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)


# --- too big --------------------------------------------------------------------------------------


def test_a_big_datagram_is_cut_for_a_narrow_link(narrow: Routed) -> None:
    capture = narrow.right.namespace.tcpdump("right", "udp or ip[6:2] & 0x3fff != 0")
    left, right = narrow.left.udp(LEFT, 5000), narrow.right.udp(RIGHT, 5000)
    left.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    data = (bytes(range(251)) * 36)[:9000]
    left.sendto(data, (RIGHT, 5000))
    assert right.recv(65535) == data
    wait_until(lambda: len(capture.stdout.splitlines()) >= 8, capture.stdout)
    # The kernel cuts at 1500, and we cut each piece but the last once more.
    lengths = [int(length) for length in re.findall(r"length (\d+): 10", capture.stdout)]
    assert max(lengths) <= NARROW + 14
    assert narrow.counter("ip.fragments_created") > 0


def test_what_may_not_be_cut_teaches_the_kernel_the_path_mtu(narrow: Routed) -> None:
    capture = narrow.left.namespace.tcpdump("left", "icmp")
    left, right = narrow.left.udp(LEFT, 5000), narrow.right.udp(RIGHT, 5000)
    left.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    left.connect((RIGHT, 5000))
    left.send(bytes(1400))
    capture.wait_for(f"ICMP {RIGHT} unreachable - need to frag (mtu {NARROW})")
    assert left.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE
    with pytest.raises(OSError, match="Message too long"):
        left.send(bytes(1400))
    assert left.getsockopt(socket.IPPROTO_IP, IP_MTU) == NARROW
    assert f"mtu {NARROW}" in narrow.left.ip("route", "get", RIGHT)
    assert "10.1.0.1 > 10.1.0.2" in capture.stdout
    left.send(bytes(NARROW - 28))
    assert right.recv(65535) == bytes(NARROW - 28)
    assert narrow.drops()["fwd-too-big"] == 1


# --- who is told what -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("routes", "seen", "error"),
    [
        ((), "ICMP net 8.8.8.8 unreachable", "Network is unreachable"),
        (({"kind": "unreachable"},), "ICMP host 8.8.8.8 unreachable", "No route to host"),
        (
            ({"kind": "prohibit"},),
            "ICMP host 8.8.8.8 unreachable - admin prohibited filter",
            "No route to host",
        ),
    ],
)
def test_the_sender_is_told_why_there_is_no_way(
    routed: Routed, routes: tuple[dict[str, str], ...], seen: str, error: str
) -> None:
    for route in routes:
        routed.smolctl("route", "add", route["kind"], "8.8.8.0/24", check=True)
    capture = routed.left.namespace.tcpdump("left", "icmp")
    sender = routed.left.udp()
    sender.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    sender.connect(("8.8.8.8", 53))
    sender.send(b"x")
    capture.wait_for(seen)
    with pytest.raises(OSError, match=error):
        sender.recv(1)


def test_a_blackhole_says_nothing(routed: Routed) -> None:
    routed.smolctl("route", "add", "blackhole", "8.8.8.0/24", check=True)
    sender = routed.left.udp()
    sender.connect(("8.8.8.8", 53))
    sender.send(b"x")
    routed.wait_for("fwd-route-blackhole")
    assert nothing_waits(sender)


def test_a_host_that_is_not_there_is_told_after_three_questions(routed: Routed) -> None:
    capture = routed.left.namespace.tcpdump("left", "icmp")
    asked = routed.right.namespace.tcpdump("right", "arp")
    routed.sysctl(neigh__retrans_time_ms=100)
    sender = routed.left.udp()
    sender.connect(("10.2.0.99", 53))
    sender.send(b"x")
    capture.wait_for("10.1.0.1 > 10.1.0.2: ICMP host 10.2.0.99 unreachable")
    assert asked.stdout.count("who-has 10.2.0.99 tell 10.2.0.1") == 3
    assert routed.drops()["neigh-failed"] == 1


def test_a_host_is_told_of_a_better_gateway_and_takes_it(
    netns: Namespace, smolctl_env: SmolctlEnv, peer_factory: Callable[[], Peer]
) -> None:
    routed = router_in(netns, smolctl_env, peer_factory)
    routed.left.sysctl({
        "net.ipv4.conf.all.accept_redirects": 1, "net.ipv4.conf.left.accept_redirects": 1,
        "net.ipv4.conf.all.secure_redirects": 0, "net.ipv4.conf.left.secure_redirects": 0,
    })  # fmt: skip
    # Linux believes a redirect only to a neighbor that it knows; nobody need be there.
    routed.left.ip("neigh", "add", "10.1.0.7", "lladdr", THEIRS_MAC, "dev", "left")
    routed.smolctl("route", "add", "8.8.8.0/24", "via", "10.1.0.7", check=True)
    capture = routed.left.namespace.tcpdump("left", "icmp")
    sender = routed.left.udp(LEFT)
    sender.sendto(b"x", ("8.8.8.8", 53))
    capture.wait_for("10.1.0.1 > 10.1.0.2: ICMP redirect 8.8.8.8 to host 10.1.0.7")
    assert "via 10.1.0.7" in routed.left.ip("route", "get", "8.8.8.8")
    assert routed.counter("icmp.redirects_sent") == 1


# --- what smolctl says ----------------------------------------------------------------------------


def test_why_predicts_and_tells_what_is_forwarded(routed: Routed) -> None:
    routed.left.namespace.run("ping", "-c", "1", "-W", "2", RIGHT, check=True)
    why = routed.smolctl("why", "udp", f"{LEFT}:5000", f"{RIGHT}:7", check=True).stdout
    assert "left > right  predicted" in why.splitlines()[0]
    assert "verdict: forwarded by right" in why
    refused = routed.smolctl("why", "icmp", LEFT, "8.8.8.8")
    assert refused.returncode == 1
    assert "verdict: not forwarded - fwd-no-route" in refused.stdout
    assert "fix:     smolctl route add default via 10.2.0.2" in refused.stdout


def test_trace_and_capture_see_a_packet_at_both_interfaces(routed: Routed) -> None:
    with routed.client() as watching, routed.client() as tracing:
        capture = watching.stream("capture.run", filter="icmp", count=4)
        trace = tracing.stream("trace.run", filter="icmp", count=2)
        assert (next(capture)["event"], next(trace)["event"]) == ("start", "start")
        routed.left.namespace.run("ping", "-c", "1", "-W", "2", RIGHT, check=True)
        packets = [event for event in capture if event["event"] == "packet"]
        traced = [event for event in trace if event["event"] == "packet"]
    assert [(packet["dev"], packet["dir"]) for packet in packets] == [
        ("left", "in"), ("right", "out"), ("right", "in"), ("left", "out"),
    ]  # fmt: skip
    assert [(row["iif"], row["dev"], row["fate"]) for row in traced] == [
        ("left", "right", "forwarded"), ("right", "left", "forwarded"),
    ]  # fmt: skip


def test_the_router_answers_for_itself_at_all_its_addresses(routed: Routed) -> None:
    for address in ("10.1.0.1", "10.2.0.1"):
        ping = routed.left.namespace.run("ping", "-c", "1", "-W", "2", address, check=True)
        assert "ttl=64" in ping.stdout
    echo = routed.smolctl.popen("udp", "echo", "7")
    echo.wait_for("listening on *:7")
    left = routed.left.udp()
    left.sendto(b"far side", ("10.2.0.1", 7))
    assert receive(left) == ("far side", ("10.2.0.1", 7))
    assert events(routed.smolctl("-j", "udp", "send", f"{RIGHT}:9", "x"))[0]["dev"] == "right"
