"""CUBIC and HyStart++: RFC 9438 and RFC 9406."""

from itertools import pairwise

import pytest

from smolctl.stack.transport.tcp.congestion import INFINITE, Cubic, HyStart, Window
from tests.conformance.tcp.kit import play
from tests.kit.clock import MILLISECOND_NS, SECOND_NS

MSS = 1000
RTT = 100 * MILLISECOND_NS


def reduced(segments: int) -> tuple[Cubic, Window]:
    """Return a window of so many segments that has just been reduced by a loss."""
    cubic, window = Cubic(), Window()
    window.mss, window.cwnd = MSS, segments * MSS
    window.ssthresh = cubic.reduced(window, window.cwnd, SECOND_NS)
    window.cwnd = window.ssthresh
    return cubic, window


def grow(cubic: Cubic, window: Window, began: int, rounds: int, rtt: int = RTT) -> list[float]:
    """Have all be acknowledged for so many round trips; return the window after each."""
    found, now = [], began
    for _ in range(rounds):
        acked = window.cwnd // 10
        for _ in range(10):
            cubic.on_ack(window, acked, rtt, now)
        found.append(window.cwnd / MSS)
        now += rtt
    return found


def test_rfc9438_4_2_the_window_is_a_cubic_function_of_time() -> None:
    """4.4 and 4.5: concave below the old window, convex beyond; C is 0.4 and beta 0.7."""
    cubic, window = reduced(100)
    assert window.cwnd == 70 * MSS
    sizes = grow(cubic, window, 10 * SECOND_NS, 90)
    k = (100 * 0.3 / 0.4) ** (1 / 3)
    for number in (5, 20, 42, 60, 80):
        at = (number + 1) * 0.1  # the target is that of the end of a round trip
        assert sizes[number] == pytest.approx(100 + 0.4 * (at - k) ** 3, rel=0.02)
    steps = [later - earlier for earlier, later in pairwise(sizes)]
    assert steps[1] > steps[20] > steps[38]
    assert steps[85] > steps[65] > steps[46]


def test_rfc9438_4_2_the_target_is_half_as_much_again_at_most() -> None:
    cubic, window = reduced(100)
    grow(cubic, window, SECOND_NS, 1)
    before = window.cwnd
    cubic._epoch_ns -= 1000 * SECOND_NS
    grow(cubic, window, SECOND_NS + RTT, 1)
    assert window.cwnd < before * 1.7


def test_rfc9438_4_2_time_in_which_the_window_did_not_limit_does_not_count() -> None:
    """The same growth, whether or not the program is silent for a minute in between."""
    sizes = []
    for pause in (0, 60 * SECOND_NS):
        cubic, window = reduced(100)
        grow(cubic, window, 10 * SECOND_NS, 10)
        found = grow(cubic, window, 11 * SECOND_NS + pause, 10)
        sizes.append(found[-1])
    assert sizes[0] == pytest.approx(sizes[1], rel=0.03)


def test_rfc9438_4_3_the_window_grows_as_that_of_reno_at_least() -> None:
    """Small windows and short round trips: 0.53 segments in each, and one beyond the old window."""
    cubic, window = reduced(10)
    sizes = grow(cubic, window, 10 * SECOND_NS, 40, 10 * MILLISECOND_NS)
    assert sizes[4] - sizes[0] == pytest.approx(4 * 0.529, rel=0.15)
    assert sizes[39] - sizes[29] == pytest.approx(10, rel=0.15)


def test_rfc9438_4_6_the_threshold_is_two_segments_at_least() -> None:
    _, window = reduced(1)
    assert window.ssthresh == 2 * MSS


def test_rfc9438_4_6_a_window_that_is_not_used_does_not_grow() -> None:
    """Ten acknowledgments of a segment each, where the window has room for ten."""
    script = "+0 established\n"
    for at in range(1, 14_601, 1460):
        script += f"+0 write 1460\n+0 ignore\n+.01 < . 1:1 ack {at + 1460}\n"
    play(script + "+0 cwnd 14600")


