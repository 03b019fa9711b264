"""The demo cut off: nothing is left of it, whoever ends it and whenever."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

ROOT = Path(__file__).parents[2]
DEMO = str(ROOT / "scripts" / "demo")


@pytest.fixture
def demo(smolctl_env: SmolctlEnv) -> SmolctlEnv:
    """Have the demo make its temporary folder where we see it."""
    smolctl_env.environ["TMPDIR"] = str(smolctl_env.directory)
    return smolctl_env


def left(env: SmolctlEnv) -> list[str]:
    """Return the demo's folder, if it is there, and the processes that use it."""
    found = [path.name for path in env.directory.glob("tmp.*")]
    folder = f"XDG_RUNTIME_DIR={env.directory}/tmp.".encode()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or it is another user's
            if folder in (path / "environ").read_bytes():
                found.append((path / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.parametrize("lines", [0, 3, 4, 20], ids="{} lines".format)
def test_a_reader_that_has_seen_enough(demo: SmolctlEnv, lines: int) -> None:
    ended = demo.shell(f"{DEMO} | head -n {lines}").wait(60)
    assert (ended.stdout.count("\n"), ended.stderr) == (lines, "")
    wait_until(lambda: not left(demo), lambda: f"the end of {left(demo)}", 30)


@pytest.mark.parametrize("text", ["smolctl stack start", "started stack", "udp recv"])
def test_a_terminal_that_is_closed(demo: SmolctlEnv, text: str) -> None:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", DEMO], env=demo.environ, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = b""
    while text.encode() not in said:
        said += os.read(ours, 4096)
    os.close(ours)  # the kernel sends SIGHUP to all that have it as their terminal
    # SIGHUP ends it, or before that the error of a command that can no longer write.
    assert process.wait(30) in (129, 1)
    wait_until(lambda: not left(demo), lambda: f"the end of {left(demo)}", 30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_stack_starts(demo: SmolctlEnv, number: signal.Signals) -> None:
    running = demo.shell(f"exec {DEMO}")
    running.wait_for("stack start")
    assert running.stop(number, 30).returncode == 128 + number
    wait_until(lambda: not left(demo), lambda: f"the end of {left(demo)}", 30)


def test_it_needs_no_package_that_smolctl_does_not(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.txt", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    # An environment of its own: the tests may run below a make that has options.
    ran = subprocess.run(
        ["make", "-n", "demo"], cwd=tmp_path, env={"PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    steps = [line for line in ran.splitlines() if not line.startswith("#")]
    assert steps == ["scripts/make-venv run", "touch .venv/.run", steps[-1]]
    assert steps[-1].startswith("scripts/demo ")
