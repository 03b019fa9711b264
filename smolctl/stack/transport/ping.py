"""Echo clients: what ``ping`` is made of."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from smolctl.errors import NoBuffers
from smolctl.stack import reason
from smolctl.stack.events import ChangeType
from smolctl.stack.ip.network import Networks
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.ip.route_output import confirm
from smolctl.stack.packet import DeliveryError, Packet, Sender
from smolctl.stack.ready import REPLY_QUEUE_LIMIT, Waiter
from smolctl.stack.shared import Shared
from smolctl.stack.trace.trace import Fate
from smolctl.stack.transport.socket_base import ERROR_QUEUE_LIMIT
from smolctl.wire import icmpv4, icmpv6, ipv4_options

_REQUESTS = (icmpv4.Type.ECHO_REQUEST, icmpv6.Type.ECHO_REQUEST)


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
class EchoClient(Waiter):
    """Waits for echo replies with its identifier (RFC 1122 3.2.2.6), and for errors.

    Attributes:
        ident: 0..65535, unique in the stack.
        dst: whom it asks; errors about others are not its own.
        pmtudisc: whether its requests may be fragmented.
        dev: by which interface they must leave, None for whichever the FIB says.
        redirects: what gateways said of better ones.
    """

    ident: int
    dst: int
    pmtudisc: Pmtudisc = Pmtudisc.WANT
    dev: str | None = None
    replies: deque[EchoReply] = field(default_factory=lambda: deque(maxlen=REPLY_QUEUE_LIMIT))
    errors: deque[DeliveryError] = field(default_factory=deque)
    redirects: deque[DeliveryError] = field(default_factory=lambda: deque(maxlen=ERROR_QUEUE_LIMIT))

    def fail(self, error: DeliveryError) -> None:
        """Take an error for a request that it sent."""
        if len(self.errors) < ERROR_QUEUE_LIMIT:
            self.errors.append(error)
        self.wake()

    def redirected(self, news: DeliveryError) -> None:
        """Take note that a gateway named a better one for a request, which went on."""
        self.redirects.append(news)
        self.wake()


class Ping(dict[int, EchoClient]):
    """The clients of ping by their identifier.

    Attributes:
        on_change: told of each client that is opened or closed.
    """

    def __init__(self, shared: Shared, networks: Networks) -> None:
        super().__init__()
        self._shared, self._networks = shared, networks
        self.on_change: Callable[[ChangeType, EchoClient], None] | None = shared.events.socket

    def open(self, dst: int) -> EchoClient:
        """Return a new client for echo requests to ``dst``, with an identifier of its own.

        Raises:
            NoBuffers: all 65,536 are in use.
        """
        start = int(self._shared.random() * 0x10000)
        for step in range(0x10000):
            ident = (start + step) & 0xFFFF
            if ident not in self:
                pmtudisc = self._networks.for_address(dst).pmtudisc
                client = EchoClient(ident, dst, pmtudisc, ready_queue=self._shared.ready)
                self[ident] = client
                if self.on_change is not None:
                    self.on_change(ChangeType.NEW, client)
                return client
        raise NoBuffers("all ICMP echo identifiers are in use")

    def close(self, client: EchoClient) -> None:
        """Forget a client and what it waited for."""
        client.closed = True
        if self.pop(client.ident, None) is not None and self.on_change is not None:
            self.on_change(ChangeType.DELETED, client)

    def input(self, packet: Packet) -> None:
        """Take an echo reply."""
        header, message, now = packet.header, packet.message, packet.now
        client = self.get(message.ident)
        if client is None:
            packet.record(reason.ICMP_ECHO_UNMATCHED, ip=header.src, ident=message.ident)
            return
        client.replies.append(
            EchoReply(
                header.src, message.sequence, header.ttl, message.body, now, header.dscp_ecn,
                header.options,
            )
        )  # fmt: skip
        client.wake()
        packet.step("socket", "pick", {"owner": "ping", "ident": message.ident})
        packet.trace.settle(Fate.DELIVERED, now)
        # The answer proves that the way there works (RFC 1122 2.3.2.1 (4)); ping asks Linux for the
        # same with MSG_CONFIRM.
        net = self._networks.for_address(header.src)
        confirm(net, header.src, now, packet.interface.name)

    def sender_of(self, quote: icmpv4.Quote, dev: str) -> Sender | None:
        """Return the client that sent the request which an ICMP error quotes (Linux ping_err)."""
        if quote.icmp_type not in _REQUESTS or quote.icmp_ident is None:
            return None
        echo = self.get(quote.icmp_ident)
        known = echo is not None and (echo.dst == quote.dst or _source_routed(quote))
        return echo if known else None


def _source_routed(quote: icmpv4.Quote) -> bool:
    """Tell whether a packet goes by hops that it names, so that its destination is one of them."""
    options = ipv4_options.parse(quote.options, arriving=False)
    return isinstance(options, ipv4_options.Options) and options.route is not None
