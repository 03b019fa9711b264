"""ARP in and out, rule by rule as Linux's arp_process, RFC 826 and RFC 5227."""

import pytest

from smolctl.stack.neighbor.states import State
from smolctl.wire import arp
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC, parse_mac
from tests.kit.clock import SECOND_NS
from tests.kit.host import (
    OTHER_MAC,
    OUR_MAC,
    OURS,
    PEER,
    PEER_MAC,
    Host,
    Seen,
    arp_frame,
    ip,
    reply,
    request,
    text,
)

REQUEST, REPLY = arp.Op.REQUEST, arp.Op.REPLY


@pytest.fixture
def host() -> Host:
    return Host()


def state(host: Host, address: str = PEER) -> State | None:
    entry = host.neighbor(address)
    return None if entry is None else entry.state


def only(frames: list[Seen]) -> arp.ArpPacket:
    (frame,) = frames
    assert frame.arp is not None
    return frame.arp


# --- who asks for us ------------------------------------------------------------------------------


def test_a_request_for_our_address_is_answered(host: Host) -> None:
    host.receive(request())
    (frame,) = host.sent()
    assert (frame.dst, frame.src) == (PEER_MAC, OUR_MAC)
    assert frame.arp == arp.ArpPacket(REPLY, OUR_MAC, ip(OURS), PEER_MAC, ip(PEER))
    assert host.event("arp.replies_sent") == 1
    assert host.reasons() == {}


def test_who_asks_for_us_is_learned_as_stale(host: Host) -> None:
    host.receive(request())
    entry = host.neighbor(PEER)
    assert entry is not None
    assert (entry.state, entry.lladdr) == (State.STALE, PEER_MAC)


def test_the_senders_network_does_not_matter(host: Host) -> None:
    # smoltcp drops this silently; Linux answers and learns.
    host.receive(request("192.168.77.1"))
    assert only(host.sent()).target_ip == ip("192.168.77.1")
    assert state(host, "192.168.77.1") is State.STALE


@pytest.mark.parametrize("target", ["10.1.0.1", "10.0.0.3"])
def test_any_address_of_the_stack_is_answered_for(host: Host, target: str) -> None:
    # The weak host model: the address may be another interface's.
    host.link("tap1", OTHER_MAC)
    host.add("10.1.0.1/24", "tap1")
    host.add("10.0.0.3/24")
    host.receive(request(target=target))
    assert only(host.sent()).sender_ip == ip(target)


@pytest.mark.parametrize(("level", "answered"), [(3, True), (4, True), (7, True), (8, False)])
def test_levels_of_arp_ignore(host: Host, level: int, answered: bool) -> None:
    """Source: Linux arp_ignore: 4 to 7 are reserved, and do nothing."""
    host.set("arp.ignore", level)
    host.add("10.9.9.9/32", "lo")
    for target in (OURS, "10.9.9.9"):
        host.receive(request(target=target))
        assert len(host.sent()) == answered


def test_a_request_with_a_new_mac_is_believed_at_once(host: Host) -> None:
    host.receive(request(), request(mac=OTHER_MAC))
    entry = host.neighbor(PEER)
    assert entry is not None
    assert entry.lladdr == OTHER_MAC
    assert len(host.sent()) == 2


def test_a_unicast_request_is_answered_too(host: Host) -> None:
    host.receive(arp_frame(REQUEST, to=OUR_MAC))
    assert only(host.sent()).op == REPLY


def test_a_request_by_a_static_neighbor_is_answered_and_not_learned(host: Host) -> None:
    host.know(state=State.PERMANENT)
    host.receive(request(mac=OTHER_MAC))
    entry = host.neighbor(PEER)
    assert entry is not None
    assert entry.lladdr == PEER_MAC
    assert only(host.sent()).target_mac == OTHER_MAC


