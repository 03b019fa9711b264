"""Checks of tools and manuals that help and are not needed, and of variables that are wrong."""

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from smolctl.doctor.finding import Finding, Look, Machine, Status
from smolctl.doctor.network import sudo
from smolctl.doctor.places import SOURCE, below, first_file
from smolctl.errors import SmolctlError

# Command: what it is for, and its package by package manager.
_TOOLS = {
    "ip": ("the kernel's side of a TAP", {"dnf": "iproute"}, "iproute2"),
    "tcpdump": ("reading captures", {}, "tcpdump"),
    "man": ("the manual", {"apk": "mandoc", "zypper": "man"}, "man-db"),
}
_SBIN = ":/usr/sbin:/sbin"
"""Debian keeps ip there, and not on everybody's PATH."""
_MANAGERS = {
    "apt-get": "apt-get install", "dnf": "dnf install", "pacman": "pacman -S", "apk": "apk add",
    "zypper": "zypper install",
}  # fmt: skip


def tools(_machine: Machine, look: Look) -> Finding:
    """Look for programs that go well with smolctl."""
    from shutil import which

    path = os.environ.get("PATH", os.defpath) + _SBIN
    missing = []
    for name in _TOOLS:
        found = which(name, path=path)
        look(f"{name}: {found or 'not found'}")
        if found is None:
            missing.append(name)
    if not missing:
        return Finding(Status.OK, ", ".join(_TOOLS))
    detail = ", ".join(f"no {name} ({_TOOLS[name][0]})" for name in missing)
    for manager, install in _MANAGERS.items():
        if which(manager, path=path):
            packages = " ".join(_TOOLS[name][1].get(manager, _TOOLS[name][2]) for name in missing)
            return Finding(Status.NOTE, detail, f"{sudo()}{install} {packages}")
    return Finding(Status.NOTE, detail)


def _man_directories(machine: Machine) -> Iterator[Path]:
    """Yield where ``man`` looks: manpath(5) maps each directory of PATH to its share/man."""
    given = os.environ.get("MANPATH", "")
    yield from (Path(part) for part in given.split(":") if part)
    if given and "" not in given.split(":"):
        return  # nothing is added to it
    for part in os.environ.get("PATH", os.defpath).split(":"):
        if part.startswith("/"):
            yield below(Path(part).parent, "man")
    for prefix in ("/usr/local", "/usr"):
        yield below(machine.root + prefix, "man")


def manual(machine: Machine, look: Look) -> Finding:
    """See that ``man smolctl`` finds its page."""
    pages = ("man8/smolctl.8", "man8/smolctl.8.gz")
    directories = list(dict.fromkeys(_man_directories(machine)))
    look(f"man looks in {', '.join(map(str, directories))}")
    found = first_file(directory / page for directory in directories for page in pages)
    if found is not None:
        return Finding(Status.OK, str(found))
    installed = first_file(below(sys.prefix, "man", page) for page in pages)
    if installed is not None:
        folder = installed.parents[1]
        detail = f"{installed} is where man does not look"
        return Finding(Status.NOTE, detail, f"export MANPATH={shlex.quote(str(folder))}:")
    source = first_file([SOURCE / "man" / "smolctl.8"])
    if source is not None:
        detail = f"man smolctl finds nothing; the pages are in {source.parent}"
        return Finding(Status.NOTE, detail, f"man {shlex.quote(str(source))}")
    return Finding(Status.NOTE, "man smolctl finds nothing", "smolctl --help")


def environment(_machine: Machine, look: Look) -> Finding:
    """See that each SMOLCTL_ variable is known, and has a value that a stack begins with."""
    from smolctl.control.paths import check_name
    from smolctl.daemon.environment import OTHERS, PREFIX, initial_settings

    ours = {name: value for name, value in sorted(os.environ.items()) if name.startswith(PREFIX)}
    wrong: dict[str, str] = {}
    for name, value in ours.items():
        look(f"{name}={value}")
        try:
            if name == "SMOLCTL_STACK" and value:
                check_name(value)
            elif name not in OTHERS:
                initial_settings({name: value}, "linux")
        except SmolctlError as error:
            wrong[name] = _told(error)
    if not wrong:
        try:
            initial_settings(ours, "linux")
        except SmolctlError as error:
            # Each is right by itself, and they contradict each other.
            wrong = {name: error.message for name in ours if f"{name}=" in error.message}
    if wrong:
        detail = "; ".join(dict.fromkeys(wrong.values()))
        return Finding(Status.FAIL, detail, f"unset {' '.join(wrong)}")
    return Finding(Status.OK, ", ".join(ours) or "no SMOLCTL_ variable is set")


def _told(error: SmolctlError) -> str:
    guess = (error.hint or "").partition("did you mean ")[2]
    return f"{error.message} (did you mean {guess}".rstrip("?") + "?)" if guess else error.message
