"""The way out: from a socket's datagram to a frame in an interface's outbox.

Read it from the bottom of a datagram's life upwards: ``udp_output`` -> ``decide.decide`` ->
``ip_output`` -> ``neighbor_output`` -> ``ethernet_output``. This file holds no state; the tables it
asks are the FIB, the neighbor caches and the interfaces of the stack.
"""

from typing import TYPE_CHECKING, Never

from smolctl.errors import NoBuffers
from smolctl.stack import fast, notify, reason
from smolctl.stack.decide import Decision, Refusal, decide, rejection, select_source
from smolctl.stack.fate import Fate, Trace, TracedFrame
from smolctl.stack.interface import OUTBOX_LIMIT, Interface, Medium
from smolctl.stack.neighbor_entry import (
    Action,
    Evicted,
    GiveUp,
    Neighbor,
    Overflow,
    Purged,
    Queued,
    SendProbe,
    Transmit,
)
from smolctl.stack.neighbor_state import State
from smolctl.stack.reason import Reason
from smolctl.stack.route import Scope
from smolctl.wire import addr, arp, ethernet, icmp, ipv4, udp

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack
    from smolctl.stack.udp_socket import UdpSocket

# --- UDP and ICMP ---------------------------------------------------------------------------------


def udp_output(
    stack: "Stack",
    socket: "UdpSocket",
    payload: bytes,
    dst: int,
    dport: int,
    now: int,
    trace: Trace | None = None,
    src: int | None = None,
) -> Decision:
    """Send one datagram from a bound socket.

    Args:
        payload: 0..65507 bytes; more than the MTU allows is refused, nothing is fragmented.
        trace: follows the datagram; its fate may settle later (ARP, the device).
        src: source address for this datagram only.

    Returns: the way it took.

    Raises:
        SendRejected: it did not leave, and never will; the reason is counted.
        NoBuffers: the neighbor cache is full of permanent entries.
    """
    if len(payload) > udp.MAX_PAYLOAD:
        _reject(stack, reason.TX_PAYLOAD_TOO_LONG, "", now, trace, n=len(payload))
    if dport == 0:
        _reject(stack, reason.TX_DST_INVALID, "", now, trace, ip="port 0")
    source = src if src is not None else socket.local or None
    if source is not None and (addr.is_multicast(source) or stack.is_broadcast(source)):
        source = None  # bound to a group in order to hear it; it is no source (RFC 1122 3.2.1.3)
    decision = _decide(stack, dst, source, socket.dev, now, trace)
    out = decision.interface
    if decision.type == "broadcast" and not socket.broadcast:
        _reject(stack, reason.TX_BROADCAST_DENIED, out.name, now, trace, ip=addr.IPV4.format(dst))
    if decision.src is None:
        _reject(stack, reason.TX_NO_SOURCE, out.name, now, trace)
    size = len(payload) + udp.HEADER_LEN + ipv4.MIN_HEADER_LEN
    if size > decision.mtu or size > ipv4.MAX_PACKET_LEN:
        _reject(
            stack, reason.TX_TOO_BIG, out.name, now, trace,
            n=size, mtu=decision.mtu, max_payload=decision.mtu - 28,
        )  # fmt: skip
    segment = udp.to_bytes(socket.port, dport, payload, decision.src, dst)
    ttl = socket.ttl if socket.ttl is not None else stack.settings["ip.default_ttl"]
    if decision.type == "multicast" and socket.ttl is None:
        ttl = 1  # RFC 1112 6.1: the default for groups, so that nothing leaves the link unasked
    ip_output(stack, decision, ipv4.Protocol.UDP, segment, ttl, now, trace)
    socket.tx_datagrams += 1
    fast.learn_egress(stack, socket, decision, dport, ttl, src)
    return decision


def icmp_output(
    stack: "Stack",
    message: icmp.IcmpMessage,
    dst: int,
    now: int,
    *,
    src: int | None = None,
    dev: str | None = None,
    ttl: int | None = None,
    trace: Trace | None = None,
) -> Decision:
    """Send one ICMP message; as ``udp_output``.

    Raises:
        SendRejected: it did not leave, and never will; the reason is counted.
    """
    decision = _decide(stack, dst, src, dev, now, trace)
    out = decision.interface
    if decision.src is None:
        _reject(stack, reason.TX_NO_SOURCE, out.name, now, trace)
    size = len(message.body) + icmp.HEADER_LEN + ipv4.MIN_HEADER_LEN
    if size > decision.mtu or size > ipv4.MAX_PACKET_LEN:
        _reject(
            stack, reason.TX_TOO_BIG, out.name, now, trace,
            n=size, mtu=decision.mtu, max_payload=decision.mtu - 28,
        )  # fmt: skip
    if ttl is None:
        ttl = stack.settings["ip.default_ttl"]
    ip_output(stack, decision, ipv4.Protocol.ICMP, message.to_bytes(), ttl, now, trace)
    stack.ledger.count("icmp.messages_sent")
    return decision


