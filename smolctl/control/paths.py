"""Paths of a stack's socket, lock and log, and whether it is safe to use them."""

import os
import re
import stat
from collections.abc import Mapping

from smolctl.errors import ControlError, InvalidArgument

_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")

DEFAULT_STACK = "default"
MAX_SOCKET_PATH = 107
"""Longest path a Unix socket may have, bytes (unix(7): sun_path has 108 with the final NUL)."""


class StackPaths:
    """Paths of the stack ``name`` in the runtime directory ``directory``."""

    __slots__ = ("directory", "lock", "log", "name", "socket")

    def __init__(self, directory: str, name: str) -> None:
        check_name(name)
        self.name = name
        self.directory = directory
        self.socket = f"{directory}/{name}.sock"
        self.lock = f"{directory}/{name}.lock"
        self.log = f"{directory}/{name}.log"


def check_name(name: str) -> None:
    """Refuse what is not a stack's name.

    Raises:
        InvalidArgument: not 1..32 letters, digits, ".", "_" and "-".
    """
    if not _NAME.fullmatch(name):
        raise InvalidArgument(
            f'"{name}" is not a stack name: 1 to 32 letters, digits, ".", "_" and "-"'
        )


def runtime_directory(environ: Mapping[str, str], uid: int) -> str:
    """Return the directory of the user's stacks; nothing is looked up or made.

    ``$XDG_RUNTIME_DIR/smolctl``, else ``/run/smolctl`` for root, else ``/tmp/smolctl-UID``. $TMPDIR
    is not asked: two shells that differ in it would not find each other's stacks.

    Source: XDG Base Directory Specification (a relative $XDG_RUNTIME_DIR is to be ignored).
    """
    base = environ.get("XDG_RUNTIME_DIR", "")
    if base.startswith("/"):
        return f"{base.rstrip('/')}/smolctl"
    if uid == 0:
        return "/run/smolctl"
    return f"/tmp/smolctl-{uid}"


def stack_paths(name: str) -> StackPaths:
    """Return the paths of the calling user's stack ``name``; nothing need exist.

    Raises:
        InvalidArgument: ``name`` is not a stack's name.
        ControlError: the socket's path would be longer than a Unix socket allows.
    """
    result = StackPaths(runtime_directory(os.environ, os.geteuid()), name)
    if len(os.fsencode(result.socket)) > MAX_SOCKET_PATH:
        raise ControlError(
            f"{result.socket} is longer than the {MAX_SOCKET_PATH} bytes a socket's path may have",
            hint="use a shorter --stack name, or a shorter directory in XDG_RUNTIME_DIR",
            code="runtime-directory",
        )
    return result


def make_directory(directory: str) -> None:
    """Make the runtime directory unless it is there, and see that it is safe.

    Raises:
        ControlError: it cannot be made, or ``check_directory`` refuses it.
    """
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise ControlError(
            f"cannot make the runtime directory {directory}: {error.strerror}",
            hint="smolctl doctor runtime-directory",
            code="runtime-directory",
        ) from None
    check_directory(directory)


def check_directory(directory: str) -> None:
    """See that nobody else can put a socket of theirs where we look for ours.

    Raises:
        FileNotFoundError: it is not there.
        ControlError: it is a symbolic link or no directory, it belongs to somebody else, or others
            may write in it.
    """
    status = os.lstat(directory)
    if not stat.S_ISDIR(status.st_mode):
        problem = "is not a directory"
    elif status.st_uid != os.geteuid():
        problem = f"belongs to user {status.st_uid}, not to you (user {os.geteuid()})"
    elif status.st_mode & 0o022:
        problem = f"may be written by others (mode {stat.S_IMODE(status.st_mode):04o})"
    else:
        return
    raise ControlError(
        f"the runtime directory {directory} {problem}",
        hint="remove it, or set XDG_RUNTIME_DIR to a directory of your own",
        code="runtime-directory",
    )


def stacks() -> list[str]:
    """Return the names of the calling user's stacks that have a socket, sorted.

    A daemon that was killed leaves its socket behind; connect to learn which ones answer.

    Raises:
        ControlError: the runtime directory is not safe to use.
    """
    directory = runtime_directory(os.environ, os.geteuid())
    try:
        check_directory(directory)
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return sorted(name.removesuffix(".sock") for name in names if name.endswith(".sock"))
