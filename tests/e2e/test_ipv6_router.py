"""smolctl as the IPv6 router between two kernels, and as a host behind one."""

import errno
import re
import socket
from collections.abc import Callable

import pytest

from tests.e2e.kit import THEIRS_MAC, Lab, Peer, events, nothing_waits
from tests.e2e.odd.ipv6_frames import echo
from tests.e2e.oracle.routed import LEFT6, RIGHT6, Routed, router_in
from tests.kit.netns import Namespace
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.netns("ping", "traceroute6", "tcpdump")

IPV6_MTU_DISCOVER, IPV6_MTU, IPV6_RECVERR, PMTUDISC_DO = 23, 24, 25, 2
NARROW = 1280
FAR = "2001:db8:9::2"
BOTH = pytest.mark.parametrize("routed", ["on", "off"], indirect=True)
"""TAPs with and without offloads."""


@pytest.fixture
def routed(
    netns: Namespace,
    smolctl_env: SmolctlEnv,
    peer_factory: Callable[[], Peer],
    request: pytest.FixtureRequest,
) -> Routed:
    return router_in(netns, smolctl_env, peer_factory, getattr(request, "param", "on"), ipv6=True)


@pytest.fixture
def narrow(netns: Namespace, smolctl_env: SmolctlEnv, peer_factory: Callable[[], Peer]) -> Routed:
    """Make a router whose right link has the smallest MTU; the left host does not know."""
    return router_in(netns, smolctl_env, peer_factory, mtu=NARROW, ipv6=True)


# --- what passes ----------------------------------------------------------------------------------


@BOTH
def test_hosts_ping_each_other_by_the_router(routed: Routed) -> None:
    for peer, dst in ((routed.left, RIGHT6), (routed.right, LEFT6)):
        ping = peer.namespace.run("ping", "-6", "-c", "5", "-i", "0.1", "-W", "2", dst)
        assert "5 packets transmitted, 5 received" in ping.stdout, ping
        assert "ttl=63" in ping.stdout
    # The hosts report their groups, which are nobody's but a router's of groups.
    assert set(routed.drops()) <= {"neigh-pending", "ip6-multicast-not-joined"}


def test_the_hosts_know_it_as_a_router(routed: Routed) -> None:
    routed.left.namespace.run("ping", "-6", "-c", "1", "-W", "2", RIGHT6, check=True)
    # RFC 4861 4.4: its advertisements have the flag R.
    assert "router" in routed.left.ip("-6", "neigh", "show", "2001:db8:1::1")


def test_without_forwarding_nobody_hears_anything(routed: Routed) -> None:
    routed.sysctl(ip6__forward=0)
    ping = routed.left.namespace.run("ping", "-6", "-c", "1", "-W", "1", RIGHT6)
    assert ping.returncode == 1
    routed.wait_for("ip6-dst-not-ours")
    routed.smolctl("sysctl", "ip6.forward=1", check=True)
    assert routed.left.namespace.run("ping", "-6", "-c", "1", "-W", "2", RIGHT6).returncode == 0


def test_traceroute_names_the_router_and_then_the_host(routed: Routed) -> None:
    for how in ([], ["-I"]):
        trace = routed.left.namespace.run("traceroute6", "-n", "-q", "1", "-w", "2", *how, RIGHT6)
        hops = re.findall(r"^ *(\d+)  (\S+)  [\d.]+ ms", trace.stdout, re.M)
        assert hops == [("1", "2001:db8:1::1"), ("2", RIGHT6)], trace.stdout


@BOTH
def test_datagrams_pass_both_ways_unharmed(routed: Routed) -> None:
    left, right = routed.left.udp(LEFT6, 5000), routed.right.udp(RIGHT6, 5000)
    for size in (0, 1, 1452, 4000, 65527):
        data = (bytes(range(251)) * 262)[:size]
        for sender, receiver, dst in ((left, right, RIGHT6), (right, left, LEFT6)):
            sender.sendto(data, (dst, 5000))
            got, source = receiver.recvfrom(65535)
            assert got == data
            assert source[:2] == (LEFT6 if sender is left else RIGHT6, 5000)


# --- too big --------------------------------------------------------------------------------------


