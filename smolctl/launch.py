"""Starts a stack's daemon in the background."""

import json
import os
import sys
from collections.abc import Sequence
from select import select
from typing import Any

from smolctl.control.paths import DEFAULT_STACK, make_directory, stack_paths
from smolctl.errors import ClientError

DEFAULT_TIMEOUT = 10.0
_READY_FD = 3


def daemon_command(stack: str, options: Sequence[str] = ()) -> list[str]:
    """Return the command line of a daemon.

    Args:
        stack: its name.
        options: further ones: ``--foreground``, ``--profile P``, ``--sysctl KEY=VALUE``.
    """
    # -P: a file select.py in the caller's directory is none of the daemon's business.
    return [sys.executable, "-P", "-m", "smolctl.daemon", "--name", stack, *options]


def daemon_environment() -> dict[str, str]:
    """Return the environment for ``daemon_command``: the caller's, and where smolctl is."""
    environment = dict(os.environ)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # Only in a source tree: site-packages is searched anyway, and in front of the standard library
    # its modules could stand in for those of that name.
    if os.path.basename(root) not in ("site-packages", "dist-packages"):
        path = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{root}:{path}" if path else root
    return environment


def start_daemon(
    stack: str = DEFAULT_STACK,
    *,
    options: Sequence[str] = (),
    setup: bytes | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> None:
    """Start the stack's daemon in the background; return once it can be connected to.

    Another client that starts the same stack at the same time makes no difference: one daemon
    stays, and both return.

    Args:
        stack: its name.
        options: as for ``daemon_command``.
        setup: what it begins with, see ``daemon.setup``.
        timeout: seconds it may take to start, and then between two signs of progress.

    Raises:
        ClientError: ``start-failed``; the message has the daemon's own reason.
        InvalidArgument, ControlError: as for ``Client.connect``.
    """
    paths = stack_paths(stack)
    make_directory(paths.directory)
    command = daemon_command(stack, [*options, "--ready-fd", str(_READY_FD)])
    setup_fd = None if setup is None else setup_file(setup)
    if setup_fd is not None:
        command += ["--setup-fd", str(setup_fd)]
    log_size = _size(paths.log)
    reader, writer = os.pipe()
    try:
        try:
            child = _spawn(command, paths.log, writer)
        except OSError as error:
            reason = f"{command[0]}: {error.strerror}"
            raise _start_failed(stack, reason, "smolctl doctor") from None
        finally:
            os.close(writer)
        answer = _read_answer(reader, timeout)
    finally:
        os.close(reader)
        if setup_fd is not None:
            os.close(setup_fd)
    if answer is None:
        raise _start_failed(
            stack, f"not ready after {timeout:g} s", f"smolctl --stack {stack} stack log"
        )
    status = _wait_for_child(child)
    if "ready" in answer:
        return
    problem = answer.get("error", {})
    reason = problem.get("message") or _last_line(paths.log, log_size)
    if not reason:
        reason = f"Python ended with status {os.waitstatus_to_exitcode(status)} without a message"
    raise _start_failed(stack, reason, problem.get("hint") or "smolctl doctor")


def _spawn(command: list[str], log: str, ready: int) -> int:
    """Start a process with ``ready`` as its descriptor 3; return its number."""
    # posix_spawn: importing subprocess alone takes 4 ms. The daemon makes a session of its own and
    # goes to / itself. Until it has, what Python may print belongs in the log.
    return os.posix_spawn(
        command[0],
        command,
        daemon_environment(),
        file_actions=[
            (os.POSIX_SPAWN_DUP2, ready, _READY_FD),
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsigmask=(),
    )


def setup_file(setup: bytes) -> int:
    """Return a descriptor, which a child inherits, of a file with what a daemon begins with.

    It is none of 0 to 3, which the child has for something else.
    """
    from fcntl import F_DUPFD, fcntl  # few commands start a stack so

    made = os.memfd_create("setup")
    fd = fcntl(made, F_DUPFD, _READY_FD + 1)
    os.close(made)
    os.write(fd, setup)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _wait_for_child(child: int) -> int:
    try:
        return os.waitpid(child, 0)[1]
    except ChildProcessError:
        return 0  # our parent ignores SIGCHLD, which is inherited


def _start_failed(stack: str, reason: str, hint: str) -> ClientError:
    return ClientError(f'cannot start stack "{stack}": {reason}', hint=hint, code="start-failed")


def _read_answer(reader: int, timeout: float) -> dict[str, Any] | None:
    """Return what the daemon reported; {} when it ended without, None when time is up."""
    data = b""
    while not data.endswith(b"\n"):
        if not select([reader], [], [], timeout)[0]:
            return None
        part = os.read(reader, 65536)
        if not part:
            return {}
        data += part
    answer: dict[str, Any] = json.loads(data)
    return answer


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _last_line(path: str, start: int) -> str:
    """Return the last line that was added to a log after its first ``start`` bytes."""
    try:
        with open(path, "rb") as log:
            log.seek(max(start, _size(path) - 4096))
            lines = log.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
