"""What leaves: addresses, flags, sizes and the frames around them."""

import pytest

from smolctl.errors import SendRejected
from smolctl.stack.config.link import set_carrier, set_mtu
from smolctl.stack.fib.route import RouteType
from smolctl.stack.interface import OUTBOX_LIMIT
from smolctl.stack.ip.protocol import PLAIN, Pmtudisc
from smolctl.stack.ipv4.output import icmp_output
from smolctl.stack.neighbor.states import State
from smolctl.stack.trace.trace import Trace
from smolctl.wire import icmpv4
from smolctl.wire.address import BROADCAST_MAC, parse_mac
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, OUR_MAC, OURS, PEER, PEER_MAC, Host, Seen, ip, text, udp_frame


@pytest.fixture
def host() -> Host:
    """A host that knows its peer's MAC."""
    host = Host()
    host.know(state=State.PERMANENT)
    return host


def only(host: Host, dev: str = "tap0") -> Seen:
    (frame,) = host.sent(dev)
    return frame


def test_a_datagram_carries_what_rfc_6864_allows(host: Host) -> None:
    host.send(host.socket(5000), PEER, 9, b"hello")
    frame = only(host)
    assert (frame.dst, frame.src) == (PEER_MAC, OUR_MAC)
    header = frame.ip
    assert header is not None
    assert (header.ident, header.df, header.mf, header.fragment_offset) == (0, True, False, 0)
    assert (text(header.src), text(header.dst), header.ttl) == (OURS, PEER, 64)
    assert frame.udp == (5000, 9, b"hello")


def test_icmp_has_idents_of_its_own_and_may_be_fragmented_on_its_way(host: Host) -> None:
    message = icmpv4.IcmpMessage(icmpv4.Type.ECHO_REQUEST, 0, 1, b"")
    for _ in range(2):
        icmp_output(host.stack.ipv4, message, ip(PEER), host.now, PLAIN)
    headers = [frame.ip for frame in host.sent()]
    assert [header.df for header in headers if header] == [False, False]
    first, second = (header.ident for header in headers if header)
    assert second == first + 1
    assert host.event("icmp.messages_sent") == 2


def test_idents_wrap_around(host: Host) -> None:
    idents = [host.stack.ipv4.idents.next(1, 2, 17) for _ in range(0x10001)]
    assert len(set(idents)) == 0x10000
    assert idents[0] == idents[-1]


@pytest.mark.parametrize(
    ("ttl", "dst", "wanted"),
    [
        (None, PEER, 64),
        (7, PEER, 7),
        # RFC 1112 6.1: a group is not left by default.
        (None, "224.0.0.1", 1),
        (7, "224.0.0.1", 7),
        (None, "10.0.0.255", 64),
    ],
)
def test_the_time_to_live_is_the_sockets_or_the_default(
    host: Host, ttl: int | None, dst: str, wanted: int
) -> None:
    socket = host.socket(dev="tap0")
    socket.ttl = socket.multicast_ttl = ttl
    socket.broadcast = True
    host.send(socket, dst)
    header = only(host).ip
    assert header is not None
    assert header.ttl == wanted


@pytest.mark.parametrize(
    ("dst", "mac"),
    [
        ("10.0.0.255", BROADCAST_MAC),
        ("255.255.255.255", BROADCAST_MAC),
        ("224.1.2.3", parse_mac("01:00:5e:01:02:03")),
        ("239.129.2.3", parse_mac("01:00:5e:01:02:03")),
    ],
)
def test_groups_have_macs_that_nobody_is_asked_for(host: Host, dst: str, mac: bytes) -> None:
    socket = host.socket(dev="tap0")
    socket.broadcast = True
    host.send(socket, dst)
    assert only(host).dst == mac
    assert list(host.cache()) == [host.neighbor(PEER)]


def test_a_multicast_needs_no_permission_and_a_broadcast_does(host: Host) -> None:
    socket = host.socket(dev="tap0")
    host.send(socket, "224.0.0.1")
    for dst in ("10.0.0.255", "255.255.255.255"):
        with pytest.raises(SendRejected) as caught:
            host.send(socket, dst)
        assert (caught.value.code, caught.value.errno_name) == ("tx-broadcast-denied", "EACCES")


def test_a_gateway_gets_the_frame_and_the_destination_stays(host: Host) -> None:
    host.route("0.0.0.0/0", via=PEER)
    host.send(host.socket(), "8.8.8.8")
    frame = only(host)
    assert frame.ip is not None
    assert (frame.dst, text(frame.ip.dst)) == (PEER_MAC, "8.8.8.8")


@pytest.mark.parametrize(("mtu", "fits"), [(1500, 1472), (576, 548), (68, 40)])
def test_what_does_not_fit_and_has_df_is_refused(host: Host, mtu: int, fits: int) -> None:
    set_mtu(host.stack.shared, host.tap, mtu)
    socket = host.socket()
    socket.pmtudisc = Pmtudisc.DO
    host.send(socket, payload=bytes(fits))
    with pytest.raises(SendRejected, match=f"at most {fits} B of payload fit") as caught:
        host.send(socket, payload=bytes(fits + 1))
    assert (caught.value.code, caught.value.errno_name) == ("tx-too-big", "EMSGSIZE")
    header = only(host).ip
    assert header is not None
    assert header.total_length == mtu


