"""UDP sockets of a stack, for programs: they behave as ``socket.socket`` of the kernel's UDP.

The first datagram to a destination is a call: its sender waits until the stack has decided, so
that an error is raised where it belongs. What follows on the same way is only written to a
descriptor, in order and without waiting for anybody; should the way be gone by then, the error is
raised by a later call, as that of an ICMP error is.
"""

import errno
import os
import socket
import struct
import sys
from _socket import socket as Raw
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Lock
from time import monotonic_ns
from typing import Any
from weakref import ref

from smolctl.client import ancillary, options
from smolctl.client.address import split
from smolctl.client.control import DEFAULT_TIMEOUT, Client, RemoteError
from smolctl.client.datagram_calls import DatagramCalls
from smolctl.client.errors import GONE, gone, os_error, plain
from smolctl.client.inbox import CHECK_NS, Address, Inbox
from smolctl.client.opening import open_channel
from smolctl.control import channel
from smolctl.control.paths import DEFAULT_STACK
from smolctl.errors import ClientError

_send, _fileno = Raw.send, Raw.fileno
"""Calls of the kernel's sockets: to write a message to the channel, and to get its descriptor."""

# Not the flags of ``socket``: combining them with a number costs a microsecond.
_DONTWAIT, _PEEK = int(socket.MSG_DONTWAIT), int(socket.MSG_PEEK)
_ERRQUEUE = int(socket.MSG_ERRQUEUE)
_SNDBUF = socket.SOL_SOCKET, socket.SO_SNDBUF
_SNDBUF_MIN = 106_496
"""Of the kernel by default, which doubles what it is told (socket(7)); bytes."""

Buffer = bytes | bytearray | memoryview

MAX_KNOWN = 4096
"""Destinations that are remembered; all are forgotten when there are more."""


