"""The way out, last part: from an IP packet to an Ethernet frame in an interface's outbox.

``neighbor_output`` asks the neighbor cache for the next hop's MAC address; what the cache wants
done comes back as actions, which ``perform`` carries out. No state is here.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from smolctl.errors import NoBuffers
from smolctl.stack import notify, policy, reason, suggest
from smolctl.stack.decide import rejection
from smolctl.stack.facts import Asked, Resolved, Taken
from smolctl.stack.fate import Direction, Fate, Item, Trace, TracedFrame, frames_of
from smolctl.stack.impairment import Effect, Impairment, percent
from smolctl.stack.interface import OUTBOX_LIMIT, Interface
from smolctl.stack.neighbor_entry import (
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
from smolctl.stack.neighbor_state import State
from smolctl.stack.reason import Reason
from smolctl.stack.route import Scope
from smolctl.stack.source import select_source
from smolctl.wire import addr, arp, ethernet
from smolctl.wire.run import Datagram, Run

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack
    from smolctl.stack.udp_socket import UdpSocket

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
        _no_carrier(stack, out, now, trace)
        return
    cache = stack.neighbors[out.name]
    homeless = policy.has_no_queue(stack, trace)
    queued = Queued(packet, trace, keep=homeless is None)
    try:
        entry, actions = cache.use(next_hop, queued, now)
    except NoBuffers:
        detail = {"next_hop": addr.IPV4.format(next_hop), **suggest.cache_room(stack)}
        stack.ledger.record(reason.NEIGH_TABLE_FULL, out.name, now, trace, **detail)
        error = rejection(reason.NEIGH_TABLE_FULL, {**detail, "dev": out.name})
        error.packet = trace.id or None
        raise error from None
    if entry.state is State.INCOMPLETE and homeless is None:
        note_wait(stack, out, entry, now, trace)
    elif entry.state is State.INCOMPLETE:
        stack.ledger.record(
            reason.NEIGH_NOT_QUEUED, out.name, now, trace,
            next_hop=addr.IPV4.format(next_hop), **homeless or {},
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
    shown = addr.IPV4.format
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
                lladdr = entry.lladdr or addr.ZERO_MAC
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
                    reason.NEIGH_EVICTED, out.name, now, ip=addr.IPV4.format(entry.ip),
                    new=addr.IPV4.format(new), **suggest.cache_room(stack),
                )  # fmt: skip
                for queued in packets:
                    _lost(
                        stack, out, reason.NEIGH_QUEUE_PURGED, entry, queued, now,
                        new=addr.IPV4.format(new),
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
        next_hop=addr.IPV4.format(entry.ip), queued=len(entry.queue), **detail,
    )  # fmt: skip


def _release_sockets(
    stack: "Stack", out: Interface, entry: Neighbor, failed: bool, now: int
) -> None:
    """Let the sockets go on whose first datagram waited for this neighbor; ``resend`` does.

    Where the neighbor did not answer, that datagram is given up.
    """
    for socket in _held_for(stack, out, entry):
        queue = socket.held
        if queue is None:
            continue
        queue.retry_ns = now
        if failed:
            detail = {"next_hop": addr.IPV4.format(entry.ip), "probes": entry.probes}
            item = queue.pop()
            stack.ledger.record(reason.NEIGH_FAILED, out.name, now, item.trace, **detail)
            notify.datagram_failed(
                stack, socket, "EHOSTUNREACH", reason.NEIGH_FAILED, {**detail, "dev": out.name},
                item.trace.src or 0, item.dst, item.dport, now,
            )  # fmt: skip
        if not queue.items:
            socket.held = None
            del stack.blocked[socket]


def _held_for(stack: "Stack", out: Interface, entry: Neighbor) -> list["UdpSocket"]:
    """Return the blocked sockets whose first datagram waits for this neighbor."""
    hop = (out.name, entry.ip)
    return [each for each in stack.blocked if each.held is not None and each.held.hop == hop]


def _give_up(stack: "Stack", out: Interface, entry: Neighbor, queued: Queued, now: int) -> None:
    """Tell the sender that its next hop does not answer (Linux arp_error_report)."""
    detail: dict[str, object] = {
        "next_hop": addr.IPV4.format(entry.ip),
        "probes": entry.probes,
        "dev": out.name,
    }
    if stack.fib.is_local(entry.ip):
        # And ip.loopback_own=0, or nobody would have been asked.
        detail.update(knob="ip.loopback_own", value=1)
    stack.ledger.record(reason.NEIGH_FAILED, out.name, now, queued.trace, **detail)
    notify.packet_failed(
        stack, queued.packet, out.name, "EHOSTUNREACH", reason.NEIGH_FAILED, detail, now
    )


def _probe_output(stack: "Stack", out: Interface, probe: SendProbe, now: int) -> None:
    """Ask for a neighbor's MAC, from the address that the waiting packet has if that may be."""
    entry = probe.entry
    sender = None
    if entry.queue:
        source = int.from_bytes(entry.queue[-1].packet[12:16])
    else:
        source = entry.source
    if source:
        sender = source if policy.may_ask_from(stack, out, source, entry.ip) else None
    if sender is None:
        sender = select_source(stack, out, entry.ip, Scope.LINK) or 0
    target = entry.lladdr if probe.unicast and entry.lladdr is not None else addr.BROADCAST_MAC
    asked = Asked(entry.ip, sender, entry.probes, probe.unicast)
    waiting = [queued.trace for queued in entry.queue]
    waiting += [each.held.items[0].trace for each in _held_for(stack, out, entry) if each.held]
    for waiter in waiting if entry.probes <= STEPS_LIMIT else ():
        waiter.step("arp", "wait", now, asked)
    cause = waiting[-1] if waiting else None
    trace = stack.journal.begin(Direction.OUT, now, cause, out.name)
    arp_output(stack, out, arp.Op.REQUEST, sender, addr.ZERO_MAC, entry.ip, target, now, trace)
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


