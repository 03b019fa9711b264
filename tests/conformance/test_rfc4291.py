"""RFC 4291, addresses: those a node has, and what nobody may send from or to."""

import pytest

from smolctl.errors import SendRejected
from smolctl.stack.neighbor.states import State
from tests.kit.host6 import OUR_LINK_LOCAL, OURS6, PEER6, Host6, frame6_of, solicit, udp6_packet


@pytest.fixture
def host() -> Host6:
    host = Host6()
    host.know(PEER6, state=State.PERMANENT)
    return host


def arrives(host: Host6, src: str, dst: str, *, to: bytes | None = None) -> bool:
    """Return whether a datagram reaches a socket that hears all."""
    socket = host.socket(7, "::")
    host.receive(frame6_of(udp6_packet(src=src, dst=dst), to=to))
    return socket.receive() is not None


@pytest.mark.parametrize(
    ("src", "dst", "reason"),
    [
        (PEER6, "::", "ip6-dst-invalid"),
        ("::1", OURS6, "ip6-loopback-on-wire"),
        (PEER6, "::1", "ip6-loopback-on-wire"),
        ("ff02::1", OURS6, "ip6-src-multicast"),
        (PEER6, "ff00::1", "ip6-multicast-scope"),
        (PEER6, "ff01::1", "ip6-multicast-scope"),
    ],
)
def test_rfc4291_2_5_what_is_never_on_a_wire_is_dropped(
    host: Host6, src: str, dst: str, reason: str
) -> None:
    assert not arrives(host, src, dst)
    assert list(host.reasons()) == [reason]


def test_rfc4291_2_8_a_node_knows_itself_by_these(host: Host6) -> None:
    socket = host.socket(7, "::")
    for dst in (OURS6, OUR_LINK_LOCAL, "ff02::1"):
        host.receive(frame6_of(udp6_packet(src=PEER6 if dst == OURS6 else "fe80::2", dst=dst)))
        assert socket.receive() is not None, dst
    for address in (OURS6, OUR_LINK_LOCAL):
        host.receive(solicit(address))
    assert len(host.sent6()) == 2
    host.send(host.socket(70, "::"), "::1", 7)
    assert host.take() == []


def test_rfc4291_2_5_6_a_router_does_not_forward_what_is_link_local(host: Host6) -> None:
    host.link("tap1")
    host.add("2001:db8:1::1/64", dev="tap1")
    host.set("ip6.forward", 1)
    host.receive(frame6_of(udp6_packet(src="fe80::2", dst="2001:db8:1::2")))
    assert host.take("tap1") == []


def test_rfc4291_2_5_3_the_loopback_address_does_not_leave(host: Host6) -> None:
    with pytest.raises(SendRejected):
        host.send(host.socket(7, "::1"), PEER6)
    assert host.take() == []
