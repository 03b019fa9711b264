"""Loss: RFC 6298, 5681, 6582, 6937, 8985, 5682, 2883, 3168, and the path MTU of 1191 and 4821."""

from smolctl.wire import ipv4
from tests.conformance.tcp.kit import play
from tests.kit.host import OURS, PEER, icmp_frame, packet_of
from tests.kit.tcp_script import Script

TWICE = "+.01 < . 1:1 ack 1461\n+0 ignore\n"


def test_rfc6298_5_a_segment_is_sent_again_after_ever_longer_waits() -> None:
    """RFC 6298 5.4 to 5.6; RFC 9293 MUST-19."""
    play("""
        +0    established
        +0    write 10
        +0    > P. 1:11 ack 1
        +.21  > P. 1:11 ack 1
        +.42  > P. 1:11 ack 1
        +.84  > P. 1:11 ack 1
        +1.68 > P. 1:11 ack 1
        +.1   < . 1:1 ack 11
    """)


def test_rfc6298_5_3_only_new_data_restarts_the_timer() -> None:
    """Not as in smoltcp (#62): acknowledgments of nothing new put it off for ever."""
    play("""
        +0   established
        +0   write 10
        +0   > P. 1:11 ack 1
        +.1  < . 1:1 ack 1
        +.1  < . 1:1 ack 1
        +.01 > P. 1:11 ack 1
    """)


def test_rfc6298_3_karn_a_retransmission_gives_no_sample() -> None:
    """RFC 9293 MUST-18: which of the two is acknowledged, nobody knows without timestamps."""
    script = play("""
        +0   established
        +0   write 10
        +0   > P. 1:11 ack 1
        +.21 > P. 1:11 ack 1
        +.15 < . 1:1 ack 11
    """)
    assert script.conn.rtt.srtt_ns == 10_000_000


def test_rfc7323_4_1_with_timestamps_a_retransmission_gives_one() -> None:
    script = play("""
        +0   established ts
        +0   write 10
        +0   > P. 1:11 ack 1
        +.21 > P. 1:11 ack 1
        +.15 < . 1:1 ack 11 ts
    """)
    assert script.conn.rtt.latest_ns == 150_000_000


def test_rfc9293_3_8_1_a_retransmission_is_the_same_packet() -> None:
    """MAY-4: its ident of IP, too."""
    script = play("+0 established")
    script.tcp.send(script.conn, bytes(10), script.host.now)
    first = script.host.take()
    script.host.wait(300_000_000)
    assert script.host.take() == first


def test_rfc5681_3_1_after_a_timeout_the_window_is_one_segment() -> None:
    play("""
        +0   established
        +0   write 14600
        +0   ignore
        +.21 cwnd 1460
        +0   phase loss
    """)


def test_rfc5681_3_1_slow_start_doubles_the_window_in_a_round_trip() -> None:
    play("""
        +0   established
        +0   write 29200
        +0   ignore
        +.01 < . 1:1 ack 14601
        +0   cwnd 29200
    """)


def test_rfc5681_3_2_three_duplicates_repair_without_sack() -> None:
    play("""
        +0   established
        +0   write 7300
        +0   > . 1:1461 ack 1
        +0   > . 1461:2921 ack 1
        +0   > . 2921:4381 ack 1
        +0   > . 4381:5841 ack 1
        +0   > P. 5841:7301 ack 1
        +.01 < . 1:1 ack 1
        +0   < . 1:1 ack 1
        +0   nothing
        +0   < . 1:1 ack 1
        +0   > . 1:1461 ack 1
        +0   phase recovery
        +.01 < . 1:1 ack 7301
        +0   phase open
    """)


def test_rfc6582_3_2_a_partial_acknowledgment_repairs_the_next_hole() -> None:
    play("""
        +0   established
        +0   write 7300
        +0   ignore
        +.01 < . 1:1 ack 1
        +0   < . 1:1 ack 1
        +0   < . 1:1 ack 1
        +0   > . 1:1461 ack 1
        +.01 < . 1:1 ack 2921
        +0   > . 2921:4381 ack 1
        +0   phase recovery
    """)


