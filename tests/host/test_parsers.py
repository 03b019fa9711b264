"""Messages of rtnetlink and files of /proc: whatever they hold, nothing but a NetlinkError."""

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.device.netlink import NetlinkError
from smolctl.host import (
    addresses,
    groups,
    links,
    neighbors,
    nexthops,
    release,
    routes,
    rules,
    sockets,
)
from smolctl.host.values import address, text
from smolctl.wire.address import IPV6_MARK, parse_address
from tests.device.test_netlink import attribute
from tests.host.twin.hosts import route

PARSERS: dict[str, tuple[int, Callable[[bytes], Any]]] = {
    "address": (8, addresses.parse),
    "link": (16, links.parse),
    "neighbor": (12, neighbors.parse),
    "nexthop": (8, nexthops.parse),
    "route": (12, lambda data: next(routes.parse([data]))),
    "rule": (12, rules.parse),
    "socket": (72, lambda data: sockets.parse(data, sockets.UDP)),
}
TRIES = """
Basic info: size of leaf: 48 bytes, size of tnode: 40 bytes.
Main:
\tAver depth:     2.42
\tPrefixes:       {}
Local:
\tPrefixes:       9
"""
VALUES = st.one_of(st.binary(max_size=20), st.sampled_from([bytes(4), bytes(16), b"\xff" * 4]))
ATTRIBUTES = st.lists(st.tuples(st.integers(0, 40), VALUES), max_size=12)


@pytest.mark.parametrize("what", PARSERS)
@given(data=st.binary(max_size=120))
def test_no_bytes_raise(what: str, data: bytes) -> None:
    size, parse = PARSERS[what]
    if len(data) < size:
        with pytest.raises(NetlinkError, match=f"a message of {len(data)} bytes cannot be a"):
            parse(data)
    else:
        assert isinstance(parse(data), tuple)


@pytest.mark.parametrize("what", PARSERS)
@given(head=st.binary(min_size=72, max_size=72), told=ATTRIBUTES)
def test_no_attributes_raise(what: str, head: bytes, told: list[tuple[int, bytes]]) -> None:
    size, parse = PARSERS[what]
    # Nested ones, too: what each of them holds is read as attributes again.
    inner = b"".join(attribute(kind, value) for kind, value in told)
    data = head[:size] + inner + b"".join(attribute(kind, inner) for kind, _ in told)
    assert isinstance(parse(data), tuple)


@given(st.integers(0, 32), st.sampled_from([4, 16]), st.booleans(), st.binary(max_size=8))
def test_routes_that_are_alike_are_told_as_if_alone(
    plen: int, size: int, table_first: bool, rest: bytes
) -> None:
    family = 2 if size == 4 else 10
    messages = []
    for number in range(3):
        head = struct.pack("=BBBBBBBBI", family, plen + number, 0, 0, 254, 3, 0, 1, 0)
        table, dst = attribute(15, b"\7\0\0\0"), attribute(1, bytes([number] * size))
        parts = (table, dst) if table_first else (dst, table)
        messages.append(head + b"".join(parts) + attribute(4, b"\2\0\0\0") + attribute(6, rest))
    alone = [next(routes.parse([message])) for message in messages]
    assert list(routes.parse(messages)) == alone
    assert [route.dst & 0xFF for route in alone] == [0, 1, 2]


def test_a_gateway_of_the_other_family() -> None:
    head = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0)
    via = struct.pack("=H", 10) + bytes.fromhex("fe80") + bytes(13) + b"\1"
    route = next(routes.parse([head + attribute(18, via) + attribute(4, b"\3\0\0\0")]))
    assert route.hops == (routes.Hop(oif=3, gateway=parse_address("fe80::1")),)


def test_what_is_not_known_is_kept_as_numbers() -> None:
    head = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0)
    hop = struct.pack("=HBBi", 12, 1, 2, 3) + attribute(99, b"")
    route = next(routes.parse([head + attribute(77, b"") + attribute(9, hop)]))
    assert route.unknown == (77,)
    assert route.hops == (routes.Hop(3, None, weight=3, flags=routes.DEAD, unknown=(99,)),)


@pytest.mark.parametrize(
    "parse",
    [
        groups.parse_igmp,
        groups.parse_igmp6,
        groups.parse_dev_mcast,
        groups.parse_sources,
        groups.parse_anycast,
        lambda told: sockets.parse_proc(told, 2, sockets.UDP),
        lambda told: sockets.parse_proc(told, 10, sockets.UDP),
    ],
)
@given(
    told=st.lists(
        st.lists(st.sampled_from(["0", "7F", "-1", "x", "0100007F:0035", "f" * 32, "0x0a000001"]))
        .map(" ".join)
        .flatmap(lambda line: st.sampled_from([line, f"\t{line}"])),
        max_size=4,
    )
)
def test_no_lines_raise(parse: Callable[[list[str]], list[Any]], told: list[str]) -> None:
    assert isinstance(parse(told), list)


def test_sockets_of_proc() -> None:
    line = "  12: 0100007F:0035 00000000:0000 07 00000002:00000003 00:00000000 0 33 0 4242 2 0 0"
    (found,) = sockets.parse_proc([line], 2, sockets.UDP)
    assert (found.local, found.lport) == (parse_address("127.0.0.1"), 53)
    assert (found.state, found.uid, found.inode) == (sockets.CLOSE, 33, 4242)
    assert (found.waiting_in, found.waiting_out, found.oif) == (3, 2, None)


def test_groups_of_proc() -> None:
    (found,) = groups.parse_igmp(["2\teth0 : 1 V3", "\t\t\t\t010000E0     1 0:00000000\t\t0"])
    assert found == groups.Group(2, 2, parse_address("224.0.0.1"), b"", 1)
    (source,) = groups.parse_sources(["  2 eth0 0xe8010101 0x0a000001 1 0"])
    assert (source.group, source.source) == (parse_address("232.1.1.1"), parse_address("10.0.0.1"))


@given(st.binary(max_size=20))
def test_values(data: bytes) -> None:
    assert isinstance(text(data), str)
    found = address(data)
    assert (found is None) is (len(data) not in (4, 16))
    assert found is None or (found >= IPV6_MARK) is (len(data) == 16)


@pytest.mark.parametrize(
    ("said", "meant"),
    [("6.1.0-18-amd64", (6, 1)), ("5.15", (5, 15)), ("6.18.44-fc-v657", (6, 18)), ("x", (0, 0))],
)
def test_releases(said: str, meant: tuple[int, int]) -> None:
    assert release.parse(said) == meant


@pytest.mark.parametrize(
    ("counted", "split"), [("1", True), ("3", False), ("2", None), ("?", None), ("9", None)]
)
def test_the_routes_of_a_trie_tell_whether_it_has_both_tables(
    counted: str, split: bool | None
) -> None:
    there = [route("10.0.0.0/8"), route("10.0.0.1/32", table=255), route("10.0.0.2/32", table=255)]
    others = [route("10.0.0.0/8", table=100), route("2001:db8::/32")]
    assert routes.is_split(there + others, TRIES.format(counted).splitlines()) is split
    assert routes.is_split(there, []) is None
    assert routes.is_split(others, TRIES.format(0).splitlines()) is None
