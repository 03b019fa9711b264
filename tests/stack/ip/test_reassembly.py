"""Reassembly: RFC 791 3.2 and RFC 1122 3.3.2 rule by rule, in virtual time."""

from itertools import permutations

import pytest

from smolctl.stack.clone.stack_clone import clone_for_packet
from smolctl.stack.explain import verdict
from smolctl.stack.ip.reassembly import OVERHEAD
from smolctl.stack.reason import REASONS
from smolctl.stack.trace.journal import Listener
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import icmpv4, ipv4, udp
from smolctl.wire.address import BROADCAST_MAC, multicast_mac
from tests.kit.clock import SECOND_NS
from tests.kit.fragments import PAYLOAD, SEGMENT, payload_of, piece, pieces
from tests.kit.host import OURS, PEER, PEER_MAC, Host, echo_request, frame_of, ip, packet_of
from tests.stack.reason.provokers import fresh


@pytest.fixture
def host() -> Host:
    return fresh()


@pytest.fixture
def socket(host: Host) -> UdpSocket:
    return host.socket(7)


@pytest.fixture
def heard(host: Host) -> list[Trace]:
    """Return every packet that got a fate, in that order."""
    found: list[Trace] = []
    listener: Listener = found.append
    host.stack.watch(listener, everything=True)
    return found


# --- what is put together -------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_fragments_may_come_in_any_order(
    host: Host, socket: UdpSocket, order: tuple[int, ...]
) -> None:
    frames = pieces(8, 1480, 2000)
    for number in order[:-1]:
        host.receive(frames[number])
        assert payload_of(socket) is None
    host.receive(frames[order[-1]])
    assert payload_of(socket) == PAYLOAD
    assert host.reasons() == {"frag-pending": 3}
    assert host.event("ip.datagrams_reassembled") == 1
    assert (len(host.stack.ipv4.reassembly), host.stack.ipv4.reassembly.cost) == (0, 0)
    assert host.stack.deadline() is None


def test_the_biggest_datagram_and_the_smallest_fragments(host: Host, socket: UdpSocket) -> None:
    payload = bytes(n * 7 & 0xFF for n in range(udp.MAX_PAYLOAD))
    data = udp.to_bytes(9, 7, payload, ip(PEER), ip(OURS))
    host.set("ip.frag_high_thresh", 1_000_000_000)
    host.receive(*[piece(at, min(at + 8, len(data)), data=data) for at in range(0, len(data), 8)])
    assert payload_of(socket) == payload


@pytest.mark.parametrize(
    "other",
    [{"ident": 2}, {"src": "10.0.0.3"}, {"protocol": 1}],
    ids=["ident", "source", "protocol"],
)
def test_fragments_belong_together_by_source_destination_protocol_and_ident(
    host: Host, socket: UdpSocket, other: dict[str, int]
) -> None:
    first, last = pieces(1480)
    stranger = piece(0, 1480, **other)  # type: ignore[arg-type]
    host.receive(last, stranger)
    assert payload_of(socket) is None
    assert len(host.stack.ipv4.reassembly) == 2
    host.receive(first)
    assert payload_of(socket) == PAYLOAD
    assert len(host.stack.ipv4.reassembly) == 1


def test_two_datagrams_at_once(host: Host, socket: UdpSocket) -> None:
    for a, b in zip(pieces(800, 1600), pieces(16, ident=2), strict=False):
        host.receive(b, a)
    assert payload_of(socket) == PAYLOAD
    host.receive(pieces(800, 1600)[2])
    assert payload_of(socket) == PAYLOAD


def test_the_header_is_that_of_the_first_fragment(host: Host, heard: list[Trace]) -> None:
    host.socket(7)
    first = piece(0, 1480, options=b"\x01\x01\x01\x00")
    host.receive(piece(1480, len(SEGMENT)), first)
    (datagram,) = [trace for trace in heard if trace.fate is Fate.DELIVERED]
    header = ipv4.parse_unchecked(datagram.frame)
    assert header is not None
    assert (header.mf, header.fragment_offset, header.ident) == (False, 0, 1)
    assert header.options == b"\x01\x01\x01\x00"
    assert header.total_length == 24 + len(SEGMENT)


