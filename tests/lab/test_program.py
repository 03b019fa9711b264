"""Programs of a scenario: sockets of the stack, read or not, in virtual time."""

from dataclasses import replace

from smolctl.lab.program import Program
from smolctl.lab.scenario import Endpoint, ProgramSpec, Sending
from smolctl.lab.world import World
from smolctl.wire.address import parse_address

S = 1_000_000_000
B4, B6 = parse_address("10.0.0.2"), parse_address("fd00::2")


def two(**link: str) -> World:
    world = World(watched=True)
    for name, number in (("a", 1), ("b", 2)):
        node = world.add_node(name)
        node.call("link.add", name="eth0", type="cable", cable="c1", **link)
        node.call("addr.add", local=f"10.0.0.{number}/24", dev="eth0")
        node.call("addr.add", local=f"fd00::{number}/64", dev="eth0")
    return world


def run(*specs: ProgramSpec, seconds: float = 10, **link: str) -> list[Program]:
    world = two(**link)
    programs = [Program(spec, world) for spec in specs]
    for program in programs:
        world.call_at(world.start_ns + program.spec.at_ns, program.begin)
    world.run(world.start_ns + int(seconds * S))
    return programs


SINK = ProgramSpec("sink", "b", "udp", listen=Endpoint(None, 7))
SOURCE = ProgramSpec(
    "source", "a", "udp", to=(Endpoint(B4, 7),), at_ns=2 * S, sending=Sending(b"hey", 5, S // 2)
)
TCP_SINK = replace(SINK, protocol="tcp", listen=Endpoint(None, 80))
TCP_SOURCE = replace(
    SOURCE, protocol="tcp", to=(Endpoint(B6, 80),), sending=Sending(b"x" * 1000, 100)
)


def test_datagrams_come_one_by_one_at_their_times() -> None:
    sink, source = run(SINK, SOURCE)
    assert [data for _, data in sink.reads] == [b"hey"] * 5
    times = [at_ns for at_ns, _ in sink.reads]
    assert times[1:] == [2 * S + number * S // 2 + 10_000 for number in range(1, 5)]
    assert (sink.amount, source.sent, source.state) == (5, 15, "it runs")


def test_targets_take_turns() -> None:
    other = replace(SINK, name="other", listen=Endpoint(B6, 8))
    both = replace(SOURCE, node="b", to=(Endpoint(B4, 7), Endpoint(B4, 9)))
    sink, _, _ = run(SINK, other, both)
    assert sink.amount == 3


def test_an_echo_sends_back_what_it_reads() -> None:
    _, source = run(replace(SINK, echo=True), SOURCE)
    assert [data for _, data in source.reads] == [b"hey"] * 5


def test_who_does_not_read_gets_nothing() -> None:
    sink, source = run(replace(SINK, reads_ns=None), SOURCE)
    assert (sink.amount, source.sent) == (0, 15)
    assert sink.state == "it runs; it never reads"


def test_a_stream_arrives_whole_over_either_family() -> None:
    for address in (B4, B6):
        sink, source = run(TCP_SINK, replace(TCP_SOURCE, to=(Endpoint(address, 80),)))
        assert sink.amount == source.sent == 100_000
        assert sink.state == "it accepted 1 connection"
        assert source.state == "its connection is established"


def test_a_reader_that_does_not_read_closes_the_window_until_it_does() -> None:
    endless = replace(TCP_SOURCE, sending=Sending(b"x" * 1000, None))
    sink, _ = run(replace(TCP_SINK, reads_ns=None), endless, rate="1mbit")
    assert sink.amount == 0
    later, _ = run(replace(TCP_SINK, reads_ns=3 * S), endless, seconds=4, rate="1mbit")
    assert later.reads[0][0] == 3 * S
    assert later.amount > 100_000


def test_a_program_ends_when_it_says_and_its_connection_closes() -> None:
    sink, source = run(TCP_SINK, replace(TCP_SOURCE, until_ns=5 * S))
    assert source.state.startswith("it has ended")
    assert sink.amount == 100_000


def test_a_port_where_nobody_listens_is_an_error_in_words() -> None:
    (source,) = run(TCP_SOURCE)
    assert source.state == "its connection is over: [fd00::2]:80 answered SYN with RST, TTL 64"


def test_a_program_of_a_node_that_is_switched_off_begins_again_with_it() -> None:
    world = two()
    sink = Program(SINK, world)
    sink.begin()
    world.nodes["b"].switch_off()
    assert sink.state == 'it failed: node "b" was switched off'
    world.nodes["b"].restart()
    sink.again()
    assert sink.state == "it runs"


def test_a_port_that_is_taken_is_an_error_of_the_second_program() -> None:
    _, second = run(SINK, replace(SINK, name="second"))
    assert second.state == "it failed: port 7 is in use by another socket (program sink)"
