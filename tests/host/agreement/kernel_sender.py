"""Packets that a program sends, with the kernel's own sockets, and what it is told of them."""

import ctypes
import errno
import socket
import struct
from contextlib import suppress

from smolctl.device import rtnetlink
from smolctl.device.netlink import Netlink
from smolctl.host import neighbors
from tests.host.agreement.questions import Ask

_LIBC = ctypes.CDLL(None, use_errno=True)
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER = 10, 23
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_ERROR = struct.Struct("=IBBBBII")
_DELETE_NEIGHBOR = 29
_NDMSG = struct.Struct("=BxxxiHBB")
_UNANSWERED = {0x01, 0x20}
"""NUD_INCOMPLETE, NUD_FAILED."""


class Sent:
    """News for a sender: the error of its call, and errors that came later."""

    def __init__(self, opened: socket.socket | None = None, error: int = 0) -> None:
        self._opened, self._error = opened, error

    def events(self) -> list[str]:
        """Return what it was told until now."""
        if self._error:
            return [f"error {errno.errorcode.get(self._error, str(self._error))}"]
        if self._opened is None:
            return []
        found = []
        with suppress(OSError):
            while True:
                _, told, _, _ = self._opened.recvmsg(512, 512, socket.MSG_ERRQUEUE)
                found += [_late(data) for _, _, data in told if len(data) >= _ERROR.size]
        late = self._opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if late and not found:
            found.append(f"told {errno.errorcode.get(late, str(late))}")
        return found

    def close(self) -> None:
        """Close the socket."""
        if self._opened is not None:
            self._opened.close()


def _late(data: bytes) -> str:
    number, *_ = _ERROR.unpack_from(data)
    return f"told {errno.errorcode.get(number, str(number))}"


def send(ask: Ask) -> Sent:
    """Send a packet; the calling thread is in the host."""
    six = ask.six
    if ask.uid:
        # A socket belongs to the user of the file system that its thread has (sock_alloc_inode).
        _LIBC.setfsuid(ask.uid)
    family = socket.AF_INET6 if six else socket.AF_INET
    kind = socket.SOCK_STREAM if ask.proto == "tcp" else socket.SOCK_DGRAM
    protocol = 0
    if ask.proto == "icmp":
        protocol = socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
    opened = socket.socket(family, kind, protocol)
    opened.setblocking(False)
    try:
        _prepare(ask, opened)
        if ask.proto == "tcp":
            with suppress(BlockingIOError):
                opened.connect(_address(ask, ask.dst, ask.dport))
        else:
            opened.sendto(_payload(ask), _address(ask, ask.dst, ask.dport))
    except OSError as error:
        opened.close()
        return Sent(None, error.errno or errno.EIO)
    return Sent(opened)


def _prepare(ask: Ask, opened: socket.socket) -> None:
    """Set what its sender has set."""
    level = socket.IPPROTO_IPV6 if ask.six else socket.IPPROTO_IP
    if ask.proto != "tcp":
        opened.setsockopt(level, _IPV6_RECVERR if ask.six else _IP_RECVERR, 1)
    if ask.dev:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, ask.dev.encode())
    if ask.mark:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, ask.mark)
    if ask.ttl:
        if ask.six:
            opened.setsockopt(level, socket.IPV6_UNICAST_HOPS, ask.ttl)
        else:
            opened.setsockopt(level, socket.IP_TTL, ask.ttl)
        if ask.proto != "tcp":
            groups = socket.IPV6_MULTICAST_HOPS if ask.six else socket.IP_MULTICAST_TTL
            opened.setsockopt(level, groups, ask.ttl)
    if ask.tos:
        opened.setsockopt(level, socket.IPV6_TCLASS if ask.six else socket.IP_TOS, ask.tos)
    if ask.broadcast:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if ask.src or ask.sport:
        any_address = "::" if ask.six else "0.0.0.0"
        opened.bind(_address(ask, ask.src or any_address, ask.sport))


def _address(ask: Ask, address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    if not ask.six:
        return address, port
    number = 0
    if ask.dev and (address.startswith(("fe80:", "ff02:"))):
        number = socket.if_nametoindex(ask.dev)
    return address, port, 0, number


def _payload(ask: Ask) -> bytes:
    if ask.proto != "icmp":
        return bytes(ask.size)
    return bytes([128 if ask.six else 8, 0, 0, 0, 0, 1, 0, 1]) + bytes(ask.size)


def forget_unanswered() -> None:
    """Forget those who were asked for their MAC address, so that they are asked again.

    Whoever waited for one of them is sent an error, for which another one may be asked; nobody is
    sent an error about that.
    """
    with Netlink() as kernel:
        for _ in range(2):
            for each in neighbors.read(kernel):
                if each.state in _UNANSWERED:
                    _forget(each)


def _forget(each: neighbors.Neighbor) -> None:
    length = 16 if each.family == socket.AF_INET6 else 4
    packed = (each.dst & (1 << length * 8) - 1).to_bytes(length)
    body = _NDMSG.pack(each.family, each.ifindex, 0, 0, 0)
    body += struct.pack("=HH", 4 + length, 1) + packed
    with suppress(OSError):
        rtnetlink.request(_DELETE_NEIGHBOR, 0, body)
