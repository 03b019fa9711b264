"""Installed packages, and the environment."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from smolctl.doctor import CHECKS, Machine, examine, extras, installed
from smolctl.doctor.completion import completion
from smolctl.doctor.finding import Finding, Status
from tests.doctor.kit import check

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let nothing of this user's be found."""
    for name in [*os.environ]:
        if name.startswith(("SMOLCTL_", "XDG_", "MANPATH")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def executable(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


# --- Python and packages --------------------------------------------------------------------------


def test_what_is_needed_is_what_the_project_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [need.range(name) for name, need in installed.NEEDS.items()]
    assert needed == project["dependencies"]
    oldest = ".".join(map(str, installed.OLDEST_PYTHON))
    assert project["requires-python"] == f">={oldest}"


def test_this_machine_has_them() -> None:
    seen = check(installed.dependencies)
    assert (seen.status, seen.fix) == ("ok", "")
    assert all(name in seen.detail for name in installed.NEEDS)


@pytest.mark.parametrize(
    ("name", "oldest", "how_bad", "says"),
    [
        ("no-such-package", "1", Status.WARN, "no-such-package is not installed: it is a test"),
        ("no-such-package", "1", Status.FAIL, "no-such-package is not installed: it is a test"),
        ("click", "999", Status.FAIL, "is older than 999: it is a test"),
    ],
)
def test_a_package_that_will_not_do(name: str, oldest: str, how_bad: Status, says: str) -> None:
    needs = {**installed.NEEDS, name: installed.Need(oldest, "it is a test", how_bad)}
    found = installed.dependencies(Machine("default"), list[str]().append, needs)
    assert found.status is how_bad
    assert says in found.detail
    assert found.fix == f'{sys.executable} -m pip install "{name}>={oldest}"'


def test_a_package_that_is_too_new() -> None:
    needs = {"click": installed.Need("8", "it is a test", Status.FAIL, before="8.1")}
    found = installed.dependencies(Machine("default"), list[str]().append, needs)
    assert found.status is Status.FAIL
    assert "is too new: smolctl needs one before 8.1: it is a test" in found.detail
    assert found.fix == f'{sys.executable} -m pip install "click>=8,<8.1"'


def test_versions_are_compared_as_numbers() -> None:
    assert installed._numbers("8.10.0rc1") > installed._numbers("8.9")


def test_an_old_python() -> None:
    found = installed.python(Machine("default"), list[str]().append, (3, 10, 4))
    assert (found.status, found.detail) == (Status.FAIL, "Python 3.10.4 is older than 3.11")


def test_the_command_on_path(tmp_path: Path) -> None:
    assert check(installed.command).status == "note"
    executable(tmp_path / "bin/smolctl")
    assert check(installed.command)[:2] == ("ok", str(tmp_path / "bin/smolctl"))


# --- variables ------------------------------------------------------------------------------------


def test_no_variables() -> None:
    assert check(extras.environment)[:2] == ("ok", "no SMOLCTL_ variable is set")


def test_variables_that_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOLCTL_STACK", "lab")
    monkeypatch.setenv("SMOLCTL_NEIGH_UNRES_QLEN", "3")
    assert check(extras.environment)[:2] == ("ok", "SMOLCTL_NEIGH_UNRES_QLEN, SMOLCTL_STACK")


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"SMOLCTL_STAKC": "x"}, 'no setting has that name (did you mean "SMOLCTL_STACK"?)'),
        ({"SMOLCTL_XYZZY": "x"}, "no setting has that name"),
        ({"SMOLCTL_STACK": "a/b"}, '"a/b" is not a stack name'),
        ({"SMOLCTL_IP_DEFAULT_TTL": "999"}, '"999" is not a whole number from 1 to 255'),
        ({"SMOLCTL_XYZZY": "x", "SMOLCTL_IP_DEFAULT_TTL": "y"}, '"y" is not'),
        ({"SMOLCTL_IP_LOCAL_PORT_FIRST": "50000", "SMOLCTL_IP_LOCAL_PORT_LAST": "40000"}, "empty"),
    ],
)
def test_variables_that_are_wrong(
    variables: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOLCTL_DEBUG", "1")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    seen = check(extras.environment)
    assert (seen.status, seen.fix) == ("fail", f"unset {' '.join(sorted(variables))}")
    assert says in seen.detail
    for name in seen.fix.split()[1:]:
        monkeypatch.delenv(name)
    assert check(extras.environment).status == "ok"


# --- tools, manual, completion --------------------------------------------------------------------


def test_tools_and_the_package_manager_that_brings_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "_SBIN", "")
    seen = check(extras.tools)
    assert (seen.status, seen.fix) == ("note", "")
    assert [name for name in ("ip", "tcpdump", "man") if f"no {name} (" in seen.detail] == [
        "ip", "tcpdump", "man",
    ]  # fmt: skip
    executable(tmp_path / "bin/dnf")
    executable(tmp_path / "bin/man")
    seen = check(extras.tools)
    assert seen.fix.removeprefix("sudo ") == "dnf install iproute tcpdump"
    for name in ("ip", "tcpdump"):
        executable(tmp_path / "bin" / name)
    assert check(extras.tools)[:2] == ("ok", "ip, tcpdump, man")


