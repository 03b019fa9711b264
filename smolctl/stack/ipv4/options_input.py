"""IPv4 options in: filled in for us, refused, or answered with what is wrong with them."""

from smolctl.stack import reason
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import ErrorKind
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.stack.ipv4.options import arrived
from smolctl.stack.packet import Packet
from smolctl.wire import ipv4, ipv4_options

WholeOptions = ipv4_options.Options
"""Those of a packet that may go on."""


def options_input(net: Network, packet: Packet) -> bool:
    """Take the options of a packet that is for us and fill them in; False when it ends here.

    Source: RFC 1122 3.2.1.8; Linux ``ip_rcv_options``.
    """
    options = options_checked(net, packet)
    if options is None:
        return False
    header = packet.header
    opened = arrived(net, header, options, _own(net, header), packet.now)
    packet.header = opened
    packet.step("options", "ok", options._replace(raw=opened.options))
    return True


def options_checked(net: Network, packet: Packet) -> WholeOptions | None:
    """Return the options of a packet that came in; None when it ends here because of them."""
    header = packet.header
    options = ipv4_options.parse(header.options)
    if isinstance(options, ipv4_options.BadOption):
        packet.record(
            reason.IP_BAD_OPTION, kind=options.kind, pointer=options.pointer, ip=header.src,
            cause=options.cause,
        )  # fmt: skip
        # RFC 1122 3.2.2.5: the pointer is in the first byte of what follows the checksum.
        net.answer_error(packet, ErrorKind.BAD_HEADER, options.pointer << 24)
        return None
    if options.route is not None:
        refused = None
        if not packet.interface.settings["ip.accept_source_route"]:
            refused = reason.IP_SOURCE_ROUTE
        elif not options.route_done:
            refused = reason.IP_SOURCE_ROUTE_OPEN
        if refused is not None:
            packet.record(refused, ip=header.dst)
            net.answer_error(packet, ErrorKind.SOURCE_ROUTE)  # RFC 1122 3.3.5: code 5
            return None
    return options


def _own(net: Network, header: ipv4.Ipv4Header) -> int:
    """Return our address for a record route: the one that was asked, or that would answer.

    Source: Linux ``fib_compute_spec_dst``.
    """
    if net.fib.is_local(header.dst):
        return header.dst
    way = route_output(net, RouteKey(header.src))
    return way.src or 0 if isinstance(way, Way) else 0
