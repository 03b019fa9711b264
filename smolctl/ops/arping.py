"""``smolctl arping``: ask on the link who has an address, or tell that we have it."""

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.ops.context import Context
from smolctl.ops.job import Job
from smolctl.ops.link_probe import ProbeJob, Prober, plan_of
from smolctl.stack import reason
from smolctl.stack.fib.route import Scope
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.output import refuse
from smolctl.stack.ip.route_output import no_source, route_output, unavailable
from smolctl.stack.ip.way import Refusal
from smolctl.stack.ipv4.arp_output import arp_output
from smolctl.stack.ipv4.source_address import select_source
from smolctl.stack.neighbor.probe_client import ArpClient
from smolctl.stack.stack import Stack
from smolctl.stack.trace.answers import dropped_answer
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.trace import Flow, Trace
from smolctl.wire import arp
from smolctl.wire.address import (
    BROADCAST_MAC,
    ZERO_MAC,
    format_address,
    is_multicast,
    is_zeronet,
)

MODES = ("request", "dad", "announce-request", "announce-reply")


def run(ctx: Context, args: Args) -> Job:
    """Send ARP until told to stop."""
    dst = _target(args)
    mode = args.choice("mode", MODES) or "request"
    interface, src = _way(ctx.stack, dst, mode, args, ctx.now)
    return ProbeJob(ArpProber(ctx.stack, interface, plan_of(args, mode, dst, src)))


def _target(args: Args) -> int:
    """Return the address that is asked for."""
    text = args.required("dst")
    if ":" in text:
        raise InvalidArgument("ARP is of IPv4", hint=f"smolctl ndisc {text}")
    return args.the_address("dst")


class ArpProber(Prober):
    """ARP requests, and what tells that an address is ours (RFC 826, RFC 5227 3)."""

    proto, casts, silent = "arp", "broadcasts", reason.ARP_NO_REPLY

    def open(self) -> ArpClient:
        """Return the client that hears the answers."""
        return self.stack.arp_open(self.interface.name, self.plan.dst, self.plan.src)

    def send(self, lladdr: bytes | None, trace: Trace, now: int) -> None:
        """Ask, or tell: everybody, or the station of an address."""
        plan, out = self.plan, self.interface
        op = arp.Op.REPLY if plan.mode == "announce-reply" else arp.Op.REQUEST
        about = out.mac if op == arp.Op.REPLY else ZERO_MAC
        message = arp.ArpPacket(op, out.mac, plan.src, about, plan.dst)
        target = BROADCAST_MAC if lladdr is None else lladdr
        arp_output(self.stack.ipv4, out, message, target, now, trace)

    def unheard(self, last: Trace, awaited: Awaited, probes: int) -> bool:
        """Note on the last probe that an answer was dropped; return whether one was."""
        answer = dropped_answer(self.stack.journal, awaited)
        if answer is None:
            return False
        dev, now = self.interface.name, awaited.until_ns
        values = {"ip": self.plan.dst, "_answer": answer}
        detail = self.stack.shared.recorder.record(reason.ARP_DAD_UNHEARD, dev, now, **values)
        last.complain(reason.ARP_DAD_UNHEARD, detail, now)
        return True


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
    if interface.medium is not Medium.ETHERNET or not interface.arp:
        switched = interface.medium is Medium.ETHERNET
        raise InvalidArgument(
            f"{interface.name} has no ARP, and {shown} is reached through it",
            hint=f"smolctl link set {interface.name} arp on" if switched else "smolctl link show",
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
