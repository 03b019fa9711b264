"""Packets that leave: addresses, flags, sizes and the frames around them."""

import pytest

from smolctl.errors import SendRejected
from smolctl.stack.config.link import set_carrier, set_mtu
from smolctl.stack.explain import verdict
from smolctl.stack.fib.route import RouteType
from smolctl.stack.interface import OUTBOX_LIMIT
from smolctl.stack.ip.protocol import PLAIN, Pmtudisc, SendOptions
from smolctl.stack.ipv4.output import icmp_output
from smolctl.stack.neighbor.states import State
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.wire import icmpv4, ipv4, ipv4_options, udp
from smolctl.wire.address import BROADCAST_MAC, parse_mac
from tests.kit.clock import SECOND_NS
from tests.kit.host import (
    DEAD,
    OTHER_MAC,
    OUR_MAC,
    OURS,
    PEER,
    PEER_MAC,
    Host,
    Seen,
    echo_request,
    frame_of,
    ip,
    reply,
    text,
    udp_frame,
    udp_packet,
)
from tests.stack.reason.provokers import fresh


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


BIG = bytes(range(256)) * 16


def whole(frames: list[Seen]) -> Seen:
    """Put fragments together by another's arithmetic than the stack's: offsets as they stand."""
    headers = [frame.ip for frame in frames if frame.ip]
    assert len(headers) == len(frames)
    assert {header.ident for header in headers} == {headers[0].ident}
    data = bytearray()
    for header, frame in zip(headers, frames, strict=True):
        assert header.fragment_offset == len(data)
        assert header.df is False
        data += frame.payload
    assert [header.mf for header in headers] == [True] * (len(headers) - 1) + [False]
    return frames[0]._replace(payload=bytes(data))


def big_ping(host: Host, size: int, pmtudisc: Pmtudisc = Pmtudisc.WANT, dst: str = PEER) -> Trace:
    trace = Trace()
    message = icmpv4.IcmpMessage(8, 0, 1, bytes(size))
    icmp_output(host.stack.ipv4, message, ip(dst), host.now, SendOptions(pmtudisc=pmtudisc), trace)
    return trace


def test_a_datagram_that_is_too_big_leaves_in_fragments() -> None:
    host = fresh()
    socket = host.socket(5000)
    trace = host.send(socket, payload=BIG)
    assert not trace.settled
    frames = host.sent()
    assert [len(frame.payload) for frame in frames] == [1480, 1480, 8 + 4096 - 2960]
    assert {(frame.dst, frame.ip.ttl) for frame in frames if frame.ip} == {(PEER_MAC, 64)}
    assert whole(frames).udp == (5000, 9, BIG)
    assert trace.fate is Fate.SENT
    assert (trace.parts, socket.tx_datagrams) == (3, 1)
    assert (host.event("ip.datagrams_fragmented"), host.event("ip.fragments_created")) == (1, 3)


@pytest.mark.parametrize("mtu", [96, 576, 1006, 1500, 9000])
def test_the_largest_datagram_arrives_whole_at_any_mtu(mtu: int) -> None:
    host, peer = fresh(), Host(f"{PEER}/24")
    set_mtu(host.stack.shared, host.tap, mtu)
    socket, payload = peer.socket(9), BIG * 15 + BIG[: 65507 - 15 * 4096]
    peer.set("ip.frag_max_datagrams", 1)
    frames: list[bytes] = []
    trace = host.send(host.socket(), payload=payload)
    frames += host.take()
    for frame in frames:
        peer.receive(peer.tap.mac + PEER_MAC + frame[12:])
    datagram = socket.receive()
    assert max(len(frame) for frame in frames) <= mtu + 14
    assert datagram is not None
    assert datagram.payload == payload
    assert trace.fate is Fate.SENT


