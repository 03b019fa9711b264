"""A drop-in for what the module ``socket`` opens: ``patch`` puts it there.

Afterwards ``socket.socket`` makes UDP and TCP sockets of a stack, and other ones of the kernel. It
is a subclass of the original class, and what it makes becomes one of ``StreamSocket`` or
``DatagramSocket``, too, whatever class of a program's own it is. Host names are those of
``names``; numbers of interfaces are the stack's.
"""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast
from weakref import WeakValueDictionary

from smolctl.client import names
from smolctl.client.control import Client
from smolctl.client.datagram import DatagramSocket
from smolctl.client.stream import StreamSocket
from smolctl.control.paths import DEFAULT_STACK
from smolctl.errors import SmolctlError, advice

_Original = socket.socket
_fromfd = socket.fromfd
_FLAGS = int(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
_live: "WeakValueDictionary[int, _Stream]" = WeakValueDictionary()
"""The TCP sockets by their descriptors, for who makes another socket of the same descriptor."""


class _Choice:
    """The stack whose sockets are made."""

    stack: str | None = None
    start = True

    @classmethod
    def name(cls) -> str:
        return cls.stack or os.environ.get("SMOLCTL_STACK") or DEFAULT_STACK


class Socket(_Original):
    """A socket of the stack or, of another family than AF_INET and AF_INET6, of the kernel.

    Args:
        family, type, proto: of TCP or UDP for one of the stack; SOCK_NONBLOCK may be in ``type``.
        fileno: descriptor of a socket that there is: that of a connection of the stack remains one,
            any other is the kernel's.

    Raises:
        OSError: EPROTONOSUPPORT, EAFNOSUPPORT: a socket that a stack does not have, and that of the
            kernel would not be about the stack; ENETDOWN, the stack does not run; EMFILE.
    """

    # None: so that the base of ssl.SSLSocket can be changed to it.
    __slots__ = ()

    def __new__(cls, *_: Any, **__: Any) -> "Socket":
        """Return one that may become a socket of the stack."""
        roomy: type[Socket] = cls if cls.__dictoffset__ else _with_attributes(cast(Any, cls))
        return super().__new__(roomy)

    def __init__(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> None:
        own: Any = self  # its class changes
        if isinstance(self, StreamSocket | DatagramSocket):  # below, it has become one
            _Original.__init__(self, family, type, proto, fileno)
        elif fileno is not None:
            live = _live_of(fileno)
            if live is None:
                _Original.__init__(self, family, type, proto, fileno)
            else:
                own.__class__ = _derived(own.__class__, _Stream)
                own._share(live, fileno)
        elif family in (-1, socket.AF_INET, socket.AF_INET6, socket.AF_PACKET):
            family = socket.AF_INET if family == -1 else family
            kind = socket.SOCK_STREAM if type == -1 else type & ~_FLAGS
            base = _base(family, kind, max(proto, 0))
            own.__class__ = _derived(own.__class__, base)
            own._open(family)
            if type != -1 and type & socket.SOCK_NONBLOCK:
                own.setblocking(False)
        else:
            _Original.__init__(self, family, type, proto)


Socket.__name__ = Socket.__qualname__ = "socket"


@cache
def _with_attributes(own: Any) -> Any:
    """Return a class whose objects have a dictionary: a layout that may become that of another."""
    return type(own.__name__, (own,), {"__module__": own.__module__})


class _Stream(StreamSocket, Socket):
    """A TCP socket of the stack that is a ``socket.socket`` of the patched module, too."""

    def _open(self, family: int) -> None:
        with _told_to_programs():
            StreamSocket.__init__(self, _Choice.name(), start=_Choice.start, family=family)

    def _attach(self, *args: Any) -> None:
        super()._attach(*args)
        _live[self.fileno()] = self

    def _share(self, other: StreamSocket, fd: int) -> None:
        super()._share(other, fd)
        _live[fd] = self

    def _bare(self) -> "_Stream":
        made: Any = _Stream.__new__(_Stream)
        return cast(_Stream, made)


class _Datagram(DatagramSocket, Socket):
    """A UDP socket of the stack that is a ``socket.socket`` of the patched module, too."""

    def _open(self, family: int) -> None:
        with _told_to_programs():
            DatagramSocket.__init__(self, _Choice.name(), start=_Choice.start, family=family)


def _live_of(fd: int) -> _Stream | None:
    """Return the TCP socket of a descriptor."""
    live = _live.get(fd)
    # Its number may be another file's when it was closed.
    return live if live is not None and live.fileno() == fd else None


@cache
def _derived(own: Any, base: Any) -> Any:
    """Return a class that is ``base``, too.

    A class derived from both, since the layout of an object must stay (``__class__``).
    """
    return type(own.__name__, (own, base), {"__module__": own.__module__})


def _base(family: int, kind: int, proto: int) -> type:
    """Return the class that does what a socket is to do.

    Raises:
        OSError: there is none.
    """
    if family == socket.AF_PACKET:
        text = "a stack has no packet sockets; smolctl capture shows its packets"
        raise OSError(errno.EAFNOSUPPORT, text)
    if kind == socket.SOCK_STREAM and proto in (0, socket.IPPROTO_TCP):
        return _Stream
    if kind == socket.SOCK_DGRAM and proto in (0, socket.IPPROTO_UDP):
        return _Datagram
    if kind == socket.SOCK_RAW or proto in (socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6):
        text = "a stack has no raw sockets; smolctl ping, traceroute and capture may do"
    else:
        text = f"a stack has TCP and UDP sockets, none of type {kind} and protocol {proto}"
    raise OSError(errno.EPROTONOSUPPORT, text)


@contextmanager
def _told_to_programs() -> Iterator[None]:
    """Have a missing stack be an error of the network: a program knows of no other."""
    try:
        yield
    except SmolctlError as error:
        told = OSError(errno.ENETDOWN, error.message)
        if error.hint:
            told.add_note(advice(error.hint))
        raise told from None


# --- functions of socket --------------------------------------------------------------------------


def _from_descriptor(fd: int, family: int, type: int, proto: int = 0) -> socket.socket:
    """Return a socket of a duplicate of a descriptor: ``socket.fromfd``."""
    live = _live_of(fd)
    return _fromfd(fd, family, type, proto) if live is None else live.dup()


def _interfaces() -> list[tuple[int, str]]:
    """Return number and name of the stack's interfaces: ``socket.if_nameindex``."""
    with _told_to_programs(), Client.connect(_Choice.name(), start=_Choice.start) as client:
        return [(row["ifindex"], row["ifname"]) for row in client.call("link.show")]


def _number_of(name: str) -> int:
    """Return the number of an interface: ``socket.if_nametoindex``."""
    for number, each in _interfaces():
        if each == name:
            return number
    raise OSError(errno.ENODEV, f'the stack has no interface "{name}"')


def _name_of(number: int) -> str:
    """Return the name of an interface: ``socket.if_indextoname``."""
    for each, name in _interfaces():
        if each == number:
            return name
    raise OSError(errno.ENXIO, f"the stack has no interface of number {number}")


_REPLACED = {
    "socket": Socket,
    "fromfd": _from_descriptor,
    "getaddrinfo": names.getaddrinfo,
    "gethostbyaddr": names.gethostbyaddr,
    "gethostbyname": names.gethostbyname,
    "gethostbyname_ex": names.gethostbyname_ex,
    "getnameinfo": names.getnameinfo,
    "if_indextoname": _name_of,
    "if_nameindex": _interfaces,
    "if_nametoindex": _number_of,
}


def patch(stack: str | None = None, *, start: bool = True) -> None:
    """Have the module ``socket`` open sockets of a stack, in this process from now on.

    Modules that have taken names out of ``socket`` before keep those of the kernel, so this comes
    first; only ``ssl`` may be there. Again, it chooses another stack for sockets to come.

    Args:
        stack: name of the stack; None for SMOLCTL_STACK, or else "default".
        start: start the stack's daemon when a socket is opened, and it is not running.
    """
    _Choice.stack, _Choice.start = stack, start
    for name, ours in _REPLACED.items():
        setattr(socket, name, ours)
    if "ssl" in sys.modules:
        sys.modules["ssl"].SSLSocket.__bases__ = (Socket,)
