"""UDP sockets: who may bind where, and who gets which datagram."""

import pytest

from smolctl.errors import (
    AddressInUse,
    AddressNotAvailable,
    InvalidArgument,
    NoBuffers,
    NoSuchDevice,
    SendRejected,
)
from smolctl.stack.config.link import set_up
from smolctl.stack.transport.socket_base import ERROR_QUEUE_LIMIT
from smolctl.stack.transport.udp.socket import (
    DATAGRAM_OVERHEAD,
    Datagram,
    UdpSocket,
)
from smolctl.wire import icmpv4
from smolctl.wire.address import BROADCAST_MAC
from tests.kit.clock import SECOND_NS
from tests.kit.host import DEAD, OTHER_MAC, OURS, PEER, Host, ip, udp_frame, udp_packet, unreachable


@pytest.fixture
def host() -> Host:
    """Two links: tap0 10.0.0.1/24, tap1 10.1.0.1/24."""
    host = Host()
    host.link("tap1", OTHER_MAC)
    host.add("10.1.0.1/24", "tap1")
    return host


def payloads(socket: UdpSocket) -> list[bytes]:
    found = []
    while (datagram := socket.receive()) is not None:
        found.append(datagram.payload)
    return found


# --- bind -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
    [
        (("0.0.0.0", None), ("0.0.0.0", None), True),
        (("0.0.0.0", None), ("10.0.0.1", None), True),
        (("10.0.0.1", None), ("0.0.0.0", None), True),
        (("10.0.0.1", None), ("10.0.0.1", None), True),
        (("10.0.0.1", None), ("10.1.0.1", None), False),
        (("127.0.0.1", None), ("127.0.0.2", None), False),
        (("0.0.0.0", "tap0"), ("0.0.0.0", "tap1"), False),
        (("0.0.0.0", "tap0"), ("0.0.0.0", "tap0"), True),
        (("0.0.0.0", "tap0"), ("0.0.0.0", None), True),
        (("10.0.0.1", "tap0"), ("10.0.0.1", "tap1"), False),
        (("10.0.0.1", "tap0"), ("10.1.0.1", None), False),
    ],
)
def test_two_sockets_conflict_when_one_datagram_could_be_for_both(
    host: Host,
    first: tuple[str, str | None],
    second: tuple[str, str | None],
    conflict: bool,
) -> None:
    host.socket(7, *first)
    if conflict:
        with pytest.raises(AddressInUse, match="port 7 is in use"):
            host.socket(7, *second)
        assert len(host.stack.udp) == 1
    else:
        host.socket(7, *second)
        assert len(host.stack.udp) == 2
    host.socket(8, *second)


@pytest.mark.parametrize("local", ["127.5.5.5", OURS, "10.0.0.255", "255.255.255.255", "224.0.0.1"])
def test_own_broadcast_and_group_addresses_can_be_bound(host: Host, local: str) -> None:
    assert host.socket(7, local).local == ip(local)


@pytest.mark.parametrize("local", [PEER, "8.8.8.8", "10.0.0.0"])
def test_other_addresses_cannot(host: Host, local: str) -> None:
    with pytest.raises(AddressNotAvailable, match=local):
        host.socket(7, local)
    assert len(host.stack.udp) == 0


def test_a_refused_bind_leaves_the_socket_as_it_was(host: Host) -> None:
    host.socket(7)
    socket = host.stack.udp.open()
    for port, dev in ((7, None), (7, "tap0"), (8, "tap7")):
        with pytest.raises((AddressInUse, NoSuchDevice)):
            host.stack.udp.bind(socket, ip(OURS), port, dev)
        assert (socket.local, socket.port, socket.dev) == (None, 0, None)
    host.stack.udp.bind(socket, ip(OURS), 9)
    with pytest.raises(InvalidArgument, match="already bound"):
        host.stack.udp.bind(socket, ip(OURS), 10)


def test_a_closed_socket_frees_its_port(host: Host) -> None:
    socket = host.socket(7)
    host.stack.udp.close(socket)
    host.stack.udp.close(socket)
    host.socket(7)
    assert len(host.stack.udp) == 1


# --- ephemeral ports ------------------------------------------------------------------------------


