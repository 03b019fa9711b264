"""ICMP errors out, as far as both families are alike: whether a packet is answered with one."""

from smolctl.stack import reason
from smolctl.stack.ip.network import Network
from smolctl.stack.packet import Packet

_LIMITS = {
    "icmp.ratelimit_ms": "host",
    "icmp6.ratelimit_ms": "host",
    "icmp.msgs_per_sec": "all",
    "icmp.msgs_burst": "none",
}
"""Cause of the reason, by the sysctl of the rate limit that forbids an error."""


def may_answer(net: Network, packet: Packet, forbidden: str | None, *, limited: bool) -> bool:
    """Tell whether a packet is answered with an error; that it is not, is recorded.

    Args:
        forbidden: which packet it is that the RFC forbids to answer, None for none.
        limited: the error is one of those that the rate limit is for.
    """
    header = packet.header
    if forbidden is not None:
        packet.record(reason.ICMP_REPLY_SUPPRESSED, cause=forbidden, ip=header.src, dst=header.dst)
        return False
    # The loopback is exempt, as in Linux icmpv4_xrlim_allow: nobody else is bothered.
    if not limited or packet.interface.loopback or net.icmp_limiter.allow(header.src, packet.now):
        return True
    sysctl = net.icmp_limiter.refused_by
    packet.record(reason.ICMP_RATE_LIMITED, ip=header.src, knob=sysctl, cause=_LIMITS[sysctl])
    return False
