"""RACK, tail loss probes and proportional rate reduction: RFC 8985, RFC 6675 and RFC 6937."""

from smolctl.stack.transport.tcp import rack
from smolctl.stack.transport.tcp.rtt import RttEstimator
from tests.conformance.tcp.kit import play
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.tcp import check_socket

TWO = "+0 established sack\n+0 write 2920\n+0 ignore\n"
TEN = "+0 established sack\n+0 write 14600\n+0 ignore\n"
PROBED = TWO + "+.028 > P. 1461:2921 ack 1\n"


def test_rfc8985_4_without_sack_no_tail_is_probed() -> None:
    play("""
        +0   established
        +0   write 2920
        +0   ignore
        +.2  nothing
        +.01 > . 1:1461 ack 1
        +0   reason tcp-tlp 0
    """)


def test_rfc8985_6_2_the_smallest_round_trip_is_forgotten_after_minutes() -> None:
    rtt = RttEstimator(SECOND_NS, 1, 120 * SECOND_NS)
    rtt.sample(10 * MILLISECOND_NS, 0)
    rtt.sample(50 * MILLISECOND_NS, 10 * SECOND_NS)
    assert rtt.min_ns == 10 * MILLISECOND_NS
    rtt.sample(50 * MILLISECOND_NS, 400 * SECOND_NS)
    assert rtt.min_ns == 50 * MILLISECOND_NS


def test_rfc8985_6_2_what_came_too_early_was_no_retransmission() -> None:
    """Step 2: its round trip would be 2 ms where the smallest is 10."""
    script = play(TEN + "+.01 < . 1:1 ack 1 sack 1461:14601\n+0 > . 1:1461 ack 1\n")
    script.run("+.002 < . 1:1 ack 14601\n+0 ignore")
    assert script.conn.loss.rack_rtt_ns == 10 * MILLISECOND_NS


def test_rfc8985_6_2_a_timestamp_tells_which_transmission_arrived() -> None:
    script = play("+0 established sack ts\n+0 write 14480\n+0 ignore")
    first = script.ecr
    script.run("+.01 < . 1:1 ack 1 sack 1449:14481 ts\n+0 ignore")
    script.run(f"+.03 < . 1:1 ack 14481 ts ecr {first}\n+0 ignore")
    assert script.conn.loss.rack_rtt_ns == 10 * MILLISECOND_NS
    script = play("+0 established sack ts\n+0 write 14480\n+0 ignore")
    script.run("+.01 < . 1:1 ack 1 sack 1449:14481 ts\n+0 ignore")
    script.run("+.03 < . 1:1 ack 14481 ts\n+0 ignore")
    assert script.conn.loss.rack_rtt_ns == 30 * MILLISECOND_NS


def test_rfc8985_6_2_reordering_that_was_seen_takes_three_duplicates_for_no_loss() -> None:
    """Steps 3 and 4."""
    script = play("""
        +0   established sack
        +0   write 4380
        +0   ignore
        +.01 < . 1:1 ack 1 sack 1461:2921
        +0   < . 1:1 ack 2921
        +.01 < . 1:1 ack 4381
        +0   write 14600
        +0   ignore
        +.01 < . 1:1 ack 4381 sack 5841:10221
        +0   nothing
        +0   phase open
    """)
    assert script.conn.loss.reordered
    script.run("+.0026 > . 4381:5841 ack 1\n+0 phase recovery")


def test_rfc8985_6_2_reports_of_duplicates_widen_the_reordering_window() -> None:
    """Step 4: by a quarter of the round trip in each one, for sixteen recoveries."""
    conn = play("+0 established sack\n+0 write 10\n+0 ignore").conn
    conn.loss.reordered = True
    quarter = conn.rtt.min_ns // 4
    assert rack.reorder_window(conn) == quarter
    for _ in range(3):
        rack.duplicated(conn)  # of one round trip
    assert rack.reorder_window(conn) == 2 * quarter
    for _ in range(9):
        conn.loss.dsack_round = conn.snd.una
        rack.duplicated(conn)
    assert rack.reorder_window(conn) == conn.rtt.srtt_ns
    for _ in range(15):
        rack.recovered(conn)
    assert rack.reorder_window(conn) == conn.rtt.srtt_ns
    rack.recovered(conn)
    assert rack.reorder_window(conn) == quarter


def test_rfc8985_6_3_a_timeout_takes_what_was_just_sent_for_no_loss() -> None:
    script = play("""
        +0    established sack
        +0    sysctl tcp.tlp 0
        +0    write 10
        +0    > P. 1:11 ack 1
        +.01  < . 1:1 ack 11
        +0    write 1460
        +.205 write 1460
        +0    ignore
        +.005 > P. 11:1471 ack 1
    """)
    assert [record.lost for record in script.conn.snd.records] == [True, False]
    check_socket(script.conn)
    script.run("+.01 < . 1:1 ack 2931\n+0 phase open")


def test_rfc8985_7_2_the_probe_takes_the_place_of_an_earlier_timeout() -> None:
    """A single segment: two round trips and a delayed acknowledgment are more than the timeout."""
    play("""
        +0   established sack
        +0   write 10
        +0   > P. 1:11 ack 1
        +.21 > P. 1:11 ack 1
        +0   reason tcp-tlp
        +0   reason tcp-rto 0
        +0   cwnd 14600
        +.21 > P. 1:11 ack 1
        +0   reason tcp-rto
    """)


def test_rfc8985_7_2_no_probe_once_something_is_sacked() -> None:
    script = play(TEN + "+.01 < . 1:1 ack 1 sack 1461:2921\n")
    assert script.conn.timer.value == "reorder"
    script.run("+.0025 > . 1:1461 ack 1\n+0 ignore")
    assert script.conn.timer.value == "retransmit"