def test_rfc5681_3_2_a_window_update_is_no_duplicate() -> None:
    play("""
        +0   established win 30000
        +0   write 7300
        +0   ignore
        +.01 < . 1:1 ack 1 win 30001
        +0   < . 1:1 ack 1 win 30002
        +0   < . 1:1 ack 1 win 30003
        +0   < . 1:1 ack 1 win 30004
        +0   nothing
    """)


def test_rfc8985_6_2_what_was_sent_before_what_arrived_is_lost() -> None:
    play("""
        +0   established sack
        +0   write 7300
        +0   ignore
        +.01 < . 1:1 ack 1 sack 1461:7301
        +0   > . 1:1461 ack 1
        +0   phase recovery
        +.01 < . 1:1 ack 7301
        +0   phase open
    """)


def test_rfc8985_6_2_a_little_reordering_is_waited_for() -> None:
    """A quarter of the round trip, while fewer than three segments have overtaken."""
    play("""
        +0     established sack
        +0     write 4380
        +0     ignore
        +.01   < . 1:1 ack 1 sack 1461:2921
        +.001  nothing
        +.0015 > . 1:1461 ack 1
    """)


def test_rfc8985_6_2_a_lost_retransmission_is_found_too() -> None:
    play("""
        +0   established sack
        +0   write 14600
        +0   ignore
        +.01 < . 1:1 ack 1 sack 1461:7301
        +0   > . 1:1461 ack 1
        +.02 < . 1:1 ack 1 sack 1461:14601
        +0   nothing
        +0   write 1460
        +0   > P. 14601:16061 ack 1
        +.02 < . 1:1 ack 1 sack 1461:16061
        +0   > . 1:1461 ack 1
    """)


def test_rfc8985_7_2_the_tail_is_probed_after_two_round_trips() -> None:
    play("""
        +0    established sack
        +0    write 2920
        +0    > . 1:1461 ack 1
        +0    > P. 1461:2921 ack 1
        +.028 > P. 1461:2921 ack 1
        +.01  < . 1:1 ack 1 sack 1461:2921
        +0    > . 1:1461 ack 1
    """)


def test_rfc8985_7_3_a_probe_sends_new_data_if_there_is_any() -> None:
    play("""
        +0    sysctl tcp.initial_cwnd 2
        +0    established sack
        +0    write 4380
        +0    > . 1:1461 ack 1
        +0    > . 1461:2921 ack 1
        +.028 > P. 2921:4381 ack 1
        +0    ignore
    """)


def test_rfc8985_7_4_a_loss_that_only_the_probe_repaired_counts() -> None:
    play("""
        +0    established sack
        +0    write 2920
        +0    ignore
        +.028 > P. 1461:2921 ack 1
        +.01  < . 1:1 ack 2921
        +0    phase open
    """)


def test_rfc6937_3_the_window_comes_down_in_proportion() -> None:
    script = play("""
        +0   sysctl tcp.congestion_control reno
        +0   established sack
        +0   write 14600
        +0   ignore
        +.01 < . 1:1 ack 1 sack 1461:5841
        +0   ssthresh 7300
        +0   > . 1:1461 ack 1
        +0   ignore
        +.01 < . 1:1 ack 14601
        +0   cwnd 7300
    """)
    assert script.conn.loss.phase.value == "open"


def test_rfc9438_4_6_cubic_keeps_seven_tenths() -> None:
    play("""
        +0   established sack
        +0   write 14600
        +0   ignore
        +.01 < . 1:1 ack 1 sack 1461:5841
        +0   ssthresh 10220
        +0   ignore
    """)


def test_rfc5682_2_1_a_spurious_timeout_is_taken_back() -> None:
    play("""
        +0   established
        +0   write 20000
        +0   ignore
        +.21 > . 1:1461 ack 1
        +.05 < . 1:1 ack 1461
        +0   > . 14601:16061 ack 1
        +0   > . 16061:17521 ack 1
        +.01 < . 1:1 ack 2921
        +0   reason tcp-spurious-retransmit
        +0   phase open
        +0   ignore
    """)


def test_rfc5682_2_1_a_real_timeout_goes_on() -> None:
    play("""
        +0   established
        +0   write 20000
        +0   ignore
        +.21 > . 1:1461 ack 1
        +.05 < . 1:1 ack 1461
        +0   > . 14601:16061 ack 1
        +0   > . 16061:17521 ack 1
        +.01 < . 1:1 ack 1461
        +0   phase loss
        +0   reason tcp-spurious-retransmit 0
        +0   ignore
    """)


