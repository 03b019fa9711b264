"""The command around the checks: rows, summary, exit status; no stack is asked or started."""

import json
import os
import sys
from pathlib import Path

import pytest

from smolctl.cli.main import run
from smolctl.doctor import CHECKS
from tests.cli.kit import output
from tests.kit import process
from tests.kit.stack_env import SmolctlEnv

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in [name for name in os.environ if name.startswith("SMOLCTL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_a_line_for_each_check_and_a_summary(capsys: Capture, nowhere: Path) -> None:
    assert run(["--no-start", "doctor"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    *lines, last = captured.out.splitlines()
    rows = [line.split(maxsplit=2) for line in lines if not line.startswith("      fix: ")]
    assert [row[1] for row in rows] == list(CHECKS)
    count = sum(row[0] == "ok" for row in rows)
    assert f"({count} ok" in last
    assert list(nowhere.iterdir()) == []


def test_json_has_the_same(capsys: Capture) -> None:
    assert run(["doctor"]) == 0
    text = capsys.readouterr().out
    assert run(["-j", "doctor"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["check"] for row in rows] == list(CHECKS)
    for row in rows:
        # What is free on a disk may change in between.
        assert f"{row['status']:4}  {row['check']:17}  {row['detail']}\n" in text
        assert f"fix: {row['fix']}\n" in text if "fix" in row else True
        assert "" not in row["looked"]


def test_some_checks_with_what_they_looked_at(capsys: Capture, nowhere: Path) -> None:
    assert run(["doctor", "runtime-directory", "python", "python", "-v"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"ok    runtime-directory  {nowhere}/smolctl will be created"
    assert lines[1] == f"      looked: XDG_RUNTIME_DIR is {nowhere}"
    assert lines[-1] == "all is well (2 ok)"
    assert [line for line in lines if line.startswith("ok")][1].split()[1] == "python"


def test_a_failure_is_status_1(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOLCTL_XYZZY", "1")
    assert run(["doctor", "environment", "python"]) == 1
    text = capsys.readouterr().out
    assert text.startswith("fail  environment  ")
    assert "\n      fix: unset SMOLCTL_XYZZY\n" in text
    assert text.endswith("\nno stack can run until the failures are fixed (1 ok, 1 failure)\n")
    assert run(["-j", "doctor", "environment"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["fix"] == "unset SMOLCTL_XYZZY"


def test_what_fails_there_fails_at_the_start(smolctl_env: SmolctlEnv) -> None:
    """And a start that fails without advice of its own leads there."""
    smolctl_env.environ["SMOLCTL_XYZZY"] = "1"
    assert smolctl_env("doctor", "environment").returncode == 1
    assert smolctl_env("stack", "start").returncode == 3
    del smolctl_env.environ["SMOLCTL_XYZZY"]
    assert smolctl_env("doctor", "environment").returncode == 0
    smolctl_env("stack", "start", check=True)


def test_a_warning_is_not(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "relative")
    assert run(["doctor", "runtime-directory"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("warn  runtime-directory")
    assert text.endswith(
        "stacks run here; the warnings show what does not work (0 ok, 1 warning)\n"
    )


def test_the_stack_that_is_meant(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp/" + "x" * 80)  # room for a short name alone
    assert run(["doctor", "socket-path"]) == 0
    assert run(["-n", "a-stack-of-a-long-name", "doctor", "socket-path"]) == 1
    assert "a-stack-of-a-long-name.sock is longer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "hint"), [("tunn", "smolctl doctor tun"), ("xyzzy", "smolctl doctor")]
)
def test_a_check_that_is_not_there(word: str, hint: str, capsys: Capture) -> None:
    assert run(["doctor", "python", word]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f'smolctl: there is no check "{word}"; try: {hint}\n'


def test_colours(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["--color=always", "doctor", "python"]) == 0
    assert capsys.readouterr().out.startswith("\x1b[32mok\x1b[0m    python  ")
    assert output(color="never").paint("up", "ok") == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up what others never had")
def test_root_without_capabilities(nowhere: Path) -> None:
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]
    argv = [*drop, sys.executable, "-m", "smolctl", "-j", "doctor"]
    ended = process.run(argv, env={**os.environ, "XDG_RUNTIME_DIR": str(nowhere)})
    assert (ended.returncode, ended.stderr) == (0, "")
    status = {row["check"]: row["status"] for row in json.loads(ended.stdout)}
    assert (status["capabilities"], status["tap"], status["packet"]) == ("note", "warn", "warn")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount something over /proc")
def test_without_proc_sys_tun_and_anything_to_write_to() -> None:
    hide = [f"mount -t tmpfs {mode} none {path}" for path, mode in
            (("/proc", ""), ("/sys", ""), ("/dev/net", ""), ("/run", "-o ro"))]  # fmt: skip
    program = f"{'; '.join(hide)}; exec env -i {sys.executable} -m smolctl -j doctor"
    ended = process.run(["unshare", "--mount", "sh", "-euc", program])
    assert (ended.returncode, ended.stderr) == (1, "")
    rows = {row["check"]: row for row in json.loads(ended.stdout)}
    assert [name for name in rows if rows[name]["status"] == "fail"] == ["runtime-directory"]
    assert rows["runtime-directory"]["detail"] == "/run is not writable"
    assert "modprobe tun" in rows["tun"]["fix"] or "--device" in rows["tun"]["fix"]
    assert not [row for row in rows.values() if "cannot be checked" in row["detail"]]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
@pytest.mark.parametrize(
    ("size", "inodes", "files", "status", "says"),
    [
        ("64k", 0, 64, 1, ("fail", "the file system of /run is full: no stack can start")),
        ("256k", 0, 128, 0, ("warn", "has 128 KiB left, too little for logs")),
        ("4m", 2, 0, 1, ("fail", "has no room for another file: no stack can start")),
        ("4m", 0, 0, 0, ("ok", "/run/smolctl will be created")),
    ],
)
def test_a_file_system_that_is_full(
    size: str, inodes: int, files: int, status: int, says: tuple[str, str]
) -> None:
    program = (
        f"mount -t tmpfs -o size={size},nr_inodes={inodes or 100} none /run; : > /run/fill;"
        f" head -c {files << 10} /dev/zero > /run/fill;"
        f" exec env -i {sys.executable} -m smolctl -j doctor runtime-directory"
    )
    ended = process.run(["unshare", "--mount", "sh", "-euc", program])
    (row,) = json.loads(ended.stdout)
    assert (ended.returncode, ended.stderr, row["status"]) == (status, "", says[0])
    assert says[1] in row["detail"]