@pytest.mark.parametrize(
    ("pmtudisc", "size", "df", "pieces"),
    [
        (Pmtudisc.DONT, 100, False, 1),
        (Pmtudisc.WANT, 100, True, 1),
        (Pmtudisc.DO, 100, True, 1),
        (Pmtudisc.PROBE, 100, True, 1),
        (Pmtudisc.DONT, 1473, False, 2),
        (Pmtudisc.WANT, 1473, False, 2),
    ],
)
@pytest.mark.parametrize("proto", ["udp", "icmp"])
def test_df_is_as_in_linux(
    proto: str, pmtudisc: Pmtudisc, size: int, df: bool, pieces: int
) -> None:
    host = fresh()
    if proto == "udp":
        socket = host.socket()
        socket.pmtudisc = pmtudisc
        host.send(socket, payload=bytes(size))
    else:
        big_ping(host, size, pmtudisc)
    headers = [frame.ip for frame in host.sent() if frame.ip]
    assert [header.df for header in headers] == [df] * pieces
    # RFC 6864 4.1: with DF and whole, an ident says nothing; else it must.
    assert all((header.ident == 0) == df for header in headers)


def test_without_df_nothing_takes_the_fast_path() -> None:
    """Its headers have DF: they would say what the sender does not want."""
    host = fresh()
    socket = host.socket()
    socket.pmtudisc = Pmtudisc.DONT
    for _ in range(3):
        host.stack.udp.send(socket, b"x", ip(PEER), 9, host.now)
    headers = [frame.ip for frame in host.sent() if frame.ip]
    assert [header.df for header in headers] == [False] * 3
    idents = [header.ident for header in headers]
    assert idents == [idents[0], idents[0] + 1, idents[0] + 2]


@pytest.mark.parametrize("pmtudisc", [Pmtudisc.DO, Pmtudisc.PROBE])
def test_who_insists_on_df_is_refused_with_the_limit(pmtudisc: Pmtudisc) -> None:
    host = fresh()
    with pytest.raises(SendRejected, match="at most 1472 B of payload fit") as caught:
        big_ping(host, 1473, pmtudisc)
    assert (caught.value.code, caught.value.errno_name) == ("tx-too-big", "EMSGSIZE")
    assert caught.value.hint == "smolctl link set tap0 mtu 1501"
    assert host.sent() == []


def test_options_that_are_not_copied_stand_in_the_first_fragment_alone() -> None:
    """RFC 791 3.1: record route is in the first only; who follows has room for more data."""
    host = fresh()
    socket = host.socket(5000)
    socket.options = ipv4_options.record()
    host.send(socket, payload=BIG)
    frames = host.sent()
    assert [len(frame.ip.options) for frame in frames if frame.ip] == [40, 0, 0]
    assert [len(frame.payload) for frame in frames] == [1440, 1480, 4104 - 2920]
    assert whole(frames).udp == (5000, 9, BIG)


def test_each_path_counts_its_own_idents() -> None:
    """RFC 6864 4.2: unique for source, destination and protocol; not one counter for all."""
    host = fresh()
    host.know("10.0.0.3")
    socket = host.socket()

    def ident(dst: str) -> int:
        host.send(socket, dst, payload=BIG)
        header = whole(host.sent()).ip
        assert header is not None
        return header.ident

    first, other = ident(PEER), ident("10.0.0.3")
    assert [ident(PEER) - first for _ in range(2)] == [1, 2]
    assert ident("10.0.0.3") == other + 1


def test_what_leads_nowhere_uses_up_no_ident() -> None:
    host = fresh()
    big_ping(host, 5)
    with pytest.raises(SendRejected):
        host.send(host.socket(), "8.8.8.8", payload=BIG)
    assert host.event("ip.datagrams_fragmented") == 0


# --- fates ----------------------------------------------------------------------------------------


def heard_of(host: Host) -> list[Trace]:
    heard: list[Trace] = []
    host.stack.watch(heard.append, everything=True)
    return heard


