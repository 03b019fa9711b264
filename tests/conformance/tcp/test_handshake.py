"""Opening: RFC 9293 3.5, 3.7.1 and 3.10.7, RFC 7323 2 and 3, RFC 2018 2, RFC 6298 2 and 5."""

from tests.conformance.tcp.kit import play


def test_rfc9293_3_5_figure_6_a_connection_is_opened() -> None:
    play("""
        +0  listen
        +0  < S 0:0 win 1000 mss 1460
        +0  > S. 0:0 ack 1 mss 1460
        +.1 < . 1:1 ack 1 win 1000
        +0  accept
        +0  state established
    """)


def test_rfc9293_3_5_figure_6_seen_from_the_other_end() -> None:
    play("""
        +0  connect
        +0  > S 0:0 mss 1460
        +.1 < S. 0:0 ack 1 win 1000 mss 1460
        +0  > . 1:1 ack 1
        +0  state established
    """)


def test_rfc9293_3_5_figure_7_both_ends_open_at_once() -> None:
    """MUST-10."""
    play("""
        +0  connect
        +0  > S 0:0
        +0  < S 0:0 win 1000 mss 1460
        +0  > S. 0:0 ack 1
        +0  state syn-recv
        +.1 < S. 0:0 ack 1 win 1000 mss 1460
        +0  nothing
        +0  state established
        +0  write 10
        +0  > P. 1:11 ack 1
    """)


def test_rfc9293_3_5_figure_7_the_last_acknowledgment_may_come_alone() -> None:
    play("""
        +0  connect
        +0  > S 0:0
        +0  < S 0:0 win 1000 mss 1460
        +0  > S. 0:0 ack 1
        +.1 < . 1:1 ack 1 win 1000
        +0  state established
    """)


def test_rfc9293_3_5_figure_8_an_old_duplicate_syn_is_reset() -> None:
    """MUST-11: the state is remembered; the initiator resets what it did not send."""
    play("""
        +0  listen
        +0  < S -5000:-5000 win 1000
        +0  > S. 0:0 ack -4999
        +.1 < R -4999:-4999
        +.1 < S 0:0 win 1000
        +0  > S. 0:0 ack 1
        +.1 < . 1:1 ack 1
        +0  accept
        +0  state established
    """)


def test_rfc9293_3_5_2_figure_9_a_half_open_connection_is_found() -> None:
    """The end that lives answers a new SYN with what it expects, and is reset."""
    play("""
        +0  established
        +.1 < S 50:50 win 1000
        +0  > . 1:1 ack 1
        +.1 < R 1:1
        +0  error ECONNRESET
        +0  connections 0
    """)


def test_rfc9293_3_5_2_figure_10_data_for_a_forgotten_connection_is_reset() -> None:
    play("""
        +0  < P. 100:110 ack 300
        +0  > R 300:300
    """)


def test_rfc9293_3_10_7_1_without_an_ack_the_reset_acknowledges_the_segment() -> None:
    play("""
        +0  < S 0:0 win 1000
        +0  > R. 0:0 ack 1
        +0  < FP 7:17
        +0  > R. 0:0 ack 18
    """)


def test_rfc9293_3_10_7_1_a_reset_is_never_answered() -> None:
    play("""
        +0  < R 5:5
        +0  < R. 5:5 ack 7
        +0  nothing
    """)


def test_rfc9293_3_10_7_2_an_acknowledgment_at_a_listening_port_is_reset() -> None:
    play("""
        +0  listen
        +0  < . 1:1 ack 5
        +0  > R 5:5
        +0  < S. 1:1 ack 6
        +0  > R 6:6
    """)


def test_rfc9293_3_10_7_3_a_wrong_acknowledgment_of_our_syn_is_reset() -> None:
    play("""
        +0  connect
        +0  > S 0:0
        +0  < S. 0:0 ack 100 win 1000
        +0  > R 100:100
        +0  < S. 0:0 ack 0 win 1000
        +0  > R 0:0
        +0  state syn-sent
        +.1 < S. 0:0 ack 1 win 1000
        +0  > . 1:1 ack 1
    """)


def test_rfc9293_3_10_7_3_a_reset_counts_only_if_it_acknowledges_our_syn() -> None:
    play("""
        +0  connect
        +0  > S 0:0
        +0  < R 0:0
        +0  < R. 0:0 ack 7
        +0  state syn-sent
        +0  < R. 0:0 ack 1
        +0  state closed
        +0  error ECONNREFUSED
    """)


