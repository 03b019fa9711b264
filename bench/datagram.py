"""A datagram through the whole stack in process, against the kernel's loopback in process."""

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter, perf_counter_ns, process_time
from unittest import mock

from bench.measure import Limit, Plan, Row, by_turns, middle, ratio, thousands
from smolctl.stack.config.addr import bring_up_loopback
from smolctl.stack.stack import Stack
from smolctl.stack.trace.journal import Journal
from smolctl.stack.trace.trace import RawStep, Trace
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import IPV4, Family, parse_address

PAYLOAD = bytes(range(64))
BURST = 32
_LIMIT = Limit(1.5, 2.5)
_LAYERED = Limit(0.35, 0.5)
_RECORDING = Limit(0.95, 0.98)
_KERNEL = "Python sendto + recvfrom, kernel loopback"


def _nothing(*_: object) -> None:
    """Stand in for what teaches the fast path, and for the journal."""


@contextmanager
def fast_path_off(stack: Stack) -> Iterator[None]:
    """Let a stack learn no flow, so that every packet takes the layered path."""
    with (
        mock.patch.object(stack.udp, "learn_output", _nothing),
        mock.patch.object(stack.udp, "learn_input", _nothing),
        mock.patch.object(stack.ipv4, "learn_forward", _nothing),
        mock.patch.object(stack.ipv6, "learn_forward", _nothing),
    ):
        yield


class _Nowhere(list[RawStep]):
    """Keeps nothing."""

    def append(self, _step: RawStep) -> None:
        """Note nothing."""


