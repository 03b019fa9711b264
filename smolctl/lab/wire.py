"""Wires: where a frame that a device took arrives.

A wire is as good as a cable can be. What is bad about a link (delay, loss, a rate) is a matter of
the interfaces at its ends, as it is in a daemon: ``stack/link/impairment.py``.
"""

from smolctl.stack.interface import Interface

DELAY_NS = 10_000
"""Time of a frame on a wire: two kilometres of it. It is never 0: no storm can stop time."""


class Port:
    """One end of a wire.

    Attributes:
        node: the name of the node.
        interface: the node's interface, plugged in here.
        mtu: bytes of the longest packet that the device carries.
    """

    __slots__ = ("interface", "mtu", "node")

    def __init__(self, node: str, interface: Interface) -> None:
        self.node, self.interface, self.mtu = node, interface, interface.mtu


class Wire:
    """A cable; three ends or more make it a hub.

    Attributes:
        name: what ``type cable name NAME`` calls it.
        ports: the ends, in the order in which they were plugged in.
        connected: False for one that is cut: no end has a carrier.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.ports: list[Port] = []
        self.connected = True

    def others(self, port: Port) -> list[Port]:
        """Return the ends at which a frame from one of them arrives."""
        return [other for other in self.ports if other is not port] if self.connected else []

    def has_carrier(self, port: Port) -> bool:
        """Tell whether somebody is at the other end of a port's wire."""
        return self.connected and len(self.ports) > 1 and port in self.ports
