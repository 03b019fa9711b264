"""Output for a person at a terminal alone: colours, and notes about a wait."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.stack_env import SmolctlEnv


class Terminal:
    """A command whose three streams are one pseudo-terminal."""

    def __init__(self, env: SmolctlEnv, *args: str, **variables: str) -> None:
        self._master, slave = pty.openpty()
        self.text = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "smolctl", *args],
            env={**env.environ, "TERM": "xterm", **variables},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def read(self, until: str | None = None, seconds: float = 10) -> str:
        """Read to ``until`` or to the end, and return all that came so far."""
        deadline = time.monotonic() + seconds
        while until is None or until not in self.text:
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain for {until!r}: {self.text!r}"
            if select.select([self._master], [], [], left)[0]:
                try:
                    self.text += os.read(self._master, 65536).decode().replace("\r\n", "\n")
                except OSError:  # EIO: the other end is closed
                    break
        return self.text

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    made: list[Terminal] = []
    yield made
    for terminal in made:
        terminal.close()


@pytest.fixture(scope="module")
def stack() -> Iterator[SmolctlEnv]:
    env = SmolctlEnv()
    try:
        env("-q", "stack", "start", check=True)
        yield env
    finally:
        env.close()


@pytest.fixture
def stopped(stack: SmolctlEnv) -> Iterator[Callable[[int], None]]:
    """Stop the daemon; return what sends it a signal; it goes on after the test at the latest."""
    daemon = stack.json("stack", "status")[0]["pid"]
    os.kill(daemon, signal.SIGSTOP)
    yield lambda number: os.kill(daemon, number)
    os.kill(daemon, signal.SIGCONT)


@pytest.mark.parametrize(
    ("args", "variables", "colored"),
    [
        (("-br", "addr"), {}, True),
        (("-br", "addr"), {"NO_COLOR": "1"}, False),
        (("-br", "addr"), {"TERM": "dumb"}, False),
        (("-br", "addr", "--color=never"), {}, False),
        (("-j", "addr"), {}, False),
    ],
)
def test_colors(
    stack: SmolctlEnv,
    terminals: list[Terminal],
    args: tuple[str, ...],
    variables: dict[str, str],
    colored: bool,
) -> None:
    terminals.append(Terminal(stack, *args, **variables))
    assert ("\x1b[36mlo\x1b[0m" in terminals[0].read()) is colored


def test_a_person_is_told_what_is_waited_for(
    stack: SmolctlEnv, stopped: Callable[[int], None], terminals: list[Terminal]
) -> None:
    terminals.append(Terminal(stack, "-br", "addr", "--color=never"))
    assert terminals[0].read('"default"\n') == 'waiting: stack "default"\n'
    stopped(signal.SIGCONT)
    assert terminals[0].read().splitlines()[1:] == [
        "lo               UNKNOWN        127.0.0.1/8 ::1/128"
    ]


@pytest.mark.usefixtures("stopped")
def test_interrupted_while_waiting(stack: SmolctlEnv, terminals: list[Terminal]) -> None:
    terminals.append(Terminal(stack, "addr"))
    terminals[0].read("waiting: ")
    terminals[0].process.send_signal(signal.SIGINT)
    assert terminals[0].process.wait(10) == -signal.SIGINT  # 130 to a shell
    assert terminals[0].read() == 'waiting: stack "default"\n'


def test_long_runs_of_labs_tell_how_far_they_are(
    stack: SmolctlEnv, terminals: list[Terminal], tmp_path: Path
) -> None:
    long = tmp_path / "long.toml"
    long.write_text(
        "title = 'an hour'\nuntil = '1h'\n[nodes.a]\n"
        "[[steps]]\nat = 0\nnode = 'a'\nrun = 'ping -i 0.01 127.0.0.1'\n"
    )
    for words, told in (
        ((str(long),), " of 3600 s of virtual time"),
        (("arp-first-datagram", str(long)), "1 of 2 scenarios, and "),
    ):
        terminals.append(Terminal(stack, "lab", "run", *words))
        terminals[-1].read(told)
        terminals[-1].process.send_signal(signal.SIGINT)
        assert terminals[-1].process.wait(10) == -signal.SIGINT


@pytest.mark.parametrize("variables", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_a_screen_is_one_write(smolctl_env: SmolctlEnv, variables: dict[str, str]) -> None:
    smolctl_env("-q", "batch", "-", input="link add c0 type cable name x\nlink add c1 type cable\n")
    read, write = os.pipe2(os.O_DIRECT)  # one read returns what one write wrote
    result = subprocess.run(
        [sys.executable, "-m", "smolctl", "link", "show"],
        env={**smolctl_env.environ, **variables},
        stdout=write,
        check=False,
    )
    os.close(write)
    text = os.read(read, 1 << 16).decode()
    rest = os.read(read, 1 << 16)
    os.close(read)
    assert result.returncode == 0
    assert text.count("link/") == 2
    assert rest == b""
