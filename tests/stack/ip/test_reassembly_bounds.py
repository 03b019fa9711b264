"""Reassembly within bounds of time and memory, and what is told of it."""

import pytest

from smolctl.stack.clone.stack_clone import clone_for_packet
from smolctl.stack.explain import verdict
from smolctl.stack.ip.reassembly import OVERHEAD
from smolctl.stack.reason import REASONS
from smolctl.stack.trace.journal import Listener
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import icmpv4
from smolctl.wire.address import BROADCAST_MAC, multicast_mac
from tests.kit.clock import SECOND_NS
from tests.kit.fragments import PAYLOAD, payload_of, piece, pieces
from tests.kit.host import OURS, PEER, PEER_MAC, Host, ip
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
    host.stack.ipv4.neighbors.pop("tap0")
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
