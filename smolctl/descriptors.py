"""Descriptors that come with a message of a Unix socket (unix(7), SCM_RIGHTS)."""

import array
import socket

_INT = array.array("i").itemsize


def receive_descriptors(
    connection: socket.socket, size: int, number: int = 1
) -> tuple[bytes, list[int]]:
    """Return a message, and the descriptors that came with it; no child process inherits them.

    ``socket.recv_fds`` drops the flag that says so (CPython), and PEP 446 wants it of all.

    Args:
        size: bytes that are read at most.
        number: descriptors that are taken at most; the kernel closes others.

    Raises:
        OSError: as ``recvmsg``.
    """
    data, ancillary, _, _ = connection.recvmsg(
        size, socket.CMSG_SPACE(number * _INT), socket.MSG_CMSG_CLOEXEC
    )
    found = array.array("i")
    for level, kind, value in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(value[: len(value) // _INT * _INT])
    return data, list(found)
