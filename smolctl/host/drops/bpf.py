"""Maps and programs of the kernel's BPF machine: bpf(2), with as much of it as is used here."""

import ctypes
import errno
import mmap
import os
import platform
import select
import struct
from collections.abc import Iterator

_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
"""Numbers of the system call bpf(2): arch/x86/entry/syscalls, include/uapi/asm-generic/unistd.h."""
_MAP_CREATE, _MAP_LOOKUP, _PROG_LOAD, _RAW_TRACEPOINT_OPEN = 0, 1, 5, 17
_ARRAY, _RINGBUF = 2, 27
_RAW_TRACEPOINT = 17
_LICENSE = b"Dual MIT/GPL\0"
"""The license of the programs, as the kernel asks for it before it lets one read its memory."""
_LOG_SIZE = 65536
_BUSY, _DISCARDED = 1 << 31, 1 << 30


def call(command: int, attributes: bytes) -> int:
    """Return the result of bpf(2).

    Raises:
        OSError: as the kernel refuses it; ENOSYS where its number is not known.
    """
    number = _NUMBERS.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"bpf(2) is not known on {platform.machine()}")
    libc = ctypes.CDLL(None, use_errno=True)
    block = ctypes.create_string_buffer(attributes, len(attributes))
    result = int(libc.syscall(number, command, block, len(attributes)))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"bpf(2): {os.strerror(code)}")
    return result


def load(code: bytes) -> int:
    """Return the descriptor of a program for a raw tracepoint.

    Raises:
        OSError: the kernel refuses it; the last line of its verifier's log is in the text.
    """
    program = ctypes.create_string_buffer(code, len(code))
    license_text = ctypes.create_string_buffer(_LICENSE)
    at = (ctypes.addressof(program), ctypes.addressof(license_text))
    head = struct.pack("=IIQQ", _RAW_TRACEPOINT, len(code) // 8, *at)
    try:
        return call(_PROG_LOAD, head + struct.pack("=IIQ", 0, 0, 0))
    except OSError as error:
        log = ctypes.create_string_buffer(_LOG_SIZE)
        try:
            return call(_PROG_LOAD, head + struct.pack("=IIQ", 1, _LOG_SIZE, ctypes.addressof(log)))
        except OSError:
            told = log.value.decode(errors="replace").strip().splitlines()
            more = f": {told[-2]}" if len(told) > 1 else ""
            raise OSError(error.errno, f"{error.strerror}{more}") from None


def attach(program: int, tracepoint: str) -> int:
    """Return the descriptor that keeps a program at a raw tracepoint; closed, it is gone.

    Raises:
        OSError: as the kernel refuses it.
    """
    name = ctypes.create_string_buffer(tracepoint.encode())
    return call(_RAW_TRACEPOINT_OPEN, struct.pack("=QII", ctypes.addressof(name), program, 0))


class Counter:
    """A number that programs add to: a map with one value."""

    def __init__(self) -> None:
        self.fd = call(_MAP_CREATE, struct.pack("=IIII", _ARRAY, 4, 8, 1))

    def value(self) -> int:
        """Return it as it is now."""
        key, value = ctypes.c_uint32(0), ctypes.c_uint64(0)
        at = (ctypes.addressof(key), ctypes.addressof(value))
        call(_MAP_LOOKUP, struct.pack("=IIQQQ", self.fd, 0, *at, 0))
        return value.value

    def close(self) -> None:
        """Let go of it."""
        os.close(self.fd)


class Ring:
    """A ring that programs write records to (Documentation/bpf/ringbuf.rst).

    Args:
        size: bytes of its records, a power of 2 and whole pages.
    """

    def __init__(self, size: int) -> None:
        page = mmap.PAGESIZE
        self._size = size
        self.fd = call(_MAP_CREATE, struct.pack("=IIII", _RINGBUF, 0, 0, size))
        self._taken_page = mmap.mmap(self.fd, page)
        self._taken = ctypes.c_uint64.from_buffer(self._taken_page)
        # The records are there twice, one copy behind the other, so that none is broken.
        self._pages = mmap.mmap(self.fd, page + 2 * size, prot=mmap.PROT_READ, offset=page)
        self._poll = select.poll()
        self._poll.register(self.fd, select.POLLIN)

    def wait(self, timeout_s: float | None) -> None:
        """Wait until there is a record, or a time is over; None is no limit."""
        self._poll.poll(None if timeout_s is None else max(0, int(timeout_s * 1000) + 1))

    def take(self) -> Iterator[bytes]:
        """Yield the records that are there; each leaves the ring when the next is asked for."""
        page, taken = mmap.PAGESIZE, self._taken.value
        while taken < struct.unpack_from("=Q", self._pages)[0]:
            at = page + taken % self._size
            (length,) = struct.unpack_from("=I", self._pages, at)
            if length & _BUSY:
                return  # another CPU is still writing it; the kernel wakes us up once more
            size = length & ~_DISCARDED
            if not length & _DISCARDED:
                yield self._pages[at + 8 : at + 8 + size]
            taken += (size + 8 + 7) & ~7
            self._taken.value = taken

    def close(self) -> None:
        """Let go of it."""
        del self._taken
        self._taken_page.close()
        self._pages.close()
        os.close(self.fd)
