"""Multicast listener discovery, the listener's side, in virtual time.

The random function of these hosts returns 0.5, so that each random time is half of its range.
"""

import pytest

from smolctl.stack.config.link import set_carrier, set_up
from smolctl.stack.ip.groups import ANYBODY, SourceFilter
from smolctl.stack.ip.membership import SourceChange, change_source
from smolctl.wire.address import multicast_mac
from smolctl.wire.mld import Query
from tests.kit.clock import SECOND_NS
from tests.kit.groups6 import (
    ALL_NODES,
    ALL_ROUTERS,
    GROUP6,
    OTHER_GROUP6,
    V2_ROUTERS,
    Said6,
    leave6,
    member6,
    mld_frame,
    only6,
    query6,
    reported6,
    said6,
    words6,
)
from tests.kit.host import Host, ip
from tests.kit.host6 import OUR_LINK_LOCAL, PEER6, Host6, udp6_frame

MS = 1_000_000
OWN_GROUP = "ff02::1:ff00:a"
"""In which others ask for the link-local address."""
A, B = "2001:db8::a", "2001:db8::b"


@pytest.fixture
def host() -> Host6:
    """A host with a link-local address alone, which was reported; changes are reported twice."""
    host = Host6(bare=True, dad=True)
    host.wait(60 * SECOND_NS)
    host.take()
    return host


# --- addresses ------------------------------------------------------------------------------------


def test_a_new_link_is_reported_from_nobody_and_then_from_its_address() -> None:
    host = Host6(bare=True, dad=True)
    first = Said6("::", V2_ROUTERS, (f"to_ex {OWN_GROUP}",))
    assert said6(host) == [first]
    host.wait(501 * MS)
    assert said6(host) == [first]
    host.wait(999 * MS)  # the test of the address ends after 1.5 s
    own = Said6(OUR_LINK_LOCAL, V2_ROUTERS, (f"to_ex {OWN_GROUP}",))
    assert said6(host) == [own]
    host.wait(501 * MS)
    assert said6(host) == [own]
    host.wait(60 * SECOND_NS)
    assert said6(host) == []


def test_addresses_with_the_same_end_share_a_group(host: Host6) -> None:
    host.add("2001:db8::ff00:a/64", dad=False)
    assert words6(host) == []
    host.delete("2001:db8::ff00:a")
    assert words6(host) == []
    host.add("2001:db8::1/64", dad=False)
    assert words6(host) == [("to_ex ff02::1:ff00:1",)]
    host.wait(5 * SECOND_NS)
    host.take()
    host.delete("2001:db8::1")
    assert words6(host) == [("to_in ff02::1:ff00:1",)]


def test_all_nodes_and_groups_of_the_interface_are_never_reported(host: Host6) -> None:
    member6(host, "ff01::5")
    host.receive(query6())
    host.wait(20 * SECOND_NS)
    assert words6(host) == [(f"ex {OWN_GROUP}",)]
    assert ip(ALL_NODES) in host.tap.ipv6.groups.filters


def test_a_report_has_hop_limit_1_and_a_router_alert(host: Host6) -> None:
    member6(host)
    host.poll()
    (frame,) = host.sent6()
    assert frame.dst == multicast_mac(ip(V2_ROUTERS))
    assert frame.ip.hop_limit == 1
    assert frame.packet[40:48] == bytes((58, 0, 5, 2, 0, 0, 1, 0))


# --- joining and leaving --------------------------------------------------------------------------


def test_a_join_and_a_leave_are_reported_twice(host: Host6) -> None:
    socket = member6(host)
    assert words6(host) == [(f"to_ex {GROUP6}",)]
    host.wait(501 * MS)
    assert words6(host) == [(f"to_ex {GROUP6}",)]
    leave6(host, socket)
    assert words6(host) == [(f"to_in {GROUP6}",)]
    host.wait(501 * MS)
    assert words6(host) == [(f"to_in {GROUP6}",)]
    host.wait(60 * SECOND_NS)
    assert words6(host) == []
    assert host.event("mld.reports_sent") == 8  # those of the link-local address, too


