"""Opening a socket of the stack: the daemon passes a descriptor to the program."""

import errno
import os
import socket
import sys
from typing import Any, NamedTuple

from smolctl.client.control import DEFAULT_TIMEOUT, Client, RemoteError
from smolctl.descriptors import receive_descriptors


class Opened(NamedTuple):
    """A socket of the stack: the request that made it, its channel, and the options it has."""

    request: int
    channel: int  # a descriptor
    options: dict[str, Any]


def open_channel(client: Client, op: str, version: int, family: int = socket.AF_INET) -> Opened:
    """Have the daemon open a socket, or all sockets; ``client`` is theirs from now on.

    Args:
        op: the operation that opens it.
        version: of what its channel carries.
        family: AF_INET or AF_INET6.

    Raises:
        OSError: EMFILE, the daemon or this process has no descriptor left.
        SmolctlError: the daemon is gone, or of another version.
    """
    receiver = _Receiver(client._socket)
    client._socket = receiver  # type: ignore[assignment]  # it has all that the client uses
    args = {"channel": version, "owner": _program(), "pid": os.getpid(), "uid": os.geteuid()}
    if family == socket.AF_INET6:
        args["family"] = "inet6"
    request = client._request(op, args)
    try:
        opened = client._reply(request, DEFAULT_TIMEOUT)["event"]
    except RemoteError as error:
        if error.code == "too-many-sockets":
            raise OSError(errno.EMFILE, error.message) from None
        raise
    if receiver.passed is None:  # unix(7): the kernel drops what the process has no number for
        raise OSError(errno.EMFILE, "this process has no descriptor left for the stack's socket")
    passed, receiver.passed = receiver.passed, None
    return Opened(request, passed, opened)


def _program() -> str:
    """Return the name of this program, as its caller may know it."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None:  # python -m NAME
        return str(spec.name.removesuffix(".__main__"))
    name = os.path.basename(sys.argv[0] if sys.argv else "")
    return name if name not in ("", "-c", "-") and name.isprintable() else "python"


class _Receiver:
    """The control connection's socket, which keeps the descriptor that the daemon passes."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.passed: int | None = None
        self.settimeout, self.sendall = connection.settimeout, connection.sendall

    def recv(self, size: int) -> bytes:
        """Return bytes, as ``socket.recv``."""
        data, passed = receive_descriptors(self._connection, size)
        if passed:
            self.passed = passed[0]
        return data

    def close(self) -> None:
        """Close it, and what nobody asked for."""
        if self.passed is not None:
            os.close(self.passed)
            self.passed = None
        self._connection.close()
