"""Data: RFC 9293 3.7.4, 3.8.4 to 3.8.6 and 3.10.7.4, RFC 5681 4.2, RFC 7323 4 and 5."""

from tests.conformance.tcp.kit import play


def test_rfc9293_3_10_7_4_data_arrives_and_is_acknowledged() -> None:
    play("""
        +0   established
        +0   < P. 1:101 ack 1
        +0   > . 1:1 ack 101
        +0   data 1 101
        +0   read 10 none
    """)


def test_rfc9293_3_10_7_4_a_segment_that_overlaps_is_trimmed() -> None:
    play("""
        +0   established
        +0   < . 1:101 ack 1
        +0   > . 1:1 ack 101
        +0   < . 51:151 ack 1
        +0   > . 1:1 ack 151
        +0   data 1 151
    """)


def test_rfc9293_3_10_7_4_segments_are_put_in_order() -> None:
    """MUST-58, MUST-59 by way of SHLD-31: what comes early is kept."""
    play("""
        +0   established
        +0   < . 201:301 ack 1
        +0   > . 1:1 ack 1
        +0   < . 101:201 ack 1
        +0   > . 1:1 ack 1
        +0   < . 1:101 ack 1
        +0   > . 1:1 ack 301
        +0   data 1 301
    """)


def test_rfc9293_3_10_7_4_fin_beyond_a_gap_waits_for_it() -> None:
    play("""
        +0   established
        +0   < F. 101:201 ack 1
        +0   > . 1:1 ack 1
        +0   state established
        +0   < . 1:101 ack 1
        +0   > . 1:1 ack 202
        +0   state close-wait
        +0   data 1 201
        +0   read 1 eof
    """)


def test_rfc9293_3_10_7_4_what_lies_beyond_the_window_is_cut_off() -> None:
    """SHLD-31: a segment is trimmed to the window, which is one segment at first."""
    play("""
        +0   small_buffer 2048
        +0   < . 1:3001 ack 1
        +0   > . 1:1 ack 1461 win 0
        +0   data 1 1461
        +0   > . 1:1 ack 1461 win 2048
    """)


def test_rfc9293_3_10_7_4_an_empty_window_takes_nothing_but_is_told() -> None:
    """Not as in gVisor (#10243): an empty probe is answered, and so is one with a byte."""
    play("""
        +0   small_buffer 2048
        +0   < . 1:1461 ack 1
        +0   > . 1:1 ack 1461 win 0
        +1   < . 1460:1460 ack 1
        +0   > . 1:1 ack 1461 win 0
        +1   < . 1461:1462 ack 1
        +0   > . 1:1 ack 1461 win 0
        +0   data 1 1461
        +0   > . 1:1 ack 1461 win 2048
    """)


def test_rfc9293_3_8_6_2_2_the_window_opens_by_a_segment_or_half_of_the_buffer() -> None:
    """MUST-39, SHLD-14; smoltcp #199, #935: it is told when it has opened, not before."""
    play("""
        +0   small_buffer 2048
        +0   < . 1:1461 ack 1
        +0   > . 1:1 ack 1461 win 0
        +0   data 1 401
        +0   nothing
        +0   data 401 437
        +0   > . 1:1 ack 1461 win 1024
    """)


def test_rfc9293_3_7_4_nagle_holds_a_small_segment_back() -> None:
    """SHLD-7: until the last small one is acknowledged."""
    play("""
        +0   established
        +0   write 10
        +0   > P. 1:11 ack 1
        +0   write 10
        +0   write 10
        +0   nothing
        +.1  < . 1:1 ack 11
        +0   > P. 11:31 ack 1
    """)


def test_rfc9293_3_7_4_nagle_lets_full_segments_go() -> None:
    play("""
        +0   established
        +0   write 10
        +0   > P. 1:11 ack 1
        +0   write 1500
        +0   > . 11:1471 ack 1
        +0   nothing
    """)


def test_rfc9293_3_7_4_nagle_can_be_switched_off() -> None:
    """MUST-17."""
    play("""
        +0   established
        +0   set nodelay 1
        +0   write 10
        +0   > P. 1:11 ack 1
        +0   write 10
        +0   > P. 11:21 ack 1
    """)


