"""IGMP (RFC 3376): queries in, reports out."""

from collections.abc import Iterator

from smolctl.stack import reason
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface
from smolctl.stack.ip.group_reports import ReportAction, SendMessage
from smolctl.stack.ip.network import Network
from smolctl.stack.link.output import ethernet_output
from smolctl.stack.packet import Packet
from smolctl.stack.trace.facts import Planned
from smolctl.stack.trace.trace import Direction, Fate
from smolctl.wire import ethernet, igmp, ipv4, ipv4_options
from smolctl.wire.address import is_multicast, multicast_mac
from smolctl.wire.fault import WireFault
from smolctl.wire.igmp import Change, Membership, Query, Record, Report, Type

INTERNETWORK_CONTROL = 0xC0
"""The type of service of IGMP (RFC 3376 4; RFC 791 3.1, precedence 6)."""
_HEADER_LEN = ipv4.MIN_HEADER_LEN + len(ipv4_options.ROUTER_ALERT)
_WHOLE = (Change.IS_EXCLUDE, Change.TO_EXCLUDE)
"""Records that must not be split: two of them would mean more than one."""


def send_reports(net: Network, out: Interface, actions: list[ReportAction], now: int) -> None:
    """Send what the table of an interface asked for."""
    for action in actions:
        if isinstance(action, SendMessage):
            leaves = action.message.type == igmp.Type.LEAVE
            net.recorder.count("igmp.leaves_sent" if leaves else "igmp.reports_sent")
            igmp_output(net, out, action.dst, action.message.to_bytes(), now)
            continue
        room = out.mtu - _HEADER_LEN - igmp.HEADER_LEN
        for report in packed(action.records, room):
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


def packed(records: list[Record], room: int) -> Iterator[Report]:
    """Yield as few reports as hold the records, each of at most ``room`` bytes of records.

    A record that is too long alone is split by its sources; where that would change what it says,
    the sources that do not fit are left out, which has routers forward more (RFC 3376 4.2.16).
    """
    waiting: list[Record] = []
    most = (room - igmp.RECORD_LEN) // igmp.SOURCE_LEN
    for part in (part for record in records for part in _parts(record, most)):
        if waiting and sum(each.size for each in waiting) + part.size > room:
            yield Report(tuple(waiting))
            waiting = []
        waiting.append(part)
    if waiting:
        yield Report(tuple(waiting))


def _parts(record: Record, most: int) -> list[Record]:
    """Return a record in parts of at most ``most`` sources each."""
    sources = record.sources
    if record.change in _WHOLE or len(sources) <= most:
        return [record._replace(sources=sources[:most])]
    return [record._replace(sources=sources[at : at + most]) for at in range(0, len(sources), most)]


def expire(net: Network, now: int) -> None:
    """Send the reports of every interface that are due."""
    for interface in net.interfaces.values():
        state = net.of(interface)
        due = state.reports.due_ns
        if due is not None and due <= now:
            send_reports(net, interface, state.reports.expire(state.groups.filters, now), now)


def deadline(net: Network) -> int | None:
    """Return when the next report is due."""
    first = None
    for interface in net.interfaces.values():
        due = net.of(interface).reports.due_ns
        if due is not None and (first is None or due < first):
            first = due
    return first


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
"""What is wrong with a query only where igmp.strict_queries is set."""


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
