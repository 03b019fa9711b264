"""Fragments of IPv4: their places, and the datagram that they make (RFC 791 3.2)."""

from smolctl.stack import reason
from smolctl.stack.ip.reassembly import Fault, FragmentRules, ReceivedFragment, Whole
from smolctl.stack.packet import Packet
from smolctl.wire import ipv4


def received(packet: Packet) -> ReceivedFragment:
    """Return a fragment; source, destination, protocol and ident say to which datagram it belongs.

    Args:
        packet: without padding.
    """
    header = packet.header
    key = header.src, header.dst, header.protocol, header.ident
    return ReceivedFragment(packet, key, header.fragment_offset, header.header_len, mf=header.mf)


def _fault(fragment: ReceivedFragment) -> tuple[Fault, bool] | None:
    """Tell what is wrong with a fragment alone, and whether its datagram goes with it."""
    start, end = fragment.start, fragment.end
    # RFC 791 3.1: all but the last have a multiple of 8 bytes. One without data is no fragment.
    if start == end or (fragment.mf and end % 8):
        cause = "empty" if start == end else "uneven"
        return (reason.FRAG_BAD_LENGTH, {"size": end - start, "cause": cause}), False
    length = end + ipv4.MIN_HEADER_LEN
    if length > ipv4.MAX_PACKET_LEN:
        return (reason.FRAG_TOO_BIG, {"size": length}), True
    return None


def _join(fragments: list[ReceivedFragment], ecn: int) -> Whole | Fault:
    """Put a datagram together. The header is the first one's, options and all (RFC 791 3.2)."""
    first = fragments[0].packet.header
    length = first.header_len + fragments[-1].end
    if length > ipv4.MAX_PACKET_LEN:
        return reason.FRAG_TOO_BIG, {"size": length}
    header = first._replace(dscp_ecn=first.dscp_ecn | ecn, total_length=length, mf=False)
    return Whole(header.to_bytes() + b"".join(item.data for item in fragments), header)


RULES = FragmentRules(
    time="ip.frag_time_ms",
    room="ip.frag_high_thresh",
    number="ip.frag_max_datagrams",
    overlap=reason.FRAG_OVERLAP,
    fault=_fault,
    join=_join,
)
