"""Decisions about datagrams that are sent: how those of one socket to one destination leave."""

from dataclasses import dataclass

from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.ip.way import Way
from smolctl.stack.trace.trace import Flow


@dataclass(slots=True, eq=False)
class Outbound:
    """The decision about datagrams, true for one configuration of the stack.

    Attributes:
        key: of the route lookup.
        how: what the socket wishes. ttl: of the datagrams. src: their source address.
        flow: what the last of them was meant to be.
        room: bytes of the longest payload that needs no further question: it leaves in one piece.
        plain: the fast path may know of them.
    """

    net: Network
    key: RouteKey
    way: Way
    how: SendOptions
    src: int
    ttl: int
    flow: Flow
    room: int
    plain: bool

    def flow_of(self, size: int) -> Flow:
        """Return what a datagram with a payload of some bytes is meant to be."""
        if self.flow.length != size:
            self.flow = self.flow._replace(length=size)
        return self.flow