def test_rfc9438_4_7_fast_convergence_aims_below_where_it_was() -> None:
    cubic, window = reduced(1000)
    window.ssthresh = cubic.reduced(window, window.cwnd, 2 * SECOND_NS)  # at 700, before at 1000
    window.cwnd = window.ssthresh
    sizes = grow(cubic, window, 10 * SECOND_NS, 70)
    k = ((700 * 0.85 - 490) / 0.4) ** (1 / 3)
    assert sizes[int(k * 10)] == pytest.approx(700 * 0.85, rel=0.01)


def test_rfc9438_4_8_after_a_timeout_the_function_begins_where_it_is() -> None:
    """K is 0: the window grows from the threshold on, and not towards the old one."""
    cubic, window = reduced(1000)
    cubic.reset()
    sizes = grow(cubic, window, 10 * SECOND_NS, 80)
    assert sizes[79] == pytest.approx(700 + 0.4 * 8.0**3, rel=0.01)


def test_rfc9438_4_8_a_timeout_keeps_seven_tenths_as_the_threshold() -> None:
    play("+0 established\n+0 write 14600\n+0 ignore\n+.21 ssthresh 10220\n+0 cwnd 1460")


# --- HyStart++ ------------------------------------------------------------------------------------


def delayed(hystart: HyStart) -> None:
    """Let a round be seen that takes half as long again as the one before."""
    for rtt in (50, 80):
        for _ in range(8):
            hystart.sample(rtt * MILLISECOND_NS)
        if rtt == 50:
            hystart.next_round()


def test_rfc9406_4_2_eight_samples_are_needed_and_a_threshold() -> None:
    for rtt, number, slower in ((80, 7, False), (53, 8, False), (57, 8, True), (80, 8, True)):
        hystart = HyStart()
        for _ in range(8):
            hystart.sample(50 * MILLISECOND_NS)
        hystart.next_round()
        for _ in range(number):
            hystart.sample(rtt * MILLISECOND_NS)
        assert (hystart.divided(4000) == 1000) == slower, rtt


def test_rfc9406_4_2_slow_start_goes_on_when_the_round_trips_are_short_again() -> None:
    hystart = HyStart()
    delayed(hystart)
    assert hystart.divided(4000) == 1000
    hystart.next_round()
    for _ in range(8):
        hystart.sample(50 * MILLISECOND_NS)
    assert hystart.divided(4000) == 4000


def test_rfc9406_4_2_the_conservative_rounds_end_with_the_threshold() -> None:
    cubic, window = Cubic(), Window()
    window.mss, window.cwnd = MSS, 1000 * MSS
    cubic.on_ack(window, MSS, 50 * MILLISECOND_NS, SECOND_NS)  # makes what ends slow start
    assert cubic._hystart is not None
    delayed(cubic._hystart)
    window.cwnd = 1000 * MSS
    for _ in range(5):
        assert window.ssthresh == INFINITE
        cubic.on_round(window, 0)
    cubic.on_ack(window, MSS, 80 * MILLISECOND_NS, SECOND_NS)
    assert window.ssthresh == window.cwnd
    # RFC 9438 4.10: congestion avoidance begins here, with K = 0.
    sizes = grow(cubic, window, 10 * SECOND_NS, 80)
    assert sizes[79] == pytest.approx(1000 + 0.4 * 8.0**3, rel=0.01)


def test_rfc9406_4_3_it_is_of_the_first_slow_start_alone() -> None:
    """Later the threshold is known, and longer round trips do not end slow start."""
    cubic, window = reduced(100)
    cubic.reset()
    window.cwnd = MSS
    for rtt in (50, 80):
        for _ in range(9):
            cubic.on_ack(window, MSS, rtt * MILLISECOND_NS, SECOND_NS)
        cubic.on_round(window, 0)
    assert window.cwnd == 19 * MSS
