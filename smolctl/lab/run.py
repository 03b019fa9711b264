"""Runs of scenarios: a world is built, steps are done at their times, and expectations judged.

The same scenario, seed and profile do the same: no clock of the machine, no process and no hash
has a part in it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, Protocol

from smolctl.errors import SmolctlError
from smolctl.lab.commands import BadLine, Commands, Running
from smolctl.lab.endings import Timeline
from smolctl.lab.expect import Answer, Evidence, Table, due_ns, judge, unmet
from smolctl.lab.expectation import CounterIs, Reaches, TableHolds
from smolctl.lab.node import Node
from smolctl.lab.outcome import Outcome, StepDone
from smolctl.lab.program import Program
from smolctl.lab.sampling import Sampler
from smolctl.lab.scenario import (
    Action,
    End,
    LinkChange,
    NodeChange,
    NodeSpec,
    Replay,
    Run,
    Scenario,
    SendFrame,
    StepSpec,
)
from smolctl.lab.source import ScenarioError
from smolctl.lab.timeline import Mark
from smolctl.lab.wire import Port
from smolctl.lab.world import World
from smolctl.ops import netem
from smolctl.stack.link.impairment import Netem

LINGER_NS = 1_000_000
"""Time for which a command that shows a table may go on: it answers at once, or in a few turns."""
_TOLD_NS = 100_000_000
"""Virtual time between two looks of somebody who wants to know how far a run is."""


class Reach(Protocol):
    """Whoever can tell whether a node reaches another one."""

    def __call__(self, world: World, asked: Reaches) -> Answer:
        """Return the answer; nothing in the world changes."""


Told = Callable[[int, int], None]
"""Whoever wants to know how far a run is: told the virtual time, and that of the end, ns."""

Frames = Sequence[tuple[int, bytes]]
"""Frames of a capture file: time of each from the first one, ns, and its bytes."""


MOST_FRAMES = 300_000
"""Frames of a run with a timeline, which keeps 3 KiB of each: more are most often a storm."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The things that a run needs beside its scenario.

    Attributes:
        commands: run command lines on nodes.
        reach: answers what reaches whom; None where nobody can.
        replays: the frames of the capture files that steps name, by path.
        seed, profile, until_ns: in the place of the scenario's own.
        watched: keep a timeline. Without one a run is several times as fast and its memory does not
            grow, and what is expected of single packets is not judged.
        every: tell what was seen of expectations about other profiles, too.
        most: frames after which a run with a timeline ends before its time.
        world: makes the world of a seed; its keyword is ``watched``.
        told: called while time passes.
    """

    commands: Commands
    reach: Reach | None = None
    replays: Mapping[str, Frames] = field(default_factory=dict)
    seed: int | None = None
    profile: str | None = None
    until_ns: int | None = None
    watched: bool = True
    every: bool = False
    most: int = MOST_FRAMES
    world: Callable[..., World] = World
    told: Told | None = None


def run(scenario: Scenario, setting: Setting) -> Outcome:
    """Run a scenario to its end.

    Raises:
        ScenarioError: a node of it cannot be made.
    """
    return _Run(scenario, setting).outcome()


def at_end(scenario: Scenario, setting: Setting) -> World:
    """Return the world of a scenario at its end, while its commands and programs still go on.

    Raises: as ``run``.
    """
    return _Run(scenario, setting).at_end()


@dataclass
class _Step:
    """A step that was begun.

    Attributes:
        text: what it does, in words.
        running: its command; None where it is none, or could not be done.
    """

    spec: StepSpec
    at_ns: int
    node: str
    text: str
    running: Running | None = None
    error: SmolctlError | None = None

    @property
    def blocks(self) -> bool:
        """Whether the steps behind it have to wait."""
        running, action = self.running, self.spec.action
        if running is None or not isinstance(action, Run):
            return False
        return not action.background and not running.ended


class _Due(NamedTuple):
    """An expectation that is looked at while the run goes on."""

    at_ns: int
    number: int


class _Run:
    """One run."""

    def __init__(self, scenario: Scenario, setting: Setting) -> None:
        self._scenario, self._setting = scenario, setting
        # The network as steps have changed it: a node that begins anew finds its links so.
        self._network = scenario
        self._seed = scenario.seed if setting.seed is None else setting.seed
        self._profile = setting.profile or scenario.profile
        self._until_ns = scenario.until_ns if setting.until_ns is None else setting.until_ns
        self._world = setting.world(self._seed, watched=setting.watched)
        self._steps: list[_Step] = []
        self._ahead: list[tuple[int, StepSpec]] = []
        self._taken: dict[int, Any] = {}
        self._cut = ""
        self._build()
        self._programs = self._begin_programs()
        self._sampler = Sampler(scenario.plots, self._world, self._programs, self._until_ns)

    def outcome(self) -> Outcome:
        """Run it, and return what it leaves behind."""
        try:
            self._pass_time()
            return self._judged()
        finally:
            for step in self._steps:
                self._give_up(step)

    def at_end(self) -> World:
        """Let its time pass, and return its world."""
        self._pass_time()
        return self._world

    # --- the network ------------------------------------------------------------------------------

    def _build(self) -> None:
        for node in self._scenario.nodes:
            self._world.add_node(node.name, profile=node.profile or self._profile)
        for node in self._scenario.nodes:
            self._set_up(node)

    def _set_up(self, spec: NodeSpec) -> None:
        """Do what makes a node of a bare stack.

        Raises:
            ScenarioError: it cannot be done.
        """
        node, key = self._world.nodes[spec.name], f"nodes.{spec.name}"
        lines = [(command.line, command.text) for command in self._network.setup(spec)]
        texts = dict(lines)
        try:
            changes = self._setting.commands.changes(lines)
        except BadLine as error:
            raise self._refused(error.line, key, texts.get(error.line, ""), error) from None
        for line, op, args in changes:
            try:
                self._ask(node, op, args)
            except SmolctlError as error:
                raise self._refused(line, key, texts.get(line, op), error) from None

    def _refused(self, line: int, key: str, command: str, error: SmolctlError) -> ScenarioError:
        file = self._scenario.file
        return ScenarioError(file, line, key, f"{command}: {error.message}", hint=error.hint)

    def _ask(self, node: Node, op: str, args: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of an operation, which may take a few turns.

        Raises:
            SmolctlError: it is refused.
        """
        request = node.start(op, args)
        if not request.ended:
            self._world.run(self._world.now, lambda: request.ended)
        if not request.ended:
            self._world.run(self._world.now + LINGER_NS, lambda: request.ended)
        if request.error is not None:
            raise request.error
        return request.rows_told

    def _begin_programs(self) -> dict[str, Program]:
        programs = {}
        for spec in self._scenario.programs:
            program = programs[spec.name] = Program(spec, self._world)
            self._world.call_at(self._world.start_ns + spec.at_ns, program.begin)
        return programs

    # --- time -------------------------------------------------------------------------------------

    def _pass_time(self) -> None:
        """Do each step at its time, and look at what is to be looked at, until the end."""
        world, end = self._world, self._world.start_ns + self._until_ns
        steps = self._ahead = sorted(self._instants(), key=lambda each: each[0])
        steps.reverse()
        looks = sorted(self._looks(), reverse=True)
        current: _Step | None = None
        while not self._is_flooded():
            blocked = current is not None and current.blocks
            at = world.elapsed_ns
            if steps and not blocked and steps[-1][0] <= at and at < self._until_ns:
                current = self._do(steps.pop()[1])
                # What it does at once is done before the next one.
                world.run(world.now)
                continue
            if looks and looks[-1].at_ns <= at:
                self._look(looks.pop().number)
                continue
            if world.now >= end:
                break
            dues = [world.start_ns + steps[-1][0]] if steps and not blocked else []
            dues += [world.start_ns + looks[-1].at_ns] if looks else []
            if self._setting.told is not None:
                self._setting.told(world.elapsed_ns, self._until_ns)
                dues.append(world.now + _TOLD_NS)
            target = max(world.now, min([end, *dues]))
            world.run(target, partial(self._is_over, current if blocked else None))
        if self._is_flooded():
            self._until_ns = world.elapsed_ns
            self._cut = (
                f"{world.frames} frames by then, most often a storm; without keeping them it goes"
                " on: --no-timeline"
            )
        for look in looks:
            if look.at_ns <= self._until_ns:
                self._look(look.number)

    def _is_over(self, waited: _Step | None) -> bool:
        """Tell whether there is something to do before the next time at which there is.

        Args:
            waited: the step for whose end others wait, or None.
        """
        return self._is_flooded() or (waited is not None and not waited.blocks)

    def _is_flooded(self) -> bool:
        """Tell whether there are more frames than a timeline can keep."""
        return self._setting.watched and self._world.frames > self._setting.most

    def _instants(self) -> Iterator[tuple[int, StepSpec]]:
        for step in self._scenario.steps:
            yield from ((at_ns, step) for at_ns in step.instants())

    def _looks(self) -> Iterator[_Due]:
        for number, spec in enumerate(self._scenario.expects):
            if isinstance(spec.expected, (TableHolds, CounterIs, Reaches)):
                due = due_ns(spec.expected)
                if self._setting.every or spec.counts_under(self._profile):
                    yield _Due(self._until_ns if due is None else due, number)

    # --- steps ------------------------------------------------------------------------------------

    def _do(self, spec: StepSpec) -> _Step:
        """Begin a step."""
        action, at_ns = spec.action, self._world.elapsed_ns
        step = _Step(spec, at_ns, _node_of(action), action_words(action))
        self._steps.append(step)
        kind = "link" if isinstance(action, LinkChange) else "step"
        for place in self._places(action):
            self._world.marks.append(Mark(at_ns, place, kind, step.text))
        try:
            if isinstance(action, Run):
                there = self._world.nodes[action.node]
                step.running = self._setting.commands.start(there, action.command.text)
            else:
                self._DOERS[type(action)](self, action)
        except SmolctlError as error:
            step.error = error
        return step

    def _places(self, action: Action) -> list[str]:
        """Return the nodes at which an action shows."""
        if isinstance(action, (Run, NodeChange)):
            return [action.node]
        if isinstance(action, LinkChange):
            return list(dict.fromkeys(end.node for end in self._scenario.link(action.link).ends))
        return [action.end.node] if action.end is not None else []

    def _change_link(self, change: LinkChange) -> None:
        link = self._network.link(change.link)
        if change.up is not None:
            self._world.connect(change.link, change.up)
        for end in link.ends:
            node = self._world.nodes[end.node]
            card = node.stack.interfaces.get(end.dev)
            if card is None:
                continue
            args: dict[str, Any] = {}
            if change.netem:
                args.update(_netem_words(change.netem))
            if change.mtu is not None:
                args["mtu"] = str(change.mtu)
            if args:
                self._ask(node, "link.set", {"dev": end.dev, **args})
        netem: dict[str, Any] = dict(change.netem)
        changed = replace(
            link, netem=replace(link.netem, **netem), mtu=change.mtu or link.mtu
        )  # fmt: skip
        links = tuple(changed if each is link else each for each in self._network.links)
        self._network = replace(self._network, links=links)

    def _send_frame(self, action: SendFrame) -> None:
        self._world.put(action.link, action.data, self._port(action.end))

    def _replay(self, action: Replay) -> None:
        port = self._port(action.end)
        for after_ns, frame in self._setting.replays[action.path]:
            self._world.call_at(
                self._world.now + after_ns, self._world.put, action.link, frame, port
            )

    def _port(self, end: End | None) -> Port | None:
        """Return an end of a wire.

        Raises:
            SmolctlError: nothing is plugged in there now.
        """
        if end is None:
            return None
        port = self._world.nodes[end.node].cards.ports.get(end.dev)
        if port is None:
            raise SmolctlError(f"{end} is not plugged in", code="no-such-device")
        return port

    def _change_node(self, change: NodeChange) -> None:
        node = self._world.nodes[change.node]
        if change.change == "stop":
            node.switch_off()
        elif change.change == "restart" or not node.running:
            node.restart()
            self._set_up(self._scenario.node(change.node))
            for program in self._programs.values():
                if program.node == change.node:
                    program.again()

    _DOERS: Mapping[type, Callable[["_Run", Any], None]] = {
        LinkChange: _change_link,
        SendFrame: _send_frame,
        Replay: _replay,
        NodeChange: _change_node,
    }

    def _give_up(self, step: _Step) -> None:
        """End a command that still goes on, at once."""
        if step.running is not None and not step.running.ended:
            step.running.cancel()
            step.running.cancel()

    # --- what is looked at ------------------------------------------------------------------------

    def _look(self, number: int) -> None:
        expected = self._scenario.expects[number].expected
        if isinstance(expected, TableHolds):
            self._taken[number] = self._table(expected)
        elif isinstance(expected, CounterIs):
            self._taken[number] = self._counter(expected)
        elif isinstance(expected, Reaches):
            self._taken[number] = self._reached(expected)

    def _table(self, expected: TableHolds) -> Table:
        node, world = self._world.nodes[expected.node], self._world
        running = self._setting.commands.start(node, expected.command.text, json=True)
        for at_ns in (world.now, world.now + LINGER_NS):
            if not running.ended:
                world.run(at_ns, lambda: running.ended)
        if not running.ended:
            running.cancel()
            running.cancel()
            return Table((), "the command goes on, and no table can be had of it")
        if running.status and running.err:
            return Table((), running.err.strip().splitlines()[-1])
        return Table(tuple(running.rows))

    def _counter(self, expected: CounterIs) -> int | str:
        try:
            return self._counters(self._world.nodes[expected.node]).get(expected.counter, 0)
        except SmolctlError as error:
            return error.message

    def _counters(self, node: Node) -> dict[str, int]:
        rows = self._ask(node, "stats.show", {})
        return {f"{row['layer']}.{row['name']}": row["value"] for row in rows}

    def _reached(self, expected: Reaches) -> Answer:
        if self._setting.reach is None:
            return Answer(False, "nobody can tell here what reaches whom")
        return self._setting.reach(self._world, expected)

    # --- the end ----------------------------------------------------------------------------------

    def _judged(self) -> Outcome:
        world = self._world
        travels, marks = tuple(world.travels), tuple(world.marks)
        steps = [*map(self._done, self._steps), *self._missed()]
        links = self._scenario.links
        ends = {link.name: [(end.node, end.dev) for end in link.ends] for link in links}
        evidence = Evidence(
            Timeline(travels, marks), steps, self._programs, ends, self._until_ns,
            self._setting.watched, self._setting.every, self._taken,
        )  # fmt: skip
        judged = judge(self._scenario.expects, self._profile, evidence)
        marks = tuple(sorted((*marks, *unmet(judged, evidence)), key=lambda mark: mark.at_ns))
        counters = {
            node.name: self._counters(node) for node in world.nodes.values() if node.running
        }
        faults = [
            f"{node.name}: {doing}: {type(error).__name__}: {error}"
            for node in world.nodes.values()
            for doing, error in node.faults
        ]
        return Outcome(
            self._scenario, self._seed, self._profile, self._until_ns, steps, judged,
            [program.done() for program in self._programs.values()], counters, travels, marks,
            self._sampler.plots(), world.frames, faults, self._cut,
        )  # fmt: skip

    def _missed(self) -> Iterator[StepDone]:
        """Yield the steps that were due, and had to wait for one that did not end."""
        waited = self._steps[-1] if self._steps else None
        for at_ns, spec in reversed(self._ahead):
            if at_ns < self._until_ns and waited is not None:
                why = f"it waited for line {waited.spec.line}, which had not ended"
                text, node = action_words(spec.action), _node_of(spec.action)
                yield StepDone(at_ns, None, spec.line, spec.name, node, text, missed=why)

    def _done(self, step: _Step) -> StepDone:
        spec, running, error = step.spec, step.running, step.error
        done = StepDone(step.at_ns, step.at_ns, spec.line, spec.name, step.node, step.text)
        if error is not None:
            hint = f"; {error.hint}" if error.hint else ""
            return done._replace(status=2, err=f"smolctl: {error.message}{hint}\n")
        if running is None:
            return done
        ended = running.ended_ns
        return done._replace(
            ended_ns=None if ended is None else ended - self._world.start_ns,
            status=running.status, out=running.out, err=running.err, reason=running.reason,
        )  # fmt: skip


def _node_of(action: Action) -> str:
    """Return the node to which something is done; "" for none."""
    return action.node if isinstance(action, (Run, NodeChange)) else ""


def _netem_words(changes: Mapping[str, int | float]) -> dict[str, str]:
    """Return the arguments of ``link.set`` for fields of ``Netem``, those of 0 too."""
    changed: dict[str, Any] = dict(changes)
    found = netem.words(Netem(**changed))
    return {word: found.get(word, "0") for word in (key.removesuffix("_ns") for key in changes)}


def action_words(action: Action) -> str:
    """Return what a step does, in one line."""
    if isinstance(action, Run):
        return action.command.text
    if isinstance(action, NodeChange):
        return f"({action.change})"
    if isinstance(action, SendFrame):
        return f"(a frame of {len(action.data)} B on {action.link})"
    if isinstance(action, Replay):
        return f"(the frames of {action.path} on {action.link})"
    said = [] if action.up is None else ["up" if action.up else "down"]
    said += [f"{word} {text}" for word, text in _netem_words(action.netem).items()]
    said += [] if action.mtu is None else [f"mtu {action.mtu}"]
    return f"({action.link}: {', '.join(said)})"
