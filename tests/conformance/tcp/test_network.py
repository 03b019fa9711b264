"""The network between: RFC 1191, 4821, 5927 and 4987; TIME-WAIT of RFC 6191 and 1337."""

from smolctl.stack.transport.tcp.states import State
from tests.conformance.tcp.kit import play
from tests.conformance.tcp.test_attacks import icmp
from tests.conformance.tcp.test_recovery import too_big


def test_rfc1191_6_4_further_reports_of_the_same_size_send_nothing_again() -> None:
    """A burst of segments that are too big makes a burst of reports."""
    script = play("+0 established\n+0 write 2920\n+0 ignore")
    too_big(script, 1000)
    script.run("+0 ignore")
    too_big(script, 1000)
    too_big(script, 1200)
    script.run("+0 nothing\n+0 count tcp.segments_retransmitted 4")


def test_rfc1191_3_1_what_we_take_is_told_by_the_link_and_what_we_send_by_the_peer() -> None:
    """No segment is larger than the peer takes, whatever the path has room for."""
    play("""
        +0   listen
        +0   < S 0:0 win 65535 mss 700
        +0   > S. 0:0 ack 1 mss 1460
        +.01 < . 1:1 ack 1
        +0   accept
        +0   write 1400
        +0   > . 1:701 ack 1 df
        +0   > P. 701:1401 ack 1 df
    """)


def test_rfc4821_7_7_the_size_that_is_tried_first_is_a_sysctl() -> None:
    play("""
        +0    sysctl tcp.base_mss 600
        +0    established
        +0    write 1460
        +0    ignore
        +1.47 ignore
        +1.68 > . 1:601 ack 1
        +0    ignore
    """)
    play("""
        +0    sysctl tcp.mtu_probing 0
        +0    established
        +0    write 1460
        +0    ignore
        +1.47 ignore
        +1.68 > P. 1:1461 ack 1
    """)


def test_rfc4821_7_7_the_congestion_window_is_that_of_any_timeout() -> None:
    play("+0 established\n+0 write 1460\n+0 ignore\n+3.16 reason tcp-mtu-black-hole\n+0 cwnd 1024")


def test_rfc5927_4_1_a_report_of_what_is_not_in_flight_is_no_end() -> None:
    """Hard or not, of an attempt as well: who guesses does not know the numbers."""
    script = play("+0 connect\n+0 ignore")
    script.conn.snd.una += 5000
    icmp(script, 3, 3)
    script.conn.snd.una -= 5000
    assert script.conn.state is State.SYN_SENT
    assert script.host.reasons()["tcp-icmp-seq-mismatch"] == 1


def test_rfc4987_3_2_as_many_handshakes_wait_as_the_backlog_says() -> None:
    play("""
        +0  sysctl tcp.syncookies 0
        +0  sysctl tcp.max_syn_backlog 2
        +0  listen
        +0  < S 0:0 sport 40001
        +0  > S. 0:0 ack 1
        +0  < S 0:0 sport 40002
        +0  > S. 0:0 ack 1
        +0  < S 0:0 sport 40003
        +0  nothing
        +0  reason tcp-syn-queue-full
    """)


def test_rfc4987_3_3_a_handshake_is_given_up_sooner_if_wanted() -> None:
    play("""
        0   sysctl tcp.synack_retries 1
        0   listen
        0   < S 0:0 win 1000
        0   > S. 0:0 ack 1
        1   > S. 0:0 ack 1
        3   connections 0
    """)


def test_rfc4987_3_6_a_guessed_cookie_opens_nothing() -> None:
    play("""
        +0  sysctl tcp.max_syn_backlog 1
        +0  listen
        +0  < S 0:0 sport 40001
        +0  > S. 0:0 ack 1
        +0  < S 0:0 mss 1000 win 65535
        +0  > S. 0:0 ack 1
        +.1 < . 1:1 ack 77 win 65535
        +0  > R 77:77
        +0  reason tcp-cookie-bad
        +0  accept none
    """)


def test_rfc6191_2_a_syn_with_an_old_timestamp_opens_nothing() -> None:
    """Though its number lies behind the old connection."""
    play("""
        +0   established ts
        +0   close
        +0   > F. 1:1 ack 1
        +.1  < F. 1:1 ack 2 ts
        +0   > . 2:2 ack 2
        +1   < S 5000:5000 win 1000 ts 5
        +0   > . 2:2 ack 2
        +0   connections 1
    """)


def test_rfc1337_3_by_default_a_reset_ends_time_wait() -> None:
    play("+0 time_wait\n+0 < R 2:2\n+0 connections 0")


def test_rfc6528_3_a_later_connection_of_the_same_ends_has_larger_numbers() -> None:
    script = play("+0 connect 40000 5000\n+0 ignore")
    ends, now = script.conn.ends, script.host.now
    secrets = script.tcp.secrets
    first = secrets.initial(ends, now)
    assert 0 < (secrets.initial(ends, now + 4000) - first) & 0xFFFFFFFF < 1 << 31
