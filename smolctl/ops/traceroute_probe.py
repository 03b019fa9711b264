"""Probes of ``traceroute``: UDP datagrams, echo requests or SYNs; what an answer means."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from smolctl.ops.echo import Echo, send_echo
from smolctl.stack.ip.protocol import NO_OPTIONS, Pmtudisc, SendOptions
from smolctl.stack.packet import DeliveryError
from smolctl.stack.stack import Stack
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.tcp.probing import (
    close_client,
    forget_probe,
    open_client,
    send_probe,
)
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import icmpv4, icmpv6, ipv4_options
from smolctl.wire.address import IPV6, family_of


class Marks(NamedTuple):
    """The header fields that all probes share, and their mark."""

    tos: int
    options: bytes
    pmtudisc: Pmtudisc
    mark: int


class Answer(NamedTuple):
    """An answer to a probe: its sender and its kind.

    Attributes:
        error: what came back, or was given up here; None for what the probe asked for.
        own: it is this stack that gave up.
        state: what the answer to SYN says of the port, "open" or "closed"; "" for other probes.
    """

    src: int
    at_ns: int
    error: DeliveryError | None = None
    own: bool = False
    state: str = ""

    @property
    def final(self) -> bool:
        """Whether no later hop can answer: all but "time to live exceeded" ends the way."""
        return self.error is None or self.error.reason.name != "icmp-time-exceeded"

    @property
    def reached(self) -> bool:
        """Whether the host itself was reached: it answered, or has nobody at that port."""
        if self.error is None:
            return True
        unreachable = self.error.reason.name == "icmp-port-unreachable"
        return unreachable and self.src == self.error.dst


Answered = Callable[[int, Answer, int], None]
"""Takes the number of a probe, its answer, and the time."""


class Prober(Protocol):
    """Sends probes, each with a number, and tells of their answers."""

    def send(self, number: int, ttl: int, payload: bytes, now: int, trace: Trace) -> None:
        """Send one.

        Raises:
            SendRejected, NoBuffers: it goes no way.
        """

    def forget(self, number: int) -> None:
        """Wait for an answer to it no longer."""

    def close(self) -> None:
        """Wait for none."""


def _filled(size: int) -> bytes:
    """Return traceroute's pattern: what people see in captures of it."""
    return bytes(0x40 + (at & 0x3F) for at in range(size))


class UdpProber:
    """Sends datagrams, each from a port of its own.

    Args:
        rising: each probe goes to the port after the last one's.
    """

    def __init__(
        self, stack: Stack, dst: int, src: int | None, dev: str | None, marks: Marks, port: int,
        answered: Answered, *, rising: bool,
    ) -> None:  # fmt: skip
        self._stack, self._dst, self._src, self._dev = stack, dst, src, dev
        self._marks, self._port, self._answered = marks, port, answered
        self._rising = rising
        self._sockets: dict[int, UdpSocket] = {}

    def send(self, number: int, ttl: int, payload: bytes, now: int, trace: Trace) -> None:
        """Send one; see ``Prober``."""
        stack = self._stack
        socket = stack.udp.open("traceroute", family_of(self._dst))
        socket.ttl = ttl
        socket.tos, socket.options, socket.pmtudisc, socket.mark = self._marks
        stack.udp.bind(socket, self._src, 0, self._dev)
        port = (self._port + number - 1) % 0xFFFF + 1 if self._rising else self._port
        socket.handler = partial(self._take, number, socket, port)
        self._sockets[number] = socket
        stack.udp.send(socket, _filled(len(payload)), self._dst, port, now, trace)

    def _take(self, number: int, socket: UdpSocket, port: int, now: int) -> None:
        datagram = socket.receive()
        if datagram is not None:
            self._answered(number, Answer(datagram.src, datagram.at_ns), now)
        while socket.errors:
            # One that is late may be about an earlier probe, from the same port to another one.
            error = socket.errors.popleft()
            if error.dport == port:
                self._answered(number, _of_error(error), now)

    def forget(self, number: int) -> None:
        """Close the probe's socket."""
        socket = self._sockets.pop(number, None)
        if socket is not None:
            self._stack.udp.close(socket)

    def close(self) -> None:
        """Close all sockets."""
        for number in list(self._sockets):
            self.forget(number)


class EchoProber:
    """Sends echo requests, whose sequence numbers rise from ``first`` on."""

    def __init__(
        self, stack: Stack, dst: int, src: int | None, dev: str | None, marks: Marks, first: int,
        answered: Answered,
    ) -> None:  # fmt: skip
        self._stack, self._dst, self._src, self._dev = stack, dst, src, dev
        self._marks, self._first, self._answered = marks, first, answered
        self._options = ipv4_options.outgoing(marks.options, dst) if marks.options else NO_OPTIONS
        self._client = stack.ping.open(dst)
        self._client.handler, self._client.pmtudisc = self._take, marks.pmtudisc
        self._numbers: dict[int, int] = {}

    def send(self, number: int, ttl: int, payload: bytes, now: int, trace: Trace) -> None:
        """Send one; see ``Prober``."""
        sequence = (self._first + number) & 0xFFFF
        self._numbers[sequence] = number
        marks = self._marks
        how = SendOptions(
            self._src, self._dev, ttl, marks.tos, self._options, marks.pmtudisc, mark=marks.mark,
            uid=self._stack.shared.uid,
        )  # fmt: skip
        echo = Echo(sequence, _filled(len(payload)), trace)
        send_echo(self._stack, self._client, echo, how, now)

    def _take(self, now: int) -> None:
        client = self._client
        while client.replies:
            reply = client.replies.popleft()
            self._tell(reply.sequence, Answer(reply.src, reply.at_ns), now)
        while client.errors:
            error = client.errors.popleft()
            self._tell(error.dport, _of_error(error), now)

    def _tell(self, sequence: int, answer: Answer, now: int) -> None:
        number = self._numbers.pop(sequence, None)
        if number is not None:
            self._answered(number, answer, now)

    def forget(self, number: int) -> None:
        """Take no answer to it any more."""
        self._numbers.pop((self._first + number) & 0xFFFF, None)

    def close(self) -> None:
        """Wait for none."""
        self._stack.ping.close(self._client)


