"""UDP over IPv6: sockets of one family and of both, scopes, and errors that come back."""

import pytest

from smolctl.errors import (
    AddressInUse,
    AddressNotAvailable,
    InvalidArgument,
    SendRejected,
)
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import icmpv6, udp
from smolctl.wire.address import IPV4, IPV6, Family
from tests.kit.host import PEER_MAC, Host, ip, text, udp_frame
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    frame6_of,
    icmp6_packet,
    packet6_of,
    udp6_frame,
)


@pytest.fixture
def host() -> Host6:
    host = Host6()
    host.add("10.0.0.1/24")
    host.know("10.0.0.2")
    host.know(PEER6)
    host.know(PEER_LINK_LOCAL)
    return host


def opened(
    host: Host, family: Family, local: str | None, port: int = 7, *, v6only: bool = False
) -> UdpSocket:
    socket = host.stack.udp.open("test", family)
    socket.v6only = v6only
    host.stack.udp.bind(socket, None if local is None else ip(local), port)
    return socket


# --- there and back -------------------------------------------------------------------------------


def test_a_datagram_leaves_and_its_answer_comes_in(host: Host6) -> None:
    socket = host.socket(7, "::")
    host.send(socket, PEER6, 9, b"hello")
    (sent,) = host.sent6()
    assert (text(sent.ip.src), sent.ip.hop_limit, sent.udp) == (OURS6, 64, (7, 9, b"hello"))
    host.receive(udp6_frame(9, 7, b"world"))
    datagram = socket.receive()
    assert datagram is not None
    assert (datagram.payload, text(datagram.src), text(datagram.dst), datagram.dev) == (
        b"world", PEER6, OURS6, "tap0",
    )  # fmt: skip


def test_a_datagram_to_ourselves_stays_inside(host: Host6) -> None:
    socket = host.socket(7, "::")
    for dst, dev in (("::1", "lo"), (OURS6, "tap0")):
        host.send(socket, dst, 7)
        host.poll()
        datagram = socket.receive()
        assert datagram is not None
        assert (text(datagram.src), datagram.dev) == (dst, dev)
    assert host.take() == []


def test_a_datagram_to_our_link_local_address_comes_in_by_its_link(host: Host6) -> None:
    socket = host.socket(7, "::", dev="tap0")
    host.send(socket, OUR_LINK_LOCAL, 7)
    host.poll()
    datagram = socket.receive()
    assert datagram is not None
    assert (text(datagram.src), datagram.dev) == (OUR_LINK_LOCAL, "tap0")
    assert host.take() == []


def test_the_checksum_must_be_there(host: Host6) -> None:
    host.socket(7, "::")
    host.receive(frame6_of(packet6_of(17, b"\0\7\0\7\0\x08\0\0")))
    assert host.reasons() == {"udp6-no-checksum": 1}


def test_the_traffic_class_is_the_type_of_service(host: Host6) -> None:
    socket = host.socket(7, "::")
    socket.tos = 0x2E << 2
    host.send(socket, PEER6)
    (sent,) = host.sent6()
    assert sent.ip.traffic_class == 0x2E << 2
    segment = udp.to_bytes(9, 7, b"x", ip(PEER6), ip(OURS6))
    host.receive(frame6_of(packet6_of(17, segment, traffic_class=0xB8)))
    datagram = socket.receive()
    assert datagram is not None
    assert datagram.tos == 0xB8


@pytest.mark.parametrize(("size", "why"), [(65_527, None), (65_528, "tx-payload-too-long")])
def test_a_datagram_has_its_largest_size(host: Host6, size: int, why: str | None) -> None:
    socket = host.socket(7, "::")
    if why is None:
        host.send(socket, "::1", 7, bytes(size))
        host.poll()
        assert socket.queue_bytes > 0 or host.reasons() == {"udp-rcvbuf-full": 1}
        return
    with pytest.raises(SendRejected) as caught:
        host.send(socket, "::1", 7, bytes(size))
    assert (caught.value.code, caught.value.errno_name) == (why, "EMSGSIZE")


# --- scopes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dst", [PEER_LINK_LOCAL, "ff02::5"])
def test_an_address_of_one_link_needs_an_interface(host: Host6, dst: str) -> None:
    socket = host.socket(7, "::")
    with pytest.raises(SendRejected) as caught:
        host.send(socket, dst)
    assert (caught.value.code, caught.value.errno_name) == ("tx-no-scope", "EINVAL")
    bound = host.socket(8, "::", dev="tap0")
    host.send(bound, dst)
    (sent,) = host.sent6()
    assert text(sent.ip.src) == OUR_LINK_LOCAL


