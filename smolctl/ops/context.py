"""The context of a request: the objects that its handler works on."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from smolctl.errors import SmolctlError
from smolctl.ops.aside import Copied, CopyUser, Row, Work
from smolctl.ops.gate import Gate
from smolctl.stack.stack import Stack

__all__ = ["Context", "DaemonInfo", "Row"]


class DaemonInfo(Protocol):
    """The process that runs the stack, as requests see it."""

    def status(self, now: int) -> Row:
        """Return the row of ``stack status``."""

    def wall_time(self, now: int) -> float:
        """Return the wall clock's seconds since 1970 at ``now``, for what people read."""

    def blame(self, doing: str, error: Exception) -> SmolctlError:
        """Log an error that nobody foresaw, and return it as whoever asked is told."""

    def request_stop(self, reason: str) -> None:
        """End the daemon after this turn."""

    def copy(self, work: Work, user: CopyUser) -> Copied:
        """Have work done on a copy of the stack as it is now.

        Args:
            work: yields its results. What it changes nobody sees; it has no devices, but can ask.
            user: is told, from the next turn on.

        Raises:
            ControlError: there are too many copies, or the machine refuses one more.
        """


@dataclass(slots=True)
class Context:
    """The surroundings of a request, for its handler.

    Attributes:
        links: opens and closes the devices of interfaces; ``daemon.links.Links`` in a daemon.
        now: of this turn, ns.
        gate: that of the stack's changes.
    """

    stack: Stack
    links: Any
    daemon: DaemonInfo
    now: int
    gate: Gate = field(default_factory=Gate)
