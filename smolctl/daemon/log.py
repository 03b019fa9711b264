"""The daemon's log: time-stamped lines in a file of bounded size.

Not the standard library's logging: importing it with a rotating handler would take a tenth of the
time in which a daemon has to be ready, and nothing of it but the rotation would be used.
"""

import os
import time
from contextlib import suppress

from smolctl.errors import OUT_OF_MEMORY

_LIMIT = 1 << 20
_BURST = 20
_BURST_S = 10.0
_LAST_WORD = b"smolctl: not enough memory to say what happened\n"


class Log:
    """Appends lines to a file; keeps the one before it as ``PATH.1`` when it grows too long.

    Nothing here raises: a full disk, or no memory, must not stop the stack.

    Args:
        path: the file; None writes to standard error and keeps no bound.
        limit: bytes after which a new file is begun.
        standard: whether file descriptors 1 and 2 follow the file, so that what Python or a C
            library prints in its last moments is found there too.
    """

    def __init__(
        self, path: str | None = None, *, limit: int = _LIMIT, standard: bool = False
    ) -> None:
        self._path = path
        self._limit = limit
        self._standard = standard
        self._fd = 2
        self._size = 0
        self._notes, self._bugs = _Window(), _Window()
        if path is not None:
            self._open(path)

    def info(self, message: str) -> None:
        """Write that something happened as it should."""
        self._write("info", message)

    def warning(self, message: str) -> None:
        """Write that something is wrong outside of smolctl."""
        self._write("warning", message)

    def note(self, message: str, *, warning: bool = False) -> None:
        """Write what somebody outside can make happen as often as they like: now and then only."""
        if self._room(self._notes):
            self._write("warning" if warning else "info", message)

    def exception(self, doing: str, error: BaseException, frame: bytes | None = None) -> None:
        """Write a bug's traceback. A bug that strikes all the time is written now and then.

        Args:
            doing: what was being done, in a few words.
            error: what was raised.
            frame: the frame that caused it, written in hex.
        """
        if not self._room(self._bugs):
            return
        try:
            self._write("error", self._report(doing, error, frame))
        except (OSError, *OUT_OF_MEMORY):  # traceback cannot be imported, or read no sources
            self._write("error", f"{doing}: {type(error).__name__}, and no memory to say where")

    @staticmethod
    def _report(doing: str, error: BaseException, frame: bytes | None) -> str:
        from traceback import format_exception

        text = "".join(format_exception(error)).rstrip()
        if frame is not None:
            text += f"\nframe ({len(frame)} bytes): {frame.hex()}"
        # Indented, so that a line at the margin is always an entry of its own.
        return f"{doing}: {error!r}\n{text}".replace("\n", "\n    ")

    def _room(self, window: "_Window") -> bool:
        """Tell whether to write one more entry of a sort of which there may be too many."""
        left_out = window.begin(time.monotonic())
        if left_out:
            self._write("warning", f"{left_out} more lines like these were left out")
        return window.count()

    def close(self) -> None:
        """Close the file; what is written afterwards goes to standard error."""
        if self._fd != 2:
            os.close(self._fd)
            self._fd = 2
            self._path = None

    def _write(self, level: str, message: str) -> None:
        stamp, fraction = divmod(time.time_ns(), 1_000_000_000)
        try:
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(stamp))
            line = f"{at}.{fraction // 1_000_000:03d}Z {level}: {message}\n".encode(
                "utf-8", "backslashreplace"
            )
            os.write(self._fd, line)
        except OSError:
            return
        except OUT_OF_MEMORY:
            with suppress(OSError):
                os.write(self._fd, _LAST_WORD)
            return
        self._size += len(line)
        if self._path is not None and self._size > self._limit:
            self._rotate(self._path)

    def _rotate(self, path: str) -> None:
        try:
            os.replace(path, f"{path}.1")
        except OSError:
            # Not ours to move any more; try again after as much again.
            self._size = 0
            return
        os.close(self._fd)
        self._open(path)

    def _open(self, path: str) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            self._fd = os.open(path, flags, 0o600)
            self._size = os.fstat(self._fd).st_size
            if self._standard:
                os.dup2(self._fd, 1)
                os.dup2(self._fd, 2)
        except OSError:
            self._fd, self._path = 2, None


class _Window:
    """A count of the latest entries of a sort."""

    def __init__(self) -> None:
        self._began_s = 0.0
        self._entries = 0

    def begin(self, now_s: float) -> int:
        """Begin a new while when it is time; return how many were too many in the last one."""
        if now_s - self._began_s < _BURST_S:
            return 0
        left_out = max(0, self._entries - _BURST)
        self._began_s, self._entries = now_s, 0
        return left_out

    def count(self) -> bool:
        """Count an entry; tell whether to write it."""
        self._entries += 1
        return self._entries <= _BURST
