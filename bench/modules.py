"""The cost of IPv6's modules in a daemon that starts: ``python -m bench.modules time|memory``.

Prints one number: ms of the cpu, or MiB, that they alone take when all that a daemon needs is
imported.
"""

import gc
import sys
import time
import tracemalloc
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import SourceFileLoader
from types import ModuleType
from unittest import mock

_WORDS = ("ipv6", "icmpv6", "ndp", "mld", "ip6", "fib6", "route6", "icmp6", "nd")
"""Words of the names of modules that are there for IPv6 alone."""


class _Own:
    """The costs of single modules, those of what they import left out."""

    def __init__(self, meter: Callable[[], float]) -> None:
        self._meter = meter
        self._inner: list[float] = []
        self.costs: dict[str, float] = {}
        self._exec_module = SourceFileLoader.exec_module

    def __call__(self, loader: SourceFileLoader, module: ModuleType) -> None:
        """Import a module."""
        self._inner.append(0)
        before = self._meter()
        self._exec_module(loader, module)
        cost = self._meter() - before
        self.costs[module.__name__] = cost - self._inner.pop()
        if self._inner:
            self._inner[-1] += cost


def _memory() -> float:
    return tracemalloc.get_traced_memory()[0] / (1 << 20)


def _cpu_ms() -> float:
    return time.process_time() * 1000


def main(what: str) -> None:
    """Import all that a daemon imports, and print the sum."""
    gc.disable()  # as a daemon does while it starts
    if what == "memory":
        tracemalloc.start()
    own = _Own(_memory if what == "memory" else _cpu_ms)
    with mock.patch.object(SourceFileLoader, "exec_module", lambda *args: own(*args)):
        import_module("smolctl.daemon.process")
    names = [name for name in own.costs if not _words_of(name).isdisjoint(_WORDS)]
    print(sum(own.costs[name] for name in names))


def _words_of(name: str) -> set[str]:
    return {word for part in name.split(".") for word in part.split("_")}


if __name__ == "__main__":
    main(sys.argv[1])