def udp_autobind(stack: "Stack", socket: "UdpSocket", now: int, trace: Trace | None) -> None:
    """Give a socket that sends for the first time a port (RFC 6335 6).

    Raises:
        SendRejected: tx-no-port.
    """
    try:
        stack.udp_bind(socket, socket.local, 0, socket.dev)
    except NoBuffers:
        first, last = (stack.settings[f"ip.local_port_{end}"] for end in ("first", "last"))
        _reject(stack, reason.TX_NO_PORT, "", now, trace, first=first, last=last)


def _decide(
    stack: "Stack", dst: int, src: int | None, dev: str | None, now: int, trace: Trace | None
) -> Decision:
    """Choose the way; a refusal is counted and raised."""
    if dev is not None and dev not in stack.interfaces:
        _reject(stack, reason.TX_NO_DEVICE, dev, now, trace)
    decision = decide(stack, dst, src, dev)
    if isinstance(decision, Refusal):
        _reject(stack, decision.reason, decision.dev, now, trace, **decision.detail)
    return decision


def _reject(
    stack: "Stack", why: Reason, dev: str, now: int, trace: Trace | None, /, **detail: object
) -> Never:
    """Count the refusal of a datagram and tell the caller, with Linux's errno."""
    stack.ledger.record(why, dev, now, trace, **detail)
    raise rejection(why, {**detail, "dev": dev})


# --- IP, neighbor, Ethernet -----------------------------------------------------------------------


def ip_output(
    stack: "Stack",
    decision: Decision,
    protocol: int,
    segment: bytes,
    ttl: int,
    now: int,
    trace: Trace | None = None,
) -> None:
    """Put the IPv4 header on and hand the packet to the interface.

    UDP carries DF and ident 0: RFC 6864 4.1 lets an atomic datagram have any, and Linux does so.
    """
    if decision.src is None:
        raise AssertionError("ip_output needs a source address")
    if ttl == 0:
        _reject(stack, reason.TX_TTL_ZERO, decision.interface.name, now, trace)
    df = protocol == ipv4.Protocol.UDP
    header = ipv4.Ipv4Header(
        5, 0, 20 + len(segment), 0 if df else stack.next_ident(), df, False, 0,
        ttl, protocol, decision.src, decision.dst,
    )  # fmt: skip
    packet = header.to_bytes() + segment
    out = decision.interface
    if trace is not None:
        trace.dev = out.name
        trace.src = decision.src
        trace.gateway = decision.gateway
    if out.medium is Medium.IP:
        stack.loop_back(out, packet, trace, now)
    elif decision.type == "unicast":
        neighbor_output(stack, out, decision.next_hop, packet, now, trace)
    elif decision.type == "broadcast":
        # Sockets here hear a broadcast too (Linux ip_mc_output loops a copy back).
        stack.loop_back(out, packet, None, now)
        ethernet_output(stack, out, addr.BROADCAST_MAC, ethernet.EtherType.IPV4, packet, now, trace)
    else:
        mac = addr.multicast_mac(decision.dst)
        ethernet_output(stack, out, mac, ethernet.EtherType.IPV4, packet, now, trace)


