"""Extension headers: literals, every fault with its pointer, bounds, and no bytes that raise."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import ipv6, ipv6_ext
from smolctl.wire.address import IPV6_MARK
from smolctl.wire.fault import Fault6, WireFault
from smolctl.wire.ipv6 import Ipv6Header, NextHeader
from smolctl.wire.ipv6_ext import (
    MLD_HEADER,
    PROBLEMS,
    Chain,
    ExtHeader,
    Fragment,
    Limits,
    Routing,
    UpperLayer,
    options_header,
    reassembled,
    upper_layer,
    walk,
)

SRC, DST = IPV6_MARK | 0xFE80 << 112 | 1, IPV6_MARK | 0xFE80 << 112 | 2
HBH, DEST, ROUTING, FRAGMENT = 0, 60, 43, 44
UDP = NextHeader.UDP


def packet_of(first: int, payload: bytes, **change: Any) -> bytes:
    header = Ipv6Header(0, 0, len(payload), first, 64, SRC, DST)
    return header._replace(**change).to_bytes() + payload


def walked(packet: bytes, limits: Limits = ipv6_ext.DEFAULT_LIMITS) -> Chain | WireFault:
    header = ipv6.parse(packet)
    assert isinstance(header, Ipv6Header)
    return walk(packet, header, limits)


def fault_of(first: int, payload: bytes, **change: Any) -> WireFault:
    found = walked(packet_of(first, payload, **change))
    assert isinstance(found, WireFault), found
    return found


def pad(next_header: int) -> bytes:
    return options_header(next_header, [])


def option(next_header: int, kind: int, data: bytes = b"") -> bytes:
    return options_header(next_header, [(kind, data)])


# --- chains ---------------------------------------------------------------------------------------


def test_a_packet_without_extension_headers() -> None:
    assert walked(packet_of(UDP, bytes(8)) + b"padding") == Chain(UDP, 40, 48, 6)


def test_a_chain_of_all_kinds_in_any_order() -> None:
    routing = Routing(DEST, 4, 0, bytes(20)).to_bytes()
    atomic = Fragment(UDP, 0, False, 7).to_bytes()
    payload = option(ROUTING, 5, b"\0\0") + routing + pad(FRAGMENT) + atomic
    chain = walked(packet_of(HBH, payload + bytes(8)))
    assert chain == Chain(
        UDP, 88, 96, 80,
        (ExtHeader(HBH, 40, 8), ExtHeader(ROUTING, 48, 24), ExtHeader(DEST, 72, 8),
         ExtHeader(FRAGMENT, 80, 8)),
        None, 0,
    )  # fmt: skip
    assert isinstance(chain, Chain)
    assert chain.has_fragment_header


def test_the_header_of_mld() -> None:
    assert bytes.fromhex("3a 00 0502 0000 0100") == MLD_HEADER
    chain = walked(packet_of(HBH, MLD_HEADER + bytes(8)))
    assert isinstance(chain, Chain)
    assert (chain.protocol, chain.alert) == (58, ipv6_ext.ALERT_MLD)
    assert not chain.has_fragment_header


@pytest.mark.parametrize("number", [6, 17, 50, 51, 58, 59, 135, 139, 140, 253])
def test_what_is_no_header_of_ours_ends_the_chain(number: int) -> None:
    chain = walked(packet_of(DEST, pad(number)))
    assert chain == Chain(number, 48, 48, 40, (ExtHeader(DEST, 40, 8),))


def test_unknown_options_are_skipped_when_they_say_so() -> None:
    payload = options_header(UDP, [(0x3E, b"abc"), (0x1F, b"")]) + bytes(8)
    assert isinstance(walked(packet_of(DEST, payload)), Chain)


# --- faults and their pointers --------------------------------------------------------------------


@pytest.mark.parametrize("first", [HBH, DEST, ROUTING, FRAGMENT])
@pytest.mark.parametrize("size", [1, 7])
def test_an_extension_header_that_is_cut(first: int, size: int) -> None:
    found = fault_of(first, bytes(size))
    assert found == WireFault(Fault6.IP6_EXTHDR_TRUNCATED, 40, {"number": size})


@pytest.mark.parametrize("first", [HBH, DEST, ROUTING])
def test_an_extension_header_longer_than_the_packet(first: int) -> None:
    found = fault_of(first, b"\x11\x02" + bytes(21))
    assert found == WireFault(Fault6.IP6_EXTHDR_TRUNCATED, 40, {"number": 23})


def test_rfc8200_4_1_hop_by_hop_options_come_first_or_not_at_all() -> None:
    found = fault_of(DEST, pad(HBH) + pad(UDP) + bytes(8))
    assert found == WireFault(Fault6.IP6_HOP_BY_HOP_LATE, 40, {"number": 1})
    assert fault_of(HBH, pad(HBH) + pad(UDP)).fault is Fault6.IP6_HOP_BY_HOP_LATE


@pytest.mark.parametrize("first", [HBH, DEST])
@pytest.mark.parametrize("kind", [0x40, 0x80, 0xC0, 0xC9])
def test_rfc8200_4_2_an_option_says_what_becomes_of_who_does_not_know_it(
    first: int, kind: int
) -> None:
    found = fault_of(first, options_header(UDP, [(0x1E, b"\1\2"), (kind, b"")]) + bytes(8))
    name = Fault6.IP6_OPTION_SKIP_NOT if kind == 0x40 else Fault6.IP6_OPTION_UNKNOWN
    assert found == WireFault(name, 46, {"number": kind, "action": kind >> 6})
    assert PROBLEMS.get(name) == (None if kind == 0x40 else 2)


@pytest.mark.parametrize(
    "payload",
    ["1100 3e05 00000000", "1100 0105 00000000", "1100 0000 0000 003e", "1100 3eff 00000000"],
)
def test_an_option_longer_than_its_header(payload: str) -> None:
    found = fault_of(DEST, bytes.fromhex(payload) + bytes(8))
    assert found.fault is Fault6.IP6_OPTION_OVERRUN


@pytest.mark.parametrize("size", [0, 1, 3])
def test_rfc2711_2_1_a_router_alert_has_two_bytes(size: int) -> None:
    found = fault_of(HBH, option(UDP, 5, bytes(size)) + bytes(8))
    assert (found.fault, found.offset) == (Fault6.IP6_OPTION_OVERRUN, 43)


def test_a_router_alert_is_no_destination_option() -> None:
    chain = walked(packet_of(DEST, option(UDP, 5, b"\0\0") + bytes(8)))
    assert isinstance(chain, Chain)
    assert chain.alert is None


def test_rfc8504_5_3_the_number_of_options_is_bounded() -> None:
    most = options_header(UDP, [(0x1E, b"")] * 8)
    assert isinstance(walked(packet_of(HBH, most)), Chain)
    found = fault_of(HBH, options_header(UDP, [(0x1E, b"")] * 9))
    limit: dict[str, int | str] = {"number": 8, "what": "hop-by-hop options"}
    assert found == WireFault(Fault6.IP6_OPTION_LIMIT, 58, limit)
    packet = packet_of(DEST, options_header(UDP, [(0x1E, b"")] * 9))
    assert isinstance(walked(packet, Limits(destination=9)), Chain)
    assert isinstance(walked(packet, Limits(destination=0)), WireFault)


def test_headers_do_not_chain_for_ever() -> None:
    found = fault_of(DEST, pad(DEST) * 8000)
    assert found == WireFault(
        Fault6.IP6_OPTION_LIMIT, 40 + 16 * 8, {"number": 16, "what": "extension headers"}
    )
    chain = walked(packet_of(DEST, pad(DEST) * 15 + pad(UDP)))
    assert isinstance(chain, Chain)
    assert len(chain.headers) == 16


@pytest.mark.parametrize(
    ("padding", "what"),
    [
        ("0104 00000001", "not zero"),
        ("0106 000000000000 0104 00000000", "too long"),
        ("00 0105 0000000000 0104 00000000 0000", "too long"),
        ("0000000000000000 3e02 0000 0000", "too long"),
    ],
)
def test_padding_that_is_none(padding: str, what: str) -> None:
    body = bytes.fromhex(padding)
    found = fault_of(DEST, bytes((UDP, (len(body) + 2) // 8)) + body + bytes(8))
    assert found.fault is Fault6.IP6_PADDING
    assert found.detail["what"] == what


def test_rfc8200_4_4_an_unknown_routing_type_is_passed_only_at_its_end() -> None:
    for kind in (0, 2, 4, 99):
        assert isinstance(walked(packet_of(ROUTING, Routing(UDP, kind, 0, b"").to_bytes())), Chain)
        found = fault_of(ROUTING, Routing(UDP, kind, 1, bytes(20)).to_bytes())
        assert found == WireFault(Fault6.IP6_ROUTING_TYPE, 42, {"number": kind})


def test_rfc2675_3_a_jumbo_payload_is_refused() -> None:
    jumbo = option(UDP, 0xC2, (65536).to_bytes(4))
    found = fault_of(HBH, jumbo + bytes(8), payload_length=0)
    assert found == WireFault(Fault6.IP6_JUMBO, 44, {"number": 65536})
    found = fault_of(HBH, jumbo + bytes(8))
    assert found == WireFault(Fault6.IP6_JUMBO, 42, {"number": 65536})
    found = fault_of(HBH, pad(UDP) + bytes(8), payload_length=0)
    assert found == WireFault(Fault6.IP6_JUMBO, 4, {"number": 0})
    assert fault_of(HBH, b"").fault is Fault6.IP6_EXTHDR_TRUNCATED
    assert fault_of(DEST, jumbo).fault is Fault6.IP6_OPTION_UNKNOWN


# --- fragments ------------------------------------------------------------------------------------


def piece(data: bytes, offset: int, *, mf: bool, inside: int = UDP) -> bytes:
    return Fragment(inside, offset, mf, 0xABCD1234).to_bytes() + data


def test_fragment_literal() -> None:
    data = bytes.fromhex("11 00 05a9 abcd1234")
    assert Fragment(UDP, 0x5A8, True, 0xABCD1234).to_bytes() == data
    chain = walked(packet_of(DEST, pad(FRAGMENT) + data + bytes(8)))
    headers = (ExtHeader(DEST, 40, 8), ExtHeader(FRAGMENT, 48, 8))
    assert chain == Chain(UDP, 56, 64, 48, headers, Fragment(UDP, 0x5A8, True, 0xABCD1234))


def test_a_later_fragment_is_not_looked_into() -> None:
    chain = walked(packet_of(FRAGMENT, piece(b"\xff" * 16, 8, mf=True, inside=HBH)))
    assert isinstance(chain, Chain)
    assert (chain.protocol, chain.offset) == (HBH, 48)


@pytest.mark.parametrize(("size", "mf"), [(0, True), (0, False), (1, True), (15, True)])
def test_rfc8200_4_5_a_length_that_no_fragment_has(size: int, mf: bool) -> None:
    found = fault_of(FRAGMENT, piece(bytes(size), 8, mf=mf))
    assert found == WireFault(Fault6.FRAG6_BAD_LENGTH, 4, {"number": size})
    assert PROBLEMS[found.fault] == 0


def test_rfc8200_4_1_no_hop_by_hop_header_is_in_fragments() -> None:
    found = fault_of(FRAGMENT, piece(pad(UDP) + bytes(8), 0, mf=True, inside=HBH))
    assert found == WireFault(Fault6.IP6_HOP_BY_HOP_LATE, 40, {"number": 1})


def test_rfc8200_4_5_a_fragment_that_makes_the_packet_too_big() -> None:
    payload = pad(FRAGMENT) + piece(bytes(8), 65520, mf=False)
    assert fault_of(DEST, payload) == WireFault(Fault6.FRAG6_TOO_BIG, 50, {"number": 65536})
    assert isinstance(
        walked(packet_of(DEST, pad(FRAGMENT) + piece(bytes(7), 65520, mf=False))), Chain
    )


@pytest.mark.parametrize(
    ("data", "inside"),
    [
        (bytes(16), NextHeader.TCP),
        (pad(UDP), DEST),
        (b"\x11\xff" + bytes(14), DEST),
        (pad(NextHeader.AUTHENTICATION) + b"\x11\x04" + bytes(6), DEST),
        (pad(HBH), DEST),
        (pad(NextHeader.ESP), DEST),
    ],
    ids=["tcp", "udp", "header cut", "authentication", "hop-by-hop", "esp"],
)
def test_rfc7112_5_the_first_fragment_has_all_headers(data: bytes, inside: int) -> None:
    found = fault_of(FRAGMENT, piece(data, 0, mf=True, inside=inside))
    assert found == WireFault(Fault6.FRAG6_HEADERS_MISSING, 0, {"number": len(data)})
    assert PROBLEMS[found.fault] == 3
    whole = data + bytes(2048 + 24)
    assert isinstance(walked(packet_of(FRAGMENT, piece(whole, 0, mf=True, inside=inside))), Chain)


def test_nothing_needs_no_header() -> None:
    found = walked(packet_of(FRAGMENT, piece(pad(NextHeader.NONE), 0, mf=True, inside=DEST)))
    assert isinstance(found, Chain)


def test_what_was_cut_is_put_together() -> None:
    data = bytes(range(64))
    for before in (b"", pad(FRAGMENT), pad(ROUTING) + Routing(FRAGMENT, 4, 0, b"").to_bytes()):
        first = (HBH if len(before) > 8 else DEST) if before else FRAGMENT
        packet = packet_of(first, before + piece(data[:16], 0, mf=True))
        chain = walked(packet)
        assert isinstance(chain, Chain)
        whole = reassembled(packet, chain, data)
        expected = before[:-8] + bytes([UDP]) + before[-7:] if before else b""
        assert whole == packet_of(first if before else UDP, expected + data)
        chain = walked(whole)
        assert isinstance(chain, Chain)
        assert (chain.protocol, whole[chain.offset :]) == (UDP, data)


# --- the upper layer, for everybody else ----------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "payload", "expected"),
    [
        (UDP, b"", UpperLayer(UDP, 40)),
        (DEST, pad(HBH) + pad(UDP), UpperLayer(UDP, 56)),
        (51, bytes((UDP, 4)) + bytes(22) + b"upper", UpperLayer(UDP, 64)),
        (135, bytes((139, 1)) + bytes(14) + pad(140) + pad(6), UpperLayer(6, 72)),
        (DEST, b"\x11\x09" + bytes(6), UpperLayer(UDP, 120)),
        (DEST, b"\x11\0\0\0\0\0\0", UpperLayer(DEST, 40)),
        (FRAGMENT, piece(b"", 0, mf=True), UpperLayer(UDP, 48, Fragment(UDP, 0, True, 0xABCD1234))),
        (
            FRAGMENT,
            piece(pad(6), 8, mf=True, inside=DEST),
            UpperLayer(DEST, 48, Fragment(DEST, 8, True, 0xABCD1234)),
        ),
    ],
)
def test_upper_layer(first: int, payload: bytes, expected: UpperLayer) -> None:
    assert upper_layer(packet_of(first, payload), first) == expected


# --- laws -----------------------------------------------------------------------------------------

kinds = st.sampled_from([HBH, DEST, ROUTING, FRAGMENT])
chunks = st.binary(min_size=8, max_size=24).map(lambda data: data[: len(data) & ~7])


@given(kinds, st.lists(st.tuples(kinds, chunks), max_size=6), st.binary(max_size=40))
def test_no_bytes_raise(first: int, parts: list[tuple[int, bytes]], tail: bytes) -> None:
    payload = b"".join(bytes((kind, len(data) // 8 - 1)) + data[2:] for kind, data in parts) + tail
    for length in (len(payload), 0):
        packet = packet_of(first, payload, payload_length=length)
        found = walked(packet)
        if isinstance(found, Chain):
            assert 40 <= found.offset <= found.end == 40 + length
            if found.protocol not in (51, 135, 139, 140):
                upper = upper_layer(packet, first)
                assert upper[:2] == (found.protocol, found.offset)
            for header in found.headers:
                assert header.offset % 8 == header.length % 8 == 0
        else:
            assert 0 <= found.offset <= len(packet)
    for size in range(0, len(payload), 5):
        upper_layer(packet_of(first, payload)[: 40 + size], first)


items = st.lists(st.tuples(st.integers(2, 255), st.binary(max_size=40)), max_size=8)


@given(items, st.integers(0, 255))
def test_options_round_trip(wanted: list[tuple[int, bytes]], next_header: int) -> None:
    data = options_header(next_header, wanted)
    assert len(data) % 8 == 0
    found = ipv6_ext.options(bytes(40) + data, 40, len(data), 8)
    assert not isinstance(found, WireFault)
    assert [(each.type, each.data) for each in found] == wanted
    for each in found:
        assert (bytes(40) + data)[each.offset] == each.type


def test_every_problem_has_a_code_of_rfc_4443_or_7112() -> None:
    assert set(PROBLEMS.values()) == {0, 1, 2, 3}