def test_minshall_a_small_one_leaves_behind_full_ones() -> None:
    play("""
        +0   established
        +0   write 1470
        +0   > . 1:1461 ack 1
        +0   > P. 1461:1471 ack 1
    """)


def test_linux_cork_holds_small_segments_for_200_ms() -> None:
    play("""
        +0   established
        +0   set cork 1
        +0   write 10
        +0   nothing
        +.2  > P. 1:11 ack 1
        +0   write 20
        +.05 < . 1:1 ack 11
        +0   nothing
        +0   set cork 0
        +0   > P. 11:31 ack 1
    """)


def test_rfc9293_3_8_6_2_1_no_small_segment_for_a_small_window() -> None:
    """MUST-38, smoltcp #518: none of 63 bytes because 63 are left of the window."""
    play("""
        +0   established win 3000
        +0   write 5000
        +0   > . 1:1461 ack 1
        +0   > . 1461:2921 ack 1
        +0   nothing
        +.1  < . 1:1 ack 1461 win 1523
        +0   nothing
        +.1  < . 1:1 ack 2921 win 3000
        +0   > . 2921:4381 ack 1
        +0   > P. 4381:5001 ack 1
    """)


def test_rfc9293_3_8_6_2_1_half_of_the_largest_window_is_enough() -> None:
    """Not as in gVisor (#1398): a peer with a small buffer is not starved."""
    play("""
        +0   established win 1000
        +0   write 3000
        +0   > . 1:501 ack 1
        +0   > . 501:1001 ack 1
        +.1  < . 1:1 ack 1001 win 500
        +0   > . 1001:1501 ack 1
        +.1  < . 1:1 ack 1501 win 300
        +0   nothing
        # The override: it leaves after a while (RFC 9293 3.8.6.2.1).
        +.3  ignore
    """)


def test_rfc9293_3_8_6_1_a_closed_window_is_probed() -> None:
    """MUST-35, MUST-36; smoltcp #1025: without end, at growing intervals, and FIN is not lost."""
    play("""
        0     established win 1000
        0     write 1000
        .01   > . 1:501 ack 1
        .01   > P. 501:1001 ack 1
        .02   < . 1:1 ack 1001 win 0
        .02   write 100
        .02   close
        .23   > . 1000:1000 ack 1
        .23   < . 1:1 ack 1001 win 0
        .65   > . 1000:1000 ack 1
        .65   < . 1:1 ack 1001 win 0
        1.49  > . 1000:1000 ack 1
        1.49  < . 1:1 ack 1001 win 0
        1.5   < . 1:1 ack 1001 win 1000
        1.5   > FP. 1001:1101 ack 1
        1.5   ignore
    """)


def test_rfc9293_3_8_6_1_a_peer_that_answers_keeps_the_connection() -> None:
    """MUST-37: for as long as it does."""
    script = "0 established win 1000\n0 write 1000\n.1 < . 1:1 ack 1001 win 0\n.1 write 9\n"
    script += "".join(f"{at} < . 1:1 ack 1001 win 0\n" for at in range(60, 3600, 60))
    play(script + "3600 state established\n3600 ignore")


def test_rfc9293_3_8_6_1_a_peer_that_does_not_is_given_up() -> None:
    play("""
        +0    established win 1000
        +0    write 1000
        +.1   < . 1:1 ack 1001 win 0
        +0    write 9
        +3000 error ETIMEDOUT
        +0    ignore
    """)


def test_rfc9293_3_8_6_3_an_acknowledgment_is_delayed_but_not_for_long() -> None:
    """MUST-40: below half a second; SHLD-18: every second full segment at once."""
    script = play("""
        +0   established
        +0   set quick 0
        +0   < P. 1:101 ack 1
        +0   nothing
        +.04 > . 1:1 ack 101
    """)
    script.run("""
        +0   < . 101:1561 ack 1
        +0   nothing
        +0   < . 1561:3021 ack 1
        +0   > . 1:1 ack 3021
    """)