def test_the_mtu_of_a_route_holds_too(host: Host) -> None:
    host.route("0.0.0.0/0", via=PEER, mtu=100)
    socket = host.socket()
    socket.pmtudisc = Pmtudisc.DO
    host.send(socket, "8.8.8.8", payload=bytes(72))
    with pytest.raises(SendRejected, match="the MTU"):
        host.send(socket, "8.8.8.8", payload=bytes(73))
    host.send(socket, PEER, payload=bytes(73))


def test_the_source_of_one_datagram_may_be_chosen(host: Host) -> None:
    host.add("10.0.0.3/24")
    socket = host.socket()
    host.send(socket, src="10.0.0.3")
    host.send(socket)
    sources = [text(frame.ip.src) for frame in host.sent() if frame.ip]
    assert sources == ["10.0.0.3", OURS]


@pytest.mark.parametrize("local", ["10.0.0.255", "224.0.0.1"])
def test_a_socket_bound_to_a_group_sends_from_an_address_of_ours(host: Host, local: str) -> None:
    host.send(host.socket(local=local))
    header = only(host).ip
    assert header is not None
    assert text(header.src) == OURS


def test_sockets_here_hear_a_broadcast_too(host: Host) -> None:
    listener, sender = host.socket(7), host.socket()
    sender.broadcast = True
    host.send(sender, "10.0.0.255", 7)
    host.poll()
    datagram = listener.receive()
    assert datagram is not None
    assert (text(datagram.src), text(datagram.dst), datagram.dev) == (OURS, "10.0.0.255", "tap0")
    assert len(host.sent()) == 1


def test_a_full_outbox_drops_and_counts(host: Host) -> None:
    socket = host.socket()
    traces = [host.send(socket) for _ in range(OUTBOX_LIMIT + 2)]
    assert [trace.reason.name for trace in traces if trace.reason] == ["tx-queue-full"] * 2
    assert (len(host.tap.outbox), host.tap.counters.tx_dropped) == (OUTBOX_LIMIT, 2)


def test_a_full_loopback_drops_and_counts(host: Host) -> None:
    socket = host.socket()
    traces = [host.send(socket, OURS) for _ in range(OUTBOX_LIMIT + 2)]
    assert [trace.reason.name for trace in traces if trace.reason] == ["tx-queue-full"] * 2
    assert host.stack.interfaces.loopback.counters.tx_dropped == 2
    assert host.stack.deadline() == 0
    host.poll()
    assert host.stack.deadline() is None


def test_without_carrier_nothing_is_asked_and_nothing_waits() -> None:
    host = Host()
    set_carrier(host.stack.shared, host.tap, False, host.now)
    trace = host.send(host.socket())
    assert trace.reason is not None
    assert trace.reason.name == "tx-no-carrier"
    assert list(host.cache()) == []
    counters = host.tap.counters
    assert (counters.tx_dropped, counters.tx_carrier_errors) == (1, 1)


def test_a_trace_tells_the_way(host: Host) -> None:
    host.route("0.0.0.0/0", via=PEER)
    trace = host.send(host.socket(), "8.8.8.8")
    assert (trace.dev, trace.src, trace.gateway) == ("tap0", ip(OURS), ip(PEER))
    trace = host.send(host.socket(), PEER)
    assert trace.gateway is None


def test_a_refused_datagram_binds_nothing_new(host: Host) -> None:
    host.route("8.0.0.0/8", kind=RouteType.PROHIBIT)
    socket, trace = host.socket(5000), Trace()
    with pytest.raises(SendRejected):
        host.stack.udp.send(socket, b"x", ip("8.8.8.8"), 9, host.now, trace)
    assert (trace.settled, socket.tx_datagrams, socket.port) == (True, 0, 5000)
    assert socket.flows == {}


def test_looped_packets_are_counted_on_lo(host: Host) -> None:
    socket = host.socket(7)
    host.send(socket, "127.0.0.1", 7, b"12345")
    host.poll()
    counters = host.stack.interfaces.loopback.counters
    assert (counters.looped_packets, counters.looped_bytes) == (1, 33)
    assert (counters.total("rx_packets"), counters.total("tx_bytes")) == (1, 33)
    host.receive(udp_frame(7, 7))
    assert host.tap.counters.total("rx_packets") == 1


def test_links_are_looked_after_once_a_second() -> None:
    host = Host()
    host.set("neigh.gc_thresh1", 0)
    host.know("10.0.0.3", OTHER_MAC, State.STALE)
    host.wait(61 * SECOND_NS)
    host.wait(15 * SECOND_NS)
    assert list(host.cache()) == []