def test_rfc2883_5_a_reported_duplicate_takes_a_reduction_back() -> None:
    play("""
        +0   established sack
        +0   write 5840
        +0   ignore
        +.01 < . 1:1 ack 1 sack 1461:5841
        +0   > . 1:1461 ack 1
        +.01 < . 1:1 ack 5841 sack 1:1461
        +0   cwnd 14600
        +0   reason tcp-spurious-retransmit
    """)


def test_rfc2018_8_after_a_timeout_no_sack_counts() -> None:
    """The peer may have thrown away what it told of (reneging)."""
    play("""
        +0   established sack
        +0   sysctl tcp.tlp 0
        +0   write 4380
        +0   ignore
        +.01 < . 1:1 ack 1 sack 1461:2921
        +0   ignore
        +.01 < . 1:1 ack 1461
        +.5  ignore
        +.1  < . 1:1 ack 4381
        +0   phase open
    """)


def test_rfc3168_6_1_2_a_mark_reduces_the_window_once_a_round_trip() -> None:
    play("""
        +0   sysctl tcp.ecn 1
        +0   connect
        +0   > SEW 0:0
        +.01 < SE. 0:0 ack 1 win 65535 mss 1460
        +0   > . 1:1 ack 1
        +0   write 14600
        +0   ignore
        +.01 < .E 1:1 ack 1461
        +0   phase cwr
        +0   < .E 1:1 ack 2921
        +0   reason tcp-ce-mark
        +.01 < . 1:1 ack 14601
        +0   phase open
        +0   write 10
        +0   > P.W 14601:14611 ack 1 tos 2
        +0   reason tcp-rto 0
    """)


def test_rfc3168_6_1_3_marks_are_reported_until_the_peer_has_slowed_down() -> None:
    play("""
        +0   listen
        +0   < SEW 0:0 win 65535 mss 1460
        +0   > SE. 0:0 ack 1
        +.01 < . 1:1 ack 1
        +0   accept
        +0   < P. 1:11 ack 1 tos 3
        +0   > .E 1:1 ack 11
        +0   < P. 11:21 ack 1 tos 2
        +0   > .E 1:1 ack 21
        +0   < P.W 21:31 ack 1 tos 2
        +0   > . 1:1 ack 31
    """)


def too_big(script: Script, mtu: int, ahead: int = 0) -> None:
    """Have a router say that the first segment in flight is too big."""
    ends = script.conn.ends
    quoted = ends.port.to_bytes(2) + ends.peer_port.to_bytes(2)
    quoted += (script.conn.snd.una + ahead & 0xFFFFFFFF).to_bytes(4)
    packet = packet_of(ipv4.Protocol.TCP, quoted + bytes(1492), OURS, PEER, df=True)
    script.host.receive(icmp_frame(3, 4, mtu, packet, "10.0.0.99"))
    script.host.poll()
    script._collect()


def test_rfc1191_6_4_what_a_router_found_too_big_is_sent_again_in_smaller_pieces() -> None:
    """Usque #123; the congestion window stays, as the network is not congested."""
    script = play("+0 established\n+0 write 2920\n+0 ignore")
    window = script.conn.window.cwnd
    too_big(script, 1000)
    script.run("""
        +0 > . 1:961 ack 1
        +0 > . 961:1921 ack 1
        +0 > . 1921:2881 ack 1
        +0 > P. 2881:2921 ack 1
    """)
    assert script.conn.window.cwnd == window


def test_rfc5927_7_2_a_forged_report_of_what_is_not_in_flight_changes_nothing() -> None:
    script = play("+0 established\n+0 write 2920\n+0 ignore")
    too_big(script, 600, ahead=500_000)
    assert script.conn.mss == 1460
    assert script.host.reasons()["tcp-icmp-seq-mismatch"] == 1


def test_rfc4821_7_7_a_black_hole_is_found_by_smaller_segments() -> None:
    play("""
        +0    established
        +0    write 1460
        +0    > P. 1:1461 ack 1
        +.21  > P. 1:1461 ack 1
        +.42  > P. 1:1461 ack 1
        +.84  > P. 1:1461 ack 1
        +1.68 > . 1:1025 ack 1
        +.01  < . 1:1 ack 1025
        +0    > P. 1025:1461 ack 1
        +0    reason tcp-mtu-black-hole
    """)