def test_rfc9293_3_10_7_4_a_wrong_acknowledgment_in_syn_received_is_reset() -> None:
    play("""
        +0  listen
        +0  < S 0:0 win 1000
        +0  > S. 0:0 ack 1
        +.1 < . 1:1 ack 77
        +0  > R 77:77
        +.1 < . 1:1 ack 1
        +0  accept
    """)


def test_rfc9293_3_10_7_4_a_reset_in_syn_received_gives_the_place_back() -> None:
    """Not as in gVisor (#11535): a handshake that fails keeps no place."""
    play("""
        +0  listen 80 0
        +0  < S 0:0 win 1000
        +0  > S. 0:0 ack 1
        +.1 < R 1:1
        +0  connections 0
        +0  accept none
    """)


def test_rfc9293_3_7_1_a_peer_that_tells_no_mss_gets_536_bytes() -> None:
    """MUST-15."""
    play("""
        +0  listen
        +0  < S 0:0 win 65535
        +0  > S. 0:0 ack 1
        +.1 < . 1:1 ack 1
        +0  accept
        +0  write 1000
        +0  > . 1:537 ack 1
        +0  > P. 537:1001 ack 1
    """)


def test_rfc9293_3_7_1_the_mss_of_the_peer_limits_ours() -> None:
    """MUST-16."""
    play("""
        +0  established mss 1000
        +0  write 1500
        +0  > . 1:1001 ack 1
        +0  > P. 1001:1501 ack 1
    """)


def test_rfc9293_3_7_1_an_mss_of_zero_is_none_and_of_one_is_no_attack() -> None:
    """CVE-2019-11479: a tiny one would multiply packets."""
    play("""
        +0  established mss 0
        +0  write 600
        +0  > . 1:537 ack 1
        +0  > P. 537:601 ack 1
    """)
    play("""
        +0  established mss 1
        +0  write 60
        +0  > . 1:49 ack 1
        +0  > P. 49:61 ack 1
    """)


def test_rfc6298_2_1_a_syn_is_sent_again_after_a_second_then_two_then_four() -> None:
    """RFC 6298 2.1, 5.5; RFC 9293 MUST-19 by RFC 6298."""
    play("""
        +0  connect
        +0  > S 0:0
        +1  > S 0:0
        +2  > S 0:0
        +4  > S 0:0
        +.1 < S. 0:0 ack 1 win 1000
        +0  > . 1:1 ack 1
    """)


def test_rfc9293_3_8_3_an_attempt_to_connect_ends_after_127_seconds() -> None:
    """MUST-21, MUST-23: three minutes at least for the RFC; Linux takes 127 s."""
    play("""
        0   connect
        0   > S 0:0
        1   > S 0:0
        3   > S 0:0
        7   > S 0:0
        15  > S 0:0
        31  > S 0:0
        63  > S 0:0
        127 error ETIMEDOUT
        127 connections 0
    """)


def test_rfc9293_3_8_3_an_answer_to_a_syn_is_sent_again_five_times() -> None:
    play("""
        0   listen
        0   < S 0:0 win 1000
        0   > S. 0:0 ack 1
        1   > S. 0:0 ack 1
        3   > S. 0:0 ack 1
        7   > S. 0:0 ack 1
        15  > S. 0:0 ack 1
        31  > S. 0:0 ack 1
        63  connections 0
    """)


def test_rfc9293_3_10_7_4_a_syn_that_comes_again_is_answered_again() -> None:
    play("""
        +0  listen
        +0  < S 0:0 win 1000
        +0  > S. 0:0 ack 1
        +.6 < S 0:0 win 1000
        +0  > S. 0:0 ack 1
        +.1 < . 1:1 ack 1
        +0  accept
    """)


def test_rfc7323_2_2_a_window_is_scaled_if_both_ends_offer_it() -> None:
    play("""
        +0  listen
        +0  < S 0:0 win 1000 mss 1460 wscale 3
        +0  > S. 0:0 ack 1 wscale 7
        +.1 < . 1:1 ack 1 win 1000
        +0  accept
        +0  write 9000
        +0  > . 1:1461 ack 1
        +0  > . 1461:2921 ack 1
        +0  > . 2921:4381 ack 1
        +0  > . 4381:5841 ack 1
        +0  > . 5841:7301 ack 1
        +0  nothing
        # What is left is less than a segment and than half of the window.
        +.1 < . 1:1 ack 7301 win 1000
        +0  > . 7301:8761 ack 1
        +0  > P. 8761:9001 ack 1
    """)


