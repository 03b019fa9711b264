"""The way out of IGMP: what ``igmp.Igmp`` wants said, in packets."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from smolctl.stack import egress_link
from smolctl.stack.fate import Direction
from smolctl.stack.igmp import Action, SendMessage
from smolctl.stack.interface import Interface
from smolctl.stack.route import Scope
from smolctl.wire import addr, ethernet, igmp, ipv4, ipv4_options
from smolctl.wire.igmp import Change, Record, Report

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

INTERNETWORK_CONTROL = 0xC0
"""The type of service of IGMP (RFC 3376 4; RFC 791 3.1, precedence 6)."""
_HEADER_LEN = ipv4.MIN_HEADER_LEN + len(ipv4_options.ROUTER_ALERT)
_WHOLE = (Change.IS_EXCLUDE, Change.TO_EXCLUDE)
"""Records that must not be split: two of them would mean more than one."""


def perform(stack: "Stack", out: Interface, actions: list[Action], now: int) -> None:
    """Send what the table of an interface asked for."""
    for action in actions:
        if isinstance(action, SendMessage):
            leaves = action.message.type == igmp.Type.LEAVE
            stack.ledger.count("igmp.leaves_sent" if leaves else "igmp.reports_sent")
            igmp_output(stack, out, action.dst, action.message.to_bytes(), now)
            continue
        room = out.mtu - _HEADER_LEN - igmp.HEADER_LEN
        for report in packed(action.records, room):
            stack.ledger.count("igmp.reports_sent")
            igmp_output(stack, out, igmp.V3_ROUTERS, report.to_bytes(), now)


def igmp_output(stack: "Stack", out: Interface, dst: int, message: bytes, now: int) -> None:
    """Send one message to a group: TTL 1, and the router alert option (RFC 3376 4, RFC 2236 2).

    Its source is an address of the interface; 0.0.0.0 while it has none (RFC 3376 4.2.13).
    """
    src = out.addresses.select(None, Scope.LINK) or 0
    header = ipv4.Ipv4Header(
        6, INTERNETWORK_CONTROL, _HEADER_LEN + len(message), 0, True, False, 0,
        1, ipv4.Protocol.IGMP, src, dst, ipv4_options.ROUTER_ALERT,
    )  # fmt: skip
    trace = stack.journal.begin(Direction.OUT, now, None, out.name)
    trace.src = src
    packet = header.to_bytes() + message
    mac = addr.multicast_mac(dst)
    egress_link.ethernet_output(stack, out, mac, ethernet.EtherType.IPV4, packet, now, trace)


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
