"""ICMP: echo, errors that are sent, errors that may not be sent, and errors that come in."""

import pytest

from smolctl.stack.config.link import set_mtu
from smolctl.stack.ip.icmp_rate_limit import PEERS_LIMIT, IcmpLimiter
from smolctl.stack.ip.protocol import ErrorKind
from smolctl.stack.neighbor.states import State
from smolctl.stack.packet import Packet
from smolctl.stack.ready import REPLY_QUEUE_LIMIT
from smolctl.stack.sysctl.settings import Settings
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.ping import EchoReply
from smolctl.stack.transport.socket_base import ERROR_QUEUE_LIMIT
from smolctl.wire import icmpv4, ipv4
from smolctl.wire.address import BROADCAST_MAC, multicast_mac
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import (
    OURS,
    PEER,
    PEER_MAC,
    Host,
    echo_request,
    frame_of,
    icmp_frame,
    ip,
    packet_of,
    reply,
    text,
    udp_frame,
    udp_packet,
    unreachable,
)


@pytest.fixture
def host() -> Host:
    """A host that knows its peer's MAC."""
    host = Host()
    host.know(state=State.PERMANENT)
    return host


# --- echo -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5])
def test_an_echo_request_is_answered_with_its_own_data(host: Host, data: bytes) -> None:
    host.receive(echo_request(4711, 3, data))
    (frame,) = host.sent()
    assert frame.ip is not None
    assert frame.dst == PEER_MAC
    assert (text(frame.ip.src), text(frame.ip.dst), frame.ip.ttl) == (OURS, PEER, 64)
    assert frame.icmp == (icmpv4.Type.ECHO_REPLY, 0, 4711 << 16 | 3, data)
    assert host.event("icmp.echo_replies_sent") == 1
    assert host.reasons() == {}


def test_the_answer_comes_from_the_address_that_was_asked(host: Host) -> None:
    host.add("10.0.0.3/24")
    host.receive(echo_request(dst="10.0.0.3"))
    (frame,) = host.sent()
    assert frame.ip is not None
    assert text(frame.ip.src) == "10.0.0.3"


def test_the_first_echo_of_an_unknown_peer_waits_for_arp_and_is_not_lost() -> None:
    host = Host()
    host.receive(echo_request())
    (question,) = host.sent()
    assert question.arp is not None
    host.wait(500 * MILLISECOND_NS)
    host.receive(reply())
    (answer,) = host.sent()
    assert answer.icmp.type == icmpv4.Type.ECHO_REPLY
    assert host.event("icmp.echo_replies_sent") == 1


@pytest.mark.parametrize("dst", ["10.0.0.255", "255.255.255.255"])
@pytest.mark.parametrize("ignore", [True, False])
def test_a_broadcast_echo_is_answered_only_when_wanted(host: Host, dst: str, ignore: bool) -> None:
    host.set("icmp.echo_ignore_broadcasts", int(ignore))
    host.receive(echo_request(dst=dst, to=BROADCAST_MAC))
    frames = host.sent()
    assert len(frames) == (not ignore)
    assert host.reasons() == ({"icmp-echo-broadcast": 1} if ignore else {})
    for frame in frames:
        assert frame.ip is not None
        assert text(frame.ip.src) == OURS


def test_echo_can_be_ignored_altogether(host: Host) -> None:
    host.set("icmp.echo_ignore_all", 1)
    host.receive(echo_request())
    assert host.sent() == []
    assert host.reasons() == {"icmp-echo-ignored": 1}


def test_replies_find_the_client_with_their_ident(host: Host) -> None:
    client, other = host.stack.ping.open(ip(PEER)), host.stack.ping.open(ip(PEER))
    assert client.ident != other.ident
    answer = icmp_frame(icmpv4.Type.ECHO_REPLY, 0, client.ident << 16 | 5, b"data")
    host.receive(answer)
    assert list(client.replies) == [EchoReply(ip(PEER), 5, 64, b"data", host.now)]
    assert host.stack.take_ready() == [client]
    assert not other.replies
    host.stack.ping.close(client)
    host.receive(answer)
    assert host.reasons() == {"icmp-echo-unmatched": 1}


def test_a_reply_proves_that_the_neighbor_is_reachable() -> None:
    host = Host()
    entry = host.know(state=State.STALE)
    client = host.stack.ping.open(ip(PEER))
    host.receive(icmp_frame(icmpv4.Type.ECHO_REPLY, 0, client.ident << 16))
    assert entry.state is State.REACHABLE


