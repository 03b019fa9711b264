"""Passages: one packet, all that follows from it, and the clones of stacks that it reaches.

A world of the lab carries the frames. A stack is cloned when the first frame reaches it, so that a
question costs what its packet touches.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from smolctl.errors import NoBuffers, SendRejected
from smolctl.lab.node import Node
from smolctl.lab.wire import Port, Wire
from smolctl.lab.world import World
from smolctl.path.bystanders import is_bystander
from smolctl.path.clones import Clones
from smolctl.path.net import End, Line, Net
from smolctl.stack.explain.predict import Question, Sender, send_out
from smolctl.stack.interface import Medium
from smolctl.stack.link.outbox import Item, TracedFrame, frames_of
from smolctl.stack.proof.again import Again
from smolctl.stack.proof.change import Trial
from smolctl.stack.stack import Stack
from smolctl.stack.trace.trace import Direction, Fate, Flow, Trace
from smolctl.stack.transport.send_queue import OutgoingDatagram
from smolctl.stack.transport.udp.socket import Datagram, UdpSocket

_LONGEST_NS = 120_000_000_000
"""Virtual time after which nothing more is waited for: ARP gives up after three seconds."""
_FRAMES_MAX = 12_000
"""Frames after which it is a storm: more than the biggest datagram has in a loop of 255 hops."""


Changes = Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]]
"""Commands that are made on clones first, by the name of the stack; each with the values that were
recorded with the reason that it is to mend."""


class Seen:
    """A packet at one node, which follows from what was asked.

    Attributes:
        node: the name of the node.
        trace: what happened to it there.
        parent: the packet that it follows from; None for the first.
        carried: it is its parent, arrived at this node; else something new.
        line: on which line it came, if it was carried.
        outside: whom it left for, beyond all that is looked at; "" for nobody.
        nobody: it left by a line on which nobody was.
        bystanders: nodes that heard it, and to which it meant nothing.
        loss: how likely the link by which it left is to lose a frame; it was lucky.
    """

    __slots__ = (
        "bystanders", "carried", "line", "loss", "nobody", "node", "outside", "parent", "trace"
    )  # fmt: skip

    def __init__(self, node: str, trace: Trace, parent: "Seen | None", carried: bool) -> None:
        self.node, self.trace, self.parent, self.carried = node, trace, parent, carried
        self.line = self.outside = ""
        self.nobody = False
        self.bystanders: list[str] = []
        self.loss = 0.0


class Passage(World):
    """A world in which one packet is sent.

    Args:
        net: the stacks, which do not notice.
        changes: made on the clones first.
        clones: makes the clones; without one they are made for this passage alone.

    Attributes:
        seen: the packet, and all that follows from it, in the order of their beginning.
        sender: who sent it, and hears the answer; None where nobody could send.
        endless: it became a storm.
    """

    def __init__(self, net: Net, changes: Changes, clones: Clones | None = None) -> None:
        super().__init__(watched=True, start_ns=max(net.now_ns, 1))
        self.net, self._changes = net, changes
        self._clones = clones or Clones(net)
        self.seen: list[Seen] = []
        self.sender: Sender | None = None
        self.endless = False
        self._known: dict[int, Seen] = {}
        self._loose: list[tuple[str, Trace]] = []
        self._pending: list[Seen] = []
        self._carried: Seen | None = None
        self._line = ""
        self._flying = 0
        self._question: Question | None = None
        self._delivered: dict[str, Trace] = {}

    # --- the question -----------------------------------------------------------------------------

    def send(self, name: str, question: Question) -> Trace:
        """Send a packet from a stack, and let time pass until nothing more follows from it.

        Another one may be sent afterwards: the stacks know what the first taught them.
        """
        self.seen, self._known, self._pending, self._loose = [], {}, [], []
        self._question = question
        node = self._node(name)
        self._question = question = self._question
        trace = Trace()
        trace.question = question
        self._see(name, trace, None, False)
        self.sender = send_out(node.stack, question, self.now, trace)
        self.wake(node)
        self.run(self.now + _LONGEST_NS, self._over)
        return trace

    def give_back(self) -> None:
        """Let others use the clones, if an echo request was all that was sent."""
        question = self._question
        if question is not None and question.proto == "icmp" and not self._changes:
            for name, node in self.nodes.items():
                self._clones.give_back(name, node.stack)

    def _over(self) -> bool:
        """Tell whether nothing more follows from the packet."""
        if self.frames > _FRAMES_MAX:
            self.endless = True
            return True
        if self._flying:
            return False
        self._adopt()
        self._pending = [seen for seen in self._pending if not seen.trace.settled]
        return not self._pending

    def _adopt(self) -> None:
        """Find the segments of the connection: they have no cause but the state of a socket."""
        loose, self._loose = self._loose, []
        question = self._question
        if question is None or question.proto != "tcp":
            return
        for name, trace in loose:
            if trace.direction is Direction.IN or trace.cause is not None:
                continue
            if (flow := trace.flow) is not None and self._is_ours(flow):
                last = (s for s in reversed(self.seen) if s.node == name and _is_tcp(s.trace))
                self._see(name, trace, next(last, self.seen[0]), False)

    def _is_ours(self, flow: Flow) -> bool:
        """Tell whether a segment is one of the connection that is asked about."""
        first = self.seen[0].trace.flow
        if flow.proto != "tcp" or first is None:
            return False
        ends, ours = {(flow.dst, flow.dport), (flow.src, flow.sport)}, (first.dst, first.dport)
        return ours in ends and first.sport in (flow.sport, flow.dport)

    def _see(self, node: str, trace: Trace, parent: Seen | None, carried: bool) -> Seen:
        seen = self._known[id(trace)] = Seen(node, trace, parent, carried)
        self.seen.append(seen)
        self._pending.append(seen)
        if carried:
            seen.line = self._line
        return seen

    # --- clones -----------------------------------------------------------------------------------

    def _node(self, name: str) -> Node:
        """Return the clone of a stack, which is made when it is first asked for."""
        node = self.nodes.get(name)
        if node is None:
            clone = self._clones.take(name)
            for network in clone.networks.values():
                for cache in network.neighbors.values():
                    cache.run_timers()
            node = self.add_stack(name, clone)
            clone.ledger.prove = None  # what helps is for the whole path to say
            for dev, interface in clone.interfaces.items():
                interface.headroom = 0
                if interface.medium is Medium.ETHERNET and interface.vlan is None:
                    node.cards.plug(interface, self.net.line_of(End(name, dev)))
            for change in self._changes.get(name, ()):
                self._change(clone, *change)
            question = self._question
            if question is not None and question.proto == "udp":
                for socket in clone.udp.at_port(question.dport):
                    socket.handler = partial(self._echo, name, clone, socket)
        return node

    def _change(self, clone: Stack, command: str, values: Mapping[str, Any]) -> None:
        """Make a change on a clone.

        Raises:
            StackError: it is refused.
        """
        trial = Trial(clone.udp, clone.tcp, Again(self._question), values, self.now)
        trial.make(command)
        self._question = trial.again.question
        clone.poll(self.now)

    def _echo(self, name: str, stack: Stack, socket: UdpSocket, now: int) -> None:
        """Answer as a program would that sends back what it gets."""
        if socket is self.sender:
            return
        for raw in socket.receive_all():
            datagram = Datagram(*raw)
            cause = self._delivered.get(name)
            seen = None if cause is None else self._known.get(id(cause))
            first = self.seen[0].trace.flow
            if seen is None or first is None or datagram.sport != first.sport:
                continue
            trace = Trace(cause=cause)
            self._see(name, trace, seen, False)
            peer = datagram.src, datagram.sport
            dev = datagram.dev if stack.networks.for_address(peer[0]).needs_dev(peer[0]) else None
            item = OutgoingDatagram(datagram.payload, *peer, None, trace, dev)
            with suppress(SendRejected, NoBuffers):
                stack.udp.send_from(socket, item, now)

    def _watch(self, name: str, stack: Stack) -> None:
        """Learn of each packet of a clone, and what it follows from."""

        def heard(trace: Trace) -> None:
            if trace.fate is Fate.DELIVERED:
                self._delivered[name] = trace

        stack.watch(heard, everything=True)
        recorder = stack.shared.recorder
        begin = recorder.begin

        def begun(
            direction: Direction, now: int, cause: Trace | None = None, dev: str | None = None
        ) -> Trace:
            trace = begin(direction, now, cause, dev)
            carried = cause is None and direction is Direction.IN
            parent = self._carried if carried else self._known.get(id(cause))
            if parent is not None:
                self._see(name, trace, parent, carried)
            else:
                self._loose.append((name, trace))
            return trace

        recorder.begin = begun

    # --- frames -----------------------------------------------------------------------------------

    def _tell_carriers(self, wire: Wire) -> None:
        """Leave carriers alone: those of the stacks are known."""

    def _send(self, node: Node, port: Port, now: int) -> None:
        self._flying += len(port.interface.outbox)
        super()._send(node, port, now)

    def _arrive(self, wire: Wire, port: Port | None, items: list[Item], sent_ns: int) -> None:
        assert port is not None
        self._flying -= len(items)
        self._adopt()
        here, line = End(port.node, port.interface.name), self.net.line(wire.name)
        for item in items:
            sent = self._known.get(id(item.trace)) if isinstance(item, TracedFrame) else None
            for frame in frames_of(item):
                takers = _takers(self.net, line, here, frame)
                if sent is not None:
                    bad = port.interface.impairment
                    sent.loss = 0.0 if bad is None else bad.netem.loss
                    sent.outside = line.outside
                    sent.nobody = not takers and not line.outside
                for end in takers:
                    if self._passes_by(end, frame):
                        if sent is not None:
                            sent.bystanders.append(end.node)
                        continue
                    self.frames += 1
                    node = self._node(end.node)
                    self._awake[node] = None
                    self._carried, self._line = sent, wire.name
                    node.receive(node.stack.interfaces[end.dev], [frame], self.now)
                    self._carried = None

    def _passes_by(self, end: End, frame: bytes) -> bool:
        """Tell whether a frame means nothing to a stack, which then need not be cloned for it."""
        if end.node in self.nodes or end.node in self._changes:
            return False
        if self._question is None or self._question.proto in ("arp", "nd"):
            return False  # who hears it is the answer
        stack = self.net.stacks[end.node]
        return is_bystander(stack, stack.interfaces[end.dev], frame)


def _takers(net: Net, line: Line, here: End, frame: bytes) -> list[End]:
    """Return the ends at which a frame does something: that of its MAC address, or all of them."""
    others = [end for end in line.ends if end != here]
    if frame[0] & 1 or len(others) < 2:
        return others
    to = frame[:6]
    meant = []
    for end in others:
        interface = net.stacks[end.node].interfaces[end.dev]
        if interface.mac == to or any(vlan.mac == to for vlan in interface.vlans.values()):
            meant.append(end)
    return meant or others


def _is_tcp(trace: Trace) -> bool:
    """Tell whether a packet is a segment."""
    if trace.flow is not None:
        return trace.flow.proto == "tcp"
    at = 14 if trace.linked else 0
    version = trace.frame[at : at + 1] >= b"\x60"
    return trace.frame[at + 6 if version else at + 9 :][:1] == b"\x06"