@pytest.mark.parametrize(
    "target", ["10.0.0.77", "10.0.0.255", "127.0.0.1", "224.0.0.1", "255.255.255.255"]
)
def test_other_addresses_are_not_answered_for(host: Host, target: str) -> None:
    host.receive(request(target=target))
    assert host.sent() == []
    assert state(host) is None
    assert host.reasons() == {"arp-target-not-ours": 1}


@pytest.mark.parametrize(
    ("sender", "mac"),
    [
        ("224.0.0.1", PEER_MAC),
        ("127.0.0.1", PEER_MAC),
        ("255.255.255.255", PEER_MAC),
        ("10.0.0.255", PEER_MAC),
        ("0.0.0.7", PEER_MAC),
        (PEER, ZERO_MAC),
        (PEER, BROADCAST_MAC),
        (PEER, parse_mac("01:00:5e:00:00:01")),
    ],
)
@pytest.mark.parametrize("op", [REQUEST, REPLY])
def test_senders_that_are_no_host_are_ignored(
    host: Host, sender: str, mac: bytes, op: arp.Op
) -> None:
    host.know(sender)
    before = host.neighbor(sender)
    host.receive(arp_frame(op, sender, mac=mac))
    assert host.sent() == []
    assert host.neighbor(sender) is before
    assert host.reasons() == {"arp-sender-invalid": 1}


# --- RFC 5227 -------------------------------------------------------------------------------------


def test_a_probe_is_answered_and_teaches_nothing(host: Host) -> None:
    host.receive(request("0.0.0.0"))
    answer = only(host.sent())
    assert (text(answer.sender_ip), text(answer.target_ip)) == (OURS, "0.0.0.0")
    assert answer.target_mac == PEER_MAC
    assert list(host.cache()) == []


def test_a_probe_for_another_address_is_not_ours(host: Host) -> None:
    host.receive(request("0.0.0.0", "10.0.0.77"))
    assert host.sent() == []
    assert host.reasons() == {"arp-target-not-ours": 1}


def test_a_reply_from_0_0_0_0_is_nobodys(host: Host) -> None:
    host.receive(reply("0.0.0.0"))
    assert host.reasons() == {"arp-sender-invalid": 1}


@pytest.mark.parametrize("frame", [request(OURS), reply(OURS), request(OURS, PEER)])
def test_who_claims_our_address_is_a_conflict(host: Host, frame: bytes) -> None:
    host.receive(frame)
    assert host.sent() == []
    assert list(host.cache()) == []
    assert host.reasons() == {"arp-address-conflict": 1}


# --- senders in other networks --------------------------------------------------------------------


def test_who_asks_from_another_network_is_answered_and_learned_as_in_linux(host: Host) -> None:
    host.receive(request("99.9.9.9"))
    (answer,) = host.sent()
    assert answer.dst == PEER_MAC
    entry = host.cache().lookup(ip("99.9.9.9"))
    assert entry is not None
    assert entry.state is State.STALE


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (request("99.9.9.9"), "arp-sender-off-subnet"),
        (reply("99.9.9.9"), "arp-sender-off-subnet"),
        (request("99.9.9.9", "99.9.9.9"), "arp-sender-off-subnet"),
        (request("99.9.9.9", "10.0.0.3"), "arp-target-not-ours"),
        (request("10.0.0.255"), "arp-sender-invalid"),
    ],
    ids=["request", "reply", "gratuitous", "for another", "invalid"],
)
def test_a_stack_that_minds_the_senders_network_drops_it(
    host: Host, frame: bytes, why: str
) -> None:
    host.set("arp.accept_from", "subnet")
    host.set("arp.accept", 1)
    host.receive(frame)
    assert host.sent() == []
    assert list(host.cache()) == []
    assert host.reasons() == {why: 1}


def test_a_stack_that_minds_the_senders_network_answers_the_others(host: Host) -> None:
    host.set("arp.accept_from", "subnet")
    host.receive(request(), request("0.0.0.0"))
    assert len(host.sent()) == 2
    assert host.reasons() == {}


# --- replies --------------------------------------------------------------------------------------


