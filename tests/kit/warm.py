"""The smolctl command without the interpreter's start: a server that forks a process per command.

Most of what a command costs is that Python starts and imports, and end-to-end tests run thousands
of them. Each is a process of its own all the same, with its own arguments, environment, streams,
namespace and exit status; and so is the daemon that it starts. What a shell finds as ``smolctl`` is
``warm_command.py``, which asks the same server. Those of tests/daemon are started in earnest.
"""

import atexit
import io
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, NoReturn

from smolctl.device import rtnetlink
from tests.kit.process import Background

MAX_INPUT = 65536
"""Capacity of a pipe: so much can be given to a command before it reads."""
_MAX_REQUEST = 1 << 18
_STARTED_WITH = ("LANG", "LANGUAGE", "PYTHON", "_SMOLCTL_COMPLETE")
"""Variables, or what their names begin with, that an interpreter looks at when it starts."""
_LOCALE = "C.UTF-8"


def fits(environ: Mapping[str, str], data: bytes) -> bool:
    """Return whether a command with this environment and input can be forked."""
    special = any(name.startswith(_STARTED_WITH) for name in environ)
    return not special and environ.get("LC_ALL") == _LOCALE and len(data) <= MAX_INPUT


class Forked:
    """A server that forks commands, until this process ends.

    Attributes:
        pid: of the server, the parent of all commands that run.
    """

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="sm", dir="/tmp")
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._door = f"{self._directory.name}/warm"
        door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        door.bind(self._door)
        door.listen(64)
        environ = {"PATH": os.environ.get("PATH", ""), "LC_ALL": _LOCALE}
        fds = [theirs.fileno(), door.fileno()]
        argv = [sys.executable, "-m", "tests.kit.warm", *map(str, fds)]
        self._server = subprocess.Popen(argv, env=environ, stdin=subprocess.DEVNULL, pass_fds=fds)
        self.pid = self._server.pid
        theirs.close()
        door.close()

    def close(self) -> None:
        """End the server."""
        self._socket.close()
        self._server.wait()
        self._directory.cleanup()

    def command(self) -> str:
        """Return the words of a shell that are ``smolctl``, forked."""
        netns = str(os.stat("/proc/self/ns/net").st_ino)
        program = str(Path(__file__).with_name("warm_command.py"))
        return shlex.join([sys.executable, "-IS", program, self._door, netns, sys.executable])

    def start(
        self,
        args: Sequence[str],
        environ: Mapping[str, str],
        streams: tuple[int, int, int],
        netns: str | None,
    ) -> socket.socket:
        """Start ``smolctl ARGS``.

        Args:
            streams: descriptors of its streams.
            netns: path of the network namespace to run it in.

        Returns:
            A connection that tells its process number, and its status when it has ended. The
            command is killed when it is closed before.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps([args, dict(environ)]).encode()
        with theirs, ExitStack() as opened:
            fds = [theirs.fileno(), *streams]
            if netns is not None:
                fds.append(opened.enter_context(open(netns, "rb")).fileno())
            socket.send_fds(self._socket, [request], fds)
        return ours

    def run(
        self,
        args: tuple[str, ...],
        environ: Mapping[str, str],
        data: bytes,
        timeout: float,
        netns: str | None,
    ) -> tuple[int, bytes, bytes]:
        """Run ``smolctl ARGS`` to its end; return its status as Popen does, and what it wrote.

        Args:
            netns: path of the network namespace to run it in.

        Raises:
            subprocess.TimeoutExpired: it was killed after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        stdin, give = os.pipe()
        os.write(give, data)
        os.close(give)
        out, stdout = os.pipe()
        err, stderr = os.pipe()
        streams = (stdin, stdout, stderr)
        with self.start(args, environ, streams, netns) as ours:
            for fd in streams:
                os.close(fd)
            pid = int(ours.recv(32))
            try:
                written = _read({out: b"", err: b""}, deadline)
                ours.settimeout(max(0.001, deadline - time.monotonic()))
                return int(ours.recv(32)), written[out], written[err]
            except TimeoutError:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(["smolctl", *args], timeout) from None
            finally:
                os.close(out)
                os.close(err)


