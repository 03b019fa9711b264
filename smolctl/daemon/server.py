"""The one event loop: devices, clients, timers, in one thread and with one clock.

A turn: wait until something is ready or due; read the clock once; take frames from devices and
requests from clients; run what is due; hand frames to devices; answer clients.
"""

import errno
import os
import signal
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from time import monotonic_ns, sleep
from types import FrameType
from typing import Any, Protocol

from smolctl.daemon.connection import Connection, Means
from smolctl.daemon.copies import Copies
from smolctl.daemon.doors import Doors
from smolctl.daemon.exchange import Exchange, Running, Service
from smolctl.daemon.links import DRAIN_ROUNDS, Links
from smolctl.daemon.poller import READ, WRITE, Poller, Ready
from smolctl.daemon.resources import FEWEST, Resources
from smolctl.errors import OUT_OF_MEMORY, ControlError
from smolctl.ops.gate import Gate

MAX_CLIENTS = 256
GUESTS = 16
"""Further places, for those who come to see what goes on and to end it."""
_ACCEPT_LIMIT = 16
_PAUSE_NS = 1_000_000_000
_BUG_PAUSE_S = 0.05
_AWAKE_NS = 50_000
"""Time for which the loop polls without sleep, when the last event came as fast.

To be woken costs more than to look; Linux advises the same 50 us for net.core.busy_read.
"""
_REST_NS = 500_000
"""Time for which it only sleeps after it has polled in vain; doubled by each time in a row.

Who has the next event may wait for just this processor, which the scheduler gives it at last.
"""
_LONGEST_REST = 7
"""Number of times that it is doubled, at most."""
_LONGEST_S = 86_400.0
"""Longest wait; epoll_wait(2) takes 24 days at most."""
_PATIENCE_NS = 1_000_000
"""Delay of a timer while events come fast: no more than by epoll(7)'s rounding."""
_UCRED = struct.Struct("3i")


class Core(Service, Protocol):
    """The core that the loop drives."""

    gate: Gate

    def turn(self, now: int, *, due: bool = True) -> None:
        """Do what came in leads to, and what is due unless nothing is."""

    @property
    def busy(self) -> bool:
        """Whether what came in has led to something that ``turn`` has to do."""

    def deadline(self) -> int | None:
        """Return when ``turn`` has something to do though nothing comes in, or None."""


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """Return the process at the other end and its effective user when it connected.

    Source: unix(7) SO_PEERCRED.
    """
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, _gid = _UCRED.unpack(credentials)
    return pid, uid


