"""Expectations: what is met, and what is said of one that is not."""

from collections.abc import Callable

import pytest

from smolctl.lab.endings import Timeline
from smolctl.lab.expect import Evidence, Table, fits, judge, words
from smolctl.lab.expectation import (
    Count,
    CounterIs,
    Expected,
    ExpectSpec,
    Reaches,
    ReasonStruck,
    Received,
    StepEnds,
    TableHolds,
    Window,
)
from smolctl.lab.node import Node
from smolctl.lab.outcome import Judged, StepDone
from smolctl.lab.source import Command
from smolctl.lab.world import World

S = 1_000_000_000
ENDS = {"left": [("a", "eth0"), ("r", "eth0")], "right": [("r", "eth1"), ("b", "eth0")]}


def router_world(*, route_back: bool = True, listens: bool = True, **right: str) -> World:
    """Return a, a router r, and b on the other side; a has sent b one datagram."""
    world = World(watched=True)
    a, r, b = (world.add_node(name) for name in "arb")
    for node, dev, wire, address in (
        (a, "eth0", "left", "10.0.0.1/24"), (r, "eth0", "left", "10.0.0.254/24"),
        (r, "eth1", "right", "10.0.1.254/24"), (b, "eth0", "right", "10.0.1.2/24"),
    ):  # fmt: skip
        options = right if dev == "eth1" else {}
        node.call("link.add", name=dev, type="cable", cable=wire, **options)
        node.call("addr.add", local=address, dev=dev)
    r.call("sysctl.set", key="ip.forward", value="1")
    a.call("route.add", dst="default", via="10.0.0.254")
    if route_back:
        b.call("route.add", dst="default", via="10.0.1.254")
    if listens:
        b.start("udp.echo", {"port": "9"})
    a.start("udp.send", {"dst": "10.0.1.2", "port": "9", "data": "aGk="})
    world.run(world.start_ns + 10 * S)
    return world


def judged(world: World, expected: Expected, **more: object) -> Judged:
    timeline = Timeline(world.travels, world.marks)
    evidence = Evidence(timeline, (), {}, ENDS, world.elapsed_ns)
    for name, value in more.items():
        setattr(evidence, name, value)
    return judge([ExpectSpec(expected)], "linux", evidence)[0]


def seen(world: World, expected: Expected, **more: object) -> str:
    """Return what is said of an expectation that is not met."""
    found = judged(world, expected, **more)
    assert found.met is False
    return found.seen.text


# --- packets that arrive --------------------------------------------------------------------------


def test_what_arrives_is_counted_and_answers_too() -> None:
    world = router_world()
    there = judged(world, Received("b", "udp dst port 9", Count(1, 1)))
    assert (there.met, there.seen.text) == (True, "once")
    assert judged(world, Received("a", "udp src port 9", Count(1, 1))).met
    assert judged(world, Received("r", "udp", Count(2, 2))).met


def test_a_datagram_that_is_dropped_on_the_way_names_node_reason_and_fix() -> None:
    def prepare(r: Node) -> None:
        r.call("sysctl.set", key="ip.forward", value="0")

    world = changed(prepare)
    found = judged(world, Received("b", "udp dst port 9"))
    assert found.seen.text.startswith("10.0.0.1:")
    assert "was dropped at r: ip-dst-not-ours - " in found.seen.text
    assert (found.seen.node, found.seen.reason) == ("r", "ip-dst-not-ours")
    assert found.seen.fixes == ("smolctl -n r sysctl ip.forward=1",)


def changed(prepare: Callable[[Node], None]) -> World:
    """Return the world in which a sends another datagram after a change of r, and no first one."""
    world = router_world()
    prepare(world.nodes["r"])
    world.travels.clear()
    world.marks.clear()
    world.nodes["a"].start("udp.send", {"dst": "10.0.1.2", "port": "9", "data": "aGk="})
    world.run(world.now + 10 * S)
    return world


def test_a_datagram_without_a_listener_is_refused_where_it_should_be_received() -> None:
    found = judged(router_world(listens=False), Received("b", "udp dst port 9"))
    assert "was refused at b: udp-port-closed" in found.seen.text
    assert found.seen.fixes == ("smolctl -n b udp recv 10.0.1.2:9",)


def test_an_answer_without_a_way_back_is_found_at_its_sender() -> None:
    found = judged(router_world(route_back=False), Received("a", "udp src port 9"))
    assert found.seen.node == "b"
    assert found.seen.reason == "tx-no-route"
    assert found.seen.fixes == ("smolctl -n b route add default via 10.0.1.254",)


def test_a_datagram_to_somebody_absent_is_refused_by_the_last_router() -> None:
    world = router_world()
    world.nodes["a"].start("udp.send", {"dst": "10.0.1.77", "port": "9"})
    world.run(world.now + 10 * S)
    assert "was refused at r: neigh-failed" in seen(world, Received("b", "udp and dst 10.0.1.77"))


