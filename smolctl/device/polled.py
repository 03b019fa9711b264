"""Descriptors that come and go, seen from outside as one; devices on sockets share it."""

import os
import select
from collections.abc import Callable
from contextlib import ExitStack, suppress

from smolctl.device import random_mac
from smolctl.device.framing import FRAME_MIN

_DEFAULT_MTU = 1500

Handler = Callable[[int], list[bytes]]
"""Is called with an event mask of epoll(7) and returns the frames that came in."""


class PolledDevice:
    """The common half of a device whose descriptors come and go.

    ``fileno`` is an epoll descriptor over all of them, so that whoever watches the device need not
    know; ``watch_fileno`` becomes readable when ``_set_carrier`` changed something.

    Args:
        name, mac, mtu: as for ``smolctl.device.Device``; None for a random MAC, and 1500 bytes.
    """

    only_up = False

    def __init__(self, name: str, mac: bytes | None, mtu: int | None) -> None:
        self.name = name
        self.mac = mac or random_mac()
        self.mtu = mtu or _DEFAULT_MTU
        self.report: Callable[[str], None] = nobody
        self._handlers: dict[int, Handler] = {}
        self._carrier = False
        self._waiting: list[bytes] = []
        with ExitStack() as undo:
            self._epoll = undo.enter_context(select.epoll())
            self._changed = _event(undo)
            # Readable while frames were read from a socket that nobody has taken yet.
            self._more = _event(undo)
            self._watch(self._more, select.EPOLLIN, lambda _mask: [])
            undo.pop_all()
        self.closed = False

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is something to do; see ``Device``."""
        return self._epoll.fileno()

    def receive(self, limit: int) -> list[bytes]:
        """Return waiting frames, and do what the sockets ask for; see ``Device``."""
        waiting = self._waiting
        if not waiting:
            for fd, mask in self._epoll.poll(0):
                # One handler may close another's descriptor.
                handler = self._handlers.get(fd)
                if handler is not None:
                    waiting += handler(mask)
            if len(waiting) <= limit:
                self._waiting = []
                return waiting
            os.eventfd_write(self._more, 1)
        elif len(waiting) <= limit:
            with suppress(BlockingIOError):
                os.eventfd_read(self._more)
        self._waiting = waiting[limit:]
        return waiting[:limit]

    def watch_fileno(self) -> int | None:
        """Return a descriptor that is readable after the carrier changed; see ``Device``."""
        return self._changed

    def carrier(self) -> bool | None:
        """Return whether somebody is at the other end; see ``Device``."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._changed)
        return self._carrier

    def set_mtu(self, mtu: int) -> None:
        """Change our MTU; the other end does not hear of it."""
        self.mtu = mtu

    def check_mac(self, mac: bytes) -> None:
        """Any will do: what is at the other end is not known."""

    def close(self, *, delete: bool = False) -> None:
        """Let go of everything; see ``Device``."""
        if self.closed:
            return
        self.closed = True
        self._release()
        self._handlers.clear()
        self._epoll.close()
        os.close(self._changed)
        os.close(self._more)

    def _release(self) -> None:
        """Close the sockets; called once."""
        raise NotImplementedError

    def _set_carrier(self, on: bool) -> None:
        if self._carrier != on:
            self._carrier = on
            os.eventfd_write(self._changed, 1)

    def _watch(self, fd: int, events: int, handler: Handler) -> None:
        """Call ``handler`` in ``receive`` when ``fd`` has events."""
        self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def _rewatch(self, fd: int, events: int) -> None:
        """Change for what ``fd`` is watched."""
        self._epoll.modify(fd, events)

    def _unwatch(self, fd: int) -> None:
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)


def _event(undo: ExitStack) -> int:
    """Return an event descriptor (eventfd(2)), which ``undo`` closes."""
    event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    undo.callback(os.close, event)
    return event


def is_frame(data: bytes) -> bool:
    """Tell whether this has an Ethernet header at least; no device hands over less."""
    return len(data) >= FRAME_MIN


def nobody(_line: str) -> None:
    """Take a report that nobody wants."""


class Backoff:
    """The time to try again: soon at first, then less and less often.

    Args:
        first_ns: how long to wait after the first failure; twice as long after each other one.
        most_ns: never longer than this.
    """

    def __init__(self, first_ns: int, most_ns: int) -> None:
        self._first_ns = first_ns
        self._most_ns = most_ns
        self._delay_ns = first_ns
        self.at_ns: int | None = None
        """Time of the next attempt; 0 for once ``start`` is told the time; None for no attempt."""

    def want(self) -> None:
        """Ask for another try."""
        if self.at_ns is None:
            self.at_ns = 0

    def due(self, now: int) -> bool:
        """Tell whether it is time; then the caller tries, and says ``want`` or ``succeeded``."""
        if self.at_ns is None:
            return False
        if self.at_ns == 0:
            self.at_ns = now + self._delay_ns
            self._delay_ns = min(2 * self._delay_ns, self._most_ns)
            return False
        if self.at_ns > now:
            return False
        self.at_ns = None
        return True

    def succeeded(self) -> None:
        """Begin anew: the next failure is the first one."""
        self.at_ns = None
        self._delay_ns = self._first_ns
