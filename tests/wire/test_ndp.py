"""Neighbor discovery: literals, round trips, and every check of RFC 4861 with its fault."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import icmpv6, ndp
from smolctl.wire.address import (
    ALL_NODES,
    IPV6_MARK,
    UNSPECIFIED6,
    mask,
    parse_address,
    parse_mac,
    solicited_node,
)
from smolctl.wire.fault import Fault6, WireFault
from smolctl.wire.icmpv6 import Icmpv6Message, Type
from smolctl.wire.ndp import (
    NO_OPTIONS,
    NeighborAdvertisement,
    NeighborSolicitation,
    Options,
    Preference,
    Prefix,
    Rdnss,
    Redirect,
    RouteInfo,
    RouterAdvertisement,
    RouterSolicitation,
)

SRC, DST = parse_address("fe80::1"), parse_address("fe80::2")
GLOBAL = parse_address("2001:db8::7")
MAC = parse_mac("02:00:00:00:00:0a")

booleans = st.booleans()
octets = st.integers(0, 255)
words = st.integers(0, 0xFFFF)
longs = st.integers(0, 0xFFFFFFFF)
addresses = st.integers(IPV6_MARK, 2 * IPV6_MARK - 1)
unicast = addresses.filter(lambda address: address >> 120 != 0x1FF)
macs = st.binary(min_size=6, max_size=6)
networks = st.tuples(addresses, st.integers(0, 128)).map(
    lambda pair: (IPV6_MARK | pair[0] & mask(pair[1], 128), pair[1])
)


def some(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(items, max_size=2).map(tuple)


@st.composite
def prefixes(draw: st.DrawFn) -> Prefix:
    prefix, plen = draw(networks)
    return Prefix(prefix, plen, draw(booleans), draw(booleans), draw(longs), draw(longs))


@st.composite
def routes(draw: st.DrawFn) -> RouteInfo:
    return RouteInfo(*draw(networks), draw(st.integers(0, 3)), draw(longs))


options = st.builds(
    Options,
    source=st.none() | macs,
    target=st.none() | macs,
    mtu=st.none() | longs,
    nonce=st.none() | st.binary(min_size=6, max_size=6) | st.binary(min_size=14, max_size=14),
    redirected=st.none() | st.binary(max_size=40).map(lambda data: data[: len(data) & ~7]),
    prefixes=some(prefixes()),
    routes=some(routes()),
    resolvers=some(st.builds(Rdnss, longs, st.lists(addresses, min_size=1, max_size=3).map(tuple))),
    others=some(st.tuples(st.sampled_from([0, 13, 31, 255]), st.binary(min_size=6, max_size=6))),
)
# What each says and where it may come from and go to.
cases = st.one_of(
    st.tuples(st.builds(RouterSolicitation, options), st.just(SRC), addresses),
    st.tuples(
        st.builds(
            RouterAdvertisement, octets, booleans, booleans, st.integers(0, 3), words, longs, longs,
            options,
        ),
        st.just(SRC),
        addresses,
    ),
    st.tuples(st.builds(NeighborSolicitation, unicast, options), st.just(SRC), addresses),
    st.tuples(
        st.builds(NeighborAdvertisement, booleans, booleans, booleans, unicast, options),
        addresses,
        unicast,
    ),
    st.tuples(
        st.builds(Redirect, st.just(DST), unicast, options)
        | unicast.flatmap(lambda to: st.builds(Redirect, st.just(to), st.just(to), options)),
        st.just(SRC),
        addresses,
    ),
)  # fmt: skip


def icmp(message: ndp.Message, src: int = SRC, dst: int = DST) -> Icmpv6Message:
    parsed = icmpv6.parse(message.to_bytes(src, dst), src, dst)
    assert isinstance(parsed, Icmpv6Message)
    return parsed


def parsed(message: Icmpv6Message, **change: Any) -> ndp.Message | WireFault:
    return ndp.parse(message, **{"src": SRC, "dst": DST, "hop_limit": 255, **change})


def fault_of(message: Icmpv6Message, **change: Any) -> WireFault:
    found = parsed(message, **change)
    assert isinstance(found, WireFault), found
    return found


NS = NeighborSolicitation(GLOBAL, Options(source=MAC))
NA = NeighborAdvertisement(False, True, True, GLOBAL, Options(target=MAC))
RA = RouterAdvertisement(64, True, False, Preference.HIGH, 1800, 30000, 1000)
REDIRECT = Redirect(DST, GLOBAL)
ALL = [RouterSolicitation(), RA, NS, NA, REDIRECT]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (RouterSolicitation(Options(source=MAC)), "8500 00000000 0101 02000000000a"),
        (NS, "8700 00000000 20010db8000000000000000000000007 0101 02000000000a"),
        (NA, "8800 60000000 20010db8000000000000000000000007 0201 02000000000a"),
        (RA._replace(options=Options(mtu=1400)),
         "8600 40 88 0708 00007530 000003e8 0501 0000 00000578"),
        (REDIRECT._replace(options=Options(redirected=b"12345678")),
         "8900 00000000 fe800000000000000000000000000002 20010db8000000000000000000000007"
         "0402 000000000000 3132333435363738"),
        (RA._replace(options=Options(prefixes=(
            Prefix(parse_address("2001:db8::"), 64, True, True, ndp.INFINITE, 600),))),
         "8600 40 88 0708 00007530 000003e8 0304 40 c0 ffffffff 00000258 00000000"
         "20010db8000000000000000000000000"),
        (RA._replace(options=Options(routes=(
            RouteInfo(parse_address("2001:db8::"), 32, Preference.LOW, 9),
            RouteInfo(UNSPECIFIED6, 0, Preference.HIGH, 9)))),
         "8600 40 88 0708 00007530 000003e8 1802 20 18 00000009 20010db800000000"
         "1801 00 08 00000009"),
        (RA._replace(options=Options(resolvers=(Rdnss(60, (GLOBAL,)),), nonce=b"nonce6")),
         "8600 40 88 0708 00007530 000003e8 1903 0000 0000003c 20010db8000000000000000000000007"
         "0e01 6e6f6e636536"),
    ],
)  # fmt: skip
def test_literals(message: ndp.Message, text: str) -> None:
    wire = message.to_bytes(SRC, DST)
    assert wire[:2] + wire[4:] == bytes.fromhex(text)
    assert parsed(icmp(message)) == message


@given(cases)
def test_round_trip(case: tuple[ndp.Message, int, int]) -> None:
    message, src, dst = case
    assert parsed(icmp(message, src, dst), src=src, dst=dst) == message


@given(
    st.sampled_from(sorted(ndp.TYPES)),
    st.sampled_from([0, 0, 0, 1]),
    longs,
    st.binary(max_size=100),
    st.sampled_from([SRC, GLOBAL, UNSPECIFIED6]),
    st.sampled_from([DST, ALL_NODES, solicited_node(GLOBAL)]),
)
def test_no_bytes_raise(kind: int, code: int, rest: int, body: bytes, src: int, dst: int) -> None:
    assert parsed(Icmpv6Message(kind, code, rest, body), src=src, dst=dst) is not None


# --- RFC 4861 6.1, 7.1, 8.1 -----------------------------------------------------------------------


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
class TestChecksOfAllTypes:
    def test_a_hop_limit_other_than_255(self, message: ndp.Message) -> None:
        found = fault_of(icmp(message), hop_limit=254)
        assert found == WireFault(Fault6.ND_BAD_HOP_LIMIT, 0, {"number": 254})

    def test_a_code_other_than_0(self, message: ndp.Message) -> None:
        found = fault_of(icmp(message)._replace(code=1))
        assert found == WireFault(Fault6.ND_BAD_CODE, 1, {"number": 1})

    def test_rfc6980_5_a_fragment_header(self, message: ndp.Message) -> None:
        assert fault_of(icmp(message), fragmented=True).fault is Fault6.ND_FRAGMENTED

    def test_too_short(self, message: ndp.Message) -> None:
        whole = icmp(message._replace(options=NO_OPTIONS))
        need = 8 + len(whole.body)
        if whole.body:
            found = fault_of(whole._replace(body=whole.body[:-1]))
            assert found == WireFault(Fault6.ND_TOO_SHORT, need - 1, {"a": need, "b": need - 1})
        assert parsed(whole) == message._replace(options=NO_OPTIONS)

    @pytest.mark.parametrize("before", [b"", Options(mtu=1500).to_bytes()])
    def test_an_option_of_length_zero(self, message: ndp.Message, before: bytes) -> None:
        whole = icmp(message._replace(options=NO_OPTIONS))
        found = fault_of(whole._replace(body=whole.body + before + b"\x0e\0" + bytes(6)))
        at = 8 + len(whole.body) + len(before)
        assert found == WireFault(Fault6.ND_OPTION_ZERO, at, {"number": 14})

    @pytest.mark.parametrize("option", ["0e02 000000000000", "0e", "0102" + 28 * "0", "02"])
    def test_an_option_of_a_length_that_cannot_be(self, message: ndp.Message, option: str) -> None:
        whole = icmp(message._replace(options=NO_OPTIONS))
        found = fault_of(whole._replace(body=whole.body + bytes.fromhex(option)))
        assert found.fault is Fault6.ND_OPTION_LENGTH
        assert found.offset == 8 + len(whole.body)


@pytest.mark.parametrize("message", [NS, NA])
def test_rfc4861_7_1_a_target_that_is_a_group(
    message: NeighborSolicitation | NeighborAdvertisement,
) -> None:
    found = fault_of(icmp(message._replace(target=ALL_NODES)))
    assert found == WireFault(Fault6.ND_TARGET_MULTICAST, 8, {})


def test_rfc4861_7_1_1_who_has_no_address_asks_the_group_and_tells_no_lladdr() -> None:
    group = solicited_node(GLOBAL)
    probe = icmp(NeighborSolicitation(GLOBAL, Options(nonce=b"nonce6")))
    assert isinstance(parsed(probe, src=UNSPECIFIED6, dst=group), NeighborSolicitation)
    for other in (GLOBAL, ALL_NODES):
        found = fault_of(probe, src=UNSPECIFIED6, dst=other)
        assert found == WireFault(Fault6.ND_DAD_TO_UNICAST, 8, {})
    found = fault_of(icmp(NS), src=UNSPECIFIED6, dst=group)
    assert found == WireFault(Fault6.ND_DAD_WITH_LLADDR, 24, {})


def test_rfc4861_6_1_1_who_has_no_address_tells_routers_no_lladdr() -> None:
    assert parsed(icmp(RouterSolicitation()), src=UNSPECIFIED6) == RouterSolicitation()
    found = fault_of(icmp(RouterSolicitation(Options(source=MAC))), src=UNSPECIFIED6)
    assert found == WireFault(Fault6.ND_DAD_WITH_LLADDR, 8, {})


def test_rfc4861_7_1_2_who_was_asked_does_not_answer_a_group() -> None:
    assert fault_of(icmp(NA), dst=ALL_NODES).fault is Fault6.ND_SOLICITED_TO_GROUP
    told = NA._replace(solicited=False)
    assert parsed(icmp(told), dst=ALL_NODES) == told


@pytest.mark.parametrize("src", [GLOBAL, UNSPECIFIED6, ALL_NODES])
def test_rfc4861_6_1_2_a_router_advertises_from_its_link_local_address(src: int) -> None:
    assert fault_of(icmp(RA), src=src).fault is Fault6.RA_NOT_LINK_LOCAL


def test_rfc4861_8_1_redirects() -> None:
    assert fault_of(icmp(REDIRECT), src=GLOBAL).fault is Fault6.REDIRECT6_SOURCE
    group = REDIRECT._replace(destination=ALL_NODES)
    assert fault_of(icmp(group)).fault is Fault6.REDIRECT6_GROUP
    away = REDIRECT._replace(target=GLOBAL + 1)
    assert fault_of(icmp(away)).fault is Fault6.REDIRECT6_TARGET
    on_link = REDIRECT._replace(target=GLOBAL)
    assert parsed(icmp(on_link)) == on_link


# --- options --------------------------------------------------------------------------------------


def test_of_options_that_make_sense_once_the_first_counts() -> None:
    twice = Options(mtu=1, source=MAC).to_bytes() + Options(mtu=2, source=bytes(6)).to_bytes()
    found = parsed(Icmpv6Message(Type.ROUTER_SOLICITATION, 0, 0, twice))
    assert found == RouterSolicitation(Options(mtu=1, source=MAC))


@pytest.mark.parametrize(
    "text",
    [
        "0303" + 44 * "0",
        "0304 81" + 58 * "0",
        "1801 01 00 00000000",
        "1802 41 00 00000000 0000000000000000",
        "1804" + 60 * "0",
        "1902 0000 00000000 0000000000000000",
        "1904" + 60 * "0",
    ],
    ids=[
        "prefix of 24 B", "prefix /129", "route /1 of 8 B", "route /65 of 16 B", "route of 32 B",
        "resolver of 16 B", "resolver of 32 B",
    ],
)  # fmt: skip
def test_rfc4861_4_6_an_option_that_is_not_that_of_its_type_is_ignored(text: str) -> None:
    data = bytes.fromhex(text)
    found = parsed(Icmpv6Message(Type.ROUTER_SOLICITATION, 0, 0, data))
    assert found == RouterSolicitation(Options(others=((data[0], data[2:]),)))


def test_rfc4861_4_6_2_bits_behind_a_prefix_are_ignored() -> None:
    dirty = Prefix(GLOBAL, 64, True, False, 1, 1), RouteInfo(GLOBAL, 33, 0, 1)
    sent = RA._replace(options=Options(prefixes=dirty[:1], routes=dirty[1:]))
    found = parsed(icmp(sent))
    assert isinstance(found, RouterAdvertisement)
    network = parse_address("2001:db8::")
    assert found.options.prefixes == (dirty[0]._replace(prefix=network),)
    assert found.options.routes == (dirty[1]._replace(prefix=network),)
