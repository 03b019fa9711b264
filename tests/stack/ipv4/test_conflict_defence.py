"""Addresses are tested again, defended and announced: RFC 5227 in virtual time."""

import pytest

from smolctl.errors import SendRejected
from smolctl.stack.clone.stack_clone import clone_for_packet
from smolctl.stack.config.addr import change_address
from smolctl.stack.config.link import set_carrier, set_mac, set_up
from smolctl.stack.events import EventKind
from smolctl.stack.ip.addresses import Address
from smolctl.wire import arp
from smolctl.wire.address import ZERO_MAC
from tests.kit.claims import ANNOUNCEMENT, TEST_NS, address_of, asked, host_with, listen, state
from tests.kit.clock import SECOND_NS
from tests.kit.host import (
    OTHER_MAC,
    OUR_MAC,
    OURS,
    PEER,
    PEER_MAC,
    Host,
    ip,
    reply,
    request,
    udp_frame,
)

# --- again ----------------------------------------------------------------------------------------


def put(host: Host, dad: bool | None = None) -> None:
    """Do as ``addr replace`` does."""
    old = address_of(host)
    new = Address(old.local, old.plen, old.scope, old.label, dad=dad)
    change_address(host.stack.ipv4, host.tap, old, new, host.now)


def fail(host: Host) -> None:
    host.receive(reply(OURS, "0.0.0.0"))
    host.poll()
    assert state(host) == "dadfailed"
    host.sent()


def test_replace_tests_a_failed_address_again() -> None:
    host = host_with()
    fail(host)
    put(host)
    assert state(host) == "tentative"
    assert len(asked(host)) == 5
    assert state(host) == "ours"


def test_replace_leaves_an_address_that_is_being_tested_alone() -> None:
    host = host_with()
    asked(host, 3)
    put(host)
    assert len(asked(host)) == 3


def test_nodad_uses_an_address_at_once() -> None:
    for failed in (False, True):
        host = host_with()
        if failed:
            fail(host)
        put(host, dad=False)
        assert state(host) == "ours"
        assert asked(host) == []
        host.receive(request())
        assert len(host.sent()) == 1


def test_dad_tests_an_address_that_is_in_use() -> None:
    host = host_with(dad=False)
    put(host, dad=True)
    assert state(host) == "tentative"
    assert len(asked(host)) == 5


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("what", ["up", "carrier"])
def test_a_link_that_comes_back_is_tested_again(what: str, failed: bool) -> None:
    change = set_up if what == "up" else set_carrier
    host = host_with()
    if failed:
        fail(host)
    else:
        asked(host)
    change(host.stack.shared, host.tap, False, host.now)
    assert state(host) == ("dadfailed" if failed else "ours")
    assert asked(host) == []
    change(host.stack.shared, host.tap, True, host.now)
    assert state(host) == "tentative"
    assert len(asked(host)) == 5
    assert state(host) == "ours"


@pytest.mark.parametrize("what", ["up", "carrier"])
def test_a_test_waits_for_its_link(what: str) -> None:
    change = set_up if what == "up" else set_carrier
    host = Host(bare=True)
    change(host.stack.shared, host.tap, False, host.now)
    host.add(f"{OURS}/24", dad=True)
    assert (asked(host), state(host)) == ([], "tentative")
    change(host.stack.shared, host.tap, True, host.now)
    assert len(asked(host, 3)) == 2
    change(host.stack.shared, host.tap, False, host.now)
    assert (asked(host), state(host)) == ([], "tentative")
    change(host.stack.shared, host.tap, True, host.now)
    assert len(asked(host)) == 5  # from the beginning: who knows who is there now


def test_an_address_in_use_is_not_tested_periodically() -> None:
    host = host_with()
    asked(host)
    assert asked(host, 86_400) == []


# --- defence --------------------------------------------------------------------------------------


def claimed(host: Host, mac: bytes = PEER_MAC) -> list[tuple[int, str, str]]:
    """Let another host claim our address, and return what is sent at once."""
    host.receive(request(OURS, PEER, mac=mac))
    return asked(host, 0)


def test_a_conflict_is_left_alone_as_linux_does() -> None:
    host = Host()
    assert claimed(host) == []
    assert state(host) == "ours"
    assert host.reasons() == {"arp-address-conflict": 1}
    assert len(host.tap.ipv4.dad) == 0


def test_yield_gives_the_address_up() -> None:
    host = Host()
    host.set("arp.defend", "yield")
    changes = listen(host)
    assert claimed(host) == []
    assert state(host) == "dadfailed"
    assert address_of(host).other_mac == PEER_MAC
    assert [event.kind for event in changes] == [EventKind.ADDR]
    host.receive(request())
    assert host.sent() == []


def test_once_defends_and_then_yields() -> None:
    host = Host()
    host.set("arp.defend", "once")
    assert claimed(host) == [(0, *ANNOUNCEMENT)]
    host.wait(10 * SECOND_NS)  # DEFEND_INTERVAL is over
    assert claimed(host) == [(0, *ANNOUNCEMENT)]
    assert state(host) == "ours"
    host.wait(10 * SECOND_NS - 1)
    assert claimed(host) == []
    assert state(host) == "dadfailed"


