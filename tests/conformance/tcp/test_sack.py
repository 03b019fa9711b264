"""Selective acknowledgments and spurious timeouts: RFC 2018, RFC 2883 and RFC 5682."""

from tests.conformance.tcp.kit import play
from tests.kit.tcp_script import Script

TEN = "+0 established\n+0 write 20000\n+0 ignore\n+.21 > . 1:1461 ack 1\n"


def last_options(script: Script, text: str) -> object:
    """Return the options of what left last, after some more lines."""
    script.run("+0 ignore\n" + text)
    return script.out[-1].options


def test_rfc2018_2_the_permission_is_in_no_other_segment_than_syn() -> None:
    script = play("+0 established sack\n")
    options = last_options(script, "+0 < . 101:201 ack 1\n+0 write 10")
    assert not options.sack_permitted  # type: ignore[attr-defined]
    assert options.sack  # type: ignore[attr-defined]


def test_rfc2018_4_without_a_permission_nothing_is_reported() -> None:
    play("""
        +0   established
        +0   < . 101:201 ack 1
        +0   > . 1:1 ack 1 nosack
    """)


def test_rfc2018_4_everything_that_leaves_while_there_is_a_gap_reports_it() -> None:
    """Data, a repeated segment and FIN as well, as many blocks as there is room for."""
    play("""
        +0   established sack
        +0   < . 101:201 ack 1
        +0   > . 1:1 ack 1 sack 101:201
        +0   < . 301:401 ack 1
        +0   > . 1:1 ack 1 sack 301:401 101:201
        +0   write 10
        +0   > P. 1:11 ack 1 sack 301:401 101:201
        +.21 > P. 1:11 ack 1 sack 301:401 101:201
        +0   close
        +0   > F. 11:11 ack 1 sack 301:401 101:201
    """)


def test_rfc2018_5_what_was_reported_and_is_missing_all_the_same_is_sent_again() -> None:
    """Section 8: nothing is forgotten before it is acknowledged."""
    play("""
        +0   established sack
        +0   sysctl tcp.tlp 0
        +0   write 4380
        +0   ignore
        +.01 < . 1:1 ack 1 sack 1461:4381
        +0   ignore
        +.01 < . 1:1 ack 1461
        +0   ignore
        +.22 ignore
        +2   < . 1:1 ack 4381
        +0   phase open
    """)
    script = play("+0 established sack\n+0 sysctl tcp.tlp 0\n+0 write 4380\n+0 ignore\n")
    script.run("+.01 < . 1:1 ack 1 sack 1461:4381\n+0 ignore\n+.01 < . 1:1 ack 1461\n+0 ignore")
    assert script.conn.snd.records[0].sacked
    script.run("+.21 > . 1461:2921 ack 1\n+0 reason tcp-rto\n+0 ignore")
    assert script.conn.snd.sacked == 0


def test_rfc2018_8_what_was_thrown_away_is_not_reported_any_more() -> None:
    """A buffer has room for five blocks; the farthest makes room for the nearest."""
    script = """
        +0   listen
        +0   set rcvbuf 2048
        +0   set rcvbuf_locked 1
        +0   established sack
    """
    for at in (1201, 1001, 801, 601, 401, 201):
        script += f"+0 < . {at}:{at + 100} ack 1\n+0 ignore\n"
    play(
        script
        + """
        +0   < . 1:201 ack 1
        +0   > . 1:1 ack 301 sack 401:501 601:701 801:901 1001:1101
        +0   < . 301:401 ack 1
        +0   > . 1:1 ack 501 sack 601:701 801:901 1001:1101
    """
    )


def test_rfc2883_4_a_duplicate_is_reported_once() -> None:
    play("""
        +0   established sack
        +0   < . 1:101 ack 1
        +0   > . 1:1 ack 101
        +0   < . 1:101 ack 1
        +0   > . 1:1 ack 101 sack 1:101
        +0   < . 101:201 ack 1
        +0   > . 1:1 ack 201 nosack
    """)


