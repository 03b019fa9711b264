"""The cost of a command in ``smolctl batch``: against a process each, and ``ip -batch``."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import run as run_command

from bench.measure import Limit, Plan, Row, by_turns, middle, ratio
from bench.processes import smolctl, timed, wall_ms
from bench.world import daemon

COMMANDS = 10_000
_NETNS = f"smolctl-bench-batch{os.getpid()}"
_FLUSH = ("route", "flush", "root", "10.0.0.0/8")


def run(plan: Plan) -> list[Row]:
    """Add 10,000 routes by one batch, one route by one process, and the same to the kernel."""
    with tempfile.TemporaryDirectory(prefix="smolctl-bench-") as name, daemon("default") as client:
        client.call("addr.add", local="192.0.2.1/24", dev="lo")
        directory = Path(name)
        file = directory / "routes"
        file.write_text("".join(f"route add {prefix} via 192.0.2.2\n" for prefix in _prefixes()))
        command = smolctl(directory)
        alone = [*command, "route", "replace", "10.0.0.0/24", "via", "192.0.2.2"]
        for warm in (alone, [*command, "--help"]):
            timed(warm)()
        runs = {
            "batch": _rate(COMMANDS, [*command, "batch", str(file)], [*command, *_FLUSH]),
            "process": _rate(1, alone),
        }
        with _kernel(directory) as kernel:
            runs |= kernel
            figures = by_turns(plan.rounds(9), runs)
    rows = [_row(figures, "process", "one process for each command", Limit(500, 1000))]
    if "ip" in figures:
        rows.append(_row(figures, "ip", "ip -batch, the kernel's routes", Limit(0.2, 0.5)))
    return rows


def _row(figures: dict[str, list[float]], against: str, label: str, limit: Limit | None) -> Row:
    ours, theirs = figures["batch"], figures[against]
    return Row(
        "smolctl batch, 10,000 route add", label, ratio(ours, theirs),
        f"{middle(ours):.0f} /s : {middle(theirs):.0f} /s", limit,
        "commands a second, the start of the process included",
        figures={"batch": ours, against: theirs},
    )  # fmt: skip


def _prefixes() -> Iterator[str]:
    for number in range(COMMANDS):
        yield f"10.{number >> 8}.{number & 255}.0/24"


def _rate(
    commands: int, argv: Sequence[str], before: Sequence[str] | None = None
) -> Callable[[], float]:
    """Return what runs a process, and returns how many commands a second that was."""

    def measured() -> float:
        if before is not None:
            wall_ms(list(before))
        return commands * 1000 / wall_ms(list(argv))

    return measured


@contextmanager
def _kernel(directory: Path) -> Iterator[dict[str, Callable[[], float]]]:
    """Yield the same for ``ip -batch`` in a namespace of its own; nothing without root."""
    ip = shutil.which("ip", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if ip is None or os.geteuid() != 0:
        yield {}
        return
    file = directory / "kernel"
    file.write_text("".join(f"route add {prefix} via 192.0.2.2\n" for prefix in _prefixes()))
    inside = [ip, "-n", _NETNS]
    run_command([ip, "netns", "add", _NETNS], check=True)
    try:
        for words in (
            "tuntap add dev d0 mode tap", "link set d0 up", "addr add 192.0.2.1/24 dev d0",
        ):  # fmt: skip
            run_command([*inside, *words.split()], check=True)
        yield {"ip": _rate(COMMANDS, [*inside, "-batch", str(file)], [*inside, *_FLUSH])}
    finally:
        run_command([ip, "netns", "del", _NETNS], check=True)
