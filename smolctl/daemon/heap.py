"""The heap of a daemon: memory that is freed stays with the process, for what comes next.

Frames and pieces of streams have 64 KB and more. glibc gives such memory back to the kernel as soon
as it lies at the end of the heap, and gets it again page by page, which takes longer than all else
that a bulk transfer needs.
"""

from contextlib import suppress

KEPT = 1 << 23
"""Bytes of freed memory that stay; they are resident only once they were used."""


def keep_freed() -> None:
    """Have glibc keep ``KEPT`` bytes: twice as many as the largest block that was ever freed.

    Source: mallopt(3), M_TRIM_THRESHOLD and the dynamic M_MMAP_THRESHOLD. Another libc takes no
    notice.
    """
    with suppress(MemoryError):  # a process that may not have so much keeps nothing
        bytes(KEPT // 2)  # zeros that nobody writes are no memory yet