def ethernet_output(
    stack: "Stack",
    out: Interface,
    dst: bytes,
    ethertype: int,
    payload: bytes,
    now: int,
    trace: Trace,
) -> None:
    """Put the frame into the interface's outbox, from where the device takes it."""
    frame = ethernet.EthernetHeader(dst, out.mac, ethertype).to_bytes() + payload
    trace.frame, trace.linked = frame, True
    if not out.up:
        stack.ledger.record(reason.TX_IFACE_DOWN, out.name, now, trace)
        out.counters.tx_dropped += 1
    elif not out.carrier:
        _no_carrier(stack, out, now, trace)
    elif out.impairment is not None:
        _impaired_output(stack, out, out.impairment, frame, now, trace)
    else:
        _enqueue(stack, out, frame, now, trace)


def _enqueue(stack: "Stack", out: Interface, frame: bytes, now: int, trace: Trace) -> None:
    if len(out.outbox) >= OUTBOX_LIMIT:
        stack.ledger.record(reason.TX_QUEUE_FULL, out.name, now, trace)
        out.counters.tx_dropped += 1
    elif trace.followed:
        out.outbox.append(TracedFrame(frame, trace))
        out.traced += 1
    else:
        out.outbox.append(frame)


def _impaired_output(
    stack: "Stack", out: Interface, impairment: Impairment, frame: bytes, now: int, trace: Trace
) -> None:
    """Let the link do to the frame what it was told to, and send what it does not hold back."""
    verdict, netem = impairment.offer(frame, trace, now), impairment.netem
    for effect in verdict.effects:
        waits = effect is Effect.DELAY
        stack.ledger.record(
            reason.REASONS[effect], out.name, now,
            # That each packet waits for a while is no trouble to remember it for.
            trace if trace.followed or not waits else None,
            loss=percent(netem.loss), duplicate=percent(netem.duplicate),
            reorder=percent(netem.reorder), frames=len(impairment), bit=verdict.bit,
            ms=round(((verdict.at_ns or now) - now) / 1_000_000, 3),
        )  # fmt: skip
    if verdict.at_ns is None:
        out.counters.tx_dropped += 1
    release(stack, out, now)


def release(stack: "Stack", out: Interface, now: int) -> None:
    """Send the frames of an impaired link that were held back until now."""
    impairment = out.impairment
    if impairment is None:
        return
    for frame, trace in impairment.due(now):
        if not out.up:
            stack.ledger.record(reason.TX_IFACE_DOWN, out.name, now, trace)
            out.counters.tx_dropped += 1
        elif not out.carrier:
            _no_carrier(stack, out, now, trace)
        else:
            _enqueue(stack, out, frame, now, trace)
    if not impairment.netem and not impairment:
        out.impairment = None


def _no_carrier(stack: "Stack", out: Interface, now: int, trace: Trace) -> None:
    stack.ledger.record(reason.TX_NO_CARRIER, out.name, now, trace)
    out.counters.tx_dropped += 1
    out.counters.tx_carrier_errors += 1


def transmitted(interface: Interface, items: Sequence[Item], now: int) -> None:
    """Take note that the device took these items; each datagram of a run counts."""
    counters = interface.counters
    for item in items:
        if type(item) is Run:
            number = len(item.payloads)
            counters.tx_packets += number
            counters.tx_bytes += number * item.headers.frame_len
        else:
            counters.tx_packets += 1
            counters.tx_bytes += len(item)
    if interface.traced:
        for item in items:
            if isinstance(item, TracedFrame):
                interface.traced -= 1
                trace = item.trace
                taken = Taken(trace.dev or "", item.frame[:6], len(item.frame))
                trace.step("device", "ok", now, taken)
                passed_on = trace.direction is Direction.FORWARD
                trace.settle(Fate.FORWARDED if passed_on else Fate.SENT, now)


def transmit_failed(
    stack: "Stack", interface: Interface, item: Item | Datagram, why: Reason, now: int
) -> None:
    """Take note that the device did not take it, for each datagram of a run."""
    if isinstance(item, TracedFrame):
        interface.traced -= 1
        traces = [item.trace]
    else:
        traces = []
        for frame in frames_of(item):
            trace = stack.journal.begin(Direction.OUT, now, None, interface.name)
            trace.frame, trace.linked = frame, True
            traces.append(trace)
    for trace in traces:
        interface.counters.tx_dropped += 1
        stack.ledger.record(why, interface.name, now, trace, n=1)
