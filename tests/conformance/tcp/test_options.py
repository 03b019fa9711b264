"""Window scale, timestamps and segment sizes: RFC 7323, RFC 6691; the user timeout of RFC 5482."""

from smolctl.stack.transport.tcp.sequence import Ends
from tests.conformance.tcp.kit import play
from tests.kit.host import Host, ip
from tests.stack.reason.provokers import fresh

STAMPED = "+0 established ts\n"


def test_rfc7323_2_2_an_offer_outside_of_syn_is_ignored() -> None:
    script = play("+0 established\n+0 < . 1:1 ack 1 win 100 raw 01030307\n")
    assert script.conn.snd.wnd == 100


def test_rfc7323_2_3_windows_are_shifted_both_ways() -> None:
    script = play("""
        +0   listen
        +0   < S 0:0 win 1000 mss 1460 wscale 3
        +0   > S. 0:0 ack 1 wscale 7
        +.01 < . 1:1 ack 1 win 500
        +0   accept
        +0   < . 1:101 ack 1 win 400
        +0   ignore
    """)
    conn = script.conn
    assert conn.snd.wnd == 400 << 3
    script.run("+0 write 1")
    assert script.out[-1].header.window << 7 >= conn.rcv.edge - conn.rcv.nxt
    assert script.out[-1].header.window < 65_535 >> 6


def test_rfc7323_2_4_what_was_allowed_once_is_taken_though_the_window_is_smaller() -> None:
    play("""
        +0   established
        +0   set rcvbuf_locked 1
        +0   set rcvbuf 1000
        +0   < . 1:1461 ack 1
        +0   ignore
        +0   < . 1461:2921 ack 1
        +0   ignore
        +0   data 1 2921
    """)


def test_rfc7323_2_4_what_was_sent_in_the_window_is_sent_again_beyond_it() -> None:
    """And nothing is sent for the first time there."""
    play("""
        +0   established win 30000
        +0   write 2920
        +0   ignore
        +.01 < . 1:1 ack 1 win 100
        +0   write 1460
        +0   nothing
        +.2  > . 1:1461 ack 1
    """)


def test_rfc7323_3_2_syn_has_no_echo() -> None:
    play("+0 connect\n+0 > S 0:0 ts ecr 0\n")


def test_rfc7323_3_2_once_agreed_on_every_segment_has_a_timestamp() -> None:
    """Data, what is sent again, probes, FIN, and what answers the unacceptable; RST, too."""
    play(
        STAMPED
        + """
        +0    write 10
        +0    > P. 1:11 ack 1 ts
        +.21  > P. 1:11 ack 1 ts
        +.01  < . 1:1 ack 11 win 0 ts
        +0    write 10
        +.21  > . 10:10 ack 1 ts
        +.01  < . 1:1 ack 11 win 1000 ts
        +0    > P. 11:21 ack 1 ts
        +.01  < . 1:1 ack 21 ts
        +1    < S 50:50 ts
        +0    > . 21:21 ack 1 ts
        +0    shutdown
        +0    > F. 21:21 ack 1 ts
        +.01  < F. 1:1 ack 22 ts
        +0    > . 22:22 ack 2 ts
        +1    < F. 1:1 ack 22 ts
        +0    > . 22:22 ack 2 ts
    """
    )
    play(STAMPED + "+0 write 10\n+0 ignore\n+0 abort\n+0 > R. 11:11 ack 1 ts\n")


def test_rfc7323_3_2_one_that_was_not_agreed_on_is_ignored() -> None:
    """Old or new, it says nothing, and is not echoed."""
    play("""
        +0   established
        +0   < P. 1:11 ack 1 ts 500000
        +0   > . 1:1 ack 11 nots
        +0   < P. 11:21 ack 1 ts 5
        +0   > . 1:1 ack 21 nots
        +0   read 20
    """)


def test_rfc7323_4_1_only_what_moves_on_measures() -> None:
    script = play(STAMPED + "+0 write 10\n+0 ignore\n")
    script.run("+.05 < . 1:1 ack 1 win 30000 ts\n+0 < P. 1:11 ack 1 ts\n+0 ignore")
    assert script.conn.rtt.latest_ns == 10_000_000
    script.run("+.02 < . 11:11 ack 11 ts")
    assert script.conn.rtt.latest_ns == 70_000_000


