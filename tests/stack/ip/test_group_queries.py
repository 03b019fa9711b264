"""IGMP, the host's side: what routers are answered, in their version, and when; in virtual time.

The random function of these hosts returns 0.5, so that each random time is half of its range.
"""

import pytest

from smolctl.stack.ip.group_reports import SOURCES_MAX
from smolctl.stack.ip.groups import ANYBODY, SourceFilter
from smolctl.wire.igmp import Query
from tests.kit.clock import SECOND_NS
from tests.kit.groups import (
    ALL_ROUTERS,
    GROUP,
    OLD,
    OTHER_GROUP,
    V3_ROUTERS,
    A,
    B,
    C,
    Said,
    but,
    join,
    leave,
    member,
    only,
    query,
    reported,
    said,
    settled,
    spoken_to,
    words,
)
from tests.kit.host import OURS, Host, ip, text


@pytest.fixture
def host() -> Host:
    return Host()


# --- queries, version 3 ---------------------------------------------------------------------------


def test_a_general_query_is_answered_with_all_groups(host: Host) -> None:
    member(host)
    member(host, OTHER_GROUP, only(A))
    settled(host)
    host.receive(query())  # within 10 s
    host.wait(5 * SECOND_NS - 1)
    assert words(host) == []
    host.wait(1)
    assert said(host) == [Said(V3_ROUTERS, (f"ex {GROUP}", f"in {OTHER_GROUP} {A}"))]
    host.wait(60 * SECOND_NS)
    assert words(host) == []
    assert host.event("igmp.queries_received") == 1


@pytest.mark.parametrize("random", [0.0, 0.25, 0.999])
def test_an_answer_comes_after_a_random_part_of_the_time(random: float) -> None:
    host = Host(random=random)
    member(host)
    settled(host)
    host.receive(query(code=40))
    at = int(random * 4 * SECOND_NS)
    if at:
        host.wait(at - 1)
        assert words(host) == []
        host.wait(1)
    assert words(host) == [(f"ex {GROUP}",)]


def test_without_members_there_is_no_answer(host: Host) -> None:
    host.receive(query())
    assert host.stack.deadline() is None
    host.receive(query(3, GROUP))
    assert host.stack.deadline() is None


def test_a_query_for_a_group_is_answered_for_that_group(host: Host) -> None:
    member(host)
    member(host, OTHER_GROUP)
    settled(host)
    host.receive(query(3, GROUP, code=10))
    host.wait(SECOND_NS)
    assert words(host) == [(f"ex {GROUP}",)]


@pytest.mark.parametrize(
    ("wanted", "asked", "answer"),
    [
        # RFC 3376 5.2: INCLUDE (A) answers with A*B, EXCLUDE (A) with B-A, and no source with none.
        (only(A, B), (A, C), [(f"in {GROUP} {A}",)]),
        (only(A), (B,), []),
        (but(A), (A, B), [(f"in {GROUP} {B}",)]),
        (but(A), (A,), []),
        (ANYBODY, (A, B), [(f"in {GROUP} {A} {B}",)]),
    ],
)
def test_a_query_for_sources_is_answered_for_those(
    host: Host, wanted: SourceFilter, asked: tuple[str, ...], answer: list[tuple[str, ...]]
) -> None:
    member(host, wanted=wanted)
    settled(host)
    host.receive(query(3, GROUP, *asked))
    host.wait(10 * SECOND_NS)
    assert words(host) == answer


def test_rule_1_a_general_answer_that_comes_sooner_will_do(host: Host) -> None:
    member(host)
    settled(host)
    host.receive(query(code=20))
    host.receive(query(3, GROUP, code=100), query(code=100))
    host.wait(60 * SECOND_NS)
    assert words(host) == [(f"ex {GROUP}",)]


def test_rule_2_a_general_answer_is_moved_to_a_sooner_time(host: Host) -> None:
    member(host)
    settled(host)
    host.receive(query(code=100), query(code=20))
    host.wait(SECOND_NS)
    assert words(host) == [(f"ex {GROUP}",)]
    host.wait(60 * SECOND_NS)
    assert words(host) == []


