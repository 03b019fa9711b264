"""Situations of a host of IPv6, for golden answers."""

from smolctl.wire import ndp
from smolctl.wire.ndp import Options
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, PEER_MAC, ip
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    advertise,
    frame6_of,
    icmp6_packet,
    nd_frame,
    udp6_packet,
)

FAR6, TESTED6 = "2001:db8:9::1", "2001:db8::5"
ROUTER6, OTHER_ROUTER6 = PEER_LINK_LOCAL, "fe80::99"


def nothing(_host: Host6) -> None:
    """Configure nothing."""


def knows_peer(host: Host6) -> None:
    host.know(PEER6)
    host.know(ROUTER6)


def default_route(host: Host6) -> None:
    knows_peer(host)
    host.route("::/0", "tap0", via=ROUTER6)


def asks_in_vain(host: Host6) -> None:
    host.send(host.socket(9, "::"), PEER6)
    host.wait(4 * SECOND_NS)


def asked_already(host: Host6) -> None:
    host.send(host.socket(9, "::"), PEER6)


def hears_a_router(host: Host6) -> None:
    host.know(ROUTER6)
    host.receive(advertise(ROUTER6, "RSO", dst=OUR_LINK_LOCAL))


def address_under_test(host: Host6) -> None:
    host.set("nd.accept_dad", 1)
    host.add(f"{TESTED6}/64")
    host.wait(SECOND_NS // 2)
    knows_peer(host)


def has_lost_an_address(host: Host6) -> None:
    address_under_test(host)
    host.receive(advertise(TESTED6, "O", dst="ff02::1"))
    host.poll()


def own_probe() -> bytes:
    """Return the test of an address that a host sends which draws 0.5 for each byte of a nonce."""
    probe = ndp.NeighborSolicitation(ip(TESTED6), Options(nonce=b"\x80" * 6))
    return nd_frame(probe, "::", "ff02::1:ff00:5", by=OTHER_MAC)


def two_links(host: Host6) -> None:
    host.link("tap1", OTHER_MAC)
    host.add("2001:db8:1::1/64", "tap1")
    host.know("2001:db8:1::2", PEER_MAC, dev="tap1")
    knows_peer(host)


def router(host: Host6) -> None:
    two_links(host)
    host.set("ip6.forward", 1)


def narrow_router(host: Host6) -> None:
    router(host)
    host.dev("tap1").mtu = 1400
    host.stack.generation.touch()


def sends_to_far(host: Host6) -> None:
    default_route(host)
    host.send(host.socket(7, "::"), FAR6, 9, bytes(1452))
    host.take()


def error(kind: int, code: int, rest: int = 0, offender: str = "2001:db8::ff") -> bytes:
    """Return an error about the datagram that ``sends_to_far`` has sent."""
    quote = udp6_packet(7, 9, bytes(1452), OURS6, FAR6)
    return frame6_of(icmp6_packet(kind, code, rest, quote[:1232], offender))


def believes_none(host: Host6) -> None:
    default_route(host)
    host.set("ip6.accept_redirects", 0)


def redirect(src: str = ROUTER6, target: str = OTHER_ROUTER6) -> bytes:
    return nd_frame(ndp.Redirect(ip(target), ip(FAR6), Options(target=OTHER_MAC)), src)


UNTESTED = f"smolctl addr replace {TESTED6}/64 dev tap0 nodad"
PEER_AT = "02:00:00:00:00:0b"
