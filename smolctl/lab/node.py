"""Nodes: a stack and its operations, as in a daemon, on simulated wires in simulated time."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from smolctl.errors import ControlError, SmolctlError
from smolctl.lab.request import Request, Row
from smolctl.lab.wire import Port, Wire
from smolctl.ops.aside import Copied, CopyUser, Work
from smolctl.ops.engine import Engine
from smolctl.ops.job import Job
from smolctl.stack.config.link import set_carrier
from smolctl.stack.interface import ETHERNET_MTU, Interface
from smolctl.stack.stack import Stack

CABLE = "cable"
EPOCH_S = 1_767_225_600
"""2026-01-01T00:00:00Z: each world begins there, for whoever asks for the time of day."""


class Surroundings(Protocol):
    """The world of a node."""

    @property
    def now(self) -> int:
        """The world's time, ns."""

    @property
    def nodes(self) -> "Mapping[str, Node]":
        """The nodes by their names."""

    def plug(self, node: "Node", port: Port, wire: str) -> None:
        """Plug an interface into a wire, which is made when it is first used."""

    def unplug(self, node: "Node", port: Port) -> None:
        """Take an interface off its wire."""

    def wire_of(self, port: Port) -> Wire:
        """Return a port's wire."""

    def call_later(self, at_ns: int, act: Callable[[], None]) -> None:
        """Have something done at a time, ns."""

    def wake(self, node: "Node") -> None:
        """Let a node take a turn at this instant."""


class Card:
    """The device of a node's interface; see ``smolctl.device.Device``.

    Args:
        cable: the name of the wire that it is for.
    """

    def __init__(self, mac: bytes, mtu: int, cable: str) -> None:
        self.mac, self.mtu, self.cable = mac, mtu, cable

    def check_mac(self, mac: bytes) -> None:
        """Find every MAC right."""

    def set_mac(self, mac: bytes) -> None:
        """Change ``mac``."""
        self.mac = mac

    def set_mtu(self, mtu: int) -> None:
        """Change ``mtu``."""
        self.mtu = mtu

    def close(self, *, delete: bool = False) -> None:
        """Let go of nothing: ``Cards.delete`` unplugs it."""


class Cards:
    """The devices of a node, in the place of ``daemon.links.Links``.

    Args:
        node: whose they are.
        world: has the wires.
    """

    kinds = (CABLE,)

    def __init__(self, node: "Node", world: Surroundings) -> None:
        self._node, self._world = node, world
        self._cards: dict[str, Card] = {}
        self.ports: dict[str, Port] = {}
        self._made = 0

    def open(self, name: str, kind: str, options: Mapping[str, Any]) -> Card:
        """Return a device; its MAC says which node it is of, unless another is asked for."""
        self._made += 1
        mac = options["mac"] or bytes((2, 0, 0, *divmod(self._node.number, 256), self._made & 255))
        return Card(mac, options["mtu"] or ETHERNET_MTU, options[CABLE])

    def attach(self, interface: Interface, device: Card, now: int) -> None:
        """Plug an interface into the wire of its device."""
        interface.mtu_in = True  # as in a daemon: no wire is there that would refuse a long frame
        self._cards[interface.name] = device
        self.plug(interface, device.cable)

    def plug(self, interface: Interface, wire: str) -> None:
        """Plug an interface into a wire."""
        port = self.ports[interface.name] = Port(self._node.name, interface)
        self._world.plug(self._node, port, wire)

    def get(self, name: str) -> Card | None:
        """Return the interface's device."""
        return self._cards.get(name)

    def present(self, name: str) -> bool:
        """Tell that nothing is missing."""
        return True

    def details(self, name: str) -> Row:
        """Return the wire of an interface, as a daemon tells of a cable."""
        port = self.ports.get(name)
        if port is None:
            return {}
        wire = self._world.wire_of(port)
        # No end is ever too slow.
        return {"name": wire.name, "ends": len(wire.ports), "queued": 0, "missed": 0}

    def delete(self, name: str) -> None:
        """Unplug an interface that is gone."""
        self._cards.pop(name, None)
        port = self.ports.pop(name, None)
        if port is not None:
            self._world.unplug(self._node, port)

    def clear(self) -> None:
        """Unplug all."""
        for name in list(self.ports):
            self.delete(name)


