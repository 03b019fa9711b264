"""IPv6 addresses: strict parsing, canonical text, kinds, and one number that says its family."""

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import address
from smolctl.wire.address import (
    ALL_NODES,
    ALL_ROUTERS,
    IPV4,
    IPV6,
    IPV6_MARK,
    LOOPBACK6,
    UNSPECIFIED6,
    family_of,
    format_address,
    format_endpoint,
    format_mac,
    from_packed,
    interface_id,
    link_local,
    mapped,
    multicast_mac,
    multicast_scope,
    packed,
    parse_address,
    parse_mac,
    parse_prefix,
    solicited_node,
    split_zone,
    unmapped,
)

numbers = st.integers(0, 2**128 - 1)
# Groups that are often zero or short, so that :: and leading zeros are met.
groups = st.sampled_from([0, 0, 0, 1, 0xF, 0x10, 0xAB0, 0xABC, 0xABCD]) | st.integers(0, 0xFFFF)
sparse = st.lists(groups, min_size=8, max_size=8).map(
    lambda words: int.from_bytes(b"".join(word.to_bytes(2) for word in words))
)
either = st.integers(0, 2**32 - 1) | numbers.map(lambda number: IPV6_MARK | number)


def of(text: str) -> int:
    return IPV6_MARK | int(ipaddress.IPv6Address(text))


def test_family_of_ipv6() -> None:
    assert IPV6 == ("inet6", 128, 16, 1 << 128)


@given(either)
def test_an_address_says_its_family_and_is_one_in_bytes(number: int) -> None:
    family = family_of(number)
    assert family is (IPV6 if number >= IPV6_MARK else IPV4)
    assert family.mark <= number < family.mark + (1 << family.bits)
    data = packed(number)
    assert data == (number - family.mark).to_bytes(family.size)
    assert from_packed(data) == number


@pytest.mark.parametrize("size", [0, 3, 5, 15, 17])
def test_an_address_has_4_or_16_bytes(size: int) -> None:
    with pytest.raises(ValueError, match=f"not {size}"):
        from_packed(bytes(size))


@given(sparse | numbers)
def test_text_round_trip_equals_ipaddress(number: int) -> None:
    text = format_address(IPV6_MARK | number)
    if number >> 32 != 0xFFFF:  # the versions of ipaddress do not agree about these
        assert text == str(ipaddress.IPv6Address(number))
    assert parse_address(text) == IPV6_MARK | number
    assert parse_address(text.upper()) == IPV6_MARK | number
    assert parse_address(ipaddress.IPv6Address(number).exploded) == IPV6_MARK | number


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        # RFC 5952 1, 2, 4 and 5.
        ("2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:db8:aaaa:bbbb:cccc:dddd:eeee:0001", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1"),
        ("2001:DB8:0:0:0:0:2:1", "2001:db8::2:1"),
        ("2001:db8::0:1", "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("0:0:0:0:0:0:0:0", "::"),
        ("0::1", "::1"),
        ("1::0", "1::"),
        ("1:0:0:4:5:6:0:0", "1::4:5:6:0:0"),
        ("0:0:3:0:0:0:7:8", "0:0:3::7:8"),
        ("::ffff:c000:201", "::ffff:192.0.2.1"),
        ("0:0:0:0:0:FFFF:192.0.2.1", "::ffff:192.0.2.1"),
        ("::192.0.2.1", "::c000:201"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
    ],
)
def test_rfc5952_canonical_text(text: str, canonical: str) -> None:
    assert format_address(parse_address(text)) == canonical


BAD_ADDRESSES = [
    ":",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "1:2:3:4::5:6:7:8",
    "1::2::3",
    "1:::2",
    ":1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7:8:",
    "1:2:3:4:5:6:7:",
    ":1::",
    "1::2:",
    "12345::",
    "::g",
    "::0x1",
    "::+1",
    "::-1",
    ":: 1",
    "::1 ",
    " ::1",
    "::1\n",
    "::1_0",
    "::\u0661",
    "::1/64",
    "[::1]",
    "fe80::1%tap0",
    "::1.2.3",
    "::1.2.3.256",
    "::01.2.3.4",
    "::1.2.3.4:5",
    "1:2:3:4:5:6:7:1.2.3.4",
    "::" + "f" * 5000,
]


@pytest.mark.parametrize("text", BAD_ADDRESSES)
def test_bad_address_is_refused_in_one_line_that_shows_it(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IPv6 address") as error:
        parse_address(text)
    message = str(error.value)
    assert message.startswith(repr(text[:64])[:-1])
    assert "\n" not in message
    assert len(message) < 400
    with pytest.raises(ValueError, match=r".") as _:
        ipaddress.IPv6Address(text.replace("%", " "))


@given(st.text(alphabet="0123456789abcdefABCDEF:.:::%x +_", max_size=45) | st.text(max_size=40))
def test_an_address_is_what_ipaddress_takes_for_one(text: str) -> None:
    try:
        expected = of(text) if "%" not in text else None
    except ValueError:
        expected = None
    try:
        found = parse_address(text, IPV6)
    except ValueError:
        found = None
    assert found == expected


@pytest.mark.parametrize(
    ("text", "without", "zone"),
    [
        ("fe80::1%tap0", "fe80::1", "tap0"),
        ("fe80::1", "fe80::1", None),
        ("fe80::1%tap0/64", "fe80::1/64", "tap0"),
        ("fe80::/64", "fe80::/64", None),
        ("10.0.0.1%3", "10.0.0.1", "3"),
        ("fe80::1%a%b", "fe80::1", "a%b"),
        ("", "", None),
    ],
)
def test_a_zone_stands_beside_an_address(text: str, without: str, zone: str | None) -> None:
    assert split_zone(text) == (without, zone)


@pytest.mark.parametrize("text", ["fe80::1%", "fe80::1%/64", "%"])
def test_a_zone_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="an interface is needed behind %") as error:
        split_zone(text)
    assert str(error.value).startswith(repr(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("::/0", (UNSPECIFIED6, 0)),
        ("::1", (LOOPBACK6, None)),
        ("2001:db8::1/64", (of("2001:db8::1"), 64)),
        ("2001:db8::/128", (of("2001:db8::"), 128)),
        ("10.0.0.1/32", (0x0A000001, 32)),
    ],
)
def test_parse_prefix(text: str, expected: tuple[int, int | None]) -> None:
    assert parse_prefix(text) == expected


@pytest.mark.parametrize(
    "text", ["::/129", "::/08", "::/", "::/-1", "::/ffff::", "::g/64", "::/9999"]
)
def test_bad_prefix_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"prefix length|is not an IPv6 address") as error:
        parse_prefix(text)
    assert "\n" not in str(error.value)


