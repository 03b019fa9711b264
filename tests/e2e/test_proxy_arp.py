"""Proxy ARP: two kernels that take each other for neighbors, and smolctl between them."""

from collections.abc import Callable

import pytest

from tests.e2e.between import Between
from tests.e2e.kit import Peer, Row
from tests.kit.netns import Namespace
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.netns("arping", "ping", "tcpdump")

NEAR, FAR = "10.0.0.2", "10.0.0.130"
"""The hosts, which both believe that all of 10.0.0.0/24 is on their link."""


class BetweenHosts(Between):
    """smolctl has half of the network on each side."""

    def __init__(self, smolctl: SmolctlEnv, near: Peer, far: Peer) -> None:
        super().__init__(smolctl, near, far)
        self.link("left", near, f"{NEAR}/24", "10.0.0.1/25")
        self.link("right", far, f"{FAR}/24", "10.0.0.129/25")
        self.sysctl("ip.forward=1")

    def who_has(self, address: str) -> str:
        """Let the near kernel ask once, and return what its arping says."""
        words = ("arping", "-c", "1", "-w", "2", "-I", "left", address)
        return self.near.namespace.run(*words).stdout


@pytest.fixture
def between(
    netns: Namespace, peer_factory: Callable[[], Peer], smolctl_env: SmolctlEnv
) -> BetweenHosts:
    smolctl_env.enter(netns)
    return BetweenHosts(smolctl_env, peer_factory(), peer_factory())


def test_the_kernels_ping_through(between: BetweenHosts) -> None:
    assert not between.pings(between.near, FAR)
    between.ctl("sysctl arp.proxy=1")
    for peer in (between.near, between.far):
        peer.ip("neigh", "flush", "all")
    assert between.pings(between.near, FAR)
    assert between.pings(between.far, NEAR)
    (row,) = [row for row in between.near.rows("neigh", "show") if row["dst"] == FAR]
    assert row["lladdr"].upper() == between.mac("left")
    assert between.drops()["arp-proxy-delayed"] >= 1


def test_an_entry_for_one_host(between: BetweenHosts) -> None:
    between.ctl(f"neigh add proxy {FAR} dev left")
    between.ctl("sysctl neigh.proxy_delay_ms=0")
    assert between.smolctl("neigh", "show", "proxy").stdout == f"{FAR} dev left proxy\n"
    assert between.mac("left") in between.who_has(FAR)
    # Not for others, not on the other link, not for whoever asks whether it is free.
    assert between.mac("left") not in between.who_has("10.0.0.131")
    probe = ("arping", "-D", "-c", "1", "-w", "1", "-I", "left", FAR)
    assert between.near.namespace.run(*probe).returncode == 0
    between.ctl(f"neigh del proxy {FAR} dev left")
    assert between.mac("left") not in between.who_has(FAR)


def test_an_entry_without_forwarding_says_why(between: BetweenHosts) -> None:
    between.ctl(f"neigh add proxy {FAR} dev left")
    between.ctl("sysctl ip.forward=0")
    assert between.mac("left") not in between.who_has(FAR)
    told: list[Row] = between.smolctl.json("stats", "drops")
    (idle,) = [row for row in told if row["reason"] == "arp-proxy-idle"]
    assert (idle["dev"], idle["fix"]) == ("left", ["smolctl sysctl ip.forward=1"])


def test_the_kernel_as_proxy_is_the_reference(
    between: Between, peer_factory: Callable[[], Peer]
) -> None:
    """A kernel in smolctl's place answers in the same cases."""
    reference, asker = peer_factory(), peer_factory()
    for name, ours in (("left", "10.0.0.1/25"), ("right", "10.0.0.129/25")):
        other = ("type", "veth", "peer", "name", f"{name}1", "netns", asker.namespace.name)
        reference.ip("link", "add", name, *other)
        reference.batch(f"link set {name} up", f"addr add {ours} dev {name}")
        asker.batch(f"link set {name}1 up")
    asker.batch(f"addr add {NEAR}/24 dev left1")
    reference.sysctl({"net.ipv4.ip_forward": 1, "net.ipv4.neigh.left.proxy_delay": 0})
    between.ctl("sysctl neigh.proxy_delay_ms=0")
    targets = ("10.0.0.1", "10.0.0.129", "10.0.0.3", FAR, "10.0.0.255", "10.9.9.9")

    def answered(peer: Peer, dev: str) -> list[str]:
        words = ("arping", "-c", "1", "-w", "1", "-I", dev)
        return [
            target
            for target in targets
            if peer.namespace.run(*words, target, check=False).returncode == 0
        ]

    for proxy in (0, 1):
        reference.sysctl({"net.ipv4.conf.left.proxy_arp": proxy})
        between.ctl(f"sysctl arp.proxy={proxy}")
        expected = answered(asker, "left1")
        assert (FAR in expected) == bool(proxy)
        assert answered(between.near, "left") == expected
