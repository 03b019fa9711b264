"""Links without ARP: nobody is asked, and every neighbor has the link's own MAC (IFF_NOARP)."""

import pytest

from smolctl.stack.config.link import set_arp, set_mac
from smolctl.stack.config.vlan import add_vlan
from smolctl.stack.interface import Vlan
from smolctl.stack.neighbor.states import State
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, OUR_MAC, PEER, PEER_MAC, Host, reply, request

PEER6 = "2001:db8::2"


@pytest.fixture
def host() -> Host:
    host = Host(ipv6=True)
    host.add("2001:db8::1/64")
    set_arp(host.stack.shared, host.tap, False, host.now)
    host.take()
    return host


@pytest.mark.parametrize("dst", [PEER, PEER6])
def test_what_is_sent_goes_to_the_links_own_mac(host: Host, dst: str) -> None:
    host.send(host.socket(local="::" if ":" in dst else "0.0.0.0"), dst)
    (frame,) = host.take()
    assert frame[:6] == OUR_MAC
    entry = host.neighbor(dst)
    assert entry is not None
    assert (entry.state, entry.lladdr) == (State.NOARP, OUR_MAC)


def test_broadcasts_go_there_too(host: Host) -> None:
    """As Linux's arp_constructor, which looks at the link first."""
    socket = host.socket()
    socket.broadcast = True
    host.send(socket, "10.0.0.255")
    (frame,) = host.take()
    assert frame[:6] == OUR_MAC


def test_arp_is_neither_answered_nor_learned_from(host: Host) -> None:
    host.know(state=State.STALE)
    host.receive(request(), reply(mac=OTHER_MAC))
    assert host.take() == []
    assert host.reasons()["arp-off"] == 2
    entry = host.neighbor(PEER)
    assert entry is not None
    assert entry.lladdr == PEER_MAC


def test_an_entry_is_forgotten_when_nobody_uses_it(host: Host) -> None:
    host.set("neigh.gc_thresh1", 0)
    host.send(host.socket())
    host.wait(600 * SECOND_NS)
    assert host.neighbor(PEER) is None


def test_with_another_mac_neighbors_have_that_one(host: Host) -> None:
    host.send(host.socket())
    set_mac(host.stack.shared, host.tap, OTHER_MAC, host.now)
    host.take()
    host.send(host.socket())
    (frame,) = host.take()
    assert frame[:12] == OTHER_MAC * 2


def test_neighbors_are_asked_again_with_arp(host: Host) -> None:
    host.send(host.socket())
    host.take()
    set_arp(host.stack.shared, host.tap, True, host.now)
    assert host.neighbor(PEER) is None
    host.send(host.socket())
    (asked,) = host.sent()
    assert asked.arp is not None


def test_addresses_are_used_without_a_test(host: Host) -> None:
    host.set("nd.accept_dad", 1)
    host.set("arp.dad", 1)
    assert not host.add("10.1.0.1/24").tentative
    assert not host.add("2001:db8:1::1/64").tentative


def test_a_vlan_does_as_the_link_below(host: Host) -> None:
    upper = add_vlan(host.stack.shared, "tap0.5", Vlan(host.tap, 0x8100, 5), None, None, host.now)
    assert not upper.arp
    host.add("10.5.0.1/24", "tap0.5")
    host.take()
    host.send(host.socket(), "10.5.0.2")
    (frame,) = host.take()
    assert frame[:6] == OUR_MAC