@pytest.mark.parametrize("name", ["smolctl.8", "smolctl.8.gz"])
@pytest.mark.parametrize("way", ["PATH", "MANPATH", "usr"])
def test_the_manual(tmp_path: Path, name: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(tmp_path / "root")
    assert check(extras.manual, root=root).status == "note"
    folder = tmp_path / ("root/usr/share" if way == "usr" else "share") / "man"
    (folder / "man8").mkdir(parents=True)
    (folder / "man8" / name).touch()
    if way == "MANPATH":
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setenv("MANPATH", str(folder))
    seen = check(extras.manual, root=root)
    assert (seen.status, seen.detail) == ("ok", str(folder / "man8" / name))


def test_a_manual_path_that_is_given_is_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "share/man/man8").mkdir(parents=True)
    (tmp_path / "share/man/man8/smolctl.8").touch()
    for given, status in (("/nowhere", "note"), ("/nowhere:", "ok"), (":/nowhere", "ok")):
        monkeypatch.setenv("MANPATH", given)
        assert check(extras.manual, root="/nowhere").status == status


def loader(root: Path, version: str) -> None:
    """Install bash-completion."""
    (root / "usr/share/bash-completion").mkdir(parents=True)
    text = f"BASH_COMPLETION_VERSINFO=({version.replace('.', ' ')} 0)\n"
    (root / "usr/share/bash-completion/bash_completion").write_text(text)


@pytest.mark.parametrize("shell", ["bash", "bash alone", "zsh", "fish"])
def test_completion_is_found_after_its_fix(
    tmp_path: Path, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shell == "bash":
        loader(tmp_path / "root", "2.11")
    (tmp_path / "home").mkdir()
    shell = shell.removesuffix(" alone")
    monkeypatch.setenv("SHELL", f"/bin/{shell}")
    root = str(tmp_path / "root")
    seen = check(completion, root=root)
    assert seen.status == "note"
    environ = {"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    subprocess.run(["sh", "-euc", seen.fix], env=environ, check=True)
    seen = check(completion, root=root)
    assert seen.status == "ok"
    assert Path(seen.detail.removeprefix(f"{shell}: ").partition(",")[0]).is_file()


@pytest.mark.parametrize(("version", "status"), [("2.11", "note"), ("2.12", "ok"), ("3.0", "ok")])
def test_bash_completion_looks_beside_path_since_2_12(
    tmp_path: Path, version: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", "/bin/bash")
    loader(tmp_path, version)
    executable(tmp_path / "bin/smolctl")
    (tmp_path / "share/bash-completion/completions").mkdir(parents=True)
    (tmp_path / "share/bash-completion/completions/smolctl").touch()
    assert check(completion, root=str(tmp_path)).status == status


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", "usr/share/bash-completion/completions/smolctl"),
        ("zsh", "usr/local/share/zsh/site-functions/_smolctl"),
        ("zsh", "usr/share/zsh/vendor-completions/_smolctl"),
        ("fish", "usr/share/fish/vendor_completions.d/smolctl.fish"),
    ],
)
def test_completion_of_the_system(
    tmp_path: Path, shell: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", f"/bin/{shell}")
    if shell == "bash":
        loader(tmp_path, "2.8")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    assert check(completion, root=str(tmp_path))[:2] == ("ok", f"{shell}: {tmp_path / file}")


@pytest.mark.parametrize("shell", ["", "/bin/dash"])
def test_a_shell_without_completion(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", shell)
    assert check(completion).status == "ok"


# --- all of them ----------------------------------------------------------------------------------


def test_nothing_is_raised_on_an_empty_machine(tmp_path: Path) -> None:
    for row in examine(Machine("default", str(tmp_path))):
        assert "cannot be checked" not in row["detail"], row


def test_a_check_that_fails_itself_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(_machine: Machine, look: object) -> Finding:
        raise RuntimeError("a machine\nthat nobody thought of")

    monkeypatch.setitem(CHECKS, "python", (odd, "odd"))
    (row,) = examine(Machine("default"), ("python",))
    assert (row["status"], row["looked"]) == ("warn", [])
    assert row["detail"] == "cannot be checked: RuntimeError: a machine that nobody thought of"
