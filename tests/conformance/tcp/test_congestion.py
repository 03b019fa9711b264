"""Windows and timers: RFC 5681, 6298 and 6928, and RFC 3042 and 6582 for peers without SACK."""

from smolctl.stack.transport.tcp.congestion import INFINITE, initial_window
from smolctl.stack.transport.tcp.rtt import RttEstimator
from tests.conformance.tcp.kit import play
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.tcp import check_socket

TEN = "+0 established\n+0 write 14600\n+0 ignore\n"
RENO = "+0 sysctl tcp.congestion_control reno\n" + TEN


def test_rfc5681_3_1_no_more_than_the_smaller_of_both_windows_is_in_flight() -> None:
    script = play("+0 established win 65535\n+0 write 29200\n+0 ignore")
    assert script.conn.snd.in_flight == 14_600
    assert script.conn.window.ssthresh == INFINITE
    script = play("+0 established win 5000\n+0 write 29200\n+0 ignore")
    assert script.conn.snd.in_flight <= 5000


def test_rfc5681_3_1_congestion_avoidance_adds_a_segment_in_a_round_trip() -> None:
    play(
        RENO
        + """
        +.01 < . 1:1 ack 1
        +0   < . 1:1 ack 1
        +0   < . 1:1 ack 1
        +0   ssthresh 7300
        +0   ignore
        +.01 < . 1:1 ack 14601
        +0   cwnd 7300
        +0   phase open
        +0   write 14600
        +.01 < . 1:1 ack 17521
        +0   cwnd 7300
        +.01 < . 1:1 ack 21901
        +0   cwnd 8760
    """
    )


def test_rfc5681_3_1_a_timeout_halves_the_flight_and_a_second_one_changes_nothing() -> None:
    """Half of what was in flight, and not of the window."""
    play("""
        +0   sysctl tcp.congestion_control reno
        +0   established
        +0   write 8760
        +0   ignore
        +.21 ssthresh 4380
        +0   cwnd 1460
        +.42 ssthresh 4380
        +0   cwnd 1460
        +0   count tcp.segments_retransmitted 2
    """)


def test_rfc5681_3_2_new_data_follows_each_of_two_duplicates() -> None:
    """RFC 3042: limited transmit, beside a window that does not change."""
    play("""
        +0   established
        +0   write 29200
        +0   ignore
        +.01 < . 1:1 ack 1
        +0   > . 14601:16061 ack 1
        +0   < . 1:1 ack 1
        +0   > . 16061:17521 ack 1
        +0   cwnd 14600
        +0   < . 1:1 ack 1
        +0   > . 1:1461 ack 1
        +0   phase recovery
    """)


def test_rfc3042_2_the_window_of_the_peer_holds_for_limited_transmit() -> None:
    play("""
        +0   established win 14600
        +0   write 29200
        +0   ignore
        +.01 < . 1:1 ack 1 win 14600
        +0   < . 1:1 ack 1 win 14600
        +0   nothing
    """)


def test_rfc5681_3_2_with_sack_only_news_of_it_lets_new_data_go() -> None:
    play("""
        +0   established sack
        +0   write 29200
        +0   ignore
        +.01 < . 1:1 ack 1
        +0   < . 1:1 ack 1
        +0   nothing
        +0   < . 1:1 ack 1 sack 2921:4381
        +0   > . 14601:16061 ack 1
        +0   < . 1:1 ack 1 sack 2921:4381
        +0   nothing
        +0   ignore
    """)


def test_rfc5681_3_2_recovery_without_sack_counts_what_duplicates_say_has_arrived() -> None:
    """Steps 3 to 6, by RFC 6937 2: new data leaves when the inflated window would let it go.

    Twelve segments are in flight, the threshold is six: (6 + 3 + n) segments are more than twelve
    with the fourth duplicate after the third.
    """
    script = play(
        RENO.replace("14600", "29200")
        + """
        +.01 < . 1:1 ack 1
        +0   < . 1:1 ack 1
        +0   ignore
        +0   < . 1:1 ack 1
        +0   > . 1:1461 ack 1
        +0   < . 1:1 ack 1
        +0   < . 1:1 ack 1
        +0   < . 1:1 ack 1
        +0   nothing
        +0   < . 1:1 ack 1
        +0   > . 17521:18981 ack 1
        +0   < . 1:1 ack 1
        +0   > . 18981:20441 ack 1
    """
    )
    check_socket(script.conn)
    # What fills the gap acknowledges what the duplicates stood for.
    script.run("+.01 < . 1:1 ack 14601\n+0 ignore")
    check_socket(script.conn)
    script.run("+.01 < . 1:1 ack 20441\n+0 phase open\n+0 ignore")
    assert script.conn.window.cwnd == script.conn.window.ssthresh == 8760
    check_socket(script.conn)