def test_rfc9293_3_8_6_3_data_carries_the_acknowledgment() -> None:
    play("""
        +0   established
        +0   set quick 0
        +0   < P. 1:101 ack 1
        +.01 write 10
        +0   > P. 1:11 ack 101
        +.2  < . 101:101 ack 11
    """)


def test_asterinas_485_half_of_a_small_buffer_is_acknowledged_at_once() -> None:
    """A peer with no room for a second segment would wait for each acknowledgment."""
    play("""
        +0   listen
        +0   set rcvbuf 2920
        +0   set rcvbuf_locked 1
        +0   established
        +0   set quick 0
        +0   < . 1:1461 ack 1
        +0   > . 1:1 ack 1461
    """)


def test_rfc5681_4_2_a_gap_is_acknowledged_at_once_and_so_is_its_end() -> None:
    play("""
        +0   established
        +0   set quick 0
        +0   < . 101:201 ack 1
        +0   > . 1:1 ack 1
        +0   < . 1:101 ack 1
        +0   > . 1:1 ack 201
    """)


def test_rfc2018_4_the_latest_block_comes_first() -> None:
    play("""
        +0   established sack
        +0   < . 101:201 ack 1
        +0   > . 1:1 ack 1 sack 101:201
        +0   < . 301:401 ack 1
        +0   > . 1:1 ack 1 sack 301:401 101:201
        +0   < . 501:601 ack 1
        +0   > . 1:1 ack 1 sack 501:601 301:401 101:201
        +0   < . 401:501 ack 1
        +0   > . 1:1 ack 1 sack 301:601 101:201
        +0   < . 1:101 ack 1
        +0   > . 1:1 ack 201 sack 301:601
    """)


def test_rfc2018_3_three_blocks_beside_a_timestamp() -> None:
    play("""
        +0   established sack ts
        +0   < . 101:201 ack 1 ts
        +0   > . 1:1 ack 1 sack 101:201
        +0   < . 301:401 ack 1 ts
        +0   > . 1:1 ack 1 sack 301:401 101:201
        +0   < . 501:601 ack 1 ts
        +0   > . 1:1 ack 1 sack 501:601 301:401 101:201
        +0   < . 701:801 ack 1 ts
        +0   > . 1:1 ack 1 sack 701:801 501:601 301:401
    """)


def test_rfc2883_4_a_duplicate_is_reported_first() -> None:
    play("""
        +0   established sack
        +0   < . 1:101 ack 1
        +0   > . 1:1 ack 101
        +0   < . 1:101 ack 1
        +0   > . 1:1 ack 101 sack 1:101
        +0   < . 201:301 ack 1
        +0   > . 1:1 ack 101 sack 201:301
        +0   < . 201:301 ack 1
        +0   > . 1:1 ack 101 sack 201:301 201:301
    """)


def test_rfc9293_3_8_5_urgent_data_is_marked() -> None:
    """MUST-30, MUST-31: of any length; the pointer is behind it, as in Linux and BSD."""
    play(
        """
        +0   established
        +0   urgent 10
        +0   > P.U 1:11 ack 1 urg 10
    """.replace("PU.", "P.U")
    )


def test_rfc9293_3_8_5_urgent_data_that_comes_in_is_part_of_the_stream() -> None:
    script = play("""
        +0   established
        +0   < P.U 1:11 ack 1 urg 10
        +0   > . 1:1 ack 11
        +0   data 1 11
    """)
    assert script.conn.rcv.urgent is not None


def test_rfc9293_3_8_4_a_silent_peer_is_probed_if_that_is_wanted() -> None:
    """MUST-24 to MUST-29: off by default, after two hours, without data."""
    play("""
        +0     established
        +10000 nothing
        +0     set keepalive 1
        +7200  > . 0:0 ack 1
        +0     < . 1:1 ack 1
        +7200  > . 0:0 ack 1
        +75    > . 0:0 ack 1
        +0     < . 1:1 ack 1
        +0     state established
    """)


def test_rfc9293_3_8_4_a_peer_that_answers_no_probe_is_given_up() -> None:
    """SHLD-12 by way of nine probes; MUST-26: not for one that is lost."""
    script = "+0 established\n+0 set keepalive 1\n+7200 > . 0:0 ack 1\n"
    script += "+75 > . 0:0 ack 1\n" * 8
    play(script + "+75 > R. 1:1 ack 1\n+0 error ETIMEDOUT\n+0 reason tcp-keepalive-failed")


