"""Dumps of the kernel's tables by netlink (RFC 3549, netlink(7)).

Nothing here needs root. A library for all of rtnetlink makes objects of each attribute; 100,000
routes take it ten seconds.
"""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from errno import ENOBUFS, EPROTO, errorcode

from smolctl.errors import SmolctlError

# linux/netlink.h
ROUTE, SOCK_DIAG = 0, 4
_REQUEST, _DUMP = 0x1, 0x300
_DUMP_INTR = 0x10
_ERROR, _DONE = 2, 3
_SOL_NETLINK, _NETLINK_GET_STRICT_CHK = 270, 12
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_CODE = struct.Struct("=i")
_NESTED = 0xC000
"""NLA_F_NESTED and NLA_F_NET_BYTEORDER: what else the type of an attribute says."""
# linux/rtnetlink.h: RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV4_RULE, _IPV6_IFADDR,
# _IPV6_ROUTE, _IPV6_RULE, _NEXTHOP.
_GROUPS = (1, 5, 7, 8, 9, 11, 19, 32)
_BUFFER = 1 << 18
_ROOM = 8 << 20
_TRIES = 8
_TIMEOUT_S = 10.0


class NetlinkError(SmolctlError):
    """The kernel refuses to tell of a table."""

    code = "netlink"


Attributes = dict[int, bytes]
"""The last value of each type of attribute."""


class Netlink:
    """A connection to the kernel, of the network namespace in which it was made.

    Args:
        protocol: ``ROUTE`` or ``SOCK_DIAG``.

    Raises:
        NetlinkError: the kernel has no such thing.
    """

    def __init__(self, protocol: int = ROUTE) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        except OSError as error:
            raise NetlinkError(f"cannot ask the kernel by netlink: {error.strerror}") from None
        self._socket.settimeout(_TIMEOUT_S)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        # Kernels of 4.20 and newer would else take no notice of what the header selects; older ones
        # never do, and tell of everything.
        with suppress(OSError):
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        self._number = 0

    def __enter__(self) -> "Netlink":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def subscribe(self) -> None:
        """Let the kernel tell of changes: of links, addresses, routes, rules and next hops.

        Raises:
            NetlinkError: it does not.
        """
        try:
            self._socket.setblocking(False)
            self._socket.bind((0, sum(1 << group - 1 for group in _GROUPS)))
        except OSError as error:
            raise NetlinkError(f"the kernel tells of no changes: {error.strerror}") from None

    def heard(self) -> bool:
        """Return whether something changed since the last call, after ``subscribe``."""
        changed = False
        while True:
            try:
                self._socket.recv(_BUFFER)
            except BlockingIOError:
                return changed
            except OSError as error:
                if error.errno != ENOBUFS:  # more changes than the socket holds
                    why = error.strerror
                    raise NetlinkError(f"the kernel tells of no changes: {why}") from None
            changed = True

    def has(self, family: int) -> bool:
        """Return whether the kernel knows an address family: it may do without IPv6."""
        try:
            socket.socket(family, socket.SOCK_DGRAM).close()
        except OSError:
            return False
        return True

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """Return all messages of a table, without their netlink headers, in the kernel's order.

        Args:
            kind: RTM_GETROUTE, ...
            body: the header of that message.

        Raises:
            NetlinkError: the kernel refuses, or the table changes all the time.
        """
        for _ in range(_TRIES):
            messages, whole = self._dump(kind, body)
            if whole:
                return messages
        raise NetlinkError("the table changes while it is read, again and again", hint="try again")

    def ask(self, kind: int, body: bytes) -> bytes:
        """Return the one message that answers a question, without its netlink header.

        Args:
            kind: RTM_GETROUTE, ...
            body: the header of that message, and what is asked.

        Raises:
            NetlinkError: the answer is an error, whose errno it has.
        """
        self._number += 1
        header = _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST, self._number, 0)
        try:
            self._socket.send(header + body)
            while True:
                data = self._socket.recv(_BUFFER)
                for at, end, what, _, number in _messages(data):
                    if number != self._number:
                        continue
                    if what == _ERROR and end - at >= _CODE.size:
                        code = -_CODE.unpack_from(data, at)[0]
                        raise OSError(code, os.strerror(code))
                    return data[at:end]
        except OSError as error:
            why = error.strerror or "no answer"
            failed = NetlinkError(f"the kernel answers: {why}")
            failed.errno_name = errorcode.get(error.errno or 0)
            raise failed from None

    def _dump(self, kind: int, body: bytes) -> tuple[list[bytes], bool]:
        """Return the messages, and whether the table stayed as it was meanwhile."""
        self._number += 1
        header = _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | _DUMP, self._number, 0)
        found: list[bytes] = []
        whole = True
        try:
            self._socket.send(header + body)
            while True:
                data = self._socket.recv(_BUFFER)
                for at, end, what, flags, number in _messages(data):
                    if number != self._number:
                        continue  # of a dump that was given up
                    if flags & _DUMP_INTR:
                        whole = False
                    if what in (_DONE, _ERROR):
                        code = _CODE.unpack_from(data, at)[0] if end - at >= _CODE.size else 0
                        if code:
                            raise OSError(-code, os.strerror(-code))
                        return found, whole
                    found.append(data[at:end])
        except OSError as error:
            why = error.strerror or "no answer"
            failed = NetlinkError(f"the kernel does not tell of its tables: {why}")
            failed.errno_name = errorcode.get(error.errno or 0)
            raise failed from None


def _messages(data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield where each message's body begins and ends, its type, flags and number."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, what, flags, number, _ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size or at + length > len(data):
            raise OSError(EPROTO, os.strerror(EPROTO))
        yield at + _HEADER.size, at + length, what, flags, number
        at += (length + 3) & ~3


def attributes(data: bytes, at: int) -> Attributes:
    """Return the attributes of a message from an offset on; what is cut short is left out."""
    found: Attributes = {}
    end, unpack = len(data), _ATTRIBUTE.unpack_from
    while at + 4 <= end:
        length, kind = unpack(data, at)
        if length < 4 or at + length > end:
            break
        found[kind & ~_NESTED] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def each_attribute(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of all attributes, of which several may have one type."""
    at, end = 0, len(data)
    while at + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < 4 or at + length > end:
            return
        yield kind & ~_NESTED, data[at + 4 : at + length]
        at += (length + 3) & ~3
