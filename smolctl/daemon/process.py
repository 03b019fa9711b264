"""The daemon put together: a stack, its devices, its clients, and what is left when it ends."""

import os
import sys
from collections.abc import Callable, Iterable
from time import gmtime, monotonic_ns, strftime, time
from typing import Any

from smolctl import __version__
from smolctl.control.paths import StackPaths
from smolctl.daemon.lifecycle import Listener, Lock
from smolctl.daemon.links import Links
from smolctl.daemon.log import Log
from smolctl.daemon.poller import Poller
from smolctl.daemon.resources import Resources
from smolctl.daemon.server import Server
from smolctl.daemon.setup import Command
from smolctl.errors import SmolctlError
from smolctl.ops.aside import Copied, CopyUser, Work
from smolctl.ops.changes import attempt, check
from smolctl.ops.context import Context
from smolctl.ops.engine import Engine
from smolctl.stack.config.addr import bring_up_loopback
from smolctl.stack.stack import Stack
from smolctl.stack.sysctl.settings import Settings

_STEP = 1000
"""Commands between two signs of progress: some 50 ms."""


class Process:
    """A stack and everything around it, in one process.

    Args:
        paths: the stack's.
        listener: its control socket.
        settings: what it begins with.
        log: where it says what happens.
    """

    def __init__(self, paths: StackPaths, listener: Listener, settings: Settings, log: Log) -> None:
        self._paths = paths
        self._log = log
        self._started_ns = monotonic_ns()
        self._started = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(time()))
        self._stack = Stack(_random, settings)
        self._stack.shared.uid = os.geteuid()
        for net in self._stack.networks.values():
            bring_up_loopback(net)
        poller = Poller()
        self._resources = Resources(paths.name, log, poller)
        self._links = Links(self._stack, poller, self._resources)
        self._server = Server(paths.name, listener.socket, poller, self._links, self._resources)
        self._engine = Engine(self._stack, self._links, self)
        self._listener = listener

    def configure(self, commands: Iterable[Command], progress: Callable[[], None]) -> None:
        """Make the changes that the stack begins with; nobody is served before.

        Args:
            commands: in their order.
            progress: is called now and then, for whoever waits.

        Raises:
            SmolctlError: one is refused; the process has nothing open any more.
        """
        now = monotonic_ns()
        context = Context(self._stack, self._links, self, now)
        for number, command in enumerate(commands):
            if number % _STEP == 0:
                progress()
            try:
                check(command.op)
                row = attempt(context, command.op, command.args)
            except SmolctlError as error:
                row = {"error": error.to_dict()}
            if "error" in row:
                for name in list(self._stack.interfaces):
                    self._links.delete(name)
                raise command.refused(row["error"])

    def status(self, now: int) -> dict[str, Any]:
        """Return the row of ``stack status``."""
        tcp_sockets = list(self._stack.tcp.sockets())
        row: dict[str, Any] = {
            "name": self._paths.name,
            "pid": os.getpid(),
            "version": __version__,
            "uptime_ms": (now - self._started_ns) // 1_000_000,
            "started": self._started,
            "socket": self._paths.socket,
            "log": self._paths.log,
            "profile": self._stack.settings.profile,
            "links": len(self._stack.interfaces),
            "sockets": len(self._stack.udp) + len(self._stack.ping) + len(tcp_sockets),
            "clients": self._server.clients,
        }
        resident = _resident_kib()
        if resident is not None:
            row["rss_kib"] = resident
        return row

    def wall_time(self, now: int) -> float:
        """Return the wall clock's seconds since 1970 at ``now``."""
        return time() - (monotonic_ns() - now) / 1e9

    def blame(self, doing: str, error: Exception) -> SmolctlError:
        """Log an error that nobody foresaw, and return it as whoever asked is told."""
        return self._resources.blame(doing, error)

    def request_stop(self, reason: str) -> None:
        """End ``run`` after this turn."""
        self._server.request_stop(reason)

    def copy(self, work: Work, user: CopyUser) -> Copied:
        """Have work done on a copy of the stack."""
        return self._server.copies.work(work, user)

    def run(self, lock: Lock) -> None:
        """Serve until somebody asks to stop; then leave nothing behind."""
        self._server.catch_signals()
        self._log.info(
            f'stack "{self._paths.name}" started: smolctl {__version__}, pid {os.getpid()},'
            f" Python {sys.version.split()[0]}, {self._paths.socket}"
        )
        try:
            reason = self._server.run(self._engine)
            self._log.info(f'stack "{self._paths.name}" stops: {reason}')
        finally:
            now = monotonic_ns()
            self._engine.close(now)
            self._links.flush(now)
            self._links.close()
            self._listener.close()
            lock.release()
            # Last: a client that reads that the stack is stopped may start it again at once.
            self._server.farewell(now)


def _random() -> float:
    """Return a float in [0, 1) from the system's generator; as random.random, without its import.

    Ports and identifiers should not be guessable (RFC 6056 3.3).
    """
    return (int.from_bytes(os.urandom(7), "big") >> 3) * 2.0**-53


def _resident_kib() -> int | None:
    """Return the memory that the process occupies, in KiB (proc(5) statm)."""
    try:
        with open("/proc/self/statm") as statm:
            pages = int(statm.read().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024
