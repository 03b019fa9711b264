"""One packet on its way through the stack: Linux's sk_buff."""

from collections.abc import Mapping
from copy import copy
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from smolctl.stack.interface import Interface
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.reason import REASONS, Detail, Reason
from smolctl.stack.trace.recorder import Recorder
from smolctl.stack.trace.trace import Trace
from smolctl.wire.fault import WireFault
from smolctl.wire.icmp_extensions import Extension
from smolctl.wire.ipv6_ext import Chain


class PacketType(IntEnum):
    """To whom the frame was addressed (Linux PACKET_HOST, ...)."""

    HOST = 0
    BROADCAST = 1
    MULTICAST = 2

    @property
    def word(self) -> str:
        """The ``cause`` of reasons that a frame to more than one station is."""
        return self.name.lower()


_HOST = PacketType.HOST


class DeliveryError(NamedTuple):
    """An error for a packet that was sent before.

    Attributes:
        errno_name: as Linux would report it, "ECONNREFUSED" and so on.
        offender: who said so; an own address when this stack gave up itself.
        dst, dport: where the packet went; of an echo request its sequence number.
        extensions: what the router added (RFC 4884).
    """

    errno_name: str
    reason: Reason
    detail: Mapping[str, object]
    offender: int
    dst: int
    dport: int
    at_ns: int
    extensions: tuple[Extension, ...] = ()


class Sender(Protocol):
    """A socket or client, as its packets know it.

    Attributes:
        dev: interface by which it insists to send, None for any.
    """

    dev: str | None
    pmtudisc: Pmtudisc

    def fail(self, error: DeliveryError) -> None:
        """Take an error for a packet that it sent."""

    def redirected(self, news: DeliveryError) -> None:
        """Take note that a gateway named a better one for a packet, which went on."""


class Packet:
    """One packet: its bytes, what is known of it, and the trace of its way.

    Args:
        data: an IP packet, header first, or ARP; of one that came in with padding until ``header``
            is known.
        interface: by which it came in, or leaves.
        entrance: by which it came in, also when it was sent on; as sockets see it: what was sent
            from here to an address of ours came in by that one's link (Linux ``inet_iif``).
        now: ns, of this turn.

    Attributes:
        header: its IP header, once it was parsed or built.
        upper: where in ``data`` its transport begins, behind all headers of IP; once that is known.
        chain: its extension headers of IPv6, if it has any and they were looked at.
        message: its ICMP message, once it was parsed.
        pkt_type: to whom its frame was addressed.
        mark: that its sender here gave it, or a rule is to select (Linux skb->mark); 0 for none.
        looped: it was sent from here, and came back by a loopback or as the copy of a broadcast.
        to_all: its destination is a broadcast address, or a group.
        sender: who sent it, None when that was nobody here.
        about: the packet that an ICMP error of this stack is about.
        answer: it answers another packet, as an echo reply or ICMP error does.
    """

    __slots__ = (
        "about",
        "answer",
        "chain",
        "data",
        "entrance",
        "header",
        "interface",
        "looped",
        "mark",
        "message",
        "now",
        "pkt_type",
        "recorder",
        "sender",
        "to_all",
        "trace",
        "upper",
    )  # fmt: skip

    def __init__(
        self, data: bytes, interface: Interface, now: int, trace: Trace, recorder: Recorder
    ) -> None:
        self.data = data
        self.interface = self.entrance = interface
        self.now = now
        self.trace = trace
        self.recorder = recorder
        self.header: Any = None
        self.message: Any = None
        self.upper = self.mark = 0
        self.chain: Chain | None = None
        self.pkt_type = _HOST
        self.looped = self.to_all = self.answer = False
        self.sender: Sender | None = None
        self.about: Packet | None = None

    @property
    def source(self) -> int:
        """Its source address, 0 while it has none."""
        return self.header.src if self.header is not None else 0

    def clone(self, interface: Interface, recorder: Recorder) -> "Packet":
        """Return a copy whose fate nobody hears of."""
        result = copy(self)
        result.interface, result.recorder, result.trace = interface, recorder, Trace()
        return result

    def record(self, reason: Reason, **values: object) -> Detail:
        """Record its fate, or a note: see ``Ledger.record``."""
        return self.recorder.record(reason, self.interface.name, self.now, self.trace, **values)

    def step(self, stage: str, result: str, facts: object) -> None:
        """Note on its trace what happened to it."""
        self.trace.raw_steps.append((stage, result, self.now, facts))

    def malformed(self, fault: WireFault) -> None:
        """Record malformed bytes under the reason that has the fault's name."""
        self.record(REASONS[fault.fault], **fault.detail)
        self.interface.counters.rx_errors += 1