def test_rfc7323_2_2_the_window_of_a_syn_is_never_scaled() -> None:
    play("""
        +0  connect
        +0  > S 0:0 win 64240
        +.1 < S. 0:0 ack 1 win 2000 mss 1460 wscale 10
        +0  > . 1:1 ack 1
        +0  write 3000
        # Two segments in 2000 bytes, not one: see Linux tcp_bound_to_half_wnd.
        +0  > . 1:1001 ack 1
        +0  > . 1001:2001 ack 1
        +0  nothing
    """)


def test_rfc7323_2_2_an_option_that_was_not_offered_is_not_used() -> None:
    play("""
        +0  listen
        +0  < S 0:0 win 1000 mss 1460
        +0  > S. 0:0 ack 1
    """)
    script = play("+0 established")
    assert (script.conn.scaling, script.conn.sack, script.conn.timestamps) == (False, False, False)


def test_rfc7323_2_3_a_shift_above_14_counts_as_14() -> None:
    script = play("""
        +0  connect
        +0  > S 0:0
        +.1 < S. 0:0 ack 1 win 1000 mss 1460 wscale 15
        +0  > . 1:1 ack 1
    """)
    assert script.conn.snd.scale == 14


def test_rfc7323_3_2_timestamps_are_echoed_if_both_ends_offer_them() -> None:
    play("""
        +0  listen
        +0  < S 0:0 win 1000 mss 1460 ts 700 ecr 0
        +0  > S. 0:0 ack 1 ts ecr 700
        +.1 < . 1:1 ack 1 ts 800
        +0  accept
        +0  write 5
        +0  > P. 1:6 ack 1 ts ecr 800
    """)


def test_rfc7323_3_2_without_an_offer_there_are_none() -> None:
    play("""
        +0  established
        +0  write 5
        +0  > P. 1:6 ack 1 nots
    """)


def test_rfc7323_3_2_a_segment_without_its_timestamp_is_taken_as_in_linux() -> None:
    """Not as in gVisor (#11536): old Linux leaves them out, and could not connect."""
    play("""
        +0  listen
        +0  < S 0:0 win 1000 mss 1460 ts 700 ecr 0
        +0  > S. 0:0 ack 1
        +.1 < . 1:1 ack 1
        +0  accept
        +0  < P. 1:11 ack 1
        +0  > . 1:1 ack 11
        +0  read 10
    """)


def test_rfc7323_a_syn_ack_that_echoes_what_was_never_sent_is_reset() -> None:
    play("""
        +0  connect
        +0  > S 0:0 ts
        +.1 < S. 0:0 ack 1 win 1000 mss 1460 ts 5 ecr -100000
        +0  > R 1:1
        +0  state syn-sent
        +0  ignore
    """)


def test_rfc2018_2_sack_is_used_if_both_ends_offer_it() -> None:
    play("""
        +0  listen
        +0  < S 0:0 win 1000 mss 1460 sackOK
        +0  > S. 0:0 ack 1 sackOK
        +.1 < . 1:1 ack 1
        +0  accept
        +0  < . 11:21 ack 1
        +0  > . 1:1 ack 1 sack 11:21
    """)


def test_rfc9293_3_2_unknown_options_are_skipped_and_broken_ones_end_the_list() -> None:
    """MUST-5, MUST-6, MUST-7: any option, in any segment, of any length."""
    play("""
        +0  listen
        +0  < S 0:0 win 1000 raw fd05010203020405b4
        +0  > S. 0:0 ack 1
        +.1 < . 1:1 ack 1 raw fd01
        +0  accept
        +0  < P. 1:11 ack 1 raw fdff0102
        +0  > . 1:1 ack 11
        +0  write 1460
        +0  > P. 1:1461 ack 11
    """)


def test_rfc9293_3_10_7_2_data_in_a_syn_is_taken_or_sent_again() -> None:
    """A peer may send data with its SYN; like Linux, this stack takes it when it comes again."""
    play("""
        +0  listen
        +0  < S 0:10 win 1000
        +0  > S. 0:0 ack 1
        +.1 < P. 1:11 ack 1
        +0  accept
        +0  > . 1:1 ack 11
        +0  read 10
    """)


def test_rfc9293_3_10_7_3_data_in_the_answer_to_our_syn_is_taken() -> None:
    play("""
        +0  connect
        +0  > S 0:0
        +.1 < S. 0:10 ack 1 win 1000
        +0  > . 1:1 ack 11
        +0  read 10
    """)


