"""Neighbor discovery: RFC 4861 7.2 rule by rule, as Linux applies it, in virtual time."""

import pytest

from smolctl.stack.neighbor.states import State
from smolctl.wire import icmpv6, ndp
from smolctl.wire.address import ALL_NODES, multicast_mac, solicited_node
from smolctl.wire.ndp import NeighborAdvertisement, NeighborSolicitation
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, OUR_MAC, PEER_MAC, Host, ip, text
from tests.kit.host6 import (
    DEAD6,
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    advertise,
    echo6_request,
    frame6_of,
    icmp6_packet,
    nd_frame,
    solicit,
)


@pytest.fixture
def host() -> Host6:
    return Host6()


def state(host: Host, address: str = PEER6) -> State | None:
    entry = host.neighbor(address)
    return None if entry is None else entry.state


# --- asking ---------------------------------------------------------------------------------------


def test_the_first_packet_asks_in_the_solicited_node_group_and_waits(host: Host6) -> None:
    host.send(host.socket(local="::"), PEER6)
    (asked,) = host.sent6()
    assert asked.dst == multicast_mac(solicited_node(ip(PEER6)))
    assert (asked.ip.src, asked.ip.dst) == (ip(OURS6), solicited_node(ip(PEER6)))
    assert asked.ip.hop_limit == 255
    assert isinstance(asked.nd, NeighborSolicitation)
    assert (asked.nd.target, asked.nd.options.source) == (ip(PEER6), OUR_MAC)
    host.receive(advertise())
    (sent,) = host.sent6()
    assert (sent.dst, sent.ip.dst) == (PEER_MAC, ip(PEER6))
    assert sent.udp[2] == b"hello"
    assert state(host) is State.REACHABLE


def test_three_questions_in_three_seconds_and_then_the_sender_is_told(host: Host6) -> None:
    socket = host.socket(local="::")
    host.send(socket, DEAD6)
    host.wait(10 * SECOND_NS)
    assert len(host.sent6()) == 3
    (error,) = socket.errors
    assert (error.errno_name, error.reason.name) == ("EHOSTUNREACH", "neigh-failed")
    assert state(host, DEAD6) is State.FAILED


def test_a_neighbor_that_was_reachable_is_asked_by_unicast(host: Host6) -> None:
    host.know(PEER6, state=State.STALE)
    host.send(host.socket(local="::"), PEER6)
    assert [seen.protocol for seen in host.sent6()] == [17]
    host.wait(5 * SECOND_NS)
    (asked,) = host.sent6()
    assert (asked.dst, asked.ip.dst) == (PEER_MAC, ip(PEER6))
    assert isinstance(asked.nd, NeighborSolicitation)
    assert state(host) is State.PROBE


def test_the_source_of_a_question_is_an_address_of_its_interface(host: Host6) -> None:
    host.link("tap1")
    host.add("2001:db8:1::1/64", "tap1")
    socket = host.socket(7, local="2001:db8:1::1")
    host.send(socket, PEER6)
    (asked,) = host.sent6()
    assert text(asked.ip.src) == OUR_LINK_LOCAL


def test_no_question_leaves_without_an_address_to_ask_from() -> None:
    host = Host6(bare=True)
    host.delete(OUR_LINK_LOCAL)
    host.poll()
    host.take()
    host.route("2001:db8::/64", "tap0")
    host.link("tap1")
    host.add("2001:db8:1::1/64", "tap1")
    host.send(host.socket(local="::"), PEER6)
    host.wait(10 * SECOND_NS)
    assert host.sent6() == []
    assert host.event("nd.solicitations_without_source") == 3


# --- answering ------------------------------------------------------------------------------------


