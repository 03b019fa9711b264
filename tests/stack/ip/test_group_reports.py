"""IGMP, the host's side: what is reported, when, and in which version; in virtual time.

The random function of these hosts returns 0.5, so that each random time is half of its range.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.stack.config import maddr as maddr_config
from smolctl.stack.config.link import set_carrier, set_mtu, set_up
from smolctl.stack.ip.group_reports import Record
from smolctl.stack.ip.groups import ANYBODY, NOBODY, SourceFilter
from smolctl.stack.ipv4.igmp import reports
from smolctl.wire import ipv4
from smolctl.wire.address import parse_mac
from smolctl.wire.igmp import Change
from tests.kit.clock import SECOND_NS
from tests.kit.groups import (
    GROUP,
    MS,
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
    said,
    settled,
    spoken_to,
    words,
)
from tests.kit.host import OURS, Host, ip, text


@pytest.fixture
def host() -> Host:
    return Host()


# --- joining and leaving, version 3 ---------------------------------------------------------------


def test_a_join_is_reported_at_once_and_again(host: Host) -> None:
    member(host)
    assert said(host) == [Said(V3_ROUTERS, (f"to_ex {GROUP}",))]
    host.wait(500 * MS)
    assert said(host) == []
    host.wait(1)
    assert said(host) == [Said(V3_ROUTERS, (f"to_ex {GROUP}",))]
    host.wait(10 * SECOND_NS)
    assert said(host) == []
    assert host.event("igmp.reports_sent") == 2


def test_a_leave_is_reported_at_once_and_again(host: Host) -> None:
    socket = member(host)
    settled(host)
    leave(host, socket)
    assert words(host) == [(f"to_in {GROUP}",)]
    host.wait(SECOND_NS)
    assert words(host) == [(f"to_in {GROUP}",)]
    host.wait(10 * SECOND_NS)
    assert words(host) == []


def test_a_report_as_it_is_on_the_wire(host: Host) -> None:
    member(host)
    host.poll()
    (frame,) = host.sent()
    assert frame.dst == parse_mac("01:00:5e:00:00:16")
    header = frame.ip
    assert header is not None
    assert (header.ttl, header.dscp_ecn, header.options) == (1, 0xC0, b"\x94\x04\0\0")
    assert (text(header.src), text(header.dst)) == (OURS, V3_ROUTERS)


def test_without_an_address_the_source_is_zero() -> None:
    host = Host(bare=True)
    member(host)
    host.poll()
    (frame,) = host.sent()
    assert frame.ip is not None
    assert frame.ip.src == 0


def test_a_second_member_changes_nothing_for_the_routers(host: Host) -> None:
    member(host)
    settled(host)
    second = member(host)
    assert words(host) == []
    leave(host, second)
    assert words(host) == []


def test_groups_joined_together_are_reported_together(host: Host) -> None:
    socket = member(host)
    join(host, socket, OTHER_GROUP)
    assert words(host) == [(f"to_ex {GROUP}", f"to_ex {OTHER_GROUP}")]


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_change_is_reported_as_often_as_the_sysctl_says(host: Host, times: int) -> None:
    host.set("igmp.qrv", times)
    member(host)
    host.wait(60 * SECOND_NS)
    assert words(host) == [(f"to_ex {GROUP}",)] * times


def test_the_querier_says_how_often(host: Host) -> None:
    host.set("igmp.qrv", 5)
    host.receive(query())  # it says 2
    member(host)
    host.wait(60 * SECOND_NS)
    assert words(host) == [(f"to_ex {GROUP}",)] * 2


def test_the_loopback_reports_nothing(host: Host) -> None:
    member(host, dev="lo")
    assert host.stack.deadline() is None


@pytest.mark.parametrize("reports", [1, 0])
def test_groups_of_the_link_are_reported_by_the_sysctl(host: Host, reports: int) -> None:
    host.set("igmp.link_local_reports", reports)
    member(host, "224.0.0.251")
    assert words(host) == [("to_ex 224.0.0.251",)] * reports
    member(host, "224.0.1.1")
    assert words(host) == [("to_ex 224.0.1.1",)]


def test_a_hand_joined_group_is_reported(host: Host) -> None:
    maddr_config.join_static(host.stack.ipv4, host.tap, ip(GROUP))
    assert words(host) == [(f"to_ex {GROUP}",)]
    maddr_config.leave_static(host.stack.ipv4, host.tap, ip(GROUP))
    assert words(host) == [(f"to_in {GROUP}",)]


# --- sources --------------------------------------------------------------------------------------

TABLE = [
    # RFC 3376 5.1: old state, new state, record; and what joining and leaving mean by it.
    (only(A), only(A, B), [f"allow {GROUP} {B}"]),
    (only(A, B), only(B, C), [f"allow {GROUP} {C}", f"block {GROUP} {A}"]),
    (but(A, B), but(B, C), [f"allow {GROUP} {A}", f"block {GROUP} {C}"]),
    (only(A), but(B), [f"to_ex {GROUP} {B}"]),
    (but(A), only(B), [f"to_in {GROUP} {B}"]),
    (NOBODY, only(A), [f"allow {GROUP} {A}"]),
    (only(A), NOBODY, [f"block {GROUP} {A}"]),
    (NOBODY, but(A), [f"to_ex {GROUP} {A}"]),
    (NOBODY, ANYBODY, [f"to_ex {GROUP}"]),
    (ANYBODY, NOBODY, [f"to_in {GROUP}"]),
]


@pytest.mark.parametrize(("old", "new", "records"), TABLE)
def test_rfc3376_5_1_a_change_of_sources(
    host: Host, old: SourceFilter, new: SourceFilter, records: list[str]
) -> None:
    socket = host.socket()
    if old != NOBODY:
        join(host, socket, wanted=old)
    settled(host)
    if new == NOBODY:
        leave(host, socket)
    else:
        join(host, socket, wanted=new)
    assert words(host) == [tuple(records)]
    host.wait(SECOND_NS)
    assert words(host) == [tuple(records)]
    host.wait(60 * SECOND_NS)
    assert words(host) == []


def test_rfc3376_5_1_a_change_amid_repetitions_is_merged(host: Host) -> None:
    host.set("igmp.qrv", 3)
    socket = host.socket()
    join(host, socket, wanted=only(A))
    assert words(host) == [(f"allow {GROUP} {A}",)]
    join(host, socket, wanted=only(A, B))
    assert words(host) == [(f"allow {GROUP} {A} {B}",)]
    host.wait(SECOND_NS)
    # That was A's third time, and B's second.
    assert words(host) == [(f"allow {GROUP} {A} {B}",)]
    host.wait(SECOND_NS)
    assert words(host) == [(f"allow {GROUP} {B}",)]
    host.wait(60 * SECOND_NS)
    assert words(host) == []


def test_rfc3376_5_1_a_source_that_comes_and_goes_is_said_as_it_is_now(host: Host) -> None:
    socket = host.socket()
    join(host, socket, wanted=only(A, B))
    settled(host)
    join(host, socket, wanted=only(A))
    join(host, socket, wanted=only(A, B))
    assert words(host) == [(f"allow {GROUP} {B}",)]


def test_rfc3376_5_1_a_change_of_mode_comes_before_changes_of_sources(host: Host) -> None:
    host.set("igmp.qrv", 3)
    socket = host.socket()
    join(host, socket, wanted=only(A))
    settled(host)
    join(host, socket, wanted=but(B))
    assert words(host) == [(f"to_ex {GROUP} {B}",)]
    join(host, socket, wanted=but(B, C))
    # Three reports in all say the mode, with the sources of the time.
    assert words(host) == [(f"to_ex {GROUP} {B} {C}",)]
    host.wait(SECOND_NS)
    assert words(host) == [(f"to_ex {GROUP} {B} {C}",)]
    # C has been in two of its three reports.
    host.wait(SECOND_NS)
    assert words(host) == [(f"block {GROUP} {C}",)]
    host.wait(60 * SECOND_NS)
    assert words(host) == []


def test_members_together_are_what_is_reported(host: Host) -> None:
    first = member(host, wanted=only(A))
    settled(host)
    second = member(host, wanted=only(B))
    assert words(host) == [(f"allow {GROUP} {B}",)]
    settled(host)
    leave(host, second)
    assert words(host) == [(f"block {GROUP} {B}",)]
    settled(host)
    leave(host, first)
    assert words(host) == [(f"block {GROUP} {A}",)]


# --- links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["up", "carrier"])
def test_a_link_that_comes_back_begins_anew(host: Host, what: str) -> None:
    def turn(on: bool) -> None:
        if what == "up":
            set_up(host.stack.shared, host.tap, on, host.now)
        else:
            set_carrier(host.stack.shared, host.tap, on, host.now)

    spoken_to(host, 2)
    member(host)
    turn(False)
    member(host, OTHER_GROUP)
    host.wait(60 * SECOND_NS)
    assert said(host) == []
    assert host.reasons() == {}
    turn(True)
    assert words(host) == [(f"to_ex {GROUP}", f"to_ex {OTHER_GROUP}")]


# --- reports that are too long --------------------------------------------------------------------


def test_groups_that_do_not_fit_go_into_another_report(host: Host) -> None:
    set_mtu(host.stack.shared, host.tap, 68)
    host.set("igmp.qrv", 1)
    groups = [f"239.0.0.{number}" for number in range(1, 10)]
    for group in groups:
        member(host, group)
    reports = words(host)
    assert [word for report in reports for word in report] == [f"to_ex {each}" for each in groups]
    assert max(map(len, reports)) == 4


kinds = st.sampled_from(list(Change))
records = st.builds(
    Record, kinds, st.integers(1, 3), st.lists(st.integers(0, 99), unique=True).map(tuple)
)


@given(st.lists(records, max_size=5), st.integers(12, 60))
def test_rfc3376_4_2_16_records_are_packed(wanted: list[Record], room: int) -> None:
    messages = list(reports(wanted, room))
    for message in messages:
        assert message.records
        assert sum(record.size for record in message.records) <= room
    found = [Record(*record) for message in messages for record in message.records]
    most = (room - 8) // 4
    expected = []
    for record in wanted:
        whole = record.change in (Change.IS_EXCLUDE, Change.TO_EXCLUDE)
        sources = record.sources[:most] if whole else record.sources
        expected.append(record._replace(sources=sources))
    joined: list[Record] = []
    for record in found:
        if joined and len(joined[-1].sources) < len(expected[len(joined) - 1].sources):
            more = joined[-1].sources + record.sources
            joined[-1] = joined[-1]._replace(sources=more)
        else:
            joined.append(record)
    assert joined == expected


def test_a_report_fits_the_mtu(host: Host) -> None:
    host.set("igmp.max_msf", 1000)
    set_mtu(host.stack.shared, host.tap, 100)
    sources = [f"10.0.{high}.{low}" for high in range(2) for low in range(1, 51)]
    member(host, wanted=only(*sources))
    host.poll()
    frames = host.take()
    assert len(frames) == 7  # of 15 sources each
    for frame in frames:
        header = ipv4.parse(frame[14:])
        assert isinstance(header, ipv4.Ipv4Header)
        assert header.total_length <= 100