@pytest.mark.parametrize(("random", "port"), [(0.0, 100), (0.5, 105), (0.999, 109)])
def test_the_first_ephemeral_port_is_drawn(random: float, port: int) -> None:
    host = Host(random=random)
    host.set("ip.local_port_first", 100)
    host.set("ip.local_port_last", 109)
    assert host.socket().port == port


def test_ephemeral_ports_run_out_and_wrap() -> None:
    host = Host(random=0.5)
    host.set("ip.local_port_first", 100)
    host.set("ip.local_port_last", 103)
    sockets = [host.socket() for _ in range(4)]
    assert [socket.port for socket in sockets] == [102, 103, 100, 101]
    with pytest.raises(NoBuffers, match="100-103"):
        host.socket()
    unbound = host.stack.udp.open()
    with pytest.raises(SendRejected, match="no ephemeral port") as caught:
        host.send(unbound)
    assert (caught.value.code, caught.value.errno_name) == ("tx-no-port", "EAGAIN")
    host.stack.udp.close(sockets[2])
    assert host.socket().port == 100


def test_an_ephemeral_port_may_be_shared_by_different_addresses() -> None:
    host = Host()
    host.set("ip.local_port_first", 40000)
    host.set("ip.local_port_last", 40000)
    assert host.socket(0, "127.0.0.1").port == 40000
    assert host.socket(0, "127.0.0.2").port == 40000
    with pytest.raises(NoBuffers):
        host.socket(0, "0.0.0.0")


def test_sending_binds_a_socket(host: Host) -> None:
    socket = host.stack.udp.open()
    host.send(socket, "127.0.0.1", 9)
    assert socket.port == 32768 + (60999 - 32768 + 1) // 2
    assert socket in list(host.stack.udp)


# --- demultiplexing -------------------------------------------------------------------------------


def test_the_most_specific_socket_gets_it(host: Host) -> None:
    by_address = host.socket(7, OURS, "tap0")
    by_device = host.socket(7, "0.0.0.0", "tap1")
    host.receive(udp_frame(payload=b"tap0"))
    host.receive(udp_frame(payload=b"tap1", to=OTHER_MAC), dev="tap1")
    assert (payloads(by_address), payloads(by_device)) == ([b"tap0"], [b"tap1"])


def test_a_socket_takes_datagrams_of_every_interface_unless_bound_to_one(host: Host) -> None:
    everywhere, one = host.socket(7), host.socket(8, dev="tap1")
    for port in (7, 8):
        host.receive(udp_frame(dport=port))
        host.receive(udp_frame(dport=port, to=OTHER_MAC), dev="tap1")
    assert len(payloads(everywhere)) == 2
    assert len(payloads(one)) == 1
    assert host.reasons() == {"udp-bound-elsewhere": 1, "neigh-pending": 1}


def test_what_a_datagram_says_about_itself(host: Host) -> None:
    socket = host.socket(7)
    host.receive(udp_frame(1234, 7, b"x", PEER, OURS))
    datagram = socket.receive()
    assert datagram is not None
    assert datagram == Datagram(b"x", ip(PEER), 1234, ip(OURS), 7, "tap0", host.now)
    assert socket.receive() is None


@pytest.mark.parametrize("dst", ["10.0.0.255", "255.255.255.255"])
@pytest.mark.parametrize(("local", "dev"), [("0.0.0.0", None), ("0.0.0.0", "tap0"), ("", None)])
def test_a_broadcast_goes_to_who_listens_for_it(
    host: Host, dst: str, local: str, dev: str | None
) -> None:
    listener = host.socket(7, local or dst, dev)
    other_port = host.socket(8)
    host.receive(udp_frame(dst=dst, to=BROADCAST_MAC))
    assert (payloads(listener), payloads(other_port)) == ([b"hello"], [])


def test_a_broadcast_is_not_for_a_socket_bound_to_one_of_our_addresses(host: Host) -> None:
    sockets = [host.socket(7, local) for local in (OURS, "127.0.0.1", "224.0.0.1")]
    host.receive(udp_frame(dst="10.0.0.255", to=BROADCAST_MAC))
    assert [payloads(socket) for socket in sockets] == [[], [], []]
    assert host.reasons() == {"udp-no-listener": 1}


# --- connect --------------------------------------------------------------------------------------