def test_padding_is_no_data(host: Host, socket: UdpSocket) -> None:
    data = udp.to_bytes(9, 7, b"hello, world", ip(PEER), ip(OURS))
    first, last = piece(0, 16, data=data), piece(16, 20, data=data)
    host.receive(first + bytes(10), last + bytes(22))
    assert payload_of(socket) == b"hello, world"


def test_a_wrong_sum_over_the_whole_is_found(host: Host) -> None:
    host.socket(7)
    first, last = pieces(1480)
    host.receive(first[:-1] + b"?", last)
    assert host.reasons() == {"frag-pending": 1, "udp-bad-checksum": 1}


def test_an_echo_request_in_pieces_is_answered(host: Host) -> None:
    message = echo_request(data=bytes(100))[34:]
    host.receive(*[piece(a, b, data=message, protocol=1) for a, b in ((0, 48), (48, 108))])
    (answer,) = host.sent()
    assert answer.icmp.type == icmpv4.Type.ECHO_REPLY
    assert len(answer.icmp.body) == 100


def test_a_datagram_that_came_by_broadcast_in_part_is_answered_by_no_error(host: Host) -> None:
    first, last = pieces(1480)
    host.receive(BROADCAST_MAC + first[6:], last)
    assert host.reasons() == {
        "frag-pending": 1, "udp-port-closed": 1, "icmp-reply-suppressed": 1
    }  # fmt: skip
    assert not host.sent()


def test_a_closed_port_is_told_with_the_whole_datagrams_header(host: Host) -> None:
    host.receive(*pieces(1480))
    (error,) = host.sent()
    quote = icmpv4.parse_quote(error.icmp.body)
    assert quote is not None
    assert (quote.total_length, quote.dport) == (20 + len(SEGMENT), 7)


# --- duplicates and what contradicts --------------------------------------------------------------


@pytest.mark.parametrize(("start", "end"), [(0, 800), (8, 16), (800, 1600), (400, 1200), (0, 1600)])
def test_a_duplicate_is_ignored_however_it_is_cut(
    host: Host, socket: UdpSocket, start: int, end: int
) -> None:
    first, second, third = pieces(800, 1600)
    host.receive(first, second, piece(start, end), third)
    assert payload_of(socket) == PAYLOAD
    assert host.reasons() == {"frag-pending": 2, "frag-duplicate": 1}


def test_the_last_fragment_may_come_twice(host: Host, socket: UdpSocket) -> None:
    first, last = pieces(800)
    host.receive(last, last, first)
    assert payload_of(socket) == PAYLOAD
    assert host.reasons() == {"frag-pending": 1, "frag-duplicate": 1}


OVERLAPS = {
    "other bytes in the same place": (piece(0, 800), piece(0, 800, data=SEGMENT[::-1])),
    "the end of one": (piece(0, 800), piece(792, 1600)),
    "the beginning of one": (piece(800, 1600), piece(0, 808)),
    "inside of one, other bytes": (piece(0, 800), piece(8, 16, data=SEGMENT[::-1])),
    "around one": (piece(80, 160), piece(0, 800)),
    "two and the hole between": (piece(0, 80), piece(160, 240), piece(0, 240)),
}


@pytest.mark.parametrize("frames", OVERLAPS.values(), ids=OVERLAPS.keys())
def test_rfc5722_the_whole_datagram_goes_when_fragments_overlap(
    host: Host, socket: UdpSocket, frames: tuple[bytes, ...]
) -> None:
    host.receive(*frames)
    count = len(frames)
    assert host.reasons() == {"frag-pending": count - 1, "frag-overlap": count}
    assert host.stack.ipv4.reassembly.cost == 0
    # What comes of it later goes the same way, and its sender hears nothing.
    host.receive(*pieces(800))
    assert host.reasons()["frag-overlap"] == count + 2
    host.wait(31 * SECOND_NS)
    assert (payload_of(socket), host.sent()) == (None, [])
    assert len(host.stack.ipv4.reassembly) == 0
    host.receive(*pieces(800))
    assert payload_of(socket) == PAYLOAD


