"""Unix sockets with a name: a dead process's is taken over, a live one's never."""

import errno
import fcntl
import os
import socket
import stat
from contextlib import suppress

from smolctl.errors import DeviceError

PATH_MAX = 107
"""Longest path of a Unix socket, bytes (unix(7): sun_path has 108 with the final NUL)."""


def check_path(path: str) -> None:
    """See that a Unix socket can have this path.

    Raises:
        DeviceError: it is too long.
    """
    length = len(os.fsencode(path))
    if length > PATH_MAX:
        raise DeviceError(
            f"{path} has {length} bytes, and the path of a Unix socket at most {PATH_MAX}",
            hint="take a directory with a shorter name, such as /tmp/NAME",
        )


def bind(path: str, kind: int) -> "BoundSocket":
    """Return a socket of our own at ``path``, that only this user and root can connect to.

    Args:
        path: absolute. A socket that is there is removed when nobody has it open.
        kind: socket.SOCK_STREAM, which then listens, or socket.SOCK_DGRAM.

    Raises:
        DeviceError: somebody has it, there is something else, or the directory does not allow it.
    """
    check_path(path)
    directory = os.path.dirname(path)
    try:
        # Whoever else takes over the socket of a dead process does so under the same lock: none
        # removes what the other has just made.
        lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(path, error) from None
    try:
        _check_directory(directory, os.fstat(lock))
        with suppress(BlockingIOError):  # not ours to wait for: then the lock guards nothing
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove_dead(path, kind)
        return BoundSocket(path, kind)
    except OSError as error:
        raise _refused(path, error) from None
    finally:
        os.close(lock)


class BoundSocket:
    """A Unix socket with a name; made by ``bind``.

    Attributes:
        socket: the socket; it does not block.
    """

    def __init__(self, path: str, kind: int) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, kind)
        try:
            self.socket.setblocking(False)
            mask = os.umask(0o177)
            try:
                self.socket.bind(path)
            finally:
                os.umask(mask)
            self._file = os.lstat(path)
            if kind == socket.SOCK_STREAM:
                self.socket.listen()
        except BaseException:
            self.socket.close()
            raise

    def close(self) -> None:
        """Close the socket and remove its file, unless that is another one by now."""
        with suppress(OSError):
            if os.path.samestat(self._file, os.lstat(self.path)):
                os.unlink(self.path)
        self.socket.close()


def alive(path: str, kind: int) -> bool:
    """Tell whether some process has the socket at ``path`` open; False when there is none.

    Raises:
        OSError: that cannot be found out (EACCES), or it is a socket of another kind (EPROTOTYPE).
    """
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except BlockingIOError:
            return True  # its backlog is full: alive, and busy
        except PermissionError as error:
            # EPERM, unlike EACCES, is the answer of a datagram socket that has another peer.
            if error.errno != errno.EPERM:
                raise
        return True


def _remove_dead(path: str, kind: int) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise DeviceError(f"{path} exists and is not a socket", hint=f"rm {path}")
    if alive(path, kind):
        raise _refused(path, OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)))
    os.unlink(path)


def _check_directory(directory: str, status: os.stat_result) -> None:
    """See that nobody else can put a socket of theirs in the place of ours."""
    if status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX:
        raise DeviceError(
            f"others may write in {directory} (mode {stat.S_IMODE(status.st_mode):04o}) and put a"
            " socket of theirs there",
            hint=f"chmod go-w {directory}",
        )


def _refused(path: str, error: OSError) -> DeviceError:
    """Return the error for people of a socket that cannot be made."""
    directory = os.path.dirname(path)
    problem: str = error.strerror or str(error)
    hint: str | None = None
    if error.errno in (errno.EADDRINUSE, errno.EPROTOTYPE):
        problem = "another process has this socket open"
        hint = f"take another path, or see who it is: ss -xlp src {path}"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        problem = f"no permission to write in {directory}"
        hint = "take a directory of your own, such as $XDG_RUNTIME_DIR"
    elif error.errno == errno.ENOENT:
        problem = f"there is no directory {directory}"
        hint = f"mkdir -p {directory}"
    elif error.errno == errno.ENOTDIR:
        problem = f"{directory} is not a directory"
        hint = "take another path"
    result = DeviceError(f"cannot make the socket {path}: {problem}", hint=hint)
    result.errno_name = errno.errorcode.get(error.errno or 0)
    return result
