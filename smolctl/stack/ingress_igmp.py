"""IGMP in: routers ask which groups have members here, and other members report theirs."""

from typing import TYPE_CHECKING

from smolctl.stack import reason
from smolctl.stack.cast import wire_fault
from smolctl.stack.facts import Planned
from smolctl.stack.fate import Fate, Trace
from smolctl.stack.interface import Interface
from smolctl.wire import addr, igmp, ipv4, ipv4_options
from smolctl.wire.fault import WireFault
from smolctl.wire.igmp import Membership, Query, Report, Type

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def igmp_input(
    stack: "Stack",
    interface: Interface,
    packet: bytes,
    header: ipv4.Ipv4Header,
    now: int,
    trace: Trace,
) -> None:
    """Take one IGMP message; what it leads to is sent later (RFC 3376 5.2)."""
    message = igmp.parse(packet[header.header_len : header.total_length])
    if isinstance(message, WireFault):
        wire_fault(stack, interface, message, now, trace)
        return
    trace.step("igmp", "ok", now, message)
    if isinstance(message, Query):
        _query_input(stack, interface, header, message, now, trace)
    elif isinstance(message, Membership | Report):
        stack.ledger.count("igmp.reports_received")
        if isinstance(message, Membership) and message.type != Type.LEAVE:
            interface.igmp.heard(message.group, now)
        trace.settle(Fate.ABSORBED, now)
    else:
        # RFC 3376 4: unrecognized types must be silently ignored.
        stack.ledger.record(
            reason.IGMP_TYPE_UNKNOWN, interface.name, now, trace, type=f"0x{message.type:02x}"
        )


def _query_input(
    stack: "Stack",
    interface: Interface,
    header: ipv4.Ipv4Header,
    query: Query,
    now: int,
    trace: Trace,
) -> None:
    wrong = _wrong(stack, header, query)
    if wrong:
        stack.ledger.record(
            reason.IGMP_QUERY_REFUSED, interface.name, now, trace,
            ip=addr.IPV4.format(header.src), what=wrong,
            knob="igmp.strict_queries" if wrong in _STRICT else None,
        )  # fmt: skip
        return
    stack.ledger.count("igmp.queries_received")
    groups = interface.igmp.asked(query, interface.groups.filters, now)
    trace.step("answer", "ok", now, Planned(groups, query.max_response_ms))
    trace.settle(Fate.ABSORBED, now)


_NO_ALERT = "has no router alert option"
_WRONG_GROUP = "asks for all groups, but was not sent to 224.0.0.1"
_STRICT = (_NO_ALERT, _WRONG_GROUP)


def _wrong(stack: "Stack", header: ipv4.Ipv4Header, query: Query) -> str:
    """Return what is wrong with a query, "" when it is to be answered."""
    if query.version > 1 and query.group and not addr.is_multicast(query.group):
        return f"asks for {addr.IPV4.format(query.group)}, which is no group"
    if query.sources and not query.group:
        return "asks for all groups, but for some of their sources"  # RFC 3376 4.1.9
    if stack.settings["igmp.strict_queries"]:
        # RFC 3376 9.1, against queries that are forged from far away.
        options = ipv4_options.parse(header.options)
        alert = isinstance(options, ipv4_options.Options) and options.alert
        if query.version > 1 and not alert:
            return _NO_ALERT
        if not query.group and header.dst != igmp.ALL_HOSTS:
            return _WRONG_GROUP
    return ""
