"""Clients that wait for ARP answers: what ``arping`` is made of."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from smolctl.stack.ready import REPLY_QUEUE_LIMIT, Waiter
from smolctl.wire.arp import ArpPacket, Op


class ArpAnswer(NamedTuple):
    """An ARP packet that says who has an address."""

    sender_ip: int
    sender_mac: bytes
    unicast: bool
    at_ns: int


@dataclass(slots=True, eq=False)
class ArpClient(Waiter):
    """Waits for ARP from the owner of ``target`` on one interface.

    Attributes:
        sender: the address it asks from, 0 for a probe (RFC 5227 2.1.1).
        sender_mac: our MAC, which an answer to us names.
    """

    dev: str
    target: int
    sender: int
    sender_mac: bytes = b""
    answers: deque[ArpAnswer] = field(default_factory=lambda: deque(maxlen=REPLY_QUEUE_LIMIT))

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
