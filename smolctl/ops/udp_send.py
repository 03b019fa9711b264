"""The job behind ``smolctl udp send``: it follows every datagram to its fate."""

from binascii import b2a_base64
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from smolctl.errors import NoBuffers, SendRejected
from smolctl.ops.blame import blame_fields
from smolctl.ops.job import WAIT_NOTICE_NS, Job
from smolctl.stack import reason
from smolctl.stack.packet import DeliveryError
from smolctl.stack.stack import Stack
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.stack.transport.errors import unanswered
from smolctl.stack.transport.udp.socket import Datagram, UdpSocket
from smolctl.wire.address import format_address, is_multicast, is_scoped

OUTSTANDING_LIMIT = 64
"""Datagrams of one ``udp send`` without a fate; more wait, so that it never overruns a queue."""
PATIENCE_NS = 5_000_000_000
"""Time for which a datagram is followed that may wait for ever, as in a blocked socket."""
CATCH_UP_NS = 10_000_000
"""Lost time that is made up for, so that a rate is kept though the loop has other work."""


@dataclass(frozen=True, slots=True)
class SendPlan:
    """The task of a ``udp send``; times in ns. ``quiet`` reports nothing that goes well."""

    payload: bytes
    dst: int
    port: int
    count: int
    interval_ns: int
    wait_ns: int
    expect_reply: bool
    quiet: bool = False


@dataclass(slots=True, eq=False)
class _Shot:
    """One datagram on its way."""

    seq: int
    sent_ns: int
    trace: Trace = field(default_factory=Trace)
    noticed: bool = False