def test_rfc2883_4_2_of_a_segment_the_part_that_came_before_is_reported() -> None:
    play("""
        +0   established sack
        +0   < . 1:101 ack 1
        +0   > . 1:1 ack 101
        +0   < . 51:151 ack 1
        +0   > . 1:1 ack 151 sack 51:101
        +0   < . 301:401 ack 1
        +0   > . 1:1 ack 151 sack 301:401
        +0   < . 351:451 ack 1
        +0   > . 1:1 ack 151 sack 351:401 301:451
        +0   < . 501:551 ack 1
        +0   > . 1:1 ack 151 sack 501:551 301:451
        +0   < . 401:601 ack 1
        +0   > . 1:1 ack 151 sack 401:451 301:601
    """)


def test_rfc2883_5_a_first_block_within_the_second_is_a_duplicate() -> None:
    script = play("""
        +0   established sack
        +0   write 14600
        +0   ignore
        +.01 < . 1:1 ack 1 sack 4381:7301
        +0   ignore
        +0   < . 1:1 ack 1 sack 4381:5841 4381:7301
        +0   ignore
    """)
    assert script.conn.stats.dsacks == 1
    script.run("+0 < . 1:1 ack 1 sack 8761:10221 4381:7301\n+0 ignore")
    assert script.conn.stats.dsacks == 1


# --- spurious timeouts ----------------------------------------------------------------------------


def test_rfc5682_2_1_a_duplicate_after_the_timeout_is_a_real_loss() -> None:
    """Step 2a: what was sent is sent again, and nothing new."""
    play(
        TEN
        + """
        +.05 < . 1:1 ack 1
        +0   nothing
        +.01 < . 1:1 ack 1461
        +0   > . 1461:2921 ack 1
        +0   > . 2921:4381 ack 1
        +0   nothing
    """
    )


def test_linux_an_acknowledgment_of_everything_shows_that_the_timeout_was_spurious() -> None:
    """RFC 5682 2.1 step 2a leaves that open."""
    play(
        TEN
        + """
        +.05 < . 1:1 ack 14601
        +0   phase open
        +0   reason tcp-spurious-retransmit
        +0   ignore
    """
    )


def test_rfc5682_2_1_without_new_data_the_repair_goes_on() -> None:
    play("""
        +0   established
        +0   write 5840
        +0   ignore
        +.21 > . 1:1461 ack 1
        +.05 < . 1:1 ack 1461
        +0   > . 1461:2921 ack 1
        +0   > . 2921:4381 ack 1
        +0   nothing
    """)


def test_rfc5682_2_1_a_duplicate_after_the_new_data_has_the_repair_go_on() -> None:
    """Step 3a: within a window of three segments."""
    script = play(
        TEN
        + """
        +.05 < . 1:1 ack 1461
        +0   > . 14601:16061 ack 1
        +0   > . 16061:17521 ack 1
        +.01 < . 1:1 ack 1461
        +0   > . 1461:2921 ack 1
        +0   nothing
        +0   phase loss
        +0   reason tcp-spurious-retransmit 0
    """
    )
    assert script.conn.window.cwnd <= 3 * 1460


def test_rfc5682_2_1_the_second_timeout_of_a_segment_is_a_real_one() -> None:
    """Step 1."""
    play(
        TEN
        + """
        +.42 > . 1:1461 ack 1
        +.05 < . 1:1 ack 1461
        +0   > . 1461:2921 ack 1
        +0   > . 2921:4381 ack 1
        +0   nothing
    """
    )


def test_rfc5682_3_1_with_sack_what_was_sent_once_and_arrives_tells_it() -> None:
    play("""
        +0   established sack
        +0   sysctl tcp.tlp 0
        +0   write 20000
        +0   ignore
        +.21 > . 1:1461 ack 1
        +.05 < . 1:1 ack 1461
        +0   > . 14601:16061 ack 1
        +0   > . 16061:17521 ack 1
        +.01 < . 1:1 ack 2921
        +0   reason tcp-spurious-retransmit
        +0   phase open
        +0   cwnd 16060
        +0   ignore
    """)
