"""Failures that other stacks had with IPv6, each named after what is right; its report beside it.

The rest of those that are known are of DHCP, DNS and autoconfiguration, which this stack does not
do: a router advertisement, of which six reports are, changes nothing here.
"""

import pytest

from smolctl.errors import StackError
from smolctl.stack.ipv6.addresses import Address6
from smolctl.wire import icmpv6, ipv6_ext
from smolctl.wire.address import interface_id, link_local, multicast_mac
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ndp import (
    NeighborAdvertisement,
    NeighborSolicitation,
    Options,
    Preference,
    Prefix,
    RouteInfo,
    RouterAdvertisement,
)
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, OUR_MAC, PEER_MAC, Host, ip, text
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    Seen6,
    advertise,
    echo6_request,
    frame6_of,
    icmp6_packet,
    nd_frame,
    packet6_of,
    solicit,
    udp6_frame,
    udp6_packet,
)


@pytest.fixture
def host() -> Host6:
    """Make a host whose addresses are tested and in use."""
    made = Host6()
    made.wait(5 * SECOND_NS)
    made.take()
    return made


def discovery(host: Host6, dev: str = "tap0") -> list[Seen6]:
    """Return the solicitations and advertisements that leave."""
    kinds = (icmpv6.Type.NEIGHBOR_SOLICITATION, icmpv6.Type.NEIGHBOR_ADVERTISEMENT)
    seen = [each for each in host.sent6(dev) if each.protocol == NextHeader.ICMPV6]
    return [each for each in seen if each.icmp.type in kinds]


def questions(host: Host6, dev: str = "tap0") -> list[tuple[str, str]]:
    """Return source and target of the solicitations that leave."""
    found = [(each.ip.src, each.nd) for each in discovery(host, dev)]
    return [(text(src), text(nd.target)) for src, nd in found
            if isinstance(nd, NeighborSolicitation)]  # fmt: skip


# --- neighbor discovery ---------------------------------------------------------------------------


def test_the_destination_is_asked_for_not_the_source(host: Host6) -> None:
    """Failure of smoltcp (418)."""
    host.receive(udp6_frame(dport=99))  # the answer to a stranger needs the stranger's MAC
    assert questions(host) == [(OURS6, PEER6)]


def test_the_question_has_a_source_of_its_own_interface(host: Host6) -> None:
    """Failure of smoltcp (984)."""
    host.link("tap1")
    host.add("2001:db8:1::1/64", "tap1", dad=False)
    host.send(host.socket(7, "2001:db8:1::1"), PEER6)
    ((src, target),) = questions(host)
    assert target == PEER6
    assert src in (OURS6, OUR_LINK_LOCAL)


@pytest.mark.parametrize("forward", [0, 1], ids=["host", "router"])
def test_the_solicited_node_group_is_joined_by_hosts_and_routers(host: Host6, forward: int) -> None:
    """Failures of smoltcp (1012) and of RIOT (4353)."""
    host.set("ip6.forward", forward)
    host.add("2001:db8::77:1234/64", dad=False)
    for address in (OURS6, OUR_LINK_LOCAL, "2001:db8::77:1234"):
        host.take()
        host.receive(solicit(address))
        (answer,) = discovery(host)
        assert isinstance(answer.nd, NeighborAdvertisement)
        assert (text(answer.nd.target), answer.nd.router) == (address, bool(forward))


def test_foreign_traffic_before_there_is_an_address_harms_nothing() -> None:
    """Failure of smoltcp (932)."""
    bare = Host(bare=True)
    bare.settings.set("ip6.addr_gen_mode", "none")
    bare.settings.set("ip6.disable", "0")
    link = bare.link("tap1", OUR_MAC)
    assert link.ipv6.addresses.items == []
    frames = (echo6_request(), solicit(), udp6_frame(), advertise(), solicit(OURS6, "::"))
    for frame in frames:
        bare.receive(frame, dev="tap1")
    assert bare.reasons() == {
        "ip6-dst-not-ours": 3,
        "ip6-multicast-not-joined": 2,
        "tx-no-route": 3,  # of the errors
    }
    assert bare.take("tap1") == []