def test_rfc9293_3_8_6_a_window_that_shrinks_is_survived() -> None:
    """MUST-34, SHLD-15, SHLD-16."""
    play("""
        +0   established win 30000
        +0   write 7300
        +0   ignore
        +.01 < . 1:1 ack 1461 win 1000
        +0   reason tcp-window-shrunk
        +0   write 100
        +0   nothing
        +.01 < . 1:1 ack 7301 win 30000
        +0   > P. 7301:7401 ack 1
    """)


def test_gvisor_10343_sacks_without_an_agreement_are_ignored() -> None:
    play("""
        +0   established
        +0   write 7300
        +0   ignore
        +.01 < . 1:1 ack 1 sack 1461:2921 5841:7301
        +0   nothing
        +.01 < . 1:1 ack 7301
        +0   phase open
    """)


def test_sacks_that_cannot_be_are_ignored() -> None:
    """Overlapping, shrinking, upside down, of what was never sent."""
    play("""
        +0   established sack
        +0   write 4380
        +0   ignore
        +.01 < . 1:1 ack 1 sack 9000:10000
        +0   < . 1:1 ack 1 sack 2921:1461
        +0   < . 1:1 ack 1 sack -5000:-4000
        +0   nothing
        +0   < . 1:1 ack 1 sack 1461:2921 1500:2900
        +0   < . 1:1 ack 1 sack 1461:2000
        +.1  ignore
        +0   < . 1:1 ack 4381
        +0   phase open
    """)


def test_cve_2019_11477_sacks_of_single_bytes_make_no_thousands_of_pieces() -> None:
    script = play("+0 established sack win 65535\n+0 write 14600\n+0 ignore")
    for at in range(1, 14_000, 6):
        script.inject(f". 1:1 ack 1 sack {at + 1}:{at + 2} {at + 3}:{at + 4}")
    script.host.poll()
    assert len(script.conn.snd.records) <= 16_384


def test_gvisor_9778_a_connection_over_a_link_without_delay_is_repaired() -> None:
    """A round trip of nothing: the window recovers, and no timer runs wild."""
    script = play("+0 established sack\n+0 write 14600\n+0 ignore")
    script.run("""
        +0  < . 1:1 ack 1 sack 1461:14601
        +0  ignore
        +0  < . 1:1 ack 14601
        +0  phase open
    """)
    assert script.conn.window.cwnd >= 2 * 1460


def test_rfc8985_6_2_what_is_sent_again_in_one_turn_is_later_than_what_is_new() -> None:
    """A turn has one time: new data of it that arrives says nothing about a retransmission."""
    play("""
        +0   established sack
        +0   write 14600
        +0   write 7300
        +0   ignore
        +.01 < . 1:1 ack 1 sack 2921:4381
        +0   < . 1:1 ack 1 sack 2921:5841
        +0   < . 1:1 ack 1 sack 2921:14601
        +0   count tcp.segments_retransmitted 2
        +.01 < . 1:1 ack 1 sack 2921:17521
        +0   count tcp.segments_retransmitted 2
        +0   < . 1:1 ack 2921 sack 2921:17521
        +0   count tcp.segments_retransmitted 2
    """)


def test_linux_a_long_silence_shrinks_the_window() -> None:
    """RFC 5681 4.1."""
    play("""
        +0   established
        +0   write 14600
        +0   ignore
        +.01 < . 1:1 ack 14601
        +0   cwnd 29200
        +9   write 10
        +0   > P. 14601:14611 ack 1
        +0   cwnd 14600
    """)


def test_rfc9406_4_3_slow_start_ends_when_round_trips_become_longer() -> None:
    from smolctl.stack.transport.tcp.congestion import HyStart

    hystart, quick, long = HyStart(), 50_000_000, 80_000_000
    for _ in range(8):
        hystart.sample(quick)
    hystart.next_round()
    for _ in range(8):
        hystart.sample(long)
    assert hystart.divided(4000) == 1000  # conservative slow start: a quarter
    for _ in range(5):
        assert not hystart.done
        hystart.next_round()
    assert hystart.done
