"""Bad links: what happens to frames, how often, and when; time is a number, chance is seeded."""

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import InvalidArgument
from smolctl.stack.alarm import Alarm
from smolctl.stack.config.link import delete_interface, set_carrier, set_up
from smolctl.stack.config.netem import set_impairment
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.link.impairment import LIMIT_BYTES, LIMIT_FRAMES, Effect, Impairment, Netem
from smolctl.stack.link.outbox import TracedFrame
from smolctl.stack.reason import LAB_DELAY
from smolctl.stack.trace.trace import Fate, Trace
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import PEER, Host, ip
from tests.stack.reason.provokers import fresh

FRAME = bytes(range(100))
MANY = 20_000


def _middle() -> float:
    return 0.5


def bad(seed: int = 1, **netem: Any) -> Impairment:
    return Impairment(Netem(**netem), random.Random(seed).random, Alarm())


def frames(impairment: Impairment, now: int) -> list[bytes]:
    return [frame for frame, _ in impairment.due(now)]


def test_a_link_that_is_not_bad_passes_all_at_once_in_order() -> None:
    link = bad()
    for number in range(10):
        verdict = link.offer(bytes([number]), Trace(), 5)
        assert verdict == ([], 5, None)
    assert frames(link, 5) == [bytes([number]) for number in range(10)]
    assert (len(link), link.delayed_bytes, link.deadline()) == (0, 0, None)


