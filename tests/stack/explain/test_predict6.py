"""Predictions for IPv6: they are what happens, and each step of neighbor discovery is told."""

from typing import Any

import pytest

from smolctl.stack.explain import verdict
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.fib.route import RouteType
from smolctl.stack.interface import Medium
from smolctl.stack.proof.prover import Prover
from smolctl.wire import ndp
from smolctl.wire.address import IPV6, multicast_mac
from smolctl.wire.icmpv6 import Type
from tests.kit.host import OUR_MAC, PEER_MAC, ip
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    advertise,
    see6,
    solicit,
    udp6_frame,
)

Row = dict[str, Any]
FAR6 = "2001:db8:9::1"


@pytest.fixture
def host() -> Host6:
    host = Host6()
    host.stack.ledger.prove = Prover(host.stack)
    return host


def asked(host: Host6, proto: str, src: str | None, dst: str, **fields: Any) -> Row:
    source = None if src is None else ip(src)
    question = Question(proto, source, ip(dst))._replace(**fields)
    return verdict.tell(predict(host.stack, question, host.now))


def texts(row: Row, stage: str) -> list[str]:
    return [step["text"] for step in row["steps"] if step["stage"] == stage]


def test_the_first_packet_waits_for_a_solicitation(host: Host6) -> None:
    row = asked(host, "udp", None, PEER6, dport=53)
    assert (row["reason"], row["ok"]) == ("neigh-pending", True)
    assert texts(row, "nd") == [f"who-has {PEER6} tell {OURS6}, request 1 by multicast"]
    assert "waiting for neighbor discovery of 2001:db8::2 on tap0" in row["why"]
    assert texts(row, "socket")[0].startswith("[::]:")
    assert host.take() == []


def test_a_known_neighbor_is_sent_to(host: Host6) -> None:
    host.know(PEER6)
    row = asked(host, "icmp", None, PEER6, size=4)
    assert row["verdict"] == "sent by tap0"
    assert row["packet"]["icmp_type"] == Type.ECHO_REQUEST
    assert texts(row, "neigh") == [f"{PEER6} is at {PEER_MAC.hex(':')} (REACHABLE)"]


def test_a_link_local_address_needs_its_link(host: Host6) -> None:
    host.link("tap1")
    assert asked(host, "icmp", None, PEER_LINK_LOCAL)["reason"] == "tx-no-scope"
    row = asked(host, "icmp", None, PEER_LINK_LOCAL, dev="tap0")
    assert row["packet"]["src"] == OUR_LINK_LOCAL
    assert row["dev"] == "tap0"


def test_a_solicitation_for_us_is_answered(host: Host6) -> None:
    row = asked(host, "nd", PEER6, OURS6, iif="tap0")
    assert row["verdict"] == "answered"
    assert texts(row, "nd") == [f"who has {OURS6}? tell {mac_of(row)}"]
    (answer,) = texts(row, "answer")
    assert f"neighbor advertisement, {OURS6} is-at {OUR_MAC.hex(':')}" in answer
    assert "(solicited, override)" in answer
    # It is what the same frame brings about.
    host.receive(solicit())
    assert isinstance(host.sent6()[-1].nd, ndp.NeighborAdvertisement)


def mac_of(row: Row) -> str:
    (mac,) = {step["lladdr"] for step in row["steps"] if step["stage"] == "ethernet"}
    return str(mac)


def test_a_test_of_our_address_is_answered_to_all(host: Host6) -> None:
    row = asked(host, "nd", "::", OURS6, iif="tap0")
    (answer,) = texts(row, "answer")
    assert "> ff02::1 " in answer
    assert answer.endswith(f"to {multicast_mac(ip('ff02::1')).hex(':')}")


def test_who_asks_for_another_address_is_told_what_would_make_it_ours(host: Host6) -> None:
    row = asked(host, "nd", PEER6, "2001:db8::7", iif="tap0")
    assert (row["reason"], row["fix"]) == ("ip6-multicast-not-joined", [])
    assert row["look"] == (
        "is it to be ours? smolctl addr add 2001:db8::7/64 dev tap0; else it is for another host"
    )
    # In no network of ours nothing is made up.
    row = asked(host, "nd", PEER6, "2001:db8:7::7", iif="tap0")
    assert row["look"] == "usually harmless: it is for others on the link"


