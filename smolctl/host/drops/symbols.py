"""Names of the kernel's code, from /proc/kallsyms."""

from bisect import bisect_right
from functools import cached_property


class Symbols:
    """The kernel's functions by address; they are read when the first one is asked for."""

    @cached_property
    def _sorted(self) -> tuple[list[int], list[str]]:
        try:
            with open("/proc/kallsyms") as file:
                lines = [line.split(None, 3) for line in file]
        except OSError:
            return [], []
        rows = sorted((int(each[0], 16), each[2]) for each in lines if each[1] in "tTwW")
        # Where kernel.kptr_restrict hides the addresses, all of them are 0.
        rows = [row for row in rows if row[0]]
        return [at for at, _ in rows], [name for _, name in rows]

    def name(self, address: int) -> str:
        """Return the function at an address with the place in it: "udp_rcv+0x1f"; "" if unknown."""
        places, names = self._sorted
        found = bisect_right(places, address) - 1
        return f"{names[found]}+{address - places[found]:#x}" if found >= 0 else ""
