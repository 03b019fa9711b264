"""The runtime directory, the daemons in it, and what dead ones left there."""

import fcntl
import os
import re
import shlex
from collections.abc import Iterator

from smolctl import __version__
from smolctl.control import paths
from smolctl.doctor.finding import Finding, Look, Machine, Status
from smolctl.errors import ControlError, SmolctlError

_PATIENCE_S = 1.0
"""Time that one daemon may take to answer, seconds."""
_FULL = 32 << 10
"""A file system with less room than the files of one stack take is full, bytes."""
_SCARCE = 1 << 20
"""Size up to which the log of a stack may grow, bytes."""
_LONGEST_NAME = 32
_END = re.compile(r"(\d+)-[0-9a-f]+")
"""Name of one end of a cable: its process, and a random number."""
_END_LENGTH = len("/4194304-abcdef")  # proc(5): no process has a number above 2^22


def _chosen() -> str:
    return paths.runtime_directory(os.environ, os.geteuid())


def _from_variable() -> bool:
    return os.environ.get("XDG_RUNTIME_DIR", "").startswith("/")


def _elsewhere() -> str:
    """Return the command after which another runtime directory is used."""
    if _from_variable():
        return "unset XDG_RUNTIME_DIR"
    return "mkdir -p -m 700 ~/.run && export XDG_RUNTIME_DIR=~/.run"


def directory(_machine: Machine, look: Look) -> Finding:
    """See that the runtime directory is there, or can be made, and is ours alone."""
    path = _chosen()
    base = os.environ.get("XDG_RUNTIME_DIR")
    look("XDG_RUNTIME_DIR " + ("is not set" if base is None else f"is {base}"))
    try:
        paths.check_directory(path)
        status = os.stat(path)
        look(f"{path}: user {status.st_uid}, mode {status.st_mode & 0o7777:04o}")
    except FileNotFoundError:
        found = _to_be_made(path, look)
    except ControlError as error:
        problem = error.message.removeprefix("the runtime directory ")
        found = Finding(Status.FAIL, problem, _unsafe_fix(path))
    except OSError as error:
        found = Finding(Status.FAIL, f"{path}: {error.strerror}", _elsewhere())
    else:
        found = _usable(path, path, look)
    if found.status is Status.OK and base and not _from_variable():
        detail = f'XDG_RUNTIME_DIR="{base}" is not absolute, so it is not used: {found.detail}'
        return Finding(Status.WARN, detail, "unset XDG_RUNTIME_DIR")
    return found


def _to_be_made(path: str, look: Look) -> Finding:
    parent = os.path.dirname(path)
    if os.path.isdir(parent):
        return _usable(parent, f"{path} will be created", look)
    if _from_variable():
        there = parent
        while not os.path.lexists(there):
            there = os.path.dirname(there)
        look(f"{there} is there, and nothing of {parent} below it")
        if os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK, effective_ids=True):
            fix = f"mkdir -p -m 700 {shlex.quote(parent)}"
            return Finding(Status.FAIL, f"{parent} is not there", fix)
    return Finding(Status.FAIL, f"{parent} is not there", _elsewhere())


def _usable(path: str, detail: str, look: Look) -> Finding:
    """See that files can be made in a directory that is there."""
    writable = os.access(path, os.W_OK | os.X_OK, effective_ids=True)
    look(f"{path} is {'' if writable else 'not '}writable")
    if not writable:
        return Finding(Status.FAIL, f"{path} is not writable", _elsewhere())
    try:
        room = os.statvfs(path)
    except OSError as error:
        look(f"statvfs: {error.strerror}")
        return Finding(Status.OK, detail)
    free = room.f_bavail * room.f_frsize
    look(f"{free // 1024} KiB are free")
    fix = f"df -h {shlex.quote(path)}"
    if room.f_files and not room.f_favail:
        full = f"the file system of {path} has no room for another file: no stack can start"
        return Finding(Status.FAIL, full, f"df -i {shlex.quote(path)}")
    if free < _FULL:
        full = f"the file system of {path} is full: no stack can start"
        return Finding(Status.FAIL, full, fix)
    if free < _SCARCE:
        scarce = f"the file system of {path} has {free // 1024} KiB left, too little for logs"
        return Finding(Status.WARN, scarce, fix)
    return Finding(Status.OK, detail)


def _unsafe_fix(path: str) -> str:
    """Return what makes a runtime directory safe that ``check_directory`` refuses."""
    status = os.lstat(path)
    if status.st_uid != os.geteuid():
        return _elsewhere()
    quoted = shlex.quote(path)
    return (
        f"chmod 700 {quoted}"
        if os.path.isdir(path) and not os.path.islink(path)
        else f"rm {quoted}"
    )


def socket_path(machine: Machine, look: Look) -> Finding:
    """See that the paths of sockets are short enough."""
    limit, path = paths.MAX_SOCKET_PATH, _chosen()
    length = len(os.fsencode(path))
    stack, cable = limit - length - len("/.sock"), limit - length - len("/cables/") - _END_LENGTH
    look(f"{path} has {length} bytes, of {limit} that unix(7) leaves to a socket's path")
    look(f"room for the name of a stack: {stack} bytes, of a cable: {cable}")
    if stack < len(machine.stack):
        return Finding(
            Status.FAIL,
            f"{path}/{machine.stack}.sock is longer than the {limit} bytes of a socket's path",
            _elsewhere(),
        )
    tight = [
        f"of a {what} at most {room} bytes" if room > 0 else f"of a {what} none at all"
        for what, room in (("stack", stack), ("cable", cable))
        if room < _LONGEST_NAME
    ]
    if tight:
        detail = f"{path} is long: the name {', and '.join(tight)}, instead of {_LONGEST_NAME}"
        return Finding(Status.WARN if cable <= 0 else Status.NOTE, detail, _elsewhere())
    used = length + len(f"/{machine.stack}.sock")
    return Finding(Status.OK, f"{used} of {limit} bytes")