def test_rule_4_a_query_without_sources_asks_for_all(host: Host) -> None:
    member(host)
    settled(host)
    host.receive(query(3, GROUP, A, code=20), query(3, GROUP, code=100))
    host.wait(SECOND_NS)  # at the earlier one's time
    assert words(host) == [(f"ex {GROUP}",)]
    host.receive(query(3, GROUP, code=100), query(3, GROUP, A, code=20))
    host.wait(SECOND_NS)
    assert words(host) == [(f"ex {GROUP}",)]


def test_rule_5_sources_asked_for_are_added(host: Host) -> None:
    member(host)
    settled(host)
    host.receive(query(3, GROUP, A, code=100), query(3, GROUP, B, code=20))
    host.wait(SECOND_NS)
    assert words(host) == [(f"in {GROUP} {A} {B}",)]


def test_so_many_sources_are_asked_for_that_the_group_is_reported(host: Host) -> None:
    member(host)
    settled(host)
    for number in range(0, SOURCES_MAX + 256, 256):
        sources = [text(ip("10.0.0.0") + number + each + 1) for each in range(256)]
        host.receive(query(3, GROUP, *sources))
    host.wait(10 * SECOND_NS)
    assert words(host) == [(f"ex {GROUP}",)]


def test_a_group_that_was_left_before_the_answer_is_not_in_it(host: Host) -> None:
    socket = member(host)
    settled(host)
    host.receive(query(3, GROUP), query(3, GROUP, A))
    leave(host, socket)
    host.wait(60 * SECOND_NS)
    assert words(host) == [(f"to_in {GROUP}",)] * 2


def test_a_query_to_our_own_address_is_answered(host: Host) -> None:
    member(host)
    settled(host)
    frame = query(dst=OURS)
    host.receive(host.tap.mac + frame[6:])
    host.wait(10 * SECOND_NS)
    assert words(host) == [(f"ex {GROUP}",)]


# --- versions 1 and 2 -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
def test_the_version_of_an_older_router_is_spoken_until_it_is_gone(
    host: Host, version: int
) -> None:
    spoken_to(host, version)
    member(host)
    assert said(host) == [Said(GROUP, (f"v{version} {GROUP}",))]
    host.wait(OLD - 1)
    assert host.tap.ipv4.reports.version(host.now) == version
    host.wait(1)
    assert host.tap.ipv4.reports.version(host.now) == 3
    settled(host)
    member(host, OTHER_GROUP)
    assert words(host) == [(f"to_ex {OTHER_GROUP}",)]


def test_version_1_is_older_than_2(host: Host) -> None:
    host.receive(query(1), query(2))
    assert host.tap.ipv4.reports.version(host.now) == 1
    host.wait(10 * SECOND_NS)
    host.receive(query(2))
    host.wait(OLD - 10 * SECOND_NS)
    assert host.tap.ipv4.reports.version(host.now) == 2
    host.wait(10 * SECOND_NS)
    assert host.tap.ipv4.reports.version(host.now) == 3


@pytest.mark.parametrize(
    ("forced", "router", "spoken"),
    [(0, 3, 3), (1, 3, 1), (2, 3, 2), (3, 3, 3), (1, 2, 1), (3, 2, 2), (2, 1, 1), (3, 1, 1)],
)
def test_the_version_can_be_forced_to_be_older(
    host: Host, forced: int, router: int, spoken: int
) -> None:
    """As Linux does with force_igmp_version, measured in a namespace: it is no lower bound."""
    host.set("igmp.force_version", forced)
    host.receive(query(router))
    assert host.tap.ipv4.reports.version(host.now) == spoken


def test_an_unsolicited_report_is_repeated_within_ten_seconds(host: Host) -> None:
    spoken_to(host, 2)
    member(host)
    assert words(host) == [(f"v2 {GROUP}",)]
    host.wait(5 * SECOND_NS)
    assert words(host) == []
    host.wait(1)
    assert words(host) == [(f"v2 {GROUP}",)]
    host.wait(60 * SECOND_NS)
    assert words(host) == []


