"""Fixes of paths, run as they are printed: the packet then comes as far as it was said."""

from functools import partial

import pytest

from smolctl.cli.inside import LabCommands
from smolctl.cli.inside.command import Command
from smolctl.lab.world import World
from smolctl.path.follow import follow
from smolctl.path.mend import Fix, mend
from smolctl.path.net import net_of_world
from smolctl.path.story import Outcome, PathQuestion, Story
from smolctl.stack.explain.predict import Question
from smolctl.wire.address import parse_address
from tests.kit.amount import WHOLE, amount
from tests.path import network
from tests.path.cases import CASES, SHARE, Case
from tests.path.test_kernels_agree import ALL, said

COMMANDS = LabCommands()


def asked(case: Case, family: str, *fixes: Fix) -> tuple[World, Story]:
    """Return the story of a question in a network in which some fixes were made."""
    node, proto, dst, port, changes = said(case, family)
    world = network.lab()
    for changed, text in changes:
        network.run(world.nodes[changed], text)
    world.run(world.now + 1_000_000)
    for fix in fixes:
        # As it is printed: "smolctl -n r1 route add ...", run on a node that it does not name.
        # A lab has no programs of its own: who listens there sends back what it gets.
        text = fix.text.removeprefix("smolctl ").replace("tcp listen", "tcp echo")
        command = COMMANDS.start(world.nodes["c"], text)
        world.run(world.now + 3_000_000_000, partial(has_ended, command))
        assert command.status in (None, 0), (fix.text, command.err)
    to, ttl = parse_address(dst), case.ttl or None
    packet = Question(proto, None, to, dport=port, size=case.size, ttl=ttl)
    return world, follow(net_of_world(world), PathQuestion(node, packet))


def has_ended(command: Command) -> bool:
    return command.ended


def end(story: Story) -> tuple[str, str, str]:
    at, why = story.at, story.reason
    return str(story.outcome), at.node if at else "", why.name if why else ""


def tried(case: Case, family: str) -> int:
    """Try all fixes of a question; return how many there are."""
    world, story = asked(case, family)
    made: list[Fix] = []
    number = 0
    for step in mend(net_of_world(world), story):
        if any("--broadcast" in fix.text for fix in step.fixes):
            break  # it changes what is sent, and no stack
        for fix in step.fixes:
            _, new = asked(case, family, *made, fix)
            further = end(new) != end(story) or new.reached(new.leg) == story.reached(story.leg)
            assert further or new.outcome is Outcome.WORKS, (case.name, family, fix.text, end(new))
            number += 1
        if step.then is not None:
            made.append(step.fixes[0])
            _, new = asked(case, family, *made)
            assert end(new) == end(step.then), (case.name, family, [fix.text for fix in made])
            story = new
    return number


@pytest.mark.proof
def test_fixes_help_as_they_are_printed() -> None:
    pairs = ALL if WHOLE else [(case, case.families[0]) for case in CASES if case.name in SHARE]
    assert sum(tried(case, family) for case, family in pairs) >= amount(120, 8)
