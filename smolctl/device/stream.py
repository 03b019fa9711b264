"""Ethernet over a Unix or TCP stream with QEMU's framing: to QEMU, to passt, or between stacks.

One end listens, the other one connects; a link has one peer at a time. The carrier follows it: it
is lost with the connection, which a client then makes anew by itself and a server waits for.
"""

import errno
import os
import select
import socket
from collections.abc import Sequence
from typing import Any

from smolctl.device import Framed, unix
from smolctl.device.connection import Connection, ConnectionDevice
from smolctl.device.polled import Backoff
from smolctl.errors import DeviceError

RETRY_FIRST_NS = 100_000_000
RETRY_MOST_NS = 2_000_000_000

Address = str | tuple[str, int]
"""An absolute path, or a loopback IPv4 address and a TCP port."""

# What says nothing but that the other end is not there yet.
_ABSENT = (
    errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN, errno.ECONNRESET, errno.ETIMEDOUT,
    errno.EADDRNOTAVAIL,
)  # fmt: skip


class StreamDevice(ConnectionDevice):
    """A link over a stream; see ``smolctl.device.Device`` for what its methods promise.

    Args:
        name: the interface's.
        mac, mtu: None for a random one, and for 1500 bytes.
        connect: whom to connect to, now and whenever the connection was lost.
        listen: where to wait for the peer. Exactly one of the two is given.

    Raises:
        DeviceError: with a one-line reason and what to do; nothing is left behind.
    """

    kind = "stream"

    def __init__(
        self,
        name: str,
        *,
        mac: bytes | None = None,
        mtu: int | None = None,
        connect: Address | None = None,
        listen: Address | None = None,
    ) -> None:
        super().__init__(name, mac, mtu)
        self._connect = connect
        self._listen = listen
        self._connection: Connection | None = None
        self._connecting: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._bound: unix.BoundSocket | None = None
        self._retry = Backoff(RETRY_FIRST_NS, RETRY_MOST_NS)
        self._counts = {"connections": 0, "refused": 0, "framing_errors": 0}
        try:
            if connect is not None:
                if isinstance(connect, str):
                    unix.check_path(connect)
                self._try_connect(first=True)
            elif listen is not None:
                self._start_listening(listen)
        except BaseException:
            self.close()
            raise

    def transmit_batch(self, items: Sequence[bytes | Framed]) -> int:
        """Send frames, many of them with one write; see ``Device``."""
        return 0 if self._connection is None else self._send(self._connection, items)

    def deadline(self) -> int | None:
        """Return when to connect again; see ``ActiveDevice``."""
        return self._retry.at_ns

    def turn(self, now: int) -> None:
        """Connect again when it is time; see ``ActiveDevice``."""
        if not self._retry.due(now):
            return
        if self._connect is not None:
            try:
                self._try_connect(first=False)
            except OSError as error:  # out of descriptors or memory
                self.report(f"cannot connect to {self._where()}: {error.strerror}")
                self._retry.want()
        elif self._listener is not None:
            self._watch(self._listener.fileno(), select.EPOLLIN, self._on_peer)

    def details(self) -> dict[str, Any]:
        """Return where the other end is, and what happened so far; see ``Device``."""
        where: dict[str, Any] = {}
        if self._connect is not None:
            where["connect"] = show(self._connect)
        if self._listen is not None:
            where["listen"] = show(self._listen)
        connection = self._connection
        queued = connection.unsent if connection else 0
        return {**where, "connected": connection is not None, "queued": queued, **self._counts}

    # --- the client -------------------------------------------------------------------------------

    def _try_connect(self, *, first: bool) -> None:
        """Begin to connect; when it does not work out, try again later.

        Raises:
            DeviceError: at the first time only: this will never work out as it is.
        """
        address = self._connect
        assert address is not None
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        attempt = socket.socket(family, socket.SOCK_STREAM)
        attempt.setblocking(False)
        error = attempt.connect_ex(address)
        if error == errno.EINPROGRESS:
            try:
                self._watch(attempt.fileno(), select.EPOLLOUT, self._on_connected)
            except OSError:
                attempt.close()
                raise
            self._connecting = attempt
        elif error == 0:
            self._begin(attempt)
        else:
            attempt.close()
            if first and error not in _ABSENT:
                raise _cannot_connect(address, error)
            self._retry.want()

    def _on_connected(self, _mask: int) -> list[bytes]:
        attempt = self._connecting
        assert attempt is not None
        self._unwatch(attempt.fileno())
        self._connecting = None
        error = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        # With nobody listening, TCP may connect a port that it chose for us with itself.
        if error or attempt.getsockname() == attempt.getpeername():
            attempt.close()
            self._retry.want()
        else:
            self._begin(attempt)
        return []

    # --- the server -------------------------------------------------------------------------------

    def _start_listening(self, address: Address) -> None:
        if isinstance(address, str):
            self._bound = unix.bind(address, socket.SOCK_STREAM)
            self._listener = self._bound.socket
        else:
            self._listener = _listen_tcp(address)
        self._watch(self._listener.fileno(), select.EPOLLIN, self._on_peer)

    def _on_peer(self, _mask: int) -> list[bytes]:
        assert self._listener is not None
        try:
            peer, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return []  # it left again
        except OSError as error:
            # Out of descriptors or memory. The listener stays readable: look away for a while.
            self.report(f"cannot accept a peer: {error.strerror}")
            self._unwatch(self._listener.fileno())
            self._retry.want()
            return []
        if self._connection is None:
            self._begin(peer)
            return []
        peer.close()
        self._counts["refused"] += 1
        self.report(f"refused a second peer: {self._where()} has one already")
        return []

    # --- the connection ---------------------------------------------------------------------------

    def _begin(self, connected: socket.socket) -> None:
        if connected.family == socket.AF_INET:
            # A frame must not wait for the acknowledgement of the one before it (RFC 896).
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = self._adopt(connected)
        self._counts["connections"] += 1
        self._set_carrier(True)
        self.report(f"connected: {self._where()}")

    def _received(self, connection: Connection) -> None:
        # Not before: a peer that hangs up at once would be asked all the time.
        self._retry.succeeded()

    def _lost(self, connection: Connection) -> None:
        self._counts["framing_errors"] += connection.fault
        self._connection = None
        self._set_carrier(False)
        self.report(f"lost the connection: {self._where()}: {connection.lost}")
        if self._connect is not None:
            self._retry.want()

    def _where(self) -> str:
        address = self._connect if self._connect is not None else self._listen
        assert address is not None
        return show(address)

    def _release(self) -> None:
        if self._bound is not None:
            self._bound.close()
        for opened in (self._listener, self._connecting):
            if opened is not None:
                opened.close()
        if self._connection is not None:
            self._connection.close()


