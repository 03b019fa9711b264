"""Bystanders: stacks that hear a frame to many stations, and to which it means nothing."""

from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.stack import Stack
from smolctl.wire import arp
from smolctl.wire.address import IPV6_MARK, is_multicast
from smolctl.wire.ethernet import HEADER_LEN, EtherType
from smolctl.wire.fault import WireFault

_ARP, _IPV4, _IPV6 = (kind.to_bytes(2) for kind in (EtherType.ARP, EtherType.IPV4, EtherType.IPV6))
_DST4, _DST6 = slice(HEADER_LEN + 16, HEADER_LEN + 20), slice(HEADER_LEN + 24, HEADER_LEN + 40)


def is_bystander(stack: Stack, interface: Interface, frame: bytes) -> bool:
    """Tell whether a stack drops a frame, and neither learns nor says anything.

    On a hub of many hosts nearly all are: a question for a MAC address is for one of them. The
    answer is cautious: False wherever more than a glance is needed.
    """
    if not frame[0] & 1 or interface.vlans:
        return False
    kind = frame[12:HEADER_LEN]
    if kind == _ARP:
        return _is_unconcerned(stack.ipv4, interface, frame)
    if kind == _IPV6:
        dst = IPV6_MARK | int.from_bytes(frame[_DST6])
        return is_multicast(dst) and not interface.ipv6.groups.members(dst)
    if kind == _IPV4:
        dst = int.from_bytes(frame[_DST4])
        return is_multicast(dst) and not interface.ipv4.groups.members(dst)
    return False


def _is_unconcerned(net: Network, interface: Interface, frame: bytes) -> bool:
    """Tell whether ARP is a question for somebody else, by whom is no neighbor of ours.

    Source: Linux ``arp_process``: such a question is dropped, unless its sender has an entry.
    """
    message = arp.parse(frame[HEADER_LEN:])
    if isinstance(message, WireFault) or message.op != arp.Op.REQUEST:
        return False
    sender, target, state = message.sender_ip, message.target_ip, net.of(interface)
    if not sender or sender == target or state.dad or net.probe_clients or not net.fib.merged:
        return False  # somebody tests an address, announces one, or is tested here
    settings = interface.settings
    if settings["arp.proxy"] or settings["arp.proxy_pvlan"] or state.proxies.entries:
        return False
    known = net.neighbors[interface.name].lookup(sender) is not None
    return not (known or net.fib.is_local(sender) or net.fib.is_local(target))
