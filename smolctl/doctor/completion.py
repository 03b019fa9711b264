"""The completion of the user's shell."""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import NamedTuple

from smolctl.doctor.finding import Finding, Look, Machine, Status
from smolctl.doctor.places import SOURCE, below, first_file

_LOADER = "/usr/share/bash-completion/bash_completion"
_BESIDE_PATH = (2, 12)
"""Since this version bash-completion looks beside the directories of PATH, too."""


class _Shell(NamedTuple):
    """The folders in which a shell looks.

    Attributes:
        file: what the completion is called; in completions/ of the source, too.
        folders: below each data directory (XDG Base Directory Specification).
        own: the user's own.
    """

    file: str
    folders: tuple[str, ...]
    own: str


_SHELLS = {
    "bash": _Shell(
        "smolctl",
        ("bash-completion/completions",),
        "~/.local/share/bash-completion/completions",
    ),
    "zsh": _Shell("_smolctl", ("zsh/site-functions", "zsh/vendor-completions"), "~/.zfunc"),
    "fish": _Shell("smolctl.fish", ("fish/vendor_completions.d",), "~/.config/fish/completions"),
}


def completion(machine: Machine, look: Look) -> Finding:
    """See that the user's shell finds the completion."""
    name = os.path.basename(os.environ.get("SHELL", ""))
    look(f"SHELL={os.environ.get('SHELL', '')}")
    shell = _SHELLS.get(name)
    if shell is None:
        return Finding(Status.OK, f"there is no completion for {name or 'an unknown shell'}")
    source = first_file(
        [below(sys.prefix, shell.folders[0], shell.file), SOURCE / "completions" / shell.file]
    )
    if name == "bash":
        loader = machine.read(_LOADER)
        if loader is None:
            look(f"{_LOADER} is not there")
            return _without_loader(source)
        version = re.search(r"BASH_COMPLETION_VERSINFO=\((\d+) (\d+)", loader)
        beside = version is not None and tuple(map(int, version.groups())) >= _BESIDE_PATH
        look(
            f"bash-completion {'.'.join(version.groups()) if version else 'of an unknown version'}"
        )
    else:
        beside = False
    places = list(_places(machine, shell, beside))
    look(f"{name} looks in {', '.join(map(str, places))}")
    found = first_file(place / shell.file for place in places)
    if found is not None:
        return Finding(Status.OK, f"{name}: {found}")
    if source is None:
        return Finding(Status.NOTE, f"{name} finds none")
    fix = f"mkdir -p {shell.own} && ln -s {shlex.quote(str(source))} {shell.own}/{shell.file}"
    if name == "zsh":
        fix += " && echo 'fpath+=~/.zfunc; autoload -U compinit; compinit' >> ~/.zshrc"
    return Finding(Status.NOTE, f"{name} finds none", fix)


def _places(machine: Machine, shell: _Shell, beside: bool) -> Iterator[Path]:
    yield Path(os.path.expanduser(shell.own))
    system = [f"{machine.root}/usr/local/share", f"{machine.root}/usr/share"]
    given = [part for part in os.environ.get("XDG_DATA_DIRS", "").split(":") if part]
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    bases = [home, *(given or system)]
    command = which("smolctl")
    if beside and command is not None:
        bases.append(str(below(Path(command).parents[1])))
    yield from (Path(base, folder) for base in bases for folder in shell.folders)


def _without_loader(source: Path | None) -> Finding:
    """Return what is to be said of a bash that loads no completion by itself."""
    try:
        begun = Path("~/.bashrc").expanduser().read_text(errors="replace")
    except OSError:
        begun = ""
    if source is not None and str(source) in begun:
        return Finding(Status.OK, f"bash: {source}, by ~/.bashrc")
    fix = f"echo {shlex.quote(f'source {shlex.quote(str(source))}')} >> ~/.bashrc" if source else ""
    return Finding(Status.NOTE, "bash loads none: bash-completion is not installed", fix)