def test_an_answer_to_our_question_makes_the_neighbor_reachable(host: Host) -> None:
    host.send(host.socket())
    question = only(host.sent())
    assert question == arp.ArpPacket(REQUEST, OUR_MAC, ip(OURS), ZERO_MAC, ip(PEER))
    host.receive(reply())
    assert state(host) is State.REACHABLE
    (frame,) = host.sent()
    assert (frame.dst, frame.udp[2]) == (PEER_MAC, b"hello")


def test_a_broadcast_reply_proves_no_reachability(host: Host) -> None:
    host.send(host.socket())
    host.sent()
    host.receive(arp_frame(REPLY, target_mac=OUR_MAC, to=BROADCAST_MAC))
    assert state(host) is State.DELAY  # STALE, and used by the packet that waited
    assert len(host.sent()) == 1


@pytest.mark.parametrize(
    "frame",
    [
        reply(),
        arp_frame(REPLY, to=BROADCAST_MAC),
        request(PEER, PEER),
        arp_frame(REPLY, PEER, PEER, target_mac=PEER_MAC),
    ],
    ids=["unicast reply", "broadcast reply", "gratuitous request", "gratuitous reply"],
)
def test_what_nobody_asked_for_is_not_learned(host: Host, frame: bytes) -> None:
    host.receive(frame)
    assert list(host.cache()) == []
    assert host.reasons() == {"arp-unsolicited": 1}


@pytest.mark.parametrize(
    ("frame", "learned"),
    [
        (reply(), State.REACHABLE),
        (arp_frame(REPLY, to=BROADCAST_MAC), State.STALE),
        (request(PEER, PEER), State.STALE),
        (arp_frame(REPLY, PEER, PEER, target_mac=PEER_MAC), State.REACHABLE),
        (request(PEER, "10.0.0.3"), None),
    ],
    ids=["unicast reply", "broadcast reply", "gratuitous request", "gratuitous reply", "other"],
)
def test_arp_accept_learns_what_nobody_asked_for(
    host: Host, frame: bytes, learned: State | None
) -> None:
    host.set("arp.accept", 1)
    host.receive(frame)
    assert state(host) is learned
    assert host.event("arp.learned") == (learned is not None)
    assert host.reasons() == ({} if learned else {"arp-target-not-ours": 1})


def test_arp_accept_finds_no_room_among_static_entries(host: Host) -> None:
    host.set("arp.accept", 1)
    host.set("iface.neighbor_cache_count", 1)
    host.know("10.0.0.3", state=State.PERMANENT)
    host.receive(reply())
    assert host.reasons() == {"neigh-table-full": 1}


@pytest.mark.parametrize(
    ("frame", "after"),
    [
        (reply(), State.REACHABLE),
        (request(PEER, PEER), State.STALE),
        (request(PEER, "10.0.0.3"), State.STALE),
        (arp_frame(REPLY, to=BROADCAST_MAC), State.STALE),
    ],
    ids=["reply", "gratuitous", "others' request", "broadcast reply"],
)
def test_any_arp_updates_a_neighbor_that_is_known(host: Host, frame: bytes, after: State) -> None:
    entry = host.know(state=State.STALE, mac=OTHER_MAC)
    host.clock.advance(SECOND_NS)
    host.receive(frame)
    assert (entry.state, entry.lladdr) == (after, PEER_MAC)
    assert host.event("arp.learned") == 1
    assert host.reasons() == {}


def test_hearing_its_mac_again_does_not_make_a_reachable_neighbor_worse(host: Host) -> None:
    entry = host.know()
    host.receive(request(PEER, "10.0.0.3"), request(PEER, PEER))
    assert entry.state is State.REACHABLE
    assert host.event("arp.learned") == 2


# --- what an entry defends against ----------------------------------------------------------------


