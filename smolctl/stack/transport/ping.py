"""Echo clients: what ``ping`` is made of."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from smolctl.errors import NoBuffers
from smolctl.stack.events import Action
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.ready import REPLY_QUEUE_LIMIT
from smolctl.stack.transport.udp.socket import SocketError


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
