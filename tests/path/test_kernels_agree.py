"""The path engine beside real kernels: the same network, the same changes, the same questions."""

import time
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from smolctl.errors import SmolctlError
from smolctl.path.follow import follow
from smolctl.path.net import net_of_world
from smolctl.path.story import Outcome, PathQuestion, Story
from smolctl.stack.explain.predict import Question
from smolctl.wire.address import format_address, parse_address
from tests.kit.amount import WHOLE, amount
from tests.kit.netns import Namespace, require_root_and, sweep
from tests.path import network
from tests.path.cases import CASES, SHARE, Case
from tests.path.kernel import Kernel, Observed

pytestmark = pytest.mark.netns
ALL = [(case, family) for case in CASES for family in case.families]
_OWN = {
    "a": ("10.0.1.1", "fd00:1::1"),
    "b": ("10.0.2.1", "fd00:2::1"),
    "c": ("10.0.4.1", "fd00:4::1"),
}
_AGAIN_S = 1.1
"""Time in which a kernel lets itself send another error to the same host (error_cost)."""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """Make the network of kernels, once for all questions."""
    require_root_and()
    sweep()
    made: list[Namespace] = []

    def make() -> Namespace:
        made.append(Namespace())
        return made[-1]

    try:
        built = Kernel(make)
        yield built
        built.close()
    finally:
        for namespace in made:
            namespace.close()


def said(case: Case, family: str) -> tuple[str, str, str, int, list[tuple[str, str]]]:
    """Return a question and its changes, in the words of a family."""
    words = network.six if family == "6" else str
    node, proto, dst, *port = words(case.ask).split()
    changes = [change.split(" ", 1) for change in map(words, case.changes)]
    return node, proto, dst, int(port[0]) if port else 0, [(on, text) for on, text in changes]


def predicted(case: Case, family: str) -> Story:
    """Return the story that our stacks tell."""
    node, proto, dst, port, changes = said(case, family)
    world = network.lab()
    for changed, text in changes:
        network.run(world.nodes[changed], text)
    world.run(world.now + 1_000_000)
    to, ttl = parse_address(dst), case.ttl or None
    packet = Question(proto, None, to, dport=port, size=case.size, ttl=ttl)
    return follow(net_of_world(world), PathQuestion(node, packet))


def outcome(story: Story) -> Observed:
    """Return what the host that asks would observe."""
    if story.outcome is Outcome.WORKS:
        return Observed("answer")
    if story.told and story.question.packet.proto != "tcp":
        told = story.told[0]
        return Observed("error", format_address(told.src), told.type, told.code)
    return Observed("refused", errno=story.errno) if story.errno else Observed("nothing")


def observed(kernel: Kernel, case: Case, family: str, ours: list[Observed]) -> list[Observed]:
    """Return what the kernel's host observed, as often as we have an answer."""
    node, proto, dst, port, changes = said(case, family)
    words = network.six if family == "6" else str
    undo = [(on, text) for on, _, text in (words(text).partition(" ") for text in case.undo)]
    found = []
    try:
        for changed, text in changes:
            kernel.change(changed, text)
        kernel.forget()
        for each in ours:
            seen = kernel.ask(node, proto, dst, port, case.size, case.ttl)
            if seen.what == "nothing" and each.what != "nothing":
                time.sleep(_AGAIN_S)
                seen = kernel.ask(node, proto, dst, port, case.size, case.ttl)
            if seen.what == "error" and seen.src in _OWN[node]:
                # What the host says to itself has no message on any wire.
                seen = Observed("refused", errno="EHOSTUNREACH")
            found.append(seen)
    finally:
        kernel.reset((changed for changed, _ in changes), undo)
    return found


def asked(kernel: Kernel, case: Case, family: str) -> tuple[list[Observed], list[Observed]]:
    """Return what our stacks and the kernels say: also of a packet after one that was too big."""
    story = predicted(case, family)
    ours = [outcome(each) for each in (story, story.next) if each is not None]
    return ours, observed(kernel, case, family, ours)


@pytest.mark.proof
def test_questions_end_as_in_the_kernel(kernel: Kernel) -> None:
    pairs = ALL if WHOLE else [(case, family) for case, family in ALL if case.name in SHARE]
    answers = {f"{case.name}-{family}": asked(kernel, case, family) for case, family in pairs}
    assert {name: both for name, both in answers.items() if both[0] != both[1]} == {}
    # They would be worth little if they all ended alike.
    kinds = Counter(each.what for _, theirs in answers.values() for each in theirs)
    assert len(answers) >= amount(150, 12)
    least = min(kinds[what] for what in ("answer", "error", "refused", "nothing"))
    assert least >= amount(15, 1), kinds
    assert len({each for _, theirs in answers.values() for each in theirs}) >= amount(15, 5)
    assert sum(len(theirs) for _, theirs in answers.values()) > len(answers)  # some are sent again


def several(random: Random, family: str) -> Case:
    """Return a question after the changes of up to three cases."""
    pool = [case for case in CASES if family in case.families]
    picked = [random.choice(pool), *random.sample(pool, random.choice((1, 2)))]
    size = random.choice((0, picked[0].size, 1450))
    changes = dict.fromkeys(change for case in picked for change in case.changes)
    undo = dict.fromkeys(command for case in picked for command in case.undo)
    return picked[0]._replace(changes=tuple(changes), size=size, undo=tuple(undo))


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(amount(3, 1)))
def test_several_faults_at_once_end_as_in_the_kernel(kernel: Kernel, seed: int) -> None:
    random, differing, asked_for = Random(seed), [], 0
    while asked_for < amount(50, 5):
        family = random.choice("46")
        case = several(random, family)
        try:
            story = predicted(case, family)
        except SmolctlError:
            continue  # two changes contradict each other
        ours = [outcome(each) for each in (story, story.next) if each is not None]
        theirs = observed(kernel, case, family, ours)
        asked_for += 1
        if ours != theirs:
            differing.append((family, case, ours, theirs))
    assert differing == []
