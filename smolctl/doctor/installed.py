"""The interpreter, the packages that smolctl needs, and the command itself."""

import os
import re
import sys
from collections.abc import Mapping
from typing import NamedTuple

from smolctl import __version__
from smolctl.doctor.finding import Finding, Look, Machine, Status

OLDEST_PYTHON = (3, 11)


class Need(NamedTuple):
    """A package that smolctl imports.

    Attributes:
        oldest: its first version that will do.
        without: what goes wrong when it is not there.
        status: how bad that is.
        before: its first version that may not do; "" for none.
    """

    oldest: str
    without: str
    status: Status
    before: str = ""

    def range(self, name: str) -> str:
        """Return the versions that will do, as pip takes them."""
        return f"{name}>={self.oldest}" + (f",<{self.before}" if self.before else "")


NEEDS: Mapping[str, Need] = {
    # The words of ip extend classes of click that its next major version may change.
    "click": Need("8.1.7", "no command runs", Status.FAIL, "9"),
    "tabulate": Need("0.9.0", "tables cannot be shown", Status.FAIL),
    "scapy": Need("2.5.0", "capture -v has no fields", Status.WARN),
}
"""By name; a test holds it to pyproject.toml."""


def python(
    _machine: Machine, look: Look, version: tuple[int, ...] = sys.version_info[:3]
) -> Finding:
    """Look at the interpreter's version."""
    look(f"sys.executable: {sys.executable}")
    text = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return Finding(
            Status.FAIL,
            f"Python {text} is older than {oldest}",
            f"pipx install --python python{oldest} smolctl",
        )
    return Finding(Status.OK, f"Python {text}, smolctl {__version__}")


def dependencies(_machine: Machine, look: Look, needs: Mapping[str, Need] = NEEDS) -> Finding:
    """Look at the packages, without importing them: scapy alone takes most of a second."""
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    found: list[str] = []
    problems: list[tuple[str, Need, str]] = []
    for name, need in needs.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = ""
        look(f"{need.range(name)}: {installed or 'not installed'}")
        if not installed or find_spec(name) is None:
            problems.append((name, need, "is not installed"))
        elif _numbers(installed) < _numbers(need.oldest):
            problems.append((name, need, f"{installed} is older than {need.oldest}"))
        elif need.before and _numbers(installed) >= _numbers(need.before):
            problems.append(
                (name, need, f"{installed} is too new: smolctl needs one before {need.before}")
            )
        else:
            found.append(f"{name} {installed}")
    if not problems:
        return Finding(Status.OK, ", ".join(found))
    worst = (
        Status.FAIL if any(need.status is Status.FAIL for _, need, _ in problems) else Status.WARN
    )
    detail = "; ".join(f"{name} {what}: {need.without}" for name, need, what in problems)
    wanted = " ".join(f'"{need.range(name)}"' for name, need, _ in problems)
    return Finding(worst, detail, f"{sys.executable} -m pip install {wanted}")


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, release[0].split("."))) if release else ()


def command(_machine: Machine, look: Look) -> Finding:
    """Look for the command on PATH."""
    from shutil import which

    look(f"PATH: {os.environ.get('PATH', '')}")
    found = which("smolctl")
    if found is not None:
        return Finding(Status.OK, found)
    script = os.path.join(os.path.dirname(sys.executable), "smolctl")
    if os.access(script, os.X_OK):
        return Finding(
            Status.NOTE,
            f"{script} is not on PATH",
            f'export PATH="{os.path.dirname(script)}:$PATH"',
        )
    return Finding(
        Status.NOTE, "no smolctl is on PATH", f'alias smolctl="{sys.executable} -m smolctl"'
    )