def test_fragments_wait_for_arp_together_and_leave_in_order() -> None:
    host = Host()
    heard = heard_of(host)
    trace = host.send(host.socket(5000), payload=BIG)
    assert (trace.fate, trace.reason and trace.reason.name) == (Fate.WAITING, "neigh-pending")
    assert trace.detail["queued"] == 3
    assert [frame.arp is not None for frame in host.sent()] == [True]
    host.receive(reply())
    assert whole(host.sent()).udp == (5000, 9, BIG)
    assert trace.fate is Fate.SENT
    parts = [each for each in dict.fromkeys(heard) if each.whole is trace]
    assert [each.fate for each in parts] == [Fate.SENT] * 3
    assert all(each.cause is trace and each.id != trace.id for each in parts)
    assert verdict.tell(trace, float)["verdict"].startswith("sent by tap0")


def test_a_dead_neighbor_ends_all_fragments_and_the_sender_hears_of_it_once() -> None:
    host = fresh()
    socket = host.socket(5000)
    trace = host.send(socket, DEAD, payload=BIG)
    host.wait(4_000_000_000)
    assert (trace.fate, trace.reason and trace.reason.name) == (Fate.REJECTED, "neigh-failed")
    assert host.reasons() == {"neigh-pending": 3, "neigh-failed": 3}
    (error,) = socket.errors
    assert (error.errno_name, error.dport) == ("EHOSTUNREACH", 9)


def test_the_queue_behind_arp_stays_within_its_bound() -> None:
    host = fresh()
    host.set("neigh.unres_qlen", 2)
    trace = host.send(host.socket(), DEAD, payload=BIG)
    entry = host.neighbor(DEAD)
    assert entry is not None
    assert len(entry.queue) == 2
    assert host.reasons() == {"neigh-pending": 3, "neigh-queue-full": 1}
    # Without its first fragment the datagram is lost, whatever becomes of the others.
    assert (trace.fate, trace.reason and trace.reason.name) == (Fate.DROPPED, "neigh-queue-full")
    host.receive(reply(DEAD))
    assert [frame.ip is not None for frame in host.sent()] == [False, True, True]
    assert trace.fate is Fate.DROPPED