def test_ipv4_does_not_wait_for_ipv6() -> None:
    """Failure of smoltcp (1073)."""
    host = Host("10.0.0.1/24")  # a link on which IPv6 is off
    host.know()
    host.send(host.socket(7))
    (sent,) = host.sent()
    assert sent.udp[2] == b"hello"


@pytest.mark.parametrize("mac", [OUR_MAC, PEER_MAC], ids=["our_mac", "another_mac"])
def test_our_own_advertisement_that_comes_back_costs_nothing(host: Host6, mac: bytes) -> None:
    """Failure of lwIP (60)."""
    host.receive(solicit(OURS6))
    (own,) = [frame for frame in host.take() if frame[12:14] == b"\x86\xdd"]
    host.receive(mac.join((b"\x33\x33\x00\x00\x00\x01", own[12:])))
    (address,) = [each for each in host.tap.ipv6.addresses.items if text(each.local) == OURS6]
    assert not address.dadfailed
    host.receive(echo6_request(src=PEER6))
    host.receive(advertise(PEER6))
    assert [seen.icmp.type for seen in host.sent6() if seen.icmp.type == 129] == [129]


def test_another_hosts_traffic_costs_no_address(host: Host6) -> None:
    """Failure of ESP-IDF (5796)."""
    before = [text(item.local) for item in host.tap.ipv6.addresses.items]
    for frame in (
        solicit("2001:db8::99", "::"),
        advertise("2001:db8::99", "O", dst="ff02::1"),
        advertise(PEER6, "O", mac=OTHER_MAC, dst="ff02::1"),
        solicit(PEER6, "2001:db8::44", mac=OUR_MAC),
    ):
        host.receive(frame)
    host.wait(10 * SECOND_NS)
    assert [text(item.local) for item in host.tap.ipv6.addresses.items] == before
    assert not any(item.dadfailed for item in host.tap.ipv6.addresses.items)


@pytest.mark.parametrize("length", range(0, 24))
def test_no_malformed_solicitation_harms(host: Host6, length: int) -> None:
    """Failure of connectedhomeip (10160)."""
    good = NeighborSolicitation(ip(OURS6)).to_bytes(ip(PEER6), ip(OURS6))
    body = good[4:] + b"\x01\x00\x00\x00\x00\x00\x00\x00"  # and an option without a length
    cut = icmpv6.Icmpv6Message(135, 0, int.from_bytes(body[:4]), body[4:][:length])
    packet = packet6_of(58, cut.to_bytes(ip(PEER6), ip(OURS6)), hops=255)
    host.know(PEER6)
    before = sum(host.reasons().values())
    host.receive(frame6_of(packet))
    answered = [each for each in discovery(host) if isinstance(each.nd, NeighborAdvertisement)]
    # 16 bytes are the target and nothing else, which is a whole solicitation.
    assert len(answered) == (1 if length == 16 else 0)
    assert sum(host.reasons().values()) == before + (length != 16)


def test_the_unspecified_source_is_for_detection_and_reports(host: Host6) -> None:
    """Failure of FreeRTOS-Plus-TCP (1124)."""
    host.receive(solicit(OURS6, "::"))
    (answer,) = discovery(host)
    assert (text(answer.ip.dst), answer.dst) == ("ff02::1", multicast_mac(ip("ff02::1")))
    kinds = (icmpv6.Type.ECHO_REQUEST, icmpv6.Type.ECHO_REPLY, 1, 2, 3, 4, 100, 200)
    for kind in kinds:
        host.receive(
            frame6_of(icmp6_packet(kind, 0, 0, udp6_packet(7, 9, b"", OURS6, PEER6), "::"))
        )
    assert host.sent6() == []
    assert host.reasons() == {"ip6-src-unspecified": len(kinds)}