def test_always_defends_at_most_once_in_the_interval() -> None:
    host = Host()
    host.set("arp.defend", "always")
    begin, defended = host.now, []
    for _ in range(70):  # one claim in half a second, for 35 s
        defended += [host.now - begin for _ in claimed(host)]
        host.wait(SECOND_NS // 2)
    assert defended == [at * SECOND_NS for at in (0, 10, 20, 30)]
    assert state(host) == "ours"
    assert host.reasons() == {"arp-address-conflict": 70}


def test_what_was_defended_is_forgotten() -> None:
    host = Host()
    host.set("arp.defend", "always")
    claimed(host)
    host.wait(10 * SECOND_NS)
    assert len(host.tap.ipv4.dad) == 0


def test_a_conflict_between_the_announcements_is_defended() -> None:
    host = host_with()
    host.set("arp.defend", "once")
    asked(host, 6)
    assert claimed(host) == [(0, *ANNOUNCEMENT)]
    assert asked(host) == [(1500, *ANNOUNCEMENT)]
    assert state(host) == "ours"


@pytest.mark.parametrize("policy", ["yield", "once", "always"])
def test_addresses_of_other_links_and_our_own_frames_are_not_defended(policy: str) -> None:
    host = Host()
    host.set("arp.defend", policy)
    host.link("tap1", OTHER_MAC)
    host.add("10.1.0.1/24", "tap1")
    host.receive(request("10.1.0.1", OURS))  # not configured on tap0
    host.receive(request(OURS, PEER, mac=OTHER_MAC))
    assert host.sent() == []
    assert state(host) == "ours"
    assert host.reasons() == {"arp-address-conflict": 1, "arp-own-sender": 1}


def test_a_socket_of_an_address_that_was_given_up_cannot_send() -> None:
    host = Host()
    host.know()
    socket = host.socket(local=OURS)
    host.send(socket)
    host.send(socket)  # by the fast path
    host.set("arp.defend", "yield")
    host.sent()
    claimed(host)
    with pytest.raises(SendRejected) as refused:
        host.stack.udp.send(socket, b"x", ip(PEER), 9, host.now)
    assert refused.value.code == "tx-src-tentative"
    host.receive(udp_frame(9, socket.port))
    assert socket.receive() is None


def test_a_prediction_changes_nothing() -> None:
    for policy in ("yield", "once"):
        host = Host()
        host.set("arp.defend", policy)
        host.add("10.0.0.3/24", dad=True)
        clone = clone_for_packet(host.stack)
        link = clone.interfaces["tap0"]
        before = host.stack.deadline()
        clone.receive(link, request(OURS, PEER), host.now)
        clone.receive(link, request("10.0.0.3", PEER), host.now)
        assert len(link.ipv4.dad) == 2
        assert len(host.tap.ipv4.dad) == 1
        assert host.stack.deadline() == before
        host.wait(TEST_NS)
        assert (state(host), state(host, "10.0.0.3")) == ("ours", "ours")


# --- announcements --------------------------------------------------------------------------------


def test_nothing_is_announced_unasked() -> None:
    host = Host()
    set_mac(host.stack.shared, host.tap, OTHER_MAC, host.now)
    for change in (set_up, set_carrier):
        change(host.stack.shared, host.tap, False, host.now)
        change(host.stack.shared, host.tap, True, host.now)
    assert asked(host) == []


def test_notify_announces_each_address() -> None:
    host = Host(f"{OURS}/24", "10.0.0.3/24")
    host.set("arp.notify", 1)
    both = [(0, *ANNOUNCEMENT), (0, "10.0.0.3", "10.0.0.3")]
    set_mac(host.stack.shared, host.tap, OTHER_MAC, host.now)
    assert asked(host) == both
    for change in (set_up, set_carrier):
        change(host.stack.shared, host.tap, False, host.now)
        assert asked(host) == []
        change(host.stack.shared, host.tap, True, host.now)
        assert asked(host) == both
    host.add("10.0.0.4/24")
    assert asked(host) == [(0, "10.0.0.4", "10.0.0.4")]
    host.add("10.0.0.5/32", "lo")
    assert asked(host) == []


def test_notify_waits_for_the_link_and_for_the_test() -> None:
    host = Host(bare=True)
    host.set("arp.notify", 1)
    set_carrier(host.stack.shared, host.tap, False, host.now)
    host.add(f"{OURS}/24")
    assert asked(host) == []
    set_carrier(host.stack.shared, host.tap, True, host.now)
    assert asked(host) == [(0, *ANNOUNCEMENT)]
    host.set("arp.dad", 1)
    set_carrier(host.stack.shared, host.tap, False, host.now)
    set_carrier(host.stack.shared, host.tap, True, host.now)
    assert [sender for _, sender, _ in asked(host)] == ["0.0.0.0"] * 3 + [OURS] * 2


def test_an_announcement_names_the_new_mac() -> None:
    host = Host()
    host.set("arp.notify", 1)
    set_mac(host.stack.shared, host.tap, OTHER_MAC, host.now)
    (frame,) = host.sent()
    assert frame.arp == arp.ArpPacket(1, OTHER_MAC, ip(OURS), ZERO_MAC, ip(OURS))
    assert OUR_MAC not in (frame.src, frame.arp.sender_mac)


def test_links_without_a_wire_are_never_active() -> None:
    assert not Host().stack.interfaces.loopback.has_peers