def test_a_question_in_the_group_is_answered_and_teaches_where_the_asker_is(host: Host6) -> None:
    host.receive(solicit())
    (answer,) = host.sent6()
    assert (answer.dst, text(answer.ip.src), text(answer.ip.dst)) == (PEER_MAC, OURS6, PEER6)
    assert answer.ip.hop_limit == 255
    said = answer.nd
    assert isinstance(said, NeighborAdvertisement)
    assert (said.router, said.solicited, said.override) == (False, True, True)
    assert (said.target, said.options.target) == (ip(OURS6), OUR_MAC)
    assert state(host) is State.DELAY  # STALE, and the answer used it


def test_a_router_says_that_it_is_one(host: Host6) -> None:
    host.set("ip6.forward", 1)
    host.receive(solicit())
    (answer,) = host.sent6()
    assert isinstance(answer.nd, NeighborAdvertisement)
    assert answer.nd.router


def test_who_asks_by_unicast_knows_our_mac_and_is_not_told_it(host: Host6) -> None:
    host.receive(solicit(dst=OURS6))
    (answer,) = host.sent6()
    assert isinstance(answer.nd, NeighborAdvertisement)
    assert (answer.nd.solicited, answer.nd.override) == (True, False)
    assert answer.nd.options.target is None


def test_who_tests_an_address_of_ours_is_told_in_the_group_of_all_nodes(host: Host6) -> None:
    host.receive(solicit(src="::"))
    (answer,) = host.sent6()
    assert (answer.dst, answer.ip.dst) == (multicast_mac(ALL_NODES), ALL_NODES)
    assert isinstance(answer.nd, NeighborAdvertisement)
    assert (answer.nd.solicited, answer.nd.override) == (False, True)
    assert answer.nd.options.target == OUR_MAC
    assert list(host.cache(address=OURS6)) == []


def test_an_address_of_another_interface_is_not_answered_for(host: Host6) -> None:
    host.link("tap1")
    host.add("2001:db8:1::1/64", "tap1")
    host.receive(solicit("2001:db8:1::1"))  # the group ff02::1:ff00:1 is that of OURS6, too
    assert host.sent6() == []
    assert host.reasons() == {"nd-target-not-ours": 1}
    assert state(host) is None


def test_the_link_local_address_is_answered_for(host: Host6) -> None:
    host.receive(solicit(OUR_LINK_LOCAL, PEER_LINK_LOCAL))
    (answer,) = host.sent6()
    assert (text(answer.ip.src), text(answer.ip.dst)) == (OUR_LINK_LOCAL, PEER_LINK_LOCAL)


def test_a_question_for_nobody_here_is_left_to_its_group(host: Host6) -> None:
    host.receive(solicit("2001:db8::77"))
    assert host.reasons() == {"ip6-multicast-not-joined": 1}


# --- advertisements, RFC 4861 7.2.5 ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "flags", "mac", "after", "moved"),
    [
        (State.REACHABLE, "S", PEER_MAC, State.REACHABLE, False),
        (State.STALE, "S", PEER_MAC, State.REACHABLE, False),
        (State.STALE, "S", None, State.REACHABLE, False),
        (State.STALE, "", PEER_MAC, State.STALE, False),
        (State.REACHABLE, "", PEER_MAC, State.REACHABLE, False),
        (State.REACHABLE, "", OTHER_MAC, State.STALE, False),
        (State.REACHABLE, "S", OTHER_MAC, State.STALE, False),
        (State.STALE, "S", OTHER_MAC, State.STALE, False),
        (State.STALE, "SO", OTHER_MAC, State.REACHABLE, True),
        (State.REACHABLE, "O", OTHER_MAC, State.STALE, True),
        (State.REACHABLE, "SO", OTHER_MAC, State.REACHABLE, True),
        (State.PERMANENT, "SO", OTHER_MAC, State.PERMANENT, False),
        (State.FAILED, "SO", PEER_MAC, State.FAILED, False),
    ],
)
def test_an_advertisement_is_taken_as_its_flags_say(
    host: Host6, before: State, flags: str, mac: bytes | None, after: State, moved: bool
) -> None:
    host.know(PEER6, state=before)
    host.receive(advertise(flags=flags, mac=mac))
    entry = host.neighbor(PEER6)
    assert entry is not None
    assert entry.state is after
    assert entry.lladdr == (OTHER_MAC if moved else PEER_MAC)


