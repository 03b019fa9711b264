"""IGMP: literals, round trips, faults, and codes that are floating-point numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import igmp
from smolctl.wire.checksum import internet_checksum
from smolctl.wire.fault import Fault, WireFault
from smolctl.wire.igmp import Change, Membership, Query, Record, Report, Type, Unknown

octets = st.integers(0, 255)
addresses = st.integers(0, 2**32 - 1)
sources = st.lists(addresses, max_size=5).map(tuple)
queries = st.one_of(
    addresses.map(lambda group: Query(1, group, 0)),
    st.tuples(addresses, st.integers(1, 255)).map(lambda fields: Query(2, *fields)),
    st.tuples(st.just(3), addresses, octets, sources, st.booleans(), st.integers(0, 7), octets).map(
        Query._make
    ),
)
memberships = st.builds(
    Membership, st.sampled_from([Type.REPORT_V1, Type.REPORT_V2, Type.LEAVE]), addresses
)
records = st.builds(Record, st.integers(1, 6), addresses, sources)
reports = st.builds(Report, st.lists(records, max_size=4).map(tuple))
messages = st.one_of(queries, memberships, reports)


def summed(message: bytes) -> bytes:
    return message[:2] + internet_checksum(message).to_bytes(2) + message[4:]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1164 ee9b 00000000", Query(2, 0, 100)),
        ("1100 eeff 00000000", Query(1, 0, 0)),
        ("1600 f8fa ef010203", Membership(Type.REPORT_V2, 0xEF010203)),
        ("1700 f7fa ef010203", Membership(Type.LEAVE, 0xEF010203)),
        (
            "2200 e8f9 00000001 0400 0000 ef010203",
            Report((Record(Change.TO_EXCLUDE, 0xEF010203),)),
        ),
        (
            "1164 da1c 00000000 0a7d 0001 0a000001",
            Query(3, 0, 100, (0x0A000001,), suppress=True, robustness=2, interval_code=125),
        ),
    ],
)
def test_literals(text: str, message: igmp.Message) -> None:
    data = bytes.fromhex(text)
    assert igmp.parse(data) == message
    assert not isinstance(message, Unknown)
    assert message.to_bytes() == data


@given(messages)
def test_round_trip(message: Query | Membership | Report) -> None:
    assert igmp.parse(message.to_bytes()) == message


@given(st.binary(max_size=80))
def test_no_bytes_raise(data: bytes) -> None:
    assert igmp.parse(data) is not None
    assert igmp.parse(summed(data.ljust(8, b"\0"))) is not None


@given(messages, st.binary(min_size=1, max_size=8))
def test_rfc3376_4_1_10_more_bytes_are_summed_and_ignored(
    message: Query | Membership | Report, more: bytes
) -> None:
    data = message.to_bytes() + more
    if isinstance(message, Query) and message.version < 3:
        return  # the length is what tells versions apart
    assert igmp.parse(summed(data[:2] + bytes(2) + data[4:])) == message
    if int.from_bytes(more.ljust(8, b"\0")) % 0xFFFF:  # else they sum to nothing
        found = igmp.parse(data)
        assert isinstance(found, WireFault)
        assert found.fault is Fault.IGMP_BAD_CHECKSUM


@pytest.mark.parametrize("size", [0, 7])
def test_a_message_without_a_whole_header(size: int) -> None:
    found = igmp.parse(bytes(size))
    assert found == WireFault(Fault.IGMP_BAD_LENGTH, size, {"size": size, "what": "a header has 8"})


@pytest.mark.parametrize("size", [9, 10, 11])
def test_a_query_of_a_length_that_no_version_has(size: int) -> None:
    found = igmp.parse(summed(b"\x11".ljust(size, b"\0")))
    assert isinstance(found, WireFault)
    assert found.fault is Fault.IGMP_BAD_LENGTH


def test_fewer_sources_than_a_query_claims() -> None:
    whole = Query(3, 0xEF010203, 1, (1, 2)).to_bytes()
    found = igmp.parse(summed(whole[:2] + bytes(2) + whole[4:-4]))
    assert isinstance(found, WireFault)
    assert found.detail == {"size": 16, "what": "a query for 2 sources has 20"}


@pytest.mark.parametrize("cut", [1, 4, 5, 12])
def test_fewer_groups_than_a_report_claims(cut: int) -> None:
    whole = Report((Record(1, 0xEF010203, (1,)), Record(1, 0xEF010204, (1,)))).to_bytes()
    found = igmp.parse(summed(whole[:2] + bytes(2) + whole[4:-cut]))
    assert isinstance(found, WireFault)
    assert found.fault is Fault.IGMP_BAD_LENGTH


def test_rfc3376_4_2_10_auxiliary_data_is_ignored() -> None:
    data = bytes.fromhex("2200 0000 00000002 0101 0000 ef010203 deadbeef 0400 0000 ef010204")
    assert igmp.parse(summed(data)) == Report(
        (Record(Change.IS_INCLUDE, 0xEF010203), Record(Change.TO_EXCLUDE, 0xEF010204))
    )


def test_a_checksum_says_what_it_should_be() -> None:
    data = bytearray(Query(2, 0, 100).to_bytes())
    data[1] = 101
    found = igmp.parse(bytes(data))
    assert isinstance(found, WireFault)
    assert found.detail == {"got": 0xEE9B, "want": 0xEE9A}


def test_an_unknown_type_is_no_fault() -> None:
    assert igmp.parse(summed(b"\x13" + bytes(7))) == Unknown(0x13)


@pytest.mark.parametrize(
    ("code", "value"),
    [(0, 0), (1, 1), (127, 127), (128, 128), (0x8F, 248), (0x90, 256), (0xF0, 16384), (255, 31744)],
)
def test_rfc3376_4_1_1_codes_from_128_on_are_floating_point(code: int, value: int) -> None:
    assert igmp.decode(code) == value
    assert Query(3, 0, code).max_response_ms == 100 * value
    assert Query(3, 0, 0, interval_code=code).interval_s == value


def test_older_versions_have_plain_times() -> None:
    assert Query(1, 0, 0).max_response_ms == 10_000
    assert Query(2, 0, 255).max_response_ms == 25_500
