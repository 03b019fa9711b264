"""The meaning of each ICMP error: reason, cause and errno, by type and code."""

from typing import NamedTuple

from smolctl.stack import reason
from smolctl.stack.reason import Reason
from smolctl.wire.icmpv4 import ParameterProblem, TimeExceeded, Type, Unreachable


class Meaning(NamedTuple):
    """The meaning of an ICMP error; ``cause`` as its reason has them.

    Attributes:
        errno_name: what a sender's program gets, where it is not the reason's own.
    """

    reason: Reason
    cause: str | None = None
    errno_name: str | None = None

    @property
    def errno(self) -> str:
        """The errno that a sender's program gets."""
        return self.errno_name or self.reason.linux


def meaning(icmp_type: int, code: int) -> Meaning | None:
    """Return what an ICMP error means; source quench and redirects are none.

    A code that no RFC defines means what its type does.

    Source: RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1; Linux icmp_err_convert.
    """
    if icmp_type == Type.DEST_UNREACHABLE:
        return _UNREACHABLE.get(code, Meaning(reason.ICMP_HOST_UNREACHABLE, "code"))
    if icmp_type == Type.TIME_EXCEEDED:
        return _TIME_EXCEEDED.get(code, Meaning(reason.ICMP_TIME_EXCEEDED, "code"))
    if icmp_type == Type.PARAMETER_PROBLEM:
        cause = _PARAMETER_PROBLEM.get(code, "code")
        return Meaning(reason.ICMP_PARAMETER_PROBLEM, cause)
    return None


_UNREACHABLE: dict[int, Meaning] = {
    Unreachable.NET: Meaning(reason.ICMP_NET_UNREACHABLE, "route"),
    Unreachable.HOST: Meaning(reason.ICMP_HOST_UNREACHABLE, "host"),
    Unreachable.PROTOCOL: Meaning(reason.ICMP_PROTOCOL_UNREACHABLE),
    Unreachable.PORT: Meaning(reason.ICMP_PORT_UNREACHABLE),
    Unreachable.FRAG_NEEDED: Meaning(reason.ICMP_FRAGMENTATION_NEEDED),
    Unreachable.SOURCE_ROUTE_FAILED: Meaning(reason.ICMP_SOURCE_ROUTE_FAILED),
    Unreachable.NET_UNKNOWN: Meaning(reason.ICMP_NET_UNREACHABLE, "unknown"),
    Unreachable.HOST_UNKNOWN: Meaning(reason.ICMP_HOST_UNKNOWN),
    Unreachable.HOST_ISOLATED: Meaning(reason.ICMP_HOST_ISOLATED),
    Unreachable.NET_PROHIBITED: Meaning(reason.ICMP_PROHIBITED, "net", "ENETUNREACH"),
    Unreachable.HOST_PROHIBITED: Meaning(reason.ICMP_PROHIBITED, "host"),
    Unreachable.NET_TOS: Meaning(reason.ICMP_NET_UNREACHABLE, "tos"),
    Unreachable.HOST_TOS: Meaning(reason.ICMP_HOST_UNREACHABLE, "tos"),
    Unreachable.ADMIN: Meaning(reason.ICMP_PROHIBITED, "rule"),
    Unreachable.PRECEDENCE_VIOLATION: Meaning(reason.ICMP_PRECEDENCE, "violation"),
    Unreachable.PRECEDENCE_CUTOFF: Meaning(reason.ICMP_PRECEDENCE, "cutoff"),
}
_TIME_EXCEEDED: dict[int, Meaning] = {
    TimeExceeded.TTL: Meaning(reason.ICMP_TIME_EXCEEDED, "ttl"),
    TimeExceeded.REASSEMBLY: Meaning(reason.ICMP_FRAGMENT_LOST),
}
_PARAMETER_PROBLEM: dict[int, str] = {
    ParameterProblem.POINTER: "pointer",
    ParameterProblem.OPTION_MISSING: "option",
    ParameterProblem.LENGTH: "length",
}
