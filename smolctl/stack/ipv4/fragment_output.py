"""Fragments out: a datagram that is too big for its way leaves in pieces (RFC 791 3.2).

Each piece has a trace and a fate of its own, and is what is counted; the datagram is sent when all
of them are, or ends as the first that is not (``Trace.whole``).
"""

from typing import TYPE_CHECKING

from smolctl.stack.interface import Medium
from smolctl.stack.ip.route_output import Decision
from smolctl.stack.link.output import ethernet_output
from smolctl.stack.neighbor.output import neighbor_output
from smolctl.stack.trace.facts import Cut
from smolctl.stack.trace.trace import Trace
from smolctl.wire import ethernet, ipv4
from smolctl.wire.address import BROADCAST_MAC, multicast_mac
from smolctl.wire.fragment import fragments

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def packet_output(
    stack: "Stack", decision: Decision, packet: bytes, now: int, trace: Trace
) -> None:
    """Hand a packet, or a fragment, to the interface that was decided on.

    Raises: as ``egress_link.neighbor_output``.
    """
    out = decision.interface
    if out.medium is Medium.IP:
        stack.loop_back(out, packet, trace, now)
    elif decision.type == "unicast":
        neighbor_output(stack, out, decision.next_hop, packet, now, trace)
    else:
        mac = BROADCAST_MAC
        if decision.type == "multicast":
            mac = multicast_mac(decision.dst)
        ethernet_output(stack, out, mac, ethernet.EtherType.IPV4, packet, now, trace)


def fragments_output(
    stack: "Stack",
    decision: Decision,
    header: ipv4.Ipv4Header,
    segment: bytes,
    now: int,
    trace: Trace,
) -> None:
    """Cut a datagram for ``decision.mtu`` and hand the fragments to the interface, in order.

    Args:
        header: of the whole, without DF.
        trace: the datagram's, where it leaves and whence is known already.

    Raises: as ``packet_output``; no further fragment leaves then.
    """
    out = decision.interface
    packets = fragments(header, segment, decision.mtu)
    trace.parts = len(packets)
    cut = Cut(len(packets), header.total_length, decision.mtu, header.ident)
    trace.step("fragment", "ok", now, cut)
    stack.ledger.count("ip.datagrams_fragmented")
    stack.ledger.count("ip.fragments_created", len(packets))
    for packet in packets:
        part = stack.journal.begin(trace.direction, now, trace, out.name)
        part.whole, part.followed = trace, trace.followed
        part.src, part.gateway, part.frame = trace.src, trace.gateway, packet
        part.step("ip", "ok", now, ipv4.parse(packet))
        packet_output(stack, decision, packet, now, part)