@pytest.mark.parametrize(
    ("flags", "mac", "after"),
    [
        ("S", PEER_MAC, State.REACHABLE),
        ("", PEER_MAC, State.DELAY),  # STALE, and the packet that waited used it
        ("SO", None, State.INCOMPLETE),
    ],
)
def test_an_entry_that_is_asked_for_takes_the_first_answer_with_a_mac(
    host: Host6, flags: str, mac: bytes | None, after: State
) -> None:
    host.send(host.socket(local="::"), PEER6)
    host.receive(advertise(flags=flags, mac=mac))
    assert state(host) is after


def test_an_advertisement_makes_no_entry(host: Host6) -> None:
    host.receive(advertise())
    assert state(host) is None
    assert host.reasons() == {"nd-unsolicited": 1}


def test_the_router_flag_stays_with_the_entry_and_follows_the_advertisements(host: Host6) -> None:
    host.know(PEER6)
    entry = host.neighbor(PEER6)
    assert entry is not None
    host.receive(advertise(flags="RS"))
    assert entry.router
    host.receive(advertise(flags="S", mac=OTHER_MAC))  # contradicted: nothing of it is taken
    assert entry.router
    host.receive(advertise(flags="S"))
    assert not entry.router


def test_an_advertisement_of_our_own_address_is_a_conflict(host: Host6) -> None:
    host.receive(advertise(OURS6, "O", dst="ff02::1"))
    assert host.reasons() == {"nd-address-conflict": 1}
    assert host.dev("tap0").ipv6.addresses.find(ip(OURS6), None) is not None


# --- what is not believed -------------------------------------------------------------------------


def test_a_message_from_beyond_a_router_is_dropped(host: Host6) -> None:
    message = ndp.NeighborSolicitation(ip(OURS6), ndp.Options(source=PEER_MAC))
    host.receive(nd_frame(message, hops=254))
    assert host.reasons() == {"nd-bad-hop-limit": 1}
    assert state(host) is None


def test_a_question_that_claims_our_own_address_teaches_nothing(host: Host6) -> None:
    host.receive(solicit(OUR_LINK_LOCAL, OURS6))
    assert host.reasons() == {"ip6-src-is-ours": 1}
    assert host.neighbor(OURS6) is None


def test_redirects_change_the_first_hop_of_one_destination(host: Host6) -> None:
    host.route("::/0", "tap0", via=PEER_LINK_LOCAL)
    host.know(PEER_LINK_LOCAL)
    socket = host.socket(7, local="::")
    host.send(socket, "2001:db8:9::1")
    (sent,) = host.sent6()
    assert sent.dst == PEER_MAC
    better = "fe80::c"
    message = ndp.Redirect(
        ip(better), ip("2001:db8:9::1"), ndp.Options(target=OTHER_MAC, redirected=sent.packet)
    )
    host.receive(nd_frame(message, "fe80::99"))
    assert host.reasons() == {"redirect6-stranger": 1}
    host.receive(nd_frame(message, PEER_LINK_LOCAL))
    host.send(socket, "2001:db8:9::1")
    host.send(socket, "2001:db8:9::2")
    assert [seen.dst for seen in host.sent6()] == [OTHER_MAC, PEER_MAC]
    entry = host.neighbor(better)
    assert entry is not None
    assert entry.router
    host.wait(301 * SECOND_NS)
    host.sent6()
    host.know(PEER_LINK_LOCAL)
    host.send(socket, "2001:db8:9::1")
    assert [seen.dst for seen in host.sent6()] == [PEER_MAC]