def show(address: Address) -> str:
    """Return an address as the command line takes it."""
    return address if isinstance(address, str) else f"tcp:{address[0]}:{address[1]}"


def _listen_tcp(address: tuple[str, int]) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        # The port of a connection that has just ended is free at once.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        problem, hint = error.strerror or str(error), "take another port"
        if error.errno == errno.EADDRINUSE:
            problem = "another process listens there"
            hint = f"take another port, or see who it is: ss -tlnp sport = :{address[1]}"
        elif error.errno == errno.EACCES:
            problem = "no permission: ports below 1024 are root's"
        result = DeviceError(f"cannot listen on {show(address)}: {problem}", hint=hint)
        result.errno_name = errno.errorcode.get(error.errno or 0)
        raise result from None
    return listener


def _cannot_connect(address: Address, error: int) -> DeviceError:
    problem, hint = os.strerror(error), None
    if error == errno.EACCES:
        problem, hint = "no permission", f"sudo chown $USER {show(address)}"
    elif error in (errno.EPROTOTYPE, errno.ENOTSOCK):
        problem, hint = "it is not a stream socket", "smolctl link add NAME type dgram ..."
    result = DeviceError(f"cannot connect to {show(address)}: {problem}", hint=hint)
    result.errno_name = errno.errorcode.get(error)
    return result