class Node:
    """A host or router of a world.

    Args:
        name: what people call it.
        number: counts the nodes of the world; MAC addresses have it.
        world: its clock and its wires.
        make: makes the stack that the node boots with.

    Attributes:
        stack, engine: what runs since it was booted; ``running`` is False after ``stack stop``.
        faults: errors that nobody foresaw: bugs of ours.
        due_ns: when it next has something to do although nothing comes in; None for never.
    """

    def __init__(
        self, name: str, number: int, world: Surroundings, make: Callable[[], Stack]
    ) -> None:
        self.name, self.number = name, number
        self._world, self._make = world, make
        self.faults: list[tuple[str, Exception]] = []
        self.due_ns: int | None = None
        self.cards = Cards(self, world)
        self._at_work: dict[Request, None] = {}  # a set whose order is that of their beginning
        self._boot()

    def _boot(self) -> None:
        self._held: list[tuple[Request, Row]] = []
        self.began_ns = self._world.now
        self.stack = self._make()
        self.stack.events.now_ns = self.began_ns
        self.engine = Engine(self.stack, self.cards, self)
        self.engine.gate.on_open = lambda: self.call_soon(self._begin_held)
        self.running = True

    def restart(self) -> None:
        """Lose all that it knew, without a word to anybody, and boot with what it booted with."""
        self.cards.clear()
        self.cards = Cards(self, self._world)
        self._boot()
        self._cut_off(f'node "{self.name}" was restarted')

    def _cut_off(self, message: str) -> None:
        """Tell those who wait for an answer that none will come."""
        for request in list(self._at_work):
            request.fail(ControlError(message, code="daemon-gone"))

    @property
    def nodes(self) -> "Mapping[str, Node]":
        """The nodes of its world by their names."""
        return self._world.nodes

    @property
    def now(self) -> int:
        """The world's time, ns."""
        return self._world.now

    def call_soon(self, act: Callable[[], None]) -> None:
        """Have something done at this instant, after what is being done."""
        self._world.call_later(self._world.now, act)

    def switch_off(self) -> None:
        """Fall silent, without a word to anybody; ``restart`` switches it on."""
        self.running = False
        self.cards.clear()
        self._cut_off(f'node "{self.name}" was switched off')

    # --- requests ---------------------------------------------------------------------------------

    def call(self, op: str, **args: Any) -> list[Row]:
        """Return the rows of an operation that answers at once.

        Raises:
            SmolctlError: it is refused.
            ControlError: it goes on: see ``start``.
        """
        request = self.start(op, args)
        if request.error is not None:
            raise request.error
        if not request.ended:
            request.cancel()
            raise ControlError(f"{op} goes on, and nobody would read what it says")
        return request.rows_told

    def start(self, op: str, args: Row) -> Request:
        """Ask for an operation; return what it answers, which may go on while time passes."""
        request = self._new(op)
        if self.running and self.engine.must_wait(op):
            self._held.append((request, args))
        else:
            self._begin(request, args)
        return request

    def run(self, job: Job, name: str) -> Request:
        """Run a job that no operation makes: a program of a scenario.

        Args:
            name: of the program.
        """
        request = self._new(name)
        try:
            self._check_running()
            self.engine.begin(job, request, self._world.now)
            request.job = job
        except SmolctlError as error:
            request.fail(error)
        self._world.wake(self)
        return request

    def _new(self, op: str) -> Request:
        request = Request(op, lambda: self._world.now, lambda ended: self._at_work.pop(ended, None))
        self._at_work[request] = None
        return request

    def _check_running(self) -> None:
        if not self.running:
            raise ControlError(f'node "{self.name}" is stopped', code="not-running")

    def _begin(self, request: Request, args: Row) -> None:
        try:
            self._check_running()
            answer = self.engine.request(request.op, args, request, self._world.now)
            if isinstance(answer, Job):
                request.job = answer
            else:
                request.rows_told = list(answer)
                request.done({})
        except SmolctlError as error:
            request.fail(error)
        self._world.wake(self)

    def _begin_held(self) -> None:
        """Begin what had to wait for changes that belong together."""
        held, self._held = self._held, []
        for request, args in held:
            if self.engine.must_wait(request.op):
                self._held.append((request, args))
            elif not request.ended:
                self._begin(request, args)

    # --- time -------------------------------------------------------------------------------------

    def turn(self, now: int) -> None:
        """Let the stack and its jobs do what is due."""
        if self.running:
            self.engine.turn(now)

    def deadline(self) -> int | None:
        """Return when there is more to do though nothing comes in, ns; None for never."""
        return self.engine.deadline() if self.running else None

    def receive(self, interface: Interface, frames: list[bytes], now: int) -> None:
        """Take frames from a wire."""
        self.stack.receive_batch(interface, frames, now)

    def set_carrier(self, interface: Interface, on: bool) -> None:
        """Take note of whether somebody is at the other end."""
        set_carrier(self.stack.shared, interface, on, self._world.now)

    # --- what is around the stack: see ``smolctl.ops.context.DaemonInfo`` -------------------------

    def status(self, now: int) -> Row:
        """Return the row of ``stack status``."""
        stack = self.stack
        sockets = len(stack.udp) + len(stack.ping) + len(list(stack.tcp.sockets()))
        return {
            "name": self.name,
            "uptime_ms": (now - self.began_ns) // 1_000_000,
            "profile": stack.settings.profile,
            "links": len(stack.interfaces),
            "sockets": sockets,
        }

    def wall_time(self, now: int) -> float:
        """Return the time of day in the world, seconds since 1970."""
        return EPOCH_S + now / 1e9

    def blame(self, doing: str, error: Exception) -> SmolctlError:
        """Keep an error that nobody foresaw."""
        self.faults.append((doing, error))
        return SmolctlError(f"{doing}: {type(error).__name__}: {error}", code="internal")

    def request_stop(self, reason: str) -> None:
        """End the node, as a daemon is stopped: its connections are reset, its wires unplugged."""
        self._world.call_later(self._world.now, self._stop)

    def _stop(self) -> None:
        if self.running:
            self.engine.close(self._world.now)
            self.running = False
            self.cards.clear()
            self._cut_off(f'stack "{self.name}" was stopped')

    def copy(self, work: Work, user: CopyUser) -> Copied:
        """Do work that a daemon does in a copy of itself: here it takes no time."""
        return _Done(self._world, work, user)


class _Done:
    """Work that was done at once, and is told of in the next turn; see ``Copied``."""

    def __init__(self, world: Surroundings, work: Work, user: CopyUser) -> None:
        self._world, self._user, self._closed = world, user, False
        self._problem: SmolctlError | None = None
        self._results: list[bytes] = []
        try:
            self._results += work(self)
        except SmolctlError as error:
            self._problem = error
        world.call_later(world.now, self._tell)

    def ask(self, question: bytes) -> bytes:
        """Return the user's answer."""
        return self._user.asked(question)

    def spent_ns(self) -> int:
        """Return that it took no time."""
        return 0

    def close(self) -> None:
        """Tell nothing more."""
        self._closed = True

    def _tell(self) -> None:
        for result in self._results:
            if not self._closed:
                self._user.took(result)
        if not self._closed:
            self._user.copy_ended(self._problem, self._world.now)
