"""Congestion marks: RFC 3168 section 6.1."""

from tests.conformance.tcp.kit import play

OPEN = """
    +0   sysctl tcp.ecn 1
    +0   connect
    +0   > SEW 0:0 tos 0
    +.01 < SE. 0:0 ack 1 win 65535 mss 1460
    +0   > . 1:1 ack 1 tos 0
"""


def test_rfc3168_6_1_1_the_handshake_itself_is_never_marked() -> None:
    play("""
        +0   listen
        +0   < SEW 0:0 win 65535 mss 1460
        +0   > SE. 0:0 ack 1 tos 0
        +1   > SE. 0:0 ack 1 tos 0
    """)
    play(OPEN)


def test_rfc3168_6_1_1_other_flags_are_no_agreement() -> None:
    """One flag alone in SYN, or both in the answer: a host that reflects what it does not know."""
    play("+0 listen\n+0 < SE 0:0 win 65535 mss 1460\n+0 > S. 0:0 ack 1\n")
    play("+0 listen\n+0 < SW 0:0 win 65535 mss 1460\n+0 > S. 0:0 ack 1\n")
    play("""
        +0   sysctl tcp.ecn 1
        +0   connect
        +0   > SEW 0:0
        +.01 < SEW. 0:0 ack 1 win 65535 mss 1460
        +0   > . 1:1 ack 1
        +0   write 10
        +0   > P. 1:11 ack 1 tos 0
    """)


def test_rfc3168_6_1_1_after_a_syn_without_it_nothing_is_sent_that_may_be_marked() -> None:
    """A SYN that is sent again does not ask; an answer to the first one comes all the same."""
    play("""
        +0   sysctl tcp.ecn 1
        +0   connect
        +0   > SEW 0:0
        +1   > S 0:0
        +.01 < SE. 0:0 ack 1 win 65535 mss 1460
        +0   > . 1:1 ack 1
        +0   write 10
        +0   > P. 1:11 ack 1 tos 0
        +0   < P. 1:11 ack 11 tos 3
        +0   > .E 11:11 ack 11
    """)


def test_rfc3168_6_1_1_both_open_at_once_without_it() -> None:
    play("""
        +0   sysctl tcp.ecn 1
        +0   connect
        +0   > SEW 0:0
        +0   < SEW 0:0 win 65535 mss 1460
        +0   > S. 0:0 ack 1
        +.01 < SE. 0:0 ack 1 win 65535 mss 1460
        +0   write 10
        +0   > P. 1:11 ack 1 tos 0
    """)


def test_rfc3168_6_1_2_each_reduction_is_told() -> None:
    """After a loss and after a timeout as well, with the first new data."""
    play(
        OPEN
        + """
        +0   write 7300
        +0   ignore
        +.01 < . 1:1 ack 1
        +0   < . 1:1 ack 1
        +0   < . 1:1 ack 1
        +0   > . 1:1461 ack 1 tos 0
        +.01 < . 1:1 ack 7301
        +0   write 10
        +0   > P.W 7301:7311 ack 1 tos 2
        +.01 < . 1:1 ack 7311
        +0   write 10
        +0   > P. 7311:7321 ack 1 tos 2
        +.21 > P. 7311:7321 ack 1 tos 0
        +.01 < . 1:1 ack 7321
        +0   write 10
        +0   > P.W 7321:7331 ack 1 tos 2
    """
    )


def test_rfc3168_6_1_2_a_mark_at_a_window_of_one_segment_restarts_the_timer() -> None:
    script = play(OPEN + "+0 write 2920\n+0 ignore\n+.21 cwnd 1460\n+.01 < .E 1:1 ack 1461\n")
    assert script.conn.timer_ns == script.host.now + script.conn.rtt.rto_ns


def test_rfc3168_6_1_3_a_mark_on_any_of_the_segments_is_reported() -> None:
    play(
        OPEN
        + """
        +0   set quick 0
        +0   < . 1:101 ack 1 tos 3
        +.01 < . 101:201 ack 1 tos 2
        +0   nothing
        +.03 > .E 1:1 ack 201
    """
    )


def test_rfc3168_6_1_4_acknowledgments_cannot_be_marked() -> None:
    play(OPEN + "+0 < . 1:101 ack 1\n+0 > . 1:1 ack 101 tos 0\n")


def test_rfc3168_6_1_5_marks_outside_of_the_window_are_ignored() -> None:
    """And what is sent again cannot be marked (see each reduction)."""
    play(
        OPEN
        + """
        +0   < . 1:101 ack 1 tos 2
        +0   > . 1:1 ack 101
        +0   < . 1:101 ack 1 tos 3
        +0   > . 1:1 ack 101
    """
    )


def test_rfc3168_6_1_6_window_probes_cannot_be_marked_and_tell_no_reduction() -> None:
    play(
        OPEN
        + """
        +0   write 2920
        +0   ignore
        +.01 < .E 1:1 ack 2921 win 0
        +0   write 10
        +.2  nothing
        +.01 > . 2920:2920 ack 1 tos 0
        +.01 < . 1:1 ack 2921 win 60000
        +0   > P.W 2921:2931 ack 1 tos 2
    """
    )
