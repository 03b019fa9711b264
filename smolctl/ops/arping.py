"""``smolctl arping``: ask on the link who has an address, or tell that we have it."""

from dataclasses import dataclass
from typing import Any

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.ops.blame import blame_fields
from smolctl.ops.context import Context
from smolctl.ops.job import Job
from smolctl.ops.rtt import Rtts
from smolctl.stack import reason
from smolctl.stack.fib.route import Scope
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.output import refuse
from smolctl.stack.ip.route_output import no_source, route_output, unavailable
from smolctl.stack.ip.way import Refusal
from smolctl.stack.ipv4.arp_output import arp_output
from smolctl.stack.ipv4.source_address import select_source
from smolctl.stack.stack import Stack
from smolctl.stack.trace.answers import dropped_answer
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.trace import Fate, Flow, Trace
from smolctl.stack.transport.errors import unanswered
from smolctl.wire import arp
from smolctl.wire.address import (
    BROADCAST_MAC,
    ZERO_MAC,
    format_address,
    format_mac,
    is_multicast,
    is_zeronet,
)

MODES = ("request", "dad", "announce-request", "announce-reply")
PROBE_COUNT = 3
"""Probes of duplicate address detection (RFC 5227 1.1 PROBE_NUM)."""


@dataclass(frozen=True, slots=True)
class ArpingPlan:
    """The task of an arping; times in ns, None for no limit."""

    mode: str
    dst: int
    src: int
    count: int | None
    replies: int | None
    interval_ns: int
    wait_ns: int
    deadline_ns: int | None
    broadcast: bool


def run(ctx: Context, args: Args) -> Job:
    """Send ARP until told to stop."""
    args.required("dst")
    dst = args.address("dst") or 0
    mode = args.choice("mode", MODES) or "request"
    interface, src = _way(ctx.stack, dst, mode, args, ctx.now)
    count = args.integer("count", 1, 1_000_000_000)
    if mode == "dad" and count is None:
        count = PROBE_COUNT
    replies = 1 if args.flag("first") or mode == "dad" else None
    wanted = args.integer("replies", 1, 1_000_000_000)
    interval = args.seconds("interval", 1.0) or 0
    plan = ArpingPlan(
        mode,
        dst,
        src,
        count,
        wanted if wanted is not None else replies,
        interval,
        args.seconds("wait", 1.0) or 0,
        args.seconds("deadline"),
        args.flag("broadcast"),
    )
    return ArpingJob(ctx.stack, interface, plan)


def _way(stack: Stack, dst: int, mode: str, args: Args, now: int) -> tuple[Interface, int]:
    """Choose the interface and the sender address, and refuse what could give no true answer."""
    dev, src = args.text("dev"), args.address("src")
    shown, recorder = format_address(dst), stack.shared.recorder
    if is_zeronet(dst) or is_multicast(dst) or stack.ipv4.is_broadcast(dst):
        raise InvalidArgument(f"{shown} is not the address of one host")
    announce = mode.startswith("announce")
    sender = dst if announce and src is None else src
    if sender is not None and not stack.ipv4.fib.is_local(sender):
        raise unavailable(stack.ipv4, sender)
    if dev is not None:
        interface = stack.interface(dev)
    elif announce:
        interface = stack.ipv4.interface_of(sender or dst) or stack.interfaces.loopback
    else:
        way = route_output(stack.ipv4, RouteKey(dst, None if mode == "dad" else src))
        if isinstance(way, Refusal):
            trace = _begin(stack, dst, src, now)
            recorder.note_candidates(RouteKey(dst), None, trace, now)
            refuse(recorder, way, now, trace)
        interface = way.interface
    if interface.medium is not Medium.ETHERNET:
        raise InvalidArgument(
            f"{interface.name} has no ARP, and {shown} is reached through it",
            hint="smolctl link show",
        )
    for why, bad in ((reason.TX_IFACE_DOWN, not interface.up),
                     (reason.TX_NO_CARRIER, not interface.carrier)):  # fmt: skip
        if bad:
            # iputils arping -D calls an address free that nobody could be asked about.
            refusal = Refusal(why, interface.name, {})
            refuse(recorder, refusal, now, _begin(stack, dst, src, now))
    if mode == "dad":
        return interface, 0
    if announce:
        return interface, sender or dst
    if src is None:
        src = select_source(stack.ipv4, interface, dst, Scope.LINK)
    if src is None:
        missing = no_source(stack.ipv4, interface, dst, dst)
        refuse(recorder, missing, now, _begin(stack, dst, src, now))
    return interface, src


def _begin(stack: Stack, dst: int, src: int | None, now: int) -> Trace:
    """Return the trace of a request that will be refused."""
    trace = Trace()
    trace.flow = Flow("arp", src, 0, dst, 0, arp.PACKET_LEN)
    stack.journal.follow(trace, now)
    return trace


class ArpingJob(Job):
    """Sends a probe every interval and reports who answers."""

    def __init__(self, stack: Stack, interface: Interface, plan: ArpingPlan) -> None:
        super().__init__()
        self._stack = stack
        self._interface = interface
        self._plan = plan
        self._client = stack.arp_open(interface.name, plan.dst, plan.src)
        self._client.handler = self._on_ready
        self._sent = self._broadcasts = self._received = self._failed = 0
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
            dev=self._interface.name,
        )
        self._probe(now)
        self.deadline = self._due()

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
            self._probe(now)
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
        unicast = self._known is not None and not plan.broadcast and plan.mode == "request"
        target = self._known if unicast and self._known is not None else BROADCAST_MAC
        self._broadcasts += not unicast
        op = arp.Op.REPLY if plan.mode == "announce-reply" else arp.Op.REQUEST
        about = self._interface.mac if op == arp.Op.REPLY else ZERO_MAC
        self._trace = self._last = Trace()
        message = arp.ArpPacket(op, self._interface.mac, plan.src, about, plan.dst)
        arp_output(self._stack.ipv4, self._interface, message, target, now, self._trace)

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
            rtt = answer.at_ns - self._last_ns
            self._rtts.add(rtt)
            self.emit(
                "reply",
                lladdr=format_mac(answer.sender_mac),
                unicast=answer.unicast,
                rtt_ns=rtt,
                seq=self._sent,
                **{"from": format_address(answer.sender_ip)},
            )
            if plan.replies is not None and self._received >= plan.replies:
                self.finish(now)
                return
        complete = self._all_sent() and self._received >= self._sent
        if complete and plan.mode == "request" and not self.ended:
            self.finish(now)

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
            "broadcasts": self._broadcasts,
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
        mode, dst = self._plan.mode, self._plan.dst
        recorder = self._stack.shared.recorder
        awaited = Awaited("arp", dst, self._start_ns, now, probe=mode == "dad")
        if mode == "request":
            self._blamed = last
            unanswered(
                recorder, last, reason.ARP_NO_REPLY, awaited,
                probes=left, next_hop=format_address(dst),
            )  # fmt: skip
        elif mode == "dad" and left:
            answer = dropped_answer(self._stack.journal, awaited)
            if answer is not None:
                values = {"ip": dst, "_answer": answer}
                dev = self._interface.name
                detail = recorder.record(reason.ARP_DAD_UNHEARD, dev, now, **values)
                last.complain(reason.ARP_DAD_UNHEARD, detail, now)
                self._blamed, good = last, False
        return good

    def release(self, now: int) -> None:
        """Stop listening."""
        self._stack.arp_close(self._client)
