"""Arguments that are addresses of either family, with and without zones."""

from typing import Any

import pytest

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.wire.address import IPV4, IPV6, Family, parse_address

ip = parse_address
NAMES = frozenset(["value", "other", "dev"])


def args(**values: Any) -> Args:
    return Args("test.op", values, NAMES | {"family"})


@pytest.mark.parametrize(
    ("family", "text", "said"),
    [
        ("inet6", "10.0.0.1", "is an IPv4 address, and an IPv6 address is needed"),
        ("inet", "::1", "is an IPv6 address, and an IPv4 address is needed"),
        ("inet6", "2001:db8::g", "'g' is not a group"),
        ("inet6", "1.2", "'1.2' is not an IPv6 address"),
        (None, "1:2:3", "'1:2:3' is not an IPv6 address"),
        (None, "10.1", "four numbers are needed"),
        (None, "fe80::1%tap0", "say: dev DEV"),
        (None, "10.0.0.1%tap0", "say: dev DEV"),
    ],
)
def test_another_address_is_refused(family: str | None, text: str, said: str) -> None:
    values = {"value": text, **({"family": family} if family else {})}
    with pytest.raises(InvalidArgument, match=said):
        args(**values).address("value")


@pytest.mark.parametrize("family", ["inet", "inet6", None])
def test_an_operation_of_ipv4_alone_has_no_other_addresses(family: str | None) -> None:
    values = {"value": "::1", **({"family": family} if family else {})}
    with pytest.raises(InvalidArgument, match=r"is about IPv4 alone|is an IPv6 address"):
        Args("test.op", values, NAMES).address("value")


@pytest.mark.parametrize("family", ["link", "", "INET", 6, None, ["inet"]])
def test_other_families_are_refused(family: object) -> None:
    with pytest.raises(InvalidArgument, match="family must be one of: inet, inet6"):
        args(family=family)


@pytest.mark.parametrize(
    ("text", "prefix", "network"),
    [
        ("2001:db8::/32", (ip("2001:db8::"), 32), (ip("2001:db8::"), 32)),
        ("::/0", (ip("::"), 0), (ip("::"), 0)),
        ("::1", (ip("::1"), None), (ip("::1"), 128)),
        ("10.0.0.1", (ip("10.0.0.1"), None), (ip("10.0.0.1"), 32)),
        ("default", (0, 0), (0, 0)),
    ],
)
def test_prefixes(text: str, prefix: tuple[int, int | None], network: tuple[int, int]) -> None:
    assert args(value=text).prefix("value") == prefix
    assert args(value=text).network("value") == network


def test_the_default_is_that_of_the_family() -> None:
    assert args(value="default", family="inet6").prefix("value") == (ip("::"), 0)
    assert args(value="default", family="inet").prefix("value") == (0, 0)


@pytest.mark.parametrize("text", ["::/129", "2001:db8::/0128", "::/x", "::/", "fe80::%tap0/64"])
def test_bad_prefixes(text: str) -> None:
    with pytest.raises(InvalidArgument, match="prefix"):
        args(value=text).prefix("value")


@pytest.mark.parametrize(
    ("values", "family"),
    [
        ({"value": "::1"}, IPV6),
        ({"value": "10.0.0.1"}, IPV4),
        ({"value": "default", "other": "fe80::1"}, IPV6),
        ({"value": "default", "other": "10.0.0.1"}, IPV4),
        ({"value": "default"}, None),
        ({}, None),
        ({"value": "default", "family": "inet6"}, IPV6),
        ({"value": "10.0.0.1", "family": "inet6"}, IPV6),
    ],
)
def test_the_family_follows_from_the_words(values: dict[str, str], family: Family | None) -> None:
    assert args(**values).infer("value", "other") is family
    assert args(**values).infer("value", "other", default=IPV4) is (family or IPV4)


def test_words_of_two_families_contradict() -> None:
    said = args(value="::1", other="10.0.0.1")
    said.infer("value", "other")
    with pytest.raises(InvalidArgument, match="an IPv6 address is needed"):
        said.address("other")


@pytest.mark.parametrize(
    ("text", "address", "dev"),
    [
        ("fe80::1%tap0", "fe80::1", "tap0"),
        ("ff02::1%tap0", "ff02::1", "tap0"),
        ("ff01::1%lo", "ff01::1", "lo"),
        ("fe80::1", "fe80::1", None),
        ("::1", "::1", None),
        ("10.0.0.1", "10.0.0.1", None),
    ],
)
def test_a_zone_is_an_interface(text: str, address: str, dev: str | None) -> None:
    assert args(value=text).zoned("value") == ip(address)
    assert args(value=text).device("value") == dev
    assert args(value=text, dev=dev or "tap1").device("value") == (dev or "tap1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2001:db8::1%tap0", "only link-local addresses and groups have a zone"),
        ("ff0e::1%tap0", "only link-local addresses and groups have a zone"),
        ("10.0.0.1%tap0", "only link-local addresses and groups have a zone"),
        ("fe80::1%", "an interface is needed behind %"),
        ("%tap0", "is not an IPv4 address"),
    ],
)
def test_odd_zones(text: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        args(value=text).zoned("value")


def test_a_zone_that_contradicts() -> None:
    with pytest.raises(InvalidArgument, match=r'"fe80::1%tap0" is not on tap1: its zone is tap0'):
        args(value="fe80::1%tap0", dev="tap1").device("value")
    with pytest.raises(InvalidArgument, match=r'"fe80::2%b" is not on a: its zone is b'):
        args(value="fe80::1%a", other="fe80::2%b").device("value", "other")
    assert args(value="fe80::1%a", other="fe80::2%a").device("value", "other") == "a"
