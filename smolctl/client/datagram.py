"""UDP sockets of a stack, for programs: they behave as ``socket.socket`` of the kernel's UDP.

The first datagram to a destination is a call: its sender waits until the stack has decided, so
that an error is raised where it belongs. What follows on the same way is only written to a
descriptor, in order and without waiting for anybody; should the way be gone by then, the error is
raised by a later call, as that of an ICMP error is.
"""

import errno
import os
import socket
from collections.abc import Iterable
from threading import Lock
from typing import Any

from smolctl.client import options
from smolctl.client.address import split
from smolctl.client.control import DEFAULT_TIMEOUT, Client, RemoteError
from smolctl.client.errors import GONE, gone, os_error
from smolctl.client.inbox import Address, Inbox
from smolctl.client.opening import open_channel
from smolctl.control import channel
from smolctl.control.paths import DEFAULT_STACK
from smolctl.errors import ClientError

Buffer = bytes | bytearray | memoryview

MAX_KNOWN = 4096
"""Destinations that are remembered; all are forgotten when there are more."""


class DatagramSocket:
    """A UDP socket of a stack; a context manager that closes itself.

    An address is (host, port); the host "" is any of the stack's own addresses, "<broadcast>" is
    255.255.255.255. Several threads may use one socket.

    With AF_INET6, an address is (host, port, 0, zone), of which the last two may be left out. The
    zone is the number of one of the stack's interfaces; ``fe80::1%eth0`` names it, too. Such a
    socket also speaks with IPv4 hosts, whose addresses it has as ``::ffff:10.0.0.1``, unless
    IPV6_V6ONLY is set (RFC 3493 3.7, 5.3).

    Args:
        stack: name of the stack; None for SMOLCTL_STACK, or else "default".
        start: start the stack's daemon when it is not running.
        family: AF_INET or AF_INET6.

    Raises:
        SmolctlError: as ``Client.connect``.
        OSError: EMFILE, the daemon or this process has no descriptor left; EAFNOSUPPORT, another
            family.
    """

    type = socket.SOCK_DGRAM
    proto = 0

    def __init__(
        self, stack: str | None = None, *, start: bool = True, family: int = socket.AF_INET
    ) -> None:
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        self.family = socket.AddressFamily(family)
        self.stack = stack or os.environ.get("SMOLCTL_STACK") or DEFAULT_STACK
        six = family == socket.AF_INET6
        self._local: Address = ("::", 0, 0, 0) if six else ("0.0.0.0", 0)
        self._peer: Address | None = None
        self._number = 0
        self._lock = Lock()
        # Destination -> what goes in front of a payload of at most so many bytes.
        self._known: dict[Address, tuple[bytes, int]] = {}
        self._zones: dict[str, int] = {}
        self._client = Client.connect(self.stack, start=start)
        try:
            opened = open_channel(self._client, "socket.open", channel.VERSION, family)
        except BaseException:
            self._client.close()
            raise
        self._request, self._channel, self._set = opened
        self._inbox = Inbox(self._channel, family, self.stack, self._known.clear)

    # --- names and options ------------------------------------------------------------------------

    def bind(self, address: Address) -> None:
        """Bind to an address of the stack; port 0 takes a free one.

        Raises:
            OSError: EADDRINUSE, EADDRNOTAVAIL, or EINVAL when it is bound already, or when a
                link-local address has no zone.
        """
        host, port, zone = self._checked(address)
        self._command("bind", addr=host, port=port, zone=zone)

    def connect(self, address: Address) -> None:
        """Send to this address from now on, and take only what comes from there.

        Raises:
            OSError: ENETUNREACH or EHOSTUNREACH when no way leads there, EACCES for a broadcast
                address that was not allowed.
        """
        host, port, zone = self._checked(address)
        self._command("connect", addr=host, port=port, zone=zone)
        self._peer = (host, port) if self.family == socket.AF_INET else (host, port, 0, zone)

    def getsockname(self) -> Address:
        """Return what it is bound to; ("0.0.0.0", 0) or ("::", 0, 0, 0) before."""
        return self._local

    def getpeername(self) -> Address:
        """Return whom it is connected to.

        Raises:
            OSError: ENOTCONN, to nobody.
        """
        if self._peer is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self._peer

    def setsockopt(self, level: int, option: int, value: options.Value) -> None:
        """Set one of the options in ``options``, as socket(7) and ip(7) have them.

        Args:
            value: a number, or bytes as C has it; a device may be a string, too, also that of
                IP_MULTICAST_IF.

        Raises:
            OSError: ENOPROTOOPT for another one, EINVAL or ENODEV for a wrong value, and as
                ``join_group`` and ``leave_group``.
        """
        name = options.NAMES.get((level, option))
        if name is not None:
            word = options.word(name, value)
            self._command("set", **{name: word})
            self._set[name] = word
            return
        try:
            command = options.command(level, option, value)
        except ValueError:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL)) from None
        if command is None:
            raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
        self._command(command[0], **command[1])

    def getsockopt(self, level: int, option: int) -> int:
        """Return an option that ``setsockopt`` can set to a number, or SO_TYPE or SO_ERROR.

        Raises:
            OSError: ENOPROTOOPT for another one.
        """
        if level == socket.SOL_SOCKET and option in (socket.SO_TYPE, socket.SO_ERROR):
            return self.type if option == socket.SO_TYPE else self._pending_number()
        name = options.NAMES.get((level, option))
        if name is None or name == "dev":
            raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
        return int(self._set.get(name, 0))

    def allow_broadcast(self) -> None:
        """Allow broadcast addresses: SO_BROADCAST."""
        self.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)

    def join_group(self, group: str, dev: str | None = None, source: str | None = None) -> None:
        """Join a multicast group, until it is left or the socket closed: IP_ADD_MEMBERSHIP.

        Args:
            dev: on this interface; without it, on the one that the routes say.
            source: hear this sender; again for another one.

        Raises:
            OSError: EADDRINUSE when it was joined before (with ``source``: EADDRNOTAVAIL), ENODEV
                when there is no such interface, EINVAL for what is no group, ENOBUFS for too many.
        """
        self._membership("join", group, dev, source)

    def leave_group(self, group: str, dev: str | None = None, source: str | None = None) -> None:
        """Leave a group, or hear one sender less: IP_DROP_MEMBERSHIP.

        Raises:
            OSError: EADDRNOTAVAIL when it was not joined, or not for this sender.
        """
        self._membership("leave", group, dev, source)

    def _membership(self, what: str, group: str, dev: str | None, source: str | None) -> None:
        args = {"what": what, "group": group}
        if dev is not None:
            args["dev"] = dev
        if source is not None:
            args.update(what=f"{what}_source", source=source)
        self._command("membership", **args)

    def settimeout(self, seconds: float | None) -> None:
        """Wait at most so long for a datagram, or for room to send one; 0 never waits."""
        self._channel.settimeout(seconds)

    def gettimeout(self) -> float | None:
        """Return what ``settimeout`` set; None, as in the beginning, waits without limit."""
        return self._channel.gettimeout()

    def setblocking(self, flag: bool) -> None:
        """Wait without limit, or never."""
        self._channel.setblocking(flag)

    def fileno(self) -> int:
        """Return the descriptor: readable when a datagram or an error waits; -1 when closed."""
        return self._channel.fileno()

    # --- sending ----------------------------------------------------------------------------------

    def send(self, data: Buffer) -> int:
        """Send a datagram to the peer; as ``sendto``.

        Raises:
            OSError: EDESTADDRREQ when there is no peer.
        """
        return self.sendto(data, self._destination(None))

    def sendto(self, data: Buffer, *address: Any) -> int:
        """Send a datagram; return how many bytes it had.

        Args:
            data: 0..65507 bytes.
            address: (host, port) and so on, after flags that are ignored.

        Raises:
            BlockingIOError, TimeoutError: the daemon takes datagrams too slowly.
            OSError: ENETUNREACH, EHOSTUNREACH, EMSGSIZE, EACCES (broadcast), ECONNREFUSED (of an
                earlier datagram) and others as of Linux; ECONNRESET when the stack was stopped.
        """
        self._inbox.check()
        payload = data if type(data) is bytes else memoryview(data).tobytes()
        destination: Address = address[-1]
        front, room = self._known.get(destination, (b"", -1))
        if len(payload) <= room:
            self._write(front + payload)
        else:
            self._ask(payload, destination)
        return len(payload)

    def send_many(self, payloads: Iterable[Buffer], address: Address | None = None) -> int:
        """Send datagrams to one destination, the peer by default; return how many were sent.

        All are, unless an error comes between: it is raised when none was sent, and the next call
        would raise it again otherwise. Much faster than one by one, as ``sendmmsg`` is.

        Raises:
            OSError: as ``sendto``.
        """
        rest = [data if type(data) is bytes else memoryview(data).tobytes() for data in payloads]
        destination = self._destination(address)
        count, sent = len(rest), 0
        self._inbox.check()
        try:
            while sent < count:
                front, room = self._known.get(destination, (b"", -1))
                end, size = sent, 0
                limit = min(count, sent + channel.MAX_BATCH)
                while end < limit and len(rest[end]) <= room:
                    size += len(rest[end])
                    if size > channel.BATCH_BYTES and end > sent:
                        break
                    end += 1
                if end == sent:
                    self._ask(rest[sent], destination)
                    end += 1
                elif end == sent + 1:
                    self._write(front + rest[sent])
                else:
                    self._write(channel.batch(front, rest[sent:end]))
                sent = end
        except OSError:
            if not sent:
                raise
        return sent

    def _destination(self, address: Address | None) -> Address:
        if address is not None:
            return address
        if self._peer is None:
            raise OSError(errno.EDESTADDRREQ, os.strerror(errno.EDESTADDRREQ))
        return self._peer

    def _write(self, message: bytes) -> None:
        try:
            self._channel.send(message)
        except OSError as error:
            if error.errno in GONE:
                raise gone(self.stack) from None
            raise

    # --- calls ------------------------------------------------------------------------------------

    def _ask(self, payload: bytes, destination: Address) -> None:
        """Send a datagram and wait for what the stack says to it."""
        host, port, zone = self._checked(destination)
        dst = channel.number_of(socket.inet_pton(self.family, host))
        front = channel.head(dst, port, zone)
        with self._lock:
            self._number += 1
            answer = self._call(channel.ask(front, payload, self._number))
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[destination] = front, answer["room"]

    def _command(self, name: str, **args: Any) -> dict[str, Any]:
        self._known.clear()
        with self._lock:
            self._number += 1
            return self._call(channel.command(name, args, self._number))

    def _call(self, message: bytes) -> dict[str, Any]:
        """Write a message and return the answer.

        Raises:
            OSError: the stack refused.
        """
        self._write(message)
        try:
            while True:
                reply = self._client._reply(self._request, DEFAULT_TIMEOUT)
                answer: dict[str, Any] = reply.get("event", {})
                if answer.get("number") == self._number:
                    break
        except ClientError as error:
            if error.code == "daemon-silent":
                raise OSError(errno.ETIMEDOUT, error.message) from None
            raise gone(self.stack) from None
        except RemoteError as error:
            raise OSError(errno.ECONNRESET, error.message) from None
        if answer["event"] == "refused":
            raise os_error(answer, self.stack)
        self._local = answer["addr"], answer["port"]
        if self.family == socket.AF_INET6:
            self._local = answer["addr"], answer["port"], 0, answer.get("zone", 0)
        return answer

    def _checked(self, address: Address) -> tuple[str, int, int]:
        """Return host, port and zone of an address as the daemon wants them.

        Raises:
            OSError: socket.gaierror, the host is a name: a stack has no resolver. ENODEV, the zone
                is no interface.
            OverflowError: no such port, as ``socket`` has it.
        """
        host, port, zone = split(self.family, address)
        return host, port, zone if isinstance(zone, int) else self._zone(zone)

    def _zone(self, name: str) -> int:
        """Return the number of an interface of the stack."""
        if name not in self._zones:
            self._zones[name] = self._command("index", dev=name)["index"]
        return self._zones[name]

    # --- receiving --------------------------------------------------------------------------------

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return the payload of the next datagram; as ``recvfrom``."""
        return self.recvfrom(size, flags)[0]

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, Address]:
        """Return the next datagram, cut off after ``size`` bytes, and who sent it.

        Args:
            size: bytes.
            flags: MSG_PEEK and MSG_DONTWAIT.

        Raises:
            BlockingIOError, TimeoutError: none came.
            OSError: ECONNREFUSED and so on when one that was sent before did not arrive;
                ECONNRESET when the stack was stopped.
        """
        wait, peek = not flags & socket.MSG_DONTWAIT, bool(flags & socket.MSG_PEEK)
        payload, address = self._inbox.take(wait=wait, peek=peek)
        return (payload if len(payload) <= size else payload[:size]), address

    def recv_many(self, count: int) -> list[tuple[bytes, Address]]:
        """Return 1..``count`` datagrams: those that are there, after waiting for the first.

        Raises:
            OSError: as ``recvfrom``.
        """
        return self._inbox.take_many(count)

    def _pending_number(self) -> int:
        try:
            self._inbox.check()
        except OSError as error:
            return error.errno or 0
        return 0

    # --- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Close it; what was sent before is still sent. Again does nothing."""
        self._inbox.clear()
        self._channel.close()
        self._client.close()

    def __enter__(self) -> "DatagramSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        peer = "" if self._peer is None else f" peer={self._peer}"
        return f"<DatagramSocket stack={self.stack!r} local={self._local}{peer}>"
