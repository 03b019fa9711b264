"""Ancillary data of a stack's UDP sockets (cmsg(3)): where a datagram was sent to, and from where.

Source: ip(7), ipv6(7), RFC 3542; the order, and what becomes of what finds no room, are those of
Linux ``ip_cmsg_recv``, ``ip6_datagram_recv_ctl`` and ``put_cmsg``.
"""

import errno
import socket
import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

from smolctl.client.errors import plain
from smolctl.client.inbox import Address, Heard
from smolctl.client.options import IP_PKTINFO, IP_RECVTTL
from smolctl.control.channel import Details, number_of, packed

_IP, _IP6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6
OPTIONS = (
    (_IP6, socket.IPV6_RECVPKTINFO),
    (_IP, IP_PKTINFO),
    (_IP, IP_RECVTTL),
    (_IP, socket.IP_RECVTOS),
    (_IP6, socket.IPV6_RECVHOPLIMIT),
    (_IP6, socket.IPV6_RECVTCLASS),
)
"""Options that ask for details of what is received, in the order in which these stand."""
_PKTINFO, _PKTINFO6 = struct.Struct("=i4s4s"), struct.Struct("=16si")
_MAPPED = bytes(10) + b"\xff\xff"
"""The beginning of an IPv4 address as an IPv6 one (RFC 4291 2.5.5.2)."""
_HEAD = socket.CMSG_LEN(0)

Ancillary = tuple[int, int, bytes]
"""Level and type of data, and the data."""


class Sourced(NamedTuple):
    """A destination, and the source address and interface of what is sent there, 0 for any."""

    address: Address
    src: int
    ifindex: int


def parts(destination: Address | Sourced) -> Sourced:
    """Return a destination with source and interface, whether it names these or not."""
    return destination if isinstance(destination, Sourced) else Sourced(destination, 0, 0)


def told(
    wanted: Iterable[tuple[int, int]], address: Address, room: int
) -> tuple[list[Ancillary], int]:
    """Return the ancillary data of a datagram, and the flags that it adds.

    Args:
        wanted: those of ``OPTIONS`` that are set.
        address: the datagram's sender, as the inbox has it.
        room: bytes for the data and what stands before each.
    """
    if not isinstance(address, Heard):
        return [], 0
    found: list[Ancillary] = []
    flags = 0
    for level, kind, data in _details(wanted, address.details):
        if room < socket.CMSG_LEN(len(data)):
            flags = int(socket.MSG_CTRUNC)
            data = data[: max(room - _HEAD, 0)]
        if room >= _HEAD:
            found.append((level, kind, data))
        room -= socket.CMSG_SPACE(len(data))
    return found, flags


def _details(wanted: Iterable[tuple[int, int]], details: Details) -> Iterable[Ancillary]:
    dst, index, answer, tos, ttl = details
    address = packed(dst)
    four = len(address) == 4
    for level, option in wanted:
        if (level, option) == (_IP6, socket.IPV6_RECVPKTINFO):
            yield _IP6, socket.IPV6_PKTINFO, _PKTINFO6.pack(_MAPPED * four + address, index)
        elif (level == _IP) is not four:
            continue  # it is about packets of the other family
        elif option == IP_PKTINFO:
            yield _IP, IP_PKTINFO, _PKTINFO.pack(index, answer, address)
        elif not ttl:
            continue  # it had come before anybody asked
        elif option == IP_RECVTTL:
            yield _IP, socket.IP_TTL, struct.pack("i", ttl)
        elif option == socket.IP_RECVTOS:
            yield _IP, socket.IP_TOS, bytes((tos,))
        elif option == socket.IPV6_RECVHOPLIMIT:
            yield _IP6, socket.IPV6_HOPLIMIT, struct.pack("i", ttl)
        else:
            yield _IP6, socket.IPV6_TCLASS, struct.pack("i", tos)


def source(family: int, host: str, ancdata: Iterable[Any]) -> tuple[int, int]:
    """Return the source address and the interface that ``sendmsg`` is told, 0 for any of each.

    What is of another level counts for nothing, as on Linux.

    Args:
        family: of the socket. host: that something is sent to.

    Raises:
        OSError: EINVAL, it is something else, or of the other family than ``host``.
    """
    src = ifindex = 0
    four = family == socket.AF_INET or host.lower().startswith("::ffff:")
    for level, kind, data in ancdata:
        if (level == _IP and not four) or (level == _IP6 and family == socket.AF_INET):
            continue
        try:
            if (level, kind) == (_IP6, socket.IPV6_PKTINFO):
                address, ifindex = _PKTINFO6.unpack(data)
                if four and not address.startswith(_MAPPED):
                    raise plain(errno.EINVAL)
            elif (level, kind) == (_IP, IP_PKTINFO):
                ifindex, address, _ = _PKTINFO.unpack(data)
                if family == socket.AF_INET6 and any(address):
                    address = _MAPPED + address
            else:
                raise plain(errno.EINVAL)
        except struct.error:
            raise plain(errno.EINVAL) from None
        src = number_of(address) if any(address) else 0
    return src, ifindex