CONFLICTS = {
    "another end": (piece(1600, 3080), piece(1600, 2000, last=True)),
    "beyond the end": (piece(1600, 2000, last=True), piece(2000, 2008)),
    "an end before what is there": (piece(1600, 2000), piece(800, 1600, last=True)),
}


@pytest.mark.parametrize("frames", CONFLICTS.values(), ids=CONFLICTS.keys())
def test_two_ends_are_one_too_many(
    host: Host, socket: UdpSocket, frames: tuple[bytes, ...]
) -> None:
    host.receive(*frames)
    assert host.reasons() == {"frag-pending": 1, "frag-end-conflict": 2}
    host.receive(*pieces(1600))
    assert payload_of(socket) is None


def test_an_end_that_agrees_with_what_is_there(host: Host, socket: UdpSocket) -> None:
    host.receive(piece(800, 1600), piece(1600, len(SEGMENT)), piece(0, 800))
    assert payload_of(socket) == PAYLOAD


@pytest.mark.parametrize(("end", "last"), [(0, False), (0, True), (7, False), (1479, False)])
def test_a_length_that_no_fragment_can_have(
    host: Host, socket: UdpSocket, end: int, last: bool
) -> None:
    first, second = pieces(1480)
    host.receive(first, piece(8, 8 + end, last=last), second)
    assert host.reasons() == {"frag-pending": 1, "frag-bad-length": 1}
    assert payload_of(socket) == PAYLOAD


@pytest.mark.parametrize(
    ("offset", "size", "fits"),
    [(65504, 11, True), (65504, 12, False), (65528, 1, False), (65528, 1400, False)],
)
def test_no_datagram_is_bigger_than_65535_bytes(
    host: Host, offset: int, size: int, fits: bool
) -> None:
    host.receive(piece(0, 800), frame_of(packet_of(17, bytes(size), offset=offset)))
    wanted = {"frag-pending": 2} if fits else {"frag-pending": 1, "frag-too-big": 2}
    assert host.reasons() == wanted
    host.receive(piece(800, 1600))
    assert host.reasons().get("frag-too-big", 0) == (0 if fits else 3)


def test_options_count_for_the_biggest_datagram_too(host: Host) -> None:
    data = bytes(65515)
    first = piece(0, 800, data=data, options=bytes([1, 1, 1, 1]))
    host.set("ip.frag_high_thresh", 1_000_000_000)
    host.receive(*[piece(at, min(at + 800, 65515), data=data) for at in range(800, 65515, 800)])
    host.receive(first)
    assert host.reasons() == {"frag-pending": 81, "frag-too-big": 82}


# --- time -----------------------------------------------------------------------------------------


def test_the_first_to_come_starts_the_clock_and_no_other_sets_it_back(
    host: Host, socket: UdpSocket
) -> None:
    frames = pieces(800, 1600)
    host.receive(frames[2])
    host.wait(29 * SECOND_NS)
    host.receive(frames[1])
    assert host.stack.deadline() == host.now + SECOND_NS
    host.wait(SECOND_NS - 1)
    assert "frag-timeout" not in host.reasons()
    host.wait(1)
    assert host.reasons() == {"frag-pending": 2, "frag-timeout": 2}
    assert not host.sent()  # the first fragment is not there: nobody is told
    host.receive(frames[0])
    assert payload_of(socket) is None


def test_who_sent_the_first_fragment_is_told_that_others_are_missing(host: Host) -> None:
    first, second, _ = pieces(800, 1600)
    host.receive(second, first)
    host.wait(30 * SECOND_NS)
    (error,) = host.sent()
    assert error.ip is not None
    assert (error.dst, error.ip.dst) == (PEER_MAC, ip(PEER))
    assert (error.icmp.type, error.icmp.code) == (11, icmpv4.TimeExceeded.REASSEMBLY)
    assert first[14:].startswith(error.icmp.body)
    assert len(error.icmp.body) == 548
    assert host.event("icmp.errors_sent") == 1


@pytest.mark.parametrize("to", [BROADCAST_MAC, multicast_mac(1)])
def test_rfc1122_3_2_2_nobody_is_told_of_what_came_to_all(host: Host, to: bytes) -> None:
    host.receive(to + piece(0, 800)[6:])
    host.wait(30 * SECOND_NS)
    assert host.reasons() == {
        "frag-pending": 1, "frag-timeout": 1, "icmp-reply-suppressed": 1
    }  # fmt: skip
    assert not host.sent()


