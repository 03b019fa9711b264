"""ICMPv6: literals, round trip, faults, the quoted packet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import icmpv6, udp
from smolctl.wire.address import IPV6_MARK, parse_address
from smolctl.wire.fault import Fault6, WireFault
from smolctl.wire.icmpv4 import Quote
from smolctl.wire.icmpv6 import Icmpv6Message, ParameterProblem, Type
from smolctl.wire.ipv6 import Ipv6Header, NextHeader
from smolctl.wire.ipv6_ext import Fragment, options_header

SRC, DST = parse_address("fe80::1"), parse_address("fe80::2")
# An echo request built by scapy: identifier 0x1234, sequence number 1, eight bytes of data.
ECHO = bytes.fromhex("8000 646b 1234 0001 0001020304050607")
MESSAGE = Icmpv6Message(Type.ECHO_REQUEST, 0, 0x12340001, bytes(range(8)))

octets = st.integers(0, 255)
addresses = st.integers(IPV6_MARK, 2 * IPV6_MARK - 1)


def quoted(first: int, payload: bytes) -> bytes:
    return Ipv6Header(0, 0, 1460, first, 1, SRC, DST).to_bytes() + payload


def test_parse_literal() -> None:
    message = icmpv6.parse(ECHO, SRC, DST)
    assert message == MESSAGE
    assert isinstance(message, Icmpv6Message)
    assert (message.ident, message.sequence) == (0x1234, 1)


def test_to_bytes_literal() -> None:
    assert MESSAGE.to_bytes(SRC, DST) == ECHO


def test_the_second_word_is_an_mtu_or_a_pointer() -> None:
    for message in (
        Icmpv6Message(Type.PACKET_TOO_BIG, 0, 0x10000, quoted(17, b"")),
        Icmpv6Message(Type.PARAMETER_PROBLEM, ParameterProblem.OPTION, 0x10000, b""),
    ):
        parsed = icmpv6.parse(message.to_bytes(SRC, DST), SRC, DST)
        assert parsed == message
        assert isinstance(parsed, Icmpv6Message)
        assert parsed.mtu == parsed.pointer == 0x10000


def test_an_error_with_the_longest_quote_fits_into_every_link() -> None:
    message = Icmpv6Message(Type.TIME_EXCEEDED, 0, 0, bytes(icmpv6.QUOTE_MAX))
    assert 40 + len(message.to_bytes(SRC, DST)) == 1280


@pytest.mark.parametrize("size", [0, 7])
def test_truncated(size: int) -> None:
    found = icmpv6.parse(ECHO[:size], SRC, DST)
    assert found == WireFault(Fault6.ICMP6_TRUNCATED, size, {"number": size})


def test_bad_checksum_says_what_it_should_be() -> None:
    message = ECHO[:2] + b"\0\1" + ECHO[4:]
    fault = WireFault(Fault6.ICMP6_BAD_CHECKSUM, 2, {"got": 1, "want": 0x646B})
    assert icmpv6.parse(message, SRC, DST) == fault


def test_rfc4443_2_3_the_checksum_covers_the_addresses() -> None:
    found = icmpv6.parse(ECHO, SRC, DST + 1)
    assert isinstance(found, WireFault)
    assert found.fault is Fault6.ICMP6_BAD_CHECKSUM


def test_rfc4443_2_1_errors_are_the_types_below_128() -> None:
    assert [number for number in range(256) if icmpv6.is_error(number)] == list(range(128))
    assert [icmpv6.is_error(known) for known in Type] == [True] * 4 + [False] * 11


@given(
    st.builds(Icmpv6Message, octets, octets, st.integers(0, 2**32 - 1), st.binary(max_size=99)),
    addresses,
    addresses,
)
def test_round_trip(message: Icmpv6Message, src: int, dst: int) -> None:
    assert icmpv6.parse(message.to_bytes(src, dst), src, dst) == message


@given(st.binary(max_size=80))
def test_no_bytes_raise(data: bytes) -> None:
    message = icmpv6.parse(data, SRC, DST)
    icmpv6.parse_quote(data)
    if isinstance(message, Icmpv6Message):
        # Two checksum values can be right (0 and 0xFFFF); all else is what was there.
        assert message.to_bytes(SRC, DST)[4:] == data[4:]


PORTS = Quote(17, SRC, DST, 1500, sport=1000, dport=2000)
DATAGRAM = udp.to_bytes(1000, 2000, b"x" * 40, SRC, DST)


def test_quote_of_udp_and_tcp() -> None:
    assert icmpv6.parse_quote(quoted(NextHeader.UDP, DATAGRAM)) == PORTS
    assert icmpv6.parse_quote(quoted(NextHeader.UDP, DATAGRAM[:4])) == PORTS
    segment = bytes.fromhex("03e8 07d0 12345678")
    expected = PORTS._replace(protocol=6, tcp_seq=0x12345678)
    assert icmpv6.parse_quote(quoted(NextHeader.TCP, segment)) == expected
    cut = icmpv6.parse_quote(quoted(NextHeader.TCP, segment[:7]))
    assert cut == expected._replace(tcp_seq=None)


def test_quote_behind_extension_headers() -> None:
    chain = options_header(60, [(5, bytes(2))]) + options_header(44, [])
    first = Fragment(NextHeader.UDP, 0, True, 7).to_bytes()
    assert icmpv6.parse_quote(quoted(0, chain + first + DATAGRAM)) == PORTS
    later = Fragment(NextHeader.UDP, 8, True, 7).to_bytes()
    found = icmpv6.parse_quote(quoted(0, chain + later + DATAGRAM))
    assert found == Quote(17, SRC, DST, 1500)
    assert icmpv6.parse_quote(quoted(0, chain[:12])) == Quote(60, SRC, DST, 1500)


def test_quote_of_echo() -> None:
    expected = Quote(58, SRC, DST, 1500, icmp_type=128, icmp_ident=0x1234, icmp_sequence=1)
    assert icmpv6.parse_quote(quoted(NextHeader.ICMPV6, ECHO)) == expected
    assert icmpv6.parse_quote(quoted(NextHeader.ICMPV6, ECHO[:8])) == expected


def test_quote_of_other_icmp_has_no_ident() -> None:
    quote = icmpv6.parse_quote(quoted(NextHeader.ICMPV6, b"\x87\0" + bytes(22)))
    assert quote == Quote(58, SRC, DST, 1500, icmp_type=135)


@pytest.mark.parametrize(
    ("number", "payload"), [(17, b""), (17, b"\1\2\3"), (58, ECHO[:7]), (2, ECHO)]
)
def test_quote_without_ports(number: int, payload: bytes) -> None:
    assert icmpv6.parse_quote(quoted(number, payload)) == Quote(number, SRC, DST, 1500)


def test_quote_without_a_header() -> None:
    assert icmpv6.parse_quote(quoted(17, b"")[:39]) is None
    assert icmpv6.parse_quote(b"") is None


@given(st.binary(max_size=60), st.sampled_from([0, 6, 17, 43, 44, 51, 58, 60]))
def test_no_quote_raises(tail: bytes, number: int) -> None:
    assert icmpv6.parse_quote(quoted(number, tail)) is not None
