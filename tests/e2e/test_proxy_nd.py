"""Proxy neighbor discovery: two kernels that look for each other, and smolctl between them."""

from collections.abc import Callable
from ipaddress import IPv6Address

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import Ether

from tests.e2e.between import Between
from tests.e2e.kit import Peer, Row
from tests.kit.netns import Namespace
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.netns("ping")

NEAR, FAR = "2001:db8::2", "2001:db8::8000:0:0:2"
"""The hosts, which both believe that all of 2001:db8::/64 is on their link."""


LAST = "2001:db8::1"
"""An address of the router's own."""


def solicitation(target: str, mac: str, to: str | None = None) -> bytes:
    """Return the question of the near host who has an address.

    Args:
        to: the station that is asked by unicast.
    """
    asked = ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=mac)
    if to is not None:
        return bytes(Ether(src=mac, dst=to) / IPv6(src=NEAR, dst=target, hlim=255) / asked)
    group = IPv6Address(int(IPv6Address("ff02::1:ff00:0")) | int(IPv6Address(target)) & 0xFFFFFF)
    ether = Ether(src=mac, dst="33:33:" + ":".join(f"{octet:02x}" for octet in group.packed[-4:]))
    return bytes(ether / IPv6(src=NEAR, dst=str(group), hlim=255) / asked)


class BetweenNodes(Between):
    """smolctl has half of the network on each side."""

    def __init__(self, smolctl: SmolctlEnv, near: Peer, far: Peer) -> None:
        super().__init__(smolctl, near, far)
        self.sysctl("nd.dad_transmits=0")
        for peer in (near, far):
            peer.enable_ipv6()
        self.link("left", near, f"{NEAR}/64", "2001:db8::1/65")
        self.link("right", far, f"{FAR}/64", "2001:db8::8000:0:0:1/65")
        self.sysctl("ip6.forward=1", "neigh.proxy_delay_ms=0")
        for line in (f"neigh add proxy {FAR} dev left", f"neigh add proxy {NEAR} dev right"):
            self.ctl(line)
        for peer, dev in ((near, "left"), (far, "right")):
            wait_until(lambda: "tentative" not in peer.ip("addr", "show", dev), "its test")  # noqa: B023


@pytest.fixture
def between(netns: Namespace, peer_factory: Callable[[], Peer], smolctl_env: SmolctlEnv) -> Between:
    smolctl_env.enter(netns)
    return BetweenNodes(smolctl_env, peer_factory(), peer_factory())


def test_the_kernels_ping_through(between: Between) -> None:
    assert not between.pings(between.near, FAR)
    told: list[Row] = between.smolctl.json("stats", "drops")
    (idle,) = [row for row in told if row["reason"] == "nd-proxy-idle"]
    assert (idle["dev"], idle["fix"]) == ("left", ["smolctl sysctl nd.proxy=1"])
    between.sysctl("net.ipv6.conf.all.proxy_ndp=1", "neigh.proxy_delay_ms=100")
    for peer in (between.near, between.far):
        peer.ip("neigh", "flush", "all")
    assert between.pings(between.near, FAR)
    assert between.pings(between.far, NEAR)
    (row,) = [row for row in between.near.rows("-6", "neigh", "show") if row["dst"] == FAR]
    assert row["lladdr"].upper() == between.mac("left")
    assert "router" not in row
    assert between.drops()["nd-answer-delayed"] >= 1


def test_an_entry_is_shown_and_can_be_deleted(between: Between) -> None:
    between.sysctl("nd.proxy=1")
    shown = between.smolctl("-6", "neigh", "show", "proxy").stdout
    assert shown == f"{FAR} dev left proxy\n{NEAR} dev right proxy\n"
    between.ctl(f"neigh del proxy {FAR} dev left")
    shown = between.smolctl("-6", "neigh", "show", "proxy").stdout
    assert shown == f"{NEAR} dev right proxy\n"
    assert not between.pings(between.near, FAR)


def test_the_kernel_as_proxy_is_the_reference(
    between: Between, peer_factory: Callable[[], Peer]
) -> None:
    """A kernel in smolctl's place answers in the same cases, with the same flags."""
    reference, asker = peer_factory(), peer_factory()
    reference.enable_ipv6()
    asker.enable_ipv6()
    for name, ours in (("left", "2001:db8::1/65"), ("right", "2001:db8::8000:0:0:1/65")):
        other = ("type", "veth", "peer", "name", f"{name}1", "netns", asker.namespace.name)
        reference.ip("link", "add", name, *other)
        reference.batch(f"link set {name} up", f"addr add {ours} dev {name} nodad")
        asker.batch(f"link set {name}1 up")
    asker.batch(f"addr add {NEAR}/64 dev left1 nodad")
    routers = "2001:db8::8000:0:0:77"
    for target in (FAR, routers, "2001:db8::3"):
        router = " router" if target == routers else ""
        reference.batch(f"neigh add proxy {target} dev left{router}")
        between.ctl(f"neigh replace proxy {target} dev left{router}")
    targets = ("2001:db8::8000:0:0:1", "2001:db8::3", "2001:db8::4", FAR, routers,
               "2001:db8::", "2001:db8:9::9")  # fmt: skip

    def answered(peer: Peer, dev: str, to: str | None = None) -> dict[str, str]:
        """Return for whom an answer comes in, and the flags that it has.

        What is asked by unicast goes to the host behind the proxy, and is answered in its place.
        """
        wire, mac, found = peer.wire(dev), peer.mac(dev), dict[str, str]()
        wire.settimeout(5)
        for target in (*targets, LAST):
            wire.send(solicitation(target, mac, to))
        while LAST not in found:
            packet = Ether(wire.recv(2048))
            if ICMPv6ND_NA in packet:
                said = packet[ICMPv6ND_NA]
                found[said.tgt] = "".join(flag for flag in "RSO" if said.getfieldval(flag))
        return found

    flags = {"net.ipv6.neigh.left.proxy_delay": 0}
    for proxy, forward in ((0, 1), (1, 0), (1, 1)):
        conf = "net.ipv6.conf"
        flags |= {f"{conf}.all.proxy_ndp": proxy, f"{conf}.all.forwarding": forward}
        reference.sysctl(flags)
        between.sysctl(f"all.nd.proxy={proxy}", f"ip6.forward={forward}")
        expected = answered(asker, "left1")
        assert (FAR in expected) == bool(proxy and forward)
        assert answered(between.near, "left") == expected
        expected = answered(asker, "left1", reference.mac("left"))
        assert answered(between.near, "left", between.mac("left")) == expected
