"""Addresses are tested, announced and defended: RFC 5227 in virtual time."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import AddressNotAvailable, SendRejected
from smolctl.stack.clone.stack_clone import clone_for_packet
from smolctl.stack.config.addr import change_address
from smolctl.stack.config.link import set_carrier, set_mac, set_up
from smolctl.stack.events import ChangeType, EventKind
from smolctl.stack.fib.route import TableName
from smolctl.stack.ip.addresses import Address
from smolctl.wire import arp
from smolctl.wire.address import ZERO_MAC
from tests.kit.claims import (
    ANNOUNCEMENT,
    PROBE,
    TEST_NS,
    address_of,
    asked,
    host_with,
    listen,
    state,
)
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import (
    OTHER_MAC,
    OUR_MAC,
    OURS,
    PEER,
    PEER_MAC,
    Host,
    arp_frame,
    echo_request,
    ip,
    reply,
    request,
    udp_frame,
)

# --- testing --------------------------------------------------------------------------------------


def test_probes_and_announcements_have_the_times_of_the_rfc() -> None:
    # Each random time is in the middle: PROBE_WAIT 1 s, PROBE_MIN 1 s, PROBE_MAX 2 s.
    assert asked(host_with()) == [
        (500, *PROBE), (2000, *PROBE), (3500, *PROBE),
        (5500, *ANNOUNCEMENT), (7500, *ANNOUNCEMENT),
    ]  # fmt: skip


def test_the_address_is_ours_with_the_first_announcement() -> None:
    host = host_with()
    host.wait(5499 * MILLISECOND_NS)
    assert state(host) == "tentative"
    host.wait(1 * MILLISECOND_NS)
    assert state(host) == "ours"
    assert host.stack.deadline() is not None
    asked(host)
    assert host.stack.deadline() is None
    assert len(host.tap.ipv4.dad) == 0


@given(st.floats(0, 1, exclude_max=True))
def test_random_times_stay_in_their_bounds(random: float) -> None:
    times = [at for at, *_ in asked(host_with(random=random))]
    first, second, third, ours, again = times
    assert 0 <= first <= 1000
    assert 1000 <= second - first <= 2000
    assert 1000 <= third - second <= 2000
    assert (ours - third, again - ours) == (2000, 2000)


@pytest.mark.parametrize(("sysctl", "word", "tested"), [
    (0, None, False), (0, True, True), (0, False, False),
    (1, None, True), (1, True, True), (1, False, False),
])  # fmt: skip
def test_what_is_tested(sysctl: int, word: bool | None, tested: bool) -> None:
    host = Host(bare=True)
    host.set("arp.dad", sysctl)
    host.add(f"{OURS}/24", dad=word)
    assert state(host) == ("tentative" if tested else "ours")
    assert bool(asked(host)) == tested


def test_nothing_is_tested_where_nobody_can_be_asked() -> None:
    host = Host()
    host.set("arp.dad", 1)
    host.add("10.9.9.9/32", "lo")
    assert host.stack.ipv4.fib.is_local(ip("10.9.9.9"))


def test_sysctls_say_how_often_and_when() -> None:
    host = Host(bare=True)
    for key, value in {
        "probe_wait_ms": 0, "probe_num": 1, "announce_wait_ms": 100, "announce_num": 3,
        "announce_interval_ms": 10,
    }.items():  # fmt: skip
        host.set(f"arp.{key}", value)
    host.add(f"{OURS}/24", dad=True)
    times = [(0, *PROBE), (100, *ANNOUNCEMENT), (110, *ANNOUNCEMENT), (120, *ANNOUNCEMENT)]
    assert asked(host) == times


def test_no_announcement_is_wanted() -> None:
    host = Host(bare=True)
    host.set("arp.announce_num", 0)
    host.add(f"{OURS}/24", dad=True)
    assert {sender for _, sender, _ in asked(host)} == {"0.0.0.0"}
    assert state(host) == "ours"


# --- a tentative address --------------------------------------------------------------------------


def test_a_tentative_address_does_not_answer() -> None:
    host = host_with()
    host.receive(request(), echo_request())
    assert host.sent() == []
    assert host.reasons() == {"arp-target-tentative": 1, "ip-dst-tentative": 1}
    assert list(host.cache()) == []


def test_a_question_for_a_tentative_address_updates_who_is_known() -> None:
    host = host_with()
    entry = host.know(mac=OTHER_MAC)
    host.clock.advance(2 * SECOND_NS)
    host.receive(request())
    assert entry.lladdr == PEER_MAC
    assert host.sent() == []


def test_a_tentative_address_is_no_source() -> None:
    host = host_with()
    with pytest.raises(AddressNotAvailable, match="is being tested") as error:
        host.socket(local=OURS)
    assert (error.value.hint or "").endswith("smolctl addr show tap0")
    for src in (None, OURS):
        with pytest.raises(SendRejected) as refused:
            host.send(host.socket(), src=src)
        assert refused.value.code == "tx-src-tentative"
        assert refused.value.errno_name == "EADDRNOTAVAIL"
    assert host.sent() == []
    host.wait(TEST_NS)
    host.sent()
    host.send(host.socket())
    (frame,) = host.sent()
    assert frame.arp is not None
    assert frame.arp.sender_ip == ip(OURS)


def test_a_route_that_prefers_a_tentative_address_waits_for_it() -> None:
    host = host_with(dad=False)
    host.route("8.0.0.0/8", via=PEER, src=OURS)
    change_address(
        host.stack.ipv4, host.tap, address_of(host), Address(ip(OURS), 24, address_of(host).scope,
        "tap0", dad=True), host.now,
    )  # fmt: skip
    with pytest.raises(SendRejected) as refused:
        host.send(host.socket(), "8.8.8.8")
    assert refused.value.code == "tx-src-tentative"
    host.wait(TEST_NS)
    assert host.send(host.socket(), "8.8.8.8").reason is not None  # it waits for ARP


def test_the_network_is_there_meanwhile_and_others_of_it_stand_in() -> None:
    host = host_with()
    network = host.stack.ipv4.fib.tables[TableName.MAIN].chain(ip("10.0.0.0"), 24)
    assert [route.prefsrc for route in network] == [None]
    host.add("10.0.0.3/24", dad=False)
    network = host.stack.ipv4.fib.tables[TableName.MAIN].chain(ip("10.0.0.0"), 24)
    assert [route.prefsrc for route in network] == [ip("10.0.0.3")]
    host.send(host.socket())
    (frame,) = host.sent()
    assert frame.arp is not None
    assert frame.arp.sender_ip == ip("10.0.0.3")
    host.wait(TEST_NS)
    network = host.stack.ipv4.fib.tables[TableName.MAIN].chain(ip("10.0.0.0"), 24)
    assert [route.prefsrc for route in network] == [ip(OURS)]


def test_who_stood_in_is_deleted() -> None:
    host = host_with()
    host.add("10.0.0.3/24", dad=False)
    host.delete("10.0.0.3")
    network = host.stack.ipv4.fib.tables[TableName.MAIN].chain(ip("10.0.0.0"), 24)
    assert [route.prefsrc for route in network] == [None]


def test_an_address_that_is_deleted_is_tested_no_more() -> None:
    host = host_with()
    host.delete(OURS)
    assert asked(host) == []
    assert host.stack.deadline() is None


# --- conflicts while it is tested -----------------------------------------------------------------


CONFLICTS: dict[str, Callable[[], bytes]] = {
    "a reply of who has it": lambda: reply(OURS, "0.0.0.0"),
    "a request by who has it": lambda: request(OURS, PEER),
    "an announcement": lambda: request(OURS, OURS),
    "another's probe for it": lambda: request("0.0.0.0", OURS),
}


@pytest.mark.parametrize("name", CONFLICTS)
@pytest.mark.parametrize("after_ms", [0, 700, 5499])
def test_a_conflict_while_probing_ends_it(name: str, after_ms: int) -> None:
    host = host_with()
    changes = listen(host)
    asked(host, after_ms / 1000)
    host.receive(CONFLICTS[name]())
    assert asked(host) == []
    assert state(host) == "dadfailed"
    assert address_of(host).other_mac == PEER_MAC
    assert host.reasons() == {"arp-dad-failed": 1}
    assert list(host.cache()) == []
    assert [(event.kind, event.action) for event in changes] == [
        (EventKind.ADDR, ChangeType.CHANGED)
    ]


def test_a_failed_address_leaves_its_owner_alone() -> None:
    host = host_with()
    host.add("10.0.0.3/24", dad=False)
    host.receive(reply(OURS, "0.0.0.0"))
    host.wait(TEST_NS)
    host.receive(request(OURS, "10.0.0.3"))  # its owner is a neighbor like others
    assert host.neighbor(OURS) is not None
    host.receive(request("10.0.0.9", OURS))
    detail = {reason.name: tally.detail for (reason, _), tally in host.stack.ledger.reasons.items()}
    assert "plen" not in detail["arp-target-not-ours"]  # it is not for us to answer
    with pytest.raises(SendRejected, match="belongs to another host") as refused:
        host.send(host.socket(), src=OURS)
    assert refused.value.code == "tx-src-tentative"


@pytest.mark.parametrize(
    "frame",
    [
        request(OURS, PEER, mac=OTHER_MAC),
        request("0.0.0.0", OURS, mac=OTHER_MAC),
        arp_frame(arp.Op.REPLY, OURS, "0.0.0.0", mac=OTHER_MAC),
    ],
)
def test_our_own_interface_on_the_same_link_is_no_conflict(frame: bytes) -> None:
    host = host_with()
    host.link("tap1", OTHER_MAC)
    host.receive(frame)
    assert host.reasons() == {"arp-own-sender": 1}
    host.wait(TEST_NS)
    assert state(host) == "ours"


def test_another_hosts_question_for_a_tested_address_is_no_conflict() -> None:
    host = host_with()
    host.receive(request(PEER, OURS), arp_frame(arp.Op.REPLY, PEER, OURS))
    host.wait(TEST_NS)
    assert state(host) == "ours"


def test_a_probe_for_another_address_is_no_conflict() -> None:
    host = host_with()
    host.receive(request("0.0.0.0", PEER))
    host.wait(TEST_NS)
    assert state(host) == "ours"


def test_more_conflicts_limit_the_rate() -> None:
    host = Host(bare=True, random=0.0)
    for number in range(11):  # MAX_CONFLICTS is 10: more than that
        host.add(f"10.0.1.{number + 1}/24", dad=True)
        host.receive(reply(f"10.0.1.{number + 1}", "0.0.0.0"))
        host.poll()
        host.sent()
    begun = host.now
    host.add("10.0.2.1/24", dad=True)
    host.add("10.0.3.1/24", dad=True)
    first = {target: at for at, _, target in reversed(asked(host, 200))}
    assert first == {"10.0.2.1": 60_000, "10.0.3.1": 120_000}, begun
    assert host.reasons()["arp-dad-rate-limited"] == 2
    host.add("10.0.4.1/24", dad=True)  # those were free: all is well again
    assert asked(host)[0][0] == 0


def test_the_rate_is_not_limited_before() -> None:
    host = Host(bare=True, random=0.0)
    for number in range(10):
        host.add(f"10.0.1.{number + 1}/24", dad=True)
        host.receive(reply(f"10.0.1.{number + 1}", "0.0.0.0"))
        host.poll()
        host.sent()
    host.add("10.0.2.1/24", dad=True)
    assert asked(host)[0] == (0, "0.0.0.0", "10.0.2.1")


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
