"""TCP sockets of a stack, for programs: they behave as ``socket.socket`` of the kernel's TCP.

A socket is one end of a pair whose other end the stack's daemon has. So data comes and goes by the
system calls of any socket, ``poll`` says what can be done, and a connection may be passed to
another process. Everything else is asked of the daemon.
"""

import errno
import os
import select
import socket
import struct
import sys
from typing import Any, cast

from smolctl.client import stream_options as options
from smolctl.client.address import split
from smolctl.client.errors import GONE, gone, plain
from smolctl.client.hub import Hub, open_socket
from smolctl.client.inbox import Address
from smolctl.client.options import (
    KEPT_BY_STREAMS,
    OWN,
    SNDLOWAT,
    device,
    not_read,
    seconds_of,
    signed,
    unknown,
)
from smolctl.control import stream as wire
from smolctl.control.paths import DEFAULT_STACK
from smolctl.descriptors import receive_descriptors

# Names with two underscores: classes that programs derive, and ssl.SSLSocket, have their own.
_OURS = "_StreamSocket__"
_MAX_FILL = 16
"""More bytes than fill the smallest buffer."""


class StreamSocket(socket.socket):
    """A TCP socket of a stack.

    It is a ``socket.socket``, so what takes one takes it: ``makefile``, ``ssl``, ``selectors``,
    asyncio, ``http.client``. An address is (host, port), and with AF_INET6 (host, port, 0, zone);
    see ``DatagramSocket``. Several threads may use one socket.

    Args:
        stack: name of the stack; None for SMOLCTL_STACK, or else "default".
        start: start the stack's daemon when it is not running.
        family: AF_INET or AF_INET6.
        owner: whose it is, for ``smolctl socket show``; None for the program's name.

    Raises:
        SmolctlError: as ``Client.connect``.
        OSError: EMFILE, the daemon or this process has no descriptor left; EAFNOSUPPORT, another
            family.
    """

    def __init__(
        self,
        stack: str | None = None,
        *,
        start: bool = True,
        family: int = socket.AF_INET,
        owner: str | None = None,
    ) -> None:
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        stack = stack or os.environ.get("SMOLCTL_STACK") or DEFAULT_STACK
        args = {"family": "inet6"} if family == socket.AF_INET6 else {}
        if owner is not None:
            args["owner"] = owner
        hub, number, fd = open_socket(stack, args, start=start)
        self._attach(hub, number, fd, family)

    def _attach(self, hub: Hub, number: int, fd: int, family: int) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=fd)
        self.__family = socket.AddressFamily(family)
        self.__hub, self.__number = hub, number
        six = family == socket.AF_INET6
        self.__local: Address = ("::", 0, 0, 0) if six else ("0.0.0.0", 0)
        self.__peer: Address | None = None
        self.__connecting = self.__listening = self.__connected = False
        self.__room = 0  # what its buffer was before it was filled, 0 while it is not
        self.__at_end = self.__deaf = self.__mute = False
        self.__zones: dict[str, int] = {}
        self.__drained = True  # the last read found less than it wanted
        self.__kept: dict[tuple[int, int], Any] = {}  # options of the descriptor, and their values
        self.__patience: dict[int, float] = {}  # of these, seconds that calls wait
        self.__watch(fd)
        self.__ending = hub.add(number)

    def _bare(self) -> "StreamSocket":
        """Return a new socket without a connection."""
        return StreamSocket.__new__(StreamSocket)

    def _share(self, other: "StreamSocket", fd: int) -> None:
        """Have the connection of another socket, too; by a descriptor that is this one's."""
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=fd)
        ours = {key: each for key, each in other.__dict__.items() if key.startswith(_OURS)}
        self.__dict__.update(ours)
        self.__ending.holders += 1
        self.__watch(fd)
        self.settimeout(other.gettimeout())

    def __watch(self, fd: int) -> None:
        self.__reader = select.poll()
        self.__reader.register(fd, select.POLLIN)

    @property
    def stack(self) -> str:
        """Name of the stack."""
        return self.__hub.stack

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6."""
        return self.__family

    @property
    def type(self) -> socket.SocketKind:
        """SOCK_STREAM."""
        return socket.SOCK_STREAM

    @property
    def proto(self) -> int:
        """IPPROTO_TCP."""
        return socket.IPPROTO_TCP

    # --- names ------------------------------------------------------------------------------------

    def bind(self, address: Any) -> None:
        """Bind to an address of the stack; port 0 takes a free one.

        Raises:
            OSError: EADDRINUSE, EADDRNOTAVAIL, or EINVAL when it is bound already.
        """
        self.__command("bind", **self.__named(address))

    def getsockname(self) -> Address:
        """Return what it is bound to; ("0.0.0.0", 0) or ("::", 0, 0, 0) before."""
        return self.__local

    def getpeername(self) -> Address:
        """Return whom it is connected to.

        Raises:
            OSError: ENOTCONN, to nobody.
        """
        if (
            self.__peer is None
            or (self.__connecting and not self.__settled(0))
            or self.__ending.failed
        ):
            raise plain(errno.ENOTCONN)
        return self.__peer

    def __named(self, address: Any) -> dict[str, Any]:
        host, port, zone = split(self.__family, address)
        if isinstance(zone, str):
            if zone not in self.__zones:
                self.__zones[zone] = self.__command("index", dev=zone)["index"]
            zone = self.__zones[zone]
        return {"addr": host, "port": port, "zone": zone}

    def __command(self, do: str, **args: Any) -> dict[str, Any]:
        told, passed = self.__hub.call(do, self.__number, args)
        for fd in passed:
            self.__become(fd)
        self.__take_names(told)
        return told

    def __become(self, fd: int) -> None:
        """Put another file behind the descriptor that the program knows."""
        inheritable = self.get_inheritable()
        os.dup2(fd, self.fileno(), inheritable=inheritable)
        os.close(fd)
        self.settimeout(self.gettimeout())  # O_NONBLOCK is the file's, not the descriptor's
        self.__keep(self.__kept)

    def __take_names(self, told: dict[str, Any]) -> None:
        self.__local = self.__name(told["addr"], told["port"], told.get("zone", 0))
        if "peer" in told:
            self.__peer = self.__name(told["peer"], told["peer_port"], told.get("peer_zone", 0))

    def __name(self, host: str, port: int, zone: int) -> Address:
        return (host, port) if self.__family == socket.AF_INET else (host, port, 0, zone)

    # --- opening ----------------------------------------------------------------------------------

    def connect(self, address: Any) -> None:
        """Connect, waiting as the timeout says; after that as ``connect`` of the kernel.

        Raises:
            BlockingIOError: EINPROGRESS; ``poll`` tells when it is writable, SO_ERROR how it went.
            TimeoutError: it takes longer.
            OSError: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EISCONN, EALREADY ...
        """
        if self.__connecting and self.__settled(0):
            self.__raise_error()
            return
        named = self.__named(address)
        told = self.__command("connect", skip=self.__fill(), **named)
        self.__take_names(told)
        self.__connecting = True
        if self.gettimeout() == 0:
            raise plain(errno.EINPROGRESS)
        self.finish_connect()

    def finish_connect(self) -> None:
        """Wait for a ``connect`` that has begun; errors as of ``connect``."""
        timeout = self.gettimeout()
        patience = self.__patience.get(socket.SO_SNDTIMEO) if timeout is None else timeout
        if not self.__settled(patience):
            raise plain(errno.EINPROGRESS) if timeout is None else TimeoutError("timed out")
        self.__raise_error()

    def connect_ex(self, address: Any) -> int:
        """Connect as ``connect``, and return the errno, 0 for success."""
        try:
            self.connect(address)
        except TimeoutError as error:
            return error.errno or errno.EAGAIN
        except OSError as error:
            return error.errno or errno.EINVAL
        return 0

    def __fill(self) -> int:
        """Fill the buffer, so that it cannot be written until the stack says so; return by what."""
        if not self.__room:
            self.__room = super().getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            super().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            self.__filled = 0
            while self.__filled < _MAX_FILL and self.__poll(select.POLLOUT, 0):
                self.__filled += super().send(b"\0")
        return self.__filled

    def __poll(self, events: int, timeout: float | None) -> int:
        """Wait for events; return those that are there, 0 for none in time."""
        poll = select.poll()
        poll.register(self.fileno(), events)
        found = poll.poll(None if timeout is None else timeout * 1000)
        return found[0][1] if found else 0

    def __settled(self, timeout: float | None) -> bool:
        """Wait until it is connected, or has failed; False when neither happens in time."""
        events = self.__poll(select.POLLOUT, timeout)
        if not events:
            return False
        self.__connecting = False
        if events & select.POLLHUP:
            self.__look()
        else:
            self.__connected = True
            # socket(7): the kernel doubles it.
            super().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.__room // 2)
        return True

    def listen(self, backlog: int = 128) -> None:
        """Take connections; of those that are not accepted, ``backlog`` and one more may wait.

        Raises:
            OSError: EADDRINUSE, another socket listens there; EINVAL, it is a connection.
        """
        self.__command("listen", backlog=max(backlog, 0))
        self.__listening = True

    def accept(self) -> "tuple[StreamSocket, Address]":
        """Return the oldest connection, and whom it is with, waiting as the timeout says.

        Raises:
            BlockingIOError, TimeoutError: there is none.
            OSError: EINVAL, it does not listen; ECONNRESET, the stack was stopped;
                ECONNABORTED, the socket was killed.
        """
        if not self.__listening:
            raise plain(errno.EINVAL)
        # By super(): ssl.SSLSocket has no recvmsg.
        message, passed = receive_descriptors(cast(socket.socket, super()), wire.MAX_MESSAGE)
        if not message:
            self.__look()
            self.__raise_error()
            raise plain(errno.EINVAL)
        told = wire.parse_told(message)["accepted"]
        if not passed:
            raise OSError(errno.EMFILE, "this process has no descriptor left for a connection")
        made = self._bare()
        made._attach(self.__hub, told["socket"], passed[0], self.__family)
        made.__take_names(told)
        made.__connected = True
        super().send(wire.TAKEN)
        made.__keep(self.__kept)
        if socket.getdefaulttimeout() is None and self.gettimeout():
            made.setblocking(True)
        assert made.__peer is not None  # the daemon tells whom a connection is with
        return made, made.__peer

    # --- data -------------------------------------------------------------------------------------

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return up to ``size`` bytes, b"" at the end of the stream.

        Raises:
            BlockingIOError, TimeoutError: none came.
            OSError: ECONNRESET, ETIMEDOUT and so on: the connection failed; ENOTCONN.
        """
        self.__check_open()
        if self.__drained and not flags & socket.MSG_DONTWAIT:
            self.__await()
        try:
            data = super().recv(size, flags)
        except ConnectionResetError:
            data = b""
        self.__drained = len(data) < size
        return data if data or not size else self.__end(b"")

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Put bytes into a buffer; return how many; otherwise as ``recv``."""
        self.__check_open()
        if self.__drained and not flags & socket.MSG_DONTWAIT:
            self.__await()
        try:
            number = super().recv_into(buffer, nbytes, flags)
        except ConnectionResetError:
            number = 0
        size = nbytes or len(memoryview(buffer).cast("B"))
        self.__drained = number < size
        return number or (self.__end(0) if size else 0)

    def __await(self) -> None:
        """Wait until something can be read, as far as ``recv`` is to wait.

        The kernel wakes who sleeps in ``recv`` of a pair also when the daemon has read what the
        program sent, in vain; ``poll`` is not.
        """
        if self.gettimeout() is None:
            seconds = self.__patience.get(socket.SO_RCVTIMEO)
            try:
                found = self.__reader.poll(None if seconds is None else seconds * 1000)
            except RuntimeError:  # another thread waits by it
                return
            if not found:
                raise plain(errno.EAGAIN)

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, Any]:
        """Return bytes as ``recv``, and None: there is one peer."""
        return self.recv(size, flags), None

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """Put bytes into a buffer as ``recv_into``; return how many, and None."""
        return self.recv_into(buffer, nbytes, flags), None

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0) -> Any:
        """Return bytes as ``recv``, no ancillary data, no flags, and None."""
        return self.recv(bufsize, flags), [], 0, None

    def recvmsg_into(self, buffers: Any, ancbufsize: int = 0, flags: int = 0) -> Any:
        """Put bytes into the first of several buffers; return how many, and as ``recvmsg``."""
        for buffer in buffers:
            if len(memoryview(buffer)):
                return self.recv_into(buffer, 0, flags), [], 0, None
        return 0, [], 0, None

    def send(self, data: Any, flags: int = 0) -> int:
        """Send bytes; return how many were taken.

        Raises:
            BlockingIOError, TimeoutError: there is no room, since the peer does not read.
            OSError: ECONNRESET, ETIMEDOUT and so on: the connection failed; EPIPE after that, and
                after ``shutdown``; ENOTCONN.
        """
        self.__check_open()
        try:
            return super().send(data, flags)
        except OSError as error:
            raise self.__broken(error) from None

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all bytes; errors as of ``send``."""
        self.__check_open()
        try:
            super().sendall(data, flags)
        except OSError as error:
            raise self.__broken(error) from None

    def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None) -> int:
        """Send the bytes of several buffers; otherwise as ``send``."""
        self.__check_open()
        try:
            return super().sendmsg(buffers, ancdata, flags)
        except OSError as error:
            raise self.__broken(error) from None

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send the rest of a file, or ``count`` bytes; return how many; errors as of ``send``."""
        self.__check_open()
        try:
            return super().sendfile(file, offset, count)
        except OSError as error:
            raise self.__broken(error) from None

    def sendto(self, data: Any, *rest: Any) -> int:
        """Send bytes as ``send``; of a connection, the address says nothing."""
        return self.send(data, rest[0] if len(rest) > 1 else 0)

    def shutdown(self, how: int) -> None:
        """Send no more, read no more, or both; the stack takes the last for ``close``.

        A socket that listens takes no more connections, and who waits in ``accept`` is told so by
        EINVAL; SHUT_WR does nothing to it (Linux inet_shutdown).

        Raises:
            OSError: ENOTCONN.
        """
        if self.__listening and how != socket.SHUT_WR:
            self.__deaf = True
            super().shutdown(socket.SHUT_RDWR)
        if self.__listening:
            return
        self.__check_open()
        self.__deaf = self.__deaf or how != socket.SHUT_WR
        self.__mute = self.__mute or how != socket.SHUT_RD
        try:
            super().shutdown(how)
        except OSError as error:
            raise self.__broken(error) from None

    def __check_open(self) -> None:
        """See that it is a connection; one that is being opened is waited for.

        Raises:
            OSError: ENOTCONN.
            BlockingIOError, TimeoutError: it is not open yet.
        """
        if self.__connected:
            return
        if self.__connecting:
            if not self.__settled(self.gettimeout()):
                if self.gettimeout() == 0:
                    raise plain(errno.EAGAIN)
                raise TimeoutError("timed out")
            self.__raise_error()
            return
        if not self.__ending.failed:
            raise plain(errno.ENOTCONN)

    def __end(self, nothing: Any) -> Any:
        """Return the end of the stream, if it is that, or raise what ended the connection."""
        if not (self.__at_end or self.__deaf):
            if self.__poll(0, 0):  # nothing can come or go; without, only one end is shut down
                self.__look()
                self.__raise_error()
            self.__at_end = True
        return nothing

    def __broken(self, error: OSError) -> OSError:
        """Return what a failed send means."""
        if error.errno not in GONE:
            return error
        if not self.__ending.failed and self.__poll(0, 0):
            self.__look()
        return self.__ending.take() or plain(errno.EPIPE)

    # --- errors -----------------------------------------------------------------------------------

    def __look(self) -> None:
        """Find out why no byte can come or go any more.

        Both directions may have been shut down in order. Where that cannot be, and the daemon said
        nothing, it is gone.
        """
        self.__hub.look()
        # Of one that is killed, the kernel closes this descriptor before or after the hub's.
        told = self.__deaf or self.__ending.failed
        in_order = self.__deaf or (self.__mute and (told or self.__hub.answers(self.__number)))
        if not self.__ending.failed and not in_order:
            self.__ending.fail(gone(self.stack))

    def __raise_error(self) -> None:
        error = self.__ending.take()
        if error is not None:
            raise error

    # --- options ----------------------------------------------------------------------------------

    def setsockopt(self, level: int, option: int, value: Any, size: int | None = None) -> None:
        """Set an option of socket(7), tcp(7), ip(7) or ipv6(7), as far as a stack has it.

        Raises:
            OSError: ENOPROTOOPT for another one, EINVAL or ENODEV for a wrong value.
        """
        if (level, option) in KEPT_BY_STREAMS:
            self.__keep({(level, option): value})
            return
        name = options.NAMES.get((level, option))
        if name is None or self.__foreign(level):
            raise unknown(level, option)
        try:
            word = options.word(name, value)
        except (ValueError, struct.error):
            raise plain(errno.EINVAL) from None
        self.__command("set", **{name: word})

    def __keep(self, kept: dict[tuple[int, int], Any]) -> None:
        """Give options to the descriptor; see ``KEPT_BY_STREAMS``."""
        for (level, option), value in kept.items():
            super().setsockopt(level, option, value)
            self.__kept[level, option] = value
            if option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                self.__patience.pop(option, None)
                if any(value):
                    self.__patience[option] = seconds_of(super().getsockopt(level, option, 16))

    def __foreign(self, level: int) -> bool:
        return level == socket.IPPROTO_IPV6 and self.__family == socket.AF_INET

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        """Return an option: a number, or ``size`` bytes at most.

        Raises:
            OSError: ENOPROTOOPT for one that a stack does not have.
        """
        value: int | str
        if level == socket.SOL_SOCKET and option in OWN:
            value = self.__own(option)
        elif (level, option) in KEPT_BY_STREAMS:
            return super().getsockopt(level, option, size)
        elif (level, option) == SNDLOWAT:
            value = 1
        else:
            name = options.READ.get((level, option)) or options.NAMES.get((level, option))
            if name is None or self.__foreign(level):
                raise not_read(self.__family, self.proto, level, option)
            value = self.__command("get", name=name)["value"]
            if name == "info":
                told = bytes.fromhex(str(value))
                return told[:size] if size else int.from_bytes(told[:4], sys.byteorder)
            if name == "linger":
                packed = struct.pack("ii", value != -1, max(int(value), 0))
                return packed[:size] if size else int(value != -1)
            if name == "dev":
                return device(str(value), size)
        if isinstance(value, str):
            return value.encode().ljust(size, b"\0")[:size]
        value = signed(value)
        return struct.pack("i", value)[:size] if size else value

    def __own(self, option: int) -> int:
        if option == socket.SO_ERROR:
            if self.__connecting:
                self.__settled(0)
            elif self.__connected and not self.__ending.failed and self.__poll(0, 0):
                self.__look()
            error = self.__ending.take()
            return 0 if error is None else error.errno or errno.EINVAL
        fixed = {socket.SO_TYPE: self.type, socket.SO_DOMAIN: self.family}
        return int(fixed.get(option, self.proto))

    # --- the end ----------------------------------------------------------------------------------

    def _real_close(self) -> None:
        held = self.fileno() >= 0
        super()._real_close()  # type: ignore[misc]  # what close() of socket.socket calls
        if held:
            self.__hub.drop(self.__number, self.__ending)

    def detach(self) -> int:
        """Return the descriptor, which the caller closes; it carries the connection's bytes."""
        fd = super().detach()
        self.__hub.drop(self.__number, self.__ending)
        return fd

    def dup(self) -> "StreamSocket":
        """Return another socket of the same connection, or one that listens with this one.

        Raises:
            OSError: EOPNOTSUPP, it is neither connected nor listening yet: what comes of it, only
                one socket could be told.
        """
        if not (self.__connected or self.__listening):
            raise OSError(
                errno.EOPNOTSUPP,
                "a stack's socket can be duplicated when it is connected or listens",
            )
        made = self._bare()
        made._share(self, os.dup(self.fileno()))
        return made

    def __repr__(self) -> str:
        peer = "" if self.__peer is None else f" peer={self.__peer}"
        closed = " closed" if self.fileno() < 0 else ""
        return f"<StreamSocket stack={self.stack!r} local={self.__local}{peer}{closed}>"
