"""scapy as an independent oracle for ICMPv6, neighbor discovery and MLD, both ways."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6MLDMultAddrRec,
    ICMPv6MLDone,
    ICMPv6MLQuery,
    ICMPv6MLQuery2,
    ICMPv6MLReport,
    ICMPv6MLReport2,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6ND_RS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptRedirectedHdr,
    ICMPv6NDOptRouteInfo,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPerror6,
    IPv6,
    UDPerror,
)
from scapy.packet import Raw

from smolctl.wire import icmpv6, mld, ndp
from smolctl.wire.address import IPV6_MARK, format_address, format_mac, mask, parse_address
from smolctl.wire.icmpv6 import Icmpv6Message
from smolctl.wire.ndp import Options, Prefix, Rdnss, RouteInfo

booleans = st.booleans()
octets = st.integers(0, 255)
words = st.integers(0, 0xFFFF)
longs = st.integers(0, 0xFFFFFFFF)
addresses = st.integers(IPV6_MARK, 2 * IPV6_MARK - 1)
unicast = addresses.filter(lambda address: address >> 120 != 0x1FF)
macs = st.binary(min_size=6, max_size=6)
shown = format_address
SRC, DST = parse_address("fe80::1"), parse_address("fe80::2")
CARRIER = IPv6(src="fe80::1", dst="fe80::2", hlim=255)


def theirs_of(layers: Any) -> bytes:
    """Return the ICMPv6 message that scapy makes, with its checksum."""
    return bytes(CARRIER / layers)[40:]


def parsed(message: bytes) -> Icmpv6Message:
    found = icmpv6.parse(message, SRC, DST)
    assert isinstance(found, Icmpv6Message), found
    return found


@given(words, words, st.binary(max_size=64), st.sampled_from([128, 129]))
def test_echo(ident: int, sequence: int, data: bytes, kind: int) -> None:
    layer = ICMPv6EchoRequest if kind == 128 else ICMPv6EchoReply
    theirs = theirs_of(layer(id=ident, seq=sequence, data=data))
    ours = Icmpv6Message(kind, 0, ident << 16 | sequence, data)
    assert ours.to_bytes(SRC, DST) == theirs
    assert parsed(theirs) == ours


@pytest.mark.parametrize(
    ("layer", "field", "kind"),
    [
        (ICMPv6DestUnreach, "", 1),
        (ICMPv6PacketTooBig, "mtu", 2),
        (ICMPv6TimeExceeded, "", 3),
        (ICMPv6ParamProblem, "ptr", 4),
    ],
)
@given(addresses, addresses, words, words, octets, longs)
def test_an_error_and_its_quote(
    layer: Any, field: str, kind: int, src: int, dst: int, sport: int, dport: int, code: int,
    word: int,
) -> None:  # fmt: skip
    carrier = IPv6(src=shown(src), dst=shown(dst))
    quoted = bytes(carrier / UDP(sport=sport, dport=dport) / Raw(b"x" * 8))
    rest = {field: word} if field else {}
    theirs = theirs_of(layer(code=code, **rest) / Raw(quoted))
    ours = Icmpv6Message(kind, code, word if field else 0, quoted)
    assert ours.to_bytes(SRC, DST) == theirs
    assert parsed(theirs) == ours
    seen = layer(ours.to_bytes(SRC, DST))
    assert parse_address(seen[IPerror6].src) == src
    quote = icmpv6.parse_quote(quoted)
    assert quote is not None
    assert (seen[UDPerror].sport, seen[UDPerror].dport) == (quote.sport, quote.dport)
    assert (quote.protocol, quote.src, quote.dst, quote.total_length) == (17, src, dst, 56)


@given(unicast, st.none() | macs)
def test_neighbor_solicitation(target: int, mac: bytes | None) -> None:
    layers = ICMPv6ND_NS(tgt=shown(target))
    if mac is not None:
        layers /= ICMPv6NDOptSrcLLAddr(lladdr=format_mac(mac))
    agree(ndp.NeighborSolicitation(target, Options(source=mac)), layers)


@given(booleans, booleans, booleans, unicast, macs)
def test_neighbor_advertisement(
    router: bool, solicited: bool, override: bool, target: int, mac: bytes
) -> None:
    layers = ICMPv6ND_NA(R=int(router), S=int(solicited), O=int(override), tgt=shown(target))
    layers /= ICMPv6NDOptDstLLAddr(lladdr=format_mac(mac))
    ours = ndp.NeighborAdvertisement(router, solicited, override, target, Options(target=mac))
    agree(ours, layers)


@given(macs)
def test_router_solicitation(mac: bytes) -> None:
    ours = ndp.RouterSolicitation(Options(source=mac))
    agree(ours, ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=format_mac(mac)))


@given(octets, booleans, booleans, st.integers(0, 3), words, longs, longs)
def test_router_advertisement(
    hop_limit: int, managed: bool, other: bool, preference: int, lifetime: int, reachable: int,
    retrans: int,
) -> None:  # fmt: skip
    layers = ICMPv6ND_RA(
        chlim=hop_limit, M=int(managed), O=int(other), prf=preference, routerlifetime=lifetime,
        reachabletime=reachable, retranstimer=retrans,
    )  # fmt: skip
    ours = ndp.RouterAdvertisement(
        hop_limit, managed, other, preference, lifetime, reachable, retrans
    )
    agree(ours, layers)


networks = st.tuples(addresses, st.integers(0, 128)).map(
    lambda pair: (IPV6_MARK | pair[0] & mask(pair[1], 128), pair[1])
)


@given(
    networks, booleans, booleans, longs, longs, longs, st.lists(addresses, min_size=1, max_size=3)
)
def test_options_of_a_router(
    network: tuple[int, int], on_link: bool, autonomous: bool, valid: int, preferred: int, mtu: int,
    servers: list[int],
) -> None:  # fmt: skip
    prefix, plen = network
    layers = ICMPv6ND_RA(chlim=0, prf=0, routerlifetime=0) / ICMPv6NDOptMTU(mtu=mtu)
    layers /= ICMPv6NDOptPrefixInfo(
        prefixlen=plen, L=int(on_link), A=int(autonomous), R=0, validlifetime=valid,
        preferredlifetime=preferred, prefix=shown(prefix),
    )  # fmt: skip
    # Left alone, scapy takes more units than the prefix needs.
    layers /= ICMPv6NDOptRouteInfo(
        len=1 + (plen + 63) // 64, plen=plen, prf=1, rtlifetime=valid, prefix=shown(prefix)
    )
    layers /= ICMPv6NDOptRDNSS(lifetime=preferred, dns=[shown(server) for server in servers])
    options = Options(
        mtu=mtu,
        prefixes=(Prefix(prefix, plen, on_link, autonomous, valid, preferred),),
        routes=(RouteInfo(prefix, plen, 1, valid),),
        resolvers=(Rdnss(preferred, tuple(servers)),),
    )
    agree(ndp.RouterAdvertisement(0, False, False, 0, 0, 0, 0, options), layers)


@given(unicast, st.integers(0, 5))
def test_redirect(destination: int, units: int) -> None:
    quoted = bytes(range(units * 8))
    layers = ICMPv6ND_Redirect(tgt="fe80::9", dst=shown(destination))
    layers /= ICMPv6NDOptRedirectedHdr(pkt=Raw(quoted))
    target = parse_address("fe80::9")
    agree(ndp.Redirect(target, destination, Options(redirected=quoted)), layers)


def agree(ours: ndp.Message, layers: Any) -> None:
    theirs = theirs_of(layers)
    assert ours.to_bytes(SRC, DST) == theirs
    assert ndp.parse(parsed(theirs), SRC, DST, 255) == ours


# --- MLD ------------------------------------------------------------------------------------------


def heard(message: bytes) -> Any:
    return mld.parse(parsed(message), SRC, 1, 0)


@given(addresses, words)
def test_mld_version_1(group: int, delay: int) -> None:
    for layer, ours in (
        (ICMPv6MLQuery(mladdr=shown(group), mrd=delay), mld.Query(1, group, delay)),
        (ICMPv6MLReport(mladdr=shown(group)), mld.Membership(131, group)),
        (ICMPv6MLDone(mladdr=shown(group)), mld.Membership(132, group)),
    ):
        theirs = theirs_of(layer)
        assert ours.to_bytes(SRC, DST) == theirs
        assert heard(theirs) == ours


sources = st.lists(addresses, max_size=4).map(tuple)


@given(words, addresses, sources, booleans, st.integers(0, 7), octets)
def test_mld_queries_of_version_2(
    code: int, group: int, asked: tuple[int, ...], suppress: bool, robustness: int, interval: int
) -> None:
    theirs = theirs_of(
        ICMPv6MLQuery2(
            mrd=code, mladdr=shown(group), S=int(suppress), QRV=robustness, QQIC=interval,
            sources=[shown(source) for source in asked],
        )
    )  # fmt: skip
    ours = mld.Query(2, group, code, asked, suppress, robustness, interval)
    assert ours.to_bytes(SRC, DST) == theirs
    assert heard(theirs) == ours


@given(st.lists(st.tuples(st.integers(1, 6), addresses, sources), max_size=4))
def test_mld_reports_of_version_2(records: list[tuple[int, int, tuple[int, ...]]]) -> None:
    theirs = theirs_of(
        ICMPv6MLReport2(
            records=[
                ICMPv6MLDMultAddrRec(rtype=kind, dst=shown(group), sources=list(map(shown, asked)))
                for kind, group, asked in records
            ]
        )
    )
    ours = mld.Report(tuple(mld.Record(*record) for record in records))
    assert ours.to_bytes(SRC, DST) == theirs
    assert heard(theirs) == ours
