"""RFC 6980: neighbor discovery is neither sent nor believed in fragments."""

import pytest

from smolctl.wire import ndp
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import Fragment
from smolctl.wire.ndp import Options
from tests.kit.host import PEER_MAC, ip
from tests.kit.host6 import (
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    frame6_of,
    packet6_of,
    udp6_frame,
)
from tests.kit.routers import Router6

OWN = Options(source=PEER_MAC)
MESSAGES: dict[str, ndp.Message] = {
    "solicitation": ndp.NeighborSolicitation(ip(OURS6), OWN),
    "advertisement": ndp.NeighborAdvertisement(
        False, False, True, ip(PEER6), Options(target=PEER_MAC)
    ),
    "router solicitation": ndp.RouterSolicitation(OWN),
    "router advertisement": ndp.RouterAdvertisement(64, False, False, 0, 1800, 0, 0, OWN),
    "redirect": ndp.Redirect(ip("fe80::9"), ip("2001:db8:9::1")),
}


@pytest.mark.parametrize("pieces", [1, 2], ids=["atomic", "in two fragments"])
@pytest.mark.parametrize("name", MESSAGES)
def test_rfc6980_5_a_message_with_a_fragment_header_is_ignored(name: str, pieces: int) -> None:
    host = Host6()
    message = MESSAGES[name]
    body = message.to_bytes(ip(PEER_LINK_LOCAL), ip(OURS6))
    cut = len(body) if pieces == 1 else 16
    for at in range(0, len(body), cut):
        part = body[at : at + cut]
        header = Fragment(NextHeader.ICMPV6, at, at + cut < len(body), 7).to_bytes()
        host.receive(
            frame6_of(
                packet6_of(NextHeader.FRAGMENT, header + part, PEER_LINK_LOCAL, OURS6, hops=255)
            )
        )
    assert host.reasons()["nd-fragmented"] == 1
    assert host.neighbor(PEER6) is host.neighbor(PEER_LINK_LOCAL) is None
    assert host.sent6() == []


@pytest.mark.parametrize("size", [8, 600, 1232])
def test_rfc6980_5_no_message_leaves_in_fragments(size: int) -> None:
    """The largest message that is sent is a redirect with much of the packet that caused it."""
    router = Router6()
    router.dev("tap0").mtu = 1280
    router.route("2001:db8:7::/48", "tap0", via="fe80::77")
    router.know("fe80::77", b"\2\0\0\0\0\x77")
    router.receive(udp6_frame(dst="2001:db8:7::1", payload=bytes(size)))
    redirects = [each for each in router.sent6() if each.protocol == NextHeader.ICMPV6]
    assert [type(each.nd) for each in redirects] == [ndp.Redirect]
    for each in redirects:
        assert each.ip.next_header == NextHeader.ICMPV6
        assert len(each.packet) <= 1280
