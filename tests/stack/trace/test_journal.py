"""The journal: what is remembered of a packet, and who hears of it."""

from smolctl.stack import reason
from smolctl.stack.neighbor.states import State
from smolctl.stack.trace.facts import Asked, Bound, Loser, Owner, Resolved, Taken
from smolctl.stack.trace.journal import CAPACITY, FRAME_LIMIT
from smolctl.stack.trace.trace import Direction, Fate, Trace
from tests.kit.clock import SECOND_NS
from tests.kit.host import DEAD, OURS, PEER, Host, arp_frame, ip, reply, udp_frame


def stages(trace: Trace) -> list[str]:
    return [f"{step.stage} {step.result}" for step in trace.steps]


def only(host: Host) -> Trace:
    """Return the one packet that the journal remembers."""
    (trace,) = host.stack.journal
    return trace


# --- what is remembered ---------------------------------------------------------------------------


def test_what_goes_well_and_nobody_follows_is_not_remembered() -> None:
    host = Host()
    host.know()
    socket = host.socket(7)
    for _ in range(3):
        host.receive(udp_frame())
        host.stack.udp.send(socket, b"x", ip(PEER), 9, host.now)
    host.sent()
    assert len(host.stack.journal) == 0
    assert host.stack.journal.last is None


def test_a_dropped_frame_is_remembered_with_its_steps() -> None:
    host = Host()
    frame = udp_frame(dst="10.0.0.77")
    host.receive(frame)
    trace = only(host)
    assert (trace.id, trace.direction, trace.dev, trace.linked) == (1, Direction.IN, "tap0", True)
    assert (trace.frame, trace.fate, trace.reason) == (frame, Fate.DROPPED, reason.IP_DST_NOT_OURS)
    assert stages(trace) == ["ethernet ok", "ip ok", "route drop"]
    assert trace.at_ns == host.now
    assert host.stack.journal.get(1) is trace


def test_a_refused_datagram_is_answered_by_a_message_that_knows_its_cause() -> None:
    host = Host()
    host.know()
    heard: list[Trace] = []
    host.stack.watch(heard.append, everything=True)
    host.receive(udp_frame())
    host.sent()
    refused, error = heard
    assert (refused.reason, refused.fate) == (reason.UDP_PORT_CLOSED, Fate.REJECTED)
    assert stages(refused) == ["ethernet ok", "ip ok", "route pick", "udp ok", "socket reject"]
    owner = refused.steps[2].facts
    assert isinstance(owner, Owner)
    assert owner.dst == ip(OURS)
    assert error.cause is refused
    assert (error.direction, error.fate) == (Direction.OUT, Fate.SENT)
    assert (refused.id, error.id) == (1, 2)


def test_a_packet_that_waited_is_remembered_and_its_end_noted() -> None:
    host = Host()
    socket = host.socket(7)
    host.stack.udp.send(socket, b"x", ip(PEER), 9, host.now)
    trace = only(host)
    assert (trace.fate, trace.reason, trace.settled) == (
        Fate.WAITING,
        reason.NEIGH_PENDING,
        False,
    )
    host.clock.advance(1_300_000)
    host.receive(reply(PEER))
    host.sent()
    assert only(host) is trace
    assert (trace.fate, trace.reason, trace.waited_for) == (Fate.SENT, None, reason.NEIGH_PENDING)
    assert stages(trace) == [
        "socket ok", "route pick", "neigh wait", "arp wait", "neigh ok", "device ok",
    ]  # fmt: skip
    bound, _, _, asked, resolved, taken = (step.facts for step in trace.steps)
    assert bound == Bound(0, 7, None, "test")
    assert asked == Asked(ip(PEER), ip(OURS), 1, False)
    assert isinstance(resolved, Resolved)
    assert (resolved.ip, resolved.state) == (ip(PEER), State.REACHABLE.value)
    assert taken == Taken("tap0", resolved.lladdr, len(trace.frame))
    assert trace.steps[-1].at_ns - trace.began_ns == 1_300_000


def test_every_request_for_a_silent_neighbor_is_a_step() -> None:
    host = Host()
    host.stack.udp.send(host.socket(7), b"x", ip(DEAD), 9, host.now)
    host.wait(10 * SECOND_NS)
    trace = only(host)
    assert (trace.fate, trace.reason) == (Fate.REJECTED, reason.NEIGH_FAILED)
    asked = [step.facts for step in trace.steps if isinstance(step.facts, Asked)]
    assert [facts.number for facts in asked] == [1, 2, 3]