@pytest.mark.parametrize("probability", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("what", ["loss", "corrupt", "duplicate", "reorder"])
def test_it_happens_as_often_as_asked_for(what: str, probability: float) -> None:
    chances: dict[str, Any] = {what: probability}
    link = bad(delay_ns=SECOND_NS if what == "reorder" else 0, **chances)
    struck = 0
    for _ in range(MANY):
        effects = link.offer(FRAME, Trace(), 0).effects
        struck += Effect(f"lab-{what}") in effects
        link.flush()
    # Five standard deviations of a binomial distribution; the seed is fixed, so never by chance.
    spread = 5 * (probability * (1 - probability) / MANY) ** 0.5
    assert abs(struck / MANY - probability) < spread


def test_never_and_always() -> None:
    for _ in range(1000):
        assert bad().offer(FRAME, Trace(), 0).effects == []
        assert bad(loss=1).offer(FRAME, Trace(), 0) == ([Effect.LOSS], None, None)


def test_lost_and_duplicated_goes_once() -> None:
    link = bad(loss=1, duplicate=1)
    assert link.offer(FRAME, Trace(), 0).effects == []
    assert frames(link, 0) == [FRAME]


@given(st.binary(min_size=1, max_size=80), st.integers(0, 1000))
def test_corruption_flips_the_one_bit_that_it_names(frame: bytes, seed: int) -> None:
    link = bad(seed, corrupt=1)
    bit = link.offer(frame, Trace(), 0).bit
    (sent,) = frames(link, 0)
    assert bit is not None
    difference = int.from_bytes(frame) ^ int.from_bytes(sent)
    assert difference == 1 << (8 * len(frame) - 1 - bit)


def test_corruption_reaches_every_byte() -> None:
    link = bad(corrupt=1)
    bits = set()
    for _ in range(5000):
        bits.add(link.offer(bytes(14), Trace(), 0).bit)
        link.flush()
    assert bits == set(range(8 * 14))


def test_the_copy_is_not_corrupted() -> None:
    link = bad(corrupt=1, duplicate=1)
    link.offer(FRAME, Trace(), 0)
    first, copy = frames(link, 0)
    assert first != FRAME
    assert copy == FRAME


def test_a_delay_holds_back_in_order() -> None:
    link = bad(delay_ns=10)
    for now in range(5):
        assert link.offer(bytes([now]), Trace(), now) == ([Effect.DELAY], now + 10, None)
    assert link.deadline() == 10
    assert frames(link, 9) == []
    assert frames(link, 12) == [b"\0", b"\1", b"\2"]
    assert link.deadline() == 13
    assert frames(link, 100) == [b"\3", b"\4"]


def test_jitter_is_spread_evenly_around_the_delay() -> None:
    link = bad(delay_ns=100 * MILLISECOND_NS, jitter_ns=20 * MILLISECOND_NS)
    delays = []
    for _ in range(MANY):
        at_ns = link.offer(FRAME, Trace(), 0).at_ns
        assert at_ns is not None
        delays.append(at_ns / MILLISECOND_NS)
        link.flush()
    assert min(delays) >= 80
    assert max(delays) <= 120
    assert abs(sum(delays) / MANY - 100) < 0.5
    for low in range(80, 120, 4):  # ten equal parts
        part = sum(low <= delay < low + 4 for delay in delays)
        assert abs(part / MANY - 0.1) < 0.012


def test_jitter_alone_never_sends_into_the_past() -> None:
    link = bad(jitter_ns=10)
    for now in range(1000):
        at_ns = link.offer(FRAME, Trace(), now).at_ns
        assert at_ns is not None
        assert now <= at_ns <= now + 10
        link.due(now)


def test_jitter_reorders_by_time() -> None:
    link = bad(delay_ns=100, jitter_ns=100)
    times = {}
    for number in range(100):
        times[number] = link.offer(bytes([number]), Trace(), number).at_ns
    order = [frame[0] for frame in frames(link, 10_000)]
    assert order != sorted(order)
    assert [times[number] for number in order] == sorted(times.values())  # type: ignore[type-var]


def test_a_reordered_frame_passes_those_that_wait() -> None:
    link = bad(delay_ns=100, reorder=0.5)
    effects = [link.offer(bytes([number]), Trace(), 0).effects for number in range(10)]
    quick = [n for n, effect in enumerate(effects) if effect == [Effect.REORDER]]
    slow = [n for n, effect in enumerate(effects) if effect == [Effect.DELAY]]
    assert quick
    assert slow
    assert frames(link, 0) == [bytes([n]) for n in quick]
    assert frames(link, 100) == [bytes([n]) for n in slow]


@pytest.mark.parametrize("delay_ns", [0, 7_000])
def test_a_rate_lets_a_frame_leave_when_the_one_before_has_gone(delay_ns: int) -> None:
    link = bad(rate=8_000_000, delay_ns=delay_ns)  # a byte a microsecond
    times = [link.offer(bytes(100), Trace(), 0).at_ns for _ in range(5)]
    assert times == [delay_ns + 100_000 * number for number in range(1, 6)]
    # An idle link has no credit, and is not behind.
    assert link.offer(bytes(50), Trace(), SECOND_NS).at_ns == SECOND_NS + delay_ns + 50_000


def test_the_rate_is_kept_over_many_frames() -> None:
    link, now, sent = bad(rate=10_000_000), 0, 0
    while now < SECOND_NS:
        while len(link) < 10:
            link.offer(bytes(1250), Trace(), now)
        now = link.deadline() or 0
        sent += sum(map(len, frames(link, now)))
    assert abs(sent * 8 / 10_000_000 - 1) < 0.002


def test_what_is_held_back_is_bounded_in_frames() -> None:
    link = bad(delay_ns=SECOND_NS, duplicate=1)
    for _ in range(LIMIT_FRAMES // 2):
        assert Effect.DUPLICATE in link.offer(FRAME, Trace(), 0).effects
    assert len(link) == LIMIT_FRAMES
    assert link.offer(FRAME, Trace(), 0) == ([Effect.QUEUE_FULL], None, None)
    assert len(frames(link, SECOND_NS)) == LIMIT_FRAMES
    assert link.offer(FRAME, Trace(), SECOND_NS).at_ns == 2 * SECOND_NS


def test_what_is_held_back_is_bounded_in_bytes() -> None:
    link = bad(delay_ns=SECOND_NS)
    big = bytes(65553)
    taken = sum(link.offer(big, Trace(), 0).at_ns is not None for _ in range(200))
    assert taken == LIMIT_BYTES // len(big)
    assert link.delayed_bytes == taken * len(big)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 200)), max_size=60),
    st.builds(
        Netem, delay_ns=st.integers(0, 100), jitter_ns=st.integers(0, 100),
        loss=st.sampled_from([0, 0.3]), corrupt=st.sampled_from([0, 0.3]),
        duplicate=st.sampled_from([0, 0.3]), reorder=st.sampled_from([0, 0.3]),
        rate=st.sampled_from([0, 10**9, 10**11]),
    ),
    st.integers(0, 2**32),
)  # fmt: skip
def test_every_frame_leaves_once_for_each_copy_when_it_was_said_to(
    offered: list[tuple[int, int]], netem: Netem, seed: int
) -> None:
    link, now, expected, left = Impairment(netem, random.Random(seed).random, Alarm()), 0, 0, []
    for gap, length in offered:
        now += gap
        left += link.due(now)
        verdict = link.offer(bytes(length), Trace(), now)
        expected += (verdict.at_ns is not None) + (Effect.DUPLICATE in verdict.effects)
        assert verdict.at_ns is None or verdict.at_ns >= now
    while (due := link.deadline()) is not None:
        assert link.due(due - 1) == []
        batch = link.due(due)
        assert batch
        left += batch
    assert len(left) == expected
    assert link.delayed_bytes == 0


# --- in a stack -----------------------------------------------------------------------------------


def bad_host(**netem: Any) -> Host:
    host = fresh()
    set_impairment(host.stack.shared, host.tap, Netem(**netem))
    return host


def test_a_delayed_datagram_waits_and_is_sent_when_its_time_has_come() -> None:
    host, trace = bad_host(delay_ns=5 * MILLISECOND_NS), Trace()
    socket = host.socket()
    host.stack.udp.send(socket, b"x", ip(PEER), 9, host.now, trace)
    assert not trace.settled
    assert trace.reason is not None
    assert trace.reason.name == "lab-delay"
    assert host.tap.outbox == []
    assert host.stack.deadline() == host.now + 5 * MILLISECOND_NS
    host.wait(5 * MILLISECOND_NS)
    (item,) = host.tap.outbox
    assert isinstance(item, TracedFrame)
    host.stack.transmitted(host.tap, [item], host.now)
    assert trace.fate is Fate.SENT


