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
from typing import Any

from smolctl.client import stream_options as options
from smolctl.client.address import split
from smolctl.client.errors import GONE, gone
from smolctl.client.hub import Hub, open_socket
from smolctl.client.inbox import Address
from smolctl.client.options import OWN
from smolctl.control import stream as wire
from smolctl.control.paths import DEFAULT_STACK
from smolctl.descriptors import receive_descriptors

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

    Raises:
        SmolctlError: as ``Client.connect``.
        OSError: EMFILE, the daemon or this process has no descriptor left; EAFNOSUPPORT, another
            family.
    """

    def __init__(
        self, stack: str | None = None, *, start: bool = True, family: int = socket.AF_INET
    ) -> None:
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        stack = stack or os.environ.get("SMOLCTL_STACK") or DEFAULT_STACK
        args = {"family": "inet6"} if family == socket.AF_INET6 else {}
        hub, number, fd = open_socket(stack, args, start=start)
        self._attach(hub, number, fd, family)

    def _attach(self, hub: Hub, number: int, fd: int, family: int) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=fd)
        self._family = socket.AddressFamily(family)
        self._hub, self._number = hub, number
        six = family == socket.AF_INET6
        self._local: Address = ("::", 0, 0, 0) if six else ("0.0.0.0", 0)
        self._peer: Address | None = None
        self._connecting = self._listening = self._connected = False
        self._room = 0  # what its buffer was before it was filled, 0 while it is not
        self._at_end = self._deaf = self._mute = False
        self._zones: dict[str, int] = {}
        self._drained = True  # the last read found less than it wanted
        self._watch(fd)
        self._ending = hub.add(number)

    def _bare(self) -> "StreamSocket":
        """Return a new socket without a connection."""
        return StreamSocket.__new__(StreamSocket)

    def _share(self, other: "StreamSocket", fd: int) -> None:
        """Have the connection of another socket, too; by a descriptor that is this one's."""
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=fd)
        self.__dict__.update(other.__dict__)
        self._ending.holders += 1
        self._watch(fd)
        self.settimeout(other.gettimeout())

    def _watch(self, fd: int) -> None:
        self._reader = select.poll()
        self._reader.register(fd, select.POLLIN)

    @property
    def stack(self) -> str:
        """Name of the stack."""
        return self._hub.stack

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6."""
        return self._family

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
        self._command("bind", **self._named(address))

    def getsockname(self) -> Address:
        """Return what it is bound to; ("0.0.0.0", 0) or ("::", 0, 0, 0) before."""
        return self._local

    def getpeername(self) -> Address:
        """Return whom it is connected to.

        Raises:
            OSError: ENOTCONN, to nobody.
        """
        if self._peer is None or (self._connecting and not self._settled(0)) or self._ending.failed:
            raise _plain(errno.ENOTCONN)
        return self._peer

    def _named(self, address: Any) -> dict[str, Any]:
        host, port, zone = split(self._family, address)
        if isinstance(zone, str):
            if zone not in self._zones:
                self._zones[zone] = self._command("index", dev=zone)["index"]
            zone = self._zones[zone]
        return {"addr": host, "port": port, "zone": zone}

    def _command(self, do: str, **args: Any) -> dict[str, Any]:
        told, passed = self._hub.call(do, self._number, args)
        for fd in passed:
            self._become(fd)
        self._take_names(told)
        return told

    def _become(self, fd: int) -> None:
        """Put another file behind the descriptor that the program knows."""
        inheritable = self.get_inheritable()
        os.dup2(fd, self.fileno(), inheritable=inheritable)
        os.close(fd)
        self.settimeout(self.gettimeout())  # O_NONBLOCK is the file's, not the descriptor's

    def _take_names(self, told: dict[str, Any]) -> None:
        self._local = self._name(told["addr"], told["port"], told.get("zone", 0))
        if "peer" in told:
            self._peer = self._name(told["peer"], told["peer_port"], told.get("peer_zone", 0))

    def _name(self, host: str, port: int, zone: int) -> Address:
        return (host, port) if self._family == socket.AF_INET else (host, port, 0, zone)

    # --- opening ----------------------------------------------------------------------------------

    def connect(self, address: Any) -> None:
        """Connect, waiting as the timeout says; after that as ``connect`` of the kernel.

        Raises:
            BlockingIOError: EINPROGRESS; ``poll`` tells when it is writable, SO_ERROR how it went.
            TimeoutError: it takes longer.
            OSError: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EISCONN, EALREADY ...
        """
        if self._connecting and self._settled(0):
            self._raise_error()
            return
        named = self._named(address)
        told = self._command("connect", skip=self._fill(), **named)
        self._take_names(told)
        self._connecting = True
        if self.gettimeout() == 0:
            raise _plain(errno.EINPROGRESS)
        self.finish_connect()

    def finish_connect(self) -> None:
        """Wait for a ``connect`` that has begun; errors as of ``connect``."""
        if not self._settled(self.gettimeout()):
            raise TimeoutError("timed out")
        self._raise_error()

    def connect_ex(self, address: Any) -> int:
        """Connect as ``connect``, and return the errno, 0 for success."""
        try:
            self.connect(address)
        except TimeoutError as error:
            return error.errno or errno.EAGAIN
        except OSError as error:
            return error.errno or errno.EINVAL
        return 0

    def _fill(self) -> int:
        """Fill the buffer, so that it cannot be written until the stack says so; return by what."""
        if not self._room:
            self._room = super().getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            super().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            self._filled = 0
            while self._filled < _MAX_FILL and self._poll(select.POLLOUT, 0):
                self._filled += super().send(b"\0")
        return self._filled

    def _poll(self, events: int, timeout: float | None) -> int:
        """Wait for events; return those that are there, 0 for none in time."""
        poll = select.poll()
        poll.register(self.fileno(), events)
        found = poll.poll(None if timeout is None else timeout * 1000)
        return found[0][1] if found else 0

    def _settled(self, timeout: float | None) -> bool:
        """Wait until it is connected, or has failed; False when neither happens in time."""
        events = self._poll(select.POLLOUT, timeout)
        if not events:
            return False
        self._connecting = False
        if events & select.POLLHUP:
            self._look()
        else:
            self._connected = True
            # socket(7): the kernel doubles it.
            super().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._room // 2)
        return True

    def listen(self, backlog: int = 128) -> None:
        """Take connections; of those that are not accepted, ``backlog`` and one more may wait.

        Raises:
            OSError: EADDRINUSE, another socket listens there; EINVAL, it is a connection.
        """
        self._command("listen", backlog=max(backlog, 0))
        self._listening = True

    def accept(self) -> "tuple[StreamSocket, Address]":
        """Return the oldest connection, and whom it is with, waiting as the timeout says.

        Raises:
            BlockingIOError, TimeoutError: there is none.
            OSError: EINVAL, it does not listen; ECONNRESET, the stack was stopped;
                ECONNABORTED, the socket was killed.
        """
        if not self._listening:
            raise _plain(errno.EINVAL)
        message, passed = receive_descriptors(self, wire.MAX_MESSAGE)
        if not message:
            self._look()
            self._raise_error()
            raise _plain(errno.EINVAL)
        told = wire.parse_told(message)["accepted"]
        if not passed:
            raise OSError(errno.EMFILE, "this process has no descriptor left for a connection")
        made = self._bare()
        made._attach(self._hub, told["socket"], passed[0], self._family)
        made._take_names(told)
        made._connected = True
        super().send(wire.TAKEN)
        if socket.getdefaulttimeout() is None and self.gettimeout():
            made.setblocking(True)
        assert made._peer is not None  # the daemon tells whom a connection is with
        return made, made._peer

    # --- data -------------------------------------------------------------------------------------

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return up to ``size`` bytes, b"" at the end of the stream.

        Raises:
            BlockingIOError, TimeoutError: none came.
            OSError: ECONNRESET, ETIMEDOUT and so on: the connection failed; ENOTCONN.
        """
        self._check_open()
        if self._drained and not flags & socket.MSG_DONTWAIT:
            self._await()
        try:
            data = super().recv(size, flags)
        except ConnectionResetError:
            data = b""
        self._drained = len(data) < size
        return data if data or not size else self._end(b"")

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Put bytes into a buffer; return how many; otherwise as ``recv``."""
        self._check_open()
        if self._drained and not flags & socket.MSG_DONTWAIT:
            self._await()
        try:
            number = super().recv_into(buffer, nbytes, flags)
        except ConnectionResetError:
            number = 0
        size = nbytes or len(memoryview(buffer).cast("B"))
        self._drained = number < size
        return number or (self._end(0) if size else 0)

    def _await(self) -> None:
        """Wait until something can be read, as far as ``recv`` is to wait.

        The kernel wakes who sleeps in ``recv`` of a pair also when the daemon has read what the
        program sent, in vain; ``poll`` is not.
        """
        if self.gettimeout() is None:
            try:
                self._reader.poll()
            except RuntimeError:  # another thread waits by it
                return

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, Any]:
        """Return bytes as ``recv``, and None: there is one peer."""
        return self.recv(size, flags), None

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """Put bytes into a buffer as ``recv_into``; return how many, and None."""
        return self.recv_into(buffer, nbytes, flags), None

    def send(self, data: Any, flags: int = 0) -> int:
        """Send bytes; return how many were taken.

        Raises:
            BlockingIOError, TimeoutError: there is no room, since the peer does not read.
            OSError: ECONNRESET, ETIMEDOUT and so on: the connection failed; EPIPE after that, and
                after ``shutdown``; ENOTCONN.
        """
        self._check_open()
        try:
            return super().send(data, flags)
        except OSError as error:
            raise self._broken(error) from None

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all bytes; errors as of ``send``."""
        self._check_open()
        try:
            super().sendall(data, flags)
        except OSError as error:
            raise self._broken(error) from None

    def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None) -> int:
        """Send the bytes of several buffers; otherwise as ``send``."""
        self._check_open()
        try:
            return super().sendmsg(buffers, ancdata, flags)
        except OSError as error:
            raise self._broken(error) from None

    def sendto(self, data: Any, *rest: Any) -> int:
        """Send bytes as ``send``; of a connection, the address says nothing."""
        return self.send(data, rest[0] if len(rest) > 1 else 0)

    def shutdown(self, how: int) -> None:
        """Send no more, read no more, or both; the stack takes the last for ``close``.

        Raises:
            OSError: ENOTCONN.
        """
        self._check_open()
        self._deaf = self._deaf or how != socket.SHUT_WR
        self._mute = self._mute or how != socket.SHUT_RD
        try:
            super().shutdown(how)
        except OSError as error:
            raise self._broken(error) from None

    def _check_open(self) -> None:
        """See that it is a connection; one that is being opened is waited for.

        Raises:
            OSError: ENOTCONN.
            BlockingIOError, TimeoutError: it is not open yet.
        """
        if self._connected:
            return
        if self._connecting:
            if not self._settled(self.gettimeout()):
                if self.gettimeout() == 0:
                    raise _plain(errno.EAGAIN)
                raise TimeoutError("timed out")
            self._raise_error()
            return
        if not self._ending.failed:
            raise _plain(errno.ENOTCONN)

    def _end(self, nothing: Any) -> Any:
        """Return the end of the stream, if it is that, or raise what ended the connection."""
        if not (self._at_end or self._deaf):
            if self._poll(0, 0):  # nothing can come or go; without, only one end is shut down
                self._look()
                self._raise_error()
            self._at_end = True
        return nothing

    def _broken(self, error: OSError) -> OSError:
        """Return what a failed send means."""
        if error.errno not in GONE:
            return error
        if not self._ending.failed and self._poll(0, 0):
            self._look()
        return self._ending.take() or _plain(errno.EPIPE)

    # --- errors -----------------------------------------------------------------------------------

    def _look(self) -> None:
        """Find out why no byte can come or go any more.

        Both directions may have been shut down in order. Where that cannot be, and the daemon said
        nothing, it is gone.
        """
        self._hub.look()
        in_order = self._deaf or (self._mute and not self._hub.dead)
        if not self._ending.failed and not in_order:
            self._ending.fail(gone(self.stack))

    def _raise_error(self) -> None:
        error = self._ending.take()
        if error is not None:
            raise error

    # --- options ----------------------------------------------------------------------------------

    def setsockopt(self, level: int, option: int, value: Any, size: int | None = None) -> None:
        """Set an option of socket(7), tcp(7), ip(7) or ipv6(7), as far as a stack has it.

        Raises:
            OSError: ENOPROTOOPT for another one, EINVAL or ENODEV for a wrong value.
        """
        name = options.NAMES.get((level, option))
        if name is None:
            raise _plain(errno.ENOPROTOOPT)
        try:
            word = options.word(name, value)
        except (ValueError, struct.error):
            raise _plain(errno.EINVAL) from None
        self._command("set", **{name: word})

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        """Return an option: a number, or ``size`` bytes at most.

        Raises:
            OSError: ENOPROTOOPT for one that a stack does not have.
        """
        value: int | str
        if level == socket.SOL_SOCKET and option in OWN:
            value = self._own(option)
        else:
            name = options.READ.get((level, option)) or options.NAMES.get((level, option))
            if name is None:
                raise _plain(errno.ENOPROTOOPT)
            value = self._command("get", name=name)["value"]
            if name == "linger":
                packed = struct.pack("ii", value != -1, max(int(value), 0))
                return packed[:size] if size else int(value != -1)
        if isinstance(value, str):
            return value.encode().ljust(size, b"\0")[:size]
        return struct.pack("i", value)[:size] if size else value

    def _own(self, option: int) -> int:
        if option == socket.SO_ERROR:
            if self._connecting:
                self._settled(0)
            elif self._connected and not self._ending.failed and self._poll(0, 0):
                self._look()
            error = self._ending.take()
            return 0 if error is None else error.errno or errno.EINVAL
        fixed = {socket.SO_TYPE: self.type, socket.SO_DOMAIN: self.family}
        return int(fixed.get(option, self.proto))

    # --- the end ----------------------------------------------------------------------------------

    def _real_close(self) -> None:
        held = self.fileno() >= 0
        super()._real_close()  # type: ignore[misc]  # what close() of socket.socket calls
        if held:
            self._hub.drop(self._number, self._ending)

    def detach(self) -> int:
        """Return the descriptor, which the caller closes; it carries the connection's bytes."""
        fd = super().detach()
        self._hub.drop(self._number, self._ending)
        return fd

    def dup(self) -> "StreamSocket":
        """Return another socket of the same connection, or one that listens with this one.

        Raises:
            OSError: EOPNOTSUPP, it is neither connected nor listening yet: what comes of it, only
                one socket could be told.
        """
        if not (self._connected or self._listening):
            raise OSError(
                errno.EOPNOTSUPP,
                "a stack's socket can be duplicated when it is connected or listens",
            )
        made = self._bare()
        made._share(self, os.dup(self.fileno()))
        return made

    def __repr__(self) -> str:
        peer = "" if self._peer is None else f" peer={self._peer}"
        closed = " closed" if self.fileno() < 0 else ""
        return f"<StreamSocket stack={self.stack!r} local={self._local}{peer}{closed}>"


def _plain(number: int) -> OSError:
    return OSError(number, os.strerror(number))