def test_no_group_message_from_beyond_the_link_is_believed(host: Host6) -> None:
    """Failure of gVisor (5490)."""
    rest = bytes(24)
    for hops, src in ((64, PEER_LINK_LOCAL), (1, PEER6), (1, "::")):
        query = icmp6_packet(130, 0, 0, rest[:20], src, "ff02::1", hops=hops)
        host.receive(frame6_of(query))
    host.wait(20 * SECOND_NS)
    assert [seen for seen in host.sent6() if seen.protocol == 58 and seen.icmp.type == 143] == []


# --- routers that advertise themselves ------------------------------------------------------------

PREFIX = Prefix(ip("2001:db8:5::"), 64, on_link=True, autonomous=True, valid_s=60, preferred_s=30)
ROUTES = Options(routes=(RouteInfo(ip("2001:db8:6::"), 48, Preference.RESERVED, 60),))


@pytest.mark.parametrize(
    ("lifetime_s", "options"),
    [
        pytest.param(0, Options(), id="a lifetime of 0"),
        pytest.param(1800, Options(prefixes=(PREFIX,)), id="a prefix"),
        pytest.param(
            1800, Options(prefixes=(PREFIX._replace(valid_s=0, preferred_s=0),)), id="a dead prefix"
        ),
        pytest.param(1800, ROUTES, id="a route of reserved preference"),
        pytest.param(1800, Options(mtu=1280), id="an MTU"),
    ],
)
def test_no_router_advertisement_changes_a_host_that_is_configured_by_hand(
    host: Host6, lifetime_s: int, options: Options
) -> None:
    """Failures of systemd-networkd (43205, 32652, 20357, 33470, 28449) and of radvd (91)."""
    host.route("::/0", "tap0", PEER_LINK_LOCAL)

    def known() -> tuple[object, ...]:
        items = [(item.local, item.deprecated) for item in host.tap.ipv6.addresses.items
                 if isinstance(item, Address6)]  # fmt: skip
        return items, [str(route) for route in host.stack.ipv6.fib], host.tap.mtu

    before = known()
    message = RouterAdvertisement(
        1, True, True, Preference.HIGH, lifetime_s, reachable_ms=1, retrans_ms=1, options=options
    )
    for _ in range(2):  # the same one again is no other
        host.receive(nd_frame(message, PEER_LINK_LOCAL, "ff02::1"))
        host.wait(61 * SECOND_NS)
    assert known() == before
    assert host.reasons() == {"ra-ignored": 2}
    assert host.sent6() == []


# --- sources --------------------------------------------------------------------------------------


def test_a_deprecated_source_loses_before_its_prefix_wins(host: Host6) -> None:
    """Failure of xarxa (15)."""
    host.add("2001:db8:0:1::1/64", dad=False)
    near = host.add("2001:db8::2:1/64", dad=False)
    assert isinstance(near, Address6)
    near.deprecated = True
    (old,) = [item for item in host.tap.ipv6.addresses.items if text(item.local) == OURS6]
    assert isinstance(old, Address6)
    old.deprecated = True
    # Rule 3 comes before rule 8, whose longest match would be 2001:db8::2:1.
    host.know("2001:db8::2:2")
    host.send(host.socket(local="::"), "2001:db8::2:2")
    (sent,) = host.sent6()
    assert text(sent.ip.src) == "2001:db8:0:1::1"


def test_a_short_match_is_enough_where_there_is_no_longer_one(host: Host6) -> None:
    """Failure of RIOT (12408)."""
    host.route("::/0", "tap0", PEER_LINK_LOCAL)
    host.know(PEER_LINK_LOCAL)
    host.send(host.socket(local="::"), "2600::1")  # 5 bits in common with our address
    (sent,) = host.sent6()
    assert text(sent.ip.src) == OURS6


def test_the_scope_is_kept(host: Host6) -> None:
    """Failure of iputils (252)."""
    host.link("tap1", OTHER_MAC)
    host.know(PEER_LINK_LOCAL, dev="tap1")
    socket = host.socket(local="::", dev="tap1")
    host.send(socket, PEER_LINK_LOCAL)
    assert host.sent6() == []
    (sent,) = [seen for seen in host.sent6("tap1") if seen.protocol == 17]
    assert sent.ip.src == link_local(interface_id(OTHER_MAC))