def test_the_last_to_report_says_that_it_leaves(host: Host) -> None:
    spoken_to(host, 2)
    socket = member(host)
    settled(host)
    leave(host, socket)
    assert said(host) == [Said(ALL_ROUTERS, (f"leave {GROUP}",))]
    assert host.event("igmp.leaves_sent") == 1
    host.wait(60 * SECOND_NS)
    assert said(host) == []


def test_who_was_not_the_last_to_report_leaves_without_a_word(host: Host) -> None:
    spoken_to(host, 2)
    socket = member(host)
    settled(host)
    host.receive(reported())
    leave(host, socket)
    assert words(host) == []


def test_version_1_has_no_leave_message(host: Host) -> None:
    spoken_to(host, 1)
    socket = member(host)
    settled(host)
    leave(host, socket)
    assert words(host) == []


@pytest.mark.parametrize("version", [1, 2])
def test_another_members_report_makes_ours_superfluous(host: Host, version: int) -> None:
    spoken_to(host, version)
    member(host)
    member(host, OTHER_GROUP)
    settled(host)
    host.receive(query(version))
    host.receive(reported(version=version))
    host.wait(10 * SECOND_NS)
    assert words(host) == [(f"v{version} {OTHER_GROUP}",)]


def test_another_members_report_makes_ours_superfluous_that_nobody_asked_for(host: Host) -> None:
    spoken_to(host, 2)
    member(host)
    assert words(host) == [(f"v2 {GROUP}",)]
    host.receive(reported())
    host.wait(60 * SECOND_NS)
    assert words(host) == []


def test_in_version_3_others_reports_change_nothing(host: Host) -> None:
    member(host)
    settled(host)
    host.receive(query(3, GROUP), reported())
    host.wait(10 * SECOND_NS)
    assert words(host) == [(f"ex {GROUP}",)]


def test_rfc2236_3_a_query_hastens_a_report_and_never_delays_it(host: Host) -> None:
    spoken_to(host, 2)
    member(host)
    settled(host)
    host.receive(query(2, code=100))  # planned in 5 s
    host.receive(query(2, GROUP, code=100))
    host.wait(4 * SECOND_NS)
    assert words(host) == []
    host.receive(query(2, GROUP, code=100))  # 10 s are not less than what is left
    host.wait(SECOND_NS)
    assert words(host) == [(f"v2 {GROUP}",)]
    host.receive(query(2, code=100), query(2, GROUP, code=10))
    host.wait(SECOND_NS // 2)
    assert words(host) == [(f"v2 {GROUP}",)]


def test_a_group_query_of_version_2_is_for_that_group(host: Host) -> None:
    spoken_to(host, 2)
    member(host)
    member(host, OTHER_GROUP)
    settled(host)
    host.receive(query(2, GROUP, code=10))
    host.wait(SECOND_NS)
    assert said(host) == [Said(GROUP, (f"v2 {GROUP}",))]


def test_changes_of_sources_are_no_business_of_older_versions(host: Host) -> None:
    spoken_to(host, 2)
    socket = member(host, wanted=only(A))
    settled(host)
    join(host, socket, wanted=only(A, B))
    assert words(host) == []


def test_a_change_of_version_cancels_what_was_planned(host: Host) -> None:
    member(host)
    assert words(host) == [(f"to_ex {GROUP}",)]
    host.receive(query(3, code=100), query(3, GROUP, code=200))
    host.receive(query(2, code=1))
    host.wait(60 * SECOND_NS)
    assert words(host) == [(f"v2 {GROUP}",)]  # the answer to the last one


def test_a_change_of_version_does_not_cancel_what_was_never_said(host: Host) -> None:
    member(host)
    host.tap.ipv4.reports.asked(Query(2, 0, 100), host.tap.ipv4.groups.filters, host.now)
    assert (f"v2 {GROUP}",) in words(host)