def test_what_a_client_does_not_fetch_is_bounded(host: Host) -> None:
    client = host.stack.ping.open(ip(PEER))
    answer = icmp_frame(icmpv4.Type.ECHO_REPLY, 0, client.ident << 16)
    host.receive(*[answer] * (REPLY_QUEUE_LIMIT + 5))
    assert len(client.replies) == REPLY_QUEUE_LIMIT
    asked = packet_of(1, icmpv4.IcmpMessage(8, 0, client.ident << 16, b"").to_bytes(), OURS, PEER)
    host.receive(*[unreachable(1, asked)] * (ERROR_QUEUE_LIMIT + 5))
    assert len(client.errors) == ERROR_QUEUE_LIMIT


# --- errors out -----------------------------------------------------------------------------------


def test_a_closed_port_is_answered_with_port_unreachable(host: Host) -> None:
    frame = udp_frame(payload=b"q" * 100)
    host.receive(frame)
    (answer,) = host.sent()
    assert answer.ip is not None
    assert (text(answer.ip.src), text(answer.ip.dst)) == (OURS, PEER)
    message = answer.icmp
    assert (message.type, message.code) == (icmpv4.Type.DEST_UNREACHABLE, icmpv4.Unreachable.PORT)
    assert message.body == frame[14:]
    assert host.event("icmp.errors_sent") == 1
    assert host.reasons() == {"udp-port-closed": 1}


def test_an_unknown_protocol_is_answered_with_protocol_unreachable(host: Host) -> None:
    host.receive(frame_of(packet_of(132, b"sctp")))
    (answer,) = host.sent()
    assert answer.icmp.code == icmpv4.Unreachable.PROTOCOL
    assert host.reasons() == {"ip-proto-unknown": 1}


def test_ethernet_padding_is_not_quoted(host: Host) -> None:
    packet = udp_packet(payload=b"")
    host.receive(frame_of(packet + bytes(18)))
    (answer,) = host.sent()
    assert answer.icmp.body == packet


@pytest.mark.parametrize(("payload", "quoted"), [(520, 548), (521, 548), (1400, 548), (519, 547)])
def test_an_error_stays_within_576_bytes(host: Host, payload: int, quoted: int) -> None:
    host.receive(udp_frame(payload=bytes(payload)))
    (answer,) = host.sent()
    assert answer.ip is not None
    assert len(answer.icmp.body) == quoted
    assert answer.ip.total_length <= 576


def test_an_error_fits_into_a_small_mtu(host: Host) -> None:
    set_mtu(host.stack.shared, host.tap, 300)
    host.receive(udp_frame(payload=bytes(1000)))
    (answer,) = host.sent()
    assert answer.ip is not None
    assert answer.ip.total_length == 300
    assert host.reasons() == {"udp-port-closed": 1}


# RFC 1122 3.2.2: "An ICMP error message MUST NOT be sent as the result of receiving" these.
SUPPRESSED: dict[str, bytes] = {
    "a datagram sent as a link-layer broadcast": udp_frame(to=BROADCAST_MAC),
    "a datagram sent as a link-layer multicast": udp_frame(to=multicast_mac(1)),
    "a source of class E, no single host": udp_frame(src="240.0.0.1"),
    "an IP broadcast with an unknown protocol": frame_of(
        packet_of(132, b"sctp", dst="10.0.0.255"), to=BROADCAST_MAC
    ),
}


@pytest.mark.parametrize("frame", SUPPRESSED.values(), ids=SUPPRESSED.keys())
def test_rfc1122_3_2_2_no_error_is_sent_about(host: Host, frame: bytes) -> None:
    host.receive(frame)
    assert host.sent() == []
    assert host.reasons()["icmp-reply-suppressed"] == 1
    assert host.event("icmp.errors_sent") == 0


# Such packets are dropped before anybody could think of an error; the rule is asked directly.
ASKED_DIRECTLY: dict[str, bytes] = {
    "an ICMP error message": packet_of(1, icmpv4.IcmpMessage(3, 3, 0, bytes(28)).to_bytes()),
    "an ICMP message without a type": packet_of(1, b""),
    "a datagram to an IP multicast address": udp_packet(dst="224.0.0.1"),
    "a non-initial fragment": packet_of(17, bytes(16), offset=8),
    "the zero address as source": udp_packet(src="0.0.0.0"),
    "a source on this network, 0/8": udp_packet(src="0.0.0.9"),
    "a broadcast source": udp_packet(src="10.0.0.255"),
    "a multicast source": udp_packet(src="224.0.0.1"),
}


def answer(host: Host, packet: bytes) -> None:
    offending = Packet(packet, host.tap, host.now, Trace(), host.stack.shared.recorder)
    offending.header = ipv4.parse(packet)
    assert isinstance(offending.header, ipv4.Ipv4Header)
    host.stack.ipv4.answer_error(offending, ErrorKind.PORT)


