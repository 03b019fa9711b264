"""IPv4 options in: filled in for us, refused, or answered with what is wrong with them."""

from typing import TYPE_CHECKING

from smolctl.stack import reason
from smolctl.stack.interface import Interface
from smolctl.stack.ip.route_output import Decision, decide
from smolctl.stack.ipv4 import icmp_error
from smolctl.stack.ipv4 import options as ip_options
from smolctl.stack.packet import Cast
from smolctl.stack.trace.trace import Trace
from smolctl.wire import icmpv4, ipv4, ipv4_options
from smolctl.wire.address import format_address

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

WholeHeader = ipv4.Ipv4Header
"""The header of a packet whose options were looked at; they are filled in."""
WholeOptions = ipv4_options.Options
"""Those of a packet that may go on."""


def options_input(
    stack: "Stack",
    interface: Interface,
    packet: bytes,
    header: ipv4.Ipv4Header,
    now: int,
    trace: Trace,
    cast: Cast,
) -> WholeHeader | None:
    """Take the options of a packet that is for us; return its header, or None when it ends here.

    Args:
        packet: as it came, which an ICMP error quotes.

    Source: RFC 1122 3.2.1.8; Linux ``ip_rcv_options``.
    """
    options = options_checked(stack, interface, packet, header, now, trace, cast)
    if options is None:
        return None
    opened = ip_options.arrived(stack, header, options, _own(stack, header), now)
    trace.step("options", "ok", now, options._replace(raw=opened.options))
    return opened


def options_checked(
    stack: "Stack",
    interface: Interface,
    packet: bytes,
    header: ipv4.Ipv4Header,
    now: int,
    trace: Trace,
    cast: Cast,
) -> WholeOptions | None:
    """Return the options of a packet that came in; None when it ends here because of them."""
    record, name, group = stack.ledger.record, interface.name, cast is not Cast.HOST
    options = ipv4_options.parse(header.options)
    if isinstance(options, ipv4_options.BadOption):
        record(
            reason.IP_BAD_OPTION, name, now, trace,
            kind=options.kind, pointer=options.pointer, ip=format_address(header.src),
        )  # fmt: skip
        # RFC 1122 3.2.2.5: the pointer is in the first byte of what follows the checksum.
        icmp_error.answer(
            stack, interface, icmpv4.Type.PARAMETER_PROBLEM, 0, packet, header, now, trace,
            group_frame=group, rest=options.pointer << 24,
        )  # fmt: skip
        return None
    if options.route is not None:
        refused = None
        if not stack.settings["ip.accept_source_route"]:
            refused = reason.IP_SOURCE_ROUTE
        elif not options.route_done:
            refused = reason.IP_SOURCE_ROUTE_OPEN
        if refused is not None:
            record(refused, name, now, trace, ip=format_address(header.dst))
            # RFC 1122 3.3.5: code 5, source route failed.
            icmp_error.answer(
                stack, interface, icmpv4.Type.DEST_UNREACHABLE,
                icmpv4.Unreachable.SOURCE_ROUTE_FAILED, packet, header, now, trace,
                group_frame=group,
            )  # fmt: skip
            return None
    return options


def _own(stack: "Stack", header: ipv4.Ipv4Header) -> int:
    """Return our address for a record route: the one that was asked, or that would answer.

    Source: Linux ``fib_compute_spec_dst``.
    """
    if stack.fib.is_local(header.dst):
        return header.dst
    way = decide(stack, header.src)
    return way.src or 0 if isinstance(way, Decision) else 0