def test_nobody_is_told_by_an_interface_that_is_gone(host: Host) -> None:
    host.receive(piece(0, 800))
    host.stack.interfaces.pop("tap0")
    for net in host.stack.networks.values():
        net.neighbors.pop("tap0")
    host.wait(30 * SECOND_NS)
    assert host.reasons() == {"frag-pending": 1, "frag-timeout": 1}


def test_the_time_is_a_sysctl_that_holds_for_what_waits_already(host: Host) -> None:
    host.receive(piece(0, 800))
    host.set("ip.frag_time_ms", 1000)
    host.wait(SECOND_NS)
    assert host.reasons()["frag-timeout"] == 1


def test_a_timeout_says_what_was_missing(host: Host) -> None:
    host.receive(*[piece(at, at + 8) for at in (16, 32, 48, 64, 80)])
    host.wait(30 * SECOND_NS)
    ((detail,),) = [
        [tally.detail for (why, _), tally in host.stack.ledger.reasons.items()
         if why is REASONS["frag-timeout"]]
    ]  # fmt: skip
    assert REASONS["frag-timeout"].why(detail) == (
        "40 B of the datagram came within 30 s; missing: 0-15, 24-31, 40-47, ..., the end"
    )


# --- memory and number ----------------------------------------------------------------------------


def test_the_oldest_datagram_makes_room_for_a_new_one(host: Host, socket: UdpSocket) -> None:
    host.set("ip.frag_max_datagrams", 2)
    first, last = pieces(1480)
    host.receive(first)
    host.receive(piece(0, 800, ident=2), piece(1600, 2000, ident=2))
    host.receive(piece(0, 800, ident=3))
    assert host.reasons() == {"frag-pending": 4, "frag-no-slot": 1}
    host.receive(last)  # of what is gone: it begins anew
    assert host.reasons() == {"frag-pending": 5, "frag-no-slot": 3}
    host.receive(first)
    assert payload_of(socket) == PAYLOAD


def test_memory_is_bounded_and_a_datagram_never_evicts_itself(
    host: Host, socket: UdpSocket
) -> None:
    cost = 2 * 820 + OVERHEAD
    host.set("ip.frag_high_thresh", 2 * cost)
    host.receive(piece(0, 800, ident=2), piece(0, 800), piece(800, 1600))
    assert host.reasons() == {"frag-pending": 3, "frag-no-slot": 1}
    assert host.stack.ipv4.reassembly.cost == 2 * cost
    host.receive(piece(1600, 2400))
    assert host.reasons() == {"frag-pending": 3, "frag-no-slot": 2}
    host.receive(piece(0, 80, ident=3))
    assert host.stack.ipv4.reassembly.cost == 2 * 100 + OVERHEAD
    assert payload_of(socket) is None


def test_no_room_at_all(host: Host) -> None:
    host.set("ip.frag_max_datagrams", 0)
    host.receive(*pieces(800))
    assert host.reasons() == {"frag-no-slot": 2}
    assert len(host.stack.ipv4.reassembly) == 0


def test_what_is_refused_for_good_makes_room_too(host: Host) -> None:
    host.set("ip.frag_max_datagrams", 1)
    host.receive(piece(0, 800), piece(8, 808))
    assert len(host.stack.ipv4.reassembly) == 1
    host.receive(piece(0, 800, ident=2))
    assert len(host.stack.ipv4.reassembly) == 1
    assert "frag-no-slot" not in host.reasons()


# --- what is told ---------------------------------------------------------------------------------


def test_each_fragment_has_one_fate_and_the_datagram_one_of_its_own(
    host: Host, heard: list[Trace]
) -> None:
    host.socket(7)
    host.receive(*pieces(800, 1600))
    waits, ends = heard[:2], heard[2:]
    assert [trace.fate for trace in ends] == [Fate.ABSORBED] * 3 + [Fate.DELIVERED]
    assert waits == ends[:2]
    whole = ends[-1]
    assert whole.cause is ends[2]
    row = verdict.tell(whole)
    assert row["summary"].endswith("UDP 3072 B")
    assert row["packet"] == {
        "proto": "udp", "src": PEER, "dst": OURS, "ttl": 64, "len": 3072, "sport": 9, "dport": 7
    }  # fmt: skip
    stages = [step["stage"] for step in row["steps"]]
    assert stages == ["ethernet", "ip", "route", "fragment", "ip", "udp", "socket"]
    assert row["steps"][3]["text"] == "3 fragments make a datagram of 3100 B"
    part = verdict.tell(ends[0])
    assert part["verdict"] == "put together with the others"
    assert "reason" not in part


