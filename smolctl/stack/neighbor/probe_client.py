"""Clients that wait for answers of stations: what ``arping`` and ``ndisc`` are made of."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from smolctl.stack.ready import REPLY_QUEUE_LIMIT, Waiter
from smolctl.wire.address import UNSPECIFIED6
from smolctl.wire.arp import ArpPacket, Op
from smolctl.wire.ndp import Message, NeighborAdvertisement, NeighborSolicitation


class ProbeAnswer(NamedTuple):
    """A packet that says who has an address.

    Attributes:
        router: the station says that it is one; ARP does not tell.
    """

    sender_ip: int
    sender_mac: bytes
    unicast: bool
    at_ns: int
    router: bool = False


@dataclass(slots=True, eq=False)
class ProbeClient(Waiter):
    """Waits for what the owner of ``target`` says on one interface.

    Attributes:
        sender: the address it asks from; of a probe, 0 (RFC 5227 2.1.1) or ``::`` (RFC 4862 5.4.2).
        sender_mac: our MAC, which an answer to us names.
    """

    dev: str
    target: int
    sender: int
    sender_mac: bytes = b""
    answers: deque[ProbeAnswer] = field(default_factory=lambda: deque(maxlen=REPLY_QUEUE_LIMIT))

    def take(self, answer: ProbeAnswer) -> None:
        """Keep an answer, and wake who waits for it."""
        self.answers.append(answer)
        self.wake()


@dataclass(slots=True, eq=False)
class ArpClient(ProbeClient):
    """Waits for ARP."""

    def accepts(self, dev: str, message: ArpPacket) -> bool:
        """Tell whether ARP is an answer: from the target, and to whom we said we are.

        A probe (sender 0.0.0.0) also takes another's probe or announcement for its target as one:
        both show that somebody else uses it or is about to (RFC 5227 2.1.1).
        """
        if dev != self.dev:
            return False
        op_reply, target_ip = message.op == Op.REPLY, message.target_ip
        theirs = message.sender_ip == self.target
        if self.sender == 0:
            return theirs or (not op_reply and target_ip == self.target)
        # iputils recv_pack: what names another MAC answers somebody else.
        ours = target_ip == self.sender and message.target_mac == self.sender_mac
        return op_reply and theirs and ours


@dataclass(slots=True, eq=False)
class NdClient(ProbeClient):
    """Waits for neighbor discovery."""

    def accepts(self, dev: str, message: Message, src: int) -> bool:
        """Tell whether a message from ``src`` is an answer: an advertisement of the target.

        A probe (sender ``::``) also takes another's probe for its target as one: somebody else is
        about to use it (RFC 4862 5.4.3).
        """
        if dev != self.dev:
            return False
        if isinstance(message, NeighborAdvertisement):
            # What was not asked for goes to all nodes; it answers a probe, which is from nobody.
            wanted = message.solicited or self.sender == UNSPECIFIED6
            return wanted and message.target == self.target
        if not isinstance(message, NeighborSolicitation) or message.target != self.target:
            return False
        return src == UNSPECIFIED6 == self.sender
