"""Floods of invented neighbors: what one costs, and what those who were here before notice."""

import re
import statistics
import subprocess
from collections.abc import Sequence
from itertools import count
from random import Random
from time import perf_counter

from bench.measure import Limit, Plan, Row, Spread
from bench.world import World, load_cpu
from smolctl.client import Client
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.sysctl.settings import Settings

_OURS, _HOST, _TAP = "10.0.0.2", "10.0.0.1", "tap0"
_MAC = bytes.fromhex("020000000001")
_RATE = 10_000
_BURST = 1000
_AT_ONCE = 20_000
_TIME = re.compile(r"time=([0-9.]+) ms")
_NOTE = "ARP requests, each of another sender, through a TAP; the kernel pings from the same side"


def run(plan: Plan) -> list[Row]:
    """Measure the neighbor cache in process, then a daemon behind a TAP."""
    rows = [_new_neighbor(plan, size) for size in (1024, 100_000)]
    with World() as world:
        flood = Flood(world)
        pings = [flood.pings(plan.size(4)) for _ in range(plan.rounds(5))]
        first = [flood.first_ping() for _ in range(plan.rounds(9))]
        missed = [flood.burst() for _ in range(plan.rounds(9))]
    during = f"under {_RATE:,} invented ARP senders a second"
    behind = f"first ping behind {_AT_ONCE:,} of them at once"
    lost = f"frames lost of a burst of {_BURST:,}"
    return [
        *rows,
        _row(f"ping {during}, median", [ms for ms, _ in pings], _most(5, 1, " ms")),
        _row(f"pings lost {during}", [share for _, share in pings], _most(0, 0, " %")),
        _row(behind, first, _most(50, 20, " ms")),
        _row(lost, missed, _most(0, 0, " frames")),
    ]


def _most(must: float, goal: float, unit: str) -> Limit:
    return Limit(must, goal, at_least=False, text="{:g}" + unit)


class Flood:
    """A daemon behind a TAP, and the kernel's side, from where invented neighbors ask."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._client: Client = world.daemon("flood", tap=_TAP, ours=f"{_OURS}/8", host=f"{_HOST}/8")
        self._ping("-c", "3", "-i", "0.1")

    def pings(self, seconds: int) -> tuple[float, float]:
        """Return the median round trip during a flood, in ms, and what was lost, in %."""
        number = 50 * seconds
        flood = self._invented(_RATE, _RATE * (seconds + 1))
        times = self._ping("-c", str(number), "-i", "0.02")
        flood.communicate()
        return statistics.median(times or [float("inf")]), 100 * (1 - len(times) / number)

    def first_ping(self) -> float:
        """Return how long a ping right behind a flood as fast as it goes waits, in ms."""
        self._invented(0, _AT_ONCE).communicate()
        return (self._ping("-c", "1", "-W", "10") or [float("inf")])[0]

    def burst(self) -> float:
        """Return how many frames of a burst were lost."""
        before = self._taken()
        self._invented(0, _BURST).communicate()
        self._ping("-c", "1")  # behind the burst
        return before + _BURST - self._taken()

    def _invented(self, rate: int, number: int) -> "subprocess.Popen[str]":
        cpu = load_cpu()
        pin = [] if cpu is None else [str(cpu)]
        return self._world.python("bench.invented", _TAP, _OURS, str(rate), str(number), *pin)

    def _ping(self, *arguments: str) -> list[float]:
        text = self._world.run("sh", "-c", f"ping {' '.join(arguments)} {_OURS} || true")
        return [float(found) for found in _TIME.findall(text)]

    def _taken(self) -> int:
        """Return how many ARP requests of strangers the daemon has taken."""
        rows = self._client.call("stats.show")
        return sum(
            row["value"]
            for row in rows
            if row["name"] == "packets_received" and row["layer"] == "arp"
        )


def _new_neighbor(plan: Plan, size: int) -> Row:
    """Measure what a new neighbor costs in a full cache."""
    settings = Settings()
    settings.set("iface.neighbor_cache_count", str(size))
    cache, address, now = NeighborCache(settings, Random(1).random), count(1), 10**12
    for _ in range(size):
        cache.heard(next(address), _MAC, now, create=True, override=True)

    def us() -> float:
        begun, number = perf_counter(), plan.size(2000)
        for _ in range(number):
            cache.heard(next(address), _MAC, now, create=True, override=True)
        return (perf_counter() - begun) / number * 1e6

    figures = [us() for _ in range(plan.rounds(15))]
    return _row(f"a new neighbor in a full cache of {size:,}", figures, _most(20, 10, " us"), "")


def _row(what: str, figures: Sequence[float], limit: Limit, note: str = _NOTE) -> Row:
    unit = limit.text.removeprefix("{:g}")
    return Row(what, "-", Spread.of(figures), "", limit, note, unit, {"ours": figures})