def test_sources_are_allowed_and_blocked(host: Host6) -> None:
    socket = member6(host, wanted=only6(A))
    assert words6(host) == [(f"allow {GROUP6} {A}",)]
    host.wait(5 * SECOND_NS)
    host.take()
    net = host.stack.ipv6
    change_source(net, socket, host.tap, ip(GROUP6), SourceChange(ip(B), False, True))
    assert words6(host) == [(f"allow {GROUP6} {B}",)]
    host.wait(5 * SECOND_NS)
    host.take()
    change_source(net, socket, host.tap, ip(GROUP6), SourceChange(ip(A), False, False))
    assert words6(host) == [(f"block {GROUP6} {A}",)]


@pytest.mark.parametrize(
    ("group", "src", "wanted", "there"),
    [
        (GROUP6, A, ANYBODY, True),
        (GROUP6, A, only6(A), True),
        (GROUP6, B, only6(A), False),
        (GROUP6, A, SourceFilter(True, frozenset({ip(A)})), False),
    ],
)
def test_a_member_gets_what_it_wants(
    host: Host6, group: str, src: str, wanted: SourceFilter, there: bool
) -> None:
    socket = member6(host, group, wanted)
    host.receive(udp6_frame(dport=5000, src=src, dst=group))
    assert (len(socket.queue) == 1) is there


# --- queries --------------------------------------------------------------------------------------


def test_a_general_query_is_answered_within_its_time(host: Host6) -> None:
    member6(host)
    member6(host, OTHER_GROUP6, only6(A))
    host.wait(60 * SECOND_NS)
    host.take()
    host.receive(query6(code=4000))
    host.wait(1999 * MS)
    assert words6(host) == []
    host.wait(2 * MS)
    (records,) = words6(host)
    assert set(records) == {f"ex {OWN_GROUP}", f"ex {GROUP6}", f"in {OTHER_GROUP6} {A}"}
    assert host.event("mld.queries_received") == 1


@pytest.mark.parametrize(
    ("asked", "answer"), [((), f"in {GROUP6} {A} {B}"), ((A, PEER6), f"in {GROUP6} {A}")]
)
def test_a_query_for_a_group_or_its_sources(
    host: Host6, asked: tuple[str, ...], answer: str
) -> None:
    member6(host, wanted=only6(A, B))
    host.wait(60 * SECOND_NS)
    host.take()
    host.receive(query6(2, GROUP6, *asked))
    host.wait(10 * SECOND_NS)
    assert words6(host) == [(answer,)]


def test_a_query_for_a_group_that_nobody_joined_has_no_answer(host: Host6) -> None:
    host.receive(query6(2, GROUP6, dst=ALL_NODES))
    host.wait(20 * SECOND_NS)
    assert words6(host) == []


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (mld_frame(Query(2, ip("::"), 1000), hops=255), "mld-bad-hop-limit"),
        (mld_frame(Query(2, ip("::"), 1000), header=b""), "mld-no-alert"),
        (mld_frame(Query(2, ip("::"), 1000), PEER6), "mld-source"),
        (mld_frame(Query(2, ip("::"), 1000), "::"), "mld-source"),
    ],
)
def test_a_query_that_may_be_forged_is_not_answered(host: Host6, frame: bytes, reason: str) -> None:
    host.receive(frame)
    host.wait(60 * SECOND_NS)
    assert words6(host) == []
    assert host.reasons() == {reason: 1}


@pytest.mark.parametrize(
    ("sysctl", "said", "reports"), [(2, 0, 2), (2, 1, 2), (1, 1, 1), (2, 5, 5)]
)
def test_the_querier_says_how_often_a_change_is_reported(
    host: Host6, sysctl: int, said: int, reports: int
) -> None:
    host.set("mld.qrv", sysctl)
    host.receive(query6(robustness=said))
    host.wait(60 * SECOND_NS)
    host.take()
    member6(host)
    host.wait(60 * SECOND_NS)
    assert len(words6(host)) == reports