class SendJob(Job):
    """Sends, follows each datagram to its fate, and listens for answers and ICMP errors."""

    def __init__(self, stack: Stack, socket: UdpSocket, plan: SendPlan) -> None:
        super().__init__()
        self._stack = stack
        self._socket = socket
        self._plan = plan
        self._seq = self._sent = self._failed = self._icmp = self._replies = 0
        self._open: deque[_Shot] = deque()
        self._next_ns = 0
        self._linger_ns: int | None = None
        # When the first and the last was sent, and when the last fate became known.
        self._first_ns = self._last_ns = self._settled_ns = 0
        self._remote = False
        self._last: Trace | None = None
        self._failed_by: Trace | None = None
        socket.handler = self._on_ready

    def start(self, now: int) -> None:
        """Send the first one."""
        self._next_ns = self._first_ns = now
        self.on_timer(now)

    def on_timer(self, now: int) -> None:
        """Send what is due, report what has its fate, and end when all is known."""
        plan = self._plan
        while (
            self._seq < plan.count
            and now >= self._next_ns
            and len(self._open) < OUTSTANDING_LIMIT
            and not self.ended
        ):
            self._shoot(now)
            late = now + plan.interval_ns - CATCH_UP_NS
            self._next_ns = max(self._next_ns + plan.interval_ns, late)
        self._report(now)
        if self.ended:
            return
        if self._seq == plan.count and not self._open:
            self._linger(now)
        elif self._seq == plan.count and self._may_wait_for_ever() and now >= self._patience():
            self.finish(now)
        if not self.ended:
            self.deadline = self._due(now)

    def _shoot(self, now: int) -> None:
        self._seq += 1
        shot = _Shot(self._seq, now)
        # Only a note for the next turn: a trace must not call back into the stack.
        shot.trace.on_change = lambda _trace: self._socket.wake()
        self._last_ns = now
        plan = self._plan
        try:
            self._stack.udp.send(
                self._socket, plan.payload, plan.dst, plan.port, now, trace=shot.trace
            )
        except (SendRejected, NoBuffers) as error:
            self._failed += 1
            self._failed_by = self._failed_by or shot.trace
            self.emit("failed", seq=shot.seq, id=shot.trace.id or None, **error_fields(error))
            return
        self._open.append(shot)

    def _report(self, now: int) -> None:
        for shot in list(self._open):
            trace = shot.trace
            if trace.settled:
                self._open.remove(shot)
                self._settled_ns = now
                self._settled(shot)
            elif not shot.noticed and now >= shot.sent_ns + WAIT_NOTICE_NS:
                shot.noticed = True
                text = trace.reason.explain(trace.detail) if trace.reason else "waiting"
                name = trace.reason.name if trace.reason else None
                self.emit("waiting", seq=shot.seq, reason=name, text=text)

    def _settled(self, shot: _Shot) -> None:
        trace, plan = shot.trace, self._plan
        if trace.fate in (Fate.SENT, Fate.DELIVERED):
            self._sent += 1
            self._remote = self._remote or trace.fate is Fate.SENT
            self._last = trace
            if plan.quiet:
                return
            gateway = None if trace.gateway is None else format_address(trace.gateway)
            self.emit(
                "sent",
                seq=shot.seq,
                id=trace.id,
                bytes=len(plan.payload),
                src=format_address(trace.src or 0),
                sport=self._socket.port,
                dst=format_address(plan.dst),
                dport=plan.port,
                dev=trace.dev,
                gateway=gateway,
                fragments=trace.parts or None,
                fate=trace.fate.value,
                after_ms=(trace.at_ns - shot.sent_ns) / 1e6,
            )
            return
        self._failed += 1
        self._failed_by = self._failed_by or trace
        if trace.reason is not None:
            errno_name = trace.reason.linux if trace.reason.linux.startswith("E") else None
            if trace.reason.name == "neigh-failed":
                errno_name = "EHOSTUNREACH"
            elif trace.reason.layer == "udp" and trace.reason.kind == "reject":
                errno_name = "ECONNREFUSED"
            self.emit(
                "failed",
                seq=shot.seq,
                id=trace.id,
                reason=trace.reason.name,
                errno=errno_name,
                message=trace.reason.why(trace.detail),
                hint=trace.reason.hint(trace.detail),
            )

    def _linger(self, now: int) -> None:
        """Stay as long as an answer or an ICMP error may come."""
        plan = self._plan
        wanted = plan.expect_reply and self._replies + self._icmp < self._sent
        if not (wanted or (self._remote and not plan.expect_reply and not self._icmp)):
            self.finish(now)
            return
        if self._linger_ns is None:
            self._linger_ns = now + plan.wait_ns
        if now >= self._linger_ns:
            self.finish(now)

    def _may_wait_for_ever(self) -> bool:
        """Tell whether the sysctls set no end to what the datagrams wait for."""
        links = self._stack.interfaces.values()
        endless = any(not link.settings["neigh.mcast_solicit"] for link in links)
        return self._socket.send_queue is not None or endless

    def _patience(self) -> int:
        """Return when datagrams that may wait for ever are no longer followed."""
        return self._last_ns + max(self._plan.wait_ns, PATIENCE_NS)

    def _due(self, now: int) -> int | None:
        dues = [shot.sent_ns + WAIT_NOTICE_NS for shot in self._open if not shot.noticed]
        if self._seq < self._plan.count and len(self._open) < OUTSTANDING_LIMIT:
            dues.append(self._next_ns)
        if self._linger_ns is not None:
            dues.append(self._linger_ns)
        if self._open and self._may_wait_for_ever():
            dues.append(max(now, self._patience()))
        return min(dues) if dues else None

    def _on_ready(self, now: int) -> None:
        socket = self._socket
        self._report(now)  # first: an echo of this stack itself answers in the same turn
        while (datagram := socket.receive()) is not None:
            self._replies += 1
            if self._plan.quiet:
                continue
            self.emit(
                "reply",
                src=format_address(datagram.src),
                sport=datagram.sport,
                dev=datagram.dev if is_scoped(datagram.src) else None,
                data=b2a_base64(datagram.payload, newline=False).decode(),
                rtt_ms=(datagram.at_ns - self._last_ns) / 1e6,
                stranger=self._is_stranger(datagram) or None,
            )
        while socket.errors:
            self._socket_error(socket.errors.popleft())
        self.on_timer(now)

    def _is_stranger(self, datagram: Datagram) -> bool:
        """Tell whether a reply is by another address or port than was asked.

        Who is asked by a broadcast or as a member of a group answers with an address of his own.
        """
        plan = self._plan
        net = self._stack.networks.for_address(plan.dst)
        to_all = is_multicast(plan.dst) or net.is_broadcast(plan.dst)
        return datagram.sport != plan.port or (not to_all and datagram.src != plan.dst)

    def _socket_error(self, error: DeliveryError) -> None:
        if self._stack.networks.for_address(error.offender).fib.is_local(error.offender):
            return  # our own stack: the datagram's own fate has said it already
        self._icmp += 1
        last = self._last
        if last is not None:
            # An error names its destination, not which of several datagrams to it.
            last.complain(error.reason, error.detail, error.at_ns)
            self._failed_by = self._failed_by or last
        self.emit(
            "icmp",
            seq=self._seq if self._plan.count == 1 else None,
            reason=error.reason.name,
            errno=error.errno_name,
            message=error.reason.why(error.detail),
            hint=error.reason.hint(error.detail),
            **{"from": format_address(error.offender)},
        )

    def result(self, now: int) -> dict[str, Any]:
        """Return the totals; a datagram without a fate yet counts as waiting."""
        good = self._sent > 0 and not self._failed and not self._icmp and not self._open
        if self._plan.expect_reply:
            good = good and self._replies > 0
        if not good and self._failed_by is None:
            self._failed_by = self._unanswered(now)
        blame = {} if good or self._failed_by is None else blame_fields(self._failed_by)
        return {
            **blame,
            "sent": self._sent,
            "failed": self._failed,
            "waiting": len(self._open),
            "icmp_errors": self._icmp,
            "replies": self._replies,
            **self._pace(),
            "ok": good,
        }

    def _pace(self) -> dict[str, float]:
        """Return how long it took, and how many datagrams a second that is, when it can be told."""
        gaps = self._seq - 1
        if self._plan.interval_ns:
            took_ns = self._last_ns - self._first_ns
        else:
            # A burst is sent in no time at all; what counts is when it had left.
            took_ns, gaps = self._settled_ns - self._first_ns, self._sent
        if gaps < 1 or took_ns <= 0 or self._plan.count == 1:
            return {}
        return {"seconds": took_ns / 1e9, "rate": round(gaps / took_ns * 1e9, 1)}

    def _unanswered(self, now: int) -> Trace | None:
        """Return which datagram to ask about when none failed: one that waits or got no answer."""
        if self._open:
            return self._open[0].trace
        last, plan = self._last, self._plan
        if last is not None and last.complaint is None:
            asked = Awaited("udp", plan.dst, self._first_ns, now, self._socket.port)
            waited = min(plan.wait_ns, now - self._last_ns)  # less when it was interrupted
            unanswered(
                self._stack.shared.recorder, last, reason.UDP_NO_REPLY, asked,
                ip=format_address(plan.dst), port=plan.port, seconds=round(waited / 1e9, 3),
            )  # fmt: skip
        return last

    def release(self, now: int) -> None:
        """Close the socket."""
        self._stack.udp.close(self._socket)


def error_fields(error: SendRejected | NoBuffers) -> dict[str, Any]:
    """Return the fields of a "failed" event for a datagram that was refused."""
    return {
        "reason": error.code,
        "errno": error.errno_name,
        "message": error.message,
        "hint": error.hint,
    }