def test_a_solicitation_of_ours_goes_to_the_group_of_its_target(host: Host6) -> None:
    row = asked(host, "nd", None, PEER6)
    assert row["verdict"] == "sent by tap0"
    assert row["summary"].endswith(f"neighbor solicitation, who-has {PEER6} ({OUR_MAC.hex(':')})")
    assert row["packet"] == {"proto": "nd", "src": OURS6, "dst": PEER6, "len": 32}


def test_a_solicitation_leaves_from_an_address_of_its_link(host: Host6) -> None:
    host.link("tap1")
    host.add("2001:db8:1::1/64", "tap1")
    host.route("::/0", "tap1", via="fe80::9")
    # The packet would leave from 2001:db8:1::1 in any case; asked is from where the link is.
    host.route("2001:db8:1::9/128", "tap0", via=PEER_LINK_LOCAL)
    row = asked(host, "nd", "2001:db8:1::1", "2001:db8:1::9")
    assert row["summary"].startswith(f"{OUR_LINK_LOCAL} > ")
    assert f"who-has {PEER_LINK_LOCAL}" in row["summary"]


def test_the_gateway_is_asked_for_and_not_what_is_behind_it(host: Host6) -> None:
    host.route("::/0", "tap0", via=PEER_LINK_LOCAL)
    row = asked(host, "nd", None, FAR6)
    assert f"who-has {PEER_LINK_LOCAL}" in row["summary"]


@pytest.mark.parametrize("dst", [OURS6, "::1"])
def test_for_an_own_address_nobody_is_asked(host: Host6, dst: str) -> None:
    assert asked(host, "nd", None, dst)["reason"] == "nd-not-needed"


def test_an_echo_request_that_comes_in_is_answered_with_an_echo_reply(host: Host6) -> None:
    host.know(PEER6)
    row = asked(host, "icmp", PEER6, OURS6, iif="tap0")
    assert row["verdict"] == "answered"
    assert texts(row, "answer") == [
        f"{OURS6} > {PEER6} ICMPv6 echo reply ident 1 seq 1, 0 B, by tap0 to {PEER_MAC.hex(':')}"
    ]
    assert row["packet"] == {
        "proto": "icmp6", "src": PEER6, "dst": OURS6, "ttl": 64, "len": 0, "icmp_type": 128,
        "icmp_code": 0,
    }  # fmt: skip


def test_a_connection_attempt_that_comes_in_is_one(host: Host6) -> None:
    host.know(PEER6)
    row = asked(host, "tcp", PEER6, OURS6, iif="tap0", sport=5000, dport=80)
    assert (row["reason"], row["packet"]["proto"]) == ("tcp-no-listener", "tcp")
    assert f"[{PEER6}]:5000 > [{OURS6}]:80" in row["summary"]
    listener = host.stack.tcp.open("listener", IPV6)
    host.stack.tcp.bind(listener, None, 80)
    host.stack.tcp.listen(listener, 1)
    row = asked(host, "tcp", PEER6, OURS6, iif="tap0", sport=5000, dport=80)
    assert row["verdict"] == "answered"


def test_a_datagram_that_comes_in_finds_its_socket(host: Host6) -> None:
    host.know(PEER6)
    row = asked(host, "udp", PEER6, OURS6, sport=9, dport=7, iif="tap0")
    assert (row["reason"], row["fix"]) == ("udp-port-closed", [f"smolctl udp recv [{OURS6}]:7"])
    host.socket(7, local="::")
    assert asked(host, "udp", PEER6, OURS6, sport=9, dport=7, iif="tap0")["verdict"] == (
        "delivered to [::]:7 (test)"
    )


def test_a_packet_with_a_hop_limit_that_ends_here(host: Host6) -> None:
    host.set("ip6.forward", 1)
    host.link("tap1")
    host.add("2001:db8:1::1/64", "tap1")
    row = asked(host, "icmp", PEER6, "2001:db8:1::9", iif="tap0", ttl=1)
    assert row["why"] == "hop limit 1 of a packet to 2001:db8:1::9 ends here"


def test_without_a_router_in_sight_one_is_looked_for(host: Host6) -> None:
    row = asked(host, "udp", None, FAR6, dport=53)
    assert (row["reason"], row["fix"]) == ("tx-no-route", [])
    assert row["look"] == "who is the router? smolctl ping -c 2 ff02::2%tap0"


