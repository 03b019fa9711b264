"""Closing: RFC 9293 3.6, 3.10.4 and 3.10.5, TIME-WAIT of RFC 1337 and 6191, and who resets whom."""

from tests.conformance.tcp.kit import play


def test_rfc9293_3_6_figure_12_a_connection_is_closed() -> None:
    play("""
        +0   established
        +0   close
        +0   > F. 1:1 ack 1
        +0   state fin-wait-1
        +.1  < . 1:1 ack 2
        +0   state fin-wait-2
        +.1  < F. 1:1 ack 2
        +0   > . 2:2 ack 2
        +0   state closed
        +0   connections 1
        +60  connections 0
    """)


def test_rfc9293_3_6_figure_12_seen_from_the_other_end() -> None:
    play("""
        +0   established
        +.1  < F. 1:1 ack 1
        +0   > . 1:1 ack 2
        +0   state close-wait
        +0   read 1 eof
        +0   close
        +0   > F. 1:1 ack 2
        +0   state last-ack
        +.1  < . 2:2 ack 2
        +0   connections 0
    """)


def test_rfc9293_3_6_figure_13_both_ends_close_at_once() -> None:
    """Not as in smoltcp (#398): a simultaneous close ends in TIME-WAIT, and every FIN is sent."""
    play("""
        +0   established
        +0   close
        +0   > F. 1:1 ack 1
        +.1  < F. 1:1 ack 1
        +0   > . 2:2 ack 2
        +0   state closing
        +.1  < . 2:2 ack 2
        +0   state closed
        +0   connections 1
        +60  connections 0
    """)


def test_rfc9293_3_6_fin_and_its_acknowledgment_in_one_segment() -> None:
    play("""
        +0   fin_wait
        +.1  < F. 1:1 ack 2
        +0   > . 2:2 ack 2
        +0   state closed
        +0   connections 1
        +0   ignore
    """)


def test_rfc9293_3_6_half_a_connection_goes_on() -> None:
    """A peer that has closed may still receive, and the other way round."""
    play("""
        +0   established
        +0   shutdown
        +0   > F. 1:1 ack 1
        +.1  < . 1:1 ack 2
        +0   < P. 1:101 ack 2
        +0   > . 2:2 ack 101
        +0   read 100
        +.1  < F. 101:101 ack 2
        +0   > . 2:2 ack 102
        +0   read 1 eof
    """)
    play("""
        +0   established
        +.1  < F. 1:1 ack 1
        +0   > . 1:1 ack 2
        +0   write 100
        +0   > P. 1:101 ack 2
        +.1  < . 2:2 ack 101
        +0   close
        +0   > F. 101:101 ack 2
        +.1  < . 2:2 ack 102
        +0   connections 0
    """)


def test_rfc9293_3_10_4_fin_follows_what_was_written() -> None:
    play("""
        +0   established
        +0   write 100
        +0   > P. 1:101 ack 1
        +0   write 100
        +0   close
        +0   > FP. 101:201 ack 1
        +.1  < . 1:1 ack 202
        +0   state fin-wait-2
    """)


def test_a_bare_fin_has_no_psh() -> None:
    """A prototype's bug."""
    play("+0 established\n+0 close\n+0 > F. 1:1 ack 1")


def test_rfc9293_3_10_4_fin_waits_for_the_window_and_leaves_with_the_last_data() -> None:
    play("""
        +0   established win 100
        +0   write 150
        +0   > . 1:101 ack 1
        +0   close
        +.1  < . 1:1 ack 101 win 1000
        +0   > FP. 101:151 ack 1
        +0   ignore
    """)


def test_rfc9293_3_8_1_fin_is_sent_again() -> None:
    play("""
        +0    fin_wait
        +.21  > F. 1:1 ack 1
        +.42  > F. 1:1 ack 1
        +.1   < . 1:1 ack 2
        +0    state fin-wait-2
    """)


def test_rfc9293_3_10_7_4_a_fin_that_comes_again_restarts_time_wait() -> None:
    """Eighth, TIME-WAIT: acknowledge it, and wait twice the longest life again."""
    play("""
        0    established
        .1   close
        .1   > F. 1:1 ack 1
        .2   < F. 1:1 ack 2
        .2   > . 2:2 ack 2
        40   < F. 1:1 ack 2
        40   > . 2:2 ack 2
        61   connections 1
        101  connections 0
    """)


