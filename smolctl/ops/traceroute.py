"""``smolctl traceroute``: probes with a rising time to live, and who answers them."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from smolctl.errors import InvalidArgument, NoBuffers, SendRejected
from smolctl.ops import traceroute_probe
from smolctl.ops.args import Args
from smolctl.ops.blame import blame_fields
from smolctl.ops.context import Context
from smolctl.ops.job import NS_PER_S, WAIT_NOTICE_NS, Job
from smolctl.ops.traceroute_probe import Answer, EchoProber, Marks, Prober, SynProber, UdpProber
from smolctl.stack import reason
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.stack import Stack
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.stack.transport.errors import unanswered
from smolctl.wire import icmp_extensions, ipv4_options
from smolctl.wire.address import (
    IPV4,
    IPV6,
    family_of,
    format_address,
    is_scoped,
    parse_address,
)
from smolctl.wire.icmp_extensions import Extension

PORT, FIXED_PORT = 33434, 53
"""First port of UDP probes, and that of ``-U`` (traceroute's own)."""
_PRECISION_NS = 1_000_000
"""Allowance on top of a known round trip time (traceroute DEF_WAIT_PREC)."""
TCP_PORT = 80
"""Port of ``-T`` (traceroute's own)."""
_HEADERS = {IPV4: 28, IPV6: 48}
_SIZE = {IPV4: 60, IPV6: 80}
"""Bytes of a packet: of the headers of IP and the probe, and as usual (traceroute)."""


class TracePlan(NamedTuple):
    """The task of a traceroute; times in ns.

    Attributes:
        first, last: the time to live of the first and last hop asked.
        queries: probes for each hop; at_once: how many may be on their way.
        wait_ns: for an answer at most; here, near: so many times that of the same and a later hop.
        gap_ns: between two probes.
        size: bytes of payload.
        pmtudisc: whether probes may be cut, which ``-F`` forbids to all.
    """

    method: str
    dst: int
    src: int | None
    dev: str | None
    port: int
    first: int
    last: int
    queries: int
    at_once: int
    wait_ns: int
    here: float
    near: float
    gap_ns: int
    size: int
    tos: int
    options: bytes
    pmtudisc: Pmtudisc
    mark: int


@dataclass(slots=True, eq=False)
class _Probe:
    """One probe: number ``index``, for hop ``ttl``."""

    index: int
    ttl: int
    trace: Trace = field(default_factory=Trace)
    sent_ns: int | None = None
    answer: Answer | None = None
    done: bool = False

    @property
    def final(self) -> bool:
        """Whether the way ends here, well or not."""
        return self.answer is not None and self.answer.final

    @property
    def rtt_ns(self) -> int | None:
        """The time that the answer took."""
        if self.answer is None or self.sent_ns is None:
            return None
        return self.answer.at_ns - self.sent_ns


def run(ctx: Context, args: Args) -> Job:
    """Ask each hop on the way to a host."""
    return TracerouteJob(ctx.stack, _plan(args))


def _plan(args: Args) -> TracePlan:
    args.required("dst")
    method = args.choice("method", ("udp", "icmp", "fixed", "tcp")) or "udp"
    first = args.integer("first", 1, 255) or 1
    last = args.integer("max_hops", 1, 255) or 30
    if first > last:
        raise InvalidArgument(f"the first hop {first} is beyond the last one, {last}")
    wait_ns, here, near = _waits(args.text("wait"))
    dst, src, dev = args.zoned("dst"), args.zoned("src"), args.device("dst", "src")
    assert dst is not None
    family = family_of(dst)
    if src is not None and family_of(src) is not family:
        shown = f"{format_address(src)} and {format_address(dst)}"
        raise InvalidArgument(f"{shown} are of two families")
    headers = _HEADERS[family]
    gates = args.text("gateways")
    for name, what in (("size", "length"), ("gateways", "source route")):
        if method == "tcp" and name in args:
            raise InvalidArgument(f"SYNs have no {what} to choose; other probes have")
    if gates is not None and family is IPV6:
        raise InvalidArgument("gateways on the way are an option of IPv4")
    hops = [] if gates is None else [_address(gate) for gate in gates.split(",")]
    options = ipv4_options.route(hops) if hops else b""
    try:
        options_len = len(ipv4_options.outgoing(options, 0).raw)
    except ValueError as error:
        raise InvalidArgument(f"gateways: {error}") from None
    size = args.integer("size", headers + options_len, 65535)
    default = {"udp": PORT, "fixed": FIXED_PORT, "icmp": 1, "tcp": TCP_PORT}[method]
    port = args.integer("port", 0 if method == "icmp" else 1, 65535)
    return TracePlan(
        method, dst, src, dev,
        default if port is None else port, first, last,
        args.integer("queries", 1, 10) or 3, args.integer("at_once", 1, 64) or 16,
        wait_ns, here, near, args.seconds("gap") or 0,
        (size or _SIZE[family] + options_len) - headers - options_len, args.tos("tos") or 0,
        options,
        Pmtudisc.PROBE if args.flag("dont_fragment") else Pmtudisc.DONT,
        args.mark() or 0,
    )  # fmt: skip


def _waits(text: str | None) -> tuple[int, float, float]:
    """Return MAX in ns, HERE and NEAR of traceroute's ``-w MAX[,HERE[,NEAR]]``."""
    values = [5.0, 3.0, 10.0]
    try:
        given = [float(word) for word in text.split(",")] if text is not None else []
        if len(given) > len(values) or not all(0 <= value <= 1e6 for value in given):
            raise ValueError
    except ValueError:
        raise InvalidArgument(
            f'wait "{text}" is not MAX[,HERE[,NEAR]]: seconds, and how many times an answer of the'
            " same and of a later hop took"
        ) from None
    if len(given) == 1:
        given += [0.0, 0.0]  # as traceroute has it: a MAX alone is what is waited
    values[: len(given)] = given
    return int(values[0] * NS_PER_S), values[1], values[2]


def _address(text: str) -> int:
    try:
        return parse_address(text, IPV4)
    except ValueError as error:
        raise InvalidArgument(f"gateways: {error}") from None


def _options_len(plan: TracePlan) -> int:
    """Return how many bytes of each packet are IP options."""
    return len(ipv4_options.outgoing(plan.options, 0).raw) if plan.options else 0


class TracerouteJob(Job):
    """Sends probes, some at once, and reports their answers in order (traceroute do_it)."""

    def __init__(self, stack: Stack, plan: TracePlan) -> None:
        super().__init__()
        self._stack, self._plan = stack, plan
        number = plan.last * plan.queries
        self._probes = [_Probe(index, index // plan.queries + 1) for index in range(number)]
        self._next, self._end = (plan.first - 1) * plan.queries, number
        self._last_sent_ns: int | None = None
        self._noticed = False
        self._prober: Prober = self._make()

    def _make(self) -> Prober:
        plan, stack = self._plan, self._stack
        marks = Marks(plan.tos, plan.options, plan.pmtudisc, plan.mark)
        to = (plan.dst, plan.src, plan.dev)
        if plan.method == "icmp":
            return EchoProber(stack, *to, marks, plan.port, self._answered)
        if plan.method == "tcp":
            return SynProber(stack, *to, marks, plan.port, self._answered)
        rising = plan.method == "udp"
        return UdpProber(stack, *to, marks, plan.port, self._answered, rising=rising)

    def start(self, now: int) -> None:
        """Announce it and send the first probes."""
        plan = self._plan
        self.emit(
            "start", dst=format_address(plan.dst), max_hops=plan.last,
            dev=plan.dev if is_scoped(plan.dst) else None,
            bytes=plan.size + _HEADERS[family_of(plan.dst)] + _options_len(plan),
        )  # fmt: skip
        self._advance(now)

    def on_timer(self, now: int) -> None:
        """Give up what was waited for long enough, and send what is due."""
        self._notice(now)
        self._advance(now)

    def _answered(self, index: int, answer: Answer, now: int) -> None:
        probe = self._probes[index]
        if probe.done or self.ended:
            return
        probe.answer, probe.done = answer, True
        if answer.error is not None and probe.trace.fate is Fate.SENT:
            probe.trace.complain(answer.error.reason, answer.error.detail, answer.at_ns)
        self._prober.forget(index)
        self._advance(now)

    # --- one turn ---------------------------------------------------------------------------------

    def _advance(self, now: int) -> None:
        """Go through all probes that may be on their way."""
        plan, due, outstanding = self._plan, None, 0
        sent = False
        number = self._next
        while number < self._end and not self.ended:
            probe = self._probes[number]
            give_up_ns = self._give_up_ns(probe)
            if not probe.done and give_up_ns is not None and now >= give_up_ns:
                probe.done = True
                self._prober.forget(number)
            if probe.done:
                if number == self._next:
                    self._tell(probe)
                    self._next += 1
                if probe.final:
                    self._end = min(self._end, (number // plan.queries + 1) * plan.queries)
                number += 1
                continue
            if probe.sent_ns is None:
                if self._last_sent_ns is not None and now < self._last_sent_ns + plan.gap_ns:
                    due = _sooner(due, self._last_sent_ns + plan.gap_ns)
                    break
                if sent:  # each in a turn of its own: its time is that of its sending
                    due = now + 1
                    break
                sent = True
                self._send(probe, now)
                give_up_ns = now + plan.wait_ns
            due = _sooner(due, give_up_ns)
            outstanding += 1
            if outstanding >= plan.at_once:
                break
            number += 1
        if self._next >= self._end:
            self.finish(now)
        elif not self.ended:
            self.deadline = self._with_notice(due)

    def _send(self, probe: _Probe, now: int) -> None:
        probe.sent_ns = self._last_sent_ns = now
        try:
            self._prober.send(probe.index, probe.ttl, bytes(self._plan.size), now, probe.trace)
        except (SendRejected, NoBuffers):
            if probe.index == (self._plan.first - 1) * self._plan.queries:
                raise
            # What was possible a moment ago no longer is: this one will not be answered.

    def _give_up_ns(self, probe: _Probe) -> int | None:
        """Return when a probe is no longer waited for (traceroute get_timeout)."""
        if probe.sent_ns is None:
            return None
        plan, first = self._plan, probe.index - probe.index % self._plan.queries
        if plan.here:
            for other in self._probes[first : first + plan.queries]:
                if (rtt := other.rtt_ns) is not None:
                    return probe.sent_ns + self._at_most((rtt + _PRECISION_NS) * plan.here)
        if plan.near:
            for other in self._probes[probe.index + 1 : self._end]:
                if other.sent_ns is None:
                    break
                if (rtt := other.rtt_ns) is not None:
                    return probe.sent_ns + self._at_most((rtt + _PRECISION_NS) * plan.near)
        return probe.sent_ns + plan.wait_ns

    def _at_most(self, wait_ns: float) -> int:
        return min(int(wait_ns), self._plan.wait_ns)

    def _tell(self, probe: _Probe) -> None:
        """Report a probe; those before it have been."""
        answer = probe.answer
        error = None if answer is None else answer.error
        self.emit(
            "probe", hop=probe.ttl, probe=probe.index % self._plan.queries + 1,
            rtt_ns=probe.rtt_ns,
            dev=self._plan.dev if answer is not None and is_scoped(answer.src) else None,
            reason=None if error is None else error.reason.name,
            mark=None if answer is None else traceroute_probe.mark(answer) or None,
            id=probe.trace.id or None,
            extensions=None if error is None else _extensions(error.extensions) or None,
            state=None if answer is None else answer.state or None,
            **{"from": None if answer is None else format_address(answer.src)},
        )  # fmt: skip

    # --- waiting ----------------------------------------------------------------------------------

    def _waiting(self) -> _Probe | None:
        """Return the probe that is told next, while it has not left yet."""
        probe = self._probes[self._next]
        stuck = probe.sent_ns is not None and not probe.done and not probe.trace.settled
        return probe if stuck and not self._noticed else None

    def _with_notice(self, due: int | None) -> int | None:
        probe = self._waiting()
        if probe is None or probe.sent_ns is None:
            return due
        return _sooner(due, probe.sent_ns + WAIT_NOTICE_NS)

    def _notice(self, now: int) -> None:
        probe = self._waiting() if self._next < self._end else None
        if probe is None or probe.sent_ns is None or now < probe.sent_ns + WAIT_NOTICE_NS:
            return
        why = probe.trace.reason
        if why is not None:
            self._noticed = True
            self.emit("waiting", reason=why.name, text=why.explain(probe.trace.detail))

    # --- the end ----------------------------------------------------------------------------------

    def result(self, now: int) -> dict[str, Any]:
        """Return whether the host was reached, by how many hops, and why if it was not."""
        told = [probe for probe in self._probes[: self._end] if probe.done]
        reached = next((probe for probe in told if probe.answer and probe.answer.reached), None)
        result: dict[str, Any] = {
            "dst": format_address(self._plan.dst),
            "ok": reached is not None,
            "sent": sum(probe.sent_ns is not None for probe in self._probes),
            "answered": sum(probe.answer is not None for probe in told),
        }
        if reached is not None:
            result["hops"] = reached.ttl
            if reached.answer is not None and reached.answer.state:
                result["state"] = reached.answer.state
            return result
        return {**result, **self._blame(told, now)}

    def _blame(self, told: list[_Probe], now: int) -> dict[str, Any]:
        """Return why the host was not reached: the last error, or that nobody answers any more."""
        failed = next((probe for probe in told if probe.final), None)
        if failed is not None:
            return blame_fields(failed.trace)
        sent = [probe for probe in self._probes if probe.sent_ns is not None]
        if not sent:
            return {}
        last = sent[-1]
        for probe in sent:
            if probe.trace.fate in (Fate.DROPPED, Fate.REJECTED):
                return blame_fields(probe.trace)
        heard = [probe for probe in told if probe.answer is not None]
        if last.trace.fate is Fate.SENT and last.trace.complaint is None:
            where = heard[-1].answer if heard else None
            begun = min(probe.sent_ns or now for probe in sent)
            method = self._plan.method
            proto = method if method in ("icmp", "tcp") else "udp"
            port = self._plan.port if method == "tcp" else 0
            asked = Awaited(proto, self._plan.dst, begun, now, port)
            unanswered(
                self._stack.shared.recorder, last.trace, reason.ICMP_HOPS_SILENT, asked,
                ip=format_address(self._plan.dst), hops=last.ttl,
                hop=heard[-1].ttl if heard else None,
                last=None if where is None else format_address(where.src),
            )  # fmt: skip
        return blame_fields(last.trace)

    def release(self, now: int) -> None:
        """Close what the probes were sent by."""
        self._prober.close()


def _extensions(found: tuple[Extension, ...]) -> list[dict[str, Any]]:
    """Return the rows of what a router added to its answer (RFC 4884)."""
    rows = []
    for each in found:
        row: dict[str, Any] = {"class": each.class_num, "type": each.c_type}
        stack = icmp_extensions.labels(each)
        if stack:
            row["mpls"] = [label._asdict() for label in stack]
        else:
            row["data"] = each.data.hex()
        rows.append({**row, "text": icmp_extensions.text((each,))})
    return rows


def _sooner(due: int | None, at_ns: int | None) -> int | None:
    if due is None or at_ns is None:
        return at_ns if due is None else due
    return min(due, at_ns)
