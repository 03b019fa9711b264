"""Ladders as text: whole pictures, written by hand, and what is unusual in them."""

from smolctl.lab.drawing import ladder
from smolctl.lab.drawing.ladder_layout import lay_out
from smolctl.lab.drawing.ladder_rows import Gap
from smolctl.lab.timeline import Mark
from tests.kit.host import icmp_frame, reply, request, udp_frame
from tests.lab.timelines import MS, Course, Timeline, behind_a_router, travel

S = 1_000_000_000

PING = """\
         a             b
0.000 s  o             |  a$ ping -c 1 10.0.0.2
         W             |  #1 a: wait 10.0.0.1 > 10.0.0.2 ICMP echo request seq 1 - neigh-pending:
         |             |    waiting for ARP of 10.0.0.2 on eth0, 1 queued
         |...who-has..>|  ARP who has 10.0.0.2? tell 10.0.0.1
         |<....is-at...|  ARP 10.0.0.2 is at 02:00:00:00:02:01
         |--#1 echo 1->|  #1 echo 1 leaves, after waiting 20 us
         |<---reply 1--|  10.0.0.2 > 10.0.0.1 ICMP echo reply seq 1, delivered
         :             :  1.0 s: nothing happens
         |             |
1.000 s  o             |  a$ udp send 10.0.0.2:9 hi
         |---#2 UDP--->|  #2 10.0.0.1:4000 > 10.0.0.2:9 UDP 2 B
         |             R  #2 b: reject - udp-port-closed: nothing is bound to 10.0.0.2:9
         |<-ICMP error-|  #3 10.0.0.2 > 10.0.0.1 ICMP port unreachable for 10.0.0.1:4000 >
         |             |    10.0.0.2:9 UDP
         i             |  #3 a: note - icmp-port-unreachable: 10.0.0.2 says that nothing is bound to
         |             |    10.0.0.2:9

o a step of the lab   W a packet waits   R refused, its sender is told   i noted
... about addresses, not data
"""

ROUTER = """\
Through a router

         a          r          b
0.000 s  o          |          |  a$ ping -c 1 10.2.0.2
         W          |          |  #1 a: wait 10.1.0.1 > 10.2.0.2 ICMP echo
         |          |          |    request seq 1 - neigh-pending: waiting for
         |          |          |    ARP of 10.1.0.254 on eth0, 1 queued
         |.who-has.>|          |  ARP who has 10.1.0.254? tell 10.1.0.1
         |<..is-at..|          |  ARP 10.1.0.254 is at 02:00:00:00:02:01, 40 ms
         |          |          |    on the wire
0.040 s  |--echo 1->|          |  #1 echo 1 leaves, after waiting 40 ms
         |          W          |  #1 r: wait - neigh-pending: waiting for ARP of
         |          |          |    10.2.0.2 on eth1, 1 queued
         |          |.who-has.>|  ARP who has 10.2.0.2? tell 10.2.0.254, 40 ms
         |          |          |    on the wire
0.080 s  |          |<..is-at..|  ARP 10.2.0.2 is at 02:00:00:00:03:01
         |          |--echo 1->|  #1 echo 1 is forwarded, ttl 63, after waiting
         |          |          |    40 ms
0.120 s  |          |<-reply 1-|  #2 10.2.0.2 > 10.1.0.1 ICMP echo reply seq 1
         |<-reply 1-|          |  #2 reply 1 is forwarded, ttl 63, delivered

o a step of the lab   W a packet waits   ... about addresses, not data
"""

HUB = """\
      outside          a             b             c
0.000 s                |<...who-has..*............>|  ARP who has 10.0.0.2? tell 10.0.0.1
0.001 s                |             |      X......|  ARP 10.0.0.2 is at 02:00:00:00:00:0b; lost -
                       |             |             |    lab-loss
0.020 s                |--#1--       |             |  #1 10.0.0.2:1 > 10.0.0.1:2 UDP 1 B
0.025 s                |<------------|-----UDP-----|  10.0.0.2:2 > 10.0.0.1:1 UDP 1 B, 10 ms on the
                       |             |             |    wire
0.030 s                |             |      --#1-->|  #1 UDP arrives at c after 10 ms
0.040 s   ----echo 0---|------------>|             |  10.0.0.2 > 10.0.0.1 ICMP echo request seq 0
                       |             |             |
0.045 s  ==============|=============|=============|  c1: down
0.050 s                |             |      X-UDP--|  10.0.0.2:1 > 10.0.0.1:2 UDP 1 B; nobody is
                       |             |             |    there - tx-no-carrier

... about addresses, not data   * one sender, several receivers   --X lost on the wire
-- on its way: it arrives in a later row
"""


