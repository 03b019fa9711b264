"""Resolvers of next hops: ARP, or neighbor discovery, as the neighbor machine knows them."""

from typing import Protocol

from smolctl.stack.interface import Interface
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Detail
from smolctl.stack.trace.trace import Trace


class Resolver(Protocol):
    """The protocol of one family that asks for MAC addresses.

    Attributes:
        ethertype: of the packets whose next hops it resolves.
    """

    ethertype: int

    def is_for_all(self, next_hop: int) -> bool:
        """Tell whether an address is that of all hosts of a link, of whatever link."""

    def solicit(self, out: Interface, entry: Neighbor, *, unicast: bool, now: int) -> None:
        """Ask for a neighbor's MAC address: everybody, or by unicast the one that it had."""

    def unreachable(self, packet: Packet, detail: Detail) -> None:
        """Take note that a packet's next hop did not answer, which is recorded: tell its sender."""


class BlockedSenders(Protocol):
    """The datagrams that wait for a neighbor in their sockets, not in its queue."""

    def waiting_for(self, dev: str, next_hop: int) -> list[Trace]:
        """Return the traces of those that wait for this neighbor."""

    def release(self, dev: str, entry: Neighbor, *, failed: bool, now: int) -> None:
        """Let the sockets go on whose first datagram waited for this neighbor."""
