"""TCP of programs, by sockets of a stack whose daemon has a TAP; beside them kernel sockets.

Three processes take part in ours: the program, the daemon, and the kernel's peer.
"""

import os
from collections.abc import Callable

from bench.measure import Limit, Plan, Row, by_turns, middle, ratio, thousands
from bench.tcp import Bulk, server
from bench.tcp_program import CHUNK
from bench.world import World, cpu_ns

_STACK, _TAP, _HOST, _LOOPBACK = "programs", "10.83.0.2", "10.83.0.1", "127.0.0.1"
_SINK, _SOURCE, _ANSWER = "7811", "7812", "7813"
_LIMIT = Limit(0.25, 0.4)
_KERNEL = "the same program, kernel lo"


def run(plan: Plan) -> list[Row]:
    """Measure a program that sends, one that receives, and one that answers."""
    ms = plan.size(800)
    with World() as world:
        daemon = world.daemon(_STACK, tap="tap0", ours=f"{_TAP}/24", host=f"{_HOST}/24")
        os.sched_setaffinity(daemon.pid, os.sched_getaffinity(0))
        server(world, "kernel", "sink", "0.0.0.0", _SINK)
        server(world, "kernel", "source", "0.0.0.0", _SOURCE, str(ms))
        server(world, _STACK, "answer", _TAP, _ANSWER)
        server(world, "kernel", "answer", _LOOPBACK, _ANSWER)
        bulk = Bulk(world, ms, pinned=False)
        figures = by_turns(
            plan.rounds(9),
            {
                "tx": _gbits(bulk, "tx", daemon.pid, "send", _HOST, _SINK),
                "kernel tx": _gbits(bulk, "kernel tx", None, "send", _LOOPBACK, _SINK),
                "rx": _gbits(bulk, "rx", daemon.pid, "receive", _HOST, _SOURCE),
                "kernel rx": _gbits(bulk, "kernel rx", None, "receive", _LOOPBACK, _SOURCE),
                "trips": _trips(world, _TAP, ms),
                "kernel trips": _trips(world, _LOOPBACK, ms),
            },
        )
    note = "the daemon's cpu time counts, too; the kernel places the processes"
    raw = f"{thousands(middle(figures['trips']))} : {thousands(middle(figures['kernel trips']))}"
    return [
        *bulk.rows("a program sends, TAP", figures, "tx", "kernel tx", _LIMIT, _KERNEL, note),
        *bulk.rows("a program receives, TAP", figures, "rx", "kernel rx", _LIMIT, _KERNEL, note),
        Row("ping-pong with a program, 1 B, TAP", _KERNEL,
            ratio(figures["trips"], figures["kernel trips"]), raw, Limit(0.25, 0.45), note,
            figures=figures),
    ]  # fmt: skip


def _gbits(
    bulk: Bulk, name: str, daemon: int | None, role: str, address: str, port: str
) -> Callable[[], float]:
    """Return what runs a transfer of a program; a daemon that works for it counts, too."""
    stack = "kernel" if daemon is None else _STACK
    transfer = bulk.gbits(name, "bench.tcp_program", stack, role, address, port)

    def measured() -> float:
        if daemon is None:
            return transfer()
        before = cpu_ns(daemon)
        rate = transfer()
        us = (cpu_ns(daemon) - before) / 1000
        bulk.cpu_us[name][-1] += us * CHUNK / bulk.notes[name]["bytes"]
        return rate

    return measured


def _trips(world: World, address: str, ms: int) -> Callable[[], float]:
    """Return what plays ping-pong with an answering program, and returns the trips a second."""

    def measured() -> float:
        seen = world.load("echo", address, _ANSWER, "1", "1", str(ms), program="load_tcp")
        if seen["bad"] or seen["lost"]:
            raise RuntimeError(f"ping-pong: {seen}")
        return float(seen["replies"] / seen["seconds"])

    return measured
