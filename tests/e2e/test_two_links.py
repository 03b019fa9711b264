"""Two links to two kernels: the FIB alone says by which one a datagram leaves."""

import json
from collections.abc import Callable
from itertools import permutations
from typing import NamedTuple

import pytest

from tests.e2e.kit import BOTH_WAYS, Peer, connect, events, nothing_waits, receive
from tests.kit.netns import Namespace
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.netns

NETWORKS = {"left": "10.1.0", "right": "10.2.0"}
EVERYWHERE = ("8.8.8.8/32", "10.1.0.9/32", "10.2.0.9/32")
"""Addresses that both kernels have, so that only the way tells where a datagram went."""


class Links(NamedTuple):
    """smolctl and the two kernels."""

    smolctl: SmolctlEnv
    left: Peer
    right: Peer
    offload: str

    def add(self, name: str) -> None:
        """Connect one kernel; ``netns`` and ``host`` make its side of the TAP."""
        peer: Peer = getattr(self, name)
        network = NETWORKS[name]
        options = (
            "type",
            "tap",
            "netns",
            peer.namespace.name,
            "host",
            f"{network}.2/24",
            "offload",
            self.offload,
        )
        self.smolctl("link", "add", name, *options, check=True)
        self.smolctl("addr", "add", f"{network}.1/24", "dev", name, check=True)
        # The way back leads by the same cable, whatever the source.
        back = f"route add default via {network}.1"
        peer.batch(back, *(f"addr add {address} dev lo" for address in EVERYWHERE))

    def way(self, dst: str, *options: str) -> tuple[str, str]:
        """Send a datagram and return by which link it left, and its source address.

        Where it arrived, what the command says, what ``route get`` predicts and what the links
        counted must agree.
        """
        kernels = {name: getattr(self, name).udp(dst, 7000) for name in NETWORKS}
        before = self._sent()
        run = self.smolctl("-j", "udp", "send", f"{dst}:7000", "x", "-w", "0", *options, check=True)
        (dev,) = [event["dev"] for event in events(run) if event["event"] == "sent"]
        text, (src, _) = receive(kernels[dev])
        assert text == "x"
        other = "left" if dev == "right" else "right"
        assert nothing_waits(kernels[other])
        after = self._sent()
        assert after[other] == before[other]
        assert after[dev] > before[dev]
        if not options:
            (predicted,) = self.smolctl.json("route", "get", dst)
            assert (predicted["dev"], predicted["prefsrc"]) == (dev, src)
        for kernel in kernels.values():
            kernel.close()
        return dev, src

    def _sent(self) -> dict[str, int]:
        with connect(self.smolctl) as client:
            rows = client.call("link.show", stats=True)
        return {row["ifname"]: row["stats64"]["tx"]["packets"] for row in rows}


@pytest.fixture
def links(
    netns: Namespace, peer_factory: Callable[[], Peer], smolctl_env: SmolctlEnv, offload: str
) -> Links:
    """Make the two kernels; the test adds the links."""
    smolctl_env.enter(netns)
    smolctl_env.environ["SMOLCTL_IP6_DISABLE"] = "1"  # nothing else is counted
    left, right = peer_factory(), peer_factory()
    for peer in (left, right):
        peer.sysctl({"net.ipv4.ip_nonlocal_bind": 1})
    return Links(smolctl_env, left, right, offload)


@pytest.mark.parametrize("order", [*permutations(NETWORKS)], ids="-then-".join)
@pytest.mark.parametrize("default", NETWORKS)
def test_datagram_leaves_by_the_route_not_by_the_order_of_links(
    links: Links, order: tuple[str, ...], default: str
) -> None:
    for name in order:
        links.add(name)
    gateway = f"{NETWORKS[default]}.2"
    links.smolctl("route", "add", "default", "via", gateway, check=True)
    assert links.way("10.1.0.2") == ("left", "10.1.0.1")
    assert links.way("10.2.0.2") == ("right", "10.2.0.1")
    assert links.way("8.8.8.8") == (default, f"{NETWORKS[default]}.1")
    # An address of the other link as source changes nothing: hosts are weak (RFC 1122 3.3.4.2).
    source = "10.2.0.1" if default == "left" else "10.1.0.1"
    assert links.way("8.8.8.8", "-s", source) == (default, source)


def test_longer_prefix_wins_over_the_connected_network(links: Links) -> None:
    for name in NETWORKS:
        links.add(name)
    assert links.way("10.1.0.9") == ("left", "10.1.0.1")
    links.smolctl("route", "add", "10.1.0.9/32", "via", "10.2.0.2", check=True)
    assert links.way("10.1.0.9") == ("right", "10.2.0.1")
    links.smolctl("route", "del", "10.1.0.9/32", check=True)
    assert links.way("10.1.0.9") == ("left", "10.1.0.1")


def test_metric_decides_between_equal_prefixes(links: Links) -> None:
    for name in NETWORKS:
        links.add(name)
    for gateway, metric in (("10.1.0.2", "20"), ("10.2.0.2", "10")):
        add = ("route", "add", "default", "via", gateway, "metric", metric)
        links.smolctl(*add, check=True)
    assert links.way("8.8.8.8") == ("right", "10.2.0.1")
    # The device asked for is a condition, before the metric.
    assert links.way("8.8.8.8", "--dev", "left") == ("left", "10.1.0.1")
    links.smolctl("route", "del", "default", "metric", "10", check=True)
    assert links.way("8.8.8.8") == ("left", "10.1.0.1")


@BOTH_WAYS
def test_second_link_takes_over_when_the_first_goes_down(links: Links) -> None:
    for name in NETWORKS:
        links.add(name)
    for gateway, metric in (("10.1.0.2", "20"), ("10.2.0.2", "10")):
        add = ("route", "add", "default", "via", gateway, "metric", metric)
        links.smolctl(*add, check=True)
    links.smolctl("link", "set", "right", "down", check=True)
    refused = links.smolctl("-j", "route", "get", "10.2.0.2", "oif", "right")
    error = json.loads(refused.stderr)["error"]
    assert (refused.returncode, error["code"]) == (1, "tx-iface-down")
    assert error["errno"] == "ENETUNREACH"
    assert links.way("8.8.8.8") == ("left", "10.1.0.1")
