"""The wheel in an environment of its own: it runs, is found, and goes without a trace."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smolctl import __version__
from tests.kit.process import run
from tests.kit.stack_env import SmolctlEnv
from tests.packaging.kit import Built, Installed, built

__all__ = ["built"]


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed") / "env", built.wheel)


class InstalledEnv(SmolctlEnv):
    """The installed command, first on PATH."""

    def __init__(self, installed: Installed) -> None:
        super().__init__()
        self.runs = [str(installed.bin / "smolctl")]
        self.environ["PATH"] = f"{installed.bin}:{self.environ['PATH']}"

    # The interpreter that other tests fork is not the one that is installed.
    __call__ = SmolctlEnv.cold

    def _argv(self, args: tuple[str, ...]) -> list[str]:
        return [*self.runs, *args]


@pytest.fixture
def smolctl(installed: Installed) -> Iterator[InstalledEnv]:
    env = InstalledEnv(installed)
    yield env
    env.close()


def test_both_ways_to_call_it(smolctl: InstalledEnv, installed: Installed) -> None:
    assert smolctl("--version").stdout == f"smolctl {__version__}\n"
    # -P: the tests are run where the source is, which "-m" would find first.
    smolctl.runs = [str(installed.bin / "python"), "-P", "-m", "smolctl"]
    assert smolctl("--version").stdout == f"smolctl {__version__}\n"


def test_it_is_this_one_that_runs_and_no_other(installed: Installed) -> None:
    where = "import smolctl; print(smolctl.__file__)"
    said = run([str(installed.bin / "python"), "-P", "-c", where], check=True).stdout
    assert said.strip() == str(installed.site / "smolctl/__init__.py")


def test_a_stack_of_it(smolctl: InstalledEnv, installed: Installed) -> None:
    smolctl("stack", "start", check=True)
    assert smolctl("ping", "-c", "1", "127.0.0.1").returncode == 0
    (pid,) = (row["pid"] for row in smolctl.json("stack", "status"))
    python = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    assert python == str(installed.bin / "python")
    smolctl("stack", "stop", check=True)


def test_the_doctor_finds_all(smolctl: InstalledEnv, installed: Installed) -> None:
    rows = {
        row["check"]: row for row in smolctl.json("doctor", "command", "manual", "dependencies")
    }
    assert {name: row["status"] for name, row in rows.items()} == dict.fromkeys(rows, "ok")
    assert rows["command"]["detail"] == str(installed.bin / "smolctl")
    assert rows["manual"]["detail"] == str(installed.prefix / "share/man/man8/smolctl.8")


@pytest.mark.skipif(shutil.which("man") is None, reason="there is no man here")
def test_man_finds_the_pages(smolctl: InstalledEnv, installed: Installed) -> None:
    for page, section in (("smolctl", 8), ("smolctl-doctor", 8), ("smolctl-reasons", 7)):
        said = run(["man", "-w", page], env=smolctl.environ)
        assert said.stdout.strip() == str(
            installed.prefix / f"share/man/man{section}/{page}.{section}"
        )


def test_bash_reads_the_completion(smolctl: InstalledEnv, installed: Installed) -> None:
    file = installed.prefix / "share/bash-completion/completions/smolctl"
    line = f"source {file}; complete -p smolctl"
    said = run(["bash", "--norc", "-c", line], env=smolctl.environ, check=True)
    assert said.stdout.strip().endswith(" smolctl")


def test_modules_of_the_callers_directory_do_not_disturb(
    smolctl: InstalledEnv, tmp_path: Path
) -> None:
    (tmp_path / "click.py").write_text("raise SystemExit('not this one')\n")
    said = run(["sh", "-c", f"cd {tmp_path} && smolctl --version"], env=smolctl.environ)
    assert said.stdout == f"smolctl {__version__}\n"


def test_uninstalling_leaves_nothing(installed: Installed, tmp_path: Path) -> None:
    fresh = installed.copied(tmp_path / "env")
    run(
        [str(fresh.bin / "python"), "-P", "-c", "import smolctl.errors"], check=True
    )  # byte code, too
    assert len(fresh.files() - fresh.before) > 200
    fresh.pip("uninstall", "--yes", "smolctl")
    assert fresh.files() == fresh.before
    assert not list(fresh.prefix.rglob("*smolctl*"))


def test_the_editable_install_has_manual_and_completion_as_well() -> None:
    """``make venv`` made the environment that the tests run in."""
    prefix = Path(sys.prefix)
    if not (prefix / "bin/smolctl").exists():
        pytest.skip("smolctl is not installed where the tests run")
    assert (prefix / "share/man/man8/smolctl.8").is_file()
    assert os.access(prefix / "share/bash-completion/completions/smolctl", os.R_OK)
