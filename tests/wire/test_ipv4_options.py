"""IPv4 options: where they are, what is wrong with them, and what they become."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IPOption_LSRR, IPOption_RR, IPOption_SSRR

from smolctl.wire import ipv4_options
from smolctl.wire.address import format_address, parse_address
from smolctl.wire.ipv4_options import BadOption, Options, Outgoing, Stamp

A, B, C, D = (parse_address(f"10.0.0.{last}") for last in (1, 2, 3, 4))


def options(words: str) -> Options:
    found = ipv4_options.parse(bytes.fromhex(words))
    assert isinstance(found, Options), found
    return found


@pytest.mark.parametrize(
    ("raw", "route", "record", "stamp", "alert"),
    [
        ("", None, None, None, False),
        ("01 01 83 03 04", 2, None, None, False),
        ("07 07 04 00000000 89 07 04 0a000001", 7, 0, None, False),
        ("44 08 05 00 00000000", None, None, 0, False),
        ("94 04 00 00", None, None, None, True),
        ("94 04 00 01", None, None, None, False),  # RFC 2113: other values are reserved
        ("88 04 00 07 82 03 00", None, None, None, False),
        ("00 07 02", None, None, None, False),  # behind the end of the list there are none
    ],
)
def test_where_options_are(
    raw: str, route: int | None, record: int | None, stamp: int | None, alert: bool
) -> None:
    data = bytes.fromhex(raw)
    assert options(raw) == Options(data, route, record, stamp, alert)


# What is wrong, and at which byte of the header (20 bytes come before); Linux says the same, see
# tests/e2e/test_ip_options.py.
BAD = {
    "07": 20,
    "07 00": 20,
    "07 01 04": 20,
    "07 28 04": 20,
    "01 01 de": 22,
    "07 02 00 00": 21,
    "07 07 03 00000000": 22,
    "07 06 04 000000": 22,
    "07 03 04 07 03 04": 23,
    "83 02 00 00": 21,
    "83 07 03 00000000": 22,
    "83 03 04 89 03 04": 23,
    "44 03 05 00": 21,
    "44 08 04 00 00000000": 22,
    "44 07 05 00 000000": 22,
    "44 08 05 01 00000000": 22,
    "44 08 05 03 00000000": 22,
    "44 04 05 f0": 23,
    "44 04 05 00 44 04 05 00": 24,
    "94 03 00 00": 21,
}


@pytest.mark.parametrize(("raw", "pointer"), BAD.items())
def test_what_makes_no_sense_is_pointed_at(raw: str, pointer: int) -> None:
    found = ipv4_options.parse(bytes.fromhex(raw))
    assert isinstance(found, BadOption)
    assert found.pointer == pointer


@given(st.binary(max_size=40))
def test_no_bytes_raise(raw: bytes) -> None:
    found = ipv4_options.parse(raw)
    if isinstance(found, BadOption):
        assert 20 <= found.pointer < 20 + len(raw)
        return
    for arriving in (True, False):
        filled = ipv4_options.stamped(found, A, lambda _: True, 7, arriving=arriving)
        assert len(filled) == len(raw)
    back = ipv4_options.answering(found, B)
    assert len(back.raw) <= len(raw) + 3
    assert isinstance(ipv4_options.parse(back.raw, arriving=False), Options)
    assert len(back.raw) % 4 == 0
    ipv4_options.text(raw, format_address)
    ipv4_options.recorded(raw)


def test_a_record_route_gets_our_address_while_there_is_room() -> None:
    found = options("07 0b 04 00000000 00000000")
    once = ipv4_options.stamped(found, A, lambda _: False, 7, arriving=True)
    assert once.hex(" ", 1) == "07 0b 08 0a 00 00 01 00 00 00 00"
    twice = ipv4_options.stamped(options(once.hex()), B, lambda _: False, 7, arriving=True)
    assert ipv4_options.recorded(twice) == [A, B]
    assert ipv4_options.stamped(options(twice.hex()), C, lambda _: False, 7, arriving=True) == twice


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("44 08 05 00 00000000", "44 08 09 00 00000007"),
        ("44 0c 05 01 00000000 00000000", "44 0c 0d 01 0a000001 00000007"),
        ("44 0c 05 03 0a000001 00000000", "44 0c 0d 03 0a000001 00000007"),
        ("44 0c 05 03 0a000002 00000000", "44 0c 05 03 0a000002 00000000"),  # another one's turn
        ("44 08 09 00 00000001", "44 08 09 10 00000001"),  # no room: one more was missed
        ("44 08 09 e0 00000001", "44 08 09 f0 00000001"),
        ("44 0c 0d 03 0a000001 00000001", "44 0c 0d 03 0a000001 00000001"),
    ],
)
def test_a_timestamp(before: str, after: str) -> None:
    found = options(before)
    filled = ipv4_options.stamped(found, A, lambda ip: ip == A, 7, arriving=True)
    assert filled == bytes.fromhex(after)


def test_a_sender_misses_no_timestamp() -> None:
    full = options("44 08 09 00 00000001")
    assert ipv4_options.stamped(full, A, lambda _: True, 7, arriving=False) == full.raw


# --- source routes --------------------------------------------------------------------------------


def test_a_source_route_begins_at_its_first_hop_and_ends_at_the_destination() -> None:
    sent = ipv4_options.outgoing(ipv4_options.route([B, C]), D)
    assert sent == Outgoing(bytes.fromhex("83 0b 04 0a000003 0a000004 00"), B)
    strict = ipv4_options.outgoing(ipv4_options.route([B], strict=True), D)
    assert strict == Outgoing(bytes.fromhex("89 07 04 0a000004 00"), B)


def test_an_answer_goes_back_by_the_same_hops() -> None:
    # A sent to D by B and C; each put its own address where it found the next one's.
    came = options("83 0b 0c 0a000002 0a000003")
    assert came.route_done
    assert ipv4_options.answering(came, A) == Outgoing(
        bytes.fromhex("83 0b 04 0a000002 0a000001 00"), C
    )


def test_a_sender_that_names_itself_is_no_hop() -> None:
    # RFC 1812 5.2.4.1: it begins with the sender.
    came = options("83 0b 0c 0a000001 0a000002")
    assert ipv4_options.answering(came, A) == Outgoing(bytes.fromhex("83 07 04 0a000001 00"), B)
    assert ipv4_options.answering(options("83 07 08 0a000001"), A) == Outgoing(b"")


@given(st.lists(st.integers(1, 2**32 - 2), min_size=1, max_size=8, unique=True))
def test_there_and_back_is_the_way_reversed(hops: list[int]) -> None:
    us, them = 0xC0000201, 0xC6336401
    sent = ipv4_options.outgoing(ipv4_options.route(hops), them)
    at = sent.hop
    way = [at]
    raw = bytearray(sent.raw)
    while raw[2] < raw[1]:  # RFC 791 3.1: a hop replaces the address by its own, and goes on
        place = raw[2] - 1
        at, raw[place : place + 4] = int.from_bytes(raw[place : place + 4]), at.to_bytes(4)
        raw[2] += 4
        way.append(at)
    assert way == [*hops, them]
    back = ipv4_options.answering(options(raw.hex()), us)
    rest = [int.from_bytes(back.raw[i : i + 4]) for i in range(3, back.raw[1], 4)]
    assert [back.hop, *rest] == [*reversed(hops), us]


def test_what_is_recorded_goes_back_and_nothing_else() -> None:
    came = options("94 04 0000 07 07 08 0a000001 88 04 0007 44 08 09 00 00000001")
    assert ipv4_options.answering(came, A) == Outgoing(
        bytes.fromhex("07 07 08 0a000001 44 08 09 00 00000001 00")
    )


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("07 02", "byte 21 of the header"),
        ("83 07 08 0a000001", "names one hop or more"),
        ("83 03 04", "names one hop or more"),
        ("01" * 41, "41 bytes of IP options: a header has room for 40"),
        ("83 07 04 0a000001 89 07 04 0a000001", "byte 27"),  # RFC 1122 3.2.1.8(c): only one
    ],
)
def test_what_may_not_be_sent(raw: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ipv4_options.outgoing(bytes.fromhex(raw), A)


# --- made, and said -------------------------------------------------------------------------------


def test_options_are_those_of_scapy() -> None:
    shown = ["10.0.0.2", "10.0.0.3"]
    assert bytes(IPOption_LSRR(routers=shown)) == ipv4_options.route([B, C])
    assert bytes(IPOption_SSRR(routers=shown)) == ipv4_options.route([B, C], strict=True)
    assert bytes(IPOption_RR(routers=["0.0.0.0"] * 9)) == ipv4_options.record()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("07 0b 08 0a000001 00000000", "rr 10.0.0.1"),
        ("83 07 04 0a000001 94 04 0000", "lsrr 10.0.0.1, ra"),
        ("44 0c 0d 11 0a000001 00000007", "ts 10.0.0.1@7 (+1)"),
        ("44 0c 09 00 00000007 00000000", "ts 7"),
        ("de 04 0102", "option 222 of 4 B"),
        ("88 04 0001 82 03 00", "sid, sec"),
        ("01 00", ""),
    ],
)
def test_words(raw: str, words: str) -> None:
    assert ipv4_options.text(bytes.fromhex(raw), format_address) == words


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("01 44 0c 0d 11 0a000001 00000007", ([Stamp(A, 7, True)], 1)),
        ("44 0c 0d 30 80000007 00000008", ([Stamp(None, 7, False), Stamp(None, 8, True)], 3)),
        ("44 0c 09 00 00000007 00000000", ([Stamp(None, 7, True)], 0)),
        ("44 0c 05 03 0a000001 00000000", ([], 0)),
        ("44 04 05 f0", ([], 15)),
        ("07 07 04 00000000", None),
        ("44 03 05", None),
    ],
)
def test_stamps(raw: str, found: tuple[list[Stamp], int] | None) -> None:
    assert ipv4_options.stamps(bytes.fromhex(raw)) == found
