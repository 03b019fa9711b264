"""Changes of a stack, told to whoever watches: links, addresses, routes, groups ...

A change is told once, when it has been made and before what follows from it, as Linux tells it over
netlink. While nobody listens it costs a test and builds nothing; packets are not told here.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple, Protocol


class EventKind(StrEnum):
    """The kind of thing that changed: the command line's noun."""

    LINK = "link"
    ADDR = "addr"
    ROUTE = "route"
    RULE = "rule"
    NEIGH = "neigh"
    MADDR = "maddr"
    SOCKET = "socket"


class ChangeType(StrEnum):
    """The kind of change."""

    NEW = "new"
    CHANGED = "changed"
    DELETED = "deleted"


class StackEvent(NamedTuple):
    """One change.

    Attributes:
        at_ns: when: the last time that the stack was given.
        subject: what changed, as it is now; of what is deleted, as it was. It goes on changing, so
            a listener takes from it what it needs.
        interface: whose address, neighbor or group it is, or the link itself; else None.
    """

    kind: EventKind
    action: ChangeType
    at_ns: int
    subject: Any
    interface: Any = None


Listener = Callable[[StackEvent], None]
"""Called within the change; it must not call back into the stack."""


class RouteSource(Protocol):
    """A FIB, as listeners know it.

    Attributes:
        on_change: told of each change of a route; None while nobody listens, so that a million
            routes are added without.
    """

    on_change: Callable[[ChangeType, Any], None] | None


class Events:
    """The listeners of one stack.

    Attributes:
        now_ns: the last time that the stack was given.
        route_sources: the FIBs of all families.
        heard: whether anybody listens.
    """

    def __init__(self) -> None:
        self.now_ns = 0
        self.route_sources: list[RouteSource] = []
        self.heard = False
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` every change from now on."""
        self._listeners.append(listener)
        self.heard = True
        for source in self.route_sources:
            source.on_change = self.route

    def unlisten(self, listener: Listener) -> None:
        """Forget a listener; one that is not known is none."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        self.heard = bool(self._listeners)
        if not self.heard:
            for source in self.route_sources:
                source.on_change = None

    def link(self, action: ChangeType, interface: object) -> None:
        """Tell that a link was added or deleted, or that its state, MTU or MAC changed."""
        if self.heard:
            self._emit(StackEvent(EventKind.LINK, action, self.now_ns, interface, interface))

    def addr(self, action: ChangeType, interface: object, address: object) -> None:
        """Tell a change of an address."""
        if self.heard:
            self._emit(StackEvent(EventKind.ADDR, action, self.now_ns, address, interface))

    def route(self, action: ChangeType, route: object) -> None:
        """Tell a change of a route; of a replaced one, the new one."""
        if self.heard:
            self._emit(StackEvent(EventKind.ROUTE, action, self.now_ns, route))

    def rule(self, action: ChangeType, rule: object) -> None:
        """Tell that a rule was added or deleted."""
        if self.heard:
            self._emit(StackEvent(EventKind.RULE, action, self.now_ns, rule))

    def neigh(self, interface: object, action: ChangeType, entry: object) -> None:
        """Tell a change of a neighbor entry's state or MAC, or of a proxy entry."""
        if self.heard:
            self._emit(StackEvent(EventKind.NEIGH, action, self.now_ns, entry, interface))

    def maddr(self, action: ChangeType, interface: object, group: object) -> None:
        """Tell that an interface joined a group, or left it."""
        if self.heard:
            self._emit(StackEvent(EventKind.MADDR, action, self.now_ns, group, interface))

    def socket(self, action: ChangeType, socket: object) -> None:
        """Tell that a socket was bound, connected or closed."""
        if self.heard:
            self._emit(StackEvent(EventKind.SOCKET, action, self.now_ns, socket))

    def _emit(self, event: StackEvent) -> None:
        for listener in list(self._listeners):
            listener(event)
