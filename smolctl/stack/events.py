"""What changes in a stack, told to whoever watches: links, addresses, routes, groups ...

A change is told once, when it has been made and before what follows from it, as Linux tells it over
netlink. While nobody listens it costs a test and builds nothing; packets are not told here.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from smolctl.stack.fib.fib import Fib
    from smolctl.stack.fib.route import Route
    from smolctl.stack.fib.rule import Rule
    from smolctl.stack.interface import Interface
    from smolctl.stack.ip.addresses import Address
    from smolctl.stack.ip.groups import Group
    from smolctl.stack.neighbor.entry import Neighbor
    from smolctl.stack.neighbor.proxy import ProxyEntry
    from smolctl.stack.transport.ping import EchoClient
    from smolctl.stack.transport.udp.socket import UdpSocket

    Subject: TypeAlias = (
        Interface | Address | Route | Rule | Neighbor | ProxyEntry | Group | UdpSocket | EchoClient
    )


class Kind(StrEnum):
    """What changed; the command line's noun."""

    LINK = "link"
    ADDR = "addr"
    ROUTE = "route"
    RULE = "rule"
    NEIGH = "neigh"
    MADDR = "maddr"
    SOCKET = "socket"


class Action(StrEnum):
    """What happened to it."""

    NEW = "new"
    CHANGED = "changed"
    DELETED = "deleted"


class Event(NamedTuple):
    """One change.

    Attributes:
        at_ns: when: the last time that the stack was given.
        subject: what changed, as it is now; of what is deleted, as it was. It goes on changing, so
            a listener takes from it what it needs.
        interface: whose address, neighbor or group it is, or the link itself; else None.
    """

    kind: Kind
    action: Action
    at_ns: int
    subject: "Subject"
    interface: "Interface | None" = None


Listener = Callable[[Event], None]
"""Called within the change; it must not call back into the stack."""


class Events:
    """Who listens to one stack.

    Args:
        fib: told of its listener only while there is one: a million routes are added without.

    Attributes:
        now_ns: the last time that the stack was given.
    """

    def __init__(self, fib: "Fib") -> None:
        self.now_ns = 0
        self._fib = fib
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` every change from now on."""
        self._listeners.append(listener)
        self._fib.on_change = self.route

    def unlisten(self, listener: Listener) -> None:
        """Forget a listener; one that is not known is none."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self._listeners:
            self._fib.on_change = None

    def link(self, action: Action, interface: "Interface") -> None:
        """Tell that a link was added or deleted, or that its state, MTU or MAC changed."""
        if self._listeners:
            self._emit(Event(Kind.LINK, action, self.now_ns, interface, interface))

    def addr(self, action: Action, interface: "Interface", address: "Address") -> None:
        """Tell a change of an address."""
        if self._listeners:
            self._emit(Event(Kind.ADDR, action, self.now_ns, address, interface))

    def route(self, action: Action, route: "Route") -> None:
        """Tell a change of a route; of a replaced one, the new one."""
        if self._listeners:
            self._emit(Event(Kind.ROUTE, action, self.now_ns, route))

    def rule(self, action: Action, rule: "Rule") -> None:
        """Tell that a rule was added or deleted."""
        if self._listeners:
            self._emit(Event(Kind.RULE, action, self.now_ns, rule))

    def neigh(self, interface: "Interface", action: Action, entry: "Neighbor | ProxyEntry") -> None:
        """Tell a change of a neighbor entry's state or MAC, or of a proxy entry."""
        if self._listeners:
            self._emit(Event(Kind.NEIGH, action, self.now_ns, entry, interface))

    def maddr(self, action: Action, interface: "Interface", group: "Group") -> None:
        """Tell that an interface joined a group, or left it."""
        if self._listeners:
            self._emit(Event(Kind.MADDR, action, self.now_ns, group, interface))

    def socket(self, action: Action, socket: "UdpSocket | EchoClient") -> None:
        """Tell that a socket was bound, connected or closed."""
        if self._listeners:
            self._emit(Event(Kind.SOCKET, action, self.now_ns, socket))

    def _emit(self, event: Event) -> None:
        for listener in list(self._listeners):
            listener(event)
