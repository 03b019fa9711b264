"""Calls of a stack's UDP sockets that are others in a few words, or that no UDP socket has."""

import errno
import socket
from typing import Any

from smolctl.client.errors import plain
from smolctl.client.inbox import Address


class DatagramCalls(socket.socket):
    """The calls that need to know nothing of a socket: the others are those of ``datagram``."""

    @property
    def type(self) -> socket.SocketKind:
        """SOCK_DGRAM."""
        return socket.SOCK_DGRAM

    @property
    def proto(self) -> int:
        """IPPROTO_UDP."""
        return socket.IPPROTO_UDP

    def connect_ex(self, address: Any) -> int:
        """Connect as ``connect``, and return the errno, 0 for success."""
        try:
            self.connect(address)
        except OSError as error:
            return error.errno or errno.EINVAL
        return 0

    def allow_broadcast(self) -> None:
        """Allow broadcast addresses: SO_BROADCAST."""
        self.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send a datagram to the peer; as ``send``."""
        self.send(data)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Put the payload into a buffer; return how many bytes; otherwise as ``recv``."""
        return self.recvfrom_into(buffer, nbytes, flags)[0]

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Address]:
        """Put the payload into a buffer; return how many bytes, and who sent it."""
        size, *_, address = self.recvmsg_into(
            [memoryview(buffer).cast("B")[: nbytes or None]], 0, flags
        )
        return size, address

    def dup(self) -> "DatagramCalls":
        """Raise an error: two sockets cannot share one inbox.

        Raises:
            OSError: EOPNOTSUPP.
        """
        raise OSError(errno.EOPNOTSUPP, "a stack's UDP socket cannot be duplicated")

    def listen(self, backlog: int = 0) -> None:
        """Raise an error: EOPNOTSUPP, as of any UDP socket."""
        raise plain(errno.EOPNOTSUPP)

    def accept(self) -> Any:
        """Raise an error: EOPNOTSUPP, as of any UDP socket."""
        raise plain(errno.EOPNOTSUPP)