def test_the_limit_of_a_length_is_that_of_the_address() -> None:
    with pytest.raises(ValueError, match=r"not in 0\.\.128"):
        parse_prefix("::/129")
    with pytest.raises(ValueError, match=r"not in 0\.\.32"):
        parse_prefix("10.0.0.0/64")


KINDS: dict[str, Callable[[ipaddress.IPv6Address], bool]] = {
    "multicast": lambda known: known.is_multicast,
    "loopback": lambda known: known.is_loopback,
    "link_local": lambda known: known.is_link_local,
    "unspecified": lambda known: known.is_unspecified,
    "mapped": lambda known: known.ipv4_mapped is not None,
    "unique_local": lambda known: known in ipaddress.IPv6Network("fc00::/7"),
    "solicited_node": lambda known: known in ipaddress.IPv6Network("ff02::1:ff00:0/104"),
    "zeronet": lambda known: False,
    "limited_broadcast": lambda known: False,
    "class_e": lambda known: False,
}
EDGES = [
    "::", "::1", "::2", "::ffff:0:0", "::ffff:ffff:ffff", "::fffe:ffff:ffff", "::1:0:0:0",
    "fe7f:ffff::", "fe80::", "febf:ffff::", "fec0::", "fbff::", "fc00::", "fdff:ffff::", "fe00::",
    "feff:ffff::", "ff00::", "ff02::1:ff00:0", "ff02::1:ffff:ffff", "ff02::1:feff:ffff",
    "ff02::2:0:0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::1", "::e000:1", "::7f00:1",
]  # fmt: skip


@given(st.sampled_from(EDGES).map(of) | numbers.map(lambda number: IPV6_MARK | number))
def test_kinds_equal_ipaddress(number: int) -> None:
    known = ipaddress.IPv6Address(number - IPV6_MARK)
    for name, is_kind in KINDS.items():
        assert getattr(address, f"is_{name}")(number) == is_kind(known), name


@given(st.integers(0, 2**32 - 1))
def test_no_ipv4_address_is_of_a_kind_that_only_ipv6_has(number: int) -> None:
    for name in ("mapped", "unique_local", "solicited_node"):
        assert not getattr(address, f"is_{name}")(number)
    known = ipaddress.IPv4Address(number)
    for name in ("multicast", "loopback", "link_local", "unspecified"):
        assert getattr(address, f"is_{name}")(number) == getattr(known, f"is_{name}")


@given(st.integers(0, 2**32 - 1))
def test_mapped_and_back(number: int) -> None:
    assert address.is_mapped(mapped(number))
    assert unmapped(mapped(number)) == number
    assert format_address(mapped(number)) == f"::ffff:{format_address(number)}"


def test_well_known_groups() -> None:
    assert (format_address(ALL_NODES), format_address(ALL_ROUTERS)) == ("ff02::1", "ff02::2")


@pytest.mark.parametrize(
    ("group", "mac"),
    [("ff02::1", "33:33:00:00:00:01"), ("ff0e::1234:5678:9abc", "33:33:56:78:9a:bc")],
)
def test_rfc2464_7_multicast_mac(group: str, mac: str) -> None:
    assert format_mac(multicast_mac(parse_address(group))) == mac


def test_rfc4291_2_7_1_solicited_node_address() -> None:
    group = solicited_node(parse_address("4037::01:800:200E:8C6C"))
    assert format_address(group) == "ff02::1:ff0e:8c6c"
    assert address.is_solicited_node(group)


@pytest.mark.parametrize(("group", "scope"), [("ff01::1", 1), ("ff02::1", 2), ("ff3e::1", 14)])
def test_rfc4291_2_7_scope(group: str, scope: int) -> None:
    assert multicast_scope(parse_address(group)) == scope


def test_rfc2464_4_interface_identifier() -> None:
    identifier = interface_id(parse_mac("34-56-78-9A-BC-DE"))
    assert identifier.to_bytes(8) == bytes.fromhex("365678FFFE9ABCDE")
    assert format_address(link_local(identifier)) == "fe80::3656:78ff:fe9a:bcde"


@pytest.mark.parametrize(
    ("address", "text"),
    [("10.0.0.2", "10.0.0.2:7"), ("2001:db8::2", "[2001:db8::2]:7"), ("::", "[::]:7"),
     ("::ffff:10.0.0.2", "[::ffff:10.0.0.2]:7")],
)  # fmt: skip
def test_a_port_stands_behind_brackets(address: str, text: str) -> None:
    # RFC 5952 6
    assert format_endpoint(parse_address(address), 7) == text
