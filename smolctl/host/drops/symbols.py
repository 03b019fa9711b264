"""Names of the kernel's code, from /proc/kallsyms."""

import re
from bisect import bisect_right
from functools import cached_property

_FUNCTIONS = re.compile(rb"^([0-9a-f]+) [tTwW] (\S+)", re.MULTILINE)


class Symbols:
    """The kernel's functions by address; they are read when the first one is asked for."""

    @cached_property
    def _sorted(self) -> list[tuple[bytes, bytes]]:
        """The addresses, which all have the same number of digits, and the names."""
        try:
            with open("/proc/kallsyms", "rb") as file:
                return sorted(_FUNCTIONS.findall(file.read()))
        except OSError:
            return []

    def name(self, address: int) -> str:
        """Return the function at an address with the place in it: "udp_rcv+0x1f"; "" if unknown."""
        wanted = b"%016x" % address
        found = bisect_right(self._sorted, (wanted, b"\xff")) - 1
        at, name = self._sorted[found] if found >= 0 else (b"0", b"")
        # Where kernel.kptr_restrict hides the addresses, all of them are 0.
        return f"{name.decode()}+{address - int(at, 16):#x}" if int(at, 16) else ""
