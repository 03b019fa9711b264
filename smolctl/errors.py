"""The error tree: every error is somebody's fault, and its class says whose.

``WireError`` is the peer's fault, ``StackError`` the caller's, ``DeviceError`` the machine's,
``ControlError`` and ``ClientError`` belong to the control connection. Anything else that is raised
is a bug of smolctl. This module imports nothing, so that every layer may use it.
"""

OUT_OF_MEMORY = (MemoryError, SystemError)
"""Exceptions of a process without memory: CPython's C code loses a MemoryError at times, in imports
above all, and raises SystemError, "error return without exception set"."""

COMMANDS = ("smolctl ", "sudo ", "ip ", "sysctl ", "nft ", "nsenter ", "make ", "setsockopt(")
"""The beginnings of hints that can be tried as they stand; others are advice in words."""


def advice(hint: str) -> str:
    """Return a hint as people read it behind what went wrong."""
    return f"try: {hint}" if hint.startswith(COMMANDS) else hint


class SmolctlError(Exception):
    """Base of all errors that a user may see as one line.

    Args:
        message: one line: what happened, with the offending value, and why.
        hint: what to do about it, a command where there is one; None when nothing can be done.

    ``code`` is stable kebab-case for scripts; ``errno_name`` is the name of the errno that Linux
    gives in the same case ("EEXIST"), or None where Linux has none. ``packet`` is the id of the
    packet that it is about, for ``smolctl why``, or None.
    """

    code = "error"
    errno_name: str | None = None
    packet: int | None = None

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def to_dict(self) -> dict[str, str | int]:
        """Return the object that ``--json`` prints under "error"; absent keys rather than null."""
        result: dict[str, str | int] = {"code": self.code, "message": self.message}
        if self.hint is not None:
            result["hint"] = self.hint
        if self.errno_name is not None:
            result["errno"] = self.errno_name
        if self.packet is not None:
            result["id"] = self.packet
        return result

    @staticmethod
    def from_dict(said: dict[str, str]) -> "SmolctlError":
        """Return an error that another process told of, in the form of ``to_dict``."""
        error = SmolctlError(said["message"], hint=said.get("hint"), code=said["code"])
        error.errno_name = said.get("errno")
        return error


class WireError(SmolctlError):
    """Bytes from outside that are not what their header claims: the peer's fault."""

    code = "wire"


class ControlError(SmolctlError):
    """The control connection carried something that is not the control protocol."""

    code = "control-protocol"


class ClientError(SmolctlError):
    """No daemon could be reached or started, or it went away."""

    code = "client"


class DeviceError(SmolctlError):
    """A device could not be opened or configured: the machine's or its owner's fault."""

    code = "device"


class StackError(SmolctlError):
    """The caller asked for something the stack refuses; nothing was changed."""

    code = "refused"


class InvalidArgument(StackError):
    """A value is malformed or out of range (EINVAL)."""

    code = "invalid-argument"
    errno_name = "EINVAL"


class AlreadyExists(StackError):
    """The object already exists (EEXIST)."""

    code = "exists"
    errno_name = "EEXIST"


class NotFound(StackError):
    """The object to change or delete is not there (ESRCH)."""

    code = "not-found"
    errno_name = "ESRCH"


class NoSuchDevice(StackError):
    """No interface has that name (ENODEV)."""

    code = "no-such-device"
    errno_name = "ENODEV"


class InterfaceDown(StackError):
    """The interface is down (ENETDOWN)."""

    code = "iface-down"
    errno_name = "ENETDOWN"


class AddressInUse(StackError):
    """Another socket has that address and port (EADDRINUSE)."""

    code = "address-in-use"
    errno_name = "EADDRINUSE"


class AddressNotAvailable(StackError):
    """The address is none of this stack's (EADDRNOTAVAIL)."""

    code = "address-not-available"
    errno_name = "EADDRNOTAVAIL"


class NetworkUnreachable(StackError):
    """No route leads to the destination, or a gateway is on no connected network (ENETUNREACH)."""

    code = "network-unreachable"
    errno_name = "ENETUNREACH"


class HostUnreachable(StackError):
    """A host is on no link of this stack."""

    code = "host-unreachable"
    errno_name = "EHOSTUNREACH"


class MessageTooLong(StackError):
    """The datagram never fits (EMSGSIZE)."""

    code = "message-too-long"
    errno_name = "EMSGSIZE"


class NotConnected(StackError):
    """The socket is no connection (ENOTCONN)."""

    code = "not-connected"
    errno_name = "ENOTCONN"


class AlreadyConnected(StackError):
    """The socket is a connection already (EISCONN)."""

    code = "already-connected"
    errno_name = "EISCONN"


class ConnectionInProgress(StackError):
    """The socket is connecting already (EALREADY)."""

    code = "connection-in-progress"
    errno_name = "EALREADY"


class BrokenPipe(StackError):
    """Nothing can be sent any more (EPIPE)."""

    code = "broken-pipe"
    errno_name = "EPIPE"


class NoBuffers(StackError):
    """A table or queue is full: try later or raise its limit (ENOBUFS)."""

    code = "no-buffers"
    errno_name = "ENOBUFS"


class SendRejected(StackError):
    """A datagram was refused before it left; ``code`` is the reason's name.

    Args:
        reason: name of the reason, as ``smolctl explain`` knows it.
        errno_name: what Linux's ``sendto`` gives in this case.
    """

    def __init__(
        self, reason: str, message: str, *, errno_name: str, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=reason)
        self.errno_name = errno_name
