"""Addresses: strict parsing, shortest text, and what numbers mean."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire.address import (
    IPV4,
    IPV6,
    LOOPBACK6,
    format_address,
    format_mac,
    is_class_e,
    is_limited_broadcast,
    is_loopback,
    is_multicast,
    is_zeronet,
    mask,
    multicast_mac,
    parse_address,
    parse_mac,
    parse_prefix,
)

addresses = st.integers(0, 2**32 - 1)


def test_family_of_ipv4() -> None:
    assert IPV4 == ("inet", 32, 4, 0)


@given(addresses)
def test_text_round_trip_equals_ipaddress(address: int) -> None:
    text = format_address(address)
    assert text == str(ipaddress.IPv4Address(address))
    assert parse_address(text) == address


BAD_ADDRESSES = [
    "",
    "10.1",
    "10.0.0",
    "10.0.0.0.1",
    "10.0.0.256",
    "10.0.0.01",
    "010.0.0.1",
    "10.0.0.-1",
    "10.0.0.+1",
    " 10.0.0.1",
    "10.0.0.1 ",
    "10.0.0.1\n",
    "10.0.0.",
    "10..0.1",
    "0x0a.0.0.1",
    "10.0.0.1e0",
    "10.0.0.1:80",
    "1.2.3.4::",
    "10.0.0.\u0661",
    "a" * 5000,
]


@pytest.mark.parametrize("text", BAD_ADDRESSES)
def test_bad_address_is_refused_in_one_line_that_shows_it(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IPv4 address") as error:
        parse_address(text)
    message = str(error.value)
    assert message.startswith(repr(text[:64])[:-1])
    assert "\n" not in message
    assert len(message) < 300


@pytest.mark.parametrize("name", ["localhost", "eth0", "www.example.org.", "my-host.a.b.example"])
def test_a_name_is_told_to_be_one(name: str) -> None:
    with pytest.raises(ValueError, match=f"^'{name}' is not an address, .* names are not looked"):
        parse_address(name)


def test_a_family_that_is_asked_for_is_the_only_one_taken() -> None:
    assert parse_address("::1", IPV6) == parse_address("::1") == LOOPBACK6
    assert parse_address("10.0.0.1", IPV4) == parse_address("10.0.0.1")
    for text in ("::1", "fe80::1%tap0"):
        with pytest.raises(ValueError, match=f"^'{text}' is an IPv6 address, and an IPv4 address"):
            parse_address(text, IPV4)
    with pytest.raises(ValueError, match=r"^'10.0.0.1' is an IPv4 address, and an IPv6"):
        parse_address("10.0.0.1", IPV6)
    with pytest.raises(ValueError, match="is an IPv6 address"):
        parse_prefix("::/0", IPV4)


@given(st.text(max_size=40))
def test_address_parse_raises_only_value_error(text: str) -> None:
    try:
        address = parse_address(text, IPV4)
    except ValueError:
        return
    assert format_address(address) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1/24", (0x0A000001, 24)),
        ("10.0.0.1", (0x0A000001, None)),
        ("0.0.0.0/0", (0, 0)),
        ("255.255.255.255/32", (0xFFFFFFFF, 32)),
    ],
)
def test_parse_prefix(text: str, expected: tuple[int, int | None]) -> None:
    assert parse_prefix(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/08",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/8 ",
        "10.0.0.0/8/8",
        "10.0.0.0/\u0668",
        "10.0.0.0/\u00b2",
        "10.0.0.0/255.0.0.0",
        "10.0.0.0/" + "9" * 6000,
        "10.1/8",
        "/8",
    ],
)
def test_bad_prefix_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"prefix length|is not an IPv4 address") as error:
        parse_prefix(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_prefix_length_limit_is_the_family_s() -> None:
    assert parse_prefix("10.0.0.0/32")[1] == 32
    with pytest.raises(ValueError, match=r"not in 0\.\.32"):
        parse_prefix("10.0.0.0/33")


@given(st.integers(0, 32))
def test_mask_equals_ipaddress(plen: int) -> None:
    assert mask(plen, 32) == int(ipaddress.ip_network(f"0.0.0.0/{plen}").netmask)


def test_mask_of_other_widths() -> None:
    assert mask(0, 128) == 0
    assert mask(64, 128) == 0xFFFFFFFFFFFFFFFF0000000000000000


@pytest.mark.parametrize(
    "text", ["02:00:00:00:00:0a", "02-00-00-00-00-0a", "02-00-00-00-00-0A", "02:00:00:00:00:0A"]
)
def test_parse_mac(text: str) -> None:
    assert parse_mac(text) == b"\x02\0\0\0\0\x0a"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2:0:0:0:0:a",
        "02:00:00:00:00",
        "02:00:00:00:00:00:0a",
        "02:00-00:00:00:0a",
        "02:00:00:00:00:0g",
        "02:00:00:00:00: a",
        "02:00:00:00:00:+a",
        "0200.0000.000a",
        "02000000000a",
        "02:00:00:00:00:0a\n",
    ],
)
def test_bad_mac_is_refused_in_one_line_that_shows_it(text: str) -> None:
    with pytest.raises(ValueError, match="is not a MAC address") as error:
        parse_mac(text)
    assert str(error.value).startswith(repr(text))
    assert "\n" not in str(error.value)


@given(st.binary(min_size=6, max_size=6))
def test_mac_round_trip(mac: bytes) -> None:
    assert parse_mac(format_mac(mac)) == mac
    assert len(format_mac(mac)) == 17


@pytest.mark.parametrize(
    ("group", "mac"),
    [
        ("224.0.0.1", "01:00:5e:00:00:01"),
        ("239.255.255.250", "01:00:5e:7f:ff:fa"),
        ("224.128.0.1", "01:00:5e:00:00:01"),
    ],
)
def test_rfc1112_6_4_multicast_mac(group: str, mac: str) -> None:
    assert format_mac(multicast_mac(parse_address(group))) == mac


KINDS = {
    "multicast": is_multicast,
    "loopback": is_loopback,
    "zeronet": is_zeronet,
    "limited_broadcast": is_limited_broadcast,
    "class_e": is_class_e,
}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("0.0.0.0", "zeronet"),
        ("0.255.255.255", "zeronet"),
        ("1.0.0.0", None),
        ("126.255.255.255", None),
        ("127.0.0.0", "loopback"),
        ("127.255.255.255", "loopback"),
        ("128.0.0.0", None),
        ("223.255.255.255", None),
        ("224.0.0.0", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.0", "class_e"),
        ("255.255.255.254", "class_e"),
        ("255.255.255.255", "limited_broadcast"),
    ],
)
def test_each_address_is_of_at_most_one_kind(text: str, kind: str | None) -> None:
    address = parse_address(text)
    assert [name for name, test in KINDS.items() if test(address)] == ([kind] if kind else [])
