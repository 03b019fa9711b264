"""RFC 1191, path MTU discovery: what "fragmentation needed" does, and for how long."""

import pytest

from smolctl.stack.fib.path_mtu import LIMIT, PLATEAUS, Path, PathMtu
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import format_address
from tests.kit.host import OURS, PEER, Host, icmp_frame, ip, packet_of, udp_packet
from tests.stack.reason.provokers import fresh

FAR = "192.0.2.7"
ROUTER = "10.0.0.2"
MINUTE_NS = 60_000_000_000


@pytest.fixture
def host() -> Host:
    """Return a host with a router, at whose other side the paths are."""
    host = fresh()
    host.route("0.0.0.0/0", via=ROUTER)
    return host


def too_big(
    host: Host, socket: UdpSocket, mtu: int, dst: str = FAR, *, length: int | None = None
) -> None:
    """Let the router say that the socket's last datagram was too big."""
    quoted = udp_packet(socket.port, 9, bytes(8), OURS, dst)
    if length is not None:
        quoted = quoted[:2] + length.to_bytes(2) + quoted[4:]
    host.receive(icmp_frame(3, 4, mtu, quoted, ROUTER))


def known(host: Host, dst: str = FAR) -> tuple[int, bool] | None:
    found = host.stack.ipv4.fib.path_mtus.lookup(ip(dst), "tap0", ip(ROUTER))
    return None if found is None else (found.mtu, found.locked)


def sizes(host: Host) -> list[tuple[int, bool]]:
    """Return length and DF of the packets that left."""
    return [(frame.ip.total_length, frame.ip.df) for frame in host.sent() if frame.ip]


def test_rfc1191_3_the_estimate_is_the_next_hop_mtu_of_the_message(host: Host) -> None:
    socket = host.socket()
    host.send(socket, FAR, payload=bytes(1472))
    assert sizes(host) == [(1500, True)]
    too_big(host, socket, 1280, length=1500)
    assert known(host) == (1280, False)
    (error,) = socket.errors
    assert (error.errno_name, error.detail["path_mtu"]) == ("EMSGSIZE", 1280)


def test_rfc1191_3_what_follows_provokes_no_more_messages(host: Host) -> None:
    socket = host.socket()
    host.send(socket, FAR, payload=bytes(1472))
    too_big(host, socket, 1280, length=1500)
    host.sent()
    # Whole with DF up to the estimate; what is bigger in pieces without.
    host.send(socket, FAR, payload=bytes(1252))
    assert sizes(host) == [(1280, True)]
    host.send(socket, FAR, payload=bytes(1253))
    assert sizes(host) == [(1276, False), (25, False)]
    # On the fast path as well, which knew the way before.
    host.stack.udp.send(socket, bytes(1472), ip(FAR), 9, host.now)
    assert sizes(host) == [(1276, False), (244, False)]


def test_rfc1191_3_the_estimate_never_goes_below_68(host: Host) -> None:
    host.set("ip.min_pmtu", 68)
    socket = host.socket()
    for mtu in (70, 67, 1, 20):
        too_big(host, socket, mtu)
    assert known(host) == (68, True)
    host.send(socket, FAR, payload=bytes(48))
    assert sizes(host) == [(68, False), (28, False)]


@pytest.mark.parametrize("mtu", [1281, 1500, 9000, 65535])
def test_rfc1191_3_the_estimate_does_not_grow_by_a_message(host: Host, mtu: int) -> None:
    socket, began = host.socket(), host.now
    too_big(host, socket, 1280, length=1500)
    host.wait(MINUTE_NS)
    too_big(host, socket, mtu)
    assert known(host) == (1280, False)
    assert host.stack.ipv4.fib.path_mtus.deadline() == began + 10 * MINUTE_NS


def test_rfc1191_3_a_message_of_more_than_the_links_own_mtu_says_nothing(host: Host) -> None:
    socket = host.socket()
    too_big(host, socket, 9000)
    assert known(host) is None


def test_rfc1191_3_a_larger_size_is_not_tried_for_five_minutes(host: Host) -> None:
    socket = host.socket()
    too_big(host, socket, 1280)
    for _ in range(5):
        host.wait(MINUTE_NS)
        host.know(ROUTER)
        host.send(socket, FAR, payload=bytes(1472))
        assert [size for size, _ in sizes(host)] == [1276, 244]


def test_rfc1191_6_3_an_estimate_is_forgotten_after_ten_minutes(host: Host) -> None:
    socket = host.socket()
    too_big(host, socket, 1280)
    host.wait(10 * MINUTE_NS - 1)
    assert known(host) == (1280, False)
    host.wait(1)
    assert known(host) is None
    host.know(ROUTER)
    host.send(socket, FAR, payload=bytes(1472))
    assert sizes(host) == [(1500, True)]


def test_rfc1191_6_3_a_new_message_keeps_it(host: Host) -> None:
    socket = host.socket()
    too_big(host, socket, 1280)
    host.wait(9 * MINUTE_NS)
    too_big(host, socket, 1280)
    host.wait(9 * MINUTE_NS)
    assert known(host) == (1280, False)


