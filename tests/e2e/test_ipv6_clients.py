"""Real clients of IPv6, each with smolctl as the host that it asks, or the router on the way."""

import re
from collections.abc import Callable

import pytest

from tests.e2e.kit import OURS_MAC, Lab, Peer
from tests.e2e.oracle.routed import RIGHT6, Routed, router_in
from tests.kit.netns import Namespace
from tests.kit.stack_env import SmolctlEnv

OURS, THEIRS = "2001:db8::1", "2001:db8::2"
HOPS = ["2001:db8:1::1", RIGHT6]


@pytest.fixture
def tap(lab: Lab) -> Lab:
    lab.plug(f"{OURS}/64", theirs=(f"{THEIRS}/64",))
    return lab


@pytest.fixture
def routed(netns: Namespace, smolctl_env: SmolctlEnv, peer_factory: Callable[[], Peer]) -> Routed:
    made = router_in(netns, smolctl_env, peer_factory, ipv6=True)
    made.sysctl(icmp6__ratelimit_ms=0)
    return made


@pytest.mark.netns("ndisc6")
def test_ndisc6_finds_the_mac(tap: Lab) -> None:
    found = tap.peer.namespace.run("ndisc6", "-n", "-q", OURS, tap.dev)
    assert (found.returncode, found.stdout.strip().lower()) == (0, OURS_MAC)


@pytest.mark.netns("ndisc6")
def test_ndisc6_finds_nobody_elsewhere(tap: Lab) -> None:
    found = tap.peer.namespace.run("ndisc6", "-n", "-r", "1", "-w", "200", "2001:db8::9", tap.dev)
    assert found.returncode == 2
    # It asked in that address's group, which nobody here is a member of.
    tap.wait_for_drop("ip6-multicast-not-joined")


@pytest.mark.netns("rdisc6")
def test_rdisc6_finds_no_router_at_a_host(tap: Lab) -> None:
    found = tap.peer.namespace.run("rdisc6", "-n", "-r", "1", "-w", "200", tap.dev)
    assert found.returncode == 2
    assert "No response" in found.stdout


@pytest.mark.netns("nmap")
def test_nmap_tells_closed_from_open(tap: Lab) -> None:
    echo = tap.smolctl.popen("udp", "echo", "[::]:7")
    echo.wait_for("listening")
    scan = ("nmap", "-6", "-n", "-sU", "--max-retries", "2", "-p", "7,9", "-e", tap.dev)
    found = tap.peer.namespace.run(*scan, "--data-string", "x", OURS, timeout=60)
    assert re.search(r"^7/udp +open ", found.stdout, re.M), found
    assert re.search(r"^9/udp +closed ", found.stdout, re.M), found
    assert f"MAC Address: {OURS_MAC.upper()}" in found.stdout


@pytest.mark.netns("nmap")
def test_nmap_finds_who_is_there(tap: Lab) -> None:
    scan = ("nmap", "-6", "-n", "-sn", "-e", tap.dev, OURS, "2001:db8::9")
    found = tap.peer.namespace.run(*scan, timeout=60)
    assert f"Nmap scan report for {OURS}\nHost is up" in found.stdout, found
    assert "2 IP addresses (1 host up) scanned" in found.stdout


@pytest.mark.netns("mtr")
def test_mtr_names_all_hops(routed: Routed) -> None:
    mtr = ("mtr", "-6", "-n", "-r", "-c", "2", "-i", "0.2", "-G", "2")
    for how in ([], ["-u"]):
        found = routed.left.namespace.run(*mtr, *how, RIGHT6)
        hops = re.findall(r"\d+\.\|-- (\S+) +(\S+)%", found.stdout)
        assert hops == [(hop, "0.0") for hop in HOPS], found


@pytest.mark.netns("traceroute6")
@pytest.mark.parametrize("how", [[], ["-I"], ["-U"]], ids=["udp", "icmp", "fixed"])
def test_traceroute6_names_all_hops(routed: Routed, how: list[str]) -> None:
    command = ("traceroute6", "-n", "-q", "1", "-w", "2", *how, RIGHT6)
    found = routed.left.namespace.run(*command)
    assert re.findall(r"^ *\d+  (\S+)  [\d.]+ ms", found.stdout, re.M) == HOPS, found


@pytest.mark.netns("rltraceroute6")
@pytest.mark.parametrize("how", [[], ["-I"]], ids=["udp", "icmp"])
def test_rltraceroute6_names_all_hops(routed: Routed, how: list[str]) -> None:
    command = ("rltraceroute6", "-n", "-q", "1", "-w", "2", *how, RIGHT6)
    found = routed.left.namespace.run(*command)
    assert re.findall(r"^ *\d+ +(\S+) +[\d.]+ ms", found.stdout, re.M) == HOPS, found


@pytest.mark.netns("tracepath")
def test_tracepath_finds_the_narrow_link(
    netns: Namespace, smolctl_env: SmolctlEnv, peer_factory: Callable[[], Peer]
) -> None:
    routed = router_in(netns, smolctl_env, peer_factory, mtu=1400, ipv6=True)
    found = routed.left.namespace.run("tracepath", "-6", "-n", RIGHT6)
    assert f"1:  {HOPS[0]}" in found.stdout.replace("   ", "  "), found
    assert "pmtu 1400" in found.stdout
    assert re.search(rf"{RIGHT6} +[\d.]+ms reached", found.stdout), found


@pytest.mark.netns("ping")
@pytest.mark.parametrize(
    "words",
    [("-s", "1400"), ("-Q", "0xb8"), ("-F", "0xabcde"), ("-t", "1"), ("-M", "do"), ("-p", "ff00")],
    ids=" ".join,
)
def test_pings_of_all_kinds_are_answered(tap: Lab, words: tuple[str, ...]) -> None:
    found = tap.peer.namespace.run("ping", "-6", "-n", "-c", "2", "-i", "0.2", *words, OURS)
    assert "2 packets transmitted, 2 received, 0% packet loss" in found.stdout, found


@pytest.mark.netns("ping")
def test_a_ping_to_all_nodes_is_answered(tap: Lab) -> None:
    found = tap.peer.namespace.run("ping", "-6", "-n", "-c", "2", "-i", "0.2", "ff02::1%tap0")
    assert f"from {OURS}: icmp_seq=1" in found.stdout, found
