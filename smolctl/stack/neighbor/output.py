"""Neighbor output: the next hop's MAC address, or a packet that waits for it.

``neighbor_output`` asks the neighbor cache; the cache returns actions, and ``perform`` carries them
out. No state is here.
"""

from typing import TYPE_CHECKING

from smolctl.errors import NoBuffers
from smolctl.stack import reason
from smolctl.stack.explain import suggest
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface
from smolctl.stack.ip.route_output import rejection
from smolctl.stack.ip.source_address import select_source
from smolctl.stack.ipv4.arp_policy import may_ask_from
from smolctl.stack.link.output import ethernet_output, no_carrier
from smolctl.stack.neighbor.entry import (
    Action,
    Evicted,
    GiveUp,
    Neighbor,
    Overflow,
    Purged,
    Queued,
    Released,
    SendProbe,
    Transmit,
)
from smolctl.stack.neighbor.states import State
from smolctl.stack.reason import Reason
from smolctl.stack.sysctl.settings import KNOBS
from smolctl.stack.trace.facts import Asked, Resolved
from smolctl.stack.trace.trace import Direction, Trace
from smolctl.stack.transport.errors import datagram_failed, packet_failed
from smolctl.wire import arp, ethernet
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC, format_address

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack
if TYPE_CHECKING:
    from smolctl.stack.stack import Stack
    from smolctl.stack.transport.udp.socket import UdpSocket


STEPS_LIMIT = 100
"""Requests that a packet's steps tell of; neigh.mcast_solicit=0 sends them for ever."""


def neighbor_output(
    stack: "Stack",
    out: Interface,
    next_hop: int,
    packet: bytes,
    now: int,
    trace: Trace,
) -> None:
    """Find the next hop's MAC and send, or queue the packet and start address resolution.

    Raises:
        SendRejected: neigh-table-full.
    Source: RFC 1122 2.3.2.2 (SHOULD save the packet); RFC 4861 7.2.2; Linux neigh_resolve_output.
    """
    if not out.carrier:
        # Nobody would hear the question. To blame a silent neighbor 3 s later would be untrue.
        no_carrier(stack, out, now, trace)
        return
    cache = stack.neighbors[out.name]
    homeless = has_no_queue(stack, trace)
    queued = Queued(packet, trace, keep=homeless is None)
    try:
        entry, actions = cache.use(next_hop, queued, now)
    except NoBuffers:
        detail = {"next_hop": format_address(next_hop), **suggest.cache_room(stack)}
        stack.ledger.record(reason.NEIGH_TABLE_FULL, out.name, now, trace, **detail)
        error = rejection(reason.NEIGH_TABLE_FULL, {**detail, "dev": out.name})
        error.packet = trace.id or None
        raise error from None
    if entry.state is State.INCOMPLETE and homeless is None:
        note_wait(stack, out, entry, now, trace)
    elif entry.state is State.INCOMPLETE:
        stack.ledger.record(
            reason.NEIGH_NOT_QUEUED, out.name, now, trace,
            next_hop=format_address(next_hop), **homeless or {},
        )  # fmt: skip
    perform(stack, out, actions, now)