def test_a_prediction_puts_nothing_onto_the_link_and_uses_up_no_luck() -> None:
    host = bad_host(delay_ns=SECOND_NS, loss=0.3, jitter_ns=1)
    socket, drawn = host.socket(), []
    host.send(socket)
    impairment = host.tap.impairment
    assert impairment is not None
    impairment._random = lambda: drawn.append(1) or 0.5  # type: ignore[func-returns-value]
    before = len(impairment), impairment.delayed_bytes
    for question in (Question("udp", None, ip(PEER), dport=9), Question("icmp", None, ip(PEER))):
        trace = predict(host.stack, question, host.now)
        assert trace.reason is LAB_DELAY
    assert (len(impairment), impairment.delayed_bytes) == before == (1, 42 + len(b"hello"))
    assert not drawn
    host.wait(2 * SECOND_NS)
    assert len(host.tap.outbox) == 1


def test_a_clone_is_as_full_until_the_frames_of_the_original_have_left() -> None:
    link = bad(delay_ns=SECOND_NS)
    for _ in range(LIMIT_FRAMES - 1):
        assert link.offer(b"x" * 100, Trace(), 0).at_ns is not None
    clone = link.clone(_middle, Alarm())
    assert clone.offer(b"y", Trace(), 0) == link.offer(b"y", Trace(), 0)
    assert clone.offer(b"z", Trace(), 0).effects == [Effect.QUEUE_FULL]
    assert clone.clone(_middle, Alarm()).offer(b"z", Trace(), 0).at_ns is None
    assert clone.offer(b"z", Trace(), SECOND_NS).effects == [Effect.DELAY]
    assert frames(clone, 3 * SECOND_NS) == [b"y", b"z"]
    assert (len(clone), clone.delayed_bytes) == (0, 0)
    assert len(link) == LIMIT_FRAMES


def test_the_fast_path_leaves_a_bad_link_alone() -> None:
    host = fresh()
    socket = host.socket()
    for _ in range(3):
        host.send(socket)
    set_impairment(host.stack.shared, host.tap, Netem(loss=1))
    host.tap.outbox.clear()
    for _ in range(10):
        host.send(socket)
    assert host.tap.outbox == []
    assert host.reasons()["lab-loss"] == 10
    assert host.tap.counters.tx_dropped == 10


def test_a_link_made_good_again_is_as_it_was() -> None:
    host = bad_host(delay_ns=SECOND_NS)
    socket = host.socket()
    host.send(socket)
    set_impairment(host.stack.shared, host.tap, Netem())
    host.send(socket)
    assert len(host.tap.outbox) == 1
    assert host.tap.impairment is not None
    host.wait(SECOND_NS)  # what was held back leaves as it was to
    assert len(host.tap.outbox) == 2
    assert host.tap.impairment is None


@pytest.mark.parametrize("event", ["down", "no carrier", "deleted", "full"])
def test_what_is_held_back_meets_what_happens_meanwhile(event: str) -> None:
    host, trace = bad_host(delay_ns=SECOND_NS), Trace()
    host.stack.udp.send(host.socket(), b"x", ip(PEER), 9, host.now, trace)
    reason = {
        "down": "tx-link-down",
        "no carrier": "tx-no-carrier",
        "deleted": "stack-stopped",
        "full": "tx-queue-full",
    }[event]
    if event == "down":
        set_up(host.stack.shared, host.tap, False, host.now)
    elif event == "no carrier":
        set_carrier(host.stack.shared, host.tap, False, host.now)
    elif event == "deleted":
        delete_interface(host.stack.shared, host.tap, host.now)
    else:
        host.tap.outbox += [b""] * 1000
    host.wait(SECOND_NS)
    assert trace.reason is not None
    assert trace.reason.name == reason
    assert trace.settled


def test_a_loopback_cannot_be_bad() -> None:
    host = fresh()
    with pytest.raises(InvalidArgument, match="loopback"):
        set_impairment(host.stack.shared, host.stack.interfaces.loopback, Netem(loss=1))


def test_times_of_one_flow_do_not_go_back() -> None:
    link = bad(rate=1_000_000, jitter_ns=1000)
    times = [link.offer(FRAME, Trace(), 0).at_ns or 0 for _ in range(50)]
    assert all(earlier < later for earlier, later in pairwise(times))


def test_when_the_delay_is_taken_away_what_is_still_held_keeps_nothing_else_back() -> None:
    host = fresh()
    set_impairment(host.stack.shared, host.tap, Netem(delay_ns=SECOND_NS))
    socket = host.socket()
    for _ in range(LIMIT_FRAMES):
        host.send(socket)
    set_impairment(host.stack.shared, host.tap, Netem())
    host.send(socket)
    assert len(host.sent()) == 1
    host.wait(SECOND_NS)
    assert len(host.sent()) == LIMIT_FRAMES
    assert host.reasons() == {"lab-delay": LIMIT_FRAMES}
