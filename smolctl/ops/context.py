"""The context of a request: the objects that its handler works on."""

from dataclasses import dataclass
from typing import Any, Protocol

from smolctl.errors import SmolctlError
from smolctl.stack.stack import Stack

Row = dict[str, Any]


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


@dataclass(slots=True)
class Context:
    """The surroundings of a request, for its handler.

    Attributes:
        links: opens and closes the devices of interfaces; ``daemon.links.Links`` in a daemon.
        now: of this turn, ns.
        jobs: those that run, for ``socket show`` and the like.
    """

    stack: Stack
    links: Any
    daemon: DaemonInfo
    now: int
