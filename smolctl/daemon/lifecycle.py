"""The life of a daemon: one per stack, and nothing left behind by the last one."""

import errno
import fcntl
import json
import os
import socket
import stat
import time
from contextlib import suppress

from smolctl.control.paths import StackPaths, make_directory
from smolctl.errors import ControlError, SmolctlError

_BACKLOG = 256
_PATIENCE_S = 5.0
_RETRY_S = 0.01


class AlreadyRunning(ControlError):
    """Another daemon serves the stack."""

    code = "already-running"


class Ready:
    """Tells who started the daemon how that went: once, in one line of JSON.

    Args:
        fd: descriptor of a pipe's writing end; None when nobody waits.
    """

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def progress(self) -> None:
        """Say that it goes on: a blank before the line."""
        if self._fd is not None:
            with suppress(OSError):
                os.write(self._fd, b" ")

    def succeed(self, pid: int) -> None:
        """Say that the stack can be connected to."""
        self._tell({"ready": pid})

    def fail(self, error: SmolctlError) -> None:
        """Say why it cannot."""
        self._tell({"error": error.to_dict()})

    def _tell(self, message: dict[str, object]) -> None:
        if self._fd is None:
            return
        with suppress(OSError):  # who waited may be gone; the daemon is of use without
            os.write(self._fd, json.dumps(message).encode() + b"\n")
        os.close(self._fd)
        self._fd = None


def detach(keep: int) -> None:
    """Leave the caller behind: its session, directory, umask and descriptors. Its process ends.

    Args:
        keep: the one descriptor above 2 that stays open.
    """
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    # Not stricter: the byte code that Python may write is for all users of this installation. What
    # we make ourselves has a mode of its own.
    os.umask(0o022)
    close_all_but(keep)


def close_all_but(keep: int) -> None:
    """Close every descriptor above 2 but one."""
    # Not closerange: without close_range(2) it would try every number below a limit that
    # containers set to a thousand million.
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd != keep:
            with suppress(OSError):  # the one that listdir itself used
                os.close(fd)


class Lock:
    """The right to serve a stack, held until ``release`` or the end of the process.

    The lock belongs to an open file (flock(2)), so the kernel drops it with the process, however
    that ends: what a killed daemon leaves behind stops nobody.
    """

    def __init__(self, paths: StackPaths, fd: int) -> None:
        self._paths = paths
        self._fd = fd

    @classmethod
    def acquire(cls, paths: StackPaths, patience_s: float = _PATIENCE_S) -> "Lock":
        """Take the lock, waiting while its holder neither answers nor ends.

        Args:
            paths: the stack's; its directory exists.
            patience_s: seconds to wait.

        Raises:
            AlreadyRunning: a daemon of that stack answers.
            ControlError: the lock's holder does not answer, or the file cannot be opened.
        """
        deadline = time.monotonic() + patience_s
        while True:
            lock = cls._try(paths)
            # A daemon lives although its lock file was removed (a cleaner of /tmp): its socket
            # answers. It must not lose that socket to us.
            if answers(paths.socket):
                if lock is not None:
                    lock.release()
                raise AlreadyRunning(f'stack "{paths.name}" is already running')
            if lock is not None:
                return lock
            if time.monotonic() > deadline:
                raise ControlError(
                    f"process {_holder(paths.lock)} holds {paths.lock} but does not answer",
                    hint=f"kill {_holder(paths.lock)}",
                    code="already-running",
                )
            # Its holder is about to listen, or about to end; there is nothing to wait on.
            time.sleep(_RETRY_S)

    @classmethod
    def _try(cls, paths: StackPaths) -> "Lock | None":
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(paths.lock, flags, 0o600)
        except OSError as error:
            raise ControlError(
                f"cannot open {paths.lock}: {error.strerror}", code="runtime-directory"
            ) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The last holder may have removed the file between our open and our flock; then this
            # lock is of a file that nobody else will find.
            mine = os.path.samestat(os.fstat(fd), os.stat(paths.lock))
        except (BlockingIOError, FileNotFoundError):
            mine = False
        if not mine:
            os.close(fd)
            return None
        lock = cls(paths, fd)
        try:
            os.ftruncate(fd, 0)
            os.write(fd, b"%d\n" % os.getpid())
        except OSError as error:
            lock.release()
            raise ControlError(
                f"cannot write {paths.lock}: {error.strerror}", code="runtime-directory"
            ) from None
        return lock

    def release(self) -> None:
        """Give the lock up and remove its file, if that was not done yet."""
        if self._fd < 0:
            return
        # Removed first: whoever opens the file from now on makes a new one.
        with suppress(OSError):
            if os.path.samestat(os.fstat(self._fd), os.stat(self._paths.lock)):
                os.unlink(self._paths.lock)
        os.close(self._fd)
        self._fd = -1


def _holder(lock: str) -> str:
    try:
        with open(lock) as file:
            return file.read(20).strip() or "?"
    except OSError:
        return "?"


def answers(path: str) -> bool:
    """Return whether somebody listens on the Unix socket ``path``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except OSError as error:
            return error.errno == errno.EAGAIN  # its backlog is full: alive, and busy
        return True


class Listener:
    """The control socket. Only the holder of the stack's lock may make it."""

    def __init__(self, paths: StackPaths) -> None:
        self._path = paths.socket
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        try:
            _remove_socket(self._path)
            mask = os.umask(0o177)
            try:
                self.socket.bind(self._path)
            finally:
                os.umask(mask)
            self._inode = os.stat(self._path)
            self.socket.listen(_BACKLOG)
        except SmolctlError:
            self.socket.close()
            raise
        except OSError as error:
            self.socket.close()
            raise ControlError(
                f"cannot listen on {self._path}: {error.strerror}", code="runtime-directory"
            ) from None

    def close(self) -> None:
        """Stop listening and remove the socket, if it is still the one made here."""
        with suppress(OSError):
            if os.path.samestat(self._inode, os.stat(self._path)):
                os.unlink(self._path)
        self.socket.close()


def _remove_socket(path: str) -> None:
    """Remove what a killed daemon left.

    Raises:
        ControlError: there is something that is no socket, and hence not a daemon's.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlError(
            f"{path} exists and is not a socket", hint=f"rm {path}", code="runtime-directory"
        )
    os.unlink(path)


def acquire(paths: StackPaths) -> tuple[Lock, Listener]:
    """Become the one daemon of a stack.

    Raises:
        AlreadyRunning: there is one.
        ControlError: the runtime directory does not allow it.
    """
    make_directory(paths.directory)
    lock = Lock.acquire(paths)
    try:
        return lock, Listener(paths)
    except BaseException:
        lock.release()
        raise
