"""The meaning of each ICMPv6 error: reason, cause and errno, by type and code."""

from typing import NamedTuple

from smolctl.stack import reason
from smolctl.stack.reason import Reason
from smolctl.wire.icmpv6 import ParameterProblem, TimeExceeded, Type, Unreachable


class Meaning(NamedTuple):
    """The meaning of an ICMPv6 error; ``cause`` as its reason has them.

    Attributes:
        errno: what a sender's program gets.
    """

    reason: Reason
    cause: str | None
    errno: str


def meaning(icmp_type: int, code: int) -> Meaning:
    """Return what an ICMPv6 error means.

    A code that no RFC defines means what its type does.

    Source: RFC 4443 3; Linux ``icmpv6_err_convert``.
    """
    if icmp_type == Type.DEST_UNREACHABLE:
        return _UNREACHABLE.get(code, Meaning(reason.ICMP_HOST_UNREACHABLE, "code", "EHOSTUNREACH"))
    if icmp_type == Type.PACKET_TOO_BIG:
        return Meaning(reason.ICMP_FRAGMENTATION_NEEDED, None, "EMSGSIZE")
    if icmp_type == Type.TIME_EXCEEDED:
        if code == TimeExceeded.REASSEMBLY:
            return Meaning(reason.ICMP_FRAGMENT_LOST, None, "EHOSTUNREACH")
        cause = "ttl" if code == TimeExceeded.HOP_LIMIT else "code"
        return Meaning(reason.ICMP_TIME_EXCEEDED, cause, "EHOSTUNREACH")
    if icmp_type == Type.PARAMETER_PROBLEM:
        if code == ParameterProblem.NEXT_HEADER:
            return Meaning(reason.ICMP_PROTOCOL_UNREACHABLE, None, "EPROTO")
        cause = "byte" if code in _POINTING else "code"
        return Meaning(reason.ICMP_PARAMETER_PROBLEM, cause, "EPROTO")
    return Meaning(reason.ICMP6_ERROR_UNKNOWN, None, "EPROTO")


_POINTING = (ParameterProblem.HEADER, ParameterProblem.OPTION, ParameterProblem.FIRST_FRAGMENT)
_UNREACHABLE: dict[int, Meaning] = {
    Unreachable.NO_ROUTE: Meaning(reason.ICMP_NET_UNREACHABLE, "route", "ENETUNREACH"),
    Unreachable.ADMIN: Meaning(reason.ICMP_PROHIBITED, "rule", "EACCES"),
    Unreachable.BEYOND_SCOPE: Meaning(reason.ICMP_HOST_UNREACHABLE, "scope", "EHOSTUNREACH"),
    Unreachable.ADDRESS: Meaning(reason.ICMP_HOST_UNREACHABLE, "host", "EHOSTUNREACH"),
    Unreachable.PORT: Meaning(reason.ICMP_PORT_UNREACHABLE, None, "ECONNREFUSED"),
    Unreachable.SOURCE_POLICY: Meaning(reason.ICMP_PROHIBITED, "policy", "EACCES"),
    Unreachable.REJECT_ROUTE: Meaning(reason.ICMP_PROHIBITED, "reject", "EACCES"),
}
