"""Looks at the machine, and says what will work on it and what to do about the rest.

Nothing is changed, started or left behind, and nothing is raised, whatever the machine is like.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from smolctl.doctor import completion, extras, installed, network, runtime, terminal
from smolctl.doctor.finding import Check, Finding, Machine, Status
from smolctl.errors import SmolctlError

CHECKS: dict[str, tuple[Check, str]] = {
    "python": (installed.python, "the version of Python"),
    "dependencies": (installed.dependencies, "the packages that smolctl imports"),
    "command": (installed.command, "the command on PATH"),
    "environment": (extras.environment, "SMOLCTL_ variables"),
    "runtime-directory": (runtime.directory, "where sockets of stacks are"),
    "socket-path": (runtime.socket_path, "how long their paths are"),
    "daemons": (runtime.daemons, "stacks that run, and their versions"),
    "leftovers": (runtime.leftovers, "what dead stacks left"),
    "capabilities": (network.capabilities, "CAP_NET_ADMIN and CAP_NET_RAW"),
    "tun": (network.tun, "/dev/net/tun"),
    "tap": (network.tap, "TAPs that this user may open"),
    "offload": (network.offload, "offloads between the kernel and a TAP"),
    "packet": (network.packet, "links of type packet"),
    "namespaces": (network.namespaces, "user namespaces, for TAPs without root"),
    "exec": (network.programs, "programs in a network namespace of their own"),
    "locale": (terminal.locale, "UTF-8"),
    "terminal": (terminal.terminal, "width and colours"),
    "tools": (extras.tools, "ip, tcpdump and man"),
    "manual": (extras.manual, "man pages"),
    "completion": (completion.completion, "completion of the user's shell"),
}
"""Each check by its name, with what it looks at, in the order in which they are shown."""

Row = dict[str, Any]


def examine(machine: Machine, names: Iterable[str] = CHECKS) -> Iterator[Row]:
    """Yield a row for each check of these names, as soon as it is done."""
    for name in names:
        looked: list[str] = []
        found = _run(CHECKS[name][0], machine, looked)
        row: Row = {"check": name, "status": found.status.value, "detail": found.detail}
        if found.fix:
            row["fix"] = found.fix
        yield {**row, "looked": looked}


def _run(check: Check, machine: Machine, looked: list[str]) -> Finding:
    try:
        return check(machine, looked.append)
    except SmolctlError as error:
        return Finding(Status.WARN, error.message, error.hint or "")
    except Exception as error:
        # A machine that nobody thought of: the other checks are of use all the same.
        text = " ".join(str(error).split())
        return Finding(Status.WARN, f"cannot be checked: {type(error).__name__}: {text}")


__all__ = ["CHECKS", "Finding", "Machine", "Row", "Status", "examine"]
