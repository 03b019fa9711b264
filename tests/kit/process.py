"""Real processes for end-to-end tests: run one, watch one in the background, wait for a fact."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Protocol

POLL_SECONDS = 0.005
"""Time between two looks of a wait. Nothing else in the tests sleeps."""
PATIENCE_SECONDS = 40.0
"""Time until a wait is in vain. Only a test that fails takes as long; a busy machine takes 10."""


def wait_until(
    condition: Callable[[], object],
    what: str | Callable[[], str],
    timeout: float = PATIENCE_SECONDS,
) -> None:
    """Wait for the world outside of this process.

    Args:
        condition: waits until it returns something true.
        what: is waited for, for the failure's message; a function is called only then.
        timeout: seconds.

    Raises:
        AssertionError: it did not become true in time.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            text = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {timeout} s in vain for {text}")
        time.sleep(POLL_SECONDS)


def run(
    argv: Sequence[str],
    *,
    check: bool = False,
    input: str | None = None,
    timeout: float = 30,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; stdin is empty unless ``input`` is given.

    Output is decoded byte by byte where it is not UTF-8 (surrogateescape), line ends untouched.

    Raises:
        AssertionError: ``check`` is set and it failed, with all that it wrote.
        subprocess.TimeoutExpired: it was killed after ``timeout`` seconds.
    """
    raw = subprocess.run(
        argv,
        input=(input or "").encode(errors="surrogateescape"),
        capture_output=True,
        timeout=timeout,
        env=env,
        check=False,
    )
    return completed(argv, raw.returncode, raw.stdout, raw.stderr, check=check)


def completed(
    argv: Sequence[str], status: int, stdout: bytes, stderr: bytes, *, check: bool
) -> subprocess.CompletedProcess[str]:
    """Return how a command ended.

    Raises:
        AssertionError: ``check`` is set and it failed, with all that it wrote.
    """
    result = subprocess.CompletedProcess(list(argv), status, _decode(stdout), _decode(stderr))
    if check and status != 0:
        raise AssertionError(
            f"{' '.join(argv)} exited with {status}\n{result.stdout}{result.stderr}"
        )
    return result


def _decode(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def _temporary_file() -> IO[bytes]:
    return os.fdopen(os.memfd_create("output"), "w+b")


class Process(Protocol):
    """The part of ``subprocess.Popen`` that tests use."""

    pid: int
    stdin: IO[bytes] | None
    returncode: Any

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class Background:
    """A process that runs beside the test, in a session of its own, and ends with ``close``.

    Its output goes to files in memory: it never blocks on a full pipe, and can be read at any time.

    Attributes:
        process: a ``Popen`` object; ``process.stdin`` is a pipe when ``stdin`` was asked for.
    """

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: bool = False
    ) -> None:
        self.argv = list(argv)
        self._stdout, self._stderr = _temporary_file(), _temporary_file()
        self.process = self._start(env, stdin)

    def _start(self, env: Mapping[str, str] | None, stdin: bool) -> Process:
        return subprocess.Popen(
            self.argv,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
            env=env,
            start_new_session=True,
        )

    @property
    def stdout(self) -> str:
        """The text that it wrote so far."""
        return self._text(self._stdout)

    @property
    def stderr(self) -> str:
        """The text that it wrote so far."""
        return self._text(self._stderr)

    @staticmethod
    def _text(file: IO[bytes]) -> str:
        # pread leaves the offset alone, which the child shares.
        return _decode(os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0))

    def wait_for(self, text: str, timeout: float = PATIENCE_SECONDS) -> None:
        """Wait until ``text`` is in what it wrote to stdout or stderr.

        Raises:
            AssertionError: it ended or the time was up before.
        """
        wait_until(
            lambda: self._wrote(text) or self.process.poll() is not None,
            lambda: f"{text!r} from {self}",
            timeout,
        )
        assert self._wrote(text), f"no {text!r} before the end of {self}"

    def _wrote(self, text: str) -> bool:
        return text in self.stdout or text in self.stderr

    def wait(self, timeout: float = PATIENCE_SECONDS) -> subprocess.CompletedProcess[str]:
        """Wait for its end.

        Raises:
            AssertionError: it still runs after ``timeout`` seconds.
        """
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {timeout} s: {self}") from None
        return subprocess.CompletedProcess(self.argv, code, self.stdout, self.stderr)

    def stop(
        self, how: int = signal.SIGTERM, timeout: float = PATIENCE_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Send a signal and wait for the end."""
        self.process.send_signal(how)
        return self.wait(timeout)

    def close(self) -> None:
        """Kill it and what it started, if it still runs, and free all. May be called twice."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for file in (self._stdout, self._stderr, self.process.stdin):
            if file is not None:
                file.close()

    def __str__(self) -> str:
        return f"{' '.join(self.argv)}\nstdout: {self.stdout}\nstderr: {self.stderr}"