def test_a_frame_that_a_link_loses_ends_there() -> None:
    world = router_world(loss="100%")
    # Nothing gets through, so the question of ARP is what is lost, and the datagram waits for it.
    assert "was refused at r: neigh-failed" in seen(world, Received("b", "udp"))
    assert "was dropped at r (as " in seen(world, Received("b", "arp"))


def test_too_many_show_the_first_that_is_too_much() -> None:
    world = router_world()
    text = seen(world, Received("b", "udp dst port 9", Count(0, 0)))
    assert text.startswith("once; at 6")
    assert text.endswith("10.0.1.2:9 UDP 2 B came from r")


def test_what_nobody_sent_says_so_and_what_else_went_wrong() -> None:
    assert seen(router_world(), Received("b", "tcp")) == "no such packet was sent by anybody"
    text = seen(router_world(route_back=False), Received("a", "tcp"))
    assert text.startswith("no such packet was sent by anybody, but 10.0.1.2:9 > 10.0.0.1:")
    assert "tx-no-route" in text


def test_what_got_elsewhere_says_where() -> None:
    world = router_world()
    text = seen(world, Received("b", "udp src port 9"))
    assert text.endswith("got to a, and b is not on its way")


def test_a_window_counts_what_is_within() -> None:
    world = router_world()
    assert judged(world, Received("b", "udp", Count(), Window(0, S))).met
    assert not judged(world, Received("b", "udp", Count(), Window(S))).met


# --- reasons --------------------------------------------------------------------------------------


def test_reasons_are_counted_by_node_link_and_packet() -> None:
    world = router_world(route_back=False)
    for expected in (
        ReasonStruck("tx-no-route", "b", count=Count(1, 1)),
        ReasonStruck("tx-no-route", filter="udp"),
        ReasonStruck("neigh-pending", "a", "left"),
        ReasonStruck("tx-no-route", "a", count=Count(0, 0)),
    ):
        assert judged(world, expected).met, words(expected)


def test_a_reason_that_did_not_strike_says_what_did() -> None:
    world = router_world(route_back=False)
    text = seen(world, ReasonStruck("udp-port-closed", "b"))
    assert text == "never; there were tx-no-route at b once"
    assert seen(world, ReasonStruck("lab-loss", "r", "right")).startswith("never; ")
    assert seen(world, ReasonStruck("tx-no-route", filter="tcp")) == (
        "never, but of other packets once"
    )
    text = seen(world, ReasonStruck("tx-no-route", count=Count(0, 0)))
    assert text.startswith("once; at 60 us at b: no route to 10.0.0.1")


def test_delays_of_a_link_and_notes_of_packets_are_reasons_too() -> None:
    world = router_world(delay="10ms")
    assert judged(world, ReasonStruck("lab-delay", "r", "right", "udp", Count(1, 1))).met
    assert judged(world, ReasonStruck("lab-duplicate", "r", count=Count(0, 0))).met
    world = router_world(duplicate="100%")
    assert judged(world, ReasonStruck("lab-duplicate", "r", "right", "udp", Count(1, 1))).met


# --- tables, steps, counters, reachability --------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "row", "fit"),
    [
        ({"dst": "10.0.0.2"}, {"dst": "10.0.0.2", "dev": "eth0"}, True),
        ({"state": ["STALE"]}, {"state": ["STALE"]}, True),
        ({"flags": ["UP"]}, {"flags": ["BROADCAST", "UP"]}, True),
        ({"state": ["STALE"]}, {"state": ["REACHABLE"]}, False),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, False),
        ({"mtu": 1500}, {"mtu": 1500.0}, True),
        ({"up": True}, {"up": 1}, False),
        ({"dev": "eth0"}, {}, False),
    ],
)
def test_a_row_fits_if_all_that_is_wanted_is_there(
    wanted: dict[str, object], row: dict[str, object], fit: bool
) -> None:
    assert fits(wanted, row) is fit


NESTED = ({"state": [{"to": "y", "by": 1}, {"to": "z", "by": 2}]},)
ROWS = ({"dst": "10.0.0.2", "state": ["FAILED"]}, {"dst": "10.0.0.3", "state": ["STALE"]})


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ({"contains": ({"dst": "10.0.0.2", "state": ["STALE"]},)},
         'the row with dst "10.0.0.2" has state ["FAILED"]'),
        ({"contains": ({"dst": "10.0.0.9"},)},
         'no row is like that, the first has {"dst": "10.0.0.2"}'),
        ({"contains": ({"state": [{"to": "x"}]},)},
         'no row is like that, the first has {"state": [{"to": "y"}, {"to": "z"}]}'),
        ({"lacks": ({"state": ["FAILED"]},)}, 'there is {"dst": "10.0.0.2", "state": ["FAILED"]}'),
        ({"rows": Count(3)}, '2 rows; {"dst": "10.0.0.2", "state": ["FAILED"]}; '
                             '{"dst": "10.0.0.3", "state": ["STALE"]}'),
    ],
)  # fmt: skip
def test_a_table_shows_the_row_that_comes_nearest(expected: dict[str, object], text: str) -> None:
    table = TableHolds("a", Command("neigh show"), **expected)  # type: ignore[arg-type]
    rows = NESTED if "to" in text else ROWS
    assert seen(World(), table, taken={0: Table(rows)}) == text