@pytest.mark.parametrize("packet", ASKED_DIRECTLY.values(), ids=ASKED_DIRECTLY.keys())
def test_rfc1122_3_2_2_no_error_would_be_sent_about(host: Host, packet: bytes) -> None:
    answer(host, packet)
    assert host.sent() == []
    assert host.reasons() == {"icmp-reply-suppressed": 1}


@pytest.mark.parametrize(
    "packet",
    [
        udp_packet(),
        packet_of(17, bytes(16), mf=True),
        packet_of(1, icmpv4.IcmpMessage(8, 0, 0, b"").to_bytes()),
    ],
    ids=["a plain datagram", "the first fragment", "an ICMP query"],
)
def test_an_error_may_be_sent_about(host: Host, packet: bytes) -> None:
    answer(host, packet)
    assert len(host.sent()) == 1
    assert host.reasons() == {}


# --- rate limit -----------------------------------------------------------------------------------


def errors_for(host: Host, number: int, src: str = PEER) -> int:
    """Return how many of so many provocations were answered."""
    host.receive(*[udp_frame(src=src) for _ in range(number)])
    return len(host.sent())


def test_one_host_gets_a_burst_of_six_then_one_a_second(host: Host) -> None:
    assert errors_for(host, 20) == 6
    assert host.reasons() == {"udp-port-closed": 20, "icmp-rate-limited": 14}
    host.clock.advance(SECOND_NS - 1)
    assert errors_for(host, 3) == 0
    host.clock.advance(1)
    assert errors_for(host, 3) == 1
    host.clock.advance(60 * SECOND_NS)
    assert errors_for(host, 20) == 6


def test_each_host_has_a_limit_of_its_own(host: Host) -> None:
    host.know("10.0.0.3", state=State.PERMANENT)
    assert errors_for(host, 20) == 6
    assert errors_for(host, 20, "10.0.0.3") == 6


def test_all_hosts_together_get_a_burst_of_fifty_then_a_thousand_a_second() -> None:
    limiter, now = IcmpLimiter(Settings(), lambda: 0.5), SECOND_NS
    assert sum(limiter.allow(peer, now) for peer in range(200)) == 50
    now += 10 * MILLISECOND_NS
    assert sum(limiter.allow(peer, now) for peer in range(1000, 1200)) == 10
    now += 60 * SECOND_NS
    assert sum(limiter.allow(peer, now) for peer in range(2000, 2200)) == 50


def test_a_host_over_its_own_limit_does_not_use_up_that_of_all() -> None:
    limiter, now = IcmpLimiter(Settings(), lambda: 0.5), SECOND_NS
    assert sum(limiter.allow(1, now) for _ in range(1000)) == 6
    assert sum(limiter.allow(peer, now) for peer in range(2, 200)) == 44


@pytest.mark.parametrize(
    ("key", "value", "sent"),
    [
        ("icmp.ratelimit_ms", 0, 50),
        ("icmp.msgs_burst", 3, 3),
        ("icmp.msgs_burst", 0, 0),
    ],
)
def test_the_limits_are_sysctls(host: Host, key: str, value: int, sent: int) -> None:
    host.set(key, value)
    assert errors_for(host, 100) == sent


def test_the_limiter_forgets_hosts() -> None:
    settings = Settings()
    settings.set("icmp.msgs_burst", "1000000", origin="command line")
    limiter = IcmpLimiter(settings, lambda: 0.5)
    for peer in range(PEERS_LIMIT + 100):
        limiter.allow(peer, SECOND_NS)
    assert len(limiter.peers) == PEERS_LIMIT
    # The one that was quiet longest went first: it has its burst again, the last one has not.
    assert sum(limiter.allow(PEERS_LIMIT + 99, SECOND_NS) for _ in range(9)) == 5
    assert sum(limiter.allow(0, SECOND_NS) for _ in range(9)) == 6
    limiter.allow(101, SECOND_NS)
    limiter.allow(1_000_000, SECOND_NS)
    assert 101 in limiter.peers
    assert 102 not in limiter.peers


def test_the_loopback_is_not_limited() -> None:
    host = Host()
    socket = host.socket()
    for _ in range(20):
        host.send(socket, "127.0.0.1")
    host.poll()
    assert len(socket.errors) == 20
    assert host.event("icmp.errors_sent") == 20