def test_rfc6582_3_2_duplicates_of_what_a_timeout_repeated_are_no_loss() -> None:
    """Step 4 and section 4: only beyond what was sent before the timeout."""
    play("""
        +0   established
        +0   sysctl tcp.frto 0
        +0   write 5840
        +0   ignore
        +.21 > . 1:1461 ack 1
        +.01 < . 1:1 ack 5841
        +0   phase open
        +0   write 5840
        +0   ignore
        +0   < . 1:1 ack 5841
        +0   < . 1:1 ack 5841
        +0   phase open
    """)
    play("""
        +0   established
        +0   sysctl tcp.frto 0
        +0   write 14600
        +0   ignore
        +.21 > . 1:1461 ack 1
        +0   write 14600
        +.01 < . 1:1 ack 1461
        +0   ignore
        +.01 < . 1:1 ack 4381
        +0   ignore
        +.01 < . 1:1 ack 10221
        +0   ignore
        +.01 < . 1:1 ack 14601
        +0   ignore
        +0   < . 1:1 ack 14601
        +0   < . 1:1 ack 14601
        +0   < . 1:1 ack 14601
        +0   phase loss
        +0   reason tcp-fast-retransmit 0
        +.01 < . 1:1 ack 16061
        +0   phase open
    """)


def test_rfc6582_3_2_the_first_partial_acknowledgment_restarts_the_timer() -> None:
    script = play(
        RENO
        + """
        +.01 < . 1:1 ack 1
        +0   < . 1:1 ack 1
        +0   < . 1:1 ack 1
        +.01 < . 1:1 ack 2921
    """
    )
    assert script.conn.timer_ns == script.host.now + script.conn.rtt.rto_ns


# --- the timer ------------------------------------------------------------------------------------


def test_rfc6298_2_the_estimate_follows_the_equations() -> None:
    """2.2 and 2.3: the variation first, by the old average."""
    rtt, unit = RttEstimator(SECOND_NS, MILLISECOND_NS, 120 * SECOND_NS), MILLISECOND_NS
    assert rtt.rto_ns == SECOND_NS  # 2.1
    rtt.sample(100 * unit, 0)
    assert (rtt.srtt_ns, rtt.rttvar_ns, rtt.rto_ns) == (100 * unit, 50 * unit, 300 * unit)
    rtt.sample(200 * unit, 0)
    assert (rtt.srtt_ns, rtt.rttvar_ns) == (112_500_000, 62_500_000)
    assert rtt.rto_ns == 112_500_000 + 4 * 62_500_000


def test_rfc6298_4_without_variation_the_timeout_is_longer_than_the_round_trip() -> None:
    rtt = RttEstimator(SECOND_NS, 200 * MILLISECOND_NS, 120 * SECOND_NS)
    for _ in range(200):
        rtt.sample(SECOND_NS, 0)
    assert rtt.rto_ns >= SECOND_NS + 200 * MILLISECOND_NS


def test_rfc6298_2_5_the_timeout_has_a_limit() -> None:
    rtt = RttEstimator(SECOND_NS, 200 * MILLISECOND_NS, 120 * SECOND_NS)
    assert rtt.backed_off(30) == 120 * SECOND_NS


def test_rfc6298_3_each_round_trip_is_measured() -> None:
    script = play(TEN + "+.03 < . 1:1 ack 1461")
    assert script.conn.rtt.latest_ns == 30 * MILLISECOND_NS
    script.run("+.02 < . 1:1 ack 2921\n+0 ignore")
    assert script.conn.rtt.latest_ns == 50 * MILLISECOND_NS


def test_rfc6298_5_2_nothing_in_flight_needs_no_timer_and_new_data_gets_one() -> None:
    script = play("+0 established\n+0 write 10\n+0 ignore")
    assert script.conn.timer.value == "retransmit"
    script.run("+.01 < . 1:1 ack 11\n+9 nothing")
    assert script.conn.timer.value == "none"


def test_rfc6298_5_3_what_is_new_restarts_the_timer() -> None:
    script = play(TEN + "+.1 < . 1:1 ack 1461\n+0 ignore")
    assert script.conn.timer_ns == script.host.now + script.conn.rtt.rto_ns


def test_rfc6298_5_a_round_trip_that_is_measured_ends_the_backoff() -> None:
    play("""
        +0   established
        +0   write 10
        +0   > P. 1:11 ack 1
        +.21 > P. 1:11 ack 1
        +.42 > P. 1:11 ack 1
        +.01 < . 1:1 ack 11
        +0   write 10
        +0   > P. 11:21 ack 1
        +.01 < . 1:1 ack 21
        +0   write 10
        +0   > P. 21:31 ack 1
        +.21 > P. 21:31 ack 1
    """)


def test_rfc6928_2_of_large_segments_the_first_window_has_fewer() -> None:
    assert initial_window(10, 1460) == 14_600
    assert initial_window(10, 1448) == 14_480
    assert initial_window(10, 4000) == 14_600
    assert initial_window(10, 8960) == 17_920


def test_rfc6928_2_a_timeout_leaves_one_segment_whatever_the_first_window_was() -> None:
    play("+0 established mss 1000\n+0 write 10000\n+0 ignore\n+.21 cwnd 1000")