def test_of_two_routers_none_is_proposed(host: Host6) -> None:
    """The router flag says who is one (RFC 4861 4.4); not which one leads there."""
    host.know(PEER_LINK_LOCAL)
    host.receive(advertise(PEER_LINK_LOCAL, "RSO", dst=OUR_LINK_LOCAL))
    row = asked(host, "udp", None, FAR6, dport=53)
    assert row["fix"] == [f"smolctl -6 route add default via {PEER_LINK_LOCAL} dev tap0"]
    host.know("fe80::77")
    host.receive(advertise("fe80::77", "RSO", dst=OUR_LINK_LOCAL))
    assert asked(host, "udp", None, FAR6, dport=53)["fix"] == []


def test_a_neighbor_that_is_no_router_is_not_proposed_as_one(host: Host6) -> None:
    host.know("2001:db8::1:1")
    assert asked(host, "udp", None, FAR6, dport=53)["fix"] == []


def test_a_refusing_route_is_named_as_it_is_deleted(host: Host6) -> None:
    host.route("2001:db8:9::/48", kind=RouteType.PROHIBIT)
    host.route("::/0", "tap0", via=PEER_LINK_LOCAL)
    row = asked(host, "icmp", None, FAR6)
    assert row["fix"] == ["smolctl -6 route del prohibit 2001:db8:9::/48 metric 1024"]


def test_nothing_comes_in_by_a_link_without_frames(host: Host6) -> None:
    assert host.stack.interfaces.loopback.medium is Medium.IP
    with pytest.raises(Exception, match="nothing comes in by lo"):
        asked(host, "icmp", PEER6, OURS6, iif="lo")


def test_a_neighbor_that_does_not_answer(host: Host6) -> None:
    socket = host.socket(9, local="::")
    host.send(socket, PEER6)
    host.wait(4_000_000_000)
    (error,) = socket.errors
    why = error.reason.why(error.detail)
    assert why == f"3 neighbor solicitations for {PEER6} on tap0, and nothing came back"
    assert error.reason.hint(error.detail) == f"smolctl ndisc -I tap0 {PEER6}"
    assert {see6(frame).nd.target for frame in host.take()} == {ip(PEER6)}  # type: ignore[union-attr]


# Address, destination, the one that is chosen, and the rule of RFC 6724 5 by which the other loses.
RULES = [
    ("2001:db8::5/64", FAR6, "2001:db8::5", "order"),  # addr show has the newest first
    ("fd00::1/64", FAR6, OURS6, "6"),
    ("fd00::1/64", "fd00:9::9", "fd00::1", "6"),
    ("2001:db8:9::5/64", "2001:db8:9:8::1", "2001:db8:9::5", "8"),
]


@pytest.mark.parametrize(("address", "dst", "chosen", "rule"), RULES)
def test_the_rule_by_which_a_source_address_lost_is_told(
    host: Host6, address: str, dst: str, chosen: str, rule: str
) -> None:
    host.add(address)
    host.route("::/0", "tap0", via=PEER_LINK_LOCAL)
    row = asked(host, "icmp", None, dst)
    lost = {step["prefsrc"]: step["rule"] for step in row["steps"] if step["stage"] == "source"}
    (other,) = {OURS6, address.partition("/")[0]} - {chosen}
    assert row["packet"]["src"] == chosen
    assert lost == {other: rule, OUR_LINK_LOCAL: "2"}


def test_nobody_chooses_a_source_that_was_asked_for(host: Host6) -> None:
    row = asked(host, "icmp", OUR_LINK_LOCAL, PEER6)
    assert texts(row, "source") == []


def test_a_frame_of_ipv6_for_another_station_says_what_the_sender_has(host: Host6) -> None:
    host.receive(b"\2\0\0\0\0\x77" + udp6_frame()[6:])
    ((reason, _), tally) = next(iter(host.stack.ledger.reasons.items()))
    assert reason.name == "rx-not-our-mac"
    assert f"is for our {OURS6}" in reason.why(tally.detail)
    assert reason.hint(tally.detail) == f"what its sender has, on it: ip -6 neigh show {OURS6}"
