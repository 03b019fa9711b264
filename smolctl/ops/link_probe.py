"""Probes on a link, and who answers: the job of ``arping`` and of ``ndisc``."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from smolctl.ops.args import Args
from smolctl.ops.blame import blame_fields
from smolctl.ops.job import Job
from smolctl.ops.rtt import Rtts
from smolctl.stack.interface import Interface
from smolctl.stack.neighbor.probe_client import ProbeAnswer, ProbeClient
from smolctl.stack.reason import Reason
from smolctl.stack.stack import Stack
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.stack.transport.errors import unanswered
from smolctl.wire.address import format_address, format_mac

PROBE_COUNT = 3
"""Probes of duplicate address detection (RFC 5227 1.1 PROBE_NUM)."""


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """The task of a probe; times in ns, None for no limit.

    Attributes:
        src: the address to ask from; when ``dst`` is tested, 0 or ``::``.
        for_all: do not ask by unicast who has answered once.
    """

    mode: str
    dst: int
    src: int
    count: int | None
    replies: int | None
    interval_ns: int
    wait_ns: int
    deadline_ns: int | None
    for_all: bool


class Prober(ABC):
    """A protocol that asks who has an address: ARP or neighbor discovery.

    Attributes:
        proto: its name where answers are awaited.
        casts: the key under which probes to everybody are counted.
        silent: what to say when nobody answered.
    """

    proto: ClassVar[str]
    casts: ClassVar[str]
    silent: ClassVar[Reason]

    def __init__(self, stack: Stack, interface: Interface, plan: ProbePlan) -> None:
        self.stack, self.interface, self.plan = stack, interface, plan

    @abstractmethod
    def open(self) -> ProbeClient:
        """Return the client that hears the answers."""

    @abstractmethod
    def send(self, lladdr: bytes | None, trace: Trace, now: int) -> None:
        """Ask, or tell: everybody, or the station of an address."""

    @abstractmethod
    def unheard(self, last: Trace, awaited: Awaited, probes: int) -> bool:
        """Note on the last probe that an answer was dropped; return whether one was."""

    def ready_ns(self, now: int) -> int:
        """Return when it may send; ``now`` unless its source address must be tested first."""
        return now

    def note_silence(self, last: Trace, awaited: Awaited, probes: int) -> None:
        """Note on the last probe that nobody answered."""
        unanswered(
            self.stack.shared.recorder, last, self.silent, awaited,
            probes=probes, next_hop=format_address(self.plan.dst),
        )  # fmt: skip


def plan_of(args: Args, mode: str, dst: int, src: int) -> ProbePlan:
    """Return the task that words describe; a test ends with the first answer."""
    count = args.integer("count", 1, 1_000_000_000)
    if mode == "dad" and count is None:
        count = PROBE_COUNT
    replies = 1 if args.flag("first") or mode == "dad" else None
    wanted = args.integer("replies", 1, 1_000_000_000)
    return ProbePlan(
        mode,
        dst,
        src,
        count,
        wanted if wanted is not None else replies,
        args.seconds("interval", 1.0) or 0,
        args.seconds("wait", 1.0) or 0,
        args.seconds("deadline"),
        args.flag("broadcast"),
    )


class ProbeJob(Job):
    """Sends a probe every interval and reports who answers."""

    def __init__(self, prober: Prober) -> None:
        super().__init__()
        self._prober = prober
        self._plan = prober.plan
        self._client = prober.open()
        self._client.handler = self._on_ready
        self._sent = self._for_all = self._received = self._failed = 0
        self._known: bytes | None = None
        self._owners: dict[bytes, None] = {}
        self._trace: Trace | None = None
        self._last: Trace | None = None
        self._blamed: Trace | None = None
        self._rtts = Rtts()
        self._start_ns = self._next_ns = self._last_ns = 0

    def start(self, now: int) -> None:
        """Announce it and send the first probe."""
        self._start_ns = now
        self.emit(
            "start",
            dst=format_address(self._plan.dst),
            src=format_address(self._plan.src),
            dev=self._prober.interface.name,
        )
        self._go_on(now)
        self.deadline = self._due()

    def _go_on(self, now: int) -> None:
        """Send a probe; before the first, wait until that is possible, and begin then."""
        ready_ns = now if self._sent else self._prober.ready_ns(now)
        if ready_ns > now:
            self._start_ns = self._next_ns = ready_ns
        else:
            self._probe(now)

    def on_timer(self, now: int) -> None:
        """Send what is due, end when nothing more is wanted."""
        plan = self._plan
        self._note_failure()
        if plan.deadline_ns is not None and now >= self._start_ns + plan.deadline_ns:
            self.finish(now)
        elif self._all_sent():
            if now >= self._last_ns + self._last_wait():
                self.finish(now)
        elif now >= self._next_ns:
            self._go_on(now)
        if not self.ended:
            self.deadline = self._due()

    def _last_wait(self) -> int:
        # Nobody answers an announcement: no need to stay.
        return 0 if self._plan.mode.startswith("announce") else self._plan.wait_ns

    def _all_sent(self) -> bool:
        return self._plan.count is not None and self._sent >= self._plan.count

    def _due(self) -> int:
        due = self._last_ns + self._last_wait() if self._all_sent() else self._next_ns
        if self._plan.deadline_ns is not None:
            due = min(due, self._start_ns + self._plan.deadline_ns)
        return due

    def _probe(self, now: int) -> None:
        self._note_failure()
        plan = self._plan
        self._sent += 1
        self._last_ns = now
        self._next_ns = now + plan.interval_ns
        again = not plan.for_all and plan.mode == "request"
        lladdr = self._known if again else None
        self._for_all += lladdr is None
        self._trace = self._last = Trace()
        self._prober.send(lladdr, self._trace, now)

    def _note_failure(self) -> None:
        trace = self._trace
        if trace is not None and trace.fate in (Fate.DROPPED, Fate.REJECTED):
            self._failed += 1
            self._blamed, self._trace = trace, None

    def _on_ready(self, now: int) -> None:
        plan = self._plan
        while self._client.answers and not self.ended:
            answer = self._client.answers.popleft()
            self._received += 1
            self._known = answer.sender_mac
            self._owners.setdefault(answer.sender_mac)
            self._report(answer)
            if plan.replies is not None and self._received >= plan.replies:
                self.finish(now)
                return
        complete = self._all_sent() and self._received >= self._sent
        if complete and plan.mode == "request" and not self.ended:
            self.finish(now)

    def _report(self, answer: ProbeAnswer) -> None:
        rtt = answer.at_ns - self._last_ns
        self._rtts.add(rtt)
        more = {"router": True} if answer.router else {}
        self.emit(
            "reply",
            lladdr=format_mac(answer.sender_mac),
            unicast=answer.unicast,
            rtt_ns=rtt,
            seq=self._sent,
            **{"from": format_address(answer.sender_ip)},
            **more,
        )

    def result(self, now: int) -> dict[str, Any]:
        """Return the summary; ``ok`` of a duplicate address detection means: nobody has it."""
        self._note_failure()
        left = self._sent - self._failed
        good = self._received > 0
        if self._plan.mode == "dad":
            good = self._received == 0 and left > 0
        elif self._plan.mode.startswith("announce"):
            good = left > 0 and not self._failed
        result: dict[str, Any] = {
            "sent": left,
            self._prober.casts: self._for_all,
            "received": self._received,
            "time_ms": (now - self._start_ns) // 1_000_000,
            "ok": good,
        }
        if self._rtts.count:
            result["rtt_ns"] = self._rtts.summary()
        if len(self._owners) > 1:
            result["owners"] = [format_mac(mac) for mac in self._owners]
        if self._blamed is None and self._last is not None and not self._received:
            good = self._look_back(self._last, left, good, now)
            result["ok"] = good
        if self._blamed is not None:
            result.update(blame_fields(self._blamed))
        return result

    def _look_back(self, last: Trace, left: int, good: bool, now: int) -> bool:
        """Note that nobody answered, or that an answer was dropped; return whether all is good."""
        mode, prober = self._plan.mode, self._prober
        awaited = Awaited(prober.proto, self._plan.dst, self._start_ns, now, probe=mode == "dad")
        if mode == "request":
            self._blamed = last
            prober.note_silence(last, awaited, left)
        elif mode == "dad" and left and prober.unheard(last, awaited, left):
            self._blamed, good = last, False
        return good

    def release(self, now: int) -> None:
        """Stop listening."""
        self._prober.stack.probe_close(self._client)
