"""Worlds of random labs whose packets and frames are counted beside the lab's own books."""

from collections import Counter
from typing import NamedTuple

from hypothesis import note, reject

from smolctl.cli.inside import LabCommands
from smolctl.lab.node import Node
from smolctl.lab.outcome import Outcome
from smolctl.lab.reading import read
from smolctl.lab.run import Setting, run
from smolctl.lab.scenario import Scenario
from smolctl.lab.source import ScenarioError
from smolctl.lab.wire import Port
from smolctl.lab.world import World, _whole
from smolctl.lab.writing import write
from smolctl.path.reaches import reach
from smolctl.stack.link.outbox import frames_of
from smolctl.stack.stack import Stack
from smolctl.stack.trace.journal import Journal
from smolctl.stack.trace.trace import Trace
from tests.property.test_law import Witness


class Books(Witness):
    """A journal that knows every packet that begins; a command's are traces of its own."""

    def follow(self, trace: Trace, now: int) -> None:
        if trace.journal is None:
            self.begun.append(trace)  # type: ignore[arg-type]
        Journal.follow(self, trace, now)


class Sent(NamedTuple):
    """Frames that one turn of a node put onto a wire, and when."""

    at_ns: int
    wire: str
    src: str
    dev: str
    frames: tuple[bytes, ...]


class Observed(World):
    """A world in which somebody counts.

    Attributes:
        witnesses: of each node, the journals of all stacks that it booted with.
        stacks: those stacks.
        sent: what nodes put onto wires.
        strange: how many frames that no node has sent entered at an interface.
    """

    def __init__(self, seed: int, *, watched: bool) -> None:
        self.witnesses: dict[str, list[Books]] = {}
        self.stacks: dict[str, list[Stack]] = {}
        self.sent: list[Sent] = []
        self.strange: Counter[tuple[str, str]] = Counter()
        super().__init__(seed, watched=watched)

    def _watch(self, name: str, stack: Stack) -> None:
        journal = stack.journal = Books()
        journal.limit(self._share)
        recorder = stack.shared.recorder
        recorder.journal = journal
        recorder.begin, recorder.follow = journal.begin, journal.follow
        self.witnesses.setdefault(name, []).append(journal)
        self.stacks.setdefault(name, []).append(stack)
        super()._watch(name, stack)

    def _send(self, node: Node, port: Port, now: int) -> None:
        frames = [frame for item in map(_whole, port.interface.outbox) for frame in frames_of(item)]
        wire, name = self.wire_of(port).name, port.interface.name
        self.sent.append(Sent(now, wire, node.name, name, tuple(frames)))
        super()._send(node, port, now)

    def put(self, wire: str, frame: bytes, port: Port | None = None) -> None:
        if port is not None:
            self.strange[port.node, port.interface.name] += 1
        super().put(wire, frame, port)


def played(scenario: Scenario, *, watched: bool = True) -> tuple[Outcome, Observed]:
    """Run a scenario as its file would be run; a case that fails is shown as such a file."""
    text = write(scenario)
    note(f"# Save this as case.toml, and: smolctl lab run case.toml --ladder\n{text}")
    made: list[Observed] = []

    def world(seed: int, *, watched: bool) -> World:
        made.append(Observed(seed, watched=watched))
        return made[0]

    found = read(text, "case.toml")
    assert found == scenario
    try:
        return run(found, Setting(LabCommands(), reach, watched=watched, world=world)), made[0]
    except ScenarioError:
        reject()
