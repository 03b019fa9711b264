"""IGMP (RFC 3376): queries in, reports out."""

from collections.abc import Iterator

from smolctl.stack import reason
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface
from smolctl.stack.ip import group_reports
from smolctl.stack.ip.group_reports import ReportAction, ReportRules, SendMessage, packed
from smolctl.stack.ip.network import Network
from smolctl.stack.link.output import ethernet_output
from smolctl.stack.packet import Packet
from smolctl.stack.sysctl.link_settings import Values
from smolctl.stack.trace.facts import Planned
from smolctl.stack.trace.trace import Direction, Fate
from smolctl.wire import ethernet, igmp, ipv4, ipv4_options
from smolctl.wire.address import is_multicast, multicast_mac
from smolctl.wire.fault import WireFault
from smolctl.wire.igmp import Membership, Query, Record, Report, Type

INTERNETWORK_CONTROL = 0xC0
"""The type of service of IGMP (RFC 3376 4; RFC 791 3.1, precedence 6)."""
_HEADER_LEN = ipv4.MIN_HEADER_LEN + len(ipv4_options.ROUTER_ALERT)


def _reported(settings: Values, group: int) -> bool:
    """Tell whether a group is reported.

    That of all hosts never is (RFC 3376 5). Those that no router forwards need not be, but switches
    that listen to IGMP may want to know (RFC 4541 2.1.2).
    """
    if group == igmp.ALL_HOSTS:
        return False
    return group >> 8 != 0xE00000 or settings["igmp.link_local_reports"] != 0


RULES = ReportRules(
    latest=3,
    plain=1,
    all_groups=0,
    all_routers=igmp.ALL_ROUTERS,
    report_types={1: Type.REPORT_V1, 2: Type.REPORT_V2},
    leave_type=Type.LEAVE,
    force_version="igmp.force_version",
    qrv="igmp.qrv",
    old_interval="igmp.v2_unsolicited_report_interval_ms",
    interval="igmp.v3_unsolicited_report_interval_ms",
    robustness_min=0,
    strict=False,
    reported=_reported,
)


def send_reports(net: Network, out: Interface, actions: list[ReportAction], now: int) -> None:
    """Send what the table of an interface asked for."""
    for action in actions:
        if isinstance(action, SendMessage):
            net.recorder.count("igmp.leaves_sent" if action.leaves else "igmp.reports_sent")
            message = Membership(action.type, action.group)
            igmp_output(net, out, action.dst, message.to_bytes(), now)
            continue
        room = out.mtu - _HEADER_LEN - igmp.HEADER_LEN
        for report in reports(action.records, room):
            net.recorder.count("igmp.reports_sent")
            igmp_output(net, out, igmp.V3_ROUTERS, report.to_bytes(), now)


def igmp_output(net: Network, out: Interface, dst: int, message: bytes, now: int) -> None:
    """Send one message to a group: TTL 1, and the router alert option (RFC 3376 4, RFC 2236 2).

    Its source is an address of the interface; 0.0.0.0 while it has none (RFC 3376 4.2.13).
    """
    src = net.of(out).addresses.select(None, Scope.LINK) or 0
    header = ipv4.Ipv4Header(
        6, INTERNETWORK_CONTROL, _HEADER_LEN + len(message), 0, True, False, 0,
        1, ipv4.Protocol.IGMP, src, dst, ipv4_options.ROUTER_ALERT,
    )  # fmt: skip
    trace = net.recorder.begin(Direction.OUT, now, None, out.name)
    trace.src = src
    packet = Packet(header.to_bytes() + message, out, now, trace, net.recorder)
    packet.header = header
    ethernet_output(packet, multicast_mac(dst), ethernet.EtherType.IPV4)


def reports(records: list[group_reports.Record], room: int) -> Iterator[Report]:
    """Yield as few reports as hold the records, each of at most ``room`` bytes of records."""
    for part in packed(records, room, igmp.RECORD_LEN, igmp.SOURCE_LEN):
        yield Report(tuple(Record(*record) for record in part))


def igmp_input(net: Network, packet: Packet) -> None:
    """Take one IGMP message; what it leads to is sent later (RFC 3376 5.2)."""
    header, recorder = packet.header, net.recorder
    message = igmp.parse(packet.data[header.header_len : header.total_length])
    if isinstance(message, WireFault):
        packet.malformed(message)
        return
    packet.step("igmp", "ok", message)
    if isinstance(message, Query):
        _query_input(net, packet, message)
    elif isinstance(message, Membership | Report):
        recorder.count("igmp.reports_received")
        if isinstance(message, Membership) and message.type != Type.LEAVE:
            net.of(packet.interface).reports.heard(message.group, packet.now)
        packet.trace.settle(Fate.ABSORBED, packet.now)
    else:
        # RFC 3376 4: unrecognized types must be silently ignored.
        packet.record(reason.IGMP_TYPE_UNKNOWN, type=f"0x{message.type:02x}")


def _query_input(net: Network, packet: Packet, query: Query) -> None:
    wrong = _wrong(net, packet.header, query)
    if wrong:
        packet.record(
            reason.IGMP_QUERY_REFUSED, ip=packet.header.src, cause=wrong, group=query.group,
            knob="igmp.strict_queries" if wrong in _STRICT else None,
        )  # fmt: skip
        return
    net.recorder.count("igmp.queries_received")
    state = net.of(packet.interface)
    groups = state.reports.asked(query, state.groups.filters, packet.now)
    packet.step("answer", "ok", Planned(groups, query.max_response_ms))
    packet.trace.settle(Fate.ABSORBED, packet.now)


_STRICT = ("alert", "destination")
"""Faults of a query only where igmp.strict_queries is set."""


def _wrong(net: Network, header: ipv4.Ipv4Header, query: Query) -> str:
    """Return what is wrong with a query, as reasons have it; "" when it is to be answered."""
    if query.version > 1 and query.group and not is_multicast(query.group):
        return "group"
    if query.sources and not query.group:
        return "sources"  # RFC 3376 4.1.9
    if net.settings["igmp.strict_queries"]:
        # RFC 3376 9.1, against queries that are forged from far away.
        options = ipv4_options.parse(header.options)
        alert = isinstance(options, ipv4_options.Options) and options.alert
        if query.version > 1 and not alert:
            return "alert"
        if not query.group and header.dst != igmp.ALL_HOSTS:
            return "destination"
    return ""