def test_a_full_outbox_drops_the_rest_and_the_datagram() -> None:
    host = fresh()
    set_mtu(host.stack.shared, host.tap, 68)
    trace = host.send(host.socket(), payload=bytes(65507))
    assert (trace.fate, trace.reason and trace.reason.name) == (Fate.DROPPED, "tx-queue-full")
    number = -(-65515 // 48)
    assert host.reasons() == {"tx-queue-full": number - 1000}
    assert len(host.take()) == 1000


def test_where_no_neighbor_fits_no_fragment_is_tried_after_the_first() -> None:
    host = fresh()
    host.set("iface.neighbor_cache_count", 1)
    with pytest.raises(SendRejected, match="are permanent") as caught:
        host.send(host.socket(), DEAD, payload=BIG)
    assert caught.value.code == "neigh-table-full"
    assert host.reasons() == {"neigh-table-full": 1}


def test_no_carrier_drops_each_fragment() -> None:
    host = fresh()
    set_carrier(host.stack.shared, host.tap, False, host.now)
    trace = host.send(host.socket(), payload=BIG)
    assert (trace.fate, trace.reason and trace.reason.name) == (Fate.DROPPED, "tx-no-carrier")
    assert host.reasons() == {"tx-no-carrier": 3}


def test_a_broadcast_is_heard_whole_here_and_in_fragments_by_others() -> None:
    host = fresh()
    listener, socket = host.socket(9), host.socket()
    socket.broadcast = True
    host.send(socket, "10.0.0.255", payload=BIG)
    host.poll()
    datagram = listener.receive()
    assert datagram is not None
    assert datagram.payload == BIG
    frames = host.sent()
    assert {frame.dst for frame in frames} == {b"\xff" * 6}
    assert whole(frames).udp[2] == BIG


def test_a_loopback_with_a_small_mtu_puts_together_what_it_cut() -> None:
    host = fresh()
    set_mtu(host.stack.shared, host.stack.interfaces.loopback, 1500)
    heard, listener = heard_of(host), host.socket(9)
    trace = host.send(host.socket(), OURS, payload=BIG)
    host.poll()
    datagram = listener.receive()
    assert datagram is not None
    assert datagram.payload == BIG
    # The datagram's own fate, and that of its sender's trace: it is one packet.
    assert trace.fate is Fate.DELIVERED
    parts = [each for each in dict.fromkeys(heard) if each.whole is trace]
    assert [each.fate for each in parts] == [Fate.ABSORBED] * 3
    stages = [step.stage for step in trace.steps]
    assert stages.count("fragment") == 3, "it is cut, it waits for all pieces, they are joined"
    assert "udp" in stages


def test_a_refusal_behind_the_loopback_is_the_datagrams_own() -> None:
    host = fresh()
    set_mtu(host.stack.shared, host.stack.interfaces.loopback, 1500)
    trace = host.send(host.socket(5000), OURS, payload=BIG)
    host.poll()
    assert (trace.fate, trace.reason and trace.reason.name) == (Fate.REJECTED, "udp-port-closed")


def test_the_story_names_the_fragments() -> None:
    host = fresh()
    heard = heard_of(host)
    trace = host.send(host.socket(), payload=BIG)
    host.sent()
    row = verdict.tell(trace, float)
    (cut,) = [step for step in row["steps"] if step["stage"] == "fragment"]
    assert (cut["fragments"], cut["len"], cut["mtu"]) == (3, 28 + 4096, 1500)
    assert cut["text"] == "4124 B leave as 3 fragments of at most 1500 B"
    parts = [verdict.tell(each, float) for each in heard if each.whole is trace]
    assert [row["cause"]["id"] for row in parts] == [trace.id] * 3
    headers = [step for row in parts for step in row["steps"] if step["stage"] == "ip"]
    assert [step["offset"] for step in headers] == [0, 1480, 2960]
    assert {step["ident"] for step in headers} == {cut["ident"]}


# --- ICMP -----------------------------------------------------------------------------------------


def test_a_big_echo_request_is_answered_in_fragments() -> None:
    host = fresh()
    message = echo_request(7, 1, BIG)[14:]
    header = ipv4.parse(message)
    assert isinstance(header, ipv4.Ipv4Header)
    data = ipv4.payload(message, header)
    for start in range(0, len(data), 1480):
        part = data[start : start + 1480]
        more = start + 1480 < len(data)
        packet = header._replace(total_length=20 + len(part), mf=more, fragment_offset=start)
        host.receive(frame_of(packet.to_bytes() + part))
    answer = whole(host.sent()).icmp
    assert (answer.type, answer.body) == (0, BIG)
    assert host.event("icmp.echo_replies_sent") == 1


def test_an_error_fits_the_smallest_link_and_quotes_as_much_as_it_can() -> None:
    for mtu, size in ((1500, 576), (576, 576), (296, 296), (68, 68)):
        host = fresh()
        set_mtu(host.stack.shared, host.tap, mtu)
        host.receive(frame_of(udp_packet(9, 4444, bytes(1000))))
        (error,) = host.sent()
        assert error.ip is not None
        assert error.ip.total_length == size
        assert (error.ip.df, error.icmp.type, error.icmp.code) == (False, 3, 3)
        assert udp_packet(9, 4444, bytes(1000)).startswith(error.icmp.body)


def test_no_more_than_an_ip_packet_holds_is_sent() -> None:
    host = fresh()
    with pytest.raises(SendRejected) as caught:
        host.send(host.socket(), payload=bytes(udp.MAX_PAYLOAD + 1))
    assert caught.value.code == "tx-payload-too-long"
    with pytest.raises(SendRejected) as caught:
        big_ping(host, 65508)
    assert caught.value.code == "tx-payload-too-long"
    assert host.sent() == []
