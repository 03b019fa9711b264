"""The smolctl command against real daemons, in a runtime directory of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.kit import here, process, warm
from tests.kit.netns import PATH, Namespace
from tests.kit.process import Background, wait_until

PATIENCE_SECONDS = 30.0
"""Time after which a command is killed; nothing takes as long."""
STOP_SECONDS = 10
"""Time for a daemon to end after SIGTERM before it is killed; far more than it needs."""


class SmolctlEnv:
    """A private XDG_RUNTIME_DIR, and the command in it. Call it to run the command.

    Attributes:
        prefix: what runs the command, such as ``setpriv``; in a new interpreter then.
        directory: XDG_RUNTIME_DIR; sockets, locks and logs are in ``directory / "smolctl"``.
        environ: the whole environment of the command; a test may change it.
        tracebacks_expected: set it in a test that makes the daemon fail on purpose; otherwise a
            traceback in a daemon's log fails the test.
    """

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self.prefix = tuple(prefix)
        # Not tmp_path: a Unix socket's path has at most 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="sm", dir="/tmp"))
        self.environ = {
            "XDG_RUNTIME_DIR": str(self.directory),
            "PATH": PATH,
            "HOME": str(self.directory),
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
        }
        self.tracebacks_expected = False
        self._background: list[Background] = []
        self._namespace: Namespace | None = None

    def enter(self, namespace: Namespace) -> None:
        """Run the command, and so the daemons that it starts, inside a namespace from now on.

        A TAP made there is seen by nothing but the kernel's stack of that namespace.
        """
        self._namespace = namespace

    def _argv(self, args: tuple[str, ...]) -> list[str]:
        argv = [*self.prefix, sys.executable, "-m", "smolctl", *args]
        return self._namespace.inside(*argv) if self._namespace else argv

    @property
    def _netns(self) -> str | None:
        """The path of the namespace."""
        return f"/run/netns/{self._namespace.name}" if self._namespace else None

    def __call__(
        self,
        *args: str,
        check: bool = False,
        input: str | None = None,
        timeout: float = PATIENCE_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``smolctl ARGS`` to its end, as ``process.run`` does.

        One that only asks a daemon runs in this process (``here.py``), unless it has a ``timeout``
        of its own; others are forked from an interpreter that has imported all (``warm.py``);
        ``cold`` starts one.
        """
        data = (input or "").encode(errors="surrogateescape")
        if self.prefix or not warm.fits(self.environ, data):
            return self.cold(*args, check=check, input=input, timeout=timeout)
        raw = None if data or timeout != PATIENCE_SECONDS else here.run(args, self.environ)
        if raw is None:
            raw = warm.forked().run(args, self.environ, data, timeout, self._netns)
        return process.completed(["smolctl", *args], *raw, check=check)

    def cold(
        self, *args: str, check: bool = False, input: str | None = None, timeout: float = 30
    ) -> subprocess.CompletedProcess[str]:
        """Run ``smolctl ARGS`` to its end in a new interpreter, as ``process.run`` does."""
        argv = self._argv(args)
        return process.run(argv, check=check, input=input, timeout=timeout, env=self.environ)

    def json(self, *args: str) -> Any:
        """Run ``smolctl -j ARGS``, which must succeed, and return what it printed, decoded."""
        return json.loads(self("-j", *args, check=True).stdout)

    def popen(self, *args: str, stdin: bool = False) -> Background:
        """Start ``smolctl ARGS`` in the background; killed after the test at the latest."""
        if self.prefix or not warm.fits(self.environ, b""):
            background = Background(self._argv(args), env=self.environ, stdin=stdin)
        else:
            background = warm.ForkedBackground(args, self.environ, self._netns, stdin=stdin)
        self._background.append(background)
        return background

    def command(self, *, cold: bool = False) -> Path:
        """Make a ``smolctl`` in a directory of its own, for PATH.

        Args:
            cold: it is no forked one (``warm_command.py``), also where that would do.
        """
        command = self.directory / ("cold" if cold else "bin") / "smolctl"
        command.parent.mkdir(exist_ok=True)
        real = bool(self.prefix) or cold
        words = f"{sys.executable} -m smolctl" if real else warm.forked().command()
        command.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        command.chmod(0o755)
        return command

    def shell(self, line: str, *, cold: bool = False) -> Background:
        """Start a line in a shell that finds ``smolctl``, as a user would type it."""
        found = self.command(cold=cold).parent
        environ = {**self.environ, "PATH": f"{found}:{self.environ['PATH']}"}
        argv = ["sh", "-c", line]
        inside = self._namespace.inside(*argv) if self._namespace else argv
        self._background.append(Background(inside, env=environ))
        return self._background[-1]

    def pids(self) -> list[int]:
        """Return the processes, daemons above all, that were started with our runtime directory.

        They are found by their environment, or by where they log, so that neither a lost lock file
        nor a daemon that does not answer hides one.
        """
        mark = f"XDG_RUNTIME_DIR={self.directory}".encode()
        logs = f"{self.directory}/smolctl/"
        found = []
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            # OSError: it ended meanwhile, or it is another user's. A zombie's environment is empty.
            with suppress(OSError):
                with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
                    started = mark in file.read().split(b"\0")
                if started or os.readlink(f"/proc/{pid}/fd/1").startswith(logs):
                    found.append(int(pid))
        return found

    def log(self) -> str:
        """Return the logs of all daemons that ran here."""
        logs = sorted((self.directory / "smolctl").glob("*.log*"))
        return "".join(f"== {path.name}\n{path.read_text(errors='replace')}" for path in logs)

    def close(self) -> None:
        """Stop everything and remove the directory.

        Raises:
            AssertionError: a process survived, or a daemon logged a traceback.
        """
        for background in self._background:
            background.close()
        try:
            self._stop_daemons()
            log = self.log()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
        assert self.tracebacks_expected or "Traceback (most recent call last)" not in log, log

    def _stop_daemons(self) -> None:
        # SIGCONT: a test may have stopped the daemon to see what its client does then.
        pids = self._signal(signal.SIGTERM, signal.SIGCONT)
        if not pids:
            return
        with suppress(AssertionError):
            wait_until(lambda: not any(map(_runs, pids)), "the daemons to end", STOP_SECONDS)
        if self._signal(signal.SIGKILL):
            wait_until(lambda: not self.pids(), lambda: f"the end of {self.pids()}")

    def _signal(self, *signals: int) -> list[int]:
        pids = self.pids()
        for pid in pids:
            for number in signals:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        return pids


def _runs(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


@pytest.fixture
def smolctl_env() -> Iterator[SmolctlEnv]:
    """Give the smolctl command a runtime directory of its own; no daemon outlives the test."""
    env = SmolctlEnv()
    try:
        yield env
    finally:
        env.close()


@pytest.fixture
def smolctl(smolctl_env: SmolctlEnv) -> SmolctlEnv:
    """Return the command itself, to be called: ``smolctl("addr", "show")``."""
    return smolctl_env


@pytest.fixture
def smolctl_env_factory() -> Iterator[Callable[[], SmolctlEnv]]:
    """Make any number of environments, as for two users or two machines."""
    made: list[SmolctlEnv] = []

    def make() -> SmolctlEnv:
        made.append(SmolctlEnv())
        return made[-1]

    yield make
    for env in made:
        env.close()
