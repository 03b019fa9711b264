"""Probes: SYNs that ask what a port does, and those who wait for the answers.

A probe is one attempt to connect that is given up as soon as it is answered: SYN-ACK gets RST, so
that neither end has a connection, half-open or other.
"""

from collections import deque
from typing import NamedTuple

from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.packet import DeliveryError
from smolctl.stack.ready import REPLY_QUEUE_LIMIT, ReadyQueue, Waiter
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import ALONE


class SynAnswer(NamedTuple):
    """The answer to a probe: SYN-ACK from a port that is open, RST from one that is closed.

    Attributes:
        number: of the probe.
        ttl: of the packet. at_ns: when it came in.
    """

    number: int
    open: bool
    ttl: int
    at_ns: int


class ProbeError(NamedTuple):
    """An error that a probe brought about: somebody on the way, or this stack, gave it up."""

    number: int
    error: DeliveryError


class SynClient(Waiter):
    """Sends probes to one host, and waits for their answers.

    Attributes:
        owner: the command, for ``socket show``.
        dst: whom it asks.
        probes: those whose answers it still takes, by their numbers.
        answers, errors: what came; of too many, the oldest go.
    """

    __slots__ = ("answers", "dst", "errors", "owner", "probes")

    def __init__(self, owner: str, dst: int, ready_queue: ReadyQueue) -> None:
        super().__init__(ready_queue=ready_queue)
        self.owner, self.dst = owner, dst
        self.probes: dict[int, Probe] = {}
        self.answers: deque[SynAnswer] = deque(maxlen=REPLY_QUEUE_LIMIT)
        self.errors: deque[ProbeError] = deque(maxlen=REPLY_QUEUE_LIMIT)


class Probe:
    """A SYN whose answer opens nothing; it has a port of its own, as a connection would.

    Attributes:
        client: who waits for the answer. number: what it calls this one.
        ends: both ends. iss: of the SYN.
        began_ns: when the SYN left first; times: how often it did.
        dev: interface that it insists on, None for any.
        reuse: another socket may be bound to its port if it shares that; shared_with, counted: see
            ``TcpSocket``.
    """

    __slots__ = ("began_ns", "client", "counted", "dev", "ends", "iss", "number", "pmtudisc",
                 "reuse", "shared_with", "times")  # fmt: skip

    def __init__(self, client: SynClient, number: int, ends: Ends, iss: int) -> None:
        self.client, self.number, self.ends, self.iss = client, number, ends, iss
        self.began_ns = self.times = 0
        self.dev: str | None = None
        self.pmtudisc, self.reuse = Pmtudisc.DONT, True
        self.shared_with: int | None = None
        self.counted = ALONE

    def fail(self, error: DeliveryError) -> None:
        """Take an error for the SYN (``packet.Sender``)."""
        if error.errno_name != "EMSGSIZE":  # a SYN is small: nobody's path MTU is below that
            self.client.errors.append(ProbeError(self.number, error))
            self.client.wake()

    def redirected(self, news: DeliveryError) -> None:
        """Take note of a better gateway, which the next SYN takes (``packet.Sender``)."""