# --- errors in ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "code", "reason", "errno"),
    [
        (3, 0, "icmp-net-unreachable", "ENETUNREACH"),
        (3, 1, "icmp-host-unreachable", "EHOSTUNREACH"),
        (3, 2, "icmp-protocol-unreachable", "ENOPROTOOPT"),
        (3, 3, "icmp-port-unreachable", "ECONNREFUSED"),
        (3, 4, "icmp-fragmentation-needed", "EMSGSIZE"),
        (3, 5, "icmp-source-route-failed", "EOPNOTSUPP"),
        (3, 6, "icmp-net-unreachable", "ENETUNREACH"),
        (3, 7, "icmp-host-unknown", "EHOSTDOWN"),
        (3, 8, "icmp-host-isolated", "ENONET"),
        (3, 9, "icmp-prohibited", "ENETUNREACH"),
        (3, 10, "icmp-prohibited", "EHOSTUNREACH"),
        (3, 11, "icmp-net-unreachable", "ENETUNREACH"),
        (3, 12, "icmp-host-unreachable", "EHOSTUNREACH"),
        (3, 13, "icmp-prohibited", "EHOSTUNREACH"),
        (3, 14, "icmp-precedence", "EHOSTUNREACH"),
        (3, 15, "icmp-precedence", "EHOSTUNREACH"),
        (3, 200, "icmp-host-unreachable", "EHOSTUNREACH"),
        (11, 0, "icmp-time-exceeded", "EHOSTUNREACH"),
        (11, 1, "icmp-fragment-lost", "EHOSTUNREACH"),
        (11, 2, "icmp-time-exceeded", "EHOSTUNREACH"),
        (12, 0, "icmp-parameter-problem", "EPROTO"),
        (12, 1, "icmp-parameter-problem", "EPROTO"),
    ],
)
def test_an_error_reaches_the_socket_it_quotes(
    host: Host, kind: int, code: int, reason: str, errno: str
) -> None:
    socket = host.socket(5000)
    host.receive(icmp_frame(kind, code, 0, udp_packet(5000, 9, src=OURS, dst=PEER), "10.0.0.3"))
    (error,) = socket.errors
    assert (error.reason.name, error.errno_name) == (reason, errno)
    assert (text(error.offender), text(error.dst), error.dport) == ("10.0.0.3", PEER, 9)
    assert host.reasons() == {reason: 1}


def test_an_error_reaches_the_ping_it_quotes(host: Host) -> None:
    client = host.stack.ping.open(ip(PEER))
    message = icmpv4.IcmpMessage(8, 0, client.ident << 16 | 7, b"").to_bytes()
    host.receive(unreachable(1, packet_of(1, message, OURS, PEER)))
    (error,) = client.errors
    assert (error.reason.name, error.dport) == ("icmp-host-unreachable", 7)
    host.receive(unreachable(1, packet_of(1, message, OURS, "10.0.0.3")))
    assert len(client.errors) == 1
    assert host.reasons()["icmp-error-unmatched"] == 1


QUOTES_OF_NOBODY: dict[str, bytes] = {
    "nothing": b"",
    "too little": udp_packet(5000, 9, src=OURS)[:19],
    "no ports": udp_packet(5000, 9, src=OURS)[:23],
    "another port": udp_packet(5001, 9, src=OURS, dst=PEER),
    "another source": udp_packet(5000, 9, src="10.0.0.3", dst=PEER),
    "another protocol": packet_of(6, bytes(8), OURS, PEER),
    "a later fragment": packet_of(17, b"\x13\x88\0\x09abcd", OURS, PEER, offset=8),
    "an echo reply": packet_of(1, icmpv4.IcmpMessage(0, 0, 0, b"").to_bytes(), OURS, PEER),
}


@pytest.mark.parametrize("quoted", QUOTES_OF_NOBODY.values(), ids=QUOTES_OF_NOBODY.keys())
def test_an_error_that_quotes_nothing_of_ours_is_unmatched(host: Host, quoted: bytes) -> None:
    socket = host.socket(5000)
    host.receive(unreachable(3, quoted))
    assert not socket.errors
    assert host.reasons() == {"icmp-error-unmatched": 1}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (4, "icmp-source-quench"),  # RFC 6633
        (9, "icmp-type-unknown"),
        (13, "icmp-timestamp-ignored"),
        (14, "icmp-type-unknown"),
        (15, "icmp-type-unknown"),
        (17, "icmp-mask-ignored"),
        (18, "icmp-mask-ignored"),
        (255, "icmp-type-unknown"),
    ],
)
def test_other_types_are_ignored(host: Host, kind: int, reason: str) -> None:
    # RFC 1122 3.2.2: unknown types are silently discarded.
    socket = host.socket(5000)
    host.receive(icmp_frame(kind, 0, 0, udp_packet(5000, 9, src=OURS, dst=PEER)))
    assert host.reasons() == {reason: 1}
    assert host.sent() == []
    assert not socket.errors
