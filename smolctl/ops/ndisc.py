"""``smolctl ndisc``: ask on the link who has an IPv6 address, or tell that we have it."""

from typing import NoReturn

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.ops.context import Context
from smolctl.ops.job import Job
from smolctl.ops.link_probe import ProbeJob, Prober, plan_of
from smolctl.stack import reason
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.output import refuse
from smolctl.stack.ip.route_output import no_source, route_output, unavailable
from smolctl.stack.ip.way import Refusal
from smolctl.stack.ipv6.addresses import (
    asking_address,
    is_optimistic,
    optimistic_address,
    usable,
)
from smolctl.stack.ipv6.nd_output import advertisement_output, solicitation, solicitation_output
from smolctl.stack.neighbor.probe_client import NdClient
from smolctl.stack.stack import Stack
from smolctl.stack.trace.answers import dropped_answer
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.trace import Flow, Trace
from smolctl.wire.address import (
    ALL_NODES,
    IPV4,
    IPV6,
    LOOPBACK6,
    UNSPECIFIED6,
    format_address,
    is_multicast,
)
from smolctl.wire.ndp import NeighborAdvertisement, Options

MODES = ("request", "dad", "announce")
_A_MOMENT_NS = 1_000_000
"""Time after which a test whose time has come is over."""
_SOLICITATION_LEN = 32
"""Bytes of a solicitation with our MAC."""


def run(ctx: Context, args: Args) -> Job:
    """Send neighbor discovery until told to stop."""
    args.required("dst")
    if args.infer("dst", default=IPV6) is IPV4:
        raise InvalidArgument(
            "neighbor discovery is of IPv6", hint=f"smolctl arping {args.text('dst')}"
        )
    dst = args.zoned("dst")
    assert dst is not None
    mode = args.choice("mode", MODES) or "request"
    interface, src = _way(ctx.stack, dst, mode, args, ctx.now)
    return ProbeJob(NdProber(ctx.stack, interface, plan_of(args, mode, dst, src)))


class NdProber(Prober):
    """Solicitations, and advertisements that nobody asked for (RFC 4861 7.2.2, 7.2.6)."""

    proto, casts, silent = "nd", "multicasts", reason.ND_NO_REPLY

    def open(self) -> NdClient:
        """Return the client that hears the answers."""
        return self.stack.nd_open(self.interface.name, self.plan.dst, self.plan.src)

    def ready_ns(self, now: int) -> int:
        """Return when the test of an optimistic source goes on: it may not ask (RFC 4429 3.2)."""
        state, src = self.interface.ipv6, self.plan.src
        tested = state.addresses.find(src, None)
        if tested is None or not is_optimistic(tested) or self.plan.mode != "request":
            return now
        entry = state.dad.find(tested)
        return now if entry is None else max(now, entry.due_ns or now) + _A_MOMENT_NS

    def send(self, lladdr: bytes | None, trace: Trace, now: int) -> None:
        """Ask, or tell: everybody, or the station of an address."""
        net, out, dst = self.stack.ipv6, self.interface, self.plan.dst
        net.recorder.follow(trace, now)
        if self.plan.mode == "announce":
            own = Options(target=out.mac)
            told = NeighborAdvertisement(net.forwards(out), False, True, dst, own)
            advertisement_output(net, out, told, ALL_NODES, trace, now)
            return
        question = solicitation(out, dst, self.plan.src)
        solicitation_output(net, out, question, self.plan.src, trace, now, lladdr)

    def unheard(self, last: Trace, awaited: Awaited, probes: int) -> bool:
        """Note on the last probe that an answer was dropped; return whether one was."""
        if dropped_answer(self.stack.journal, awaited) is None:
            return False
        self.note_silence(last, awaited, probes)
        return True


def _way(stack: Stack, dst: int, mode: str, args: Args, now: int) -> tuple[Interface, int]:
    """Choose the interface and the source, and refuse what could give no true answer."""
    dev, src, shown = args.device("dst", "src"), args.zoned("src"), format_address(dst)
    if is_multicast(dst) or dst in (UNSPECIFIED6, LOOPBACK6):
        raise InvalidArgument(f"{shown} is not the address of one node")
    interface = _interface(stack, dst, mode, dev, now)
    if interface.medium is not Medium.ETHERNET:
        raise InvalidArgument(
            f"{interface.name} has no neighbor discovery, and {shown} is reached through it",
            hint="smolctl link show",
        )
    for why, bad in ((reason.TX_IFACE_DOWN, not interface.up),
                     (reason.TX_NO_CARRIER, not interface.carrier)):  # fmt: skip
        if bad:
            # An address that nobody could be asked about is not free.
            _refuse(stack, Refusal(why, interface.name, {}), dst, now)
    if mode == "dad":
        return interface, UNSPECIFIED6
    sender = dst if mode == "announce" else src
    tested = optimistic_address(interface, sender) if mode == "request" else None
    if sender is not None and sender != tested and not usable(interface, sender):
        raise unavailable(stack.ipv6, sender)
    src = asking_address(interface) if sender is None else sender
    if src == UNSPECIFIED6 and tested is not None:
        return interface, tested
    if src == UNSPECIFIED6:
        _refuse(stack, no_source(stack.ipv6, interface, dst, dst), dst, now)
    return interface, src


def _interface(stack: Stack, dst: int, mode: str, dev: str | None, now: int) -> Interface:
    """Return the interface that is named, or that has the address, or by which a route goes."""
    if dev is not None:
        return stack.interface(dev)
    if mode == "announce":
        return stack.ipv6.interface_of(dst) or stack.interfaces.loopback
    way = route_output(stack.ipv6, RouteKey(dst))
    if isinstance(way, Refusal):
        _refuse(stack, way, dst, now)
    return way.interface


def _refuse(stack: Stack, why: Refusal, dst: int, now: int) -> NoReturn:
    """Raise the error of a question that cannot be asked."""
    trace = Trace()
    trace.flow = Flow("nd", None, 0, dst, 0, _SOLICITATION_LEN)
    stack.journal.follow(trace, now)
    stack.shared.recorder.note_candidates(RouteKey(dst), None, trace, now)
    refuse(stack.shared.recorder, why, now, trace)