def test_rfc9293_3_8_4_a_probe_of_the_peer_is_answered() -> None:
    play("""
        +0   established
        +1   < . 0:0 ack 1
        +0   > . 1:1 ack 1
        +1   < . 0:1 ack 1
        +0   > . 1:1 ack 1
    """)


def test_rfc5482_2_data_is_given_up_after_the_user_timeout() -> None:
    play("""
        +0    established
        +0    set user_timeout_ns 5000000000
        +0    write 10
        +7    error ETIMEDOUT
        +0    reason tcp-user-timeout
        +0    ignore
    """)


def test_rfc9293_3_8_3_an_open_connection_is_given_up_after_fifteen_timeouts() -> None:
    """MUST-20, MUST-22, SHLD-10, SHLD-11: R2 is more than 100 s."""
    play("""
        +0    established
        +0    write 10
        +0    ignore
        +100  state established
        +1000 error ETIMEDOUT
        +0    reason tcp-timed-out
    """)


def test_rfc7323_5_3_an_old_timestamp_is_acknowledged_and_dropped() -> None:
    play("""
        +0   established ts
        +.5  < . 1:11 ack 1 ts
        +0   > . 1:1 ack 11
        +0   < . 11:21 ack 1 ts 5
        +0   > . 1:1 ack 11
        +0   reason tcp-paws
        +0   read 10
    """)


def test_rfc7323_5_3_failures_of_paws_are_not_answered_for_ever() -> None:
    """A prototype's bug: two stacks in one process answered each other without end."""
    play("""
        +0   established ts
        +.5  < . 1:11 ack 1 ts
        +0   > . 1:1 ack 11
        +0   < . 11:11 ack 0 ts 5
        +0   > . 1:1 ack 11
        +0   < . 11:11 ack 0 ts 5
        +0   < . 11:11 ack 0 ts 5
        +0   nothing
    """)


def test_rfc7323_5_5_after_24_days_of_silence_any_timestamp_counts() -> None:
    play("""
        +0       established ts
        +.5      < . 1:11 ack 1 ts
        +0       > . 1:1 ack 11
        +2100000 < . 11:21 ack 1 ts 5
        +0       > . 1:1 ack 21
        +0       read 20
    """)


def test_rfc7323_4_3_a_timestamp_from_beyond_a_gap_is_not_echoed() -> None:
    play("""
        +0   established ts
        +.1  < . 101:201 ack 1 ts 5000000
        +0   > . 1:1 ack 1
        +0   write 5
        +0   > P. 1:6 ack 1 ts
    """)


def test_picotcp_47_a_flood_of_crumbs_is_bounded() -> None:
    """Each crumb beyond a gap counts what it costs, and the farthest is thrown away first."""
    script = play("""
        +0   listen
        +0   set rcvbuf 20000
        +0   set rcvbuf_locked 1
        +0   established
        +0   ignore
    """)
    for at in range(101, 12_000, 2):
        script.inject(f". {at}:{at + 1} ack 1")
    assert script.conn.rcv.held <= 20_000
    assert script.conn.rcv.blocks < 100


def test_rfc9293_3_4_numbers_wrap() -> None:
    """Numbers of the peer wrap at 257 in every script; ours at the first segments here."""
    script = play("+0 established\n+0 ignore")
    assert script.iss is not None
    script.run("""
        +0   < . 1:1001 ack 1
        +0   > . 1:1 ack 1001
        +0   data 1 1001
    """)


def test_libxlio_611_two_closed_windows_do_not_answer_each_other_for_ever() -> None:
    play("""
        +0   established win 1000
        +0   write 1000
        +.1  < . 1:1 ack 1001 win 0
        +0   ignore
        +1   < . 0:0 ack 1001 win 0
        +0   < . 0:0 ack 1001 win 0
        +0   < . 0:0 ack 1001 win 0
        +0   count tcp.invalid_acks_limited 2
    """)