class SynProber:
    """Sends SYNs to one port, each from a port of its own; they open nothing."""

    def __init__(
        self, stack: Stack, dst: int, src: int | None, dev: str | None, marks: Marks, port: int,
        answered: Answered,
    ) -> None:  # fmt: skip
        self._tcp, self._port, self._answered = stack.tcp, port, answered
        self._how = SendOptions(
            src, dev, None, marks.tos, NO_OPTIONS, marks.pmtudisc, mark=marks.mark,
            uid=stack.shared.uid,
        )  # fmt: skip
        self._client = open_client(stack.tcp, dst, "tcp traceroute")
        self._client.handler = self._take

    def send(self, number: int, ttl: int, payload: bytes, now: int, trace: Trace) -> None:
        """Send one; see ``Prober``. A SYN carries no data."""
        how = self._how._replace(ttl=ttl)
        send_probe(self._tcp, self._client, (number, self._port), how, now, trace)

    def _take(self, now: int) -> None:
        client = self._client
        while client.answers:
            answer = client.answers.popleft()
            state = "open" if answer.open else "closed"
            self._answered(answer.number, Answer(client.dst, answer.at_ns, state=state), now)
        while client.errors:
            number, error = client.errors.popleft()
            self._answered(number, _of_error(error), now)

    def forget(self, number: int) -> None:
        """Take no answer to it any more."""
        forget_probe(self._tcp, self._client, number)

    def close(self) -> None:
        """Wait for none."""
        close_client(self._tcp, self._client)


def _of_error(error: DeliveryError) -> Answer:
    return Answer(error.offender, error.at_ns, error, error.reason.name == "neigh-failed")


# --- what people read -----------------------------------------------------------------------------


def mark(answer: Answer) -> str:
    """Return traceroute's note on an answer (parse_icmp_res), "" for what is as it should be."""
    error = answer.error
    if error is None or answer.reached:
        return ""
    if answer.own:
        return "!H"  # as Linux has it: the host itself says that nobody answers its questions
    if family_of(error.dst) is IPV6:
        return _mark6(error)
    kind, code = error.detail.get("type"), error.detail.get("icmp_code")
    if kind == icmpv4.Type.TIME_EXCEEDED:
        return "" if code == icmpv4.TimeExceeded.TTL else f"!<{kind}-{code}>"
    if kind != icmpv4.Type.DEST_UNREACHABLE:
        return f"!<{kind}-{code}>"
    if code == icmpv4.Unreachable.FRAG_NEEDED:
        return f"!F-{error.detail.get('mtu') or 0}"
    if code == icmpv4.Unreachable.PORT:
        return ""
    return _MARKS.get(code, f"!<{code}>") if isinstance(code, int) else ""


def _mark6(error: DeliveryError) -> str:
    kind, code = error.detail.get("type"), error.detail.get("icmp_code")
    if kind == icmpv6.Type.TIME_EXCEEDED:
        return "" if code == icmpv6.TimeExceeded.HOP_LIMIT else f"!<{kind}-{code}>"
    if kind == icmpv6.Type.PACKET_TOO_BIG:
        return f"!F-{error.detail.get('mtu') or 0}"
    if kind != icmpv6.Type.DEST_UNREACHABLE:
        return f"!<{kind}-{code}>"
    return _MARKS6.get(code, f"!<{code}>") if isinstance(code, int) else ""


_MARKS6: dict[int, str] = {
    icmpv6.Unreachable.NO_ROUTE: "!N",
    icmpv6.Unreachable.BEYOND_SCOPE: "!H",
    icmpv6.Unreachable.ADDRESS: "!H",
    icmpv6.Unreachable.ADMIN: "!X",
    icmpv6.Unreachable.PORT: "",
}
_MARKS: dict[int, str] = {
    icmpv4.Unreachable.NET: "!N",
    icmpv4.Unreachable.NET_UNKNOWN: "!N",
    icmpv4.Unreachable.HOST_ISOLATED: "!N",
    icmpv4.Unreachable.NET_TOS: "!N",
    icmpv4.Unreachable.HOST: "!H",
    icmpv4.Unreachable.HOST_UNKNOWN: "!H",
    icmpv4.Unreachable.HOST_TOS: "!H",
    icmpv4.Unreachable.NET_PROHIBITED: "!X",
    icmpv4.Unreachable.HOST_PROHIBITED: "!X",
    icmpv4.Unreachable.ADMIN: "!X",
    icmpv4.Unreachable.PROTOCOL: "!P",
    icmpv4.Unreachable.SOURCE_ROUTE_FAILED: "!S",
    icmpv4.Unreachable.PRECEDENCE_VIOLATION: "!V",
    icmpv4.Unreachable.PRECEDENCE_CUTOFF: "!C",
}