def test_rfc8985_7_3_one_probe_and_then_the_timeout() -> None:
    script = play(
        PROBED
        + """
        +.2  nothing
        +.01 > . 1:1461 ack 1
        +0   reason tcp-tlp
        +0   reason tcp-rto
    """
    )
    assert script.conn.loss.tlp_end is None


def test_rfc8985_7_3_no_second_probe_while_one_is_in_flight() -> None:
    """Though a round trip was measured meanwhile."""
    script = play(PROBED + "+.01 < . 1:1 ack 1461\n")
    assert script.conn.rtt.sampled
    assert script.conn.timer.value == "retransmit"
    script.run("+.01 < . 1:1 ack 2921 sack 1461:2921\n+0 write 10\n+0 ignore")
    assert script.conn.timer.value == "tail-loss-probe"


def test_rfc8985_7_3_no_second_probe_before_a_round_trip_was_measured() -> None:
    """The acknowledgment of a probe measures nothing (Karn)."""
    play(
        PROBED
        + """
        +.01 < . 1:1 ack 2921 sack 1461:2921
        +0   write 2920
        +0   ignore
        +.2  nothing
        +.01 > . 2921:4381 ack 1
        +0   reason tcp-tlp
    """
    )


def test_rfc8985_7_4_2_a_duplicate_says_that_nothing_was_lost() -> None:
    """Case 1 by DSACK, case 2 by a duplicate acknowledgment, though nothing is in flight."""
    for answer in ("ack 2921 sack 1461:2921", "ack 2921"):
        script = play(PROBED + f"+.01 < . 1:1 ack 2921\n+0 < . 1:1 {answer}\n")
        assert script.conn.loss.tlp_end is None
        script.run("+0 write 2920\n+0 ignore\n+.01 < . 1:1 ack 5841\n+0 cwnd 14600\n+0 phase open")


def test_rfc8985_7_4_2_without_such_a_word_the_window_comes_down() -> None:
    script = play(PROBED + "+.01 < . 1:1 ack 2921\n+0 cwnd 14600\n")
    script.run("+0 write 2920\n+0 ignore\n+.01 < . 1:1 ack 5841\n+0 phase open")
    assert script.conn.window.cwnd == 10_220


def test_rfc8985_9_3_what_is_lost_waits_for_room_in_the_window() -> None:
    """RFC 6937 3: below the threshold the flight grows by what arrives, not beyond it."""
    play("""
        +0   sysctl tcp.congestion_control reno
        +0   established sack
        +0   write 14600
        +0   ignore
        +.01 < . 1:1 ack 1 sack 4381:8761
        +0   ssthresh 7300
        +0   > . 1:1461 ack 1
        +0   nothing
        +.01 < . 1:1 ack 1 sack 4381:10221
        +0   > . 1461:2921 ack 1
        +0   nothing
    """)


def test_rfc6937_3_above_the_threshold_the_flight_shrinks_in_proportion() -> None:
    """Half as much leaves as arrives: twenty segments are in flight, and the threshold is ten."""
    play("""
        +0   sysctl tcp.congestion_control reno
        +0   established sack
        +0   write 58400
        +0   ignore
        +.01 < . 1:1 ack 14601
        +0   ignore
        +.01 < . 1:1 ack 14601 sack 16061:20441
        +0   ssthresh 14600
        +0   > . 14601:16061 ack 1
        +0   nothing
        +0   < . 1:1 ack 14601 sack 16061:21901
        +0   > . 43801:45261 ack 1
        +0   < . 1:1 ack 14601 sack 16061:23361
        +0   nothing
        +0   < . 1:1 ack 14601 sack 16061:24821
        +0   > . 45261:46721 ack 1
    """)


def test_rfc6937_3_what_moves_on_lets_a_segment_more_go() -> None:
    """As in slow start, while nothing is in the network but what is sent again."""
    play(
        TEN
        + """
        +.01   < . 1:1 ack 1 sack 13141:14601
        +.0025 > . 1:1461 ack 1
        +.01   < . 1:1 ack 1461 sack 13141:14601
        +0     > . 1461:2921 ack 1
        +0     > . 2921:4381 ack 1
        +0     nothing
    """
    )


def test_rfc6675_5_1_a_timeout_ends_the_recovery_and_none_begins_before_its_point() -> None:
    script = play(TEN + "+.01 < . 1:1 ack 1 sack 1461:7301\n+0 > . 1:1461 ack 1\n+0 ignore\n")
    assert script.conn.loss.high == script.conn.snd.nxt
    script.run("+.3 phase loss\n+0 ignore")
    before = script.host.reasons()["tcp-fast-retransmit"]
    script.run("+.01 < . 1:1 ack 1 sack 1461:10221\n+0 phase loss\n+0 ignore")
    script.run("+.01 < . 1:1 ack 10221 sack 11681:14601\n+0 phase loss\n+0 ignore")
    assert script.host.reasons()["tcp-fast-retransmit"] == before
    script.run("+.01 < . 1:1 ack 14601\n+0 phase open")


def test_rfc6675_5_1_a_timeout_keeps_what_was_sacked_and_repairs_the_holes() -> None:
    """RFC 2018 5 would forget it; what the peer still has is not sent again, as in Linux."""
    play("""
        +0   established sack
        +0   sysctl tcp.tlp 0
        +0   write 5840
        +0   ignore
        +.01 < . 1:1 ack 1 sack 1461:2921
        +.0025 > . 1:1461 ack 1
        +.21 > . 1:1461 ack 1
        +.01 < . 1:1 ack 2921
        +0   > . 2921:4381 ack 1
        +0   > P. 4381:5841 ack 1
        +0   nothing
    """)