class ForkedProcess:
    """A forked command, with the part of ``subprocess.Popen`` that tests use."""

    def __init__(self, asker: socket.socket, stdin: IO[bytes] | None) -> None:
        self._asker = asker
        self.pid = int(asker.recv(32))
        self.stdin = stdin
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its status.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if self.returncode is None:
            if not select.select([self._asker], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("smolctl", timeout or 0)
            self.returncode = int(self._asker.recv(32))
            self._asker.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return its status, None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkedBackground(Background):
    """A forked command that runs beside the test, as ``Background`` does."""

    def __init__(
        self, args: Sequence[str], env: Mapping[str, str], netns: str | None, *, stdin: bool
    ) -> None:
        self._netns = netns
        super().__init__(["smolctl", *args], env=env, stdin=stdin)

    def _start(self, env: Mapping[str, str] | None, stdin: bool) -> ForkedProcess:
        theirs, ours = os.pipe() if stdin else (os.open(os.devnull, os.O_RDONLY), None)
        streams = (theirs, self._stdout.fileno(), self._stderr.fileno())
        asker = forked().start(self.argv[1:], env or {}, streams, self._netns)
        os.close(theirs)
        return ForkedProcess(asker, None if ours is None else open(ours, "wb"))


@cache
def forked() -> Forked:
    """Return the server of this process."""
    server = Forked()
    atexit.register(server.close)
    return server


def _read(pipes: dict[int, bytes], deadline: float) -> dict[int, bytes]:
    """Read pipes to their ends."""
    poll, open_ones = select.poll(), set(pipes)
    for fd in pipes:
        poll.register(fd, select.POLLIN)
    while open_ones:
        ready = poll.poll(max(0, deadline - time.monotonic()) * 1000)
        if not ready:
            raise TimeoutError
        for fd, _ in ready:
            data = os.read(fd, 65536)
            pipes[fd] += data
            if not data:
                poll.unregister(fd)
                open_ones.remove(fd)
    return pipes


# --- the server -----------------------------------------------------------------------------------


def serve(control: socket.socket, door: socket.socket) -> None:
    """Fork a command for every request, and tell how each ends, until nobody asks any more.

    Args:
        control: gets the requests of the tests' own process, and ends with it.
        door: is where programs connect that want one command.
    """
    from smolctl import launch
    from smolctl.cli.main import NOUNS

    daemon = ("__main__", "environment", "process", "setup")
    nouns = (*NOUNS, "lab_run", "lab_compare")
    for name in (*(f"cli.nouns.{noun}" for noun in nouns), *(f"daemon.{part}" for part in daemon)):
        import_module(f"smolctl.{name}")
    launch._spawn = _spawn
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writer)
    askers: dict[int, socket.socket] = {}
    poll = select.poll()
    for fd in (control.fileno(), door.fileno(), reader):
        poll.register(fd, select.POLLIN)
    while True:
        fd, _ = poll.poll()[0]  # one at a time: each may close the next, and give its number away
        if fd == reader:
            with suppress(BlockingIOError):
                os.read(reader, 4096)
            _tell(askers, poll)
        elif fd == control.fileno():
            request, fds, _, _ = socket.recv_fds(control, _MAX_REQUEST, 5)
            if not request:
                return
            args, environ = json.loads(request)
            _fork(askers, poll, socket.socket(fileno=fds.pop(0)), fds, args, environ)
        elif fd == door.fileno():
            asker, _ = door.accept()
            request, fds, _, _ = socket.recv_fds(asker, _MAX_REQUEST, 4)
            if request:
                _fork(askers, poll, asker, fds, *_asked(request))
            else:  # it was killed meanwhile
                asker.close()
        else:  # whoever asked is gone, and so goes the command
            poll.unregister(fd)
            (pid,) = (pid for pid, asker in askers.items() if asker.fileno() == fd)
            os.kill(pid, signal.SIGKILL)


def _fork(
    askers: dict[int, socket.socket],
    poll: "select.poll",
    asker: socket.socket,
    fds: list[int],
    args: list[str],
    environ: dict[str, str],
    cwd: bytes | None = None,
) -> None:
    """Fork a command; whoever asked is told its process number now, and its end later."""
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _become(args, environ, cwd, *fds)
    os.setpgid(pid, pid)  # nobody else is meant by what it is sent
    askers[pid] = asker
    poll.register(asker, 0)
    with suppress(OSError):
        asker.send(str(pid).encode())
    for mine in fds:
        os.close(mine)


def _asked(request: bytes) -> tuple[list[str], dict[str, str], bytes]:
    """Return what ``warm_command.py`` asks for: arguments, an environment, and a directory."""
    cwd, count, *words = request.split(b"\0")
    texts = [os.fsdecode(word) for word in words]
    args, environ = texts[: int(count)], texts[int(count) :]
    return args, dict(each.split("=", 1) for each in environ), cwd


def _tell(askers: dict[int, socket.socket], poll: "select.poll") -> None:
    """Tell whoever asked for a command that it has ended, and how."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with askers.pop(ended[0]) as asker, suppress(OSError):
                with suppress(KeyError):  # it is gone
                    poll.unregister(asker)
                asker.send(str(os.waitstatus_to_exitcode(ended[1])).encode())


def _become(
    args: list[str],
    environ: dict[str, str],
    cwd: bytes | None,
    stdin: int,
    stdout: int,
    stderr: int,
    *netns: int,
) -> NoReturn:
    """Be the command."""
    status = 120  # as of an interpreter whose last words could not be written
    try:
        for fd in netns:
            rtnetlink.enter(fd)
        for number, fd in enumerate((stdin, stdout, stderr)):
            os.dup2(fd, number)
        os.closerange(3, 4096)
        if cwd is not None:
            os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environ)
        time.tzset()
        sys.stdin = io.TextIOWrapper(open(0, "rb", closefd=False))  # noqa: SIM115
        sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False))  # noqa: SIM115
        error = io.TextIOWrapper(open(2, "wb", closefd=False), line_buffering=True)  # noqa: SIM115
        sys.stderr = error
        sys.argv = ["smolctl", *args]
        from smolctl.cli.main import entry

        try:
            entry()
        except SystemExit as ending:
            code = ending.code
        else:
            code = 0
        sys.stdout.flush()
        sys.stderr.flush()
        status = code if isinstance(code, int) else int(code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _spawn(command: list[str], log: str, ready: int) -> int:
    """Start a daemon as ``launch._spawn`` does, but without an interpreter of its own."""
    from smolctl.daemon.__main__ import main
    from smolctl.launch import daemon_environment

    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.dup2(ready, 3)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 1)
        os.dup2(1, 2)
        os.environ.update(daemon_environment())
        status = main(command[command.index("smolctl.daemon") + 1 :])
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), socket.socket(fileno=int(sys.argv[2])))