# Names with two underscores: classes that programs derive have their own.
class DatagramSocket(DatagramCalls):
    """A UDP socket of a stack.

    It is a ``socket.socket``, so what takes one takes it. An address is (host, port); the host ""
    is any of the stack's own addresses, "<broadcast>" is 255.255.255.255. Several threads may use
    one socket.

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

    def __init__(
        self, stack: str | None = None, *, start: bool = True, family: int = socket.AF_INET
    ) -> None:
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise plain(errno.EAFNOSUPPORT)
        self.__family = socket.AddressFamily(family)
        self.stack = stack or os.environ.get("SMOLCTL_STACK") or DEFAULT_STACK
        six = family == socket.AF_INET6
        self.__any: Address = ("::", 0, 0, 0) if six else ("0.0.0.0", 0)
        self.__local = self.__any
        self.__peer: Address | None = None
        self.__mute = self.__deaf = False
        self.__number = 0
        self.__pid = os.getpid()
        self.__lock = Lock()
        # Destination -> what goes in front of a payload of at most so many bytes.
        self.__known: dict[Address | ancillary.Sourced, tuple[bytes, int]] = {}
        # Those of ``ancillary.OPTIONS`` that are set.
        self.__wanted: list[tuple[int, int]] = []
        self.__zones: dict[str, int] = {}
        self.__client = Client.connect(self.stack, start=start)
        try:
            opened = open_channel(self.__client, "socket.open", channel.VERSION, family)
        except BaseException:
            self.__client.close()
            raise
        self.__request, fd, self.__set = opened
        self.__usual = dict(self.__set)
        super().__init__(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=fd)
        self.__inbox = Inbox(fd, family, self.stack, self.__known.clear, self.__nudger(self))

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6."""
        return self.__family

    # --- names and options ------------------------------------------------------------------------

    def bind(self, address: Any) -> None:
        """Bind to an address of the stack; port 0 takes a free one.

        Raises:
            OSError: EADDRINUSE, EADDRNOTAVAIL, or EINVAL when it is bound already, or when a
                link-local address has no zone.
        """
        host, port, zone = self.__checked(address)
        self.__command("bind", addr=host, port=port, zone=zone)

    def connect(self, address: Any) -> None:
        """Send to this address from now on, and take only what comes from there.

        Raises:
            OSError: ENETUNREACH or EHOSTUNREACH when no way leads there, EACCES for a broadcast
                address that was not allowed.
        """
        host, port, zone = self.__checked(address)
        host = self.__command("connect", addr=host, port=port, zone=zone)["peer"]
        self.__peer = (host, port) if self.__family == socket.AF_INET else (host, port, 0, zone)

    def getsockname(self) -> Address:
        """Return what it is bound to; ("0.0.0.0", 0) or ("::", 0, 0, 0) before."""
        return self.__local

    def getpeername(self) -> Address:
        """Return whom it is connected to.

        Raises:
            OSError: ENOTCONN, to nobody.
        """
        if self.__peer is None:
            raise plain(errno.ENOTCONN)
        return self.__peer

    def setsockopt(self, level: int, option: int, value: Any, size: int | None = None) -> None:
        """Set one of the options in ``options``, as socket(7) and ip(7) have them.

        Args:
            value: a number, or bytes as C has it; a device may be a string, too, also that of
                IP_MULTICAST_IF.

        Raises:
            OSError: ENOPROTOOPT for another one, EINVAL or ENODEV for a wrong value, and as
                ``join_group`` and ``leave_group``.
        """
        name = options.NAMES.get((level, option))
        if (level, option) in options.KEPT:
            super().setsockopt(level, option, value)
        elif (level, option) == _SNDBUF:
            # That of the channel, which must not become too small for the largest datagram.
            super().setsockopt(level, option, max(options.word("sndbuf", value), _SNDBUF_MIN))
        elif self.__foreign(level):
            raise options.unknown(level, option)
        elif (level, option) in ancillary.OPTIONS:
            self.__want((level, option), on=options.word("details", value) != 0)
        elif name is not None:
            word = options.word(name, value)
            self.__command("set", **{name: word})
            self.__set[name] = self.__usual.get(name, 0) if word == -1 else word
        else:
            self.__set_otherwise(level, option, value)

    def __want(self, what: tuple[int, int], *, on: bool) -> None:
        wanted = [
            each for each in ancillary.OPTIONS if (on if each == what else each in self.__wanted)
        ]
        self.__command("set", details=int(bool(wanted)))
        self.__wanted = wanted

    def __set_otherwise(self, level: int, option: int, value: Any) -> None:
        try:
            command = options.command(level, option, value)
        except ValueError:
            raise plain(errno.EINVAL) from None
        if command is None:
            raise options.unknown(level, option)
        told = self.__command(command[0], **command[1])
        if command[0] == "interface":
            self.__set["multicast_if"] = told.get("index", 0)
            self.__set["multicast_src"] = command[1].get("addr", "0.0.0.0")

    def __foreign(self, level: int) -> bool:
        return level == socket.IPPROTO_IPV6 and self.__family == socket.AF_INET

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        """Return an option that ``setsockopt`` can set, or one of SO_TYPE, SO_ERROR and so on.

        Args:
            size: return so many bytes at most, not a number.

        Raises:
            OSError: ENOPROTOOPT for another one.
        """
        key = level, option
        name = options.NAMES.get(key) or options.READ.get(key)
        if level == socket.SOL_SOCKET and option in options.OWN:
            value = self.__own(option)
        elif key in ancillary.OPTIONS and not self.__foreign(level):
            value = int(key in self.__wanted)
        elif key in options.KEPT:
            return super().getsockopt(level, option, size)
        elif key == _SNDBUF:
            value = super().getsockopt(level, option)
        elif name is None or self.__foreign(level):
            raise options.not_read(self.__family, self.proto, level, option)
        elif name == "mtu":
            value = self.__command("mtu")["mtu"]
        elif name == "dev":
            return options.device(str(self.__set.get(name, "")), size)
        elif name == "multicast_src":
            address = socket.inet_aton(str(self.__set.get(name, "0.0.0.0")))
            return address[:size] if size else int.from_bytes(address, sys.byteorder, signed=True)
        else:
            value = int(self.__set.get(name, name == "sndlowat"))
        return struct.pack("i", value)[:size] if size else value

    def __own(self, option: int) -> int:
        if option == socket.SO_ERROR:
            return self.__pending_number()
        fixed = {socket.SO_TYPE: self.type, socket.SO_DOMAIN: self.family}
        return int(fixed.get(option, self.proto))

    def join_group(self, group: str, dev: str | None = None, source: str | None = None) -> None:
        """Join a multicast group, until it is left or the socket closed: IP_ADD_MEMBERSHIP.

        Args:
            dev: on this interface; without it, on the one that the routes say.
            source: hear this sender; again for another one.

        Raises:
            OSError: EADDRINUSE when it was joined before (with ``source``: EADDRNOTAVAIL), ENODEV
                when there is no such interface, EINVAL for what is no group, ENOBUFS for too many.
        """
        self.__membership("join", group, dev, source)

    def leave_group(self, group: str, dev: str | None = None, source: str | None = None) -> None:
        """Leave a group, or hear one sender less: IP_DROP_MEMBERSHIP.

        Raises:
            OSError: EADDRNOTAVAIL when it was not joined, or not for this sender.
        """
        self.__membership("leave", group, dev, source)

    def __membership(self, what: str, group: str, dev: str | None, source: str | None) -> None:
        args = {"what": what, "group": group}
        if dev is not None:
            args["dev"] = dev
        if source is not None:
            args.update(what=f"{what}_source", source=source)
        self.__command("membership", **args)

    # --- sending ----------------------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0) -> int:
        """Send a datagram to the peer; as ``sendto``.

        Raises:
            OSError: EDESTADDRREQ when there is no peer.
        """
        if self.__peer is None:
            raise plain(errno.EDESTADDRREQ)
        return self.__put(data, self.__peer)

    def sendto(self, data: Any, *address: Any) -> int:
        """Send a datagram; return how many bytes it had.

        Args:
            data: 0..65507 bytes.
            address: (host, port) and so on, after flags that are ignored.

        Raises:
            BlockingIOError, TimeoutError: the daemon takes datagrams too slowly.
            OSError: ENETUNREACH, EHOSTUNREACH, EMSGSIZE, EACCES (broadcast), ECONNREFUSED (of an
                earlier datagram) and others as of Linux; ECONNRESET when the stack was stopped.
        """
        return self.__put(data, address[-1])

    def __put(self, data: Any, destination: Address | ancillary.Sourced) -> int:
        """Send a datagram; as ``sendto``."""
        if monotonic_ns() - self.__inbox.checked_ns > CHECK_NS:
            self.__inbox.check(self)
        payload = data if type(data) is bytes else memoryview(data).tobytes()
        if self.__mute:
            raise plain(errno.EPIPE)
        known = self.__known.get(destination)
        size = len(payload)
        if known is None or size > known[1]:
            self.__ask(payload, destination)
            return size
        message = known[0] + payload
        try:
            os.write(_fileno(self), message)  # a socket with a timeout would be polled before
        except OSError:
            self.__write(message)
        return size

    def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None) -> int:
        """Send a datagram of the bytes of several buffers, to the peer by default.

        Raises:
            OSError: as ``sendto``; EINVAL, ancillary data that is neither IP_PKTINFO nor
                IPV6_PKTINFO, or a source that is not ours; ENODEV, no such interface.
        """
        payload, destination = b"".join(buffers), self.__destination(address)
        src, ifindex = ancillary.source(self.__family, destination[0], ancdata)
        if src or ifindex:
            return self.__put(payload, ancillary.Sourced(destination, src, ifindex))
        return self.__put(payload, destination)

    def send_many(self, payloads: Iterable[Buffer], address: Address | None = None) -> int:
        """Send datagrams to one destination, the peer by default; return how many were sent.

        All are, unless an error comes between: it is raised when none was sent, and the next call
        would raise it again otherwise. Much faster than one by one, as ``sendmmsg`` is.

        Raises:
            OSError: as ``sendto``.
        """
        rest = [data if type(data) is bytes else memoryview(data).tobytes() for data in payloads]
        destination = self.__destination(address)
        count, sent = len(rest), 0
        self.__inbox.check(self)
        try:
            while sent < count:
                front, room = self.__known.get(destination, (b"", -1))
                end, size = sent, 0
                limit = min(count, sent + channel.MAX_BATCH)
                while end < limit and len(rest[end]) <= room:
                    size += len(rest[end])
                    if size > channel.BATCH_BYTES and end > sent:
                        break
                    end += 1
                if end == sent:
                    self.__ask(rest[sent], destination)
                    end += 1
                elif end == sent + 1:
                    self.__write(front + rest[sent])
                else:
                    self.__write(channel.batch(front, rest[sent:end]))
                sent = end
        except OSError:
            if not sent:
                raise
        return sent

    def __destination(self, address: Address | None) -> Address:
        if address is not None:
            return address
        if self.__peer is None:
            raise plain(errno.EDESTADDRREQ)
        return self.__peer

    def __write(self, message: bytes) -> None:
        try:
            _send(self, message)
        except OSError as error:
            if error.errno in GONE:
                raise gone(self.stack) from None
            raise

    # --- calls ------------------------------------------------------------------------------------

    def __ask(self, payload: bytes, destination: Address | ancillary.Sourced) -> None:
        """Send a datagram and wait for what the stack says to it."""
        address, src, ifindex = ancillary.parts(destination)
        host, port, zone = self.__checked(address)
        dst = channel.number_of(socket.inet_pton(self.__family, host))
        front = channel.head(dst, port, zone)
        if src or ifindex:
            front = channel.head_from(front, src, ifindex)
        if self.__pid != os.getpid():  # in a child, nobody can be asked: see ``_call``
            self.__write(front + payload)
            return
        with self.__lock:
            self.__number += 1
            answer = self.__call(channel.ask(front, payload, self.__number))
        if len(self.__known) >= MAX_KNOWN:
            self.__known.clear()
        self.__known[destination] = front, answer["room"]

    def __command(self, name: str, **args: Any) -> dict[str, Any]:
        self.__known.clear()
        with self.__lock:
            self.__number += 1
            return self.__call(channel.command(name, args, self.__number))

    def __call(self, message: bytes) -> dict[str, Any]:
        """Write a message and return the answer.

        Raises:
            OSError: the stack refused; ENOTCONN, in a child of the process.
        """
        if self.__pid != os.getpid():
            raise OSError(
                errno.ENOTCONN, "a child process cannot command the sockets of its parent"
            )
        self.__write(message)
        try:
            while True:
                reply = self.__client._reply(self.__request, DEFAULT_TIMEOUT)
                answer: dict[str, Any] = reply.get("event", {})
                if answer.get("number") == self.__number:
                    break
        except ClientError as error:
            if error.code == "daemon-silent":
                raise OSError(errno.ETIMEDOUT, error.message) from None
            raise gone(self.stack) from None
        except RemoteError as error:
            raise OSError(errno.ECONNRESET, error.message) from None
        if answer["event"] == "refused":
            raise os_error(answer, self.stack)
        self.__local = answer["addr"], answer["port"]
        if self.__family == socket.AF_INET6:
            self.__local = answer["addr"], answer["port"], 0, answer.get("zone", 0)
        return answer

    def __checked(self, address: Address) -> tuple[str, int, int]:
        """Return host, port and zone of an address as the daemon wants them.

        Raises:
            OSError: socket.gaierror, the host is a name that is not known. ENODEV, the zone
                is no interface.
            OverflowError: no such port, as ``socket`` has it.
        """
        host, port, zone = split(self.__family, address)
        return host, port, zone if isinstance(zone, int) else self.__zone(zone)

    def __zone(self, name: str) -> int:
        """Return the number of an interface of the stack."""
        if name not in self.__zones:
            self.__zones[name] = self.__command("index", dev=name)["index"]
        return self.__zones[name]

    # --- receiving --------------------------------------------------------------------------------

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return the payload of the next datagram; as ``recvfrom``."""
        payload = self.__take(flags)[0]
        return payload if len(payload) <= size else payload[:size]

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
        taken = self.__take(flags)
        return taken if len(taken[0]) <= size else (taken[0][:size], taken[1])

    def recv_many(self, count: int) -> list[tuple[bytes, Address]]:
        """Return 1..``count`` datagrams: those that are there, after waiting for the first.

        Raises:
            OSError: as ``recvfrom``.
        """
        return self.__inbox.take_many(self, count)

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0
    ) -> tuple[bytes, list[Any], int, Address]:
        """Return the payload, ancillary data as far as options ask for it, flags, and who sent it.

        The flags are MSG_TRUNC and MSG_CTRUNC: something was cut off from either.
        """
        payload, address = self.__take(flags)
        beside, more = ancillary.told(self.__wanted, address, ancbufsize)
        return payload[:bufsize], beside, _cut(len(payload) > bufsize) | more, address

    def recvmsg_into(
        self, buffers: Any, ancbufsize: int = 0, flags: int = 0
    ) -> tuple[int, list[Any], int, Address]:
        """Put the payload into several buffers; return how many bytes, and as ``recvmsg``."""
        payload, address = self.__take(flags)
        done = 0
        for buffer in buffers:
            view = memoryview(buffer).cast("B")
            part = payload[done : done + len(view)]
            view[: len(part)] = part
            done += len(part)
        beside, more = ancillary.told(self.__wanted, address, ancbufsize)
        return done, beside, _cut(len(payload) > done) | more, address

    def __take(self, flags: int) -> tuple[bytes, Address]:
        if flags & _ERRQUEUE:  # the errors of a stack's socket are raised
            raise plain(errno.EAGAIN)
        try:
            if not flags and not self.__deaf:
                return self.__inbox.take(self)
            wait = not (flags & _DONTWAIT or self.__deaf)
            return self.__inbox.take(self, wait=wait, peek=flags & _PEEK != 0)
        except (BlockingIOError, ConnectionResetError):
            if not self.__deaf:
                raise
            return b"", self.__any

    def __pending_number(self) -> int:
        try:
            self.__inbox.check(self)
        except OSError as error:
            return error.errno or 0
        return 0

    def fileno(self) -> int:
        """Return the descriptor: readable when a datagram or an error waits; -1 when closed."""
        fd = super().fileno()
        if fd >= 0:
            self.__inbox.watch()
        return fd

    # --- the end ----------------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        """Send no more, or receive no more; both end the socket, and wake who waits.

        Raises:
            OSError: ENOTCONN, it has no peer; it is done all the same (Linux inet_shutdown).
        """
        self.__deaf = self.__deaf or how != socket.SHUT_WR
        self.__mute = self.__mute or how != socket.SHUT_RD
        if self.__deaf and self.__mute:
            super().shutdown(socket.SHUT_RDWR)
        self.getpeername()

    def _real_close(self) -> None:
        """Close it; what was sent before is still sent."""
        super()._real_close()  # type: ignore[misc]  # what close() of socket.socket calls
        self.__inbox.clear()
        self.__client.close()

    def detach(self) -> int:
        """Return the descriptor, which carries the messages of ``control.channel``."""
        fd = super().detach()
        self.__client.close()
        return fd

    @staticmethod
    def __nudger(this: "DatagramSocket") -> Callable[[], None]:
        """Return what makes the daemon send a message without content; it keeps no socket open."""
        weak = ref(this)

        def nudge() -> None:
            socket = weak()
            # A child has no say in it, and where the daemon is gone the descriptor is readable.
            if socket is not None and socket.__pid == os.getpid():
                with suppress(OSError):
                    socket.__command("nudge")

        return nudge

    def __repr__(self) -> str:
        peer = "" if self.__peer is None else f" peer={self.__peer}"
        return f"<DatagramSocket stack={self.stack!r} local={self.__local}{peer}>"


def _cut(cut: bool) -> int:
    return int(socket.MSG_TRUNC) if cut else 0