# --- headers and fragments ------------------------------------------------------------------------


@pytest.mark.parametrize("units", [31, 32, 64, 128, 160])
def test_headers_longer_than_255_bytes_are_passed(host: Host6, units: int) -> None:
    """Failure of Contiki-NG (867): a header of 32 units has 264 bytes, which no 8 bits count."""
    size = (units + 1) * 8
    padding = b"".join(b"\x1e" + bytes([200]) + bytes(200) for _ in range((size - 2) // 202))
    left = size - 2 - len(padding)
    padding += (b"\x1e" + bytes([left - 2]) + bytes(left - 2)) if left >= 2 else bytes(left)
    message = icmpv6.Icmpv6Message(128, 0, 7 << 16, b"abc").to_bytes(ip(PEER6), ip(OURS6))
    host.know(PEER6)
    host.receive(frame6_of(packet6_of(60, bytes([58, units]) + padding + message)))
    (answer,) = host.sent6()
    assert (answer.icmp.type, answer.icmp.body) == (129, b"abc")


def test_fragments_of_two_hosts_with_one_ident_make_two_datagrams(host: Host6) -> None:
    """Failure of NuttX (19597)."""
    other = "2001:db8::3"
    host.know(PEER6)
    host.know(other)
    parts = {}
    for src, filler in ((PEER6, b"p"), (other, b"o")):
        whole = udp6_packet(9, 7, filler * 24, src)[40:]
        parts[src] = [
            frame6_of(packet6_of(44, ipv6_ext.Fragment(17, at, at == 0, 77).to_bytes() + part, src))
            for at, part in ((0, whole[:16]), (16, whole[16:]))
        ]
    socket = host.socket(7, "::")
    host.receive(parts[PEER6][0], parts[other][0], parts[PEER6][1], parts[other][1])
    got = [(text(each.src), each.payload) for each in iter(socket.receive, None)]
    assert got == [(PEER6, b"p" * 24), (other, b"o" * 24)]


def test_idents_of_fragments_differ(host: Host6) -> None:
    """Failure of VPP (1358)."""
    host.know(PEER6)
    socket = host.socket(local="::")
    idents = set()
    for _ in range(5):
        host.send(socket, PEER6, payload=bytes(2000))
        chains = [seen.packet[40:48] for seen in host.sent6()]
        (ident,) = {chain[4:8] for chain in chains}
        idents.add(ident)
    assert len(idents) == 5


def test_our_own_probe_that_a_loop_brings_back_fails_no_address() -> None:
    host = Host6(dad=True)
    host.wait(5 * SECOND_NS)
    host.take()
    host.add("2001:db8::7/64")
    host.wait(SECOND_NS)
    probes = [frame for frame in host.take() if frame[54:55] == b"\x87"]
    assert probes
    for frame in probes:
        host.receive(frame)  # RFC 7527 4.2: it has our nonce
    host.wait(5 * SECOND_NS)
    (address,) = [each for each in host.tap.ipv6.addresses.items if each.local == ip("2001:db8::7")]
    assert (address.tentative, address.dadfailed) == (False, False)


# --- what else is put into IPv6 -------------------------------------------------------------------


def test_an_address_that_is_not_ipv6_is_refused(host: Host6) -> None:
    for odd in ("2001:db8::1/129", "ff02::5/64", "::/64", "::ffff:10.0.0.1/96"):
        with pytest.raises((StackError, ValueError)):
            host.add(odd)


def test_headers_that_chain_for_ever_end(host: Host6) -> None:
    # As many as a packet of the largest size holds: one bounded walk, one reason.
    chain = (bytes([60, 0, 1, 4, 0, 0, 0, 0])) * 8000
    host.receive(frame6_of(packet6_of(60, chain)))
    assert sum(host.reasons().values()) == 1