def daemons(_machine: Machine, look: Look) -> Finding:
    """Ask each daemon for its version; none is started."""
    from smolctl.client import Client

    running: list[str] = []
    problems: list[str] = []
    fixes: list[str] = []
    for name in _names():
        try:
            with Client.connect(name, start=False, timeout=_PATIENCE_S) as client:
                version, pid = client.version, client.pid
        except SmolctlError as error:
            look(f"{name}: {error.message}")
            if error.code == "not-running":
                continue
            problems.append(f'stack "{name}": {error.message}')
            if error.code == "version-mismatch":
                fixes.append(f"smolctl -n {name} stack stop")
            elif error.code == "daemon-silent" and (holder := _holder(name)):
                fixes.append(f"kill -9 {holder}")
            continue
        look(f"{name}: smolctl {version}, pid {pid}")
        if version == __version__:
            running.append(name)
        else:
            problems.append(f'stack "{name}" runs smolctl {version}, and this is {__version__}')
            fixes.append(f"smolctl -n {name} stack stop")
    if problems:
        return Finding(Status.WARN, "; ".join(problems), "; ".join(fixes))
    return Finding(Status.OK, f"running: {', '.join(running)}" if running else "no stack runs")


def _names() -> list[str]:
    """Return the names of stacks that have a socket; none in a directory that is not safe."""
    try:
        return paths.stacks()
    except (SmolctlError, OSError):
        return []


def _holder(name: str) -> str:
    """Return the number of the process that holds a stack's lock, or ""."""
    try:
        with open(f"{_chosen()}/{name}.lock") as lock:
            pid = lock.read(20).strip()
    except OSError:
        return ""
    return pid if pid.isdigit() else ""


def leftovers(machine: Machine, look: Look) -> Finding:
    """Look for what dead stacks left; nothing is removed."""
    path = _chosen()
    try:
        paths.check_directory(path)
        entries = sorted(os.listdir(path))
    except (OSError, ControlError):
        look(f"{path}: not there, or not ours")
        return Finding(Status.OK, "none")
    alive = {name for name in _stacks_of(entries) if _is_alive(path, name)}
    look(f"{path}: {len(entries)} entries, stacks alive: {', '.join(sorted(alive)) or 'none'}")
    dead: dict[str, list[str]] = {}
    for entry in entries:
        name, suffix = _split(entry)
        if suffix and name not in alive:
            dead.setdefault(name, []).append(suffix)
    cables = [cable for cable in _cables(path) if not _has_ends(machine, f"{path}/cables/{cable}")]
    if not dead and not cables:
        return Finding(Status.OK, "none")
    parts = [f'stack "{name}": {", ".join(kinds)}' for name, kinds in dead.items()]
    parts += [f'cable "{cable}" without ends' for cable in cables]
    files = [f"{path}/{name}.{suffix}" for name, kinds in dead.items() for suffix in kinds]
    files += [f"{path}/cables/{cable}" for cable in cables]
    fix = f"rm -r {shlex.join(files)}"
    if not alive and all(_split(entry)[1] or entry == "cables" for entry in entries):
        fix = f"rm -r {shlex.quote(path)}" if len(cables) == len(_cables(path)) else fix
    return Finding(Status.NOTE, "; ".join(parts), fix)


_SUFFIXES = ("sock", "lock", "log", "log.1")


def _split(entry: str) -> tuple[str, str]:
    """Return the stack that a file belongs to and what it is of it; ("", "") for any other."""
    for suffix in _SUFFIXES:
        name = entry.removesuffix(f".{suffix}")
        if name and name != entry:
            return name, suffix
    return "", ""


def _stacks_of(entries: list[str]) -> Iterator[str]:
    yield from {name for name, suffix in map(_split, entries) if suffix}


def _is_alive(path: str, name: str) -> bool:
    """Return whether a daemon holds the stack's lock, or answers without one."""
    from smolctl.daemon.lifecycle import answers

    return _is_locked(f"{path}/{name}.lock") or answers(f"{path}/{name}.sock")


def _is_locked(path: str) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        # Shared: two who look at the same time do not see each other.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _cables(path: str) -> list[str]:
    try:
        return sorted(os.listdir(f"{path}/cables"))
    except OSError:
        return []


def _has_ends(machine: Machine, cable: str) -> bool:
    """Return whether a process may hold an end of a cable.

    Nobody connects to find out: an end would take us for one more.
    """
    try:
        ends = os.listdir(cable)
    except OSError:
        return True  # it is no directory, or cannot be read: none of our business
    return any(_may_live(machine, _END.fullmatch(end)) for end in ends)


def _may_live(machine: Machine, end: re.Match[str] | None) -> bool:
    if end is None:
        return True  # whatever it is, it is not ours
    try:
        os.kill(int(end[1]), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's
    # A zombie holds nothing any more. proc(5): the name before the state may contain anything.
    said = machine.read(f"/proc/{end[1]}/stat") or ""
    return not said.rpartition(")")[2].lstrip().startswith("Z")
