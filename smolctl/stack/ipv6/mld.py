"""Multicast listener discovery (RFC 3810): queries in, reports out."""

from smolctl.stack import reason
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface
from smolctl.stack.ip.group_reports import ReportAction, ReportRules, SendMessage, packed
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv6.addresses import usable
from smolctl.stack.link.output import ethernet_output
from smolctl.stack.packet import Packet
from smolctl.stack.sysctl.link_settings import Values
from smolctl.stack.trace.facts import Planned
from smolctl.stack.trace.trace import Direction, Fate
from smolctl.wire import ethernet, icmpv6, ipv6, mld
from smolctl.wire.address import (
    ALL_NODES,
    ALL_ROUTERS,
    UNSPECIFIED6,
    is_multicast,
    multicast_mac,
    multicast_scope,
)
from smolctl.wire.fault import WireFault
from smolctl.wire.icmpv6 import Type
from smolctl.wire.ipv6 import Ipv6Header, NextHeader
from smolctl.wire.ipv6_ext import MLD_HEADER
from smolctl.wire.mld import Membership, Query, Record, Report

_INTERFACE_SCOPE = 1
_HEADERS_LEN = ipv6.HEADER_LEN + len(MLD_HEADER) + icmpv6.HEADER_LEN


def _reported(_settings: Values, group: int) -> bool:
    """Tell whether a group is reported: every node is in ff02::1, and routers see no nearer scope.

    Source: RFC 3810 5.2.12, 6; Linux MAF_NOREPORT.
    """
    return group != ALL_NODES and multicast_scope(group) > _INTERFACE_SCOPE


RULES = ReportRules(
    latest=2,
    plain=0,
    all_groups=UNSPECIFIED6,
    all_routers=ALL_ROUTERS,
    report_types={1: Type.MLD_REPORT},
    leave_type=Type.MLD_DONE,
    force_version="mld.force_version",
    qrv="mld.qrv",
    old_interval="mld.v1_unsolicited_report_interval_ms",
    interval="mld.v2_unsolicited_report_interval_ms",
    robustness_min=2,
    strict=True,
    reported=_reported,
)


# --- output ---------------------------------------------------------------------------------------


def send_reports(net: Network, out: Interface, actions: list[ReportAction], now: int) -> None:
    """Send what the table of an interface asked for."""
    for action in actions:
        if isinstance(action, SendMessage):
            net.recorder.count("mld.dones_sent" if action.leaves else "mld.reports_sent")
            mld_output(net, out, action.dst, Membership(action.type, action.group), now)
            continue
        room = out.mtu - _HEADERS_LEN
        for part in packed(action.records, room, mld.RECORD_LEN, mld.SOURCE_LEN):
            net.recorder.count("mld.reports_sent")
            report = Report(tuple(Record(*record) for record in part))
            mld_output(net, out, mld.V2_ROUTERS, report, now)


def mld_output(
    net: Network, out: Interface, dst: int, message: Report | Membership, now: int
) -> None:
    """Send one message to a group: hop limit 1, and the router alert option (RFC 3810 5)."""
    src = _source(out)
    body = MLD_HEADER + message.to_bytes(src, dst)
    header = Ipv6Header(0, 0, len(body), NextHeader.HOP_BY_HOP, mld.HOP_LIMIT, src, dst)
    trace = net.recorder.begin(Direction.OUT, now, None, out.name)
    trace.src = src
    packet = Packet(header.to_bytes() + body, out, now, trace, net.recorder)
    packet.header, trace.frame = header, packet.data
    ethernet_output(packet, multicast_mac(dst), ethernet.EtherType.IPV6)


def _source(out: Interface) -> int:
    """Return the link-local address of an interface; ``::`` while that is tested (RFC 3590 4)."""
    for item in out.ipv6.addresses.items:
        if item.scope is Scope.LINK and usable(out, item.local):
            return item.local
    return UNSPECIFIED6


# --- input ----------------------------------------------------------------------------------------


def mld_input(net: Network, packet: Packet) -> None:
    """Take one message whose checksum is right; what it leads to is sent later (RFC 3810 6.2)."""
    header = packet.header
    alert = None if packet.chain is None else packet.chain.alert
    message = mld.parse(packet.message, header.src, header.hop_limit, alert)
    if isinstance(message, WireFault):
        packet.malformed(message)
        return
    packet.step("mld", "ok", message)
    if isinstance(message, Query):
        _query_input(net, packet, message)
        return
    net.recorder.count("mld.reports_received")
    if isinstance(message, Membership) and message.type == Type.MLD_REPORT:
        net.of(packet.interface).reports.heard(message.group, packet.now)
    packet.trace.settle(Fate.ABSORBED, packet.now)


def _query_input(net: Network, packet: Packet, query: Query) -> None:
    state = net.of(packet.interface)
    wrong = _wrong(query, follows_older=state.reports.follows_older)
    if wrong:
        src, group = packet.header.src, query.group
        packet.record(reason.MLD_QUERY_REFUSED, ip=src, cause=wrong, group=group)
        return
    net.recorder.count("mld.queries_received")
    groups = state.reports.asked(query, state.groups.filters, packet.now)
    packet.step("answer", "ok", Planned(groups, query.max_response_ms))
    packet.trace.settle(Fate.ABSORBED, packet.now)


def _wrong(query: Query, *, follows_older: bool) -> str:
    """Return what is wrong with a query, as reasons have it; "" when it is to be answered.

    Source: RFC 3810 5.1.10; Linux ``__mld_query_work``.
    """
    general = query.group == UNSPECIFIED6
    if not (general or is_multicast(query.group)):
        return "group"
    if general and query.sources:
        return "sources"
    return "version" if query.version == 1 and not follows_older else ""
