"""A world: nodes and wires in virtual time.

The stacks and their operations are those of a daemon; only the clock and the wires are simulated.
A world with the same seed and the same requests does the same, to the byte.
"""

from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush
from random import Random
from typing import Any

from smolctl.lab.node import Node
from smolctl.lab.timeline import Mark, Travel
from smolctl.lab.wire import DELAY_NS, Port, Wire
from smolctl.stack import reason
from smolctl.stack.config.addr import bring_up_loopback
from smolctl.stack.link.outbox import Item, TracedFrame, frames_of
from smolctl.stack.reason import Detail, Kind, Reason
from smolctl.stack.stack import Stack
from smolctl.stack.sysctl.precedence import Assignment
from smolctl.stack.sysctl.profiles import profile as profile_named
from smolctl.stack.sysctl.settings import Settings
from smolctl.stack.trace.journal import CAPACITY
from smolctl.stack.trace.trace import Direction, Fate, Struck, Trace
from smolctl.wire.offload.run import PendingDatagram

START_NS = 1_000_000_000
"""The time at which a world begins: a stack takes 0 for no time at all."""
TURN_NS = 1_000
"""Time of a turn that leads to another one: no loop within a stack can stop time."""
REMEMBERED = 32_768
"""Packets that the journals of all nodes remember together; each has an equal share, at least 16.

That is 60 MB at most: 1,000 hosts on hubs that hear of one another would fill ten times as much."""
_STALE = 64
"""So many calls that nobody needs any more stay in the heap, or a third of what is in it."""
_KINDS = {Fate.DROPPED: "drop", Fate.REJECTED: "reject", Fate.WAITING: "wait"}


