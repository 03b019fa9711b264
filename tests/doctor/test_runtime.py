"""The runtime directory as it may be, and what daemons leave in it."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smolctl import __version__
from smolctl.control import paths
from smolctl.doctor import runtime
from tests.doctor.kit import check
from tests.kit.home import Home, home
from tests.kit.process import Background, wait_until

__all__ = ["home"]

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch, home: Home) -> Path:
    """Return XDG_RUNTIME_DIR; smolctl's directory in it is not there yet."""
    return home.env.directory


def run_fix(fix: str) -> None:
    """Run a fix as it is printed."""
    subprocess.run(["sh", "-euc", fix], check=True)


# --- the directory --------------------------------------------------------------------------------


def test_it_will_be_made_where_it_can_be(base: Path) -> None:
    seen = check(runtime.directory)
    assert (seen.status, seen.detail) == ("ok", f"{base}/smolctl will be created")
    assert list(base.iterdir()) == []


def test_it_is_there(base: Path) -> None:
    (base / "smolctl").mkdir(mode=0o700)
    seen = check(runtime.directory)
    assert (seen.status, seen.detail) == ("ok", f"{base}/smolctl")
    assert f"{base}/smolctl: user {os.geteuid()}, mode 0700" in seen.looked


def make_open(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def make_file(path: Path) -> None:
    path.touch()


def make_link(path: Path) -> None:
    path.symlink_to("/tmp")


def make_dangling(path: Path) -> None:
    path.symlink_to("/nowhere")


@pytest.mark.parametrize("make", [make_open, make_file, make_link, make_dangling])
def test_what_is_not_safe_fails_and_the_fix_helps(base: Path, make: object) -> None:
    assert callable(make)
    make(base / "smolctl")
    seen = check(runtime.directory)
    assert seen.status == "fail"
    assert str(base / "smolctl") in seen.detail
    run_fix(seen.fix)
    assert check(runtime.directory).status == "ok"


@root_only
def test_somebody_elses(base: Path) -> None:
    (base / "smolctl").mkdir(mode=0o700)
    os.chown(base / "smolctl", 12345, 12345)
    seen = check(runtime.directory)
    assert (seen.status, seen.fix) == ("fail", "unset XDG_RUNTIME_DIR")
    assert "belongs to user 12345" in seen.detail


def test_a_variable_that_leads_nowhere(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base / "a b" / "c"))
    seen = check(runtime.directory)
    assert (seen.status, seen.detail) == ("fail", f"{base}/a b/c is not there")
    run_fix(seen.fix)
    assert check(runtime.directory).status == "ok"


def test_a_variable_that_leads_where_nothing_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/dev/null/nowhere")
    seen = check(runtime.directory)
    assert (seen.status, seen.fix) == ("fail", "unset XDG_RUNTIME_DIR")


def test_a_file_in_the_way(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (base / "file").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base / "file"))
    seen = check(runtime.directory)
    assert (seen.status, seen.fix) == ("fail", "unset XDG_RUNTIME_DIR")


def test_a_read_only_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc/self")  # nobody makes a directory there
    assert check(runtime.directory).status == "fail"