def test_a_connected_socket_takes_its_peers_datagrams_only(host: Host) -> None:
    socket = host.socket(7)
    host.stack.udp.connect(socket, ip(PEER), 9)
    assert socket.local == ip(OURS)
    host.receive(
        udp_frame(9, payload=b"peer"),
        udp_frame(10, payload=b"other port"),
        udp_frame(9, payload=b"other address", src="10.0.0.3"),
    )
    assert payloads(socket) == [b"peer"]
    assert host.reasons()["udp-peer-mismatch"] == 2
    host.receive(udp_frame(9, dst="10.1.0.1"))
    assert host.reasons()["udp-bound-elsewhere"] == 1


def test_connecting_binds_and_connecting_again_keeps_the_port(host: Host) -> None:
    socket = host.stack.udp.open()
    host.stack.udp.connect(socket, ip("127.0.0.1"), 9)
    port = socket.port
    assert port != 0
    host.stack.udp.connect(socket, ip("127.0.0.1"), 10)
    assert (socket.port, socket.peer_port) == (port, 10)


def test_a_refused_connect_leaves_the_socket_as_it_was(host: Host) -> None:
    socket = host.socket(7, dev="tap0")
    with pytest.raises(InvalidArgument):
        host.stack.udp.connect(socket, ip(PEER), 0)
    set_up(host.stack.shared, host.tap, False, host.now)
    with pytest.raises(SendRejected):
        host.stack.udp.connect(socket, ip(PEER), 9)
    assert (socket.local, socket.port, socket.dev, socket.peer) == (None, 7, "tap0", None)
    assert host.stack.udp.at_port(7) == [socket]


# --- bounds ---------------------------------------------------------------------------------------


def test_the_receive_queue_is_bounded_in_bytes() -> None:
    host = Host()
    host.set("udp.rmem_default", 1000)
    socket = host.socket(7)
    host.receive(*[udp_frame(payload=bytes(100)) for _ in range(10)])
    fits = 1000 // (100 + DATAGRAM_OVERHEAD)
    assert len(socket.queue) == fits
    assert socket.queue_bytes == fits * (100 + DATAGRAM_OVERHEAD)
    assert socket.drops == host.reasons()["udp-rcvbuf-full"] == 10 - fits
    assert len(payloads(socket)) == fits
    assert socket.queue_bytes == 0
    host.receive(udp_frame(payload=bytes(100)))
    assert len(socket.queue) == 1


def test_empty_datagrams_are_bounded_too() -> None:
    host = Host()
    host.set("udp.rmem_default", 256)
    socket = host.socket(7)
    host.receive(*[udp_frame(payload=b"") for _ in range(10)])
    assert len(socket.queue) == 4


def test_one_datagram_is_taken_however_big() -> None:
    host = Host()
    host.set("udp.rmem_default", 256)
    socket = host.socket(7)
    host.send(host.socket(8), "127.0.0.1", 7, bytes(65507))
    host.poll()
    assert [len(payload) for payload in payloads(socket)] == [65507]


# --- errors for what was sent ---------------------------------------------------------------------


def errors(socket: UdpSocket) -> list[tuple[str, str]]:
    found = [(error.reason.name, error.errno_name) for error in socket.errors]
    socket.errors.clear()
    return found


def test_an_icmp_error_finds_the_socket(host: Host) -> None:
    host.know()
    socket, other = host.socket(5000), host.socket(5001)
    host.send(socket, PEER, 9)
    (frame,) = host.sent()
    assert frame.ip is not None
    quoted = frame.ip.to_bytes() + frame.payload
    host.receive(unreachable(icmpv4.Unreachable.PORT, quoted[:28]))
    assert socket.ready
    error = socket.errors[0]
    assert (error.offender, error.dst, error.dport) == (ip(PEER), ip(PEER), 9)
    assert errors(socket) == [("icmp-port-unreachable", "ECONNREFUSED")]
    assert errors(other) == []


def test_a_connected_socket_hears_errors_about_its_peer_only(host: Host) -> None:
    socket = host.socket(7)
    host.stack.udp.connect(socket, ip(PEER), 9)
    host.receive(unreachable(3, udp_packet(7, 9, src=OURS, dst="10.0.0.3")))
    assert errors(socket) == []
    host.receive(unreachable(3, udp_packet(7, 9, src=OURS, dst=PEER)))
    assert errors(socket) == [("icmp-port-unreachable", "ECONNREFUSED")]