def test_a_link_local_source_says_the_link_if_no_other_has_it(host: Host6) -> None:
    socket = host.socket(7, OUR_LINK_LOCAL, dev="tap0")
    socket.dev = None
    host.send(socket, PEER_LINK_LOCAL)
    assert len(host.sent6()) == 1
    host.link("tap1", host.tap.mac)
    with pytest.raises(SendRejected, match="which one"):
        host.send(socket, PEER_LINK_LOCAL)


def test_a_socket_bound_to_a_link_local_address_needs_its_interface(host: Host6) -> None:
    host.link("tap1")
    with pytest.raises(InvalidArgument, match="which one"):
        host.socket(7, OUR_LINK_LOCAL)
    with pytest.raises(AddressNotAvailable):
        host.socket(7, OUR_LINK_LOCAL, dev="tap1")
    host.socket(7, OUR_LINK_LOCAL, dev="tap0")


def test_a_link_local_address_of_another_link_is_not_ours_here(host: Host6) -> None:
    host.link("tap1")
    other = text(host.dev("tap1").ipv6.addresses.items[0].local)
    host.socket(7, "::")
    host.receive(udp6_frame(src=PEER_LINK_LOCAL, dst=other))
    assert host.reasons() == {"ip6-dst-not-ours": 1}
    host.receive(udp6_frame(src=PEER_LINK_LOCAL, dst=other), dev="tap1")
    assert host.reasons() == {"ip6-dst-not-ours": 1, "rx-not-our-mac": 1}


def test_a_source_of_another_link_is_beyond_its_scope(host: Host6) -> None:
    host.link("tap1")
    socket = host.socket(7, OUR_LINK_LOCAL, dev="tap0")
    socket.dev = "tap1"
    host.stack.generation.touch()
    with pytest.raises(SendRejected) as caught:
        host.send(socket, PEER_LINK_LOCAL)
    assert caught.value.code == "tx-beyond-scope"


# --- sockets that speak both (RFC 3493 3.7, 5.3) --------------------------------------------------


def test_a_socket_bound_to_nothing_hears_both_families(host: Host6) -> None:
    socket = opened(host, IPV6, None)
    host.receive(udp_frame(), udp6_frame())
    heard = [socket.receive(), socket.receive()]
    assert [text(each.src) for each in heard if each is not None] == ["10.0.0.2", PEER6]
    host.send(socket, "10.0.0.2")
    host.send(socket, PEER6)
    assert [frame[12:14] for frame in host.take()] == [b"\x08\0", b"\x86\xdd"]


def test_one_that_speaks_only_ipv6_hears_no_ipv4(host: Host6) -> None:
    socket = opened(host, IPV6, None, v6only=True)
    host.receive(udp_frame(), udp6_frame())
    assert len(socket.receive_all()) == 1
    assert host.reasons()["udp-bound-elsewhere"] == 1
    with pytest.raises(SendRejected) as caught:
        host.send(socket, "10.0.0.2")
    assert caught.value.code == "tx-wrong-family"


@pytest.mark.parametrize("local", [OURS6, "::1"])
def test_one_bound_to_an_ipv6_address_speaks_no_ipv4(host: Host6, local: str) -> None:
    socket = opened(host, IPV6, local)
    with pytest.raises(SendRejected):
        host.send(socket, "10.0.0.2")


def test_one_bound_to_a_mapped_address_speaks_no_ipv6(host: Host6) -> None:
    socket = opened(host, IPV6, "10.0.0.1")
    host.send(socket, "10.0.0.2")
    with pytest.raises(SendRejected):
        host.send(socket, PEER6)


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ((IPV6, None, False), (IPV4, None, False), True),
        ((IPV6, None, True), (IPV4, None, False), False),
        ((IPV6, None, False), (IPV6, None, True), True),
        ((IPV6, None, False), (IPV4, "10.0.0.1", False), True),
        ((IPV6, None, True), (IPV4, "10.0.0.1", False), False),
        ((IPV6, OURS6, False), (IPV4, None, False), False),
        ((IPV6, OURS6, False), (IPV6, None, False), True),
        ((IPV6, OURS6, False), (IPV6, "::1", False), False),
    ],
)
def test_a_port_is_taken_where_some_datagram_would_be_for_both(
    host: Host6,
    first: tuple[Family, str | None, bool],
    second: tuple[Family, str | None, bool],
    clash: bool,
) -> None:
    for one, other in ((first, second), (second, first)):
        socket = opened(host, one[0], one[1], v6only=one[2])
        if clash:
            with pytest.raises(AddressInUse):
                opened(host, other[0], other[1], v6only=other[2])
        else:
            host.stack.udp.close(opened(host, other[0], other[1], v6only=other[2]))
        host.stack.udp.close(socket)


