"""``python -m bench [NAME...]``: measure, and say where we are against what the design asks for."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from subprocess import CalledProcessError
from time import perf_counter
from typing import Any, cast

from bench import report
from bench.measure import Plan, Row, Skipped
from smolctl.errors import SmolctlError

SUBJECTS = {
    "datagram": ("bench.datagram:run", "a datagram through the stack, in process"),
    "families": ("bench.families:run", "a packet of IPv6 in process, beside one of IPv4"),
    "echo": ("bench.echo:run_rate", "UDP echo over TAP, 64 outstanding (root)"),
    "echo6": ("bench.echo:run_families", "UDP echo over TAP by IPv6, beside IPv4 (root)"),
    "rtt": ("bench.echo:run_round_trip", "UDP round trip over TAP (root)"),
    "programs": ("bench.programs:run", "datagrams between programs, by sockets of a stack"),
    "bulk": ("bench.bulk:run", "bulk UDP send over TAP (root)"),
    "tcp": ("bench.tcp:run_bulk", "bulk TCP over TAP, both ways (root)"),
    "tcp-echo": ("bench.tcp:run_echo", "TCP echo, round trip and connections over TAP (root)"),
    "tcp-loss": ("bench.tcp:run_loss", "bulk TCP over TAP, 1 % of segments lost (root)"),
    "tcp-programs": ("bench.tcp_programs:run", "TCP of programs, by sockets of a stack (root)"),
    "tcp-local": ("bench.tcp_local:run", "TCP between two sockets of one process"),
    "tcp-idle": ("bench.tcp_local:run_idle", "TCP beside 10,000 idle connections, their memory"),
    "forward": ("bench.forward:run", "packets forwarded between two TAPs (root)"),
    "flood": ("bench.flood:run", "invented neighbors, and who was here before (root)"),
    "fib": ("bench.fib:run", "FIB lookups and memory, beside pytricia and py-radix"),
    "fib6": ("bench.fib6:run", "FIB lookups of IPv6, beside the same"),
    "scale": ("bench.scale:run", "cost of a datagram in a large stack"),
    "hold": ("bench.hold:run", "how long a command holds the loop of a large stack"),
    "cli": ("bench.cli:run", "what a command costs"),
    "batch": ("bench.batch:run", "what a command costs in a batch, beside ip -batch (root)"),
    "dad": ("bench.dad:run", "how long it takes until an address can be used"),
    "start": ("bench.start:run", "how long a stack takes to be there"),
    "memory": ("bench.memory:run", "memory of the daemon"),
    "lab": ("bench.lab:run", "labs of 1,000 hosts: time, memory, frames a second"),
}
"""Subjects to measure: module and function, and a description."""

BUSY = 0.15
"""From this share of the machine on, what others do is worth a warning."""
_DISTORTED = (
    "ratios of times in one process hold, but a rate between processes may be far off; "
    "believe the cpu times."
)


def measure(name: str, plan: Plan) -> list[Row]:
    """Measure one subject.

    Raises:
        Skipped: it cannot be measured here.
    """
    module, _, function = SUBJECTS[name][0].partition(":")
    return cast("list[Row]", getattr(import_module(module), function)(plan))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; 1 when something could not be. A limit missed is no failure."""
    options = _parser().parse_args(arguments)
    if options.list:
        for name, (_, text) in SUBJECTS.items():
            print(f"{name:10} {text}")
        return 0
    unknown = [name for name in options.name if name not in SUBJECTS]
    if unknown:
        print(f'bench: there is no subject "{unknown[0]}": {", ".join(SUBJECTS)}', file=sys.stderr)
        return 2
    # Stacks of our own, where nobody else's are.
    with tempfile.TemporaryDirectory(prefix="smolctl-bench-") as directory:
        os.environ["XDG_RUNTIME_DIR"] = directory
        os.environ.pop("SMOLCTL_STACK", None)
        return _run(options.name or list(SUBJECTS), Plan(options.quick), options.readme)


def _run(names: Sequence[str], plan: Plan, readme: bool) -> int:
    table, done, shown = report.Table(), dict[str, Any](), list[Row]()
    skipped, failed = dict[str, str](), dict[str, str]()
    missed: list[str] = []
    for name in names:
        others, start = report.others_share(), perf_counter()
        try:
            rows = measure(name, plan)
        except Skipped as reason:
            skipped[name] = str(reason)
            print(f"\n== {name}: SKIPPED: {reason}", flush=True)
            continue
        except (RuntimeError, OSError, SmolctlError, CalledProcessError) as problem:
            # What was measured before, and what comes after, is of use without it.
            failed[name] = f"{type(problem).__name__}: {problem}"
            print(f"\n== {name}: FAILED: {failed[name]}", flush=True)
            continue
        done[name] = report.plain(rows)
        shown += rows
        missed += [f"{name}: {row.what}" for row in rows if _missed(row)]
        print(f"\n== {name}: {SUBJECTS[name][1]} ({perf_counter() - start:.0f} s)")
        if others > BUSY:
            print(f"! Others kept the machine {others:.0%} busy before this: {_DISTORTED}")
        print(table.text(rows), flush=True)
    report.write(done, skipped, failed)
    if readme:
        report.write_readme(shown)
    print(f"\n{report.RESULTS} has all rounds.", *(f"skipped: {name}" for name in skipped))
    for text in missed:
        print(f"not reached: {text}")
    return 1 if failed else 0


def _missed(row: Row) -> bool:
    return row.limit is not None and not row.limit.kept(row.value.median, row.limit.must)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure speed as ratios: ours and what it is held against run by turns.",
    )
    parser.add_argument("name", nargs="*", help="subjects to measure; all of them without")
    parser.add_argument("--list", action="store_true", help="list the subjects")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md, too")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a first impression")
    return parser


if __name__ == "__main__":
    sys.exit(main())