def test_what_is_too_big_teaches_the_kernel_the_path_mtu(narrow: Routed) -> None:
    capture = narrow.left.namespace.tcpdump("left", "icmp6")
    left, right = narrow.left.udp(LEFT6, 5000), narrow.right.udp(RIGHT6, 5000)
    left.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DO)
    left.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    left.connect((RIGHT6, 5000))
    left.send(bytes(1400))
    capture.wait_for(f"packet too big, mtu {NARROW}")
    assert "2001:db8:1::1 > 2001:db8:1::2" in capture.stdout
    assert left.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE
    with pytest.raises(OSError, match="Message too long"):
        left.send(bytes(1400))
    assert left.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU) == NARROW
    left.send(bytes(NARROW - 48))
    assert right.recv(65535) == bytes(NARROW - 48)
    assert narrow.drops()["fwd-too-big"] == 1


def test_the_kernel_cuts_what_a_router_must_not(narrow: Routed) -> None:
    left, right = narrow.left.udp(LEFT6, 5000), narrow.right.udp(RIGHT6, 5000)
    # The first is lost and teaches the path's MTU (RFC 8201); routers never cut (RFC 8200 5).
    left.sendto(bytes(4000), (RIGHT6, 5000))
    narrow.wait_for("fwd-too-big")
    wait_until(lambda: "mtu 1280" in narrow.left.ip("route", "get", RIGHT6), "what was learned")
    left.sendto(b"2" * 4000, (RIGHT6, 5000))
    assert right.recv(65535) == b"2" * 4000


@pytest.fixture
def far(lab: Lab, peer_factory: Callable[[], Peer]) -> Peer:
    """Make a host behind the kernel, which forwards by a link with an MTU of 1280."""
    lab.plug("2001:db8::1/64", theirs=("2001:db8::2/64",))
    router, host = lab.peer, peer_factory()
    host.enable_ipv6()
    other = ("type", "veth", "peer", "name", "veth1", "netns", host.namespace.name)
    router.ip("link", "add", "veth0", *other)
    router.batch("addr add 2001:db8:9::1/64 dev veth0 nodad", "link set veth0 mtu 1280 up")
    host.batch(
        f"addr add {FAR}/64 dev veth1 nodad",
        "link set veth1 mtu 1280 up",
        "route add default via 2001:db8:9::1",
    )
    router.sysctl({"net.ipv6.conf.all.forwarding": 1})
    lab.smolctl("route", "add", "default", "via", "2001:db8::2", check=True)
    return host


def test_a_kernel_router_is_believed(lab: Lab, far: Peer) -> None:
    kernel = far.udp(FAR, 9000)
    sending = ("udp", "send", f"[{FAR}]:9000", "--size", "1400", "-w", "5")
    lost = lab.smolctl(*sending)
    assert lost.returncode == 1
    assert "2001:db8::2 says that the packet is too big" in lost.stderr
    assert "whose MTU is 1280" in lost.stderr
    assert "in 2 fragments" in lab.smolctl(*sending, check=True).stdout
    assert kernel.recvfrom(65535)[0] == (bytes(range(256)) * 6)[:1400]
    fits = ("udp", "send", f"[{FAR}]:9000", "--size", "1232", "--df", "-w", "0")
    lab.smolctl(*fits, check=True)
    assert len(kernel.recvfrom(65535)[0]) == 1232
    refused = lab.smolctl("udp", "send", f"[{FAR}]:9000", "--size", "1233", "-M", "do")
    assert (refused.returncode, "tx-too-big" in refused.stderr) == (1, True)


def test_ping_says_that_it_was_too_big_and_goes_on_in_fragments(lab: Lab, far: Peer) -> None:
    ended = lab.smolctl("ping", "-c", "3", "-i", "0.2", "-s", "1400", FAR)
    assert "From 2001:db8::2 icmp_seq=1 Packet too big: mtu=1280" in ended.stdout
    assert "3 packets transmitted, 2 received, +1 errors" in ended.stdout


def test_the_learned_mtu_is_shown_and_flushed(lab: Lab, far: Peer) -> None:
    lab.smolctl("ping", "-c", "1", "-W", "1", "-s", "1400", FAR)
    (row,) = lab.smolctl.json("route", "get", FAR)
    assert row["metrics"] == [{"mtu": 1280}]
    assert 590 <= row["expires"] <= 600
    lab.smolctl("-6", "route", "flush", "cache", check=True)
    assert "metrics" not in lab.smolctl.json("route", "get", FAR)[0]