def test_what_is_sent_by_hand_is_remembered_from_its_beginning() -> None:
    host = Host()
    host.know()
    trace = Trace()
    host.stack.udp.send(host.socket(7), b"x", ip(PEER), 9, host.now, trace)
    assert only(host) is trace
    assert (trace.id, trace.began_ns, trace.fate) == (1, host.now, None)
    assert trace.flow is not None
    assert trace.flow[:1] + trace.flow[2:6] == ("udp", 7, ip(PEER), 9, 1)
    host.sent()
    losers = [step.facts for step in trace.steps if isinstance(step.facts, Loser)]
    assert {loser.cause for loser in losers} == {"prefix"}
    assert len(losers) == len(list(host.stack.ipv4.fib)) - 1


def test_the_last_one_is_what_was_sent_by_hand() -> None:
    host = Host()
    trace = Trace()
    host.stack.udp.send(host.socket(7), b"x", ip(PEER), 9, host.now, trace)
    host.receive(udp_frame(dst="10.0.0.77"))
    assert len(host.stack.journal) == 2
    assert host.stack.journal.last is trace


def test_the_journal_is_bounded_in_packets_and_bytes() -> None:
    host = Host()
    for _ in range(CAPACITY + 5):
        host.receive(b"\2" + bytes(5000))
    journal = host.stack.journal
    kept = list(journal)
    assert [trace.id for trace in kept] == list(range(6, CAPACITY + 6))
    assert {len(trace.frame) for trace in kept} == {FRAME_LIMIT}
    assert [journal.get(number) for number in (5, 6, CAPACITY + 5, CAPACITY + 6)] == [
        None, kept[0], kept[-1], None,
    ]  # fmt: skip
    assert journal.last is kept[-1]


# --- who hears ------------------------------------------------------------------------------------


def test_who_wants_trouble_hears_of_trouble_only() -> None:
    host = Host()
    host.know()
    heard: list[tuple[int, Fate | None]] = []

    def listener(trace: Trace) -> None:
        heard.append((trace.id, trace.fate))

    host.stack.watch(listener, everything=False)
    host.socket(7)
    host.receive(udp_frame(), arp_frame(1, PEER, OURS), udp_frame(dport=8))
    host.stack.udp.send(host.socket(9), b"x", ip(DEAD), 9, host.now)
    host.wait(10 * SECOND_NS)
    assert heard == [(1, Fate.REJECTED), (2, Fate.WAITING), (2, Fate.REJECTED)]
    host.stack.unwatch(listener)
    host.receive(udp_frame(dport=8))
    assert len(heard) == 3


def test_who_wants_everything_hears_of_what_the_fast_path_would_take() -> None:
    host = Host()
    host.know()
    socket = host.socket(7)
    host.receive(udp_frame(), udp_frame())
    host.stack.udp.send(socket, b"x", ip(PEER), 9, host.now)
    host.sent()
    assert host.tap.flows
    assert socket.flows
    heard: list[Trace] = []
    host.stack.watch(heard.append, everything=True)
    host.receive(udp_frame(), udp_frame())
    for _ in range(2):
        host.stack.udp.send(socket, b"x", ip(PEER), 9, host.now)
    assert [trace.fate for trace in heard] == [Fate.DELIVERED] * 2
    host.sent()
    assert [trace.fate for trace in heard[2:]] == [Fate.SENT] * 2
    host.stack.unwatch(heard.append)
    host.receive(udp_frame(), udp_frame())
    assert host.tap.flows
    assert len(socket.queue) == 6


def test_a_whole_frame_is_shown_to_listeners_before_it_is_cut() -> None:
    host = Host()
    lengths: list[int] = []
    host.stack.watch(lambda trace: lengths.append(len(trace.frame)), everything=False)
    host.receive(b"\2" + bytes(5000))
    assert lengths == [5001]


def test_what_is_sent_to_ourselves_is_one_packet() -> None:
    host = Host()
    host.socket(7)
    heard: list[Trace] = []
    host.stack.watch(heard.append, everything=True)
    host.stack.udp.send(host.socket(9), b"x", ip(OURS), 7, host.now)
    host.poll()
    (trace,) = heard
    assert (trace.direction, trace.dev, trace.fate) == (Direction.LOCAL, "lo", Fate.DELIVERED)
    assert not trace.linked
    assert stages(trace) == [
        "socket ok", "route pick", "ip ok", "route pick", "udp ok", "socket pick",
    ]  # fmt: skip
