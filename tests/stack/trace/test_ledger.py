"""Fates: one for every packet, counted, and told to who follows it."""

from smolctl.stack import reason
from smolctl.stack.link.outbox import TracedFrame
from smolctl.stack.reason import REASONS, Kind
from smolctl.stack.trace.ledger import Ledger
from smolctl.stack.trace.trace import Fate, Trace
from tests.kit.clock import SECOND_NS
from tests.kit.host import DEAD, PEER, Host, ip, reply, udp_frame


def test_only_the_first_fate_counts() -> None:
    trace = Trace()
    settled = [trace.settled]
    trace.settle(Fate.WAITING, 1, reason.NEIGH_PENDING)
    settled.append(trace.settled)
    trace.settle(Fate.SENT, 2)
    settled.append(trace.settled)
    assert settled == [False, False, True]
    trace.settle(Fate.DROPPED, 3, reason.TX_QUEUE_FULL)
    trace.settle(Fate.WAITING, 4, reason.NEIGH_PENDING)
    assert (trace.fate, trace.reason, trace.at_ns, trace.detail) == (Fate.SENT, None, 2, {})


def test_who_follows_hears_of_each_change_once() -> None:
    heard: list[tuple[Fate | None, str | None]] = []

    def note(trace: Trace) -> None:
        heard.append((trace.fate, trace.reason.name if trace.reason else None))

    trace = Trace(note)
    trace.settle(Fate.WAITING, 1, reason.NEIGH_PENDING, {"queued": 1})
    trace.settle(Fate.REJECTED, 2, reason.NEIGH_FAILED)
    trace.settle(Fate.SENT, 3)
    assert heard == [(Fate.WAITING, "neigh-pending"), (Fate.REJECTED, "neigh-failed")]


def test_a_record_counts_by_reason_and_interface() -> None:
    ledger = Ledger()
    ledger.record(reason.TX_NO_ROUTE, "", 1, ip="a")
    ledger.record(reason.TX_QUEUE_FULL, "tap0", 2)
    ledger.record(reason.TX_QUEUE_FULL, "tap0", 3, n=7)
    ledger.record(reason.TX_QUEUE_FULL, "tap1", 4)
    tally = ledger.reasons[reason.TX_QUEUE_FULL, "tap0"]
    assert (tally.count, tally.last_ns, tally.detail) == (2, 3, {"n": 7, "dev": "tap0"})
    assert ledger.total(reason.TX_QUEUE_FULL) == 3
    assert ledger.total(reason.TX_NO_ROUTE) == 1
    assert ledger.total(reason.TX_TTL_ZERO) == 0


def test_each_kind_of_reason_is_a_fate_of_its_own_and_a_note_is_none() -> None:
    wanted = {
        Kind.DROP: Fate.DROPPED,
        Kind.REJECT: Fate.REJECTED,
        Kind.WAIT: Fate.WAITING,
        Kind.NOTE: None,
    }
    for item in REASONS.values():
        trace = Trace()
        Ledger().record(item, "tap0", 1, trace)
        assert trace.fate is wanted[item.kind]


def test_events_count_by_name() -> None:
    ledger = Ledger()
    ledger.count("arp.learned")
    ledger.count("arp.learned", 2)
    assert ledger.events == {"arp.learned": 3}


# --- on a stack -----------------------------------------------------------------------------------


def history(host: Host, dst: str, dport: int = 9) -> tuple[Trace, list[str]]:
    """Send a followed datagram; return its trace and, as it goes on, the list of its fates."""
    heard: list[str] = []
    trace = Trace(lambda changed: heard.append(str(changed.fate)))
    socket = host.socket()
    host.stack.udp.send(socket, b"x", ip(dst), dport, host.now, trace)
    return trace, heard


def test_a_datagram_to_a_known_neighbor_is_sent_when_the_device_took_it() -> None:
    host = Host()
    host.know()
    trace, heard = history(host, PEER)
    assert heard == []
    host.clock.advance(5)
    host.sent()
    assert heard == ["sent"]
    assert (trace.dev, trace.gateway, trace.at_ns) == ("tap0", None, host.now)


def test_a_datagram_waits_for_arp_before_it_is_sent() -> None:
    host = Host()
    host.route("0.0.0.0/0", via="10.0.0.254")
    trace, heard = history(host, "8.8.8.8")
    host.sent()
    assert heard == ["waiting"]
    assert trace.reason is reason.NEIGH_PENDING
    host.receive(reply("10.0.0.254"))
    assert heard == ["waiting"]
    host.sent()
    assert heard == ["waiting", "sent"]
    assert trace.gateway == ip("10.0.0.254")


def test_a_datagram_to_a_dead_neighbor_is_rejected_after_three_seconds() -> None:
    host = Host()
    start = host.now
    trace, heard = history(host, DEAD)
    host.wait(10 * SECOND_NS)
    assert heard == ["waiting", "rejected"]
    assert trace.at_ns == start + 3 * SECOND_NS
    assert trace.reason is reason.NEIGH_FAILED
    assert trace.reason.explain(trace.detail).startswith("3 ARP requests for 10.0.0.9 on tap0")


def test_a_datagram_to_ourselves_is_delivered_or_rejected() -> None:
    host = Host()
    host.socket(7)
    trace, heard = history(host, "127.0.0.1", 7)
    assert heard == []
    host.poll()
    assert heard == ["delivered"]
    assert trace.dev == "lo"
    trace, heard = history(host, "127.0.0.1", 8)
    host.poll()
    assert heard == ["rejected"]
    assert trace.reason is reason.UDP_PORT_CLOSED


def test_a_broadcast_is_followed_on_the_wire_not_to_ourselves() -> None:
    host = Host()
    listener, sender = host.socket(7), host.socket()
    sender.broadcast = True
    trace = host.send(sender, "10.0.0.255", 7)
    host.poll()
    assert len(listener.queue) == 1
    assert trace.fate is None
    host.sent()
    assert trace.fate is Fate.SENT


def test_frames_that_are_followed_are_counted_in_and_out() -> None:
    host = Host()
    host.know()
    for _ in range(3):
        host.send(host.socket())
    assert host.tap.traced == 3
    item = host.tap.outbox.pop()
    assert isinstance(item, TracedFrame)
    host.stack.transmit_failed(host.tap, item, "tx-queue-full", host.now)
    assert item.trace.reason is reason.TX_QUEUE_FULL
    host.sent()
    assert host.tap.traced == 0


def test_link_counters_count_what_passed() -> None:
    host = Host()
    host.know()
    host.receive(udp_frame(), udp_frame())
    host.send(host.socket())
    frames = host.sent()
    counters = host.tap.counters
    assert (counters.rx_packets, counters.rx_bytes) == (2, 2 * len(udp_frame()))
    assert counters.tx_packets == len(frames) == 3