def test_a_socket_of_the_own_family_comes_first(host: Host6) -> None:
    both = host.stack.udp.open("test", IPV6)
    own = host.stack.udp.open("test", IPV4)
    both.reuse = own.reuse = True
    for socket in (own, both):
        host.stack.udp.bind(socket, None, 7)
    host.receive(udp_frame(), udp6_frame())
    assert (len(own.queue), len(both.queue)) == (1, 1)


# --- errors that come back ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "code", "errno_name"),
    [
        (1, 0, "ENETUNREACH"),
        (1, 1, "EACCES"),
        (1, 2, "EHOSTUNREACH"),
        (1, 3, "EHOSTUNREACH"),
        (1, 4, "ECONNREFUSED"),
        (1, 5, "EACCES"),
        (1, 6, "EACCES"),
        (1, 77, "EHOSTUNREACH"),
        (3, 0, "EHOSTUNREACH"),
        (3, 1, "EHOSTUNREACH"),
        (4, 0, "EPROTO"),
        (4, 1, "EPROTO"),
        (4, 2, "EPROTO"),
    ],
)
def test_an_error_finds_its_socket(host: Host6, kind: int, code: int, errno_name: str) -> None:
    socket, other = host.socket(7, "::"), host.socket(8, "::")
    host.send(socket, PEER6)
    quoted = host.take()[0][14:]
    host.receive(frame6_of(icmp6_packet(kind, code, 0, quoted, "2001:db8::3")))
    (error,) = socket.errors
    assert (error.errno_name, text(error.offender), text(error.dst)) == (
        errno_name, "2001:db8::3", PEER6,
    )  # fmt: skip
    assert not other.errors


def test_a_closed_port_is_told_with_as_much_of_the_datagram_as_fits(host: Host6) -> None:
    host.receive(udp6_frame(9, 7, bytes(1400)))
    (error,) = host.sent6()
    assert (error.icmp.type, error.icmp.code) == (1, 4)
    assert (text(error.ip.src), text(error.ip.dst)) == (OURS6, PEER6)
    assert error.ip.total_length == 1280
    quote = icmpv6.parse_quote(error.icmp.body)
    assert quote is not None
    assert (text(quote.src), text(quote.dst), quote.sport, quote.dport) == (PEER6, OURS6, 9, 7)


@pytest.mark.parametrize(
    ("src", "dst", "to"),
    [
        (PEER_LINK_LOCAL, "ff02::1", None),
        (PEER6, OURS6, b"\x33\x33\0\0\0\1"),
        (PEER6, OURS6, b"\xff" * 6),
    ],
)
def test_no_error_answers_what_went_to_several(
    host: Host6, src: str, dst: str, to: bytes | None
) -> None:
    segment = udp.to_bytes(9, 7, b"x", ip(src), ip(dst))
    host.receive(frame6_of(packet6_of(17, segment, src, dst), to=to))
    assert host.take() == []


def test_errors_to_one_host_are_limited(host: Host6) -> None:
    for _ in range(10):
        host.receive(udp6_frame())
    assert len(host.sent6()) == 6
    assert host.reasons()["icmp-rate-limited"] == 4
    host.wait(100_000_000)
    host.receive(udp6_frame())
    assert len(host.sent6()) == 1


def test_both_families_take_from_what_all_errors_together_may(host: Host6) -> None:
    host.know("10.0.0.2")
    host.set("icmp.msgs_burst", 2)
    host.set("icmp.msgs_per_sec", 1)
    host.receive(udp_frame(), udp6_frame(), udp_frame(), udp6_frame())
    assert len(host.take()) == 2
    assert host.reasons()["icmp-rate-limited"] == 2


def test_an_error_to_a_link_local_address_leaves_by_its_link(host: Host6) -> None:
    host.link("tap1")
    host.know(PEER_LINK_LOCAL, PEER_MAC, dev="tap1")
    own = text(host.dev("tap1").ipv6.addresses.items[0].local)
    segment = udp.to_bytes(9, 7, b"x", ip(PEER_LINK_LOCAL), ip(own))
    frame = frame6_of(packet6_of(17, segment, PEER_LINK_LOCAL, own), to=host.dev("tap1").mac)
    host.receive(frame, dev="tap1")
    assert host.take() == []
    (error,) = host.sent6("tap1")
    assert (text(error.ip.src), text(error.ip.dst)) == (own, PEER_LINK_LOCAL)
