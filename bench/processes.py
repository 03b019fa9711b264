"""Wall time of short processes, started the way a shell starts them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

_HELLO = """
import click

@click.command()
def main():
    click.echo("hello world")
"""
# What pip writes for a console script, less its comments.
_SCRIPT = """#!{python}
import sys
from {module} import {function}
if __name__ == "__main__":
    sys.exit({function}())
"""


def wall_ms(argv: list[str], environment: dict[str, str] | None = None) -> float:
    """Run a command, its output thrown away; return milliseconds from start to end.

    Raises:
        RuntimeError: it failed.
    """
    # posix_spawn, not subprocess: the parent's own work is no part of the figure.
    environment = dict(os.environ) if environment is None else environment
    actions = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    start = perf_counter()
    pid = os.posix_spawn(argv[0], argv, environment, file_actions=actions)
    status = os.waitpid(pid, 0)[1]
    elapsed = perf_counter() - start
    if status:
        code = os.waitstatus_to_exitcode(status)
        raise RuntimeError(f"{' '.join(argv)} ended with status {code}")
    return elapsed * 1000


def cpu_ms(argv: list[str], environment: dict[str, str]) -> float:
    """Run a command, its output thrown away; return milliseconds of the cpu that it used.

    Raises:
        RuntimeError: it failed.
    """
    with subprocess.Popen(
        argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv)} ended with status {process.returncode}")
    return (used.ru_utime + used.ru_stime) * 1000


def of_modules(what: str) -> float:
    """Return what IPv6's modules take of a daemon: "time" in ms of the cpu, "memory" in MiB."""
    argv = [sys.executable, "-m", "bench.modules", what]
    return float(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


def script(directory: Path, name: str, module: str, function: str) -> list[str]:
    """Write a console script as pip does, and return the command that runs it."""
    path = directory / name
    path.write_text(_SCRIPT.format(python=sys.executable, module=module, function=function))
    path.chmod(0o755)
    return [str(path)]


def smolctl(directory: Path) -> list[str]:
    """Return ``smolctl`` as a console script."""
    return script(directory, "smolctl", "smolctl.__main__", "main")


def hello(directory: Path) -> list[str]:
    """Return a click program that says hello, as a console script."""
    (directory / "bench_hello.py").write_text(_HELLO)
    return script(directory, "hello", "bench_hello", "main")


def timed(argv: list[str]) -> Callable[[], float]:
    """Return what runs a command and returns its milliseconds."""
    return lambda: wall_ms(argv)


PASS = [sys.executable, "-c", "pass"]