class Server:
    """Serves one stack until ``request_stop``.

    Args:
        name: of the stack.
        listener: the control socket, listening and non-blocking.
        poller: also used by ``links``.
        resources: the daemon's.
    """

    def __init__(
        self,
        name: str,
        listener: socket.socket,
        poller: Poller,
        links: Links,
        resources: Resources,
    ) -> None:
        self._name = name
        self._listener = listener
        self._poller = poller
        self._links = links
        self._resources, self._log = resources, resources.log
        self._doors = Doors(poller, resources)
        self.copies = Copies(poller, resources)
        self._means = Means(self._doors, self.copies)
        # What the poller watches each of them for.
        self._connections: dict[Connection, int] = {}
        self._dirty: set[Connection] = set()
        self._impatient: set[Connection] = set()
        self._accept_at_ns: int | None = None
        self._stop_reason: str | None = None
        self._failed = False
        self._core: Core
        # Where there is one processor the peer works only while we sleep.
        self._may_stay_awake = len(os.sched_getaffinity(0)) > 1
        self._brisk = False  # the last wait was a short one
        self._rest_until_ns = self._vain = 0
        self._due_ns = 0  # nothing is due before
        poller.register(listener, READ, self._accept)
        resources.holders = self._holders

    @property
    def clients(self) -> int:
        """The number of connected clients."""
        return len(self._connections)

    def request_stop(self, reason: str) -> None:
        """End ``run`` after this turn."""
        self._stop_reason = self._stop_reason or reason

    def catch_signals(self) -> None:
        """Let SIGTERM, SIGINT and SIGHUP end ``run``. Only in the main thread."""
        self._wake_reader, wake_writer = os.pipe()
        for fd in (self._wake_reader, wake_writer):
            os.set_blocking(fd, False)
        # A signal that comes between two turns would otherwise wait for the next frame.
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        self._poller.register(self._wake_reader, READ, self._woken)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def run(self, core: Core) -> str:
        """Serve; return why it ended.

        The clients are still connected then, and the last turn's answers are not written: the
        caller cleans up first, then ``farewell`` ends them. Whoever reads that a stack was stopped
        can rely on it.
        """
        self._core = core
        core.gate.on_open = self._resume
        now = monotonic_ns()
        while True:
            try:
                ready, now = self._wait(now)
                self._turn(ready, now)
                if self._stop_reason is not None:
                    return self._stop_reason
                if self._resources.short:
                    with self._resources.lent():
                        self._flush(now)
                    self._resources.settle(now)
                elif self._dirty:
                    self._flush(now)
            except Exception as error:
                self._note_bug("answering clients", error)
            if self._failed:
                # It must not become a loop that does nothing but fail.
                self._failed = False
                sleep(_BUG_PAUSE_S)

    def farewell(self, now: int) -> None:
        """Write what is left to the clients, tell them that this is the end, and close them."""
        problem = ControlError(f'stack "{self._name}" was stopped', code="daemon-gone")
        for connection in list(self._connections):
            connection.flush(now)
            self._dismiss(connection, problem, now)
        self._means.doors.close(now)

    def _wait(self, now: int) -> tuple[list[Ready], int]:
        """Wait until something is ready or due; return what is ready, and when it was."""
        wait = self._poller.wait
        if self._brisk and not self._core.busy:
            if now >= self._due_ns:
                self._timeout(now)
            begin = then = monotonic_ns()
            while then - begin < _AWAKE_NS:
                ready = wait(0)
                then = monotonic_ns()
                if ready:
                    self._vain = 0
                    return ready, then
            self._rest_until_ns = then + (_REST_NS << self._vain)
            self._vain = min(self._vain + 1, _LONGEST_REST)
        begin = monotonic_ns()
        ready = wait(self._timeout(now))
        then = monotonic_ns()
        quick = bool(ready) and then - begin < _AWAKE_NS
        self._brisk = quick and self._may_stay_awake and then >= self._rest_until_ns
        return ready, then

    def _timeout(self, now: int) -> float | None:
        """Return how long to wait, in seconds, and keep until when nothing is due."""
        due = self._core.deadline()
        if self._links.active or self._impatient or self._accept_at_ns is not None:
            others = [self._links.deadline(), self._accept_at_ns]
            others += [connection.deadline_ns for connection in self._impatient]
            for other in others:
                if other is not None and (due is None or other < due):
                    due = other
        latest = now + _PATIENCE_NS
        if due is None or due > latest:
            self._due_ns = latest
            return None if due is None else min((due - now) / 1e9, _LONGEST_S)
        self._due_ns = due
        return (due - now) / 1e9 if due > now else 0

    def _turn(self, ready: list[Ready], now: int) -> None:
        for fd, callback, mask in ready:
            if not self._poller.watches(fd, callback):
                continue  # one of those before it has closed it
            try:
                callback(mask, now)
            except Exception as error:
                self._note_bug("taking what came in", error)
        try:
            if self._impatient or self._accept_at_ns is not None:
                self._expire(now)
            if self._links.active:
                self._links.turn(now)
            self._core.turn(now, due=now >= self._due_ns)
        except Exception as error:
            self._note_bug("doing what is due", error)
        try:
            self._links.flush(now)
            for _ in range(DRAIN_ROUNDS):
                if not self._links.more:
                    break
                now = monotonic_ns()
                self._links.read_on(now)
                if self._core.busy:
                    self._core.turn(now, due=False)
                self._links.flush(now)
        except Exception as error:
            self._note_bug("handing frames to devices", error)

    def _note_bug(self, doing: str, error: Exception) -> None:
        self._resources.blame(doing, error)
        self._failed = True

    # --- clients --------------------------------------------------------------------------------

    def prepare(self, op: str) -> bool:
        """Import what a request needs; that may take of the reserve, and fails in ``request``."""
        try:
            return self._core.prepare(op)
        except (OSError, *OUT_OF_MEMORY) as error:
            self._resources.lack(error, f"importing {op}")
        with suppress(OSError, *OUT_OF_MEMORY), self._resources.lent():
            return self._core.prepare(op)
        return False

    def must_wait(self, op: str) -> bool:
        """Tell whether a request has to wait for the changes of another one."""
        return self._core.must_wait(op)

    def _resume(self) -> None:
        for connection in self._connections:
            connection.resume()

    def request(
        self, op: str, args: dict[str, Any], exchange: Exchange, now: int
    ) -> Iterable[dict[str, Any]] | Running:
        """Begin a request."""
        return self._core.request(op, args, exchange, now)

    def _accept(self, _mask: int, now: int) -> None:
        for _ in range(_ACCEPT_LIMIT):
            was_short = self._resources.short
            try:
                with self._resources.lent():
                    client, _address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ECONNABORTED:
                    continue
                if self._resources.lack(error, "a client") and not was_short:
                    return  # the listener stays readable: in the next turn, from the reserve
                # Look away, or the loop would spin.
                self._log.warning(f"cannot accept a client: {error.strerror}")
                self._poller.unregister(self._listener)
                self._accept_at_ns = now + _PAUSE_NS
                return
            self._welcome(client, now)

    def _welcome(self, client: socket.socket, now: int) -> None:
        pid, uid = peer_of(client)
        number, short = len(self._connections), self._resources.short
        guest = number >= MAX_CLIENTS or short
        connection = Connection(
            client, self, self._resources, self._name, self._dirty, self._forget, now,
            self._means, pid=pid, guest=guest,
        )  # fmt: skip
        if uid not in (0, os.geteuid()):
            self._log.warning(f"refused a client of user {uid}")
            problem = ControlError(
                f'stack "{self._name}" belongs to user {os.geteuid()}, you are user {uid}',
                code="permission-denied",
            )
            self._dismiss(connection, problem, now)
        elif number >= MAX_CLIENTS + GUESTS or (short and self._resources.kept < FEWEST):
            who, end = self._resources.greediest()
            problem = ControlError(
                f'stack "{self._name}" has {number} clients, which is the maximum{who}',
                hint=end or "end one of them",
                code="too-many-clients",
            )
            self._dismiss(connection, problem, now)
        else:
            self._poller.register(client, READ, partial(self._serve, connection))
            self._connections[connection] = READ
            self._impatient.add(connection)

    def _holders(self) -> dict[int, int]:
        """Return how many connections and sockets each process has, ours not."""
        result: dict[int, int] = {}
        for holder in (*self._connections, *self._doors):
            result[holder.pid] = result.get(holder.pid, 0) + 1
        result.pop(0, None)
        return result

    def _dismiss(self, connection: Connection, problem: ControlError, now: int) -> None:
        """Send what fits into the socket's buffer, and close."""
        if not connection.closed:
            connection.refuse(problem, now)
            connection.flush(now)
            connection.close(now)

    def _forget(self, connection: Connection) -> None:
        """Take a connection out, just before its socket is closed."""
        if self._connections.pop(connection, None) is not None:
            self._poller.unregister(connection.socket)
        self._impatient.discard(connection)

    def _serve(self, connection: Connection, mask: int, now: int) -> None:
        """Let a client proceed whose socket is ready."""
        if self._resources.short:
            with self._resources.lent():
                self._proceed(connection, mask, now)
        else:
            self._proceed(connection, mask, now)

    def _proceed(self, connection: Connection, mask: int, now: int) -> None:
        if mask & READ or not mask:  # not mask: nothing was waited for, and the client left
            connection.readable(now)
        if mask & WRITE:
            connection.proceed(now)

    def _flush(self, now: int) -> None:
        """Write to the clients that have something to read, and see what they wait for next."""
        dirty = list(self._dirty)
        self._dirty.clear()
        for connection in dirty:
            connection.flush(now)
            if connection.closed:
                continue
            mask = (READ if connection.wants_read else 0) | (WRITE if connection.wants_write else 0)
            if mask != self._connections[connection]:
                self._connections[connection] = mask
                self._poller.modify(connection.socket, mask)
            if connection.deadline_ns is None:
                self._impatient.discard(connection)
            else:
                self._impatient.add(connection)

    def _expire(self, now: int) -> None:
        if self._accept_at_ns is not None and now >= self._accept_at_ns:
            self._accept_at_ns = None
            self._poller.register(self._listener, READ, self._accept)
        for connection in list(self._impatient):
            connection.expire(now)

    # --- signals --------------------------------------------------------------------------------

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.request_stop(signal.Signals(number).name)

    def _woken(self, _mask: int, _now: int) -> None:
        with suppress(BlockingIOError):
            while os.read(self._wake_reader, 64):
                pass
