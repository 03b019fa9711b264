"""Facilities that all layers of one stack share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from smolctl.stack.events import Events
from smolctl.stack.fib.nexthop_objects import NextHopObjects
from smolctl.stack.generation import Generation
from smolctl.stack.interface import Interfaces
from smolctl.stack.ready import ReadyQueue
from smolctl.stack.sysctl.settings import Settings
from smolctl.stack.timers import Timers
from smolctl.stack.trace.recorder import Recorder


@dataclass(slots=True, eq=False)
class Shared:
    """The things that protocols of every layer get; no table of any protocol is in here.

    Attributes:
        random: returns a float in [0, 1).
        wall_time: turns ``now`` into seconds since 1970, for timestamps in packets; None when the
            time of day is not known.
        uid: of the user whose stack it is, and whose sockets, where nobody says another.
    """

    settings: Settings
    random: Callable[[], float]
    interfaces: Interfaces = field(init=False)
    recorder: Recorder = field(default_factory=Recorder)
    events: Events = field(default_factory=Events)
    generation: Generation = field(default_factory=Generation)
    ready: ReadyQueue = field(default_factory=ReadyQueue)
    timers: Timers = field(default_factory=Timers)
    next_hops: NextHopObjects = field(default_factory=NextHopObjects)
    wall_time: Callable[[int], float] | None = None
    uid: int = 0

    def __post_init__(self) -> None:
        self.interfaces = Interfaces(self.settings)