def test_rfc9293_3_10_7_4_data_after_fin_is_ignored() -> None:
    play("""
        +0   established
        +.1  < F. 1:1 ack 1
        +0   > . 1:1 ack 2
        +0   < P. 2:12 ack 1
        +0   > . 1:1 ack 2
        +0   read 10 eof
        +0   reason tcp-seq-outside-window
    """)


def test_rfc9293_3_6_1_data_for_a_closed_socket_is_reset() -> None:
    """RFC 2525 2.17: the peer shall know that its data is lost."""
    play("""
        +0   fin_wait
        +.1  < . 1:11 ack 2
        +0   > R 2:2
        +0   connections 0
    """)


def test_rfc9293_3_6_1_closing_with_unread_data_resets() -> None:
    play("""
        +0   established
        +.1  < P. 1:11 ack 1
        +0   > . 1:1 ack 11
        +0   close
        +0   > R. 1:1 ack 11
        +0   connections 0
    """)


def test_rfc9293_3_10_5_abort_resets_and_forgets_what_was_written() -> None:
    play("""
        +0   established
        +0   write 100
        +0   > P. 1:101 ack 1
        +0   abort
        +0   > R. 101:101 ack 1
        +0   connections 0
    """)


def test_rfc9293_3_10_7_4_a_reset_ends_every_state_and_says_so() -> None:
    play("+0 established\n+.1 < R 1:1\n+0 error ECONNRESET\n+0 connections 0")
    play("""
        +0   established
        +.1  < F. 1:1 ack 1
        +0   > . 1:1 ack 2
        +0   < R 2:2
        +0   error EPIPE
    """)


def test_rfc1122_4_2_2_13_a_closed_socket_does_not_wait_for_ever() -> None:
    """Linux tcp_fin_timeout: the peer acknowledged FIN and never sends its own."""
    play("""
        +0   fin_wait
        +.1  < . 1:1 ack 2
        +61  connections 0
    """)


def test_rfc1122_4_2_2_13_a_socket_that_is_only_shut_does_wait() -> None:
    play("""
        +0    established
        +0    shutdown
        +0    > F. 1:1 ack 1
        +.1   < . 1:1 ack 2
        +6000 state fin-wait-2
    """)


def test_rfc1337_3_a_reset_in_time_wait_is_ignored_if_wanted() -> None:
    play("""
        +0   sysctl tcp.rfc1337 1
        +0   fin_wait
        +0   < F. 1:1 ack 2
        +0   > . 2:2 ack 2
        +0   < R 2:2
        +0   connections 1
        +0   reason tcp-rst-in-time-wait
    """)


def test_rfc6191_2_a_syn_behind_the_old_connection_opens_a_new_one() -> None:
    play("""
        +0   time_wait
        +1   < S 5000:5000 win 1000
        +0   > S. 0:0 ack 5001
        +.1  < . 5001:5001 ack 1
        +0   accept
        +0   state established
    """)


def test_rfc6191_2_a_newer_timestamp_opens_a_new_one_too() -> None:
    play("""
        +0   established ts
        +0   close
        +0   > F. 1:1 ack 1
        +.1  < F. 1:1 ack 2 ts
        +0   > . 2:2 ack 2
        +1   < S -900:-900 win 1000 ts
        +0   > S. 0:0 ack -899
    """)


def test_rfc9293_3_10_7_4_an_old_syn_in_time_wait_is_only_acknowledged() -> None:
    play("""
        +0   time_wait
        +1   < S -900:-900 win 1000
        +0   > . 2:2 ack 2
        +0   connections 1
    """)


def test_linux_two_ends_in_time_wait_do_not_answer_each_other_for_ever() -> None:
    """Not as in smoltcp (#29): twice a second at most."""
    play("""
        +0   time_wait
        +1   < . 1:1 ack 2
        +0   > . 2:2 ack 2
        +.1  < . 1:1 ack 2
        +.1  < . 1:1 ack 2
        +0   nothing
    """)


def test_rfc9293_3_10_4_a_second_close_changes_nothing() -> None:
    play("""
        +0   established
        +0   shutdown
        +0   > F. 1:1 ack 1
        +0   shutdown
        +0   close
        +0   nothing
        +0   fails EPIPE write 1
    """)


def test_an_orphan_is_given_up_after_eight_timeouts() -> None:
    """Linux tcp_orphan_retries: 0.21 s doubled eight times is 107 s."""
    play("""
        +0    established
        +0    write 10
        +0    close
        +0    ignore
        +100  connections 1
        +10   connections 0
    """)
