"""Details of datagrams that a program asks for, or gives (ip(7), IP_PKTINFO, IP_RECVTOS ...)."""

from collections.abc import Iterable
from itertools import groupby

from smolctl.control import channel as wire
from smolctl.errors import InvalidArgument, NetworkUnreachable
from smolctl.ops.socket_names import SocketNames, numbered
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.stack.stack import Stack
from smolctl.stack.transport.local_address import is_local_at
from smolctl.stack.transport.udp.socket import Datagram, RawDatagram, UdpSocket
from smolctl.wire.address import IPV6_MARK, format_address, is_mapped, unmapped

_Key = tuple[int, int, int, str, int, int]
"""Sender and its port, destination, interface, type of service, TTL."""


def message(stack: Stack, names: SocketNames, datagrams: Iterable[RawDatagram]) -> bytes:
    """Return the message of some datagrams with their details."""
    return wire.received(
        (
            (_sender(stack, names, key), [datagram[0] for datagram in run])
            for key, run in groupby(datagrams, _key)
        ),
        details=True,
    )


def _key(datagram: RawDatagram) -> _Key:
    _, src, sport, dst, _, dev, *_ = datagram
    if isinstance(datagram, Datagram):
        return src, sport, dst, dev, datagram.tos, datagram.ttl
    return src, sport, dst, dev, 0, 0


def _sender(stack: Stack, names: SocketNames, key: _Key) -> bytes:
    src, sport, dst, dev, tos, ttl = key
    name, zone = names.heard(src, dev)
    interface = stack.interfaces.get(dev)
    index = 0 if interface is None else interface.index
    details = wire.Details(dst, index, _answer(stack, src, dst), tos, ttl)
    return wire.with_details(wire.sender(name, sport, zone), details)


def _answer(stack: Stack, src: int, dst: int) -> bytes:
    """Return the address from which a datagram is answered (Linux ``fib_compute_spec_dst``)."""
    if dst >= IPV6_MARK:
        return bytes(4)
    net = stack.networks.for_address(dst)
    if net.fib.is_local(dst):
        return dst.to_bytes(4)
    way = route_output(net, RouteKey(src))
    return (way.src or 0).to_bytes(4) if isinstance(way, Way) else bytes(4)


def source(
    stack: Stack, socket: UdpSocket, said: wire.Sent, dst: int
) -> tuple[int | None, str | None]:
    """Return the source address and the interface that a datagram is sent from, None for any.

    Source of the errors, and of their order: Linux ``ip_route_output_key_hash``,
    ``ip6_datagram_send_ctl``; measured.

    Args:
        dst: the stack's name of the destination.

    Raises:
        NetworkUnreachable: the source is an IPv4 address of somebody else.
        NoSuchDevice: no interface has the number.
        InvalidArgument: the socket is bound to another interface; the source is an IPv6 address of
            somebody else.
    """
    src = unmapped(said.src) if is_mapped(said.src) else said.src or None
    foreign = f"{format_address(src or 0)} is not an address of this stack"
    if src is not None and max(src, dst) < IPV6_MARK and not stack.ipv4.fib.is_local(src):
        raise NetworkUnreachable(foreign, hint="smolctl addr show")
    dev = numbered(stack.interfaces, said.ifindex) if said.ifindex else None
    if dev is not None and socket.dev not in (None, dev):
        raise InvalidArgument(f"the socket is bound to {socket.dev}, and cannot send by {dev}")
    if src is not None and not is_local_at(stack.networks.for_address(src), src, dev):
        raise InvalidArgument(foreign, hint="smolctl addr show")
    return src, dev