def drawn(timeline: Timeline, *nodes: str, width: int = 100, title: str = "") -> str:
    """Return the picture of a timeline."""
    return ladder.draw(lay_out(*timeline, nodes, title=title), width)


def test_a_ping_that_waits_for_arp_and_a_closed_port() -> None:
    course = Course()
    a = course.node("a", ("eth0", "c1", "10.0.0.1/24"))
    course.node("b", ("eth0", "c1", "10.0.0.2/24"))
    course.step(a, "ping -c 1 10.0.0.2", "ping.run", dst="10.0.0.2", count="1")
    course.step(a, "udp send 10.0.0.2:9 hi", "udp.send", dst="10.0.0.2", port="9", sport="4000",
                data="aGk=")  # fmt: skip
    assert drawn(course.timeline, "a", "b") == PING


def test_a_packet_through_a_router_is_one_packet_and_delay_is_said() -> None:
    course, a, _, _ = behind_a_router(delay="40ms")
    course.step(a, "ping -c 1 10.2.0.2", "ping.run", dst="10.2.0.2", count="1")
    assert drawn(course.timeline, "a", "r", "b", width=80, title="Through a router") == ROUTER


def test_a_hub_a_loss_frames_that_cross_and_a_frame_of_nobody() -> None:
    question, answer = request("10.0.0.1", "10.0.0.2"), reply("10.0.0.2", "10.0.0.1")
    there, back = udp_frame(1, 2, b"x"), udp_frame(2, 1, b"y")
    travels = [
        travel(0, "b", "a", question),
        travel(0, "b", "c", question),
        travel(1 * MS, "c", "b", answer, None),
        travel(20 * MS, "a", "c", there, 10 * MS),
        travel(25 * MS, "c", "a", back, 10 * MS),
        travel(40 * MS, "", "b", icmp_frame(8, 0), src_dev=""),
        travel(50 * MS, "c", "", there, None, lost="tx-no-carrier", dst_dev=""),
    ]
    picture = drawn(Timeline(travels, [Mark(45 * MS, "c1", "link", "down")]), "a", "b", "c")
    assert picture == HUB


def test_a_storm_is_a_count_and_what_is_rare_in_it_is_drawn() -> None:
    frame, lost = request("10.0.0.1", "10.0.0.9"), udp_frame()
    storm = []
    for number in range(2000):
        there = (("a", "b"), ("b", "a"))[number % 2]
        storm.append(travel(number * 20_000, *there, frame))
        if number == 999:
            storm.append(travel(number * 20_000 + 15_000, "a", "b", lost, None))
    layout = lay_out(storm, [], ["a", "b"])
    assert [row.text for row in layout.rows if isinstance(row.figure, Gap)] == [
        "996 more like these, in 20 ms: 498 x a > b ARP who-has, 498 x b > a ARP who-has",
        "996 more like these, in 20 ms: 498 x a > b ARP who-has, 498 x b > a ARP who-has",
    ]
    assert len(layout.rows) == 2 * (2 + 1 + 2) + 1
    assert "lost - lab-loss" in layout.rows[5].text
    assert len(lay_out(storm, [], fold=False).rows) == 2001


def test_listener_reports_that_nobody_needs_are_a_count() -> None:
    course = Course()
    for name in ("a", "b"):
        node = course.world.add_node(name)
        node.call("link.add", name="eth0", type="cable", cable="c1")
    course.world.run(course.world.now + 5 * S)
    (row,) = lay_out(*course.timeline).rows
    assert row.figure == Gap("fold")
    assert row.text.startswith(f"{len(course.timeline.travels)} frames that nobody takes, in ")
    assert "ND probe" in row.text