# --- who is told what -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "seen", "error"),
    [
        ("", "unreachable route 2001:db8:8::1", "Network is unreachable"),
        ("unreachable", "unreachable route 2001:db8:8::1", "Network is unreachable"),
        ("prohibit", "unreachable prohibited 2001:db8:8::1", "Permission denied"),
    ],
)
def test_the_sender_is_told_why_there_is_no_way(
    routed: Routed, kind: str, seen: str, error: str
) -> None:
    if kind:
        routed.smolctl("route", "add", kind, "2001:db8:8::/64", check=True)
    capture = routed.left.namespace.tcpdump("left", "icmp6")
    sender = routed.left.udp("::")
    sender.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    sender.connect(("2001:db8:8::1", 53))
    sender.send(b"x")
    capture.wait_for(seen)
    with pytest.raises(OSError, match=error):
        sender.recv(1)


def test_a_blackhole_says_nothing(routed: Routed) -> None:
    routed.smolctl("route", "add", "blackhole", "2001:db8:8::/64", check=True)
    sender = routed.left.udp("::")
    sender.connect(("2001:db8:8::1", 53))
    sender.send(b"x")
    routed.wait_for("fwd-route-blackhole")
    assert nothing_waits(sender)


def test_a_host_that_is_not_there_is_told_after_three_questions(routed: Routed) -> None:
    capture = routed.left.namespace.tcpdump("left", "icmp6")
    asked = routed.right.namespace.tcpdump("right", "icmp6")
    routed.sysctl(neigh__retrans_time_ms=100)
    sender = routed.left.udp("::")
    sender.connect(("2001:db8:2::99", 53))
    sender.send(b"x")
    capture.wait_for("unreachable address 2001:db8:2::99")
    assert asked.stdout.count("who has 2001:db8:2::99") == 3
    assert routed.drops()["neigh-failed"] == 1


def test_a_host_is_told_of_a_better_gateway_and_takes_it(routed: Routed) -> None:
    better = "fe80::7"
    routed.left.sysctl({"net.ipv6.conf.left.accept_redirects": 1})
    routed.left.ip("neigh", "add", better, "lladdr", THEIRS_MAC, "dev", "left")
    # RFC 4861 8.1: only the first hop is believed, by its link-local address.
    local = routed.smolctl.json("-6", "addr", "show", "dev", "left")[0]["addr_info"]
    (own,) = [row["local"] for row in local if row["scope"] == "link"]
    routed.left.ip("-6", "route", "replace", "default", "via", own, "dev", "left")
    routed.smolctl("route", "add", "2001:db8:8::/64", "via", better, "dev", "left", check=True)
    capture = routed.left.namespace.tcpdump("left", "icmp6")
    routed.left.namespace.run("ping", "-6", "-c", "1", "-W", "0.2", "2001:db8:8::1")
    capture.wait_for("redirect, 2001:db8:8::1 to fe80::7")
    wait_until(
        lambda: f"via {better}" in routed.left.ip("route", "get", "2001:db8:8::1"), "its effect"
    )


def test_what_is_of_one_link_does_not_leave_it(routed: Routed) -> None:
    capture = routed.left.namespace.tcpdump("left", "icmp6")
    local = routed.left.ip("-6", "-o", "addr", "show", "dev", "left", "scope", "link").split()[3]
    (router,) = routed.call("link.show", dev="left")
    sent = echo(local.partition("/")[0], RIGHT6, to=str(router["address"]))
    routed.left.wire("left").send(sent)
    # RFC 4443 3.1: code 2, beyond the scope of the source address.
    capture.wait_for("beyond scope")
    assert routed.drops()["fwd-link-local"] == 1


def test_the_router_answers_for_itself_at_all_its_addresses(routed: Routed) -> None:
    for address in ("2001:db8:1::1", "2001:db8:2::1", "2001:db8:1::", "ff02::2%left"):
        ping = routed.left.namespace.run("ping", "-6", "-c", "1", "-W", "2", address)
        assert ping.returncode == 0, (address, ping)
    sent = events(routed.smolctl("-j", "udp", "send", f"[{RIGHT6}]:9", "x"))[0]
    assert sent["dev"] == "right"
