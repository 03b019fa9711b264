"""``smolctl tcp ping``: SYNs, whether SYN-ACK or RST answers them, and how soon."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from smolctl.errors import InvalidArgument, NoBuffers, SendRejected
from smolctl.ops.args import Args
from smolctl.ops.context import Context
from smolctl.ops.echo import error_text
from smolctl.ops.job import Job
from smolctl.ops.pinging import FOLLOWED, Pinger
from smolctl.stack import reason
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.ip.way import Way
from smolctl.stack.stack import Stack
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.stack.transport.errors import unanswered
from smolctl.stack.transport.tcp.probe import ProbeError, SynAnswer
from smolctl.stack.transport.tcp.probing import (
    close_client,
    forget_probe,
    open_client,
    probe_way,
    send_probe,
)
from smolctl.wire.address import family_of, format_address, is_multicast, is_scoped, is_unspecified


class Target(NamedTuple):
    """The host that is asked, and how packets to it are sent."""

    dst: int
    how: SendOptions


def target(args: Args, uid: int) -> Target:
    """Return the host that a probe's arguments name.

    Args:
        uid: of the user who asks.

    Raises:
        InvalidArgument: no connection can be made to it, or the source is of another family.
    """
    args.required("dst")
    dst, src, dev = args.zoned("dst"), args.zoned("src"), args.device("dst", "src")
    assert dst is not None
    if is_multicast(dst) or is_unspecified(dst):
        raise InvalidArgument("no peer can have that address")
    if src is not None and family_of(src) is not family_of(dst):
        shown = f"{format_address(src)} and {format_address(dst)}"
        raise InvalidArgument(f"{shown} are of two families")
    how = SendOptions(
        src, dev, args.integer("ttl", 1, 255), args.tos("tos") or 0, mark=args.mark() or 0, uid=uid
    )
    return Target(dst, how)


@dataclass(frozen=True, slots=True)
class TcpPingPlan:
    """The task of a ``tcp ping``; times in ns. See ``pinging.Pace``."""

    dst: int
    port: int
    how: SendOptions
    count: int | None
    interval_ns: int
    timeout_ns: int | None
    deadline_ns: int | None
    preload: int = 1


def run(ctx: Context, args: Args) -> Job:
    """Send SYNs until told to stop."""
    to = target(args, ctx.stack.shared.uid)
    port = args.port("port")
    if port is None:
        raise InvalidArgument("the port is missing", hint="smolctl tcp ping ADDRESS:PORT")
    plan = TcpPingPlan(
        to.dst,
        port,
        to.how,
        args.integer("count", 1, 1_000_000_000),
        args.seconds("interval", 1.0) or 0,
        args.seconds("timeout"),
        args.seconds("deadline") or None,  # iputils: 0 is none
    )
    way = probe_way(ctx.stack.tcp, plan.dst, port, plan.how, ctx.now, Trace())
    return TcpPingJob(ctx.stack, plan, way)


class TcpPingJob(Pinger):
    """Sends a SYN every interval, each from a port of its own, and tells what answers."""

    def __init__(self, stack: Stack, plan: TcpPingPlan, way: Way) -> None:
        super().__init__(plan)
        self._stack, self._plan, self._way = stack, plan, way
        self._client = open_client(stack.tcp, plan.dst, "tcp ping")
        self._client.handler = self._on_ready
        self._sent_ns: dict[int, int] = {}
        self._answered: set[int] = set()
        self._open = self._closed = 0

    def start(self, now: int) -> None:
        """Announce it and send the first SYN."""
        plan, way = self._plan, self._way
        self.emit(
            "start", dst=format_address(plan.dst), port=plan.port,
            src=None if way.src is None else format_address(way.src), dev=way.interface.name,
        )  # fmt: skip
        self.begin(now)

    def _request(self, now: int) -> None:
        plan, sequence = self._plan, self._next(now)
        trace = self._follow(sequence)
        self._sent_ns[sequence] = now
        self._forget(sequence - FOLLOWED)
        try:
            what = (sequence, plan.port)
            send_probe(self._stack.tcp, self._client, what, plan.how, now, trace)
        except (SendRejected, NoBuffers) as error:
            if sequence == 1:
                raise
            self._failed = trace
            self._error(sequence, error.code, error.message, None)

    def _forget(self, sequence: int) -> None:
        """Forget an old SYN, so that one who pings for ever holds no port for longer."""
        forget_probe(self._stack.tcp, self._client, sequence)
        self._sent_ns.pop(sequence, None)
        self._answered.discard(sequence)

    def _on_ready(self, now: int) -> None:
        client = self._client
        while client.answers:
            self._reply(client.answers.popleft())
        while client.errors:
            self._take_error(client.errors.popleft())
        self._check_end(now)

    def _reply(self, answer: SynAnswer) -> None:
        sequence = answer.number
        sent, again = self._sent_ns.get(sequence), sequence in self._answered
        if sent is None:
            return
        rtt = answer.at_ns - sent
        if again:
            self._duplicates += 1
        else:
            self._answered.add(sequence)
            self._rtts.add(rtt)
            self._smooth(rtt)
            self._open += answer.open
            self._closed += not answer.open
        plan = self._plan
        self.emit(
            "reply", seq=sequence, flags="SYN-ACK" if answer.open else "RST",
            state="open" if answer.open else "closed", ttl=answer.ttl, rtt_ns=rtt,
            dup=True if again else None, port=plan.port,
            dev=plan.how.dev if is_scoped(plan.dst) else None,
            **{"from": format_address(plan.dst)},
        )  # fmt: skip

    def _take_error(self, told: ProbeError) -> None:
        error = told.error
        self._blame(told.number, error)
        self._error(told.number, error.reason.name, error_text(error), error.offender)

    def _error(self, sequence: int, name: str, message: str, offender: int | None) -> None:
        self._errors += 1
        self.emit(
            "error", seq=sequence, message=message, reason=name,
            dev=self._plan.how.dev if offender is not None and is_scoped(offender) else None,
            **{"from": None if offender is None else format_address(offender)},
        )  # fmt: skip

    def result(self, now: int) -> dict[str, Any]:
        """Return the summary, with how often the port was open, and closed."""
        return {**super().result(now), "open": self._open, "closed": self._closed}

    def _blamed(self, now: int) -> Trace | None:
        """Return a SYN that tells why none was answered."""
        trace = self._failed or self._trace
        if trace is None or self._rtts.count:
            return None
        if trace.fate is Fate.SENT and trace.complaint is None:
            asked = Asked(self._plan.dst, self._plan.port, self._sequence, self._start_ns)
            blame_silence(self._stack, trace, asked, now)
        return trace

    def release(self, now: int) -> None:
        """Stop waiting for answers."""
        close_client(self._stack.tcp, self._client)


class Asked(NamedTuple):
    """A port that was asked in vain: by so many SYNs, since a time."""

    dst: int
    port: int
    number: int
    since_ns: int


def blame_silence(stack: Stack, trace: Trace, asked: Asked, now: int) -> None:
    """Note on the last SYN that nobody answered, or that the answer was dropped."""
    awaited = Awaited("tcp", asked.dst, asked.since_ns, now, asked.port)
    unanswered(
        stack.shared.recorder, trace, reason.TCP_NO_ANSWER, awaited,
        requests=asked.number, ip=format_address(asked.dst), port=asked.port,
    )  # fmt: skip