@pytest.mark.parametrize("frame", [reply(), request(PEER, "10.0.0.3")])
def test_the_locktime_lets_the_first_answer_win(host: Host, frame: bytes) -> None:
    entry = host.know(mac=OTHER_MAC)
    host.receive(frame)
    assert entry.lladdr == OTHER_MAC
    assert host.reasons() == {"arp-locktime": 1}
    host.clock.advance(SECOND_NS)
    host.receive(frame)
    assert entry.lladdr == PEER_MAC


@pytest.mark.parametrize(
    "frame", [request(PEER, PEER), arp_frame(REPLY, PEER, PEER, target_mac=PEER_MAC)]
)
def test_gratuitous_arp_is_stronger_than_the_locktime(host: Host, frame: bytes) -> None:
    entry = host.know(mac=OTHER_MAC)
    host.receive(frame)
    assert entry.lladdr == PEER_MAC


def test_a_gratuitous_reply_must_name_the_mac_twice(host: Host) -> None:
    entry = host.know(mac=OTHER_MAC)
    host.receive(arp_frame(REPLY, PEER, PEER, target_mac=OUR_MAC))
    assert entry.lladdr == OTHER_MAC
    assert host.reasons() == {"arp-locktime": 1}


@pytest.mark.parametrize("frame", [reply(), request(PEER, PEER)])
def test_a_static_entry_is_not_changed(host: Host, frame: bytes) -> None:
    entry = host.know(mac=OTHER_MAC, state=State.PERMANENT)
    host.clock.advance(60 * SECOND_NS)
    host.receive(frame)
    assert (entry.state, entry.lladdr) == (State.PERMANENT, OTHER_MAC)
    assert host.reasons() == {"arp-locked-entry": 1}


# --- our questions --------------------------------------------------------------------------------


def test_each_unresolved_neighbor_is_asked_on_its_own(host: Host) -> None:
    # RFC 1122 2.3.2.1 limits requests per destination; smoltcp's limit is per interface.
    socket = host.socket()
    for address in (PEER, "10.0.0.3", "10.0.0.4"):
        host.send(socket, address)
        host.send(socket, address)
    targets = [frame.arp.target_ip for frame in host.sent() if frame.arp]
    assert [text(target) for target in targets] == [PEER, "10.0.0.3", "10.0.0.4"]


def test_the_question_carries_the_waiting_packets_source(host: Host) -> None:
    host.add("10.0.0.3/24")
    host.send(host.socket(local="10.0.0.3"))
    assert only(host.sent()).sender_ip == ip("10.0.0.3")


def test_a_unicast_probe_goes_to_the_known_mac(host: Host) -> None:
    host.know(state=State.STALE)
    host.send(host.socket())
    host.sent()
    host.wait(5 * SECOND_NS)
    (frame,) = host.sent()
    assert frame.dst == PEER_MAC
    assert frame.arp == arp.ArpPacket(REQUEST, OUR_MAC, ip(OURS), ZERO_MAC, ip(PEER))


# --- arping ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "frame", "hears"),
    [
        (OURS, reply(), True),
        (OURS, reply(target="10.0.0.3"), False),
        (OURS, reply("10.0.0.3"), False),
        (OURS, request(), False),
        ("0.0.0.0", reply(target="0.0.0.0"), True),
        ("0.0.0.0", request(PEER, PEER), True),
        ("0.0.0.0", request("0.0.0.0", PEER), True),
        ("0.0.0.0", request("10.0.0.3", OURS), False),
    ],
)
def test_what_an_arping_takes_for_an_answer(
    host: Host, sender: str, frame: bytes, hears: bool
) -> None:
    client = host.stack.arp_open("tap0", ip(PEER), ip(sender))
    other = host.stack.arp_open("tap1", ip(PEER), ip(sender))
    host.receive(frame)
    assert (len(client.answers), len(other.answers)) == (hears, 0)
    assert client.ready == hears
    if hears:
        assert client.answers[0].sender_mac == PEER_MAC
        assert host.reasons() == {}
        assert host.event("arp.taken_by_clients") == 1
    host.stack.probe_close(client)
    host.receive(frame)
    assert len(client.answers) == hears
