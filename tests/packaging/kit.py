"""The source distribution and the wheel, built once a test run, and an installed smolctl."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.kit.once import once

ROOT = Path(__file__).parents[2]
NOT_SOURCE = (
    ".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist",
    "results.json",
)  # fmt: skip


class Built(NamedTuple):
    """Paths of what was built.

    Attributes:
        copy: of the project, as somebody has it who made nothing with it yet.
        sdist: the archive that was built of it.
        unpacked: what is in it.
        wheel: built of that, as an installer does.
    """

    copy: Path
    sdist: Path
    unpacked: Path
    wheel: Path


def run(*argv: str | Path, cwd: Path | None = None) -> str:
    """Run a command that must succeed, without a network; return what it wrote."""
    environ = {**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    ended = subprocess.run(
        [str(word) for word in argv], cwd=cwd, env=environ, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def build(folder: Path) -> Built:
    """Build both below a folder that is empty."""
    copy = folder / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_SOURCE), symlinks=True)
    backend = f"import setuptools.build_meta as b; b.build_sdist({str(folder)!r})"
    run(sys.executable, "-c", backend, cwd=copy)
    (sdist,) = folder.glob("*.tar.gz")
    run("tar", "-xf", sdist, "-C", folder)  # tarfile's safe filter came with 3.11.4
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    offline = ("--no-build-isolation", "--no-deps", "--no-index")
    run(sys.executable, "-m", "pip", "wheel", "-q", *offline, "-w", folder, unpacked)
    (wheel,) = folder.glob("*.whl")
    return Built(copy, sdist, unpacked, wheel)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build once, whichever worker comes first."""

    def make(folder: Path) -> list[str]:
        return [str(path) for path in build(folder)]

    return Built(*map(Path, once(tmp_path_factory, "built", make)))


class Installed:
    """A Python environment that has the wheel, and finds the packages it needs in ours."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self._at(folder)
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        self.site = Path(
            run(self.bin / "python", "-c", "import site; print(site.getsitepackages()[0])").strip()
        )
        self.before = self.files()
        self.pip("install", "--no-index", "--no-deps", str(wheel))
        # Behind its own: an editable smolctl there is named by a hook alone, which is not followed.
        (self.site / "needs.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")

    def _at(self, folder: Path) -> None:
        self.prefix, self.bin = folder, folder / "bin"

    def copied(self, folder: Path) -> "Installed":
        """Return the same in another place, without what it needs of ours."""
        shutil.copytree(self.prefix, folder, symlinks=True)
        other = Installed.__new__(Installed)
        other._at(folder)
        other.before = self.before
        other.site = folder / self.site.relative_to(self.prefix)
        (other.site / "needs.pth").unlink()
        return other

    def pip(self, *words: str) -> None:
        """Run our pip on that environment."""
        run(sys.executable, "-m", "pip", "-q", "--python", self.bin / "python", *words)

    def files(self) -> set[str]:
        """Return all files below the prefix, byte code aside."""
        return {
            str(path.relative_to(self.prefix))
            for path in self.prefix.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