def test_a_table_that_cannot_be_had_says_why() -> None:
    table = TableHolds("a", Command("neigh show"), contains=({"dst": "10.0.0.2"},))
    assert seen(World(), table, taken={0: Table((), "smolctl: no")}) == "smolctl: no"
    assert seen(World(), table, taken={0: Table(())}) == "the table is empty"


STEP = StepDone(S, 2 * S, 7, "ping", "a", "ping -c 1 b", 1, "PING\n0 received\n", "", "x")


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ({"status": 0}, 'it ended with exit status 1 after 1 s; its last line: "0 received"'),
        ({"output": ("1 received",)},
         'it did not say "1 received"; the nearest line: "0 received"'),
        ({"lacks": ("PING",)}, 'it said "PING"; its last line: "0 received"'),
        ({"within_ns": S // 2}, 'it took 1 s; its last line: "0 received"'),
    ],
)  # fmt: skip
def test_a_step_says_how_it_ended_instead(expected: dict[str, object], text: str) -> None:
    ends = StepEnds("ping", **expected)  # type: ignore[arg-type]
    assert seen(World(), ends, steps=[STEP]) == text


def test_a_step_says_why_it_failed_and_what_became_of_packets_elsewhere() -> None:
    world = router_world(route_back=False)
    err = "smolctl: nothing came back; try again\nreason: icmp-no-reply (smolctl -n a why 4)\n"
    step = StepDone(0, world.elapsed_ns, 7, "ping", "a", "ping b", 1, "PING\n", err, "x")
    found = judged(world, StepEnds("ping", status=0), steps=[step]).seen
    assert '; it said "smolctl: nothing came back; try again"; meanwhile ' in found.text
    assert "was refused at b: tx-no-route - no route to 10.0.0.1" in found.text
    assert (found.node, found.reason) == ("b", "tx-no-route")
    assert found.fixes == ("smolctl -n b route add default via 10.0.1.254",)


def test_a_step_that_goes_on_or_never_began_has_not_ended() -> None:
    ends = StepEnds("ping", status=1)
    assert judged(World(), ends, steps=[STEP]).met
    assert seen(World(), ends, steps=[]) == "it was not done before the run ended"
    going = STEP._replace(ended_ns=None, status=None)
    assert seen(World(), ends, steps=[going]).startswith("it began at 1 s and had not ended")
    missed = STEP._replace(missed="it waited for line 3, which had not ended")
    assert seen(World(), ends, steps=[missed]).startswith("it was not done: it waited for line 3")


def test_every_time_of_a_step_counts() -> None:
    assert not judged(
        World(), StepEnds("ping", status=1), steps=[STEP, STEP._replace(status=0)]
    ).met


def test_a_counter_says_its_value() -> None:
    is_2 = CounterIs("a", "arp.requests_sent", Count(2, 2))
    assert judged(World(), is_2, taken={0: 2}).met
    assert seen(World(), is_2, taken={0: 3}) == "it is 3"


def test_what_is_due_after_the_end_or_about_another_profile_is_not_asked() -> None:
    late = judged(World(), Reaches("a", "b", at_ns=S))
    assert (late.met, late.seen.text) == (None, "the run ends before 1 s")
    evidence = Evidence(Timeline((), ()), (), {}, {}, S)
    other = judge([ExpectSpec(Received("b"), ("rfc1122",))], "linux", evidence)[0]
    assert (other.met, other.seen.text) == (None, "it is about profile rfc1122")


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (Received("b"), "b to receive packets at least once"),
        (Received("b", "udp", Count(2, 4), Window(S, 2 * S)),
         'b to receive "udp" 2 to 4 times between 1 s and 2 s'),
        (Received("b", "udp", Count(0, 0)), 'b to receive "udp" never'),
        (ReasonStruck("lab-loss", "a", "lan", "udp", Count(3, 3)),
         'lab-loss at a on lan of "udp" exactly 3 times'),
        (CounterIs("a", "x.y", Count(0, 5), 3 * S), "x.y of a to be at most 5 at 3 s"),
        (StepEnds("p", 0, ("x",), ("y",), S),
         'step p to end with exit status 0 and say "x" and not say "y" and end within 1 s'),
        (Reaches("a", "b"), "a to reach b by icmp"),
        (Reaches("a", "b", False, "udp", 9, "lab-loss", "r"),
         "a not to reach b by udp port 9, for lab-loss at r"),
    ],
)  # fmt: skip
def test_expectations_in_words(expected: Expected, text: str) -> None:
    assert words(expected) == text