class _Inert(Trace):
    """Stands in for every trace: nothing is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.raw_steps = _Nowhere()

    def settle(self, *_: object) -> None:
        """Note nothing."""


_INERT = _Inert()


def _begin(*_: object) -> Trace:
    return _INERT


@contextmanager
def journal_off(stack: Stack) -> Iterator[None]:
    """Let the journal begin, follow and remember nothing: what recording costs is what is gone."""
    with (
        mock.patch.object(stack.shared.recorder, "begin", _begin),
        mock.patch.object(stack.shared.recorder, "follow", _nothing),
        mock.patch.object(Journal, "changed", _nothing),
    ):
        yield


class Pair:
    """Two sockets of one stack, one of which sends to the other by ``lo``."""

    def __init__(self, family: Family = IPV4) -> None:
        self.stack = Stack(random.Random(1).random)
        net = self.stack.networks[family]
        bring_up_loopback(net)
        udp, (ours, _) = self.stack.udp, net.loopback_prefix
        self.sender, self.receiver = udp.open(family=family), udp.open(family=family)
        self.dst = parse_address("127.0.0.2") if family is IPV4 else ours
        udp.bind(self.receiver, self.dst, 7)
        udp.bind(self.sender, ours, 0)

    def single(self, count: int, timer: Callable[[], float] = perf_counter) -> float:
        """Send, poll and receive ``count`` datagrams one by one; return datagrams a second."""
        send, poll, receive = self.stack.udp.send, self.stack.poll, self.receiver.receive
        sender, dst, clock = self.sender, self.dst, perf_counter_ns
        start = timer()
        for _ in range(count):
            now = clock()
            send(sender, PAYLOAD, dst, 7, now)
            poll(now)
            if (datagram := receive()) is None or datagram.payload != PAYLOAD:
                raise RuntimeError("a datagram was lost")
        return count / (timer() - start)

    def bursts(self, count: int) -> float:
        """The same with one ``poll`` after ``BURST`` datagrams, as a turn of the daemon's loop."""
        send, poll, receive = self.stack.udp.send, self.stack.poll, self.receiver.receive
        sender, dst, clock, burst = self.sender, self.dst, perf_counter_ns, range(BURST)
        start = perf_counter()
        for _ in range(count // BURST):
            now = clock()
            for _ in burst:
                send(sender, PAYLOAD, dst, 7, now)
            poll(now)
            for _ in burst:
                if (datagram := receive()) is None or datagram.payload != PAYLOAD:
                    raise RuntimeError("a datagram was lost")
        return count // BURST * BURST / (perf_counter() - start)


class Kernel:
    """Two kernel sockets of one process, one of which sends to the other."""

    def __init__(self) -> None:
        self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.bind(("127.0.0.1", 0))
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def single(self, count: int) -> float:
        """Send and receive ``count`` datagrams one by one; return datagrams a second."""
        send, receive, dst = self.sender.sendto, self.receiver.recvfrom, self.receiver.getsockname()
        start = perf_counter()
        for _ in range(count):
            send(PAYLOAD, dst)
            if receive(2048)[0] != PAYLOAD:
                raise RuntimeError("a datagram was changed")
        return count / (perf_counter() - start)

    def bursts(self, count: int) -> float:
        """The same, ``BURST`` of them sent before any is received."""
        send, receive, dst = self.sender.sendto, self.receiver.recvfrom, self.receiver.getsockname()
        burst = range(BURST)
        start = perf_counter()
        for _ in range(count // BURST):
            for _ in burst:
                send(PAYLOAD, dst)
            for _ in burst:
                if receive(2048)[0] != PAYLOAD:
                    raise RuntimeError("a datagram was changed")
        return count // BURST * BURST / (perf_counter() - start)

    def close(self) -> None:
        """Close both sockets."""
        self.sender.close()
        self.receiver.close()


def run(plan: Plan) -> list[Row]:
    """Measure both forms, the layered path alone, and what recording costs."""
    pair, kernel, count = Pair(), Kernel(), plan.size(40_000)

    def layered(form: Callable[[int], float]) -> Callable[[], float]:
        def measured() -> float:
            with fast_path_off(pair.stack):
                forget(pair.stack, pair.sender)
                return form(count // 4)

        return measured

    try:
        figures = by_turns(
            plan.rounds(15),
            {
                "kernel": lambda: kernel.single(count),
                "kernel, bursts": lambda: kernel.bursts(count),
                "single": lambda: pair.single(count),
                "bursts": lambda: pair.bursts(count),
                "layered": layered(pair.single),
                "layered, bursts": layered(pair.bursts),
            },
        )
    finally:
        kernel.close()
    return [*_rows(figures), *_recording(pair, plan)]


def _recording(pair: Pair, plan: Plan) -> list[Row]:
    """Measure both paths with the journal and without, in short turns and by the time of the cpu.

    A difference of a few percent drowns in whatever else the machine does.
    """
    count = plan.size(8_000)

    def fast_path() -> float:
        return pair.single(count, process_time)

    def layered() -> float:
        with fast_path_off(pair.stack):
            forget(pair.stack, pair.sender)
            return pair.single(count // 8, process_time)

    def unrecorded(measured: Callable[[], float]) -> float:
        with journal_off(pair.stack):
            return measured()

    figures = by_turns(
        plan.rounds(99),
        {
            "recorded": fast_path,
            "unrecorded": lambda: unrecorded(fast_path),
            "layered, recorded": layered,
            "layered, unrecorded": lambda: unrecorded(layered),
        },
    )
    nobody = (
        "against the same code without the journal's begin, follow and changed, and without steps:"
        " nobody watches, so the fast path takes what it knows and records nothing"
    )
    noted = "for information: on the layered path a packet carries its trace, watched or not"
    against = "the same without a journal"
    return [
        _row("recording with nobody watching", against, figures, "recorded", "unrecorded",
             _RECORDING, nobody),
        _row("the same, layered path", against, figures, "layered, recorded",
             "layered, unrecorded", None, noted),
    ]  # fmt: skip


def _row(
    what: str,
    against: str,
    figures: dict[str, list[float]],
    ours: str,
    theirs: str,
    limit: Limit | None,
    note: str,
) -> Row:
    raw = f"{thousands(middle(figures[ours]))} : {thousands(middle(figures[theirs]))}"
    return Row(
        what, against, ratio(figures[ours], figures[theirs]), raw, limit, note,
        figures={ours: figures[ours], theirs: figures[theirs]},
    )  # fmt: skip


def forget(stack: Stack, *sockets: UdpSocket) -> None:
    """Forget the flows that were learned."""
    for known in sockets:
        known.flows.clear()
    for interface in stack.interfaces.values():
        interface.flows.clear()
        interface.forward_flows.clear()


def _rows(figures: dict[str, list[float]]) -> list[Row]:
    short = (
        "fast path: between two sockets of one stack no headers are built and nothing is summed,"
        " as Linux does not sum what its loopback carries; the kernel's figure includes two"
        " system calls"
    )
    full = (
        "fast path off: every header is built, summed, parsed and verified, a socket is looked up,"
        " and each step noted, for each datagram; its way comes from the route cache"
    )

    def row(what: str, ours: str, theirs: str, limit: Limit | None, note: str) -> Row:
        return _row(what, _KERNEL, figures, ours, theirs, limit, note)

    return [
        row("send, poll, recv, 64 B in process", "single", "kernel", _LIMIT, short),
        row(f"the same, bursts of {BURST} a poll", "bursts", "kernel, bursts", _LIMIT, short),
        row("layered path, poll each", "layered", "kernel", _LAYERED, full),
        row("layered path, bursts", "layered, bursts", "kernel, bursts", _LAYERED, full),
    ]