def test_rfc9293_3_10_7_4_the_third_segment_may_bring_data_and_fin() -> None:
    play("""
        +0  listen
        +0  < S 0:0 win 1000
        +0  > S. 0:0 ack 1
        +.1 < FP. 1:11 ack 1
        +0  accept
        +0  > . 1:1 ack 12
        +0  state close-wait
        +0  read 10
        +0  read 10 eof
    """)


def test_rfc9293_3_9_1_what_is_written_before_the_answer_leaves_with_it() -> None:
    play("""
        +0  connect
        +0  > S 0:0
        +0  write 100
        +0  nothing
        +.1 < S. 0:0 ack 1 win 1000 mss 1460
        +0  > P. 1:101 ack 1
    """)


def test_rfc9293_3_9_1_5_a_close_before_the_answer_ends_the_attempt() -> None:
    play("""
        +0  connect
        +0  > S 0:0
        +0  close
        +0  connections 0
        +.1 < S. 0:0 ack 1 win 1000
        +0  > R 1:1
    """)


def test_rfc5681_3_1_after_a_lost_syn_the_window_begins_with_one_segment() -> None:
    """RFC 6298 5.7: and the timeout with three seconds."""
    play("""
        +0  connect
        +0  > S 0:0
        +1  > S 0:0
        +.1 < S. 0:0 ack 1 win 65535 mss 1460
        +0  > . 1:1 ack 1
        +0  cwnd 1460
        +0  write 5000
        +0  > . 1:1461 ack 1
        +3  > . 1:1461 ack 1
    """)


def test_rfc6928_2_the_first_window_is_ten_segments() -> None:
    play("+0 established\n+0 cwnd 14600")


def test_rfc6928_2_of_small_segments_no_more_than_ten() -> None:
    """A prototype had 14 at 1000 bytes."""
    play("+0 established mss 1000\n+0 cwnd 10000")


def test_rfc3168_6_1_1_ecn_is_agreed_on_in_the_handshake() -> None:
    play("""
        +0  sysctl tcp.ecn 1
        +0  connect
        +0  > SEW 0:0
        +.1 < SE. 0:0 ack 1 win 65535 mss 1460
        +0  > . 1:1 ack 1 tos 0
        +0  write 10
        +0  > P. 1:11 ack 1 tos 2
    """)
    play("""
        +0  listen
        +0  < SEW 0:0 win 65535 mss 1460
        +0  > SE. 0:0 ack 1
        +.1 < . 1:1 ack 1
        +0  accept
        +0  write 10
        +0  > P. 1:11 ack 1 tos 2
    """)


def test_rfc3168_6_1_1_1_what_was_not_agreed_on_is_not_used() -> None:
    play("""
        +0  sysctl tcp.ecn 1
        +0  connect
        +0  > SEW 0:0
        +.1 < S. 0:0 ack 1 win 65535 mss 1460
        +0  > . 1:1 ack 1
        +0  write 10
        +0  > P. 1:11 ack 1 tos 0
    """)
    play("""
        +0  sysctl tcp.ecn 0
        +0  listen
        +0  < SEW 0:0 win 65535 mss 1460
        +0  > S. 0:0 ack 1
    """)


def test_linux_backlog_holds_one_more_than_asked_for() -> None:
    """Not as in osv (#283): what does not fit is dropped, not reset; the peer comes again."""
    play("""
        +0  listen 80 0
        +0  < S 0:0
        +0  > S. 0:0 ack 1
        +0  < . 1:1 ack 1
        +0  < S 0:0 sport 40001
        +0  nothing
        +0  reason tcp-backlog-full
        +0  accept
        +1  < S 0:0 sport 40001
        +0  > S. 0:0 ack 1
    """)


def test_rfc4987_3_6_a_cookie_opens_a_connection() -> None:
    play("""
        +0  sysctl tcp.max_syn_backlog 1
        +0  listen
        +0  < S 0:0 sport 40001
        +0  > S. 0:0 ack 1
        +0  < S 0:0 mss 1000 win 65535
        +0  > S. 0:0 ack 1
        +.1 < . 1:1 ack 1 win 65535
        +0  accept
        +0  count tcp.cookies_accepted
        +0  write 600
        +0  > . 1:537 ack 1
        +0  > P. 537:601 ack 1
        +0  ignore
    """)
