"""Flow labels of what is sent: the same for all packets of a flow (RFC 6437)."""

from functools import lru_cache
from struct import Struct

from smolctl.stack.fib.nexthop import flow_hash
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import SendOptions
from smolctl.wire.ipv6 import NextHeader

OFF, ON, OPTIONAL, ALWAYS = range(4)
"""Values of ip6.auto_flowlabels."""
_PORTS = Struct("!HH")
_STATELESS = 0x80000
"""Set in every label that a hash makes; the others are for those that are asked for (Linux
IPV6_FLOWLABEL_STATELESS_FLAG, flowlabel_state_ranges)."""
_WITH_PORTS = frozenset({NextHeader.UDP.value, NextHeader.TCP.value})
_WORD = (1 << 64) - 1


def flow_label(
    net: Network, how: SendOptions, src: int, dst: int, protocol: int, segment: bytes
) -> int:
    """Return the flow label of a packet: what its sender asks for, or a hash of its flow.

    Addresses, protocol and ports make the flow, so that routers can tell flows apart without a look
    behind the header; nobody can guess it, since the hash begins with a secret (RFC 6437 3).

    Args:
        segment: what follows the headers of IPv6.
    """
    if how.flow_label is not None:
        return how.flow_label
    if net.settings["ip6.auto_flowlabels"] not in (ON, ALWAYS):
        return 0
    ports = 0
    if protocol in _WITH_PORTS and len(segment) >= _PORTS.size:
        sport, dport = _PORTS.unpack_from(segment)
        ports = sport << 16 | dport
    return _stateless(net.hash_seed, src, dst, protocol << 32 | ports)


@lru_cache(1024)
def _stateless(seed: int, src: int, dst: int, rest: int) -> int:
    """Return the label of a flow that asks for none; the hash takes a sixth of a sender's time."""
    keys = (src >> 64 & _WORD, src & _WORD, dst >> 64 & _WORD, dst & _WORD, rest)
    return _STATELESS | flow_hash(seed, *keys) & (_STATELESS - 1)
