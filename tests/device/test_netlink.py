"""Netlink: attributes of any bytes, and dumps of this machine's own tables."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.device.netlink import Netlink, NetlinkError, attributes, each_attribute

GET_ROUTE, GET_LINK = 26, 18


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=20)), max_size=8))
def test_attributes_are_found_whatever_they_hold(wanted: list[tuple[int, bytes]]) -> None:
    data = b"".join(attribute(kind, value) for kind, value in wanted)
    assert list(each_attribute(data)) == wanted
    assert attributes(b"head" + data, 4) == dict(wanted)


@given(st.binary(max_size=80))
def test_any_bytes_have_some_attributes_or_none(data: bytes) -> None:
    assert attributes(data, 0) == dict(each_attribute(data))


def test_flags_are_no_part_of_a_type() -> None:
    assert attributes(attribute(0x8009, b"xy"), 0) == {9: b"xy"}


def test_the_kernel_tells_of_its_loopback() -> None:
    with Netlink() as kernel:
        links = kernel.dump(GET_LINK, struct.pack("=BxHiII", 0, 0, 0, 0, 0))
    assert any(attributes(link, 16).get(3) == b"lo\0" for link in links)


def test_a_refusal_is_an_error_in_words() -> None:
    with Netlink() as kernel, pytest.raises(NetlinkError, match="does not tell of its tables: "):
        kernel.dump(GET_ROUTE, b"\0")
