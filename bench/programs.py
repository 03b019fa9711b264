"""Datagrams between two programs on a stack's sockets, and on the kernel's.

Over lo: an echo program answers this one, by sockets of one stack (three processes take part: two
programs and the daemon), or by the kernel's. Over a TAP: the load generator is the peer.
"""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

from bench.measure import Limit, Plan, Row, Skipped, by_turns, middle, ratio, thousands
from bench.world import World, cpu_note, daemon, server_cpu
from smolctl.client import DatagramSocket

_PAYLOAD = bytes(range(64))
_WINDOW = 64
_STACK = "programs"
_KERNEL = "the same with kernel sockets"
_TRIP, _ECHO = Limit(2, 1.3, at_least=False), Limit(0.7, 1)
_TAP, _HOST, _PORT = "10.80.0.2", "10.80.0.1", "7779"


@contextmanager
def _echo(how: str, port: int) -> Iterator[None]:
    """Run an echo program."""
    command = [sys.executable, "-m", "bench.program", how, "127.0.0.1", str(port), _STACK]
    directory = Path(__file__).parent.parent
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=directory)
    try:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise RuntimeError("the echo program did not start")
        yield
    finally:
        with process:
            process.kill()


def _round_trips(one: socket.socket | DatagramSocket, count: int) -> float:
    """Return how many microseconds a datagram takes there and back."""
    send, receive = one.send, one.recv
    start = perf_counter()
    for _ in range(count):
        send(_PAYLOAD)
        if receive(2048) != _PAYLOAD:
            raise RuntimeError("a datagram was changed")
    return (perf_counter() - start) / count * 1e6


def _windows(one: socket.socket | DatagramSocket, count: int) -> float:
    """Return how many datagrams a second come back, ``_WINDOW`` outstanding, a call for each."""
    send, receive, window = one.send, one.recv, range(_WINDOW)
    start = perf_counter()
    for _ in range(count // _WINDOW):
        for _ in window:
            send(_PAYLOAD)
        for _ in window:
            if receive(2048) != _PAYLOAD:
                raise RuntimeError("a datagram was changed")
    return count // _WINDOW * _WINDOW / (perf_counter() - start)


def _many(one: DatagramSocket, count: int) -> float:
    """Return the same with ``send_many`` and ``recv_many``."""
    payloads = [_PAYLOAD] * _WINDOW
    start = perf_counter()
    for _ in range(count // _WINDOW):
        one.send_many(payloads)
        got = 0
        while got < _WINDOW:
            got += len(one.recv_many(_WINDOW))
    return count // _WINDOW * _WINDOW / (perf_counter() - start)


def run(plan: Plan) -> list[Row]:
    """Measure all three forms over lo, and the echo over a TAP where that can be had."""
    rows = _over_lo(plan)
    try:
        return rows + _over_tap(plan)
    except Skipped as reason:
        print(f"programs over TAP: SKIPPED: {reason}")
        return rows


def _over_lo(plan: Plan) -> list[Row]:
    with ExitStack() as exits:
        exits.enter_context(daemon(_STACK))
        clients: dict[str, socket.socket | DatagramSocket] = {}
        many = exits.enter_context(DatagramSocket(_STACK))
        clients["kernel"] = exits.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        clients["one"] = exits.enter_context(DatagramSocket(_STACK))
        for number, (how, client) in enumerate([*clients.items(), ("many", many)]):
            port = 47_770 + number
            exits.enter_context(_echo(how, port))
            client.settimeout(10)
            client.connect(("127.0.0.1", port))
        trips, count = plan.size(8_000), plan.size(64_000)
        figures = by_turns(
            plan.rounds(9),
            {
                "trip": partial(_round_trips, clients["one"], trips),
                "kernel trip": partial(_round_trips, clients["kernel"], trips),
                "one": partial(_windows, clients["one"], count),
                "many": partial(_many, many, count),
                "kernel": partial(_windows, clients["kernel"], count),
            },
        )
    raw = f"{middle(figures['trip']):.0f} us : {middle(figures['kernel trip']):.0f} us"
    trip = ratio(figures["trip"], figures["kernel trip"])
    note = "less is better; the daemon is a third process: four switches instead of two"
    return [
        Row("round trip between programs, lo, 64 B", _KERNEL, trip, raw, _TRIP, note),
        _rate("echo between programs, lo, 64 outstanding", figures, "one", _ECHO),
        _rate("the same, send_many and recv_many", figures, "many"),
    ]


def _over_tap(plan: Plan) -> list[Row]:
    ms = plan.size(600)
    with World() as world:
        world.daemon(_STACK, tap="tap0", ours=f"{_TAP}/24", host=f"{_HOST}/24")
        cpu = server_cpu()
        pin = [] if cpu is None else [str(cpu)]
        where = {"one": (_TAP, _PORT), "many": (_TAP, "7780"), "kernel": ("127.0.0.1", _PORT)}
        for how, (address, port) in where.items():
            program = world.python("bench.program", how, address, port, _STACK, *pin)
            if program.stdout is None or program.stdout.readline() != "ready\n":
                raise RuntimeError("an echo program did not start")

        def rate(how: str) -> Callable[[], float]:
            def measured() -> float:
                result = world.load("echo", *where[how], "64", str(_WINDOW), str(ms))
                if result["bad"]:
                    raise RuntimeError(f"{result['bad']} wrong replies")
                return float(result["replies"] / result["seconds"])

            return measured

        figures = by_turns(plan.rounds(9), {how: rate(how) for how in where})
    what = "echo by a program over TAP, 64 outstanding"
    return [
        _rate(what, figures, "one", _ECHO, f"{cpu_note()}; the daemon is on the server's"),
        _rate("the same, send_many and recv_many", figures, "many"),
    ]


def _rate(
    what: str,
    figures: dict[str, list[float]],
    ours: str,
    limit: Limit | None = None,
    note: str = "",
) -> Row:
    kernel = figures["kernel"]
    raw = f"{thousands(middle(figures[ours]))} : {thousands(middle(kernel))}"
    value = ratio(figures[ours], kernel)
    return Row(what, _KERNEL, value, raw, limit, note, figures=figures)
