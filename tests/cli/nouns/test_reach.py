"""``reach``: what is read and printed; most commands run in a lab."""

import json

import pytest

from smolctl.cli import exit as exits
from smolctl.cli.inside import LabCommands
from smolctl.cli.inside.command import Command
from smolctl.cli.nouns.reach_text import render
from smolctl.cli.output import Output
from smolctl.cli.words.options import Options
from smolctl.lab.world import World
from smolctl.path.reach import Answer, Asked, Matrix, Place
from smolctl.path.reach_tell import tell
from smolctl.path.story import Outcome
from tests.path import network

COMMANDS = LabCommands()
WORKS = Answer(Outcome.WORKS)


@pytest.fixture(scope="module")
def world() -> World:
    """Make the network once: no question changes it."""
    return network.lab()


def run(world: World, text: str, *, json: bool = False) -> Command:
    """Run a command to its end."""
    command = COMMANDS.start(world.nodes["a"], text, json=json)
    world.run(world.now + 1_000_000_000, lambda: command.ended)
    assert command.ended
    return command


def test_the_stacks_of_a_lab_are_compared(world: World) -> None:
    said = run(world, "reach")
    head, *_ = said.out.splitlines()
    assert said.err == ""
    row = json.loads(run(world, "reach", json=True).out)
    assert [place["stack"] for place in row["places"]] == list(world.nodes)
    assert head == f"icmp over IPv4: {row['reached']} of 20 pairs work"
    assert said.status == (exits.DONE if row["ok"] else exits.NO)
    for each in row["answers"]:
        path = run(world, each["ask"].removeprefix("smolctl "), json=True)
        told = json.loads(path.out)
        assert (told["ok"], told.get("reason")) == (each["ok"], each.get("reason"))


def test_what_does_not_work_has_a_letter_a_reason_and_a_command(world: World) -> None:
    said = run(world, f"reach udp {network.CLOSED} --stacks a,r1")
    assert said.status == exits.NO
    assert said.out.splitlines() == [
        f"udp {network.CLOSED} over IPv4: 0 of 2 pairs work",
        "",
        "         1",
        "1 a, r1  a",
        "",
        "a  2  the packet breaks at a, r1 - udp-port-closed",
        f"      smolctl why udp a 10.0.1.254:{network.CLOSED} --stacks a,r1 --path",
    ]


def test_it_cannot_be_said_where_packets_leave_the_stacks(world: World) -> None:
    """The routers between them are left out."""
    said = run(world, "reach --stacks a,c")
    assert said.status == exits.UNKNOWN
    assert said.out.splitlines()[0] == "icmp over IPv4: 0 of 2 pairs work, of 2 it cannot be said"
    assert "a  2  not known: the packet leaves these stacks at a, c" in said.out.splitlines()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("reach udp 0", 'reach udp: "0" is not a port (1 to 65535)'),
        ("reach tcp x", 'reach tcp: "x" is not a port (1 to 65535)'),
        ("reach udp 7 tcp 7", "udp and tcp cannot be used together"),
        ("reach --stacks a,b --lab x", "--stacks and --lab cannot be used together"),
        ("reach --stacks a", "here are not two (stacks with one: a)\n"),
        ("reach --lab nope", 'there is no scenario "nope", and no such file'),
        ("reach --config /nope.conf", "/nope.conf"),
    ],
)
def test_a_wrong_question_is_an_error_of_one_line(world: World, words: str, said: str) -> None:
    command = run(world, words)
    assert (command.status, command.out) == (exits.FIX, "")
    assert said in command.err
    assert command.err.count("\n") == 1


def test_nodes_of_a_scenario_are_asked_by_both_commands(world: World) -> None:
    said = run(world, "reach --lab asymmetric-routes")
    ask = "why icmp b 10.0.0.1 --lab asymmetric-routes --path"
    assert f"       smolctl {ask}" in said.out.splitlines()
    path = run(world, ask)
    assert path.status == said.status == exits.NO
    assert "verdict: the answer breaks at r1 - fwd-no-route" in path.out


# --- the text -------------------------------------------------------------------------------------


def matrix(names: list[str], **answers: Answer) -> Matrix:
    """Return a matrix in which all works but what is said: ``a_b`` of a to b."""
    places = tuple(Place(name, 0x0A000001 + at) for at, name in enumerate(names))
    rows = [
        [None if a == b else answers.get(f"{a}_{b}", WORKS) for b in names] for a in names
    ]  # fmt: skip
    return Matrix(Asked("icmp"), places, rows)


def text(found: Matrix) -> list[str]:
    return list(render(tell(found), Output(Options())))


def test_all_that_works_is_one_row() -> None:
    assert text(matrix([f"h{number}" for number in range(1, 51)])) == [
        "icmp over IPv4: 2450 of 2450 pairs work", "", "          1", "1 h1-h50  +",
    ]  # fmt: skip


def test_each_reason_has_a_letter_wherever_it_is() -> None:
    far, near = (Answer(Outcome.BREAKS, "tx-no-route", at, "packet") for at in "ab")
    lost = Answer(Outcome.BREAKS, "", "c", "answer")
    gone = Answer(Outcome.OUTSIDE, "", "c", "packet")
    other = Answer(Outcome.WORKS, by="b")
    lines = text(matrix(["a", "b", "c"], a_b=far, b_a=near, a_c=lost, b_c=gone, c_a=other))
    assert lines == [
        "icmp over IPv4: 1 of 6 pairs work, of 1 it cannot be said",
        "",
        "     1 2 3",
        "1 a  . a b",
        "2 b  a . c",
        "3 c  d + .",
        "",
        "a  2  the packet breaks at a, b - tx-no-route",
        "      smolctl why icmp a 10.0.0.2 --path",
        "b  1  the answer breaks at c",
        "      smolctl why icmp a 10.0.0.3 --path",
        "c  1  not known: the packet leaves these stacks at c",
        "      smolctl why icmp b 10.0.0.3 --path",
        "d  1  another stack answers: b",
        "      smolctl why icmp c 10.0.0.1 --path",
    ]


@pytest.mark.parametrize("count", [20, 90, 200])
def test_a_wide_matrix_comes_in_parts_of_the_screen(count: int) -> None:
    names = [f"host-{number * number}" for number in range(count)]
    lone = {
        f"{name}_{names[0]}": Answer(Outcome.WORKS, by=f"x{at * at}")
        for at, name in enumerate(names[1:])
    }
    lines = text(matrix(names, **lone))
    assert max(map(len, lines)) <= 80
    second = [line for line in lines if line.split()[:2] == ["2", names[1]]]
    assert len(second) == (1 if count < 60 else 1 + count // 57)
    cells = "".join("".join(line.split()[2:]) for line in second)
    assert cells == "a." + "+" * (count - 2)
    assert lines[-2].endswith(
        f" {count - 1}  another stack answers: x0, x1, x4 and {count - 4} others"
    )
