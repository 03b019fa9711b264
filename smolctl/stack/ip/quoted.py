"""Packets that come back: quoted by an ICMP error, or given up here. Who sent them is told."""

from smolctl.stack.fib.path_mtu import Path, PathMtu
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import ErrorKind
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Refusal, Way
from smolctl.stack.packet import DeliveryError, Packet, Sender
from smolctl.stack.reason import NEIGH_FAILED, Detail
from smolctl.wire.address import IPV4
from smolctl.wire.icmpv4 import Quote
from smolctl.wire.ipv4 import Protocol


def sender_of(net: Network, packet: Packet, quote: Quote) -> Sender | None:
    """Return who sent the packet that an error quotes: of an error of our own, it is known."""
    if packet.about is not None:
        return packet.about.sender
    transport = net.transports.get(quote.protocol)
    if transport is None or not net.fib.is_local(quote.src):
        return None
    return transport.sender_of(quote, packet.entrance.name)


def unmatched(net: Network, quote: Quote, echo: tuple[int, int]) -> dict[str, object]:
    """Return why nobody here sent what an error quotes.

    Args:
        echo: protocol and type of an echo request.
    """
    protocol, request = echo
    if not net.fib.is_local(quote.src):
        return {"cause": "source", "quoted": quote.src}
    if quote.protocol == protocol:
        return {"cause": "ping" if quote.icmp_type == request else "message"}
    if quote.protocol not in net.transports:
        return {"cause": "protocol", "protocol": quote.protocol}
    return {"cause": "socket", "sport": quote.sport}


def error_values(packet: Packet, quote: Quote | None, pointing: int) -> dict[str, object]:
    """Return what reasons of ICMP errors show.

    Args:
        packet: the error.
        pointing: the type of the errors that point to a byte.
    """
    message, src = packet.message, packet.header.src
    values: dict[str, object] = {"offender": src, "type": message.type, "icmp_code": message.code}
    if message.type == pointing:
        values["pointer"] = message.pointer
    if quote is None:
        return {**values, "ip": src}
    return {**values, "ip": quote.dst, "port": quote.dport}


def way_of(net: Network, quote: Quote, dev: str | None = None) -> Way | Refusal:
    """Return the way that a packet like the quoted one takes now."""
    ports = (quote.sport or 0, quote.dport or 0)
    return route_output(net, RouteKey(quote.dst, quote.src, dev, OUTPUT, 0, quote.protocol, *ports))


def learn_path_mtu(net: Network, way: Way, quote: Quote, reported: int, now: int) -> PathMtu:
    """Learn how big a packet may be that takes the way of the quoted one.

    Args:
        reported: the MTU of the next link, 0 from a router that does not say.
    """
    path, before = Path(quote.dst, way.interface.name, way.next_hop), way.learned
    known = net.fib.path_mtus.learn(path, way.mtu, reported, quote.total_length, now)
    if before is None or (known.mtu, known.locked) != (before.mtu, before.locked):
        net.generation.touch()
    return known


def number_of(quote: Quote) -> int:
    """Return by what a sender tells its packets apart: a port, or an echo request's sequence."""
    return (quote.dport if quote.protocol == Protocol.UDP else quote.icmp_sequence) or 0


def is_deaf(net: Network, sender: Sender, quote: Quote) -> bool:
    """Tell whether an error of our own passes a socket by that is bound to a device.

    It comes by the link of the address that it is for, and for UDP over IPv4 by ``lo``. Source:
    Linux ``__udp4_lib_err``, ``__udp6_lib_err``, ``tcp_v4_err``, ``ping_lookup``.
    """
    bound = sender.dev is not None and not net.settings["udp.tell_bound"]
    came_by: str | None = net.interfaces.loopback.name
    if bound and not (net.family is IPV4 and quote.protocol == Protocol.UDP):
        own = net.fib.own(quote.src)
        came_by = sender.dev if own is None else own.dev
    return bound and sender.dev != came_by


def tell_unreachable(net: Network, packet: Packet, quote: Quote | None, detail: Detail) -> None:
    """Tell the sender of a packet that its next hop does not answer.

    That of a packet that was forwarded is told by an ICMP error.

    Args:
        quote: what an error would quote of the packet.
    """
    if packet.sender is None:
        if packet.header is not None and not net.fib.is_local(packet.header.src):
            net.answer_error(packet, ErrorKind.HOST)
    elif quote is not None and not is_deaf(net, packet.sender, quote):
        errno, number = NEIGH_FAILED.errno_name or "EHOSTUNREACH", number_of(quote)
        packet.sender.fail(
            DeliveryError(errno, NEIGH_FAILED, detail, quote.src, quote.dst, number, packet.now)
        )