def test_why_tells_the_steps_of_a_fragment_that_was_dropped(host: Host) -> None:
    host.receive(piece(800, 1600))
    host.wait(30 * SECOND_NS)
    assert host.stack.journal.last is not None
    row = verdict.tell(host.stack.journal.last, lambda ns: ns / 1e9)
    assert [step["stage"] for step in row["steps"]] == [
        "ethernet", "ip", "route", "fragment", "fragment"
    ]  # fmt: skip
    assert row["steps"][1]["text"].endswith("fragment of 1 at 800")
    assert (row["reason"], row["verdict"]) == ("frag-timeout", "dropped - frag-timeout")
    assert row["why"].endswith("missing: 0-799, the end")


def test_that_each_fragment_waits_is_nothing_to_remember(host: Host) -> None:
    host.socket(7)
    host.receive(*pieces(800, 1600))
    assert len(host.stack.journal) == 0


def test_a_twin_has_fragments_of_its_own(host: Host, socket: UdpSocket) -> None:
    first, last = pieces(800)
    host.receive(first)
    clone = clone_for_packet(host.stack)
    clone.receive(clone.interfaces["tap0"], last, host.now)
    assert len(clone.ipv4.reassembly) == 0
    assert len(host.stack.ipv4.reassembly) == 1
    host.receive(last)
    assert payload_of(socket) == PAYLOAD


# --- explicit congestion notification (RFC 3168 5.3) ----------------------------------------------

NOT_ECT, ECT_1, ECT_0, CE = range(4)
MARKS = [
    ((NOT_ECT, NOT_ECT, NOT_ECT), NOT_ECT),
    ((ECT_0, ECT_0, ECT_0), ECT_0),
    ((ECT_1, ECT_1, ECT_1), ECT_1),
    ((CE, CE, CE), CE),
    ((ECT_0, CE, ECT_0), CE),
    ((ECT_1, ECT_1, CE), CE),
    ((CE, ECT_0, ECT_1), CE),
    ((ECT_0, ECT_1, ECT_0), ECT_0),
]


@pytest.mark.parametrize(("marks", "mark"), MARKS)
def test_rfc3168_5_3_a_mark_of_one_fragment_is_that_of_the_datagram(
    host: Host, heard: list[Trace], marks: tuple[int, ...], mark: int
) -> None:
    host.socket(7)
    segment = udp.to_bytes(9, 7, bytes(28), ip(PEER), ip(OURS))
    for number, each in enumerate(marks):
        at = 16 * number
        payload, more = segment[at : at + 16], number < 2
        host.receive(frame_of(packet_of(17, payload, offset=at, mf=more, tos=10 << 2 | each)))
    (whole,) = [trace for trace in heard if trace.fate is Fate.DELIVERED]
    assert ipv4.parse(whole.frame).dscp_ecn == 10 << 2 | mark  # type: ignore[union-attr]


@pytest.mark.parametrize("other", [ECT_1, ECT_0, CE])
@pytest.mark.parametrize("first", [True, False])
def test_fragments_that_disagree_whether_they_can_be_marked_are_dropped(
    host: Host, socket: UdpSocket, other: int, first: bool
) -> None:
    marks = (NOT_ECT, other) if first else (other, NOT_ECT)
    segment = udp.to_bytes(9, 7, bytes(24), ip(PEER), ip(OURS))
    for at, mark in zip((0, 16), marks, strict=True):
        host.receive(frame_of(packet_of(17, segment[at : at + 16], offset=at, mf=not at, tos=mark)))
    assert host.reasons() == {"frag-pending": 1, "frag-ecn-mixed": 2}
    assert payload_of(socket) is None