def neighbor_output(
    stack: "Stack",
    out: Interface,
    next_hop: int,
    packet: bytes,
    now: int,
    trace: Trace | None = None,
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
    queued = Queued(packet, trace)
    try:
        entry, actions = cache.use(next_hop, queued, now)
    except NoBuffers:
        _reject(
            stack, reason.NEIGH_TABLE_FULL, out.name, now, trace,
            capacity=stack.settings["iface.neighbor_cache_count"],
            next_hop=addr.IPV4.format(next_hop),
        )  # fmt: skip
    if entry.state is State.INCOMPLETE:
        # RFC 1122 2.4: the link layer must not report an error for want of an ARP entry alone.
        stack.ledger.record(
            reason.NEIGH_PENDING, out.name, now, trace,
            next_hop=addr.IPV4.format(next_hop), queued=len(entry.queue),
        )  # fmt: skip
    perform(stack, out, actions, now)


def perform(stack: "Stack", out: Interface, actions: list[Action], now: int) -> None:
    """Carry out what the neighbor cache of ``out`` asked for."""
    for action in actions:
        match action:
            case SendProbe():
                _probe_output(stack, out, action, now)
            case Transmit(entry, packets):
                for queued in packets:
                    ethernet_output(
                        stack, out, entry.lladdr or addr.ZERO_MAC, ethernet.EtherType.IPV4,
                        queued.packet, now, _trace_of(queued),
                    )  # fmt: skip
            case GiveUp(entry, packets):
                for queued in packets:
                    _give_up(stack, out, entry, queued, now)
            case Overflow(entry, queued):
                _lost(stack, out, reason.NEIGH_QUEUE_FULL, entry, queued, now)
            case Purged(entry, packets):
                for queued in packets:
                    _lost(stack, out, reason.NEIGH_QUEUE_PURGED, entry, queued, now)
            case Evicted(entry, new, packets):
                stack.ledger.record(
                    reason.NEIGH_EVICTED, out.name, now, ip=addr.IPV4.format(entry.ip),
                    new=addr.IPV4.format(new),
                    capacity=stack.settings["iface.neighbor_cache_count"],
                )  # fmt: skip
                for queued in packets:
                    _lost(stack, out, reason.NEIGH_QUEUE_PURGED, entry, queued, now)


def _trace_of(queued: Queued) -> Trace | None:
    return queued.origin if isinstance(queued.origin, Trace) else None


def _lost(
    stack: "Stack", out: Interface, why: Reason, entry: Neighbor, queued: Queued, now: int
) -> None:
    stack.ledger.record(
        why, out.name, now, _trace_of(queued),
        next_hop=addr.IPV4.format(entry.ip), queued=len(entry.queue),
    )  # fmt: skip


def _give_up(stack: "Stack", out: Interface, entry: Neighbor, queued: Queued, now: int) -> None:
    """Tell the sender that its next hop does not answer (Linux arp_error_report)."""
    detail: dict[str, object] = {
        "next_hop": addr.IPV4.format(entry.ip),
        "probes": entry.probes,
        "dev": out.name,
    }
    stack.ledger.record(reason.NEIGH_FAILED, out.name, now, _trace_of(queued), **detail)
    notify.packet_failed(
        stack, queued.packet, out.name, "EHOSTUNREACH", reason.NEIGH_FAILED, detail, now
    )


def _probe_output(stack: "Stack", out: Interface, probe: SendProbe, now: int) -> None:
    """Ask for a neighbor's MAC, from the address that the waiting packet has (arp_announce=0)."""
    entry = probe.entry
    sender = None
    if entry.queue:
        source = int.from_bytes(entry.queue[-1].packet[12:16])
        sender = source if stack.fib.is_local(source) else None
    if sender is None:
        sender = select_source(stack, out, entry.ip, Scope.LINK) or 0
    target = entry.lladdr if probe.unicast and entry.lladdr is not None else addr.BROADCAST_MAC
    arp_output(stack, out, arp.Op.REQUEST, sender, addr.ZERO_MAC, entry.ip, target, now)
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
    packet = arp.ArpPacket(op, out.mac, sender_ip, target_mac, target_ip).to_bytes()
    ethernet_output(stack, out, frame_dst, ethernet.EtherType.ARP, packet, now, trace)


def ethernet_output(
    stack: "Stack",
    out: Interface,
    dst: bytes,
    ethertype: int,
    payload: bytes,
    now: int,
    trace: Trace | None = None,
) -> None:
    """Put the frame into the interface's outbox, from where the device takes it."""
    if not out.up:
        stack.ledger.record(reason.TX_IFACE_DOWN, out.name, now, trace)
        out.counters.tx_dropped += 1
    elif not out.carrier:
        _no_carrier(stack, out, now, trace)
    elif len(out.outbox) >= OUTBOX_LIMIT:
        stack.ledger.record(reason.TX_QUEUE_FULL, out.name, now, trace)
        out.counters.tx_dropped += 1
    else:
        frame = ethernet.EthernetHeader(dst, out.mac, ethertype).to_bytes() + payload
        if trace is None:
            out.outbox.append(frame)
        else:
            out.outbox.append(TracedFrame(frame, trace))
            out.traced += 1


def _no_carrier(stack: "Stack", out: Interface, now: int, trace: Trace | None) -> None:
    stack.ledger.record(reason.TX_NO_CARRIER, out.name, now, trace)
    out.counters.tx_dropped += 1
    out.counters.tx_carrier_errors += 1


def settle_sent(item: bytes | TracedFrame, now: int) -> None:
    """Tell the follower of a frame that the device took it."""
    if isinstance(item, TracedFrame):
        item.trace.settle(Fate.SENT, now)