def note_wait(
    stack: "Stack",
    out: Interface,
    entry: Neighbor,
    now: int,
    trace: Trace,
    held_by: "UdpSocket | None" = None,
) -> None:
    """Take note that a packet waits for ARP, and of what makes it wait again and again.

    RFC 1122 2.4: the link layer must not report an error for want of an ARP entry alone.

    Args:
        held_by: the socket in which it waits, if not in the neighbor's queue.
    """
    shown = format_address
    cache = stack.neighbors[out.name]
    thrash, silence = cache.thrash(entry.ip, now), cache.silence(entry, now)
    why, detail = reason.NEIGH_PENDING, dict[str, object]()
    if thrash is not None:
        why = reason.NEIGH_CACHE_THRASH
        detail = {
            "new": shown(thrash.last.new),
            "ago_ms": (now - thrash.last.at_ns) // 1_000_000,
            "times": thrash.times,
            "evictions": thrash.total,
            "peers": thrash.peers,
            **suggest.cache_room(stack, thrash.peers),
        }
    elif silence is not None:
        why = reason.NEIGH_RATE_LIMITED
        detail = {"ms": -((now - silence.until_ns) // 1_000_000), "ip": shown(silence.asked)}
    elif held_by is not None:
        why = reason.UDP_WAITS_FOR_NEIGHBOR
        detail = {"port": held_by.port}
    stack.ledger.record(
        why, out.name, now, trace, next_hop=shown(entry.ip), queued=len(entry.queue), **detail
    )


def perform(stack: "Stack", out: Interface, actions: list[Action], now: int) -> None:
    """Carry out what the neighbor cache of ``out`` asked for."""
    for action in actions:
        match action:
            case SendProbe():
                _probe_output(stack, out, action, now)
            case Transmit(entry, packets):
                lladdr = entry.lladdr or ZERO_MAC
                found = Resolved(entry.ip, entry.state.value, lladdr)
                for queued in packets:
                    trace = queued.trace
                    trace.step("neigh", "ok", now, found)
                    ethernet_output(
                        stack, out, lladdr, ethernet.EtherType.IPV4, queued.packet, now, trace
                    )
            case GiveUp(entry, packets):
                for queued in packets:
                    _give_up(stack, out, entry, queued, now)
            case Released(entry, failed):
                _release_sockets(stack, out, entry, failed, now)
            case Overflow(entry, queued):
                room = suggest.queue_room(stack, len(entry.queue))
                _lost(stack, out, reason.NEIGH_QUEUE_FULL, entry, queued, now, **room)
            case Purged(entry, packets):
                for queued in packets:
                    _lost(stack, out, reason.NEIGH_QUEUE_PURGED, entry, queued, now)
            case Evicted(entry, new, packets):
                stack.ledger.record(
                    reason.NEIGH_EVICTED, out.name, now, ip=format_address(entry.ip),
                    new=format_address(new), **suggest.cache_room(stack),
                )  # fmt: skip
                for queued in packets:
                    _lost(
                        stack, out, reason.NEIGH_QUEUE_PURGED, entry, queued, now,
                        new=format_address(new),
                    )  # fmt: skip


def _lost(
    stack: "Stack",
    out: Interface,
    why: Reason,
    entry: Neighbor,
    queued: Queued,
    now: int,
    /,
    **detail: object,
) -> None:
    stack.ledger.record(
        why, out.name, now, queued.trace,
        next_hop=format_address(entry.ip), queued=len(entry.queue), **detail,
    )  # fmt: skip


def _release_sockets(
    stack: "Stack", out: Interface, entry: Neighbor, failed: bool, now: int
) -> None:
    """Let the sockets go on whose first datagram waited for this neighbor; ``resend`` does.

    Where the neighbor did not answer, that datagram is given up.
    """
    for socket in held_for(stack, out, entry):
        queue = socket.held
        if queue is None:
            continue
        queue.retry_ns = now
        if failed:
            detail = {"next_hop": format_address(entry.ip), "probes": entry.probes}
            item = queue.pop()
            stack.ledger.record(reason.NEIGH_FAILED, out.name, now, item.trace, **detail)
            datagram_failed(
                stack, socket, "EHOSTUNREACH", reason.NEIGH_FAILED, {**detail, "dev": out.name},
                item.trace.src or 0, item.dst, item.dport, now,
            )  # fmt: skip
        if not queue.items:
            socket.held = None
            del stack.blocked[socket]


def held_for(stack: "Stack", out: Interface, entry: Neighbor) -> list["UdpSocket"]:
    """Return the blocked sockets whose first datagram waits for this neighbor."""
    hop = (out.name, entry.ip)
    return [each for each in stack.blocked if each.held is not None and each.held.hop == hop]


def _give_up(stack: "Stack", out: Interface, entry: Neighbor, queued: Queued, now: int) -> None:
    """Tell the sender that its next hop does not answer (Linux arp_error_report)."""
    detail: dict[str, object] = {
        "next_hop": format_address(entry.ip),
        "probes": entry.probes,
        "dev": out.name,
    }
    if stack.fib.is_local(entry.ip):
        # And ip.loopback_own=0, or nobody would have been asked.
        detail.update(knob="ip.loopback_own", value=1)
    stack.ledger.record(reason.NEIGH_FAILED, out.name, now, queued.trace, **detail)
    packet_failed(stack, queued.packet, out.name, "EHOSTUNREACH", reason.NEIGH_FAILED, detail, now)


def _probe_output(stack: "Stack", out: Interface, probe: SendProbe, now: int) -> None:
    """Ask for a neighbor's MAC, from the address that the waiting packet has if that may be."""
    entry = probe.entry
    sender = None
    if entry.queue:
        source = int.from_bytes(entry.queue[-1].packet[12:16])
    else:
        source = entry.source
    if source:
        sender = source if may_ask_from(stack, out, source, entry.ip) else None
    if sender is None:
        sender = select_source(stack, out, entry.ip, Scope.LINK) or 0
    target = entry.lladdr if probe.unicast and entry.lladdr is not None else BROADCAST_MAC
    asked = Asked(entry.ip, sender, entry.probes, probe.unicast)
    waiting = [queued.trace for queued in entry.queue]
    waiting += [each.held.items[0].trace for each in held_for(stack, out, entry) if each.held]
    for waiter in waiting if entry.probes <= STEPS_LIMIT else ():
        waiter.step("arp", "wait", now, asked)
    cause = waiting[-1] if waiting else None
    trace = stack.journal.begin(Direction.OUT, now, cause, out.name)
    arp_output(stack, out, arp.Op.REQUEST, sender, ZERO_MAC, entry.ip, target, now, trace)
    stack.ledger.count("arp.requests_sent")


def arp_output(
    stack: "Stack",
    out: Interface,
    op: arp.Op,
    sender_ip: int,
    target_mac: bytes,
    target_ip: int,
    frame_dst: bytes,
    now: int,
    trace: Trace | None = None,
) -> None:
    """Send one ARP packet with our MAC as sender (RFC 826)."""
    if trace is None:
        trace = stack.journal.begin(Direction.OUT, now)
    else:
        stack.journal.follow(trace, now)
    trace.dev, trace.src = out.name, sender_ip
    packet = arp.ArpPacket(op, out.mac, sender_ip, target_mac, target_ip).to_bytes()
    ethernet_output(stack, out, frame_dst, ethernet.EtherType.ARP, packet, now, trace)


def has_no_queue(stack: "Stack", trace: Trace) -> dict[str, object] | None:
    """Return why a packet may not wait for its neighbor; None when it may.

    With ``knob`` at ``value`` it may. What waits in a socket does not come here.
    """
    if not stack.settings["neigh.unres_qlen"]:
        return {"knob": "neigh.unres_qlen", "value": KNOBS["neigh.unres_qlen"].default}
    answer = trace.cause is not None and trace.flow is not None and trace.flow.proto == "icmp"
    if answer and not stack.settings["neigh.queue_answers"]:
        return {"knob": "neigh.queue_answers", "value": 1}
    return None