def test_rfc1191_6_3_how_long_it_is_believed_is_a_sysctl(host: Host) -> None:
    host.set("ip.mtu_expires_ms", 5000)
    too_big(host, host.socket(), 1280)
    host.wait(4_999_999_999)
    assert known(host) == (1280, False)
    host.wait(1)
    assert known(host) is None


# --- old routers ----------------------------------------------------------------------------------


def test_rfc1191_5_a_message_without_mtu_reduces_to_the_minimum(host: Host) -> None:
    socket = host.socket()
    too_big(host, socket, 0, length=1500)
    # RFC 1191 5: "the minimum of its currently-assumed PMTU and 576, and to stop setting the DF
    # bit"; Linux has 552 for 576.
    assert known(host) == (552, True)
    host.send(socket, FAR, payload=bytes(100))
    host.send(socket, FAR, payload=bytes(600))
    assert sizes(host) == [(128, False), (548, False), (100, False)]


@pytest.mark.parametrize(
    ("length", "plateau"),
    [
        (1500, 1006),  # perhaps 1480 and the header of a 4.2BSD router: the next below that
        (1499, 1492),
        (1492, 1006),
        (1006, 508),
        (600, 508),
        (508, 296),
        (296, 68),
        (68, 68),
        (20, 68),
    ],
)
def test_rfc1191_5_and_7_1_the_next_plateau_is_tried(host: Host, length: int, plateau: int) -> None:
    host.set("ip.pmtu_plateaus", 1)
    host.set("ip.min_pmtu", 68)
    too_big(host, host.socket(), 0, length=length)
    assert known(host) == (plateau, False)


def test_rfc1191_5_the_search_goes_on_to_the_end(host: Host) -> None:
    host.set("ip.pmtu_plateaus", 1)
    socket, tried = host.socket(), []
    for _ in range(6):
        found = known(host)
        too_big(host, socket, 0, length=found[0] if found else 1500)
        tried.append(known(host))
    # 1500 may be 1480 and a header, and so may each estimate: one step each, then ip.min_pmtu.
    assert tried == [(1006, False), (552, True), (552, True), (552, True), (552, True), (552, True)]


def test_rfc1191_7_1_the_plateaus_are_in_order() -> None:
    assert list(PLATEAUS) == sorted(PLATEAUS, reverse=True)
    assert PLATEAUS[-1] == 68
    assert {1006, 508, 296} < set(PLATEAUS)  # of the table in 7.1


def test_an_mtu_below_the_smallest_that_is_believed(host: Host) -> None:
    """Linux __ip_rt_update_pmtu: min_pmtu, and smaller links are left to fragment."""
    socket = host.socket()
    too_big(host, socket, 551)
    assert known(host) == (552, True)
    host.send(socket, FAR, payload=bytes(100))
    assert sizes(host) == [(128, False)]


# --- switched off ---------------------------------------------------------------------------------


def test_rfc1191_6_1_switched_off_nothing_has_df(host: Host) -> None:
    host.set("ip.no_pmtu_disc", 1)
    socket = host.socket()
    assert socket.pmtudisc is Pmtudisc.DONT
    host.send(socket, FAR, payload=bytes(100))
    assert sizes(host) == [(128, False)]
    # Linux: a router that complains nevertheless is believed as far as ip.min_pmtu.
    too_big(host, socket, 1280)
    assert known(host) == (552, True)
    assert not socket.errors


@pytest.mark.parametrize("level", [2, 3])
def test_rfc1191_6_1_routers_are_not_believed_when_that_is_switched_off(
    host: Host, level: int
) -> None:
    host.set("ip.no_pmtu_disc", level)
    too_big(host, host.socket(), 1280)
    assert known(host) is None
    assert host.reasons() == {"icmp-mtu-ignored": 1}


def test_rfc1191_6_1_one_socket_may_do_without(host: Host) -> None:
    socket = host.socket()
    socket.pmtudisc = Pmtudisc.DONT
    host.send(socket, FAR, payload=bytes(100))
    assert sizes(host) == [(128, False)]


# --- per destination ------------------------------------------------------------------------------


def test_rfc1191_6_2_each_destination_has_its_estimate(host: Host) -> None:
    socket = host.socket()
    too_big(host, socket, 1280)
    too_big(host, socket, 1000, "192.0.2.8")
    assert (known(host), known(host, "192.0.2.8")) == ((1280, False), (1000, False))
    assert known(host, "192.0.2.9") is None
    host.send(socket, "192.0.2.9", payload=bytes(1472))
    assert sizes(host) == [(1500, True)]


def test_rfc1191_6_2_another_gateway_is_another_path(host: Host) -> None:
    socket = host.socket()
    too_big(host, socket, 1280)
    host.route("192.0.2.0/24", via="10.0.0.3")
    host.know("10.0.0.3")
    host.send(socket, FAR, payload=bytes(1472))
    assert sizes(host) == [(1500, True)]