class World:
    """A network of stacks.

    Args:
        seed: of all that is random: ports, idents, losses.
        watched: keep a timeline; every packet takes the layered path, which takes longer.
        start_ns: the time at which it begins.

    Attributes:
        now: the time, ns.
        travels, marks: the timeline, in the order of arrival; times count from the beginning.
        frames: how many frames have arrived.
        calls: how many things were to be done at a time, so far.
    """

    def __init__(self, seed: int = 0, *, watched: bool = False, start_ns: int = START_NS) -> None:
        self.seed, self.watched, self.start_ns = seed, watched, start_ns
        self.now = start_ns
        self.nodes: dict[str, Node] = {}
        self.wires: dict[str, Wire] = {}
        self.travels: list[Travel] = []
        self.marks: list[Mark] = []
        self.frames = 0
        self._wire_of: dict[Port, Wire] = {}
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self.calls = 0
        self._stale = 0
        self._due_call: Callable[..., None] = self._due  # one object, by which it is known
        self._share = CAPACITY
        self._settings: dict[tuple[object, ...], Settings] = {}
        self._awake: dict[Node, None] = {}
        self._arriving: list[Trace] | None = None

    # --- what it is made of -----------------------------------------------------------------------

    def add_node(
        self, name: str, *, profile: str = "linux", settings: Sequence[Assignment] = ()
    ) -> Node:
        """Add a node with its loopback.

        Args:
            profile: with which it boots.
            settings: sysctls that it has from its beginning.

        Raises:
            InvalidArgument: there is no such profile, or a sysctl is wrong.
        """
        key = (profile, *settings)
        begun = self._settings.get(key)
        if begun is None:
            assigned = [*profile_named(profile).assignments(), *settings]
            begun = self._settings[key] = Settings.begun(assigned, profile)

        def make() -> Stack:
            # A generator of its own: what one node draws does not change the others' luck.
            random = Random(f"{self.seed} {name}").random
            stack = Stack(random, begun.clone())
            for net in stack.networks.values():
                bring_up_loopback(net)
            self._furnish(name, stack)
            return stack

        return self._add(name, make)

    def add_stack(self, name: str, stack: Stack) -> Node:
        """Add a node of a stack that exists, whose interfaces are not plugged in yet."""

        def make() -> Stack:
            self._furnish(name, stack)
            return stack

        return self._add(name, make)

    def _add(self, name: str, make: Callable[[], Stack]) -> Node:
        node = self.nodes[name] = Node(name, len(self.nodes) + 1, self, make)
        self.wake(node)
        # Halved now and then, so that no world of many nodes looks at all of them for each.
        share = max(16, min(CAPACITY, REMEMBERED >> (len(self.nodes) - 1).bit_length()))
        if share != self._share:
            self._share = share
            for each in self.nodes.values():
                each.stack.journal.limit(share)
        return node

    def _furnish(self, name: str, stack: Stack) -> None:
        """Let a stack remember no more than its share, and hear of its packets if that is asked."""
        stack.journal.limit(self._share)
        if self.watched:
            self._watch(name, stack)

    def plug(self, node: Node, port: Port, wire: str) -> None:
        """Plug an interface into a wire, which is made when it is first used."""
        there = self.wires.setdefault(wire, Wire(wire))
        there.ports.append(port)
        self._wire_of[port] = there
        self._tell_carriers(there)

    def unplug(self, node: Node, port: Port) -> None:
        """Take an interface off its wire."""
        wire = self._wire_of.pop(port)
        wire.ports.remove(port)
        self._tell_carriers(wire)

    def wire_of(self, port: Port) -> Wire:
        """Return a port's wire."""
        return self._wire_of[port]

    def connect(self, wire: str, on: bool) -> None:
        """Cut a wire, or mend it; the ends notice at once."""
        self.wires[wire].connected = on
        self._tell_carriers(self.wires[wire])

    def _tell_carriers(self, wire: Wire) -> None:
        for port in wire.ports:
            on = wire.has_carrier(port)
            if port.interface.carrier != on:
                node = self.nodes.get(port.node)
                if node is None:  # it boots
                    port.interface.carrier = on
                    continue
                node.set_carrier(port.interface, on)
                self.wake(node)

    # --- time -------------------------------------------------------------------------------------

    @property
    def elapsed_ns(self) -> int:
        """Time since the beginning, ns."""
        return self.now - self.start_ns

    def call_at(self, at_ns: int, act: Callable[..., None], *args: Any) -> None:
        """Have something done at a time, ns; of what is to be done at one time, in this order."""
        self.calls += 1
        heappush(self._heap, (max(at_ns, self.now), self.calls, act, args))

    def call_later(self, at_ns: int, act: Callable[[], None]) -> None:
        """Have something done at a time, ns."""
        self.call_at(at_ns, act)

    def wake(self, node: Node) -> None:
        """Let a node take a turn at this instant, or when time goes on."""
        if node not in self._awake:
            self._awake[node] = None
            self.call_at(self.now, _nothing)

    def run(self, until_ns: int, stop: Callable[[], bool] | None = None) -> None:
        """Let time pass.

        Args:
            until_ns: it is this time afterwards, unless ``stop`` said so before.
            stop: asked after each instant at which something happened.
        """
        heap = self._heap
        while heap and heap[0][0] <= until_ns:
            now = self.now = heap[0][0]
            while heap and heap[0][0] == now:
                _, _, act, args = heappop(heap)
                act(*args)
            awake, self._awake = self._awake, {}
            for node in awake:
                self._turn(node, now)
            if stop is not None and stop():
                return
        self.now = max(self.now, until_ns)

    @property
    def idle(self) -> bool:
        """Whether nothing will ever happen by itself."""
        return not self._heap

    @property
    def pending(self) -> int:
        """The number of things to be done at a time, with those that turned out to be needless."""
        return len(self._heap)

    def _turn(self, node: Node, now: int) -> None:
        node.turn(now)
        for port in node.cards.ports.values():
            if port.interface.outbox:
                self._send(node, port, now)
        before, due = node.due_ns, node.deadline()
        if due is not None:
            due = max(due, now + TURN_NS)
        if before is not None and before > now and due is not None and due >= before:
            return  # a timer that was taken back leaves its call: there is nothing to do then
        node.due_ns = due
        if before is not None and before > now:
            self._stale += 1
            if self._stale > _STALE + len(self._heap) // 3:
                self._sweep()
        if due is not None:
            self.call_at(due, self._due_call, node, due)

    def _due(self, node: Node, due_ns: int) -> None:
        if node.due_ns == due_ns:
            self._awake[node] = None
        else:
            self._stale -= 1

    def _sweep(self) -> None:
        """Take calls out of the heap that came to be too late: one for each node is enough.

        Else each packet would leave one, in a world whose timers are far away.
        """
        due, heap, known = self._due_call, self._heap, set[Node]()
        left = []
        for item in sorted(heap):
            if item[2] is due:
                node, due_ns = item[3]
                if node in known or node.due_ns != due_ns:
                    continue
                known.add(node)
            left.append(item)
        heap[:] = left  # sorted, and so it is a heap
        self._stale = 0

    # --- frames -----------------------------------------------------------------------------------

    def _send(self, node: Node, port: Port, now: int) -> None:
        """Take what waits in an outbox onto the wire."""
        interface = port.interface
        items = [_whole(item) for item in interface.outbox]
        interface.outbox.clear()
        self.call_at(now + DELAY_NS, self._arrive, self._wire_of[port], port, items, now)
        node.stack.transmitted(interface, items, now)

    def put(self, wire: str, frame: bytes, port: Port | None = None) -> None:
        """Put a frame that no stack has sent onto a wire.

        Args:
            port: the end at which it enters, so that the others get it; None: all ends get it.
        """
        self.call_at(self.now + DELAY_NS, self._arrive, self.wires[wire], port, [frame], self.now)

    def _arrive(self, wire: Wire, port: Port | None, items: list[Item], sent_ns: int) -> None:
        """Let frames arrive at the other ends of a wire."""
        others = wire.ports if port is None else wire.others(port)
        if not self.watched:
            frames = [frame for item in items for frame in frames_of(item)]
            for other in others:
                self.frames += len(frames)
                node = self.nodes[other.node]
                self._awake[node] = None
                node.receive(other.interface, frames, self.now)
            return
        for item in items:
            for frame in frames_of(item):
                self._arrive_watched(wire, port, others, item, frame, sent_ns)

    def _arrive_watched(
        self, wire: Wire, port: Port | None, others: list[Port], item: Item, frame: bytes, sent: int
    ) -> None:
        """Let one frame arrive, and note its travels."""
        trace = item.trace if isinstance(item, TracedFrame) else None
        src = ("", "") if port is None else (port.node, port.interface.name)
        left_ns = self._left_ns(trace, sent) - self.start_ns
        if not others:
            lost = reason.TX_NO_CARRIER.name
            self.travels.append(
                Travel(left_ns, None, wire.name, *src, "", "", frame, trace, None, lost)
            )
        for other in others:
            node = self.nodes[other.node]
            self.frames += 1
            self._awake[node] = None
            begun = self._arriving = []
            node.receive(other.interface, [frame], self.now)
            self._arriving = None
            received = begun[0] if begun else None
            self.travels.append(Travel(
                left_ns, self.elapsed_ns, wire.name, *src, other.node, other.interface.name,
                frame, trace, received, None,
            ))  # fmt: skip

    def _left_ns(self, trace: Trace | None, sent_ns: int) -> int:
        """Return when a frame set out: a link that delays it held it back from then on."""
        for _, _, at_ns, facts in reversed(trace.raw_steps if trace is not None else ()):
            if isinstance(facts, Struck) and facts.reason is reason.LAB_DELAY:
                return at_ns
        return sent_ns

    # --- the timeline -----------------------------------------------------------------------------

    def _watch(self, name: str, stack: Stack) -> None:
        """Hear of all that happens to packets of a stack."""
        stack.watch(partial(self._note, name), everything=True)
        recorder = stack.shared.recorder
        begin, record = recorder.begin, recorder.record

        def recorded(
            reason: Reason, dev: str, now: int, trace: Trace | None = None, /, **values: object
        ) -> Detail:
            detail = record(reason, dev, now, trace, **values)
            if reason.kind is Kind.NOTE:
                text = reason.why(detail)
                self.marks.append(Mark(self.elapsed_ns, name, "note", text, reason.name, trace))
            return detail

        def begun(
            direction: Direction, now: int, cause: Trace | None = None, dev: str | None = None
        ) -> Trace:
            trace = begin(direction, now, cause, dev)
            if self._arriving is not None and direction is Direction.IN:
                self._arriving.append(trace)
            return trace

        recorder.begin, recorder.record = begun, recorded

    def _note(self, node: str, trace: Trace) -> None:
        if trace.parts:
            return  # its fragments are noted: what became of them is counted, and nothing else
        kind, why = _KINDS.get(trace.fate or Fate.SENT), trace.reason
        if kind is not None and why is not None and why is not reason.LAB_DELAY:
            text = why.why(trace.detail)
            self.marks.append(Mark(self.elapsed_ns, node, kind, text, why.name, trace))


def _whole(item: Item | PendingDatagram) -> Item:
    """Return what waits in an outbox as a device takes it."""
    return item[0].frame(item[1]) if isinstance(item, tuple) else item


def _nothing() -> None:
    """Do nothing: the nodes that are awake take their turn at this instant."""
