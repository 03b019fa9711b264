"""A daemon with a clock on its loop: how long it is away from its descriptors at a time.

``python -m bench.held FILE DAEMON-OPTIONS`` runs it; ``Held`` reads what it writes into the file.
"""

import mmap
import os
import sys
from pathlib import Path
from struct import Struct
from time import perf_counter_ns, thread_time_ns
from typing import NamedTuple

_LONGEST = Struct("=QQ")


class Longest(NamedTuple):
    """The longest time that the loop was held since the last look.

    Attributes:
        wall_ms: by the clock on the wall.
        cpu_ms: of the processor: others on the machine make no difference to it.
    """

    wall_ms: float
    cpu_ms: float


class Held:
    """The clock's file, seen from outside.

    Args:
        path: of the file, which is made.
    """

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(_LONGEST.size))
        self.path = path
        self._memory = _mapped(path)

    def command(self, stack: str, *options: str) -> list[str]:
        """Return the command line of the daemon, which stays in the foreground."""
        return [sys.executable, "-m", "bench.held", str(self.path), "--name", stack, *options]

    def longest(self) -> Longest:
        """Return the longest time that the loop was held since the last look."""
        wall, cpu = _LONGEST.unpack_from(self._memory)
        _LONGEST.pack_into(self._memory, 0, 0, 0)
        return Longest(wall / 1e6, cpu / 1e6)


def _mapped(path: Path) -> mmap.mmap:
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), _LONGEST.size)


def _watch(memory: mmap.mmap) -> None:
    """Let each wait of the daemon's poller note how long the loop was away before it."""
    from smolctl.daemon.poller import Poller, Ready

    inner = Poller.wait
    wall, cpu = perf_counter_ns(), thread_time_ns()

    def wait(self: Poller, timeout: float | None) -> list[Ready]:
        nonlocal wall, cpu
        away = perf_counter_ns() - wall, thread_time_ns() - cpu
        before = _LONGEST.unpack_from(memory)
        if away[0] > before[0] or away[1] > before[1]:
            _LONGEST.pack_into(memory, 0, max(away[0], before[0]), max(away[1], before[1]))
        ready = inner(self, timeout)
        wall, cpu = perf_counter_ns(), thread_time_ns()
        return ready

    Poller.wait = wait  # type: ignore[method-assign]


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).parents[1]))
    _watch(_mapped(Path(sys.argv[1])))
    from smolctl.daemon.__main__ import main

    sys.exit(main(sys.argv[2:]))
