"""The way in for groups: who may send to one, who is a member, and a copy for each socket."""

from typing import TYPE_CHECKING

from smolctl.stack import deliver, policy, reason
from smolctl.stack.facts import Member
from smolctl.stack.fate import Fate, Trace
from smolctl.stack.interface import Interface
from smolctl.stack.reason import Reason
from smolctl.stack.udp_socket import Datagram
from smolctl.wire import addr, ipv4

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def may_be_nobody(header: ipv4.Ipv4Header) -> bool:
    """Tell whether a packet may have the source 0.0.0.0.

    So may that of a host which asks for its address by broadcast (RFC 1122 3.2.1.3(a)); and who
    has no address yet may report its groups, and speak to those of its link (RFC 3376 4.2.13;
    Linux brd_input, ip_mc_validate_source).
    """
    near = header.dst >> 8 == 0xE00000
    return addr.is_limited_broadcast(header.dst) or near or header.protocol == ipv4.Protocol.IGMP


def validate(
    stack: "Stack",
    interface: Interface,
    header: ipv4.Ipv4Header,
    trace: Trace,
    now: int,
    *,
    looped: bool,
) -> tuple[Reason | None, dict[str, object]]:
    """Check whether anybody here wants a packet to a group (RFC 1122 3.3.7; Linux ip_check_mc)."""
    src, dst = header.src, header.dst
    members = interface.groups.members(dst)
    if not members:
        return reason.IP_MULTICAST_NOT_JOINED, {"ip": addr.IPV4.format(dst)}
    # Queries and reports are for the host itself, whatever sources its sockets want.
    if header.protocol != ipv4.Protocol.IGMP and not interface.groups.allows(dst, src):
        ip, source = addr.IPV4.format(dst), addr.IPV4.format(src)
        return reason.IP_MULTICAST_FILTERED, {"ip": ip, "source": source}
    if not looped:
        back = policy.reverse_path(stack, interface, src, dst, header.dscp_ecn)
        if back is not None:
            return reason.IP_REVERSE_PATH, back
    trace.step("route", "pick", now, Member(dst, interface.name, len(members)))
    return None, {}


def group_deliver(stack: "Stack", datagram: Datagram, trace: Trace) -> None:
    """Queue a broadcast or multicast for every socket that wants it (RFC 1122 4.1.3.5).

    The datagram has one fate: it is delivered when at least one of them has room for it. Further
    copies are counted, and so is each that a socket has no room for.
    """
    payload, src, sport, dst, dport, dev, at_ns, *_ = datagram
    group = addr.is_multicast(dst)
    sockets = stack.udp.matching(src, sport, dst, dport, dev, multicast=group)
    if not sockets:
        ip = addr.IPV4.format(dst)
        stack.ledger.record(
            reason.UDP_NO_LISTENER, dev, at_ns, trace, ip=ip, port=dport,
            group=ip if group else None, broadcast=None if group else ip,
            bound=deliver.shown(stack.udp.at_port(dport)),
        )  # fmt: skip
        return
    full = [socket for socket in sockets if not socket.has_room(payload)]
    takers = [socket for socket in sockets if socket not in full]
    for socket in takers:
        trace.step("socket", "pick", at_ns, deliver.bound(socket))
        deliver.enqueue(stack, socket, datagram)
    trace.dev = dev
    for socket in full if takers else full[1:]:
        lost = deliver.lost(socket)
        stack.ledger.record(reason.UDP_COPY_LOST, dev, at_ns, trace, **lost)
    if takers:
        if len(takers) > 1:
            stack.ledger.count("udp.copies_delivered", len(takers) - 1)
        trace.settle(Fate.DELIVERED, at_ns)
    else:
        lost = deliver.lost(full[0])
        stack.ledger.record(reason.UDP_RCVBUF_FULL, dev, at_ns, trace, **lost)