# --- version 1 ------------------------------------------------------------------------------------


def test_an_old_router_has_this_host_speak_version_1(host: Host6) -> None:
    host.receive(query6(1))
    assert host.tap.ipv6.reports.version(host.now) == 1
    host.wait(60 * SECOND_NS)
    assert said6(host) == [Said6(OUR_LINK_LOCAL, OWN_GROUP, (f"report {OWN_GROUP}",))]
    socket = member6(host)
    assert said6(host) == [Said6(OUR_LINK_LOCAL, GROUP6, (f"report {GROUP6}",))]
    host.wait(10 * SECOND_NS)
    assert said6(host) == [Said6(OUR_LINK_LOCAL, GROUP6, (f"report {GROUP6}",))]
    leave6(host, socket)
    assert said6(host) == [Said6(OUR_LINK_LOCAL, ALL_ROUTERS, (f"done {GROUP6}",))]
    assert host.event("mld.dones_sent") == 1


def test_it_is_forgotten_when_it_has_not_asked_for_long_enough(host: Host6) -> None:
    host.receive(query6(1))
    host.wait(260 * SECOND_NS - 1)
    assert host.tap.ipv6.reports.version(host.now) == 1
    host.wait(1)
    assert host.tap.ipv6.reports.version(host.now) == 2


def test_the_answer_to_a_query_of_version_1_keeps_its_time(host: Host6) -> None:
    host.receive(query6(1, code=1000))
    host.wait(499 * MS)
    assert words6(host) == []
    host.wait(2 * MS)
    assert words6(host) == [(f"report {OWN_GROUP}",)]


def test_another_listeners_report_makes_ours_superfluous(host: Host6) -> None:
    socket = member6(host)
    host.wait(60 * SECOND_NS)
    host.receive(query6(1, GROUP6))
    host.wait(SECOND_NS)
    host.take()
    host.receive(reported6())
    host.wait(60 * SECOND_NS)
    assert words6(host) == []
    leave6(host, socket)
    assert words6(host) == []  # who was not the last to report says nothing


@pytest.mark.parametrize(("forced", "version"), [(0, 1), (1, 1), (2, 2)])
def test_the_version_can_be_forced(host: Host6, forced: int, version: int) -> None:
    host.set("mld.force_version", forced)
    host.receive(query6(1))
    assert host.tap.ipv6.reports.version(host.now) == version
    assert host.reasons() == ({"mld-query-refused": 1} if forced == 2 else {})
    member6(host)
    (words,) = words6(host)
    assert words == ((f"report {GROUP6}",) if version == 1 else (f"to_ex {GROUP6}",))


# --- links ----------------------------------------------------------------------------------------


def test_a_carrier_that_comes_back_has_all_groups_reported(host: Host6) -> None:
    member6(host)
    host.wait(60 * SECOND_NS)
    host.take()
    for on in (False, True):
        set_carrier(host.stack.shared, host.tap, on, host.now)
    (records,) = words6(host)
    assert set(records) == {f"to_ex {OWN_GROUP}", f"to_ex {GROUP6}"}


def test_a_link_that_is_down_reports_nothing(host: Host6) -> None:
    socket = member6(host)
    host.wait(60 * SECOND_NS)
    host.take()
    set_up(host.stack.shared, host.tap, False, host.now)
    leave6(host, socket)
    assert words6(host) == []


def test_nothing_is_reported_on_a_loopback(host: Host6) -> None:
    member6(host, dev="lo")
    host.wait(60 * SECOND_NS)
    assert host.dev("lo").ipv6.reports.due_ns is None


def test_a_report_to_a_host_changes_nothing_in_version_2(host: Host) -> None:
    host.receive(reported6(ALL_NODES))
    assert host.reasons() == {}
    assert host.event("mld.reports_received") == 1
