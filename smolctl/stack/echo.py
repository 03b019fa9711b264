"""The two clients that ``ping`` and ``arping`` are made of: who waits for which answer."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from smolctl.errors import NoBuffers
from smolctl.stack.events import Action
from smolctl.stack.path_mtu import Pmtudisc
from smolctl.stack.udp_socket import SocketError

REPLY_QUEUE_LIMIT = 1024


class EchoReply(NamedTuple):
    """An ICMP echo reply; ``at_ns`` is when it came in, ``data`` what was echoed.

    ``tos`` and ``options`` are those of its IPv4 header.
    """

    src: int
    sequence: int
    ttl: int
    data: bytes
    at_ns: int
    tos: int = 0
    options: bytes = b""


@dataclass(slots=True, eq=False)
class EchoClient:
    """Waits for echo replies with its identifier (RFC 1122 3.2.2.6), and for errors.

    Attributes:
        ident: 0..65535, unique in the stack.
        dst: whom it asks; errors about others are not its own.
        pmtudisc: whether its requests may be fragmented.
        dev: by which interface they must leave, None for whichever the FIB says.
        handler: called with ``now`` once per turn when something arrived.
    """

    ident: int
    dst: int
    pmtudisc: Pmtudisc = Pmtudisc.WANT
    dev: str | None = None
    replies: deque[EchoReply] = field(default_factory=lambda: deque(maxlen=REPLY_QUEUE_LIMIT))
    errors: deque[SocketError] = field(default_factory=deque)
    handler: Callable[[int], None] | None = None
    ready: bool = False
    closed: bool = False


class EchoTable(dict[int, EchoClient]):
    """The clients of ping by their identifier."""

    on_change: Callable[[Action, EchoClient], None] | None = None

    def open(self, dst: int, start: int, pmtudisc: Pmtudisc = Pmtudisc.WANT) -> EchoClient:
        """Return a new client with the first identifier from ``start`` on that nobody uses.

        Raises:
            NoBuffers: all 65,536 are in use.
        """
        for step in range(0x10000):
            ident = (start + step) & 0xFFFF
            if ident not in self:
                client = self[ident] = EchoClient(ident, dst, pmtudisc)
                if self.on_change is not None:
                    self.on_change(Action.NEW, client)
                return client
        raise NoBuffers("all ICMP echo identifiers are in use")

    def close(self, client: EchoClient) -> None:
        """Forget a client and what it waited for."""
        client.closed = True
        if self.pop(client.ident, None) is not None and self.on_change is not None:
            self.on_change(Action.DELETED, client)


class ArpAnswer(NamedTuple):
    """An ARP packet that says who has an address."""

    sender_ip: int
    sender_mac: bytes
    unicast: bool
    at_ns: int


@dataclass(slots=True, eq=False)
class ArpClient:
    """Waits for ARP from the owner of ``target`` on one interface.

    Attributes:
        sender: the address it asks from, 0 for a probe (RFC 5227 2.1.1).
    """

    dev: str
    target: int
    sender: int
    answers: deque[ArpAnswer] = field(default_factory=lambda: deque(maxlen=REPLY_QUEUE_LIMIT))
    handler: Callable[[int], None] | None = None
    ready: bool = False
    closed: bool = False

    def accepts(self, dev: str, op_reply: bool, sender_ip: int, target_ip: int) -> bool:
        """Tell whether ARP is an answer: from the target, and to whom we said we are.

        A probe (sender 0.0.0.0) also takes another's probe or announcement for its target as one:
        both show that somebody else uses it or is about to (RFC 5227 2.1.1).
        """
        if dev != self.dev:
            return False
        if self.sender == 0:
            return sender_ip == self.target or (not op_reply and target_ip == self.target)
        return op_reply and sender_ip == self.target and target_ip == self.sender