def test_of_two_sockets_on_one_port_the_one_on_the_device_hears_it(host: Host) -> None:
    first, second = host.socket(7, dev="tap0"), host.socket(7, dev="tap1")
    host.receive(unreachable(3, udp_packet(7, 9, src=OURS, dst=PEER)))
    assert (len(errors(first)), len(errors(second))) == (1, 0)
    host.send(second, "10.1.0.9")
    host.wait(3 * SECOND_NS)
    assert (errors(first), errors(second)) == ([], [("neigh-failed", "EHOSTUNREACH")])


@pytest.mark.parametrize("sender", [0, 1])
@pytest.mark.parametrize(
    ("dst", "error"),
    [
        (DEAD, ("neigh-failed", "EHOSTUNREACH")),  # nobody answers for the next hop
        ("127.0.0.1", ("icmp-port-unreachable", "ECONNREFUSED")),  # this stack refuses it itself
    ],
)
def test_of_two_sockets_on_one_address_the_sender_hears_it(
    host: Host, sender: int, dst: str, error: tuple[str, str]
) -> None:
    sockets = [host.stack.udp.open("test") for _ in range(2)]
    for socket in sockets:
        socket.reuse = True
        host.stack.udp.bind(socket, None, 7)
    host.send(sockets[sender], dst)
    host.wait(3 * SECOND_NS)
    assert errors(sockets[sender]) == [error]
    assert errors(sockets[1 - sender]) == []


def test_a_next_hop_that_does_not_answer_is_an_error_of_each_datagram(host: Host) -> None:
    socket = host.socket()
    for port in (1, 2):
        host.send(socket, DEAD, port)
    host.wait(3 * SECOND_NS)
    assert [error.dport for error in socket.errors] == [1, 2]
    assert errors(socket) == [("neigh-failed", "EHOSTUNREACH")] * 2


def test_the_error_queue_is_bounded(host: Host) -> None:
    socket = host.socket()
    for _ in range(ERROR_QUEUE_LIMIT + 10):
        host.send(socket, DEAD)
    host.wait(3 * SECOND_NS)
    assert len(socket.errors) == ERROR_QUEUE_LIMIT


# --- waking ---------------------------------------------------------------------------------------


def test_a_socket_is_woken_once_until_it_was_looked_at(host: Host) -> None:
    socket, closed = host.socket(7), host.socket(8)
    host.receive(udp_frame(), udp_frame(), udp_frame(dport=8))
    assert host.stack.has_ready
    host.stack.udp.close(closed)
    assert host.stack.take_ready() == [socket]
    assert host.stack.take_ready() == []
    host.receive(udp_frame())
    assert host.stack.take_ready() == [socket]


def test_closed_sockets_still_count_in_the_totals(host: Host) -> None:
    socket = host.socket(7)
    host.receive(udp_frame(), udp_frame())
    host.send(socket, "127.0.0.1", 7)
    host.poll()
    assert host.stack.udp.totals() == (1, 3)
    host.stack.udp.close(socket)
    assert host.stack.udp.totals() == (1, 3)


# --- SO_REUSEPORT ---------------------------------------------------------------------------------


def group_of(host: Host, number: int) -> list[UdpSocket]:
    group = [host.stack.udp.open() for _ in range(number)]
    for each in group:
        each.reuseport = True
        host.stack.udp.bind(each, None, 7)
    return group


def test_a_flow_goes_to_one_socket_of_a_group_by_the_fast_path_too(host: Host) -> None:
    host.know()
    group = group_of(host, 3)
    for sport in range(5000, 5020):
        for number in range(3):
            host.receive(udp_frame(sport, payload=b"%d" % number))
        (taken,) = [got for each in group if (got := payloads(each))]
        assert taken == [b"0", b"1", b"2"]
    assert len({id(flow.socket) for flow in host.dev("tap0").flows.values()}) == 3
    heard = {flow.sport: flow.socket for flow in host.dev("tap0").flows.values()}
    host.stack.udp.close(group[0])
    for sport, before in heard.items():
        host.receive(udp_frame(sport))
        assert sum(len(payloads(each)) for each in group[1:]) == 1, before


def test_each_socket_of_a_group_gets_what_is_for_all(host: Host) -> None:
    group = group_of(host, 2)
    host.receive(udp_frame(dst="10.0.0.255", to=BROADCAST_MAC))
    assert [payloads(each) for each in group] == [[b"hello"], [b"hello"]]
