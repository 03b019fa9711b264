"""What helps and is not needed: tools, the manual, completion; and variables that are wrong."""

import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from smolctl.doctor.finding import Finding, Look, Machine, Status
from smolctl.doctor.network import sudo
from smolctl.errors import SmolctlError

_SOURCE = Path(__file__).parents[2]
"""The project, when it is not installed."""

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


def _below(prefix: str | Path, *parts: str) -> Path:
    return Path(prefix, "share", *parts)


def _man_directories(machine: Machine) -> Iterator[Path]:
    """Yield where ``man`` looks: manpath(5) maps each directory of PATH to its share/man."""
    given = os.environ.get("MANPATH", "")
    yield from (Path(part) for part in given.split(":") if part)
    if given and "" not in given.split(":"):
        return  # nothing is added to it
    for part in os.environ.get("PATH", os.defpath).split(":"):
        if part.startswith("/"):
            yield _below(Path(part).parent, "man")
    for prefix in ("/usr/local", "/usr"):
        yield _below(machine.root + prefix, "man")


def _first(files: Iterable[Path]) -> Path | None:
    for file in files:
        try:
            if file.is_file():
                return file
        except OSError:
            continue
    return None


def manual(machine: Machine, look: Look) -> Finding:
    """See that ``man smolctl`` finds its page."""
    pages = ("man8/smolctl.8", "man8/smolctl.8.gz")
    directories = list(dict.fromkeys(_man_directories(machine)))
    look(f"man looks in {', '.join(map(str, directories))}")
    found = _first(directory / page for directory in directories for page in pages)
    if found is not None:
        return Finding(Status.OK, str(found))
    installed = _first(_below(sys.prefix, "man", page) for page in pages)
    if installed is not None:
        folder = installed.parents[1]
        detail = f"{installed} is where man does not look"
        return Finding(Status.NOTE, detail, f"export MANPATH={shlex.quote(str(folder))}:")
    source = _first([_SOURCE / "man" / "smolctl.8"])
    if source is not None:
        detail = f"man smolctl finds nothing; the pages are in {source.parent}"
        return Finding(Status.NOTE, detail, f"man {shlex.quote(str(source))}")
    return Finding(Status.NOTE, "man smolctl finds nothing", "smolctl --help")


_NAMES = {"bash": "smolctl", "zsh": "_smolctl", "fish": "smolctl.fish"}
_FOLDERS = {
    "bash": ("bash-completion/completions",),
    "zsh": ("zsh/site-functions", "zsh/vendor-completions"),
    "fish": ("fish/vendor_completions.d",),
}
_OWN = {
    "bash": "~/.local/share/bash-completion/completions",
    "zsh": "~/.zfunc",
    "fish": "~/.config/fish/completions",
}
"""Where a user puts his own."""
_IN_SOURCE = {"bash": "smolctl.bash", "zsh": "_smolctl", "fish": "smolctl.fish"}


def completion(machine: Machine, look: Look) -> Finding:
    """See that the user's shell finds the completion."""
    shell = os.path.basename(os.environ.get("SHELL", ""))
    look(f"SHELL={os.environ.get('SHELL', '')}")
    if shell not in _NAMES:
        return Finding(Status.OK, f"there is none for {shell or 'an unknown shell'}")
    name = _NAMES[shell]
    data = (
        os.environ.get("XDG_DATA_DIRS")
        or f"{machine.root}/usr/local/share:{machine.root}/usr/share"
    )
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    places = [Path(os.path.expanduser(_OWN[shell]))]
    places += [
        Path(base, folder) for base in (home, *data.split(":")) for folder in _FOLDERS[shell]
    ]
    look(f"{shell} looks in {', '.join(map(str, places))}")
    found = _first(place / name for place in places)
    if found is not None:
        return Finding(Status.OK, f"{shell}: {found}")
    source = _first(
        [_below(sys.prefix, _FOLDERS[shell][0], name), _SOURCE / "completions" / _IN_SOURCE[shell]]
    )
    detail = f"{shell} finds none for smolctl"
    if source is None:
        return Finding(Status.NOTE, detail)
    own = _OWN[shell]
    fix = f"mkdir -p {own} && ln -s {shlex.quote(str(source))} {own}/{name}"
    if shell == "zsh":
        fix += " && echo 'fpath=(~/.zfunc $fpath); autoload -U compinit; compinit' >> ~/.zshrc"
    return Finding(Status.NOTE, detail, fix)


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
