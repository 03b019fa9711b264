"""MLD: literals, round trips, faults, and codes that are floating-point numbers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import icmpv6, mld
from smolctl.wire.address import ALL_NODES, IPV6_MARK, UNSPECIFIED6, parse_address
from smolctl.wire.fault import Fault6, WireFault
from smolctl.wire.icmpv6 import Icmpv6Message, Type
from smolctl.wire.igmp import Change
from smolctl.wire.mld import Membership, Query, Record, Report

SRC = parse_address("fe80::1")
GROUP = parse_address("ff0e::1234")

octets = st.integers(0, 255)
words = st.integers(0, 0xFFFF)
addresses = st.integers(IPV6_MARK, 2 * IPV6_MARK - 1)
sources = st.lists(addresses, max_size=5).map(tuple)
queries = st.tuples(addresses, words).map(lambda fields: Query(1, *fields)) | st.tuples(
    st.just(2), addresses, words, sources, st.booleans(), st.integers(0, 7), octets
).map(Query._make)
memberships = st.builds(Membership, st.sampled_from([Type.MLD_REPORT, Type.MLD_DONE]), addresses)
records = st.builds(Record, st.integers(1, 6), addresses, sources)
reports = st.builds(Report, st.lists(records, max_size=4).map(tuple))
messages = st.one_of(queries, memberships, reports)


def icmp(message: mld.Message) -> Icmpv6Message:
    parsed = icmpv6.parse(message.to_bytes(SRC, ALL_NODES), SRC, ALL_NODES)
    assert isinstance(parsed, Icmpv6Message)
    return parsed


def parsed(message: Icmpv6Message, **change: Any) -> mld.Message | WireFault:
    return mld.parse(message, **{"src": SRC, "hop_limit": 1, "alert": 0, **change})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8200 2710 0000" + 32 * "0", Query(1, UNSPECIFIED6, 10_000)),
        ("8300 0000 0000 ff0e0000000000000000000000001234", Membership(Type.MLD_REPORT, GROUP)),
        ("8400 0000 0000 ff0e0000000000000000000000001234", Membership(Type.MLD_DONE, GROUP)),
        (
            "8f00 0000 0001 0400 0000 ff0e0000000000000000000000001234",
            Report((Record(Change.TO_EXCLUDE, GROUP),)),
        ),
        (
            "8200 2710 0000" + 32 * "0" + "0a7d 0001 20010db8000000000000000000000001",
            Query(
                2, UNSPECIFIED6, 10_000, (parse_address("2001:db8::1"),), suppress=True,
                robustness=2, interval_code=125,
            ),
        ),
    ],
)  # fmt: skip
def test_literals(text: str, message: mld.Message) -> None:
    data = bytes.fromhex(text)
    wire = message.to_bytes(SRC, ALL_NODES)
    assert wire[:2] + wire[4:] == data
    assert parsed(icmp(message)) == message


@given(messages)
def test_round_trip(message: mld.Message) -> None:
    assert parsed(icmp(message)) == message


@given(messages.filter(lambda message: getattr(message, "version", 2) == 2), st.binary(max_size=8))
def test_rfc3810_more_bytes_are_ignored(message: mld.Message, more: bytes) -> None:
    whole = icmp(message)
    assert parsed(whole._replace(body=whole.body + more)) == message


@given(
    st.sampled_from(sorted(mld.TYPES)), octets, st.integers(0, 0xFFFFFFFF), st.binary(max_size=99)
)
def test_no_bytes_raise(kind: int, code: int, rest: int, body: bytes) -> None:
    for many in (rest, rest & 3):
        assert parsed(Icmpv6Message(kind, code, many, body)) is not None


@pytest.mark.parametrize("hop_limit", [0, 2, 255])
def test_a_hop_limit_other_than_1(hop_limit: int) -> None:
    found = parsed(icmp(Query(1, GROUP, 1)), hop_limit=hop_limit)
    assert found == WireFault(Fault6.MLD_BAD_HOP_LIMIT, 0, {"number": hop_limit})


@pytest.mark.parametrize("alert", [None, 1])
def test_no_router_alert_or_one_for_something_else(alert: int | None) -> None:
    found = parsed(icmp(Query(1, GROUP, 1)), alert=alert)
    assert isinstance(found, WireFault)
    assert found.fault is Fault6.MLD_NO_ALERT


@pytest.mark.parametrize("text", ["2001:db8::1", "::1", "ff02::1"])
def test_a_source_that_is_not_link_local(text: str) -> None:
    for message in (Query(1, GROUP, 1), Membership(Type.MLD_REPORT, GROUP), Report(())):
        found = parsed(icmp(message), src=parse_address(text))
        assert isinstance(found, WireFault)
        assert found.fault is Fault6.MLD_SOURCE


def test_rfc3810_5_1_14_who_has_no_address_may_report_but_not_ask() -> None:
    report = Report((Record(Change.TO_EXCLUDE, GROUP),))
    assert parsed(icmp(report), src=UNSPECIFIED6) == report
    found = parsed(icmp(Query(2, GROUP, 1)), src=UNSPECIFIED6)
    assert found == WireFault(Fault6.MLD_SOURCE, 0, {"number": Type.MLD_QUERY})


@pytest.mark.parametrize("kind", [Type.MLD_QUERY, Type.MLD_REPORT, Type.MLD_DONE])
@pytest.mark.parametrize("size", [0, 15])
def test_a_message_without_a_whole_group(kind: int, size: int) -> None:
    found = parsed(Icmpv6Message(kind, 0, 0, bytes(size)))
    detail: dict[str, int | str] = {"number": size + 8, "what": "one about a group has 24"}
    assert found == WireFault(Fault6.MLD_BAD_LENGTH, size + 8, detail)


@pytest.mark.parametrize("size", [25, 26, 27])
def test_rfc3810_8_1_a_query_of_a_length_that_no_version_has(size: int) -> None:
    found = parsed(Icmpv6Message(Type.MLD_QUERY, 0, 0, bytes(size - 8)))
    assert isinstance(found, WireFault)
    assert found.fault is Fault6.MLD_BAD_LENGTH


def test_fewer_sources_than_a_query_claims() -> None:
    whole = icmp(Query(2, GROUP, 1, (GROUP, GROUP)))
    found = parsed(whole._replace(body=whole.body[:-1]))
    assert isinstance(found, WireFault)
    assert found.detail == {"number": 59, "what": "a query for 2 sources has 60"}


@pytest.mark.parametrize("cut", [1, 16, 17, 40])
def test_fewer_groups_than_a_report_claims(cut: int) -> None:
    whole = icmp(Report((Record(1, GROUP, (SRC,)), Record(1, GROUP, (SRC,)))))
    found = parsed(whole._replace(body=whole.body[:-cut]))
    assert isinstance(found, WireFault)
    assert found.fault is Fault6.MLD_BAD_LENGTH


def test_rfc3810_5_2_11_auxiliary_data_is_ignored() -> None:
    group = "ff0e0000000000000000000000001234"
    body = bytes.fromhex(f"0102 0000 {group} deadbeef deadbeef 0400 0000 {group}")
    assert parsed(Icmpv6Message(Type.MLD_REPORT_V2, 0, 2, body)) == Report(
        (Record(Change.IS_INCLUDE, GROUP), Record(Change.TO_EXCLUDE, GROUP))
    )


@pytest.mark.parametrize(
    ("code", "value"),
    [(0, 0), (32767, 32767), (0x8000, 32768), (0x8FFF, 65528), (0x9000, 65536), (0xFFFF, 8387584)],
)
def test_rfc3810_5_1_3_codes_from_32768_on_are_floating_point(code: int, value: int) -> None:
    assert mld.decode(code) == value
    assert Query(2, GROUP, code).max_response_ms == value
    assert Query(1, GROUP, code).max_response_ms == code


def test_the_interval_is_coded_as_in_igmp() -> None:
    assert [Query(2, GROUP, 0, interval_code=code).interval_s for code in (0, 125, 0x8F)] == [
        0, 125, 248,
    ]  # fmt: skip


def test_the_size_of_a_record_is_what_it_takes() -> None:
    record = Record(Change.ALLOW, GROUP, (SRC, SRC))
    assert len(icmp(Report((record,))).body) == record.size
