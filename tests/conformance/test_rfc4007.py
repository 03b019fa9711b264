"""RFC 4007, addresses of one link: zones in what is sent, heard, forwarded and written."""

import pytest

from smolctl.errors import SendRejected
from smolctl.wire.address import split_zone
from tests.kit.host import OTHER_MAC, PEER_MAC, ip, text
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    frame6_of,
    udp6_packet,
)
from tests.kit.routers import FAR6, Router6

SHARED = "fe80::5"
"""A neighbor's address on both links, of another neighbor on each."""


@pytest.fixture
def host() -> Host6:
    """Make a host with two links, which both have a neighbor at fe80::5."""
    host = Host6()
    host.link("tap1", OTHER_MAC)
    host.know(SHARED, PEER_MAC)
    host.know(SHARED, b"\2\0\0\0\0\x55", dev="tap1")
    return host


def test_rfc4007_6_one_address_in_two_zones_is_two_addresses(host: Host6) -> None:
    for dev, mac in (("tap0", PEER_MAC), ("tap1", b"\2\0\0\0\0\x55")):
        host.send(host.socket(0, "::", dev), SHARED)
        (sent,) = [each for each in host.sent6(dev) if each.protocol == 17]
        assert sent.dst == mac


def test_rfc4007_7_who_sends_says_the_zone_where_there_are_two(host: Host6) -> None:
    with pytest.raises(SendRejected):
        host.send(host.socket(0, "::"), SHARED)
    assert host.reasons() == {"tx-no-scope": 1}


def test_rfc4007_8_the_zone_of_what_comes_in_is_that_of_its_link(host: Host6) -> None:
    near, all_links = host.socket(7, "::", "tap0"), host.socket(8, "::")
    ours = text(host.dev("tap1").ipv6.addresses.items[0].local)
    for port in (7, 8):
        packet = udp6_packet(9, port, b"x", SHARED, ours)
        host.receive(frame6_of(packet, to=OTHER_MAC), dev="tap1")
    assert near.receive() is None
    datagram = all_links.receive()
    assert datagram is not None
    assert (text(datagram.src), datagram.dev) == (SHARED, "tap1")


@pytest.mark.parametrize(
    ("src", "dst"),
    [(PEER_LINK_LOCAL, FAR6), (PEER6, SHARED), (PEER_LINK_LOCAL, "2001:db8:7::1")],
)
def test_rfc4007_9_no_packet_leaves_the_zone_of_its_addresses(src: str, dst: str) -> None:
    router = Router6()
    router.route("::/0", "tap1", via=FAR6)
    router.know(SHARED, dev="tap1")
    router.receive(frame6_of(udp6_packet(9, 7, b"x", src, dst)))
    router.poll()
    assert [each for each in router.sent6("tap1") if each.protocol == 17] == []


def test_rfc4007_9_the_sender_is_told_that_it_is_beyond_the_scope_of_its_address() -> None:
    router = Router6()
    router.receive(frame6_of(udp6_packet(9, 7, b"x", PEER_LINK_LOCAL, FAR6)))
    (error,) = router.sent6()
    assert (error.icmp.type, error.icmp.code) == (1, 2)
    assert (text(error.ip.src), text(error.ip.dst)) == (OUR_LINK_LOCAL, PEER_LINK_LOCAL)


@pytest.mark.parametrize(
    ("written", "address", "zone"),
    [
        ("fe80::5%tap0", "fe80::5", "tap0"),
        ("fe80::5%tap0/64", "fe80::5/64", "tap0"),
        ("ff02::1%tap0", "ff02::1", "tap0"),
        ("fe80::5", "fe80::5", None),
    ],
)
def test_rfc4007_11_a_zone_stands_behind_its_address(
    written: str, address: str, zone: str | None
) -> None:
    assert split_zone(written) == (address, zone)
    assert ip(address.partition("/")[0])
