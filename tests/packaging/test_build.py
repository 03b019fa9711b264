"""The contents of the source distribution and of the wheel."""

import ast
import fnmatch
import re
import sys
import tarfile
import tomllib
import zipfile
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement

from smolctl import __version__
from tests.kit.syntax import statements
from tests.packaging.kit import ROOT, Built, built, run

__all__ = ["built"]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DATA = f"smolctl-{__version__}.data/data/"
NOT_IN_SDIST = {".gitignore", ".ci/run"}


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_source_distribution_has_all_of_the_project(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        top = f"smolctl-{__version__}/"
        inside = {name.removeprefix(top) for name in archive.getnames() if name.startswith(top)}
    missing = below(built.copy) - inside
    assert {name for name in missing if "egg-info" not in name} == NOT_IN_SDIST
    assert not [name for name in inside if name.endswith((".pyc", ".so")) or ".venv" in name]


def test_its_tests_run_where_it_was_unpacked(built: Built) -> None:
    basics = ("tests/wire/test_udp.py", "tests/cli/test_exit.py", "tests/meta/test_layers.py")
    said = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *basics,
               cwd=built.unpacked)  # fmt: skip
    assert " passed" in said
    where = "import smolctl; print(smolctl.__file__)"
    assert run(sys.executable, "-c", where, cwd=built.unpacked).startswith(str(built.unpacked))


def test_the_wheel_has_the_package_and_nothing_else(built: Built) -> None:
    inside = names(built.wheel)
    package = {f"smolctl/{name}" for name in below(ROOT / "smolctl") if "__pycache__" not in name}
    assert package == {name for name in inside if name.startswith("smolctl/")}
    assert "smolctl/py.typed" in package
    others = {name.partition("/")[0] for name in inside} - {"smolctl"}
    assert others == {f"smolctl-{__version__}.data", f"smolctl-{__version__}.dist-info"}


def test_the_wheel_is_for_every_machine(built: Built) -> None:
    assert built.wheel.name == f"smolctl-{__version__}-py3-none-any.whl"


def test_data_go_where_man_and_shells_look(built: Built) -> None:
    placed = {name.removeprefix(DATA) for name in names(built.wheel) if name.startswith(DATA)}
    wanted = {
        f"share/man/man{page.suffix[1:]}/{page.name}" for page in (ROOT / "man").glob("*.[78]")
    }
    wanted |= {
        "share/bash-completion/completions/smolctl",
        "share/zsh/site-functions/_smolctl",
        "share/fish/vendor_completions.d/smolctl.fish",
        "share/doc/smolctl/install.md",
        "share/doc/smolctl/lab.conf",
        "share/doc/smolctl/stack.toml",
        "share/doc/smolctl/systemd/system/smolctl@.service",
        "share/doc/smolctl/systemd/user/smolctl@.service",
    }
    assert placed == wanted
    with zipfile.ZipFile(built.wheel) as archive:
        text = archive.read(f"{DATA}share/man/man8/smolctl.8")
    assert text == (ROOT / "man/smolctl.8").read_bytes()


def test_the_page_about_installing_names_files_that_are_installed(built: Built) -> None:
    page = (ROOT / "docs/install.md").read_text()
    patterns = re.findall(r"PREFIX/(share/[^\s)]+)", page)
    patterns += [f"{path}*" for path in re.findall(r"`(share/[^`]+)`", page)]
    assert len(patterns) > 10
    inside = names(built.wheel)
    assert [pattern for pattern in patterns if not fnmatch.filter(inside, DATA + pattern)] == []


# --- metadata -------------------------------------------------------------------------------------


@pytest.fixture
def metadata(built: Built) -> EmailMessage:
    with zipfile.ZipFile(built.wheel) as archive:
        text = archive.read(f"smolctl-{__version__}.dist-info/METADATA")
    Metadata.from_email(text, validate=True)  # raises for whatever an index would refuse
    message = BytesParser(policy=default).parsebytes(text)
    assert isinstance(message, EmailMessage)
    return message


def test_metadata(metadata: EmailMessage) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("smolctl", __version__)
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    # A backend may write the bounds of a requirement in another order.
    needs = [Requirement(need) for need in metadata.get_all("Requires-Dist") or ()]
    assert needs == [Requirement(need) for need in PROJECT["dependencies"]]
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).startswith("# smolctl\n")
    assert "Typing :: Typed" in (metadata.get_all("Classifier") or ())


def test_what_is_required_is_no_more_than_what_is_tested() -> None:
    pins = dict(
        line.strip().split("==")
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if "==" in line
    )
    assert {Requirement(need).name for need in PROJECT["dependencies"]} == pins.keys()
    assert "-r requirements.txt" in (ROOT / "requirements-dev.txt").read_text().splitlines()


def test_the_version_stands_in_one_place() -> None:
    assert "version" in PROJECT["dynamic"]
    assert "version" not in PROJECT
    found = [
        path.relative_to(ROOT)
        for folder in ("smolctl", "scripts", "completions", "man")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", "") and path.is_file() and __version__ in path.read_text()
    ]
    assert found == [Path("smolctl/__init__.py")]


def test_a_program_that_uses_the_client_can_be_checked(built: Built) -> None:
    """PEP 561: what is imported has its types, and the mark that says so is installed."""
    for file in (built.unpacked / "smolctl/client").glob("*.py"):
        for node in statements(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                assert node.returns is not None, f"{file.name}: {node.name}"
