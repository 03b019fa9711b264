"""Echo requests of both families, and what ping says about the errors that come back."""

from typing import NamedTuple

from smolctl.stack import reason
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.ipv4.output import icmp_output
from smolctl.stack.ipv6.output import icmp6_output
from smolctl.stack.packet import DeliveryError
from smolctl.stack.stack import Stack
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.ping import EchoClient
from smolctl.wire import icmpv4, icmpv6
from smolctl.wire.address import IPV4, family_of
from smolctl.wire.icmpv4 import TimeExceeded, Unreachable


class Echo(NamedTuple):
    """One echo request.

    Attributes:
        sequence: its number, 0..65535.
        trace: follows it.
    """

    sequence: int
    body: bytes
    trace: Trace


def send_echo(stack: Stack, client: EchoClient, echo: Echo, how: SendOptions, now: int) -> None:
    """Send an echo request to the host that a client asks.

    Raises:
        SendRejected, NoBuffers: it goes no way.
    """
    rest = client.ident << 16 | echo.sequence
    if family_of(client.dst) is IPV4:
        four = icmpv4.IcmpMessage(icmpv4.Type.ECHO_REQUEST, 0, rest, echo.body)
        icmp_output(stack.ipv4, four, client.dst, now, how, echo.trace, client)
        return
    six = icmpv6.Icmpv6Message(icmpv6.Type.ECHO_REQUEST, 0, rest, echo.body)
    icmp6_output(stack.ipv6, six, client.dst, now, how, echo.trace, client)


def echo_type(dst: int) -> int:
    """Return the ICMP type of an echo request to an address."""
    if family_of(dst) is IPV4:
        return icmpv4.Type.ECHO_REQUEST
    return icmpv6.Type.ECHO_REQUEST


# --- what people read -----------------------------------------------------------------------------

_UNREACHABLE: dict[object, str] = {
    Unreachable.NET: "Destination Net Unreachable",
    Unreachable.HOST: "Destination Host Unreachable",
    Unreachable.PROTOCOL: "Destination Protocol Unreachable",
    Unreachable.PORT: "Destination Port Unreachable",
    Unreachable.SOURCE_ROUTE_FAILED: "Source Route Failed",
    Unreachable.NET_UNKNOWN: "Destination Net Unknown",
    Unreachable.HOST_UNKNOWN: "Destination Host Unknown",
    Unreachable.HOST_ISOLATED: "Source Host Isolated",
    Unreachable.NET_PROHIBITED: "Destination Net Prohibited",
    Unreachable.HOST_PROHIBITED: "Destination Host Prohibited",
    Unreachable.NET_TOS: "Destination Net Unreachable for Type of Service",
    Unreachable.HOST_TOS: "Destination Host Unreachable for Type of Service",
    Unreachable.ADMIN: "Packet filtered",
    Unreachable.PRECEDENCE_VIOLATION: "Precedence Violation",
    Unreachable.PRECEDENCE_CUTOFF: "Precedence Cutoff",
}
_TIME_EXCEEDED: dict[object, str] = {
    TimeExceeded.TTL: "Time to live exceeded",
    TimeExceeded.REASSEMBLY: "Frag reassembly time exceeded",
}
_UNREACHABLE6: dict[object, str] = {
    icmpv6.Unreachable.NO_ROUTE: "No route",
    icmpv6.Unreachable.ADMIN: "Administratively prohibited",
    icmpv6.Unreachable.BEYOND_SCOPE: "Beyond scope of source address",
    icmpv6.Unreachable.ADDRESS: "Address unreachable",
    icmpv6.Unreachable.PORT: "Port unreachable",
}
_EXCEEDED6: dict[object, str] = {
    icmpv6.TimeExceeded.HOP_LIMIT: "Hop limit",
    icmpv6.TimeExceeded.REASSEMBLY: "Defragmentation failure",
}
_PROBLEMS6: dict[object, str] = {
    icmpv6.ParameterProblem.HEADER: "Wrong header field",
    icmpv6.ParameterProblem.NEXT_HEADER: "Unknown header",
    icmpv6.ParameterProblem.OPTION: "Unknown option",
}


def error_text(error: DeliveryError) -> str:
    """Return what ping says about an ICMP error (iputils pr_icmph, print_icmp)."""
    six = family_of(error.dst) is not IPV4
    if error.reason is reason.NEIGH_FAILED:
        host = _UNREACHABLE[Unreachable.HOST]
        return "Destination unreachable: Address unreachable" if six else host
    return _text6(error) if six else _text4(error)


def _text4(error: DeliveryError) -> str:
    detail = error.detail
    kind, code = detail.get("type"), detail.get("icmp_code")
    if kind == icmpv4.Type.DEST_UNREACHABLE:
        if code == Unreachable.FRAG_NEEDED:
            return f"Frag needed and DF set (mtu = {detail['mtu'] or 0})"
        return _UNREACHABLE.get(code, f"Dest Unreachable, Bad Code: {code}")
    if kind == icmpv4.Type.TIME_EXCEEDED:
        return _TIME_EXCEEDED.get(code, f"Time exceeded, Bad Code: {code}")
    if kind == icmpv4.Type.PARAMETER_PROBLEM:
        return f"Parameter problem: pointer = {detail['pointer']}"
    return error.reason.name


def _text6(error: DeliveryError) -> str:
    detail = error.detail
    kind, code = detail.get("type"), detail.get("icmp_code")
    if kind == icmpv6.Type.DEST_UNREACHABLE:
        return f"Destination unreachable: {_UNREACHABLE6.get(code, f'Unknown code {code}')}"
    if kind == icmpv6.Type.PACKET_TOO_BIG:
        return f"Packet too big: mtu={detail['mtu']}" + (f", code={code}" if code else "")
    if kind == icmpv6.Type.TIME_EXCEEDED:
        return f"Time exceeded: {_EXCEEDED6.get(code, f'code {code}')}"
    if kind == icmpv6.Type.PARAMETER_PROBLEM:
        what = _PROBLEMS6.get(code, f"code {code}")
        return f"Parameter problem: {what} at {detail['pointer']}"
    return error.reason.name