def test_a_redirect_to_the_destination_itself_means_that_it_is_on_the_link(host: Host6) -> None:
    host.route("::/0", "tap0", via=PEER_LINK_LOCAL)
    far = "2001:db8:9::1"
    message = ndp.Redirect(ip(far), ip(far), ndp.Options(target=OTHER_MAC))
    host.receive(nd_frame(message, PEER_LINK_LOCAL))
    host.send(host.socket(7, local="::"), far)
    assert [(seen.dst, text(seen.ip.dst)) for seen in host.sent6()] == [(OTHER_MAC, far)]


@pytest.mark.parametrize(("key", "value"), [("ip6.accept_redirects", 0), ("ip6.forward", 1)])
def test_a_redirect_can_be_ignored(host: Host6, key: str, value: int) -> None:
    host.set(key, value)
    host.route("::/0", "tap0", via=PEER_LINK_LOCAL)
    far = "2001:db8:9::1"
    host.receive(nd_frame(ndp.Redirect(ip(far), ip(far)), PEER_LINK_LOCAL))
    assert host.reasons() == {"redirect6-ignored": 1}


# --- ping -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dst", [OURS6, OUR_LINK_LOCAL, "ff02::1"])
def test_an_echo_request_is_answered(host: Host6, dst: str) -> None:
    peer = PEER6 if dst == OURS6 else PEER_LINK_LOCAL
    host.know(peer)
    host.receive(echo6_request(src=peer, dst=dst))
    (answer,) = host.sent6()
    own = OUR_LINK_LOCAL if dst == "ff02::1" else dst
    assert (text(answer.ip.src), text(answer.ip.dst)) == (own, peer)
    assert answer.icmp.type == icmpv6.Type.ECHO_REPLY
    assert (answer.icmp.ident, answer.icmp.sequence, answer.icmp.body) == (7, 1, b"abc")


@pytest.mark.parametrize(
    ("key", "dst"),
    [("icmp6.echo_ignore_all", OURS6), ("icmp6.echo_ignore_multicast", "ff02::1")],
)
def test_an_echo_request_can_be_ignored(host: Host6, key: str, dst: str) -> None:
    host.set(key, 1)
    host.receive(echo6_request(src=PEER_LINK_LOCAL, dst=dst))
    assert (host.sent6(), host.reasons()) == ([], {"icmp6-echo-ignored": 1})


def test_an_anycast_address_answers_from_one_of_its_own(host: Host6) -> None:
    host.set("ip6.forward", 1)
    host.know(PEER6)
    host.receive(echo6_request(dst="2001:db8::"))
    (answer,) = host.sent6()
    assert text(answer.ip.src) == OURS6
    host.set("icmp6.echo_ignore_anycast", 1)
    host.receive(echo6_request(dst="2001:db8::"))
    assert host.reasons() == {"icmp6-echo-ignored": 1}
    host.set("ip6.forward", 0)
    host.receive(echo6_request(dst="2001:db8::"))
    assert host.reasons() == {"icmp6-echo-ignored": 1, "ip6-anycast-host": 1}


def test_a_reply_finds_its_client(host: Host6) -> None:
    client = host.stack.ping.open(ip(PEER6))
    host.receive(frame6_of(icmp6_packet(129, 0, client.ident << 16 | 3, b"xyz", hops=61)))
    (reply,) = client.replies
    assert (reply.sequence, reply.ttl, reply.data) == (3, 61, b"xyz")


def test_a_router_answers_for_the_address_of_all_routers_and_overrides_nobody(host: Host6) -> None:
    anycast = "2001:db8::"
    host.receive(solicit(anycast))
    assert host.sent6() == []
    host.set("ip6.forward", 1)
    host.set("neigh.proxy_delay_ms", 0)
    host.receive(solicit(anycast))
    (answer,) = host.sent6()
    said = answer.nd
    assert isinstance(said, NeighborAdvertisement)
    assert (said.router, said.solicited, said.override) == (True, True, False)
    assert (text(said.target), said.options.target) == (anycast, OUR_MAC)
    assert text(answer.ip.src) == OURS6