def test_a_segment_that_is_sent_again_is_called_so_and_numbers_count_from_its_first() -> None:
    course, a, _, b = behind_a_router()
    b.start("tcp.echo", {"port": "7"})
    course.step(a, "tcp send", "tcp.send", dst="10.2.0.2", port="7", sport="4000", data="aGk=")
    b.call("link.set", dev="eth0", loss="100%")
    course.step(a, "tcp send", "tcp.send", 2, dst="10.2.0.2", port="7", sport="4001", data="")
    texts = [row.text for row in lay_out(*course.timeline).rows]
    data = [text for text in texts if "PSH,ACK seq" in text]
    assert [text.split(maxsplit=1)[1] for text in data] == [
        "10.1.0.1:4000 > 10.2.0.2:7 TCP PSH,ACK seq 1 ack 1, 2 B",
        "10.2.0.2:7 > 10.1.0.1:4000 TCP PSH,ACK seq 1 ack 3, 2 B",
    ]
    again = [text for text in texts if "SYN" in text and "again" in text]
    assert [text.partition(";")[0] for text in again[:3]] == [
        f"{again[0].split()[0]} 10.1.0.1:4001 > 10.2.0.2:7 TCP SYN, again",
        f"{again[0].split()[0]} SYN is forwarded, ttl 63, again",
        "10.2.0.2:7 > 10.1.0.1:4001 TCP SYN,ACK, again",
    ]


def test_more_nodes_than_columns_are_named_in_each_row() -> None:
    names = [f"n{number}" for number in range(12)]
    travels = [travel(0, "n0", name, request()) for name in names[1:]]
    assert drawn(Timeline(travels, []), *names) == (
        "0.00 ms  n0 > 11 nodes  ARP who has 10.0.0.1? tell 10.0.0.2\n"
    )
    few = Timeline(travels[:1], [])
    assert lay_out(*few, nodes=names).columns == ("n0", "n1")
    assert lay_out(*few, nodes=names[:8]).columns == tuple(names[:8])


def test_nothing_is_a_picture_too() -> None:
    assert drawn(Timeline([], []), "a", "b") == "         a             b\n"
    assert drawn(Timeline([], [])) == ""


CHANGES = """\
         a             b
0.000 s  L             L  (c1: down)
         o             |  a: (restart)
1.000 s  i             |  a: note - neigh-evicted: the cache is full
         |             E  b: received no datagram

o a step of the lab   i noted   L a link changes   E an expectation
"""


def test_marks_that_are_about_no_packet() -> None:
    marks = [
        Mark(0, "a", "link", "(c1: down)"),
        Mark(0, "b", "link", "(c1: down)"),
        Mark(0, "a", "step", "(restart)"),
        Mark(S, "a", "note", "the cache is full", "neigh-evicted"),
        Mark(S, "b", "expect", "received no datagram"),
    ]
    picture = drawn(Timeline([], marks), "a", "b")
    quiet = "         :             :  1.0 s: nothing happens\n"
    assert quiet in picture
    assert picture.replace(quiet, "") == CHANGES


def test_the_more_there_is_the_more_is_folded() -> None:
    kinds = [udp_frame(), reply(), request(), icmp_frame(8, 0)]
    rows = {}
    for times in (1, 3, 7, 100):
        travels = [
            travel(MS * (4 * number + at), "a", "b", kinds[at])
            for number in range(times)
            for at in range(4)
        ]
        rows[times] = len(lay_out(travels).rows)
    assert rows[1] == 4
    assert rows[3] == 12  # each kind is seen three times: all is drawn
    assert rows[7] == 28
    assert rows[100] == 9  # once, a fold, and once more


def test_an_answer_that_is_not_sent_is_called_an_answer() -> None:
    course, a, _, b = behind_a_router()
    b.call("route.del", dst="default")
    course.step(a, "ping -c 1 10.2.0.2", "ping.run", dst="10.2.0.2", count="1")
    texts = [row.text for row in lay_out(*course.timeline).rows]
    assert [text for text in texts if "tx-no-route" in text] == [
        "b: reject the answer 10.2.0.2 > 10.1.0.1 ICMP echo reply, 56 B - tx-no-route:"
        " no route to 10.1.0.1 (connected: 10.2.0.0/24 dev eth0)"
    ]
