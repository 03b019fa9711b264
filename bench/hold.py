"""The longest time that a command holds the loop of a large stack."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.big import COMMANDS, Big, words, write_many
from bench.held import Held, Longest
from bench.measure import Limit, Plan, Row, Spread
from smolctl.client import Client
from smolctl.control.paths import stack_paths

ROUTES, NEIGHBORS, SOCKETS = 100_000, 10_000, 10_000
_STACK = "hold"
_SHOWN = 6
_LIMIT = Limit(10, 2, at_least=False, text="{:g} ms")


def run(plan: Plan) -> list[Row]:
    """Run each command of the command tree on a large stack; show those that held it longest."""
    share = 10 if plan.quick else 1
    routes = ROUTES // share
    with tempfile.TemporaryDirectory(prefix="smolctl-bench-") as directory:
        held = Held(Path(directory) / "held")
        daemon = subprocess.Popen(held.command(_STACK), stderr=subprocess.DEVNULL)
        try:
            client = _connected(daemon)
            path = Path(stack_paths(_STACK).socket)
            write_many(held.path.parent)
            big = Big(client, path, routes, NEIGHBORS // share, SOCKETS // share)
            found = {command: _hold(held, command) for command in COMMANDS}
            big.close()
        finally:
            daemon.kill()
            daemon.wait()
    first = sorted(found, key=lambda command: -found[command].cpu_ms)[:_SHOWN]
    return [
        Row(
            f"smolctl {command}, {routes:,} routes", "-", Spread.of([found[command].cpu_ms]),
            f"{found[command].wall_ms:.1f} ms by the clock on the wall", _LIMIT,
            "longest hold of the loop, processor time", " ms",
            figures={each: [found[each].cpu_ms] for each in found},
        )
        for command in first
    ]  # fmt: skip


def _connected(daemon: "subprocess.Popen[bytes]") -> Client:
    while daemon.poll() is None:
        try:
            return Client.connect(_STACK, start=False)
        except Exception:
            continue
    raise RuntimeError("the daemon ended")


def _hold(held: Held, command: str) -> Longest:
    held.longest()
    argv = [sys.executable, "-m", "smolctl", *words(command, held.path.parent)]
    environment = {**os.environ, "SMOLCTL_STACK": _STACK}
    quiet = subprocess.DEVNULL
    subprocess.run(argv, env=environment, stdin=quiet, stdout=quiet, stderr=quiet, check=False)
    return held.longest()
