"""The filter language: what it accepts, what it says of the rest, and the laws that hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import InvalidArgument
from smolctl.stack.explain import filter as packet_filter
from smolctl.stack.explain.filter import WORDS, parse
from smolctl.stack.explain.filter_match import FilteredPacket, meant
from smolctl.stack.trace.trace import Flow
from smolctl.wire import ipv4, udp
from smolctl.wire.address import format_address, parse_address
from smolctl.wire.arp import ArpPacket
from smolctl.wire.ethernet import EthernetHeader
from smolctl.wire.ipv4 import Ipv4Header

OURS, THEIRS = parse_address("10.0.0.1"), parse_address("10.0.0.2")
MAC = bytes(6)


def ip(protocol: int, payload: bytes, *, offset: int = 0, mf: bool = False) -> bytes:
    header = Ipv4Header(5, 0, 20 + len(payload), 1, False, mf, offset, 64, protocol, OURS, THEIRS)
    return header.to_bytes() + payload


def ether(ethertype: int, payload: bytes) -> bytes:
    return EthernetHeader(MAC, MAC, ethertype).to_bytes() + payload


DATAGRAM = ip(17, udp.to_bytes(1000, 7, b"hello", OURS, THEIRS))
UDP = FilteredPacket(ether(0x0800, DATAGRAM), dev="tap0")
LATER = FilteredPacket(ether(0x0800, ip(17, udp.to_bytes(1000, 7, b"", OURS, THEIRS), offset=8)))
FIRST = FilteredPacket(ether(0x0800, ip(17, udp.to_bytes(1000, 7, b"", OURS, THEIRS), mf=True)))
ARP = FilteredPacket(
    ether(0x0806, ArpPacket(1, MAC, OURS, MAC, THEIRS).to_bytes()), direction="out"
)
LOCAL = FilteredPacket(DATAGRAM, ethernet=False, direction="local", dev="lo")
DROPPED = UDP._replace(reason="udp-port-closed")


def matches(text: str, packet: FilteredPacket) -> bool:
    return parse(text).matches(packet)


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("", UDP),
        ("  ", ARP),
        ("udp", UDP),
        ("udp", LOCAL),
        ("ip", LOCAL),
        ("host 10.0.0.1", UDP),
        ("host 10.0.0.2", ARP),
        ("10.0.0.2", ARP),
        ("src 10.0.0.1", ARP),
        ("src host 10.0.0.1 and dst host 10.0.0.2", UDP),
        ("net 10.0.0.0/24", LOCAL),
        ("net 0.0.0.0/0", ARP),
        ("src and dst net 10.0.0.0/30", UDP),
        ("src or dst port 7", UDP),
        ("udp port 7", UDP),
        ("udp dst port 7", UDP),
        ("dport 7 and sport 1000", UDP),
        ("port 53 or 7", UDP),
        ("port (53 or 7)", UDP),
        ("proto 17", UDP),
        ("proto udp", UDP),
        (r"ip proto \udp", UDP),
        ("udp host 10.0.0.1", UDP),
        ("arp host 10.0.0.1", ARP),
        ("arp and 10.0.0.1", ARP),
        ("in", UDP),
        ("inbound", UDP),
        ("out", ARP),
        ("local", LOCAL),
        ("dev lo", LOCAL),
        ("reason udp-port-closed", DROPPED),
        ("reason any", DROPPED),
        ("!(reason any)&&udp||arp", UDP),
        ("not not udp", UDP),
        ("port 7", FIRST),
        ("udp", LATER),
    ],
)
def test_matches(text: str, packet: FilteredPacket) -> None:
    assert matches(text, packet)
    assert not matches(f"not ({text.strip() or 'ip or not ip'})", packet)


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("udp", ARP),
        ("ip", ARP),
        ("arp", LOCAL),
        ("icmp", UDP),
        ("dst 10.0.0.1", UDP),
        ("src and dst host 10.0.0.1", UDP),
        ("net 10.0.1.0/24", UDP),
        ("src port 7", UDP),
        ("tcp port 7", UDP),
        ("udp host 10.0.0.1", ARP),
        ("port 7", ARP),
        ("in or out", LOCAL),
        ("dev tap1", UDP),
        ("reason any", UDP),
        ("reason udp-rcvbuf-full", DROPPED),
        ("port 7", LATER),  # RFC 791 3.2: only the first fragment has the ports
    ],
)
def test_does_not_match(text: str, packet: FilteredPacket) -> None:
    assert not matches(text, packet)


def test_and_and_or_bind_equally_from_the_left() -> None:
    assert matches("udp or arp and not udp", UDP) is False  # (udp or arp) and not udp
    assert matches("arp and udp or udp", UDP) is True
    assert matches("udp or (arp and not udp)", UDP) is True


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("udp prot 53", '"prot" is not a word of a filter', 'did you mean "proto"?'),
        ("hots 10.0.0.1", '"hots" is not a word of a filter', 'did you mean "host"?'),
        ("ether", '"ether" is not a word of a filter', None),
        ("host", 'an address is missing after "host"', None),
        ("(port)", 'a port is missing before ")"', None),
        ("src net and udp", 'a network is missing before "and"', None),
        ("port domain", '"domain" is not a port: a number in 0..65535 is needed', None),
        ("port 65536", '"65536" is not a port: a number in 0..65535 is needed', None),
        ("port \u0665", '"\u0665" is not a port: a number in 0..65535 is needed', None),
        ("proto 256", '"256" is not a protocol: a number in 0..255 is needed', None),
        (
            "net 10.0.0.5/24",
            '"10.0.0.5/24" has host bits set',
            "net 10.0.0.0/24",
        ),
        ("host 10.0.0.0/24", '"10.0.0.0/24" is a network, not a host', "net 10.0.0.0/24"),
        (
            "host 10.1",
            "'10.1' is not an IPv4 address: four numbers are needed, as in 10.0.0.1",
            None,
        ),
        ("udp and", 'something to look for is missing after "and"', None),
        ("or udp", 'something to look for is missing before "or"', None),
        ("()", 'something to look for is missing before ")"', None),
        ("udp arp", '"and" or "or" is missing before "arp"', None),
        ("udp (port 53)", '"and" or "or" is missing before "("', None),
        ("(udp", '")" is missing after "udp"', None),
        ("udp)", '")" has no "(" before it', None),
        ("arp port 7", 'arp has no ports: "arp port"', None),
        ("udp proto 7", 'udp carries no protocol: "udp proto"', None),
        ("src proto 7", 'a protocol has no direction: "src proto"', None),
        ("reason", 'a reason\'s name or "any" is missing after "reason"', None),
        ("dev (x)", 'an interface\'s name is missing after "dev"', None),
        (
            "reason udp-port-close",
            '"udp-port-close" is not a reason',
            'did you mean "udp-port-closed"?',
        ),
        ("a\nb", '"a" is not a word of a filter', None),
        ("\x1b[31m", '"?[31m" is not a word of a filter', None),
        ("(" * 60, "more than 50 parentheses are open at once", None),
        ("x" * 5000, "5000 characters are too many, 4096 are allowed", None),
    ],
)
def test_a_fault_names_the_word(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse(text)
    assert (caught.value.message, caught.value.hint) == (f"filter: {message}", hint)


def test_the_longest_filters_are_evaluated_without_recursion() -> None:
    assert matches(" or ".join(["ip"] * 600), UDP)
    assert matches("not " * 1000 + "ip", UDP)
    assert matches("(" * 50 + "ip" + ")" * 50, UDP)


# --- laws -----------------------------------------------------------------------------------------
values = st.sampled_from(["10.0.0.1", "10.0.0.0/24", "7", "53", "udp-port-closed", "any", "lo", ""])
terms = st.sampled_from(
    [
        "udp", "arp", "icmp", "ip", "ip6", "tcp", "host 10.0.0.1", "src 10.0.0.2", "port 7",
        "udp dst port 7", "net 10.0.0.0/8", "in", "out", "local", "dev lo", "reason any",
        "proto 17", "src and dst port 7",
    ]
)  # fmt: skip
frames = st.one_of(
    st.binary(max_size=80),
    st.sampled_from([UDP.frame, ARP.frame, DATAGRAM, LATER.frame]),
    st.builds(
        lambda frame, at, data: frame[:at] + data + frame[at + len(data) :],
        st.sampled_from([UDP.frame, ARP.frame, DATAGRAM]),
        st.integers(0, 50),
        st.binary(max_size=4),
    ),
    st.builds(lambda frame, end: frame[:end], st.just(UDP.frame), st.integers(0, 60)),
)
packets = st.builds(
    FilteredPacket,
    frames,
    st.booleans(),
    st.sampled_from(["in", "out", "local"]),
    st.sampled_from(["lo", "tap0"]),
    st.sampled_from([None, "udp-port-closed"]),
)


@given(terms, terms, packets)
def test_de_morgan(a: str, b: str, packet: FilteredPacket) -> None:
    assert matches(f"not ({a} and {b})", packet) == matches(f"(not {a}) or (not {b})", packet)
    assert matches(f"not ({a} or {b})", packet) == matches(f"(not {a}) and (not {b})", packet)
    assert matches(f"{a} and {b}", packet) == (matches(a, packet) and matches(b, packet))
    assert matches(f"{a} or {b}", packet) == (matches(a, packet) or matches(b, packet))


@given(terms, terms, terms, st.sampled_from(["and", "or"]), st.sampled_from(["and", "or"]), packets)
def test_joined_from_the_left(
    a: str, b: str, c: str, first: str, second: str, packet: FilteredPacket
) -> None:
    plain, grouped = f"{a} {first} {b} {second} {c}", f"({a} {first} {b}) {second} {c}"
    assert matches(plain, packet) == matches(grouped, packet)


words = st.one_of(st.sampled_from([*WORDS, "(", ")", "!", "&&", "||", r"\udp"]), values)


@given(st.one_of(st.text(max_size=40), st.lists(words, max_size=12).map(" ".join)), packets)
def test_any_text_is_a_filter_or_an_error_of_one_line(text: str, packet: FilteredPacket) -> None:
    try:
        found = parse(text)
    except InvalidArgument as error:
        said = error.message
        assert said.startswith("filter: ")
        assert "\n" not in said
    else:
        assert found.matches(packet) in (True, False)


def test_every_word_is_understood() -> None:
    for word in WORDS:
        with pytest.raises(InvalidArgument) as caught:
            parse(f"{word} {word} {word} {word}")
        assert "not a word of a filter" not in caught.value.message


def test_the_grammar_that_is_printed_names_every_word() -> None:
    text = packet_filter.__doc__ or ""
    assert all(word in text for word in WORDS)


def test_protocol_numbers_are_those_of_ipv4() -> None:
    assert matches("icmp", UDP._replace(frame=ether(0x0800, ip(ipv4.Protocol.ICMP, b""))))


# --- what was refused before it was built ---------------------------------------------------------

ports = st.integers(0, 65535)
addresses = st.integers(0, 2**32 - 1)


@given(st.none() | addresses, ports, addresses, ports, st.integers(0, 65535))
def test_a_datagram_that_was_refused_is_found_by_what_it_was_meant_to_be(
    src: int | None, sport: int, dst: int, dport: int, length: int
) -> None:
    frame, linked = meant(Flow("udp", src, sport, dst, dport, length))
    packet = FilteredPacket(frame, linked, "out", "", "tx-no-route")
    ends = f"src {format_address(src or 0)} and dst {format_address(dst)}"
    assert matches(f"udp and sport {sport} and dport {dport} and {ends}", packet)
    assert matches("out and reason tx-no-route and not (arp or icmp or in)", packet)


@given(st.none() | addresses, addresses, st.integers(0, 255))
def test_an_echo_or_arp_request_that_was_refused_is_found_too(
    src: int | None, dst: int, kind: int
) -> None:
    ends = f"src {format_address(src or 0)} and dst {format_address(dst)}"
    for proto, other in (("icmp", "arp"), ("arp", "icmp")):
        packet = FilteredPacket(*meant(Flow(proto, src, kind, dst, 0, 56)))
        assert matches(f"{proto} and not {other} and {ends}", packet)
        assert not matches("udp or tcp or port 0", packet)