def test_rfc7323_4_3_a_delayed_acknowledgment_echoes_the_first_segment() -> None:
    play(
        STAMPED
        + """
        +0   set quick 0
        +0   < . 1:101 ack 1 ts 5000000
        +.01 < . 101:201 ack 1 ts 5000010
        +.03 > . 1:1 ack 201 ts ecr 5000000
    """
    )


def test_rfc7323_4_3_what_fills_a_gap_is_echoed() -> None:
    play(
        STAMPED
        + """
        +.01 < . 1:101 ack 1 ts 5000000
        +0   > . 1:1 ack 101 ts ecr 5000000
        +.01 < . 201:301 ack 1 ts 5000020
        +0   > . 1:1 ack 101 ts ecr 5000000
        +.01 < . 101:201 ack 1 ts 5000010
        +0   > . 1:1 ack 301 ts ecr 5000010
    """
    )


def test_rfc7323_5_2_a_reset_counts_with_any_timestamp() -> None:
    play(STAMPED + "+1 < . 1:11 ack 1 ts\n+0 ignore\n+0 < R. 11:11 ack 1 ts 5\n+0 state closed\n")


def test_rfc7323_5_2_a_syn_with_an_old_timestamp_is_dropped_and_acknowledged() -> None:
    play(
        STAMPED
        + """
        +1   < . 1:11 ack 1 ts
        +0   > . 1:1 ack 11
        +0   < S 11:11 ts 5
        +0   > . 1:1 ack 11
        +0   reason tcp-paws
    """
    )


def test_rfc7323_5_4_the_clock_ticks_once_in_a_millisecond() -> None:
    script = play(STAMPED + "+0 write 10\n+0 ignore\n")
    first = script.ecr
    script.run("+1 < . 1:1 ack 11 ts\n+0 write 10\n")
    assert 1000 <= script.ecr - first <= 1001


def test_rfc7323_5_7_segments_are_not_fragmented() -> None:
    play(STAMPED + "+0 write 10\n+0 > P. 1:11 ack 1 df\n")


def test_rfc7323_7_1_each_pair_of_addresses_has_its_own_clock() -> None:
    host, other = fresh(), Host(random=0.25)
    ends = Ends(ip("10.0.0.1"), 1, ip("10.0.0.2"), 2)
    offset = host.stack.tcp.secrets.timestamp_offset
    assert offset(ends) != offset(ends._replace(peer=ip("10.0.0.3")))
    assert offset(ends) != other.stack.tcp.secrets.timestamp_offset(ends)


def test_rfc6691_2_what_is_told_leaves_no_room_for_options_and_what_is_sent_does() -> None:
    play("""
        +0   listen
        +0   < S 0:0 win 65535 mss 1460 ts 700 ecr 0 sackOK
        +0   > S. 0:0 ack 1 mss 1460 ts
        +.01 < . 1:1 ack 1 ts 800
        +0   accept
        +0   write 3000
        +0   > . 1:1449 ack 1
        +0   > . 1449:2897 ack 1
        +0   ignore
        +.01 < . 101:201 ack 3001 ts 810
        +0   write 1448
        +0   ignore
    """)
    play("""
        +0   listen
        +0   < S 0:0 win 65535 mss 1460 ts 700 ecr 0 sackOK
        +0   > S. 0:0 ack 1 mss 1460
        +.01 < . 1:1 ack 1 ts 800
        +0   accept
        +0   < . 101:201 ack 1 ts 810
        +0   > . 1:1 ack 1 sack 101:201
        +0   write 1500
        +0   > . 1:1437 ack 1 sack 101:201
        +0   ignore
    """)


def test_rfc5482_3_the_option_of_a_peer_changes_nothing() -> None:
    script = play(
        "+0 established\n+0 < P. 1:11 ack 1 uto 5\n+0 > . 1:1 ack 11\n+0 write 10\n+0 ignore"
    )
    assert script.conn.user_timeout_ns == 0
    script.run("+7 state established")
