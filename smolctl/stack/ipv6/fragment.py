"""Fragments of IPv6: their places, and the packet that they make (RFC 8200 4.5)."""

from smolctl.stack import reason
from smolctl.stack.ip.reassembly import Fault, FragmentRules, ReceivedFragment, Whole
from smolctl.stack.packet import Packet
from smolctl.wire import ipv6
from smolctl.wire.ipv6_ext import FRAGMENT_LEN, Chain, ExtHeader, reassembled


def received(packet: Packet, chain: Chain) -> ReceivedFragment:
    """Return a fragment; source, destination and ident say to which packet it belongs.

    A link-local address is another one on each link.

    Args:
        packet: without padding.
        chain: its headers; the last is its fragment header, which is not atomic.
    """
    header, fragment = packet.header, chain.fragment
    if fragment is None:
        raise AssertionError("a fragment has a fragment header")
    key = header.src, header.dst, fragment.ident, packet.interface.name
    return ReceivedFragment(packet, key, fragment.fragment_offset, chain.offset, mf=fragment.mf)


def with_fragment_header(chain: Chain) -> Chain:
    """Return the headers of a packet that was in pieces, which RFC 6980 5 wants to know."""
    passed = ExtHeader(ipv6.NextHeader.FRAGMENT, ipv6.HEADER_LEN, FRAGMENT_LEN)
    return chain._replace(headers=(*chain.headers, passed))


def _fault(_fragment: ReceivedFragment) -> tuple[Fault, bool] | None:
    """Tell what is wrong with a fragment alone: nothing that ``ipv6_ext.walk`` has not found."""
    return None


def _join(fragments: list[ReceivedFragment], ecn: int) -> Whole | Fault:
    """Put a packet together: all headers before the fragment header are those of the first one.

    RFC 8200 4.5. What it has of ECN is what all of them have together (RFC 3168 5.3).
    """
    first = fragments[0].packet
    chain = first.chain
    if chain is None:
        raise AssertionError("a fragment has a fragment header")
    length = chain.offset - FRAGMENT_LEN - ipv6.HEADER_LEN + fragments[-1].end
    if length > ipv6.MAX_PAYLOAD_LEN:
        values: dict[str, object] = {"number": length}
        return reason.FRAG6_TOO_BIG, values
    data = reassembled(first.data, chain, b"".join(item.data for item in fragments))
    header = ipv6.parse_unchecked(data)
    if header is None:
        raise AssertionError("a packet that was put together has a header")
    marked = header._replace(traffic_class=header.traffic_class | ecn)
    return Whole(marked.to_bytes() + data[ipv6.HEADER_LEN :], marked)


RULES = FragmentRules(
    time="ip6.frag_time_ms",
    room="ip6.frag_high_thresh",
    number="ip6.frag_max_datagrams",
    overlap=reason.FRAG6_OVERLAP,
    fault=_fault,
    join=_join,
)
