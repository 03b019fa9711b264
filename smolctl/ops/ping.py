"""``smolctl ping``: ICMP echo requests, their replies, and what went wrong with the rest."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from smolctl.errors import InvalidArgument, NoBuffers, SendRejected
from smolctl.ops.args import Args
from smolctl.ops.context import Context
from smolctl.ops.echo import Echo, echo_type, error_text, send_echo
from smolctl.ops.job import Job
from smolctl.ops.pinging import Pinger
from smolctl.stack import reason
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.output import refuse
from smolctl.stack.ip.protocol import NO_OPTIONS, Pmtudisc, SendOptions
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Refusal, Way, WayType
from smolctl.stack.ipv4.arp import flapping
from smolctl.stack.packet import DeliveryError
from smolctl.stack.reason import Detail, shown
from smolctl.stack.stack import Stack
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.trace import Fate, Flow, Trace
from smolctl.stack.transport.errors import unanswered
from smolctl.wire import icmpv4, ipv4_options
from smolctl.wire.address import (
    IPV4,
    IPV6,
    ZERO_MAC,
    Family,
    family_of,
    format_address,
    is_scoped,
)
from smolctl.wire.ipv4 import Protocol
from smolctl.wire.ipv6 import NextHeader

REMEMBERED = 4096
"""Requests whose replies are still told from duplicates."""

_RECORD = ipv4_options.outgoing(ipv4_options.record(), 0)
_HOSTS_MAX = 4
"""An address and a time each are 8 bytes; a header has room for 36."""

_REDIRECTS = (
    "Redirect Network",
    "Redirect Host",
    "Redirect Type of Service and Network",
    "Redirect Type of Service and Host",
)


@dataclass(frozen=True, slots=True)
class PingPlan:
    """The task of a ping; times in ns.

    Attributes:
        preload: requests that do not wait for an answer, at the beginning.
        pattern: what the data consists of, again and again.
        outstanding: tell of each request that has no answer when the next one is sent.
        tell_sent: tell of each request that was sent.
        broadcast: everybody on a link may be asked.
        mark: of the requests, which rules may select.
        adaptive_ns: shortest interval when that follows the round-trip time; None when it does not.
    """

    dst: int
    src: int | None
    dev: str | None
    count: int | None
    interval_ns: int
    size: int
    ttl: int | None
    pmtudisc: Pmtudisc
    timeout_ns: int | None
    deadline_ns: int | None
    tos: int = 0
    options: ipv4_options.Outgoing = NO_OPTIONS
    preload: int = 1
    pattern: bytes = bytes(range(256))
    outstanding: bool = False
    adaptive_ns: int | None = None
    tell_sent: bool = False
    broadcast: bool = False
    mark: int = 0


def run(ctx: Context, args: Args) -> Job:
    """Send echo requests until told to stop."""
    args.required("dst")
    dst, src, dev = args.zoned("dst"), args.zoned("src"), args.device("dst", "src")
    assert dst is not None
    family = family_of(dst)
    if src is not None and family_of(src) is not family:
        shown_both = f"{format_address(src)} and {format_address(dst)}"
        raise InvalidArgument(f"{shown_both} are of two families")
    plan = PingPlan(
        dst,
        src,
        dev,
        args.integer("count", 1, 1_000_000_000),
        args.seconds("interval", 1.0) or 0,
        56 if "size" not in args else args.integer("size", 0, _SIZE_MAX[family]) or 0,
        args.integer("ttl", 1, 255),
        args.pmtudisc(ctx.stack.networks[family].pmtudisc),
        args.seconds("timeout"),
        args.seconds("deadline") or None,  # iputils: 0 is none
        args.tos("tos") or 0,
        _options(args, family),
        args.integer("preload", 1, 65536) or 1,
        _pattern(args.text("pattern")),
        args.flag("outstanding"),
        args.seconds("adaptive"),
        args.flag("tell_sent"),
        args.flag("broadcast"),
        args.mark() or 0,
    )
    decision = _way(ctx.stack, plan, ctx.now)
    return PingJob(ctx.stack, plan, decision.src, decision.interface.name)


def _pattern(text: str | None) -> bytes:
    """Return the bytes that hex digits spell, two each (iputils fill)."""
    if text is None:
        return bytes(range(256))
    if not 1 <= len(text) <= 32 or not all(digit in "0123456789abcdefABCDEF" for digit in text):
        raise InvalidArgument(f'pattern "{text}" is not 1 to 32 hex digits')
    return bytes(int(text[at : at + 2], 16) for at in range(0, len(text), 2))


_STAMPS = {
    "tsonly": ipv4_options.Stamps.TIMES,
    "tsandaddr": ipv4_options.Stamps.TIMES_AND_ADDRESSES,
    "tsprespec": ipv4_options.Stamps.PRESPECIFIED,
}
"""Contents of a timestamp option, in the words of ping."""


_SIZE_MAX = {IPV4: 65507, IPV6: 65527}
"""Most data that an echo request has room for."""


def _options(args: Args, family: Family) -> ipv4_options.Outgoing:
    """Return the IP options of each request."""
    if family is IPV6:
        for name, letter in (("record", "-R"), ("stamp", "-T"), ("hosts", "-T")):
            if name in args:
                raise InvalidArgument(f"{letter} is an option of IPv4")
        return NO_OPTIONS
    stamp, hosts = args.choice("stamp", tuple(_STAMPS)), args.addresses("hosts")
    if args.flag("record") and stamp is not None:
        raise InvalidArgument("only one of -T and -R may be used")
    if hosts and stamp != "tsprespec":
        raise InvalidArgument("ping takes one host; only -T tsprespec takes others before it")
    if stamp == "tsprespec" and not 1 <= len(hosts) <= _HOSTS_MAX:
        raise InvalidArgument(
            f"-T tsprespec asks 1 to {_HOSTS_MAX} hosts for the time, not {len(hosts)}",
            hint="smolctl ping -T tsprespec HOST ... DST",
        )
    if stamp is not None:
        return ipv4_options.outgoing(ipv4_options.timestamp(_STAMPS[stamp], hosts), 0)
    return _RECORD if args.flag("record") else NO_OPTIONS


def _way(stack: Stack, plan: PingPlan, now: int) -> Way:
    """Return the way to the host, and refuse what can never work."""
    protocol = Protocol.ICMP if family_of(plan.dst) is IPV4 else NextHeader.ICMPV6
    key = RouteKey(
        plan.dst, plan.src, plan.dev, mark=plan.mark, protocol=protocol, tos=plan.tos,
        uid=stack.shared.uid,
    )  # fmt: skip
    way = route_output(stack.networks.for_address(plan.dst), key)
    recorder = stack.shared.recorder
    trace = Trace()
    name = "icmp" if family_of(plan.dst) is IPV4 else "icmp6"
    trace.flow = Flow(name, plan.src, echo_type(plan.dst), plan.dst, 0, plan.size)
    if isinstance(way, Refusal):
        recorder.follow(trace, now)
        recorder.note_candidates(key, None, trace, now)
        refuse(recorder, way, now, trace)
    if way.type is WayType.BROADCAST and not plan.broadcast:
        recorder.follow(trace, now)
        trace.step("route", "pick", now, way)
        values: dict[str, object] = {"ip": plan.dst, "broadcast": plan.dst}
        denied = Refusal(reason.TX_BROADCAST_DENIED, way.interface.name, values)
        refuse(recorder, denied, now, trace)
    return way


def _recorded(options: bytes) -> list[str] | None:
    found = ipv4_options.recorded(options)
    return None if found is None else [format_address(address) for address in found]


def _stamped(options: bytes) -> dict[str, Any]:
    """Return what a timestamp option of a reply says."""
    found = ipv4_options.stamps(options)
    if found is None:
        return {}
    rows: list[dict[str, Any]] = []
    for stamp in found[0]:
        row: dict[str, Any] = {"ms": stamp.ms}
        if stamp.address is not None:
            row = {"address": format_address(stamp.address), **row}
        rows.append(row if stamp.standard else {**row, "nonstandard": True})
    return {"timestamps": rows, "unrecorded": found[1] or None}


class PingJob(Pinger):
    """Sends a request every interval and matches what comes back."""

    def __init__(self, stack: Stack, plan: PingPlan, src: int | None, dev: str) -> None:
        super().__init__(plan)
        self._stack = stack
        self._plan, self._net = plan, stack.networks.for_address(plan.dst)
        self._src = src
        self._dev = dev
        self._client = stack.ping.open(plan.dst)
        self._client.handler = self._on_ready
        self._client.pmtudisc, self._client.dev = plan.pmtudisc, plan.dev
        self._sent_ns: dict[int, int] = {}
        self._order: deque[int] = deque()
        self._answered: set[int] = set()

    def start(self, now: int) -> None:
        """Announce it and send the first request."""
        plan = self._plan
        self.emit(
            "start",
            dst=format_address(plan.dst),
            src=None if self._src is None else format_address(self._src),
            dev=plan.dev,
            size=plan.size,
            broadcast=self._net.is_broadcast(plan.dst) or None,
        )
        self.begin(now)

    def _request(self, now: int) -> None:
        plan = self._plan
        before = self._sequence & 0xFFFF
        if plan.outstanding and before in self._sent_ns and before not in self._answered:
            self.emit("outstanding", seq=before)
        sequence = self._next(now) & 0xFFFF
        self._remember(sequence, now)
        trace = self._follow(sequence)
        body = (plan.pattern * (plan.size // len(plan.pattern) + 1))[: plan.size]
        nobody = self._net.family.mark
        try:
            how = SendOptions(
                plan.src, plan.dev, plan.ttl, plan.tos, plan.options, plan.pmtudisc,
                broadcast=plan.broadcast, mark=plan.mark, uid=self._stack.shared.uid,
            )  # fmt: skip
            echo = Echo(sequence, body, trace)
            send_echo(self._stack, self._client, echo, how, now)
        except (SendRejected, NoBuffers) as error:
            if error.code == reason.TX_TOO_BIG.name:  # as iputils, which goes on to its summary
                text = f"message too long, mtu={trace.detail['mtu']}"
                self._error(sequence, error.code, text, self._src or nobody)
                return
            if self._sequence == 1:
                raise
            self._error(sequence, error.code, error.message, self._src or nobody)
        else:
            if plan.tell_sent:
                self.emit("sent", seq=sequence)

    def _remember(self, sequence: int, now: int) -> None:
        self._sent_ns[sequence] = now
        self._answered.discard(sequence)
        self._order.append(sequence)
        if len(self._order) > REMEMBERED:
            oldest = self._order.popleft()
            self._sent_ns.pop(oldest, None)
            self._answered.discard(oldest)

    def _on_ready(self, now: int) -> None:
        client = self._client
        while client.replies:
            reply = client.replies.popleft()
            sent = self._sent_ns.get(reply.sequence)
            if sent is None:
                continue
            again = reply.sequence in self._answered
            rtt = reply.at_ns - sent
            if again:
                self._duplicates += 1
            else:
                self._answered.add(reply.sequence)
                self._rtts.add(rtt)
                self._adapt(rtt)
            self.emit(
                "reply",
                seq=reply.sequence,
                ttl=reply.ttl,
                bytes=len(reply.data) + icmpv4.HEADER_LEN,
                rtt_ns=rtt,
                dup=True if again else None,
                tos=reply.tos or None,
                record_route=_recorded(reply.options),
                **_stamped(reply.options),
                dev=self._dev if is_scoped(reply.src) else None,
                **{"from": format_address(reply.src)},
            )
        while client.errors:
            error = client.errors.popleft()
            self._blame(error.dport, error)
            self._error(error.dport, error.reason.name, error_text(error), error.offender)
        while client.redirects:
            self._redirected(client.redirects.popleft())
        self._check_end(now)

    def _redirected(self, news: DeliveryError) -> None:
        """Tell of a redirect, believed or not: the request itself went on (iputils pr_icmph)."""
        code = news.detail["icmp_code"]
        words = _REDIRECTS[code] if isinstance(code, int) and code < len(_REDIRECTS) else "Redirect"
        gateway = shown(news.detail)["gateway"]
        self.emit(
            "redirect", seq=news.dport, gateway=gateway, reason=news.reason.name,
            message=f"{words}(New nexthop: {gateway})",
            **{"from": format_address(news.offender)},
        )  # fmt: skip

    def _adapt(self, rtt_ns: int) -> None:
        """Let the interval follow the round-trip time (iputils update_interval)."""
        self._smooth(rtt_ns)
        least = self._plan.adaptive_ns
        if least is not None:
            self._interval_ns = max(self._smooth_ns, least)
            self._next_ns = self._last_ns + self._interval_ns

    def _error(self, sequence: int, name: str, message: str, offender: int) -> None:
        self._errors += 1
        self.emit(
            "error", seq=sequence, message=message, reason=name,
            dev=self._dev if is_scoped(offender) else None,
            **{"from": format_address(offender)},
        )  # fmt: skip

    def _blamed(self, now: int) -> Trace | None:
        """Return a packet that tells why requests were lost; None where that is not known."""
        received, trace = self._rtts.count, self._failed or self._trace
        if trace is None or received >= self._sequence:
            return None
        flapped = self._flapping(trace)
        if flapped is not None and trace.complaint is None:
            lost = [each for seq, each in self._recent.items() if seq not in self._answered]
            trace = lost[-1] if lost else trace
            trace.complain(reason.ARP_FLAPPING, flapped, now)
            return trace
        if received:
            return None
        if trace.fate is Fate.SENT and trace.complaint is None:
            ident, dst = self._client.ident, self._plan.dst
            asked = Awaited("icmp", dst, self._start_ns, now, ident)
            unanswered(
                self._stack.shared.recorder, trace, reason.ICMP_NO_REPLY, asked,
                requests=self._sequence, ip=format_address(self._plan.dst),
            )  # fmt: skip
        return trace

    def _flapping(self, trace: Trace) -> Detail | None:
        """Return how the next hop's MAC went back and forth while requests were sent, if it did."""
        dev, hop = trace.dev or "", trace.gateway
        if self._net.family is not IPV4:
            return None  # neighbor discovery believes nobody who was not asked
        cache = self._net.neighbors.get(dev)
        entry = None if cache is None else cache.lookup(self._plan.dst if hop is None else hop)
        moves = None if entry is None else entry.moves
        if entry is None or moves is None or not moves.back or moves.last_ns < self._start_ns:
            return None
        values = flapping(entry.ip, entry.lladdr or ZERO_MAC, moves)
        return self._stack.ledger.detail(reason.ARP_FLAPPING, {**values, "dev": dev})

    def release(self, now: int) -> None:
        """Stop waiting for replies."""
        self._stack.ping.close(self._client)