def test_rfc1191_6_2_who_sent_it_is_told(host: Host) -> None:
    socket = host.socket()
    host.send(socket, FAR, payload=bytes(1472))
    too_big(host, socket, 1280, length=1500)
    (error,) = socket.errors
    assert (error.reason.name, error.offender) == ("icmp-fragmentation-needed", ip(ROUTER))
    assert error.reason.why(error.detail) == (
        "10.0.0.2 says that the packet is too big for its next link, whose MTU is 1280:"
        " 1280 B get through to 192.0.2.7"
    )


def test_rfc1191_6_2_who_sends_next_and_insists_on_df_is_told_the_estimate(host: Host) -> None:
    socket = host.socket()
    socket.pmtudisc = Pmtudisc.DO
    too_big(host, socket, 1280)
    with pytest.raises(Exception, match=r"the way to 192\.0\.2\.7 is 1280: at most 1252 B"):
        host.send(socket, FAR, payload=bytes(1253))
    host.send(socket, FAR, payload=bytes(1252))
    # Who probes by himself is not bound by what is known (Linux IP_PMTUDISC_PROBE).
    socket.pmtudisc = Pmtudisc.PROBE
    host.send(socket, FAR, payload=bytes(1472))
    assert sizes(host) == [(1280, True), (1500, True)]


# --- routes ---------------------------------------------------------------------------------------


def test_rfc1191_6_5_a_locked_route_has_its_mtu_and_learns_none(host: Host) -> None:
    host.route("192.0.2.0/24", via=ROUTER, mtu=1400, mtu_lock=True)
    socket = host.socket()
    host.send(socket, FAR, payload=bytes(1372))
    host.send(socket, FAR, payload=bytes(1373))
    assert sizes(host) == [(1400, False), (1396, False), (25, False)]
    too_big(host, socket, 1280)
    assert known(host) is None
    # The packet was lost all the same.
    assert [error.errno_name for error in socket.errors] == ["EMSGSIZE"]


def test_rfc1191_6_5_a_route_without_lock_is_where_discovery_begins(host: Host) -> None:
    host.route("192.0.2.0/24", via=ROUTER, mtu=1400)
    socket = host.socket()
    host.send(socket, FAR, payload=bytes(1372))
    assert sizes(host) == [(1400, True)]
    too_big(host, socket, 1450)
    assert known(host) is None
    too_big(host, socket, 1280)
    host.send(socket, FAR, payload=bytes(1252))
    assert sizes(host) == [(1280, True)]


def test_a_link_that_becomes_smaller_than_the_estimate_counts(host: Host) -> None:
    socket = host.socket()
    too_big(host, socket, 1280)
    host.tap.mtu = 1000
    host.stack.generation.touch()
    host.send(socket, FAR, payload=bytes(972))
    host.send(socket, FAR, payload=bytes(973))
    assert sizes(host) == [(1000, True), (996, False), (25, False)]


# --- who may say so -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "quoted",
    [
        udp_packet(4999, 9, src=OURS, dst=FAR),  # from a port that nobody has
        udp_packet(5000, 9, src="10.0.0.77", dst=FAR),  # from somebody else
        packet_of(17, b"", OURS, FAR),  # cut too short to say
        packet_of(6, bytes(20), OURS, FAR),  # TCP, which is not spoken here
        packet_of(1, b"\x08\0\0\0\0\x09\0\1", OURS, FAR),  # an echo request of nobody
        packet_of(1, b"\0\0\0\0\0\x09\0\1", OURS, FAR),  # a reply, which has no DF
        b"\x45",
    ],
)
def test_what_we_cannot_have_sent_teaches_nothing(host: Host, quoted: bytes) -> None:
    host.socket(5000)
    host.receive(icmp_frame(3, 4, 1280, quoted, ROUTER))
    assert host.reasons() == {"icmp-error-unmatched": 1}
    assert len(host.stack.ipv4.fib.path_mtus) == 0


def test_the_echo_requests_of_ping_teach_as_well(host: Host) -> None:
    client = host.stack.ping.open(ip(FAR))
    message = b"\x08\0\0\0" + client.ident.to_bytes(2) + b"\0\1"
    host.receive(icmp_frame(3, 4, 1280, packet_of(1, message, OURS, FAR), ROUTER))
    assert known(host) == (1280, False)
    assert [error.errno_name for error in client.errors] == ["EMSGSIZE"]


def test_rfc1191_6_6_what_is_known_can_be_listed_and_is_bounded(host: Host) -> None:
    socket = host.socket()
    for number in range(LIMIT + 10):
        too_big(host, socket, 1280, format_address(ip("192.0.2.0") + number))
    paths = list(host.stack.ipv4.fib.path_mtus)
    assert len(paths) == LIMIT
    assert paths[0] == (Path(ip("192.0.2.10"), "tap0", ip(ROUTER)), PathMtu(1280, False, host.now))


def test_on_the_link_itself_a_path_has_no_gateway(host: Host) -> None:
    socket = host.socket()
    too_big(host, socket, 1280, PEER)
    assert [path for path, _ in host.stack.ipv4.fib.path_mtus] == [Path(ip(PEER), "tap0", ip(PEER))]
