"""Files below /proc: read whole, or told why not."""

import os

_CHUNK = 1 << 16


def read_bytes(path: str) -> bytes:
    """Return all that a file holds.

    Raises:
        OSError: it cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, _CHUNK):
            parts.append(part)
            if len(part) < 4096 and path.startswith("/proc/sys/"):
                break
        return b"".join(parts)
    finally:
        os.close(fd)


def lines(path: str, *, skip: int = 0) -> list[str]:
    """Return the lines of a file but for the first ``skip``; none of one that is not there.

    Raises:
        OSError: it is there and must not be read.
    """
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        return []
    return data.decode(errors="backslashreplace").splitlines()[skip:]
