"""The loopback: packets that come back in to the stack that sent them."""

from collections import deque

from smolctl.stack import reason
from smolctl.stack.interface import OUTBOX_LIMIT
from smolctl.stack.link.input import LinkProtocols
from smolctl.stack.packet import Packet


class Loopback:
    """Packets that come back in at the next ``poll``, each with its ethertype.

    Args:
        protocols: who takes them.
    """

    def __init__(self, protocols: LinkProtocols) -> None:
        self.queue: deque[tuple[Packet, int]] = deque()
        self._protocols = protocols

    def output(self, packet: Packet, ethertype: int) -> None:
        """Queue a packet that comes back in by its interface."""
        out = packet.interface
        if not out.up:
            packet.record(reason.TX_LINK_DOWN)
        elif len(self.queue) >= OUTBOX_LIMIT:
            packet.record(reason.TX_QUEUE_FULL)
            out.counters.tx_dropped += 1
        else:
            self.queue.append((packet, ethertype))

    def input(self, now: int) -> bool:
        """Take in the next packet that came back; False when there is none."""
        if not self.queue:
            return False
        packet, ethertype = self.queue.popleft()
        packet.now, packet.looped = now, True
        if packet.interface.loopback:
            packet.interface.counters.looped_packets += 1
            packet.interface.counters.looped_bytes += len(packet.data)
        self._protocols.input[ethertype](packet)
        return True