@pytest.mark.parametrize("value", ["run", "./run", "~"])
def test_a_relative_variable_is_not_used(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    seen = check(runtime.directory)
    assert (seen.status, seen.fix) == ("warn", "unset XDG_RUNTIME_DIR")
    assert f'XDG_RUNTIME_DIR="{value}" is not absolute' in seen.detail


# --- how long paths are ---------------------------------------------------------------------------


def longer(base: Path, length: int) -> str:
    """Return an XDG_RUNTIME_DIR such that the runtime directory has that many bytes."""
    return str(base).ljust(length - len("/smolctl"), "x")


@pytest.mark.parametrize(
    ("length", "stack", "status"),
    [
        # 107 bytes are DIR, 8 of "/cables/", 32 of a name and 15 of "/4194304-abcdef".
        (52, "default", "ok"),
        (53, "default", "note"),
        (83, "default", "note"),
        (84, "default", "warn"),
        # 107 bytes are DIR, 6 of "/.sock" and the stack's name.
        (94, "default", "warn"),
        (95, "default", "fail"),
        (90, "a" * 11, "warn"),
        (90, "a" * 12, "fail"),
        (120, "default", "fail"),
    ],
)
def test_what_still_fits(
    base: Path, monkeypatch: pytest.MonkeyPatch, length: int, stack: str, status: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", longer(base, length))
    seen = check(runtime.socket_path, stack=stack)
    assert (seen.status, bool(seen.fix)) == (status, status != "ok")
    # The stack's own word.
    if status == "fail":
        with pytest.raises(Exception, match="longer than the 107 bytes"):
            paths.stack_paths(stack)
    else:
        paths.stack_paths(stack)


# --- daemons and what they left -------------------------------------------------------------------


def test_nothing_is_left_where_nothing_ever_was(base: Path) -> None:
    assert check(runtime.leftovers)[:2] == ("ok", "none")
    assert check(runtime.daemons)[:2] == ("ok", "no stack runs")


def test_a_live_daemon_leaves_nothing(home: Home) -> None:
    home.connect()
    assert check(runtime.leftovers)[:2] == ("ok", "none")
    assert check(runtime.daemons)[:2] == ("ok", "running: default")


def killed(home: Home, name: str = "default") -> None:
    """Start a stack with an end of a cable, and kill it."""
    with home.connect(name) as client:
        client.call("link.add", name="eth0", type="cable", cable="c1")
        pid = client.pid
    os.kill(pid, signal.SIGKILL)
    lock = home.env.directory / "smolctl" / f"{name}.lock"
    wait_until(lambda: is_free(lock), "the end of the daemon")


def is_free(lock: Path) -> bool:
    """Tell whether nobody holds a lock: a process that is killed lets go of its files last."""
    with lock.open() as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_what_a_killed_daemon_left_is_found_and_the_fix_removes_it(home: Home, base: Path) -> None:
    home.connect("alive").call("link.add", name="eth0", type="cable", cable="c2")
    killed(home)
    seen = check(runtime.leftovers)
    assert seen.status == "note"
    assert seen.detail == 'stack "default": lock, log, sock; cable "c1" without ends'
    run_fix(seen.fix)
    assert check(runtime.leftovers)[:2] == ("ok", "none")
    assert check(runtime.daemons).detail == "running: alive"
    left = {str(path.relative_to(base / "smolctl")) for path in base.glob("smolctl/*")}
    assert left == {"alive.sock", "alive.lock", "alive.log", "cables"}
    assert [path.name for path in base.glob("smolctl/cables/*")] == ["c2"]


def test_when_all_are_dead_the_directory_goes(home: Home, base: Path) -> None:
    killed(home)
    seen = check(runtime.leftovers)
    assert seen.fix == f"rm -r {base}/smolctl"
    run_fix(seen.fix)
    assert list(base.iterdir()) == []


def test_what_is_not_ours_stays(home: Home, base: Path) -> None:
    killed(home)
    (base / "smolctl" / "notes.txt").touch()
    run_fix(check(runtime.leftovers).fix)
    assert {path.name for path in base.glob("smolctl/*")} == {"notes.txt", "cables"}


def test_a_stopped_daemon_leaves_its_log(home: Home) -> None:
    home.env("-n", "a b".replace(" ", "-"), "stack", "start", check=True)
    home.env("-n", "a-b", "stack", "stop", check=True)
    assert check(runtime.leftovers).detail == 'stack "a-b": log'


def test_nobody_is_plugged_in_to_find_out(home: Home) -> None:
    client = home.connect()
    client.call("link.add", name="eth0", type="cable", cable="c1")
    check(runtime.leftovers)
    assert "has 2 ends" not in home.log()
    assert home.env.json("link", "show", "eth0")[0]["operstate"] != "UP"


OTHERS = {
    "smolctl.__version__ = '0.0.1'": f'stack "old" runs smolctl 0.0.1, and this is {__version__}',
    "messages.PROTOCOL = 2": 'stack "old": the client speaks control protocol 1, the daemon 2',
}
"""Causes that make a daemon one of another version, and the finding about it."""


@pytest.fixture(params=OTHERS)
def older(home: Home, request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a daemon of another version; return what is to be said of it."""
    program = (
        "import smolctl\n"
        "from smolctl.control import messages\n"
        f"{request.param}\n"
        "from smolctl.daemon.__main__ import main\n"
        "main(['--name', 'old'])\n"
    )
    background = Background([sys.executable, "-c", program], env=home.env.environ)
    background.wait_for("started")
    yield OTHERS[request.param]
    background.close()


def test_a_daemon_of_another_version_is_told_and_the_fix_stops_it(home: Home, older: str) -> None:
    seen = check(runtime.daemons)
    assert seen.status == "warn"
    assert seen.detail == older
    assert seen.fix == "smolctl -n old stack stop"
    home.env(*seen.fix.split()[1:], check=True)
    assert check(runtime.daemons).detail == "no stack runs"


def test_a_daemon_that_does_not_answer(home: Home) -> None:
    with home.connect() as client:
        pid = client.pid
    os.kill(pid, signal.SIGSTOP)
    seen = check(runtime.daemons)
    assert (seen.status, seen.fix) == ("warn", f"kill -9 {pid}")
    assert check(runtime.leftovers)[:2] == ("ok", "none")


def test_a_directory_that_is_not_safe_is_left_alone(base: Path) -> None:
    make_open(base / "smolctl")
    (base / "smolctl" / "x.sock").touch()
    assert check(runtime.leftovers)[:2] == ("ok", "none")
    assert check(runtime.daemons)[:2] == ("ok", "no stack runs")
    shutil.rmtree(base / "smolctl")
