"""ICMP: literals, round trip, faults, the quoted packet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import icmpv4, udp
from smolctl.wire.fault import Fault, WireFault
from smolctl.wire.icmpv4 import IcmpMessage, Quote, Type, Unreachable
from smolctl.wire.ipv4 import Ipv4Header, Protocol

# An echo request built by scapy: identifier 0x1234, sequence number 1, eight bytes of data.
ECHO = bytes.fromhex("0800 d9ba 1234 0001 0001020304050607")
MESSAGE = IcmpMessage(Type.ECHO_REQUEST, 0, 0x12340001, bytes(range(8)))

words = st.integers(0, 0xFFFF)
octets = st.integers(0, 255)


def quoted(protocol: int, payload: bytes, *, fragment_offset: int = 0) -> bytes:
    header = Ipv4Header(
        ihl=5,
        dscp_ecn=0,
        total_length=1500,
        ident=7,
        df=False,
        mf=False,
        fragment_offset=fragment_offset,
        ttl=1,
        protocol=protocol,
        src=0x0A000001,
        dst=0x0A000002,
    )
    return header.to_bytes() + payload


def test_parse_literal() -> None:
    message = icmpv4.parse(ECHO)
    assert message == MESSAGE
    assert isinstance(message, IcmpMessage)
    assert (message.ident, message.sequence) == (0x1234, 1)


def test_to_bytes_literal() -> None:
    assert MESSAGE.to_bytes() == ECHO


def test_frag_needed_carries_the_mtu() -> None:
    message = IcmpMessage(Type.DEST_UNREACHABLE, Unreachable.FRAG_NEEDED, 1400, quoted(17, b""))
    parsed = icmpv4.parse(message.to_bytes())
    assert isinstance(parsed, IcmpMessage)
    assert parsed.mtu == 1400


@pytest.mark.parametrize("size", [0, 7])
def test_truncated(size: int) -> None:
    fault = WireFault(Fault.ICMP_TRUNCATED, size, {"size": size, "cause": "header"})
    assert icmpv4.parse(ECHO[:size]) == fault


def test_bad_checksum_says_what_it_should_be() -> None:
    message = ECHO[:2] + b"\0\1" + ECHO[4:]
    fault = WireFault(Fault.ICMP_BAD_CHECKSUM, 2, {"got": 1, "want": 0xD9BA})
    assert icmpv4.parse(message) == fault


def test_rfc1122_3_2_2_five_types_are_errors() -> None:
    assert [number for number in range(256) if icmpv4.is_error(number)] == [3, 4, 5, 11, 12]


@given(st.builds(IcmpMessage, octets, octets, st.integers(0, 2**32 - 1), st.binary(max_size=99)))
def test_round_trip(message: IcmpMessage) -> None:
    assert icmpv4.parse(message.to_bytes()) == message


@given(st.binary(max_size=80))
def test_no_bytes_raise(data: bytes) -> None:
    message = icmpv4.parse(data)
    icmpv4.parse_quote(data)
    if isinstance(message, IcmpMessage):
        # Two checksum values can be right (0 and 0xFFFF); all else is what was there.
        assert message.to_bytes()[4:] == data[4:]


def test_quote_of_udp() -> None:
    datagram = udp.to_bytes(1000, 2000, b"x" * 40, 0x0A000001, 0x0A000002)
    expected = Quote(17, 0x0A000001, 0x0A000002, 1500, sport=1000, dport=2000)
    assert icmpv4.parse_quote(quoted(Protocol.UDP, datagram)) == expected
    assert icmpv4.parse_quote(quoted(Protocol.UDP, datagram[:8])) == expected


def test_quote_of_tcp_has_its_sequence_number() -> None:
    segment = bytes.fromhex("03e8 07d0 12345678")
    expected = Quote(6, 0x0A000001, 0x0A000002, 1500, sport=1000, dport=2000, tcp_seq=0x12345678)
    assert icmpv4.parse_quote(quoted(Protocol.TCP, segment)) == expected
    cut = icmpv4.parse_quote(quoted(Protocol.TCP, segment[:7]))
    assert cut == expected._replace(tcp_seq=None)


def test_quote_of_echo() -> None:
    quote = icmpv4.parse_quote(quoted(Protocol.ICMP, ECHO[:8]))
    expected = Quote(1, 0x0A000001, 0x0A000002, 1500)
    assert quote == expected._replace(icmp_type=8, icmp_ident=0x1234, icmp_sequence=1)


def test_quote_of_other_icmp_has_no_ident() -> None:
    quote = icmpv4.parse_quote(quoted(Protocol.ICMP, b"\x03\x01" + bytes(6)))
    assert quote == Quote(1, 0x0A000001, 0x0A000002, 1500, icmp_type=3)


@pytest.mark.parametrize(
    ("protocol", "payload", "offset"),
    [(17, b"", 0), (17, b"\1\2\3", 0), (17, bytes(8), 8), (1, ECHO[:7], 0), (2, bytes(8), 0)],
)
def test_quote_without_ports(protocol: int, payload: bytes, offset: int) -> None:
    quote = icmpv4.parse_quote(quoted(protocol, payload, fragment_offset=offset))
    assert quote == Quote(protocol, 0x0A000001, 0x0A000002, 1500)


def test_quote_without_a_header() -> None:
    assert icmpv4.parse_quote(quoted(17, b"")[:19]) is None
    assert icmpv4.parse_quote(b"") is None


@given(st.binary(max_size=60), st.sampled_from([1, 6, 17]), st.integers(0, 20))
def test_no_quote_raises(tail: bytes, protocol: int, keep: int) -> None:
    icmpv4.parse_quote(quoted(protocol, tail)[: 20 + keep])
    icmpv4.parse_quote(b"\x4f" + tail)
