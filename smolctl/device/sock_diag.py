"""The few words of sock_diag(7) that end TCP connections of the caller's network namespace.

As ``ss --kill`` does: the program gets ECONNABORTED, and the peer RST, if there is a way to it.
"""

import socket
import struct
from collections.abc import Iterator

from smolctl.device import rtnetlink
from smolctl.device.netlink import SOCK_DIAG, Netlink

# linux/sock_diag.h
_BY_FAMILY, _DESTROY = 20, 21
# linux/inet_diag.h: of what is asked for, family, protocol, extensions and states; of a socket,
# family, state, timer and retransmits; behind both, its ports, addresses, interface and cookie.
_ASKED = struct.Struct("=BBBxI")
_TOLD_LEN = 4
_SOCKET = struct.Struct("=2s2s16s16s4s8s")
# linux/tcp_states.h: ESTABLISHED, SYN_SENT, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING.
_STATES = sum(1 << state for state in (1, 2, 4, 5, 8, 9, 11))
_LOOPBACKS = (b"\x7f", bytes(10) + b"\xff\xff\x7f", bytes(15) + b"\1")


def end_connections() -> None:
    """End all TCP connections but those over the loopback; sockets that listen go on.

    Raises:
        OSError: EPERM, for who is not root there; EOPNOTSUPP, the kernel cannot
            (CONFIG_INET_DIAG_DESTROY).
        NetlinkError: the kernel does not tell which there are.
    """
    for family in (socket.AF_INET, socket.AF_INET6):
        for found in list(_connections(family)):
            source = _SOCKET.unpack(found)[2]
            if source.startswith(_LOOPBACKS):
                continue
            body = _ASKED.pack(family, socket.IPPROTO_TCP, 0, _STATES) + found
            try:
                rtnetlink.request(_DESTROY, 0, body, SOCK_DIAG)
            except FileNotFoundError:
                continue  # it has ended meanwhile


def _connections(family: int) -> Iterator[bytes]:
    """Yield what names each connection of a family, as the kernel wants it back."""
    body = _ASKED.pack(family, socket.IPPROTO_TCP, 0, _STATES) + bytes(_SOCKET.size)
    with Netlink(SOCK_DIAG) as kernel:
        for said in kernel.dump(_BY_FAMILY, body):
            yield said[_TOLD_LEN : _TOLD_LEN + _SOCKET.size]
