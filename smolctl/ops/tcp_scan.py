"""``smolctl tcp scan``: which ports of a host are open, closed, filtered, or not to be reached.

Many SYNs may be under way, as many as the answers show that the path takes (a congestion window),
and one that is not answered is sent again after a timeout that follows the round trips.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, NamedTuple

from smolctl.errors import InvalidArgument, NoBuffers, SendRejected
from smolctl.ops.args import Args
from smolctl.ops.blame import blame_fields
from smolctl.ops.context import Context
from smolctl.ops.echo import error_text
from smolctl.ops.job import NS_PER_S, WAIT_NOTICE_NS, Job
from smolctl.ops.tcp_ping import Asked, Target, blame_silence, target
from smolctl.stack import reason
from smolctl.stack.ip.way import Way
from smolctl.stack.packet import DeliveryError
from smolctl.stack.stack import Stack
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.stack.transport.tcp.probe import ProbeError, SynAnswer
from smolctl.stack.transport.tcp.probing import (
    close_client,
    forget_probe,
    open_client,
    probe_way,
    send_probe,
)
from smolctl.stack.transport.tcp.rtt import RttEstimator
from smolctl.wire.address import format_address, is_scoped

STATES = ("open", "closed", "filtered", "unreachable")
"""All that a port may be."""
_TURN = 16
"""SYNs of one turn: the loop has others to serve."""
_FIRST, _LEAST, _MOST, _SILENT = 16, 8, 256, 100
"""SYNs that may be under way: at first, at least, at most, and at most while nothing answers."""
_TIMEOUTS = (NS_PER_S, NS_PER_S // 10, 10 * NS_PER_S)
"""Before the first answer, and at least and at most after it (nmap: the same)."""
_BUSY_NS = 5_000_000
"""Time until it is tried again when a queue is full, or the client behind."""
_PROGRESS_NS = NS_PER_S // 4
_FOLLOWED = 64
"""SYNs of either kind, first and repeated, whose steps are kept: others have packets, too."""


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """The task of a scan; times in ns.

    Attributes:
        retries: how often a SYN that is not answered is sent again, at most.
        gap_ns: between two SYNs. timeout_ns: for an answer, None for what round trips suggest.
    """

    to: Target
    ports: tuple[int, ...]
    retries: int
    gap_ns: int
    timeout_ns: int | None
    deadline_ns: int | None


@dataclass(slots=True)
class _Port:
    """A port that was asked: by the SYNs of how many ``tries``, the first at ``began_ns``."""

    number: int
    tries: int = 0
    began_ns: int = 0
    sent_ns: int = 0
    trace: Trace = field(default_factory=Trace)


class _Blamed(NamedTuple):
    """A port that stands for the others of its state when none is open."""

    port: _Port
    ttl: int = 0


def parse_ports(text: str) -> tuple[int, ...]:
    """Return the ports that a list names, in its order and each once: ``22,80,8000-8100``.

    A range without an end goes to 65535.

    Raises:
        InvalidArgument: something in it is neither a port nor a range of ports.
    """
    found: dict[int, None] = {}
    for word in text.split(","):
        first, dash, last = word.partition("-")
        ends = [first, (last or "65535") if dash else first]
        if not all(end.isascii() and end.isdigit() and len(end) <= 5 for end in ends):
            raise InvalidArgument(f'"{word}" is no port and no range, such as 80 or 8000-8100')
        low, high = map(int, ends)
        if not 1 <= low <= high <= 65535:
            raise InvalidArgument(f'"{word}": ports are numbers of 1..65535, the lower one first')
        found |= dict.fromkeys(range(low, high + 1))
    return tuple(found)


def run(ctx: Context, args: Args) -> Job:
    """Ask ports of a host."""
    to = target(args, ctx.stack.shared.uid)
    ports = parse_ports(args.required("ports"))
    retries = args.integer("retries", 0, 10)
    plan = ScanPlan(
        to, ports, 2 if retries is None else retries, args.seconds("interval") or 0,
        args.seconds("timeout") or None, args.seconds("deadline") or None,
    )  # fmt: skip
    way = probe_way(ctx.stack.tcp, to.dst, ports[0], to.how, ctx.now, Trace())
    return ScanJob(ctx.stack, plan, way)


class ScanJob(Job):
    """Sends SYNs to ports, and tells of each port what it is once that is known."""

    def __init__(self, stack: Stack, plan: ScanPlan, way: Way) -> None:
        super().__init__()
        self._stack, self._plan, self._way = stack, plan, way
        self._client = open_client(stack.tcp, plan.to.dst, "tcp scan")
        self._client.handler = self._on_ready
        self._waiting = deque(_Port(number) for number in plan.ports)
        self._again: dict[int, _Port] = {}
        self._asked: dict[int, _Port] = {}
        self._silent: dict[int, _Port] = {}
        self._timeouts: list[tuple[int, int, int]] = []
        self._rtt = RttEstimator(*_TIMEOUTS)
        self._window, self._threshold = float(_FIRST), float(_MOST)
        self._lossy = 0  # how many tries an answer has needed beyond the first
        self._cut_ns = 0
        self._counts: Counter[str] = Counter()
        self._blamed: dict[str, _Blamed] = {}
        self._failed: Trace | None = None
        self._sent = self._kept = self._kept_again = 0
        self._start_ns = self._next_ns = self._told_ns = 0
        self._noticed = False

    def start(self, now: int) -> None:
        """Announce it and send the first SYNs."""
        self._start_ns = self._next_ns = self._told_ns = now
        plan, way = self._plan, self._way
        self.emit(
            "start", dst=format_address(plan.to.dst), ports=len(plan.ports),
            src=None if way.src is None else format_address(way.src), dev=way.interface.name,
        )  # fmt: skip
        self._advance(now)

    def on_timer(self, now: int) -> None:
        """Send what is due, and again what was not answered."""
        deadline = self._plan.deadline_ns
        if deadline is not None and now >= self._start_ns + deadline:
            self.finish(now)
            return
        self._expire(now)
        self._advance(now)

    # --- out --------------------------------------------------------------------------------------

    def _advance(self, now: int) -> None:
        """Send as many SYNs as may be under way, and say when to look again."""
        self._progress(now)
        due = None
        for _ in range(_TURN):
            if self.ended or not self._may_send(now):
                break
            if not self._send(self._next(), now):
                due = now + _BUSY_NS
                break
        else:
            due = now + 1
        if self.ended:
            return
        if not (self._waiting or self._again or self._asked):
            self._settle_silent(now)
            return
        self.deadline = self._due(now, due)

    def _may_send(self, now: int) -> bool:
        room = len(self._asked) < int(self._window)
        some = bool(self._waiting or self._again)
        return some and room and now >= self._next_ns and self.exchange.has_room

    def _next(self) -> _Port:
        """Return the port that is asked next: one that was silent before those not asked yet."""
        if self._again:
            return self._again.pop(next(iter(self._again)))
        return self._waiting.popleft()

    def _due(self, now: int, due: int | None) -> int:
        """Return when something is due: the next SYN, a timeout, or the end."""
        dues = [now + _PROGRESS_NS] if due is None else [due]
        if now < self._next_ns and (self._waiting or self._again):
            dues.append(self._next_ns)
        if not self.exchange.has_room:
            dues.append(now + _BUSY_NS)
        if self._timeouts:
            dues.append(self._timeouts[0][0])
        if not self._noticed and self._asked:
            dues.append(max(self._start_ns + WAIT_NOTICE_NS, now + 1))
        if self._plan.deadline_ns is not None:
            dues.append(self._start_ns + self._plan.deadline_ns)
        return min(dues)

    def _send(self, port: _Port, now: int) -> bool:
        """Send a SYN to a port; False when a queue is full, so that it has to wait."""
        port.trace = self._trace(now, again=port.tries > 0)
        try:
            what = (port.number, port.number)
            send_probe(self._stack.tcp, self._client, what, self._plan.to.how, now, port.trace)
        except NoBuffers:
            self._shrink(now)
            self._waiting.appendleft(port)
            return False
        except SendRejected:
            if not self._sent:
                raise
            self._failed = port.trace  # what was possible a moment ago no longer is
            self.finish(now)
            return True
        self._sent += 1
        self._next_ns = now + self._plan.gap_ns
        port.tries += 1
        port.sent_ns = now
        port.began_ns = port.began_ns or now
        self._asked[port.number] = port
        wait = self._plan.timeout_ns or self._rtt.backed_off(port.tries - 1)
        heappush(self._timeouts, (now + wait, port.number, port.tries))
        return True

    def _trace(self, now: int, *, again: bool) -> Trace:
        """Return a trace for a SYN: of the first ones, one that ``why`` tells of."""
        if (self._kept_again if again else self._kept) >= _FOLLOWED:
            return self._stack.shared.recorder.begin(Direction.OUT, now)
        self._kept += not again
        self._kept_again += again
        return Trace()

    def _shrink(self, now: int) -> None:
        """Send less at a time: something was lost (RFC 5681 3.1), counted once a round trip."""
        if now >= self._cut_ns:
            self._window = self._threshold = max(self._window / 2, _LEAST)
            self._cut_ns = now + max(self._rtt.srtt_ns, 1_000_000)

    def _expire(self, now: int) -> None:
        """Take those for silent that were not answered in time, or have them asked again."""
        while self._timeouts and self._timeouts[0][0] <= now:
            _, number, tries = heappop(self._timeouts)
            port = self._asked.get(number)
            if port is None or port.tries != tries:
                continue
            if port.trace.followed and port.trace.fate is Fate.WAITING:
                # It waits for its neighbor, and nobody could answer it yet.
                heappush(self._timeouts, (now + _TIMEOUTS[1], number, tries))
                continue
            del self._asked[number]
            if tries <= self._retries:
                self._again[number] = port
            else:
                self._silent[number] = port
            if not self._rtt.srtt_ns:
                # Silence says nothing of the path: a filter drops SYNs as fast as they come.
                self._window = min(self._window + 1, _SILENT)

    @property
    def _retries(self) -> int:
        """The number of repeats of a SYN: one, and more only where answers needed more (nmap)."""
        return min(self._plan.retries, max(1, self._lossy + 1))

    def _settle_silent(self, now: int) -> None:
        """Ask those again that had less tries than are known to be needed; end with the others."""
        again = [port for port in self._silent.values() if port.tries <= self._retries]
        if again:
            for port in again:
                self._again[port.number] = self._silent.pop(port.number)
            self.deadline = now + 1
            return
        for port in self._silent.values():
            forget_probe(self._stack.tcp, self._client, port.number)
            self._remember("filtered", port)
            self._tell(port, "filtered")
        self._silent.clear()
        self.finish(now)

    # --- in ---------------------------------------------------------------------------------------

    def _on_ready(self, now: int) -> None:
        client = self._client
        while client.answers:
            self._answered(client.answers.popleft(), now)
        while client.errors and not self.ended:
            self._take_error(client.errors.popleft(), now)
        if not self.ended:
            self._advance(now)

    def _take(self, number: int) -> _Port | None:
        """Return a port whose answer has come, which is asked no more; None if it was before."""
        forget_probe(self._stack.tcp, self._client, number)
        for where in (self._asked, self._silent, self._again):
            port = where.pop(number, None)
            if port is not None:
                return port
        return None

    def _answered(self, answer: SynAnswer, now: int) -> None:
        port = self._take(answer.number)
        if port is None:
            return
        rtt = answer.at_ns - port.sent_ns
        if port.tries == 1:
            self._rtt.sample(rtt, now)
            grown = 1.0 if self._window < self._threshold else 1 / self._window
            self._window = min(self._window + grown, _MOST)
        else:
            self._lossy = max(self._lossy, port.tries - 1)
            self._shrink(now)
        state = "open" if answer.open else "closed"
        self._remember(state, port, answer.ttl)
        flags = "SYN-ACK" if answer.open else "RST"
        self._tell(port, state, flags=flags, ttl=answer.ttl, rtt_ns=rtt)

    def _take_error(self, told: ProbeError, now: int) -> None:
        port, error = self._take(told.number), told.error
        if port is None:
            return
        if port.trace.fate in (None, Fate.SENT) and port.trace.complaint is None:
            port.trace.complain(error.reason, error.detail, error.at_ns)
        self._unreachable(port, error)
        if error.reason is reason.NEIGH_FAILED:  # of all others, nothing else would be heard
            self._failed = port.trace
            self.finish(now)

    def _unreachable(self, port: _Port, error: DeliveryError) -> None:
        self._remember("unreachable", port)
        offender = error.offender
        self._tell(
            port, "unreachable", reason=error.reason.name, message=error_text(error),
            icmp_type=error.detail.get("type"), icmp_code=error.detail.get("icmp_code"),
            dev=self._plan.to.how.dev if is_scoped(offender) else None,
            **{"from": format_address(offender)},
        )  # fmt: skip

    def _remember(self, state: str, port: _Port, ttl: int = 0) -> None:
        """Keep one port of each state to explain it, rather one whose SYN ``why`` tells of."""
        known = self._blamed.get(state)
        if known is None or (port.trace.id and not known.port.trace.id):
            self._blamed[state] = _Blamed(port, ttl)

    def _tell(self, port: _Port, state: str, **more: Any) -> None:
        self._counts[state] += 1
        known = port.trace.id if state in ("filtered", "unreachable") else 0
        self.emit("port", port=port.number, state=state, tries=port.tries, id=known or None, **more)

    # --- how far it is, and the end ---------------------------------------------------------------

    def _progress(self, now: int) -> None:
        """Tell how far it is, a few times a second; and what it waits for, if it does."""
        if now - self._told_ns >= _PROGRESS_NS:
            self._told_ns = now
            self.status(now)
        if self._noticed or now < self._start_ns + WAIT_NOTICE_NS:
            return
        self._noticed = True
        for port in self._asked.values():
            why = port.trace.reason
            if not port.trace.settled and why is not None:
                self.emit("waiting", reason=why.name, text=why.explain(port.trace.detail))
                return

    def status(self, now: int) -> None:
        """Report how far it is."""
        seconds = (now - self._start_ns) / 1e9
        self.emit(
            "progress", known=self._counts.total() + len(self._silent),
            ports=len(self._plan.ports), sent=self._sent, open=self._counts["open"],
            seconds=round(seconds, 3), window=int(self._window),
        )  # fmt: skip

    def result(self, now: int) -> dict[str, Any]:
        """Return how many ports are what, and if none is open, why."""
        counts = {state: self._counts[state] for state in STATES}
        result: dict[str, Any] = {
            "dst": format_address(self._plan.to.dst), "ports": len(self._plan.ports), **counts,
            "unknown": len(self._plan.ports) - self._counts.total(), "sent": self._sent,
            "seconds": round((now - self._start_ns) / 1e9, 3), "ok": counts["open"] > 0,
        }  # fmt: skip
        if self._rtt.srtt_ns:
            result["srtt_ns"] = self._rtt.srtt_ns
        if self._failed is not None:
            result.update(blame_fields(self._failed))
        elif not result["ok"]:
            result.update(self._blame(now))
        return result

    def _blame(self, now: int) -> dict[str, Any]:
        """Return why no port is open: what most of them are."""
        state = next((name for name, _ in self._counts.most_common()), "filtered")
        for port in (*self._silent.values(), *self._asked.values(), *self._again.values()):
            if not self._counts:  # it ended before it took any of them for filtered
                self._remember("filtered", port)
        if state not in self._blamed:
            return {}
        (port, ttl), dst = self._blamed[state], self._plan.to.dst
        trace, recorder = port.trace, self._stack.shared.recorder
        if state == "filtered" and trace.fate is Fate.SENT and trace.complaint is None:
            blame_silence(
                self._stack, trace, Asked(dst, port.number, port.tries, port.began_ns), now
            )
        elif state == "closed":
            values = {"peer": (dst, port.number), "port": 0, "ttl": ttl}
            why = reason.TCP_REFUSED
            trace.complain(why, recorder.record(why, trace.dev or "", now, None, **values), now)
        return blame_fields(trace)

    def release(self, now: int) -> None:
        """Stop waiting for answers."""
        close_client(self._stack.tcp, self._client)
